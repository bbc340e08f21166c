//! Which of a list of log directories has the groups.

#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

use super::offsets_log::{TOPIC, refuse_brokers};
use crate::error::{Error, ErrorKind, Result};
use crate::log::LogDirs;

/// Returns the directory whose coordinator serves the groups of these log directories: the one
/// that has partitions of `__consumer_offsets`, the first where none has any. So every order of
/// the same directories leads to the same coordinator. Only names are looked at: nothing is
/// locked or written.
///
/// # Errors
///
/// [`ErrorKind::Config`] where more than one of them has such partitions,
/// [`ErrorKind::InvalidArgument`] if one of those is a broker's. [`ErrorKind::Io`] for a directory
/// that does not exist or cannot be listed.
pub fn groups_dir(dirs: &[PathBuf]) -> Result<PathBuf> {
    let opened = LogDirs::open(dirs)?;
    match (opened.having(TOPIC)?.as_slice(), dirs) {
        ([], [first, ..]) => Ok(first.clone()),
        ([one], _) => Ok((*one).to_owned()),
        (several, _) => Err(in_several(several)),
    }
}

fn in_several(dirs: &[&Path]) -> Error {
    // Whatever is moved away, a broker's groups stay its own.
    if let Some(error) = dirs.iter().find_map(|dir| refuse_brokers(dir).err()) {
        return error;
    }
    let names: Vec<String> = dirs.iter().map(|dir| dir.display().to_string()).collect();
    let text = format!(
        "log.dirs: {} of the directories have offsets of groups ({TOPIC}-N), and groups are served \
         from one alone: {}. Name only one of them, or move these partitions of the others away",
        names.len(),
        names.join(", ")
    );
    Error::new(ErrorKind::Config, text)
}
