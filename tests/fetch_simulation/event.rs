//! What happened in a simulated world, as the checker reads it and a failure prints it.

use std::fmt;

use kfetch::ErrorKind;

/// One thing that happened. A partition is named by its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// When the application assigned a partition or sought in it: what was fetched before is void.
    Positioned { place: usize, offset: Option<i64> },
    /// When the application let a partition go.
    Unassigned { place: usize },
    /// When the application got batches, by their hashes.
    Run { place: usize, from: i64, next: i64, hashes: Vec<u64> },
    /// When the application got a position that was looked up.
    Started { place: usize, offset: i64 },
    /// When the application got a position for one that was out of range.
    Reset { place: usize, from: i64, to: i64 },
    /// When the application was told of the partition's end.
    Ended { place: usize, offset: i64 },
    /// When the application was told of a failure.
    Failed { place: usize, offset: i64, kind: ErrorKind, sticky: bool },
    /// When a broker was given one more batch.
    Grown { place: usize },
    /// When retention deleted what is below.
    Trimmed { place: usize, start: i64 },
    /// When a bit of a batch rotted away.
    Rotten { place: usize, base: i64 },
    /// When a broker answered a look-up.
    Told { place: usize, offset: i64 },
    /// When a broker gave an error that only a seek heals.
    Refused { place: usize },
    /// When the engine sent a Fetch; a partition's life ends with what makes its fetches void.
    Requested { connection: u64, broker: usize, parts: Vec<(usize, u64)> },
    /// When the answer to a connection's oldest Fetch began to be read.
    Answering { connection: u64 },
    /// When a connection was closed.
    Closed { connection: u64 },
    /// When the budget was looked at.
    Memory { used: usize },
    /// When something went wrong by intent, in words.
    Fault(String),
    /// When the faults ended: everything is to be delivered soon.
    Healed,
    /// When the world ended.
    Finished,
}

/// Something that must not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation(pub(crate) String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
