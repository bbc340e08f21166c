//! A slow record decoder that is plainly right: one byte at a time, one copy of everything.
//!
//! It shares no code with the one in the library and is its oracle.

#![allow(dead_code, reason = "each test binary uses its part of it")]

use kfetch::record::{BatchHeader, Descriptor, TimestampType};

/// A record with all of its bytes copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owned {
    pub(crate) offset: i64,
    pub(crate) timestamp: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Owned {
    /// Copies what `record` describes in `slice`.
    pub(crate) fn of(record: &Descriptor, slice: &[u8]) -> Self {
        let owned = Self {
            offset: record.offset,
            timestamp: record.timestamp,
            key: record.key(slice).map(<[u8]>::to_vec),
            value: record.value(slice).map(<[u8]>::to_vec),
            headers: record
                .headers(slice)
                .map(|header| (header.key.to_vec(), header.value.map(<[u8]>::to_vec)))
                .collect(),
        };
        assert_eq!(owned.headers.len(), record.header_count as usize);
        owned
    }
}

/// Decodes the records in `payload` whose offsets are at least `from`; also returns the offset at
/// which it had to stop, if it had to.
pub(crate) fn decode(header: &BatchHeader, payload: &[u8], from: i64) -> (Vec<Owned>, Option<i64>) {
    let mut records = Vec::new();
    let mut at = 0;
    let mut expected = i128::from(header.base_offset);
    for _ in 0..header.record_count {
        match decode_one(header, &payload[at..], from, expected) {
            Some((record, len)) => {
                expected = i128::from(record.offset) + 1;
                at += len;
                if record.offset >= from {
                    records.push(record);
                }
            }
            None => return (records, i64::try_from(expected).ok()),
        }
    }
    let error = (at != payload.len()).then(|| i64::try_from(expected).unwrap());
    (records, error)
}

/// Decodes the record at the start of `bytes` and returns it with its size; its key, value and
/// headers stay empty if its offset is below `from`.
fn decode_one(
    header: &BatchHeader,
    bytes: &[u8],
    from: i64,
    expected: i128,
) -> Option<(Owned, usize)> {
    let mut outer = Reader { bytes };
    let len = outer.varint(5)?;
    let body = outer.take(len)?;
    let size = bytes.len() - outer.bytes.len();
    let mut reader = Reader { bytes: body };
    reader.take(1)?;
    let timestamp_delta = reader.varint(10)?;
    let offset = i128::from(header.base_offset) + reader.varint(5)?;
    if offset < expected
        || offset > i128::from(header.base_offset) + i128::from(header.last_offset_delta)
    {
        return None;
    }
    let timestamp = match header.timestamp_type() {
        TimestampType::LogAppendTime => header.max_timestamp,
        TimestampType::CreateTime => {
            let sum = i128::from(header.base_timestamp) + timestamp_delta;
            i64::from_le_bytes(sum.to_le_bytes()[..8].try_into().unwrap())
        }
    };
    let mut record = Owned {
        offset: i64::try_from(offset).unwrap(),
        timestamp,
        key: None,
        value: None,
        headers: Vec::new(),
    };
    if record.offset < from {
        return Some((record, size));
    }
    record.key = reader.nullable()?;
    record.value = reader.nullable()?;
    let header_count = reader.varint(5)?;
    if header_count < 0 {
        return None;
    }
    for _ in 0..header_count {
        let key = reader.nullable()??;
        record.headers.push((key, reader.nullable()?));
    }
    reader.bytes.is_empty().then_some((record, size))
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn varint(&mut self, max_len: usize) -> Option<i128> {
        let mut code = 0_u128;
        for index in 0..max_len {
            let byte = *self.bytes.first()?;
            self.bytes = &self.bytes[1..];
            code += u128::from(byte % 128) << (7 * index);
            if byte < 128 {
                let bits = if max_len == 5 { 32 } else { 64 };
                if code >> bits != 0 {
                    return None;
                }
                let half = i128::try_from(code / 2).unwrap();
                return Some(if code.is_multiple_of(2) { half } else { -half - 1 });
            }
        }
        None
    }

    fn take(&mut self, len: i128) -> Option<&'a [u8]> {
        let len = usize::try_from(len).ok()?;
        if len > self.bytes.len() {
            return None;
        }
        let (bytes, rest) = self.bytes.split_at(len);
        self.bytes = rest;
        Some(bytes)
    }

    fn nullable(&mut self) -> Option<Option<Vec<u8>>> {
        match self.varint(5)? {
            -1 => Some(None),
            len => Some(Some(self.take(len)?.to_vec())),
        }
    }
}
