//! ListGroups.

use crate::{Tags, check_each_version, field, text, to_their_text};
use kafka_protocol::messages::GroupId;
use kafka_protocol::messages::list_groups_request::ListGroupsRequest as TheirRequest;
use kafka_protocol::messages::list_groups_response::{
    ListGroupsResponse as TheirResponse, ListedGroup as TheirGroup,
};
use kafka_protocol::protocol::StrBytes;
use kfetch::protocol::ApiKey;
use kfetch::protocol::list_groups::{ListGroupsRequest, ListGroupsResponse};
use proptest::collection::vec;
use proptest::prelude::*;

const API: ApiKey = ApiKey::ListGroups;

pub(crate) fn request(version: i16) -> impl Strategy<Value = TheirRequest> {
    let filter = |min| field(version >= min, vec(text(), 0..4), Vec::new());
    (filter(4), filter(5)).prop_map(|(states, types)| {
        TheirRequest::default().with_states_filter(states).with_types_filter(types)
    })
}

fn read_request(bytes: &[u8], version: i16) -> (TheirRequest, Vec<u8>) {
    let request = ListGroupsRequest::decode(bytes, version).expect("our decode");
    let mut written = Vec::new();
    request.encode(version, &mut written).expect("our encode");
    let filter = |texts: &[&str]| texts.iter().map(|text| to_their_text(text)).collect();
    let theirs = TheirRequest::default()
        .with_states_filter(filter(&request.states_filter))
        .with_types_filter(filter(&request.types_filter));
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
    let state = field(version >= 4, text(), StrBytes::default());
    let group_type = field(version >= 5, text(), StrBytes::default());
    let group = (text(), text(), state, group_type).prop_map(listed);
    (field(version >= 1, any::<i32>(), 0), any::<i16>(), vec(group, 0..4)).prop_map(
        |(throttle_time_ms, error_code, groups)| {
            TheirResponse::default()
                .with_throttle_time_ms(throttle_time_ms)
                .with_error_code(error_code)
                .with_groups(groups)
        },
    )
}

fn listed(
    (group_id, protocol_type, state, group_type): (StrBytes, StrBytes, StrBytes, StrBytes),
) -> TheirGroup {
    TheirGroup::default()
        .with_group_id(GroupId(group_id))
        .with_protocol_type(protocol_type)
        .with_group_state(state)
        .with_group_type(group_type)
}

fn read_response(bytes: &[u8], version: i16) -> (TheirResponse, Vec<u8>) {
    let response = ListGroupsResponse::decode(bytes, version).expect("our decode");
    let mut written = Vec::new();
    response.encode(version, &mut written).expect("our encode");
    let groups = response.groups.iter().map(|group| {
        let names = [group.group_id, group.protocol_type, group.group_state, group.group_type];
        listed(names.map(to_their_text).into())
    });
    let theirs = TheirResponse::default()
        .with_throttle_time_ms(response.throttle_time_ms)
        .with_error_code(response.error_code.0)
        .with_groups(groups.collect());
    (theirs, written)
}

fn tag_response(response: &mut TheirResponse, tags: &Tags) {
    response.unknown_tagged_fields = tags.clone();
    for group in &mut response.groups {
        group.unknown_tagged_fields = tags.clone();
    }
}

#[test]
fn response_is_theirs_in_every_version() {
    check_each_version(API, response, tag_response, read_response);
}
