//! A world in virtual time: the engine, its network, the cluster and the application.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kfetch::Logger;
use kfetch::backoff::{BackoffLimits, Random};
use kfetch::buffer::{Budget, Pool};
use kfetch::fetch::call::ConsumerId;
use kfetch::fetch::cluster::ClusterSettings;
use kfetch::fetch::connection::{AddressFamily, ConnectionId, ConnectionSettings, SocketSettings};
use kfetch::fetch::consumer::{FetchSettings, ResetPolicy};
use kfetch::fetch::cursor::StartAt;
use kfetch::fetch::engine::FetchEngine;
use kfetch::ring::bridge::{Bridge, LoopParker, LoopSignal};
use kfetch::ring::park::{Parker, Signal};

use super::application::{Application, Command};
use super::checker::Checker;
use super::cluster::{Cluster, host_of, pick};
use super::event::{Event, Violation};
use super::network::Link;
use super::weather::Weather;

/// The one consumer of a world.
pub(crate) const CONSUMER: ConsumerId = ConsumerId(7);

/// From the end of the faults to the last delivery: request and set-up timeouts have to pass.
const HEALING_MAX: Duration = Duration::from_secs(12);

/// More than any world takes; a loop that runs in place comes to it.
const STEPS_MAX: usize = 400_000;

/// The largest block that the largest batch of the logs needs.
const BATCH_BLOCK_BYTES: usize = 128 * 1024;

