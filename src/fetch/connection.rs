//! One connection to a broker: negotiation, framing, requests in flight and their deadlines.
//!
//! A broker answers the requests of a connection one after the other and in order, so the oldest
//! request in flight says how to read what comes next. Answers that carry records are read while
//! they arrive (see [`answer`](super::answer)), all others when they are whole.
//!
//! ```text
//!  Resolving ─► Connecting ─► Negotiating ─► Ready ─► (closed: the connection is dropped)
//! ```

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::call::Call;
use super::failure::Failure;
use super::input::Input;
use crate::buffer::Slice;
use crate::buffer::pool::BLOCK_MAX_BYTES;
use crate::protocol::api_versions::{ApiVersionTable, ApiVersionsRequest, Negotiation};
use crate::protocol::fetch::FetchDecoder;
use crate::protocol::{ApiKey, RequestHeader, ResponseHeader, write_frame};
use crate::wire::{EncodeError, Reader, WireError};

/// Bytes of a frame's length field.
const LENGTH_BYTES: usize = 4;

/// The version that the first ApiVersions request has: the newest whose additions matter here.
const API_VERSIONS_FIRST: i16 = 3;

/// Names a connection; never used again after it is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId {
    /// Place in the engine's table.
    pub index: u32,
    /// Tells connections of one place apart.
    pub generation: u32,
}

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// When the peer's name is being resolved.
    Resolving,
    /// When the socket is connecting.
    Connecting,
    /// When the broker is asked for the versions it speaks.
    Negotiating,
    /// When requests can be sent.
    Ready,
}

/// How a socket is set up before it connects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketSettings {
    /// `receive.buffer.bytes`; none leaves it to the operating system, which adapts it.
    pub receive_buffer_bytes: Option<usize>,
    /// `send.buffer.bytes`; none leaves it to the operating system.
    pub send_buffer_bytes: Option<usize>,
    /// Whether idle connections are probed.
    pub keepalive: bool,
    /// Whether small requests leave at once.
    pub nodelay: bool,
}

/// Which addresses of a name are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AddressFamily {
    /// When all are.
    #[default]
    Any,
    /// When those of IPv4 are.
    V4,
    /// When those of IPv6 are.
    V6,
}

/// Settings that every connection of a consumer or a cluster shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionSettings {
    /// `client.id`.
    pub client_id: String,
    /// `request.timeout.ms`.
    pub request_timeout: Duration,
    /// `receive.message.max.bytes`: a longer answer is refused before memory is taken for it.
    pub receive_max_bytes: usize,
    /// `connections.max.idle.ms`; none where that is negative.
    pub idle_max: Option<Duration>,
    /// The highest Fetch version to negotiate.
    pub fetch_version_max: i16,
    /// `broker.address.family`.
    pub family: AddressFamily,
    /// How sockets are set up.
    pub socket: SocketSettings,
}

/// A request that has not been answered.
#[derive(Debug)]
pub struct InFlight {
    correlation_id: i32,
    /// Of which API it is.
    pub api_key: ApiKey,
    version: i16,
    deadline: Instant,
    /// What was asked, and for whom.
    pub call: Call,
}

/// What is being read.
#[derive(Debug)]
enum Reading {
    /// When the next frame has not begun, or not enough of it is there.
    Frame,
    /// When the body of a Fetch answer is arriving; with the bytes of it still unread.
    Fetch { decoder: Box<FetchDecoder>, left: usize },
}

/// What [`Connection::poll_answer`] found.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "one at a time, on the stack of one call")]
pub enum Incoming {
    /// When more has to be received first.
    Nothing,
    /// When a request has been answered: the request, the version, and the whole body.
    Answer(Box<InFlight>, i16, Slice),
    /// When the body of a Fetch answer has begun: read it with [`Connection::fetch_body`].
    FetchBody,
}

/// A connection without its socket.
#[derive(Debug)]
pub struct Connection {
    settings: ConnectionSettings,
    phase: Phase,
    /// Until when the connection must be [`Phase::Ready`].
    setup_deadline: Instant,
    /// What the broker speaks; empty until the connection is ready.
    versions: ApiVersionTable,
    /// Bytes to send; those before `sent` are on their way.
    output: Vec<u8>,
    sent: usize,
    in_flight: VecDeque<InFlight>,
    next_correlation_id: i32,
    /// What has been received.
    pub input: Input,
    reading: Reading,
    /// Until when the broker asked us not to send (KIP-219).
    muted_until: Option<Instant>,
    /// Since when the socket is not read for want of credit; the requests' time stands still.
    stalled_since: Option<Instant>,
    last_active: Instant,
}

