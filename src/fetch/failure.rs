//! Why a connection ended, in words for a log line or an error.

#![forbid(unsafe_code)]

use std::io;

use super::connection::Phase;
use crate::protocol::ApiKey;
use crate::protocol::fetch::FetchDecodeError;
use crate::wire::{EncodeError, WireError};

/// What ended a connection, or kept it from coming about. Each text continues a sentence that
/// begins with the peer's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// When the name does not resolve.
    #[error("name does not resolve: {0}")]
    Resolve(String),
    /// When the socket could not connect, broke, or could not even be made.
    #[error("{0}")]
    Io(String),
    /// When the peer closed the connection.
    #[error("closed the connection{}", match .0 {
        Phase::Negotiating => " when asked for its versions: is this another protocol's port?",
        _ => "",
    })]
    Closed(Phase),
    /// When the connection was not ready in `socket.connection.setup.timeout.ms`.
    #[error("{} within socket.connection.setup.timeout.ms", match .0 {
        Phase::Resolving => "name was not resolved",
        Phase::Connecting => "did not accept the connection",
        _ => "did not say which versions it speaks",
    })]
    SetupTimeout(Phase),
    /// When a request was not answered in time.
    #[error("did not answer {api_key:?} within request.timeout.ms")]
    RequestTimeout {
        /// What was asked.
        api_key: ApiKey,
    },
    /// When the connection was not used for `connections.max.idle.ms`.
    #[error("connection was idle for connections.max.idle.ms")]
    Idle,
    /// When the peer's bytes are not Kafka's protocol.
    #[error("{0}")]
    Protocol(String),
    /// When both sides have no version of a request in common.
    #[error("speaks no version of {api_key:?} that kfetch speaks (Kafka 2.1 or later does)")]
    UnsupportedVersion {
        /// The request.
        api_key: ApiKey,
    },
    /// When nobody needs the connection any more.
    #[error("connection is not needed any more")]
    Unused,
}

impl Failure {
    /// Explains a length that no broker sends: as a rule the port speaks another protocol.
    pub fn of_foreign_length(length: i32, max_bytes: usize) -> Self {
        let guess = match length.to_be_bytes() {
            [0x15, 0x03, _, _] => ": a TLS alert, is this a TLS port?",
            [b'H', b'T', b'T', b'P'] => ": this is an HTTP server",
            [b'S', b'S', b'H', b'-'] => ": this is an SSH server",
            _ => "",
        };
        Self::Protocol(format!(
            "announced an answer of {length} bytes, above receive.message.max.bytes={max_bytes}\
             {guess}"
        ))
    }

    /// Tells whether the failure says nothing bad about the peer.
    pub fn is_planned(&self) -> bool {
        matches!(self, Self::Idle | Self::Unused)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error.to_string())
    }
}

impl From<WireError> for Failure {
    fn from(error: WireError) -> Self {
        Self::Protocol(format!("sent a malformed answer: {error}"))
    }
}

impl From<FetchDecodeError> for Failure {
    fn from(error: FetchDecodeError) -> Self {
        Self::Protocol(format!("sent a malformed Fetch answer: {error}"))
    }
}

impl From<EncodeError> for Failure {
    fn from(error: EncodeError) -> Self {
        Self::Protocol(format!("cannot be asked: {error}"))
    }
}
