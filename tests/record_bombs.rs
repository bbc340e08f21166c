//! Compressed batches that grow without measure: each codec's worst, held to a cap.
//!
//! What Rust allocates is counted; what the process had resident at most shows the rest, such as
//! the window of zstd, which is C.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and its numbers are small"
)]
#![cfg(target_os = "linux")]

mod record_counting;

use std::fs;

use kfetch::record::{Codec, Deflater, InflateError, Inflater, codec::size_hint};
use record_counting::measure;

const CAP: usize = 2 << 20;
const BOMB_LEN: usize = 64 << 20;

/// For the codecs' contexts, and pages that the process touches for its own reasons.
const SLACK: isize = 512 << 10;

struct Bomb {
    name: &'static str,
    codec: Codec,
    input: Vec<u8>,
    /// What it inflates to, or `None` for one that lies about its size.
    len: Option<usize>,
}

fn deflate(codec: Codec, plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Deflater::new().deflate(codec, None, plain, &mut out).unwrap();
    out
}

/// One LZ4 frame of linked 4-MiB blocks, the densest there is.
fn lz4_of_large_blocks() -> Vec<u8> {
    let mut frame = b"\x04\x22\x4d\x18\x60\x70\x73".to_vec();
    let block = lz4_flex::block::compress(&vec![0; 4 << 20]);
    for _ in 0..BOMB_LEN >> 22 {
        frame.extend_from_slice(&u32::try_from(block.len()).unwrap().to_le_bytes());
        frame.extend_from_slice(&block);
    }
    frame.extend_from_slice(&[0; 4]);
    frame
}

fn bombs() -> Vec<Bomb> {
    let zeros = vec![0; BOMB_LEN];
    let bomb = |name, codec, input| Bomb { name, codec, input, len: Some(BOMB_LEN) };
    let lie = |name, codec, input: &[u8]| Bomb { name, codec, input: input.to_vec(), len: None };
    vec![
        bomb("gzip", Codec::Gzip, deflate(Codec::Gzip, &zeros)),
        bomb(
            "gzip of 64 members",
            Codec::Gzip,
            deflate(Codec::Gzip, &zeros[..BOMB_LEN / 64]).repeat(64),
        ),
        bomb("snappy in chunks", Codec::Snappy, deflate(Codec::Snappy, &zeros)),
        bomb(
            "snappy in one block",
            Codec::Snappy,
            snap::raw::Encoder::new().compress_vec(&zeros).unwrap(),
        ),
        bomb("lz4", Codec::Lz4, deflate(Codec::Lz4, &zeros)),
        bomb("lz4 of large blocks", Codec::Lz4, lz4_of_large_blocks()),
        bomb("zstd", Codec::Zstd, deflate(Codec::Zstd, &zeros)),
        bomb(
            "zstd of 64 frames",
            Codec::Zstd,
            deflate(Codec::Zstd, &zeros[..BOMB_LEN / 64]).repeat(64),
        ),
        lie(
            "gzip that says 4 GiB",
            Codec::Gzip,
            &[&deflate(Codec::Gzip, b"x")[..17], &[0xff; 4]].concat(),
        ),
        lie("snappy that says 4 GiB", Codec::Snappy, &[0xff, 0xff, 0xff, 0xff, 0x0f, 0, b'a']),
        lie("lz4 that says 2^63", Codec::Lz4, b"\x04\x22\x4d\x18\x68\x40\0\0\0\0\0\0\0\x80\x3b"),
        // One segment of 2^63 bytes, then one of a window of 2 GiB without a size; a raw block.
        lie("zstd that says 2^63", Codec::Zstd, b"\x28\xb5\x2f\xfd\xe0\0\0\0\0\0\0\0\x80\x09\0\0a"),
        lie("zstd with a large window", Codec::Zstd, b"\x28\xb5\x2f\xfd\x00\xa8\x10\0\0a"),
    ]
}

/// Kibibytes in a line of this process's status.
fn status_kib(name: &str) -> isize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn every_bomb_stops_at_the_cap() {
    for Bomb { name, codec, input, len } in bombs() {
        let mut inflater = Inflater::new();
        let first_size = size_hint(codec, &input).unwrap_or(4 * input.len()).min(4 * input.len());
        fs::write("/proc/self/clear_refs", "5").unwrap();
        let resident = status_kib("VmRSS");
        let (_, peak, outcome) = measure(|| {
            let outcome = inflater.inflate_capped(codec, &input, first_size, CAP, |size| {
                assert!(size <= CAP);
                Some(vec![0xee_u8; size])
            });
            outcome.map(|(_, len)| len)
        });
        let grown = (status_kib("VmHWM") - resident) << 10;
        let bound = CAP.cast_signed() + SLACK;
        assert!(peak <= bound, "{name}: {peak} bytes allocated");
        assert!(grown <= bound, "{name}: {grown} bytes resident");
        match (len, outcome) {
            (Some(len), Err(InflateError::TooLarge { cap: CAP })) => {
                let mut out = vec![1; len];
                assert_eq!(inflater.inflate(codec, &input, &mut out), Ok(len), "{name}");
                assert!(out.iter().all(|byte| *byte == 0), "{name}");
            }
            (None, Err(InflateError::TooLarge { .. } | InflateError::Corrupt { .. })) => {}
            (_, outcome) => panic!("{name}: {outcome:?}"),
        }
    }
}
