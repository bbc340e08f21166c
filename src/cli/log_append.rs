//! `kfetch log append`: lines of standard input to records.

use std::io::{self, Read};
use std::time::{SystemTime, UNIX_EPOCH};

use kfetch::record::NewRecord;
use kfetch::ring::process::{catch_interrupts, is_interrupted};
use kfetch::{LogWriter, LogWriterOptions};

use crate::escape::unescape;
use crate::failure::{Failure, Outcome};
use crate::log_args::AppendArgs;
use crate::message;

/// What is read at once: what a pipe holds, so that a read of less has emptied it.
const READ_BYTES: usize = 64 * 1024;

type Headers<'a> = Vec<(&'a [u8], Option<&'a [u8]>)>;

/// Runs the command.
///
/// # Errors
///
/// What the writer or standard input says; what was appended before is kept.
pub(crate) fn run(args: &AppendArgs) -> Outcome {
    let options = LogWriterOptions::default();
    let mut writer = LogWriter::open(&args.directory, &args.topic, args.partition, options)?;
    catch_interrupts().map_err(|error| Failure::Error(format!("signals: {error}")))?;
    let first = writer.next_offset();
    let headers = args.headers.iter().map(|header| match header.split_once('=') {
        Some((name, value)) => (name.as_bytes(), Some(value.as_bytes())),
        None => (header.as_bytes(), None),
    });
    let shape = Shape {
        key_delimiter: args.key_delimiter.as_deref().map(unescape),
        headers: headers.collect(),
    };
    append_lines(&mut writer, &shape)?;
    writer.flush(true)?;
    let end = writer.next_offset();
    writer.close()?;
    if !args.quiet {
        let (count, topic, partition) = (end - first, &args.topic, args.partition);
        message::line(format_args!(
            "% Appended {count} records to topic {topic} [{partition}], from offset {first} on"
        ));
    }
    Ok(())
}

/// How a line becomes a record.
#[derive(Debug)]
struct Shape<'a> {
    key_delimiter: Option<Vec<u8>>,
    headers: Headers<'a>,
}

impl<'a> Shape<'a> {
    fn record(&'a self, line: &'a [u8], now_ms: i64) -> NewRecord<'a> {
        let (key, value) = match &self.key_delimiter {
            Some(delimiter) => split(line, delimiter),
            None => (None, line),
        };
        NewRecord { timestamp: now_ms, key, value: Some(value), headers: &self.headers }
    }
}

/// Reads lines to the end of the input, or to an interruption. What is complete is appended at
/// once, and shown to readers when nothing more waits.
fn append_lines(writer: &mut LogWriter, shape: &Shape<'_>) -> Outcome {
    let mut input = io::stdin().lock();
    let mut buffer = Vec::new();
    let mut is_open = true;
    while is_open && !is_interrupted() {
        let rest = buffer.len();
        buffer.resize(rest + READ_BYTES, 0);
        let read = match input.read(&mut buffer[rest..]) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                buffer.truncate(rest);
                continue;
            }
            Err(error) => return Err(Failure::Error(format!("standard input: {error}"))),
        };
        buffer.truncate(rest + read);
        is_open = read > 0;
        // Only what has come can have the end of a line that began before.
        let newline = buffer[rest..].iter().rposition(|byte| *byte == b'\n');
        let end = match newline {
            Some(at) => rest + at + 1,
            None if is_open => continue,
            None => buffer.len(),
        };
        append(writer, shape, &buffer[..end])?;
        buffer.drain(..end);
        if read < READ_BYTES {
            writer.flush(false)?;
        }
    }
    Ok(())
}

/// Appends whole lines; the last may lack its end.
fn append(writer: &mut LogWriter, shape: &Shape<'_>, lines: &[u8]) -> Outcome {
    if lines.is_empty() {
        return Ok(());
    }
    let now_ms = now_ms();
    let lines = lines.strip_suffix(b"\n").unwrap_or(lines);
    let records: Vec<NewRecord<'_>> =
        lines.split(|byte| *byte == b'\n').map(|line| shape.record(line, now_ms)).collect();
    writer.append(&records)?;
    Ok(())
}

/// Splits a line at the first delimiter.
fn split<'a>(line: &'a [u8], delimiter: &[u8]) -> (Option<&'a [u8]>, &'a [u8]) {
    if delimiter.is_empty() {
        return (None, line);
    }
    match line.windows(delimiter.len()).position(|window| window == delimiter) {
        Some(at) => (Some(&line[..at]), &line[at + delimiter.len()..]),
        None => (None, line),
    }
}

fn now_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_split_at_the_first_delimiter() {
        assert_eq!(split(b"k:v:w", b":"), (Some(&b"k"[..]), &b"v:w"[..]));
        assert_eq!(split(b":v", b":"), (Some(&b""[..]), &b"v"[..]));
        assert_eq!(split(b"k::", b"::"), (Some(&b"k"[..]), &b""[..]));
        assert_eq!(split(b"value", b":"), (None, &b"value"[..]));
        assert_eq!(split(b"", b":"), (None, &b""[..]));
        assert_eq!(split(b"kv", b""), (None, &b"kv"[..]));
    }
}
