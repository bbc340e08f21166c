//! A partition on the polling thread: its ring, its position, and the batch that is being read.

use std::collections::VecDeque;
use std::sync::Arc;

use super::inflate::{InflateFailure, InflatePool};
use super::records::{EventKind, PartitionEvent, PartitionRun, Parts};
use crate::buffer::Slice;
use crate::coordinator::notice::Committed as OffsetAndMetadata;
use crate::error::{Error, ErrorKind};
use crate::record::{BatchCursor, BatchHeader, Codec, DecodeLimits};
use crate::ring::bridge::Bridge;
use crate::ring::lane::Lane;
use crate::ring::slot::{Run, Slot, SlotKind, Source};
use crate::ring::spsc::Consumer as RingConsumer;
use crate::topic::{TopicName, TopicPartition};

/// A slice that takes less than this part of its block is copied out when it alone keeps it.
const SMALL_SLICE_PART: usize = 16;

/// Why [`Partition::fill`] stopped.
#[derive(Debug)]
pub(super) enum Filled {
    /// When the ring is empty.
    Drained,
    /// When the poll's limits are reached inside the run that it began with.
    Full,
    /// When they are reached and a run was read to its end: it is the turn of others.
    Turn,
    /// When an event was added; what is behind it comes with the next poll.
    Event,
    /// When a batch cannot be inflated before the application has given memory back.
    NoCredit,
    /// When a record cannot be read: the loop is to be told.
    Halted,
}

/// What is being filled, and what is left of the poll's limits.
#[derive(Debug)]
pub(super) struct Filling<'a> {
    pub(super) parts: &'a mut Parts,
    pub(super) records_left: usize,
    pub(super) bytes_left: usize,
    pub(super) inflate: &'a mut InflatePool,
    pub(super) bridge: &'a Bridge,
    /// Differs from handle to handle: a slice is listed once in each.
    pub(super) serial: u64,
}

impl Filling<'_> {
    fn is_full(&self) -> bool {
        self.records_left == 0 || self.bytes_left == 0
    }

    /// Lists a slice and returns its number.
    fn list(&mut self, slice: &Slice) -> u32 {
        self.parts.slices.push(slice.hold());
        u32::try_from(self.parts.slices.len() - 1).unwrap_or(u32::MAX)
    }
}

/// A run that is being read.
#[derive(Debug)]
struct OpenRun {
    run: Run,
    /// Where in it the next batch begins, or the open one.
    at: usize,
    open: Option<OpenBatch>,
    /// The run's number in the handle with this serial.
    listed: Option<(u64, u32)>,
}

/// A batch that is being read.
#[derive(Debug)]
struct OpenBatch {
    header: BatchHeader,
    cursor: BatchCursor,
    /// The inflated records; none where they lie in the run itself.
    inflated: Option<Slice>,
    /// The inflated slice's number in the handle with this serial.
    listed: Option<(u64, u32)>,
}

/// A partition on the polling thread.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) topic: TopicName,
    pub(super) partition: i32,
    pub(super) index: u32,
    /// Slots with another stamp are void.
    pub(super) stamp: u32,
    pub(super) lane: Arc<Lane>,
    ring: Option<Box<RingConsumer<Slot>>>,
    /// Slots that were taken out of the ring to learn the position, and are yet to be dealt with.
    pending: VecDeque<Slot>,
    open: Option<OpenRun>,
    /// The offset of the next record; none until it has been looked up.
    pub(super) position: Option<i64>,
    pub(super) paused: bool,
    /// Whether it is on the list of those with data.
    pub(super) is_listed: bool,
    /// What stopped it, until a seek.
    pub(super) failed: Option<Error>,
    /// Whether the loop has been told from where it is read; until then the group is being asked.
    pub(super) is_started: bool,
    /// Whether it is about to go to another member: nothing of it is delivered any more.
    pub(super) is_held: bool,
    /// The leader epoch of what lies before the position, −1 where it is not known.
    pub(super) epoch: i32,
    /// What the application has marked for the next commit.
    pub(super) stored: Option<OffsetAndMetadata>,
    /// The offset that was committed last without the application's doing.
    pub(super) committed: Option<i64>,
}

impl Partition {
    pub(super) fn new(topic: TopicName, partition: i32, index: u32, lane: Arc<Lane>) -> Self {
        Self {
            topic,
            partition,
            index,
            stamp: 0,
            lane,
            ring: None,
            pending: VecDeque::new(),
            open: None,
            position: None,
            paused: false,
            is_listed: false,
            failed: None,
            is_started: false,
            is_held: false,
            epoch: -1,
            stored: None,
            committed: None,
        }
    }

