//! A partition's directory in the hands of one writer.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::checkpoint::sync_directory;
use super::io_error;
use super::names::{META_PROPERTIES, is_topic_name, partition_directory};
use crate::buffer::FileLock;
use crate::error::{Error, ErrorKind, Result};

/// The file that is locked; a broker passes over it, and a reader does not look at it.
const LOCK: &str = ".kfetch-writer.lock";

/// The directory of a partition, locked against other writers for as long as this value lives.
#[derive(Debug)]
pub(super) struct PartitionLock {
    pub(super) directory: PathBuf,
    _lock: FileLock,
}

impl PartitionLock {
    /// Makes the directory where there is none, and locks it. A log directory that had to be made
    /// is on the disk when this returns, the partition's in it may not be.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Locked`] if there is a writer already; [`ErrorKind::InvalidArgument`] for a
    /// name that no topic can have, a negative partition, and a broker's directory, where nothing
    /// is made; [`ErrorKind::Io`].
    pub(super) fn take(log_dir: &Path, topic: &str, partition: i32) -> Result<Self> {
        let refuse = |text: String| Err(Error::new(ErrorKind::InvalidArgument, text));
        if !is_topic_name(topic) {
            let topic: String = topic.chars().take(60).collect();
            return refuse(format!("no topic can have the name {topic:?}"));
        }
        if partition < 0 {
            return refuse(format!("{partition} is no partition"));
        }
        let meta_properties = log_dir.join(META_PROPERTIES);
        match meta_properties.try_exists() {
            Ok(false) => {}
            Ok(true) => {
                let path = log_dir.display();
                return refuse(format!("{path} belongs to a broker: it has {META_PROPERTIES}"));
            }
            Err(error) => return Err(io_error("look for", &meta_properties, &error)),
        }
        let parents = parents_of_missing(log_dir);
        let directory = log_dir.join(partition_directory(topic, partition));
        fs::create_dir_all(&directory).map_err(|error| io_error("make", &directory, &error))?;
        parents.iter().try_for_each(|parent| sync_directory(parent))?;
        let path = directory.join(LOCK);
        match FileLock::try_take(&path) {
            Ok(lock) => Ok(Self { directory, _lock: lock }),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let text = format!("{} has a writer already", directory.display());
                Err(Error::new(ErrorKind::Locked, text))
            }
            Err(error) => Err(io_error("lock", &path, &error)),
        }
    }
}

/// Returns the parents of those directories on the way to `directory` that do not exist.
fn parents_of_missing(directory: &Path) -> Vec<PathBuf> {
    let missing = directory.ancestors().take_while(|path| !path.exists());
    let parent = |path: &Path| match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Some(PathBuf::from(".")),
        parent => parent.map(Path::to_path_buf),
    };
    missing.filter_map(parent).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_of_made_directories_are_found() {
        let root = std::env::temp_dir();
        let made = root.join(format!("kfetch-missing-{}", std::process::id()));
        assert_eq!(parents_of_missing(&made.join("a")), [made.clone(), root.clone()]);
        assert!(parents_of_missing(&root).is_empty());
        assert_eq!(parents_of_missing(Path::new("no-such-directory")), [PathBuf::from(".")]);
    }
}
