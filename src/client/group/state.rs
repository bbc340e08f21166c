//! What a consumer with a group holds beside its partitions.

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, unbounded};

use super::commit::{Settled, Waiting};
use super::listener::RebalanceListener;
use crate::client::config::{ConsumerConfig, GroupConfig};
use crate::client::consumer::clock;
use crate::client::engine::{Engine, Feeder};
use crate::client::settings::{self, Coordination};
use crate::coordinator::assignor::{Assignor, built_in};
use crate::coordinator::notice::Notice;
use crate::coordinator::participant::{Participant, ParticipantSettings, TopicCount};
use crate::coordinator::poll_clock::PollClock;
use crate::error::{Error, ErrorKind, Result};
use crate::fetch::call::ConsumerId;
use crate::net::command::{NewMember, What};
use crate::ring::bridge::Bridge;
use crate::topic::TopicPartition;

/// The least time for which a poll that waits does not look for positions to commit: with an
/// interval of zero each poll commits when it begins, and one that waits must not spin.
pub(super) const COMMIT_PAUSE: Duration = Duration::from_millis(100);

/// The group of a consumer, on the application's thread.
#[derive(Debug)]
pub(in crate::client) struct Group {
    pub(super) config: GroupConfig,
    pub(super) participant: Participant,
    pub(super) notices: Receiver<Notice>,
    pub(super) clock: Arc<PollClock>,
    pub(super) listener: Option<Box<dyn RebalanceListener>>,
    /// Whether the application is being called back.
    pub(super) is_calling: bool,
    /// Whether the consumer is being closed: what was to be woken up for that is over.
    pub(in crate::client) is_closing: bool,
    /// The number of the next commit or question.
    pub(super) next_id: u64,
    pub(super) waiting: HashMap<u64, Waiting>,
    /// Answers that a call waits for.
    pub(super) settled: HashMap<u64, Settled>,
    /// Commits that are done and whose callbacks are due, in order.
    pub(super) done: VecDeque<super::commit::Done>,
    /// Errors that polls are to return, one each.
    pub(super) errors: VecDeque<Error>,
    /// What the application's code panicked with, until all is in order to go on with it.
    pub(super) panic: Option<Box<dyn Any + Send>>,
    /// What ended the membership for good.
    pub(super) failed: Option<Error>,
    pub(super) revoking: Option<Revoking>,
    /// Partitions whose committed offsets are asked for once more, and when.
    pub(super) restart: Option<(Instant, Vec<usize>)>,
    /// When positions are committed next.
    pub(super) commit_at: Option<Instant>,
    /// When a poll that waits looks for positions to commit; never at once after the last look.
    pub(super) commit_wait_until: Option<Instant>,
    /// When the last poll looked after the group.
    pub(super) driven_at: Instant,
    /// The loop wakes the application at this time.
    pub(super) wake_at: Option<Instant>,
    pub(super) topics: (Sender<TopicsAnswer>, Receiver<TopicsAnswer>),
}

/// What there is, and which question it answers.
pub(super) type TopicsAnswer = (u64, Result<Vec<TopicCount>>);

/// Partitions that are about to go, once their positions are committed.
#[derive(Debug)]
pub(super) struct Revoking {
    pub(super) partitions: Vec<TopicPartition>,
    pub(super) is_lost: bool,
    /// The commit that is waited for.
    pub(super) commit: Option<u64>,
    pub(super) deadline: Instant,
}

