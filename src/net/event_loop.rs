//! The engine's loop: commands, sockets, timers, hand-over. The one place with a clock.
//!
//! Nothing in here assumes which thread runs [`EventLoop::run_once`]: the loop owns its state.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, bounded};
use mio::{Events, Poll};

use super::command::{COMMANDS_MAX, Command, Commands, NewConsumer, NewSource, What};
use super::groups::Groups;
use super::local_coordinators::LocalCoordinators;
use super::resolver::Resolver;
use super::sockets::Sockets;
use super::waker::{WAKER_TOKEN, loop_parker};
use crate::fetch::call::ConsumerId;
use crate::fetch::connection::ConnectionId;
use crate::fetch::engine::{Action, FetchEngine};
use crate::fetch::failure::Failure;
use crate::logger::Logger;
use crate::ring::bridge::{Bridge, LoopParker};

/// Events taken from the operating system at a time.
const EVENTS_MAX: usize = 256;

/// A loop that serves any number of consumers.
#[derive(Debug)]
pub struct EventLoop {
    poll: Poll,
    events: Events,
    parker: Arc<LoopParker>,
    commands: Receiver<Command>,
    engine: FetchEngine,
    sockets: Sockets,
    resolver: Resolver,
    groups: Groups,
    coordinators: LocalCoordinators,
    /// Connections that failed before they began. They wait for the next turn, since the engine may
    /// begin them anew at once.
    stillborn: Vec<(ConnectionId, Failure)>,
    bridges: BTreeMap<ConsumerId, Arc<Bridge>>,
}

impl EventLoop {
    /// Makes a loop without consumers, and the way to send it commands.
    ///
    /// # Errors
    ///
    /// What the operating system says, as a rule that the process has too many descriptors.
    pub fn new(logger: Arc<Logger>, seed: u64) -> io::Result<(Self, Commands)> {
        let poll = Poll::new()?;
        let parker = loop_parker(poll.registry())?;
        let (sender, commands) = bounded(COMMANDS_MAX);
        let this = Self {
            poll,
            events: Events::with_capacity(EVENTS_MAX),
            parker: Arc::clone(&parker),
            commands,
            engine: FetchEngine::new(Arc::clone(&logger), seed),
            sockets: Sockets::new(),
            resolver: Resolver::new(Arc::clone(&parker)),
            groups: Groups::new(seed.rotate_left(32)),
            coordinators: LocalCoordinators::new(logger),
            stillborn: Vec::new(),
            bridges: BTreeMap::new(),
        };
        Ok((this, Commands::new(sender, parker)))
    }

    /// Runs until every sender of commands is gone.
    ///
    /// # Errors
    ///
    /// What `epoll_wait` says, which is a defect.
    pub fn run(mut self) -> io::Result<()> {
        while self.run_once()? {}
        Ok(())
    }

    /// Does what there is to do, and waits for more. Returns false when nobody can send commands
    /// any more.
    ///
    /// # Errors
    ///
    /// What `epoll_wait` says, which is a defect.
    pub fn run_once(&mut self) -> io::Result<bool> {
        let now = clock();
        if !self.take_commands(now) {
            return Ok(false);
        }
        self.take_attention(now);
        for (connection, failure) in std::mem::take(&mut self.stillborn) {
            self.engine.handle_connect_failed(connection, &failure, now);
        }
        while let Some((connection, addresses)) = self.resolver.poll_answer() {
            self.engine.handle_resolved(connection, addresses, now);
        }
        self.engine.drive(now);
        if self.engine.poll_timeout().is_some_and(|at| at <= now) {
            self.engine.handle_timeout(now);
        }
        self.groups.handle_timeout(now);
        self.perform(now);
        if let Some(id) = self.sockets.next_readable() {
            self.read_turn(id);
        }
        self.wait()?;
        Ok(true)
    }

    /// Reads one connection until it has no more or its turn is over.
    fn read_turn(&mut self, id: ConnectionId) {
        let mut left = Sockets::turn_bytes();
        loop {
            let now = clock();
            let more = self.sockets.read(id, &mut self.engine, now);
            // Requests leave before checksums are computed.
            self.perform(now);
            self.engine.deliver(id, now);
            self.perform(now);
            let Some(len) = more else { return };
            left = left.saturating_sub(len);
            if left == 0 {
                return self.sockets.resume(id);
            }
        }
    }

    fn take_commands(&mut self, now: Instant) -> bool {
        loop {
            match self.commands.try_recv() {
                Ok(command) => self.handle_command(command, now),
                Err(error) => return error.is_empty(),
            }
        }
    }

