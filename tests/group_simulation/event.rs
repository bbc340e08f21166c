//! What happens in a world, as the checker sees it.

use std::fmt;
use std::time::Duration;

use kfetch::coordinator::request::Request;

/// Something that happened. A client is one process: a restart is another client.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Event {
    /// When a process starts; it is of a static member where it has an instance.
    Born { client: usize, instance: Option<usize> },
    /// When a process is killed, or has ended well.
    Dead { client: usize, clean: bool },
    /// When a process stands still until then.
    Frozen { client: usize, until: Duration },
    /// When the application wishes to join.
    Joins { client: usize },
    /// When the member hears of its wish to leave.
    Leaves { client: usize },
    /// When a request leaves the member.
    Sent { client: usize, request: Request },
    /// When the answer, with its code, or none, has reached the member.
    Returned { client: usize, request: Request, code: Option<i16> },
    /// When a join's answer makes a member one of a generation.
    Adopted { client: usize, generation: i32 },
    /// When the member says that membership is lost, or over for good.
    Lost { client: usize, fatal: Option<i16> },
    /// When the application owns partitions; with what is paused of all that it owns then.
    Assigned { client: usize, generation: i32, partitions: Vec<i32>, paused: Vec<i32> },
    /// When it gives them up by itself.
    Revoked { client: usize, partitions: Vec<i32> },
    /// When it has learned that they are lost.
    Dropped { client: usize },
    /// When it is told where to begin.
    Started { client: usize, at: Position },
    /// When it is given records, all of them written by the leader of one epoch.
    Delivered { client: usize, partition: i32, from: i64, to: i64, epoch: i32 },
    /// When it wants no records of a partition for a while.
    Paused { client: usize, partition: i32 },
    /// When it wants them again.
    Resumed { client: usize, partition: i32 },
    /// When it goes to another offset by itself.
    Sought { client: usize, partition: i32, offset: i64 },
    /// When it commits.
    Commits { client: usize, id: u64, positions: Vec<Position> },
    /// When it is told what became of that.
    Told { client: usize, id: u64 },
    /// When it is told an error, which no world has a reason for.
    Complains { client: usize, what: String },
    /// When the coordinator has stored an offset of a commit.
    Stored { client: usize, id: u64, at: Position },
    /// When the coordinator begins a generation.
    Generation { generation: i32 },
    /// When the coordinator has a place for a process.
    Seated { client: usize },
    /// When the coordinator removes a member; another has its instance where it is fenced.
    Removed { client: usize, fenced: bool },
    /// When a connection breaks.
    Broken { client: usize },
    /// When another broker coordinates.
    Moved,
    /// When a log has grown.
    Grown { partition: i32, end: i64 },
    /// When another broker leads a partition.
    Led { partition: i32, epoch: i32 },
    /// When from now on only brokers fail, each for less than a session.
    OnlyBrokers,
    /// When nothing fails any more.
    Healed,
    /// When the world ends.
    Finished,
}

/// How far a partition has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) partition: i32,
    /// The offset of the next record.
    pub(crate) offset: i64,
    /// The epoch of the leader that wrote the record before, -1 where that is not known.
    pub(crate) epoch: i32,
}

/// Why a world is wrong.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Violation(pub(crate) String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
