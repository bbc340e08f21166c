//! The machine: phases, and what leads from one to the next.

#![forbid(unsafe_code)]

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use super::leader::{Lead, subscription_bytes};
use super::task::Task;
use super::topics::{Purpose, TopicCount, Watch, existing, matching};
use crate::backoff::BackoffLimits;
use crate::coordinator::assignor::{Assignment, Assignor, LedGroup, UnreadableMember};
use crate::coordinator::command::MemberCommand;
use crate::coordinator::notice::{Membership, Notice};
use crate::coordinator::subscription::Subscription;
use crate::error::{Error, ErrorKind, Result};
use crate::topic::{TopicName, TopicPartition};

/// What a participant runs by.
#[derive(Clone, Debug)]
pub struct ParticipantSettings {
    /// `client.rack`.
    pub rack: Option<String>,
    /// How old what is known of topics may become (`metadata.max.age.ms`).
    pub metadata_max_age: Duration,
    /// `retry.backoff.ms` and `retry.backoff.max.ms`.
    pub retry: BackoffLimits,
    /// Whether a pattern leaves out Kafka's own topics (`exclude.internal.topics`).
    pub excludes_internal: bool,
}

/// What follows when the application has been called back about partitions that go.
#[derive(Debug)]
enum After {
    /// When the member joins, for this reason.
    Join(String),
    /// When the new assignment is taken on; with what comes of it.
    Take { new: BTreeSet<TopicPartition>, rejoins: bool },
    /// When the member leaves.
    Leave(Leaving),
    /// When all is over.
    End,
}

/// How a member leaves.
#[derive(Clone, Debug)]
struct Leaving {
    reason: String,
    tells: bool,
    deadline: Instant,
}

#[derive(Debug)]
enum Phase {
    /// When nothing is subscribed to.
    Idle,
    /// When the topics of the pattern are looked up for the first time.
    Looking,
    /// When the application is being called back about partitions that go.
    Revoking(After),
    /// When the outcome of a join is awaited.
    Joining,
    /// When this member leads and looks topics up for the assignor.
    Leading(Box<Lead>),
    /// When the application is being called back about its partitions.
    Taking { new: BTreeSet<TopicPartition>, rejoins: bool },
    /// When there is nothing to do.
    Stable,
    /// When the member is leaving.
    Leaving,
    /// When membership has failed for good.
    Failed,
}

/// The application's side of a group.
#[derive(Debug)]
pub struct Participant {
    settings: ParticipantSettings,
    assignors: Vec<Box<dyn Assignor>>,
    subscription: Option<Subscription>,
    phase: Phase,
    /// The number of the last join that was sent.
    joins: u64,
    membership: Option<Membership>,
    /// Whether the last membership was lost and no other has begun.
    is_lost: bool,
    owned: BTreeSet<TopicPartition>,
    /// Why it wants to join again, as soon as it can.
    wish: Option<String>,
    watch: Watch,
    notices: VecDeque<Notice>,
    tasks: VecDeque<Task>,
}

impl Participant {
    /// Makes a participant that has subscribed to nothing.
    pub fn new(settings: ParticipantSettings, assignors: Vec<Box<dyn Assignor>>) -> Self {
        let watch = Watch::new(settings.metadata_max_age, settings.retry);
        Self {
            settings,
            assignors,
            subscription: None,
            phase: Phase::Idle,
            joins: 0,
            membership: None,
            is_lost: false,
            owned: BTreeSet::new(),
            wish: None,
            watch,
            notices: VecDeque::new(),
            tasks: VecDeque::new(),
        }
    }

    /// Subscribes to something else, or to something at all.
    pub fn handle_subscribe(&mut self, subscription: Subscription, now: Instant) {
        let is_same = self.subscription.as_ref().and_then(Subscription::topics).is_some()
            && self.subscription.as_ref().and_then(Subscription::topics) == subscription.topics();
        let resolves = subscription.topics().is_none();
        self.subscription = Some(subscription);
        if resolves {
            self.look(Purpose::Watch);
        }
        match self.phase {
            Phase::Idle if resolves => self.phase = Phase::Looking,
            Phase::Looking if resolves => {}
            Phase::Idle | Phase::Looking => self.rejoin("the application has subscribed"),
            Phase::Failed => {}
            _ if resolves || is_same => {}
            _ => self.wish = Some("the subscription has changed".to_owned()),
        }
        self.advance(now);
    }

