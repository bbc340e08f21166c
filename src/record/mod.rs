//! Record batches of format v2: header, checksum, records, compression, and how they are built.
//!
//! Everything here works on bytes that the caller holds and copies none of them: a batch is
//! described by its [`BatchHeader`], and [`BatchCursor`] turns its records into plain
//! [`Descriptor`]s that say where in the caller's slice key, value and headers lie. Compressed
//! batches go through an [`Inflater`] first, which writes into memory that the caller owns.
//!
//! No byte from a broker or a file makes this module panic, read out of bounds, or allocate more
//! than what the bytes at hand justify: counts and declared sizes are hints, lengths are checked.
//! Formats v0 and v1 are not read here; their magic is an error that names it.
//!
//! Nothing here starts a thread, takes a lock or looks at a clock; any thread may call, one at a
//! time for each cursor, inflater or builder.

mod batch;
mod builder;
pub mod codec;
mod control;
mod entry;
mod iter;
mod shape;
mod varint;

pub use batch::{
    BatchError, BatchHeader, HEADER_LEN, LOG_OVERHEAD, MAGIC_V2, TimestampType, batch_crc,
    verify_crc,
};
pub use builder::{BatchBuilder, BatchOptions, BuildError, NewRecord};
pub use codec::{Codec, Deflater, InflateError, Inflater};
pub use control::{ControlError, ControlKey, ControlType};
pub use entry::{Descriptor, Header, Headers};
pub use iter::{BatchCursor, DecodeLimits, Decoded, RecordError, RecordErrorKind};
