//! The Fetch response as a whole.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::request::{read_topic, write_topic};
use crate::protocol::{ApiKey, ErrorCode};
use crate::wire::{EncodeError, Reader, Uuid, WireError, Writer};

/// Records of partitions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchResponse<'a> {
    /// How long the client is throttled, in ms; v8+ (KIP-219): counted from the answer on.
    pub throttle_time_ms: i32,
    /// v7+ (KIP-227): what is wrong with the request or its session; ignorable.
    pub error_code: ErrorCode,
    /// v7+: the fetch session, 0 for none.
    pub session_id: i32,
    /// The partitions, by topic.
    pub responses: Vec<FetchableTopicResponse<'a>>,
    /// v16+, tag 0 (KIP-951): the new leaders of partitions that have moved.
    pub node_endpoints: Vec<NodeEndpoint<'a>>,
}

impl<'a> FetchResponse<'a> {
    /// Appends the response's body of `version` to `out`.
    ///
    /// # Errors
    /// Any [`EncodeError`].
    pub fn encode(&self, version: i16, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut w = ApiKey::Fetch.writer(out, version)?;
        w.int32(self.throttle_time_ms);
        if version >= 7 {
            w.int16(self.error_code.0);
            w.int32(self.session_id);
        } else {
            w.leave_out("session_id", self.session_id == 0)?;
        }
        w.array(&self.responses, |w, topic| topic.encode(w, version))?;
        if version < 16 {
            w.leave_out("node_endpoints", self.node_endpoints.is_empty())?;
        }
        let mut tags = w.tagged_fields();
        if !self.node_endpoints.is_empty() {
            tags.field(0, |w| w.array(&self.node_endpoints, |w, node| node.encode(w)))?;
        }
        Ok(())
    }

    /// Reads the response's body of `version`.
    ///
    /// # Errors
    /// Any [`WireError`] but `Incomplete`.
    pub fn decode(body: &'a [u8], version: i16) -> Result<Self, WireError> {
        let mut r = ApiKey::Fetch.reader(body, version)?;
        let mut response = Self { throttle_time_ms: r.int32()?, ..Self::default() };
        if version >= 7 {
            response.error_code = ErrorCode(r.int16()?);
            response.session_id = r.int32()?;
        }
        let min_bytes = FetchableTopicResponse::MIN_BYTES;
        response.responses = r.array(min_bytes, |r| FetchableTopicResponse::decode(r, version))?;
        r.tagged_fields(|tag, r| {
            if tag != 0 || version < 16 {
                return Ok(false);
            }
            response.node_endpoints = NodeEndpoint::decode_array(r)?;
            Ok(true)
        })?;
        r.end()?;
        Ok(response)
    }
}

/// A topic of which partitions were fetched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchableTopicResponse<'a> {
    /// v4–12: the topic's name; ignorable.
    pub topic: &'a str,
    /// v13+ (KIP-516): the topic's id; ignorable.
    pub topic_id: Uuid,
    /// The partitions.
    pub partitions: Vec<PartitionData<'a>>,
}

impl<'a> FetchableTopicResponse<'a> {
    pub(super) const MIN_BYTES: usize = 3;

    fn encode(&self, w: &mut Writer<'_>, version: i16) -> Result<(), EncodeError> {
        write_topic(w, version, self.topic, self.topic_id)?;
        w.array(&self.partitions, |w, partition| partition.encode(w, version))?;
        w.empty_tagged_fields();
        Ok(())
    }

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, WireError> {
        let (topic, topic_id) = read_topic(r, version)?;
        let min_bytes = PartitionData::MIN_BYTES;
        let partitions = r.array(min_bytes, |r| PartitionData::decode(r, version))?;
        r.skip_tagged_fields()?;
        Ok(Self { topic, topic_id, partitions })
    }
}

/// What a partition has to give; [`Default`] gives Kafka's defaults, without records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionData<'a> {
    /// The partition's number.
    pub partition_index: i32,
    /// What is wrong with the partition.
    pub error_code: ErrorCode,
    /// The offset behind the last record that all in-sync replicas have.
    pub high_watermark: i64,
    /// The offset of the first record of a transaction that is undecided (KIP-98); −1 for unknown.
    pub last_stable_offset: i64,
    /// v5+ (KIP-107): the partition's first offset, −1 for unknown; ignorable.
    pub log_start_offset: i64,
    /// v12+, tags 0–2.
    pub tail: PartitionTail,
    /// Aborted transactions in the records; null with `read_uncommitted`.
    pub aborted_transactions: Option<Vec<AbortedTransaction>>,
    /// v11+ (KIP-392): the broker to fetch from instead, −1 for this one.
    pub preferred_read_replica: i32,
    /// Record batches, the last of which may be cut; null on errors.
    pub records: Option<&'a [u8]>,
}

