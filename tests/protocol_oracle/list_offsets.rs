//! ListOffsets, whose version 11 they lack; it has the fields of version 10.

use crate::{Tags, check, field, for_each_version, tags, text, to_their_text};
use kafka_protocol::messages::list_offsets_request::{
    ListOffsetsPartition, ListOffsetsRequest as TheirRequest, ListOffsetsTopic,
};
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsResponse as TheirResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::{BrokerId, TopicName};
use kfetch::protocol::list_offsets::{ListOffsetsRequest, ListOffsetsResponse};
use kfetch::protocol::{ApiKey, VersionRange};
use proptest::collection::vec;
use proptest::prelude::*;

const API: ApiKey = ApiKey::ListOffsets;

fn their_versions() -> VersionRange {
    VersionRange { max: 10, ..API.versions() }
}

pub(crate) fn request(version: i16) -> impl Strategy<Value = TheirRequest> {
    let partition = (any::<i32>(), field(version >= 4, any::<i32>(), -1), any::<i64>());
    let topic = (text(), vec(partition, 0..4));
    (
        any::<i32>(),
        field(version >= 2, any::<i8>(), 0),
        vec(topic, 0..4),
        field(version >= 10, any::<i32>(), 0),
    )
        .prop_map(|(replica_id, isolation_level, topics, timeout_ms)| {
            let topics = topics.into_iter().map(|(name, partitions)| {
                ListOffsetsTopic::default()
                    .with_name(TopicName(name))
                    .with_partitions(partitions.into_iter().map(asked).collect())
            });
            TheirRequest::default()
                .with_replica_id(BrokerId(replica_id))
                .with_isolation_level(isolation_level)
                .with_topics(topics.collect())
                .with_timeout_ms(timeout_ms)
        })
}

fn asked((index, epoch, timestamp): (i32, i32, i64)) -> ListOffsetsPartition {
    ListOffsetsPartition::default()
        .with_partition_index(index)
        .with_current_leader_epoch(epoch)
        .with_timestamp(timestamp)
}

fn read_request(bytes: &[u8], version: i16) -> (TheirRequest, Vec<u8>) {
    let request = ListOffsetsRequest::decode(bytes, version).expect("our decode");
    let mut written = Vec::new();
    request.encode(version, &mut written).expect("our encode");
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic
            .partitions
            .iter()
            .map(|p| asked((p.partition_index, p.current_leader_epoch, p.timestamp)));
        ListOffsetsTopic::default()
            .with_name(TopicName(to_their_text(topic.name)))
            .with_partitions(partitions.collect())
    });
    let theirs = TheirRequest::default()
        .with_replica_id(BrokerId(request.replica_id))
        .with_isolation_level(request.isolation_level)
        .with_topics(topics.collect())
        .with_timeout_ms(request.timeout_ms);
    (theirs, written)
}

fn tag_request(request: &mut TheirRequest, tags: &Tags) {
    request.unknown_tagged_fields = tags.clone();
    for topic in &mut request.topics {
        topic.unknown_tagged_fields = tags.clone();
        for partition in &mut topic.partitions {
            partition.unknown_tagged_fields = tags.clone();
        }
    }
}

#[test]
fn request_is_theirs_in_every_version() {
    for_each_version(
        their_versions(),
        |version| (request(version), tags()),
        |version, (theirs, tags)| {
            let tag = |request: &mut TheirRequest| tag_request(request, &tags);
            check(version, API.is_flexible(version), &theirs, tag, |bytes| {
                read_request(bytes, version)
            });
        },
    );
}

type Found = (i32, i16, i64, i64, i32);

pub(crate) fn response(version: i16) -> impl Strategy<Value = TheirResponse> {
    let epoch = field(version >= 4, any::<i32>(), -1);
    let partition = (any::<i32>(), any::<i16>(), any::<i64>(), any::<i64>(), epoch);
    let topics = vec((text(), vec(partition, 0..4)), 0..4);
    (field(version >= 2, any::<i32>(), 0), topics).prop_map(|(throttle_time_ms, topics)| {
        let topics = topics.into_iter().map(|(name, partitions)| {
            ListOffsetsTopicResponse::default()
                .with_name(TopicName(name))
                .with_partitions(partitions.into_iter().map(found).collect())
        });
        TheirResponse::default()
            .with_throttle_time_ms(throttle_time_ms)
            .with_topics(topics.collect())
    })
}

fn found((index, error_code, timestamp, offset, epoch): Found) -> ListOffsetsPartitionResponse {
    ListOffsetsPartitionResponse::default()
        .with_partition_index(index)
        .with_error_code(error_code)
        .with_timestamp(timestamp)
        .with_offset(offset)
        .with_leader_epoch(epoch)
}

fn read_response(bytes: &[u8], version: i16) -> (TheirResponse, Vec<u8>) {
    let response = ListOffsetsResponse::decode(bytes, version).expect("our decode");
    let mut written = Vec::new();
    response.encode(version, &mut written).expect("our encode");
    let topics = response.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|p| {
            found((p.partition_index, p.error_code.0, p.timestamp, p.offset, p.leader_epoch))
        });
        ListOffsetsTopicResponse::default()
            .with_name(TopicName(to_their_text(topic.name)))
            .with_partitions(partitions.collect())
    });
    let theirs = TheirResponse::default()
        .with_throttle_time_ms(response.throttle_time_ms)
        .with_topics(topics.collect());
    (theirs, written)
}

fn tag_response(response: &mut TheirResponse, tags: &Tags) {
    response.unknown_tagged_fields = tags.clone();
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
        their_versions(),
        |version| (response(version), tags()),
        |version, (theirs, tags)| {
            let tag = |response: &mut TheirResponse| tag_response(response, &tags);
            check(version, API.is_flexible(version), &theirs, tag, |bytes| {
                read_response(bytes, version)
            });
        },
    );
}

#[test]
fn version_11_has_the_bytes_of_version_10() {
    for_each_version(
        VersionRange { min: 10, max: 10 },
        |version| (request(version), response(version)),
        |version, (their_request, their_response)| {
            let bytes = crate::encoded(&their_request, version);
            let request = ListOffsetsRequest::decode(&bytes, 11).expect("our decode");
            let mut written = Vec::new();
            request.encode(11, &mut written).expect("our encode");
            assert_eq!(written, bytes);

            let bytes = crate::encoded(&their_response, version);
            let response = ListOffsetsResponse::decode(&bytes, 11).expect("our decode");
            let mut written = Vec::new();
            response.encode(11, &mut written).expect("our encode");
            assert_eq!(written, bytes);
        },
    );
}
