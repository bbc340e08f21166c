//! OffsetFetch; they lack version 10 of the request.

use crate::{
    Tags, check_each_version, encoded, field, for_each_version, id, nullable_text, text,
    to_their_nullable_text, to_their_text, to_their_uuid,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequest as TheirRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic,
    OffsetFetchRequestTopics,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponse as TheirResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions, OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{GroupId, TopicName};
use kafka_protocol::protocol::StrBytes;
use kfetch::protocol::offset_fetch::{OffsetFetchRequest, OffsetFetchResponse};
use kfetch::protocol::{ApiKey, VersionRange};
use kfetch::wire::Uuid;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

const API: ApiKey = ApiKey::OffsetFetch;

pub(crate) fn request(version: i16) -> impl Strategy<Value = TheirRequest> {
    let topics = vec(
        (text(), vec(any::<i32>(), 0..5)).prop_map(|(name, indexes)| {
            OffsetFetchRequestTopics::default()
                .with_name(TopicName(name))
                .with_partition_indexes(indexes)
        }),
        0..4,
    );
    let topics =
        if version >= 2 { option::of(topics).boxed() } else { topics.prop_map(Some).boxed() };
    let member_id = field(version >= 9, nullable_text(), None);
    let member_epoch = field(version >= 9, any::<i32>(), -1);
    let group = (text(), member_id, member_epoch, topics).prop_map(
        |(group_id, member_id, member_epoch, topics)| {
            OffsetFetchRequestGroup::default()
                .with_group_id(GroupId(group_id))
                .with_member_id(member_id)
                .with_member_epoch(member_epoch)
                .with_topics(topics)
        },
    );
    let groups = vec(group, if version >= 8 { 0..4 } else { 1..2 });
    (groups, field(version >= 7, any::<bool>(), false))
        .prop_map(move |(groups, stable)| their_request(version, groups, stable))
}

/// Puts the group below version 8 where they have it.
fn their_request(
    version: i16,
    mut groups: Vec<OffsetFetchRequestGroup>,
    require_stable: bool,
) -> TheirRequest {
    let request = TheirRequest::default().with_require_stable(require_stable);
    if version >= 8 {
        return request.with_groups(groups);
    }
    let group = groups.remove(0);
    assert_eq!((group.member_id, group.member_epoch), (None, -1));
    let topics = group.topics.map(|topics| {
        let topics = topics.into_iter().map(|topic| {
            OffsetFetchRequestTopic::default()
                .with_name(topic.name)
                .with_partition_indexes(topic.partition_indexes)
        });
        topics.collect()
    });
    request.with_group_id(group.group_id).with_topics(topics)
}

fn read_request(bytes: &[u8], version: i16) -> (TheirRequest, Vec<u8>) {
    let request = OffsetFetchRequest::decode(bytes, version).expect("our decode");
    let mut written = Vec::new();
    request.encode(version, &mut written).expect("our encode");
    let groups = request.groups.iter().map(|group| {
        let topics = group.topics.as_ref().map(|topics| {
            let topics = topics.iter().map(|topic| {
                OffsetFetchRequestTopics::default()
                    .with_name(TopicName(to_their_text(topic.name)))
                    .with_topic_id(to_their_uuid(topic.topic_id))
                    .with_partition_indexes(topic.partition_indexes.iter().collect())
            });
            topics.collect()
        });
        OffsetFetchRequestGroup::default()
            .with_group_id(GroupId(to_their_text(group.group_id)))
            .with_member_id(to_their_nullable_text(group.member_id))
            .with_member_epoch(group.member_epoch)
            .with_topics(topics)
    });
    (their_request(version, groups.collect(), request.require_stable), written)
}

fn tag_request(request: &mut TheirRequest, tags: &Tags) {
    request.unknown_tagged_fields = tags.clone();
    for topic in request.topics.iter_mut().flatten() {
        topic.unknown_tagged_fields = tags.clone();
    }
    for group in &mut request.groups {
        group.unknown_tagged_fields = tags.clone();
        for topic in group.topics.iter_mut().flatten() {
            topic.unknown_tagged_fields = tags.clone();
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
        |version| (request(version), vec(id(), 12)),
        |_, (theirs, ids)| {
            let bytes = encoded(&theirs, 9);
            let mut request = OffsetFetchRequest::decode(&bytes, 9).expect("our decode");
            let mut written = Vec::new();
            let topics = request.groups.iter_mut().flat_map(|group| &mut group.topics).flatten();
            for (topic, id) in topics.zip(&ids) {
                topic.topic_id = *id;
            }
            request.encode(10, &mut written).expect("our encode");
            for topic in request.groups.iter_mut().flat_map(|group| &mut group.topics).flatten() {
                topic.name = "";
            }
            assert_eq!(OffsetFetchRequest::decode(&written, 10), Ok(request));
        },
    );
}

type Found = (i32, i64, i32, Option<StrBytes>, i16);

pub(crate) fn response(version: i16) -> impl Strategy<Value = TheirResponse> {
    let epoch = field(version >= 5, any::<i32>(), -1);
    let partition =
        (any::<i32>(), any::<i64>(), epoch, nullable_text(), any::<i16>()).prop_map(found);
    let name = field(version <= 9, text(), StrBytes::default());
    let topic_id = field(version >= 10, id(), Uuid::ZERO);
    let topic = (name, topic_id, vec(partition, 0..4)).prop_map(|(name, topic_id, partitions)| {
        OffsetFetchResponseTopics::default()
            .with_name(TopicName(name))
            .with_topic_id(to_their_uuid(topic_id))
            .with_partitions(partitions)
    });
    let group_id = field(version >= 8, text(), StrBytes::default());
    let error_code = field(version >= 2, any::<i16>(), 0);
    let group = (group_id, vec(topic, 0..4), error_code).prop_map(|(group_id, topics, code)| {
        OffsetFetchResponseGroup::default()
            .with_group_id(GroupId(group_id))
            .with_topics(topics)
            .with_error_code(code)
    });
    let groups = vec(group, if version >= 8 { 0..4 } else { 1..2 });
    (field(version >= 3, any::<i32>(), 0), groups).prop_map(move |(throttle_time_ms, groups)| {
        their_response(version, throttle_time_ms, groups)
    })
}

fn found((index, offset, epoch, metadata, code): Found) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions::default()
        .with_partition_index(index)
        .with_committed_offset(offset)
        .with_committed_leader_epoch(epoch)
        .with_metadata(metadata)
        .with_error_code(code)
}

/// Puts the group below version 8 where they have it.
fn their_response(
    version: i16,
    throttle_time_ms: i32,
    mut groups: Vec<OffsetFetchResponseGroup>,
) -> TheirResponse {
    let response = TheirResponse::default().with_throttle_time_ms(throttle_time_ms);
    if version >= 8 {
        return response.with_groups(groups);
    }
    let group = groups.remove(0);
    assert!(group.group_id.is_empty());
    let topics = group.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().map(|p| {
            OffsetFetchResponsePartition::default()
                .with_partition_index(p.partition_index)
                .with_committed_offset(p.committed_offset)
                .with_committed_leader_epoch(p.committed_leader_epoch)
                .with_metadata(p.metadata)
                .with_error_code(p.error_code)
        });
        OffsetFetchResponseTopic::default()
            .with_name(topic.name)
            .with_partitions(partitions.collect())
    });
    response.with_topics(topics.collect()).with_error_code(group.error_code)
}

