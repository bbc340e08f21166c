//! Records that keep coming into a log directory.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use kfetch::record::NewRecord;
use kfetch::{LogWriter, LogWriterOptions};

/// Appends to all partitions of a topic until it is told to end; the value of a record is its
/// offset.
pub(crate) struct Writer {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Vec<i64>>,
}

impl Writer {
    /// Begins to append `count` records to each partition, with pauses.
    pub(crate) fn start(
        path: &Path,
        (topic, partitions): (&str, usize),
        count: usize,
        pause: Duration,
    ) -> Self {
        let open = |number| {
            let number = i32::try_from(number).unwrap();
            LogWriter::open(path, topic, number, LogWriterOptions::default()).unwrap()
        };
        let mut writers: Vec<LogWriter> = (0..partitions).map(open).collect();
        let is_over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_over);
        let run = move || {
            while !told.load(Ordering::Relaxed) {
                writers.iter_mut().for_each(|writer| append(writer, count));
                std::thread::park_timeout(pause);
            }
            writers.iter_mut().for_each(|writer| append(writer, 1));
            let ends = writers.iter().map(LogWriter::next_offset).collect();
            writers.into_iter().for_each(|writer| writer.close().unwrap());
            ends
        };
        Self { is_over, thread: std::thread::spawn(run) }
    }

    /// Appends a last record to each partition; returns how many each has.
    pub(crate) fn end(self) -> Vec<i64> {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn append(writer: &mut LogWriter, count: usize) {
    for _ in 0..count {
        let value = writer.next_offset().to_string();
        let record = NewRecord { value: Some(value.as_bytes()), ..NewRecord::default() };
        writer.append(&[record]).unwrap();
    }
    writer.flush(false).unwrap();
}
