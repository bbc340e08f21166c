//! Requests of group members, encoded in the versions of today.

use kfetch::protocol::ErrorCode;
use kfetch::protocol::heartbeat::HeartbeatRequest;
use kfetch::protocol::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
    OffsetCommitResponse,
};
use kfetch::protocol::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchResponse,
};
use kfetch::protocol::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};

/// A SyncGroup of version 5 that assigns each of `members` its own id.
pub(crate) fn sync_body(
    group_id: &str,
    member_id: &str,
    generation_id: i32,
    group_instance_id: Option<&str>,
    members: &[&str],
) -> Vec<u8> {
    let assignments = members.iter().map(|member_id| SyncGroupRequestAssignment {
        member_id,
        assignment: member_id.as_bytes(),
    });
    let request = SyncGroupRequest {
        group_id,
        generation_id,
        member_id,
        group_instance_id,
        protocol_type: Some("consumer"),
        protocol_name: Some("range"),
        assignments: assignments.collect(),
    };
    let mut body = Vec::new();
    request.encode(5, &mut body).unwrap();
    body
}

/// A Heartbeat of version 4.
pub(crate) fn beat_body(
    group_id: &str,
    member_id: &str,
    generation_id: i32,
    group_instance_id: Option<&str>,
) -> Vec<u8> {
    let request = HeartbeatRequest { group_id, generation_id, member_id, group_instance_id };
    let mut body = Vec::new();
    request.encode(4, &mut body).unwrap();
    body
}

/// An OffsetCommit of version 9: topic, partition, offset, metadata.
pub(crate) fn commit_body(
    group_id: &str,
    member_id: &str,
    generation: i32,
    group_instance_id: Option<&str>,
    (topic, partition_index, committed_offset, metadata): (&str, i32, i64, &str),
) -> Vec<u8> {
    let request = OffsetCommitRequest {
        group_id,
        generation_id_or_member_epoch: generation,
        member_id,
        group_instance_id,
        topics: vec![OffsetCommitRequestTopic {
            name: topic,
            partitions: vec![OffsetCommitRequestPartition {
                partition_index,
                committed_offset,
                committed_leader_epoch: 3,
                committed_metadata: Some(metadata),
            }],
            ..OffsetCommitRequestTopic::default()
        }],
        ..OffsetCommitRequest::default()
    };
    let mut body = Vec::new();
    request.encode(9, &mut body).unwrap();
    body
}

/// What the one partition of such a commit was answered with.
pub(crate) fn committed_error(body: &[u8]) -> ErrorCode {
    let response = OffsetCommitResponse::decode(body, 9).unwrap();
    response.topics[0].partitions[0].error_code
}

/// An OffsetFetch of version 9 for all that a group has.
pub(crate) fn fetch_body(group_id: &str) -> Vec<u8> {
    let group = OffsetFetchRequestGroup { group_id, topics: None, ..Default::default() };
    let request = OffsetFetchRequest { groups: vec![group], require_stable: true };
    let mut body = Vec::new();
    request.encode(9, &mut body).unwrap();
    body
}

/// Topic, partition, offset and metadata of all that was fetched.
pub(crate) fn fetched(body: &[u8]) -> Vec<(String, i32, i64, String)> {
    let response = OffsetFetchResponse::decode(body, 9).unwrap();
    let mut found = Vec::new();
    for topic in &response.groups[0].topics {
        for one in &topic.partitions {
            let metadata = one.metadata.unwrap_or_default().to_owned();
            found.push((
                topic.name.to_owned(),
                one.partition_index,
                one.committed_offset,
                metadata,
            ));
        }
    }
    found
}
