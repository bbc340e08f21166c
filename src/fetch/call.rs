//! What a request in flight was sent for.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::answer::Progress;
use super::lookup::AskId;

/// Names a consumer of an engine; never used again after it is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConsumerId(pub u64);

/// Names a cluster that an engine knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClusterId(pub u64);

/// A request in flight, without its bytes.
#[derive(Debug)]
pub enum Call {
    /// When the connection negotiates.
    ApiVersions,
    /// When a cluster's metadata is asked for: the questions that the answer settles; none for
    /// the refresh of what the consumers use.
    Metadata(MetadataCall),
    /// When offsets are looked up for a consumer.
    ListOffsets(ListOffsetsCall),
    /// When records are fetched.
    Fetch(FetchCall),
    /// When a member of a group asks.
    Group(GroupCall),
}

impl Call {
    /// Returns how long the broker was allowed to wait before it answers.
    pub fn broker_wait(&self) -> Duration {
        match self {
            Self::Fetch(call) => call.max_wait,
            Self::Group(call) => call.wait,
            _ => Duration::ZERO,
        }
    }
}

/// A group member's request: what is in it is its owner's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupCall {
    /// Whose it is.
    pub consumer: ConsumerId,
    /// By which the owner knows it.
    pub tag: u64,
    /// How long the broker may sit on it beyond `request.timeout.ms`.
    pub wait: Duration,
}

/// A Metadata request in flight.
#[derive(Debug)]
pub enum MetadataCall {
    /// When it refreshes what the consumers use.
    Refresh,
    /// When it settles a question of the application.
    Question(u64),
}

/// A ListOffsets request in flight.
#[derive(Debug)]
pub struct ListOffsetsCall {
    /// For whom.
    pub consumer: ConsumerId,
    /// What was asked, in the order of the request.
    pub asks: Vec<AskId>,
}

/// A Fetch request in flight.
#[derive(Debug)]
pub struct FetchCall {
    /// Its number, by which a cursor knows that the answer is for it.
    pub number: u64,
    /// Which of the broker's two connections carries it.
    pub link: usize,
    /// How long the broker may wait for `fetch.min.bytes`.
    pub max_wait: Duration,
    /// The cursors it lists, in order.
    pub cursors: Vec<u32>,
    /// How far its answer has been read.
    pub progress: Progress,
}
