//! Commits, and what was committed.

use std::fmt;
use std::time::{Duration, Instant};

use super::state::COMMIT_PAUSE;
use crate::client::assignment::{check_partition, invalid};
use crate::client::consumer::{Consumer, clock, deadline_after};
use crate::client::engine::{Feeder, dead};
use crate::client::settings::LONGEST;
use crate::coordinator::command::{Commit, CommitOffset, MemberCommand};
use crate::coordinator::notice::{Committed as OffsetAndMetadata, CommittedOffset, Membership};
use crate::coordinator::question::Told;
use crate::error::{Error, ErrorKind, Result};
use crate::net::command::What;
use crate::topic::{TopicName, TopicPartition};

/// The longest metadata that fits the protocol; a broker takes less (`offset.metadata.max.bytes`).
const METADATA_BYTES_MAX: usize = i16::MAX as usize;

/// Is told the outcome of an asynchronous commit, on the application's thread inside of poll, close
/// or a synchronous commit; in the order of the commits.
pub type CommitCallback =
    Box<dyn FnOnce(&mut Consumer, &[(TopicPartition, OffsetAndMetadata)], Result<()>) + Send>;

/// What becomes of an answer of the member.
pub(super) enum Waiting {
    /// When a call waits for it.
    Call,
    /// When nobody does: the commit was automatic.
    Auto,
    /// When the application is called back, if it wants to be.
    Callback(Vec<(TopicPartition, OffsetAndMetadata)>, Option<CommitCallback>),
    /// When partitions are to start where the group has committed.
    Start(Vec<(TopicName, i32)>),
}

/// An answer that a call waits for.
#[derive(Debug)]
pub(super) enum Settled {
    Committed(Result<()>),
    Fetched(Result<Vec<CommittedOffset>>),
    Told(Result<Told>),
}

/// An asynchronous commit that is done.
pub(super) struct Done {
    pub(super) callback: CommitCallback,
    pub(super) offsets: Vec<(TopicPartition, OffsetAndMetadata)>,
    pub(super) result: Result<()>,
}

impl Consumer {
    /// Commits for every assigned partition how far polls have returned its records, or where
    /// `enable.auto.offset.store` is false what was marked, and waits up to `timeout`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::RebalanceInProgress`] when the same may succeed after the next polls,
    /// [`ErrorKind::CommitFailed`] when the partitions may be another member's by now,
    /// [`ErrorKind::Fenced`], [`ErrorKind::Timeout`], and what the broker says.
    pub fn commit_sync(&mut self, timeout: Duration) -> Result<()> {
        self.check_group()?;
        let offsets = self.committable();
        self.commit_and_wait(&offsets, timeout)
    }

    /// Commits these offsets and waits up to `timeout`. An offset is that of the next record to
    /// read.
    ///
    /// # Errors
    ///
    /// As [`Consumer::commit_sync`]; [`ErrorKind::InvalidArgument`] for a negative offset, and for
    /// a member [`ErrorKind::State`] for a partition that is not assigned.
    pub fn commit_offsets_sync(
        &mut self,
        offsets: &[(TopicPartition, OffsetAndMetadata)],
        timeout: Duration,
    ) -> Result<()> {
        self.check_offsets(offsets)?;
        self.commit_and_wait(offsets, timeout)
    }

    /// Commits as [`Consumer::commit_sync`], without waiting and without trying again.
    ///
    /// # Errors
    ///
    /// What can be told at once; the rest goes to the callback.
    pub fn commit_async(&mut self, callback: Option<CommitCallback>) -> Result<()> {
        self.check_group()?;
        let offsets = self.committable();
        self.commit_and_go_on(offsets, callback)
    }

    /// Commits these offsets, without waiting and without trying again.
    ///
    /// # Errors
    ///
    /// As [`Consumer::commit_offsets_sync`] what can be told at once; the rest goes to the
    /// callback.
    pub fn commit_offsets_async(
        &mut self,
        offsets: &[(TopicPartition, OffsetAndMetadata)],
        callback: Option<CommitCallback>,
    ) -> Result<()> {
        self.check_offsets(offsets)?;
        self.commit_and_go_on(offsets.to_vec(), callback)
    }

