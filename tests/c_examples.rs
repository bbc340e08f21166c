//! The examples: each is built by `make`, run on a log directory that it reads or writes and on a
//! real broker, and those in C and C++ under valgrind too.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod c_build;
mod support;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use c_build::{COUNTS, FIRST_MS, example, expect_success, fill_log_dir, lines, path, run};
use c_build::{record_parts, run_checked, text};
use kfetch::TopicPartition;
use support::deadline::wait_until;
use support::kafka::Cluster;
use support::process::Process;
use support::producer::Record;
use support::temp_dir::TempDir;

/// A log directory with the topic `numbers`.
fn log_dir() -> (TempDir, String) {
    let directory = TempDir::new("c-examples");
    fill_log_dir(directory.path(), "numbers");
    let source = format!("log.dirs={}", directory.path().display());
    (directory, source)
}

/// Returns the lines of an output in the order of partition and offset.
fn sorted(output: &Output) -> Vec<String> {
    assert!(output.status.success(), "{}: {}", output.status, text(&output.stderr));
    let text = text(&output.stdout);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    // Stable, so that a partition's records stay as they came.
    lines.sort_by_key(|line| line.split(' ').next().map(str::to_owned));
    lines
}

/// Returns what the examples write of a topic with two partitions.
fn expected(topic: &str) -> Vec<String> {
    let partition = |(number, count)| lines(&TopicPartition::new(topic, number), count);
    (0..).zip(COUNTS).flat_map(partition).collect()
}

fn python() -> PathBuf {
    let python = path("target/venv/bin/python");
    assert!(python.exists(), "there is no {}: run `make venv`", python.display());
    python
}

/// Runs consume in C, C++ and Python and checks what they write.
fn check_consumers(source: &str, topic: &str) {
    let expected = expected(topic);
    let consume = run(&example("consume"), &["-t", topic, "-e", source]);
    assert_eq!(sorted(&consume), expected, "C");
    assert_eq!(sorted(&run(&example("consume_cpp"), &[topic, source])), expected, "C++");
    let script = path("ffi-examples/python/consume.py");
    let arguments = [script.as_os_str(), topic.as_ref(), source.as_ref()];
    assert_eq!(sorted(&run(&python(), &arguments)), expected, "Python");
}

/// Runs an example that has to fail and returns what it says.
fn fails(program: &Path, arguments: &[&str]) -> String {
    let output = run(program, arguments);
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    errors
}

#[test]
fn consumers_write_what_a_log_directory_holds() {
    let (_directory, source) = log_dir();
    check_consumers(&source, "numbers");
    let (consume, cpp) = (example("consume"), example("consume_cpp"));
    let checked = run_checked(&consume, &["-t", "numbers", "-e", &source], true);
    assert_eq!(sorted(&checked), expected("numbers"));
    assert_eq!(sorted(&run_checked(&cpp, &["numbers", &source], true)), expected("numbers"));
    let summary = text(&run(&consume, &["-t", "numbers", "-e", "-q", &source]).stdout);
    assert!(summary.starts_with("3010 records, "), "{summary}");
}

#[test]
fn consumers_write_what_a_real_broker_holds() {
    let cluster = Cluster::shared();
    cluster.create_topic("examples", 2, &[("retention.ms", "-1")]);
    for (partition, count) in (0..).zip(COUNTS) {
        let record = |number| {
            let (key, value, _) = record_parts(number);
            let mut record = Record::new("", "").partition(partition).timestamp_ms(FIRST_MS);
            record.key = key.map(String::into_bytes);
            record.value = value.map(String::into_bytes);
            record
        };
        let records: Vec<Record> = (0..count).map(record).collect();
        cluster.produce("examples", &records, &[("compression.type", "gzip")]);
    }
    let source = format!("bootstrap.servers={}", cluster.bootstrap());
    check_consumers(&source, "examples");
    let arguments = ["-t", "examples", "-c", "3000", &source];
    let looped = run_checked(&example("epoll_loop"), &arguments, true);
    assert!(text(&looped.stdout).ends_with("3000 records in the end\n"), "{looped:?}");
    let handled = run_checked(&example("error_handling"), &[&source, "examples", "5000"], true);
    assert_eq!(text(&handled.stdout), "3000 records\n");
    assert!(text(&handled.stderr).contains("OFFSET_OUT_OF_RANGE"), "{handled:?}");
}

