//! What travels through a partition's ring: runs of whole batches, and what happened between them.

#![forbid(unsafe_code)]

use crate::buffer::Slice;
use crate::error::Error;

/// Slots of a partition's ring.
pub const RING_SLOTS: usize = 16;

/// Where a slot's batches were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// When the partition's leader sent them; the broker's id.
    Leader(i32),
    /// When a follower sent them; the broker's id.
    Follower(i32),
    /// When they come from a segment file of this host.
    Segment,
}

/// One entry of a partition's ring.
#[derive(Debug)]
pub struct Slot {
    /// The partition's stamp when the slot was made: poll drops a slot with another one, since
    /// the partition has been sought, revoked or assigned anew after it.
    pub stamp: u32,
    /// What it brings.
    pub kind: SlotKind,
}

/// What a slot brings.
#[derive(Debug)]
pub enum SlotKind {
    /// When batches have come.
    Run(Run),
    /// When the position is now known, because it was looked up and nobody gave one.
    Start {
        /// The first offset that will be read.
        offset: i64,
    },
    /// When the position lay outside of the partition and has been reset by the policy.
    Reset {
        /// The position that was out of range.
        from: i64,
        /// The first offset that will be read now.
        to: i64,
    },
    /// When offsets are stepped over that hold no records for the application.
    Gap {
        /// The offset behind them.
        next_offset: i64,
    },
    /// When everything up to the partition's end has been read.
    End {
        /// The end: the high watermark.
        offset: i64,
    },
    /// When the partition failed.
    Failed {
        /// Why.
        error: Box<Error>,
        /// Whether it stays failed until a seek; else the engine goes on trying.
        sticky: bool,
    },
}

/// Consecutive whole batches of one partition that lie together in one block, checksums verified.
#[derive(Debug)]
pub struct Run {
    /// The batches, the first byte being the first batch's header.
    pub bytes: Slice,
    /// Records below this offset were not asked for.
    pub from_offset: i64,
    /// The last batch's last offset + 1.
    pub next_offset: i64,
    /// The high watermark that came with the batches.
    pub high_watermark: i64,
    /// Who they were read from.
    pub source: Source,
}
