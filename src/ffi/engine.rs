//! Engines from C, and the log callback.

use std::ffi::{c_char, c_void};

use log::Level;

use super::argument;
use super::error::{Failure, kfetch_error};
use super::guard::{Guarded, guard, guard_plain, in_callback};
use super::status::kfetch_status;
use super::text::c_string;
use crate::client::Engine;
use crate::logger::Logger;

/// How much a message of the log callback matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum kfetch_log_level {
    /// When something failed for good.
    Error = 1,
    /// When something failed and goes on, or a setting has no effect.
    Warn = 2,
    /// When it is worth to be known.
    Info = 3,
    /// When it helps to follow what the engine does.
    Debug = 4,
    /// When it is about single requests.
    Trace = 5,
}

/// Takes a message of an engine: its level (a `kfetch_log_level`), the part of the library that
/// speaks, the text, and `log_opaque` of the options. The strings end with the call. It must not
/// throw, and calls of kfetch inside of it fail with `KFETCH_STATUS_STATE`.
///
/// # Threads
///
/// Called by any thread; must return quickly and must not call kfetch functions.
pub type kfetch_log_callback = Option<
    unsafe extern "C-unwind" fn(
        level: i32,
        target: *const c_char,
        text: *const c_char,
        opaque: *mut c_void,
    ),
>;

/// Options of an engine. Set all of it to zero, then `size` to `sizeof(kfetch_engine_options)`,
/// then what is wanted.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct kfetch_engine_options {
    /// `sizeof(kfetch_engine_options)`.
    pub size: usize,
    /// Takes the messages; without it warnings and errors go to stderr.
    pub log: kfetch_log_callback,
    /// Is passed to `log` and not touched.
    pub log_opaque: *mut c_void,
    /// The least important level that `log` takes, a `kfetch_log_level`; 0 is
    /// `KFETCH_LOG_LEVEL_INFO`.
    pub log_level_max: i32,
    /// Zero.
    pub reserved: [u32; 11],
}

const _: () = assert!(size_of::<usize>() != 8 || size_of::<kfetch_engine_options>() == 72);

/// A thread that serves any number of consumers, and what they share. Consumers that were not
/// given one share the process's default engine; one of its own isolates a consumer from those of
/// other parts of a program, and has a log callback.
#[derive(Debug)]
pub struct kfetch_engine(Guarded<Engine>);

/// Starts an engine. `options` may be NULL.
///
/// # Safety
///
/// `options` is NULL or valid, `engine_out` can be written, `error_out` is NULL or can be written.
/// The callback and what `log_opaque` points to stay valid until `kfetch_engine_free` has returned
/// and the last consumer of the engine has been freed.
///
/// # Threads
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_engine_new(
    options: *const kfetch_engine_options,
    engine_out: *mut *mut kfetch_engine,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let out = unsafe { argument::output(engine_out, "engine_out") }?;
        let logger = if options.is_null() {
            Logger::without_callback()
        } else {
            // SAFETY: as the caller promises.
            logger(unsafe { argument::reference(options, "options") }?)?
        };
        let engine = Engine::with_logger(logger)?;
        out.write(Box::into_raw(Box::new(kfetch_engine(Guarded::new(engine)))));
        Ok(())
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Frees the handle; the engine itself ends with its last consumer. NULL is allowed, and in a
/// fork's child nothing happens.
///
/// # Safety
///
/// No call on the handle runs, and none follows.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_engine_free(engine: *mut kfetch_engine) {
    let body = || {
        // SAFETY: as the caller promises.
        if unsafe { engine.as_ref() }.is_some_and(|engine| engine.0.is_free()) {
            // SAFETY: the pointer came from `into_raw`, and the caller gives it up.
            drop(unsafe { Box::from_raw(engine) });
        }
    };
    guard_plain((), body);
}

/// Returns another reference to the engine of a handle.
///
/// # Safety
///
/// `engine` is NULL or a handle that has not been freed.
pub(super) unsafe fn engine_of(engine: *const kfetch_engine) -> Result<Engine, Failure> {
    // SAFETY: as the caller promises.
    Ok(unsafe { argument::reference(engine, "engine") }?.0.enter()?.clone())
}

/// The caller's pointer, on its way to other threads.
struct Opaque(*mut c_void);

// SAFETY: the library never reads it; the callback's author knows that any thread calls.
unsafe impl Send for Opaque {}
// SAFETY: as above.
unsafe impl Sync for Opaque {}

impl Opaque {
    fn pointer(&self) -> *mut c_void {
        self.0
    }
}

fn logger(options: &kfetch_engine_options) -> Result<Logger, Failure> {
    if options.size != size_of::<kfetch_engine_options>() {
        let text = format!("options.size is {}", options.size);
        return Err(Failure::argument(text));
    }
    let Some(callback) = options.log else { return Ok(Logger::without_callback()) };
    let level_max = match options.log_level_max {
        0 => Level::Info as i32,
        level @ 1..=5 => level,
        level => return Err(Failure::argument(format!("options.log_level_max is {level}"))),
    };
    let opaque = Opaque(options.log_opaque);
    Ok(Logger::new(move |level, target, text| {
        let level = level as i32;
        if level > level_max {
            return;
        }
        let (target, text) = (c_string(target), c_string(text));
        // SAFETY: both strings live until the call is over, and whoever gave the callback
        // promised that it is valid for as long as the engine.
        let call = || unsafe { callback(level, target.as_ptr(), text.as_ptr(), opaque.pointer()) };
        in_callback(call);
    }))
}
