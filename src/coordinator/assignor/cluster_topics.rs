//! The topics of a cluster, as far as an assignor needs them.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::topic::TopicName;

/// How many partitions topics have, and in which racks their replicas are.
#[derive(Clone, Debug, Default)]
pub struct ClusterTopics {
    topics: BTreeMap<TopicName, Topic>,
}

#[derive(Clone, Debug)]
struct Topic {
    partition_count: i32,
    /// For each partition the racks of its replicas; shorter than the count where none is known.
    racks: Vec<Vec<Arc<str>>>,
}

impl ClusterTopics {
    /// Makes a cluster without topics.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a topic with partitions 0 to `partition_count`, in the place of one of this name.
    pub fn insert(&mut self, topic: TopicName, partition_count: i32) {
        self.topics.insert(topic, Topic { partition_count, racks: Vec::new() });
    }

    /// Adds a topic with the racks of each partition's replicas (KIP-881), in any order; empty
    /// where no broker of a partition has a rack.
    pub fn insert_with_racks(&mut self, topic: TopicName, racks: Vec<Vec<Arc<str>>>) {
        let partition_count = i32::try_from(racks.len()).unwrap_or(i32::MAX);
        self.topics.insert(topic, Topic { partition_count, racks });
    }

    /// Returns the topics, ascending, with how many partitions they have.
    pub fn iter(&self) -> impl Iterator<Item = (&TopicName, i32)> {
        self.topics.iter().map(|(name, topic)| (name, topic.partition_count))
    }

    /// Returns how many partitions a topic has; none if there is no such topic.
    pub fn partition_count(&self, topic: &str) -> Option<i32> {
        self.find(topic).map(|topic| topic.partition_count)
    }

    /// Returns the racks of a partition's replicas, empty where none is known.
    pub fn racks(&self, topic: &str, partition: i32) -> &[Arc<str>] {
        let racks = self.find(topic).zip(usize::try_from(partition).ok());
        racks.and_then(|(topic, partition)| topic.racks.get(partition)).map_or(&[], Vec::as_slice)
    }

    /// Tells whether the topic exists and has the partition.
    pub fn has(&self, topic: &str, partition: i32) -> bool {
        self.partition_count(topic).is_some_and(|count| (0..count).contains(&partition))
    }

    fn find(&self, topic: &str) -> Option<&Topic> {
        self.topics.get(topic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_exist_has_no_partitions_and_no_racks() {
        let mut cluster = ClusterTopics::new();
        cluster.insert(TopicName::new("plain"), 2);
        cluster.insert_with_racks(TopicName::new("racked"), vec![vec!["a".into()], Vec::new()]);
        assert_eq!(cluster.partition_count("absent"), None);
        assert!(cluster.has("plain", 1) && !cluster.has("plain", 2) && !cluster.has("plain", -1));
        assert_eq!(cluster.racks("racked", 0), ["a".into()]);
        for (topic, partition) in [("racked", 1), ("racked", 2), ("racked", -1), ("plain", 0)] {
            assert!(cluster.racks(topic, partition).is_empty(), "{topic}-{partition}");
        }
    }
}
