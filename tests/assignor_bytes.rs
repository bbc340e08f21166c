//! The bytes that members exchange, against Java's classes and the kafka-protocol crate, in every
//! version and both directions; and damaged ones.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use bytes::Bytes;
use kafka_protocol::messages::consumer_protocol_assignment as their_assignment;
use kafka_protocol::messages::consumer_protocol_subscription as their_subscription;
use kafka_protocol::messages::{
    ConsumerProtocolAssignment as TheirAssignment,
    ConsumerProtocolSubscription as TheirSubscription, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use kfetch::protocol::consumer_protocol::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, TopicPartitions, VERSION_MAX,
};
use kfetch::wire::Int32Array;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use support::helper::{bytes, helper, hex};
use support::oracle::{message_bytes, message_json, message_versions};

/// Partitions of one topic, owned.
type Owned = (String, Vec<i32>);
type Subscription = (Vec<String>, Option<Vec<u8>>, Vec<Owned>, i32, Option<String>);

fn borrowed(owned: &[Owned]) -> Vec<TopicPartitions<'_>> {
    let partitions = owned.iter().map(|(topic, partitions)| TopicPartitions {
        topic,
        partitions: Int32Array::Values(partitions),
    });
    partitions.collect()
}

fn written_subscription(version: i16, subscription: &Subscription) -> Vec<u8> {
    let (topics, user_data, owned, generation_id, rack_id) = subscription;
    let subscription = ConsumerProtocolSubscription {
        topics: topics.iter().map(String::as_str).collect(),
        user_data: user_data.as_deref(),
        owned_partitions: borrowed(owned),
        generation_id: *generation_id,
        rack_id: rack_id.as_deref(),
    };
    let mut out = Vec::new();
    subscription.encode(version, &mut out).unwrap();
    out
}

fn written_assignment(version: i16, owned: &[Owned], user_data: Option<&[u8]>) -> Vec<u8> {
    let assignment = ConsumerProtocolAssignment { assigned_partitions: borrowed(owned), user_data };
    let mut out = Vec::new();
    assignment.encode(version, &mut out).unwrap();
    out
}

fn again(command: &str, data: &[u8], version: i16) -> Vec<u8> {
    let row = helper().expect(command, &[&hex(Some(data)), &version.to_string()], &[]).remove(0);
    bytes(&row[0]).unwrap()
}

fn example() -> Subscription {
    (
        vec!["clicks".to_owned(), "orders".to_owned()],
        Some(vec![0, 1, 0xFF]),
        vec![("clicks".to_owned(), vec![0, 2, 7]), ("orders".to_owned(), vec![1])],
        41,
        Some("eu-1".to_owned()),
    )
}

#[test]
fn java_has_the_versions_that_we_have() {
    for name in ["ConsumerProtocolSubscription", "ConsumerProtocolAssignment"] {
        assert_eq!(message_versions(name), (0, VERSION_MAX), "{name}");
    }
}

#[test]
fn java_reads_and_writes_every_version_of_a_subscription() {
    let full = example();
    let empty = (Vec::new(), None, Vec::new(), -1, None);
    for version in 0..=VERSION_MAX {
        for subscription in [&full, &empty] {
            let ours = written_subscription(version, subscription);
            let name = "ConsumerProtocolSubscription";
            let (json, left) = message_json(name, version, &ours[2..]).unwrap();
            assert_eq!(left, 0, "version {version}");
            assert_eq!(message_bytes(name, version, &json).unwrap(), ours[2..], "{version}");
            for other in 0..=VERSION_MAX {
                let least = written_subscription(other.min(version), subscription);
                let theirs = again("subscription_again", &ours, other);
                // What the lower of both versions has is all that is left.
                let read = ConsumerProtocolSubscription::decode(&theirs).unwrap();
                assert_eq!(read, ConsumerProtocolSubscription::decode(&least).unwrap());
            }
            assert_eq!(again("subscription_again", &ours, version), ours, "{version}");
        }
    }
}

#[test]
fn java_reads_and_writes_every_version_of_an_assignment() {
    let (_, user_data, owned, ..) = example();
    for version in 0..=VERSION_MAX {
        for (owned, data) in [(owned.as_slice(), user_data.as_deref()), (&[], None)] {
            let ours = written_assignment(version, owned, data);
            let name = "ConsumerProtocolAssignment";
            let (json, left) = message_json(name, version, &ours[2..]).unwrap();
            assert_eq!(left, 0, "version {version}");
            assert_eq!(message_bytes(name, version, &json).unwrap(), ours[2..], "{version}");
            assert_eq!(again("assignment_again", &ours, version), ours, "{version}");
            let read = ConsumerProtocolAssignment::decode(&ours).unwrap();
            assert_eq!(read.assigned_partitions, borrowed(owned));
            assert_eq!(read.user_data, data);
        }
    }
}

