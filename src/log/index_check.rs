//! Holds the entries of a segment's two indexes against its batches.
//!
//! An index is in order if its entries rise, nothing but zeros follows them, and each entry names
//! a batch that is there: an entry of the offset index the place where it begins, one of the time
//! index an offset of the batch that has the timestamp.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::collections::VecDeque;
use std::io::{self, Read};
use std::path::Path;

use super::headers::{Place, as_u64};
use super::index::{OffsetIndexEntry, TimeIndexEntry};
use super::names::SegmentFile;
use super::regular_file::open_regular;
use super::scan::ScanItem;
use crate::record::BatchHeader;

/// The longest index that is looked at; `segment.index.bytes` is 10 MiB by default.
const INDEX_MAX_BYTES: u64 = 64 * 1024 * 1024;

/// The entries of a segment's indexes that no batch has been seen for yet.
#[derive(Debug, Default)]
pub(super) struct IndexCheck {
    base_offset: i64,
    offsets: Entries<OffsetIndexEntry>,
    times: Entries<TimeIndexEntry>,
}

/// The entries of one index, the first one first.
#[derive(Debug)]
struct Entries<T> {
    name: String,
    left: VecDeque<T>,
    /// What is wrong with the file itself.
    complaint: Option<&'static str>,
}

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self { name: String::new(), left: VecDeque::new(), complaint: None }
    }
}

impl IndexCheck {
    /// Reads the indexes beside the segment at `path`.
    pub(super) fn of(path: &Path, base_offset: i64) -> Self {
        let read = |kind: SegmentFile| {
            let name = kind.name(base_offset);
            let bytes = read_index(&path.with_file_name(&name));
            (name, bytes)
        };
        Self {
            base_offset,
            offsets: Entries::of(
                read(SegmentFile::OffsetIndex),
                OffsetIndexEntry::LEN,
                OffsetIndexEntry::parse,
            ),
            times: Entries::of(read(SegmentFile::TimeIndex), TimeIndexEntry::LEN, parse_times),
        }
    }

    /// Looks at the entries that should speak of the batch at `position`, or of what is before.
    pub(super) fn see(
        &mut self,
        position: u64,
        header: &BatchHeader,
        found: &mut VecDeque<ScanItem>,
    ) {
        let base_offset = self.base_offset;
        while let Some(entry) = self.offsets.left.front().copied() {
            let named = u64::try_from(entry.position).unwrap_or(0);
            let offset = base_offset.saturating_add(i64::from(entry.relative_offset));
            let complaint = match named.cmp(&position) {
                std::cmp::Ordering::Greater => break,
                std::cmp::Ordering::Less => "an entry names a place where no batch begins",
                std::cmp::Ordering::Equal if offset < header.base_offset => {
                    "an entry names a batch that begins behind the entry's offset"
                }
                std::cmp::Ordering::Equal => {
                    self.offsets.left.pop_front();
                    continue;
                }
            };
            self.offsets.complain(complaint, named, offset, found);
        }
        while let Some(entry) = self.times.left.front().copied() {
            let offset = base_offset.saturating_add(i64::from(entry.relative_offset));
            let complaint = if offset > header.last_offset() {
                break;
            } else if offset < header.base_offset {
                "an entry names an offset that no batch has"
            } else if entry.timestamp == header.max_timestamp {
                self.times.left.pop_front();
                continue;
            } else {
                "an entry has another timestamp than its batch"
            };
            self.times.complain(complaint, position, offset, found);
        }
    }

    /// Looks at the entries that are left when there is no further batch at `place`.
    pub(super) fn end(&mut self, place: Place, found: &mut VecDeque<ScanItem>) {
        let left = self.offsets.left.front().map(|entry| entry.relative_offset);
        let position = place.position;
        if let Some(complaint) = left.map(|_| BEHIND).or(self.offsets.complaint) {
            self.offsets.complain(complaint, position, place.next_offset, found);
        }
        let left = self.times.left.front().map(|entry| entry.relative_offset);
        if let Some(complaint) = left.map(|_| BEHIND).or(self.times.complaint) {
            self.times.complain(complaint, position, place.next_offset, found);
        }
    }
}

const BEHIND: &str = "an entry names a batch behind the last one";

impl<T> Entries<T> {
    fn of(
        (name, bytes): (String, io::Result<Vec<u8>>),
        entry_len: usize,
        parse: fn(&[u8]) -> Vec<T>,
    ) -> Self {
        let (bytes, complaint) = match bytes {
            Ok(bytes) if as_u64(bytes.len()) <= INDEX_MAX_BYTES => (bytes, None),
            Ok(_) => (Vec::new(), Some("the file is too long for an index")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (Vec::new(), None),
            Err(_) => (Vec::new(), Some("the file cannot be read")),
        };
        let left = VecDeque::from(parse(&bytes));
        let behind = bytes.get(left.len().saturating_mul(entry_len)..).unwrap_or_default();
        let is_zeros = behind.iter().all(|byte| *byte == 0);
        let complaint = complaint.or_else(|| (!is_zeros).then_some("the entries do not rise"));
        Self { name, left, complaint }
    }

    /// Tells what is wrong and drops all other entries.
    fn complain(
        &mut self,
        complaint: &str,
        position: u64,
        offset: i64,
        found: &mut VecDeque<ScanItem>,
    ) {
        let text = format!("{}: {complaint}", self.name);
        found.push_back(ScanItem::Fault { position, offset: Some(offset), text });
        self.left.clear();
        self.complaint = None;
    }
}

/// Reads the entries of a time index; the first of them may be all zeros, for a record of time 0.
fn parse_times(bytes: &[u8]) -> Vec<TimeIndexEntry> {
    let first = TimeIndexEntry { timestamp: 0, relative_offset: 0 };
    match bytes.split_at_checked(TimeIndexEntry::LEN) {
        Some((head, rest)) if head == first.to_bytes() => {
            let rest = TimeIndexEntry::parse(rest);
            if rest.is_empty() { rest } else { [vec![first], rest].concat() }
        }
        _ => TimeIndexEntry::parse(bytes),
    }
}

fn read_index(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let (file, _) = open_regular(path)?;
    file.take(INDEX_MAX_BYTES.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}
