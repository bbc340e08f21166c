//! What a callback was given, for the calls that the callback makes on the handle of it.
//!
//! A callback runs inside of a call on a handle, which keeps the handle's content for itself. The
//! Rust side lends the callback that content as a `&mut`; here it is lent on, to the calls that
//! the C code makes from inside. They find it on a stack of their thread, so that another thread
//! finds nothing and is refused as ever.
//!
//! Why it is sound: the pointer on the stack was made of the `&mut` that [`Guarded::lend`] was
//! given, which nobody else can use before that function returns, and by then the pointer is off
//! the stack. While a call uses the pointer it is taken out of its place, so no second reference
//! is made of it. Callbacks inside of such a call are given a `&mut` made of that call's own, and
//! lie above it on the stack.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::ptr::{self, NonNull};

use super::error::Failure;
use super::guard::Guarded;

thread_local! {
    /// What the running callbacks of this thread were given, the innermost last.
    static LENT: RefCell<Vec<Lent>> = const { RefCell::new(Vec::new()) };
}

/// What one callback was given.
struct Lent {
    /// The `Guarded<T>` that it belongs to; tells which, and is never followed.
    handle: *const (),
    /// The `T`, none while a call uses it, and where the callback was not given it.
    content: Option<NonNull<()>>,
}

impl<T> Guarded<T> {
    /// Runs a callback that was given this handle's content: meanwhile calls of this thread on the
    /// handle reach it by [`Guarded::enter_lent`].
    pub(super) fn lend(&self, content: &mut T, callback: impl FnOnce()) {
        self.run(Some(NonNull::from(content).cast()), callback);
    }

    /// Runs a callback that was not given the content: meanwhile [`Guarded::is_lent`] tells calls
    /// of this thread on the handle why they are refused.
    pub(super) fn lend_nothing(&self, callback: impl FnOnce()) {
        self.run(None, callback);
    }

    fn run(&self, content: Option<NonNull<()>>, callback: impl FnOnce()) {
        let lent = Lent { handle: self.key(), content };
        LENT.with_borrow_mut(|stack| stack.push(lent));
        // Also where the callback throws.
        let _taken_back = TakenBack;
        callback();
    }

    /// Begins a call from inside of a callback; none where this thread runs no callback that was
    /// given this handle's content, or another such call uses it.
    pub(super) fn enter_lent(&self) -> Result<Option<EnteredLent<'_, T>>, Failure> {
        let taken = LENT.with_borrow_mut(|stack| {
            let place = stack.iter().rposition(|lent| lent.handle == self.key())?;
            Some((place, stack.get_mut(place)?.content.take()?.cast()))
        });
        let Some((place, content)) = taken else { return Ok(None) };
        let entered = EnteredLent { guarded: self, place, content };
        self.check_usable()?;
        Ok(Some(entered))
    }

    /// Tells whether this thread is inside of a callback of this handle.
    pub(super) fn is_lent(&self) -> bool {
        LENT.with_borrow(|stack| stack.iter().any(|lent| lent.handle == self.key()))
    }

    fn key(&self) -> *const () {
        ptr::from_ref(self).cast()
    }
}

/// Takes back what was lent last.
struct TakenBack;

impl Drop for TakenBack {
    fn drop(&mut self) {
        LENT.with_borrow_mut(|stack| {
            stack.pop();
        });
    }
}

/// A call inside of a callback, until it is dropped.
#[derive(Debug)]
pub(super) struct EnteredLent<'a, T> {
    guarded: &'a Guarded<T>,
    /// Where on the stack the content was taken from; what lay above it then or came there later
    /// is gone when this is dropped, and what lies below stays.
    place: usize,
    content: NonNull<T>,
}

impl<T> Deref for EnteredLent<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: it was made of a `&mut T` that is lent for longer, and taken for this alone.
        unsafe { self.content.as_ref() }
    }
}

impl<T> DerefMut for EnteredLent<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        unsafe { self.content.as_mut() }
    }
}

