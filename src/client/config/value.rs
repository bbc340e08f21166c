//! The kinds of values and their one spelling.

#![forbid(unsafe_code)]

use std::collections::HashSet;
use std::fmt;

use super::address::{AddressError, BrokerAddress};
use super::iso_duration;
use crate::nearest::nearest;

/// The longest value: a certificate chain fits, an accident does not.
pub(super) const VALUE_BYTES_MAX: usize = 1 << 20;

/// How much of a value an error quotes.
const QUOTED_CHARS_MAX: usize = 60;

/// What stands before the duration in `auto.offset.reset`.
pub(super) const BY_DURATION: &str = "by_duration:";

/// What a mistyped `auto.offset.reset` is compared with.
const RESETS: [&str; 9] =
    ["earliest", "latest", "none", BY_DURATION, "smallest", "beginning", "largest", "end", "error"];

/// What the values of a property look like.
#[derive(Debug)]
pub(super) enum Kind {
    Boolean,
    /// A decimal integer between the two, both included.
    Integer(i64, i64),
    /// A decimal number between the two, both included.
    Decimal(f64, f64),
    /// One of the words, in this case as in Java.
    Word(&'static [&'static str]),
    /// One of the words, in any case as in Java.
    AnyCaseWord(&'static [&'static str]),
    Text,
    /// A text of at most 32767 bytes: more does not fit the protocol's strings.
    ShortText,
    List,
    Secret,
    BrokerList,
    DirectoryList,
    OffsetReset,
    /// A function pointer in librdkafka, which no text can set.
    Callback,
}

/// Why a value cannot be one of its property.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ValueError {
    #[error("{value} is not {allowed}")]
    NotAllowed { value: String, allowed: String },
    #[error("{value} is not {allowed}; the nearest is {nearest}")]
    NotAWord { value: String, allowed: String, nearest: &'static str },
    #[error("{value} {error}")]
    Address { value: String, error: AddressError },
    #[error("{0} is given twice")]
    Twice(String),
    #[error("the value has {0} bytes, which is more than {VALUE_BYTES_MAX}")]
    TooLong(usize),
    #[error("the value holds a NUL byte")]
    Nul,
}

impl Kind {
    /// Checks `value` and gives it the one spelling that all equal values share.
    pub(super) fn canonical(&self, value: &str) -> Result<String, ValueError> {
        if value.len() > VALUE_BYTES_MAX {
            return Err(ValueError::TooLong(value.len()));
        }
        if value.contains('\0') {
            return Err(ValueError::Nul);
        }
        let value = trim(value);
        match self {
            Self::Boolean => self.required(value, boolean(value)),
            Self::Integer(min, max) => {
                let parsed = value.parse::<i64>().ok().filter(|i| (min..=max).contains(&i));
                self.required(value, parsed)
            }
            Self::Decimal(min, max) => {
                let parsed = value.parse::<f64>().ok().filter(|d| (min..=max).contains(&d));
                self.required(value, parsed)
            }
            Self::Word(words) => match words.iter().find(|word| **word == value) {
                Some(word) => Ok((*word).to_owned()),
                None => Err(self.not_a_word(value, words)),
            },
            Self::AnyCaseWord(words) => {
                match words.iter().find(|word| word.eq_ignore_ascii_case(value)) {
                    Some(word) => Ok((*word).to_owned()),
                    None => Err(self.not_a_word(value, words)),
                }
            }
            Self::OffsetReset => self.offset_reset(value),
            Self::Text | Self::Secret => Ok(value.to_owned()),
            Self::ShortText => {
                let fits = value.len() <= usize::from(u16::MAX >> 1);
                self.required(value, fits.then_some(value))
            }
            Self::List => Ok(list(value).collect::<Vec<_>>().join(",")),
            Self::BrokerList => self.some_of(value, &broker_list(value)?),
            Self::DirectoryList => self.some_of(value, &directory_list(value)?),
            Self::Callback => self.required(value, value.is_empty().then_some("")),
        }
    }

