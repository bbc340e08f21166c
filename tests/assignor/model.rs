//! What must hold of every division, said plainly.

use std::collections::{BTreeMap, BTreeSet};

use kfetch::coordinator::assignor::{ClusterTopics, GroupMember, MemberAssignment};

/// Who has what: partitions by member, in the order in which they stand in the assignment.
pub(crate) type Owners = BTreeMap<String, Vec<(String, i32)>>;

pub(crate) fn owners(assignments: &[MemberAssignment]) -> Owners {
    let members = assignments.iter().map(|member| {
        let partitions = member.assignment.partitions.iter();
        let named = partitions.map(|(topic, partition)| (topic.to_string(), *partition));
        (member.member_id.clone(), named.collect())
    });
    members.collect()
}

/// Tells what is wrong: a partition that does not exist, that two have, that goes to a member that
/// has not subscribed to it; with `complete` also one that somebody wants and nobody has.
pub(crate) fn fault(
    cluster: &ClusterTopics,
    group: &[GroupMember],
    owners: &Owners,
    complete: bool,
) -> Option<String> {
    if owners.len() != group.len() {
        return Some(format!("{} of {} members", owners.len(), group.len()));
    }
    let mut given = BTreeSet::new();
    for member in group {
        for (topic, partition) in &owners[&member.member_id] {
            let name = format!("{topic}-{partition} of {}", member.member_id);
            if !cluster.has(topic, *partition) {
                return Some(format!("{name} does not exist"));
            }
            if !member.subscription.topics.iter().any(|wanted| wanted.as_str() == topic) {
                return Some(format!("{name} is not wanted"));
            }
            if !given.insert((topic.as_str(), *partition)) {
                return Some(format!("{name} has another owner"));
            }
        }
    }
    let wanted: BTreeSet<&str> = group
        .iter()
        .flat_map(|m| m.subscription.topics.iter().map(|topic| topic.as_str()))
        .collect();
    let count: i32 = wanted.iter().filter_map(|topic| cluster.partition_count(topic)).sum();
    let count = usize::try_from(count).unwrap();
    (complete && given.len() < count).then(|| format!("{} of {count} given", given.len()))
}

/// Returns the least and the greatest number of partitions of a member.
pub(crate) fn extremes(owners: &Owners) -> (usize, usize) {
    let sizes = || owners.values().map(Vec::len);
    (sizes().min().unwrap_or_default(), sizes().max().unwrap_or_default())
}

/// Counts the partitions that a member had and another one has now.
pub(crate) fn moves(before: &Owners, after: &Owners) -> usize {
    let mut had = BTreeMap::new();
    for (member, partitions) in before {
        had.extend(partitions.iter().map(|partition| (partition, member)));
    }
    let of_member = |(member, partitions): (&String, &Vec<(String, i32)>)| {
        let moved = |partition| had.get(partition).is_some_and(|had| *had != member);
        partitions.iter().filter(|partition| moved(*partition)).count()
    };
    after.iter().map(of_member).sum()
}
