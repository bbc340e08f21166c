//! Reads the answer to a Fetch while it arrives, and skims its batch headers.
//!
//! Nothing is copied and no record is touched: whole batches become runs, ranges of the block
//! that the kernel filled. What a broker says is not trusted: batches of a partition that is not
//! in the request are stepped over, offsets must go up, and the position that the next Fetch is
//! derived from is at most the high watermark that came along.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::call::{Call, FetchCall};
use super::connection::FetchBody;
use super::consumer::FetchConsumer;
use super::failure::Failure;
use super::input::Input;
use super::landing::{Damage, Landed, OpenRun, What};
use crate::error::ErrorKind;
use crate::protocol::ErrorCode;
use crate::protocol::fetch::{
    BadBatch, FetchHeader, LeaderIdAndEpoch, PartitionHeader, PartitionTail, Step, TopicRef,
};
use crate::record::{BatchError, BatchHeader};
use crate::ring::slot::Source;
use crate::topic::TopicName;

/// Where the bytes of an answer are, and who sent them.
struct Place<'a> {
    input: &'a Input,
    source: Source,
}

/// How far an answer has been read.
#[derive(Debug, Default)]
pub struct Progress {
    topic: Option<TopicName>,
    partition: Option<OpenPartition>,
}

/// The partition whose part of the answer is being read.
#[derive(Debug)]
struct OpenPartition {
    /// The cursor that asked for it; none where nobody did.
    cursor: Option<u32>,
    /// The number of the Fetch that is being answered.
    number: u64,
    error_code: ErrorCode,
    high_watermark: i64,
    /// The first offset still wanted.
    next_offset: i64,
    run: Option<OpenRun>,
    /// Whether a batch wholly below the position came.
    stepped_over: bool,
    /// Whether a batch came that moves the position.
    has_progressed: bool,
    /// Whether what follows in this partition is worth nothing.
    given_up: bool,
}

/// What an answer asks the engine to do beside handing batches over.
#[derive(Debug, PartialEq, Eq)]
pub enum Note {
    /// When the broker wants to be left alone for a while (KIP-219).
    Throttle(Duration),
    /// When the answer as a whole is an error.
    Refused(ErrorCode),
    /// When a partition failed.
    PartitionError {
        /// The cursor.
        cursor: u32,
        /// The broker's code.
        code: ErrorCode,
    },
    /// When a partition failed because it has moved (KIP-951).
    LeaderHint {
        /// The cursor.
        cursor: u32,
        /// The broker's code.
        code: ErrorCode,
        /// Where to.
        leader: LeaderIdAndEpoch,
    },
    /// When the answer has been read to its end.
    Done,
}

impl FetchConsumer {
    /// Reads on in an answer as far as it has been received; returns the next note, or `None`
    /// when more has to arrive first.
    ///
    /// # Errors
    ///
    /// When the bytes cannot be an answer: the connection is of no more use.
    pub fn read_answer(
        &mut self,
        body: &mut FetchBody<'_>,
        node: i32,
    ) -> Result<Option<Note>, Failure> {
        if let Call::Fetch(call) = &mut body.request.call {
            self.drop_void(call);
        }
        loop {
            let Call::Fetch(call) = &mut body.request.call else { return Ok(None) };
            let (len, step) = body.decoder.step(body.input.unread())?;
            let place = Place { input: body.input, source: Source::Leader(node) };
            let note = match step {
                Step::NeedMore { at_least } => {
                    self.close_run(&mut call.progress, &place);
                    body.input.set_need(at_least, *body.left);
                    return Ok(None);
                }
                Step::Batch(batch) => {
                    self.handle_batch(batch, &mut call.progress, &place);
                    None
                }
                other => {
                    self.close_run(&mut call.progress, &place);
                    self.handle_step(&other, call)
                }
            };
            body.input.consume(len);
            *body.left -= len;
            if note.is_some() {
                return Ok(note);
            }
        }
    }

