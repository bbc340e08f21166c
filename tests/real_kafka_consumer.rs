//! What a consumer does with positions, ends, pauses and look-ups, against a real Apache Kafka.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use std::time::Duration;

use kfetch::{Config, Consumer, ErrorKind, EventKind, Offset, TopicPartition};
use support::kafka::Cluster;
use support::producer::{FoundRecord, Record};
use support::topics::At;

const FIRST_MS: i64 = 1_600_000_000_000;
const SOON: Duration = Duration::from_secs(20);
/// Long enough for an answer that is under way, for tests that nothing comes.
const A_WHILE: Duration = Duration::from_millis(700);

fn consumer(cluster: &Cluster, settings: &[(&str, &str)]) -> Consumer {
    let mut config = Config::new().with("bootstrap.servers", &cluster.bootstrap()).unwrap();
    for (name, value) in settings {
        config.set(name, value).unwrap();
    }
    Consumer::new(&config).unwrap()
}

/// Records whose values are their numbers and whose times are a second apart.
fn numbered(numbers: std::ops::Range<i64>) -> Vec<Record> {
    let record =
        |number: i64| Record::new("k", &number.to_string()).timestamp_ms(FIRST_MS + number * 1000);
    numbers.map(record).collect()
}

fn topic(cluster: &Cluster, name: &str, partitions: i32) -> Vec<TopicPartition> {
    let count = usize::try_from(partitions).unwrap();
    cluster.create_topic(name, count, &[("retention.ms", "-1")]);
    (0..partitions).map(|partition| TopicPartition::new(name, partition)).collect()
}

/// Polls until as many records have come; returns their values with their offsets.
fn take(consumer: &mut Consumer, count: usize) -> Vec<(i64, String)> {
    let mut found = Vec::new();
    while found.len() < count {
        let records = consumer.poll(SOON).unwrap().expect("records in time");
        assert!(records.events().is_empty(), "{:?}", records.events());
        for record in &records {
            let value = String::from_utf8(record.value().unwrap().to_vec()).unwrap();
            found.push((record.offset(), value));
        }
    }
    found
}

/// Polls until the first event, and drops records.
fn event(consumer: &mut Consumer) -> EventKind {
    loop {
        let records = consumer.poll(SOON).unwrap().expect("an event in time");
        if let Some(event) = records.events().first() {
            return event.kind().clone();
        }
    }
}

#[test]
fn every_start_is_where_java_looks_it_up() {
    let cluster = Cluster::shared();
    let partition = topic(&cluster, "starts", 1).remove(0);
    cluster.produce("starts", &numbered(0..100), &[("compression.type", "lz4")]);
    let mut consumer = consumer(&cluster, &[]);
    let middle = FIRST_MS + 41_500;
    for (offset, at) in [
        (Offset::Beginning, At::Earliest),
        (Offset::End, At::Latest),
        (Offset::Timestamp(middle), At::TimestampMs(middle)),
    ] {
        consumer.assign_at(&[(partition.clone(), offset)]).unwrap();
        let expected = cluster.list_offset("starts", 0, at).offset;
        assert_eq!(consumer.position(&partition, SOON).unwrap(), expected, "{offset:?}");
    }
    consumer.seek(&partition, Offset::Timestamp(middle)).unwrap();
    assert_eq!(take(&mut consumer, 58)[0], (42, "42".to_owned()));
    // No record is as late: the end, from where new ones are read.
    consumer.seek(&partition, Offset::Timestamp(FIRST_MS * 2)).unwrap();
    assert_eq!(consumer.position(&partition, SOON).unwrap(), 100);
    cluster.produce("starts", &numbered(100..103), &[]);
    assert_eq!(take(&mut consumer, 3)[0], (100, "100".to_owned()));
    consumer.close(SOON).unwrap();
}

#[test]
fn offsets_are_found_for_many_partitions_at_once() {
    let cluster = Cluster::shared();
    let partitions = topic(&cluster, "times", 3);
    for partition in 0..3 {
        let records: Vec<Record> = numbered(0..i64::from(partition) * 10)
            .into_iter()
            .map(|record| record.partition(partition))
            .collect();
        cluster.produce("times", &records, &[]);
    }
    let mut consumer = consumer(&cluster, &[]);
    let all = |answers: Vec<kfetch::Result<i64>>| -> Vec<i64> {
        answers.into_iter().map(|answer| answer.unwrap()).collect()
    };
    assert_eq!(all(consumer.beginning_offsets(&partitions, SOON).unwrap()), [0, 0, 0]);
    assert_eq!(all(consumer.end_offsets(&partitions, SOON).unwrap()), [0, 10, 20]);
    let time = FIRST_MS + 12_500;
    let asked: Vec<_> = partitions.iter().map(|partition| (partition.clone(), time)).collect();
    let found = consumer.offsets_for_times(&asked, SOON).unwrap();
    let found: Vec<_> = found.into_iter().map(|answer| answer.unwrap()).collect();
    assert_eq!((found[0], found[1]), (None, None));
    let expected = cluster.list_offset("times", 2, At::TimestampMs(time));
    let found = found[2].unwrap();
    assert_eq!((found.offset, found.timestamp), (expected.offset, expected.timestamp_ms));
    assert_eq!((found.offset, found.timestamp), (13, FIRST_MS + 13_000));

    let unknown = [TopicPartition::new("times", 7)];
    let error = consumer.end_offsets(&unknown, SOON).unwrap().remove(0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownTopicOrPartition);
    assert_eq!((error.topic(), error.partition()), (Some("times"), 7));

    let info = consumer.partitions_for("times", SOON).unwrap();
    assert_eq!(info.partitions.unwrap().len(), 3);
    let listed = consumer.list_topics(SOON).unwrap();
    assert!(listed.iter().any(|info| info.name == "times"));
    let error = consumer.partitions_for("no-such-topic", SOON).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownTopicOrPartition);
    consumer.close(SOON).unwrap();
}

