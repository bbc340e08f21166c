//! DescribeGroups.

use crate::{
    Tags, check_each_version, data, field, nullable_text, text, to_their_nullable_text,
    to_their_text,
};
use bytes::Bytes;
use kafka_protocol::messages::GroupId;
use kafka_protocol::messages::describe_groups_request::DescribeGroupsRequest as TheirRequest;
use kafka_protocol::messages::describe_groups_response::{
    DescribeGroupsResponse as TheirResponse, DescribedGroup as TheirGroup,
    DescribedGroupMember as TheirMember,
};
use kfetch::protocol::ApiKey;
use kfetch::protocol::describe_groups::{
    DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};
use proptest::collection::vec;
use proptest::prelude::*;

const API: ApiKey = ApiKey::DescribeGroups;

pub(crate) fn request(version: i16) -> impl Strategy<Value = TheirRequest> {
    (vec(text().prop_map(GroupId), 0..4), field(version >= 3, any::<bool>(), false)).prop_map(
        |(groups, with_operations)| {
            TheirRequest::default()
                .with_groups(groups)
                .with_include_authorized_operations(with_operations)
        },
    )
}

fn read_request(bytes: &[u8], version: i16) -> (TheirRequest, Vec<u8>) {
    let request = DescribeGroupsRequest::decode(bytes, version).expect("our decode");
    let mut written = Vec::new();
    request.encode(version, &mut written).expect("our encode");
    let groups = request.groups.iter().map(|group| GroupId(to_their_text(group)));
    let theirs = TheirRequest::default()
        .with_groups(groups.collect())
        .with_include_authorized_operations(request.include_authorized_operations);
    (theirs, written)
}

fn tag_request(request: &mut TheirRequest, tags: &Tags) {
    request.unknown_tagged_fields = tags.clone();
}

#[test]
fn request_is_theirs_in_every_version() {
    check_each_version(API, request, tag_request, read_request);
}

pub(crate) fn response(version: i16) -> impl Strategy<Value = TheirResponse> {
    let error = (any::<i16>(), field(version >= 6, nullable_text(), None));
    let operations = field(version >= 3, any::<i32>(), i32::MIN);
    let names = (text(), text(), text(), text());
    let group = (error, names, vec(member(version), 0..4), operations).prop_map(
        |((error_code, error_message), names, members, operations)| {
            TheirGroup::default()
                .with_error_code(error_code)
                .with_error_message(error_message)
                .with_group_id(GroupId(names.0))
                .with_group_state(names.1)
                .with_protocol_type(names.2)
                .with_protocol_data(names.3)
                .with_members(members)
                .with_authorized_operations(operations)
        },
    );
    (field(version >= 1, any::<i32>(), 0), vec(group, 0..4)).prop_map(
        |(throttle_time_ms, groups)| {
            TheirResponse::default().with_throttle_time_ms(throttle_time_ms).with_groups(groups)
        },
    )
}

fn member(version: i16) -> impl Strategy<Value = TheirMember> {
    let instance_id = field(version >= 4, nullable_text(), None);
    (text(), instance_id, text(), text(), data(), data()).prop_map(
        |(member_id, instance_id, client_id, client_host, metadata, assignment)| {
            TheirMember::default()
                .with_member_id(member_id)
                .with_group_instance_id(instance_id)
                .with_client_id(client_id)
                .with_client_host(client_host)
                .with_member_metadata(metadata)
                .with_member_assignment(assignment)
        },
    )
}

fn read_response(bytes: &[u8], version: i16) -> (TheirResponse, Vec<u8>) {
    let response = DescribeGroupsResponse::decode(bytes, version).expect("our decode");
    let mut written = Vec::new();
    response.encode(version, &mut written).expect("our encode");
    let theirs = TheirResponse::default()
        .with_throttle_time_ms(response.throttle_time_ms)
        .with_groups(response.groups.iter().map(to_their_group).collect());
    (theirs, written)
}

fn to_their_group(group: &DescribedGroup<'_>) -> TheirGroup {
    TheirGroup::default()
        .with_error_code(group.error_code.0)
        .with_error_message(to_their_nullable_text(group.error_message))
        .with_group_id(GroupId(to_their_text(group.group_id)))
        .with_group_state(to_their_text(group.group_state))
        .with_protocol_type(to_their_text(group.protocol_type))
        .with_protocol_data(to_their_text(group.protocol_data))
        .with_members(group.members.iter().map(to_their_member).collect())
        .with_authorized_operations(group.authorized_operations)
}

fn to_their_member(member: &DescribedGroupMember<'_>) -> TheirMember {
    TheirMember::default()
        .with_member_id(to_their_text(member.member_id))
        .with_group_instance_id(to_their_nullable_text(member.group_instance_id))
        .with_client_id(to_their_text(member.client_id))
        .with_client_host(to_their_text(member.client_host))
        .with_member_metadata(Bytes::copy_from_slice(member.member_metadata))
        .with_member_assignment(Bytes::copy_from_slice(member.member_assignment))
}

fn tag_response(response: &mut TheirResponse, tags: &Tags) {
    response.unknown_tagged_fields = tags.clone();
    for group in &mut response.groups {
        group.unknown_tagged_fields = tags.clone();
        for member in &mut group.members {
            member.unknown_tagged_fields = tags.clone();
        }
    }
}

#[test]
fn response_is_theirs_in_every_version() {
    check_each_version(API, response, tag_response, read_response);
}
