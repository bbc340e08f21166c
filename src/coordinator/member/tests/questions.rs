//! Questions about groups.

#![forbid(unsafe_code)]

use super::*;
use crate::coordinator::question::{GroupDescription, Question, Told};
use crate::error::{Error, ErrorKind};
use crate::protocol::consumer_protocol::{ConsumerProtocolAssignment, TopicPartitions};
use crate::protocol::describe_groups::{
    DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};
use crate::protocol::list_groups::{ListGroupsResponse, ListedGroup};
use crate::protocol::metadata::{MetadataResponse, MetadataResponseBroker};
use crate::protocol::offset_delete::{
    OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use crate::topic::TopicPartition;
use crate::wire::Int32Array;

fn ask(bench: &mut Bench, question: Question) {
    let deadline = bench.now + Duration::from_secs(60);
    bench.command(MemberCommand::Ask { id: 1, question, deadline });
}

fn told(bench: &Bench) -> Result<Told, Error> {
    let [Notice::Told { id: 1, result }] = bench.notices.as_slice() else {
        panic!("{:?}", bench.notices)
    };
    result.clone()
}

fn names(bench: &Bench) -> Vec<String> {
    let Ok(Told::Groups(groups)) = told(bench) else { panic!("{:?}", bench.notices) };
    groups.into_iter().map(|group| group.group_id).collect()
}

/// Answers the question who the brokers are.
fn tell_brokers(bench: &mut Bench, ids: &[i32]) {
    let request = bench.asked.pop_front().expect("a request");
    assert_eq!(request.api_key(), ApiKey::Metadata);
    let broker = |id: &i32| MetadataResponseBroker { node_id: *id, host: "h", port: 1, rack: None };
    let brokers = ids.iter().map(broker).collect();
    let mut body = Vec::new();
    let version = version_of(ApiKey::Metadata);
    MetadataResponse { brokers, ..Default::default() }.encode(version, &mut body).unwrap();
    bench.answer(&request, &body);
}

/// Answers the next broker's list; returns whose it was.
fn tell_groups(bench: &mut Bench, error_code: ErrorCode, groups: &[&str]) -> Option<i32> {
    let request = bench.asked.pop_front().expect("a request");
    let Request::ListGroups { broker, .. } = request else { panic!("{request:?}") };
    let groups = groups.iter().map(|id| ListedGroup { group_id: id, ..Default::default() });
    let response = ListGroupsResponse { error_code, groups: groups.collect(), throttle_time_ms: 0 };
    let mut body = Vec::new();
    response.encode(version_of(ApiKey::ListGroups), &mut body).unwrap();
    bench.answer(&request, &body);
    broker
}

#[test]
fn every_broker_is_asked_for_its_groups_and_no_coordinator() {
    let mut bench = Bench::new();
    ask(&mut bench, Question::Groups);
    tell_brokers(&mut bench, &[7, 3]);
    assert_eq!(tell_groups(&mut bench, ErrorCode::NONE, &["b", "d"]), Some(3));
    assert_eq!(bench.notices, []);
    assert_eq!(tell_groups(&mut bench, ErrorCode::NONE, &["c", "a", "b"]), Some(7));
    assert_eq!(names(&bench), ["a", "b", "c", "d"]);
    assert_eq!((bench.connects, bench.asked.len()), (0, 0));
}

#[test]
fn a_broker_that_fails_is_asked_again_unless_it_is_gone() {
    for is_gone in [false, true] {
        let mut bench = Bench::new();
        ask(&mut bench, Question::Groups);
        tell_brokers(&mut bench, &[1, 2, 3]);
        let loads = ErrorCode::COORDINATOR_LOAD_IN_PROGRESS;
        assert_eq!(tell_groups(&mut bench, loads, &["x"]), Some(1));
        let lost = bench.asked.pop_front().expect("a request");
        let why = Unanswered::Lost("reset".to_owned());
        bench.member.handle_unanswered(bench.now, lost, why);
        bench.act();
        assert_eq!(tell_groups(&mut bench, ErrorCode::NONE, &["c"]), Some(3));
        assert!(bench.asked.is_empty() && bench.pass());
        tell_brokers(&mut bench, if is_gone { &[1, 3] } else { &[1, 2, 3] });
        assert_eq!(tell_groups(&mut bench, ErrorCode::NONE, &["a"]), Some(1));
        if !is_gone {
            assert_eq!(tell_groups(&mut bench, ErrorCode::NONE, &["b"]), Some(2));
        }
        assert_eq!(names(&bench), if is_gone { vec!["a", "c"] } else { vec!["a", "b", "c"] });
    }
}

#[test]
fn a_server_that_knows_no_brokers_is_asked_itself() {
    let mut bench = Bench::new();
    ask(&mut bench, Question::Groups);
    let request = bench.asked.pop_front().expect("a request");
    let why = Unanswered::Unsupported("no Metadata".to_owned());
    bench.member.handle_unanswered(bench.now, request, why);
    bench.act();
    assert_eq!(tell_groups(&mut bench, ErrorCode::NONE, &["a"]), None);
    assert_eq!(names(&bench), ["a"]);
}

#[test]
fn a_list_ends_with_its_deadline_or_an_error_that_stays() {
    let mut bench = Bench::new();
    ask(&mut bench, Question::Groups);
    tell_brokers(&mut bench, &[1]);
    tell_groups(&mut bench, ErrorCode::CLUSTER_AUTHORIZATION_FAILED, &[]);
    assert_eq!(told(&bench).unwrap_err().code(), ErrorCode::CLUSTER_AUTHORIZATION_FAILED.0);

    let mut bench = Bench::new();
    ask(&mut bench, Question::Groups);
    while bench.notices.is_empty() {
        if !bench.asked.is_empty() {
            tell_brokers(&mut bench, &[]);
        } else {
            assert!(bench.pass());
        }
    }
    let error = told(&bench).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.message().ends_with("the cluster knows no broker yet"), "{error}");
}

