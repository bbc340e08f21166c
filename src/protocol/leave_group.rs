//! LeaveGroup: members leave, so that the others need not wait for their session to end.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::{ApiKey, ErrorCode};
use crate::wire::{EncodeError, Reader, WireError, Writer};

/// Takes members out of their group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaveGroupRequest<'a> {
    /// The group.
    pub group_id: &'a str,
    /// The members that leave; below v3 (KIP-345) exactly one.
    pub members: Vec<MemberIdentity<'a>>,
}

impl<'a> LeaveGroupRequest<'a> {
    /// Appends the request's body of `version` to `out`.
    ///
    /// # Errors
    /// Any [`EncodeError`].
    pub fn encode(&self, version: i16, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut w = ApiKey::LeaveGroup.writer(out, version)?;
        w.string(self.group_id)?;
        if version >= 3 {
            w.array(&self.members, |w, member| member.encode(w, version))?;
        } else {
            let [member] = self.members.as_slice() else {
                return Err(EncodeError::NotInVersion { field: "members" });
            };
            w.leave_out("group_instance_id", member.group_instance_id.is_none())?;
            w.string(member.member_id)?;
        }
        w.empty_tagged_fields();
        Ok(())
    }

    /// Reads the request's body of `version`.
    ///
    /// # Errors
    /// Any [`WireError`] but `Incomplete`.
    pub fn decode(body: &'a [u8], version: i16) -> Result<Self, WireError> {
        let mut r = ApiKey::LeaveGroup.reader(body, version)?;
        let group_id = r.string()?;
        let members = if version >= 3 {
            r.array(MemberIdentity::MIN_BYTES, |r| MemberIdentity::decode(r, version))?
        } else {
            let member_id = r.string()?;
            vec![MemberIdentity { member_id, ..MemberIdentity::default() }]
        };
        r.skip_tagged_fields()?;
        r.end()?;
        Ok(Self { group_id, members })
    }
}

/// A member that leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemberIdentity<'a> {
    /// The id that the coordinator gave the member; empty where the instance id alone tells.
    pub member_id: &'a str,
    /// v3+ (KIP-345): the `group.instance.id` of a static member.
    pub group_instance_id: Option<&'a str>,
    /// v5+ (KIP-800): why the member leaves, for the broker's log; ignorable.
    pub reason: Option<&'a str>,
}

impl<'a> MemberIdentity<'a> {
    const MIN_BYTES: usize = 3;

    fn encode(&self, w: &mut Writer<'_>, version: i16) -> Result<(), EncodeError> {
        w.string(self.member_id)?;
        w.nullable_string(self.group_instance_id)?;
        if version >= 5 {
            w.nullable_string(self.reason)?;
        }
        w.empty_tagged_fields();
        Ok(())
    }

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, WireError> {
        let member = Self {
            member_id: r.string()?,
            group_instance_id: r.nullable_string()?,
            reason: if version >= 5 { r.nullable_string()? } else { None },
        };
        r.skip_tagged_fields()?;
        Ok(member)
    }
}

/// What became of the members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaveGroupResponse<'a> {
    /// v1+: how long the client is throttled, in ms; ignorable.
    pub throttle_time_ms: i32,
    /// What is wrong with the request as a whole; below v3 also with its member.
    pub error_code: ErrorCode,
    /// v3+ (KIP-345): each member of the request.
    pub members: Vec<MemberResponse<'a>>,
}

impl<'a> LeaveGroupResponse<'a> {
    /// Appends the response's body of `version` to `out`.
    ///
    /// # Errors
    /// Any [`EncodeError`].
    pub fn encode(&self, version: i16, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut w = ApiKey::LeaveGroup.writer(out, version)?;
        if version >= 1 {
            w.int32(self.throttle_time_ms);
        }
        w.int16(self.error_code.0);
        if version >= 3 {
            w.array(&self.members, |w, member| member.encode(w))?;
        } else {
            w.leave_out("members", self.members.is_empty())?;
        }
        w.empty_tagged_fields();
        Ok(())
    }

    /// Reads the response's body of `version`.
    ///
    /// # Errors
    /// Any [`WireError`] but `Incomplete`.
    pub fn decode(body: &'a [u8], version: i16) -> Result<Self, WireError> {
        let mut r = ApiKey::LeaveGroup.reader(body, version)?;
        let mut response = Self::default();
        if version >= 1 {
            response.throttle_time_ms = r.int32()?;
        }
        response.error_code = ErrorCode(r.int16()?);
        if version >= 3 {
            response.members = r.array(MemberResponse::MIN_BYTES, MemberResponse::decode)?;
        }
        r.skip_tagged_fields()?;
        r.end()?;
        Ok(response)
    }
}

/// What became of a member (v3+).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemberResponse<'a> {
    /// The member's id, as in the request.
    pub member_id: &'a str,
    /// The `group.instance.id`, as in the request.
    pub group_instance_id: Option<&'a str>,
    /// Why the member has not left.
    pub error_code: ErrorCode,
}

impl<'a> MemberResponse<'a> {
    const MIN_BYTES: usize = 5;

    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.string(self.member_id)?;
        w.nullable_string(self.group_instance_id)?;
        w.int16(self.error_code.0);
        w.empty_tagged_fields();
        Ok(())
    }

    fn decode(r: &mut Reader<'a>) -> Result<Self, WireError> {
        let member = Self {
            member_id: r.string()?,
            group_instance_id: r.nullable_string()?,
            error_code: ErrorCode(r.int16()?),
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
    fn versions_below_3_carry_one_member_by_its_id_alone() {
        let member = MemberIdentity { reason: Some("why"), ..MemberIdentity::default() };
        for members in [vec![], vec![member; 2]] {
            let request = LeaveGroupRequest { group_id: "g", members };
            assert_eq!(request.encode(2, &mut Vec::new()), refused("members"));
            assert_eq!(request.encode(3, &mut Vec::new()), Ok(()));
        }
        let mut request = LeaveGroupRequest { group_id: "g", members: vec![member] };
        assert_eq!(request.encode(2, &mut Vec::new()), Ok(()));
        request.members[0].group_instance_id = Some("i");
        assert_eq!(request.encode(2, &mut Vec::new()), refused("group_instance_id"));
        let response = LeaveGroupResponse {
            members: vec![MemberResponse::default()],
            ..LeaveGroupResponse::default()
        };
        assert_eq!(response.encode(2, &mut Vec::new()), refused("members"));
        assert_eq!(response.encode(3, &mut Vec::new()), Ok(()));
    }

    #[test]
    fn least_bytes_are_those_of_the_smallest_element() {
        let member = MemberIdentity::default();
        let least = ApiKey::LeaveGroup.least_bytes(3, |w, version| member.encode(w, version));
        assert_eq!(least, Some(MemberIdentity::MIN_BYTES));
        let member = MemberResponse::default();
        let least = ApiKey::LeaveGroup.least_bytes(3, |w, _| member.encode(w));
        assert_eq!(least, Some(MemberResponse::MIN_BYTES));
    }
}
