//! Metadata: brokers, topics, partitions and who leads them.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::{ApiKey, ErrorCode};
use crate::wire::{EncodeError, Int32Array, Reader, Uuid, WireError, Writer};

/// What a broker sends as a bitfield of authorized operations where none was asked for.
pub const NO_AUTHORIZED_OPERATIONS: i32 = i32::MIN;

/// Asks for the metadata of topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataRequest<'a> {
    /// The topics; v1+: `None` for all, and empty for none. In v0 empty means all.
    pub topics: Option<Vec<MetadataRequestTopic<'a>>>,
    /// v4+: whether the broker may create a topic that it does not have; true below v4.
    pub allow_auto_topic_creation: bool,
    /// v8–10 (KIP-430; moved to DescribeCluster by KIP-700).
    pub include_cluster_authorized_operations: bool,
    /// v8+ (KIP-430).
    pub include_topic_authorized_operations: bool,
}

impl Default for MetadataRequest<'_> {
    fn default() -> Self {
        Self {
            topics: Some(Vec::new()),
            allow_auto_topic_creation: true,
            include_cluster_authorized_operations: false,
            include_topic_authorized_operations: false,
        }
    }
}

impl<'a> MetadataRequest<'a> {
    /// Appends the request's body of `version` to `out`.
    ///
    /// # Errors
    /// Any [`EncodeError`].
    pub fn encode(&self, version: i16, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut w = ApiKey::Metadata.writer(out, version)?;
        if version < 1 {
            w.leave_out("topics", self.topics.is_some())?;
        }
        w.nullable_array(self.topics.as_deref(), |w, topic| topic.encode(w, version))?;
        if version >= 4 {
            w.boolean(self.allow_auto_topic_creation);
        } else {
            w.leave_out("allow_auto_topic_creation", self.allow_auto_topic_creation)?;
        }
        if (8..=10).contains(&version) {
            w.boolean(self.include_cluster_authorized_operations);
        } else {
            let is_default = !self.include_cluster_authorized_operations;
            w.leave_out("include_cluster_authorized_operations", is_default)?;
        }
        if version >= 8 {
            w.boolean(self.include_topic_authorized_operations);
        } else {
            let is_default = !self.include_topic_authorized_operations;
            w.leave_out("include_topic_authorized_operations", is_default)?;
        }
        w.empty_tagged_fields();
        Ok(())
    }

    /// Reads the request's body of `version`.
    ///
    /// # Errors
    /// Any [`WireError`] but `Incomplete`.
    pub fn decode(body: &'a [u8], version: i16) -> Result<Self, WireError> {
        let mut r = ApiKey::Metadata.reader(body, version)?;
        let min_bytes = MetadataRequestTopic::MIN_BYTES;
        let topics = r.nullable_array(min_bytes, |r| MetadataRequestTopic::decode(r, version))?;
        if version < 1 && topics.is_none() {
            return Err(WireError::UnexpectedNull);
        }
        let mut request = Self { topics, ..Self::default() };
        if version >= 4 {
            request.allow_auto_topic_creation = r.boolean()?;
        }
        if (8..=10).contains(&version) {
            request.include_cluster_authorized_operations = r.boolean()?;
        }
        if version >= 8 {
            request.include_topic_authorized_operations = r.boolean()?;
        }
        r.skip_tagged_fields()?;
        r.end()?;
        Ok(request)
    }
}

/// A topic whose metadata is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MetadataRequestTopic<'a> {
    /// v10+ (KIP-516): the topic's id; ignorable. Brokers look at it from v12 on.
    pub topic_id: Uuid,
    /// The topic's name; v10+ may be null, which brokers accept from v12 on.
    pub name: Option<&'a str>,
}

impl<'a> MetadataRequestTopic<'a> {
    const MIN_BYTES: usize = 2;

    fn encode(&self, w: &mut Writer<'_>, version: i16) -> Result<(), EncodeError> {
        if version >= 10 {
            w.uuid(self.topic_id);
        } else {
            w.leave_out("name", self.name.is_some())?;
        }
        w.nullable_string(self.name)?;
        w.empty_tagged_fields();
        Ok(())
    }

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, WireError> {
        let topic_id = if version >= 10 { r.uuid()? } else { Uuid::ZERO };
        let name = if version >= 10 { r.nullable_string()? } else { Some(r.string()?) };
        r.skip_tagged_fields()?;
        Ok(Self { topic_id, name })
    }
}