    /// Forgets the cursor of the open partition if it was sent elsewhere while the rest of the
    /// answer was on its way: by a seek, or back to before a damaged batch.
    fn drop_void(&self, call: &mut FetchCall) {
        if let Some(open) = &mut call.progress.partition {
            open.cursor = open.cursor.filter(|index| {
                self.cursor(*index).is_some_and(|cursor| cursor.in_flight == Some(call.number))
            });
        }
    }

    fn handle_step(&mut self, step: &Step<'_>, call: &mut FetchCall) -> Option<Note> {
        let progress = &mut call.progress;
        match step {
            Step::Header(header) => Self::handle_header(header),
            Step::Topic(topic) => {
                progress.topic = match topic {
                    TopicRef::Name(name) => self.topic_name(name),
                    TopicRef::Id(_) => None,
                };
                None
            }
            Step::Partition(header) => {
                let topic = progress.topic.as_ref();
                progress.partition = Some(self.open_partition(header, topic, call.number));
                None
            }
            Step::CutBatch { after_whole_batch: false, .. } => {
                self.give_up(progress, "the broker sent a part of a batch and no whole one");
                None
            }
            Step::BadBatch(bad) => {
                let BadBatch { base_offset, batch_length } = bad;
                let text = format!("the batch at {base_offset} says it has {batch_length} bytes");
                self.give_up(progress, &text);
                None
            }
            Step::PartitionEnd(tail) => self.close_partition(progress, tail),
            Step::Done => Some(Note::Done),
            _ => None,
        }
    }

    fn handle_header(header: &FetchHeader) -> Option<Note> {
        if header.error_code != ErrorCode::NONE {
            return Some(Note::Refused(header.error_code));
        }
        let throttle_ms = u64::try_from(header.throttle_time_ms).unwrap_or(0);
        (throttle_ms > 0).then(|| Note::Throttle(Duration::from_millis(throttle_ms)))
    }

    fn open_partition(
        &mut self,
        header: &PartitionHeader,
        topic: Option<&TopicName>,
        number: u64,
    ) -> OpenPartition {
        let index = topic.and_then(|topic| self.cursor_index(topic, header.partition_index));
        let asked = index.filter(|index| self.awaits(*index, number));
        let mut next_offset = -1;
        if let Some(cursor) = asked.and_then(|index| self.cursor_mut(index)) {
            next_offset = cursor.landed_offset;
            cursor.lane.set_ends(
                header.high_watermark,
                header.last_stable_offset,
                header.log_start_offset,
            );
        }
        OpenPartition {
            cursor: asked,
            number,
            error_code: header.error_code,
            high_watermark: header.high_watermark,
            next_offset,
            run: None,
            stepped_over: false,
            has_progressed: false,
            given_up: header.error_code != ErrorCode::NONE,
        }
    }

    /// Adds a whole batch, which begins at the input's position, to the open run, or begins one.
    fn handle_batch(&mut self, batch: &[u8], progress: &mut Progress, place: &Place<'_>) {
        let Some(open) = progress.partition.as_mut() else { return };
        let Some(index) = self.asker(open).filter(|_| !open.given_up) else { return };
        match open.skim(batch) {
            Ok(None) => {
                open.stepped_over = true;
                self.close_run(progress, place);
            }
            Ok(Some(next_offset)) => {
                open.extend(place.input.position(), batch.len(), next_offset);
                // What follows is fetched from here on, even before this batch is verified.
                if let Some(cursor) = self.cursor_mut(index) {
                    cursor.landed_offset = next_offset;
                    cursor.fetch_offset = next_offset;
                    cursor.served = true;
                }
            }
            Err(damage) => {
                open.given_up = true;
                self.close_run(progress, place);
                self.land(index, What::Damage(damage));
            }
        }
    }

    /// Ends the open run: what follows in the block does not belong to it.
    fn close_run(&mut self, progress: &mut Progress, place: &Place<'_>) {
        let Some(open) = progress.partition.as_mut() else { return };
        let (Some(run), Some(index)) = (open.run.take(), self.asker(open)) else { return };
        let Some(bytes) = place.input.slice(run.start..run.end) else { return };
        let run = run.close(bytes, open.high_watermark, place.source);
        self.land(index, What::Run(run));
    }