    /// Begins again from elsewhere: everything fetched so far is void.
    pub(super) fn handle_seek(&mut self, position: Option<i64>) {
        self.stamp = self.stamp.wrapping_add(1);
        self.position = position;
        self.epoch = -1;
        self.failed = None;
        self.drop_buffered();
    }

    fn drop_buffered(&mut self) {
        self.open = None;
        self.pending.clear();
        if let Some(ring) = &mut self.ring {
            while ring.pop().is_some() {}
        }
    }

    /// Returns the partition's name.
    pub(super) fn name(&self) -> TopicPartition {
        TopicPartition::new(self.topic.as_str(), self.partition)
    }

    /// Tells whether the ring may have something new.
    pub(super) fn has_news(&self) -> bool {
        match &self.ring {
            Some(ring) => ring.slots() > 0,
            None => self.lane.has_reading_half(),
        }
    }

    /// Returns the position as soon as it is known, or why there is none.
    pub(super) fn settle_position(&mut self, bridge: &Bridge) -> Option<Result<i64, Error>> {
        if let Some(error) = &self.failed {
            return Some(Err(error.clone()));
        }
        while self.position.is_none() {
            let slot = self.pop_slot(bridge)?;
            match &slot.kind {
                SlotKind::Start { offset } => self.position = Some(*offset),
                SlotKind::Failed { error, sticky: true } => {
                    let error = (**error).clone();
                    self.pending.push_back(slot);
                    return Some(Err(error));
                }
                _ => self.pending.push_back(slot),
            }
        }
        self.position.map(Ok)
    }

    /// Tells whether fetched batches wait here.
    pub(super) fn has_buffered(&mut self) -> bool {
        self.take_ring();
        self.open.is_some()
            || !self.pending.is_empty()
            || self.ring.as_mut().is_some_and(|ring| ring.has_slot())
    }

    fn take_ring(&mut self) {
        if self.ring.is_none() {
            self.ring = self.lane.take_reading_half();
        }
    }

    fn next_slot(&mut self, bridge: &Bridge) -> Option<Slot> {
        self.pending.pop_front().or_else(|| self.pop_slot(bridge))
    }

    fn pop_slot(&mut self, bridge: &Bridge) -> Option<Slot> {
        self.take_ring();
        let ring = self.ring.as_mut()?;
        loop {
            let slot = ring.pop()?;
            if self.lane.wants_refill(ring) {
                bridge.call_feeder();
            }
            if slot.stamp == self.stamp {
                return Some(slot);
            }
        }
    }

    /// Adds this partition's records to a handle, up to the limits or the next event.
    pub(super) fn fill(&mut self, filling: &mut Filling<'_>) -> Filled {
        if self.failed.is_some() {
            self.drop_buffered();
            return Filled::Drained;
        }
        let mut ended_any = false;
        loop {
            let had_run = self.open.is_some();
            if let Some(stopped) = self.fill_from_run(filling) {
                return match stopped {
                    Filled::Full if ended_any => Filled::Turn,
                    stopped => stopped,
                };
            }
            ended_any |= had_run;
            if filling.is_full() {
                return Filled::Turn;
            }
            let Some(slot) = self.next_slot(filling.bridge) else { return Filled::Drained };
            match slot.kind {
                SlotKind::Run(run) => self.begin(run),
                SlotKind::Start { offset } => self.position = Some(offset),
                SlotKind::Gap { next_offset } => self.position = Some(next_offset),
                SlotKind::End { offset } => {
                    return self.event(filling, EventKind::End { offset });
                }
                SlotKind::Reset { from, to } => {
                    self.position = Some(to);
                    return self.event(filling, EventKind::Reset { from, to });
                }
                SlotKind::Failed { error, sticky } => {
                    if sticky {
                        self.failed = Some((*error).clone());
                    }
                    return self.event(filling, EventKind::Failed { error: *error, sticky });
                }
            }
        }
    }

    fn event(&self, filling: &mut Filling<'_>, kind: EventKind) -> Filled {
        filling.parts.events.push(PartitionEvent::new(&self.topic, self.partition, kind));
        Filled::Event
    }

    fn begin(&mut self, run: Run) {
        // The first position of a partition that was given one comes with its first run.
        self.position.get_or_insert(run.from_offset);
        self.open = Some(OpenRun { run, at: 0, open: None, listed: None });
    }

    /// Reads on in the open run; `None` when there is none left.
    fn fill_from_run(&mut self, filling: &mut Filling<'_>) -> Option<Filled> {
        loop {
            let open = self.open.as_mut()?;
            if open.open.is_none() && !self.open_batch() {
                let next_offset = self.open.take()?.run.next_offset;
                self.position = self.position.max(Some(next_offset));
                return None;
            }
            if filling.is_full() {
                return Some(Filled::Full);
            }
            match self.fill_from_batch(filling) {
                Ok(true) => {}
                Ok(false) => return Some(Filled::Full),
                Err(Stop::NoCredit) => return Some(Filled::NoCredit),
                Err(Stop::Unreadable(error)) => return Some(self.halt(filling, error)),
            }
        }
    }

