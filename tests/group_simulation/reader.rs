//! What an application does with the partitions that it has: it reads, commits, pauses, seeks and
//! asks where to begin, as consumers do.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kfetch::backoff::Random;
use kfetch::coordinator::command::{Commit, CommitOffset, MemberCommand};
use kfetch::coordinator::notice::{CommittedOffset, Membership};
use kfetch::error::Result;

use super::event::{Event, Position};
use super::record_log::{RecordLog, index, number, topic_name};
use super::weather::pick;

/// How long a synchronous commit may take.
pub(crate) const COMMIT_TIME: Duration = Duration::from_secs(4);
const FETCH_TIME: Duration = Duration::from_secs(8);

/// The most records that one turn brings of a partition.
const RECORDS_MAX: i64 = 20;

/// Of so many turns one pauses, resumes or seeks.
const CALM_TURNS: u64 = 15;

/// Of so many turns that wait for a committed offset one seeks meanwhile.
const ASKING_TURNS: u64 = 4;

/// How far most seeks go.
const SEEK_SPAN: i64 = 40;

/// The partitions of one application.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) client: usize,
    random: Random,
    owned: BTreeMap<i32, Reading>,
    /// The partitions whose committed offsets have been asked for, by the question's number.
    asked: BTreeMap<u64, Vec<i32>>,
    next_id: u64,
    /// What is wanted of the member.
    pub(crate) commands: Vec<MemberCommand>,
    pub(crate) events: Vec<Event>,
}

/// How far a partition has been read.
#[derive(Clone, Debug, Default)]
struct Reading {
    /// The next offset, with the leader epoch of the record before it; none before it is known.
    at: Option<(i64, i32)>,
    is_paused: bool,
    /// Whether it is about to go.
    is_held: bool,
}

