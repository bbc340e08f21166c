//! What consumers write into the bytes that the group messages carry: the subscription in
//! JoinGroup, the assignment in SyncGroup.
//!
//! Both begin with a version of their own, whatever the version of the request around them, and
//! members of one group may write different ones. So they are read as Java's `ConsumerProtocol`
//! does: a version above [`VERSION_MAX`] as the highest known, since later ones only append, and
//! what lies behind the last known field is left alone. Field order and ignorable fields are as in
//! every other message of [`protocol`](super).
//!
//! User data is the assignors' own affair; that of Java's sticky one is here as well.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod assignment;
mod sticky_user_data;
mod subscription;
mod topic_partitions;
mod version;

pub use assignment::ConsumerProtocolAssignment;
pub use sticky_user_data::StickyUserData;
pub use subscription::ConsumerProtocolSubscription;
pub use topic_partitions::TopicPartitions;
pub use version::VERSION_MAX;
