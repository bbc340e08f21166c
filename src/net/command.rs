//! What an application's thread tells a loop: a bounded channel of commands and a wake-up.
//!
//! Nothing of the hot path travels here. A command that tells the loop of partitions names them
//! by the index that the consumer gave them.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Instant;

use crossbeam::channel::Sender;

use super::group_service::ServiceSettings;
use crate::buffer::Budget;
use crate::coordinator::command::MemberCommand;
use crate::coordinator::notice::Notice;
use crate::coordinator::poll_clock::PollClock;
use crate::coordinator::settings::MemberSettings;
use crate::fetch::call::ConsumerId;
use crate::fetch::cluster::ClusterSettings;
use crate::fetch::connection::ConnectionSettings;
use crate::fetch::consumer::FetchSettings;
use crate::fetch::cursor::{NewPartition, StartAt};
use crate::fetch::reply::{OffsetsReply, Reply, TopicsReply};
use crate::log::{LogDirs, ReadMode};
use crate::ring::bridge::{Bridge, LoopParker};
use crate::topic::TopicName;

/// Commands that may wait for a loop; a sender waits when there are more.
pub const COMMANDS_MAX: usize = 1024;

/// A command, and for which consumer.
#[derive(Debug)]
pub struct Command {
    /// The consumer.
    pub consumer: ConsumerId,
    /// What to do.
    pub what: What,
}

/// What to do for a consumer.
#[derive(Debug)]
pub enum What {
    /// When it is new.
    Add(Box<NewConsumer>),
    /// When it is closed; the reply says that nothing of it is left.
    Remove(Reply<()>),
    /// When it takes partitions on.
    Assign(Vec<NewPartition>),
    /// When it lets partitions go.
    Unassign(Vec<u32>),
    /// When it moves positions: index, new stamp, where to.
    Seek(Vec<(u32, u32, StartAt)>),
    /// When it cannot read on in a partition: index, new stamp.
    Halt(u32, u32),
    /// When it pauses partitions or goes on with them.
    Pause(Vec<u32>, bool),
    /// When it asks for offsets: topic, partition, time.
    Offsets(Vec<(TopicName, i32, i64)>, Instant, OffsetsReply),
    /// When it asks for topics, all of them where no names are given.
    Topics(Option<Vec<String>>, Instant, TopicsReply),
    /// When it becomes able to join a group, and to commit.
    AddMember(Box<NewMember>),
    /// When it tells its member something.
    Member(MemberCommand),
    /// When its member is to go, without a word to the group; the reply says that it has.
    RemoveMember(Reply<()>),
    /// When its descriptor is to become readable at a time, or at none; it has a member.
    WakeAt(Option<Instant>),
}

/// A member that is new to a loop.
#[derive(Debug)]
pub struct NewMember {
    /// The cluster that coordinates its group.
    pub cluster: ClusterSettings,
    /// How connections there are set up.
    pub connection: ConnectionSettings,
    /// What the member runs by.
    pub settings: MemberSettings,
    /// Where notices go; the application is woken for each.
    pub notices: Sender<Notice>,
    /// To the application.
    pub bridge: Arc<Bridge>,
    /// When the application polled last.
    pub clock: Arc<PollClock>,
    /// How the groups of its log directory are served, which they are by this process where no
    /// other one does; none where brokers coordinate them. The one bootstrap server is then the
    /// directory's socket.
    pub service: Option<ServiceSettings>,
}

/// A consumer that is new to a loop.
#[derive(Debug)]
pub struct NewConsumer {
    /// Where its records come from.
    pub source: NewSource,
    /// What its fetching runs by.
    pub settings: FetchSettings,
    /// To the application.
    pub bridge: Arc<Bridge>,
    /// What it may hold in memory.
    pub budget: Arc<Budget>,
}

/// Where a new consumer's records come from.
#[derive(Debug)]
pub enum NewSource {
    /// When they come from brokers.
    Cluster(ClusterSettings),
    /// When they come from log directories of this host.
    LogDirs(LogDirs, ReadMode),
}

/// The sending side of a loop's channel.
#[derive(Clone, Debug)]
pub struct Commands {
    sender: Sender<Command>,
    parker: Arc<LoopParker>,
}

impl Commands {
    /// Makes the sending side of the loop that sleeps on `parker`.
    pub fn new(sender: Sender<Command>, parker: Arc<LoopParker>) -> Self {
        Self { sender, parker }
    }

    /// Sends a command and wakes the loop; tells whether there still is one.
    pub fn send(&self, consumer: ConsumerId, what: What) -> bool {
        let sent = self.sender.send(Command { consumer, what }).is_ok();
        self.parker.notify();
        sent
    }

    /// Returns the loop's parker.
    pub fn parker(&self) -> &Arc<LoopParker> {
        &self.parker
    }
}
