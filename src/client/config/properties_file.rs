//! The `.properties` format, as `java.util.Properties` reads it.
//!
//! A logical line is a name, then `=`, `:` or a blank, then a value. A line whose first visible
//! character is `#` or `!` is a comment. A line that ends in an odd number of backslashes goes on
//! in the next one, whose leading blanks do not count. `\t`, `\n`, `\r`, `\f` and `\uXXXX` stand
//! for what they name; a backslash before any other character stands for that character.
//!
//! A file is UTF-8, with or without a byte order mark. Java reads an `InputStream` as ISO-8859-1
//! instead: the two differ in bytes above 0x7f alone, and there a file that is not UTF-8 is an
//! error here, where guessing would change a password in silence.

#![forbid(unsafe_code)]

use std::borrow::Cow;

const BYTE_ORDER_MARK: &str = "\u{feff}";

/// One logical line of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) value: String,
    /// The line at which the entry starts; the first one is 1.
    pub(super) line: usize,
}

/// Where and why a text is not in the format.
///
/// It holds no piece of a value, because the piece may be of a password.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FormatError {
    pub(super) line: usize,
    /// The property, where the fault is in its value.
    pub(super) name: Option<String>,
    pub(super) fault: Fault,
}

/// What is wrong with a line.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("a \\u is not followed by four hexadecimal digits")]
    Digits,
    #[error("a \\u escape is half of a surrogate pair without the other half")]
    Surrogate,
    #[error("the line is not UTF-8; other characters can be written as \\uXXXX")]
    NotUtf8,
}

/// Decodes the bytes of a file.
pub(super) fn decode(bytes: &[u8]) -> Result<&str, FormatError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
        FormatError { line: natural_lines_in(valid), name: None, fault: Fault::NotUtf8 }
    })?;
    Ok(text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text))
}

/// Parses all entries of `text`, in order, or none of them.
pub(super) fn parse(text: &str) -> Result<Vec<Entry>, FormatError> {
    let mut lines = NaturalLines { rest: text, line: 0 };
    let mut entries = Vec::new();
    while let Some((line, logical)) = lines.next_logical() {
        let (name, value) = split(&logical);
        let name = unescape(name).map_err(|fault| FormatError { line, name: None, fault })?;
        let value = unescape(value).map_err(|fault| {
            let name = Some(name.clone());
            FormatError { line, name, fault }
        })?;
        entries.push(Entry { name, value, line });
    }
    Ok(entries)
}

/// Writes one entry so that [`parse`] reads the same name and value back.
pub(super) fn format_entry(name: &str, value: &str) -> String {
    let mut line = String::with_capacity(name.len() + value.len() + 1);
    name.chars().for_each(|c| escape(c, true, &mut line));
    line.push('=');
    let mut leading = true;
    for c in value.chars() {
        leading &= c == ' ';
        escape(c, leading, &mut line);
    }
    line
}

struct NaturalLines<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> NaturalLines<'a> {
    /// Takes a line without its terminator and its leading blanks.
    fn next_natural(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        self.line += 1;
        let (line, rest) = match self.rest.split_once(['\n', '\r']) {
            Some((line, rest)) if self.rest[line.len()..].starts_with("\r\n") => {
                (line, rest.strip_prefix('\n').unwrap_or(rest))
            }
            Some(parts) => parts,
            None => (self.rest, ""),
        };
        self.rest = rest;
        Some(line.trim_start_matches(is_blank))
    }

    /// Joins continued lines; gives the number of the first one with the text.
    ///
    /// Backslashes that join nothing to nothing at the end of the text are no line. Java makes a
    /// nameless entry of them before `\n` and none before `\r\n`.
    fn next_logical(&mut self) -> Option<(usize, Cow<'a, str>)> {
        let mut logical = Cow::Borrowed("");
        let mut first_line = 0;
        loop {
            let natural = self.next_natural()?;
            if logical.is_empty() {
                if natural.is_empty() || natural.starts_with(['#', '!']) {
                    continue;
                }
                first_line = self.line;
            }
            let backslashes = natural.bytes().rev().take_while(|&b| b == b'\\').count();
            let continues = backslashes % 2 == 1;
            logical += &natural[..natural.len() - usize::from(continues)];
            if !continues || (self.rest.is_empty() && !logical.is_empty()) {
                return Some((first_line, logical));
            }
        }
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

/// Splits a logical line at the first separator that no backslash protects.
fn split(logical: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = logical.find(|c| {
        let separates = !escaped && (is_blank(c) || matches!(c, '=' | ':'));
        escaped = !escaped && c == '\\';
        separates
    });
    let Some(end) = end else {
        return (logical, "");
    };
    let (name, rest) = logical.split_at(end);
    let rest = rest.trim_start_matches(is_blank);
    let value = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (name, value.trim_start_matches(is_blank))
}

fn unescape(text: &str) -> Result<String, Fault> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, escape)) = rest.split_once('\\') {
        out.push_str(plain);
        let mut chars = escape.chars();
        match chars.next() {
            Some('u') => {
                let (c, after) = unicode_escape(chars.as_str())?;
                out.push(c);
                rest = after;
                continue;
            }
            Some('t') => out.push('\t'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('f') => out.push('\u{c}'),
            Some(c) => out.push(c),
            None => {}
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    Ok(out)
}

/// Decodes what stands behind `\u`: one UTF-16 unit, or two where the first is half of a pair.
fn unicode_escape(text: &str) -> Result<(char, &str), Fault> {
    let (unit, rest) = utf16_unit(text)?;
    if let Some(c) = char::from_u32(u32::from(unit)) {
        return Ok((c, rest));
    }
    let other = rest.strip_prefix("\\u").ok_or(Fault::Surrogate)?;
    let (second, rest) = utf16_unit(other)?;
    match char::decode_utf16([unit, second]).next() {
        Some(Ok(c)) => Ok((c, rest)),
        _ => Err(Fault::Surrogate),
    }
}

fn utf16_unit(text: &str) -> Result<(u16, &str), Fault> {
    let (digits, rest) = text.split_at_checked(4).ok_or(Fault::Digits)?;
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Fault::Digits);
    }
    let unit = u16::from_str_radix(digits, 16).map_err(|_| Fault::Digits)?;
    Ok((unit, rest))
}

fn escape(c: char, blank_too: bool, out: &mut String) {
    match c {
        '\t' => out.push_str("\\t"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\u{c}' => out.push_str("\\f"),
        '\\' | '=' | ':' | '#' | '!' => out.extend(['\\', c]),
        ' ' if blank_too => out.push_str("\\ "),
        _ => out.push(c),
    }
}

fn natural_lines_in(bytes: &[u8]) -> usize {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let breaks = text.replace("\r\n", "\n").matches(['\n', '\r']).count();
    breaks + 1
}

#[cfg(test)]
mod tests;
