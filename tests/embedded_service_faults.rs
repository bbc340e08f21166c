//! Members of a group on a log directory while the way to the one who serves it fails, and while
//! others misuse its socket: the group goes on, nothing is lost, and memory stays bounded.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "real_kafka_group_network/chaos.rs"]
mod chaos;
mod embedded;
#[path = "support/fault_proxy.rs"]
mod fault_proxy;
mod group_processes;
#[path = "real_kafka_group_network/member.rs"]
#[allow(dead_code, reason = "the other binary uses the rest")]
mod member;
mod support;
#[path = "real_kafka_group_network/watch.rs"]
#[allow(dead_code, reason = "the other binary uses the rest")]
mod watch;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chaos::break_connections;
use embedded::Join;
use embedded::client::{RawClient, frame};
use embedded::words::{commit_body, committed_error, fetch_body};
use fault_proxy::{End, FaultProxy, Mode};
use group_processes::checker::{Checker, MemberLog};
use group_processes::event::{Kind, now_us};
use group_processes::writer::Writer;
use kfetch::Logger;
use kfetch::embedded::read_offsets;
use kfetch::net::group_service::{GroupService, ServiceSettings, socket_path};
use kfetch::protocol::ApiKey;
use member::Member;
use support::deadline::{now, wait_until};
use support::temp_dir::TempDir;
use watch::{
    LIMIT, MS, let_pass, stand_still, wait_for, wait_for_all, wait_for_commits, wait_for_owners,
};

const TOPIC: &str = "t";
const GROUP: &str = "g";
const PARTITIONS: usize = 6;
const SESSION: Duration = Duration::from_secs(3);

/// A directory that is written to, its service, and the members of a group in it.
struct Scene {
    writer: Writer,
    members: Vec<Member>,
    ended: Vec<MemberLog>,
    /// Where the service listens behind a proxy, if there is one.
    proxy: Option<FaultProxy>,
    service: GroupService,
    dir: TempDir,
}

impl Scene {
    fn new(has_proxy: bool) -> Self {
        let dir = TempDir::new("service-faults");
        let mut settings = ServiceSettings::new(dir.path().to_owned());
        settings.session_timeout_min = 1_000 * MS;
        let service = GroupService::start(settings, Arc::new(Logger::new(|_, _, _| {}))).unwrap();
        wait_until("the service serves", LIMIT, || service.is_serving());
        let proxy = has_proxy.then(|| FaultProxy::unix(&socket_path(dir.path())));
        let writer = Writer::start(dir.path(), (TOPIC, PARTITIONS), 1, 100 * MS);
        let (members, ended) = (Vec::new(), Vec::new());
        let mut scene = Self { writer, members, ended, proxy, service, dir };
        (0..3).for_each(|_| scene.start());
        wait_for_owners(&scene.members, PARTITIONS);
        wait_for_commits(&scene.members, 2);
        scene
    }

    fn start(&mut self) {
        let settings = [
            ("log.dirs", self.dir.path().to_str().unwrap()),
            ("group.id", GROUP),
            ("enable.auto.commit", "false"),
            ("auto.offset.reset", "earliest"),
            ("group.min.session.timeout.ms", "1000"),
            ("session.timeout.ms", "3000"),
            ("heartbeat.interval.ms", "300"),
            ("request.timeout.ms", "2000"),
            ("max.poll.interval.ms", "8000"),
            ("partition.assignment.strategy", "cooperative-sticky"),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let name = format!("member-{}", self.members.len() + self.ended.len());
        self.members.push(Member::start(&name, TOPIC, settings.into()));
    }

    fn path(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    fn proxy(&self) -> &FaultProxy {
        self.proxy.as_ref().expect("a scene with one")
    }

    /// As in the scenes with a broker.
    fn finish(mut self, checker: &Checker) {
        let ends = self.writer.end();
        let checker = Checker { ends: Checker::new(TOPIC, &ends).ends, ..checker.clone() };
        let started = now();
        wait_for_all(&self.members, &self.ended, &checker.ends);
        assert!(started.elapsed() < 2 * SESSION + 10_000 * MS, "L1: {:?}", started.elapsed());
        self.ended.extend(self.members.into_iter().map(Member::stop));
        drop(self.service);
        let offsets = read_offsets(&[self.dir.path().to_owned()]).unwrap();
        let committed = offsets.group(GROUP).expect("its offsets")[TOPIC].iter();
        let committed: BTreeMap<String, i64> =
            committed.map(|(number, found)| (format!("{TOPIC}-{number}"), found.offset)).collect();
        assert_eq!(committed, checker.ends, "what is committed in the end");
        checker.assert_holds(&self.ended);
    }
}

#[test]
fn short_faults_on_the_way_to_the_service_move_nothing() {
    let scene = Scene::new(true);
    for mode in
        [Mode::Trickle(1, MS / 4), Mode::Delay(200 * MS), Mode::BlackHole, Mode::Mute, Mode::Refuse]
    {
        stand_still(&scene.members, || {
            scene.proxy().set(mode);
            let_pass(1_500 * MS);
            scene.proxy().set(Mode::Pass);
        });
    }
    scene.finish(&Checker { exactly_once: true, ..Checker::default() });
}

#[test]
fn members_that_do_not_reach_the_service_past_their_sessions_give_up_and_come_back() {
    for mode in [Mode::BlackHole, Mode::Refuse] {
        let scene = Scene::new(true);
        let from = now_us();
        scene.proxy().set(mode);
        wait_for("each is told", &scene.members, || {
            scene.members.iter().all(|one| one.count(Kind::Lost) > 0)
        });
        let took = Duration::from_micros(now_us() - from);
        assert!(took < SESSION + 1_000 * MS, "{took:?}");
        let_pass(500 * MS);
        let read = || -> usize { scene.members.iter().map(|one| one.count(Kind::Delivered)).sum() };
        let before = read();
        let_pass(500 * MS);
        assert_eq!(read(), before, "nothing comes to members of nothing");
        scene.proxy().set(Mode::Pass);
        wait_for_owners(&scene.members, PARTITIONS);
        wait_for_commits(&scene.members, 2);
        scene.finish(&Checker::default());
    }
}

#[test]
fn connections_to_the_service_that_end_at_any_byte_lose_nothing() {
    let mut scene = Scene::new(true);
    let (seed, until) = (chaos::seed(), now() + 8_000 * MS);
    let proxy = scene.proxy.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| break_connections(&proxy, seed, End::Fin, until));
        while now() < until {
            let_pass(1_000 * MS);
            let stopped = scene.members.remove(0).stop();
            scene.ended.push(stopped);
            scene.start();
        }
    });
    eprintln!("{} connections ended", proxy.ended());
    assert!(proxy.ended() > 20, "{}", proxy.ended());
    wait_for_owners(&scene.members, PARTITIONS);
    wait_for_commits(&scene.members, 2);
    scene.finish(&Checker::default());
}