impl Connection {
    /// Makes a connection that is about to resolve its peer's name.
    pub fn new(settings: ConnectionSettings, setup_timeout: Duration, now: Instant) -> Self {
        Self {
            settings,
            phase: Phase::Resolving,
            setup_deadline: now + setup_timeout,
            versions: ApiVersionTable::default(),
            output: Vec::new(),
            sent: 0,
            in_flight: VecDeque::new(),
            next_correlation_id: 0,
            input: Input::default(),
            reading: Reading::Frame,
            muted_until: None,
            stalled_since: None,
            last_active: now,
        }
    }

    /// Takes note that the name is resolved and a socket is connecting.
    pub fn handle_connecting(&mut self) {
        self.phase = Phase::Connecting;
    }

    /// Begins to negotiate: the socket is connected.
    ///
    /// # Errors
    ///
    /// A request that cannot be encoded, which is a defect.
    pub fn handle_connected(&mut self, now: Instant) -> Result<(), Failure> {
        self.phase = Phase::Negotiating;
        self.ask_versions(now, API_VERSIONS_FIRST)
    }

    fn ask_versions(&mut self, now: Instant, version: i16) -> Result<(), Failure> {
        let request = ApiVersionsRequest {
            client_software_name: "kfetch",
            client_software_version: env!("CARGO_PKG_VERSION"),
        };
        self.enqueue(now, ApiKey::ApiVersions, version, Call::ApiVersions, |out| {
            request.encode(version, out)
        })
    }

    /// Takes the answer to the question for versions; asks again where the broker knows only
    /// older versions of that question itself.
    ///
    /// # Errors
    ///
    /// When the answer is malformed, an error, or the second refusal.
    pub fn handle_versions(
        &mut self,
        now: Instant,
        version: i16,
        body: &[u8],
    ) -> Result<(), Failure> {
        match Negotiation::from_response(body, version)? {
            Negotiation::Agreed(table) => {
                self.versions = table.with_max(ApiKey::Fetch, self.settings.fetch_version_max);
                self.phase = Phase::Ready;
                Ok(())
            }
            Negotiation::AskAgain { version } => self.ask_versions(now, version),
            Negotiation::Refused(code) => {
                Err(Failure::Protocol(format!("does not tell its versions: {}", code.name())))
            }
        }
    }

    /// Sends a request in the highest version that both sides speak.
    ///
    /// # Errors
    ///
    /// When the broker speaks no version of it that we do, or a field does not fit the version. The
    /// connection has to be closed then; it counts the request among those in flight.
    pub fn send(
        &mut self,
        now: Instant,
        api_key: ApiKey,
        call: Call,
        encode: impl FnOnce(i16, &mut Vec<u8>) -> Result<(), EncodeError>,
    ) -> Result<(), Failure> {
        let Some(version) = self.versions.pick(api_key) else {
            self.push_in_flight(now, api_key, 0, call);
            return Err(Failure::UnsupportedVersion { api_key });
        };
        self.enqueue(now, api_key, version, call, |out| encode(version, out))
    }

    fn enqueue(
        &mut self,
        now: Instant,
        api_key: ApiKey,
        version: i16,
        call: Call,
        encode: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodeError>,
    ) -> Result<(), Failure> {
        let written = self.write(api_key, version, encode);
        self.push_in_flight(now, api_key, version, call);
        Ok(written?)
    }

    /// Sends a request in a version of [`Connection::pick`].
    ///
    /// # Errors
    ///
    /// When a field does not fit the version: nothing is sent, and the connection goes on.
    pub fn send_as(
        &mut self,
        now: Instant,
        (api_key, version): (ApiKey, i16),
        call: Call,
        encode: impl FnOnce(i16, &mut Vec<u8>) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        self.write(api_key, version, |out| encode(version, out))?;
        self.push_in_flight(now, api_key, version, call);
        Ok(())
    }

    fn write(
        &mut self,
        api_key: ApiKey,
        version: i16,
        encode: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let header = RequestHeader {
            request_api_key: api_key.code(),
            request_api_version: version,
            correlation_id: self.next_correlation_id,
            client_id: Some(&self.settings.client_id),
        };
        write_frame(&mut self.output, |out| {
            header.encode(out)?;
            encode(out)
        })
    }

