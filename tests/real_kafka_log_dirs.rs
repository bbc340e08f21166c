//! A consumer reads a broker's directory as one that asks the broker, and follows it.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use std::path::Path;
use std::time::Duration;

use kfetch::{Config, Consumer, ErrorKind, EventKind, Offset, TopicPartition};
use support::kafka::Cluster;
use support::producer::{FoundRecord, Record};

const FIRST_MS: i64 = 1_600_000_000_000;
const SOON: Duration = Duration::from_secs(20);
const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];

fn consumer(log_dirs: &[impl AsRef<Path>], settings: &[(&str, &str)]) -> Consumer {
    let paths: Vec<_> = log_dirs.iter().map(|dir| dir.as_ref().to_str().unwrap()).collect();
    let mut config = Config::new().with("log.dirs", &paths.join(",")).unwrap();
    for (name, value) in settings {
        config.set(name, value).unwrap();
    }
    Consumer::new(&config).unwrap()
}

fn records(count: i64) -> Vec<Record> {
    let record = |number: i64| {
        let value = format!("value {number} {}", "kafka ".repeat(20));
        Record::new(&format!("key-{number}"), &value)
            .timestamp_ms(FIRST_MS + number)
            .header("n", Some(number.to_string().as_bytes()))
    };
    (0..count).map(record).collect()
}

fn read_to_end(consumer: &mut Consumer) -> Vec<FoundRecord> {
    let mut found = Vec::new();
    loop {
        let records = consumer.poll(SOON).unwrap().expect("records or an end in time");
        found.extend(records.iter().map(|record| {
            FoundRecord {
                offset: record.offset(),
                timestamp_ms: record.timestamp(),
                key: record.key().map(<[u8]>::to_vec),
                value: record.value().map(<[u8]>::to_vec),
                headers: record
                    .headers()
                    .map(|header| {
                        let key = String::from_utf8_lossy(header.key).into_owned();
                        (key, header.value.map(<[u8]>::to_vec))
                    })
                    .collect(),
            }
        }));
        if let Some(event) = records.events().first() {
            match event.kind() {
                EventKind::End { .. } => return found,
                other => panic!("{}-{}: {other:?}", event.topic(), event.partition()),
            }
        }
    }
}

#[test]
fn a_brokers_directories_are_read_as_the_broker_serves_them() {
    let cluster = Cluster::builder()
        .data_dirs(2)
        .property("replica.high.watermark.checkpoint.interval.ms", "200")
        .start();
    let settings = [("retention.ms", "-1"), ("segment.bytes", "1048576")];
    for codec in CODECS {
        cluster.create_topic(&format!("dirs-{codec}"), 1, &settings);
        let producer = cluster.producer(&[("compression.type", codec), ("batch.size", "4000")]);
        producer.send(&format!("dirs-{codec}"), &records(12_000), 0);
        producer.close();
    }
    let dirs = cluster.broker(1).data_dirs();
    for codec in CODECS {
        let topic = format!("dirs-{codec}");
        let java = cluster.consume(&topic, 0, 0, "read_uncommitted");
        assert_eq!(java.len(), 12_000);
        for mode in ["auto", "mmap", "pread"] {
            let settings = [("enable.partition.eof", "true"), ("log.read.mode", mode)];
            let mut consumer = consumer(dirs, &settings);
            let partition = TopicPartition::new(&topic, 0);
            consumer.assign_at(&[(partition.clone(), Offset::Beginning)]).unwrap();
            assert_eq!(read_until(&mut consumer, 12_000), java, "{codec}, {mode}");
            let time = FIRST_MS + 7_654;
            let found = consumer.offsets_for_times(&[(partition, time)], SOON).unwrap();
            let found = found.into_iter().next().unwrap().unwrap().unwrap();
            assert_eq!((found.offset, found.timestamp), (7_654, time));
            consumer.close(SOON).unwrap();
        }
    }
    follows_a_broker(&cluster);
    // A broker that has been stopped leaves a directory that is read the same.
    cluster.broker(1).stop();
    let mut consumer = consumer(dirs, &[("enable.partition.eof", "true")]);
    let topics = consumer.list_topics(SOON).unwrap();
    assert!(topics.iter().any(|topic| topic.name == "dirs-zstd"), "{topics:?}");
    consumer.assign_at(&[(TopicPartition::new("followed", 0), Offset::Beginning)]).unwrap();
    assert_eq!(read_to_end(&mut consumer).len(), 2_000);
}

/// Reads to an end that is at least `count` records away: the checkpoint is written a moment after
/// the records.
fn read_until(consumer: &mut Consumer, count: usize) -> Vec<FoundRecord> {
    let mut found = Vec::new();
    while found.len() < count {
        found.extend(read_to_end(consumer));
    }
    found
}

fn follows_a_broker(cluster: &Cluster) {
    cluster.create_topic("followed", 1, &[("segment.bytes", "1048576")]);
    let mut consumer =
        consumer(cluster.broker(1).data_dirs(), &[("auto.offset.reset", "earliest")]);
    consumer.assign(&[TopicPartition::new("followed", 0)]).unwrap();
    let mut next = 0;
    for turn in 1..=4 {
        cluster.produce("followed", &records(500), &[("batch.size", "2000")]);
        while next < turn * 500 {
            let records = consumer.poll(SOON).unwrap().expect("what the broker has written");
            assert!(records.events().is_empty(), "{:?}", records.events());
            for record in &records {
                assert_eq!(record.offset(), next);
                next += 1;
            }
        }
    }
    consumer.close(SOON).unwrap();
}

#[test]
fn what_is_not_there_is_named() {
    let missing = Config::new().with("log.dirs", "/no/such/directory").unwrap();
    let error = Consumer::new(&missing).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("/no/such/directory"), "{error}");

    let empty = support::temp_dir::TempDir::new("empty");
    let mut consumer = consumer(&[empty.path()], &[]);
    assert!(consumer.list_topics(SOON).unwrap().is_empty());
    consumer.assign(&[TopicPartition::new("nothing", 3)]).unwrap();
    let records = consumer.poll(SOON).unwrap().expect("an event");
    let EventKind::Failed { error, sticky: false } = records.events()[0].kind() else { panic!() };
    assert_eq!(error.kind(), ErrorKind::UnknownTopicOrPartition);
    assert_eq!((error.topic(), error.partition()), (Some("nothing"), 3));
    let asked = [TopicPartition::new("nothing", 3)];
    let error = consumer.end_offsets(&asked, SOON).unwrap().remove(0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownTopicOrPartition);
}
