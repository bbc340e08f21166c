//! Log directories are read as they were written, in both modes, and followed as they change.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod log_files;
#[path = "support/temp_dir.rs"]
mod temp_dir;

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use kfetch::ErrorKind;
use kfetch::log::{
    Chunk, LogDirs, LogTopic, LogWriter, LogWriterOptions, ReadMode, ScanItem, SegmentScan,
};
use kfetch::record::{BatchHeader, Codec, NewRecord, verify_crc};
use log_files::{BOTH_MODES, Batch, Partition, Source, TOPIC, batch, batches, concat};
use temp_dir::TempDir;

fn partition(name: &str) -> (TempDir, Partition) {
    let dir = TempDir::new(name);
    let partition = Partition::new(dir.path());
    (dir, partition)
}

fn is_end_at(chunk: &Chunk, wanted: i64) -> bool {
    matches!(chunk, Chunk::End { offset } if *offset == wanted)
}

fn is_out_of_range(chunk: &Chunk, wanted: (i64, i64)) -> bool {
    matches!(chunk, Chunk::OutOfRange { start, end } if (*start, *end) == wanted)
}

#[test]
fn segments_are_read_in_order_in_both_modes() {
    let batches = batches(40, 7, 100);
    let (_dir, partition) = partition("in-order");
    for segment in batches.chunks(9) {
        partition.write_segment(segment);
    }
    for mode in BOTH_MODES {
        for max_bytes in [1, 2000, 1 << 20] {
            let mut reader = partition.open(mode);
            assert_eq!((reader.log_start_offset(), reader.high_watermark()), (0, 280));
            let (read, end) = Source::new(max_bytes).read_all(&mut reader);
            assert!(is_end_at(&end, 280), "{mode:?} {max_bytes}: {end:?}");
            assert!(read == concat(&batches), "{mode:?} {max_bytes}");
        }
    }
}

#[test]
fn only_sealed_segments_are_mapped_and_only_where_nobody_truncates() {
    let batches = batches(10, 3, 100);
    let (_dir, partition) = partition("mapped");
    partition.write_segment(&batches[..5]);
    partition.write_segment(&batches[5..]);
    let is_mapped = |mode: ReadMode, offset: i64| {
        let mut reader = partition.open(mode);
        reader.seek(offset);
        match Source::new(1 << 20).read(&mut reader) {
            Chunk::Run { bytes, .. } => bytes.is_mapped(),
            other => panic!("{other:?}"),
        }
    };
    assert!(is_mapped(ReadMode::Auto, 0) && is_mapped(ReadMode::Mmap, 0));
    assert!(!is_mapped(ReadMode::Pread, 0));
    assert!(!is_mapped(ReadMode::Mmap, 20), "the active segment");
    partition.write_meta_properties();
    assert!(!is_mapped(ReadMode::Auto, 0), "a broker's directory");
    assert!(is_mapped(ReadMode::Mmap, 0));
}

/// Seeks to every offset and one beyond, and asserts that the batch that holds it comes first.
fn assert_seeks(partition: &Partition, batches: &[Batch], what: &str) {
    let end = batches.last().unwrap().header.next_offset();
    for mode in BOTH_MODES {
        let mut reader = partition.open(mode);
        let mut source = Source::new(4000);
        assert_eq!(reader.high_watermark(), end, "{what}");
        for offset in 0..end {
            reader.seek(offset);
            let Chunk::Run { bytes, from_offset, .. } = source.read(&mut reader) else {
                panic!("{what}: nothing at {offset}");
            };
            let header = BatchHeader::parse(&bytes).unwrap();
            assert_eq!(from_offset, offset);
            assert!(header.base_offset <= offset && offset < header.next_offset(), "{what}");
        }
        reader.seek(end + 1);
        assert!(is_out_of_range(&source.read(&mut reader), (0, end)), "{what}");
        reader.seek(-5);
        assert!(is_out_of_range(&source.read(&mut reader), (0, end)), "{what}");
    }
}

