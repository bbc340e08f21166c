//! The loops with IO: sockets, names, files, clocks and threads.
//!
//! | thread | started by | does |
//! |---|---|---|
//! | `kfetch` | the first consumer of an engine | every socket, timer and machine |
//! | `kfetch-dns` | the first name that is no address | resolves names, blocking |
//! | `kfetch-files` | the first log directory | every file operation |
//! | `kfetch-groups` | a group service | the groups of one log directory |
//!
//! They never run the application's code, except for the log callback.

pub mod command;
pub mod event_loop;
mod file_consumer;
mod file_cursor;
pub mod file_loop;
mod file_question;
mod file_read;
mod file_watch;
pub mod group_service;
mod groups;
mod local_coordinators;
mod resolver;
mod sockets;
mod stream;
mod waker;
