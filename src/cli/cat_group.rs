//! `kfetch cat -g`: prints records as a member of a group, and commits what is printed.
//!
//! What a poll returned is written out before the next poll, which is where commits happen: a
//! record may be printed twice after a crash, and is never lost.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kfetch::coordinator::subscription::Pattern;
use kfetch::ring::process::{
    Woken, catch_hang_up, catch_interrupts, is_hung_up, is_interrupted, wait_beside,
};
use kfetch::{
    Consumer, Engine, Error, ErrorKind, EventKind, Offset, PartitionEvent, PollLimits,
    RebalanceListener, Records, TopicPartition,
};

use crate::args::CatArgs;
use crate::failure::{Failure, Outcome};
use crate::format::Format;
use crate::message;
use crate::output::Output;
use crate::progress::{Progress, waiting_for};
use crate::settings;
use crate::start::{Deadline, Patience, Wanted, find, no_answer, refuse_brokers_groups};
use crate::start_at::{OffsetArg, StartAt};

/// Few polls for many records.
const RECORDS_MAX: usize = 16 * 1024;

/// A signal that comes just before a wait begins is noticed when it ends.
const WAIT_MAX: Duration = Duration::from_millis(500);

/// How long the last commit and the farewell may take, each.
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs the command.
///
/// # Errors
///
/// [`Failure::Reported`] where a partition failed, and what ended the membership.
pub(crate) fn run(args: &CatArgs, group: &str, format: Format) -> Outcome {
    let mut cat = GroupCat::start(args, group, format)?;
    let read = cat.read();
    // What has been read before an error is not lost, and not printed again.
    let ended = cat.end();
    if is_hung_up() {
        // Writing to a terminal that has gone fails as well: the farewell is what counts.
        if let Err(Failure::Error(text)) = &ended {
            message::error(text);
        }
        return Err(Failure::HungUp);
    }
    read?;
    ended?;
    if cat.has_failed { Err(Failure::Reported) } else { Ok(()) }
}

/// A member that prints.
#[derive(Debug)]
struct GroupCat {
    consumer: Consumer,
    rebalances: Rebalances,
    /// Partitions that are read to their ends, or failed.
    ended: HashSet<TopicPartition>,
    patience: Patience,
    format: Format,
    output: Output,
    progress: Progress,
    /// Where the records begin that may not be written out, in order of their offsets.
    unwritten: Vec<(TopicPartition, i64)>,
    /// How many records are still wanted; none for no limit.
    left: Option<u64>,
    /// Whether the group has said, once at least, what is this member's.
    has_assignment: bool,
    ends_at_end: bool,
    is_quiet: bool,
    is_unbuffered: bool,
    has_failed: bool,
}

/// What has happened to the partitions since it was last looked at, shared with the listener.
#[derive(Clone, Debug, Default)]
struct Rebalances(Arc<Mutex<Vec<Rebalance>>>);

#[derive(Debug)]
struct Rebalance {
    text: String,
    is_assignment: bool,
    /// What is not this member's any more.
    gone: Vec<TopicPartition>,
}

impl Rebalances {
    fn push(&self, consumer: &Consumer, what: &str, partitions: &[TopicPartition], is_gone: bool) {
        let (group, member) = consumer
            .group_metadata()
            .map_or_else(|_| Default::default(), |known| (known.group_id, known.member_id));
        let sorted: BTreeSet<_> = partitions.iter().collect();
        let named = sorted.iter().map(|one| format!("{} [{}]", one.topic, one.partition));
        let named: Vec<String> = named.collect();
        let named = if named.is_empty() { "nothing".to_owned() } else { named.join(", ") };
        let text = format!("Group {group} rebalanced (memberid {member}): {what}: {named}");
        let gone = if is_gone { partitions.to_vec() } else { Vec::new() };
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        list.push(Rebalance { text, is_assignment: !is_gone, gone });
    }

