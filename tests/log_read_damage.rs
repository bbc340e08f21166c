//! Whatever is wrong with a segment's bytes: what is before it is read, the same in both modes,
//! and then there is an end or a clear word.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod log_files;
#[path = "support/temp_dir.rs"]
mod temp_dir;

use std::fs::{self, File};
use std::os::unix::fs::symlink;

use kfetch::ErrorKind;
use kfetch::log::{Chunk, PartitionReader, ReadMode};
use kfetch::record::{BatchHeader, Codec};
use log_files::{BOTH_MODES, Batch, Partition, Source, batch, batches, concat};
use proptest::prelude::*;
use temp_dir::TempDir;

fn partition(name: &str) -> (TempDir, Partition) {
    let dir = TempDir::new(name);
    let partition = Partition::new(dir.path());
    (dir, partition)
}

/// Reads everything and says what came at the end; damage has to stay until a seek.
fn read(reader: &mut PartitionReader) -> (Vec<u8>, String) {
    let mut source = Source::new(1 << 20);
    let (bytes, end) = source.read_all(reader);
    let text = format!("{end:?}");
    if let Chunk::Damaged { offset, .. } = end {
        assert_eq!(offset, reader.position());
        assert_eq!(format!("{:?}", source.read(reader)), text, "damage stays");
        reader.refresh().unwrap();
        assert_eq!(format!("{:?}", source.read(reader)), text, "damage stays");
        reader.seek(offset);
        // An index or the next segment may lead past what is wrong, once somebody seeks.
        let after = source.read(reader);
        assert!(matches!(after, Chunk::Run { .. } | Chunk::Damaged { .. }), "{after:?}");
    }
    (bytes, text)
}

/// Reads in both modes, which have to agree.
fn read_both(partition: &Partition) -> (Vec<u8>, String) {
    let [mmap, pread] = BOTH_MODES.map(|mode| read(&mut partition.open(mode)));
    assert!(mmap == pread, "mmap: {}\npread: {}", mmap.1, pread.1);
    mmap
}

fn is_damage_at(text: &str, offset: i64) -> bool {
    text.starts_with(&format!("Damaged {{ offset: {offset}, kind: Corrupt"))
        && text.contains("00000.log at byte")
}

/// Writes the first `len` bytes of the batches as one segment.
fn write_cut(partition: &Partition, batches: &[Batch], len: usize) {
    partition.write_segment(batches);
    let path = partition.path(batches[0].header.base_offset, "log");
    File::options().write(true).open(path).unwrap().set_len(len as u64).unwrap();
}

#[test]
fn a_cut_active_segment_ends_or_is_damaged_by_what_was_promised() {
    let batches = batches(3, 2, 10);
    let before = concat(&batches[..2]);
    let whole = concat(&batches).len();
    let (_dir, partition) = partition("cut-active");
    let checkpoint = partition.log_dir.join("replication-offset-checkpoint");
    for len in before.len()..whole {
        write_cut(&partition, &batches, len);
        let (bytes, end) = read_both(&partition);
        assert!(bytes == before && end == "End { offset: 4 }", "{len}: {end}");
        // Kafka's checkpoint or ours says that there is more: only a broker may have cut the log
        // since, and that behind a batch.
        partition.write_high_watermark(6);
        let (bytes, end) = read_both(&partition);
        assert!(bytes == before && is_damage_at(&end, 4), "{len}: {end}");
        partition.write_meta_properties();
        let (bytes, end) = read_both(&partition);
        let is_clean = len == before.len();
        assert!(bytes == before && is_damage_at(&end, 4) != is_clean, "{len}: {end}");
        assert!(!is_clean || end == "End { offset: 4 }", "{len}: {end}");
        fs::remove_file(partition.log_dir.join("meta.properties")).unwrap();
        fs::remove_file(&checkpoint).unwrap();
    }
}

