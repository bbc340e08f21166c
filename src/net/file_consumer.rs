//! One consumer's partitions of log directories, on the file thread: commands and changes.
//!
//! Reading them is in [`file_read`](super::file_read), questions in
//! [`file_question`](super::file_question).

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use super::file_cursor::{FileCursor, State};
use super::file_watch::{Place, Watched, Watches};
use crate::buffer::{Budget, Pool};
use crate::error::{Error, ErrorKind};
use crate::fetch::call::ConsumerId;
use crate::fetch::consumer::FetchSettings;
use crate::fetch::cursor::{NewPartition, StartAt};
use crate::log::{LogDirs, PartitionReader, ReadMode};
use crate::logger::Logger;
use crate::protocol::ErrorCode;
use crate::protocol::list_offsets::{EARLIEST_TIMESTAMP, LATEST_TIMESTAMP};
use crate::ring::SlotKind;
use crate::ring::bridge::Bridge;

/// Bytes of blocks that are kept for the next read.
const POOL_KEPT_MAX: usize = 8 * 1024 * 1024;

/// One consumer.
#[derive(Debug)]
pub(super) struct FileConsumer {
    id: ConsumerId,
    pub(super) dirs: LogDirs,
    pub(super) mode: ReadMode,
    pub(super) settings: FetchSettings,
    pub(super) bridge: Arc<Bridge>,
    pub(super) budget: Arc<Budget>,
    pub(super) logger: Arc<Logger>,
    pub(super) pool: Pool,
    pub(super) cursors: BTreeMap<u32, FileCursor>,
    /// Cursors that may have something to read, in turn.
    pub(super) listed: VecDeque<u32>,
    /// Cursors whose lane had no room for all of their slots.
    pub(super) spilled: Vec<u32>,
    /// Whether reading waits for credit.
    pub(super) is_starved: bool,
    /// The watches of the log directories themselves.
    roots: Vec<Watched>,
}

impl FileConsumer {
    /// Makes a consumer without partitions.
    pub(super) fn new(
        id: ConsumerId,
        (dirs, mode): (LogDirs, ReadMode),
        settings: FetchSettings,
        (bridge, budget): (Arc<Bridge>, Arc<Budget>),
        logger: Arc<Logger>,
        watches: &mut Watches,
    ) -> Self {
        let watch = |path| watches.watch(path, Place::Root(id));
        let roots = dirs.paths().map(watch).collect();
        Self {
            id,
            dirs,
            mode,
            settings,
            bridge,
            budget,
            logger,
            pool: Pool::new(POOL_KEPT_MAX),
            cursors: BTreeMap::new(),
            listed: VecDeque::new(),
            spilled: Vec::new(),
            is_starved: false,
            roots,
        }
    }

    /// Lets everything go.
    pub(super) fn handle_close(&mut self, watches: &mut Watches) {
        let all: Vec<u32> = self.cursors.keys().copied().collect();
        self.handle_unassign(&all, watches);
        for root in &self.roots {
            watches.unwatch(*root, Place::Root(self.id));
        }
    }

    /// Takes partitions on.
    pub(super) fn handle_assign(
        &mut self,
        new: Vec<NewPartition>,
        watches: &mut Watches,
        now: Instant,
    ) {
        for new in new {
            let index = new.index;
            self.cursors.insert(index, FileCursor::new(new));
            self.find(index, watches, now);
        }
        self.bridge.application().notify();
    }

    /// Lets partitions go.
    pub(super) fn handle_unassign(&mut self, indexes: &[u32], watches: &mut Watches) {
        for index in indexes {
            if let Some(cursor) = self.cursors.remove(index) {
                watches.unwatch(cursor.watched, Place::Partition(self.id, *index));
            }
        }
        self.listed.retain(|index| self.cursors.contains_key(index));
        self.spilled.retain(|index| self.cursors.contains_key(index));
    }

    /// Moves positions.
    pub(super) fn handle_seek(
        &mut self,
        seeks: &[(u32, u32, StartAt)],
        watches: &mut Watches,
        now: Instant,
    ) {
        for (index, stamp, start) in seeks {
            let Some(cursor) = self.cursors.get_mut(index) else { continue };
            cursor.handle_stamp(*stamp);
            if cursor.reader.is_some() {
                self.begin(*index, *start, None, now);
            } else {
                cursor.state = State::Missing { start: *start };
                self.find(*index, watches, now);
            }
            self.note_spill(*index);
        }
        self.bridge.application().notify();
    }

