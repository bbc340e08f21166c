//! Committed offsets between kfetch and Apache Kafka: its classes read the records, its broker
//! takes the segments, and what a broker has written is honoured.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod embedded;
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use embedded::client::RawClient;
use kfetch::Logger;
use kfetch::embedded::{
    CommittedOffset, OffsetKey, OffsetValue, Offsets, OffsetsLog, OffsetsLogOptions, RecordKey,
    read_offsets,
};
use kfetch::net::group_service::{GroupService, ServiceSettings, lock_path, socket_path};
use kfetch::protocol::ErrorCode;
use support::deadline::wait_until;
use support::helper::{Row, bytes, helper, hex};
use support::kafka::{Broker, Cluster};
use support::temp_dir::TempDir;

const TOPIC: &str = "__consumer_offsets";
/// Of the brokers in these tests.
const PARTITIONS: i32 = 5;

/// An offset as the helper's rows have it.
fn row(topic: &str, partition: i32, offset: i64, leader_epoch: i32, metadata: &str) -> Row {
    let numbers = [partition.to_string(), offset.to_string(), leader_epoch.to_string()];
    let [partition, offset, leader_epoch] = numbers;
    vec![topic.to_owned(), partition, offset, leader_epoch, metadata.to_owned()]
}

fn sorted(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort();
    rows
}

fn rows_of(offsets: &Offsets, group: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    for (topic, partitions) in offsets.group(group).into_iter().flatten() {
        for (partition, found) in partitions {
            let CommittedOffset { offset, leader_epoch, metadata, .. } = found;
            rows.push(row(topic, *partition, *offset, *leader_epoch, metadata));
        }
    }
    sorted(rows)
}

fn broker_rows(cluster: &Cluster, group: &str) -> Vec<Row> {
    sorted(helper().expect("group_offsets", &[&cluster.bootstrap(), group], &[]))
}

#[test]
fn records_are_those_of_kafkas_classes_in_every_version() {
    for version in 0..=4 {
        for (group, topic, metadata) in [("g", "t", ""), ("gr\u{fc}ppe", "a.b-c_d", "m\u{1f600}")] {
            let (offset, leader_epoch, commit_ms, expire_ms) = (7_000_000_000, 5, 1_700_000, 99);
            let numbers = [offset, leader_epoch, commit_ms, expire_ms].map(|n: i64| n.to_string());
            let version_text = format!("{version}");
            let arguments = [
                group,
                topic,
                "3",
                &version_text,
                &numbers[0],
                &numbers[1],
                metadata,
                &numbers[2],
                &numbers[3],
            ];
            let rows = helper().expect("offset_record_bytes", &arguments, &[]);
            let (key, value) = (bytes(&rows[0][0]).unwrap(), bytes(&rows[0][1]).unwrap());
            let wanted_key = OffsetKey { group, topic, partition: 3 };
            assert_eq!(RecordKey::parse(&key), Ok(RecordKey::Offset(wanted_key)));
            assert_eq!(wanted_key.to_bytes().unwrap(), key);
            let wanted = CommittedOffset {
                offset,
                leader_epoch: if version >= 3 { 5 } else { -1 },
                metadata: metadata.to_owned(),
                commit_timestamp_ms: commit_ms,
                expire_timestamp_ms: (version == 1).then_some(expire_ms),
            };
            assert_eq!(OffsetValue::parse(&value).as_ref(), Ok(&wanted), "version {version}");
            let written = OffsetValue::to_bytes(&wanted).unwrap();
            assert!(version != 3 || written == value);
            let read = [hex(Some(&key)), hex(Some(&written))];
            let read = helper().expect("offset_record", &[&read[0], &read[1]], &[]);
            let leader_epoch = wanted.leader_epoch.to_string();
            let all = [group, topic, "3", "3", &numbers[0], &leader_epoch, metadata, &numbers[2]];
            assert_eq!(read, [all.map(str::to_owned)]);
        }
    }
}

/// Starts the service of a directory, with as many partitions as the brokers here have.
fn serve(dir: &Path) -> GroupService {
    let settings =
        ServiceSettings { offsets_partitions: PARTITIONS, ..ServiceSettings::new(dir.to_owned()) };
    let logger = Arc::new(Logger::without_callback());
    let service = GroupService::start(settings, logger).unwrap();
    wait_until("it serves", Duration::from_secs(30), || service.is_serving());
    service
}

/// Puts our partitions in place of those of a stopped broker, but for the topic's id.
fn give(from: &Path, broker: &Broker) {
    for number in 0..PARTITIONS {
        let target = broker.partition_dir(TOPIC, number);
        for entry in fs::read_dir(&target).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap() != "partition.metadata" {
                fs::remove_file(path).unwrap();
            }
        }
        for entry in fs::read_dir(from.join(format!("{TOPIC}-{number}"))).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), target.join(entry.file_name())).unwrap();
        }
    }
}

/// Copies a stopped broker's partitions of offsets, without what makes the directory a broker's.
fn take(broker: &Broker, to: &Path) {
    for number in 0..PARTITIONS {
        let target = to.join(format!("{TOPIC}-{number}"));
        fs::create_dir_all(&target).unwrap();
        for entry in fs::read_dir(broker.partition_dir(TOPIC, number)).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), target.join(entry.file_name())).unwrap();
        }
    }
    let name = "replication-offset-checkpoint";
    fs::copy(broker.data_dirs()[0].join(name), to.join(name)).unwrap();
}

