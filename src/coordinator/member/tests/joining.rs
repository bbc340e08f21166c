//! Joining, leading, and joining again.

#![forbid(unsafe_code)]

use super::*;
use crate::error::ErrorKind;

fn assigned(bench: &Bench) -> Notice {
    let (membership, protocol) = (bench.membership(), "range".to_owned());
    Notice::Assigned { membership, protocol, assignment: b"mine".to_vec() }
}

#[test]
fn a_member_joins_with_the_id_it_is_given() {
    let mut bench = Bench::new();
    bench.join();
    let request = bench.next(ApiKey::JoinGroup);
    assert!(matches!(&request, Request::JoinGroup { member_id, .. } if member_id.is_empty()));
    let then = bench.now;
    bench.answer_code(&request, ErrorCode::MEMBER_ID_REQUIRED);
    let request = bench.next(ApiKey::JoinGroup);
    assert!(matches!(&request, Request::JoinGroup { member_id, .. } if member_id == MEMBER));
    assert_eq!(bench.now, then);
    bench.answer_well(&request);
    bench.settle();
    assert_eq!(bench.notices, [assigned(&bench)]);
}

#[test]
fn a_leader_hands_in_what_it_is_told() {
    let mut bench = Bench::new();
    bench.leads = true;
    bench.join();
    let request = bench.next(ApiKey::JoinGroup);
    bench.answer_code(&request, ErrorCode::NONE);
    let [Notice::Lead { members, skips_assignment: false, .. }] = &bench.notices[..] else {
        panic!("{:?}", bench.notices)
    };
    assert_eq!(members.len(), 1);
    // The assignor takes its time: the session is kept alive, and nothing else is sent.
    let beat = bench.next(ApiKey::Heartbeat);
    bench.answer_code(&beat, ErrorCode::REBALANCE_IN_PROGRESS);
    assert_eq!(bench.notices.len(), 1);
    let assignments = vec![(MEMBER.to_owned(), b"mine".to_vec())];
    let stale = bench.generation - 1;
    bench.command(MemberCommand::Assign { generation: stale, assignments: vec![] });
    assert!(bench.asked.is_empty());
    let generation = bench.generation;
    bench.command(MemberCommand::Assign { generation, assignments: assignments.clone() });
    let request = bench.next(ApiKey::SyncGroup);
    assert!(
        matches!(&request, Request::SyncGroup { assignments: sent, .. } if *sent == assignments)
    );
    bench.answer_well(&request);
    assert_eq!(bench.notices.last(), Some(&assigned(&bench)));
}

#[test]
fn a_leader_that_skips_the_assignment_hands_in_nothing() {
    let mut bench = Bench::new();
    bench.join();
    let request = bench.next(ApiKey::JoinGroup);
    let mut body = Vec::new();
    let response =
        JoinGroupResponse { skip_assignment: true, ..join_response(4, ErrorCode(0), true) };
    response.encode(9, &mut body).unwrap();
    bench.answer(&request, &body);
    assert!(matches!(&bench.notices[..], [Notice::Lead { skips_assignment: true, .. }]));
    let request = bench.next(ApiKey::SyncGroup);
    assert!(matches!(&request, Request::SyncGroup { assignments, .. } if assignments.is_empty()));
    bench.generation = 4;
    bench.answer_well(&request);
    assert_eq!(bench.notices.last(), Some(&assigned(&bench)));
}

#[test]
fn nothing_else_is_sent_while_the_coordinator_holds_a_join() {
    let mut bench = Bench::joined();
    bench.join();
    let join = bench.next(ApiKey::JoinGroup);
    bench.fetch(1, None);
    bench.commit_as(None, 2, true, &[(0, 1)]);
    assert!(bench.asked.is_empty());
    bench.now += Duration::from_secs(40);
    bench.member.handle_timeout(bench.now);
    bench.act();
    assert!(bench.asked.is_empty() && bench.notices.is_empty());
    bench.answer_well(&join);
    let apis: Vec<ApiKey> = bench.asked.iter().map(Request::api_key).collect();
    assert!(!apis.contains(&ApiKey::OffsetFetch), "{apis:?}");
    bench.settle();
    assert_eq!(bench.notices.len(), 3, "{:?}", bench.notices);
}

