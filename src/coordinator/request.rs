//! A request of a member, with everything in it that the wire needs.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::command::CommitOffset;
use super::topic_ids::TopicIds;
use crate::protocol::ApiKey;
use crate::topic::TopicName;
use crate::wire::Uuid;

/// A request of a member. It travels with the connection's record of it and comes back with the
/// answer, so that the member need not remember what it asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// When any broker is asked who coordinates the group.
    FindCoordinator,
    /// When the member joins.
    JoinGroup {
        /// Empty before the first join.
        member_id: String,
        /// The assignors with the subscription's bytes.
        protocols: Vec<(String, Vec<u8>)>,
        /// Why.
        reason: String,
    },
    /// When the member asks for its assignment, as the leader with everybody's.
    SyncGroup {
        /// The generation.
        generation: i32,
        /// Its id.
        member_id: String,
        /// The assignor that the group chose.
        protocol: String,
        /// Member ids with the assignment's bytes; empty unless it leads.
        assignments: Vec<(String, Vec<u8>)>,
    },
    /// When the session is kept alive.
    Heartbeat {
        /// The generation.
        generation: i32,
        /// Its id.
        member_id: String,
    },
    /// When the member leaves.
    LeaveGroup {
        /// Its id.
        member_id: String,
        /// Why.
        reason: String,
    },
    /// When offsets are committed.
    OffsetCommit {
        /// The command's number.
        id: u64,
        /// The generation, −1 without membership.
        generation: i32,
        /// Its id, empty without membership.
        member_id: String,
        /// The offsets.
        offsets: Vec<CommitOffset>,
        /// The ids of their topics, as far as its owner knows them.
        topic_ids: TopicIds,
    },
    /// When committed offsets are asked for.
    OffsetFetch {
        /// The command's number.
        id: u64,
        /// The partitions, or all.
        partitions: Option<Vec<(TopicName, i32)>>,
        /// The ids of their topics, as far as its owner knows them.
        topic_ids: TopicIds,
    },
    /// When the coordinator is asked to describe the group.
    DescribeGroup {
        /// The command's number.
        id: u64,
    },
    /// When committed offsets are to be deleted.
    OffsetDelete {
        /// The command's number.
        id: u64,
        /// The partitions.
        partitions: Vec<(TopicName, i32)>,
    },
    /// When any broker is asked who the brokers are.
    Brokers {
        /// The command's number.
        id: u64,
    },
    /// When a broker is asked which groups it coordinates.
    ListGroups {
        /// The command's number.
        id: u64,
        /// The broker's node id; none for a server that knows of no brokers.
        broker: Option<i32>,
    },
}

impl Request {
    /// Returns which API it is of.
    pub fn api_key(&self) -> ApiKey {
        match self {
            Self::FindCoordinator => ApiKey::FindCoordinator,
            Self::JoinGroup { .. } => ApiKey::JoinGroup,
            Self::SyncGroup { .. } => ApiKey::SyncGroup,
            Self::Heartbeat { .. } => ApiKey::Heartbeat,
            Self::LeaveGroup { .. } => ApiKey::LeaveGroup,
            Self::OffsetCommit { .. } => ApiKey::OffsetCommit,
            Self::OffsetFetch { .. } => ApiKey::OffsetFetch,
            Self::DescribeGroup { .. } => ApiKey::DescribeGroups,
            Self::OffsetDelete { .. } => ApiKey::OffsetDelete,
            Self::Brokers { .. } => ApiKey::Metadata,
            Self::ListGroups { .. } => ApiKey::ListGroups,
        }
    }

    /// Tells whether it goes to the group's coordinator.
    pub fn is_for_coordinator(&self) -> bool {
        !matches!(self, Self::FindCoordinator | Self::Brokers { .. } | Self::ListGroups { .. })
    }

    /// Takes the ids of the topics it speaks of, as they are known when it is about to be sent.
    pub fn take_topic_ids(&mut self, id_of: impl Fn(&str) -> Option<Uuid>) {
        match self {
            Self::OffsetCommit { offsets, topic_ids, .. } => {
                let names = offsets.iter().map(|offset| offset.topic.clone());
                *topic_ids = TopicIds::gather(names, id_of);
            }
            Self::OffsetFetch { partitions: Some(partitions), topic_ids, .. } => {
                let names = partitions.iter().map(|(topic, _)| topic.clone());
                *topic_ids = TopicIds::gather(names, id_of);
            }
            _ => {}
        }
    }

    /// Returns the highest version in which it can be sent: the latest of OffsetCommit and
    /// OffsetFetch knows topics by their ids alone.
    pub fn version_max(&self) -> i16 {
        match self {
            Self::OffsetCommit { topic_ids, .. } | Self::OffsetFetch { topic_ids, .. }
                if topic_ids.is_empty() =>
            {
                NAMED_VERSION_MAX
            }
            _ => i16::MAX,
        }
    }

    /// Returns how long the coordinator may sit on it beyond `request.timeout.ms`.
    pub fn broker_wait(&self, rebalance_timeout: Duration) -> Duration {
        match self {
            Self::JoinGroup { .. } => rebalance_timeout + JOIN_GRACE,
            _ => Duration::ZERO,
        }
    }
}

/// The last version of OffsetCommit and OffsetFetch that names topics.
const NAMED_VERSION_MAX: i16 = 9;

/// What a coordinator may take to answer a join after the rebalance timeout (Java's
/// `AbstractCoordinator.JOIN_GROUP_TIMEOUT_LAPSE`).
const JOIN_GRACE: Duration = Duration::from_secs(5);
