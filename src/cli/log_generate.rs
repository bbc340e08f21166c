//! `kfetch log generate`: a topic whose every byte follows from the options.
//!
//! Record `n` goes to partition `n` modulo their number. Its key is one of 100,000; its value
//! begins with `n` in decimal, and goes on with words, which compress about as text does. Its time
//! stamp is `n` ms after the first one's. No clock is asked.

use kfetch::log::names::partition_directory;
use kfetch::record::NewRecord;
use kfetch::{LogWriter, LogWriterOptions};

use crate::failure::{Failure, Outcome};
use crate::log_args::GenerateArgs;
use crate::message;
use crate::number::write_decimal;
use crate::progress::Progress;

/// How many keys there are.
const KEYS: u64 = 100_000;

/// Records between two looks at the progress.
const ROUND: i64 = 10_000;

/// As many as four bits can name.
const WORDS: [&[u8]; 16] = [
    b"acknowledge ",
    b"batch ",
    b"consumer ",
    b"disk ",
    b"epoch ",
    b"follower ",
    b"group ",
    b"header ",
    b"index ",
    b"key ",
    b"leader ",
    b"message ",
    b"offset ",
    b"partition ",
    b"record ",
    b"segment ",
];

/// Runs the command.
///
/// # Errors
///
/// What the writer says, and where a partition has records already.
pub(crate) fn run(args: &GenerateArgs) -> Outcome {
    let total = u64::try_from(args.records).unwrap_or(0);
    // Nothing is written where a later partition would be refused.
    for partition in 0..args.partitions {
        let name = partition_directory(&args.topic, partition);
        if args.directory.join(name).exists() {
            open_empty(args, partition)?.close()?;
        }
    }
    let mut progress = Progress::new("records", Some(total), !args.quiet);
    for partition in 0..args.partitions {
        write_partition(args, partition, &mut progress)?;
    }
    drop(progress);
    if !args.quiet {
        let GenerateArgs { records, partitions, topic, directory, .. } = args;
        let directory = directory.display();
        message::line(format_args!(
            "% Wrote {records} records to {partitions} partitions of topic {topic} in {directory}"
        ));
    }
    Ok(())
}

/// Opens the writer of a partition that has no records.
fn open_empty(args: &GenerateArgs, partition: i32) -> Outcome<LogWriter> {
    let options = LogWriterOptions {
        codec: args.codec,
        batch_bytes: args.batch_bytes,
        segment_bytes: args.segment_bytes,
        ..LogWriterOptions::default()
    };
    let writer = LogWriter::open(&args.directory, &args.topic, partition, options)?;
    if writer.next_offset() != 0 {
        let topic = &args.topic;
        let text = format!("topic {topic} [{partition}] has records already");
        return Err(Failure::Error(text));
    }
    Ok(writer)
}

fn write_partition(args: &GenerateArgs, partition: i32, progress: &mut Progress) -> Outcome {
    let mut writer = open_empty(args, partition)?;
    let mut number = i64::from(partition);
    let (mut key, mut value) = (Vec::new(), Vec::new());
    let mut written = 0;
    while number < args.records {
        fill(args, number, &mut key, &mut value);
        let timestamp = args.start_ms.saturating_add(number);
        writer.append(&[NewRecord {
            timestamp,
            key: Some(&key),
            value: Some(&value),
            headers: &[],
        }])?;
        number += i64::from(args.partitions);
        written += 1;
        if written % ROUND == 0 {
            progress.add(ROUND.unsigned_abs());
        }
    }
    writer.close()?;
    Ok(())
}

/// Makes the key and the value of a record.
fn fill(args: &GenerateArgs, number: i64, key: &mut Vec<u8>, value: &mut Vec<u8>) {
    let mut random = mix(args.seed ^ mix(number.unsigned_abs()));
    key.clear();
    key.extend_from_slice(b"key-");
    write_decimal(key, i64::try_from(random % KEYS).unwrap_or(0));
    value.clear();
    write_decimal(value, number);
    value.push(b' ');
    while value.len() < args.value_bytes {
        random = mix(random);
        for nibble in random.to_le_bytes() {
            value.extend_from_slice(WORDS[usize::from(nibble & 15)]);
        }
    }
    value.truncate(args.value_bytes);
}

/// Mixes the bits of a number (SplitMix64).
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
