//! JoinGroup: a member enters a group's next generation, with the protocols that it supports.
//!
//! The bytes in a protocol's metadata are the members' own affair; consumers put their
//! subscription there.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::{ApiKey, ErrorCode};
use crate::wire::{EncodeError, Reader, WireError, Writer};

/// Asks to become a member of the group's next generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinGroupRequest<'a> {
    /// The group.
    pub group_id: &'a str,
    /// How long the coordinator waits for a heartbeat, in ms.
    pub session_timeout_ms: i32,
    /// v1+: how long the coordinator waits for the members to join again, in ms; −1 below v1,
    /// where the session timeout is that as well; ignorable.
    pub rebalance_timeout_ms: i32,
    /// The id that the coordinator gave the member, empty before the first join.
    pub member_id: &'a str,
    /// v5+ (KIP-345): the `group.instance.id` of a static member.
    pub group_instance_id: Option<&'a str>,
    /// What the group is for, `"consumer"` for consumers.
    pub protocol_type: &'a str,
    /// The protocols that the member supports, the one it likes best first.
    pub protocols: Vec<JoinGroupRequestProtocol<'a>>,
    /// v8+ (KIP-800): why the member joins, for the broker's log; ignorable.
    pub reason: Option<&'a str>,
}

impl Default for JoinGroupRequest<'_> {
    fn default() -> Self {
        Self {
            group_id: "",
            session_timeout_ms: 0,
            rebalance_timeout_ms: -1,
            member_id: "",
            group_instance_id: None,
            protocol_type: "",
            protocols: Vec::new(),
            reason: None,
        }
    }
}

impl<'a> JoinGroupRequest<'a> {
    /// Appends the request's body of `version` to `out`.
    ///
    /// # Errors
    /// Any [`EncodeError`].
    pub fn encode(&self, version: i16, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut w = ApiKey::JoinGroup.writer(out, version)?;
        w.string(self.group_id)?;
        w.int32(self.session_timeout_ms);
        if version >= 1 {
            w.int32(self.rebalance_timeout_ms);
        }
        w.string(self.member_id)?;
        if version >= 5 {
            w.nullable_string(self.group_instance_id)?;
        } else {
            w.leave_out("group_instance_id", self.group_instance_id.is_none())?;
        }
        w.string(self.protocol_type)?;
        w.array(&self.protocols, |w, protocol| protocol.encode(w))?;
        if version >= 8 {
            w.nullable_string(self.reason)?;
        }
        w.empty_tagged_fields();
        Ok(())
    }

    /// Reads the request's body of `version`.
    ///
    /// # Errors
    /// Any [`WireError`] but `Incomplete`.
    pub fn decode(body: &'a [u8], version: i16) -> Result<Self, WireError> {
        let mut r = ApiKey::JoinGroup.reader(body, version)?;
        let min_bytes = JoinGroupRequestProtocol::MIN_BYTES;
        let request = Self {
            group_id: r.string()?,
            session_timeout_ms: r.int32()?,
            rebalance_timeout_ms: if version >= 1 { r.int32()? } else { -1 },
            member_id: r.string()?,
            group_instance_id: if version >= 5 { r.nullable_string()? } else { None },
            protocol_type: r.string()?,
            protocols: r.array(min_bytes, JoinGroupRequestProtocol::decode)?,
            reason: if version >= 8 { r.nullable_string()? } else { None },
        };
        r.skip_tagged_fields()?;
        r.end()?;
        Ok(request)
    }
}

/// A protocol that the member supports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JoinGroupRequestProtocol<'a> {
    /// The protocol's name; for consumers that of an assignor, such as `"range"`.
    pub name: &'a str,
    /// What the leader gets to see of the member; for consumers the subscription.
    pub metadata: &'a [u8],
}

impl<'a> JoinGroupRequestProtocol<'a> {
    const MIN_BYTES: usize = 3;

    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.string(self.name)?;
        w.bytes(self.metadata)?;
        w.empty_tagged_fields();
        Ok(())
    }

    fn decode(r: &mut Reader<'a>) -> Result<Self, WireError> {
        let protocol = Self { name: r.string()?, metadata: r.bytes()? };
        r.skip_tagged_fields()?;
        Ok(protocol)
    }
}

/// The generation that the member is in now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinGroupResponse<'a> {
    /// v2+: how long the client is throttled, in ms; ignorable.
    pub throttle_time_ms: i32,
    /// v4+ (KIP-394): MEMBER_ID_REQUIRED asks for the same once more with `member_id`.
    pub error_code: ErrorCode,
    /// The generation, −1 with an error.
    pub generation_id: i32,
    /// v7+ (KIP-559): what the group is for; ignorable.
    pub protocol_type: Option<&'a str>,
    /// The protocol that the coordinator chose; v7+ (KIP-559): may be null, with an error.
    pub protocol_name: Option<&'a str>,
    /// The member id of the leader.
    pub leader: &'a str,
    /// v9+ (KIP-814): whether the leader is to send no assignment, for the old one stays.
    pub skip_assignment: bool,
    /// The member's own id.
    pub member_id: &'a str,
    /// For the leader all members, else empty.
    pub members: Vec<JoinGroupResponseMember<'a>>,
}

