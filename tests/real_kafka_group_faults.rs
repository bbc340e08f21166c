//! Groups on three brokers while brokers die, leaders move, and members are killed or frozen; and
//! groups that mix clients. Every record comes, no acknowledged commit is lost, and what is no
//! concern of the group's moves nothing in it.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod group_processes;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use group_processes::checker::{Checker, MemberLog, check_quiet, check_static};
use group_processes::event::{Event, Kind, now_us};
use group_processes::process::{
    Client, LIMIT, Member, Spec, wait_for, wait_for_all, wait_for_owners,
};
use kfetch::{Config, Consumer};
use support::deadline::{now, wait_until};
use support::helper::helper;
use support::kafka::{Broker, Cluster};
use support::producer::Record;

/// What the scenarios share, one after another.
struct Use {
    cluster: &'static Cluster,
    _turn: MutexGuard<'static, ()>,
}

fn cluster() -> Use {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let start = || {
        let builder = Cluster::builder().nodes(3);
        builder.property("group.min.session.timeout.ms", "1000").start()
    };
    let cluster = CLUSTER.get_or_init(start);
    // A test that failed may have left one dead.
    let dead = cluster.brokers().iter().filter(|broker| broker.process_id().is_none());
    dead.for_each(Broker::start);
    Use { cluster, _turn: turn }
}

/// A topic that is written to, and the members of a group that read it.
struct Scene {
    used: Use,
    topic: String,
    partitions: usize,
    directory: PathBuf,
    members: Vec<Member>,
    ended: Vec<MemberLog>,
    feed: Feed,
}

impl Scene {
    /// Makes the topic and begins to write.
    fn new(topic: &str, partitions: usize) -> Self {
        let used = cluster();
        let replicas: [&[u32]; 3] = [&[1, 2, 3], &[2, 3, 1], &[3, 1, 2]];
        let replicas: Vec<&[u32]> = replicas.into_iter().cycle().take(partitions).collect();
        used.cluster.create_topic_on(topic, &replicas, &[("min.insync.replicas", "2")]);
        let feed = Feed::start(used.cluster, topic, partitions);
        let directory = used.cluster.scratch();
        let (topic, members, ended) = (topic.to_owned(), Vec::new(), Vec::new());
        Self { used, topic, partitions, directory, members, ended, feed }
    }

    fn cluster(&self) -> &'static Cluster {
        self.used.cluster
    }

    /// Returns what a member of the topic's group is started with.
    fn spec(&self) -> Spec {
        Spec::new(&self.topic, &self.topic)
            .with("bootstrap.servers", self.cluster().bootstrap())
            .with("heartbeat.interval.ms", "300")
            // A frozen broker is given up soon.
            .with("request.timeout.ms", "5000")
    }

    /// Returns the same for a member that is soon missed.
    fn short_spec(&self) -> Spec {
        self.spec().with("session.timeout.ms", "3000")
    }

    fn start(&mut self, name: &str, spec: &Spec) {
        let name = format!("{}-{name}", self.topic);
        self.members.push(Member::start(&self.directory, &name, spec));
    }

    fn wait_for_owners(&mut self) {
        wait_for_owners(&mut self.members, self.partitions);
    }

    /// Waits until every member has committed some more times; those that do so without a word
    /// have read more.
    fn wait_for_commits(&mut self, more: usize) {
        let progress = |member: &mut Member| match member.count(Kind::CommitSent) {
            0 => member.count(Kind::Delivered),
            _ => member.count(Kind::CommitDone),
        };
        let before: Vec<usize> = self.members.iter_mut().map(progress).collect();
        wait_for("all members commit", &mut self.members, |members| {
            let mut both = members.iter_mut().zip(&before);
            both.all(|(one, before)| progress(one) >= before + more)
        });
    }

    fn logs(&mut self) -> Vec<MemberLog> {
        self.members.iter_mut().map(|one| one.log().clone()).collect()
    }

    /// Ends the writing, lets the members read to the end, stops them, and checks all of it.
    fn finish(mut self, checker: &Checker) {
        let ends = self.feed.end();
        let checker = Checker { ends: Checker::new(&self.topic, &ends).ends, ..checker.clone() };
        wait_for_all(&mut self.members, &self.ended, &checker.ends);
        self.ended.extend(self.members.into_iter().map(Member::stop));
        let committed = committed(self.used.cluster, &self.topic);
        assert_eq!(committed, checker.ends, "what is committed in the end");
        checker.assert_holds(&self.ended);
        eprintln!("{}: {} records", self.topic, ends.iter().sum::<i64>());
    }
}

