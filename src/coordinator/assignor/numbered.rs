//! A group whose members, topics and partitions are small numbers.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::ops::Range;

use super::java_order::{compare, map_order};
use super::{Assignment, ClusterTopics, GroupMember, MemberAssignment};
use crate::topic::TopicName;

/// The members and what they have subscribed to, numbered: members from 0 in the order in which
/// Java walks a `HashMap` of their ids, topics in the order of their names, partitions through all
/// topics.
#[derive(Debug)]
pub(super) struct Numbered<'a> {
    pub(super) cluster: &'a ClusterTopics,
    pub(super) members: Vec<&'a GroupMember>,
    /// The place of each member by its id.
    pub(super) ranks: Vec<usize>,
    /// The topics that somebody has subscribed to and that have partitions.
    pub(super) topics: Vec<NumberedTopic<'a>>,
    /// For each member its topics, as often as it named them.
    pub(super) subscriptions: Vec<Vec<usize>>,
    /// For each partition its topic.
    pub(super) topic_of: Vec<usize>,
    numbers: HashMap<&'a str, usize>,
}

/// A topic with its partitions.
#[derive(Debug)]
pub(super) struct NumberedTopic<'a> {
    pub(super) name: &'a TopicName,
    /// The numbers of its partitions.
    pub(super) partitions: Range<usize>,
}

impl<'a> Numbered<'a> {
    /// Numbers a group.
    pub(super) fn new(cluster: &'a ClusterTopics, group: &'a [GroupMember]) -> Self {
        let ids: Vec<&str> = group.iter().map(|member| member.member_id.as_str()).collect();
        let members: Vec<&GroupMember> =
            map_order(&ids).into_iter().map(|member| &group[member]).collect();
        let topics = topics(cluster, &members);
        let numbers: HashMap<&str, usize> = topics
            .iter()
            .enumerate()
            .map(|(number, topic)| (topic.name.as_str(), number))
            .collect();
        let subscriptions = subscriptions(&members, &numbers);
        let of_topic = topics.iter().enumerate();
        let topic_of = of_topic.flat_map(|(n, topic)| topic.partitions.clone().map(move |_| n));
        let topic_of = topic_of.collect();
        let ranks = ranks(&members);
        Self { cluster, members, ranks, topics, subscriptions, topic_of, numbers }
    }

    /// Returns the number of a partition that exists and whose topic somebody has subscribed to.
    pub(super) fn partition(&self, topic: &str, partition: i32) -> Option<usize> {
        let topic = &self.topics[*self.numbers.get(topic)?];
        let number = topic.partitions.start.checked_add(usize::try_from(partition).ok()?)?;
        topic.partitions.contains(&number).then_some(number)
    }

    /// Returns the number of a partition within its topic.
    pub(super) fn within_topic(&self, partition: usize) -> i32 {
        let first = self.topics[self.topic_of[partition]].partitions.start;
        i32::try_from(partition - first).unwrap_or(i32::MAX)
    }

    /// Returns for each topic the members that have subscribed to it, ascending, as often as they
    /// named it.
    pub(super) fn subscribers(&self) -> Vec<Vec<usize>> {
        let mut subscribers = vec![Vec::new(); self.topics.len()];
        for (member, topics) in self.subscriptions.iter().enumerate() {
            topics.iter().for_each(|&topic| subscribers[topic].push(member));
        }
        subscribers
    }

    /// Gives each member its partitions.
    pub(super) fn assignments(&self, partitions: &[Vec<usize>]) -> Vec<MemberAssignment> {
        let named = |&partition: &usize| {
            let topic = &self.topics[self.topic_of[partition]];
            (topic.name.clone(), self.within_topic(partition))
        };
        let members = self.members.iter().zip(partitions);
        let assigned = members.map(|(member, partitions)| MemberAssignment {
            member_id: member.member_id.clone(),
            assignment: Assignment {
                partitions: partitions.iter().map(named).collect(),
                user_data: None,
            },
        });
        assigned.collect()
    }
}

fn topics<'a>(cluster: &'a ClusterTopics, members: &[&'a GroupMember]) -> Vec<NumberedTopic<'a>> {
    let mut wanted: HashMap<&str, &TopicName> = HashMap::new();
    let mut last: &[TopicName] = &[];
    for topics in members.iter().map(|member| member.subscription.topics.as_slice()) {
        // Most often all members want the same, which is told faster than looked up.
        if topics != last {
            wanted.extend(topics.iter().map(|topic| (topic.as_str(), topic)));
            last = topics;
        }
    }
    let mut names: Vec<(&TopicName, usize)> = wanted
        .into_values()
        .filter_map(|name| Some((name, cluster.partition_count(name.as_str())?)))
        .filter_map(|(name, count)| Some((name, usize::try_from(count).ok()?)))
        .filter(|(_, count)| *count > 0)
        .collect();
    names.sort_by(|(left, _), (right, _)| compare(left.as_str(), right.as_str()));
    let mut first = 0;
    let topics = names.into_iter().map(|(name, count)| {
        let partitions = first..first + count;
        first = partitions.end;
        NumberedTopic { name, partitions }
    });
    topics.collect()
}

fn subscriptions(members: &[&GroupMember], numbers: &HashMap<&str, usize>) -> Vec<Vec<usize>> {
    let numbered = |topic: &TopicName| numbers.get(topic.as_str()).copied();
    let mut subscriptions: Vec<Vec<usize>> = Vec::with_capacity(members.len());
    let mut last: &[TopicName] = &[];
    for topics in members.iter().map(|member| member.subscription.topics.as_slice()) {
        let same = subscriptions.last().filter(|_| topics == last).cloned();
        subscriptions.push(same.unwrap_or_else(|| topics.iter().filter_map(numbered).collect()));
        last = topics;
    }
    subscriptions
}

fn ranks(members: &[&GroupMember]) -> Vec<usize> {
    let mut by_id: Vec<usize> = (0..members.len()).collect();
    by_id.sort_by(|&left, &right| compare(&members[left].member_id, &members[right].member_id));
    let mut ranks = vec![0; members.len()];
    by_id.into_iter().enumerate().for_each(|(rank, member)| ranks[member] = rank);
    ranks
}
