//! What the log writer writes: records as they were given, files as Kafka lays them out.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod log_write_files;
mod record_naive;
mod support;

use std::fs;
use std::path::Path;

use kfetch::record::{Codec, NewRecord};
use kfetch::{ErrorKind, LogWriter, LogWriterOptions};
use log_write_files::{
    Segment, borrowed, check_closed_times, checkpoint, contents, files, read_segments, records,
};
use proptest::collection::vec;
use proptest::prelude::*;
use record_naive::Owned;
use support::temp_dir::TempDir;

const HIGH_WATERMARKS: &str = "replication-offset-checkpoint";
const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";

fn append_all(writer: &mut LogWriter, records: &[Owned]) -> i64 {
    let mut headers: Vec<Vec<_>> = records.iter().map(|_| Vec::new()).collect();
    let pairs = records.iter().zip(&mut headers);
    let new: Vec<NewRecord<'_>> =
        pairs.map(|(record, headers)| borrowed(record, headers)).collect();
    writer.append(&new).unwrap()
}

/// Gives the records the offsets that follow `first`.
fn numbered(first: i64, records: &[Owned]) -> Vec<Owned> {
    let number = |(offset, record): (i64, &Owned)| Owned { offset, ..record.clone() };
    (first..).zip(records).map(number).collect()
}

fn record(timestamp: i64, value: &[u8]) -> Owned {
    Owned { offset: 0, timestamp, key: None, value: Some(value.to_vec()), headers: Vec::new() }
}

fn any_record() -> impl Strategy<Value = Owned> {
    let bytes =
        |len: usize| prop_oneof![1 => Just(None), 4 => vec(any::<u8>(), 0..len).prop_map(Some)];
    let timestamp = prop_oneof![Just(-2), 0..100_i64, 1_600_000_000_000..1_600_000_100_000_i64];
    let headers =
        prop_oneof![3 => Just(Vec::new()), 1 => vec((vec(any::<u8>(), 0..9), bytes(9)), 0..4)];
    (timestamp, bytes(30), bytes(300), headers).prop_map(|(timestamp, key, value, headers)| Owned {
        offset: 0,
        timestamp,
        key,
        value,
        headers,
    })
}

/// No batch and no segment is larger than asked for unless it could not be smaller, and none is
/// ended before it had to be.
fn check_sizes(segments: &[Segment], options: &LogWriterOptions) {
    let segment_bytes = usize::try_from(options.segment_bytes).unwrap();
    for pair in segments.windows(2) {
        let next = &pair[1].batches[0];
        assert!(pair[0].size + next.header.size() > segment_bytes, "rolled too early");
    }
    for segment in segments {
        assert!(segment.size <= segment_bytes || segment.batches.len() == 1);
        for batch in &segment.batches {
            let is_small = batch.header.size() <= options.batch_bytes;
            assert!(is_small || options.codec != Codec::None || batch.records.len() == 1);
            assert_eq!(batch.header.partition_leader_epoch, 0);
            assert_eq!(batch.header.producer_id, -1);
        }
    }
}

#[test]
fn a_record_without_a_time_stamp_gets_the_time_of_the_append() {
    let dir = TempDir::new("log-write");
    let now_ms = || {
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        i64::try_from(since_epoch.unwrap().as_millis()).unwrap()
    };
    let before = now_ms();
    let mut writer = LogWriter::open(dir.path(), "now", 0, LogWriterOptions::default()).unwrap();
    append_all(&mut writer, &[record(-1, b"a"), record(7, b"b"), record(-1, b"c")]);
    writer.close().unwrap();
    let segments = read_segments(&dir.path().join("now-0"), 4096);
    let found: Vec<i64> = records(&segments).iter().map(|record| record.timestamp).collect();
    assert!((before..=now_ms()).contains(&found[0]), "{found:?}");
    assert_eq!((found[1], found[2] >= found[0]), (7, true));
}

#[test]
fn every_codec_keeps_records_as_they_are() {
    let dir = TempDir::new("log-write");
    let odd = Owned {
        key: Some(Vec::new()),
        value: None,
        headers: vec![
            (b"a".to_vec(), Some(b"1".to_vec())),
            (b"a".to_vec(), None),
            (Vec::new(), Some(Vec::new())),
            (vec![0xff, 0], Some(vec![0x80; 300])),
        ],
        ..record(-2, b"")
    };
    let mut wanted: Vec<Owned> = vec![odd.clone()];
    wanted.extend((0..2000).map(|number: i64| {
        let mut owned = record(1_600_000_000_000 + number, format!("value {number}").as_bytes());
        owned.key = (number % 3 == 0).then(|| number.to_be_bytes().to_vec());
        owned
    }));
    wanted.push(odd);
    for (partition, codec) in (0..).zip(Codec::ALL) {
        let options = LogWriterOptions { codec, batch_bytes: 4000, ..Default::default() };
        let mut writer = LogWriter::open(dir.path(), "codecs", partition, options).unwrap();
        assert_eq!(append_all(&mut writer, &wanted), 0);
        assert_eq!(writer.next_offset(), 2002);
        writer.close().unwrap();
        let segments = read_segments(&dir.path().join(format!("codecs-{partition}")), 4096);
        assert_eq!(records(&segments), numbered(0, &wanted), "{codec}");
        assert!(segments[0].batches.len() > 10);
        for batch in &segments[0].batches {
            assert_eq!(batch.header.codec(), Ok(codec));
        }
        check_closed_times(&segments[0]);
        assert_eq!(checkpoint(dir.path(), HIGH_WATERMARKS, "codecs", partition), Some(2002));
    }
}

