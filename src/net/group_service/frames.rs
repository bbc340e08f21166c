//! One client's connection: frames in, answers out in the order of the requests.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::io::{self, Read, Write};

use mio::net::UnixStream;

use crate::embedded::RequestId;
use crate::protocol::{ApiKey, RequestHeader, ResponseHeader, write_frame};
use crate::wire::Reader;

/// The longest request that is taken. The longest there are, a leader's assignment of 10,000
/// partitions to 1,000 members, have a megabyte.
const REQUEST_BYTES_MAX: usize = 16 << 20;

/// Requests of one client that may wait for their answers; further ones wait in its socket.
const IN_FLIGHT_MAX: usize = 64;

/// A client that leaves as many bytes of answers unread is not listened to until it reads.
const OUTPUT_BYTES_MAX: usize = 4 << 20;

/// What one client may have read in one turn, so that none keeps the others waiting.
const TURN_BYTES_MAX: usize = 1 << 20;

const READ_BYTES: usize = 64 << 10;

/// A buffer that was larger than this is given back once it is empty.
const KEPT_BYTES_MAX: usize = 256 << 10;

/// Bytes of a frame's length.
const LENGTH_BYTES: usize = 4;

/// A request that has not been sent its answer.
#[derive(Debug)]
struct InFlight {
    id: RequestId,
    api_key: ApiKey,
    version: i16,
    correlation_id: i32,
    /// The answer's body, while answers before it are not there yet.
    body: Option<Vec<u8>>,
}

/// Why a connection is closed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// When the client has closed it, or the socket failed.
    Gone,
    /// When the client sent what cannot be a request; in words.
    Nonsense(String),
}

/// A connection.
#[derive(Debug)]
pub(super) struct ClientConnection {
    stream: UnixStream,
    input: Vec<u8>,
    /// Bytes of the input that have been taken.
    taken: usize,
    output: Vec<u8>,
    /// Bytes of the output that are on their way.
    sent: usize,
    in_flight: VecDeque<InFlight>,
    /// Whether the socket may have more to read: until a read says no.
    pub(super) is_readable: bool,
    /// Whether the client is gone; what it has sent before is served all the same.
    has_ended: bool,
}

/// A request as it lies in a connection's input.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    pub(super) api_key: ApiKey,
    pub(super) version: i16,
    pub(super) client_id: &'a str,
    pub(super) body: &'a [u8],
}

impl ClientConnection {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            input: Vec::new(),
            taken: 0,
            output: Vec::new(),
            sent: 0,
            in_flight: VecDeque::new(),
            is_readable: true,
            has_ended: false,
        }
    }

    pub(super) fn stream(&mut self) -> &mut UnixStream {
        &mut self.stream
    }

    /// Tells whether further requests are taken from this client now.
    pub(super) fn is_open_to_requests(&self) -> bool {
        self.in_flight.len() < IN_FLIGHT_MAX
            && self.output.len().saturating_sub(self.sent) < OUTPUT_BYTES_MAX
    }

    /// Tells whether there is something to do without waiting for the socket.
    pub(super) fn has_work(&self) -> bool {
        self.is_open_to_requests() && (self.is_readable || self.has_frame())
    }

    fn has_frame(&self) -> bool {
        let unread = self.input.get(self.taken..).unwrap_or_default();
        let length = unread.first_chunk().map(|length| i32::from_be_bytes(*length));
        let length = length.and_then(|length| usize::try_from(length).ok());
        length.is_some_and(|length| unread.len() - LENGTH_BYTES >= length)
    }

    /// Says so when the client is gone and nothing is left of what it has sent.
    pub(super) fn check_end(&self) -> Result<(), Closed> {
        if self.has_ended && !self.has_frame() { Err(Closed::Gone) } else { Ok(()) }
    }

    /// Reads what the socket has, up to the turn's limit.
    pub(super) fn read(&mut self) {
        self.input.drain(..self.taken);
        self.taken = 0;
        if self.input.is_empty() && self.input.capacity() > KEPT_BYTES_MAX {
            self.input = Vec::new();
        }
        let mut turn_bytes = 0;
        while self.is_readable && turn_bytes < TURN_BYTES_MAX {
            let begin = self.input.len();
            self.input.resize(begin + READ_BYTES, 0);
            let read = self.stream.read(self.input.get_mut(begin..).unwrap_or_default());
            self.input.truncate(begin + *read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) => return self.end(),
                Ok(count) => turn_bytes += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.is_readable = false;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return self.end(),
            }
        }
    }

    fn end(&mut self) {
        self.has_ended = true;
        self.is_readable = false;
    }

    /// Takes the next request, which is in flight from now on; `None` where it has not arrived
    /// whole, or the client has enough unanswered ones.
    pub(super) fn next_frame(&mut self, id: RequestId) -> Result<Option<Frame<'_>>, Closed> {
        if !self.is_open_to_requests() {
            return Ok(None);
        }
        let unread = self.input.get(self.taken..).unwrap_or_default();
        let Some((length, rest)) = unread.split_first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let length = i32::from_be_bytes(*length);
        let nonsense = |text: String| Closed::Nonsense(text);
        let len = usize::try_from(length).ok().filter(|len| *len <= REQUEST_BYTES_MAX);
        let Some(len) = len else {
            return Err(nonsense(format!("it sent a request of {length} bytes")));
        };
        let Some(message) = rest.get(..len) else { return Ok(None) };
        let mut reader = Reader::new(message);
        let header = RequestHeader::decode(&mut reader);
        let header = header.map_err(|error| nonsense(error.to_string()))?;
        let Some(api_key) = ApiKey::from_code(header.request_api_key) else {
            return Err(nonsense(format!("it asked for the API {}", header.request_api_key)));
        };
        self.taken += LENGTH_BYTES + len;
        let version = header.request_api_version;
        let correlation_id = header.correlation_id;
        self.in_flight.push_back(InFlight { id, api_key, version, correlation_id, body: None });
        let client_id = header.client_id.unwrap_or_default();
        Ok(Some(Frame { api_key, version, client_id, body: reader.rest() }))
    }

    /// Takes the answer to a request, and puts all into the output that are next.
    pub(super) fn answer(&mut self, id: RequestId, body: Vec<u8>) -> Result<(), Closed> {
        if let Some(request) = self.in_flight.iter_mut().find(|request| request.id == id) {
            request.body = Some(body);
        }
        while let Some(body) = self.in_flight.front_mut().and_then(|oldest| oldest.body.take()) {
            let Some(request) = self.in_flight.pop_front() else { break };
            let InFlight { api_key, version, correlation_id, .. } = request;
            let written = write_frame(&mut self.output, |out| {
                ResponseHeader { correlation_id }.encode(out, api_key, version);
                out.extend_from_slice(&body);
                Ok(())
            });
            written.map_err(|error| Closed::Nonsense(error.to_string()))?;
        }
        Ok(())
    }

    /// Writes as much of the output as the socket takes.
    pub(super) fn write(&mut self) -> Result<(), Closed> {
        while let Some(unsent @ [_, ..]) = self.output.get(self.sent..) {
            match self.stream.write(unsent) {
                Ok(0) => return Err(Closed::Gone),
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(Closed::Gone),
            }
        }
        self.output.clear();
        self.sent = 0;
        if self.output.capacity() > KEPT_BYTES_MAX {
            self.output = Vec::new();
        }
        Ok(())
    }

    /// Returns the requests that have not been answered.
    pub(super) fn in_flight(&self) -> impl Iterator<Item = RequestId> {
        self.in_flight.iter().map(|request| request.id)
    }
}
