//! Topics by their ids: OffsetCommit and OffsetFetch from version 10 on.

#![forbid(unsafe_code)]

use super::*;
use crate::protocol::offset_commit::OffsetCommitRequest;
use crate::protocol::offset_fetch::OffsetFetchRequest;
use crate::wire::Uuid;

const VERSION: i16 = 10;
const OLD: Uuid = Uuid([1; 16]);
const NEW: Uuid = Uuid([2; 16]);

impl Bench {
    /// Returns the next request of an API with the topic's id, and its body.
    fn next_by_id(&mut self, api: ApiKey, id: Uuid) -> (Request, Vec<u8>) {
        let mut request = self.next(api);
        self.on_wire.retain(|sent| *sent != request);
        request.take_topic_ids(|name| (name == "t").then_some(id));
        assert_eq!(request.version_max(), i16::MAX);
        let mut body = Vec::new();
        self.member.encode(&request, VERSION, &mut body).unwrap();
        (request, body)
    }

    fn answer_by_id(&mut self, request: Request, body: &[u8]) {
        self.member.handle_answer(self.now, request, VERSION, body).unwrap();
        self.act();
    }
}

fn commit_by_id(topic_id: Uuid, error_code: ErrorCode) -> Vec<u8> {
    let partitions = vec![OffsetCommitResponsePartition { partition_index: 0, error_code }];
    let topics = vec![OffsetCommitResponseTopic { name: "", topic_id, partitions }];
    let mut out = Vec::new();
    OffsetCommitResponse { throttle_time_ms: 0, topics }.encode(VERSION, &mut out).unwrap();
    out
}

fn fetch_by_id(topic_id: Uuid, error_code: ErrorCode) -> Vec<u8> {
    let partitions = vec![OffsetFetchResponsePartition {
        partition_index: 0,
        committed_offset: if error_code.is_error() { -1 } else { 40 },
        committed_leader_epoch: 5,
        metadata: None,
        error_code,
    }];
    let topics = vec![OffsetFetchResponseTopic { name: "", topic_id, partitions }];
    let groups =
        vec![OffsetFetchResponseGroup { group_id: GROUP, topics, error_code: ErrorCode::NONE }];
    let mut out = Vec::new();
    OffsetFetchResponse { throttle_time_ms: 0, groups }.encode(VERSION, &mut out).unwrap();
    out
}

#[test]
fn a_request_names_its_topics_where_an_id_is_not_known() {
    let mut bench = Bench::joined();
    bench.commit(1, true, &[(0, 10)]);
    bench.fetch(2, None);
    for _ in 0..2 {
        let mut request = bench.asked.pop_front().unwrap();
        for id in [None, Some(Uuid::ZERO)] {
            request.take_topic_ids(|_| id);
            assert_eq!(request.version_max(), 9, "{request:?}");
        }
        // Whoever asks for everything is answered by names.
        request.take_topic_ids(|_| Some(OLD));
        let all = matches!(request, Request::OffsetFetch { .. });
        assert_eq!(request.version_max() == 9, all);
        bench.answer_well(&request);
    }
}

#[test]
fn a_commit_by_id_is_answered_by_id() {
    let mut bench = Bench::joined();
    bench.commit(1, true, &[(0, 10)]);
    let (request, body) = bench.next_by_id(ApiKey::OffsetCommit, OLD);
    let sent = OffsetCommitRequest::decode(&body, VERSION).unwrap();
    assert_eq!((sent.topics[0].topic_id, sent.topics[0].name), (OLD, ""));
    bench.answer_by_id(request, &commit_by_id(OLD, ErrorCode::NONE));
    assert!(matches!(&bench.notices[..], [Notice::Committed { id: 1, result: Ok(results) }]
        if results[..] == [Ok(())]));
}

#[test]
fn a_commit_is_tried_again_with_the_id_that_the_topic_has_by_then() {
    let mut bench = Bench::joined();
    bench.commit(1, true, &[(0, 10)]);
    let (request, _) = bench.next_by_id(ApiKey::OffsetCommit, OLD);
    bench.answer_by_id(request, &commit_by_id(OLD, ErrorCode::UNKNOWN_TOPIC_ID));
    assert_eq!((&bench.forgotten[..], &bench.notices[..]), (&[TopicName::new("t")][..], &[][..]));
    // An answer for some other topic is none.
    let (request, _) = bench.next_by_id(ApiKey::OffsetCommit, NEW);
    bench.answer_by_id(request, &commit_by_id(OLD, ErrorCode::NONE));
    assert_eq!(bench.notices, []);
    let (request, body) = bench.next_by_id(ApiKey::OffsetCommit, NEW);
    let sent = OffsetCommitRequest::decode(&body, VERSION).unwrap();
    assert_eq!(sent.topics[0].topic_id, NEW);
    bench.answer_by_id(request, &commit_by_id(NEW, ErrorCode::NONE));
    assert!(matches!(&bench.notices[..], [Notice::Committed { id: 1, result: Ok(_) }]));
    assert_eq!(bench.forgotten.len(), 1);
}

#[test]
fn a_commit_that_does_not_retry_says_that_the_id_is_stale() {
    let mut bench = Bench::joined();
    bench.commit(1, false, &[(0, 10)]);
    let (request, _) = bench.next_by_id(ApiKey::OffsetCommit, OLD);
    bench.answer_by_id(request, &commit_by_id(OLD, ErrorCode::UNKNOWN_TOPIC_ID));
    let [Notice::Committed { result: Err(error), .. }] = &bench.notices[..] else { panic!() };
    assert_eq!((error.code(), error.is_retriable()), (100, true));
    assert_eq!(bench.forgotten.len(), 1);
}

#[test]
fn committed_offsets_are_asked_for_again_with_the_new_id() {
    let mut bench = Bench::new();
    bench.fetch(1, Some(&[0]));
    let (request, body) = bench.next_by_id(ApiKey::OffsetFetch, OLD);
    let sent = OffsetFetchRequest::decode(&body, VERSION).unwrap();
    let topics = sent.groups[0].topics.as_ref().unwrap();
    assert_eq!((topics[0].topic_id, topics[0].name), (OLD, ""));
    bench.answer_by_id(request, &fetch_by_id(OLD, ErrorCode::UNKNOWN_TOPIC_ID));
    assert_eq!((&bench.forgotten[..], &bench.notices[..]), (&[TopicName::new("t")][..], &[][..]));
    let (request, _) = bench.next_by_id(ApiKey::OffsetFetch, NEW);
    bench.answer_by_id(request, &fetch_by_id(NEW, ErrorCode::NONE));
    let [Notice::Fetched { result: Ok(offsets), .. }] = &bench.notices[..] else { panic!() };
    let committed = offsets[0].committed.as_ref().unwrap().as_ref().unwrap();
    assert_eq!((offsets[0].topic.as_str(), committed.offset), ("t", 40));
}
