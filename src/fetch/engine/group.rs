//! Requests of group members, of which the engine knows no more than a number.
//!
//! A member asks for its coordinator on any connection that carries metadata, and everything else
//! on a connection of its own to that coordinator, which carries nothing of anybody else: a broker
//! answers in order, and may sit on a JoinGroup for minutes. Each request that is handed in comes
//! back exactly once, answered or not, unless its member is removed.
//!
//! The engine holds no request that it cannot send. It keeps the number, and asks for the request
//! once more ([`GroupEvent::Again`]) when there is a connection to send it on.

#![forbid(unsafe_code)]

use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;

use super::state::{FetchEngine, Owner, TimerKey, WaitingAsk};
use crate::buffer::Slice;
use crate::fetch::call::{Call, ClusterId, ConsumerId, GroupCall};
use crate::fetch::cluster::{Choice, ClusterSettings};
use crate::fetch::connection::{ConnectionId, ConnectionSettings, Phase};
use crate::fetch::failure::Failure;
use crate::fetch::peer::PeerId;
use crate::protocol::ApiKey;
use crate::topic::TopicName;
use crate::wire::{EncodeError, Reader, Uuid};

/// What has become of a member's connection, or of a request, in the order of the events.
#[derive(Debug)]
pub enum GroupEvent {
    /// When requests can be sent to the coordinator.
    Connected(ConsumerId),
    /// When the connection to the coordinator is lost or did not come about. Nothing is in flight
    /// on it any more, and no other is made before the member wants one.
    Disconnected {
        /// The member.
        consumer: ConsumerId,
        /// Why, in words that begin with the coordinator's address.
        why: String,
    },
    /// When a request is answered.
    Answer {
        /// The request.
        call: GroupCall,
        /// Which connection brought it, to be closed where the answer makes no sense.
        connection: ConnectionId,
        /// The version of the request, and of the answer.
        version: i16,
        /// The answer behind its header.
        body: Slice,
    },
    /// When a request will have no answer; whether the broker has seen it is not known.
    Unanswered {
        /// The request.
        call: GroupCall,
        /// Why, in words.
        why: String,
        /// Whether the broker speaks no version in which it could be sent.
        is_unsupported: bool,
    },
    /// When a request that could not be sent can be now: it is to be handed in once more.
    Again(GroupCall),
}

/// A member as the engine knows it.
#[derive(Debug)]
pub(super) struct GroupUser {
    cluster: ClusterId,
    /// Whether a connection is wanted that nobody has begun to make.
    wants_connection: bool,
    /// The connection to the coordinator, from the attempt to connect on.
    connection: Option<ConnectionId>,
    /// Requests to the coordinator that wait, since it asked for silence.
    held: VecDeque<GroupCall>,
}

/// A request of a member to be written: of which API, up to which version.
#[derive(Clone, Copy, Debug)]
pub struct GroupRequest {
    /// The member and the number.
    pub call: GroupCall,
    /// Of which API it is.
    pub api_key: ApiKey,
    /// The highest version that may be used.
    pub version_max: i16,
}

impl FetchEngine {
    /// Takes on a member of a group that a cluster coordinates, whether it fetches from that
    /// cluster or not.
    pub fn add_cluster_user(
        &mut self,
        id: ConsumerId,
        cluster: &ClusterSettings,
        connection: &ConnectionSettings,
        now: Instant,
    ) {
        let cluster_id = self.find_or_add_cluster(cluster, connection, now);
        let user = GroupUser {
            cluster: cluster_id,
            wants_connection: false,
            connection: None,
            held: VecDeque::new(),
        };
        if let Some(entry) = self.clusters.get_mut(&cluster_id) {
            entry.members.insert(id);
        }
        self.groups.insert(id, user);
    }

    /// Lets a member go, and with it its connection and whatever it has asked.
    pub fn remove_cluster_user(&mut self, id: ConsumerId) {
        let Some(user) = self.groups.remove(&id) else { return };
        self.dirty_groups.remove(&id);
        self.timers.set(TimerKey::Group(id), None);
        if let Some(connection) = user.connection {
            self.take_connection(connection);
        }
        if let Some(entry) = self.clusters.get_mut(&user.cluster) {
            entry.members.remove(&id);
            entry.asks.retain(|ask| ask.call.consumer != id);
            entry.cluster.forget_coordinator(id);
        }
        self.remove_unused_cluster(user.cluster);
    }

