//! Static members of the embedded coordinator: restarts, fencing, and leaving by instance id.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod embedded;
mod support;

use embedded::{Bench, Join, Joined};
use kfetch::protocol::ErrorCode;

const RANGE: &[(&str, &[u8])] = &[("range", b"s")];

fn join_of(instance: &str) -> Join<'_> {
    Join { instance: Some(instance), protocols: RANGE, ..Join::default() }
}

/// Two static members, `a` leading, each with its assignment.
fn two(bench: &mut Bench) -> (Joined, Joined) {
    let (a, b) = (bench.join(&join_of("a")), bench.join(&join_of("b")));
    bench.pass_ms(300);
    let (a, b) = (bench.joined(a).unwrap(), bench.joined(b).unwrap());
    assert!(a.leads() && a.member_id.starts_with("a-"), "no second join is asked for");
    let sync = bench.sync_as(&b.member_id, 1, Some("b"), &[]);
    let lead = bench.sync_as(&a.member_id, 1, Some("a"), &[&a.member_id, &b.member_id]);
    assert_eq!(bench.synced(lead).unwrap().1, a.member_id.as_bytes());
    assert_eq!(bench.synced(sync).unwrap().1, b.member_id.as_bytes());
    (a, b)
}

#[test]
fn a_restart_keeps_the_assignment_and_nothing_is_rebalanced() {
    let mut bench = Bench::new();
    let (a, b) = two(&mut bench);
    let id = bench.join(&join_of("b"));
    let again = bench.joined(id).expect("an answer at once");
    assert_eq!((again.error, again.generation), (ErrorCode::NONE, 1));
    assert!(again.member_id != b.member_id && again.leader == a.member_id && !again.skips);
    let sync = bench.sync_as(&again.member_id, 1, Some("b"), &[]);
    assert_eq!(bench.synced(sync).unwrap().1, b.member_id.as_bytes(), "what it had");
    assert_eq!(bench.beat_as(&a.member_id, 1, Some("a")), ErrorCode::NONE);
    // Whoever speaks under the old member id is fenced.
    let old = b.member_id.as_str();
    assert_eq!(bench.beat_as(old, 1, Some("b")), ErrorCode::FENCED_INSTANCE_ID);
    let offset = ("t", 0, 5, "");
    let fenced = bench.commit_with(old, 1, Some("b"), offset);
    assert_eq!(fenced, ErrorCode::FENCED_INSTANCE_ID);
    let sync = bench.sync_as(old, 1, Some("b"), &[]);
    assert_eq!(bench.synced(sync).unwrap().0, ErrorCode::FENCED_INSTANCE_ID);
    let id = bench.join(&Join { member_id: old, ..join_of("b") });
    assert_eq!(bench.joined(id).unwrap().error, ErrorCode::FENCED_INSTANCE_ID);
    assert_eq!(bench.leave(&[(old, Some("b"))]), [ErrorCode::FENCED_INSTANCE_ID]);
    assert_eq!(bench.beat_as(old, 1, Some("x")), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn a_leader_that_restarts_is_told_to_send_no_assignment() {
    let mut bench = Bench::new();
    let (a, b) = two(&mut bench);
    let id = bench.join(&join_of("a"));
    let again = bench.joined(id).expect("an answer at once");
    assert!(again.leads() && again.skips, "KIP-814");
    let mut seen: Vec<&str> = again.members.iter().map(|(id, _)| id.as_str()).collect();
    seen.sort_unstable();
    assert_eq!(seen, [again.member_id.as_str(), b.member_id.as_str()]);
    let sync = bench.sync_as(&again.member_id, 1, Some("a"), &[]);
    assert_eq!(bench.synced(sync).unwrap().1, a.member_id.as_bytes());
}

#[test]
fn an_older_leader_that_restarts_is_told_that_another_leads() {
    let mut bench = Bench::new();
    let (a, _) = two(&mut bench);
    let id = bench.join(&Join { version: 8, ..join_of("a") });
    let again = bench.joined_as(id, 8).unwrap();
    assert_eq!((again.error, again.leader.as_str()), (ErrorCode::NONE, a.member_id.as_str()));
    assert!(!again.leads() && again.members.is_empty());
}

#[test]
fn a_restart_that_changes_the_protocol_rebalances() {
    let mut bench = Bench::new();
    let both: &[(&str, &[u8])] = &[("range", b"1"), ("sticky", b"2")];
    let (a, b) = (
        bench.join(&Join { protocols: both, ..join_of("a") }),
        bench.join(&Join { protocols: both, ..join_of("b") }),
    );
    bench.pass_ms(300);
    let (a, b) = (bench.joined(a).unwrap(), bench.joined(b).unwrap());
    let sync = bench.sync_as(&a.member_id, 1, Some("a"), &[]);
    assert_eq!(bench.synced(sync).unwrap().0, ErrorCode::NONE);
    let only: &[(&str, &[u8])] = &[("sticky", b"3")];
    let id = bench.join(&Join { protocols: only, ..join_of("b") });
    assert_eq!(bench.joined(id), None);
    assert_eq!(bench.beat_as(&a.member_id, 1, Some("a")), ErrorCode::REBALANCE_IN_PROGRESS);
    let join = Join { member_id: &a.member_id, protocols: both, ..join_of("a") };
    let lead = bench.join(&join);
    assert_eq!(bench.joined(lead).unwrap().protocol, "sticky");
    assert_ne!(bench.joined(id).unwrap().member_id, b.member_id);
}

#[test]
fn who_takes_an_instance_id_fences_the_join_and_the_sync_that_wait() {
    let mut bench = Bench::new();
    let first = bench.join(&join_of("a"));
    let second = bench.join(&join_of("a"));
    assert_eq!(bench.joined(first).unwrap().error, ErrorCode::FENCED_INSTANCE_ID);
    bench.pass_ms(300);
    let joined = bench.joined(second).unwrap();
    assert_eq!((joined.error, joined.members.len()), (ErrorCode::NONE, 1));

    let mut bench = Bench::new();
    let (a, b) = (bench.join(&join_of("a")), bench.join(&join_of("b")));
    bench.pass_ms(300);
    let b = (bench.joined(a).unwrap(), bench.joined(b).unwrap()).1;
    let sync = bench.sync_as(&b.member_id, 1, Some("b"), &[]);
    let third = bench.join(&join_of("b"));
    assert_eq!(bench.synced(sync).unwrap().0, ErrorCode::FENCED_INSTANCE_ID);
    assert_eq!(bench.joined(third), None, "the generation was not complete: a new one");
}

#[test]
fn a_static_member_that_stays_away_keeps_its_place_until_its_session_ends() {
    let mut bench = Bench::new();
    let (a, b) = two(&mut bench);
    // The leader rebalances, the other has stopped and is not waited for beyond the timeout.
    let changed: &[(&str, &[u8])] = &[("range", b"new")];
    let join = Join { member_id: &a.member_id, protocols: changed, ..join_of("a") };
    let id = bench.join(&join);
    bench.pass_ms(9_700);
    assert_eq!(bench.joined(id), None);
    bench.pass_ms(400);
    let again = bench.joined(id).expect("the session of the other is over");
    assert_eq!((again.generation, again.members.len()), (2, 1));
    assert_eq!(bench.beat_as(&b.member_id, 1, Some("b")), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn a_static_member_within_its_session_is_part_of_a_generation_that_it_missed() {
    let mut bench = Bench::new();
    let long = Join { session_ms: 100_000, rebalance_ms: 2_000, ..join_of("b") };
    let short = Join { rebalance_ms: 2_000, ..join_of("a") };
    let (a, b) = (bench.join(&short), bench.join(&long));
    bench.pass_ms(300);
    let (a, b) = (bench.joined(a).unwrap(), bench.joined(b).unwrap());
    let sync = bench.sync_as(&a.member_id, 1, Some("a"), &[]);
    bench.synced(sync).unwrap();
    let sync = bench.sync_as(&b.member_id, 1, Some("b"), &[]);
    bench.synced(sync).unwrap();
    let id = bench.join(&Join { member_id: &a.member_id, ..short });
    bench.pass_ms(2_100);
    let again = bench.joined(id).unwrap();
    assert_eq!((again.generation, again.members.len()), (2, 2));
    // It comes back into that generation, and its old member id is still known.
    assert_eq!(bench.beat_as(&b.member_id, 1, Some("b")), ErrorCode::ILLEGAL_GENERATION);
}

#[test]
fn an_instance_id_alone_is_enough_to_leave() {
    let mut bench = Bench::new();
    let (a, b) = two(&mut bench);
    let left = bench.leave(&[("", Some("b")), ("", Some("c")), (&a.member_id, Some("b"))]);
    let unknown = ErrorCode::UNKNOWN_MEMBER_ID;
    assert_eq!(left, [ErrorCode::NONE, unknown, unknown]);
    assert_eq!(bench.beat_as(&b.member_id, 1, Some("b")), unknown);
    assert_eq!(bench.beat_as(&a.member_id, 1, Some("a")), ErrorCode::REBALANCE_IN_PROGRESS);
}