#[test]
fn ends_are_told_once_and_again_after_more() {
    let cluster = Cluster::shared();
    let partition = topic(&cluster, "ends", 1).remove(0);
    cluster.produce("ends", &numbered(0..5), &[]);
    let settings = [("enable.partition.eof", "true"), ("auto.offset.reset", "earliest")];
    let mut consumer = consumer(&cluster, &settings);
    consumer.assign(std::slice::from_ref(&partition)).unwrap();
    assert!(matches!(event(&mut consumer), EventKind::End { offset: 5 }));
    assert!(consumer.poll(A_WHILE).unwrap().is_none(), "an end is told once");
    assert_eq!(consumer.lag(&partition), Some(0));
    cluster.produce("ends", &numbered(5..7), &[]);
    let records = consumer.poll(SOON).unwrap().unwrap();
    assert_eq!(records.len(), 2);
    if records.events().is_empty() {
        assert!(matches!(event(&mut consumer), EventKind::End { offset: 7 }));
    }
    let marks = consumer.watermarks(&partition).unwrap();
    assert_eq!((marks.log_start_offset, marks.high_watermark), (0, 7));
    consumer.close(SOON).unwrap();
}

#[test]
fn a_paused_partition_keeps_what_was_fetched() {
    let cluster = Cluster::shared();
    let partitions = topic(&cluster, "pauses", 2);
    for partition in 0..2 {
        let records: Vec<Record> =
            numbered(0..100).into_iter().map(|record| record.partition(partition)).collect();
        cluster.produce("pauses", &records, &[]);
    }
    let settings = [("auto.offset.reset", "earliest"), ("max.poll.records", "10")];
    let mut consumer = consumer(&cluster, &settings);
    consumer.assign(&partitions[..1]).unwrap();
    assert_eq!(take(&mut consumer, 10).last().unwrap().0, 9);
    consumer.pause(&partitions[..1]).unwrap();
    assert_eq!(consumer.paused(), partitions[..1]);
    assert!(consumer.poll(A_WHILE).unwrap().is_none());
    let fetches = consumer.stats().fetches;
    consumer.resume(&partitions[..1]).unwrap();
    // At once, since it has been fetched before.
    let records = consumer.poll(Duration::ZERO).unwrap().expect("what was fetched");
    assert_eq!(records.get(0).unwrap().offset(), 10);
    drop(records);
    assert_eq!(take(&mut consumer, 80).last().unwrap().0, 99);
    assert!(consumer.stats().fetches <= fetches + 2, "nothing is fetched twice");
    consumer.close(SOON).unwrap();
}

#[test]
fn out_of_range_follows_the_policy() {
    let cluster = Cluster::shared();
    let partition = topic(&cluster, "ranges", 1).remove(0);
    cluster.produce("ranges", &numbered(0..50), &[]);
    assert_eq!(cluster.delete_records("ranges", 0, 20), 20);
    for (policy, to) in [("earliest", 20), ("latest", 50), ("by_duration:P36500D", 20)] {
        for from in [3, 51] {
            let mut consumer = consumer(&cluster, &[("auto.offset.reset", policy)]);
            consumer.assign_at(&[(partition.clone(), Offset::At(from))]).unwrap();
            match event(&mut consumer) {
                EventKind::Reset { from: was, to: is } => assert_eq!((was, is), (from, to)),
                other => panic!("{policy}: {other:?}"),
            }
            assert_eq!(consumer.position(&partition, SOON).unwrap(), to);
            consumer.close(SOON).unwrap();
        }
    }
    let mut consumer = consumer(&cluster, &[("auto.offset.reset", "none")]);
    consumer.assign_at(&[(partition.clone(), Offset::At(3))]).unwrap();
    let EventKind::Failed { error, sticky: true } = event(&mut consumer) else { panic!() };
    assert_eq!(error.kind(), ErrorKind::OffsetOutOfRange);
    assert_eq!((error.topic(), error.partition(), error.offset()), (Some("ranges"), 0, 3));
    assert!(consumer.poll(A_WHILE).unwrap().is_none(), "told once");
    assert_eq!(consumer.partition_error(&partition).unwrap().kind(), ErrorKind::OffsetOutOfRange);
    consumer.seek(&partition, Offset::At(20)).unwrap();
    assert!(consumer.partition_error(&partition).is_none());
    assert_eq!(take(&mut consumer, 30)[0], (20, "20".to_owned()));
    consumer.close(SOON).unwrap();
}

