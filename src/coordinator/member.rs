//! A member of a group, by the classic protocol: the engine's side of it.
//!
//! ```text
//!              Join                 leads                   Assign
//!   Out ───────────────► Joining ─────────────► Leading ─────────────┐
//!    ▲                   ▲  │  ▲                                     ▼
//!    │ Leave, or lost    │  │  └───── what loses nothing ───────── Syncing ──► Joined
//!    └── from anywhere   │  └──────── does not lead ─────────────────▲           │
//!                        └─────────────────────── Join ─────────────────────────┘
//! ```
//!
//! While JoinGroup or SyncGroup is unanswered nothing else is sent: a broker holds them, and
//! answers one request of a connection at a time. It keeps a member that waits so without
//! heartbeats. Commits go one at a time, in order, so that no retry can overwrite a newer offset.
//!
//! Guarantees: a membership that is over is told once, by [`Notice::Lost`] or
//! [`Notice::Failed`]; a commit is answered exactly once, in the order of the commands; a request
//! never carries a generation older than the one adopted. Runs on the engine's thread, inside of
//! the calls of its owner; throttling is the connection's business.

#![forbid(unsafe_code)]

mod ask;
mod attempt;
mod commit;
mod encode;
mod exchange;
mod fetch;
mod leave;
mod link;
mod list;
mod lookup;
mod session;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use self::ask::PendingAsk;
use self::commit::Commits;
use self::exchange::{Phase, Place};
use self::fetch::PendingFetch;
use self::leave::PendingLeave;
use self::link::Link;
use self::list::PendingList;
use self::session::Session;
use super::action::{MemberAction, Unanswered};
use super::command::MemberCommand;
use super::notice::{Membership, Notice};
use super::poll_clock::PollClock;
use super::question::Question;
use super::request::Request;
use super::settings::MemberSettings;
use crate::backoff::Random;
use crate::error::{Error, ErrorKind};
use crate::protocol::ErrorCode;
use crate::topic::TopicName;
use crate::wire::{EncodeError, WireError};

/// A member of a group.
///
/// After each call of a `handle_` method its owner does what [`Member::poll_action`] says until it
/// says nothing, and comes back at [`Member::poll_timeout`] with [`Member::handle_timeout`].
///
/// Each request comes back exactly once: through [`Member::handle_answer`] or
/// [`Member::handle_unanswered`]. Those of a connection that is closed because the member said
/// [`MemberAction::Disconnect`] or [`MemberAction::Connect`] come back through
/// `handle_unanswered` too, before the new connection is told; [`Member::handle_disconnected`] is
/// for a connection that went by itself.
#[derive(Debug)]
pub struct Member {
    settings: MemberSettings,
    clock: Arc<PollClock>,
    random: Random,
    actions: VecDeque<MemberAction>,
    link: Link,
    place: Place,
    session: Session,
    commits: Commits,
    fetches: Vec<PendingFetch>,
    asks: Vec<PendingAsk>,
    lists: Vec<PendingList>,
    leave: Option<PendingLeave>,
    /// The number of the last join that it was told of.
    joins: u64,
    /// Why membership is over for good.
    failed: Option<Error>,
}

impl Member {
    /// Makes a member that has not joined; `clock` is its application's, `seed` is for the jitter
    /// of its back-offs.
    pub fn new(settings: MemberSettings, clock: Arc<PollClock>, seed: u64) -> Self {
        Self {
            settings,
            clock,
            random: Random::new(seed),
            actions: VecDeque::new(),
            link: Link::default(),
            place: Place::default(),
            session: Session::default(),
            commits: Commits::default(),
            fetches: Vec::new(),
            asks: Vec::new(),
            lists: Vec::new(),
            leave: None,
            joins: 0,
            failed: None,
        }
    }

    /// Takes a command of the application's side.
    pub fn handle_command(&mut self, now: Instant, command: MemberCommand) {
        if let Some(error) = self.failed.clone() {
            self.refuse(command, error);
            return;
        }
        match command {
            MemberCommand::Join { join, protocols, reason } => {
                self.joins = join;
                self.join(now, protocols, reason);
            }
            MemberCommand::Assign { generation, assignments } => {
                self.assign(generation, assignments);
            }
            MemberCommand::Leave { reason, tells, deadline } => {
                self.leave(reason, tells, deadline);
            }
            MemberCommand::Commit(commit) => self.commits.push(commit),
            MemberCommand::Fetch { id, partitions, deadline } => {
                self.fetches.push(PendingFetch::new(id, partitions, deadline));
            }
            MemberCommand::Ask { id, question, deadline } => match question {
                Question::Groups => self.lists.push(PendingList::new(id, deadline)),
                Question::Group => self.asks.push(PendingAsk::new(id, None, deadline)),
                Question::DeleteOffsets(partitions) => {
                    self.asks.push(PendingAsk::new(id, Some(partitions), deadline));
                }
            },
        }
        self.advance(now);
    }

