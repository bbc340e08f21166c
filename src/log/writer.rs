//! Appends records to a partition of a log directory, as Kafka's own segments.
//!
//! ```text
//!  append ──► BatchBuilder ──finish──► pending ──write──► segment ──publish──► readers
//!             the open batch           finished batches   files     high watermark
//! ```
//!
//! A batch is finished when the next record would exceed `batch_bytes`, and by `flush`: never by
//! time, so that the same records and flushes give the same bytes, unless the writer was to stamp
//! the time. Finished batches are written
//! many at once. Readers, in this process or another, see what lies below the high watermark, which
//! is published by `flush`, and when a batch is finished and `flush_bytes` of batches or `flush_ms`
//! have gathered since: a writer that falls idle without a flush keeps its last records to itself.
//!
//! The segments are those that a broker writes, with its rules for rolling by size, and leader
//! epoch 0; it serves them as its own if they are put in place of a partition's. That is, of
//! everything in its directory but `partition.metadata`: the topic's id is the cluster's to give,
//! and without that file a broker takes the directory for a stray and moves it away.
//!
//! Unlike a broker the writer never rolls by time, deletes nothing, so that the log starts where
//! its first segment does, and keeps no producer state.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::active_segment::{ActiveSegment, sync_sealed};
use super::checkpoint::{Checkpoint, HIGH_WATERMARKS, RECOVERY_POINTS, replace};
use super::indexer::Indexer;
use super::io_error;
use super::lock::PartitionLock;
use super::names::LEADER_EPOCH_CHECKPOINT;
use super::recovery::{Recovered, list_segments, recover, remove_segments};
use super::writer_options::LogWriterOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::record::{BatchBuilder, BatchOptions, BuildError, NewRecord};

/// Finished batches are written when they have as many bytes: few calls, and still in the cache.
const WRITE_BYTES: usize = 256 << 10;

/// The most that a record's key, value and headers may have together: with what a codec adds, the
/// batch still fits into its length field.
const RECORD_BYTES_MAX: usize = 1 << 30;

/// Stands for the time of the call.
const NO_TIMESTAMP: i64 = -1;

/// Writes one partition of a log directory.
///
/// There is one writer of a partition at a time, among all processes. A writer that could not
/// write has failed: all further calls say so, nothing more is written, and the next one that is
/// opened cuts off what was left half-way.
///
/// # Threads
///
/// One at a time; a writer may move between threads. Every call may wait for the disk.
///
/// # Examples
///
/// ```
/// use kfetch::record::NewRecord;
/// use kfetch::{LogWriter, LogWriterOptions};
///
/// # fn main() -> kfetch::Result<()> {
/// # let dir = std::env::temp_dir().join(format!("kfetch-doc-{}", std::process::id()));
/// let mut writer = LogWriter::open(&dir, "orders", 0, LogWriterOptions::default())?;
/// let record = NewRecord { timestamp: -1, value: Some(b"hello"), ..NewRecord::default() };
/// let offset = writer.append(&[record, record])?;
/// writer.flush(true)?;
/// assert_eq!((offset, writer.next_offset()), (0, 2));
/// writer.close()?;
/// # std::fs::remove_dir_all(&dir).unwrap();
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct LogWriter {
    topic: String,
    partition: i32,
    log_dir: PathBuf,
    options: LogWriterOptions,
    lock: PartitionLock,
    /// The open batch.
    builder: BatchBuilder,
    /// Finished batches that the segment has taken and that are not written yet.
    pending: Vec<u8>,
    segment: ActiveSegment,
    /// The next record's offset.
    next_offset: i64,
    /// The open batch's base offset: what lies before is in finished batches.
    batch_offset: i64,
    /// The high watermark that readers have been told.
    published_offset: i64,
    published_at: Instant,
    /// Bytes of finished batches at and above the published offset.
    unpublished_bytes: u64,
    /// What lies before was on the disk at the last sync.
    synced_offset: i64,
    /// Base offsets of sealed segments that may not be on the disk.
    unsynced_segments: Vec<i64>,
    /// Other files, and directories with new names, that may not be on the disk.
    unsynced_paths: Vec<PathBuf>,
    /// Why nothing more is written; set once.
    failed: Option<Error>,
}

