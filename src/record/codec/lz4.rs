//! LZ4 frames, walked here around the blocks of `lz4_flex`.
//!
//! ```text
//! 04 22 4D 18                       magic
//! flags                             bits 7-6 version 01, 5 blocks independent, 4 block checksums,
//!                                   3 content size, 2 content checksum, 1 reserved, 0 dictionary
//! block descriptor                  bits 6-4 largest block: 4 64 KiB, 5 256 KiB, 6 1 MiB, 7 4 MiB
//! [content size, uint64]            not used: it says what the writer meant to write
//! header checksum                   second byte of the xxh32 over what follows the magic
//! [uint32 length, block, [xxh32]]*  highest bit of the length: stored as it is
//! 00 00 00 00                       end mark
//! [content checksum, uint32]        not verified, as in Java: the batch has its own
//! ```
//!
//! Java reads one frame of independent blocks and nothing behind it. Linked blocks and frames that
//! follow each other are in the format and read here too, skippable frames are skipped; the legacy
//! frame and dictionaries, which are not, and bytes that are no frame are damage.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use lz4_flex::block::{
    CompressTable, DecompressError, compress_into_with_table, decompress_into,
    decompress_into_with_dict, get_maximum_output_size,
};

use super::xxh32::xxh32;
use super::{Codec, InflateError};

const MAGIC: u32 = 0x184D_2204;
const MAGIC_LEGACY: u32 = 0x184C_2102;
const MAGIC_SKIPPABLE: u32 = 0x184D_2A50;
const MAGIC_SKIPPABLE_MASK: u32 = 0xFFFF_FFF0;

const VERSION_MASK: u8 = 0b1100_0000;
const VERSION: u8 = 0b0100_0000;
const FLAG_INDEPENDENT: u8 = 1 << 5;
const FLAG_BLOCK_CHECKSUM: u8 = 1 << 4;
const FLAG_CONTENT_SIZE: u8 = 1 << 3;
const FLAG_CONTENT_CHECKSUM: u8 = 1 << 2;
const FLAG_RESERVED: u8 = 1 << 1;
const FLAG_DICTIONARY: u8 = 1 << 0;

const STORED_BIT: u32 = 1 << 31;

/// How far back a match may reach, across blocks if they are linked.
const DISTANCE_MAX: usize = 64 * 1024;

/// What Java's output stream takes into one block.
const BLOCK_LEN: usize = 64 * 1024;
const BLOCK_LEN_CODE: u8 = 4 << 4;

/// A guess at the ratio of one block; text and JSON stay below it.
const RATIO_GUESS: usize = 4;

/// Decompresses all frames of `input`.
pub(super) fn inflate(mut input: &[u8], out: &mut [u8]) -> Result<usize, InflateError> {
    let mut filled = 0_usize;
    let mut frames = 0_usize;
    while !input.is_empty() || frames == 0 {
        let magic = take_u32(&mut input, "there is no frame")?;
        if magic & MAGIC_SKIPPABLE_MASK == MAGIC_SKIPPABLE {
            let len = take_u32(&mut input, "a skippable frame is cut off")?;
            take(&mut input, len as usize, "a skippable frame is cut off")?;
            continue;
        }
        let frame = Frame::read(magic, &mut input)?;
        filled = inflate_blocks(&frame, &mut input, out, filled)?;
        frames = frames.saturating_add(1);
    }
    Ok(filled)
}

/// Returns the first frame's content size, or a guess by the lengths of its blocks.
pub(super) fn size_hint(mut input: &[u8]) -> Option<usize> {
    let magic = take_u32(&mut input, "").ok()?;
    let frame = Frame::read(magic, &mut input).ok()?;
    if let Some(size) = frame.content_size {
        return usize::try_from(size).ok();
    }
    let mut size = 0_usize;
    while let Ok(Some(block)) = frame.next_block(&mut input) {
        let most = match block {
            Block::Stored(bytes) => bytes.len(),
            Block::Compressed(bytes) => bytes.len().saturating_mul(RATIO_GUESS),
        };
        size = size.saturating_add(most.min(frame.block_len_max));
    }
    Some(size)
}