    /// Takes note that the connection to the coordinator can carry requests.
    pub fn handle_connected(&mut self, now: Instant) {
        self.link.connected();
        self.beat_at_once(now);
        self.advance(now);
    }

    /// Takes note that the connection is gone or could not be made; its unanswered requests have
    /// been handed back through [`Member::handle_unanswered`] before.
    pub fn handle_disconnected(&mut self, now: Instant, why: &str) {
        if self.link.is_connected() || self.link.is_connecting() {
            self.link.trouble = why.to_owned();
            self.forget_coordinator(now);
        }
        self.advance(now);
    }

    /// Takes note that nobody coordinates the group, nor ever will: membership is over for good.
    pub fn handle_hopeless(&mut self, error: Error) {
        if self.failed.is_none() {
            self.fail(error);
        }
    }

    /// Appends the body of `request` in `version` to `out`.
    ///
    /// # Errors
    /// Any [`EncodeError`]: the version lacks what the request says, as a static member's
    /// `group.instance.id`, or a text is too long. Nobody has been asked then; the request is
    /// handed back as [`Unanswered::Unsupported`].
    pub fn encode(
        &self,
        request: &Request,
        version: i16,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        encode::encode(&self.settings, request, version, out)
    }

    /// Takes the answer's body to `request`, which was sent in `version`.
    ///
    /// # Errors
    /// Any [`WireError`] when the body is malformed. The connection is to be closed then; the
    /// request counts as unanswered and is not handed back again.
    pub fn handle_answer(
        &mut self,
        now: Instant,
        request: Request,
        version: i16,
        body: &[u8],
    ) -> Result<(), WireError> {
        let outcome = self.take_answer(now, &request, version, body);
        match &outcome {
            Ok(()) => self.advance(now),
            Err(error) => {
                let why = format!("a malformed answer: {error}");
                self.handle_unanswered(now, request, Unanswered::Lost(why));
            }
        }
        outcome
    }

    /// Takes note that `request` has no answer, and will get none.
    pub fn handle_unanswered(&mut self, now: Instant, request: Request, why: Unanswered) {
        let error = match why {
            Unanswered::Lost(why) => {
                if request.is_for_coordinator() && self.link.is_connected() {
                    self.link.trouble.clone_from(&why);
                    self.lose_coordinator(now);
                }
                Error::new(ErrorKind::Network, why)
            }
            Unanswered::Unsupported(why) => {
                let code = ErrorCode::UNSUPPORTED_VERSION.0;
                Error::new(ErrorKind::UnsupportedVersion, why).with_code(code)
            }
        };
        match request {
            Request::FindCoordinator => self.coordinator_unanswered(now, error),
            Request::JoinGroup { .. } | Request::SyncGroup { .. } => {
                self.exchange_unanswered(now, error);
            }
            Request::Heartbeat { .. } => self.heartbeat_unanswered(now, error),
            Request::LeaveGroup { member_id, .. } => {
                self.leave_unanswered(now, &member_id, &error);
            }
            Request::OffsetCommit { id, .. } => self.commit_unanswered(now, id, &error),
            Request::OffsetFetch { id, .. } => self.fetch_unanswered(now, id, error),
            Request::DescribeGroup { id } | Request::OffsetDelete { id, .. } => {
                self.ask_unanswered(now, id, error);
            }
            Request::Brokers { id } => self.brokers_unanswered(now, id, error),
            Request::ListGroups { id, .. } => self.groups_unanswered(now, id, error),
        }
        self.advance(now);
    }

