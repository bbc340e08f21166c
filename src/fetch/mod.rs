//! Fetching from brokers, as machines without IO.
//!
//! Input goes in through `handle_*(now, …)`, what to do comes out of `poll_*`: no socket, no
//! clock, no thread and no sleep in here, so that a test runs years of faults in virtual time and
//! a seed replays a failure exactly. Everything belongs to the thread that runs the loop.

pub mod answer;
pub mod call;
pub mod cluster;
pub mod connection;
pub mod consumer;
pub mod cursor;
mod deliver;
pub mod engine;
pub mod failure;
pub mod input;
pub mod landing;
pub mod lookup;
pub mod node;
mod partition_error;
pub mod peer;
pub mod plan;
pub mod reply;
pub mod timer;

pub use consumer::FetchConsumer;
