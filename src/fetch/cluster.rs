//! A cluster as its clients see it: brokers, topics, partitions and their leaders.
//!
//! What is known comes from Metadata answers and may be stale; an older leader epoch never
//! replaces a newer one, since brokers learn of a change at different times (KIP-320). The cluster
//! decides when to ask again and whom; the connections belong to the engine.
//!
//! Many consumers share a cluster if their settings are the same. A topic is known as long as one
//! of them uses it.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use super::call::ConsumerId;
use super::connection::ConnectionId;
use super::peer::{Peer, PeerId};
use crate::backoff::{Backoff, BackoffLimits, Random};
use crate::protocol::ErrorCode;
use crate::protocol::metadata::{MetadataResponse, MetadataResponseTopic};
use crate::topic::TopicName;
use crate::wire::Uuid;

/// While the cluster is unknown, another server is tried when the last has been silent this long.
const STAGGER: Duration = Duration::from_millis(250);

/// What a consumer wants of its cluster; consumers with equal settings share one.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterSettings {
    /// `bootstrap.servers`, as host and port.
    pub bootstrap: Vec<(String, u16)>,
    /// `client.id`.
    pub client_id: String,
    /// `metadata.max.age.ms`.
    pub metadata_max_age: Duration,
    /// `allow.auto.create.topics`.
    pub allow_auto_create_topics: bool,
    /// `retry.backoff.ms` and `retry.backoff.max.ms`.
    pub retry: BackoffLimits,
    /// `reconnect.backoff.ms` and `reconnect.backoff.max.ms`.
    pub reconnect: BackoffLimits,
    /// `socket.connection.setup.timeout.ms` and its maximum.
    pub setup_timeout: BackoffLimits,
    /// Whether the bootstrap servers are asked again when no known broker can be reached
    /// (`metadata.recovery.strategy=rebootstrap`, KIP-899).
    pub rebootstrap: bool,
}

/// A partition's place in the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leadership {
    /// The leader's node id, −1 while there is none.
    pub leader: i32,
    /// The leader's epoch, −1 where the broker does not tell.
    pub leader_epoch: i32,
}

/// A topic as far as it is known.
#[derive(Debug)]
pub struct Topic {
    /// All zero before Kafka 2.8.
    pub topic_id: Uuid,
    /// What the last answer said of the topic; none before the first.
    pub error_code: Option<ErrorCode>,
    /// By partition number.
    pub partitions: HashMap<i32, Leadership>,
    /// How many partitions of consumers, and questions, use the topic; without any it is known
    /// until the next refresh, since a question seldom comes alone.
    users: usize,
}

/// Whom to ask for metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// When a connection is ready.
    Ask(ConnectionId),
    /// When a connection has to be made first.
    Connect(PeerId),
    /// When there is nobody to ask until then, or until a connection under way is ready.
    Wait(Option<Instant>),
}

/// A cluster without its connections.
#[derive(Debug)]
pub struct Cluster {
    settings: ClusterSettings,
    nodes: BTreeMap<i32, Peer>,
    bootstrap: Vec<Peer>,
    /// Coordinators by the members whose groups they coordinate; one broker may be here often.
    coordinators: BTreeMap<ConsumerId, Peer>,
    topics: BTreeMap<TopicName, Topic>,
    /// The ids of all topics that any answer told of, used or not.
    topic_ids: BTreeMap<TopicName, Uuid>,
    /// When the consumers' topics are asked for next.
    refresh_at: Instant,
    refresh_in_flight: bool,
    /// Whether a topic has come that the refresh under way does not ask for.
    has_new_topic: bool,
    /// The earliest time of the next refresh: no two follow each other without a pause.
    refresh_not_before: Instant,
    refresh_backoff: Backoff,
    /// Whether an answer with brokers has ever come.
    is_known: bool,
    last_attempt_at: Option<Instant>,
}

impl Topic {
    fn is_found(&self) -> bool {
        self.error_code == Some(ErrorCode::NONE)
    }
}

impl Cluster {
    /// Makes a cluster of which only the bootstrap servers are known.
    pub fn new(settings: ClusterSettings, random: &mut Random, now: Instant) -> Self {
        let mut bootstrap: Vec<_> =
            settings.bootstrap.iter().map(|(host, port)| Peer::new(host, *port)).collect();
        // Clients that start together should not all ask the first server.
        let first = random.below(bootstrap.len() as u64);
        bootstrap.rotate_left(usize::try_from(first).unwrap_or(0));
        Self {
            settings,
            nodes: BTreeMap::new(),
            bootstrap,
            coordinators: BTreeMap::new(),
            topics: BTreeMap::new(),
            topic_ids: BTreeMap::new(),
            refresh_at: now,
            refresh_in_flight: false,
            has_new_topic: false,
            refresh_not_before: now,
            refresh_backoff: Backoff::default(),
            is_known: false,
            last_attempt_at: None,
        }
    }

