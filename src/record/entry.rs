//! One record as a descriptor: numbers that say where its parts lie, and the views on them.
//!
//! A [`Descriptor`] owns nothing and counts nothing; it is good for as long as the slice that it
//! was decoded from. Its accessors take that slice. With another slice they return other bytes or
//! nothing, but never read out of bounds and never panic.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::varint::read_varint;

/// Where one record lies and what its numbers are: 40 bytes, no padding.
///
/// Positions count from the start of the slice that was given to
/// [`BatchCursor::decode`](super::BatchCursor::decode).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Descriptor {
    /// The record's offset in its partition.
    pub offset: i64,
    /// The timestamp in ms, −1 for none.
    pub timestamp: i64,
    /// The number that the caller gave to the slice which the positions are in.
    pub block: u32,
    /// Position of the key, or of where it would be.
    pub key: u32,
    /// Position of the value, or of where it would be: the headers start behind it.
    pub value: u32,
    /// Bytes of the key, −1 for none.
    pub key_len: i32,
    /// Bytes of the value, −1 for none.
    pub value_len: i32,
    /// How many headers there are; they have been validated.
    pub header_count: u32,
}

const _: () = assert!(size_of::<Descriptor>() == 40 && align_of::<Descriptor>() == 8);

impl Descriptor {
    /// Returns the key's bytes in `slice`, `None` for a record without key.
    #[inline]
    pub fn key<'a>(&self, slice: &'a [u8]) -> Option<&'a [u8]> {
        bytes_at(slice, self.key, self.key_len)
    }

    /// Returns the value's bytes in `slice`, `None` for a record without value: a tombstone.
    #[inline]
    pub fn value<'a>(&self, slice: &'a [u8]) -> Option<&'a [u8]> {
        bytes_at(slice, self.value, self.value_len)
    }

    /// Returns the headers in `slice`, in the order in which the producer gave them.
    #[inline]
    pub fn headers<'a>(&self, slice: &'a [u8]) -> Headers<'a> {
        Headers::new(slice, self).unwrap_or(Headers { rest: &[], left: 0 })
    }
}

/// One header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// The key's bytes; UTF-8 by convention, which no broker checks.
    pub key: &'a [u8],
    /// The value's bytes, `None` for a null value.
    pub value: Option<&'a [u8]>,
}

impl<'a> Header<'a> {
    /// Returns the key as text, `None` where its bytes are not UTF-8.
    pub fn key_str(&self) -> Option<&'a str> {
        str::from_utf8(self.key).ok()
    }
}

/// The headers of one record, keys repeated where the producer repeated them.
#[derive(Clone, Debug)]
pub struct Headers<'a> {
    rest: &'a [u8],
    left: u32,
}

impl<'a> Headers<'a> {
    #[inline]
    fn new(slice: &'a [u8], record: &Descriptor) -> Option<Self> {
        if record.header_count == 0 {
            return None;
        }
        let value_len = usize::try_from(record.value_len).unwrap_or(0);
        let at = usize::try_from(record.value).ok()?.checked_add(value_len)?;
        let mut rest = slice.get(at..)?;
        read_varint(&mut rest)?;
        Some(Self { rest, left: record.header_count })
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = Header<'a>;

    #[inline]
    fn next(&mut self) -> Option<Header<'a>> {
        self.left = self.left.checked_sub(1)?;
        let header = next_header(&mut self.rest);
        if header.is_none() {
            self.left = 0;
        }
        header
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, usize::try_from(self.left).ok())
    }
}

/// Takes one header off the front of `rest`; `None` if a length is bad or the bytes end.
///
/// A header's key is never null, its value may be; any other negative length is bad.
#[inline]
pub(super) fn next_header<'a>(rest: &mut &'a [u8]) -> Option<Header<'a>> {
    let key_len = read_varint(rest)?;
    let key = take(rest, key_len)?;
    let value_len = read_varint(rest)?;
    let value = if value_len == -1 { None } else { Some(take(rest, value_len)?) };
    Some(Header { key, value })
}

