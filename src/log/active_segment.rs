//! The segment that a writer appends to: its three files, and what of them is written.
//!
//! Positions are the writer's own, not the files': a write that failed half-way is never followed
//! by another one behind it.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::index::TimeIndexEntry;
use super::indexer::Indexer;
use super::io_error;
use super::names::SegmentFile;
use super::regular_file::open_for_writing;
use crate::error::Result;
use crate::record::BatchHeader;

/// An index is not made longer than this (`segment.index.bytes`): a broker maps as much for the
/// active segment, and would cut off what lies behind.
const INDEX_BYTES_MAX: u64 = 10 << 20;

/// The bytes of the entry that the next batch may bring and of the last one.
const ENTRIES_BYTES: u64 = 2 * TimeIndexEntry::LEN as u64;

/// A file that only grows.
#[derive(Debug)]
struct Grown {
    file: File,
    path: PathBuf,
    len: u64,
    /// Whether everything up to `len` is known to be on the disk.
    is_synced: bool,
}

impl Grown {
    fn open(directory: &Path, kind: SegmentFile, base_offset: i64, len: u64) -> Result<Self> {
        let path = directory.join(kind.name(base_offset));
        let opened = open_for_writing(&path);
        let (file, _) = opened.map_err(|error| io_error("open", &path, &error))?;
        Ok(Self { file, path, len, is_synced: false })
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.file.write_all_at(bytes, self.len);
        written.map_err(|error| io_error("write", &self.path, &error))?;
        self.len = self.len.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.is_synced &= bytes.is_empty();
        Ok(())
    }

    fn sync(&mut self) -> Result<()> {
        if !self.is_synced {
            self.file.sync_data().map_err(|error| io_error("sync", &self.path, &error))?;
            self.is_synced = true;
        }
        Ok(())
    }
}

/// The last segment of a partition, open for appending.
#[derive(Debug)]
pub(super) struct ActiveSegment {
    base_offset: i64,
    log: Grown,
    offset_index: Grown,
    time_index: Grown,
    indexer: Indexer,
    /// Bytes of the log with those that were taken and are not written yet.
    size: u64,
}

impl ActiveSegment {
    /// Opens the segment with these lengths of its files, making those that are not there.
    ///
    /// `indexer` has seen the batches that are in the log, and its entries are in the files.
    pub(super) fn open(
        directory: &Path,
        base_offset: i64,
        size: u64,
        indexer: Indexer,
    ) -> Result<Self> {
        let open = |kind, len| Grown::open(directory, kind, base_offset, len);
        let len = |entries: &[u8]| u64::try_from(entries.len()).unwrap_or(u64::MAX);
        let offset_index = open(SegmentFile::OffsetIndex, len(&indexer.offsets))?;
        let time_index = open(SegmentFile::TimeIndex, len(&indexer.times))?;
        let log = open(SegmentFile::Log, size)?;
        let mut segment = Self { base_offset, log, offset_index, time_index, indexer, size };
        segment.indexer.offsets.clear();
        segment.indexer.times.clear();
        Ok(segment)
    }

    pub(super) fn base_offset(&self) -> i64 {
        self.base_offset
    }

    /// Tells whether the batch belongs into this segment and not into a new one.
    pub(super) fn has_room(&self, header: &BatchHeader, segment_bytes: u64) -> bool {
        let batch = u64::try_from(header.size()).unwrap_or(u64::MAX);
        let is_small = self.size == 0 || self.size.saturating_add(batch) <= segment_bytes;
        is_small && self.indexer.fits(header, self.size) && self.has_index_room()
    }

    /// Takes a batch that has room; its bytes come by [`write`](Self::write), in the same order.
    pub(super) fn take(&mut self, header: &BatchHeader) {
        self.indexer.add(header, self.size);
        let batch = u64::try_from(header.size()).unwrap_or(u64::MAX);
        self.size = self.size.saturating_add(batch);
    }

    /// Writes the bytes of batches that were taken.
    pub(super) fn write(&mut self, batches: &[u8]) -> Result<()> {
        self.log.append(batches)
    }

    /// Writes the entries of the batches that are written.
    pub(super) fn write_indexes(&mut self) -> Result<()> {
        self.offset_index.append(&self.indexer.offsets)?;
        self.indexer.offsets.clear();
        self.time_index.append(&self.indexer.times)?;
        self.indexer.times.clear();
        Ok(())
    }

    /// Writes the entry that a time index ends with when its segment is rolled or closed.
    pub(super) fn end_indexes(&mut self) -> Result<()> {
        self.indexer.add_time();
        self.write_indexes()
    }

    /// Puts the files' contents onto the disk, the log's first.
    pub(super) fn sync(&mut self) -> Result<()> {
        self.log.sync()?;
        self.offset_index.sync()?;
        self.time_index.sync()
    }

    /// An entry of each index may still be added, and the time index's last one.
    fn has_index_room(&self) -> bool {
        let has_room = |index: &Grown, unwritten: &[u8]| {
            let unwritten = u64::try_from(unwritten.len()).unwrap_or(u64::MAX);
            index.len.saturating_add(unwritten).saturating_add(ENTRIES_BYTES) <= INDEX_BYTES_MAX
        };
        has_room(&self.offset_index, &self.indexer.offsets)
            && has_room(&self.time_index, &self.indexer.times)
    }
}

/// Puts the files of a segment that is not open any more onto the disk.
pub(super) fn sync_sealed(directory: &Path, base_offset: i64) -> Result<()> {
    for kind in [SegmentFile::Log, SegmentFile::OffsetIndex, SegmentFile::TimeIndex] {
        let path = directory.join(kind.name(base_offset));
        let synced = File::open(&path).and_then(|file| file.sync_data());
        synced.map_err(|error| io_error("sync", &path, &error))?;
    }
    Ok(())
}
