//! What Java's `StickyAssignor` puts into the user data of a subscription.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::TopicPartitions;
use crate::wire::{EncodeError, Reader, WireError, Writer};

/// The partitions that a member had when it wrote its subscription. The bytes have no version:
/// what has no generation behind the partitions is of the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StickyUserData<'a> {
    /// The partitions.
    pub previous_assignment: Vec<TopicPartitions<'a>>,
    /// v1+: the generation in which they were assigned (KIP-341).
    pub generation: Option<i32>,
}

impl<'a> StickyUserData<'a> {
    /// Appends the user data to `out`, as v0 where there is no generation.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`].
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut w = Writer::new(out);
        w.array(&self.previous_assignment, |w, topic| topic.encode(w))?;
        if let Some(generation) = self.generation {
            w.int32(generation);
        }
        Ok(())
    }

    /// Reads user data; bytes behind it are left alone.
    ///
    /// # Errors
    /// Any [`WireError`] but `Incomplete` and `TrailingBytes`.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        Ok(Self {
            previous_assignment: r.array(TopicPartitions::MIN_BYTES, TopicPartitions::decode)?,
            generation: r.int32().ok(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Int32Array;

    #[test]
    fn the_generation_is_there_from_the_second_version_on() {
        let topic = TopicPartitions { topic: "t", partitions: Int32Array::Values(&[4]) };
        for generation in [None, Some(7)] {
            let data = StickyUserData { previous_assignment: vec![topic], generation };
            let mut bytes = Vec::new();
            data.encode(&mut bytes).unwrap();
            assert_eq!(StickyUserData::decode(&bytes), Ok(data.clone()));
            bytes.extend_from_slice(&[0; 3]);
            assert_eq!(StickyUserData::decode(&bytes), Ok(data));
        }
    }
}