#[test]
fn an_index_is_only_a_hint() {
    let batches = batches(24, 5, 200);
    let (_dir, partition) = partition("hint");
    partition.write_segment(&batches[..12]);
    partition.write_segment(&batches[12..]);
    let good = fs::read(partition.path(0, "index")).unwrap();
    let other = fs::read(partition.path(60, "index")).unwrap();
    let entry =
        |relative: i32, position: i32| [relative.to_be_bytes(), position.to_be_bytes()].concat();
    let first_len = i32::try_from(batches[0].bytes.len()).unwrap();
    let noise = |seed: u32| -> Vec<u8> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        };
        (0..4001).map(|_| next()).collect()
    };
    let states: Vec<(&str, Option<Vec<u8>>)> = vec![
        ("good", Some(good.clone())),
        ("absent", None),
        ("empty", Some(Vec::new())),
        ("of another segment", Some(other.repeat(2))),
        ("zeros", Some(vec![0; 40_000])),
        ("zeros behind", Some([good.clone(), vec![0; 40_000]].concat())),
        ("cut inside of an entry", Some(good[..good.len() - 3].to_vec())),
        ("into a batch", Some(entry(9, first_len + 7))),
        ("one batch too far", Some(entry(4, first_len))),
        ("past the end", Some(entry(2, 1 << 30))),
        ("negative", Some(entry(2, -8))),
        ("ones", Some(vec![0xff; 800])),
        ("noise", Some(noise(1))),
        ("other noise", Some(noise(77))),
        ("backwards", Some(good.chunks(8).rev().flatten().copied().collect())),
    ];
    for (what, bytes) in states {
        for base_offset in [0, 60] {
            let path = partition.path(base_offset, "index");
            match &bytes {
                Some(bytes) => fs::write(path, bytes).unwrap(),
                None => drop(fs::remove_file(path)),
            }
        }
        assert_seeks(&partition, &batches, what);
    }
}

#[test]
fn compacted_segments_have_gaps_and_empty_batches() {
    let all = batches(30, 4, 50);
    let empty = |batch: &Batch| {
        let mut header = batch.header;
        (header.batch_length, header.record_count) = (49, 0);
        Batch { bytes: header.to_bytes().to_vec(), header }
    };
    let mut kept: Vec<Batch> = Vec::new();
    for (number, batch) in all.iter().enumerate() {
        match number % 5 {
            0 | 3 => {}
            1 => kept.push(empty(batch)),
            _ => kept.push(batch.clone()),
        }
    }
    let (_dir, partition) = partition("compacted");
    // Each segment keeps its name, though its first batches and its last ones are gone.
    for (number, segment) in all.chunks(10).enumerate() {
        let base_offset = segment[0].header.base_offset;
        let bytes = concat(&kept[number * 6..][..6]);
        fs::write(partition.path(base_offset, "log"), bytes).unwrap();
    }
    for mode in BOTH_MODES {
        let mut reader = partition.open(mode);
        let (read, end) = Source::new(300).read_all(&mut reader);
        assert!(is_end_at(&end, 120), "{end:?}");
        assert!(read == concat(&kept));
        // A position in a gap begins with the batch behind it.
        for (offset, found) in [(33, 36), (40, 44), (0, 4)] {
            reader.seek(offset);
            let Chunk::Run { bytes, from_offset, .. } = Source::new(1).read(&mut reader) else {
                panic!("a batch");
            };
            assert_eq!(from_offset, offset);
            assert_eq!(BatchHeader::parse(&bytes).unwrap().base_offset, found);
        }
    }
}

#[test]
fn segments_that_compaction_has_emptied_are_passed() {
    let batches = batches(30, 4, 50);
    let (_dir, partition) = partition("emptied");
    for (number, segment) in batches.chunks(3).enumerate() {
        partition.write_segment(segment);
        if number != 4 && number != 9 {
            fs::write(partition.path(segment[0].header.base_offset, "log"), "").unwrap();
        }
    }
    for mode in BOTH_MODES {
        let mut reader = partition.open(mode);
        let (read, end) = Source::new(1).read_all(&mut reader);
        assert!(is_end_at(&end, 120), "{end:?}");
        assert!(read == [concat(&batches[12..15]), concat(&batches[27..])].concat());
        assert_eq!(reader.offset_for_time(0).unwrap(), Some((48, 1480)));
    }
}