/// Writes to all partitions, in turn and bit by bit, until it is told to end.
struct Feed {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Vec<i64>>,
}

impl Feed {
    fn start(cluster: &'static Cluster, topic: &str, partitions: usize) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let (told, topic) = (Arc::clone(&is_over), topic.to_owned());
        let run = move || {
            let producer = cluster.producer(&[
                ("request.timeout.ms", "5000"),
                ("delivery.timeout.ms", "59000"),
                ("max.block.ms", "59000"),
            ]);
            let mut next = 0;
            while !told.load(Ordering::Relaxed) {
                let numbers = next..next + 5;
                producer.send(&topic, &records(partitions, numbers.clone()), 0);
                next = numbers.end;
                std::thread::park_timeout(Duration::from_millis(150));
            }
            producer.close();
            vec![next; partitions]
        };
        Self { is_over, thread: std::thread::spawn(run) }
    }

    fn end(self) -> Vec<i64> {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().expect("every record is taken")
    }
}

fn records(partitions: usize, numbers: std::ops::Range<i64>) -> Vec<Record> {
    let partitions = 0..i32::try_from(partitions).unwrap();
    let of = |number: i64| {
        let partitions = partitions.clone();
        partitions.map(move |one| Record::new("k", &number.to_string()).partition(one))
    };
    numbers.flat_map(of).collect()
}

fn coordinator(cluster: &Cluster, group: &str) -> u32 {
    let rows = helper().expect("group_describe", &[&cluster.bootstrap(), group], &[]);
    rows[0][0].parse().expect("a broker's id")
}

fn committed(cluster: &Cluster, group: &str) -> BTreeMap<String, i64> {
    let rows = helper().expect("group_offsets", &[&cluster.bootstrap(), group], &[]);
    let offset = |row: Vec<String>| (format!("{}-{}", row[0], row[1]), row[2].parse().unwrap());
    rows.into_iter().map(offset).collect()
}

/// Waits until all replicas are there, so that the next broker may go.
fn wait_for_replicas(cluster: &Cluster, topic: &str) {
    for topic in [topic, "__consumer_offsets"] {
        wait_until("all replicas are in sync", LIMIT, || {
            let (_, partitions) = cluster.describe_topic(topic);
            partitions.iter().all(|one| one.in_sync.len() == 3)
        });
    }
}

/// Three members, one of them static and one that commits by itself, none of which hears anything
/// of what is done to the brokers.
fn stands_still(topic: &str, strategy: &str, disturb: impl FnOnce(&mut Scene)) {
    let mut scene = Scene::new(topic, 6);
    let spec = scene.spec().with("partition.assignment.strategy", strategy);
    scene.start("a", &spec);
    scene.start("b", &spec.clone().with("group.instance.id", "b"));
    let silent = spec.with("test.commit", "auto").with("enable.auto.commit", "true");
    scene.start("c", &silent.with("auto.commit.interval.ms", "500"));
    scene.wait_for_owners();
    scene.wait_for_commits(2);
    let from = now_us();
    disturb(&mut scene);
    scene.wait_for_commits(2);
    assert_eq!(check_quiet(&scene.logs(), from, now_us()), []);
    let checker = Checker { exactly_once: true, commits_silently: true, ..Checker::default() };
    scene.finish(&checker);
}

