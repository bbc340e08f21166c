//! Blocks, their one writer, and the slices that keep them alive.
//!
//! ```text
//!  0            filled                capacity
//!  ├──────────────┼──────────────────────┤
//!  │ read-only:   │ written only through │
//!  │ slices       │ the BlockWriter      │
//!  └──────────────┴──────────────────────┘
//! ```
//!
//! A heap block is filled from the front by its only [`BlockWriter`]; what is filled is never
//! written again while a slice exists, so that slices can be read on other threads while the tail
//! still fills. A mapped block is filled from the start and has no writer.
//!
//! When the writer and the last slice are gone, the memory goes back to the pool that it came
//! from and its bytes to the budget, on whichever thread that happens.

use std::fs::File;
use std::ops::{Deref, Range};
use std::{fmt, io, slice};

use bytes::Bytes;
use memmap2::Mmap;

use super::budget::Charge;
use super::mapped::map_file;
use super::memory::Memory;
use super::pool::Home;
use crate::sync::Arc;

/// What a block's bytes are.
enum Storage {
    /// Heap memory with the pool it returns to; taken out when the block is dropped.
    Heap { memory: Option<Memory>, home: Option<Home> },
    /// A file's pages.
    Mapped { _map: Mmap },
}

/// One refcounted piece of memory.
struct Block {
    storage: Storage,
    /// The first byte of `storage`.
    start: *const u8,
    /// In bytes.
    capacity: usize,
    /// The bytes' place in a budget; none for mapped files, whose pages are the kernel's.
    /// Dropped after the memory has been given back, as fields are after `drop`.
    charge: Option<Charge>,
}

// SAFETY: `start` points into `storage`, which the block owns and which never moves; bytes that
// are reachable through a slice are not written any more.
unsafe impl Send for Block {}
// SAFETY: as above: shared access reads filled bytes only; the unfilled tail is reached through
// the one BlockWriter.
unsafe impl Sync for Block {}

impl Drop for Block {
    fn drop(&mut self) {
        if let Storage::Heap { memory, home: Some(home) } = &mut self.storage
            && let Some(memory) = memory.take()
        {
            home.give_back(memory);
        }
    }
}

/// The only one that fills a block.
pub struct BlockWriter {
    block: Arc<Block>,
    filled: usize,
}

impl BlockWriter {
    /// Makes the writer of a block of `memory`, which goes back to `home` in the end.
    pub(super) fn new(memory: Memory, home: Option<Home>, charge: Option<Charge>) -> Self {
        let start = memory.start().as_ptr();
        let capacity = memory.capacity();
        let storage = Storage::Heap { memory: Some(memory), home };
        Self { block: Arc::new(Block { storage, start, capacity, charge }), filled: 0 }
    }

    /// Returns the unfilled rest, whose bytes are initialised but mean nothing.
    #[inline]
    pub fn spare(&mut self) -> &mut [u8] {
        let spare = self.block.capacity - self.filled;
        // SAFETY: `filled` is at most the capacity, so the pointer stays inside the memory.
        let first = unsafe { self.block.start.add(self.filled).cast_mut() };
        // SAFETY: these bytes are initialised and lie behind every slice that was given out; this
        // writer is the only one, and the borrow keeps it from making slices meanwhile.
        unsafe { slice::from_raw_parts_mut(first, spare) }
    }

    /// Counts the next `len` bytes of the spare part as filled.
    ///
    /// # Panics
    ///
    /// Panics if the spare part is shorter.
    #[inline]
    pub fn advance(&mut self, len: usize) {
        assert!(len <= self.block.capacity - self.filled, "filled past the end of a block");
        self.filled += len;
    }

    /// Copies as much of `bytes` as fits behind what is filled, and says how much that was.
    pub fn append(&mut self, bytes: &[u8]) -> usize {
        let spare = self.spare();
        let len = bytes.len().min(spare.len());
        let (to, from) = (&mut spare[..len], &bytes[..len]);
        to.copy_from_slice(from);
        self.advance(len);
        len
    }

    /// Returns the filled bytes.
    #[inline]
    pub fn filled(&self) -> &[u8] {
        // SAFETY: `filled` is at most the capacity and all bytes are initialised; the borrow
        // keeps this writer, the only one, from writing meanwhile.
        unsafe { slice::from_raw_parts(self.block.start, self.filled) }
    }

