//! The bodies of a member's requests.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::time::Duration;

use crate::coordinator::command::CommitOffset;
use crate::coordinator::request::Request;
use crate::coordinator::settings::MemberSettings;
use crate::coordinator::topic_ids::TopicIds;
use crate::protocol::describe_groups::DescribeGroupsRequest;
use crate::protocol::find_coordinator::{FindCoordinatorRequest, GROUP_KEY_TYPE};
use crate::protocol::heartbeat::HeartbeatRequest;
use crate::protocol::join_group::{JoinGroupRequest, JoinGroupRequestProtocol};
use crate::protocol::leave_group::{LeaveGroupRequest, MemberIdentity};
use crate::protocol::list_groups::ListGroupsRequest;
use crate::protocol::metadata::MetadataRequest;
use crate::protocol::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use crate::protocol::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use crate::protocol::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic,
};
use crate::protocol::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};
use crate::topic::TopicName;
use crate::wire::{EncodeError, Int32Array};

/// What a group is for, in the words of the protocol.
pub(super) const PROTOCOL_TYPE: &str = "consumer";

/// The longest reason that is sent (KIP-800: Java cuts at 255 characters).
const REASON_MAX_CHARS: usize = 255;

/// The first version of OffsetFetch that has `require_stable` (KIP-447).
const REQUIRE_STABLE_VERSION: i16 = 7;

/// Appends the request's body of `version` to `out`.
pub(super) fn encode(
    settings: &MemberSettings,
    request: &Request,
    version: i16,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let group_id = settings.group_id.as_str();
    let group_instance_id = settings.group_instance_id.as_deref();
    match request {
        Request::FindCoordinator => {
            FindCoordinatorRequest { key_type: GROUP_KEY_TYPE, coordinator_keys: vec![group_id] }
                .encode(version, out)
        }
        Request::JoinGroup { member_id, protocols, reason } => {
            encode_join(settings, member_id, protocols, reason, version, out)
        }
        Request::SyncGroup { generation, member_id, protocol, assignments } => SyncGroupRequest {
            group_id,
            generation_id: *generation,
            member_id,
            group_instance_id,
            protocol_type: Some(PROTOCOL_TYPE),
            protocol_name: Some(protocol),
            assignments: assignments
                .iter()
                .map(|(member_id, assignment)| SyncGroupRequestAssignment { member_id, assignment })
                .collect(),
        }
        .encode(version, out),
        Request::Heartbeat { generation, member_id } => {
            let generation_id = *generation;
            HeartbeatRequest { group_id, generation_id, member_id, group_instance_id }
                .encode(version, out)
        }
        Request::LeaveGroup { member_id, reason } => {
            let reason = Some(cut(reason));
            let member = MemberIdentity { member_id, group_instance_id, reason };
            LeaveGroupRequest { group_id, members: vec![member] }.encode(version, out)
        }
        Request::OffsetCommit { generation, member_id, offsets, topic_ids, .. } => {
            OffsetCommitRequest {
                group_id,
                generation_id_or_member_epoch: *generation,
                member_id,
                // A commit by no member is not a static member's either.
                group_instance_id: group_instance_id.filter(|_| !member_id.is_empty()),
                topics: commit_topics(offsets, topic_ids),
                ..OffsetCommitRequest::default()
            }
            .encode(version, out)
        }
        Request::OffsetFetch { partitions, topic_ids, .. } => {
            encode_fetch(group_id, (partitions.as_deref(), topic_ids), version, out)
        }
        Request::DescribeGroup { .. } => {
            DescribeGroupsRequest { groups: vec![group_id], include_authorized_operations: false }
                .encode(version, out)
        }
        Request::OffsetDelete { partitions, .. } => {
            let topics = delete_topics(partitions);
            OffsetDeleteRequest { group_id, topics }.encode(version, out)
        }
        Request::Brokers { .. } => MetadataRequest::default().encode(version, out),
        Request::ListGroups { .. } => ListGroupsRequest::default().encode(version, out),
    }
}

fn encode_join(
    settings: &MemberSettings,
    member_id: &str,
    protocols: &[(String, Vec<u8>)],
    reason: &str,
    version: i16,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let protocols = protocols
        .iter()
        .map(|(name, metadata)| JoinGroupRequestProtocol { name, metadata })
        .collect();
    JoinGroupRequest {
        group_id: &settings.group_id,
        session_timeout_ms: milliseconds(settings.session_timeout),
        rebalance_timeout_ms: milliseconds(settings.max_poll_interval),
        member_id,
        group_instance_id: settings.group_instance_id.as_deref(),
        protocol_type: PROTOCOL_TYPE,
        protocols,
        reason: Some(cut(reason)),
    }
    .encode(version, out)
}

fn encode_fetch(
    group_id: &str,
    (partitions, topic_ids): (Option<&[(TopicName, i32)]>, &TopicIds),
    version: i16,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let grouped = partitions.map(|partitions| {
        let parts = partitions.iter().map(|(topic, partition)| (topic.as_str(), *partition));
        by_topic(parts)
    });
    let topics = grouped.as_ref().map(|topics| {
        let topics = topics.iter();
        topics
            .map(|(name, indexes)| OffsetFetchRequestTopic {
                name,
                topic_id: topic_ids.id_of(name),
                partition_indexes: Int32Array::Values(indexes),
            })
            .collect()
    });
    let group = OffsetFetchRequestGroup { group_id, topics, ..OffsetFetchRequestGroup::default() };
    let require_stable = version >= REQUIRE_STABLE_VERSION;
    OffsetFetchRequest { groups: vec![group], require_stable }.encode(version, out)
}

fn commit_topics<'a>(
    offsets: &'a [CommitOffset],
    topic_ids: &TopicIds,
) -> Vec<OffsetCommitRequestTopic<'a>> {
    let parts = offsets.iter().map(|offset| {
        let partition = OffsetCommitRequestPartition {
            partition_index: offset.partition,
            committed_offset: offset.offset,
            committed_leader_epoch: offset.leader_epoch,
            committed_metadata: Some(&offset.metadata),
        };
        (offset.topic.as_str(), partition)
    });
    let topics = by_topic(parts).into_iter();
    topics
        .map(|(name, partitions)| OffsetCommitRequestTopic {
            name,
            topic_id: topic_ids.id_of(name),
            partitions,
        })
        .collect()
}

fn delete_topics(partitions: &[(TopicName, i32)]) -> Vec<OffsetDeleteRequestTopic<'_>> {
    let parts = partitions.iter().map(|(topic, partition)| {
        (topic.as_str(), OffsetDeleteRequestPartition { partition_index: *partition })
    });
    let topics = by_topic(parts).into_iter();
    topics.map(|(name, partitions)| OffsetDeleteRequestTopic { name, partitions }).collect()
}

/// Gathers what is of one topic, in the order of the topics' first appearance.
fn by_topic<'a, T>(parts: impl Iterator<Item = (&'a str, T)>) -> Vec<(&'a str, Vec<T>)> {
    let mut places = HashMap::new();
    let mut topics: Vec<(&str, Vec<T>)> = Vec::new();
    for (topic, part) in parts {
        let place = *places.entry(topic).or_insert(topics.len());
        match topics.get_mut(place) {
            Some((_, parts)) => parts.push(part),
            None => topics.push((topic, vec![part])),
        }
    }
    topics
}

fn milliseconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

fn cut(reason: &str) -> &str {
    let end = reason.char_indices().nth(REASON_MAX_CHARS).map_or(reason.len(), |(at, _)| at);
    reason.get(..end).unwrap_or(reason)
}
