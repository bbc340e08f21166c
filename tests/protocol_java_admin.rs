//! Messages of the group commands against the classes that Kafka generates for its clients.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use kfetch::protocol::describe_groups::{
    DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};
use kfetch::protocol::list_groups::{ListGroupsRequest, ListGroupsResponse, ListedGroup};
use kfetch::protocol::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
    OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use kfetch::protocol::{ApiKey, ErrorCode};
use support::oracle::{check_java_versions, check_with_java, since, versions};

#[test]
fn java_has_every_version_that_we_have() {
    check_java_versions(ApiKey::DescribeGroups, "DescribeGroups");
    check_java_versions(ApiKey::ListGroups, "ListGroups");
    check_java_versions(ApiKey::OffsetDelete, "OffsetDelete");
}

#[test]
fn list_groups_is_javas() {
    for version in versions(ApiKey::ListGroups) {
        let request = ListGroupsRequest {
            states_filter: if version >= 4 { vec!["Stable", "Empty"] } else { Vec::new() },
            types_filter: if version >= 5 { vec!["classic"] } else { Vec::new() },
        };
        let parts = [
            (r#""statesFilter":["Stable","Empty"]"#, version >= 4),
            (r#""typesFilter":["classic"]"#, version >= 5),
        ];
        let encode = |out: &mut Vec<u8>| request.encode(version, out);
        let bytes = check_with_java("ListGroupsRequest", version, encode, &parts);
        assert_eq!(ListGroupsRequest::decode(&bytes, version), Ok(request));

        let group = ListedGroup {
            group_id: "group",
            protocol_type: "consumer",
            group_state: since(version >= 4, "Stable").unwrap_or(""),
            group_type: since(version >= 5, "classic").unwrap_or(""),
        };
        let response = ListGroupsResponse {
            throttle_time_ms: if version >= 1 { 17 } else { 0 },
            error_code: ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
            groups: vec![group; 2],
        };
        let parts = [
            (r#""throttleTimeMs":17"#, version >= 1),
            (r#""errorCode":14"#, true),
            (r#""groupId":"group","protocolType":"consumer""#, true),
            (r#""groupState":"Stable""#, version >= 4),
            (r#""groupType":"classic""#, version >= 5),
        ];
        let encode = |out: &mut Vec<u8>| response.encode(version, out);
        let bytes = check_with_java("ListGroupsResponse", version, encode, &parts);
        assert_eq!(ListGroupsResponse::decode(&bytes, version), Ok(response));
    }
}

#[test]
fn describe_groups_request_is_javas() {
    for version in versions(ApiKey::DescribeGroups) {
        let request = DescribeGroupsRequest {
            groups: vec!["first", "é"],
            include_authorized_operations: version >= 3,
        };
        let parts = [
            (r#""groups":["first","#, true),
            (r#""includeAuthorizedOperations":true"#, version >= 3),
        ];
        let encode = |out: &mut Vec<u8>| request.encode(version, out);
        let bytes = check_with_java("DescribeGroupsRequest", version, encode, &parts);
        assert_eq!(DescribeGroupsRequest::decode(&bytes, version), Ok(request));
    }
}

#[test]
fn describe_groups_response_is_javas() {
    for version in versions(ApiKey::DescribeGroups) {
        let member = DescribedGroupMember {
            member_id: "member",
            group_instance_id: since(version >= 4, "instance"),
            client_id: "client",
            client_host: "/127.0.0.1",
            member_metadata: &[0, 3, 255],
            member_assignment: &[1, 3, 255],
        };
        let group = DescribedGroup {
            error_code: ErrorCode::NOT_COORDINATOR,
            error_message: since(version >= 6, "not here"),
            group_id: "group",
            group_state: "Stable",
            protocol_type: "consumer",
            protocol_data: "range",
            members: vec![member; 2],
            authorized_operations: if version >= 3 { 0x0148 } else { i32::MIN },
        };
        let response = DescribeGroupsResponse {
            throttle_time_ms: if version >= 1 { 17 } else { 0 },
            groups: vec![group, DescribedGroup::default()],
        };
        let parts = [
            (r#""throttleTimeMs":17"#, version >= 1),
            (r#""errorCode":16"#, true),
            (r#""errorMessage":"not here""#, version >= 6),
            (r#""groupId":"group","groupState":"Stable""#, true),
            (r#""protocolType":"consumer","protocolData":"range""#, true),
            (r#""groupInstanceId":"instance""#, version >= 4),
            (r#""clientId":"client","clientHost":"/127.0.0.1""#, true),
            (r#""memberMetadata":"AAP/","memberAssignment":"AQP/""#, true),
            (r#""authorizedOperations":328"#, version >= 3),
            (r#""authorizedOperations":-2147483648"#, version >= 3),
        ];
        let encode = |out: &mut Vec<u8>| response.encode(version, out);
        let bytes = check_with_java("DescribeGroupsResponse", version, encode, &parts);
        assert_eq!(DescribeGroupsResponse::decode(&bytes, version), Ok(response));
    }
}

#[test]
fn offset_delete_is_javas() {
    let partitions = [6, 1].map(|partition_index| OffsetDeleteRequestPartition { partition_index });
    let topic = OffsetDeleteRequestTopic { name: "é", partitions: partitions.into() };
    let request = OffsetDeleteRequest { group_id: "group", topics: vec![topic; 2] };
    let parts = [
        (r#""groupId":"group""#, true),
        (r#"{"name":"é","partitions":[{"partitionIndex":6},{"partitionIndex":1}]}"#, true),
    ];
    let encode = |out: &mut Vec<u8>| request.encode(0, out);
    let bytes = check_with_java("OffsetDeleteRequest", 0, encode, &parts);
    assert_eq!(OffsetDeleteRequest::decode(&bytes, 0), Ok(request));

    let partition = OffsetDeleteResponsePartition {
        partition_index: 6,
        error_code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
    };
    let topic = OffsetDeleteResponseTopic { name: "é", partitions: vec![partition] };
    let response = OffsetDeleteResponse {
        error_code: ErrorCode::NOT_COORDINATOR,
        throttle_time_ms: 17,
        topics: vec![topic],
    };
    let parts = [
        (r#""errorCode":16,"throttleTimeMs":17"#, true),
        (r#"{"name":"é","partitions":[{"partitionIndex":6,"errorCode":3}]}"#, true),
    ];
    let encode = |out: &mut Vec<u8>| response.encode(0, out);
    let bytes = check_with_java("OffsetDeleteResponse", 0, encode, &parts);
    assert_eq!(OffsetDeleteResponse::decode(&bytes, 0), Ok(response));
}
