//! From one generation to the next: who is waited for, and for how long.

#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use super::answers::{Reply, Turn};
use super::group::{Group, State};
use crate::protocol::ErrorCode;
use crate::protocol::join_group::{JoinGroupResponse, JoinGroupResponseMember};

/// What ends the wait for members to join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JoinTimer {
    /// When the group was empty: the time alone ends the wait, and it begins again while members
    /// come, up to the rebalance timeout (KIP-134).
    Initial {
        /// When to look whether members have come.
        until: Instant,
        /// How much longer the wait may become.
        remaining: Duration,
        /// Whether a member has come since the wait began.
        has_new_member: bool,
    },
    /// When there was a generation before: all its members are waited for, until then.
    Members {
        /// When those that have not joined are left behind.
        until: Instant,
    },
}

impl JoinTimer {
    pub(super) fn until(self) -> Instant {
        match self {
            Self::Initial { until, .. } | Self::Members { until } => until,
        }
    }

    pub(super) fn postpone(&mut self, to: Instant) {
        match self {
            Self::Initial { until, .. } | Self::Members { until } => *until = to.max(*until),
        }
    }
}

impl Group {
    /// Begins a rebalance unless one has begun; completes it where nobody is missing.
    pub(super) fn rebalance(&mut self, turn: &mut Turn<'_>) {
        if self.state != State::PreparingRebalance {
            self.begin_rebalance(turn);
        }
        self.try_complete_join(turn);
    }

    fn begin_rebalance(&mut self, turn: &mut Turn<'_>) {
        if self.state == State::CompletingRebalance {
            self.fail_syncs(ErrorCode::REBALANCE_IN_PROGRESS, turn);
        }
        self.pending_sync.clear();
        self.sync_deadline = None;
        let (now, timeout) = (turn.now.instant, self.rebalance_timeout());
        self.join_timer = Some(if self.state == State::Empty {
            let delay = turn.settings.initial_rebalance_delay;
            let remaining = timeout.saturating_sub(delay);
            JoinTimer::Initial { until: now + delay, remaining, has_new_member: false }
        } else {
            JoinTimer::Members { until: now + timeout }
        });
        self.state = State::PreparingRebalance;
    }

    /// Begins the next generation if every member has joined, and none is about to.
    pub(super) fn try_complete_join(&mut self, turn: &mut Turn<'_>) {
        let is_waiting = matches!(self.join_timer, Some(JoinTimer::Members { .. }));
        let has_all = self.members.values().all(|member| member.awaiting_join.is_some());
        if is_waiting && has_all && self.pending_members.is_empty() {
            self.complete_join(turn);
        }
    }

    /// Looks at the clock while members are waited for.
    pub(super) fn handle_join_timer(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now.instant;
        match self.join_timer {
            Some(JoinTimer::Initial { until, remaining, has_new_member }) if until <= now => {
                if has_new_member && !remaining.is_zero() {
                    let delay = turn.settings.initial_rebalance_delay.min(remaining);
                    let remaining = remaining.saturating_sub(delay);
                    let until = now + delay;
                    let has_new_member = false;
                    self.join_timer = Some(JoinTimer::Initial { until, remaining, has_new_member });
                } else {
                    self.complete_join(turn);
                }
            }
            Some(JoinTimer::Members { until }) if until <= now => self.complete_join(turn),
            _ => {}
        }
    }

    /// Begins the next generation with those that have joined, and the static members.
    fn complete_join(&mut self, turn: &mut Turn<'_>) {
        let is_late = |(id, member): (&String, &super::group_member::Member)| {
            let is_dynamic = member.group_instance_id.is_none();
            (is_dynamic && member.awaiting_join.is_none()).then(|| id.clone())
        };
        let late: Vec<String> = self.members.iter().filter_map(is_late).collect();
        late.iter().for_each(|id| self.take_out(id, turn));
        if !self.members.is_empty() && !self.has_joined_leader() {
            // Static members alone, none of which has come back: until one comes, or all sessions
            // have ended, there is nobody to lead.
            let until = turn.now.instant + self.rebalance_timeout();
            self.join_timer = Some(JoinTimer::Members { until });
            return;
        }
        self.join_timer = None;
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        self.protocol = self.vote();
        if self.members.is_empty() {
            self.state = State::Empty;
            self.leader = None;
            self.empty_since_ms = turn.now.epoch_ms;
            return;
        }
        self.state = State::CompletingRebalance;
        self.pending_sync = self.members.keys().cloned().collect();
        self.sync_deadline = Some(turn.now.instant + self.rebalance_timeout());
        self.answer_joins(turn);
    }

    /// Tells whether the leader has joined, after another was chosen where it has not.
    fn has_joined_leader(&mut self) -> bool {
        let has_joined =
            |id: &String| self.members.get(id).is_some_and(|member| member.awaiting_join.is_some());
        if !self.leader.as_ref().is_some_and(has_joined) {
            let joined = self.members.values().find(|member| member.awaiting_join.is_some());
            let Some(member) = joined else { return false };
            self.leader = Some(member.id.clone());
        }
        true
    }

    fn answer_joins(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now.instant;
        let mut replies = Vec::new();
        for member in self.members.values_mut() {
            member.is_new = false;
            member.assignment.clear();
            member.renew_session(now);
            if let Some(reply) = member.awaiting_join.take() {
                replies.push((reply, member.id.clone()));
            }
        }
        for (reply, member_id) in replies {
            let shows_members = self.is_leader(&member_id);
            self.answer_join(reply, &member_id, shows_members, turn);
        }
    }

    /// Answers a JoinGroup with the generation as it is, and the members for who leads it.
    pub(super) fn answer_join(
        &self,
        reply: Reply,
        member_id: &str,
        shows_members: bool,
        turn: &mut Turn<'_>,
    ) {
        let response = JoinGroupResponse {
            leader: self.leader.as_deref().unwrap_or_default(),
            ..self.join_response(member_id, shows_members)
        };
        turn.outbox.push(reply, |version, out| response.encode(version, out));
    }

    /// Returns the answer to a JoinGroup but for the leader, who is not always the one there is.
    pub(super) fn join_response<'a>(
        &'a self,
        member_id: &'a str,
        shows_members: bool,
    ) -> JoinGroupResponse<'a> {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let shown = self.members.values().filter(|_| shows_members);
        let members = shown.map(|member| JoinGroupResponseMember {
            member_id: &member.id,
            group_instance_id: member.group_instance_id.as_deref(),
            metadata: member.metadata(protocol),
        });
        JoinGroupResponse {
            generation_id: self.generation,
            protocol_type: self.protocol_type.as_deref(),
            protocol_name: Some(protocol),
            member_id,
            members: members.collect(),
            ..JoinGroupResponse::default()
        }
    }
}