    fn push_in_flight(&mut self, now: Instant, api_key: ApiKey, version: i16, call: Call) {
        let correlation_id = self.next_correlation_id;
        self.next_correlation_id = correlation_id.wrapping_add(1);
        let deadline = now + self.settings.request_timeout + call.broker_wait();
        self.in_flight.push_back(InFlight { correlation_id, api_key, version, deadline, call });
        self.last_active = now;
    }

    /// Returns the bytes to write to the socket.
    pub fn output(&self) -> &[u8] {
        self.output.get(self.sent..).unwrap_or_default()
    }

    /// Takes note that the first `len` bytes of the output have been written.
    pub fn handle_written(&mut self, len: usize) {
        self.sent += len;
        if self.sent >= self.output.len() {
            self.output.clear();
            self.sent = 0;
        }
    }

    /// Counts `len` bytes that have been received into the input's spare room.
    pub fn handle_received(&mut self, now: Instant, len: usize) {
        self.input.received(len);
        self.last_active = now;
    }

    /// Takes the next answer out of what has been received.
    ///
    /// # Errors
    ///
    /// When the bytes cannot be a broker's answer: nothing after them can be trusted either.
    pub fn poll_answer(&mut self) -> Result<Incoming, Failure> {
        if matches!(self.reading, Reading::Fetch { .. }) {
            return Ok(Incoming::FetchBody);
        }
        let unread = self.input.unread();
        let Some((length, rest)) = unread.split_first_chunk() else {
            self.input.set_need(LENGTH_BYTES, self.input.block_size().min(unread.len() + 1));
            return Ok(Incoming::Nothing);
        };
        let length = self.check_length(i32::from_be_bytes(*length))?;
        let Some(oldest) = self.in_flight.front() else {
            return Err(Failure::Protocol("sent an answer that nobody asked for".to_owned()));
        };
        let mut reader = Reader::prefix(rest, length);
        let header = ResponseHeader::decode(&mut reader, oldest.api_key, oldest.version);
        let header = match header {
            Err(WireError::Incomplete { missing }) => {
                let need = unread.len() + missing;
                self.input.set_need(need, LENGTH_BYTES + length);
                return Ok(Incoming::Nothing);
            }
            other => other?,
        };
        if header.correlation_id != oldest.correlation_id {
            return Err(Failure::Protocol(format!(
                "answered request {} when {} was due",
                header.correlation_id, oldest.correlation_id
            )));
        }
        let body_len = reader.bytes_left();
        let header_len = LENGTH_BYTES + length - body_len;
        self.take_answer(header_len, body_len)
    }

    fn take_answer(&mut self, header_len: usize, body_len: usize) -> Result<Incoming, Failure> {
        let Some(oldest) = self.in_flight.front() else { return Ok(Incoming::Nothing) };
        if oldest.api_key == ApiKey::Fetch {
            let decoder = Box::new(FetchDecoder::new(oldest.version, body_len));
            self.input.consume(header_len);
            self.reading = Reading::Fetch { decoder, left: body_len };
            return Ok(Incoming::FetchBody);
        }
        let whole = header_len + body_len;
        let unread = self.input.unread().len();
        if unread < whole {
            // Memory is taken as bytes come, not because a length asks for it.
            let step = (unread + 1).next_power_of_two().max(BLOCK_MAX_BYTES).min(whole);
            self.input.set_need(step, step);
            return Ok(Incoming::Nothing);
        }
        let body = self.input.position() + header_len;
        let (Some(body), Some(answered)) =
            (self.input.slice(body..body + body_len), self.in_flight.pop_front())
        else {
            return Ok(Incoming::Nothing);
        };
        self.input.consume(whole);
        let version = answered.version;
        Ok(Incoming::Answer(Box::new(answered), version, body))
    }

    fn check_length(&self, length: i32) -> Result<usize, Failure> {
        match usize::try_from(length) {
            Ok(len) if len > self.settings.receive_max_bytes => {
                Err(Failure::of_foreign_length(length, self.settings.receive_max_bytes))
            }
            // The correlation id alone takes four bytes.
            Ok(len) if len >= 4 => Ok(len),
            _ => Err(Failure::Protocol(format!("sent an answer of {length} bytes"))),
        }
    }

