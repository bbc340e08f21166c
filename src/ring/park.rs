//! Sleeping and waking without a lost wake-up and without a system call while nobody sleeps.
//!
//! The sleeper arms, looks once more at everything it waits for, and only then sleeps. A waker
//! makes its news visible, then looks whether the sleeper is armed. Both put a sequentially
//! consistent fence between the two steps, so at least one of them sees the other: either the
//! second look finds the news, or the waker finds the sleeper armed and signals. Fences rather
//! than SeqCst accesses, since those are what loom models.
//!
//! The same protocol serves an application parked in `poll` and a loop parked in `epoll_wait`;
//! they differ in the signal alone.

#![forbid(unsafe_code)]

use std::fmt;

use crossbeam::utils::CachePadded;

use crate::sync::{AtomicBool, Ordering, fence};

/// How a sleeper is reached by the operating system.
pub trait Signal {
    /// Makes the sleeper's wait return, now or when it begins. Any thread; a signal handler too.
    fn signal(&self);
}

/// The flag that says whether somebody sleeps or is about to.
pub struct Parker<S> {
    armed: CachePadded<AtomicBool>,
    signal: S,
}

impl<S> fmt::Debug for Parker<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parker").field("armed", &self.armed).finish_non_exhaustive()
    }
}

impl<S: Signal> Parker<S> {
    /// Makes a parker that nobody waits on.
    pub fn new(signal: S) -> Self {
        Self { armed: CachePadded::new(AtomicBool::new(false)), signal }
    }

    /// Says that the caller is about to sleep: it must look at everything it waits for once more
    /// before it does.
    ///
    /// # Threads
    ///
    /// The sleeper's.
    #[inline]
    pub fn arm(&self) {
        self.armed.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// Says that the caller does not sleep after all, or no longer.
    #[inline]
    pub fn disarm(&self) {
        self.armed.store(false, Ordering::Relaxed);
    }

    /// Wakes the sleeper if there is one, after the caller has made visible what for.
    ///
    /// # Threads
    ///
    /// Any thread.
    #[inline]
    pub fn notify(&self) {
        fence(Ordering::SeqCst);
        if self.armed.load(Ordering::Relaxed) && self.armed.swap(false, Ordering::AcqRel) {
            self.signal.signal();
        }
    }

    /// Returns the signal, to wait on it.
    pub fn signal(&self) -> &S {
        &self.signal
    }
}