#[test]
fn nothing_at_or_above_the_high_watermark_is_read() {
    let batches = batches(20, 5, 100);
    let (_dir, partition) = partition("watermark");
    partition.write_segment(&batches[..10]);
    partition.write_segment(&batches[10..]);
    for mode in BOTH_MODES {
        partition.write_high_watermark(30);
        let mut reader = partition.open(mode);
        let mut source = Source::new(1 << 20);
        assert_eq!(reader.high_watermark(), 30);
        let (read, end) = source.read_all(&mut reader);
        assert!(is_end_at(&end, 30) && read == concat(&batches[..6]), "{end:?}");
        // A bound inside of a batch leaves the whole batch out.
        partition.write_high_watermark(57);
        assert!(is_end_at(&source.read(&mut reader), 30), "before it looks again");
        reader.refresh().unwrap();
        let (read, end) = source.read_all(&mut reader);
        assert!(is_end_at(&end, 55) && read == concat(&batches[6..11]), "{end:?}");
        // A checkpoint that is behind the position is no reason to go back.
        reader.seek(80);
        assert!(is_end_at(&source.read(&mut reader), 80));
        reader.seek(101);
        assert!(is_out_of_range(&source.read(&mut reader), (0, 57)));
        partition.write_high_watermark(100);
        reader.seek(80);
        reader.refresh().unwrap();
        let (read, end) = source.read_all(&mut reader);
        assert!(is_end_at(&end, 100) && read == concat(&batches[16..]), "{end:?}");
    }
}

#[test]
fn deleted_records_are_out_of_range() {
    let batches = batches(20, 5, 100);
    let (_dir, partition) = partition("log-start");
    partition.write_segment(&batches[..10]);
    partition.write_segment(&batches[10..]);
    partition.write_high_watermark(100);
    partition.write_log_start(13);
    for mode in BOTH_MODES {
        let mut reader = partition.open(mode);
        let mut source = Source::new(1);
        assert_eq!((reader.log_start_offset(), reader.position()), (13, 13));
        let Chunk::Run { bytes, from_offset: 13, next_offset: 15 } = source.read(&mut reader)
        else {
            panic!("the batch that holds the start");
        };
        assert_eq!(BatchHeader::parse(&bytes).unwrap().base_offset, 10);
        partition.write_log_start(50);
        reader.refresh().unwrap();
        assert!(is_out_of_range(&source.read(&mut reader), (50, 100)), "in an open segment too");
        partition.write_log_start(13);
    }
}

#[test]
fn retention_takes_names_but_not_open_segments() {
    let batches = batches(40, 5, 100);
    for mode in BOTH_MODES {
        let (_dir, partition) = partition("retention");
        for segment in batches.chunks(10) {
            partition.write_segment(segment);
        }
        let mut reader = partition.open(mode);
        let mut source = Source::new(1000);
        let mut read = Vec::new();
        let run = |chunk: Chunk| match chunk {
            Chunk::Run { bytes, .. } => bytes.to_vec(),
            other => panic!("{other:?}"),
        };
        read.extend(run(source.read(&mut reader)));
        let remove = |base_offset: i64, looks: bool, reader: &mut kfetch::log::PartitionReader| {
            let path = partition.path(base_offset, "log");
            fs::rename(&path, path.with_extension("log.deleted")).unwrap();
            fs::remove_file(partition.path(base_offset, "index")).unwrap();
            if looks {
                reader.refresh().unwrap();
            }
        };
        remove(0, true, &mut reader);
        assert_eq!(reader.log_start_offset(), 50);
        while reader.position() < 55 {
            read.extend(run(source.read(&mut reader)));
        }
        // The reader has the second segment open; it hears of neither removal.
        remove(50, false, &mut reader);
        remove(100, false, &mut reader);
        let (rest, end) = source.read_all(&mut reader);
        read.extend(rest);
        assert!(is_out_of_range(&end, (150, 200)), "{end:?}");
        assert!(read == concat(&batches[..20]));
        reader.seek(150);
        assert!(source.read_all(&mut reader).0 == concat(&batches[30..]));
        reader.seek(60);
        assert!(is_out_of_range(&source.read(&mut reader), (150, 200)));
    }
}

