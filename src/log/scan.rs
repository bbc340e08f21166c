//! Every batch of one `.log` file, and what is wrong with it or its indexes.
//!
//! It is for looking into segments and for saving what can be saved: it knows no checkpoint and no
//! bound, and starts where the file does. It stops at the first place that holds no batch, because
//! nothing in the bytes behind tells a batch from a value that looks like one; the next segment is
//! where a reader can be sure again.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use super::cursor::{Cursor, Filled, Supply};
use super::headers::{Place, Stop, as_u64};
use super::index_check::IndexCheck;
use super::io_error;
use super::listing::Listing;
use super::names::SegmentFile;
use super::segment::Segment;
use crate::buffer::pool::BLOCK_MAX_BYTES;
use crate::buffer::{Budget, Pool, Slice};
use crate::error::Result;
use crate::record::BatchHeader;

/// One thing found in a segment.
#[derive(Clone, Debug)]
pub enum ScanItem {
    /// When there is a whole batch, whose checksum nobody has looked at.
    Batch {
        /// Where it begins in the file.
        position: u64,
        /// Its header.
        header: BatchHeader,
        /// Its bytes, header included.
        bytes: Slice,
    },
    /// When something is wrong in the segment or in one of its indexes.
    Fault {
        /// Where in the segment.
        position: u64,
        /// The offset that it is about, as far as that can be said.
        offset: Option<i64>,
        /// What is wrong.
        text: String,
    },
}

/// A walk over one `.log` file from its start, in the order of positions.
///
/// A fault of an index comes with the batch at which it shows, or at the end. An index that is not
/// there is no fault; of one index only the first fault is told.
///
/// # Threads
///
/// One at a time; every call may wait for a disk.
#[derive(Debug)]
pub struct SegmentScan {
    cursor: Cursor,
    pool: Pool,
    /// Without limit: blocks come one at a time.
    budget: Arc<Budget>,
    /// The batches that were read and not yet given out, and where they begin.
    run: Option<(Slice, u64)>,
    checks: IndexCheck,
    found: VecDeque<ScanItem>,
    is_sealed: bool,
    is_done: bool,
    tail_bytes: u64,
}

impl SegmentScan {
    /// Opens the segment at `path`. Its base offset is in its name; with another name than a
    /// segment's it is 0 and there are no indexes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) with the path.
    pub fn open(path: &Path) -> Result<Self> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let base_offset = match SegmentFile::parse(name) {
            Some((SegmentFile::Log, base_offset)) => Some(base_offset),
            _ => None,
        };
        let open = || {
            let segment = Segment::open(path, base_offset.unwrap_or(0))?;
            let place = Place { position: 0, next_offset: segment.base_offset() };
            Cursor::new(Arc::new(segment), place)
        };
        let cursor = open().map_err(|error| io_error("open", path, &error))?;
        let is_sealed = base_offset
            .zip(path.parent())
            .is_some_and(|(base, parent)| Listing::read(parent).is_ok_and(|l| l.is_sealed(base)));
        Ok(Self {
            cursor,
            pool: Pool::new(BLOCK_MAX_BYTES),
            budget: Budget::new(usize::MAX, Box::new(|| {})),
            run: None,
            checks: base_offset.map_or_else(IndexCheck::default, |base| IndexCheck::of(path, base)),
            found: VecDeque::new(),
            is_sealed,
            is_done: false,
            tail_bytes: 0,
        })
    }

    /// Returns how many bytes stand behind the last batch, once the scan is at its end.
    ///
    /// They are no fault in the active segment, where a batch may be half written, or room for
    /// batches be made beforehand.
    pub fn tail_bytes(&self) -> u64 {
        self.tail_bytes
    }

    /// Tells whether a later segment lay beside this one when it was opened.
    pub fn is_sealed(&self) -> bool {
        self.is_sealed
    }

    /// Takes the next batch from the run that was read last.
    fn next_of_run(&mut self) -> Option<ScanItem> {
        let (run, position) = self.run.take()?;
        let header = BatchHeader::parse(&run).ok()?;
        let size = header.size();
        if size < run.len() {
            let rest = run.slice(size..run.len());
            self.run = Some((rest, position.saturating_add(as_u64(size))));
        }
        self.checks.see(position, &header, &mut self.found);
        Some(ScanItem::Batch { position, header, bytes: run.slice(0..size) })
    }

    fn read(&mut self) {
        let position = self.cursor.place().position;
        let mut supply = Supply { pool: &mut self.pool, budget: &self.budget };
        let stop = match self.cursor.read(&mut supply, BLOCK_MAX_BYTES, i64::MAX) {
            Ok(Filled::Run { bytes, .. }) => {
                self.run = Some((bytes, position));
                return;
            }
            Ok(Filled::Stop(stop)) => stop,
            Ok(Filled::Shrunk | Filled::Bound | Filled::NoCredit { .. }) => Stop::Torn,
            Err(error) => {
                let text = io_error("read", self.cursor.segment().path(), &error).to_string();
                self.end(Some(text));
                return;
            }
        };
        let is_fault = match &stop {
            Stop::Clean => false,
            Stop::Torn | Stop::Zeros => self.is_sealed,
            Stop::Bad(_) => true,
        };
        self.end(is_fault.then(|| stop.into_fault().text));
    }

    fn end(&mut self, fault: Option<String>) {
        self.is_done = true;
        let place = self.cursor.place();
        let file_len = self.cursor.segment().len().unwrap_or(place.position);
        self.tail_bytes = file_len.saturating_sub(place.position);
        if let Some(text) = fault {
            let offset = Some(place.next_offset);
            self.found.push_back(ScanItem::Fault { position: place.position, offset, text });
        } else {
            // Behind a fault there may be the batches that an index speaks of.
            self.checks.end(place, &mut self.found);
        }
    }
}

impl Iterator for SegmentScan {
    type Item = ScanItem;

    fn next(&mut self) -> Option<ScanItem> {
        loop {
            let item = self.found.pop_front().or_else(|| self.next_of_run());
            if item.is_some() || self.is_done {
                return item;
            }
            self.read();
        }
    }
}
