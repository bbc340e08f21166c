//! Compression as Kafka's Java client does it.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::fmt;

use flate2::{Compress, Compression};
use lz4_flex::block::CompressTable;
use snap::raw::Encoder;
use zstd_safe::CCtx;

use super::{Codec, gzip, lz4, snappy, zstd};

/// Java's default for `compression.lz4.level`: the fast compressor, the one there is here.
const LZ4_LEVEL_FAST: i32 = 9;

/// Why bytes were not compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeflateError {
    /// When the codec has no such level, or none that is built.
    #[error("{codec} has no compression level {level} here")]
    Level {
        /// The codec.
        codec: Codec,
        /// The level asked for.
        level: i32,
    },
    /// When the codec's library failed: there was no memory for its context.
    #[error("{0} could not compress a batch")]
    Failed(Codec),
}

/// Compresses batches; keeps the codecs' contexts, which are made on first use.
#[derive(Default)]
pub struct Deflater {
    gzip: Option<(Compression, Compress)>,
    snappy: Option<Encoder>,
    lz4: Option<CompressTable>,
    zstd: Option<CCtx<'static>>,
}

impl Deflater {
    /// Makes a deflater that has no memory yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the compressed form of `input` to `out`; [`Codec::None`] copies.
    ///
    /// `level` is what `compression.gzip.level` (1–9, −1) or `compression.zstd.level` take; for lz4
    /// it may be 9, Java's default, and for snappy there is none.
    ///
    /// # Errors
    ///
    /// [`DeflateError::Level`] for another level, with `out` as it was; [`DeflateError::Failed`]
    /// leaves rubbish behind the bytes that `out` had.
    pub fn deflate(
        &mut self,
        codec: Codec,
        level: Option<i32>,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), DeflateError> {
        let no_level = DeflateError::Level { codec, level: level.unwrap_or_default() };
        let done = match codec {
            Codec::None => {
                out.extend_from_slice(input);
                true
            }
            Codec::Gzip => {
                let level = gzip::level(level).ok_or(no_level)?;
                gzip::deflate(self.gzip_stream(level), input, out)
            }
            Codec::Snappy if level.is_none() => {
                snappy::deflate(self.snappy.get_or_insert_with(Encoder::new), input, out)
            }
            Codec::Lz4 if level.is_none_or(|level| level == LZ4_LEVEL_FAST) => {
                lz4::deflate(self.lz4.get_or_insert_with(CompressTable::large), input, out)
            }
            Codec::Snappy | Codec::Lz4 => return Err(no_level),
            Codec::Zstd => {
                let level = zstd::level(level).ok_or(no_level)?;
                if self.zstd.is_none() {
                    self.zstd = CCtx::try_create();
                }
                let context = self.zstd.as_mut().ok_or(DeflateError::Failed(codec))?;
                zstd::deflate(context, level, input, out)
            }
        };
        if done { Ok(()) } else { Err(DeflateError::Failed(codec)) }
    }

    /// Returns a deflate stream of this level that has seen no byte.
    fn gzip_stream(&mut self, level: Compression) -> &mut Compress {
        let (_, stream) = match self.gzip.take() {
            Some((old, mut stream)) if old == level => {
                stream.reset();
                self.gzip.insert((level, stream))
            }
            _ => self.gzip.insert((level, Compress::new(level, false))),
        };
        stream
    }
}

impl fmt::Debug for Deflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflater")
            .field("has_gzip", &self.gzip.is_some())
            .field("has_lz4", &self.lz4.is_some())
            .field("has_zstd", &self.zstd.is_some())
            .finish_non_exhaustive()
    }
}
