//! Offsets that nobody needs any more (KIP-211), and groups of which nothing is left.

#![forbid(unsafe_code)]

use super::super::now::Now;
use super::super::offsets::{CommittedOffset, OffsetRecord};
use super::group::{Group, State};
use super::machine::GroupCoordinator;

impl GroupCoordinator {
    /// Removes the offsets of groups that have had no members, and no commits, for as long as the
    /// retention is; then the groups without members and offsets.
    pub(super) fn expire(&mut self, now: Now) {
        let retention = self.settings.offsets_retention.as_millis();
        let retention_ms = i64::try_from(retention).unwrap_or(i64::MAX);
        let mut expired = Vec::new();
        for (group, topics) in self.offsets().groups() {
            let state = self.groups.get(group);
            if state.is_some_and(|group| group.state != State::Empty) {
                continue;
            }
            let empty_since_ms = state.map_or(i64::MIN, |group| group.empty_since_ms);
            for (topic, partitions) in topics {
                for (partition, committed) in partitions {
                    if is_expired(committed, empty_since_ms, retention_ms, now.epoch_ms) {
                        expired.push((group.to_owned(), topic.clone(), *partition));
                    }
                }
            }
        }
        for (group, topic, partition) in expired {
            self.write(OffsetRecord { group, topic, partition, committed: None });
        }
        let offsets = &self.offsets;
        self.groups.retain(|id, group| !group.is_dead() || offsets.group(id).is_some());
    }
}

impl Group {
    /// Tells whether there is nothing in the group that a member or an answer depends on.
    fn is_dead(&self) -> bool {
        self.state == State::Empty && self.members.is_empty() && self.pending_members.is_empty()
    }
}

fn is_expired(
    committed: &CommittedOffset,
    empty_since_ms: i64,
    retention_ms: i64,
    now_ms: i64,
) -> bool {
    let used_ms = committed.commit_timestamp_ms.max(empty_since_ms);
    let expires_ms = committed.expire_timestamp_ms;
    expires_ms.unwrap_or_else(|| used_ms.saturating_add(retention_ms)) <= now_ms
}