/// Commits in every way that there is: by hand, again, as a member, in transactions; and deletes.
fn commit_on_broker(bootstrap: &str, groups: &[String]) {
    for (number, group) in (0..).zip(groups) {
        let rows = [row("t", 0, number, -1, ""), row("t", 1, number + 1, 3, "first")];
        helper().expect("set_group_offsets", &[bootstrap, group], &rows);
        let rows = [row("t", 1, number + 2, 4, "second"), row("t", 2, 8, 0, "m")];
        helper().expect("set_group_offsets", &[bootstrap, group], &rows);
    }
    let gone = [vec!["t".to_owned(), "0".to_owned()]];
    helper().expect("delete_group_offsets", &[bootstrap, "group-3"], &gone);
    let member = [row("t", 0, 111, 2, "of a member")];
    helper().expect("commit_as_member", &[bootstrap, "group-4", "t"], &member);
    for (group, end) in [("group-5", "commit"), ("group-6", "abort")] {
        let id = format!("id-{group}");
        let rows = [row("t", 3, 333, 1, "in a transaction")];
        helper().expect("commit_in_transaction", &[bootstrap, group, &id, end], &rows);
    }
}

#[test]
fn offsets_go_from_a_broker_to_kfetch_and_back() {
    let cluster = Cluster::builder().start();
    cluster.create_topic("t", 4, &[]);
    let bootstrap = cluster.bootstrap();
    let groups: Vec<String> = (0..20).map(|number| format!("group-{number}")).collect();
    commit_on_broker(&bootstrap, &groups);
    let mut wanted: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for group in &groups {
        wanted.insert(group.clone(), broker_rows(&cluster, group));
    }
    assert_eq!(wanted["group-3"].len(), 2);
    assert_eq!(wanted["group-5"].len(), 4);
    assert_eq!(wanted["group-6"].len(), 3);
    let broker = cluster.broker(1);
    broker.stop();

    // Read in place, and as a directory of its own: that of a broker is refused.
    let in_place = read_offsets(&[broker.data_dirs()[0].clone()]).unwrap();
    let refused = OffsetsLog::open(&broker.data_dirs()[0], OffsetsLogOptions::default());
    assert!(refused.unwrap_err().message().contains("belongs to a broker"));
    let dir = TempDir::new("embedded-real");
    take(broker, dir.path());
    for (group, rows) in &wanted {
        assert_eq!(&rows_of(&in_place, group), rows, "{group}");
    }
    let service = serve(dir.path());
    let mut client = RawClient::connect(dir.path()).unwrap();
    for (group, rows) in &mut wanted {
        let found = client.committed(group).unwrap().into_iter();
        let found = found.map(|(t, p, o, m)| (t, p.to_string(), o.to_string(), m));
        let known = rows.iter().map(|r| (r[0].clone(), r[1].clone(), r[2].clone(), r[4].clone()));
        assert_eq!(found.collect::<Vec<_>>(), known.collect::<Vec<_>>());
        for offset in 4440..=4444 {
            assert_eq!(client.commit(group, "t", 2, offset).unwrap(), ErrorCode::NONE);
        }
        rows.retain(|row| row[1] != "2");
        rows.push(row("t", 2, 4444, 3, "by hand"));
        rows.sort();
    }
    assert_eq!(client.commit("ours", "t", 0, 1).unwrap(), ErrorCode::NONE);
    wanted.insert("ours".to_owned(), vec![row("t", 0, 1, 3, "by hand")]);
    drop(service);

    // Once as they were written, and once compacted.
    for round in 0..2 {
        assert!(socket_path(dir.path()).try_exists().is_ok_and(|exists| !exists));
        let before: u64 = log_bytes(dir.path());
        give(dir.path(), broker);
        // The service's own files do not keep a broker from starting.
        fs::copy(lock_path(dir.path()), lock_path(&broker.data_dirs()[0])).unwrap();
        let socket = socket_path(&broker.data_dirs()[0]);
        let _ = fs::remove_file(&socket);
        let _stale = std::os::unix::net::UnixListener::bind(&socket);
        broker.start();
        for (group, rows) in &wanted {
            assert_eq!(&broker_rows(&cluster, group), rows, "round {round}, {group}");
        }
        // And it goes on from there.
        let more = [row("t", 3, 5 + round, -1, "more")];
        helper().expect("set_group_offsets", &[&bootstrap, "ours"], &more);
        assert_eq!(broker_rows(&cluster, "ours").last(), Some(&more[0]));
        broker.stop();
        if round == 0 {
            drop(serve(dir.path()));
            assert!(log_bytes(dir.path()) < before, "compacted");
        }
    }
}

fn log_bytes(dir: &Path) -> u64 {
    let mut sum = 0;
    for number in 0..PARTITIONS {
        let directory = dir.join(format!("{TOPIC}-{number}"));
        for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
            if entry.path().extension().is_some_and(|ending| ending == "log") {
                sum += entry.metadata().unwrap().len();
            }
        }
    }
    sum
}
