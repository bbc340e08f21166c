//! Members of groups as processes, and what must hold of them, checked from their event logs.

#![allow(dead_code, reason = "each test binary uses its part")]

pub(crate) mod checker;
mod commits;
pub(crate) mod event;
mod member;
mod mutation;
pub(crate) mod process;
pub(crate) mod reading;
mod runs;
pub(crate) mod writer;
