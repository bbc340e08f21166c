//! The way to the coordinator: which broker it is, and whether a connection to it stands.

#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use crate::backoff::Backoff;
use crate::coordinator::action::MemberAction;
use crate::coordinator::request::Request;

/// The way to the coordinator.
#[derive(Debug, Default)]
pub(super) struct Link {
    state: LinkState,
    /// Failures in a row: of FindCoordinator, of connections, and of requests for which the broker
    /// was not the right one. An answer of the coordinator ends the row.
    pub(super) backoff: Backoff,
    /// What went wrong last, in words.
    pub(super) trouble: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum LinkState {
    /// When it is not known who the coordinator is.
    Unknown {
        /// Not to be asked before this.
        retry_at: Option<Instant>,
    },
    /// When FindCoordinator is unanswered.
    Asking,
    /// When the owner makes a connection.
    Connecting(Address),
    /// When requests can be sent.
    Connected(Address),
}

impl Default for LinkState {
    fn default() -> Self {
        Self::Unknown { retry_at: None }
    }
}

/// Where a coordinator listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) node_id: i32,
    pub(super) host: String,
    pub(super) port: u16,
}

impl Address {
    fn connect(&self) -> MemberAction {
        MemberAction::Connect { node_id: self.node_id, host: self.host.clone(), port: self.port }
    }
}

impl Link {
    /// Returns the next thing to do for a connection, if it is time.
    pub(super) fn advance(&mut self, now: Instant) -> Option<MemberAction> {
        match self.state {
            LinkState::Unknown { retry_at } if retry_at.is_none_or(|at| at <= now) => {
                self.state = LinkState::Asking;
                Some(MemberAction::Ask(Request::FindCoordinator))
            }
            _ => None,
        }
    }

    /// Takes the coordinator that was found.
    pub(super) fn found(&mut self, address: Address) -> MemberAction {
        let action = address.connect();
        self.state = LinkState::Connecting(address);
        action
    }

    /// Takes note that the connection stands, if one is awaited.
    pub(super) fn connected(&mut self) {
        if let LinkState::Connecting(address) = &self.state {
            self.state = LinkState::Connected(address.clone());
        }
    }

    /// Makes the same connection anew: what is unanswered on it is given up. Returns what to do.
    pub(super) fn reconnect(&mut self) -> Option<MemberAction> {
        let LinkState::Connected(address) = &self.state else { return None };
        let address = address.clone();
        Some(self.found(address))
    }

    /// Forgets the coordinator until `delay` has passed.
    pub(super) fn forget(&mut self, now: Instant, delay: Duration) {
        self.state = LinkState::Unknown { retry_at: Some(now + delay) };
    }

    pub(super) fn is_connected(&self) -> bool {
        matches!(self.state, LinkState::Connected(_))
    }

    pub(super) fn is_connecting(&self) -> bool {
        matches!(self.state, LinkState::Connecting(_))
    }

    pub(super) fn is_asking(&self) -> bool {
        self.state == LinkState::Asking
    }

    /// Returns when [`Link::advance`] has something to do.
    pub(super) fn timeout(&self) -> Option<Instant> {
        match self.state {
            LinkState::Unknown { retry_at } => retry_at,
            _ => None,
        }
    }
}
