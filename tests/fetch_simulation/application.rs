//! The model application: it takes slots out of the lanes as the consumer's polling thread does,
//! holds on to memory, pauses, seeks, lets partitions go, and at times stops polling.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kfetch::backoff::Random;
use kfetch::buffer::{Budget, Slice};
use kfetch::fetch::cursor::{NewPartition, StartAt};
use kfetch::protocol::list_offsets::{EARLIEST_TIMESTAMP, LATEST_TIMESTAMP};
use kfetch::record::BatchHeader;
use kfetch::ring::bridge::Bridge;
use kfetch::ring::lane::Lane;
use kfetch::ring::ready::ReadySet;
use kfetch::ring::slot::Run;
use kfetch::ring::wake::Waited;
use kfetch::ring::{Consumer as RingConsumer, Slot, SlotKind};
use kfetch::topic::TopicName;
use kfetch::{Error, ErrorKind};

use super::cluster::pick;
use super::event::Event;
use super::log::{PartitionLog, hash, name_of};

/// What the application tells the engine.
#[derive(Debug)]
pub(crate) enum Command {
    Assign(usize, NewPartition),
    Unassign(u32),
    Seek(u32, u32, StartAt),
    Pause(u32, bool),
}

/// A partition on the application's side.
#[derive(Debug)]
struct Partition {
    place: usize,
    stamp: u32,
    lane: Arc<Lane>,
    ring: Option<Box<RingConsumer<Slot>>>,
    next: Option<i64>,
    is_paused: bool,
    is_listed: bool,
    failed: Option<Error>,
}

#[derive(Debug)]
pub(crate) struct Application {
    pub(crate) bridge: Arc<Bridge>,
    pub(crate) budget: Arc<Budget>,
    ready: ReadySet,
    /// By the index that names the cursor, as in the consumer's slab: a free one is used again.
    partitions: Vec<Option<Partition>>,
    listed: VecDeque<usize>,
    held: Vec<(Instant, Slice)>,
    pub(crate) commands: VecDeque<Command>,
    pub(crate) events: Vec<Event>,
    /// Whether it does nothing but read, fast, and sleeps until it is woken.
    pub(crate) is_calm: bool,
    is_parked: bool,
}

impl Application {
    pub(crate) fn new(bridge: Arc<Bridge>, budget: Arc<Budget>) -> Self {
        Self {
            bridge,
            budget,
            ready: ReadySet::default(),
            partitions: Vec::new(),
            listed: VecDeque::new(),
            held: Vec::new(),
            commands: VecDeque::new(),
            events: Vec::new(),
            is_calm: false,
            is_parked: false,
        }
    }

    pub(crate) fn assign(&mut self, place: usize, start: StartAt) {
        let free = self.partitions.iter().position(Option::is_none);
        let at = free.unwrap_or_else(|| {
            self.partitions.push(None);
            self.partitions.len() - 1
        });
        let lane = Lane::new(self.ready.bit(at));
        let next = offset_of(start);
        let partition = Partition {
            place,
            stamp: 0,
            lane: Arc::clone(&lane),
            ring: None,
            next,
            is_paused: false,
            is_listed: false,
            failed: None,
        };
        self.partitions[at] = Some(partition);
        let (topic, number) = name_of(place);
        let new = NewPartition {
            index: u32::try_from(at).unwrap(),
            topic: TopicName::new(&topic),
            partition: number,
            stamp: 0,
            start,
            paused: false,
            lane,
        };
        self.commands.push_back(Command::Assign(place, new));
        self.events.push(Event::Positioned { place, offset: next });
    }

    fn unassign(&mut self, at: usize) {
        if let Some(partition) = self.partitions[at].take() {
            self.listed.retain(|listed| *listed != at);
            self.commands.push_back(Command::Unassign(u32::try_from(at).unwrap()));
            self.events.push(Event::Unassigned { place: partition.place });
        }
    }