    /// Sends a request to any broker of the member's cluster, or bootstrap server of it. It waits
    /// for a connection up to `request.timeout.ms`, or until all of them have failed.
    pub fn ask_any(
        &mut self,
        request: GroupRequest,
        encode: impl FnOnce(i16, &mut Vec<u8>) -> Result<(), EncodeError>,
        now: Instant,
    ) {
        let Some(user) = self.groups.get(&request.call.consumer) else { return };
        let cluster_id = user.cluster;
        let Some(entry) = self.clusters.get(&cluster_id) else { return };
        let is_ready = |id| self.entry(id).is_some_and(|entry| entry.connection.is_ready(now));
        if let Choice::Ask(connection) = entry.cluster.choose(now, is_ready) {
            return self.send_group_on(connection, request, encode, now);
        }
        self.wait_to_ask(cluster_id, request.call, None, now);
    }

    /// Sends a request to one broker of the member's cluster, which a Metadata answer has named,
    /// on the connection that carries metadata. It waits for that up to `request.timeout.ms`.
    pub fn ask_broker(
        &mut self,
        node: i32,
        request: GroupRequest,
        encode: impl FnOnce(i16, &mut Vec<u8>) -> Result<(), EncodeError>,
        now: Instant,
    ) {
        let Some(user) = self.groups.get(&request.call.consumer) else { return };
        let cluster_id = user.cluster;
        let Some(entry) = self.clusters.get(&cluster_id) else { return };
        let Some(peer) = entry.cluster.peer(PeerId::Node(node)) else {
            let why = format!("broker {node} is not in the cluster any more");
            return self.lose_group_call(request.call, why);
        };
        let is_ready =
            |id: &ConnectionId| self.entry(*id).is_some_and(|one| one.connection.is_ready(now));
        match peer.control.filter(is_ready) {
            Some(connection) => self.send_group_on(connection, request, encode, now),
            None => self.wait_to_ask(cluster_id, request.call, Some(node), now),
        }
    }

    fn wait_to_ask(&mut self, id: ClusterId, call: GroupCall, broker: Option<i32>, now: Instant) {
        if let Some(entry) = self.clusters.get_mut(&id) {
            let deadline = now + entry.connection.request_timeout;
            entry.asks.push_back(WaitingAsk { call, broker, deadline });
        }
        self.dirty_clusters.insert(id);
    }

    /// Makes a connection for a member to its coordinator, which Metadata need not have named. An
    /// earlier one is closed, and no event tells of that one any more; [`GroupEvent::Connected`]
    /// or [`GroupEvent::Disconnected`] of the new one follows.
    pub fn connect_group(&mut self, id: ConsumerId, host: &str, port: u16) {
        self.disconnect_group(id);
        let Some(user) = self.groups.get_mut(&id) else { return };
        let Some(entry) = self.clusters.get_mut(&user.cluster) else { return };
        entry.cluster.set_coordinator(id, host, port);
        user.wants_connection = true;
        self.dirty_groups.insert(id);
    }

    /// Closes the connection of a member; what is in flight on it stays unanswered.
    pub fn disconnect_group(&mut self, id: ConsumerId) {
        let Some(user) = self.groups.get_mut(&id) else { return };
        user.wants_connection = false;
        let connection = user.connection.take();
        self.group_events.retain(|event| match event {
            GroupEvent::Connected(of) | GroupEvent::Disconnected { consumer: of, .. } => *of != id,
            _ => true,
        });
        let entry = connection.and_then(|connection| self.take_connection(connection));
        let in_flight = entry.map(|mut entry| entry.connection.take_in_flight());
        for request in in_flight.into_iter().flatten() {
            if let Call::Group(call) = request.call {
                self.lose_group_call(call, Failure::Unused.to_string());
            }
        }
        self.lose_held(id, &Failure::Unused.to_string());
    }

    /// Sends a request to a member's coordinator. It waits while that has asked for silence; it
    /// stays unanswered where there is no connection.
    pub fn send_group(
        &mut self,
        request: GroupRequest,
        encode: impl FnOnce(i16, &mut Vec<u8>) -> Result<(), EncodeError>,
        now: Instant,
    ) {
        let call = request.call;
        let Some(user) = self.groups.get(&call.consumer) else { return };
        let entry = user.connection.and_then(|id| Some((id, self.entry(id)?)));
        let ready = entry.filter(|(_, entry)| entry.connection.phase() == Phase::Ready);
        let Some((id, entry)) = ready else {
            return self.lose_group_call(call, "not connected to the coordinator".to_owned());
        };
        // Those that wait already go first.
        if entry.connection.is_ready(now) && user.held.is_empty() {
            self.send_group_on(id, request, encode, now);
        } else if let Some(user) = self.groups.get_mut(&call.consumer) {
            user.held.push_back(call);
            self.dirty_groups.insert(call.consumer);
        }
    }

