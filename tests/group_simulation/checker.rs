//! Holds the events of a world to the invariants of group consumption.
//!
//! | invariant | here |
//! |---|---|
//! | I6 start, I18 no reset | a run begins at what is committed, never elsewhere |
//! | I7 ownership | records come to an owner only, from its position on |
//! | I8 exclusive, I11 cooperative | an owner is let go by the coordinator before another comes |
//! | I9 commit bound | nothing is committed that was not delivered to who commits |
//! | I10 commit owner | only an owner commits, and nothing is sent once membership is lost |
//! | I12 monotonic, I15 no loss | what is committed only grows, and has been delivered |
//! | I14 at least once | in the end everything is delivered |
//! | I16 exactly once | where nothing fails no record comes twice |
//! | I17 bound of repeats | what comes again was not committed |
//! | I21 static | a restart within the session begins no generation |
//! | I22 fencing | the older of two instances ends, fenced |
//! | I23 brokers | faults of brokers begin no generation |
//! | I24 storms | there is no more generations than reasons |
//! | I25 protocol | one Join or Sync, one heartbeat; no old generation; back-off |

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kfetch::coordinator::request::Request;

use super::event::{Event, Violation};
use super::weather::Weather;
use super::world::{RETRY, Time, World};

/// One pass over the events of a world.
#[derive(Debug)]
pub(crate) struct Checker {
    calm: bool,
    is_static: bool,
    clients: BTreeMap<usize, Client>,
    logs: Vec<Log>,
    /// Reasons for a generation, and generations.
    reasons: u64,
    generations: u64,
    /// Set once no generation may begin any more, until the world is healed.
    frozen_generation: bool,
    /// In a calm world of static members: when the group was last complete.
    restarts: BTreeMap<usize, Time>,
}

#[derive(Clone, Debug, Default)]
struct Log {
    end: i64,
    committed: i64,
    delivered: i64,
    /// How much of what was delivered is not committed, when the last owner ended.
    tail: i64,
}

#[derive(Clone, Debug, Default)]
struct Client {
    instance: Option<usize>,
    alive: bool,
    owned: BTreeMap<i32, Run>,
    /// Since when the coordinator has no place for it.
    removed: Option<Time>,
    frozen_until: Time,
    fenced: bool,
    failed: Option<i16>,
    generation: Option<i32>,
    exchanges: usize,
    heartbeats: usize,
    commits: BTreeMap<u64, Vec<(i32, i64)>>,
    told: Vec<Vec<(i32, i64)>>,
    refused: Vec<(Request, Time)>,
    assigned: bool,
}

#[derive(Clone, Debug, PartialEq)]
struct Run {
    generation: i32,
    committed: i64,
    position: Option<i64>,
}

fn expect(holds: bool, text: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation(text())) }
}

fn index(partition: i32) -> usize {
    usize::try_from(partition).unwrap()
}

impl Checker {
    pub(crate) fn new(partitions: usize, weather: &Weather) -> Self {
        Self {
            calm: weather.calm,
            is_static: weather.is_static,
            clients: BTreeMap::new(),
            logs: vec![Log::default(); partitions],
            reasons: 0,
            generations: 0,
            frozen_generation: false,
            restarts: BTreeMap::new(),
        }
    }

    /// Takes the next event.
    pub(crate) fn check(&mut self, now: Time, event: &Event) -> Result<(), Violation> {
        match event {
            Event::Born { client, instance } => {
                let born = Client { instance: *instance, alive: true, ..Client::default() };
                self.clients.insert(*client, born);
                self.reasons += 2;
            }
            Event::Dead { client, clean } => self.die(now, *client, *clean),
            Event::Frozen { client, until } => self.client(*client).frozen_until = *until,
            Event::Joins { .. } | Event::Broken { .. } | Event::Moved => self.reasons += 1,
            Event::Sent { client, request } => self.check_sent(now, *client, request)?,
            Event::Returned { client, request, code } => {
                self.take_return(now, *client, request, *code);
            }
            Event::Adopted { client, generation } => {
                self.client(*client).generation = Some(*generation);
            }
            Event::Seated { client } => self.take_seat(*client),
            Event::Lost { client, fatal } => {
                self.client(*client).generation = None;
                self.client(*client).failed = *fatal;
            }
            Event::Assigned { client, generation, partitions } => {
                self.check_assigned(*client, *generation, partitions)?;
            }
            Event::Revoked { client, partitions } => {
                for partition in partitions {
                    let run = self.client(*client).owned.remove(partition);
                    let known = run.ok_or_else(|| {
                        Violation(format!("I11: {client} revokes {partition}, not its own"))
                    })?;
                    self.end_run(*partition, &known);
                }
            }
            Event::Dropped { client } => self.drop_all(*client),
            Event::Started { client, partition, offset } => {
                self.check_start(*client, *partition, *offset)?;
            }
            Event::Delivered { client, partition, from, to } => {
                self.check_delivery(now, *client, *partition, *from, *to)?;
            }
            Event::Commits { client, id, offsets } => {
                self.check_commit(*client, *id, offsets)?;
            }
            Event::Told { client, id } => {
                let known = self.client(*client).commits.keys().next() == Some(id);
                expect(known, || format!("commit {id} of {client} is told out of order"))?;
                let it = self.client(*client);
                // Its request may still be on its way.
                it.told.extend(it.commits.remove(id));
            }
            Event::Stored { client, partition, offset } => {
                self.check_stored(*client, *partition, *offset)?;
            }
            Event::Generation { generation } => self.check_generation(now, *generation)?,
            Event::Removed { client, fenced } => {
                self.reasons += 1;
                let it = self.client(*client);
                it.removed = it.removed.or(Some(now));
                it.fenced |= *fenced;
            }
            Event::Grown { partition, end } => self.logs[index(*partition)].end = *end,
            Event::OnlyBrokers => self.frozen_generation = true,
            Event::Healed => self.frozen_generation = false,
            Event::Finished => self.check_finish()?,
        }
        Ok(())
    }

