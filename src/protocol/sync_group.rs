//! SyncGroup: the leader hands in what each member is assigned, and each member gets its own.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::{ApiKey, ErrorCode};
use crate::wire::{EncodeError, Reader, WireError, Writer};

/// Asks for the member's assignment in a generation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncGroupRequest<'a> {
    /// The group.
    pub group_id: &'a str,
    /// The generation that the member has joined.
    pub generation_id: i32,
    /// The id that the coordinator gave the member.
    pub member_id: &'a str,
    /// v3+ (KIP-345): the `group.instance.id` of a static member.
    pub group_instance_id: Option<&'a str>,
    /// v5+ (KIP-559): what the group is for; ignorable. Brokers want it there.
    pub protocol_type: Option<&'a str>,
    /// v5+ (KIP-559): the protocol that the coordinator chose; ignorable. Brokers want it there.
    pub protocol_name: Option<&'a str>,
    /// From the leader the assignments of the members, else empty.
    pub assignments: Vec<SyncGroupRequestAssignment<'a>>,
}

impl<'a> SyncGroupRequest<'a> {
    /// Appends the request's body of `version` to `out`.
    ///
    /// # Errors
    /// Any [`EncodeError`].
    pub fn encode(&self, version: i16, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut w = ApiKey::SyncGroup.writer(out, version)?;
        w.string(self.group_id)?;
        w.int32(self.generation_id);
        w.string(self.member_id)?;
        if version >= 3 {
            w.nullable_string(self.group_instance_id)?;
        } else {
            w.leave_out("group_instance_id", self.group_instance_id.is_none())?;
        }
        if version >= 5 {
            w.nullable_string(self.protocol_type)?;
            w.nullable_string(self.protocol_name)?;
        }
        w.array(&self.assignments, |w, assignment| assignment.encode(w))?;
        w.empty_tagged_fields();
        Ok(())
    }

    /// Reads the request's body of `version`.
    ///
    /// # Errors
    /// Any [`WireError`] but `Incomplete`.
    pub fn decode(body: &'a [u8], version: i16) -> Result<Self, WireError> {
        let mut r = ApiKey::SyncGroup.reader(body, version)?;
        let min_bytes = SyncGroupRequestAssignment::MIN_BYTES;
        let request = Self {
            group_id: r.string()?,
            generation_id: r.int32()?,
            member_id: r.string()?,
            group_instance_id: if version >= 3 { r.nullable_string()? } else { None },
            protocol_type: if version >= 5 { r.nullable_string()? } else { None },
            protocol_name: if version >= 5 { r.nullable_string()? } else { None },
            assignments: r.array(min_bytes, SyncGroupRequestAssignment::decode)?,
        };
        r.skip_tagged_fields()?;
        r.end()?;
        Ok(request)
    }
}

/// What the leader assigns to one member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncGroupRequestAssignment<'a> {
    /// The member's id.
    pub member_id: &'a str,
    /// What the member is to get, for the coordinator mere bytes.
    pub assignment: &'a [u8],
}

impl<'a> SyncGroupRequestAssignment<'a> {
    const MIN_BYTES: usize = 3;

    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.string(self.member_id)?;
        w.bytes(self.assignment)?;
        w.empty_tagged_fields();
        Ok(())
    }

    fn decode(r: &mut Reader<'a>) -> Result<Self, WireError> {
        let assignment = Self { member_id: r.string()?, assignment: r.bytes()? };
        r.skip_tagged_fields()?;
        Ok(assignment)
    }
}

/// The member's assignment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncGroupResponse<'a> {
    /// v1+: how long the client is throttled, in ms; ignorable.
    pub throttle_time_ms: i32,
    /// REBALANCE_IN_PROGRESS when the member has to join anew.
    pub error_code: ErrorCode,
    /// v5+ (KIP-559): what the group is for; ignorable.
    pub protocol_type: Option<&'a str>,
    /// v5+ (KIP-559): the protocol that the coordinator chose; ignorable.
    pub protocol_name: Option<&'a str>,
    /// What the leader assigned to the member, empty with an error.
    pub assignment: &'a [u8],
}

impl<'a> SyncGroupResponse<'a> {
    /// Appends the response's body of `version` to `out`.
    ///
    /// # Errors
    /// Any [`EncodeError`].
    pub fn encode(&self, version: i16, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut w = ApiKey::SyncGroup.writer(out, version)?;
        if version >= 1 {
            w.int32(self.throttle_time_ms);
        }
        w.int16(self.error_code.0);
        if version >= 5 {
            w.nullable_string(self.protocol_type)?;
            w.nullable_string(self.protocol_name)?;
        }
        w.bytes(self.assignment)?;
        w.empty_tagged_fields();
        Ok(())
    }

    /// Reads the response's body of `version`.
    ///
    /// # Errors
    /// Any [`WireError`] but `Incomplete`.
    pub fn decode(body: &'a [u8], version: i16) -> Result<Self, WireError> {
        let mut r = ApiKey::SyncGroup.reader(body, version)?;
        let response = Self {
            throttle_time_ms: if version >= 1 { r.int32()? } else { 0 },
            error_code: ErrorCode(r.int16()?),
            protocol_type: if version >= 5 { r.nullable_string()? } else { None },
            protocol_name: if version >= 5 { r.nullable_string()? } else { None },
            assignment: r.bytes()?,
        };
        r.skip_tagged_fields()?;
        r.end()?;
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_version_lacks_is_dropped_or_refused() {
        let mut request = SyncGroupRequest {
            group_instance_id: Some("i"),
            protocol_type: Some("consumer"),
            protocol_name: Some("range"),
            ..SyncGroupRequest::default()
        };
        let refused = Err(EncodeError::NotInVersion { field: "group_instance_id" });
        assert_eq!(request.encode(2, &mut Vec::new()), refused);
        assert_eq!(request.encode(3, &mut Vec::new()), Ok(()));
        request.group_instance_id = None;
        let mut body = Vec::new();
        request.encode(2, &mut body).unwrap();
        assert_eq!(SyncGroupRequest::decode(&body, 2), Ok(SyncGroupRequest::default()));
    }

    #[test]
    fn least_bytes_are_those_of_the_smallest_element() {
        let assignment = SyncGroupRequestAssignment::default();
        let least = ApiKey::SyncGroup.least_bytes(0, |w, _| assignment.encode(w));
        assert_eq!(least, Some(SyncGroupRequestAssignment::MIN_BYTES));
    }
}
