//! One consumer's side of the fetching: its cursors, and what it has in flight at which broker.
//!
//! Planning is in [`plan`](super::plan), reading answers in [`answer`](super::answer), verifying
//! and handing over in `deliver`, errors in `partition_error`.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::call::ClusterId;
use super::cluster::Cluster;
use super::connection::{ConnectionId, ConnectionSettings};
use super::cursor::{Cursor, NewPartition, StartAt, State};
use super::landing::Landed;
use super::lookup::{Lookups, Purpose, partition_error};
use super::node::Node;
use crate::backoff::{BackoffLimits, Random};
use crate::buffer::Budget;
use crate::logger::Logger;
use crate::protocol::ErrorCode;
use crate::protocol::list_offsets::{EARLIEST_TIMESTAMP, LATEST_TIMESTAMP};
use crate::ring::SlotKind;
use crate::ring::bridge::Bridge;
use crate::topic::TopicName;

/// How many refreshes in a row must not know a partition before the application is told.
const UNKNOWN_MAX: u32 = 3;

/// Where a partition goes on when its position is unknown or out of range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetPolicy {
    /// When it is the first record that there is.
    Earliest,
    /// When it is the end.
    Latest,
    /// When it is an error.
    None,
    /// When it is the first record no older than this (KIP-1106).
    ByDuration(Duration),
}

/// What a consumer's fetching runs by.
#[derive(Clone, Debug)]
pub struct FetchSettings {
    /// `fetch.min.bytes`.
    pub min_bytes: i32,
    /// `fetch.max.wait.ms`.
    pub max_wait_ms: i32,
    /// `fetch.max.bytes`.
    pub max_bytes: i32,
    /// `max.partition.fetch.bytes`.
    pub partition_max_bytes: i32,
    /// `check.crcs`.
    pub check_crcs: bool,
    /// `enable.partition.eof`.
    pub partition_eof: bool,
    /// `auto.offset.reset`.
    pub reset: ResetPolicy,
    /// `retry.backoff.ms` and `retry.backoff.max.ms`.
    pub retry: BackoffLimits,
    /// What its connections run by.
    pub connection: ConnectionSettings,
    /// A moment and its time in ms since the epoch, by which times of day are told.
    pub epoch: (Instant, i64),
}

impl FetchSettings {
    /// Returns the time stamp that the reset policy asks for, none where it is an error.
    pub fn reset_timestamp(&self, now: Instant) -> Option<i64> {
        match self.reset {
            ResetPolicy::Earliest => Some(EARLIEST_TIMESTAMP),
            ResetPolicy::Latest => Some(LATEST_TIMESTAMP),
            ResetPolicy::None => None,
            ResetPolicy::ByDuration(age) => {
                let (instant, epoch_ms) = self.epoch;
                let passed = now.saturating_duration_since(instant).as_millis();
                let now_ms = epoch_ms.saturating_add_unsigned(clamp_ms(passed));
                Some(now_ms.saturating_sub_unsigned(clamp_ms(age.as_millis())).max(0))
            }
        }
    }
}

/// One consumer, on the loop's thread.
#[derive(Debug)]
pub struct FetchConsumer {
    settings: FetchSettings,
    /// Where its partitions are.
    pub cluster: ClusterId,
    /// To the application.
    pub bridge: Arc<Bridge>,
    /// What it may hold in memory.
    pub budget: Arc<Budget>,
    /// Takes its messages.
    pub logger: Arc<Logger>,
    /// In order of index: a run that is repeated takes them in the same order.
    cursors: BTreeMap<u32, Cursor>,
    by_name: HashMap<TopicName, HashMap<i32, u32>>,
    /// Brokers that lead any of its partitions.
    pub nodes: BTreeMap<i32, Node>,
    /// Offsets being looked up.
    pub lookups: Lookups,
    /// What answers have brought and nobody has verified yet, in order.
    pub landed: Vec<Landed>,
    /// Cursors whose lane had no room for all of their slots.
    pub spilled: Vec<u32>,
    /// The connection that finishes a batch on overdrawn credit.
    pub overdraft: Option<ConnectionId>,
    /// Connections that are not read for want of credit.
    pub starved: Vec<ConnectionId>,
    /// The number of the next Fetch.
    pub next_fetch: u64,
}

impl FetchConsumer {
    /// Makes a consumer without partitions.
    pub fn new(
        settings: FetchSettings,
        cluster: ClusterId,
        bridge: Arc<Bridge>,
        budget: Arc<Budget>,
        logger: Arc<Logger>,
    ) -> Self {
        let lookups = Lookups::new(settings.retry);
        Self {
            settings,
            cluster,
            bridge,
            budget,
            logger,
            cursors: BTreeMap::new(),
            by_name: HashMap::new(),
            nodes: BTreeMap::new(),
            lookups,
            landed: Vec::new(),
            spilled: Vec::new(),
            overdraft: None,
            starved: Vec::new(),
            next_fetch: 0,
        }
    }

