//! Leaders that move, brokers that stop, freeze and come back: no record is lost or repeated.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use std::time::Duration;

use kfetch::{Config, Consumer, Offset, TopicPartition};
use support::deadline::now;
use support::kafka::Cluster;
use support::producer::{Producer, Record};

const SOON: Duration = Duration::from_secs(60);
const PARTITIONS: i32 = 3;

/// Reads partitions side by side and holds each to the next offset that it must give.
struct Reader {
    consumer: Consumer,
    next: Vec<i64>,
}

impl Reader {
    fn start(cluster: &Cluster, topic: &str) -> Self {
        let config = Config::new()
            .with("bootstrap.servers", &cluster.bootstrap())
            .unwrap()
            // A frozen broker is given up soon, so that the test need not wait for it.
            .with("request.timeout.ms", "3000")
            .unwrap();
        let mut consumer = Consumer::new(&config).unwrap();
        let partitions: Vec<_> = (0..PARTITIONS)
            .map(|partition| (TopicPartition::new(topic, partition), Offset::At(0)))
            .collect();
        consumer.assign_at(&partitions).unwrap();
        Self { consumer, next: vec![0; partitions.len()] }
    }

    /// Polls until every partition has given its records below `end`.
    fn read_up_to(&mut self, end: i64) {
        let deadline = now() + SOON;
        while self.next.iter().any(|next| *next < end) {
            assert!(now() < deadline, "read {:?} of {end}", self.next);
            let Some(records) = self.consumer.poll(Duration::from_secs(1)).unwrap() else {
                continue;
            };
            assert!(records.events().is_empty(), "{:?}", records.events());
            for record in &records {
                let next = &mut self.next[usize::try_from(record.partition()).unwrap()];
                assert_eq!(record.offset(), *next, "partition {}", record.partition());
                assert_eq!(record.value(), Some(next.to_string().as_bytes()));
                *next += 1;
            }
        }
        assert!(self.next.iter().all(|next| *next == end), "{:?}", self.next);
    }
}

fn produce(producer: &Producer, topic: &str, numbers: std::ops::Range<i64>) {
    let mut records = Vec::new();
    for number in numbers {
        for partition in 0..PARTITIONS {
            records.push(Record::new("k", &number.to_string()).partition(partition));
        }
    }
    producer.send(topic, &records, 0);
}

#[test]
fn no_record_is_lost_or_repeated_when_leaders_move_and_brokers_stop() {
    let cluster = Cluster::builder().nodes(3).start();
    let topic = "moves";
    let settings = [("retention.ms", "-1"), ("min.insync.replicas", "2")];
    cluster.create_topic_on(topic, &[&[1, 2, 3], &[2, 3, 1], &[3, 1, 2]], &settings);
    // One for all: a new one asks the controller for its id, which may be the frozen broker.
    let producer = cluster.producer(&[
        ("batch.size", "2000"),
        ("compression.type", "zstd"),
        ("request.timeout.ms", "2000"),
        ("delivery.timeout.ms", "60000"),
    ]);
    let mut reader = Reader::start(&cluster, topic);
    produce(&producer, topic, 0..500);
    reader.read_up_to(500);

    // Every leader moves, twice, with records between.
    for turn in 1..=2_u32 {
        let from = 500 * i64::from(turn);
        for partition in 0..PARTITIONS {
            let leader = (u32::try_from(partition).unwrap() + turn) % 3 + 1;
            cluster.move_leader(topic, partition, leader);
        }
        produce(&producer, topic, from..from + 500);
        reader.read_up_to(from + 500);
    }

    // A broker stops as it should, and comes back.
    cluster.broker(2).stop();
    produce(&producer, topic, 1500..2000);
    reader.read_up_to(2000);
    cluster.broker(2).start();

    // One is killed while records are under way.
    produce(&producer, topic, 2000..2500);
    cluster.broker(3).kill();
    reader.read_up_to(2500);
    produce(&producer, topic, 2500..3000);
    reader.read_up_to(3000);
    cluster.broker(3).start();

    // One freezes: its connections stay, nothing answers.
    cluster.broker(1).pause();
    produce(&producer, topic, 3000..3500);
    reader.read_up_to(3500);
    cluster.broker(1).resume();
    produce(&producer, topic, 3500..4000);
    reader.read_up_to(4000);
    producer.close();
    reader.consumer.close(Duration::from_secs(10)).unwrap();
}
