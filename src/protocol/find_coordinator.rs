//! FindCoordinator: which broker coordinates a group; several groups in one request since KIP-699.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::{ApiKey, ErrorCode};
use crate::wire::{EncodeError, Reader, WireError, Writer};

/// Key type of a group of consumers.
pub const GROUP_KEY_TYPE: i8 = 0;

/// Asks any broker for coordinators.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FindCoordinatorRequest<'a> {
    /// v1+: [`GROUP_KEY_TYPE`], 1 for a transactional id, v6+ (KIP-932): 2 for a share group.
    pub key_type: i8,
    /// What to find the coordinators of, group ids for one; below v4 exactly one key.
    pub coordinator_keys: Vec<&'a str>,
}

impl<'a> FindCoordinatorRequest<'a> {
    /// Appends the request's body of `version` to `out`.
    ///
    /// # Errors
    /// Any [`EncodeError`].
    pub fn encode(&self, version: i16, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut w = ApiKey::FindCoordinator.writer(out, version)?;
        if version < 4 {
            let [key] = self.coordinator_keys.as_slice() else {
                return Err(EncodeError::NotInVersion { field: "coordinator_keys" });
            };
            w.string(key)?;
        }
        if version >= 1 {
            w.int8(self.key_type);
        } else {
            w.leave_out("key_type", self.key_type == 0)?;
        }
        if version >= 4 {
            w.array(&self.coordinator_keys, |w, key| w.string(key))?;
        }
        w.empty_tagged_fields();
        Ok(())
    }

    /// Reads the request's body of `version`.
    ///
    /// # Errors
    /// Any [`WireError`] but `Incomplete`.
    pub fn decode(body: &'a [u8], version: i16) -> Result<Self, WireError> {
        let mut r = ApiKey::FindCoordinator.reader(body, version)?;
        let mut request = Self::default();
        if version < 4 {
            let key = r.string()?;
            request.coordinator_keys = vec![key];
        }
        if version >= 1 {
            request.key_type = r.int8()?;
        }
        if version >= 4 {
            request.coordinator_keys = r.array(1, Reader::string)?;
        }
        r.skip_tagged_fields()?;
        r.end()?;
        Ok(request)
    }
}

/// The coordinators that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FindCoordinatorResponse<'a> {
    /// v1+: how long the client is throttled, in ms; ignorable.
    pub throttle_time_ms: i32,
    /// A coordinator for each key; below v4 exactly one.
    pub coordinators: Vec<Coordinator<'a>>,
}

impl<'a> FindCoordinatorResponse<'a> {
    /// Appends the response's body of `version` to `out`.
    ///
    /// # Errors
    /// Any [`EncodeError`].
    pub fn encode(&self, version: i16, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut w = ApiKey::FindCoordinator.writer(out, version)?;
        if version >= 1 {
            w.int32(self.throttle_time_ms);
        }
        if version >= 4 {
            w.array(&self.coordinators, |w, coordinator| coordinator.encode(w))?;
        } else {
            let [coordinator] = self.coordinators.as_slice() else {
                return Err(EncodeError::NotInVersion { field: "coordinators" });
            };
            coordinator.encode_alone(&mut w, version)?;
        }
        w.empty_tagged_fields();
        Ok(())
    }

    /// Reads the response's body of `version`.
    ///
    /// # Errors
    /// Any [`WireError`] but `Incomplete`.
    pub fn decode(body: &'a [u8], version: i16) -> Result<Self, WireError> {
        let mut r = ApiKey::FindCoordinator.reader(body, version)?;
        let throttle_time_ms = if version >= 1 { r.int32()? } else { 0 };
        let coordinators = if version >= 4 {
            r.array(Coordinator::MIN_BYTES, Coordinator::decode)?
        } else {
            let coordinator = Coordinator::decode_alone(&mut r, version)?;
            vec![coordinator]
        };
        r.skip_tagged_fields()?;
        r.end()?;
        Ok(Self { throttle_time_ms, coordinators })
    }
}

/// The coordinator of one key, and where it listens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coordinator<'a> {
    /// v4+: the key, such as a group's id; dropped below v4, where the request has just one.
    pub key: &'a str,
    /// The broker's id, −1 with an error.
    pub node_id: i32,
    /// The name or address it advertises, empty with an error.
    pub host: &'a str,
    /// The port it advertises, −1 with an error; any int32 may come.
    pub port: i32,
    /// What is wrong with the key, or that the coordinator is not available.
    pub error_code: ErrorCode,
    /// v1+: the error in the broker's words; ignorable.
    pub error_message: Option<&'a str>,
}

impl<'a> Coordinator<'a> {
    const MIN_BYTES: usize = 14;

    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.string(self.key)?;
        w.int32(self.node_id);
        w.string(self.host)?;
        w.int32(self.port);
        w.int16(self.error_code.0);
        w.nullable_string(self.error_message)?;
        w.empty_tagged_fields();
        Ok(())
    }

    fn decode(r: &mut Reader<'a>) -> Result<Self, WireError> {
        let coordinator = Self {
            key: r.string()?,
            node_id: r.int32()?,
            host: r.string()?,
            port: r.int32()?,
            error_code: ErrorCode(r.int16()?),
            error_message: r.nullable_string()?,
        };
        r.skip_tagged_fields()?;
        Ok(coordinator)
    }

    /// Writes the fields as they stand in the response itself below v4.
    fn encode_alone(&self, w: &mut Writer<'_>, version: i16) -> Result<(), EncodeError> {
        w.int16(self.error_code.0);
        if version >= 1 {
            w.nullable_string(self.error_message)?;
        }
        w.int32(self.node_id);
        w.string(self.host)?;
        w.int32(self.port);
        Ok(())
    }

    fn decode_alone(r: &mut Reader<'a>, version: i16) -> Result<Self, WireError> {
        Ok(Self {
            key: "",
            error_code: ErrorCode(r.int16()?),
            error_message: if version >= 1 { r.nullable_string()? } else { None },
            node_id: r.int32()?,
            host: r.string()?,
            port: r.int32()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_below_4_carry_exactly_one_key() {
        for keys in [vec![], vec!["a", "b"]] {
            let coordinators = vec![Coordinator::default(); keys.len()];
            let response = FindCoordinatorResponse { throttle_time_ms: 0, coordinators };
            let request = FindCoordinatorRequest { key_type: 0, coordinator_keys: keys };
            let refused = Err(EncodeError::NotInVersion { field: "coordinator_keys" });
            assert_eq!(request.encode(3, &mut Vec::new()), refused);
            assert_eq!(request.encode(4, &mut Vec::new()), Ok(()));
            let refused = Err(EncodeError::NotInVersion { field: "coordinators" });
            assert_eq!(response.encode(3, &mut Vec::new()), refused);
            assert_eq!(response.encode(4, &mut Vec::new()), Ok(()));
        }
    }

    #[test]
    fn version_0_knows_no_key_type() {
        let request = FindCoordinatorRequest { key_type: 1, coordinator_keys: vec!["t"] };
        let refused = Err(EncodeError::NotInVersion { field: "key_type" });
        assert_eq!(request.encode(0, &mut Vec::new()), refused);
        assert_eq!(request.encode(1, &mut Vec::new()), Ok(()));
    }

    #[test]
    fn least_bytes_are_those_of_the_smallest_element() {
        let coordinator = Coordinator::default();
        let least = ApiKey::FindCoordinator.least_bytes(4, |w, _| coordinator.encode(w));
        assert_eq!(least, Some(Coordinator::MIN_BYTES));
    }
}