impl Default for JoinGroupResponse<'_> {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: ErrorCode::NONE,
            generation_id: -1,
            protocol_type: None,
            protocol_name: Some(""),
            leader: "",
            skip_assignment: false,
            member_id: "",
            members: Vec::new(),
        }
    }
}

impl<'a> JoinGroupResponse<'a> {
    /// Appends the response's body of `version` to `out`.
    ///
    /// # Errors
    /// Any [`EncodeError`].
    pub fn encode(&self, version: i16, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut w = ApiKey::JoinGroup.writer(out, version)?;
        if version >= 2 {
            w.int32(self.throttle_time_ms);
        }
        w.int16(self.error_code.0);
        w.int32(self.generation_id);
        if version >= 7 {
            w.nullable_string(self.protocol_type)?;
        } else {
            w.leave_out("protocol_name", self.protocol_name.is_some())?;
        }
        w.nullable_string(self.protocol_name)?;
        w.string(self.leader)?;
        if version >= 9 {
            w.boolean(self.skip_assignment);
        } else {
            w.leave_out("skip_assignment", !self.skip_assignment)?;
        }
        w.string(self.member_id)?;
        w.array(&self.members, |w, member| member.encode(w, version))?;
        w.empty_tagged_fields();
        Ok(())
    }

    /// Reads the response's body of `version`.
    ///
    /// # Errors
    /// Any [`WireError`] but `Incomplete`.
    pub fn decode(body: &'a [u8], version: i16) -> Result<Self, WireError> {
        let mut r = ApiKey::JoinGroup.reader(body, version)?;
        let min_bytes = JoinGroupResponseMember::MIN_BYTES;
        let response = Self {
            throttle_time_ms: if version >= 2 { r.int32()? } else { 0 },
            error_code: ErrorCode(r.int16()?),
            generation_id: r.int32()?,
            protocol_type: if version >= 7 { r.nullable_string()? } else { None },
            protocol_name: if version >= 7 { r.nullable_string()? } else { Some(r.string()?) },
            leader: r.string()?,
            skip_assignment: if version >= 9 { r.boolean()? } else { false },
            member_id: r.string()?,
            members: r.array(min_bytes, |r| JoinGroupResponseMember::decode(r, version))?,
        };
        r.skip_tagged_fields()?;
        r.end()?;
        Ok(response)
    }
}

/// A member as the leader sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JoinGroupResponseMember<'a> {
    /// The member's id.
    pub member_id: &'a str,
    /// v5+ (KIP-345): the `group.instance.id` of a static member; ignorable.
    pub group_instance_id: Option<&'a str>,
    /// The member's metadata for the protocol that was chosen.
    pub metadata: &'a [u8],
}

impl<'a> JoinGroupResponseMember<'a> {
    const MIN_BYTES: usize = 4;

    fn encode(&self, w: &mut Writer<'_>, version: i16) -> Result<(), EncodeError> {
        w.string(self.member_id)?;
        if version >= 5 {
            w.nullable_string(self.group_instance_id)?;
        }
        w.bytes(self.metadata)?;
        w.empty_tagged_fields();
        Ok(())
    }

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, WireError> {
        let member = Self {
            member_id: r.string()?,
            group_instance_id: if version >= 5 { r.nullable_string()? } else { None },
            metadata: r.bytes()?,
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
    fn what_a_version_lacks_is_dropped_or_refused() {
        let mut request = JoinGroupRequest {
            group_instance_id: Some("i"),
            rebalance_timeout_ms: 9,
            reason: Some("why"),
            ..JoinGroupRequest::default()
        };
        assert_eq!(request.encode(4, &mut Vec::new()), refused("group_instance_id"));
        assert_eq!(request.encode(5, &mut Vec::new()), Ok(()));
        request.group_instance_id = None;
        let mut body = Vec::new();
        request.encode(0, &mut body).unwrap();
        assert_eq!(JoinGroupRequest::decode(&body, 0), Ok(JoinGroupRequest::default()));

        let skip = JoinGroupResponse { skip_assignment: true, ..JoinGroupResponse::default() };
        assert_eq!(skip.encode(8, &mut Vec::new()), refused("skip_assignment"));
        assert_eq!(skip.encode(9, &mut Vec::new()), Ok(()));
        let unnamed = JoinGroupResponse { protocol_name: None, ..JoinGroupResponse::default() };
        assert_eq!(unnamed.encode(6, &mut Vec::new()), refused("protocol_name"));
        assert_eq!(unnamed.encode(7, &mut Vec::new()), Ok(()));
    }

    #[test]
    fn a_protocol_name_is_never_null_below_version_7() {
        let null_name = [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(JoinGroupResponse::decode(&null_name, 2), Err(WireError::UnexpectedNull));
    }

    #[test]
    fn least_bytes_are_those_of_the_smallest_element() {
        let protocol = JoinGroupRequestProtocol::default();
        let least = ApiKey::JoinGroup.least_bytes(0, |w, _| protocol.encode(w));
        assert_eq!(least, Some(JoinGroupRequestProtocol::MIN_BYTES));
        let member = JoinGroupResponseMember::default();
        let least = ApiKey::JoinGroup.least_bytes(0, |w, version| member.encode(w, version));
        assert_eq!(least, Some(JoinGroupResponseMember::MIN_BYTES));
    }
}
