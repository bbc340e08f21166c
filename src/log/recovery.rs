//! A partition's directory made fit to be appended to, whatever ended its last writer.
//!
//! What was on the disk at the last sync lies before the recovery point and is believed, as a
//! broker does. From there on every batch is read: the log ends with the last one that is whole
//! and whose checksum is right, what follows is cut off, and the indexes are made to fit. Damage
//! before the recovery point is no torn tail: it is an error, and nothing is changed.
//!
//! No checksum covers a batch's base offset and leader epoch. An offset that was damaged so that it
//! lies higher, within reach of the segment, cannot be told from a gap that compaction has left,
//! and to cut at gaps would destroy the copy of a compacted log; so it is believed, and the log
//! goes on behind it. One that lies lower ends the log.
//!
//! For the holder of the partition's lock alone.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::active_segment::ActiveSegment;
use super::indexer::Indexer;
use super::io_error;
use super::names::SegmentFile;
use super::regular_file::{open_for_writing, open_regular};
use super::segment_check::SegmentCheck;
use crate::error::{Error, ErrorKind, Result};
use crate::logger::Logger;

/// A log that can be appended to.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) active: ActiveSegment,
    pub(super) next_offset: i64,
    /// The leader epoch of the last batch.
    pub(super) leader_epoch: Option<i32>,
    /// Base offsets of the sealed segments that may not be on the disk yet.
    pub(super) unsynced: Vec<i64>,
    /// Whether there was no segment.
    pub(super) is_new: bool,
}

/// Recovers the partition in `directory`.
///
/// # Errors
///
/// [`ErrorKind::Io`]; [`ErrorKind::Corrupt`] with the offset for damage before `recovery_point`;
/// [`ErrorKind::Unsupported`] for a segment of an older format.
pub(super) fn recover(
    directory: &Path,
    recovery_point: i64,
    interval_bytes: u32,
) -> Result<Recovered> {
    let base_offsets = list_segments(directory)?;
    if base_offsets.is_empty() {
        let active = ActiveSegment::open(directory, 0, 0, Indexer::new(0, interval_bytes))?;
        let unsynced = Vec::new();
        return Ok(Recovered {
            active,
            next_offset: 0,
            leader_epoch: None,
            unsynced,
            is_new: true,
        });
    }
    let first = first_to_check(directory, &base_offsets, recovery_point)?;
    let to_check = base_offsets.get(first..).unwrap_or_default();
    let (mut unsynced, mut leader_epoch) = (Vec::new(), None);
    let mut ends = to_check.iter().skip(1).copied();
    for base_offset in to_check.iter().copied() {
        let next_segment = ends.next();
        let path = directory.join(SegmentFile::Log.name(base_offset));
        let end = next_segment.unwrap_or(i64::MAX);
        let check = SegmentCheck::run(&path, base_offset, end, recovery_point, interval_bytes)?;
        leader_epoch = check.leader_epoch.or(leader_epoch);
        if let Some(fault) = &check.fault {
            refuse_damage(&check, recovery_point, fault)?;
            // The last first: whoever is stopped in between finds the fault before them again.
            let behind = to_check.iter().copied().filter(|other| *other > base_offset);
            remove_segments(directory, behind.rev())?;
            cut(&path, &check, fault)?;
        }
        let is_sealed = next_segment.is_some() && check.fault.is_none();
        if !is_sealed {
            refuse_damage(&check, recovery_point, "there is no more")?;
        }
        write_indexes(directory, base_offset, &check.indexer)?;
        if is_sealed {
            unsynced.push(base_offset);
            continue;
        }
        let (size, next_offset) = (check.size, check.next_offset);
        let active = ActiveSegment::open(directory, base_offset, size, check.indexer)?;
        return Ok(Recovered { active, next_offset, leader_epoch, unsynced, is_new: false });
    }
    Err(Error::new(ErrorKind::Corrupt, "a log without a last segment"))
}

