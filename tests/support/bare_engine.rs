//! An engine with one member of a group and no sockets: the test plays broker, network and clock.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use kfetch::Logger;
use kfetch::buffer::Budget;
use kfetch::fetch::call::{ConsumerId, GroupCall};
use kfetch::fetch::cluster::ClusterSettings;
use kfetch::fetch::connection::ConnectionId;
use kfetch::fetch::consumer::{FetchSettings, ResetPolicy};
use kfetch::fetch::engine::group::GroupRequest;
use kfetch::fetch::engine::{Action, Address, FetchEngine, GroupEvent};
use kfetch::protocol::api_versions::{ApiVersion, ApiVersionsResponse};
use kfetch::protocol::{ApiKey, RequestHeader, ResponseHeader, write_frame};
use kfetch::ring::bridge::{Bridge, LoopSignal};
use kfetch::ring::park::{Parker, Signal};
use kfetch::wire::{EncodeError, Reader};

use crate::settings::{cluster_settings, connection_settings};

/// The member.
pub(crate) const MEMBER: ConsumerId = ConsumerId(1);

struct NoSignal;

impl Signal for NoSignal {
    fn signal(&self) {}
}

/// A connection as the broker sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer(pub(crate) ConnectionId);

/// The engine, its time, and what its connections have written.
#[derive(Debug)]
pub(crate) struct BareEngine {
    pub(crate) inner: FetchEngine,
    pub(crate) now: Instant,
    cluster: ClusterSettings,
    /// Names that were to be resolved.
    pub(crate) resolved: usize,
    last_correlation: i32,
}

impl BareEngine {
    /// Makes an engine with one member of a cluster that has one bootstrap server.
    pub(crate) fn new(host: &str, port: u16) -> Self {
        let now = Instant::now();
        let mut inner = FetchEngine::new(Arc::new(Logger::new(|_, _, _| {})), 1);
        let cluster = cluster_settings(&[(host, port)]);
        inner.add_cluster_user(MEMBER, &cluster, &connection_settings(), now);
        Self { inner, now, cluster, resolved: 0, last_correlation: 0 }
    }

    /// Lets the member's consumer fetch from the same cluster.
    pub(crate) fn add_consumer(&mut self) {
        let settings = FetchSettings {
            min_bytes: 1,
            max_wait_ms: 500,
            max_bytes: 1 << 20,
            partition_max_bytes: 1 << 20,
            check_crcs: true,
            partition_eof: false,
            reset: ResetPolicy::Latest,
            retry: self.cluster.retry,
            connection: connection_settings(),
            epoch: (self.now, 0),
        };
        let signal: LoopSignal = Box::new(NoSignal);
        let bridge = Bridge::new(Arc::new(Parker::new(signal))).unwrap();
        let budget = Budget::new(1 << 20, Box::new(|| {}));
        self.inner.add_consumer(MEMBER, &self.cluster, settings, bridge, budget, self.now);
    }

    pub(crate) fn ask_any(&mut self, tag: u64, body: &[u8]) {
        let request = request(tag, ApiKey::FindCoordinator);
        self.inner.ask_any(request, |_, out| append(out, body), self.now);
        self.inner.drive(self.now);
    }

    pub(crate) fn send(&mut self, tag: u64, api_key: ApiKey, body: &[u8]) {
        self.send_with(request(tag, api_key), |_, out| append(out, body));
    }

    pub(crate) fn send_up_to(&mut self, tag: u64, api_key: ApiKey, version_max: i16) {
        let request = GroupRequest { version_max, ..request(tag, api_key) };
        self.send_with(request, |_, _| Ok(()));
    }

    pub(crate) fn send_waiting(&mut self, tag: u64, api_key: ApiKey, wait: Duration) {
        let mut request = request(tag, api_key);
        request.call.wait = wait;
        self.send_with(request, |_, _| Ok(()));
    }

    /// Sends what begins well and then turns out not to fit.
    pub(crate) fn send_refused(&mut self, tag: u64, api_key: ApiKey) {
        self.send_with(request(tag, api_key), |_, out| {
            out.push(7);
            Err(EncodeError::TooLong { length: usize::MAX })
        });
    }

