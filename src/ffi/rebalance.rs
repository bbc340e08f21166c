//! The rebalance callback.

use std::ffi::{CString, c_void};
use std::fmt;

use super::consumer::{call, kfetch_consumer};
use super::error::kfetch_error;
use super::guard::guard;
use super::partition::{kfetch_topic_partition, named};
use super::status::kfetch_status;
use crate::client::{Consumer, RebalanceListener};
use crate::topic::TopicPartition;

/// What becomes of partitions in a rebalance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum kfetch_rebalance_event {
    /// When they are new, at the end of a rebalance, also when there are none. They begin where the
    /// group has committed, unless the callback seeks.
    Assigned = 1,
    /// When they go to others: nothing of them is delivered any more, and a commit is the last
    /// chance to say how far they were processed.
    Revoked = 2,
    /// When they may be others' already: nothing can be committed for them.
    Lost = 3,
}

/// Takes what becomes of partitions, which end with the call as their names do, and `opaque` as it
/// was set. The group waits for it, up to `max.poll.interval.ms`; heartbeats go on meanwhile.
///
/// Inside of it, calls on the same handle may commit, ask for committed offsets and positions,
/// seek, pause and resume; poll, subscribe, unsubscribe, assign and close are
/// `KFETCH_STATUS_STATE`, and free does nothing. It must not throw.
///
/// # Threads
///
/// Called on the application's thread inside poll, close or a synchronous commit; poll, subscribe
/// and close answer with a status there.
pub type kfetch_rebalance_callback = Option<
    unsafe extern "C-unwind" fn(
        consumer: *mut kfetch_consumer,
        event: kfetch_rebalance_event,
        partitions: *const kfetch_topic_partition,
        count: usize,
        opaque: *mut c_void,
    ),
>;

/// Puts a callback in the place of the one before; NULL takes it away. `opaque` is passed to it
/// and not touched. From inside of a callback it is `KFETCH_STATUS_STATE`.
///
/// # Safety
///
/// The callback and what `opaque` points to stay valid until another is set or the consumer has
/// been freed; `error_out` is NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_set_rebalance_callback(
    consumer: *mut kfetch_consumer,
    callback: kfetch_rebalance_callback,
    opaque: *mut c_void,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        let listener = callback.map(|callback| {
            Box::new(Listener { handle: consumer, callback, opaque }) as Box<dyn RebalanceListener>
        });
        // SAFETY: as the caller promises.
        unsafe { call(consumer, |consumer| Ok(consumer.set_rebalance_listener(listener)?)) }
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// A callback as the consumer knows it, whose part it is.
struct Listener {
    handle: *mut kfetch_consumer,
    callback: unsafe extern "C-unwind" fn(
        *mut kfetch_consumer,
        kfetch_rebalance_event,
        *const kfetch_topic_partition,
        usize,
        *mut c_void,
    ),
    opaque: *mut c_void,
}

// SAFETY: it is used inside of calls on the handle alone, whose thread is the caller's choice.
unsafe impl Send for Listener {}

impl Listener {
    fn run(
        &self,
        consumer: &mut Consumer,
        event: kfetch_rebalance_event,
        partitions: &[TopicPartition],
    ) {
        let (items, _names): (Vec<kfetch_topic_partition>, Vec<CString>) = named(partitions);
        // SAFETY: a call on the handle is running, under which it is not freed.
        let handle = unsafe { &*self.handle };
        let callback = || {
            // SAFETY: it is valid as the caller promised who set it.
            unsafe { (self.callback)(self.handle, event, items.as_ptr(), items.len(), self.opaque) }
        };
        handle.lend(consumer, callback);
    }
}

impl RebalanceListener for Listener {
    fn assigned(&mut self, consumer: &mut Consumer, partitions: &[TopicPartition]) {
        self.run(consumer, kfetch_rebalance_event::Assigned, partitions);
    }

    fn revoked(&mut self, consumer: &mut Consumer, partitions: &[TopicPartition]) {
        self.run(consumer, kfetch_rebalance_event::Revoked, partitions);
    }

    fn lost(&mut self, consumer: &mut Consumer, partitions: &[TopicPartition]) {
        self.run(consumer, kfetch_rebalance_event::Lost, partitions);
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").finish_non_exhaustive()
    }
}
