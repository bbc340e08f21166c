//! Groups on several log directories: where they are, and what two of them must not have.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]
#![allow(clippy::disallowed_methods, reason = "consumers run in real time")]

#[allow(dead_code, unused_imports, unused_macros, reason = "no scenario is used here")]
mod group_scenarios;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use group_scenarios::{Member, Place, SOON, STEP, poll_until};
use kfetch::embedded::groups_dir;
use kfetch::record::NewRecord;
use kfetch::{Config, Consumer, Engine, Error, ErrorKind, EventKind, LogWriter, LogWriterOptions};
use kfetch::{OffsetAndMetadata, TopicPartition};
use support::temp_dir::TempDir;

/// Log directories in an order; what is appended goes to the first.
struct Dirs(Vec<PathBuf>);

impl Dirs {
    /// Makes `da` and `db`.
    fn two(directory: &TempDir) -> Self {
        let paths = ["da", "db"].map(|name| directory.path().join(name));
        paths.iter().for_each(|path| fs::create_dir(path).unwrap());
        Self(paths.to_vec())
    }

    fn back(&self) -> Self {
        Self(self.0.iter().rev().cloned().collect())
    }

    fn config(&self, settings: &[(&str, &str)]) -> Config {
        let paths: Vec<&str> = self.0.iter().map(|path| path.to_str().unwrap()).collect();
        let mut config = Config::new().with("log.dirs", &paths.join(",")).unwrap();
        for (name, value) in settings {
            config.set(name, value).unwrap();
        }
        config
    }

    /// Asserts that a text names each of them.
    fn assert_named_in(&self, error: &Error) {
        let text = error.to_string();
        assert!(self.0.iter().all(|path| text.contains(path.to_str().unwrap())), "{text}");
    }
}