impl Reader {
    pub(crate) fn new(client: usize, seed: u64) -> Self {
        Self {
            client,
            random: Random::new(seed),
            owned: BTreeMap::new(),
            asked: BTreeMap::new(),
            next_id: 1,
            commands: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Takes partitions on, which begin where the group has committed.
    pub(crate) fn take_on(&mut self, generation: i32, partitions: &[i32]) {
        self.owned.extend(partitions.iter().map(|partition| (*partition, Reading::default())));
        let partitions = partitions.to_vec();
        let paused = self.owned.iter().filter(|(_, reading)| reading.is_paused);
        let paused = paused.map(|(partition, _)| *partition).collect();
        let client = self.client;
        self.events.push(Event::Assigned { client, generation, partitions, paused });
    }

    /// Reads nothing more of partitions that are about to go.
    pub(crate) fn hold(&mut self, partitions: &[i32]) {
        let held = self.owned.iter_mut().filter(|(partition, _)| partitions.contains(partition));
        held.for_each(|(_, reading)| reading.is_held = true);
    }

    /// Lets go of partitions in good order.
    pub(crate) fn let_go(&mut self, partitions: Vec<i32>) {
        self.owned.retain(|partition, _| !partitions.contains(partition));
        self.events.push(Event::Revoked { client: self.client, partitions });
    }

    /// Lets go of all partitions, which may be others' already.
    pub(crate) fn drop_all(&mut self) {
        self.owned.clear();
        self.events.push(Event::Dropped { client: self.client });
    }

    /// Wants no answer any more to what was asked.
    pub(crate) fn forget_questions(&mut self) {
        self.asked.clear();
    }

    pub(crate) fn partitions(&self) -> Vec<i32> {
        self.owned.keys().copied().collect()
    }

    /// Takes the answer to a question for committed offsets: for what has a position by now, it
    /// comes too late.
    pub(crate) fn handle_fetched(&mut self, id: u64, result: Result<Vec<CommittedOffset>>) {
        if self.asked.remove(&id).is_none() {
            return;
        }
        for told in result.into_iter().flatten() {
            let Ok(committed) = told.committed else { continue };
            let at = committed.map_or((0, -1), |one| (one.offset, one.leader_epoch));
            let (client, partition) = (self.client, number(told.topic.as_str(), told.partition));
            let open = self.owned.get_mut(&partition).filter(|reading| reading.at.is_none());
            if let Some(reading) = open {
                reading.at = Some(at);
                let at = Position { partition, offset: at.0, epoch: at.1 };
                self.events.push(Event::Started { client, at });
            }
        }
    }

    /// Reads what there is, and asks for the positions that are not known.
    pub(crate) fn consume(&mut self, now: Instant, logs: &[RecordLog]) {
        let client = self.client;
        for (&partition, reading) in &mut self.owned {
            let (Some((from, _)), log) = (reading.at, &logs[index(partition)]) else { continue };
            let to = log.epoch_end(from).min(from + RECORDS_MAX);
            if from < to && !reading.is_paused && !reading.is_held {
                let epoch = log.epoch_of(from);
                reading.at = Some((to, epoch));
                self.events.push(Event::Delivered { client, partition, from, to, epoch });
            }
        }
        let is_open = |(partition, reading): (&i32, &Reading)| {
            let is_asked = self.asked.values().any(|asked| asked.contains(partition));
            (reading.at.is_none() && !is_asked).then_some(*partition)
        };
        let open: Vec<i32> = self.owned.iter().filter_map(is_open).collect();
        if !open.is_empty() {
            let partitions = Some(open.iter().map(|partition| topic_name(*partition)).collect());
            let (id, deadline) = (self.id(), now + FETCH_TIME);
            self.asked.insert(id, open);
            self.commands.push(MemberCommand::Fetch { id, partitions, deadline });
        }
    }

    /// Pauses, resumes or seeks now and then; seeks more often where the answer to a question may
    /// come too late for it.
    pub(crate) fn wander(&mut self, logs: &[RecordLog]) {
        let Some(asked) = self.asked.values().next_back().filter(|asked| !asked.is_empty()) else {
            return self.wander_anywhere(logs);
        };
        if self.random.below(ASKING_TURNS) == 0 {
            let partition = asked[pick(&mut self.random, asked.len())];
            self.seek(partition, logs[index(partition)].end);
        }
    }

    fn wander_anywhere(&mut self, logs: &[RecordLog]) {
        if self.owned.is_empty() || !self.has_whim(CALM_TURNS) {
            return;
        }
        let place = pick(&mut self.random, self.owned.len());
        let Some((&partition, _)) = self.owned.iter().nth(place) else { return };
        match self.random.below(4) {
            0 => self.set_paused(partition, true),
            1 => self.set_paused(partition, false),
            _ => self.seek(partition, logs[index(partition)].end),
        }
    }

    /// Tells in one of so many cases that something is to happen.
    pub(crate) fn has_whim(&mut self, cases: u64) -> bool {
        self.random.below(cases) == 0
    }

    /// Goes on with everything.
    pub(crate) fn resume_all(&mut self) {
        self.partitions().into_iter().for_each(|partition| self.set_paused(partition, false));
    }

    /// Commits all positions; returns the commit's number, if there is anything to commit.
    pub(crate) fn commit(
        &mut self,
        now: Instant,
        membership: Option<&Membership>,
        retries: bool,
    ) -> Option<u64> {
        let membership = Some(membership?.clone());
        let known = self.owned.iter().filter_map(|(partition, reading)| {
            let (offset, epoch) = reading.at?;
            Some(Position { partition: *partition, offset, epoch })
        });
        let positions: Vec<Position> = known.collect();
        if positions.is_empty() {
            return None;
        }
        let (id, client) = (self.id(), self.client);
        let offsets = positions.iter().map(commit_offset).collect();
        self.events.push(Event::Commits { client, id, positions });
        let deadline = now + COMMIT_TIME;
        let commit = Commit { id, offsets, membership, retries, deadline };
        self.commands.push(MemberCommand::Commit(commit));
        Some(id)
    }

    fn set_paused(&mut self, partition: i32, is_paused: bool) {
        let client = self.client;
        let reading = self.owned.get_mut(&partition).filter(|one| one.is_paused != is_paused);
        if let Some(reading) = reading {
            reading.is_paused = is_paused;
            self.events.push(match is_paused {
                true => Event::Paused { client, partition },
                false => Event::Resumed { client, partition },
            });
        }
    }

    /// Seeks to where there is something, most often near by.
    fn seek(&mut self, partition: i32, end: i64) {
        let is_far = self.random.below(8) == 0;
        let span = 2 * SEEK_SPAN.unsigned_abs() + 1;
        let near = i64::try_from(self.random.below(span)).unwrap() - SEEK_SPAN;
        let far = i64::try_from(self.random.below(end.unsigned_abs() + 1)).unwrap();
        let client = self.client;
        let Some(reading) = self.owned.get_mut(&partition).filter(|one| !one.is_held) else {
            return;
        };
        let offset = match reading.at {
            Some((at, _)) if !is_far => (at + near).clamp(0, end),
            _ => far,
        };
        // Nothing is known of the record before it.
        reading.at = Some((offset, -1));
        self.events.push(Event::Sought { client, partition, offset });
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}

fn commit_offset(position: &Position) -> CommitOffset {
    let Position { partition, offset, epoch: leader_epoch } = *position;
    let (topic, partition) = topic_name(partition);
    CommitOffset { topic, partition, offset, leader_epoch, metadata: String::new() }
}
