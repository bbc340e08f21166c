//! Joining: JoinGroup and SyncGroup, from the wish to the assignment.

#![forbid(unsafe_code)]

use std::time::Instant;

use super::encode::PROTOCOL_TYPE;
use super::{Member, broker_error};
use crate::backoff::Backoff;
use crate::coordinator::notice::{JoinedMember, Membership, Notice};
use crate::coordinator::request::Request;
use crate::error::{Error, ErrorKind};
use crate::protocol::ErrorCode;
use crate::protocol::join_group::{JoinGroupResponse, JoinGroupResponseMember};
use crate::protocol::sync_group::SyncGroupResponse;
use crate::wire::WireError;

/// The member's place in the group.
#[derive(Debug, Default)]
pub(super) struct Place {
    pub(super) phase: Phase,
    /// The membership that is told and committed with; the old one until a join is answered.
    pub(super) membership: Option<Membership>,
    /// The id to join with; outlives a generation that was lost, unless the group forgot it.
    pub(super) member_id: String,
    /// What the application wants to join with; set while it joins.
    wish: Wish,
    /// Whether there is a newer wish than the one that was sent.
    is_outdated: bool,
    /// Whether JoinGroup or SyncGroup is unanswered.
    held: Held,
    /// Since when.
    held_since: Option<Instant>,
    /// Not to be sent before this.
    retry_at: Option<Instant>,
    /// Failures of joining in a row.
    backoff: Backoff,
}

/// How far the member is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// When it is no member and does not try to be one.
    #[default]
    Out,
    /// When JoinGroup is to be sent or is unanswered.
    Joining,
    /// When it leads, and the assignment is awaited from the application's side.
    Leading {
        /// The assignor that the group chose.
        protocol: String,
    },
    /// When SyncGroup is to be sent or is unanswered.
    Syncing {
        /// The assignor that the group chose.
        protocol: String,
        /// What a leader hands in, until it is sent.
        assignments: Vec<(String, Vec<u8>)>,
    },
    /// When it has its assignment.
    Joined {
        /// Whether a rebalance has been told, and the wish to join is awaited.
        rejoins: bool,
    },
}

#[derive(Debug, Default)]
struct Wish {
    protocols: Vec<(String, Vec<u8>)>,
    reason: String,
    /// Commits up to this number go first.
    after_commit: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Held {
    #[default]
    No,
    /// When the answer is awaited.
    Awaited,
    /// When the request will come back, and nobody wants to know.
    GivenUp,
}

impl Place {
    /// Tells whether the coordinator holds a request, so that no other is to be sent.
    pub(super) fn is_held(&self) -> bool {
        self.held != Held::No
    }

    /// Tells whether the member is on its way to a new generation.
    pub(super) fn is_joining(&self) -> bool {
        !matches!(self.phase, Phase::Out | Phase::Joined { .. })
    }

    /// Leaves the group's generation behind; the member id stays.
    pub(super) fn reset(&mut self) {
        self.phase = Phase::Out;
        self.membership = None;
        self.wish = Wish::default();
        self.is_outdated = false;
        self.retry_at = None;
        if self.held == Held::Awaited {
            self.held = Held::GivenUp;
        }
    }

    /// Returns the number of the last commit that goes before JoinGroup.
    pub(super) fn last_commit_before_join(&self) -> u64 {
        self.wish.after_commit
    }

    fn is(&self, generation: i32) -> bool {
        self.membership.as_ref().is_some_and(|own| own.generation == generation)
    }
}

impl Member {
    pub(super) fn join(&mut self, now: Instant, protocols: Vec<(String, Vec<u8>)>, reason: String) {
        let after_commit = self.commits.last_number();
        self.place.wish = Wish { protocols, reason, after_commit };
        if self.place.is_joining() {
            // What has been sent says what is wished no more.
            self.place.is_outdated = self.place.is_held() || self.place.phase != Phase::Joining;
            if !self.place.is_held() {
                self.join_with_newer_wish();
            }
            return;
        }
        if self.place.phase == Phase::Out {
            self.watch_polls(now);
        }
        self.place.phase = Phase::Joining;
        self.place.retry_at = None;
        self.place.backoff.reset();
    }

    pub(super) fn assign(&mut self, generation: i32, assigned: Vec<(String, Vec<u8>)>) {
        let Phase::Leading { protocol } = &self.place.phase else { return };
        if self.place.is(generation) {
            let protocol = protocol.clone();
            self.place.phase = Phase::Syncing { protocol, assignments: assigned };
        }
    }

