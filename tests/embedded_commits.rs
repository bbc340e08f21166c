//! Commits to the embedded coordinator, what it tells of them, and how long it keeps them.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod embedded;
mod support;

use std::time::Duration;

use embedded::{Bench, GROUP, Join};
use kfetch::embedded::{CommittedOffset, OffsetRecord, Offsets};
use kfetch::protocol::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use kfetch::protocol::consumer_protocol::ConsumerProtocolSubscription;
use kfetch::protocol::describe_groups::{DescribeGroupsRequest, DescribeGroupsResponse};
use kfetch::protocol::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
use kfetch::protocol::leave_group::{LeaveGroupRequest, LeaveGroupResponse, MemberIdentity};
use kfetch::protocol::list_groups::{ListGroupsRequest, ListGroupsResponse, ListedGroup};
use kfetch::protocol::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
    OffsetDeleteResponse,
};
use kfetch::protocol::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchResponse,
};
use kfetch::protocol::{ApiKey, ErrorCode};
use kfetch::wire::Int32Array;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[test]
fn who_may_commit() {
    let mut bench = Bench::new();
    assert_eq!(bench.commit("", 0, 1), ErrorCode::ILLEGAL_GENERATION, "there is no group");
    assert_eq!(bench.commit("", -1, 1), ErrorCode::NONE, "partitions assigned by hand");
    let joined = bench.stable(2);
    let member = joined[1].member_id.as_str();
    for (member_id, generation, error) in [
        ("", -1, ErrorCode::UNKNOWN_MEMBER_ID),
        (member, -1, ErrorCode::ILLEGAL_GENERATION),
        ("nobody", 1, ErrorCode::UNKNOWN_MEMBER_ID),
        ("", 1, ErrorCode::UNKNOWN_MEMBER_ID),
        (member, 0, ErrorCode::ILLEGAL_GENERATION),
        (member, 2, ErrorCode::ILLEGAL_GENERATION),
        (member, 1, ErrorCode::NONE),
    ] {
        assert_eq!(bench.commit(member_id, generation, 9), error, "{member_id:?} {generation}");
    }
    assert_eq!(bench.committed(), [("t".to_owned(), 0, 9, String::new())]);
}

#[test]
fn what_may_be_committed() {
    let mut bench = Bench::new();
    let (fits, long) = ("m".repeat(4096), "m".repeat(4097));
    let name = "t".repeat(250);
    for (offset, error) in [
        (("t", 0, -1, ""), ErrorCode::INVALID_REQUEST),
        (("t", 0, i64::MIN, ""), ErrorCode::INVALID_REQUEST),
        (("t", -1, 1, ""), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        (("", 0, 1, ""), ErrorCode::INVALID_TOPIC_EXCEPTION),
        ((&name, 0, 1, ""), ErrorCode::INVALID_TOPIC_EXCEPTION),
        (("t", 0, 1, &long), ErrorCode::OFFSET_METADATA_TOO_LARGE),
        (("t", 0, i64::MAX, &fits), ErrorCode::NONE),
    ] {
        assert_eq!(bench.commit_with("", -1, None, offset), error);
    }
    assert_eq!(bench.committed(), [("t".to_owned(), 0, i64::MAX, fits.clone())]);
    let records = bench.machine.take_records();
    let committed = CommittedOffset {
        offset: i64::MAX,
        leader_epoch: 3,
        metadata: fits,
        commit_timestamp_ms: bench.now.epoch_ms,
        expire_timestamp_ms: None,
    };
    let [group, topic] = [GROUP, "t"].map(str::to_owned);
    assert_eq!(records, [OffsetRecord { group, topic, partition: 0, committed: Some(committed) }]);
    assert_eq!(bench.machine.take_records(), []);
}

#[test]
fn offsets_are_told_by_partition_and_for_several_groups() {
    let mut bench = Bench::new();
    assert_eq!(bench.commit("", -1, 7), ErrorCode::NONE);
    let group = |group_id, partitions: &'static [i32]| OffsetFetchRequestGroup {
        group_id,
        topics: Some(vec![OffsetFetchRequestTopic {
            name: "t",
            partition_indexes: Int32Array::Values(partitions),
            ..OffsetFetchRequestTopic::default()
        }]),
        ..OffsetFetchRequestGroup::default()
    };
    let groups = vec![group(GROUP, &[0, 1]), group("other", &[0])];
    for version in 1..=9 {
        let groups = if version < 8 { groups[..1].to_vec() } else { groups.clone() };
        let request = OffsetFetchRequest { groups, require_stable: version >= 7 };
        let mut body = Vec::new();
        request.encode(version, &mut body).unwrap();
        let id = bench.send(ApiKey::OffsetFetch, version, &body);
        let body = bench.answer(id).unwrap();
        let response = OffsetFetchResponse::decode(&body, version).unwrap();
        let mut found = Vec::new();
        for group in &response.groups {
            assert_eq!(group.error_code, ErrorCode::NONE);
            for one in &group.topics[0].partitions {
                found.push((one.partition_index, one.committed_offset, one.metadata));
            }
        }
        let wanted = [(0, 7, Some("")), (1, -1, Some("")), (0, -1, Some(""))];
        assert_eq!(found, wanted[..if version < 8 { 2 } else { 3 }], "version {version}");
    }
}