/// Something to come.
#[derive(Debug)]
pub(crate) enum Happening {
    /// When a name is resolved, or is not.
    Resolved(ConnectionId, bool),
    /// When a connection attempt succeeds or fails.
    Connected(ConnectionId, bool),
    /// When bytes reach a broker.
    Arrived(ConnectionId, Vec<u8>),
    /// When bytes reach the client.
    Received(ConnectionId, Vec<u8>),
    /// When a broker has closed a connection.
    Ended(ConnectionId),
    /// When a broker is done with an answer.
    Answered(ConnectionId),
    /// When a broker looks at a waiting Fetch again.
    Look(ConnectionId),
    /// When commands reach the engine.
    Commands,
    Poll,
    Append,
    MoveLeader,
    Crash,
    Restart(usize),
    Trim,
    LearnLeaders(usize),
    Heal,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) now: Instant,
    start: Instant,
    pub(crate) random: Random,
    pub(crate) engine: FetchEngine,
    pub(crate) cluster: Cluster,
    pub(crate) links: BTreeMap<ConnectionId, Link>,
    pub(crate) readable: VecDeque<ConnectionId>,
    /// Names that are being resolved.
    pub(crate) hosts: BTreeMap<ConnectionId, String>,
    pub(crate) application: Application,
    /// By place, how often it has been assigned.
    pub(crate) assignments: Vec<u64>,
    agenda: BTreeMap<(Instant, u64), Happening>,
    next_number: u64,
    checker: Checker,
    /// Everything that happened, and when.
    pub(crate) events: Vec<(Duration, Event)>,
    /// How many of the events have been checked.
    checked: usize,
    memory_peak: usize,
    memory_max: usize,
    healed_at: Option<Instant>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        #[allow(clippy::disallowed_methods, reason = "an Instant has no other origin")]
        let start = Instant::now();
        let mut random = Random::new(seed);
        let brokers = 1 + pick(&mut random, 3);
        let partitions = 1 + pick(&mut random, 6);
        let mut cluster = Cluster::new(brokers, partitions, &mut random);
        cluster.weather = Weather::draw(&mut random);
        let limit = [192 << 10, 400 << 10, 1 << 20, 8 << 20][pick(&mut random, 4)];
        let (bridge, budget) = bridge_and_budget(limit);
        let settings = fetch_settings(start, &mut random);
        let partition_max = usize::try_from(settings.partition_max_bytes).unwrap();
        // A length that has lost a bit can claim as much as a partition brings.
        let overdraft = Pool::block_size(partition_max.max(BATCH_BLOCK_BYTES));
        let mut engine = FetchEngine::new(Arc::new(Logger::new(|_, _, _| {})), random.next_u64());
        let (loop_side, charged) = (Arc::clone(&bridge), Arc::clone(&budget));
        let known = cluster_settings(brokers, &mut random);
        engine.add_consumer(CONSUMER, &known, settings, loop_side, charged, start);
        let mut world = Self {
            now: start,
            start,
            random,
            engine,
            cluster,
            links: BTreeMap::new(),
            readable: VecDeque::new(),
            hosts: BTreeMap::new(),
            application: Application::new(bridge, budget),
            assignments: vec![0; partitions],
            agenda: BTreeMap::new(),
            next_number: 0,
            checker: Checker::new(partitions, limit + overdraft),
            events: Vec::new(),
            checked: 0,
            memory_peak: 0,
            memory_max: limit + overdraft,
            healed_at: None,
        };
        world.populate();
        world
    }

    fn populate(&mut self) {
        for place in 0..self.cluster.logs.len() {
            for _ in 0..self.random.below(60) {
                self.grow(place);
            }
            let start = match self.random.below(3) {
                0 => StartAt::Policy,
                _ => StartAt::Offset(0),
            };
            self.application.assign(place, start);
        }
        self.after(Duration::ZERO, Happening::Commands);
        self.after(Duration::ZERO, Happening::Poll);
        self.after(Duration::from_millis(5), Happening::Append);
        let weather = self.cluster.weather.clone();
        self.after_some(weather.move_every, Happening::MoveLeader);
        self.after_some(weather.crash_every, Happening::Crash);
        self.after_some(weather.trim_every, Happening::Trim);
        let heal = Duration::from_millis(500 + self.random.below(8000));
        self.after(heal, Happening::Heal);
    }

    /// Runs to the end.
    pub(crate) fn run(&mut self) -> Result<(), Violation> {
        for _ in 0..STEPS_MAX {
            let timeout = self.engine.poll_timeout();
            let next = self.agenda.first_key_value().map(|((at, _), _)| *at);
            let Some(at) = next.into_iter().chain(timeout).min() else {
                return Err(Violation("nothing will ever happen again".to_owned()));
            };
            self.now = self.now.max(at);
            if next.is_some_and(|next| next <= self.now)
                && let Some((_, happening)) = self.agenda.pop_first()
            {
                self.handle(happening);
            }
            self.turn();
            self.check()?;
            if let Some(healed_at) = self.healed_at {
                if self.is_done() {
                    self.record(Event::Finished);
                    return self.check();
                }
                if self.now > healed_at + HEALING_MAX {
                    self.record(Event::Finished);
                    self.check()?;
                    return Err(Violation("everything came, and then?".to_owned()));
                }
            }
        }
        Err(Violation(format!("not done after {STEPS_MAX} steps")))
    }

    /// Runs with answers of which any byte may be wrong, so that nothing is true of what comes;
    /// the engine must neither panic nor run in place.
    pub(crate) fn run_scrambled(&mut self) -> Result<(), Violation> {
        self.cluster.weather.scrambled = 300;
        for _ in 0..STEPS_MAX {
            let timeout = self.engine.poll_timeout();
            let next = self.agenda.first_key_value().map(|((at, _), _)| *at);
            self.now =
                next.into_iter().chain(timeout).min().map_or(self.now, |at| at.max(self.now));
            if next.is_some_and(|next| next <= self.now)
                && let Some((_, happening)) = self.agenda.pop_first()
            {
                self.handle(happening);
            }
            self.turn();
            self.cluster.events.clear();
            self.application.events.clear();
            if self.is_healed() {
                return Ok(());
            }
        }
        Err(Violation(format!("not healed after {STEPS_MAX} steps")))
    }

    /// Ends the consumer: nothing may be left of it.
    pub(crate) fn close(mut self) -> Result<(), Violation> {
        self.engine.remove_consumer(CONSUMER);
        let budget = Arc::clone(&self.application.budget);
        drop(self.application);
        drop(self.engine);
        match budget.used() {
            0 => Ok(()),
            used => Err(Violation(format!("{used} bytes were never given back"))),
        }
    }

    /// One turn of the loop, in the order of the real one.
    fn turn(&mut self) {
        if self.application.bridge.take_attention() {
            self.engine.handle_attention(CONSUMER);
        }
        self.engine.drive(self.now);
        self.perform();
        if self.engine.poll_timeout().is_some_and(|at| at <= self.now) {
            self.engine.handle_timeout(self.now);
        }
        self.perform();
        if self.random.below(30) == 0
            && let Some(id) = self.links.keys().copied().nth(pick(&mut self.random, 6))
        {
            // The operating system may say so when there is nothing.
            self.readable.push_back(id);
        }
        while let Some(id) = self.readable.pop_front() {
            self.read(id);
        }
        if self.application.take_wake_up() {
            self.after(Duration::ZERO, Happening::Poll);
        }
    }

    fn handle(&mut self, happening: Happening) {
        match happening {
            Happening::Resolved(id, found) => self.handle_resolved(id, found),
            Happening::Connected(id, accepted) => self.handle_connected(id, accepted),
            Happening::Arrived(id, bytes) => self.handle_arrived(id, &bytes),
            Happening::Received(id, bytes) => self.handle_received(id, bytes),
            Happening::Ended(id) => self.handle_ended(id),
            Happening::Answered(id) => self.handle_answered(id),
            Happening::Look(id) => self.broker_turn(id),
            Happening::Commands => self.take_commands(),
            Happening::Poll => self.poll(),
            Happening::Append => self.append(),
            Happening::MoveLeader => self.move_leader(),
            Happening::Crash => self.crash(),
            Happening::Restart(broker) => self.restart(broker),
            Happening::Trim => self.trim(),
            Happening::LearnLeaders(broker) => {
                self.cluster.brokers[broker].view.clone_from(&self.cluster.leaders);
            }
            Happening::Heal => self.heal(),
        }
    }

    /// Checks a record of events against what this world's cluster holds.
    pub(crate) fn replay(&self, events: &[Event]) -> Result<(), Violation> {
        let mut checker = Checker::new(self.cluster.logs.len(), self.memory_max);
        events.iter().try_for_each(|event| checker.check(event, &self.cluster.logs))
    }

    fn poll(&mut self) {
        let pause = self.application.step(self.now, &self.cluster.logs, &mut self.random);
        for event in &self.application.events {
            if let Event::Positioned { place, .. } = event {
                // Fetched anew, a batch may lose a bit anew.
                self.cluster.flipped.retain(|(of, _)| of != place);
            }
        }
        if !self.application.commands.is_empty() {
            let delay = Duration::from_micros(self.random.below(3000));
            self.after(delay, Happening::Commands);
        }
        if let Some(pause) = pause {
            self.after(pause, Happening::Poll);
        }
    }

    fn take_commands(&mut self) {
        while let Some(command) = self.application.commands.pop_front() {
            match command {
                Command::Assign(place, new) => {
                    self.assignments[place] += 1;
                    self.engine.handle_assign(CONSUMER, vec![new], self.now);
                }
                Command::Unassign(index) => self.engine.handle_unassign(CONSUMER, &[index]),
                Command::Seek(index, stamp, start) => {
                    self.engine.handle_seek(CONSUMER, &[(index, stamp, start)], self.now);
                }
                Command::Pause(index, is_paused) => {
                    self.engine.handle_pause(CONSUMER, &[index], is_paused);
                }
            }
            self.perform();
        }
    }

    pub(super) fn heal(&mut self) {
        self.cluster.weather = Weather::default();
        for broker in 0..self.cluster.brokers.len() {
            self.cluster.brokers[broker].is_up = true;
        }
        for place in 0..self.cluster.leaders.len() {
            if self.cluster.leaders[place].broker.is_none() {
                let to = pick(&mut self.random, self.cluster.brokers.len());
                self.cluster.move_leader(place, Some(to));
            }
        }
        for broker in &mut self.cluster.brokers {
            broker.view.clone_from(&self.cluster.leaders);
        }
        self.application.calm_down();
        self.after(Duration::ZERO, Happening::Commands);
        self.healed_at = Some(self.now);
        self.record(Event::Healed);
    }

    pub(crate) fn is_healed(&self) -> bool {
        self.healed_at.is_some()
    }

    fn is_done(&self) -> bool {
        self.application.commands.is_empty()
            && self
                .application
                .positions()
                .all(|(place, next)| next == Some(self.cluster.logs[place].end))
    }

    pub(crate) fn after(&mut self, delay: Duration, happening: Happening) {
        self.at(self.now + delay, happening);
    }

    pub(crate) fn at(&mut self, at: Instant, happening: Happening) {
        self.agenda.insert((at, self.next_number), happening);
        self.next_number += 1;
    }

    pub(crate) fn after_some(&mut self, mean: Duration, happening: Happening) {
        if !mean.is_zero() {
            let nanos = u64::try_from(mean.as_nanos()).unwrap();
            let delay = Duration::from_nanos(self.random.below(2 * nanos));
            self.after(delay, happening);
        }
    }

    pub(crate) fn record(&mut self, event: Event) {
        self.events.push((self.now - self.start, event));
    }

    /// Collects what has happened everywhere, and checks it.
    fn check(&mut self) -> Result<(), Violation> {
        let used = self.application.budget.used();
        if used > self.memory_peak {
            self.memory_peak = used;
            self.record(Event::Memory { used });
        }
        for event in std::mem::take(&mut self.cluster.events) {
            self.record(event);
        }
        for event in std::mem::take(&mut self.application.events) {
            self.record(event);
        }
        let consumer = self.engine.consumer(CONSUMER).unwrap();
        if !consumer.landed.is_empty() {
            return Err(Violation(format!("not handed over: {:?}", consumer.landed)));
        }
        while let Some((_, event)) = self.events.get(self.checked) {
            self.checked += 1;
            self.checker.check(event, &self.cluster.logs)?;
        }
        Ok(())
    }
}

