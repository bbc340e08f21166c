//! The pool that hands out blocks and gets their memory back.
//!
//! A fresh MiB costs twenty times as much as a recycled one, all of it page faults. So memory of
//! dropped blocks is kept, newest first since that is what the caches still hold. The pool itself
//! belongs to the one thread that fills blocks; memory comes back from any thread through a
//! bounded lock-free queue, and what does not fit there is freed.

#![forbid(unsafe_code)]

use std::sync::Arc as StdArc;

use crossbeam::queue::ArrayQueue;

use super::block::BlockWriter;
use super::budget::{Budget, Charge};
use super::memory::Memory;
use crate::sync::Arc;

/// The smallest block: enough for the answers of an idle connection.
pub const BLOCK_MIN_BYTES: usize = 16 * 1024;

/// The largest block that has a shelf of its own; reads of up to this size are the fastest.
pub const BLOCK_MAX_BYTES: usize = 1024 * 1024;

/// Larger blocks, for batches that need one, are a multiple of this.
const LARGE_STEP_BYTES: usize = BLOCK_MAX_BYTES;

/// Shelves for 16 KiB, 32 KiB … 1 MiB.
const SHELVES: usize = (BLOCK_MAX_BYTES / BLOCK_MIN_BYTES).ilog2() as usize + 1;

/// Pieces that may wait for their pool between two of its looks.
const RETURN_QUEUE_PIECES: usize = 1024;

/// The way back to a pool, held by each of its blocks.
#[derive(Clone, Debug)]
pub(super) struct Home(StdArc<ArrayQueue<Memory>>);

impl Home {
    pub(super) fn give_back(&self, memory: Memory) {
        // A full queue hands the memory back to us, and dropping it frees it.
        drop(self.0.push(memory));
    }
}

/// Recycled memory in sizes of powers of two, and larger pieces for large batches.
#[derive(Debug)]
pub struct Pool {
    returned: Home,
    shelves: [Vec<Memory>; SHELVES],
    /// Pieces above [`BLOCK_MAX_BYTES`], the newest last.
    large: Vec<Memory>,
    /// Bytes on all shelves.
    kept: usize,
    /// What `kept` may reach.
    kept_max: usize,
}

impl Pool {
    /// Makes an empty pool that keeps at most `kept_max` bytes of unused memory.
    pub fn new(kept_max: usize) -> Self {
        Self {
            returned: Home(StdArc::new(ArrayQueue::new(RETURN_QUEUE_PIECES))),
            shelves: Default::default(),
            large: Vec::new(),
            kept: 0,
            kept_max,
        }
    }

    /// Returns the size of the block that serves `bytes`: what is charged for it.
    pub fn block_size(bytes: usize) -> usize {
        if bytes <= BLOCK_MAX_BYTES {
            bytes.next_power_of_two().max(BLOCK_MIN_BYTES)
        } else {
            bytes.div_ceil(LARGE_STEP_BYTES).saturating_mul(LARGE_STEP_BYTES)
        }
    }

    /// Makes a block of at least `bytes` if the budget has room for all of it.
    pub fn try_block(&mut self, bytes: usize, budget: &Arc<Budget>) -> Option<BlockWriter> {
        let size = Self::block_size(bytes);
        let charge = Charge::try_new(budget, size)?;
        Some(self.block(size, Some(charge)))
    }

    /// Makes a block of at least `bytes`, over the budget if need be: [`Charge::overdrawn`].
    pub fn overdrawn_block(&mut self, bytes: usize, budget: &Arc<Budget>) -> BlockWriter {
        let size = Self::block_size(bytes);
        let charge = Charge::overdrawn(budget, size);
        self.block(size, Some(charge))
    }

    /// Makes a block that counts in no budget, for answers that carry no records.
    pub fn free_block(&mut self, bytes: usize) -> BlockWriter {
        self.block(Self::block_size(bytes), None)
    }

    /// Frees all unused memory.
    pub fn trim(&mut self) {
        self.collect();
        self.shelves.iter_mut().for_each(Vec::clear);
        self.large.clear();
        self.kept = 0;
    }

    /// Returns the bytes of unused memory that it keeps.
    pub fn kept(&self) -> usize {
        self.kept
    }

    fn block(&mut self, size: usize, charge: Option<Charge>) -> BlockWriter {
        self.collect();
        let memory = self.take(size).unwrap_or_else(|| Memory::zeroed(size));
        BlockWriter::new(memory, Some(self.returned.clone()), charge)
    }

