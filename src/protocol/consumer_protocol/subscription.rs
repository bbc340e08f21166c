//! What a member wants, as it tells the group's leader.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::TopicPartitions;
use super::version::{read_version, write_version};
use crate::wire::{EncodeError, Reader, WireError, Writer};

/// A member's subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerProtocolSubscription<'a> {
    /// The topics that the member wants.
    pub topics: Vec<&'a str>,
    /// What the member's assignor tells the leader's.
    pub user_data: Option<&'a [u8]>,
    /// v1+ (KIP-429): the partitions that the member owns; ignorable.
    pub owned_partitions: Vec<TopicPartitions<'a>>,
    /// v2+ (KIP-792): the generation in which it owned them, −1 where it is not known; ignorable.
    pub generation_id: i32,
    /// v3+ (KIP-881): the member's `client.rack`; ignorable.
    pub rack_id: Option<&'a str>,
}

impl<'a> ConsumerProtocolSubscription<'a> {
    const TOPIC_MIN_BYTES: usize = 2;

    /// Appends `version` and the subscription in it to `out`.
    ///
    /// # Errors
    /// Any [`EncodeError`] but `NotInVersion`.
    pub fn encode(&self, version: i16, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut w = Writer::new(out);
        write_version(&mut w, version)?;
        w.array(&self.topics, |w, topic| w.string(topic))?;
        w.nullable_bytes(self.user_data)?;
        if version >= 1 {
            w.array(&self.owned_partitions, |w, owned| owned.encode(w))?;
        }
        if version >= 2 {
            w.int32(self.generation_id);
        }
        if version >= 3 {
            w.nullable_string(self.rack_id)?;
        }
        Ok(())
    }

    /// Reads the version and the subscription behind it.
    ///
    /// # Errors
    /// Any [`WireError`] but `Incomplete` and `TrailingBytes`.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        let version = read_version(&mut r)?;
        Ok(Self {
            topics: r.array(Self::TOPIC_MIN_BYTES, Reader::string)?,
            user_data: r.nullable_bytes()?,
            owned_partitions: if version >= 1 {
                r.array(TopicPartitions::MIN_BYTES, TopicPartitions::decode)?
            } else {
                Vec::new()
            },
            generation_id: if version >= 2 { r.int32()? } else { -1 },
            rack_id: if version >= 3 { r.nullable_string()? } else { None },
        })
    }
}

impl Default for ConsumerProtocolSubscription<'_> {
    fn default() -> Self {
        Self {
            topics: Vec::new(),
            user_data: None,
            owned_partitions: Vec::new(),
            generation_id: -1,
            rack_id: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::VERSION_MAX;
    use super::*;

    #[test]
    fn a_later_version_is_read_as_the_highest_known() {
        let subscription = ConsumerProtocolSubscription {
            topics: vec!["t"],
            rack_id: Some("r"),
            ..ConsumerProtocolSubscription::default()
        };
        let mut bytes = Vec::new();
        subscription.encode(VERSION_MAX, &mut bytes).unwrap();
        bytes[..2].copy_from_slice(&i16::MAX.to_be_bytes());
        bytes.extend_from_slice(b"of a later version");
        assert_eq!(ConsumerProtocolSubscription::decode(&bytes), Ok(subscription));
    }

    #[test]
    fn a_version_below_zero_is_refused() {
        let refused = Err(WireError::UnsupportedVersion { version: -1 });
        assert_eq!(ConsumerProtocolSubscription::decode(&[0xFF; 40]), refused);
        let subscription = ConsumerProtocolSubscription::default();
        for version in [-1, VERSION_MAX + 1] {
            let refused = Err(EncodeError::UnsupportedVersion { version });
            assert_eq!(subscription.encode(version, &mut Vec::new()), refused);
        }
    }

    #[test]
    fn counts_beyond_the_bytes_are_refused_before_memory_is_taken() {
        let bytes = [0, 1, 0x7F, 0xFF, 0xFF, 0xFF, 0, 0];
        let refused = Err(WireError::CountTooLarge { count: 0x7FFF_FFFF, bytes_left: 2 });
        assert_eq!(ConsumerProtocolSubscription::decode(&bytes), refused);
    }
}
