//! Batches that get memory only when their checksum is right.
//!
//! A length field may lie, and the memory for a batch is as large as its length field says. So
//! before a batch takes very much, its checksum is computed in pieces from the file.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::io;

use crc_fast::{CrcAlgorithm, Digest};

use super::headers::as_u64;
use super::segment::Segment;
use crate::record::{BatchHeader, verify_crc};

/// A batch above this has its checksum looked at before it gets memory.
pub(super) const LARGE_BATCH_BYTES: usize = 16 * 1024 * 1024;

/// Where the bytes begin that the checksum is over.
const ATTRIBUTES_AT: u64 = 21;

const PIECE_BYTES: usize = 64 * 1024;

/// Tells whether the batch at `position` with this `header` has the checksum that it says.
pub(super) fn is_intact(
    segment: &Segment,
    position: u64,
    header: &BatchHeader,
) -> io::Result<bool> {
    let end = position.saturating_add(as_u64(header.size()));
    let mut at = position.saturating_add(ATTRIBUTES_AT);
    let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
    let mut piece = vec![0; PIECE_BYTES];
    while at < end {
        let left = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX);
        let room = piece.get_mut(..left.min(PIECE_BYTES)).unwrap_or_default();
        let len = segment.read_at(at, room)?;
        digest.update(room.get(..len).unwrap_or_default());
        at = at.saturating_add(as_u64(len));
        if len == 0 {
            return Ok(false);
        }
    }
    Ok(digest.finalize() == u64::from(header.crc))
}

/// Reads the batch at `position`; `None` if it does not have the checksum that it says.
pub(super) fn read_batch(
    segment: &Segment,
    position: u64,
    header: &BatchHeader,
) -> io::Result<Option<Vec<u8>>> {
    if header.size() > LARGE_BATCH_BYTES && !is_intact(segment, position, header)? {
        return Ok(None);
    }
    let mut batch = vec![0; header.size()];
    let len = segment.read_at(position, &mut batch)?;
    Ok((len == batch.len() && verify_crc(&batch)).then_some(batch))
}
