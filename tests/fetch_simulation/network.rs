//! The network of a world: connections that come about or do not, bytes that arrive in pieces.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use kfetch::fetch::connection::{ConnectionId, Phase};
use kfetch::fetch::engine::{Action, Address};
use kfetch::fetch::failure::Failure;
use kfetch::protocol::fetch::FetchRequest;
use kfetch::protocol::{ApiKey, RequestHeader};
use kfetch::wire::Reader;

use super::cluster::{Outcome, pick};
use super::event::Event;
use super::log::place_of;
use super::weather::happens;
use super::world::{CONSUMER, Happening, World};

/// One connection, both ends of it.
#[derive(Debug)]
pub(crate) struct Link {
    broker: usize,
    is_connected: bool,
    /// What the client has sent and no frame has been made of, at either end.
    sent: Vec<u8>,
    arrived: Vec<u8>,
    requests: VecDeque<Vec<u8>>,
    /// Whether the broker is about to answer, or never will.
    is_busy: bool,
    /// Since when the request at the head waits for data.
    waiting_since: Option<Instant>,
    /// What the client has not read.
    inbox: VecDeque<u8>,
    has_ended: bool,
    read: u64,
    written: u64,
    /// Where the answers to Fetches begin.
    fetch_answers: VecDeque<u64>,
    /// Bytes arrive in order.
    last_arrival: Instant,
}

impl World {
    /// Does what the engine wants done.
    pub(crate) fn perform(&mut self) {
        while let Some(action) = self.engine.poll_action() {
            match action {
                Action::Resolve { connection, host, .. } => self.resolve(connection, &host),
                Action::Connect { connection, address: Address::Tcp(address) } => {
                    self.connect(connection, address);
                }
                Action::Connect { .. } => panic!("no broker has a path"),
                Action::Flush(id) => self.flush(id),
                Action::Resume(id) => self.readable.push_back(id),
                Action::Close(id) => {
                    if self.links.remove(&id).is_some() {
                        self.record(Event::Closed { connection: number_of(id) });
                    }
                }
            }
        }
    }

    fn resolve(&mut self, id: ConnectionId, host: &str) {
        let is_lost = happens(&mut self.random, self.cluster.weather.unresolved);
        let delay = Duration::from_micros(self.random.below(2000));
        let brokers = self.cluster.brokers.len();
        let found = broker_of(host).is_some_and(|broker| broker < brokers) && !is_lost;
        self.hosts.insert(id, host.to_owned());
        self.after(delay, Happening::Resolved(id, found));
    }