#[test]
fn the_coordinator_of_every_group_is_itself_and_it_says_what_it_speaks() {
    let mut bench = Bench::new();
    for (key_type, version, error) in
        [(0, 6, ErrorCode::NONE), (0, 0, ErrorCode::NONE), (1, 6, ErrorCode::INVALID_REQUEST)]
    {
        let request = FindCoordinatorRequest { key_type, coordinator_keys: vec!["x"] };
        let mut body = Vec::new();
        request.encode(version, &mut body).unwrap();
        let id = bench.send(ApiKey::FindCoordinator, version, &body);
        let body = bench.answer(id).unwrap();
        let response = FindCoordinatorResponse::decode(&body, version).unwrap();
        let found = response.coordinators[0];
        assert_eq!(found.error_code, error);
        if error == ErrorCode::NONE {
            assert_eq!((found.node_id, found.host, found.port), (0, "localhost", 1));
        }
    }
    for (version, error) in
        [(0, ErrorCode::NONE), (4, ErrorCode::NONE), (5, ErrorCode::UNSUPPORTED_VERSION)]
    {
        let mut body = Vec::new();
        if version < 5 {
            let names =
                ApiVersionsRequest { client_software_name: "n", client_software_version: "v" };
            names.encode(version, &mut body).unwrap();
        }
        let id = bench.send(ApiKey::ApiVersions, version, &body);
        let body = bench.answer(id).unwrap();
        let response = ApiVersionsResponse::decode_answer(&body, version).unwrap();
        assert_eq!(response.error_code, error);
        let of = |code: i16| response.api_keys.iter().find(|row| row.api_key == code);
        let commit = of(8).expect("OffsetCommit");
        assert_eq!((commit.min_version, commit.max_version), (2, 9));
        assert!(of(1).is_none() && of(3).is_none(), "no records and no topics here");
    }
}

#[test]
fn one_member_leaves_in_the_words_of_old_versions() {
    let mut bench = Bench::new();
    let joined = bench.stable(1);
    for (member_id, error) in
        [("nobody", ErrorCode::UNKNOWN_MEMBER_ID), (&joined[0].member_id, ErrorCode::NONE)]
    {
        let members = vec![MemberIdentity { member_id, ..MemberIdentity::default() }];
        let mut body = Vec::new();
        LeaveGroupRequest { group_id: GROUP, members }.encode(2, &mut body).unwrap();
        let id = bench.send(ApiKey::LeaveGroup, 2, &body);
        let body = bench.answer(id).unwrap();
        assert_eq!(LeaveGroupResponse::decode(&body, 2).unwrap().error_code, error);
    }
}

#[test]
fn requests_that_make_no_sense_are_refused_without_an_answer() {
    use kfetch::embedded::{Incoming, RequestId};
    let mut bench = Bench::new();
    let join = Join::default().encode(GROUP);
    for (api_key, version, body) in [
        (ApiKey::JoinGroup, 10, &join[..]),
        (ApiKey::JoinGroup, -1, &join[..]),
        (ApiKey::JoinGroup, 9, &join[..join.len() - 1]),
        (ApiKey::JoinGroup, 9, &[]),
        (ApiKey::OffsetCommit, 10, &[]),
        (ApiKey::Fetch, 12, &[]),
        (ApiKey::Metadata, 9, &[]),
        (ApiKey::ApiVersions, 4, &[9, 9]),
    ] {
        let incoming = Incoming { id: RequestId(1), api_key, version, client_id: "", body };
        assert!(bench.machine.handle_request(bench.now, &incoming).is_err());
        assert!(bench.machine.poll_response().is_none());
    }
}