/// Starts the example of a group's member; what it writes is watched.
fn start_member(directory: &TempDir, arguments: &[&str], checked: bool) -> Process {
    let mut command = Command::new(if checked { "valgrind" } else { "env" });
    if checked {
        command.args(["--quiet", "--error-exitcode=99", "--leak-check=full"]);
    }
    command.arg(example("consume_group")).args(arguments);
    Process::spawn("consume_group", command, &directory.path().join("member"))
}

#[test]
fn members_in_cpp_and_python_write_what_a_topic_holds_once() {
    let (_directory, source) = log_dir();
    let script = path("ffi-examples/python/consume.py");
    let arguments = |group| ["numbers".to_owned(), source.clone(), format!("group.id={group}")];
    let written = run_checked(&example("consume_cpp"), &arguments("cpp"), true);
    assert_eq!(sorted(&written), expected("numbers"));
    assert_eq!(sorted(&run(&example("consume_cpp"), &arguments("cpp"))), [""; 0]);
    let python_arguments = |group| {
        let script = script.to_str().unwrap().to_owned();
        [vec![script], arguments(group).to_vec()].concat()
    };
    assert_eq!(sorted(&run(&python(), &python_arguments("python"))), expected("numbers"));
    assert_eq!(sorted(&run(&python(), &python_arguments("python"))), [""; 0]);
}

#[test]
fn members_of_a_group_share_a_topic_and_the_next_goes_on_where_they_stopped() {
    let cluster = Cluster::shared();
    cluster.create_topic("example-group", 2, &[]);
    let record = |number: usize| {
        let partition = i32::try_from(number % 2).unwrap();
        Record::new("k", &format!("v{number}.")).partition(partition)
    };
    let produce = |range: std::ops::Range<usize>| {
        let records: Vec<Record> = range.map(record).collect();
        cluster.produce("example-group", &records, &[]);
    };
    produce(0..10);
    let directory = TempDir::new("c-examples");
    let source = format!("bootstrap.servers={}", cluster.bootstrap());
    let heartbeat = "heartbeat.interval.ms=300";
    let arguments = ["-g", "example", "-t", "example-group", &source, heartbeat];
    let soon = Duration::from_secs(60);
    let first = start_member(&directory, &arguments, true);
    for number in 0..10 {
        first.wait_for(&format!(" v{number}.\n"), soon);
    }
    let second = start_member(&directory, &arguments, false);
    first.wait_for("revoked example-group-0", soon);
    second.wait_for("assigned example-group-", soon);
    produce(10..12);
    for member in [&first, &second] {
        wait_until("a record of each", soon, || {
            let output = member.output();
            output.contains(" v10.\n") != output.contains(" v11.\n")
        });
        member.signal(libc::SIGINT);
        let status = member.wait(soon).expect("it ends");
        assert!(status.success(), "{status}: {}", member.tail());
    }
    assert!(!second.output().contains(" v1.\n"), "{}", second.output());
    produce(12..14);
    let third = start_member(&directory, &arguments, false);
    third.wait_for(" v12.\n", soon);
    third.wait_for(" v13.\n", soon);
    assert_eq!(third.output().matches(" @").count(), 2, "{}", third.output());
}

#[test]
fn an_event_loop_waits_for_what_is_written_later() {
    let (directory, source) = log_dir();
    let mut command = Command::new(example("epoll_loop"));
    command.args(["-t", "numbers", "-c", "3001", &source]).stdout(Stdio::piped());
    let waiting = command.spawn().unwrap();
    append_lines(directory.path(), "one more\n", &[]);
    let output = waiting.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(text(&output.stdout).ends_with("3001 records in the end\n"), "{output:?}");
}

/// Feeds lines to the example that writes logs.
fn append_lines(directory: &Path, input: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(example("write_log"));
    command.args(["-t", "numbers"]).args(arguments).arg(directory);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    output
}

