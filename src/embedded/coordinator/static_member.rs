//! Members with a `group.instance.id`, which come back under a new member id (KIP-345).

#![forbid(unsafe_code)]

use super::answers::{Reply, Turn};
use super::group::{Group, State};
use super::group_member::NEW_MEMBER_JOIN_TIMEOUT;
use super::join::Joining;
use crate::protocol::ErrorCode;
use crate::protocol::join_group::JoinGroupResponse;

/// The first version of JoinGroup in which a leader can be told to send no assignment (KIP-814).
const SKIP_ASSIGNMENT_VERSION: i16 = 9;

impl Group {
    /// Lets a static member that has been restarted take the place that it had.
    ///
    /// While the group is stable, and would choose the same protocol with what the member brings,
    /// nothing is rebalanced: it gets the assignment that it had.
    pub(super) fn replace_static_member(
        &mut self,
        joining: &Joining<'_>,
        old_id: &str,
        new_id: &str,
        turn: &mut Turn<'_>,
    ) {
        let old_leader = self.leader.clone();
        self.rename(joining.group_instance_id, old_id, new_id, turn);
        self.update(joining, new_id, turn);
        match self.state {
            State::Stable if self.vote() == self.protocol => {
                let reply = self.members.get_mut(new_id).and_then(|m| m.awaiting_join.take());
                if let Some(reply) = reply {
                    self.answer_unchanged(reply, new_id, old_leader.as_deref(), turn);
                }
                if let Some(member) = self.members.get_mut(new_id) {
                    member.renew_session(turn.now.instant);
                }
            }
            _ => self.rebalance(turn),
        }
    }

    /// Puts `new_id` in the place of `old_id`; whoever still speaks for that is fenced.
    fn rename(
        &mut self,
        group_instance_id: Option<&str>,
        old_id: &str,
        new_id: &str,
        turn: &mut Turn<'_>,
    ) {
        let Some(mut member) = self.members.remove(old_id) else { return };
        if let Some(reply) = member.awaiting_join.take() {
            turn.outbox.join_error(reply, old_id, ErrorCode::FENCED_INSTANCE_ID);
        }
        if let Some(reply) = member.awaiting_sync.take() {
            turn.outbox.sync_error(reply, ErrorCode::FENCED_INSTANCE_ID);
        }
        member.id = new_id.to_owned();
        self.members.insert(new_id.to_owned(), member);
        if let Some(instance_id) = group_instance_id {
            self.static_members.insert(instance_id.to_owned(), new_id.to_owned());
        }
        if self.pending_sync.remove(old_id) {
            self.pending_sync.insert(new_id.to_owned());
        }
        if self.is_leader(old_id) {
            self.leader = Some(new_id.to_owned());
        }
    }

    /// Takes over what a member's new JoinGroup says, which is to be answered.
    pub(super) fn update(&mut self, joining: &Joining<'_>, member_id: &str, turn: &mut Turn<'_>) {
        let Some(member) = self.members.get_mut(member_id) else { return };
        // A JoinGroup that is repeated, on another connection as a rule, takes the first's place.
        if let Some(reply) = member.awaiting_join.replace(joining.reply) {
            let code = ErrorCode::REBALANCE_IN_PROGRESS;
            turn.outbox.join_error(reply, member_id, code);
        }
        member.protocols.clone_from(&joining.protocols);
        member.rebalance_timeout = joining.rebalance_timeout;
        member.session_timeout = joining.session_timeout;
        joining.client_id.clone_into(&mut member.client_id);
        member.deadline =
            if member.is_new { Some(turn.now.instant + NEW_MEMBER_JOIN_TIMEOUT) } else { None };
    }

    /// Answers a static member whose return changes nothing.
    ///
    /// A client that can be told so leads again, without an assignment to send. Another would send
    /// one on finding itself the leader; it is told that the leader is who it was before.
    fn answer_unchanged(
        &self,
        reply: Reply,
        member_id: &str,
        old_leader: Option<&str>,
        turn: &mut Turn<'_>,
    ) {
        let can_skip = reply.version >= SKIP_ASSIGNMENT_VERSION;
        let leads = can_skip && self.is_leader(member_id);
        let leader = if can_skip { self.leader.as_deref() } else { old_leader };
        let response = JoinGroupResponse {
            leader: leader.unwrap_or_default(),
            skip_assignment: leads,
            ..self.join_response(member_id, leads)
        };
        turn.outbox.push(reply, |version, out| response.encode(version, out));
    }
}
