//! A Kafka fetch engine in a library.
//!
//! kfetch takes record batches from Apache Kafka brokers, or straight from Kafka's log segment
//! files, and hands them out in bulk: no lock, no copy and no allocation per record.
//!
//! # Layers
//!
//! Imports go from right to left only, never between two modules that a `|` parts:
//!
//! `sync, error ← buffer ← wire ← record | protocol ← log | ring ← fetch ← net ← client ← ffi | cli`

pub mod buffer;
pub mod client;
pub mod error;
pub mod protocol;
pub mod record;
pub mod wire;

mod sync;

pub use error::{Error, ErrorKind, Result};
