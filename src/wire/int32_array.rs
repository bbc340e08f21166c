//! Arrays of int32 that are not copied out of a message.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::fmt;

/// An array of int32, such as a partition's replicas.
///
/// After a decode it is the message's own bytes, so that a hundred thousand partitions cost no
/// allocation for their replica lists; before an encode it is the caller's integers. The two are
/// equal if their elements are.
#[derive(Clone, Copy)]
pub enum Int32Array<'a> {
    /// When it was decoded: each element's four bytes, big-endian.
    Wire(&'a [[u8; 4]]),
    /// When it was made by the caller.
    Values(&'a [i32]),
}

impl<'a> Int32Array<'a> {
    /// Returns the elements in order.
    pub fn iter(self) -> Int32Iter<'a> {
        Int32Iter { rest: self }
    }

    /// Returns the count of elements.
    pub fn len(self) -> usize {
        match self {
            Self::Wire(bytes) => bytes.len(),
            Self::Values(values) => values.len(),
        }
    }

    /// Tells whether there is no element.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

impl Default for Int32Array<'_> {
    fn default() -> Self {
        Self::Values(&[])
    }
}

impl<'a> IntoIterator for Int32Array<'a> {
    type Item = i32;
    type IntoIter = Int32Iter<'a>;

    fn into_iter(self) -> Int32Iter<'a> {
        self.iter()
    }
}

impl PartialEq for Int32Array<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Int32Array<'_> {}

impl fmt::Debug for Int32Array<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// The elements of an [`Int32Array`].
#[derive(Clone, Debug)]
pub struct Int32Iter<'a> {
    rest: Int32Array<'a>,
}

impl Iterator for Int32Iter<'_> {
    type Item = i32;

    fn next(&mut self) -> Option<i32> {
        match &mut self.rest {
            Int32Array::Wire(bytes) => {
                let (first, rest) = bytes.split_first()?;
                *bytes = rest;
                Some(i32::from_be_bytes(*first))
            }
            Int32Array::Values(values) => {
                let (first, rest) = values.split_first()?;
                *values = rest;
                Some(*first)
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.rest.len(), Some(self.rest.len()))
    }
}

impl ExactSizeIterator for Int32Iter<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_and_values_are_equal_by_their_elements() {
        let wire = Int32Array::Wire(&[[0, 0, 0, 7], [0xFF, 0xFF, 0xFF, 0xFF]]);
        assert_eq!(wire, Int32Array::Values(&[7, -1]));
        assert_ne!(wire, Int32Array::Values(&[7]));
        assert_eq!(wire.iter().len(), 2);
        assert_eq!(format!("{wire:?}"), "[7, -1]");
        assert!(Int32Array::default().is_empty());
    }
}
