//! Committed offsets by topic id, on a broker that speaks the versions that have nothing else.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "as in every test of a broker")]

mod support;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use kfetch::protocol::ApiKey;
use kfetch::{Config, Consumer, TopicPartition};

use support::helper::helper;
use support::kafka::Cluster;
use support::producer::Record;

const SOON: Duration = Duration::from_secs(30);
const TOPIC: &str = "ids";

fn consumer(cluster: &Cluster) -> Consumer {
    let config = Config::new()
        .with("bootstrap.servers", &cluster.bootstrap())
        .and_then(|config| config.with("group.id", "by-id"))
        .and_then(|config| config.with("auto.offset.reset", "earliest"))
        .and_then(|config| config.with("enable.auto.commit", "false"))
        .unwrap();
    let mut consumer = Consumer::new(&config).unwrap();
    consumer.subscribe(&[TOPIC]).unwrap();
    consumer
}

fn produce(cluster: &Cluster, partition: i32, values: &[&str]) {
    let record = |value: &&str| Record::new("k", value).partition(partition);
    let records: Vec<Record> = values.iter().map(record).collect();
    cluster.produce(TOPIC, &records, &[]);
}

/// Polls until as many values have come.
fn read(consumer: &mut Consumer, count: usize) -> BTreeSet<String> {
    let (began, mut values) = (Instant::now(), BTreeSet::new());
    while values.len() < count {
        assert!(began.elapsed() < SOON, "only {values:?}");
        let Some(records) = consumer.poll(Duration::from_millis(100)).unwrap() else { continue };
        for record in &records {
            let value = String::from_utf8(record.value().unwrap().to_vec()).unwrap();
            assert!(values.insert(value.clone()), "{value} comes twice");
        }
    }
    values
}

fn committed(consumer: &mut Consumer) -> Vec<Option<i64>> {
    let partitions = [0, 1].map(|partition| TopicPartition::new(TOPIC, partition));
    let told = consumer.committed(&partitions, SOON).unwrap();
    told.into_iter().map(|one| one.unwrap().map(|one| one.offset)).collect()
}

/// Returns what Kafka's own tool says is committed for both partitions.
fn described(cluster: &Cluster) -> Vec<String> {
    let arguments = ["--bootstrap-server", &cluster.bootstrap(), "--describe", "--group", "by-id"];
    let tool = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
    let output = helper().tool(tool, &arguments).stdout;
    let rows = output.lines().filter(|line| line.starts_with("by-id"));
    let mut offsets: Vec<Vec<&str>> =
        rows.map(|row| row.split_whitespace().skip(2).take(2).collect()).collect();
    offsets.sort_unstable();
    offsets.into_iter().map(|row| row[1].to_owned()).collect()
}

#[test]
fn offsets_are_committed_and_found_by_topic_id_also_after_the_topic_is_made_anew() {
    let enabled = ("unstable.api.versions.enable", "true");
    let cluster = Cluster::builder().property(enabled.0, enabled.1).log_requests().start();
    cluster.create_topic(TOPIC, 2, &[]);
    produce(&cluster, 0, &["a", "b", "c"]);
    produce(&cluster, 1, &["d"]);
    let mut first = consumer(&cluster);
    read(&mut first, 4);
    first.commit_sync(SOON).unwrap();
    assert_eq!(committed(&mut first), [Some(3), Some(1)]);
    first.close(SOON).unwrap();
    assert_eq!(described(&cluster), ["3", "1"]);

    produce(&cluster, 1, &["e"]);
    let mut second = consumer(&cluster);
    assert_eq!(read(&mut second, 1), BTreeSet::from(["e".to_owned()]));
    let broker = cluster.broker(1);
    for api_key in [ApiKey::OffsetCommit, ApiKey::OffsetFetch] {
        let versions = broker.logged_versions(api_key, "kfetch");
        assert_eq!(versions, BTreeSet::from([10]), "{api_key:?}");
    }

    cluster.delete_topic(TOPIC);
    cluster.create_topic(TOPIC, 2, &[]);
    produce(&cluster, 0, &["x", "y"]);
    let seen = read(&mut second, 2);
    assert_eq!(seen, BTreeSet::from(["x".to_owned(), "y".to_owned()]));
    second.commit_sync(SOON).unwrap();
    assert_eq!(committed(&mut second)[0], Some(2));
    second.close(SOON).unwrap();
    assert_eq!(described(&cluster)[0], "2");
}