/// The brokers of a cluster, and topics with their partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataResponse<'a> {
    /// v3+: how long the client is throttled, in ms; ignorable.
    pub throttle_time_ms: i32,
    /// The brokers that are up.
    pub brokers: Vec<MetadataResponseBroker<'a>>,
    /// v2+ (KIP-78): the cluster's id; ignorable.
    pub cluster_id: Option<&'a str>,
    /// v1+: the controller's broker id, −1 for none; ignorable.
    pub controller_id: i32,
    /// The topics that were asked for.
    pub topics: Vec<MetadataResponseTopic<'a>>,
    /// v8–10 (KIP-430): a bitfield, or [`NO_AUTHORIZED_OPERATIONS`].
    pub cluster_authorized_operations: i32,
    /// v13+ (KIP-1102): REBOOTSTRAP_REQUIRED, for one; ignorable.
    pub error_code: ErrorCode,
}

impl Default for MetadataResponse<'_> {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            brokers: Vec::new(),
            cluster_id: None,
            controller_id: -1,
            topics: Vec::new(),
            cluster_authorized_operations: NO_AUTHORIZED_OPERATIONS,
            error_code: ErrorCode::NONE,
        }
    }
}

impl<'a> MetadataResponse<'a> {
    /// Appends the response's body of `version` to `out`.
    ///
    /// # Errors
    /// Any [`EncodeError`].
    pub fn encode(&self, version: i16, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut w = ApiKey::Metadata.writer(out, version)?;
        if version >= 3 {
            w.int32(self.throttle_time_ms);
        }
        w.array(&self.brokers, |w, broker| broker.encode(w, version))?;
        if version >= 2 {
            w.nullable_string(self.cluster_id)?;
        }
        if version >= 1 {
            w.int32(self.controller_id);
        }
        w.array(&self.topics, |w, topic| topic.encode(w, version))?;
        if (8..=10).contains(&version) {
            w.int32(self.cluster_authorized_operations);
        } else {
            let is_default = self.cluster_authorized_operations == NO_AUTHORIZED_OPERATIONS;
            w.leave_out("cluster_authorized_operations", is_default)?;
        }
        if version >= 13 {
            w.int16(self.error_code.0);
        }
        w.empty_tagged_fields();
        Ok(())
    }

    /// Reads the response's body of `version`.
    ///
    /// # Errors
    /// Any [`WireError`] but `Incomplete`.
    pub fn decode(body: &'a [u8], version: i16) -> Result<Self, WireError> {
        let mut r = ApiKey::Metadata.reader(body, version)?;
        let mut response = Self::default();
        if version >= 3 {
            response.throttle_time_ms = r.int32()?;
        }
        let min_bytes = MetadataResponseBroker::MIN_BYTES;
        response.brokers = r.array(min_bytes, |r| MetadataResponseBroker::decode(r, version))?;
        if version >= 2 {
            response.cluster_id = r.nullable_string()?;
        }
        if version >= 1 {
            response.controller_id = r.int32()?;
        }
        let min_bytes = MetadataResponseTopic::MIN_BYTES;
        response.topics = r.array(min_bytes, |r| MetadataResponseTopic::decode(r, version))?;
        if (8..=10).contains(&version) {
            response.cluster_authorized_operations = r.int32()?;
        }
        if version >= 13 {
            response.error_code = ErrorCode(r.int16()?);
        }
        r.skip_tagged_fields()?;
        r.end()?;
        Ok(response)
    }
}

/// A broker and where it listens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MetadataResponseBroker<'a> {
    /// The broker's id.
    pub node_id: i32,
    /// The name or address it advertises.
    pub host: &'a str,
    /// The port it advertises; any int32 may come.
    pub port: i32,
    /// v1+: the rack, where it has one; ignorable.
    pub rack: Option<&'a str>,
}

impl<'a> MetadataResponseBroker<'a> {
    const MIN_BYTES: usize = 10;

    fn encode(&self, w: &mut Writer<'_>, version: i16) -> Result<(), EncodeError> {
        w.int32(self.node_id);
        w.string(self.host)?;
        w.int32(self.port);
        if version >= 1 {
            w.nullable_string(self.rack)?;
        }
        w.empty_tagged_fields();
        Ok(())
    }

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, WireError> {
        let mut broker =
            Self { node_id: r.int32()?, host: r.string()?, port: r.int32()?, rack: None };
        if version >= 1 {
            broker.rack = r.nullable_string()?;
        }
        r.skip_tagged_fields()?;
        Ok(broker)
    }
}

