//! The partitions that are still being read.

use std::collections::BTreeMap;

use kfetch::TopicPartition;

/// Partitions of one topic, each until it has ended or failed.
#[derive(Debug)]
pub(crate) struct Partitions {
    topic: String,
    /// By number: whether anything has come from it.
    open: BTreeMap<i32, bool>,
}

impl Partitions {
    /// Begins with these.
    pub(crate) fn new(topic: &str, partitions: impl Iterator<Item = i32>) -> Self {
        let open = partitions.map(|partition| (partition, false)).collect();
        Self { topic: topic.to_owned(), open }
    }

    /// Takes note that something has come from a partition; false where it is read no more.
    pub(crate) fn note(&mut self, partition: i32) -> bool {
        match self.open.get_mut(&partition) {
            Some(is_heard) => {
                *is_heard = true;
                true
            }
            None => false,
        }
    }

    /// Ends a partition; `None` where it had ended before.
    pub(crate) fn end(&mut self, partition: i32) -> Option<TopicPartition> {
        self.open.remove(&partition)?;
        Some(self.name(partition))
    }

    /// Tells whether none is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Returns those that are still read.
    pub(crate) fn open(&self) -> impl Iterator<Item = TopicPartition> {
        self.open.keys().map(|partition| self.name(*partition))
    }

    /// Returns those from which nothing has come.
    pub(crate) fn silent(&self) -> impl Iterator<Item = TopicPartition> {
        let silent = self.open.iter().filter(|(_, is_heard)| !**is_heard);
        silent.map(|(partition, _)| self.name(*partition))
    }

    fn name(&self, partition: i32) -> TopicPartition {
        TopicPartition::new(self.topic.as_str(), partition)
    }
}
