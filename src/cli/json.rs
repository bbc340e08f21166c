//! Records as JSON, one object each, in the fields and the order of kcat's `-J`.
//!
//! As there, `headers` is missing where a record has none, and bytes that are not UTF-8 are
//! written as they are under `--encoding utf8`: the output is valid JSON where the topic's bytes
//! are UTF-8, and with the other encodings always.

use kfetch::Record;
use kfetch::record::TimestampType;

use crate::encoding::Encoding;
use crate::number::write_decimal;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Appends a record as an object.
pub(crate) fn write_record(out: &mut Vec<u8>, record: &Record<'_>, encoding: Encoding) {
    // A topic's name has no character that is escaped.
    out.extend_from_slice(b"{\"topic\":\"");
    out.extend_from_slice(record.topic().as_bytes());
    out.extend_from_slice(b"\",\"partition\":");
    write_decimal(out, record.partition().into());
    out.extend_from_slice(b",\"offset\":");
    write_decimal(out, record.offset());
    out.extend_from_slice(match record.run().timestamp_type() {
        TimestampType::CreateTime => b",\"tstype\":\"create\",\"ts\":",
        TimestampType::LogAppendTime => b",\"tstype\":\"logappend\",\"ts\":",
    });
    write_decimal(out, record.timestamp());
    out.extend_from_slice(b",\"broker\":");
    write_decimal(out, record.run().broker().into());
    write_headers(out, record, encoding);
    out.extend_from_slice(b",\"key\":");
    write_bytes(out, record.key(), encoding);
    out.extend_from_slice(b",\"payload\":");
    write_bytes(out, record.value(), encoding);
    out.push(b'}');
}

/// Names and values in turn; a name is text under every encoding.
fn write_headers(out: &mut Vec<u8>, record: &Record<'_>, encoding: Encoding) {
    let mut before: &[u8] = b",\"headers\":[";
    for header in record.headers() {
        out.extend_from_slice(before);
        before = b",";
        write_string(out, header.key);
        out.push(b',');
        write_bytes(out, header.value, encoding);
    }
    if before == b"," {
        out.push(b']');
    }
}

fn write_bytes(out: &mut Vec<u8>, bytes: Option<&[u8]>, encoding: Encoding) {
    match (bytes, encoding) {
        (None, _) => out.extend_from_slice(b"null"),
        (Some(bytes), Encoding::Utf8) => write_string(out, bytes),
        (Some(bytes), encoding) => {
            out.push(b'"');
            encoding.write(out, bytes);
            out.push(b'"');
        }
    }
}

/// Appends bytes as a string. Most need no escape, so they are copied in stretches.
pub(crate) fn write_string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    let mut rest = bytes;
    loop {
        let (plain, behind) = rest.split_at(plain_len(rest));
        out.extend_from_slice(plain);
        let Some((escaped, behind)) = behind.split_first() else { break };
        write_escaped(out, *escaped);
        rest = behind;
    }
    out.push(b'"');
}

/// Returns how many bytes from the first on need no escape. Whole chunks are looked at without a
/// branch for each byte, which the compiler does with vectors.
fn plain_len(bytes: &[u8]) -> usize {
    const CHUNK: usize = 32;
    let is_plain =
        |chunk: &&[u8; CHUNK]| !chunk.iter().fold(false, |found, byte| found | needs_escape(*byte));
    let plain = bytes.as_chunks::<CHUNK>().0.iter().take_while(is_plain).count() * CHUNK;
    let rest = &bytes[plain..];
    plain + rest.iter().position(|byte| needs_escape(*byte)).unwrap_or(rest.len())
}

fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

fn write_escaped(out: &mut Vec<u8>, byte: u8) {
    let letter = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x0c => b'f',
        0x08 => b'b',
        _ => {
            out.extend_from_slice(b"\\u00");
            out.extend([HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            return;
        }
    };
    out.extend([b'\\', letter]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_where_json_wants_it() {
        for (bytes, json) in [
            (&b""[..], &b"\"\""[..]),
            (b"plain", b"\"plain\""),
            (b"\"a\\/\"", b"\"\\\"a\\\\/\\\"\""),
            (b"\n\r\t\x08\x0c\0\x1f\x7f", b"\"\\n\\r\\t\\b\\f\\u0000\\u001F\x7f\""),
            ("é\u{1f600}".as_bytes(), "\"é\u{1f600}\"".as_bytes()),
            (b"\xff\x80", b"\"\xff\x80\""),
        ] {
            let mut out = Vec::new();
            write_string(&mut out, bytes);
            assert_eq!(out, json);
        }
    }

    #[test]
    fn an_escape_is_found_wherever_it_stands() {
        for len in 0..100 {
            assert_eq!(plain_len(&vec![b'a'; len]), len);
            for at in 0..len {
                let mut bytes = vec![b'a'; len];
                bytes[at] = b'\n';
                assert_eq!(plain_len(&bytes), at);
                bytes[len - 1] = b'"';
                assert_eq!(plain_len(&bytes), at);
            }
        }
    }
}