#[test]
fn a_growing_log_is_followed_byte_by_byte() {
    let batches = batches(6, 3, 20);
    let all = concat(&batches);
    let ends: Vec<usize> = (0..=6).map(|count| concat(&batches[..count]).len()).collect();
    for mode in BOTH_MODES {
        let (_dir, partition) = partition("growing");
        let mut reader = partition.open(mode);
        let mut source = Source::new(1 << 20);
        assert!(is_end_at(&source.read(&mut reader), 0), "no segment yet");
        let (mut delivered, mut written) = (Vec::new(), 0);
        for segment in batches.chunks(3) {
            let file = File::create(partition.path(segment[0].header.base_offset, "log")).unwrap();
            for (at, byte) in (0..).zip(concat(segment)) {
                file.write_all_at(&[byte], at).unwrap();
                written += 1;
                reader.refresh().unwrap();
                let (read, end) = source.read_all(&mut reader);
                delivered.extend(read);
                let whole = *ends.iter().rfind(|end| **end <= written).unwrap();
                assert_eq!(delivered.len(), whole, "{written}");
                assert!(is_end_at(&end, reader.high_watermark()), "{end:?}");
            }
        }
        assert!(delivered == all);
    }
}

#[test]
fn a_batch_whose_body_comes_late_is_waited_for() {
    let batches = batches(3, 10, 100);
    for mode in BOTH_MODES {
        let (_dir, partition) = partition("late");
        let bytes = concat(&batches);
        let body = bytes.len() - 200..bytes.len();
        let mut early = bytes.clone();
        early[body].fill(0);
        fs::write(partition.path(0, "log"), &early).unwrap();
        let mut reader = partition.open(mode);
        let mut source = Source::new(1 << 20);
        let (read, end) = source.read_all(&mut reader);
        assert!(is_end_at(&end, 20) && read == concat(&batches[..2]), "{end:?}");
        fs::write(partition.path(0, "log"), &bytes).unwrap();
        reader.refresh().unwrap();
        let (read, end) = source.read_all(&mut reader);
        assert!(is_end_at(&end, 30) && read == batches[2].bytes, "{end:?}");
        // In a file at rest a wrong checksum is damage, which whoever decodes has to see.
        fs::write(partition.path(0, "log"), &early).unwrap();
        partition.let_settle();
        assert!(source.read_all(&mut partition.open(mode)).0 == early);
    }
}

#[test]
fn a_compacted_segment_is_found_before_and_after_it_has_its_name() {
    let batches = batches(30, 5, 100);
    let compacted: Vec<Batch> = batches[..20].iter().skip(1).step_by(2).cloned().collect();
    for mode in BOTH_MODES {
        let (_dir, partition) = partition("compaction");
        for segment in batches.chunks(10) {
            partition.write_segment(segment);
        }
        let mut reader = partition.open(mode);
        let mut source = Source::new(1);
        assert!(matches!(source.read(&mut reader), Chunk::Run { next_offset: 5, .. }));
        // As the cleaner goes about it: the new file waits, the old ones go, the new one moves up.
        let waiting = partition.path(0, "log.swap");
        fs::write(&waiting, concat(&compacted)).unwrap();
        fs::remove_file(partition.path(0, "log")).unwrap();
        fs::remove_file(partition.path(50, "log")).unwrap();
        reader.refresh().unwrap();
        assert_eq!(reader.log_start_offset(), 0);
        let mut other = partition.open(mode);
        let (read, _) = source.read_all(&mut other);
        assert!(read == [concat(&compacted), concat(&batches[20..])].concat());
        fs::rename(&waiting, partition.path(0, "log")).unwrap();
        // The open file is read to its end, then the new one of the same name from there on.
        let (read, end) = source.read_all(&mut reader);
        assert!(is_end_at(&end, 150), "{end:?}");
        let expected =
            [concat(&batches[1..10]), concat(&compacted[5..]), concat(&batches[20..])].concat();
        assert!(read == expected);
    }
}

