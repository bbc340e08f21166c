//! A model of a group's coordinator, small enough to be seen to be right.

use std::collections::BTreeMap;
use std::time::Duration;

use kfetch::protocol::ErrorCode;

use super::event::{Event, Position};

/// Where an answer goes: a connection's number, and the version it is answered in.
pub(crate) type Ticket = (u64, i16);

/// An answer of the coordinator.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Code(ErrorCode),
    Join(Joined),
    Sync(Vec<u8>),
    Commit(Vec<(i32, ErrorCode)>),
    Fetch(Vec<Position>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Joined {
    pub(crate) code: ErrorCode,
    pub(crate) generation: i32,
    pub(crate) leader: String,
    pub(crate) skips: bool,
    pub(crate) member_id: String,
    /// The assignor that the group chose.
    pub(crate) protocol: String,
    pub(crate) members: Vec<(String, Vec<u8>)>,
}

/// What a member may be assigned by, the one it likes best first, each with its subscription.
pub(crate) type Protocols = Vec<(String, Vec<u8>)>;

#[derive(Clone, Debug)]
pub(crate) struct Times {
    pub(crate) session: Duration,
    pub(crate) rebalance: Duration,
    pub(crate) initial: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Empty,
    /// When members are to join until then; the first ones wait for others in any case.
    Preparing {
        until: Duration,
        initial: bool,
    },
    /// When the leader is to assign until then.
    Completing {
        until: Duration,
    },
    Stable,
}

#[derive(Clone, Debug)]
struct Seat {
    client: usize,
    instance: Option<usize>,
    until: Duration,
    protocols: Protocols,
    assignment: Vec<u8>,
    join: Option<Ticket>,
    sync: Option<Ticket>,
    /// Whether the generation began without this static member.
    is_absent: bool,
}

impl Seat {
    /// A member that waits for an answer is kept without heartbeats.
    fn expires(&self, now: Duration) -> bool {
        self.join.is_none() && self.sync.is_none() && self.until <= now
    }
}

/// What a new coordinator finds in the log.
#[derive(Clone, Debug)]
struct Saved {
    state: State,
    generation: i32,
    leader: String,
    seats: BTreeMap<String, Seat>,
}

#[derive(Debug)]
pub(crate) struct Group {
    times: Times,
    state: State,
    generation: i32,
    leader: String,
    seats: BTreeMap<String, Seat>,
    /// Ids that were given and have not joined, until then.
    given: BTreeMap<String, Duration>,
    /// What is committed, by partition.
    pub(crate) offsets: BTreeMap<i32, Position>,
    saved: Saved,
    ids: u64,
    /// The last id of each process that has joined.
    ids_of: BTreeMap<usize, String>,
    pub(crate) answers: Vec<(Ticket, Answer)>,
    pub(crate) events: Vec<Event>,
}

impl Group {
    pub(crate) fn new(times: Times) -> Self {
        let (state, leader, seats) = (State::Empty, String::new(), BTreeMap::new());
        let saved = Saved { state, generation: 0, leader: leader.clone(), seats: BTreeMap::new() };
        Self {
            times,
            state,
            generation: 0,
            leader,
            seats,
            given: BTreeMap::new(),
            offsets: BTreeMap::new(),
            saved,
            ids: 0,
            ids_of: BTreeMap::new(),
            answers: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Another broker takes over, with what is in the log.
    pub(crate) fn reload(&mut self, now: Duration) {
        let saved = self.saved.clone();
        for (id, seat) in &self.seats {
            if !saved.seats.contains_key(id) {
                let mut others = saved.seats.values();
                let fenced =
                    seat.instance.is_some() && others.any(|other| other.instance == seat.instance);
                self.events.push(Event::Removed { client: seat.client, fenced });
            }
        }
        (self.state, self.generation) = (saved.state, saved.generation);
        (self.leader, self.seats) = (saved.leader, saved.seats);
        self.given.clear();
        for (id, seat) in &mut self.seats {
            let client = seat.client;
            seat.until = now + self.times.session;
            if !seat.is_absent {
                self.events.push(Event::Seated { client });
            }
            // A static member that has got a new id since is fenced by its own former one. Real
            // brokers know no better: the new id was not in the log yet.
            if seat.instance.is_some() && self.ids_of.get(&client).is_some_and(|last| last != id) {
                self.events.push(Event::Removed { client, fenced: true });
            }
        }
        self.events.push(Event::Moved);
    }

    pub(crate) fn next_timeout(&self) -> Option<Duration> {
        let waiting = self.seats.values().filter(|seat| seat.expires(Duration::MAX));
        let seats = waiting.map(|seat| seat.until);
        let state = match self.state {
            State::Preparing { until, .. } | State::Completing { until } => Some(until),
            _ => None,
        };
        seats.chain(state).chain(self.given.values().copied()).min()
    }

    pub(crate) fn tick(&mut self, now: Duration) {
        self.given.retain(|_, until| *until > now);
        while let Some(id) =
            self.seats.iter().find(|(_, seat)| seat.expires(now)).map(|(id, _)| id.clone())
        {
            self.remove(now, &id);
        }
        match self.state {
            State::Preparing { until, .. } if until <= now => self.complete(now),
            State::Completing { until } if until <= now => {
                let idle = self.seats.iter().filter(|(_, seat)| seat.sync.is_none());
                let idle: Vec<String> = idle.map(|(id, _)| id.clone()).collect();
                idle.iter().for_each(|id| self.remove(now, id));
                if matches!(self.state, State::Completing { .. }) {
                    self.prepare(now);
                }
            }
            _ => self.try_complete(now),
        }
    }

    pub(crate) fn join(
        &mut self,
        now: Duration,
        ticket: Ticket,
        client: usize,
        (member_id, instance): (&str, Option<usize>),
        protocols: Protocols,
    ) {
        let known = instance.and_then(|instance| self.id_of(instance));
        if member_id.is_empty() {
            if let Some(old) = known {
                self.replace(now, ticket, client, &old, protocols);
                return;
            }
            self.ids += 1;
            let id = format!("{client}-{}", self.ids);
            if ticket.1 >= 4 && instance.is_none() {
                self.given.insert(id.clone(), now + self.times.session);
                self.refuse_join(ticket, ErrorCode::MEMBER_ID_REQUIRED, &id);
                return;
            }
            self.admit(now, ticket, client, (&id, instance), protocols);
        } else if self.given.remove(member_id).is_some() {
            self.admit(now, ticket, client, (member_id, instance), protocols);
        } else if known.is_some_and(|id| id != member_id) {
            self.refuse_join(ticket, ErrorCode::FENCED_INSTANCE_ID, member_id);
        } else if self.seats.contains_key(member_id) {
            self.join_again(now, ticket, member_id, protocols);
        } else {
            self.refuse_join(ticket, ErrorCode::UNKNOWN_MEMBER_ID, member_id);
        }
    }

    fn id_of(&self, instance: usize) -> Option<String> {
        let mut seats = self.seats.iter();
        seats.find(|(_, seat)| seat.instance == Some(instance)).map(|(id, _)| id.clone())
    }

    fn admit(
        &mut self,
        now: Duration,
        ticket: Ticket,
        client: usize,
        (id, instance): (&str, Option<usize>),
        protocols: Protocols,
    ) {
        let until = now + self.times.session;
        let (join, assignment) = (Some(ticket), Vec::new());
        let (sync, is_absent) = (None, false);
        let seat = Seat { client, instance, until, protocols, assignment, join, sync, is_absent };
        self.seats.insert(id.to_owned(), seat);
        self.ids_of.insert(client, id.to_owned());
        self.events.push(Event::Seated { client });
        if !matches!(self.state, State::Preparing { .. }) {
            self.prepare(now);
        }
        self.try_complete(now);
    }

    /// A static member is back, or another has its instance: the old id is fenced.
    fn replace(
        &mut self,
        now: Duration,
        ticket: Ticket,
        client: usize,
        old: &str,
        protocols: Protocols,
    ) {
        let Some(mut seat) = self.seats.remove(old) else { return };
        self.ids += 1;
        let id = format!("{client}-{}", self.ids);
        if let Some(join) = seat.join.take() {
            self.refuse_join(join, ErrorCode::FENCED_INSTANCE_ID, old);
        }
        if let Some(sync) = seat.sync.take() {
            self.answers.push((sync, Answer::Code(ErrorCode::FENCED_INSTANCE_ID)));
        }
        if seat.client != client {
            self.events.push(Event::Removed { client: seat.client, fenced: true });
        }
        self.events.push(Event::Seated { client });
        (seat.client, seat.is_absent) = (client, false);
        seat.until = now + self.times.session;
        seat.protocols = protocols;
        let led = self.leader == old;
        if led {
            self.leader = id.clone();
        }
        self.seats.insert(id.clone(), seat);
        self.ids_of.insert(client, id.clone());
        if self.state == State::Stable {
            self.save();
            // Before KIP-814 a leader that is back is told the old leader's id, so that it
            // does not assign.
            let tells = led && ticket.1 < 9;
            let leader = if tells { old.to_owned() } else { self.leader.clone() };
            self.answer_join(ticket, &id, leader, led && !tells);
            return;
        }
        if let Some(seat) = self.seats.get_mut(&id) {
            seat.join = Some(ticket);
        }
        if !matches!(self.state, State::Preparing { .. }) {
            self.prepare(now);
        }
        self.try_complete(now);
    }

    fn join_again(&mut self, now: Duration, ticket: Ticket, id: &str, protocols: Protocols) {
        let leads = self.leader == id;
        let Some(seat) = self.seats.get_mut(id) else { return };
        let changes = seat.protocols != protocols;
        seat.is_absent = false;
        seat.protocols = protocols;
        seat.until = now + self.times.session;
        self.events.push(Event::Seated { client: seat.client });
        let is_current = match self.state {
            State::Completing { .. } => !changes,
            State::Stable => !changes && !leads,
            _ => false,
        };
        if is_current {
            let leader = self.leader.clone();
            self.answer_join(ticket, id, leader, false);
            return;
        }
        seat.join = Some(ticket);
        if !matches!(self.state, State::Preparing { .. }) {
            self.prepare(now);
        }
        self.try_complete(now);
    }

    fn prepare(&mut self, now: Duration) {
        for seat in self.seats.values_mut() {
            if let Some(ticket) = seat.sync.take() {
                seat.until = now + self.times.session;
                self.answers.push((ticket, Answer::Code(ErrorCode::REBALANCE_IN_PROGRESS)));
            }
        }
        let initial = self.state == State::Empty;
        let wait = if initial { self.times.initial } else { self.times.rebalance };
        self.state = State::Preparing { until: now + wait, initial };
    }

    fn try_complete(&mut self, now: Duration) {
        let is_open = matches!(self.state, State::Preparing { initial: false, .. });
        let all = self.seats.values().all(|seat| seat.join.is_some());
        if is_open && all && self.given.is_empty() {
            self.complete(now);
        }
    }

    fn complete(&mut self, now: Duration) {
        let absent = self.seats.iter();
        let absent = absent.filter(|(_, seat)| seat.join.is_none() && seat.instance.is_none());
        for id in absent.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            self.drop_seat(&id);
        }
        // A static member that is not there keeps its place; the group goes on without it.
        for seat in self.seats.values_mut().filter(|seat| seat.join.is_none()) {
            seat.is_absent = true;
            self.events.push(Event::Removed { client: seat.client, fenced: false });
        }
        if !self.seats.is_empty() && self.seats.values().all(|seat| seat.join.is_none()) {
            let until = now + self.times.rebalance;
            self.state = State::Preparing { until, initial: false };
            return;
        }
        self.generation += 1;
        self.events.push(Event::Generation { generation: self.generation });
        if self.seats.is_empty() {
            self.state = State::Empty;
            self.save();
            return;
        }
        if self.seats.get(&self.leader).is_none_or(|seat| seat.join.is_none()) {
            let joined = self.seats.iter().find(|(_, seat)| seat.join.is_some());
            self.leader = joined.map(|(id, _)| id.clone()).unwrap_or_default();
        }
        self.state = State::Completing { until: now + self.times.rebalance };
        let ids: Vec<String> = self.seats.keys().cloned().collect();
        for id in ids {
            let Some(seat) = self.seats.get_mut(&id) else { continue };
            if let Some(ticket) = seat.join.take() {
                seat.until = now + self.times.session;
                let leader = self.leader.clone();
                self.answer_join(ticket, &id, leader, false);
            }
        }
    }

    fn answer_join(&mut self, ticket: Ticket, id: &str, leader: String, skips: bool) {
        // All members of a world like the same one best.
        let seats = self.seats.iter();
        let members: Vec<(String, Vec<u8>)> = if leader == id {
            seats.map(|(id, seat)| (id.clone(), seat.protocols[0].1.clone())).collect()
        } else {
            Vec::new()
        };
        let protocol = self.seats[id].protocols[0].0.clone();
        let (generation, member_id) = (self.generation, id.to_owned());
        let code = ErrorCode::NONE;
        let joined = Joined { code, generation, leader, skips, member_id, protocol, members };
        self.answers.push((ticket, Answer::Join(joined)));
    }

    fn refuse_join(&mut self, ticket: Ticket, code: ErrorCode, id: &str) {
        let member_id = id.to_owned();
        let (leader, protocol, members) = (String::new(), String::new(), Vec::new());
        let (generation, skips) = (-1, false);
        let joined = Joined { code, generation, leader, skips, member_id, protocol, members };
        self.answers.push((ticket, Answer::Join(joined)));
    }

    /// Tells what is wrong with who asks.
    fn judge(&self, id: &str, instance: Option<usize>, generation: i32) -> ErrorCode {
        let known = instance.and_then(|instance| self.id_of(instance));
        if known.is_some_and(|known| known != id) {
            ErrorCode::FENCED_INSTANCE_ID
        } else if !self.seats.contains_key(id) {
            ErrorCode::UNKNOWN_MEMBER_ID
        } else if generation != self.generation {
            ErrorCode::ILLEGAL_GENERATION
        } else {
            ErrorCode::NONE
        }
    }

    pub(crate) fn sync(
        &mut self,
        now: Duration,
        ticket: Ticket,
        (id, instance): (&str, Option<usize>),
        generation: i32,
        assignments: &[(String, Vec<u8>)],
    ) {
        let mut code = self.judge(id, instance, generation);
        if !code.is_error() && matches!(self.state, State::Preparing { .. }) {
            code = ErrorCode::REBALANCE_IN_PROGRESS;
        }
        if code.is_error() {
            self.answers.push((ticket, Answer::Code(code)));
            return;
        }
        let is_leader = self.leader == id;
        let Some(seat) = self.seats.get_mut(id) else { return };
        seat.until = now + self.times.session;
        if self.state == State::Stable {
            self.answers.push((ticket, Answer::Sync(seat.assignment.clone())));
            return;
        }
        seat.sync = Some(ticket);
        if !is_leader {
            return;
        }
        self.state = State::Stable;
        for (id, seat) in &mut self.seats {
            let own = assignments.iter().find(|(to, _)| to == id);
            seat.assignment = own.map(|(_, bytes)| bytes.clone()).unwrap_or_default();
            if let Some(ticket) = seat.sync.take() {
                seat.until = now + self.times.session;
                self.answers.push((ticket, Answer::Sync(seat.assignment.clone())));
            }
        }
        self.save();
    }

    pub(crate) fn heartbeat(
        &mut self,
        now: Duration,
        (id, instance): (&str, Option<usize>),
        generation: i32,
    ) -> ErrorCode {
        let code = self.judge(id, instance, generation);
        if code.is_error() {
            return code;
        }
        self.renew(now, id);
        match self.state {
            State::Preparing { .. } => ErrorCode::REBALANCE_IN_PROGRESS,
            _ => ErrorCode::NONE,
        }
    }

    pub(crate) fn leave(&mut self, now: Duration, id: &str) -> ErrorCode {
        if self.given.remove(id).is_some() {
            self.try_complete(now);
            ErrorCode::NONE
        } else if self.seats.contains_key(id) {
            self.remove(now, id);
            ErrorCode::NONE
        } else {
            ErrorCode::UNKNOWN_MEMBER_ID
        }
    }

    pub(crate) fn commit(
        &mut self,
        now: Duration,
        (client, commit): (usize, u64),
        (id, instance): (&str, Option<usize>),
        generation: i32,
        positions: &[Position],
    ) -> ErrorCode {
        let code = self.judge(id, instance, generation);
        if code.is_error() {
            return code;
        }
        self.renew(now, id);
        if matches!(self.state, State::Completing { .. }) {
            return ErrorCode::REBALANCE_IN_PROGRESS;
        }
        for &at in positions {
            self.offsets.insert(at.partition, at);
            self.events.push(Event::Stored { client, id: commit, at });
        }
        ErrorCode::NONE
    }

    fn renew(&mut self, now: Duration, id: &str) {
        if let Some(seat) = self.seats.get_mut(id) {
            seat.until = now + self.times.session;
        }
    }

    fn remove(&mut self, now: Duration, id: &str) {
        self.drop_seat(id);
        match self.state {
            State::Preparing { .. } => self.try_complete(now),
            _ => {
                self.prepare(now);
                self.try_complete(now);
            }
        }
    }

    fn drop_seat(&mut self, id: &str) {
        let Some(seat) = self.seats.remove(id) else { return };
        // A process that is back may have its former place beside the new one for a while.
        if !self.seats.values().any(|other| other.client == seat.client) {
            self.events.push(Event::Removed { client: seat.client, fenced: false });
        }
        for ticket in [seat.join, seat.sync].into_iter().flatten() {
            self.answers.push((ticket, Answer::Code(ErrorCode::UNKNOWN_MEMBER_ID)));
        }
    }

    fn save(&mut self) {
        let mut seats = self.seats.clone();
        for seat in seats.values_mut() {
            (seat.join, seat.sync) = (None, None);
        }
        let (state, generation, leader) = (self.state, self.generation, self.leader.clone());
        self.saved = Saved { state, generation, leader, seats };
    }
}
