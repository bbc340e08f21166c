//! Holds the events of a world to the invariants of group consumption.
//!
//! | invariant | here |
//! |---|---|
//! | I1 identity, I2 no phantom | only what is there is delivered, with its leader's epoch |
//! | I6 start, I18 no reset | a run begins at what is committed, never elsewhere |
//! | I7 ownership, I5 no gap | records come to an owner only, from its position on |
//! | I8 exclusive, I11 cooperative | an owner is let go by the coordinator before another comes |
//! | I9 commit bound | nothing is committed that was not delivered to who commits |
//! | I10 commit owner | only an owner commits, and nothing is sent once membership is lost |
//! | I12 monotonic | what is committed only grows, unless its owner sought; commits keep order |
//! | I13 metadata | the epoch that is committed, and told, is that of the record before |
//! | I15 no loss | what is committed has been delivered, or left out by a seek |
//! | I14 at least once | in the end everything is delivered |
//! | I16 exactly once | where nothing fails no record comes twice |
//! | I17 bound of repeats | what comes again was not committed: it follows from I6 |
//! | I19 epochs | leader epochs only grow within a run |
//! | I20 pause, seek | nothing while paused; to resume, seek or keep moves no position |
//! | I21 static | a restart within the session begins no generation |
//! | I22 fencing | the older of two instances ends, fenced |
//! | I23 brokers | faults of brokers begin no generation |
//! | I24 storms | no more generations than reasons: joins, and the second of cooperative ones too |
//! | I25 protocol | one Join or Sync, one heartbeat; no old generation; back-off |

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use kfetch::coordinator::assignor::Subscription;
use kfetch::coordinator::request::Request;

use super::event::{Event, Violation};
use super::reading::{Asked, Log, Run};
use super::record_log::number;
use super::weather::Weather;
use super::world::{RETRY, Time};

/// One pass over the events of a world.
#[derive(Debug)]
pub(crate) struct Checker {
    pub(super) calm: bool,
    is_static: bool,
    /// Whether leader epochs are committed, and told.
    pub(super) has_epochs: bool,
    pub(super) clients: BTreeMap<usize, Client>,
    pub(super) logs: Vec<Log>,
    pub(super) seeks: u64,
    /// Reasons for a generation, and generations.
    reasons: u64,
    generations: u64,
    /// Set once no generation may begin any more, until the world is healed.
    frozen_generation: bool,
    /// In a calm world of static members: when the group was last complete.
    restarts: BTreeMap<usize, Time>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Client {
    instance: Option<usize>,
    alive: bool,
    pub(super) owned: BTreeMap<i32, Run>,
    /// Since when the coordinator has no place for it.
    pub(super) removed: Option<Time>,
    pub(super) frozen_until: Time,
    pub(super) fenced: bool,
    failed: Option<i16>,
    generation: Option<i32>,
    exchanges: usize,
    heartbeats: usize,
    /// Its commits, which of them have not been told, and the last that was stored.
    pub(super) commits: BTreeMap<u64, Vec<Asked>>,
    pub(super) untold: VecDeque<u64>,
    pub(super) stored_commit: u64,
    /// The last seek backwards of each partition that has been committed.
    pub(super) spent: BTreeMap<i32, u64>,
    refused: Vec<(Request, Time)>,
    assigned: bool,
    /// What the last join that was sent says that it owns, and whether that has been lost.
    claims: Vec<i32>,
    claims_lost: bool,
}

pub(super) fn expect(holds: bool, text: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation(text())) }
}