#[test]
fn a_cut_sealed_segment_is_damaged_inside_of_a_batch() {
    let batches = batches(5, 2, 10);
    let before = concat(&batches[..2]);
    let whole = concat(&batches[..3]).len();
    let (_dir, partition) = partition("cut-sealed");
    partition.write_segment(&batches[3..]);
    for len in before.len()..=whole {
        write_cut(&partition, &batches[..3], len);
        let (bytes, end) = read_both(&partition);
        if len == whole || len == before.len() {
            // A missing last batch looks like one that compaction took.
            assert!(bytes == [concat(&batches)[..len].to_vec(), concat(&batches[3..])].concat());
            assert_eq!(end, "End { offset: 10 }");
        } else {
            assert!(bytes == before && is_damage_at(&end, 4), "{len}: {end}");
        }
    }
    // Seeking over the damage goes on behind it.
    write_cut(&partition, &batches[..3], whole - 1);
    for mode in BOTH_MODES {
        let mut reader = partition.open(mode);
        reader.seek(6);
        assert!(read(&mut reader).0 == concat(&batches[3..]));
    }
}

#[test]
fn zeros_are_the_end_of_the_active_segment_only() {
    let batches = batches(6, 2, 10);
    let (_dir, partition) = partition("zeros");
    let append_zeros = |base_offset: i64, len: u64| {
        let file = File::options().write(true).open(partition.path(base_offset, "log")).unwrap();
        file.set_len(file.metadata().unwrap().len() + len).unwrap();
    };
    for zeros in [1, 16, 17, 60, 61, 1 << 21] {
        partition.write_segment(&batches[..3]);
        partition.write_segment(&batches[3..]);
        append_zeros(6, zeros);
        let (bytes, end) = read_both(&partition);
        assert!(bytes == concat(&batches) && end == "End { offset: 12 }", "{zeros}: {end}");
        // A sealed segment that was not trimmed holds all that it should.
        append_zeros(0, zeros);
        let (bytes, end) = read_both(&partition);
        assert!(bytes == concat(&batches) && end == "End { offset: 12 }", "{zeros}: {end}");
        write_cut(&partition, &batches[..3], concat(&batches[..2]).len());
        append_zeros(0, zeros);
        let (bytes, end) = read_both(&partition);
        assert!(bytes == concat(&batches[..2]) && is_damage_at(&end, 4), "{zeros}: {end}");
    }
    fs::write(partition.path(0, "log"), vec![0; 5000]).unwrap();
    fs::remove_file(partition.path(6, "log")).unwrap();
    assert_eq!(read_both(&partition), (Vec::new(), "End { offset: 0 }".to_owned()));
    partition.write_high_watermark(6);
    assert!(is_damage_at(&read_both(&partition).1, 0), "promised, and nothing there");
}

#[test]
fn base_offsets_that_go_back_are_damage() {
    let batches = batches(6, 2, 10);
    let (_dir, partition) = partition("backwards");
    let mut swapped = batches.clone();
    swapped.swap(2, 3);
    for order in [swapped, [&batches[..3], &batches[1..]].concat()] {
        fs::write(partition.path(0, "log"), concat(&order)).unwrap();
        let (bytes, end) = read_both(&partition);
        assert!(bytes == concat(&order[..3]) && end.contains("stands behind offset"), "{end}");
    }
    // A batch below the offset in the segment's name.
    fs::rename(partition.path(0, "log"), partition.path(3, "log")).unwrap();
    let (bytes, end) = read_both(&partition);
    assert!(bytes.is_empty() && end.contains("stands behind offset 2"), "{end}");
}