/// Returns the base offsets of the segments in order, and removes indexes that have none.
pub(super) fn list_segments(directory: &Path) -> Result<Vec<i64>> {
    let (mut base_offsets, mut indexes) = (Vec::new(), Vec::new());
    let entries = fs::read_dir(directory).map_err(|error| io_error("list", directory, &error))?;
    for entry in entries {
        let entry = entry.map_err(|error| io_error("list", directory, &error))?;
        match entry.file_name().to_str().and_then(SegmentFile::parse) {
            Some((SegmentFile::Log, base_offset)) => base_offsets.push(base_offset),
            Some((_, base_offset)) => indexes.push((base_offset, entry.path())),
            None => {}
        }
    }
    base_offsets.sort_unstable();
    for (base_offset, path) in indexes {
        if base_offsets.binary_search(&base_offset).is_err() {
            fs::remove_file(&path).map_err(|error| io_error("remove", &path, &error))?;
        }
    }
    Ok(base_offsets)
}

/// Returns the place of the first segment that has to be read: the one with the recovery point, or
/// the last that is not empty, whose last batch tells the leader epoch.
fn first_to_check(directory: &Path, base_offsets: &[i64], recovery_point: i64) -> Result<usize> {
    let at_point = base_offsets.partition_point(|base_offset| *base_offset <= recovery_point);
    let mut first = at_point.saturating_sub(1);
    while let Some(before) = first.checked_sub(1) {
        let base_offset = base_offsets.get(first).copied().unwrap_or_default();
        let path = directory.join(SegmentFile::Log.name(base_offset));
        let metadata = fs::metadata(&path).map_err(|error| io_error("look at", &path, &error))?;
        if metadata.len() > 0 {
            break;
        }
        first = before;
    }
    Ok(first)
}

fn refuse_damage(check: &SegmentCheck, recovery_point: i64, fault: &str) -> Result<()> {
    if check.next_offset >= recovery_point {
        return Ok(());
    }
    let text = format!(
        "the log is damaged ({fault}), although everything before offset {recovery_point} was on \
         the disk; it is left as it is"
    );
    Err(Error::new(ErrorKind::Corrupt, text).with_offset(check.next_offset))
}

/// Removes segments in the given order, which decides what is left if it is not brought to an end.
pub(super) fn remove_segments(
    directory: &Path,
    base_offsets: impl Iterator<Item = i64>,
) -> Result<()> {
    for base_offset in base_offsets {
        for kind in SegmentFile::ALL {
            let path = directory.join(kind.name(base_offset));
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(io_error("remove", &path, &error));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// Cuts the segment at `path` behind its whole batches.
fn cut(path: &Path, check: &SegmentCheck, fault: &str) -> Result<()> {
    Logger::without_callback().warn(
        "kfetch::log",
        format_args!("{} is cut at offset {}: {fault}", path.display(), check.next_offset),
    );
    let cut = OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(check.size));
    cut.map_err(|error| io_error("cut", path, &error))
}

/// Writes the segment's indexes unless their files say just that.
fn write_indexes(directory: &Path, base_offset: i64, indexer: &Indexer) -> Result<()> {
    for (kind, entries) in
        [(SegmentFile::OffsetIndex, &indexer.offsets), (SegmentFile::TimeIndex, &indexer.times)]
    {
        let path = directory.join(kind.name(base_offset));
        if !has_contents(&path, entries) {
            let written = open_for_writing(&path).and_then(|(mut file, _)| {
                file.set_len(0)?;
                file.write_all(entries)
            });
            written.map_err(|error| io_error("write", &path, &error))?;
        }
    }
    Ok(())
}

fn has_contents(path: &Path, entries: &[u8]) -> bool {
    let Ok((file, metadata)) = open_regular(path) else { return false };
    let mut bytes = vec![0; entries.len()];
    let is_as_long = u64::try_from(entries.len()) == Ok(metadata.len());
    is_as_long && file.read_exact_at(&mut bytes, 0).is_ok() && bytes == entries
}
