//! What both sticky assignors do.

#![forbid(unsafe_code)]

use super::super::numbered::Numbered;
use super::super::racks::Racks;
use super::claims::{Claims, MemberData, earlier_owners, subscriptions_are_equal};
use super::search::Search;
use super::shares::Shares;

/// Divides the partitions of a group. `latest` is the latest generation of all members that this
/// instance has ever seen, as in Java.
pub(super) fn divide(group: &Numbered<'_>, data: &[MemberData], latest: &mut i32) -> Division {
    if group.members.is_empty() {
        return Division { assigned: Vec::new(), moved: Some(Vec::new()) };
    }
    let generations = data.iter().filter_map(|data| data.generation);
    *latest = generations.fold(*latest, i32::max);
    let racks = Racks::new(group)
        .filter(|racks| racks.matter(0..group.members.len(), 0..group.topic_of.len()));
    let claims = Claims::new(group, data);
    if subscriptions_are_equal(group) {
        let (assigned, moved) = Shares::divide(group, racks.as_ref(), &claims);
        return Division { assigned, moved: Some(moved) };
    }
    let earlier = earlier_owners(group, data, *latest);
    let subscribers = group.subscribers();
    let assigned = Search::divide(group, racks.as_ref(), &subscribers, claims.owned, earlier);
    Division { assigned, moved: None }
}

/// Who gets what, and which of it another member has yet to give up.
#[derive(Debug)]
pub(super) struct Division {
    /// For each member its partitions.
    pub(super) assigned: Vec<Vec<usize>>,
    /// Partitions with the member that they go to from another; none where that is not known.
    pub(super) moved: Option<Vec<(usize, usize)>>,
}
