//! A Kafka fetch engine in a library.
//!
//! kfetch takes record batches from Apache Kafka brokers, or straight from Kafka's log segment
//! files, and hands them out in bulk: no lock, no copy and no allocation per record.
//!
//! # Layers
//!
//! Imports go from right to left only, never between two modules that a `|` parts:
//!
//! `sync, error, topic, logger ← buffer ← wire ← record | protocol ← log | ring ← fetch ← net ← client ← ffi | cli`

pub mod buffer;
pub mod client;
pub mod error;
#[cfg(not(loom))]
pub mod fetch;
pub mod protocol;
pub mod record;
pub mod ring;
pub mod topic;
pub mod wire;

mod logger;
mod sync;

pub use error::{Error, ErrorKind, Result};
pub use logger::Logger;
pub use topic::TopicPartition;
