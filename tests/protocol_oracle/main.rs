//! Every message at every version against the `kafka-protocol` crate, both ways, and every decode
//! against damaged bytes.
//!
//! A random message of theirs is encoded by them and decoded here; what comes out must have the
//! same fields, and encoding it here must give the same bytes, which they decode again. With
//! tagged fields that kfetch does not know sprinkled over it, the same fields must come out.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod api_versions;
mod describe_groups;
mod error_code;
mod fetch;
mod fetch_decoder;
mod find_coordinator;
mod header;
mod heartbeat;
mod hostile;
mod join_group;
mod leave_group;
mod list_groups;
mod list_offsets;
mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod sync_group;

use bytes::Bytes;
use kafka_protocol::protocol::{Decodable, Encodable, Message, StrBytes};
use kfetch::protocol::{ApiKey, VersionRange};
use kfetch::wire::Uuid;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::collections::BTreeMap;
use std::fmt::Debug;

/// Tagged fields that neither side knows.
type Tags = BTreeMap<i32, Bytes>;

/// Runs `test` on random values for each version of the range.
fn for_each_version<S: Strategy>(
    versions: VersionRange,
    strategy: impl Fn(i16) -> S,
    test: impl Fn(i16, S::Value),
) {
    for version in versions.min..=versions.max {
        let config = Config { cases: 64, failure_persistence: None, ..Config::default() };
        let run = TestRunner::new(config).run(&strategy(version), |value| {
            test(version, value);
            Ok(())
        });
        if let Err(failure) = run {
            panic!("version {version}: {failure}");
        }
    }
}

/// The versions of a message that both sides have.
fn common_versions<M: Message>(api_key: ApiKey) -> VersionRange {
    let theirs = VersionRange { min: M::VERSIONS.min, max: M::VERSIONS.max };
    api_key.versions().common(theirs).expect("a version that both have")
}

/// Holds our codec of a message to theirs, in each version that both have.
///
/// `strategy` makes their messages; `tag` and `ours` are as for [`check`].
fn check_each_version<M, S: Strategy<Value = M>>(
    api_key: ApiKey,
    strategy: impl Fn(i16) -> S,
    tag: impl Fn(&mut M, &Tags),
    ours: impl Fn(&[u8], i16) -> (M, Vec<u8>),
) where
    M: Encodable + Decodable + Message + Clone + PartialEq + Debug,
{
    for_each_version(
        common_versions::<M>(api_key),
        |version| (strategy(version), tags()),
        |version, (theirs, tags)| {
            let is_flexible = api_key.is_flexible(version);
            check(version, is_flexible, &theirs, |m| tag(m, &tags), |bytes| ours(bytes, version));
        },
    );
}

/// Holds our codec to theirs for one message.
///
/// `tag` puts tagged fields into each structure; `ours` decodes, and returns the message in their
/// structures along with our encoding of it.
fn check<M: Encodable + Decodable + Message + Clone + PartialEq + Debug>(
    version: i16,
    is_flexible: bool,
    theirs: &M,
    tag: impl FnOnce(&mut M),
    ours: impl Fn(&[u8]) -> (M, Vec<u8>),
) {
    let bytes = encoded(theirs, version);
    let (read, written) = ours(&bytes);
    assert_eq!(&read, theirs, "read here");
    assert_eq!(written, bytes, "written here");
    assert_eq!(&decoded::<M>(&written, version), theirs, "written here, read there");
    if is_flexible {
        let mut tagged = theirs.clone();
        tag(&mut tagged);
        let (read, written) = ours(&encoded(&tagged, version));
        assert_eq!(&read, theirs, "read here, with unknown tags");
        assert_eq!(written, bytes, "unknown tags are not kept");
    }
}

fn encoded(message: &impl Encodable, version: i16) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(&mut bytes, version).expect("their encode");
    bytes
}

fn decoded<M: Decodable>(mut bytes: &[u8], version: i16) -> M {
    let message = M::decode(&mut bytes, version).expect("their decode");
    assert!(bytes.is_empty(), "they leave {} bytes", bytes.len());
    message
}

/// Empty, plain and not ASCII.
fn text() -> impl Strategy<Value = StrBytes> {
    prop_oneof![Just(String::new()), "[a-zA-Z0-9._-]{1,20}", "\\PC{1,80}", "[äßøΩ字🦀]{1,50}"]
        .prop_map(StrBytes::from_string)
}

fn nullable_text() -> impl Strategy<Value = Option<StrBytes>> {
    option::of(text())
}

fn data() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..200).prop_map(Bytes::from)
}

/// The tags begin above those of the messages; some fields are longer than a byte can count.
fn tags() -> impl Strategy<Value = Tags> {
    btree_map(100..100_000i32, data(), 0..4)
}

fn id() -> impl Strategy<Value = Uuid> {
    prop_oneof![Just([0; 16]), any::<[u8; 16]>()].prop_map(Uuid)
}

/// Makes their type of identifier, which has no name here.
fn to_their_uuid<T: TryFrom<Vec<u8>, Error: Debug>>(id: Uuid) -> T {
    T::try_from(id.0.to_vec()).expect("16 bytes")
}

fn to_their_text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn to_their_nullable_text(text: Option<&str>) -> Option<StrBytes> {
    text.map(to_their_text)
}

/// `strategy` where the version has the field, else `default`.
fn field<T: Clone + Debug + 'static>(
    present: bool,
    strategy: impl Strategy<Value = T> + 'static,
    default: T,
) -> BoxedStrategy<T> {
    if present { strategy.boxed() } else { Just(default).boxed() }
}
