//! OffsetFetch: how far groups have come; several groups in one request since KIP-709.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::{ApiKey, ErrorCode};
use crate::wire::{EncodeError, Int32Array, Reader, Uuid, WireError, Writer};

/// Asks a coordinator for committed offsets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetFetchRequest<'a> {
    /// The groups whose offsets are asked for; below v8 exactly one.
    pub groups: Vec<OffsetFetchRequestGroup<'a>>,
    /// v7+ (KIP-447): whether the broker answers UNSTABLE_OFFSET_COMMIT for a partition that has
    /// offsets of an open transaction.
    pub require_stable: bool,
}

impl<'a> OffsetFetchRequest<'a> {
    /// Appends the request's body of `version` to `out`.
    ///
    /// # Errors
    /// Any [`EncodeError`].
    pub fn encode(&self, version: i16, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut w = ApiKey::OffsetFetch.writer(out, version)?;
        if version >= 8 {
            w.array(&self.groups, |w, group| {
                group.encode(w, version)?;
                w.empty_tagged_fields();
                Ok(())
            })?;
        } else {
            let [group] = self.groups.as_slice() else {
                return Err(EncodeError::NotInVersion { field: "groups" });
            };
            group.encode(&mut w, version)?;
        }
        if version >= 7 {
            w.boolean(self.require_stable);
        } else {
            w.leave_out("require_stable", !self.require_stable)?;
        }
        w.empty_tagged_fields();
        Ok(())
    }

    /// Reads the request's body of `version`.
    ///
    /// # Errors
    /// Any [`WireError`] but `Incomplete`.
    pub fn decode(body: &'a [u8], version: i16) -> Result<Self, WireError> {
        let mut r = ApiKey::OffsetFetch.reader(body, version)?;
        let groups = if version >= 8 {
            r.array(OffsetFetchRequestGroup::MIN_BYTES, |r| {
                let group = OffsetFetchRequestGroup::decode(r, version)?;
                r.skip_tagged_fields()?;
                Ok(group)
            })?
        } else {
            let group = OffsetFetchRequestGroup::decode(&mut r, version)?;
            vec![group]
        };
        let require_stable = if version >= 7 { r.boolean()? } else { false };
        r.skip_tagged_fields()?;
        r.end()?;
        Ok(Self { groups, require_stable })
    }
}

/// A group whose offsets are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetFetchRequestGroup<'a> {
    /// The group.
    pub group_id: &'a str,
    /// v9+ (KIP-848): the id of the member that asks; ignorable.
    pub member_id: Option<&'a str>,
    /// v9+ (KIP-848): the epoch of the member that asks, −1 for none; ignorable.
    pub member_epoch: i32,
    /// The topics; v2+: `None` for all that have offsets.
    pub topics: Option<Vec<OffsetFetchRequestTopic<'a>>>,
}

impl Default for OffsetFetchRequestGroup<'_> {
    fn default() -> Self {
        Self { group_id: "", member_id: None, member_epoch: -1, topics: Some(Vec::new()) }
    }
}

/// Both without the tagged fields: below v8 these are fields of the request itself.
impl<'a> OffsetFetchRequestGroup<'a> {
    const MIN_BYTES: usize = 3;

    fn encode(&self, w: &mut Writer<'_>, version: i16) -> Result<(), EncodeError> {
        w.string(self.group_id)?;
        if version >= 9 {
            w.nullable_string(self.member_id)?;
            w.int32(self.member_epoch);
        }
        if version < 2 {
            w.leave_out("topics", self.topics.is_some())?;
        }
        w.nullable_array(self.topics.as_deref(), |w, topic| topic.encode(w, version))
    }

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, WireError> {
        let mut group = Self { group_id: r.string()?, ..Self::default() };
        if version >= 9 {
            group.member_id = r.nullable_string()?;
            group.member_epoch = r.int32()?;
        }
        let min_bytes = OffsetFetchRequestTopic::MIN_BYTES;
        group.topics =
            r.nullable_array(min_bytes, |r| OffsetFetchRequestTopic::decode(r, version))?;
        if version < 2 && group.topics.is_none() {
            return Err(WireError::UnexpectedNull);
        }
        Ok(group)
    }
}

/// A topic whose offsets are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OffsetFetchRequestTopic<'a> {
    /// Up to v9: the topic's name; ignorable in v10.
    pub name: &'a str,
    /// v10+: the topic's id; ignorable.
    pub topic_id: Uuid,
    /// The numbers of the partitions.
    pub partition_indexes: Int32Array<'a>,
}

impl<'a> OffsetFetchRequestTopic<'a> {
    const MIN_BYTES: usize = 3;

