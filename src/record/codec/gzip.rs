//! gzip: members one after the other, each a header, a deflate stream and a trailer (RFC 1952).
//!
//! The members' headers and trailers are walked here and the deflate streams are left to flate2,
//! so that one context serves all batches and the CRC-32 runs at the speed of the batch's own.
//! Java ignores bytes behind the last member; here they are damage.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::{Codec, InflateError};

/// Magic, deflate, no flags, no time, no extra flags, unknown system: what Java writes.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

const FLAG_HEADER_CRC: u8 = 1 << 1;
const FLAG_EXTRA: u8 = 1 << 2;
const FLAG_NAME: u8 = 1 << 3;
const FLAG_COMMENT: u8 = 1 << 4;
const FLAGS_RESERVED: u8 = 0b1110_0000;

/// Decompresses all members of `input`; `stream` is a context for raw deflate.
pub(super) fn inflate(
    stream: &mut Decompress,
    mut input: &[u8],
    out: &mut [u8],
) -> Result<usize, InflateError> {
    let mut filled = 0_usize;
    loop {
        read_header(&mut input)?;
        let place = out.get_mut(filled..).unwrap_or_default();
        let produced = inflate_member(stream, &mut input, place)?;
        filled = filled.saturating_add(produced);
        if input.is_empty() {
            return Ok(filled);
        }
    }
}

/// Returns the size in the last member's trailer, modulo 2^32.
pub(super) fn size_hint(input: &[u8]) -> Option<usize> {
    let size = input.last_chunk::<4>()?;
    usize::try_from(u32::from_le_bytes(*size)).ok()
}

/// Appends `input` as one member; `stream` is a new or reset context for raw deflate.
pub(super) fn deflate(stream: &mut Compress, input: &[u8], out: &mut Vec<u8>) -> bool {
    out.extend_from_slice(&HEADER);
    loop {
        let read = usize::try_from(stream.total_in()).unwrap_or(usize::MAX);
        let rest = input.get(read..).unwrap_or_default();
        out.reserve(rest.len().saturating_div(2).max(64));
        match stream.compress_vec(rest, out, FlushCompress::Finish) {
            Ok(Status::StreamEnd) => break,
            Ok(Status::Ok | Status::BufError) => {}
            Err(_) => return false,
        }
    }
    out.extend_from_slice(&crc_fast::crc32_iso_hdlc(input).to_le_bytes());
    out.extend_from_slice(&size_modulo(input.len()).to_le_bytes());
    true
}

/// Returns flate2's level for Kafka's: 1 to 9, or −1 for the default.
pub(super) fn level(level: Option<i32>) -> Option<Compression> {
    match level {
        None | Some(-1) => Some(Compression::default()),
        Some(level) => {
            u32::try_from(level).ok().filter(|level| (1..=9).contains(level)).map(Compression::new)
        }
    }
}

/// Decompresses the deflate stream at the front of `input`, compares the trailer behind it, and
/// takes both off `input`.
fn inflate_member(
    stream: &mut Decompress,
    input: &mut &[u8],
    out: &mut [u8],
) -> Result<usize, InflateError> {
    stream.reset(false);
    let status = stream
        .decompress(input, out, FlushDecompress::Finish)
        .map_err(|_| corrupt("the deflate stream is malformed"))?;
    let produced = usize::try_from(stream.total_out()).unwrap_or(usize::MAX);
    if status != Status::StreamEnd {
        return Err(if produced == out.len() {
            InflateError::OutputTooSmall
        } else {
            corrupt("the deflate stream is cut off")
        });
    }
    let read = usize::try_from(stream.total_in()).unwrap_or(usize::MAX);
    let trailer = input.get(read..).and_then(|rest| rest.split_first_chunk::<8>());
    let Some(([c0, c1, c2, c3, s0, s1, s2, s3], rest)) = trailer else {
        return Err(corrupt("the trailer is cut off"));
    };
    let output = out.get(..produced).unwrap_or_default();
    if crc_fast::crc32_iso_hdlc(output) != u32::from_le_bytes([*c0, *c1, *c2, *c3]) {
        return Err(corrupt("the checksum differs"));
    }
    if size_modulo(produced) != u32::from_le_bytes([*s0, *s1, *s2, *s3]) {
        return Err(corrupt("the size differs"));
    }
    *input = rest;
    Ok(produced)
}

/// Takes a member's header off the front of `input`.
fn read_header(input: &mut &[u8]) -> Result<(), InflateError> {
    let whole = *input;
    let Some((&[0x1f, 0x8b, method, flags, ..], rest)) = whole.split_first_chunk::<10>() else {
        return Err(corrupt("there is no gzip header"));
    };
    if method != 8 || flags & FLAGS_RESERVED != 0 {
        return Err(corrupt("the header's method or flags are unknown"));
    }
    let cut = || corrupt("the header is cut off");
    *input = rest;
    if flags & FLAG_EXTRA != 0 {
        let (len, rest) = input.split_first_chunk().ok_or_else(cut)?;
        *input = rest.get(usize::from(u16::from_le_bytes(*len))..).ok_or_else(cut)?;
    }
    for flag in [FLAG_NAME, FLAG_COMMENT] {
        if flags & flag != 0 {
            let end = input.iter().position(|&byte| byte == 0).ok_or_else(cut)?;
            *input = input.get(end.saturating_add(1)..).ok_or_else(cut)?;
        }
    }
    if flags & FLAG_HEADER_CRC != 0 {
        let header = whole.get(..whole.len().saturating_sub(input.len())).unwrap_or_default();
        let (stored, rest) = input.split_first_chunk().ok_or_else(cut)?;
        let [low, high, ..] = crc_fast::crc32_iso_hdlc(header).to_le_bytes();
        if *stored != [low, high] {
            return Err(corrupt("the header's checksum differs"));
        }
        *input = rest;
    }
    Ok(())
}

/// The size field of a trailer: it wraps around at 4 GiB.
fn size_modulo(len: usize) -> u32 {
    u32::try_from(len & 0xffff_ffff).unwrap_or(0)
}

fn corrupt(text: &'static str) -> InflateError {
    InflateError::Corrupt { codec: Codec::Gzip, text }
}
