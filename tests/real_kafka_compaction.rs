//! A compacted topic of a real Apache Kafka: offsets have gaps, and some batches are empty.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use std::time::Duration;

use kfetch::{Config, Consumer, Offset, TopicPartition};
use support::deadline::wait_until;
use support::kafka::Cluster;
use support::producer::Record;

const TOPIC: &str = "compacted";
const FIRST_MS: i64 = 1_600_000_000_000;
const RECORDS: i64 = 300;
const SOON: Duration = Duration::from_secs(20);

/// Reads from `start` until the lag is 0; returns the offsets.
fn read(consumer: &mut Consumer, partition: &TopicPartition, start: i64) -> Vec<i64> {
    consumer.assign_at(&[(partition.clone(), Offset::At(start))]).unwrap();
    let mut offsets = Vec::new();
    while offsets.is_empty() || consumer.lag(partition) != Some(0) {
        let records = consumer.poll(SOON).unwrap().expect("records until the lag is 0");
        offsets.extend(records.iter().map(|record| record.offset()));
    }
    assert_eq!(consumer.position(partition, SOON).unwrap(), RECORDS);
    offsets
}

#[test]
fn what_is_left_of_a_compacted_partition_is_read_from_every_offset() {
    let cluster = Cluster::builder().property("log.cleaner.backoff.ms", "50").start();
    let configs = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "10000"),
        ("min.cleanable.dirty.ratio", "0.001"),
    ];
    cluster.create_topic(TOPIC, 1, &configs);
    let record = |n: i64| {
        let key = format!("k{}", if n % 50 == 0 { n } else { n % 3 });
        Record::new(&key, &n.to_string()).timestamp_ms(FIRST_MS + n * 1000)
    };
    let records: Vec<Record> = (0..RECORDS).map(record).collect();
    let producer = cluster.producer(&[]);
    producer.send(TOPIC, &records, 7);
    producer.close();

    let config = Config::new().with("bootstrap.servers", &cluster.bootstrap()).unwrap();
    let mut consumer = Consumer::new(&config).unwrap();
    let partition = TopicPartition::new(TOPIC, 0);
    let mut all = Vec::new();
    wait_until("the cleaner has been here", Duration::from_secs(60), || {
        all = read(&mut consumer, &partition, 0);
        all.len() < 30
    });
    let java = cluster.consume(TOPIC, 0, 0, "read_uncommitted");
    assert_eq!(all, java.iter().map(|record| record.offset).collect::<Vec<_>>());
    for start in (0..RECORDS).step_by(23) {
        let rest: Vec<i64> = all.iter().copied().filter(|offset| *offset >= start).collect();
        assert_eq!(read(&mut consumer, &partition, start), rest, "from {start}");
    }
    consumer.close(SOON).unwrap();
}
