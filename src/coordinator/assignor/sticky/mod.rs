//! The sticky assignors, eager and cooperative: balance first, then as few moves as can be.
//!
//! Both collect what the members claim to own, [`claims`], and then go one of two ways, as Java's
//! `AbstractStickyAssignor`. Where all members have subscribed to the same topics, everyone's share
//! is known beforehand, and [`shares`] fills it, first with what the member has. Otherwise
//! [`search`] starts from what is owned and moves one partition after another from a member with
//! more to one with fewer, until no move helps.

#![forbid(unsafe_code)]

mod claims;
mod cooperative;
mod divide;
mod eager;
mod loads;
mod movements;
mod search;
mod shares;

pub use cooperative::CooperativeStickyAssignor;
pub use eager::StickyAssignor;
