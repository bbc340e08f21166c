//! The file thread's loop: commands, turns of reading, and sleep until a directory changes.
//!
//! Every open, read, listing and touch of a mapped page of a log directory happens here, so that
//! a cold disk delays neither the engine's loop nor a poll. It takes the same commands as the
//! engine's loop and feeds the same rings.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, bounded};
use mio::{Events, Poll};

use super::command::{COMMANDS_MAX, Command, Commands, NewConsumer, NewSource, What};
use super::file_consumer::FileConsumer;
use super::file_watch::{Changed, Place, WATCH_TOKEN, Watches};
use super::waker::loop_parker;
use crate::fetch::call::ConsumerId;
use crate::logger::Logger;
use crate::ring::bridge::LoopParker;

/// Events taken from the operating system at a time: the waker's and the watcher's.
const EVENTS_MAX: usize = 2;

/// How often directories that are not watched are looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// A loop that serves the log directories of any number of consumers.
#[derive(Debug)]
pub struct FileLoop {
    poll: Poll,
    events: Events,
    parker: Arc<LoopParker>,
    commands: Receiver<Command>,
    watches: Watches,
    consumers: BTreeMap<ConsumerId, FileConsumer>,
    logger: Arc<Logger>,
    /// When unwatched directories were last looked at.
    looked_at: Instant,
}

impl FileLoop {
    /// Makes a loop without consumers, and the way to send it commands.
    ///
    /// # Errors
    ///
    /// What the operating system says, as a rule that the process has too many descriptors.
    pub fn new(logger: Arc<Logger>) -> io::Result<(Self, Commands)> {
        let poll = Poll::new()?;
        let parker = loop_parker(poll.registry())?;
        let (sender, commands) = bounded(COMMANDS_MAX);
        let watches = Watches::new(poll.registry());
        let this = Self {
            poll,
            events: Events::with_capacity(EVENTS_MAX),
            parker: Arc::clone(&parker),
            commands,
            watches,
            consumers: BTreeMap::new(),
            logger,
            looked_at: clock(),
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
        loop {
            match self.commands.try_recv() {
                Ok(command) => self.handle_command(command, now),
                Err(error) if error.is_empty() => break,
                Err(_) => return Ok(false),
            }
        }
        for consumer in self.consumers.values_mut() {
            if consumer.bridge().take_attention() {
                consumer.handle_attention();
            }
            consumer.read_turn(now);
        }
        self.look_at_unwatched(now);
        self.wait()?;
        Ok(true)
    }

    fn handle_command(&mut self, command: Command, now: Instant) {
        let id = command.consumer;
        if let What::Add(new) = command.what {
            return self.add(id, *new);
        }
        let Some(consumer) = self.consumers.get_mut(&id) else {
            if let What::Remove(done) = command.what {
                done.send(());
            }
            return;
        };
        let watches = &mut self.watches;
        match command.what {
            What::Add(_) => {}
            What::Remove(done) => {
                consumer.handle_close(watches);
                self.consumers.remove(&id);
                done.send(());
            }
            What::Assign(new) => consumer.handle_assign(new, watches, now),
            What::Unassign(indexes) => consumer.handle_unassign(&indexes, watches),
            What::Seek(seeks) => consumer.handle_seek(&seeks, watches, now),
            What::Halt(index, stamp) => consumer.handle_halt(index, stamp),
            What::Pause(indexes, paused) => consumer.handle_pause(&indexes, paused),
            What::Offsets(partitions, _, reply) => reply.send(consumer.offsets(&partitions)),
            What::Topics(names, _, reply) => reply.send(consumer.topics(names.as_deref())),
            // Members live on the engine's loop.
            What::AddMember(_) | What::Member(_) | What::WakeAt(_) => {}
            What::RemoveMember(done) => done.send(()),
        }
    }

    fn add(&mut self, id: ConsumerId, new: NewConsumer) {
        let logger = Arc::clone(&self.logger);
        if let NewSource::LogDirs(dirs, mode) = new.source {
            let shared = (new.bridge, new.budget);
            let watches = &mut self.watches;
            let consumer =
                FileConsumer::new(id, (dirs, mode), new.settings, shared, logger, watches);
            self.consumers.insert(id, consumer);
        }
    }

    fn handle_changes(&mut self, now: Instant) {
        match self.watches.poll_changed() {
            Changed::Anything => {
                for consumer in self.consumers.values_mut() {
                    consumer.handle_root_change(&mut self.watches, now);
                }
            }
            Changed::Places(places) => {
                for place in places {
                    let (Place::Root(id) | Place::Partition(id, _)) = place;
                    let Some(consumer) = self.consumers.get_mut(&id) else { continue };
                    match place {
                        Place::Root(_) => consumer.handle_root_change(&mut self.watches, now),
                        Place::Partition(_, index) => consumer.handle_change(index),
                    }
                }
            }
        }
    }

    fn look_at_unwatched(&mut self, now: Instant) {
        if now.saturating_duration_since(self.looked_at) < LOOK_INTERVAL {
            return;
        }
        self.looked_at = now;
        for consumer in self.consumers.values_mut() {
            consumer.look_at_unwatched(&mut self.watches, now);
        }
    }

    /// Sleeps until there is something to do.
    fn wait(&mut self) -> io::Result<()> {
        self.parker.arm();
        let has_work = !self.commands.is_empty()
            || self.consumers.values().any(|consumer| consumer.has_work());
        let timeout = match has_work {
            true => Some(Duration::ZERO),
            false => {
                self.consumers.values().any(FileConsumer::has_unwatched).then_some(LOOK_INTERVAL)
            }
        };
        let polled = self.poll.poll(&mut self.events, timeout);
        self.parker.disarm();
        match polled {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        if self.events.iter().any(|event| event.token() == WATCH_TOKEN) {
            self.handle_changes(clock());
        }
        Ok(())
    }
}

impl Drop for FileLoop {
    fn drop(&mut self) {
        // A consumer that is still here would wait for ever.
        self.consumers.values().for_each(|consumer| consumer.bridge().set_dead());
    }
}

/// Reads the clock.
fn clock() -> Instant {
    #[allow(clippy::disallowed_methods, reason = "the loop is the one place with a clock")]
    Instant::now()
}