#[test]
fn levels_of_codecs_are_used() {
    let dir = TempDir::new("log-write");
    let sizes = [1, 9].map(|level| {
        let options = LogWriterOptions {
            codec: Codec::Gzip,
            compression_level: Some(level),
            ..Default::default()
        };
        let mut writer = LogWriter::open(dir.path(), "levels", level, options).unwrap();
        let value: Vec<u8> = (0..9000_u32).flat_map(|n| (n * n % 977).to_le_bytes()).collect();
        append_all(&mut writer, &[record(0, &value)]);
        writer.close().unwrap();
        read_segments(&dir.path().join(format!("levels-{level}")), 4096)[0].size
    });
    assert!(sizes[1] < sizes[0], "{sizes:?}");
}

#[test]
fn readers_are_told_of_batches_by_flush_by_bytes_and_by_time() {
    let dir = TempDir::new("log-write");
    let watermark = || checkpoint(dir.path(), HIGH_WATERMARKS, "told", 0).unwrap();
    let options = LogWriterOptions {
        batch_bytes: 1000,
        flush_bytes: 5000,
        flush_ms: u64::MAX,
        ..Default::default()
    };
    let mut writer = LogWriter::open(dir.path(), "told", 0, options).unwrap();
    assert_eq!(watermark(), 0);
    append_all(&mut writer, &[record(0, &[1; 100])]);
    assert_eq!(watermark(), 0);
    writer.flush(false).unwrap();
    assert_eq!((watermark(), checkpoint(dir.path(), RECOVERY_POINTS, "told", 0)), (1, Some(0)));
    for _ in 0..5 {
        append_all(&mut writer, &[record(0, &[2; 900])]);
    }
    assert_eq!(watermark(), 1);
    append_all(&mut writer, &[record(0, &[2; 900]), record(0, &[2; 900])]);
    let by_bytes = watermark();
    assert!((6..=7).contains(&by_bytes), "{by_bytes}");
    writer.flush(true).unwrap();
    assert_eq!((watermark(), checkpoint(dir.path(), RECOVERY_POINTS, "told", 0)), (8, Some(8)));
    drop(writer);
    let options = LogWriterOptions { flush_bytes: u64::MAX, flush_ms: 0, ..options };
    let mut writer = LogWriter::open(dir.path(), "told", 0, options).unwrap();
    append_all(&mut writer, &[record(0, &[2; 900]), record(0, &[2; 900])]);
    assert_eq!(watermark(), 9);
    let segments = read_segments(&dir.path().join("told-0"), 4096);
    assert_eq!(records(&segments).len(), 9, "what is published is in the file");
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let dirs = [TempDir::new("log-write"), TempDir::new("log-write")];
    let written = [(&dirs[0], 0), (&dirs[1], u64::MAX)].map(|(dir, flush_ms)| {
        let options = LogWriterOptions {
            codec: Codec::Zstd,
            segment_bytes: 20_000,
            batch_bytes: 3000,
            flush_ms,
            ..Default::default()
        };
        let mut writer = LogWriter::open(dir.path(), "same", 7, options).unwrap();
        for number in 0..30_000_i64 {
            append_all(&mut writer, &[record(number, &number.pow(3).to_le_bytes())]);
        }
        writer.close().unwrap();
        (contents(dir.path()), contents(&dir.path().join("same-7")))
    });
    assert!(written[0].1.len() > 10);
    assert!(written[0] == written[1]);
}

#[test]
fn an_offset_too_far_from_the_base_begins_a_segment() {
    let dir = TempDir::new("log-write");
    let partition = dir.path().join("far-0");
    fs::create_dir_all(&partition).unwrap();
    // As compaction leaves it: the only record of the batch has the last offset but one that fits.
    let mut builder = kfetch::record::BatchBuilder::default();
    let mut batch = Vec::new();
    builder.append_at(i32::MAX - 1, &NewRecord::default()).unwrap();
    builder.finish(50, &mut batch).unwrap();
    fs::write(partition.join("00000000000000000050.log"), batch).unwrap();
    let mut writer = LogWriter::open(dir.path(), "far", 0, LogWriterOptions::default()).unwrap();
    let next = 50 + i64::from(i32::MAX);
    assert_eq!(append_all(&mut writer, &[record(5, b"fits")]), next);
    writer.flush(false).unwrap();
    assert_eq!(append_all(&mut writer, &[record(6, b"does not"), record(7, b"nor")]), next + 1);
    writer.close().unwrap();
    let names: Vec<String> = files(&partition, "log")
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["00000000000000000050.log", "00000000002147483698.log"]);
    let times = fs::read(partition.join("00000000000000000050.timeindex")).unwrap();
    assert_eq!(times[times.len() - 12..], [0, 0, 0, 0, 0, 0, 0, 5, 0x7f, 0xff, 0xff, 0xff]);
}

