//! Which API, which version, and the headers in front of requests and responses.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use crate::wire::{EncodeError, Reader, WireError, Writer};

/// The APIs that kfetch speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ApiKey {
    /// Records of partitions.
    Fetch,
    /// Offsets by time, and a partition's ends.
    ListOffsets,
    /// Brokers, topics, partitions and their leaders.
    Metadata,
    /// Offsets that a group commits.
    OffsetCommit,
    /// Offsets that groups have committed.
    OffsetFetch,
    /// Which broker coordinates a group.
    FindCoordinator,
    /// A member's entry into a group's next generation.
    JoinGroup,
    /// A member's sign of life.
    Heartbeat,
    /// Members that leave their group.
    LeaveGroup,
    /// What the members of a generation are assigned.
    SyncGroup,
    /// Groups, their members and assignments.
    DescribeGroups,
    /// Which groups a broker coordinates.
    ListGroups,
    /// What versions a broker speaks.
    ApiVersions,
    /// Offsets that a group forgets.
    OffsetDelete,
}

impl ApiKey {
    /// Every API, in the order of the variants.
    pub const ALL: [Self; 14] = [
        Self::Fetch,
        Self::ListOffsets,
        Self::Metadata,
        Self::OffsetCommit,
        Self::OffsetFetch,
        Self::FindCoordinator,
        Self::JoinGroup,
        Self::Heartbeat,
        Self::LeaveGroup,
        Self::SyncGroup,
        Self::DescribeGroups,
        Self::ListGroups,
        Self::ApiVersions,
        Self::OffsetDelete,
    ];

    /// Returns the number that stands for the API in a request's header.
    pub const fn code(self) -> i16 {
        match self {
            Self::Fetch => 1,
            Self::ListOffsets => 2,
            Self::Metadata => 3,
            Self::OffsetCommit => 8,
            Self::OffsetFetch => 9,
            Self::FindCoordinator => 10,
            Self::JoinGroup => 11,
            Self::Heartbeat => 12,
            Self::LeaveGroup => 13,
            Self::SyncGroup => 14,
            Self::DescribeGroups => 15,
            Self::ListGroups => 16,
            Self::ApiVersions => 18,
            Self::OffsetDelete => 47,
        }
    }

    /// Returns the API of that number, `None` where kfetch does not speak it.
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|api_key| api_key.code() == code)
    }

    /// Returns the versions that kfetch reads and writes: those of brokers from 2.1 to 4.x.
    pub const fn versions(self) -> VersionRange {
        let (min, max) = match self {
            Self::Fetch => (4, 18),
            Self::ListOffsets => (1, 11),
            Self::Metadata => (0, 13),
            Self::OffsetCommit => (2, 10),
            Self::OffsetFetch => (1, 10),
            Self::FindCoordinator | Self::DescribeGroups => (0, 6),
            Self::JoinGroup => (0, 9),
            Self::LeaveGroup | Self::SyncGroup | Self::ListGroups => (0, 5),
            Self::Heartbeat | Self::ApiVersions => (0, 4),
            Self::OffsetDelete => (0, 0),
        };
        VersionRange { min, max }
    }

    /// Tells whether `version` of the API is flexible (KIP-482).
    pub const fn is_flexible(self, version: i16) -> bool {
        let first_flexible = match self {
            Self::Fetch => 12,
            Self::ListOffsets | Self::OffsetFetch | Self::JoinGroup => 6,
            Self::Metadata => 9,
            Self::OffsetCommit => 8,
            Self::Heartbeat | Self::LeaveGroup | Self::SyncGroup => 4,
            Self::DescribeGroups => 5,
            Self::FindCoordinator | Self::ListGroups | Self::ApiVersions => 3,
            Self::OffsetDelete => return false,
        };
        version >= first_flexible
    }

    /// Tells whether a response of `version` has tagged fields in its header.
    ///
    /// Those of ApiVersions never have: a client that asks does not know yet what the broker
    /// speaks, and must find the error code where it always was (KIP-511).
    const fn has_flexible_response_header(self, version: i16) -> bool {
        !matches!(self, Self::ApiVersions) && self.is_flexible(version)
    }

    /// Begins to read a body of `version`.
    pub(super) fn reader(self, body: &[u8], version: i16) -> Result<Reader<'_>, WireError> {
        if !self.versions().contains(version) {
            return Err(WireError::UnsupportedVersion { version });
        }
        Ok(Reader::new(body).with_flexible(self.is_flexible(version)))
    }

    /// Begins to write a body of `version` behind what `out` holds.
    pub(super) fn writer(self, out: &mut Vec<u8>, version: i16) -> Result<Writer<'_>, EncodeError> {
        if !self.versions().contains(version) {
            return Err(EncodeError::UnsupportedVersion { version });
        }
        Ok(Writer::new(out).with_flexible(self.is_flexible(version)))
    }

    /// Returns the least length of what `encode` writes, over the versions from `min_version` on.
    #[cfg(test)]
    pub(super) fn least_bytes(
        self,
        min_version: i16,
        encode: impl Fn(&mut Writer<'_>, i16) -> Result<(), EncodeError>,
    ) -> Option<usize> {
        let lengths = (min_version..=self.versions().max).map(|version| {
            let mut out = Vec::new();
            encode(&mut self.writer(&mut out, version).unwrap(), version).unwrap();
            out.len()
        });
        lengths.min()
    }
}

