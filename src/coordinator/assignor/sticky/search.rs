//! The division where members have subscribed to different topics.

#![forbid(unsafe_code)]

use super::super::numbered::Numbered;
use super::super::racks::Racks;
use super::loads::Loads;
use super::movements::Movements;

/// Moves per partition after which the search stops with what it has; the moves that a group needs
/// are a small part. It ends in any case where each move makes the loads more even, but one that
/// sends back another partition instead need not.
const MOVES_PER_PARTITION_MAX: usize = 32;

/// Java's `GeneralAssignmentBuilder`.
#[derive(Debug)]
pub(super) struct Search<'a> {
    group: &'a Numbered<'a>,
    /// The racks, where they matter.
    racks: Option<&'a Racks>,
    subscribers: &'a [Vec<usize>],
    /// For each partition its owner in an earlier generation.
    earlier: Vec<Option<usize>>,
    loads: Loads<'a>,
    movements: Movements<'a>,
    moves_left: usize,
}

impl<'a> Search<'a> {
    /// Divides the partitions of a group, beginning with what its members own.
    pub(super) fn divide(
        group: &'a Numbered<'a>,
        racks: Option<&'a Racks>,
        subscribers: &'a [Vec<usize>],
        mut owned: Vec<Vec<usize>>,
        earlier: Vec<Option<usize>>,
    ) -> Vec<Vec<usize>> {
        let revoked = drop_unwanted(group, racks, subscribers, &mut owned);
        let mut search = Self {
            group,
            racks,
            subscribers,
            earlier,
            loads: Loads::new(group, subscribers, owned),
            movements: Movements::new(group),
            moves_left: group.topic_of.len().saturating_mul(MOVES_PER_PARTITION_MAX),
        };
        let all = search.in_order();
        let mut left = all.clone();
        left.retain(|&partition| search.loads.owners[partition].is_none());
        search.balance(all, left, revoked);
        search.loads.lists
    }

    /// Returns the partitions of all topics, those with the fewest subscribers first.
    fn in_order(&self) -> Vec<usize> {
        let mut topics: Vec<usize> = (0..self.group.topics.len()).collect();
        topics.sort_by_key(|&topic| self.subscribers[topic].len());
        let partitions =
            topics.into_iter().map(|topic| self.group.topics[topic].partitions.clone());
        partitions.flatten().collect()
    }

    fn balance(&mut self, mut all: Vec<usize>, mut left: Vec<usize>, revoked: bool) {
        let is_first = self.loads.lists.iter().all(Vec::is_empty);
        self.assign(&left);
        // What only one member wants stays with it, and so does a member that has only such.
        let is_shared = |partition: &usize| self.is_shared(self.group.topic_of[*partition]);
        all.retain(is_shared);
        left.retain(is_shared);
        for member in 0..self.group.members.len() {
            if !self.takes_part(member) {
                self.loads.fix(member);
            }
        }
        let before = self.loads.clone();
        if !revoked {
            self.even_out(&left);
        }
        let has_moved = self.even_out(&all);
        if !is_first && has_moved && self.loads.score() >= before.score() {
            self.loads = before;
        }
    }

    /// Gives each partition that nobody has to the subscriber with the least, in its racks first.
    fn assign(&mut self, partitions: &[usize]) {
        let mut elsewhere = Vec::new();
        for &partition in partitions {
            let topic = self.group.topic_of[partition];
            let Some(racks) = self.racks else {
                elsewhere.push(partition);
                continue;
            };
            match self.loads.least_of(topic, |member| !racks.mismatch(member, partition)) {
                Some(member) => self.loads.give(partition, member),
                None => elsewhere.push(partition),
            }
        }
        for partition in elsewhere {
            if let Some(member) = self.loads.least_of(self.group.topic_of[partition], |_| true) {
                self.loads.give(partition, member);
            }
        }
    }

    /// Tells whether two members want a topic.
    fn is_shared(&self, topic: usize) -> bool {
        self.subscribers[topic].len() >= 2
    }

    /// Tells whether a member may get something or has something that another may get.
    fn takes_part(&self, member: usize) -> bool {
        let topics = &self.group.subscriptions[member];
        let count = |topic: &usize| self.group.topics[*topic].partitions.len();
        let most = if topics.len() == self.group.topics.len() {
            self.group.topic_of.len()
        } else {
            topics.iter().map(count).sum()
        };
        let list = &self.loads.lists[member];
        list.len() < most
            || list.iter().any(|&partition| self.is_shared(self.group.topic_of[partition]))
    }

    /// Moves partitions to members with less until that helps no more; tells whether it moved any.
    fn even_out(&mut self, partitions: &[usize]) -> bool {
        let mut has_moved = false;
        loop {
            let mut has_moved_now = false;
            for &partition in partitions {
                if self.loads.is_balanced() || self.moves_left == 0 {
                    break;
                }
                if let Some((owner, member)) = self.better(partition) {
                    self.transfer(partition, owner, member);
                    has_moved_now = true;
                }
            }
            if !has_moved_now {
                return has_moved;
            }
            has_moved = true;
        }
    }

    /// Returns a partition's owner and who should have it instead: whoever had it before, or else
    /// the subscriber with the least.
    fn better(&mut self, partition: usize) -> Option<(usize, usize)> {
        let owner = self.loads.owners[partition]?;
        let size = self.loads.size(owner);
        let earlier = self.earlier[partition].filter(|&m| size > self.loads.size(m) + 1);
        let member = match earlier {
            Some(member) => member,
            None => self.loads.least(self.group.topic_of[partition])?,
        };
        (size > self.loads.size(member) + 1).then_some((owner, member))
    }

    fn transfer(&mut self, partition: usize, owner: usize, member: usize) {
        self.moves_left -= 1;
        let partition = self.movements.instead(partition, owner, member);
        if let Some(owner) = self.loads.owners[partition] {
            self.movements.record(partition, owner, member);
        }
        self.loads.transfer(partition, member);
    }
}

/// Takes from the members what they want no more or what lies in other racks; tells whether there
/// was any.
fn drop_unwanted(
    group: &Numbered<'_>,
    racks: Option<&Racks>,
    subscribers: &[Vec<usize>],
    owned: &mut [Vec<usize>],
) -> bool {
    let mut dropped = false;
    for (member, partitions) in owned.iter_mut().enumerate() {
        let count = partitions.len();
        partitions.retain(|&partition| {
            let wanted = subscribers[group.topic_of[partition]].binary_search(&member).is_ok();
            wanted && !racks.is_some_and(|racks| racks.mismatch(member, partition))
        });
        dropped |= partitions.len() < count;
    }
    dropped
}
