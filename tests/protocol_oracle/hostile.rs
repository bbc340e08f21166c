//! Damaged bytes: every decode answers, none panics.

use crate::{
    api_versions, common_versions, encoded, fetch, find_coordinator, for_each_version, heartbeat,
    join_group, leave_group, list_offsets, metadata, offset_commit, offset_fetch, sync_group,
};
use kafka_protocol::protocol::{Encodable, Message};
use kfetch::protocol::api_versions::{ApiVersionTable, ApiVersionsRequest, ApiVersionsResponse};
use kfetch::protocol::fetch::{FetchRequest, FetchResponse};
use kfetch::protocol::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
use kfetch::protocol::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use kfetch::protocol::join_group::{JoinGroupRequest, JoinGroupResponse};
use kfetch::protocol::leave_group::{LeaveGroupRequest, LeaveGroupResponse};
use kfetch::protocol::list_offsets::{ListOffsetsRequest, ListOffsetsResponse};
use kfetch::protocol::metadata::{MetadataRequest, MetadataResponse};
use kfetch::protocol::offset_commit::{OffsetCommitRequest, OffsetCommitResponse};
use kfetch::protocol::offset_fetch::{OffsetFetchRequest, OffsetFetchResponse};
use kfetch::protocol::sync_group::{SyncGroupRequest, SyncGroupResponse};
use kfetch::protocol::{ApiKey, RequestHeader, ResponseHeader};
use kfetch::wire::Reader;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// Decodes as request and as response, and encodes again what was read.
///
/// What cannot be encoded again is no error: null and defaults of other versions do not occur.
fn decode_all(api_key: ApiKey, body: &[u8], version: i16) {
    let out = &mut Vec::new();
    let same = |encoded: Result<(), _>| encoded.expect("what was read can be written");
    match api_key {
        ApiKey::Fetch => {
            FetchRequest::decode(body, version).map(|m| same(m.encode(version, out))).ok();
            FetchResponse::decode(body, version).map(|m| same(m.encode(version, out))).ok();
        }
        ApiKey::ListOffsets => {
            ListOffsetsRequest::decode(body, version).map(|m| same(m.encode(version, out))).ok();
            ListOffsetsResponse::decode(body, version).map(|m| same(m.encode(version, out))).ok();
        }
        ApiKey::Metadata => {
            MetadataRequest::decode(body, version).map(|m| same(m.encode(version, out))).ok();
            MetadataResponse::decode(body, version).map(|m| same(m.encode(version, out))).ok();
        }
        ApiKey::OffsetCommit => {
            OffsetCommitRequest::decode(body, version).map(|m| same(m.encode(version, out))).ok();
            OffsetCommitResponse::decode(body, version).map(|m| same(m.encode(version, out))).ok();
        }
        ApiKey::OffsetFetch => {
            OffsetFetchRequest::decode(body, version).map(|m| same(m.encode(version, out))).ok();
            OffsetFetchResponse::decode(body, version).map(|m| same(m.encode(version, out))).ok();
        }
        ApiKey::FindCoordinator => {
            FindCoordinatorRequest::decode(body, version)
                .map(|m| same(m.encode(version, out)))
                .ok();
            FindCoordinatorResponse::decode(body, version)
                .map(|m| same(m.encode(version, out)))
                .ok();
        }
        ApiKey::JoinGroup => {
            JoinGroupRequest::decode(body, version).map(|m| same(m.encode(version, out))).ok();
            JoinGroupResponse::decode(body, version).map(|m| same(m.encode(version, out))).ok();
        }
        ApiKey::Heartbeat => {
            HeartbeatRequest::decode(body, version).map(|m| same(m.encode(version, out))).ok();
            HeartbeatResponse::decode(body, version).map(|m| same(m.encode(version, out))).ok();
        }
        ApiKey::LeaveGroup => {
            LeaveGroupRequest::decode(body, version).map(|m| same(m.encode(version, out))).ok();
            LeaveGroupResponse::decode(body, version).map(|m| same(m.encode(version, out))).ok();
        }
        ApiKey::SyncGroup => {
            SyncGroupRequest::decode(body, version).map(|m| same(m.encode(version, out))).ok();
            SyncGroupResponse::decode(body, version).map(|m| same(m.encode(version, out))).ok();
        }
        ApiKey::ApiVersions => {
            ApiVersionsRequest::decode(body, version).map(|m| same(m.encode(version, out))).ok();
            ApiVersionsResponse::decode(body, version).map(|m| same(m.encode(version, out))).ok();
            if let Ok(answer) = ApiVersionsResponse::decode_answer(body, version) {
                let table = ApiVersionTable::new(&answer.api_keys);
                for api_key in ApiKey::ALL {
                    let picked = table.pick(api_key);
                    assert!(picked.is_none_or(|picked| api_key.versions().contains(picked)));
                }
            }
        }
    }
    RequestHeader::decode(&mut Reader::new(body)).ok();
    ResponseHeader::decode(&mut Reader::new(body), api_key, version).ok();
}

