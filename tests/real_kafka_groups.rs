//! Members of a group on a real Apache Kafka: joining, rebalancing, committing, leaving.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kfetch::{Config, Consumer, ErrorKind, OffsetAndMetadata, RebalanceListener, TopicPartition};
use support::kafka::Cluster;
use support::producer::Record;

const SOON: Duration = Duration::from_secs(20);
const STEP: Duration = Duration::from_millis(100);

/// What a listener was told, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    Assigned(Vec<i32>),
    Revoked(Vec<i32>),
    Lost(Vec<i32>),
}

#[derive(Clone, Default)]
struct Listener(Arc<Mutex<Vec<Told>>>);

impl Listener {
    fn told(&self) -> Vec<Told> {
        self.0.lock().unwrap().clone()
    }
}

fn numbers(partitions: &[TopicPartition]) -> Vec<i32> {
    let numbers: BTreeSet<i32> = partitions.iter().map(|one| one.partition).collect();
    numbers.into_iter().collect()
}

impl RebalanceListener for Listener {
    fn assigned(&mut self, _: &mut Consumer, partitions: &[TopicPartition]) {
        self.0.lock().unwrap().push(Told::Assigned(numbers(partitions)));
    }

    fn revoked(&mut self, _: &mut Consumer, partitions: &[TopicPartition]) {
        self.0.lock().unwrap().push(Told::Revoked(numbers(partitions)));
    }

    fn lost(&mut self, _: &mut Consumer, partitions: &[TopicPartition]) {
        self.0.lock().unwrap().push(Told::Lost(numbers(partitions)));
    }
}

/// A member with its listener and the values that it got.
struct Member {
    consumer: Consumer,
    listener: Listener,
    values: Vec<String>,
}

impl Member {
    fn new(cluster: &Cluster, group: &str, settings: &[(&str, &str)]) -> Self {
        let mut config = Config::new()
            .with("bootstrap.servers", &cluster.bootstrap())
            .and_then(|config| config.with("group.id", group))
            .and_then(|config| config.with("auto.offset.reset", "earliest"))
            .and_then(|config| config.with("heartbeat.interval.ms", "300"))
            .unwrap();
        for (name, value) in settings {
            config.set(name, value).unwrap();
        }
        let mut consumer = Consumer::new(&config).unwrap();
        let listener = Listener::default();
        consumer.set_rebalance_listener(Some(Box::new(listener.clone()))).unwrap();
        Self { consumer, listener, values: Vec::new() }
    }

    fn poll(&mut self) {
        if let Some(records) = self.consumer.poll(STEP).unwrap() {
            assert!(records.events().is_empty(), "{:?}", records.events());
            for record in &records {
                self.values.push(String::from_utf8(record.value().unwrap().to_vec()).unwrap());
            }
        }
    }

    fn owned(&self) -> Vec<i32> {
        numbers(&self.consumer.assignment())
    }
}

/// Polls all members in turn until it is so.
fn poll_until(members: &mut [&mut Member], mut is_so: impl FnMut(&[&mut Member]) -> bool) {
    let deadline = Instant::now() + SOON;
    while !is_so(members) {
        assert!(
            Instant::now() < deadline,
            "{:?}",
            members.iter().map(|one| (one.owned(), one.listener.told())).collect::<Vec<_>>()
        );
        members.iter_mut().for_each(|member| member.poll());
    }
}

fn topic(cluster: &Cluster, name: &str, partitions: i32, records: usize) {
    let count = usize::try_from(partitions).unwrap();
    cluster.create_topic(name, count, &[]);
    let record = |number: usize| {
        let partition = i32::try_from(number % count).unwrap();
        Record::new("k", &format!("v{number}")).partition(partition)
    };
    let records: Vec<Record> = (0..records).map(record).collect();
    cluster.produce(name, &records, &[]);
}

fn sorted(values: &[String]) -> Vec<String> {
    let mut values = values.to_vec();
    values.sort();
    values
}

fn values(range: std::ops::Range<usize>) -> Vec<String> {
    sorted(&range.map(|number| format!("v{number}")).collect::<Vec<_>>())
}