    /// Stops a partition until a seek: the polling thread met a record that it cannot read.
    pub(super) fn handle_halt(&mut self, index: u32, stamp: u32) {
        if let Some(cursor) = self.cursors.get_mut(&index) {
            cursor.handle_stamp(stamp);
            cursor.state = State::Failed;
        }
    }

    /// Pauses partitions or goes on with them; what has been read stays.
    pub(super) fn handle_pause(&mut self, indexes: &[u32], paused: bool) {
        for index in indexes {
            if let Some(cursor) = self.cursors.get_mut(index) {
                cursor.paused = paused;
                self.list(*index);
            }
        }
    }

    /// Goes on after credit has come back, or a ring has drained.
    pub(super) fn handle_attention(&mut self) {
        self.budget.stop_wanting();
        self.is_starved = false;
        for index in std::mem::take(&mut self.spilled) {
            let Some(cursor) = self.cursors.get_mut(&index) else { continue };
            cursor.lane.flush();
            if cursor.lane.is_spilled() {
                self.spilled.push(index);
            } else {
                self.list(index);
            }
        }
        self.bridge.application().notify();
    }

    /// Looks again at a partition whose directory has changed.
    pub(super) fn handle_change(&mut self, index: u32) {
        if let Some(cursor) = self.cursors.get_mut(&index)
            && matches!(cursor.state, State::AtEnd)
        {
            cursor.state = State::Reading;
            self.list(index);
        }
    }

    /// Looks again at everything that waits for a change: a checkpoint may have been written, or a
    /// partition made.
    pub(super) fn handle_root_change(&mut self, watches: &mut Watches, now: Instant) {
        let waiting = self.cursors.iter().filter(|(_, cursor)| cursor.waits_for_change());
        let waiting: Vec<u32> = waiting.map(|(index, _)| *index).collect();
        self.look_at(&waiting, watches, now);
    }

    /// Looks again at what waits for a change that nobody tells of.
    pub(super) fn look_at_unwatched(&mut self, watches: &mut Watches, now: Instant) {
        let is_blind = self.is_blind();
        let unwatched: Vec<u32> = self
            .cursors
            .iter()
            .filter(|(_, cursor)| {
                cursor.waits_for_change() && (is_blind || cursor.watched == Watched::No)
            })
            .map(|(index, _)| *index)
            .collect();
        self.look_at(&unwatched, watches, now);
    }

    fn look_at(&mut self, indexes: &[u32], watches: &mut Watches, now: Instant) {
        for index in indexes {
            match self.cursors.get(index).map(|cursor| &cursor.state) {
                Some(State::Missing { .. }) => self.find(*index, watches, now),
                Some(State::AtEnd) => self.handle_change(*index),
                _ => {}
            }
            self.note_spill(*index);
        }
        self.bridge.application().notify();
    }

    /// Looks for a partition's directory, and begins where it was told to.
    fn find(&mut self, index: u32, watches: &mut Watches, now: Instant) {
        let Some(cursor) = self.cursors.get_mut(&index) else { return };
        let State::Missing { start } = cursor.state else { return };
        let place = Place::Partition(self.id, index);
        let (topic, partition) = (cursor.topic.as_str(), cursor.partition);
        let found = match self.dirs.partition(topic, partition) {
            Ok(Some(found)) => found,
            Ok(None) => return self.tell_missing(index),
            Err(error) => return cursor.fail(error),
        };
        // Watched first: what changes after the reader's look is told.
        let watched = watches.watch(&found.path, place);
        if watched != cursor.watched {
            watches.unwatch(cursor.watched, place);
            cursor.watched = watched;
        }
        match PartitionReader::open(&found, self.mode) {
            Ok(reader) => {
                cursor.reader = Some(reader);
                cursor.publish_ends();
                self.begin(index, start, None, now);
            }
            Err(error) => cursor.fail(error),
        }
    }

    /// Tells the application, once, of a partition that is not there; the search goes on.
    fn tell_missing(&mut self, index: u32) {
        let Some(cursor) = self.cursors.get_mut(&index) else { return };
        if std::mem::replace(&mut cursor.missing_told, true) {
            return;
        }
        let error = unknown(cursor.topic.as_str(), cursor.partition);
        cursor.hand_over(SlotKind::Failed { error: Box::new(error), sticky: false });
        self.bridge.application().notify();
    }

