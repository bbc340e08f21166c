//! The orders in which Java walks its strings, maps and sets.
//!
//! Where Java's sticky assignors have a choice, the winner is whoever comes first out of a
//! `HashMap` of member ids or a `HashSet` of partitions. A group whose leader changes between Java
//! and kfetch would move partitions for nothing if this end chose otherwise, so the order is
//! computed: a table of 2ⁿ buckets, at least 16 and a third larger than what is in it, walked by
//! bucket and within a bucket in order of insertion. Not followed: Java makes a tree of a bucket
//! once eight keys share it, which random ids do not.

#![forbid(unsafe_code)]

use std::cmp::Ordering;
use std::collections::BTreeMap;

/// Buckets of a table that has no element yet.
const BUCKETS_MIN: usize = 16;

/// Compares as `String.compareTo`: by UTF-16 units.
pub(super) fn compare(left: &str, right: &str) -> Ordering {
    if left.is_ascii() && right.is_ascii() {
        return left.cmp(right);
    }
    left.encode_utf16().cmp(right.encode_utf16())
}

/// Returns the numbers of the keys in the order in which a `HashMap` is walked that they were put
/// into one after another.
pub(super) fn map_order(keys: &[&str]) -> Vec<usize> {
    let hashes: Vec<i32> = keys.iter().copied().map(string_hash).collect();
    let buckets = bucket_count(BUCKETS_MIN, hashes.len());
    let mut order: Vec<usize> = (0..hashes.len()).collect();
    order.sort_by_key(|&key| bucket(hashes[key], buckets));
    order
}

/// Returns what [`map_order`] does for a map filled by `HashMap.computeIfAbsent`, which puts a key
/// in front of its bucket, and makes the table larger one key later.
pub(super) fn computed_order(keys: &[&str]) -> Vec<usize> {
    let hashes: Vec<i32> = keys.iter().copied().map(string_hash).collect();
    let buckets = bucket_count(BUCKETS_MIN, hashes.len().saturating_sub(1));
    let mut order: Vec<usize> = (0..hashes.len()).rev().collect();
    order.sort_by_key(|&key| bucket(hashes[key], buckets));
    order
}

/// Returns `String.hashCode`.
pub(super) fn string_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(unit.into()))
}

/// A `HashSet` of partitions of one topic, of which only the first in order is asked for.
#[derive(Debug)]
pub(super) struct PartitionSet {
    /// By bucket and order of insertion.
    elements: BTreeMap<(usize, u64), i32>,
    topic_hash: i32,
    /// Grows with the elements, and stays when they go.
    buckets: usize,
    inserted: u64,
}

impl PartitionSet {
    /// Makes an empty set for a topic whose name has this hash.
    pub(super) fn new(topic_hash: i32) -> Self {
        Self { elements: BTreeMap::new(), topic_hash, buckets: BUCKETS_MIN, inserted: 0 }
    }

    /// Adds a partition that is not in it.
    pub(super) fn insert(&mut self, partition: i32) {
        self.inserted += 1;
        self.elements.insert((self.bucket_of(partition), self.inserted), partition);
        let buckets = bucket_count(self.buckets, self.elements.len());
        if buckets > self.buckets {
            self.buckets = buckets;
            let elements = std::mem::take(&mut self.elements);
            for ((_, inserted), partition) in elements {
                self.elements.insert((self.bucket_of(partition), inserted), partition);
            }
        }
    }

    /// Removes a partition.
    pub(super) fn remove(&mut self, partition: i32) {
        let bucket = self.bucket_of(partition);
        let mut found = self.elements.range((bucket, 0)..=(bucket, u64::MAX));
        if let Some((&key, _)) = found.find(|(_, element)| **element == partition) {
            self.elements.remove(&key);
        }
    }

    /// Returns the partition that is walked first.
    pub(super) fn first(&self) -> Option<i32> {
        self.elements.first_key_value().map(|(_, partition)| *partition)
    }

    /// Tells whether there is no partition.
    pub(super) fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// By `TopicPartition.hashCode`.
    fn bucket_of(&self, partition: i32) -> usize {
        let hash = 31_i32.wrapping_add(partition).wrapping_mul(31).wrapping_add(self.topic_hash);
        bucket(hash, self.buckets)
    }
}

fn bucket_count(least: usize, elements: usize) -> usize {
    let mut buckets = least;
    while elements > buckets / 4 * 3 {
        buckets *= 2;
    }
    buckets
}

fn bucket(hash: i32, buckets: usize) -> usize {
    let hash = hash.cast_unsigned();
    usize::try_from(hash ^ (hash >> 16)).unwrap_or_default() & (buckets - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_java() {
        assert_eq!(string_hash(""), 0);
        assert_eq!(string_hash("hello"), 99_162_322);
        assert_eq!(string_hash("polygenelubricants"), i32::MIN);
        assert_eq!(string_hash("𝄞"), 55_348 * 31 + 56_606);
    }

    #[test]
    fn strings_compare_by_their_units() {
        assert_eq!(compare("𝄞", "\u{FF5E}"), Ordering::Less);
        assert_eq!("𝄞".cmp("\u{FF5E}"), Ordering::Greater);
        assert_eq!(compare("a", "ab"), Ordering::Less);
    }

    #[test]
    fn single_letters_are_walked_by_their_code() {
        // 'p' is 112, a multiple of 16: the first bucket of a small table.
        assert_eq!(map_order(&["q", "a", "p", "b"]), [2, 0, 1, 3]);
        assert_eq!(map_order(&["q", "a"]), [0, 1]);
        assert_eq!(map_order(&["a", "q"]), [0, 1]);
        assert_eq!(computed_order(&["a", "q", "p"]), [2, 1, 0]);
    }

    #[test]
    fn a_set_forgets_what_is_removed() {
        let mut set = PartitionSet::new(0);
        (0..40).for_each(|partition| set.insert(partition));
        while let Some(partition) = set.first() {
            set.remove(partition);
        }
        assert!(set.is_empty());
        assert_eq!(set.buckets, 64);
    }
}
