//! Who of a group reads which partitions.
//!
//! Members send the leader their [`Subscription`]s; the leader's application runs the [`Assignor`]
//! that the group has agreed on, in [`lead`], and each member gets an [`Assignment`].
//!
//! Range, roundrobin, sticky and cooperative-sticky give each member the partitions that Java's
//! classes of kafka-clients 4.1.1 give it, so that a group may change its leader between Java and
//! kfetch and nothing moves. Of the order in which partitions stand in an assignment that holds
//! for all but range, where Java's is that of a `HashMap` of topics and ours ascends. Where Java
//! gives something that it must not, we do not follow: partitions that a member claims to own and
//! that do not exist any more are dropped (Java hands them out, and others twice), and no member
//! gets a topic to which it has not subscribed (Java's sticky ones may do that if the first member
//! in their order has subscribed to nothing, or for one that owned the partition in an earlier
//! generation).
//!
//! # Threads
//!
//! Everything here runs on the application's thread.

#![forbid(unsafe_code)]

mod assignment;
mod built_in;
mod cluster_topics;
mod java_order;
mod lead;
mod member_order;
mod numbered;
mod partition_assignor;
mod racks;
mod range;
mod round_robin;
mod sticky;
mod subscription;

pub use assignment::{Assignment, MemberAssignment};
pub use built_in::built_in;
pub use cluster_topics::ClusterTopics;
pub use lead::{LedGroup, UnreadableMember, lead, subscribed_topics};
pub use partition_assignor::Assignor;
pub use range::RangeAssignor;
pub use round_robin::RoundRobinAssignor;
pub use sticky::{CooperativeStickyAssignor, StickyAssignor};
pub use subscription::{GroupMember, Subscription};
