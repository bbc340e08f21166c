//! Where requests and answers begin and end in what passes a proxy, and of which API they are.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes of a frame's length, and with them of a request's API key.
const LENGTH_BYTES: usize = 4;
const KEY_BYTES: usize = LENGTH_BYTES + 2;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// To the server.
    Requests,
    /// To the client.
    Answers,
}

/// Where connections end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameCut {
    pub(crate) side: Side,
    /// The API, as its key.
    pub(crate) api_key: i16,
    /// How many bytes of such a frame pass, those of its length counted; of a request six at least.
    /// A frame that has fewer passes.
    pub(crate) after: usize,
    /// How many times.
    pub(crate) times: usize,
}

/// The API keys of a connection's requests that have no answer yet.
#[derive(Debug, Default)]
pub(super) struct Asked(Mutex<VecDeque<i16>>);

impl Asked {
    pub(super) fn lock(&self) -> MutexGuard<'_, VecDeque<i16>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How far one direction of a connection is.
#[derive(Debug)]
pub(super) struct Frames {
    side: Side,
    /// The frame's first bytes, as far as they matter.
    head: Vec<u8>,
    passed: usize,
    /// Unknown until the head is there.
    rest: usize,
    api_key: Option<i16>,
}

impl Frames {
    pub(super) fn new(side: Side) -> Self {
        Self { side, head: Vec::new(), passed: 0, rest: 0, api_key: None }
    }

    /// Returns how many of the next bytes may pass at once, and whether the cut is behind them.
    pub(super) fn look(&self, bytes: usize, cut: &FrameCut, asked: &Asked) -> (usize, bool) {
        let count = self.step(bytes);
        if self.side != cut.side || cut.times == 0 {
            return (bytes, false);
        }
        let api_key = match self.side {
            Side::Answers if self.passed == 0 => asked.lock().front().copied(),
            _ => self.api_key,
        };
        let is_there = api_key == Some(cut.api_key) && self.passed + count >= cut.after;
        match is_there {
            true => (cut.after.saturating_sub(self.passed), true),
            false => (count, false),
        }
    }

    /// Takes note of bytes that pass.
    pub(super) fn advance(&mut self, mut bytes: &[u8], asked: &mut VecDeque<i16>) {
        while !bytes.is_empty() {
            if self.passed == 0 && self.side == Side::Answers {
                self.api_key = asked.pop_front();
            }
            let (now, later) = bytes.split_at(self.step(bytes.len()));
            bytes = later;
            self.passed += now.len();
            if self.head.len() < self.head_bytes() {
                self.head.extend_from_slice(now);
                if self.head.len() == self.head_bytes() {
                    self.begin(asked);
                }
            } else {
                self.rest -= now.len();
            }
            if self.head.len() == self.head_bytes() && self.rest == 0 {
                (self.passed, self.api_key) = (0, None);
                self.head.clear();
            }
        }
    }

    /// Tells whether the last frame has passed whole, and no byte of the next.
    pub(super) fn is_between(&self) -> bool {
        self.passed == 0
    }

    fn begin(&mut self, asked: &mut VecDeque<i16>) {
        let length = i32::from_be_bytes(self.head[..LENGTH_BYTES].try_into().unwrap());
        let behind = self.head_bytes() - LENGTH_BYTES;
        self.rest = usize::try_from(length).unwrap_or(usize::MAX).saturating_sub(behind);
        if self.side == Side::Requests {
            let key = i16::from_be_bytes(self.head[LENGTH_BYTES..].try_into().unwrap());
            asked.push_back(key);
            self.api_key = Some(key);
        }
    }

    /// Returns how many of the next bytes belong together.
    fn step(&self, bytes: usize) -> usize {
        let head_left = self.head_bytes() - self.head.len();
        bytes.min(if head_left > 0 { head_left } else { self.rest })
    }

    fn head_bytes(&self) -> usize {
        match self.side {
            Side::Requests => KEY_BYTES,
            Side::Answers => LENGTH_BYTES,
        }
    }
}
