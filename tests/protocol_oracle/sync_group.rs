//! SyncGroup.

use crate::{
    Tags, check_each_version, data, field, nullable_text, text, to_their_nullable_text,
    to_their_text,
};
use bytes::Bytes;
use kafka_protocol::messages::GroupId;
use kafka_protocol::messages::sync_group_request::{
    SyncGroupRequest as TheirRequest, SyncGroupRequestAssignment,
};
use kafka_protocol::messages::sync_group_response::SyncGroupResponse as TheirResponse;
use kafka_protocol::protocol::StrBytes;
use kfetch::protocol::ApiKey;
use kfetch::protocol::sync_group::{SyncGroupRequest, SyncGroupResponse};
use proptest::collection::vec;
use proptest::prelude::*;

const API: ApiKey = ApiKey::SyncGroup;

/// The protocol's type and name.
fn protocol(version: i16) -> impl Strategy<Value = (Option<StrBytes>, Option<StrBytes>)> {
    (field(version >= 5, nullable_text(), None), field(version >= 5, nullable_text(), None))
}

pub(crate) fn request(version: i16) -> impl Strategy<Value = TheirRequest> {
    let instance_id = field(version >= 3, nullable_text(), None);
    let assignments = vec((text(), data()).prop_map(assignment), 0..4);
    (text(), any::<i32>(), text(), instance_id, protocol(version), assignments).prop_map(
        |(group_id, generation_id, member_id, instance_id, protocol, assignments)| {
            TheirRequest::default()
                .with_group_id(GroupId(group_id))
                .with_generation_id(generation_id)
                .with_member_id(member_id)
                .with_group_instance_id(instance_id)
                .with_protocol_type(protocol.0)
                .with_protocol_name(protocol.1)
                .with_assignments(assignments)
        },
    )
}

fn assignment((member_id, assignment): (StrBytes, Bytes)) -> SyncGroupRequestAssignment {
    SyncGroupRequestAssignment::default().with_member_id(member_id).with_assignment(assignment)
}

fn read_request(bytes: &[u8], version: i16) -> (TheirRequest, Vec<u8>) {
    let request = SyncGroupRequest::decode(bytes, version).expect("our decode");
    let mut written = Vec::new();
    request.encode(version, &mut written).expect("our encode");
    let assignments = request
        .assignments
        .iter()
        .map(|a| assignment((to_their_text(a.member_id), Bytes::copy_from_slice(a.assignment))));
    let theirs = TheirRequest::default()
        .with_group_id(GroupId(to_their_text(request.group_id)))
        .with_generation_id(request.generation_id)
        .with_member_id(to_their_text(request.member_id))
        .with_group_instance_id(to_their_nullable_text(request.group_instance_id))
        .with_protocol_type(to_their_nullable_text(request.protocol_type))
        .with_protocol_name(to_their_nullable_text(request.protocol_name))
        .with_assignments(assignments.collect());
    (theirs, written)
}

fn tag_request(request: &mut TheirRequest, tags: &Tags) {
    request.unknown_tagged_fields = tags.clone();
    for assignment in &mut request.assignments {
        assignment.unknown_tagged_fields = tags.clone();
    }
}

#[test]
fn request_is_theirs_in_every_version() {
    check_each_version(API, request, tag_request, read_request);
}

pub(crate) fn response(version: i16) -> impl Strategy<Value = TheirResponse> {
    let throttle_time_ms = field(version >= 1, any::<i32>(), 0);
    (throttle_time_ms, any::<i16>(), protocol(version), data()).prop_map(
        |(throttle_time_ms, error_code, protocol, assignment)| {
            TheirResponse::default()
                .with_throttle_time_ms(throttle_time_ms)
                .with_error_code(error_code)
                .with_protocol_type(protocol.0)
                .with_protocol_name(protocol.1)
                .with_assignment(assignment)
        },
    )
}

fn read_response(bytes: &[u8], version: i16) -> (TheirResponse, Vec<u8>) {
    let response = SyncGroupResponse::decode(bytes, version).expect("our decode");
    let mut written = Vec::new();
    response.encode(version, &mut written).expect("our encode");
    let theirs = TheirResponse::default()
        .with_throttle_time_ms(response.throttle_time_ms)
        .with_error_code(response.error_code.0)
        .with_protocol_type(to_their_nullable_text(response.protocol_type))
        .with_protocol_name(to_their_nullable_text(response.protocol_name))
        .with_assignment(Bytes::copy_from_slice(response.assignment));
    (theirs, written)
}

#[test]
fn response_is_theirs_in_every_version() {
    let tag = |response: &mut TheirResponse, tags: &Tags| {
        response.unknown_tagged_fields = tags.clone();
    };
    check_each_version(API, response, tag, read_response);
}
