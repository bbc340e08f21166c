//! Escapes in formats and delimiters: `\n`, `\t`, `\r`, `\xHH`, `\NNN`, and a backslash before
//! anything else, which stands for that.
//!
//! They are kcat's, except where kcat takes more digits than the one byte that comes of them has:
//! here a number ends after two digits in hexadecimal and after three otherwise. As there, `\NNN`
//! is decimal, and octal with a leading 0.

/// Replaces the escapes of a text; a lone backslash at its end stays.
pub(crate) fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match (byte, after) {
            (b'\\', [b'n', after @ ..]) => (rest, _) = (after, out.push(b'\n')),
            (b'\\', [b't', after @ ..]) => (rest, _) = (after, out.push(b'\t')),
            (b'\\', [b'r', after @ ..]) => (rest, _) = (after, out.push(b'\r')),
            (b'\\', [b'x', after @ ..]) if after.first().is_some_and(u8::is_ascii_hexdigit) => {
                rest = number(&mut out, after, 16, 2);
            }
            (b'\\', [b'0', digit, ..]) if (b'0'..b'8').contains(digit) => {
                rest = number(&mut out, after, 8, 3);
            }
            (b'\\', [b'0'..=b'9', ..]) => rest = number(&mut out, after, 10, 3),
            (b'\\', [other, after @ ..]) => (rest, _) = (after, out.push(*other)),
            _ => out.push(byte),
        }
    }
    out
}

/// Appends the byte that a number of at most `max_len` digits names, and returns what is behind.
fn number<'a>(out: &mut Vec<u8>, text: &'a [u8], radix: u32, max_len: usize) -> &'a [u8] {
    let value = |byte: &u8| char::from(*byte).to_digit(radix);
    let digits: Vec<u32> = text.iter().take(max_len).map_while(value).collect();
    let number = digits.iter().fold(0, |number, digit| number * radix + digit);
    out.push(u8::try_from(number & 0xff).unwrap_or(0));
    &text[digits.len()..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_become_bytes() {
        for (text, bytes) in [
            ("", &b""[..]),
            (r"a\nb\tc\rd", b"a\nb\tc\rd"),
            (r"\x41\x0a\xff\xFg", b"A\n\xff\x0fg"),
            (r"\x41B", b"AB"),
            (r"\65\065\0\009", b"A\x35\0\x009"),
            (r"\\n", b"\\n"),
            (r"\%\q\xz", b"%qxz"),
            ("a\\", b"a\\"),
            ("é\\né", "é\né".as_bytes()),
        ] {
            assert_eq!(unescape(text), bytes, "{text}");
        }
    }
}
