//! Sockets, requests, retries and their times.

#![forbid(unsafe_code)]

use super::super::property::Property;
use super::super::property::Support::{Built, NoEffect, NotBuilt, Warn};
use super::super::value::Kind::{AnyCaseWord, Boolean, Integer, Text, Word};

const INT: i64 = i32::MAX as i64;
const LONG: i64 = i64::MAX;
const PROTOCOLS: &[&str] = &["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"];

// One property a line, which the formatter would spread over six.
#[rustfmt::skip]
pub(super) static PROPERTIES: &[Property] = &[
    Property::new("security.protocol", AnyCaseWord(PROTOCOLS), "PLAINTEXT",
        NotBuilt(&["PLAINTEXT"]),
        "Says whether connections are encrypted and authenticated."),

    Property::new("request.timeout.ms", Integer(0, INT), "30000", Built,
        "Gives up a request, and its connection, after so long.").or(&["socket.timeout.ms"]),
    Property::new("default.api.timeout.ms", Integer(0, INT), "60000", Built,
        "Bounds calls that are given no time limit of their own."),
    Property::new("retry.backoff.ms", Integer(0, LONG), "100", Built,
        "Waits so long before the first retry, and doubles it from there."),
    Property::new("retry.backoff.max.ms", Integer(0, LONG), "1000", Built,
        "Bounds the wait before a retry."),
    Property::new("reconnect.backoff.ms", Integer(0, LONG), "50", Built,
        "Waits so long before a broker is connected to again, and doubles it from there."),
    Property::new("reconnect.backoff.max.ms", Integer(0, LONG), "1000", Built,
        "Bounds that wait; reconnect.backoff.ms where that alone is set."),
    Property::new("reconnect.backoff.jitter.ms", Integer(0, 3_600_000), "0", NoEffect,
        "Has had no effect in librdkafka for long either."),
    Property::new("socket.connection.setup.timeout.ms", Integer(0, LONG), "10000", Built,
        "Gives up an attempt to connect after so long, and doubles it from there."),
    Property::new("socket.connection.setup.timeout.max.ms", Integer(0, LONG), "30000", Built,
        "Bounds the time of an attempt to connect."),
    Property::new("connections.max.idle.ms", Integer(i64::MIN, LONG), "540000", Built,
        "Closes a connection that was idle so long; 0 and less never do."),

    Property::new("receive.buffer.bytes", Integer(-1, INT), "-1", Built,
        "Sizes the socket's receive buffer; -1 and 0 leave it to the operating system.")
        .or(&["socket.receive.buffer.bytes"]),
    Property::new("send.buffer.bytes", Integer(-1, INT), "-1", Built,
        "Sizes the socket's send buffer; -1 and 0 leave it to the operating system.")
        .or(&["socket.send.buffer.bytes"]),
    Property::new("socket.keepalive.enable", Boolean, "true", Built,
        "Lets the operating system probe idle connections, as Java always does."),
    Property::new("socket.nagle.disable", Boolean, "true", Built,
        "Sends small requests at once, as Java always does."),
    Property::new("socket.max.fails", Integer(0, 1_000_000), "1", Warn(&["1"]),
        "A connection is given up after the first request that times out."),
    Property::new("socket.blocking.max.ms", Integer(1, 60_000), "1000", NoEffect,
        "Has had no effect in librdkafka for long either."),
    Property::new("broker.address.family", Word(&["any", "v4", "v6"]), "any", Built,
        "Says which addresses of a host name are used."),
    Property::new("broker.address.ttl", Integer(0, 86_400_000), "1000", Warn(&["1000"]),
        "Host names are resolved anew for each attempt to connect."),
    Property::new("enable.sparse.connections", Boolean, "true", Warn(&["true"]),
        "Brokers are connected to when they are needed."),

    Property::new("max.in.flight.requests.per.connection", Integer(1, 1_000_000), "1000000",
        NoEffect, "Bounds what a producer sends ahead.").or(&["max.in.flight"]),
    Property::new("api.version.request", Boolean, "true", Warn(&["true"]),
        "Versions are always agreed on with each broker."),
    Property::new("api.version.request.timeout.ms", Integer(1, 300_000), "10000", Warn(&["10000"]),
        "The agreement on versions is a part of socket.connection.setup.timeout.ms."),
    Property::new("api.version.fallback.ms", Integer(0, 604_800_000), "0", NoEffect,
        "Is about brokers before 0.10, which are not spoken to."),
    Property::new("broker.version.fallback", Text, "", NoEffect,
        "Is about brokers before 0.10, which are not spoken to."),
];
