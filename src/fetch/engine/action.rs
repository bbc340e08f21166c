//! What the engine wants its owner to do.

#![forbid(unsafe_code)]

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::fetch::connection::ConnectionId;

/// Where a socket connects to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// When it is a TCP port.
    Tcp(SocketAddr),
    /// When it is a Unix socket of this host.
    Unix(PathBuf),
}

/// Something that only the owner of sockets and names can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// When a name is to be resolved; the answer goes to `handle_resolved`.
    Resolve {
        /// For which connection.
        connection: ConnectionId,
        /// Name or address.
        host: String,
        /// TCP port.
        port: u16,
    },
    /// When a socket is to be connected; the outcome goes to `handle_connected` or
    /// `handle_connect_failed`.
    Connect {
        /// For which connection.
        connection: ConnectionId,
        /// Where to.
        address: Address,
    },
    /// When there is output to write.
    Flush(ConnectionId),
    /// When the socket can be read again: there is credit.
    Resume(ConnectionId),
    /// When the socket is to be closed; the connection is gone.
    Close(ConnectionId),
}
