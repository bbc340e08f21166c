//! The fast part of the decode loop: runs of records that have the same shape.
//!
//! # Idea
//!
//! A record begins with varints whose widths decide where everything behind them lies, and looking
//! at each width in turn is most of the cost of a plain decoder. But in one batch the widths hardly
//! change: bodies of 64 to 8191 bytes have a length of two bytes, offset deltas from 64 on have
//! two, timestamps within 63 ms of the base have one. So the widths of length, timestamp and
//! offset, and whether there is a key, are taken together as the record's **shape**. Each of the 16
//! shapes has a loop of its own in which all widths are constants:
//!
//! ```text
//! byte     0        1        2        3        4        5        6
//!          length   length   attrib.  time     offset   offset   key length
//! mask     81       80       00       80       81       80       81
//! wanted   80       00       00       00       80       00       00
//! ```
//!
//! Those bytes are one word. One AND and one comparison say that every continuation bit is as the
//! shape has it, and, by the lowest bits, that length, offset and key length are not negative (a
//! zig-zag code is even for those). What is left are shifts by constants, the value's length, and
//! the header block, which is a single zero byte in most records.
//!
//! # What ends a run
//!
//! Anything that is not plainly right: another shape, a longer varint, a null value, an offset out
//! of order or past the stop, bytes that end. The loop then leaves the record alone and the careful
//! decoder in `iter` looks at it: it delivers what is right in another way and names what is wrong.
//! A run therefore never reports an error, and a record that it accepts is one that the careful
//! decoder would deliver with the same numbers; tests hold it to that.
//!
//! # What it relies on
//!
//! Positions fit 32 bits, since the cursor refuses larger slices. Every sum of a position and the
//! numbers read here is below 2^33 and cannot wrap a `usize`, and every access is checked by
//! `get`. That the record ends where its length says (`headers_at + 1 == end`, or the header walk)
//! also proves that key and value lie inside of it.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::entry::{Descriptor, count_headers};
use super::varint::zigzag;

/// What all records of a batch share, in one call of decode.
#[derive(Debug)]
pub(super) struct Frame {
    /// The offset that deltas are relative to.
    pub(super) base_offset: i64,
    /// The timestamp that deltas are relative to, or the append time of all records.
    pub(super) base_timestamp: i64,
    /// All ones, or zero where the timestamp deltas count for nothing.
    pub(super) timestamp_mask: i64,
    /// Records with this delta or a larger one are not delivered.
    pub(super) stop_delta: u32,
    /// The caller's number for the slice.
    pub(super) block: u32,
}

/// How far the decode has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Where in the slice the next record starts.
    pub(super) position: u32,
    /// The smallest delta that the next record may have.
    pub(super) next_delta: u32,
}

/// Decodes records into `slots` until one has no shape or does not look right, moves `place` behind
/// the decoded ones and returns how many there were.
///
/// `window` is the slice up to where records may end.
#[inline]
pub(super) fn decode_runs(
    window: &[u8],
    frame: &Frame,
    place: &mut Place,
    slots: &mut [Descriptor],
) -> usize {
    let mut filled = 0_usize;
    let mut last_run = RUN_SHORT;
    while let Some(shape) = shape_at(window, place.position, last_run < RUN_SHORT)
        && let Some(run) = RUNS.get(shape)
        && let Some(free) = slots.get_mut(filled..)
    {
        last_run = run(window, frame, place, free);
        if last_run == 0 {
            break;
        }
        filled = filled.saturating_add(last_run);
    }
    filled
}

type Run = fn(&[u8], &Frame, &mut Place, &mut [Descriptor]) -> usize;

/// A run of fewer records did not pay for the jump to its loop: the next one is a loose one.
const RUN_SHORT: usize = 8;

/// The timestamp width of the loose shapes, which take timestamps of any width up to 8 bytes and
/// keys whose length has one byte or two, or which are null.
const ANY: u32 = 0;

/// The loops by shape: bit 0 for a length of two bytes, bit 1 for an offset of two, then either
/// bit 2 for a timestamp of two and bit 3 for a null key, or bit 4 for a loose shape.
const RUNS: [Run; 20] = [
    run::<1, 1, 1, true>,
    run::<2, 1, 1, true>,
    run::<1, 1, 2, true>,
    run::<2, 1, 2, true>,
    run::<1, 2, 1, true>,
    run::<2, 2, 1, true>,
    run::<1, 2, 2, true>,
    run::<2, 2, 2, true>,
    run::<1, 1, 1, false>,
    run::<2, 1, 1, false>,
    run::<1, 1, 2, false>,
    run::<2, 1, 2, false>,
    run::<1, 2, 1, false>,
    run::<2, 2, 1, false>,
    run::<1, 2, 2, false>,
    run::<2, 2, 2, false>,
    run::<1, ANY, 1, false>,
    run::<2, ANY, 1, false>,
    run::<1, ANY, 2, false>,
    run::<2, ANY, 2, false>,
];

