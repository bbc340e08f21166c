//! Metadata.

use crate::{
    Tags, check, field, for_each_version, id, nullable_text, tags, text, to_their_text,
    to_their_uuid,
};
use kafka_protocol::messages::metadata_request::{
    MetadataRequest as TheirRequest, MetadataRequestTopic,
};
use kafka_protocol::messages::metadata_response::{
    MetadataResponse as TheirResponse, MetadataResponseBroker, MetadataResponsePartition,
    MetadataResponseTopic,
};
use kafka_protocol::messages::{BrokerId, TopicName};
use kafka_protocol::protocol::StrBytes;
use kfetch::protocol::ApiKey;
use kfetch::protocol::metadata::{MetadataRequest, MetadataResponse};
use kfetch::wire::{Int32Array, Uuid};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

const API: ApiKey = ApiKey::Metadata;

/// A text that is null in some of the versions that allow it.
fn text_or_null(nullable: bool) -> BoxedStrategy<Option<StrBytes>> {
    if nullable { nullable_text().boxed() } else { text().prop_map(Some).boxed() }
}

pub(crate) fn request(version: i16) -> impl Strategy<Value = TheirRequest> {
    let topic = (field(version >= 10, id(), Uuid::ZERO), text_or_null(version >= 10));
    let topics = vec(topic, 0..4);
    (
        if version >= 1 { option::of(topics).boxed() } else { topics.prop_map(Some).boxed() },
        field(version >= 4, any::<bool>(), true),
        field((8..=10).contains(&version), any::<bool>(), false),
        field(version >= 8, any::<bool>(), false),
    )
        .prop_map(|(topics, creation, cluster_operations, topic_operations)| {
            let topics = topics.map(|topics| topics.into_iter().map(request_topic).collect());
            TheirRequest::default()
                .with_topics(topics)
                .with_allow_auto_topic_creation(creation)
                .with_include_cluster_authorized_operations(cluster_operations)
                .with_include_topic_authorized_operations(topic_operations)
        })
}

fn request_topic((topic_id, name): (Uuid, Option<StrBytes>)) -> MetadataRequestTopic {
    MetadataRequestTopic::default()
        .with_topic_id(to_their_uuid(topic_id))
        .with_name(name.map(TopicName))
}

fn read_request(bytes: &[u8], version: i16) -> (TheirRequest, Vec<u8>) {
    let request = MetadataRequest::decode(bytes, version).expect("our decode");
    let mut written = Vec::new();
    request.encode(version, &mut written).expect("our encode");
    let topics = request.topics.map(|topics| {
        topics.iter().map(|t| request_topic((t.topic_id, t.name.map(to_their_text)))).collect()
    });
    let theirs = TheirRequest::default()
        .with_topics(topics)
        .with_allow_auto_topic_creation(request.allow_auto_topic_creation)
        .with_include_cluster_authorized_operations(request.include_cluster_authorized_operations)
        .with_include_topic_authorized_operations(request.include_topic_authorized_operations);
    (theirs, written)
}

fn tag_request(request: &mut TheirRequest, tags: &Tags) {
    request.unknown_tagged_fields = tags.clone();
    for topic in request.topics.iter_mut().flatten() {
        topic.unknown_tagged_fields = tags.clone();
    }
}

#[test]
fn request_is_theirs_in_every_version() {
    for_each_version(
        API.versions(),
        |version| (request(version), tags()),
        |version, (theirs, tags)| {
            let tag = |request: &mut TheirRequest| tag_request(request, &tags);
            check(version, API.is_flexible(version), &theirs, tag, |bytes| {
                read_request(bytes, version)
            });
        },
    );
}

fn broker(version: i16) -> impl Strategy<Value = MetadataResponseBroker> {
    (any::<i32>(), text(), any::<i32>(), field(version >= 1, nullable_text(), None)).prop_map(
        |(node_id, host, port, rack)| {
            MetadataResponseBroker::default()
                .with_node_id(BrokerId(node_id))
                .with_host(host)
                .with_port(port)
                .with_rack(rack)
        },
    )
}

fn partition(version: i16) -> impl Strategy<Value = MetadataResponsePartition> {
    let nodes = || vec(any::<i32>().prop_map(BrokerId), 0..5);
    (
        (any::<i16>(), any::<i32>(), any::<i32>()),
        field(version >= 7, any::<i32>(), -1),
        nodes(),
        nodes(),
        field(version >= 5, nodes(), vec![]),
    )
        .prop_map(|((error_code, index, leader_id), epoch, replicas, isr, offline)| {
            MetadataResponsePartition::default()
                .with_error_code(error_code)
                .with_partition_index(index)
                .with_leader_id(BrokerId(leader_id))
                .with_leader_epoch(epoch)
                .with_replica_nodes(replicas)
                .with_isr_nodes(isr)
                .with_offline_replicas(offline)
        })
}