/// Walks a record's header block, count first, and returns the count if the block is whole and
/// ends where `block` ends.
///
/// The count is never trusted: each header takes at least two bytes, so the walk ends with the
/// bytes. A field's length is added without looking; a position past the end is noticed by the
/// next field, or in the end.
#[inline]
pub(super) fn count_headers(block: &[u8]) -> Option<u32> {
    let mut rest = block;
    let count = u32::try_from(read_varint(&mut rest)?).ok()?;
    let mut at = 0_usize;
    for _ in 0..count {
        at = skip_field(rest, at, false)?;
        at = skip_field(rest, at, true)?;
    }
    (at == rest.len()).then_some(count)
}

/// Returns the position behind the length at `at` and the bytes that it counts.
#[inline]
fn skip_field(block: &[u8], at: usize, nullable: bool) -> Option<usize> {
    let code = *block.get(at)?;
    if code & 0x81 == 0 {
        // The zig-zag code of 0 to 63.
        Some(at.wrapping_add(1).wrapping_add(usize::from(code >> 1)))
    } else {
        skip_long_field(block, at, nullable)
    }
}

fn skip_long_field(block: &[u8], at: usize, nullable: bool) -> Option<usize> {
    let mut rest = block.get(at..)?;
    let len = read_varint(&mut rest)?;
    if !(nullable && len == -1) {
        take(&mut rest, len)?;
    }
    block.len().checked_sub(rest.len())
}

/// Takes `len` bytes off the front of `rest`; `None` if `len` is negative or they are not there.
#[inline]
pub(super) fn take<'a>(rest: &mut &'a [u8], len: i32) -> Option<&'a [u8]> {
    let (bytes, tail) = rest.split_at_checked(usize::try_from(len).ok()?)?;
    *rest = tail;
    Some(bytes)
}

#[inline]
fn bytes_at(slice: &[u8], at: u32, len: i32) -> Option<&[u8]> {
    let len = usize::try_from(len).ok()?;
    slice.get(usize::try_from(at).ok()?..)?.get(..len)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLICE: &[u8] = b"kkvv\x06\x02a\x02x\x02a\x01\x04\xff\xfe\x00rest";

    fn record() -> Descriptor {
        Descriptor { key_len: 2, value: 2, value_len: 2, header_count: 3, ..Descriptor::default() }
    }

    #[test]
    fn views_are_the_bytes_of_the_slice() {
        assert_eq!(record().key(SLICE), Some(&b"kk"[..]));
        assert_eq!(record().value(SLICE).map(<[u8]>::as_ptr), Some(SLICE[2..].as_ptr()));
        let null = Descriptor { key_len: -1, value_len: -1, ..record() };
        assert_eq!((null.key(SLICE), null.value(SLICE)), (None, None));
        let empty = Descriptor { key_len: 0, ..record() };
        assert_eq!(empty.key(SLICE), Some(&[][..]));
    }

    #[test]
    fn headers_keep_order_duplicates_nulls_and_bytes() {
        let headers: Vec<_> = record().headers(SLICE).collect();
        assert_eq!(headers[0], Header { key: b"a", value: Some(b"x") });
        assert_eq!(headers[1], Header { key: b"a", value: None });
        assert_eq!(headers[2], Header { key: b"\xff\xfe", value: Some(b"") });
        assert_eq!((headers[1].key_str(), headers[2].key_str()), (Some("a"), None));
        assert_eq!(headers.len(), 3);
    }

    #[test]
    fn headers_of_a_null_value_start_at_its_position() {
        let record = Descriptor { value: 4, value_len: -1, ..record() };
        assert_eq!(record.headers(SLICE).count(), 3);
    }

    #[test]
    fn a_foreign_slice_gives_nothing() {
        for len in 0..SLICE.len() {
            let far = Descriptor { key: 90, value: u32::MAX, value_len: i32::MAX, ..record() };
            assert_eq!((far.key(&SLICE[..len]), far.value(&SLICE[..len])), (None, None));
            assert_eq!(far.headers(&SLICE[..len]).count(), 0);
            assert!(record().headers(&SLICE[..len]).count() <= 3);
        }
    }
}
