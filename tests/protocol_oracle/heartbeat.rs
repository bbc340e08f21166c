//! Heartbeat.

use crate::{
    Tags, check_each_version, field, nullable_text, text, to_their_nullable_text, to_their_text,
};
use kafka_protocol::messages::GroupId;
use kafka_protocol::messages::heartbeat_request::HeartbeatRequest as TheirRequest;
use kafka_protocol::messages::heartbeat_response::HeartbeatResponse as TheirResponse;
use kfetch::protocol::ApiKey;
use kfetch::protocol::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use proptest::prelude::*;

const API: ApiKey = ApiKey::Heartbeat;

pub(crate) fn request(version: i16) -> impl Strategy<Value = TheirRequest> {
    (text(), any::<i32>(), text(), field(version >= 3, nullable_text(), None)).prop_map(
        |(group_id, generation_id, member_id, group_instance_id)| {
            TheirRequest::default()
                .with_group_id(GroupId(group_id))
                .with_generation_id(generation_id)
                .with_member_id(member_id)
                .with_group_instance_id(group_instance_id)
        },
    )
}

fn read_request(bytes: &[u8], version: i16) -> (TheirRequest, Vec<u8>) {
    let request = HeartbeatRequest::decode(bytes, version).expect("our decode");
    let mut written = Vec::new();
    request.encode(version, &mut written).expect("our encode");
    let theirs = TheirRequest::default()
        .with_group_id(GroupId(to_their_text(request.group_id)))
        .with_generation_id(request.generation_id)
        .with_member_id(to_their_text(request.member_id))
        .with_group_instance_id(to_their_nullable_text(request.group_instance_id));
    (theirs, written)
}

#[test]
fn request_is_theirs_in_every_version() {
    let tag = |request: &mut TheirRequest, tags: &Tags| {
        request.unknown_tagged_fields = tags.clone();
    };
    check_each_version(API, request, tag, read_request);
}

pub(crate) fn response(version: i16) -> impl Strategy<Value = TheirResponse> {
    (field(version >= 1, any::<i32>(), 0), any::<i16>()).prop_map(
        |(throttle_time_ms, error_code)| {
            TheirResponse::default()
                .with_throttle_time_ms(throttle_time_ms)
                .with_error_code(error_code)
        },
    )
}

fn read_response(bytes: &[u8], version: i16) -> (TheirResponse, Vec<u8>) {
    let response = HeartbeatResponse::decode(bytes, version).expect("our decode");
    let mut written = Vec::new();
    response.encode(version, &mut written).expect("our encode");
    let theirs = TheirResponse::default()
        .with_throttle_time_ms(response.throttle_time_ms)
        .with_error_code(response.error_code.0);
    (theirs, written)
}

#[test]
fn response_is_theirs_in_every_version() {
    let tag = |response: &mut TheirResponse, tags: &Tags| {
        response.unknown_tagged_fields = tags.clone();
    };
    check_each_version(API, response, tag, read_response);
}
