//! Partitions of one topic.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use crate::wire::{EncodeError, Int32Array, Reader, WireError, Writer};

/// Partitions of one topic. A topic may stand in several of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TopicPartitions<'a> {
    /// The topic's name.
    pub topic: &'a str,
    /// The partitions, as another member wrote them: any number, any order.
    pub partitions: Int32Array<'a>,
}

impl<'a> TopicPartitions<'a> {
    pub(super) const MIN_BYTES: usize = 6;

    pub(super) fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.string(self.topic)?;
        w.int32_array(self.partitions)
    }

    pub(super) fn decode(r: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(Self { topic: r.string()?, partitions: r.int32_array()? })
    }
}
