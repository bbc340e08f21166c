//! `kfetch cat`: prints the records of a topic.

use std::iter::Take;
use std::time::Duration;

use kfetch::client::Iter;
use kfetch::ring::process::{Woken, catch_interrupts, is_interrupted, wait_beside};
use kfetch::{Consumer, Error, EventKind, PartitionEvent, PollLimits, Records};

use crate::args::CatArgs;
use crate::cat_group;
use crate::failure::{Failure, Outcome};
use crate::format::Format;
use crate::message;
use crate::output::Output;
use crate::partitions::Partitions;
use crate::progress::Progress;
use crate::settings;
use crate::start::{Deadline, Patience, Wanted, no_answer, start, unheard};
use crate::start_at::{OffsetArg, StartAt};

/// Few polls for many records, and a handle whose memory is used again.
const LIMITS: PollLimits = PollLimits { max_records: 16 * 1024, max_bytes: usize::MAX };

/// A signal that comes just before a wait begins is noticed when it ends.
const WAIT_MAX: Duration = Duration::from_millis(500);

/// Runs the command.
///
/// # Errors
///
/// [`Failure::Reported`] where a partition failed.
pub(crate) fn run(args: &CatArgs) -> Outcome {
    let format = format(args)?;
    if let Some(group) = &args.group {
        return cat_group::run(args, group, format);
    }
    let [topic] = args.topics.as_slice() else {
        return Err(Failure::Usage("more than one -t goes with -g".to_owned()));
    };
    let mut cat = Cat::start(args, topic, format)?;
    let read = cat.read();
    // What has been read before an error is not lost.
    cat.output.flush()?;
    read?;
    if cat.has_failed { Err(Failure::Reported) } else { Ok(()) }
}

fn format(args: &CatArgs) -> Outcome<Format> {
    let (delimiter, encoding) = (&args.delimiter, args.encoding);
    let format = match &args.format {
        Some(text) => Format::parse(text, encoding)
            .map_err(|error| Failure::Usage(format!("-f '{text}': {error}")))?,
        None if args.json => Format::json(delimiter, encoding),
        None => Format::plain(args.key_delimiter.as_deref(), delimiter, encoding),
    };
    Ok(if args.null { format.with_null() } else { format })
}

/// A read that goes on.
#[derive(Debug)]
struct Cat {
    consumer: Consumer,
    partitions: Partitions,
    /// Until when each partition is to be heard of; none when that has been seen to.
    deadline: Option<Deadline>,
    patience: Patience,
    format: Format,
    output: Output,
    progress: Progress,
    /// How many records are still wanted; none for no limit.
    left: Option<u64>,
    stop_at_ms: Option<i64>,
    ends_at_end: bool,
    is_quiet: bool,
    is_unbuffered: bool,
    has_failed: bool,
}

impl Cat {
    fn start(args: &CatArgs, topic: &str, format: Format) -> Outcome<Self> {
        let config = settings::config(&args.source)?.consumer()?;
        let (mut start_at, mut stop_at_ms) = (StartAt::Beginning, None);
        for offset in &args.offsets {
            match offset {
                OffsetArg::Start(start) => start_at = *start,
                OffsetArg::StopAtMs(ms) => stop_at_ms = Some(*ms),
            }
        }
        let output = Output::new()?;
        let wanted = Wanted { topic, partitions: &args.partitions, start_at };
        let started = start(config, message::logger(args.quiet), &wanted)?;
        // Only now is there something that an interruption must not lose.
        catch_interrupts().map_err(|error| Failure::Error(format!("signals: {error}")))?;
        let mut cat = Self {
            consumer: started.consumer,
            partitions: Partitions::new(topic, started.partitions.into_iter()),
            deadline: Some(started.deadline),
            patience: started.patience,
            format,
            progress: Progress::new("records", args.count, !args.quiet && !output.is_terminal()),
            output,
            left: args.count,
            stop_at_ms,
            ends_at_end: args.exit,
            is_quiet: args.quiet,
            is_unbuffered: args.unbuffered,
            has_failed: false,
        };
        for error in &started.failed {
            cat.fail(error)?;
        }
        Ok(cat)
    }

