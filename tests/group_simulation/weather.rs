//! What may go wrong in a world, and the faults themselves.

use std::time::Duration;

use kfetch::backoff::Random;
use kfetch::protocol::ApiKey;

use super::application::Life;
use super::event::Event;
use super::world::{BROKERS, Happening, SESSION, Time, World};

/// After the last fault: sessions and rebalances have to run out, and then some.
const HEALING: Duration = Duration::from_secs(45);

/// How long a broker may not know of a new partition.
const EXPANSION_LAG: Duration = Duration::from_secs(3);

/// Drawn from the seed.
#[derive(Clone, Debug)]
pub(crate) struct Weather {
    pub(crate) members: usize,
    pub(crate) is_static: bool,
    pub(crate) cooperative: bool,
    /// When nothing fails: members come, go and restart, all of it well.
    pub(crate) calm: bool,
    /// When only brokers fail, once the group stands.
    pub(crate) only_brokers: bool,
    pub(crate) fault_time: Time,
    fault_pause_ms: u64,
    lost: u64,
    slow: u64,
    refused: u64,
    versions: Versions,
    /// The assignors by which the participants of all members are assigned; none in a world of
    /// model applications.
    pub(crate) assignors: Option<&'static [&'static str]>,
    /// Whether participants subscribe to a pattern.
    pub(crate) has_pattern: bool,
    /// When one more partition is made of one of the topics, in a world of participants.
    pub(crate) expands_at: Option<Time>,
    /// How long the commands of an application may take to its member, which runs beside it.
    pub(crate) command_lag_ms: u64,
    /// Whether applications leave, come back and wish for rebalances.
    pub(crate) is_fickle: bool,
}

/// Which versions the brokers speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Versions {
    New,
    Old,
    /// When neither commits nor their answers have leader epochs; static members cannot commit.
    Ancient,
}

/// What participants whose partitions go before each rebalance are assigned by: a list with one
/// assignor that is not cooperative revokes everything, whichever the group chooses.
const EAGER: [&[&str]; 6] = [
    &["range"],
    &["roundrobin"],
    &["sticky"],
    &["range", "cooperative-sticky"],
    &["sticky", "cooperative-sticky"],
    &["cooperative-sticky", "roundrobin"],
];

const COOPERATIVE: &[&str] = &["cooperative-sticky"];

pub(crate) fn pick(random: &mut Random, below: usize) -> usize {
    usize::try_from(random.below(u64::try_from(below).unwrap())).unwrap()
}

impl Weather {
    pub(crate) fn draw(random: &mut Random) -> Self {
        let calm = random.below(5) == 0;
        let only_brokers = !calm && random.below(4) == 0;
        let is_static = random.below(3) == 0;
        let harsh = u64::from(!calm && !only_brokers);
        // A static member that is back gets what it had, without a rebalance in which the rest
        // could be handed on: brokers and Java's members have the same hole.
        let cooperative = !is_static && random.below(2) == 0;
        let eager = EAGER[pick(random, EAGER.len())];
        let assignors = if cooperative { COOPERATIVE } else { eager };
        let mut weather = Self {
            members: 1 + pick(random, 5),
            is_static,
            cooperative,
            calm,
            only_brokers,
            fault_time: Duration::from_secs(30 + random.below(20)),
            fault_pause_ms: if only_brokers { 4000 } else { 300 } + random.below(4000),
            lost: harsh * random.below(3) * random.below(15),
            slow: harsh * random.below(3) * random.below(10),
            refused: harsh * random.below(3) * random.below(20),
            versions: match random.below(6) {
                0 => Versions::Old,
                1 if is_static => Versions::Old,
                1 => Versions::Ancient,
                _ => Versions::New,
            },
            assignors: (random.below(2) == 0).then_some(assignors),
            has_pattern: random.below(4) == 0,
            // A static leader that is back goes on with an assignment of which it does not know
            // what it was made of (KIP-814): it takes what it finds for that, as Java's does, and
            // does not see what was made meanwhile.
            expands_at: (harsh == 1 && !is_static && random.below(3) == 0)
                .then(|| Duration::from_millis(random.below(30_000))),
            command_lag_ms: if random.below(3) == 0 { 1 + random.below(500) } else { 0 },
            is_fickle: harsh == 1 && random.below(3) == 0,
        };
        // A model's joins have no numbers: it cannot tell that one crossed with a notice. In a calm
        // world of static members the group has to stand before the first restart.
        if weather.assignors.is_none() || (calm && is_static) {
            weather.command_lag_ms = 0;
        }
        weather
    }

    pub(crate) fn end(&self) -> Time {
        self.fault_time + HEALING
    }

    pub(crate) fn lost_percent(&self, healed: bool) -> u64 {
        if healed { 0 } else { self.lost }
    }

    pub(crate) fn lost_permille(&self, healed: bool) -> u64 {
        if healed { 0 } else { self.lost }
    }

    pub(crate) fn slow_permille(&self, healed: bool) -> u64 {
        if healed { 0 } else { self.slow }
    }

    pub(crate) fn refused_permille(&self, healed: bool) -> u64 {
        if healed { 0 } else { self.refused }
    }

