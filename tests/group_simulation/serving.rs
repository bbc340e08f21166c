//! The bytes between a member and the model coordinator.

use kfetch::coordinator::request::Request;
use kfetch::protocol::ErrorCode;
use kfetch::protocol::find_coordinator::{Coordinator, FindCoordinatorResponse};
use kfetch::protocol::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use kfetch::protocol::join_group::{JoinGroupRequest, JoinGroupResponse, JoinGroupResponseMember};
use kfetch::protocol::leave_group::{LeaveGroupRequest, LeaveGroupResponse};
use kfetch::protocol::offset_commit::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
};
use kfetch::protocol::offset_fetch::{
    OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartition,
    OffsetFetchResponseTopic,
};
use kfetch::protocol::sync_group::{SyncGroupRequest, SyncGroupResponse};
use kfetch::wire::EncodeError;

use super::coordinator::{Answer, Group, Joined, Ticket};
use super::world::Time;

pub(crate) const GROUP: &str = "g";

/// A request as it reached a broker.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    pub(crate) request: Request,
    pub(crate) version: i16,
    pub(crate) body: Vec<u8>,
}

fn instance(id: Option<&str>) -> Option<usize> {
    id.map(|id| id.parse().unwrap())
}

/// Has the coordinator take a request; returns what it answers at once.
pub(crate) fn serve(
    group: &mut Group,
    now: Time,
    connection: u64,
    client: usize,
    arrived: &Arrived,
) -> Option<Answer> {
    let Arrived { request, version, body } = arrived;
    let ticket: Ticket = (connection, *version);
    match request {
        Request::JoinGroup { .. } => {
            let it = JoinGroupRequest::decode(body, *version).unwrap();
            let who = (it.member_id, instance(it.group_instance_id));
            group.join(now, ticket, client, who, it.protocols[0].metadata);
            None
        }
        Request::SyncGroup { .. } => {
            let it = SyncGroupRequest::decode(body, *version).unwrap();
            let who = (it.member_id, instance(it.group_instance_id));
            let given = it.assignments.iter();
            let given = given.map(|one| (one.member_id.to_owned(), one.assignment.to_vec()));
            group.sync(now, ticket, who, it.generation_id, &given.collect::<Vec<_>>());
            None
        }
        Request::Heartbeat { .. } => {
            let it = HeartbeatRequest::decode(body, *version).unwrap();
            let who = (it.member_id, instance(it.group_instance_id));
            Some(Answer::Code(group.heartbeat(now, who, it.generation_id)))
        }
        Request::LeaveGroup { .. } => {
            let it = LeaveGroupRequest::decode(body, *version).unwrap();
            Some(Answer::Code(group.leave(now, it.members[0].member_id)))
        }
        Request::OffsetCommit { .. } => {
            let it = OffsetCommitRequest::decode(body, *version).unwrap();
            let who = (it.member_id, instance(it.group_instance_id));
            let parts = it.topics.iter().flat_map(|topic| &topic.partitions);
            let parts: Vec<(i32, i64)> =
                parts.map(|part| (part.partition_index, part.committed_offset)).collect();
            let code = group.commit(now, client, who, it.generation_id_or_member_epoch, &parts);
            Some(Answer::Commit(parts.iter().map(|part| (part.0, code)).collect()))
        }
        Request::OffsetFetch { partitions, .. } => {
            let partitions = partitions.iter().flatten();
            let offset = |partition: &i32| group.offsets.get(partition).copied().unwrap_or(-1);
            let told = partitions.map(|(_, partition)| (*partition, offset(partition)));
            Some(Answer::Fetch(told.collect()))
        }
        other => unreachable!("no member here asks its coordinator for {other:?}"),
    }
}