    pub(super) fn handle_resolved(&mut self, id: ConnectionId, found: bool) {
        let host = self.hosts.remove(&id).unwrap();
        let addresses = match (found, broker_of(&host)) {
            (true, Some(broker)) => {
                let last = u8::try_from(broker).unwrap();
                let dead = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 9, 9, 9)), 1);
                let port = self.cluster.brokers[broker].port;
                let good = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)), port);
                if self.random.below(5) == 0 { Ok(vec![dead, good]) } else { Ok(vec![good]) }
            }
            _ => Err("no such host".to_owned()),
        };
        self.engine.handle_resolved(id, addresses, self.now);
        self.perform();
    }

    fn connect(&mut self, id: ConnectionId, address: SocketAddr) {
        let weather = &self.cluster.weather;
        let (refused, unanswered) = (weather.refused, weather.unanswered_connect);
        let broker = match address.ip() {
            IpAddr::V4(ip) if ip.octets()[0] == 10 && ip.octets()[1] == 0 => {
                Some(usize::from(ip.octets()[3]))
            }
            _ => None,
        };
        if happens(&mut self.random, unanswered) {
            return;
        }
        let is_up = broker.is_some_and(|broker| self.cluster.brokers[broker].is_up);
        let accepted = is_up && !happens(&mut self.random, refused);
        if let Some(broker) = broker.filter(|_| accepted) {
            self.links.insert(id, Link::new(broker, self.now));
        }
        let delay = Duration::from_micros(50 + self.random.below(5000));
        self.after(delay, Happening::Connected(id, accepted));
    }

    pub(super) fn handle_connected(&mut self, id: ConnectionId, accepted: bool) {
        if !accepted {
            let failure = Failure::Io("connection refused".to_owned());
            self.engine.handle_connect_failed(id, &failure, self.now);
        } else if let Some(link) = self.links.get_mut(&id) {
            link.is_connected = true;
            self.engine.handle_connected(id, self.now);
        }
        self.perform();
    }

    fn flush(&mut self, id: ConnectionId) {
        let Some(link) = self.links.get_mut(&id).filter(|link| link.is_connected) else { return };
        let mut bytes = Vec::new();
        loop {
            let output = self.engine.output(id);
            if output.is_empty() {
                break;
            }
            let len = 1 + pick(&mut self.random, output.len());
            bytes.extend_from_slice(&output[..len]);
            self.engine.handle_written(id, len);
        }
        link.sent.extend_from_slice(&bytes);
        let (frames, broker) = (take_frames(&mut link.sent), link.broker);
        for frame in frames {
            self.note_request(id, broker, &frame);
        }
        let delay = Duration::from_micros(20 + self.random.below(2000));
        self.after(delay, Happening::Arrived(id, bytes));
    }

    /// Notes which partitions a Fetch asks for, and in which of their lives.
    fn note_request(&mut self, id: ConnectionId, broker: usize, frame: &[u8]) {
        let mut reader = Reader::new(frame);
        let header = RequestHeader::decode(&mut reader).unwrap();
        if header.request_api_key != ApiKey::Fetch.code() {
            return;
        }
        let request = FetchRequest::decode(reader.rest(), header.request_api_version).unwrap();
        let consumer = self.engine.consumer(CONSUMER).unwrap();
        let mut parts = Vec::new();
        for topic in &request.topics {
            for partition in &topic.partitions {
                let place = place_of(topic.topic, partition.partition).unwrap();
                let name = consumer.topic_name(topic.topic).unwrap();
                let index = consumer.cursor_index(&name, partition.partition).unwrap();
                let generation = consumer.cursor(index).unwrap().generation;
                let life = (self.assignments[place] << 32) | u64::from(generation);
                parts.push((place, life));
            }
        }
        self.record(Event::Requested { connection: number_of(id), broker, parts });
    }

    pub(super) fn handle_arrived(&mut self, id: ConnectionId, bytes: &[u8]) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.arrived.extend_from_slice(bytes);
        let frames = take_frames(&mut link.arrived);
        link.requests.extend(frames);
        self.broker_turn(id);
    }

    /// Lets a broker look at the oldest request of a connection.
    pub(super) fn broker_turn(&mut self, id: ConnectionId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let broker = link.broker;
        if link.is_busy || link.has_ended {
            return;
        }
        let Some(request) = link.requests.front().cloned() else { return };
        let since = *link.waiting_since.get_or_insert(self.now);
        let (waited, now) = (self.now - since, self.now);
        if waited.is_zero() && happens(&mut self.random, self.cluster.weather.silent) {
            link.is_busy = true;
            let text = format!("broker {broker} is silent on {}", number_of(id));
            return self.record(Event::Fault(text));
        }
        match self.cluster.answer(broker, &request, waited, now, &mut self.random) {
            Outcome::Wait(until) => self.at(until, Happening::Look(id)),
            Outcome::Answer(frame) => self.send_answer(id, &request, frame),
        }
    }

    fn send_answer(&mut self, id: ConnectionId, request: &[u8], mut frame: Vec<u8>) {
        let weather = &self.cluster.weather;
        let (cut, stuck, late) = (weather.cut, weather.stuck, weather.late);
        let is_cut = happens(&mut self.random, cut);
        let is_stuck = !is_cut && happens(&mut self.random, stuck);
        let delay = match happens(&mut self.random, late) {
            true => Duration::from_millis(self.random.below(1500)),
            false => Duration::from_micros(self.random.below(1500)),
        };
        if is_cut || is_stuck {
            frame.truncate(pick(&mut self.random, frame.len() + 1));
        }
        let Some(link) = self.links.get_mut(&id) else { return };
        link.requests.pop_front();
        link.waiting_since = None;
        link.is_busy = true;
        let is_fetch = request.starts_with(&ApiKey::Fetch.code().to_be_bytes());
        if is_fetch && !frame.is_empty() {
            link.fetch_answers.push_back(link.written);
        }
        link.written += frame.len() as u64;
        let mut at = link.last_arrival.max(self.now + delay);
        let mut rest = &frame[..];
        while !rest.is_empty() {
            let len = match self.random.below(3) {
                0 => 1 + pick(&mut self.random, rest.len()),
                _ => rest.len(),
            };
            let (piece, behind) = rest.split_at(len);
            self.at(at, Happening::Received(id, piece.to_vec()));
            at += Duration::from_micros(self.random.below(3000));
            rest = behind;
        }
        if let Some(link) = self.links.get_mut(&id) {
            link.last_arrival = at;
        }
        if is_cut {
            let text = format!("connection {} is cut after {} bytes", number_of(id), frame.len());
            self.record(Event::Fault(text));
            self.at(at, Happening::Ended(id));
        } else if is_stuck {
            let text = format!("connection {} is stuck at {}", number_of(id), frame.len());
            self.record(Event::Fault(text));
        } else {
            self.at(at, Happening::Answered(id));
        }
    }

    pub(super) fn handle_answered(&mut self, id: ConnectionId) {
        if let Some(link) = self.links.get_mut(&id) {
            link.is_busy = false;
        }
        self.broker_turn(id);
    }

    pub(super) fn handle_received(&mut self, id: ConnectionId, bytes: Vec<u8>) {
        if let Some(link) = self.links.get_mut(&id)
            && !link.has_ended
        {
            link.inbox.extend(bytes);
            self.readable.push_back(id);
        }
    }

    pub(super) fn handle_ended(&mut self, id: ConnectionId) {
        if let Some(link) = self.links.get_mut(&id) {
            link.has_ended = true;
            self.readable.push_back(id);
        }
    }

    /// Ends every connection to a broker.
    pub(super) fn cut_all(&mut self, broker: usize) {
        let to_broker = |(_, link): &(&ConnectionId, &Link)| link.broker == broker;
        let ids: Vec<_> = self.links.iter().filter(to_broker).map(|(id, _)| *id).collect();
        for id in ids {
            self.handle_ended(id);
        }
    }

    /// Lets all brokers look at the Fetches that wait for data.
    pub(super) fn look_everywhere(&mut self) {
        let ids: Vec<_> = self.links.keys().copied().collect();
        for id in ids {
            if self.links[&id].waiting_since.is_some() {
                self.broker_turn(id);
            }
        }
    }

    /// Reads a connection as the loop does: into the room there is, in pieces.
    pub(super) fn read(&mut self, id: ConnectionId) {
        loop {
            let Some(link) = self.links.get_mut(&id).filter(|link| link.is_connected) else {
                return;
            };
            let Some(room) = self.engine.room(id, self.now) else { return };
            if link.inbox.is_empty() {
                if link.has_ended {
                    let phase = self.engine.phase(id).unwrap_or(Phase::Ready);
                    self.engine.handle_closed(id, &Failure::Closed(phase), self.now);
                    self.perform();
                }
                return;
            }
            let most = room.len().min(link.inbox.len());
            let len = match self.random.below(3) {
                0 => 1 + pick(&mut self.random, most),
                _ => most,
            };
            for (to, from) in room.iter_mut().zip(link.inbox.drain(..len)) {
                *to = from;
            }
            let may_have_more = len == room.len() || !link.inbox.is_empty() || link.has_ended;
            link.read += len as u64;
            let mut begun = 0;
            while link.fetch_answers.front().is_some_and(|start| *start < link.read) {
                link.fetch_answers.pop_front();
                begun += 1;
            }
            for _ in 0..begun {
                self.record(Event::Answering { connection: number_of(id) });
            }
            self.engine.handle_received(id, len, self.now);
            self.perform();
            self.engine.deliver(id, self.now);
            self.perform();
            if !may_have_more {
                return;
            }
        }
    }
}

impl Link {
    fn new(broker: usize, now: Instant) -> Self {
        Self {
            broker,
            is_connected: false,
            sent: Vec::new(),
            arrived: Vec::new(),
            requests: VecDeque::new(),
            is_busy: false,
            waiting_since: None,
            inbox: VecDeque::new(),
            has_ended: false,
            read: 0,
            written: 0,
            fetch_answers: VecDeque::new(),
            last_arrival: now,
        }
    }
}

fn number_of(id: ConnectionId) -> u64 {
    (u64::from(id.generation) << 32) | u64::from(id.index)
}

fn broker_of(host: &str) -> Option<usize> {
    host.strip_prefix("broker-")?.parse().ok()
}

/// Takes whole frames off the front, without their lengths.
fn take_frames(bytes: &mut Vec<u8>) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let length = u32::from_be_bytes(*length) as usize;
        let Some(frame) = rest.get(..length) else { break };
        frames.push(frame.to_vec());
        bytes.drain(..4 + length);
    }
    frames
}
