//! Compression of record batches: gzip, snappy, lz4 and zstd, as Kafka's clients write them.
//!
//! [`Inflater`] reads all four into memory that the caller owns and never writes past it;
//! [`Inflater::inflate_capped`] grows that memory up to a cap. What a stream declares about its
//! size is a hint and nothing is allocated because of it. [`Deflater`] writes what Kafka's Java
//! client writes and reads.
//!
//! The streams are untrusted: damage is an error, never a panic, and no byte that the memory held
//! before is ever part of a result. The checksum of the batch is not this module's affair.
//!
//! An inflater and a deflater each keep their codecs' working memory (about 40 KiB for gzip,
//! 160 KiB for zstd; one that compresses needs more), so a thread has one and uses it again.

mod deflater;
mod gzip;
mod id;
mod inflater;
mod lz4;
mod snappy;
mod xxh32;
mod zstd;

pub use deflater::{DeflateError, Deflater};
pub use id::Codec;
pub use inflater::{InflateError, Inflater, size_hint};
