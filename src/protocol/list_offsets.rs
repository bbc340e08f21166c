//! ListOffsets: the offset of a time, and the ends of partitions (KIP-79).

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::{ApiKey, ErrorCode};
use crate::wire::{EncodeError, Reader, WireError, Writer};

/// Timestamp for the partition's end: the high watermark, or with `read_committed` the last stable
/// offset.
pub const LATEST_TIMESTAMP: i64 = -1;
/// Timestamp for the partition's first offset.
pub const EARLIEST_TIMESTAMP: i64 = -2;
/// v7+ (KIP-734): timestamp for the record with the highest timestamp.
pub const MAX_TIMESTAMP: i64 = -3;
/// v8+ (KIP-405): timestamp for the first offset on the broker's own disk.
pub const EARLIEST_LOCAL_TIMESTAMP: i64 = -4;
/// v9+ (KIP-1005): timestamp for the last offset in tiered storage.
pub const LATEST_TIERED_TIMESTAMP: i64 = -5;
/// v11+ (KIP-1023): timestamp for the first offset that waits for its way to tiered storage.
pub const EARLIEST_PENDING_UPLOAD_TIMESTAMP: i64 = -6;

/// Asks leaders for offsets by timestamp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListOffsetsRequest<'a> {
    /// −1 for a consumer.
    pub replica_id: i32,
    /// v2+ (KIP-98): 0 for `read_uncommitted`, 1 for `read_committed`.
    pub isolation_level: i8,
    /// The partitions, by topic.
    pub topics: Vec<ListOffsetsTopic<'a>>,
    /// v10+ (KIP-1075): how long the broker may read tiered storage, in ms; ignorable.
    pub timeout_ms: i32,
}

impl<'a> ListOffsetsRequest<'a> {
    /// Appends the request's body of `version` to `out`.
    ///
    /// # Errors
    /// Any [`EncodeError`].
    pub fn encode(&self, version: i16, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut w = ApiKey::ListOffsets.writer(out, version)?;
        w.int32(self.replica_id);
        if version >= 2 {
            w.int8(self.isolation_level);
        } else {
            w.leave_out("isolation_level", self.isolation_level == 0)?;
        }
        w.array(&self.topics, |w, topic| topic.encode(w, version))?;
        if version >= 10 {
            w.int32(self.timeout_ms);
        }
        w.empty_tagged_fields();
        Ok(())
    }

    /// Reads the request's body of `version`.
    ///
    /// # Errors
    /// Any [`WireError`] but `Incomplete`.
    pub fn decode(body: &'a [u8], version: i16) -> Result<Self, WireError> {
        let mut r = ApiKey::ListOffsets.reader(body, version)?;
        let replica_id = r.int32()?;
        let isolation_level = if version >= 2 { r.int8()? } else { 0 };
        let min_bytes = ListOffsetsTopic::MIN_BYTES;
        let topics = r.array(min_bytes, |r| ListOffsetsTopic::decode(r, version))?;
        let timeout_ms = if version >= 10 { r.int32()? } else { 0 };
        r.skip_tagged_fields()?;
        r.end()?;
        Ok(Self { replica_id, isolation_level, topics, timeout_ms })
    }
}

/// A topic whose partitions are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListOffsetsTopic<'a> {
    /// The topic's name.
    pub name: &'a str,
    /// The partitions.
    pub partitions: Vec<ListOffsetsPartition>,
}

impl<'a> ListOffsetsTopic<'a> {
    const MIN_BYTES: usize = 3;

    fn encode(&self, w: &mut Writer<'_>, version: i16) -> Result<(), EncodeError> {
        w.string(self.name)?;
        w.array(&self.partitions, |w, partition| partition.encode(w, version))?;
        w.empty_tagged_fields();
        Ok(())
    }

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, WireError> {
        let name = r.string()?;
        let min_bytes = ListOffsetsPartition::MIN_BYTES;
        let partitions = r.array(min_bytes, |r| ListOffsetsPartition::decode(r, version))?;
        r.skip_tagged_fields()?;
        Ok(Self { name, partitions })
    }
}

/// A partition and the time that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListOffsetsPartition {
    /// The partition's number.
    pub partition_index: i32,
    /// v4+ (KIP-320): the leader epoch the client knows, −1 for none; ignorable.
    pub current_leader_epoch: i32,
    /// A time in ms, for the first offset of that time or later, or one of the constants above.
    pub timestamp: i64,
}

impl ListOffsetsPartition {
    const MIN_BYTES: usize = 12;

    fn encode(&self, w: &mut Writer<'_>, version: i16) -> Result<(), EncodeError> {
        w.int32(self.partition_index);
        if version >= 4 {
            w.int32(self.current_leader_epoch);
        }
        w.int64(self.timestamp);
        w.empty_tagged_fields();
        Ok(())
    }

    fn decode(r: &mut Reader<'_>, version: i16) -> Result<Self, WireError> {
        let partition = Self {
            partition_index: r.int32()?,
            current_leader_epoch: if version >= 4 { r.int32()? } else { -1 },
            timestamp: r.int64()?,
        };
        r.skip_tagged_fields()?;
        Ok(partition)
    }
}

