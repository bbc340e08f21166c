//! A real Kafka behind proxies, and the members of a group that reach it through one each.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::fault_proxy::{FaultProxy, Mode};
use crate::group_processes::checker::{Checker, MemberLog};
use crate::group_processes::event::Kind;
use crate::member::{Member, consumer};
use crate::support::deadline::now;
use crate::support::helper::helper;
use crate::support::kafka::Cluster;
use crate::support::port::free_port;
use crate::support::producer::Record;
use crate::watch::{stand_still, wait_for_all, wait_for_commits, wait_for_owners};

pub(crate) const PARTITIONS: usize = 6;

/// The session of a member that says nothing else.
pub(crate) const SESSION: Duration = Duration::from_secs(3);

/// Members of a scene, each behind its own proxy.
const MEMBERS: usize = 3;

/// Scenes that go on at a time.
const LANES: usize = 2;

/// The proxies of one scene.
type Lane = [FaultProxy; MEMBERS];

struct Network {
    cluster: Cluster,
    lanes: Mutex<Vec<Arc<Lane>>>,
    returned: Condvar,
}

/// Returns the one broker of all scenes, whose listeners are told by the ports of the proxies.
fn network() -> &'static Network {
    static NETWORK: OnceLock<Network> = OnceLock::new();
    NETWORK.get_or_init(|| {
        let ports: [[[u16; 2]; MEMBERS]; LANES] =
            std::array::from_fn(|_| std::array::from_fn(|_| [free_port(), free_port()]));
        let mut builder = Cluster::builder()
            .property("group.min.session.timeout.ms", "1000")
            .property("num.network.threads", "1");
        for [port, proxy] in ports.as_flattened() {
            builder = builder.listener(*port, *proxy);
        }
        let cluster = builder.start();
        let lane = |ports: [[u16; 2]; MEMBERS]| {
            Arc::new(ports.map(|[port, own]| FaultProxy::tcp(own, port)))
        };
        let lanes = Mutex::new(ports.map(lane).into());
        Network { cluster, lanes, returned: Condvar::new() }
    })
}

/// A topic that is written to, and the members of a group that read it.
pub(crate) struct Scene {
    pub(crate) topic: String,
    pub(crate) members: Vec<Member>,
    pub(crate) ended: Vec<MemberLog>,
    settings: Vec<(String, String)>,
    lane: Option<Arc<Lane>>,
    feed: Option<Feed>,
}

impl Scene {
    /// Makes the topic and begins to write, as soon as there are proxies.
    pub(crate) fn new(topic: &str) -> Self {
        Self::with_keys(topic, 1)
    }

