//! `kfetch cat` and `kfetch bench` on log directories, with no broker.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod cli;
mod support;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use cli::{Ran, finish, kfetch, run, run_with};
use support::temp_dir::TempDir;

const FIRST_SEGMENT: &str = "00000000000000000000.log";
const START_MS: i64 = 1_600_000_000_000;

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// Generates the topic `t` and returns its log directory.
fn generated(directory: &TempDir, name: &str, arguments: &[&str]) -> PathBuf {
    let path = directory.path().join(name);
    let base = ["log", "generate", "-q", "-t", "t", text(&path)];
    run(kfetch(base.iter().chain(arguments))).well();
    path
}

fn cat(path: &Path, arguments: &[&str]) -> Ran {
    run(kfetch(["cat", "--log-dirs", text(path), "-t", "t"].iter().chain(arguments)))
}

/// Returns the numbers at the beginning of the values that are printed.
fn numbers(path: &Path, arguments: &[&str]) -> Vec<i64> {
    let out = cat(path, &[&["-q", "-f", "%s\\n"], arguments].concat()).well();
    out.lines().map(|line| line.split(' ').next().unwrap().parse().unwrap()).collect()
}

#[test]
fn every_record_is_printed_once_and_in_order() {
    let directory = TempDir::new("cli-dirs-cat");
    let base = ["--partitions", "3", "--records", "20000", "--segment-bytes", "200000"];
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let path = generated(&directory, codec, &[&base[..], &["--codec", codec]].concat());
        for mode in ["auto", "mmap", "pread"] {
            let mode = format!("log.read.mode={mode}");
            let format = ["-e", "-q", "-X", &mode, "-f", r"%p %o %T %s\n"];
            let out = cat(&path, &format).well();
            let mut next = [0_i64; 3];
            for line in out.lines() {
                let fields: Vec<i64> =
                    line.split(' ').take(4).map(|field| field.parse().unwrap()).collect();
                let [partition, offset, time, number] = fields.try_into().unwrap();
                let seen = &mut next[usize::try_from(partition).unwrap()];
                assert_eq!((offset, number), (*seen, *seen * 3 + partition), "{codec} {mode}");
                assert_eq!(time, START_MS + number);
                *seen += 1;
            }
            assert_eq!(next, [6667, 6667, 6666], "{codec} {mode}");
        }
    }
}

#[test]
fn offsets_say_where_to_begin_and_where_to_stop() {
    let directory = TempDir::new("cli-dirs-offsets");
    let path = generated(&directory, "d", &["--records", "1000", "--segment-bytes", "20000"]);
    let range = |first: i64, end: i64| (first..end).collect::<Vec<_>>();
    let at = |prefix: char, number: i64| format!("{prefix}@{}", START_MS + number);
    for (arguments, expected) in [
        (&["-e"][..], range(0, 1000)),
        (&["-e", "-o", "990"], range(990, 1000)),
        (&["-e", "-o", "-5"], range(995, 1000)),
        (&["-e", "-o", "end"], range(0, 0)),
        (&["-e", "-o", &at('s', 700)], range(700, 1000)),
        (&["-e", "-o", &at('s', 5000)], range(0, 0)),
        (&["-o", &at('s', 300), "-o", &at('e', 310)], range(300, 310)),
        (&["-c", "3", "-o", "500"], range(500, 503)),
    ] {
        assert_eq!(numbers(&path, arguments), expected, "{arguments:?}");
    }
    let told = cat(&path, &["-e", "-o", "end"]).ended(0);
    assert_eq!(told, "% Reached end of topic t [0] at offset 1000: exiting\n");
}

