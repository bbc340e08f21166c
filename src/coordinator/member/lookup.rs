//! Who coordinates the group: FindCoordinator's answers, and what makes a coordinator unknown.

#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing)]

use std::time::Instant;

use super::link::Address;
use super::{Member, broker_error};
use crate::coordinator::action::MemberAction;
use crate::coordinator::notice::Notice;
use crate::error::{Error, ErrorKind};
use crate::protocol::ErrorCode;
use crate::protocol::find_coordinator::{Coordinator, FindCoordinatorResponse};
use crate::wire::WireError;

/// The first version of FindCoordinator whose answer names the group.
const NAMED_VERSION: i16 = 4;

impl Member {
    pub(super) fn take_coordinator(
        &mut self,
        now: Instant,
        version: i16,
        body: &[u8],
    ) -> Result<(), WireError> {
        let response = FindCoordinatorResponse::decode(body, version)?;
        if !self.link.is_asking() {
            return Ok(());
        }
        let group_id = self.settings.group_id.as_str();
        let is_meant = |one: &&Coordinator<'_>| version < NAMED_VERSION || one.key == group_id;
        let Some(coordinator) = response.coordinators.iter().find(is_meant) else {
            self.forget_coordinator(now);
            return Ok(());
        };
        match coordinator.error_code {
            ErrorCode::NONE => match address(coordinator) {
                Some(address) => {
                    let action = self.link.found(address);
                    self.actions.push_back(action);
                }
                None => self.forget_coordinator(now),
            },
            ErrorCode::GROUP_AUTHORIZATION_FAILED
            | ErrorCode::INVALID_GROUP_ID
            | ErrorCode::UNSUPPORTED_VERSION => {
                self.fail(broker_error(coordinator.error_code, "the group's coordinator"));
            }
            code => {
                self.tell_unexpected(code, "the group's coordinator", self.link.backoff.failures());
                self.forget_coordinator(now);
            }
        }
        Ok(())
    }

    pub(super) fn coordinator_unanswered(&mut self, now: Instant, error: Error) {
        if error.kind() == ErrorKind::UnsupportedVersion {
            self.fail(error);
        } else if self.link.is_asking() {
            error.message().clone_into(&mut self.link.trouble);
            self.forget_coordinator(now);
        }
    }

    /// Takes note of a code that says something about the coordinator, in an answer of its.
    /// Returns whether the coordinator has to be found again.
    pub(super) fn judge_coordinator(&mut self, now: Instant, code: ErrorCode) -> bool {
        let is_lost =
            matches!(code, ErrorCode::COORDINATOR_NOT_AVAILABLE | ErrorCode::NOT_COORDINATOR);
        if is_lost {
            self.link.trouble = code.to_string();
            self.lose_coordinator(now);
        } else {
            self.link.backoff.reset();
        }
        is_lost
    }

    /// Closes the connection and looks for the coordinator again.
    pub(super) fn lose_coordinator(&mut self, now: Instant) {
        if self.link.is_connected() {
            self.actions.push_back(MemberAction::Disconnect);
            self.forget_coordinator(now);
        }
    }

    pub(super) fn forget_coordinator(&mut self, now: Instant) {
        let delay = self.link.backoff.next_delay(self.settings.retry, &mut self.random);
        self.link.forget(now, delay);
    }

    /// Tells an error that nobody expects and that may pass, the first time of a row.
    pub(super) fn tell_unexpected(&mut self, code: ErrorCode, what: &str, failures: u32) {
        if !code.is_retriable() && failures == 0 {
            self.notify(Notice::Failed(broker_error(code, what)));
        }
    }
}

fn address(coordinator: &Coordinator<'_>) -> Option<Address> {
    let port = u16::try_from(coordinator.port).ok().filter(|port| *port != 0)?;
    let is_one = coordinator.node_id >= 0 && !coordinator.host.is_empty();
    let host = coordinator.host.to_owned();
    is_one.then_some(Address { node_id: coordinator.node_id, host, port })
}
