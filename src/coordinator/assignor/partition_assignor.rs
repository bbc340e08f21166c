//! What an assignor is.

#![forbid(unsafe_code)]

use std::fmt;

use super::{Assignment, ClusterTopics, GroupMember, MemberAssignment};
use crate::error::Result;
use crate::topic::TopicName;

/// Divides the partitions of a group among its members, as Java's `ConsumerPartitionAssignor`.
///
/// Each member has one instance for as long as it lives. Every instance contributes to the
/// member's subscription and hears of its assignments; [`Assignor::assign`] is called where the
/// member leads the group.
///
/// # Threads
///
/// Called on the application's thread inside poll, close or a synchronous commit.
///
/// # Examples
///
/// An assignor that gives everything to the first member that wants it:
///
/// ```
/// use kfetch::coordinator::assignor::{
///     Assignment, Assignor, ClusterTopics, GroupMember, MemberAssignment,
/// };
/// use kfetch::error::Result;
///
/// #[derive(Debug)]
/// struct FirstComeAssignor;
///
/// impl Assignor for FirstComeAssignor {
///     fn name(&self) -> &str {
///         "first-come"
///     }
///
///     fn assign(
///         &mut self,
///         cluster: &ClusterTopics,
///         group: &[GroupMember],
///     ) -> Result<Vec<MemberAssignment>> {
///         let mut assignments: Vec<_> = group.iter().map(MemberAssignment::nothing).collect();
///         for (topic, count) in cluster.iter() {
///             let wants = |member: &GroupMember| member.subscription.topics.contains(topic);
///             if let Some(first) = group.iter().position(wants) {
///                 let partitions = (0..count).map(|partition| (topic.clone(), partition));
///                 assignments[first].assignment.partitions.extend(partitions);
///             }
///         }
///         Ok(assignments)
///     }
/// }
///
/// let assignor: Box<dyn Assignor> = Box::new(FirstComeAssignor);
/// assert!(!assignor.is_cooperative());
/// let nothing = Assignment::default();
/// assert_eq!(nothing.partitions, []);
/// ```
pub trait Assignor: Send + fmt::Debug {
    /// Returns the name by which the members of a group agree on it.
    fn name(&self) -> &str;

    /// Tells whether members keep their partitions during a rebalance (KIP-429): then a partition
    /// may go to another member only in the generation after the one in which its owner gave it
    /// up. Otherwise every member gives up all partitions before it joins.
    fn is_cooperative(&self) -> bool {
        false
    }

    /// Returns what the member's subscription to `topics` is to carry to the leader's assignor.
    fn user_data(&self, topics: &[TopicName]) -> Option<Vec<u8>> {
        let _ = topics;
        None
    }

    /// Divides the partitions of the topics in `cluster`, which has what the members of `group`
    /// have subscribed to as far as it exists. A member that is left out gets nothing.
    ///
    /// # Errors
    ///
    /// What keeps it from an answer; the group's rebalance then fails, and is tried again.
    fn assign(
        &mut self,
        cluster: &ClusterTopics,
        group: &[GroupMember],
    ) -> Result<Vec<MemberAssignment>>;

    /// Hears what this member, leader or not, is assigned in `generation`.
    fn handle_assignment(&mut self, assignment: &Assignment, generation: i32) {
        let _ = (assignment, generation);
    }
}
