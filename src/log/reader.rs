//! Reads one partition's batches in the order of their offsets, and follows its growth.
//!
//! # What may be read
//!
//! Nothing at or above the high watermark. That is the offset of `replication-offset-checkpoint`,
//! held to the batches that are there. Where the checkpoint does not name the partition (a copy of
//! single directories, or a broker that has had the partition for less than five seconds), it is
//! the end of the whole batches found: without a word of a broker, what is in the log is all that
//! can be known, and a copy could not be read otherwise.
//!
//! # What ends where
//!
//! | found                                   | sealed segment              | active segment      |
//! |-----------------------------------------|-----------------------------|---------------------|
//! | the file ends behind a batch            | the next segment            | [`Chunk::End`]      |
//! | the file ends inside of a batch         | damage                      | end, or damage (1)  |
//! | zeros                                   | next if it goes on here (2) | end, or damage (1)  |
//! | a bad magic, length, count; offsets that go back | damage             | damage              |
//! | a batch that reaches into the next segment | damage                   |                     |
//!
//! (1) Damage if the checkpoint's offset is above. (2) Damage if offsets are missing in between.
//!
//! An active segment that ends in front of its checkpoint's offset, behind a batch, is damaged
//! where kfetch wrote it; a broker may have truncated it and write the checkpoint in a moment.
//! Before anything is called damaged or out of range, directory, checkpoints and place are looked
//! at once more, since a broker may have renamed, replaced or cut files just then.
//!
//! # What it does not do
//!
//! It verifies no checksum of what it hands out, takes no lock and makes no file. It never reads
//! an index or a checkpoint by mapping.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::cursor::{Cursor, Filled, Supply};
use super::directory::PartitionDir;
use super::headers::{Fault, HeaderWalk, Place, Stop, Window};
use super::hint::place_before_offset;
use super::listing::Listing;
use super::segment::Segment;
use super::tail::Tail;
use crate::buffer::{Budget, Pool, Slice, is_on_read_only_file_system};
use crate::error::{Error, ErrorKind, Result};

/// Attempts to open a segment that a broker is replacing.
const OPEN_ATTEMPTS: usize = 5;

/// Steps of one read beyond those that its segments account for.
const STEPS_SPARE: usize = 64;

/// How sealed segments are read; the active one is always read into blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ReadMode {
    /// When they are mapped where nobody truncates them: in a directory that no broker owns, and
    /// on a read-only file system.
    #[default]
    Auto,
    /// When they are mapped. If anybody truncates a file meanwhile, the process may end by SIGBUS.
    Mmap,
    /// When they are read into blocks.
    Pread,
}

/// What one read gave.
#[derive(Clone, Debug)]
pub enum Chunk {
    /// When there are batches: whole ones, one behind the other, whose headers have been parsed
    /// and whose checksums nobody has looked at.
    Run {
        /// The batches, in one block or map.
        bytes: Slice,
        /// The position before; records below it are not wanted.
        from_offset: i64,
        /// The position now: one behind the last batch's last offset.
        next_offset: i64,
    },
    /// When the budget gave no block.
    NoCredit {
        /// What would do; at most the budget's limit.
        wanted_bytes: usize,
    },
    /// When there is nothing more below the bound at the last look.
    End {
        /// The position.
        offset: i64,
    },
    /// When the partition does not hold the position, or not any more.
    OutOfRange {
        /// The log start offset.
        start: i64,
        /// The high watermark.
        end: i64,
    },
    /// When no batch can be read at the position; it stays so until a seek.
    Damaged {
        /// The position.
        offset: i64,
        /// [`ErrorKind::Corrupt`], or [`ErrorKind::Unsupported`] for an old format.
        kind: ErrorKind,
        /// What is wrong, and in which file.
        text: String,
    },
}

