//! LeaveGroup.

use crate::{
    Tags, check_each_version, field, nullable_text, text, to_their_nullable_text, to_their_text,
};
use kafka_protocol::messages::GroupId;
use kafka_protocol::messages::leave_group_request::{
    LeaveGroupRequest as TheirRequest, MemberIdentity as TheirMember,
};
use kafka_protocol::messages::leave_group_response::{
    LeaveGroupResponse as TheirResponse, MemberResponse as TheirMemberResponse,
};
use kafka_protocol::protocol::StrBytes;
use kfetch::protocol::ApiKey;
use kfetch::protocol::leave_group::{LeaveGroupRequest, LeaveGroupResponse};
use proptest::collection::vec;
use proptest::prelude::*;

const API: ApiKey = ApiKey::LeaveGroup;

pub(crate) fn request(version: i16) -> impl Strategy<Value = TheirRequest> {
    let instance_id = field(version >= 3, nullable_text(), None);
    let member =
        (text(), instance_id, field(version >= 5, nullable_text(), None)).prop_map(their_member);
    let count = if version >= 3 { 0..4 } else { 1..2 };
    (text(), vec(member, count))
        .prop_map(move |(group_id, members)| their_request(version, group_id, members))
}

fn their_member(
    (member_id, instance_id, reason): (StrBytes, Option<StrBytes>, Option<StrBytes>),
) -> TheirMember {
    TheirMember::default()
        .with_member_id(member_id)
        .with_group_instance_id(instance_id)
        .with_reason(reason)
}

fn their_request(version: i16, group_id: StrBytes, mut members: Vec<TheirMember>) -> TheirRequest {
    let request = TheirRequest::default().with_group_id(GroupId(group_id));
    if version >= 3 {
        return request.with_members(members);
    }
    let member = members.remove(0);
    assert_eq!((member.group_instance_id, member.reason), (None, None));
    request.with_member_id(member.member_id)
}

fn read_request(bytes: &[u8], version: i16) -> (TheirRequest, Vec<u8>) {
    let request = LeaveGroupRequest::decode(bytes, version).expect("our decode");
    let mut written = Vec::new();
    request.encode(version, &mut written).expect("our encode");
    let members = request.members.iter().map(|m| {
        let instance_id = to_their_nullable_text(m.group_instance_id);
        their_member((to_their_text(m.member_id), instance_id, to_their_nullable_text(m.reason)))
    });
    (their_request(version, to_their_text(request.group_id), members.collect()), written)
}

fn tag_request(request: &mut TheirRequest, tags: &Tags) {
    request.unknown_tagged_fields = tags.clone();
    for member in &mut request.members {
        member.unknown_tagged_fields = tags.clone();
    }
}

#[test]
fn request_is_theirs_in_every_version() {
    check_each_version(API, request, tag_request, read_request);
}

pub(crate) fn response(version: i16) -> impl Strategy<Value = TheirResponse> {
    let member = (text(), nullable_text(), any::<i16>()).prop_map(left);
    let throttle_time_ms = field(version >= 1, any::<i32>(), 0);
    let members = field(version >= 3, vec(member, 0..4), Vec::new());
    (throttle_time_ms, any::<i16>(), members).prop_map(|(throttle_time_ms, error_code, members)| {
        TheirResponse::default()
            .with_throttle_time_ms(throttle_time_ms)
            .with_error_code(error_code)
            .with_members(members)
    })
}

fn left(
    (member_id, instance_id, error_code): (StrBytes, Option<StrBytes>, i16),
) -> TheirMemberResponse {
    TheirMemberResponse::default()
        .with_member_id(member_id)
        .with_group_instance_id(instance_id)
        .with_error_code(error_code)
}

fn read_response(bytes: &[u8], version: i16) -> (TheirResponse, Vec<u8>) {
    let response = LeaveGroupResponse::decode(bytes, version).expect("our decode");
    let mut written = Vec::new();
    response.encode(version, &mut written).expect("our encode");
    let members = response.members.iter().map(|m| {
        let instance_id = to_their_nullable_text(m.group_instance_id);
        left((to_their_text(m.member_id), instance_id, m.error_code.0))
    });
    let theirs = TheirResponse::default()
        .with_throttle_time_ms(response.throttle_time_ms)
        .with_error_code(response.error_code.0)
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
