//! Finding the coordinator, and its connection.

#![forbid(unsafe_code)]

use super::*;

fn answer_lookup(bench: &mut Bench, version: i16, coordinators: Vec<Coordinator<'_>>) {
    let request = bench.next(ApiKey::FindCoordinator);
    let mut body = Vec::new();
    let response = FindCoordinatorResponse { throttle_time_ms: 0, coordinators };
    response.encode(version, &mut body).unwrap();
    bench.member.handle_answer(bench.now, request, version, &body).unwrap();
    bench.act();
}

#[test]
fn nobody_is_asked_before_somebody_needs_it() {
    let mut bench = Bench::new();
    assert!(!bench.pass());
    bench.commit_as(None, 3, true, &[]);
    assert_eq!(bench.notices, [Notice::Committed { id: 3, result: Ok(vec![]) }]);
    assert!(bench.asked.is_empty());
    bench.fetch(4, None);
    assert_eq!(bench.asked, [Request::FindCoordinator]);
}

#[test]
fn one_coordinator_is_found_in_the_versions_before_many() {
    for version in 0..=6 {
        let mut bench = Bench::new();
        bench.join();
        let other = Coordinator { key: "other", node_id: 9, host: "x", ..Default::default() };
        let key = if version < 4 { "" } else { GROUP };
        let host = "broker";
        let one = Coordinator { key, node_id: 1, host, port: 9092, ..Default::default() };
        let all = if version < 4 { vec![one] } else { vec![other, one] };
        answer_lookup(&mut bench, version, all);
        assert_eq!(bench.connects, 1, "version {version}");
    }
}

#[test]
fn what_is_no_address_is_asked_again() {
    let good = Coordinator { key: GROUP, node_id: 1, host: "b", port: 1, ..Default::default() };
    let bad = [
        vec![],
        vec![Coordinator { key: "other", ..good }],
        vec![Coordinator { node_id: -1, ..good }],
        vec![Coordinator { host: "", ..good }],
        vec![Coordinator { port: 0, ..good }],
        vec![Coordinator { port: 70_000, ..good }],
        vec![Coordinator { port: -1, ..good }],
    ];
    for coordinators in bad {
        let mut bench = Bench::new();
        bench.join();
        answer_lookup(&mut bench, 4, coordinators);
        let then = bench.now;
        bench.next(ApiKey::FindCoordinator);
        assert!(bench.now - then >= RETRY * 8 / 10);
        assert_eq!((bench.connects, bench.notices.len()), (0, 0));
    }
}

#[test]
fn an_unreachable_coordinator_is_looked_for_with_growing_delays() {
    let mut bench = Bench::new();
    bench.is_reachable = false;
    bench.join();
    let mut last = None;
    for failures in 0..8 {
        let request = bench.next(ApiKey::FindCoordinator);
        if let Some(last) = last.replace(bench.now) {
            let nominal = (RETRY * (1 << (failures - 1))).min(Duration::from_secs(1));
            assert!(bench.now - last >= nominal * 8 / 10, "{failures}");
        }
        bench.answer_well(&request);
    }
    bench.is_reachable = true;
    bench.next(ApiKey::JoinGroup);
}

#[test]
fn a_lost_connection_is_made_again_and_nothing_is_told() {
    let mut bench = Bench::joined();
    bench.cut();
    bench.sleep(Duration::from_secs(10));
    assert_eq!((bench.connects, bench.notices.len()), (2, 0));
}

#[test]
fn a_broker_without_the_api_is_fatal() {
    let mut bench = Bench::new();
    bench.join();
    let request = bench.next(ApiKey::FindCoordinator);
    let why = Unanswered::Unsupported("too old".to_owned());
    bench.member.handle_unanswered(bench.now, request, why);
    bench.act();
    assert!(matches!(&bench.notices[..], [Notice::Failed(error)] if error.is_fatal()));
}

#[test]
fn a_malformed_answer_counts_as_none() {
    for api in [ApiKey::FindCoordinator, ApiKey::JoinGroup, ApiKey::SyncGroup] {
        let mut bench = Bench::new();
        bench.join();
        let request = bench.next(api);
        bench.on_wire.clear();
        let outcome = bench.member.handle_answer(bench.now, request, 4, &[1]);
        assert!(outcome.is_err());
        bench.act();
        bench.member.handle_disconnected(bench.now, "malformed");
        bench.sleep(Duration::from_secs(5));
        assert!(matches!(&bench.notices[..], [Notice::Assigned { .. }]), "{:?}", bench.notices);
    }
}