    fn seek(&mut self, at: usize, start: StartAt) {
        let Some(partition) = &mut self.partitions[at] else { return };
        partition.stamp += 1;
        partition.next = offset_of(start);
        partition.failed = None;
        if let Some(ring) = &mut partition.ring {
            while ring.pop().is_some() {}
        }
        let seek = Command::Seek(u32::try_from(at).unwrap(), partition.stamp, start);
        self.commands.push_back(seek);
        let (place, offset) = (partition.place, partition.next);
        self.events.push(Event::Positioned { place, offset });
    }

    fn pause(&mut self, at: usize, is_paused: bool) {
        let Some(partition) = &mut self.partitions[at] else { return };
        partition.is_paused = is_paused;
        self.commands.push_back(Command::Pause(u32::try_from(at).unwrap(), is_paused));
        if !is_paused && !partition.is_listed {
            partition.is_listed = true;
            self.listed.push_back(at);
        }
    }

    /// Polls, and now and then does something else; returns when it wants to be called again, or
    /// nothing when it sleeps.
    pub(crate) fn step(
        &mut self,
        now: Instant,
        logs: &[PartitionLog],
        random: &mut Random,
    ) -> Option<Duration> {
        self.held.retain(|(until, _)| *until > now);
        if !self.is_calm && random.below(12) == 0 {
            self.do_something(logs, random);
        }
        self.answer_failures(logs, random);
        let slots = if self.is_calm { 1000 } else { 1 + random.below(12) };
        if self.poll(slots, now, random) == 0 {
            self.relieve_budget();
            if self.is_calm && self.commands.is_empty() {
                self.bridge.application().arm();
                self.is_parked = self.ready.is_empty();
                return (!self.is_parked).then_some(Duration::ZERO);
            }
        }
        Some(match random.below(40) {
            _ if self.is_calm => Duration::from_micros(200),
            0 => Duration::from_millis(random.below(3000)),
            1..10 => Duration::from_millis(random.below(60)),
            _ => Duration::from_millis(1 + random.below(3)),
        })
    }

    /// Tells whether it slept and has been woken.
    pub(crate) fn take_wake_up(&mut self) -> bool {
        let event = self.bridge.application().signal();
        if !self.is_parked || event.wait(Some(Duration::ZERO)).unwrap() != Waited::Signalled {
            return false;
        }
        event.drain();
        self.is_parked = false;
        true
    }

    fn do_something(&mut self, logs: &[PartitionLog], random: &mut Random) {
        if self.partitions.is_empty() {
            return;
        }
        let at = pick(random, self.partitions.len());
        let place = self.partitions[at].as_ref().map(|partition| partition.place);
        match random.below(8) {
            0 if place.is_some() => self.unassign(at),
            1..4 => self.pause(at, random.below(2) == 0),
            4..6 => {
                if let Some(place) = place {
                    self.seek(at, draw_start(&logs[place], random));
                }
            }
            _ => {
                let place = pick(random, logs.len());
                let is_free = |one: &Partition| one.place != place;
                if self.partitions.iter().flatten().all(is_free) {
                    self.assign(place, draw_start(&logs[place], random));
                }
            }
        }
    }

    /// Seeks behind damage, and tries again where a broker refused.
    fn answer_failures(&mut self, logs: &[PartitionLog], random: &mut Random) {
        for at in 0..self.partitions.len() {
            let Some(partition) = &self.partitions[at] else { continue };
            let Some(error) = &partition.failed else { continue };
            if !self.is_calm && random.below(10) > 0 {
                continue;
            }
            let log = &logs[partition.place];
            let next = partition.next.unwrap_or(log.start).clamp(log.start, log.end);
            let rotten = log.batches.get(log.find(next)).filter(|batch| batch.is_rotten);
            let to = match (error.kind(), rotten) {
                (ErrorKind::Corrupt, Some(rotten)) => rotten.next,
                _ => next,
            };
            self.seek(at, StartAt::Offset(to));
        }
    }