    /// Sends JoinGroup or SyncGroup, if it is time.
    pub(super) fn send_exchange(&mut self, now: Instant) {
        if self.leave.is_some() || self.place.retry_at.is_some_and(|at| at > now) {
            return;
        }
        let request = match &mut self.place.phase {
            Phase::Joining if !self.commits.has_up_to(self.place.wish.after_commit) => {
                Request::JoinGroup {
                    member_id: self.place.member_id.clone(),
                    protocols: self.place.wish.protocols.clone(),
                    reason: self.place.wish.reason.clone(),
                }
            }
            Phase::Syncing { protocol, assignments } => {
                let Some(own) = &self.place.membership else { return };
                Request::SyncGroup {
                    generation: own.generation,
                    member_id: own.member_id.clone(),
                    protocol: protocol.clone(),
                    assignments: std::mem::take(assignments),
                }
            }
            _ => return,
        };
        self.place.held = Held::Awaited;
        self.place.held_since = Some(now);
        self.place.retry_at = None;
        self.send(request);
    }

    /// Returns when [`Member::send_exchange`] has something to do.
    pub(super) fn exchange_timeout(&self) -> Option<Instant> {
        self.place.retry_at.filter(|_| self.link.is_connected() && !self.place.is_held())
    }

    pub(super) fn take_join(
        &mut self,
        now: Instant,
        sent_id: &str,
        version: i16,
        body: &[u8],
    ) -> Result<(), WireError> {
        let response = JoinGroupResponse::decode(body, version)?;
        let code = response.error_code;
        self.judge_coordinator(now, code);
        if self.release(now) == Held::GivenUp {
            return Ok(());
        }
        match code {
            ErrorCode::NONE => self.take_generation(now, &response),
            ErrorCode::MEMBER_ID_REQUIRED if !response.member_id.is_empty() => {
                response.member_id.clone_into(&mut self.place.member_id);
                if !sent_id.is_empty() {
                    self.retry_join(now);
                }
            }
            ErrorCode::UNKNOWN_MEMBER_ID => {
                self.place.member_id.clear();
                self.lose_generation(now, "the group does not know the member any more");
            }
            ErrorCode::ILLEGAL_GENERATION => {
                self.lose_generation(now, "the member's generation is over");
            }
            ErrorCode::FENCED_INSTANCE_ID
            | ErrorCode::INCONSISTENT_GROUP_PROTOCOL
            | ErrorCode::INVALID_GROUP_ID
            | ErrorCode::INVALID_SESSION_TIMEOUT
            | ErrorCode::GROUP_AUTHORIZATION_FAILED
            | ErrorCode::GROUP_MAX_SIZE_REACHED
            | ErrorCode::UNSUPPORTED_VERSION => self.fail(broker_error(code, "joining the group")),
            _ => self.exchange_failed(now, code, "joining the group"),
        }
        Ok(())
    }

    pub(super) fn take_sync(
        &mut self,
        now: Instant,
        generation: i32,
        version: i16,
        body: &[u8],
    ) -> Result<(), WireError> {
        let response = SyncGroupResponse::decode(body, version)?;
        let code = response.error_code;
        self.judge_coordinator(now, code);
        if self.release(now) == Held::GivenUp || !self.place.is(generation) {
            return Ok(());
        }
        match code {
            ErrorCode::NONE => {
                if is_other_type(response.protocol_type) {
                    self.fail(other_type());
                } else {
                    self.take_assignment(now, response.assignment);
                }
            }
            ErrorCode::UNKNOWN_MEMBER_ID => {
                self.place.member_id.clear();
                self.lose("the group does not know the member any more");
            }
            ErrorCode::ILLEGAL_GENERATION => self.lose("the member's generation is over"),
            ErrorCode::FENCED_INSTANCE_ID
            | ErrorCode::INCONSISTENT_GROUP_PROTOCOL
            | ErrorCode::GROUP_AUTHORIZATION_FAILED
            | ErrorCode::UNSUPPORTED_VERSION => {
                self.fail(broker_error(code, "getting the assignment"));
            }
            _ => self.exchange_failed(now, code, "getting the assignment"),
        }
        Ok(())
    }

    pub(super) fn exchange_unanswered(&mut self, now: Instant, error: Error) {
        if self.release(now) == Held::GivenUp {
            return;
        }
        if error.kind() == ErrorKind::UnsupportedVersion {
            self.fail(error);
            return;
        }
        self.retry_join(now);
    }