    fn take(&mut self, size: usize) -> Option<Memory> {
        let memory = match Self::shelf(size) {
            Some(shelf) => self.shelves[shelf].pop()?,
            None => {
                let at = self.large.iter().rposition(|memory| memory.capacity() == size)?;
                self.large.remove(at)
            }
        };
        self.kept -= memory.capacity();
        Some(memory)
    }

    /// Puts what has come back on the shelves, as far as `kept_max` allows.
    fn collect(&mut self) {
        while let Some(memory) = self.returned.0.pop() {
            let size = memory.capacity();
            if self.kept + size > self.kept_max {
                continue;
            }
            self.kept += size;
            match Self::shelf(size) {
                Some(shelf) => self.shelves[shelf].push(memory),
                None => self.large.push(memory),
            }
        }
    }

    fn shelf(size: usize) -> Option<usize> {
        let steps = size.checked_div(BLOCK_MIN_BYTES)?.checked_ilog2()? as usize;
        (size <= BLOCK_MAX_BYTES).then_some(steps)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn budget(limit: usize) -> Arc<Budget> {
        Budget::new(limit, Box::new(|| {}))
    }

    #[test]
    fn memory_of_a_dropped_block_is_used_again() {
        let mut pool = Pool::new(1 << 20);
        let budget = budget(1 << 20);
        let mut writer = pool.try_block(20_000, &budget).unwrap();
        assert_eq!(writer.capacity(), 32 * 1024);
        let first = writer.spare().as_ptr();
        drop(writer);
        assert_eq!(budget.used(), 0);
        let mut again = pool.try_block(30_000, &budget).unwrap();
        assert_eq!(again.spare().as_ptr(), first);
        assert_eq!(pool.kept(), 0);
    }

    #[test]
    fn large_blocks_are_whole_mebibytes_and_found_again_by_size() {
        let mut pool = Pool::new(16 << 20);
        let budget = budget(64 << 20);
        let writer = pool.try_block(5_000_000, &budget).unwrap();
        assert_eq!(writer.capacity(), 5 << 20);
        drop(writer);
        assert_eq!(pool.try_block(3 << 20, &budget).unwrap().capacity(), 3 << 20);
        assert_eq!(pool.try_block(5 << 20, &budget).unwrap().capacity(), 5 << 20);
        assert_eq!(pool.kept(), 3 << 20);
    }

    #[test]
    fn a_slice_keeps_its_block_charged_and_readable() {
        let mut pool = Pool::new(0);
        let budget = budget(64 * 1024);
        let mut writer = pool.try_block(16 * 1024, &budget).unwrap();
        writer.append(b"head and tail");
        let slice = writer.slice(9..13);
        assert!(!writer.try_reset(), "a slice is out");
        writer.append(b" more");
        drop(writer);
        assert_eq!(&*slice, b"tail");
        assert!(slice.is_alone());
        assert_eq!(budget.used(), 16 * 1024);
        let part = slice.slice(1..3);
        drop(slice);
        assert_eq!(part.clone().into_bytes(), "ai");
        drop(part);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn no_block_beyond_the_budget_unless_overdrawn() {
        let mut pool = Pool::new(1 << 20);
        let budget = budget(100 * 1024);
        let first = pool.try_block(64 * 1024, &budget).unwrap();
        assert!(pool.try_block(64 * 1024, &budget).is_none());
        let second = pool.overdrawn_block(64 * 1024, &budget);
        assert_eq!((budget.used(), budget.free()), (128 * 1024, 0));
        drop((first, second));
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn what_the_application_holds_counts_once_and_as_long_as_it_holds_it() {
        let mut pool = Pool::new(0);
        let budget = budget(1 << 20);
        let mut writer = pool.try_block(16 * 1024, &budget).unwrap();
        writer.append(b"ab");
        let slice = writer.slice(0..2);
        assert_eq!(budget.held(), 0);
        let (one, two) = (slice.hold(), slice.slice(1..2).hold());
        assert_eq!(budget.held(), 16 * 1024);
        let bytes = two.slice(0..1).into_bytes();
        drop((one, two));
        assert_eq!(budget.held(), 16 * 1024, "a part of it is left");
        drop(bytes);
        assert_eq!((budget.held(), budget.used()), (0, 16 * 1024), "the writer still keeps it");
    }
}
