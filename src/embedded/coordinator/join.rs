//! JoinGroup: who comes in, under which id, and when the answer waits.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::super::now::Now;
use super::answers::{Reply, Turn};
use super::group::{Group, State};
use super::group_member::{Member, NEW_MEMBER_JOIN_TIMEOUT, Protocols};
use super::machine::{GroupCoordinator, Incoming};
use super::rebalance::JoinTimer;
use crate::backoff::Random;
use crate::protocol::ErrorCode;
use crate::protocol::join_group::JoinGroupRequest;
use crate::wire::WireError;

/// The first version of JoinGroup whose senders join a second time with the id they are given
/// (KIP-394), so that a client that dies in between leaves no member behind.
const KNOWN_MEMBER_VERSION: i16 = 4;

/// What a JoinGroup says.
#[derive(Debug)]
pub(super) struct Joining<'a> {
    pub(super) reply: Reply,
    pub(super) client_id: &'a str,
    pub(super) member_id: &'a str,
    pub(super) group_instance_id: Option<&'a str>,
    pub(super) session_timeout: Duration,
    pub(super) rebalance_timeout: Duration,
    pub(super) protocol_type: &'a str,
    pub(super) protocols: Protocols,
}

impl<'a> Joining<'a> {
    fn new(incoming: &Incoming<'a>, request: &JoinGroupRequest<'a>) -> Self {
        let ms = |ms: i32| Duration::from_millis(u64::try_from(ms).unwrap_or(0));
        let rebalance_timeout_ms = match request.rebalance_timeout_ms {
            -1 => request.session_timeout_ms,
            other => other,
        };
        let mut protocols = Protocols::new();
        for protocol in &request.protocols {
            if !protocols.iter().any(|(name, _)| name == protocol.name) {
                protocols.push((protocol.name.to_owned(), protocol.metadata.to_vec()));
            }
        }
        Self {
            reply: incoming.reply(),
            client_id: incoming.client_id,
            member_id: request.member_id,
            group_instance_id: request.group_instance_id,
            session_timeout: ms(request.session_timeout_ms),
            rebalance_timeout: ms(rebalance_timeout_ms),
            protocol_type: request.protocol_type,
            protocols,
        }
    }

    /// Makes a member id as Kafka does: what the client is known by, and a random UUID.
    fn new_member_id(&self, random: &mut Random) -> String {
        let prefix = self.group_instance_id.unwrap_or(self.client_id);
        // Version and variant bits make it a random UUID of RFC 4122.
        let high = (random.next_u64() & !0xf000) | 0x4000;
        let low = (random.next_u64() & !(0b11 << 62)) | (0b10 << 62);
        let (time, mid, version) = (high >> 32, (high >> 16) & 0xffff, high & 0xffff);
        let (clock, node) = (low >> 48, low & 0xffff_ffff_ffff);
        format!("{prefix}-{time:08x}-{mid:04x}-{version:04x}-{clock:04x}-{node:012x}")
    }

    fn member(&self, id: String, turn: &Turn<'_>) -> Member {
        Member {
            id,
            group_instance_id: self.group_instance_id.map(str::to_owned),
            client_id: self.client_id.to_owned(),
            rebalance_timeout: self.rebalance_timeout,
            session_timeout: self.session_timeout,
            protocols: self.protocols.clone(),
            assignment: Vec::new(),
            awaiting_join: Some(self.reply),
            awaiting_sync: None,
            is_new: true,
            deadline: Some(turn.now.instant + NEW_MEMBER_JOIN_TIMEOUT),
        }
    }
}

impl GroupCoordinator {
    pub(super) fn handle_join(
        &mut self,
        now: Now,
        incoming: &Incoming<'_>,
    ) -> Result<(), WireError> {
        let request = JoinGroupRequest::decode(incoming.body, incoming.version)?;
        let joining = Joining::new(incoming, &request);
        if let Err(code) = self.try_join(now, request.group_id, &joining) {
            self.outbox.join_error(joining.reply, joining.member_id, code);
        }
        Ok(())
    }

