//! Log directories are read as they were written, in both modes, whatever state their files are in.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod log_files;
#[path = "support/temp_dir.rs"]
mod temp_dir;

use kfetch::log::Chunk;
use log_files::{BOTH_MODES, Partition, Source, batches, concat};
use temp_dir::TempDir;

#[test]
fn segments_are_read_in_order_in_both_modes() {
    let batches = batches(40, 7, 100);
    let dir = TempDir::new("log-read");
    let partition = Partition::new(dir.path());
    for segment in batches.chunks(9) {
        partition.write_segment(segment);
    }
    for mode in BOTH_MODES {
        for max_bytes in [1, 2000, 1 << 20] {
            let mut reader = partition.open(mode);
            assert_eq!((reader.log_start_offset(), reader.high_watermark()), (0, 280));
            let (read, end) = Source::new(max_bytes).read_all(&mut reader);
            assert!(matches!(end, Chunk::End { offset: 280 }), "{mode:?} {max_bytes}: {end:?}");
            assert!(read == concat(&batches), "{mode:?} {max_bytes}");
        }
    }
}
