//! What a member writes of itself, and what a leader decides.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;

use super::topics::TopicCount;
use crate::coordinator::assignor::{
    Assignor, ClusterTopics, LedGroup, Subscription, lead, subscribed_topics,
};
use crate::coordinator::notice::{JoinedMember, Membership};
use crate::error::{Error, ErrorKind, Result};
use crate::topic::{TopicName, TopicPartition};

/// A generation that this member leads.
#[derive(Debug)]
pub(super) struct Lead {
    pub(super) membership: Membership,
    pub(super) protocol: String,
    pub(super) members: Vec<JoinedMember>,
}

impl Lead {
    /// Returns the topics that members have subscribed to.
    pub(super) fn topics(&self) -> Vec<String> {
        let topics = subscribed_topics(&self.members);
        topics.iter().map(|topic| topic.as_str().to_owned()).collect()
    }

    /// Runs the assignor that the group chose over the topics that there are.
    pub(super) fn run(
        &self,
        assignors: &mut [Box<dyn Assignor>],
        topics: &[TopicCount],
    ) -> Result<LedGroup> {
        let Some(chosen) = assignors.iter_mut().find(|one| one.name() == self.protocol) else {
            let text =
                format!("the group chose the assignor {:?}, which is not ours", self.protocol);
            return Err(Error::new(ErrorKind::Protocol, text));
        };
        let wanted = subscribed_topics(&self.members);
        let mut cluster = ClusterTopics::new();
        for topic in topics {
            let name = TopicName::new(&topic.name);
            match topic.partitions {
                Some(count) if count > 0 && wanted.contains(&name) => match &topic.racks {
                    Some(racks) => cluster.insert_with_racks(name, racks.clone()),
                    None => cluster.insert(name, count),
                },
                _ => {}
            }
        }
        lead(chosen.as_mut(), &cluster, &self.members)
    }
}

/// Writes what this member wants, and what it has.
pub(super) fn subscription_bytes(
    topics: &[TopicName],
    user_data: Option<Vec<u8>>,
    owned: &BTreeSet<TopicPartition>,
    generation: Option<i32>,
    rack_id: Option<String>,
) -> Result<Vec<u8>> {
    let owned = owned.iter().map(|owned| (TopicName::new(&owned.topic), owned.partition));
    let owned_partitions = owned.collect();
    let topics = topics.to_vec();
    let subscription = Subscription { topics, user_data, owned_partitions, generation, rack_id };
    subscription.encode().map_err(|error| {
        let text = format!("the subscription cannot be sent: {error}");
        Error::new(ErrorKind::InvalidArgument, text)
    })
}