    fn try_join(
        &mut self,
        now: Now,
        group_id: &str,
        joining: &Joining<'_>,
    ) -> Result<(), ErrorCode> {
        if group_id.is_empty() {
            return Err(ErrorCode::INVALID_GROUP_ID);
        }
        let limits = self.settings.session_timeout_min..=self.settings.session_timeout_max;
        if !limits.contains(&joining.session_timeout) {
            return Err(ErrorCode::INVALID_SESSION_TIMEOUT);
        }
        if joining.protocol_type.is_empty() || joining.protocols.is_empty() {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        if !joining.member_id.is_empty() && !self.groups.contains_key(group_id) {
            return Err(ErrorCode::UNKNOWN_MEMBER_ID);
        }
        let group = self.groups.entry(group_id.to_owned());
        let group = group.or_insert_with(|| Group::new(now.epoch_ms));
        let turn = &mut Turn { now, settings: &self.settings, outbox: &mut self.outbox };
        if !group.has_room(joining, turn.settings.group_members_max) {
            return Err(ErrorCode::GROUP_MAX_SIZE_REACHED);
        }
        if !group.supports(joining.protocol_type, &joining.protocols) {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        if joining.member_id.is_empty() {
            group.join_unknown(joining, &mut self.random, turn);
            return Ok(());
        }
        group.join_known(joining, turn)
    }
}

impl Group {
    /// Tells whether the member is in the group already, or there is room for it. Members that
    /// were given an id and have not come are not counted.
    fn has_room(&self, joining: &Joining<'_>, members_max: usize) -> bool {
        let is_in = self.members.contains_key(joining.member_id)
            || joining.group_instance_id.is_some_and(|id| self.static_members.contains_key(id));
        is_in || self.members.len() < members_max
    }

    /// Lets in a client that has no member id.
    fn join_unknown(&mut self, joining: &Joining<'_>, random: &mut Random, turn: &mut Turn<'_>) {
        let new_id = joining.new_member_id(random);
        let old_id = joining.group_instance_id.and_then(|id| self.static_members.get(id));
        if let Some(old_id) = old_id.cloned() {
            return self.replace_static_member(joining, &old_id, &new_id, turn);
        }
        let is_dynamic = joining.group_instance_id.is_none();
        if is_dynamic && joining.reply.version >= KNOWN_MEMBER_VERSION {
            turn.outbox.join_error(joining.reply, &new_id, ErrorCode::MEMBER_ID_REQUIRED);
            self.pending_members.insert(new_id, turn.now.instant + joining.session_timeout);
            return;
        }
        self.add_joining(joining, new_id, turn);
    }

    fn add_joining(&mut self, joining: &Joining<'_>, id: String, turn: &mut Turn<'_>) {
        if let Some(JoinTimer::Initial { has_new_member, .. }) = &mut self.join_timer {
            *has_new_member = true;
        }
        self.add(joining.member(id, turn), joining.protocol_type);
        self.rebalance(turn);
    }

    /// Lets in a client that says which member it is.
    fn join_known(&mut self, joining: &Joining<'_>, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
        let member_id = joining.member_id;
        if self.pending_members.contains_key(member_id) {
            if joining.group_instance_id.is_some() {
                // Only dynamic members are given an id to come back with.
                return Err(ErrorCode::UNKNOWN_MEMBER_ID);
            }
            self.add_joining(joining, member_id.to_owned(), turn);
            return Ok(());
        }
        self.check_member(member_id, joining.group_instance_id)?;
        let member = self.members.get(member_id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        let is_same = member.has_protocols(&joining.protocols);
        let leads = self.is_leader(member_id);
        match self.state {
            State::Empty => return Err(ErrorCode::UNKNOWN_MEMBER_ID),
            // It has joined and the answer was lost.
            State::CompletingRebalance if is_same => self.join_again(joining, leads, turn),
            // As above, or it knows no better; a leader asks because the assignment has to change.
            State::Stable if is_same && !leads => self.join_again(joining, false, turn),
            _ => {
                self.update(joining, member_id, turn);
                self.rebalance(turn);
            }
        }
        Ok(())
    }

    /// Answers with the generation that is there.
    fn join_again(&mut self, joining: &Joining<'_>, leads: bool, turn: &mut Turn<'_>) {
        self.renew_session(joining.member_id, turn.now.instant);
        self.answer_join(joining.reply, joining.member_id, leads, turn);
    }
}
