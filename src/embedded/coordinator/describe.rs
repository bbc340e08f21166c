//! ListGroups and DescribeGroups: what an administrator sees of the groups.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;

use super::super::now::Now;
use super::group::{Group, State};
use super::machine::{GroupCoordinator, Incoming};
use crate::protocol::ErrorCode;
use crate::protocol::describe_groups::{
    DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};
use crate::protocol::list_groups::{ListGroupsRequest, ListGroupsResponse, ListedGroup};
use crate::wire::WireError;

/// The type of all groups here (KIP-848).
const GROUP_TYPE: &str = "classic";

/// Where all members come from: a socket of this machine.
const CLIENT_HOST: &str = "/unix";

/// The first version of DescribeGroups that says that there is no such group (KIP-1043).
const NOT_FOUND_VERSION: i16 = 6;

impl GroupCoordinator {
    pub(super) fn handle_list(&mut self, incoming: &Incoming<'_>) -> Result<(), WireError> {
        let request = ListGroupsRequest::decode(incoming.body, incoming.version)?;
        let is_wanted = |filter: &[&str], value: &str| {
            filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(value))
        };
        let with_offsets = self.offsets.groups().map(|(id, _)| id);
        let ids: BTreeSet<&str> =
            self.groups.keys().map(String::as_str).chain(with_offsets).collect();
        let listed = ids.into_iter().map(|group_id| {
            let group = self.groups.get(group_id);
            ListedGroup {
                group_id,
                protocol_type: group.and_then(|one| one.protocol_type.as_deref()).unwrap_or(""),
                group_state: group.map_or(State::Empty, |group| group.state).name(),
                group_type: GROUP_TYPE,
            }
        });
        let groups = listed.filter(|listed| {
            is_wanted(&request.states_filter, listed.group_state)
                && is_wanted(&request.types_filter, GROUP_TYPE)
        });
        let response = ListGroupsResponse { groups: groups.collect(), ..Default::default() };
        self.outbox.push(incoming.reply(), |version, out| response.encode(version, out));
        Ok(())
    }

    pub(super) fn handle_describe(
        &mut self,
        now: Now,
        incoming: &Incoming<'_>,
    ) -> Result<(), WireError> {
        let request = DescribeGroupsRequest::decode(incoming.body, incoming.version)?;
        let version = incoming.version;
        let groups =
            request.groups.iter().map(|group_id| match self.check_settled(group_id, now) {
                Ok(()) => self.describe(group_id, version),
                Err(error_code) => {
                    DescribedGroup { group_id, error_code, ..DescribedGroup::default() }
                }
            });
        let response = DescribeGroupsResponse { throttle_time_ms: 0, groups: groups.collect() };
        let mut body = Vec::new();
        let encoded = response.encode(version, &mut body);
        self.outbox.push(incoming.reply(), |_, out| {
            *out = body;
            encoded
        });
        Ok(())
    }

    fn describe<'a>(&'a self, group_id: &'a str, version: i16) -> DescribedGroup<'a> {
        if let Some(group) = self.groups.get(group_id) {
            return group.describe(group_id);
        }
        if self.offsets.group(group_id).is_some() {
            let group_state = State::Empty.name();
            return DescribedGroup { group_id, group_state, ..DescribedGroup::default() };
        }
        let is_told = version >= NOT_FOUND_VERSION;
        DescribedGroup {
            error_code: if is_told { ErrorCode::GROUP_ID_NOT_FOUND } else { ErrorCode::NONE },
            group_id,
            group_state: "Dead",
            ..DescribedGroup::default()
        }
    }
}

impl Group {
    fn describe<'a>(&'a self, group_id: &'a str) -> DescribedGroup<'a> {
        // What members bring and get is settled only then.
        let protocol = self.protocol.as_deref().filter(|_| self.state == State::Stable);
        let member = |member: &'a super::group_member::Member| DescribedGroupMember {
            member_id: &member.id,
            group_instance_id: member.group_instance_id.as_deref(),
            client_id: &member.client_id,
            client_host: CLIENT_HOST,
            member_metadata: protocol.map(|name| member.metadata(name)).unwrap_or_default(),
            member_assignment: protocol.map(|_| &*member.assignment).unwrap_or_default(),
        };
        DescribedGroup {
            group_id,
            group_state: self.state.name(),
            protocol_type: self.protocol_type.as_deref().unwrap_or_default(),
            protocol_data: protocol.unwrap_or_default(),
            members: self.members.values().map(member).collect(),
            ..DescribedGroup::default()
        }
    }
}
