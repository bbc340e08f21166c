//! Answers to the application's questions, and the way back.

#![forbid(unsafe_code)]

use std::fmt;

use crate::error::{Error, Result};
use crate::protocol::list_offsets::ListOffsetsPartitionResponse;
use crate::wire::Uuid;

/// Takes one answer back to the thread that asked; called at most once, on the loop's thread.
pub struct Reply<T>(Box<dyn FnOnce(T) + Send>);

impl<T> Reply<T> {
    /// Makes the way back.
    pub fn new(send: impl FnOnce(T) + Send + 'static) -> Self {
        Self(Box::new(send))
    }

    /// Sends the answer.
    pub fn send(self, answer: T) {
        (self.0)(answer);
    }
}

impl<T> fmt::Debug for Reply<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reply")
    }
}

/// The way back of a question for offsets: an answer for each partition, in order.
pub type OffsetsReply = Reply<Vec<Result<OffsetAnswer, Error>>>;

/// The way back of a question for topics.
pub type TopicsReply = Reply<Result<Vec<TopicInfo>>>;

/// An offset that was looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetAnswer {
    /// The offset, −1 where there is none.
    pub offset: i64,
    /// The time stamp of its record in ms, −1 where the question was not for a time.
    pub timestamp: i64,
    /// The leader epoch of its record, −1 where it is not known.
    pub leader_epoch: i32,
}

impl OffsetAnswer {
    /// Takes the answer out of a response.
    pub fn of(partition: &ListOffsetsPartitionResponse) -> Self {
        Self {
            offset: partition.offset,
            timestamp: partition.timestamp,
            leader_epoch: partition.leader_epoch,
        }
    }
}

/// A topic as the cluster describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicInfo {
    /// The name.
    pub name: String,
    /// The topic's id, all zero where the cluster has none.
    pub topic_id: Uuid,
    /// Whether it is Kafka's own, such as `__consumer_offsets`.
    pub is_internal: bool,
    /// Its partitions by number, or why they cannot be told.
    pub partitions: Result<Vec<PartitionInfo>>,
    /// How many partitions a group shares although they cannot be told: what is wrong is wrong
    /// with one of them. None where that is not known, and where there is no error.
    pub(crate) shared_count: Option<i32>,
}

/// A partition as the cluster describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionInfo {
    /// The partition's number.
    pub partition: i32,
    /// The leader's node id, −1 while there is none.
    pub leader: i32,
    /// The leader's epoch, −1 where it is not known.
    pub leader_epoch: i32,
    /// Node ids of all replicas.
    pub replicas: Vec<i32>,
    /// Node ids of the replicas that are in sync.
    pub in_sync_replicas: Vec<i32>,
    /// Racks of the replicas' brokers, as far as these have one.
    pub racks: Vec<String>,
}
