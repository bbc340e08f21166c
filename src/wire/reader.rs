//! A checked cursor over bytes that a peer sent.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::{Int32Array, Uuid};

/// Why bytes are not what the protocol says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// When the message ends inside of a field.
    #[error("the message ends {missing} bytes too early")]
    Truncated {
        /// Bytes of the field that lie beyond the message's end.
        missing: usize,
    },
    /// When the message goes on but its bytes have not arrived; only from a [`Reader::prefix`].
    #[error("{missing} more bytes have to arrive")]
    Incomplete {
        /// Bytes that have to arrive before the field can be read; at least 1.
        missing: usize,
    },
    /// When a varint has more bytes than its type, or bits beyond its type.
    #[error("a varint is too long")]
    VarintTooLong,
    /// When a length or a count is below −1.
    #[error("a length is {length}")]
    NegativeLength {
        /// The length as it was sent.
        length: i32,
    },
    /// When a field that may not be null is null.
    #[error("a field is null that may not be")]
    UnexpectedNull,
    /// When a string is not UTF-8.
    #[error("a string is not UTF-8")]
    InvalidUtf8,
    /// When an array claims more elements than the bytes left could hold.
    #[error("an array claims {count} elements with {bytes_left} bytes left")]
    CountTooLarge {
        /// The count as it was sent.
        count: usize,
        /// Bytes between the count and the message's end.
        bytes_left: usize,
    },
    /// When bytes are left behind the last field.
    #[error("{count} bytes are left behind the last field")]
    TrailingBytes {
        /// How many.
        count: usize,
    },
    /// When kfetch does not read this version of the message.
    #[error("version {version} of the message is not supported")]
    UnsupportedVersion {
        /// The version that was asked for.
        version: i16,
    },
}

/// A cursor over a message, which borrows what it reads and moves only forward.
///
/// A read that fails leaves the cursor somewhere inside of the field; who wants to try again keeps
/// a clone from before.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    /// Bytes at hand that have not been read.
    rest: &'a [u8],
    /// Bytes of the message behind `rest` that have not arrived; 0 for a whole message.
    beyond: usize,
    /// Whether the message is of a flexible version.
    flexible: bool,
}

impl<'a> Reader<'a> {
    /// Makes a cursor over a whole message of a version that is not flexible.
    pub fn new(message: &'a [u8]) -> Self {
        Self::prefix(message, message.len())
    }

    /// Makes a cursor over a message of `message_length` bytes of which `received` is as much as
    /// has arrived, or more: what lies behind the message is left alone.
    ///
    /// It checks lengths and counts against the whole message. Where a field is cut by what has
    /// arrived, but not by the message's end, reading it gives [`WireError::Incomplete`].
    pub fn prefix(received: &'a [u8], message_length: usize) -> Self {
        let rest = received.get(..message_length).unwrap_or(received);
        Self { rest, beyond: message_length.saturating_sub(rest.len()), flexible: false }
    }

    /// Says whether the message is of a flexible version (KIP-482).
    #[must_use]
    pub fn with_flexible(mut self, flexible: bool) -> Self {
        self.flexible = flexible;
        self
    }

    /// Returns the bytes at hand that have not been read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Returns how many bytes of the message have not been read, arrived or not.
    pub fn bytes_left(&self) -> usize {
        self.rest.len().saturating_add(self.beyond)
    }

    /// Takes the next `count` bytes.
    ///
    /// # Errors
    /// [`WireError::Truncated`] or [`WireError::Incomplete`], like every other read.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(|| self.short(count))?;
        self.rest = rest;
        Ok(taken)
    }

    /// Takes the next `N` bytes as an array.
    ///
    /// # Errors
    /// As [`Reader::take`].
    pub fn take_array<const N: usize>(&mut self) -> Result<&'a [u8; N], WireError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or_else(|| self.short(N))?;
        self.rest = rest;
        Ok(taken)
    }

    #[cold]
    fn short(&self, count: usize) -> WireError {
        let missing = count.saturating_sub(self.rest.len());
        match missing.checked_sub(self.beyond) {
            None | Some(0) => WireError::Incomplete { missing },
            Some(missing) => WireError::Truncated { missing },
        }
    }

    /// Ends the message.
    ///
    /// # Errors
    /// [`WireError::TrailingBytes`] if bytes are left.
    pub fn end(&self) -> Result<(), WireError> {
        match self.bytes_left() {
            0 => Ok(()),
            count => Err(WireError::TrailingBytes { count }),
        }
    }
}

