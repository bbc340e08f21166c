//! What a command asks of its own process: interruption, a reader that has gone, CPU time.
//!
//! The library itself never touches signals; only a program that owns its process may call
//! [`catch_interrupts`].

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr;
use std::time::Duration;

use crate::sync::{AtomicBool, Ordering};

/// Set by the first signal that is caught, never cleared.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Set by the first SIGHUP that is caught, never cleared.
static HUNG_UP: AtomicBool = AtomicBool::new(false);

/// Why [`wait_beside`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// When the descriptor is readable, the time ran out, or a signal handler ran.
    Look,
    /// When nobody can read what is written to the output any more.
    OutputClosed,
}

/// Makes the first SIGINT or SIGTERM interrupt what waits instead of ending the process;
/// [`is_interrupted`] tells of it. A second one ends the process.
///
/// # Errors
///
/// What `sigaction(2)` says.
pub fn catch_interrupts() -> io::Result<()> {
    extern "C" fn note(_signal: libc::c_int) {
        INTERRUPTED.store(true, Ordering::Release);
    }
    catch(libc::SIGINT, note)?;
    catch(libc::SIGTERM, note)
}

/// Makes the first SIGHUP, which is what a closed terminal sends, interrupt like SIGTERM;
/// [`is_hung_up`] tells of it. Where it is ignored, as under `nohup`, it stays so.
///
/// # Errors
///
/// What `sigaction(2)` says.
pub fn catch_hang_up() -> io::Result<()> {
    extern "C" fn note(_signal: libc::c_int) {
        HUNG_UP.store(true, Ordering::Release);
        INTERRUPTED.store(true, Ordering::Release);
    }
    // SAFETY: an action is plain old data.
    let mut old: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: the pointer is to a valid action, and nothing is changed.
    if unsafe { libc::sigaction(libc::SIGHUP, ptr::null(), &raw mut old) } != 0 {
        return Err(io::Error::last_os_error());
    }
    if old.sa_sigaction == libc::SIG_IGN { Ok(()) } else { catch(libc::SIGHUP, note) }
}

/// Sets the handler of a signal's first time, which may only store to atomics.
fn catch(signal: libc::c_int, note: extern "C" fn(libc::c_int)) -> io::Result<()> {
    // SAFETY: an action is plain old data, and its fields are set below.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = note as libc::sighandler_t;
    // Without SA_RESTART a waiting call returns.
    action.sa_flags = libc::SA_RESETHAND;
    // SAFETY: the pointer is to a valid set.
    unsafe { libc::sigemptyset(&raw mut action.sa_mask) };
    // SAFETY: the action is valid; its handler only stores to atomics.
    if unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Tells whether SIGINT or SIGTERM has come since [`catch_interrupts`], or SIGHUP since
/// [`catch_hang_up`].
pub fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Acquire)
}

/// Tells whether SIGHUP has come since [`catch_hang_up`].
pub fn is_hung_up() -> bool {
    HUNG_UP.load(Ordering::Acquire)
}

/// Waits until `readable` is so, the reader of `output` has gone, or `timeout` has passed.
///
/// # Errors
///
/// What `poll(2)` says, except for an interruption.
pub fn wait_beside(
    readable: RawFd,
    output: BorrowedFd<'_>,
    timeout: Duration,
) -> io::Result<Woken> {
    let mut fds = [
        libc::pollfd { fd: readable, events: libc::POLLIN, revents: 0 },
        // Errors and hang-ups are told without being asked for.
        libc::pollfd { fd: output.as_raw_fd(), events: 0, revents: 0 },
    ];
    let timeout_ms = i32::try_from(timeout.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
    // SAFETY: two valid entries are passed.
    let ready = unsafe { libc::poll(fds.as_mut_ptr(), 2, timeout_ms) };
    if ready < 0 {
        return match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::Interrupted => Ok(Woken::Look),
            error => Err(error),
        };
    }
    let is_closed = fds[1].revents & (libc::POLLERR | libc::POLLHUP) != 0;
    Ok(if is_closed { Woken::OutputClosed } else { Woken::Look })
}

/// Returns the time that all threads of the process have spent on a CPU, in user mode and in the
/// kernel.
pub fn cpu_time() -> Duration {
    // SAFETY: the usage is plain old data, and the call fills it.
    let mut usage: libc::rusage = unsafe { mem::zeroed() };
    // SAFETY: the pointer is to a valid usage; the call cannot fail for this process.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) };
    [usage.ru_utime, usage.ru_stime].iter().map(of_timeval).sum()
}

fn of_timeval(time: &libc::timeval) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(u64::try_from(time.tv_usec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_reader_that_goes_is_noticed() {
        let (reader, writer) = io::pipe().unwrap();
        let (input, mut feeder) = io::pipe().unwrap();
        let wait = |timeout| wait_beside(input.as_raw_fd(), writer.as_fd(), timeout).unwrap();
        assert_eq!(wait(Duration::ZERO), Woken::Look);
        feeder.write_all(b"x").unwrap();
        assert_eq!(wait(Duration::from_secs(60)), Woken::Look);
        drop(reader);
        assert_eq!(wait(Duration::from_secs(60)), Woken::OutputClosed);
    }

    #[test]
    fn cpu_time_grows_with_work() {
        let before = cpu_time();
        let mut sum = 0_u64;
        while cpu_time() == before {
            sum = (0..100_000).fold(sum, |sum, n| std::hint::black_box(sum.wrapping_add(n)));
        }
        assert!(cpu_time() > before);
    }
}
