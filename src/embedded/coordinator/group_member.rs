//! A member of a group, as the coordinator knows it.

#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use super::answers::Reply;

/// How long a member that has never been in a generation may wait for its first one (Kafka's
/// `NEW_MEMBER_JOIN_TIMEOUT_MS`): its client may be gone, and nothing else would tell.
pub(super) const NEW_MEMBER_JOIN_TIMEOUT: Duration = Duration::from_secs(300);

/// A protocol's name with the member's metadata for it, the one it likes best first.
pub(super) type Protocols = Vec<(String, Vec<u8>)>;

/// A member.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) id: String,
    pub(super) group_instance_id: Option<String>,
    /// The name that its client gives itself.
    pub(super) client_id: String,
    pub(super) rebalance_timeout: Duration,
    pub(super) session_timeout: Duration,
    pub(super) protocols: Protocols,
    /// What the leader has assigned to it in this generation.
    pub(super) assignment: Vec<u8>,
    /// Its JoinGroup that waits for the generation to begin.
    pub(super) awaiting_join: Option<Reply>,
    /// Its SyncGroup that waits for the leader's.
    pub(super) awaiting_sync: Option<Reply>,
    /// Whether it has not been in a generation yet.
    pub(super) is_new: bool,
    /// When its session ends without a sign of life; `None` while it waits for an answer.
    pub(super) deadline: Option<Instant>,
}

impl Member {
    /// Tells whether a request with these protocols would change nothing.
    pub(super) fn has_protocols(&self, protocols: &Protocols) -> bool {
        self.protocols == *protocols
    }

    pub(super) fn supports(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|(name, _)| name == protocol)
    }

    /// Returns its metadata for a protocol.
    pub(super) fn metadata(&self, protocol: &str) -> &[u8] {
        let found = self.protocols.iter().find(|(name, _)| name == protocol);
        found.map(|(_, metadata)| metadata.as_slice()).unwrap_or_default()
    }

    /// Begins its session anew: it has given a sign of life.
    pub(super) fn renew_session(&mut self, now: Instant) {
        self.deadline = Some(now + self.session_timeout);
    }
}
