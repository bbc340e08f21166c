//! The entries of a segment's two sparse indexes.
//!
//! ```text
//! .index      relative offset  int32  0   last offset of a batch, less the segment's base offset
//!             position         int32  4   where that batch begins in the .log
//! .timeindex  timestamp        int64  0   the largest timestamp so far, ms
//!             relative offset  int32  8   last offset of the batch that brought it
//! ```
//!
//! Entries rise. A broker makes the files of its active segment 10 MiB long beforehand and cuts
//! them when it rolls or stops, so zeros may follow; and a broker that was killed leaves whatever
//! had reached the disk. So what is read is the part from the start that rises, and even that is a
//! hint: whoever follows it checks what it leads to. The source is Kafka's `OffsetIndex` and
//! `TimeIndex`.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

/// An entry of an offset index: where a batch lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetIndexEntry {
    /// The batch's last offset, relative to the segment's base offset.
    pub relative_offset: i32,
    /// Where the batch begins in the segment, in bytes.
    pub position: i32,
}

/// An entry of a time index: no batch up to this offset has a later timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeIndexEntry {
    /// The largest timestamp in ms up to this offset.
    pub timestamp: i64,
    /// The last offset of the first batch that has it, relative to the segment's base offset.
    pub relative_offset: i32,
}

impl OffsetIndexEntry {
    /// Bytes of an entry.
    pub const LEN: usize = 8;

    /// Returns the entries from the start of `bytes` that rise in both fields.
    ///
    /// Neither field is 0 in an entry that a broker wrote: the segment's first batch has none.
    pub fn parse(bytes: &[u8]) -> Vec<Self> {
        let (entries, _) = bytes.as_chunks();
        let mut last = Self { relative_offset: 0, position: 0 };
        entries
            .iter()
            .map(Self::from_bytes)
            .take_while(|entry| {
                let rises =
                    entry.relative_offset > last.relative_offset && entry.position > last.position;
                last = *entry;
                rises
            })
            .collect()
    }

    /// Returns the entry as it stands in the file.
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let (offset, position) = bytes.split_at_mut(4);
        offset.copy_from_slice(&self.relative_offset.to_be_bytes());
        position.copy_from_slice(&self.position.to_be_bytes());
        bytes
    }

    /// Returns the last of the rising `entries` that is not above `relative_offset`.
    ///
    /// The batch that holds the offset does not begin before this entry's position.
    pub fn lookup(entries: &[Self], relative_offset: i64) -> Option<Self> {
        let above =
            entries.partition_point(|entry| i64::from(entry.relative_offset) <= relative_offset);
        entries.get(above.checked_sub(1)?).copied()
    }

    fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        let [a, b, c, d, e, f, g, h] = *bytes;
        Self {
            relative_offset: i32::from_be_bytes([a, b, c, d]),
            position: i32::from_be_bytes([e, f, g, h]),
        }
    }
}

impl TimeIndexEntry {
    /// Bytes of an entry.
    pub const LEN: usize = 12;

    /// Returns the entries from the start of `bytes` that rise in both fields.
    ///
    /// An entry of zeros ends them, though a first batch of one record with timestamp 0 has such a
    /// one: it says no more than where the segment begins.
    pub fn parse(bytes: &[u8]) -> Vec<Self> {
        let (entries, _) = bytes.as_chunks();
        let (mut last_timestamp, mut last_offset) = (-1, -1);
        entries
            .iter()
            .map(Self::from_bytes)
            .take_while(|entry| {
                let rises = entry.timestamp > last_timestamp && entry.relative_offset > last_offset;
                (last_timestamp, last_offset) = (entry.timestamp, entry.relative_offset);
                rises && (entry.timestamp, entry.relative_offset) != (0, 0)
            })
            .collect()
    }