#[test]
fn the_coordinator_dies_and_the_group_stands_still() {
    stands_still("coordinator", "cooperative-sticky", |scene| {
        let cluster = scene.cluster();
        let first = coordinator(cluster, "coordinator");
        cluster.broker(first).kill();
        scene.wait_for_commits(3);
        let second = coordinator(cluster, "coordinator");
        assert_ne!(second, first);
        cluster.broker(first).start();
        wait_for_replicas(cluster, "coordinator");
    });
}

#[test]
fn the_coordinator_freezes_and_the_group_stands_still() {
    stands_still("frozen", "range", |scene| {
        let cluster = scene.cluster();
        let first = coordinator(cluster, "frozen");
        cluster.broker(first).pause();
        scene.wait_for_commits(3);
        cluster.broker(first).resume();
        scene.wait_for_commits(3);
        wait_for_replicas(cluster, "frozen");
    });
}

#[test]
fn brokers_restart_one_after_another_and_the_group_stands_still() {
    stands_still("rolling", "range", |scene| {
        let cluster = scene.cluster();
        for broker in cluster.brokers() {
            broker.stop();
            broker.start();
            wait_for_replicas(cluster, "rolling");
            scene.wait_for_commits(1);
        }
    });
}

#[test]
fn leaders_move_and_the_group_stands_still() {
    stands_still("leaders", "range", |scene| {
        for turn in 1..3 {
            for partition in 0..6 {
                let leader = (u32::try_from(partition).unwrap() + turn) % 3 + 1;
                scene.cluster().move_leader("leaders", partition, leader);
            }
            scene.wait_for_commits(1);
        }
    });
}

#[test]
fn a_member_that_stood_still_past_its_session_is_out_and_comes_back() {
    let mut scene = Scene::new("zombie", 4);
    // It works long enough on each poll to be frozen between a poll and its commit.
    scene.start("frozen", &scene.short_spec().with("test.work.ms", "3000"));
    scene.start("other", &scene.short_spec());
    scene.wait_for_owners();
    let before = scene.members[0].count(Kind::Delivered);
    wait_for("it works", &mut scene.members, |members| members[0].count(Kind::Delivered) > before);
    scene.members[0].signal(libc::SIGSTOP);
    let had = scene.members[0].owned();
    wait_for("the other has all", &mut scene.members, |members| members[1].owned().len() == 4);
    scene.wait_for_commits_of(1);
    let resumed = now_us();
    scene.members[0].signal(libc::SIGCONT);
    wait_for("it is back", &mut scene.members, |members| {
        let lost = members[0].count(Kind::Lost);
        lost > 0 && members.iter_mut().all(|one| one.owned().len() == 2)
    });
    let events: Vec<Event> = scene.members[0].events().to_vec();
    let after: Vec<&Event> = events.iter().filter(|one| one.at_us > resumed).collect();
    let at = |kind| after.iter().position(|one| one.kind == kind);
    let lost = at(Kind::Lost).expect("it is told");
    let mut names: Vec<_> = after[lost].spans.iter().map(|span| span.partition.clone()).collect();
    names.sort();
    assert_eq!(names, had);
    let refused = at(Kind::CommitFailed).expect("its commit is refused");
    assert!(after[refused].text.starts_with("CommitFailed"), "{:?}", after[refused]);
    assert!(at(Kind::CommitDone).is_none_or(|done| done > lost), "{after:?}");
    assert!(at(Kind::Delivered).is_none_or(|delivered| delivered > lost), "{after:?}");
    scene.finish(&Checker { has_zombies: true, ..Checker::default() });
}

impl Scene {
    /// Waits until one member has committed.
    fn wait_for_commits_of(&mut self, place: usize) {
        let before = self.members[place].count(Kind::CommitDone);
        wait_for("it commits", &mut self.members, |members| {
            members[place].count(Kind::CommitDone) > before
        });
    }