impl Default for PartitionData<'_> {
    fn default() -> Self {
        Self {
            partition_index: 0,
            error_code: ErrorCode::NONE,
            high_watermark: 0,
            last_stable_offset: -1,
            log_start_offset: -1,
            tail: PartitionTail::default(),
            aborted_transactions: None,
            preferred_read_replica: -1,
            records: None,
        }
    }
}

impl<'a> PartitionData<'a> {
    pub(super) const MIN_BYTES: usize = 30;

    fn encode(&self, w: &mut Writer<'_>, version: i16) -> Result<(), EncodeError> {
        w.int32(self.partition_index);
        w.int16(self.error_code.0);
        w.int64(self.high_watermark);
        w.int64(self.last_stable_offset);
        if version >= 5 {
            w.int64(self.log_start_offset);
        }
        w.nullable_array(self.aborted_transactions.as_deref(), |w, aborted| aborted.encode(w))?;
        if version >= 11 {
            w.int32(self.preferred_read_replica);
        } else {
            w.leave_out("preferred_read_replica", self.preferred_read_replica == -1)?;
        }
        w.nullable_bytes(self.records)?;
        self.tail.encode(w, version)
    }

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, WireError> {
        let mut partition = Self {
            partition_index: r.int32()?,
            error_code: ErrorCode(r.int16()?),
            high_watermark: r.int64()?,
            last_stable_offset: r.int64()?,
            ..Self::default()
        };
        if version >= 5 {
            partition.log_start_offset = r.int64()?;
        }
        let min_bytes = AbortedTransaction::MIN_BYTES;
        partition.aborted_transactions = r.nullable_array(min_bytes, |r| {
            let aborted = AbortedTransaction::decode(r)?;
            r.skip_tagged_fields()?;
            Ok(aborted)
        })?;
        if version >= 11 {
            partition.preferred_read_replica = r.int32()?;
        }
        partition.records = r.nullable_bytes()?;
        r.tagged_fields(|tag, r| partition.tail.decode_tag(tag, r))?;
        Ok(partition)
    }
}

/// A transaction whose records are not to be delivered with `read_committed` (KIP-98).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTransaction {
    /// The producer.
    pub producer_id: i64,
    /// The transaction's first offset.
    pub first_offset: i64,
}

impl AbortedTransaction {
    pub(super) const MIN_BYTES: usize = 16;

    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.int64(self.producer_id);
        w.int64(self.first_offset);
        w.empty_tagged_fields();
        Ok(())
    }

    /// Reads the two numbers; tagged fields are the caller's.
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self { producer_id: r.int64()?, first_offset: r.int64()? })
    }
}

/// What follows a partition's records as tagged fields (v12+); −1 where the broker says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartitionTail {
    /// Tag 0 (KIP-595): where the client's log leaves the leader's.
    pub diverging_epoch: EpochEndOffset,
    /// Tag 1 (KIP-595, KIP-951): who leads the partition.
    pub current_leader: LeaderIdAndEpoch,
    /// Tag 2 (KIP-630): the snapshot to take instead; for replicas of the metadata log.
    pub snapshot_id: SnapshotId,
}

impl PartitionTail {
    fn encode(&self, w: &mut Writer<'_>, version: i16) -> Result<(), EncodeError> {
        let default = Self::default();
        if version < 12 {
            w.leave_out("diverging_epoch", self.diverging_epoch == default.diverging_epoch)?;
            w.leave_out("current_leader", self.current_leader == default.current_leader)?;
            w.leave_out("snapshot_id", self.snapshot_id == default.snapshot_id)?;
        }
        let mut tags = w.tagged_fields();
        if self.diverging_epoch != default.diverging_epoch {
            tags.field(0, |w| self.diverging_epoch.encode(w))?;
        }
        if self.current_leader != default.current_leader {
            tags.field(1, |w| self.current_leader.encode(w))?;
        }
        if self.snapshot_id != default.snapshot_id {
            tags.field(2, |w| self.snapshot_id.encode(w))?;
        }
        Ok(())
    }

    /// Tells whether [`PartitionTail::decode_tag`] knows the tag.
    pub(super) fn knows(tag: u32) -> bool {
        tag <= 2
    }

    /// Reads one tagged field, of which `r` has exactly the bytes.
    pub(super) fn decode_tag(&mut self, tag: u32, r: &mut Reader<'_>) -> Result<bool, WireError> {
        match tag {
            0 => self.diverging_epoch = EpochEndOffset::decode(r)?,
            1 => self.current_leader = LeaderIdAndEpoch::decode(r)?,
            2 => self.snapshot_id = SnapshotId::decode(r)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// The largest epoch before the logs diverge, and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEndOffset {
    /// The epoch, −1 for none.
    pub epoch: i32,
    /// The offset behind the epoch's last record, −1 for none.
    pub end_offset: i64,
}

impl Default for EpochEndOffset {
    fn default() -> Self {
        Self { epoch: -1, end_offset: -1 }
    }
}

impl EpochEndOffset {
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.int32(self.epoch);
        w.int64(self.end_offset);
        w.empty_tagged_fields();
        Ok(())
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let epoch = Self { epoch: r.int32()?, end_offset: r.int64()? };
        r.skip_tagged_fields()?;
        Ok(epoch)
    }
}

/// A partition's leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaderIdAndEpoch {
    /// The leader's broker id, −1 for unknown.
    pub leader_id: i32,
    /// The leader's epoch, −1 for unknown.
    pub leader_epoch: i32,
}

