//! Memory for inflated batches, on the polling thread.
//!
//! Batches are inflated one behind the other into a block, so that small ones share it. What a
//! batch will take is not known beforehand and what it claims is not trusted: it is tried in the
//! room at hand, then in blocks that double up to the cap, the earlier one given back first.

use std::sync::Arc;

use crate::buffer::pool::BLOCK_MIN_BYTES;
use crate::buffer::{BlockWriter, Budget, Pool, Slice};
use crate::record::{Codec, InflateError, Inflater};

/// The block that batches are inflated into, unless the budget is small.
const BLOCK_BYTES: usize = 1 << 20;

/// A block takes at most this part of the budget, unless one batch needs more.
const BUDGET_PART: usize = 16;

/// Unused memory that is kept for the next batches.
const POOL_MAX_BYTES: usize = 4 << 20;

/// Why a batch was not inflated.
#[derive(Debug)]
pub(super) enum InflateFailure {
    /// When the budget has no room and this poll has something to return already.
    NoCredit,
    /// When it is larger than the cap.
    TooLarge(String),
    /// When it is damaged.
    Corrupt(String),
}

/// Inflates batches into blocks of a consumer's budget.
#[derive(Debug)]
pub(super) struct InflatePool {
    inflater: Inflater,
    pool: Pool,
    budget: Arc<Budget>,
    block: Option<BlockWriter>,
    /// `kfetch.batch.inflated.max.bytes`.
    cap: usize,
}

impl InflatePool {
    pub(super) fn new(budget: Arc<Budget>, cap: usize) -> Self {
        let pool = Pool::new(POOL_MAX_BYTES);
        Self { inflater: Inflater::new(), pool, budget, block: None, cap }
    }

    /// Inflates a batch. With `must` it does so over the budget if need be.
    pub(super) fn inflate(
        &mut self,
        codec: Codec,
        compressed: &[u8],
        must: bool,
    ) -> Result<Slice, InflateFailure> {
        if let Some(block) = &mut self.block
            && block.spare().len() >= compressed.len()
        {
            let spare = block.spare();
            let room = spare.len().min(self.cap);
            let at_cap = room == self.cap;
            match self.inflater.inflate(codec, compressed, &mut spare[..room]) {
                Ok(len) => return Ok(take(block, len)),
                Err(InflateError::OutputTooSmall) if !at_cap => {}
                Err(error) => return Err(self.failure(&error)),
            }
        }
        self.inflate_elsewhere(codec, compressed, must)
    }

    fn inflate_elsewhere(
        &mut self,
        codec: Codec,
        compressed: &[u8],
        must: bool,
    ) -> Result<Slice, InflateFailure> {
        let usual = BLOCK_BYTES.min(self.budget.limit() / BUDGET_PART).max(BLOCK_MIN_BYTES);
        let mut size = usual.max(compressed.len()).min(self.cap);
        loop {
            // The block before goes back first: a bomb has one block at a time.
            self.block = None;
            let Some(mut block) = self.make_block(size, must) else {
                return Err(InflateFailure::NoCredit);
            };
            let room = block.capacity().min(self.cap);
            match self.inflater.inflate(codec, compressed, &mut block.spare()[..room]) {
                Ok(len) => {
                    let slice = take(&mut block, len);
                    self.block = Some(block);
                    return Ok(slice);
                }
                Err(InflateError::OutputTooSmall) if room < self.cap => {
                    size = room.saturating_mul(2).min(self.cap);
                }
                Err(error) => return Err(self.failure(&error)),
            }
        }
    }

    fn make_block(&mut self, size: usize, must: bool) -> Option<BlockWriter> {
        match self.pool.try_block(size, &self.budget) {
            None if must => Some(self.pool.overdrawn_block(size, &self.budget)),
            block => block,
        }
    }

    fn failure(&self, error: &InflateError) -> InflateFailure {
        match error {
            InflateError::OutputTooSmall => InflateFailure::TooLarge(format!(
                "the batch inflates past kfetch.batch.inflated.max.bytes={}",
                self.cap
            )),
            other => InflateFailure::Corrupt(other.to_string()),
        }
    }

    /// Moves a slice that alone keeps a large block into a small one, if the budget has room.
    pub(super) fn copy_out(&mut self, slice: &mut Slice) {
        if let Some(mut small) = self.pool.try_block(slice.len(), &self.budget)
            && small.capacity() < slice.block_len()
        {
            small.append(slice);
            *slice = small.slice(0..slice.len());
        }
    }

    /// Gives the block up: the budget is short.
    pub(super) fn release(&mut self) {
        self.block = None;
        self.pool.trim();
    }
}

fn take(block: &mut BlockWriter, len: usize) -> Slice {
    let start = block.filled().len();
    block.advance(len);
    block.slice(start..start + len)
}
