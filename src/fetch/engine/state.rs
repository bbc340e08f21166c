//! The engine's tables, and who comes and goes.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use slab::Slab;

use super::action::{Action, Address};
use super::group::{GroupEvent, GroupUser};
use crate::backoff::Random;
use crate::buffer::{Budget, Pool};
use crate::fetch::call::{ClusterId, ConsumerId, GroupCall};
use crate::fetch::cluster::{Cluster, ClusterSettings};
use crate::fetch::connection::{
    Connection, ConnectionId, ConnectionSettings, Phase, SocketSettings,
};
use crate::fetch::consumer::{FetchConsumer, FetchSettings};
use crate::fetch::failure::Failure;
use crate::fetch::peer::PeerId;
use crate::fetch::reply::{TopicInfo, TopicsReply};
use crate::fetch::timer::Timers;
use crate::logger::Logger;
use crate::ring::bridge::Bridge;

/// Unused memory that the engine keeps for the next reads.
const POOL_MAX_BYTES: usize = 16 << 20;

/// Whose a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// When it carries metadata and offset look-ups.
    Cluster(ClusterId),
    /// When it carries one consumer's Fetch requests, on one of the two links of a broker.
    Fetch { consumer: ConsumerId, node: i32, link: usize },
    /// When it carries the requests of one member to its coordinator.
    Group(ConsumerId),
}

/// A connection and what belongs to it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) generation: u32,
    pub(super) connection: Connection,
    pub(super) owner: Owner,
    pub(super) cluster: ClusterId,
    pub(super) peer: PeerId,
    /// Addresses of the peer's name that have not been tried.
    pub(super) addresses: VecDeque<Address>,
}

/// A question for topics that has not been answered.
#[derive(Debug)]
pub(super) struct TopicsQuestion {
    /// The names; none for all topics.
    pub(super) names: Option<Vec<String>>,
    pub(super) deadline: Instant,
    pub(super) is_sent: bool,
    /// Not before this time, after an answer that may soon be another.
    pub(super) retry_at: Option<Instant>,
    /// That answer.
    pub(super) told: Option<Vec<TopicInfo>>,
    pub(super) reply: TopicsReply,
}

impl TopicsQuestion {
    /// Tells whether it is to be sent now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        !self.is_sent && self.retry_at.is_none_or(|at| at <= now)
    }
}

/// A member's request that waits for a connection.
#[derive(Debug)]
pub(super) struct WaitingAsk {
    pub(super) call: GroupCall,
    /// The node id of the broker that is to answer; none where any may.
    pub(super) broker: Option<i32>,
    pub(super) deadline: Instant,
}

/// A cluster and what belongs to it.
#[derive(Debug)]
pub(super) struct ClusterEntry {
    pub(super) cluster: Cluster,
    pub(super) connection: ConnectionSettings,
    pub(super) consumers: BTreeSet<ConsumerId>,
    /// Members of groups that the cluster coordinates.
    pub(super) members: BTreeSet<ConsumerId>,
    /// Members' requests that wait for a connection which carries metadata, oldest first.
    pub(super) asks: VecDeque<WaitingAsk>,
    pub(super) questions: BTreeMap<u64, TopicsQuestion>,
}

impl ClusterEntry {
    fn is_unused(&self) -> bool {
        self.consumers.is_empty() && self.members.is_empty()
    }
}

/// Whose deadline it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum TimerKey {
    Connection(ConnectionId),
    Cluster(ClusterId),
    Consumer(ConsumerId),
    Group(ConsumerId),
}

/// Everything that one loop serves, without its sockets.
#[derive(Debug)]
pub struct FetchEngine {
    pub(super) connections: Slab<Entry>,
    pub(super) next_generation: u32,
    pub(super) clusters: BTreeMap<ClusterId, ClusterEntry>,
    pub(super) consumers: BTreeMap<ConsumerId, FetchConsumer>,
    pub(super) groups: BTreeMap<ConsumerId, GroupUser>,
    pub(super) group_events: VecDeque<GroupEvent>,
    pub(super) next_id: u64,
    pub(super) pool: Pool,
    pub(super) random: Random,
    pub(super) timers: Timers<TimerKey>,
    pub(super) actions: VecDeque<Action>,
    pub(super) dirty_clusters: BTreeSet<ClusterId>,
    pub(super) dirty_consumers: BTreeSet<ConsumerId>,
    pub(super) dirty_groups: BTreeSet<ConsumerId>,
    pub(super) logger: Arc<Logger>,
}

impl FetchEngine {
    /// Makes an engine that serves nobody; `seed` is for jitter.
    pub fn new(logger: Arc<Logger>, seed: u64) -> Self {
        Self {
            connections: Slab::new(),
            next_generation: 0,
            clusters: BTreeMap::new(),
            consumers: BTreeMap::new(),
            groups: BTreeMap::new(),
            group_events: VecDeque::new(),
            next_id: 0,
            pool: Pool::new(POOL_MAX_BYTES),
            random: Random::new(seed),
            timers: Timers::new(),
            actions: VecDeque::new(),
            dirty_clusters: BTreeSet::new(),
            dirty_consumers: BTreeSet::new(),
            dirty_groups: BTreeSet::new(),
            logger,
        }
    }

    /// Takes a consumer on.
    pub fn add_consumer(
        &mut self,
        id: ConsumerId,
        cluster: &ClusterSettings,
        settings: FetchSettings,
        bridge: Arc<Bridge>,
        budget: Arc<Budget>,
        now: Instant,
    ) {
        let cluster_id = self.find_or_add_cluster(cluster, &settings.connection, now);
        if let Some(entry) = self.clusters.get_mut(&cluster_id) {
            entry.consumers.insert(id);
        }
        let logger = Arc::clone(&self.logger);
        let consumer = FetchConsumer::new(settings, cluster_id, bridge, budget, logger);
        self.consumers.insert(id, consumer);
    }

