//! The participant that consumers have, and what its owner does for it: the tasks of a poll, as a
//! consumer with automatic commits does them.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use kfetch::backoff::BackoffLimits;
use kfetch::coordinator::assignor::built_in;
use kfetch::coordinator::command::MemberCommand;
use kfetch::coordinator::notice::{Membership, Notice};
use kfetch::coordinator::participant::{Participant, ParticipantSettings, Task, TopicCount};
use kfetch::coordinator::subscription::{Pattern, Subscription};
use kfetch::error::{Error, Result};
use kfetch::topic::TopicPartition;

use super::application::{LEAVE_TIME, Life};
use super::event::Event;
use super::reader::{COMMIT_TIME, Reader};
use super::record_log::{TOPICS, number, partition_count};

/// Short, so that leaders look at the topics while a world lasts.
const METADATA_MAX_AGE: Duration = Duration::from_secs(10);

/// A participant, and what is under way for it.
#[derive(Debug)]
pub(crate) struct Participation {
    participant: Participant,
    /// Whether it subscribes to a pattern of names.
    has_pattern: bool,
    revoking: Option<Revoking>,
    /// The questions for topics, and their answers.
    pub(crate) asks: Vec<(u64, Option<Vec<String>>)>,
    pub(crate) answers: VecDeque<(u64, Result<Vec<TopicCount>>)>,
}

/// Partitions that are about to go, once their positions are committed.
#[derive(Debug)]
struct Revoking {
    partitions: Vec<TopicPartition>,
    is_lost: bool,
    /// The commit that is waited for.
    commit: Option<u64>,
    deadline: Instant,
}

impl Participation {
    /// Makes one that has subscribed to nothing, with assignors by their names.
    pub(crate) fn new(assignors: &[&str], has_pattern: bool, retry: BackoffLimits) -> Self {
        let settings = ParticipantSettings {
            rack: None,
            metadata_max_age: METADATA_MAX_AGE,
            retry,
            excludes_internal: true,
        };
        let assignors = assignors.iter().map(|name| built_in(name).unwrap()).collect();
        Self {
            participant: Participant::new(settings, assignors),
            has_pattern,
            revoking: None,
            asks: Vec::new(),
            answers: VecDeque::new(),
        }
    }

    /// Subscribes to the topics that have one of so many partitions.
    pub(crate) fn subscribe(&mut self, now: Instant, partitions: usize) {
        let exists = |topic: &&&str| partition_count(topic, partitions) > 0;
        let topics = TOPICS.iter().filter(exists).map(|topic| (*topic).to_owned());
        let subscription = match self.has_pattern {
            true => Subscription::Pattern { pattern: Pattern::new("[a-z]").unwrap(), found: None },
            false => Subscription::Topics(topics.collect()),
        };
        self.participant.handle_subscribe(subscription, now);
    }

    /// Makes the group rebalance.
    pub(crate) fn enforce_rebalance(&mut self, now: Instant) {
        self.participant.handle_enforce_rebalance("the application wishes it", now);
    }

    pub(crate) fn handle_notice(&mut self, now: Instant, notice: Notice) {
        self.participant.handle_notice(notice, now);
    }

    pub(crate) fn handle_committed(&mut self, id: u64) {
        if let Some(revoking) = &mut self.revoking {
            revoking.commit.take_if(|commit| *commit == id);
        }
    }

    /// Does what the group wants done; returns what the application is from then on.
    pub(crate) fn drive(&mut self, now: Instant, reader: &mut Reader, state: Life) -> Life {
        while let Some((ask, answer)) = self.answers.pop_front() {
            self.participant.handle_topics(ask, answer, now);
        }
        if self.participant.poll_timeout().is_some_and(|at| at <= now) {
            self.participant.handle_timeout(now);
        }
        self.finish_revocation(now, reader);
        let mut has_failed = false;
        while let Some(task) = self.participant.poll_task() {
            has_failed |= matches!(&task, Task::Fail(error) if error.is_fatal());
            self.perform(now, reader, task);
        }
        match state {
            Life::Leaving if self.participant.is_idle() => Life::Ended,
            _ if has_failed => Life::Failed,
            state => state,
        }
    }

