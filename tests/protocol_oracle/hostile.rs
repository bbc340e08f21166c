//! Damaged bytes: every decode answers, none panics.

use crate::{
    api_versions, common_versions, describe_groups, encoded, fetch, find_coordinator,
    for_each_version, heartbeat, join_group, leave_group, list_groups, list_offsets, metadata,
    offset_commit, offset_delete, offset_fetch, sync_group,
};
use kafka_protocol::protocol::{Encodable, Message};
use kfetch::protocol::api_versions::{ApiVersionTable, ApiVersionsRequest, ApiVersionsResponse};
use kfetch::protocol::describe_groups::{DescribeGroupsRequest, DescribeGroupsResponse};
use kfetch::protocol::fetch::{FetchRequest, FetchResponse};
use kfetch::protocol::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
use kfetch::protocol::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use kfetch::protocol::join_group::{JoinGroupRequest, JoinGroupResponse};
use kfetch::protocol::leave_group::{LeaveGroupRequest, LeaveGroupResponse};
use kfetch::protocol::list_groups::{ListGroupsRequest, ListGroupsResponse};
use kfetch::protocol::list_offsets::{ListOffsetsRequest, ListOffsetsResponse};
use kfetch::protocol::metadata::{MetadataRequest, MetadataResponse};
use kfetch::protocol::offset_commit::{OffsetCommitRequest, OffsetCommitResponse};
use kfetch::protocol::offset_delete::{OffsetDeleteRequest, OffsetDeleteResponse};
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
    /// Does so for the two messages of an API.
    macro_rules! both {
        ($request:ident, $response:ident) => {{
            let out = &mut Vec::new();
            let same = |encoded: Result<(), _>| encoded.expect("what was read can be written");
            $request::decode(body, version).map(|m| same(m.encode(version, out))).ok();
            $response::decode(body, version).map(|m| same(m.encode(version, out))).ok();
        }};
    }
    match api_key {
        ApiKey::Fetch => both!(FetchRequest, FetchResponse),
        ApiKey::ListOffsets => both!(ListOffsetsRequest, ListOffsetsResponse),
        ApiKey::Metadata => both!(MetadataRequest, MetadataResponse),
        ApiKey::OffsetCommit => both!(OffsetCommitRequest, OffsetCommitResponse),
        ApiKey::OffsetFetch => both!(OffsetFetchRequest, OffsetFetchResponse),
        ApiKey::FindCoordinator => both!(FindCoordinatorRequest, FindCoordinatorResponse),
        ApiKey::JoinGroup => both!(JoinGroupRequest, JoinGroupResponse),
        ApiKey::Heartbeat => both!(HeartbeatRequest, HeartbeatResponse),
        ApiKey::LeaveGroup => both!(LeaveGroupRequest, LeaveGroupResponse),
        ApiKey::SyncGroup => both!(SyncGroupRequest, SyncGroupResponse),
        ApiKey::DescribeGroups => both!(DescribeGroupsRequest, DescribeGroupsResponse),
        ApiKey::ListGroups => both!(ListGroupsRequest, ListGroupsResponse),
        ApiKey::OffsetDelete => both!(OffsetDeleteRequest, OffsetDeleteResponse),
        ApiKey::ApiVersions => {
            both!(ApiVersionsRequest, ApiVersionsResponse);
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
    check(ApiKey::DescribeGroups, describe_groups::request);
    check(ApiKey::DescribeGroups, describe_groups::response);
    check(ApiKey::ListGroups, list_groups::request);
    check(ApiKey::ListGroups, list_groups::response);
    check(ApiKey::OffsetDelete, offset_delete::request);
    check(ApiKey::OffsetDelete, offset_delete::response);
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
