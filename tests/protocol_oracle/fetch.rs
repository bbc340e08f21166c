//! Fetch, as a whole.

use crate::{
    Tags, check, data, field, for_each_version, id, nullable_text, tags, text, to_their_text,
    to_their_uuid,
};
use kafka_protocol::messages::fetch_request::{
    FetchPartition, FetchRequest as TheirRequest, FetchTopic, ForgottenTopic, ReplicaState,
};
use kafka_protocol::messages::fetch_response::{
    AbortedTransaction, EpochEndOffset, FetchResponse as TheirResponse, FetchableTopicResponse,
    LeaderIdAndEpoch, NodeEndpoint, PartitionData, SnapshotId,
};
use kafka_protocol::messages::{BrokerId, ProducerId, TopicName};
use kafka_protocol::protocol::StrBytes;
use kfetch::protocol::ApiKey;
use kfetch::protocol::fetch::{self, FetchRequest, FetchResponse};
use kfetch::wire::Uuid;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

pub(crate) const API: ApiKey = ApiKey::Fetch;

fn request_partition(version: i16) -> impl Strategy<Value = FetchPartition> {
    (
        any::<i32>(),
        field(version >= 9, any::<i32>(), -1),
        any::<i64>(),
        field(version >= 12, any::<i32>(), -1),
        field(version >= 5, any::<i64>(), -1),
        any::<i32>(),
        field(version >= 17, id(), Uuid::ZERO),
        field(version >= 18, any::<i64>(), i64::MAX),
    )
        .prop_map(|(index, epoch, offset, last_epoch, log_start, max_bytes, directory, hw)| {
            FetchPartition::default()
                .with_partition(index)
                .with_current_leader_epoch(epoch)
                .with_fetch_offset(offset)
                .with_last_fetched_epoch(last_epoch)
                .with_log_start_offset(log_start)
                .with_partition_max_bytes(max_bytes)
                .with_replica_directory_id(to_their_uuid(directory))
                .with_high_watermark(hw)
        })
}

fn name_and_id(version: i16) -> impl Strategy<Value = (StrBytes, Uuid)> {
    (field(version <= 12, text(), "".into()), field(version >= 13, id(), Uuid::ZERO))
}

fn request_topic(version: i16) -> impl Strategy<Value = FetchTopic> {
    (name_and_id(version), vec(request_partition(version), 0..4)).prop_map(
        |((name, id), partitions)| {
            FetchTopic::default()
                .with_topic(TopicName(name))
                .with_topic_id(to_their_uuid(id))
                .with_partitions(partitions)
        },
    )
}

fn forgotten_topic(version: i16) -> impl Strategy<Value = ForgottenTopic> {
    (name_and_id(version), vec(any::<i32>(), 0..4)).prop_map(|((name, id), partitions)| {
        ForgottenTopic::default()
            .with_topic(TopicName(name))
            .with_topic_id(to_their_uuid(id))
            .with_partitions(partitions)
    })
}

pub(crate) fn request(version: i16) -> impl Strategy<Value = TheirRequest> {
    (
        field(version >= 12, nullable_text(), None),
        field(version <= 14, any::<i32>(), -1),
        field(version >= 15, (any::<i32>(), any::<i64>()), (-1, -1)),
        (any::<i32>(), any::<i32>(), any::<i32>(), any::<i8>()),
        field(version >= 7, (any::<i32>(), any::<i32>()), (0, -1)),
        vec(request_topic(version), 0..4),
        field(version >= 7, vec(forgotten_topic(version), 0..3), vec![]),
        field(version >= 11, text(), "".into()),
    )
        .prop_map(|(cluster_id, replica, state, numbers, session, topics, forgotten, rack)| {
            TheirRequest::default()
                .with_cluster_id(cluster_id)
                .with_replica_id(BrokerId(replica))
                .with_replica_state(replica_state(state))
                .with_max_wait_ms(numbers.0)
                .with_min_bytes(numbers.1)
                .with_max_bytes(numbers.2)
                .with_isolation_level(numbers.3)
                .with_session_id(session.0)
                .with_session_epoch(session.1)
                .with_topics(topics)
                .with_forgotten_topics_data(forgotten)
                .with_rack_id(rack)
        })
}

fn replica_state((replica_id, replica_epoch): (i32, i64)) -> ReplicaState {
    ReplicaState::default().with_replica_id(BrokerId(replica_id)).with_replica_epoch(replica_epoch)
}