/// Numbers and identifiers. All fail as [`Reader::take`] does.
impl Reader<'_> {
    /// Reads a byte; every value but 0 is true.
    pub fn boolean(&mut self) -> Result<bool, WireError> {
        Ok(self.int8()? != 0)
    }

    /// Reads an int8.
    pub fn int8(&mut self) -> Result<i8, WireError> {
        self.take_array().map(|bytes| i8::from_be_bytes(*bytes))
    }

    /// Reads an int16.
    pub fn int16(&mut self) -> Result<i16, WireError> {
        self.take_array().map(|bytes| i16::from_be_bytes(*bytes))
    }

    /// Reads an int32.
    pub fn int32(&mut self) -> Result<i32, WireError> {
        self.take_array().map(|bytes| i32::from_be_bytes(*bytes))
    }

    /// Reads an int64.
    pub fn int64(&mut self) -> Result<i64, WireError> {
        self.take_array().map(|bytes| i64::from_be_bytes(*bytes))
    }

    /// Reads an identifier.
    pub fn uuid(&mut self) -> Result<Uuid, WireError> {
        self.take_array().map(|bytes| Uuid(*bytes))
    }

    /// Reads an unsigned varint of at most 5 bytes and 32 bits.
    pub fn unsigned_varint(&mut self) -> Result<u32, WireError> {
        let mut value = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = *self.take_array()?;
            let bits = u32::from(byte & 0x7F);
            if shift == 28 && byte > 0x0F {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(WireError::VarintTooLong)
    }

    /// Reads a signed varint: zigzag in an unsigned one.
    pub fn varint(&mut self) -> Result<i32, WireError> {
        let zigzag = self.unsigned_varint()?;
        Ok((zigzag >> 1).cast_signed() ^ (zigzag & 1).cast_signed().wrapping_neg())
    }

    /// Reads a signed varlong: zigzag in at most 10 bytes and 64 bits.
    pub fn varlong(&mut self) -> Result<i64, WireError> {
        let mut zigzag = 0u64;
        for shift in [0, 7, 14, 21, 28, 35, 42, 49, 56, 63] {
            let [byte] = *self.take_array()?;
            if shift == 63 && byte > 1 {
                break;
            }
            zigzag |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Ok((zigzag >> 1).cast_signed() ^ (zigzag & 1).cast_signed().wrapping_neg());
            }
        }
        Err(WireError::VarintTooLong)
    }
}

