//! Committed offsets on the disk: what is written, read again, compacted, and refused.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use std::fs;
use std::path::Path;

use kfetch::embedded::{
    CommittedOffset, OffsetKey, OffsetRecord, OffsetValue, Offsets, OffsetsLog, OffsetsLogOptions,
    partition_of, read_offsets,
};
use kfetch::record::{BatchBuilder, BatchOptions, Codec, ControlKey, ControlType, NewRecord};
use kfetch::{ErrorKind, LogWriter, LogWriterOptions};
use support::temp_dir::TempDir;

const TOPIC: &str = "__consumer_offsets";
const NOW_MS: i64 = 1_700_000_000_000;

fn committed(offset: i64, metadata: &str) -> CommittedOffset {
    CommittedOffset {
        offset,
        leader_epoch: 2,
        metadata: metadata.to_owned(),
        commit_timestamp_ms: NOW_MS,
        expire_timestamp_ms: None,
    }
}

fn record(group: &str, topic: &str, partition: i32, offset: Option<i64>) -> OffsetRecord {
    let committed = offset.map(|offset| committed(offset, "m"));
    OffsetRecord { group: group.to_owned(), topic: topic.to_owned(), partition, committed }
}

fn open(dir: &Path) -> (OffsetsLog, Offsets) {
    let options = OffsetsLogOptions { partitions: 7, ..OffsetsLogOptions::default() };
    OffsetsLog::open(dir, options).expect("the log opens")
}

fn offset(offsets: &Offsets, group: &str, topic: &str, partition: i32) -> Option<i64> {
    offsets.committed(group, topic, partition).map(|committed| committed.offset)
}

fn partition_dir(dir: &Path, group: &str, count: i32) -> std::path::PathBuf {
    dir.join(format!("{TOPIC}-{}", partition_of(group, count)))
}

fn log_len(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    let logs = entries.filter(|entry| entry.path().extension().is_some_and(|e| e == "log"));
    logs.map(|entry| entry.metadata().unwrap().len()).sum()
}

#[test]
fn what_was_committed_is_there_when_the_log_is_opened_again() {
    let dir = TempDir::new("embedded-offsets");
    let (mut log, offsets) = open(dir.path());
    assert_eq!((log.partition_count(), offsets), (7, Offsets::default()));
    let records: Vec<OffsetRecord> = (0..40)
        .map(|number| record(&format!("group-{number}"), "t", number % 3, Some(number.into())))
        .collect();
    log.append(&records, NOW_MS).unwrap();
    log.append(&[record("group-3", "t", 0, Some(77))], NOW_MS).unwrap();
    log.append(&[record("group-4", "t", 1, None)], NOW_MS).unwrap();
    let live = read_offsets(&[dir.path().to_owned()]).unwrap();
    drop(log);
    let (_log, offsets) = open(dir.path());
    assert_eq!(live, offsets, "a reader without lock sees the same");
    assert_eq!(offsets.groups().count(), 39);
    assert_eq!(offset(&offsets, "group-3", "t", 0), Some(77));
    assert_eq!(offset(&offsets, "group-4", "t", 1), None);
    assert_eq!(offsets.committed("group-5", "t", 2), Some(&committed(5, "m")));
}

#[test]
fn the_number_of_partitions_is_that_of_the_directory() {
    let dir = TempDir::new("embedded-offsets");
    open(dir.path()).0.close().unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 7);
    // As it is left when the making of the directories was cut short.
    for number in 0..4 {
        fs::remove_dir(dir.path().join(format!("{TOPIC}-{number}"))).unwrap();
    }
    let options = OffsetsLogOptions { partitions: 50, ..OffsetsLogOptions::default() };
    let (mut log, _) = OffsetsLog::open(dir.path(), options).unwrap();
    assert_eq!(log.partition_count(), 7);
    let groups: Vec<String> = (0..30).map(|number| format!("g{number}")).collect();
    for group in &groups {
        log.append(&[record(group, "t", 0, Some(1))], NOW_MS).unwrap();
    }
    log.close().unwrap();
    assert_eq!(open(dir.path()).1.groups().count(), 30);
}