/// The versions of an API from `min` to `max`, both inclusive; none if `min` is above `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionRange {
    /// The lowest.
    pub min: i16,
    /// The highest.
    pub max: i16,
}

impl VersionRange {
    /// Tells whether `version` is in the range.
    pub const fn contains(self, version: i16) -> bool {
        self.min <= version && version <= self.max
    }

    /// Returns the versions that both ranges have.
    pub fn common(self, other: Self) -> Option<Self> {
        let common = Self { min: self.min.max(other.min), max: self.max.min(other.max) };
        (common.min <= common.max).then_some(common)
    }
}

/// What precedes a request's body: header v2 where the API's version is flexible, else v1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHeader<'a> {
    /// The API's number; on the server's side possibly one that [`ApiKey`] lacks.
    pub request_api_key: i16,
    /// The version of the API, and of the body.
    pub request_api_version: i16,
    /// What the response will carry.
    pub correlation_id: i32,
    /// The client's name, for the broker's logs and quotas.
    pub client_id: Option<&'a str>,
}

impl<'a> RequestHeader<'a> {
    /// Appends the header to `out`.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] for a client id above 32,767 bytes.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut w = Writer::new(out);
        w.int16(self.request_api_key);
        w.int16(self.request_api_version);
        w.int32(self.correlation_id);
        // Of two length bytes in v2 as well, so that old brokers can read any ApiVersions request.
        w.nullable_string(self.client_id)?;
        w.with_flexible(self.is_flexible()).empty_tagged_fields();
        Ok(())
    }

    /// Reads the header in front of a request's body and leaves `reader` at the body.
    ///
    /// An API that kfetch does not know is taken to be of a version that is not flexible.
    ///
    /// # Errors
    /// Any [`WireError`].
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let header = Self {
            request_api_key: reader.int16()?,
            request_api_version: reader.int16()?,
            correlation_id: reader.int32()?,
            client_id: reader.nullable_string()?,
        };
        skip_tagged_fields(reader, header.is_flexible())?;
        Ok(header)
    }

    fn is_flexible(&self) -> bool {
        ApiKey::from_code(self.request_api_key)
            .is_some_and(|api_key| api_key.is_flexible(self.request_api_version))
    }
}

/// What precedes a response's body: header v1 where the API's version is flexible, except for
/// ApiVersions, else v0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseHeader {
    /// That of the request.
    pub correlation_id: i32,
}

impl ResponseHeader {
    /// Appends the header of a response of `version` to `out`.
    pub fn encode(&self, out: &mut Vec<u8>, api_key: ApiKey, version: i16) {
        let mut w = Writer::new(out).with_flexible(api_key.has_flexible_response_header(version));
        w.int32(self.correlation_id);
        w.empty_tagged_fields();
    }

