//! What to do about each error that a broker gives for a partition of a Fetch.

#![forbid(unsafe_code)]

use std::time::Instant;

use super::cluster::{Cluster, Leadership};
use super::consumer::FetchConsumer;
use super::landing::{Damage, Landed, What};
use super::lookup::partition_error;
use crate::backoff::Random;
use crate::protocol::ErrorCode;

/// What an error code asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remedy {
    /// When the metadata is stale: refresh it, then try again.
    Refresh,
    /// When the broker is not ready: try again.
    Retry,
    /// When the position lies outside of the log: begin elsewhere, by the policy.
    Reset,
    /// When the broker found the batch damaged.
    Damaged,
    /// When only a seek can help.
    Fail,
}

/// Returns the remedy, as Java's `FetchCollector.handleInitializeErrors` has it.
fn remedy(code: ErrorCode) -> Remedy {
    match code {
        ErrorCode::UNKNOWN_LEADER_EPOCH | ErrorCode::UNKNOWN_SERVER_ERROR => Remedy::Retry,
        ErrorCode::OFFSET_OUT_OF_RANGE => Remedy::Reset,
        ErrorCode::CORRUPT_MESSAGE => Remedy::Damaged,
        code if code.is_retriable() => Remedy::Refresh,
        ErrorCode::FENCED_LEADER_EPOCH | ErrorCode::INCONSISTENT_TOPIC_ID => Remedy::Refresh,
        _ => Remedy::Fail,
    }
}

impl FetchConsumer {
    /// Follows a partition to the leader that its old one named (KIP-951).
    pub fn handle_leader_hint(&mut self, index: u32, hint: Leadership, cluster: &mut Cluster) {
        let Some(cursor) = self.cursor(index) else { return };
        cluster.handle_leader_hint(cursor.topic.as_str(), cursor.partition, hint);
        self.find_leader(index, cluster);
    }

    /// Deals with a partition's error.
    pub fn handle_partition_error(
        &mut self,
        index: u32,
        code: ErrorCode,
        cluster: &mut Cluster,
        now: Instant,
        random: &mut Random,
    ) {
        let Some(cursor) = self.cursor_mut(index) else { return };
        match remedy(code) {
            Remedy::Refresh => {
                cluster.want_refresh(now);
                self.back_off(index, now, random);
            }
            Remedy::Retry => self.back_off(index, now, random),
            // The request may have left before its position was verified; then it says nothing.
            Remedy::Reset if cursor.fetch_offset != cursor.delivered_offset => {
                self.back_off(index, now, random);
            }
            Remedy::Reset => self.reset(index, now),
            Remedy::Damaged => {
                let generation = cursor.generation;
                let damage = Damage::corrupt(cursor.fetch_offset, code.text());
                let what = What::Damage(damage);
                self.landed.push(Landed { cursor: index, generation, what });
            }
            Remedy::Fail => {
                let offset = cursor.fetch_offset;
                let error = partition_error(&cursor.topic, cursor.partition, code);
                self.fail(index, error.with_offset(offset));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_the_remedy_that_java_gives_it() {
        let refresh = [3, 5, 6, 9, 56, 74, 78, 100, 103];
        let other = [
            (75, Remedy::Retry),
            (-1, Remedy::Retry),
            (1, Remedy::Reset),
            (2, Remedy::Damaged),
            (29, Remedy::Fail),
            (76, Remedy::Fail),
            (43, Remedy::Fail),
        ];
        for code in refresh {
            assert_eq!(remedy(ErrorCode(code)), Remedy::Refresh, "{code}");
        }
        for (code, expected) in other {
            assert_eq!(remedy(ErrorCode(code)), expected, "{code}");
        }
    }
}