#[test]
fn dead_records_are_gone_when_the_log_is_opened_again() {
    let dir = TempDir::new("embedded-offsets");
    let (mut log, _) = open(dir.path());
    for number in 0..500 {
        let records = [
            record("g", "t", 0, Some(number)),
            record("g", "t", 1, Some(number * 2)),
            record("g", "gone", 0, Some(number)),
        ];
        log.append(&records, NOW_MS).unwrap();
    }
    log.append(&[record("g", "gone", 0, None)], NOW_MS).unwrap();
    log.close().unwrap();
    let directory = partition_dir(dir.path(), "g", 7);
    let before = log_len(&directory);
    let (mut log, offsets) = open(dir.path());
    let after = log_len(&directory);
    assert!(after < 500 && before > 90_000, "{before} bytes became {after}");
    for _ in 0..2 {
        assert_eq!(offset(&offsets, "g", "t", 0), Some(499));
        assert_eq!(offset(&offsets, "g", "t", 1), Some(998));
        assert_eq!(offsets.group("g").unwrap().len(), 1);
    }
    assert_eq!(read_offsets(&[dir.path().to_owned()]).unwrap(), offsets);
    log.append(&[record("g", "t", 0, None), record("g", "t", 1, None)], NOW_MS).unwrap();
    log.close().unwrap();
    let (mut log, offsets) = open(dir.path());
    assert_eq!((offsets, log_len(&directory)), (Offsets::default(), 0));
    log.append(&[record("g", "t", 0, Some(3))], NOW_MS).unwrap();
    log.close().unwrap();
    assert_eq!(offset(&open(dir.path()).1, "g", "t", 0), Some(3));
}

#[test]
fn a_log_that_grows_is_compacted_while_it_is_open() {
    let dir = TempDir::new("embedded-offsets");
    let options = OffsetsLogOptions { partitions: 1, segment_bytes: 100_000, ..Default::default() };
    let (mut log, _) = OffsetsLog::open(dir.path(), options).unwrap();
    let mut longest = 0;
    for round in 0..150 {
        let records: Vec<OffsetRecord> =
            (0..1000).map(|number| record("g", "t", number % 10, Some(round))).collect();
        log.append(&records, NOW_MS).unwrap();
        longest = longest.max(log_len(&dir.path().join(format!("{TOPIC}-0"))));
    }
    let last = log_len(&dir.path().join(format!("{TOPIC}-0")));
    assert!(longest > 4_000_000 && last < 3_000_000, "{longest} bytes became {last}");
    drop(log);
    let (_, offsets) = OffsetsLog::open(dir.path(), options).unwrap();
    assert!((0..10).all(|partition| offset(&offsets, "g", "t", partition) == Some(149)));
}

#[test]
fn a_compaction_that_was_cut_short_at_any_point_has_lost_nothing() {
    let dir = TempDir::new("embedded-offsets");
    let options =
        OffsetsLogOptions { partitions: 1, segment_bytes: 300, ..OffsetsLogOptions::default() };
    let (mut log, _) = OffsetsLog::open(dir.path(), options).unwrap();
    for number in 0..20 {
        log.append(&[record("g", "t", 0, Some(number))], NOW_MS).unwrap();
        log.append(&[record("g", "u", 0, Some(number))], NOW_MS).unwrap();
    }
    log.append(&[record("g", "u", 0, None), record("g", "v", 0, Some(5))], NOW_MS).unwrap();
    let wanted = read_offsets(&[dir.path().to_owned()]).unwrap();
    log.close().unwrap();
    // What compaction appends, and then the removal of one segment after the other.
    let mut writer = LogWriter::open(dir.path(), TOPIC, 0, LogWriterOptions::default()).unwrap();
    writer.roll_segment().unwrap();
    for (topic, value) in [("t", committed(19, "m")), ("v", committed(5, "m"))] {
        let key = OffsetKey { group: "g", topic, partition: 0 }.to_bytes().unwrap();
        let value = OffsetValue::to_bytes(&value).unwrap();
        let record = NewRecord {
            timestamp: NOW_MS,
            key: Some(&key),
            value: Some(&value),
            ..Default::default()
        };
        writer.append(&[record]).unwrap();
    }
    writer.close().unwrap();
    let directory = dir.path().join(format!("{TOPIC}-0"));
    let mut logs: Vec<_> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    logs.sort();
    assert!(logs.len() > 5);
    for log in &logs[..logs.len() - 1] {
        assert_eq!(read_offsets(&[dir.path().to_owned()]).unwrap(), wanted);
        fs::remove_file(log).unwrap();
    }
    let (log, offsets) = OffsetsLog::open(dir.path(), options).unwrap();
    assert_eq!(offsets, wanted);
    log.close().unwrap();
    assert_eq!(read_offsets(&[dir.path().to_owned()]).unwrap(), wanted);
}

