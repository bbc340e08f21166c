//! OffsetCommit; they lack version 10 of the request.

use crate::{
    Tags, check_each_version, encoded, field, for_each_version, id, nullable_text, text,
    to_their_nullable_text, to_their_text, to_their_uuid,
};
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequest as TheirRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponse as TheirResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::{GroupId, TopicName};
use kafka_protocol::protocol::StrBytes;
use kfetch::protocol::offset_commit::{OffsetCommitRequest, OffsetCommitResponse};
use kfetch::protocol::{ApiKey, VersionRange};
use kfetch::wire::Uuid;
use proptest::collection::vec;
use proptest::prelude::*;

const API: ApiKey = ApiKey::OffsetCommit;

type Committed = (i32, i64, i32, Option<StrBytes>);

pub(crate) fn request(version: i16) -> impl Strategy<Value = TheirRequest> {
    let epoch = field(version >= 6, any::<i32>(), -1);
    let partition = (any::<i32>(), any::<i64>(), epoch, nullable_text()).prop_map(committed);
    let topic = (text(), vec(partition, 0..4)).prop_map(|(name, partitions)| {
        OffsetCommitRequestTopic::default().with_name(TopicName(name)).with_partitions(partitions)
    });
    let member = (any::<i32>(), text(), field(version >= 7, nullable_text(), None));
    let retention_time_ms = field(version <= 4, any::<i64>(), -1);
    (text(), member, retention_time_ms, vec(topic, 0..4)).prop_map(
        |(group_id, member, retention_time_ms, topics)| {
            TheirRequest::default()
                .with_group_id(GroupId(group_id))
                .with_generation_id_or_member_epoch(member.0)
                .with_member_id(member.1)
                .with_group_instance_id(member.2)
                .with_retention_time_ms(retention_time_ms)
                .with_topics(topics)
        },
    )
}

fn committed((index, offset, epoch, metadata): Committed) -> OffsetCommitRequestPartition {
    OffsetCommitRequestPartition::default()
        .with_partition_index(index)
        .with_committed_offset(offset)
        .with_committed_leader_epoch(epoch)
        .with_committed_metadata(metadata)
}

fn read_request(bytes: &[u8], version: i16) -> (TheirRequest, Vec<u8>) {
    let request = OffsetCommitRequest::decode(bytes, version).expect("our decode");
    let mut written = Vec::new();
    request.encode(version, &mut written).expect("our encode");
    (to_their_request(&request), written)
}

fn to_their_request(request: &OffsetCommitRequest<'_>) -> TheirRequest {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|p| {
            let metadata = to_their_nullable_text(p.committed_metadata);
            committed((p.partition_index, p.committed_offset, p.committed_leader_epoch, metadata))
        });
        OffsetCommitRequestTopic::default()
            .with_name(TopicName(to_their_text(topic.name)))
            .with_topic_id(to_their_uuid(topic.topic_id))
            .with_partitions(partitions.collect())
    });
    TheirRequest::default()
        .with_group_id(GroupId(to_their_text(request.group_id)))
        .with_generation_id_or_member_epoch(request.generation_id_or_member_epoch)
        .with_member_id(to_their_text(request.member_id))
        .with_group_instance_id(to_their_nullable_text(request.group_instance_id))
        .with_retention_time_ms(request.retention_time_ms)
        .with_topics(topics.collect())
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
    check_each_version(API, request, tag_request, read_request);
}

#[test]
fn version_10_of_a_request_has_all_of_version_9_but_the_names() {
    let versions = VersionRange { min: 9, max: 9 };
    for_each_version(
        versions,
        |version| (request(version), vec(id(), 4)),
        |_, (theirs, ids)| {
            let bytes = encoded(&theirs, 9);
            let mut request = OffsetCommitRequest::decode(&bytes, 9).expect("our decode");
            let mut written = Vec::new();
            for (topic, id) in request.topics.iter_mut().zip(&ids) {
                topic.topic_id = *id;
            }
            request.encode(10, &mut written).expect("our encode");
            for topic in &mut request.topics {
                topic.name = "";
            }
            assert_eq!(OffsetCommitRequest::decode(&written, 10), Ok(request));
        },
    );
}

pub(crate) fn response(version: i16) -> impl Strategy<Value = TheirResponse> {
    let partition = (any::<i32>(), any::<i16>()).prop_map(stored);
    let name = field(version <= 9, text(), StrBytes::default());
    let topic_id = field(version >= 10, id(), Uuid::ZERO);
    let topic = (name, topic_id, vec(partition, 0..4)).prop_map(|(name, topic_id, partitions)| {
        OffsetCommitResponseTopic::default()
            .with_name(TopicName(name))
            .with_topic_id(to_their_uuid(topic_id))
            .with_partitions(partitions)
    });
    (field(version >= 3, any::<i32>(), 0), vec(topic, 0..4)).prop_map(
        |(throttle_time_ms, topics)| {
            TheirResponse::default().with_throttle_time_ms(throttle_time_ms).with_topics(topics)
        },
    )
}

fn stored((index, error_code): (i32, i16)) -> OffsetCommitResponsePartition {
    OffsetCommitResponsePartition::default().with_partition_index(index).with_error_code(error_code)
}

fn read_response(bytes: &[u8], version: i16) -> (TheirResponse, Vec<u8>) {
    let response = OffsetCommitResponse::decode(bytes, version).expect("our decode");
    let mut written = Vec::new();
    response.encode(version, &mut written).expect("our encode");
    let topics = response.topics.iter().map(|topic| {
        let partitions =
            topic.partitions.iter().map(|p| stored((p.partition_index, p.error_code.0)));
        OffsetCommitResponseTopic::default()
            .with_name(TopicName(to_their_text(topic.name)))
            .with_topic_id(to_their_uuid(topic.topic_id))
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
    check_each_version(API, response, tag_response, read_response);
}