    /// Counts one more user of a topic, which is asked for if it is new.
    pub fn use_topic(&mut self, name: &TopicName, now: Instant) {
        let known = self.topics.get_mut(name.as_str());
        if let Some(topic) = known.filter(|topic| topic.users > 0 || topic.is_found()) {
            topic.users += 1;
            return;
        }
        let topic =
            Topic { topic_id: Uuid::ZERO, error_code: None, partitions: HashMap::new(), users: 1 };
        self.topics.insert(name.clone(), topic);
        self.has_new_topic = true;
        // A new topic does not wait for the back-off of an old one.
        self.refresh_not_before = now;
        self.refresh_at = now;
    }

    /// Counts one user of a topic less; a topic without users is not asked for again.
    pub fn leave_topic(&mut self, name: &str) {
        if let Some(topic) = self.topics.get_mut(name) {
            topic.users = topic.users.saturating_sub(1);
        }
    }

    /// Says that what is known has turned out to be stale.
    pub fn want_refresh(&mut self, now: Instant) {
        self.refresh_at = self.refresh_at.min(now.max(self.refresh_not_before));
    }

    /// Says that a partition is missing, as it was in so many refreshes before: it may yet be made.
    pub fn handle_missing(&mut self, times: u32, now: Instant) {
        let limits = self.settings.retry;
        let delay = limits.initial.saturating_mul(1 << times.min(30)).min(limits.max);
        self.refresh_at = self.refresh_at.min(now + delay);
    }

    /// Returns when the consumers' topics are to be asked for; none while nobody uses any, or an
    /// answer is awaited.
    pub fn refresh_at(&self) -> Option<Instant> {
        let is_used = self.topics.values().any(|topic| topic.users > 0);
        (!self.refresh_in_flight && is_used).then_some(self.refresh_at)
    }

    /// Returns the names of the topics that are used.
    pub fn topic_names(&self) -> impl Iterator<Item = &TopicName> {
        self.topics.iter().filter(|(_, topic)| topic.users > 0).map(|(name, _)| name)
    }

    /// Takes note that the refresh is under way.
    pub fn handle_refresh_sent(&mut self) {
        self.refresh_in_flight = true;
        self.has_new_topic = false;
    }

    /// Takes note that the refresh failed.
    pub fn handle_refresh_failed(&mut self, now: Instant, random: &mut Random) {
        self.refresh_in_flight = false;
        self.postpone(now, random);
    }

    fn postpone(&mut self, now: Instant, random: &mut Random) {
        let delay = self.refresh_backoff.next_delay(self.settings.retry, random);
        self.refresh_not_before = now + delay;
        self.refresh_at = self.refresh_not_before;
    }

    /// Takes the answer to a refresh or to a question; returns the connections to brokers that
    /// are gone or have moved.
    pub fn handle_metadata(
        &mut self,
        answer: &MetadataResponse<'_>,
        is_refresh: bool,
        now: Instant,
        random: &mut Random,
    ) -> Vec<ConnectionId> {
        let lost = if answer.error_code == ErrorCode::REBOOTSTRAP_REQUIRED {
            self.start_anew()
        } else if answer.brokers.is_empty() {
            Vec::new()
        } else {
            self.update_nodes(answer)
        };
        for topic in &answer.topics {
            self.update_topic_id(topic);
            self.update_topic(topic);
        }
        if is_refresh {
            self.refresh_in_flight = false;
            self.topics.retain(|_, topic| topic.users > 0);
            if self.has_new_topic && !answer.brokers.is_empty() {
                self.refresh_at = now;
            } else if answer.brokers.is_empty() || self.lacks_something() {
                self.postpone(now, random);
            } else {
                self.refresh_backoff.reset();
                self.refresh_not_before = now + self.settings.retry.initial;
                let aged_at = now + self.settings.metadata_max_age;
                self.refresh_at = aged_at.max(self.refresh_not_before);
            }
        }
        lost
    }

    /// Forgets the brokers, since one said that they are not the cluster's any more (KIP-1102).
    fn start_anew(&mut self) -> Vec<ConnectionId> {
        if !self.settings.rebootstrap {
            return Vec::new();
        }
        self.is_known = false;
        self.topic_ids.clear();
        let nodes = std::mem::take(&mut self.nodes);
        nodes.into_values().filter_map(|peer| peer.control).collect()
    }