    /// Returns what is allowed, in words that go on from "is not".
    pub(super) fn allowed(&self) -> String {
        match self {
            Self::Boolean => "true or false".to_owned(),
            Self::Integer(i64::MIN, i64::MAX) => "an integer".to_owned(),
            Self::Integer(min, i64::MAX) => format!("an integer of at least {min}"),
            Self::Integer(min, max) => format!("an integer from {min} to {max}"),
            Self::Decimal(min, max) if min.is_finite() => format!("a number from {min} to {max}"),
            Self::Decimal(..) => "a number".to_owned(),
            Self::Word(words) => format!("one of {}", words.join(", ")),
            Self::AnyCaseWord(words) => format!("one of {}, in any case", words.join(", ")),
            Self::Text | Self::Secret => "a text".to_owned(),
            Self::ShortText => "a text of at most 32767 bytes".to_owned(),
            Self::List => "a list parted by commas".to_owned(),
            Self::BrokerList => "a list of host:port parted by commas".to_owned(),
            Self::DirectoryList => "a list of directories parted by commas".to_owned(),
            Self::OffsetReset => format!(
                "one of earliest, latest, none, {BY_DURATION}<ISO-8601 duration, not negative>, \
                 or librdkafka's smallest, beginning, largest, end, error"
            ),
            Self::Callback => "empty, and librdkafka sets it by a function of its own".to_owned(),
        }
    }

    fn required(
        &self,
        value: &str,
        parsed: Option<impl fmt::Display>,
    ) -> Result<String, ValueError> {
        parsed.map(|parsed| parsed.to_string()).ok_or_else(|| self.not_allowed(value))
    }

    fn not_allowed(&self, value: &str) -> ValueError {
        ValueError::NotAllowed { value: quoted(value), allowed: self.allowed() }
    }

    fn not_a_word(&self, value: &str, words: &[&'static str]) -> ValueError {
        match nearest(value, words.iter().copied()) {
            Some(nearest) => {
                ValueError::NotAWord { value: quoted(value), allowed: self.allowed(), nearest }
            }
            None => self.not_allowed(value),
        }
    }

    /// Joins a list; one of nothing but commas is a mistake, an empty one leaves it unset.
    fn some_of(&self, value: &str, entries: &[String]) -> Result<String, ValueError> {
        let usable = !entries.is_empty() || value.is_empty();
        self.required(value, usable.then(|| entries.join(",")))
    }

    fn offset_reset(&self, value: &str) -> Result<String, ValueError> {
        if let Some(duration) = value.strip_prefix(BY_DURATION) {
            return self.required(value, iso_duration::parse(duration).map(|_| value));
        }
        let kafka = match value {
            "earliest" | "smallest" | "beginning" => "earliest",
            "latest" | "largest" | "end" => "latest",
            "none" | "error" => "none",
            _ => return Err(self.not_a_word(value, &RESETS)),
        };
        Ok(kafka.to_owned())
    }
}

/// Cuts off what Java's `String.trim` cuts off.
fn trim(value: &str) -> &str {
    value.trim_matches(|c| c <= ' ')
}

/// Parts a list, without its empty entries.
pub(super) fn list(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(trim).filter(|entry| !entry.is_empty())
}

/// Quotes a value for an error: one line, not too long.
pub(super) fn quoted(value: &str) -> String {
    let shown: String = value.chars().take(QUOTED_CHARS_MAX).collect();
    let more = if shown.len() < value.len() { "…" } else { "" };
    format!("\"{}{more}\"", shown.escape_debug())
}

fn boolean(value: &str) -> Option<bool> {
    let is = |word: &&str| word.eq_ignore_ascii_case(value);
    if ["true", "t", "1"].iter().any(is) {
        Some(true)
    } else if ["false", "f", "0"].iter().any(is) {
        Some(false)
    } else {
        None
    }
}

fn broker_list(value: &str) -> Result<Vec<String>, ValueError> {
    let mut seen = HashSet::new();
    let mut servers = Vec::new();
    for entry in list(value) {
        let server = BrokerAddress::parse(entry)
            .map_err(|error| ValueError::Address { value: quoted(entry), error })?
            .to_string();
        if seen.insert(server.clone()) {
            servers.push(server);
        }
    }
    Ok(servers)
}

fn directory_list(value: &str) -> Result<Vec<String>, ValueError> {
    let mut seen = HashSet::new();
    match list(value).find(|entry| !seen.insert(*entry)) {
        Some(entry) => Err(ValueError::Twice(quoted(entry))),
        None => Ok(list(value).map(str::to_owned).collect()),
    }
}
