//! Statistics, pulled by the application.

use super::records::Parts;

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
