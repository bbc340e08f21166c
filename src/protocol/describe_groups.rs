//! DescribeGroups: the members of classic groups and what each is assigned.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::{ApiKey, ErrorCode};
use crate::wire::{EncodeError, Reader, WireError, Writer};

/// What stands for operations that were not asked for.
const NO_OPERATIONS: i32 = i32::MIN;

/// Asks for groups, which all have the same coordinator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DescribeGroupsRequest<'a> {
    /// The groups.
    pub groups: Vec<&'a str>,
    /// v3+ (KIP-430): whether to tell what the client may do with each group.
    pub include_authorized_operations: bool,
}

impl<'a> DescribeGroupsRequest<'a> {
    /// Appends the request's body of `version` to `out`.
    ///
    /// # Errors
    /// Any [`EncodeError`].
    pub fn encode(&self, version: i16, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut w = ApiKey::DescribeGroups.writer(out, version)?;
        w.array(&self.groups, |w, group| w.string(group))?;
        if version >= 3 {
            w.boolean(self.include_authorized_operations);
        } else {
            w.leave_out("include_authorized_operations", !self.include_authorized_operations)?;
        }
        w.empty_tagged_fields();
        Ok(())
    }

    /// Reads the request's body of `version`.
    ///
    /// # Errors
    /// Any [`WireError`] but `Incomplete`.
    pub fn decode(body: &'a [u8], version: i16) -> Result<Self, WireError> {
        let mut r = ApiKey::DescribeGroups.reader(body, version)?;
        let request = Self {
            groups: r.array(1, Reader::string)?,
            include_authorized_operations: if version >= 3 { r.boolean()? } else { false },
        };
        r.skip_tagged_fields()?;
        r.end()?;
        Ok(request)
    }
}

/// The groups that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DescribeGroupsResponse<'a> {
    /// v1+: how long the client is throttled, in ms; ignorable.
    pub throttle_time_ms: i32,
    /// Each group of the request.
    pub groups: Vec<DescribedGroup<'a>>,
}

impl<'a> DescribeGroupsResponse<'a> {
    /// Appends the response's body of `version` to `out`.
    ///
    /// # Errors
    /// Any [`EncodeError`].
    pub fn encode(&self, version: i16, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut w = ApiKey::DescribeGroups.writer(out, version)?;
        if version >= 1 {
            w.int32(self.throttle_time_ms);
        }
        w.array(&self.groups, |w, group| group.encode(w, version))?;
        w.empty_tagged_fields();
        Ok(())
    }

    /// Reads the response's body of `version`.
    ///
    /// # Errors
    /// Any [`WireError`] but `Incomplete`.
    pub fn decode(body: &'a [u8], version: i16) -> Result<Self, WireError> {
        let mut r = ApiKey::DescribeGroups.reader(body, version)?;
        let response = Self {
            throttle_time_ms: if version >= 1 { r.int32()? } else { 0 },
            groups: r.array(DescribedGroup::MIN_BYTES, |r| DescribedGroup::decode(r, version))?,
        };
        r.skip_tagged_fields()?;
        r.end()?;
        Ok(response)
    }
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedGroup<'a> {
    /// Why the group is not described; v6+ (KIP-1043): GROUP_ID_NOT_FOUND where there is none.
    pub error_code: ErrorCode,
    /// v6+ (KIP-1043): the broker's words for the error; ignorable.
    pub error_message: Option<&'a str>,
    /// The group.
    pub group_id: &'a str,
    /// The group's state, such as `"Stable"`; below v6 `"Dead"` also where there is no such group.
    pub group_state: &'a str,
    /// What the group is for, `"consumer"` for consumers; empty for a group without members.
    pub protocol_type: &'a str,
    /// The protocol that the coordinator chose, for consumers the assignor's name; empty unless
    /// the group is stable.
    pub protocol_data: &'a str,
    /// The members.
    pub members: Vec<DescribedGroupMember<'a>>,
    /// v3+ (KIP-430): what the client may do with the group, a bit for the number of each of
    /// Kafka's `AclOperation`; `i32::MIN` where that was not asked for.
    pub authorized_operations: i32,
}

impl Default for DescribedGroup<'_> {
    fn default() -> Self {
        Self {
            error_code: ErrorCode::NONE,
            error_message: None,
            group_id: "",
            group_state: "",
            protocol_type: "",
            protocol_data: "",
            members: Vec::new(),
            authorized_operations: NO_OPERATIONS,
        }
    }
}

impl<'a> DescribedGroup<'a> {
    const MIN_BYTES: usize = 12;

