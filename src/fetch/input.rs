//! What a connection has received and not yet consumed, in the block that it was received into.
//!
//! ```text
//!  block  ├── given out as slices ──┤── unread ──┤──── spare ────┤
//!                                   start        filled          capacity
//! ```
//!
//! Answers follow one another in a block until it is full. An item that does not fit into the
//! rest (a batch, as a rule) is moved to the front of the next block, so it is copied at most
//! once; everything else stays where the kernel put it.

#![forbid(unsafe_code)]

use std::ops::Range;
use std::sync::Arc;

use crate::buffer::pool::{BLOCK_MAX_BYTES, BLOCK_MIN_BYTES};
use crate::buffer::{BlockWriter, Budget, Pool, Slice};

/// Less room than this is left unused, unless it holds all of the item under way.
const READ_MIN_BYTES: usize = 4096;

/// Who pays for the next block.
#[derive(Debug)]
pub enum Terms<'a> {
    /// When the answers carry no records: nobody.
    Free,
    /// When the answers carry records: the consumer's budget.
    Charged {
        /// The budget.
        budget: &'a Arc<Budget>,
        /// Whether the batch under way may be finished on overdrawn credit.
        may_overdraw: bool,
    },
}

/// What became of the wish for room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// When there is room to read into.
    Ready,
    /// When there is room that the budget did not have.
    Overdrawn,
    /// When the budget has none: the socket is not to be read.
    NoCredit {
        /// Bytes that have to be free for the reading to go on.
        wanted: usize,
    },
}

/// The receiving side of a connection.
#[derive(Debug, Default)]
pub struct Input {
    block: Option<BlockWriter>,
    /// Where in the block the unread bytes begin.
    start: usize,
    /// Bytes from `start` on that the item under way takes; 0 where that is not known yet.
    need: usize,
    /// Bytes from `start` on that are known to come, or are likely to.
    expected: usize,
}

impl Input {
    /// Returns what has been received and not consumed.
    #[inline]
    pub fn unread(&self) -> &[u8] {
        self.block.as_ref().and_then(|block| block.filled().get(self.start..)).unwrap_or_default()
    }

    /// Steps over the first `len` unread bytes.
    #[inline]
    pub fn consume(&mut self, len: usize) {
        debug_assert!(len <= self.unread().len());
        self.start += len;
        self.need = self.need.saturating_sub(len);
        self.expected = self.expected.saturating_sub(len);
    }

    /// Returns the position of the unread bytes in the block; it grows with [`Input::consume`] and
    /// starts again after [`Input::make_room`].
    pub fn position(&self) -> usize {
        self.start
    }

    /// Shares bytes of the block, given by positions.
    ///
    /// # Panics
    ///
    /// Panics if the range reaches past what has been received.
    pub fn slice(&self, positions: Range<usize>) -> Option<Slice> {
        self.block.as_ref().map(|block| block.slice(positions))
    }

    /// Says that the item under way takes `need` bytes from the first unread one on, and that
    /// `expected` bytes (no less) are likely to come in all before the peer pauses.
    pub fn set_need(&mut self, need: usize, expected: usize) {
        self.need = need;
        self.expected = expected.max(need);
    }

    /// Sees to it that there is room for the next read.
    pub fn make_room(&mut self, pool: &mut Pool, terms: &Terms<'_>) -> Room {
        if self.unread().is_empty() {
            self.start_over();
        }
        if self.has_room() {
            return Room::Ready;
        }
        let unread = self.unread().len();
        let needed = self.need.max(unread + 1);
        let wished = needed.max(self.expected.clamp(BLOCK_MIN_BYTES, BLOCK_MAX_BYTES));
        let (next, room) = match terms {
            Terms::Free => (pool.free_block(wished), Room::Ready),
            Terms::Charged { budget, may_overdraw } => {
                let within =
                    pool.try_block(wished, budget).or_else(|| pool.try_block(needed, budget));
                match within {
                    Some(block) => (block, Room::Ready),
                    None if *may_overdraw => {
                        (pool.overdrawn_block(needed, budget), Room::Overdrawn)
                    }
                    None => return Room::NoCredit { wanted: Pool::block_size(needed) },
                }
            }
        };
        self.move_to(next);
        room
    }

    /// Returns the room that [`Input::make_room`] made.
    #[inline]
    pub fn spare(&mut self) -> &mut [u8] {
        match &mut self.block {
            Some(block) => block.spare(),
            None => &mut [],
        }
    }

