//! What a participant wants done.

#![forbid(unsafe_code)]

use crate::coordinator::command::MemberCommand;
use crate::error::Error;
use crate::topic::TopicPartition;

/// Something that only the owner of a participant can do, on the application's thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// When the member is to be told.
    Send(MemberCommand),
    /// When partitions go to others in good order: nothing of them is delivered from now on, what
    /// is to be committed is, the application is called back, and they are let go. Then
    /// [`Participant::handle_revoked`](super::Participant::handle_revoked).
    Revoke(Vec<TopicPartition>),
    /// When partitions may belong to others already: as `Revoke`, but nothing can be committed.
    Lose(Vec<TopicPartition>),
    /// When partitions come, or none that were not there before: they are read from where the group
    /// has committed, and the application is called back. Then
    /// [`Participant::handle_assigned`](super::Participant::handle_assigned).
    Assign(Vec<TopicPartition>),
    /// When topics are to be looked up, all of them where no names are given. The answer goes to
    /// [`Participant::handle_topics`](super::Participant::handle_topics).
    AskTopics {
        /// Comes back with the answer.
        ask: u64,
        /// The names.
        names: Option<Vec<String>>,
    },
    /// When the application is to be told of an error.
    Fail(Error),
}