    fn handle_command(&mut self, command: Command, now: Instant) {
        let id = command.consumer;
        let engine = &mut self.engine;
        match command.what {
            What::Add(new) => self.add(id, *new, now),
            What::Remove(done) => {
                engine.remove_consumer(id);
                self.bridges.remove(&id);
                self.perform(now);
                done.send(());
            }
            What::Assign(new) => engine.handle_assign(id, new, now),
            What::Unassign(indexes) => engine.handle_unassign(id, &indexes),
            What::Seek(seeks) => engine.handle_seek(id, &seeks, now),
            What::Halt(index, stamp) => engine.handle_halt(id, index, stamp),
            What::Pause(indexes, paused) => engine.handle_pause(id, &indexes, paused),
            What::Offsets(partitions, deadline, reply) => {
                engine.handle_offsets_question(id, &partitions, deadline, reply, now);
            }
            What::Topics(names, deadline, reply) => {
                engine.handle_topics_question(id, names, deadline, reply);
            }
            What::AddMember(mut new) => {
                if let Some(settings) = new.service.take() {
                    self.coordinators.add(id, settings);
                }
                self.groups.add(id, *new, engine, now);
            }
            What::Member(command) => self.groups.handle_command(id, command, now),
            What::WakeAt(at) => self.groups.set_wake(id, at),
            What::RemoveMember(done) => {
                // What it said last is written first, as far as the socket takes it.
                self.perform(now);
                self.groups.remove(id, &mut self.engine);
                self.coordinators.remove(id);
                self.perform(now);
                done.send(());
            }
        }
    }

    fn add(&mut self, id: ConsumerId, new: NewConsumer, now: Instant) {
        let NewConsumer { source, settings, bridge, budget } = new;
        let NewSource::Cluster(cluster) = source else { return };
        self.bridges.insert(id, Arc::clone(&bridge));
        self.engine.add_consumer(id, &cluster, settings, bridge, budget, now);
    }

    fn take_attention(&mut self, now: Instant) {
        for (id, bridge) in &self.bridges {
            if bridge.take_attention() {
                self.engine.handle_attention(*id);
            }
        }
        self.engine.drive(now);
    }

    /// Does what the members and the engine want done.
    fn perform(&mut self, now: Instant) {
        let registry = self.poll.registry();
        loop {
            self.groups.drive(&mut self.engine, now);
            let Some(action) = self.engine.poll_action() else { return };
            match action {
                Action::Resolve { connection, host, port } => {
                    self.resolver.ask(connection, host, port);
                }
                Action::Connect { connection, address } => {
                    let settings = self.engine.socket_settings(connection);
                    let begun = self.sockets.connect(connection, &address, settings, registry);
                    if let Err(failure) = begun {
                        let failure = self.coordinators.handle_refused(&address, failure, now);
                        self.stillborn.push((connection, failure));
                        for (member, error) in self.coordinators.take_hopeless() {
                            self.groups.fail(member, error);
                        }
                    }
                }
                Action::Flush(id) => self.sockets.flush(id, &mut self.engine, now),
                Action::Resume(id) => self.sockets.resume(id),
                Action::Close(id) => self.sockets.close(id, registry),
            }
        }
    }

    /// Sleeps until there is something to do.
    fn wait(&mut self) -> io::Result<()> {
        self.parker.arm();
        let timeout = if self.has_work() { Some(Duration::ZERO) } else { self.time_to_wait() };
        let polled = self.poll.poll(&mut self.events, timeout);
        self.parker.disarm();
        match polled {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        let now = clock();
        for event in &self.events {
            if event.token() != WAKER_TOKEN {
                self.sockets.handle_event(event, &mut self.engine, now);
            }
        }
        self.perform(now);
        Ok(())
    }

    fn has_work(&self) -> bool {
        !self.commands.is_empty()
            || self.sockets.has_readable()
            || self.resolver.has_answer()
            || !self.stillborn.is_empty()
            || self.bridges.values().any(|bridge| bridge.has_attention())
    }

    fn time_to_wait(&self) -> Option<Duration> {
        let at = [self.engine.poll_timeout(), self.groups.poll_timeout()];
        let at = at.into_iter().flatten().min()?;
        Some(at.saturating_duration_since(clock()))
    }
}

impl Drop for EventLoop {
    fn drop(&mut self) {
        // A consumer that is still here would wait for ever.
        self.bridges.values().for_each(|bridge| bridge.set_dead());
        self.groups.set_dead();
    }
}

/// Reads the clock.
fn clock() -> Instant {
    #[allow(clippy::disallowed_methods, reason = "the loop is the one place with a clock")]
    Instant::now()
}
