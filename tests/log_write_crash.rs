//! Writers in other processes: killed, out of room, and in each other's way.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod log_write_files;
mod record_naive;
mod support;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::SystemTime;

use kfetch::record::{Codec, NewRecord};
use kfetch::{ErrorKind, LogWriter, LogWriterOptions};
use log_write_files::{checkpoint, read_segments, records};
use support::process::spawn_tied;
use support::temp_dir::TempDir;

const ROUNDS: u64 = 40;
const DIRECTORY: &str = "KFETCH_TEST_LOG_DIR";
const SEED: &str = "KFETCH_TEST_SEED";
const FILE_BYTES_MAX: libc::rlim_t = 100_000;

fn options(seed: u64) -> LogWriterOptions {
    let codec = Codec::ALL[usize::try_from(seed % 5).unwrap()];
    LogWriterOptions {
        codec,
        batch_bytes: 1500,
        segment_bytes: 50_000,
        index_interval_bytes: 1000,
        flush_bytes: 10_000,
        ..Default::default()
    }
}

/// Numbers that look like chance and are the same for the same seed.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) % limit
    }
}

/// What the record at an offset holds.
fn value(offset: i64) -> String {
    offset.to_string().repeat(usize::try_from(offset % 50).unwrap())
}

fn append(writer: &mut LogWriter, count: u64) -> kfetch::Result<()> {
    let first = writer.next_offset();
    let count = usize::try_from(count).unwrap();
    let owned: Vec<(i64, String)> =
        (first..).take(count).map(|offset| (offset, value(offset))).collect();
    let new: Vec<NewRecord<'_>> = owned
        .iter()
        .map(|(timestamp, value)| NewRecord {
            timestamp: *timestamp,
            value: Some(value.as_bytes()),
            ..Default::default()
        })
        .collect();
    writer.append(&new).map(|offset| assert_eq!(offset, first))
}

/// Says that everything below the offset was acknowledged.
fn acknowledge(offset: i64) {
    // One call of write(2): what was said is said, whatever becomes of this process.
    std::io::stdout().write_all(format!("\nack {offset}\n").as_bytes()).unwrap();
    std::io::stdout().flush().unwrap();
}

/// What this process shall do, where it is one that a test here has started: the directory and the
/// seed. The test that started it is the one that runs in it.
fn child() -> Option<(PathBuf, u64)> {
    let directory = std::env::var_os(DIRECTORY)?;
    Some((directory.into(), std::env::var(SEED).ok()?.parse().ok()?))
}

fn appends_until_killed(directory: &Path, seed: u64) {
    let mut numbers = Numbers(seed);
    let mut writer = LogWriter::open(directory, "t", 0, options(seed)).unwrap();
    acknowledge(writer.next_offset());
    for _ in 0..100_000 {
        append(&mut writer, numbers.below(50)).unwrap();
        match numbers.below(8) {
            0 => writer.flush(true).unwrap(),
            1 | 2 => writer.flush(false).unwrap(),
            _ => continue,
        }
        acknowledge(writer.next_offset());
    }
}

