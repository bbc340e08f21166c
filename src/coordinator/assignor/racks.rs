//! Which racks members and partitions are in (KIP-881).

#![forbid(unsafe_code)]

use std::collections::{BTreeSet, HashMap};

use super::numbered::Numbered;

/// The racks, numbered.
#[derive(Debug)]
pub(super) struct Racks {
    /// For each member its rack, if it told one.
    members: Vec<Option<usize>>,
    /// For each partition the racks of its replicas, ascending, each once.
    partitions: Vec<Box<[usize]>>,
    count: usize,
}

impl Racks {
    /// Numbers the racks; none where no member has one.
    pub(super) fn new(group: &Numbered<'_>) -> Option<Self> {
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        let mut number = |rack| {
            let next = numbers.len();
            *numbers.entry(rack).or_insert(next)
        };
        let told = |rack: &&str| !rack.is_empty();
        let members: Vec<Option<usize>> = group
            .members
            .iter()
            .map(|member| member.subscription.rack_id.as_deref().filter(told).map(&mut number))
            .collect();
        members.iter().flatten().next()?;
        let partitions = (0..group.topic_of.len()).map(|partition| {
            let topic = group.topics[group.topic_of[partition]].name.as_str();
            let racks = group.cluster.racks(topic, group.within_topic(partition));
            let racks: BTreeSet<usize> = racks.iter().map(|rack| number(rack)).collect();
            racks.into_iter().collect()
        });
        let partitions = partitions.collect();
        Some(Self { members, partitions, count: numbers.len() })
    }

    /// Tells whether there is a choice: some of the members have a rack with some of the
    /// partitions, and not every partition has the same racks.
    pub(super) fn matter(
        &self,
        members: impl IntoIterator<Item = usize>,
        partitions: impl Iterator<Item = usize> + Clone,
    ) -> bool {
        let mut of_partitions = vec![false; self.count];
        let mut racks: Vec<usize> = Vec::new();
        for rack in partitions.clone().flat_map(|partition| &self.partitions[partition]) {
            if !std::mem::replace(&mut of_partitions[*rack], true) {
                racks.push(*rack);
            }
        }
        let mut of_members = members.into_iter().filter_map(|member| self.members[member]);
        of_members.any(|rack| of_partitions[rack])
            && partitions.into_iter().any(|p| self.partitions[p].len() != racks.len())
    }

    /// Returns a member's rack.
    pub(super) fn of_member(&self, member: usize) -> Option<usize> {
        self.members[member]
    }

    /// Tells whether a member has a rack in which the partition has no replica.
    pub(super) fn mismatch(&self, member: usize, partition: usize) -> bool {
        self.members[member].is_some_and(|rack| !self.has(partition, rack))
    }

    /// Tells whether a member has a rack in which the partition has a replica.
    pub(super) fn matches(&self, member: usize, partition: usize) -> bool {
        self.members[member].is_some_and(|rack| self.has(partition, rack))
    }

    /// Returns for each partition how many members share a rack with it, once for each rack.
    pub(super) fn member_counts(&self) -> Vec<usize> {
        let mut by_rack = vec![0; self.count];
        self.members.iter().flatten().for_each(|&rack| by_rack[rack] += 1);
        let sum = |racks: &[usize]| racks.iter().map(|&rack| by_rack[rack]).sum();
        self.partitions.iter().map(|racks| sum(racks)).collect()
    }

    fn has(&self, partition: usize, rack: usize) -> bool {
        self.partitions[partition].binary_search(&rack).is_ok()
    }
}
