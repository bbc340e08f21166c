//! A member on a thread of its own, which reads, commits what it read, and looks at the clock: a
//! call that takes longer than it may is a wrong that the checker finds.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use kfetch::{
    Config, Consumer, Engine, Error, ErrorKind, Logger, OffsetAndMetadata, RebalanceListener,
    Records, TopicPartition,
};

use crate::group_processes::checker::MemberLog;
use crate::group_processes::event::{Event, Kind, Span};
use crate::group_processes::reading::{events_of, name};
use crate::support::deadline::now;

const STEP: Duration = Duration::from_millis(100);
const COMMIT_LIMIT: Duration = Duration::from_secs(2);
const ASK_LIMIT: Duration = Duration::from_secs(1);
const CLOSE_LIMIT: Duration = Duration::from_secs(20);

/// What a call may take beyond its limit on two cores that have much else to do.
pub(crate) const SLACK: Duration = Duration::from_millis(500);

/// Makes a consumer whose engine is its own and says what goes wrong.
pub(crate) fn consumer(name: &str, settings: &[(String, String)]) -> Consumer {
    let mut config = Config::new();
    for (name, value) in settings {
        config.set(name, value).unwrap();
    }
    let name = name.to_owned();
    let logger = Logger::new(move |level, target, text| {
        if level <= log::Level::Info {
            eprintln!("{name}: {level:?} {target}: {text}");
        }
    });
    let engine = Engine::with_logger(logger).unwrap();
    Consumer::with_engine(&engine, config.consumer().unwrap()).unwrap()
}

/// A member; dropped, it ends without a close in order.
#[derive(Debug)]
pub(crate) struct Member {
    name: String,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    events: Mutex<Vec<Event>>,
    is_over: AtomicBool,
    is_dropped: AtomicBool,
    /// What callbacks have taken so far, which counts for no call around them.
    called_back_us: AtomicU64,
    /// What was read and is not committed yet: the next offset of each partition.
    progress: Mutex<BTreeMap<TopicPartition, i64>>,
}

impl Member {
    pub(crate) fn start(name: &str, topic: &str, settings: Vec<(String, String)>) -> Self {
        let shared = Arc::new(Shared::default());
        let (of_thread, name, topic) = (Arc::clone(&shared), name.to_owned(), topic.to_owned());
        let for_thread = name.clone();
        let run = move || {
            let mut consumer = consumer(&for_thread, &settings);
            let listener = Listener(Arc::clone(&of_thread));
            consumer.set_rebalance_listener(Some(Box::new(listener))).unwrap();
            consumer.subscribe(&[topic.as_str()]).unwrap();
            of_thread.run(consumer);
        };
        let thread = Some(std::thread::spawn(run));
        Self { name, shared, thread }
    }

    pub(crate) fn log(&self) -> MemberLog {
        MemberLog { name: self.name.clone(), events: self.shared.events().clone() }
    }

    /// Returns the partitions that it has, sorted.
    pub(crate) fn owned(&self) -> Vec<String> {
        self.log().owned()
    }

    /// Returns how many events of a kind there were.
    pub(crate) fn count(&self, kind: Kind) -> usize {
        self.shared.events().iter().filter(|event| event.kind == kind).count()
    }

    pub(crate) fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Ends it in order and returns its log.
    pub(crate) fn stop(mut self) -> MemberLog {
        self.shared.is_over.store(true, Ordering::Relaxed);
        let thread = self.thread.take().unwrap();
        thread.join().unwrap_or_else(|_| panic!("{} has panicked", self.name));
        self.log()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.shared.is_dropped.store(true, Ordering::Relaxed);
        self.shared.is_over.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn events(&self) -> MutexGuard<'_, Vec<Event>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, event: Event) {
        self.events().push(event);
    }

    fn wrong(&self, text: String) {
        self.say(Event::new(Kind::Wrong).text(text));
    }

    /// Makes a call that is to return within `limit`, callbacks not counted.
    fn timed<T>(&self, what: &str, limit: Duration, call: impl FnOnce() -> T) -> T {
        let called_back = || Duration::from_micros(self.called_back_us.load(Ordering::Relaxed));
        let (before, started) = (called_back(), now());
        let outcome = call();
        let took = started.elapsed().saturating_sub(called_back() - before);
        if took > limit + SLACK {
            self.wrong(format!("{what} took {took:?} of {limit:?}"));
        }
        outcome
    }

    fn run(&self, mut consumer: Consumer) {
        self.say(Event::new(Kind::Started));
        while !self.is_over.load(Ordering::Relaxed) {
            match self.timed("poll", STEP, || consumer.poll(STEP)) {
                Ok(Some(records)) => self.take(generation(&consumer), &records),
                Ok(None) => {}
                Err(error) => self.wrong(format!("poll: {:?} {error}", error.kind())),
            }
            self.commit(&mut consumer, |_| true);
        }
        if self.is_dropped.load(Ordering::Relaxed) {
            return;
        }
        if let Err(error) = self.timed("close", CLOSE_LIMIT, || consumer.close(CLOSE_LIMIT)) {
            self.wrong(format!("close: {:?} {error}", error.kind()));
        }
        self.say(Event::new(Kind::Stopped));
    }

