//! The version in front of a subscription or an assignment.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use crate::wire::{EncodeError, Reader, WireError, Writer};

/// The highest version of the subscription and of the assignment.
pub const VERSION_MAX: i16 = 3;

/// Reads the version and returns the one to read by.
pub(super) fn read_version(r: &mut Reader<'_>) -> Result<i16, WireError> {
    match r.int16()? {
        version @ ..0 => Err(WireError::UnsupportedVersion { version }),
        version => Ok(version.min(VERSION_MAX)),
    }
}

/// Writes the version.
pub(super) fn write_version(w: &mut Writer<'_>, version: i16) -> Result<(), EncodeError> {
    if !(0..=VERSION_MAX).contains(&version) {
        return Err(EncodeError::UnsupportedVersion { version });
    }
    w.int16(version);
    Ok(())
}