#[test]
fn what_is_not_known_is_stepped_over_and_kept() {
    let dir = TempDir::new("embedded-offsets");
    let key = OffsetKey { group: "g", topic: "t", partition: 0 }.to_bytes().unwrap();
    // Version 4 with a topic id and a tag of the future.
    let mut newest = vec![0, 4];
    newest.extend(9_i64.to_be_bytes());
    newest.extend(1_i32.to_be_bytes());
    newest.extend([2, b'x']);
    newest.extend(NOW_MS.to_be_bytes());
    newest.extend([vec![2, 0, 16], vec![7; 16], vec![9, 1, 42]].concat());
    let group_metadata = (vec![0, 2, 0, 1, b'g'], vec![0, 3, 1, 2, 3]);
    let consumer_group = (vec![0, 5, 0, 1, b'g'], vec![0, 0, 9]);
    let future = (OffsetKey { group: "g", topic: "f", partition: 0 }, vec![0, 99, 1]);
    let future = (future.0.to_bytes().unwrap(), future.1);
    let damaged = (vec![0, 1, 0, 99], vec![0, 3]);
    let mut pairs = vec![(key, newest)];
    pairs.extend([group_metadata, consumer_group, future, damaged]);
    let mut writer = LogWriter::open(dir.path(), TOPIC, 0, LogWriterOptions::default()).unwrap();
    for _ in 0..3 {
        for (key, value) in &pairs {
            let (key, value) = (Some(key.as_slice()), Some(value.as_slice()));
            let record = NewRecord { timestamp: NOW_MS, key, value, ..Default::default() };
            writer.append(&[record]).unwrap();
        }
        let nothing = NewRecord { timestamp: NOW_MS, ..Default::default() };
        writer.append(&[nothing]).unwrap();
    }
    writer.close().unwrap();
    let directory = dir.path().join(format!("{TOPIC}-0"));
    let before = log_len(&directory);
    for _ in 0..2 {
        let (log, offsets) = open(dir.path());
        assert_eq!(log.partition_count(), 1);
        assert_eq!(offsets.groups().count(), 1);
        let found = offsets.committed("g", "t", 0).unwrap();
        assert_eq!((found.offset, found.metadata.as_str()), (9, "x"));
        log.close().unwrap();
    }
    assert!(log_len(&directory) < before / 2, "compacted");
    let logs = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path());
    let logs = logs.filter(|path| path.extension().is_some_and(|ending| ending == "log"));
    let bytes: Vec<u8> = logs.flat_map(|path| fs::read(path).unwrap()).collect();
    for (key, value) in &pairs {
        let holds = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
        assert!(holds(key) && holds(value));
    }
}

