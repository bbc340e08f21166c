//! A group: its state, its members, and the protocol that they agree on.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::answers::Turn;
use super::group_member::{Member, Protocols};
use super::rebalance::JoinTimer;
use crate::protocol::ErrorCode;

/// Where a group is between two generations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// When it has no members.
    Empty,
    /// When its members are asked to join again.
    PreparingRebalance,
    /// When the leader's assignment is awaited.
    CompletingRebalance,
    /// When the members have their assignments.
    Stable,
}

impl State {
    /// Returns the state's name in ListGroups and DescribeGroups.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// A group.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) state: State,
    pub(super) generation: i32,
    /// What the group is for; stays when the last member has left.
    pub(super) protocol_type: Option<String>,
    /// The protocol of this generation.
    pub(super) protocol: Option<String>,
    /// The member id of the leader.
    pub(super) leader: Option<String>,
    pub(super) members: BTreeMap<String, Member>,
    /// Member ids by `group.instance.id`.
    pub(super) static_members: BTreeMap<String, String>,
    /// Member ids that were given out and are to join with, until then.
    pub(super) pending_members: BTreeMap<String, Instant>,
    /// Members of this generation that have not asked for their assignment.
    pub(super) pending_sync: BTreeSet<String>,
    /// Until when they must have.
    pub(super) sync_deadline: Option<Instant>,
    /// What ends the state PreparingRebalance; there in that state alone.
    pub(super) join_timer: Option<JoinTimer>,
    /// Since when the group has no members, in ms since the epoch.
    pub(super) empty_since_ms: i64,
}

impl Group {
    pub(super) fn new(now_ms: i64) -> Self {
        Self {
            state: State::Empty,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            pending_members: BTreeMap::new(),
            pending_sync: BTreeSet::new(),
            sync_deadline: None,
            join_timer: None,
            empty_since_ms: now_ms,
        }
    }

    pub(super) fn is_leader(&self, member_id: &str) -> bool {
        self.leader.as_deref() == Some(member_id)
    }

    /// Returns the longest rebalance timeout of the members.
    pub(super) fn rebalance_timeout(&self) -> Duration {
        self.members.values().map(|member| member.rebalance_timeout).max().unwrap_or_default()
    }

    /// Checks that a request comes from a member.
    ///
    /// # Errors
    ///
    /// FENCED_INSTANCE_ID where another member has the instance id by now, UNKNOWN_MEMBER_ID.
    pub(super) fn check_member(
        &self,
        member_id: &str,
        group_instance_id: Option<&str>,
    ) -> Result<(), ErrorCode> {
        if let Some(instance_id) = group_instance_id {
            return match self.static_members.get(instance_id) {
                Some(current) if current == member_id => Ok(()),
                Some(_) => Err(ErrorCode::FENCED_INSTANCE_ID),
                None => Err(ErrorCode::UNKNOWN_MEMBER_ID),
            };
        }
        match self.members.contains_key(member_id) {
            true => Ok(()),
            false => Err(ErrorCode::UNKNOWN_MEMBER_ID),
        }
    }

    /// Tells whether a member with these protocols could be in the group.
    pub(super) fn supports(&self, protocol_type: &str, protocols: &Protocols) -> bool {
        if protocol_type.is_empty() || protocols.is_empty() {
            return false;
        }
        if self.members.is_empty() {
            return true;
        }
        let by_all = |name: &str| self.members.values().all(|member| member.supports(name));
        self.protocol_type.as_deref() == Some(protocol_type)
            && protocols.iter().any(|(name, _)| by_all(name))
    }

    /// Returns the protocol with most votes: each member votes for the first in its list that all
    /// support. Where votes are equal the leader's list decides.
    pub(super) fn vote(&self) -> Option<String> {
        let by_all = |name: &str| self.members.values().all(|member| member.supports(name));
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            if let Some((name, _)) = member.protocols.iter().find(|(name, _)| by_all(name)) {
                *votes.entry(name).or_default() += 1;
            }
        }
        let leader = self.leader.as_ref().and_then(|leader| self.members.get(leader));
        let place = |name: &str| {
            let place = |member: &Member| member.protocols.iter().position(|(own, _)| own == name);
            leader.and_then(place).unwrap_or(usize::MAX)
        };
        let best = votes.into_iter().max_by_key(|(name, count)| {
            // The lower place is the better one.
            (*count, usize::MAX - place(name))
        });
        best.map(|(name, _)| name.to_owned())
    }

    /// Adds a member, whose id is new to the group.
    pub(super) fn add(&mut self, member: Member, protocol_type: &str) {
        if self.members.is_empty() {
            self.protocol_type = Some(protocol_type.to_owned());
        }
        if self.leader.is_none() {
            self.leader = Some(member.id.clone());
        }
        if let Some(instance_id) = &member.group_instance_id {
            self.static_members.insert(instance_id.clone(), member.id.clone());
        }
        self.pending_members.remove(&member.id);
        self.members.insert(member.id.clone(), member);
    }

    /// Takes a member out; what it waits for is answered with UNKNOWN_MEMBER_ID, in case its
    /// client is still there. The group's state is the caller's affair.
    pub(super) fn take_out(&mut self, member_id: &str, turn: &mut Turn<'_>) {
        let Some(member) = self.members.remove(member_id) else { return };
        if let Some(reply) = member.awaiting_join {
            turn.outbox.join_error(reply, "", ErrorCode::UNKNOWN_MEMBER_ID);
        }
        if let Some(reply) = member.awaiting_sync {
            turn.outbox.sync_error(reply, ErrorCode::UNKNOWN_MEMBER_ID);
        }
        if let Some(instance_id) = &member.group_instance_id
            && self.static_members.get(instance_id).is_some_and(|current| current == member_id)
        {
            self.static_members.remove(instance_id);
        }
        self.pending_sync.remove(member_id);
        if self.is_leader(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
    }
}