/// A topic and its partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataResponseTopic<'a> {
    /// What is wrong with the topic.
    pub error_code: ErrorCode,
    /// The topic's name; v12+: null where it was asked for by an id that does not exist.
    pub name: Option<&'a str>,
    /// v10+ (KIP-516): the topic's id, zero from brokers that have none; ignorable.
    pub topic_id: Uuid,
    /// v1+: whether it is one of Kafka's own; ignorable.
    pub is_internal: bool,
    /// The partitions.
    pub partitions: Vec<MetadataResponsePartition<'a>>,
    /// v8+ (KIP-430): a bitfield, or [`NO_AUTHORIZED_OPERATIONS`].
    pub topic_authorized_operations: i32,
}

impl Default for MetadataResponseTopic<'_> {
    fn default() -> Self {
        Self {
            error_code: ErrorCode::NONE,
            name: Some(""),
            topic_id: Uuid::ZERO,
            is_internal: false,
            partitions: Vec::new(),
            topic_authorized_operations: NO_AUTHORIZED_OPERATIONS,
        }
    }
}

impl<'a> MetadataResponseTopic<'a> {
    const MIN_BYTES: usize = 8;

    fn encode(&self, w: &mut Writer<'_>, version: i16) -> Result<(), EncodeError> {
        w.int16(self.error_code.0);
        if version < 12 {
            w.leave_out("name", self.name.is_some())?;
        }
        w.nullable_string(self.name)?;
        if version >= 10 {
            w.uuid(self.topic_id);
        }
        if version >= 1 {
            w.boolean(self.is_internal);
        }
        w.array(&self.partitions, |w, partition| partition.encode(w, version))?;
        if version >= 8 {
            w.int32(self.topic_authorized_operations);
        } else {
            let is_default = self.topic_authorized_operations == NO_AUTHORIZED_OPERATIONS;
            w.leave_out("topic_authorized_operations", is_default)?;
        }
        w.empty_tagged_fields();
        Ok(())
    }

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, WireError> {
        let mut topic = Self { error_code: ErrorCode(r.int16()?), ..Self::default() };
        topic.name = if version >= 12 { r.nullable_string()? } else { Some(r.string()?) };
        if version >= 10 {
            topic.topic_id = r.uuid()?;
        }
        if version >= 1 {
            topic.is_internal = r.boolean()?;
        }
        let min_bytes = MetadataResponsePartition::MIN_BYTES;
        topic.partitions = r.array(min_bytes, |r| MetadataResponsePartition::decode(r, version))?;
        if version >= 8 {
            topic.topic_authorized_operations = r.int32()?;
        }
        r.skip_tagged_fields()?;
        Ok(topic)
    }
}

/// A partition and its replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetadataResponsePartition<'a> {
    /// What is wrong with the partition.
    pub error_code: ErrorCode,
    /// The partition's number; any int32 may come.
    pub partition_index: i32,
    /// The leader's broker id, −1 for none; it may be missing among the brokers.
    pub leader_id: i32,
    /// v7+ (KIP-320): the leader's epoch, −1 for unknown; ignorable.
    pub leader_epoch: i32,
    /// The brokers that hold the partition.
    pub replica_nodes: Int32Array<'a>,
    /// Those in sync with the leader.
    pub isr_nodes: Int32Array<'a>,
    /// v5+ (KIP-112): those that are offline; ignorable.
    pub offline_replicas: Int32Array<'a>,
}

impl Default for MetadataResponsePartition<'_> {
    fn default() -> Self {
        Self {
            error_code: ErrorCode::NONE,
            partition_index: 0,
            leader_id: 0,
            leader_epoch: -1,
            replica_nodes: Int32Array::default(),
            isr_nodes: Int32Array::default(),
            offline_replicas: Int32Array::default(),
        }
    }
}

impl<'a> MetadataResponsePartition<'a> {
    const MIN_BYTES: usize = 18;

