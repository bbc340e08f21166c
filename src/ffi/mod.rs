//! The C interface; `include/kfetch.h` is generated from it and explains it to its users.
//!
//! Nothing of the library imports this module. Each function checks what can be checked of its
//! arguments, runs its body inside `guard`, and turns errors and panics into a status.
//! Handles are pointers that Rust allocated; a handle's content is reached by one call at a time.
//!
//! What it does not do: no logic of its own beyond that. What a call means is documented at the
//! Rust function of the same name.
//!
//! # Threads
//!
//! The caller's; the log callback alone runs on the engine's too.

#![allow(non_camel_case_types, reason = "the names are those that the C header has")]

mod argument;
pub mod assignment;
pub mod assignor;
pub mod commit;
pub mod committed;
pub mod config;
pub mod consumer;
pub mod engine;
pub mod error;
pub mod fill;
mod fork;
pub mod group;
mod guard;
mod lend;
pub mod log_writer;
pub mod offsets;
pub mod partition;
pub mod rebalance;
pub mod records;
pub mod seek;
pub mod stats;
pub mod status;
pub mod status_code;
mod text;
pub mod topics;
pub mod version;