/// Guesses the shape of the record at `position` from its continuation bits; the loop checks it.
#[inline]
fn shape_at(window: &[u8], position: u32, is_loose: bool) -> Option<usize> {
    let start = position as usize;
    let (length, time_at) = match word_at(window, start)? & 0x80 {
        0 => (0, start.wrapping_add(2)),
        _ => (1, start.wrapping_add(3)),
    };
    let time_width = width(word_at(window, time_at)?)?;
    let word = word_at(window, time_at.wrapping_add(time_width as usize))?;
    let (offset, word) = if word & 0x80 == 0 { (0, word >> 8) } else { (2, word >> 16) };
    if is_loose || time_width > 2 || word & 0x80 != 0 {
        return Some(length | offset | 16);
    }
    let time = if time_width == 1 { 0 } else { 4 };
    let null_key = if word & 1 == 0 { 0 } else { 8 };
    Some(length | offset | time | null_key)
}

/// The loop of one shape; see the module's documentation.
#[allow(
    clippy::cast_possible_truncation,
    reason = "positions are below 2^32, which the cursor has checked for the whole slice"
)]
fn run<const LENGTH: u32, const TIME: u32, const OFFSET: u32, const KEYED: bool>(
    window: &[u8],
    frame: &Frame,
    place: &mut Place,
    slots: &mut [Descriptor],
) -> usize {
    let Place { mut position, mut next_delta } = *place;
    let mut records = 0_usize;
    for slot in slots {
        let start = position as usize;
        let Some(head) = read_head::<LENGTH, TIME, OFFSET, KEYED>(window, start) else {
            break;
        };
        let key = head.key_len_at.wrapping_add(head.key_len.width);
        let value_len_at = key.wrapping_add(head.key_len.bytes as usize);
        let Some(value_len) = read_len(window, value_len_at) else {
            break;
        };
        let value = value_len_at.wrapping_add(value_len.width);
        let headers_at = value.wrapping_add(value_len.bytes as usize);
        let header_count = match window.get(headers_at) {
            Some(0) if headers_at.wrapping_add(1) == head.end => 0,
            Some(1..) => match window.get(headers_at..head.end).and_then(count_headers) {
                Some(count) => count,
                None => break,
            },
            _ => break,
        };
        if head.delta < next_delta || head.delta >= frame.stop_delta {
            break;
        }
        *slot = Descriptor {
            offset: frame.base_offset.wrapping_add(i64::from(head.delta)),
            timestamp: frame
                .base_timestamp
                .wrapping_add(head.timestamp_delta & frame.timestamp_mask),
            block: frame.block,
            key: key as u32,
            value: value as u32,
            key_len: head.key_len.len,
            value_len: value_len.len,
            header_count,
        };
        next_delta = head.delta.wrapping_add(1);
        position = head.end as u32;
        records = records.wrapping_add(1);
    }
    *place = Place { position, next_delta };
    records
}

/// What stands in a record before its key.
struct Head {
    /// Where the record ends by its length.
    end: usize,
    timestamp_delta: i64,
    delta: u32,
    key_len: Len,
    /// Where the key's length stands.
    key_len_at: usize,
}

/// The length of a key or a value.
struct Len {
    /// The length, −1 for null.
    len: i32,
    /// The bytes that are there: none for null.
    bytes: u32,
    /// How many bytes the varint has.
    width: usize,
}

impl Len {
    const NULL: Self = Self { len: -1, bytes: 0, width: 1 };

    #[inline(always)]
    fn new(bytes: u32, width: usize) -> Self {
        Self { len: bytes.cast_signed(), bytes, width }
    }
}

/// Reads the head of the record at `start` if it has this shape.
#[inline(always)]
fn read_head<const LENGTH: u32, const TIME: u32, const OFFSET: u32, const KEYED: bool>(
    window: &[u8],
    start: usize,
) -> Option<Head> {
    let (mask, wanted) = const { head_pattern(LENGTH, TIME, OFFSET, KEYED) };
    let word = word_at(window, start)?;
    if word & mask != wanted {
        return None;
    }
    let body_at = start.wrapping_add(LENGTH as usize);
    let end = body_at.wrapping_add(natural(word, 0, LENGTH) as usize);
    if TIME == ANY {
        let (mask, wanted) = const { natural_pattern(OFFSET) };
        let time_at = body_at.wrapping_add(1);
        let time = word_at(window, time_at)?;
        let width = width(time)?;
        let offset_at = time_at.wrapping_add(width as usize);
        let offset = word_at(window, offset_at)?;
        if offset & mask != wanted {
            return None;
        }
        let key_len_at = offset_at.wrapping_add(OFFSET as usize);
        return Some(Head {
            end,
            timestamp_delta: zigzag(squeeze(time, width)),
            delta: natural(offset, 0, OFFSET),
            key_len: read_len(window, key_len_at)?,
            key_len_at,
        });
    }
    let time_at = const { LENGTH + 1 };
    let offset_at = const { LENGTH + 1 + TIME };
    let key_len_at = const { LENGTH + 1 + TIME + OFFSET };
    Some(Head {
        end,
        timestamp_delta: zigzag(u64::from(code(word, time_at, TIME))),
        delta: natural(word, offset_at, OFFSET),
        key_len: if KEYED { Len::new(natural(word, key_len_at, 1), 1) } else { Len::NULL },
        key_len_at: start.wrapping_add(key_len_at as usize),
    })
}

