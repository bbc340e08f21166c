//! A scan tells each batch of a file, and each thing that is wrong with it or with its indexes.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod log_files;
#[path = "support/temp_dir.rs"]
mod temp_dir;

use std::fs;
use std::path::Path;

use kfetch::log::{ScanItem, SegmentScan};
use kfetch::record::verify_crc;
use log_files::{Batch, Partition, batches, concat};
use proptest::prelude::*;
use temp_dir::TempDir;

/// Scans a file; returns its batches' bytes and the faults' positions and texts.
fn scan(path: &Path) -> (Vec<u8>, Vec<(u64, String)>, u64) {
    let mut scan = SegmentScan::open(path).unwrap();
    let (mut read, mut faults) = (Vec::new(), Vec::new());
    for item in &mut scan {
        match item {
            ScanItem::Batch { position, header, bytes } => {
                assert_eq!(position, read.len() as u64);
                assert_eq!(header.size(), bytes.len());
                read.extend_from_slice(&bytes);
            }
            ScanItem::Fault { position, text, .. } => faults.push((position, text)),
        }
    }
    (read, faults, scan.tail_bytes())
}

fn written(name: &str) -> (TempDir, Partition, Vec<Batch>) {
    let dir = TempDir::new(name);
    let partition = Partition::new(dir.path());
    let batches = batches(12, 3, 40);
    partition.write_segment(&batches[..9]);
    partition.write_segment(&batches[9..]);
    (dir, partition, batches)
}

#[test]
fn a_segment_in_order_has_no_faults() {
    let (_dir, partition, batches) = written("scan");
    for (base_offset, range) in [(0, 0..9), (27, 9..12)] {
        let (read, faults, tail_bytes) = scan(&partition.path(base_offset, "log"));
        assert!(read == concat(&batches[range]));
        assert_eq!((faults, tail_bytes), (Vec::new(), 0));
    }
    // Room that a broker makes beforehand, and a file that somebody has copied out.
    for suffix in ["index", "timeindex"] {
        let path = partition.path(27, suffix);
        fs::write(&path, [fs::read(&path).unwrap(), vec![0; 1000]].concat()).unwrap();
    }
    assert_eq!(scan(&partition.path(27, "log")).1, []);
    let copy = partition.log_dir.join("copy");
    fs::copy(partition.path(27, "log"), &copy).unwrap();
    assert!(scan(&copy).0 == concat(&batches[9..]));
}

#[test]
fn a_tail_is_a_fault_only_where_the_segment_is_sealed() {
    let (_dir, partition, batches) = written("scan-tail");
    for (base_offset, range, is_sealed) in [(0, 0..9, true), (27, 9..12, false)] {
        let path = partition.path(base_offset, "log");
        let whole = concat(&batches[range.clone()]);
        let last = batches[range.end - 1].bytes.len();
        for bytes in [whole[..whole.len() - 1].to_vec(), [whole.clone(), vec![0; 99]].concat()] {
            fs::write(&path, &bytes).unwrap();
            let (read, faults, tail_bytes) = scan(&path);
            let expected = if bytes.len() < whole.len() { whole.len() - last } else { whole.len() };
            assert_eq!((read.len(), tail_bytes), (expected, (bytes.len() - expected) as u64));
            let in_log = faults.iter().filter(|(_, text)| !text.contains("index")).count();
            assert_eq!(in_log, usize::from(is_sealed), "{faults:?}");
        }
    }
}

#[test]
fn entries_that_name_no_batch_are_faults() {
    let (_dir, partition, batches) = written("scan-index");
    let log = partition.path(0, "log");
    let second = i32::try_from(batches[0].bytes.len()).unwrap();
    let entry = |relative: i32, position: i32| {
        [relative.to_be_bytes().to_vec(), position.to_be_bytes().to_vec()].concat()
    };
    let time = |timestamp: i64, relative: i32| {
        [timestamp.to_be_bytes().to_vec(), relative.to_be_bytes().to_vec()].concat()
    };
    let good = |suffix| fs::read(partition.path(0, suffix)).unwrap();
    let (index, time_index) = (good("index"), good("timeindex"));
    let cases = [
        ("index", entry(5, second + 1), "no batch begins"),
        ("index", entry(2, second), "begins behind"),
        ("index", entry(90, 1 << 20), "behind the last one"),
        ("index", [entry(5, second), entry(5, second)].concat(), "do not rise"),
        ("timeindex", time(1021, 2), "another timestamp"),
        ("timeindex", time(1020, 90), "behind the last one"),
        ("timeindex", [time(1020, 2), time(1020, 2)].concat(), "do not rise"),
    ];
    for (suffix, bytes, complaint) in cases {
        fs::write(partition.path(0, suffix), bytes).unwrap();
        let (read, faults, _) = scan(&log);
        assert!(read == concat(&batches[..9]), "{complaint}");
        assert_eq!(faults.len(), 1, "{complaint}: {faults:?}");
        assert!(faults[0].1.contains(complaint) && faults[0].1.contains(suffix), "{faults:?}");
        fs::write(partition.path(0, "index"), &index).unwrap();
        fs::write(partition.path(0, "timeindex"), &time_index).unwrap();
    }
    for suffix in ["index", "timeindex"] {
        fs::remove_file(partition.path(0, suffix)).unwrap();
    }
    assert_eq!(scan(&log).1, [], "no index is no fault");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_flipped_bit_is_a_fault_or_a_wrong_checksum(at in 0..4000_usize, bit in 0..8_u32) {
        let (_dir, partition, batches) = written("scan-flip");
        let path = partition.path(0, "log");
        let mut bytes = concat(&batches[..9]);
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        fs::write(&path, &bytes).unwrap();
        let (read, faults, tail_bytes) = scan(&path);
        prop_assert!(bytes.starts_with(&read));
        prop_assert_eq!(read.len() as u64 + tail_bytes, bytes.len() as u64);
        let mut rest = read.as_slice();
        let mut all_right = true;
        while !rest.is_empty() {
            let header = kfetch::record::BatchHeader::parse(rest).unwrap();
            let (batch, behind) = rest.split_at(header.size());
            all_right &= verify_crc(batch);
            rest = behind;
        }
        // Base offset and leader epoch are outside of the checksum, and any value may be right.
        let starts: Vec<usize> = (0..9).map(|n| concat(&batches[..n]).len()).collect();
        let in_batch = at - starts.iter().rfind(|start| **start <= at).unwrap();
        let is_covered = in_batch >= 16 || (8..12).contains(&in_batch);
        prop_assert!(!all_right || !faults.is_empty() || !is_covered);
    }
}
