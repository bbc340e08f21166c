//! All committed offsets of log directories, for whoever only wants to look.
//!
//! Directories that share the partitions among them, as a broker spreads them, are read together.

#![forbid(unsafe_code)]

use std::path::PathBuf;

use super::offsets::Offsets;
use super::offsets_log::TOPIC;
use super::replay::Replay;
use crate::error::{Error, ErrorKind, Result};
use crate::log::LogDirs;

/// Reads the offsets that all groups have committed in these log directories, kfetch's own or a
/// broker's, running or not. Writes nothing and takes no lock; what is committed meanwhile may be
/// in it or not. In a running broker's directory it goes as far as its high watermarks.
///
/// # Errors
///
/// [`ErrorKind::Io`], [`ErrorKind::Corrupt`] and [`ErrorKind::Unsupported`] for what cannot be
/// read, [`ErrorKind::Config`] where two directories have the same partition.
pub fn read_offsets(dirs: &[PathBuf]) -> Result<Offsets> {
    let dirs = LogDirs::open(dirs)?;
    let mut offsets = Offsets::default();
    for topic in dirs.topics()?.iter().filter(|topic| topic.name == TOPIC) {
        if let Some(error) = &topic.found_twice {
            return Err(two_sets(error));
        }
        for partition in &topic.partitions {
            let Some(dir) = dirs.partition(TOPIC, *partition)? else { continue };
            match Replay::read(&dir) {
                Ok(replay) => replay.add_to(&mut offsets),
                // A broker has moved it away since it was listed.
                Err(error) if error.kind() == ErrorKind::UnknownTopicOrPartition => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(offsets)
}

/// Says of a partition that two directories have that nobody can tell which one counts.
fn two_sets(twice: &Error) -> Error {
    let text = format!(
        "{}. The offsets that groups have committed are read from one of them: name only one",
        twice.message()
    );
    Error::new(twice.kind(), text).with_partition(TOPIC, twice.partition())
}
