//! One partition of a log directory: its reader, its lane, and what is in the way.

#![forbid(unsafe_code)]

use crate::error::Error;
use crate::fetch::cursor::{NewPartition, StartAt};
use crate::log::PartitionReader;
use crate::ring::lane::LaneProducer;
use crate::ring::{Slot, SlotKind};
use crate::topic::TopicName;

use super::file_watch::Watched;

/// What a cursor is doing.
#[derive(Debug)]
pub(super) enum State {
    /// When there is no such partition, or not yet.
    Missing {
        /// Where to begin once there is.
        start: StartAt,
    },
    /// When it may have something to read.
    Reading,
    /// When everything below the high watermark has been read.
    AtEnd,
    /// When an error stopped it until a seek.
    Failed,
}

/// One partition of one consumer, on the file thread.
#[derive(Debug)]
pub(super) struct FileCursor {
    pub(super) topic: TopicName,
    pub(super) partition: i32,
    /// Goes with every slot; the application changes it with each seek.
    pub(super) stamp: u32,
    /// To the polling thread.
    pub(super) lane: LaneProducer,
    pub(super) state: State,
    /// None while the partition is missing, and after an error.
    pub(super) reader: Option<PartitionReader>,
    /// What tells of changes in the partition's directory.
    pub(super) watched: Watched,
    pub(super) paused: bool,
    /// Whether it is on the list of those to be read.
    pub(super) is_listed: bool,
    /// Batches below this have been verified and handed over.
    pub(super) delivered_offset: i64,
    /// The end that the application has been told of last.
    pub(super) end_told: Option<i64>,
    /// The offset of the last damaged batch, so that it is read again once and not for ever.
    pub(super) damaged_at: Option<i64>,
    /// Whether the application has been told that there is no such partition.
    pub(super) missing_told: bool,
}

impl FileCursor {
    /// Makes the cursor of a partition that nobody has looked for yet.
    pub(super) fn new(new: NewPartition) -> Self {
        Self {
            topic: new.topic,
            partition: new.partition,
            stamp: new.stamp,
            lane: LaneProducer::new(new.lane),
            state: State::Missing { start: new.start },
            reader: None,
            watched: Watched::default(),
            paused: new.paused,
            is_listed: false,
            delivered_offset: -1,
            end_told: None,
            damaged_at: None,
            missing_told: false,
        }
    }

    /// Makes void what waits for room, and takes the new stamp on.
    pub(super) fn handle_stamp(&mut self, stamp: u32) {
        self.stamp = stamp;
        self.lane.clear_queue();
        self.damaged_at = None;
        self.end_told = None;
        self.missing_told = false;
    }

    /// Goes on at an offset.
    pub(super) fn start_at(&mut self, offset: i64) {
        if let Some(reader) = &mut self.reader {
            reader.seek(offset);
            self.delivered_offset = offset;
            self.state = State::Reading;
        }
    }

    /// Tells whether its turn can bring anything.
    pub(super) fn is_readable(&self) -> bool {
        matches!(self.state, State::Reading) && !self.paused && !self.lane.is_spilled()
    }

    /// Tells whether it waits for a change in its directory.
    pub(super) fn waits_for_change(&self) -> bool {
        matches!(self.state, State::AtEnd | State::Missing { .. })
    }

    /// Publishes the partition's ends.
    pub(super) fn publish_ends(&self) {
        if let Some(reader) = &self.reader {
            self.lane.set_ends(reader.high_watermark(), -1, reader.log_start_offset());
        }
    }

    /// Hands something over to the polling thread.
    pub(super) fn hand_over(&mut self, kind: SlotKind) {
        self.lane.push(Slot { stamp: self.stamp, kind });
    }

    /// Stops until a seek, and says why.
    pub(super) fn fail(&mut self, error: Error) {
        self.state = State::Failed;
        self.reader = None;
        self.hand_over(SlotKind::Failed { error: Box::new(error), sticky: true });
    }
}
