//! Files that would hold a reader or a writer up: a FIFO in place of one, and a disk that does not
//! answer.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod log_files;
mod support;

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use kfetch::{Config, Consumer, ErrorKind, LogWriter, LogWriterOptions, TopicPartition};
use log_files::{Partition, TOPIC, batches};
use support::process::spawn_tied;
use support::temp_dir::TempDir;

const CHECKPOINT: &str = "replication-offset-checkpoint";
const DIRECTORY: &str = "KFETCH_TEST_LOG_DIR";
const SOON: Duration = Duration::from_secs(20);

/// Makes a log directory of one partition with six records.
fn log_dir(dir: &TempDir) -> PathBuf {
    let partition = Partition::new(dir.path());
    partition.write_segment(&batches(3, 2, 10));
    partition.log_dir
}

fn consumer(log_dir: &Path) -> Consumer {
    let config = Config::new()
        .with("log.dirs", log_dir.to_str().unwrap())
        .and_then(|config| config.with("auto.offset.reset", "earliest"));
    Consumer::new(&config.unwrap()).unwrap()
}

fn partition() -> TopicPartition {
    TopicPartition::new(TOPIC, 0)
}

fn make_fifo(path: &Path) {
    let name = CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: the name ends in a zero byte and outlives the call.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
}

/// What opens a partition for writing, and what checks a directory, say in time.
fn open_and_verify(log_dir: &Path) -> [String; 2] {
    let (sender, results) = channel();
    let dir = log_dir.to_owned();
    std::thread::spawn(move || {
        let opened = LogWriter::open(&dir, TOPIC, 0, LogWriterOptions::default());
        let opened = opened.map_or_else(|error| error.to_string(), |_| String::new());
        sender.send(opened).unwrap();
    });
    let opened = results.recv_timeout(SOON).expect("the writer hangs");
    let mut command = Command::new(env!("CARGO_BIN_EXE_kfetch"));
    command.args(["log", "verify"]).arg(log_dir);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = spawn_tied(command).unwrap().wait_with_output().unwrap();
    let printed = [output.stdout, output.stderr].concat();
    [opened, String::from_utf8(printed).unwrap()]
}

#[test]
fn a_fifo_in_place_of_a_file_of_a_segment_holds_no_writer_up() {
    for (name, is_linked) in [("log", false), ("log", true), ("index", false), ("timeindex", true)]
    {
        let dir = TempDir::new("log-read-stuck");
        let log_dir = log_dir(&dir);
        let path = log_dir.join(format!("{TOPIC}-0/{:020}.{name}", 0));
        drop(std::fs::remove_file(&path));
        match is_linked {
            true => {
                let fifo = dir.path().join("fifo");
                make_fifo(&fifo);
                std::os::unix::fs::symlink(fifo, &path).unwrap();
            }
            false => make_fifo(&path),
        }
        let [opened, verified] = open_and_verify(&log_dir);
        println!("{name}: {opened} / {verified}");
        assert!(opened.contains(&path.display().to_string()), "{name}: {opened:?}");
    }
}

#[test]
fn a_fifo_in_place_of_a_checkpoint_is_refused_and_holds_nothing_up() {
    for name in [CHECKPOINT, "log-start-offset-checkpoint"] {
        let dir = TempDir::new("log-read-stuck");
        let log_dir = log_dir(&dir);
        let path = log_dir.join(name);
        drop(std::fs::remove_file(&path));
        make_fifo(&path);
        let mut consumer = consumer(&log_dir);
        let answers = consumer.end_offsets(&[partition()], SOON).unwrap();
        let refusal = answers[0].as_ref().unwrap_err();
        consumer.assign(&[partition()]).unwrap();
        let position = consumer.position(&partition(), SOON);
        assert_eq!(position.unwrap_err().to_string(), refusal.to_string());
        assert_eq!(refusal.kind(), ErrorKind::Io);
        let text = format!("cannot read {}: not a regular file", path.display());
        assert!(refusal.to_string().contains(&text), "{refusal}");
        assert_eq!(consumer.partitions_for(TOPIC, SOON).unwrap().name, TOPIC);
        consumer.close(SOON).unwrap();
    }
}

/// Asks for offsets where the disk takes seconds to open a file: an answer would be no error.
fn asks_a_slow_disk(log_dir: &Path) {
    let mut consumer = consumer(log_dir);
    let error = consumer.end_offsets(&[partition()], Duration::from_millis(50)).unwrap_err();
    assert_eq!((error.kind(), error.is_retriable()), (ErrorKind::Timeout, true));
    // The answer that comes too late is nobody's.
    let answers = consumer.end_offsets(&[partition()], SOON).unwrap();
    assert_eq!(*answers[0].as_ref().unwrap(), 6);
}

#[cfg(target_os = "linux")]
#[test]
fn a_question_ends_at_its_deadline_though_the_disk_does_not_answer() {
    if let Some(log_dir) = std::env::var_os(DIRECTORY) {
        return asks_a_slow_disk(Path::new(&log_dir));
    }
    let dir = TempDir::new("log-read-stuck");
    let log_dir = log_dir(&dir);
    let checkpoint = log_dir.join(CHECKPOINT);
    std::fs::write(&checkpoint, format!("0\n1\n{TOPIC} 0 6\n")).unwrap();
    let mut command = Command::new("strace");
    // Three seconds, in microseconds.
    let delay = "inject=openat:delay_enter=3000000:when=1";
    command.args(["-f", "-qq", "-o", "/dev/null", "-P"]).arg(&checkpoint);
    command.args(["-e", "trace=openat", "-e", delay]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", "a_question_ends_at_its_deadline_though_the_disk_does_not_answer"]);
    command.args(["--nocapture", "--test-threads=1"]);
    command.env(DIRECTORY, &log_dir).stdin(Stdio::null());
    assert!(spawn_tied(command).unwrap().wait().unwrap().success());
}
