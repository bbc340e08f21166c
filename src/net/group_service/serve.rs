//! The loop of the process that serves: connections, the machine, the offsets log.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mio::net::UnixListener;
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use super::frames::{ClientConnection, Closed};
use super::service::settled;
use super::settings::ServiceSettings;
use super::socket::{listen, socket_path};
use crate::embedded::{GroupCoordinator, Incoming, Now, OffsetsLog, RequestId};
use crate::error::{Error, ErrorKind, Result};
use crate::logger::Logger;

pub(super) const WAKE_TOKEN: Token = Token(usize::MAX);
const LISTEN_TOKEN: Token = Token(usize::MAX - 1);

/// Events taken from the operating system at a time.
pub(super) const EVENTS_MAX: usize = 1024;

/// How long a listener rests that could not accept for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const TARGET: &str = "kfetch::groups";

/// A server in the hands of its thread.
#[derive(Debug)]
pub(super) struct Server {
    poll: Poll,
    events: Events,
    listener: UnixListener,
    /// Whether there may be clients to accept: until an accept says no.
    is_acceptable: bool,
    machine: GroupCoordinator,
    log: OffsetsLog,
    connections: Slab<ClientConnection>,
    /// Connections that may have work.
    ready: BTreeSet<usize>,
    /// Connections with new answers.
    answered: BTreeSet<usize>,
    /// Which connection an unanswered request is of.
    owners: BTreeMap<RequestId, usize>,
    next_id: u64,
    logger: Arc<Logger>,
}

impl Server {
    /// Reads the offsets and listens, for the holder of the directory's lock; an earlier one that
    /// has left members behind has left its socket, too.
    pub(super) fn open(
        settings: &ServiceSettings,
        poll: Poll,
        logger: Arc<Logger>,
    ) -> Result<Self> {
        let (log, offsets) = OffsetsLog::open(&settings.dir, settings.log()).map_err(|error| {
            match error.kind() {
                ErrorKind::Corrupt | ErrorKind::Unsupported => error.with_fatal(),
                _ => error,
            }
        })?;
        let seed = RandomState::new().build_hasher().finish();
        let mut machine = GroupCoordinator::new(settings.coordinator(), offsets, seed, now());
        if socket_path(&settings.dir).symlink_metadata().is_ok() {
            machine.expect_members(now());
        }
        let failed = |error: io::Error| {
            settled(&error, format!("cannot listen in {}: {error}", settings.dir.display()))
        };
        let mut listener = listen(&settings.dir).map_err(failed)?;
        let registered = poll.registry().register(&mut listener, LISTEN_TOKEN, Interest::READABLE);
        registered.map_err(failed)?;
        Ok(Self {
            poll,
            events: Events::with_capacity(EVENTS_MAX),
            listener,
            is_acceptable: true,
            machine,
            log,
            connections: Slab::new(),
            ready: BTreeSet::new(),
            answered: BTreeSet::new(),
            owners: BTreeMap::new(),
            next_id: 0,
            logger,
        })
    }

    /// Serves until `is_stopping`.
    pub(super) fn run(&mut self, is_stopping: &AtomicBool) -> Result<()> {
        while !is_stopping.load(Ordering::Acquire) {
            self.wait().map_err(|error| Error::new(ErrorKind::Io, error.to_string()))?;
            self.accept();
            // All that has arrived comes before the clock: whoever gave a sign of life while this
            // process stood still is alive.
            let ready = std::mem::take(&mut self.ready);
            ready.iter().for_each(|key| self.serve(*key));
            self.machine.handle_timeout(now());
            self.write_records()?;
            self.send_answers();
        }
        Ok(())
    }

    /// Tells whether members are left behind if it closes now.
    pub(super) fn has_members(&self) -> bool {
        self.machine.has_members()
    }

    /// Closes everything; what was acknowledged is in the log already.
    pub(super) fn close(self) -> Result<()> {
        drop(self.connections);
        drop(self.listener);
        self.log.close()
    }

