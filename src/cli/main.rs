//! The `kfetch` command.

#![forbid(unsafe_code)]

fn main() {}