    /// Does what it is time for.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.check_session(now);
        self.check_poll_interval(now);
        self.advance(now);
    }

    /// Returns when [`Member::handle_timeout`] is due, which may be in the past.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.failed.is_some() {
            return None;
        }
        let link = self.link.timeout().filter(|_| self.needs_coordinator());
        let times = [
            link,
            self.commits_timeout(),
            self.fetches_timeout(),
            self.asks_timeout(),
            self.lists_timeout(),
            self.leave.as_ref().map(|leave| leave.deadline),
            self.leave_timeout(),
            self.exchange_timeout(),
            self.session_timeout(),
        ];
        times.into_iter().flatten().min()
    }

    /// Returns what the owner is to do next.
    pub fn poll_action(&mut self) -> Option<MemberAction> {
        self.actions.pop_front()
    }

    /// Returns what it runs by.
    pub fn settings(&self) -> &MemberSettings {
        &self.settings
    }

    fn take_answer(
        &mut self,
        now: Instant,
        request: &Request,
        version: i16,
        body: &[u8],
    ) -> Result<(), WireError> {
        match request {
            Request::FindCoordinator => self.take_coordinator(now, version, body),
            Request::JoinGroup { member_id, .. } => self.take_join(now, member_id, version, body),
            Request::SyncGroup { generation, .. } => {
                self.take_sync(now, *generation, version, body)
            }
            Request::Heartbeat { generation, member_id } => {
                self.take_heartbeat(now, *generation, member_id, version, body)
            }
            Request::LeaveGroup { member_id, .. } => self.take_leave(now, member_id, version, body),
            Request::OffsetCommit { id, generation, member_id, topic_ids, .. } => {
                let by = Membership { generation: *generation, member_id: member_id.clone() };
                self.take_commit(now, (*id, topic_ids), &by, version, body)
            }
            Request::OffsetFetch { id, topic_ids, .. } => {
                self.take_fetch(now, (*id, topic_ids), version, body)
            }
            Request::DescribeGroup { id } => self.take_description(now, *id, version, body),
            Request::OffsetDelete { id, partitions } => {
                self.take_deletion(now, *id, partitions, version, body)
            }
            Request::Brokers { id } => self.take_brokers(now, *id, version, body),
            Request::ListGroups { id, broker } => {
                self.take_groups(now, *id, *broker, version, body)
            }
        }
    }

    /// Settles what can be settled, and sends what it is time for.
    fn advance(&mut self, now: Instant) {
        self.settle_commits(now);
        self.settle_fetches(now);
        self.settle_asks(now);
        self.settle_lists(now);
        self.settle_leave(now);
        self.send_lists(now);
        if self.failed.is_some() || !self.needs_coordinator() {
            return;
        }
        if !self.link.is_connected() {
            self.actions.extend(self.link.advance(now));
            return;
        }
        if self.place.is_held() {
            return;
        }
        self.send_commit(now);
        self.send_leave(now);
        self.send_exchange(now);
        if !self.place.is_held() {
            self.send_fetches(now);
            self.send_asks(now);
            self.send_heartbeat(now);
        }
    }

    fn needs_coordinator(&self) -> bool {
        self.place.phase != Phase::Out
            || self.leave.is_some()
            || self.commits.is_waiting()
            || !self.fetches.is_empty()
            || !self.asks.is_empty()
    }

    /// Ends membership for good: everything that waits is answered with the error.
    fn fail(&mut self, error: Error) {
        let error = error.with_fatal();
        self.failed = Some(error.clone());
        self.place.reset();
        self.session = Session::default();
        self.fail_commits(&error);
        self.fail_fetches(&error);
        self.fail_asks(&error);
        self.fail_lists(&error);
        if let Some(leave) = self.leave.take() {
            self.leave_done(&leave);
        }
        self.notify(Notice::Failed(error));
    }

    /// Answers a command of a member that has failed.
    fn refuse(&mut self, command: MemberCommand, error: Error) {
        match command {
            MemberCommand::Join { .. } => self.notify(Notice::Failed(error)),
            MemberCommand::Assign { .. } => {}
            MemberCommand::Leave { .. } => self.notify(Notice::Left),
            MemberCommand::Commit(commit) => {
                self.notify(Notice::Committed { id: commit.id, result: Err(error) });
            }
            MemberCommand::Fetch { id, .. } => {
                self.notify(Notice::Fetched { id, result: Err(error) });
            }
            MemberCommand::Ask { id, .. } => self.notify(Notice::Told { id, result: Err(error) }),
        }
    }

    /// Says of which topics the ids are not the broker's, by the codes of their partitions.
    fn forget_stale_ids(&mut self, codes: Vec<(&str, ErrorCode)>) {
        let stale = codes.into_iter().filter(|(_, code)| *code == ErrorCode::UNKNOWN_TOPIC_ID);
        let names: BTreeSet<TopicName> = stale.map(|(name, _)| TopicName::new(name)).collect();
        if !names.is_empty() {
            self.actions.push_back(MemberAction::ForgetTopicIds(names.into_iter().collect()));
        }
    }

    fn notify(&mut self, notice: Notice) {
        self.actions.push_back(MemberAction::Notify(notice));
    }

    fn send(&mut self, request: Request) {
        self.actions.push_back(MemberAction::Send(request));
    }
}

/// Makes the error of a broker's code.
fn broker_error(code: ErrorCode, what: &str) -> Error {
    let kind = match code {
        ErrorCode::FENCED_INSTANCE_ID => ErrorKind::Fenced,
        ErrorCode::REBALANCE_IN_PROGRESS => ErrorKind::RebalanceInProgress,
        ErrorCode::ILLEGAL_GENERATION | ErrorCode::UNKNOWN_MEMBER_ID => ErrorKind::CommitFailed,
        ErrorCode::UNSUPPORTED_VERSION => ErrorKind::UnsupportedVersion,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => ErrorKind::UnknownTopicOrPartition,
        _ => ErrorKind::Broker,
    };
    let retriable = code.is_retriable() || code == ErrorCode::REBALANCE_IN_PROGRESS;
    Error::new(kind, format!("{what}: {code}")).with_code(code.0).with_retriable(retriable)
}

#[cfg(test)]
mod tests;