#[test]
fn a_lost_join_is_tried_again_with_the_same_wish() {
    let mut bench = Bench::new();
    bench.join();
    let first = bench.next(ApiKey::JoinGroup);
    bench.cut();
    assert_eq!(bench.next(ApiKey::JoinGroup), first);
    assert_eq!(bench.notices, []);
    bench.answer_well(&first);
    let sync = bench.next(ApiKey::SyncGroup);
    bench.cut();
    let again = bench.next(ApiKey::JoinGroup);
    assert!(matches!(&again, Request::JoinGroup { member_id, .. } if member_id == MEMBER));
    bench.answer_well(&again);
    bench.settle();
    assert_ne!(sync.api_key(), ApiKey::JoinGroup);
    assert_eq!(bench.notices, [assigned(&bench)]);
}

#[test]
fn an_unknown_id_without_a_generation_is_no_loss() {
    let mut bench = Bench::new();
    bench.join();
    let request = bench.next(ApiKey::JoinGroup);
    bench.answer_code(&request, ErrorCode::MEMBER_ID_REQUIRED);
    let request = bench.next(ApiKey::JoinGroup);
    bench.answer_code(&request, ErrorCode::UNKNOWN_MEMBER_ID);
    let request = bench.next(ApiKey::JoinGroup);
    assert!(matches!(&request, Request::JoinGroup { member_id, .. } if member_id.is_empty()));
    assert_eq!(bench.notices, []);
}

#[test]
fn a_group_of_another_type_is_fatal_and_a_senseless_generation_is_not() {
    let senseless = [
        JoinGroupResponse { generation_id: -1, ..join_response(1, ErrorCode(0), false) },
        JoinGroupResponse { member_id: "", ..join_response(1, ErrorCode(0), false) },
        JoinGroupResponse {
            protocol_type: Some("connect"),
            ..join_response(1, ErrorCode(0), true)
        },
    ];
    for (number, response) in senseless.into_iter().enumerate() {
        let mut bench = Bench::new();
        bench.join();
        let request = bench.next(ApiKey::JoinGroup);
        let mut body = Vec::new();
        response.encode(9, &mut body).unwrap();
        bench.answer(&request, &body);
        let [Notice::Failed(error)] = &bench.notices[..] else { panic!("{:?}", bench.notices) };
        assert_eq!(error.is_fatal(), number == 2);
        if number < 2 {
            bench.next(ApiKey::JoinGroup);
        }
    }
}

#[test]
fn a_static_member_needs_a_broker_that_knows_of_them() {
    let group_instance_id = Some("i".to_owned());
    let bench = Bench::with(MemberSettings { group_instance_id, ..settings() });
    let (member_id, reason) = (String::new(), "é".repeat(300));
    let request = Request::JoinGroup { member_id, protocols: vec![], reason };
    let encode = |version| bench.member.encode(&request, version, &mut Vec::new());
    assert!((0..5).all(|version| encode(version).is_err()));
    assert!((5..10).all(|version| encode(version).is_ok()));
    let mut bench = bench;
    bench.join();
    let request = bench.next(ApiKey::JoinGroup);
    let why = Unanswered::Unsupported("no static members".to_owned());
    bench.on_wire.clear();
    bench.member.handle_unanswered(bench.now, request, why);
    bench.act();
    let [Notice::Failed(error)] = &bench.notices[..] else { panic!() };
    assert_eq!((error.kind(), error.is_fatal()), (ErrorKind::UnsupportedVersion, true));
}

#[test]
fn a_newer_wish_takes_the_place_of_the_one_that_was_sent() {
    for api in [ApiKey::JoinGroup, ApiKey::SyncGroup] {
        let mut bench = Bench::joined();
        bench.join();
        let request = bench.next(api);
        let protocols = vec![("range".to_owned(), vec![9])];
        let newer = protocols.clone();
        bench.command(MemberCommand::Join { join: 1, protocols, reason: "another".to_owned() });
        assert!(bench.asked.is_empty());
        bench.answer_code(&request, ErrorCode::NONE);
        let again = bench.next(ApiKey::JoinGroup);
        assert!(matches!(&again, Request::JoinGroup { protocols, .. } if *protocols == newer));
        assert_eq!(bench.notices, [], "{api:?}");
        bench.answer_well(&again);
        bench.settle();
        assert_eq!(bench.notices, [assigned(&bench)]);
    }
}
