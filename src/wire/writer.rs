//! Appends Kafka's primitive types to a `Vec<u8>`.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::{Int32Array, Uuid};

/// Why a message cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// When a field is set that the version does not carry, and Kafka does not let it be dropped.
    #[error("the field {field} is set, which this version of the message does not carry")]
    NotInVersion {
        /// The field's name in Kafka's words.
        field: &'static str,
    },
    /// When kfetch does not write this version of the message.
    #[error("version {version} of the message is not supported")]
    UnsupportedVersion {
        /// The version that was asked for.
        version: i16,
    },
    /// When a string, bytes or an array is too long for its length field.
    #[error("a length of {length} does not fit its field")]
    TooLong {
        /// The length.
        length: usize,
    },
}

/// Appends fields to a message.
///
/// Strings, bytes and arrays are compact if the version is flexible. After an error the vector
/// holds a part of the message.
#[derive(Debug)]
pub struct Writer<'b> {
    out: &'b mut Vec<u8>,
    /// Whether the message is of a flexible version.
    flexible: bool,
}

impl<'b> Writer<'b> {
    /// Makes a writer of a message of a version that is not flexible.
    pub fn new(out: &'b mut Vec<u8>) -> Self {
        Self { out, flexible: false }
    }

    /// Says whether the message is of a flexible version (KIP-482).
    #[must_use]
    pub fn with_flexible(mut self, flexible: bool) -> Self {
        self.flexible = flexible;
        self
    }

    /// Leaves out a field that the version does not carry and that Kafka does not let be dropped.
    ///
    /// # Errors
    /// [`EncodeError::NotInVersion`] unless the field `is_default`.
    pub fn leave_out(&self, field: &'static str, is_default: bool) -> Result<(), EncodeError> {
        if is_default { Ok(()) } else { Err(EncodeError::NotInVersion { field }) }
    }

    /// Writes 1 for true, 0 for false.
    pub fn boolean(&mut self, value: bool) {
        self.out.push(u8::from(value));
    }

    /// Writes an int8.
    pub fn int8(&mut self, value: i8) {
        self.raw(&value.to_be_bytes());
    }

    /// Writes an int16.
    pub fn int16(&mut self, value: i16) {
        self.raw(&value.to_be_bytes());
    }

    /// Writes an int32.
    pub fn int32(&mut self, value: i32) {
        self.raw(&value.to_be_bytes());
    }

    /// Writes an int64.
    pub fn int64(&mut self, value: i64) {
        self.raw(&value.to_be_bytes());
    }

    /// Writes an identifier.
    pub fn uuid(&mut self, value: Uuid) {
        self.raw(&value.0);
    }

    /// Writes bytes without a length.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Writes an unsigned varint.
    pub fn unsigned_varint(&mut self, value: u32) {
        self.unsigned_varlong(u64::from(value));
    }

    /// Writes a signed varint: zigzag in an unsigned one.
    pub fn varint(&mut self, value: i32) {
        self.unsigned_varint(((value << 1) ^ (value >> 31)).cast_unsigned());
    }

    /// Writes a signed varlong: zigzag in an unsigned one.
    pub fn varlong(&mut self, value: i64) {
        self.unsigned_varlong(((value << 1) ^ (value >> 63)).cast_unsigned());
    }

    fn unsigned_varlong(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.out.push(value.to_le_bytes()[0]);
    }
}

/// Strings, bytes, arrays and tagged fields. All fail with [`EncodeError::TooLong`], and for what
/// they are given to write.
impl<'b> Writer<'b> {
    /// Writes a string.
    pub fn string(&mut self, value: &str) -> Result<(), EncodeError> {
        self.nullable_string(Some(value))
    }

    /// Writes a string that may be null.
    pub fn nullable_string(&mut self, value: Option<&str>) -> Result<(), EncodeError> {
        if self.flexible {
            return self.nullable_bytes(value.map(str::as_bytes));
        }
        let Some(value) = value else {
            self.int16(-1);
            return Ok(());
        };
        let length = value.len();
        self.int16(i16::try_from(length).map_err(|_| EncodeError::TooLong { length })?);
        self.raw(value.as_bytes());
        Ok(())
    }

