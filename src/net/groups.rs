//! The loop's members of groups: what their machines want is done, what happens is told to them.
//!
//! ```text
//!   commands ──►┌────────┐── actions ──► engine (connections to coordinators) ──► sockets
//!   notices  ◄──│ member │◄── events ───
//!               └────────┘◄── timers
//! ```
//!
//! A turn of the loop costs nothing for members that have nothing to do, however many there are.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use crossbeam::channel::Sender;

use super::command::NewMember;
use crate::backoff::Random;
use crate::coordinator::action::{MemberAction, Unanswered};
use crate::coordinator::command::MemberCommand;
use crate::coordinator::member::Member;
use crate::coordinator::notice::Notice;
use crate::coordinator::request::Request;
use crate::error::Error;
use crate::fetch::call::{ConsumerId, GroupCall};
use crate::fetch::engine::group::GroupRequest;
use crate::fetch::engine::{FetchEngine, GroupEvent};
use crate::fetch::failure::Failure;
use crate::fetch::timer::Timers;
use crate::ring::bridge::Bridge;

/// Whose time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum TimerKey {
    /// When the machine wants to look at the clock.
    Member(ConsumerId),
    /// When the application wants to be woken.
    Application(ConsumerId),
}

/// How a request travels.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// When any broker may answer it.
    Any,
    /// When the coordinator has to.
    Coordinator,
    /// When this broker has to.
    Broker(i32),
}

/// A member and what belongs to it.
#[derive(Debug)]
struct Entry {
    member: Member,
    /// Requests that the engine has been given, by their tags.
    in_flight: HashMap<u64, (Request, Way)>,
    next_tag: u64,
    notices: Sender<Notice>,
    bridge: Arc<Bridge>,
}

/// Every member of one loop.
#[derive(Debug)]
pub(super) struct Groups {
    entries: BTreeMap<ConsumerId, Entry>,
    timers: Timers<TimerKey>,
    /// Members that may want something.
    dirty: BTreeSet<ConsumerId>,
    random: Random,
}

