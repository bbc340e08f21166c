//! Committed offsets.

#![forbid(unsafe_code)]

use super::*;

fn told(bench: &Bench) -> Vec<(i32, Option<Option<i64>>)> {
    let Some(Notice::Fetched { result: Ok(offsets), .. }) = bench.notices.last() else {
        panic!("{:?}", bench.notices)
    };
    let offset = |told: &crate::coordinator::notice::CommittedOffset| {
        let committed = told.committed.as_ref().ok();
        (told.partition, committed.map(|one| one.as_ref().map(|one| one.offset)))
    };
    offsets.iter().map(offset).collect()
}

#[test]
fn what_is_missing_or_unstable_is_asked_again_and_order_is_kept() {
    let mut bench = Bench::new();
    bench.fetch(1, Some(&[3, 1, 2, 0]));
    let request = bench.next(ApiKey::OffsetFetch);
    let (good, unstable) = (ErrorCode::NONE, ErrorCode::UNSTABLE_OFFSET_COMMIT);
    let refused = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
    let body = fetch_body(good, &[(0, -1, good), (1, 7, unstable), (3, 7, refused), (9, 9, good)]);
    bench.answer(&request, &body);
    let request = bench.next(ApiKey::OffsetFetch);
    let Request::OffsetFetch { partitions: Some(partitions), .. } = &request else { panic!() };
    let places: Vec<i32> = partitions.iter().map(|(_, partition)| *partition).collect();
    assert_eq!(places, [1, 2]);
    bench.answer_well(&request);
    let expected = [(3, None), (1, Some(Some(40))), (2, Some(Some(40))), (0, Some(None))];
    assert_eq!(told(&bench), expected);
}

#[test]
fn all_that_there_is_can_be_asked_for() {
    let mut bench = Bench::new();
    bench.fetch(1, None);
    let request = bench.next(ApiKey::OffsetFetch);
    let (good, unstable) = (ErrorCode::NONE, ErrorCode::UNSTABLE_OFFSET_COMMIT);
    bench.answer(&request, &fetch_body(good, &[(0, 5, good), (1, 5, unstable)]));
    let request = bench.next(ApiKey::OffsetFetch);
    bench.answer(&request, &fetch_body(good, &[(0, 6, good), (1, 7, good)]));
    assert_eq!(told(&bench), [(0, Some(Some(6))), (1, Some(Some(7)))]);
    bench.fetch(2, Some(&[]));
    assert_eq!(told(&bench), []);
}

#[test]
fn what_is_known_at_the_deadline_is_told() {
    let mut bench = Bench::new();
    bench.fetch(1, Some(&[0, 1]));
    let good = ErrorCode::NONE;
    while bench.notices.is_empty() {
        if let Some(request) = bench.asked.pop_front() {
            match request.api_key() {
                ApiKey::OffsetFetch => bench.answer(&request, &fetch_body(good, &[(0, 5, good)])),
                _ => bench.answer_well(&request),
            }
        } else {
            bench.pass();
        }
    }
    assert_eq!(told(&bench), [(0, Some(Some(5))), (1, None)]);
}

#[test]
fn stable_offsets_are_asked_for_where_the_version_has_it() {
    let bench = Bench::new();
    let partitions = Some(vec![(TopicName::new("t"), 1), (TopicName::new("u"), 2)]);
    let request = Request::OffsetFetch { id: 1, partitions, topic_ids: TopicIds::default() };
    for version in 1..=9 {
        let mut body = Vec::new();
        bench.member.encode(&request, version, &mut body).unwrap();
        let sent = crate::protocol::offset_fetch::OffsetFetchRequest::decode(&body, version);
        assert_eq!(sent.unwrap().require_stable, version >= 7);
    }
}
