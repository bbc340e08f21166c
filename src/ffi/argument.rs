//! Arguments from C: pointers are checked for NULL, alignment and overflow before they are used.

use std::ffi::{CStr, OsStr, c_char};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;
use std::slice;
use std::time::Duration;

use super::error::Failure;

/// Takes a handle or a value.
///
/// # Safety
///
/// `pointer` is NULL or a live object of its type, for as long as `'a`.
#[inline]
pub(super) unsafe fn reference<'a, T>(pointer: *const T, name: &str) -> Result<&'a T, Failure> {
    check(pointer, name)?;
    // SAFETY: as the caller promises; it is neither NULL nor misaligned.
    Ok(unsafe { &*pointer })
}

/// Takes the place of a result.
///
/// # Safety
///
/// `pointer` is NULL or can be written, by nobody else for as long as `'a`.
#[inline]
pub(super) unsafe fn output<'a, T>(
    pointer: *mut T,
    name: &str,
) -> Result<&'a mut MaybeUninit<T>, Failure> {
    check(pointer, name)?;
    // SAFETY: as the caller promises; what is there already is not read.
    Ok(unsafe { &mut *pointer.cast() })
}

/// Takes an array; NULL is allowed where it has no element.
///
/// # Safety
///
/// `pointer` is to `count` elements, for as long as `'a`.
pub(super) unsafe fn array<'a, T>(
    pointer: *const T,
    count: usize,
    name: &str,
) -> Result<&'a [T], Failure> {
    if count == 0 {
        return Ok(&[]);
    }
    check_array(pointer, count, name)?;
    // SAFETY: as the caller promises; the length in bytes has been checked.
    Ok(unsafe { slice::from_raw_parts(pointer, count) })
}

/// Takes the place of many results; NULL is allowed where there are none.
///
/// # Safety
///
/// `count` elements can be written at `pointer`, by nobody else for as long as `'a`.
pub(super) unsafe fn output_array<'a, T>(
    pointer: *mut T,
    count: usize,
    name: &str,
) -> Result<&'a mut [MaybeUninit<T>], Failure> {
    if count == 0 {
        return Ok(&mut []);
    }
    check_array(pointer, count, name)?;
    // SAFETY: as the caller promises; what is there already is not read.
    Ok(unsafe { slice::from_raw_parts_mut(pointer.cast(), count) })
}

/// Lends an array to C: returns where it is and writes how long it is.
///
/// # Safety
///
/// `count_out` is NULL or can be written.
pub(super) unsafe fn lend<T>(items: &[T], count_out: *mut usize) -> *const T {
    if !count_out.is_null() {
        // SAFETY: as the caller promises.
        unsafe { count_out.write(items.len()) };
    }
    if items.is_empty() { ptr::null() } else { items.as_ptr() }
}

/// Takes a string in UTF-8.
///
/// # Safety
///
/// `pointer` is NULL or a NUL-terminated string, for as long as `'a`.
pub(super) unsafe fn string<'a>(pointer: *const c_char, name: &str) -> Result<&'a str, Failure> {
    check(pointer, name)?;
    // SAFETY: as the caller promises.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_str().map_err(|error| Failure::argument(format!("{name} is not UTF-8: {error}")))
}

/// Takes the path of a file, which need not be UTF-8.
///
/// # Safety
///
/// `pointer` is NULL or a NUL-terminated string, for as long as `'a`.
pub(super) unsafe fn path<'a>(pointer: *const c_char, name: &str) -> Result<&'a Path, Failure> {
    check(pointer, name)?;
    // SAFETY: as the caller promises.
    let path = unsafe { CStr::from_ptr(pointer) };
    Ok(Path::new(OsStr::from_bytes(path.to_bytes())))
}

/// Turns a timeout into a duration; `none` where the call has no limit of its own.
pub(super) fn timeout(timeout_ms: u32, none: Duration) -> Duration {
    if timeout_ms == u32::MAX { none } else { Duration::from_millis(timeout_ms.into()) }
}

#[inline]
fn check<T>(pointer: *const T, name: &str) -> Result<(), Failure> {
    if pointer.is_null() {
        return Err(Failure::argument(format!("{name} is NULL")));
    }
    if !pointer.is_aligned() {
        return Err(Failure::argument(format!("{name} is not aligned")));
    }
    Ok(())
}

fn check_array<T>(pointer: *const T, count: usize, name: &str) -> Result<(), Failure> {
    check(pointer, name)?;
    let bytes = count.checked_mul(size_of::<T>());
    if bytes.and_then(|bytes| isize::try_from(bytes).ok()).is_none() {
        return Err(Failure::argument(format!("{name} has {count} elements: no memory has")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::multiple_unsafe_ops_per_block, reason = "each is refused, or of this frame")]
    fn null_misaligned_and_endless_arguments_are_refused() {
        let numbers = [1_u64, 2];
        let start = numbers.as_ptr();
        // SAFETY: what is not valid is refused before it is read.
        unsafe {
            assert!(reference(ptr::null::<u64>(), "n").is_err());
            assert!(reference(start.byte_add(1), "n").is_err());
            assert!(output(ptr::null_mut::<u64>(), "n").is_err());
            assert!(array(ptr::null::<u64>(), 1, "n").is_err());
            assert!(array(start, usize::MAX / 8, "n").is_err());
            assert!(array(start, usize::MAX / 4, "n").is_err());
            assert!(output_array(ptr::null_mut::<u64>(), 1, "n").is_err());
            assert!(string(ptr::null(), "s").is_err());
            assert!(string(c"\xff".as_ptr(), "s").is_err());
            assert_eq!(array(ptr::null::<u64>(), 0, "n").unwrap(), [0; 0]);
            assert_eq!(array(start, 2, "n").unwrap(), [1, 2]);
            assert_eq!(string(c"topic".as_ptr(), "s").unwrap(), "topic");
        }
    }
}
