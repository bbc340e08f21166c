//! What the application's side tells a member.

#![forbid(unsafe_code)]

use std::time::Instant;

use super::notice::Membership;
use super::question::Question;
use crate::topic::TopicName;

/// A command to a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberCommand {
    /// When it is to join, or to join again: the answer to [`Notice::Rejoin`] and to
    /// [`Notice::Lost`], or a wish of the application's own. A wish that comes while an earlier one
    /// is under way takes its place: what was sent is seen through, and leads to no assignment.
    /// (Such is the answer to a loss that was told while the answer to a rebalance was on its
    /// way.)
    ///
    /// [`Notice::Rejoin`]: super::notice::Notice::Rejoin
    /// [`Notice::Lost`]: super::notice::Notice::Lost
    Join {
        /// The join's number, above those of earlier ones.
        join: u64,
        /// The assignors by name, the one it likes best first, each with the subscription's bytes.
        protocols: Vec<(String, Vec<u8>)>,
        /// Why, for the broker's log (KIP-800).
        reason: String,
    },
    /// When it leads, and this is what the assignor decided in answer to [`Notice::Lead`]; ignored
    /// if the generation is over.
    ///
    /// [`Notice::Lead`]: super::notice::Notice::Lead
    Assign {
        /// The generation of the notice.
        generation: i32,
        /// Member ids, each with the assignment's bytes.
        assignments: Vec<(String, Vec<u8>)>,
    },
    /// When it is to leave the group: the application unsubscribes, or closes. It may join again
    /// later; answered by [`Notice::Left`](super::notice::Notice::Left).
    Leave {
        /// Why, for the broker's log (KIP-800).
        reason: String,
        /// Whether the group is told. A static member that closes is silent, so that its place
        /// waits for it.
        tells: bool,
        /// Until when the answer is waited for.
        deadline: Instant,
    },
    /// When offsets are committed; answered by
    /// [`Notice::Committed`](super::notice::Notice::Committed), in the order of the commands.
    Commit(Commit),
    /// When committed offsets are asked for; answered by
    /// [`Notice::Fetched`](super::notice::Notice::Fetched).
    Fetch {
        /// Comes back in the answer.
        id: u64,
        /// The partitions; all that the group has committed where there is none.
        partitions: Option<Vec<(TopicName, i32)>>,
        /// Until when it is tried.
        deadline: Instant,
    },
    /// When something else is asked about groups; answered by
    /// [`Notice::Told`](super::notice::Notice::Told).
    Ask {
        /// Comes back in the answer.
        id: u64,
        /// What is asked.
        question: Question,
        /// Until when it is tried.
        deadline: Instant,
    },
}

/// Offsets to commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Comes back in the answer.
    pub id: u64,
    /// The offsets; may be empty.
    pub offsets: Vec<CommitOffset>,
    /// As whom it is committed; none for an application that assigns partitions by itself. A
    /// membership that is over is an error, and nothing is sent.
    pub membership: Option<Membership>,
    /// Whether it is tried again after an error that may pass (a synchronous commit is).
    pub retries: bool,
    /// Until when it is tried.
    pub deadline: Instant,
}

/// One partition's offset to commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitOffset {
    /// The topic.
    pub topic: TopicName,
    /// The partition.
    pub partition: i32,
    /// The offset of the next record to read, ≥ 0.
    pub offset: i64,
    /// The leader epoch of the last record that was read, −1 where it is not known.
    pub leader_epoch: i32,
    /// The application's own words.
    pub metadata: String,
}
