//! What stands between C and the library: panics stop here, and a handle's content is reached by
//! one call at a time, in the process that made it, unless a panic has left it in disorder.

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::error::{Failure, kfetch_error};
use super::fork;
use super::status::kfetch_status;
use super::status_code::kfetch_status as StatusCode;
use crate::error::{Error, ErrorKind};

/// No call is inside.
const FREE: u8 = 0;
/// A call is inside.
const BUSY: u8 = 1;
/// A call is inside, and a close waits for its end.
const AWAITED: u8 = 2;

thread_local! {
    /// Whether the log callback runs on this thread.
    static IS_IN_CALLBACK: Cell<bool> = const { Cell::new(false) };
}

/// Runs a function's body and turns what comes of it into a status and, if it is wanted, an error.
///
/// # Safety
///
/// `error_out` is NULL or can be written.
pub(super) unsafe fn guard(
    error_out: *mut *mut kfetch_error,
    body: impl FnOnce() -> Result<(), Failure>,
) -> kfetch_status {
    let outcome = match check_callback() {
        Ok(()) => catch_unwind(AssertUnwindSafe(body))
            .unwrap_or_else(|panic| Err(Failure::panic(panic_text(panic.as_ref())))),
        Err(failure) => Err(failure),
    };
    let status = outcome.as_ref().map_or_else(|failure| failure.status, |()| StatusCode::Ok as i32);
    if !error_out.is_null() {
        let error = match &outcome {
            Ok(()) => std::ptr::null_mut(),
            Err(failure) => kfetch_error::from(failure).into_raw(),
        };
        // SAFETY: as the caller promises.
        unsafe { error_out.write(error) };
    }
    status
}

/// Runs the body of a function that has a plain result; `failed` stands for a panic and for a call
/// from inside of the log callback.
pub(super) fn guard_plain<R>(failed: R, body: impl FnOnce() -> R) -> R {
    match check_callback() {
        Ok(()) => catch_unwind(AssertUnwindSafe(body)).unwrap_or(failed),
        Err(_) => failed,
    }
}

/// Runs the log callback: calls of kfetch from inside are refused.
pub(super) fn in_callback(call: impl FnOnce()) {
    let before = IS_IN_CALLBACK.replace(true);
    call();
    IS_IN_CALLBACK.set(before);
}

fn check_callback() -> Result<(), Failure> {
    if IS_IN_CALLBACK.get() {
        let text = "the log callback may not call kfetch";
        return Err(Error::new(ErrorKind::State, text).into());
    }
    Ok(())
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text")
}

/// A handle's content, which one call at a time can reach.
pub(super) struct Guarded<T> {
    content: UnsafeCell<T>,
    /// [`FREE`], [`BUSY`] or [`AWAITED`].
    state: AtomicU8,
    /// Whether a panic has left the content in disorder.
    is_poisoned: AtomicBool,
    /// The process that the handle belongs to.
    process: u64,
    /// What a close that waits for a call's end sleeps on; nothing is kept in it.
    left: (Mutex<()>, Condvar),
}

// SAFETY: the content is reached only through `Entered`, of which there is one at a time.
unsafe impl<T: Send> Sync for Guarded<T> {}

impl<T> Guarded<T> {
    pub(super) fn new(content: T) -> Self {
        Self {
            content: UnsafeCell::new(content),
            state: AtomicU8::new(FREE),
            is_poisoned: AtomicBool::new(false),
            process: fork::join(),
            left: (Mutex::new(()), Condvar::new()),
        }
    }

    /// Begins a call, or says why it may not begin: it never waits.
    #[inline]
    pub(super) fn enter(&self) -> Result<Entered<'_, T>, Failure> {
        self.check_usable()?;
        self.try_enter().ok_or_else(|| {
            let text = "another thread is inside of a call on the same handle";
            Error::new(ErrorKind::Concurrent, text).into()
        })
    }

    /// Begins the call that closes: it waits for the end of a running one, and a poisoned handle
    /// lets it in.
    pub(super) fn enter_to_close(&self, deadline: Instant) -> Result<Entered<'_, T>, Failure> {
        let (mutex, condvar) = &self.left;
        let mut lock = mutex.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(entered) = self.try_enter() {
                return Ok(entered);
            }
            let (order, state) = (Ordering::Relaxed, &self.state);
            if state.compare_exchange(BUSY, AWAITED, order, order) == Err(FREE) {
                continue;
            }
            let left = deadline.saturating_duration_since(clock());
            if left == Duration::ZERO {
                let text = "a call of another thread did not end in time";
                return Err(Error::new(ErrorKind::Timeout, text).into());
            }
            // Whoever leaves takes the lock to notify, so it cannot do so before this waits.
            lock = condvar.wait_timeout(lock, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Refuses a child's calls on its parent's handles, and calls after a panic.
    #[inline]
    pub(super) fn check_usable(&self) -> Result<(), Failure> {
        self.check_process()?;
        if self.is_poisoned.load(Ordering::Relaxed) {
            let text = "an earlier call met a defect; only close and free still work";
            return Err(Error::new(ErrorKind::Poisoned, text).with_fatal().into());
        }
        Ok(())
    }

    /// Says that a panic has left the content in disorder.
    pub(super) fn poison(&self) {
        self.is_poisoned.store(true, Ordering::Relaxed);
    }

    /// Refuses a child's calls on its parent's handles.
    #[inline]
    pub(super) fn check_process(&self) -> Result<(), Failure> {
        if fork::is_own(self.process) {
            return Ok(());
        }
        let text = "the handle belongs to the process that this one was forked from";
        Err(Error::new(ErrorKind::Forked, text).into())
    }

    /// Tells whether the handle may be freed: not in a fork's child, whose copy shares descriptors
    /// and lacks threads, and not under a running call.
    pub(super) fn is_free(&self) -> bool {
        self.check_process().is_ok() && self.state.load(Ordering::Acquire) == FREE
    }

    /// Takes the content out.
    pub(super) fn into_inner(self) -> T {
        self.content.into_inner()
    }

    #[inline]
    fn try_enter(&self) -> Option<Entered<'_, T>> {
        let (order, failed) = (Ordering::Acquire, Ordering::Relaxed);
        self.state.compare_exchange(FREE, BUSY, order, failed).ok().map(|_| Entered(self))
    }

    #[cold]
    fn notify_waiting(&self) {
        drop(self.left.0.lock().unwrap_or_else(PoisonError::into_inner));
        self.left.1.notify_all();
    }
}

impl<T> fmt::Debug for Guarded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded").field("state", &self.state).finish_non_exhaustive()
    }
}

/// A call inside of a handle, until it is dropped.
#[derive(Debug)]
pub(super) struct Entered<'a, T>(&'a Guarded<T>);

impl<T> Deref for Entered<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the state was moved from FREE for this value alone.
        unsafe { &*self.0.content.get() }
    }
}

impl<T> DerefMut for Entered<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        unsafe { &mut *self.0.content.get() }
    }
}

impl<T> Drop for Entered<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.poison();
        }
        if self.0.state.swap(FREE, Ordering::Release) == AWAITED {
            self.0.notify_waiting();
        }
    }
}

/// Reads the clock.
pub(super) fn clock() -> Instant {
    #[allow(clippy::disallowed_methods, reason = "the deadline of a close")]
    Instant::now()
}

#[cfg(test)]
mod tests;