    /// Takes up to `slots` slots; returns how many there were.
    fn poll(&mut self, slots: u64, now: Instant, random: &mut Random) -> u64 {
        let (partitions, listed) = (&mut self.partitions, &mut self.listed);
        self.ready.take(|at| {
            if let Some(Some(partition)) = partitions.get_mut(at)
                && !partition.is_listed
            {
                partition.is_listed = true;
                listed.push_back(at);
            }
        });
        let mut taken = 0;
        for _ in 0..self.listed.len() {
            let Some(at) = self.listed.pop_front() else { break };
            let Some(partition) = &mut self.partitions[at] else { continue };
            if partition.is_paused {
                partition.is_listed = false;
                continue;
            }
            while taken < slots {
                let Some(slot) = partition.pop(&self.bridge) else {
                    partition.is_listed = false;
                    break;
                };
                taken += 1;
                let event = partition.take(slot, |run| {
                    if !self.is_calm && random.below(4) == 0 {
                        let until = now + Duration::from_millis(random.below(800));
                        self.held.push((until, run.bytes.hold()));
                    }
                });
                self.events.extend(event);
            }
            if taken >= slots {
                self.listed.push_front(at);
                break;
            }
        }
        taken
    }

    /// Does what a poll does before it waits.
    fn relieve_budget(&mut self) {
        if !self.budget.is_wanted() {
            return;
        }
        if self.budget.is_held() {
            self.held.clear();
            return;
        }
        if self.budget.is_exhausted() {
            for at in 0..self.partitions.len() {
                if let Some(partition) = &self.partitions[at]
                    && partition.is_paused
                    && partition.failed.is_none()
                    && let Some(next) = partition.next
                {
                    self.seek(at, StartAt::Offset(next));
                }
            }
        }
        self.budget.nudge();
    }

    /// Lets go of everything and reads everything.
    pub(crate) fn calm_down(&mut self) {
        self.is_calm = true;
        self.held.clear();
        for at in 0..self.partitions.len() {
            self.pause(at, false);
        }
    }

    /// Returns the partitions that are read, with their positions.
    pub(crate) fn positions(&self) -> impl Iterator<Item = (usize, Option<i64>)> {
        self.partitions.iter().flatten().map(|partition| (partition.place, partition.next))
    }
}

impl Partition {
    fn pop(&mut self, bridge: &Bridge) -> Option<Slot> {
        if self.ring.is_none() {
            self.ring = self.lane.take_reading_half();
        }
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

    fn take(&mut self, slot: Slot, hold: impl FnOnce(&Run)) -> Option<Event> {
        let place = self.place;
        Some(match slot.kind {
            SlotKind::Run(run) => {
                hold(&run);
                self.next = Some(run.next_offset);
                let (from, next) = (run.from_offset, run.next_offset);
                Event::Run { place, from, next, hashes: hashes(&run.bytes) }
            }
            SlotKind::Start { offset } => {
                self.next = Some(offset);
                Event::Started { place, offset }
            }
            SlotKind::Reset { from, to } => {
                self.next = Some(to);
                Event::Reset { place, from, to }
            }
            SlotKind::End { offset } => Event::Ended { place, offset },
            SlotKind::Gap { .. } => return None,
            SlotKind::Failed { error, sticky } => {
                let (kind, offset) = (error.kind(), error.offset());
                self.failed = sticky.then_some(*error).or_else(|| self.failed.take());
                Event::Failed { place, offset, kind, sticky }
            }
        })
    }
}

/// Returns the hashes of a run's batches.
fn hashes(mut rest: &[u8]) -> Vec<u64> {
    let mut hashes = Vec::new();
    while !rest.is_empty() {
        let size = BatchHeader::parse(rest).unwrap().size();
        hashes.push(hash(&rest[..size]));
        rest = &rest[size..];
    }
    hashes
}

fn offset_of(start: StartAt) -> Option<i64> {
    match start {
        StartAt::Offset(offset) => Some(offset),
        _ => None,
    }
}

fn draw_start(log: &PartitionLog, random: &mut Random) -> StartAt {
    let within = i64::try_from(random.below(u64::try_from(log.end + 1).unwrap())).unwrap();
    match random.below(6) {
        0 => StartAt::Timestamp(EARLIEST_TIMESTAMP),
        1 => StartAt::Timestamp(LATEST_TIMESTAMP),
        2 => StartAt::Timestamp(within / 10),
        3 => StartAt::Policy,
        _ => StartAt::Offset(within),
    }
}