    /// Kills the member of a place.
    fn kill(&mut self, place: usize) -> MemberLog {
        let log = self.members.remove(place).kill();
        self.ended.push(log.clone());
        log
    }
}

#[test]
fn members_are_killed_and_what_they_had_goes_on() {
    let mut scene = Scene::new("killed", 6);
    let spec = scene.short_spec().with("partition.assignment.strategy", "cooperative-sticky");
    for name in ["a", "b", "c"] {
        scene.start(name, &spec);
    }
    // A static one, whose session outlasts its absence.
    let lasting = spec.clone().with("group.instance.id", "s").with("session.timeout.ms", "45000");
    scene.start("s", &lasting);
    scene.wait_for_owners();
    for turn in 0..4 {
        scene.wait_for_commits(1);
        let place = scene.members.iter().position(|one| !one.name().ends_with("-s")).unwrap();
        drop(scene.kill(place));
        // Each other time it is missed before another comes.
        if turn % 2 == 0 {
            scene.wait_for_owners();
        }
        scene.start(&format!("d{turn}"), &spec);
        scene.wait_for_owners();
    }
    let place = scene.members.iter().position(|one| one.name().ends_with("-s")).unwrap();
    let before = scene.kill(place);
    scene.start("s#2", &lasting);
    scene.wait_for_commits(2);
    let mut others = scene.logs();
    let after = others.pop().unwrap();
    assert_eq!(check_static(&before, &after, &others), []);
    scene.finish(&Checker { has_zombies: true, ..Checker::default() });
}

#[test]
fn new_partitions_are_found() {
    let used = cluster();
    let (cluster, directory) = (used.cluster, used.cluster.scratch());
    cluster.create_topic_on("grows", &[&[1, 2], &[2, 3]], &[]);
    let producer = cluster.producer(&[]);
    producer.send("grows", &records(2, 0..20), 0);
    let spec = Spec::new("grows", "grows")
        .with("bootstrap.servers", cluster.bootstrap())
        .with("metadata.max.age.ms", "500");
    let start = |name: &str| Member::start(&directory, name, &spec);
    let mut members = [start("grows-a"), start("grows-b")];
    wait_for_owners(&mut members, 2);
    wait_for_all(&mut members, &[], &Checker::new("grows", &[20; 2]).ends);
    helper().expect("create_partitions", &[&cluster.bootstrap(), "grows", "5"], &[]);
    wait_for_owners(&mut members, 5);
    let new = [2, 3, 4].map(|one| Record::new("k", "0").partition(one));
    producer.send("grows", &new, 0);
    producer.close();
    let ends = [20, 20, 1, 1, 1];
    let checker = Checker { exactly_once: true, ..Checker::new("grows", &ends) };
    wait_for_all(&mut members, &[], &checker.ends);
    checker.assert_holds(&members.map(Member::stop));
}

#[test]
fn a_topic_that_is_deleted_and_created_again_is_read_from_its_start() {
    let used = cluster();
    let (cluster, directory) = (used.cluster, used.cluster.scratch());
    let create = |numbers| {
        cluster.create_topic_on("again", &[&[1, 2], &[2, 3]], &[]);
        cluster.produce("again", &records(2, numbers), &[]);
    };
    create(0..20);
    let spec = Spec::new("again", "again")
        .with("bootstrap.servers", cluster.bootstrap())
        .with("metadata.max.age.ms", "500");
    let start = |name: &str| Member::start(&directory, name, &spec);
    let mut members = [start("again-a"), start("again-b")];
    wait_for_owners(&mut members, 2);
    wait_for_all(&mut members, &[], &Checker::new("again", &[20; 2]).ends);
    cluster.delete_topic("again");
    wait_for("nothing is owned any more", &mut members, |members| {
        members.iter_mut().all(|one| one.owned().is_empty())
    });
    let created = now_us();
    create(0..5);
    wait_for_owners(&mut members, 2);
    wait_for("its records are read", &mut members, |members| {
        let mut seen = Vec::new();
        for member in members {
            let events = member.events().iter().filter(|one| one.at_us > created);
            let delivered = events.filter(|one| one.kind == Kind::Delivered);
            seen.extend(delivered.flat_map(|one| one.spans.clone()));
        }
        let counts = ["again-0", "again-1"].map(|name| {
            let own = seen.iter().filter(|span| span.partition == name);
            own.map(|span| span.last + 1 - span.first).sum::<i64>()
        });
        assert!(counts.iter().all(|count| *count <= 5), "{seen:?}");
        counts == [5, 5]
    });
    for log in members.map(Member::stop) {
        let wrong = log.events.iter().find(|one| one.kind == Kind::Wrong);
        assert_eq!(wrong, None);
    }
}

