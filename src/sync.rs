//! Atomics and shared ownership: the standard library's, or loom's in a build with `--cfg loom`.
//!
//! Every module whose interleavings are modelled imports these from here and from nowhere else,
//! so that the code that loom explores is the code that runs.

#![forbid(unsafe_code)]

#[cfg(not(loom))]
pub(crate) use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence},
};

#[cfg(loom)]
pub(crate) use loom::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence},
};
