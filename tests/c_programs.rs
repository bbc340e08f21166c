//! The C interface as C programs meet it: `tests/c/*.c`, each run plainly and under valgrind.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod c_build;
mod support;

use std::path::Path;

use c_build::{COUNTS, FIRST_MS, compile, fill_log_dir, record_parts, run, run_checked, text};
use kfetch::log::{LogWriter, LogWriterOptions};
use kfetch::record::NewRecord;
use support::kafka::Cluster;
use support::producer::Record;
use support::temp_dir::TempDir;

fn run_plainly(program: &Path, arguments: &[&str]) {
    let output = run(program, arguments);
    assert!(output.status.success(), "{}: {}", output.status, text(&output.stderr));
}

fn run_both(name: &str) {
    let directory = TempDir::new("c-program");
    let program = compile(name, &directory);
    run_plainly(&program, &[]);
    run_checked(&program, &[""; 0], true);
}

#[test]
fn wrong_calls_get_a_status() {
    run_both("misuse");
}

#[test]
fn wrong_calls_of_members_get_a_status() {
    run_both("group_misuse");
}

#[test]
fn callbacks_call_on_the_consumer_that_they_are_called_for() {
    let cluster = Cluster::shared();
    cluster.create_topic("c-callbacks", 1, &[]);
    let records: Vec<Record> = (0..30).map(|number| record(0, number)).collect();
    cluster.produce("c-callbacks", &records, &[]);
    let source = format!("bootstrap.servers={}", cluster.bootstrap());
    let built = TempDir::new("c-program");
    let program = compile("callbacks", &built);
    run_plainly(&program, &[&source, "c-callbacks", "plain"]);
    run_checked(&program, &[source.as_str(), "c-callbacks", "checked"], true);
}

#[test]
fn callbacks_do_the_same_without_a_broker() {
    let directory = TempDir::new("c-callbacks");
    let options = LogWriterOptions::default();
    let mut writer = LogWriter::open(directory.path(), "numbers", 0, options).unwrap();
    for number in 0..30 {
        let value = format!("{number}");
        let value = Some(value.as_bytes());
        let record = NewRecord { timestamp: FIRST_MS, key: None, value, headers: &[] };
        writer.append(&[record]).unwrap();
    }
    writer.close().unwrap();
    let source = format!("log.dirs={}", directory.path().display());
    let built = TempDir::new("c-program");
    let program = compile("callbacks", &built);
    run_plainly(&program, &[&source, "numbers", "plain"]);
    run_checked(&program, &[source.as_str(), "numbers", "checked"], true);
}

#[test]
fn one_thread_at_a_time_but_for_wakeup_and_close() {
    run_both("threads");
}

#[test]
fn signals_descriptors_and_closed_peers_leave_the_host_alone() {
    run_both("signals");
}

#[test]
fn a_fork_s_child_is_told_so() {
    let directory = TempDir::new("c-program");
    let program = compile("fork", &directory);
    run_plainly(&program, &[]);
    run_checked(&program, &[""; 0], false);
}

#[test]
fn a_log_is_written_and_read_back() {
    let (plain, checked) = (TempDir::new("c-writer"), TempDir::new("c-writer"));
    let program = compile("log_writer", &plain);
    run_plainly(&program, &[plain.path().to_str().unwrap()]);
    run_checked(&program, &[checked.path()], false);
}

#[test]
fn a_budget_that_the_program_holds_is_told_and_given_back() {
    let (plain, checked) = (TempDir::new("c-budget"), TempDir::new("c-budget"));
    let program = compile("budget", &plain);
    run_plainly(&program, &[plain.path().to_str().unwrap()]);
    run_checked(&program, &[checked.path()], true);
}

#[test]
fn records_of_a_log_directory_are_what_was_written() {
    let directory = TempDir::new("c-records");
    fill_log_dir(directory.path(), "numbers");
    let source = format!("log.dirs={}", directory.path().display());
    let built = TempDir::new("c-program");
    let program = compile("records", &built);
    run_plainly(&program, &[&source, "numbers"]);
    run_checked(&program, &[source.as_str(), "numbers"], true);
}

#[test]
fn records_of_a_real_broker_are_what_was_produced() {
    let cluster = Cluster::shared();
    cluster.create_topic("c-numbers", 2, &[("retention.ms", "-1")]);
    for (partition, count) in (0..).zip(COUNTS) {
        let records: Vec<Record> = (0..count).map(|number| record(partition, number)).collect();
        cluster.produce("c-numbers", &records, &[("compression.type", "zstd")]);
    }
    let source = format!("bootstrap.servers={}", cluster.bootstrap());
    let built = TempDir::new("c-program");
    let program = compile("records", &built);
    run_plainly(&program, &[&source, "c-numbers"]);
    run_checked(&program, &[source.as_str(), "c-numbers"], true);
}

fn record(partition: i32, number: i64) -> Record {
    let (key, value, headers) = record_parts(number);
    let time = FIRST_MS + if partition == 0 { number } else { 0 };
    let mut record = Record::new("", "").partition(partition).timestamp_ms(time);
    record.key = key.map(String::into_bytes);
    record.value = value.map(String::into_bytes);
    for (name, value) in headers {
        record = record.header(name, value.map(str::as_bytes));
    }
    record
}
