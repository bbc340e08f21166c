//! FindCoordinator.

use crate::{
    Tags, check_each_version, field, nullable_text, text, to_their_nullable_text, to_their_text,
};
use kafka_protocol::messages::BrokerId;
use kafka_protocol::messages::find_coordinator_request::FindCoordinatorRequest as TheirRequest;
use kafka_protocol::messages::find_coordinator_response::{
    Coordinator as TheirCoordinator, FindCoordinatorResponse as TheirResponse,
};
use kafka_protocol::protocol::StrBytes;
use kfetch::protocol::ApiKey;
use kfetch::protocol::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
use proptest::collection::vec;
use proptest::prelude::*;

const API: ApiKey = ApiKey::FindCoordinator;

pub(crate) fn request(version: i16) -> impl Strategy<Value = TheirRequest> {
    let key_type = field(version >= 1, any::<i8>(), 0);
    let keys = if version >= 4 { vec(text(), 0..4) } else { vec(text(), 1..2) };
    (key_type, keys).prop_map(move |(key_type, keys)| their_request(version, key_type, keys))
}

fn their_request(version: i16, key_type: i8, mut keys: Vec<StrBytes>) -> TheirRequest {
    let request = TheirRequest::default().with_key_type(key_type);
    if version >= 4 {
        return request.with_coordinator_keys(keys);
    }
    request.with_key(keys.remove(0))
}

fn read_request(bytes: &[u8], version: i16) -> (TheirRequest, Vec<u8>) {
    let request = FindCoordinatorRequest::decode(bytes, version).expect("our decode");
    let mut written = Vec::new();
    request.encode(version, &mut written).expect("our encode");
    let keys = request.coordinator_keys.into_iter().map(to_their_text).collect();
    (their_request(version, request.key_type, keys), written)
}

#[test]
fn request_is_theirs_in_every_version() {
    let tag = |request: &mut TheirRequest, tags: &Tags| {
        request.unknown_tagged_fields = tags.clone();
    };
    check_each_version(API, request, tag, read_request);
}

pub(crate) fn response(version: i16) -> impl Strategy<Value = TheirResponse> {
    let message = field(version >= 1, nullable_text(), Some(StrBytes::default()));
    let key = field(version >= 4, text(), StrBytes::default());
    let coordinator = (key, any::<i32>(), text(), any::<i32>(), any::<i16>(), message).prop_map(
        |(key, node_id, host, port, error_code, error_message)| {
            TheirCoordinator::default()
                .with_key(key)
                .with_node_id(BrokerId(node_id))
                .with_host(host)
                .with_port(port)
                .with_error_code(error_code)
                .with_error_message(error_message)
        },
    );
    let count = if version >= 4 { 0..4 } else { 1..2 };
    (field(version >= 1, any::<i32>(), 0), vec(coordinator, count)).prop_map(
        move |(throttle_time_ms, coordinators)| {
            their_response(version, throttle_time_ms, coordinators)
        },
    )
}

fn their_response(
    version: i16,
    throttle_time_ms: i32,
    mut coordinators: Vec<TheirCoordinator>,
) -> TheirResponse {
    let response = TheirResponse::default().with_throttle_time_ms(throttle_time_ms);
    if version >= 4 {
        return response.with_coordinators(coordinators);
    }
    let coordinator = coordinators.remove(0);
    assert!(coordinator.key.is_empty());
    response
        .with_error_code(coordinator.error_code)
        .with_error_message(coordinator.error_message)
        .with_node_id(coordinator.node_id)
        .with_host(coordinator.host)
        .with_port(coordinator.port)
}

fn read_response(bytes: &[u8], version: i16) -> (TheirResponse, Vec<u8>) {
    let response = FindCoordinatorResponse::decode(bytes, version).expect("our decode");
    let mut written = Vec::new();
    response.encode(version, &mut written).expect("our encode");
    let coordinators = response.coordinators.iter().map(|coordinator| {
        let message = to_their_nullable_text(coordinator.error_message);
        // What they make of a message that the version lacks.
        let message = if version >= 1 { message } else { Some(StrBytes::default()) };
        TheirCoordinator::default()
            .with_key(to_their_text(coordinator.key))
            .with_node_id(BrokerId(coordinator.node_id))
            .with_host(to_their_text(coordinator.host))
            .with_port(coordinator.port)
            .with_error_code(coordinator.error_code.0)
            .with_error_message(message)
    });
    (their_response(version, response.throttle_time_ms, coordinators.collect()), written)
}

fn tag_response(response: &mut TheirResponse, tags: &Tags) {
    response.unknown_tagged_fields = tags.clone();
    for coordinator in &mut response.coordinators {
        coordinator.unknown_tagged_fields = tags.clone();
    }
}

#[test]
fn response_is_theirs_in_every_version() {
    check_each_version(API, response, tag_response, read_response);
}
