//! A proxy on the loopback interface that does to the connections through it what networks do.
//!
//! Each connection has a thread a direction, which holds what has been read until it may pass. A
//! change of the [`Mode`] is seen by all of them within some [`TICK`]s, and all end with the proxy.

#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "proxy_frames.rs"]
mod frames;

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Socket, Type};

use frames::{Asked, Frames};
pub(crate) use frames::{FrameCut, Side};

/// How soon a thread sees what has changed.
const TICK: Duration = Duration::from_millis(4);

const READ_BYTES: usize = 16 << 10;

/// What a direction holds at most; the rest waits in the socket.
const HELD_BYTES_MAX: usize = 1 << 20;

/// How long a client may take to close a connection that was ended in order.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);

/// How a connection ends. To a client on a Unix socket both are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Fin,
    Reset,
}

/// What is done to all connections, those that are open and those that come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// When bytes pass as they come.
    Pass,
    /// When they pass so much later, either way.
    Delay(Duration),
    /// When so many pass at a time, with a pause after each time.
    Trickle(usize, Duration),
    /// When each connection ends after so many further bytes of answers.
    Cut(usize, End),
    /// When connections end inside of certain frames.
    CutFrame(FrameCut, End),
    /// When requests arrive, and answers are held back.
    Mute,
    /// When nothing passes and nothing is closed; connections are accepted and never answered.
    BlackHole,
    /// When bytes pass until a request to this API has passed on any connection; then as
    /// [`Mode::BlackHole`].
    HoleAfter(i16),
    /// When connections are closed as soon as they are there.
    Refuse,
}

impl Mode {
    /// Tells whether nothing passes on a side.
    fn holds(self, side: Side) -> bool {
        self == Self::BlackHole || self == Self::Mute && side == Side::Answers
    }
}

/// A running proxy; it closes its connections when dropped.
#[derive(Debug)]
pub(crate) struct FaultProxy {
    address: SockAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    target: SockAddr,
    state: Mutex<State>,
    is_over: AtomicBool,
    accepted: AtomicUsize,
}

#[derive(Clone, Copy, Debug)]
struct State {
    mode: Mode,
    /// Counts changes of the mode.
    number: usize,
    /// How many connections were ended on purpose, in all modes.
    ended: usize,
}

impl FaultProxy {
    /// Listens on a port, in front of the server on another.
    pub(crate) fn tcp(port: u16, target: u16) -> Self {
        let address = |port| SockAddr::from(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        Self::start(address(port), address(target))
    }

    /// Takes the place of a Unix socket that a server listens on: clients find the proxy there.
    pub(crate) fn unix(path: &Path) -> Self {
        let target = path.with_extension("behind");
        std::fs::rename(path, &target).expect("the server's socket");
        let address = |path| SockAddr::unix(path).expect("a short path");
        Self::start(address(path), address(&target))
    }

    fn start(address: SockAddr, target: SockAddr) -> Self {
        let listener = Socket::new(address.domain(), Type::STREAM, None).expect("a socket");
        drop(listener.set_reuse_address(true));
        listener.bind(&address).expect("a free address");
        listener.listen(1024).expect("a listener");
        listener.set_nonblocking(true).expect("a listener that does not wait");
        let state = State { mode: Mode::Pass, number: 0, ended: 0 };
        let (is_over, accepted) = (AtomicBool::new(false), AtomicUsize::new(0));
        let shared = Arc::new(Shared { target, state: Mutex::new(state), is_over, accepted });
        let for_thread = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, &for_thread));
        Self { address, shared }
    }

    /// Returns the `bootstrap.servers` of who is to go through it.
    pub(crate) fn bootstrap(&self) -> String {
        self.address.as_socket().expect("not a Unix socket").to_string()
    }

    pub(crate) fn set(&self, mode: Mode) {
        let mut state = self.shared.lock();
        (state.mode, state.number) = (mode, state.number + 1);
    }

    /// Returns how many connections there have been.
    pub(crate) fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::Relaxed)
    }

    /// Returns how many connections were ended on purpose.
    pub(crate) fn ended(&self) -> usize {
        self.shared.lock().ended
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Counts an end in the mode of that number; tells whether it is to happen.
    fn may_end(&self, number: usize) -> bool {
        let mut state = self.lock();
        if state.number != number {
            return false;
        }
        if let Mode::CutFrame(cut, _) = &mut state.mode {
            if cut.times == 0 {
                return false;
            }
            cut.times -= 1;
        }
        state.ended += 1;
        true
    }
}

