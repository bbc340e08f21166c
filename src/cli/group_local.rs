//! Groups of log directories, read from their offsets alone: nothing is locked, started or written.

use std::path::PathBuf;

use kfetch::embedded::{Offsets, read_offsets};

use crate::failure::Outcome;
use crate::group_offsets::GroupOffset;

/// Returns the names of the groups that have committed something.
///
/// # Errors
///
/// What the library says of the directories.
pub(crate) fn groups(log_dirs: &[PathBuf]) -> Outcome<Vec<String>> {
    Ok(read_offsets(log_dirs)?.groups().map(|(group, _)| group.to_owned()).collect())
}

/// Returns a row for each offset that a group has committed, or all groups have.
///
/// # Errors
///
/// As [`groups`].
pub(crate) fn rows(log_dirs: &[PathBuf], group: Option<&str>) -> Outcome<Vec<GroupOffset>> {
    let offsets: Offsets = read_offsets(log_dirs)?;
    let wanted = |name: &str| group.is_none_or(|group| group == name);
    let mut rows = Vec::new();
    for (group, topics) in offsets.into_groups().into_iter().filter(|(name, _)| wanted(name)) {
        for (topic, partitions) in topics {
            rows.extend(partitions.into_iter().map(|(partition, committed)| GroupOffset {
                group: group.clone(),
                topic: topic.clone(),
                partition,
                committed_offset: committed.offset,
                leader_epoch: Some(committed.leader_epoch).filter(|epoch| *epoch >= 0),
                metadata: committed.metadata,
                ..GroupOffset::default()
            }));
        }
    }
    Ok(rows)
}
