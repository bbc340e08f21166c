//! Connections from the wish for one to their end.

#![forbid(unsafe_code)]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;

use super::action::{Action, Address};
use super::state::{FetchEngine, Owner};
use crate::fetch::call::{Call, ClusterId, MetadataCall};
use crate::fetch::connection::{AddressFamily, Connection, ConnectionId};
use crate::fetch::failure::Failure;
use crate::fetch::peer::PeerId;

impl FetchEngine {
    /// Begins to connect to a peer.
    pub(super) fn open(&mut self, owner: Owner, cluster_id: ClusterId, peer: PeerId, now: Instant) {
        let Some(entry) = self.clusters.get(&cluster_id) else { return };
        let Some(known) = entry.cluster.peer(peer) else { return };
        let timeout = known.setup_timeout(entry.cluster.settings().setup_timeout);
        let (host, port) = (known.host.clone(), known.port);
        let path = known.unix_path().map(PathBuf::from);
        let connection = Connection::new(entry.connection.clone(), timeout, now);
        let id = self.insert_connection(connection, owner, cluster_id, peer);
        match owner {
            Owner::Cluster(_) => {
                if let Some(entry) = self.clusters.get_mut(&cluster_id) {
                    entry.cluster.handle_attempt(peer, id, now);
                }
            }
            Owner::Fetch { consumer, node, link } => {
                if let Some(consumer) = self.consumers.get_mut(&consumer) {
                    consumer.bridge.counters().connections_opened.add(1);
                    if let Some(node) = consumer.nodes.get_mut(&node) {
                        node.links[link].connection = Some(id);
                    }
                }
            }
            Owner::Group(member) => self.handle_group_attempt(member, id),
        }
        self.refresh_timer(id);
        match (path, self.entry_mut(id)) {
            (Some(path), Some(entry)) => {
                entry.connection.handle_connecting();
                let address = Address::Unix(path);
                self.actions.push_back(Action::Connect { connection: id, address });
            }
            _ => self.actions.push_back(Action::Resolve { connection: id, host, port }),
        }
    }

    /// Takes the addresses of a name, or why there are none.
    pub fn handle_resolved(
        &mut self,
        id: ConnectionId,
        addresses: Result<Vec<SocketAddr>, String>,
        now: Instant,
    ) {
        match addresses {
            Ok(addresses) => {
                let Some(entry) = self.connections.get_mut(id.index as usize) else { return };
                if entry.generation != id.generation {
                    return;
                }
                entry.connection.handle_connecting();
                let family = entry.connection.settings().family;
                let is_wanted = |address: &SocketAddr| match family {
                    AddressFamily::Any => true,
                    AddressFamily::V4 => address.is_ipv4(),
                    AddressFamily::V6 => address.is_ipv6(),
                };
                let wanted = addresses.into_iter().filter(is_wanted);
                entry.addresses = wanted.map(Address::Tcp).collect();
                let cluster = self.clusters.get(&entry.cluster).map(|entry| &entry.cluster);
                if let Some(peer) = cluster.and_then(|cluster| cluster.peer(entry.peer)) {
                    let first = peer.first_address(entry.addresses.len());
                    entry.addresses.rotate_left(first);
                }
                let failure = Failure::Resolve("no address".to_owned());
                self.connect_next(id, &failure, now);
            }
            Err(text) => self.fail_connection(id, &Failure::Resolve(text), now),
        }
        self.drive(now);
    }

    /// Tries the next address; the connection ends with `failure` where there is none left.
    fn connect_next(&mut self, id: ConnectionId, failure: &Failure, now: Instant) {
        let Some(entry) = self.entry_mut(id) else { return };
        match entry.addresses.pop_front() {
            Some(address) => self.actions.push_back(Action::Connect { connection: id, address }),
            None => self.fail_connection(id, failure, now),
        }
    }

    /// Takes note that a socket could not be connected.
    pub fn handle_connect_failed(&mut self, id: ConnectionId, failure: &Failure, now: Instant) {
        self.connect_next(id, failure, now);
        self.drive(now);
    }

    /// Takes note that a socket is connected.
    pub fn handle_connected(&mut self, id: ConnectionId, now: Instant) {
        let Some(entry) = self.entry_mut(id) else { return };
        match entry.connection.handle_connected(now) {
            Ok(()) => self.actions.push_back(Action::Flush(id)),
            Err(failure) => self.fail_connection(id, &failure, now),
        }
        self.drive(now);
    }

    /// Takes note that a connection has learnt what the broker speaks.
    pub(super) fn handle_ready(&mut self, id: ConnectionId) {
        self.refresh_timer(id);
        let Some(entry) = self.entry(id) else { return };
        let (owner, cluster_id, peer) = (entry.owner, entry.cluster, entry.peer);
        if let Some(entry) = self.clusters.get_mut(&cluster_id)
            && let Some(peer) = entry.cluster.peer_mut(peer)
        {
            peer.handle_ready();
        }
        match owner {
            Owner::Fetch { consumer, .. } => {
                self.dirty_consumers.insert(consumer);
            }
            Owner::Cluster(_) => self.mark_cluster(cluster_id),
            Owner::Group(member) => self.handle_group_ready(member),
        }
    }

