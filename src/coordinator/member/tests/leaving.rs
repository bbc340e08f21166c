//! Leaving, in every state.

#![forbid(unsafe_code)]

use super::*;

fn leaves(bench: &mut Bench) -> String {
    match bench.next(ApiKey::LeaveGroup) {
        Request::LeaveGroup { member_id, .. } => member_id,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_member_that_never_joined_has_nothing_to_say() {
    let mut bench = Bench::new();
    bench.leave(true);
    assert_eq!(bench.notices, [Notice::Left]);
    assert!(bench.asked.is_empty());
}

#[test]
fn a_silent_leave_sends_nothing_and_keeps_nothing() {
    let mut bench = Bench::joined();
    bench.leave(false);
    assert_eq!(bench.notices, [Notice::Left]);
    assert!(!bench.pass() && bench.asked.is_empty());
    bench.join();
    let Request::JoinGroup { member_id, .. } = bench.next(ApiKey::JoinGroup) else { panic!() };
    assert_eq!(member_id, "");
}

#[test]
fn commits_before_it_go_first() {
    let mut bench = Bench::joined();
    bench.commit(1, true, &[(0, 10)]);
    bench.commit(2, true, &[(0, 20)]);
    bench.leave(true);
    bench.commit(3, true, &[(0, 30)]);
    for _ in 0..2 {
        let commit = bench.next(ApiKey::OffsetCommit);
        bench.answer_well(&commit);
    }
    let leave = bench.next(ApiKey::LeaveGroup);
    bench.answer_well(&leave);
    let good: Vec<bool> = bench
        .notices
        .iter()
        .map(|notice| match notice {
            Notice::Committed { result, .. } => result.is_ok(),
            notice => *notice == Notice::Left,
        })
        .collect();
    assert!(good[..2] == [true, true] && good.len() == 4, "{:?}", bench.notices);
}

#[test]
fn a_held_join_or_sync_is_given_up() {
    for api in [ApiKey::JoinGroup, ApiKey::SyncGroup] {
        for tells in [true, false] {
            let mut bench = Bench::joined();
            bench.join();
            bench.next(api);
            bench.leave(tells);
            if tells {
                assert_eq!(leaves(&mut bench), MEMBER);
                let leave = bench.on_wire[0].clone();
                bench.answer_well(&leave);
            }
            assert_eq!(bench.notices, [Notice::Left], "{api:?}");
        }
    }
}

#[test]
fn the_id_of_a_join_that_did_not_come_about_leaves() {
    let mut bench = Bench::new();
    bench.join();
    let join = bench.next(ApiKey::JoinGroup);
    bench.answer_code(&join, ErrorCode::MEMBER_ID_REQUIRED);
    bench.leave(true);
    assert_eq!(leaves(&mut bench), MEMBER);
}

#[test]
fn its_deadline_ends_it_and_a_join_may_follow() {
    let mut bench = Bench::joined();
    bench.is_reachable = false;
    bench.cut();
    bench.leave(true);
    bench.join();
    let start = bench.now;
    bench.sleep(Duration::from_secs(11));
    assert_eq!(bench.notices, [Notice::Left]);
    bench.is_reachable = true;
    bench.sleep(Duration::from_secs(11));
    assert!(matches!(bench.notices.last(), Some(Notice::Assigned { .. })));
    assert!(bench.now - start >= Duration::from_secs(20));
}

#[test]
fn a_join_waits_for_the_leave_before_it() {
    let mut bench = Bench::joined();
    bench.leave(true);
    bench.join();
    let leave = bench.next(ApiKey::LeaveGroup);
    assert!(bench.asked.is_empty());
    bench.answer_well(&leave);
    bench.next(ApiKey::JoinGroup);
    assert_eq!(bench.notices, [Notice::Left]);
}

#[test]
fn a_stalled_member_that_is_told_to_leave_leaves_once() {
    let mut bench = Bench::joined();
    bench.wait();
    while bench.notices.is_empty() {
        while let Some(beat) = bench.asked.pop_front() {
            bench.answer_well(&beat);
        }
        bench.pass();
    }
    bench.leave(true);
    let leave = bench.next(ApiKey::LeaveGroup);
    bench.answer_well(&leave);
    assert!(matches!(&bench.notices[..], [Notice::Lost { .. }, Notice::Left]));
    assert!(!bench.pass());
}