    fn update_nodes(&mut self, answer: &MetadataResponse<'_>) -> Vec<ConnectionId> {
        self.is_known = true;
        let mut before = std::mem::take(&mut self.nodes);
        for broker in &answer.brokers {
            let Ok(port) = u16::try_from(broker.port) else { continue };
            let peer = match before.remove(&broker.node_id) {
                Some(peer) if peer.host == broker.host && peer.port == port => peer,
                Some(moved) => {
                    before.insert(broker.node_id, moved);
                    Peer::new(broker.host, port)
                }
                None => Peer::new(broker.host, port),
            };
            self.nodes.insert(broker.node_id, peer);
        }
        before.into_values().filter_map(|peer| peer.control).collect()
    }

    fn update_topic_id(&mut self, told: &MetadataResponseTopic<'_>) {
        let Some(name) = told.name else { return };
        match told.error_code {
            ErrorCode::NONE if told.topic_id.is_zero() => {}
            ErrorCode::NONE => match self.topic_ids.get_mut(name) {
                Some(known) => *known = told.topic_id,
                None => drop(self.topic_ids.insert(TopicName::new(name), told.topic_id)),
            },
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => self.forget_topic_id(name),
            _ => {}
        }
    }

    fn update_topic(&mut self, told: &MetadataResponseTopic<'_>) {
        let Some(topic) = told.name.and_then(|name| self.topics.get_mut(name)) else { return };
        topic.error_code = Some(told.error_code);
        if told.error_code != ErrorCode::NONE {
            return;
        }
        if told.topic_id != topic.topic_id {
            // The topic has been made anew: old epochs say nothing.
            topic.partitions.clear();
            topic.topic_id = told.topic_id;
        }
        for partition in &told.partitions {
            let now =
                Leadership { leader: partition.leader_id, leader_epoch: partition.leader_epoch };
            let known = topic.partitions.entry(partition.partition_index).or_insert(now);
            if now.leader_epoch < 0 || now.leader_epoch >= known.leader_epoch {
                *known = now;
            }
        }
    }

    /// Tells whether a topic is missing, or a partition has no leader or one that is not among the
    /// brokers, so that asking again soon may help.
    fn lacks_something(&self) -> bool {
        self.topics.values().any(|topic| {
            !topic.is_found()
                || topic
                    .partitions
                    .values()
                    .any(|partition| !self.nodes.contains_key(&partition.leader))
        })
    }

    /// Chooses whom to ask: a connection that is ready, else whom to connect to. `is_ready` tells
    /// of a connection whether it can be asked at once.
    pub fn choose(&self, now: Instant, is_ready: impl Fn(ConnectionId) -> bool) -> Choice {
        let ready = self.peers().filter_map(|(_, peer)| peer.control).find(|id| is_ready(*id));
        if let Some(id) = ready {
            return Choice::Ask(id);
        }
        let stagger_ends = self.last_attempt_at.map(|at| at + STAGGER);
        if self.has_connection() && stagger_ends.is_some_and(|end| now < end) {
            return Choice::Wait(stagger_ends);
        }
        let candidates = || self.candidates().filter(|(_, peer)| peer.control.is_none());
        match candidates().find(|(_, peer)| peer.may_connect(now)) {
            Some((id, _)) => Choice::Connect(id),
            None => Choice::Wait(candidates().filter_map(|(_, peer)| peer.retry_at()).min()),
        }
    }

    fn peers(&self) -> impl Iterator<Item = (PeerId, &Peer)> {
        let nodes = self.nodes.iter().map(|(id, peer)| (PeerId::Node(*id), peer));
        let bootstrap = self.bootstrap.iter().enumerate();
        nodes.chain(bootstrap.map(|(at, peer)| (PeerId::Bootstrap(at), peer)))
    }

    /// Peers worth connecting to: the brokers, and the bootstrap servers as long as no broker is
    /// known or all of them fail.
    fn candidates(&self) -> impl Iterator<Item = (PeerId, &Peer)> {
        let all_fail = self.nodes.values().all(Peer::is_failing);
        let bootstrap = !self.is_known || all_fail && self.settings.rebootstrap;
        self.peers().filter(move |(id, _)| matches!(id, PeerId::Node(_)) || bootstrap)
    }

    /// Takes note that a peer is being connected to.
    pub fn handle_attempt(&mut self, peer: PeerId, connection: ConnectionId, now: Instant) {
        self.last_attempt_at = Some(now);
        if let Some(peer) = self.peer_mut(peer) {
            peer.control = Some(connection);
        }
    }

