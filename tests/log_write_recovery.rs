//! What the log writer makes of what its predecessor has left: torn tails, damage, lost files, and
//! a process that was killed at any moment.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod log_write_files;
mod record_naive;
mod support;

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use kfetch::record::NewRecord;
use kfetch::{Error, ErrorKind, LogWriter, LogWriterOptions};
use log_write_files::{checkpoint, contents, files, read_segments, records};
use proptest::prelude::*;
use support::temp_dir::TempDir;

const HIGH_WATERMARKS: &str = "replication-offset-checkpoint";
const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
const INTERVAL_BYTES: usize = 1000;

/// Does something to a segment's file.
type Damage<'a> = &'a dyn Fn(&Path);

/// Batches of one record, five of them in a segment.
const OPTIONS: LogWriterOptions = LogWriterOptions {
    codec: kfetch::record::Codec::None,
    compression_level: None,
    batch_bytes: 0,
    segment_bytes: 5 * 600,
    index_interval_bytes: 1000,
    flush_bytes: u64::MAX,
    flush_ms: u64::MAX,
};

fn open(log_dir: &Path) -> Result<LogWriter, Error> {
    LogWriter::open(log_dir, "t", 0, OPTIONS)
}

fn append(writer: &mut LogWriter, count: i64) {
    for _ in 0..count {
        let offset = writer.next_offset();
        let value = [u8::try_from(offset).unwrap(); 520];
        let record = NewRecord { timestamp: offset, value: Some(&value), ..Default::default() };
        assert_eq!(writer.append(&[record]).unwrap(), offset);
    }
}

/// Writes a log of `count` records, those before `synced` flushed with sync, and closes it.
fn log(count: i64, synced: i64) -> (TempDir, PathBuf) {
    let dir = TempDir::new("log-write-recovery");
    let mut writer = open(dir.path()).unwrap();
    append(&mut writer, synced);
    if synced > 0 {
        writer.flush(true).unwrap();
    }
    append(&mut writer, count - synced);
    writer.close().unwrap();
    let partition = dir.path().join("t-0");
    (dir, partition)
}

/// Opens the log, which must end at `end`, appends to it and checks all that is there.
fn check_goes_on(log_dir: &Path, end: i64) {
    let mut writer = open(log_dir).unwrap();
    assert_eq!(writer.next_offset(), end);
    assert_eq!(checkpoint(log_dir, HIGH_WATERMARKS, "t", 0), Some(end));
    append(&mut writer, 7);
    writer.close().unwrap();
    let found = records(&read_segments(&log_dir.join("t-0"), INTERVAL_BYTES));
    assert_eq!(found.len(), usize::try_from(end + 7).unwrap());
    for (offset, record) in (0..).zip(&found) {
        assert_eq!((record.offset, record.timestamp), (offset, offset));
        assert_eq!(record.value, Some(vec![u8::try_from(offset).unwrap(); 520]));
    }
}

/// The file of the last segment's batches, and how long it is.
fn last_log(partition: &Path) -> (PathBuf, u64) {
    let path = files(partition, "log").pop().unwrap();
    let len = fs::metadata(&path).unwrap().len();
    (path, len)
}

