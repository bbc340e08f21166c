//! Where a segment's indexes say that something is, believed only as far as the segment agrees.
//!
//! An index may be missing, cut, full of zeros, another segment's, or anything at all: then the
//! answer is the start of the segment, and the walk from there is longer. An entry is searched for
//! by reading single entries, since a lookup needs twenty of the quarter million that there may be.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::io;
use std::path::PathBuf;

use super::headers::{HeaderWalk, Next, Place, Stop, Window, as_u64, next_batch};
use super::index::{OffsetIndexEntry, TimeIndexEntry};
use super::names::SegmentFile;
use super::segment::Segment;
use crate::record::{BatchHeader, HEADER_LEN};

/// Returns a place from which a walk reaches the batch that holds `offset`.
pub(super) fn place_before_offset(segment: &Segment, offset: i64) -> Place {
    let start = Place { position: 0, next_offset: segment.base_offset() };
    let relative = offset.saturating_sub(segment.base_offset());
    let entry = last_entry(segment, SegmentFile::OffsetIndex, |entry: &[u8; 8]| {
        OffsetIndexEntry::parse(entry)
            .pop()
            .filter(|entry| i64::from(entry.relative_offset) <= relative)
    });
    entry.and_then(|entry| confirmed(segment, &entry).ok().flatten()).unwrap_or(start)
}

/// Returns a place that no record with this timestamp or a later one stands before.
pub(super) fn place_before_time(
    segment: &Segment,
    window: &mut Window,
    timestamp: i64,
) -> io::Result<Place> {
    let start = Place { position: 0, next_offset: segment.base_offset() };
    let entry = last_entry(segment, SegmentFile::TimeIndex, |entry: &[u8; 12]| {
        TimeIndexEntry::parse(entry).pop().filter(|entry| entry.timestamp < timestamp)
    });
    let Some(entry) = entry else { return Ok(start) };
    let offset = segment.base_offset().saturating_add(i64::from(entry.relative_offset));
    let mut walk = HeaderWalk::new(segment, window, place_before_offset(segment, offset))?;
    let found = walk.find(|header| header.next_offset() > offset)?;
    Ok(match found {
        Next::Batch(header) if header.max_timestamp == entry.timestamp => walk.place(),
        _ => start,
    })
}

/// Finds the last entry of an index that `wanted` takes, by halving; `None` without an index.
fn last_entry<const LEN: usize, T>(
    segment: &Segment,
    kind: SegmentFile,
    wanted: impl Fn(&[u8; LEN]) -> Option<T>,
) -> Option<T> {
    let index = Segment::open(&index_path(segment, kind)?, segment.base_offset()).ok()?;
    let entry_len = as_u64(LEN);
    let (mut low, mut high) = (0, index.len().ok()?.checked_div(entry_len)?);
    let mut found = None;
    while low < high {
        let middle = low.saturating_add(high.saturating_sub(low) / 2);
        let mut bytes = [0; LEN];
        let len = index.read_at(middle.saturating_mul(entry_len), &mut bytes).ok()?;
        match wanted(&bytes).filter(|_| len == LEN) {
            Some(entry) => {
                found = Some(entry);
                low = middle.saturating_add(1);
            }
            None => high = middle,
        }
    }
    found
}

/// Returns the path of another file of the segment; `None` while its name is a temporary one.
fn index_path(segment: &Segment, kind: SegmentFile) -> Option<PathBuf> {
    let path = segment.path();
    path.extension().filter(|extension| *extension == "log")?;
    Some(path.with_file_name(kind.name(segment.base_offset())))
}

/// Returns the place that an entry names if a batch is there which the entry may mean, and what
/// follows that one is no nonsense.
fn confirmed(segment: &Segment, entry: &OffsetIndexEntry) -> io::Result<Option<Place>> {
    let Ok(position) = u64::try_from(entry.position) else { return Ok(None) };
    let Some(header) = header_at(segment, position, segment.base_offset())? else {
        return Ok(None);
    };
    // An entry names the first batch of what was appended at once, and its last offset.
    let entry_offset = segment.base_offset().saturating_add(i64::from(entry.relative_offset));
    if header.base_offset > entry_offset {
        return Ok(None);
    }
    let behind = position.saturating_add(as_u64(header.size()));
    let follows = judged_at(segment, behind, header.next_offset())?;
    let is_batch = !matches!(follows, Next::Stop(Stop::Bad(_)));
    Ok(is_batch.then_some(Place { position, next_offset: header.base_offset }))
}

fn header_at(segment: &Segment, position: u64, offset_min: i64) -> io::Result<Option<BatchHeader>> {
    Ok(match judged_at(segment, position, offset_min)? {
        Next::Batch(header) => Some(header),
        Next::Stop(_) => None,
    })
}

fn judged_at(segment: &Segment, position: u64, offset_min: i64) -> io::Result<Next> {
    let mut bytes = [0; HEADER_LEN];
    let len = segment.read_at(position, &mut bytes)?;
    let remaining = segment.len()?.saturating_sub(position);
    Ok(next_batch(bytes.get(..len).unwrap_or_default(), remaining, offset_min))
}
