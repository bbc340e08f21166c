//! The address of a broker, as `bootstrap.servers` lists them.

#![forbid(unsafe_code)]

use std::fmt;
use std::net::Ipv6Addr;

use crate::nearest::nearest;

/// The port of an address that names none, as librdkafka and kcat have it.
const PORT_DEFAULT: u16 = 9092;

const SCHEMES: [&str; 4] = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"];

/// The host and port of a broker, not resolved.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BrokerAddress {
    /// A host name, an IPv4 address, or an IPv6 address without brackets.
    pub host: String,
    /// The TCP port, never 0.
    pub port: u16,
}

/// Why an address cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AddressError {
    #[error("has no host")]
    NoHost,
    #[error("has a port that is not a number from 1 to 65535")]
    BadPort,
    #[error("has an IPv6 address outside of brackets; write [::1]:9092")]
    BareIpv6,
    #[error("has something in brackets that is no IPv6 address")]
    BadIpv6,
    #[error("has a host with a character that no host name has")]
    BadHost,
    #[error("asks for {0}, which is not built yet; the scheme may be PLAINTEXT now")]
    SchemeNotBuilt(&'static str),
    #[error("has an unknown scheme; the nearest known one is {0}")]
    UnknownScheme(&'static str),
}

impl BrokerAddress {
    /// Parses `host`, `host:port` or `[ipv6]:port`, with or without `PLAINTEXT://` before it.
    pub(super) fn parse(text: &str) -> Result<Self, AddressError> {
        let address = match text.split_once("://") {
            Some((scheme, address)) => {
                check_scheme(scheme)?;
                address
            }
            None => text,
        };
        if let Some(bracketed) = address.strip_prefix('[') {
            let (host, after) = bracketed.split_once(']').ok_or(AddressError::BadIpv6)?;
            let literal = host.split_once('%').map_or(host, |(literal, _zone)| literal);
            literal.parse::<Ipv6Addr>().map_err(|_| AddressError::BadIpv6)?;
            let port = match after.strip_prefix(':') {
                Some(port) => parse_port(port)?,
                None if after.is_empty() => PORT_DEFAULT,
                None => return Err(AddressError::BadPort),
            };
            return Self::new(host, port);
        }
        match address.split_once(':') {
            Some((_, port)) if port.contains(':') => Err(AddressError::BareIpv6),
            Some((host, port)) => Self::new(host, parse_port(port)?),
            None => Self::new(address, PORT_DEFAULT),
        }
    }

    fn new(host: &str, port: u16) -> Result<Self, AddressError> {
        if host.is_empty() {
            return Err(AddressError::NoHost);
        }
        let valid = |b: u8| b.is_ascii_alphanumeric() || b"-._%:".contains(&b);
        if !host.bytes().all(valid) {
            return Err(AddressError::BadHost);
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for BrokerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

fn check_scheme(scheme: &str) -> Result<(), AddressError> {
    match SCHEMES.iter().find(|known| known.eq_ignore_ascii_case(scheme)) {
        Some(&"PLAINTEXT") => Ok(()),
        Some(known) => Err(AddressError::SchemeNotBuilt(known)),
        None => Err(AddressError::UnknownScheme(
            nearest(scheme, SCHEMES.into_iter()).unwrap_or("PLAINTEXT"),
        )),
    }
}

fn parse_port(text: &str) -> Result<u16, AddressError> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let port = if digits { text.parse().unwrap_or(0) } else { 0 };
    if port == 0 { Err(AddressError::BadPort) } else { Ok(port) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_both_clients_read() {
        for (text, host, port) in [
            ("localhost", "localhost", 9092),
            ("localhost:1", "localhost", 1),
            ("kafka_1.example-x.com:65535", "kafka_1.example-x.com", 65535),
            ("127.0.0.1:9093", "127.0.0.1", 9093),
            ("[::1]:9093", "::1", 9093),
            ("[::1]", "::1", 9092),
            ("[fe80::1%eth0]:9093", "fe80::1%eth0", 9093),
            ("PLAINTEXT://a:1", "a", 1),
            ("plaintext://[::1]:1", "::1", 1),
        ] {
            let address = BrokerAddress::parse(text).unwrap();
            assert_eq!((address.host.as_str(), address.port), (host, port), "{text}");
            assert_eq!(BrokerAddress::parse(&address.to_string()), Ok(address));
        }
    }

    #[test]
    fn refuses_what_cannot_be_connected_to() {
        use AddressError::*;
        for (text, error) in [
            ("", NoHost),
            (":9092", NoHost),
            ("PLAINTEXT://", NoHost),
            ("a:", BadPort),
            ("a:0", BadPort),
            ("a:65536", BadPort),
            ("a:+1", BadPort),
            ("a:-1", BadPort),
            ("a:9092/x", BadPort),
            ("[::1]9092", BadPort),
            ("::1", BareIpv6),
            ("::1:9092", BareIpv6),
            ("[::1", BadIpv6),
            ("[]:1", BadIpv6),
            ("[localhost]:1", BadIpv6),
            ("a b:1", BadHost),
            ("a/b", BadHost),
            ("b\u{fc}cher:1", BadHost),
            ("SSL://a:1", SchemeNotBuilt("SSL")),
            ("sasl_ssl://a:1", SchemeNotBuilt("SASL_SSL")),
            ("plain://a:1", UnknownScheme("PLAINTEXT")),
            ("://a:1", UnknownScheme("SSL")),
        ] {
            assert_eq!(BrokerAddress::parse(text), Err(error), "{text}");
        }
    }
}
