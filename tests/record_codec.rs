//! The four codecs: round trips, streams of the reference tools, damage at every byte, and that no
//! byte of a used output buffer ever comes out again.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and its numbers are small"
)]

use kfetch::record::codec::DeflateError;
use kfetch::record::{Codec, Deflater, InflateError, Inflater, codec::size_hint};
use proptest::collection::vec;
use proptest::prelude::*;

const COMPRESSED: [Codec; 4] = [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

macro_rules! frames {
    ($name:literal) => {
        include_bytes!(concat!("record_frames/", $name))
    };
}

fn deflate(codec: Codec, level: Option<i32>, input: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Deflater::new().deflate(codec, level, input, &mut out).unwrap();
    out
}

/// Inflates twice into memory that held different bytes; the result must not know of them.
fn inflate(codec: Codec, input: &[u8], size: usize) -> Result<Vec<u8>, InflateError> {
    let mut inflater = Inflater::new();
    let [first, second] = [0x55_u8, 0xaa].map(|poison| {
        let mut out = vec![poison; size];
        let len = inflater.inflate(codec, input, &mut out)?;
        out.truncate(len);
        Ok(out)
    });
    assert_eq!(first, second, "{codec} let bytes of the used memory through");
    first
}

fn corrupt(codec: Codec, input: &[u8]) -> &'static str {
    match inflate(codec, input, 1 << 20) {
        Err(InflateError::Corrupt { codec: named, text }) if named == codec => text,
        other => panic!("{codec} is not corrupt: {other:?}"),
    }
}

/// What the streams in `record_frames` hold: 1000 bytes of noise, over and over.
fn tools_data() -> Vec<u8> {
    let mut state = 1_u32;
    let noise: Vec<u8> = (0..1000)
        .map(|_| {
            state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345) & 0x7fff_ffff;
            (state >> 16) as u8
        })
        .collect();
    noise.repeat(200)
}

fn json(len: usize) -> Vec<u8> {
    let lines = (0..)
        .flat_map(|id| format!("{{\"id\":{id},\"city\":\"{}\"}}\n", id * id % 97).into_bytes());
    lines.take(len).collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(300)
    })]

    #[test]
    fn what_is_deflated_is_inflated(
        runs in vec((any::<u8>(), 1_usize..3000, any::<bool>()), 0..60),
        contexts_are_fresh in any::<bool>(),
    ) {
        let mut plain = Vec::new();
        let mut state = 7_u8;
        for (byte, len, is_noise) in runs {
            for _ in 0..len {
                state = state.wrapping_mul(5).wrapping_add(byte | 1);
                plain.push(if is_noise { state } else { byte });
            }
        }
        let (mut deflater, mut inflater) = (Deflater::new(), Inflater::new());
        for codec in Codec::ALL {
            if contexts_are_fresh {
                (deflater, inflater) = (Deflater::new(), Inflater::new());
            }
            let mut input = b"before".to_vec();
            deflater.deflate(codec, None, &plain, &mut input).unwrap();
            let input = input.strip_prefix(b"before").unwrap();
            let mut out = vec![0xee; plain.len()];
            prop_assert_eq!(inflater.inflate(codec, input, &mut out), Ok(plain.len()));
            prop_assert!(out == plain);
            if let Some(short) = plain.len().checked_sub(1) {
                let outcome = inflater.inflate(codec, input, &mut out[..short]);
                prop_assert_eq!(outcome, Err(InflateError::OutputTooSmall));
            }
        }
    }

    #[test]
    fn arbitrary_bytes_are_inflated_or_refused(
        input in vec(any::<u8>(), 0..300),
        prefix in prop_oneof![
            Just(&[][..]),
            Just(&b"\x1f\x8b\x08\0\0\0\0\0\0\xff"[..]),
            Just(&b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01"[..]),
            Just(&b"\x04\x22\x4d\x18\x60\x40\x82"[..]),
            Just(&b"\x04\x22\x4d\x18\x40\x40\xc0"[..]),
            Just(&b"\x28\xb5\x2f\xfd"[..]),
        ],
    ) {
        let input = [prefix, &input].concat();
        for codec in COMPRESSED {
            let _ = size_hint(codec, &input);
            let _ = inflate(codec, &input, 5000);
        }
    }
}

