//! The group answers of the scripted broker: a group of one member that always gets its way.

use std::collections::BTreeMap;

use kfetch::protocol::find_coordinator::{
    Coordinator, FindCoordinatorRequest, FindCoordinatorResponse,
};
use kfetch::protocol::heartbeat::HeartbeatResponse;
use kfetch::protocol::join_group::{JoinGroupRequest, JoinGroupResponse, JoinGroupResponseMember};
use kfetch::protocol::leave_group::LeaveGroupResponse;
use kfetch::protocol::offset_commit::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
};
use kfetch::protocol::offset_fetch::{
    OffsetFetchRequest, OffsetFetchResponse, OffsetFetchResponseGroup,
    OffsetFetchResponsePartition, OffsetFetchResponseTopic,
};
use kfetch::protocol::sync_group::{SyncGroupRequest, SyncGroupResponse};
use kfetch::protocol::{ApiKey, ErrorCode, ResponseHeader, write_frame};
use kfetch::wire::EncodeError;

use super::Asked;

/// The id of the one member.
pub(crate) const MEMBER_ID: &str = "member-1";

/// The generation that it is always in.
pub(crate) const GENERATION: i32 = 7;

/// Appends the good answer to a member's request.
pub(crate) fn answer(
    asked: &Asked,
    coordinator: &(String, u16),
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let (version, body) = (asked.version, &asked.body[..]);
    match asked.api_key {
        ApiKey::FindCoordinator => find_coordinator(asked, &coordinator.0, coordinator.1, out),
        ApiKey::JoinGroup => {
            let request = JoinGroupRequest::decode(body, version).unwrap();
            join(&request).encode(version, out)
        }
        ApiKey::SyncGroup => {
            let request = SyncGroupRequest::decode(body, version).unwrap();
            let own = request.assignments.iter().find(|one| one.member_id == MEMBER_ID);
            SyncGroupResponse {
                protocol_type: Some("consumer"),
                protocol_name: request.protocol_name,
                assignment: own.map_or(&[][..], |own| own.assignment),
                ..SyncGroupResponse::default()
            }
            .encode(version, out)
        }
        ApiKey::Heartbeat => HeartbeatResponse::default().encode(version, out),
        ApiKey::LeaveGroup => LeaveGroupResponse::default().encode(version, out),
        ApiKey::OffsetCommit => {
            let request = OffsetCommitRequest::decode(body, version).unwrap();
            commit(&request).encode(version, out)
        }
        ApiKey::OffsetFetch => {
            let request = OffsetFetchRequest::decode(body, version).unwrap();
            nothing_committed(&request).encode(version, out)
        }
        other => panic!("no answer to {other:?}"),
    }
}

fn nothing_committed<'a>(request: &OffsetFetchRequest<'a>) -> OffsetFetchResponse<'a> {
    let none = |partition| OffsetFetchResponsePartition {
        partition_index: partition,
        committed_offset: -1,
        committed_leader_epoch: -1,
        metadata: Some(""),
        error_code: ErrorCode::NONE,
    };
    let groups = request.groups.iter().map(|group| {
        let topics = group.topics.iter().flatten().map(|topic| OffsetFetchResponseTopic {
            name: topic.name,
            topic_id: topic.topic_id,
            partitions: topic.partition_indexes.iter().map(none).collect(),
        });
        let (group_id, topics) = (group.group_id, topics.collect());
        OffsetFetchResponseGroup { group_id, topics, error_code: ErrorCode::NONE }
    });
    OffsetFetchResponse { throttle_time_ms: 0, groups: groups.collect() }
}

/// Returns the frame of an answer that sends the client to another coordinator; `good` is the
/// answer that the broker would have given.
pub(crate) fn other_coordinator(asked: &Asked, good: &[u8], host: &str, port: u16) -> Vec<u8> {
    let correlation_id = i32::from_be_bytes(*good[4..].first_chunk().unwrap());
    let mut frame = Vec::new();
    write_frame(&mut frame, |out| {
        ResponseHeader { correlation_id }.encode(out, asked.api_key, asked.version);
        find_coordinator(asked, host, port, out)
    })
    .unwrap();
    frame
}

fn find_coordinator(
    asked: &Asked,
    host: &str,
    port: u16,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let request = FindCoordinatorRequest::decode(&asked.body, asked.version).unwrap();
    let coordinator =
        |key| Coordinator { key, node_id: 77, host, port: i32::from(port), ..Default::default() };
    let coordinators = request.coordinator_keys.iter().map(|key| coordinator(*key)).collect();
    FindCoordinatorResponse { coordinators, ..Default::default() }.encode(asked.version, out)
}

fn join<'a>(request: &JoinGroupRequest<'a>) -> JoinGroupResponse<'a> {
    let first = &request.protocols[0];
    let member = JoinGroupResponseMember {
        member_id: MEMBER_ID,
        group_instance_id: None,
        metadata: first.metadata,
    };
    JoinGroupResponse {
        error_code: ErrorCode::NONE,
        generation_id: GENERATION,
        protocol_type: Some("consumer"),
        protocol_name: Some(first.name),
        leader: MEMBER_ID,
        member_id: MEMBER_ID,
        members: vec![member],
        ..JoinGroupResponse::default()
    }
}

fn commit<'a>(request: &OffsetCommitRequest<'a>) -> OffsetCommitResponse<'a> {
    let mut topics: BTreeMap<&str, Vec<OffsetCommitResponsePartition>> = BTreeMap::new();
    for topic in &request.topics {
        let partitions = topic.partitions.iter().map(|partition| OffsetCommitResponsePartition {
            partition_index: partition.partition_index,
            error_code: ErrorCode::NONE,
        });
        topics.entry(topic.name).or_default().extend(partitions);
    }
    let topics = topics.into_iter().map(|(name, partitions)| OffsetCommitResponseTopic {
        name,
        partitions,
        ..OffsetCommitResponseTopic::default()
    });
    OffsetCommitResponse { topics: topics.collect(), ..OffsetCommitResponse::default() }
}
