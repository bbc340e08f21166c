//! Processes that serve groups, killed at random moments while clients commit: the next one goes on
//! with everything that was acknowledged.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod embedded;
mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use embedded::client::RawClient;
use embedded::words::{beat_body, commit_body, committed_error};
use embedded::{Join, Joined};
use kfetch::Logger;
use kfetch::backoff::Random;
use kfetch::embedded::read_offsets;
use kfetch::net::group_service::{GroupService, ServiceSettings};
use kfetch::protocol::heartbeat::HeartbeatResponse;
use kfetch::protocol::{ApiKey, ErrorCode};
use support::deadline::{now, wait_until};
use support::process::spawn_tied;
use support::temp_dir::TempDir;

const KILLS: u64 = 80;
const CLIENTS: usize = 3;
const PARTITIONS: i32 = 4;
const DIRECTORY: &str = "KFETCH_TEST_GROUPS_DIR";
const SESSION: Duration = Duration::from_millis(1000);
const LIMIT: Duration = Duration::from_secs(60);

/// The process that other tests here start: without its directory it has nothing to do.
#[test]
fn serves_or_waits_until_it_is_killed() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    loop {
        let settings = ServiceSettings {
            // What one flush of the log may lose must not be what another has acknowledged.
            sync: std::process::id().is_multiple_of(2),
            session_timeout_min: SESSION,
            ..ServiceSettings::new(directory.clone().into())
        };
        let logger = Arc::new(Logger::new(|_, _, text| println!("{text}")));
        let service = GroupService::start(settings, logger).expect("a thread");
        while service.is_running() {
            thread::park_timeout(Duration::from_millis(2));
        }
        assert_eq!(service.failure(), None);
    }
}

fn spawn(directory: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "serves_or_waits_until_it_is_killed", "--nocapture"]);
    command.env(DIRECTORY, directory).stdin(Stdio::null()).stdout(Stdio::null());
    spawn_tied(command).unwrap()
}

/// What one client knows of its group: the offset of each partition that was acknowledged last,
/// and the one that was sent last.
#[derive(Debug, Default)]
struct Known {
    acknowledged: BTreeMap<i32, i64>,
    sent: BTreeMap<i32, i64>,
}

impl Known {
    fn check(&self, found: &BTreeMap<i32, i64>) {
        for (partition, acknowledged) in &self.acknowledged {
            let offset = found.get(partition).copied().unwrap_or(-1);
            let sent = self.sent[partition];
            assert!(
                (*acknowledged..=sent).contains(&offset),
                "partition {partition} has {offset}, {acknowledged} was acknowledged, {sent} sent"
            );
        }
    }
}

