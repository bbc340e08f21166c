//! The cooperative sticky assignor.

#![forbid(unsafe_code)]

use std::collections::HashSet;

use super::super::numbered::Numbered;
use super::super::{Assignment, Assignor, ClusterTopics, GroupMember, MemberAssignment};
use super::claims::{MemberData, NO_GENERATION};
use super::divide::divide;
use crate::error::Result;
use crate::topic::TopicName;

/// Keeps partitions where they are, and lets the members go on reading them during a rebalance. A
/// partition that is to go to another member goes to nobody at first; once its owner has given it
/// up, the group rebalances once more. Java's `CooperativeStickyAssignor`.
#[derive(Debug)]
pub struct CooperativeStickyAssignor {
    /// The generation of this member's last assignment.
    generation: i32,
    /// The latest generation of any member, as far as this one has led.
    latest: i32,
}

impl CooperativeStickyAssignor {
    /// The name that members agree on.
    pub(in super::super) const NAME: &str = "cooperative-sticky";
}

impl Default for CooperativeStickyAssignor {
    fn default() -> Self {
        Self { generation: NO_GENERATION, latest: NO_GENERATION }
    }
}

impl Assignor for CooperativeStickyAssignor {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn is_cooperative(&self) -> bool {
        true
    }

    fn user_data(&self, _: &[TopicName]) -> Option<Vec<u8>> {
        Some(self.generation.to_be_bytes().to_vec())
    }

    fn assign(
        &mut self,
        cluster: &ClusterTopics,
        group: &[GroupMember],
    ) -> Result<Vec<MemberAssignment>> {
        let group = Numbered::new(cluster, group);
        let data: Vec<_> = group.members.iter().map(|member| member_data(&group, member)).collect();
        let division = divide(&group, &data, &mut self.latest);
        let mut assigned = division.assigned;
        let moved = division.moved.unwrap_or_else(|| moved(&data, &assigned));
        let withheld: HashSet<(usize, usize)> = moved.into_iter().collect();
        for (member, partitions) in assigned.iter_mut().enumerate() {
            partitions.retain(|&partition| !withheld.contains(&(partition, member)));
        }
        Ok(group.assignments(&assigned))
    }

    fn handle_assignment(&mut self, _: &Assignment, generation: i32) {
        self.generation = generation;
    }
}

/// Before v2 of the subscription the generation was in the user data.
fn member_data(group: &Numbered<'_>, member: &GroupMember) -> MemberData {
    let subscription = &member.subscription;
    let in_user_data = || {
        let bytes = subscription.user_data.as_deref()?;
        Some(bytes.first_chunk().map_or(NO_GENERATION, |bytes| i32::from_be_bytes(*bytes)))
    };
    let owned = &subscription.owned_partitions;
    let numbered = owned.iter().filter_map(|(topic, p)| group.partition(topic.as_str(), *p));
    MemberData {
        partitions: numbered.collect(),
        generation: subscription.generation.or_else(in_user_data),
    }
}

/// Returns the partitions that some member has to give up, with the member that they go to.
fn moved(data: &[MemberData], assigned: &[Vec<usize>]) -> Vec<(usize, usize)> {
    let mut given_up: HashSet<usize> = HashSet::new();
    let mut added: Vec<(usize, usize)> = Vec::new();
    for (member, (data, assigned)) in data.iter().zip(assigned).enumerate() {
        let owned: HashSet<usize> = data.partitions.iter().copied().collect();
        let assigned: HashSet<usize> = assigned.iter().copied().collect();
        given_up.extend(owned.difference(&assigned));
        added.extend(assigned.difference(&owned).map(|&partition| (partition, member)));
    }
    added.retain(|(partition, _)| given_up.contains(partition));
    added
}
