//! `kfetch log verify`: every batch's checksum and structure, and the indexes.

use std::fmt;
use std::path::Path;

use kfetch::log::{ScanItem, SegmentScan};

use crate::batch_check::BatchCheck;
use crate::failure::{Failure, Outcome};
use crate::log_args::VerifyArgs;
use crate::log_files::{Segments, of_directory};
use crate::output::Output;
use crate::progress::Progress;

/// Runs the command.
///
/// # Errors
///
/// [`Failure::Reported`] where there is a fault.
pub(crate) fn run(args: &VerifyArgs) -> Outcome {
    let partitions = of_directory(&args.path)?;
    let bytes = partitions.iter().map(Segments::bytes).sum();
    let output = Output::new()?;
    let is_wanted = !args.quiet && !output.is_terminal();
    let progress = Progress::new("bytes", Some(bytes), is_wanted);
    let check = BatchCheck::default();
    let mut verify = Verify { output, progress, check, counts: Counts::default() };
    for segments in &partitions {
        verify.partition(segments)?;
    }
    let counts = verify.counts;
    if !args.quiet {
        verify.output.append(|out| out.extend(format!("{counts}\n").bytes()))?;
    }
    verify.output.flush()?;
    if counts.faults > 0 { Err(Failure::Reported) } else { Ok(()) }
}

#[derive(Debug)]
struct Verify {
    output: Output,
    progress: Progress,
    check: BatchCheck,
    counts: Counts,
}

/// What was found.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    partitions: usize,
    segments: usize,
    batches: u64,
    records: u64,
    bytes: u64,
    /// Bytes behind the last batches of active segments.
    tail_bytes: u64,
    faults: u64,
}

impl Verify {
    fn partition(&mut self, segments: &Segments) -> Outcome {
        self.counts.partitions += 1;
        let mut end = 0;
        for (base_offset, path) in &segments.files {
            if *base_offset < end {
                let text = format!("the segment before it ends at offset {end}");
                self.fault(path, 0, Some(*base_offset), &text)?;
            }
            end = self.segment(path)?.unwrap_or(*base_offset);
        }
        Ok(())
    }

    /// Checks a segment and returns the offset behind its last batch.
    fn segment(&mut self, path: &Path) -> Outcome<Option<i64>> {
        self.counts.segments += 1;
        let mut scan = match SegmentScan::open(path) {
            Ok(scan) => scan,
            Err(error) => {
                self.counts.faults += 1;
                self.output.append(|out| out.extend(format!("{error}\n").bytes()))?;
                return Ok(None);
            }
        };
        let mut end = None;
        for item in &mut scan {
            match item {
                ScanItem::Batch { position, header, bytes } => {
                    end = Some(header.next_offset());
                    self.counts.batches += 1;
                    self.counts.bytes += bytes.len() as u64;
                    self.progress.add(bytes.len() as u64);
                    match self.check.check(&header, &bytes) {
                        Ok(records) => self.counts.records += records as u64,
                        Err((offset, text)) => self.fault(path, position, Some(offset), &text)?,
                    }
                }
                ScanItem::Fault { position, offset, text } => {
                    self.fault(path, position, offset, &text)?;
                }
            }
        }
        if !scan.is_sealed() {
            self.counts.tail_bytes += scan.tail_bytes();
        }
        Ok(end)
    }

    fn fault(&mut self, path: &Path, position: u64, offset: Option<i64>, text: &str) -> Outcome {
        self.counts.faults += 1;
        let path = path.display();
        let line = match offset {
            Some(offset) => format!("{path}: position {position}, offset {offset}: {text}\n"),
            None => format!("{path}: position {position}: {text}\n"),
        };
        self.output.append(|out| out.extend(line.bytes()))
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partitions, segments, batches, records, bytes, tail_bytes, faults } = self;
        write!(
            f,
            "partitions: {partitions}, segments: {segments}, batches: {batches}, \
             records: {records}, bytes: {bytes}, faults: {faults}"
        )?;
        if *tail_bytes > 0 {
            write!(f, "; {tail_bytes} bytes behind the last batches are not written to the end")?;
        }
        Ok(())
    }
}
