//! A world in virtual time: members, their connections, the brokers and the faults.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kfetch::backoff::{BackoffLimits, Random};
use kfetch::coordinator::action::{MemberAction, Unanswered};
use kfetch::coordinator::command::MemberCommand;
use kfetch::coordinator::member::Member;
use kfetch::coordinator::notice::Notice;
use kfetch::coordinator::request::Request;
use kfetch::coordinator::settings::MemberSettings;
use kfetch::protocol::{ApiKey, ErrorCode};

use super::application::{Application, Life, Side};
use super::checker::Checker;
use super::coordinator::{Answer, Group, Times};
use super::event::{Event, Violation};
use super::model::Model;
use super::network::Link;
use super::participation::{Participation, no_answer, topic_counts};
use super::reader::Reader;
use super::record_log::RecordLog;
use super::serving::{self, Arrived, GROUP};
use super::weather::{Weather, pick};

/// Since the world's beginning.
pub(crate) type Time = Duration;

pub(crate) const BROKERS: usize = 3;
pub(crate) const SESSION: Duration = Duration::from_secs(6);
const HEARTBEAT: Duration = Duration::from_secs(1);
pub(crate) const POLL_INTERVAL: Duration = Duration::from_secs(8);
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);
pub(crate) const RETRY: Duration = Duration::from_millis(100);

/// Why a request comes back that the member itself has no use for.
pub(crate) const GIVEN_UP: &str = "another connection is made";

/// More than any world takes; a machine that runs in place comes to it.
const STEPS_MAX: usize = 200_000;

/// Something to come.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    /// When the application polls.
    Turn(usize),
    /// When the answer to FindCoordinator reaches the member.
    Found(usize, Option<usize>),
    /// When an attempt to connect ends.
    Connected(u64),
    /// When a request reaches the broker.
    Arrived(u64, Arrived),
    /// When an answer reaches the member.
    Answered(u64, Arrived, Vec<u8>, i16),
    /// When the member learns that a connection is gone.
    Closed(u64),
    /// When a request's time is over.
    TimedOut(u64, usize),
    Append,
    /// When another broker leads a partition.
    Lead,
    /// When commands of the application reach its member.
    Commands(usize),
    /// When the answer to a question for topics reaches the application, or its failure.
    Topics(usize, u64, Option<Vec<String>>, bool),
    Fault,
    /// When a broker can be reached again.
    Reachable(usize),
    Birth(Option<usize>),
    /// When a process goes on.
    Thawed(usize),
    OnlyBrokers,
    Heal,
}

