//! What a loop counts of what it does for one consumer.

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that one thread counts and any thread reads; a reader may be a little late.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds to the number. Only the loop's thread counts, so this needs no locked instruction.
    pub fn add(&self, more: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
    }

    /// Returns the number.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a loop has done for a consumer since it was made.
#[derive(Debug, Default)]
pub struct FeedCounters {
    /// Fetch requests sent, or reads of segment files.
    pub fetches: Counter,
    /// Bytes received in answers to Fetch, or taken from segment files.
    pub received_bytes: Counter,
    /// Bytes of whole batches, verified and handed over.
    pub delivered_bytes: Counter,
    /// Runs of batches handed over.
    pub delivered_runs: Counter,
    /// Batches that were damaged when they came, whether or not another read mended them.
    pub damaged_batches: Counter,
    /// Connections opened for fetching.
    pub connections_opened: Counter,
    /// Connections lost or given up.
    pub connections_lost: Counter,
    /// How often reading stopped for want of credit.
    pub credit_waits: Counter,
}
