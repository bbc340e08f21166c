//! Subscribing, and what the group knows of this consumer.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::commit::finite_deadline;
use super::listener::RebalanceListener;
use crate::client::assignment::check_topic;
use crate::client::consumer::{Consumer, clock};
use crate::coordinator::assignor::Assignor;
use crate::coordinator::command::MemberCommand;
use crate::coordinator::subscription::{Pattern, Subscription};
use crate::error::{Error, ErrorKind, Result};

/// How long a consumer that was dropped takes leave, if anything keeps it from doing so at once.
const PARTING: Duration = Duration::from_secs(1);

/// A consumer's place in its group, for a producer that commits its offsets in a transaction
/// (Kafka's `ConsumerGroupMetadata`, KIP-447).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMetadata {
    /// `group.id`.
    pub group_id: String,
    /// The generation, −1 outside of one.
    pub generation: i32,
    /// The id that the coordinator gave the member, empty outside of a generation.
    pub member_id: String,
    /// `group.instance.id`.
    pub group_instance_id: Option<String>,
}

/// What a close does about the group (Kafka's `CloseOptions`, KIP-1092).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GroupMembershipOperation {
    /// When a dynamic member leaves, and a static one's place waits for it.
    #[default]
    Default,
    /// When the member leaves in any case, so that its partitions go to others at once.
    LeaveGroup,
    /// When the member does not leave, and its place waits up to `session.timeout.ms`.
    RemainInGroup,
}

impl Consumer {
    /// Joins the group for these topics, or changes what it joined for. Partitions come with the
    /// next polls. No topics at all is the same as [`Consumer::unsubscribe`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] for a name that no topic can have, [`ErrorKind::State`] while
    /// partitions are assigned by [`Consumer::assign`] or inside of a callback, and
    /// [`ErrorKind::Config`] without `group.id`.
    pub fn subscribe(&mut self, topics: &[&str]) -> Result<()> {
        self.check_may_subscribe()?;
        topics.iter().try_for_each(|topic| check_topic(topic))?;
        if topics.is_empty() {
            return self.unsubscribe();
        }
        let topics: BTreeSet<String> = topics.iter().map(|topic| (*topic).to_owned()).collect();
        self.begin_subscription(Subscription::Topics(topics))
    }

    /// Joins the group for all topics whose whole name matches a regular expression, also those
    /// that are made later (found after `metadata.max.age.ms` at the latest).
    ///
    /// # Errors
    ///
    /// As [`Consumer::subscribe`], and [`ErrorKind::InvalidArgument`] for what is no pattern.
    pub fn subscribe_pattern(&mut self, pattern: &str) -> Result<()> {
        self.check_may_subscribe()?;
        let pattern = Pattern::new(pattern)?;
        self.begin_subscription(Subscription::Pattern { pattern, found: None })
    }

    fn begin_subscription(&mut self, subscription: Subscription) -> Result<()> {
        if let Some(group) = &mut self.group {
            if let Some(error) = &group.failed {
                return Err(error.clone());
            }
            group.participant.handle_subscribe(subscription, clock());
            // What there is to do is done in the next poll, and a program may wait for one.
            self.bridge.application().arm();
            self.bridge.application().notify();
        }
        Ok(())
    }

    /// Leaves the group: partitions are revoked, with the listener called, before it returns.
    /// Partitions that were assigned by hand are let go as well.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`] inside of a callback.
    pub fn unsubscribe(&mut self) -> Result<()> {
        self.check_outside_of_callback()?;
        if self.group.is_none() || !self.is_subscribed() {
            return self.unassign_all();
        }
        let deadline = finite_deadline(self.config.default_api_timeout);
        self.leave_group("the consumer has unsubscribed", true, deadline);
        Ok(())
    }

    /// Returns the topics that are subscribed to, as far as a pattern has been resolved.
    pub fn subscription(&self) -> Vec<String> {
        let topics =
            self.group.as_ref().and_then(|group| group.participant.subscription()?.topics());
        topics.map(|topics| topics.iter().cloned().collect()).unwrap_or_default()
    }

    /// Puts who is told of rebalances in the place of who was told before.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] without `group.id`, [`ErrorKind::State`] inside of a callback.
    pub fn set_rebalance_listener(
        &mut self,
        listener: Option<Box<dyn RebalanceListener>>,
    ) -> Result<()> {
        self.check_group()?;
        self.check_outside_of_callback()?;
        if let Some(group) = &mut self.group {
            group.listener = listener;
        }
        Ok(())
    }

    /// Puts other assignors in the place of `partition.assignment.strategy`, the one that is liked
    /// best first.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`] while subscribed, [`ErrorKind::InvalidArgument`] for none at all or two
    /// of one name.
    pub fn set_assignors(&mut self, assignors: Vec<Box<dyn Assignor>>) -> Result<()> {
        self.check_group()?;
        self.check_outside_of_callback()?;
        let mut names = BTreeSet::new();
        if assignors.is_empty() || !assignors.iter().all(|one| names.insert(one.name())) {
            let text = "assignors are to be one or more, of different names";
            return Err(Error::new(ErrorKind::InvalidArgument, text));
        }
        match &mut self.group {
            Some(group) => group.participant.set_assignors(assignors),
            None => Ok(()),
        }
    }

