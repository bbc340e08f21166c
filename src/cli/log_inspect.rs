//! `kfetch log inspect`: a line for each batch.

use std::path::Path;

use kfetch::log::{ScanItem, SegmentScan};
use kfetch::record::{BatchHeader, TimestampType, verify_crc};

use crate::failure::{Failure, Outcome};
use crate::log_args::InspectArgs;
use crate::log_files::of_directory;
use crate::message;
use crate::output::Output;

/// Runs the command.
///
/// # Errors
///
/// [`Failure::Reported`] where there is a fault.
pub(crate) fn run(args: &InspectArgs) -> Outcome {
    let mut output = Output::new()?;
    let is_sound = if args.path.is_dir() {
        let mut is_sound = true;
        for (_, path) in of_directory(&args.path)?.into_iter().flat_map(|found| found.files) {
            is_sound &= inspect(&path, Some(&args.path), &mut output)?;
        }
        is_sound
    } else {
        inspect(&args.path, None, &mut output)?
    };
    output.flush()?;
    if is_sound { Ok(()) } else { Err(Failure::Reported) }
}

/// Prints the batches of a segment, each behind its path under `root` where that is given; tells
/// whether all is well.
fn inspect(path: &Path, root: Option<&Path>, output: &mut Output) -> Outcome<bool> {
    let prefix = match root.and_then(|root| path.strip_prefix(root).ok()) {
        Some(relative) => format!("{} ", relative.display()),
        None => String::new(),
    };
    let mut scan = SegmentScan::open(path)?;
    let mut is_sound = true;
    for item in &mut scan {
        let line = match item {
            ScanItem::Batch { position, header, bytes } => {
                let is_whole = verify_crc(&bytes);
                is_sound &= is_whole;
                batch(position, &header, is_whole)
            }
            ScanItem::Fault { position, offset, text } => {
                is_sound = false;
                let offset = offset.map_or_else(String::new, |offset| format!(" offset={offset}"));
                format!("position={position}{offset} fault: {text}")
            }
        };
        output.append(|out| out.extend(format!("{prefix}{line}\n").bytes()))?;
    }
    if scan.tail_bytes() > 0 && !scan.is_sealed() {
        output.flush()?;
        let (path, bytes) = (path.display(), scan.tail_bytes());
        message::line(format_args!("% {path}: {bytes} bytes behind the last batch"));
    }
    Ok(is_sound)
}

fn batch(position: u64, header: &BatchHeader, is_whole: bool) -> String {
    let codec = match header.codec() {
        Ok(codec) => codec.name().to_owned(),
        Err(error) => format!("({error})"),
    };
    let times = match header.timestamp_type() {
        TimestampType::CreateTime => "create",
        TimestampType::LogAppendTime => "logappend",
    };
    let mut line = format!(
        "position={position} size={} offsets={}..{} records={} codec={codec} crc={:08x} {} \
         tstype={times} ts={}..{} epoch={}",
        header.size(),
        header.base_offset,
        header.last_offset(),
        header.record_count,
        header.crc,
        if is_whole { "ok" } else { "WRONG" },
        header.base_timestamp,
        header.max_timestamp,
        header.partition_leader_epoch,
    );
    if header.producer_id >= 0 {
        line.push_str(&format!(
            " producer={} producer_epoch={} sequence={}",
            header.producer_id, header.producer_epoch, header.base_sequence
        ));
    }
    let flags = [(header.is_transactional(), " transactional"), (header.is_control(), " control")];
    flags.iter().filter(|(is_set, _)| *is_set).for_each(|(_, flag)| line.push_str(flag));
    line
}
