use super::*;

fn header() -> BatchHeader {
    BatchHeader {
        base_offset: 0x0102_0304_0506_0708,
        batch_length: 49,
        partition_leader_epoch: 0x1112_1314,
        crc: 0x2122_2324,
        attributes: 0,
        last_offset_delta: 0x3132_3334,
        base_timestamp: 0x4142_4344_4546_4748,
        max_timestamp: -2,
        producer_id: 0x5152_5354_5556_5758,
        producer_epoch: 0x6162,
        base_sequence: 0x7172_7374,
        record_count: 3,
    }
}

#[test]
fn fields_stand_where_the_table_says() {
    let bytes = header().to_bytes();
    assert_eq!(bytes[0..8], [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(bytes[8..12], [0, 0, 0, 49]);
    assert_eq!(bytes[12..16], [0x11, 0x12, 0x13, 0x14]);
    assert_eq!(bytes[16], 2);
    assert_eq!(bytes[17..21], [0x21, 0x22, 0x23, 0x24]);
    assert_eq!(bytes[23..27], [0x31, 0x32, 0x33, 0x34]);
    assert_eq!(bytes[27..35], [0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48]);
    assert_eq!(bytes[35..43], (-2_i64).to_be_bytes());
    assert_eq!(bytes[43..51], [0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58]);
    assert_eq!(bytes[51..53], [0x61, 0x62]);
    assert_eq!(bytes[53..57], [0x71, 0x72, 0x73, 0x74]);
    assert_eq!(bytes[57..61], [0, 0, 0, 3]);
    assert_eq!(BatchHeader::parse(&bytes), Ok(header()));
}

#[test]
fn the_position_behind_a_batch_is_its_last_offset_plus_one_whatever_the_records_are() {
    let empty = BatchHeader { base_offset: 40, last_offset_delta: 9, record_count: 0, ..header() };
    let parsed = BatchHeader::parse(&empty.to_bytes()).unwrap();
    assert_eq!((parsed.last_offset(), parsed.next_offset()), (49, 50));
    assert_eq!((parsed.size(), parsed.payload_len()), (61, 0));
}

#[test]
fn attributes_are_read_bit_by_bit() {
    for bits in 0..128 {
        let header = BatchHeader { attributes: bits, ..header() };
        assert_eq!(
            header.codec().map(|codec| i16::from(codec.id())).ok(),
            Some(bits & 7).filter(|id| *id < 5)
        );
        let log_append = header.timestamp_type() == TimestampType::LogAppendTime;
        assert_eq!(log_append, bits & 8 != 0);
        assert_eq!(header.is_transactional(), bits & 16 != 0);
        assert_eq!(header.is_control(), bits & 32 != 0);
        assert_eq!(header.has_delete_horizon(), bits & 64 != 0);
        if let Ok(codec) = header.codec() {
            let written = header.with_attributes(
                codec,
                header.timestamp_type(),
                header.is_transactional(),
                header.is_control(),
            );
            assert_eq!(written.attributes, bits & 63);
        }
    }
    let unknown = BatchHeader { attributes: 6, ..header() };
    assert_eq!(unknown.codec(), Err(BatchError::UnsupportedCodec(6)));
}

#[test]
fn bits_that_have_no_meaning_yet_are_ignored() {
    let header = BatchHeader { attributes: !127 | 4, ..header() };
    assert_eq!(header.codec(), Ok(Codec::Zstd));
    assert!(!header.is_control() && !header.is_transactional());
}

#[test]
fn each_bad_field_is_named() {
    let parse = |header: BatchHeader| BatchHeader::parse(&header.to_bytes()).unwrap_err();
    for batch_length in [48, 0, -1, i32::MIN] {
        let error = parse(BatchHeader { batch_length, ..header() });
        assert_eq!(error, BatchError::Length(batch_length));
    }
    let error = parse(BatchHeader { base_offset: -1, ..header() });
    assert_eq!(error, BatchError::BaseOffset(-1));
    let error = parse(BatchHeader { last_offset_delta: -1, ..header() });
    assert_eq!(error, BatchError::LastOffsetDelta(-1));
    let error = parse(BatchHeader { record_count: -1, ..header() });
    assert_eq!(error, BatchError::RecordCount(-1));
}

#[test]
fn offsets_without_an_offset_behind_them_are_refused() {
    let at = |base_offset, delta| {
        let header = BatchHeader { base_offset, last_offset_delta: delta, ..header() };
        BatchHeader::parse(&header.to_bytes()).map(|header| header.next_offset())
    };
    assert_eq!(at(i64::MAX - 10, 9), Ok(i64::MAX));
    for (base_offset, delta) in [(i64::MAX - 10, 10), (i64::MAX, 0), (i64::MAX, i32::MAX)] {
        assert_eq!(at(base_offset, delta), Err(BatchError::OffsetOverflow { base_offset, delta }));
    }
}

#[test]
fn another_magic_is_named_before_anything_else() {
    for magic in [0, 1, 3, -1, 127] {
        let mut bytes = [0xff; HEADER_LEN];
        bytes[16] = i8::to_be_bytes(magic)[0];
        for len in 17..=HEADER_LEN {
            let error = BatchHeader::parse(&bytes[..len]).unwrap_err();
            assert_eq!(error, BatchError::UnsupportedMagic(magic));
            assert!(error.to_string().starts_with(&format!("Unsupported magic {magic}")));
        }
    }
}

#[test]
fn a_header_cut_at_each_byte_needs_more() {
    let bytes = header().to_bytes();
    for len in 0..HEADER_LEN {
        assert_eq!(BatchHeader::parse(&bytes[..len]), Err(BatchError::Cut { len }));
    }
}

#[test]
fn a_header_made_by_hand_saturates() {
    let header = BatchHeader { base_offset: i64::MAX, batch_length: -5, ..header() };
    assert_eq!((header.next_offset(), header.size(), header.payload_len()), (i64::MAX, 12, 0));
}

#[test]
fn the_checksum_is_crc_32c_from_the_attributes_on() {
    let mut batch = vec![0_u8; 21];
    batch.extend_from_slice(b"123456789");
    assert_eq!(batch_crc(&batch), 0xe306_9283);
}

#[test]
fn every_flipped_bit_that_the_checksum_covers_is_noticed() {
    let mut batch = header().to_bytes().to_vec();
    batch.extend_from_slice(b"some records");
    write_crc(&mut batch);
    assert!(verify_crc(&batch));
    for bit in 0..batch.len() * 8 {
        let mut flipped = batch.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(verify_crc(&flipped), bit / 8 < 17, "bit {bit}");
    }
    for len in 0..batch.len() {
        assert!(!verify_crc(&batch[..len]));
    }
}
