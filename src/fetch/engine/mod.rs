//! The engine without IO: connections, clusters and consumers, and how they work together.
//!
//! ```text
//!   handle_connected, handle_received, handle_timeout, handle_assign …  (input, with `now`)
//!                               │
//!         connections ── clusters ── consumers ──► lanes ──► polling threads
//!                               │
//!   poll_action, output, poll_timeout                                   (what to do)
//! ```
//!
//! Whoever owns the sockets calls `room`, reads into it, calls `handle_received`, writes what
//! `output` has, and only then `deliver`: so the next Fetch is on its way before a checksum is
//! computed.

pub mod action;
mod connect;
mod control;
mod drive;
pub mod group;
mod receive;
mod state;

pub use action::{Action, Address};
pub use group::GroupEvent;
pub use state::FetchEngine;