/// Sends a request a byte at a time.
fn send_slowly(dir: &Path) {
    let mut client = RawClient::connect(dir).unwrap();
    for byte in
        frame(ApiKey::OffsetCommit, 9, 0, &commit_body("slow", "", -1, None, ("t", 0, 9, "")))
    {
        client.stream.write_all(&[byte]).unwrap();
        let_pass(2 * MS);
    }
    let body = client.receive(0, ApiKey::OffsetCommit, 9).unwrap();
    assert_eq!(committed_error(&body).0, 0);
}

/// Asks for much and goes in the middle of the answers.
fn leave_early(dir: &Path) {
    let mut client = RawClient::connect(dir).unwrap();
    for _ in 0..10 {
        client.stream.write_all(&frame(ApiKey::OffsetFetch, 9, 0, &fetch_body("big"))).unwrap();
    }
    client.stream.read_exact(&mut [0; 10_000]).unwrap();
}

/// Goes while the service holds its request: alone in its group, it would get its answer later.
fn join_and_go(dir: &Path) {
    let mut client = RawClient::connect(dir).unwrap();
    let joined = client.join("others", &Join::default()).unwrap();
    let again = Join { member_id: &joined.member_id, session_ms: 1_000, ..Join::default() };
    client.stream.write_all(&frame(ApiKey::JoinGroup, 9, 0, &again.encode("others"))).unwrap();
}

/// Sends these bytes and nothing more.
fn stop_after(dir: &Path, bytes: &[u8]) -> RawClient {
    let mut client = RawClient::connect(dir).unwrap();
    // Whom the service has disconnected in the middle has got what was to come.
    drop(client.stream.write_all(bytes));
    client
}

fn resident_kib() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn clients_that_misuse_the_socket_do_not_disturb_a_group() {
    let scene = Scene::new(false);
    let dir = scene.path();
    let mut filling = RawClient::connect(&dir).unwrap();
    for number in 0..100 {
        let metadata = "m".repeat(4000);
        let body = commit_body("big", "", -1, None, ("t", number, 1, &metadata));
        assert_eq!(committed_error(&filling.call(ApiKey::OffsetCommit, 9, &body).unwrap()).0, 0);
    }
    let (resident, open) = (resident_kib(), descriptors());
    stand_still(&scene.members, || {
        let mut kept: Vec<RawClient> = (0..200).map(|_| stop_after(&dir, &[])).collect();
        let garbage: Vec<u8> = (0..=255).cycle().skip(128).take(5_000).collect();
        let half = frame(ApiKey::Heartbeat, 4, 0, &[0; 100]);
        // The longest that is taken, and the first part of it; and longer than that.
        let long = [(16_i32 << 20).to_be_bytes().as_slice(), &[0; 50_000]].concat();
        for _ in 0..20 {
            send_slowly(&dir);
            leave_early(&dir);
            join_and_go(&dir);
            for bytes in [&garbage[..], &half[..half.len() / 2], &long, &[0x7f; 4]] {
                kept.push(stop_after(&dir, bytes));
            }
        }
        let_pass(1_000 * MS);
        let grown = resident_kib().saturating_sub(resident);
        eprintln!("{} connections, {grown} KiB more", kept.len());
        assert!(grown < 64 << 10, "{grown} KiB more");
    });
    wait_until("all are let go", LIMIT, || descriptors() <= open);
    scene.finish(&Checker { exactly_once: true, ..Checker::default() });
}
