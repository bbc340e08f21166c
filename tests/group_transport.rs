//! Members of groups on a loop with real sockets and a broker that does what a test says.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]
#![allow(clippy::expect_used, reason = "as above")]
#![allow(clippy::disallowed_methods, reason = "a member runs in real time")]

#[path = "support/loop_member.rs"]
mod loop_member;
#[path = "support/scripted_broker.rs"]
mod scripted_broker;
#[path = "support/settings.rs"]
mod settings;
#[path = "support/temp_dir.rs"]
mod temp_dir;

use std::collections::{BTreeSet, HashSet};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kfetch::backoff::BackoffLimits;
use kfetch::coordinator::command::MemberCommand;
use kfetch::coordinator::notice::Notice;
use kfetch::net::command::What;
use kfetch::protocol::ApiKey;
use kfetch::protocol::offset_commit::OffsetCommitRequest;
use kfetch::ring::wake::Waited;

use loop_member::{LoopMember, SOON, member_settings};
use scripted_broker::scripted_group::{GENERATION, MEMBER_ID, other_coordinator};
use scripted_broker::{Asked, Deed, ScriptedBroker, start_on_path};
use settings::cluster_settings;
use temp_dir::TempDir;

const SUBSCRIPTION: &[u8] = b"topics";
const ASSIGNMENT: &[u8] = b"partitions";

/// What was asked: when, on which connection, of which API.
type Seen = Arc<Mutex<Vec<(Instant, usize, ApiKey)>>>;

fn note(seen: &Seen, asked: &Asked) {
    seen.lock().unwrap().push((Instant::now(), asked.connection, asked.api_key));
}

fn broker(seen: &Seen) -> ScriptedBroker {
    let seen = Arc::clone(seen);
    ScriptedBroker::start(Vec::new(), move |asked, answer| {
        note(&seen, asked);
        Deed::Send(answer)
    })
}