impl Default for LeaderIdAndEpoch {
    fn default() -> Self {
        Self { leader_id: -1, leader_epoch: -1 }
    }
}

impl LeaderIdAndEpoch {
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.int32(self.leader_id);
        w.int32(self.leader_epoch);
        w.empty_tagged_fields();
        Ok(())
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let leader = Self { leader_id: r.int32()?, leader_epoch: r.int32()? };
        r.skip_tagged_fields()?;
        Ok(leader)
    }
}

/// A snapshot of the metadata log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotId {
    /// The snapshot's end offset, −1 for none.
    pub end_offset: i64,
    /// The snapshot's epoch, −1 for none.
    pub epoch: i32,
}

impl Default for SnapshotId {
    fn default() -> Self {
        Self { end_offset: -1, epoch: -1 }
    }
}

impl SnapshotId {
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.int64(self.end_offset);
        w.int32(self.epoch);
        w.empty_tagged_fields();
        Ok(())
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let snapshot = Self { end_offset: r.int64()?, epoch: r.int32()? };
        r.skip_tagged_fields()?;
        Ok(snapshot)
    }
}

/// A broker and where it listens (v16+, KIP-951).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeEndpoint<'a> {
    /// The broker's id.
    pub node_id: i32,
    /// The name or address it advertises.
    pub host: &'a str,
    /// The port it advertises; any int32 may come.
    pub port: i32,
    /// The rack, where it has one.
    pub rack: Option<&'a str>,
}

impl<'a> NodeEndpoint<'a> {
    const MIN_BYTES: usize = 11;

    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.int32(self.node_id);
        w.string(self.host)?;
        w.int32(self.port);
        w.nullable_string(self.rack)?;
        w.empty_tagged_fields();
        Ok(())
    }

    /// Reads the tagged field's array.
    pub(super) fn decode_array(r: &mut Reader<'a>) -> Result<Vec<Self>, WireError> {
        r.array(Self::MIN_BYTES, |r| {
            let node = Self {
                node_id: r.int32()?,
                host: r.string()?,
                port: r.int32()?,
                rack: r.nullable_string()?,
            };
            r.skip_tagged_fields()?;
            Ok(node)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_partition(partition: PartitionData<'_>) -> FetchResponse<'_> {
        let topic = FetchableTopicResponse { partitions: vec![partition], ..Default::default() };
        FetchResponse { responses: vec![topic], ..FetchResponse::default() }
    }

    fn of_tail(tail: PartitionTail) -> FetchResponse<'static> {
        of_partition(PartitionData { tail, ..PartitionData::default() })
    }

    #[test]
    fn refuses_what_the_version_lacks() {
        let replica = PartitionData { preferred_read_replica: 1, ..PartitionData::default() };
        let tail = PartitionTail::default;
        let diverging_epoch = EpochEndOffset { epoch: 1, end_offset: 2 };
        let current_leader = LeaderIdAndEpoch { leader_id: 1, leader_epoch: 2 };
        let snapshot_id = SnapshotId { end_offset: 1, epoch: 2 };
        let node = NodeEndpoint { node_id: 1, host: "h", port: 2, rack: None };
        let responses = [
            ("session_id", 6, FetchResponse { session_id: 1, ..FetchResponse::default() }),
            ("preferred_read_replica", 10, of_partition(replica)),
            ("diverging_epoch", 11, of_tail(PartitionTail { diverging_epoch, ..tail() })),
            ("current_leader", 11, of_tail(PartitionTail { current_leader, ..tail() })),
            ("snapshot_id", 11, of_tail(PartitionTail { snapshot_id, ..tail() })),
            (
                "node_endpoints",
                15,
                FetchResponse { node_endpoints: vec![node], ..FetchResponse::default() },
            ),
        ];
        for (field, version, response) in responses {
            let refused = Err(EncodeError::NotInVersion { field });
            assert_eq!(response.encode(version, &mut Vec::new()), refused);
            assert_eq!(response.encode(version + 1, &mut Vec::new()), Ok(()));
        }
    }

    #[test]
    fn drops_what_is_ignorable() {
        let partition = PartitionData { log_start_offset: 7, ..PartitionData::default() };
        let response = FetchResponse {
            error_code: ErrorCode::FETCH_SESSION_ID_NOT_FOUND,
            ..of_partition(partition)
        };
        let mut body = Vec::new();
        response.encode(4, &mut body).unwrap();
        let plain = of_partition(PartitionData::default());
        assert_eq!(FetchResponse::decode(&body, 4), Ok(plain));
    }
}
