//! The client's side of consumer groups, as machines without IO.
//!
//! ```text
//!   application's thread                     engine's thread                     coordinator
//!   participant ── command ──► member ── request ──► (net: one connection a member) ──►
//!   participant ◄── notice ─── member ◄── answer ───
//! ```
//!
//! The member speaks the protocol: it finds the coordinator, joins, keeps the session alive,
//! leaves, and carries commits. The participant decides what an application sees: it answers the
//! notices, runs assignors, and says which callbacks are due. Neither has a socket or a clock, so
//! that a seed replays a failure exactly.

pub mod action;
pub mod assignor;
pub mod command;
pub mod member;
pub mod notice;
pub mod participant;
pub mod poll_clock;
pub mod question;
pub mod request;
pub mod settings;
pub mod subscription;
pub mod topic_ids;
