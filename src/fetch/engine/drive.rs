//! What follows from what is known: requests that can be sent, connections that are needed.

#![forbid(unsafe_code)]

use std::time::Instant;

use super::action::Action;
use super::state::{FetchEngine, Owner, TimerKey};
use crate::fetch::answer::Progress;
use crate::fetch::call::{Call, ClusterId, ConsumerId, FetchCall, ListOffsetsCall, MetadataCall};
use crate::fetch::cluster::Choice;
use crate::fetch::connection::ConnectionId;
use crate::fetch::lookup::AskId;
use crate::fetch::peer::PeerId;
use crate::fetch::plan::{Plan, PlannedFetch};
use crate::protocol::ApiKey;
use crate::protocol::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use crate::protocol::metadata::{MetadataRequest, MetadataRequestTopic};

impl FetchEngine {
    /// Does all that can be done now; called after every input.
    pub fn drive(&mut self, now: Instant) {
        while let Some(id) = self.dirty_clusters.pop_first() {
            self.drive_cluster(id, now);
        }
        while let Some(id) = self.dirty_consumers.pop_first() {
            self.drive_consumer(id, now);
        }
        while let Some(id) = self.dirty_groups.pop_first() {
            self.drive_group(id, now);
        }
        // Looking leaders up may have found the metadata stale.
        while let Some(id) = self.dirty_clusters.pop_first() {
            self.drive_cluster(id, now);
        }
    }

