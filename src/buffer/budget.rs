//! The memory budget of one consumer: bytes go out with a block and come back as credit.
//!
//! Whole blocks are counted, since a small slice pins its block. Charging happens on the thread
//! that makes a block (engine, file thread, or the polling thread for an inflated batch), credit
//! comes back on whichever thread drops the last slice. A producer that found no credit leaves a
//! mark with [`Budget::want`]; whoever brings enough back calls the wake-up that the budget was
//! made with, once, and not before a quarter of the budget has come back, so that an application
//! that frees a thousand small handles causes four wake-ups rather than a thousand.

#![forbid(unsafe_code)]

use std::fmt;

use crossbeam::utils::CachePadded;

use crate::sync::{Arc, AtomicBool, AtomicUsize, Ordering, fence};

/// `wake_at` where no producer waits: `used` is never this large.
const NOBODY_WAITS: usize = usize::MAX;

/// A consumer's limit of bytes received, inflated and held by the application, with their count.
pub struct Budget {
    /// In bytes; fixed.
    limit: usize,
    /// Charged bytes; above `limit` only by what [`Charge::overdrawn`] took.
    used: CachePadded<AtomicUsize>,
    /// Charged bytes of blocks of which the application holds a slice.
    held: AtomicUsize,
    /// The level of `used` at or below which the producer is to be woken; [`NOBODY_WAITS`] else.
    /// Written by the producer, taken back by whoever wakes it.
    wake_at: AtomicUsize,
    /// Bytes that the waiting producer needs at once; stale when nobody waits.
    wanted: AtomicUsize,
    /// Whether the producer is finishing a batch on overdrawn credit, so that data will still come.
    overdrawing: AtomicBool,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Budget {
    /// Makes a budget of `limit` bytes; `wake` is called on the thread that returned the credit
    /// which a producer waits for, and must neither block nor call back.
    pub fn new(limit: usize, wake: Box<dyn Fn() + Send + Sync>) -> Arc<Self> {
        Arc::new(Self {
            limit,
            used: CachePadded::new(AtomicUsize::new(0)),
            held: AtomicUsize::new(0),
            wake_at: AtomicUsize::new(NOBODY_WAITS),
            wanted: AtomicUsize::new(0),
            overdrawing: AtomicBool::new(false),
            wake,
        })
    }

    /// Leaves word that the producer waits until `bytes` are free, and tells whether it has to:
    /// false means that they are free by now, and no wake-up will come.
    ///
    /// # Threads
    ///
    /// The producer's.
    pub fn want(&self, bytes: usize) -> bool {
        self.wanted.store(bytes, Ordering::Relaxed);
        let used = self.used.load(Ordering::Relaxed);
        let fits_at = self.limit.saturating_sub(bytes);
        let wake_at = fits_at.min(used.saturating_sub(self.limit / 4));
        self.wake_at.store(wake_at, Ordering::Relaxed);
        // Pairs with the fence of `credit`: either this load sees the credit, or `credit` sees
        // the mark.
        fence(Ordering::SeqCst);
        if self.used.load(Ordering::Relaxed) > fits_at {
            return true;
        }
        self.wake_at.swap(NOBODY_WAITS, Ordering::Relaxed) == NOBODY_WAITS
    }

    /// Takes back the word that [`Budget::want`] left.
    pub fn stop_wanting(&self) {
        self.wake_at.store(NOBODY_WAITS, Ordering::Relaxed);
    }

    /// Says whether the producer is finishing a batch on overdrawn credit.
    pub fn set_overdrawing(&self, overdrawing: bool) {
        self.overdrawing.store(overdrawing, Ordering::Release);
    }

    /// Wakes a producer that waits, however little has come back: a poll is about to wait for data
    /// that only the producer can bring.
    pub fn nudge(&self) {
        if self.is_wanted() && self.wake_at.swap(NOBODY_WAITS, Ordering::AcqRel) != NOBODY_WAITS {
            (self.wake)();
        }
    }

    /// Tells whether a producer waits for credit.
    pub fn is_wanted(&self) -> bool {
        self.wake_at.load(Ordering::Acquire) != NOBODY_WAITS
    }

    /// Tells whether a producer waits for credit that is not free.
    pub fn is_exhausted(&self) -> bool {
        self.is_wanted() && self.free() < self.wanted.load(Ordering::Relaxed)
    }

    /// Tells whether a producer waits for credit which only the application can bring back: its
    /// handles hold so much that even an otherwise empty budget would not have it, and nothing is
    /// under way on overdrawn credit.
    pub fn is_held(&self) -> bool {
        let wanted = self.wanted.load(Ordering::Relaxed);
        self.is_wanted()
            && !self.overdrawing.load(Ordering::Acquire)
            && self.held() + wanted > self.limit
    }

    /// Returns the limit in bytes.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Returns the bytes charged now.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Returns the bytes of blocks that the application pins.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Returns the bytes that can still be charged.
    pub fn free(&self) -> usize {
        self.limit.saturating_sub(self.used())
    }

    fn credit(&self, bytes: usize) {
        let before = self.used.fetch_sub(bytes, Ordering::Release);
        let after = before.saturating_sub(bytes);
        fence(Ordering::SeqCst);
        let wake_at = self.wake_at.load(Ordering::Relaxed);
        if wake_at != NOBODY_WAITS
            && after <= wake_at
            && self.wake_at.swap(NOBODY_WAITS, Ordering::AcqRel) != NOBODY_WAITS
        {
            (self.wake)();
        }
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget")
            .field("limit", &self.limit)
            .field("used", &self.used())
            .field("held", &self.held())
            .finish_non_exhaustive()
    }
}

/// Bytes charged to a budget; dropping it gives them back.
#[derive(Debug)]
pub struct Charge {
    budget: Arc<Budget>,
    bytes: usize,
    /// Slices that the application holds; the bytes count as held while there are any.
    held_slices: AtomicUsize,
}

impl Charge {
    /// Charges `bytes` if they fit into the budget, else nothing.
    pub fn try_new(budget: &Arc<Budget>, bytes: usize) -> Option<Self> {
        let mut used = budget.used.load(Ordering::Relaxed);
        loop {
            let after = used.checked_add(bytes).filter(|after| *after <= budget.limit)?;
            let exchange = budget.used.compare_exchange_weak(
                used,
                after,
                Ordering::Acquire,
                Ordering::Relaxed,
            );
            match exchange {
                Ok(_) => return Some(Self::new(budget, bytes)),
                Err(now) => used = now,
            }
        }
    }

    /// Charges `bytes` whether they fit or not, to finish one batch that could not go on else.
    ///
    /// The caller sees to it that only one such charge of a budget's producer is out at a time.
    pub fn overdrawn(budget: &Arc<Budget>, bytes: usize) -> Self {
        budget.used.fetch_add(bytes, Ordering::Acquire);
        Self::new(budget, bytes)
    }

    fn new(budget: &Arc<Budget>, bytes: usize) -> Self {
        Self { budget: Arc::clone(budget), bytes, held_slices: AtomicUsize::new(0) }
    }

    /// Counts one more slice that the application holds.
    pub fn hold(&self) {
        if self.held_slices.fetch_add(1, Ordering::Relaxed) == 0 {
            self.budget.held.fetch_add(self.bytes, Ordering::Relaxed);
        }
    }

    /// Counts one of them less.
    pub fn let_go(&self) {
        if self.held_slices.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.budget.held.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.credit(self.bytes);
    }
}
