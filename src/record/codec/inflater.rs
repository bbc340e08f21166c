//! Decompression into memory of the caller, under a cap.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::fmt;

use flate2::Decompress;
use zstd_safe::DCtx;

use super::{Codec, gzip, lz4, snappy, zstd};

/// Why compressed bytes were not inflated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InflateError {
    /// When the output may not fit: call again with more room. Damage can hide behind this one.
    #[error("the output of a compressed batch does not fit the memory given")]
    OutputTooSmall,
    /// When the output is larger than the cap.
    #[error("a compressed batch inflates past {cap} bytes")]
    TooLarge {
        /// The cap in bytes.
        cap: usize,
    },
    /// When the caller gave no memory.
    #[error("there is no memory to inflate a batch into")]
    NoMemory,
    /// When the bytes are not what the codec writes.
    #[error("corrupt {codec} data: {text}")]
    Corrupt {
        /// The codec.
        codec: Codec,
        /// What is wrong.
        text: &'static str,
    },
}

/// Decompresses batches; keeps the codecs' contexts, which are made on first use.
#[derive(Default)]
pub struct Inflater {
    gzip: Option<Decompress>,
    zstd: Option<DCtx<'static>>,
}

impl Inflater {
    /// Makes an inflater that has no memory yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Decompresses all of `input` to the front of `out` and returns how many bytes that were.
    ///
    /// [`Codec::None`] copies. What `out` held before is never read; on an error its content is
    /// anything.
    ///
    /// # Errors
    ///
    /// [`InflateError::OutputTooSmall`] if the output does not fit, and [`InflateError::Corrupt`].
    pub fn inflate(
        &mut self,
        codec: Codec,
        input: &[u8],
        out: &mut [u8],
    ) -> Result<usize, InflateError> {
        match codec {
            Codec::None => {
                let place = out.get_mut(..input.len()).ok_or(InflateError::OutputTooSmall)?;
                place.copy_from_slice(input);
                Ok(input.len())
            }
            Codec::Gzip => {
                gzip::inflate(self.gzip.get_or_insert_with(|| Decompress::new(false)), input, out)
            }
            Codec::Snappy => snappy::inflate(input, out),
            Codec::Lz4 => lz4::inflate(input, out),
            Codec::Zstd => {
                if self.zstd.is_none() {
                    self.zstd = DCtx::try_create();
                }
                zstd::inflate(self.zstd.as_mut().ok_or(InflateError::NoMemory)?, input, out)
            }
        }
    }

    /// Decompresses `input` into memory that `grow` gives, and returns it with the output's size.
    ///
    /// The first piece has `first_size` bytes; as long as the output does not fit, the piece is
    /// dropped and one of twice the size is asked for, up to exactly `cap`. There is never more
    /// than one piece, so a bomb costs `cap` bytes and the codec's context. Larger pieces than
    /// asked for are used, but not past `cap`.
    ///
    /// # Errors
    ///
    /// [`InflateError::TooLarge`] if the output has more than `cap` bytes,
    /// [`InflateError::NoMemory`] if `grow` returns `None`, and [`InflateError::Corrupt`].
    pub fn inflate_capped<B: AsMut<[u8]>>(
        &mut self,
        codec: Codec,
        input: &[u8],
        first_size: usize,
        cap: usize,
        mut grow: impl FnMut(usize) -> Option<B>,
    ) -> Result<(B, usize), InflateError> {
        let mut size = first_size.min(cap);
        loop {
            let mut memory = grow(size).ok_or(InflateError::NoMemory)?;
            let out = memory.as_mut();
            let len = out.len().min(cap);
            match self.inflate(codec, input, out.get_mut(..len).unwrap_or_default()) {
                Ok(produced) => return Ok((memory, produced)),
                Err(InflateError::OutputTooSmall) if size.max(len) < cap => {
                    size = size.max(len).max(1).saturating_mul(2).min(cap);
                }
                Err(InflateError::OutputTooSmall) => return Err(InflateError::TooLarge { cap }),
                Err(error) => return Err(error),
            }
        }
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater")
            .field("has_gzip", &self.gzip.is_some())
            .field("has_zstd", &self.zstd.is_some())
            .finish()
    }
}

/// Returns what `input` declares or suggests about the size of its output.
///
/// Nothing in it can be trusted: a caller holds it to a cap before it sizes memory by it. It is
/// exact for honest snappy and for gzip of one member, exact for zstd and lz4 where the writer
/// declared the size, which Kafka's clients mostly do not; for lz4 it is a guess otherwise.
pub fn size_hint(codec: Codec, input: &[u8]) -> Option<usize> {
    match codec {
        Codec::None => Some(input.len()),
        Codec::Gzip => gzip::size_hint(input),
        Codec::Snappy => snappy::size_hint(input),
        Codec::Lz4 => lz4::size_hint(input),
        Codec::Zstd => zstd::size_hint(input),
    }
}

#[cfg(test)]
mod tests;
