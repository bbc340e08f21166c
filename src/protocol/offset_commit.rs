//! OffsetCommit: stores how far a group has come in its partitions.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::{ApiKey, ErrorCode};
use crate::wire::{EncodeError, Reader, Uuid, WireError, Writer};

/// Commits a group's offsets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetCommitRequest<'a> {
    /// The group.
    pub group_id: &'a str,
    /// The member's generation, v9+ (KIP-848): or its epoch; −1 for a commit by no member.
    pub generation_id_or_member_epoch: i32,
    /// The id that the coordinator gave the member, empty for a commit by no member.
    pub member_id: &'a str,
    /// v7+ (KIP-345): the `group.instance.id` of a static member.
    pub group_instance_id: Option<&'a str>,
    /// v2–4: how long the broker keeps the offsets, in ms, −1 for its own setting; ignorable.
    pub retention_time_ms: i64,
    /// The offsets, by topic.
    pub topics: Vec<OffsetCommitRequestTopic<'a>>,
}

impl Default for OffsetCommitRequest<'_> {
    fn default() -> Self {
        Self {
            group_id: "",
            generation_id_or_member_epoch: -1,
            member_id: "",
            group_instance_id: None,
            retention_time_ms: -1,
            topics: Vec::new(),
        }
    }
}

impl<'a> OffsetCommitRequest<'a> {
    /// Appends the request's body of `version` to `out`.
    ///
    /// # Errors
    /// Any [`EncodeError`].
    pub fn encode(&self, version: i16, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut w = ApiKey::OffsetCommit.writer(out, version)?;
        w.string(self.group_id)?;
        w.int32(self.generation_id_or_member_epoch);
        w.string(self.member_id)?;
        if version >= 7 {
            w.nullable_string(self.group_instance_id)?;
        } else {
            w.leave_out("group_instance_id", self.group_instance_id.is_none())?;
        }
        if version <= 4 {
            w.int64(self.retention_time_ms);
        }
        w.array(&self.topics, |w, topic| topic.encode(w, version))?;
        w.empty_tagged_fields();
        Ok(())
    }

    /// Reads the request's body of `version`.
    ///
    /// # Errors
    /// Any [`WireError`] but `Incomplete`.
    pub fn decode(body: &'a [u8], version: i16) -> Result<Self, WireError> {
        let mut r = ApiKey::OffsetCommit.reader(body, version)?;
        let min_bytes = OffsetCommitRequestTopic::MIN_BYTES;
        let request = Self {
            group_id: r.string()?,
            generation_id_or_member_epoch: r.int32()?,
            member_id: r.string()?,
            group_instance_id: if version >= 7 { r.nullable_string()? } else { None },
            retention_time_ms: if version <= 4 { r.int64()? } else { -1 },
            topics: r.array(min_bytes, |r| OffsetCommitRequestTopic::decode(r, version))?,
        };
        r.skip_tagged_fields()?;
        r.end()?;
        Ok(request)
    }
}

/// A topic whose offsets are committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetCommitRequestTopic<'a> {
    /// Up to v9: the topic's name; ignorable.
    pub name: &'a str,
    /// v10+: the topic's id; ignorable.
    pub topic_id: Uuid,
    /// The partitions.
    pub partitions: Vec<OffsetCommitRequestPartition<'a>>,
}

impl<'a> OffsetCommitRequestTopic<'a> {
    const MIN_BYTES: usize = 3;

    fn encode(&self, w: &mut Writer<'_>, version: i16) -> Result<(), EncodeError> {
        if version >= 10 {
            w.uuid(self.topic_id);
        } else {
            w.string(self.name)?;
        }
        w.array(&self.partitions, |w, partition| partition.encode(w, version))?;
        w.empty_tagged_fields();
        Ok(())
    }

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, WireError> {
        let mut topic = Self::default();
        if version >= 10 {
            topic.topic_id = r.uuid()?;
        } else {
            topic.name = r.string()?;
        }
        let min_bytes = OffsetCommitRequestPartition::MIN_BYTES;
        topic.partitions =
            r.array(min_bytes, |r| OffsetCommitRequestPartition::decode(r, version))?;
        r.skip_tagged_fields()?;
        Ok(topic)
    }
}

/// A partition and the offset that is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetCommitRequestPartition<'a> {
    /// The partition's number.
    pub partition_index: i32,
    /// The offset of the next record to process.
    pub committed_offset: i64,
    /// v6+ (KIP-320): the leader epoch of the last record processed, −1 for unknown; ignorable.
    pub committed_leader_epoch: i32,
    /// What the client wants to be kept along with the offset.
    pub committed_metadata: Option<&'a str>,
}

impl<'a> OffsetCommitRequestPartition<'a> {
    const MIN_BYTES: usize = 14;

    fn encode(&self, w: &mut Writer<'_>, version: i16) -> Result<(), EncodeError> {
        w.int32(self.partition_index);
        w.int64(self.committed_offset);
        if version >= 6 {
            w.int32(self.committed_leader_epoch);
        }
        w.nullable_string(self.committed_metadata)?;
        w.empty_tagged_fields();
        Ok(())
    }

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, WireError> {
        let partition = Self {
            partition_index: r.int32()?,
            committed_offset: r.int64()?,
            committed_leader_epoch: if version >= 6 { r.int32()? } else { -1 },
            committed_metadata: r.nullable_string()?,
        };
        r.skip_tagged_fields()?;
        Ok(partition)
    }
}

/// Which offsets are stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetCommitResponse<'a> {
    /// v3+: how long the client is throttled, in ms; ignorable.
    pub throttle_time_ms: i32,
    /// The partitions, by topic.
    pub topics: Vec<OffsetCommitResponseTopic<'a>>,
}