/// The reader of one partition of a log directory.
///
/// # Threads
///
/// One at a time; every call may wait for a disk.
#[derive(Debug)]
pub struct PartitionReader {
    pub(super) dir: PartitionDir,
    /// Whether sealed segments are mapped.
    maps_sealed: bool,
    pub(super) listing: Listing,
    /// The end of the active segment; `None` where there is no segment.
    tail: Option<Tail>,
    /// The high watermark's checkpoint.
    checkpoint: Option<i64>,
    /// The log start offset's checkpoint.
    start_checkpoint: Option<i64>,
    log_start: i64,
    high_watermark: i64,
    position: i64,
    /// Where the batch of the position is, or the first behind it; `None` until it is looked for.
    cursor: Option<Cursor>,
    /// What is to be told until a seek.
    damage: Option<Fault>,
    /// Whether everything was looked at again since something wrong was seen.
    looked_again: bool,
    /// How many segments in a row were gone when they were to be opened.
    vanished: usize,
    pub(super) window: Window,
}

impl PartitionReader {
    /// Opens a partition for reading from its log start offset.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownTopicOrPartition`] if the directory is gone, [`ErrorKind::Io`] for what
    /// cannot be listed, opened or read, [`ErrorKind::Corrupt`] for a checkpoint without sense.
    pub fn open(dir: &PartitionDir, mode: ReadMode) -> Result<Self> {
        let listing = Listing::read(&dir.path).map_err(|error| list_error(dir, &error))?;
        let maps_sealed = match mode {
            ReadMode::Mmap => true,
            ReadMode::Pread => false,
            ReadMode::Auto => !dir.is_broker || is_on_read_only_file_system(&dir.path),
        };
        let mut reader = Self {
            dir: dir.clone(),
            maps_sealed,
            listing,
            tail: None,
            checkpoint: None,
            start_checkpoint: None,
            log_start: 0,
            high_watermark: 0,
            position: 0,
            cursor: None,
            damage: None,
            looked_again: false,
            vanished: 0,
            window: Window::default(),
        };
        reader.look(true)?;
        reader.position = reader.log_start;
        Ok(reader)
    }

    /// Looks at directory, checkpoints and the active segment again; costs four system calls where
    /// nothing has changed.
    ///
    /// # Errors
    ///
    /// Like [`PartitionReader::open`].
    pub fn refresh(&mut self) -> Result<()> {
        self.looked_again = false;
        self.look(false)
    }

    /// Moves the position: the next read begins with the batch that holds `offset`, or with the
    /// first one behind it.
    pub fn seek(&mut self, offset: i64) {
        self.position = offset;
        self.cursor = None;
        self.damage = None;
        self.looked_again = false;
    }

    /// Reads the next batches: `bytes_max` of them at most, but one at least if it is there.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] with the file's path; the position stays.
    pub fn read(
        &mut self,
        pool: &mut Pool,
        budget: &Arc<Budget>,
        bytes_max: usize,
    ) -> Result<Chunk> {
        let mut supply = Supply { pool, budget };
        // A step opens or passes one segment, and some look again; beyond that, files change under
        // the reader faster than it can follow.
        let steps_max = self.listing.len().saturating_mul(2).saturating_add(STEPS_SPARE);
        for _ in 0..steps_max {
            if let Some(chunk) = self.step(&mut supply, bytes_max)? {
                return Ok(chunk);
            }
        }
        let text = format!("{}: its segments change while they are read", self.dir.path.display());
        let error = Error::new(ErrorKind::Io, text).with_offset(self.position);
        Err(self.dir.name(error).with_retriable(true))
    }

    /// Returns the first offset that the partition has.
    pub fn log_start_offset(&self) -> i64 {
        self.log_start
    }

    /// Returns the offset that nothing is read at or above, as of the last look; see the module.
    pub fn high_watermark(&self) -> i64 {
        self.high_watermark
    }

    /// Returns the offset that the next read begins with.
    pub fn position(&self) -> i64 {
        self.position
    }