#[test]
fn seeks_drop_what_was_fetched() {
    let cluster = Cluster::shared();
    let partition = topic(&cluster, "seeks", 1).remove(0);
    cluster.produce("seeks", &numbered(0..500), &[("batch.size", "1000")]);
    let settings = [("auto.offset.reset", "earliest"), ("max.poll.records", "7")];
    let mut consumer = consumer(&cluster, &settings);
    consumer.assign(std::slice::from_ref(&partition)).unwrap();
    let mut at = 0;
    for turn in 0..200_i64 {
        let found = take(&mut consumer, 1);
        for (offset, value) in found {
            assert_eq!((offset, value.as_str()), (at, at.to_string().as_str()));
            at += 1;
        }
        assert_eq!(consumer.position(&partition, SOON).unwrap(), at);
        if turn % 2 == 0 {
            at = turn * 7919 % 490;
            consumer.seek(&partition, Offset::At(at)).unwrap();
        }
    }
    consumer.close(SOON).unwrap();
}

#[test]
fn markers_of_transactions_are_stepped_over() {
    use support::producer::Transaction;
    let cluster = Cluster::shared();
    let partition = topic(&cluster, "markers", 1).remove(0);
    let producer = cluster.producer(&[("transactional.id", "markers")]);
    for end in [Transaction::Commit, Transaction::Abort, Transaction::Commit] {
        producer.transaction(Transaction::Begin);
        producer.send("markers", &numbered(0..4), 2);
        producer.transaction(end);
    }
    producer.close();
    let settings = [("enable.partition.eof", "true")];
    let mut consumer = consumer(&cluster, &settings);
    consumer.assign_at(&[(partition.clone(), Offset::Beginning)]).unwrap();
    let mut offsets = Vec::new();
    loop {
        let records = consumer.poll(SOON).unwrap().expect("records or the end in time");
        offsets.extend(records.iter().map(|record| record.offset()));
        if let Some(event) = records.events().first() {
            assert!(matches!(event.kind(), EventKind::End { offset: 15 }), "{event:?}");
            break;
        }
    }
    let java = cluster.consume("markers", 0, 0, "read_uncommitted");
    assert_eq!(offsets, java.iter().map(|record: &FoundRecord| record.offset).collect::<Vec<_>>());
    assert_eq!(consumer.position(&partition, SOON).unwrap(), 15);
    assert_eq!(consumer.lag(&partition), Some(0));
    consumer.close(SOON).unwrap();
}

#[test]
fn a_topic_that_is_made_later_is_found() {
    let cluster = Cluster::shared();
    let settings = [
        ("auto.offset.reset", "earliest"),
        ("allow.auto.create.topics", "false"),
        ("metadata.max.age.ms", "1000"),
    ];
    let mut consumer = consumer(&cluster, &settings);
    consumer.assign(&[TopicPartition::new("later", 0)]).unwrap();
    let EventKind::Failed { error, sticky: false } = event(&mut consumer) else { panic!() };
    assert_eq!(error.kind(), ErrorKind::UnknownTopicOrPartition);
    topic(&cluster, "later", 1);
    cluster.produce("later", &numbered(0..3), &[]);
    assert_eq!(take(&mut consumer, 3).len(), 3);
    consumer.close(SOON).unwrap();
}

#[test]
fn consumers_of_one_engine_read_side_by_side() {
    let cluster = Cluster::shared();
    let partitions = topic(&cluster, "shared", 4);
    for partition in 0..4 {
        let records: Vec<Record> =
            numbered(0..200).into_iter().map(|record| record.partition(partition)).collect();
        cluster.produce("shared", &records, &[]);
    }
    let engine = kfetch::Engine::new().unwrap();
    let config = Config::new()
        .with("bootstrap.servers", &cluster.bootstrap())
        .unwrap()
        .with("auto.offset.reset", "earliest")
        .unwrap();
    let readers: Vec<_> = partitions
        .into_iter()
        .map(|partition| {
            let config = config.consumer().unwrap();
            let mut consumer = Consumer::with_engine(&engine, config).unwrap();
            std::thread::spawn(move || {
                consumer.assign(&[partition]).unwrap();
                let found = take(&mut consumer, 200);
                assert!((0..).zip(&found).all(|(at, (offset, _))| at == *offset));
                consumer.close(SOON).unwrap();
            })
        })
        .collect();
    drop(engine);
    readers.into_iter().for_each(|reader| reader.join().unwrap());
}