/// One process.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) instance: Option<usize>,
    pub(crate) member: Member,
    pub(crate) application: Application,
    /// Commands that have not reached the member.
    pub(crate) commands: VecDeque<MemberCommand>,
    pub(crate) connection: Option<u64>,
    pub(crate) alive: bool,
    pub(crate) frozen_until: Time,
    /// No broker can be reached before then.
    pub(crate) cut_off_until: Time,
    /// Not polled before then.
    pub(crate) stalled_until: Time,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) now: Time,
    pub(crate) start: Instant,
    pub(crate) random: Random,
    pub(crate) weather: Weather,
    pub(crate) group: Group,
    /// The broker that coordinates, and until when it loads.
    pub(crate) host: usize,
    pub(crate) loading_until: Time,
    pub(crate) unreachable_until: [Time; BROKERS],
    pub(crate) clients: Vec<Client>,
    pub(crate) links: BTreeMap<u64, Link>,
    pub(crate) next_link: u64,
    pub(crate) logs: Vec<RecordLog>,
    pub(crate) agenda: BTreeMap<(Time, u64), Happening>,
    pub(crate) next_number: u64,
    pub(crate) checker: Checker,
    pub(crate) events: Vec<(Time, Event)>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        #[allow(clippy::disallowed_methods, reason = "an Instant has no other origin")]
        let start = Instant::now();
        let mut random = Random::new(seed);
        let weather = Weather::draw(&mut random);
        let initial = Duration::from_millis(300);
        let times = Times { session: SESSION, rebalance: POLL_INTERVAL, initial };
        let partitions = 1 + pick(&mut random, 6);
        let mut world = Self {
            now: Time::ZERO,
            start,
            random,
            group: Group::new(times),
            host: 0,
            loading_until: Time::ZERO,
            unreachable_until: [Time::ZERO; BROKERS],
            clients: Vec::new(),
            links: BTreeMap::new(),
            next_link: 1,
            logs: vec![RecordLog::default(); partitions],
            agenda: BTreeMap::new(),
            next_number: 0,
            checker: Checker::new(partitions, &weather),
            events: Vec::new(),
            weather,
        };
        world.populate();
        world
    }

    fn populate(&mut self) {
        for number in 0..self.weather.members {
            let at = Duration::from_millis(self.random.below(3000));
            let instance = self.weather.is_static.then_some(number);
            self.after(at, Happening::Birth(instance));
        }
        self.after(Duration::from_millis(1), Happening::Append);
        self.after(Duration::from_secs(2), Happening::Lead);
        self.after(Duration::from_secs(5), Happening::Fault);
        let fault_time = self.weather.fault_time;
        if self.weather.only_brokers {
            // Until then nothing fails at all, so that the group stands.
            self.after(Duration::from_secs(12), Happening::OnlyBrokers);
        }
        self.after(fault_time, Happening::Heal);
    }

    /// Runs to the end, and holds what happened to the checker.
    pub(crate) fn run(&mut self) -> Result<(), Violation> {
        for _ in 0..STEPS_MAX {
            let checked = self.events.len();
            if !self.step() {
                self.note(Event::Finished);
            }
            for at in checked..self.events.len() {
                let (time, event) = &self.events[at];
                self.checker.check(*time, event)?;
            }
            if matches!(self.events.last(), Some((_, Event::Finished))) {
                return Ok(());
            }
        }
        Err(Violation("it goes on for ever".to_owned()))
    }

    /// Holds other events to a new checker.
    pub(crate) fn replay(&self, events: &[(Time, Event)]) -> Result<(), Violation> {
        let mut checker = Checker::new(self.logs.len(), &self.weather);
        events.iter().try_for_each(|(time, event)| checker.check(*time, event))
    }

    pub(crate) fn after(&mut self, delay: Duration, happening: Happening) {
        self.next_number += 1;
        self.agenda.insert((self.now + delay, self.next_number), happening);
    }

    pub(crate) fn note(&mut self, event: Event) {
        self.events.push((self.now, event));
    }

    pub(crate) fn is_healed(&self) -> bool {
        self.now >= self.weather.fault_time
    }

    pub(crate) fn is_cut_off(&self, client: usize) -> bool {
        self.clients[client].cut_off_until > self.now && !self.is_healed()
    }

    pub(crate) fn instant(&self) -> Instant {
        self.start + self.now
    }

    /// Does the next thing; returns whether there is any before the end.
    fn step(&mut self) -> bool {
        let agenda = self.agenda.first_key_value().map(|((at, _), _)| *at);
        let group = self.group.next_timeout();
        let member = (0..self.clients.len()).filter_map(|client| Some((self.due(client)?, client)));
        let member = member.min();
        let times = [agenda, group, member.map(|member| member.0)];
        let Some(next) = times.into_iter().flatten().min() else { return false };
        self.now = self.now.max(next);
        if self.now > self.weather.end() {
            return false;
        }
        if group.is_some_and(|at| at <= self.now) {
            self.group.tick(self.now);
            self.after_group();
        } else if let Some((_, client)) = member.filter(|(at, _)| *at <= self.now) {
            let now = self.instant();
            self.clients[client].member.handle_timeout(now);
            self.act(client);
        } else if let Some((_, happening)) = self.agenda.pop_first() {
            self.happen(happening);
        }
        true
    }

    fn due(&self, client: usize) -> Option<Time> {
        let it = &self.clients[client];
        let at = it.member.poll_timeout().filter(|_| it.alive)?;
        Some(at.saturating_duration_since(self.start).max(it.frozen_until))
    }

    fn happen(&mut self, happening: Happening) {
        // A process that stands still finds everything when it goes on.
        let client = match &happening {
            Happening::Turn(client)
            | Happening::Found(client, _)
            | Happening::Commands(client)
            | Happening::Topics(client, ..) => Some(*client),
            Happening::Connected(link)
            | Happening::Answered(link, ..)
            | Happening::TimedOut(link, _)
            | Happening::Closed(link) => self.links.get(link).map(|link| link.client),
            _ => None,
        };
        if let Some(client) = client {
            let client = &self.clients[client];
            if !client.alive {
                return;
            }
            if client.frozen_until > self.now {
                self.after(client.frozen_until - self.now, happening);
                return;
            }
        }
        let now = self.instant();
        match happening {
            Happening::Turn(client) => self.turn(client),
            Happening::Found(client, host) => self.found(client, host),
            Happening::Connected(link) => self.connected(link),
            Happening::Arrived(link, arrived) => self.arrived(link, arrived),
            Happening::Answered(link, arrived, body, code) => {
                self.answered(link, &arrived, &body, code);
            }
            Happening::Closed(link) => self.closed(link, "reset"),
            Happening::TimedOut(link, number) => {
                let is_open = self.links.get(&link).is_some_and(|link| {
                    link.is_open && link.sent.iter().any(|(sent, _)| *sent == number)
                });
                if is_open {
                    self.closed(link, "timed out");
                }
            }
            Happening::Append => self.append(),
            Happening::Lead => self.lead(),
            Happening::Commands(client) => self.command(client),
            Happening::Topics(client, ask, names, is_told) => {
                self.tell_topics(client, ask, names, is_told);
            }
            Happening::Fault => self.fault(),
            Happening::Reachable(broker) => self.unreachable_until[broker] = Time::ZERO,
            Happening::Birth(instance) => self.birth(instance),
            Happening::Thawed(client) => {
                self.clients[client].member.handle_timeout(now);
                self.act(client);
            }
            Happening::OnlyBrokers => self.note(Event::OnlyBrokers),
            Happening::Heal => self.note(Event::Healed),
        }
    }

    pub(crate) fn birth(&mut self, instance: Option<usize>) {
        let client = self.clients.len();
        let settings = MemberSettings {
            group_id: GROUP.to_owned(),
            group_instance_id: instance.map(|instance| instance.to_string()),
            session_timeout: SESSION,
            heartbeat_interval: HEARTBEAT,
            max_poll_interval: POLL_INTERVAL,
            request_timeout: REQUEST_TIMEOUT,
            retry: BackoffLimits { initial: RETRY, max: Duration::from_secs(1) },
        };
        let (retry, is_static) = (settings.retry, instance.is_some());
        let side = match self.weather.assignors {
            None => Side::Model(Model::new(self.weather.cooperative)),
            Some(names) => {
                let side = Participation::new(names, self.weather.has_pattern, retry);
                Side::Participation(Box::new(side))
            }
        };
        let (now, calm) = (self.instant(), self.weather.calm);
        let reader = Reader::new(client, self.random.next_u64());
        let application = Application::new(now, reader, side, is_static, calm);
        let clock = Arc::clone(&application.clock);
        self.clients.push(Client {
            instance,
            member: Member::new(settings, clock, self.random.next_u64()),
            application,
            commands: VecDeque::new(),
            connection: None,
            alive: true,
            frozen_until: Time::ZERO,
            cut_off_until: Time::ZERO,
            stalled_until: Time::ZERO,
        });
        self.note(Event::Born { client, instance });
        self.after(Duration::ZERO, Happening::Turn(client));
    }

    fn turn(&mut self, client: usize) {
        let now = self.instant();
        let it = &mut self.clients[client];
        if it.stalled_until <= self.now {
            let is_settled = self.now >= self.weather.fault_time;
            it.application.turn(now, &self.logs, is_settled);
            if self.weather.is_fickle && !is_settled {
                it.application.stir(now, self.logs.len());
            }
            let reader = &mut it.application.reader;
            let commands = std::mem::take(&mut reader.commands);
            let events = std::mem::take(&mut reader.events);
            events.into_iter().for_each(|event| self.note(event));
            self.ask_for_topics(client);
            if !commands.is_empty() {
                self.clients[client].commands.extend(commands);
                match self.random.below(self.weather.command_lag_ms) {
                    0 => self.command(client),
                    lag => self.after(Duration::from_millis(lag), Happening::Commands(client)),
                }
            }
            if self.clients[client].application.state == Life::Ended {
                self.end(client, true);
                return;
            }
        }
        let pause = 40 + self.random.below(200);
        self.after(Duration::from_millis(pause), Happening::Turn(client));
    }

    /// Has a member take what its application has sent, in order.
    fn command(&mut self, client: usize) {
        let now = self.instant();
        while let Some(command) = self.clients[client].commands.pop_front() {
            if matches!(command, MemberCommand::Leave { .. }) {
                self.note(Event::Leaves { client });
            }
            self.clients[client].member.handle_command(now, command);
            self.act(client);
        }
    }

    /// Ends a process; what it has sent may still be on its way.
    pub(crate) fn end(&mut self, client: usize, clean: bool) {
        self.clients[client].alive = false;
        if let Some(link) = self.clients[client].connection.take() {
            self.shut(link);
        }
        self.note(Event::Dead { client, clean });
    }

    /// Does what a member says.
    pub(crate) fn act(&mut self, client: usize) {
        while let Some(action) = self.clients[client].member.poll_action() {
            match action {
                MemberAction::AskBroker { .. } => panic!("no application lists groups"),
                MemberAction::Ask(request) => {
                    self.note(Event::Sent { client, request });
                    let (broker, delay) = (pick(&mut self.random, BROKERS), self.delay());
                    let is_up = self.unreachable_until[broker] <= self.now;
                    let host = is_up.then_some(self.host);
                    self.after(delay, Happening::Found(client, host));
                }
                MemberAction::Connect { node_id, .. } => {
                    self.hand_back(client, GIVEN_UP);
                    let broker = usize::try_from(node_id).unwrap();
                    let number = self.next_link;
                    self.next_link += 1;
                    let link = Link {
                        client,
                        broker,
                        sent: VecDeque::new(),
                        numbers: 0,
                        queue: VecDeque::new(),
                        serving: None,
                        is_open: true,
                        last_in: Time::ZERO,
                        last_out: Time::ZERO,
                        is_mute: false,
                    };
                    self.links.insert(number, link);
                    self.clients[client].connection = Some(number);
                    let delay = self.delay();
                    self.after(delay, Happening::Connected(number));
                }
                MemberAction::Send(request) => self.send(client, request),
                MemberAction::ForgetTopicIds(_) => {}
                MemberAction::Disconnect => self.hand_back(client, "closed"),
                MemberAction::Notify(notice) => {
                    let lost = match &notice {
                        Notice::Lost { .. } => Some(None),
                        Notice::Failed(error) if error.is_fatal() => Some(Some(error.code())),
                        _ => None,
                    };
                    if let Some(fatal) = lost {
                        self.note(Event::Lost { client, fatal });
                    }
                    self.clients[client].application.notices.push_back(notice);
                }
            }
        }
    }

    fn found(&mut self, client: usize, host: Option<usize>) {
        let now = self.instant();
        let request = Request::FindCoordinator;
        let is_lost = self.random.below(100) < self.weather.lost_percent(self.is_healed());
        let Some(host) = host.filter(|_| !is_lost && !self.is_cut_off(client)) else {
            self.note(Event::Returned { client, request: request.clone(), code: None });
            let why = Unanswered::Lost("no answer".to_owned());
            self.clients[client].member.handle_unanswered(now, request, why);
            self.act(client);
            return;
        };
        let version = self.weather.version(ApiKey::FindCoordinator);
        let is_moving = self.loading_until > self.now && self.random.below(3) == 0;
        let host = (!is_moving).then_some(host);
        let code = if is_moving { ErrorCode::COORDINATOR_NOT_AVAILABLE.0 } else { 0 };
        let body = serving::coordinator(host, version);
        self.note(Event::Returned { client, request: request.clone(), code: Some(code) });
        self.clients[client].member.handle_answer(now, request, version, &body).unwrap();
        self.act(client);
    }

    /// Looks topics up for an application, at a broker that answers or does not.
    fn ask_for_topics(&mut self, client: usize) {
        let Side::Participation(side) = &mut self.clients[client].application.side else { return };
        for (ask, names) in std::mem::take(&mut side.asks) {
            let is_lost = self.random.below(100) < self.weather.lost_percent(self.is_healed());
            let broker = pick(&mut self.random, BROKERS);
            let is_up = self.unreachable_until[broker] <= self.now && !self.is_cut_off(client);
            let is_told = is_up && !is_lost;
            let delay = if is_told { self.delay() } else { REQUEST_TIMEOUT };
            self.after(delay, Happening::Topics(client, ask, names, is_told));
        }
    }

    fn tell_topics(&mut self, client: usize, ask: u64, names: Option<Vec<String>>, told: bool) {
        let (all, now) = (self.logs.len(), self.now);
        let known = self.weather.known_partitions(&mut self.random, now, all);
        let answer = match told {
            true => Ok(topic_counts(names, known)),
            false => no_answer(),
        };
        if let Side::Participation(side) = &mut self.clients[client].application.side {
            side.answers.push_back((ask, answer));
        }
    }

    fn append(&mut self) {
        if self.now < self.weather.fault_time + Duration::from_secs(1) {
            let partition = pick(&mut self.random, self.logs.len());
            let log = &mut self.logs[partition];
            log.end += 1 + i64::try_from(self.random.below(5)).unwrap();
            let end = log.end;
            let partition = i32::try_from(partition).unwrap();
            self.note(Event::Grown { partition, end });
            self.after(Duration::from_millis(60), Happening::Append);
        }
    }

    /// Another broker leads a partition: what is written from now on has a higher epoch.
    fn lead(&mut self) {
        if self.is_healed() {
            return;
        }
        let partition = pick(&mut self.random, self.logs.len());
        let log = &mut self.logs[partition];
        let epoch = log.last_epoch() + 1 + i32::from(self.random.below(4) == 0);
        log.lead(epoch);
        let partition = i32::try_from(partition).unwrap();
        self.note(Event::Led { partition, epoch });
        let pause = 500 + self.random.below(4000);
        self.after(Duration::from_millis(pause), Happening::Lead);
    }

    /// Another broker coordinates; the old one says so to those who wait.
    pub(crate) fn move_coordinator(&mut self, loading: Duration) {
        let old = self.host;
        self.host = (self.host + 1 + pick(&mut self.random, BROKERS - 1)) % BROKERS;
        self.loading_until = self.now + loading;
        self.group.reload(self.now + loading);
        self.after_group();
        let links = self.links.iter();
        let held = links.filter(|(_, link)| link.broker == old && link.serving.is_some());
        for number in held.map(|(number, _)| *number).collect::<Vec<_>>() {
            self.answer(number, &Answer::Code(ErrorCode::NOT_COORDINATOR));
        }
    }

    pub(crate) fn delay(&mut self) -> Duration {
        let slow = self.weather.slow_permille(self.is_healed());
        let ms = match self.random.below(1000) < slow {
            true => self.random.below(5000),
            false => 1 + self.random.below(15),
        };
        Duration::from_millis(ms)
    }
}