fn topic(version: i16) -> impl Strategy<Value = MetadataResponseTopic> {
    (
        any::<i16>(),
        text_or_null(version >= 12),
        field(version >= 10, id(), Uuid::ZERO),
        field(version >= 1, any::<bool>(), false),
        vec(partition(version), 0..4),
        field(version >= 8, any::<i32>(), i32::MIN),
    )
        .prop_map(|(error_code, name, topic_id, is_internal, partitions, operations)| {
            MetadataResponseTopic::default()
                .with_error_code(error_code)
                .with_name(name.map(TopicName))
                .with_topic_id(to_their_uuid(topic_id))
                .with_is_internal(is_internal)
                .with_partitions(partitions)
                .with_topic_authorized_operations(operations)
        })
}

pub(crate) fn response(version: i16) -> impl Strategy<Value = TheirResponse> {
    (
        field(version >= 3, any::<i32>(), 0),
        vec(broker(version), 0..4),
        field(version >= 2, nullable_text(), None),
        field(version >= 1, any::<i32>(), -1),
        vec(topic(version), 0..4),
        field((8..=10).contains(&version), any::<i32>(), i32::MIN),
        field(version >= 13, any::<i16>(), 0),
    )
        .prop_map(|(throttle, brokers, cluster_id, controller, topics, operations, error)| {
            TheirResponse::default()
                .with_throttle_time_ms(throttle)
                .with_brokers(brokers)
                .with_cluster_id(cluster_id)
                .with_controller_id(BrokerId(controller))
                .with_topics(topics)
                .with_cluster_authorized_operations(operations)
                .with_error_code(error)
        })
}

fn read_response(bytes: &[u8], version: i16) -> (TheirResponse, Vec<u8>) {
    let response = MetadataResponse::decode(bytes, version).expect("our decode");
    let mut written = Vec::new();
    response.encode(version, &mut written).expect("our encode");
    let brokers = response.brokers.iter().map(|broker| {
        MetadataResponseBroker::default()
            .with_node_id(BrokerId(broker.node_id))
            .with_host(to_their_text(broker.host))
            .with_port(broker.port)
            .with_rack(broker.rack.map(to_their_text))
    });
    let theirs = TheirResponse::default()
        .with_throttle_time_ms(response.throttle_time_ms)
        .with_brokers(brokers.collect())
        .with_cluster_id(response.cluster_id.map(to_their_text))
        .with_controller_id(BrokerId(response.controller_id))
        .with_topics(response.topics.iter().map(their_topic).collect())
        .with_cluster_authorized_operations(response.cluster_authorized_operations)
        .with_error_code(response.error_code.0);
    (theirs, written)
}

fn their_topic(
    topic: &kfetch::protocol::metadata::MetadataResponseTopic<'_>,
) -> MetadataResponseTopic {
    let partitions = topic.partitions.iter().map(|partition| {
        MetadataResponsePartition::default()
            .with_error_code(partition.error_code.0)
            .with_partition_index(partition.partition_index)
            .with_leader_id(BrokerId(partition.leader_id))
            .with_leader_epoch(partition.leader_epoch)
            .with_replica_nodes(their_nodes(partition.replica_nodes))
            .with_isr_nodes(their_nodes(partition.isr_nodes))
            .with_offline_replicas(their_nodes(partition.offline_replicas))
    });
    MetadataResponseTopic::default()
        .with_error_code(topic.error_code.0)
        .with_name(topic.name.map(|name| TopicName(to_their_text(name))))
        .with_topic_id(to_their_uuid(topic.topic_id))
        .with_is_internal(topic.is_internal)
        .with_partitions(partitions.collect())
        .with_topic_authorized_operations(topic.topic_authorized_operations)
}

fn their_nodes(nodes: Int32Array<'_>) -> Vec<BrokerId> {
    nodes.iter().map(BrokerId).collect()
}

fn tag_response(response: &mut TheirResponse, tags: &Tags) {
    response.unknown_tagged_fields = tags.clone();
    for broker in &mut response.brokers {
        broker.unknown_tagged_fields = tags.clone();
    }
    for topic in &mut response.topics {
        topic.unknown_tagged_fields = tags.clone();
        for partition in &mut topic.partitions {
            partition.unknown_tagged_fields = tags.clone();
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