impl Groups {
    /// Makes the set without members; `seed` is for their jitter.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            entries: BTreeMap::new(),
            timers: Timers::new(),
            dirty: BTreeSet::new(),
            random: Random::new(seed),
        }
    }

    /// Takes a member on, which is not in its group before it is told to join.
    pub(super) fn add(
        &mut self,
        id: ConsumerId,
        new: NewMember,
        engine: &mut FetchEngine,
        now: Instant,
    ) {
        engine.add_cluster_user(id, &new.cluster, &new.connection, now);
        let entry = Entry {
            member: Member::new(new.settings, new.clock, self.random.next_u64()),
            in_flight: HashMap::new(),
            next_tag: 0,
            notices: new.notices,
            bridge: new.bridge,
        };
        self.entries.insert(id, entry);
        self.dirty.insert(id);
    }

    /// Lets a member go, without a word to its group.
    pub(super) fn remove(&mut self, id: ConsumerId, engine: &mut FetchEngine) {
        if self.entries.remove(&id).is_some() {
            engine.remove_cluster_user(id);
            self.dirty.remove(&id);
            self.timers.set(TimerKey::Member(id), None);
            self.timers.set(TimerKey::Application(id), None);
        }
    }

    /// Ends a member's membership for good, for a reason that no retry mends.
    pub(super) fn fail(&mut self, id: ConsumerId, error: Error) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.member.handle_hopeless(error);
            self.dirty.insert(id);
        }
    }

    /// Takes a command of the application's side.
    pub(super) fn handle_command(&mut self, id: ConsumerId, command: MemberCommand, now: Instant) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.member.handle_command(now, command);
            self.dirty.insert(id);
        }
    }

    /// Sets when the application wants its descriptor to become readable.
    pub(super) fn set_wake(&mut self, id: ConsumerId, at: Option<Instant>) {
        if self.entries.contains_key(&id) {
            self.timers.set(TimerKey::Application(id), at);
        }
    }

    /// Looks at the clock.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        while let Some(key) = self.timers.pop_due(now) {
            let (TimerKey::Member(id) | TimerKey::Application(id)) = key;
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            match key {
                TimerKey::Member(_) => {
                    entry.member.handle_timeout(now);
                    self.dirty.insert(id);
                }
                TimerKey::Application(_) => entry.bridge.application().notify(),
            }
        }
    }

    /// Carries events to the members and their wishes to the engine, until there are none.
    pub(super) fn drive(&mut self, engine: &mut FetchEngine, now: Instant) {
        while engine.has_group_event() || !self.dirty.is_empty() {
            // All events come first: what has waited to be sent goes before what is new.
            while let Some(event) = engine.poll_group_event() {
                self.take_event(event, engine, now);
            }
            while let Some(id) = self.dirty.pop_first() {
                self.act(id, engine, now);
            }
            engine.drive(now);
        }
    }

    fn take_event(&mut self, event: GroupEvent, engine: &mut FetchEngine, now: Instant) {
        let id = match &event {
            GroupEvent::Connected(id) | GroupEvent::Disconnected { consumer: id, .. } => *id,
            GroupEvent::Answer { call, .. }
            | GroupEvent::Unanswered { call, .. }
            | GroupEvent::Again(call) => call.consumer,
        };
        let Some(entry) = self.entries.get_mut(&id) else { return };
        self.dirty.insert(id);
        match event {
            GroupEvent::Connected(_) => entry.member.handle_connected(now),
            GroupEvent::Disconnected { why, .. } => entry.member.handle_disconnected(now, &why),
            GroupEvent::Answer { call, connection, version, body } => {
                let Some((request, _)) = entry.in_flight.remove(&call.tag) else { return };
                let taken = entry.member.handle_answer(now, request, version, &body);
                if let Err(error) = taken {
                    engine.handle_closed(connection, &Failure::from(error), now);
                }
            }
            GroupEvent::Unanswered { call, why, is_unsupported } => {
                let Some((request, _)) = entry.in_flight.remove(&call.tag) else { return };
                let why = match is_unsupported {
                    true => Unanswered::Unsupported(why),
                    false => Unanswered::Lost(why),
                };
                entry.member.handle_unanswered(now, request, why);
            }
            GroupEvent::Again(call) => entry.hand_in(call.consumer, call.tag, engine, now),
        }
    }

    /// Does what a member wants done.
    fn act(&mut self, id: ConsumerId, engine: &mut FetchEngine, now: Instant) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let mut has_notice = false;
        while let Some(action) = entry.member.poll_action() {
            match action {
                MemberAction::Ask(request) => entry.begin(id, request, Way::Any, engine, now),
                MemberAction::AskBroker { node_id, request } => {
                    entry.begin(id, request, Way::Broker(node_id), engine, now);
                }
                MemberAction::Send(request) => {
                    entry.begin(id, request, Way::Coordinator, engine, now);
                }
                MemberAction::Connect { host, port, .. } => engine.connect_group(id, &host, port),
                MemberAction::Disconnect => engine.disconnect_group(id),
                MemberAction::ForgetTopicIds(names) => engine.forget_topic_ids(id, &names, now),
                MemberAction::Notify(notice) => {
                    // An application that has gone needs no notice.
                    drop(entry.notices.send(notice));
                    has_notice = true;
                }
            }
        }
        if has_notice {
            entry.bridge.application().notify();
        }
        self.timers.set(TimerKey::Member(id), entry.member.poll_timeout());
    }

    /// Returns when [`Groups::handle_timeout`] wants to be called.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next_deadline()
    }

    /// Says that nobody serves the members any more.
    pub(super) fn set_dead(&self) {
        self.entries.values().for_each(|entry| entry.bridge.set_dead());
    }
}

impl Entry {
    fn begin(
        &mut self,
        id: ConsumerId,
        request: Request,
        way: Way,
        engine: &mut FetchEngine,
        now: Instant,
    ) {
        let tag = self.next_tag;
        self.next_tag += 1;
        self.in_flight.insert(tag, (request, way));
        self.hand_in(id, tag, engine, now);
    }

    /// Gives a request to the engine, for the first time or once more.
    fn hand_in(&mut self, consumer: ConsumerId, tag: u64, engine: &mut FetchEngine, now: Instant) {
        let Some((request, way)) = self.in_flight.get_mut(&tag) else { return };
        request.take_topic_ids(|name| engine.topic_id(consumer, name));
        let wait = request.broker_wait(self.member.settings().max_poll_interval);
        let handed = GroupRequest {
            call: GroupCall { consumer, tag, wait },
            api_key: request.api_key(),
            version_max: request.version_max(),
        };
        let encode = |version, out: &mut Vec<u8>| self.member.encode(request, version, out);
        match way {
            Way::Any => engine.ask_any(handed, encode, now),
            Way::Broker(node) => engine.ask_broker(*node, handed, encode, now),
            Way::Coordinator => engine.send_group(handed, encode, now),
        }
    }
}