/// Appends `input` as one frame of independent blocks of 64 KiB without checksums, as Java does.
pub(super) fn deflate(table: &mut CompressTable, input: &[u8], out: &mut Vec<u8>) -> bool {
    let descriptor = [VERSION | FLAG_INDEPENDENT, BLOCK_LEN_CODE];
    out.extend_from_slice(&MAGIC.to_le_bytes());
    out.extend_from_slice(&descriptor);
    out.push(header_checksum(&descriptor));
    for block in input.chunks(BLOCK_LEN) {
        let len_at = out.len();
        let block_at = len_at.saturating_add(size_of::<u32>());
        out.resize(block_at.saturating_add(get_maximum_output_size(block.len())), 0);
        let place = out.get_mut(block_at..).unwrap_or_default();
        let Ok(len) = compress_into_with_table(block, place, table) else {
            return false;
        };
        out.truncate(block_at.saturating_add(len));
        let mut stored_len = u32::try_from(len).unwrap_or(u32::MAX);
        if len >= block.len() {
            out.truncate(block_at);
            out.extend_from_slice(block);
            stored_len = u32::try_from(block.len()).unwrap_or(u32::MAX) | STORED_BIT;
        }
        if let Some(place) = out.get_mut(len_at..block_at) {
            place.copy_from_slice(&stored_len.to_le_bytes());
        }
    }
    out.extend_from_slice(&0_u32.to_le_bytes());
    true
}

/// Decompresses the blocks of one frame behind the `filled` bytes of `out`, and returns how many
/// are filled then.
fn inflate_blocks(
    frame: &Frame,
    input: &mut &[u8],
    out: &mut [u8],
    mut filled: usize,
) -> Result<usize, InflateError> {
    let frame_at = filled;
    while let Some(block) = frame.next_block(input)? {
        let (done, free) = out.split_at_mut_checked(filled).ok_or(InflateError::OutputTooSmall)?;
        let produced = match block {
            Block::Stored(bytes) => {
                let place = free.get_mut(..bytes.len()).ok_or(InflateError::OutputTooSmall)?;
                place.copy_from_slice(bytes);
                bytes.len()
            }
            Block::Compressed(bytes) => {
                let window_at = filled.saturating_sub(DISTANCE_MAX).max(frame_at);
                let window = done.get(window_at..).unwrap_or_default();
                inflate_block(frame, bytes, window, free)?
            }
        };
        filled = filled.saturating_add(produced);
    }
    Ok(filled)
}

/// Decompresses one block to the front of `free`; `window` is what a linked block may refer to.
fn inflate_block(
    frame: &Frame,
    block: &[u8],
    window: &[u8],
    free: &mut [u8],
) -> Result<usize, InflateError> {
    let is_whole = free.len() >= frame.block_len_max;
    let len = free.len().min(frame.block_len_max);
    let place = free.get_mut(..len).unwrap_or_default();
    let outcome = if frame.is_independent || window.is_empty() {
        decompress_into(block, place)
    } else {
        decompress_into_with_dict(block, place, window)
    };
    outcome.map_err(|error| match error {
        DecompressError::OutputTooSmall { .. } if !is_whole => InflateError::OutputTooSmall,
        DecompressError::OutputTooSmall { .. } => {
            corrupt("a block is larger than its frame allows")
        }
        DecompressError::OffsetZero | DecompressError::OffsetOutOfBounds => {
            corrupt("a match reaches before the output")
        }
        _ => corrupt("a block is cut off"),
    })
}

/// What the header of a frame says.
struct Frame {
    is_independent: bool,
    has_block_checksums: bool,
    has_content_checksum: bool,
    content_size: Option<u64>,
    block_len_max: usize,
}

