//! Heartbeats, and what happens without them.

#![forbid(unsafe_code)]

use std::time::Instant;

use super::super::now::Now;
use super::answers::Turn;
use super::group::{Group, State};
use super::machine::{GroupCoordinator, Incoming};
use crate::protocol::ErrorCode;
use crate::protocol::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use crate::wire::WireError;

impl GroupCoordinator {
    pub(super) fn handle_heartbeat(
        &mut self,
        now: Now,
        incoming: &Incoming<'_>,
    ) -> Result<(), WireError> {
        let request = HeartbeatRequest::decode(incoming.body, incoming.version)?;
        let beat = match self.groups.get_mut(request.group_id) {
            _ if request.group_id.is_empty() => Err(ErrorCode::INVALID_GROUP_ID),
            None => Err(ErrorCode::UNKNOWN_MEMBER_ID),
            Some(group) => group.heartbeat(&request, now.instant),
        };
        let error_code = beat.err().unwrap_or_default();
        let response = HeartbeatResponse { error_code, ..Default::default() };
        self.outbox.push(incoming.reply(), |version, out| response.encode(version, out));
        Ok(())
    }
}

impl Group {
    fn heartbeat(&mut self, request: &HeartbeatRequest<'_>, now: Instant) -> Result<(), ErrorCode> {
        self.check_member(request.member_id, request.group_instance_id)?;
        if request.generation_id != self.generation {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        self.renew_session(request.member_id, now);
        match self.state {
            State::Empty => Err(ErrorCode::UNKNOWN_MEMBER_ID),
            State::PreparingRebalance => Err(ErrorCode::REBALANCE_IN_PROGRESS),
            State::CompletingRebalance | State::Stable => Ok(()),
        }
    }

    /// Begins a member's session anew unless a request of it waits, for as long as that does.
    pub(super) fn renew_session(&mut self, member_id: &str, now: Instant) {
        let Some(member) = self.members.get_mut(member_id) else { return };
        if member.awaiting_join.is_none() && member.awaiting_sync.is_none() {
            member.renew_session(now);
        }
    }

    /// Returns when [`Group::handle_timeout`] wants to be called.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let sessions = self.members.values().filter_map(|member| member.deadline);
        let pending = self.pending_members.values().copied();
        let join = self.join_timer.map(|timer| timer.until());
        sessions.chain(pending).chain(join).chain(self.sync_deadline).min()
    }

    /// Looks at the clock: ends sessions, and waits for members.
    pub(super) fn handle_timeout(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now.instant;
        let is_over = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
        let over = self.members.values().filter(|member| is_over(member.deadline));
        let over: Vec<String> = over.map(|member| member.id.clone()).collect();
        let pending_before = self.pending_members.len();
        self.pending_members.retain(|_, deadline| *deadline > now);
        if !over.is_empty() {
            over.iter().for_each(|id| self.take_out(id, turn));
            self.after_departure(turn);
        } else if self.pending_members.len() < pending_before {
            self.try_complete_join(turn);
        }
        if is_over(self.sync_deadline) {
            // Members that have joined and do not ask for their assignment.
            let silent = std::mem::take(&mut self.pending_sync);
            silent.iter().for_each(|id| self.take_out(id, turn));
            self.sync_deadline = None;
            self.after_departure(turn);
        }
        self.handle_join_timer(turn);
    }

    /// Begins a rebalance after members have gone, or goes on with the one that waited for them.
    pub(super) fn after_departure(&mut self, turn: &mut Turn<'_>) {
        match self.state {
            State::Empty => {}
            State::PreparingRebalance => self.try_complete_join(turn),
            State::CompletingRebalance | State::Stable => self.rebalance(turn),
        }
    }

    /// Gives everything that is over a little more time.
    pub(super) fn postpone(&mut self, until: Instant) {
        for member in self.members.values_mut() {
            member.deadline = member.deadline.map(|deadline| deadline.max(until));
        }
        for deadline in self.pending_members.values_mut() {
            *deadline = until.max(*deadline);
        }
        self.sync_deadline = self.sync_deadline.map(|deadline| deadline.max(until));
        if let Some(timer) = &mut self.join_timer {
            timer.postpone(until);
        }
    }
}
