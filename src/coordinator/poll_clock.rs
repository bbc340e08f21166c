//! When the application was last inside of a poll.

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The word for an application that is inside of a poll now.
const POLLING: u64 = u64::MAX;

/// Shared by the polling thread, which writes, and the engine's, which compares it with
/// `max.poll.interval.ms`.
#[derive(Debug)]
pub struct PollClock {
    base: Instant,
    /// Nanoseconds after `base` at which the last poll ended, or [`POLLING`].
    ended: AtomicU64,
}

impl PollClock {
    /// Makes the clock of an application that begins at `now`.
    pub fn new(now: Instant) -> Self {
        Self { base: now, ended: AtomicU64::new(0) }
    }

    /// Takes note that a poll has begun.
    pub fn begin_poll(&self) {
        self.ended.store(POLLING, Ordering::Relaxed);
    }

    /// Takes note that the poll has ended.
    pub fn end_poll(&self, now: Instant) {
        let since = now.saturating_duration_since(self.base).as_nanos();
        let since = u64::try_from(since).unwrap_or(POLLING).min(POLLING - 1);
        self.ended.store(since, Ordering::Relaxed);
    }

    /// Takes note that a call of the consumer calls the application back: a poll's time is the
    /// application's until that returns, as in Java. Returns what to end it with.
    pub fn begin_callback(&self, now: Instant) -> bool {
        let is_polling = self.outside_since().is_none();
        if is_polling {
            self.end_poll(now);
        }
        is_polling
    }

    /// Takes note that the application's code has returned.
    pub fn end_callback(&self, is_polling: bool) {
        if is_polling {
            self.begin_poll();
        }
    }

    /// Returns since when the application is outside of a poll; none while it is inside.
    pub fn outside_since(&self) -> Option<Instant> {
        match self.ended.load(Ordering::Relaxed) {
            POLLING => None,
            since => Some(self.base + Duration::from_nanos(since)),
        }
    }
}
