//! The options of `kfetch log`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use kfetch::record::Codec;

/// What to do with a log directory.
#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Checks every batch of a log directory, or of one partition, and its indexes.
    #[command(after_help = VERIFY_HELP)]
    Verify(VerifyArgs),

    /// Prints a line for each batch.
    #[command(after_help = INSPECT_HELP)]
    Inspect(InspectArgs),

    /// Appends the lines of standard input as records.
    #[command(after_help = APPEND_HELP)]
    Append(AppendArgs),

    /// Writes a topic of made-up records: the same options give the same bytes.
    #[command(after_help = GENERATE_HELP)]
    Generate(GenerateArgs),
}

/// The options of `kfetch log verify`.
#[derive(Args, Debug)]
pub(crate) struct VerifyArgs {
    /// A log directory, or the directory of one partition.
    #[arg(value_name = "DIR")]
    pub(crate) path: PathBuf,

    /// Says nothing but faults and errors.
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// The options of `kfetch log inspect`.
#[derive(Args, Debug)]
pub(crate) struct InspectArgs {
    /// A segment, the directory of a partition, or a log directory.
    #[arg(value_name = "FILE|DIR")]
    pub(crate) path: PathBuf,
}

/// The options of `kfetch log append`.
#[derive(Args, Debug)]
pub(crate) struct AppendArgs {
    /// Topic to append to; it is made if it is not there.
    #[arg(short, long, value_name = "TOPIC")]
    pub(crate) topic: String,

    /// Partition to append to.
    #[arg(short, long, value_name = "PARTITION", default_value_t = 0,
        value_parser = clap::value_parser!(i32).range(0..))]
    pub(crate) partition: i32,

    /// Takes what stands before this in a line as the key; a line without it has none.
    #[arg(short = 'K', long, value_name = "DELIM", allow_hyphen_values = true)]
    pub(crate) key_delimiter: Option<String>,

    /// Gives each record this header; without `=` its value is null.
    #[arg(short = 'H', long = "header", value_name = "NAME=VALUE", allow_hyphen_values = true)]
    pub(crate) headers: Vec<String>,

    /// Says nothing on standard error but errors.
    #[arg(short, long)]
    pub(crate) quiet: bool,

    /// The log directory; it is made if it is not there.
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
}

/// The options of `kfetch log generate`.
#[derive(Args, Debug)]
pub(crate) struct GenerateArgs {
    /// Topic to write; it must not have records.
    #[arg(short, long, value_name = "TOPIC")]
    pub(crate) topic: String,

    /// How many partitions the topic has.
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(i32).range(1..))]
    pub(crate) partitions: i32,

    /// How many records there are, over all partitions.
    #[arg(long, value_name = "N", default_value_t = 1_000_000,
        value_parser = clap::value_parser!(i64).range(0..))]
    pub(crate) records: i64,

    /// How many bytes each value has.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) value_bytes: usize,

    /// How many bytes of records a batch has at most, before compression.
    #[arg(long, value_name = "N", default_value_t = 16 * 1024)]
    pub(crate) batch_bytes: usize,

    /// How batches are compressed: none, gzip, snappy, lz4 or zstd.
    #[arg(long, value_name = "NAME", default_value = "none", value_parser = codec)]
    pub(crate) codec: Codec,

    /// How many bytes a segment has at most.
    #[arg(long, value_name = "N", default_value_t = 1 << 30)]
    pub(crate) segment_bytes: u64,

    /// Makes other records.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,

    /// The first record's time stamp; each further one is a millisecond later.
    #[arg(long, value_name = "MS", default_value_t = 1_600_000_000_000,
        value_parser = clap::value_parser!(i64).range(0..))]
    pub(crate) start_ms: i64,

    /// Says nothing on standard error but errors.
    #[arg(short, long)]
    pub(crate) quiet: bool,

    /// The log directory; it is made if it is not there.
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
}

fn codec(name: &str) -> Result<Codec, String> {
    Codec::from_name(name).ok_or_else(|| "may be none, gzip, snappy, lz4 or zstd".to_owned())
}

const VERIFY_HELP: &str = "\
Faults are printed a line each, then a summary; the exit status is 1 where there is a fault.

Example: kfetch log verify data";

const INSPECT_HELP: &str = "\
Example: kfetch log inspect data/orders-0/00000000000000000000.log";

const APPEND_HELP: &str = "\
Readers see what was appended as soon as no more input waits; at the end it is put onto the disk.

Example: echo 'k1:hello' | kfetch log append -t orders -K : data";

const GENERATE_HELP: &str = "\
Example: kfetch log generate -t orders --partitions 4 --records 1000000 --codec zstd data";
