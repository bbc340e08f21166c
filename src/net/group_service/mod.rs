//! The groups of a log directory, served on a Unix socket in it by one process at a time. Of
//! several directories it is the first, unless another of them has the groups' offsets already.
//!
//! ```text
//!  <log directory>/.kfetch-groups.lock    held by the process that serves
//!                  .kfetch-groups.sock    where it listens; stale when it was killed
//! ```
//!
//! Whoever gets the lock reads the offsets, listens, and serves until it is stopped or dies; then
//! the next one who tries gets it. To clients that is a coordinator that has moved. Brokers pass
//! over both files, and only the same user can connect.

mod frames;
mod serve;
mod service;
mod settings;
mod socket;

pub use service::GroupService;
pub(in crate::net) use service::settled;
pub use settings::ServiceSettings;
pub use socket::{SocketAddress, lock_path, socket_path};