    /// Opens the run's next batch that has records for the application; false at the run's end.
    fn open_batch(&mut self) -> bool {
        let Some(open) = &mut self.open else { return false };
        let position = self.position.unwrap_or(0).max(open.run.from_offset);
        while let Some(rest) = open.run.bytes.get(open.at..).filter(|rest| !rest.is_empty()) {
            // The loop has parsed it; a batch that does not parse cannot be in a run.
            let Ok(header) = BatchHeader::parse(rest) else { break };
            if header.is_control() || header.record_count == 0 || header.next_offset() <= position {
                self.position = Some(position.max(header.next_offset()));
                self.epoch = header.partition_leader_epoch;
                open.at += header.size();
                continue;
            }
            let payload = open.at + crate::record::HEADER_LEN..open.at + header.size();
            let Ok(cursor) = BatchCursor::new(&header, payload) else { break };
            open.open = Some(OpenBatch { header, cursor, inflated: None, listed: None });
            return true;
        }
        false
    }

    /// Decodes from the open batch; true when it is done with, false when a limit was reached.
    fn fill_from_batch(&mut self, filling: &mut Filling<'_>) -> Result<bool, Stop> {
        let position = self.position.unwrap_or(0);
        let Some(open) = &mut self.open else { return Ok(true) };
        let Some(batch) = &mut open.open else { return Ok(true) };
        let codec = batch.header.codec().map_err(|error| {
            Stop::unreadable(ErrorKind::Unsupported, position, error.to_string())
        })?;
        let listed = if codec == Codec::None {
            list_once(&mut open.listed, &mut open.run.bytes, filling)
        } else {
            batch.inflate(codec, &open.run.bytes, open.at, position, filling)?
        };
        let slice = batch.inflated.as_ref().unwrap_or(&open.run.bytes);
        let limits = DecodeLimits {
            from_offset: position.max(open.run.from_offset),
            until_offset: i64::MAX,
            max_records: filling.records_left,
            max_bytes: filling.bytes_left,
        };
        let before = filling.parts.descriptors.len();
        let decoded = batch.cursor.decode(slice, listed, &limits, &mut filling.parts.descriptors);
        let is_done = batch.cursor.is_done();
        let header = batch.header;
        if is_done && decoded.is_ok() {
            open.at += header.size();
            open.open = None;
        }
        self.note(filling, before, &header, is_done && decoded.is_ok());
        match decoded {
            Ok(decoded) => {
                filling.bytes_left = filling.bytes_left.saturating_sub(decoded.bytes);
                Ok(is_done)
            }
            Err(error) => {
                Err(Stop::unreadable(ErrorKind::Corrupt, error.offset, error.kind.to_string()))
            }
        }
    }

    /// Enters the descriptors from `before` on into the handle's runs, and moves the position.
    fn note(&mut self, filling: &mut Filling<'_>, before: usize, header: &BatchHeader, done: bool) {
        let count = filling.parts.descriptors.len() - before;
        filling.records_left -= count;
        let last = filling.parts.descriptors.last().filter(|_| count > 0);
        let behind_last = last.map(|last| last.offset + 1);
        self.position = self.position.max(behind_last);
        if done {
            self.position = self.position.max(Some(header.next_offset()));
        }
        self.epoch = header.partition_leader_epoch;
        let next_offset = self.position.unwrap_or(0);
        let Some(open) = &self.open else { return };
        let (epoch, stamp_type) = (header.partition_leader_epoch, header.timestamp_type());
        let same = filling.parts.runs.last_mut().filter(|run| {
            run.index == self.index
                && run.leader_epoch == epoch
                && run.timestamp_type == stamp_type
                && run.first + run.count == before
        });
        if let Some(run) = same {
            run.count += count;
            run.next_offset = next_offset;
            run.high_watermark = open.run.high_watermark;
        } else if count > 0 {
            filling.parts.runs.push(PartitionRun {
                topic: self.topic.clone(),
                partition: self.partition,
                index: self.index,
                first: before,
                count,
                next_offset,
                leader_epoch: epoch,
                high_watermark: open.run.high_watermark,
                timestamp_type: stamp_type,
                broker: match open.run.source {
                    Source::Leader(id) | Source::Follower(id) => id,
                    Source::Segment => -1,
                },
            });
        }
    }

