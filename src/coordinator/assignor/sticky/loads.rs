//! Who has what while a division is searched for, and where the loads are uneven.

#![forbid(unsafe_code)]

use super::super::numbered::Numbered;

/// What each member has. Questions about the least and the most are answered from the last answer
/// as long as nothing has moved, since they are asked for every partition.
#[derive(Clone, Debug)]
pub(super) struct Loads<'a> {
    group: &'a Numbered<'a>,
    /// For each topic who may have it, as often as they named it.
    subscribers: &'a [Vec<usize>],
    pub(super) lists: Vec<Vec<usize>>,
    pub(super) owners: Vec<Option<usize>>,
    /// Members that have nothing to give or to take.
    fixed: Vec<bool>,
    /// Grows with every change.
    version: u64,
    /// For each topic its subscriber with the least, and of which version that is.
    least: Vec<Option<(u64, usize)>>,
    /// Whether the loads are as even as they get, and of which version that is.
    balanced: Option<(u64, bool)>,
    /// The topic that was seen to be uneven last.
    uneven: usize,
}

impl<'a> Loads<'a> {
    /// Begins with what members own already.
    pub(super) fn new(
        group: &'a Numbered<'a>,
        subscribers: &'a [Vec<usize>],
        lists: Vec<Vec<usize>>,
    ) -> Self {
        let mut owners = vec![None; group.topic_of.len()];
        for (member, list) in lists.iter().enumerate() {
            list.iter().for_each(|&partition| owners[partition] = Some(member));
        }
        Self {
            group,
            subscribers,
            fixed: vec![false; lists.len()],
            lists,
            owners,
            version: 0,
            least: vec![None; subscribers.len()],
            balanced: None,
            uneven: 0,
        }
    }

    /// Gives a member a partition that nobody has.
    pub(super) fn give(&mut self, partition: usize, member: usize) {
        self.version += 1;
        self.lists[member].push(partition);
        self.owners[partition] = Some(member);
    }

    /// Gives a member a partition that another has.
    pub(super) fn transfer(&mut self, partition: usize, member: usize) {
        if let Some(owner) = self.owners[partition] {
            let list = &mut self.lists[owner];
            if let Some(at) = list.iter().position(|owned| *owned == partition) {
                list.remove(at);
            }
        }
        self.give(partition, member);
    }

    /// Takes a member out of the search.
    pub(super) fn fix(&mut self, member: usize) {
        self.version += 1;
        self.fixed[member] = true;
    }

    /// Returns a topic's subscriber with the least, the first by id of several.
    pub(super) fn least(&mut self, topic: usize) -> Option<usize> {
        if let Some((version, member)) = self.least[topic]
            && version == self.version
        {
            return Some(member);
        }
        let member = self.least_of(topic, |_| true)?;
        self.least[topic] = Some((self.version, member));
        Some(member)
    }

    /// Tells whether no single move makes the loads more even.
    pub(super) fn is_balanced(&mut self) -> bool {
        if let Some((version, balanced)) = self.balanced
            && version == self.version
        {
            return balanced;
        }
        let balanced = self.sizes_are_even() || !self.find_uneven();
        self.balanced = Some((self.version, balanced));
        balanced
    }

    /// Returns a topic's subscriber with the least of those that `may` have it.
    pub(super) fn least_of(&self, topic: usize, may: impl Fn(usize) -> bool) -> Option<usize> {
        let members = self.subscribers[topic].iter().copied().filter(|&member| may(member));
        members.min_by_key(|&member| (self.size(member), self.group.ranks[member]))
    }

    /// Returns how many partitions a member has.
    pub(super) fn size(&self, member: usize) -> usize {
        self.lists[member].len()
    }

    /// Returns the sum of the differences between any two members that are in the search, cut to
    /// 32 bits as in Java.
    pub(super) fn score(&self) -> i32 {
        let mut sizes: Vec<usize> = self.sizes().collect();
        sizes.sort_unstable();
        let count = sizes.len();
        // The i-th size is the larger one in i pairs and the smaller one in those with the rest.
        let signed = |number| i64::try_from(number).unwrap_or(i64::MAX);
        let weighted = sizes.iter().enumerate().map(|(i, &size)| {
            signed(size).wrapping_mul(signed(2 * i + 1).wrapping_sub(signed(count)))
        });
        let [a, b, c, d, ..] = weighted.fold(0, i64::wrapping_add).to_le_bytes();
        i32::from_le_bytes([a, b, c, d])
    }

    fn sizes(&self) -> impl Iterator<Item = usize> {
        let lists = self.lists.iter().zip(&self.fixed).filter(|(_, fixed)| !**fixed);
        lists.map(|(list, _)| list.len())
    }

    fn sizes_are_even(&self) -> bool {
        let (least, most) = (self.sizes().min(), self.sizes().max());
        least.unwrap_or_default() + 1 >= most.unwrap_or_default()
    }

    /// Looks for a topic with a partition whose owner has more than it needs to.
    fn find_uneven(&mut self) -> bool {
        let count = self.subscribers.len();
        let found = (0..count).map(|offset| (self.uneven + offset) % count).find(|&topic| {
            let least = self.least_of(topic, |_| true).map_or(usize::MAX, |m| self.size(m));
            let mut partitions = self.group.topics[topic].partitions.clone();
            partitions.any(|partition| {
                let owner = self.owners[partition];
                owner.is_some_and(|owner| self.size(owner) > least.saturating_add(1))
            })
        });
        self.uneven = found.unwrap_or_default();
        found.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{ClusterTopics, GroupMember, Subscription};
    use super::*;
    use crate::topic::TopicName;

    #[test]
    fn the_score_is_the_sum_over_pairs_of_those_in_the_search() {
        let mut cluster = ClusterTopics::new();
        cluster.insert(TopicName::new("t"), 15);
        let members = ["a", "b", "c", "d"].map(|id| GroupMember {
            member_id: id.to_owned(),
            group_instance_id: None,
            subscription: Subscription {
                topics: vec![TopicName::new("t")],
                ..Subscription::default()
            },
        });
        let group = Numbered::new(&cluster, &members);
        let subscribers = group.subscribers();
        let lists = [0..4, 4..4, 4..5, 5..15].map(Vec::from_iter).to_vec();
        let mut loads = Loads::new(&group, &subscribers, lists);
        assert_eq!(loads.score(), 4 + 3 + 6 + 1 + 10 + 9);
        assert!(!loads.is_balanced());
        loads.fix(3);
        assert_eq!(loads.score(), 4 + 3 + 1);
        assert_eq!(loads.least(0), Some(1));
        loads.transfer(0, 1);
        loads.transfer(1, 1);
        assert_eq!((loads.score(), loads.least(0)), (2, Some(2)));
    }
}