impl Place for Dirs {
    fn settings(&self) -> Vec<(String, String)> {
        let own = self.config(&[]);
        own.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn create_topic(&self, topic: &str, partitions: i32) {
        (0..partitions).for_each(|partition| self.append(topic, partition, &[]));
    }

    fn append(&self, topic: &str, partition: i32, values: &[String]) {
        let options = LogWriterOptions::default();
        let mut writer = LogWriter::open(&self.0[0], topic, partition, options).unwrap();
        for value in values {
            let record = NewRecord { value: Some(value.as_bytes()), ..NewRecord::default() };
            writer.append(&[record]).unwrap();
        }
        writer.close().unwrap();
    }
}

fn names(path: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(path).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn has_groups(path: &Path) -> bool {
    names(path).iter().any(|name| name.starts_with("__consumer_offsets-"))
}

#[test]
fn members_meet_whatever_the_order_of_their_directories() {
    let directory = TempDir::new("group-dirs-meet");
    let forth = Dirs::two(&directory);
    let back = forth.back();
    forth.fill("meet", 2, 20);
    let mut one = Member::of(&forth, "meeting", &["meet"], &[]);
    poll_until(&mut [&mut one], |members| members[0].owned() == [0, 1]);
    let mut other = Member::of(&back, "meeting", &["meet"], &[]);
    poll_until(&mut [&mut one, &mut other], |members| {
        members.iter().all(|member| member.owned().len() == 1)
    });
    assert_eq!((has_groups(&forth.0[0]), has_groups(&forth.0[1])), (true, false));
}

#[test]
fn the_groups_stay_where_they_are() {
    let directory = TempDir::new("group-dirs-stay");
    let forth = Dirs::two(&directory);
    forth.fill("stay", 1, 10);
    let place = [TopicPartition::new("stay", 0)];
    let committed = |dirs: &Dirs| {
        let settings = [("group.id", "staying"), ("enable.auto.commit", "false")];
        let mut consumer = Consumer::new(&dirs.config(&settings)).unwrap();
        let found = consumer.committed(&place, SOON).unwrap().remove(0).unwrap();
        (consumer, found.map(|committed| committed.offset))
    };
    // In the second directory alone, as by a program that reads only that.
    let (mut consumer, _) = committed(&Dirs(vec![forth.0[1].clone()]));
    let offset = OffsetAndMetadata { offset: 7, leader_epoch: -1, metadata: String::new() };
    consumer.commit_offsets_sync(&[(place[0].clone(), offset)], SOON).unwrap();
    drop(consumer);
    for dirs in [&forth, &forth.back()] {
        assert_eq!(groups_dir(&dirs.0).unwrap(), forth.0[1]);
        assert_eq!(committed(dirs).1, Some(7));
    }
    assert_eq!((has_groups(&forth.0[0]), has_groups(&forth.0[1])), (false, true));
}

#[test]
fn groups_in_two_directories_are_no_place_for_a_consumer() {
    let directory = TempDir::new("group-dirs-two");
    let dirs = Dirs::two(&directory);
    dirs.fill("two", 1, 5);
    assert_eq!(groups_dir(&dirs.0).unwrap(), dirs.0[0], "nobody has any: the first");
    for (path, number) in dirs.0.iter().zip([3, 4]) {
        fs::create_dir(path.join(format!("__consumer_offsets-{number}"))).unwrap();
    }
    let before: Vec<_> = dirs.0.iter().map(|path| names(path)).collect();
    let engine = Engine::new().unwrap();
    for dirs in [&dirs, &dirs.back()] {
        let config = dirs.config(&[("group.id", "g")]);
        let made = Consumer::with_engine(&engine, config.consumer().unwrap());
        for error in [made.unwrap_err(), Consumer::new(&config).unwrap_err()] {
            assert_eq!((error.kind(), error.is_retriable()), (ErrorKind::Config, false));
            dirs.assert_named_in(&error);
        }
        // Who takes part in no group reads on.
        let mut reader = Consumer::new(&dirs.config(&[])).unwrap();
        let ends = reader.end_offsets(&[TopicPartition::new("two", 0)], SOON).unwrap();
        assert_eq!(ends[0].as_ref().unwrap(), &5);
    }
    let after: Vec<_> = dirs.0.iter().map(|path| names(path)).collect();
    assert_eq!(after, before);
}

/// Polls until as many records and failures have come; returns the failures.
fn poll_failures(consumer: &mut Consumer, record_count: usize) -> Vec<Error> {
    let (mut count, mut failed) = (0, Vec::new());
    let until = Instant::now() + SOON;
    while (count < record_count || failed.is_empty()) && Instant::now() < until {
        let Some(records) = consumer.poll(STEP).unwrap() else { continue };
        count += records.len();
        for event in records.events() {
            if let EventKind::Failed { error, sticky: true } = event.kind() {
                failed.push(error.clone());
            }
        }
    }
    assert_eq!((count, failed.len()), (record_count, 1), "{failed:?}");
    failed
}

#[test]
fn a_member_gets_what_lies_in_one_directory_and_the_error_of_what_does_not() {
    let directory = TempDir::new("group-dirs-member");
    let forth = Dirs::two(&directory);
    forth.fill("bad", 2, 10);
    forth.back().append("bad", 1, &[]);
    for (group, pattern) in [("by-name", None), ("by-pattern", Some("ba."))] {
        let settings = [("group.id", group), ("auto.offset.reset", "earliest")];
        let mut consumer = Consumer::new(&forth.config(&settings)).unwrap();
        match pattern {
            Some(pattern) => consumer.subscribe_pattern(pattern).unwrap(),
            None => consumer.subscribe(&["bad"]).unwrap(),
        }
        let failed = poll_failures(&mut consumer, 5);
        assert_eq!((failed[0].topic(), failed[0].partition()), (Some("bad"), 1));
        forth.assert_named_in(&failed[0]);
        assert_eq!(consumer.assignment().len(), 2);
    }
}

#[test]
fn a_partition_in_two_directories_is_told_with_its_topic_alone() {
    let directory = TempDir::new("group-dirs-topics");
    let forth = Dirs::two(&directory);
    forth.fill("good", 1, 5);
    forth.fill("bad", 2, 10);
    forth.back().append("bad", 1, &[]);
    let mut consumer = Consumer::new(&forth.config(&[("auto.offset.reset", "earliest")])).unwrap();
    let topics = consumer.list_topics(SOON).unwrap();
    assert_eq!(topics.iter().map(|topic| &*topic.name).collect::<Vec<_>>(), ["bad", "good"]);
    assert_eq!(topics[1].partitions.as_ref().unwrap().len(), 1);
    let told = topics[0].partitions.clone().unwrap_err();
    let asked = consumer.partitions_for("bad", SOON).unwrap_err();

    let place = |topic: &str, partition| TopicPartition::new(topic, partition);
    let partitions = [place("bad", 0), place("bad", 1), place("good", 0)];
    consumer.assign(&partitions).unwrap();
    let mut failed = poll_failures(&mut consumer, 10);
    for error in [told, asked, failed.remove(0)] {
        assert_eq!((error.kind(), error.is_retriable()), (ErrorKind::Config, false));
        assert_eq!((error.topic(), error.partition()), (Some("bad"), 1));
        forth.assert_named_in(&error);
    }
}