fn accept(listener: &Socket, shared: &Arc<Shared>) {
    while !shared.is_over() {
        let Ok((client, _)) = listener.accept() else {
            thread::park_timeout(TICK);
            continue;
        };
        shared.accepted.fetch_add(1, Ordering::Relaxed);
        let shared = Arc::clone(shared);
        thread::spawn(move || serve(client, &shared));
    }
}

/// Connects a client to the server, when that may be, and moves bytes until one of them has closed.
fn serve(client: Socket, shared: &Arc<Shared>) {
    let mode = loop {
        let mode = shared.lock().mode;
        if mode != Mode::BlackHole {
            break mode;
        }
        if shared.is_over() {
            return;
        }
        thread::park_timeout(TICK);
    };
    if mode == Mode::Refuse {
        shared.lock().ended += 1;
        return;
    }
    let Ok(server) = connect(&shared.target) else { return };
    prepare(&client);
    let link = Link { client, server, asked: Asked::default(), is_ended: AtomicBool::new(false) };
    let link = Arc::new(link);
    let answers = Pump::new(shared, &link, Side::Answers);
    thread::spawn(move || answers.run());
    Pump::new(shared, &link, Side::Requests).run();
    link.drain();
}

fn connect(target: &SockAddr) -> io::Result<Socket> {
    let server = Socket::new(target.domain(), Type::STREAM, None)?;
    server.connect(target)?;
    prepare(&server);
    Ok(server)
}

fn prepare(socket: &Socket) {
    if socket.domain().is_ok_and(|domain| domain != Domain::UNIX) {
        drop(socket.set_tcp_nodelay(true));
    }
    socket.set_nonblocking(false).expect("a socket that waits");
    socket.set_read_timeout(Some(TICK)).expect("a socket that waits");
    socket.set_write_timeout(Some(TICK)).expect("a socket that waits");
}

/// A client's connection and the one to the server that belongs to it.
#[derive(Debug)]
struct Link {
    client: Socket,
    server: Socket,
    asked: Asked,
    is_ended: AtomicBool,
}

impl Link {
    fn end(&self, end: End) {
        match end {
            End::Fin => drop(self.client.shutdown(Shutdown::Write)),
            // It goes out when the last thread lets the socket go.
            End::Reset => drop(self.client.set_linger(Some(Duration::ZERO))),
        }
        drop(self.server.shutdown(Shutdown::Both));
        self.is_ended.store(true, Ordering::Release);
    }

    fn is_ended(&self) -> bool {
        self.is_ended.load(Ordering::Acquire)
    }

    /// Reads what the client still sends: a socket closed with bytes unread answers with a reset.
    fn drain(&self) {
        if self.client.linger().is_ok_and(|linger| linger.is_some()) {
            return;
        }
        let until = now() + DRAIN_LIMIT;
        let mut buffer = vec![0; READ_BYTES];
        while now() < until {
            match (&self.client).read(&mut buffer) {
                Ok(0) => return,
                Err(error) if !is_wait(&error) => return,
                _ => {}
            }
        }
    }
}

/// One direction of a link.
struct Pump {
    shared: Arc<Shared>,
    link: Arc<Link>,
    side: Side,
    /// What was read and has not passed, with the times of the reads.
    held: VecDeque<(Instant, Vec<u8>)>,
    held_bytes: usize,
    /// Whether there will be no more to read.
    is_at_end: bool,
    frames: Frames,
    /// What has passed since the mode is what it is.
    passed: usize,
}

impl Pump {
    fn new(shared: &Arc<Shared>, link: &Arc<Link>, side: Side) -> Self {
        let (shared, link) = (Arc::clone(shared), Arc::clone(link));
        let frames = Frames::new(side);
        let (held, held_bytes, is_at_end, passed) = (VecDeque::new(), 0, false, 0);
        Self { shared, link, side, held, held_bytes, is_at_end, frames, passed }
    }