    fn take(&self) -> Vec<Rebalance> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl RebalanceListener for Rebalances {
    fn assigned(&mut self, consumer: &mut Consumer, partitions: &[TopicPartition]) {
        self.push(consumer, "assigned", partitions, false);
    }

    fn revoked(&mut self, consumer: &mut Consumer, partitions: &[TopicPartition]) {
        self.push(consumer, "revoked", partitions, true);
    }

    fn lost(&mut self, consumer: &mut Consumer, partitions: &[TopicPartition]) {
        self.push(consumer, "lost", partitions, true);
    }
}

impl GroupCat {
    fn start(args: &CatArgs, group: &str, format: Format) -> Outcome<Self> {
        let mut config = settings::config(&args.source)?.with("group.id", group)?;
        if let Some(reset) = reset(args)? {
            config.set("auto.offset.reset", reset)?;
        } else if !config.iter().any(|(name, _)| name == "auto.offset.reset") {
            config.set("auto.offset.reset", "earliest")?;
        }
        let config = config.consumer()?;
        refuse_brokers_groups(&config.source)?;
        let patience = Patience::new(config.default_api_timeout);
        let deadline = Deadline::after(config.default_api_timeout);
        let output = Output::new()?;
        let engine = Engine::with_logger(message::logger(args.quiet))?;
        let mut consumer = Consumer::with_engine(&engine, config)?;
        let rebalances = Rebalances::default();
        consumer.set_rebalance_listener(Some(Box::new(rebalances.clone())))?;
        waiting_for("the brokers", || subscribe(&mut consumer, &args.topics, deadline))?;
        catch_interrupts()
            .and_then(|()| catch_hang_up())
            .map_err(|error| Failure::Error(format!("signals: {error}")))?;
        Ok(Self {
            consumer,
            rebalances,
            ended: HashSet::new(),
            patience,
            format,
            progress: Progress::new("records", args.count, !args.quiet && !output.is_terminal()),
            output,
            unwritten: Vec::new(),
            left: args.count,
            has_assignment: false,
            ends_at_end: args.exit,
            is_quiet: args.quiet,
            is_unbuffered: args.unbuffered,
            has_failed: false,
        })
    }

    fn read(&mut self) -> Outcome {
        while !self.is_done() {
            // Positions are those of what has been printed: no poll brings more than is wanted.
            let left = self.left.and_then(|left| usize::try_from(left).ok());
            let max_records = left.map_or(RECORDS_MAX, |left| left.min(RECORDS_MAX));
            let limits = PollLimits { max_records, max_bytes: usize::MAX };
            let polled = self.consumer.poll_with(Duration::ZERO, limits);
            self.take_rebalances()?;
            match polled {
                Ok(Some(records)) => {
                    self.patience.renew();
                    self.take(&records)?;
                }
                Ok(None) if self.matches_nothing() => return self.say("no topic matches"),
                Ok(None) => {
                    self.wait()?;
                    self.check_patience()?;
                }
                Err(error) if error.is_fatal() => return Err(error.into()),
                Err(error) if error.is_retriable() => self.say(&message::of(&error))?,
                Err(error) => self.fail(&error)?,
            }
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.left == Some(0) || is_interrupted() || self.ends_at_end && self.is_at_end()
    }

    /// Tells whether all that is assigned has been read; a member without partitions waits for
    /// some, since others may go before it.
    fn is_at_end(&self) -> bool {
        let assigned = self.consumer.assignment();
        !assigned.is_empty() && assigned.iter().all(|partition| self.ended.contains(partition))
    }

    /// Tells whether a member that ends at the end has nothing that it could read: no topic's name
    /// matches its patterns. Named topics are there from the start.
    fn matches_nothing(&self) -> bool {
        self.ends_at_end && self.has_assignment && self.consumer.subscription().is_empty()
    }

    fn wait(&self) -> Outcome {
        match wait_beside(self.consumer.fd(), self.output.fd(), WAIT_MAX) {
            Ok(Woken::Look) => Ok(()),
            Ok(Woken::OutputClosed) => Err(Failure::OutputClosed),
            Err(error) => Err(Failure::Error(format!("poll: {error}"))),
        }
    }

    /// Prints records.
    fn take(&mut self, records: &Records) -> Outcome {
        let mut rest = records.iter();
        for run in records.runs() {
            for (place, record) in rest.by_ref().take(run.len()).enumerate() {
                if place == 0 {
                    let partition = TopicPartition::new(run.topic(), run.partition());
                    self.unwritten.push((partition, record.offset()));
                }
                self.output.append(|out| self.format.write(out, &record))?;
                if self.is_unbuffered {
                    self.output.flush()?;
                }
            }
        }
        self.output.flush()?;
        self.unwritten.clear();
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(records.len() as u64);
        }
        self.progress.add(records.len() as u64);
        records.events().iter().try_for_each(|event| self.handle_event(event))
    }

    fn handle_event(&mut self, event: &PartitionEvent) -> Outcome {
        let (topic, partition) = (event.topic(), event.partition());
        let name = TopicPartition::new(topic, partition);
        match event.kind() {
            EventKind::End { offset } => {
                self.ended.insert(name);
                let exits = self.ends_at_end && self.is_at_end();
                let exiting = if exits { ": exiting" } else { "" };
                self.say(&format!(
                    "Reached end of topic {topic} [{partition}] at offset {offset}{exiting}"
                ))
            }
            EventKind::Reset { from, to } => self.say(&format!(
                "Offset {from} is out of range for topic {topic} [{partition}]: reset to {to}"
            )),
            EventKind::Failed { error, sticky: true } => {
                self.ended.insert(name);
                self.fail(error)
            }
            EventKind::Failed { error, .. } => self.say(&message::of(error)),
            _ => Ok(()),
        }
    }

