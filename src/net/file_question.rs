//! Answers of the log directories to questions for offsets and topics.

#![forbid(unsafe_code)]

use super::file_consumer::{FileConsumer, look_up, unknown};
use crate::error::Result;
use crate::fetch::reply::{OffsetAnswer, PartitionInfo, TopicInfo};
use crate::log::{LogTopic, PartitionReader};
use crate::topic::TopicName;
use crate::wire::Uuid;

impl FileConsumer {
    /// Looks offsets up: for each topic and partition, a time in ms or one of the constants of
    /// ListOffsets.
    pub(super) fn offsets(&self, asked: &[(TopicName, i32, i64)]) -> Vec<Result<OffsetAnswer>> {
        let answer = |(topic, partition, timestamp): &(TopicName, i32, i64)| {
            self.offset(topic.as_str(), *partition, *timestamp)
        };
        asked.iter().map(answer).collect()
    }

    fn offset(&self, topic: &str, partition: i32, timestamp: i64) -> Result<OffsetAnswer> {
        let Some(found) = self.dirs.partition(topic, partition)? else {
            return Err(unknown(topic, partition));
        };
        let mut reader = PartitionReader::open(&found, self.mode)?;
        let mut answer = OffsetAnswer { offset: -1, timestamp: -1, leader_epoch: -1 };
        if timestamp < 0 {
            answer.offset = look_up(&mut reader, timestamp)?;
        } else if let Some((offset, timestamp)) = reader.offset_for_time(timestamp)? {
            (answer.offset, answer.timestamp) = (offset, timestamp);
        }
        Ok(answer)
    }

    /// Describes topics, all of them where no names are given.
    pub(super) fn topics(&self, names: Option<&[String]>) -> Result<Vec<TopicInfo>> {
        let mut topics = self.dirs.topics()?;
        if let Some(names) = names {
            topics.retain(|topic| names.contains(&topic.name));
        }
        Ok(topics.into_iter().map(describe).collect())
    }
}

fn describe(topic: LogTopic) -> TopicInfo {
    let partition = |partition| PartitionInfo {
        partition,
        leader: -1,
        leader_epoch: -1,
        replicas: Vec::new(),
        in_sync_replicas: Vec::new(),
        racks: Vec::new(),
    };
    // Numbers have no gaps: what lies between two partitions that exist will exist.
    let count = topic.partitions.last().map_or(0, |last| last.saturating_add(1));
    TopicInfo {
        is_internal: topic.name.starts_with("__"),
        name: topic.name,
        topic_id: Uuid::default(),
        // Members get the other partitions; who gets this one is told by it.
        shared_count: topic.found_twice.as_ref().map(|_| count),
        partitions: match topic.found_twice {
            Some(error) => Err(error),
            None => Ok(topic.partitions.into_iter().map(partition).collect()),
        },
    }
}