/// Commits rising offsets, several requests at once, until the connection breaks.
fn commit_on(
    client: &mut RawClient,
    group: &str,
    known: &mut Known,
    acks: &AtomicU64,
    is_over: &AtomicBool,
) -> std::io::Result<()> {
    while !is_over.load(Ordering::Relaxed) {
        let mut requests = Vec::new();
        for partition in 0..PARTITIONS {
            let offset = known.sent.get(&partition).map_or(0, |sent| sent + 1);
            known.sent.insert(partition, offset);
            let body = commit_body(group, "", -1, None, ("t", partition, offset, "m"));
            requests.push((partition, offset, client.send(ApiKey::OffsetCommit, 9, &body)?));
        }
        for (partition, offset, id) in requests {
            let body = client.receive(id, ApiKey::OffsetCommit, 9)?;
            assert_eq!(committed_error(&body), ErrorCode::NONE);
            known.acknowledged.insert(partition, offset);
            acks.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}

fn run_client(path: &Path, group: &str, acks: &AtomicU64, is_over: &AtomicBool) -> Known {
    let mut known = Known::default();
    let mut takeovers = 0;
    while !is_over.load(Ordering::Relaxed) {
        let mut client = RawClient::connect_soon(path);
        let Ok(found) = client.committed(group) else { continue };
        known.check(&found.into_iter().map(|(_, number, offset, _)| (number, offset)).collect());
        takeovers += 1;
        // It ends with the process that serves.
        drop(commit_on(&mut client, group, &mut known, acks, is_over));
    }
    assert!(takeovers > KILLS / 4, "{takeovers} connections");
    known
}

#[test]
fn no_acknowledged_commit_is_lost_when_those_who_serve_are_killed() {
    let dir = TempDir::new("embedded-crash");
    let started = now();
    let seed = u64::from(std::process::id());
    eprintln!("seed {seed}");
    let mut random = Random::new(seed);
    let (acks, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let mut children = vec![spawn(dir.path())];
    thread::scope(|scope| {
        let (acks, is_over, path) = (&acks, &is_over, dir.path());
        let run = |number: usize| {
            move || (number, run_client(path, &format!("group-{number}"), acks, is_over))
        };
        let clients: Vec<_> = (0..CLIENTS).map(|number| scope.spawn(run(number))).collect();
        for round in 0..KILLS {
            children.push(spawn(path));
            // Now and then without waiting, so that some are killed while they recover or compact.
            let before = acks.load(Ordering::Relaxed);
            let wanted = if random.below(4) == 0 { 0 } else { 1 + random.below(200) };
            wait_until("commits are acknowledged", LIMIT, || {
                acks.load(Ordering::Relaxed) >= before + wanted
            });
            for _ in 0..random.below(200_000) {
                std::hint::spin_loop();
            }
            // The older one serves, as a rule.
            let mut killed = children.remove(usize::try_from(round % 8 / 7).unwrap());
            killed.kill().unwrap();
            killed.wait().unwrap();
        }
        let last = acks.load(Ordering::Relaxed);
        wait_until("it goes on", LIMIT, || acks.load(Ordering::Relaxed) > last + 100);
        is_over.store(true, Ordering::Relaxed);
        for client in clients {
            let (number, known) = client.join().expect("a client's checks hold");
            let offsets = read_offsets(&[path.to_owned()]).unwrap();
            let topics = offsets.group(&format!("group-{number}")).expect("its offsets");
            let found = topics["t"].iter().map(|(number, found)| (*number, found.offset));
            known.check(&found.collect());
        }
    });
    for mut child in children {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let acks = acks.load(Ordering::Relaxed);
    eprintln!("{KILLS} kills, {acks} commits acknowledged, {:?}", started.elapsed());
}

/// Freezes the process, or lets it go on.
fn signal(child: &Child, signal: libc::c_int) {
    let id = libc::pid_t::try_from(child.id()).unwrap();
    // SAFETY: the child has not been waited for, so the id is its own.
    assert_eq!(unsafe { libc::kill(id, signal) }, 0);
}

#[test]
fn no_session_ends_because_the_process_that_serves_stood_still() {
    let dir = TempDir::new("embedded-crash");
    let mut child = spawn(dir.path());
    let session_ms = i32::try_from(SESSION.as_millis()).unwrap();
    let mut members: Vec<(RawClient, Joined)> = ["a", "b"]
        .map(|group| {
            let mut client = RawClient::connect_soon(dir.path());
            let member_id = client.join(group, &Join::default()).unwrap().member_id;
            let join = Join { member_id: &member_id, session_ms, ..Join::default() };
            let joined = client.join(group, &join).unwrap();
            assert_eq!(client.sync(group, &joined).unwrap().0, ErrorCode::NONE);
            (client, joined)
        })
        .into();
    signal(&child, libc::SIGSTOP);
    // One gives a sign of life meanwhile, the other only afterwards.
    let (client, joined) = &mut members[0];
    let body = beat_body("a", &joined.member_id, 1, None);
    let id = client.send(ApiKey::Heartbeat, 4, &body).unwrap();
    let since = now();
    wait_until("two sessions pass", LIMIT, || since.elapsed() > 3 * SESSION);
    signal(&child, libc::SIGCONT);
    let body = client.receive(id, ApiKey::Heartbeat, 4).unwrap();
    assert_eq!(HeartbeatResponse::decode(&body, 4).unwrap().error_code, ErrorCode::NONE);
    for ((client, joined), group) in members.iter_mut().zip(["a", "b"]) {
        assert_eq!(client.beat(group, joined).unwrap(), ErrorCode::NONE, "{group}");
    }
    // Whoever then says nothing is gone after all.
    let since = now();
    wait_until("a session and the grace pass", LIMIT, || {
        since.elapsed() > SESSION + Duration::from_millis(300)
    });
    let (client, joined) = &mut members[1];
    assert_eq!(client.beat("b", joined).unwrap(), ErrorCode::UNKNOWN_MEMBER_ID);
    child.kill().unwrap();
    child.wait().unwrap();
}
