//! What connections bring.

#![forbid(unsafe_code)]

use std::time::Instant;

use super::action::Action;
use super::group::throttle_time_ms;
use super::state::{FetchEngine, Owner};
use crate::buffer::Slice;
use crate::fetch::answer::Note;
use crate::fetch::call::{Call, ClusterId, ConsumerId, ListOffsetsCall, MetadataCall};
use crate::fetch::cluster::Leadership;
use crate::fetch::connection::{ConnectionId, InFlight, Incoming, Phase};
use crate::fetch::failure::Failure;
use crate::fetch::input::{Room, Terms};
use crate::fetch::peer::PeerId;
use crate::protocol::ApiKey;
use crate::protocol::list_offsets::ListOffsetsResponse;
use crate::protocol::metadata::MetadataResponse;

impl FetchEngine {
    /// Returns the room to read a socket into; none while there is no credit for it, in which case
    /// [`Action::Resume`] follows when there is.
    pub fn room(&mut self, id: ConnectionId, now: Instant) -> Option<&mut [u8]> {
        match self.make_room(id) {
            Room::Ready => {}
            Room::Overdrawn => self.set_overdraft(id, true),
            Room::NoCredit { wanted } => {
                if let Some(Owner::Fetch { consumer, .. }) = self.entry(id).map(|entry| entry.owner)
                {
                    self.reclaim(consumer);
                }
                if !self.wait_for_credit(id, wanted, now) {
                    return None;
                }
            }
        }
        if self.entry(id)?.connection.is_stalled() {
            // The clock runs again, even if there turns out to be nothing to read.
            self.entry_mut(id)?.connection.handle_resumed(now);
            self.refresh_timer(id);
        }
        Some(self.entry_mut(id)?.connection.input.spare())
    }

    fn make_room(&mut self, id: ConnectionId) -> Room {
        let Some(entry) = self.connections.get_mut(id.index as usize) else { return Room::Ready };
        let connection = &mut entry.connection;
        let consumer = match entry.owner {
            Owner::Fetch { consumer, .. } => self.consumers.get(&consumer),
            Owner::Cluster(_) | Owner::Group(_) => None,
        };
        let terms = match consumer {
            Some(consumer) if connection.phase() == Phase::Ready => Terms::Charged {
                budget: &consumer.budget,
                // Inside a header as well: a block that ends there may be all the budget.
                may_overdraw: (connection.is_receiving_fetch()
                    || !connection.input.unread().is_empty())
                    && consumer.overdraft.is_none_or(|other| other == id)
                    && consumer.budget.used() <= consumer.budget.limit(),
            },
            _ => Terms::Free,
        };
        connection.input.make_room(&mut self.pool, &terms)
    }

    fn set_overdraft(&mut self, id: ConnectionId, is_overdrawing: bool) {
        if let Some(consumer) = self.owner_consumer(id) {
            consumer.overdraft = is_overdrawing.then_some(id);
            consumer.budget.set_overdrawing(is_overdrawing);
        }
    }

    fn owner_consumer(&mut self, id: ConnectionId) -> Option<&mut crate::fetch::FetchConsumer> {
        let Owner::Fetch { consumer, .. } = self.entry(id)?.owner else { return None };
        self.consumers.get_mut(&consumer)
    }

    /// Takes back the blocks of a consumer's connections that nothing is unread in.
    pub(super) fn reclaim(&mut self, consumer: ConsumerId) {
        for (_, entry) in &mut self.connections {
            if matches!(entry.owner, Owner::Fetch { consumer: of, .. } if of == consumer) {
                entry.connection.input.release();
            }
        }
    }

    /// Tries once more for room, else leaves word that credit is wanted. Tells whether there is
    /// room.
    fn wait_for_credit(&mut self, id: ConnectionId, wanted: usize, now: Instant) -> bool {
        loop {
            match self.make_room(id) {
                Room::Ready => return true,
                Room::Overdrawn => {
                    self.set_overdraft(id, true);
                    return true;
                }
                Room::NoCredit { .. } => {}
            }
            let Some(consumer) = self.owner_consumer(id) else { return false };
            if consumer.overdraft == Some(id) {
                // The batch that it was for is complete, and the next one has begun.
                consumer.overdraft = None;
                consumer.budget.set_overdrawing(false);
            }
            if consumer.wants(wanted) {
                consumer.bridge.counters().credit_waits.add(1);
                if !consumer.starved.contains(&id) {
                    consumer.starved.push(id);
                }
                if let Some(entry) = self.entry_mut(id) {
                    entry.connection.handle_stalled(now);
                }
                self.refresh_timer(id);
                return false;
            }
        }
    }

