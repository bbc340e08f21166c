//! ListGroups: which groups a broker coordinates.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::{ApiKey, ErrorCode};
use crate::wire::{EncodeError, Reader, WireError, Writer};

/// Asks a broker for the groups that it coordinates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListGroupsRequest<'a> {
    /// v4+ (KIP-518): the states whose groups are listed, such as `"Stable"`; all if empty.
    pub states_filter: Vec<&'a str>,
    /// v5+ (KIP-848): the types whose groups are listed, such as `"classic"`; all if empty.
    pub types_filter: Vec<&'a str>,
}

impl<'a> ListGroupsRequest<'a> {
    /// Appends the request's body of `version` to `out`.
    ///
    /// # Errors
    /// Any [`EncodeError`].
    pub fn encode(&self, version: i16, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut w = ApiKey::ListGroups.writer(out, version)?;
        if version >= 4 {
            w.array(&self.states_filter, |w, state| w.string(state))?;
        } else {
            w.leave_out("states_filter", self.states_filter.is_empty())?;
        }
        if version >= 5 {
            w.array(&self.types_filter, |w, group_type| w.string(group_type))?;
        } else {
            w.leave_out("types_filter", self.types_filter.is_empty())?;
        }
        w.empty_tagged_fields();
        Ok(())
    }

    /// Reads the request's body of `version`.
    ///
    /// # Errors
    /// Any [`WireError`] but `Incomplete`.
    pub fn decode(body: &'a [u8], version: i16) -> Result<Self, WireError> {
        let mut r = ApiKey::ListGroups.reader(body, version)?;
        let mut request = Self::default();
        if version >= 4 {
            request.states_filter = r.array(1, Reader::string)?;
        }
        if version >= 5 {
            request.types_filter = r.array(1, Reader::string)?;
        }
        r.skip_tagged_fields()?;
        r.end()?;
        Ok(request)
    }
}

/// The groups that a broker coordinates, as far as the client may see them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListGroupsResponse<'a> {
    /// v1+: how long the client is throttled, in ms; ignorable.
    pub throttle_time_ms: i32,
    /// Why the list is missing or not whole: COORDINATOR_LOAD_IN_PROGRESS comes with the groups
    /// that are loaded.
    pub error_code: ErrorCode,
    /// The groups.
    pub groups: Vec<ListedGroup<'a>>,
}

impl<'a> ListGroupsResponse<'a> {
    /// Appends the response's body of `version` to `out`.
    ///
    /// # Errors
    /// Any [`EncodeError`].
    pub fn encode(&self, version: i16, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut w = ApiKey::ListGroups.writer(out, version)?;
        if version >= 1 {
            w.int32(self.throttle_time_ms);
        }
        w.int16(self.error_code.0);
        w.array(&self.groups, |w, group| group.encode(w, version))?;
        w.empty_tagged_fields();
        Ok(())
    }

    /// Reads the response's body of `version`.
    ///
    /// # Errors
    /// Any [`WireError`] but `Incomplete`.
    pub fn decode(body: &'a [u8], version: i16) -> Result<Self, WireError> {
        let mut r = ApiKey::ListGroups.reader(body, version)?;
        let response = Self {
            throttle_time_ms: if version >= 1 { r.int32()? } else { 0 },
            error_code: ErrorCode(r.int16()?),
            groups: r.array(ListedGroup::MIN_BYTES, |r| ListedGroup::decode(r, version))?,
        };
        r.skip_tagged_fields()?;
        r.end()?;
        Ok(response)
    }
}

/// A group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListedGroup<'a> {
    /// The group.
    pub group_id: &'a str,
    /// What the group is for, `"consumer"` for consumers; empty where only offsets are left that
    /// were committed without members.
    pub protocol_type: &'a str,
    /// v4+ (KIP-518): the group's state, such as `"Stable"`; ignorable.
    pub group_state: &'a str,
    /// v5+ (KIP-848): `"classic"`, `"consumer"` or another; ignorable.
    pub group_type: &'a str,
}

impl<'a> ListedGroup<'a> {
    const MIN_BYTES: usize = 3;

    fn encode(&self, w: &mut Writer<'_>, version: i16) -> Result<(), EncodeError> {
        w.string(self.group_id)?;
        w.string(self.protocol_type)?;
        if version >= 4 {
            w.string(self.group_state)?;
        }
        if version >= 5 {
            w.string(self.group_type)?;
        }
        w.empty_tagged_fields();
        Ok(())
    }

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, WireError> {
        let group = Self {
            group_id: r.string()?,
            protocol_type: r.string()?,
            group_state: if version >= 4 { r.string()? } else { "" },
            group_type: if version >= 5 { r.string()? } else { "" },
        };
        r.skip_tagged_fields()?;
        Ok(group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(field: &'static str) -> Result<(), EncodeError> {
        Err(EncodeError::NotInVersion { field })
    }

    #[test]
    fn a_filter_that_the_version_lacks_is_refused() {
        let request =
            ListGroupsRequest { states_filter: vec!["Stable"], ..ListGroupsRequest::default() };
        assert_eq!(request.encode(3, &mut Vec::new()), refused("states_filter"));
        assert_eq!(request.encode(4, &mut Vec::new()), Ok(()));
        let request =
            ListGroupsRequest { types_filter: vec!["classic"], ..ListGroupsRequest::default() };
        assert_eq!(request.encode(4, &mut Vec::new()), refused("types_filter"));
        assert_eq!(request.encode(5, &mut Vec::new()), Ok(()));
    }

    #[test]
    fn what_a_version_does_not_tell_of_a_group_is_dropped() {
        let group = ListedGroup {
            group_id: "g",
            protocol_type: "consumer",
            group_state: "Stable",
            group_type: "classic",
        };
        let response = ListGroupsResponse {
            throttle_time_ms: 9,
            groups: vec![group],
            ..ListGroupsResponse::default()
        };
        let mut body = Vec::new();
        response.encode(0, &mut body).unwrap();
        let group = ListedGroup { group_state: "", group_type: "", ..group };
        let left = ListGroupsResponse { groups: vec![group], ..ListGroupsResponse::default() };
        assert_eq!(ListGroupsResponse::decode(&body, 0), Ok(left));
    }

    #[test]
    fn least_bytes_are_those_of_the_smallest_element() {
        let group = ListedGroup::default();
        let least = ApiKey::ListGroups.least_bytes(0, |w, version| group.encode(w, version));
        assert_eq!(least, Some(ListedGroup::MIN_BYTES));
    }
}
