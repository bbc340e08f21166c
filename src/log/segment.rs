//! One open `.log` file: read by position, or mapped.
//!
//! An open segment stays readable when its name is gone, as retention and compaction leave it. It
//! may grow, and where somebody truncates it, it shrinks; nothing here remembers its length.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::regular_file::open_regular;
use crate::buffer::Slice;

/// Which file it is, whatever its name: compaction puts another one under the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

/// An open `.log` file.
#[derive(Debug)]
pub(super) struct Segment {
    file: File,
    path: PathBuf,
    /// The offset in its name.
    base_offset: i64,
    identity: Identity,
}

impl Segment {
    /// Opens the file for reading; a FIFO or a directory with such a name is refused.
    pub(super) fn open(path: &Path, base_offset: i64) -> io::Result<Self> {
        let (file, metadata) = open_regular(path)?;
        let identity = Identity { device: metadata.dev(), inode: metadata.ino() };
        Ok(Self { file, path: path.to_owned(), base_offset, identity })
    }

    /// Fills `out` from `position` on as far as the file goes, and returns how far that was.
    pub(super) fn read_at(&self, position: u64, out: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0_usize;
        while let Some(rest) = out.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let at = position.saturating_add(u64::try_from(filled).unwrap_or(u64::MAX));
            match self.file.read_at(rest, at) {
                Ok(0) => break,
                Ok(len) => filled = filled.saturating_add(len),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    /// Maps the first `len` bytes; see [`Slice::map`] for what the caller vouches for.
    pub(super) fn map(&self, len: u64) -> io::Result<Slice> {
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
        Slice::map(&self.file, len)
    }

    /// Returns the length in bytes as it is now.
    pub(super) fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Returns when somebody wrote into the file last.
    pub(super) fn modified(&self) -> io::Result<SystemTime> {
        self.file.metadata()?.modified()
    }

    /// Tells whether `path` is still this file's name; another file may have it, or none.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|metadata| {
            (Identity { device: metadata.dev(), inode: metadata.ino() }) == self.identity
        })
    }

    pub(super) fn base_offset(&self) -> i64 {
        self.base_offset
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}
