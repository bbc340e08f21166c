//! Decides what the next Fetch to a broker asks for.
//!
//! Fetching is paced by bytes: a Fetch asks for no more than the budget has free, and when too
//! little is free none leaves until credit comes back. No timer and no long poll of a broker
//! resumes it.

#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use super::connection::Connection;
use super::connection::ConnectionId;
use super::consumer::FetchConsumer;
use super::node::CATCH_UP_WAIT;
use crate::protocol::fetch::{FetchPartition, FetchRequest, FetchTopic};

/// Less free credit than this is not worth a request; also what the smallest budget can have.
const CREDIT_MIN_BYTES: usize = 64 * 1024;

/// What to do at a broker.
#[derive(Debug, PartialEq, Eq)]
pub enum Plan {
    /// When nothing can be fetched, or nothing more than is under way.
    Nothing,
    /// When a connection has to be made first; on which of the two links.
    Connect(usize),
    /// When a Fetch can leave.
    Fetch(PlannedFetch),
}

/// A Fetch to send.
#[derive(Debug, PartialEq, Eq)]
pub struct PlannedFetch {
    /// On which of the two links.
    pub link: usize,
    /// That link's connection.
    pub connection: ConnectionId,
    /// How long the broker may wait.
    pub max_wait: Duration,
    /// The most bytes the answer should have.
    pub max_bytes: i32,
    /// The cursors to list, in order.
    pub cursors: Vec<u32>,
}

impl FetchConsumer {
    /// Decides what to do at a broker; `connection` returns a connection by its id.
    pub fn plan<'c>(
        &self,
        node_id: i32,
        now: Instant,
        connection: impl Fn(ConnectionId) -> Option<&'c Connection>,
    ) -> Plan {
        let Some(node) = self.nodes.get(&node_id) else { return Plan::Nothing };
        let is_waiting =
            |id| connection(id).is_some_and(|connection| !connection.is_receiving_fetch());
        let Some(link) = node.free_link(is_waiting) else { return Plan::Nothing };
        let is_fetchable =
            |index: &u32| self.cursor(*index).is_some_and(|cursor| cursor.is_fetchable(now));
        let cursors: Vec<u32> = node.order.iter().copied().filter(is_fetchable).collect();
        if cursors.is_empty() {
            return Plan::Nothing;
        }
        let Some(id) = node.links[link].connection else { return Plan::Connect(link) };
        if !connection(id).is_some_and(|connection| connection.is_ready(now)) {
            return Plan::Nothing;
        }
        let Some(max_bytes) = self.credit() else { return Plan::Nothing };
        let mut max_wait =
            Duration::from_millis(u64::try_from(self.settings().max_wait_ms).unwrap_or(0));
        if link > 0 {
            max_wait = max_wait.min(CATCH_UP_WAIT);
        }
        Plan::Fetch(PlannedFetch { link, connection: id, max_wait, max_bytes, cursors })
    }

    /// Returns how many bytes the next answer may have; none while that is too little, in which
    /// case credit that comes back will bring the consumer up again.
    fn credit(&self) -> Option<i32> {
        // Answers that have come and cannot be read for want of credit go first.
        if !self.starved.is_empty() || self.is_short() && self.wants(self.credit_min()) {
            return None;
        }
        let free = i32::try_from(self.budget.free()).unwrap_or(i32::MAX);
        Some(self.settings().max_bytes.min(free))
    }

    /// Tells whether too little credit is free for a Fetch.
    pub fn is_short(&self) -> bool {
        self.budget.free() < self.credit_min()
    }

    /// Leaves word that fetching waits for so much credit; tells whether it has to.
    ///
    /// A poll that sleeps is woken where only its own application can give that credit back.
    pub fn wants(&self, bytes: usize) -> bool {
        let waits = self.budget.want(bytes);
        if waits && self.landed.is_empty() && self.budget.is_held() {
            self.bridge.application().notify();
        }
        waits
    }

    fn credit_min(&self) -> usize {
        CREDIT_MIN_BYTES.min(self.budget.limit() / 4)
    }

    /// Writes the request of a planned Fetch, with the position of every cursor.
    pub fn request<'a>(&'a self, planned: &PlannedFetch) -> FetchRequest<'a> {
        let mut topics: Vec<FetchTopic<'a>> = Vec::new();
        let mut places: std::collections::HashMap<&str, usize> = std::collections::HashMap::new();
        for cursor in planned.cursors.iter().filter_map(|index| self.cursor(*index)) {
            let name = cursor.topic.as_str();
            let place = *places.entry(name).or_insert_with(|| {
                topics.push(FetchTopic { topic: name, ..FetchTopic::default() });
                topics.len() - 1
            });
            let Some(topic) = topics.get_mut(place) else { continue };
            topic.partitions.push(FetchPartition {
                partition: cursor.partition,
                current_leader_epoch: cursor.leader_epoch,
                fetch_offset: cursor.fetch_offset,
                partition_max_bytes: self.settings().partition_max_bytes.min(planned.max_bytes),
                ..FetchPartition::default()
            });
        }
        FetchRequest {
            max_wait_ms: i32::try_from(planned.max_wait.as_millis()).unwrap_or(i32::MAX),
            min_bytes: self.settings().min_bytes,
            max_bytes: planned.max_bytes,
            session_id: 0,
            session_epoch: -1,
            topics,
            ..FetchRequest::default()
        }
    }

    /// Takes note that a planned Fetch has been sent; returns its number.
    pub fn handle_sent(&mut self, node_id: i32, planned: &PlannedFetch) -> u64 {
        let number = self.next_fetch;
        self.next_fetch += 1;
        self.bridge.counters().fetches.add(1);
        for index in &planned.cursors {
            if let Some(cursor) = self.cursor_mut(*index) {
                cursor.in_flight = Some(number);
            }
        }
        if let Some(node) = self.nodes.get_mut(&node_id) {
            node.links[planned.link].in_flight = Some(number);
        }
        number
    }
}