fn appends_until_there_is_no_room(directory: &Path, seed: u64) {
    let limit = libc::rlimit { rlim_cur: FILE_BYTES_MAX, rlim_max: FILE_BYTES_MAX };
    // SAFETY: the signal is ignored, no handler is set.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    // SAFETY: the structure outlives the call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) }, 0);
    let options = LogWriterOptions { segment_bytes: 1 << 30, ..options(seed) };
    let mut writer = LogWriter::open(directory, "t", 0, options).unwrap();
    let error = loop {
        let appended = append(&mut writer, 20).and_then(|()| writer.flush(false));
        match appended {
            Ok(()) => acknowledge(writer.next_offset()),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.message().contains("00000000000000000000.log"), "{error}");
    assert_eq!((error.topic(), error.partition()), (Some("t"), 0));
    for _ in 0..2 {
        let again = [append(&mut writer, 1), writer.flush(false), writer.flush(true)];
        for error in again.map(Result::unwrap_err) {
            assert_eq!(error.kind(), ErrorKind::Io);
            assert!(error.message().contains("failed before"), "{error}");
        }
    }
    assert_eq!(writer.close().unwrap_err().kind(), ErrorKind::Io);
    println!("\nfailed as it should");
}

fn flushes_with_sync(directory: &Path, seed: u64) {
    let mut writer = LogWriter::open(directory, "t", 0, options(seed)).unwrap();
    append(&mut writer, 1000).unwrap();
    writer.flush(true).unwrap();
    acknowledge(writer.next_offset());
    writer.flush(true).unwrap();
    acknowledge(writer.next_offset());
    append(&mut writer, 1).unwrap();
    writer.flush(true).unwrap();
    acknowledge(writer.next_offset());
}

/// Loss of power cannot be had in a test; that everything was synced before it was acknowledged
/// can be seen. Returns what `flushes_with_sync`, which `test` runs as a child, did before each
/// acknowledgement, and after.
#[cfg(target_os = "linux")]
fn traced(test: &str, dir: &Path, log_dir: &Path) -> [String; 4] {
    let trace = dir.join("trace");
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-e", "trace=fsync,fdatasync,rename,write", "-o"]).arg(&trace);
    command.arg(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]);
    command.env(DIRECTORY, log_dir).env(SEED, "0").stdout(Stdio::null());
    assert!(spawn_tied(command).unwrap().wait().unwrap().success());
    let trace = std::fs::read_to_string(trace).unwrap();
    let parts: Vec<String> = trace.split("\\nack ").map(str::to_owned).collect();
    parts.try_into().expect("three acknowledgements")
}

#[cfg(target_os = "linux")]
fn is_synced(part: &str, name: &str) -> bool {
    let name = format!("{name}>");
    part.lines().any(|line| line.contains("sync(") && line.contains(&name))
}

