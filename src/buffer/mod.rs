//! Memory: one owner type for everything that records are read from, and the budget it counts in.
//!
//! ```text
//!  Pool ──take──► BlockWriter ──slice──► Slice ─┬─► ring ─► handle ─► application
//!   ▲             (one, fills the tail)  Slice ─┘
//!   │                                       │ last one dropped, on any thread
//!   └───── memory ──────────────────────────┤
//!  Budget ◄──── bytes ──────────────────────┘
//! ```
//!
//! A [`Block`](block::BlockWriter) is a recycled network buffer, a buffer that a file was read
//! into, an inflated batch or a mapped segment; a [`Slice`] is a range of one. Above this module
//! nobody knows which it is. Memory is always initialised before a `&[u8]` of it exists.
//!
//! Every thread may hold and drop a [`Slice`]; a [`Pool`] and a [`BlockWriter`] belong to one.

pub mod block;
pub mod budget;
pub mod file_lock;
mod mapped;
mod memory;
pub mod pool;

pub use block::{BlockWriter, Slice};
pub use budget::{Budget, Charge};
pub use file_lock::FileLock;
pub use mapped::is_on_read_only_file_system;
pub use pool::Pool;
