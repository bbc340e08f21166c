//! The version of the library at run time.

use std::ffi::{CStr, c_char};

/// The version with the NUL that C wants.
const VERSION: &CStr = match CStr::from_bytes_with_nul(TERMINATED.as_bytes()) {
    Ok(version) => version,
    Err(_) => c"",
};

const TERMINATED: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");

/// Returns the version of the library that is linked, such as `"1.2.3"`; the string is static.
/// `KFETCH_VERSION` is that of the header.
///
/// # Threads
///
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn kfetch_version() -> *const c_char {
    VERSION.as_ptr()
}
