//! Records as text, by kcat's format: a list of pieces, made once.

use kfetch::Record;

use crate::encoding::Encoding;
use crate::escape::unescape;
use crate::json;
use crate::number::write_decimal;

/// How records are written.
#[derive(Debug)]
pub(crate) struct Format {
    shape: Shape,
    encoding: Encoding,
    /// What stands for a null key or value; kcat, too, takes an empty one for null here.
    null: &'static [u8],
}

#[derive(Debug)]
enum Shape {
    /// When each record is a JSON object with this behind it.
    Json(Vec<u8>),
    Pieces(Vec<Piece>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(Vec<u8>),
    Key,
    KeyLen,
    Value,
    ValueLen,
    ValueLenBinary,
    Topic,
    Partition,
    Offset,
    Timestamp,
    Headers,
}

impl Format {
    /// JSON objects, each with a delimiter behind it.
    pub(crate) fn json(delimiter: &str, encoding: Encoding) -> Self {
        Self { shape: Shape::Json(unescape(delimiter)), encoding, null: b"" }
    }

    /// Values, each with a delimiter behind it, and with the key and its delimiter before it where
    /// there is one.
    pub(crate) fn plain(key_delimiter: Option<&str>, delimiter: &str, encoding: Encoding) -> Self {
        let mut pieces = Vec::new();
        if let Some(key_delimiter) = key_delimiter {
            pieces.extend([Piece::Key, Piece::Text(unescape(key_delimiter))]);
        }
        pieces.extend([Piece::Value, Piece::Text(unescape(delimiter))]);
        Self { shape: Shape::Pieces(pieces), encoding, null: b"" }
    }

    /// Reads a format.
    ///
    /// # Errors
    ///
    /// What is wrong with a token.
    pub(crate) fn parse(text: &str, encoding: Encoding) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            if !before.is_empty() {
                pieces.push(Piece::Text(unescape(before)));
            }
            let mut after = after.chars();
            pieces.push(token(after.next())?);
            rest = after.as_str();
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(unescape(rest)));
        }
        Ok(Self { shape: Shape::Pieces(pieces), encoding, null: b"" })
    }

    /// Writes NULL for null keys and values.
    pub(crate) fn with_null(mut self) -> Self {
        self.null = b"NULL";
        self
    }

    /// Appends a record.
    pub(crate) fn write(&self, out: &mut Vec<u8>, record: &Record<'_>) {
        match &self.shape {
            Shape::Json(delimiter) => {
                json::write_record(out, record, self.encoding);
                out.extend_from_slice(delimiter);
            }
            Shape::Pieces(pieces) => {
                for piece in pieces {
                    self.write_piece(out, piece, record);
                }
            }
        }
    }

    fn write_piece(&self, out: &mut Vec<u8>, piece: &Piece, record: &Record<'_>) {
        match piece {
            Piece::Text(text) => out.extend_from_slice(text),
            Piece::Key => self.write_bytes(out, record.key()),
            Piece::KeyLen => write_decimal(out, length(record.key()).into()),
            Piece::Value => self.write_bytes(out, record.value()),
            Piece::ValueLen => write_decimal(out, length(record.value()).into()),
            Piece::ValueLenBinary => out.extend(length(record.value()).to_be_bytes()),
            Piece::Topic => out.extend_from_slice(record.topic().as_bytes()),
            Piece::Partition => write_decimal(out, record.partition().into()),
            Piece::Offset => write_decimal(out, record.offset()),
            Piece::Timestamp => write_decimal(out, record.timestamp()),
            Piece::Headers => self.write_headers(out, record),
        }
    }

    fn write_bytes(&self, out: &mut Vec<u8>, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) if !bytes.is_empty() => self.encoding.write(out, bytes),
            _ => out.extend_from_slice(self.null),
        }
    }

    fn write_headers(&self, out: &mut Vec<u8>, record: &Record<'_>) {
        for (place, header) in record.headers().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            out.extend_from_slice(header.key);
            out.push(b'=');
            match header.value {
                Some(value) => self.encoding.write(out, value),
                None => out.extend_from_slice(b"NULL"),
            }
        }
    }
}

fn token(letter: Option<char>) -> Result<Piece, String> {
    Ok(match letter {
        Some('s') => Piece::Value,
        Some('S') => Piece::ValueLen,
        Some('R') => Piece::ValueLenBinary,
        Some('k') => Piece::Key,
        Some('K') => Piece::KeyLen,
        Some('T') => Piece::Timestamp,
        Some('h') => Piece::Headers,
        Some('t') => Piece::Topic,
        Some('p') => Piece::Partition,
        Some('o') => Piece::Offset,
        Some('%') => Piece::Text(b"%".to_vec()),
        Some(other) => {
            return Err(format!(
                "there is no token %{other}; tokens are %s %S %R %k %K %T %h %t \
                                %p %o and %%"
            ));
        }
        None => return Err("a lone % stands at the end; write %% for a percent sign".to_owned()),
    })
}

/// Returns the length of the bytes themselves, whatever the encoding, and −1 for null.
fn length(bytes: Option<&[u8]>) -> i32 {
    bytes.map_or(-1, |bytes| i32::try_from(bytes.len()).unwrap_or(i32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<Piece> {
        match Format::parse(text, Encoding::Utf8).unwrap().shape {
            Shape::Pieces(pieces) => pieces,
            Shape::Json(_) => unreachable!("a format is no JSON"),
        }
    }

    #[test]
    fn a_format_is_a_list_of_pieces() {
        let text = |text: &[u8]| Piece::Text(text.to_vec());
        assert_eq!(pieces(""), []);
        assert_eq!(pieces("%s\\n"), [Piece::Value, text(b"\n")]);
        assert_eq!(
            pieces("a%%%k=%R"),
            [text(b"a"), text(b"%"), Piece::Key, text(b"="), Piece::ValueLenBinary]
        );
        for (letter, piece) in [
            ("%S", Piece::ValueLen),
            ("%K", Piece::KeyLen),
            ("%T", Piece::Timestamp),
            ("%h", Piece::Headers),
            ("%t", Piece::Topic),
            ("%p", Piece::Partition),
            ("%o", Piece::Offset),
        ] {
            assert_eq!(pieces(letter), [piece]);
        }
    }

    #[test]
    fn unknown_tokens_are_refused() {
        for bad in ["%", "a%", "%x", "%%%", "%é"] {
            assert!(Format::parse(bad, Encoding::Utf8).is_err(), "{bad}");
        }
    }
}