    /// Ends the membership without the application's doing, and tells it. Nothing of it is told
    /// twice; the member joins again when it is told to.
    pub(super) fn lose(&mut self, reason: &str) {
        self.place.reset();
        self.drop_held();
        self.notify(Notice::Lost { join: self.joins, reason: reason.to_owned() });
    }

    /// Gives up what the coordinator holds, by a connection anew.
    pub(super) fn drop_held(&mut self) {
        if self.place.is_held() {
            self.actions.extend(self.link.reconnect());
        }
    }

    /// Takes back what was held. The coordinator kept the member meanwhile: that time does not
    /// count.
    fn release(&mut self, now: Instant) -> Held {
        if let Some(since) = self.place.held_since.take() {
            self.session.stand_still(now.saturating_duration_since(since));
        }
        std::mem::take(&mut self.place.held)
    }

    /// Adopts the generation of a join.
    fn take_generation(&mut self, now: Instant, response: &JoinGroupResponse<'_>) {
        if is_other_type(response.protocol_type) {
            self.fail(other_type());
            return;
        }
        let protocol = response.protocol_name.unwrap_or_default().to_owned();
        if response.generation_id < 0 || response.member_id.is_empty() {
            self.exchange_failed(now, ErrorCode::UNKNOWN_SERVER_ERROR, "joining the group");
            return;
        }
        let member_id = response.member_id.to_owned();
        let membership = Membership { generation: response.generation_id, member_id };
        self.place.member_id.clone_from(&membership.member_id);
        self.place.membership = Some(membership.clone());
        self.session.begin(now, &self.settings);
        if self.join_with_newer_wish() {
            return;
        }
        if response.leader != response.member_id {
            self.place.phase = Phase::Syncing { protocol, assignments: Vec::new() };
            return;
        }
        self.place.phase = if response.skip_assignment {
            Phase::Syncing { protocol: protocol.clone(), assignments: Vec::new() }
        } else {
            Phase::Leading { protocol: protocol.clone() }
        };
        let members = response.members.iter().map(joined_member).collect();
        let skips_assignment = response.skip_assignment;
        self.notify(Notice::Lead { membership, protocol, members, skips_assignment });
    }

    fn take_assignment(&mut self, now: Instant, assignment: &[u8]) {
        if self.join_with_newer_wish() {
            return;
        }
        let Phase::Syncing { protocol, .. } = &self.place.phase else { return };
        let Some(membership) = self.place.membership.clone() else { return };
        let (protocol, assignment) = (protocol.clone(), assignment.to_vec());
        self.place.phase = Phase::Joined { rejoins: false };
        self.place.wish = Wish::default();
        self.place.backoff.reset();
        self.session.alive_at(now);
        self.notify(Notice::Assigned { membership, protocol, assignment });
    }

    /// Joins again at once if there is a newer wish than the one that was sent; what was sent
    /// leads to no assignment then.
    fn join_with_newer_wish(&mut self) -> bool {
        if self.place.is_outdated {
            self.place.phase = Phase::Joining;
        }
        std::mem::take(&mut self.place.is_outdated)
    }

    /// Joins again with the same wish after an error that loses nothing.
    fn exchange_failed(&mut self, now: Instant, code: ErrorCode, what: &str) {
        match code {
            ErrorCode::REBALANCE_IN_PROGRESS => self.session.alive_at(now),
            ErrorCode::MEMBER_ID_REQUIRED => {}
            _ => self.tell_unexpected(code, what, self.place.backoff.failures()),
        }
        self.retry_join(now);
    }

    fn retry_join(&mut self, now: Instant) {
        let delay = self.place.backoff.next_delay(self.settings.retry, &mut self.random);
        self.place.phase = Phase::Joining;
        self.place.is_outdated = false;
        self.place.retry_at = Some(now + delay);
    }

    /// A join was refused in a way that ends the generation: that is a loss if there was one.
    fn lose_generation(&mut self, now: Instant, reason: &str) {
        if self.place.membership.is_some() {
            self.lose(reason);
        } else {
            self.retry_join(now);
        }
    }
}

fn joined_member(member: &JoinGroupResponseMember<'_>) -> JoinedMember {
    JoinedMember {
        member_id: member.member_id.to_owned(),
        group_instance_id: member.group_instance_id.map(str::to_owned),
        metadata: member.metadata.to_vec(),
    }
}

fn is_other_type(protocol_type: Option<&str>) -> bool {
    protocol_type.is_some_and(|name| name != PROTOCOL_TYPE)
}

fn other_type() -> Error {
    let code = ErrorCode::INCONSISTENT_GROUP_PROTOCOL;
    broker_error(code, "the group is no group of consumers")
}
