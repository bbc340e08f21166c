//! The group service on its socket: who serves, many clients, broken ones, and standing aside.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod embedded;
mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use embedded::client::RawClient;
use embedded::words::{beat_body, commit_body, committed_error, fetch_body, fetched};
use embedded::{Join, Joined};
use kfetch::Logger;
use kfetch::net::group_service::{GroupService, ServiceSettings, socket_path};
use kfetch::protocol::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use kfetch::protocol::{ApiKey, ErrorCode};
use support::deadline::wait_until;
use support::temp_dir::TempDir;

const LIMIT: Duration = Duration::from_secs(30);

fn quiet() -> Arc<Logger> {
    Arc::new(Logger::new(|_, _, _| {}))
}

fn start(dir: &Path) -> GroupService {
    GroupService::start(ServiceSettings::new(dir.to_owned()), quiet()).expect("a thread")
}

fn serving(dir: &Path) -> GroupService {
    let service = start(dir);
    wait_until("the service serves", LIMIT, || service.is_serving());
    service
}

#[test]
fn one_serves_and_the_next_takes_over_with_the_offsets() {
    let dir = TempDir::new("embedded-service");
    let log_dir = dir.path().join("made");
    let first = serving(&log_dir);
    let second = start(&log_dir);
    wait_until("the second stands aside", LIMIT, || !second.is_running());
    assert_eq!(second.failure(), None);
    let mut client = RawClient::connect(&log_dir).unwrap();
    for offset in 0..10 {
        assert_eq!(client.commit("g", "t", 3, offset).unwrap(), ErrorCode::NONE);
    }
    first.stop();
    let mut byte = [0];
    assert_eq!(client.stream.read(&mut byte).unwrap(), 0, "connections are closed");
    wait_until("the first has ended", LIMIT, || !first.is_running());
    assert!(!socket_path(&log_dir).exists());
    let third = serving(&log_dir);
    let mut client = RawClient::connect(&log_dir).unwrap();
    let wanted = [("t".to_owned(), 3, 9, "by hand".to_owned())];
    assert_eq!(client.committed("g").unwrap(), wanted);
    drop(third);
    assert!(RawClient::connect(&log_dir).is_err());
}

