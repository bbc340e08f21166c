//! Where partitions begin that were assigned without an offset: where the group has committed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::commit::Waiting;
use crate::client::consumer::{Consumer, clock};
use crate::coordinator::command::MemberCommand;
use crate::coordinator::notice::{Committed, CommittedOffset};
use crate::error::{Error, Result};
use crate::fetch::cursor::{NewPartition, StartAt};
use crate::net::command::What;
use crate::topic::TopicName;

/// Between an answer that told nothing of a partition and the next question for it.
const AGAIN: Duration = Duration::from_secs(1);

impl Consumer {
    /// Asks where the group has committed for the partitions that wait for it.
    pub(in crate::client) fn ask_where_to_start(&mut self, indexes: &[usize]) -> Result<()> {
        let waiting = |index: &usize| {
            let partition = self.partitions.get(*index).filter(|one| !one.is_started)?;
            Some((partition.topic.clone(), partition.partition))
        };
        let asked: Vec<(TopicName, i32)> = indexes.iter().filter_map(waiting).collect();
        if asked.is_empty() {
            return Ok(());
        }
        let timeout = self.config.connection.request_timeout;
        let deadline = clock() + timeout.min(crate::client::settings::LONGEST);
        let Some(group) = &mut self.group else { return Ok(()) };
        let id = group.new_id();
        group.waiting.insert(id, Waiting::Start(asked.clone()));
        self.send_member(MemberCommand::Fetch { id, partitions: Some(asked), deadline })
    }

    /// Starts partitions where the group has committed; asks again for those that could not be
    /// told.
    pub(super) fn handle_starts(
        &mut self,
        asked: &[(TopicName, i32)],
        result: Result<Vec<CommittedOffset>>,
        now: Instant,
    ) {
        let mut again = Vec::new();
        let mut starts = Vec::new();
        match result {
            Err(error) => {
                let unstarted = asked.iter().filter_map(|asked| self.unstarted(asked));
                again.extend(unstarted);
                self.complain(error, !again.is_empty());
            }
            Ok(told) => {
                for told in told {
                    let name = (told.topic, told.partition);
                    let Some(index) = self.unstarted(&name) else { continue };
                    match told.committed {
                        Ok(committed) => starts.push((index, committed)),
                        Err(error) => {
                            again.push(index);
                            self.complain(error, true);
                        }
                    }
                }
            }
        }
        let new: Vec<NewPartition> =
            starts.into_iter().filter_map(|(index, at)| self.begin(index, at)).collect();
        // A loop that is gone says so in the next poll.
        drop(self.send(What::Assign(new)));
        if let Some(group) = &mut self.group
            && !again.is_empty()
        {
            let (_, waiting) = group.restart.get_or_insert((now + AGAIN, Vec::new()));
            waiting.append(&mut again);
        }
    }

    /// Asks once more for what could not be told.
    pub(super) fn restart(&mut self, now: Instant) -> Result<()> {
        let Some(group) = &mut self.group else { return Ok(()) };
        match group.restart.take_if(|(at, _)| *at <= now) {
            Some((_, indexes)) => self.ask_where_to_start(&indexes),
            None => Ok(()),
        }
    }

    fn unstarted(&self, name: &(TopicName, i32)) -> Option<usize> {
        let index = *self.by_name.get(name.0.as_str())?.get(&name.1)?;
        self.partitions.get(index).filter(|partition| !partition.is_started).map(|_| index)
    }

    /// Tells the application why no start is known, unless it is only a matter of time.
    fn complain(&mut self, error: Error, matters: bool) {
        if let Some(group) = &mut self.group
            && matters
            && !error.is_retriable()
        {
            group.errors.push_back(error);
        }
    }

    fn begin(&mut self, index: usize, committed: Option<Committed>) -> Option<NewPartition> {
        match committed {
            Some(Committed { offset, leader_epoch, .. }) => {
                let partition = self.partitions.get_mut(index)?;
                partition.epoch = leader_epoch;
                partition.committed = Some(offset);
                self.start(index, StartAt::Offset(offset))
            }
            None => self.start(index, StartAt::Policy),
        }
    }

    /// Says from where a partition is to be read that has not been started yet.
    pub(in crate::client) fn start(
        &mut self,
        index: usize,
        start: StartAt,
    ) -> Option<NewPartition> {
        let partition = self.partitions.get_mut(index)?;
        partition.is_started = true;
        if let StartAt::Offset(offset) = start {
            partition.position = Some(offset);
        }
        Some(NewPartition {
            index: partition.index,
            topic: partition.topic.clone(),
            partition: partition.partition,
            stamp: partition.stamp,
            start,
            paused: partition.paused,
            lane: Arc::clone(&partition.lane),
        })
    }
}