fn read_request(bytes: &[u8], version: i16) -> (TheirRequest, Vec<u8>) {
    let request = FetchRequest::decode(bytes, version).expect("our decode");
    let mut written = Vec::new();
    request.encode(version, &mut written).expect("our encode");
    let forgotten = request.forgotten_topics_data.iter().map(|topic| {
        ForgottenTopic::default()
            .with_topic(TopicName(to_their_text(topic.topic)))
            .with_topic_id(to_their_uuid(topic.topic_id))
            .with_partitions(topic.partitions.iter().collect())
    });
    let state = request.replica_state;
    let theirs = TheirRequest::default()
        .with_cluster_id(request.cluster_id.map(to_their_text))
        .with_replica_id(BrokerId(request.replica_id))
        .with_replica_state(replica_state((state.replica_id, state.replica_epoch)))
        .with_max_wait_ms(request.max_wait_ms)
        .with_min_bytes(request.min_bytes)
        .with_max_bytes(request.max_bytes)
        .with_isolation_level(request.isolation_level)
        .with_session_id(request.session_id)
        .with_session_epoch(request.session_epoch)
        .with_topics(request.topics.iter().map(their_request_topic).collect())
        .with_forgotten_topics_data(forgotten.collect())
        .with_rack_id(to_their_text(request.rack_id));
    (theirs, written)
}

fn their_request_topic(topic: &fetch::FetchTopic<'_>) -> FetchTopic {
    let partitions = topic.partitions.iter().map(|partition| {
        FetchPartition::default()
            .with_partition(partition.partition)
            .with_current_leader_epoch(partition.current_leader_epoch)
            .with_fetch_offset(partition.fetch_offset)
            .with_last_fetched_epoch(partition.last_fetched_epoch)
            .with_log_start_offset(partition.log_start_offset)
            .with_partition_max_bytes(partition.partition_max_bytes)
            .with_replica_directory_id(to_their_uuid(partition.replica_directory_id))
            .with_high_watermark(partition.high_watermark)
    });
    FetchTopic::default()
        .with_topic(TopicName(to_their_text(topic.topic)))
        .with_topic_id(to_their_uuid(topic.topic_id))
        .with_partitions(partitions.collect())
}

fn tag_request(request: &mut TheirRequest, version: i16, tags: &Tags) {
    request.unknown_tagged_fields = tags.clone();
    if version >= 15 {
        request.replica_state.replica_id = BrokerId(7); // else it is left out, tags and all
        request.replica_state.unknown_tagged_fields = tags.clone();
    }
    for topic in &mut request.topics {
        topic.unknown_tagged_fields = tags.clone();
        for partition in &mut topic.partitions {
            partition.unknown_tagged_fields = tags.clone();
        }
    }
    for topic in &mut request.forgotten_topics_data {
        topic.unknown_tagged_fields = tags.clone();
    }
}

#[test]
fn request_is_theirs_in_every_version() {
    for_each_version(
        API.versions(),
        |version| (request(version), tags()),
        |version, (mut theirs, tags)| {
            if version >= 15 {
                theirs.replica_state.replica_id = BrokerId(7);
            }
            let tag = |request: &mut TheirRequest| tag_request(request, version, &tags);
            check(version, API.is_flexible(version), &theirs, tag, |bytes| {
                read_request(bytes, version)
            });
        },
    );
}

fn partition(version: i16) -> impl Strategy<Value = PartitionData> {
    let epoch = || any::<(i32, i64)>();
    (
        any::<(i32, i16, i64, i64)>(),
        field(version >= 5, any::<i64>(), -1),
        field(version >= 12, option::of(epoch()), None),
        field(version >= 12, option::of(any::<(i32, i32)>()), None),
        field(version >= 12, option::of(epoch()), None),
        option::of(vec(epoch_pair(), 0..4)),
        field(version >= 11, any::<i32>(), -1),
        option::of(data()),
    )
        .prop_map(
            |(numbers, log_start, diverging, leader, snapshot, aborted, replica, records)| {
                let aborted = aborted.map(|all| all.into_iter().map(their_aborted).collect());
                PartitionData::default()
                    .with_partition_index(numbers.0)
                    .with_error_code(numbers.1)
                    .with_high_watermark(numbers.2)
                    .with_last_stable_offset(numbers.3)
                    .with_log_start_offset(log_start)
                    .with_diverging_epoch(their_epoch(diverging.unwrap_or((-1, -1))))
                    .with_current_leader(their_leader(leader.unwrap_or((-1, -1))))
                    .with_snapshot_id(their_snapshot(snapshot.unwrap_or((-1, -1))))
                    .with_aborted_transactions(aborted)
                    .with_preferred_read_replica(BrokerId(replica))
                    .with_records(records)
            },
        )
}

fn epoch_pair() -> impl Strategy<Value = (i64, i64)> {
    any::<(i64, i64)>()
}

fn their_aborted((producer_id, first_offset): (i64, i64)) -> AbortedTransaction {
    AbortedTransaction::default()
        .with_producer_id(ProducerId(producer_id))
        .with_first_offset(first_offset)
}

fn their_epoch((epoch, end_offset): (i32, i64)) -> EpochEndOffset {
    EpochEndOffset::default().with_epoch(epoch).with_end_offset(end_offset)
}

fn their_leader((leader_id, leader_epoch): (i32, i32)) -> LeaderIdAndEpoch {
    LeaderIdAndEpoch::default().with_leader_id(BrokerId(leader_id)).with_leader_epoch(leader_epoch)
}

fn their_snapshot((epoch, end_offset): (i32, i64)) -> SnapshotId {
    SnapshotId::default().with_epoch(epoch).with_end_offset(end_offset)
}