#[test]
fn written_lines_are_scanned() {
    let directory = TempDir::new("c-examples");
    let input: String = (0..5000).map(|number| format!("line {number}\n")).collect();
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        append_lines(directory.path(), &input, &["-z", codec]);
    }
    let last = append_lines(directory.path(), "last", &["-p", "3"]);
    assert_eq!(text(&last.stdout), "numbers-3 ends at offset 1\n");
    let scanned = run_checked(&example("scan_log"), &[directory.path()], true);
    let lines = text(&scanned.stdout);
    let mut lines = lines.lines();
    let bytes = (input.len() - 5000) * 5;
    let first = format!("numbers-0: 25000 records, {bytes} bytes, offsets 0 to 24999, ");
    assert!(lines.next().unwrap().starts_with(&first), "{first}: {}", text(&scanned.stdout));
    assert!(lines.next().unwrap().starts_with("numbers-3: 1 records, 4 bytes, offsets 0 to 0"));
    assert_eq!(lines.next(), None);
}

/// Returns how many blocks consume allocates for a topic of so many records.
fn allocations(count: usize) -> usize {
    let directory = TempDir::new("c-examples");
    let lines = "a line that is a record\n".repeat(count);
    append_lines(directory.path(), &lines, &[]);
    let source = format!("log.dirs={}", directory.path().display());
    let consume = example("consume");
    let output = expect_success(
        Command::new("valgrind").arg(consume).args(["-t", "numbers", "-e", "-q", &source]),
    );
    let summary = text(&output.stdout);
    assert!(summary.starts_with(&format!("{count} records, ")), "{summary}");
    let report = text(&output.stderr);
    let (_, usage) = report.split_once("total heap usage: ").expect("valgrind's summary");
    usage.split(' ').next().unwrap().replace(',', "").parse().unwrap()
}

#[test]
fn allocations_are_per_poll_and_not_per_record() {
    let (few, many) = (1_000, 50_000);
    let (least, most) = (allocations(few), allocations(many));
    // A poll of 500 records, the default, takes a few.
    assert!(most - least < (many - few) / 50, "{least} for {few} records, {most} for {many}");
}

#[test]
fn errors_go_to_stderr_and_end_with_1() {
    let (_directory, source) = log_dir();
    let consume = example("consume");
    assert!(fails(&consume, &["-t", "nothing", &source]).contains("nothing: no such topic"));
    assert!(fails(&consume, &["-t", "x", "fetch.min.byte=1"]).contains("fetch.min.bytes"));
    let committed = fails(&consume, &["-t", "x", &source, "isolation.level=read_committed"]);
    assert!(committed.contains("isolation.level"), "{committed}");
    let unreachable = ["-t", "x", "bootstrap.servers=127.0.0.1:1", "default.api.timeout.ms=300"];
    assert!(fails(&consume, &unreachable).contains("TIMEOUT"));
    assert!(fails(&example("consume_cpp"), &["nothing", &source]).contains("no such topic"));
    assert!(fails(&example("scan_log"), &["/no/such/directory"]).contains("/no/such/directory"));
    assert!(fails(&example("write_log"), &["-t", "no name", "/tmp"]).contains("no name"));
    assert!(fails(&example("error_handling"), &["x=1", "t", "0"]).contains("CONFIG"));
    assert!(fails(&example("epoll_loop"), &["-t", "t", "x=1"]).contains("CONFIG"));
    let member = example("consume_group");
    assert!(fails(&member, &["-t", "t", &source]).contains("usage: consume_group"));
    assert!(fails(&member, &["-g", "g", "-t", "no name", &source]).contains("no name"));
    let script = path("ffi-examples/python/consume.py");
    let output = run(&python(), &[script.as_os_str(), "nothing".as_ref(), source.as_ref()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("nothing: no such topic"));
}

#[test]
fn examples_compile_without_a_warning() {
    for (directory, compilers, standard) in
        [("c", ["gcc", "clang"], "-std=gnu11"), ("cpp", ["g++", "clang++"], "-std=c++17")]
    {
        for entry in fs::read_dir(path("ffi-examples").join(directory)).unwrap() {
            // A header is compiled with those that include it.
            if entry.as_ref().unwrap().path().extension().is_some_and(|name| name == "h") {
                continue;
            }
            for compiler in compilers {
                let mut command = Command::new(compiler);
                command.args([standard, "-fsyntax-only", "-Werror", "-Wall", "-Wextra"]);
                command.arg("-Wpedantic").arg("-I").arg(path("include"));
                expect_success(command.arg(entry.as_ref().unwrap().path()));
            }
        }
    }
}