#[test]
fn a_directory_of_a_broker_and_bad_arguments_are_refused() {
    let dir = TempDir::new("log-write");
    let open = |topic: &str, partition| {
        LogWriter::open(dir.path(), topic, partition, LogWriterOptions::default())
    };
    for (topic, partition) in [("", 0), ("a b", 0), ("..", 0), ("a/b", 0), ("a", -1)] {
        let error = open(topic, partition).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{topic:?}");
    }
    fs::write(dir.path().join("meta.properties"), "version=1\n").unwrap();
    let error = open("orders", 3).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert_eq!((error.topic(), error.partition()), (Some("orders"), 3));
    assert!(error.message().contains("belongs to a broker"), "{error}");
    let names: Vec<String> = contents(dir.path()).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["meta.properties"]);
    assert!(!dir.path().join("orders-3").exists());
}

#[test]
fn a_log_directory_that_cannot_be_made_is_named() {
    let dir = TempDir::new("log-write");
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = LogWriter::open(&file, "t", 0, LogWriterOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.message().contains(file.to_str().unwrap()), "{error}");
}

/// What the model does with the writer.
#[derive(Clone, Debug)]
enum Step {
    Append(Vec<Owned>),
    Flush {
        sync: bool,
    },
    /// Closes, or drops, and opens again.
    Reopen {
        close: bool,
    },
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => vec(any_record(), 0..20).prop_map(Step::Append),
        2 => any::<bool>().prop_map(|sync| Step::Flush { sync }),
        1 => any::<bool>().prop_map(|close| Step::Reopen { close }),
    ]
}

fn any_options() -> impl Strategy<Value = LogWriterOptions> {
    let sizes = (0..3000_usize, 1..6000_u64, 0..2000_u32, 0..5000_u64);
    (prop::sample::select(&Codec::ALL[..]), sizes).prop_map(|(codec, sizes)| LogWriterOptions {
        codec,
        compression_level: None,
        batch_bytes: sizes.0,
        segment_bytes: sizes.1,
        index_interval_bytes: sizes.2,
        flush_bytes: sizes.3,
        flush_ms: u64::MAX,
    })
}

/// Checks the files after a flush or a close: all records are there, readers may see them.
fn check_flushed(log_dir: &Path, model: &[Owned], options: &LogWriterOptions) -> Vec<Segment> {
    let interval = usize::try_from(options.index_interval_bytes).unwrap();
    let segments = read_segments(&log_dir.join("model-1"), interval);
    assert_eq!(records(&segments), model);
    check_sizes(&segments, options);
    let end = i64::try_from(model.len()).unwrap();
    assert_eq!(checkpoint(log_dir, HIGH_WATERMARKS, "model", 1), Some(end));
    segments
}

/// The files that opening leaves as they are; a time index that was closed more than once is made
/// shorter.
fn kept(log_dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut contents = contents(&log_dir.join("model-1"));
    contents.retain(|(name, _)| !name.ends_with(".timeindex"));
    contents
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn any_appends_flushes_and_rolls_agree_with_a_list(
        options in any_options(),
        steps in vec(any_step(), 1..40),
    ) {
        let dir = TempDir::new("log-write-model");
        let open = || LogWriter::open(dir.path(), "model", 1, options).unwrap();
        let mut writer = open();
        let mut model: Vec<Owned> = Vec::new();
        let mut synced = 0;
        for step in steps {
            let end = i64::try_from(model.len()).unwrap();
            match step {
                Step::Append(new) => {
                    prop_assert_eq!(append_all(&mut writer, &new), end);
                    model.extend(numbered(end, &new));
                }
                Step::Flush { sync } => {
                    writer.flush(sync).unwrap();
                    check_flushed(dir.path(), &model, &options);
                    synced = if sync { end } else { synced };
                }
                Step::Reopen { close } => {
                    if close { writer.close().unwrap() } else { drop(writer) }
                    let before = kept(dir.path());
                    let segments = check_flushed(dir.path(), &model, &options);
                    segments.iter().for_each(check_closed_times);
                    writer = open();
                    prop_assert_eq!(before, kept(dir.path()), "what was closed is not touched");
                }
            }
            prop_assert_eq!(writer.next_offset(), i64::try_from(model.len()).unwrap());
            prop_assert_eq!(checkpoint(dir.path(), RECOVERY_POINTS, "model", 1), Some(synced));
            let watermark = checkpoint(dir.path(), HIGH_WATERMARKS, "model", 1).unwrap();
            prop_assert!(watermark >= synced && watermark <= writer.next_offset());
        }
        writer.close().unwrap();
        check_flushed(dir.path(), &model, &options).iter().for_each(check_closed_times);
    }
}
