//! Kafka's primitive types: a checked cursor over received bytes, and a writer that appends.
//!
//! A [`Reader`] borrows what it reads, checks every length against the bytes that are there, and
//! never allocates by a count that a peer sent without having checked it. A [`Writer`] appends the
//! same types to a `Vec<u8>`. Both are told whether the message is of a flexible version (KIP-482):
//! then strings, bytes and arrays are compact and structures end in tagged fields.
//!
//! Which fields a message has is not known here; that is the `protocol` layer. Records have a
//! cursor of their own. Any thread; nothing is shared.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod int32_array;
mod reader;
mod uuid;
mod writer;

pub use int32_array::{Int32Array, Int32Iter};
pub use reader::{Reader, WireError};
pub use uuid::Uuid;
pub use writer::{EncodeError, TaggedFields, Writer};