    fn send_group_on(
        &mut self,
        id: ConnectionId,
        request: GroupRequest,
        encode: impl FnOnce(i16, &mut Vec<u8>) -> Result<(), EncodeError>,
        now: Instant,
    ) {
        let GroupRequest { call, api_key, version_max } = request;
        let Some(entry) = self.entry_mut(id) else { return };
        let refusal = match entry.connection.pick(api_key, version_max) {
            None => Failure::UnsupportedVersion { api_key }.to_string(),
            Some(version) => {
                let what = (api_key, version);
                match entry.connection.send_as(now, what, Call::Group(call), encode) {
                    Ok(()) => return self.after_send(id, Ok(()), now),
                    Err(error) => {
                        format!("{api_key:?} cannot be sent in version {version}: {error}")
                    }
                }
            }
        };
        let event = GroupEvent::Unanswered { call, why: refusal, is_unsupported: true };
        self.group_events.push_back(event);
    }

    /// Returns the id of a topic of the member's cluster, as far as it is known.
    pub fn topic_id(&self, id: ConsumerId, name: &str) -> Option<Uuid> {
        self.clusters.get(&self.groups.get(&id)?.cluster)?.cluster.topic_id(name)
    }

    /// Forgets ids of topics of the member's cluster that a coordinator does not know, and asks
    /// for the topics again.
    pub fn forget_topic_ids(&mut self, id: ConsumerId, names: &[TopicName], now: Instant) {
        let Some(cluster) = self.groups.get(&id).map(|user| user.cluster) else { return };
        if let Some(entry) = self.clusters.get_mut(&cluster) {
            names.iter().for_each(|name| entry.cluster.forget_topic_id(name.as_str()));
            entry.cluster.want_refresh(now);
            self.dirty_clusters.insert(cluster);
        }
    }

    /// Returns what has happened since the last call.
    pub fn poll_group_event(&mut self) -> Option<GroupEvent> {
        self.group_events.pop_front()
    }

    /// Tells whether [`FetchEngine::poll_group_event`] has something.
    pub fn has_group_event(&self) -> bool {
        !self.group_events.is_empty()
    }

    /// Makes the connection that a member wants, or sends what has waited for its coordinator.
    pub(super) fn drive_group(&mut self, id: ConsumerId, now: Instant) {
        let Some(user) = self.groups.get(&id) else { return };
        if let Some(connection) = user.connection {
            let is_ready =
                self.entry(connection).is_some_and(|entry| entry.connection.is_ready(now));
            if let Some(user) = self.groups.get_mut(&id).filter(|_| is_ready) {
                self.group_events.extend(user.held.drain(..).map(GroupEvent::Again));
            }
            return;
        }
        let (cluster_id, peer) = (user.cluster, PeerId::Coordinator(id));
        let cluster = self.clusters.get(&cluster_id).map(|entry| &entry.cluster);
        let Some(known) = cluster.and_then(|cluster| cluster.peer(peer)) else { return };
        let retry_at = known.retry_at().filter(|at| *at > now && user.wants_connection);
        self.timers.set(TimerKey::Group(id), retry_at);
        if user.wants_connection && retry_at.is_none() {
            self.open(Owner::Group(id), cluster_id, peer, now);
        }
    }

    /// Asks once more for the requests that have waited for any connection.
    pub(super) fn release_asks(&mut self, id: ClusterId) {
        self.release_where(id, |ask| ask.broker.is_none());
    }

    fn release_where(&mut self, id: ClusterId, is_meant: impl Fn(&WaitingAsk) -> bool) {
        let Some(entry) = self.clusters.get_mut(&id) else { return };
        let asks = std::mem::take(&mut entry.asks);
        for ask in asks {
            match is_meant(&ask) {
                true => self.group_events.push_back(GroupEvent::Again(ask.call)),
                false => entry.asks.push_back(ask),
            }
        }
    }

    /// Makes the connections for which requests to certain brokers wait, or asks once more for the
    /// requests; returns when to look again.
    pub(super) fn drive_broker_asks(&mut self, id: ClusterId, now: Instant) -> Option<Instant> {
        let entry = self.clusters.get(&id)?;
        let brokers: BTreeSet<i32> = entry.asks.iter().filter_map(|ask| ask.broker).collect();
        let mut wake_at = None;
        for node in brokers {
            let peer = PeerId::Node(node);
            match self.clusters.get(&id).and_then(|entry| entry.cluster.peer(peer)) {
                Some(known) => match known.control {
                    Some(control) => {
                        if self.entry(control).is_some_and(|one| one.connection.is_ready(now)) {
                            self.release_where(id, |ask| ask.broker == Some(node));
                        }
                    }
                    None if known.may_connect(now) => self.open(Owner::Cluster(id), id, peer, now),
                    None => wake_at = wake_at.into_iter().chain(known.retry_at()).min(),
                },
                // It is told that the broker is gone.
                None => self.release_where(id, |ask| ask.broker == Some(node)),
            }
        }
        wake_at
    }

