//! The time, as the owner of a machine tells it.

#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

/// A moment, by the clock that never goes back and by the one that people read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// For timeouts.
    pub instant: Instant,
    /// Ms since the epoch, for what is written; it may jump.
    pub epoch_ms: i64,
}

impl Now {
    /// Returns the moment that lies `duration` later.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let later_ms = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self { instant: self.instant + duration, epoch_ms: self.epoch_ms.saturating_add(later_ms) }
    }
}