    /// Subscribes to nothing any more: partitions are revoked, and the group is told if `tells`.
    pub fn handle_unsubscribe(
        &mut self,
        reason: &str,
        tells: bool,
        deadline: Instant,
        now: Instant,
    ) {
        self.subscription = None;
        self.wish = None;
        self.watch.stop();
        self.tasks.retain(|task| !matches!(task, Task::AskTopics { .. }));
        let leaving = Leaving { reason: reason.to_owned(), tells, deadline };
        match &mut self.phase {
            Phase::Idle | Phase::Looking => self.phase = Phase::Idle,
            Phase::Leaving | Phase::Failed => {}
            Phase::Revoking(after) => *after = After::Leave(leaving),
            Phase::Taking { .. } | Phase::Joining | Phase::Leading(_) | Phase::Stable => {
                self.leave(leaving);
            }
        }
        self.advance(now);
    }

    /// Joins again as soon as that can be.
    pub fn handle_enforce_rebalance(&mut self, reason: &str, now: Instant) {
        if !matches!(self.phase, Phase::Idle | Phase::Leaving | Phase::Failed) {
            self.wish = Some(reason.to_owned());
        }
        self.advance(now);
    }

    /// Takes a notice of the member.
    pub fn handle_notice(&mut self, notice: Notice, now: Instant) {
        self.notices.push_back(notice);
        self.advance(now);
    }

    /// Takes note that the application has been called back about partitions that go, and that
    /// they have been let go.
    pub fn handle_revoked(&mut self, gone: &[TopicPartition], now: Instant) {
        for partition in gone {
            self.owned.remove(partition);
        }
        if let Phase::Revoking(after) = std::mem::replace(&mut self.phase, Phase::Joining) {
            match after {
                After::Join(reason) => self.join_after_news(&reason),
                After::Take { new, rejoins } => self.assign(new, rejoins),
                After::Leave(leaving) => self.leave(leaving),
                After::End => self.phase = Phase::Failed,
            }
        }
        self.advance(now);
    }

    /// Takes note that the application has been called back about its new partitions.
    pub fn handle_assigned(&mut self, now: Instant) {
        if let Phase::Taking { new, rejoins } = std::mem::replace(&mut self.phase, Phase::Stable) {
            self.owned = new;
            if rejoins {
                let reason = "partitions were revoked that others are to get";
                self.wish.get_or_insert_with(|| reason.to_owned());
            }
        }
        self.advance(now);
    }

    /// Takes the answer to a question for topics.
    pub fn handle_topics(&mut self, ask: u64, answer: Result<Vec<TopicCount>>, now: Instant) {
        let Some(purpose) = self.watch.take(ask) else { return };
        let Ok(topics) = answer else { return self.watch.look_soon(now) };
        self.resolve(&topics);
        match purpose {
            Purpose::Lead => self.run_assignor(&topics, now),
            Purpose::Watch => self.compare(&topics),
        }
        self.look_again(&topics, now);
        self.watch.keep(topics, now);
        self.advance(now);
    }