    /// Makes such a scene whose records have keys of as many bytes.
    pub(crate) fn with_keys(topic: &str, key_bytes: usize) -> Self {
        let network = network();
        let lanes = network.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = network.returned.wait_while(lanes, |lanes| lanes.is_empty());
        let lane = waiting.unwrap_or_else(PoisonError::into_inner).pop();
        network.cluster.create_topic(topic, PARTITIONS, &[]);
        let feed = Some(Feed::start(&network.cluster, topic, "k".repeat(key_bytes)));
        let settings = [
            ("group.id", topic),
            ("enable.auto.commit", "false"),
            ("auto.offset.reset", "earliest"),
            ("session.timeout.ms", "3000"),
            ("heartbeat.interval.ms", "300"),
            ("request.timeout.ms", "2000"),
            ("max.poll.interval.ms", "8000"),
            ("reconnect.backoff.max.ms", "400"),
            ("fetch.max.wait.ms", "200"),
            ("partition.assignment.strategy", "cooperative-sticky"),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let (topic, members, ended) = (topic.to_owned(), Vec::new(), Vec::new());
        Self { topic, members, ended, settings, lane, feed }
    }

    /// Sets a property of the members that start from now on.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts three members.
    pub(crate) fn with_members(mut self) -> Self {
        (0..MEMBERS).for_each(|place| self.start(place));
        self.wait_for_owners();
        self.wait_for_commits(2);
        self
    }

    /// Starts a member behind the proxy of a place.
    pub(crate) fn start(&mut self, place: usize) {
        let number = self.members.len() + self.ended.len();
        let name = format!("{}-{place}-{number}", self.topic);
        let member = Member::start(&name, &self.topic, self.settings(place));
        self.members.insert(place.min(self.members.len()), member);
    }

    /// Makes a consumer of the group behind the proxy of a place.
    pub(crate) fn consumer(&self, place: usize) -> kfetch::Consumer {
        self.consumer_with(place, &[])
    }

    /// Makes such a consumer with further settings.
    pub(crate) fn consumer_with(&self, place: usize, more: &[(&str, &str)]) -> kfetch::Consumer {
        let mut settings = self.settings(place);
        settings.extend(more.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        consumer(&format!("{}-{place}", self.topic), &settings)
    }

    fn settings(&self, place: usize) -> Vec<(String, String)> {
        let bootstrap = ("bootstrap.servers".to_owned(), self.proxies()[place].bootstrap());
        [self.settings.clone(), vec![bootstrap]].concat()
    }

    pub(crate) fn proxies(&self) -> &Lane {
        self.lane.as_ref().expect("it is the scene's until the end")
    }

    /// Returns them for threads that outlive a borrow of the scene.
    pub(crate) fn lend_proxies(&self) -> Arc<Lane> {
        Arc::clone(self.lane.as_ref().expect("it is the scene's until the end"))
    }

    pub(crate) fn set_all(&self, mode: Mode) {
        self.proxies().iter().for_each(|proxy| proxy.set(mode));
    }

    pub(crate) fn wait_for_owners(&self) {
        wait_for_owners(&self.members, PARTITIONS);
    }

    pub(crate) fn wait_for_commits(&self, more: usize) {
        wait_for_commits(&self.members, more);
    }

    pub(crate) fn stands_still(&self, disturb: impl FnOnce(&Self)) {
        stand_still(&self.members, || disturb(self));
    }

    /// Ends the writing and heals the network, lets the members read to the end within the time
    /// that faults leave them, stops them, and checks all of it.
    pub(crate) fn finish(mut self, checker: &Checker) {
        self.set_all(Mode::Pass);
        let ends = self.feed.take().expect("it writes").end();
        let checker = Checker { ends: Checker::new(&self.topic, &ends).ends, ..checker.clone() };
        let started = now();
        wait_for_all(&self.members, &self.ended, &checker.ends);
        let limit = 2 * SESSION + Duration::from_secs(10);
        assert!(started.elapsed() < limit, "L1: {:?}", started.elapsed());
        let members = std::mem::take(&mut self.members);
        self.ended.extend(members.into_iter().map(Member::stop));
        let committed = self.committed();
        assert_eq!(committed, checker.ends, "what is committed in the end");
        checker.assert_holds(&self.ended);
        let mut events = self.ended.iter().flat_map(|log| &log.events);
        assert_eq!(events.find(|event| event.kind == Kind::Error), None, "no partition's error");
        eprintln!("{}: {} records", self.topic, ends.iter().sum::<i64>());
    }

    /// Returns what the broker says is committed, asked without a proxy.
    pub(crate) fn committed(&self) -> BTreeMap<String, i64> {
        let bootstrap = network().cluster.bootstrap();
        let rows = helper().expect("group_offsets", &[&bootstrap, &self.topic], &[]);
        let offset = |row: Vec<String>| (format!("{}-{}", row[0], row[1]), row[2].parse().unwrap());
        rows.into_iter().map(offset).collect()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.members.clear();
        self.set_all(Mode::Pass);
        let network = network();
        let mut lanes = network.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.extend(self.lane.take());
        network.returned.notify_one();
    }
}

/// Writes to all partitions, bit by bit, until it is told to end or dropped.
struct Feed {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<i64>>>,
}

impl Feed {
    fn start(cluster: &'static Cluster, topic: &str, key: String) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let (told, topic) = (Arc::clone(&is_over), topic.to_owned());
        let run = move || {
            let producer = cluster.producer(&[]);
            let mut next = 0;
            while !told.load(Ordering::Relaxed) {
                let numbers = next..next + 2;
                next = numbers.end;
                producer.send(&topic, &records(&key, numbers), 0);
                std::thread::park_timeout(Duration::from_millis(250));
            }
            producer.close();
            vec![next; PARTITIONS]
        };
        Self { is_over, thread: Some(std::thread::spawn(run)) }
    }

    fn end(mut self) -> Vec<i64> {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().expect("every record is taken")
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

fn records(key: &str, numbers: std::ops::Range<i64>) -> Vec<Record> {
    let partitions = 0..i32::try_from(PARTITIONS).unwrap();
    let of = |number: i64| {
        let partitions = partitions.clone();
        partitions.map(move |one| Record::new(key, &number.to_string()).partition(one))
    };
    numbers.flat_map(of).collect()
}
