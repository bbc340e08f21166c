//! One partition's place in the fetching: where to fetch next, from whom, and what is in the way.
//!
//! ```text
//!   delivered ≤ landed ≤ fetch offset
//!       │          │          └── asked for next, derived from skimmed batch headers
//!       │          └───────────── whole batches up to here have been received
//!       └──────────────────────── checksums verified, handed over
//! ```
//!
//! The next Fetch leaves before the checksums of the batches it was derived from are verified. If
//! one turns out wrong, the cursor goes back to `delivered` and its generation changes, so that
//! the answer to that Fetch is dropped.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Instant;

use crate::backoff::Backoff;
use crate::ring::lane::{Lane, LaneProducer};
use crate::ring::{Slot, SlotKind};
use crate::topic::TopicName;

/// From where a partition is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartAt {
    /// When the offset is known.
    Offset(i64),
    /// When it has to be looked up: a time in ms, or one of the constants of
    /// [`list_offsets`](crate::protocol::list_offsets).
    Timestamp(i64),
    /// When the reset policy decides.
    Policy,
}

/// What a cursor is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// When its position is being looked up; with the position that was out of range, if that is
    /// why.
    Positioning {
        /// The position to be replaced.
        out_of_range: Option<i64>,
    },
    /// When it can be fetched.
    Fetching,
    /// When an error stopped it until a seek.
    Failed,
}

/// A partition to be read, as the application hands it over.
#[derive(Debug)]
pub struct NewPartition {
    /// The application's index of the partition; names the cursor.
    pub index: u32,
    /// The topic.
    pub topic: TopicName,
    /// The partition's number.
    pub partition: i32,
    /// The first stamp.
    pub stamp: u32,
    /// From where.
    pub start: StartAt,
    /// Whether it is paused.
    pub paused: bool,
    /// The lane to the polling thread.
    pub lane: Arc<Lane>,
}

/// One partition of one consumer, on the loop's thread.
#[derive(Debug)]
pub struct Cursor {
    /// The topic.
    pub topic: TopicName,
    /// The partition's number.
    pub partition: i32,
    /// Goes with every slot; the application changes it with each seek.
    pub stamp: u32,
    /// Changes whenever what is in flight or has landed becomes void.
    pub generation: u32,
    /// To the polling thread.
    pub lane: LaneProducer,
    /// What it is doing.
    pub state: State,
    /// What the next Fetch asks for.
    pub fetch_offset: i64,
    /// Whole batches below this have been received.
    pub landed_offset: i64,
    /// Batches below this have been verified and handed over.
    pub delivered_offset: i64,
    /// Whether the application has paused it.
    pub paused: bool,
    /// The leader's node id, −1 while none is known.
    pub leader: i32,
    /// The leader's epoch, −1 while it is not known.
    pub leader_epoch: i32,
    /// The number of the Fetch that lists it and has not been answered.
    pub in_flight: Option<u64>,
    /// Whether the answer under way brought batches for it.
    pub served: bool,
    /// Not before this time, after an error.
    pub retry_at: Option<Instant>,
    /// How often in a row it failed.
    pub backoff: Backoff,
    /// The offset of the last damaged batch, so that it is fetched again once and not for ever.
    pub damaged_at: Option<i64>,
    /// The end that the application has been told of last.
    pub end_told: Option<i64>,
    /// How many refreshes in a row found no such partition.
    pub unknown: u32,
}

impl Cursor {
    /// Makes the cursor of a partition.
    pub fn new(new: NewPartition) -> Self {
        let mut cursor = Self {
            topic: new.topic,
            partition: new.partition,
            stamp: new.stamp,
            generation: 0,
            lane: LaneProducer::new(new.lane),
            state: State::Positioning { out_of_range: None },
            fetch_offset: -1,
            landed_offset: -1,
            delivered_offset: -1,
            paused: new.paused,
            leader: -1,
            leader_epoch: -1,
            in_flight: None,
            served: false,
            retry_at: None,
            backoff: Backoff::default(),
            damaged_at: None,
            end_told: None,
            unknown: 0,
        };
        if let StartAt::Offset(offset) = new.start {
            cursor.start_at(offset);
        }
        cursor
    }

    /// Begins again from elsewhere: what is in flight, has landed or waits for room is void.
    pub fn handle_seek(&mut self, stamp: u32, start: StartAt) {
        self.stamp = stamp;
        self.lane.clear_queue();
        self.damaged_at = None;
        self.end_told = None;
        self.retry_at = None;
        self.invalidate();
        match start {
            StartAt::Offset(offset) => self.start_at(offset),
            _ => self.state = State::Positioning { out_of_range: None },
        }
    }

    /// Sets the position, from which fetching can go on.
    pub fn start_at(&mut self, offset: i64) {
        self.fetch_offset = offset;
        self.landed_offset = offset;
        self.delivered_offset = offset;
        self.state = State::Fetching;
    }

    /// Makes void what is in flight and what has landed.
    pub fn invalidate(&mut self) {
        self.generation = self.generation.wrapping_add(1);
        self.in_flight = None;
    }

    /// Goes back to what has been handed over; what follows is fetched again.
    pub fn go_back(&mut self) {
        self.invalidate();
        self.start_at(self.delivered_offset);
    }

    /// Goes back to what has been received whole: the connection that brought the rest is lost.
    pub fn handle_connection_lost(&mut self) {
        self.in_flight = None;
        self.fetch_offset = self.landed_offset;
    }

    /// Tells whether a Fetch may list it now.
    pub fn is_fetchable(&self, now: Instant) -> bool {
        self.state == State::Fetching
            && !self.paused
            && self.in_flight.is_none()
            && self.leader >= 0
            && !self.lane.is_spilled()
            && self.retry_at.is_none_or(|at| at <= now)
    }

    /// Hands something over to the polling thread; tells whether it is the first for which the
    /// ring has no room.
    #[must_use]
    pub fn hand_over(&mut self, kind: SlotKind) -> bool {
        let was_spilled = self.lane.is_spilled();
        self.lane.push(Slot { stamp: self.stamp, kind });
        !was_spilled && self.lane.is_spilled()
    }

    /// Stops until a seek.
    pub fn stop(&mut self) {
        self.invalidate();
        self.state = State::Failed;
    }
}