    /// Waits until there is something to do, and finds out for which connections.
    fn wait(&mut self) -> io::Result<()> {
        let due = self.machine.poll_timeout().saturating_duration_since(clock());
        let mut timeout = match self.ready.is_empty() {
            true => due,
            false => Duration::ZERO,
        };
        if self.is_acceptable {
            timeout = timeout.min(ACCEPT_PAUSE);
        }
        loop {
            match self.poll.poll(&mut self.events, Some(timeout)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            }
            for event in &self.events {
                match event.token() {
                    WAKE_TOKEN => {}
                    LISTEN_TOKEN => self.is_acceptable = true,
                    Token(key) => {
                        let Some(connection) = self.connections.get_mut(key) else { continue };
                        connection.is_readable |= event.is_readable() || event.is_error();
                        self.ready.insert(key);
                        if event.is_writable() {
                            self.answered.insert(key);
                        }
                    }
                }
            }
            if self.events.iter().count() < EVENTS_MAX {
                return Ok(());
            }
            timeout = Duration::ZERO;
        }
    }

    fn accept(&mut self) {
        while self.is_acceptable {
            match self.listener.accept() {
                Ok((mut stream, _)) => {
                    let entry = self.connections.vacant_entry();
                    let (key, interest) = (entry.key(), Interest::READABLE | Interest::WRITABLE);
                    let registry = self.poll.registry();
                    if registry.register(&mut stream, Token(key), interest).is_ok() {
                        entry.insert(ClientConnection::new(stream));
                        self.ready.insert(key);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.is_acceptable = false;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.logger.warn(TARGET, format_args!("cannot accept a client: {error}"));
                    return;
                }
            }
        }
    }

    /// Reads a connection and hands its requests to the machine.
    fn serve(&mut self, key: usize) {
        if let Err(closed) = self.try_serve(key) {
            self.drop_connection(key, &closed);
        }
    }

    fn try_serve(&mut self, key: usize) -> std::result::Result<(), Closed> {
        let Some(connection) = self.connections.get_mut(key) else { return Ok(()) };
        if connection.is_open_to_requests() {
            connection.read();
        }
        loop {
            let id = RequestId(self.next_id);
            let Some(frame) = connection.next_frame(id)? else { break };
            self.next_id += 1;
            self.owners.insert(id, key);
            let incoming = Incoming {
                id,
                api_key: frame.api_key,
                version: frame.version,
                client_id: frame.client_id,
                body: frame.body,
            };
            let taken = self.machine.handle_request(now(), &incoming);
            taken.map_err(|error| {
                Closed::Nonsense(format!("its {:?} is malformed: {error}", incoming.api_key))
            })?;
        }
        connection.check_end()?;
        if connection.has_work() {
            self.ready.insert(key);
        }
        Ok(())
    }

    fn write_records(&mut self) -> Result<()> {
        let records = self.machine.take_records();
        if records.is_empty() {
            return Ok(());
        }
        self.log.append(&records, now().epoch_ms)
    }

    /// Sends the answers, now that what they rest on is written.
    fn send_answers(&mut self) {
        while let Some(answer) = self.machine.poll_response() {
            // A request of a connection that is gone has no owner any more.
            let Some(key) = self.owners.remove(&answer.id) else { continue };
            let Some(connection) = self.connections.get_mut(key) else { continue };
            let taken = match answer.body {
                Some(body) => connection.answer(answer.id, body),
                None => Err(Closed::Nonsense("there is no answer in its version".to_owned())),
            };
            match taken {
                Ok(()) => drop(self.answered.insert(key)),
                Err(closed) => self.drop_connection(key, &closed),
            }
        }
        for key in std::mem::take(&mut self.answered) {
            let Some(connection) = self.connections.get_mut(key) else { continue };
            match connection.write() {
                // Requests may have waited for room among the answers.
                Ok(()) if connection.has_work() => drop(self.ready.insert(key)),
                Ok(()) => {}
                Err(closed) => self.drop_connection(key, &closed),
            }
        }
    }

    fn drop_connection(&mut self, key: usize, closed: &Closed) {
        let Some(mut connection) = self.connections.try_remove(key) else { return };
        for id in connection.in_flight() {
            self.owners.remove(&id);
        }
        drop(self.poll.registry().deregister(connection.stream()));
        self.ready.remove(&key);
        self.answered.remove(&key);
        if let Closed::Nonsense(text) = closed {
            self.logger.warn(TARGET, format_args!("a client is disconnected: {text}"));
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "the one clock of this loop")]
fn clock() -> Instant {
    Instant::now()
}

fn now() -> Now {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let epoch_ms = i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX);
    Now { instant: clock(), epoch_ms }
}
