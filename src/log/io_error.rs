//! Errors of the operating system with what was tried on which file.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::io;
use std::path::Path;

use crate::error::{Error, ErrorKind};

/// Makes an error of kind [`ErrorKind::Io`]: "cannot `action` `path`: …".
pub(crate) fn io_error(action: &str, path: &Path, error: &io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("cannot {action} {}: {error}", path.display()))
}
