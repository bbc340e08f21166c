//! The order in which range and roundrobin serve the members.

#![forbid(unsafe_code)]

use std::cmp::Ordering;

use super::GroupMember;
use super::java_order::compare;
use super::numbered::Numbered;

/// Returns the members' numbers in Java's order of `MemberInfo`: static members by the ids of
/// their instances, so that a restart changes nothing, then the others by their ids.
pub(super) fn member_order(group: &Numbered<'_>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..group.members.len()).collect();
    order.sort_by(|&left, &right| compare_members(group.members[left], group.members[right]));
    order
}

fn compare_members(left: &GroupMember, right: &GroupMember) -> Ordering {
    match (&left.group_instance_id, &right.group_instance_id) {
        (Some(left), Some(right)) => compare(left, right),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => compare(&left.member_id, &right.member_id),
    }
}
