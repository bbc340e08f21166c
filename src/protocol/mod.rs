//! Kafka's messages: one file for each API, both directions, at every version kfetch speaks.
//!
//! A decode borrows from the body it is given, checks every count against the bytes left, and
//! gives the default for each field that the version lacks; bytes behind the last field are an
//! error. An encode appends to a vector; a field that the version lacks is dropped where Kafka
//! calls it ignorable, else it must have its default. Unknown tagged fields are skipped. What a
//! decode allocates is bounded by a small multiple of the body: the ratio of a structure's size in
//! memory to its least size on the wire.
//!
//! To add an API: a variant with its rows in [`ApiKey`], and a file with a struct for each
//! structure of Kafka's message definition, in its order and with its names.
//!
//! Nothing here sends, waits or keeps state, except [`fetch::FetchDecoder`], which is a machine
//! without IO over one answer. Any thread.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

pub mod api_versions;
pub mod fetch;
pub mod list_offsets;
pub mod metadata;

mod error_code;
mod header;

pub use error_code::ErrorCode;
pub use header::{ApiKey, RequestHeader, ResponseHeader, VersionRange, write_frame};