    /// Stops until a seek: the next record cannot be read.
    fn halt(&mut self, filling: &mut Filling<'_>, error: Error) -> Filled {
        let offset = error.offset();
        let error = error.with_partition(self.topic.as_str(), self.partition);
        self.drop_buffered();
        self.stamp = self.stamp.wrapping_add(1);
        self.position = self.position.max(Some(offset));
        self.failed = Some(error.clone());
        self.event(filling, EventKind::Failed { error, sticky: true });
        Filled::Halted
    }
}

/// Why a batch is not read on.
enum Stop {
    NoCredit,
    Unreadable(Error),
}

impl Stop {
    fn unreadable(kind: ErrorKind, offset: i64, text: String) -> Self {
        Self::Unreadable(Error::new(kind, text).with_offset(offset))
    }
}

impl OpenBatch {
    /// Inflates the batch unless that is done, and returns its number in the handle.
    fn inflate(
        &mut self,
        codec: Codec,
        run: &Slice,
        at: usize,
        position: i64,
        filling: &mut Filling<'_>,
    ) -> Result<u32, Stop> {
        let mut inflated = match self.inflated.take() {
            Some(inflated) => inflated,
            None => {
                let compressed = run
                    .get(at + crate::record::HEADER_LEN..at + self.header.size())
                    .unwrap_or_default();
                // A poll that has nothing yet may always inflate one batch.
                let must = filling.parts.is_empty();
                let inflated =
                    filling.inflate.inflate(codec, compressed, must).map_err(|failure| {
                        match failure {
                            InflateFailure::NoCredit => Stop::NoCredit,
                            InflateFailure::TooLarge(text) => {
                                Stop::unreadable(ErrorKind::BatchTooLarge, position, text)
                            }
                            InflateFailure::Corrupt(text) => {
                                Stop::unreadable(ErrorKind::Corrupt, position, text)
                            }
                        }
                    })?;
                let cursor = BatchCursor::new(&self.header, 0..inflated.len());
                self.cursor = cursor.map_err(|error| {
                    Stop::unreadable(ErrorKind::Corrupt, position, error.kind.to_string())
                })?;
                inflated
            }
        };
        let listed = list_once(&mut self.listed, &mut inflated, filling);
        self.inflated = Some(inflated);
        Ok(listed)
    }
}

/// Lists a slice in the handle unless it is already, and returns its number there.
fn list_once(listed: &mut Option<(u64, u32)>, slice: &mut Slice, filling: &mut Filling<'_>) -> u32 {
    match listed {
        Some((serial, number)) if *serial == filling.serial => *number,
        _ => {
            let is_small = slice.len() < slice.block_len() / SMALL_SLICE_PART;
            if is_small && !slice.is_mapped() && slice.is_alone() {
                filling.inflate.copy_out(slice);
            }
            let number = filling.list(slice);
            *listed = Some((filling.serial, number));
            number
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::{Budget, Pool};
    use crate::ring::bridge::LoopSignal;
    use crate::ring::park::{Parker, Signal};

    struct NoSignal;

    impl Signal for NoSignal {
        fn signal(&self) {}
    }

    /// Lists a slice of `len` bytes in a block of 1 MiB; returns how much memory it keeps then.
    fn kept_by(len: usize, is_alone: bool) -> usize {
        let budget = Budget::new(4 << 20, Box::new(|| {}));
        let mut writer = Pool::new(0).try_block(1 << 20, &budget).unwrap();
        writer.append(&vec![7; len]);
        let mut slice = writer.slice(0..len);
        let other = (!is_alone).then_some(writer);
        let signal: LoopSignal = Box::new(NoSignal);
        let bridge = Bridge::new(Arc::new(Parker::new(signal))).unwrap();
        let mut parts = Parts::default();
        let mut filling = Filling {
            parts: &mut parts,
            records_left: 1,
            bytes_left: 1,
            inflate: &mut InflatePool::new(Arc::clone(&budget), 1 << 20),
            bridge: &bridge,
            serial: 1,
        };
        assert_eq!(list_once(&mut None, &mut slice, &mut filling), 0);
        drop((slice, other));
        assert_eq!(parts.slices[0][..], vec![7; len]);
        assert_eq!(budget.held(), budget.used());
        budget.used()
    }

    #[test]
    fn a_small_slice_that_alone_keeps_a_block_is_copied_out() {
        assert_eq!(kept_by(100, true), 16 << 10);
        assert_eq!(kept_by((64 << 10) - 1, true), 64 << 10);
        assert_eq!(kept_by(64 << 10, true), 1 << 20, "a sixteenth is not small");
        assert_eq!(kept_by(100, false), 1 << 20, "others may keep the block anyway");
    }
}
