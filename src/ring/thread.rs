//! Threads of the library: named, and deaf to signals, which are the host program's business.

use std::os::unix::thread::JoinHandleExt;
use std::{io, mem, ptr, thread};

/// Starts a thread on which every signal is blocked.
///
/// # Errors
///
/// What the operating system says when it has no thread left.
pub fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> io::Result<thread::JoinHandle<T>> {
    let before = block_all();
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(body);
    restore(&before);
    spawned
}

/// Tells whether a thread is the calling one, without the handle that the standard library would
/// make for a thread of the host program.
pub fn is_current<T>(thread: &thread::JoinHandle<T>) -> bool {
    // SAFETY: it has no precondition.
    thread.as_pthread_t() == unsafe { libc::pthread_self() }
}

/// Blocks every signal on the calling thread, and so on those it starts; returns the mask before.
fn block_all() -> libc::sigset_t {
    // SAFETY: a signal set is plain old data, and the next calls fill it.
    let mut all: libc::sigset_t = unsafe { mem::zeroed() };
    // SAFETY: as above.
    let mut before: libc::sigset_t = unsafe { mem::zeroed() };
    // SAFETY: the pointer is to a valid set.
    unsafe { libc::sigfillset(&raw mut all) };
    // SAFETY: both pointers are to valid sets.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before) };
    before
}

fn restore(before: &libc::sigset_t) {
    // SAFETY: the set is the one that `block_all` was given; a null pointer asks for nothing back.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before, ptr::null_mut()) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_signal_is_blocked_there_and_none_more_here() {
        let blocked = || {
            // SAFETY: a signal set is plain old data.
            let mut now: libc::sigset_t = unsafe { mem::zeroed() };
            // SAFETY: the pointer is to a valid set; a null set changes nothing.
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, ptr::null(), &raw mut now) };
            // SAFETY: the pointer is to a valid set.
            [libc::SIGTERM, libc::SIGUSR1].map(|n| unsafe { libc::sigismember(&raw const now, n) })
        };
        let before = blocked();
        assert_eq!(spawn("test", blocked).unwrap().join().unwrap(), [1, 1]);
        assert_eq!(blocked(), before);
    }
}
