//! Fetching from brokers, as machines without IO.
//!
//! Input goes in through `handle_*(now, …)`, what to do comes out of `poll_*`: no socket, no
//! clock, no thread and no sleep in here, so that a test runs years of faults in virtual time and
//! a seed replays a failure exactly. Everything belongs to the thread that runs the loop.

pub mod backoff;
pub mod input;
pub mod timer;
