//! The 16-byte identifiers of topics and directories.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::fmt::{self, Write as _};

/// An identifier of a topic or of a log directory (KIP-516); all zero where there is none.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(pub [u8; 16]);

impl Uuid {
    /// Stands for "no identifier".
    pub const ZERO: Self = Self([0; 16]);

    /// Tells whether there is no identifier.
    pub fn is_zero(self) -> bool {
        self == Self::ZERO
    }
}

/// Writes it as Kafka's tools do: base64 in the alphabet for URLs, without padding.
impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.chunks(3) {
            let bytes = chunk.iter().fold(0u32, |bits, byte| (bits << 8) | u32::from(*byte));
            let (bits, digits) = if chunk.len() == 3 { (bytes, 4) } else { (bytes << 16, 2) };
            for shift in [18, 12, 6, 0].into_iter().take(digits) {
                f.write_char(digit((bits >> shift) & 0x3F))?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uuid({self})")
    }
}

/// Returns the digit of 6 bits in the alphabet of RFC 4648 §5.
fn digit(sextet: u32) -> char {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let byte = usize::try_from(sextet).ok().and_then(|index| DIGITS.get(index));
    char::from(*byte.unwrap_or(&b'?'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_that_of_kafka() {
        let mut one = [0; 16];
        one[15] = 1;
        assert_eq!(Uuid(one).to_string(), "AAAAAAAAAAAAAAAAAAAAAQ"); // Kafka's METADATA_TOPIC_ID
        assert_eq!(Uuid([0xFF; 16]).to_string(), "_____________________w");
        assert_eq!(Uuid::ZERO.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
        let counted = std::array::from_fn(|index| u8::try_from(index * 17).unwrap());
        assert_eq!(Uuid(counted).to_string(), "ABEiM0RVZneImaq7zN3u_w");
    }

    #[test]
    fn only_all_zeros_is_none() {
        assert!(Uuid::default().is_zero());
        assert!(!Uuid([1; 16]).is_zero());
    }
}
