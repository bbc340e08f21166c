//! The descriptor that a parked `poll` waits on: readable when there is something to poll for.
//!
//! An eventfd on Linux, a pipe elsewhere. The application may put the descriptor into its own
//! epoll set; it never reads it, the consumer does.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use super::park::Signal;
use crate::sync::{AtomicBool, Ordering};

/// A descriptor that becomes readable when signalled and stays so until it is drained.
#[derive(Debug)]
pub struct Event {
    reader: OwnedFd,
    /// The writing end where the two differ (a pipe).
    writer: Option<OwnedFd>,
    /// Whether a signal has been written since the last drain: saves the read of an empty
    /// descriptor. Set before the write, cleared before the read, so it is never missed.
    signalled: AtomicBool,
}

/// Why [`Event::wait`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// When the descriptor is readable.
    Signalled,
    /// When the time ran out.
    TimedOut,
    /// When a signal handler ran on this thread.
    Interrupted,
}

impl Event {
    /// Opens the descriptor, non-blocking and closed on exec.
    ///
    /// # Errors
    ///
    /// What the operating system says, as a rule that the process has too many descriptors.
    #[cfg(target_os = "linux")]
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointer is passed.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor has just been opened and belongs to nobody else.
        let reader = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self { reader, writer: None, signalled: AtomicBool::new(false) })
    }

    /// Opens the descriptor, non-blocking and closed on exec.
    ///
    /// # Errors
    ///
    /// What the operating system says, as a rule that the process has too many descriptors.
    #[cfg(not(target_os = "linux"))]
    pub fn new() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        let (reader, writer) = (OwnedFd::from(reader), OwnedFd::from(writer));
        for fd in [&reader, &writer] {
            // SAFETY: the descriptor is open and no pointer is passed.
            if unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) } < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(Self { reader, writer: Some(writer), signalled: AtomicBool::new(false) })
    }

    /// Returns the descriptor to wait on.
    pub fn fd(&self) -> RawFd {
        self.reader.as_raw_fd()
    }

    /// Makes the descriptor unreadable again; without a signal since the last time it costs a load.
    #[inline]
    pub fn drain(&self) {
        if self.signalled.load(Ordering::Relaxed) {
            self.read_all();
        }
    }

    #[cold]
    fn read_all(&self) {
        self.signalled.store(false, Ordering::SeqCst);
        let mut bytes = [0_u8; 64];
        // SAFETY: the buffer is as long as is said; a descriptor that is empty returns at once.
        unsafe { libc::read(self.fd(), bytes.as_mut_ptr().cast(), bytes.len()) };
    }

    /// Waits until the descriptor is readable or `timeout` has passed; `None` waits for ever.
    ///
    /// # Errors
    ///
    /// What `poll(2)` says, except for an interruption, which is a result.
    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<Waited> {
        let mut poll_fd = libc::pollfd { fd: self.fd(), events: libc::POLLIN, revents: 0 };
        let timeout_ms = match timeout {
            None => -1,
            // Rounded up: a wait that returns early would be a busy loop for its last part.
            Some(timeout) => i32::try_from(timeout.as_micros().div_ceil(1000)).unwrap_or(i32::MAX),
        };
        // SAFETY: one valid entry is passed.
        let ready = unsafe { libc::poll(&raw mut poll_fd, 1, timeout_ms) };
        match ready {
            0 => Ok(Waited::TimedOut),
            1.. => Ok(Waited::Signalled),
            _ => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => Ok(Waited::Interrupted),
                error => Err(error),
            },
        }
    }
}

impl Signal for Event {
    fn signal(&self) {
        self.signalled.store(true, Ordering::SeqCst);
        let one = 1_u64.to_ne_bytes();
        let fd = self.writer.as_ref().unwrap_or(&self.reader).as_raw_fd();
        let errno = errno();
        // SAFETY: the location is this thread's own.
        let before = unsafe { *errno };
        // SAFETY: eight valid bytes are passed; a full counter or pipe is readable anyway, so
        // the result does not matter.
        unsafe { libc::write(fd, one.as_ptr().cast(), one.len()) };
        // SAFETY: as above. A signal handler must leave errno as it found it.
        unsafe { *errno = before };
    }
}

/// Returns where the calling thread keeps the error of its last system call.
fn errno() -> *mut i32 {
    #[cfg(target_os = "linux")]
    // SAFETY: it has no precondition.
    return unsafe { libc::__errno_location() };
    #[cfg(not(target_os = "linux"))]
    // SAFETY: it has no precondition.
    return unsafe { libc::__error() };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readable_from_signal_to_drain() {
        let event = Event::new().unwrap();
        assert_eq!(event.wait(Some(Duration::ZERO)).unwrap(), Waited::TimedOut);
        event.signal();
        event.signal();
        assert_eq!(event.wait(None).unwrap(), Waited::Signalled);
        event.drain();
        assert_eq!(event.wait(Some(Duration::ZERO)).unwrap(), Waited::TimedOut);
    }
}
