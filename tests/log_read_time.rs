//! The first record at or after a time is the one that a search through all records finds.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod log_files;
#[path = "support/temp_dir.rs"]
mod temp_dir;

use std::fs;

use kfetch::ErrorKind;
use kfetch::log::ReadMode;
use kfetch::record::{BatchBuilder, BatchOptions, Codec, NewRecord};
use log_files::{Batch, Partition, batch, concat};
use proptest::prelude::*;
use temp_dir::TempDir;

/// What may have become of a segment's indexes.
#[derive(Clone, Copy, Debug)]
enum Indexes {
    Whole,
    Absent,
    /// The last entries have not reached the disk, zeros have.
    Late,
    Zeros,
    /// The time index of other records.
    Foreign,
    Noise(u8),
}

#[derive(Clone, Debug)]
struct Case {
    /// The batches' timestamps and codecs.
    batches: Vec<(Vec<i64>, usize)>,
    batches_each: usize,
    indexes: Indexes,
    log_start: i64,
    high_watermark: i64,
}

fn case() -> impl Strategy<Value = Case> {
    let indexes = prop_oneof![
        Just(Indexes::Whole),
        Just(Indexes::Absent),
        Just(Indexes::Late),
        Just(Indexes::Zeros),
        Just(Indexes::Foreign),
        any::<u8>().prop_map(Indexes::Noise),
    ];
    // Now and then a record has no timestamp or one far off the others'.
    let timestamp = prop_oneof![8 => 0..60_i64, 1 => Just(-1), 1 => 0..1000_i64];
    let timestamps = prop::collection::vec(timestamp, 1..6);
    (
        prop::collection::vec((timestamps, 0..5_usize), 1..16),
        1..6_usize,
        indexes,
        0..40_i64,
        0..60_i64,
    )
        .prop_map(|(mut batches, batches_each, indexes, log_start, high_watermark)| {
            // Times rise over all, though not from record to record. They are even, so that an
            // entry of a wrong index, whose time is odd, cannot be taken for a right one.
            for (number, (timestamps, _)) in (0..).zip(&mut batches) {
                for timestamp in timestamps.iter_mut().filter(|timestamp| **timestamp >= 0) {
                    *timestamp = *timestamp * 2 + number * 40;
                }
            }
            Case { batches, batches_each, indexes, log_start, high_watermark }
        })
}

fn write(partition: &Partition, case: &Case) -> Vec<(i64, i64)> {
    let mut next_offset = 0;
    let mut records = Vec::new();
    let mut batches = Vec::new();
    for (timestamps, codec) in &case.batches {
        let made = batch(next_offset, timestamps, 20, Codec::ALL[*codec]);
        records.extend((next_offset..).zip(timestamps.iter().copied()));
        next_offset = made.header.next_offset();
        batches.push(made);
    }
    for segment in batches.chunks(case.batches_each) {
        partition.write_segment(segment);
        let base_offset = segment[0].header.base_offset;
        let path = partition.path(base_offset, "timeindex");
        let whole = fs::read(&path).unwrap();
        match case.indexes {
            Indexes::Whole => {}
            Indexes::Absent => {
                fs::remove_file(&path).unwrap();
                fs::remove_file(partition.path(base_offset, "index")).unwrap();
            }
            Indexes::Late => {
                let kept = whole.len() / 24 * 12;
                fs::write(&path, [&whole[..kept], &[0; 240]].concat()).unwrap();
            }
            Indexes::Zeros => fs::write(&path, [0; 2400]).unwrap(),
            Indexes::Foreign => {
                let entry = |n: i32| {
                    [i64::from(n * 18 + 1).to_be_bytes().to_vec(), n.to_be_bytes().to_vec()]
                };
                fs::write(&path, (0..12).flat_map(entry).flatten().collect::<Vec<u8>>()).unwrap();
            }
            Indexes::Noise(seed) => {
                let noise: Vec<u8> = whole.iter().map(|byte| byte ^ (seed | 1)).collect();
                fs::write(&path, noise).unwrap();
            }
        }
    }
    partition.write_high_watermark(case.high_watermark.min(next_offset));
    partition.write_log_start(case.log_start.min(next_offset));
    records
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn lookup_finds_what_a_search_through_all_records_finds(case in case()) {
        let dir = TempDir::new("time");
        let partition = Partition::new(dir.path());
        let records = write(&partition, &case);
        let mut reader = partition.open(ReadMode::Auto);
        let (start, end) = (reader.log_start_offset(), reader.high_watermark());
        let last = records.iter().map(|record| record.1).max().unwrap();
        for timestamp in -2..=last + 1 {
            let naive = records.iter().find(|(offset, found)| {
                *found >= timestamp && *offset >= start && *offset < end
            });
            let found = reader.offset_for_time(timestamp).unwrap();
            prop_assert_eq!(found, naive.copied(), "{}", timestamp);
        }
        prop_assert_eq!(reader.position(), start);
    }
}

#[test]
fn append_time_counts_for_all_records_and_control_batches_for_none() {
    let dir = TempDir::new("time-kinds");
    let partition = Partition::new(dir.path());
    let build = |base_offset: i64, append_time_ms: Option<i64>, is_control: bool| {
        let options = BatchOptions { append_time_ms, is_control, ..BatchOptions::default() };
        let mut builder = BatchBuilder::new(options);
        for timestamp in [70, 10] {
            builder.append(&NewRecord { timestamp, ..NewRecord::default() }).unwrap();
        }
        let mut bytes = Vec::new();
        let header = builder.finish(base_offset, &mut bytes).unwrap();
        Batch { bytes, header }
    };
    partition.write_segment(&[
        build(0, Some(50), false),
        build(2, None, true),
        build(4, None, false),
    ]);
    let mut reader = partition.open(ReadMode::Pread);
    assert_eq!(reader.offset_for_time(50).unwrap(), Some((0, 50)));
    assert_eq!(reader.offset_for_time(51).unwrap(), Some((4, 70)));
    assert_eq!(reader.offset_for_time(71).unwrap(), None);
}

#[test]
fn a_damaged_batch_on_the_way_is_told() {
    let dir = TempDir::new("time-damage");
    let partition = Partition::new(dir.path());
    let batches: Vec<Batch> =
        (0..4).map(|n| batch(n * 2, &[n * 10, n * 10 + 1], 50, Codec::Gzip)).collect();
    partition.write_segment(&batches);
    let mut bytes = concat(&batches);
    let at = concat(&batches[..2]).len() + 80;
    bytes[at] ^= 1;
    fs::write(partition.path(0, "log"), &bytes).unwrap();
    let mut reader = partition.open(ReadMode::Pread);
    assert_eq!(reader.offset_for_time(11).unwrap(), Some((3, 11)), "before it");
    assert_eq!(reader.offset_for_time(30).unwrap(), Some((6, 30)), "behind it");
    let error = reader.offset_for_time(20).unwrap_err();
    assert_eq!((error.kind(), error.offset()), (ErrorKind::Corrupt, 4));
    assert!(error.to_string().contains("00000.log"), "{error}");
}