#[test]
fn thirty_members_own_one_of_thirty_partitions_each_within_thirty_seconds() {
    const MEMBERS: usize = 30;
    let used = cluster();
    used.cluster.create_topic("thirty", MEMBERS, &[]);
    let config = Config::new()
        .with("bootstrap.servers", &used.cluster.bootstrap())
        .and_then(|config| config.with("group.id", "thirty"))
        .unwrap();
    let is_over = AtomicBool::new(false);
    // The partition of each, where it has one and no other.
    let owned = [const { AtomicI32::new(-1) }; MEMBERS];
    std::thread::scope(|scope| {
        for own in &owned {
            let (config, is_over) = (&config, &is_over);
            scope.spawn(move || {
                let mut consumer = Consumer::new(config).unwrap();
                consumer.subscribe(&["thirty"]).unwrap();
                while !is_over.load(Ordering::Relaxed) {
                    drop(consumer.poll(Duration::from_millis(100)).unwrap());
                    let number = match consumer.assignment().as_slice() {
                        [one] => one.partition,
                        _ => -1,
                    };
                    own.store(number, Ordering::Relaxed);
                }
                consumer.close(LIMIT).unwrap();
            });
        }
        let started = now();
        wait_until("each owns one", Duration::from_secs(30), || {
            let owned: BTreeSet<i32> =
                owned.iter().map(|own| own.load(Ordering::Relaxed)).collect();
            owned.len() == MEMBERS && !owned.contains(&-1)
        });
        eprintln!("30 members own one of 30 partitions each after {:?}", started.elapsed());
        is_over.store(true, Ordering::Relaxed);
    });
}

/// The first of the clients leads; when it goes, one of the others does.
fn mixes(topic: &str, strategy: &str, clients: [Client; 3]) {
    let mut scene = Scene::new(topic, 6);
    let spec = scene.spec().with("partition.assignment.strategy", strategy);
    for client in clients {
        scene.start(&format!("{client:?}"), &spec.clone().client(client));
        if client == clients[0] {
            scene.wait_for_owners();
        }
    }
    scene.wait_for_owners();
    scene.wait_for_commits(2);
    let first = scene.members.remove(0).stop();
    scene.ended.push(first);
    scene.wait_for_owners();
    scene.wait_for_commits(2);
    scene.finish(&Checker { exactly_once: true, ..Checker::default() });
}

#[test]
fn mixed_groups_are_led_by_kfetch() {
    mixes("mixed-1", "range", [Client::Kfetch, Client::Java, Client::Python]);
    mixes("mixed-2", "cooperative-sticky", [Client::Kfetch, Client::Java, Client::Python]);
}

#[test]
fn mixed_groups_are_led_by_java() {
    mixes("mixed-3", "range", [Client::Java, Client::Kfetch, Client::Python]);
    mixes("mixed-4", "cooperative-sticky", [Client::Java, Client::Python, Client::Kfetch]);
}

#[test]
fn mixed_groups_are_led_by_librdkafka() {
    mixes("mixed-5", "range", [Client::Python, Client::Java, Client::Kfetch]);
    mixes("mixed-6", "cooperative-sticky", [Client::Python, Client::Kfetch, Client::Java]);
}