    /// Marks how far records have been processed, for the next commit that names no offsets, with
    /// `enable.auto.offset.store=false`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`] where the partition is not assigned, or positions are marked by
    /// themselves; [`ErrorKind::InvalidArgument`] for a negative offset. Nothing is marked then.
    pub fn store_offsets(&mut self, offsets: &[(TopicPartition, OffsetAndMetadata)]) -> Result<()> {
        self.check_offsets(offsets)?;
        if self.group.as_ref().is_some_and(|group| group.config.auto_store) {
            let text = "enable.auto.offset.store is true, so polls mark offsets by themselves";
            return Err(Error::new(ErrorKind::State, text));
        }
        let mut indexes = Vec::with_capacity(offsets.len());
        for (partition, _) in offsets {
            indexes.push(self.index(partition)?);
        }
        for (index, (_, offset)) in indexes.into_iter().zip(offsets) {
            if let Some(partition) = self.partitions.get_mut(index) {
                partition.stored = Some(offset.clone());
            }
        }
        Ok(())
    }

    /// Returns what the group has committed for each partition, after waiting up to `timeout`;
    /// `None` where nothing was. Partitions need not be assigned.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] without `group.id`, [`ErrorKind::Timeout`], and what the broker says.
    pub fn committed(
        &mut self,
        partitions: &[TopicPartition],
        timeout: Duration,
    ) -> Result<Vec<Result<Option<OffsetAndMetadata>>>> {
        self.check_group()?;
        let asked = self.shared_names(partitions)?;
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let told = self.fetch_committed(Some(asked), timeout)?;
        Ok(told.into_iter().map(|told| told.committed).collect())
    }

    /// Returns all that the group has committed, after waiting up to `timeout`.
    ///
    /// # Errors
    ///
    /// As [`Consumer::committed`].
    pub fn all_committed(
        &mut self,
        timeout: Duration,
    ) -> Result<Vec<(TopicPartition, OffsetAndMetadata)>> {
        self.check_group()?;
        let mut found = Vec::new();
        for told in self.fetch_committed(None, timeout)? {
            if let Some(committed) = told.committed? {
                let partition = TopicPartition::new(told.topic.as_str(), told.partition);
                found.push((partition, committed));
            }
        }
        Ok(found)
    }

