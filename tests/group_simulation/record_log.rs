//! The partitions of a world: their names, and their logs as far as offsets and leader epochs go.

use kfetch::topic::TopicName;

/// The topics; partitions are dealt out to them in turn.
pub(crate) const TOPICS: [&str; 2] = ["t", "u"];

/// Returns the topic of a partition and its number there; everywhere else in the simulation a
/// partition is one number.
pub(crate) fn place(partition: i32) -> (&'static str, i32) {
    let topics = i32::try_from(TOPICS.len()).unwrap();
    (TOPICS[index(partition % topics)], partition / topics)
}

/// Returns the simulation's number of a topic's partition.
pub(crate) fn number(topic: &str, partition: i32) -> i32 {
    let topics = i32::try_from(TOPICS.len()).unwrap();
    let place = TOPICS.iter().position(|one| *one == topic).unwrap();
    partition * topics + i32::try_from(place).unwrap()
}

pub(crate) fn topic_name(partition: i32) -> (TopicName, i32) {
    let (topic, partition) = place(partition);
    (TopicName::new(topic), partition)
}

/// Returns how many partitions the topic has, of as many as this in all.
pub(crate) fn partition_count(topic: &str, all: usize) -> i32 {
    let all = i32::try_from(all).unwrap();
    let own = (0..all).filter(|partition| place(*partition).0 == topic).count();
    i32::try_from(own).unwrap()
}

pub(crate) fn index(partition: i32) -> usize {
    usize::try_from(partition).unwrap()
}

/// A partition's log: only where it ends, and which leader wrote what.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecordLog {
    pub(crate) end: i64,
    /// From which offset on each leader after the first wrote, with its epoch; both grow.
    leaders: Vec<(i64, i32)>,
}

impl RecordLog {
    /// Another broker leads from now on.
    pub(crate) fn lead(&mut self, epoch: i32) {
        self.leaders.push((self.end, epoch));
    }

    /// Returns the epoch of the last leader.
    pub(crate) fn last_epoch(&self) -> i32 {
        self.leaders.last().map_or(0, |(_, epoch)| *epoch)
    }

    /// Returns the epoch of the leader that wrote the record at `offset`.
    pub(crate) fn epoch_of(&self, offset: i64) -> i32 {
        let leader = self.leaders.iter().rfind(|(from, _)| *from <= offset);
        leader.map_or(0, |(_, epoch)| *epoch)
    }

    /// Returns where the records from `offset` on are another leader's, or the end.
    pub(crate) fn epoch_end(&self, offset: i64) -> i64 {
        let next = self.leaders.iter().find(|(from, _)| *from > offset);
        next.map_or(self.end, |(from, _)| *from)
    }
}
