//! The offsets that groups have committed, in memory.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;

/// A committed offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The offset of the next record to process, ≥ 0.
    pub offset: i64,
    /// The leader epoch of the last record processed, −1 for unknown.
    pub leader_epoch: i32,
    /// What the client wanted to be kept along with the offset, empty for nothing.
    pub metadata: String,
    /// When it was committed, in ms since the epoch.
    pub commit_timestamp_ms: i64,
    /// When it expires whatever the group does, in ms since the epoch: brokers before 2.1 wrote
    /// that.
    pub expire_timestamp_ms: Option<i64>,
}

/// The offsets of one group, by topic and partition.
pub type GroupOffsets = BTreeMap<String, BTreeMap<i32, CommittedOffset>>;

/// A change of one offset, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetRecord {
    /// The group.
    pub group: String,
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The new offset, `None` where the partition has none any more.
    pub committed: Option<CommittedOffset>,
}

/// The offsets of all groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offsets {
    groups: BTreeMap<String, GroupOffsets>,
}

impl Offsets {
    /// Applies a change.
    pub fn apply(&mut self, record: OffsetRecord) {
        let OffsetRecord { group, topic, partition, committed } = record;
        if let Some(committed) = committed {
            let topics = self.groups.entry(group).or_default();
            topics.entry(topic).or_default().insert(partition, committed);
            return;
        }
        let Some(topics) = self.groups.get_mut(&group) else { return };
        if let Some(partitions) = topics.get_mut(&topic) {
            partitions.remove(&partition);
            if partitions.is_empty() {
                topics.remove(&topic);
            }
        }
        if topics.is_empty() {
            self.groups.remove(&group);
        }
    }

    /// Returns the offset of a partition.
    pub fn committed(&self, group: &str, topic: &str, partition: i32) -> Option<&CommittedOffset> {
        self.groups.get(group)?.get(topic)?.get(&partition)
    }

    /// Returns the offsets of a group, `None` where it has none.
    pub fn group(&self, group: &str) -> Option<&GroupOffsets> {
        self.groups.get(group)
    }

    /// Returns the groups that have offsets, by name.
    pub fn groups(&self) -> impl Iterator<Item = (&str, &GroupOffsets)> {
        self.groups.iter().map(|(group, offsets)| (group.as_str(), offsets))
    }

    /// Returns the groups' offsets by themselves.
    pub fn into_groups(self) -> BTreeMap<String, GroupOffsets> {
        self.groups
    }
}