    fn encode(&self, w: &mut Writer<'_>, version: i16) -> Result<(), EncodeError> {
        if version >= 10 {
            w.uuid(self.topic_id);
        } else {
            w.string(self.name)?;
        }
        w.int32_array(self.partition_indexes)?;
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
        topic.partition_indexes = r.int32_array()?;
        r.skip_tagged_fields()?;
        Ok(topic)
    }
}

/// The offsets that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetFetchResponse<'a> {
    /// v3+: how long the client is throttled, in ms; ignorable.
    pub throttle_time_ms: i32,
    /// The groups; below v8 exactly one.
    pub groups: Vec<OffsetFetchResponseGroup<'a>>,
}

impl<'a> OffsetFetchResponse<'a> {
    /// Appends the response's body of `version` to `out`.
    ///
    /// # Errors
    /// Any [`EncodeError`].
    pub fn encode(&self, version: i16, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut w = ApiKey::OffsetFetch.writer(out, version)?;
        if version >= 3 {
            w.int32(self.throttle_time_ms);
        }
        if version >= 8 {
            w.array(&self.groups, |w, group| {
                w.string(group.group_id)?;
                group.encode(w, version)?;
                w.empty_tagged_fields();
                Ok(())
            })?;
        } else {
            let [group] = self.groups.as_slice() else {
                return Err(EncodeError::NotInVersion { field: "groups" });
            };
            group.encode(&mut w, version)?;
        }
        w.empty_tagged_fields();
        Ok(())
    }

    /// Reads the response's body of `version`.
    ///
    /// # Errors
    /// Any [`WireError`] but `Incomplete`.
    pub fn decode(body: &'a [u8], version: i16) -> Result<Self, WireError> {
        let mut r = ApiKey::OffsetFetch.reader(body, version)?;
        let throttle_time_ms = if version >= 3 { r.int32()? } else { 0 };
        let groups = if version >= 8 {
            r.array(OffsetFetchResponseGroup::MIN_BYTES, |r| {
                let group_id = r.string()?;
                let group = OffsetFetchResponseGroup::decode(r, group_id, version)?;
                r.skip_tagged_fields()?;
                Ok(group)
            })?
        } else {
            let group = OffsetFetchResponseGroup::decode(&mut r, "", version)?;
            vec![group]
        };
        r.skip_tagged_fields()?;
        r.end()?;
        Ok(Self { throttle_time_ms, groups })
    }
}

/// A group whose offsets were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetFetchResponseGroup<'a> {
    /// v8+: the group; dropped below v8, where the request has just one.
    pub group_id: &'a str,
    /// The partitions, by topic.
    pub topics: Vec<OffsetFetchResponseTopic<'a>>,
    /// v2+: what is wrong with the group as a whole; ignorable. In v1 each partition has it.
    pub error_code: ErrorCode,
}

/// Both without group id and tagged fields: below v8 these are fields of the response itself.
impl<'a> OffsetFetchResponseGroup<'a> {
    const MIN_BYTES: usize = 5;

    fn encode(&self, w: &mut Writer<'_>, version: i16) -> Result<(), EncodeError> {
        w.array(&self.topics, |w, topic| topic.encode(w, version))?;
        if version >= 2 {
            w.int16(self.error_code.0);
        }
        Ok(())
    }

    fn decode(r: &mut Reader<'a>, group_id: &'a str, version: i16) -> Result<Self, WireError> {
        let min_bytes = OffsetFetchResponseTopic::MIN_BYTES;
        let topics = r.array(min_bytes, |r| OffsetFetchResponseTopic::decode(r, version))?;
        let error_code = if version >= 2 { ErrorCode(r.int16()?) } else { ErrorCode::NONE };
        Ok(Self { group_id, topics, error_code })
    }
}

/// A topic whose offsets were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetFetchResponseTopic<'a> {
    /// Up to v9: the topic's name; ignorable in v10.
    pub name: &'a str,
    /// v10+: the topic's id; ignorable.
    pub topic_id: Uuid,
    /// The partitions.
    pub partitions: Vec<OffsetFetchResponsePartition<'a>>,
}

impl<'a> OffsetFetchResponseTopic<'a> {
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
        let min_bytes = OffsetFetchResponsePartition::MIN_BYTES;
        topic.partitions =
            r.array(min_bytes, |r| OffsetFetchResponsePartition::decode(r, version))?;
        r.skip_tagged_fields()?;
        Ok(topic)
    }
}

/// A partition and the offset that was committed last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetFetchResponsePartition<'a> {
    /// The partition's number.
    pub partition_index: i32,
    /// The offset of the next record to process, −1 where none was committed.
    pub committed_offset: i64,
    /// v5+ (KIP-320): the leader epoch of the last record processed, −1 for unknown; ignorable.
    pub committed_leader_epoch: i32,
    /// What the client wanted to be kept along with the offset.
    pub metadata: Option<&'a str>,
    /// What is wrong with the partition.
    pub error_code: ErrorCode,
}

