//! What a real Apache Kafka holds is what a consumer returns.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use std::time::Duration;

use kfetch::{Config, Consumer, EventKind, Offset, TopicPartition};
use support::kafka::Cluster;
use support::producer::{FoundRecord, Record};

const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];
const FIRST_MS: i64 = 1_600_000_000_000;
const SOON: Duration = Duration::from_secs(20);

fn consumer(cluster: &Cluster, settings: &[(&str, &str)]) -> Consumer {
    let mut config = Config::new()
        .with("bootstrap.servers", &cluster.bootstrap())
        .unwrap()
        .with("enable.partition.eof", "true")
        .unwrap();
    for (name, value) in settings {
        config.set(name, value).unwrap();
    }
    Consumer::new(&config).unwrap()
}

/// Reads one partition to its end.
fn read_to_end(consumer: &mut Consumer) -> Vec<FoundRecord> {
    let mut found = Vec::new();
    loop {
        let records = consumer.poll(SOON).unwrap().expect("records or an end in time");
        for record in &records {
            found.push(FoundRecord {
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
            });
        }
        if let Some(event) = records.events().first() {
            match event.kind() {
                EventKind::End { .. } => return found,
                other => panic!("{}-{}: {other:?}", event.topic(), event.partition()),
            }
        }
    }
}

/// Records with null keys and values, and headers that repeat, are null or are not UTF-8.
fn records(count: i64) -> Vec<Record> {
    let record = |number: i64| {
        let value = format!("value {number} {}", "kafka ".repeat(10));
        let mut record =
            Record::new(&format!("key-{number}"), &value).timestamp_ms(FIRST_MS + number);
        match number % 7 {
            0 => record.key = None,
            1 => record.value = None,
            2 => record = record.header("a", Some(b"1")).header("a", None).header("", Some(&[])),
            3 => record = record.header("é\t\\", Some(&[0xff, 0, 0x80])),
            _ => {}
        }
        record
    };
    (0..count).map(record).collect()
}

#[test]
fn every_codec_is_read_as_it_was_produced() {
    let cluster = Cluster::shared();
    for codec in CODECS {
        let topic = format!("read-{codec}");
        cluster.create_topic(&topic, 1, &[("retention.ms", "-1")]);
        let records = records(2000);
        cluster.produce(&topic, &records, &[("compression.type", codec)]);
        let mut consumer = consumer(&cluster, &[]);
        consumer.assign_at(&[(TopicPartition::new(&topic, 0), Offset::Beginning)]).unwrap();
        let found = read_to_end(&mut consumer);
        assert_eq!(found, cluster.consume(&topic, 0, 0, "read_uncommitted"), "{codec}");
        assert_eq!(found.len(), 2000);
        consumer.close(SOON).unwrap();
    }
}
