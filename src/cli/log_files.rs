//! Which segments a path means.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use kfetch::log::names::{SegmentFile, parse_partition_directory};

use crate::failure::{Failure, Outcome};

/// The segments of one partition.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Segments {
    /// Base offsets and files, in order.
    pub(crate) files: Vec<(i64, PathBuf)>,
}

impl Segments {
    /// Returns how many bytes the files have now.
    pub(crate) fn bytes(&self) -> u64 {
        let size = |(_, path): &(i64, PathBuf)| fs::metadata(path).map_or(0, |found| found.len());
        self.files.iter().map(size).sum()
    }
}

/// Returns the segments of a log directory by partition, or those of one partition's directory.
///
/// # Errors
///
/// Where a directory cannot be listed, and where there is no segment.
pub(crate) fn of_directory(path: &Path) -> Outcome<Vec<Segments>> {
    let own = in_partition(path)?;
    if !own.files.is_empty() {
        return Ok(vec![own]);
    }
    let mut directories = Vec::new();
    for name in names(path)? {
        if let Some((topic, partition)) = parse_partition_directory(&name)
            && path.join(&name).is_dir()
        {
            directories.push((topic.to_owned(), partition));
        }
    }
    directories.sort_unstable();
    let mut found = Vec::new();
    for (topic, partition) in directories {
        let segments = in_partition(&path.join(format!("{topic}-{partition}")))?;
        if !segments.files.is_empty() {
            found.push(segments);
        }
    }
    if found.is_empty() {
        let text = format!("{}: neither a log directory nor a partition's", path.display());
        return Err(Failure::Error(format!("{text}: there is no segment")));
    }
    Ok(found)
}

fn in_partition(path: &Path) -> Outcome<Segments> {
    let segment = |name: String| match SegmentFile::parse(&name) {
        Some((SegmentFile::Log, base_offset)) => Some((base_offset, path.join(name))),
        _ => None,
    };
    let mut files: Vec<_> = names(path)?.into_iter().filter_map(segment).collect();
    files.sort_unstable();
    Ok(Segments { files })
}

/// Lists a directory; names that are no text are no log's.
fn names(path: &Path) -> Outcome<Vec<String>> {
    let list = || -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(path)? {
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    };
    list().map_err(|error| Failure::Error(format!("{}: {error}", path.display())))
}