#[test]
fn every_level_of_kafka_is_taken_and_others_are_refused() {
    let plain = json(10_000);
    let levels: [(Codec, &[i32], &[i32]); 4] = [
        (Codec::Gzip, &[-1, 1, 6, 9], &[0, 10, -2, i32::MIN]),
        (Codec::Snappy, &[], &[0, 1]),
        (Codec::Lz4, &[9], &[0, 1, 17]),
        (Codec::Zstd, &[-131_072, -1, 1, 3, 22], &[23, i32::MIN]),
    ];
    for (codec, good, bad) in levels {
        for level in good {
            let input = deflate(codec, Some(*level), &plain);
            assert_eq!(inflate(codec, &input, plain.len()).as_ref(), Ok(&plain));
        }
        for &level in bad {
            let mut out = Vec::new();
            let outcome = Deflater::new().deflate(codec, Some(level), &plain, &mut out);
            assert_eq!(outcome, Err(DeflateError::Level { codec, level }));
            assert_eq!(out, []);
        }
    }
}

#[test]
fn streams_of_the_reference_tools_are_read() {
    let data = tools_data();
    for (codec, input) in [
        (Codec::Lz4, &frames!("independent.lz4")[..]),
        (Codec::Lz4, &frames!("linked-checksums.lz4")[..]),
        (Codec::Lz4, &frames!("linked-4m.lz4")[..]),
        (Codec::Gzip, &frames!("all-fields.gz")[..]),
        (Codec::Zstd, &frames!("one.zst")[..]),
        (Codec::Zstd, &frames!("no-size.zst")[..]),
        (Codec::Zstd, &frames!("long-window.zst")[..]),
    ] {
        assert_eq!(inflate(codec, input, data.len()).as_ref(), Ok(&data));
        let short = inflate(codec, input, data.len() - 1);
        assert_eq!(short, Err(InflateError::OutputTooSmall));
    }
}

#[test]
fn streams_one_behind_the_other_are_one() {
    let data = tools_data();
    let twice = data.repeat(2);
    let skippable = b"\x53\x2a\x4d\x18\x05\0\0\0hello";
    for (codec, input) in [
        (Codec::Lz4, [frames!("independent.lz4"), &frames!("linked-checksums.lz4")[..]].concat()),
        (
            Codec::Lz4,
            [skippable, &frames!("linked-4m.lz4")[..], skippable, frames!("independent.lz4")]
                .concat(),
        ),
        (Codec::Gzip, [frames!("all-fields.gz"), &deflate(Codec::Gzip, None, &data)[..]].concat()),
        (Codec::Zstd, [frames!("one.zst"), &frames!("no-size.zst")[..]].concat()),
        (Codec::Zstd, [skippable, &frames!("one.zst")[..], frames!("long-window.zst")].concat()),
        (Codec::Snappy, deflate(Codec::Snappy, None, &data).repeat(2)),
    ] {
        assert_eq!(inflate(codec, &input, twice.len()).as_ref(), Ok(&twice), "{codec}");
    }
}

#[test]
fn a_raw_snappy_block_is_read_without_framing() {
    let data = json(50_000);
    let raw = snap::raw::Encoder::new().compress_vec(&data).unwrap();
    assert_eq!(size_hint(Codec::Snappy, &raw), Some(data.len()));
    assert_eq!(inflate(Codec::Snappy, &raw, data.len()), Ok(data));
}

#[test]
fn the_bytes_written_are_those_of_java() {
    let input = json(100_000);
    let snappy = deflate(Codec::Snappy, None, &input);
    assert_eq!(snappy[..16], *b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01");
    let chunk = u32::from_be_bytes(snappy[16..20].try_into().unwrap()) as usize;
    assert_eq!(snap::raw::decompress_len(&snappy[20..20 + chunk]), Ok(32 * 1024));
    let lz4 = deflate(Codec::Lz4, None, &input);
    assert_eq!(lz4[..7], *b"\x04\x22\x4d\x18\x60\x40\x82");
    assert_eq!(lz4[lz4.len() - 4..], [0; 4]);
    let gzip = deflate(Codec::Gzip, None, &input);
    assert_eq!(gzip[..10], *b"\x1f\x8b\x08\0\0\0\0\0\0\xff");
}

#[test]
fn blocks_that_do_not_shrink_are_stored() {
    let mut state = 1_u64;
    let noise: Vec<u8> = (0..150_000)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        })
        .collect();
    let lz4 = deflate(Codec::Lz4, None, &noise);
    assert_eq!(lz4.len(), noise.len() + 7 + 3 * 4 + 4);
    assert_eq!(inflate(Codec::Lz4, &lz4, noise.len()), Ok(noise));
}