    /// Tells whether leader epochs are committed, and told.
    pub(crate) fn has_epochs(&self) -> bool {
        self.versions != Versions::Ancient
    }

    /// Returns how many of the partitions a broker knows at a time: for a while not all of them
    /// know of the last one.
    pub(crate) fn known_partitions(&self, random: &mut Random, now: Time, all: usize) -> usize {
        let Some(at) = self.expands_at.filter(|_| all > 1) else { return all };
        let lags = now < at + EXPANSION_LAG && random.below(2) == 0;
        if now < at || lags { all - 1 } else { all }
    }

    pub(crate) fn version(&self, api: ApiKey) -> i16 {
        match (api, self.versions != Versions::New) {
            (ApiKey::OffsetCommit, true) if self.versions == Versions::Ancient => 5,
            (ApiKey::OffsetFetch, true) if self.versions == Versions::Ancient => 4,
            (ApiKey::FindCoordinator, false) => 6,
            (ApiKey::FindCoordinator, true) => 2,
            (ApiKey::JoinGroup, true) => {
                if self.is_static {
                    5
                } else {
                    3
                }
            }
            (ApiKey::SyncGroup | ApiKey::Heartbeat, true) => 3,
            (ApiKey::LeaveGroup, true) => 3,
            (ApiKey::OffsetCommit, true) => 7,
            (ApiKey::OffsetFetch, true) => 5,
            (ApiKey::Heartbeat, false) => 4,
            (ApiKey::SyncGroup | ApiKey::LeaveGroup, false) => 5,
            _ => 9,
        }
    }
}

impl World {
    /// Lets something go wrong, or members come and go.
    pub(crate) fn fault(&mut self) {
        if self.is_healed() {
            return;
        }
        let pause =
            self.weather.fault_pause_ms / 2 + self.random.below(self.weather.fault_pause_ms);
        self.after(Duration::from_millis(pause), Happening::Fault);
        if self.weather.only_brokers {
            let stands = self.events.iter().any(|(_, event)| *event == Event::OnlyBrokers);
            if stands {
                self.broker_fault();
            }
            return;
        }
        let living: Vec<usize> =
            (0..self.clients.len()).filter(|at| self.is_running(*at)).collect();
        let some = (!living.is_empty()).then(|| living[pick(&mut self.random, living.len())]);
        match (self.random.below(if self.weather.calm { 3 } else { 12 }), some) {
            (0, Some(client)) if living.len() > 1 || self.weather.is_static => self.stop(client),
            (1, _) if living.len() < 6 && !self.weather.is_static => self.birth(None),
            (2, _) => {}
            (3, Some(client)) => self.kill(client),
            (4, Some(client)) => {
                let stall = Duration::from_millis(self.random.below(14_000));
                self.clients[client].stalled_until = self.now + stall;
            }
            (5, Some(client)) => self.freeze(client),
            (6, Some(client)) => self.break_link_of(client),
            (8, Some(client)) => {
                let outage = Duration::from_millis(self.random.below(25_000));
                self.clients[client].cut_off_until = self.now + outage;
                self.break_link_of(client);
            }
            (7, Some(client)) if self.random.below(4) == 0 => {
                // Another process with the same instance.
                if let Some(instance) = self.clients[client].instance {
                    self.birth(Some(instance));
                }
            }
            _ if self.weather.calm => {}
            _ => self.broker_fault(),
        }
    }

    fn is_running(&self, client: usize) -> bool {
        let client = &self.clients[client];
        let is_up = client.application.state == Life::Running && client.alive;
        is_up && client.frozen_until <= self.now && client.stalled_until <= self.now
    }

    /// Each is over within less than a session.
    fn broker_fault(&mut self) {
        let broker = pick(&mut self.random, BROKERS);
        match self.random.below(4) {
            0 => {
                let loading = Duration::from_millis(self.random.below(1500));
                self.move_coordinator(loading);
            }
            1 => self.break_links(self.host),
            2 => {
                let outage = Duration::from_millis(self.random.below(1500));
                self.unreachable_until[broker] = self.now + outage;
                self.break_links(broker);
                self.after(outage, Happening::Reachable(broker));
            }
            _ => self.break_links(broker),
        }
    }

    fn stop(&mut self, client: usize) {
        self.clients[client].application.state = Life::Ending;
        let instance = self.clients[client].instance;
        if self.weather.is_static || self.random.below(2) == 0 {
            let pause = Duration::from_millis(600 + self.random.below(2500));
            self.after(pause, Happening::Birth(instance));
        }
    }

    fn kill(&mut self, client: usize) {
        self.end(client, false);
        let instance = self.clients[client].instance;
        let pause = Duration::from_millis(self.random.below(9000));
        self.after(pause, Happening::Birth(instance));
    }

    fn freeze(&mut self, client: usize) {
        let time = Duration::from_millis(self.random.below(2 * 6000));
        let until = self.now + time;
        self.clients[client].frozen_until = until;
        self.note(Event::Frozen { client, until });
        self.after(time, Happening::Thawed(client));
    }

    /// How long a member may not know that it was removed.
    pub(crate) fn blindness() -> Duration {
        SESSION + Duration::from_secs(1)
    }
}
