//! What a member tells the application's side.

#![forbid(unsafe_code)]

use super::question::Told;
use crate::error::{Error, Result};
use crate::topic::TopicName;

/// A notice of a member, in the order in which things happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// When the group is being rebalanced. The member waits, its session alive, for
    /// [`MemberCommand::Join`], which is to follow once what has to be revoked is revoked; up to
    /// the rebalance timeout, after which the group goes on without it.
    ///
    /// [`MemberCommand::Join`]: super::command::MemberCommand::Join
    Rejoin {
        /// The number of the last join that the member had been told of: a later one crossed with
        /// this notice.
        join: u64,
        /// Why.
        reason: String,
    },
    /// When the membership is over without the member's doing: the group has thrown it out, its
    /// session has expired, or the application did not poll in time. Its partitions may belong to
    /// others already. It joins again on [`MemberCommand::Join`].
    ///
    /// [`MemberCommand::Join`]: super::command::MemberCommand::Join
    Lost {
        /// The number of the last join that the member had been told of: a later one crossed with
        /// this notice, and is under way.
        join: u64,
        /// Why.
        reason: String,
    },
    /// When the member leads the new generation and is to run the assignor;
    /// [`MemberCommand::Assign`](super::command::MemberCommand::Assign) is awaited.
    Lead {
        /// The new membership.
        membership: Membership,
        /// The assignor that the group chose.
        protocol: String,
        /// All members with the bytes of their subscriptions, itself included.
        members: Vec<JoinedMember>,
        /// Whether the group goes on with the assignment it has (KIP-814): topics are to be
        /// watched, an assignment must not be sent.
        skips_assignment: bool,
    },
    /// When the new generation has its assignment.
    Assigned {
        /// The new membership.
        membership: Membership,
        /// The assignor that the group chose.
        protocol: String,
        /// The bytes of this member's assignment.
        assignment: Vec<u8>,
    },
    /// When the member has left.
    Left,
    /// When a commit is done, or failed.
    Committed {
        /// Of the command.
        id: u64,
        /// For each partition in the order of the command, or the error that befell all of them.
        result: Result<Vec<Result<()>>>,
    },
    /// When committed offsets have been told.
    Fetched {
        /// Of the command.
        id: u64,
        /// For each partition of the command in its order, or all that there are.
        result: Result<Vec<CommittedOffset>>,
    },
    /// When another question is answered.
    Told {
        /// Of the command.
        id: u64,
        /// The answer.
        result: Result<Told>,
    },
    /// When membership has failed for good, or an error is to be told that does not end it;
    /// [`Error::is_fatal`] tells which.
    Failed(Error),
}

/// A member's place in one generation of its group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The generation, ≥ 0.
    pub generation: i32,
    /// The id that the coordinator gave the member.
    pub member_id: String,
}

/// A member as the leader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedMember {
    /// The member's id.
    pub member_id: String,
    /// Its `group.instance.id`.
    pub group_instance_id: Option<String>,
    /// The bytes of its subscription: another client's, not to be trusted.
    pub metadata: Vec<u8>,
}

/// What a group has committed for a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The topic.
    pub topic: TopicName,
    /// The partition.
    pub partition: i32,
    /// What was committed, none where nothing was, or why it cannot be told.
    pub committed: Result<Option<Committed>>,
}

/// A committed offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The offset of the next record to read.
    pub offset: i64,
    /// The leader epoch of the last record that was read, −1 where it is not known.
    pub leader_epoch: i32,
    /// The application's own words, empty where there are none.
    pub metadata: String,
}