#[test]
fn a_stream_cut_at_each_byte_is_refused() {
    let plain = json(3000);
    let streams = COMPRESSED.map(|codec| (codec, deflate(codec, None, &plain)));
    let tools = [
        (Codec::Gzip, frames!("all-fields.gz").to_vec()),
        (Codec::Lz4, frames!("linked-checksums.lz4").to_vec()),
        (Codec::Zstd, frames!("no-size.zst").to_vec()),
    ];
    for (codec, stream) in streams.into_iter().chain(tools) {
        for len in 0..stream.len() {
            // Snappy's framing has no end: between two chunks a cut one is whole.
            if codec == Codec::Snappy && len == 16 {
                continue;
            }
            corrupt(codec, &stream[..len]);
        }
    }
}

#[test]
fn a_flipped_bit_never_lets_old_bytes_through() {
    let plain = json(3000);
    for codec in COMPRESSED {
        let stream = deflate(codec, None, &plain);
        for bit in 0..stream.len() * 8 {
            let mut flipped = stream.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let outcome = inflate(codec, &flipped, 100_000);
            if codec == Codec::Gzip && bit >= 80 {
                assert!(outcome.is_err() || outcome == Ok(plain.clone()), "gzip has a checksum");
            }
        }
    }
}

#[test]
fn bytes_behind_the_last_stream_are_damage() {
    for codec in COMPRESSED {
        let mut stream = deflate(codec, None, &json(3000));
        stream.extend_from_slice(b"garbage");
        corrupt(codec, &stream);
    }
}

#[test]
fn an_empty_input_is_damage_and_an_empty_output_is_not() {
    for codec in COMPRESSED {
        corrupt(codec, &[]);
        assert_eq!(inflate(codec, &deflate(codec, None, &[]), 0), Ok(Vec::new()), "{codec}");
    }
}

/// A frame of one block with these bytes.
fn lz4_frame(flags: u8, block: &[u8]) -> Vec<u8> {
    let checksum = match flags {
        0x60 => 0x82,
        0x40 => 0xc0,
        _ => panic!("no checksum known"),
    };
    let mut frame = vec![0x04, 0x22, 0x4d, 0x18, flags, 0x40, checksum];
    frame.extend_from_slice(&u32::try_from(block.len()).unwrap().to_le_bytes());
    frame.extend_from_slice(block);
    frame.extend_from_slice(&[0; 4]);
    frame
}

#[test]
fn lz4_matches_never_reach_before_the_output() {
    // Four literals, then a match of 8 bytes from so far back, then five literals.
    let block = |offset: u16| {
        let [low, high] = offset.to_le_bytes();
        [&b"\x44abcd"[..], &[low, high], b"\x50vwxyz"].concat()
    };
    for flags in [0x60, 0x40] {
        let frame = lz4_frame(flags, &block(4));
        assert_eq!(inflate(Codec::Lz4, &frame, 100), Ok(b"abcdabcdabcdvwxyz".to_vec()));
        for offset in [0, 5, 17, 100, u16::MAX] {
            let text = corrupt(Codec::Lz4, &lz4_frame(flags, &block(offset)));
            assert_eq!(text, "a match reaches before the output");
        }
        // The frame before it is not part of the window.
        let frames = [lz4_frame(flags, &block(4)), lz4_frame(flags, &block(5))].concat();
        corrupt(Codec::Lz4, &frames);
    }
}