    pub(super) fn find_or_add_cluster(
        &mut self,
        settings: &ClusterSettings,
        connection: &ConnectionSettings,
        now: Instant,
    ) -> ClusterId {
        let same = self.clusters.iter().find(|(_, entry)| {
            entry.cluster.settings() == settings && entry.connection == *connection
        });
        if let Some((id, _)) = same {
            return *id;
        }
        let id = ClusterId(self.next_id);
        self.next_id += 1;
        let cluster = Cluster::new(settings.clone(), &mut self.random, now);
        let entry = ClusterEntry {
            cluster,
            connection: connection.clone(),
            consumers: BTreeSet::new(),
            members: BTreeSet::new(),
            asks: VecDeque::new(),
            questions: BTreeMap::new(),
        };
        self.clusters.insert(id, entry);
        id
    }

    /// Lets a consumer go, and with it its connections, and its cluster if nobody else uses it.
    pub fn remove_consumer(&mut self, id: ConsumerId) {
        let Some(mut consumer) = self.consumers.remove(&id) else { return };
        self.dirty_consumers.remove(&id);
        self.timers.set(TimerKey::Consumer(id), None);
        let cluster_id = consumer.cluster;
        if let Some(entry) = self.clusters.get_mut(&cluster_id) {
            let indexes: Vec<u32> = consumer.cursor_indexes().collect();
            for index in indexes {
                consumer.handle_unassign(index, &mut entry.cluster);
            }
            consumer.lookups.forget_questions();
            while let Some(topic) = consumer.lookups.poll_left() {
                entry.cluster.leave_topic(topic.as_str());
            }
            entry.consumers.remove(&id);
        }
        self.close_where(
            |entry| matches!(entry.owner, Owner::Fetch { consumer, .. } if consumer == id),
        );
        self.remove_unused_cluster(cluster_id);
    }

    /// Forgets a cluster that nobody uses.
    pub(super) fn remove_unused_cluster(&mut self, cluster_id: ClusterId) {
        if self.clusters.get(&cluster_id).is_some_and(ClusterEntry::is_unused) {
            self.close_where(|entry| entry.cluster == cluster_id);
            self.clusters.remove(&cluster_id);
            self.dirty_clusters.remove(&cluster_id);
            self.timers.set(TimerKey::Cluster(cluster_id), None);
        }
    }

    fn close_where(&mut self, is_meant: impl Fn(&Entry) -> bool) {
        let meant: Vec<ConnectionId> = self
            .connections
            .iter()
            .filter(|(_, entry)| is_meant(entry))
            .map(|(index, entry)| id_of(index, entry.generation))
            .collect();
        for id in meant {
            self.take_connection(id);
        }
    }

    /// Adds a connection and returns its id.
    pub(super) fn insert_connection(
        &mut self,
        connection: Connection,
        owner: Owner,
        cluster: ClusterId,
        peer: PeerId,
    ) -> ConnectionId {
        let generation = self.next_generation;
        self.next_generation = generation.wrapping_add(1);
        let addresses = VecDeque::new();
        let entry = Entry { generation, connection, owner, cluster, peer, addresses };
        id_of(self.connections.insert(entry), generation)
    }

    /// Removes a connection; its socket is to be closed.
    pub(super) fn take_connection(&mut self, id: ConnectionId) -> Option<Entry> {
        self.entry(id)?;
        self.timers.set(TimerKey::Connection(id), None);
        self.actions.push_back(Action::Close(id));
        self.connections.try_remove(id.index as usize)
    }

    pub(super) fn entry(&self, id: ConnectionId) -> Option<&Entry> {
        let entry = self.connections.get(id.index as usize)?;
        (entry.generation == id.generation).then_some(entry)
    }

    pub(super) fn entry_mut(&mut self, id: ConnectionId) -> Option<&mut Entry> {
        let entry = self.connections.get_mut(id.index as usize)?;
        (entry.generation == id.generation).then_some(entry)
    }

    /// Returns how far a connection has come.
    pub fn phase(&self, id: ConnectionId) -> Option<Phase> {
        self.entry(id).map(|entry| entry.connection.phase())
    }

    /// Returns how the socket of a connection is to be set up.
    pub fn socket_settings(&self, id: ConnectionId) -> SocketSettings {
        let settings = self.entry(id).map(|entry| entry.connection.settings().socket);
        settings.unwrap_or_default()
    }

    /// Returns a consumer.
    pub fn consumer(&self, id: ConsumerId) -> Option<&FetchConsumer> {
        self.consumers.get(&id)
    }

    /// Returns the next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Returns when [`FetchEngine::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next_deadline()
    }

    /// Tells whether it serves nobody.
    pub fn is_idle(&self) -> bool {
        self.consumers.is_empty() && self.groups.is_empty()
    }

    /// Sets the timer of a connection by what the connection says.
    pub(super) fn refresh_timer(&mut self, id: ConnectionId) {
        let deadline = self.entry(id).and_then(|entry| entry.connection.poll_timeout());
        self.timers.set(TimerKey::Connection(id), deadline);
    }

    /// Takes note that a connection was lost.
    pub fn handle_closed(&mut self, id: ConnectionId, failure: &Failure, now: Instant) {
        self.fail_connection(id, failure, now);
        self.drive(now);
    }
}

/// Puts a connection's name together.
pub(super) fn id_of(index: usize, generation: u32) -> ConnectionId {
    ConnectionId { index: u32::try_from(index).unwrap_or(u32::MAX), generation }
}