#[test]
fn blocks_fit_the_batches_and_the_budget() {
    let mut next_offset = 0;
    let sizes = [100, 300_000, 700_000, 1_000_000, 3_000_000, 50, 20_000_000, 10];
    let batches: Vec<Batch> = sizes
        .into_iter()
        .map(|size| {
            let batch = batch(next_offset, &[1, 2], size / 2, Codec::None);
            next_offset = batch.header.next_offset();
            batch
        })
        .collect();
    let (_dir, partition) = partition("blocks");
    partition.write_segment(&batches);
    let budget = kfetch::buffer::Budget::new(2 << 20, Box::new(|| {}));
    let mut source = Source::new(1 << 20);
    source.budget = budget;
    let mut reader = partition.open(ReadMode::Pread);
    let (read, end) = source.read_all(&mut reader);
    assert!(is_end_at(&end, 16) && read == concat(&batches), "{end:?}");
    assert_eq!(source.budget.used(), 0);
    // What somebody holds is not there for the next block, nor may it be overdrawn.
    reader.seek(0);
    let Chunk::Run { bytes: held, .. } = source.read(&mut reader) else { panic!("a run") };
    reader.seek(12);
    let chunk = source.read(&mut reader);
    assert!(matches!(chunk, Chunk::NoCredit { wanted_bytes } if wanted_bytes == 2 << 20));
    drop(held);
    assert!(matches!(source.read(&mut reader), Chunk::Run { next_offset: 14, .. }));
    // With less than a full block to be had, a smaller one does.
    let kept = [1 << 20, 1 << 19].map(|bytes| source.pool.try_block(bytes, &source.budget));
    assert!(kept.iter().all(Option::is_some));
    reader.seek(0);
    assert!(matches!(source.read(&mut reader), Chunk::Run { next_offset: 4, .. }));
}

#[test]
fn what_the_writer_publishes_is_followed() {
    for codec in Codec::ALL {
        let (_dir, partition) = partition("writer");
        let options = LogWriterOptions {
            codec,
            batch_bytes: 2000,
            segment_bytes: 6000,
            index_interval_bytes: 500,
            ..LogWriterOptions::default()
        };
        let mut writer = LogWriter::open(&partition.log_dir, TOPIC, 0, options).unwrap();
        let mut readers =
            [ReadMode::Auto, ReadMode::Mmap, ReadMode::Pread].map(|mode| partition.open(mode));
        let mut source = Source::new(1 << 20);
        let mut read = [const { Vec::new() }; 3];
        for step in 0..30 {
            let values: Vec<String> =
                (0..50).map(|n| format!("{step} {n} {}", (step + n) * 7_919_317)).collect();
            let records: Vec<NewRecord<'_>> = (0..)
                .zip(&values)
                .map(|(n, value)| NewRecord {
                    timestamp: 1000 + step * 50 + n,
                    value: Some(value.as_bytes()),
                    ..NewRecord::default()
                })
                .collect();
            assert_eq!(writer.append(&records).unwrap(), step * 50);
            writer.flush(false).unwrap();
            for (reader, read) in readers.iter_mut().zip(&mut read) {
                reader.refresh().unwrap();
                assert_eq!(reader.high_watermark(), step * 50 + 50);
                let (bytes, end) = source.read_all(reader);
                assert!(is_end_at(&end, step * 50 + 50), "{end:?}");
                read.extend(bytes);
            }
        }
        writer.close().unwrap();
        assert!(read[0] == read[1] && read[1] == read[2], "{codec}");
        assert_eq!(readers[0].offset_for_time(2000).unwrap(), Some((1000, 2000)));
        assert_segments_whole(&partition, &read[0]);
    }
}

/// The segments of a partition, one behind the other, are `expected`, without a fault.
fn assert_segments_whole(partition: &Partition, expected: &[u8]) {
    let entries = fs::read_dir(partition.directory()).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|suffix| suffix == "log"));
    paths.sort();
    assert!(paths.len() > 2, "{} segments", paths.len());
    let mut found = Vec::new();
    for item in paths.iter().flat_map(|path| SegmentScan::open(path).unwrap()) {
        let ScanItem::Batch { bytes, .. } = item else { panic!("{item:?}") };
        assert!(verify_crc(&bytes));
        found.extend_from_slice(&bytes);
    }
    assert!(found == expected);
}

