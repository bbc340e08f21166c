//! Commits: one at a time and in order, so that a retry never overwrites a newer offset.

#![forbid(unsafe_code)]

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use super::attempt::out_of_time;
use super::exchange::Phase;
use super::{Member, broker_error};
use crate::backoff::Backoff;
use crate::coordinator::command::{Commit, CommitOffset};
use crate::coordinator::notice::{Membership, Notice};
use crate::coordinator::request::Request;
use crate::coordinator::topic_ids::TopicIds;
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::ErrorCode;
use crate::protocol::offset_commit::OffsetCommitResponse;
use crate::wire::WireError;

/// The generation of a commit by no member.
const NO_GENERATION: i32 = -1;

/// The commits that have not been answered, in the order of their commands.
#[derive(Debug, Default)]
pub(super) struct Commits {
    queue: VecDeque<PendingCommit>,
    /// Whether an OffsetCommit is unanswered; its command may have run out of time already.
    in_flight: bool,
    /// How many there have been.
    count: u64,
}

#[derive(Debug)]
struct PendingCommit {
    /// The number of its command, from 1.
    number: u64,
    commit: Commit,
    /// By the place in the command; none where it has to be sent.
    results: Vec<Option<Result<()>>>,
    is_sent: bool,
    /// Why the last attempt failed.
    trouble: Option<Error>,
    retry_at: Option<Instant>,
    backoff: Backoff,
}

impl Commits {
    pub(super) fn push(&mut self, commit: Commit) {
        self.count += 1;
        self.queue.push_back(PendingCommit {
            number: self.count,
            results: vec![None; commit.offsets.len()],
            commit,
            is_sent: false,
            trouble: None,
            retry_at: None,
            backoff: Backoff::default(),
        });
    }

    /// Returns the number of the last command.
    pub(super) fn last_number(&self) -> u64 {
        self.count
    }

    /// Tells whether a command up to this number has not been answered.
    pub(super) fn has_up_to(&self, number: u64) -> bool {
        self.queue.front().is_some_and(|first| first.number <= number)
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.queue.is_empty()
    }
}

impl PendingCommit {
    /// Returns the results, with `error` for each partition that has none.
    fn results(self, error: &Error) -> Vec<Result<()>> {
        let place = |(result, offset): (Option<Result<()>>, &CommitOffset)| {
            let error = || error.clone().with_partition(offset.topic.as_str(), offset.partition);
            result.unwrap_or_else(|| Err(error()))
        };
        self.results.into_iter().zip(&self.commit.offsets).map(place).collect()
    }
}

impl Member {
    /// Answers the first commits as far as nothing has to be asked for it.
    pub(super) fn settle_commits(&mut self, now: Instant) {
        while let Some(first) = self.commits.queue.front() {
            if first.commit.offsets.is_empty() {
                self.finish_commit(Ok(Vec::new()));
            } else if first.commit.deadline <= now {
                let trouble = first.trouble.as_ref().map_or("", Error::message);
                let trouble = if trouble.is_empty() { &self.link.trouble } else { trouble };
                let late = out_of_time("the commit ran out of time", trouble);
                self.finish_commit(Err(late));
            } else if first.is_sent {
                return;
            } else if let Err(error) = self.may_commit(first) {
                self.finish_commit(Err(error));
            } else {
                return;
            }
        }
    }

    /// Sends the first commit, if it is time.
    pub(super) fn send_commit(&mut self, now: Instant) {
        let Some(first) = self.commits.queue.front_mut() else { return };
        let is_due = first.retry_at.is_none_or(|at| at <= now);
        if self.commits.in_flight || first.is_sent || !is_due {
            return;
        }
        let open = first.results.iter().zip(&first.commit.offsets);
        let open = open.filter(|(result, _)| result.is_none());
        let offsets = open.map(|(_, offset)| offset.clone()).collect();
        let by = first.commit.membership.clone();
        let no_member = Membership { generation: NO_GENERATION, member_id: String::new() };
        let Membership { generation, member_id } = by.unwrap_or(no_member);
        let id = first.commit.id;
        first.is_sent = true;
        first.retry_at = None;
        self.commits.in_flight = true;
        let topic_ids = TopicIds::default();
        self.send(Request::OffsetCommit { id, generation, member_id, offsets, topic_ids });
    }