    fn encode(&self, w: &mut Writer<'_>, version: i16) -> Result<(), EncodeError> {
        w.int16(self.error_code.0);
        w.int32(self.partition_index);
        w.int32(self.leader_id);
        if version >= 7 {
            w.int32(self.leader_epoch);
        }
        w.int32_array(self.replica_nodes)?;
        w.int32_array(self.isr_nodes)?;
        if version >= 5 {
            w.int32_array(self.offline_replicas)?;
        }
        w.empty_tagged_fields();
        Ok(())
    }

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, WireError> {
        let mut partition = Self {
            error_code: ErrorCode(r.int16()?),
            partition_index: r.int32()?,
            leader_id: r.int32()?,
            ..Self::default()
        };
        if version >= 7 {
            partition.leader_epoch = r.int32()?;
        }
        partition.replica_nodes = r.int32_array()?;
        partition.isr_nodes = r.int32_array()?;
        if version >= 5 {
            partition.offline_replicas = r.int32_array()?;
        }
        r.skip_tagged_fields()?;
        Ok(partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(encoded: Result<(), EncodeError>) -> &'static str {
        match encoded {
            Err(EncodeError::NotInVersion { field }) => field,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_request_refuses_what_its_version_lacks() {
        let out = &mut Vec::new();
        let all = MetadataRequest { topics: None, ..MetadataRequest::default() };
        assert_eq!(refused(all.encode(0, out)), "topics");
        assert_eq!(all.encode(1, out), Ok(()));
        let no_creation =
            MetadataRequest { allow_auto_topic_creation: false, ..MetadataRequest::default() };
        assert_eq!(refused(no_creation.encode(3, out)), "allow_auto_topic_creation");
        let cluster = MetadataRequest {
            include_cluster_authorized_operations: true,
            ..MetadataRequest::default()
        };
        for version in [7, 11] {
            let field = "include_cluster_authorized_operations";
            assert_eq!(refused(cluster.encode(version, out)), field);
        }
        let topic = MetadataRequestTopic { topic_id: Uuid([1; 16]), name: None };
        let by_id = MetadataRequest { topics: Some(vec![topic]), ..MetadataRequest::default() };
        assert_eq!(refused(by_id.encode(9, out)), "name");
        assert_eq!(by_id.encode(10, out), Ok(()));
    }

    #[test]
    fn a_response_drops_what_is_ignorable_and_refuses_the_rest() {
        let topic = MetadataResponseTopic { topic_id: Uuid([1; 16]), ..Default::default() };
        let mut response = MetadataResponse {
            throttle_time_ms: 5,
            cluster_id: Some("c"),
            controller_id: 3,
            topics: vec![topic],
            error_code: ErrorCode::REBOOTSTRAP_REQUIRED,
            ..MetadataResponse::default()
        };
        let mut body = Vec::new();
        response.encode(0, &mut body).unwrap();
        let decoded = MetadataResponse::decode(&body, 0).unwrap();
        let topics = vec![MetadataResponseTopic::default()];
        assert_eq!(decoded, MetadataResponse { topics, ..MetadataResponse::default() });

        response.topics[0].name = None;
        assert_eq!(refused(response.encode(11, &mut body)), "name");
        response.topics[0].name = Some("t");
        response.topics[0].topic_authorized_operations = 1;
        assert_eq!(refused(response.encode(7, &mut body)), "topic_authorized_operations");
        response.cluster_authorized_operations = 1;
        assert_eq!(refused(response.encode(11, &mut body)), "cluster_authorized_operations");
    }

    #[test]
    fn least_bytes_are_those_of_the_smallest_element() {
        let topic = MetadataRequestTopic { name: Some(""), ..Default::default() };
        let least = ApiKey::Metadata.least_bytes(0, |w, version| topic.encode(w, version));
        assert_eq!(least, Some(MetadataRequestTopic::MIN_BYTES));
        let broker = MetadataResponseBroker::default();
        let least = ApiKey::Metadata.least_bytes(0, |w, version| broker.encode(w, version));
        assert_eq!(least, Some(MetadataResponseBroker::MIN_BYTES));
        let topic = MetadataResponseTopic::default();
        let least = ApiKey::Metadata.least_bytes(0, |w, version| topic.encode(w, version));
        assert_eq!(least, Some(MetadataResponseTopic::MIN_BYTES));
        let partition = MetadataResponsePartition::default();
        let least = ApiKey::Metadata.least_bytes(0, |w, version| partition.encode(w, version));
        assert_eq!(least, Some(MetadataResponsePartition::MIN_BYTES));
    }

    #[test]
    fn version_0_has_no_null_array_of_topics() {
        let null = [0xFF; 4];
        assert_eq!(MetadataRequest::decode(&null, 0), Err(WireError::UnexpectedNull));
        assert_eq!(MetadataRequest::decode(&null, 1).unwrap().topics, None);
    }
}
