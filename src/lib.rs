//! A Kafka fetch engine in a library.
//!
//! kfetch takes record batches from Apache Kafka brokers, or straight from Kafka's log segment
//! files, and hands them out in bulk: no lock, no copy and no allocation per record.
//!
//! # Layers
//!
//! Imports go from right to left only, never between two modules that a `|` parts:
//!
//! `sync, error, topic, logger ← buffer ← wire ← record | protocol ← log | ring ← fetch ← net ←
//! client ← ffi | cli`

pub mod buffer;
#[cfg(not(loom))]
pub mod client;
pub mod error;
#[cfg(not(loom))]
pub mod fetch;
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
mod sync;

#[cfg(not(loom))]
pub use client::{
    Config, Consumer, Engine, EventKind, Offset, PartitionEvent, PollLimits, Record, Records,
    WakeupHandle,
};
pub use error::{Error, ErrorKind, Result};
#[cfg(not(loom))]
pub use log::{LogWriter, LogWriterOptions};
pub use logger::Logger;
pub use topic::TopicPartition;
