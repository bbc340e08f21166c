//! How bytes of keys, values and header values are shown.

use clap::ValueEnum;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const HEX: &[u8; 16] = b"0123456789abcdef";

/// How bytes are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Encoding {
    /// As they are.
    Utf8,
    /// In base64 with padding (RFC 4648).
    Base64,
    /// In hexadecimal, lower case.
    Hex,
}

impl Encoding {
    /// Appends bytes in this encoding.
    pub(crate) fn write(self, out: &mut Vec<u8>, bytes: &[u8]) {
        match self {
            Self::Utf8 => out.extend_from_slice(bytes),
            Self::Base64 => write_base64(out, bytes),
            Self::Hex => {
                let digits = |byte: &u8| [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
                out.extend(bytes.iter().flat_map(digits));
            }
        }
    }
}

fn write_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let letter = BASE64[(bits >> (18 - 6 * place)) as usize & 63];
            out.push(if place <= group.len() { letter } else { b'=' });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(encoding: Encoding, bytes: &[u8]) -> String {
        let mut out = b">".to_vec();
        encoding.write(&mut out, bytes);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (bytes, text) in [
            ("", ">"),
            ("f", ">Zg=="),
            ("fo", ">Zm8="),
            ("foo", ">Zm9v"),
            ("foob", ">Zm9vYg=="),
            ("fooba", ">Zm9vYmE="),
            ("foobar", ">Zm9vYmFy"),
        ] {
            assert_eq!(shown(Encoding::Base64, bytes.as_bytes()), text);
        }
        assert_eq!(shown(Encoding::Base64, &[0xfb, 0xef, 0xff]), ">++//");
    }

    #[test]
    fn hex_has_two_digits_a_byte() {
        assert_eq!(shown(Encoding::Hex, &[0, 9, 0xab, 0xff]), ">0009abff");
        assert_eq!(shown(Encoding::Utf8, "é".as_bytes()), ">é");
    }
}
