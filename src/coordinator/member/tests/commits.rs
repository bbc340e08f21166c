//! Commits: order, retries, and whose they are.

#![forbid(unsafe_code)]

use super::*;
use crate::error::ErrorKind;

fn ids(bench: &Bench) -> Vec<(u64, bool)> {
    let commits = bench.notices.iter().filter_map(|notice| match notice {
        Notice::Committed { id, result } => Some((*id, result.is_ok())),
        _ => None,
    });
    commits.collect()
}

fn kind(bench: &Bench) -> (ErrorKind, i16, bool) {
    let Some(Notice::Committed { result: Err(error), .. }) = bench.notices.last() else {
        panic!("{:?}", bench.notices)
    };
    (error.kind(), error.code(), error.is_retriable())
}

#[test]
fn a_retry_never_passes_a_newer_commit() {
    let mut bench = Bench::joined();
    bench.commit(1, true, &[(0, 10)]);
    bench.commit(2, false, &[(0, 20)]);
    bench.commit(3, true, &[]);
    let first = bench.next(ApiKey::OffsetCommit);
    bench.answer_code(&first, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
    assert_eq!(bench.next(ApiKey::OffsetCommit), first);
    bench.cut();
    assert_eq!(bench.next(ApiKey::OffsetCommit), first);
    assert_eq!(ids(&bench), []);
    bench.answer_well(&first);
    bench.settle();
    assert_eq!(ids(&bench), [(1, true), (2, true), (3, true)]);
}

#[test]
fn only_the_partitions_that_failed_are_tried_again() {
    let mut bench = Bench::joined();
    bench.commit(1, true, &[(0, 10), (1, 11), (2, 12), (3, 13)]);
    let request = bench.next(ApiKey::OffsetCommit);
    let codes = [(0, ErrorCode(0)), (1, ErrorCode(3)), (2, ErrorCode(12)), (7, ErrorCode(3))];
    bench.answer(&request, &commit_body(&codes));
    let request = bench.next(ApiKey::OffsetCommit);
    let Request::OffsetCommit { offsets, .. } = &request else { panic!() };
    let places: Vec<i32> = offsets.iter().map(|offset| offset.partition).collect();
    assert_eq!(places, [1, 3]);
    bench.answer_well(&request);
    let [Notice::Committed { result: Ok(results), .. }] = &bench.notices[..] else { panic!() };
    let good: Vec<bool> = results.iter().map(Result::is_ok).collect();
    assert_eq!(good, [true, true, false, true]);
}

#[test]
fn a_commit_that_does_not_retry_tells_what_may_pass() {
    let mut bench = Bench::joined();
    for code in [3, 7, 14, 15, 16] {
        bench.commit(1, false, &[(0, 10)]);
        let request = bench.next(ApiKey::OffsetCommit);
        bench.answer_code(&request, ErrorCode(code));
        let (_, told, is_retriable) = kind(&bench);
        assert_eq!((told, is_retriable), (code, true));
    }
    bench.commit(2, false, &[(0, 10)]);
    bench.next(ApiKey::OffsetCommit);
    bench.cut();
    assert_eq!(kind(&bench), (ErrorKind::Network, 0, true));
    bench.sleep(Duration::from_secs(20));
    assert_eq!(bench.notices.len(), 6);
}

#[test]
fn a_membership_that_is_over_commits_nothing() {
    let mut bench = Bench::joined();
    let old = bench.membership();
    bench.join();
    bench.commit(1, true, &[(0, 1)]);
    let join = bench.next(ApiKey::JoinGroup);
    assert_eq!(kind(&bench), (ErrorKind::RebalanceInProgress, 27, true));
    bench.answer_well(&join);
    bench.settle();
    bench.commit_as(Some(old), 2, true, &[(0, 1)]);
    assert_eq!(kind(&bench), (ErrorKind::RebalanceInProgress, 27, true));
    let stranger = Membership { generation: 2, member_id: "m-0".to_owned() };
    bench.commit_as(Some(stranger), 3, true, &[(0, 1)]);
    assert_eq!(kind(&bench), (ErrorKind::CommitFailed, 25, false));
    let beat = bench.next(ApiKey::Heartbeat);
    bench.answer_code(&beat, ErrorCode::ILLEGAL_GENERATION);
    bench.commit(4, true, &[(0, 1)]);
    assert_eq!(kind(&bench), (ErrorKind::CommitFailed, 22, false));
    let commits = |request: &Request| request.api_key() == ApiKey::OffsetCommit;
    assert!(!bench.asked.iter().any(commits));
}

#[test]
fn a_commit_by_no_member_needs_no_generation() {
    let mut bench = Bench::new();
    bench.commit_as(None, 1, true, &[(0, 1)]);
    let request = bench.next(ApiKey::OffsetCommit);
    assert!(matches!(&request, Request::OffsetCommit { generation: -1, member_id, .. }
        if member_id.is_empty()));
    bench.answer_code(&request, ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(kind(&bench), (ErrorKind::CommitFailed, 25, false));
}

#[test]
fn what_was_committed_before_the_wish_to_join_goes_first() {
    let mut bench = Bench::joined();
    bench.commit(1, false, &[(0, 10)]);
    bench.commit(2, false, &[(0, 20)]);
    bench.join();
    let first = bench.next(ApiKey::OffsetCommit);
    assert!(bench.asked.is_empty());
    bench.answer_well(&first);
    let second = bench.next(ApiKey::OffsetCommit);
    bench.answer_code(&second, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
    assert_eq!(ids(&bench), [(1, true), (2, false)]);
    assert_eq!(bench.next(ApiKey::JoinGroup).api_key(), ApiKey::JoinGroup);
}

#[test]
fn a_commit_whose_time_is_over_leaves_the_next_waiting_for_its_answer() {
    let mut bench = Bench::joined();
    bench.commit(1, true, &[(0, 10)]);
    let first = bench.next(ApiKey::OffsetCommit);
    bench.now += Duration::from_secs(30);
    bench.commit(2, true, &[(0, 20)]);
    for _ in 0..15 {
        let beat = bench.next(ApiKey::Heartbeat);
        bench.answer_well(&beat);
    }
    assert_eq!(ids(&bench), [(1, false)]);
    assert_eq!(kind(&bench).0, ErrorKind::Timeout);
    bench.answer_well(&first);
    bench.settle();
    assert_eq!(ids(&bench), [(1, false), (2, true)]);
}

#[test]
fn a_static_member_commits_as_such() {
    let group_instance_id = Some("i".to_owned());
    let bench = Bench::with(MemberSettings { group_instance_id, ..settings() });
    for (member_id, instance) in [(MEMBER, Some("i")), ("", None)] {
        let member_id = member_id.to_owned();
        let request = Request::OffsetCommit {
            id: 1,
            generation: 3,
            member_id,
            offsets: vec![],
            topic_ids: TopicIds::default(),
        };
        let mut body = Vec::new();
        bench.member.encode(&request, 9, &mut body).unwrap();
        let sent = crate::protocol::offset_commit::OffsetCommitRequest::decode(&body, 9).unwrap();
        assert_eq!(sent.group_instance_id, instance);
    }
}

#[test]
fn a_late_commit_tells_its_last_trouble_behind_a_colon() {
    let mut bench = Bench::joined();
    let late = bench.now + Duration::from_secs(60);
    bench.commit(1, true, &[(0, 10)]);
    while bench.now < late {
        match bench.asked.pop_front() {
            Some(request) if request.api_key() == ApiKey::OffsetCommit => {
                bench.answer_code(&request, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
            }
            Some(request) => bench.answer_well(&request),
            None => assert!(bench.pass()),
        }
    }
    let mut notices = bench.notices.iter();
    let text = notices.find_map(|notice| match notice {
        Notice::Committed { result: Err(error), .. } => Some(error.message()),
        _ => None,
    });
    let start = "the commit ran out of time: the commit: COORDINATOR_LOAD_IN_PROGRESS";
    assert!(text.is_some_and(|text| text.starts_with(start)), "{text:?}");
}