enum Block<'a> {
    Stored(&'a [u8]),
    Compressed(&'a [u8]),
}

impl Frame {
    /// Takes the rest of a frame's header, behind its `magic`, off `input`.
    fn read(magic: u32, input: &mut &[u8]) -> Result<Self, InflateError> {
        match magic {
            MAGIC => {}
            MAGIC_LEGACY => return Err(corrupt("a legacy frame is not read")),
            _ => return Err(corrupt("there is no frame")),
        }
        let descriptor = *input;
        let (&[flags, block_descriptor], rest) =
            input.split_first_chunk().ok_or_else(|| corrupt("a frame's header is cut off"))?;
        *input = rest;
        if flags & VERSION_MASK != VERSION || flags & FLAG_RESERVED != 0 {
            return Err(corrupt("a frame's version or flags are unknown"));
        }
        if flags & FLAG_DICTIONARY != 0 {
            return Err(corrupt("a frame needs a dictionary"));
        }
        let block_len_max = match block_descriptor {
            0x40 => 64 << 10,
            0x50 => 256 << 10,
            0x60 => 1 << 20,
            0x70 => 4 << 20,
            _ => return Err(corrupt("a frame's block size is unknown")),
        };
        let mut content_size = None;
        if flags & FLAG_CONTENT_SIZE != 0 {
            let (size, rest) =
                input.split_first_chunk().ok_or_else(|| corrupt("a frame's header is cut off"))?;
            content_size = Some(u64::from_le_bytes(*size));
            *input = rest;
        }
        let covered = descriptor.len().saturating_sub(input.len());
        let stored = take(input, 1, "a frame's header is cut off")?;
        if stored != [header_checksum(descriptor.get(..covered).unwrap_or_default())] {
            return Err(corrupt("a frame's header checksum differs"));
        }
        Ok(Self {
            is_independent: flags & FLAG_INDEPENDENT != 0,
            has_block_checksums: flags & FLAG_BLOCK_CHECKSUM != 0,
            has_content_checksum: flags & FLAG_CONTENT_CHECKSUM != 0,
            content_size,
            block_len_max,
        })
    }

    /// Takes the next block off `input`; `None` at the end mark, which is taken too.
    fn next_block<'a>(&self, input: &mut &'a [u8]) -> Result<Option<Block<'a>>, InflateError> {
        let stored_len = take_u32(input, "a frame has no end mark")?;
        if stored_len == 0 {
            if self.has_content_checksum {
                take_u32(input, "a frame's checksum is cut off")?;
            }
            return Ok(None);
        }
        let len = (stored_len & !STORED_BIT) as usize;
        if len > self.block_len_max {
            return Err(corrupt("a block is larger than its frame allows"));
        }
        let bytes = take(input, len, "a block is cut off")?;
        if self.has_block_checksums && take_u32(input, "a block is cut off")? != xxh32(bytes) {
            return Err(corrupt("a block's checksum differs"));
        }
        let is_stored = stored_len & STORED_BIT != 0;
        Ok(Some(if is_stored { Block::Stored(bytes) } else { Block::Compressed(bytes) }))
    }
}

fn header_checksum(descriptor: &[u8]) -> u8 {
    let [_, second, ..] = xxh32(descriptor).to_le_bytes();
    second
}

fn take_u32(input: &mut &[u8], text: &'static str) -> Result<u32, InflateError> {
    let (bytes, rest) = input.split_first_chunk().ok_or_else(|| corrupt(text))?;
    *input = rest;
    Ok(u32::from_le_bytes(*bytes))
}

fn take<'a>(
    input: &mut &'a [u8],
    len: usize,
    text: &'static str,
) -> Result<&'a [u8], InflateError> {
    let (bytes, rest) = input.split_at_checked(len).ok_or_else(|| corrupt(text))?;
    *input = rest;
    Ok(bytes)
}

fn corrupt(text: &'static str) -> InflateError {
    InflateError::Corrupt { codec: Codec::Lz4, text }
}
