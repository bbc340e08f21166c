//! A broker, or a bootstrap server that has not said yet which broker it is.

#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use super::call::ConsumerId;
use super::connection::ConnectionId;
use super::failure::Failure;
use crate::backoff::{Backoff, BackoffLimits, Random};

/// Names a peer of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PeerId {
    /// When it is a broker that Metadata named; its node id.
    Node(i32),
    /// When it is an entry of `bootstrap.servers`; its place.
    Bootstrap(usize),
    /// When it is the coordinator of a member's group, which Metadata need not have named.
    Coordinator(ConsumerId),
}

/// What a host begins with that is the path of a Unix socket.
const UNIX_PREFIX: &str = "unix:";

/// Where a peer is, and how connecting to it went.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Name or address, or `unix:` and the path of a socket.
    pub host: String,
    /// TCP port; 0 for a path.
    pub port: u16,
    /// The connection for metadata and offset look-ups, from the attempt to connect on.
    pub control: Option<ConnectionId>,
    reconnect: Backoff,
    setup: Backoff,
    /// When the next attempt may be made, after a failure.
    retry_at: Option<Instant>,
    last_failure: Option<String>,
    /// How many connections have failed: where among the addresses of the name the next begins.
    failed: usize,
}

impl Peer {
    /// Makes a peer that nobody has connected to yet.
    pub fn new(host: &str, port: u16) -> Self {
        Self {
            host: host.to_owned(),
            port,
            control: None,
            reconnect: Backoff::default(),
            setup: Backoff::default(),
            retry_at: None,
            last_failure: None,
            failed: 0,
        }
    }

    /// Takes note that a connection to it has become ready.
    pub fn handle_ready(&mut self) {
        self.reconnect.reset();
        self.setup.reset();
        self.retry_at = None;
        self.last_failure = None;
    }

    /// Takes note that a connection to it has failed.
    pub fn handle_failure(
        &mut self,
        failure: &Failure,
        limits: BackoffLimits,
        random: &mut Random,
        now: Instant,
    ) {
        if failure.is_planned() {
            return;
        }
        if matches!(failure, Failure::SetupTimeout(_)) {
            self.setup.count();
        }
        self.retry_at = Some(now + self.reconnect.next_delay(limits, random));
        self.last_failure = Some(failure.to_string());
        self.failed = self.failed.wrapping_add(1);
    }

    /// Returns which of `count` addresses is tried first: one that took a connection and then said
    /// nothing, or never answered, must not keep the others from their turn.
    pub fn first_address(&self, count: usize) -> usize {
        self.failed.checked_rem(count).unwrap_or(0)
    }

    /// Tells whether the last attempt failed, so that others should be tried as well.
    pub fn is_failing(&self) -> bool {
        self.last_failure.is_some()
    }

    /// Returns when an attempt may be made: none means at once.
    pub fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Tells whether an attempt may be made now.
    pub fn may_connect(&self, now: Instant) -> bool {
        self.retry_at.is_none_or(|at| at <= now)
    }

    /// Returns how long the next attempt may take: it grows with each one that took too long.
    pub fn setup_timeout(&self, limits: BackoffLimits) -> Duration {
        self.setup.nominal_delay(limits)
    }

    /// Returns the path of its Unix socket, if it is reached through one.
    pub fn unix_path(&self) -> Option<&str> {
        self.host.strip_prefix(UNIX_PREFIX)
    }

    /// Returns what it is called in messages.
    pub fn name(&self) -> String {
        match self.unix_path() {
            Some(_) => self.host.clone(),
            None => format!("{}:{}", self.host, self.port),
        }
    }

    /// Says in words what became of it: a line for the report of a start that failed.
    pub fn describe(&self) -> String {
        let state = match (&self.last_failure, self.control) {
            (Some(failure), _) => failure,
            (None, Some(_)) => "gave no usable metadata yet",
            (None, None) => "was not asked",
        };
        format!("{} {state}", self.name())
    }
}
