//! A partition's lane: its ring, made on first data, and the few words both threads share.
//!
//! The producing thread (engine, file thread) holds a [`LaneProducer`], the polling thread an
//! `Arc<Lane>` and, once there was data, the ring's [`Consumer`]. Slots that do not fit into the
//! ring wait in the producer's queue, in order; the polling thread calls the producer once, when
//! the ring is half empty.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering, fence};

use crossbeam::atomic::AtomicCell;

use super::ready::ReadyBit;
use super::slot::{RING_SLOTS, Slot, SlotKind};
use super::spsc::{Consumer, Producer, ring};

/// Fill level at which the polling thread asks for what waits in the producer's queue.
const REFILL_SLOTS: usize = RING_SLOTS / 2;

/// What one partition's producer and the polling thread share.
pub struct Lane {
    /// The ring's reading half, from its making until the polling thread takes it.
    reading_half: AtomicCell<Option<Box<Consumer<Slot>>>>,
    /// Whether the reading half waits there, which the cell itself does not tell.
    has_ring: AtomicBool,
    ready: ReadyBit,
    /// Whether slots wait in the producer's queue. Set by the producer, cleared by either.
    spilled: AtomicBool,
    /// The partition's ends as last told by a broker or a checkpoint; −1 before. The producer
    /// writes, anybody reads, and they may be stale.
    high_watermark: AtomicI64,
    last_stable_offset: AtomicI64,
    log_start_offset: AtomicI64,
}

impl Lane {
    /// Makes the lane of the partition whose place in the ready set is `ready`.
    pub fn new(ready: ReadyBit) -> Arc<Self> {
        Arc::new(Self {
            reading_half: AtomicCell::new(None),
            has_ring: AtomicBool::new(false),
            ready,
            spilled: AtomicBool::new(false),
            high_watermark: AtomicI64::new(-1),
            last_stable_offset: AtomicI64::new(-1),
            log_start_offset: AtomicI64::new(-1),
        })
    }

    /// Takes the ring's reading half; `None` before there was data, and ever after the first time.
    ///
    /// # Threads
    ///
    /// The polling thread.
    pub fn take_reading_half(&self) -> Option<Box<Consumer<Slot>>> {
        if !self.has_ring.swap(false, Ordering::Acquire) {
            return None;
        }
        self.reading_half.take()
    }

    /// Tells whether the ring has been made and its reading half not been taken.
    pub fn has_reading_half(&self) -> bool {
        self.has_ring.load(Ordering::Acquire)
    }

    /// Tells, once, that the ring is empty enough for what waits in the producer's queue; called
    /// after a pop.
    ///
    /// # Threads
    ///
    /// The polling thread.
    #[inline]
    pub fn wants_refill(&self, ring: &Consumer<Slot>) -> bool {
        if ring.slots() > REFILL_SLOTS {
            return false;
        }
        fence(Ordering::SeqCst);
        self.spilled.load(Ordering::Relaxed) && self.spilled.swap(false, Ordering::AcqRel)
    }

    /// Returns the high watermark as last heard, −1 if never.
    pub fn high_watermark(&self) -> i64 {
        self.high_watermark.load(Ordering::Relaxed)
    }

    /// Returns the last stable offset as last heard, −1 if never.
    pub fn last_stable_offset(&self) -> i64 {
        self.last_stable_offset.load(Ordering::Relaxed)
    }

    /// Returns the log start offset as last heard, −1 if never.
    pub fn log_start_offset(&self) -> i64 {
        self.log_start_offset.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane")
            .field("spilled", &self.spilled)
            .field("high_watermark", &self.high_watermark)
            .finish_non_exhaustive()
    }
}

/// The producing end of a lane.
#[derive(Debug)]
pub struct LaneProducer {
    lane: Arc<Lane>,
    ring: Option<Producer<Slot>>,
    /// What did not fit into the ring, oldest first.
    queue: VecDeque<Slot>,
}

