//! Which segments a partition's directory has.
//!
//! A broker renames files while they are listed. So a listing counts only if the directory did not
//! change meanwhile, and a compacted segment that has not got its name yet (`.log.swap`) counts
//! where no other file has that name: it is complete, and the files that it replaces may be gone.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use std::{fs, io};

use super::names::SegmentFile;

/// Attempts to list a directory that changes meanwhile.
const ATTEMPTS: usize = 5;

/// How old a directory's last change must be for its time to tell the next one apart; clocks of
/// file systems tick every 10 ms or faster.
const SETTLED: Duration = Duration::from_millis(100);

/// The segments of a partition, by base offset.
#[derive(Debug)]
pub(super) struct Listing {
    directory: PathBuf,
    segments: BTreeMap<i64, PathBuf>,
    /// When the directory had changed last as it was listed; `None` if that may not tell.
    changed_at: Option<SystemTime>,
}

impl Listing {
    /// Lists the segments in `directory`.
    pub(super) fn read(directory: &Path) -> io::Result<Self> {
        let mut listing =
            Self { directory: directory.to_owned(), segments: BTreeMap::new(), changed_at: None };
        listing.read_again()?;
        Ok(listing)
    }

    /// Lists again if the directory has changed, and tells whether it did so.
    pub(super) fn refresh(&mut self) -> io::Result<bool> {
        let changed_at = fs::metadata(&self.directory)?.modified()?;
        if self.changed_at == Some(changed_at) {
            return Ok(false);
        }
        self.read_again()?;
        Ok(true)
    }

    /// Lists again.
    pub(super) fn read_again(&mut self) -> io::Result<()> {
        let mut before = fs::metadata(&self.directory)?.modified()?;
        for _ in 0..ATTEMPTS {
            self.segments = list(&self.directory)?;
            let after = fs::metadata(&self.directory)?.modified()?;
            if before == after {
                break;
            }
            before = after;
        }
        let is_settled = before.elapsed().is_ok_and(|age| age > SETTLED);
        self.changed_at = is_settled.then_some(before);
        Ok(())
    }

    /// Returns how many segments there are.
    pub(super) fn len(&self) -> usize {
        self.segments.len()
    }

    /// Returns the base offset of the first segment.
    pub(super) fn first(&self) -> Option<i64> {
        self.segments.keys().next().copied()
    }

    /// Returns the segment that is written to.
    pub(super) fn active(&self) -> Option<(i64, &Path)> {
        self.segments.iter().next_back().map(|(base_offset, path)| (*base_offset, path.as_path()))
    }

    /// Returns the segment that would hold `offset`.
    pub(super) fn holding(&self, offset: i64) -> Option<(i64, &Path)> {
        let mut up_to = self.segments.range(..=offset);
        up_to.next_back().map(|(base_offset, path)| (*base_offset, path.as_path()))
    }

    /// Returns the first segment that begins behind `offset`.
    pub(super) fn above(&self, offset: i64) -> Option<(i64, &Path)> {
        let mut above = self.segments.range(offset.saturating_add(1)..);
        above.next().map(|(base_offset, path)| (*base_offset, path.as_path()))
    }

    /// Tells whether another segment follows the one that begins with `base_offset`.
    pub(super) fn is_sealed(&self, base_offset: i64) -> bool {
        self.active().is_some_and(|(active, _)| active > base_offset)
    }
}

fn list(directory: &Path) -> io::Result<BTreeMap<i64, PathBuf>> {
    let mut segments = BTreeMap::new();
    let mut swapped = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let plain = name.strip_suffix(".swap").unwrap_or(name);
        let Some((SegmentFile::Log, base_offset)) = SegmentFile::parse(plain) else { continue };
        if !entry.file_type().is_ok_and(|kind| kind.is_file() || kind.is_symlink()) {
            continue;
        }
        if plain.len() == name.len() {
            segments.insert(base_offset, entry.path());
        } else {
            swapped.push((base_offset, entry.path()));
        }
    }
    for (base_offset, path) in swapped {
        segments.entry(base_offset).or_insert(path);
    }
    Ok(segments)
}