/// The files of the first `count` segments.
#[cfg(target_os = "linux")]
fn segment_files(log_dir: &Path, count: usize) -> Vec<String> {
    let segments = read_segments(&log_dir.join("t-0"), 1000);
    assert!(count > 1 && segments.len() >= count);
    let offsets = segments[..count].iter().map(|segment| segment.base_offset);
    let endings = ["log", "index", "timeindex"];
    offsets.flat_map(|offset| endings.map(|ending| format!("{offset:020}.{ending}"))).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_writer_before_has_not_synced_is_synced_too() {
    if let Some((directory, seed)) = child() {
        return flushes_with_sync(&directory, seed);
    }
    let dir = TempDir::new("log-write-crash");
    let mut writer = LogWriter::open(dir.path(), "t", 0, options(0)).unwrap();
    append(&mut writer, 2000).unwrap();
    writer.close().unwrap();
    let count = read_segments(&dir.path().join("t-0"), 1000).len();
    let test = "what_a_writer_before_has_not_synced_is_synced_too";
    let parts = traced(test, dir.path(), dir.path());
    for name in segment_files(dir.path(), count) {
        assert!(is_synced(&parts[0], &name), "{name}");
        assert!(!is_synced(&parts[1], &name), "{name} again");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_acknowledged_with_sync_was_put_onto_the_disk() {
    if let Some((directory, seed)) = child() {
        return flushes_with_sync(&directory, seed);
    }
    let dir = TempDir::new("log-write-crash");
    let log_dir = dir.path().join("made/logs");
    let test = "what_is_acknowledged_with_sync_was_put_onto_the_disk";
    let parts = traced(test, dir.path(), &log_dir);
    for name in ["", "/logs", "/logs/t-0", "/logs/t-0/leader-epoch-checkpoint"] {
        assert!(is_synced(&parts[0], &format!("/made{name}")), "{name}\n{}", parts[0]);
    }
    assert!(is_synced(&parts[0], &dir.path().display().to_string()));
    let names = segment_files(&log_dir, read_segments(&log_dir.join("t-0"), 1000).len());
    for name in &names {
        assert!(is_synced(&parts[0], name), "{name}");
    }
    // What readers are told is on the disk before it replaces what they were told before.
    for part in [&parts[0], &parts[2]] {
        let synced = part.rfind("replication-offset-checkpoint.tmp>)").unwrap();
        assert!(part.rfind("rename(").unwrap() > synced);
        assert!(is_synced(&part[synced..], "/made/logs"));
    }
    let synced: Vec<&str> = parts[1].lines().filter(|line| line.contains("sync(")).collect();
    assert_eq!(synced, [""; 0], "there was nothing new");
    let (last, _) = names[names.len() - 3].split_once('.').unwrap();
    assert!(is_synced(&parts[2], &format!("{last}.log")));
}

fn start(test: &str, directory: &Path, seed: u64) -> (Child, BufReader<ChildStdout>) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
    command.env(DIRECTORY, directory).env(SEED, seed.to_string());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut child = spawn_tied(command).unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap());
    (child, lines)
}

/// Reads what the process says up to its next acknowledgement; `None` at its end.
fn next_ack(lines: &mut BufReader<ChildStdout>) -> Option<i64> {
    let mut line = String::new();
    loop {
        line.clear();
        if lines.read_line(&mut line).unwrap() == 0 {
            return None;
        }
        if let Some(offset) = line.strip_prefix("ack ") {
            return Some(offset.trim_end().parse().unwrap());
        }
    }
}

/// Opens the log and checks that it is whole and holds all that was acknowledged.
fn check_recovered(directory: &Path, acknowledged: i64, seed: u64) {
    let mut writer = LogWriter::open(directory, "t", 0, options(seed)).unwrap();
    let end = writer.next_offset();
    assert!(end >= acknowledged, "{acknowledged} were acknowledged, {end} are there");
    let watermark = checkpoint(directory, "replication-offset-checkpoint", "t", 0);
    assert_eq!(watermark, Some(end));
    append(&mut writer, 3).unwrap();
    writer.close().unwrap();
    let found = records(&read_segments(&directory.join("t-0"), 1000));
    assert_eq!(i64::try_from(found.len()), Ok(end + 3));
    for (offset, record) in (0..).zip(found) {
        assert_eq!((record.offset, record.timestamp), (offset, offset));
        assert_eq!(record.value.as_deref(), Some(value(offset).as_bytes()), "at {offset}");
    }
}

#[test]
fn nothing_acknowledged_is_lost_when_the_writer_is_killed() {
    if let Some((directory, seed)) = child() {
        return appends_until_killed(&directory, seed);
    }
    let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos();
    let seed = u64::try_from(time % 1_000_000_000).unwrap();
    eprintln!("seed {seed}");
    let mut numbers = Numbers(seed);
    let test = "nothing_acknowledged_is_lost_when_the_writer_is_killed";
    let dir = TempDir::new("log-write-crash");
    let mut appended_to = 0;
    for round in 0..ROUNDS {
        let (mut child, mut lines) = start(test, dir.path(), seed + round);
        let mut acknowledged = next_ack(&mut lines).expect("the writer opens the log");
        assert_eq!(acknowledged, appended_to, "what a writer closed the next one finds");
        for _ in 0..numbers.below(20) {
            acknowledged = next_ack(&mut lines).expect("the writer is at work");
        }
        // At any moment between two acknowledgements.
        for _ in 0..numbers.below(300_000) {
            std::hint::spin_loop();
        }
        if round % 10 == 0 {
            let refused = LogWriter::open(dir.path(), "t", 0, options(seed)).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Locked, "another process writes");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        while let Some(offset) = next_ack(&mut lines) {
            acknowledged = offset;
        }
        check_recovered(dir.path(), acknowledged, seed + round);
        let found = checkpoint(dir.path(), "replication-offset-checkpoint", "t", 0);
        appended_to = found.unwrap();
    }
    assert!(read_segments(&dir.path().join("t-0"), 1000).len() > 5);
}

#[test]
fn a_writer_without_room_fails_for_good_and_the_next_one_goes_on() {
    if let Some((directory, seed)) = child() {
        return appends_until_there_is_no_room(&directory, seed);
    }
    let dir = TempDir::new("log-write-crash");
    let test = "a_writer_without_room_fails_for_good_and_the_next_one_goes_on";
    let (mut child, mut lines) = start(test, dir.path(), 0);
    let mut acknowledged = 0;
    while let Some(offset) = next_ack(&mut lines) {
        acknowledged = offset;
    }
    assert!(child.wait().unwrap().success());
    assert!(acknowledged > 100);
    let len = std::fs::metadata(dir.path().join("t-0/00000000000000000000.log")).unwrap().len();
    assert_eq!(len, FILE_BYTES_MAX, "a batch was written in part");
    check_recovered(dir.path(), acknowledged, 0);
}