impl LaneProducer {
    /// Makes the lane's only producer.
    pub fn new(lane: Arc<Lane>) -> Self {
        Self { lane, ring: None, queue: VecDeque::new() }
    }

    /// Hands a slot over, or queues it where the ring is full.
    ///
    /// The caller notifies the polling thread when it has pushed all it has.
    pub fn push(&mut self, slot: Slot) {
        self.queue.push_back(slot);
        self.flush();
    }

    /// Moves what waits in the queue into the ring, as far as there is room.
    pub fn flush(&mut self) {
        if self.queue.is_empty() {
            return;
        }
        if self.fill() {
            self.lane.ready.mark();
        }
        if self.queue.is_empty() {
            return;
        }
        self.lane.spilled.store(true, Ordering::Relaxed);
        // Pairs with the fence of `wants_refill`: if the other side saw no mark after its last
        // pop, this look sees the room it made.
        fence(Ordering::SeqCst);
        if self.ring.as_ref().is_some_and(|ring| ring.len() <= REFILL_SLOTS) && self.fill() {
            self.lane.ready.mark();
        }
    }

    fn fill(&mut self) -> bool {
        let lane = &self.lane;
        let ring = self.ring.get_or_insert_with(|| {
            let (producer, consumer) = ring(RING_SLOTS);
            lane.reading_half.store(Some(Box::new(consumer)));
            lane.has_ring.store(true, Ordering::Release);
            producer
        });
        let mut pushed = false;
        while let Some(slot) = self.queue.pop_front() {
            if let Err(slot) = ring.push(slot) {
                self.queue.push_front(slot);
                break;
            }
            pushed = true;
        }
        pushed
    }

    /// Drops what waits in the queue: the partition has been sought or taken away.
    pub fn clear_queue(&mut self) {
        self.queue.clear();
    }

    /// Tells whether slots wait for room in the ring, so that nothing more should be fetched.
    pub fn is_spilled(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Returns the bytes of batches that wait for room in the ring.
    pub fn queued_bytes(&self) -> usize {
        let bytes_of = |slot: &Slot| match &slot.kind {
            SlotKind::Run(run) => run.bytes.len(),
            _ => 0,
        };
        self.queue.iter().map(bytes_of).sum()
    }

    /// Publishes the partition's ends; −1 leaves an end as it is.
    pub fn set_ends(&self, high_watermark: i64, last_stable_offset: i64, log_start_offset: i64) {
        let ends = [
            (&self.lane.high_watermark, high_watermark),
            (&self.lane.last_stable_offset, last_stable_offset),
            (&self.lane.log_start_offset, log_start_offset),
        ];
        for (end, value) in ends {
            if value >= 0 {
                end.store(value, Ordering::Relaxed);
            }
        }
    }

    /// Returns the shared side.
    pub fn lane(&self) -> &Lane {
        &self.lane
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::ready::ReadySet;

    fn gap(next_offset: i64) -> Slot {
        Slot { stamp: 0, kind: SlotKind::Gap { next_offset } }
    }

    fn offset(slot: &Slot) -> i64 {
        match slot.kind {
            SlotKind::Gap { next_offset } => next_offset,
            _ => panic!("only gaps were pushed"),
        }
    }

    #[test]
    fn what_does_not_fit_follows_in_order_and_is_asked_for_once() {
        let mut set = ReadySet::default();
        let lane = Lane::new(set.bit(0));
        assert!(lane.take_reading_half().is_none(), "no ring before there is data");
        let mut producer = LaneProducer::new(Arc::clone(&lane));
        for n in 0..20 {
            producer.push(gap(n));
        }
        assert!(producer.is_spilled());
        let mut ring = lane.take_reading_half().unwrap();
        let mut asked = 0;
        for n in 0..20 {
            assert_eq!(offset(&ring.pop().unwrap()), n);
            if lane.wants_refill(&ring) {
                asked += 1;
                producer.flush();
            }
        }
        assert_eq!((asked, producer.is_spilled(), ring.pop().is_none()), (1, false, true));
    }
}
