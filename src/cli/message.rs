//! Lines on standard error, in the form that kcat's have.
//!
//! A standard error that is closed or full is no reason to end, so what cannot be written is lost.

use std::fmt;
use std::io::{self, Write};

use kfetch::{Error, Logger};

/// Tells of an error.
pub(crate) fn error(text: &str) {
    line(format_args!("% ERROR: {text}"));
}

/// Tells what is wrong with the command line.
pub(crate) fn usage(text: &str) {
    line(format_args!("error: {text}\n\nFor more information, try '--help'."));
}

/// Tells something that is good to know beside the result.
pub(crate) fn note(text: &str) {
    line(format_args!("% {text}"));
}

/// Writes a line.
pub(crate) fn line(text: fmt::Arguments<'_>) {
    drop(writeln!(io::stderr(), "{text}"));
}

/// Puts an error into words, a partition as kcat writes it.
pub(crate) fn of(error: &Error) -> String {
    let text = error.message();
    let Some(topic) = error.topic() else { return text.to_owned() };
    match (error.partition(), error.offset()) {
        (..0, _) => format!("topic {topic}: {text}"),
        (partition, ..0) => format!("topic {topic} [{partition}]: {text}"),
        (partition, offset) => format!("topic {topic} [{partition}] at offset {offset}: {text}"),
    }
}

/// Makes a logger for the library's own warnings.
pub(crate) fn logger(is_quiet: bool) -> Logger {
    Logger::new(move |level, _target, text| {
        if !is_quiet && level <= log::Level::Warn {
            line(format_args!("% {level}: {text}"));
        }
    })
}
