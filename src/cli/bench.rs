//! `kfetch bench`: how fast a source is read.

use std::fs;
use std::time::{Duration, Instant};

use clap::Args;
use kfetch::ring::process::{catch_interrupts, cpu_time, is_interrupted};
use kfetch::{EventKind, PollLimits, Records};

use crate::failure::{Failure, Outcome};
use crate::message;
use crate::output::Output;
use crate::partitions::Partitions;
use crate::progress::Progress;
use crate::settings;
use crate::source_args::SourceArgs;
use crate::start::{Started, Wanted, no_answer, now, start};
use crate::start_at::StartAt;

const LIMITS: PollLimits = PollLimits { max_records: 16 * 1024, max_bytes: usize::MAX };

/// An interruption is noticed as often at least.
const WAIT_MAX: Duration = Duration::from_millis(500);

/// The options of `kfetch bench`.
#[derive(Args, Debug)]
pub(crate) struct BenchArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,

    /// Topic to read.
    #[arg(short, long, value_name = "TOPIC")]
    topic: String,

    /// Partitions to read, with commas between; all where it is not given.
    #[arg(short, long, value_name = "PARTITION,…", value_delimiter = ',',
        value_parser = clap::value_parser!(i32).range(0..))]
    partitions: Vec<i32>,

    /// Ends after so many records at least.
    #[arg(short, long, value_name = "COUNT")]
    count: Option<u64>,

    /// Prints the result as a JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) const HELP: &str = "\
Reads the topic from its beginning to its end, and every record's lengths.

Example: kfetch bench --log-dirs data -t orders -X log.read.mode=mmap";

/// Runs the command.
///
/// # Errors
///
/// What the library says, of the whole or of one partition.
pub(crate) fn run(args: &BenchArgs) -> Outcome {
    let config = settings::config(&args.source)?.consumer()?;
    let wanted =
        Wanted { topic: &args.topic, partitions: &args.partitions, start_at: StartAt::Beginning };
    let started = start(config, message::logger(false), &wanted)?;
    catch_interrupts().map_err(|error| Failure::Error(format!("signals: {error}")))?;
    let result = read(started, args)?;
    let mut output = Output::new()?;
    let text = if args.json { result.json() } else { result.text() };
    output.append(|out| out.extend(text.bytes()))?;
    output.flush()
}

fn read(started: Started, args: &BenchArgs) -> Outcome<Measured> {
    let Started { mut consumer, mut patience, .. } = started;
    let topic = &args.topic;
    let mut open = Partitions::new(topic, started.partitions.iter().copied());
    let mut progress = Progress::new("records", args.count, true);
    let mut measured = Measured::default();
    let (begun, cpu_before): (Instant, Duration) = (now(), cpu_time());
    let is_wanted = |found: &Measured| args.count.is_none_or(|count| found.records < count);
    while is_wanted(&measured) && !open.is_empty() && !is_interrupted() {
        let Some(records) = consumer.poll_with(WAIT_MAX, LIMITS)? else {
            match open.open().next() {
                Some(first) if patience.is_over() => return Err(no_answer(&first).into()),
                _ => continue,
            }
        };
        patience.renew();
        measured.count(&records);
        progress.add(records.len() as u64);
        for event in records.events() {
            match event.kind() {
                EventKind::End { .. } => drop(open.end(event.partition())),
                EventKind::Failed { error, sticky: true } => return Err(error.clone().into()),
                _ => {}
            }
        }
    }
    measured.time = begun.elapsed();
    measured.cpu_time = cpu_time().saturating_sub(cpu_before);
    measured.peak_bytes = peak_memory();
    Ok(measured)
}

/// What was measured.
#[derive(Debug, Default)]
struct Measured {
    records: u64,
    /// Bytes of keys and values.
    bytes: u64,
    time: Duration,
    cpu_time: Duration,
    /// None where the system does not tell.
    peak_bytes: Option<u64>,
}

impl Measured {
    fn count(&mut self, records: &Records) {
        self.records += records.len() as u64;
        for descriptor in records.descriptors() {
            let len = |len: i32| u64::try_from(len).unwrap_or(0);
            self.bytes += len(descriptor.key_len) + len(descriptor.value_len);
        }
    }

    fn records_per_second(&self) -> f64 {
        as_float(self.records) / self.seconds()
    }

    fn megabytes_per_second(&self) -> f64 {
        as_float(self.bytes) / 1e6 / self.seconds()
    }

    fn cpu_ns_per_record(&self) -> f64 {
        self.cpu_time.as_secs_f64() * 1e9 / as_float(self.records.max(1))
    }

    fn seconds(&self) -> f64 {
        self.time.as_secs_f64().max(1e-9)
    }

    fn text(&self) -> String {
        let memory = match self.peak_bytes {
            Some(bytes) => format!("{:.1} MB", as_float(bytes) / 1e6),
            None => "not known".to_owned(),
        };
        format!(
            "records:        {}\nbytes:          {} of keys and values\ntime:           {:.3} s\n\
             records/s:      {:.0}\nMB/s:           {:.1}\nCPU per record: {:.1} ns\n\
             peak memory:    {memory}\n",
            self.records,
            self.bytes,
            self.seconds(),
            self.records_per_second(),
            self.megabytes_per_second(),
            self.cpu_ns_per_record(),
        )
    }

    fn json(&self) -> String {
        let memory = self.peak_bytes.map_or_else(|| "null".to_owned(), |bytes| bytes.to_string());
        format!(
            "{{\"records\":{},\"bytes\":{},\"seconds\":{:.6},\"records_per_second\":{:.0},\
             \"megabytes_per_second\":{:.3},\"cpu_ns_per_record\":{:.2},\
             \"peak_memory_bytes\":{memory}}}\n",
            self.records,
            self.bytes,
            self.seconds(),
            self.records_per_second(),
            self.megabytes_per_second(),
            self.cpu_ns_per_record(),
        )
    }
}

#[allow(clippy::cast_precision_loss, reason = "a figure for people, of 53 bits")]
fn as_float(number: u64) -> f64 {
    number as f64
}

/// Returns the most memory that this process has held at once, as Linux tells it.
fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
