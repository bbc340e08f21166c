//! The state machine of a group coordinator, one file for each concept.
//!
//! | state | means |
//! |---|---|
//! | Empty | no members; offsets may be there |
//! | PreparingRebalance | members are asked to join again, their JoinGroups wait |
//! | CompletingRebalance | a generation has begun, its SyncGroups wait for the leader's |
//! | Stable | every member has its assignment, or can fetch it |
//! | Dead | the group is gone: whoever asks next finds none |

mod answers;
mod commit;
mod describe;
mod discovery;
mod expiry;
mod group;
mod group_member;
mod join;
mod leave;
mod machine;
mod offset_delete;
mod offset_fetch;
mod rebalance;
mod sessions;
mod static_member;
mod sync;

pub use answers::{Outgoing, RequestId};
pub use machine::{GroupCoordinator, Incoming};
