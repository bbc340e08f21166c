//! Which partitions have moved while a division is searched for.

#![forbid(unsafe_code)]

use std::collections::HashMap;

use super::super::java_order::{PartitionSet, string_hash};
use super::super::numbered::Numbered;

/// Java's `PartitionMovements`: it sees to it that two members do not swap partitions of one
/// topic. Where a partition is to go from one to the other and another one has come the opposite
/// way, that one goes back instead.
#[derive(Debug)]
pub(super) struct Movements<'a> {
    group: &'a Numbered<'a>,
    /// For each partition that is not where it was: where that was, and where it is.
    moved: HashMap<usize, (usize, usize)>,
    /// The partitions of a topic that went from one member to another.
    between: HashMap<(usize, usize, usize), PartitionSet>,
}

impl<'a> Movements<'a> {
    /// Begins with everything in its place.
    pub(super) fn new(group: &'a Numbered<'a>) -> Self {
        Self { group, moved: HashMap::new(), between: HashMap::new() }
    }

    /// Returns which partition of the same topic is to move to a member in the place of one that
    /// `owner` has.
    pub(super) fn instead(&self, partition: usize, owner: usize, member: usize) -> usize {
        let topic = self.group.topic_of[partition];
        let origin = self.moved.get(&partition).map_or(owner, |(origin, _)| *origin);
        let opposite = self.between.get(&(topic, member, origin)).and_then(PartitionSet::first);
        let name = self.group.topics[topic].name.as_str();
        opposite.and_then(|back| self.group.partition(name, back)).unwrap_or(partition)
    }

    /// Takes note of a move.
    pub(super) fn record(&mut self, partition: usize, owner: usize, member: usize) {
        let topic = self.group.topic_of[partition];
        let number = self.group.within_topic(partition);
        let mut origin = owner;
        if let Some((from, to)) = self.moved.remove(&partition) {
            let key = (topic, from, to);
            if let Some(set) = self.between.get_mut(&key) {
                set.remove(number);
                if set.is_empty() {
                    self.between.remove(&key);
                }
            }
            if from == member {
                return;
            }
            origin = from;
        }
        self.moved.insert(partition, (origin, member));
        let name = self.group.topics[topic].name.as_str();
        let set = self.between.entry((topic, origin, member));
        set.or_insert_with(|| PartitionSet::new(string_hash(name))).insert(number);
    }
}
