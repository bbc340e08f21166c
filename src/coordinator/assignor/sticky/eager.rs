//! The sticky assignor.

#![forbid(unsafe_code)]

use super::super::assignment::{by_topic, wire_topics};
use super::super::java_order::computed_order;
use super::super::numbered::Numbered;
use super::super::{Assignment, Assignor, ClusterTopics, GroupMember, MemberAssignment};
use super::claims::{MemberData, NO_GENERATION};
use super::divide::divide;
use crate::error::Result;
use crate::protocol::consumer_protocol::StickyUserData;
use crate::topic::TopicName;

/// Keeps partitions where they were, although every member gives up all of them before it joins:
/// each remembers in its user data what it had. Java's `StickyAssignor`.
#[derive(Debug)]
pub struct StickyAssignor {
    /// What this member was assigned last, and in which generation.
    assigned: Option<(Vec<(TopicName, i32)>, i32)>,
    /// The latest generation of any member, as far as this one has led.
    latest: i32,
}

impl Default for StickyAssignor {
    fn default() -> Self {
        Self { assigned: None, latest: NO_GENERATION }
    }
}

impl Assignor for StickyAssignor {
    fn name(&self) -> &str {
        "sticky"
    }

    fn user_data(&self, _: &[TopicName]) -> Option<Vec<u8>> {
        let (partitions, generation) = self.assigned.as_ref()?;
        let topics = by_topic(partitions);
        // Java groups the partitions in a map, which is walked in its own order.
        let names: Vec<&str> = topics.iter().map(|(topic, _)| *topic).collect();
        let topics = wire_topics(&topics);
        let data = StickyUserData {
            previous_assignment: computed_order(&names)
                .into_iter()
                .map(|topic| topics[topic])
                .collect(),
            generation: Some(*generation),
        };
        let mut bytes = Vec::new();
        data.encode(&mut bytes).ok().map(|()| bytes)
    }

    fn assign(
        &mut self,
        cluster: &ClusterTopics,
        group: &[GroupMember],
    ) -> Result<Vec<MemberAssignment>> {
        let group = Numbered::new(cluster, group);
        let data: Vec<_> = group.members.iter().map(|member| member_data(&group, member)).collect();
        let division = divide(&group, &data, &mut self.latest);
        Ok(group.assignments(&division.assigned))
    }

    fn handle_assignment(&mut self, assignment: &Assignment, generation: i32) {
        self.assigned = Some((assignment.partitions.clone(), generation));
    }
}

/// Reads a member's user data; what cannot be read counts as nothing of an unknown generation.
fn member_data(group: &Numbered<'_>, member: &GroupMember) -> MemberData {
    let user_data = member.subscription.user_data.as_deref().unwrap_or_default();
    if user_data.is_empty() {
        return MemberData::default();
    }
    let Ok(data) = StickyUserData::decode(user_data) else {
        return MemberData { partitions: Vec::new(), generation: Some(NO_GENERATION) };
    };
    let partitions = data.previous_assignment.iter().flat_map(|topic| {
        topic.partitions.iter().filter_map(|partition| group.partition(topic.topic, partition))
    });
    MemberData { partitions: partitions.collect(), generation: data.generation }
}