#[test]
fn what_another_process_appends_is_followed() {
    let directory = TempDir::new("cli-dirs-follow");
    let path = directory.path().join("d");
    let append = |line: &str| {
        let command = kfetch(["log", "append", "-q", "-t", "t", "-K", ":", text(&path)]);
        run_with(command, line.as_bytes()).well();
    };
    append("k:zero\n");
    let base = ["cat", "--log-dirs", text(&path), "-t", "t", "-q", "-K", "=", "-c", "3"];
    let mut command = kfetch(base);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    for (given, expected) in [("", "k=zero"), ("k:one\n", "k=one"), ("two\n", "=two")] {
        if !given.is_empty() {
            append(given);
        }
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        assert_eq!(line.trim_end(), expected);
    }
    finish(child).ended(0);
}

#[test]
fn json_has_no_broker() {
    let directory = TempDir::new("cli-dirs-json");
    let path = directory.path().join("d");
    let command = kfetch(["log", "append", "-q", "-t", "t", "-H", "h=1", text(&path)]);
    run_with(command, b"a\"b\n").well();
    let out = cat(&path, &["-e", "-q", "-J"]).well();
    let start = r#"{"topic":"t","partition":0,"offset":0,"tstype":"create","ts":"#;
    let end = r#","broker":-1,"headers":["h","1"],"key":null,"payload":"a\"b"}"#;
    assert!(out.starts_with(start) && out.trim_end().ends_with(end), "{out}");
}

#[test]
fn what_does_not_exist_is_named() {
    let directory = TempDir::new("cli-dirs-missing");
    let path = generated(&directory, "d", &["--records", "1"]);
    let none = directory.path().join("none");
    let file = path.join("t-0").join(FIRST_SEGMENT);
    for not_a_directory in [&none, &file] {
        let told = cat(not_a_directory, &["-e"]).ended(1);
        assert!(told.contains(text(not_a_directory)), "{told}");
    }
    let told = cat(&path, &["-e", "-p", "4"]).ended(1);
    assert!(told.contains("topic t [4]: no such partition"), "{told}");
    let told = run(kfetch(["cat", "--log-dirs", text(&path), "-t", "u", "-e"])).ended(1);
    assert!(told.contains("topic u does not exist"), "{told}");
}

#[test]
fn what_two_directories_have_is_the_error_of_who_asks_for_it() {
    let directory = TempDir::new("cli-dirs-twice");
    let one = generated(&directory, "one", &["--partitions", "2", "--records", "10"]);
    let other = directory.path().join("other");
    run(kfetch(["log", "generate", "-q", "-t", "u", "--records", "7", text(&other)])).well();
    let both = format!("{},{}", text(&one), text(&other));
    let read = |command: &str, topic: &str, arguments: &[&str]| {
        let base = [command, "--log-dirs", &both, "-t", topic];
        run(kfetch(base.iter().chain(arguments)))
    };
    for path in [&one, &other] {
        fs::create_dir(path.join("__consumer_offsets-3")).unwrap();
    }
    assert_eq!(read("cat", "t", &["-e", "-q"]).well().lines().count(), 10);
    assert_eq!(read("cat", "u", &["-e", "-q"]).well().lines().count(), 7);
    assert!(read("bench", "u", &["--json"]).well().contains("\"records\":7"));

    fs::remove_dir(other.join("__consumer_offsets-3")).unwrap();
    fs::create_dir(other.join("t-1")).unwrap();
    let parts = ["topic t [1]: two log directories", text(&one), text(&other)];
    for (command, arguments) in [
        ("cat", &["-e", "-q"][..]),
        ("cat", &["-e", "-q", "-p", "0", "-p", "1"]),
        ("cat", &["-e", "-q", "-g", "g"]),
        ("bench", &[]),
    ] {
        let told = read(command, "t", arguments).ended(1);
        assert!(parts.iter().all(|part| told.contains(part)), "{told}");
    }
    assert_eq!(read("cat", "u", &["-e", "-q"]).well().lines().count(), 7);
    assert_eq!(read("cat", "t", &["-e", "-q", "-p", "0"]).well().lines().count(), 5);
    let told = read("cat", "t", &["-e", "-q", "-p", "4"]).ended(1);
    assert!(told.contains("topic t [4]: there is no such partition"), "{told}");
}