/// Strings, bytes and arrays, compact where the version is flexible. All fail as [`Reader::take`]
/// does, and for a length below −1; those that are not `nullable_` fail for null.
impl<'a> Reader<'a> {
    /// Reads a string.
    pub fn string(&mut self) -> Result<&'a str, WireError> {
        self.nullable_string()?.ok_or(WireError::UnexpectedNull)
    }

    /// Reads a string that may be null; one that is not UTF-8 is an error.
    pub fn nullable_string(&mut self) -> Result<Option<&'a str>, WireError> {
        let length = if self.flexible {
            self.compact_length()?
        } else {
            int32_length(i32::from(self.int16()?))?
        };
        let Some(length) = length else {
            return Ok(None);
        };
        let bytes = self.take(length)?;
        std::str::from_utf8(bytes).map(Some).map_err(|_| WireError::InvalidUtf8)
    }

    /// Reads bytes.
    pub fn bytes(&mut self) -> Result<&'a [u8], WireError> {
        self.nullable_bytes()?.ok_or(WireError::UnexpectedNull)
    }

    /// Reads bytes that may be null.
    pub fn nullable_bytes(&mut self) -> Result<Option<&'a [u8]>, WireError> {
        match self.nullable_length()? {
            Some(length) => self.take(length).map(Some),
            None => Ok(None),
        }
    }

    /// Reads the length of bytes, or of records, that may be null; no check against what is left.
    pub fn nullable_length(&mut self) -> Result<Option<usize>, WireError> {
        if self.flexible { self.compact_length() } else { int32_length(self.int32()?) }
    }

    /// Reads the count of an array whose elements take at least `element_min_bytes` each.
    pub fn array_count(&mut self, element_min_bytes: usize) -> Result<usize, WireError> {
        self.nullable_array_count(element_min_bytes)?.ok_or(WireError::UnexpectedNull)
    }

    /// Reads the count of an array that may be null.
    ///
    /// A count that the bytes left cannot hold is [`WireError::CountTooLarge`], so that a caller
    /// may reserve memory for what this returns.
    pub fn nullable_array_count(
        &mut self,
        element_min_bytes: usize,
    ) -> Result<Option<usize>, WireError> {
        let Some(count) = self.nullable_length()? else {
            return Ok(None);
        };
        self.check_count(count, element_min_bytes)?;
        Ok(Some(count))
    }

    /// Reads an array, each element by `element`.
    pub fn array<T>(
        &mut self,
        element_min_bytes: usize,
        element: impl FnMut(&mut Self) -> Result<T, WireError>,
    ) -> Result<Vec<T>, WireError> {
        self.nullable_array(element_min_bytes, element)?.ok_or(WireError::UnexpectedNull)
    }

    /// Reads an array that may be null, each element by `element`.
    pub fn nullable_array<T>(
        &mut self,
        element_min_bytes: usize,
        mut element: impl FnMut(&mut Self) -> Result<T, WireError>,
    ) -> Result<Option<Vec<T>>, WireError> {
        let Some(count) = self.nullable_array_count(element_min_bytes)? else {
            return Ok(None);
        };
        let mut elements = Vec::with_capacity(count);
        for _ in 0..count {
            elements.push(element(self)?);
        }
        Ok(Some(elements))
    }

    /// Reads an array of int32 without copying it.
    pub fn int32_array(&mut self) -> Result<Int32Array<'a>, WireError> {
        let count = self.array_count(size_of::<i32>())?;
        let bytes = self.take(count.saturating_mul(size_of::<i32>()))?;
        Ok(Int32Array::Wire(bytes.as_chunks().0))
    }

    /// Reads the tagged fields that end a structure; where the version is not flexible there are
    /// none.
    ///
    /// `field` gets each tag with a cursor over exactly that field's bytes. It returns whether it
    /// knows the tag: then it must have read the field to its end, else the field is skipped.
    pub fn tagged_fields(
        &mut self,
        mut field: impl FnMut(u32, &mut Self) -> Result<bool, WireError>,
    ) -> Result<(), WireError> {
        if !self.flexible {
            return Ok(());
        }
        for _ in 0..self.tag_count()? {
            let (tag, length) = self.tag()?;
            let mut value = Self::new(self.take(length)?).with_flexible(true);
            if field(tag, &mut value)? {
                value.end()?;
            }
        }
        Ok(())
    }

    /// Reads the tagged fields of a structure of which no tag is known.
    pub fn skip_tagged_fields(&mut self) -> Result<(), WireError> {
        self.tagged_fields(|_, _| Ok(false))
    }

    /// Reads the count of the tagged fields, each of which takes at least two bytes.
    pub(crate) fn tag_count(&mut self) -> Result<u32, WireError> {
        let count = self.unsigned_varint()?;
        self.check_count(to_usize(count), 2)?;
        Ok(count)
    }

    /// Reads a tag and the length of its field, which the message's rest can hold.
    pub(crate) fn tag(&mut self) -> Result<(u32, usize), WireError> {
        let tag = self.unsigned_varint()?;
        let length = to_usize(self.unsigned_varint()?);
        match length.checked_sub(self.bytes_left()) {
            None | Some(0) => Ok((tag, length)),
            Some(missing) => Err(WireError::Truncated { missing }),
        }
    }

    /// Reads a length that is sent plus one, 0 for null.
    fn compact_length(&mut self) -> Result<Option<usize>, WireError> {
        Ok(to_usize(self.unsigned_varint()?).checked_sub(1))
    }

    fn check_count(&self, count: usize, element_min_bytes: usize) -> Result<(), WireError> {
        let bytes_left = self.bytes_left();
        let fits = count.checked_mul(element_min_bytes).is_some_and(|bytes| bytes <= bytes_left);
        if fits { Ok(()) } else { Err(WireError::CountTooLarge { count, bytes_left }) }
    }
}

fn int32_length(length: i32) -> Result<Option<usize>, WireError> {
    match usize::try_from(length) {
        Ok(length) => Ok(Some(length)),
        Err(_) if length == -1 => Ok(None),
        Err(_) => Err(WireError::NegativeLength { length }),
    }
}

/// Widens; on a machine of 16 bits a length would be past the message's end in any case.
fn to_usize(length: u32) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
