#![allow(clippy::arithmetic_side_effects, reason = "sums of small constants")]

use super::*;
use crate::wire::{EncodeError, Writer};
use proptest::prelude::*;

/// Writes with `write`, as a flexible version or not.
fn written(flexible: bool, write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut Writer::new(&mut out).with_flexible(flexible));
    out
}

fn reader(bytes: &[u8], flexible: bool) -> Reader<'_> {
    Reader::new(bytes).with_flexible(flexible)
}

proptest! {
    #[test]
    fn numbers_come_back(
        a: bool, b: i8, c: i16, d: i32, e: i64, id: [u8; 16], u: u32, v: i32, w: i64
    ) {
        let bytes = written(false, |out| {
            out.boolean(a);
            out.int8(b);
            out.int16(c);
            out.int32(d);
            out.int64(e);
            out.uuid(Uuid(id));
            out.unsigned_varint(u);
            out.varint(v);
            out.varlong(w);
        });
        let mut r = Reader::new(&bytes);
        prop_assert_eq!((r.boolean()?, r.int8()?, r.int16()?), (a, b, c));
        prop_assert_eq!((r.int32()?, r.int64()?, r.uuid()?), (d, e, Uuid(id)));
        prop_assert_eq!((r.unsigned_varint()?, r.varint()?, r.varlong()?), (u, v, w));
        r.end()?;
    }

    #[test]
    fn strings_bytes_and_arrays_come_back(
        flexible: bool,
        text in proptest::option::of(".{0,200}"),
        data in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..300)),
        numbers in proptest::collection::vec(any::<i32>(), 0..300),
    ) {
        let bytes = written(flexible, |out| {
            out.nullable_string(text.as_deref()).unwrap();
            out.nullable_bytes(data.as_deref()).unwrap();
            out.int32_array(Int32Array::Values(&numbers)).unwrap();
            out.array(&numbers, |out, number| { out.int32(*number); Ok(()) }).unwrap();
        });
        let mut r = reader(&bytes, flexible);
        prop_assert_eq!(r.nullable_string()?, text.as_deref());
        prop_assert_eq!(r.nullable_bytes()?, data.as_deref());
        let array = r.int32_array()?;
        prop_assert_eq!(array, Int32Array::Values(&numbers));
        prop_assert_eq!(&r.array(4, Reader::int32)?, &numbers);
        r.end()?;
        let again = written(flexible, |out| out.int32_array(array).unwrap());
        let values = written(flexible, |out| {
            out.int32_array(Int32Array::Values(&numbers)).unwrap();
        });
        prop_assert_eq!(again, values);
    }

    #[test]
    fn a_prefix_asks_for_what_the_whole_message_has(
        flexible: bool, text in ".{0,40}", cut in 0..40usize
    ) {
        let bytes = written(flexible, |out| out.string(&text).unwrap());
        let cut = cut.min(bytes.len());
        let mut prefix = Reader::prefix(&bytes[..cut], bytes.len()).with_flexible(flexible);
        match prefix.string() {
            Ok(read) => prop_assert!(read == text && cut == bytes.len()),
            Err(WireError::Incomplete { missing }) => {
                prop_assert!(missing >= 1 && cut + missing <= bytes.len());
            }
            Err(other) => prop_assert!(false, "{other}"),
        }
        let truncated = reader(&bytes[..cut], flexible).string();
        prop_assert_eq!(truncated.is_ok(), cut == bytes.len());
    }

    #[test]
    fn garbage_never_panics(
        flexible: bool, bytes in proptest::collection::vec(any::<u8>(), 0..64)
    ) {
        let fresh = || reader(&bytes, flexible);
        let _ = (fresh().unsigned_varint(), fresh().varint(), fresh().varlong());
        let _ = (fresh().nullable_string(), fresh().nullable_bytes(), fresh().int32_array());
        let _ = fresh().skip_tagged_fields();
        if let Ok(Some(elements)) = fresh().nullable_array(1, Reader::int8) {
            prop_assert!(elements.capacity() <= bytes.len());
        }
    }
}

