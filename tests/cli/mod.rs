//! Runs the command, and kcat beside it.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, SystemTime};

/// Nothing that a test waits for takes longer.
const LIMIT: Duration = Duration::from_secs(60);

/// What a command has printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The exit status; none after a signal.
    pub(crate) status: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Ran {
    /// Returns the output of a run that did well.
    pub(crate) fn well(self) -> String {
        assert_eq!(self.status, Some(0), "{}", self.stderr);
        String::from_utf8(self.stdout).expect("text")
    }

    /// Returns the messages of a run that ended so.
    pub(crate) fn ended(self, status: i32) -> String {
        assert_eq!(self.status, Some(status), "{}", self.stderr);
        self.stderr
    }
}

/// Makes a command line of the command that is tested.
pub(crate) fn kfetch<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kfetch"));
    command.args(arguments);
    command
}

/// Makes a command line of kcat, which reads no configuration of the user's.
pub(crate) fn kcat<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new("kcat");
    command.args(["-F", "none", "-C"]).args(arguments);
    command
}

/// Runs a command to its end, with `input` as its standard input.
///
/// # Panics
///
/// When it cannot be started or takes too long.
pub(crate) fn run_with(mut command: Command, input: &[u8]) -> Ran {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("start {command:?}: {error}"));
    // What is small fits into the pipe, so nobody waits for anybody here.
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    thread::spawn(move || stdin.write_all(&input));
    finish(child)
}

/// Runs a command to its end, without input.
///
/// # Panics
///
/// As [`run_with`].
pub(crate) fn run(command: Command) -> Ran {
    run_with(command, &[])
}

/// Waits for the end of a process whose output goes to pipes.
///
/// # Panics
///
/// When it takes too long.
pub(crate) fn finish(mut child: Child) -> Ran {
    let stdout = child.stdout.take().map(|pipe: ChildStdout| collect(pipe));
    let stderr = child.stderr.take().map(|pipe: ChildStderr| collect(pipe));
    let mut late = |_| {
        drop(child.kill());
        panic!("{} did not end in time", child.id())
    };
    let mut take = |pipe: Option<std::sync::mpsc::Receiver<Vec<u8>>>| {
        pipe.map_or_else(Vec::new, |pipe| pipe.recv_timeout(LIMIT).unwrap_or_else(&mut late))
    };
    let (stdout, stderr) = (take(stdout), take(stderr));
    let status = child.wait().expect("it is our child").code();
    Ran { status, stdout, stderr: String::from_utf8_lossy(&stderr).into_owned() }
}

/// Reads a pipe to its end on a thread.
fn collect(mut pipe: impl Read + Send + 'static) -> std::sync::mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        let _ = sender.send(bytes);
    });
    receiver
}

/// Returns every file of a directory with its bytes and its time.
pub(crate) fn files(path: &Path) -> Vec<(PathBuf, SystemTime, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let modified = fs::metadata(&path).unwrap().modified().unwrap();
            found.push((path.clone(), modified, fs::read(&path).unwrap_or_default()));
        }
    }
    found.sort();
    found
}
