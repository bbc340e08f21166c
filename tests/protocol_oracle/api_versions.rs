//! ApiVersions.

use crate::{Tags, check, field, for_each_version, tags, text, to_their_text};
use kafka_protocol::messages::api_versions_request::ApiVersionsRequest as TheirRequest;
use kafka_protocol::messages::api_versions_response::{
    ApiVersion, ApiVersionsResponse as TheirResponse, FinalizedFeatureKey, SupportedFeatureKey,
};
use kafka_protocol::protocol::StrBytes;
use kfetch::protocol::ApiKey;
use kfetch::protocol::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use proptest::collection::vec;
use proptest::prelude::*;

const API: ApiKey = ApiKey::ApiVersions;

fn request(version: i16) -> impl Strategy<Value = TheirRequest> {
    (field(version >= 3, text(), "".into()), field(version >= 3, text(), "".into())).prop_map(
        |(name, version)| {
            TheirRequest::default()
                .with_client_software_name(name)
                .with_client_software_version(version)
        },
    )
}

fn read_request(bytes: &[u8], version: i16) -> (TheirRequest, Vec<u8>) {
    let request = ApiVersionsRequest::decode(bytes, version).expect("our decode");
    let mut written = Vec::new();
    request.encode(version, &mut written).expect("our encode");
    let theirs = TheirRequest::default()
        .with_client_software_name(to_their_text(request.client_software_name))
        .with_client_software_version(to_their_text(request.client_software_version));
    (theirs, written)
}

#[test]
fn request_is_theirs_in_every_version() {
    for_each_version(
        API.versions(),
        |version| (request(version), tags()),
        |version, (theirs, tags)| {
            let tag = |request: &mut TheirRequest| request.unknown_tagged_fields = tags;
            check(version, API.is_flexible(version), &theirs, tag, |bytes| {
                read_request(bytes, version)
            });
        },
    );
}

pub(crate) fn response(version: i16) -> impl Strategy<Value = TheirResponse> {
    let numbers = (any::<i16>(), any::<i16>(), any::<i16>());
    let features = || vec((text(), any::<i16>(), any::<i16>()), 0..4);
    (
        any::<i16>(),
        vec(numbers, 0..5),
        field(version >= 1, any::<i32>(), 0),
        field(version >= 3, features(), vec![]),
        field(version >= 3, any::<i64>(), -1),
        field(version >= 3, features(), vec![]),
        field(version >= 3, any::<bool>(), false),
    )
        .prop_map(
            |(error_code, api_keys, throttle_time_ms, supported, epoch, finalized, ready)| {
                TheirResponse::default()
                    .with_error_code(error_code)
                    .with_api_keys(api_keys.into_iter().map(api_version).collect())
                    .with_throttle_time_ms(throttle_time_ms)
                    .with_supported_features(supported.into_iter().map(supported_key).collect())
                    .with_finalized_features_epoch(epoch)
                    .with_finalized_features(finalized.into_iter().map(finalized_key).collect())
                    .with_zk_migration_ready(ready)
            },
        )
}

fn api_version((api_key, min_version, max_version): (i16, i16, i16)) -> ApiVersion {
    ApiVersion::default()
        .with_api_key(api_key)
        .with_min_version(min_version)
        .with_max_version(max_version)
}

fn supported_key((name, min_version, max_version): (StrBytes, i16, i16)) -> SupportedFeatureKey {
    SupportedFeatureKey::default()
        .with_name(name)
        .with_min_version(min_version)
        .with_max_version(max_version)
}

fn finalized_key((name, min_level, max_level): (StrBytes, i16, i16)) -> FinalizedFeatureKey {
    FinalizedFeatureKey::default()
        .with_name(name)
        .with_min_version_level(min_level)
        .with_max_version_level(max_level)
}

fn read_response(bytes: &[u8], version: i16) -> (TheirResponse, Vec<u8>) {
    let response = ApiVersionsResponse::decode(bytes, version).expect("our decode");
    let mut written = Vec::new();
    response.encode(version, &mut written).expect("our encode");
    let api_keys = response.api_keys.iter();
    let supported = response.supported_features.iter();
    let finalized = response.finalized_features.iter();
    let theirs = TheirResponse::default()
        .with_error_code(response.error_code.0)
        .with_api_keys(
            api_keys.map(|k| api_version((k.api_key, k.min_version, k.max_version))).collect(),
        )
        .with_throttle_time_ms(response.throttle_time_ms)
        .with_supported_features(
            supported
                .map(|k| supported_key((to_their_text(k.name), k.min_version, k.max_version)))
                .collect(),
        )
        .with_finalized_features_epoch(response.finalized_features_epoch)
        .with_finalized_features(
            finalized
                .map(|k| {
                    finalized_key((to_their_text(k.name), k.min_version_level, k.max_version_level))
                })
                .collect(),
        )
        .with_zk_migration_ready(response.zk_migration_ready);
    (theirs, written)
}

fn tag_response(response: &mut TheirResponse, tags: &Tags) {
    response.unknown_tagged_fields = tags.clone();
    for key in &mut response.api_keys {
        key.unknown_tagged_fields = tags.clone();
    }
    for key in &mut response.supported_features {
        key.unknown_tagged_fields = tags.clone();
    }
    for key in &mut response.finalized_features {
        key.unknown_tagged_fields = tags.clone();
    }
}

#[test]
fn response_is_theirs_in_every_version() {
    for_each_version(
        API.versions(),
        |version| (response(version), tags()),
        |version, (theirs, tags)| {
            let tag = |response: &mut TheirResponse| tag_response(response, &tags);
            check(version, API.is_flexible(version), &theirs, tag, |bytes| {
                read_response(bytes, version)
            });
        },
    );
}
