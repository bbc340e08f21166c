//! Files that are read or written, and nothing else that may bear such a name.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Opens a file for reading; a FIFO, a device or a directory in its place is refused at once.
///
/// # Errors
///
/// That of the system, and [`io::ErrorKind::InvalidInput`] for what is not a regular file.
pub(super) fn open_regular(path: &Path) -> io::Result<(File, Metadata)> {
    open_with(path, OpenOptions::new().read(true))
}

/// Opens a file for writing, or makes it; what is in it stays. Anything else in its place is
/// refused at once.
///
/// # Errors
///
/// As [`open_regular`].
pub(super) fn open_for_writing(path: &Path) -> io::Result<(File, Metadata)> {
    open_with(path, OpenOptions::new().write(true).create(true).truncate(false))
}

fn open_with(path: &Path, options: &mut OpenOptions) -> io::Result<(File, Metadata)> {
    // A FIFO with nobody at its other end would hold the call up for ever otherwise.
    let file = options.custom_flags(libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok((file, metadata))
}