    fn take(&self, generation: i32, records: &Records) {
        let events = events_of(records, generation, &mut self.progress.lock().unwrap());
        events.into_iter().for_each(|event| self.say(event));
    }

    /// Commits what was read of these partitions, and keeps it for the next time where that fails.
    fn commit(&self, consumer: &mut Consumer, is_meant: impl Fn(&TopicPartition) -> bool) {
        let mut meant = self.progress.lock().unwrap().clone();
        meant.retain(|partition, _| is_meant(partition));
        if meant.is_empty() {
            return;
        }
        let span = |(one, next): (&TopicPartition, &i64)| {
            Span::new(&name(&one.topic, one.partition), *next, *next)
        };
        let spans: Vec<Span> = meant.iter().map(span).collect();
        let offsets: Vec<(TopicPartition, OffsetAndMetadata)> =
            meant.iter().map(|(one, next)| (one.clone(), offset(*next))).collect();
        let generation = generation(consumer);
        let event = |kind| Event::new(kind).generation(generation).spans(spans.clone());
        self.say(event(Kind::CommitSent));
        let commit = || consumer.commit_offsets_sync(&offsets, COMMIT_LIMIT);
        match self.timed("commit", COMMIT_LIMIT, commit) {
            Ok(()) => {
                self.say(event(Kind::CommitDone));
                let mut progress = self.progress.lock().unwrap();
                progress.retain(|partition, next| meant.get(partition) != Some(next));
            }
            Err(error) => {
                let text = format!("{:?} {error}", error.kind());
                self.say(event(Kind::CommitFailed).text(&text));
                if !is_expected(&error) {
                    self.wrong(format!("commit: {text}"));
                }
            }
        }
    }
}

/// Tells whether a commit may fail so while the network does.
fn is_expected(error: &Error) -> bool {
    error.is_retriable() && !error.is_fatal() || error.kind() == ErrorKind::CommitFailed
}

struct Listener(Arc<Shared>);

impl Listener {
    /// Runs a callback, whose time counts for no call around it.
    fn apart(&self, run: impl FnOnce(&Shared)) {
        let started = now();
        run(&self.0);
        let took = u64::try_from(started.elapsed().as_micros()).unwrap();
        self.0.called_back_us.fetch_add(took, Ordering::Relaxed);
    }

    fn let_go(shared: &Shared, kind: Kind, consumer: &Consumer, partitions: &[TopicPartition]) {
        shared.progress.lock().unwrap().retain(|one, _| !partitions.contains(one));
        let span = |one: &TopicPartition| Span::new(&name(&one.topic, one.partition), -1, -1);
        let spans = partitions.iter().map(span).collect();
        shared.say(Event::new(kind).generation(generation(consumer)).spans(spans));
    }
}

impl RebalanceListener for Listener {
    fn assigned(&mut self, consumer: &mut Consumer, partitions: &[TopicPartition]) {
        self.apart(|shared| {
            let event = Event::new(Kind::Assigned).generation(generation(consumer));
            let ask = || consumer.committed(partitions, ASK_LIMIT);
            let committed: Vec<i64> = match shared.timed("committed", ASK_LIMIT, ask) {
                Ok(found) => found
                    .into_iter()
                    .map(|one| one.map_or(-1, |one| one.map_or(0, |one| one.offset)))
                    .collect(),
                Err(_) => vec![-1; partitions.len()],
            };
            let (mut spans, mut answers) = (Vec::new(), true);
            for (one, committed) in partitions.iter().zip(committed) {
                let ask = || consumer.position(one, ASK_LIMIT);
                // Where one was not told in time, the others would not be either.
                let position = match answers && committed >= 0 {
                    true => shared.timed("position", ASK_LIMIT, ask).unwrap_or(-1),
                    false => -1,
                };
                answers &= position >= 0;
                spans.push(Span::new(&name(&one.topic, one.partition), position, committed));
            }
            shared.say(event.spans(spans));
        });
    }

    fn revoked(&mut self, consumer: &mut Consumer, partitions: &[TopicPartition]) {
        self.apart(|shared| {
            shared.commit(consumer, |one| partitions.contains(one));
            Self::let_go(shared, Kind::Revoked, consumer, partitions);
        });
    }

    fn lost(&mut self, consumer: &mut Consumer, partitions: &[TopicPartition]) {
        self.apart(|shared| Self::let_go(shared, Kind::Lost, consumer, partitions));
    }
}

pub(crate) fn offset(offset: i64) -> OffsetAndMetadata {
    OffsetAndMetadata { offset, leader_epoch: -1, metadata: String::new() }
}

pub(crate) fn generation(consumer: &Consumer) -> i32 {
    consumer.group_metadata().unwrap().generation
}
