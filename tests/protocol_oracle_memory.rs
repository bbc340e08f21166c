//! What a decode of hostile bytes allocates: at most a small multiple of their length.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use kfetch::protocol::ApiKey;
use kfetch::protocol::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use kfetch::protocol::describe_groups::{DescribeGroupsRequest, DescribeGroupsResponse};
use kfetch::protocol::fetch::{FetchDecoder, FetchRequest, FetchResponse, Step};
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
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Counts the bytes that this thread asks for.
struct Counting;

thread_local! {
    static ASKED_BYTES: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED_BYTES.set(ASKED_BYTES.get().saturating_add(layout.size()));
        // SAFETY: the caller's contract is that of the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The worst ratio of a structure in memory to its least bytes on the wire is that of a group in an
/// OffsetFetch request, 64 to 3, and of the topics within it 56 to 3; an array may reserve this for
/// all of the bytes left, and one within it once more.
const BYTES_PER_BYTE_MAX: usize = 40;

fn asked_bytes(work: impl FnOnce()) -> usize {
    let before = ASKED_BYTES.get();
    work();
    ASKED_BYTES.get() - before
}

fn decode_all(api_key: ApiKey, body: &[u8], version: i16) {
    match api_key {
        ApiKey::Fetch => {
            FetchRequest::decode(body, version).ok();
            FetchResponse::decode(body, version).ok();
        }
        ApiKey::ListOffsets => {
            ListOffsetsRequest::decode(body, version).ok();
            ListOffsetsResponse::decode(body, version).ok();
        }
        ApiKey::Metadata => {
            MetadataRequest::decode(body, version).ok();
            MetadataResponse::decode(body, version).ok();
        }
        ApiKey::OffsetCommit => {
            OffsetCommitRequest::decode(body, version).ok();
            OffsetCommitResponse::decode(body, version).ok();
        }
        ApiKey::OffsetFetch => {
            OffsetFetchRequest::decode(body, version).ok();
            OffsetFetchResponse::decode(body, version).ok();
        }
        ApiKey::FindCoordinator => {
            FindCoordinatorRequest::decode(body, version).ok();
            FindCoordinatorResponse::decode(body, version).ok();
        }
        ApiKey::JoinGroup => {
            JoinGroupRequest::decode(body, version).ok();
            JoinGroupResponse::decode(body, version).ok();
        }
        ApiKey::Heartbeat => {
            HeartbeatRequest::decode(body, version).ok();
            HeartbeatResponse::decode(body, version).ok();
        }
        ApiKey::LeaveGroup => {
            LeaveGroupRequest::decode(body, version).ok();
            LeaveGroupResponse::decode(body, version).ok();
        }
        ApiKey::SyncGroup => {
            SyncGroupRequest::decode(body, version).ok();
            SyncGroupResponse::decode(body, version).ok();
        }
        ApiKey::DescribeGroups => {
            DescribeGroupsRequest::decode(body, version).ok();
            DescribeGroupsResponse::decode(body, version).ok();
        }
        ApiKey::ListGroups => {
            ListGroupsRequest::decode(body, version).ok();
            ListGroupsResponse::decode(body, version).ok();
        }
        ApiKey::OffsetDelete => {
            OffsetDeleteRequest::decode(body, version).ok();
            OffsetDeleteResponse::decode(body, version).ok();
        }
        ApiKey::ApiVersions => {
            ApiVersionsRequest::decode(body, version).ok();
            ApiVersionsResponse::decode(body, version).ok();
        }
    }
}

/// Steps over the whole body and returns how many steps it took.
fn step_over(version: i16, body: &[u8]) -> usize {
    let mut decoder = FetchDecoder::new(version, body.len());
    let (mut position, mut steps) = (0, 0);
    while let Ok((consumed, step)) = decoder.step(&body[position..]) {
        position += consumed;
        steps += 1;
        if step == Step::Done {
            break;
        }
    }
    steps
}

/// Bytes of which many parse: small lengths and counts, and now and then a large one.
fn garbage() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![6 => Just(0u8), 3 => Just(1), 2 => 2..9u8, 1 => any::<u8>()];
    (vec(byte, 0..600), prop::option::of((any::<prop::sample::Index>(), 5..0x80u8))).prop_map(
        |(mut bytes, count)| {
            if let Some((at, high)) = count.filter(|_| bytes.len() > 8) {
                let at = at.index(bytes.len() - 4);
                bytes[at..at + 2].copy_from_slice(&[0x80 | high, high]);
            }
            bytes
        },
    )
}

#[test]
fn hostile_bytes_reserve_no_more_than_a_multiple_of_their_length() {
    for api_key in ApiKey::ALL {
        for version in api_key.versions().min..=api_key.versions().max {
            let config = Config { cases: 500, failure_persistence: None, ..Config::default() };
            let run = TestRunner::new(config).run(&garbage(), |body| {
                let asked = asked_bytes(|| decode_all(api_key, &body, version));
                prop_assert!(asked <= BYTES_PER_BYTE_MAX * body.len(), "{asked} bytes");
                Ok(())
            });
            run.unwrap_or_else(|failure| panic!("{api_key:?} version {version}: {failure}"));
        }
    }
}

#[test]
fn a_count_of_all_the_bytes_left_reserves_no_more_than_that() {
    let mut worst = 0;
    for api_key in ApiKey::ALL {
        for version in api_key.versions().min..=api_key.versions().max {
            for fields in 0..24 {
                // Some 5,400 elements of 3 bytes or 8,100 of 2, compact or not.
                for count in
                    [&[0xB9, 0x2A][..], &[0xE0, 0x3F], &[0, 0, 0x15, 0x40], &[0, 0, 0x1F, 0xE0]]
                {
                    let mut body = vec![0; 16_384];
                    body[fields..fields + count.len()].copy_from_slice(count);
                    worst = worst.max(asked_bytes(|| decode_all(api_key, &body, version)));
                }
            }
        }
    }
    assert!(worst > 16_384, "no array took the count: {worst}");
    assert!(worst <= BYTES_PER_BYTE_MAX * 16_384, "{worst}");
}

#[test]
fn the_fetch_decoder_allocates_nothing() {
    let records = vec![0xEE; 100];
    let response = FetchResponse {
        responses: vec![Default::default(), Default::default()],
        ..FetchResponse::default()
    };
    for version in ApiKey::Fetch.versions().min..=ApiKey::Fetch.versions().max {
        let mut response = response.clone();
        for topic in &mut response.responses {
            let partition = kfetch::protocol::fetch::PartitionData {
                records: Some(&records),
                ..Default::default()
            };
            topic.partitions = vec![partition; 3];
        }
        let mut body = Vec::new();
        response.encode(version, &mut body).expect("our encode");
        let mut steps = 0;
        assert_eq!(asked_bytes(|| steps = step_over(version, &body)), 0);
        assert!(steps >= 6 * 4, "{steps} steps");
    }
}
