//! The socket's name, which may be too long for a socket address, and how it comes to be there.

#![forbid(unsafe_code)]

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use mio::net::{UnixListener, UnixStream};

const SOCKET: &str = ".kfetch-groups.sock";
const NEW_SOCKET: &str = ".kfetch-groups.sock.new";
const LOCK: &str = ".kfetch-groups.lock";

/// The bytes that every system's socket address has room for, the end's NUL not counted: 108 with
/// it on Linux, 104 on macOS.
const ADDRESS_BYTES_MAX: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// Returns where the groups of a log directory are served.
pub fn socket_path(dir: &Path) -> PathBuf {
    dir.join(SOCKET)
}

/// Returns the file whose lock the process holds that serves them.
pub fn lock_path(dir: &Path) -> PathBuf {
    dir.join(LOCK)
}

/// A name of a socket that fits into an address, good for as long as this value lives.
///
/// A path that is too long leads through the descriptor of its directory, in `/proc/self/fd`.
#[derive(Debug)]
pub struct SocketAddress {
    path: PathBuf,
    /// Open for as long as the path leads through it.
    _directory: Option<File>,
}

impl SocketAddress {
    /// Finds a name of the socket of a log directory.
    ///
    /// # Errors
    ///
    /// Where the directory cannot be opened, or the system has no such detour.
    pub fn of(dir: &Path) -> io::Result<Self> {
        Self::named(dir, SOCKET)
    }

    /// Connects to the process that serves the groups; nothing waits.
    ///
    /// # Errors
    ///
    /// What the operating system says: [`io::ErrorKind::NotFound`] and
    /// [`io::ErrorKind::ConnectionRefused`] where nobody serves.
    pub fn connect(&self) -> io::Result<UnixStream> {
        UnixStream::connect(&self.path)
    }

    fn named(dir: &Path, name: &str) -> io::Result<Self> {
        let path = dir.join(name);
        if path.as_os_str().as_bytes().len() <= ADDRESS_BYTES_MAX {
            return Ok(Self { path, _directory: None });
        }
        let directory = File::open(dir)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd())).join(name);
        if !cfg!(target_os = "linux") {
            let text = format!("{} is too long for a socket", dir.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        Ok(Self { path, _directory: Some(directory) })
    }
}

/// Listens in a log directory, for the holder of its lock: the socket appears at its name in one
/// step, with a mode that lets nobody else connect, and takes the place of a stale one.
pub(super) fn listen(dir: &Path) -> io::Result<UnixListener> {
    let new_path = dir.join(NEW_SOCKET);
    match fs::remove_file(&new_path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let address = SocketAddress::named(dir, NEW_SOCKET)?;
    let listener = UnixListener::bind(&address.path)?;
    fs::set_permissions(&new_path, Permissions::from_mode(0o600))?;
    fs::rename(&new_path, socket_path(dir))?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_leads_through_its_directory() {
        let root = std::env::temp_dir().join(format!("kfetch-socket-{}", std::process::id()));
        let long = root.join("d".repeat(120));
        fs::create_dir_all(&long).unwrap();
        for dir in [&root, &long] {
            let address = SocketAddress::of(dir).unwrap();
            assert_eq!(address.connect().unwrap_err().kind(), io::ErrorKind::NotFound);
            let listener = listen(dir).unwrap();
            address.connect().unwrap();
            drop(listener);
            let refused = address.connect().unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused, "a stale one");
            let _listener = listen(dir).unwrap();
            address.connect().unwrap();
            let mode = fs::metadata(socket_path(dir)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        fs::remove_dir_all(&root).unwrap();
    }
}
