//! The index entries of a segment, made from its batches in order.
//!
//! Appending and recovering give the same entries, those that Kafka's `LogSegment` makes: one of
//! each index for the first batch behind more than the interval's bytes since the last entry, and a
//! last one of the time index when the segment is closed.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::index::{OffsetIndexEntry, TimeIndexEntry};
use crate::record::BatchHeader;

/// The timestamp of records that have none.
const NO_TIMESTAMP: i64 = -1;

/// Makes a segment's index entries and keeps those that are not in the files yet.
#[derive(Debug)]
pub(super) struct Indexer {
    base_offset: i64,
    interval_bytes: u64,
    /// Bytes of batches since the one with the last entry, that one included.
    bytes_since_entry: u64,
    /// What an entry of the time index would say now.
    max_timestamp: TimeIndexEntry,
    /// The largest timestamp that the time index has.
    indexed_timestamp: i64,
    /// Entries of the offset index for its file.
    pub(super) offsets: Vec<u8>,
    /// Entries of the time index for its file.
    pub(super) times: Vec<u8>,
}

impl Indexer {
    pub(super) fn new(base_offset: i64, interval_bytes: u32) -> Self {
        Self {
            base_offset,
            interval_bytes: interval_bytes.into(),
            bytes_since_entry: 0,
            max_timestamp: TimeIndexEntry { timestamp: NO_TIMESTAMP, relative_offset: 0 },
            indexed_timestamp: NO_TIMESTAMP,
            offsets: Vec::new(),
            times: Vec::new(),
        }
    }

    /// Tells whether the segment's 32-bit numbers can say where a batch that begins at `position`
    /// lies and ends.
    pub(super) fn fits(&self, header: &BatchHeader, position: u64) -> bool {
        self.relative(header).is_some() && i32::try_from(position).is_ok()
    }

    /// Takes the next batch, which [`fits`](Self::fits).
    pub(super) fn add(&mut self, header: &BatchHeader, position: u64) {
        let (Some(relative_offset), Ok(position)) =
            (self.relative(header), i32::try_from(position))
        else {
            return;
        };
        if header.max_timestamp > self.max_timestamp.timestamp {
            let timestamp = header.max_timestamp;
            self.max_timestamp = TimeIndexEntry { timestamp, relative_offset };
        }
        if self.bytes_since_entry > self.interval_bytes {
            let entry = OffsetIndexEntry { relative_offset, position };
            self.offsets.extend_from_slice(&entry.to_bytes());
            self.add_time();
            self.bytes_since_entry = 0;
        }
        let size = u64::try_from(header.size()).unwrap_or(u64::MAX);
        self.bytes_since_entry = self.bytes_since_entry.saturating_add(size);
    }

    /// Adds the largest timestamp to the time index unless it is there: what a segment that is
    /// rolled or closed ends with. Further batches may follow.
    pub(super) fn add_time(&mut self) {
        if self.max_timestamp.timestamp > self.indexed_timestamp {
            self.times.extend_from_slice(&self.max_timestamp.to_bytes());
            self.indexed_timestamp = self.max_timestamp.timestamp;
        }
    }

    fn relative(&self, header: &BatchHeader) -> Option<i32> {
        let relative = header.last_offset().checked_sub(self.base_offset)?;
        i32::try_from(relative).ok().filter(|relative| *relative >= 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{BatchBuilder, NewRecord};

    fn batch(base_offset: i64, timestamp: i64) -> BatchHeader {
        let mut builder = BatchBuilder::default();
        let record = NewRecord { timestamp, value: Some(&[7; 20]), ..NewRecord::default() };
        builder.append(&record).unwrap();
        builder.append(&record).unwrap();
        builder.finish(base_offset, &mut Vec::new()).unwrap()
    }

    #[test]
    fn entries_come_after_more_than_the_interval() {
        let size = u64::try_from(batch(100, 5).size()).unwrap();
        let interval = u32::try_from(size).unwrap();
        let mut indexer = Indexer::new(100, interval);
        // Later timestamps do not come with later offsets.
        for (number, timestamp) in (0..).zip([50, 70, 60, 70, 80, 90, -1]) {
            let header = batch(100 + 2 * number, timestamp);
            let position = size * u64::try_from(number).unwrap();
            assert!(indexer.fits(&header, position));
            indexer.add(&header, position);
        }
        let offsets = OffsetIndexEntry::parse(&indexer.offsets);
        let pairs: Vec<_> =
            offsets.iter().map(|entry| (entry.relative_offset, entry.position)).collect();
        let at = |number: u64| i32::try_from(size * number).unwrap();
        assert_eq!(pairs, [(5, at(2)), (9, at(4)), (13, at(6))]);
        indexer.add_time();
        indexer.add_time();
        let times = TimeIndexEntry::parse(&indexer.times);
        let pairs: Vec<_> =
            times.iter().map(|entry| (entry.timestamp, entry.relative_offset)).collect();
        assert_eq!(pairs, [(70, 3), (80, 9), (90, 11)]);
        assert_eq!(indexer.times.len(), 3 * TimeIndexEntry::LEN);
    }

    #[test]
    fn numbers_above_32_bits_do_not_fit() {
        let indexer = Indexer::new(100, 0);
        let last = 100 + i64::from(i32::MAX);
        assert!(indexer.fits(&batch(last - 1, 0), i32::MAX as u64));
        assert!(!indexer.fits(&batch(last, 0), 0));
        assert!(!indexer.fits(&batch(50, 0), 0), "below the base offset");
        assert!(!indexer.fits(&batch(100, 0), 1 << 31));
    }
}