    fn read(&mut self) -> Outcome {
        while !self.is_done() {
            match self.consumer.poll_with(Duration::ZERO, LIMITS)? {
                Some(records) => {
                    self.patience.renew();
                    self.take(&records)?;
                }
                None => {
                    self.output.flush()?;
                    self.wait()?;
                    self.check_patience()?;
                }
            }
            self.check_deadline()?;
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.left == Some(0) || self.partitions.is_empty() || is_interrupted()
    }

    /// Waits for something to poll, or for the reader of the output to go.
    fn wait(&self) -> Outcome {
        let timeout = self.deadline.map_or(WAIT_MAX, |deadline| deadline.left().min(WAIT_MAX));
        match wait_beside(self.consumer.fd(), self.output.fd(), timeout) {
            Ok(Woken::Look) => Ok(()),
            Ok(Woken::OutputClosed) => Err(Failure::OutputClosed),
            Err(error) => Err(Failure::Error(format!("poll: {error}"))),
        }
    }

    fn take(&mut self, records: &Records) -> Outcome {
        let mut rest = records.iter();
        for run in records.runs() {
            let mut of_run = rest.by_ref().take(run.len());
            if self.partitions.note(run.partition()) {
                self.print(&mut of_run)?;
            }
            if self.left == Some(0) {
                return Ok(());
            }
            // What lies behind a stop.
            of_run.for_each(drop);
        }
        self.progress.add(records.len() as u64);
        records.events().iter().try_for_each(|event| self.handle_event(event))
    }

    /// Prints records of one partition, up to a limit.
    fn print(&mut self, records: &mut Take<&mut Iter<'_>>) -> Outcome {
        for record in records {
            if self.stop_at_ms.is_some_and(|stop| record.timestamp() >= stop) {
                return self.end(record.partition(), "stop timestamp for", record.offset());
            }
            self.output.append(|out| self.format.write(out, &record))?;
            if self.is_unbuffered {
                self.output.flush()?;
            }
            if let Some(left) = &mut self.left {
                *left -= 1;
                if *left == 0 {
                    break;
                }
            }
        }
        Ok(())
    }

    fn handle_event(&mut self, event: &PartitionEvent) -> Outcome {
        if !self.partitions.note(event.partition()) {
            return Ok(());
        }
        let (topic, partition) = (event.topic(), event.partition());
        match event.kind() {
            EventKind::End { offset } if self.ends_at_end => self.end(partition, "end of", *offset),
            EventKind::End { offset } => {
                self.say(&format!("Reached end of topic {topic} [{partition}] at offset {offset}"))
            }
            EventKind::Reset { from, to } => self.say(&format!(
                "Offset {from} is out of range for topic {topic} [{partition}]: reset to {to}"
            )),
            EventKind::Failed { error, sticky: true } => self.fail(error),
            EventKind::Failed { error, .. } => self.say(&message::of(error)),
            _ => Ok(()),
        }
    }

    /// Reads a partition no more.
    fn end(&mut self, partition: i32, what: &str, offset: i64) -> Outcome {
        let Some(ended) = self.partitions.end(partition) else { return Ok(()) };
        self.consumer.incremental_unassign(std::slice::from_ref(&ended))?;
        let exiting = if self.partitions.is_empty() { ": exiting" } else { "" };
        let topic = ended.topic;
        self.say(&format!("Reached {what} topic {topic} [{partition}] at offset {offset}{exiting}"))
    }

    /// Tells of a partition's error; the others go on.
    fn fail(&mut self, error: &Error) -> Outcome {
        self.has_failed = true;
        if let Some(failed) = self.partitions.end(error.partition()) {
            self.consumer.incremental_unassign(&[failed])?;
        }
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

    /// Gives up partitions of which nothing has been heard by the end of the start.
    fn check_deadline(&mut self) -> Outcome {
        if self.deadline.is_none_or(|deadline| !deadline.left().is_zero()) {
            return Ok(());
        }
        self.deadline = None;
        let unheard = unheard(&self.consumer, &self.partitions);
        unheard.iter().try_for_each(|error| self.fail(error))
    }

    /// Gives up what was to be read to its end when nothing has come for too long.
    fn check_patience(&mut self) -> Outcome {
        if !self.ends_at_end || !self.patience.is_over() {
            return Ok(());
        }
        let open: Vec<Error> = self.partitions.open().map(|open| no_answer(&open)).collect();
        open.iter().try_for_each(|error| self.fail(error))
    }
}