    /// Makes the group assign its partitions anew, with the next polls.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`] where nothing is subscribed to.
    pub fn enforce_rebalance(&mut self, reason: &str) -> Result<()> {
        self.check_group()?;
        if !self.is_subscribed() {
            return Err(Error::new(ErrorKind::State, "nothing is subscribed to"));
        }
        if let Some(group) = &mut self.group {
            group.participant.handle_enforce_rebalance(reason, clock());
        }
        Ok(())
    }

    /// Returns the consumer's place in its group.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] without `group.id`.
    pub fn group_metadata(&self) -> Result<GroupMetadata> {
        self.check_group()?;
        let Some(group) = &self.group else { return Err(super::commit::no_group()) };
        let membership = group.participant.membership();
        Ok(GroupMetadata {
            group_id: group.config.group_id.clone(),
            generation: membership.map_or(-1, |membership| membership.generation),
            member_id: membership.map(|one| one.member_id.clone()).unwrap_or_default(),
            group_instance_id: group.config.group_instance_id.clone(),
        })
    }

    /// Tells whether the group decides what is read.
    pub(in crate::client) fn is_subscribed(&self) -> bool {
        self.group.as_ref().is_some_and(|group| group.participant.subscription().is_some())
    }

    /// Refuses what a callback may not do.
    pub(in crate::client) fn check_outside_of_callback(&self) -> Result<()> {
        self.check()?;
        if self.group.as_ref().is_some_and(|group| group.is_calling) {
            let text = "the call cannot be made from inside of a callback";
            return Err(Error::new(ErrorKind::State, text));
        }
        Ok(())
    }

    fn check_may_subscribe(&self) -> Result<()> {
        self.check_group()?;
        self.check_outside_of_callback()?;
        if !self.is_subscribed() && !self.partitions.is_empty() && self.is_idle_member() {
            let text = "partitions are assigned by hand: unassign them first";
            return Err(Error::new(ErrorKind::State, text));
        }
        Ok(())
    }

    /// Refuses to assign partitions by hand while the group does.
    pub(in crate::client) fn check_may_assign(&self) -> Result<()> {
        self.check_outside_of_callback()?;
        if self.is_subscribed() {
            let text = "topics are subscribed to: unsubscribe first";
            return Err(Error::new(ErrorKind::State, text));
        }
        Ok(())
    }

    fn is_idle_member(&self) -> bool {
        self.group.as_ref().is_none_or(|group| group.participant.is_idle())
    }

    /// Revokes all partitions and leaves the group, up to the deadline.
    fn leave_group(&mut self, reason: &str, tells: bool, deadline: Instant) {
        let now = clock();
        if let Some(group) = &mut self.group {
            group.participant.handle_unsubscribe(reason, tells, deadline, now);
        }
        self.settle_group(deadline, |consumer| consumer.is_idle_member());
        // A member that did not get that far in time reads nothing any more all the same.
        drop(self.unassign_all());
    }

    /// Tells the group that a consumer is gone which nobody has closed, if its connection takes
    /// that at once: nobody waits for anything, and nothing is committed.
    pub(in crate::client) fn part_from_group(&self) {
        let Some(group) = &self.group else { return };
        let is_static = group.config.group_instance_id.is_some();
        if self.is_subscribed() && group.config.leaves_on_close && !is_static {
            let (reason, deadline) = ("the consumer was dropped".to_owned(), clock() + PARTING);
            drop(self.send_member(MemberCommand::Leave { reason, tells: true, deadline }));
        }
    }

    /// Does what the group wants done until `is_settled`, up to the deadline.
    fn settle_group(&mut self, deadline: Instant, is_settled: impl Fn(&Self) -> bool) {
        loop {
            // What the application is to be told is told by the next poll.
            if let Err(error) = self.drive_group()
                && let Some(group) = &mut self.group
                && !error.is_fatal()
            {
                group.errors.push_front(error);
            }
            if is_settled(self) || self.check().is_err() {
                return;
            }
            if clock() >= deadline {
                return self.give_up_waiting();
            }
            let due = self.group.as_ref().and_then(|group| group.due_at());
            let until = due.map_or(deadline, |due| due.min(deadline));
            self.wait_for(Some(until), || {
                self.group.as_ref().is_some_and(|group| group.has_news()).then_some(())
            });
        }
    }

    /// Goes on without the commit that a revocation waits for.
    fn give_up_waiting(&mut self) {
        if let Some(group) = &mut self.group
            && let Some(revoking) = &mut group.revoking
        {
            revoking.commit = None;
            drop(self.drive_group());
        }
    }

    /// Commits, revokes and leaves because the consumer is closed.
    pub(in crate::client) fn close_group(
        &mut self,
        operation: GroupMembershipOperation,
        timeout: Duration,
    ) {
        let deadline = finite_deadline(timeout);
        let Some(group) = &mut self.group else { return };
        group.is_closing = true;
        let tells = match operation {
            GroupMembershipOperation::LeaveGroup => true,
            GroupMembershipOperation::RemainInGroup => false,
            GroupMembershipOperation::Default => {
                group.config.leaves_on_close && group.config.group_instance_id.is_none()
            }
        };
        if self.is_subscribed() {
            self.leave_group("the consumer is being closed", tells, deadline);
        } else {
            drop(self.commit_before_revocation(clock()));
        }
        // Nobody calls back after the close.
        self.settle_group(deadline, |consumer| {
            consumer.group.as_ref().is_none_or(|group| !group.is_committing())
        });
        self.run_commit_callbacks();
    }
}