    pub(crate) fn leave(&mut self, now: Instant, tells: bool) {
        self.participant.handle_unsubscribe("it ends", tells, now + LEAVE_TIME, now);
    }

    pub(crate) fn membership(&self) -> Option<&Membership> {
        self.participant.membership()
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.membership().is_some() && !self.participant.is_rebalancing()
    }

    fn perform(&mut self, now: Instant, reader: &mut Reader, task: Task) {
        match task {
            Task::Send(command) => {
                if matches!(command, MemberCommand::Join { .. }) {
                    reader.events.push(Event::Joins { client: reader.client });
                }
                reader.commands.push(command);
            }
            Task::Revoke(partitions) => self.begin_revocation(now, reader, partitions, false),
            Task::Lose(partitions) => self.begin_revocation(now, reader, partitions, true),
            Task::Assign(partitions) => {
                let membership = self.participant.membership().unwrap();
                reader.take_on(membership.generation, &numbers(&partitions));
                self.participant.handle_assigned(now);
            }
            Task::AskTopics { ask, names } => self.asks.push((ask, names)),
            Task::Fail(error) if error.is_fatal() => {}
            Task::Fail(error) => complain(reader, &error),
        }
    }

    /// Reads nothing more of partitions that are about to go, and commits how far they were read;
    /// the rest follows when that is done.
    fn begin_revocation(
        &mut self,
        now: Instant,
        reader: &mut Reader,
        partitions: Vec<TopicPartition>,
        is_lost: bool,
    ) {
        reader.hold(&numbers(&partitions));
        let membership = self.participant.membership().filter(|_| !is_lost);
        let commit = reader.commit(now, membership, true);
        let deadline = now + COMMIT_TIME;
        self.revoking = Some(Revoking { partitions, is_lost, commit, deadline });
        self.finish_revocation(now, reader);
    }

    fn finish_revocation(&mut self, now: Instant, reader: &mut Reader) {
        let is_done = |one: &mut Revoking| one.commit.is_none() || one.deadline <= now;
        let Some(Revoking { partitions, is_lost, .. }) = self.revoking.take_if(is_done) else {
            return;
        };
        let gone = numbers(&partitions);
        match is_lost {
            // A loss is of everything.
            true if gone == reader.partitions() => reader.drop_all(),
            true => complain(reader, &format!("only {gone:?} are lost")),
            false => reader.let_go(gone),
        }
        self.participant.handle_revoked(&partitions, now);
    }
}

fn complain(reader: &mut Reader, what: &impl ToString) {
    let (client, what) = (reader.client, what.to_string());
    reader.events.push(Event::Complains { client, what });
}

fn numbers(partitions: &[TopicPartition]) -> Vec<i32> {
    let numbers = partitions.iter().map(|one| number(&one.topic, one.partition));
    numbers.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Returns what a broker tells of these topics, or of all, where there are so many partitions.
pub(crate) fn topic_counts(names: Option<Vec<String>>, partitions: usize) -> Vec<TopicCount> {
    let all = || TOPICS.iter().map(|name| (*name).to_owned()).collect();
    let names = names.unwrap_or_else(all).into_iter();
    let count = |name: &str| Some(partition_count(name, partitions)).filter(|count| *count > 0);
    let topic = |name: String| TopicCount {
        partitions: count(&name),
        name,
        racks: None,
        is_internal: false,
    };
    names.map(topic).collect()
}

/// Returns why topics could not be looked up.
pub(crate) fn no_answer() -> Result<Vec<TopicCount>> {
    Err(Error::new(kfetch::error::ErrorKind::Network, "no answer"))
}