    /// Returns what reads the body of the Fetch answer that is arriving: its decoder, the input,
    /// the bytes left of it, and the request.
    pub fn fetch_body(&mut self) -> Option<FetchBody<'_>> {
        let Reading::Fetch { decoder, left } = &mut self.reading else { return None };
        let request = self.in_flight.front_mut()?;
        Some(FetchBody { decoder, input: &mut self.input, left, request })
    }

    /// Ends the reading of a Fetch answer, of which nothing must be left, and returns the request.
    pub fn finish_fetch(&mut self) -> Option<InFlight> {
        self.reading = Reading::Frame;
        self.in_flight.pop_front()
    }

    /// Tells whether the answer to a Fetch has begun to arrive.
    pub fn is_receiving_fetch(&self) -> bool {
        matches!(self.reading, Reading::Fetch { .. })
    }

    /// Takes note that the broker asked for silence until `until`.
    pub fn handle_throttle(&mut self, until: Instant) {
        self.muted_until = Some(self.muted_until.map_or(until, |before| before.max(until)));
    }

    /// Tells whether a request can be sent now.
    pub fn is_ready(&self, now: Instant) -> bool {
        self.phase == Phase::Ready && self.muted_until.is_none_or(|until| until <= now)
    }

    /// Returns the highest version of a request up to `version_max` that both sides speak.
    pub fn pick(&self, api_key: ApiKey, version_max: i16) -> Option<i16> {
        self.versions.with_max(api_key, version_max).pick(api_key)
    }

    /// Returns the settings.
    pub fn settings(&self) -> &ConnectionSettings {
        &self.settings
    }

    /// Returns how far the connection has come.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Returns the requests that have not been answered, oldest first.
    pub fn in_flight(&self) -> &VecDeque<InFlight> {
        &self.in_flight
    }

    /// Takes all unanswered requests out of a connection that is lost.
    pub fn take_in_flight(&mut self) -> VecDeque<InFlight> {
        std::mem::take(&mut self.in_flight)
    }

    /// Lets the requests' time stand still while the socket is not read for want of credit.
    pub fn handle_stalled(&mut self, now: Instant) {
        self.stalled_since.get_or_insert(now);
    }

    /// Lets the requests' time go on: the socket is read again.
    pub fn handle_resumed(&mut self, now: Instant) {
        if let Some(since) = self.stalled_since.take() {
            let pause = now.saturating_duration_since(since);
            self.in_flight.iter_mut().for_each(|request| request.deadline += pause);
        }
    }

    /// Tells whether the socket is not read for want of credit.
    pub fn is_stalled(&self) -> bool {
        self.stalled_since.is_some()
    }

    /// Returns when [`Connection::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.phase != Phase::Ready {
            return Some(self.setup_deadline);
        }
        let request = self.in_flight.front().map(|request| request.deadline);
        let request = request.filter(|_| self.stalled_since.is_none());
        let idle = self.settings.idle_max.map(|idle| self.last_active + idle);
        let idle = idle.filter(|_| self.in_flight.is_empty());
        [request, idle, self.muted_until].into_iter().flatten().min()
    }

    /// Looks at the clock.
    ///
    /// # Errors
    ///
    /// When the connection has to be closed: the peer was too slow, or it was idle for too long.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), Failure> {
        if self.muted_until.is_some_and(|until| until <= now) {
            self.muted_until = None;
        }
        if self.phase != Phase::Ready {
            let late = self.setup_deadline <= now;
            return if late { Err(Failure::SetupTimeout(self.phase)) } else { Ok(()) };
        }
        if let Some(request) = self.in_flight.front() {
            let late = request.deadline <= now && self.stalled_since.is_none();
            let api_key = request.api_key;
            return if late { Err(Failure::RequestTimeout { api_key }) } else { Ok(()) };
        }
        match self.settings.idle_max {
            Some(idle) if self.last_active + idle <= now => Err(Failure::Idle),
            _ => Ok(()),
        }
    }
}

/// The parts of a connection that read the body of a Fetch answer.
#[derive(Debug)]
pub struct FetchBody<'a> {
    /// The machine that takes the body apart.
    pub decoder: &'a mut FetchDecoder,
    /// What has been received.
    pub input: &'a mut Input,
    /// Bytes of the body that have not been consumed.
    pub left: &'a mut usize,
    /// The request that is being answered.
    pub request: &'a mut InFlight,
}
