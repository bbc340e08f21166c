//! The session: heartbeats, its end without them, and the application's poll interval.

#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use super::exchange::Phase;
use super::{Member, broker_error};
use crate::backoff::Backoff;
use crate::coordinator::notice::{Membership, Notice};
use crate::coordinator::request::Request;
use crate::coordinator::settings::MemberSettings;
use crate::error::{Error, ErrorKind};
use crate::protocol::ErrorCode;
use crate::protocol::heartbeat::HeartbeatResponse;
use crate::wire::WireError;

/// The times of a session.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// When the next heartbeat is due; none before the first generation.
    beat_at: Option<Instant>,
    /// When the heartbeat was sent that is unanswered.
    sent_at: Option<Instant>,
    /// When the coordinator is known to have heard of the member: a heartbeat counts from when it
    /// was sent, so that the session ends here no later than there.
    alive_at: Option<Instant>,
    /// When the application's polls are looked at.
    polls_at: Option<Instant>,
    /// Heartbeats in a row that were answered by an error.
    backoff: Backoff,
}

impl Session {
    /// Begins with a new generation: heartbeats follow, and are counted from the answer to the
    /// join, as Java's are; one that fell due while the assignment was awaited goes right after it.
    pub(super) fn begin(&mut self, now: Instant, settings: &MemberSettings) {
        self.alive_at = Some(now);
        self.beat_at = Some(now + settings.heartbeat_interval);
        self.backoff.reset();
    }

    /// Takes note that the session did not run for as long as this.
    pub(super) fn stand_still(&mut self, time: Duration) {
        self.alive_at = self.alive_at.map(|at| at + time);
    }

    /// Takes note that the coordinator had the member until `at`.
    pub(super) fn alive_at(&mut self, at: Instant) {
        self.alive_at = self.alive_at.max(Some(at));
    }
}

impl Member {
    /// Begins to watch the application's polls.
    pub(super) fn watch_polls(&mut self, now: Instant) {
        let since = self.clock.outside_since().unwrap_or(now);
        self.session.polls_at = Some(since + self.settings.max_poll_interval);
    }

    /// Makes a heartbeat due: who coordinates now, maybe another, is to know of the member, or to
    /// say that it does not.
    pub(super) fn beat_at_once(&mut self, now: Instant) {
        self.session.beat_at = self.session.beat_at.map(|at| at.min(now));
    }

    /// Sends a heartbeat, if one is due and none is unanswered.
    pub(super) fn send_heartbeat(&mut self, now: Instant) {
        if !self.beats() || self.session.beat_at.is_none_or(|at| at > now) {
            return;
        }
        let Some(own) = self.place.membership.clone() else { return };
        self.session.sent_at = Some(now);
        self.session.beat_at = Some(now + self.settings.heartbeat_interval);
        let Membership { generation, member_id } = own;
        self.send(Request::Heartbeat { generation, member_id });
    }

    /// Returns when a heartbeat is due, the session ends, or the polls are to be looked at.
    pub(super) fn session_timeout(&self) -> Option<Instant> {
        let beat = self.session.beat_at.filter(|_| self.beats() && self.link.is_connected());
        let polls = self.session.polls_at.filter(|_| self.place.phase != Phase::Out);
        [beat, polls, self.session_end()].into_iter().flatten().min()
    }

    /// Ends the membership when its session must have ended at the coordinator.
    pub(super) fn check_session(&mut self, now: Instant) {
        if self.session_end().is_some_and(|end| end <= now) {
            self.lose("the session timed out without an answer of the coordinator");
        }
    }

    /// Leaves the group when the application has not polled in time. A static member does not say
    /// so: it sends no more heartbeats, so that its place waits for it until the session ends.
    pub(super) fn check_poll_interval(&mut self, now: Instant) {
        let interval = self.settings.max_poll_interval;
        let is_due = self.session.polls_at.is_some_and(|at| at <= now);
        if self.place.phase == Phase::Out || !is_due {
            return;
        }
        let since = self.clock.outside_since().unwrap_or(now);
        if since + interval > now {
            self.session.polls_at = Some(since + interval);
            return;
        }
        self.leave_stalled(now);
        self.lose("the application did not poll within max.poll.interval.ms");
    }

    pub(super) fn take_heartbeat(
        &mut self,
        now: Instant,
        generation: i32,
        member_id: &str,
        version: i16,
        body: &[u8],
    ) -> Result<(), WireError> {
        let response = HeartbeatResponse::decode(body, version)?;
        let code = response.error_code;
        let sent_at = self.session.sent_at.take();
        self.judge_coordinator(now, code);
        let by = Membership { generation, member_id: member_id.to_owned() };
        let is_current = matches!(self.place.phase, Phase::Leading { .. } | Phase::Joined { .. });
        if !is_current || self.place.membership.as_ref() != Some(&by) {
            return Ok(());
        }
        self.judge_heartbeat(now, sent_at.unwrap_or(now), code);
        Ok(())
    }

    pub(super) fn heartbeat_unanswered(&mut self, now: Instant, error: Error) {
        self.session.sent_at = None;
        if error.kind() == ErrorKind::UnsupportedVersion {
            self.fail(error);
        } else {
            // The session is running out: the next goes as soon as the coordinator is found.
            self.beat_at_once(now);
        }
    }

    /// Acts on the code of a heartbeat of this generation, sent at `sent_at`.
    fn judge_heartbeat(&mut self, now: Instant, sent_at: Instant, code: ErrorCode) {
        match code {
            ErrorCode::NONE => {
                self.session.alive_at(sent_at);
                self.session.backoff.reset();
            }
            ErrorCode::REBALANCE_IN_PROGRESS => {
                self.session.alive_at(sent_at);
                self.session.backoff.reset();
                self.ask_to_rejoin("the group is rebalancing");
            }
            ErrorCode::UNKNOWN_MEMBER_ID => {
                self.place.member_id.clear();
                self.lose("the group does not know the member any more");
            }
            ErrorCode::ILLEGAL_GENERATION => self.lose("the member's generation is over"),
            ErrorCode::FENCED_INSTANCE_ID
            | ErrorCode::GROUP_AUTHORIZATION_FAILED
            | ErrorCode::UNSUPPORTED_VERSION => self.fail(broker_error(code, "a heartbeat")),
            _ => {
                self.tell_unexpected(code, "a heartbeat", self.session.backoff.failures());
                let delay = self.session.backoff.next_delay(self.settings.retry, &mut self.random);
                self.session.beat_at = Some(now + delay);
            }
        }
    }

    /// Tells that the group rebalances, once, and waits for the wish to join.
    pub(super) fn ask_to_rejoin(&mut self, reason: &str) {
        if self.place.phase == (Phase::Joined { rejoins: false }) {
            self.place.phase = Phase::Joined { rejoins: true };
            self.notify(Notice::Rejoin { join: self.joins, reason: reason.to_owned() });
        }
    }

    /// Tells whether heartbeats are sent, and none is unanswered.
    fn beats(&self) -> bool {
        let is_member = matches!(self.place.phase, Phase::Leading { .. } | Phase::Joined { .. });
        is_member && self.session.sent_at.is_none() && !self.place.is_held()
    }

    /// Returns when the session ends without a sign of the coordinator; none while it holds a
    /// request, since it keeps the member then.
    fn session_end(&self) -> Option<Instant> {
        let is_kept = self.place.membership.is_none() || self.place.is_held();
        let alive_at = self.session.alive_at.filter(|_| !is_kept)?;
        Some(alive_at + self.settings.session_timeout)
    }
}
