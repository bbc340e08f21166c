//! The start of a read: connection, metadata, offsets, all within `default.api.timeout.ms`.

use std::time::{Duration, Instant};

use kfetch::client::config::{ConsumerConfig, Source};
use kfetch::embedded::{groups_dir, refuse_brokers};
use kfetch::{Consumer, Engine, Error, ErrorKind, Logger, Offset, TopicPartition};

use crate::failure::{Failure, Outcome};
use crate::partitions::Partitions;
use crate::start_at::StartAt;

/// What is to be read.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) topic: &'a str,
    /// All where it is empty.
    pub(crate) partitions: &'a [i32],
    pub(crate) start_at: StartAt,
}

/// A consumer that has begun to read.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) consumer: Consumer,
    /// What is read.
    pub(crate) partitions: Vec<i32>,
    /// Why other partitions are not.
    pub(crate) failed: Vec<Error>,
    /// When each partition should have been heard of.
    pub(crate) deadline: Deadline,
    /// For a read that ends at the end.
    pub(crate) patience: Patience,
}

/// Where partitions begin, and why others cannot.
#[derive(Debug)]
struct Places {
    starts: Vec<(TopicPartition, Offset)>,
    failed: Vec<Error>,
}

/// The end of the start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    /// None where it is beyond what a clock can tell.
    at: Option<Instant>,
}

impl Deadline {
    /// Begins to count.
    pub(crate) fn after(time: Duration) -> Self {
        Self { at: now().checked_add(time) }
    }

    /// Returns how much time is left; for ever is a day at a time.
    pub(crate) fn left(self) -> Duration {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        self.at.map_or(DAY, |at| at.saturating_duration_since(now()).min(DAY))
    }
}

/// How long nothing at all may come before the end has: a broker that is there says something at
/// least every `fetch.max.wait.ms`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    limit: Duration,
    /// None while something comes.
    deadline: Option<Deadline>,
}

impl Patience {
    /// Begins to wait for as long as `limit` at a time.
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, deadline: None }
    }

    /// Takes note that something has come.
    pub(crate) fn renew(&mut self) {
        self.deadline = None;
    }

    /// Takes note that there is nothing; true when that has gone on for too long.
    pub(crate) fn is_over(&mut self) -> bool {
        let limit = self.limit;
        self.deadline.get_or_insert_with(|| Deadline::after(limit)).left().is_zero()
    }
}

/// Refuses to serve the groups of a broker's own directory: only the broker may.
///
/// # Errors
///
/// What the library says of the log directory that has the groups, or where several have some.
pub(crate) fn refuse_brokers_groups(source: &Source) -> Outcome {
    match source {
        Source::LogDirs(log_dirs) => Ok(refuse_brokers(&groups_dir(log_dirs)?)?),
        _ => Ok(()),
    }
}

/// Reads the clock.
pub(crate) fn now() -> Instant {
    #[allow(clippy::disallowed_methods, reason = "a deadline of the command's own")]
    Instant::now()
}

/// Begins to read.
///
/// # Errors
///
/// What the library says: a topic or partition that does not exist, no answer in time.
pub(crate) fn start(
    config: ConsumerConfig,
    logger: Logger,
    wanted: &Wanted<'_>,
) -> Outcome<Started> {
    let patience = Patience::new(config.default_api_timeout);
    let deadline = Deadline::after(patience.limit);
    let mut consumer = Consumer::with_engine(&Engine::with_logger(logger)?, config)?;
    let partitions = find(&mut consumer, wanted, deadline)?;
    let Places { starts, failed } = places(&mut consumer, &partitions, wanted.start_at, deadline)?;
    consumer.assign_at(&starts)?;
    let partitions = starts.into_iter().map(|(partition, _)| partition.partition).collect();
    Ok(Started { consumer, partitions, failed, deadline, patience })
}

