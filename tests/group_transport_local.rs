//! Members of the groups of a log directory: the loop serves them itself where nobody else does.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]
#![allow(clippy::expect_used, reason = "as above")]
#![allow(clippy::disallowed_methods, reason = "a member runs in real time")]

#[path = "support/loop_member.rs"]
mod loop_member;
#[path = "support/settings.rs"]
mod settings;
#[path = "support/temp_dir.rs"]
mod temp_dir;

use std::path::Path;
use std::time::{Duration, Instant};

use kfetch::coordinator::command::{Commit, CommitOffset, MemberCommand};
use kfetch::coordinator::notice::{CommittedOffset, Notice};
use kfetch::net::group_service::socket_path;
use kfetch::topic::TopicName;

use loop_member::{LoopMember, SOON, member_settings};
use temp_dir::TempDir;

/// The bytes of a subscription of version 0 to the topic `t`, and of an assignment of nothing.
const SUBSCRIPTION: &[u8] = b"\0\0\0\0\0\x01\0\x01t\xff\xff\xff\xff";
const ASSIGNMENT: &[u8] = b"\0\0\0\0\0\0\xff\xff\xff\xff";

fn start(dir: &Path) -> LoopMember {
    LoopMember::start_on_directory(dir, member_settings("group"))
}

fn committed(member: &LoopMember, topic: &str) -> Option<i64> {
    let partitions = Some(vec![(TopicName::new(topic), 0)]);
    let deadline = Instant::now() + SOON;
    member.tell(MemberCommand::Fetch { id: 3, partitions, deadline });
    let answer = member.notice();
    let Notice::Fetched { id: 3, result: Ok(offsets) } = &answer else { panic!("{answer:?}") };
    let [CommittedOffset { committed, .. }] = &offsets[..] else { panic!("{offsets:?}") };
    committed.clone().unwrap().map(|committed| committed.offset)
}

fn wait_until(what: &str, is_done: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_done() {
        assert!(began.elapsed() < SOON, "{what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

#[test]
fn the_first_member_of_a_directory_brings_its_coordinator_and_the_last_takes_it_away() {
    let directory = TempDir::new("local");
    let member = start(directory.path());
    let membership = member.join(SUBSCRIPTION, ASSIGNMENT);
    member.commit("t", 17, Some(membership));
    assert_eq!(committed(&member, "t"), Some(17));
    assert!(socket_path(directory.path()).exists());
    member.leave();
    member.remove();
    wait_until("the service ends", || !socket_path(directory.path()).exists());
    // The loop goes on, and the directory's groups can be served again.
    drop(member);
    assert_eq!(committed(&start(directory.path()), "t"), Some(17));
}

#[test]
fn another_loop_takes_over_what_was_committed() {
    let directory = TempDir::new("takeover");
    let mut first = start(directory.path());
    first.commit("t", 1, None);
    let second = start(directory.path());
    second.commit("t", 2, None);
    assert_eq!(committed(&first, "t"), Some(2), "both ask the same coordinator");
    let membership = second.join(SUBSCRIPTION, ASSIGNMENT);
    first.end();
    // The group is new to the next coordinator, and the offset is not.
    let lost = second.notice();
    assert!(matches!(lost, Notice::Lost { .. }), "{lost:?}, was {membership:?}");
    assert_eq!(committed(&second, "t"), Some(2));
    let membership = second.join(SUBSCRIPTION, ASSIGNMENT);
    second.commit("t", 3, Some(membership));
}

#[test]
fn a_member_of_a_directory_that_cannot_be_served_is_told_why() {
    let directory = TempDir::new("brokers");
    std::fs::write(directory.path().join("meta.properties"), "version=1\n").unwrap();
    let member = start(directory.path());
    let deadline = Instant::now() + Duration::from_millis(500);
    let (topic, metadata) = (TopicName::new("t"), String::new());
    let offset = CommitOffset { topic, partition: 0, offset: 1, leader_epoch: -1, metadata };
    let (offsets, membership, retries) = (vec![offset], None, true);
    let commit = Commit { id: 1, offsets, membership, retries, deadline };
    member.tell(MemberCommand::Commit(commit));
    let answer = member.notice();
    let Notice::Committed { result: Err(error), .. } = answer else { panic!("{answer:?}") };
    assert!(error.to_string().contains("meta.properties"), "{error}");
}
