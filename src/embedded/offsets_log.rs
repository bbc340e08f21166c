//! Committed offsets on the disk: records of `__consumer_offsets`, in a log directory's segments.
//!
//! A group's records are in the partition that its hash names, as on a broker, so that a broker
//! finds them when it is given the segments. The number of partitions is that of the directories,
//! which are made when there is none, the last first: the highest number is the one that counts.
//!
//! A partition is compacted when it is opened and holds more dead records than live ones, and while
//! it grows. The last values are appended once more, to a segment of their own, which is put onto
//! the disk; then the segments before it are removed, oldest first. At every moment what is there,
//! read in order, comes to the same values, so a crash loses nothing.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::offset_record::{OffsetKey, OffsetValue};
use super::offsets::{OffsetRecord, Offsets};
use super::replay::{Live, Replay};
use crate::error::{Error, ErrorKind, Result};
use crate::log::names::{META_PROPERTIES, SegmentFile, partition_directory};
use crate::log::{LogDirs, LogWriter, LogWriterOptions, io_error};
use crate::record::NewRecord;

/// The topic of committed offsets.
pub(super) const TOPIC: &str = "__consumer_offsets";

/// Dead records that a partition may have beyond its live ones while it is open.
const DEAD_SPARE: usize = 100_000;

/// Records that are compacted at a time.
const ROUND_RECORDS: usize = 4096;

/// How committed offsets are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetsLogOptions {
    /// How many partitions the topic gets if it is not there (`offsets.topic.num.partitions`),
    /// ≥ 1.
    pub partitions: i32,
    /// Whether a commit is on the disk, and not only with the operating system, before it is
    /// acknowledged.
    pub sync: bool,
    /// The bytes that a segment does not exceed (`offsets.topic.segment.bytes`).
    pub segment_bytes: u64,
}

impl Default for OffsetsLogOptions {
    fn default() -> Self {
        Self { partitions: 50, sync: false, segment_bytes: 100 << 20 }
    }
}

/// Returns the partition of a group's records, of `count`: Java's `hashCode` of its name, as
/// Kafka's `Utils.abs` makes it positive.
pub fn partition_of(group: &str, count: i32) -> i32 {
    let hash = group
        .encode_utf16()
        .fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    hash.checked_abs().unwrap_or(0).checked_rem(count).unwrap_or(0)
}

/// The offsets log of a directory, for the one who holds the directory's coordinator lock.
///
/// # Threads
///
/// One at a time; every call may wait for the disk.
#[derive(Debug)]
pub struct OffsetsLog {
    dir: PathBuf,
    options: OffsetsLogOptions,
    partition_count: i32,
    /// Those that have records.
    partitions: BTreeMap<i32, Partition>,
}

#[derive(Debug)]
struct Partition {
    writer: LogWriter,
    replay: Replay,
}

impl OffsetsLog {
    /// Opens the log of `dir`, making it where it is not there, and returns the offsets in it.
    ///
    /// What a writer that was killed has left is put right, and partitions are compacted.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] for a broker's directory; [`ErrorKind::Locked`] while another
    /// process writes the partitions; [`ErrorKind::Corrupt`] for damage; [`ErrorKind::Io`].
    pub fn open(dir: &Path, options: OffsetsLogOptions) -> Result<(Self, Offsets)> {
        refuse_brokers(dir)?;
        fs::create_dir_all(dir).map_err(|error| io_error("make", dir, &error))?;
        let found = partition_numbers(dir)?;
        let partition_count = match found.last() {
            Some(last) => last.saturating_add(1),
            None => make_partitions(dir, options.partitions.max(1))?,
        };
        let partitions = BTreeMap::new();
        let mut log = Self { dir: dir.to_owned(), options, partition_count, partitions };
        let mut offsets = Offsets::default();
        for number in found {
            if has_records(&dir.join(partition_directory(TOPIC, number)))? {
                let partition = log.open_partition(number)?;
                partition.replay.add_to(&mut offsets);
                if is_worth_compacting(&partition.replay, 0) {
                    partition.compact()?;
                }
            }
        }
        Ok((log, offsets))
    }

    /// Returns how many partitions the topic has.
    pub fn partition_count(&self) -> i32 {
        self.partition_count
    }

    /// Appends records and flushes them: when this returns they can be acknowledged.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] and others; the log has to be opened anew then, and whatever is found in
    /// it has happened.
    pub fn append(&mut self, records: &[OffsetRecord], now_ms: i64) -> Result<()> {
        let mut touched = BTreeSet::new();
        for record in records {
            let number = partition_of(&record.group, self.partition_count);
            self.open_partition(number)?.append(record, now_ms)?;
            touched.insert(number);
        }
        for number in touched {
            let sync = self.options.sync;
            let Some(partition) = self.partitions.get_mut(&number) else { continue };
            partition.writer.flush(sync)?;
            if is_worth_compacting(&partition.replay, DEAD_SPARE) {
                partition.compact()?;
            }
        }
        Ok(())
    }

    /// Puts everything onto the disk and closes all partitions.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] where something could not be written, the first of them.
    pub fn close(self) -> Result<()> {
        let close = |mut partition: Partition| {
            partition.writer.flush(true)?;
            partition.writer.close()
        };
        let closed = self.partitions.into_values().map(close);
        closed.fold(Ok(()), Result::and)
    }