/// A good message, the bytes to change in it, and where to end it.
fn damaged<S: Strategy<Value = Vec<u8>>>(
    message: S,
) -> impl Strategy<Value = (Vec<u8>, Vec<(Index, u8)>, Index)> {
    (message, vec((any::<Index>(), any::<u8>()), 0..4), any::<Index>())
}

fn check<M: Encodable + Message, S: Strategy<Value = M>>(
    api_key: ApiKey,
    message: impl Fn(i16) -> S,
) {
    let test = |version, (mut body, changes, end): (Vec<u8>, Vec<(Index, u8)>, Index)| {
        decode_all(api_key, &body[..end.index(body.len() + 1)], version);
        for (at, value) in changes {
            if !body.is_empty() {
                let at = at.index(body.len());
                body[at] ^= value;
            }
        }
        decode_all(api_key, &body, version);
        decode_all(api_key, &body[..end.index(body.len() + 1)], version);
    };
    let bytes = |version| message(version).prop_map(move |message| encoded(&message, version));
    for_each_version(common_versions::<M>(api_key), |version| damaged(bytes(version)), test);
}

#[test]
fn damaged_requests_and_responses_are_answered() {
    check(ApiKey::Fetch, fetch::request);
    check(ApiKey::Fetch, fetch::response);
    check(ApiKey::ListOffsets, list_offsets::request);
    check(ApiKey::ListOffsets, list_offsets::response);
    check(ApiKey::Metadata, metadata::request);
    check(ApiKey::Metadata, metadata::response);
    check(ApiKey::OffsetCommit, offset_commit::request);
    check(ApiKey::OffsetCommit, offset_commit::response);
    check(ApiKey::OffsetFetch, offset_fetch::request);
    check(ApiKey::OffsetFetch, offset_fetch::response);
    check(ApiKey::FindCoordinator, find_coordinator::request);
    check(ApiKey::FindCoordinator, find_coordinator::response);
    check(ApiKey::JoinGroup, join_group::request);
    check(ApiKey::JoinGroup, join_group::response);
    check(ApiKey::Heartbeat, heartbeat::request);
    check(ApiKey::Heartbeat, heartbeat::response);
    check(ApiKey::LeaveGroup, leave_group::request);
    check(ApiKey::LeaveGroup, leave_group::response);
    check(ApiKey::SyncGroup, sync_group::request);
    check(ApiKey::SyncGroup, sync_group::response);
    check(ApiKey::ApiVersions, api_versions::response);
}

#[test]
fn garbage_is_answered() {
    let byte = prop_oneof![Just(0u8), Just(1), Just(2), Just(255), any::<u8>()];
    for api_key in ApiKey::ALL {
        for_each_version(
            api_key.versions(),
            |_| vec(byte.clone(), 0..200),
            |version, body| decode_all(api_key, &body, version),
        );
    }
}
