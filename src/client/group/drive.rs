//! What a poll does for the group before it looks for records.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Instant;

use super::commit::Done;
use crate::client::consumer::{Consumer, clock};
use crate::client::settings::LONGEST;
use crate::coordinator::notice::Notice;
use crate::coordinator::participant::{Task, TopicCount};
use crate::error::Result;
use crate::fetch::reply::{PartitionInfo, Reply, TopicInfo};
use crate::net::command::What;

impl Consumer {
    /// Does what the group wants done: answers notices, calls the application back, commits.
    ///
    /// # Errors
    ///
    /// What the application is to be told, one error at a time, and for ever what ended the
    /// membership.
    pub(in crate::client) fn drive_group(&mut self) -> Result<()> {
        let Some(group) = self.group.as_mut().filter(|group| !group.is_calling) else {
            return Ok(());
        };
        let now = clock();
        group.driven_at = now;
        if !group.has_work(now) {
            return Ok(());
        }
        self.take_notices(now);
        self.take_topics(now);
        self.run_commit_callbacks();
        self.finish_revocation(now);
        self.restart(now)?;
        while let Some(task) = self.group.as_mut().and_then(|group| group.participant.poll_task()) {
            self.perform(task, now)?;
        }
        self.resume_panic();
        self.auto_commit(now)?;
        let Some(group) = &mut self.group else { return Ok(()) };
        if let Some(error) = group.errors.pop_front().or_else(|| group.failed.clone()) {
            return Err(error);
        }
        Ok(())
    }

    /// Takes what the member has sent: answers to commits and questions are dealt with at once,
    /// the rest when the application is not being called back.
    pub(in crate::client) fn take_notices(&mut self, now: Instant) {
        loop {
            let Some(group) = &mut self.group else { return };
            let Ok(notice) = group.notices.try_recv() else { return };
            match notice {
                Notice::Committed { id, result } => self.handle_committed(id, result),
                Notice::Fetched { id, result } => self.handle_fetched(id, result, now),
                Notice::Told { id, result } => self.handle_told(id, result),
                other => group.participant.handle_notice(other, now),
            }
        }
    }

    /// Tells whether the member has sent something.
    pub(in crate::client) fn has_notice(&self) -> bool {
        self.group.as_ref().is_some_and(|group| !group.notices.is_empty())
    }

    fn take_topics(&mut self, now: Instant) {
        let Some(group) = &mut self.group else { return };
        while let Ok((ask, answer)) = group.topics.1.try_recv() {
            group.participant.handle_topics(ask, answer, now);
        }
        if group.participant.poll_timeout().is_some_and(|at| at <= now) {
            group.participant.handle_timeout(now);
        }
    }

    fn perform(&mut self, task: Task, now: Instant) -> Result<()> {
        match task {
            Task::Send(command) => self.send_member(command)?,
            Task::Revoke(partitions) => self.begin_revocation(partitions, false, now)?,
            Task::Lose(partitions) => self.begin_revocation(partitions, true, now)?,
            Task::Assign(partitions) => self.take_on(&partitions)?,
            Task::AskTopics { ask, names } => self.ask_for_group(ask, names, now)?,
            Task::Fail(error) => {
                if let Some(group) = &mut self.group {
                    match error.is_fatal() {
                        true => group.failed = Some(error),
                        false => group.errors.push_back(error),
                    }
                }
            }
        }
        Ok(())
    }

    /// Looks topics up for the participant, without waiting.
    fn ask_for_group(&mut self, ask: u64, names: Option<Vec<String>>, now: Instant) -> Result<()> {
        let Some(group) = &self.group else { return Ok(()) };
        let (sender, bridge) = (group.topics.0.clone(), Arc::clone(&self.bridge));
        let reply = Reply::new(move |answer: Result<Vec<TopicInfo>>| {
            let counts = answer.map(|topics| topics.into_iter().map(count).collect());
            drop(sender.send((ask, counts)));
            bridge.application().notify();
        });
        let deadline = now + self.config.connection.request_timeout.min(LONGEST);
        self.send(What::Topics(names, deadline, reply))
    }

    /// Calls back for the commits that are done, in the order in which they were made.
    pub(super) fn run_commit_callbacks(&mut self) {
        while let Some(done) = self.group.as_mut().and_then(|group| group.done.pop_front()) {
            let Done { callback, offsets, result } = done;
            self.call_back(|consumer| callback(consumer, &offsets, result));
        }
    }

    /// Runs the application's code with this consumer, which refuses some calls meanwhile. A panic
    /// goes on when what surrounds the call is done.
    pub(super) fn call_back(&mut self, run: impl FnOnce(&mut Self)) {
        let is_polling = self.begin_callback();
        let outcome = catch_unwind(AssertUnwindSafe(|| run(self)));
        self.end_callback(is_polling);
        if let (Err(panic), Some(group)) = (outcome, &mut self.group) {
            group.panic.get_or_insert(panic);
        }
    }

    /// Goes on with a panic of the application's code.
    fn resume_panic(&mut self) {
        let Some(group) = &mut self.group else { return };
        if let Some(panic) = group.panic.take() {
            group.clock.end_poll(clock());
            resume_unwind(panic);
        }
    }

    /// Takes note that the application's code runs; returns whether a poll runs it.
    fn begin_callback(&mut self) -> bool {
        let Some(group) = &mut self.group else { return false };
        group.is_calling = true;
        group.clock.begin_callback(clock())
    }

    fn end_callback(&mut self, is_polling: bool) {
        if let Some(group) = &mut self.group {
            group.is_calling = false;
            group.clock.end_callback(is_polling);
            group.driven_at = clock();
        }
    }
}

fn count(topic: TopicInfo) -> TopicCount {
    let partitions = topic.partitions.ok();
    // What lies between two partitions that exist will exist: numbers have no gaps.
    let count = |all: &Vec<PartitionInfo>| all.iter().map(|one| one.partition + 1).max();
    TopicCount {
        name: topic.name,
        partitions: match &partitions {
            Some(all) => Some(count(all).unwrap_or(0)),
            None => topic.shared_count,
        },
        racks: partitions.as_deref().and_then(racks),
        is_internal: topic.is_internal,
    }
}

/// Returns for each partition the racks of its replicas, unless there are none.
fn racks(partitions: &[PartitionInfo]) -> Option<Vec<Vec<Arc<str>>>> {
    if partitions.iter().all(|partition| partition.racks.is_empty()) {
        return None;
    }
    let racks = partitions.iter().map(|one| one.racks.iter().map(|rack| Arc::from(&**rack)));
    Some(racks.map(Iterator::collect).collect())
}