/// The bits that a shape fixes in the word at a record's start, and what they must be; those of the
/// length alone if the timestamp's width is open.
#[allow(
    clippy::arithmetic_side_effects,
    reason = "runs at compile time, where an overflow is an error"
)]
const fn head_pattern(length: u32, time: u32, offset: u32, keyed: bool) -> (u64, u64) {
    let (mask, wanted) = natural_pattern(length);
    if time == ANY {
        return (mask, wanted);
    }
    let (time_mask, time_wanted) = if time == 1 { (0x80, 0x00) } else { (0x8080, 0x80) };
    let (offset_mask, offset_wanted) = natural_pattern(offset);
    let (key_mask, key_wanted) = if keyed { (0x81, 0x00) } else { (0xff, 0x01) };
    let time_at = 8 * (length + 1);
    let offset_at = time_at + 8 * time;
    let key_at = offset_at + 8 * offset;
    (
        mask | time_mask << time_at | offset_mask << offset_at | key_mask << key_at,
        wanted | time_wanted << time_at | offset_wanted << offset_at | key_wanted << key_at,
    )
}

/// The bits that a varint of `width` bytes fixes if its number is not negative.
const fn natural_pattern(width: u32) -> (u64, u64) {
    if width == 1 { (0x81, 0x00) } else { (0x8081, 0x80) }
}

/// Reads the varint of `width` (1 or 2) bytes at byte `at` of `word`, known not to be negative.
#[inline(always)]
fn natural(word: u64, at: u32, width: u32) -> u32 {
    code(word, at, width) >> 1
}

/// Reads the code of the varint of `width` (1 or 2) bytes at byte `at` of `word`.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "the masks keep 14 bits")]
fn code(word: u64, at: u32, width: u32) -> u32 {
    let bytes = word.wrapping_shr(at.wrapping_mul(8)) as u32;
    if width == 1 { bytes & 0x7f } else { bytes & 0x7f | bytes >> 1 & 0x3f80 }
}

/// Returns how many bytes the varint at the start of `word` has, `None` if more than 8.
#[inline(always)]
fn width(word: u64) -> Option<u32> {
    let ends = !word & 0x8080_8080_8080_8080;
    (ends != 0).then(|| (ends.trailing_zeros() >> 3).wrapping_add(1))
}

/// Puts the 7-bit groups of the varint of `width` bytes at the start of `word` together.
#[inline(always)]
fn squeeze(word: u64, width: u32) -> u64 {
    let kept = u64::MAX.wrapping_shr(64_u32.wrapping_sub(width.wrapping_mul(8)));
    let bytes = word & kept & 0x7f7f_7f7f_7f7f_7f7f;
    let pairs = bytes & 0x007f_007f_007f_007f | (bytes & 0x7f00_7f00_7f00_7f00) >> 1;
    let fours = pairs & 0x0000_3fff_0000_3fff | (pairs & 0x3fff_0000_3fff_0000) >> 2;
    fours & 0x0fff_ffff | (fours & 0x0fff_ffff_0000_0000) >> 4
}

/// Reads a nullable length of one or two bytes.
#[inline(always)]
fn read_len(window: &[u8], at: usize) -> Option<Len> {
    let bytes = window.get(at..at.wrapping_add(2))?.first_chunk()?;
    let word = u64::from(u16::from_le_bytes(*bytes));
    match word {
        _ if word & 0x81 == 0 => Some(Len::new(natural(word, 0, 1), 1)),
        _ if word & 0x8081 == 0x80 => Some(Len::new(natural(word, 0, 2), 2)),
        _ if word & 0xff == 1 => Some(Len::NULL),
        _ => None,
    }
}

#[inline(always)]
fn word_at(window: &[u8], at: usize) -> Option<u64> {
    let bytes = window.get(at..at.wrapping_add(8))?.first_chunk()?;
    Some(u64::from_le_bytes(*bytes))
}
