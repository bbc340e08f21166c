//! A bounded ring with one producer and one consumer.
//!
//! ```text
//!        head (consumer writes)      tail (producer writes)
//!          │                           │
//!   ┌────┬─▼──┬────┬────┬────┬────┬────▼┬────┐
//!   │free│full│full│full│full│full│free │free│   position & mask = index
//!   └────┴────┴────┴────┴────┴────┴─────┴────┘
//! ```
//!
//! Positions only grow and wrap at `usize::MAX`; their difference is the number of full cells.
//! Each side keeps a copy of the other's position and reads the shared one only when the copy
//! says that the ring is full (producer) or empty (consumer), so that a busy ring moves one cache
//! line per slot and not three.
//!
//! Each half is `Send` and belongs to one thread at a time. Slots that nobody popped are dropped
//! with the second half.

use std::fmt;
use std::mem::MaybeUninit;

use crossbeam::utils::CachePadded;

use crate::sync::{Arc, AtomicUsize, Ordering, UnsafeCell};

struct Shared<T> {
    cells: Box<[UnsafeCell<MaybeUninit<T>>]>,
    /// `cells.len() - 1`, and the number of cells is a power of two.
    mask: usize,
    /// The next position to pop: written by the consumer alone, after it has moved the slot out.
    head: CachePadded<AtomicUsize>,
    /// The next position to push: written by the producer alone, after it has written the slot.
    tail: CachePadded<AtomicUsize>,
}

// SAFETY: a cell is reached by the producer alone while its position is not in `head..tail`, and
// by the consumer alone while it is; `head` and `tail` pass it on with release and acquire.
unsafe impl<T: Send> Sync for Shared<T> {}
// SAFETY: it owns slots of `T`, which may be sent.
unsafe impl<T: Send> Send for Shared<T> {}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        let tail = self.tail.load(Ordering::Relaxed);
        let mut head = self.head.load(Ordering::Relaxed);
        while head != tail {
            self.cells[head & self.mask].with_mut(|cell| {
                // SAFETY: both halves are gone, so nobody else reaches the cell.
                let cell = unsafe { &mut *cell };
                // SAFETY: positions from head to tail hold slots that nobody has moved out.
                unsafe { cell.assume_init_drop() };
            });
            head = head.wrapping_add(1);
        }
    }
}

/// Makes a ring of `capacity` slots and returns its two halves.
///
/// # Panics
///
/// Panics if `capacity` is not a power of two.
pub fn ring<T: Send>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    ring_from(capacity, 0)
}

/// A ring whose positions begin at `first`, so that tests and models see them wrap.
pub(super) fn ring_from<T: Send>(capacity: usize, first: usize) -> (Producer<T>, Consumer<T>) {
    assert!(capacity.is_power_of_two(), "a ring's capacity is a power of two");
    let shared = Arc::new(Shared {
        cells: (0..capacity).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect(),
        mask: capacity - 1,
        head: CachePadded::new(AtomicUsize::new(first)),
        tail: CachePadded::new(AtomicUsize::new(first)),
    });
    let producer = Producer { shared: Arc::clone(&shared), tail: first, head_seen: first };
    (producer, Consumer { shared, head: first, tail_seen: first })
}

/// The half that pushes.
pub struct Producer<T> {
    shared: Arc<Shared<T>>,
    /// The same as `shared.tail`, which only this half writes.
    tail: usize,
    /// `shared.head` as last read; at or behind the real one.
    head_seen: usize,
}

impl<T: Send> Producer<T> {
    /// Appends a slot, or returns it where the ring is full.
    #[inline]
    pub fn push(&mut self, slot: T) -> Result<(), T> {
        if self.is_full() {
            return Err(slot);
        }
        self.shared.cells[self.tail & self.shared.mask].with_mut(|cell| {
            // SAFETY: the position is not in head..tail, so the consumer does not reach the cell.
            let cell = unsafe { &mut *cell };
            cell.write(slot);
        });
        self.tail = self.tail.wrapping_add(1);
        self.shared.tail.store(self.tail, Ordering::Release);
        Ok(())
    }

    /// Tells whether the ring has no room; exact, since only this half makes it fuller.
    #[inline]
    pub fn is_full(&mut self) -> bool {
        let capacity = self.shared.mask + 1;
        if self.tail.wrapping_sub(self.head_seen) == capacity {
            self.head_seen = self.shared.head.load(Ordering::Acquire);
        }
        self.tail.wrapping_sub(self.head_seen) == capacity
    }

    /// Returns the number of slots that have not been popped; it may fall any time.
    pub fn len(&self) -> usize {
        self.tail.wrapping_sub(self.shared.head.load(Ordering::Acquire))
    }

    /// Tells whether every slot has been popped.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The half that pops.
pub struct Consumer<T> {
    shared: Arc<Shared<T>>,
    /// The same as `shared.head`, which only this half writes.
    head: usize,
    /// `shared.tail` as last read; at or behind the real one.
    tail_seen: usize,
}

impl<T: Send> Consumer<T> {
    /// Removes the oldest slot.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        if !self.has_slot() {
            return None;
        }
        let slot = self.shared.cells[self.head & self.shared.mask].with_mut(|cell| {
            // SAFETY: the position is in head..tail, so the producer does not reach the cell.
            let cell = unsafe { &mut *cell };
            // SAFETY: the producer has written the slot before it moved `tail`, and `head` moves
            // on below, so that it is moved out once.
            unsafe { cell.assume_init_read() }
        });
        self.head = self.head.wrapping_add(1);
        self.shared.head.store(self.head, Ordering::Release);
        Some(slot)
    }

    /// Tells whether there is a slot to pop.
    #[inline]
    pub fn has_slot(&mut self) -> bool {
        if self.head == self.tail_seen {
            self.tail_seen = self.shared.tail.load(Ordering::Acquire);
        }
        self.head != self.tail_seen
    }

    /// Returns the number of slots to pop; it may grow any time.
    pub fn slots(&self) -> usize {
        self.shared.tail.load(Ordering::Acquire).wrapping_sub(self.head)
    }

    /// Returns how many slots the ring can hold.
    pub fn capacity(&self) -> usize {
        self.shared.mask + 1
    }
}

impl<T> fmt::Debug for Producer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer").field("tail", &self.tail).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Consumer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").field("head", &self.head).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Arc as StdArc;

    use super::*;

    #[test]
    fn slots_come_out_in_order_and_a_full_ring_refuses() {
        let (mut producer, mut consumer) = ring_from(4, usize::MAX - 1);
        for round in 0..10 {
            for i in 0..4 {
                producer.push(round * 4 + i).unwrap();
            }
            assert_eq!(producer.push(99), Err(99));
            assert_eq!((producer.len(), consumer.slots()), (4, 4));
            for i in 0..4 {
                assert_eq!(consumer.pop(), Some(round * 4 + i));
            }
            assert_eq!(consumer.pop(), None);
        }
    }

    #[test]
    fn slots_that_nobody_popped_are_dropped_once() {
        let counted = StdArc::new(());
        let (mut producer, mut consumer) = ring(8);
        for _ in 0..5 {
            producer.push(StdArc::clone(&counted)).unwrap();
        }
        drop(consumer.pop());
        assert_eq!(StdArc::strong_count(&counted), 5);
        drop(producer);
        assert_eq!(StdArc::strong_count(&counted), 5);
        drop(consumer);
        assert_eq!(StdArc::strong_count(&counted), 1);
    }
}
