//! Raw memory of one block: allocated zeroed, freed or recycled as a whole.
//!
//! It has no notion of what is filled or shared; that is the business of
//! [`block`](super::block). Any thread.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

/// Alignment of a block: a cache line, so that two blocks never share one.
const ALIGN_BYTES: usize = 64;

/// A piece of heap memory whose every byte is initialised.
#[derive(Debug)]
pub(super) struct Memory {
    start: NonNull<u8>,
    capacity: usize,
}

// SAFETY: the memory is owned by this value alone and is not tied to the thread that made it.
unsafe impl Send for Memory {}

impl Memory {
    /// Allocates `capacity` zeroed bytes; large ones cost page faults only where they are touched.
    ///
    /// # Panics
    ///
    /// Never for want of memory: that ends the process as every allocation of Rust does. Panics
    /// if `capacity` is 0 or above `isize::MAX`, which no caller passes.
    pub(super) fn zeroed(capacity: usize) -> Self {
        let layout = Self::layout(capacity);
        // SAFETY: the layout's size is not zero, `layout` refuses that.
        let pointer = unsafe { alloc_zeroed(layout) };
        let Some(start) = NonNull::new(pointer) else { handle_alloc_error(layout) };
        Self { start, capacity }
    }

    fn layout(capacity: usize) -> Layout {
        assert!(capacity > 0, "a block is never empty");
        match Layout::from_size_align(capacity, ALIGN_BYTES) {
            Ok(layout) => layout,
            Err(_) => panic!("a block of {capacity} bytes is larger than memory can be"),
        }
    }

    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: `zeroed` allocated it with this very layout, and nobody else frees it.
        unsafe { dealloc(self.start.as_ptr(), Self::layout(self.capacity)) }
    }
}