    /// Gives up requests that have waited for any connection for too long.
    pub(super) fn expire_asks(&mut self, id: ClusterId, now: Instant) {
        self.lose_asks(id, |deadline| deadline <= now);
    }

    /// Gives up requests that wait for any connection if every server has just been tried in vain:
    /// whoever asked wants to know, and asks again after a back-off of its own.
    pub(super) fn judge_asks(&mut self, id: ClusterId, now: Instant) {
        let Some(entry) = self.clusters.get(&id) else { return };
        let is_hopeless = !entry.cluster.has_connection()
            && matches!(entry.cluster.choose(now, |_| false), Choice::Wait(_));
        if is_hopeless {
            self.lose_asks(id, |_| true);
        }
    }

    fn lose_asks(&mut self, id: ClusterId, is_lost: impl Fn(Instant) -> bool) {
        let Some(entry) = self.clusters.get_mut(&id) else { return };
        let mut lost = Vec::new();
        // They wait equally long, so the first is the oldest.
        while entry.asks.front().is_some_and(|ask| is_lost(ask.deadline)) {
            lost.extend(entry.asks.pop_front().map(|ask| ask.call));
        }
        if lost.is_empty() {
            return;
        }
        let why = format!("nobody could be asked: {}", entry.cluster.describe_failures());
        for call in lost {
            self.lose_group_call(call, why.clone());
        }
    }

    /// Takes note that a connection to a member's coordinator is being made.
    pub(super) fn handle_group_attempt(&mut self, id: ConsumerId, connection: ConnectionId) {
        if let Some(user) = self.groups.get_mut(&id) {
            user.wants_connection = false;
            user.connection = Some(connection);
        }
    }

    /// Takes note that requests can be sent to a member's coordinator.
    pub(super) fn handle_group_ready(&mut self, id: ConsumerId) {
        self.group_events.push_back(GroupEvent::Connected(id));
    }

    /// Takes note that a member's connection is gone; what was in flight is lost already.
    pub(super) fn handle_group_lost(&mut self, id: ConsumerId, why: String) {
        if let Some(user) = self.groups.get_mut(&id) {
            user.connection = None;
            self.lose_held(id, &why);
            self.group_events.push_back(GroupEvent::Disconnected { consumer: id, why });
        }
    }

    /// Gives up the connection for metadata to a coordinator that does not answer: as it is, the
    /// next question for the coordinator might wait there as long.
    pub(super) fn judge_coordinator(
        &mut self,
        cluster: ClusterId,
        peer: PeerId,
        failure: &Failure,
        now: Instant,
    ) {
        if !matches!(failure, Failure::RequestTimeout { .. }) {
            return;
        }
        let cluster = self.clusters.get(&cluster).map(|entry| &entry.cluster);
        if let Some(control) = cluster.and_then(|cluster| cluster.control_beside(peer)) {
            self.fail_connection(control, failure, now);
        }
    }

    fn lose_held(&mut self, id: ConsumerId, why: &str) {
        let Some(user) = self.groups.get_mut(&id) else { return };
        for call in std::mem::take(&mut user.held) {
            self.lose_group_call(call, why.to_owned());
        }
    }

    /// Takes note that a request will have no answer.
    pub(super) fn lose_group_call(&mut self, call: GroupCall, why: String) {
        let is_unsupported = false;
        self.group_events.push_back(GroupEvent::Unanswered { call, why, is_unsupported });
    }

    /// Hands an answer out. A member's connection is quiet most of the time: it keeps no block.
    pub(super) fn handle_group_answer(
        &mut self,
        call: GroupCall,
        connection: ConnectionId,
        version: i16,
        body: Slice,
    ) {
        if let Some(entry) = self.entry_mut(connection) {
            entry.connection.input.release();
        }
        self.group_events.push_back(GroupEvent::Answer { call, connection, version, body });
    }
}

/// Returns for how long the broker asks for silence in an answer to a member (KIP-219), in ms: the
/// first field of every such answer since the version that brought it (KIP-124), in OffsetDelete
/// the second.
pub(super) fn throttle_time_ms(api_key: ApiKey, version: i16, body: &[u8]) -> i32 {
    let since = match api_key {
        ApiKey::JoinGroup => 2,
        ApiKey::OffsetCommit | ApiKey::OffsetFetch | ApiKey::Metadata => 3,
        ApiKey::OffsetDelete => 0,
        _ => 1,
    };
    let mut reader = Reader::new(body);
    if api_key == ApiKey::OffsetDelete && reader.int16().is_err() {
        return 0;
    }
    let first = (version >= since).then(|| reader.int32());
    first.and_then(Result::ok).unwrap_or(0)
}
