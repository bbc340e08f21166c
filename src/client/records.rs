//! What a poll returns: records in bulk, and what happened to partitions.
//!
//! Records are descriptors into slices of the blocks they were received or inflated into. Reading
//! them cannot fail, needs no consumer and works on any thread; they stay where they are as long
//! as a clone of the handle lives, whatever becomes of the consumer. Dropping the last clone gives
//! the memory back to the consumer's budget.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use crossbeam::queue::ArrayQueue;

use crate::buffer::Slice;
use crate::error::Error;
use crate::record::{Descriptor, Headers, TimestampType};
use crate::topic::TopicName;

/// Handles' inner vectors that wait to be used again.
const RECYCLED_MAX: usize = 8;

/// Descriptors of a handle that is worth recycling: more would only sit there.
const RECYCLED_RECORDS_MAX: usize = 64 * 1024;

/// Records of one partition that follow one another in a handle.
#[derive(Clone, Debug)]
pub struct PartitionRun {
    pub(crate) topic: TopicName,
    pub(super) partition: i32,
    /// The consumer's index of the partition.
    pub(super) index: u32,
    pub(super) first: usize,
    pub(super) count: usize,
    pub(super) next_offset: i64,
    pub(super) leader_epoch: i32,
    pub(super) high_watermark: i64,
    pub(super) timestamp_type: TimestampType,
    pub(super) broker: i32,
}

impl PartitionRun {
    /// Returns the topic's name.
    pub fn topic(&self) -> &str {
        self.topic.as_str()
    }

    /// Returns the partition's number.
    pub fn partition(&self) -> i32 {
        self.partition
    }

    /// Returns the place of its first record in the handle.
    pub fn first(&self) -> usize {
        self.first
    }

    /// Returns how many records it has, at least one.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Tells whether it has no record, which never happens.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the offset to commit when all of its records have been processed. It may be above
    /// the last record's offset + 1: what compaction left out is stepped over with it.
    pub fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// Returns the leader epoch of its records, to commit with the offset; −1 where there is none.
    pub fn leader_epoch(&self) -> i32 {
        self.leader_epoch
    }

    /// Returns the partition's high watermark when the records were read, −1 if it is unknown.
    pub fn high_watermark(&self) -> i64 {
        self.high_watermark
    }

    /// Returns whose clock the records' time stamps are of.
    pub fn timestamp_type(&self) -> TimestampType {
        self.timestamp_type
    }

    /// Returns the id of the broker that sent the records, −1 where a file had them.
    pub fn broker(&self) -> i32 {
        self.broker
    }
}

/// Something that happened to a partition, behind its last record of the same handle.
#[derive(Clone, Debug)]
pub struct PartitionEvent {
    pub(crate) topic: TopicName,
    partition: i32,
    kind: EventKind,
}

/// What happened to a partition.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum EventKind {
    /// When everything up to the high watermark has been read (`enable.partition.eof`).
    End {
        /// The high watermark, where the next record will be.
        offset: i64,
    },
    /// When the position was outside of the partition and has been reset (`auto.offset.reset`).
    Reset {
        /// The position before.
        from: i64,
        /// The position now.
        to: i64,
    },
    /// When the partition failed.
    Failed {
        /// Why.
        error: Error,
        /// Whether it gives no more records until a seek; else the engine goes on trying.
        sticky: bool,
    },
}

impl PartitionEvent {
    pub(super) fn new(topic: &TopicName, partition: i32, kind: EventKind) -> Self {
        Self { topic: topic.clone(), partition, kind }
    }

    /// Returns the topic's name.
    pub fn topic(&self) -> &str {
        self.topic.as_str()
    }

    /// Returns the partition's number.
    pub fn partition(&self) -> i32 {
        self.partition
    }

    /// Returns what happened.
    pub fn kind(&self) -> &EventKind {
        &self.kind
    }
}

/// The parts of a handle, which are used again when it is gone.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) descriptors: Vec<Descriptor>,
    pub(super) slices: Vec<Slice>,
    pub(super) runs: Vec<PartitionRun>,
    pub(super) events: Vec<PartitionEvent>,
}

impl Parts {
    pub(super) fn is_empty(&self) -> bool {
        self.descriptors.is_empty() && self.events.is_empty()
    }

    fn clear(&mut self) {
        self.descriptors.clear();
        self.slices.clear();
        self.runs.clear();
        self.events.clear();
    }
}

/// Takes the parts of dropped handles, on any thread.
#[derive(Clone, Debug)]
pub(super) struct Recycler(Arc<ArrayQueue<Parts>>);

impl Recycler {
    pub(super) fn new() -> Self {
        Self(Arc::new(ArrayQueue::new(RECYCLED_MAX)))
    }

    pub(super) fn take(&self) -> Parts {
        self.0.pop().unwrap_or_default()
    }

