//! Mapping of a file for reading: the one call whose soundness depends on other processes.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use memmap2::{Mmap, MmapOptions};

/// Maps the first `len` bytes of `file` for reading.
///
/// A mapped byte changes if somebody writes into the file, and touching a page that somebody has
/// truncated away ends the process with SIGBUS. So the log reader maps by itself only what nobody
/// truncates (segments of kfetch's own writer, read-only file systems); otherwise the user asked
/// for it, and the property's documentation says what may happen.
///
/// # Errors
///
/// What `mmap(2)` says; an empty range is refused, since its first page would not exist.
pub(super) fn map_file(file: &File, len: usize) -> io::Result<Mmap> {
    if len == 0 {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "nothing to map"));
    }
    // SAFETY: the file is only read through the map, and whoever chose to map it vouches that no
    // process truncates or rewrites it, as this function's documentation demands.
    unsafe { MmapOptions::new().len(len).map(file) }
}

/// Tells whether `path` lies on a file system that is mounted read-only, where nobody truncates
/// what is mapped; false where that cannot be found out.
pub fn is_on_read_only_file_system(path: &Path) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else {
        return false;
    };
    let mut found = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path ends in NUL, and the call writes no more than the structure.
    if unsafe { libc::statvfs(path.as_ptr(), found.as_mut_ptr()) } != 0 {
        return false;
    }
    // SAFETY: the call succeeded, so it has filled the structure.
    let found = unsafe { found.assume_init() };
    found.f_flag & libc::ST_RDONLY != 0
}
