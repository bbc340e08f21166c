//! Which rings have data: one bit per partition, set by producers, taken by the polling thread.
//!
//! A producer sets the bit after it has pushed; the polling thread takes all bits of a word at
//! once and then drains each ring of them to its end, or remembers the ring itself. So a bit that
//! was taken too early is set again by the push that follows, and none is lost.

#![forbid(unsafe_code)]

use crossbeam::utils::CachePadded;

use crate::sync::{Arc, AtomicU64, Ordering};

/// Partitions per word.
pub const WORD_BITS: usize = 64;

type Word = Arc<CachePadded<AtomicU64>>;

/// A producer's place in the ready set: one bit.
#[derive(Clone, Debug)]
pub struct ReadyBit {
    word: Word,
    mask: u64,
}

impl ReadyBit {
    /// Says that the ring has data.
    #[inline]
    pub fn mark(&self) {
        self.word.fetch_or(self.mask, Ordering::Release);
    }
}

/// The polling thread's side: all words.
#[derive(Debug, Default)]
pub struct ReadySet {
    words: Vec<Word>,
}

impl ReadySet {
    /// Returns the bit of the partition with this index, making room for it.
    pub fn bit(&mut self, index: usize) -> ReadyBit {
        while self.words.len() <= index / WORD_BITS {
            self.words.push(Arc::new(CachePadded::new(AtomicU64::new(0))));
        }
        ReadyBit {
            word: Arc::clone(&self.words[index / WORD_BITS]),
            mask: 1 << (index % WORD_BITS),
        }
    }

    /// Takes every bit that is set and calls `found` with the index of each.
    #[inline]
    pub fn take(&self, mut found: impl FnMut(usize)) {
        for (at, word) in self.words.iter().enumerate() {
            if word.load(Ordering::Relaxed) == 0 {
                continue;
            }
            let mut bits = word.swap(0, Ordering::Acquire);
            while bits != 0 {
                found(at * WORD_BITS + bits.trailing_zeros() as usize);
                bits &= bits - 1;
            }
        }
    }

    /// Tells whether any bit is set.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| word.load(Ordering::Relaxed) == 0)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn bits_are_taken_once_and_in_order_of_index() {
        let mut set = ReadySet::default();
        let bits: Vec<_> = (0..200).map(|index| set.bit(index)).collect();
        for index in [3, 64, 63, 199, 3] {
            bits[index].mark();
        }
        assert!(!set.is_empty());
        let mut found = Vec::new();
        set.take(|index| found.push(index));
        assert_eq!(found, [3, 63, 64, 199]);
        assert!(set.is_empty());
    }
}
