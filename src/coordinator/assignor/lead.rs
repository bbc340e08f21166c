//! What the leader of a group does with everybody's subscriptions.

#![forbid(unsafe_code)]

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{
    Assignment, Assignor, ClusterTopics, CooperativeStickyAssignor, GroupMember, MemberAssignment,
    Subscription,
};
use crate::coordinator::notice::JoinedMember;
use crate::error::{Error, ErrorKind, Result};
use crate::topic::TopicName;

/// What the leader hands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedGroup {
    /// For each member the bytes of its assignment, in the order in which the members came.
    pub assignments: Vec<(String, Vec<u8>)>,
    /// The members that get nothing because nobody can tell what they want; worth a warning.
    pub unreadable: Vec<UnreadableMember>,
}

/// A member whose subscription cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableMember {
    /// Its id.
    pub member_id: String,
    /// What is wrong with the bytes.
    pub reason: String,
}

/// Returns the topics that the members have subscribed to, which the leader watches and which the
/// cluster's description for [`lead`] is to have as far as they exist.
pub fn subscribed_topics(members: &[JoinedMember]) -> BTreeSet<TopicName> {
    let subscriptions = members.iter().filter_map(|m| Subscription::decode(&m.metadata).ok());
    subscriptions.flat_map(|subscription| subscription.topics).collect()
}

/// Runs an assignor over the members' subscriptions and checks what it gives.
///
/// A member whose subscription cannot be read gets an empty assignment, and the group goes on.
/// So does one that the assignor leaves out.
///
/// # Errors
///
/// What the assignor fails with. [`ErrorKind::InvalidArgument`] when it names a member that the
/// group does not have or one twice, gives a partition twice or one that does not exist, gives a
/// member a topic to which it has not subscribed, or, as a cooperative one, moves a partition
/// that its owner has not given up. [`ErrorKind::Protocol`] when the coordinator names a member
/// twice.
pub fn lead(
    assignor: &mut dyn Assignor,
    cluster: &ClusterTopics,
    members: &[JoinedMember],
) -> Result<LedGroup> {
    let (group, unreadable) = read_group(members)?;
    let mut assigned: HashMap<String, Assignment> = HashMap::new();
    for MemberAssignment { member_id, assignment } in assignor.assign(cluster, &group)? {
        if assigned.contains_key(&member_id) {
            return Err(broken(assignor, format!("gives to member {member_id} twice")));
        }
        assigned.insert(member_id, assignment);
    }
    check_members(assignor, &group, &assigned)?;
    check_partitions(assignor, cluster, &group, &assigned)?;
    // Java's own knows of claims from older generations, which this check does not.
    if assignor.is_cooperative() && assignor.name() != CooperativeStickyAssignor::NAME {
        check_moves(assignor, &group, &assigned)?;
    }
    let assignments = members.iter().map(|member| {
        let assignment = assigned
            .get(&member.member_id)
            .map_or_else(|| Assignment::default().encode(), Assignment::encode);
        let assignment = assignment.map_err(|error| broken(assignor, format!("fails: {error}")))?;
        Ok((member.member_id.clone(), assignment))
    });
    Ok(LedGroup { assignments: assignments.collect::<Result<_>>()?, unreadable })
}

fn read_group(members: &[JoinedMember]) -> Result<(Vec<GroupMember>, Vec<UnreadableMember>)> {
    let mut ids = HashSet::new();
    let (mut group, mut unreadable) = (Vec::new(), Vec::new());
    for member in members {
        let member_id = member.member_id.clone();
        if !ids.insert(member.member_id.as_str()) {
            let text = format!("the coordinator names member {member_id} twice");
            return Err(Error::new(ErrorKind::Protocol, text));
        }
        let group_instance_id = member.group_instance_id.clone();
        match Subscription::decode(&member.metadata) {
            Ok(subscription) => {
                group.push(GroupMember { member_id, group_instance_id, subscription });
            }
            Err(error) => {
                let reason = error.to_string();
                unreadable.push(UnreadableMember { member_id, reason });
            }
        }
    }
    Ok((group, unreadable))
}

fn check_members(
    assignor: &dyn Assignor,
    group: &[GroupMember],
    assigned: &HashMap<String, Assignment>,
) -> Result<()> {
    let known: HashSet<&str> = group.iter().map(|member| member.member_id.as_str()).collect();
    match assigned.keys().find(|id| !known.contains(id.as_str())) {
        Some(id) => Err(broken(assignor, format!("gives to {id}, which is not in the group"))),
        None => Ok(()),
    }
}

fn check_partitions(
    assignor: &dyn Assignor,
    cluster: &ClusterTopics,
    group: &[GroupMember],
    assigned: &HashMap<String, Assignment>,
) -> Result<()> {
    let mut given: HashSet<(&str, i32)> = HashSet::new();
    for (member, assignment) in with_assignment(group, assigned) {
        let wanted: HashSet<&str> =
            member.subscription.topics.iter().map(TopicName::as_str).collect();
        for (topic, partition) in &assignment.partitions {
            let topic = topic.as_str();
            let text = if !cluster.has(topic, *partition) {
                "gives a partition that does not exist".to_owned()
            } else if !wanted.contains(topic) {
                format!("gives it to member {}, which has not subscribed to it", member.member_id)
            } else if !given.insert((topic, *partition)) {
                "gives it twice".to_owned()
            } else {
                continue;
            };
            return Err(broken(assignor, text).with_partition(topic, *partition));
        }
    }
    Ok(())
}

/// Java's `ConsumerCoordinator.validateCooperativeAssignment`.
fn check_moves(
    assignor: &dyn Assignor,
    group: &[GroupMember],
    assigned: &HashMap<String, Assignment>,
) -> Result<()> {
    let (mut revoked, mut added) = (HashSet::new(), BTreeSet::new());
    for (member, assignment) in with_assignment(group, assigned) {
        let owned: HashSet<_> = member.subscription.owned_partitions.iter().collect();
        let partitions: HashSet<_> = assignment.partitions.iter().collect();
        revoked.extend(owned.difference(&partitions).copied());
        added.extend(partitions.difference(&owned).copied());
    }
    match added.into_iter().find(|partition| revoked.contains(partition)) {
        Some((topic, partition)) => {
            let text = "is cooperative, and yet moves a partition that its owner still has";
            Err(broken(assignor, text.to_owned()).with_partition(topic.as_str(), *partition))
        }
        None => Ok(()),
    }
}

/// Returns each member with what it gets, which is nothing for one that was left out.
fn with_assignment<'a>(
    group: &'a [GroupMember],
    assigned: &'a HashMap<String, Assignment>,
) -> impl Iterator<Item = (&'a GroupMember, &'a Assignment)> {
    const NOTHING: &Assignment = &Assignment { partitions: Vec::new(), user_data: None };
    group.iter().map(|member| (member, assigned.get(&member.member_id).unwrap_or(NOTHING)))
}

fn broken(assignor: &dyn Assignor, text: String) -> Error {
    let text = format!("the assignor {} {text}", assignor.name());
    Error::new(ErrorKind::InvalidArgument, text)
}