impl<T> Drop for EnteredLent<'_, T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.guarded.poison();
        }
        LENT.with_borrow_mut(|stack| {
            if let Some(lent) = stack.get_mut(self.place) {
                lent.content = Some(self.content.cast());
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffi::error::kfetch_error;
    use crate::ffi::guard::guard;
    use crate::ffi::status_code::kfetch_status as StatusCode;

    /// Adds to the content as a call of C does from inside of a callback.
    fn add(guarded: &Guarded<u32>, number: u32) -> bool {
        let entered = guarded.enter_lent().unwrap();
        entered.map(|mut entered| *entered += number).is_some()
    }

    #[test]
    fn calls_inside_reach_what_was_lent() {
        let (guarded, other) = (Guarded::new(1), Guarded::new(10));
        let mut entered = guarded.enter().unwrap();
        assert!(!add(&guarded, 1) && !guarded.is_lent());
        guarded.lend(&mut entered, || {
            assert!(guarded.is_lent() && !other.is_lent());
            assert!(guarded.enter().is_err());
            assert!(add(&guarded, 1) && add(&guarded, 1) && !add(&other, 1));
            std::thread::scope(|scope| {
                scope.spawn(|| assert!(!guarded.is_lent() && !add(&guarded, 1)));
            });
        });
        assert!(!add(&guarded, 1));
        assert_eq!(*entered, 3);
    }

    #[test]
    fn one_call_at_a_time_uses_it_and_callbacks_inside_lend_their_own() {
        let (guarded, other) = (Guarded::new(1), Guarded::new(10));
        let mut entered = guarded.enter().unwrap();
        guarded.lend(&mut entered, || {
            let mut inner = guarded.enter_lent().unwrap().unwrap();
            assert!(guarded.enter_lent().unwrap().is_none());
            guarded.lend(&mut inner, || {
                assert!(add(&guarded, 1));
                let mut second = other.enter().unwrap();
                other.lend(&mut second, || assert!(add(&guarded, 1) && add(&other, 1)));
            });
            *inner += 1;
            drop(inner);
            assert!(add(&guarded, 1));
        });
        assert_eq!(*entered, 5);
        assert_eq!(*other.enter().unwrap(), 11);
    }

    #[test]
    fn a_callback_that_was_given_nothing_reaches_nothing() {
        let guarded = Guarded::new(1);
        let mut entered = guarded.enter().unwrap();
        guarded.lend_nothing(|| assert!(guarded.is_lent() && !add(&guarded, 1)));
        guarded.lend(&mut entered, || {
            guarded.lend_nothing(|| assert!(guarded.is_lent() && !add(&guarded, 1)));
            assert!(add(&guarded, 1));
        });
        assert_eq!(*entered, 2);
    }

    #[test]
    fn what_was_lent_is_taken_back_from_a_callback_that_unwinds() {
        let guarded = Guarded::new(1);
        let body = || {
            let mut entered = guarded.enter()?;
            guarded.lend(&mut entered, || panic!("boom"));
            Ok(())
        };
        // SAFETY: NULL asks for no error.
        let status = unsafe { guard(ptr::null_mut::<*mut kfetch_error>(), body) };
        assert_eq!(status, StatusCode::Panic as i32);
        assert!(!guarded.is_lent());
    }

    #[test]
    fn a_panic_of_a_call_inside_poisons_the_handle() {
        let guarded = Guarded::new(1);
        let mut entered = guarded.enter().unwrap();
        guarded.lend(&mut entered, || {
            let body = || {
                let _inner = guarded.enter_lent()?.unwrap();
                panic!("boom");
            };
            // SAFETY: NULL asks for no error.
            let status = unsafe { guard(ptr::null_mut(), body) };
            assert_eq!(status, StatusCode::Panic as i32);
            let refused = guarded.enter_lent().err().map(|failure| failure.status);
            assert_eq!(refused, Some(StatusCode::Poisoned as i32));
        });
        drop(entered);
        assert!(guarded.enter().is_err());
    }
}
