//! The log writer allocates nothing for a record, a batch or a write once it has its buffers.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod record_counting;
#[path = "support/temp_dir.rs"]
mod temp_dir;

use kfetch::record::{Codec, NewRecord};
use kfetch::{LogWriter, LogWriterOptions};
use record_counting::measure;
use temp_dir::TempDir;

#[test]
fn appending_does_not_allocate() {
    let dir = TempDir::new("log-write-alloc");
    let headers: [(&[u8], Option<&[u8]>); 2] = [(b"a", Some(b"1")), (b"b", None)];
    let record = NewRecord {
        timestamp: 1_600_000_000_000,
        key: Some(b"key"),
        value: Some(&[7; 100]),
        headers: &headers,
    };
    for (partition, codec) in (0..).zip(Codec::ALL) {
        let options = LogWriterOptions {
            codec,
            flush_bytes: u64::MAX,
            flush_ms: u64::MAX,
            ..Default::default()
        };
        let mut writer = LogWriter::open(dir.path(), "t", partition, options).unwrap();
        let records = [record; 100];
        let append = |writer: &mut LogWriter| {
            for _ in 0..500 {
                writer.append(&records).unwrap();
            }
        };
        append(&mut writer);
        writer.flush(false).unwrap();
        let (calls, _, ()) = measure(|| append(&mut writer));
        // Batches of unequal size may let a buffer grow once more; 50,000 records bring no more.
        assert!(calls <= 6, "{codec}: {calls} allocations");
    }
}
