//! Zig-zag varints of the record format, as Java's `ByteUtils` reads and writes them.
//!
//! A varint of five bytes whose last carries more than 32 bits, and a varlong of ten whose last
//! carries more than 64, are refused; Java drops the extra bits. An encoding that is longer than
//! need be is read like the short one, as in Java.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

/// Takes a zig-zag varint of at most 5 bytes off the front of `rest`, or leaves `rest` as it is.
#[inline]
pub(super) fn read_varint(rest: &mut &[u8]) -> Option<i32> {
    if let Some((&byte, tail)) = rest.split_first()
        && byte < 0x80
    {
        *rest = tail;
        return Some(i32::from(byte >> 1) ^ i32::from(byte & 1).wrapping_neg());
    }
    let value = read_varlong(rest, 5)?;
    i32::try_from(value).ok()
}

/// Takes a zig-zag varint of at most `max_len` (5 or 10) bytes off the front of `rest`.
#[inline]
pub(super) fn read_varlong(rest: &mut &[u8], max_len: usize) -> Option<i64> {
    let mut value = 0_u64;
    let mut shift = 0_u32;
    for (index, &byte) in rest.iter().take(max_len).enumerate() {
        let low = u64::from(byte & 0x7f);
        if shift == 63 && low > 1 {
            return None;
        }
        value |= low.wrapping_shl(shift);
        if byte & 0x80 == 0 {
            *rest = rest.get(index.wrapping_add(1)..)?;
            return Some(zigzag(value));
        }
        shift = shift.wrapping_add(7);
    }
    None
}

/// Appends `value` as a zig-zag varint; 32-bit values come out as Java's `writeVarint` has them.
pub(super) fn write_varlong(out: &mut Vec<u8>, value: i64) {
    let mut rest = unzigzag(value);
    while rest >= 0x80 {
        out.push(low_byte(rest) | 0x80);
        rest >>= 7;
    }
    out.push(low_byte(rest));
}

/// Returns how many bytes [`write_varlong`] appends for `value`.
pub(super) fn varlong_len(value: i64) -> usize {
    let bits = u64::BITS.wrapping_sub(unzigzag(value).leading_zeros()).max(1);
    bits.div_ceil(7) as usize
}

/// Returns the number that `value` is the zig-zag code of.
#[inline]
pub(super) fn zigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ (value & 1).cast_signed().wrapping_neg()
}

fn unzigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

fn low_byte(value: u64) -> u8 {
    value.to_le_bytes()[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: i64) -> Vec<u8> {
        let mut out = Vec::new();
        write_varlong(&mut out, value);
        assert_eq!(out.len(), varlong_len(value));
        out
    }

    #[test]
    fn bytes_are_those_of_the_format() {
        assert_eq!(written(0), [0]);
        assert_eq!(written(-1), [1]);
        assert_eq!(written(63), [0x7e]);
        assert_eq!(written(64), [0x80, 0x01]);
        assert_eq!(written(-65), [0x81, 0x01]);
        assert_eq!(written(i64::from(i32::MAX)), [0xfe, 0xff, 0xff, 0xff, 0x0f]);
        assert_eq!(written(i64::from(i32::MIN)), [0xff, 0xff, 0xff, 0xff, 0x0f]);
        assert_eq!(written(i64::MIN), [255, 255, 255, 255, 255, 255, 255, 255, 255, 1]);
    }

    #[test]
    fn each_width_is_read_back_and_cut_ones_are_refused() {
        for shift in 0..63 {
            for value in [1_i64 << shift, -(1_i64 << shift), (1_i64 << shift) - 1] {
                let bytes = written(value);
                let mut rest = &bytes[..];
                assert_eq!(read_varlong(&mut rest, 10), Some(value));
                assert!(rest.is_empty());
                for cut in 0..bytes.len() {
                    assert_eq!(read_varlong(&mut &bytes[..cut], 10), None);
                }
                let mut rest = &bytes[..];
                assert_eq!(read_varint(&mut rest), i32::try_from(value).ok());
            }
        }
    }

    #[test]
    fn lost_bits_are_refused_and_long_encodings_are_not() {
        assert_eq!(read_varint(&mut &[0xff, 0xff, 0xff, 0xff, 0x1f][..]), None);
        assert_eq!(read_varint(&mut &[0x80, 0x80, 0x80, 0x80, 0x80, 0][..]), None);
        assert_eq!(read_varint(&mut &[0x82, 0x80, 0x80, 0x80, 0x00][..]), Some(1));
        let mut ten = [0x80_u8; 10];
        ten[9] = 2;
        assert_eq!(read_varlong(&mut &ten[..], 10), None);
        ten[9] = 1;
        assert_eq!(read_varlong(&mut &ten[..], 10), Some(1 << 62));
    }
}