    /// Returns when the first commit's time is over, or it is to be sent again.
    pub(super) fn commits_timeout(&self) -> Option<Instant> {
        let first = self.commits.queue.front()?;
        let can_send = self.link.is_connected() && !self.place.is_held() && !self.commits.in_flight;
        let retry = first.retry_at.filter(|_| can_send);
        Some(retry.map_or(first.commit.deadline, |at| at.min(first.commit.deadline)))
    }

    pub(super) fn take_commit(
        &mut self,
        now: Instant,
        (id, topic_ids): (u64, &TopicIds),
        by: &Membership,
        version: i16,
        body: &[u8],
    ) -> std::result::Result<(), WireError> {
        let response = OffsetCommitResponse::decode(body, version)?;
        let mut codes = HashMap::new();
        for topic in &response.topics {
            let Some(name) = topic_ids.name_of(topic.topic_id, topic.name) else { continue };
            for partition in &topic.partitions {
                codes.entry((name, partition.partition_index)).or_insert(partition.error_code);
            }
        }
        let codes_of = codes.iter().map(|((name, _), code)| (*name, *code));
        self.forget_stale_ids(codes_of.collect());
        self.commits.in_flight = false;
        let all = codes.values().copied();
        let group_code = all.filter(|code| befalls_all(*code)).min();
        self.judge_coordinator(now, group_code.unwrap_or(ErrorCode::NONE));
        if !self.awaits_commit(id) {
            return Ok(());
        }
        match group_code {
            Some(code) => self.commit_refused(now, by, code),
            None => self.commit_stored(now, &codes),
        }
        Ok(())
    }

    pub(super) fn commit_unanswered(&mut self, now: Instant, id: u64, error: &Error) {
        self.commits.in_flight = false;
        if !self.awaits_commit(id) {
            return;
        }
        if error.is_retriable() {
            self.retry_commit(now, error);
        } else {
            self.finish_commit(Err(error.clone()));
        }
    }

    pub(super) fn fail_commits(&mut self, error: &Error) {
        while self.commits.is_waiting() {
            self.finish_commit(Err(error.clone()));
        }
    }

    fn awaits_commit(&self, id: u64) -> bool {
        self.commits.queue.front().is_some_and(|first| first.is_sent && first.commit.id == id)
    }

    /// Tells whether the commit's membership is the one that can commit now.
    fn may_commit(&self, pending: &PendingCommit) -> Result<()> {
        let Some(by) = &pending.commit.membership else { return Ok(()) };
        if self.leave.as_ref().is_some_and(|leave| leave.lets_pass(pending.number, by)) {
            return Ok(());
        }
        let Some(own) = &self.place.membership else {
            let is_kept = self.place.member_id == by.member_id;
            return Err(commit_failed(is_kept, "the membership is over"));
        };
        if own.member_id != by.member_id {
            return Err(commit_failed(false, "the member has joined anew since"));
        }
        // What was asked for before the wish to join goes with the old generation, once.
        let goes_before = self.place.phase == Phase::Joining
            && !self.place.is_held()
            && pending.trouble.is_none()
            && pending.number <= self.place.last_commit_before_join();
        if own == by && (goes_before || matches!(self.place.phase, Phase::Joined { .. })) {
            return Ok(());
        }
        Err(rebalancing("the group has been rebalanced since, or is being rebalanced"))
    }

    /// Acts on a code that befalls all partitions of the first commit.
    fn commit_refused(&mut self, now: Instant, by: &Membership, code: ErrorCode) {
        let error = broker_error(code, "the commit");
        let is_current = self.place.membership.as_ref() == Some(by);
        let has_moved_on = !is_current && self.has_moved_on(by);
        match code {
            ErrorCode::COORDINATOR_LOAD_IN_PROGRESS
            | ErrorCode::COORDINATOR_NOT_AVAILABLE
            | ErrorCode::NOT_COORDINATOR => self.retry_commit(now, &error),
            ErrorCode::REQUEST_TIMED_OUT => {
                self.link.trouble = code.to_string();
                self.lose_coordinator(now);
                self.retry_commit(now, &error);
            }
            ErrorCode::REBALANCE_IN_PROGRESS => {
                self.finish_commit(Err(error));
                if is_current {
                    self.ask_to_rejoin("the group is rebalancing");
                }
            }
            _ if has_moved_on => self.finish_commit(Err(rebalancing(error.message()))),
            ErrorCode::FENCED_INSTANCE_ID if is_current => self.fail(error),
            ErrorCode::ILLEGAL_GENERATION | ErrorCode::UNKNOWN_MEMBER_ID if is_current => {
                self.finish_commit(Err(error));
                if code == ErrorCode::UNKNOWN_MEMBER_ID {
                    self.place.member_id.clear();
                }
                self.lose("a commit was refused: the membership is over");
            }
            _ => self.finish_commit(Err(error)),
        }
    }