    fn take_rebalances(&mut self) -> Outcome {
        for rebalance in self.rebalances.take() {
            self.patience.renew();
            self.has_assignment |= rebalance.is_assignment;
            rebalance.gone.iter().for_each(|gone| {
                self.ended.remove(gone);
            });
            self.say(&rebalance.text)?;
        }
        Ok(())
    }

    /// Gives up what was to be read to its end when nothing has come for too long.
    fn check_patience(&mut self) -> Outcome {
        let assigned = self.consumer.assignment();
        if !self.ends_at_end || assigned.is_empty() || !self.patience.is_over() {
            return Ok(());
        }
        for open in assigned {
            if self.ended.insert(open.clone()) {
                self.fail(&no_answer(&open))?;
            }
        }
        Ok(())
    }

    /// Tells of an error; the rest goes on.
    fn fail(&mut self, error: &Error) -> Outcome {
        self.has_failed = true;
        self.output.flush()?;
        self.progress.beside(|| message::error(&message::of(error)));
        Ok(())
    }

    /// Says something that is no error, behind the records that came before it.
    fn say(&mut self, text: &str) -> Outcome {
        if !self.is_quiet {
            self.output.flush()?;
            self.progress.beside(|| message::line(format_args!("% {text}")));
        }
        Ok(())
    }

    /// Writes out what is printed, commits it and leaves the group.
    fn end(&mut self) -> Outcome {
        // What nobody has read is the next member's; the first place of a partition counts.
        for (partition, offset) in self.unwritten.drain(..).rev() {
            self.consumer.seek(&partition, Offset::At(offset))?;
        }
        let commits = self.consumer.config().group.as_ref();
        let commits = commits.is_some_and(|group| group.auto_commit.is_some());
        let committed = match commits && !self.consumer.assignment().is_empty() {
            true => self.consumer.commit_sync(END_TIMEOUT),
            false => Ok(()),
        };
        let closed = self.consumer.close(END_TIMEOUT);
        self.take_rebalances()?;
        match committed {
            // The group is being rebalanced: the farewell has committed.
            Err(error) if error.kind() == ErrorKind::RebalanceInProgress => {}
            committed => committed?,
        }
        Ok(closed?)
    }
}

/// Returns where a group begins that has committed nothing, if `-o` says so.
fn reset(args: &CatArgs) -> Outcome<Option<&'static str>> {
    let mut reset = None;
    for offset in &args.offsets {
        reset = Some(match offset {
            OffsetArg::Start(StartAt::Beginning) => "earliest",
            OffsetArg::Start(StartAt::End) => "latest",
            _ => {
                let text = "with -g, -o may be beginning or end, for a group without offsets";
                return Err(Failure::Usage(text.to_owned()));
            }
        });
    }
    Ok(reset)
}

/// Subscribes to topics, of which those with a `^` before them are patterns. Names must exist.
fn subscribe(consumer: &mut Consumer, topics: &[String], deadline: Deadline) -> Outcome {
    let is_pattern = |topic: &&String| topic.starts_with('^');
    for topic in topics.iter().filter(is_pattern) {
        // Each by itself, as it was written: the error is about one of them.
        Pattern::new(topic)?;
    }
    for topic in topics.iter().filter(|topic| !is_pattern(topic)) {
        let wanted = Wanted { topic, partitions: &[], start_at: StartAt::Beginning };
        find(consumer, &wanted, deadline)?;
    }
    if !topics.iter().any(|topic| is_pattern(&topic)) {
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        return Ok(consumer.subscribe(&names)?);
    }
    // Brokers that cannot be reached are told of now.
    consumer.list_topics(deadline.left())?;
    Ok(consumer.subscribe_pattern(&pattern(topics))?)
}

/// Makes one pattern of names and patterns.
fn pattern(topics: &[String]) -> String {
    let part = |topic: &String| match topic.strip_prefix('^') {
        Some(pattern) => format!("(?:{pattern})"),
        // Of what a name may have in it, only the dot means something.
        None => topic.replace('.', "\\."),
    };
    topics.iter().map(part).collect::<Vec<_>>().join("|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_patterns_make_one_pattern() {
        let topics = ["a.b", "^c|d.*", "^"].map(str::to_owned);
        assert_eq!(pattern(&topics), "a\\.b|(?:c|d.*)|(?:)");
    }
}
