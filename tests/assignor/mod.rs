//! Random groups that live through some generations, and what must hold of every division.

#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

pub(crate) mod group;
pub(crate) mod model;
pub(crate) mod random;
