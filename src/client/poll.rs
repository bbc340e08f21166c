//! Poll: takes what the rings have, decodes up to the limits, moves the positions by that extent.

use std::time::Duration;

use super::consumer::{Consumer, clock, deadline_after};
use super::engine::Feeder;
use super::partition::{Filled, Filling};
use super::records::Records;
use crate::error::{Error, ErrorKind, Result};
use crate::net::command::What;
use crate::ring::wake::Waited;

/// What one poll may return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollLimits {
    /// Most records; at least 1.
    pub max_records: usize,
    /// Most bytes that the records take in their batches; the first record may take more.
    pub max_bytes: usize,
}

impl Consumer {
    /// Returns the records that have come, at most `max.poll.records`, after waiting up to
    /// `timeout` for the first. `None` means that the time has passed or a signal came.
    ///
    /// # Errors
    ///
    /// What concerns the whole consumer: [`ErrorKind::Closed`], [`ErrorKind::Wakeup`],
    /// [`ErrorKind::BudgetHeld`], [`ErrorKind::Poisoned`]. What concerns one partition is an event
    /// of the handle.
    pub fn poll(&mut self, timeout: Duration) -> Result<Option<Records>> {
        let max_records = self.config.poll_records_max;
        self.poll_with(timeout, PollLimits { max_records, max_bytes: usize::MAX })
    }

    /// Polls with limits of its own.
    ///
    /// # Errors
    ///
    /// As [`Consumer::poll`], and [`ErrorKind::InvalidArgument`] for a limit of 0.
    pub fn poll_with(&mut self, timeout: Duration, limits: PollLimits) -> Result<Option<Records>> {
        self.check_outside_of_callback()?;
        if limits.max_records == 0 || limits.max_bytes == 0 {
            return Err(Error::new(ErrorKind::InvalidArgument, "a poll's limit is 0"));
        }
        self.counters.polls += 1;
        if self.group.is_none() {
            return self.poll_until(timeout, limits);
        }
        if let Some(group) = &self.group {
            group.begin_poll();
        }
        let polled = self.poll_until(timeout, limits);
        let wake_at = self.group.as_mut().and_then(|group| group.end_poll());
        if wake_at.is_some() {
            self.engine.send(Feeder::Network, self.id, What::WakeAt(wake_at))?;
        }
        polled
    }

    fn poll_until(&mut self, timeout: Duration, limits: PollLimits) -> Result<Option<Records>> {
        self.bridge.application().disarm();
        self.bridge.application().signal().drain();
        let mut deadline = None;
        loop {
            self.check_wakeup()?;
            self.drive_group()?;
            if let Some(records) = self.gather(limits)? {
                return Ok(Some(records));
            }
            self.relieve_budget()?;
            self.bridge.application().arm();
            if self.has_news() {
                self.bridge.application().disarm();
                self.check()?;
                continue;
            }
            if timeout.is_zero() {
                // Left armed: the descriptor becomes readable when there is something.
                return Ok(None);
            }
            let deadline = *deadline.get_or_insert_with(|| deadline_after(timeout));
            let left = deadline.map(|deadline| deadline.saturating_duration_since(clock()));
            if left == Some(Duration::ZERO) {
                return Ok(None);
            }
            match self.bridge.application().signal().wait(self.until_due(left)) {
                Ok(Waited::Signalled) => self.bridge.application().signal().drain(),
                Ok(Waited::TimedOut) => {}
                Ok(Waited::Interrupted) => return Ok(None),
                Err(error) => return Err(super::engine::no_resource(error)),
            }
        }
    }

    /// Shortens a wait to when the group has something to do.
    fn until_due(&self, left: Option<Duration>) -> Option<Duration> {
        let due = self.group.as_ref().and_then(|group| group.due_at());
        let due = due.map(|due| due.saturating_duration_since(clock()));
        due.map_or(left, |due| Some(left.map_or(due, |left| left.min(due))))
    }

    /// Tells whether there is something for a poll to look at that is not listed yet.
    pub(super) fn has_news(&self) -> bool {
        !self.ready.is_empty()
            || self.is_woken()
            || self.bridge.is_dead()
            || self.group.as_ref().is_some_and(|group| group.has_news())
    }

    /// Puts the partitions that have become ready on the list.
    fn list_ready(&mut self) {
        let (partitions, listed) = (&mut self.partitions, &mut self.listed);
        self.ready.take(|index| {
            if let Some(partition) = partitions.get_mut(index)
                && !partition.is_listed
            {
                partition.is_listed = true;
                listed.push_back(index);
            }
        });
    }

    /// Fills a handle from the listed partitions, in turn.
    fn gather(&mut self, limits: PollLimits) -> Result<Option<Records>> {
        self.list_ready();
        if self.listed.is_empty() {
            return Ok(None);
        }
        let mut parts = self.recycler.take();
        self.serial += 1;
        let mut filling = Filling {
            parts: &mut parts,
            records_left: limits.max_records,
            bytes_left: limits.max_bytes,
            inflate: &mut self.inflate,
            bridge: &self.bridge,
            serial: self.serial,
        };
        let mut halted = Vec::new();
        for _ in 0..self.listed.len() {
            let Some(index) = self.listed.pop_front() else { break };
            let Some(partition) = self.partitions.get_mut(index) else { continue };
            if partition.paused || partition.is_held {
                // Listed again when it is resumed; what is held goes.
                partition.is_listed = false;
                continue;
            }
            match partition.fill(&mut filling) {
                Filled::Drained => partition.is_listed = false,
                Filled::Event => self.listed.push_back(index),
                // Who is fetched faster than polled would else never let the others come.
                Filled::Turn => {
                    self.listed.push_back(index);
                    break;
                }
                Filled::Full | Filled::NoCredit => {
                    self.listed.push_front(index);
                    break;
                }
                Filled::Halted => {
                    partition.is_listed = false;
                    halted.push(What::Halt(partition.index, partition.stamp));
                }
            }
        }
        for halt in halted {
            self.send(halt)?;
        }
        if parts.is_empty() {
            self.recycler.give_back(parts);
            return Ok(None);
        }
        self.counters.count(&parts);
        Ok(Some(Records::new(parts, &self.recycler)))
    }

    /// Sees to it that a poll which is about to wait does not wait for memory that nobody gives
    /// back: what is free is offered to the engine again, what paused partitions hoard is dropped.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BudgetHeld`] when only the application can give memory back.
    fn relieve_budget(&mut self) -> Result<()> {
        if !self.budget.is_wanted() {
            return Ok(());
        }
        if self.budget.is_held() {
            let (held, limit) = (self.budget.held(), self.budget.limit());
            let text = format!(
                "records that the application holds take {held} of kfetch.memory.max.bytes={limit}"
            );
            return Err(Error::new(ErrorKind::BudgetHeld, text).with_retriable(true));
        }
        self.inflate.release();
        if self.budget.is_exhausted() {
            self.drop_paused()?;
        }
        self.budget.nudge();
        Ok(())
    }
}
