//! Zstandard frames, decompressed in one shot so that the output is the window.
//!
//! The one-shot call needs no window buffer of its own: whatever window a frame declares costs
//! nothing, and the limit of 128 MiB that streaming decoders put on it has no use here.
//! Frames may follow each other, and skippable ones are skipped. A frame that needs a dictionary
//! is damage.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use zstd_safe::{CCtx, CompressionLevel, DCtx, ErrorCode};

use super::{Codec, InflateError};

/// `ZSTD_error_dstSize_tooSmall`; the library promises never to renumber codes below 100.
const OUTPUT_TOO_SMALL: usize = 70;

/// Kafka's default for `compression.zstd.level`, and zstd's own.
const LEVEL_DEFAULT: CompressionLevel = 3;

/// Decompresses all frames of `input`.
pub(super) fn inflate(
    context: &mut DCtx<'_>,
    input: &[u8],
    out: &mut [u8],
) -> Result<usize, InflateError> {
    if input.is_empty() {
        return Err(corrupt("there is no frame"));
    }
    context.decompress(out, input).map_err(failure)
}

/// Returns the content size that the first frame declares, if it does.
pub(super) fn size_hint(input: &[u8]) -> Option<usize> {
    let size = zstd_safe::get_frame_content_size(input).ok()??;
    usize::try_from(size).ok()
}

/// Appends `input` as one frame.
pub(super) fn deflate(
    context: &mut CCtx<'_>,
    level: CompressionLevel,
    input: &[u8],
    out: &mut Vec<u8>,
) -> bool {
    let before = out.len();
    out.resize(before.saturating_add(zstd_safe::compress_bound(input.len())), 0);
    let place = out.get_mut(before..).unwrap_or_default();
    let Ok(len) = context.compress(place, input, level) else {
        return false;
    };
    out.truncate(before.saturating_add(len));
    true
}

/// Returns zstd's level for Kafka's, which are the same.
pub(super) fn level(level: Option<i32>) -> Option<CompressionLevel> {
    let level = level.unwrap_or(LEVEL_DEFAULT);
    (zstd_safe::min_c_level()..=zstd_safe::max_c_level()).contains(&level).then_some(level)
}

#[cold]
fn failure(code: ErrorCode) -> InflateError {
    if code == OUTPUT_TOO_SMALL.wrapping_neg() {
        return InflateError::OutputTooSmall;
    }
    corrupt(zstd_safe::get_error_name(code))
}

fn corrupt(text: &'static str) -> InflateError {
    InflateError::Corrupt { codec: Codec::Zstd, text }
}