    fn run(mut self) {
        let mut before = 0;
        while !self.shared.is_over() && !self.link.is_ended() {
            let mode = self.shared.lock().mode;
            let read = if mode.holds(self.side) { Ok(()) } else { self.read(mode) };
            // What came of a read that waited passes by the mode of now.
            let State { mode, number, .. } = *self.shared.lock();
            if number != before {
                (before, self.passed) = (number, 0);
            }
            if read.is_ok() && mode.holds(self.side) {
                thread::park_timeout(TICK);
                continue;
            }
            let end = match read.and_then(|()| self.pass(mode)) {
                Err(_) => End::Reset,
                Ok(Some(end)) if self.shared.may_end(number) => end,
                Ok(_) if self.is_at_end && self.held.is_empty() => End::Fin,
                Ok(_) => continue,
            };
            self.link.end(end);
        }
    }

    /// Reads where something may pass soon.
    fn read(&mut self, mode: Mode) -> io::Result<()> {
        let waits = matches!(mode, Mode::Delay(_)) && self.held_bytes < HELD_BYTES_MAX;
        if self.is_at_end || !self.held.is_empty() && !waits {
            if self.is_at_end {
                thread::park_timeout(TICK);
            }
            return Ok(());
        }
        let mut buffer = vec![0; READ_BYTES];
        let mut from = match self.side {
            Side::Requests => &self.link.client,
            Side::Answers => &self.link.server,
        };
        match from.read(&mut buffer) {
            Ok(0) => self.is_at_end = true,
            Ok(count) => {
                buffer.truncate(count);
                self.held.push_back((now(), buffer));
                self.held_bytes += count;
            }
            Err(error) if is_wait(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Lets pass what may; tells whether and how the connection is to end then.
    fn pass(&mut self, mode: Mode) -> io::Result<Option<End>> {
        let mut room = usize::MAX;
        match mode {
            Mode::Refuse => return Ok(Some(End::Fin)),
            Mode::Cut(after, end) if self.side == Side::Answers => {
                room = after.saturating_sub(self.passed);
                if room == 0 {
                    return Ok(Some(end));
                }
            }
            Mode::Trickle(bytes, _) => room = bytes,
            _ => {}
        }
        let Some((since, mut bytes)) = self.held.pop_front() else { return Ok(None) };
        if matches!(mode, Mode::Delay(time) if since.elapsed() < time) {
            self.held.push_front((since, bytes));
            return Ok(None);
        }
        let (mut allowed, mut end) = (bytes.len().min(room), None);
        if let Mode::CutFrame(cut, how) = mode {
            let (count, is_cut) = self.frames.look(allowed, &cut, &self.link.asked);
            (allowed, end) = (count, is_cut.then_some(how));
        }
        let count = self.write(&bytes[..allowed], mode)?;
        self.passed += count;
        self.held_bytes -= count;
        bytes.drain(..count);
        if !bytes.is_empty() {
            self.held.push_front((since, bytes));
        }
        if let Mode::Trickle(_, pause) = mode {
            thread::park_timeout(pause);
        }
        Ok(end.filter(|_| count == allowed))
    }

    fn write(&mut self, piece: &[u8], mode: Mode) -> io::Result<usize> {
        let mut to = match self.side {
            Side::Requests => &self.link.server,
            Side::Answers => &self.link.client,
        };
        if piece.is_empty() {
            return Ok(0);
        }
        // A request is known before anybody can answer it.
        let mut asked = self.link.asked.lock();
        match to.write(piece) {
            Ok(count) => {
                self.frames.advance(&piece[..count], &mut asked);
                let last = asked.back().filter(|_| self.side == Side::Requests);
                if self.frames.is_between()
                    && last.is_some_and(|last| mode == Mode::HoleAfter(*last))
                {
                    self.shared.lock().mode = Mode::BlackHole;
                }
                Ok(count)
            }
            Err(error) if is_wait(&error) => Ok(0),
            Err(error) => Err(error),
        }
    }
}

fn is_wait(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

#[allow(clippy::disallowed_methods, reason = "networks take real time")]
fn now() -> Instant {
    Instant::now()
}