#[test]
fn offsets_of_a_group_without_members_expire() {
    let mut offsets = Offsets::default();
    let mut old = |topic: &str, commit_timestamp_ms, expire_timestamp_ms| {
        offsets.apply(OffsetRecord {
            group: GROUP.to_owned(),
            topic: topic.to_owned(),
            partition: 0,
            committed: Some(CommittedOffset {
                offset: 5,
                leader_epoch: -1,
                metadata: String::new(),
                commit_timestamp_ms,
                expire_timestamp_ms,
            }),
        });
    };
    let now_ms = Bench::new().now.epoch_ms;
    let day_ms = i64::try_from(DAY.as_millis()).unwrap();
    old("a", now_ms - 8 * day_ms, None);
    old("b", now_ms - 6 * day_ms, None);
    old("c", now_ms - 8 * day_ms, Some(now_ms + 3 * day_ms));
    let topics = |bench: &mut Bench| -> Vec<String> {
        bench.committed().into_iter().map(|(topic, ..)| topic).collect()
    };
    let mut bench = Bench::with(Default::default(), offsets);
    bench.pass_ms(1);
    assert_eq!(topics(&mut bench), ["b", "c"]);
    let records = bench.machine.take_records();
    assert_eq!((records.len(), &records[0].committed), (1, &None), "a tombstone");
    bench.pass(DAY + DAY / 2);
    assert_eq!(topics(&mut bench), ["c"]);
    bench.pass(2 * DAY);
    assert_eq!(topics(&mut bench), [""; 0]);
}

#[test]
fn offsets_of_members_do_not_expire_and_those_of_a_group_that_was_left_wait_from_then() {
    let mut bench = Bench::new();
    let long = Join { session_ms: 1_800_000, ..Join::default() };
    let member = bench.member_id(&long);
    let join = bench.join(&Join { member_id: &member, ..long });
    bench.pass_ms(200);
    bench.joined(join).unwrap();
    let sync = bench.sync(&member, 1, &[&member]);
    bench.synced(sync).unwrap();
    assert_eq!(bench.commit(&member, 1, 3), ErrorCode::NONE);
    for _ in 0..600 {
        bench.pass(Duration::from_secs(1700));
        assert_eq!(bench.beat(&member, 1), ErrorCode::NONE);
    }
    assert_eq!(bench.committed().len(), 1, "after eleven days");
    assert_eq!(bench.leave(&[(&member, None)]), [ErrorCode::NONE]);
    bench.pass(6 * DAY);
    assert_eq!(bench.committed().len(), 1);
    bench.pass(2 * DAY);
    assert_eq!(bench.committed().len(), 0);
}

