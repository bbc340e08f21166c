//! What the records of an offsets partition come to, one after the other.
//!
//! The last value of each key counts, and a tombstone ends it. Records of a transaction wait for
//! its marker; one that is older than the value its key has got meanwhile changes nothing, as in
//! Kafka's `OffsetMetadataManager`. Keys of all kinds are kept, and values as they stand: what is
//! not known here is not lost when the partition is compacted.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::log_records::{LogRecord, for_each_record};
use super::offset_record::{OffsetValue, RecordKey};
use super::offsets::{OffsetRecord, Offsets};
use crate::buffer::pool::BLOCK_MAX_BYTES;
use crate::buffer::{Budget, Pool};
use crate::error::{Error, ErrorKind, Result};
use crate::log::{Chunk, PartitionDir, PartitionReader, ReadMode};
use crate::record::{BatchHeader, ControlKey, ControlType, Inflater};

/// How often a partition is read from its start before it is given up: its writer may compact it
/// meanwhile.
const ATTEMPTS: usize = 10;

/// The last value of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Live {
    /// Of the record.
    pub(super) offset: i64,
    pub(super) timestamp_ms: i64,
    pub(super) value: Vec<u8>,
}

/// A change by a transaction that is open: the key and what it will have.
type Pending = Vec<(Vec<u8>, Option<Live>, i64)>;

/// What has been read so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Replay {
    live: BTreeMap<Vec<u8>, Live>,
    /// By producer id.
    open: BTreeMap<i64, Pending>,
    record_count: usize,
}

impl Replay {
    /// Reads a partition up to its high watermark.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`], [`ErrorKind::Corrupt`] and [`ErrorKind::Unsupported`], with topic,
    /// partition and offset.
    pub(super) fn read(dir: &PartitionDir) -> Result<Self> {
        let named = |error: Error| error.with_partition(&dir.topic, dir.partition);
        for _ in 0..ATTEMPTS {
            if let Some(replay) = Self::try_read(dir).map_err(named)? {
                return Ok(replay);
            }
        }
        let text = "its segments change while they are read";
        Err(named(Error::new(ErrorKind::Io, text).with_retriable(true)))
    }

    /// As [`Replay::read`]; `None` if segments were removed while they were read.
    fn try_read(dir: &PartitionDir) -> Result<Option<Self>> {
        let mut reader = PartitionReader::open(dir, ReadMode::Pread)?;
        let mut pool = Pool::new(BLOCK_MAX_BYTES);
        let budget = Budget::new(usize::MAX, Box::new(|| {}));
        let mut inflater = Inflater::new();
        let mut replay = Self::default();
        loop {
            match reader.read(&mut pool, &budget, BLOCK_MAX_BYTES)? {
                Chunk::Run { bytes, .. } => {
                    for_each_record(&bytes, &mut inflater, |batch, one| {
                        replay.see(batch, one);
                    })?
                }
                Chunk::End { .. } => return Ok(Some(replay)),
                Chunk::OutOfRange { .. } | Chunk::NoCredit { .. } => return Ok(None),
                Chunk::Damaged { offset, kind, text } => {
                    return Err(Error::new(kind, text).with_offset(offset));
                }
            }
        }
    }

    fn see(&mut self, batch: &BatchHeader, record: &LogRecord<'_>) {
        self.record_count = self.record_count.saturating_add(1);
        let Some(key) = record.key else { return };
        if batch.is_control() {
            return self.end_transaction(batch.producer_id, key);
        }
        let live = record.value.map(|value| Live {
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            value: value.to_vec(),
        });
        if batch.is_transactional() {
            let pending = self.open.entry(batch.producer_id).or_default();
            pending.push((key.to_vec(), live, record.offset));
        } else {
            self.set(key.to_vec(), live);
        }
    }

    fn end_transaction(&mut self, producer_id: i64, key: &[u8]) {
        let control_type = ControlKey::parse(key).map(|key| key.control_type);
        let commits = match control_type {
            Ok(ControlType::Commit) => true,
            Ok(ControlType::Abort) => false,
            _ => return,
        };
        for (key, live, offset) in self.open.remove(&producer_id).unwrap_or_default() {
            let is_newer = self.live.get(&key).is_none_or(|found| found.offset < offset);
            if commits && is_newer {
                self.set(key, live);
            }
        }
    }

    /// Sets the value of a key, `None` for none.
    fn set(&mut self, key: Vec<u8>, live: Option<Live>) {
        match (self.live.entry(key), live) {
            (Entry::Occupied(mut entry), Some(live)) => {
                entry.insert(live);
            }
            (Entry::Occupied(entry), None) => {
                entry.remove();
            }
            (Entry::Vacant(entry), Some(live)) => {
                entry.insert(live);
            }
            (Entry::Vacant(_), None) => {}
        }
    }

    /// Takes note of a record that was appended behind what was read.
    pub(super) fn appended(&mut self, key: Vec<u8>, live: Option<Live>) {
        self.record_count = self.record_count.saturating_add(1);
        self.set(key, live);
    }

    /// Takes note that the log now holds each key's last value and nothing else.
    pub(super) fn compacted(&mut self) {
        self.record_count = self.live.len();
    }

    /// Returns the keys with their last values.
    pub(super) fn live(&self) -> impl Iterator<Item = (&[u8], &Live)> {
        self.live.iter().map(|(key, live)| (key.as_slice(), live))
    }

    /// Returns how many records there are beside the last values.
    pub(super) fn dead_count(&self) -> usize {
        self.record_count.saturating_sub(self.live.len())
    }

    /// Returns how many keys have values.
    pub(super) fn live_count(&self) -> usize {
        self.live.len()
    }

    /// Tells whether a transaction is open, whose records have to stay where they are.
    pub(super) fn has_open_transaction(&self) -> bool {
        !self.open.is_empty()
    }

    /// Adds the committed offsets among the values to `offsets`.
    pub(super) fn add_to(&self, offsets: &mut Offsets) {
        for (key, live) in &self.live {
            let Ok(RecordKey::Offset(key)) = RecordKey::parse(key) else { continue };
            let Ok(committed) = OffsetValue::parse(&live.value) else { continue };
            offsets.apply(OffsetRecord {
                group: key.group.to_owned(),
                topic: key.topic.to_owned(),
                partition: key.partition,
                committed: Some(committed),
            });
        }
    }
}