fn description(group: DescribedGroup<'_>) -> Vec<u8> {
    let mut body = Vec::new();
    let version = version_of(ApiKey::DescribeGroups);
    DescribeGroupsResponse { throttle_time_ms: 0, groups: vec![group] }
        .encode(version, &mut body)
        .unwrap();
    body
}

fn described(error_code: ErrorCode, group_state: &str) -> DescribedGroup<'_> {
    let protocol_type = "consumer";
    DescribedGroup { error_code, group_id: GROUP, group_state, protocol_type, ..Default::default() }
}

#[test]
fn a_group_is_described_by_the_coordinator_that_it_has_moved_to() {
    let mut bench = Bench::new();
    ask(&mut bench, Question::Group);
    let request = bench.next(ApiKey::DescribeGroups);
    bench.answer(&request, &description(described(ErrorCode::NOT_COORDINATOR, "")));
    let request = bench.next(ApiKey::DescribeGroups);
    assert_eq!((bench.connects, bench.disconnects), (2, 1));
    let mut assignment = Vec::new();
    let partitions = Int32Array::Values(&[2, 0]);
    let assigned_partitions = vec![TopicPartitions { topic: "t", partitions }];
    ConsumerProtocolAssignment { assigned_partitions, user_data: None }
        .encode(1, &mut assignment)
        .unwrap();
    let member = |member_id, member_assignment| DescribedGroupMember {
        member_id,
        member_assignment,
        client_id: "c",
        ..Default::default()
    };
    let members = vec![member("a", &assignment[..]), member("b", &[]), member("c", &[9])];
    let group = DescribedGroup { members, ..described(ErrorCode::NONE, "Stable") };
    bench.answer(&request, &description(group));
    let Ok(Told::Group(GroupDescription { state, members, .. })) = told(&bench) else { panic!() };
    let assigned: Vec<_> = members.into_iter().map(|member| member.assignment).collect();
    let own = [2, 0].map(|partition| TopicPartition::new("t", partition));
    assert_eq!(
        (state.as_str(), assigned),
        ("Stable", vec![Some(own.to_vec()), Some(vec![]), None])
    );
}

#[test]
fn a_group_that_does_not_exist_is_an_error_in_each_form() {
    for group in
        [described(ErrorCode::NONE, "Dead"), described(ErrorCode::GROUP_ID_NOT_FOUND, "Dead")]
    {
        let mut bench = Bench::new();
        ask(&mut bench, Question::Group);
        let request = bench.next(ApiKey::DescribeGroups);
        bench.answer(&request, &description(group));
        assert_eq!(told(&bench).unwrap_err().code(), ErrorCode::GROUP_ID_NOT_FOUND.0);
    }
}

#[test]
fn each_deleted_offset_has_its_outcome() {
    let mut bench = Bench::new();
    let asked = [3, 1, 2].map(|partition| (TopicName::new("t"), partition));
    ask(&mut bench, Question::DeleteOffsets(asked.to_vec()));
    let request = bench.next(ApiKey::OffsetDelete);
    let refused = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    let partition = |&(partition_index, error_code): &(i32, ErrorCode)| {
        OffsetDeleteResponsePartition { partition_index, error_code }
    };
    let partitions = [(1, ErrorCode::NONE), (3, refused)].iter().map(partition).collect();
    let topics = vec![OffsetDeleteResponseTopic { name: "t", partitions }];
    let mut body = Vec::new();
    OffsetDeleteResponse { topics, ..Default::default() }.encode(0, &mut body).unwrap();
    bench.answer(&request, &body);
    let Ok(Told::Deleted(results)) = told(&bench) else { panic!() };
    let kinds: Vec<_> = results.iter().map(|one| one.as_ref().map_err(Error::kind)).collect();
    let (unknown, lacking) = (ErrorKind::UnknownTopicOrPartition, ErrorKind::Protocol);
    assert_eq!(kinds, [Err(unknown), Ok(&()), Err(lacking)]);
}
