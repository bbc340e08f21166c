//! What the members claim to own, and who is believed.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, HashSet};

use super::super::numbered::Numbered;
use crate::topic::TopicName;

/// The generation of a member that tells none.
pub(super) const NO_GENERATION: i32 = -1;

/// What one member says.
#[derive(Debug, Default)]
pub(super) struct MemberData {
    /// The partitions that it owns, as far as they exist.
    pub(super) partitions: Vec<usize>,
    /// Since which generation.
    pub(super) generation: Option<i32>,
}

/// What is believed of it.
#[derive(Debug)]
pub(super) struct Claims {
    /// For each member what it owns, in the order of its claims.
    pub(super) owned: Vec<Vec<usize>>,
    /// For each partition whether two members of one generation claim it: then neither is
    /// believed.
    pub(super) contested: Vec<bool>,
}

impl Claims {
    /// Judges the members' claims.
    pub(super) fn new(group: &Numbered<'_>, data: &[MemberData]) -> Self {
        let count = group.topic_of.len();
        let mut contested = vec![false; count];
        // For each partition who claimed it last, and the number of the claim that is believed.
        let mut claimants: Vec<Option<usize>> = vec![None; count];
        let mut believed: Vec<Option<(usize, usize)>> = vec![None; count];
        let mut claims = 0;
        for (member, data) in data.iter().enumerate() {
            let generation = data.generation.unwrap_or(NO_GENERATION);
            for &partition in &data.partitions {
                claims += 1;
                // Java compares with the generation in the other's subscription, also where that
                // of its user data counts.
                let other = claimants[partition].map(|other| {
                    group.members[other].subscription.generation.unwrap_or(NO_GENERATION)
                });
                if other.is_some_and(|other| generation < other) {
                    continue;
                }
                claimants[partition] = Some(member);
                if other == Some(generation) {
                    contested[partition] = true;
                    believed[partition] = None;
                } else {
                    believed[partition] = Some((claims, member));
                }
            }
        }
        Self { owned: by_member(group.members.len(), &believed), contested }
    }
}

fn by_member(members: usize, believed: &[Option<(usize, usize)>]) -> Vec<Vec<usize>> {
    let of_claim = believed.iter().enumerate();
    let in_order: BTreeMap<usize, (usize, usize)> = of_claim
        .filter_map(|(partition, claim)| claim.map(|(claim, member)| (claim, (member, partition))))
        .collect();
    let mut owned = vec![Vec::new(); members];
    in_order.into_values().for_each(|(member, partition)| owned[member].push(partition));
    owned
}

/// Returns for each partition who owned it in the latest of the generations before `latest`, if a
/// member says so that still wants the topic.
pub(super) fn earlier_owners(
    group: &Numbered<'_>,
    data: &[MemberData],
    latest: i32,
) -> Vec<Option<usize>> {
    let mut owners: Vec<Option<(usize, i32)>> = vec![None; group.topic_of.len()];
    for (member, data) in data.iter().enumerate() {
        let generation = data.generation.unwrap_or(NO_GENERATION);
        if generation >= latest {
            continue;
        }
        let wanted: HashSet<usize> = group.subscriptions[member].iter().copied().collect();
        for &partition in &data.partitions {
            let is_later = owners[partition].is_none_or(|(_, known)| generation > known);
            if is_later && wanted.contains(&group.topic_of[partition]) {
                owners[partition] = Some((member, generation));
            }
        }
    }
    owners.into_iter().map(|owner| owner.map(|(member, _)| member)).collect()
}

/// Tells whether all members have subscribed to the same topics, existing or not.
pub(super) fn subscriptions_are_equal(group: &Numbered<'_>) -> bool {
    let mut topics = group.members.iter().map(|member| &member.subscription.topics);
    let Some(first) = topics.next() else {
        return true;
    };
    let names: HashSet<&str> = first.iter().map(|topic| topic.as_str()).collect();
    let are_names = |topics: &[TopicName]| {
        topics.len() == names.len() && topics.iter().all(|topic| names.contains(topic.as_str()))
    };
    let mut last: Option<&Vec<TopicName>> = None;
    // Most often it is what the last member has, which is told faster than looked up.
    topics.all(|topics| last.replace(topics) == Some(topics) || are_names(topics))
}