/// Finds the partitions that are wanted, or all of the topic.
///
/// # Errors
///
/// What the library says, and where the topic or one of the partitions does not exist.
pub(crate) fn find(
    consumer: &mut Consumer,
    wanted: &Wanted<'_>,
    deadline: Deadline,
) -> Outcome<Vec<TopicPartition>> {
    let topic = wanted.topic;
    let info = match consumer.partitions_for(topic, deadline.left()) {
        Ok(info) => info,
        Err(error) if error.kind() == ErrorKind::UnknownTopicOrPartition => {
            let text = format!("topic {topic} does not exist: {}", error.message());
            return Err(Failure::Error(text));
        }
        Err(error) if is_of_another(&error, wanted) => {
            return find_each(consumer, wanted, deadline);
        }
        Err(error) => return Err(error.into()),
    };
    let mut there: Vec<i32> = info.partitions?.iter().map(|found| found.partition).collect();
    there.sort_unstable();
    let missing = wanted.partitions.iter().find(|partition| !there.contains(partition));
    if let Some(missing) = missing {
        let count = there.len();
        let text = format!("topic {topic} [{missing}]: no such partition; the topic has {count}");
        return Err(Failure::Error(text));
    }
    there.retain(|partition| wanted.partitions.is_empty() || wanted.partitions.contains(partition));
    Ok(there.into_iter().map(|partition| TopicPartition::new(topic, partition)).collect())
}

/// Tells whether what is wrong with a topic is wrong with a partition of it that is not wanted.
fn is_of_another(error: &Error, wanted: &Wanted<'_>) -> bool {
    error.kind() == ErrorKind::Config
        && error.partition() >= 0
        && !wanted.partitions.is_empty()
        && !wanted.partitions.contains(&error.partition())
}

/// Finds the partitions that are wanted by asking for each of them.
fn find_each(
    consumer: &mut Consumer,
    wanted: &Wanted<'_>,
    deadline: Deadline,
) -> Outcome<Vec<TopicPartition>> {
    let partition = |partition: &i32| TopicPartition::new(wanted.topic, *partition);
    let mut partitions: Vec<TopicPartition> = wanted.partitions.iter().map(partition).collect();
    partitions.sort();
    partitions.dedup();
    for found in consumer.beginning_offsets(&partitions, deadline.left())? {
        found?;
    }
    Ok(partitions)
}

/// Says where each partition begins; what has to be asked for is asked for here.
fn places(
    consumer: &mut Consumer,
    partitions: &[TopicPartition],
    start_at: StartAt,
    deadline: Deadline,
) -> Outcome<Places> {
    let offset = match start_at {
        StartAt::Beginning => Offset::Beginning,
        StartAt::End => Offset::End,
        StartAt::At(offset) => Offset::At(offset),
        StartAt::TimestampMs(ms) => Offset::Timestamp(ms),
        StartAt::BeforeEnd(count) => return before_end(consumer, partitions, count, deadline),
    };
    let starts = partitions.iter().map(|partition| (partition.clone(), offset)).collect();
    Ok(Places { starts, failed: Vec::new() })
}

fn before_end(
    consumer: &mut Consumer,
    partitions: &[TopicPartition],
    count: i64,
    deadline: Deadline,
) -> Outcome<Places> {
    // A partition that does not answer must leave time for the others.
    let ends = consumer.end_offsets(partitions, deadline.left() / 2)?;
    let mut places = Places { starts: Vec::new(), failed: Vec::new() };
    let mut known = Vec::new();
    for (partition, end) in partitions.iter().zip(ends) {
        match end {
            Ok(end) => known.push((partition.clone(), end)),
            Err(error) => places.failed.push(error),
        }
    }
    let partitions: Vec<TopicPartition> = known.iter().map(|(known, _)| known.clone()).collect();
    let beginnings = consumer.beginning_offsets(&partitions, deadline.left() / 2)?;
    for ((partition, end), beginning) in known.into_iter().zip(beginnings) {
        match beginning {
            Ok(beginning) => {
                let start = end.saturating_sub(count).max(beginning);
                places.starts.push((partition, Offset::At(start)));
            }
            Err(error) => places.failed.push(error),
        }
    }
    Ok(places)
}

/// Returns an error for each partition of which nothing has been heard.
pub(crate) fn unheard(consumer: &Consumer, partitions: &Partitions) -> Vec<Error> {
    let unheard = partitions.silent().filter(|partition| consumer.watermarks(partition).is_none());
    unheard.map(|partition| no_answer(&partition)).collect()
}

/// Returns the error of a partition whose end nobody tells.
pub(crate) fn no_answer(partition: &TopicPartition) -> Error {
    let text = "its leader gave no answer within default.api.timeout.ms";
    Error::new(ErrorKind::Timeout, text).with_partition(&partition.topic, partition.partition)
}