    /// Tells whether the member has gone from `by` to another generation.
    fn has_moved_on(&self, by: &Membership) -> bool {
        let own = self.place.membership.as_ref();
        own.is_some_and(|own| own.member_id == by.member_id && own.generation != by.generation)
    }

    /// Takes what became of each partition of the first commit.
    fn commit_stored(&mut self, now: Instant, codes: &HashMap<(&str, i32), ErrorCode>) {
        let Some(first) = self.commits.queue.front_mut() else { return };
        let mut trouble = None;
        for (result, offset) in first.results.iter_mut().zip(&first.commit.offsets) {
            if result.is_some() {
                continue;
            }
            let error = match codes.get(&(offset.topic.as_str(), offset.partition)) {
                Some(&ErrorCode::NONE) => {
                    *result = Some(Ok(()));
                    continue;
                }
                Some(code) => broker_error(*code, "the commit"),
                None => Error::new(ErrorKind::Protocol, "the answer to the commit lacks it")
                    .with_retriable(true),
            };
            if error.is_retriable() {
                trouble = Some(error);
            } else {
                let error = error.with_partition(offset.topic.as_str(), offset.partition);
                *result = Some(Err(error));
            }
        }
        match trouble {
            Some(error) => self.retry_commit(now, &error),
            None => {
                let results = first.results.iter_mut().filter_map(Option::take).collect();
                self.finish_commit(Ok(results));
            }
        }
    }

    /// Tries the first commit again, or answers it where that is not wanted.
    fn retry_commit(&mut self, now: Instant, error: &Error) {
        let is_joining = self.place.is_joining();
        let Some(first) = self.commits.queue.front_mut() else { return };
        if first.commit.retries && !is_joining {
            let delay = first.backoff.next_delay(self.settings.retry, &mut self.random);
            first.is_sent = false;
            first.retry_at = Some(now + delay);
            first.trouble = Some(error.clone());
            return;
        }
        if first.results.iter().all(Option::is_none) {
            self.finish_commit(Err(error.clone()));
        } else if let Some(first) = self.commits.queue.pop_front() {
            let id = first.commit.id;
            self.notify(Notice::Committed { id, result: Ok(first.results(error)) });
        }
    }

    /// Answers the first commit.
    fn finish_commit(&mut self, result: Result<Vec<Result<()>>>) {
        if let Some(first) = self.commits.queue.pop_front() {
            self.notify(Notice::Committed { id: first.commit.id, result });
        }
    }
}

/// Tells whether the code is about the group or the member, not about a partition.
fn befalls_all(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::COORDINATOR_LOAD_IN_PROGRESS
            | ErrorCode::COORDINATOR_NOT_AVAILABLE
            | ErrorCode::NOT_COORDINATOR
            | ErrorCode::REQUEST_TIMED_OUT
            | ErrorCode::ILLEGAL_GENERATION
            | ErrorCode::INVALID_GROUP_ID
            | ErrorCode::UNKNOWN_MEMBER_ID
            | ErrorCode::REBALANCE_IN_PROGRESS
            | ErrorCode::GROUP_AUTHORIZATION_FAILED
            | ErrorCode::FENCED_INSTANCE_ID
    )
}

fn commit_failed(is_kept: bool, text: &str) -> Error {
    let code = if is_kept { ErrorCode::ILLEGAL_GENERATION } else { ErrorCode::UNKNOWN_MEMBER_ID };
    Error::new(ErrorKind::CommitFailed, text).with_code(code.0)
}

fn rebalancing(text: &str) -> Error {
    Error::new(ErrorKind::RebalanceInProgress, text)
        .with_code(ErrorCode::REBALANCE_IN_PROGRESS.0)
        .with_retriable(true)
}
