//! The Fetch request.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use crate::protocol::ApiKey;
use crate::wire::{EncodeError, Int32Array, Reader, Uuid, WireError, Writer};

/// Asks a broker for records; [`Default`] gives Kafka's defaults, those of a consumer without a
/// fetch session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchRequest<'a> {
    /// v12+, tag 0: the cluster's id, where it is known; ignorable.
    pub cluster_id: Option<&'a str>,
    /// v4–14: the follower's broker id, −1 for a consumer.
    pub replica_id: i32,
    /// v15+, tag 1 (KIP-903): the follower.
    pub replica_state: ReplicaState,
    /// How long the broker may wait for `min_bytes`, in ms.
    pub max_wait_ms: i32,
    /// What the broker waits for.
    pub min_bytes: i32,
    /// The most bytes of records in the answer (KIP-74); a first batch that is larger comes whole.
    pub max_bytes: i32,
    /// 0 for `read_uncommitted`, 1 for `read_committed` (KIP-98).
    pub isolation_level: i8,
    /// v7+ (KIP-227): the fetch session, 0 for none; ignorable.
    pub session_id: i32,
    /// v7+: 0 opens a session, −1 wants none; ignorable.
    pub session_epoch: i32,
    /// The partitions, by topic; the broker fills the answer in this order.
    pub topics: Vec<FetchTopic<'a>>,
    /// v7+: partitions to drop from the session.
    pub forgotten_topics_data: Vec<ForgottenTopic<'a>>,
    /// v11+ (KIP-392): the client's rack, empty for none; ignorable.
    pub rack_id: &'a str,
}

impl Default for FetchRequest<'_> {
    fn default() -> Self {
        Self {
            cluster_id: None,
            replica_id: -1,
            replica_state: ReplicaState::default(),
            max_wait_ms: 0,
            min_bytes: 0,
            max_bytes: i32::MAX,
            isolation_level: 0,
            session_id: 0,
            session_epoch: -1,
            topics: Vec::new(),
            forgotten_topics_data: Vec::new(),
            rack_id: "",
        }
    }
}

impl<'a> FetchRequest<'a> {
    /// Appends the request's body of `version` to `out`.
    ///
    /// # Errors
    /// Any [`EncodeError`].
    pub fn encode(&self, version: i16, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut w = ApiKey::Fetch.writer(out, version)?;
        if version <= 14 {
            w.int32(self.replica_id);
            w.leave_out("replica_state", self.replica_state == ReplicaState::default())?;
        } else {
            w.leave_out("replica_id", self.replica_id == -1)?;
        }
        w.int32(self.max_wait_ms);
        w.int32(self.min_bytes);
        w.int32(self.max_bytes);
        w.int8(self.isolation_level);
        if version >= 7 {
            w.int32(self.session_id);
            w.int32(self.session_epoch);
        }
        w.array(&self.topics, |w, topic| topic.encode(w, version))?;
        if version >= 7 {
            w.array(&self.forgotten_topics_data, |w, topic| topic.encode(w, version))?;
        } else {
            w.leave_out("forgotten_topics_data", self.forgotten_topics_data.is_empty())?;
        }
        if version >= 11 {
            w.string(self.rack_id)?;
        }
        let mut tags = w.tagged_fields();
        if self.cluster_id.is_some() {
            tags.field(0, |w| w.nullable_string(self.cluster_id))?;
        }
        if self.replica_state != ReplicaState::default() {
            tags.field(1, |w| self.replica_state.encode(w))?;
        }
        Ok(())
    }

    /// Reads the request's body of `version`.
    ///
    /// # Errors
    /// Any [`WireError`] but `Incomplete`.
    pub fn decode(body: &'a [u8], version: i16) -> Result<Self, WireError> {
        let mut r = ApiKey::Fetch.reader(body, version)?;
        let mut request = Self::default();
        if version <= 14 {
            request.replica_id = r.int32()?;
        }
        request.max_wait_ms = r.int32()?;
        request.min_bytes = r.int32()?;
        request.max_bytes = r.int32()?;
        request.isolation_level = r.int8()?;
        if version >= 7 {
            request.session_id = r.int32()?;
            request.session_epoch = r.int32()?;
        }
        request.topics = r.array(FetchTopic::MIN_BYTES, |r| FetchTopic::decode(r, version))?;
        if version >= 7 {
            let min_bytes = ForgottenTopic::MIN_BYTES;
            let forgotten = r.array(min_bytes, |r| ForgottenTopic::decode(r, version))?;
            request.forgotten_topics_data = forgotten;
        }
        if version >= 11 {
            request.rack_id = r.string()?;
        }
        r.tagged_fields(|tag, r| {
            match tag {
                0 => request.cluster_id = r.nullable_string()?,
                1 if version >= 15 => request.replica_state = ReplicaState::decode(r)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        r.end()?;
        Ok(request)
    }
}

/// The follower that fetches (v15+, KIP-903).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicaState {
    /// The follower's broker id, −1 for a consumer.
    pub replica_id: i32,
    /// The follower's epoch, −1 for unknown.
    pub replica_epoch: i64,
}

impl Default for ReplicaState {
    fn default() -> Self {
        Self { replica_id: -1, replica_epoch: -1 }
    }
}

impl ReplicaState {
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.int32(self.replica_id);
        w.int64(self.replica_epoch);
        w.empty_tagged_fields();
        Ok(())
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let state = Self { replica_id: r.int32()?, replica_epoch: r.int64()? };
        r.skip_tagged_fields()?;
        Ok(state)
    }
}

/// A topic to fetch from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchTopic<'a> {
    /// v4–12: the topic's name; ignorable.
    pub topic: &'a str,
    /// v13+ (KIP-516): the topic's id; ignorable.
    pub topic_id: Uuid,
    /// The partitions.
    pub partitions: Vec<FetchPartition>,
}

