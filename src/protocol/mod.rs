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
//! structure of Kafka's message definition, in its order and with its names. Where a version put
//! an array in the place of one coordinator, member or group, the struct has the array alone; a
//! version before it carries exactly one element, and what it lacks of that element is default.
//!
//! Nothing here sends, waits or keeps state, except [`fetch::FetchDecoder`], which is a machine
//! without IO over one answer. Any thread.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

pub mod api_versions;
pub mod consumer_protocol;
pub mod describe_groups;
pub mod fetch;
pub mod find_coordinator;
pub mod heartbeat;
pub mod join_group;
pub mod leave_group;
pub mod list_groups;
pub mod list_offsets;
pub mod metadata;
pub mod offset_commit;
pub mod offset_delete;
pub mod offset_fetch;
pub mod sync_group;

mod error_code;
mod header;

pub use error_code::ErrorCode;
pub use header::{ApiKey, RequestHeader, ResponseHeader, VersionRange, write_frame};