fn read_response(bytes: &[u8], version: i16) -> (TheirResponse, Vec<u8>) {
    let response = OffsetFetchResponse::decode(bytes, version).expect("our decode");
    let mut written = Vec::new();
    response.encode(version, &mut written).expect("our encode");
    let groups = response.groups.iter().map(|group| {
        let topics = group.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|p| {
                let metadata = to_their_nullable_text(p.metadata);
                let (offset, epoch) = (p.committed_offset, p.committed_leader_epoch);
                found((p.partition_index, offset, epoch, metadata, p.error_code.0))
            });
            OffsetFetchResponseTopics::default()
                .with_name(TopicName(to_their_text(topic.name)))
                .with_topic_id(to_their_uuid(topic.topic_id))
                .with_partitions(partitions.collect())
        });
        OffsetFetchResponseGroup::default()
            .with_group_id(GroupId(to_their_text(group.group_id)))
            .with_topics(topics.collect())
            .with_error_code(group.error_code.0)
    });
    (their_response(version, response.throttle_time_ms, groups.collect()), written)
}

fn tag_response(response: &mut TheirResponse, tags: &Tags) {
    response.unknown_tagged_fields = tags.clone();
    for topic in &mut response.topics {
        topic.unknown_tagged_fields = tags.clone();
        for partition in &mut topic.partitions {
            partition.unknown_tagged_fields = tags.clone();
        }
    }
    for group in &mut response.groups {
        group.unknown_tagged_fields = tags.clone();
        for topic in &mut group.topics {
            topic.unknown_tagged_fields = tags.clone();
            for partition in &mut topic.partitions {
                partition.unknown_tagged_fields = tags.clone();
            }
        }
    }
}

#[test]
fn response_is_theirs_in_every_version() {
    check_each_version(API, response, tag_response, read_response);
}
