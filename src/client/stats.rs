//! Statistics, pulled by the application.

#![forbid(unsafe_code)]

use super::consumer::Consumer;
use super::records::Parts;

/// What a consumer has done since it was made, and what it holds now.
///
/// The numbers are read one after the other while other threads go on, so that they need not fit
/// together to the last byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Polls begun.
    pub polls: u64,
    /// Records returned by them.
    pub records: u64,
    /// Events returned by them.
    pub events: u64,
    /// Fetch requests sent, or reads of segment files.
    pub fetches: u64,
    /// Bytes received in answers to Fetch, or taken from segment files.
    pub received_bytes: u64,
    /// Bytes of whole batches, verified and handed over to the polls.
    pub delivered_bytes: u64,
    /// Runs of batches handed over to the polls; a run is what lies together in memory.
    pub delivered_runs: u64,
    /// Batches that were damaged when they came, whether or not another read mended them.
    pub damaged_batches: u64,
    /// Connections opened for fetching.
    pub connections_opened: u64,
    /// Connections for fetching that were lost or given up.
    pub connections_lost: u64,
    /// How often reading stopped because the memory budget had no room.
    pub credit_waits: u64,
    /// Partitions that are assigned now.
    pub assigned_partitions: u64,
    /// Partitions that are paused now.
    pub paused_partitions: u64,
    /// The memory budget (`kfetch.memory.max.bytes`).
    pub memory_limit_bytes: u64,
    /// How much of it is in use.
    pub memory_used_bytes: u64,
    /// How much of that is pinned by records that the application has not freed.
    pub memory_held_bytes: u64,
}

/// What the polling thread counts.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) polls: u64,
    pub(super) records: u64,
    pub(super) events: u64,
}

impl Counters {
    pub(super) fn count(&mut self, parts: &Parts) {
        self.records += parts.descriptors.len() as u64;
        self.events += parts.events.len() as u64;
    }
}

impl Consumer {
    /// Returns the statistics; costs some loads and a look at each partition.
    pub fn stats(&self) -> Stats {
        let feed = self.bridge.counters();
        let paused = self.partitions.iter().filter(|(_, partition)| partition.paused).count();
        Stats {
            polls: self.counters.polls,
            records: self.counters.records,
            events: self.counters.events,
            fetches: feed.fetches.value(),
            received_bytes: feed.received_bytes.value(),
            delivered_bytes: feed.delivered_bytes.value(),
            delivered_runs: feed.delivered_runs.value(),
            damaged_batches: feed.damaged_batches.value(),
            connections_opened: feed.connections_opened.value(),
            connections_lost: feed.connections_lost.value(),
            credit_waits: feed.credit_waits.value(),
            assigned_partitions: self.partitions.len() as u64,
            paused_partitions: paused as u64,
            memory_limit_bytes: self.budget.limit() as u64,
            memory_used_bytes: self.budget.used() as u64,
            memory_held_bytes: self.budget.held() as u64,
        }
    }
}
