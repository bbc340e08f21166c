//! The consumer as an application meets it: configuration, assignment, poll.
//!
//! Everything here runs on the application's threads. It does no IO of its own beside reading a
//! configuration file; sockets and log segments belong to the layers below.

#![forbid(unsafe_code)]

mod assignment;
pub mod config;
mod consumer;
mod engine;
mod group;
mod inflate;
mod offsets;
mod partition;
mod poll;
mod records;
mod settings;
mod stats;

pub use assignment::Offset;
pub use config::Config;
pub use consumer::{Consumer, WakeupHandle};
pub use engine::Engine;
pub use group::{CommitCallback, GroupMembershipOperation, GroupMetadata, RebalanceListener};
pub use offsets::{OffsetAndTimestamp, Watermarks};
pub use poll::PollLimits;
pub use records::{EventKind, Iter, PartitionEvent, PartitionRun, Record, Records};
pub use stats::Stats;