    fn client(&mut self, client: usize) -> &mut Client {
        self.clients.entry(client).or_default()
    }

    /// Who has the same instance is fenced from now on, whenever it learns that.
    fn take_seat(&mut self, client: usize) {
        let own = self.client(client);
        own.removed = None;
        let instance = own.instance;
        for (other, it) in &mut self.clients {
            it.fenced |= *other != client && instance.is_some() && it.instance == instance;
        }
    }

    fn die(&mut self, now: Time, client: usize, clean: bool) {
        self.drop_all(client);
        let it = self.client(client);
        it.alive = false;
        if let Some(instance) = it.instance.filter(|_| clean) {
            self.restarts.insert(instance, now);
        }
        self.reasons += 1;
    }

    fn drop_all(&mut self, client: usize) {
        for (partition, run) in std::mem::take(&mut self.client(client).owned) {
            self.end_run(partition, &run);
        }
    }

    fn end_run(&mut self, partition: i32, run: &Run) {
        let log = &mut self.logs[index(partition)];
        if run.position.is_some() {
            log.tail = log.delivered - log.committed;
        }
    }

    fn check_sent(&mut self, now: Time, client: usize, request: &Request) -> Result<(), Violation> {
        let it = self.client(client);
        let text = |what: &str| format!("I25: {client} {what}: {request:?}");
        let last = it.refused.iter().rev().find(|(refused, _)| refused == request);
        let early = last.is_some_and(|(_, at)| now - *at < RETRY * 8 / 10);
        expect(!early, || text("sends again too early"))?;
        let current = it.generation;
        match request {
            Request::JoinGroup { .. } | Request::SyncGroup { .. } => {
                it.exchanges += 1;
                expect(it.exchanges == 1, || text("sends a second exchange"))?;
            }
            Request::Heartbeat { .. } => {
                it.heartbeats += 1;
                expect(it.heartbeats == 1, || text("sends a second heartbeat"))?;
            }
            _ => {}
        }
        match request {
            Request::SyncGroup { generation, .. } | Request::Heartbeat { generation, .. } => {
                expect(current == Some(*generation), || text("is of another generation"))?;
            }
            // A commit before a leave goes while nothing has replaced its generation.
            Request::OffsetCommit { generation, .. } => {
                let text = || format!("I10: {client} commits after its membership: {request:?}");
                expect(current == Some(*generation), text)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn take_return(&mut self, now: Time, client: usize, request: &Request, code: Option<i16>) {
        let it = self.client(client);
        match request {
            Request::JoinGroup { .. } | Request::SyncGroup { .. } => it.exchanges -= 1,
            Request::Heartbeat { .. } => it.heartbeats -= 1,
            _ => {}
        }
        it.refused.retain(|(refused, _)| refused != request);
        // What is refused because of a rebalance or an id is followed by something else at once.
        let fails = code.is_none_or(|code| ![0, 79, 27, 22, 25, 82].contains(&code));
        if fails {
            it.refused.push((request.clone(), now));
        }
        if code.is_none() || fails {
            self.reasons += 1;
        }
    }

    fn check_assigned(
        &mut self,
        client: usize,
        generation: i32,
        partitions: &[i32],
    ) -> Result<(), Violation> {
        self.client(client).assigned = true;
        // Who stood still may hear of an assignment that is long over, and of its loss right after.
        let own = self.client(client);
        let is_over = own.removed.is_some() || own.generation != Some(generation);
        for partition in partitions {
            for (other, it) in self.clients.iter().filter(|(other, _)| **other != client) {
                let Some(run) = it.owned.get(partition).filter(|_| it.alive && !is_over) else {
                    continue;
                };
                let text = || format!("I8: {client} and {other} own {partition} in {generation}");
                expect(run.generation != generation || it.removed.is_some(), text)?;
                let text = || format!("I11: {client} gets {partition}, which {other} still owns");
                expect(it.removed.is_some() || it.generation.is_none(), text)?;
            }
            let committed = self.logs[index(*partition)].committed;
            let run = Run { generation, committed, position: None };
            self.client(client).owned.insert(*partition, run);
        }
        Ok(())
    }

    fn check_start(&mut self, client: usize, partition: i32, at: i64) -> Result<(), Violation> {
        let log = &self.logs[index(partition)];
        let (committed, delivered, tail) = (log.committed, log.delivered, log.tail);
        let run = self.client(client).owned.get_mut(&partition);
        let run = run.ok_or_else(|| Violation(format!("I7: {client} starts {partition}")))?;
        let text = || format!("I6: {client} starts {partition} at {at}, not {committed}");
        expect((run.committed..=committed).contains(&at), text)?;
        let text = || format!("I17: {client} repeats {partition} from {at} on, {tail} were open");
        expect(delivered - at <= tail.max(delivered - run.committed), text)?;
        run.position = Some(at);
        Ok(())
    }

    fn check_delivery(
        &mut self,
        now: Time,
        client: usize,
        partition: i32,
        from: i64,
        to: i64,
    ) -> Result<(), Violation> {
        let calm = self.calm;
        let log = &mut self.logs[index(partition)];
        expect(to <= log.end, || format!("{client} is given what is not there"))?;
        let is_new = from >= log.delivered;
        expect(is_new || !calm, || format!("I16: {partition} comes twice from {from} on"))?;
        log.delivered = log.delivered.max(to);
        let it = self.client(client);
        let place = it.owned.get_mut(&partition);
        let run = place.ok_or_else(|| Violation(format!("I7: {client} gets {partition}")))?;
        let text = || format!("I7: {client} gets {partition} from {from}, not {:?}", run.position);
        expect(run.position == Some(from), text)?;
        run.position = Some(to);
        // Who stood still knows as soon as it goes on; another knows by its own clock.
        let since = it.removed.map(|removed| removed.max(it.frozen_until));
        let blind = since.is_some_and(|since| now > since + World::blindness());
        let what = if it.fenced { "I22: fenced" } else { "I8: removed" };
        expect(!blind, || format!("{what} since {since:?}, {client} still reads {partition}"))
    }

    fn check_commit(
        &mut self,
        client: usize,
        id: u64,
        offsets: &[(i32, i64)],
    ) -> Result<(), Violation> {
        let it = self.client(client);
        for (partition, offset) in offsets {
            let run = it.owned.get(partition);
            expect(run.is_some(), || format!("I10: {client} commits {partition}, not its own"))?;
            let position = run.and_then(|run| run.position);
            let text = || format!("I9: {client} commits {offset} of {partition}, {position:?}");
            expect(position.is_some_and(|position| *offset <= position), text)?;
        }
        it.commits.insert(id, offsets.to_vec());
        Ok(())
    }

    fn check_stored(&mut self, client: usize, partition: i32, at: i64) -> Result<(), Violation> {
        let it = self.client(client);
        let asked = it.commits.values().chain(&it.told).any(|all| all.contains(&(partition, at)));
        expect(asked, || format!("I10: {client} never committed {at} of {partition}"))?;
        let log = &self.logs[index(partition)];
        let (committed, delivered) = (log.committed, log.delivered);
        expect(at >= committed, || format!("I12: {partition} goes back from {committed} to {at}"))?;
        expect(at <= delivered, || format!("I15: {partition} at {at}, delivered {delivered}"))?;
        self.logs[index(partition)].committed = at;
        Ok(())
    }

    fn check_generation(&mut self, now: Time, generation: i32) -> Result<(), Violation> {
        self.generations += 1;
        let (count, reasons) = (self.generations, self.reasons);
        expect(count <= reasons + 2, || format!("I24: {count} generations, {reasons} reasons"))?;
        let text = || format!("I23: generation {generation} begins with brokers alone failing");
        expect(!self.frozen_generation, text)?;
        // A static member that ended well is back before its session ends.
        let is_restart = self.calm && self.is_static && now > Duration::from_secs(5);
        expect(!is_restart, || format!("I21: generation {generation} begins, restarts alone"))
    }

    fn check_finish(&self) -> Result<(), Violation> {
        for (client, it) in self.clients.iter().filter(|(_, it)| it.alive) {
            let why = it.failed;
            let text = || format!("I22: {client} fails with {why:?} and was not fenced");
            expect(why.is_none() || (why == Some(82) && it.fenced), text)?;
            expect(it.assigned || why.is_some(), || format!("{client} never joined"))?;
            let is_left = why.is_none() && it.removed.is_some();
            expect(!is_left, || format!("{client} was removed and did not come back"))?;
        }
        let living = self.clients.values().filter(|it| it.alive && it.failed.is_none());
        let owned: BTreeSet<i32> = living.clone().flat_map(|it| it.owned.keys().copied()).collect();
        if living.count() == 0 {
            return Ok(());
        }
        expect(owned.len() == self.logs.len(), || format!("only {owned:?} have an owner"))?;
        for (partition, log) in self.logs.iter().enumerate() {
            let lag = log.end - log.delivered;
            expect(lag == 0, || format!("I14: {partition} lags by {lag}"))?;
            let lag = log.end - log.committed;
            expect(lag == 0, || format!("I14: {partition} is not committed, {lag} behind"))?;
        }
        Ok(())
    }
}
