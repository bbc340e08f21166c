//! Heartbeats, the session's end, and the poll interval.

#![forbid(unsafe_code)]

use super::*;

fn lost(bench: &Bench) -> bool {
    matches!(&bench.notices[..], [Notice::Lost { .. }])
}

#[test]
fn heartbeats_go_by_the_clock_and_never_two_at_once() {
    let mut bench = Bench::joined();
    let start = bench.now;
    for beat in 1..20 {
        let request = bench.next(ApiKey::Heartbeat);
        assert_eq!(bench.now - start, Duration::from_secs(3 * beat));
        // A slow answer: nothing else is sent meanwhile.
        assert!(bench.asked.is_empty());
        bench.now += Duration::from_millis(2900);
        bench.member.handle_timeout(bench.now);
        bench.act();
        assert!(bench.asked.is_empty());
        bench.answer_well(&request);
    }
    assert_eq!(bench.notices, []);
}

#[test]
fn heartbeats_count_from_the_join_however_long_the_assignment_takes() {
    for (seconds, expected) in [(0, 3), (1, 3), (2, 3), (5, 5)] {
        let mut bench = Bench::new();
        bench.join();
        let sync = bench.next(ApiKey::SyncGroup);
        let joined = bench.now;
        bench.now += Duration::from_secs(seconds);
        bench.answer_well(&sync);
        bench.next(ApiKey::Heartbeat);
        assert_eq!(bench.now - joined, Duration::from_secs(expected));
    }
}

#[test]
fn a_session_ends_without_answers_connected_or_not() {
    for is_connected in [true, false] {
        let mut bench = Bench::joined();
        let start = bench.now;
        if !is_connected {
            bench.is_reachable = false;
            bench.cut();
        }
        while bench.notices.is_empty() {
            assert!(bench.pass());
            let lookups = |request: &Request| *request == Request::FindCoordinator;
            while let Some(place) = bench.asked.iter().position(lookups) {
                let request = bench.asked.remove(place).unwrap();
                bench.answer_well(&request);
            }
        }
        assert!(lost(&bench), "{:?}", bench.notices);
        assert_eq!(bench.now - start, Duration::from_secs(45));
        assert!(!bench.pass(), "nothing is wanted any more");
    }
}

#[test]
fn a_slow_answer_renews_the_session_from_when_it_was_asked() {
    let mut bench = Bench::joined();
    let beat = bench.next(ApiKey::Heartbeat);
    let sent = bench.now;
    bench.now += Duration::from_secs(20);
    bench.answer_well(&beat);
    while bench.notices.is_empty() {
        bench.asked.clear();
        assert!(bench.pass());
    }
    assert_eq!(bench.now - sent, Duration::from_secs(45));
}

#[test]
fn heartbeats_go_on_until_the_application_joins_again() {
    let mut bench = Bench::joined();
    let beat = bench.next(ApiKey::Heartbeat);
    bench.answer_code(&beat, ErrorCode::REBALANCE_IN_PROGRESS);
    assert!(matches!(&bench.notices[..], [Notice::Rejoin { .. }]));
    for _ in 0..40 {
        let beat = bench.next(ApiKey::Heartbeat);
        bench.answer_code(&beat, ErrorCode::REBALANCE_IN_PROGRESS);
    }
    assert_eq!(bench.notices.len(), 1);
    // What is committed while the partitions are revoked goes with the old generation.
    bench.commit(1, true, &[(0, 5)]);
    let commit = bench.next(ApiKey::OffsetCommit);
    bench.answer_well(&commit);
    assert_eq!(bench.notices.len(), 2);
    bench.join();
    bench.settle();
    assert_eq!(bench.generation, 2);
}

#[test]
fn an_error_of_an_old_generation_is_ignored() {
    for code in [22, 25, 27, 82] {
        let mut bench = Bench::joined();
        let beat = bench.next(ApiKey::Heartbeat);
        bench.join();
        let join = bench.next(ApiKey::JoinGroup);
        bench.answer_code(&beat, ErrorCode(code));
        bench.answer_well(&join);
        bench.settle();
        assert!(matches!(&bench.notices[..], [Notice::Assigned { .. }]), "{:?}", bench.notices);
    }
}

#[test]
fn a_member_whose_application_stalls_leaves() {
    let mut bench = Bench::joined();
    bench.sleep(Duration::from_secs(1000));
    assert_eq!(bench.notices, [], "a poll may take as long as it likes");
    bench.wait();
    let since = bench.now;
    let leave = bench.next(ApiKey::LeaveGroup);
    let waited = bench.now - since;
    assert_eq!(waited, Duration::from_secs(300));
    assert!(lost(&bench));
    assert!(matches!(&leave, Request::LeaveGroup { member_id, reason }
        if member_id == MEMBER && reason.contains("max.poll.interval.ms")));
    bench.answer_well(&leave);
    assert!(lost(&bench) && !bench.pass());
    bench.join();
    let Request::JoinGroup { member_id, .. } = bench.next(ApiKey::JoinGroup) else { panic!() };
    assert_eq!(member_id, "");
}

#[test]
fn a_static_member_whose_application_stalls_falls_silent() {
    let group_instance_id = Some("i".to_owned());
    let mut bench = Bench::with(MemberSettings { group_instance_id, ..settings() });
    bench.join();
    bench.settle();
    bench.notices.clear();
    bench.wait();
    bench.sleep(Duration::from_secs(301));
    assert!(lost(&bench));
    assert!(bench.asked.is_empty() && !bench.pass());
}

#[test]
fn a_stalled_member_gives_up_a_join_that_is_held() {
    let mut bench = Bench::joined();
    bench.wait();
    bench.join();
    bench.next(ApiKey::JoinGroup);
    let leave = bench.next(ApiKey::LeaveGroup);
    assert_eq!((bench.connects, bench.on_wire.len()), (2, 1));
    bench.answer_well(&leave);
    assert!(lost(&bench));
}