    /// Goes one step towards a chunk: reads, opens a segment, or looks again.
    fn step(&mut self, supply: &mut Supply<'_>, bytes_max: usize) -> Result<Option<Chunk>> {
        if let Some(fault) = &self.damage {
            return Ok(Some(damaged(self.position, fault.clone())));
        }
        if self.position < self.start_of_readable() {
            return self.out_of_range();
        }
        if self.position >= self.high_watermark {
            return self.at_bound();
        }
        let Some(cursor) = &mut self.cursor else {
            return self.locate();
        };
        // In a file that waits for its name the next segments' batches are to be expected.
        let has_name = cursor.segment().path().extension().is_some_and(|suffix| suffix == "log");
        let next = self.listing.above(cursor.segment().base_offset()).filter(|_| has_name);
        let ceiling = next.map_or(i64::MAX, |(base_offset, _)| base_offset);
        let filled = cursor.read(supply, bytes_max, self.high_watermark.min(ceiling));
        let filled = filled.map_err(|error| self.segment_error("read", &error))?;
        match filled {
            Filled::Run { bytes, next_offset } => {
                let from_offset = std::mem::replace(&mut self.position, next_offset);
                self.looked_again = false;
                Ok(Some(Chunk::Run { bytes, from_offset, next_offset }))
            }
            Filled::Bound if ceiling < self.high_watermark => {
                let text = format!("a batch reaches into the next segment, from offset {ceiling}");
                self.at_stop(Stop::Bad(Fault { kind: ErrorKind::Corrupt, text }))
            }
            Filled::Bound => Ok(Some(Chunk::End { offset: self.position })),
            Filled::NoCredit { wanted_bytes } => Ok(Some(Chunk::NoCredit { wanted_bytes })),
            Filled::Stop(stop) => self.at_stop(stop),
            Filled::Shrunk => self.at_stop(Stop::Torn),
        }
    }

    /// The first offset that can be read: an open segment stays readable when retention has taken
    /// its name, but what was deleted by offset is gone.
    fn start_of_readable(&self) -> i64 {
        match self.cursor {
            Some(_) => self.start_checkpoint.unwrap_or(0),
            None => self.log_start,
        }
    }

    /// Opens the segment that holds the position and finds the batch in it.
    fn locate(&mut self) -> Result<Option<Chunk>> {
        let Some((base_offset, path)) = self.listing.holding(self.position) else {
            return self.out_of_range();
        };
        let path = path.to_owned();
        let Some(segment) = self.open_segment(base_offset, &path)? else {
            return Ok(None);
        };
        let hint = place_before_offset(&segment, self.position);
        let place = find(&segment, &mut self.window, hint, self.position);
        let place = place.map_err(|error| self.dir.io_error("read", &path, &error))?;
        self.set_cursor(segment, place)
    }

    fn set_cursor(&mut self, segment: Arc<Segment>, place: Place) -> Result<Option<Chunk>> {
        let is_mapped = self.maps_sealed && self.listing.is_sealed(segment.base_offset());
        let path = segment.path().to_owned();
        let made = Cursor::new(segment, place).and_then(|mut cursor| {
            if is_mapped {
                cursor.map()?;
            }
            Ok(cursor)
        });
        self.cursor = Some(made.map_err(|error| self.dir.io_error("read", &path, &error))?);
        Ok(None)
    }

    /// Opens a segment, but the active one, which is open, only once; `None` if it was gone and
    /// the directory has been listed again.
    fn open_segment(&mut self, base_offset: i64, path: &Path) -> Result<Option<Arc<Segment>>> {
        let active = self.tail.as_ref().map(Tail::segment);
        let open = active.filter(|segment| segment.base_offset() == base_offset);
        if let Some(segment) = open.filter(|segment| segment.is_at(path)) {
            return Ok(Some(Arc::clone(segment)));
        }
        match Segment::open(path, base_offset) {
            Ok(segment) => {
                self.vanished = 0;
                Ok(Some(Arc::new(segment)))
            }
            Err(error)
                if error.kind() == io::ErrorKind::NotFound && self.vanished < OPEN_ATTEMPTS =>
            {
                self.vanished = self.vanished.saturating_add(1);
                self.look(true)?;
                Ok(None)
            }
            Err(error) => Err(self.dir.io_error("open", path, &error)),
        }
    }

