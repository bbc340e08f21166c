use std::ffi::CStr;
use std::ptr;
use std::sync::mpsc;
use std::thread;

use super::*;
use crate::ffi::error::{kfetch_error_free, kfetch_error_is_fatal, kfetch_error_message};

const SOON: Duration = Duration::from_secs(20);

fn status_of<T>(outcome: Result<T, Failure>) -> kfetch_status {
    outcome.err().map_or(0, |failure| failure.status)
}

#[test]
fn a_panic_is_a_status_with_its_text_and_poisons() {
    let guarded = Guarded::new(1);
    let mut error = ptr::null_mut();
    let body = || {
        let _entered = guarded.enter()?;
        panic!("boom {}", 7);
    };
    // SAFETY: the pointer is to a variable.
    let status = unsafe { guard(&raw mut error, body) };
    assert_eq!(status, StatusCode::Panic as i32);
    // SAFETY: the error lives until the end of the test.
    let text = unsafe { kfetch_error_message(error) };
    // SAFETY: the text lives as long as the error.
    let text = unsafe { CStr::from_ptr(text) };
    assert!(text.to_str().unwrap().ends_with("boom 7"), "{text:?}");
    // SAFETY: as above.
    assert!(unsafe { kfetch_error_is_fatal(error) });
    // SAFETY: it is freed once.
    unsafe { kfetch_error_free(error) };
    assert_eq!(status_of(guarded.enter()), StatusCode::Poisoned as i32);
    assert_eq!(*guarded.enter_to_close(clock()).unwrap(), 1);
}

#[test]
fn an_error_is_written_on_failure_and_null_on_success() {
    let mut error = ptr::dangling_mut();
    // SAFETY: the pointer is to a variable.
    assert_eq!(unsafe { guard(&raw mut error, || Ok(())) }, 0);
    assert!(error.is_null());
    // SAFETY: NULL asks for no error.
    let status = unsafe { guard(ptr::null_mut(), || Err(Failure::argument("no"))) };
    assert_eq!(status, StatusCode::InvalidArgument as i32);
}

#[test]
fn a_second_call_is_refused_and_a_close_waits() {
    let guarded = Guarded::new(0);
    let entered = guarded.enter().unwrap();
    assert_eq!(status_of(guarded.enter()), StatusCode::Concurrent as i32);
    assert_eq!(status_of(guarded.enter_to_close(clock())), StatusCode::Timeout as i32);
    assert!(!guarded.is_free());
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut entered = guarded.enter_to_close(clock() + SOON).unwrap();
            *entered = 2;
            sender.send(()).unwrap();
        });
        while guarded.state.load(Ordering::Relaxed) != AWAITED {
            thread::yield_now();
        }
        drop(entered);
        receiver.recv_timeout(SOON).unwrap();
    });
    assert_eq!(*guarded.enter().unwrap(), 2);
    assert!(guarded.is_free());
}

#[test]
fn one_call_at_a_time_is_inside() {
    let guarded = Guarded::new(0_u32);
    let entered: u32 = thread::scope(|scope| {
        let call = || {
            (0..20_000)
                .map(|_| {
                    guarded.enter().map_or(0, |mut n| {
                        *n += 1;
                        1
                    })
                })
                .sum()
        };
        let calls: Vec<_> = (0..2).map(|_| scope.spawn(call)).collect();
        calls.into_iter().map(|call| -> u32 { call.join().unwrap() }).sum()
    });
    assert_eq!(*guarded.enter().unwrap(), entered);
}

#[test]
fn a_call_inside_of_the_log_callback_is_refused() {
    in_callback(|| {
        // SAFETY: NULL asks for no error.
        let status = unsafe { guard(ptr::null_mut(), || Ok(())) };
        assert_eq!(status, StatusCode::State as i32);
        assert!(guard_plain(true, || false));
    });
    assert!(!guard_plain(true, || false));
}
