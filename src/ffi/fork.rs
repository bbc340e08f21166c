//! Tells a fork's child from its parent, without a system call.
//!
//! A page that the kernel empties in a child (`MADV_WIPEONFORK`) holds the number of the process's
//! generation; each handle notes it. In a child the page says 0, which is no handle's number; the
//! first handle that the child makes for itself begins a generation of its own. Where the kernel
//! has no such page, a fork handler empties a variable instead.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where the number is kept.
static PLACE: OnceLock<&'static AtomicU64> = OnceLock::new();

/// The number's place where no page can be had; every fork runs the handler that empties it.
static VARIABLE: AtomicU64 = AtomicU64::new(0);

/// The last number given out, in this process or the one that it was forked from.
static LAST: AtomicU64 = AtomicU64::new(0);

/// Returns the number of this process, for a new handle.
pub(super) fn join() -> u64 {
    let place = PLACE.get_or_init(|| wiped_page().unwrap_or_else(variable));
    let known = place.load(Ordering::Relaxed);
    if known != 0 {
        return known;
    }
    let next = LAST.fetch_add(1, Ordering::Relaxed) + 1;
    match place.compare_exchange(0, next, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => next,
        Err(another) => another,
    }
}

/// Tells whether a handle that noted this number belongs to this process.
#[inline]
pub(super) fn is_own(number: u64) -> bool {
    PLACE.get().is_some_and(|place| place.load(Ordering::Relaxed) == number)
}

fn variable() -> &'static AtomicU64 {
    extern "C" fn empty() {
        VARIABLE.store(0, Ordering::Relaxed);
    }
    // SAFETY: the handler only stores to an atomic variable. Without memory for it forks go
    // unnoticed, which a program that is out of memory does not notice either.
    unsafe { libc::pthread_atfork(None, None, Some(empty)) };
    &VARIABLE
}

#[cfg(target_os = "linux")]
fn wiped_page() -> Option<&'static AtomicU64> {
    /// No system has larger pages where it matters: the kernel rounds up to whole ones.
    const PAGE_BYTES: usize = 4096;
    let (protection, flags) =
        (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: the kernel chooses the address, so nothing is mapped over.
    let page = unsafe { libc::mmap(std::ptr::null_mut(), PAGE_BYTES, protection, flags, -1, 0) };
    if page == libc::MAP_FAILED {
        return None;
    }
    // SAFETY: the range is the mapping just made.
    if unsafe { libc::madvise(page, PAGE_BYTES, libc::MADV_WIPEONFORK) } != 0 {
        // SAFETY: as above, and nobody knows of it yet.
        unsafe { libc::munmap(page, PAGE_BYTES) };
        return None;
    }
    // SAFETY: the page is zeroed, aligned, and stays mapped for as long as the process lives.
    Some(unsafe { &*page.cast::<AtomicU64>() })
}

#[cfg(not(target_os = "linux"))]
fn wiped_page() -> Option<&'static AtomicU64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns what a child finds there after the parent has stored 5.
    fn in_child(place: &AtomicU64) -> i32 {
        place.store(5, Ordering::Relaxed);
        // SAFETY: the child loads a number and ends, which any child may.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let found = i32::try_from(place.load(Ordering::Relaxed)).unwrap_or(-1);
            // SAFETY: it does not return.
            unsafe { libc::_exit(found) };
        }
        let mut status = -1;
        // SAFETY: the pointer is to a variable.
        unsafe { libc::waitpid(child, &raw mut status, 0) };
        libc::WEXITSTATUS(status)
    }

    #[test]
    fn a_child_finds_both_places_empty() {
        assert_eq!(in_child(variable()), 0);
        assert_eq!(VARIABLE.load(Ordering::Relaxed), 5);
        #[cfg(target_os = "linux")]
        assert_eq!(in_child(wiped_page().unwrap()), 0);
    }

    #[test]
    fn a_number_is_this_process_s_own() {
        let number = join();
        assert_eq!(join(), number);
        assert!(is_own(number) && !is_own(0) && !is_own(number + 1));
    }
}