fn set_len(path: &Path, len: u64) {
    OpenOptions::new().write(true).open(path).unwrap().set_len(len).unwrap();
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_log_cut_at_any_byte_of_its_last_batch_goes_on_without_it() {
    let (dir, partition) = log(3, 0);
    let (path, len) = last_log(&partition);
    let whole = fs::read(&path).unwrap();
    for cut in (len / 3 * 2..len).step_by(17).chain([len - 1]) {
        fs::write(&path, &whole[..usize::try_from(cut).unwrap()]).unwrap();
        let writer = open(dir.path()).unwrap();
        assert_eq!(writer.next_offset(), 2, "cut at {cut}");
        drop(writer);
        assert_eq!(last_log(&partition).1, len / 3 * 2);
    }
    check_goes_on(dir.path(), 2);
}

#[test]
fn what_is_no_batch_behind_the_last_one_is_cut_off() {
    let whole_batch = {
        let (_dir, partition) = log(1, 0);
        fs::read(files(&partition, "log").remove(0)).unwrap()
    };
    let mut bad_checksum = whole_batch.clone();
    bad_checksum[7] = 3;
    bad_checksum[100] ^= 1;
    let mut too_long = whole_batch.clone();
    too_long[7] = 3;
    too_long[8] = 0x7f;
    let tails = [
        ("zeros", vec![0; 5000]),
        ("few zeros", vec![0; 3]),
        ("noise", (0..3000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect()),
        ("an offset that was there", whole_batch),
        ("a batch with another checksum", bad_checksum),
        ("a length past the end", too_long),
    ];
    for (name, tail) in tails {
        let (dir, partition) = log(3, 3);
        let (path, len) = last_log(&partition);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(&tail).unwrap();
        drop(open(dir.path()).unwrap());
        assert_eq!(last_log(&partition).1, len, "{name}");
        check_goes_on(dir.path(), 3);
    }
}

#[test]
fn indexes_that_do_not_fit_are_made_anew() {
    for ending in ["index", "timeindex"] {
        let (dir, partition) = log(9, 0);
        let good = contents(&partition);
        let path = files(&partition, ending).pop().unwrap();
        let damages: [&dyn Fn(); 5] = [
            &|| fs::remove_file(&path).unwrap(),
            &|| fs::write(&path, "").unwrap(),
            &|| fs::write(&path, "no index of any kind").unwrap(),
            &|| set_len(&path, 10 << 20),
            &|| flip(&path, 3),
        ];
        for damage in damages {
            damage();
            assert_ne!(contents(&partition), good);
            drop(open(dir.path()).unwrap());
            assert!(contents(&partition) == good, "{ending}");
        }
        check_goes_on(dir.path(), 9);
    }
}

#[test]
fn damage_in_a_sealed_segment_that_was_not_synced_ends_the_log_there() {
    let (dir, partition) = log(23, 2);
    let logs = files(&partition, "log");
    assert_eq!(logs.len(), 5);
    let batch = usize::try_from(fs::metadata(&logs[0]).unwrap().len() / 5).unwrap();
    flip(&logs[1], 2 * batch + 300);
    drop(open(dir.path()).unwrap());
    assert_eq!(files(&partition, "log"), logs[..2]);
    check_goes_on(dir.path(), 7);
    // In a segment's first batch: the segment stays, with nothing in it.
    let logs = files(&partition, "log");
    fs::write(dir.path().join(RECOVERY_POINTS), "0\n1\nt 0 1\n").unwrap();
    flip(&logs[1], 300);
    check_goes_on(dir.path(), 5);
}

#[test]
fn damage_in_what_was_synced_is_an_error_and_nothing_is_changed() {
    // The last segment has three batches, of this many bytes each.
    let batch = {
        let (_dir, partition) = log(18, 18);
        usize::try_from(last_log(&partition).1 / 3).unwrap()
    };
    let cut = |path: &Path, batches: usize, more: u64| {
        set_len(path, u64::try_from(batches * batch).unwrap() + more);
    };
    let cases: [(i64, Damage<'_>); 5] = [
        (15, &|path| flip(path, 8)),
        (16, &|path| flip(path, batch + 8)),
        (16, &|path| cut(path, 1, 70)),
        (17, &|path| cut(path, 2, 0)),
        (15, &|path| cut(path, 0, 0)),
    ];
    for (end, damage) in cases {
        let (dir, partition) = log(18, 18);
        damage(&last_log(&partition).0);
        let before = contents(&partition);
        let error = open(dir.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert_eq!((error.topic(), error.partition()), (Some("t"), 0));
        assert_eq!(error.offset(), end, "{error}");
        assert!(contents(&partition) == before);
    }
}

#[test]
fn a_partition_that_was_removed_begins_anew() {
    let (dir, partition) = log(8, 8);
    assert_eq!(checkpoint(dir.path(), RECOVERY_POINTS, "t", 0), Some(8));
    fs::remove_dir_all(&partition).unwrap();
    let writer = open(dir.path()).unwrap();
    assert_eq!(checkpoint(dir.path(), RECOVERY_POINTS, "t", 0), Some(0));
    drop(writer);
    check_goes_on(dir.path(), 0);
}

#[test]
fn checkpoints_that_cannot_be_read_cost_nothing_but_reading() {
    let (dir, _) = log(8, 8);
    for name in [HIGH_WATERMARKS, RECOVERY_POINTS] {
        fs::write(dir.path().join(name), "").unwrap();
    }
    drop(open(dir.path()).unwrap());
    for name in [HIGH_WATERMARKS, RECOVERY_POINTS] {
        fs::write(dir.path().join(name), "0\n5\nnonsense\n").unwrap();
    }
    check_goes_on(dir.path(), 8);
    open(dir.path()).unwrap().flush(true).unwrap();
    assert_eq!(checkpoint(dir.path(), RECOVERY_POINTS, "t", 0), Some(15));
}

#[test]
fn an_empty_last_segment_and_indexes_without_a_log_are_taken_in() {
    let (dir, partition) = log(5, 0);
    File::create(partition.join("00000000000000000005.log")).unwrap();
    fs::write(partition.join("00000000000000000099.index"), [1; 8]).unwrap();
    fs::write(partition.join("00000000000000000099.timeindex"), [1; 12]).unwrap();
    drop(open(dir.path()).unwrap());
    assert_eq!(files(&partition, "index").len(), 2);
    assert_eq!(files(&partition, "timeindex").len(), 2);
    check_goes_on(dir.path(), 5);
}

#[test]
fn leader_epochs_of_a_log_that_somebody_else_began_do_not_fall() {
    let (dir, partition) = log(5, 0);
    let (path, len) = last_log(&partition);
    let mut bytes = fs::read(&path).unwrap();
    let last = usize::try_from(len / 5 * 4).unwrap();
    bytes[last + 15] = 9; // outside of the checksum
    fs::write(&path, bytes).unwrap();
    File::create(partition.join("00000000000000000005.log")).unwrap();
    let mut writer = open(dir.path()).unwrap();
    append(&mut writer, 1);
    writer.close().unwrap();
    let segments = read_segments(&partition, INTERVAL_BYTES);
    assert_eq!(segments[1].batches[0].header.partition_leader_epoch, 9);
}

#[test]
fn segments_of_older_formats_are_refused_and_kept() {
    for magic in [0, 1] {
        let dir = TempDir::new("log-write-recovery");
        let partition = dir.path().join("t-0");
        fs::create_dir_all(&partition).unwrap();
        let mut message = vec![0; 40];
        (message[11], message[16]) = (28, magic);
        fs::write(partition.join("00000000000000000000.log"), &message).unwrap();
        let error = open(dir.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert_eq!(fs::read(files(&partition, "log").remove(0)).unwrap(), message);
    }
}

#[test]
fn a_second_writer_of_a_partition_is_refused() {
    let dir = TempDir::new("log-write-recovery");
    let first = open(dir.path()).unwrap();
    for _ in 0..2 {
        let error = open(dir.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Locked);
        assert_eq!((error.topic(), error.partition()), (Some("t"), 0));
    }
    let other = LogWriter::open(dir.path(), "t", 1, OPTIONS).unwrap();
    first.close().unwrap();
    drop(open(dir.path()).unwrap());
    drop(other);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Whatever happens to the bytes behind the recovery point, what lies before the damage stays.
    #[test]
    fn any_damage_behind_the_last_sync_leaves_what_lies_before_it(
        count in 1..30_i64,
        synced in 0..30_i64,
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        is_cut in any::<bool>(),
    ) {
        let synced = synced.min(count);
        let (dir, partition) = log(count, synced);
        let segments = read_segments(&partition, INTERVAL_BYTES);
        let batches: Vec<(i64, usize, usize)> = segments
            .iter()
            .flat_map(|segment| segment.batches.iter().map(|batch| {
                (segment.base_offset, batch.position, batch.header.size())
            }))
            .collect();
        let unsynced = &batches[usize::try_from(synced).unwrap()..];
        prop_assume!(!unsynced.is_empty());
        let total: usize = unsynced.iter().map(|batch| batch.2).sum();
        let mut at = place.index(total);
        let mut lost = synced;
        for (base_offset, position, size) in unsynced {
            if at >= *size {
                at -= size;
                lost += 1;
                continue;
            }
            let path = partition.join(format!("{base_offset:020}.log"));
            let mut bytes = fs::read(&path).unwrap();
            let is_leader_epoch = (12..16).contains(&at);
            if is_cut {
                bytes.truncate(position + at);
            } else {
                // No checksum covers the leader epoch.
                prop_assume!(!is_leader_epoch && bytes[position + at] != byte);
                bytes[position + at] = byte;
            }
            let is_unnoticed = is_cut && at == 0 && position + size != bytes.len();
            fs::write(&path, bytes).unwrap();
            // A cut between batches of a sealed segment looks like compaction.
            let is_last = Some(&path) == files(&partition, "log").last();
            prop_assume!(!is_unnoticed || is_last);
            break;
        }
        check_goes_on(dir.path(), lost);
    }
}
