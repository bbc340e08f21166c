//! Heartbeat: a member tells the coordinator that it lives, and learns of rebalances.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::{ApiKey, ErrorCode};
use crate::wire::{EncodeError, WireError};

/// A member's sign of life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeartbeatRequest<'a> {
    /// The group.
    pub group_id: &'a str,
    /// The generation that the member belongs to.
    pub generation_id: i32,
    /// The id that the coordinator gave the member.
    pub member_id: &'a str,
    /// v3+ (KIP-345): the `group.instance.id` of a static member.
    pub group_instance_id: Option<&'a str>,
}

impl<'a> HeartbeatRequest<'a> {
    /// Appends the request's body of `version` to `out`.
    ///
    /// # Errors
    /// Any [`EncodeError`].
    pub fn encode(&self, version: i16, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut w = ApiKey::Heartbeat.writer(out, version)?;
        w.string(self.group_id)?;
        w.int32(self.generation_id);
        w.string(self.member_id)?;
        if version >= 3 {
            w.nullable_string(self.group_instance_id)?;
        } else {
            w.leave_out("group_instance_id", self.group_instance_id.is_none())?;
        }
        w.empty_tagged_fields();
        Ok(())
    }

    /// Reads the request's body of `version`.
    ///
    /// # Errors
    /// Any [`WireError`] but `Incomplete`.
    pub fn decode(body: &'a [u8], version: i16) -> Result<Self, WireError> {
        let mut r = ApiKey::Heartbeat.reader(body, version)?;
        let request = Self {
            group_id: r.string()?,
            generation_id: r.int32()?,
            member_id: r.string()?,
            group_instance_id: if version >= 3 { r.nullable_string()? } else { None },
        };
        r.skip_tagged_fields()?;
        r.end()?;
        Ok(request)
    }
}

/// Whether the member still belongs to the generation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeartbeatResponse {
    /// v1+: how long the client is throttled, in ms; ignorable.
    pub throttle_time_ms: i32,
    /// REBALANCE_IN_PROGRESS when the member has to join anew.
    pub error_code: ErrorCode,
}

impl HeartbeatResponse {
    /// Appends the response's body of `version` to `out`.
    ///
    /// # Errors
    /// Any [`EncodeError`].
    pub fn encode(&self, version: i16, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut w = ApiKey::Heartbeat.writer(out, version)?;
        if version >= 1 {
            w.int32(self.throttle_time_ms);
        }
        w.int16(self.error_code.0);
        w.empty_tagged_fields();
        Ok(())
    }

    /// Reads the response's body of `version`.
    ///
    /// # Errors
    /// Any [`WireError`] but `Incomplete`.
    pub fn decode(body: &[u8], version: i16) -> Result<Self, WireError> {
        let mut r = ApiKey::Heartbeat.reader(body, version)?;
        let throttle_time_ms = if version >= 1 { r.int32()? } else { 0 };
        let error_code = ErrorCode(r.int16()?);
        r.skip_tagged_fields()?;
        r.end()?;
        Ok(Self { throttle_time_ms, error_code })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_id_is_refused_where_the_version_lacks_it() {
        let request = HeartbeatRequest { group_instance_id: Some("i"), ..Default::default() };
        let refused = Err(EncodeError::NotInVersion { field: "group_instance_id" });
        assert_eq!(request.encode(2, &mut Vec::new()), refused);
        assert_eq!(request.encode(3, &mut Vec::new()), Ok(()));
    }
}
