//! What a consumer shares with the loop that feeds it: how each wakes the other.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{fmt, io};

use super::feed_counters::FeedCounters;
use super::park::{Parker, Signal};
use super::wake::Event;

/// A loop's parker: the loop sleeps in `epoll_wait` and is woken through its own waker.
pub type LoopParker = Parker<LoopSignal>;

/// How the operating system wakes a loop.
pub type LoopSignal = Box<dyn Signal + Send + Sync>;

impl Signal for LoopSignal {
    fn signal(&self) {
        (**self).signal();
    }
}

/// The two ways to wake, and the word that says why the loop was woken.
pub struct Bridge {
    /// The application's thread, parked in `poll` or in its own event loop.
    application: Parker<Event>,
    /// The loop's parker; many consumers share it.
    feeder: Arc<LoopParker>,
    /// Whether the loop should look after this consumer: credit came back, or a ring has drained.
    attention: AtomicBool,
    /// Whether the loop is gone, which it is only after a defect.
    dead: AtomicBool,
    /// What the loop has done for this consumer.
    counters: FeedCounters,
}

impl Bridge {
    /// Makes the bridge to the loop that sleeps on `feeder`.
    ///
    /// # Errors
    ///
    /// What the operating system says when it cannot open one more descriptor.
    pub fn new(feeder: Arc<LoopParker>) -> io::Result<Arc<Self>> {
        let application = Parker::new(Event::new()?);
        let (attention, dead) = (AtomicBool::new(false), AtomicBool::new(false));
        let counters = FeedCounters::default();
        Ok(Arc::new(Self { application, feeder, attention, dead, counters }))
    }

    /// Returns the parker of the application's thread.
    pub fn application(&self) -> &Parker<Event> {
        &self.application
    }

    /// Returns what the loop has done for this consumer. The loop's thread counts, any reads.
    pub fn counters(&self) -> &FeedCounters {
        &self.counters
    }

    /// Asks the loop to look after this consumer. Any thread.
    pub fn call_feeder(&self) {
        self.attention.store(true, Ordering::Release);
        self.feeder.notify();
    }

    /// Says that nobody feeds this consumer any more. The loop's thread.
    pub fn set_dead(&self) {
        self.dead.store(true, Ordering::Release);
        self.application.notify();
    }

    /// Tells whether the loop is gone.
    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Acquire)
    }

    /// Tells whether a request of [`Bridge::call_feeder`] waits. The loop's thread.
    pub fn has_attention(&self) -> bool {
        self.attention.load(Ordering::Relaxed)
    }

    /// Takes the request of [`Bridge::call_feeder`]. The loop's thread.
    pub fn take_attention(&self) -> bool {
        self.attention.load(Ordering::Relaxed) && self.attention.swap(false, Ordering::Acquire)
    }
}

impl fmt::Debug for Bridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bridge").field("attention", &self.attention).finish_non_exhaustive()
    }
}
