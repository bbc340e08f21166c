//! The roundrobin assignor.

#![forbid(unsafe_code)]

use super::member_order::member_order;
use super::numbered::Numbered;
use super::{Assignor, ClusterTopics, GroupMember, MemberAssignment};
use crate::error::Result;

/// Deals the partitions of all topics, one after another, to the members in turn; a member that
/// has not subscribed to a topic is passed over. Java's `RoundRobinAssignor`.
#[derive(Clone, Copy, Debug, Default)]
pub struct RoundRobinAssignor;

impl Assignor for RoundRobinAssignor {
    fn name(&self) -> &str {
        "roundrobin"
    }

    fn assign(
        &mut self,
        cluster: &ClusterTopics,
        group: &[GroupMember],
    ) -> Result<Vec<MemberAssignment>> {
        let group = Numbered::new(cluster, group);
        let order = member_order(&group);
        // For each topic, ascending, the places in the circle of those who want it.
        let mut places = vec![Vec::new(); group.topics.len()];
        for (place, &member) in order.iter().enumerate() {
            group.subscriptions[member].iter().for_each(|&topic| places[topic].push(place));
        }
        let mut partitions = vec![Vec::new(); order.len()];
        let mut next = 0;
        for (topic, places) in group.topics.iter().zip(&places) {
            for partition in topic.partitions.clone() {
                let at = places.partition_point(|place| *place < next);
                let Some(place) = places.get(at).or_else(|| places.first()) else {
                    break;
                };
                partitions[order[*place]].push(partition);
                next = place + 1;
            }
        }
        Ok(group.assignments(&partitions))
    }
}
