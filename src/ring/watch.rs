//! Directories watched for change: a descriptor that is readable when something happened there.
//!
//! inotify on Linux. Elsewhere, and where the operating system has no watch left, there is none,
//! and whoever follows a file looks at it from time to time instead.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::Path;

/// Names a watched directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WatchId(i32);

/// What [`Watcher::poll_changes`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// When something in this directory has been written, made, renamed or removed.
    In(WatchId),
    /// When changes were lost: every directory has to be looked at.
    Anywhere,
}

/// Watches directories.
#[derive(Debug)]
pub struct Watcher {
    fd: OwnedFd,
}

#[cfg(target_os = "linux")]
mod os {
    use std::ffi::CString;
    use std::io;
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;

    use super::{Change, WatchId};

    /// Bytes of an event in front of the name: watch, mask, cookie, length of the name.
    const EVENT_BYTES: usize = 16;

    pub(super) fn open() -> io::Result<OwnedFd> {
        // SAFETY: no pointer is passed.
        let fd = unsafe { libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor has just been opened and belongs to nobody else.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }

    pub(super) fn watch(fd: &OwnedFd, directory: &Path) -> io::Result<WatchId> {
        let path = CString::new(directory.as_os_str().as_bytes())?;
        let mask = libc::IN_MODIFY
            | libc::IN_CREATE
            | libc::IN_MOVED_TO
            | libc::IN_MOVED_FROM
            | libc::IN_DELETE
            | libc::IN_ONLYDIR;
        // SAFETY: the path ends in NUL and outlives the call.
        let id = unsafe { libc::inotify_add_watch(fd.as_raw_fd(), path.as_ptr(), mask) };
        if id < 0 { Err(io::Error::last_os_error()) } else { Ok(WatchId(id)) }
    }

    pub(super) fn unwatch(fd: &OwnedFd, id: WatchId) {
        // SAFETY: no pointer is passed; a watch that is gone already is an error that is ignored.
        unsafe { libc::inotify_rm_watch(fd.as_raw_fd(), id.0) };
    }

    pub(super) fn read(fd: &OwnedFd, found: &mut impl FnMut(Change)) -> bool {
        let mut buffer = [0_u8; 4096];
        // SAFETY: the buffer is as long as is said.
        let len = unsafe { libc::read(fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) };
        let Some(mut rest) = usize::try_from(len).ok().and_then(|len| buffer.get(..len)) else {
            return false;
        };
        while let Some((event, behind)) = rest.split_first_chunk::<EVENT_BYTES>() {
            let word = |at: usize| {
                let bytes = [event[at], event[at + 1], event[at + 2], event[at + 3]];
                u32::from_ne_bytes(bytes)
            };
            if word(4) & libc::IN_Q_OVERFLOW != 0 {
                found(Change::Anywhere);
            } else {
                found(Change::In(WatchId(word(0).cast_signed())));
            }
            rest = behind.get(word(12) as usize..).unwrap_or_default();
        }
        len > 0
    }
}

#[cfg(not(target_os = "linux"))]
mod os {
    use std::io;
    use std::os::fd::OwnedFd;
    use std::path::Path;

    use super::{Change, WatchId};

    pub(super) fn open() -> io::Result<OwnedFd> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn watch(_: &OwnedFd, _: &Path) -> io::Result<WatchId> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn unwatch(_: &OwnedFd, _: WatchId) {}

    pub(super) fn read(_: &OwnedFd, _: &mut impl FnMut(Change)) -> bool {
        false
    }
}

impl Watcher {
    /// Opens a watcher of nothing.
    ///
    /// # Errors
    ///
    /// What the operating system says: it has no such thing, or none left for this user.
    pub fn new() -> io::Result<Self> {
        Ok(Self { fd: os::open()? })
    }

    /// Watches a directory; the same one twice is one watch.
    ///
    /// # Errors
    ///
    /// What the operating system says, as a rule that there is no watch left.
    pub fn watch(&self, directory: &Path) -> io::Result<WatchId> {
        os::watch(&self.fd, directory)
    }

    /// Ends a watch.
    pub fn unwatch(&self, id: WatchId) {
        os::unwatch(&self.fd, id);
    }

    /// Calls `found` for every change since the last time; a directory may come more than once.
    pub fn poll_changes(&self, mut found: impl FnMut(Change)) {
        while os::read(&self.fd, &mut found) {}
    }

    /// Returns the descriptor, which is readable when there are changes.
    pub fn fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn writing_into_a_watched_directory_is_told() {
        let directory = std::env::temp_dir().join(format!("kfetch-watch-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let watcher = Watcher::new().unwrap();
        let id = watcher.watch(&directory).unwrap();
        let changes = || {
            let mut found = Vec::new();
            watcher.poll_changes(|change| found.push(change));
            found
        };
        assert_eq!(changes(), []);
        fs::write(directory.join("file"), "content").unwrap();
        assert!(changes().contains(&Change::In(id)));
        watcher.unwatch(id);
        changes();
        fs::remove_dir_all(&directory).unwrap();
        assert_eq!(changes(), []);
    }
}