    /// Takes a partition on.
    pub fn handle_assign(&mut self, new: NewPartition, cluster: &mut Cluster, now: Instant) {
        let index = new.index;
        cluster.use_topic(&new.topic, now);
        self.by_name.entry(new.topic.clone()).or_default().insert(new.partition, index);
        let start = new.start;
        self.cursors.insert(index, Cursor::new(new));
        self.find_leader(index, cluster);
        self.look_up(index, start, now);
    }

    /// Lets a partition go; what it has in flight is void.
    pub fn handle_unassign(&mut self, index: u32, cluster: &mut Cluster) {
        let Some(cursor) = self.cursors.remove(&index) else { return };
        cluster.leave_topic(cursor.topic.as_str());
        if let Some(partitions) = self.by_name.get_mut(cursor.topic.as_str()) {
            partitions.remove(&cursor.partition);
            if partitions.is_empty() {
                self.by_name.remove(cursor.topic.as_str());
            }
        }
        if let Some(node) = self.nodes.get_mut(&cursor.leader) {
            node.remove(index);
        }
        self.lookups.forget_cursor(index);
        // The index may soon name another cursor.
        self.landed.retain(|landed| landed.cursor != index);
        self.spilled.retain(|spilled| *spilled != index);
    }

    /// Moves a partition's position; what it has in flight is void.
    pub fn handle_seek(&mut self, index: u32, stamp: u32, start: StartAt, now: Instant) {
        self.lookups.forget_cursor(index);
        if let Some(cursor) = self.cursors.get_mut(&index) {
            cursor.handle_seek(stamp, start);
            self.look_up(index, start, now);
        }
    }

    /// Stops a partition until a seek: the polling thread met a record that it cannot read.
    pub fn handle_halt(&mut self, index: u32, stamp: u32) {
        if let Some(cursor) = self.cursors.get_mut(&index) {
            cursor.handle_seek(stamp, StartAt::Policy);
            cursor.state = State::Failed;
        }
    }

    /// Pauses a partition or goes on with it; what has been fetched stays.
    pub fn handle_pause(&mut self, index: u32, paused: bool) {
        if let Some(cursor) = self.cursors.get_mut(&index) {
            cursor.paused = paused;
        }
    }

    /// Asks for the offset where a cursor begins, if it has none.
    fn look_up(&mut self, index: u32, start: StartAt, now: Instant) {
        let timestamp = match start {
            StartAt::Offset(_) => return,
            StartAt::Timestamp(timestamp) => Some(timestamp),
            StartAt::Policy => self.settings.reset_timestamp(now),
        };
        let Some(cursor) = self.cursors.get_mut(&index) else { return };
        match timestamp {
            Some(timestamp) => {
                let purpose = Purpose::Position { cursor: index, stamp: cursor.stamp };
                self.lookups.ask(&cursor.topic, cursor.partition, timestamp, purpose);
            }
            None => {
                let text = "no offset is known and auto.offset.reset is none";
                let error = crate::Error::new(crate::ErrorKind::NoOffset, text)
                    .with_partition(cursor.topic.as_str(), cursor.partition);
                self.fail(index, error);
            }
        }
    }

    /// Begins again at another position by the reset policy; the old one was out of range.
    pub fn reset(&mut self, index: u32, now: Instant) {
        let policy = self.settings.reset_timestamp(now);
        let Some(cursor) = self.cursors.get_mut(&index) else { return };
        let from = cursor.delivered_offset;
        if policy.is_none() {
            let text = "the offset is out of range and auto.offset.reset is none";
            let error = crate::Error::new(crate::ErrorKind::OffsetOutOfRange, text)
                .with_code(ErrorCode::OFFSET_OUT_OF_RANGE.0)
                .with_partition(cursor.topic.as_str(), cursor.partition)
                .with_offset(from);
            return self.fail(index, error);
        }
        cursor.invalidate();
        cursor.state = State::Positioning { out_of_range: Some(from) };
        self.look_up(index, StartAt::Policy, now);
    }

    /// Follows what the cluster says of leaders.
    pub fn handle_metadata(&mut self, cluster: &Cluster) {
        let indexes: Vec<u32> = self.cursors.keys().copied().collect();
        for index in indexes {
            self.find_leader(index, cluster);
        }
    }

    /// Follows what the cluster says of one partition's leader.
    pub(super) fn find_leader(&mut self, index: u32, cluster: &Cluster) {
        let Some(cursor) = self.cursors.get_mut(&index) else { return };
        let known = cluster.leadership(cursor.topic.as_str(), cursor.partition);
        let (leader, epoch) = known.map_or((-1, -1), |known| (known.leader, known.leader_epoch));
        if (leader, epoch) != (cursor.leader, cursor.leader_epoch) {
            // Whatever went wrong with the old leader says nothing about this one.
            cursor.retry_at = None;
        }
        cursor.leader_epoch = epoch;
        if leader == cursor.leader {
            return;
        }
        if let Some(node) = self.nodes.get_mut(&cursor.leader) {
            node.remove(index);
        }
        cursor.leader = leader;
        if leader >= 0 {
            self.nodes.entry(leader).or_default().order.push_back(index);
        }
    }