    /// Shares a range of what is filled.
    ///
    /// # Panics
    ///
    /// Panics if the range is not within the filled bytes.
    #[inline]
    pub fn slice(&self, range: Range<usize>) -> Slice {
        assert!(range.start <= range.end && range.end <= self.filled, "slice of unfilled bytes");
        Slice::of(&self.block, range)
    }

    /// Empties the block for use from the front again, if no slice of it is left.
    pub fn try_reset(&mut self) -> bool {
        let alone = Arc::get_mut(&mut self.block).is_some();
        if alone {
            self.filled = 0;
        }
        alone
    }

    /// Returns the size of the block in bytes.
    pub fn capacity(&self) -> usize {
        self.block.capacity
    }
}

impl fmt::Debug for BlockWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockWriter")
            .field("filled", &self.filled)
            .field("capacity", &self.block.capacity)
            .finish_non_exhaustive()
    }
}

/// A range of a block that keeps the block alive.
///
/// # Threads
///
/// Any thread may read, clone and drop it.
pub struct Slice {
    /// Points at `len` filled bytes of `block`.
    start: *const u8,
    len: usize,
    block: Arc<Block>,
    /// Whether it counts as held by the application.
    is_held: bool,
}

// SAFETY: it reads filled bytes of a block, which nobody writes, and owns a share of the block.
unsafe impl Send for Slice {}
// SAFETY: as above; it has no interior mutability.
unsafe impl Sync for Slice {}

impl Slice {
    /// Maps the first `len` bytes of `file`; the descriptor may be closed afterwards.
    ///
    /// Whoever maps a file vouches for it: nobody may truncate or rewrite it while a slice of it
    /// is alive. A page that has been truncated away ends the process with SIGBUS.
    ///
    /// # Errors
    ///
    /// What `mmap(2)` says; a `len` of 0 is refused.
    pub fn map(file: &File, len: usize) -> io::Result<Self> {
        let map = map_file(file, len)?;
        let start = map.as_ptr();
        let storage = Storage::Mapped { _map: map };
        let block = Arc::new(Block { storage, start, capacity: len, charge: None });
        Ok(Self::of(&block, 0..len))
    }

    #[inline]
    fn of(block: &Arc<Block>, range: Range<usize>) -> Self {
        // SAFETY: the caller has checked that the range is within the block.
        let start = unsafe { block.start.add(range.start) };
        Self { start, len: range.end - range.start, block: Arc::clone(block), is_held: false }
    }

    /// Shares a part of this slice.
    ///
    /// # Panics
    ///
    /// Panics if the range is not within the slice.
    #[inline]
    pub fn slice(&self, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.len, "range outside of a slice");
        // SAFETY: the range has just been checked.
        let start = unsafe { self.start.add(range.start) };
        self.share(start, range.end - range.start, self.is_held)
    }

    /// Returns the size of the block that this slice keeps, in bytes.
    pub fn block_len(&self) -> usize {
        self.block.capacity
    }

    /// Tells whether nothing but this slice keeps its block; only a hint, since another thread
    /// may drop its share right now.
    pub fn is_alone(&self) -> bool {
        Arc::strong_count(&self.block) == 1
    }

    /// Tells whether the bytes are pages of a mapped file.
    pub fn is_mapped(&self) -> bool {
        matches!(self.block.storage, Storage::Mapped { .. })
    }

    /// Shares the slice as one that the application holds: as long as it, a clone or a part of it
    /// lives, all bytes of the block count as held.
    pub fn hold(&self) -> Self {
        self.share(self.start, self.len, true)
    }

    #[inline]
    fn share(&self, start: *const u8, len: usize, is_held: bool) -> Self {
        if let (true, Some(charge)) = (is_held, &self.block.charge) {
            charge.hold();
        }
        Self { start, len, block: Arc::clone(&self.block), is_held }
    }

    /// Makes a `Bytes` of the same memory, without a copy.
    pub fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl Clone for Slice {
    #[inline]
    fn clone(&self) -> Self {
        self.share(self.start, self.len, self.is_held)
    }
}

impl Drop for Slice {
    #[inline]
    fn drop(&mut self) {
        if let (true, Some(charge)) = (self.is_held, &self.block.charge) {
            charge.let_go();
        }
    }
}

impl Deref for Slice {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: `start` and `len` name filled bytes of the block that this slice keeps alive,
        // and filled bytes are not written while a slice exists.
        unsafe { slice::from_raw_parts(self.start, self.len) }
    }
}

impl AsRef<[u8]> for Slice {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slice")
            .field("len", &self.len)
            .field("block_len", &self.block.capacity)
            .finish_non_exhaustive()
    }
}
