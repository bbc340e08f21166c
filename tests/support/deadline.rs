//! Waiting for what sends no event: a file that another process writes, a state in `/proc`.

use std::time::{Duration, Instant};

const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Looks again and again until `condition` holds.
///
/// # Panics
///
/// When it does not hold within `limit`; the message names `what`.
pub(crate) fn wait_until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    let started = now();
    while !condition() {
        assert!(started.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::park_timeout(LOOK_EVERY);
    }
}

/// Tells the time to a test that measures or bounds another process.
#[allow(clippy::disallowed_methods, reason = "another process runs in real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