/// The offsets that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListOffsetsResponse<'a> {
    /// v2+: how long the client is throttled, in ms; ignorable.
    pub throttle_time_ms: i32,
    /// The partitions, by topic.
    pub topics: Vec<ListOffsetsTopicResponse<'a>>,
}

impl<'a> ListOffsetsResponse<'a> {
    /// Appends the response's body of `version` to `out`.
    ///
    /// # Errors
    /// Any [`EncodeError`].
    pub fn encode(&self, version: i16, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut w = ApiKey::ListOffsets.writer(out, version)?;
        if version >= 2 {
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
        let mut r = ApiKey::ListOffsets.reader(body, version)?;
        let throttle_time_ms = if version >= 2 { r.int32()? } else { 0 };
        let min_bytes = ListOffsetsTopicResponse::MIN_BYTES;
        let topics = r.array(min_bytes, |r| ListOffsetsTopicResponse::decode(r, version))?;
        r.skip_tagged_fields()?;
        r.end()?;
        Ok(Self { throttle_time_ms, topics })
    }
}

/// A topic whose partitions were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListOffsetsTopicResponse<'a> {
    /// The topic's name.
    pub name: &'a str,
    /// The partitions.
    pub partitions: Vec<ListOffsetsPartitionResponse>,
}

impl<'a> ListOffsetsTopicResponse<'a> {
    const MIN_BYTES: usize = 3;

    fn encode(&self, w: &mut Writer<'_>, version: i16) -> Result<(), EncodeError> {
        w.string(self.name)?;
        w.array(&self.partitions, |w, partition| partition.encode(w, version))?;
        w.empty_tagged_fields();
        Ok(())
    }

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, WireError> {
        let name = r.string()?;
        let min_bytes = ListOffsetsPartitionResponse::MIN_BYTES;
        let partitions =
            r.array(min_bytes, |r| ListOffsetsPartitionResponse::decode(r, version))?;
        r.skip_tagged_fields()?;
        Ok(Self { name, partitions })
    }
}

/// The offset that was found in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListOffsetsPartitionResponse {
    /// The partition's number.
    pub partition_index: i32,
    /// What is wrong with the partition; v5+ (KIP-207): OFFSET_NOT_AVAILABLE for a new leader.
    pub error_code: ErrorCode,
    /// The timestamp of the record found, −1 for none and for the partition's ends.
    pub timestamp: i64,
    /// The offset, −1 where no record is that young.
    pub offset: i64,
    /// v4+ (KIP-320): the leader epoch of the record found, −1 for unknown.
    pub leader_epoch: i32,
}

impl ListOffsetsPartitionResponse {
    const MIN_BYTES: usize = 22;

    fn encode(&self, w: &mut Writer<'_>, version: i16) -> Result<(), EncodeError> {
        w.int32(self.partition_index);
        w.int16(self.error_code.0);
        w.int64(self.timestamp);
        w.int64(self.offset);
        if version >= 4 {
            w.int32(self.leader_epoch);
        } else {
            w.leave_out("leader_epoch", self.leader_epoch == -1)?;
        }
        w.empty_tagged_fields();
        Ok(())
    }

    fn decode(r: &mut Reader<'_>, version: i16) -> Result<Self, WireError> {
        let partition = Self {
            partition_index: r.int32()?,
            error_code: ErrorCode(r.int16()?),
            timestamp: r.int64()?,
            offset: r.int64()?,
            leader_epoch: if version >= 4 { r.int32()? } else { -1 },
        };
        r.skip_tagged_fields()?;
        Ok(partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn isolation_and_epoch_are_refused_where_the_version_lacks_them() {
        let mut request = ListOffsetsRequest {
            replica_id: -1,
            isolation_level: 1,
            topics: vec![],
            timeout_ms: 9,
        };
        let refused = Err(EncodeError::NotInVersion { field: "isolation_level" });
        assert_eq!(request.encode(1, &mut Vec::new()), refused);
        request.isolation_level = 0;
        let mut body = Vec::new();
        request.encode(1, &mut body).unwrap();
        assert_eq!(ListOffsetsRequest::decode(&body, 1).unwrap().timeout_ms, 0);

        let mut found = ListOffsetsPartitionResponse {
            partition_index: 0,
            error_code: ErrorCode::NONE,
            timestamp: -1,
            offset: 7,
            leader_epoch: 2,
        };
        let mut response = ListOffsetsResponse {
            throttle_time_ms: 0,
            topics: vec![ListOffsetsTopicResponse { name: "t", partitions: vec![found] }],
        };
        let refused = Err(EncodeError::NotInVersion { field: "leader_epoch" });
        assert_eq!(response.encode(3, &mut Vec::new()), refused);
        assert_eq!(response.encode(4, &mut Vec::new()), Ok(()));
        found.leader_epoch = -1;
        response.topics[0].partitions[0] = found;
        assert_eq!(response.encode(3, &mut Vec::new()), Ok(()));
    }
}