impl<'a> OffsetFetchResponsePartition<'a> {
    const MIN_BYTES: usize = 16;

    fn encode(&self, w: &mut Writer<'_>, version: i16) -> Result<(), EncodeError> {
        w.int32(self.partition_index);
        w.int64(self.committed_offset);
        if version >= 5 {
            w.int32(self.committed_leader_epoch);
        }
        w.nullable_string(self.metadata)?;
        w.int16(self.error_code.0);
        w.empty_tagged_fields();
        Ok(())
    }

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, WireError> {
        let partition = Self {
            partition_index: r.int32()?,
            committed_offset: r.int64()?,
            committed_leader_epoch: if version >= 5 { r.int32()? } else { -1 },
            metadata: r.nullable_string()?,
            error_code: ErrorCode(r.int16()?),
        };
        r.skip_tagged_fields()?;
        Ok(partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(field: &'static str) -> Result<(), EncodeError> {
        Err(EncodeError::NotInVersion { field })
    }

    #[test]
    fn versions_below_8_carry_exactly_one_group() {
        for count in [0, 2] {
            let groups = vec![OffsetFetchRequestGroup::default(); count];
            let request = OffsetFetchRequest { groups, require_stable: false };
            assert_eq!(request.encode(7, &mut Vec::new()), refused("groups"));
            assert_eq!(request.encode(8, &mut Vec::new()), Ok(()));
            let groups = vec![OffsetFetchResponseGroup::default(); count];
            let response = OffsetFetchResponse { throttle_time_ms: 0, groups };
            assert_eq!(response.encode(7, &mut Vec::new()), refused("groups"));
            assert_eq!(response.encode(8, &mut Vec::new()), Ok(()));
        }
    }

    #[test]
    fn stable_offsets_and_all_topics_are_refused_where_the_version_lacks_them() {
        let all = OffsetFetchRequestGroup { topics: None, ..Default::default() };
        let mut request = OffsetFetchRequest { groups: vec![all], require_stable: true };
        assert_eq!(request.encode(6, &mut Vec::new()), refused("require_stable"));
        assert_eq!(request.encode(7, &mut Vec::new()), Ok(()));
        request.require_stable = false;
        assert_eq!(request.encode(1, &mut Vec::new()), refused("topics"));
        let mut body = Vec::new();
        request.encode(2, &mut body).unwrap();
        assert_eq!(OffsetFetchRequest::decode(&body, 2), Ok(request));
        assert_eq!(OffsetFetchRequest::decode(&body, 1), Err(WireError::UnexpectedNull));
    }

    #[test]
    fn version_1_drops_the_error_of_the_group() {
        let error_code = ErrorCode::NOT_COORDINATOR;
        let group = OffsetFetchResponseGroup { error_code, ..Default::default() };
        let response = OffsetFetchResponse { throttle_time_ms: 0, groups: vec![group] };
        for (version, read) in [(1, ErrorCode::NONE), (2, error_code)] {
            let mut body = Vec::new();
            response.encode(version, &mut body).unwrap();
            let decoded = OffsetFetchResponse::decode(&body, version).unwrap();
            assert_eq!(decoded.groups[0].error_code, read);
        }
    }

    #[test]
    fn least_bytes_are_those_of_the_smallest_element() {
        let api = ApiKey::OffsetFetch;
        let group = OffsetFetchRequestGroup::default();
        let least = api.least_bytes(8, |w, version| {
            group.encode(w, version)?;
            w.empty_tagged_fields();
            Ok(())
        });
        assert_eq!(least, Some(OffsetFetchRequestGroup::MIN_BYTES));
        let topic = OffsetFetchRequestTopic::default();
        let least = api.least_bytes(1, |w, version| topic.encode(w, version));
        assert_eq!(least, Some(OffsetFetchRequestTopic::MIN_BYTES));
        let topic = OffsetFetchResponseTopic::default();
        let least = api.least_bytes(1, |w, version| topic.encode(w, version));
        assert_eq!(least, Some(OffsetFetchResponseTopic::MIN_BYTES));
        let group = OffsetFetchResponseGroup::default();
        let least = api.least_bytes(8, |w, version| {
            w.string(group.group_id)?;
            group.encode(w, version)?;
            w.empty_tagged_fields();
            Ok(())
        });
        assert_eq!(least, Some(OffsetFetchResponseGroup::MIN_BYTES));
        let partition = OffsetFetchResponsePartition {
            partition_index: 0,
            committed_offset: 0,
            committed_leader_epoch: 0,
            metadata: None,
            error_code: ErrorCode::NONE,
        };
        let least = api.least_bytes(1, |w, version| partition.encode(w, version));
        assert_eq!(least, Some(OffsetFetchResponsePartition::MIN_BYTES));
    }
}