    /// Counts `len` bytes as received into the spare room.
    ///
    /// # Panics
    ///
    /// Panics if the room is smaller.
    #[inline]
    pub fn received(&mut self, len: usize) {
        if let Some(block) = &mut self.block {
            block.advance(len);
        }
    }

    /// Gives the block up if nothing in it is unread: an idle connection should not hold one that
    /// is larger than its answers.
    pub fn release(&mut self) {
        if self.unread().is_empty() {
            self.block = None;
            self.start = 0;
        }
    }

    /// Returns the size of the block in bytes, 0 without one.
    pub fn block_size(&self) -> usize {
        self.block.as_ref().map_or(0, BlockWriter::capacity)
    }

    /// Uses the block from the front again if nobody else has a part of it.
    fn start_over(&mut self) {
        if self.start > 0
            && let Some(block) = &mut self.block
            && block.try_reset()
        {
            self.start = 0;
        }
    }

    /// Tells whether the item under way fits into the rest of the block, and the rest is worth a
    /// system call.
    fn has_room(&mut self) -> bool {
        let end = self.start + self.need;
        match &mut self.block {
            Some(block) => {
                let (filled, spare) = (block.filled().len(), block.spare().len());
                spare >= READ_MIN_BYTES && end <= block.capacity()
                    || filled < end && end <= block.capacity()
            }
            None => false,
        }
    }

    fn move_to(&mut self, mut next: BlockWriter) {
        let moved = next.append(self.unread());
        debug_assert_eq!(moved, self.unread().len());
        self.block = Some(next);
        self.start = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(input: &mut Input, pool: &mut Pool, bytes: &[u8]) {
        let mut left = bytes;
        while !left.is_empty() {
            assert_eq!(input.make_room(pool, &Terms::Free), Room::Ready);
            let spare = input.spare();
            let len = spare.len().min(left.len());
            spare[..len].copy_from_slice(&left[..len]);
            input.received(len);
            left = &left[len..];
        }
    }

    #[test]
    fn an_item_that_does_not_fit_moves_to_the_next_block_whole() {
        let mut pool = Pool::new(1 << 20);
        let mut input = Input::default();
        let bytes: Vec<u8> = (0..BLOCK_MIN_BYTES).map(|n| n.to_le_bytes()[0]).collect();
        receive(&mut input, &mut pool, &bytes);
        let kept = input.slice(0..100).unwrap();
        input.consume(BLOCK_MIN_BYTES - 10);
        input.set_need(50, 50);
        receive(&mut input, &mut pool, &[7; 40]);
        assert_eq!(input.unread()[..10], bytes[BLOCK_MIN_BYTES - 10..]);
        assert_eq!(input.unread()[10..], [7; 40]);
        assert_eq!(kept[..], bytes[..100]);
    }

    #[test]
    fn a_block_that_nobody_shares_is_used_from_the_front_again() {
        let mut pool = Pool::new(1 << 20);
        let mut input = Input::default();
        for _ in 0..10 {
            receive(&mut input, &mut pool, &[1; 10_000]);
            input.consume(10_000);
        }
        assert_eq!(input.make_room(&mut pool, &Terms::Free), Room::Ready);
        assert_eq!((input.position(), input.block_size()), (0, BLOCK_MIN_BYTES));
        assert_eq!(pool.kept(), 0, "no second block was ever made");
    }

    #[test]
    fn without_credit_there_is_no_room_but_for_the_batch_under_way() {
        let mut pool = Pool::new(1 << 20);
        let budget = Budget::new(BLOCK_MIN_BYTES, Box::new(|| {}));
        let mut input = Input::default();
        let within = Terms::Charged { budget: &budget, may_overdraw: false };
        assert_eq!(input.make_room(&mut pool, &within), Room::Ready);
        input.received(BLOCK_MIN_BYTES);
        input.set_need(20_000, 100_000);
        let wanted = 32 * 1024;
        assert_eq!(input.make_room(&mut pool, &within), Room::NoCredit { wanted });
        let beyond = Terms::Charged { budget: &budget, may_overdraw: true };
        assert_eq!(input.make_room(&mut pool, &beyond), Room::Overdrawn);
        assert_eq!(budget.used(), wanted, "the first block went back when its bytes had moved");
    }
}
