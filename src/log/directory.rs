//! The directories of `log.dirs` and the partitions in them.
//!
//! What has not exactly the name of a partition's directory is not looked at, so that partitions
//! which a broker deletes, moves or has found without an owner do not exist here.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::dir_checkpoints::DirCheckpoints;
use super::io_error;
use super::names::{META_PROPERTIES, parse_partition_directory, partition_directory};
use crate::error::{Error, ErrorKind, Result};

/// The log directories that a consumer reads.
#[derive(Debug)]
pub struct LogDirs {
    dirs: Vec<Arc<DirCheckpoints>>,
}

/// A topic of which some directory has partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogTopic {
    /// The topic's name.
    pub name: String,
    /// The numbers of the partitions that are there, in order; others may be missing.
    pub partitions: Vec<i32>,
    /// What is wrong with the first partition that two of the directories have; none where each
    /// partition lies in one place.
    pub found_twice: Option<Error>,
}

/// Where a partition lies.
#[derive(Clone, Debug)]
pub struct PartitionDir {
    /// The partition's own directory.
    pub path: PathBuf,
    /// The directory of `log.dirs` that it is in.
    pub log_dir: PathBuf,
    /// The topic's name.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
    /// Whether a broker owns the log directory: it has a `meta.properties`.
    pub is_broker: bool,
    /// What is known of the log directory's checkpoints, shared by its partitions.
    pub(super) checkpoints: Arc<DirCheckpoints>,
}

impl LogDirs {
    /// Takes `paths` as log directories.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] without a path, and where two of them lead to one directory;
    /// [`ErrorKind::Io`] for the first one that does not exist, is no directory or cannot be
    /// listed.
    pub fn open(paths: &[PathBuf]) -> Result<Self> {
        if paths.is_empty() {
            return Err(Error::new(ErrorKind::Config, "no log directory is given"));
        }
        let open = |path: &PathBuf| {
            fs::read_dir(path).map_err(|error| io_error("list", path, &error))?;
            Ok(Arc::new(DirCheckpoints::new(path)))
        };
        let dirs = paths.iter().map(open).collect::<Result<_>>()?;
        refuse_two_ways(paths)?;
        Ok(Self { dirs })
    }

    /// Lists the topics by name, as they are there now. A partition that two directories have is
    /// told with its topic, so that the others can be read.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] for a directory that cannot be listed.
    pub fn topics(&self) -> Result<Vec<LogTopic>> {
        let mut found: BTreeMap<String, BTreeMap<i32, Vec<&Path>>> = BTreeMap::new();
        for dir in &self.dirs {
            for name in directory_names(dir.log_dir())? {
                let Some((topic, partition)) = parse_partition_directory(&name) else { continue };
                let partitions = found.entry(topic.to_owned()).or_default();
                partitions.entry(partition).or_default().push(dir.log_dir());
            }
        }
        let topic = |(name, partitions): (String, BTreeMap<i32, Vec<&Path>>)| {
            let twice = partitions.iter().find_map(|(partition, dirs)| match dirs.as_slice() {
                [one, other, ..] => Some(found_twice(&name, *partition, one, other)),
                _ => None,
            });
            LogTopic { partitions: partitions.into_keys().collect(), found_twice: twice, name }
        };
        Ok(found.into_iter().map(topic).collect())
    }

    /// Returns the directories that have partitions of a topic, in the order in which they were
    /// given.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] for a directory that cannot be listed.
    pub fn having(&self, topic: &str) -> Result<Vec<&Path>> {
        let mut having = Vec::new();
        for path in self.paths() {
            let is_of_topic = |name: &String| {
                parse_partition_directory(name).is_some_and(|(found, _)| found == topic)
            };
            if directory_names(path)?.iter().any(is_of_topic) {
                having.push(path);
            }
        }
        Ok(having)
    }

    /// Looks for a partition's directory.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if two log directories have the partition, [`ErrorKind::Io`] if a
    /// place cannot be looked at.
    pub fn partition(&self, topic: &str, partition: i32) -> Result<Option<PartitionDir>> {
        let name = partition_directory(topic, partition);
        if parse_partition_directory(&name) != Some((topic, partition)) {
            return Ok(None);
        }
        let mut found: Option<PartitionDir> = None;
        for dir in &self.dirs {
            let path = dir.log_dir().join(&name);
            if !exists(&path, fs::Metadata::is_dir)? {
                continue;
            }
            if let Some(other) = &found {
                return Err(found_twice(topic, partition, &other.log_dir, dir.log_dir()));
            }
            found = Some(PartitionDir {
                path,
                log_dir: dir.log_dir().to_owned(),
                topic: topic.to_owned(),
                partition,
                is_broker: exists(&dir.log_dir().join(META_PROPERTIES), |_| true)?,
                checkpoints: Arc::clone(dir),
            });
        }
        Ok(found)
    }

    /// Returns the directories, in the order in which they were given.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.dirs.iter().map(|dir| dir.log_dir())
    }
}

impl PartitionDir {
    /// Adds the partition to an error.
    pub(super) fn name(&self, error: Error) -> Error {
        error.with_partition(&self.topic, self.partition)
    }

    /// Makes an error of what the operating system said of a file.
    pub(super) fn io_error(&self, action: &str, path: &Path, error: &io::Error) -> Error {
        self.name(io_error(action, path, error))
    }
}

fn directory_names(path: &Path) -> Result<Vec<String>> {
    let list = || -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let is_directory = entry.file_type()?.is_dir() || entry.path().is_dir();
            if is_directory && let Ok(name) = entry.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    };
    list().map_err(|error| io_error("list", path, &error))
}

fn exists(path: &Path, is_right: impl Fn(&fs::Metadata) -> bool) -> Result<bool> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(is_right(&metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(io_error("look at", path, &error)),
    }
}

/// Refuses two paths of one directory: each of its partitions would be found twice.
fn refuse_two_ways(paths: &[PathBuf]) -> Result<()> {
    let mut seen: BTreeMap<PathBuf, &Path> = BTreeMap::new();
    for path in paths {
        let real = fs::canonicalize(path).map_err(|error| io_error("look at", path, &error))?;
        if let Some(other) = seen.insert(real, path) {
            let (one, other) = (other.display(), path.display());
            let text = format!("log.dirs: given twice: {one} and {other} are one directory");
            return Err(Error::new(ErrorKind::Config, text));
        }
    }
    Ok(())
}

fn found_twice(topic: &str, partition: i32, one: &Path, other: &Path) -> Error {
    let text = format!(
        "two log directories have the partition: {} and {}",
        one.display(),
        other.display()
    );
    Error::new(ErrorKind::Config, text).with_partition(topic, partition)
}
