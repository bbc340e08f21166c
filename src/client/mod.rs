//! The consumer as an application meets it: configuration, assignment, poll.
//!
//! Everything here runs on the application's threads. It does no IO of its own beside reading a
//! configuration file; sockets and log segments belong to the layers below.

#![forbid(unsafe_code)]

pub mod config;
