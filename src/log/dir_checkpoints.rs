//! A log directory's checkpoints as they were read last.
//!
//! All partitions of a directory share one reading of them: a file of ten thousand lines that
//! changes every five seconds is parsed once for each change, not once for each partition.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;
use std::{fs, io};

use super::checkpoint::{Checkpoint, HIGH_WATERMARKS, LOG_START_OFFSETS};
use super::io_error;
use crate::error::Result;

/// The checkpoints of one log directory.
///
/// # Threads
///
/// Any thread; a look takes a lock for as long as the files take to be read.
#[derive(Debug)]
pub(super) struct DirCheckpoints {
    log_dir: PathBuf,
    high_watermarks: Mutex<Cached>,
    log_starts: Mutex<Cached>,
}

/// A checkpoint file and which state of it was read.
#[derive(Debug, Default)]
struct Cached {
    checkpoint: Checkpoint,
    /// `None` before the first reading, and for a file that is not there.
    stamp: Option<Stamp>,
}

/// What changes when a file is replaced or rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    len: u64,
    modified: SystemTime,
}

impl DirCheckpoints {
    pub(super) fn new(log_dir: &Path) -> Self {
        Self {
            log_dir: log_dir.to_owned(),
            high_watermarks: Mutex::default(),
            log_starts: Mutex::default(),
        }
    }

    pub(super) fn log_dir(&self) -> &Path {
        &self.log_dir
    }

    /// Returns the high watermark that the directory's checkpoint has for a partition now.
    pub(super) fn high_watermark(&self, topic: &str, partition: i32) -> Result<Option<i64>> {
        self.look(&self.high_watermarks, HIGH_WATERMARKS, topic, partition)
    }

    /// Returns the log start offset that the directory's checkpoint has for a partition now.
    pub(super) fn log_start(&self, topic: &str, partition: i32) -> Result<Option<i64>> {
        self.look(&self.log_starts, LOG_START_OFFSETS, topic, partition)
    }

    fn look(
        &self,
        cached: &Mutex<Cached>,
        name: &str,
        topic: &str,
        partition: i32,
    ) -> Result<Option<i64>> {
        let mut cached = cached.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.log_dir.join(name);
        let stamp = Stamp::of(&path).map_err(|error| io_error("look at", &path, &error))?;
        if cached.stamp != stamp {
            // What is read is this state of the file or a later one, and that one's stamp differs.
            cached.checkpoint = Checkpoint::read(&self.log_dir, name)?;
            cached.stamp = stamp;
        }
        Ok(cached.checkpoint.offset(topic, partition).filter(|offset| *offset >= 0))
    }
}

impl Stamp {
    fn of(path: &Path) -> io::Result<Option<Self>> {
        match fs::metadata(path) {
            Ok(metadata) => Ok(Some(Self {
                inode: metadata.ino(),
                len: metadata.len(),
                modified: metadata.modified()?,
            })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}