/// Returns the answer's body, and its code.
pub(crate) fn encode(arrived: &Arrived, answer: &Answer) -> (Vec<u8>, i16) {
    let version = arrived.version;
    let mut out = Vec::new();
    let mut code = if let Answer::Code(code) = answer { *code } else { ErrorCode::NONE };
    let outcome = match (&arrived.request, answer) {
        (Request::JoinGroup { .. }, Answer::Join(joined)) => {
            code = joined.code;
            encode_join(joined, version, &mut out)
        }
        (Request::JoinGroup { .. }, _) => {
            let error = JoinGroupResponse { error_code: code, ..JoinGroupResponse::default() };
            error.encode(version, &mut out)
        }
        (Request::SyncGroup { .. }, _) => {
            let assignment = if let Answer::Sync(bytes) = answer { bytes.as_slice() } else { &[] };
            SyncGroupResponse { error_code: code, assignment, ..Default::default() }
                .encode(version, &mut out)
        }
        (Request::Heartbeat { .. }, _) => {
            HeartbeatResponse { throttle_time_ms: 0, error_code: code }.encode(version, &mut out)
        }
        (Request::LeaveGroup { .. }, _) => {
            LeaveGroupResponse { error_code: code, ..Default::default() }.encode(version, &mut out)
        }
        (Request::OffsetCommit { offsets, .. }, _) => {
            let codes = match answer {
                Answer::Commit(codes) => codes.clone(),
                _ => offsets.iter().map(|offset| (offset.partition, code)).collect(),
            };
            code = codes.first().map_or(code, |first| first.1);
            encode_commit(&codes, version, &mut out)
        }
        (Request::OffsetFetch { .. }, _) => {
            let told = if let Answer::Fetch(told) = answer { told.as_slice() } else { &[] };
            encode_fetch(code, told, version, &mut out)
        }
        (other, _) => unreachable!("no member here asks its coordinator for {other:?}"),
    };
    outcome.unwrap();
    (out, code.0)
}

fn encode_join(joined: &Joined, version: i16, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let members = joined.members.iter();
    let members = members.map(|(member_id, metadata)| JoinGroupResponseMember {
        member_id,
        metadata,
        ..JoinGroupResponseMember::default()
    });
    JoinGroupResponse {
        error_code: joined.code,
        generation_id: joined.generation,
        protocol_type: (version >= 7).then_some("consumer"),
        protocol_name: Some("model"),
        leader: &joined.leader,
        skip_assignment: joined.skips,
        member_id: &joined.member_id,
        members: members.collect(),
        throttle_time_ms: 0,
    }
    .encode(version, out)
}

fn encode_commit(
    codes: &[(i32, ErrorCode)],
    version: i16,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let part = |&(partition_index, error_code): &(i32, ErrorCode)| OffsetCommitResponsePartition {
        partition_index,
        error_code,
    };
    let partitions = codes.iter().map(part).collect();
    let topics = vec![OffsetCommitResponseTopic { name: "t", partitions, ..Default::default() }];
    OffsetCommitResponse { throttle_time_ms: 0, topics }.encode(version, out)
}

fn encode_fetch(
    error_code: ErrorCode,
    told: &[(i32, i64)],
    version: i16,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let part = |&(partition_index, committed_offset): &(i32, i64)| OffsetFetchResponsePartition {
        partition_index,
        committed_offset,
        committed_leader_epoch: -1,
        metadata: Some(""),
        error_code: ErrorCode::NONE,
    };
    let partitions = told.iter().map(part).collect();
    let topics = vec![OffsetFetchResponseTopic { name: "t", partitions, ..Default::default() }];
    let group_id = if version >= 8 { GROUP } else { "" };
    let groups = vec![OffsetFetchResponseGroup { group_id, topics, error_code }];
    OffsetFetchResponse { throttle_time_ms: 0, groups }.encode(version, out)
}

/// Returns the answer of a broker that is asked who coordinates the group.
pub(crate) fn coordinator(host: Option<usize>, version: i16) -> Vec<u8> {
    let name = format!("broker-{}", host.unwrap_or_default());
    let error_code =
        if host.is_some() { ErrorCode::NONE } else { ErrorCode::COORDINATOR_NOT_AVAILABLE };
    let node_id = host.map_or(-1, |host| i32::try_from(host).unwrap());
    let key = if version >= 4 { GROUP } else { "" };
    let one =
        Coordinator { key, node_id, host: &name, port: 9092, error_code, error_message: None };
    let mut out = Vec::new();
    let response = FindCoordinatorResponse { throttle_time_ms: 0, coordinators: vec![one] };
    response.encode(version, &mut out).unwrap();
    out
}