impl<'a> FetchTopic<'a> {
    const MIN_BYTES: usize = 3;

    fn encode(&self, w: &mut Writer<'_>, version: i16) -> Result<(), EncodeError> {
        write_topic(w, version, self.topic, self.topic_id)?;
        w.array(&self.partitions, |w, partition| partition.encode(w, version))?;
        w.empty_tagged_fields();
        Ok(())
    }

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, WireError> {
        let (topic, topic_id) = read_topic(r, version)?;
        let min_bytes = FetchPartition::MIN_BYTES;
        let partitions = r.array(min_bytes, |r| FetchPartition::decode(r, version))?;
        r.skip_tagged_fields()?;
        Ok(Self { topic, topic_id, partitions })
    }
}

/// A partition to fetch from; [`Default`] gives Kafka's defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchPartition {
    /// The partition's number.
    pub partition: i32,
    /// v9+ (KIP-320): the leader epoch the client knows, −1 for none; ignorable.
    pub current_leader_epoch: i32,
    /// The first offset wanted.
    pub fetch_offset: i64,
    /// v12+ (KIP-595): the epoch of the last record fetched, −1 for none.
    pub last_fetched_epoch: i32,
    /// v5+ (KIP-107): a follower's first offset, −1 for a consumer; ignorable.
    pub log_start_offset: i64,
    /// The most bytes of this partition (KIP-74).
    pub partition_max_bytes: i32,
    /// v17+, tag 0 (KIP-853): a follower's directory; ignorable.
    pub replica_directory_id: Uuid,
    /// v18+, tag 1 (KIP-1166): the high watermark a follower knows, `i64::MAX` for a consumer;
    /// ignorable.
    pub high_watermark: i64,
}

impl Default for FetchPartition {
    fn default() -> Self {
        Self {
            partition: 0,
            current_leader_epoch: -1,
            fetch_offset: 0,
            last_fetched_epoch: -1,
            log_start_offset: -1,
            partition_max_bytes: 0,
            replica_directory_id: Uuid::ZERO,
            high_watermark: i64::MAX,
        }
    }
}

impl FetchPartition {
    const MIN_BYTES: usize = 16;

    fn encode(&self, w: &mut Writer<'_>, version: i16) -> Result<(), EncodeError> {
        w.int32(self.partition);
        if version >= 9 {
            w.int32(self.current_leader_epoch);
        }
        w.int64(self.fetch_offset);
        if version >= 12 {
            w.int32(self.last_fetched_epoch);
        } else {
            w.leave_out("last_fetched_epoch", self.last_fetched_epoch == -1)?;
        }
        if version >= 5 {
            w.int64(self.log_start_offset);
        }
        w.int32(self.partition_max_bytes);
        let mut tags = w.tagged_fields();
        if version >= 17 && !self.replica_directory_id.is_zero() {
            tags.field(0, |w| {
                w.uuid(self.replica_directory_id);
                Ok(())
            })?;
        }
        if version >= 18 && self.high_watermark != i64::MAX {
            tags.field(1, |w| {
                w.int64(self.high_watermark);
                Ok(())
            })?;
        }
        Ok(())
    }