    /// Counts the refreshes that do not know a partition, and tells the application of one that
    /// stays unknown; the search goes on, since it may yet be made.
    pub fn handle_refreshed(&mut self, cluster: &mut Cluster, now: Instant) {
        let mut lost = Vec::new();
        for (index, cursor) in &mut self.cursors {
            let told = cluster.topic(cursor.topic.as_str()).and_then(|topic| topic.error_code);
            let code = match told {
                Some(ErrorCode::NONE) if cursor.leader >= 0 => {
                    cursor.unknown = 0;
                    continue;
                }
                Some(ErrorCode::NONE)
                    if cluster.leadership(cursor.topic.as_str(), cursor.partition).is_some() =>
                {
                    continue;
                }
                Some(ErrorCode::NONE) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                Some(code) => code,
                None => continue,
            };
            cluster.handle_missing(cursor.unknown, now);
            cursor.unknown = cursor.unknown.saturating_add(1);
            let is_final = !code.is_retriable();
            if cursor.unknown == UNKNOWN_MAX || is_final && cursor.unknown == 1 {
                let error = partition_error(&cursor.topic, cursor.partition, code);
                lost.push((*index, error));
            }
        }
        for (index, error) in lost {
            self.hand_over(index, SlotKind::Failed { error: Box::new(error), sticky: false });
            self.bridge.application().notify();
        }
    }

    /// Takes positions that have been looked up.
    pub fn handle_found(&mut self, now: Instant) {
        let mut found_any = false;
        while let Some(found) = self.lookups.poll_found() {
            let Some(cursor) = self.cursors.get_mut(&found.cursor) else { continue };
            let State::Positioning { out_of_range } = cursor.state else { continue };
            if cursor.stamp != found.stamp {
                continue;
            }
            found_any = true;
            match found.answer {
                Ok(answer) if answer.offset >= 0 => {
                    let to = answer.offset;
                    cursor.start_at(to);
                    let kind = match out_of_range {
                        Some(from) => SlotKind::Reset { from, to },
                        None => SlotKind::Start { offset: to },
                    };
                    self.hand_over(found.cursor, kind);
                }
                // No record is as late as that time: the end is where the first one will be.
                Ok(_) if found.timestamp != LATEST_TIMESTAMP => {
                    let start = StartAt::Timestamp(LATEST_TIMESTAMP);
                    self.look_up(found.cursor, start, now);
                }
                Ok(_) => {
                    let text = "the broker knows no offset for the end of the partition";
                    let error = crate::Error::new(crate::ErrorKind::NoOffset, text)
                        .with_partition(cursor.topic.as_str(), cursor.partition);
                    self.fail(found.cursor, error);
                }
                Err(error) => self.fail(found.cursor, error),
            }
        }
        if found_any {
            self.bridge.application().notify();
        }
    }

    /// Moves what waits for room into rings that have drained.
    pub fn refill(&mut self) {
        let mut pushed = false;
        let mut spilled = std::mem::take(&mut self.spilled);
        spilled.retain(|index| {
            let Some(cursor) = self.cursors.get_mut(index) else { return false };
            cursor.lane.flush();
            pushed = true;
            cursor.lane.is_spilled()
        });
        self.spilled = spilled;
        if pushed {
            self.bridge.application().notify();
        }
    }

    /// Returns the cursor of a partition.
    pub fn cursor_index(&self, topic: &TopicName, partition: i32) -> Option<u32> {
        self.by_name.get(topic.as_str())?.get(&partition).copied()
    }

    /// Returns the shared name of a topic that is used.
    pub fn topic_name(&self, name: &str) -> Option<TopicName> {
        self.by_name.get_key_value(name).map(|(name, _)| name.clone())
    }

    /// Returns a cursor.
    pub fn cursor(&self, index: u32) -> Option<&Cursor> {
        self.cursors.get(&index)
    }

    /// Returns a cursor to change.
    pub fn cursor_mut(&mut self, index: u32) -> Option<&mut Cursor> {
        self.cursors.get_mut(&index)
    }

    /// Returns the indexes of all cursors.
    pub fn cursor_indexes(&self) -> impl Iterator<Item = u32> {
        self.cursors.keys().copied()
    }

    /// Returns when a cursor that failed may be tried again, or a look-up wants attention.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let retries = self.cursors.values().filter_map(|cursor| cursor.retry_at);
        retries.filter(|at| *at > now).chain(self.lookups.poll_timeout(now)).min()
    }

    /// Returns the settings.
    pub fn settings(&self) -> &FetchSettings {
        &self.settings
    }

    /// Says when a failed cursor is tried again.
    pub fn back_off(&mut self, index: u32, now: Instant, random: &mut Random) {
        let limits = self.settings.retry;
        if let Some(cursor) = self.cursors.get_mut(&index) {
            cursor.retry_at = Some(now + cursor.backoff.next_delay(limits, random));
        }
    }
}

fn clamp_ms(ms: u128) -> u64 {
    u64::try_from(ms).unwrap_or(u64::MAX)
}
