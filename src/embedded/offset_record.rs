//! Records of `__consumer_offsets`: what their keys and values say.
//!
//! ```text
//! key    int16 version 0 or 1, string group, string topic, int32 partition     an offset
//!        int16 version 2, string group                                         a group
//!        int16 version 3 and above                                             not known here
//! value  int16 version 0 to 4, int64 offset, (3+) int32 leader epoch, string metadata,
//!        int64 commit timestamp, (1 alone) int64 expire timestamp, (4+) tagged fields
//! ```
//!
//! Strings are compact from version 4 of the value on. The sources are Kafka's
//! `OffsetCommitKey`, `OffsetCommitValue` and `GroupMetadataKey`. As those do, the readers here
//! pass over bytes behind the last field they know.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::offsets::CommittedOffset;
use crate::wire::{EncodeError, Reader, WireError, Writer};

/// The version that keys of offsets are written in.
const OFFSET_KEY_VERSION: i16 = 1;

/// The version of the key of a group's metadata.
const GROUP_KEY_VERSION: i16 = 2;

/// The version that values are written in: the newest that brokers of all versions read.
const VALUE_VERSION: i16 = 3;

/// The newest version of values that is read.
const VALUE_VERSION_MAX: i16 = 4;

/// Why a key cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key of an offsets partition is malformed: {0}")]
pub struct KeyError(#[from] WireError);

/// Why a value cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// When the bytes are not the fields of their version.
    #[error("a committed offset is malformed: {0}")]
    Wire(#[from] WireError),
    /// When the version is newer than what is known here, or negative.
    #[error("a committed offset has version {0}")]
    Version(i16),
}

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKey<'a> {
    /// When it is an offset, or the end of one.
    Offset(OffsetKey<'a>),
    /// When it is the metadata of this group of the classic protocol.
    Group(&'a str),
    /// When it is of another kind, with the version that says so.
    Other(i16),
}

/// The partition that a group's offset is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetKey<'a> {
    /// The group.
    pub group: &'a str,
    /// The topic.
    pub topic: &'a str,
    /// The partition.
    pub partition: i32,
}

impl<'a> RecordKey<'a> {
    /// Reads a key.
    ///
    /// # Errors
    ///
    /// [`KeyError`] where the bytes are not the fields of their version.
    pub fn parse(key: &'a [u8]) -> Result<Self, KeyError> {
        let mut r = Reader::new(key);
        Ok(match r.int16()? {
            0 | OFFSET_KEY_VERSION => Self::Offset(OffsetKey {
                group: r.string()?,
                topic: r.string()?,
                partition: r.int32()?,
            }),
            GROUP_KEY_VERSION => Self::Group(r.string()?),
            other => Self::Other(other),
        })
    }
}

impl OffsetKey<'_> {
    /// Writes the key.
    ///
    /// # Errors
    ///
    /// [`EncodeError::TooLong`] for names above 32,767 bytes.
    pub fn to_bytes(self) -> Result<Vec<u8>, EncodeError> {
        let mut bytes = Vec::new();
        let mut w = Writer::new(&mut bytes);
        w.int16(OFFSET_KEY_VERSION);
        w.string(self.group)?;
        w.string(self.topic)?;
        w.int32(self.partition);
        Ok(bytes)
    }
}

/// The value of an offset's record.
#[derive(Clone, Copy, Debug)]
pub struct OffsetValue;

impl OffsetValue {
    /// Reads a value of any version.
    ///
    /// # Errors
    ///
    /// [`ValueError`].
    pub fn parse(value: &[u8]) -> Result<CommittedOffset, ValueError> {
        let mut r = Reader::new(value);
        let version = r.int16()?;
        if !(0..=VALUE_VERSION_MAX).contains(&version) {
            return Err(ValueError::Version(version));
        }
        let mut r = r.with_flexible(version >= 4);
        let offset = r.int64()?;
        let leader_epoch = if version >= 3 { r.int32()? } else { -1 };
        let metadata = r.string()?.to_owned();
        let commit_timestamp_ms = r.int64()?;
        let expire_timestamp_ms = match version {
            1 => Some(r.int64()?).filter(|expires_ms| *expires_ms >= 0),
            _ => None,
        };
        Ok(CommittedOffset {
            offset,
            leader_epoch,
            metadata,
            commit_timestamp_ms,
            expire_timestamp_ms,
        })
    }

    /// Writes a value.
    ///
    /// # Errors
    ///
    /// [`EncodeError::TooLong`] for metadata above 32,767 bytes.
    pub fn to_bytes(committed: &CommittedOffset) -> Result<Vec<u8>, EncodeError> {
        let mut bytes = Vec::new();
        let mut w = Writer::new(&mut bytes);
        w.int16(VALUE_VERSION);
        w.int64(committed.offset);
        w.int32(committed.leader_epoch);
        w.string(&committed.metadata)?;
        w.int64(committed.commit_timestamp_ms);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committed() -> CommittedOffset {
        CommittedOffset {
            offset: 7,
            leader_epoch: 3,
            metadata: "m".to_owned(),
            commit_timestamp_ms: 1000,
            expire_timestamp_ms: None,
        }
    }

    #[test]
    fn keys_go_both_ways_and_other_kinds_are_told_apart() {
        let key = OffsetKey { group: "g", topic: "t", partition: 5 };
        let bytes = key.to_bytes().unwrap();
        assert_eq!(bytes, [0, 1, 0, 1, b'g', 0, 1, b't', 0, 0, 0, 5]);
        assert_eq!(RecordKey::parse(&bytes), Ok(RecordKey::Offset(key)));
        let group = [0, 2, 0, 1, b'g'];
        assert_eq!(RecordKey::parse(&group), Ok(RecordKey::Group("g")));
        assert_eq!(RecordKey::parse(&[0, 9]), Ok(RecordKey::Other(9)));
        for cut in 0..bytes.len() {
            assert!(RecordKey::parse(&bytes[..cut]).is_err());
        }
    }

    #[test]
    fn values_of_every_version_are_read() {
        let fields = |version: u8| {
            let mut bytes = vec![0, version];
            bytes.extend(7_i64.to_be_bytes());
            if version >= 3 {
                bytes.extend(3_i32.to_be_bytes());
            }
            bytes.extend_from_slice(if version >= 4 { &[2, b'm'] } else { &[0, 1, b'm'] });
            bytes.extend(1000_i64.to_be_bytes());
            match version {
                1 => bytes.extend(5000_i64.to_be_bytes()),
                4 => bytes.extend([vec![1, 0, 16], vec![9; 16]].concat()),
                _ => {}
            }
            bytes
        };
        for version in 0..=4 {
            let bytes = fields(version);
            let leader_epoch = if version >= 3 { 3 } else { -1 };
            let expire_timestamp_ms = (version == 1).then_some(5000);
            let wanted = CommittedOffset { leader_epoch, expire_timestamp_ms, ..committed() };
            assert_eq!(OffsetValue::parse(&bytes), Ok(wanted), "version {version}");
        }
        assert_eq!(OffsetValue::to_bytes(&committed()).unwrap(), fields(3));
        assert_eq!(OffsetValue::parse(&fields(5)), Err(ValueError::Version(5)));
        assert!(OffsetValue::parse(&fields(3)[..9]).is_err());
    }
}
