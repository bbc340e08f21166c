//! OffsetDelete, which has no tagged fields.

use crate::{check_each_version, text, to_their_text};
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequest as TheirRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::offset_delete_response::{
    OffsetDeleteResponse as TheirResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use kafka_protocol::messages::{GroupId, TopicName};
use kfetch::protocol::ApiKey;
use kfetch::protocol::offset_delete::{OffsetDeleteRequest, OffsetDeleteResponse};
use proptest::collection::vec;
use proptest::prelude::*;

const API: ApiKey = ApiKey::OffsetDelete;

pub(crate) fn request(_version: i16) -> impl Strategy<Value = TheirRequest> {
    let topic = (text(), vec(any::<i32>().prop_map(asked), 0..4)).prop_map(|(name, partitions)| {
        OffsetDeleteRequestTopic::default().with_name(TopicName(name)).with_partitions(partitions)
    });
    (text(), vec(topic, 0..4)).prop_map(|(group_id, topics)| {
        TheirRequest::default().with_group_id(GroupId(group_id)).with_topics(topics)
    })
}

fn asked(index: i32) -> OffsetDeleteRequestPartition {
    OffsetDeleteRequestPartition::default().with_partition_index(index)
}

fn read_request(bytes: &[u8], version: i16) -> (TheirRequest, Vec<u8>) {
    let request = OffsetDeleteRequest::decode(bytes, version).expect("our decode");
    let mut written = Vec::new();
    request.encode(version, &mut written).expect("our encode");
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| asked(partition.partition_index));
        OffsetDeleteRequestTopic::default()
            .with_name(TopicName(to_their_text(topic.name)))
            .with_partitions(partitions.collect())
    });
    let theirs = TheirRequest::default()
        .with_group_id(GroupId(to_their_text(request.group_id)))
        .with_topics(topics.collect());
    (theirs, written)
}

#[test]
fn request_is_theirs() {
    check_each_version(API, request, |_, _| {}, read_request);
}

pub(crate) fn response(_version: i16) -> impl Strategy<Value = TheirResponse> {
    let partition = (any::<i32>(), any::<i16>()).prop_map(deleted);
    let topic = (text(), vec(partition, 0..4)).prop_map(|(name, partitions)| {
        OffsetDeleteResponseTopic::default().with_name(TopicName(name)).with_partitions(partitions)
    });
    (any::<i16>(), any::<i32>(), vec(topic, 0..4)).prop_map(
        |(error_code, throttle_time_ms, topics)| {
            TheirResponse::default()
                .with_error_code(error_code)
                .with_throttle_time_ms(throttle_time_ms)
                .with_topics(topics)
        },
    )
}

fn deleted((index, error_code): (i32, i16)) -> OffsetDeleteResponsePartition {
    OffsetDeleteResponsePartition::default().with_partition_index(index).with_error_code(error_code)
}

fn read_response(bytes: &[u8], version: i16) -> (TheirResponse, Vec<u8>) {
    let response = OffsetDeleteResponse::decode(bytes, version).expect("our decode");
    let mut written = Vec::new();
    response.encode(version, &mut written).expect("our encode");
    let topics = response.topics.iter().map(|topic| {
        let partitions =
            topic.partitions.iter().map(|p| deleted((p.partition_index, p.error_code.0)));
        OffsetDeleteResponseTopic::default()
            .with_name(TopicName(to_their_text(topic.name)))
            .with_partitions(partitions.collect())
    });
    let theirs = TheirResponse::default()
        .with_error_code(response.error_code.0)
        .with_throttle_time_ms(response.throttle_time_ms)
        .with_topics(topics.collect());
    (theirs, written)
}

#[test]
fn response_is_theirs() {
    check_each_version(API, response, |_, _| {}, read_response);
}
