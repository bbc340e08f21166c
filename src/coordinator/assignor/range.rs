//! The range assignor.

#![forbid(unsafe_code)]

use std::collections::HashMap;

use super::member_order::member_order;
use super::numbered::Numbered;
use super::racks::Racks;
use super::{Assignor, ClusterTopics, GroupMember, MemberAssignment};
use crate::error::Result;

/// Cuts each topic by itself into as many ranges as it has subscribers: members that have
/// subscribed to the same topics get the same partitions of those that have as many. Where racks
/// matter (KIP-881), partitions go first to members in their racks, as far as the counts allow,
/// and those of topics with the same subscribers and as many partitions still go together.
/// Java's `RangeAssignor`.
#[derive(Clone, Copy, Debug, Default)]
pub struct RangeAssignor;

impl Assignor for RangeAssignor {
    fn name(&self) -> &str {
        "range"
    }

    fn assign(
        &mut self,
        cluster: &ClusterTopics,
        group: &[GroupMember],
    ) -> Result<Vec<MemberAssignment>> {
        let group = Numbered::new(cluster, group);
        let racks = Racks::new(&group);
        let mut topics = topic_ranges(&group, racks.as_ref());
        let mut partitions = vec![Vec::new(); group.members.len()];
        if let Some(racks) = racks.filter(|_| topics.iter().any(|topic| topic.racks_matter)) {
            assign_by_racks(&mut topics, &racks, &mut partitions);
        }
        for topic in &mut topics {
            topic.assign_ranges(&mut partitions, |_, _| true);
        }
        partitions.iter_mut().for_each(|partitions| partitions.sort_unstable());
        Ok(group.assignments(&partitions))
    }
}

/// A topic while its partitions are given away.
#[derive(Debug)]
struct TopicRanges {
    /// The number of its first partition.
    first: usize,
    /// Who has subscribed to it, in the order of service.
    members: Vec<usize>,
    /// Which of its partitions are given away.
    taken: Vec<bool>,
    /// How many each member has got.
    counts: Vec<usize>,
    /// How many every member is to get.
    quota: usize,
    /// How many members may still get one more than that.
    extras: usize,
    racks_matter: bool,
}

impl TopicRanges {
    /// Returns how many partitions a member may still get.
    fn room(&self, place: usize) -> usize {
        (self.quota + usize::from(self.extras > 0)).saturating_sub(self.counts[place])
    }

    /// Gives a partition, by its number within the topic, to a member that has room.
    fn give(&mut self, place: usize, partition: usize, partitions: &mut [Vec<usize>]) {
        self.taken[partition] = true;
        partitions[self.members[place]].push(self.first + partition);
        self.counts[place] += 1;
    }

    /// Takes note that a member has got what it gets in one go.
    fn settle(&mut self, place: usize) {
        if self.counts[place] > self.quota {
            self.extras = self.extras.saturating_sub(1);
        }
    }

    fn assign_ranges(
        &mut self,
        partitions: &mut [Vec<usize>],
        may_get: impl Fn(usize, usize) -> bool,
    ) {
        // Before it everything is taken.
        let mut begin = 0;
        for place in 0..self.members.len() {
            while self.taken.get(begin) == Some(&true) {
                begin += 1;
            }
            let member = self.members[place];
            let free = (begin..self.taken.len())
                .filter(|&p| !self.taken[p] && may_get(member, self.first + p));
            let given: Vec<usize> = free.take(self.room(place)).collect();
            if given.is_empty() {
                continue;
            }
            for partition in given {
                self.give(place, partition, partitions);
            }
            self.settle(place);
        }
    }
}

fn topic_ranges(group: &Numbered<'_>, racks: Option<&Racks>) -> Vec<TopicRanges> {
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); group.topics.len()];
    for member in member_order(group) {
        for &topic in &group.subscriptions[member] {
            // A member that names a topic twice has one share of it.
            if members[topic].last() != Some(&member) {
                members[topic].push(member);
            }
        }
    }
    let topics = group.topics.iter().zip(members).map(|(topic, members)| TopicRanges {
        first: topic.partitions.start,
        taken: vec![false; topic.partitions.len()],
        counts: vec![0; members.len()],
        quota: topic.partitions.len() / members.len().max(1),
        extras: topic.partitions.len() % members.len().max(1),
        racks_matter: racks
            .is_some_and(|racks| racks.matter(members.iter().copied(), topic.partitions.clone())),
        members,
    });
    topics.collect()
}

fn assign_by_racks(topics: &mut [TopicRanges], racks: &Racks, partitions: &mut [Vec<usize>]) {
    let mut alike: HashMap<(&[usize], usize), Vec<usize>> = HashMap::new();
    let shapes: Vec<(Vec<usize>, usize)> =
        topics.iter().map(|topic| (topic.members.clone(), topic.taken.len())).collect();
    for (number, (members, count)) in shapes.iter().enumerate() {
        if members.iter().any(|member| racks.of_member(*member).is_some()) {
            alike.entry((members, *count)).or_default().push(number);
        }
    }
    for numbers in alike.into_values() {
        match numbers.as_slice() {
            [single] => {
                let topic = &mut topics[*single];
                if topic.racks_matter {
                    topic.assign_ranges(partitions, |member, p| !racks.mismatch(member, p));
                }
            }
            numbers => assign_together(topics, numbers, racks, partitions),
        }
    }
}

/// Gives partition by partition of topics with the same subscribers to one member that is in the
/// racks of all of them.
fn assign_together(
    topics: &mut [TopicRanges],
    numbers: &[usize],
    racks: &Racks,
    partitions: &mut [Vec<usize>],
) {
    let Some(one) = numbers.first().map(|number| &topics[*number]) else {
        return;
    };
    let count = one.taken.len();
    let mut places: Vec<usize> = (0..one.members.len()).collect();
    for partition in 0..count {
        let fits = |&place: &usize| {
            numbers.iter().map(|number| &topics[*number]).all(|topic| {
                topic.room(place) > 0
                    && !racks.mismatch(topic.members[place], topic.first + partition)
            })
        };
        let Some(at) = places.iter().position(fits) else {
            continue;
        };
        let place = places[at];
        for number in numbers {
            topics[*number].give(place, partition, partitions);
            topics[*number].settle(place);
        }
        if numbers.iter().all(|number| topics[*number].room(place) == 0) {
            places.remove(at);
        }
    }
}