impl LogWriter {
    /// Opens a partition of `log_dir` for appending, making what is not there.
    ///
    /// What a writer that was killed has left is put right first: the log ends with its last whole
    /// batch. That takes a reading of everything behind the last `flush(true)`, and of the last
    /// segment. The high watermark is then the end of the log.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Locked`] if the partition has a writer; [`ErrorKind::InvalidArgument`] for a
    /// name that no topic can have, options out of range, and the directory of a broker;
    /// [`ErrorKind::Corrupt`] where what was on the disk at the last sync is damaged;
    /// [`ErrorKind::Unsupported`] for segments of an older format; [`ErrorKind::Io`].
    pub fn open(
        log_dir: &Path,
        topic: &str,
        partition: i32,
        options: LogWriterOptions,
    ) -> Result<Self> {
        let opened = Self::try_open(log_dir, topic, partition, options);
        opened.map_err(|error| error.with_partition(topic, partition))
    }

    /// Appends records and returns the offset of the first; the others' offsets follow it.
    ///
    /// They can be read when they have been published, and survive the end of this process when
    /// they have been flushed. A record whose time stamp is −1 gets the time of the call.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] for a record of more than 1 GiB; none of `records` is
    /// appended then, and the writer goes on. [`ErrorKind::Io`] and others when the writer has
    /// failed: none of `records` is acknowledged, though some may turn out to be in the log.
    pub fn append(&mut self, records: &[NewRecord<'_>]) -> Result<i64> {
        self.check_usable()?;
        let base_offset = self.next_offset;
        if records.iter().any(|record| content_len(record) > RECORD_BYTES_MAX) {
            let text = format!("a record has more than {RECORD_BYTES_MAX} bytes");
            return Err(self.named(Error::new(ErrorKind::InvalidArgument, text)));
        }
        let mut now_ms = None;
        for record in records {
            let mut record = *record;
            if record.timestamp == NO_TIMESTAMP {
                record.timestamp = *now_ms.get_or_insert_with(epoch_ms);
            }
            self.append_record(&record).map_err(|error| self.fail(error))?;
        }
        Ok(base_offset)
    }

    /// Writes everything that was appended and publishes it to readers.
    ///
    /// With `sync` it is on the disk when this returns, and survives a loss of power; without, it
    /// survives the end of this process alone.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] and others when the writer has failed: what this call was to write is
    /// not acknowledged, though some of it may turn out to be in the log.
    pub fn flush(&mut self, sync: bool) -> Result<()> {
        self.check_usable()?;
        self.try_flush(sync).map_err(|error| self.fail(error))
    }

    /// Ends the segment, so that what is appended from now on begins a new one, unless it is empty.
    ///
    /// # Errors
    ///
    /// As [`LogWriter::flush`].
    pub fn roll_segment(&mut self) -> Result<()> {
        self.check_usable()?;
        let rolled = self.try_flush(false).and_then(|()| {
            if self.segment.base_offset() == self.next_offset { Ok(()) } else { self.roll(0) }
        });
        rolled.map_err(|error| self.fail(error))
    }

    /// Removes all segments but the one that is appended to, after a flush with sync: the log then
    /// starts with that one. Whoever is killed in between has removed some of them, oldest first.
    ///
    /// # Errors
    ///
    /// As [`LogWriter::flush`].
    pub fn remove_sealed_segments(&mut self) -> Result<()> {
        self.check_usable()?;
        let base_offset = self.segment.base_offset();
        let removed = self.try_flush(true).and_then(|()| {
            let sealed = list_segments(&self.lock.directory)?.into_iter();
            remove_segments(&self.lock.directory, sealed.filter(|other| *other < base_offset))
        });
        removed.map_err(|error| self.fail(error))
    }

    /// Returns the offset that the next record will have.
    pub fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// Flushes without sync, gives the partition back, and says whether that went well; dropping a
    /// writer does the same and says nothing.
    ///
    /// # Errors
    ///
    /// As [`LogWriter::flush`].
    pub fn close(mut self) -> Result<()> {
        self.check_usable()?;
        let ended = self.try_end();
        ended.map_err(|error| self.fail(error))
    }

    fn try_open(
        log_dir: &Path,
        topic: &str,
        partition: i32,
        options: LogWriterOptions,
    ) -> Result<Self> {
        options.check()?;
        let lock = PartitionLock::take(log_dir, topic, partition)?;
        let synced_offset = recovery_point(log_dir, topic, partition)?;
        let recovered = recover(&lock.directory, synced_offset, options.index_interval_bytes)?;
        let mut unsynced_paths = vec![log_dir.to_owned(), lock.directory.clone()];
        if recovered.is_new {
            // Whoever had this name before may have left its recovery point behind.
            Checkpoint::update(log_dir, RECOVERY_POINTS, topic, partition, 0, false)?;
            unsynced_paths.push(begin_epochs(&lock.directory)?);
        }
        let Recovered { active, next_offset, leader_epoch, unsynced, is_new } = recovered;
        Checkpoint::update(log_dir, HIGH_WATERMARKS, topic, partition, next_offset, false)?;
        Ok(Self {
            topic: topic.to_owned(),
            partition,
            log_dir: log_dir.to_owned(),
            options,
            builder: builder(&options, leader_epoch),
            pending: Vec::new(),
            segment: active,
            next_offset,
            batch_offset: next_offset,
            published_offset: next_offset,
            published_at: now(),
            unpublished_bytes: 0,
            synced_offset: if is_new { 0 } else { synced_offset },
            unsynced_segments: unsynced,
            unsynced_paths,
            failed: None,
            lock,
        })
    }

    #[inline]
    fn append_record(&mut self, record: &NewRecord<'_>) -> Result<()> {
        let size = self.builder.estimated_size().saturating_add(record_len_max(record));
        if size > self.options.batch_bytes && !self.builder.is_empty() {
            self.finish_batch()?;
        }
        let next_offset = self.next_offset.checked_add(1).ok_or(BuildError::Offset);
        let appended = self.builder.append(record).and(next_offset);
        self.next_offset = appended.map_err(|error| build_error(&error))?;
        Ok(())
    }

    /// Ends the open batch, which is not empty.
    fn finish_batch(&mut self) -> Result<()> {
        let start = self.pending.len();
        let finished = self.builder.finish(self.batch_offset, &mut self.pending);
        let header = finished.map_err(|error| build_error(&error))?;
        if !self.segment.has_room(&header, self.options.segment_bytes) {
            self.roll(start)?;
        }
        self.segment.take(&header);
        self.batch_offset = header.next_offset();
        let size = u64::try_from(header.size()).unwrap_or(u64::MAX);
        self.unpublished_bytes = self.unpublished_bytes.saturating_add(size);
        let is_due = self.unpublished_bytes >= self.options.flush_bytes
            || self.published_at.elapsed() >= Duration::from_millis(self.options.flush_ms);
        if is_due || self.pending.len() >= WRITE_BYTES {
            self.write()?;
        }
        if is_due { self.publish(false) } else { Ok(()) }
    }

    /// Seals the segment behind the first `sealed_len` pending bytes; those after them, one batch,
    /// begin the next one.
    fn roll(&mut self, sealed_len: usize) -> Result<()> {
        self.segment.write(self.pending.get(..sealed_len).unwrap_or_default())?;
        self.segment.end_indexes()?;
        self.pending.drain(..sealed_len);
        self.unsynced_segments.push(self.segment.base_offset());
        let directory = &self.lock.directory;
        if !self.unsynced_paths.contains(directory) {
            self.unsynced_paths.push(directory.clone());
        }
        let indexer = Indexer::new(self.batch_offset, self.options.index_interval_bytes);
        self.segment = ActiveSegment::open(directory, self.batch_offset, 0, indexer)?;
        Ok(())
    }

    /// Writes the pending batches.
    fn write(&mut self) -> Result<()> {
        self.segment.write(&self.pending)?;
        self.pending.clear();
        Ok(())
    }

    /// Lets readers see all finished batches, which are written.
    fn publish(&mut self, sync: bool) -> Result<()> {
        self.segment.write_indexes()?;
        self.published_at = now();
        if sync || self.published_offset != self.batch_offset {
            self.update_checkpoint(HIGH_WATERMARKS, sync)?;
            self.published_offset = self.batch_offset;
        }
        self.unpublished_bytes = 0;
        Ok(())
    }

    fn try_flush(&mut self, sync: bool) -> Result<()> {
        if !self.builder.is_empty() {
            self.finish_batch()?;
        }
        self.write()?;
        self.segment.write_indexes()?;
        if !sync {
            return self.publish(false);
        }
        if self.synced_offset == self.batch_offset && self.unsynced_paths.is_empty() {
            return Ok(());
        }
        self.sync()?;
        self.publish(true)
    }

    /// Puts what is written onto the disk.
    ///
    /// The recovery point is not synced itself: an older one costs reading when the log is opened.
    fn sync(&mut self) -> Result<()> {
        for base_offset in &self.unsynced_segments {
            sync_sealed(&self.lock.directory, *base_offset)?;
        }
        self.unsynced_segments.clear();
        self.segment.sync()?;
        for path in &self.unsynced_paths {
            let synced = File::open(path).and_then(|opened| opened.sync_all());
            synced.map_err(|error| io_error("sync", path, &error))?;
        }
        self.unsynced_paths.clear();
        self.update_checkpoint(RECOVERY_POINTS, false)?;
        self.synced_offset = self.batch_offset;
        Ok(())
    }

    fn try_end(&mut self) -> Result<()> {
        self.try_flush(false)?;
        self.segment.end_indexes()
    }

    fn update_checkpoint(&self, name: &str, sync: bool) -> Result<()> {
        let (topic, offset) = (&self.topic, self.batch_offset);
        Checkpoint::update(&self.log_dir, name, topic, self.partition, offset, sync)
    }

    fn check_usable(&self) -> Result<()> {
        match &self.failed {
            None => Ok(()),
            Some(first) => {
                let text = format!("the writer has failed before: {}", first.message());
                Err(self.named(Error::new(first.kind(), text)))
            }
        }
    }

    fn fail(&mut self, error: Error) -> Error {
        let error = self.named(error);
        self.failed = Some(error.clone());
        error
    }

    fn named(&self, error: Error) -> Error {
        error.with_partition(&self.topic, self.partition)
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        if self.failed.is_none() {
            // There is nobody to tell; what could not be written was not acknowledged.
            let _ = self.try_end();
        }
    }
}

fn recovery_point(log_dir: &Path, topic: &str, partition: i32) -> Result<i64> {
    match Checkpoint::read(log_dir, RECOVERY_POINTS) {
        Ok(checkpoint) => Ok(checkpoint.offset(topic, partition).unwrap_or(0)),
        // As if there were none: more is read than need be.
        Err(error) if error.kind() == ErrorKind::Corrupt => Ok(0),
        Err(error) => Err(error),
    }
}

/// Writes the leader epochs of a new log, epoch 0 from offset 0, and returns the file's path.
///
/// A broker that leads the partition tells its followers by them up to where they agree.
fn begin_epochs(directory: &Path) -> Result<PathBuf> {
    let path = directory.join(LEADER_EPOCH_CHECKPOINT);
    replace(&path, b"0\n1\n0 0\n", false)?;
    Ok(path)
}

/// Leader epochs never fall, so a log that a broker began goes on with its last one.
fn builder(options: &LogWriterOptions, leader_epoch: Option<i32>) -> BatchBuilder {
    BatchBuilder::new(BatchOptions {
        codec: options.codec,
        level: options.compression_level,
        partition_leader_epoch: leader_epoch.unwrap_or(0).max(0),
        ..BatchOptions::default()
    })
}

fn build_error(error: &BuildError) -> Error {
    let kind = match error {
        BuildError::Deflate(_) => ErrorKind::Resource,
        _ => ErrorKind::InvalidArgument,
    };
    Error::new(kind, error.to_string())
}

/// The bytes of a record's key, value and headers.
fn content_len(record: &NewRecord<'_>) -> usize {
    let len = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
    let headers = record.headers.iter().fold(0_usize, |sum, (key, value)| {
        sum.saturating_add(key.len()).saturating_add(len(*value))
    });
    len(record.key).saturating_add(len(record.value)).saturating_add(headers)
}

/// The most that a record takes in a batch: each of its lengths, its count, deltas and attributes
/// in their widest form.
fn record_len_max(record: &NewRecord<'_>) -> usize {
    const NUMBERS: usize = 5 + 1 + 10 + 5 + 5 + 5 + 5;
    const HEADER_LENGTHS: usize = 5 + 5;
    let lengths = record.headers.len().saturating_mul(HEADER_LENGTHS);
    content_len(record).saturating_add(NUMBERS).saturating_add(lengths)
}

#[allow(clippy::disallowed_methods, reason = "only publishing depends on it, no byte of the log")]
fn now() -> Instant {
    Instant::now()
}

/// Returns the time in ms since the epoch.
fn epoch_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_may_move_between_threads() {
        fn is_send<T: Send>() {}
        is_send::<LogWriter>();
    }

    #[test]
    fn a_record_takes_no_more_than_was_reckoned() {
        let headers: [(&[u8], Option<&[u8]>); 2] = [(b"key", Some(&[1; 99])), (b"", None)];
        let record = NewRecord {
            timestamp: i64::MIN,
            key: Some(&[2; 200]),
            value: Some(&[3; 20_000]),
            headers: &headers,
        };
        let mut builder = BatchBuilder::default();
        builder.append(&NewRecord { timestamp: i64::MAX, ..record }).unwrap();
        let len = builder.append_at(i32::MAX, &record).unwrap();
        assert!((content_len(&record)..=record_len_max(&record)).contains(&len), "{len}");
    }
}