impl<'a> OffsetCommitResponse<'a> {
    /// Appends the response's body of `version` to `out`.
    ///
    /// # Errors
    /// Any [`EncodeError`].
    pub fn encode(&self, version: i16, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut w = ApiKey::OffsetCommit.writer(out, version)?;
        if version >= 3 {
            w.int32(self.throttle_time_ms);
        }
        w.array(&self.topics, |w, topic| topic.encode(w, version))?;
        w.empty_tagged_fields();
        Ok(())
    }

    /// Reads the response's body of `version`.
    ///
    /// # Errors
    /// Any [`WireError`] but `Incomplete`.
    pub fn decode(body: &'a [u8], version: i16) -> Result<Self, WireError> {
        let mut r = ApiKey::OffsetCommit.reader(body, version)?;
        let throttle_time_ms = if version >= 3 { r.int32()? } else { 0 };
        let min_bytes = OffsetCommitResponseTopic::MIN_BYTES;
        let topics = r.array(min_bytes, |r| OffsetCommitResponseTopic::decode(r, version))?;
        r.skip_tagged_fields()?;
        r.end()?;
        Ok(Self { throttle_time_ms, topics })
    }
}

/// A topic whose offsets were to be committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetCommitResponseTopic<'a> {
    /// Up to v9: the topic's name; ignorable.
    pub name: &'a str,
    /// v10+: the topic's id; ignorable.
    pub topic_id: Uuid,
    /// The partitions.
    pub partitions: Vec<OffsetCommitResponsePartition>,
}

impl<'a> OffsetCommitResponseTopic<'a> {
    const MIN_BYTES: usize = 3;

    fn encode(&self, w: &mut Writer<'_>, version: i16) -> Result<(), EncodeError> {
        if version >= 10 {
            w.uuid(self.topic_id);
        } else {
            w.string(self.name)?;
        }
        w.array(&self.partitions, |w, partition| partition.encode(w))?;
        w.empty_tagged_fields();
        Ok(())
    }

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, WireError> {
        let mut topic = Self::default();
        if version >= 10 {
            topic.topic_id = r.uuid()?;
        } else {
            topic.name = r.string()?;
        }
        let min_bytes = OffsetCommitResponsePartition::MIN_BYTES;
        topic.partitions = r.array(min_bytes, OffsetCommitResponsePartition::decode)?;
        r.skip_tagged_fields()?;
        Ok(topic)
    }
}

/// Whether a partition's offset is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OffsetCommitResponsePartition {
    /// The partition's number.
    pub partition_index: i32,
    /// Why the offset is not stored.
    pub error_code: ErrorCode,
}

impl OffsetCommitResponsePartition {
    const MIN_BYTES: usize = 6;

    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.int32(self.partition_index);
        w.int16(self.error_code.0);
        w.empty_tagged_fields();
        Ok(())
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let partition = Self { partition_index: r.int32()?, error_code: ErrorCode(r.int16()?) };
        r.skip_tagged_fields()?;
        Ok(partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition() -> OffsetCommitRequestPartition<'static> {
        OffsetCommitRequestPartition {
            partition_index: 0,
            committed_offset: 0,
            committed_leader_epoch: 7,
            committed_metadata: None,
        }
    }

    #[test]
    fn what_a_version_lacks_is_dropped_or_refused() {
        let topic = OffsetCommitRequestTopic {
            name: "t",
            topic_id: Uuid([1; 16]),
            partitions: vec![partition()],
        };
        let mut request = OffsetCommitRequest {
            group_instance_id: Some("i"),
            retention_time_ms: 9,
            topics: vec![topic],
            ..OffsetCommitRequest::default()
        };
        let refused = Err(EncodeError::NotInVersion { field: "group_instance_id" });
        assert_eq!(request.encode(6, &mut Vec::new()), refused);
        assert_eq!(request.encode(7, &mut Vec::new()), Ok(()));
        request.group_instance_id = None;
        let mut body = Vec::new();
        request.encode(5, &mut body).unwrap();
        request.retention_time_ms = -1;
        request.topics[0].topic_id = Uuid::ZERO;
        request.topics[0].partitions[0].committed_leader_epoch = -1;
        assert_eq!(OffsetCommitRequest::decode(&body, 5), Ok(request));
    }

    #[test]
    fn version_10_has_the_topic_id_in_the_place_of_the_name() {
        let topic = OffsetCommitResponseTopic {
            name: "t",
            topic_id: Uuid([1; 16]),
            partitions: Vec::new(),
        };
        let mut response = OffsetCommitResponse { throttle_time_ms: 0, topics: vec![topic] };
        let mut body = Vec::new();
        response.encode(10, &mut body).unwrap();
        response.topics[0].name = "";
        assert_eq!(OffsetCommitResponse::decode(&body, 10), Ok(response));
    }

    #[test]
    fn least_bytes_are_those_of_the_smallest_element() {
        let api = ApiKey::OffsetCommit;
        let topic = OffsetCommitRequestTopic::default();
        let least = api.least_bytes(2, |w, version| topic.encode(w, version));
        assert_eq!(least, Some(OffsetCommitRequestTopic::MIN_BYTES));
        let least = api.least_bytes(2, |w, version| partition().encode(w, version));
        assert_eq!(least, Some(OffsetCommitRequestPartition::MIN_BYTES));
        let topic = OffsetCommitResponseTopic::default();
        let least = api.least_bytes(2, |w, version| topic.encode(w, version));
        assert_eq!(least, Some(OffsetCommitResponseTopic::MIN_BYTES));
        let partition = OffsetCommitResponsePartition::default();
        let least = api.least_bytes(2, |w, _| partition.encode(w));
        assert_eq!(least, Some(OffsetCommitResponsePartition::MIN_BYTES));
    }
}
