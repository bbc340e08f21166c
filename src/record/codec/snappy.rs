//! Snappy, in the framing of xerial's snappy-java that Kafka's Java client uses, or one raw block.
//!
//! ```text
//! 82 'S' 'N' 'A' 'P' 'P' 'Y' 00   magic
//! int32                           version, at least 1
//! int32                           lowest version that can read it
//! [int32 length, snappy block]*   up to the end; each block declares its own output's size
//! ```
//!
//! As in snappy-java, the magic decides, the second number is not looked at (some writers have it
//! in the other byte order), and another header may stand where a chunk's length would.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use snap::raw;

use super::{Codec, InflateError};

const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const VERSION: [u8; 4] = 1_i32.to_be_bytes();

/// What snappy-java's output stream takes into one chunk.
const CHUNK_LEN: usize = 32 * 1024;

/// No element of a block makes more than 64 bytes of 3, so that larger claims are lies.
const RATIO_MAX: usize = 22;

/// Decompresses a framed stream or one raw block.
pub(super) fn inflate(input: &[u8], out: &mut [u8]) -> Result<usize, InflateError> {
    let Some(mut chunks) = Chunks::new(input)? else {
        return inflate_block(input, out);
    };
    let mut filled = 0_usize;
    while let Some(block) = chunks.next_block()? {
        let place = out.get_mut(filled..).unwrap_or_default();
        filled = filled.saturating_add(inflate_block(block, place)?);
    }
    Ok(filled)
}

/// Returns the sum of the sizes that the blocks declare.
pub(super) fn size_hint(input: &[u8]) -> Option<usize> {
    let Some(mut chunks) = Chunks::new(input).ok()? else {
        return raw::decompress_len(input).ok();
    };
    let mut size = 0_usize;
    while let Some(block) = chunks.next_block().ok()? {
        size = size.saturating_add(raw::decompress_len(block).ok()?);
    }
    Some(size)
}

/// Appends `input` in xerial's framing, in chunks of 32 KiB.
pub(super) fn deflate(encoder: &mut raw::Encoder, input: &[u8], out: &mut Vec<u8>) -> bool {
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION);
    out.extend_from_slice(&VERSION);
    for chunk in input.chunks(CHUNK_LEN) {
        let len_at = out.len();
        let block_at = len_at.saturating_add(size_of::<i32>());
        out.resize(block_at.saturating_add(raw::max_compress_len(chunk.len())), 0);
        let place = out.get_mut(block_at..).unwrap_or_default();
        let Ok(len) = encoder.compress(chunk, place) else {
            return false;
        };
        out.truncate(block_at.saturating_add(len));
        let Some(place) = out.get_mut(len_at..block_at) else {
            return false;
        };
        place.copy_from_slice(&i32::try_from(len).unwrap_or(i32::MAX).to_be_bytes());
    }
    true
}

fn inflate_block(block: &[u8], out: &mut [u8]) -> Result<usize, InflateError> {
    let len = raw::decompress_len(block).map_err(|_| corrupt("a block's size is malformed"))?;
    if len > block.len().saturating_mul(RATIO_MAX) {
        return Err(corrupt("a block declares more than its bytes can make"));
    }
    match raw::Decoder::new().decompress(block, out) {
        Ok(produced) => Ok(produced),
        Err(snap::Error::BufferTooSmall { .. }) => Err(InflateError::OutputTooSmall),
        Err(_) => Err(corrupt("a block is malformed")),
    }
}

/// The chunks of a framed stream.
struct Chunks<'a> {
    rest: &'a [u8],
}

impl<'a> Chunks<'a> {
    /// Takes the framing's header off `input`; `None` where there is none.
    fn new(input: &'a [u8]) -> Result<Option<Self>, InflateError> {
        match input.strip_prefix(&MAGIC) {
            Some(rest) => {
                let mut chunks = Self { rest };
                chunks.read_version()?;
                Ok(Some(chunks))
            }
            None => Ok(None),
        }
    }

    fn next_block(&mut self) -> Result<Option<&'a [u8]>, InflateError> {
        while let Some(rest) = self.rest.strip_prefix(&MAGIC) {
            self.rest = rest;
            self.read_version()?;
        }
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (len, rest) =
            self.rest.split_first_chunk().ok_or_else(|| corrupt("a chunk is cut off"))?;
        let len = usize::try_from(i32::from_be_bytes(*len))
            .map_err(|_| corrupt("a chunk's length is negative"))?;
        let (block, rest) =
            rest.split_at_checked(len).ok_or_else(|| corrupt("a chunk is cut off"))?;
        self.rest = rest;
        Ok(Some(block))
    }

    fn read_version(&mut self) -> Result<(), InflateError> {
        let Some(([v0, v1, v2, v3, ..], rest)) = self.rest.split_first_chunk::<8>() else {
            return Err(corrupt("the framing's header is cut off"));
        };
        if i32::from_be_bytes([*v0, *v1, *v2, *v3]) < 1 {
            return Err(corrupt("the framing's version is below 1"));
        }
        self.rest = rest;
        Ok(())
    }
}

fn corrupt(text: &'static str) -> InflateError {
    InflateError::Corrupt { codec: Codec::Snappy, text }
}
