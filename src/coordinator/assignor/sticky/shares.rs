//! The division where all members have subscribed to the same topics.

#![forbid(unsafe_code)]

use std::collections::VecDeque;

use super::super::numbered::Numbered;
use super::super::racks::Racks;
use super::claims::Claims;

/// Java's `ConstrainedAssignmentBuilder`.
#[derive(Debug)]
pub(super) struct Shares<'a> {
    group: &'a Numbered<'a>,
    /// The racks, where they matter.
    racks: Option<&'a Racks>,
    claims: &'a Claims,
    /// What every member gets.
    share: usize,
    /// What the members get that get one more; the same as `share` if nobody does.
    large_share: usize,
    /// How many members get one more.
    large_count: usize,
    /// How many have.
    large_filled: usize,
    /// Members with less than their share, in the order of service.
    below: Vec<usize>,
    /// Members with their share that may get one more, in the order of service.
    at_share: VecDeque<usize>,
    assigned: Vec<Vec<usize>>,
    taken: Vec<bool>,
    /// For each partition the owner that cannot keep it.
    given_up: Vec<Option<usize>>,
    /// Partitions that go to another member than the one that has them.
    moved: Vec<(usize, usize)>,
}

impl<'a> Shares<'a> {
    /// Divides the partitions of a group, which has members. Returns for each member its
    /// partitions, and those partitions that another member has yet to give up, with the member
    /// that they go to.
    pub(super) fn divide(
        group: &'a Numbered<'a>,
        racks: Option<&'a Racks>,
        claims: &'a Claims,
    ) -> (Vec<Vec<usize>>, Vec<(usize, usize)>) {
        let (members, partitions) = (group.members.len(), group.topic_of.len());
        let mut shares = Self {
            group,
            racks,
            claims,
            share: partitions / members,
            large_share: partitions.div_ceil(members),
            large_count: partitions % members,
            large_filled: 0,
            below: Vec::new(),
            at_share: VecDeque::new(),
            assigned: vec![Vec::new(); members],
            taken: vec![false; partitions],
            given_up: vec![None; partitions],
            moved: Vec::new(),
        };
        (0..members).for_each(|member| shares.keep(member));
        let mut left: Vec<usize> = (0..partitions).filter(|&p| !shares.taken[p]).collect();
        shares.below.sort_by_key(|&member| group.ranks[member]);
        shares.at_share.make_contiguous().sort_by_key(|&member| group.ranks[member]);
        if let Some(racks) = racks {
            let counts = racks.member_counts();
            left.sort_by_key(|&partition| counts[partition]);
            left.retain(shares.fill_by_racks(racks));
        }
        shares.fill(left);
        (shares.assigned, shares.moved)
    }

    /// Leaves a member what it owns, up to its share.
    fn keep(&mut self, member: usize) {
        let group = self.group;
        let mut owned = self.claims.owned[member].clone();
        if let Some(racks) = self.racks {
            let elsewhere = owned.extract_if(.., |partition| racks.mismatch(member, *partition));
            elsewhere.for_each(|partition| self.given_up[partition] = Some(member));
        }
        owned.retain(|&partition| !self.claims.contested[partition]);
        owned.sort_by_key(|&p| (group.within_topic(p), group.topic_of[p]));
        let mut kept = owned.len().min(self.share);
        if owned.len() < self.share {
            self.below.push(member);
        } else if self.large_filled < self.large_count {
            if owned.len() >= self.large_share {
                kept = self.large_share;
                self.fill_large_share();
            } else {
                self.at_share.push_back(member);
            }
        }
        for partition in owned.split_off(kept) {
            self.given_up[partition] = Some(member);
        }
        owned.iter().for_each(|&partition| self.taken[partition] = true);
        self.assigned[member] = owned;
    }

    /// Takes note that one more member has a large share; the last one ends the chances of others.
    fn fill_large_share(&mut self) {
        self.large_filled += 1;
        if self.large_filled == self.large_count {
            self.at_share.clear();
        }
    }

    /// Returns what gives a partition to a member in one of its racks, if one has room, and tells
    /// whether it is still left.
    fn fill_by_racks(&mut self, racks: &'a Racks) -> impl FnMut(&usize) -> bool {
        let mut next = 0;
        move |&partition| {
            let matches = |member: usize| racks.matches(member, partition);
            let count = self.below.len();
            let in_turn = (0..count).map(|offset| (next + offset) % count);
            if let Some(at) = in_turn.into_iter().find(|&at| matches(self.below[at])) {
                let member = self.below[at];
                let size = self.assigned[member].len() + 1;
                next = at + 1;
                if size >= self.share {
                    next = at;
                    self.below.remove(at);
                    if size < self.large_share && self.large_filled < self.large_count {
                        self.at_share.push_back(member);
                    }
                }
                next = next.checked_rem(self.below.len()).unwrap_or_default();
                self.give(partition, member);
                return false;
            }
            let Some(at) = self.at_share.iter().position(|&member| matches(member)) else {
                return true;
            };
            let member = self.at_share[at];
            if self.assigned[member].len() + 1 == self.large_share {
                self.at_share.remove(at);
                self.fill_large_share();
            }
            self.give(partition, member);
            false
        }
    }

    /// Gives what is left to those below their share in turn, then one to each that may have more.
    fn fill(&mut self, left: Vec<usize>) {
        let mut next = 0;
        for partition in left {
            if next >= self.below.len() {
                next = 0;
            }
            let Some(&member) = self.below.get(next) else {
                let Some(member) = self.at_share.pop_front() else {
                    return;
                };
                self.give(partition, member);
                continue;
            };
            self.give(partition, member);
            if self.assigned[member].len() == self.share {
                self.below.remove(next);
                self.at_share.push_back(member);
            } else {
                next += 1;
            }
        }
    }

    fn give(&mut self, partition: usize, member: usize) {
        self.assigned[member].push(partition);
        let had_by_other = self.given_up[partition].is_some_and(|owner| owner != member);
        if had_by_other || self.claims.contested[partition] {
            self.moved.push((partition, member));
        }
    }
}