    fn decode(r: &mut Reader<'_>, version: i16) -> Result<Self, WireError> {
        let mut partition = Self { partition: r.int32()?, ..Self::default() };
        if version >= 9 {
            partition.current_leader_epoch = r.int32()?;
        }
        partition.fetch_offset = r.int64()?;
        if version >= 12 {
            partition.last_fetched_epoch = r.int32()?;
        }
        if version >= 5 {
            partition.log_start_offset = r.int64()?;
        }
        partition.partition_max_bytes = r.int32()?;
        r.tagged_fields(|tag, r| {
            match tag {
                0 if version >= 17 => partition.replica_directory_id = r.uuid()?,
                1 if version >= 18 => partition.high_watermark = r.int64()?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(partition)
    }
}

/// A topic of which partitions leave the session (v7+).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForgottenTopic<'a> {
    /// v7–12: the topic's name; ignorable.
    pub topic: &'a str,
    /// v13+ (KIP-516): the topic's id; ignorable.
    pub topic_id: Uuid,
    /// The partitions' numbers.
    pub partitions: Int32Array<'a>,
}

impl<'a> ForgottenTopic<'a> {
    const MIN_BYTES: usize = 3;

    fn encode(&self, w: &mut Writer<'_>, version: i16) -> Result<(), EncodeError> {
        write_topic(w, version, self.topic, self.topic_id)?;
        w.int32_array(self.partitions)?;
        w.empty_tagged_fields();
        Ok(())
    }

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, WireError> {
        let (topic, topic_id) = read_topic(r, version)?;
        let partitions = r.int32_array()?;
        r.skip_tagged_fields()?;
        Ok(Self { topic, topic_id, partitions })
    }
}

/// Writes the topic's name or id, which from v13 on takes the name's place (KIP-516).
pub(super) fn write_topic(
    w: &mut Writer<'_>,
    version: i16,
    topic: &str,
    topic_id: Uuid,
) -> Result<(), EncodeError> {
    if version >= 13 {
        w.uuid(topic_id);
        return Ok(());
    }
    w.string(topic)
}

/// Reads the topic's name or id; the other one is empty.
pub(super) fn read_topic<'a>(
    r: &mut Reader<'a>,
    version: i16,
) -> Result<(&'a str, Uuid), WireError> {
    if version >= 13 { Ok(("", r.uuid()?)) } else { Ok((r.string()?, Uuid::ZERO)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_partition(partition: FetchPartition) -> FetchRequest<'static> {
        let topic = FetchTopic { partitions: vec![partition], ..FetchTopic::default() };
        FetchRequest { topics: vec![topic], ..FetchRequest::default() }
    }

    #[test]
    fn refuses_what_the_version_lacks() {
        let follower = ReplicaState { replica_id: 1, replica_epoch: 2 };
        let epoch = FetchPartition { last_fetched_epoch: 3, ..FetchPartition::default() };
        let forgotten = vec![ForgottenTopic::default()];
        let default = FetchRequest::default;
        let requests = [
            ("replica_id", 15, FetchRequest { replica_id: 1, ..default() }),
            ("replica_state", 14, FetchRequest { replica_state: follower, ..default() }),
            ("last_fetched_epoch", 11, of_partition(epoch)),
            (
                "forgotten_topics_data",
                6,
                FetchRequest { forgotten_topics_data: forgotten, ..default() },
            ),
        ];
        for (field, version, request) in requests {
            let refused = Err(EncodeError::NotInVersion { field });
            assert_eq!(request.encode(version, &mut Vec::new()), refused);
            let carried = if field == "replica_id" { version - 1 } else { version + 1 };
            assert_eq!(request.encode(carried, &mut Vec::new()), Ok(()));
        }
    }

    #[test]
    fn tags_of_later_versions_are_skipped() {
        let mut body = Vec::new();
        of_partition(FetchPartition::default()).encode(14, &mut body).unwrap();
        // Behind the partition stand its tags, the topic's, no forgotten topic, no rack, the tags.
        let partition_tags = body.len() - 5;
        body.splice(partition_tags..=partition_tags, [2, 0, 1, 0xEE, 1, 1, 0xEE]);
        let tags = body.len() - 1;
        body.splice(tags.., [1, 1, 1, 0xEE]);
        let plain = of_partition(FetchPartition::default());
        assert_eq!(FetchRequest::decode(&body, 14), Ok(plain));
    }

    #[test]
    fn drops_what_is_ignorable() {
        let partition = FetchPartition {
            current_leader_epoch: 1,
            log_start_offset: 2,
            replica_directory_id: Uuid([3; 16]),
            high_watermark: 4,
            ..FetchPartition::default()
        };
        let request = FetchRequest {
            cluster_id: Some("c"),
            session_id: 5,
            session_epoch: 6,
            rack_id: "r",
            ..of_partition(partition)
        };
        let mut body = Vec::new();
        request.encode(4, &mut body).unwrap();
        let plain = of_partition(FetchPartition::default());
        assert_eq!(FetchRequest::decode(&body, 4), Ok(plain));

        body.clear();
        request.encode(16, &mut body).unwrap();
        let partition = FetchPartition {
            replica_directory_id: Uuid::ZERO,
            high_watermark: i64::MAX,
            ..partition
        };
        assert_eq!(
            FetchRequest::decode(&body, 16),
            Ok(FetchRequest { topics: of_partition(partition).topics, ..request })
        );
    }
}
