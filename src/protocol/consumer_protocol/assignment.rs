//! What a member gets, as the group's leader tells it.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::TopicPartitions;
use super::version::{read_version, write_version};
use crate::wire::{EncodeError, Reader, WireError, Writer};

/// A member's assignment. All versions have the same fields: they are numbered together with the
/// subscription's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsumerProtocolAssignment<'a> {
    /// The partitions that are the member's from now on.
    pub assigned_partitions: Vec<TopicPartitions<'a>>,
    /// What the leader's assignor tells the member's.
    pub user_data: Option<&'a [u8]>,
}

impl<'a> ConsumerProtocolAssignment<'a> {
    /// Appends `version` and the assignment to `out`.
    ///
    /// # Errors
    /// Any [`EncodeError`] but `NotInVersion`.
    pub fn encode(&self, version: i16, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut w = Writer::new(out);
        write_version(&mut w, version)?;
        w.array(&self.assigned_partitions, |w, assigned| assigned.encode(w))?;
        w.nullable_bytes(self.user_data)
    }

    /// Reads the version and the assignment behind it. The bytes of a member that the leader left
    /// out are empty, which is an error as well.
    ///
    /// # Errors
    /// Any [`WireError`] but `Incomplete` and `TrailingBytes`.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        read_version(&mut r)?;
        Ok(Self {
            assigned_partitions: r.array(TopicPartitions::MIN_BYTES, TopicPartitions::decode)?,
            user_data: r.nullable_bytes()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_at_all_is_no_assignment() {
        let refused = Err(WireError::Truncated { missing: 2 });
        assert_eq!(ConsumerProtocolAssignment::decode(&[]), refused);
        let mut bytes = Vec::new();
        ConsumerProtocolAssignment::default().encode(0, &mut bytes).unwrap();
        assert_eq!(bytes, [0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]);
    }
}