/// Appends one batch to the first segment of partition 0.
fn append_batch(dir: &Path, base_offset: i64, options: BatchOptions, pairs: &[(&[u8], &[u8])]) {
    let mut builder = BatchBuilder::new(options);
    for (key, value) in pairs {
        let (key, value) = (Some(*key), Some(*value));
        let record = NewRecord { timestamp: NOW_MS, key, value, ..Default::default() };
        builder.append(&record).unwrap();
    }
    let directory = dir.join(format!("{TOPIC}-0"));
    fs::create_dir_all(&directory).unwrap();
    let path = directory.join("00000000000000000000.log");
    let mut bytes = fs::read(&path).unwrap_or_default();
    builder.finish(base_offset, &mut bytes).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn offsets_of_a_transaction_count_once_its_marker_is_there() {
    let dir = TempDir::new("embedded-offsets");
    let pair = |topic: &str, offset| {
        let key = OffsetKey { group: "g", topic, partition: 0 }.to_bytes().unwrap();
        (key, OffsetValue::to_bytes(&committed(offset, "")).unwrap())
    };
    let of = |producer_id, is_control| BatchOptions {
        producer_id,
        producer_epoch: 0,
        base_sequence: 0,
        is_transactional: true,
        is_control,
        ..BatchOptions::default()
    };
    let marker = |control_type| ControlKey { version: 0, control_type }.to_bytes();
    let mut next = 0;
    let mut append = |options: BatchOptions, key: &[u8], value: &[u8]| {
        append_batch(dir.path(), next, options, &[(key, value)]);
        next += 1;
    };
    let (old, aborted, open, late) = (pair("a", 1), pair("b", 2), pair("c", 3), pair("d", 4));
    append(of(1, false), &old.0, &old.1);
    append(of(2, false), &aborted.0, &aborted.1);
    append(of(3, false), &open.0, &open.1);
    append(of(4, false), &late.0, &late.1);
    let plain = pair("d", 40);
    let gzip = BatchOptions { codec: Codec::Gzip, ..BatchOptions::default() };
    append(gzip, &plain.0, &plain.1);
    let read = || read_offsets(&[dir.path().to_owned()]).unwrap();
    assert_eq!(offset(&read(), "g", "a", 0), None, "not yet");
    append(of(1, true), &marker(ControlType::Commit), &[0; 6]);
    append(of(2, true), &marker(ControlType::Abort), &[0; 6]);
    append(of(4, true), &marker(ControlType::Commit), &[0; 6]);
    let (log, offsets) = open_one(dir.path());
    log.close().unwrap();
    for offsets in [offsets, read()] {
        let found: Vec<_> =
            ["a", "b", "c", "d"].map(|topic| offset(&offsets, "g", topic, 0)).into();
        // What was committed after the transaction's is newer, though its marker came later.
        assert_eq!(found, [Some(1), None, None, Some(40)]);
    }
    append(of(3, true), &marker(ControlType::Commit), &[0; 6]);
    assert_eq!(offset(&open_one(dir.path()).1, "g", "c", 0), Some(3));
}

fn open_one(dir: &Path) -> (OffsetsLog, Offsets) {
    let options = OffsetsLogOptions { partitions: 1, ..OffsetsLogOptions::default() };
    OffsetsLog::open(dir, options).expect("the log opens")
}

#[test]
fn the_directory_of_a_broker_is_refused_and_can_be_read() {
    let dir = TempDir::new("embedded-offsets");
    let (mut log, _) = open(dir.path());
    log.append(&[record("g", "t", 0, Some(5))], NOW_MS).unwrap();
    log.close().unwrap();
    fs::write(dir.path().join("meta.properties"), "version=1\n").unwrap();
    let error = OffsetsLog::open(dir.path(), OffsetsLogOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.message().contains("belongs to a broker"), "{error}");
    let offsets = read_offsets(&[dir.path().to_owned()]).unwrap();
    assert_eq!(offset(&offsets, "g", "t", 0), Some(5));
}

#[test]
fn damage_is_an_error_that_names_the_place() {
    let dir = TempDir::new("embedded-offsets");
    let (mut log, _) = open(dir.path());
    for number in 0..3 {
        log.append(&[record("g", "t", 0, Some(number))], NOW_MS).unwrap();
    }
    log.close().unwrap();
    let path = partition_dir(dir.path(), "g", 7).join("00000000000000000000.log");
    let mut bytes = fs::read(&path).unwrap();
    bytes[70] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let error = read_offsets(&[dir.path().to_owned()]).unwrap_err();
    assert_eq!((error.kind(), error.topic()), (ErrorKind::Corrupt, Some(TOPIC)));
    assert_eq!((error.partition(), error.offset()), (partition_of("g", 7), 0));
}