#[test]
fn lengths_and_magics_are_not_believed() {
    let batches = batches(5, 2, 10);
    let (_dir, partition) = partition("fields");
    let at = concat(&batches[..1]).len();
    let length = |value: i32| (at + 8, value.to_be_bytes().to_vec());
    let cases = [
        (length(-1), "Corrupt"),
        (length(48), "Corrupt"),
        (length(i32::MIN), "Corrupt"),
        ((at + 16, vec![3]), "Corrupt"),
        ((at + 16, vec![0xff]), "Corrupt"),
        ((at + 16, vec![1]), "Unsupported"),
        ((at + 16, vec![0]), "Unsupported"),
        ((at + 23, vec![0x80]), "Corrupt"),
        ((at + 57, vec![0xff]), "Corrupt"),
        ((at, vec![0x80]), "Corrupt"),
    ];
    for ((position, value), kind) in cases {
        let mut bytes = concat(&batches[..4]);
        bytes[position..position + value.len()].copy_from_slice(&value);
        fs::write(partition.path(0, "log"), &bytes).unwrap();
        for sealed in [false, true] {
            if sealed {
                partition.write_segment(&batches[4..]);
            }
            let (read, end) = read_both(&partition);
            assert!(read == batches[0].bytes, "{position} {value:?} {sealed}: {end}");
            assert!(end.starts_with(&format!("Damaged {{ offset: 2, kind: {kind}")), "{end}");
        }
        fs::remove_file(partition.path(8, "log")).unwrap();
    }
}

#[test]
fn a_length_that_lies_gets_no_memory() {
    let batches = [batch(0, &[1], 8, Codec::None), batch(1, &[1], 8, Codec::None)];
    let (_dir, partition) = partition("huge");
    let mut bytes = concat(&batches);
    let at = batches[0].bytes.len();
    bytes[at + 8..at + 12].copy_from_slice(&(1_i32 << 30).to_be_bytes());
    fs::write(partition.path(0, "log"), &bytes).unwrap();
    partition.write_segment(&[batch(2, &[1], 8, Codec::None)]);
    // A hole as large as the length says, which costs nothing on the disk.
    let file = File::options().write(true).open(partition.path(0, "log")).unwrap();
    file.set_len((1 << 30) + 10_000).unwrap();
    partition.write_high_watermark(3);
    let mut reader = partition.open(ReadMode::Pread);
    let (read, end) = read(&mut reader);
    assert!(read == batches[0].bytes && is_damage_at(&end, 1), "{end}");
    assert!(end.contains("checksum"), "{end}");
}

#[test]
fn a_log_that_is_cut_under_the_reader_is_told() {
    let batches = batches(12, 5, 100);
    for mode in BOTH_MODES {
        let (_dir, partition) = partition("truncated");
        partition.write_meta_properties();
        partition.write_segment(&batches[..6]);
        partition.write_segment(&batches[6..]);
        let mut reader = partition.open(mode);
        let mut source = Source::new(700);
        reader.seek(50);
        assert!(matches!(source.read(&mut reader), Chunk::Run { next_offset: 55, .. }));
        // A follower cuts its log behind a batch: below the position, without a word.
        write_cut(&partition, &batches[6..], concat(&batches[6..9]).len());
        let chunk = source.read(&mut reader);
        assert!(matches!(chunk, Chunk::OutOfRange { start: 0, end: 45 }), "{chunk:?}");
        // Then other batches come to stand where the position was.
        let others: Vec<Batch> =
            (0..4).map(|n| batch(45 + n * 3, &[7, 7, 7], 90, Codec::None)).collect();
        let replaced = [&batches[6..9], &others].concat();
        reader.seek(40);
        assert!(matches!(source.read(&mut reader), Chunk::Run { next_offset: 45, .. }));
        partition.write_segment(&replaced);
        reader.refresh().unwrap();
        let (read, end) = source.read_all(&mut reader);
        assert!(read == concat(&others), "{end:?}");
        assert!(matches!(end, Chunk::End { offset: 57 }), "{end:?}");
    }
}

