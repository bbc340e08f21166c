//! Segments of the log writer in the hands of Apache Kafka: its dump tool, and brokers that serve,
//! continue, recover and replicate them.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod log_write_files;
mod record_naive;
mod support;

use std::fs;
use std::path::{Path, PathBuf};

use kfetch::record::{Codec, NewRecord};
use kfetch::{LogWriter, LogWriterOptions};
use log_write_files::{Segment, files, read_batches, read_segments, records};
use support::helper::helper;
use support::kafka::{Broker, Cluster};
use support::producer::{FoundRecord, Record};
use support::temp_dir::TempDir;

const DUMP: &str = "kafka.tools.DumpLogSegments";
const FIRST_MS: i64 = 1_600_000_000_000;
const COUNT: i64 = 3000;

/// What the dump tool says where something is wrong.
const COMPLAINTS: [&str; 7] =
    ["mismatch", "corrupt", "found", "isvalid: false", "exception", "non-consecutive", "error"];

fn options(codec: Codec) -> LogWriterOptions {
    LogWriterOptions {
        codec,
        batch_bytes: 2000,
        segment_bytes: 15_000,
        index_interval_bytes: 3000,
        ..Default::default()
    }
}

/// Writes records with nulls, headers, no timestamps and timestamps that fall.
fn write(log_dir: &Path, topic: &str, partition: i32, codec: Codec) {
    let mut writer = LogWriter::open(log_dir, topic, partition, options(codec)).unwrap();
    for number in 0..COUNT {
        let (key, value) = (format!("key {number}"), format!("{number} ").repeat(20));
        let headers: [(&[u8], Option<&[u8]>); 3] =
            [(b"a", Some(b"1")), (b"a", None), (b"\xc3\xa9", Some(&[0xff]))];
        let timestamp = match number % 9 {
            0 => -2,
            1 => FIRST_MS - number,
            _ => FIRST_MS + number,
        };
        let record = NewRecord {
            timestamp,
            key: (number % 7 != 0).then_some(key.as_bytes()),
            value: (number % 5 != 0).then_some(value.as_bytes()),
            headers: if number % 3 == 0 { &headers } else { &[] },
        };
        assert_eq!(writer.append(&[record]).unwrap(), number);
        if number == COUNT / 2 {
            writer.flush(true).unwrap();
        }
    }
    writer.close().unwrap();
}

/// Returns what was written, as Kafka's consumer returns records.
fn written(directory: &Path) -> Vec<FoundRecord> {
    let segments = read_segments(directory, 3000);
    assert!(segments.len() > 1, "there is more than one segment");
    assert!(segments.iter().all(|segment| !segment.offsets.is_empty()));
    found(&segments)
}

fn found(segments: &[Segment]) -> Vec<FoundRecord> {
    let found = |record: record_naive::Owned| FoundRecord {
        offset: record.offset,
        timestamp_ms: record.timestamp,
        key: record.key,
        value: record.value,
        headers: record
            .headers
            .into_iter()
            .map(|(key, value)| (String::from_utf8(key).unwrap(), value))
            .collect(),
    };
    records(segments).into_iter().map(found).collect()
}

/// Runs the dump tool over files and returns the lines in which it complains, and its output.
fn dump(files: &[PathBuf], options: &[&str]) -> (Vec<String>, String) {
    let names: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
    let names = names.join(",");
    let output = helper().tool(DUMP, &[&["--files", names.as_str()], options].concat());
    assert_eq!(output.status, 0, "{output:?}");
    let text = format!("{}{}", output.stdout, output.stderr);
    let is_complaint = |line: &&str| {
        let line = line.to_lowercase();
        COMPLAINTS.iter().any(|complaint| line.contains(complaint))
    };
    (text.lines().filter(is_complaint).map(str::to_owned).collect(), text)
}

/// Holds all files of a partition to what Kafka's dump tool makes of them.
fn check_by_dump(directory: &Path) {
    let logs = files(directory, "log");
    let (complaints, text) = dump(&logs, &["--deep-iteration"]);
    assert_eq!(complaints, [""; 0]);
    let batches = text.matches("baseOffset: ").count();
    assert!(batches > 0 && text.matches("isvalid: true").count() == batches, "{text}");
    let indexes = [files(directory, "index"), files(directory, "timeindex")].concat();
    assert_eq!(indexes.len(), 2 * logs.len());
    for options in [&[][..], &["--verify-index-only"], &["--index-sanity-check"]] {
        let (complaints, text) = dump(&indexes, options);
        assert_eq!(complaints, [""; 0], "{options:?}");
        let passed = text.matches("passed sanity check").count();
        assert!(options != ["--index-sanity-check"] || passed == indexes.len(), "{text}");
    }
}

#[test]
fn the_dump_tool_finds_nothing_wrong() {
    let dir = TempDir::new("log-write-real");
    for (partition, codec) in (0..).zip(Codec::ALL) {
        write(dir.path(), "dumped", partition, codec);
        check_by_dump(&dir.path().join(format!("dumped-{partition}")));
    }
}

#[test]
fn the_dump_tool_would_find_what_is_wrong() {
    let dir = TempDir::new("log-write-real");
    write(dir.path(), "damaged", 0, Codec::None);
    let directory = dir.path().join("damaged-0");
    for (ending, at) in [("log", 600), ("index", 3), ("timeindex", 7)] {
        let path = files(&directory, ending).remove(0);
        let good = fs::read(&path).unwrap();
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&path, bad).unwrap();
        let (complaints, text) = dump(std::slice::from_ref(&path), &[]);
        assert!(!complaints.is_empty(), "{ending}: {text}");
        fs::write(&path, good).unwrap();
    }
}