    pub(super) fn give_back(&self, mut parts: Parts) {
        parts.clear();
        if parts.descriptors.capacity() <= RECYCLED_RECORDS_MAX {
            // A full queue hands them back to us, and dropping them frees them.
            drop(self.0.push(parts));
        }
    }
}

struct Inner {
    parts: Parts,
    recycler: Recycler,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.recycler.give_back(std::mem::take(&mut self.parts));
    }
}

/// A handle on the records and events that one poll returned; a clone is the same handle.
///
/// # Threads
///
/// Any thread may read, clone and drop it.
#[derive(Clone)]
pub struct Records {
    inner: Arc<Inner>,
}

impl Records {
    pub(super) fn new(parts: Parts, recycler: &Recycler) -> Self {
        Self { inner: Arc::new(Inner { parts, recycler: recycler.clone() }) }
    }

    /// Returns how many records there are.
    pub fn len(&self) -> usize {
        self.inner.parts.descriptors.len()
    }

    /// Tells whether there is no record; there is at least one event then.
    pub fn is_empty(&self) -> bool {
        self.inner.parts.descriptors.is_empty()
    }

    /// Returns the records by partition: each partition's lie together, in offset order.
    pub fn runs(&self) -> &[PartitionRun] {
        &self.inner.parts.runs
    }

    /// Returns what happened to partitions.
    pub fn events(&self) -> &[PartitionEvent] {
        &self.inner.parts.events
    }

    /// Returns the descriptors of all records, in the order of the runs.
    pub fn descriptors(&self) -> &[Descriptor] {
        &self.inner.parts.descriptors
    }

    /// Returns the slices that the descriptors' `block` counts.
    pub fn slices(&self) -> &[Slice] {
        &self.inner.parts.slices
    }

    /// Returns the record at `place`.
    pub fn get(&self, place: usize) -> Option<Record<'_>> {
        let run = self.runs().partition_point(|run| run.first <= place).checked_sub(1)?;
        self.record(self.runs().get(run)?, place)
    }

    fn record<'a>(&'a self, run: &'a PartitionRun, place: usize) -> Option<Record<'a>> {
        let descriptor = self.descriptors().get(place)?;
        let slice = self.slices().get(descriptor.block as usize)?;
        Some(Record { run, descriptor, slice })
    }

    /// Iterates over all records.
    pub fn iter(&self) -> Iter<'_> {
        Iter { records: self, runs: self.runs(), place: 0 }
    }
}

impl<'a> IntoIterator for &'a Records {
    type Item = Record<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records")
            .field("len", &self.len())
            .field("runs", &self.runs())
            .field("events", &self.events())
            .finish()
    }
}

/// Iterates over the records of a handle.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    records: &'a Records,
    /// The runs from the current one on.
    runs: &'a [PartitionRun],
    place: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = Record<'a>;

    #[inline]
    fn next(&mut self) -> Option<Record<'a>> {
        let (mut run, rest) = self.runs.split_first()?;
        if self.place == run.first + run.count {
            self.runs = rest;
            run = rest.first()?;
        }
        let record = self.records.record(run, self.place);
        self.place += 1;
        record
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.records.len() - self.place;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Iter<'_> {}

/// One record of a handle.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    run: &'a PartitionRun,
    descriptor: &'a Descriptor,
    slice: &'a Slice,
}

impl<'a> Record<'a> {
    /// Returns the topic's name.
    pub fn topic(&self) -> &'a str {
        self.run.topic()
    }

    /// Returns the partition's number.
    pub fn partition(&self) -> i32 {
        self.run.partition
    }

    /// Returns the partition's run that the record belongs to.
    pub fn run(&self) -> &'a PartitionRun {
        self.run
    }

    /// Returns the offset.
    #[inline]
    pub fn offset(&self) -> i64 {
        self.descriptor.offset
    }

    /// Returns the time stamp in ms since the epoch, −1 where there is none.
    #[inline]
    pub fn timestamp(&self) -> i64 {
        self.descriptor.timestamp
    }

    /// Returns the key, where it lies.
    #[inline]
    pub fn key(&self) -> Option<&'a [u8]> {
        self.descriptor.key(self.slice)
    }

    /// Returns the value, where it lies; none for a tombstone.
    #[inline]
    pub fn value(&self) -> Option<&'a [u8]> {
        self.descriptor.value(self.slice)
    }

    /// Returns the value as `Bytes` that keep its block alive, without a copy.
    pub fn value_bytes(&self) -> Option<Bytes> {
        let at = self.descriptor.value as usize;
        let len = usize::try_from(self.descriptor.value_len).ok()?;
        Some(self.slice.slice(at..at + len).into_bytes())
    }

    /// Returns the headers, in the producer's order.
    pub fn headers(&self) -> Headers<'a> {
        self.descriptor.headers(self.slice)
    }
}
