//! C programs against the library as it is shipped: `make` builds it and the examples, what a test
//! brings itself is compiled here; each program is run plainly or under valgrind.

#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use crate::support::temp_dir::TempDir;
use kfetch::TopicPartition;
use kfetch::log::{LogWriter, LogWriterOptions};
use kfetch::record::{Codec, NewRecord};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// No program takes longer, under valgrind and on a busy machine too.
const LIMIT_SECONDS: &str = "300";

/// What a test's records begin at, as the programs know it.
pub(crate) const FIRST_MS: i64 = 1_600_000_000_000;

/// How many records partition 0 has, and partition 1.
pub(crate) const COUNTS: [i64; 2] = [3000, 10];

/// Key, value and headers of record `number`, as `tests/c/records.c` describes them.
pub(crate) type Parts = (Option<String>, Option<String>, Vec<(&'static str, Option<&'static str>)>);

pub(crate) fn record_parts(number: i64) -> Parts {
    let key = (number % 7 != 0).then(|| format!("key-{number}"));
    let value = match number % 7 {
        1 => None,
        3 => Some(String::new()),
        _ => Some(format!("value-{number}")),
    };
    let headers = vec![("a", Some("1")), ("a", None), ("", Some(""))];
    (key, value, if number % 7 == 2 { headers } else { Vec::new() })
}

/// Returns a file of the repository.
pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(ROOT).join(name)
}

/// Builds libraries and examples, once for each test binary.
pub(crate) fn make() {
    static MADE: OnceLock<()> = OnceLock::new();
    MADE.get_or_init(|| {
        // Flags of a `make` above would be for that one.
        let mut make = Command::new("make");
        make.args(["-s", "-C", ROOT, "all"]).env_remove("MAKEFLAGS");
        expect_success(&mut make);
    });
}

/// Compiles `tests/c/<name>.c` against the shared library into a directory.
pub(crate) fn compile(name: &str, directory: &TempDir) -> PathBuf {
    make();
    let program = directory.path().join(name);
    let release = path("target/release");
    let mut compiler = Command::new("cc");
    compiler
        .args(["-std=gnu11", "-g", "-O1", "-Wall", "-Wextra", "-Wpedantic", "-Werror"])
        .arg("-I")
        .arg(path("include"))
        .arg("-o")
        .arg(&program)
        .arg(path(&format!("tests/c/{name}.c")))
        .arg("-L")
        .arg(&release)
        .args(["-lkfetch", "-pthread"])
        .arg(format!("-Wl,-rpath,{}", release.display()));
    expect_success(&mut compiler);
    program
}

/// Returns an example that `make` has built.
pub(crate) fn example(name: &str) -> PathBuf {
    make();
    path("target/ffi-examples").join(name)
}

/// Runs a program and returns what it said, whatever its exit status.
pub(crate) fn run(program: &Path, arguments: &[impl AsRef<OsStr>]) -> Output {
    let mut command = Command::new("timeout");
    command.arg(LIMIT_SECONDS).arg(program).args(arguments).current_dir("/");
    command.output().expect("timeout")
}

/// Runs a program under valgrind; any error or leak fails. `checks_leaks` is for those that do not
/// fork: a child ends with what its parent had.
pub(crate) fn run_checked(
    program: &Path,
    arguments: &[impl AsRef<OsStr>],
    checks_leaks: bool,
) -> Output {
    let mut command = Command::new("timeout");
    command
        .args([LIMIT_SECONDS, "valgrind", "--quiet", "--error-exitcode=99"])
        .arg(if checks_leaks { "--leak-check=full" } else { "--leak-check=no" })
        .arg("--errors-for-leak-kinds=definite,indirect,possible")
        .arg(program)
        .args(arguments)
        // A backtrace of a caught panic leaves blocks behind.
        .env("RUST_BACKTRACE", "0")
        .current_dir("/");
    expect_success(&mut command)
}

/// Runs a command that has to succeed.
pub(crate) fn expect_success(command: &mut Command) -> Output {
    let output = command.output().expect("the command exists");
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}\n{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    output
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Writes the records that the programs expect into a log directory.
pub(crate) fn fill_log_dir(directory: &Path, topic: &str) {
    for (partition, count) in (0..).zip(COUNTS) {
        let options = LogWriterOptions { codec: Codec::Lz4, ..LogWriterOptions::default() };
        let mut writer = LogWriter::open(directory, topic, partition, options).unwrap();
        for number in 0..count {
            let (key, value, headers) = record_parts(number);
            let headers: Vec<(&[u8], Option<&[u8]>)> = headers
                .iter()
                .map(|(name, value)| (name.as_bytes(), value.map(str::as_bytes)))
                .collect();
            let record = NewRecord {
                timestamp: FIRST_MS + if partition == 0 { number } else { 0 },
                key: key.as_deref().map(str::as_bytes),
                value: value.as_deref().map(str::as_bytes),
                headers: &headers,
            };
            writer.append(&[record]).unwrap();
        }
        writer.close().unwrap();
    }
}

/// Returns the lines that the examples write of a partition.
pub(crate) fn lines(partition: &TopicPartition, count: i64) -> Vec<String> {
    let line = |number| {
        let (key, value, _) = record_parts(number);
        let or_null = |cell: Option<String>| cell.unwrap_or_else(|| "NULL".to_owned());
        format!("{partition} @{number} {} {}", or_null(key), or_null(value))
    };
    (0..count).map(line).collect()
}