    /// Takes `len` bytes that have been read into the room, and acts on what they say: requests
    /// that follow from it are in the output afterwards, batches wait for
    /// [`FetchEngine::deliver`].
    pub fn handle_received(&mut self, id: ConnectionId, len: usize, now: Instant) {
        let Some(entry) = self.entry_mut(id) else { return };
        entry.connection.handle_received(now, len);
        if let Some(consumer) = self.owner_consumer(id) {
            consumer.bridge.counters().received_bytes.add(len as u64);
        }
        if let Err(failure) = self.read_answers(id, now) {
            self.fail_connection(id, &failure, now);
        }
        self.settle_overdraft(id);
        self.drive(now);
        self.refresh_timer(id);
    }

    /// Ends an overdraft whose batch is complete.
    fn settle_overdraft(&mut self, id: ConnectionId) {
        let is_between =
            self.entry(id).is_none_or(|entry| entry.connection.input.unread().is_empty());
        if is_between
            && self.owner_consumer(id).is_some_and(|consumer| consumer.overdraft == Some(id))
        {
            self.set_overdraft(id, false);
        }
    }

    fn read_answers(&mut self, id: ConnectionId, now: Instant) -> Result<(), Failure> {
        loop {
            let Some(entry) = self.entry_mut(id) else { return Ok(()) };
            match entry.connection.poll_answer()? {
                Incoming::Nothing => return Ok(()),
                Incoming::Answer(request, version, body) => {
                    if let Err(failure) = self.handle_answer(id, &request, version, body, now) {
                        // It is in flight no more, so the connection's end does not find it.
                        self.lose_call(id, &request.call, &failure, now);
                        return Err(failure);
                    }
                }
                Incoming::FetchBody => {
                    if !self.read_fetch(id, now)? {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Reads on in the answer to a Fetch; tells whether it has been read to its end.
    fn read_fetch(&mut self, id: ConnectionId, now: Instant) -> Result<bool, Failure> {
        let Some(entry) = self.connections.get_mut(id.index as usize) else { return Ok(false) };
        let Owner::Fetch { consumer: consumer_id, node, .. } = entry.owner else {
            return Ok(false);
        };
        let Some(consumer) = self.consumers.get_mut(&consumer_id) else { return Ok(false) };
        self.dirty_consumers.insert(consumer_id);
        loop {
            let Some(mut body) = entry.connection.fetch_body() else { return Ok(false) };
            let Some(note) = consumer.read_answer(&mut body, node)? else { return Ok(false) };
            let Some(cluster) = self.clusters.get_mut(&entry.cluster) else { return Ok(false) };
            let cluster = &mut cluster.cluster;
            match note {
                Note::Throttle(pause) => entry.connection.handle_throttle(now + pause),
                Note::Refused(code) => {
                    let text = format_args!("Fetch refused: {}", code.name());
                    self.logger.warn("kfetch::fetch", text);
                    entry.connection.handle_throttle(now + consumer.settings().retry.initial);
                }
                Note::PartitionError { cursor, code } => {
                    let random = &mut self.random;
                    consumer.handle_partition_error(cursor, code, cluster, now, random);
                    self.dirty_clusters.insert(entry.cluster);
                }
                Note::LeaderHint { cursor, code, leader } => {
                    let hint =
                        Leadership { leader: leader.leader_id, leader_epoch: leader.leader_epoch };
                    consumer.handle_leader_hint(cursor, hint, cluster);
                    let random = &mut self.random;
                    consumer.handle_partition_error(cursor, code, cluster, now, random);
                    self.dirty_clusters.insert(entry.cluster);
                }
                Note::Done => {
                    if let Some(Call::Fetch(call)) =
                        entry.connection.finish_fetch().map(|request| request.call)
                    {
                        consumer.handle_answered(node, &call);
                    }
                    return Ok(true);
                }
            }
        }
    }

    fn handle_answer(
        &mut self,
        id: ConnectionId,
        request: &InFlight,
        version: i16,
        body: Slice,
        now: Instant,
    ) -> Result<(), Failure> {
        match &request.call {
            Call::ApiVersions => {
                let Some(entry) = self.entry_mut(id) else { return Ok(()) };
                entry.connection.handle_versions(now, version, &body)?;
                match entry.connection.phase() {
                    Phase::Ready => self.handle_ready(id),
                    _ => self.actions.push_back(Action::Flush(id)),
                }
                Ok(())
            }
            Call::Metadata(call) => {
                let answer = MetadataResponse::decode(&body, version)?;
                self.handle_metadata(id, call, &answer, now);
                Ok(())
            }
            Call::ListOffsets(call) => {
                let answer = ListOffsetsResponse::decode(&body, version)?;
                self.handle_offsets(id, call, &answer, now);
                Ok(())
            }
            Call::Group(call) => {
                self.throttle(id, throttle_time_ms(request.api_key, version, &body), now);
                if request.api_key == ApiKey::Metadata {
                    // Requests to certain brokers follow.
                    let answer = MetadataResponse::decode(&body, version)?;
                    self.learn(id, &answer, false, now);
                }
                self.handle_group_answer(*call, id, version, body);
                Ok(())
            }
            Call::Fetch(_) => Ok(()),
        }
    }

    fn handle_metadata(
        &mut self,
        id: ConnectionId,
        call: &MetadataCall,
        answer: &MetadataResponse<'_>,
        now: Instant,
    ) {
        let Some(cluster_id) = self.entry(id).map(|entry| entry.cluster) else { return };
        self.throttle(id, answer.throttle_time_ms, now);
        let is_refresh = matches!(call, MetadataCall::Refresh);
        self.learn(id, answer, is_refresh, now);
        if let MetadataCall::Question(number) = call
            && let Some(entry) = self.clusters.get_mut(&cluster_id)
        {
            entry.answer_question(*number, answer, now);
        }
        self.spread_metadata(cluster_id, is_refresh, now);
    }

    /// Takes what an answer that came on this connection says of the cluster.
    fn learn(
        &mut self,
        id: ConnectionId,
        answer: &MetadataResponse<'_>,
        is_refresh: bool,
        now: Instant,
    ) {
        let Some((cluster_id, peer)) = self.entry(id).map(|entry| (entry.cluster, entry.peer))
        else {
            return;
        };
        let Some(entry) = self.clusters.get_mut(&cluster_id) else { return };
        let lost = entry.cluster.handle_metadata(answer, is_refresh, now, &mut self.random);
        if let PeerId::Bootstrap(at) = peer
            && let Some(node) = entry.cluster.adopt(at)
            && let Some(entry) = self.entry_mut(id)
        {
            entry.peer = node;
        }
        for id in lost {
            self.fail_connection(id, &Failure::Unused, now);
        }
    }

    fn spread_metadata(&mut self, cluster_id: ClusterId, is_refresh: bool, now: Instant) {
        let Some(entry) = self.clusters.get_mut(&cluster_id) else { return };
        for id in &entry.consumers {
            if let Some(consumer) = self.consumers.get_mut(id) {
                consumer.handle_metadata(&entry.cluster);
                if is_refresh {
                    consumer.handle_refreshed(&mut entry.cluster, now);
                }
            }
        }
        self.mark_cluster(cluster_id);
    }

    fn handle_offsets(
        &mut self,
        id: ConnectionId,
        call: &ListOffsetsCall,
        answer: &ListOffsetsResponse<'_>,
        now: Instant,
    ) {
        self.throttle(id, answer.throttle_time_ms, now);
        let Some(consumer) = self.consumers.get_mut(&call.consumer) else { return };
        let is_stale = consumer.lookups.handle_answer(call, answer, now, &mut self.random);
        let cluster_id = consumer.cluster;
        self.dirty_consumers.insert(call.consumer);
        if is_stale && let Some(entry) = self.clusters.get_mut(&cluster_id) {
            entry.cluster.want_refresh(now);
            self.dirty_clusters.insert(cluster_id);
        }
    }

    fn throttle(&mut self, id: ConnectionId, throttle_time_ms: i32, now: Instant) {
        let pause_ms = u64::try_from(throttle_time_ms).unwrap_or(0);
        if pause_ms > 0
            && let Some(entry) = self.entry_mut(id)
        {
            entry.connection.handle_throttle(now + std::time::Duration::from_millis(pause_ms));
        }
    }

    /// Verifies and hands over the batches that have landed.
    pub fn deliver(&mut self, id: ConnectionId, now: Instant) {
        let Some(Owner::Fetch { consumer, .. }) = self.entry(id).map(|entry| entry.owner) else {
            return;
        };
        if self.deliver_to(consumer) {
            self.dirty_consumers.insert(consumer);
            self.drive(now);
        }
    }

    /// Hands over what has landed for a consumer; tells whether something is to be fetched again.
    pub(super) fn deliver_to(&mut self, consumer: ConsumerId) -> bool {
        self.consumers.get_mut(&consumer).is_some_and(crate::fetch::FetchConsumer::deliver)
    }
}