    /// Looks at the clock.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(key) = self.timers.pop_due(now) {
            match key {
                TimerKey::Connection(id) => self.time_out_connection(id, now),
                TimerKey::Cluster(id) => {
                    self.expire_questions(id, now);
                    self.expire_asks(id, now);
                    self.mark_cluster(id);
                }
                TimerKey::Consumer(id) => self.time_out_consumer(id, now),
                TimerKey::Group(id) => {
                    self.dirty_groups.insert(id);
                }
            }
        }
        self.drive(now);
    }

    fn time_out_connection(&mut self, id: ConnectionId, now: Instant) {
        let Some(entry) = self.entry_mut(id) else { return };
        match entry.connection.handle_timeout(now) {
            Ok(()) => {
                // It may have been mute, and can be used again.
                let (owner, cluster) = (entry.owner, entry.cluster);
                self.refresh_timer(id);
                match owner {
                    Owner::Fetch { consumer, .. } => {
                        self.dirty_consumers.insert(consumer);
                    }
                    Owner::Cluster(_) => self.mark_cluster(cluster),
                    Owner::Group(member) => {
                        self.dirty_groups.insert(member);
                    }
                }
            }
            Err(failure) => self.fail_connection(id, &failure, now),
        }
    }

    fn time_out_consumer(&mut self, id: ConsumerId, now: Instant) {
        let Some(consumer) = self.consumers.get_mut(&id) else { return };
        let cluster = self.clusters.get(&consumer.cluster);
        consumer.lookups.handle_timeout(now, || {
            cluster.map(|entry| entry.cluster.describe_failures()).unwrap_or_default()
        });
        self.dirty_consumers.insert(id);
    }

    fn drive_cluster(&mut self, id: ClusterId, now: Instant) {
        let Some(entry) = self.clusters.get(&id) else { return };
        let refresh_at = entry.cluster.refresh_at();
        let refresh_is_due = refresh_at.is_some_and(|at| at <= now);
        let asks = entry.questions.values().any(|question| question.is_due(now))
            || entry.asks.iter().any(|ask| ask.broker.is_none());
        let mut wake_at = refresh_at.filter(|at| *at > now);
        if refresh_is_due || asks {
            let is_ready = |id| self.entry(id).is_some_and(|entry| entry.connection.is_ready(now));
            match entry.cluster.choose(now, is_ready) {
                Choice::Ask(connection) => {
                    self.ask_metadata(id, connection, refresh_is_due, now);
                    self.release_asks(id);
                }
                Choice::Connect(peer) => {
                    self.open(Owner::Cluster(id), id, peer, now);
                    // The next server gets its turn if this one stays silent.
                    let entry = self.clusters.get(&id);
                    let next = entry.map(|entry| entry.cluster.choose(now, |_| false));
                    if let Some(Choice::Wait(until)) = next {
                        wake_at = earliest(wake_at, until);
                    }
                }
                Choice::Wait(until) => wake_at = earliest(wake_at, until),
            }
        }
        wake_at = earliest(wake_at, self.drive_broker_asks(id, now));
        let Some(entry) = self.clusters.get(&id) else { return };
        let deadlines = entry.questions.values().map(|question| question.deadline);
        let deadline = deadlines.chain(entry.asks.iter().map(|ask| ask.deadline)).min();
        let retries = entry.questions.values().filter_map(|question| question.retry_at);
        wake_at = earliest(wake_at, retries.filter(|at| *at > now).min());
        self.timers.set(TimerKey::Cluster(id), earliest(wake_at, deadline));
    }

    fn ask_metadata(
        &mut self,
        id: ClusterId,
        connection: ConnectionId,
        refresh: bool,
        now: Instant,
    ) {
        let mut calls = Vec::new();
        let Some(entry) = self.clusters.get_mut(&id) else { return };
        if refresh {
            let names = entry.cluster.topic_names().map(|name| name.as_str().to_owned()).collect();
            entry.cluster.handle_refresh_sent();
            calls.push((Some(names), MetadataCall::Refresh));
        }
        for (number, question) in entry.questions.iter_mut().filter(|(_, asked)| asked.is_due(now))
        {
            question.is_sent = true;
            calls.push((question.names.clone(), MetadataCall::Question(*number)));
        }
        let allow_auto_create = entry.cluster.settings().allow_auto_create_topics;
        for (names, call) in calls {
            self.send_metadata(connection, names.as_deref(), call, allow_auto_create, now);
        }
    }

    fn send_metadata(
        &mut self,
        id: ConnectionId,
        names: Option<&[String]>,
        call: MetadataCall,
        allow_auto_topic_creation: bool,
        now: Instant,
    ) {
        let request = MetadataRequest {
            topics: names.map(|names| names.iter().map(|name| requested_topic(name)).collect()),
            allow_auto_topic_creation,
            ..MetadataRequest::default()
        };
        let Some(entry) = self.entry_mut(id) else { return };
        let sent =
            entry.connection.send(now, ApiKey::Metadata, Call::Metadata(call), |version, out| {
                request.encode(version, out)
            });
        self.after_send(id, sent, now);
    }

    fn drive_consumer(&mut self, id: ConsumerId, now: Instant) {
        let Some(consumer) = self.consumers.get_mut(&id) else { return };
        consumer.handle_found(now);
        let mut wake_at = self.drive_lookups(id, now);
        let Some(consumer) = self.consumers.get(&id) else { return };
        let nodes: Vec<i32> = consumer.nodes.keys().copied().collect();
        if consumer.is_short() {
            // Blocks of connections that wait for an answer may be all that the budget lacks.
            self.reclaim(id);
        }
        for node in nodes {
            wake_at = earliest(wake_at, self.drive_node(id, node, now));
        }
        let Some(consumer) = self.consumers.get(&id) else { return };
        wake_at = earliest(wake_at, consumer.poll_timeout(now));
        self.timers.set(TimerKey::Consumer(id), wake_at);
    }

    /// Sends what can be fetched from a broker; returns when to look again.
    fn drive_node(&mut self, id: ConsumerId, node: i32, now: Instant) -> Option<Instant> {
        loop {
            let consumer = self.consumers.get(&id)?;
            let connection = |id| self.entry(id).map(|entry| &entry.connection);
            match consumer.plan(node, now, connection) {
                Plan::Nothing => return None,
                Plan::Fetch(planned) => self.send_fetch(id, node, planned, now),
                Plan::Connect(link) => {
                    let cluster_id = consumer.cluster;
                    let peer = PeerId::Node(node);
                    let known = self.clusters.get(&cluster_id)?.cluster.peer(peer)?;
                    if !known.may_connect(now) {
                        return known.retry_at();
                    }
                    self.open(Owner::Fetch { consumer: id, node, link }, cluster_id, peer, now);
                    return None;
                }
            }
        }
    }

    fn send_fetch(&mut self, id: ConsumerId, node: i32, planned: PlannedFetch, now: Instant) {
        let Some(consumer) = self.consumers.get_mut(&id) else { return };
        let number = consumer.handle_sent(node, &planned);
        let request = consumer.request(&planned);
        let call = Call::Fetch(FetchCall {
            number,
            link: planned.link,
            max_wait: planned.max_wait,
            cursors: planned.cursors.clone(),
            progress: Progress::default(),
        });
        let Some(entry) = self.connections.get_mut(planned.connection.index as usize) else {
            return;
        };
        let sent = entry
            .connection
            .send(now, ApiKey::Fetch, call, |version, out| request.encode(version, out));
        self.after_send(planned.connection, sent, now);
    }

    /// Asks leaders for the offsets that are looked up; returns when to look again.
    fn drive_lookups(&mut self, id: ConsumerId, now: Instant) -> Option<Instant> {
        let consumer = self.consumers.get_mut(&id)?;
        let cluster_id = consumer.cluster;
        let entry = self.clusters.get_mut(&cluster_id)?;
        let planned = consumer.lookups.plan(now, &mut entry.cluster, &mut self.random);
        while let Some(topic) = consumer.lookups.poll_left() {
            entry.cluster.leave_topic(topic.as_str());
        }
        self.dirty_clusters.insert(cluster_id);
        let mut wake_at = None;
        for (node, asks) in planned {
            let peer = PeerId::Node(node);
            let Some(known) =
                self.clusters.get(&cluster_id).and_then(|entry| entry.cluster.peer(peer))
            else {
                continue;
            };
            match known.control {
                Some(connection) => self.send_lookup(id, connection, asks, now),
                None if known.may_connect(now) => {
                    self.open(Owner::Cluster(cluster_id), cluster_id, peer, now);
                }
                None => wake_at = earliest(wake_at, known.retry_at()),
            }
        }
        wake_at
    }

    fn send_lookup(&mut self, id: ConsumerId, to: ConnectionId, asks: Vec<AskId>, now: Instant) {
        if !self.entry(to).is_some_and(|entry| entry.connection.is_ready(now)) {
            return;
        }
        let Some(consumer) = self.consumers.get_mut(&id) else { return };
        consumer.lookups.handle_sent(&asks);
        let Some(cluster) = self.clusters.get(&consumer.cluster) else { return };
        let mut topics: Vec<ListOffsetsTopic<'_>> = Vec::new();
        let mut sorted: Vec<_> = asks.iter().filter_map(|ask| consumer.lookups.get(*ask)).collect();
        sorted.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
        for ask in sorted {
            let name = ask.topic.as_str();
            if topics.last().is_none_or(|last| last.name != name) {
                topics.push(ListOffsetsTopic { name, partitions: Vec::new() });
            }
            let known = cluster.cluster.leadership(name, ask.partition);
            let partition = ListOffsetsPartition {
                partition_index: ask.partition,
                current_leader_epoch: known.map_or(-1, |known| known.leader_epoch),
                timestamp: ask.timestamp,
            };
            if let Some(last) = topics.last_mut() {
                last.partitions.push(partition);
            }
        }
        let timeout = consumer.settings().connection.request_timeout.as_millis();
        let request = ListOffsetsRequest {
            replica_id: -1,
            isolation_level: 0,
            topics,
            timeout_ms: i32::try_from(timeout).unwrap_or(i32::MAX),
        };
        let call = Call::ListOffsets(ListOffsetsCall { consumer: id, asks: asks.clone() });
        let Some(entry) = self.connections.get_mut(to.index as usize) else { return };
        let sent = entry
            .connection
            .send(now, ApiKey::ListOffsets, call, |version, out| request.encode(version, out));
        self.after_send(to, sent, now);
    }

    pub(super) fn after_send(
        &mut self,
        id: ConnectionId,
        sent: Result<(), crate::fetch::failure::Failure>,
        now: Instant,
    ) {
        match sent {
            Ok(()) => {
                self.refresh_timer(id);
                self.actions.push_back(Action::Flush(id));
            }
            Err(failure) => self.fail_connection(id, &failure, now),
        }
    }

    /// Returns what is to be written to a socket.
    pub fn output(&self, id: ConnectionId) -> &[u8] {
        self.entry(id).map(|entry| entry.connection.output()).unwrap_or_default()
    }

    /// Takes note that `len` bytes of the output have been written.
    pub fn handle_written(&mut self, id: ConnectionId, len: usize) {
        if let Some(entry) = self.entry_mut(id) {
            entry.connection.handle_written(len);
        }
    }
}

fn requested_topic(name: &str) -> MetadataRequestTopic<'_> {
    MetadataRequestTopic { name: Some(name), ..MetadataRequestTopic::default() }
}

fn earliest(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