/// Puts the files of a log directory's partition in place of those of a stopped broker, but for
/// the topic's id, which is the cluster's to give.
fn put_in_place(written: &Path, broker: &Broker, topic: &str, partition: i32) {
    let target = broker.partition_dir(topic, partition);
    for entry in fs::read_dir(&target).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap() != "partition.metadata" {
            fs::remove_file(path).unwrap();
        }
    }
    for entry in fs::read_dir(written.join(format!("{topic}-{partition}"))).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), target.join(entry.file_name())).unwrap();
    }
}

#[test]
fn brokers_serve_continue_recover_and_replicate_the_segments() {
    let dir = TempDir::new("log-write-real");
    let cluster = Cluster::builder().nodes(3).start();
    let replicas = [1; Codec::ALL.len()].map(|id| [id]);
    let replicas: Vec<&[u32]> = replicas.iter().map(<[u32; 1]>::as_slice).collect();
    let configs = [("retention.ms", "-1"), ("segment.bytes", "1048576")];
    // Not so much later than the segment's first record that the broker would roll it.
    let more = |number| Record::new("more", "value").timestamp_ms(FIRST_MS + COUNT + number);
    // After a clean stop the broker believes the files; after a kill it reads them all.
    for (topic, is_clean) in [("stopped", true), ("killed", false)] {
        cluster.create_topic_on(topic, &replicas, &configs);
        // A broker writes the topic's id into the partition's directory with the first records at
        // the latest; a directory without one it takes for a stray and renames.
        for partition in 0..i32::try_from(Codec::ALL.len()).unwrap() {
            cluster.produce(topic, &[more(0).partition(partition)], &[]);
        }
        let broker = cluster.broker(1);
        if is_clean {
            broker.stop()
        } else {
            broker.kill()
        }
        for (partition, codec) in (0..).zip(Codec::ALL) {
            write(dir.path(), topic, partition, codec);
            put_in_place(dir.path(), broker, topic, partition);
        }
        broker.start();
        for partition in 0..i32::try_from(Codec::ALL.len()).unwrap() {
            let directory = dir.path().join(format!("{topic}-{partition}"));
            let (mut wanted, segment_count) = (written(&directory), files(&directory, "log").len());
            assert_eq!(i64::try_from(wanted.len()), Ok(COUNT));
            let consume = || cluster.consume(topic, partition, 0, "read_uncommitted");
            assert!(consume() == wanted, "{topic}-{partition}: served as written");
            let records: Vec<Record> =
                (0..50).map(|number| more(number).partition(partition)).collect();
            let offsets = cluster.produce(topic, &records, &[]);
            assert_eq!(offsets, (COUNT..COUNT + 50).collect::<Vec<_>>());
            wanted.extend(cluster.consume(topic, partition, COUNT, "read_uncommitted"));
            assert_eq!(i64::try_from(wanted.len()), Ok(COUNT + 50));
            assert!(consume() == wanted);
            let logs = broker.segments(topic, partition);
            assert_eq!(logs.len(), segment_count, "the broker goes on in the last segment");
            let (complaints, _) = dump(&logs, &["--deep-iteration"]);
            assert_eq!(complaints, [""; 0]);
            // The new leader's only source was the broker that had the files.
            cluster.move_leader(topic, partition, 2);
            assert!(consume() == wanted, "{topic}-{partition}: replicated");
            let (_, states) = cluster.describe_topic(topic);
            let state = states.iter().find(|state| state.partition == partition).unwrap();
            assert_eq!((state.leader, &state.replicas), (Some(2), &vec![2]));
        }
    }
}

#[test]
fn the_log_of_a_broker_is_continued() {
    let dir = TempDir::new("log-write-real");
    let cluster = Cluster::shared();
    let topic = "continued";
    cluster.create_topic(topic, 1, &[("retention.ms", "-1"), ("internal.segment.bytes", "30000")]);
    let record =
        |n: i64| Record::new(&format!("{n}"), &"value ".repeat(30)).timestamp_ms(FIRST_MS + n);
    let produced: Vec<Record> = (0..500).map(record).collect();
    let producer = cluster.producer(&[]);
    producer.send(topic, &produced, 10);
    producer.close();
    let wanted = cluster.consume(topic, 0, 0, "read_uncommitted");
    // The broker still runs: its last indexes end in zeros.
    let target = dir.path().join("continued-0");
    fs::create_dir_all(&target).unwrap();
    for entry in fs::read_dir(cluster.broker(1).partition_dir(topic, 0)).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), target.join(entry.file_name())).unwrap();
    }
    let logs = files(&target, "log").len();
    let mut writer = LogWriter::open(dir.path(), topic, 0, options(Codec::None)).unwrap();
    assert_eq!(writer.next_offset(), 500);
    let (time, value) = (FIRST_MS + 1000, "more ".repeat(30));
    let new = NewRecord { timestamp: time, value: Some(value.as_bytes()), ..Default::default() };
    assert_eq!(writer.append(&[new; 100]).unwrap(), 500);
    writer.close().unwrap();
    assert!(logs > 2 && files(&target, "log").len() > logs);
    check_by_dump(&target);
    let found = found(&read_batches(&target));
    assert!(found[..500] == wanted);
    assert_eq!(found.len(), 600);
    assert!(found[500..].iter().all(|record| record.value.as_deref() == Some(value.as_bytes())));
}
