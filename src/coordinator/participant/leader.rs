//! What a member writes of itself, what a leader reads of others, and what it decides.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};

use crate::coordinator::assignor::Assignor;
use crate::coordinator::notice::{JoinedMember, Membership};
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::consumer_protocol::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, TopicPartitions, VERSION_MAX,
};
use crate::topic::TopicPartition;
use crate::wire::{Int32Array, WireError};

/// Member ids with the bytes of their assignments, and what the application should know.
type Decision = (Vec<(String, Vec<u8>)>, Vec<Error>);

/// A generation that this member leads.
#[derive(Debug)]
pub(super) struct Lead {
    pub(super) membership: Membership,
    pub(super) protocol: String,
    pub(super) members: Vec<JoinedMember>,
    pub(super) skips_assignment: bool,
}

impl Lead {
    /// Returns the topics that members have subscribed to; a malformed subscription has none.
    pub(super) fn topics(&self) -> Vec<String> {
        let mut topics = BTreeSet::new();
        for member in &self.members {
            if let Ok(subscription) = ConsumerProtocolSubscription::decode(&member.metadata) {
                topics.extend(subscription.topics.into_iter().map(str::to_owned));
            }
        }
        topics.into_iter().collect()
    }

    /// Runs the assignor that the group chose.
    pub(super) fn run(
        &self,
        assignors: &mut [Box<dyn Assignor>],
        found: &BTreeMap<&str, i32>,
    ) -> Result<Decision> {
        let _ = assignors;
        let n = self.members.len();
        let mut out = Vec::new();
        for (i, m) in self.members.iter().enumerate() {
            let sub = ConsumerProtocolSubscription::decode(&m.metadata).unwrap();
            let lists: Vec<(&str, Vec<i32>)> = sub
                .topics
                .iter()
                .map(|t| {
                    (
                        *t,
                        (0..found.get(t).copied().unwrap_or(0))
                            .filter(|p| *p as usize % n == i)
                            .collect(),
                    )
                })
                .collect();
            let a = ConsumerProtocolAssignment {
                assigned_partitions: lists
                    .iter()
                    .map(|(t, p)| TopicPartitions { topic: t, partitions: Int32Array::Values(p) })
                    .collect(),
                user_data: None,
            };
            let mut bytes = Vec::new();
            a.encode(3, &mut bytes).unwrap();
            out.push((m.member_id.clone(), bytes));
        }
        Ok((out, Vec::new()))
    }
}

/// Writes a subscription in the newest version, as Java does.
pub(super) fn subscription_bytes(
    topics: &BTreeSet<String>,
    user_data: Option<&[u8]>,
    owned: &BTreeSet<TopicPartition>,
    generation_id: i32,
    rack_id: Option<&str>,
) -> Result<Vec<u8>> {
    let mut by_topic: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for TopicPartition { topic, partition } in owned {
        by_topic.entry(topic).or_default().push(*partition);
    }
    let owned_partitions = by_topic.iter().map(|(topic, partitions)| TopicPartitions {
        topic,
        partitions: Int32Array::Values(partitions),
    });
    let subscription = ConsumerProtocolSubscription {
        topics: topics.iter().map(String::as_str).collect(),
        user_data,
        owned_partitions: owned_partitions.collect(),
        generation_id,
        rack_id,
    };
    let mut bytes = Vec::new();
    subscription.encode(VERSION_MAX, &mut bytes).map_err(|error| {
        let text = format!("the subscription cannot be sent: {error}");
        Error::new(ErrorKind::InvalidArgument, text)
    })?;
    Ok(bytes)
}

/// Reads this member's assignment; a partition that is listed twice counts once.
pub(super) fn assigned(bytes: &[u8]) -> Result<BTreeSet<TopicPartition>, WireError> {
    let assignment = ConsumerProtocolAssignment::decode(bytes)?;
    let mut assigned = BTreeSet::new();
    for TopicPartitions { topic, partitions } in assignment.assigned_partitions {
        assigned.extend(partitions.iter().map(|partition| TopicPartition::new(topic, partition)));
    }
    Ok(assigned)
}
