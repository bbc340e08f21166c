//! The process that other tests start: a member that reads, says what it read, and commits it.
//!
//! Its settings come a line each in the environment, those of the consumer under their own names.
//! SIGTERM ends it with a close in order.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kfetch::{
    Config, Consumer, Engine, Logger, OffsetAndMetadata, RebalanceListener, Records, TopicPartition,
};

use super::event::{Event, Kind, Span};
use super::reading::{events_of, name};
use crate::support::deadline::now;

/// Where the settings are; the test that is the process does nothing without.
pub(crate) const SETTINGS: &str = "KFETCH_TEST_MEMBER";

/// The name of that test.
pub(crate) const TEST: &str = "group_processes::member::is_one_or_has_nothing_to_do";

const STEP: Duration = Duration::from_millis(100);
/// A commit that waits for a coordinator goes on waiting.
const COMMIT_LIMIT: Duration = Duration::from_secs(60);

static IS_OVER: AtomicBool = AtomicBool::new(false);

extern "C" fn end(_: libc::c_int) {
    IS_OVER.store(true, Ordering::Relaxed);
}

fn print(event: &Event) {
    // One write a line: a kill leaves whole lines.
    let line = format!("{}\n", event.line());
    std::io::stdout().write_all(line.as_bytes()).unwrap();
}

#[test]
fn is_one_or_has_nothing_to_do() {
    let Ok(settings) = std::env::var(SETTINGS) else { return };
    let handler: extern "C" fn(libc::c_int) = end;
    // SAFETY: the handler stores to an atomic, which a signal handler may.
    unsafe { libc::signal(libc::SIGTERM, handler as libc::sighandler_t) };
    println!();
    Process::start(&settings).run();
}

/// What was read and is not committed yet: the next offset of each partition.
type Progress = Arc<Mutex<BTreeMap<TopicPartition, i64>>>;

struct Process {
    consumer: Consumer,
    progress: Progress,
    commits: bool,
    work: Duration,
}

impl Process {
    fn start(settings: &str) -> Self {
        let mut config = Config::new();
        let mut own = BTreeMap::new();
        for (name, value) in settings.lines().filter_map(|line| line.split_once('=')) {
            match name.strip_prefix("test.") {
                Some(name) => drop(own.insert(name, value)),
                None => drop(config.set(name, value).unwrap()),
            }
        }
        let logger = Logger::new(|level, target, text| {
            if level <= log::Level::Info {
                eprintln!("{level:?} {target}: {text}");
            }
        });
        let engine = Engine::with_logger(logger).unwrap();
        let mut consumer = Consumer::with_engine(&engine, config.consumer().unwrap()).unwrap();
        let progress = Progress::default();
        let commits = own.get("commit") == Some(&"sync");
        let listener = Listener { progress: Arc::clone(&progress), commits };
        consumer.set_rebalance_listener(Some(Box::new(listener))).unwrap();
        let topics: Vec<&str> = own["topics"].split(',').collect();
        consumer.subscribe(&topics).unwrap();
        print(&Event::new(Kind::Started));
        let work = own.get("work.ms").map_or(0, |work| work.parse().unwrap());
        Self { consumer, progress, commits, work: Duration::from_millis(work) }
    }

    fn run(mut self) {
        while !IS_OVER.load(Ordering::Relaxed) {
            match self.consumer.poll(STEP) {
                Ok(Some(records)) => self.take(&records),
                Ok(None) => {}
                Err(error) => {
                    print(&Event::new(Kind::Error).text(format!("{:?} {error}", error.kind())));
                    assert!(!error.is_fatal(), "{error}");
                }
            }
            if self.commits {
                commit(&mut self.consumer, &self.progress, |_| true);
            }
        }
        self.consumer.close(COMMIT_LIMIT).unwrap();
        print(&Event::new(Kind::Stopped));
    }

    fn take(&mut self, records: &Records) {
        let generation = generation(&self.consumer);
        let events = events_of(records, generation, &mut self.progress.lock().unwrap());
        let is_delivered = events.iter().any(|event| event.kind == Kind::Delivered);
        events.iter().for_each(print);
        if is_delivered {
            let until = now() + self.work;
            while now() < until {
                std::thread::park_timeout(until - now());
            }
        }
    }
}

/// Commits what was read of these partitions, and keeps it for the next time where that fails.
fn commit(
    consumer: &mut Consumer,
    progress: &Progress,
    is_meant: impl Fn(&TopicPartition) -> bool,
) {
    let mut meant = progress.lock().unwrap().clone();
    meant.retain(|partition, _| is_meant(partition));
    if meant.is_empty() {
        return;
    }
    let spans: Vec<Span> = meant
        .iter()
        .map(|(one, next)| Span::new(&name(&one.topic, one.partition), *next, *next))
        .collect();
    let offsets: Vec<(TopicPartition, OffsetAndMetadata)> = meant
        .iter()
        .map(|(one, next)| {
            let metadata = String::new();
            (one.clone(), OffsetAndMetadata { offset: *next, leader_epoch: -1, metadata })
        })
        .collect();
    let generation = generation(consumer);
    let event = |kind| Event::new(kind).generation(generation).spans(spans.clone());
    print(&event(Kind::CommitSent));
    match consumer.commit_offsets_sync(&offsets, COMMIT_LIMIT) {
        Ok(()) => {
            print(&event(Kind::CommitDone));
            let mut progress = progress.lock().unwrap();
            progress.retain(|partition, next| meant.get(partition) != Some(next));
        }
        Err(error) => {
            let text = format!("{:?} {error}", error.kind());
            print(&event(Kind::CommitFailed).text(text));
        }
    }
}

struct Listener {
    progress: Progress,
    commits: bool,
}

impl RebalanceListener for Listener {
    fn assigned(&mut self, consumer: &mut Consumer, partitions: &[TopicPartition]) {
        let event = Event::new(Kind::Assigned).generation(generation(consumer));
        let committed = consumer.committed(partitions, COMMIT_LIMIT);
        let committed = |index: usize| match &committed {
            Ok(found) => found[index]
                .as_ref()
                .map_or(-1, |found| found.as_ref().map_or(0, |found| found.offset)),
            Err(_) => -1,
        };
        let mut spans = Vec::new();
        for (index, one) in partitions.iter().enumerate() {
            let position = consumer.position(one, COMMIT_LIMIT).unwrap_or(-1);
            spans.push(Span::new(&name(&one.topic, one.partition), position, committed(index)));
        }
        print(&event.spans(spans));
    }

    fn revoked(&mut self, consumer: &mut Consumer, partitions: &[TopicPartition]) {
        if self.commits {
            commit(consumer, &self.progress, |one| partitions.contains(one));
        }
        self.let_go(Kind::Revoked, consumer, partitions);
    }

    fn lost(&mut self, consumer: &mut Consumer, partitions: &[TopicPartition]) {
        self.let_go(Kind::Lost, consumer, partitions);
    }
}

impl Listener {
    fn let_go(&self, kind: Kind, consumer: &Consumer, partitions: &[TopicPartition]) {
        self.progress.lock().unwrap().retain(|one, _| !partitions.contains(one));
        let span = |one: &TopicPartition| Span::new(&name(&one.topic, one.partition), -1, -1);
        let spans = partitions.iter().map(span).collect();
        print(&Event::new(kind).generation(generation(consumer)).spans(spans));
    }
}

fn generation(consumer: &Consumer) -> i32 {
    consumer.group_metadata().unwrap().generation
}
