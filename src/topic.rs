//! Names of topics and partitions.

#![forbid(unsafe_code)]

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A topic's name, shared by everything that speaks of the topic, with a NUL behind it so that C
/// can read it where it lies.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TopicName {
    /// The name and one NUL.
    terminated: Arc<str>,
}

impl TopicName {
    /// Makes the name; a NUL inside would end it early in C, so the caller has refused those.
    pub fn new(name: &str) -> Self {
        Self { terminated: format!("{name}\0").into() }
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        self.terminated.strip_suffix('\0').unwrap_or_default()
    }

    /// Returns the name with the NUL that ends it.
    pub fn as_terminated(&self) -> &str {
        &self.terminated
    }
}

impl Borrow<str> for TopicName {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl Hash for TopicName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The topic's name.
    pub topic: String,
    /// The partition's number, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// Names a partition.
    pub fn new(topic: impl Into<String>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn a_topic_is_found_by_its_plain_name() {
        let name = TopicName::new("orders");
        assert_eq!((name.as_str(), name.as_terminated()), ("orders", "orders\0"));
        let map = HashMap::from([(name, 1)]);
        assert_eq!(map.get("orders"), Some(&1));
    }
}