#[test]
fn later_versions_and_bytes_behind_are_read_as_java_reads_them() {
    let (_, user_data, owned, ..) = example();
    let subscription = written_subscription(3, &example());
    let assignment = written_assignment(3, &owned, user_data.as_deref());
    for (command, ours) in [("subscription_again", subscription), ("assignment_again", assignment)]
    {
        let mut later = ours.clone();
        later[1] = 9;
        later.extend_from_slice(b"a field of version 9");
        assert_eq!(again(command, &later, 3), ours);
        if command == "subscription_again" {
            let read = ConsumerProtocolSubscription::decode(&later);
            assert_eq!(read, ConsumerProtocolSubscription::decode(&ours));
        } else {
            let read = ConsumerProtocolAssignment::decode(&later);
            assert_eq!(read, ConsumerProtocolAssignment::decode(&ours));
        }
    }
}

#[test]
fn a_cut_is_an_error_here_where_it_is_one_in_java() {
    let (_, user_data, owned, ..) = example();
    for (command, ours) in [
        ("subscription_again", written_subscription(3, &example())),
        ("assignment_again", written_assignment(3, &owned, user_data.as_deref())),
    ] {
        for end in 0..ours.len() {
            let cut = &ours[..end];
            helper().call(command, &[&hex(Some(cut)), "3"], &[]).expect_err("cut");
            if command == "subscription_again" {
                ConsumerProtocolSubscription::decode(cut).expect_err("cut");
            } else {
                ConsumerProtocolAssignment::decode(cut).expect_err("cut");
            }
        }
    }
}

fn name() -> impl Strategy<Value = String> {
    "[a-zé]{0,6}"
}

fn owned() -> impl Strategy<Value = Vec<Owned>> {
    vec((name(), vec(any::<i32>(), 0..4)), 0..4)
}

fn subscription() -> impl Strategy<Value = Subscription> {
    (vec(name(), 0..4), of(vec(any::<u8>(), 0..9)), owned(), any::<i32>(), of(name()))
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn their_subscription(version: i16, subscription: &Subscription) -> TheirSubscription {
    let (topics, user_data, owned, generation_id, rack_id) = subscription;
    let owned = owned.iter().map(|(topic, partitions)| {
        their_subscription::TopicPartition::default()
            .with_topic(TopicName(text(topic)))
            .with_partitions(partitions.clone())
    });
    let mut theirs = TheirSubscription::default()
        .with_topics(topics.iter().map(|topic| text(topic)).collect())
        .with_user_data(user_data.clone().map(Bytes::from));
    if version >= 1 {
        theirs.owned_partitions = owned.collect();
    }
    if version >= 2 {
        theirs.generation_id = *generation_id;
    }
    if version >= 3 {
        theirs.rack_id = rack_id.as_deref().map(text);
    }
    theirs
}

proptest! {
    #[test]
    fn the_crate_writes_and_reads_the_same_subscription(
        version in 0..=VERSION_MAX,
        subscription in subscription(),
    ) {
        let ours = written_subscription(version, &subscription);
        let theirs = their_subscription(version, &subscription);
        let mut written = version.to_be_bytes().to_vec();
        theirs.encode(&mut written, version).unwrap();
        prop_assert_eq!(&written, &ours);
        let read = TheirSubscription::decode(&mut Bytes::from(ours).slice(2..), version).unwrap();
        prop_assert_eq!(read, theirs);
        let read = ConsumerProtocolSubscription::decode(&written).unwrap();
        let mut again = Vec::new();
        read.encode(version, &mut again).unwrap();
        prop_assert_eq!(again, written);
    }

    #[test]
    fn the_crate_writes_and_reads_the_same_assignment(
        version in 0..=VERSION_MAX,
        owned in owned(),
        user_data in of(vec(any::<u8>(), 0..9)),
    ) {
        let ours = written_assignment(version, &owned, user_data.as_deref());
        let partitions = owned.iter().map(|(topic, partitions)| {
            their_assignment::TopicPartition::default()
                .with_topic(TopicName(text(topic)))
                .with_partitions(partitions.clone())
        });
        let theirs = TheirAssignment::default()
            .with_assigned_partitions(partitions.collect())
            .with_user_data(user_data.map(Bytes::from));
        let mut written = version.to_be_bytes().to_vec();
        theirs.encode(&mut written, version).unwrap();
        prop_assert_eq!(&written, &ours);
        let read = TheirAssignment::decode(&mut Bytes::from(ours).slice(2..), version).unwrap();
        prop_assert_eq!(read, theirs);
        let read = ConsumerProtocolAssignment::decode(&written).unwrap();
        let mut again = Vec::new();
        read.encode(version, &mut again).unwrap();
        prop_assert_eq!(again, written);
    }

    #[test]
    fn damaged_bytes_are_answered(
        version in 0..=VERSION_MAX,
        subscription in subscription(),
        flips in vec((any::<prop::sample::Index>(), 0..8u8), 0..4),
        keep in any::<prop::sample::Index>(),
    ) {
        let whole = written_subscription(version, &subscription);
        let assignment = written_assignment(version, &subscription.2, subscription.1.as_deref());
        for whole in [whole, assignment] {
            let mut damaged = whole.clone();
            for (at, bit) in &flips {
                damaged[at.index(whole.len())] ^= 1 << bit;
            }
            damaged.truncate(keep.index(whole.len() + 1));
            ConsumerProtocolSubscription::decode(&damaged).ok();
            ConsumerProtocolAssignment::decode(&damaged).ok();
        }
    }
}
