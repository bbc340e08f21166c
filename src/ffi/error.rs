//! The error object: what a failed call has to say beyond its status.

use std::ffi::{CString, c_char};
use std::ptr;

use super::status::{kfetch_status, status_of};
use super::status_code::kfetch_status as StatusCode;
use super::text::c_string;
use crate::error::{Error, ErrorKind};

/// What a failed call has to say beyond its status: whether to try again, where it happened, and a
/// text for people.
///
/// Functions that take a `kfetch_error **error_out` write NULL there when they succeed and a new
/// error when they fail, which the caller frees. Whoever needs the status alone passes NULL.
#[derive(Debug)]
pub struct kfetch_error {
    status: kfetch_status,
    is_retriable: bool,
    is_fatal: bool,
    topic: Option<CString>,
    partition: i32,
    offset: i64,
    message: CString,
}

/// Frees an error. NULL is allowed.
///
/// # Safety
///
/// The error is not used any more, nor what it lent.
///
/// # Threads
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_error_free(error: *mut kfetch_error) {
    if !error.is_null() {
        // SAFETY: the pointer came from `into_raw`, and the caller gives it up.
        drop(unsafe { Box::from_raw(error) });
    }
}

/// Returns the status that came with the error; `KFETCH_STATUS_OK` for NULL.
///
/// # Safety
///
/// `error` is NULL or an error that has not been freed.
///
/// # Threads
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_error_status(error: *const kfetch_error) -> kfetch_status {
    // SAFETY: as the caller promises.
    unsafe { error.as_ref() }.map_or(StatusCode::Ok as i32, |error| error.status)
}

/// Tells whether the same call may succeed later without any change.
///
/// # Safety
///
/// `error` is NULL or an error that has not been freed.
///
/// # Threads
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_error_is_retriable(error: *const kfetch_error) -> bool {
    // SAFETY: as the caller promises.
    unsafe { error.as_ref() }.is_some_and(|error| error.is_retriable)
}

/// Tells whether only close and free work after it.
///
/// # Safety
///
/// `error` is NULL or an error that has not been freed.
///
/// # Threads
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_error_is_fatal(error: *const kfetch_error) -> bool {
    // SAFETY: as the caller promises.
    unsafe { error.as_ref() }.is_some_and(|error| error.is_fatal)
}

/// Returns the topic that it concerns, NULL where there is none; valid until the error is freed.
///
/// # Safety
///
/// `error` is NULL or an error that has not been freed.
///
/// # Threads
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_error_topic(error: *const kfetch_error) -> *const c_char {
    // SAFETY: as the caller promises.
    let topic = unsafe { error.as_ref() }.and_then(|error| error.topic.as_ref());
    topic.map_or(ptr::null(), |topic| topic.as_ptr())
}

/// Returns the partition that it concerns, −1 where there is none.
///
/// # Safety
///
/// `error` is NULL or an error that has not been freed.
///
/// # Threads
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_error_partition(error: *const kfetch_error) -> i32 {
    // SAFETY: as the caller promises.
    unsafe { error.as_ref() }.map_or(-1, |error| error.partition)
}

/// Returns the offset at which it happened, −1 where none is known.
///
/// # Safety
///
/// `error` is NULL or an error that has not been freed.
///
/// # Threads
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_error_offset(error: *const kfetch_error) -> i64 {
    // SAFETY: as the caller promises.
    unsafe { error.as_ref() }.map_or(-1, |error| error.offset)
}

/// Returns the whole text for people in UTF-8, with topic, partition and offset where they are
/// known; never NULL, `""` for a NULL error. Valid until the error is freed.
///
/// # Safety
///
/// `error` is NULL or an error that has not been freed.
///
/// # Threads
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_error_message(error: *const kfetch_error) -> *const c_char {
    // SAFETY: as the caller promises.
    unsafe { error.as_ref() }.map_or(c"".as_ptr(), |error| error.message.as_ptr())
}

/// Why a call fails: an error, with the status where the error's kind does not tell it.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) status: kfetch_status,
    pub(super) error: Error,
}

impl Failure {
    /// Refuses an argument.
    #[cold]
    pub(super) fn argument(text: impl Into<String>) -> Self {
        Error::new(ErrorKind::InvalidArgument, text).into()
    }

    /// Says that a panic was caught.
    #[cold]
    pub(super) fn panic(text: &str) -> Self {
        let text = format!("a defect of kfetch was caught: {text}");
        let error = Error::new(ErrorKind::Poisoned, text).with_fatal();
        Self { status: StatusCode::Panic as i32, error }
    }

    /// Says that the caller's buffer is too small.
    #[cold]
    pub(super) fn buffer(text: impl Into<String>) -> Self {
        let error = Error::new(ErrorKind::InvalidArgument, text);
        Self { status: StatusCode::BufferTooSmall as i32, error }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { status: status_of(&error), error }
    }
}

impl From<&Failure> for kfetch_error {
    fn from(failure: &Failure) -> Self {
        let Failure { status, error } = failure;
        Self {
            status: *status,
            is_retriable: error.is_retriable(),
            is_fatal: error.is_fatal(),
            topic: error.topic().map(c_string),
            partition: error.partition(),
            offset: error.offset(),
            message: c_string(&error.to_string()),
        }
    }
}

impl kfetch_error {
    /// Hands the error to C.
    pub(super) fn into_raw(self) -> *mut Self {
        Box::into_raw(Box::new(self))
    }
}