#[test]
fn a_varint_beyond_its_type_is_refused() {
    assert_eq!(Reader::new(&[0xFF, 0xFF, 0xFF, 0xFF, 0x0F]).unsigned_varint(), Ok(u32::MAX));
    for bytes in [[0xFF, 0xFF, 0xFF, 0xFF, 0x1F], [0x80, 0x80, 0x80, 0x80, 0x80]] {
        assert_eq!(Reader::new(&bytes).unsigned_varint(), Err(WireError::VarintTooLong));
    }
    let mut longest = [0xFF; 10];
    longest[9] = 1;
    assert_eq!(Reader::new(&longest).varlong(), Ok(i64::MIN));
    longest[9] = 2;
    assert_eq!(Reader::new(&longest).varlong(), Err(WireError::VarintTooLong));
    assert_eq!(Reader::new(&[0x80]).varint(), Err(WireError::Truncated { missing: 1 }));
}

#[test]
fn null_is_no_count_and_nothing_below_minus_one_is_null() {
    let null = [0xFF; 4];
    assert_eq!(Reader::new(&null).nullable_array_count(1), Ok(None));
    assert_eq!(Reader::new(&null).array_count(1), Err(WireError::UnexpectedNull));
    assert_eq!(Reader::new(&null).nullable_string(), Ok(None));
    assert_eq!(reader(&[0], true).nullable_bytes(), Ok(None));
    let minus_two = [0xFF, 0xFF, 0xFF, 0xFE];
    let refused = Err(WireError::NegativeLength { length: -2 });
    assert_eq!(Reader::new(&minus_two).nullable_length(), refused);
    assert!(Reader::new(&minus_two[2..]).nullable_string().is_err());
}

#[test]
fn a_count_must_fit_the_bytes_left() {
    let huge = [0x7F, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4, 5, 6];
    let refused = Err(WireError::CountTooLarge { count: 0x7FFF_FFFF, bytes_left: 6 });
    assert_eq!(Reader::new(&huge).array_count(1), refused);
    let three = [0, 0, 0, 3, 1, 2, 3, 4, 5, 6];
    assert_eq!(Reader::new(&three).array_count(2), Ok(3));
    let refused = Err(WireError::CountTooLarge { count: 3, bytes_left: 6 });
    assert_eq!(Reader::new(&three).array_count(3), refused);
    assert_eq!(Reader::prefix(&three, 13).array_count(3), Ok(3));
    assert!(Reader::prefix(&three, 12).array_count(3).is_err());
    let tags = [0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0, 0];
    assert!(matches!(
        reader(&tags, true).skip_tagged_fields(),
        Err(WireError::CountTooLarge { bytes_left: 2, .. })
    ));
}

#[test]
fn known_tags_are_read_to_their_end_and_others_skipped() {
    let bytes = written(true, |out| {
        let mut tags = out.tagged_fields();
        tags.field(0, |out| {
            out.int32(7);
            Ok(())
        })
        .unwrap();
        tags.field(5, |out| out.bytes(&[1; 200])).unwrap();
        tags.field(300, |out| {
            out.boolean(true);
            Ok(())
        })
        .unwrap();
    });
    let mut seen = (0, false);
    let mut r = reader(&bytes, true);
    r.tagged_fields(|tag, field| {
        match tag {
            0 => seen.0 = field.int32()?,
            300 => seen.1 = field.boolean()?,
            _ => return Ok(false),
        }
        Ok(true)
    })
    .unwrap();
    assert_eq!(seen, (7, true));
    r.end().unwrap();

    let short = reader(&bytes, true).tagged_fields(|_, field| field.int16().map(|_| true));
    assert_eq!(short, Err(WireError::TrailingBytes { count: 2 }));
    assert_eq!(
        reader(&[1, 9, 3, 0], true).skip_tagged_fields(),
        Err(WireError::Truncated { missing: 2 })
    );
    assert_eq!(reader(&[], false).skip_tagged_fields(), Ok(()));
}

#[test]
fn strings_are_utf8_and_short_enough() {
    assert_eq!(Reader::new(&[0, 1, 0xFF]).string(), Err(WireError::InvalidUtf8));
    let long = "x".repeat(32_768);
    let refused = Err(EncodeError::TooLong { length: 32_768 });
    assert_eq!(Writer::new(&mut Vec::new()).string(&long), refused);
    let bytes = written(true, |out| out.string(&long).unwrap());
    assert_eq!(reader(&bytes, true).string(), Ok(long.as_str()));
}
