//! OffsetDelete: a group forgets its committed offsets of partitions (KIP-496).

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::{ApiKey, ErrorCode};
use crate::wire::{EncodeError, Reader, WireError, Writer};

/// Asks a group's coordinator to delete offsets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetDeleteRequest<'a> {
    /// The group.
    pub group_id: &'a str,
    /// The partitions, by topic.
    pub topics: Vec<OffsetDeleteRequestTopic<'a>>,
}

impl<'a> OffsetDeleteRequest<'a> {
    /// Appends the request's body of `version` to `out`.
    ///
    /// # Errors
    /// Any [`EncodeError`].
    pub fn encode(&self, version: i16, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut w = ApiKey::OffsetDelete.writer(out, version)?;
        w.string(self.group_id)?;
        w.array(&self.topics, |w, topic| topic.encode(w))
    }

    /// Reads the request's body of `version`.
    ///
    /// # Errors
    /// Any [`WireError`] but `Incomplete`.
    pub fn decode(body: &'a [u8], version: i16) -> Result<Self, WireError> {
        let mut r = ApiKey::OffsetDelete.reader(body, version)?;
        let request = Self {
            group_id: r.string()?,
            topics: r
                .array(OffsetDeleteRequestTopic::MIN_BYTES, OffsetDeleteRequestTopic::decode)?,
        };
        r.end()?;
        Ok(request)
    }
}

/// The partitions of a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetDeleteRequestTopic<'a> {
    /// The topic's name.
    pub name: &'a str,
    /// The partitions.
    pub partitions: Vec<OffsetDeleteRequestPartition>,
}

impl<'a> OffsetDeleteRequestTopic<'a> {
    const MIN_BYTES: usize = 6;

    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.string(self.name)?;
        w.array(&self.partitions, |w, partition| {
            w.int32(partition.partition_index);
            Ok(())
        })
    }

    fn decode(r: &mut Reader<'a>) -> Result<Self, WireError> {
        let partition =
            |r: &mut Reader<'a>| Ok(OffsetDeleteRequestPartition { partition_index: r.int32()? });
        Ok(Self { name: r.string()?, partitions: r.array(4, partition)? })
    }
}

/// A partition whose offset goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OffsetDeleteRequestPartition {
    /// The partition's number.
    pub partition_index: i32,
}

/// What became of the offsets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetDeleteResponse<'a> {
    /// What is wrong with the group: GROUP_ID_NOT_FOUND, or NON_EMPTY_GROUP for one with members
    /// that are no consumers.
    pub error_code: ErrorCode,
    /// How long the client is throttled, in ms.
    pub throttle_time_ms: i32,
    /// Each partition of the request, by topic; none with an error of the group.
    pub topics: Vec<OffsetDeleteResponseTopic<'a>>,
}

impl<'a> OffsetDeleteResponse<'a> {
    /// Appends the response's body of `version` to `out`.
    ///
    /// # Errors
    /// Any [`EncodeError`].
    pub fn encode(&self, version: i16, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut w = ApiKey::OffsetDelete.writer(out, version)?;
        w.int16(self.error_code.0);
        w.int32(self.throttle_time_ms);
        w.array(&self.topics, |w, topic| topic.encode(w))
    }

    /// Reads the response's body of `version`.
    ///
    /// # Errors
    /// Any [`WireError`] but `Incomplete`.
    pub fn decode(body: &'a [u8], version: i16) -> Result<Self, WireError> {
        let mut r = ApiKey::OffsetDelete.reader(body, version)?;
        let min_bytes = OffsetDeleteResponseTopic::MIN_BYTES;
        let response = Self {
            error_code: ErrorCode(r.int16()?),
            throttle_time_ms: r.int32()?,
            topics: r.array(min_bytes, OffsetDeleteResponseTopic::decode)?,
        };
        r.end()?;
        Ok(response)
    }
}

/// What became of a topic's offsets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetDeleteResponseTopic<'a> {
    /// The topic's name.
    pub name: &'a str,
    /// The partitions.
    pub partitions: Vec<OffsetDeleteResponsePartition>,
}

impl<'a> OffsetDeleteResponseTopic<'a> {
    const MIN_BYTES: usize = 6;

    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.string(self.name)?;
        w.array(&self.partitions, |w, partition| {
            w.int32(partition.partition_index);
            w.int16(partition.error_code.0);
            Ok(())
        })
    }

    fn decode(r: &mut Reader<'a>) -> Result<Self, WireError> {
        let partition = |r: &mut Reader<'a>| {
            let (partition_index, error_code) = (r.int32()?, ErrorCode(r.int16()?));
            Ok(OffsetDeleteResponsePartition { partition_index, error_code })
        };
        Ok(Self { name: r.string()?, partitions: r.array(6, partition)? })
    }
}

/// What became of a partition's offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OffsetDeleteResponsePartition {
    /// The partition's number.
    pub partition_index: i32,
    /// Why the offset stays: GROUP_SUBSCRIBED_TO_TOPIC where a member reads the topic.
    pub error_code: ErrorCode,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn least_bytes_are_those_of_the_smallest_element() {
        let topic = OffsetDeleteRequestTopic::default();
        let least = ApiKey::OffsetDelete.least_bytes(0, |w, _| topic.encode(w));
        assert_eq!(least, Some(OffsetDeleteRequestTopic::MIN_BYTES));
        let topic = OffsetDeleteResponseTopic::default();
        let least = ApiKey::OffsetDelete.least_bytes(0, |w, _| topic.encode(w));
        assert_eq!(least, Some(OffsetDeleteResponseTopic::MIN_BYTES));
    }

    #[test]
    fn there_is_one_version() {
        let unsupported = Err(EncodeError::UnsupportedVersion { version: 1 });
        assert_eq!(OffsetDeleteRequest::default().encode(1, &mut Vec::new()), unsupported);
        assert_eq!(OffsetDeleteResponse::default().encode(1, &mut Vec::new()), unsupported);
    }
}
