//! Answers on their way out.

#![forbid(unsafe_code)]

use std::collections::VecDeque;

use super::super::now::Now;
use super::super::settings::CoordinatorSettings;
use crate::protocol::ErrorCode;
use crate::protocol::join_group::JoinGroupResponse;
use crate::protocol::sync_group::SyncGroupResponse;
use crate::wire::EncodeError;

/// The number that a request has for its owner, who finds connection and correlation id by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// Where an answer belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) id: RequestId,
    pub(super) version: i16,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Of the request.
    pub id: RequestId,
    /// The response's body, without its header; `None` where the answer does not fit the version
    /// of the request, and the connection is to be closed.
    pub body: Option<Vec<u8>>,
}

/// The answers that the owner has not taken yet.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    queue: VecDeque<Outgoing>,
}

/// What every step of a group needs beside the group.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    pub(super) now: Now,
    pub(super) settings: &'a CoordinatorSettings,
    pub(super) outbox: &'a mut Outbox,
}

impl Outbox {
    pub(super) fn pop(&mut self) -> Option<Outgoing> {
        self.queue.pop_front()
    }

    /// Queues the answer that `encode` writes.
    pub(super) fn push(
        &mut self,
        reply: Reply,
        encode: impl FnOnce(i16, &mut Vec<u8>) -> Result<(), EncodeError>,
    ) {
        let mut body = Vec::new();
        let body = encode(reply.version, &mut body).ok().map(|()| body);
        self.queue.push_back(Outgoing { id: reply.id, body });
    }

    pub(super) fn join_error(&mut self, reply: Reply, member_id: &str, error_code: ErrorCode) {
        let response = JoinGroupResponse { error_code, member_id, ..Default::default() };
        self.push(reply, |version, out| response.encode(version, out));
    }

    pub(super) fn sync_error(&mut self, reply: Reply, error_code: ErrorCode) {
        let response = SyncGroupResponse { error_code, ..Default::default() };
        self.push(reply, |version, out| response.encode(version, out));
    }
}