    /// Reads the header of a response to a request of `version` and leaves `reader` at the body.
    ///
    /// # Errors
    /// Any [`WireError`]; [`WireError::Incomplete`] only from a [`Reader::prefix`].
    pub fn decode(
        reader: &mut Reader<'_>,
        api_key: ApiKey,
        version: i16,
    ) -> Result<Self, WireError> {
        let correlation_id = reader.int32()?;
        skip_tagged_fields(reader, api_key.has_flexible_response_header(version))?;
        Ok(Self { correlation_id })
    }
}

/// Skips a header's tagged fields and leaves the reader as it was for the fields of the body.
fn skip_tagged_fields(reader: &mut Reader<'_>, flexible: bool) -> Result<(), WireError> {
    let mut tags = reader.clone().with_flexible(flexible);
    tags.skip_tagged_fields()?;
    reader.take(reader.bytes_left().saturating_sub(tags.bytes_left()))?;
    Ok(())
}

/// Appends a frame to `out`: four bytes of length, then what `message` appends.
///
/// After an error `out` is as it was.
///
/// # Errors
/// What `message` fails with, and [`EncodeError::TooLong`] above 2 GiB.
pub fn write_frame(
    out: &mut Vec<u8>,
    message: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    let begin = out.len();
    out.extend_from_slice(&[0; 4]);
    let written = message(out).and_then(|()| {
        let length = out.len().saturating_sub(begin).saturating_sub(4);
        let prefix = i32::try_from(length).map_err(|_| EncodeError::TooLong { length })?;
        if let Some(bytes) = out.get_mut(begin..).and_then(|frame| frame.first_chunk_mut()) {
            *bytes = prefix.to_be_bytes();
        }
        Ok(())
    });
    if written.is_err() {
        out.truncate(begin);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn response_header_has_tags_in_flexible_versions_except_for_api_versions() {
        let response = [0, 0, 0, 9, 1, 77, 2, 0, 0, 42];
        let mut r = Reader::new(&response);
        let header = ResponseHeader::decode(&mut r, ApiKey::Fetch, 12).unwrap();
        assert_eq!((header.correlation_id, r.rest()), (9, &[42][..]));
        let mut r = Reader::new(&response);
        ResponseHeader::decode(&mut r, ApiKey::Fetch, 11).unwrap();
        assert_eq!(r.rest().len(), 6);
        let mut r = Reader::new(&response);
        ResponseHeader::decode(&mut r, ApiKey::ApiVersions, 4).unwrap();
        assert_eq!(r.rest().len(), 6);
    }

    #[test]
    fn response_header_may_arrive_in_pieces() {
        let mut r = Reader::prefix(&[0, 0, 0, 9], 104);
        let header = ResponseHeader::decode(&mut r, ApiKey::Metadata, 9);
        assert_eq!(header, Err(WireError::Incomplete { missing: 1 }));
    }

    #[test]
    fn frame_carries_its_length_and_leaves_nothing_after_an_error() {
        let mut out = vec![7];
        let three = |out: &mut Vec<u8>| {
            out.extend_from_slice(&[1, 2, 3]);
            Ok(())
        };
        write_frame(&mut out, three).unwrap();
        assert_eq!(out, [7, 0, 0, 0, 3, 1, 2, 3]);
        let failing = |out: &mut Vec<u8>| {
            out.push(9);
            Err(EncodeError::NotInVersion { field: "rack_id" })
        };
        assert!(write_frame(&mut out, failing).is_err());
        assert_eq!(out, [7, 0, 0, 0, 3, 1, 2, 3]);
    }

    #[test]
    fn common_versions_lie_in_both_ranges() {
        let ours = VersionRange { min: 4, max: 18 };
        for (min, max, common) in [(0, 10, (4, 10)), (5, 99, (5, 18)), (18, 18, (18, 18))] {
            let common = VersionRange { min: common.0, max: common.1 };
            assert_eq!(ours.common(VersionRange { min, max }), Some(common));
        }
        for (min, max) in [(0, 3), (19, 30), (9, 8), (-5, -1), (i16::MAX, i16::MIN)] {
            assert_eq!(ours.common(VersionRange { min, max }), None);
        }
    }
}
