//! One socket: connecting, reading into a block's room, writing.

#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::path::Path;

use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

use crate::fetch::connection::SocketSettings;
use crate::fetch::engine::Address;

/// The longest path of a Unix socket on Linux: `sun_path` without the zero behind it.
const UNIX_PATH_MAX_BYTES: usize = 107;

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
pub(super) enum Stream {
    /// When it is connected to a port.
    Tcp(TcpStream),
    /// When it is connected to a path.
    Unix(UnixStream),
}

impl Stream {
    /// Begins to connect; the socket becomes writable when it is decided.
    pub(super) fn connect(
        address: &Address,
        settings: SocketSettings,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Self> {
        let mut stream = match address {
            Address::Tcp(address) => Self::Tcp(connect_tcp(*address, settings)?),
            Address::Unix(path) => Self::Unix(connect_unix(path)?),
        };
        let interest = Interest::READABLE | Interest::WRITABLE;
        match &mut stream {
            Self::Tcp(tcp) => registry.register(tcp, token, interest)?,
            Self::Unix(unix) => registry.register(unix, token, interest)?,
        }
        Ok(stream)
    }

    /// Tells whether the connection has come about; false while that is not decided.
    pub(super) fn is_connected(&self) -> io::Result<bool> {
        let (error, peer) = match self {
            Self::Tcp(tcp) => (tcp.take_error()?, tcp.peer_addr().map(drop)),
            Self::Unix(unix) => (unix.take_error()?, unix.peer_addr().map(drop)),
        };
        if let Some(error) = error {
            return Err(error);
        }
        match peer {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads once into `room`.
    pub(super) fn fill(&mut self, room: &mut [u8]) -> io::Result<Moved> {
        moved(match self {
            Self::Tcp(tcp) => tcp.read(room),
            Self::Unix(unix) => unix.read(room),
        })
    }

    /// Writes once from `bytes`.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<Moved> {
        moved(match self {
            Self::Tcp(tcp) => tcp.write(bytes),
            Self::Unix(unix) => unix.write(bytes),
        })
    }

    pub(super) fn deregister(&mut self, registry: &Registry) {
        // Closing the descriptor removes it from epoll in any case.
        drop(match self {
            Self::Tcp(tcp) => registry.deregister(tcp),
            Self::Unix(unix) => registry.deregister(unix),
        });
    }
}

fn connect_tcp(address: SocketAddr, settings: SocketSettings) -> io::Result<TcpStream> {
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
    Ok(TcpStream::from_std(socket.into()))
}

/// Connects to a path, which is decided at once: a full queue of the listener's is a failure.
fn connect_unix(path: &Path) -> io::Result<UnixStream> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return UnixStream::connect(path);
    };
    if path.as_os_str().len() <= UNIX_PATH_MAX_BYTES {
        return UnixStream::connect(path);
    }
    // The kernel takes no longer path, but it follows a short one to the same place.
    let directory = File::open(directory)?;
    let short = format!("/proc/self/fd/{}", directory.as_raw_fd());
    UnixStream::connect(Path::new(&short).join(name))
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