    /// Checks the partitions' names, and returns them as those below share them.
    pub(super) fn shared_names(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<Vec<(TopicName, i32)>> {
        let shared = |partition: &TopicPartition| {
            check_partition(partition)?;
            Ok((self.topic_name(&partition.topic), partition.partition))
        };
        partitions.iter().map(shared).collect()
    }

    fn fetch_committed(
        &mut self,
        partitions: Option<Vec<(TopicName, i32)>>,
        timeout: Duration,
    ) -> Result<Vec<CommittedOffset>> {
        let deadline = finite_deadline(timeout);
        let Some(group) = &mut self.group else { return Err(no_group()) };
        let id = group.new_id();
        group.waiting.insert(id, Waiting::Call);
        self.send_member(MemberCommand::Fetch { id, partitions, deadline })?;
        match self.wait_for_answer(id)? {
            Settled::Fetched(result) => result,
            Settled::Committed(_) | Settled::Told(_) => Err(dead()),
        }
    }

    /// Refuses calls that need a group where there is none.
    pub(super) fn check_group(&self) -> Result<()> {
        self.check()?;
        if self.group.is_none() { Err(no_group()) } else { Ok(()) }
    }

    /// Refuses commits of a member that has failed for good.
    fn check_membership(&self) -> Result<()> {
        let failed = self.group.as_ref().and_then(|group| group.failed.clone());
        failed.map_or(Ok(()), Err)
    }

    fn check_offsets(&self, offsets: &[(TopicPartition, OffsetAndMetadata)]) -> Result<()> {
        self.check_group()?;
        let is_member = self.is_subscribed();
        for (partition, offset) in offsets {
            check_partition(partition)?;
            let refused = if offset.offset < 0 {
                invalid(format!("offset {} is negative", offset.offset))
            } else if offset.metadata.len() > METADATA_BYTES_MAX {
                invalid(format!("the metadata has {} bytes", offset.metadata.len()))
            } else if is_member && self.find(partition).is_none() {
                Error::new(ErrorKind::State, "the partition is not assigned")
            } else {
                continue;
            };
            return Err(refused.with_partition(&partition.topic, partition.partition));
        }
        Ok(())
    }

    /// Returns what a commit that names no offsets commits.
    fn committable(&self) -> Vec<(TopicPartition, OffsetAndMetadata)> {
        let auto_store = self.group.as_ref().is_some_and(|group| group.config.auto_store);
        let offset = |partition: &super::super::partition::Partition| {
            if !auto_store {
                return partition.stored.clone();
            }
            let offset = partition.position.filter(|_| partition.is_started)?;
            let leader_epoch = partition.epoch;
            Some(OffsetAndMetadata { offset, leader_epoch, metadata: String::new() })
        };
        let all = self.partitions.iter();
        all.filter_map(|(_, one)| Some((one.name(), offset(one)?))).collect()
    }

    /// Returns what an automatic commit commits: what has changed since the last.
    fn changed(&mut self) -> Vec<(TopicPartition, OffsetAndMetadata)> {
        let mut changed = self.committable();
        changed.retain(|(partition, offset)| {
            let known = self.find(partition).and_then(|index| self.partitions.get_mut(index));
            let Some(known) = known else { return false };
            known.committed.replace(offset.offset) != Some(offset.offset)
        });
        changed
    }

    /// Commits positions if it is time to.
    pub(super) fn auto_commit(&mut self, now: Instant) -> Result<()> {
        let Some(group) = &mut self.group else { return Ok(()) };
        let Some(auto) = group.config.auto_commit else { return Ok(()) };
        if group.commit_at.is_none_or(|at| at > now) {
            return Ok(());
        }
        group.commit_at = Some(now + auto.interval);
        group.commit_wait_until = Some(now + auto.interval.max(COMMIT_PAUSE));
        let is_settled = !group.participant.is_rebalancing();
        if is_settled && self.commits_as().is_ok() {
            self.commit_changed(false, now)?;
        }
        Ok(())
    }

    /// Commits positions because partitions are about to go; returns the commit to wait for.
    pub(super) fn commit_before_revocation(&mut self, now: Instant) -> Result<Option<u64>> {
        let commits = self.group.as_ref().is_some_and(|group| group.config.auto_commit.is_some());
        if commits { self.commit_changed(true, now) } else { Ok(None) }
    }

    fn commit_changed(&mut self, retries: bool, now: Instant) -> Result<Option<u64>> {
        let offsets = self.changed();
        if offsets.is_empty() {
            return Ok(None);
        }
        let timeout = self.config.connection.request_timeout.min(LONGEST);
        let wait = self.group.as_ref().map_or(timeout, |group| group.commit_wait().min(timeout));
        match self.send_commit(&offsets, retries, now + wait, Waiting::Auto) {
            Ok(id) => Ok(Some(id)),
            Err(error) if error.is_fatal() => Err(error),
            Err(_) => Ok(None),
        }
    }

    fn commit_and_wait(
        &mut self,
        offsets: &[(TopicPartition, OffsetAndMetadata)],
        timeout: Duration,
    ) -> Result<()> {
        self.check_membership()?;
        if offsets.is_empty() {
            return Ok(());
        }
        let id = self.send_commit(offsets, true, finite_deadline(timeout), Waiting::Call)?;
        let settled = self.wait_for_answer(id)?;
        if self.group.as_ref().is_some_and(|group| !group.is_calling) {
            self.run_commit_callbacks();
        }
        match settled {
            Settled::Committed(result) => result,
            Settled::Fetched(_) | Settled::Told(_) => Err(dead()),
        }
    }

    fn commit_and_go_on(
        &mut self,
        offsets: Vec<(TopicPartition, OffsetAndMetadata)>,
        callback: Option<CommitCallback>,
    ) -> Result<()> {
        self.check_membership()?;
        if offsets.is_empty() {
            self.finish_commit(offsets, callback, Ok(()));
            return Ok(());
        }
        let deadline = finite_deadline(self.config.default_api_timeout);
        let waiting = Waiting::Callback(offsets.clone(), callback);
        self.send_commit(&offsets, false, deadline, waiting).map(|_| ())
    }

    fn send_commit(
        &mut self,
        offsets: &[(TopicPartition, OffsetAndMetadata)],
        retries: bool,
        deadline: Instant,
        waiting: Waiting,
    ) -> Result<u64> {
        let membership = self.commits_as()?;
        let commit_offset = |(partition, offset): &(TopicPartition, OffsetAndMetadata)| {
            let OffsetAndMetadata { offset, leader_epoch, metadata } = offset.clone();
            let (topic, partition) = (self.topic_name(&partition.topic), partition.partition);
            CommitOffset { topic, partition, offset, leader_epoch, metadata }
        };
        let offsets = offsets.iter().map(commit_offset).collect();
        let Some(group) = &mut self.group else { return Err(no_group()) };
        let id = group.new_id();
        group.waiting.insert(id, waiting);
        let commit = Commit { id, offsets, membership, retries, deadline };
        self.send_member(MemberCommand::Commit(commit))?;
        Ok(id)
    }

    /// Returns as whom this consumer commits: none where it assigns partitions by itself.
    fn commits_as(&self) -> Result<Option<Membership>> {
        self.check_membership()?;
        let Some(group) = &self.group else { return Err(no_group()) };
        if !self.is_subscribed() && group.participant.is_idle() {
            return Ok(None);
        }
        match group.participant.membership() {
            Some(membership) => Ok(Some(membership.clone())),
            None if group.participant.is_lost() => {
                let text = "the member has lost its partitions, which may be another\'s by now";
                Err(Error::new(ErrorKind::CommitFailed, text).with_code(UNKNOWN_MEMBER_ID))
            }
            None => {
                let text = "the consumer has no place in its group yet";
                let error = Error::new(ErrorKind::RebalanceInProgress, text);
                Err(error.with_code(REBALANCE_IN_PROGRESS).with_retriable(true))
            }
        }
    }

    /// Waits for the answer to a commit or a question, which comes by its deadline in any case.
    pub(super) fn wait_for_answer(&mut self, id: u64) -> Result<Settled> {
        loop {
            self.take_notices(clock());
            let settled = self.group.as_mut().and_then(|group| group.settled.remove(&id));
            if let Some(settled) = settled {
                return Ok(settled);
            }
            if let Err(error) = self.check_wakeup().and_then(|()| self.check()) {
                if let Some(group) = &mut self.group {
                    group.waiting.remove(&id);
                }
                return Err(error);
            }
            self.wait_for(None, || (self.has_notice() || self.is_woken()).then_some(()));
        }
    }

    pub(super) fn handle_committed(&mut self, id: u64, result: Result<Vec<Result<()>>>) {
        let result = result.and_then(|each| each.into_iter().collect::<Result<()>>());
        let Some(group) = &mut self.group else { return };
        match group.waiting.remove(&id) {
            Some(Waiting::Call) => {
                group.settled.insert(id, Settled::Committed(result));
            }
            Some(Waiting::Callback(offsets, callback)) => {
                self.finish_commit(offsets, callback, result);
            }
            Some(Waiting::Auto) => {
                if let Err(error) = result {
                    self.engine.logger().warn(
                        "kfetch::group",
                        format_args!("positions could not be committed: {error}"),
                    );
                    // The next automatic commit has to bring all of it.
                    self.partitions.iter_mut().for_each(|(_, one)| one.committed = None);
                }
            }
            Some(Waiting::Start(_)) | None => {}
        }
    }

    pub(super) fn handle_fetched(
        &mut self,
        id: u64,
        result: Result<Vec<CommittedOffset>>,
        now: Instant,
    ) {
        let Some(group) = &mut self.group else { return };
        match group.waiting.remove(&id) {
            Some(Waiting::Start(asked)) => self.handle_starts(&asked, result, now),
            Some(Waiting::Call) => {
                group.settled.insert(id, Settled::Fetched(result));
            }
            Some(Waiting::Auto | Waiting::Callback(..)) | None => {}
        }
    }

    pub(super) fn handle_told(&mut self, id: u64, result: Result<Told>) {
        let Some(group) = &mut self.group else { return };
        if group.waiting.remove(&id).is_some() {
            group.settled.insert(id, Settled::Told(result));
        }
    }

    fn finish_commit(
        &mut self,
        offsets: Vec<(TopicPartition, OffsetAndMetadata)>,
        callback: Option<CommitCallback>,
        result: Result<()>,
    ) {
        if let Some(group) = &mut self.group
            && let Some(callback) = callback
        {
            group.done.push_back(Done { callback, offsets, result });
            self.bridge.application().notify();
        }
    }

    /// Tells the member something.
    pub(super) fn send_member(&self, command: MemberCommand) -> Result<()> {
        self.engine.send(Feeder::Network, self.id, What::Member(command))
    }
}

/// `UNKNOWN_MEMBER_ID`.
const UNKNOWN_MEMBER_ID: i16 = crate::protocol::ErrorCode::UNKNOWN_MEMBER_ID.0;

/// `REBALANCE_IN_PROGRESS`.
const REBALANCE_IN_PROGRESS: i16 = crate::protocol::ErrorCode::REBALANCE_IN_PROGRESS.0;

pub(super) fn no_group() -> Error {
    Error::new(ErrorKind::Config, "the consumer has no group: group.id is not set")
}

/// Returns the end of a call; a time beyond what a clock can tell is as good as for ever.
pub(super) fn finite_deadline(timeout: Duration) -> Instant {
    deadline_after(timeout.min(LONGEST)).unwrap_or_else(clock)
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Call => "Call",
            Self::Auto => "Auto",
            Self::Callback(..) => "Callback",
            Self::Start(_) => "Start",
        })
    }
}

impl fmt::Debug for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Done").field("offsets", &self.offsets).finish_non_exhaustive()
    }
}
