//! The sockets of an engine's connections, and which of them are to be read.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use mio::event::Event;
use mio::{Registry, Token};

use super::stream::{Moved, Stream};
use crate::fetch::connection::{ConnectionId, Phase, SocketSettings};
use crate::fetch::engine::{Address, FetchEngine};
use crate::fetch::failure::Failure;

/// What one connection may bring before the others get their turn.
const TURN_BYTES: usize = 4 << 20;

#[derive(Debug)]
struct Socket {
    stream: Stream,
    is_connected: bool,
    /// Whether the peer has closed its side, or something broke: told once, however much there
    /// is to read before.
    is_closing: bool,
    /// Whether it is on the list of those to be read.
    is_listed: bool,
}

/// Every socket of one loop.
#[derive(Debug)]
pub(super) struct Sockets {
    by_id: BTreeMap<ConnectionId, Socket>,
    /// Sockets that may have more to read: edge-triggered readiness is told once.
    readable: VecDeque<ConnectionId>,
}

impl Sockets {
    pub(super) fn new() -> Self {
        Self { by_id: BTreeMap::new(), readable: VecDeque::new() }
    }

    /// Begins to connect a socket.
    pub(super) fn connect(
        &mut self,
        id: ConnectionId,
        address: &Address,
        settings: SocketSettings,
        registry: &Registry,
    ) -> Result<(), Failure> {
        let stream = Stream::connect(address, settings, registry, token_of(id))?;
        let socket = Socket { stream, is_connected: false, is_closing: false, is_listed: false };
        self.by_id.insert(id, socket);
        Ok(())
    }

    pub(super) fn close(&mut self, id: ConnectionId, registry: &Registry) {
        if let Some(mut socket) = self.by_id.remove(&id) {
            socket.stream.deregister(registry);
        }
    }

    /// Puts a socket on the list of those to be read.
    pub(super) fn resume(&mut self, id: ConnectionId) {
        if let Some(socket) = self.by_id.get_mut(&id)
            && !socket.is_listed
        {
            socket.is_listed = true;
            self.readable.push_back(id);
        }
    }

    /// Takes an event of the operating system.
    pub(super) fn handle_event(&mut self, event: &Event, engine: &mut FetchEngine, now: Instant) {
        let id = id_of(event.token());
        let Some(socket) = self.by_id.get_mut(&id) else { return };
        if !socket.is_connected {
            match socket.stream.is_connected() {
                Ok(false) => return,
                Ok(true) => {
                    socket.is_connected = true;
                    engine.handle_connected(id, now);
                }
                Err(error) => {
                    self.by_id.remove(&id);
                    return engine.handle_connect_failed(id, &error.into(), now);
                }
            }
        } else if event.is_writable() {
            self.flush(id, engine, now);
        }
        let is_closing = event.is_read_closed() || event.is_error();
        if let Some(socket) = self.by_id.get_mut(&id) {
            socket.is_closing |= is_closing;
        }
        if event.is_readable() || is_closing {
            self.resume(id);
        }
    }

    /// Writes what the engine has for a socket, as far as the socket takes it.
    pub(super) fn flush(&mut self, id: ConnectionId, engine: &mut FetchEngine, now: Instant) {
        let Some(socket) = self.by_id.get_mut(&id).filter(|socket| socket.is_connected) else {
            return;
        };
        loop {
            let output = engine.output(id);
            if output.is_empty() {
                return;
            }
            match socket.stream.write(output) {
                Ok(Moved::Bytes(len)) => engine.handle_written(id, len),
                Ok(Moved::WouldBlock | Moved::End) => return,
                Err(error) => return engine.handle_closed(id, &error.into(), now),
            }
        }
    }

    /// Returns the next socket to be read.
    pub(super) fn next_readable(&mut self) -> Option<ConnectionId> {
        loop {
            let id = self.readable.pop_front()?;
            if let Some(socket) = self.by_id.get_mut(&id) {
                socket.is_listed = false;
                return Some(id);
            }
        }
    }

    pub(super) fn has_readable(&self) -> bool {
        !self.readable.is_empty()
    }

    /// Reads a socket once. Tells whether it may have more.
    pub(super) fn read(
        &mut self,
        id: ConnectionId,
        engine: &mut FetchEngine,
        now: Instant,
    ) -> Option<usize> {
        let socket = self.by_id.get_mut(&id)?;
        let room = engine.room(id, now)?;
        let room_len = room.len();
        match socket.stream.fill(room) {
            Ok(Moved::Bytes(len)) => {
                // A short read has emptied the socket: epoll tells of what comes after it, but
                // not a second time of the end.
                let may_have_more = len == room_len || socket.is_closing;
                engine.handle_received(id, len, now);
                may_have_more.then_some(len)
            }
            Ok(Moved::WouldBlock) => None,
            Ok(Moved::End) => {
                let phase = engine.phase(id).unwrap_or(Phase::Ready);
                engine.handle_closed(id, &Failure::Closed(phase), now);
                None
            }
            Err(error) => {
                engine.handle_closed(id, &error.into(), now);
                None
            }
        }
    }

    /// Returns how much one socket may bring in its turn.
    pub(super) fn turn_bytes() -> usize {
        TURN_BYTES
    }
}

fn token_of(id: ConnectionId) -> Token {
    let packed = (u64::from(id.generation) << 32) | u64::from(id.index);
    Token(usize::try_from(packed).unwrap_or(usize::MAX))
}

fn id_of(token: Token) -> ConnectionId {
    let packed = token.0 as u64;
    let [index, generation] = [packed & u64::from(u32::MAX), packed >> 32];
    ConnectionId {
        index: u32::try_from(index).unwrap_or(u32::MAX),
        generation: u32::try_from(generation).unwrap_or(u32::MAX),
    }
}
