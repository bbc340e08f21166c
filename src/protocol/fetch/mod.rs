//! Fetch: records of partitions (KIP-74, KIP-98, KIP-227, KIP-320, KIP-392, KIP-516, KIP-951).
//!
//! [`FetchRequest`] and [`FetchResponse`] are the whole messages, both directions. An engine that
//! fetches does not wait for a whole response: it reads it by a [`FetchDecoder`] as it arrives.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod decoder;
mod request;
mod response;

pub use decoder::{
    BadBatch, FetchDecodeError, FetchDecoder, FetchHeader, PartitionHeader, RecordsHeader, Step,
    TopicRef,
};
pub use request::{FetchPartition, FetchRequest, FetchTopic, ForgottenTopic, ReplicaState};
pub use response::{
    AbortedTransaction, EpochEndOffset, FetchResponse, FetchableTopicResponse, LeaderIdAndEpoch,
    NodeEndpoint, PartitionData, PartitionTail, SnapshotId,
};