    /// Begins at a position, which may have to be looked up; `from` is the one that was out of
    /// range, if that is why.
    pub(super) fn begin(&mut self, index: u32, start: StartAt, from: Option<i64>, now: Instant) {
        let policy = self.settings.reset_timestamp(now);
        let Some(cursor) = self.cursors.get_mut(&index) else { return };
        let timestamp = match start {
            StartAt::Offset(offset) => {
                cursor.start_at(offset);
                return self.list(index);
            }
            StartAt::Timestamp(timestamp) => Some(timestamp),
            StartAt::Policy => policy,
        };
        let Some(timestamp) = timestamp else {
            let error = no_offset(from).with_partition(cursor.topic.as_str(), cursor.partition);
            return cursor.fail(error);
        };
        let Some(reader) = &mut cursor.reader else { return };
        match look_up(reader, timestamp) {
            Ok(offset) if from == Some(offset) => {
                let text = format!("offset {offset} is an end of the log and out of its range");
                let error = Error::new(ErrorKind::Corrupt, text).with_offset(offset);
                cursor.fail(error.with_partition(cursor.topic.as_str(), cursor.partition));
            }
            Ok(offset) => {
                cursor.start_at(offset);
                cursor.hand_over(match from {
                    Some(from) => SlotKind::Reset { from, to: offset },
                    None => SlotKind::Start { offset },
                });
                self.list(index);
            }
            Err(error) => cursor.fail(error),
        }
    }

    /// Remembers a cursor whose lane had no room for all that was handed over.
    pub(super) fn note_spill(&mut self, index: u32) {
        let cursor = self.cursors.get(&index);
        if cursor.is_some_and(|cursor| cursor.lane.is_spilled()) && !self.spilled.contains(&index) {
            self.spilled.push(index);
        }
    }

    /// Puts a cursor on the list of those to be read.
    pub(super) fn list(&mut self, index: u32) {
        if let Some(cursor) = self.cursors.get_mut(&index)
            && cursor.is_readable()
            && !cursor.is_listed
        {
            cursor.is_listed = true;
            self.listed.push_back(index);
        }
    }

    /// Returns what this consumer shares with the polling thread.
    pub(super) fn bridge(&self) -> &Bridge {
        &self.bridge
    }

    /// Tells whether there is something to do at once.
    pub(super) fn has_work(&self) -> bool {
        self.bridge.has_attention() || (!self.listed.is_empty() && !self.is_starved)
    }

    /// Tells whether somebody has to look from time to time.
    pub(super) fn has_unwatched(&self) -> bool {
        let is_blind = self.is_blind();
        let mut waiting = self.cursors.values().filter(|cursor| cursor.waits_for_change());
        waiting.any(|cursor| is_blind || cursor.watched == Watched::No)
    }

    fn is_blind(&self) -> bool {
        self.roots.contains(&Watched::No)
    }
}

/// Finds the offset that a time, or one of the constants of ListOffsets, stands for.
pub(super) fn look_up(reader: &mut PartitionReader, timestamp: i64) -> Result<i64, Error> {
    match timestamp {
        EARLIEST_TIMESTAMP => Ok(reader.log_start_offset()),
        LATEST_TIMESTAMP => Ok(reader.high_watermark()),
        timestamp => {
            let found = reader.offset_for_time(timestamp)?;
            // No record is as late as that: the end is where the first one will be.
            Ok(found.map_or_else(|| reader.high_watermark(), |(offset, _)| offset))
        }
    }
}

/// Says that there is no such partition in the log directories.
pub(super) fn unknown(topic: &str, partition: i32) -> Error {
    let text = "there is no such partition in log.dirs";
    Error::new(ErrorKind::UnknownTopicOrPartition, text)
        .with_code(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0)
        .with_partition(topic, partition)
}

/// Says that there is no position and the policy gives none.
fn no_offset(from: Option<i64>) -> Error {
    match from {
        Some(from) => {
            let text = "the offset is out of range and auto.offset.reset is none";
            Error::new(ErrorKind::OffsetOutOfRange, text)
                .with_code(ErrorCode::OFFSET_OUT_OF_RANGE.0)
                .with_offset(from)
        }
        None => {
            let text = "no offset is known and auto.offset.reset is none";
            Error::new(ErrorKind::NoOffset, text)
        }
    }
}