impl Checker {
    pub(crate) fn new(partitions: usize, weather: &Weather) -> Self {
        Self {
            calm: weather.calm,
            is_static: weather.is_static,
            has_epochs: weather.has_epochs(),
            clients: BTreeMap::new(),
            logs: vec![Log::default(); partitions],
            seeks: 0,
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
            // What the application wishes after it has left is no second attempt of anything.
            Event::Leaves { client } => {
                let is_join = |request: &Request| matches!(request, Request::JoinGroup { .. });
                self.client(*client).refused.retain(|(request, _)| !is_join(request));
            }
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
            Event::Assigned { client, generation, partitions, paused } => {
                self.check_assigned(*client, *generation, partitions)?;
                self.check_kept(*client, partitions, paused)?;
            }
            Event::Revoked { client, partitions } => {
                for partition in partitions {
                    let is_own = self.client(*client).owned.remove(partition).is_some();
                    expect(is_own, || format!("I11: {client} revokes {partition}, not its own"))?;
                }
            }
            Event::Dropped { client } => {
                let own = self.client(*client);
                own.owned.clear();
                own.claims_lost |= !own.claims.is_empty();
            }
            Event::Started { .. }
            | Event::Delivered { .. }
            | Event::Paused { .. }
            | Event::Resumed { .. }
            | Event::Sought { .. }
            | Event::Commits { .. }
            | Event::Told { .. }
            | Event::Stored { .. }
            | Event::Grown { .. }
            | Event::Led { .. } => self.check_reading(now, event)?,
            Event::Complains { client, what } => {
                return Err(Violation(format!("{client} is told an error: {what}")));
            }
            Event::Generation { generation } => self.check_generation(now, *generation)?,
            Event::Removed { client, fenced } => {
                self.reasons += 1;
                let it = self.client(*client);
                it.removed = it.removed.or(Some(now));
                it.fenced |= *fenced;
            }
            Event::OnlyBrokers => self.frozen_generation = true,
            Event::Healed => self.frozen_generation = false,
            Event::Finished => self.check_finish()?,
        }
        Ok(())
    }

    pub(super) fn client(&mut self, client: usize) -> &mut Client {
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
        let it = self.client(client);
        it.owned.clear();
        it.alive = false;
        if let Some(instance) = it.instance.filter(|_| clean) {
            self.restarts.insert(instance, now);
        }
        self.reasons += 1;
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
        if let Request::JoinGroup { protocols, .. } = request {
            it.claims = claims(&protocols[0].1);
            it.claims_lost = it.claims.iter().any(|claimed| !it.owned.contains_key(claimed));
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
        let own = self.client(client);
        own.assigned = true;
        let text = || format!("I11: {client} is assigned by a join that claims what was lost");
        expect(!own.claims_lost, text)?;
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
            self.begin_run(client, generation, *partition);
        }
        Ok(())
    }

    /// What a process keeps through a rebalance stays as it is; what it gets is not paused.
    fn check_kept(
        &mut self,
        client: usize,
        added: &[i32],
        paused: &[i32],
    ) -> Result<(), Violation> {
        let own = self.client(client);
        let kept = own.owned.iter_mut().filter(|(partition, _)| !added.contains(partition));
        for (_, run) in kept {
            run.after.get_or_insert("after a rebalance that left it where it was");
        }
        let known = own.owned.iter().filter(|(_, run)| run.is_paused);
        let known: Vec<i32> = known.map(|(partition, _)| *partition).collect();
        let text =
            || format!("I20: after a rebalance {client} has paused {paused:?}, not {known:?}");
        expect(known == paused, text)
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
            let end = log.records.end;
            let lag = end - log.delivered;
            expect(lag == 0, || format!("I14: {partition} lags by {lag}"))?;
            let lag = end - log.committed();
            expect(lag == 0, || format!("I14: {partition} is not committed, {lag} behind"))?;
        }
        Ok(())
    }
}

/// Returns the partitions that a member claims to own by the bytes that it joins with.
pub(crate) fn claims(subscription: &[u8]) -> Vec<i32> {
    match Subscription::decode(subscription) {
        Ok(subscription) => {
            let owned = subscription.owned_partitions.iter();
            owned.map(|(topic, partition)| number(topic.as_str(), *partition)).collect()
        }
        // A model's are the partitions, each a byte.
        Err(_) => subscription.iter().map(|byte| i32::from(*byte)).collect(),
    }
}