fn topic(version: i16) -> impl Strategy<Value = FetchableTopicResponse> {
    (name_and_id(version), vec(partition(version), 0..4)).prop_map(|((name, id), partitions)| {
        FetchableTopicResponse::default()
            .with_topic(TopicName(name))
            .with_topic_id(to_their_uuid(id))
            .with_partitions(partitions)
    })
}

type Node = (i32, StrBytes, i32, Option<StrBytes>);

fn their_node((node_id, host, port, rack): Node) -> NodeEndpoint {
    NodeEndpoint::default()
        .with_node_id(BrokerId(node_id))
        .with_host(host)
        .with_port(port)
        .with_rack(rack)
}

pub(crate) fn response(version: i16) -> impl Strategy<Value = TheirResponse> {
    let node = (any::<i32>(), text(), any::<i32>(), nullable_text());
    (
        any::<i32>(),
        field(version >= 7, any::<(i16, i32)>(), (0, 0)),
        vec(topic(version), 0..4),
        field(version >= 16, vec(node, 0..3), vec![]),
    )
        .prop_map(|(throttle_time_ms, (error_code, session_id), topics, nodes)| {
            TheirResponse::default()
                .with_throttle_time_ms(throttle_time_ms)
                .with_error_code(error_code)
                .with_session_id(session_id)
                .with_responses(topics)
                .with_node_endpoints(nodes.into_iter().map(their_node).collect())
        })
}

fn read_response(bytes: &[u8], version: i16) -> (TheirResponse, Vec<u8>) {
    let response = FetchResponse::decode(bytes, version).expect("our decode");
    let mut written = Vec::new();
    response.encode(version, &mut written).expect("our encode");
    let nodes = response.node_endpoints.iter().map(|node| {
        let rack = node.rack.map(to_their_text);
        their_node((node.node_id, to_their_text(node.host), node.port, rack))
    });
    let theirs = TheirResponse::default()
        .with_throttle_time_ms(response.throttle_time_ms)
        .with_error_code(response.error_code.0)
        .with_session_id(response.session_id)
        .with_responses(response.responses.iter().map(their_topic).collect())
        .with_node_endpoints(nodes.collect());
    (theirs, written)
}

fn their_topic(topic: &fetch::FetchableTopicResponse<'_>) -> FetchableTopicResponse {
    FetchableTopicResponse::default()
        .with_topic(TopicName(to_their_text(topic.topic)))
        .with_topic_id(to_their_uuid(topic.topic_id))
        .with_partitions(topic.partitions.iter().map(their_partition).collect())
}

fn their_partition(partition: &fetch::PartitionData<'_>) -> PartitionData {
    let aborted = partition.aborted_transactions.as_ref().map(|all| {
        all.iter().map(|aborted| their_aborted((aborted.producer_id, aborted.first_offset)))
    });
    let fetch::PartitionTail { diverging_epoch, current_leader, snapshot_id } = partition.tail;
    PartitionData::default()
        .with_partition_index(partition.partition_index)
        .with_error_code(partition.error_code.0)
        .with_high_watermark(partition.high_watermark)
        .with_last_stable_offset(partition.last_stable_offset)
        .with_log_start_offset(partition.log_start_offset)
        .with_diverging_epoch(their_epoch((diverging_epoch.epoch, diverging_epoch.end_offset)))
        .with_current_leader(their_leader((current_leader.leader_id, current_leader.leader_epoch)))
        .with_snapshot_id(their_snapshot((snapshot_id.epoch, snapshot_id.end_offset)))
        .with_aborted_transactions(aborted.map(Iterator::collect))
        .with_preferred_read_replica(BrokerId(partition.preferred_read_replica))
        .with_records(partition.records.map(|records| records.to_vec().into()))
}

pub(crate) fn tag_response(response: &mut TheirResponse, tags: &Tags) {
    response.unknown_tagged_fields = tags.clone();
    for node in &mut response.node_endpoints {
        node.unknown_tagged_fields = tags.clone();
    }
    for topic in &mut response.responses {
        topic.unknown_tagged_fields = tags.clone();
        for partition in &mut topic.partitions {
            partition.unknown_tagged_fields = tags.clone();
            for aborted in partition.aborted_transactions.iter_mut().flatten() {
                aborted.unknown_tagged_fields = tags.clone();
            }
            if partition.diverging_epoch != EpochEndOffset::default() {
                partition.diverging_epoch.unknown_tagged_fields = tags.clone();
            }
            if partition.current_leader != LeaderIdAndEpoch::default() {
                partition.current_leader.unknown_tagged_fields = tags.clone();
            }
            if partition.snapshot_id != SnapshotId::default() {
                partition.snapshot_id.unknown_tagged_fields = tags.clone();
            }
        }
    }
}

#[test]
fn response_is_theirs_in_every_version() {
    for_each_version(
        API.versions(),
        |version| (response(version), tags()),
        |version, (theirs, tags)| {
            let tag = |response: &mut TheirResponse| tag_response(response, &tags);
            check(version, API.is_flexible(version), &theirs, tag, |bytes| {
                read_response(bytes, version)
            });
        },
    );
}
