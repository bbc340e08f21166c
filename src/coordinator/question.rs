//! What can be asked about groups beside membership and commits, and what is told.

#![forbid(unsafe_code)]

use crate::error::Result;
use crate::protocol::ErrorCode;
use crate::protocol::consumer_protocol::ConsumerProtocolAssignment;
use crate::protocol::describe_groups::{DescribedGroup, DescribedGroupMember};
use crate::protocol::list_groups::ListedGroup;
use crate::topic::{TopicName, TopicPartition};

/// What groups are for whose members consume.
const CONSUMER: &str = "consumer";

/// A question about groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// When every broker is to tell which groups it coordinates.
    Groups,
    /// When the group's coordinator is to describe it.
    Group,
    /// When the group's coordinator is to forget what is committed for these partitions (KIP-496).
    DeleteOffsets(Vec<(TopicName, i32)>),
}

/// The answer to a [`Question`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// When they are the groups of all brokers, by their names.
    Groups(Vec<GroupListing>),
    /// When it is the group.
    Group(GroupDescription),
    /// When it is what became of each partition, in the order of the question.
    Deleted(Vec<Result<()>>),
}

/// A group as its coordinator lists it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupListing {
    /// The group.
    pub group_id: String,
    /// What it is for, `"consumer"` for consumers; empty where only offsets are left that were
    /// committed without members.
    pub protocol_type: String,
    /// Its state, such as `"Stable"`; empty where the broker does not say (before Kafka 2.6).
    pub state: String,
    /// `"classic"`, `"consumer"` or another; empty where the broker does not say (before 3.8).
    pub group_type: String,
}

/// A group of the classic protocol as its coordinator describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupDescription {
    /// The group.
    pub group_id: String,
    /// Its state, such as `"Stable"` or `"Empty"`.
    pub state: String,
    /// What it is for, `"consumer"` for consumers; empty where it never had members.
    pub protocol_type: String,
    /// The assignor that it chose; empty unless it is stable.
    pub protocol: String,
    /// Its members.
    pub members: Vec<GroupMember>,
}

/// A member of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupMember {
    /// The id that the coordinator gave it.
    pub member_id: String,
    /// Its `group.instance.id`.
    pub group_instance_id: Option<String>,
    /// Its `client.id`.
    pub client_id: String,
    /// The host that it speaks from.
    pub client_host: String,
    /// The partitions that are its own; `None` where its assignment is not that of a consumer.
    pub assignment: Option<Vec<TopicPartition>>,
}

impl GroupListing {
    pub(super) fn new(told: &ListedGroup<'_>) -> Self {
        Self {
            group_id: told.group_id.to_owned(),
            protocol_type: told.protocol_type.to_owned(),
            state: told.group_state.to_owned(),
            group_type: told.group_type.to_owned(),
        }
    }
}

impl GroupDescription {
    pub(super) fn new(told: &DescribedGroup<'_>) -> Self {
        let is_consumers = told.protocol_type == CONSUMER;
        Self {
            group_id: told.group_id.to_owned(),
            state: told.group_state.to_owned(),
            protocol_type: told.protocol_type.to_owned(),
            protocol: told.protocol_data.to_owned(),
            members: told.members.iter().map(|one| GroupMember::new(one, is_consumers)).collect(),
        }
    }
}

impl GroupMember {
    fn new(told: &DescribedGroupMember<'_>, is_consumer: bool) -> Self {
        Self {
            member_id: told.member_id.to_owned(),
            group_instance_id: told.group_instance_id.map(str::to_owned),
            client_id: told.client_id.to_owned(),
            client_host: told.client_host.to_owned(),
            assignment: is_consumer.then(|| assigned(told.member_assignment)).flatten(),
        }
    }
}

/// Reads what the group's leader wrote. There are no bytes while a rebalance goes on.
fn assigned(bytes: &[u8]) -> Option<Vec<TopicPartition>> {
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let assignment = ConsumerProtocolAssignment::decode(bytes).ok()?;
    let mut assigned = Vec::new();
    for topic in &assignment.assigned_partitions {
        let partitions = topic.partitions.iter();
        assigned.extend(partitions.map(|partition| TopicPartition::new(topic.topic, partition)));
    }
    Some(assigned)
}

/// Returns what says that there is no such group: a code, or before KIP-1043 a state.
pub(super) fn absence(told: &DescribedGroup<'_>) -> Option<ErrorCode> {
    let is_dead = told.group_state == "Dead" && told.members.is_empty();
    match told.error_code {
        ErrorCode::NONE if is_dead => Some(ErrorCode::GROUP_ID_NOT_FOUND),
        ErrorCode::NONE => None,
        code => Some(code),
    }
}