    /// Returns the entry as it stands in the file.
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let (timestamp, offset) = bytes.split_at_mut(8);
        timestamp.copy_from_slice(&self.timestamp.to_be_bytes());
        offset.copy_from_slice(&self.relative_offset.to_be_bytes());
        bytes
    }

    /// Returns the last of the rising `entries` that is not later than `timestamp`.
    ///
    /// No batch before the one that ends with this entry's offset has `timestamp` or a later one.
    pub fn lookup(entries: &[Self], timestamp: i64) -> Option<Self> {
        let above = entries.partition_point(|entry| entry.timestamp <= timestamp);
        entries.get(above.checked_sub(1)?).copied()
    }

    fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        let [a, b, c, d, e, f, g, h, offset @ ..] = *bytes;
        Self {
            timestamp: i64::from_be_bytes([a, b, c, d, e, f, g, h]),
            relative_offset: i32::from_be_bytes(offset),
        }
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn offset_entry((relative_offset, position): (i32, i32)) -> OffsetIndexEntry {
        OffsetIndexEntry { relative_offset, position }
    }

    fn time_entry((timestamp, relative_offset): (i64, i32)) -> TimeIndexEntry {
        TimeIndexEntry { timestamp, relative_offset }
    }

    fn offset_bytes(entries: &[OffsetIndexEntry]) -> Vec<u8> {
        entries.iter().flat_map(|entry| entry.to_bytes()).collect()
    }

    fn time_bytes(entries: &[TimeIndexEntry]) -> Vec<u8> {
        entries.iter().flat_map(|entry| entry.to_bytes()).collect()
    }

    #[test]
    fn entries_stand_as_kafka_writes_them() {
        assert_eq!(offset_entry((0x0102, 0x0304_0506)).to_bytes(), [0, 0, 1, 2, 3, 4, 5, 6]);
        let time = time_entry((0x0102_0304_0506_0708, 9));
        assert_eq!(time.to_bytes(), [1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 9]);
    }

    #[test]
    fn what_does_not_rise_ends_the_entries() {
        let good = [(3, 5000), (9, 10_000)].map(offset_entry);
        for bad in [(0, 0), (9, 20_000), (8, 20_000), (10, 10_000), (10, -1), (-1, 20_000)] {
            let bytes =
                offset_bytes(&[good[0], good[1], offset_entry(bad), offset_entry((99, 99))]);
            assert_eq!(OffsetIndexEntry::parse(&bytes), good, "{bad:?}");
        }
        let good = [(0, 4), (100, 5)].map(time_entry);
        for bad in [(0, 0), (100, 6), (99, 6), (101, 5), (101, -1), (-1, 9)] {
            let bytes =
                time_bytes(&[good[0], good[1], time_entry(bad), time_entry((i64::MAX, 99))]);
            assert_eq!(TimeIndexEntry::parse(&bytes), good, "{bad:?}");
        }
    }

    #[test]
    fn zeros_of_a_file_made_beforehand_are_no_entries() {
        assert_eq!(OffsetIndexEntry::parse(&[0; 800]), []);
        assert_eq!(TimeIndexEntry::parse(&[0; 1200]), []);
        assert_eq!(TimeIndexEntry::parse(&time_entry((-1, 5)).to_bytes()), []);
    }

    proptest! {
        #[test]
        fn rising_entries_come_back_whatever_follows(
            steps in prop::collection::vec((1..1000_i32, 1..1000_i32), 0..50),
            zeros in 0..40_usize,
        ) {
            let mut last = (0, 0);
            let mut rise = |(one, other): (i32, i32)| {
                last = (last.0 + one, last.1 + other);
                last
            };
            let pairs: Vec<(i32, i32)> = steps.into_iter().map(&mut rise).collect();
            let offsets: Vec<_> = pairs.iter().copied().map(offset_entry).collect();
            let times: Vec<_> =
                pairs.iter().map(|(time, offset)| time_entry(((*time).into(), *offset))).collect();
            let (mut offset_bytes, mut time_bytes) = (offset_bytes(&offsets), time_bytes(&times));
            offset_bytes.resize(offset_bytes.len() + zeros, 0);
            time_bytes.resize(time_bytes.len() + zeros, 0);
            prop_assert_eq!(OffsetIndexEntry::parse(&offset_bytes), offsets);
            prop_assert_eq!(TimeIndexEntry::parse(&time_bytes), times);
        }

        #[test]
        fn lookup_finds_what_a_search_from_the_end_finds(
            bytes in prop::collection::vec(0..4_u8, 0..100),
            wanted in 0..0x0400_0000_i64,
        ) {
            let offsets = OffsetIndexEntry::parse(&bytes);
            let is_found = |entry: &&OffsetIndexEntry| i64::from(entry.relative_offset) <= wanted;
            let naive = offsets.iter().rev().find(is_found);
            prop_assert_eq!(OffsetIndexEntry::lookup(&offsets, wanted), naive.copied());
            let times = TimeIndexEntry::parse(&bytes);
            let wanted = wanted << 32;
            let naive = times.iter().rev().find(|entry| entry.timestamp <= wanted);
            prop_assert_eq!(TimeIndexEntry::lookup(&times, wanted), naive.copied());
        }
    }
}