#[test]
fn one_member_gets_all_and_the_next_goes_on_where_it_committed() {
    let cluster = Cluster::shared();
    topic(&cluster, "all", 3, 300);
    let mut first = Member::new(&cluster, "all-group", &[("enable.auto.commit", "false")]);
    first.consumer.subscribe(&["all"]).unwrap();
    poll_until(&mut [&mut first], |all| all[0].values.len() >= 300);
    assert_eq!(sorted(&first.values), values(0..300));
    assert_eq!(first.listener.told(), [Told::Assigned(vec![0, 1, 2])]);
    first.consumer.commit_sync(SOON).unwrap();
    let partitions: Vec<_> = (0..3).map(|number| TopicPartition::new("all", number)).collect();
    let committed = first.consumer.committed(&partitions, SOON).unwrap();
    let offsets: Vec<i64> = committed.into_iter().map(|one| one.unwrap().unwrap().offset).collect();
    assert_eq!(offsets, [100, 100, 100]);
    first.consumer.close(SOON).unwrap();
    assert_eq!(first.listener.told().last(), Some(&Told::Revoked(vec![0, 1, 2])));

    let more: Vec<Record> = (300..303)
        .map(|number| Record::new("k", &format!("v{number}")).partition(number % 3))
        .collect();
    cluster.produce("all", &more, &[]);
    let mut second = Member::new(&cluster, "all-group", &[]);
    second.consumer.subscribe(&["all"]).unwrap();
    poll_until(&mut [&mut second], |all| all[0].values.len() >= 3);
    assert_eq!(sorted(&second.values), ["v300", "v301", "v302"]);
    second.consumer.close(SOON).unwrap();
}

fn two_share(strategy: &str, group: &str) -> (Vec<Told>, Vec<Told>) {
    let cluster = Cluster::shared();
    topic(&cluster, group, 4, 400);
    let settings = [("partition.assignment.strategy", strategy)];
    let mut first = Member::new(&cluster, group, &settings);
    first.consumer.subscribe(&[group]).unwrap();
    poll_until(&mut [&mut first], |all| all[0].owned().len() == 4);
    let mut second = Member::new(&cluster, group, &settings);
    second.consumer.subscribe(&[group]).unwrap();
    poll_until(&mut [&mut first, &mut second], |all| {
        all.iter().all(|one| one.owned().len() == 2)
            && all.iter().map(|one| one.values.len()).sum::<usize>() >= 400
    });
    let all: Vec<String> = first.values.iter().chain(&second.values).cloned().collect();
    assert_eq!(sorted(&all), values(0..400), "each once: positions are committed before a revoke");
    second.consumer.close(SOON).unwrap();
    poll_until(&mut [&mut first], |all| all[0].owned().len() == 4);
    first.consumer.close(SOON).unwrap();
    (first.listener.told(), second.listener.told())
}

#[test]
fn two_members_share_eagerly() {
    for strategy in ["range", "roundrobin", "sticky"] {
        let (first, second) = two_share(strategy, &format!("eager-{strategy}"));
        assert_eq!(first[..2], [Told::Assigned(vec![0, 1, 2, 3]), Told::Revoked(vec![0, 1, 2, 3])]);
        assert_eq!(first.len(), 6, "{first:?}");
        assert_eq!(second.len(), 2, "{second:?}");
    }
}

#[test]
fn two_members_share_cooperatively() {
    let (first, second) = two_share("cooperative-sticky", "cooperative");
    assert_eq!(first[0], Told::Assigned(vec![0, 1, 2, 3]));
    let Told::Revoked(moved) = &first[1] else { panic!("{first:?}") };
    assert_eq!(moved.len(), 2, "only what moves is revoked: {first:?}");
    assert_eq!(second[0], Told::Assigned(Vec::new()), "nothing before it is given up");
    assert_eq!(second[1], Told::Assigned(moved.clone()));
}

#[test]
fn a_commit_is_refused_where_it_must_be() {
    let cluster = Cluster::shared();
    topic(&cluster, "refused", 1, 10);
    let mut member = Member::new(&cluster, "refused-group", &[("enable.auto.commit", "false")]);
    let owned = TopicPartition::new("refused", 0);
    let offset =
        |offset: i64| OffsetAndMetadata { offset, leader_epoch: -1, metadata: String::new() };
    member.consumer.subscribe(&["refused"]).unwrap();
    let early = member.consumer.commit_offsets_sync(&[(owned.clone(), offset(1))], SOON);
    assert_eq!(early.unwrap_err().kind(), ErrorKind::State, "not assigned yet");
    poll_until(&mut [&mut member], |all| all[0].values.len() == 10);
    let foreign = TopicPartition::new("refused", 7);
    let refused = member.consumer.commit_offsets_sync(&[(foreign, offset(1))], SOON);
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::State);
    let refused = member.consumer.commit_offsets_sync(&[(owned.clone(), offset(-1))], SOON);
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidArgument);
    let long = OffsetAndMetadata { metadata: "x".repeat(4097), ..offset(1) };
    let refused = member.consumer.commit_offsets_sync(&[(owned.clone(), long)], SOON).unwrap_err();
    assert_eq!((refused.code(), refused.partition()), (12, 0), "OFFSET_METADATA_TOO_LARGE");
    let told = OffsetAndMetadata { metadata: "so far".to_owned(), ..offset(4) };
    member.consumer.commit_offsets_sync(&[(owned.clone(), told.clone())], SOON).unwrap();
    let committed = member.consumer.committed(&[owned], SOON).unwrap().remove(0).unwrap();
    assert_eq!(committed, Some(told));
    member.consumer.close(SOON).unwrap();
}