    /// Gives the connection of a bootstrap server to the broker that it has turned out to be, and
    /// returns that broker.
    pub fn adopt(&mut self, bootstrap: usize) -> Option<PeerId> {
        let server = self.bootstrap.get_mut(bootstrap)?;
        let is_same = |node: &Peer| {
            node.host == server.host && node.port == server.port && node.control.is_none()
        };
        let (id, node) = self.nodes.iter_mut().find(|(_, node)| is_same(node))?;
        node.control = server.control.take();
        node.handle_ready();
        Some(PeerId::Node(*id))
    }

    /// Takes note of where a member's coordinator is; one that has not moved keeps its back-off.
    ///
    /// What is reached through a path is coordinated by whoever listens on it, and may know the
    /// path by another name: a relative one, or that of another mount.
    pub fn set_coordinator(&mut self, member: ConsumerId, host: &str, port: u16) -> PeerId {
        let local = self.bootstrap.first().filter(|server| server.unix_path().is_some());
        let host = local.map_or(host, |server| &server.host);
        let port = local.map_or(port, |server| server.port);
        let known = self.coordinators.get(&member);
        if known.is_none_or(|peer| peer.host != host || peer.port != port) {
            self.coordinators.insert(member, Peer::new(host, port));
        }
        PeerId::Coordinator(member)
    }

    /// Forgets a member's coordinator.
    pub fn forget_coordinator(&mut self, member: ConsumerId) {
        self.coordinators.remove(&member);
    }

    /// Tells whether there is a connection for metadata, or is going to be one.
    pub fn has_connection(&self) -> bool {
        self.peers().any(|(_, peer)| peer.control.is_some())
    }

    /// Returns the connection for metadata to the broker that a member's coordinator is.
    pub fn control_beside(&self, coordinator: PeerId) -> Option<ConnectionId> {
        let Peer { host, port, .. } = self.peer(coordinator)?;
        let mut same = self.peers().filter(|(_, peer)| peer.host == *host && peer.port == *port);
        same.find_map(|(_, peer)| peer.control)
    }

    /// Returns a peer.
    pub fn peer(&self, id: PeerId) -> Option<&Peer> {
        match id {
            PeerId::Node(node) => self.nodes.get(&node),
            PeerId::Bootstrap(at) => self.bootstrap.get(at),
            PeerId::Coordinator(member) => self.coordinators.get(&member),
        }
    }

    /// Returns a peer to change.
    pub fn peer_mut(&mut self, id: PeerId) -> Option<&mut Peer> {
        match id {
            PeerId::Node(node) => self.nodes.get_mut(&node),
            PeerId::Bootstrap(at) => self.bootstrap.get_mut(at),
            PeerId::Coordinator(member) => self.coordinators.get_mut(&member),
        }
    }

    /// Returns a topic as far as it is known.
    pub fn topic(&self, name: &str) -> Option<&Topic> {
        self.topics.get(name)
    }

    /// Returns a topic's id, used or not, as the last answer that spoke of it had it.
    pub fn topic_id(&self, name: &str) -> Option<Uuid> {
        self.topic_ids.get(name).copied()
    }

    /// Forgets a topic's id, which is not the cluster's any more.
    pub fn forget_topic_id(&mut self, name: &str) {
        self.topic_ids.remove(name);
    }

    /// Returns where a partition is, as far as that is known.
    pub fn leadership(&self, topic: &str, partition: i32) -> Option<Leadership> {
        self.topics.get(topic)?.partitions.get(&partition).copied()
    }

    /// Takes a hint of a Fetch answer: the partition's leader has changed (KIP-951).
    pub fn handle_leader_hint(&mut self, topic: &str, partition: i32, hint: Leadership) {
        let Some(topic) = self.topics.get_mut(topic) else { return };
        let Some(known) = topic.partitions.get_mut(&partition) else { return };
        if hint.leader_epoch > known.leader_epoch && self.nodes.contains_key(&hint.leader) {
            *known = hint;
        }
    }

    /// Tells whether any broker has given metadata yet.
    pub fn is_known(&self) -> bool {
        self.is_known
    }

    /// Says of every server that was tried what it answered.
    pub fn describe_failures(&self) -> String {
        let tried = self.peers().filter(|(_, peer)| peer.is_failing() || peer.control.is_some());
        tried.map(|(_, peer)| peer.describe()).collect::<Vec<_>>().join("; ")
    }

