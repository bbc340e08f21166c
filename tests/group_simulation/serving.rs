//! The bytes between a member and the model coordinator.

use kfetch::coordinator::command::CommitOffset;
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
use super::event::Position;
use super::record_log::{TOPICS, number, place};
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
            let protocols = it.protocols.iter();
            let protocols = protocols.map(|one| (one.name.to_owned(), one.metadata.to_vec()));
            group.join(now, ticket, client, who, protocols.collect());
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
        Request::OffsetCommit { id, .. } => {
            let it = OffsetCommitRequest::decode(body, *version).unwrap();
            let who = (it.member_id, instance(it.group_instance_id));
            let of = (client, *id);
            let at = positions(&it);
            let code = group.commit(now, of, who, it.generation_id_or_member_epoch, &at);
            Some(Answer::Commit(at.iter().map(|at| (at.partition, code)).collect()))
        }
        Request::OffsetFetch { partitions, .. } => {
            let partitions = partitions.iter().flatten();
            let numbers = partitions.map(|(topic, partition)| number(topic.as_str(), *partition));
            let none = |partition| Position { partition, offset: -1, epoch: -1 };
            let told = |partition| {
                group.offsets.get(&partition).copied().unwrap_or_else(|| none(partition))
            };
            Some(Answer::Fetch(numbers.map(told).collect()))
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
                _ => {
                    let offsets = offsets.iter();
                    let number = |at: &CommitOffset| number(at.topic.as_str(), at.partition);
                    offsets.map(|at| (number(at), code)).collect()
                }
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
        protocol_name: Some(&joined.protocol),
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
    let topics = by_topic(codes.iter().map(|&(partition, error_code)| {
        let (topic, partition_index) = place(partition);
        (topic, OffsetCommitResponsePartition { partition_index, error_code })
    }));
    let topics = topics.map(|(name, partitions)| OffsetCommitResponseTopic {
        name,
        partitions,
        ..OffsetCommitResponseTopic::default()
    });
    let topics = topics.collect();
    OffsetCommitResponse { throttle_time_ms: 0, topics }.encode(version, out)
}

fn encode_fetch(
    error_code: ErrorCode,
    told: &[Position],
    version: i16,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let topics = by_topic(told.iter().map(|told| {
        let (topic, partition_index) = place(told.partition);
        let partition = OffsetFetchResponsePartition {
            partition_index,
            committed_offset: told.offset,
            committed_leader_epoch: told.epoch,
            metadata: Some(""),
            error_code: ErrorCode::NONE,
        };
        (topic, partition)
    }));
    let topics = topics.map(|(name, partitions)| OffsetFetchResponseTopic {
        name,
        partitions,
        ..OffsetFetchResponseTopic::default()
    });
    let topics = topics.collect();
    let group_id = if version >= 8 { GROUP } else { "" };
    let groups = vec![OffsetFetchResponseGroup { group_id, topics, error_code }];
    OffsetFetchResponse { throttle_time_ms: 0, groups }.encode(version, out)
}

/// Returns what a commit that reached the coordinator is to store.
fn positions(request: &OffsetCommitRequest<'_>) -> Vec<Position> {
    let positions = request.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|part| Position {
            partition: number(topic.name, part.partition_index),
            offset: part.committed_offset,
            epoch: part.committed_leader_epoch,
        })
    });
    positions.collect()
}

/// Gathers what is of one topic.
fn by_topic<T>(
    all: impl Iterator<Item = (&'static str, T)>,
) -> impl Iterator<Item = (&'static str, Vec<T>)> {
    let mut topics = TOPICS.map(|topic| (topic, Vec::new()));
    for (topic, one) in all {
        topics.iter_mut().find(|(name, _)| *name == topic).unwrap().1.push(one);
    }
    topics.into_iter().filter(|(_, all)| !all.is_empty())
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