    /// Marks a cluster and all of its consumers: they may have waited for a connection.
    pub(super) fn mark_cluster(&mut self, id: ClusterId) {
        self.dirty_clusters.insert(id);
        if let Some(entry) = self.clusters.get(&id) {
            self.dirty_consumers.extend(&entry.consumers);
        }
    }

    /// Ends a connection; what was in flight on it is asked for again.
    pub(super) fn fail_connection(&mut self, id: ConnectionId, failure: &Failure, now: Instant) {
        let Some(mut entry) = self.take_connection(id) else { return };
        let (owner, cluster_id, peer) = (entry.owner, entry.cluster, entry.peer);
        self.note_failure(cluster_id, peer, id, failure, now);
        let why = self.describe_failure(cluster_id, peer, failure);
        for request in entry.connection.take_in_flight() {
            self.handle_lost_call(owner, cluster_id, &request.call, &why, now);
        }
        if let Owner::Group(member) = owner {
            self.handle_group_lost(member, why);
            self.judge_coordinator(cluster_id, peer, failure, now);
        } else {
            self.judge_asks(cluster_id, now);
        }
        if let Owner::Fetch { consumer, node, link } = owner
            && let Some(consumer) = self.consumers.get_mut(&consumer)
        {
            consumer.bridge.counters().connections_lost.add(1);
            // What came whole before the end counts, and nobody will ask for its delivery.
            consumer.deliver();
            if consumer.overdraft == Some(id) {
                consumer.overdraft = None;
                consumer.budget.set_overdrawing(false);
            }
            consumer.starved.retain(|starved| *starved != id);
            if let Some(node) = consumer.nodes.get_mut(&node)
                && node.links[link].connection == Some(id)
            {
                node.links[link].connection = None;
            }
        }
        self.mark_cluster(cluster_id);
    }

    fn note_failure(
        &mut self,
        cluster_id: ClusterId,
        peer: PeerId,
        id: ConnectionId,
        failure: &Failure,
        now: Instant,
    ) {
        let Some(entry) = self.clusters.get_mut(&cluster_id) else { return };
        let limits = entry.cluster.settings().reconnect;
        if let Some(peer) = entry.cluster.peer_mut(peer) {
            let is_news = !peer.is_failing();
            peer.handle_failure(failure, limits, &mut self.random, now);
            if peer.control == Some(id) {
                peer.control = None;
            }
            // Nobody listens on a path before somebody has found that out.
            let is_path = peer.unix_path().is_some();
            let level = match is_news && !failure.is_planned() && !is_path {
                true => log::Level::Warn,
                false => log::Level::Debug,
            };
            let text = format_args!("{} {failure}", peer.name());
            self.logger.log(level, "kfetch::net", text);
        }
        if !failure.is_planned() {
            // The broker may be gone, and its partitions led by another.
            entry.cluster.want_refresh(now);
        }
    }

    fn describe_failure(&self, cluster: ClusterId, peer: PeerId, failure: &Failure) -> String {
        let cluster = self.clusters.get(&cluster).map(|entry| &entry.cluster);
        match cluster.and_then(|cluster| cluster.peer(peer)) {
            Some(peer) => format!("{} {failure}", peer.name()),
            None => failure.to_string(),
        }
    }

    /// Takes note that a request will have no answer that can be read.
    pub(super) fn lose_call(
        &mut self,
        id: ConnectionId,
        call: &Call,
        failure: &Failure,
        now: Instant,
    ) {
        let entry = self.entry(id).map(|entry| (entry.owner, entry.cluster, entry.peer));
        if let Some((owner, cluster, peer)) = entry {
            let why = self.describe_failure(cluster, peer, failure);
            self.handle_lost_call(owner, cluster, call, &why, now);
        }
    }

    fn handle_lost_call(
        &mut self,
        owner: Owner,
        cluster_id: ClusterId,
        call: &Call,
        why: &str,
        now: Instant,
    ) {
        match (call, owner) {
            (Call::Metadata(MetadataCall::Refresh), _) => {
                if let Some(entry) = self.clusters.get_mut(&cluster_id) {
                    entry.cluster.handle_refresh_failed(now, &mut self.random);
                }
            }
            (Call::Metadata(MetadataCall::Question(number)), _) => {
                let entry = self.clusters.get_mut(&cluster_id);
                if let Some(asked) = entry.and_then(|entry| entry.questions.get_mut(number)) {
                    asked.is_sent = false;
                }
            }
            (Call::ListOffsets(call), _) => {
                if let Some(consumer) = self.consumers.get_mut(&call.consumer) {
                    consumer.lookups.handle_lost(call, now, &mut self.random);
                }
            }
            (Call::Fetch(call), Owner::Fetch { consumer, node, .. }) => {
                if let Some(consumer) = self.consumers.get_mut(&consumer) {
                    consumer.handle_lost(node, call);
                }
            }
            (Call::Group(call), _) => self.lose_group_call(*call, why.to_owned()),
            (Call::Fetch(_), _) | (Call::ApiVersions, _) => {}
        }
    }
}
