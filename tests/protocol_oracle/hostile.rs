//! Damaged bytes: every decode answers, none panics.

use crate::{api_versions, encoded, fetch, for_each_version, list_offsets, metadata};
use kfetch::protocol::api_versions::{ApiVersionTable, ApiVersionsRequest, ApiVersionsResponse};
use kfetch::protocol::fetch::{FetchRequest, FetchResponse};
use kfetch::protocol::list_offsets::{ListOffsetsRequest, ListOffsetsResponse};
use kfetch::protocol::metadata::{MetadataRequest, MetadataResponse};
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

fn check<S: Strategy<Value = Vec<u8>>>(api_key: ApiKey, message: impl Fn(i16) -> S) {
    let mut versions = api_key.versions();
    versions.max = versions.max.min(if api_key == ApiKey::ListOffsets { 10 } else { 18 });
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
    for_each_version(versions, |version| damaged(message(version)), test);
}

#[test]
fn damaged_requests_and_responses_are_answered() {
    check(ApiKey::Fetch, |v| fetch::request(v).prop_map(move |m| encoded(&m, v)));
    check(ApiKey::Fetch, |v| fetch::response(v).prop_map(move |m| encoded(&m, v)));
    check(ApiKey::ListOffsets, |v| list_offsets::request(v).prop_map(move |m| encoded(&m, v)));
    check(ApiKey::ListOffsets, |v| list_offsets::response(v).prop_map(move |m| encoded(&m, v)));
    check(ApiKey::Metadata, |v| metadata::request(v).prop_map(move |m| encoded(&m, v)));
    check(ApiKey::Metadata, |v| metadata::response(v).prop_map(move |m| encoded(&m, v)));
    check(ApiKey::ApiVersions, |v| api_versions::response(v).prop_map(move |m| encoded(&m, v)));
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
