//! Hand-over between threads: rings of slots, the set of rings that have data, and the wake-up.
//!
//! ```text
//!  engine, file thread ──push──► Ring ──pop──► polling thread
//!          │                                        ▲
//!          ├── mark ──► ReadyWord ──── take ────────┤
//!          └── notify ► Parker (eventfd) ── wait ───┘
//! ```
//!
//! Nothing here locks, allocates per slot or makes a system call while both sides are busy. The
//! interleavings of ring, ready word, parker and credit are explored by the loom models beside the
//! code, run with `--cfg loom`.

#[cfg(not(loom))]
pub mod bridge;
#[cfg(not(loom))]
pub mod feed_counters;
#[cfg(not(loom))]
pub mod lane;
#[cfg(all(test, loom))]
mod models;
pub mod park;
#[cfg(not(loom))]
pub mod process;
pub mod ready;
pub mod slot;
pub mod spsc;
#[cfg(not(loom))]
pub mod thread;
#[cfg(not(loom))]
pub mod wake;
#[cfg(not(loom))]
pub mod watch;

pub use slot::{Slot, SlotKind};
pub use spsc::{Consumer, Producer, ring};
