//! ListOffsets against the classes that Kafka generates for its clients: version 11 is in no Rust
//! crate. The versions below are held to the same, so that both oracles can be seen to agree.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use kfetch::protocol::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopic, ListOffsetsTopicResponse,
};
use kfetch::protocol::{ApiKey, ErrorCode};
use support::oracle::{message_bytes, message_json, message_versions};

#[test]
fn java_has_every_version_that_we_have() {
    let ours = ApiKey::ListOffsets.versions();
    for name in ["ListOffsetsRequest", "ListOffsetsResponse"] {
        let (min, max) = message_versions(name);
        assert!(min <= ours.min && ours.max <= max, "{name}: {min}..={max}");
    }
    assert_eq!((ours.min, ours.max), (1, 11));
}

#[test]
fn java_reads_and_writes_the_requests_that_we_do() {
    for version in 1..=11 {
        let partition = |partition_index, timestamp| ListOffsetsPartition {
            partition_index,
            current_leader_epoch: if version >= 4 { 9 } else { -1 },
            timestamp,
        };
        let request = ListOffsetsRequest {
            replica_id: -1,
            isolation_level: i8::from(version >= 2),
            topics: vec![
                ListOffsetsTopic {
                    name: "orders",
                    partitions: vec![partition(0, -1), partition(7, -2), partition(1, 1 << 40)],
                },
                ListOffsetsTopic { name: "é", partitions: Vec::new() },
            ],
            timeout_ms: if version >= 10 { 30_000 } else { 0 },
        };
        let mut bytes = Vec::new();
        request.encode(version, &mut bytes).unwrap();
        let (json, left) = message_json("ListOffsetsRequest", version, &bytes).unwrap();
        assert_eq!(left, 0, "version {version}");
        for field in ["\"name\":\"orders\"", "\"partitionIndex\":7", "\"timestamp\":1099511627776"]
        {
            assert!(json.contains(field), "version {version}: {json}");
        }
        assert_eq!(json.contains("\"currentLeaderEpoch\":9"), version >= 4, "{version}: {json}");
        assert_eq!(json.contains("\"isolationLevel\":1"), version >= 2, "{version}: {json}");
        assert_eq!(json.contains("\"timeoutMs\":30000"), version >= 10, "{version}: {json}");
        let theirs = message_bytes("ListOffsetsRequest", version, &json).unwrap();
        assert_eq!(theirs, bytes, "version {version}");
        let read = ListOffsetsRequest::decode(&theirs, version).unwrap();
        let mut again = Vec::new();
        read.encode(version, &mut again).unwrap();
        assert_eq!(again, bytes, "version {version}");
    }
}

#[test]
fn java_writes_and_reads_the_responses_that_we_do() {
    for version in 1..=11 {
        let response = ListOffsetsResponse {
            throttle_time_ms: if version >= 2 { 17 } else { 0 },
            topics: vec![ListOffsetsTopicResponse {
                name: "orders",
                partitions: vec![
                    ListOffsetsPartitionResponse {
                        partition_index: 3,
                        error_code: ErrorCode::NONE,
                        timestamp: 1_600_000_000_000,
                        offset: 1 << 33,
                        leader_epoch: if version >= 4 { 5 } else { -1 },
                    },
                    ListOffsetsPartitionResponse {
                        partition_index: 4,
                        error_code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                        timestamp: -1,
                        offset: -1,
                        leader_epoch: -1,
                    },
                ],
            }],
        };
        let mut bytes = Vec::new();
        response.encode(version, &mut bytes).unwrap();
        let (json, left) = message_json("ListOffsetsResponse", version, &bytes).unwrap();
        assert_eq!(left, 0, "version {version}");
        assert!(json.contains("\"offset\":8589934592"), "version {version}: {json}");
        assert!(json.contains("\"errorCode\":3"), "version {version}: {json}");
        assert_eq!(json.contains("\"leaderEpoch\":5"), version >= 4, "{version}: {json}");
        let theirs = message_bytes("ListOffsetsResponse", version, &json).unwrap();
        assert_eq!(theirs, bytes, "version {version}");
        let read = ListOffsetsResponse::decode(&theirs, version).unwrap();
        assert_eq!(read.topics[0].partitions, response.topics[0].partitions, "version {version}");
        assert_eq!(read.throttle_time_ms, response.throttle_time_ms, "version {version}");
    }
}
