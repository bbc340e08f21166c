//! What the leader lets an assignor of the application's own do, and what not.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

use kfetch::coordinator::assignor::{
    Assignment, Assignor, ClusterTopics, GroupMember, MemberAssignment, Subscription, built_in,
    lead, subscribed_topics,
};
use kfetch::coordinator::notice::JoinedMember;
use kfetch::error::{Error, ErrorKind, Result};
use kfetch::topic::TopicName;

/// Gives what it was made with.
#[derive(Debug)]
struct Scripted {
    cooperative: bool,
    gives: Result<Vec<MemberAssignment>>,
}

impl Assignor for Scripted {
    fn name(&self) -> &str {
        "scripted"
    }

    fn is_cooperative(&self) -> bool {
        self.cooperative
    }

    fn assign(&mut self, _: &ClusterTopics, _: &[GroupMember]) -> Result<Vec<MemberAssignment>> {
        self.gives.clone()
    }
}

type Given = (&'static str, &'static [(&'static str, i32)]);

fn named(partitions: &[(&str, i32)]) -> Vec<(TopicName, i32)> {
    partitions.iter().map(|(topic, partition)| (TopicName::new(topic), *partition)).collect()
}

fn scripted(cooperative: bool, given: &[Given]) -> Scripted {
    let gives = given.iter().map(|(member_id, partitions)| MemberAssignment {
        member_id: (*member_id).to_owned(),
        assignment: Assignment { partitions: named(partitions), user_data: Some(vec![7]) },
    });
    Scripted { cooperative, gives: Ok(gives.collect()) }
}

fn joined(member_id: &str, topics: &[&str], owned: &[(&str, i32)]) -> JoinedMember {
    let subscription = Subscription {
        topics: topics.iter().map(|topic| TopicName::new(topic)).collect(),
        owned_partitions: named(owned),
        generation: Some(1),
        ..Subscription::default()
    };
    let metadata = subscription.encode().unwrap();
    JoinedMember { member_id: member_id.to_owned(), group_instance_id: None, metadata }
}

fn cluster() -> ClusterTopics {
    let mut cluster = ClusterTopics::new();
    cluster.insert(TopicName::new("t"), 3);
    cluster.insert(TopicName::new("u"), 1);
    cluster
}

/// Two members that want `t`; the first also `u`, and it owns `t-0` and `t-1`.
fn group() -> Vec<JoinedMember> {
    vec![joined("a", &["t", "u"], &[("t", 0), ("t", 1)]), joined("b", &["t"], &[])]
}

fn refusal(cooperative: bool, given: &[Given]) -> String {
    let error = lead(&mut scripted(cooperative, given), &cluster(), &group()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    error.to_string()
}

#[test]
fn what_is_right_is_handed_in_as_it_is() {
    let mut assignor = scripted(false, &[("b", &[("t", 2), ("t", 0)]), ("a", &[("u", 0)])]);
    let led = lead(&mut assignor, &cluster(), &group()).unwrap();
    let read: Vec<_> = led
        .assignments
        .iter()
        .map(|(id, bytes)| (id.as_str(), Assignment::decode(bytes).unwrap()))
        .collect();
    let of = |partitions: &[(&str, i32)]| Assignment {
        partitions: named(partitions),
        user_data: Some(vec![7]),
    };
    assert_eq!(read, [("a", of(&[("u", 0)])), ("b", of(&[("t", 2), ("t", 0)]))]);
    assert_eq!(led.unreadable, []);
}

#[test]
fn who_is_left_out_gets_nothing() {
    let led = lead(&mut scripted(true, &[]), &cluster(), &group()).unwrap();
    for (member, bytes) in led.assignments {
        assert_eq!(Assignment::decode(&bytes), Ok(Assignment::default()), "{member}");
    }
}

#[test]
fn what_must_not_be_is_refused() {
    for (given, text) in [
        (&[("b", &[("t", 3)][..])][..], "t-3: the assignor scripted gives a partition that does"),
        (&[("b", &[("t", -1)])], "t: the assignor scripted gives a partition that does not exist"),
        (&[("b", &[("v", 0)])], "v-0: the assignor scripted gives a partition that does not exist"),
        (&[("a", &[("t", 1), ("t", 1)])], "t-1: the assignor scripted gives it twice"),
        (&[("a", &[("t", 1)]), ("b", &[("t", 1)])], "t-1: the assignor scripted gives it twice"),
        (&[("b", &[("u", 0)])], "u-0: the assignor scripted gives it to member b, which has not"),
        (&[("c", &[])], "the assignor scripted gives to c, which is not in the group"),
        (&[("a", &[]), ("a", &[])], "the assignor scripted gives to member a twice"),
    ] {
        let told = refusal(false, given);
        assert!(told.starts_with(text), "{told}");
    }
}

#[test]
fn a_cooperative_one_moves_only_what_was_given_up() {
    let moves: &[Given] = &[("a", &[("t", 0)]), ("b", &[("t", 1)])];
    let told = refusal(true, moves);
    assert!(told.starts_with("t-1: the assignor scripted is cooperative"), "{told}");
    lead(&mut scripted(false, moves), &cluster(), &group()).unwrap();
    let withholds: &[Given] = &[("a", &[("t", 0)]), ("b", &[("t", 2)])];
    lead(&mut scripted(true, withholds), &cluster(), &group()).unwrap();
    // To leave the owner out is to take everything from it.
    refusal(true, &[("b", &[("t", 1)])]);
}

#[test]
fn an_error_of_the_assignor_is_told() {
    let error = Error::new(ErrorKind::Timeout, "no quota service");
    let mut assignor = Scripted { cooperative: false, gives: Err(error.clone()) };
    assert_eq!(lead(&mut assignor, &cluster(), &group()), Err(error));
}

#[test]
fn a_member_that_cannot_be_read_gets_nothing_and_the_others_all() {
    for strategy in ["range", "roundrobin", "sticky", "cooperative-sticky"] {
        let mut members = group();
        members[0].metadata.truncate(9);
        let mut assignor = built_in(strategy).unwrap();
        let led = lead(assignor.as_mut(), &cluster(), &members).unwrap();
        let ids: Vec<_> = led.unreadable.iter().map(|found| found.member_id.as_str()).collect();
        assert_eq!(ids, ["a"]);
        assert_eq!(led.unreadable[0].reason, "an array claims 2 elements with 3 bytes left");
        let [a, b] = [0, 1].map(|at| Assignment::decode(&led.assignments[at].1).unwrap());
        assert_eq!((a.partitions.len(), b.partitions.len()), (0, 3), "{strategy}");
        assert_eq!(
            subscribed_topics(&members).into_iter().collect::<Vec<_>>(),
            [TopicName::new("t")]
        );
    }
}

#[test]
fn a_member_that_is_named_twice_is_the_coordinators_fault() {
    let mut members = group();
    members.push(members[0].clone());
    let error = lead(&mut scripted(false, &[]), &cluster(), &members).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
}

#[test]
fn a_cooperative_member_gets_in_two_generations_what_another_has() {
    let mut assignor = built_in("cooperative-sticky").unwrap();
    let all = [("t", 0), ("t", 1), ("t", 2)];
    let partitions = |led: &[(String, Vec<u8>)]| -> Vec<Vec<(TopicName, i32)>> {
        led.iter().map(|(_, bytes)| Assignment::decode(bytes).unwrap().partitions).collect()
    };
    let members = [joined("a", &["t"], &all), joined("b", &["t"], &[])];
    let led = lead(assignor.as_mut(), &cluster(), &members).unwrap();
    assert_eq!(partitions(&led.assignments), [named(&all[..2]), named(&[])]);
    let members = [joined("a", &["t"], &all[..2]), joined("b", &["t"], &[])];
    let led = lead(assignor.as_mut(), &cluster(), &members).unwrap();
    assert_eq!(partitions(&led.assignments), [named(&all[..2]), named(&all[2..])]);
}