#[test]
fn lz4_blocks_see_the_block_before_only_if_they_are_linked() {
    let block = b"\x50abcde";
    let next = b"\x14x\x06\0\x50vwxyz";
    for (flags, is_linked) in [(0x40, true), (0x60, false)] {
        let mut frame = lz4_frame(flags, block);
        frame.truncate(frame.len() - 4);
        frame.extend_from_slice(&lz4_frame(flags, next)[7..]);
        let expected = b"abcdexabcdexabvwxyz".to_vec();
        assert_eq!(inflate(Codec::Lz4, &frame, 100).ok(), is_linked.then_some(expected));
    }
}

#[test]
fn lz4_frames_that_are_not_read_are_refused_by_name() {
    assert_eq!(corrupt(Codec::Lz4, frames!("legacy.lz4")), "a legacy frame is not read");
    let good = lz4_frame(0x60, b"\x50abcde");
    let with = |at: usize, byte: u8| {
        let mut frame = good.clone();
        frame[at] = byte;
        corrupt(Codec::Lz4, &frame)
    };
    assert_eq!(with(6, 0x83), "a frame's header checksum differs");
    assert_eq!(with(4, 0x61), "a frame needs a dictionary");
    assert_eq!(with(4, 0xa0), "a frame's version or flags are unknown");
    assert_eq!(with(4, 0x62), "a frame's version or flags are unknown");
    assert_eq!(with(5, 0x30), "a frame's block size is unknown");
    assert_eq!(with(5, 0x41), "a frame's block size is unknown");
    assert_eq!(with(10, 0x01), "a block is larger than its frame allows");
    let mut checked = frames!("linked-checksums.lz4").to_vec();
    let at = 15 + 4 + 700;
    checked[at] ^= 1;
    assert_eq!(corrupt(Codec::Lz4, &checked), "a block's checksum differs");
}

#[test]
fn lz4_blocks_keep_to_the_size_of_their_frame() {
    // 64 KiB + 1 byte of zeros in one block, in a frame whose blocks have at most 64 KiB.
    let block = lz4_flex::block::compress(&vec![0; 65_537]);
    let text = corrupt(Codec::Lz4, &lz4_frame(0x60, &block));
    assert_eq!(text, "a block is larger than its frame allows");
}

#[test]
fn snappy_chunks_are_checked() {
    let header = &b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01"[..];
    let framed = |version: u8, tail: &[u8]| {
        let mut stream = header.to_vec();
        stream[11] = version;
        stream.extend_from_slice(tail);
        stream
    };
    assert_eq!(corrupt(Codec::Snappy, &framed(0, &[])), "the framing's version is below 1");
    assert_eq!(inflate(Codec::Snappy, &framed(9, &[]), 0), Ok(Vec::new()));
    let text = corrupt(Codec::Snappy, &framed(1, &[0xff, 0xff, 0xff, 0xff]));
    assert_eq!(text, "a chunk's length is negative");
    assert_eq!(corrupt(Codec::Snappy, &framed(1, &[0, 0, 0, 9, 1])), "a chunk is cut off");
    let text = corrupt(Codec::Snappy, &framed(1, &[0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff, 0x0f]));
    assert_eq!(text, "a block declares more than its bytes can make");
    // The second number is in the other byte order in the streams of some writers.
    let mut swapped = framed(1, &[0, 0, 0, 3, 1, 0, b'a']);
    swapped[12..16].copy_from_slice(&[1, 0, 0, 0]);
    assert_eq!(inflate(Codec::Snappy, &swapped, 1), Ok(b"a".to_vec()));
}

#[test]
fn gzip_checks_header_checksum_and_size() {
    let good = deflate(Codec::Gzip, None, &json(3000));
    let with = |at: usize, mask: u8| {
        let mut stream = good.clone();
        stream[at] ^= mask;
        corrupt(Codec::Gzip, &stream)
    };
    assert_eq!(with(0, 1), "there is no gzip header");
    assert_eq!(with(2, 1), "the header's method or flags are unknown");
    assert_eq!(with(3, 0x80), "the header's method or flags are unknown");
    assert_eq!(with(good.len() - 8, 1), "the checksum differs");
    assert_eq!(with(good.len() - 1, 1), "the size differs");
    let mut all_fields = frames!("all-fields.gz").to_vec();
    all_fields[17] ^= 1;
    assert_eq!(corrupt(Codec::Gzip, &all_fields), "the header's checksum differs");
}
