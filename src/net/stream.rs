//! One socket: connecting, reading into a block's room, writing.

#![forbid(unsafe_code)]

use std::io::{self, Read, Write};
use std::net::SocketAddr;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

use crate::fetch::connection::SocketSettings;

/// What came of a read or a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moved {
    /// When so many bytes were moved.
    Bytes(usize),
    /// When the socket is not ready.
    WouldBlock,
    /// When the peer has closed its side.
    End,
}

/// A socket that never blocks.
#[derive(Debug)]
pub(super) struct Stream {
    tcp: TcpStream,
}

impl Stream {
    /// Begins to connect; the socket becomes writable when it is decided.
    pub(super) fn connect(
        address: SocketAddr,
        settings: SocketSettings,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(settings.nodelay)?;
        if settings.keepalive {
            socket.set_tcp_keepalive(&TcpKeepalive::new())?;
        }
        if let Some(bytes) = settings.receive_buffer_bytes {
            socket.set_recv_buffer_size(bytes)?;
        }
        if let Some(bytes) = settings.send_buffer_bytes {
            socket.set_send_buffer_size(bytes)?;
        }
        match socket.connect(&address.into()) {
            Ok(()) => {}
            Err(error) if is_in_progress(&error) => {}
            Err(error) => return Err(error),
        }
        let mut tcp = TcpStream::from_std(socket.into());
        registry.register(&mut tcp, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self { tcp })
    }

    /// Tells whether the connection has come about; false while that is not decided.
    pub(super) fn is_connected(&self) -> io::Result<bool> {
        if let Some(error) = self.tcp.take_error()? {
            return Err(error);
        }
        match self.tcp.peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads once into `room`.
    pub(super) fn fill(&mut self, room: &mut [u8]) -> io::Result<Moved> {
        moved(self.tcp.read(room))
    }

    /// Writes once from `bytes`.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<Moved> {
        moved(self.tcp.write(bytes))
    }

    pub(super) fn deregister(&mut self, registry: &Registry) {
        // Closing the descriptor removes it from epoll in any case.
        drop(registry.deregister(&mut self.tcp));
    }
}

fn moved(result: io::Result<usize>) -> io::Result<Moved> {
    match result {
        Ok(0) => Ok(Moved::End),
        Ok(len) => Ok(Moved::Bytes(len)),
        Err(error) => match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(Moved::WouldBlock),
            _ => Err(error),
        },
    }
}

fn is_in_progress(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(libc::EINPROGRESS)
}