#[test]
fn the_directory_of_a_broker_is_refused() {
    let dir = TempDir::new("embedded-service");
    fs::write(dir.path().join("meta.properties"), "version=1\n").unwrap();
    let settings = ServiceSettings::new(dir.path().to_owned());
    let error = GroupService::start(settings, quiet()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    assert!(error.to_string().contains("belongs to a broker"), "{error}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is made there");
}

#[test]
fn a_service_that_cannot_read_the_offsets_says_so_and_gives_the_lock_back() {
    let dir = TempDir::new("embedded-service");
    drop(serving(dir.path()));
    let partition = dir.path().join("__consumer_offsets-7");
    fs::write(partition.join("00000000000000000000.log"), vec![1; 100]).unwrap();
    fs::write(partition.join("00000000000000000005.log"), vec![1; 100]).unwrap();
    fs::write(
        dir.path().join("recovery-point-offset-checkpoint"),
        "0\n1\n__consumer_offsets 7 9\n",
    )
    .unwrap();
    let failed = start(dir.path());
    wait_until("it fails", LIMIT, || !failed.is_running());
    let error = failed.failure().expect("an error");
    assert_eq!(error.partition(), 7, "{error}");
    fs::remove_dir_all(partition).unwrap();
    drop(serving(dir.path()));
}

#[test]
fn requests_that_come_at_once_are_answered_in_order() {
    let dir = TempDir::new("embedded-service");
    let _service = serving(dir.path());
    let mut client = RawClient::connect(dir.path()).unwrap();
    let mut sent = Vec::new();
    for number in 0..500 {
        let body = commit_body("g", "", -1, None, ("t", number % 7, number.into(), ""));
        sent.push((client.send(ApiKey::OffsetCommit, 9, &body).unwrap(), true));
        sent.push((client.send(ApiKey::OffsetFetch, 9, &fetch_body("g")).unwrap(), false));
    }
    let mut number = 0;
    for (id, is_commit) in sent {
        if is_commit {
            let body = client.receive(id, ApiKey::OffsetCommit, 9).unwrap();
            assert_eq!(committed_error(&body), ErrorCode::NONE);
            continue;
        }
        let body = client.receive(id, ApiKey::OffsetFetch, 9).unwrap();
        let found = fetched(&body).into_iter().map(|(_, partition, offset, _)| (partition, offset));
        let found: Vec<(i32, i64)> = found.collect();
        assert!(found.contains(&(number % 7, number.into())), "{number} in {found:?}");
        number += 1;
    }
}

#[test]
fn broken_clients_hurt_nobody() {
    let dir = TempDir::new("embedded-service");
    let _service = serving(dir.path());
    let mut good = RawClient::connect(dir.path()).unwrap();
    let commit = |good: &mut RawClient| good.commit("g", "t", 0, 1).unwrap();
    assert_eq!(commit(&mut good), ErrorCode::NONE);
    let mut header = vec![0, 11, 0, 9];
    header.extend([0, 0, 0, 7, 0, 1, b'x', 0]);
    let framed = |message: &[u8]| {
        let length = i32::try_from(message.len()).unwrap();
        [length.to_be_bytes().as_slice(), message].concat()
    };
    let nonsense: Vec<Vec<u8>> = vec![
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![0xff; 8],
        vec![0x7f, 0xff, 0xff, 0xff, 0],
        framed(&[]),
        framed(&[0, 99, 0, 0, 0, 0, 0, 1, 0xff, 0xff]),
        framed(&[0, 1, 0, 12, 0, 0, 0, 1, 0xff, 0xff, 0]),
        framed(&[0, 11, 0, 99, 0, 0, 0, 1, 0xff, 0xff, 0]),
        framed(&header),
        framed(&[header.as_slice(), &[0xff; 60]].concat()),
    ];
    for bytes in nonsense {
        let mut bad = RawClient::connect(dir.path()).unwrap();
        bad.stream.write_all(&bytes).unwrap();
        let mut rest = Vec::new();
        // Closed with bytes unread, the socket answers with a reset instead of an end.
        let read = bad.stream.read_to_end(&mut rest);
        assert!(read.map_or_else(|e| e.kind() == std::io::ErrorKind::ConnectionReset, |_| true));
        assert_eq!(rest, [], "{bytes:?}");
        assert_eq!(commit(&mut good), ErrorCode::NONE);
    }
    // Half a request, and then nothing; and half a connection.
    let mut half = RawClient::connect(dir.path()).unwrap();
    half.stream.write_all(&[0, 0, 1, 0, 0, 11]).unwrap();
    let shut = RawClient::connect(dir.path()).unwrap();
    shut.stream.shutdown(Shutdown::Write).unwrap();
    // Asks for more than any socket holds and reads none of it.
    let mut deaf = RawClient::connect(dir.path()).unwrap();
    deaf.stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    for number in 0..100 {
        let metadata = "m".repeat(4000);
        let body = commit_body("big", "", -1, None, ("t", number, 1, &metadata));
        assert_eq!(committed_error(&good.call(ApiKey::OffsetCommit, 9, &body).unwrap()).0, 0);
    }
    let asked = (0..100_000)
        .take_while(|_| deaf.send(ApiKey::OffsetFetch, 9, &fetch_body("big")).is_ok())
        .count();
    assert!(asked < 100_000, "at some time nobody listens any more");
    assert_eq!(commit(&mut good), ErrorCode::NONE);
}

#[test]
fn the_handshake_of_a_client_works() {
    let dir = TempDir::new("embedded-service");
    let _service = serving(dir.path());
    let mut client = RawClient::connect(dir.path()).unwrap();
    for version in 0..=4 {
        let mut body = Vec::new();
        ApiVersionsRequest::default().encode(version, &mut body).unwrap();
        let body = client.call(ApiKey::ApiVersions, version, &body).unwrap();
        let response = ApiVersionsResponse::decode(&body, version).unwrap();
        assert_eq!(response.error_code, ErrorCode::NONE);
        assert!(response.api_keys.len() >= 8);
    }
}

/// Joins until the generation has all `count` members, and syncs.
fn become_member(client: &mut RawClient, group: &str) -> (Joined, Vec<u8>) {
    let mut joined = client.join_new(group).unwrap();
    loop {
        assert_eq!(joined.error, ErrorCode::NONE);
        let (error, assignment) = client.sync(group, &joined).unwrap();
        match error {
            ErrorCode::NONE => return (joined, assignment),
            ErrorCode::REBALANCE_IN_PROGRESS => {
                let join = Join { member_id: &joined.member_id, ..Join::default() };
                joined = client.join(group, &join).unwrap();
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn members_as_threads_agree_on_a_generation_and_go_on_when_one_dies() {
    const MEMBERS: usize = 12;
    let dir = TempDir::new("embedded-service");
    let _service = serving(dir.path());
    let barrier = std::sync::Barrier::new(MEMBERS);
    thread::scope(|scope| {
        for number in 0..MEMBERS {
            let (barrier, path) = (&barrier, dir.path());
            scope.spawn(move || {
                let mut client = RawClient::connect(path).unwrap();
                barrier.wait();
                let (mut joined, mut assignment) = become_member(&mut client, "g");
                for _ in 0..100 {
                    assert_eq!(assignment, joined.member_id.as_bytes());
                    match client.beat("g", &joined).unwrap() {
                        ErrorCode::NONE => {
                            let offset = ("t", i32::try_from(number).unwrap(), 7, "");
                            let (id, generation) = (&joined.member_id, joined.generation);
                            let body = commit_body("g", id, generation, None, offset);
                            client.call(ApiKey::OffsetCommit, 9, &body).unwrap();
                        }
                        ErrorCode::REBALANCE_IN_PROGRESS => {
                            let join = Join { member_id: &joined.member_id, ..Join::default() };
                            joined = client.join("g", &join).unwrap();
                            assert_eq!(joined.error, ErrorCode::NONE);
                            assignment = client.sync("g", &joined).unwrap().1;
                            if assignment.is_empty() {
                                assignment = joined.member_id.clone().into_bytes();
                            }
                        }
                        other => panic!("{other:?}"),
                    }
                }
                barrier.wait();
                // All but the first leave, and the first is alone in its next generation.
                if number > 0 {
                    leave(&mut client, &joined);
                    barrier.wait();
                    return;
                }
                barrier.wait();
                let join = Join { member_id: &joined.member_id, ..Join::default() };
                let alone = client.join("g", &join).unwrap();
                assert_eq!((alone.members.len(), alone.leads()), (1, true));
            });
        }
    });
    let mut client = RawClient::connect(dir.path()).unwrap();
    assert_eq!(client.committed("g").unwrap().len(), MEMBERS);
}

fn leave(client: &mut RawClient, joined: &Joined) {
    use kfetch::protocol::leave_group::{LeaveGroupRequest, MemberIdentity};
    let member = MemberIdentity { member_id: &joined.member_id, ..MemberIdentity::default() };
    let mut body = Vec::new();
    LeaveGroupRequest { group_id: "g", members: vec![member] }.encode(5, &mut body).unwrap();
    client.call(ApiKey::LeaveGroup, 5, &body).unwrap();
}

#[test]
fn a_thousand_members_of_one_group() {
    const MEMBERS: usize = 1000;
    let dir = TempDir::new("embedded-service");
    raise_descriptor_limit();
    let _service = serving(dir.path());
    let mut clients: Vec<RawClient> =
        (0..MEMBERS).map(|_| RawClient::connect(dir.path()).unwrap()).collect();
    let ids: Vec<String> = clients
        .iter_mut()
        .map(|client| client.join("g", &Join::default()).unwrap().member_id)
        .collect();
    let send = |client: &mut RawClient, id: &str| {
        let join = Join { member_id: id, ..Join::default() };
        client.send(ApiKey::JoinGroup, 9, &join.encode("g")).unwrap()
    };
    let sent: Vec<i32> =
        clients.iter_mut().zip(&ids).map(|(client, id)| send(client, id)).collect();
    let mut joined = Vec::new();
    for (client, id) in clients.iter_mut().zip(sent) {
        let body = client.receive(id, ApiKey::JoinGroup, 9).unwrap();
        joined.push(Joined::decode(&body, 9));
    }
    assert!(joined.iter().all(|member| member.error == ErrorCode::NONE));
    let generation = joined[0].generation;
    assert!(joined.iter().all(|member| member.generation == generation));
    let leader = joined.iter().position(Joined::leads).expect("a leader");
    assert_eq!(joined[leader].members.len(), MEMBERS);
    let (_, own) = clients[leader].sync("g", &joined[leader]).unwrap();
    assert_eq!(own, joined[leader].member_id.as_bytes());
    for (client, member) in clients.iter_mut().zip(&joined) {
        let (error, assignment) = client.sync("g", member).unwrap();
        assert_eq!((error, assignment), (ErrorCode::NONE, member.member_id.clone().into_bytes()));
    }
    for (client, member) in clients.iter_mut().zip(&joined) {
        let body = beat_body("g", &member.member_id, generation, None);
        client.send(ApiKey::Heartbeat, 4, &body).unwrap();
    }
}

/// Two descriptors a member, in this one process.
fn raise_descriptor_limit() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the structure outlives the call.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) }, 0);
    limit.rlim_cur = limit.rlim_max.min(8192);
    // SAFETY: the structure outlives the call, which only reads it.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
}
