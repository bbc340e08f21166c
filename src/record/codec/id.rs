//! The compression codecs by their number in a batch's attributes and their name.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::fmt;

/// How the records of a batch are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Codec {
    /// When the records stand as they are.
    #[default]
    None,
    /// When they are one or more gzip members.
    Gzip,
    /// When they are snappy blocks in xerial's framing, or one block without.
    Snappy,
    /// When they are LZ4 frames.
    Lz4,
    /// When they are Zstandard frames.
    Zstd,
}

impl Codec {
    /// All codecs, by their number.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// Returns the codec with this number in a batch's attributes; there are none above 4.
    #[inline]
    pub fn from_id(id: u8) -> Option<Self> {
        Self::ALL.get(usize::from(id)).copied()
    }

    /// Returns the codec that `compression.type` calls `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name() == name)
    }

    /// Returns the number that stands for this codec in a batch's attributes.
    #[inline]
    pub fn id(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// Returns the name that `compression.type` has for this codec.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_go_both_ways() {
        for (id, codec) in (0..).zip(Codec::ALL) {
            assert_eq!((codec.id(), Codec::from_id(id)), (id, Some(codec)));
            assert_eq!(Codec::from_name(&codec.to_string()), Some(codec));
        }
        assert_eq!((5..=255).find_map(Codec::from_id), None);
    }
}
