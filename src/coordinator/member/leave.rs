//! Leaving the group, by the application's wish or because it stalls.

#![forbid(unsafe_code)]

use std::time::Instant;

use super::Member;
use super::exchange::Phase;
use crate::backoff::Backoff;
use crate::coordinator::notice::{Membership, Notice};
use crate::coordinator::request::Request;
use crate::error::{Error, ErrorKind};
use crate::protocol::ErrorCode;
use crate::protocol::leave_group::LeaveGroupResponse;
use crate::wire::WireError;

/// A LeaveGroup that is to be sent, or is unanswered.
#[derive(Debug)]
pub(super) struct PendingLeave {
    /// Empty where the group does not know the member: then nothing is sent.
    member_id: String,
    /// As whom the commits before it are sent; none where the membership was lost.
    membership: Option<Membership>,
    reason: String,
    /// When it is given up.
    pub(super) deadline: Instant,
    /// Whether the application's side awaits [`Notice::Left`].
    is_awaited: bool,
    /// Commits up to this number go first.
    after_commit: u64,
    is_sent: bool,
    retry_at: Option<Instant>,
    backoff: Backoff,
}

impl PendingLeave {
    /// Tells whether a commit of this number goes before it, as of this membership.
    pub(super) fn lets_pass(&self, number: u64, by: &Membership) -> bool {
        number <= self.after_commit && self.membership.as_ref() == Some(by)
    }

    fn is_sent_as(&self, member_id: &str) -> bool {
        self.is_sent && self.member_id == member_id
    }
}

impl Member {
    pub(super) fn leave(&mut self, reason: String, tells: bool, deadline: Instant) {
        self.begin_leave(reason, tells, deadline, true);
        self.place.reset();
        self.drop_held();
        self.place.member_id.clear();
    }

    /// Leaves because the application does not poll.
    pub(super) fn leave_stalled(&mut self, now: Instant) {
        let is_static = self.settings.group_instance_id.is_some();
        if !is_static && !self.place.member_id.is_empty() {
            let reason = "the application did not poll within max.poll.interval.ms".to_owned();
            self.begin_leave(reason, true, now + self.settings.request_timeout, false);
        }
        self.place.member_id.clear();
    }

    fn begin_leave(&mut self, reason: String, tells: bool, deadline: Instant, is_awaited: bool) {
        let after_commit = self.commits.last_number();
        if let Some(earlier) = self.leave.take() {
            // Nothing has been joined since.
            self.leave_done(&earlier);
            self.leave = Some(PendingLeave { is_awaited, deadline, after_commit, ..earlier });
            return;
        }
        let wants = self.place.phase == Phase::Joining && !self.place.is_held();
        let is_settled = wants || !self.place.is_joining();
        let member_id = if tells { self.place.member_id.clone() } else { String::new() };
        self.leave = Some(PendingLeave {
            member_id,
            membership: self.place.membership.clone().filter(|_| is_awaited && is_settled),
            reason,
            deadline,
            is_awaited,
            after_commit,
            is_sent: false,
            retry_at: None,
            backoff: Backoff::default(),
        });
    }

    /// Sends LeaveGroup, if it is time.
    pub(super) fn send_leave(&mut self, now: Instant) {
        let Some(leave) = &mut self.leave else { return };
        let is_late = leave.retry_at.is_none_or(|at| at <= now);
        if leave.is_sent || !is_late || self.commits.has_up_to(leave.after_commit) {
            return;
        }
        leave.is_sent = true;
        let (member_id, reason) = (leave.member_id.clone(), leave.reason.clone());
        self.send(Request::LeaveGroup { member_id, reason });
    }

    /// Ends the leave when nothing is to be sent, or its time is over.
    pub(super) fn settle_leave(&mut self, now: Instant) {
        let Some(leave) = &self.leave else { return };
        let is_silent = leave.member_id.is_empty() && !self.commits.has_up_to(leave.after_commit);
        if is_silent || leave.deadline <= now {
            self.end_leave();
        }
    }

    /// Returns when [`Member::send_leave`] has something to do.
    pub(super) fn leave_timeout(&self) -> Option<Instant> {
        let leave = self.leave.as_ref()?;
        let can_send = self.link.is_connected() && !self.place.is_held() && !leave.is_sent;
        leave.retry_at.filter(|_| can_send)
    }

    pub(super) fn take_leave(
        &mut self,
        now: Instant,
        member_id: &str,
        version: i16,
        body: &[u8],
    ) -> Result<(), WireError> {
        let code = LeaveGroupResponse::decode(body, version)?.error_code;
        let is_elsewhere = self.judge_coordinator(now, code);
        if is_elsewhere || code == ErrorCode::COORDINATOR_LOAD_IN_PROGRESS {
            self.retry_leave(now, member_id);
        } else {
            // Any other error means that there is nothing to leave.
            self.end_sent_leave(member_id);
        }
        Ok(())
    }

    pub(super) fn leave_unanswered(&mut self, now: Instant, member_id: &str, error: &Error) {
        if error.kind() == ErrorKind::UnsupportedVersion {
            self.end_sent_leave(member_id);
        } else {
            self.retry_leave(now, member_id);
        }
    }

    /// Tells the end of a leave, if it is awaited.
    pub(super) fn leave_done(&mut self, leave: &PendingLeave) {
        if leave.is_awaited {
            self.notify(Notice::Left);
        }
    }

    fn retry_leave(&mut self, now: Instant, member_id: &str) {
        let leave = self.leave.as_mut().filter(|leave| leave.is_sent_as(member_id));
        if let Some(leave) = leave {
            leave.is_sent = false;
            let delay = leave.backoff.next_delay(self.settings.retry, &mut self.random);
            leave.retry_at = Some(now + delay);
        }
    }

    fn end_sent_leave(&mut self, member_id: &str) {
        if self.leave.as_ref().is_some_and(|leave| leave.is_sent_as(member_id)) {
            self.end_leave();
        }
    }

    fn end_leave(&mut self) {
        if let Some(leave) = self.leave.take() {
            self.leave_done(&leave);
        }
    }
}
