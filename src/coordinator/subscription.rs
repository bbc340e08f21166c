//! What a consumer has subscribed to: topics by name, or by a pattern of names.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;

use regex_lite::Regex;

use crate::error::{Error, ErrorKind, Result};

/// A pattern of topic names.
///
/// A name matches as a whole, as with Java's `Pattern.matches`: `orders` does not match
/// `orders-eu`, `orders.*` does. Syntax is that of the `regex-lite` crate: no look-around and no
/// back-references, so that matching takes linear time.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    regex: Regex,
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] for what is no regular expression, or an empty one.
    pub fn new(text: &str) -> Result<Self> {
        let refused = |why: String| {
            Err(Error::new(ErrorKind::InvalidArgument, format!("the pattern {text:?} {why}")))
        };
        if text.is_empty() {
            return refused("is empty".to_owned());
        }
        // By itself first: what closes a group that it did not open would end the one around it.
        match Regex::new(text).and_then(|_| Regex::new(&format!("^(?:{text})$"))) {
            Ok(regex) => Ok(Self { text: text.to_owned(), regex }),
            Err(error) => refused(format!("is no regular expression: {error}")),
        }
    }

    /// Tells whether the whole name matches.
    pub fn matches(&self, name: &str) -> bool {
        self.regex.is_match(name)
    }

    /// Returns the pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// What a consumer has subscribed to.
#[derive(Clone, Debug)]
pub enum Subscription {
    /// When topics are named.
    Topics(BTreeSet<String>),
    /// When they are those whose names match, as far as they have been looked up.
    Pattern {
        /// The pattern.
        pattern: Pattern,
        /// The topics that match; none before the first look.
        found: Option<BTreeSet<String>>,
    },
}

impl Subscription {
    /// Returns the topics as far as they are known.
    pub fn topics(&self) -> Option<&BTreeSet<String>> {
        match self {
            Self::Topics(topics) => Some(topics),
            Self::Pattern { found, .. } => found.as_ref(),
        }
    }

    /// Tells whether it has this topic.
    pub fn has(&self, topic: &str) -> bool {
        self.topics().is_some_and(|topics| topics.contains(topic))
    }

    /// Returns the pattern, where it is one.
    pub fn pattern(&self) -> Option<&Pattern> {
        match self {
            Self::Topics(_) => None,
            Self::Pattern { pattern, .. } => Some(pattern),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_whole_names() {
        let pattern = Pattern::new("a|b.*").unwrap();
        let matching = ["a", "b", "bc"];
        assert!(matching.iter().all(|name| pattern.matches(name)));
        assert!(!["ab", "ca", "", "a\n"].iter().any(|name| pattern.matches(name)));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in ["", "(", "*", "[a", "(?<=a)b", "a)(b", "a)|(?:b"] {
            let error = Pattern::new(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{text}");
        }
    }
}