#[test]
fn a_mapped_segment_that_is_cut_is_not_touched_again() {
    let batches = batches(40, 5, 1000);
    let (_dir, partition) = partition("sigbus");
    partition.write_segment(&batches[..30]);
    partition.write_segment(&batches[30..]);
    let mut reader = partition.open(ReadMode::Mmap);
    let mut source = Source::new(20_000);
    assert!(matches!(source.read(&mut reader), Chunk::Run { bytes, .. } if bytes.is_mapped()));
    let position = reader.position();
    write_cut(&partition, &batches[..30], 100);
    let (read, end) = source.read_all(&mut reader);
    assert!(read.is_empty() && is_damage_at(&format!("{end:?}"), position), "{end:?}");
}

#[test]
fn a_file_that_cannot_be_opened_is_named() {
    let batches = batches(4, 2, 10);
    let (_dir, partition) = partition("unreadable");
    partition.write_segment(&batches[2..]);
    let path = partition.path(0, "log");
    for target in ["gone", "00000000000000000000.log"] {
        symlink(target, &path).unwrap();
        let mut reader = partition.open(ReadMode::Auto);
        let mut source = Source::new(1 << 20);
        let error = reader.read(&mut source.pool, &source.budget, 1 << 20).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        reader.seek(4);
        assert!(read(&mut reader).0 == concat(&batches[2..]), "the rest can be read");
        fs::remove_file(&path).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn both_modes_read_the_same_of_flipped_bits(
        flips in prop::collection::vec((0..6000_usize, 0..8_u32), 1..6),
        checkpoint in prop::option::of(0..40_i64),
        in_headers in any::<bool>(),
    ) {
        let batches = batches(12, 3, 40);
        let mut bytes = concat(&batches);
        let starts: Vec<usize> = (0..12).map(|n| concat(&batches[..n]).len()).collect();
        for (at, bit) in flips {
            // Most of a batch's bytes mean nothing here: aim at the headers half of the time.
            let at = if in_headers { starts[at % 12] + at % 61 } else { at % bytes.len() };
            bytes[at] ^= 1 << bit;
        }
        let (_dir, partition) = partition("flips");
        for (number, segment) in batches.chunks(4).enumerate() {
            partition.write_segment(segment);
            let end = starts.get(number * 4 + 4).copied().unwrap_or(bytes.len());
            let path = partition.path(segment[0].header.base_offset, "log");
            fs::write(path, &bytes[starts[number * 4]..end]).unwrap();
        }
        partition.let_settle();
        if let Some(offset) = checkpoint {
            partition.write_high_watermark(offset);
        }
        let (read, end) = read_both(&partition);
        // Nothing is left out in between but zeros that end a segment. Those may be the end of a
        // batch whose length is wrong now, and so is its checksum.
        let (mut at, mut rest) = (0, read.as_slice());
        while !rest.is_empty() {
            let (batch, behind) = rest.split_at(BatchHeader::parse(rest).unwrap().size());
            if !bytes[at..].starts_with(batch) {
                let next = *starts.iter().step_by(4).find(|start| **start > at).unwrap();
                let left_out = &bytes[at..next];
                prop_assert!(left_out.iter().all(|byte| *byte == 0), "{} at {}", end, at);
                prop_assert!(bytes[next..].starts_with(batch), "{} at {}", end, at);
                at = next;
            }
            (at, rest) = (at + batch.len(), behind);
        }
    }

    #[test]
    fn noise_is_survived(
        log in prop::collection::vec(prop_oneof![Just(0_u8), Just(2), any::<u8>()], 0..400),
        index in prop::collection::vec(any::<u8>(), 0..64),
        sealed in any::<bool>(),
        timestamp in any::<i64>(),
    ) {
        let (_dir, partition) = partition("noise");
        if sealed {
            partition.write_segment(&[batch(1000, &[5], 8, Codec::None)]);
        }
        fs::write(partition.path(0, "log"), log).unwrap();
        fs::write(partition.path(0, "index"), &index).unwrap();
        fs::write(partition.path(0, "timeindex"), &index).unwrap();
        read_both(&partition);
        // An error or an answer, as it may be.
        let _ = partition.open(ReadMode::Auto).offset_for_time(timestamp);
    }
}