    fn encode(&self, w: &mut Writer<'_>, version: i16) -> Result<(), EncodeError> {
        w.int16(self.error_code.0);
        if version >= 6 {
            w.nullable_string(self.error_message)?;
        }
        w.string(self.group_id)?;
        w.string(self.group_state)?;
        w.string(self.protocol_type)?;
        w.string(self.protocol_data)?;
        w.array(&self.members, |w, member| member.encode(w, version))?;
        if version >= 3 {
            w.int32(self.authorized_operations);
        } else {
            let is_default = self.authorized_operations == NO_OPERATIONS;
            w.leave_out("authorized_operations", is_default)?;
        }
        w.empty_tagged_fields();
        Ok(())
    }

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, WireError> {
        let min_bytes = DescribedGroupMember::MIN_BYTES;
        let group = Self {
            error_code: ErrorCode(r.int16()?),
            error_message: if version >= 6 { r.nullable_string()? } else { None },
            group_id: r.string()?,
            group_state: r.string()?,
            protocol_type: r.string()?,
            protocol_data: r.string()?,
            members: r.array(min_bytes, |r| DescribedGroupMember::decode(r, version))?,
            authorized_operations: if version >= 3 { r.int32()? } else { NO_OPERATIONS },
        };
        r.skip_tagged_fields()?;
        Ok(group)
    }
}

/// A member of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DescribedGroupMember<'a> {
    /// The id that the coordinator gave the member.
    pub member_id: &'a str,
    /// v4+ (KIP-345): the `group.instance.id` of a static member; ignorable.
    pub group_instance_id: Option<&'a str>,
    /// The name in the member's requests.
    pub client_id: &'a str,
    /// The address that the member joined from.
    pub client_host: &'a str,
    /// The member's metadata for the protocol that was chosen, for consumers the subscription;
    /// empty unless the group is stable.
    pub member_metadata: &'a [u8],
    /// What the member is assigned; empty unless the group is stable.
    pub member_assignment: &'a [u8],
}

impl<'a> DescribedGroupMember<'a> {
    const MIN_BYTES: usize = 7;

    fn encode(&self, w: &mut Writer<'_>, version: i16) -> Result<(), EncodeError> {
        w.string(self.member_id)?;
        if version >= 4 {
            w.nullable_string(self.group_instance_id)?;
        }
        w.string(self.client_id)?;
        w.string(self.client_host)?;
        w.bytes(self.member_metadata)?;
        w.bytes(self.member_assignment)?;
        w.empty_tagged_fields();
        Ok(())
    }

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, WireError> {
        let member = Self {
            member_id: r.string()?,
            group_instance_id: if version >= 4 { r.nullable_string()? } else { None },
            client_id: r.string()?,
            client_host: r.string()?,
            member_metadata: r.bytes()?,
            member_assignment: r.bytes()?,
        };
        r.skip_tagged_fields()?;
        Ok(member)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(field: &'static str) -> Result<(), EncodeError> {
        Err(EncodeError::NotInVersion { field })
    }

    #[test]
    fn operations_are_refused_below_version_3() {
        let request = DescribeGroupsRequest {
            include_authorized_operations: true,
            ..DescribeGroupsRequest::default()
        };
        assert_eq!(request.encode(2, &mut Vec::new()), refused("include_authorized_operations"));
        assert_eq!(request.encode(3, &mut Vec::new()), Ok(()));
        let group = DescribedGroup { authorized_operations: 8, ..DescribedGroup::default() };
        let response =
            DescribeGroupsResponse { groups: vec![group], ..DescribeGroupsResponse::default() };
        assert_eq!(response.encode(2, &mut Vec::new()), refused("authorized_operations"));
        assert_eq!(response.encode(3, &mut Vec::new()), Ok(()));
    }

    #[test]
    fn what_a_version_does_not_tell_of_a_group_is_dropped() {
        let member = DescribedGroupMember {
            group_instance_id: Some("i"),
            ..DescribedGroupMember::default()
        };
        let group = DescribedGroup {
            error_message: Some("why"),
            members: vec![member],
            ..DescribedGroup::default()
        };
        let response = DescribeGroupsResponse { throttle_time_ms: 9, groups: vec![group] };
        let mut body = Vec::new();
        response.encode(0, &mut body).unwrap();
        let group = DescribedGroup {
            members: vec![DescribedGroupMember::default()],
            ..DescribedGroup::default()
        };
        let left = DescribeGroupsResponse { throttle_time_ms: 0, groups: vec![group] };
        assert_eq!(DescribeGroupsResponse::decode(&body, 0), Ok(left));
    }

    #[test]
    fn least_bytes_are_those_of_the_smallest_element() {
        let group = DescribedGroup::default();
        let least = ApiKey::DescribeGroups.least_bytes(0, |w, version| group.encode(w, version));
        assert_eq!(least, Some(DescribedGroup::MIN_BYTES));
        let member = DescribedGroupMember::default();
        let least = ApiKey::DescribeGroups.least_bytes(0, |w, version| member.encode(w, version));
        assert_eq!(least, Some(DescribedGroupMember::MIN_BYTES));
    }
}
