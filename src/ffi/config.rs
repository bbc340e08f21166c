//! Configuration from C.

use std::ffi::c_char;

use super::argument;
use super::error::{Failure, kfetch_error};
use super::guard::{Entered, Guarded, guard};
use super::status::kfetch_status;
use crate::client::Config;
use crate::client::config::properties;
use crate::error::{Error, ErrorKind};

/// Settings by Kafka's property names, such as `bootstrap.servers` or `fetch.min.bytes`; names
/// that only librdkafka has are understood too. A consumer copies what it needs: the settings can
/// be changed, used again and freed after it has been made.
#[derive(Debug)]
pub struct kfetch_config(Guarded<Config>);

/// Makes an empty set of settings. It is never NULL.
///
/// # Threads
///
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn kfetch_config_new() -> *mut kfetch_config {
    Box::into_raw(Box::new(kfetch_config(Guarded::new(Config::new()))))
}

/// Frees the settings. NULL is allowed.
///
/// # Safety
///
/// No call on the handle runs, and none follows.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_config_free(config: *mut kfetch_config) {
    if !config.is_null() {
        // SAFETY: the pointer came from `into_raw`, and the caller gives it up.
        drop(unsafe { Box::from_raw(config) });
    }
}

/// Sets a property. A later setting of the same name takes its place; an unknown name is
/// `KFETCH_STATUS_CONFIG` with a text that names the nearest known one.
///
/// # Safety
///
/// `name` and `value` are NUL-terminated, `error_out` is NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_config_set(
    config: *mut kfetch_config,
    name: *const c_char,
    value: *const c_char,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let mut config = unsafe { enter(config) }?;
        // SAFETY: as the caller promises.
        let name = unsafe { argument::string(name, "name") }?;
        // SAFETY: as the caller promises.
        let value = unsafe { argument::string(value, "value") }?;
        config.set(name, value)?;
        Ok(())
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Sets all properties of a `.properties` file in UTF-8, later lines over earlier ones. Where one
/// of them fails nothing is set, and the text names file, line and property.
///
/// # Safety
///
/// `path` is NUL-terminated, `error_out` is NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_config_load_file(
    config: *mut kfetch_config,
    path: *const c_char,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let mut config = unsafe { enter(config) }?;
        // SAFETY: as the caller promises.
        let path = unsafe { argument::path(path, "path") }?;
        config.load_file(path)?;
        Ok(())
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Sets all properties of a text in the `.properties` format, as `kfetch_config_load_file` does.
///
/// # Safety
///
/// `text` is NUL-terminated, `error_out` is NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_config_parse(
    config: *mut kfetch_config,
    text: *const c_char,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let mut config = unsafe { enter(config) }?;
        // SAFETY: as the caller promises.
        let text = unsafe { argument::string(text, "text") }?;
        config.parse(text)?;
        Ok(())
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Copies the value of a property with a NUL behind it into `buffer`: what was set, else the
/// default, else `""`. `length_out` (NULL is allowed) is the value's length without the NUL, also
/// where the status is `KFETCH_STATUS_BUFFER_TOO_SMALL` and nothing was copied.
///
/// # Safety
///
/// `name` is NUL-terminated, `capacity` bytes can be written at `buffer`, `length_out` and
/// `error_out` are NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_config_get(
    config: *const kfetch_config,
    name: *const c_char,
    buffer: *mut c_char,
    capacity: usize,
    length_out: *mut usize,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let config = unsafe { enter(config) }?;
        // SAFETY: as the caller promises.
        let name = unsafe { argument::string(name, "name") }?;
        let value = value(&config, name)?;
        if !length_out.is_null() {
            // SAFETY: as the caller promises.
            unsafe { argument::output(length_out, "length_out") }?.write(value.len());
        }
        if capacity <= value.len() {
            let text = format!("the buffer has {capacity} bytes, not {}", value.len() + 1);
            return Err(Failure::buffer(text));
        }
        // SAFETY: as the caller promises.
        let buffer = unsafe { argument::output_array(buffer.cast::<u8>(), capacity, "buffer") }?;
        for (place, byte) in buffer.iter_mut().zip(value.bytes().chain([0])) {
            place.write(byte);
        }
        Ok(())
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Returns the value of a property, `""` where it has none; an unknown name is an error.
fn value<'a>(config: &'a Config, name: &str) -> Result<&'a str, Failure> {
    if let Some(value) = config.get(name) {
        return Ok(value);
    }
    if properties().any(|known| known.name() == name || known.aliases().contains(&name)) {
        return Ok("");
    }
    Err(Error::new(ErrorKind::Config, format!("no property has the name '{name}'")).into())
}

/// Begins a call on a configuration.
///
/// # Safety
///
/// `config` is NULL or a handle that has not been freed.
pub(super) unsafe fn enter<'a>(
    config: *const kfetch_config,
) -> Result<Entered<'a, Config>, Failure> {
    // SAFETY: as the caller promises.
    unsafe { argument::reference(config, "config") }?.0.enter()
}