    fn give_up(&mut self, progress: &mut Progress, text: &str) {
        let Some(open) = progress.partition.as_mut() else { return };
        let Some(index) = self.asker(open).filter(|_| !open.given_up) else { return };
        open.given_up = true;
        self.land(index, What::Damage(Damage::corrupt(open.next_offset, text)));
    }

    /// Tells whether a cursor still waits for the answer to this Fetch. It does not any more when
    /// it has been sought, stopped, set back or let go since, which may happen between any two
    /// reads of the answer.
    fn awaits(&self, index: u32, number: u64) -> bool {
        self.cursor(index).is_some_and(|cursor| cursor.in_flight == Some(number))
    }

    /// Returns the cursor that asked for a partition, as long as it waits for it.
    fn asker(&self, open: &OpenPartition) -> Option<u32> {
        open.cursor.filter(|index| self.awaits(*index, open.number))
    }

    fn land(&mut self, index: u32, what: What) {
        if let Some(generation) = self.cursor(index).map(|cursor| cursor.generation) {
            self.landed.push(Landed { cursor: index, generation, what });
        }
    }

    fn close_partition(&mut self, progress: &mut Progress, tail: &PartitionTail) -> Option<Note> {
        let open = progress.partition.as_ref()?;
        if open.stepped_over && !open.has_progressed {
            self.give_up(progress, "the broker sent only batches below the position");
        }
        let open = progress.partition.take()?;
        let index = self.asker(&open)?;
        let is_eof_told = self.settings().partition_eof;
        let cursor = self.cursor_mut(index)?;
        cursor.in_flight = None;
        if open.error_code != ErrorCode::NONE {
            return Some(match tail.current_leader {
                leader if leader.leader_id >= 0 => {
                    Note::LeaderHint { cursor: index, code: open.error_code, leader }
                }
                _ => Note::PartitionError { cursor: index, code: open.error_code },
            });
        }
        cursor.retry_at = None;
        cursor.backoff.reset();
        cursor.unknown = 0;
        let end = open.next_offset;
        let at_end = !open.given_up && end >= open.high_watermark;
        if is_eof_told && at_end && cursor.end_told != Some(end) {
            cursor.end_told = Some(end);
            self.land(index, What::End(end));
        }
        None
    }
}

impl OpenPartition {
    /// Adds a batch to the open run, or begins one with it.
    fn extend(&mut self, start: usize, len: usize, next_offset: i64) {
        let from_offset = self.next_offset;
        let end = start + len;
        match &mut self.run {
            Some(run) => (run.end, run.next_offset) = (end, next_offset),
            None => self.run = Some(OpenRun { start, end, from_offset, next_offset }),
        }
        self.next_offset = next_offset;
        self.has_progressed = true;
    }

    /// Looks at a batch's header; returns the offset behind the batch, or `None` where all of it
    /// lies below what was asked for.
    fn skim(&self, batch: &[u8]) -> Result<Option<i64>, Damage> {
        let header = BatchHeader::parse(batch).map_err(|error| self.damage(&error))?;
        let next_offset = header.next_offset();
        if next_offset <= self.next_offset {
            return match self.has_progressed {
                false => Ok(None),
                true => Err(Damage::corrupt(
                    self.next_offset,
                    format!("a batch at offset {} follows", header.base_offset),
                )),
            };
        }
        if self.has_progressed && header.base_offset < self.next_offset {
            let text = format!("a batch at offset {} overlaps the one before", header.base_offset);
            return Err(Damage::corrupt(self.next_offset, text));
        }
        if next_offset > self.high_watermark {
            let text = format!(
                "a batch ends at offset {}, at or above the high watermark {}",
                header.last_offset(),
                self.high_watermark
            );
            return Err(Damage::corrupt(self.next_offset, text));
        }
        Ok(Some(next_offset))
    }

    fn damage(&self, error: &BatchError) -> Damage {
        let is_foreign = matches!(error, BatchError::UnsupportedMagic(_));
        let kind = if is_foreign { ErrorKind::Unsupported } else { ErrorKind::Corrupt };
        Damage { offset: self.next_offset, kind, text: error.to_string() }
    }
}