struct NoSignal;

impl Signal for NoSignal {
    fn signal(&self) {}
}

fn bridge_and_budget(limit: usize) -> (Arc<Bridge>, Arc<Budget>) {
    let signal: LoopSignal = Box::new(NoSignal);
    let parker: Arc<LoopParker> = Arc::new(Parker::new(signal));
    let bridge = Bridge::new(parker).unwrap();
    let calling = Arc::clone(&bridge);
    (bridge, Budget::new(limit, Box::new(move || calling.call_feeder())))
}

fn fetch_settings(start: Instant, random: &mut Random) -> FetchSettings {
    let ms = Duration::from_millis;
    let partition_max = 4000 + random.below(200_000);
    let resets = [ResetPolicy::Earliest, ResetPolicy::Latest, ResetPolicy::None];
    FetchSettings {
        min_bytes: 1,
        max_wait_ms: 50 + i32::try_from(random.below(900)).unwrap(),
        max_bytes: i32::try_from(partition_max + random.below(400_000)).unwrap(),
        partition_max_bytes: i32::try_from(partition_max).unwrap(),
        check_crcs: true,
        partition_eof: random.below(2) == 0,
        reset: resets[pick(random, 3)],
        retry: BackoffLimits { initial: ms(100), max: ms(1000) },
        connection: ConnectionSettings {
            client_id: "simulation".to_owned(),
            request_timeout: ms(5000),
            receive_max_bytes: 100 << 20,
            idle_max: (random.below(2) == 0).then_some(ms(3000)),
            fetch_version_max: 12,
            family: AddressFamily::Any,
            socket: SocketSettings::default(),
        },
        epoch: (start, 0),
    }
}

fn cluster_settings(brokers: usize, random: &mut Random) -> ClusterSettings {
    let ms = Duration::from_millis;
    let mut bootstrap: Vec<(String, u16)> = (0..brokers)
        .filter(|broker| *broker == 0 || random.below(2) == 0)
        .map(|broker| (host_of(broker), 9000 + u16::try_from(broker).unwrap()))
        .collect();
    if random.below(3) == 0 {
        bootstrap.push(("nobody".to_owned(), 9000));
    }
    ClusterSettings {
        bootstrap,
        client_id: "simulation".to_owned(),
        metadata_max_age: Duration::from_secs(300),
        allow_auto_create_topics: false,
        retry: BackoffLimits { initial: ms(100), max: ms(1000) },
        reconnect: BackoffLimits { initial: ms(50), max: ms(1000) },
        setup_timeout: BackoffLimits { initial: ms(2000), max: ms(4000) },
        rebootstrap: true,
    }
}
