//! SyncGroup: the leader's assignment comes in, and each member's goes out.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use super::super::now::Now;
use super::answers::{Reply, Turn};
use super::group::{Group, State};
use super::machine::{GroupCoordinator, Incoming};
use crate::protocol::ErrorCode;
use crate::protocol::sync_group::{SyncGroupRequest, SyncGroupResponse};
use crate::wire::WireError;

/// The first version of SyncGroup that has to name the protocol (KIP-559).
const PROTOCOL_VERSION: i16 = 5;

impl GroupCoordinator {
    pub(super) fn handle_sync(
        &mut self,
        now: Now,
        incoming: &Incoming<'_>,
    ) -> Result<(), WireError> {
        let request = SyncGroupRequest::decode(incoming.body, incoming.version)?;
        let reply = incoming.reply();
        let turn = &mut Turn { now, settings: &self.settings, outbox: &mut self.outbox };
        let result = match self.groups.get_mut(request.group_id) {
            _ if request.group_id.is_empty() => Err(ErrorCode::INVALID_GROUP_ID),
            None => Err(ErrorCode::UNKNOWN_MEMBER_ID),
            Some(group) => group.sync(&request, reply, turn),
        };
        if let Err(code) = result {
            self.outbox.sync_error(reply, code);
        }
        Ok(())
    }
}

impl Group {
    fn sync(
        &mut self,
        request: &SyncGroupRequest<'_>,
        reply: Reply,
        turn: &mut Turn<'_>,
    ) -> Result<(), ErrorCode> {
        let member_id = request.member_id;
        self.check_member(member_id, request.group_instance_id)?;
        if request.generation_id != self.generation {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        self.check_protocol(request, reply.version)?;
        match self.state {
            State::Empty => Err(ErrorCode::UNKNOWN_MEMBER_ID),
            State::PreparingRebalance => Err(ErrorCode::REBALANCE_IN_PROGRESS),
            State::CompletingRebalance => {
                self.await_assignment(member_id, reply, turn);
                if self.is_leader(member_id) {
                    self.assign(request, turn);
                }
                Ok(())
            }
            State::Stable => {
                self.has_synced(member_id);
                self.answer_sync(member_id, reply, turn);
                Ok(())
            }
        }
    }

    fn check_protocol(
        &self,
        request: &SyncGroupRequest<'_>,
        version: i16,
    ) -> Result<(), ErrorCode> {
        let (kind, name) = (request.protocol_type, request.protocol_name);
        let is_named = version < PROTOCOL_VERSION || (kind.is_some() && name.is_some());
        let is_right = kind.is_none_or(|kind| self.protocol_type.as_deref() == Some(kind))
            && name.is_none_or(|name| self.protocol.as_deref() == Some(name));
        if is_named && is_right { Ok(()) } else { Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL) }
    }

    /// Lets a member wait for what the leader has for it.
    fn await_assignment(&mut self, member_id: &str, reply: Reply, turn: &mut Turn<'_>) {
        self.has_synced(member_id);
        let Some(member) = self.members.get_mut(member_id) else { return };
        member.deadline = None;
        if let Some(repeated) = member.awaiting_sync.replace(reply) {
            turn.outbox.sync_error(repeated, ErrorCode::REBALANCE_IN_PROGRESS);
        }
    }

    /// Takes the leader's assignment; a member that it leaves out gets an empty one.
    fn assign(&mut self, request: &SyncGroupRequest<'_>, turn: &mut Turn<'_>) {
        let assigned = request.assignments.iter().map(|one| (one.member_id, one.assignment));
        let assigned: BTreeMap<&str, &[u8]> = assigned.collect();
        let mut replies = Vec::new();
        for member in self.members.values_mut() {
            let assignment = assigned.get(member.id.as_str()).copied().unwrap_or_default();
            member.assignment = assignment.to_vec();
            if let Some(reply) = member.awaiting_sync.take() {
                replies.push((member.id.clone(), reply));
            }
        }
        self.state = State::Stable;
        for (member_id, reply) in replies {
            self.answer_sync(&member_id, reply, turn);
        }
    }

    fn answer_sync(&mut self, member_id: &str, reply: Reply, turn: &mut Turn<'_>) {
        let Some(member) = self.members.get_mut(member_id) else { return };
        member.renew_session(turn.now.instant);
        let response = SyncGroupResponse {
            protocol_type: self.protocol_type.as_deref(),
            protocol_name: self.protocol.as_deref(),
            assignment: &member.assignment,
            ..SyncGroupResponse::default()
        };
        turn.outbox.push(reply, |version, out| response.encode(version, out));
    }

    fn has_synced(&mut self, member_id: &str) {
        self.pending_sync.remove(member_id);
        if self.pending_sync.is_empty() {
            self.sync_deadline = None;
        }
    }

    /// Answers the SyncGroups that wait for an assignment that will not come, and forgets those
    /// that have come.
    pub(super) fn fail_syncs(&mut self, code: ErrorCode, turn: &mut Turn<'_>) {
        for member in self.members.values_mut() {
            member.assignment.clear();
            if let Some(reply) = member.awaiting_sync.take() {
                member.renew_session(turn.now.instant);
                turn.outbox.sync_error(reply, code);
            }
        }
    }
}