#[test]
fn directories_are_listed_by_exact_names() {
    let one = TempDir::new("dirs");
    let other = TempDir::new("dirs");
    for name in ["b-1", "b-0", "a.x-3", "b-2.0123456789abcdef-future", "b-7.01-delete", "c"] {
        fs::create_dir(one.path().join(name)).unwrap();
    }
    fs::write(one.path().join("d-0"), "a file").unwrap();
    fs::create_dir(other.path().join("b-2")).unwrap();
    let paths = [one.path().to_owned(), other.path().to_owned()];
    let dirs = LogDirs::open(&paths).unwrap();
    let topic = |name: &str, partitions: &[i32]| LogTopic {
        name: name.to_owned(),
        partitions: partitions.to_vec(),
        found_twice: None,
    };
    assert_eq!(dirs.topics().unwrap(), [topic("a.x", &[3]), topic("b", &[0, 1, 2])]);
    let having = |topic: &str| dirs.having(topic).unwrap();
    assert_eq!((having("a.x"), having("b")), (vec![one.path()], vec![one.path(), other.path()]));
    assert!(having("d").is_empty() && having("a").is_empty());
    let found = dirs.partition("b", 2).unwrap().unwrap();
    assert_eq!((found.path, found.is_broker), (other.path().join("b-2"), false));
    for (topic, partition) in [("b", 3), ("d", 0), ("c", 0), ("..", 0), ("b", -1), ("x/b", 1)] {
        assert!(dirs.partition(topic, partition).unwrap().is_none(), "{topic}-{partition}");
    }
}

#[test]
fn a_partition_in_two_directories_is_an_error_of_its_own_topic() {
    let (one, other) = (TempDir::new("dirs"), TempDir::new("dirs"));
    let paths = [one.path().to_owned(), other.path().to_owned()];
    for name in ["a-0", "b-0", "b-2", "c-0"] {
        fs::create_dir(one.path().join(name)).unwrap();
    }
    for name in ["a-1", "b-1", "b-2"] {
        fs::create_dir(other.path().join(name)).unwrap();
    }
    let dirs = LogDirs::open(&paths).unwrap();
    let mut topics = dirs.topics().unwrap();
    let twice = topics[1].found_twice.take().unwrap();
    for error in [twice, dirs.partition("b", 2).unwrap_err()] {
        let text = error.to_string();
        assert!(paths.iter().all(|path| text.contains(path.to_str().unwrap())), "{text}");
        assert_eq!((error.topic(), error.partition()), (Some("b"), 2));
        assert_eq!(error.kind(), ErrorKind::Config);
    }
    let numbers = |topic: &LogTopic| topic.partitions.clone();
    assert_eq!(
        topics.iter().map(numbers).collect::<Vec<_>>(),
        [vec![0, 1], vec![0, 1, 2], vec![0]]
    );
    assert!(topics.iter().all(|topic| topic.found_twice.is_none()));
    assert!(dirs.partition("b", 1).unwrap().is_some());
}

#[test]
fn one_directory_by_two_paths_is_refused() {
    let dir = TempDir::new("dirs");
    let (path, link) = (dir.path().join("d"), dir.path().join("link"));
    fs::create_dir(&path).unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    for other in [link, dir.path().join("./d/../d"), path.clone()] {
        let error = LogDirs::open(&[path.clone(), dir.path().to_owned(), other.clone()]);
        let error = error.unwrap_err();
        let (one, other) = (path.display(), other.display());
        let text = format!("given twice: {one} and {other} are one directory");
        assert!(error.to_string().ends_with(&text), "{error}");
        assert_eq!(error.kind(), ErrorKind::Config);
    }
}

#[test]
fn what_is_no_log_directory_is_named() {
    let dir = TempDir::new("no-dirs");
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [dir.path().join("missing"), file] {
        let error = LogDirs::open(std::slice::from_ref(&path)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
    let partition = Partition::new(dir.path());
    let mut reader = partition.open(ReadMode::Auto);
    fs::write(dir.path().join("replication-offset-checkpoint"), "nonsense").unwrap();
    let error = reader.refresh().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("replication-offset-checkpoint"), "{error}");
    fs::remove_file(dir.path().join("replication-offset-checkpoint")).unwrap();
    reader.refresh().unwrap();
    fs::create_dir(partition.path(3, "log")).unwrap();
    reader.refresh().unwrap();
    assert_eq!(reader.log_start_offset(), 0, "a directory is no segment");
    fs::remove_dir_all(partition.directory()).unwrap();
    let error = reader.refresh().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownTopicOrPartition);
    assert_eq!((error.topic(), error.partition()), (Some(TOPIC), 0));
}