    /// Returns the settings.
    pub fn settings(&self) -> &ClusterSettings {
        &self.settings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::metadata::MetadataResponseBroker;

    fn settings(rebootstrap: bool) -> ClusterSettings {
        let delay = Duration::from_millis(100);
        let limits = BackoffLimits { initial: delay, max: delay };
        ClusterSettings {
            bootstrap: vec![("a".to_owned(), 1)],
            client_id: "test".to_owned(),
            metadata_max_age: delay,
            allow_auto_create_topics: false,
            retry: limits,
            reconnect: limits,
            setup_timeout: limits,
            rebootstrap,
        }
    }

    fn broker() -> MetadataResponseBroker<'static> {
        MetadataResponseBroker { node_id: 5, host: "b", port: 2, rack: None }
    }

    #[test]
    fn a_topic_that_comes_during_a_refresh_is_asked_for_right_after() {
        #[allow(clippy::disallowed_methods, reason = "where virtual time begins")]
        let now = Instant::now();
        let mut random = Random::new(1);
        let mut cluster = Cluster::new(settings(true), &mut random, now);
        cluster.use_topic(&TopicName::new("first"), now);
        cluster.handle_refresh_sent();
        cluster.use_topic(&TopicName::new("second"), now);
        let first = MetadataResponseTopic { name: Some("first"), ..Default::default() };
        let mut answer =
            MetadataResponse { brokers: vec![broker()], topics: vec![first], ..Default::default() };
        let later = now + Duration::from_millis(10);
        cluster.handle_metadata(&answer, true, later, &mut random);
        assert_eq!(cluster.refresh_at(), Some(later));
        // A broker that leaves it out is not asked without a pause.
        cluster.handle_refresh_sent();
        answer.topics.clear();
        cluster.handle_metadata(&answer, true, later, &mut random);
        assert!(cluster.refresh_at() > Some(later));
    }

    #[test]
    fn the_id_of_a_topic_is_kept_until_the_topic_is_gone_or_somebody_finds_it_stale() {
        #[allow(clippy::disallowed_methods, reason = "where virtual time begins")]
        let now = Instant::now();
        let mut random = Random::new(1);
        let mut cluster = Cluster::new(settings(true), &mut random, now);
        let (old, new) = (Uuid([1; 16]), Uuid([2; 16]));
        let mut tell = |cluster: &mut Cluster, topic_id, error_code| {
            let name = Some("seen");
            let topics =
                vec![MetadataResponseTopic { name, topic_id, error_code, ..Default::default() }];
            let answer = MetadataResponse { brokers: vec![broker()], topics, ..Default::default() };
            cluster.handle_metadata(&answer, false, now, &mut random);
            cluster.topic_id("seen")
        };
        assert_eq!(tell(&mut cluster, Uuid::ZERO, ErrorCode::NONE), None);
        assert_eq!(tell(&mut cluster, old, ErrorCode::NONE), Some(old));
        let passing = ErrorCode::LEADER_NOT_AVAILABLE;
        assert_eq!(tell(&mut cluster, Uuid::ZERO, passing), Some(old));
        assert_eq!(tell(&mut cluster, new, ErrorCode::NONE), Some(new));
        cluster.forget_topic_id("seen");
        assert_eq!(cluster.topic_id("seen"), None);
        assert_eq!(tell(&mut cluster, new, ErrorCode::NONE), Some(new));
        let gone = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        assert_eq!(tell(&mut cluster, Uuid::ZERO, gone), None);
    }

    #[test]
    fn a_broker_can_send_its_clients_back_to_the_bootstrap_servers() {
        for rebootstrap in [true, false] {
            #[allow(clippy::disallowed_methods, reason = "where virtual time begins")]
            let now = Instant::now();
            let mut random = Random::new(1);
            let mut cluster = Cluster::new(settings(rebootstrap), &mut random, now);
            let mut answer = MetadataResponse { brokers: vec![broker()], ..Default::default() };
            cluster.handle_metadata(&answer, true, now, &mut random);
            assert_eq!(cluster.choose(now, |_| false), Choice::Connect(PeerId::Node(5)));
            let connection = ConnectionId { index: 0, generation: 0 };
            cluster.handle_attempt(PeerId::Node(5), connection, now);

            answer.brokers.clear();
            answer.error_code = ErrorCode::REBOOTSTRAP_REQUIRED;
            let lost = cluster.handle_metadata(&answer, true, now, &mut random);
            let later = now + STAGGER;
            let choice = cluster.choose(later, |_| false);
            if rebootstrap {
                assert_eq!(lost, [connection]);
                assert_eq!(choice, Choice::Connect(PeerId::Bootstrap(0)));
            } else {
                assert!(lost.is_empty() && cluster.refresh_at().is_none());
                assert_eq!(choice, Choice::Wait(None));
            }
        }
    }
}
