//! Members of groups on log directories, with the coordinator in this process.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use kfetch::record::NewRecord;
use kfetch::{Config, Consumer, LogWriter, LogWriterOptions, TopicPartition};
use support::temp_dir::TempDir;

const SOON: Duration = Duration::from_secs(20);
const STEP: Duration = Duration::from_millis(20);

fn write(dir: &Path, topic: &str, partition: i32, numbers: std::ops::Range<usize>) {
    let mut writer = LogWriter::open(dir, topic, partition, LogWriterOptions::default()).unwrap();
    for number in numbers {
        let value = format!("v{number}");
        let record = NewRecord { value: Some(value.as_bytes()), ..NewRecord::default() };
        writer.append(&[record]).unwrap();
    }
    writer.close().unwrap();
}

struct Member {
    consumer: Consumer,
    values: Vec<String>,
}

impl Member {
    fn new(dir: &Path, group: &str, settings: &[(&str, &str)]) -> Self {
        let mut config = Config::new()
            .with("log.dirs", dir.to_str().unwrap())
            .and_then(|config| config.with("group.id", group))
            .and_then(|config| config.with("auto.offset.reset", "earliest"))
            .and_then(|config| config.with("heartbeat.interval.ms", "100"))
            .unwrap();
        for (name, value) in settings {
            config.set(name, value).unwrap();
        }
        Self { consumer: Consumer::new(&config).unwrap(), values: Vec::new() }
    }

    fn poll(&mut self) {
        if let Some(records) = self.consumer.poll(STEP).unwrap() {
            assert!(records.events().is_empty(), "{:?}", records.events());
            for record in &records {
                self.values.push(String::from_utf8(record.value().unwrap().to_vec()).unwrap());
            }
        }
    }

    fn owned(&self) -> BTreeSet<TopicPartition> {
        self.consumer.assignment().into_iter().collect()
    }
}

/// Polls all members in turn until it is so.
fn poll_until(members: &mut [&mut Member], mut is_so: impl FnMut(&[&mut Member]) -> bool) {
    let deadline = Instant::now() + SOON;
    while !is_so(members) {
        assert!(
            Instant::now() < deadline,
            "{:?}",
            members.iter().map(|one| (one.owned(), one.values.len())).collect::<Vec<_>>()
        );
        members.iter_mut().for_each(|member| member.poll());
    }
}

#[test]
fn members_share_a_topic_and_the_next_goes_on_where_they_stopped() {
    let dir = TempDir::new("local-groups");
    for partition in 0..4 {
        write(dir.path(), "orders", partition, 0..100);
    }
    let mut first = Member::new(dir.path(), "g", &[]);
    let mut second = Member::new(dir.path(), "g", &[]);
    for member in [&mut first, &mut second] {
        member.consumer.subscribe(&["orders"]).unwrap();
    }
    poll_until(&mut [&mut first, &mut second], |all| {
        all.iter().all(|one| one.owned().len() == 2)
            && all.iter().map(|one| one.values.len()).sum::<usize>() >= 400
    });
    assert_eq!((first.values.len(), second.values.len()), (200, 200));
    second.consumer.close(SOON).unwrap();
    poll_until(&mut [&mut first], |all| all[0].owned().len() == 4);
    first.consumer.close(SOON).unwrap();
    for partition in 0..4 {
        write(dir.path(), "orders", partition, 100..101);
    }
    let mut third = Member::new(dir.path(), "g", &[]);
    third.consumer.subscribe(&["orders"]).unwrap();
    poll_until(&mut [&mut third], |all| all[0].values.len() >= 4);
    assert_eq!(third.values, ["v100"; 4]);
    third.consumer.close(SOON).unwrap();
}