#[test]
fn offsets_are_deleted_unless_a_member_reads_the_topic() {
    let mut bench = Bench::new();
    let delete = |bench: &mut Bench, topics: &[&str]| -> (ErrorCode, Vec<ErrorCode>) {
        let topic = |name: &&'static str| OffsetDeleteRequestTopic {
            name,
            partitions: vec![OffsetDeleteRequestPartition { partition_index: 0 }],
        };
        let names: Vec<&'static str> =
            ["t", "u"].into_iter().filter(|name| topics.contains(name)).collect();
        let request =
            OffsetDeleteRequest { group_id: GROUP, topics: names.iter().map(topic).collect() };
        let mut body = Vec::new();
        request.encode(0, &mut body).unwrap();
        let id = bench.send(ApiKey::OffsetDelete, 0, &body);
        let body = bench.answer(id).unwrap();
        let response = OffsetDeleteResponse::decode(&body, 0).unwrap();
        let codes = response.topics.iter().map(|topic| topic.partitions[0].error_code);
        (response.error_code, codes.collect())
    };
    assert_eq!(delete(&mut bench, &["t"]).0, ErrorCode::GROUP_ID_NOT_FOUND);
    for topic in ["t", "u"] {
        assert_eq!(bench.commit_with("", -1, None, (topic, 0, 5, "")), ErrorCode::NONE);
    }
    let subscription = ConsumerProtocolSubscription { topics: vec!["t"], ..Default::default() };
    let mut metadata = Vec::new();
    subscription.encode(1, &mut metadata).unwrap();
    let protocols: &[(&str, &[u8])] = &[("range", &metadata)];
    let join = Join { protocols, ..Join::default() };
    let member = bench.member_id(&join);
    bench.join(&Join { member_id: &member, ..join });
    bench.pass_ms(200);
    bench.machine.take_records();
    let found = delete(&mut bench, &["t", "u"]);
    assert_eq!(found, (ErrorCode::NONE, vec![ErrorCode(86), ErrorCode::NONE]));
    assert_eq!(bench.committed(), [("t".to_owned(), 0, 5, String::new())]);
    assert_eq!(bench.machine.take_records().len(), 1, "a tombstone");
    bench.leave(&[(&member, None)]);
    assert_eq!(delete(&mut bench, &["t"]), (ErrorCode::NONE, vec![ErrorCode::NONE]));
    assert_eq!(bench.committed(), []);
    // Members that say nothing of topics may need every offset.
    assert_eq!(bench.commit("", -1, 5), ErrorCode::NONE);
    bench.stable(1);
    assert_eq!(delete(&mut bench, &["t"]), (ErrorCode(68), vec![]));
}

#[test]
fn groups_are_listed_and_described_in_every_version() {
    let mut bench = Bench::new();
    assert_eq!(bench.commit("", -1, 5), ErrorCode::NONE);
    let listed = |bench: &mut Bench, version, states: &[&str]| -> Vec<(String, String, String)> {
        let states_filter = states.to_vec();
        let request = ListGroupsRequest { states_filter, ..ListGroupsRequest::default() };
        let mut body = Vec::new();
        request.encode(version, &mut body).unwrap();
        let id = bench.send(ApiKey::ListGroups, version, &body);
        let body = bench.answer(id).unwrap();
        let response = ListGroupsResponse::decode(&body, version).unwrap();
        let row = |group: &ListedGroup<'_>| {
            [group.group_id, group.protocol_type, group.group_state].map(str::to_owned).into()
        };
        response.groups.iter().map(row).collect()
    };
    let row = |kind: &str, state: &str| -> [(String, String, String); 1] {
        [(GROUP.to_owned(), kind.to_owned(), state.to_owned())]
    };
    assert_eq!(listed(&mut bench, 5, &[]), row("", "Empty"));
    let joined = bench.stable(2);
    assert_eq!(listed(&mut bench, 0, &[]), row("consumer", ""));
    assert_eq!(listed(&mut bench, 5, &["stable"]), row("consumer", "Stable"));
    assert_eq!(listed(&mut bench, 5, &["Empty"]), []);
    for version in 0..=6 {
        let request = DescribeGroupsRequest { groups: vec![GROUP, "other"], ..Default::default() };
        let mut body = Vec::new();
        request.encode(version, &mut body).unwrap();
        let id = bench.send(ApiKey::DescribeGroups, version, &body);
        let body = bench.answer(id).unwrap();
        let response = DescribeGroupsResponse::decode(&body, version).unwrap();
        let [group, other] = &response.groups[..] else { panic!("two groups") };
        assert_eq!((group.group_state, group.protocol_data), ("Stable", "range"));
        assert_eq!(group.members.len(), 2);
        for member in &group.members {
            assert_eq!(member.member_assignment, member.member_id.as_bytes());
            assert_eq!((member.client_id, member.member_metadata), ("client", &b"s"[..]));
        }
        let code = if version < 6 { ErrorCode::NONE } else { ErrorCode::GROUP_ID_NOT_FOUND };
        assert_eq!((other.group_state, other.error_code), ("Dead", code));
    }
    bench.join(&Join { member_id: &joined[0].member_id, ..Join::default() });
    assert_eq!(listed(&mut bench, 4, &[]), row("consumer", "PreparingRebalance"));
}
