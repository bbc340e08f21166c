//! One segment read from its start: how much of it is whole, and the index entries for that.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::indexer::Indexer;
use super::io_error;
use super::regular_file::open_regular;
use crate::error::{Error, ErrorKind, Result};
use crate::record::{BatchError, BatchHeader, HEADER_LEN, verify_crc};

/// How much of a file is read at once.
const WINDOW_BYTES: u64 = 1 << 20;

/// The least that the length field of a format before v2 can say: a message without any bytes.
const LEGACY_LENGTH_MIN: i32 = 14;

/// What a segment holds.
#[derive(Debug)]
pub(super) struct SegmentCheck {
    /// Bytes of the whole batches from the start.
    pub(super) size: u64,
    /// The offset behind them.
    pub(super) next_offset: i64,
    /// The leader epoch of the last of them.
    pub(super) leader_epoch: Option<i32>,
    /// Has seen them all, and added the last entry of the time index.
    pub(super) indexer: Indexer,
    /// Why what follows is no whole batch; `None` where nothing follows.
    pub(super) fault: Option<String>,
}

impl SegmentCheck {
    /// Reads the segment at `path` from `base_offset` to before `end_offset`.
    ///
    /// Checksums are compared from `recovery_point` on: what lies before was on the disk.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`], and [`ErrorKind::Unsupported`] for a segment of an older format.
    pub(super) fn run(
        path: &Path,
        base_offset: i64,
        end_offset: i64,
        recovery_point: i64,
        interval_bytes: u32,
    ) -> Result<Self> {
        let opened = open_regular(path).map(|(file, metadata)| Window::new(file, metadata.len()));
        let mut window = opened.map_err(|error| io_error("open", path, &error))?;
        let mut check = Self {
            size: 0,
            next_offset: base_offset,
            leader_epoch: None,
            indexer: Indexer::new(base_offset, interval_bytes),
            fault: None,
        };
        while check.size < window.file_len && check.fault.is_none() {
            let step = check.step(&mut window, end_offset, recovery_point);
            check.fault = step.map_err(|error| io_error("read", path, &error))?;
            if check.fault.is_some() && check.size == 0 && window.is_legacy() {
                let text = format!("{} is of an older format than v2", path.display());
                return Err(Error::new(ErrorKind::Unsupported, text));
            }
        }
        check.indexer.add_time();
        Ok(check)
    }

    /// Takes the batch behind the whole ones, or returns why there is none.
    fn step(
        &mut self,
        window: &mut Window,
        end_offset: i64,
        recovery_point: i64,
    ) -> io::Result<Option<String>> {
        let header = match BatchHeader::parse(window.bytes(self.size, HEADER_LEN)?) {
            Ok(header) => header,
            Err(error) => return Ok(Some(error.to_string())),
        };
        let left = window.file_len.saturating_sub(self.size);
        let size = u64::try_from(header.size()).unwrap_or(u64::MAX);
        if size > left {
            return Ok(Some(format!("a batch of {size} bytes is cut off after {left}")));
        }
        let is_in_order =
            header.base_offset >= self.next_offset && header.next_offset() <= end_offset;
        if !is_in_order || !self.indexer.fits(&header, self.size) {
            let (first, last) = (header.base_offset, header.last_offset());
            let wanted = self.next_offset;
            return Ok(Some(format!("offsets {first} to {last} follow {wanted}")));
        }
        if header.next_offset() > recovery_point
            && !verify_crc(window.bytes(self.size, header.size())?)
        {
            return Ok(Some("a batch's checksum differs".to_owned()));
        }
        self.indexer.add(&header, self.size);
        self.size = self.size.saturating_add(size);
        self.next_offset = header.next_offset();
        self.leader_epoch = Some(header.partition_leader_epoch);
        Ok(None)
    }
}

/// The part of a file that is in memory.
#[derive(Debug)]
struct Window {
    file: File,
    file_len: u64,
    /// Where in the file `bytes` begins.
    start: u64,
    bytes: Vec<u8>,
}

impl Window {
    fn new(file: File, file_len: u64) -> Self {
        Self { file, file_len, start: 0, bytes: Vec::new() }
    }

    /// Returns `len` bytes at `at`, or as many as the file has there.
    fn bytes(&mut self, at: u64, len: usize) -> io::Result<&[u8]> {
        let left = self.file_len.saturating_sub(at);
        let wanted = u64::try_from(len).unwrap_or(u64::MAX).min(left);
        let in_memory = self.start.saturating_add(u64::try_from(self.bytes.len()).unwrap_or(0));
        if at < self.start || at.saturating_add(wanted) > in_memory {
            // Not more than the file has, whatever a length field says.
            let filled = usize::try_from(wanted.max(WINDOW_BYTES).min(left)).unwrap_or(usize::MAX);
            self.bytes.resize(filled, 0);
            self.start = at;
            self.file.read_exact_at(&mut self.bytes, at)?;
        }
        let from = usize::try_from(at.saturating_sub(self.start)).unwrap_or(usize::MAX);
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        Ok(self.bytes.get(from..).and_then(|tail| tail.get(..wanted)).unwrap_or_default())
    }

    /// Tells whether the window, at the file's start, has a message of format v0 or v1, not a torn
    /// batch: length and magic lie in the same sector.
    fn is_legacy(&self) -> bool {
        let header = self.bytes.get(..HEADER_LEN).unwrap_or(&self.bytes);
        let length = header.get(8..).and_then(|tail| tail.first_chunk());
        let is_long = length.is_some_and(|bytes| i32::from_be_bytes(*bytes) >= LEGACY_LENGTH_MIN);
        let magic = BatchHeader::parse(header).err();
        is_long && matches!(magic, Some(BatchError::UnsupportedMagic(0 | 1)))
    }
}