impl Group {
    /// Makes the member on the engine's thread and its other half here; none without a group.
    pub(in crate::client) fn new(
        config: &ConsumerConfig,
        engine: &Engine,
        id: ConsumerId,
        bridge: &Arc<Bridge>,
    ) -> Result<Option<Box<Self>>> {
        let Some(group) = &config.group else { return Ok(None) };
        let assignors = assignors(&group.strategies)?;
        let Coordination { cluster, service } = settings::coordination(config, group)?;
        let now = clock();
        let poll_clock = Arc::new(PollClock::new(now));
        let (sender, notices) = unbounded();
        let new = NewMember {
            cluster,
            connection: settings::connection(config),
            settings: settings::member(config, group),
            notices: sender,
            bridge: Arc::clone(bridge),
            clock: Arc::clone(&poll_clock),
            service,
        };
        engine.send(Feeder::Network, id, What::AddMember(Box::new(new)))?;
        let settings = ParticipantSettings {
            rack: group.rack.clone(),
            metadata_max_age: settings::topics_max_age(config),
            retry: settings::backoff(config.connection.retry_backoff),
            excludes_internal: config.metadata.excludes_internal_topics,
        };
        Ok(Some(Box::new(Self {
            config: group.clone(),
            participant: Participant::new(settings, assignors),
            notices,
            clock: poll_clock,
            listener: None,
            is_calling: false,
            is_closing: false,
            next_id: 0,
            waiting: HashMap::new(),
            settled: HashMap::new(),
            done: VecDeque::new(),
            errors: VecDeque::new(),
            panic: None,
            failed: None,
            revoking: None,
            restart: None,
            commit_at: group.auto_commit.map(|auto| now + auto.interval),
            commit_wait_until: group.auto_commit.map(|auto| now + auto.interval.max(COMMIT_PAUSE)),
            driven_at: now,
            wake_at: None,
            topics: unbounded(),
        })))
    }

    /// Returns the number of the next commit or question.
    pub(super) fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Tells whether something has come that a poll should look at.
    pub(in crate::client) fn has_news(&self) -> bool {
        !self.notices.is_empty()
            || !self.topics.1.is_empty()
            || !self.done.is_empty()
            || !self.errors.is_empty()
            || self.participant.has_task()
    }

    /// Tells whether there is anything to do at `now`, as there is not in most polls.
    pub(super) fn has_work(&self, now: Instant) -> bool {
        self.has_news()
            || self.revoking.is_some()
            || self.failed.is_some()
            || self.panic.is_some()
            || self.commit_at.is_some_and(|at| at <= now)
            || self.due_at().is_some_and(|due| due <= now)
    }

    /// Returns when a poll has something to do even if nothing comes.
    pub(in crate::client) fn due_at(&self) -> Option<Instant> {
        let revoking = self.revoking.as_ref().map(|revoking| revoking.deadline);
        let topics = self.participant.poll_timeout();
        let restart = self.restart.as_ref().map(|(at, _)| *at);
        [revoking, topics, restart, self.commit_wait_until].into_iter().flatten().min()
    }

    /// Takes note that the application is inside of a poll.
    pub(in crate::client) fn begin_poll(&self) {
        self.clock.begin_poll();
    }

    /// Takes note that the poll has ended, a moment after it looked for records; returns when the
    /// application should be woken if it waits for the descriptor, unless that is known.
    pub(in crate::client) fn end_poll(&mut self) -> Option<Instant> {
        let now = self.driven_at;
        self.clock.end_poll(now);
        let half = now + self.config.max_poll_interval / 2;
        let wake_at = self.due_at().map_or(half, |due| due.min(half));
        let is_known = self.wake_at.is_some_and(|known| now < known && known <= wake_at);
        if is_known {
            return None;
        }
        self.wake_at = Some(wake_at);
        Some(wake_at)
    }

    /// Tells whether a commit has not been answered.
    pub(super) fn is_committing(&self) -> bool {
        self.waiting.values().any(|waiting| !matches!(waiting, Waiting::Start(_)))
    }

    /// Returns how long a wait inside of a rebalance may be.
    pub(super) fn commit_wait(&self) -> Duration {
        self.config.max_poll_interval.min(Duration::from_secs(60))
    }
}

/// Makes the assignors that `partition.assignment.strategy` names.
fn assignors(names: &[String]) -> Result<Vec<Box<dyn Assignor>>> {
    let mut assignors: Vec<Box<dyn Assignor>> = Vec::with_capacity(names.len());
    for name in names {
        let assignor = built_in(name).map_err(|error| {
            let text = format!(
                "partition.assignment.strategy: {}; there are range, roundrobin, sticky, \
                 cooperative-sticky, and Java's classes of these",
                error.message()
            );
            Error::new(ErrorKind::Config, text)
        })?;
        if assignors.iter().any(|known| known.name() == assignor.name()) {
            let text = format!("partition.assignment.strategy names {} twice", assignor.name());
            return Err(Error::new(ErrorKind::Config, text));
        }
        assignors.push(assignor);
    }
    Ok(assignors)
}
