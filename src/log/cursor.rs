//! Reads runs of whole batches from one segment, into blocks or from a map.
//!
//! A block is filled by one `pread`, and the next one begins with the batch that did not fit any
//! more: reading those bytes again costs what copying them would. One look at the file's length
//! follows each `pread`, because bytes that somebody truncates away meanwhile may have been read
//! as zeros.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::io;
use std::sync::Arc;

use super::headers::{Fault, Next, Place, Stop, as_u64, next_batch};
use super::large::{LARGE_BATCH_BYTES, is_intact};
use super::segment::Segment;
use crate::buffer::pool::BLOCK_MAX_BYTES;
use crate::buffer::{BlockWriter, Budget, Pool, Slice};
use crate::error::ErrorKind;
use crate::record::{BatchHeader, HEADER_LEN};

/// The smallest block that is worth a system call where there is more to read.
const READ_MIN_BYTES: usize = 256 * 1024;

/// Where blocks come from.
pub(super) struct Supply<'a> {
    pub(super) pool: &'a mut Pool,
    pub(super) budget: &'a Arc<Budget>,
}

/// What one read gave.
#[derive(Debug)]
pub(super) enum Filled {
    /// Whole batches.
    Run { bytes: Slice, next_offset: i64 },
    /// Nothing: the next batch reaches past the bound.
    Bound,
    /// Nothing: the budget has no room for a block.
    NoCredit { wanted_bytes: usize },
    /// Nothing: no batch is there.
    Stop(Stop),
    /// Nothing: the file is shorter than it was.
    Shrunk,
}

/// A place in an open segment.
#[derive(Debug)]
pub(super) struct Cursor {
    segment: Arc<Segment>,
    place: Place,
    /// The file's length at the last look.
    file_len: u64,
    /// The whole segment, where it is read by mapping.
    map: Option<Slice>,
    /// The header of the batch at the place, where it was seen when the batch before was read.
    next: Option<Box<BatchHeader>>,
    /// Whether that batch may have memory.
    is_checked: bool,
}

impl Cursor {
    pub(super) fn new(segment: Arc<Segment>, place: Place) -> io::Result<Self> {
        let file_len = segment.len()?;
        Ok(Self { segment, place, file_len, map: None, next: None, is_checked: false })
    }

    /// Reads by mapping from now on; the caller vouches for the file as [`Slice::map`] demands.
    pub(super) fn map(&mut self) -> io::Result<()> {
        if self.map.is_none() {
            self.file_len = self.segment.len()?;
            if self.file_len > 0 {
                self.map = Some(self.segment.map(self.file_len)?);
            }
        }
        Ok(())
    }

    /// Reads the next batches that end below `bound`: one at least if it is there, and no more
    /// than `bytes_max` of them otherwise.
    pub(super) fn read(
        &mut self,
        supply: &mut Supply<'_>,
        bytes_max: usize,
        bound: i64,
    ) -> io::Result<Filled> {
        match self.map.take() {
            Some(map) => self.read_map(map, bytes_max, bound),
            None => self.read_blocks(supply, bytes_max, bound),
        }
    }

    pub(super) fn segment(&self) -> &Arc<Segment> {
        &self.segment
    }

    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// Puts `map` back unless the file has become shorter than it.
    fn read_map(&mut self, map: Slice, bytes_max: usize, bound: i64) -> io::Result<Filled> {
        if self.segment.len()? < as_u64(map.len()) {
            return Ok(Filled::Shrunk);
        }
        let from = usize::try_from(self.place.position).unwrap_or(usize::MAX).min(map.len());
        let bytes = map.get(from..).unwrap_or_default();
        let mut run = Run::of(bytes, as_u64(bytes.len()), self.place.next_offset, bound, bytes_max);
        let filled = match &run.end {
            End::Stop(stop) if run.len == 0 => Filled::Stop(stop.clone()),
            _ if run.len == 0 => Filled::Bound,
            _ => Filled::Run {
                bytes: map.slice(from..from.saturating_add(run.len)),
                next_offset: run.next_offset,
            },
        };
        self.step_over(&mut run);
        self.map = Some(map);
        Ok(filled)
    }

    fn read_blocks(
        &mut self,
        supply: &mut Supply<'_>,
        bytes_max: usize,
        bound: i64,
    ) -> io::Result<Filled> {
        loop {
            if self.file_len <= self.place.position {
                self.file_len = self.segment.len()?;
            }
            let Some(remaining) = self.file_len.checked_sub(self.place.position) else {
                return Ok(Filled::Shrunk);
            };
            if remaining == 0 {
                return Ok(Filled::Stop(Stop::Clean));
            }
            if let Some(fault) = self.large_fault()? {
                return Ok(Filled::Stop(Stop::Bad(fault)));
            }
            let len = self.read_len(bytes_max, remaining);
            let Some(mut block) = self.block(supply, len) else {
                let wanted = Pool::block_size(self.least_len(len)).min(supply.budget.limit());
                return Ok(Filled::NoCredit { wanted_bytes: wanted });
            };
            if !self.fill(&mut block, len)? {
                return Ok(Filled::Shrunk);
            }
            let remaining = self.file_len.saturating_sub(self.place.position);
            let bytes = block.filled();
            let mut run = Run::of(bytes, remaining, self.place.next_offset, bound, usize::MAX);
            self.step_over(&mut run);
            if run.len > 0 {
                let bytes = block.slice(0..run.len);
                return Ok(Filled::Run { bytes, next_offset: run.next_offset });
            }
            match run.end {
                End::Stop(stop) => return Ok(Filled::Stop(stop)),
                End::Cut { is_seen: true } => {}
                End::Cut { is_seen: false } => return Ok(Filled::Shrunk),
                End::Bound | End::Limit => return Ok(Filled::Bound),
            }
        }
    }