    /// Decides what it means that the open segment has no batch at the cursor.
    fn at_stop(&mut self, stop: Stop) -> Result<Option<Chunk>> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let base_offset = cursor.segment().base_offset();
        if self.listing.is_sealed(base_offset) {
            let next = self.listing.above(base_offset).map(|(next, _)| next);
            let goes_on = next == Some(cursor.place().next_offset);
            if stop == Stop::Clean || (stop == Stop::Zeros && goes_on) {
                return self.pass();
            }
        }
        let place = cursor.place();
        let path = cursor.segment().path().to_owned();
        if self.look_again()? {
            return Ok(None);
        }
        if stop == Stop::Clean {
            return Ok(Some(Chunk::End { offset: self.position }));
        }
        Ok(Some(self.set_damage(stop, place, &path)))
    }

    /// Goes on behind the end of the open segment.
    fn pass(&mut self) -> Result<Option<Chunk>> {
        let Some(cursor) = self.cursor.take() else { return Ok(None) };
        let ended = cursor.segment().base_offset();
        // The position may lie before segments that compaction has emptied.
        let reached = self.position.max(ended);
        let Some((_, path)) = self.listing.holding(reached).filter(|held| held.0 == ended) else {
            return Ok(None);
        };
        if !cursor.segment().is_at(path) {
            // The name is gone, or another file has it: one that compaction made, with more in it.
            self.look(true)?;
            return Ok(None);
        }
        let Some((base_offset, path)) = self.listing.above(ended) else { return Ok(None) };
        let path = path.to_owned();
        let Some(segment) = self.open_segment(base_offset, &path)? else { return Ok(None) };
        self.set_cursor(segment, Place { position: 0, next_offset: base_offset })
    }

    /// Decides what it means that the position is at the bound or above it.
    fn at_bound(&mut self) -> Result<Option<Chunk>> {
        let end = Chunk::End { offset: self.position };
        let Some(tail) = &mut self.tail else {
            if self.position == self.high_watermark {
                return Ok(Some(end));
            }
            return self.out_of_range();
        };
        if self.position > self.high_watermark {
            let advanced = tail.advance(&mut self.window, i64::MAX, self.checkpoint.is_none());
            let log_end = tail.end_offset();
            let path = tail.segment().path();
            advanced.map_err(|error| self.dir.io_error("read", path, &error))?;
            // A checkpoint may be behind the log for seconds: that is no reason to go back.
            return if self.position <= log_end { Ok(Some(end)) } else { self.out_of_range() };
        }
        let Some((stop, place)) = self.early_stop() else {
            return Ok(Some(end));
        };
        let path = tail_path(&self.tail);
        if self.look_again()? {
            return Ok(None);
        }
        Ok(Some(self.set_damage(stop, place, &path)))
    }

    /// Returns why the log ends where it should not, if it does.
    fn early_stop(&self) -> Option<(Stop, Place)> {
        let tail = self.tail.as_ref()?;
        let stop = tail.stop()?;
        let is_wrong = match (stop, self.checkpoint) {
            (Stop::Bad(_), None) => true,
            (_, None) => false,
            (Stop::Clean, Some(offset)) => offset > tail.end_offset() && !self.dir.is_broker,
            (_, Some(offset)) => offset > tail.end_offset(),
        };
        is_wrong.then(|| (stop.clone(), tail.end()))
    }

    fn out_of_range(&mut self) -> Result<Option<Chunk>> {
        if self.look_again()? {
            return Ok(None);
        }
        Ok(Some(Chunk::OutOfRange { start: self.log_start, end: self.high_watermark }))
    }

    /// Looks at everything again, the place of the position too, if that was not done since
    /// something was wrong; false if it was.
    fn look_again(&mut self) -> Result<bool> {
        if self.looked_again {
            return Ok(false);
        }
        self.looked_again = true;
        let cursor = self.cursor.take();
        self.look(true)?;
        if let Some(cursor) = cursor {
            self.find_again(cursor.segment())?;
        }
        Ok(true)
    }

    /// Finds the position in the segment that something was wrong in, if the file still has its
    /// name; from the start, since an index would lead past what is wrong, and what lies between
    /// would be lost.
    fn find_again(&mut self, segment: &Arc<Segment>) -> Result<()> {
        let base_offset = segment.base_offset();
        let held = self.listing.holding(base_offset).filter(|held| held.0 == base_offset);
        if !held.is_some_and(|(_, path)| segment.is_at(path)) {
            return Ok(());
        }
        let start = Place { position: 0, next_offset: base_offset };
        let place = find(segment, &mut self.window, start, self.position);
        let place = place.map_err(|error| self.dir.io_error("read", segment.path(), &error))?;
        self.set_cursor(Arc::clone(segment), place)?;
        Ok(())
    }

    fn set_damage(&mut self, stop: Stop, place: Place, path: &Path) -> Chunk {
        let fault = stop.into_fault();
        let text = format!(
            "{} at byte {}, where offset {} or one above it should follow: {}",
            path.display(),
            place.position,
            place.next_offset,
            fault.text
        );
        let fault = Fault { kind: fault.kind, text };
        self.damage = Some(fault.clone());
        damaged(self.position, fault)
    }

    /// Looks at checkpoints first and at the segments then, so that what a checkpoint promises has
    /// been written; lists the directory anew if it has changed or that is `forced`.
    fn look(&mut self, forced: bool) -> Result<()> {
        let (topic, partition) = (&self.dir.topic, self.dir.partition);
        let checkpoints = &self.dir.checkpoints;
        self.checkpoint =
            checkpoints.high_watermark(topic, partition).map_err(|error| self.dir.name(error))?;
        self.start_checkpoint =
            checkpoints.log_start(topic, partition).map_err(|error| self.dir.name(error))?;
        let mut forced = forced;
        for attempt in 1..=OPEN_ATTEMPTS {
            let listed = if forced {
                self.listing.read_again().map(|()| true)
            } else {
                self.listing.refresh()
            };
            let has_changed = listed.map_err(|error| list_error(&self.dir, &error))?;
            if self.look_at_tail(has_changed, attempt == OPEN_ATTEMPTS)? {
                break;
            }
            forced = true;
        }
        self.set_bounds();
        Ok(())
    }

    /// Finds the end of the active segment; false if the segment is not there any more, unless
    /// this is the `last` attempt.
    fn look_at_tail(&mut self, has_changed: bool, last: bool) -> Result<bool> {
        let Some((base_offset, path)) = self.listing.active() else {
            self.tail = None;
            return Ok(true);
        };
        let until = self.checkpoint.unwrap_or(i64::MAX);
        let is_current = self.tail.as_ref().is_some_and(|tail| {
            let segment = tail.segment();
            segment.base_offset() == base_offset && (!has_changed || segment.is_at(path))
        });
        if !is_current {
            match Segment::open(path, base_offset) {
                Ok(segment) => self.tail = Some(Tail::new(segment, until)),
                Err(error) if error.kind() == io::ErrorKind::NotFound && !last => return Ok(false),
                Err(error) => return Err(self.dir.io_error("open", path, &error)),
            }
        }
        let Some(tail) = &mut self.tail else { return Ok(true) };
        let advanced = tail.advance(&mut self.window, until, self.checkpoint.is_none());
        advanced.map_err(|error| self.dir.io_error("read", path, &error))?;
        Ok(true)
    }

    fn set_bounds(&mut self) {
        let first = self.listing.first().unwrap_or(0);
        self.log_start = first.max(self.start_checkpoint.unwrap_or(0));
        let log_end = self.tail.as_ref().map_or(self.log_start, Tail::end_offset);
        let bound = self.checkpoint.map_or(log_end, |offset| offset.min(log_end));
        self.high_watermark = bound.max(self.log_start);
    }

    fn segment_error(&self, action: &str, error: &io::Error) -> Error {
        let path = self.cursor.as_ref().map_or(&*self.dir.path, |cursor| cursor.segment().path());
        self.dir.io_error(action, path, error).with_offset(self.position)
    }
}

/// Walks from `hint` to the batch that holds `offset` or the first behind it, or to where there is
/// no batch any more.
fn find(segment: &Segment, window: &mut Window, hint: Place, offset: i64) -> io::Result<Place> {
    let mut walk = HeaderWalk::new(segment, window, hint)?;
    walk.find(|header| header.next_offset() > offset)?;
    Ok(walk.place())
}

fn tail_path(tail: &Option<Tail>) -> std::path::PathBuf {
    tail.as_ref().map(|tail| tail.segment().path().to_owned()).unwrap_or_default()
}

fn damaged(offset: i64, fault: Fault) -> Chunk {
    Chunk::Damaged { offset, kind: fault.kind, text: fault.text }
}

fn list_error(dir: &PartitionDir, error: &io::Error) -> Error {
    if error.kind() == io::ErrorKind::NotFound {
        let text = format!("there is no directory {}", dir.path.display());
        return dir.name(Error::new(ErrorKind::UnknownTopicOrPartition, text));
    }
    dir.io_error("list", &dir.path, error)
}
