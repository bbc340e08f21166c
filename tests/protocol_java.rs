//! Messages against the classes that Kafka generates for its clients: version 11 of ListOffsets and
//! version 10 of requests for OffsetCommit and OffsetFetch are in no Rust crate. The versions below
//! are held to the same, so that both oracles can be seen to agree.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use kfetch::protocol::find_coordinator::{
    Coordinator, FindCoordinatorRequest, FindCoordinatorResponse,
};
use kfetch::protocol::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use kfetch::protocol::join_group::{
    JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse, JoinGroupResponseMember,
};
use kfetch::protocol::leave_group::{
    LeaveGroupRequest, LeaveGroupResponse, MemberIdentity, MemberResponse,
};
use kfetch::protocol::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopic, ListOffsetsTopicResponse,
};
use kfetch::protocol::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
    OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kfetch::protocol::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchResponse,
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponseTopic,
};
use kfetch::protocol::sync_group::{
    SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse,
};
use kfetch::protocol::{ApiKey, ErrorCode};
use kfetch::wire::{Int32Array, Uuid};
use support::oracle::{
    check_java_versions, check_with_java, message_bytes, message_json, since, versions,
};

#[test]
fn java_has_every_version_that_we_have() {
    for (api_key, name) in [
        (ApiKey::ListOffsets, "ListOffsets"),
        (ApiKey::OffsetCommit, "OffsetCommit"),
        (ApiKey::OffsetFetch, "OffsetFetch"),
        (ApiKey::FindCoordinator, "FindCoordinator"),
        (ApiKey::JoinGroup, "JoinGroup"),
        (ApiKey::Heartbeat, "Heartbeat"),
        (ApiKey::LeaveGroup, "LeaveGroup"),
        (ApiKey::SyncGroup, "SyncGroup"),
    ] {
        check_java_versions(api_key, name);
    }
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

const TOPIC_ID: Uuid = Uuid([7; 16]);

#[test]
fn find_coordinator_is_javas() {
    for version in versions(ApiKey::FindCoordinator) {
        let batched = version >= 4;
        let keys = if batched { vec!["first", "é"] } else { vec!["first"] };
        let request =
            FindCoordinatorRequest { key_type: i8::from(version >= 1), coordinator_keys: keys };
        let parts = [
            (r#""keyType":1"#, version >= 1),
            (r#""key":"first""#, !batched),
            (r#""coordinatorKeys":["first","#, batched),
        ];
        let encode = |out: &mut Vec<u8>| request.encode(version, out);
        let bytes = check_with_java("FindCoordinatorRequest", version, encode, &parts);
        assert_eq!(FindCoordinatorRequest::decode(&bytes, version), Ok(request));

        let coordinator = Coordinator {
            key: if batched { "first" } else { "" },
            node_id: 5,
            host: "broker",
            port: 9092,
            error_code: ErrorCode::COORDINATOR_NOT_AVAILABLE,
            error_message: since(version >= 1, "not yet"),
        };
        let response = FindCoordinatorResponse {
            throttle_time_ms: if version >= 1 { 17 } else { 0 },
            coordinators: vec![coordinator; if batched { 2 } else { 1 }],
        };
        let parts = [
            (r#""throttleTimeMs":17"#, version >= 1),
            (r#""errorMessage":"not yet""#, version >= 1),
            (r#""key":"first""#, batched),
            (r#""nodeId":5,"host":"broker","port":9092"#, true),
            (r#""errorCode":15"#, true),
        ];
        let encode = |out: &mut Vec<u8>| response.encode(version, out);
        let bytes = check_with_java("FindCoordinatorResponse", version, encode, &parts);
        assert_eq!(FindCoordinatorResponse::decode(&bytes, version), Ok(response));
    }
}

#[test]
fn join_group_is_javas() {
    for version in versions(ApiKey::JoinGroup) {
        let protocol = |name| JoinGroupRequestProtocol { name, metadata: &[0, 3, 255] };
        let request = JoinGroupRequest {
            group_id: "group",
            session_timeout_ms: 45_000,
            rebalance_timeout_ms: if version >= 1 { 300_000 } else { -1 },
            member_id: "member",
            group_instance_id: since(version >= 5, "instance"),
            protocol_type: "consumer",
            protocols: vec![protocol("range"), protocol("sticky")],
            reason: since(version >= 8, "why"),
        };
        let parts = [
            (r#""groupId":"group","sessionTimeoutMs":45000"#, true),
            (r#""rebalanceTimeoutMs":300000"#, version >= 1),
            (r#""groupInstanceId":"instance""#, version >= 5),
            (r#""name":"sticky","metadata":"AAP/""#, true),
            (r#""reason":"why""#, version >= 8),
        ];
        let encode = |out: &mut Vec<u8>| request.encode(version, out);
        let bytes = check_with_java("JoinGroupRequest", version, encode, &parts);
        assert_eq!(JoinGroupRequest::decode(&bytes, version), Ok(request));

        let response = JoinGroupResponse {
            throttle_time_ms: if version >= 2 { 17 } else { 0 },
            error_code: ErrorCode::MEMBER_ID_REQUIRED,
            generation_id: 4,
            protocol_type: since(version >= 7, "consumer"),
            protocol_name: since(version != 8, "range"),
            leader: "leader",
            skip_assignment: version >= 9,
            member_id: "member",
            members: vec![JoinGroupResponseMember {
                member_id: "member",
                group_instance_id: since(version >= 5, "instance"),
                metadata: &[0, 3, 255],
            }],
        };
        let parts = [
            (r#""throttleTimeMs":17"#, version >= 2),
            (r#""errorCode":79,"generationId":4"#, true),
            (r#""protocolType":"consumer""#, version >= 7),
            (r#""protocolName":"range""#, version != 8),
            (r#""protocolName":null"#, version == 8),
            (r#""leader":"leader""#, true),
            (r#""skipAssignment":true"#, version >= 9),
            (r#""groupInstanceId":"instance""#, version >= 5),
            (r#""metadata":"AAP/""#, true),
        ];
        let encode = |out: &mut Vec<u8>| response.encode(version, out);
        let bytes = check_with_java("JoinGroupResponse", version, encode, &parts);
        assert_eq!(JoinGroupResponse::decode(&bytes, version), Ok(response));
    }
}

#[test]
fn sync_group_is_javas() {
    for version in versions(ApiKey::SyncGroup) {
        let request = SyncGroupRequest {
            group_id: "group",
            generation_id: 4,
            member_id: "member",
            group_instance_id: since(version >= 3, "instance"),
            protocol_type: since(version >= 5, "consumer"),
            protocol_name: since(version >= 5, "range"),
            assignments: vec![SyncGroupRequestAssignment {
                member_id: "other",
                assignment: &[0, 3, 255],
            }],
        };
        let parts = [
            (r#""groupId":"group","generationId":4,"memberId":"member""#, true),
            (r#""groupInstanceId":"instance""#, version >= 3),
            (r#""protocolType":"consumer","protocolName":"range""#, version >= 5),
            (r#"{"memberId":"other","assignment":"AAP/"}"#, true),
        ];
        let encode = |out: &mut Vec<u8>| request.encode(version, out);
        let bytes = check_with_java("SyncGroupRequest", version, encode, &parts);
        assert_eq!(SyncGroupRequest::decode(&bytes, version), Ok(request));

        let response = SyncGroupResponse {
            throttle_time_ms: if version >= 1 { 17 } else { 0 },
            error_code: ErrorCode::REBALANCE_IN_PROGRESS,
            protocol_type: since(version >= 5, "consumer"),
            protocol_name: since(version >= 5, "range"),
            assignment: &[0, 3, 255],
        };
        let parts = [
            (r#""throttleTimeMs":17"#, version >= 1),
            (r#""errorCode":27"#, true),
            (r#""protocolType":"consumer","protocolName":"range""#, version >= 5),
            (r#""assignment":"AAP/""#, true),
        ];
        let encode = |out: &mut Vec<u8>| response.encode(version, out);
        let bytes = check_with_java("SyncGroupResponse", version, encode, &parts);
        assert_eq!(SyncGroupResponse::decode(&bytes, version), Ok(response));
    }
}

#[test]
fn heartbeat_is_javas() {
    for version in versions(ApiKey::Heartbeat) {
        let request = HeartbeatRequest {
            group_id: "group",
            generation_id: 4,
            member_id: "member",
            group_instance_id: since(version >= 3, "instance"),
        };
        let parts = [
            (r#""groupId":"group","generationId":4,"memberId":"member""#, true),
            (r#""groupInstanceId":"instance""#, version >= 3),
        ];
        let encode = |out: &mut Vec<u8>| request.encode(version, out);
        let bytes = check_with_java("HeartbeatRequest", version, encode, &parts);
        assert_eq!(HeartbeatRequest::decode(&bytes, version), Ok(request));

        let response = HeartbeatResponse {
            throttle_time_ms: if version >= 1 { 17 } else { 0 },
            error_code: ErrorCode::REBALANCE_IN_PROGRESS,
        };
        let parts = [(r#""throttleTimeMs":17"#, version >= 1), (r#""errorCode":27"#, true)];
        let encode = |out: &mut Vec<u8>| response.encode(version, out);
        let bytes = check_with_java("HeartbeatResponse", version, encode, &parts);
        assert_eq!(HeartbeatResponse::decode(&bytes, version), Ok(response));
    }
}

#[test]
fn leave_group_is_javas() {
    for version in versions(ApiKey::LeaveGroup) {
        let batched = version >= 3;
        let member = MemberIdentity {
            member_id: "member",
            group_instance_id: since(batched, "instance"),
            reason: since(version >= 5, "why"),
        };
        let request = LeaveGroupRequest {
            group_id: "group",
            members: vec![member; if batched { 2 } else { 1 }],
        };
        let parts = [
            (r#""groupId":"group""#, true),
            (r#""memberId":"member""#, true),
            (r#""members":["#, batched),
            (r#""groupInstanceId":"instance""#, batched),
            (r#""reason":"why""#, version >= 5),
        ];
        let encode = |out: &mut Vec<u8>| request.encode(version, out);
        let bytes = check_with_java("LeaveGroupRequest", version, encode, &parts);
        assert_eq!(LeaveGroupRequest::decode(&bytes, version), Ok(request));

        let member = MemberResponse {
            member_id: "member",
            group_instance_id: Some("instance"),
            error_code: ErrorCode::FENCED_INSTANCE_ID,
        };
        let response = LeaveGroupResponse {
            throttle_time_ms: if version >= 1 { 17 } else { 0 },
            error_code: ErrorCode::UNKNOWN_MEMBER_ID,
            members: vec![member; if batched { 2 } else { 0 }],
        };
        let parts = [
            (r#""throttleTimeMs":17"#, version >= 1),
            (r#""errorCode":25"#, true),
            (r#"{"memberId":"member","groupInstanceId":"instance","errorCode":82}"#, batched),
        ];
        let encode = |out: &mut Vec<u8>| response.encode(version, out);
        let bytes = check_with_java("LeaveGroupResponse", version, encode, &parts);
        assert_eq!(LeaveGroupResponse::decode(&bytes, version), Ok(response));
    }
}

#[test]
fn offset_commit_is_javas() {
    for version in versions(ApiKey::OffsetCommit) {
        let (name, topic_id) = if version >= 10 { ("", TOPIC_ID) } else { ("é", Uuid::ZERO) };
        let partition = |partition_index, committed_metadata| OffsetCommitRequestPartition {
            partition_index,
            committed_offset: 1 << 33,
            committed_leader_epoch: if version >= 6 { 9 } else { -1 },
            committed_metadata,
        };
        let partitions = vec![partition(6, Some("note")), partition(7, None)];
        let request = OffsetCommitRequest {
            group_id: "group",
            generation_id_or_member_epoch: 4,
            member_id: "member",
            group_instance_id: since(version >= 7, "instance"),
            retention_time_ms: if version <= 4 { 60_000 } else { -1 },
            topics: vec![OffsetCommitRequestTopic { name, topic_id, partitions }],
        };
        let id_part = format!(r#""topicId":"{TOPIC_ID}""#);
        let parts = [
            (r#""generationIdOrMemberEpoch":4,"memberId":"member""#, true),
            (r#""groupInstanceId":"instance""#, version >= 7),
            (r#""retentionTimeMs":60000"#, version <= 4),
            (r#""name":"é""#, version <= 9),
            (&id_part, version >= 10),
            (r#""partitionIndex":6,"committedOffset":8589934592"#, true),
            (r#""committedLeaderEpoch":9"#, version >= 6),
            (r#""committedMetadata":"note""#, true),
            (r#""committedMetadata":null"#, true),
        ];
        let encode = |out: &mut Vec<u8>| request.encode(version, out);
        let bytes = check_with_java("OffsetCommitRequest", version, encode, &parts);
        assert_eq!(OffsetCommitRequest::decode(&bytes, version), Ok(request));

        let error_code = ErrorCode::ILLEGAL_GENERATION;
        let partitions = vec![OffsetCommitResponsePartition { partition_index: 6, error_code }];
        let response = OffsetCommitResponse {
            throttle_time_ms: if version >= 3 { 17 } else { 0 },
            topics: vec![OffsetCommitResponseTopic { name, topic_id, partitions }],
        };
        let parts = [
            (r#""throttleTimeMs":17"#, version >= 3),
            (r#""name":"é""#, version <= 9),
            (&id_part, version >= 10),
            (r#"{"partitionIndex":6,"errorCode":22}"#, true),
        ];
        let encode = |out: &mut Vec<u8>| response.encode(version, out);
        let bytes = check_with_java("OffsetCommitResponse", version, encode, &parts);
        assert_eq!(OffsetCommitResponse::decode(&bytes, version), Ok(response));
    }
}

#[test]
fn offset_fetch_request_is_javas() {
    for version in versions(ApiKey::OffsetFetch) {
        let (name, topic_id) = if version >= 10 { ("", TOPIC_ID) } else { ("é", Uuid::ZERO) };
        let partition_indexes = Int32Array::Values(&[6, 1, 5]);
        let group = |topics| OffsetFetchRequestGroup {
            group_id: "group",
            member_id: since(version >= 9, "member"),
            member_epoch: if version >= 9 { 4 } else { -1 },
            topics,
        };
        let topics = vec![OffsetFetchRequestTopic { name, topic_id, partition_indexes }];
        let mut groups = vec![group(Some(topics))];
        if version >= 8 {
            groups.push(group(None));
        }
        let request = OffsetFetchRequest { groups, require_stable: version >= 7 };
        let id_part = format!(r#""topicId":"{TOPIC_ID}""#);
        let parts = [
            (r#""groupId":"group""#, true),
            (r#""groups":[{"#, version >= 8),
            (r#""memberId":"member","memberEpoch":4"#, version >= 9),
            (r#""name":"é""#, version <= 9),
            (&id_part, version >= 10),
            (r#""partitionIndexes":[6,1,5]"#, true),
            (r#""topics":null"#, version >= 8),
            (r#""requireStable":true"#, version >= 7),
        ];
        let encode = |out: &mut Vec<u8>| request.encode(version, out);
        let bytes = check_with_java("OffsetFetchRequest", version, encode, &parts);
        assert_eq!(OffsetFetchRequest::decode(&bytes, version), Ok(request));

        if version >= 2 {
            let all = OffsetFetchRequest { groups: vec![group(None)], require_stable: false };
            let encode = |out: &mut Vec<u8>| all.encode(version, out);
            let null = [(r#""topics":null"#, true)];
            let bytes = check_with_java("OffsetFetchRequest", version, encode, &null);
            assert_eq!(OffsetFetchRequest::decode(&bytes, version), Ok(all));
        }
    }
}

#[test]
fn offset_fetch_response_is_javas() {
    for version in versions(ApiKey::OffsetFetch) {
        let (name, topic_id) = if version >= 10 { ("", TOPIC_ID) } else { ("é", Uuid::ZERO) };
        let partition = |partition_index, metadata| OffsetFetchResponsePartition {
            partition_index,
            committed_offset: 1 << 33,
            committed_leader_epoch: if version >= 5 { 9 } else { -1 },
            metadata,
            error_code: ErrorCode::UNSTABLE_OFFSET_COMMIT,
        };
        let partitions = vec![partition(6, Some("note")), partition(7, None)];
        let group = OffsetFetchResponseGroup {
            group_id: if version >= 8 { "group" } else { "" },
            topics: vec![OffsetFetchResponseTopic { name, topic_id, partitions }],
            error_code: ErrorCode(if version >= 2 { 16 } else { 0 }),
        };
        let response = OffsetFetchResponse {
            throttle_time_ms: if version >= 3 { 17 } else { 0 },
            groups: vec![group; if version >= 8 { 2 } else { 1 }],
        };
        let id_part = format!(r#""topicId":"{TOPIC_ID}""#);
        let parts = [
            (r#""throttleTimeMs":17"#, version >= 3),
            (r#""groupId":"group""#, version >= 8),
            (r#""name":"é""#, version <= 9),
            (&id_part, version >= 10),
            (r#""partitionIndex":6,"committedOffset":8589934592"#, true),
            (r#""committedLeaderEpoch":9"#, version >= 5),
            (r#""metadata":"note","errorCode":88"#, true),
            (r#""metadata":null"#, true),
            (r#""errorCode":16"#, version >= 2),
        ];
        let encode = |out: &mut Vec<u8>| response.encode(version, out);
        let bytes = check_with_java("OffsetFetchResponse", version, encode, &parts);
        assert_eq!(OffsetFetchResponse::decode(&bytes, version), Ok(response));
    }
}
