//! One member of a group of a real broker, without the client's side: commands in, notices out.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "as in every test of a broker")]

#[path = "support/loop_member.rs"]
mod loop_member;
#[path = "support/settings.rs"]
mod settings;
mod support;

use std::time::{Duration, Instant};

use kfetch::coordinator::command::MemberCommand;
use kfetch::coordinator::notice::{Committed, CommittedOffset, Notice};
use kfetch::topic::TopicName;

use loop_member::{LoopMember, SOON, member_settings};
use support::helper::helper;
use support::kafka::Cluster;

/// Long enough for some dozens of heartbeats.
const STAY: Duration = Duration::from_secs(3);

/// The bytes of a ConsumerProtocolSubscription of version 0 to one topic.
fn subscription(topic: &str) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0, 0, 0, 1];
    bytes.extend(string(topic));
    bytes.extend([255; 4]);
    bytes
}

/// The bytes of a ConsumerProtocolAssignment of version 0: partition 0 of one topic.
fn assignment(topic: &str) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0, 0, 0, 1];
    bytes.extend(string(topic));
    bytes.extend([0, 0, 0, 1, 0, 0, 0, 0]);
    bytes.extend([255; 4]);
    bytes
}

fn string(text: &str) -> Vec<u8> {
    let mut bytes = i16::try_from(text.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

fn start(cluster: &Cluster, group: &str) -> LoopMember {
    LoopMember::start(&[("127.0.0.1", cluster.broker(1).port())], member_settings(group))
}

/// Returns what the group has committed for partition 0.
fn committed(member: &LoopMember, topic: &str) -> Option<Committed> {
    let topic = TopicName::new(topic);
    let partitions = Some(vec![(topic.clone(), 0)]);
    let deadline = Instant::now() + SOON;
    member.tell(MemberCommand::Fetch { id: 3, partitions, deadline });
    let Notice::Fetched { id: 3, result: Ok(offsets) } = member.notice() else { panic!() };
    let [CommittedOffset { topic: of, partition: 0, committed }] = &offsets[..] else {
        panic!("{offsets:?}")
    };
    assert_eq!(*of, topic);
    committed.clone().unwrap()
}

#[test]
fn a_member_leads_assigns_commits_and_leaves() {
    let cluster = Cluster::shared();
    cluster.create_topic("member", 1, &[]);
    let member = start(&cluster, "one");
    assert_eq!(committed(&member, "member"), None);
    let began = Instant::now();
    let membership = member.join(&subscription("member"), &assignment("member"));
    println!("joined in {:?} as {membership:?}", began.elapsed());
    member.commit("member", 42, Some(membership.clone()));
    let metadata = "up to 42".to_owned();
    let told = Committed { offset: 42, leader_epoch: 0, metadata };
    assert_eq!(committed(&member, "member"), Some(told.clone()));
    // The broker throws nobody out whose heartbeats come.
    let lost = member.notices.recv_timeout(STAY);
    assert!(lost.is_err(), "{lost:?}");
    let arguments = ["--bootstrap-server", &cluster.bootstrap(), "--describe", "--group", "one"];
    let described =
        helper().tool("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", &arguments);
    assert!(described.stdout.contains(&membership.member_id), "{described:?}");
    member.leave();
    member.remove();

    // Without membership, and another client.
    let other = start(&cluster, "one");
    assert_eq!(committed(&other, "member"), Some(told));
    other.commit("member", 43, None);
    assert_eq!(committed(&other, "member").unwrap().offset, 43);
}

#[test]
fn the_coordinator_goes_and_comes_back_within_the_session() {
    let cluster = Cluster::builder().start();
    cluster.create_topic("member", 1, &[]);
    let mut settings = member_settings("steady");
    settings.session_timeout = Duration::from_secs(45);
    let member = LoopMember::start(&[("127.0.0.1", cluster.broker(1).port())], settings);
    let membership = member.join(&subscription("member"), &assignment("member"));
    cluster.broker(1).stop();
    cluster.broker(1).start();
    member.commit("member", 7, Some(membership));
    assert_eq!(committed(&member, "member").unwrap().offset, 7);
    assert!(member.notices.is_empty());
    member.leave();
}