fn at(broker: &ScriptedBroker) -> [(&'static str, u16); 1] {
    [("127.0.0.1", broker.address.port())]
}

fn times(seen: &Seen, api_key: ApiKey) -> Vec<Instant> {
    let seen = seen.lock().unwrap();
    seen.iter().filter(|(_, _, other)| *other == api_key).map(|(at, _, _)| *at).collect()
}

fn wait_for(seen: &Seen, api_key: ApiKey, count: usize) {
    let began = Instant::now();
    while times(seen, api_key).len() < count {
        assert!(began.elapsed() < SOON, "{api_key:?}: {:?}", seen.lock().unwrap());
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

#[test]
fn a_membership_travels_on_a_connection_of_its_own() {
    let seen = Seen::default();
    let broker = broker(&seen);
    let member = LoopMember::start(&at(&broker), member_settings("group"));
    let membership = member.join(SUBSCRIPTION, ASSIGNMENT);
    assert_eq!((membership.generation, membership.member_id.as_str()), (GENERATION, MEMBER_ID));
    wait_for(&seen, ApiKey::Heartbeat, 2);
    member.commit("stage", 17, Some(membership));
    member.leave();
    member.remove();
    let seen = seen.lock().unwrap();
    let asked_on = |connection| -> HashSet<ApiKey> {
        let on_it = seen.iter().filter(|(_, on, _)| *on == connection);
        on_it.map(|(_, _, api_key)| *api_key).collect()
    };
    assert_eq!(asked_on(0), HashSet::from([ApiKey::ApiVersions, ApiKey::FindCoordinator]));
    let of_member = [
        ApiKey::ApiVersions,
        ApiKey::JoinGroup,
        ApiKey::SyncGroup,
        ApiKey::Heartbeat,
        ApiKey::OffsetCommit,
        ApiKey::LeaveGroup,
    ];
    assert_eq!(asked_on(1), HashSet::from(of_member));
    assert!(seen.iter().all(|(_, connection, _)| *connection < 2), "{seen:?}");
}

#[test]
fn commits_name_topics_and_say_what_they_were_told() {
    let (sender, commits) = crossbeam::channel::unbounded();
    let broker = ScriptedBroker::start(Vec::new(), move |asked, answer| {
        if asked.api_key == ApiKey::OffsetCommit {
            sender.send((asked.version, asked.body.clone())).unwrap();
        }
        Deed::Send(answer)
    });
    let member = LoopMember::start(&at(&broker), member_settings("group"));
    member.commit("stage", 17, None);
    let (version, body) = commits.recv_timeout(SOON).unwrap();
    let request = OffsetCommitRequest::decode(&body, version).unwrap();
    // The broker speaks version 10, in which topics have ids alone.
    assert_eq!((version, request.group_id, request.topics[0].name), (9, "group", "stage"));
    let partition = &request.topics[0].partitions[0];
    assert_eq!((partition.committed_offset, partition.committed_metadata), (17, Some("up to 17")));
}

#[test]
fn heartbeats_go_on_whatever_the_application_does() {
    let seen = Seen::default();
    let broker = broker(&seen);
    let settings = member_settings("group");
    let interval = settings.heartbeat_interval;
    let member = LoopMember::start(&at(&broker), settings);
    member.join(SUBSCRIPTION, ASSIGNMENT);
    wait_for(&seen, ApiKey::Heartbeat, 20);
    let mut beats = times(&seen, ApiKey::SyncGroup);
    beats.extend(times(&seen, ApiKey::Heartbeat));
    let gaps: Vec<Duration> = beats.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let longest = gaps.iter().max().unwrap();
    assert!(*longest <= interval + Duration::from_millis(100), "{gaps:?}");
    assert!(gaps[1..].iter().min().unwrap() > &(interval / 2), "{gaps:?}");
}

#[test]
fn a_lost_coordinator_is_found_again_and_the_membership_goes_on() {
    let seen = Seen::default();
    let (copy, beats) = (Arc::clone(&seen), AtomicUsize::new(0));
    let broker = ScriptedBroker::start(Vec::new(), move |asked, answer| {
        note(&copy, asked);
        let is_beat = asked.api_key == ApiKey::Heartbeat;
        match is_beat && beats.fetch_add(1, Ordering::Relaxed) == 2 {
            true => Deed::SendAndClose(Vec::new()),
            false => Deed::Send(answer),
        }
    });
    let member = LoopMember::start(&at(&broker), member_settings("group"));
    let membership = member.join(SUBSCRIPTION, ASSIGNMENT);
    wait_for(&seen, ApiKey::Heartbeat, 6);
    assert_eq!(times(&seen, ApiKey::FindCoordinator).len(), 2);
    assert_eq!(times(&seen, ApiKey::JoinGroup).len(), 1);
    let connections: BTreeSet<usize> =
        seen.lock().unwrap().iter().map(|(_, connection, _)| *connection).collect();
    assert_eq!(connections.len(), 3, "the one for questions stays");
    member.commit("stage", 3, Some(membership));
    assert!(member.notices.is_empty());
}

#[test]
fn a_coordinator_that_no_bootstrap_server_is_and_no_metadata_names() {
    let seen = Seen::default();
    let coordinator = broker(&seen);
    let port = coordinator.address.port();
    let other = ScriptedBroker::start(Vec::new(), move |asked, answer| match asked.api_key {
        ApiKey::FindCoordinator => Deed::Send(other_coordinator(asked, &answer, "127.0.0.1", port)),
        _ => Deed::Send(answer),
    });
    let refusing = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let servers = [("127.0.0.1", refusing), ("127.0.0.1", other.address.port())];
    let member = LoopMember::start(&servers, member_settings("group"));
    member.join(SUBSCRIPTION, ASSIGNMENT);
    assert_eq!(times(&seen, ApiKey::JoinGroup).len(), 1);
    assert!(times(&seen, ApiKey::FindCoordinator).is_empty());
}

/// Joins through the socket at `path`, behind which a broker comes up after a while.
fn join_on_path(path: &Path) {
    let host = format!("unix:{}", path.display());
    let member = LoopMember::start(&[(&host, 0)], member_settings("group"));
    let protocols = vec![("range".to_owned(), SUBSCRIPTION.to_vec())];
    member.tell(MemberCommand::Join { join: 1, protocols, reason: String::new() });
    let none = member.notices.recv_timeout(Duration::from_millis(300));
    assert!(none.is_err(), "{none:?}");
    if path.exists() {
        std::fs::remove_file(path).unwrap();
    }
    let seen = Seen::default();
    let copy = Arc::clone(&seen);
    start_on_path(path, move |asked, answer| {
        note(&copy, asked);
        Deed::Send(answer)
    });
    assert!(matches!(member.notice(), Notice::Lead { .. }));
    let connections: BTreeSet<usize> =
        seen.lock().unwrap().iter().map(|(_, connection, _)| *connection).collect();
    assert_eq!(connections, BTreeSet::from([0, 1]));
}

#[test]
fn a_coordinator_may_listen_on_a_path() {
    let directory = TempDir::new("path");
    join_on_path(&directory.path().join("coordinator.sock"));
}

#[test]
fn a_path_may_be_longer_than_the_kernel_takes() {
    let directory = TempDir::new("long");
    let deep = directory.path().join("d".repeat(100)).join("e".repeat(100));
    std::fs::create_dir_all(&deep).unwrap();
    join_on_path(&deep.join("coordinator.sock"));
}

#[test]
fn a_socket_that_nobody_listens_on_any_more_is_tried_again() {
    let directory = TempDir::new("stale");
    let path = directory.path().join("coordinator.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    join_on_path(&path);
}

#[test]
fn a_back_off_of_zero_leaves_the_loop_to_others() {
    let directory = TempDir::new("nobody");
    let host = format!("unix:{}", directory.path().join("nobody.sock").display());
    let mut cluster = cluster_settings(&[(&host, 0)]);
    let at_once = BackoffLimits { initial: Duration::ZERO, max: Duration::ZERO };
    (cluster.reconnect, cluster.retry) = (at_once, at_once);
    let member = LoopMember::start_in(cluster, member_settings("group"), None);
    let protocols = vec![("range".to_owned(), SUBSCRIPTION.to_vec())];
    member.tell(MemberCommand::Join { join: 1, protocols, reason: String::new() });
    let none = member.notices.recv_timeout(Duration::from_millis(100));
    assert!(none.is_err(), "{none:?}");
    member.remove();
}

#[test]
fn the_loop_wakes_the_application_when_it_wants_to_be_and_when_it_ends() {
    let broker = broker(&Seen::default());
    let mut member = LoopMember::start(&at(&broker), member_settings("group"));
    let parker = member.bridge.application();
    parker.arm();
    let began = Instant::now();
    member.send(What::WakeAt(Some(began + Duration::from_millis(200))));
    assert_eq!(parker.signal().wait(Some(SOON)).unwrap(), Waited::Signalled);
    let waited = began.elapsed();
    assert!(waited >= Duration::from_millis(200) && waited < SOON, "{waited:?}");
    assert!(!member.bridge.is_dead());
    member.end();
    assert!(member.bridge.is_dead());
}
