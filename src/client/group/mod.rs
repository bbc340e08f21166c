//! A consumer as the member of a group: subscription, rebalances, commits.
//!
//! All of it runs on the application's thread, inside of its calls. The protocol is spoken by the
//! member on the engine's thread, which heartbeats whatever the application does; here its notices
//! are answered.

mod commit;
mod describe;
mod drive;
mod listener;
mod membership;
mod rebalance;
mod start;
mod state;

pub use commit::CommitCallback;
pub use listener::RebalanceListener;
pub use membership::{GroupMembershipOperation, GroupMetadata};
pub(super) use state::Group;
