//! JoinGroup.

use crate::{
    Tags, check_each_version, data, field, nullable_text, text, to_their_nullable_text,
    to_their_text,
};
use bytes::Bytes;
use kafka_protocol::messages::GroupId;
use kafka_protocol::messages::join_group_request::{
    JoinGroupRequest as TheirRequest, JoinGroupRequestProtocol,
};
use kafka_protocol::messages::join_group_response::{
    JoinGroupResponse as TheirResponse, JoinGroupResponseMember,
};
use kafka_protocol::protocol::StrBytes;
use kfetch::protocol::ApiKey;
use kfetch::protocol::join_group::{JoinGroupRequest, JoinGroupResponse};
use proptest::collection::vec;
use proptest::prelude::*;

const API: ApiKey = ApiKey::JoinGroup;

pub(crate) fn request(version: i16) -> impl Strategy<Value = TheirRequest> {
    let timeouts = (any::<i32>(), field(version >= 1, any::<i32>(), -1));
    let instance_id = field(version >= 5, nullable_text(), None);
    let reason = field(version >= 8, nullable_text(), None);
    let protocols = vec((text(), data()).prop_map(protocol), 0..4);
    (text(), timeouts, text(), instance_id, text(), protocols, reason).prop_map(
        |(group_id, timeouts, member_id, instance_id, protocol_type, protocols, reason)| {
            TheirRequest::default()
                .with_group_id(GroupId(group_id))
                .with_session_timeout_ms(timeouts.0)
                .with_rebalance_timeout_ms(timeouts.1)
                .with_member_id(member_id)
                .with_group_instance_id(instance_id)
                .with_protocol_type(protocol_type)
                .with_protocols(protocols)
                .with_reason(reason)
        },
    )
}

fn protocol((name, metadata): (StrBytes, Bytes)) -> JoinGroupRequestProtocol {
    JoinGroupRequestProtocol::default().with_name(name).with_metadata(metadata)
}

fn read_request(bytes: &[u8], version: i16) -> (TheirRequest, Vec<u8>) {
    let request = JoinGroupRequest::decode(bytes, version).expect("our decode");
    let mut written = Vec::new();
    request.encode(version, &mut written).expect("our encode");
    let protocols = request
        .protocols
        .iter()
        .map(|p| protocol((to_their_text(p.name), Bytes::copy_from_slice(p.metadata))));
    let theirs = TheirRequest::default()
        .with_group_id(GroupId(to_their_text(request.group_id)))
        .with_session_timeout_ms(request.session_timeout_ms)
        .with_rebalance_timeout_ms(request.rebalance_timeout_ms)
        .with_member_id(to_their_text(request.member_id))
        .with_group_instance_id(to_their_nullable_text(request.group_instance_id))
        .with_protocol_type(to_their_text(request.protocol_type))
        .with_protocols(protocols.collect())
        .with_reason(to_their_nullable_text(request.reason));
    (theirs, written)
}

fn tag_request(request: &mut TheirRequest, tags: &Tags) {
    request.unknown_tagged_fields = tags.clone();
    for protocol in &mut request.protocols {
        protocol.unknown_tagged_fields = tags.clone();
    }
}

#[test]
fn request_is_theirs_in_every_version() {
    check_each_version(API, request, tag_request, read_request);
}

pub(crate) fn response(version: i16) -> impl Strategy<Value = TheirResponse> {
    let throttle_time_ms = field(version >= 2, any::<i32>(), 0);
    let protocol_type = field(version >= 7, nullable_text(), None);
    let protocol_name =
        if version >= 7 { nullable_text().boxed() } else { text().prop_map(Some).boxed() };
    let skip_assignment = field(version >= 9, any::<bool>(), false);
    let member = (text(), field(version >= 5, nullable_text(), None), data()).prop_map(member);
    let ids = (text(), text());
    let codes = (any::<i16>(), any::<i32>());
    let protocol = (protocol_type, protocol_name);
    (throttle_time_ms, codes, protocol, ids, skip_assignment, vec(member, 0..4)).prop_map(
        |(throttle_time_ms, codes, protocol, ids, skip_assignment, members)| {
            TheirResponse::default()
                .with_throttle_time_ms(throttle_time_ms)
                .with_error_code(codes.0)
                .with_generation_id(codes.1)
                .with_protocol_type(protocol.0)
                .with_protocol_name(protocol.1)
                .with_leader(ids.0)
                .with_skip_assignment(skip_assignment)
                .with_member_id(ids.1)
                .with_members(members)
        },
    )
}

fn member(
    (member_id, instance_id, metadata): (StrBytes, Option<StrBytes>, Bytes),
) -> JoinGroupResponseMember {
    JoinGroupResponseMember::default()
        .with_member_id(member_id)
        .with_group_instance_id(instance_id)
        .with_metadata(metadata)
}

fn read_response(bytes: &[u8], version: i16) -> (TheirResponse, Vec<u8>) {
    let response = JoinGroupResponse::decode(bytes, version).expect("our decode");
    let mut written = Vec::new();
    response.encode(version, &mut written).expect("our encode");
    let members = response.members.iter().map(|m| {
        let instance_id = to_their_nullable_text(m.group_instance_id);
        member((to_their_text(m.member_id), instance_id, Bytes::copy_from_slice(m.metadata)))
    });
    let theirs = TheirResponse::default()
        .with_throttle_time_ms(response.throttle_time_ms)
        .with_error_code(response.error_code.0)
        .with_generation_id(response.generation_id)
        .with_protocol_type(to_their_nullable_text(response.protocol_type))
        .with_protocol_name(to_their_nullable_text(response.protocol_name))
        .with_leader(to_their_text(response.leader))
        .with_skip_assignment(response.skip_assignment)
        .with_member_id(to_their_text(response.member_id))
        .with_members(members.collect());
    (theirs, written)
}

fn tag_response(response: &mut TheirResponse, tags: &Tags) {
    response.unknown_tagged_fields = tags.clone();
    for member in &mut response.members {
        member.unknown_tagged_fields = tags.clone();
    }
}

#[test]
fn response_is_theirs_in_every_version() {
    check_each_version(API, response, tag_response, read_response);
}
