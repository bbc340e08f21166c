//! A Kafka fetch engine in a library.
//!
//! kfetch takes record batches from Apache Kafka brokers, or straight from Kafka's log segment
//! files, and hands them out in bulk: no lock, no copy and no allocation per record.
//!
//! # Layers
//!
//! Imports go from right to left only, never between two modules that a `|` parts:
//!
//! `sync, error, topic, logger, backoff ← buffer ← wire ← record | protocol ← log | ring ←
//! fetch | coordinator | embedded ← net ← client ← ffi | cli`

pub mod backoff;
pub mod buffer;
#[cfg(not(loom))]
pub mod client;
#[cfg(not(loom))]
pub mod coordinator;
#[cfg(not(loom))]
pub mod embedded;
pub mod error;
#[cfg(not(loom))]
pub mod fetch;
#[cfg(not(loom))]
pub mod ffi;
#[cfg(not(loom))]
pub mod log;
#[cfg(not(loom))]
pub mod net;
pub mod protocol;
pub mod record;
pub mod ring;
pub mod topic;
pub mod wire;

mod logger;
mod nearest;
mod sync;

#[cfg(not(loom))]
pub use client::{
    CommitCallback, Config, Consumer, Engine, EventKind, GroupMembershipOperation, GroupMetadata,
    Offset, PartitionEvent, PollLimits, RebalanceListener, Record, Records, Stats, WakeupHandle,
};
#[cfg(not(loom))]
pub use coordinator::notice::Committed as OffsetAndMetadata;
#[cfg(not(loom))]
pub use coordinator::question::{GroupDescription, GroupListing, GroupMember};
pub use error::{Error, ErrorKind, Result};
#[cfg(not(loom))]
pub use log::{LogWriter, LogWriterOptions};
pub use logger::Logger;
pub use topic::TopicPartition;