    /// Looks at the clock.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.watch.look_at().is_some_and(|at| at <= now) {
            match self.phase {
                Phase::Leading(_) => self.look(Purpose::Lead),
                _ => self.look(Purpose::Watch),
            }
        }
        self.advance(now);
    }

    /// Returns when [`Participant::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.watch.look_at()
    }

    /// Returns the next thing to do.
    pub fn poll_task(&mut self) -> Option<Task> {
        self.tasks.pop_front()
    }

    /// Tells whether there is something to do.
    pub fn has_task(&self) -> bool {
        !self.tasks.is_empty()
    }

    /// Tells whether the member has been thrown out and not found its way back yet.
    pub fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// Returns as whom commits are made; none while the member has no place in the group.
    pub fn membership(&self) -> Option<&Membership> {
        self.membership.as_ref()
    }

    /// Returns what is subscribed to.
    pub fn subscription(&self) -> Option<&Subscription> {
        self.subscription.as_ref()
    }

    /// Tells whether the member has no dealings with the group.
    pub fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Idle | Phase::Failed)
    }

    /// Tells whether a rebalance is under way.
    pub fn is_rebalancing(&self) -> bool {
        !matches!(self.phase, Phase::Idle | Phase::Stable | Phase::Failed)
    }

    /// Puts other assignors in the place of those that there are.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`] while something is subscribed to.
    pub fn set_assignors(&mut self, assignors: Vec<Box<dyn Assignor>>) -> Result<()> {
        if self.subscription.is_some() || !self.is_idle() {
            let text = "assignors can be changed only while nothing is subscribed to";
            return Err(Error::new(ErrorKind::State, text));
        }
        self.assignors = assignors;
        Ok(())
    }

    /// Does what can be done now: nothing while the application is being called back.
    fn advance(&mut self, now: Instant) {
        while !matches!(self.phase, Phase::Revoking(_) | Phase::Taking { .. }) {
            if let Some(notice) = self.notices.pop_front() {
                self.apply(notice, now);
            } else if matches!(self.phase, Phase::Stable)
                && let Some(reason) = self.wish.take()
            {
                self.rejoin(&reason);
            } else {
                return;
            }
        }
    }

    fn apply(&mut self, notice: Notice, now: Instant) {
        match notice {
            Notice::Rejoin { join, reason } => {
                if join == self.joins && matches!(self.phase, Phase::Stable) {
                    self.rejoin(&reason);
                }
            }
            Notice::Lost { join, reason } => self.lose(join, reason),
            Notice::Lead { membership, protocol, members, skips_assignment } => {
                if matches!(self.phase, Phase::Joining) {
                    let lead = Lead { membership, protocol, members };
                    if skips_assignment {
                        // The assignment that it made in an earlier life is about to come.
                        self.watch.resume(lead.topics());
                        return self.look(Purpose::Watch);
                    }
                    let known = self.watch.known(&lead.topics(), now);
                    self.phase = Phase::Leading(Box::new(lead));
                    match known {
                        Some(topics) => self.run_assignor(&topics, now),
                        None => self.look(Purpose::Lead),
                    }
                }
            }
            Notice::Assigned { membership, protocol, assignment } => {
                self.take(membership, &protocol, &assignment);
            }
            Notice::Left => {
                if matches!(self.phase, Phase::Leaving) {
                    self.phase = Phase::Idle;
                    self.membership = None;
                    if let Some(subscription) = self.subscription.take() {
                        self.handle_subscribe(subscription, now);
                    }
                }
            }
            Notice::Failed(error) => self.fail(error),
            // Commits are between the application and the member.
            Notice::Committed { .. } | Notice::Fetched { .. } | Notice::Told { .. } => {}
        }
    }

    /// Revokes what has to go before the next join, and joins.
    fn rejoin(&mut self, reason: &str) {
        let Some(subscription) = &self.subscription else { return };
        let goes = |partition: &&TopicPartition| {
            !self.is_cooperative() || !subscription.has(&partition.topic)
        };
        let gone: Vec<TopicPartition> = self.owned.iter().filter(goes).cloned().collect();
        if gone.is_empty() {
            return self.join(reason);
        }
        self.phase = Phase::Revoking(After::Join(reason.to_owned()));
        self.tasks.push_back(Task::Revoke(gone));
    }

    /// Joins, unless the membership has been lost while the application was called back: then what
    /// is left of the partitions is lost first.
    fn join_after_news(&mut self, reason: &str) {
        let is_lost = |notice: &Notice| matches!(notice, Notice::Lost { .. });
        if self.notices.iter().any(is_lost) {
            // Its turn comes at once, and it joins.
            self.phase = Phase::Stable;
        } else {
            self.join(reason);
        }
    }

    fn join(&mut self, reason: &str) {
        let Some(topics) = self.subscription.as_ref().and_then(Subscription::topics) else {
            return;
        };
        let names: Vec<TopicName> = topics.iter().map(|name| TopicName::new(name)).collect();
        let generation = self.membership.as_ref().map(|membership| membership.generation);
        let mut protocols = Vec::with_capacity(self.assignors.len());
        for assignor in &self.assignors {
            let user_data = assignor.user_data(&names);
            let rack = self.settings.rack.clone();
            match subscription_bytes(&names, user_data, &self.owned, generation, rack) {
                Ok(bytes) => protocols.push((assignor.name().to_owned(), bytes)),
                Err(error) => return self.fail(error.with_fatal()),
            }
        }
        self.joins += 1;
        self.wish = None;
        self.watch.follow();
        let (join, reason) = (self.joins, reason.to_owned());
        self.tasks.push_back(Task::Send(MemberCommand::Join { join, protocols, reason }));
        self.phase = Phase::Joining;
    }

    /// Loses everything, and joins again. A join that crossed with the loss is as good if nothing
    /// was owned; else it claims what is lost, and another takes its place.
    fn lose(&mut self, join: u64, reason: String) {
        if matches!(self.phase, Phase::Idle | Phase::Leaving | Phase::Failed) {
            return;
        }
        self.is_lost |= self.membership.take().is_some();
        self.watch.follow();
        if self.owned.is_empty() {
            if join == self.joins {
                self.join(&reason);
            }
            return;
        }
        self.phase = Phase::Revoking(After::Join(reason));
        self.tasks.push_back(Task::Lose(self.owned.iter().cloned().collect()));
    }

    /// Takes the group's decision.
    fn take(&mut self, membership: Membership, protocol: &str, assignment: &[u8]) {
        if !matches!(self.phase, Phase::Joining | Phase::Leading(_)) {
            return;
        }
        let generation = membership.generation;
        self.membership = Some(membership);
        self.is_lost = false;
        let read = match assignment {
            [] => Ok(Assignment::default()),
            bytes => Assignment::decode(bytes),
        };
        let mut told = read.unwrap_or_else(|error| {
            let text = format!("the assignment from the group's leader is malformed: {error}");
            self.tasks.push_back(Task::Fail(Error::new(ErrorKind::Protocol, text)));
            Assignment::default()
        });
        let new = self.accept(&told);
        told.partitions.retain(|(topic, partition)| {
            new.contains(&TopicPartition::new(topic.as_str(), *partition))
        });
        if let Some(chosen) = self.assignors.iter_mut().find(|one| one.name() == protocol) {
            chosen.handle_assignment(&told, generation);
        }
        let gone: Vec<TopicPartition> = self.owned.difference(&new).cloned().collect();
        if gone.is_empty() {
            return self.assign(new, false);
        }
        self.phase = Phase::Revoking(After::Take { new, rejoins: self.is_cooperative() });
        self.tasks.push_back(Task::Revoke(gone));
    }

    /// Leaves out of an assignment what this member has not subscribed to.
    fn accept(&mut self, told: &Assignment) -> BTreeSet<TopicPartition> {
        let told = told.partitions.iter();
        let told: BTreeSet<TopicPartition> = told
            .map(|(topic, partition)| TopicPartition::new(topic.as_str(), *partition))
            .collect();
        let has = |partition: &TopicPartition| {
            partition.partition >= 0
                && self.subscription.as_ref().is_some_and(|all| all.has(&partition.topic))
        };
        let (new, foreign): (BTreeSet<_>, BTreeSet<_>) = told.into_iter().partition(has);
        if let Some(first) = foreign.first()
            && self.wish.is_none()
        {
            let text = match first.partition {
                0.. => {
                    "the group's leader assigned it without a subscription to its topic".to_owned()
                }
                number => format!("the group's leader assigned partition {number}: no such number"),
            };
            let error = Error::new(ErrorKind::Protocol, text);
            let error = error.with_partition(&first.topic, first.partition);
            self.tasks.push_back(Task::Fail(error));
        }
        new
    }

    fn assign(&mut self, new: BTreeSet<TopicPartition>, rejoins: bool) {
        let added = new.difference(&self.owned).cloned().collect();
        self.phase = Phase::Taking { new, rejoins };
        self.tasks.push_back(Task::Assign(added));
    }

    fn leave(&mut self, leaving: Leaving) {
        if self.owned.is_empty() {
            let Leaving { reason, tells, deadline } = leaving;
            self.phase = Phase::Leaving;
            self.tasks.push_back(Task::Send(MemberCommand::Leave { reason, tells, deadline }));
            return;
        }
        let all = self.owned.iter().cloned().collect();
        let task = if self.membership.is_some() { Task::Revoke(all) } else { Task::Lose(all) };
        self.phase = Phase::Revoking(After::Leave(leaving));
        self.tasks.push_back(task);
    }

    fn fail(&mut self, error: Error) {
        let is_fatal = error.is_fatal();
        self.tasks.push_back(Task::Fail(error));
        if !is_fatal {
            return;
        }
        self.membership = None;
        self.watch.stop();
        if self.owned.is_empty() {
            self.phase = Phase::Failed;
            return;
        }
        self.phase = Phase::Revoking(After::End);
        self.tasks.push_back(Task::Lose(self.owned.iter().cloned().collect()));
    }

    /// Asks for the topics that are watched.
    fn look(&mut self, purpose: Purpose) {
        let is_pattern = self.subscription.as_ref().is_some_and(|known| known.pattern().is_some());
        let names = match (&self.phase, self.watch.led()) {
            _ if is_pattern => None,
            (Phase::Leading(lead), _) => Some(lead.topics()),
            (_, Some(led)) => Some(led.keys().cloned().collect()),
            (_, None) => return self.watch.stop(),
        };
        let ask = self.watch.ask(purpose);
        self.tasks.push_back(Task::AskTopics { ask, names });
    }

    /// Resolves the pattern anew.
    fn resolve(&mut self, topics: &[TopicCount]) {
        let excludes_internal = self.settings.excludes_internal;
        let Some(Subscription::Pattern { pattern, found }) = &mut self.subscription else { return };
        let wanted = |topic: &TopicCount| {
            !(topic.is_internal && excludes_internal) && pattern.matches(&topic.name)
        };
        let matching = matching(topics, wanted);
        if found.as_ref() == Some(&matching) {
            return;
        }
        *found = Some(matching);
        match self.phase {
            Phase::Looking => self.rejoin("the application has subscribed"),
            _ => self.wish = Some("other topics match the pattern".to_owned()),
        }
    }

    /// Runs the assignor over what there is.
    fn run_assignor(&mut self, topics: &[TopicCount], now: Instant) {
        if !matches!(self.phase, Phase::Leading(_)) {
            // It has been thrown out meanwhile.
            return;
        }
        let Phase::Leading(lead) = std::mem::replace(&mut self.phase, Phase::Joining) else {
            return;
        };
        let found = existing(topics);
        let names = lead.topics();
        let counts = names.into_iter().map(|name| {
            let count = found.get(name.as_str()).copied();
            (name, count)
        });
        self.watch.lead(counts.collect());
        match lead.run(&mut self.assignors, topics) {
            Ok(LedGroup { assignments, unreadable }) => {
                let generation = lead.membership.generation;
                self.tasks.extend(unreadable.into_iter().map(unreadable_member));
                let assign = MemberCommand::Assign { generation, assignments };
                self.tasks.push_back(Task::Send(assign));
            }
            Err(error) => {
                // The others must not wait for a leader that cannot decide.
                self.tasks.push_back(Task::Fail(error));
                let reason = "the assignor failed".to_owned();
                let deadline = now + self.settings.retry.max;
                self.leave(Leaving { reason, tells: true, deadline });
            }
        }
    }

    /// Joins again if what the assignment was made of has changed.
    fn compare(&mut self, topics: &[TopicCount]) {
        let found = existing(topics);
        self.watch.see(&found);
        if let Some(name) = self.watch.changed(&found) {
            self.wish = Some(format!("the partitions of topic {name} have changed"));
        }
    }

    fn look_again(&mut self, topics: &[TopicCount], now: Instant) {
        let found = existing(topics);
        let lacks = self
            .watch
            .led()
            .is_some_and(|led| led.keys().any(|name| !found.contains_key(name.as_str())));
        match lacks {
            true => self.watch.look_soon(now),
            false => self.watch.look_later(now),
        }
    }

    /// Tells whether partitions stay where they are during a rebalance: all assignors can do that
    /// (as Java, which takes the highest protocol that all have in common).
    fn is_cooperative(&self) -> bool {
        self.assignors.iter().all(|assignor| assignor.is_cooperative())
    }
}

fn unreadable_member(member: UnreadableMember) -> Task {
    let UnreadableMember { member_id, reason } = member;
    let text = format!("member {member_id} gets nothing: its subscription is malformed: {reason}");
    Task::Fail(Error::new(ErrorKind::Protocol, text))
}