    fn send_with(
        &mut self,
        request: GroupRequest,
        encode: impl FnOnce(i16, &mut Vec<u8>) -> Result<(), EncodeError>,
    ) {
        self.inner.send_group(request, encode, self.now);
        self.inner.drive(self.now);
    }

    pub(crate) fn event(&mut self) -> Option<GroupEvent> {
        self.inner.poll_group_event()
    }

    /// Goes on to the engine's next deadline.
    pub(crate) fn pass_time(&mut self) {
        self.now = self.now.max(self.inner.poll_timeout().unwrap());
        self.inner.handle_timeout(self.now);
    }

    /// Returns the next connection that is to be made, and resolves what has to be resolved.
    pub(crate) fn poll_connect(&mut self) -> Option<(Peer, Address)> {
        self.inner.drive(self.now);
        while let Some(action) = self.inner.poll_action() {
            match action {
                Action::Resolve { connection, port, .. } => {
                    self.resolved += 1;
                    let address = ([10, 0, 0, 1], port).into();
                    self.inner.handle_resolved(connection, Ok(vec![address]), self.now);
                }
                Action::Connect { connection, address } => {
                    return Some((Peer(connection), address));
                }
                _ => {}
            }
        }
        None
    }

    /// Lets the next connection come about.
    pub(crate) fn accept(&mut self) -> Peer {
        let (peer, _) = self.poll_connect().unwrap();
        self.inner.handle_connected(peer.0, self.now);
        peer
    }

    /// Answers which versions the broker speaks: all but of SyncGroup, up to `version_max`.
    pub(crate) fn negotiate(&mut self, peer: Peer, version_max: i16) {
        let (api_key, version, _) = self.take_request(peer).unwrap();
        assert_eq!(api_key, ApiKey::ApiVersions);
        let known = ApiKey::ALL.into_iter().filter(|api_key| *api_key != ApiKey::SyncGroup);
        let api_keys = known.map(|api_key| ApiVersion {
            api_key: api_key.code(),
            min_version: 0,
            max_version: version_max.min(api_key.versions().max),
        });
        let response = ApiVersionsResponse { api_keys: api_keys.collect(), ..Default::default() };
        let mut body = Vec::new();
        response.encode(version, &mut body).unwrap();
        self.answer(peer, api_key, version, &body);
    }

    /// Takes the request that a connection has written.
    pub(crate) fn take_request(&mut self, peer: Peer) -> Option<(ApiKey, i16, Vec<u8>)> {
        let output = self.inner.output(peer.0);
        let (length, rest) = output.split_first_chunk()?;
        let length = u32::from_be_bytes(*length) as usize;
        let mut reader = Reader::new(&rest[..length]);
        let header = RequestHeader::decode(&mut reader).unwrap();
        let api_key = ApiKey::from_code(header.request_api_key).unwrap();
        let (version, body) = (header.request_api_version, reader.rest().to_vec());
        self.last_correlation = header.correlation_id;
        self.inner.handle_written(peer.0, 4 + length);
        Some((api_key, version, body))
    }

    /// Answers the request that was taken last.
    pub(crate) fn answer(&mut self, peer: Peer, api_key: ApiKey, version: i16, body: &[u8]) {
        let header = ResponseHeader { correlation_id: self.last_correlation };
        let mut frame = Vec::new();
        write_frame(&mut frame, |out| {
            header.encode(out, api_key, version);
            append(out, body)
        })
        .unwrap();
        let room = self.inner.room(peer.0, self.now).unwrap();
        room[..frame.len()].copy_from_slice(&frame);
        self.inner.handle_received(peer.0, frame.len(), self.now);
    }
}

fn request(tag: u64, api_key: ApiKey) -> GroupRequest {
    let call = GroupCall { consumer: MEMBER, tag, wait: Duration::ZERO };
    GroupRequest { call, api_key, version_max: i16::MAX }
}

fn append(out: &mut Vec<u8>, body: &[u8]) -> Result<(), EncodeError> {
    out.extend_from_slice(body);
    Ok(())
}
