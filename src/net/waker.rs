//! Wakes a loop that sleeps in `epoll_wait`.

#![forbid(unsafe_code)]

use std::io;
use std::sync::Arc;

use mio::{Registry, Token};

use crate::ring::bridge::LoopParker;
use crate::ring::park::{Parker, Signal};

/// The token of a loop's waker; no connection has it.
pub(super) const WAKER_TOKEN: Token = Token(usize::MAX);

struct MioSignal(mio::Waker);

impl Signal for MioSignal {
    fn signal(&self) {
        // It fails only where the descriptor is gone, and with it the loop.
        drop(self.0.wake());
    }
}

/// Makes the parker of the loop that owns `registry`.
pub(super) fn loop_parker(registry: &Registry) -> io::Result<Arc<LoopParker>> {
    let waker = mio::Waker::new(registry, WAKER_TOKEN)?;
    Ok(Arc::new(Parker::new(Box::new(MioSignal(waker)))))
}