    /// Writes bytes.
    pub fn bytes(&mut self, value: &[u8]) -> Result<(), EncodeError> {
        self.nullable_bytes(Some(value))
    }

    /// Writes bytes that may be null.
    pub fn nullable_bytes(&mut self, value: Option<&[u8]>) -> Result<(), EncodeError> {
        self.nullable_length(value.map(<[u8]>::len))?;
        self.raw(value.unwrap_or_default());
        Ok(())
    }

    /// Writes an array, each element by `element`.
    pub fn array<T>(
        &mut self,
        elements: &[T],
        element: impl FnMut(&mut Self, &T) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        self.nullable_array(Some(elements), element)
    }

    /// Writes an array that may be null, each element by `element`.
    pub fn nullable_array<T>(
        &mut self,
        elements: Option<&[T]>,
        mut element: impl FnMut(&mut Self, &T) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        self.nullable_length(elements.map(<[T]>::len))?;
        elements.unwrap_or_default().iter().try_for_each(|value| element(self, value))
    }

    /// Writes an array of int32.
    pub fn int32_array(&mut self, elements: Int32Array<'_>) -> Result<(), EncodeError> {
        self.nullable_length(Some(elements.len()))?;
        match elements {
            Int32Array::Wire(bytes) => self.raw(bytes.as_flattened()),
            Int32Array::Values(values) => values.iter().for_each(|value| self.int32(*value)),
        }
        Ok(())
    }

    /// Writes the length of bytes or the count of an array, `None` for null.
    fn nullable_length(&mut self, length: Option<usize>) -> Result<(), EncodeError> {
        let Some(length) = length else {
            if self.flexible {
                self.unsigned_varint(0)
            } else {
                self.int32(-1)
            }
            return Ok(());
        };
        // Kafka's lengths are int32 in memory, so the compact form carries no more than they do.
        let value = i32::try_from(length).map_err(|_| EncodeError::TooLong { length })?;
        if self.flexible {
            self.unsigned_varint(value.cast_unsigned().saturating_add(1));
        } else {
            self.int32(value);
        }
        Ok(())
    }

    /// Begins the tagged fields that end a structure.
    pub fn tagged_fields(&mut self) -> TaggedFields<'_, 'b> {
        let count_at = self.out.len();
        self.empty_tagged_fields();
        TaggedFields { writer: self, count_at }
    }

    /// Ends a structure that has no tagged field to write.
    pub fn empty_tagged_fields(&mut self) {
        if self.flexible {
            self.out.push(0);
        }
    }
}

/// The tagged fields of a structure that is being written; where the version is not flexible,
/// nothing is.
#[derive(Debug)]
pub struct TaggedFields<'w, 'b> {
    writer: &'w mut Writer<'b>,
    /// Where the count stands: one byte, for no structure of Kafka's has 128 tags.
    count_at: usize,
}

impl<'b> TaggedFields<'_, 'b> {
    /// Writes the field of `tag`, which must be above the tags written before.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`], and what `value` fails with.
    pub fn field(
        &mut self,
        tag: u32,
        value: impl FnOnce(&mut Writer<'b>) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        if !self.writer.flexible {
            return Ok(());
        }
        self.writer.unsigned_varint(tag);
        let begin = self.writer.out.len();
        value(self.writer)?;
        let end = self.writer.out.len();
        let length = end.saturating_sub(begin);
        let prefix = u32::try_from(length).map_err(|_| EncodeError::TooLong { length })?;
        // The length precedes the value but is known after it: written behind, then rotated.
        self.writer.unsigned_varint(prefix);
        if let Some(field) = self.writer.out.get_mut(begin..) {
            field.rotate_left(length);
        }
        if let Some(count) = self.writer.out.get_mut(self.count_at) {
            *count = count.saturating_add(1);
        }
        Ok(())
    }
}
