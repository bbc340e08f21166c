//! The headers of requests and responses.

use crate::{Tags, decoded, encoded, nullable_text, tags, to_their_text};
use kafka_protocol::messages::ResponseHeader as TheirResponseHeader;
use kafka_protocol::messages::{ApiKey as TheirApiKey, RequestHeader as TheirRequestHeader};
use kfetch::protocol::{ApiKey, RequestHeader, ResponseHeader};
use kfetch::wire::Reader;
use proptest::prelude::*;
use proptest::sample::select;

/// An API and one of the versions of it that both sides know.
fn api() -> impl Strategy<Value = (ApiKey, i16)> {
    select(ApiKey::ALL.to_vec()).prop_flat_map(|api_key| {
        let versions = api_key.versions();
        (Just(api_key), versions.min..=versions.max)
    })
}

fn their_key(api_key: ApiKey) -> TheirApiKey {
    TheirApiKey::try_from(api_key.code()).expect("an API of theirs")
}

#[test]
fn header_versions_are_theirs() {
    for api_key in ApiKey::ALL {
        for version in api_key.versions().min..=api_key.versions().max {
            let theirs = their_key(api_key).request_header_version(version);
            assert_eq!(theirs == 2, api_key.is_flexible(version), "{api_key:?} {version}");
        }
        assert_eq!(ApiKey::from_code(api_key.code()), Some(api_key));
    }
    assert_eq!(ApiKey::from_code(0), None);
}

proptest! {
    #[test]
    fn request_header_is_theirs(
        (api_key, version) in api(),
        correlation_id: i32,
        client_id in nullable_text(),
        tags in tags(),
    ) {
        let header_version = their_key(api_key).request_header_version(version);
        let mut theirs = TheirRequestHeader::default()
            .with_request_api_key(api_key.code())
            .with_request_api_version(version)
            .with_correlation_id(correlation_id)
            .with_client_id(client_id.clone());
        let ours = RequestHeader {
            request_api_key: api_key.code(),
            request_api_version: version,
            correlation_id,
            client_id: client_id.as_deref(),
        };
        let mut written = Vec::new();
        ours.encode(&mut written).unwrap();
        prop_assert_eq!(&written, &encoded(&theirs, header_version));
        prop_assert_eq!(&decoded::<TheirRequestHeader>(&written, header_version), &theirs);

        theirs.unknown_tagged_fields = if header_version == 2 { tags } else { Tags::new() };
        let mut bytes = encoded(&theirs, header_version);
        bytes.push(42);
        let mut r = Reader::new(&bytes);
        prop_assert_eq!(RequestHeader::decode(&mut r).unwrap(), ours);
        prop_assert_eq!(r.rest(), &[42]);
    }

    #[test]
    fn response_header_is_theirs((api_key, version) in api(), correlation_id: i32, tags in tags()) {
        let header_version = their_key(api_key).response_header_version(version);
        let mut theirs = TheirResponseHeader::default().with_correlation_id(correlation_id);
        let ours = ResponseHeader { correlation_id };
        let mut written = Vec::new();
        ours.encode(&mut written, api_key, version);
        prop_assert_eq!(&written, &encoded(&theirs, header_version));

        theirs.unknown_tagged_fields = if header_version == 1 { tags } else { Tags::new() };
        let mut bytes = encoded(&theirs, header_version);
        bytes.push(42);
        let mut r = Reader::new(&bytes);
        prop_assert_eq!(ResponseHeader::decode(&mut r, api_key, version).unwrap(), ours);
        prop_assert_eq!(r.rest(), &[42]);
    }
}

#[test]
fn client_id_of_a_request_is_text() {
    let header = TheirRequestHeader::default().with_client_id(Some(to_their_text("kfetch")));
    let bytes = encoded(&header, 1);
    assert_eq!(RequestHeader::decode(&mut Reader::new(&bytes)).unwrap().client_id, Some("kfetch"));
}