    /// Returns a partition, which is opened on its first use.
    fn open_partition(&mut self, number: i32) -> Result<&mut Partition> {
        use std::collections::btree_map::Entry;
        match self.partitions.entry(number) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => {
                let segment_bytes = self.options.segment_bytes;
                let options = LogWriterOptions { segment_bytes, ..LogWriterOptions::default() };
                let writer = LogWriter::open(&self.dir, TOPIC, number, options)?;
                let dirs = LogDirs::open(std::slice::from_ref(&self.dir))?;
                let replay = match dirs.partition(TOPIC, number)? {
                    Some(dir) => Replay::read(&dir)?,
                    None => Replay::default(),
                };
                Ok(entry.insert(Partition { writer, replay }))
            }
        }
    }
}

impl Partition {
    fn append(&mut self, record: &OffsetRecord, now_ms: i64) -> Result<()> {
        let OffsetRecord { group, topic, partition, committed } = record;
        let key = OffsetKey { group, topic, partition: *partition }.to_bytes();
        let value = committed.as_ref().map(OffsetValue::to_bytes).transpose();
        let too_long = |error: crate::wire::EncodeError| {
            Error::new(ErrorKind::InvalidArgument, error.to_string())
        };
        let (key, value) = (key.map_err(too_long)?, value.map_err(too_long)?);
        let timestamp = committed.as_ref().map_or(now_ms, |one| one.commit_timestamp_ms);
        let record = NewRecord {
            timestamp,
            key: Some(&key),
            value: value.as_deref(),
            ..NewRecord::default()
        };
        let offset = self.writer.append(&[record])?;
        let live = value.map(|value| Live { offset, timestamp_ms: timestamp, value });
        self.replay.appended(key, live);
        Ok(())
    }

    fn compact(&mut self) -> Result<()> {
        self.writer.roll_segment()?;
        let live: Vec<_> = self.replay.live().collect();
        for round in live.chunks(ROUND_RECORDS) {
            let records = round.iter().map(|(key, live)| NewRecord {
                timestamp: live.timestamp_ms.max(0),
                key: Some(key),
                value: Some(&live.value),
                ..NewRecord::default()
            });
            self.writer.append(&records.collect::<Vec<_>>())?;
        }
        self.writer.remove_sealed_segments()?;
        self.replay.compacted();
        Ok(())
    }
}

fn is_worth_compacting(replay: &Replay, spare: usize) -> bool {
    let (dead, live) = (replay.dead_count(), replay.live_count());
    dead > 0 && dead >= live.saturating_add(spare) && !replay.has_open_transaction()
}

/// Refuses the directory of a broker, which keeps its groups itself.
///
/// # Errors
///
/// [`ErrorKind::InvalidArgument`] for a broker's directory, [`ErrorKind::Io`].
pub fn refuse_brokers(dir: &Path) -> Result<()> {
    let path = dir.join(META_PROPERTIES);
    match path.try_exists() {
        Ok(false) => Ok(()),
        Ok(true) => {
            let text = format!(
                "{} belongs to a broker: it has {META_PROPERTIES}. Its groups can be used through \
                 that broker alone",
                dir.display()
            );
            Err(Error::new(ErrorKind::InvalidArgument, text))
        }
        Err(error) => Err(io_error("look for", &path, &error)),
    }
}

/// Returns the numbers of the partitions that have a directory, in order.
fn partition_numbers(dir: &Path) -> Result<Vec<i32>> {
    let topics = LogDirs::open(&[dir.to_owned()])?.topics()?;
    let found = topics.into_iter().find(|topic| topic.name == TOPIC);
    Ok(found.map(|topic| topic.partitions).unwrap_or_default())
}

/// Makes the partitions' directories, the last first, and returns their number.
fn make_partitions(dir: &Path, count: i32) -> Result<i32> {
    for number in (0..count).rev() {
        let path = dir.join(partition_directory(TOPIC, number));
        fs::create_dir_all(&path).map_err(|error| io_error("make", &path, &error))?;
    }
    let synced = fs::File::open(dir).and_then(|opened| opened.sync_all());
    synced.map_err(|error| io_error("sync", dir, &error))?;
    Ok(count)
}

/// Tells whether a partition has a segment that is not empty.
fn has_records(directory: &Path) -> Result<bool> {
    let entries = fs::read_dir(directory).map_err(|error| io_error("list", directory, &error))?;
    for entry in entries {
        let entry = entry.map_err(|error| io_error("list", directory, &error))?;
        let kind = entry.file_name().to_str().and_then(SegmentFile::parse);
        if matches!(kind, Some((SegmentFile::Log, _))) {
            let metadata = entry.metadata();
            let metadata = metadata.map_err(|error| io_error("look at", directory, &error))?;
            if metadata.len() > 0 {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_placed_as_by_java() {
        assert_eq!(partition_of("a", 50), 97 % 50);
        assert_eq!(partition_of("ab", 50), (97 * 31 + 98) % 50);
        assert_eq!(partition_of("polygenelubricants", 50), 0, "its hash is the smallest number");
        assert_eq!(partition_of("\u{1f600}", 1 << 30), 0xd83d * 31 + 0xde00, "two units of UTF-16");
        assert_eq!((partition_of("", 50), partition_of("a", 0)), (0, 0));
    }
}
