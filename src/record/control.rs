//! The key of a control record: what a batch with the control bit says.
//!
//! Control batches are never delivered. The one record in each says by its key what happened; the
//! value is the type's own affair and is not read here. Kafka's source is `ControlRecordType`.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

/// Why the key of a control record cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// When the key has fewer than four bytes.
    #[error("a control record's key has {0} bytes of 4")]
    Cut(usize),
    /// When the key's version is negative.
    #[error("a control record's key has version {0}")]
    Version(i16),
}

/// What a control record says; new types come with new brokers and are stepped over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ControlType {
    /// When the transaction of the batch's producer was aborted.
    Abort,
    /// When the transaction of the batch's producer was committed.
    Commit,
    /// When a KRaft quorum elected a leader.
    LeaderChange,
    /// When a KRaft snapshot begins.
    SnapshotHeader,
    /// When a KRaft snapshot ends.
    SnapshotFooter,
    /// When a KRaft quorum changed its protocol version.
    KraftVersion,
    /// When a KRaft quorum changed its voters.
    KraftVoters,
    /// When the number is none of the above.
    Unknown(i16),
}

impl ControlType {
    /// Returns the type that has the number `id` in a key.
    pub fn from_id(id: i16) -> Self {
        match id {
            0 => Self::Abort,
            1 => Self::Commit,
            2 => Self::LeaderChange,
            3 => Self::SnapshotHeader,
            4 => Self::SnapshotFooter,
            5 => Self::KraftVersion,
            6 => Self::KraftVoters,
            unknown => Self::Unknown(unknown),
        }
    }

    /// Returns the number that stands for this type in a key.
    pub fn id(self) -> i16 {
        match self {
            Self::Abort => 0,
            Self::Commit => 1,
            Self::LeaderChange => 2,
            Self::SnapshotHeader => 3,
            Self::SnapshotFooter => 4,
            Self::KraftVersion => 5,
            Self::KraftVoters => 6,
            Self::Unknown(id) => id,
        }
    }
}

/// The key of a control record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlKey {
    /// Version of the key's layout; later ones only add fields behind these two.
    pub version: i16,
    /// What the record says.
    pub control_type: ControlType,
}

impl ControlKey {
    /// Reads the key of a control record; bytes behind the two fields are of a later version.
    ///
    /// # Errors
    ///
    /// As Java has it: fewer than four bytes and a negative version are damage, a type that is
    /// not known is not.
    pub fn parse(key: &[u8]) -> Result<Self, ControlError> {
        let Some(&[v0, v1, t0, t1]) = key.first_chunk() else {
            return Err(ControlError::Cut(key.len()));
        };
        let version = i16::from_be_bytes([v0, v1]);
        if version < 0 {
            return Err(ControlError::Version(version));
        }
        Ok(Self { version, control_type: ControlType::from_id(i16::from_be_bytes([t0, t1])) })
    }

    /// Returns the four bytes of this key.
    pub fn to_bytes(self) -> [u8; 4] {
        let [v0, v1] = self.version.to_be_bytes();
        let [t0, t1] = self.control_type.id().to_be_bytes();
        [v0, v1, t0, t1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_read_back() {
        for id in i16::MIN..=i16::MAX {
            let key = ControlKey { version: 0, control_type: ControlType::from_id(id) };
            assert_eq!(ControlKey::parse(&key.to_bytes()), Ok(key));
            assert_eq!(matches!(key.control_type, ControlType::Unknown(_)), !(0..=6).contains(&id));
        }
    }

    #[test]
    fn a_later_version_with_more_fields_is_read() {
        let key = ControlKey::parse(&[0, 9, 0, 1, 0xff, 0xff]);
        assert_eq!(key, Ok(ControlKey { version: 9, control_type: ControlType::Commit }));
    }

    #[test]
    fn a_cut_key_and_a_negative_version_are_damage() {
        for len in 0..4 {
            assert_eq!(ControlKey::parse(&[0; 4][..len]), Err(ControlError::Cut(len)));
        }
        assert_eq!(ControlKey::parse(&[0xff, 0xff, 0, 0]), Err(ControlError::Version(-1)));
    }
}