    /// Reads up to `len` bytes at the place into `block`; false if the file was cut below them.
    fn fill(&mut self, block: &mut BlockWriter, len: usize) -> io::Result<bool> {
        let spare = block.spare();
        let room = spare.len().min(len);
        let len =
            self.segment.read_at(self.place.position, spare.get_mut(..room).unwrap_or_default())?;
        block.advance(len);
        self.file_len = self.segment.len()?;
        Ok(self.file_len >= self.place.position.saturating_add(as_u64(len)) && len > 0)
    }

    /// Returns how many bytes the next read asks for.
    ///
    /// Where the next batch is so large that a second one would hardly fit, what comes behind its
    /// successor's header would be read in vain.
    fn read_len(&self, bytes_max: usize, remaining: u64) -> usize {
        let usual = bytes_max.clamp(HEADER_LEN, BLOCK_MAX_BYTES);
        let len = if self.batch_bytes() > usual / 2 {
            let with_header = self.batch_bytes().saturating_add(HEADER_LEN);
            with_header.min(BLOCK_MAX_BYTES.max(self.batch_bytes()))
        } else {
            usual
        };
        len.min(usize::try_from(remaining).unwrap_or(usize::MAX))
    }

    /// Returns the least that a read which would like `len` bytes can do with.
    fn least_len(&self, len: usize) -> usize {
        len.min(READ_MIN_BYTES.max(self.batch_bytes()))
    }

    /// Takes a block for `len` bytes, or a smaller one that still does; a batch that is larger
    /// than the whole budget gets its block when nothing else is charged.
    fn block(&self, supply: &mut Supply<'_>, len: usize) -> Option<BlockWriter> {
        let least = self.least_len(len);
        let mut size = len;
        loop {
            if let Some(block) = supply.pool.try_block(size, supply.budget) {
                return Some(block);
            }
            if size <= least {
                break;
            }
            size = (size / 2).max(least);
        }
        let is_too_large = Pool::block_size(least) > supply.budget.limit();
        (is_too_large && supply.budget.used() == 0)
            .then(|| supply.pool.overdrawn_block(least, supply.budget))
    }

    /// Goes behind the batches of `run`.
    fn step_over(&mut self, run: &mut Run) {
        self.place = Place {
            position: self.place.position.saturating_add(as_u64(run.len)),
            next_offset: run.next_offset,
        };
        self.next = run.next.take();
        self.is_checked = false;
    }

    /// Returns the bytes of the batch at the place, 0 where its header has not been seen.
    fn batch_bytes(&self) -> usize {
        self.next.as_ref().map_or(0, |header| header.size())
    }

    /// Tells what is wrong with the batch at the place if it wants very much memory.
    fn large_fault(&mut self) -> io::Result<Option<Fault>> {
        let Some(header) = &self.next else { return Ok(None) };
        if self.is_checked || header.size() <= LARGE_BATCH_BYTES {
            return Ok(None);
        }
        if is_intact(&self.segment, self.place.position, header)? {
            self.is_checked = true;
            return Ok(None);
        }
        let text = format!("a batch of {} bytes does not have its checksum", header.size());
        Ok(Some(Fault { kind: ErrorKind::Corrupt, text }))
    }
}

/// The whole batches at the front of some bytes.
struct Run {
    /// In bytes.
    len: usize,
    next_offset: i64,
    end: End,
    /// The header of the batch that the bytes end in, if they have it.
    next: Option<Box<BatchHeader>>,
}

/// Why a run ends where it does.
enum End {
    /// When the next batch reaches past the bound.
    Bound,
    /// When the next batch would make the run too long.
    Limit,
    /// When the bytes end inside of the next batch, whose header is seen or not.
    Cut { is_seen: bool },
    /// When there is no next batch.
    Stop(Stop),
}

impl Run {
    /// Walks over `bytes`, which begin with a batch; the file has `remaining` from there on.
    fn of(bytes: &[u8], remaining: u64, next_offset: i64, bound: i64, bytes_max: usize) -> Self {
        let mut run = Self { len: 0, next_offset, end: End::Limit, next: None };
        loop {
            let rest = bytes.get(run.len..).unwrap_or_default();
            let remaining = remaining.saturating_sub(as_u64(run.len));
            if rest.len() < HEADER_LEN && as_u64(rest.len()) < remaining {
                run.end = End::Cut { is_seen: false };
                return run;
            }
            let header = match next_batch(rest, remaining, run.next_offset) {
                Next::Batch(header) => header,
                Next::Stop(stop) => {
                    run.end = End::Stop(stop);
                    return run;
                }
            };
            let len = run.len.saturating_add(header.size());
            if header.next_offset() > bound {
                run.end = End::Bound;
                return run;
            }
            if header.size() > rest.len() {
                run.end = End::Cut { is_seen: true };
                run.next = Some(Box::new(header));
                return run;
            }
            if run.len > 0 && len > bytes_max {
                return run;
            }
            run.len = len;
            run.next_offset = header.next_offset();
        }
    }
}