#[test]
fn one_directory_by_two_names_is_given_twice() {
    let directory = TempDir::new("cli-dirs-names");
    let path = generated(&directory, "d", &["--records", "1"]);
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let both = format!("{},{}", text(&path), text(&link));
    let expected = format!("{} and {} are one directory", text(&path), text(&link));
    let count = || fs::read_dir(&path).unwrap().count();
    let before = count();
    for command in [
        &["cat", "-t", "t", "-e"][..],
        &["cat", "-t", "t", "-e", "-g", "g"],
        &["bench", "-t", "t"],
        &["group", "list"],
        &["group", "describe", "g"],
        &["group", "reset", "g", "-t", "t", "--to", "0"],
    ] {
        let told = run(kfetch(command.iter().chain(&["--log-dirs", &both]))).ended(1);
        assert!(told.contains("given twice") && told.contains(&expected), "{told}");
    }
    assert_eq!(count(), before, "something was made");
}

#[test]
fn a_damaged_batch_is_named_and_the_other_partitions_are_finished() {
    let directory = TempDir::new("cli-dirs-damage");
    let options = ["--partitions", "2", "--records", "200", "--batch-bytes", "1"];
    for codec in ["none", "zstd"] {
        let path = generated(&directory, codec, &[&options[..], &["--codec", codec]].concat());
        let segment = path.join("t-1").join(FIRST_SEGMENT);
        let mut bytes = fs::read(&segment).unwrap();
        let size = |at: usize| {
            12 + u32::from_be_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize
        };
        let end = (0..31).fold(0, |at, _| at + size(at));
        bytes[end - 3] ^= 4;
        fs::write(&segment, bytes).unwrap();
        for mode in ["mmap", "pread"] {
            let mode = format!("log.read.mode={mode}");
            let ran = cat(&path, &["-e", "-X", &mode, "-f", r"%p\n"]);
            let out = String::from_utf8(ran.stdout.clone()).unwrap();
            let count = |partition: &str| out.lines().filter(|line| *line == partition).count();
            assert_eq!((count("0"), count("1")), (100, 30), "{codec} {mode}: {}", ran.stderr);
            let told = ran.ended(1);
            assert!(told.contains("% ERROR: topic t [1] at offset 30: "), "{told}");
            assert!(told.contains("% Reached end of topic t [0] at offset 100"), "{told}");
        }
    }
}

#[test]
fn a_closed_output_ends_it_in_silence() {
    let directory = TempDir::new("cli-dirs-pipe");
    let path = generated(&directory, "d", &["--records", "50000"]);
    for arguments in [&["-q"][..], &["-q", "-o", "-1"]] {
        let mut command =
            kfetch(["cat", "--log-dirs", text(&path), "-t", "t"].iter().chain(arguments));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'));
        assert_eq!(finish(child).ended(0), "", "{arguments:?}");
    }
}

#[test]
fn a_segment_that_is_being_written_ends_where_its_last_batch_does() {
    let directory = TempDir::new("cli-dirs-tail");
    let path = generated(&directory, "d", &["--records", "10"]);
    let mut file =
        fs::File::options().append(true).open(path.join("t-0").join(FIRST_SEGMENT)).unwrap();
    file.write_all(&[0; 4096]).unwrap();
    assert_eq!(numbers(&path, &["-e"]), (0..10).collect::<Vec<_>>());
}

#[test]
fn bench_reads_all_of_it() {
    let directory = TempDir::new("cli-dirs-bench");
    let path = generated(&directory, "d", &["--partitions", "2", "--records", "3000"]);
    for mode in ["mmap", "pread"] {
        let mode = format!("log.read.mode={mode}");
        let base = ["bench", "--log-dirs", text(&path), "-t", "t", "--json", "-X", &mode];
        let json = run(kfetch(base)).well();
        assert!(json.starts_with("{\"records\":3000,\"bytes\":"), "{json}");
    }
}
