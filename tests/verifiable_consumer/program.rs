//! A verifiable consumer that runs: ours or Java's, and the events that it has printed.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::c_build::example;
use crate::support::deadline::wait_until;
use crate::support::jvm;
use crate::support::kafka::Cluster;
use crate::support::process::{Process, heed};
use crate::support::temp_dir::TempDir;

/// Long enough for a rebalance and the start of a Java process beside other tests.
const SOON: Duration = Duration::from_secs(60);

/// Whose program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    Ours,
    Javas,
}

/// A line of stdout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) name: String,
    /// The line with its time stamp replaced by `T`.
    pub(crate) line: String,
}

/// A running program; it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Program {
    process: Process,
    errors: PathBuf,
    _directory: TempDir,
}

impl Program {
    /// Starts a program with just these arguments.
    pub(crate) fn start(whose: Whose, arguments: &[&str]) -> Self {
        let directory = TempDir::new("verifiable");
        let errors = directory.path().join("stderr");
        let program = match whose {
            Whose::Ours => Command::new(example("verifiable_consumer")),
            Whose::Javas => {
                jvm::command(&["-Xmx256m"], "org.apache.kafka.tools.VerifiableConsumer")
            }
        };
        let mut command = Command::new("sh");
        command.args(["-c", "errors=$0; exec \"$@\" 2>\"$errors\""]).arg(&errors);
        command.arg(program.get_program()).args(program.get_args()).args(arguments);
        heed(&mut command, libc::SIGINT);
        let process = Process::spawn("verifiable", command, &directory.path().join("stdout"));
        Self { process, errors, _directory: directory }
    }

    /// Starts a member of a group on a cluster.
    pub(crate) fn member(
        whose: Whose,
        cluster: &Cluster,
        (topic, group): (&str, &str),
        arguments: &[&str],
    ) -> Self {
        let bootstrap = cluster.bootstrap();
        let mut all = vec!["--bootstrap-server", &bootstrap, "--topic", topic];
        all.extend(["--group-id", group]);
        all.extend(arguments);
        Self::start(whose, &all)
    }

    /// Waits for the end and returns the exit status.
    pub(crate) fn end(&self) -> i32 {
        let status = self.process.wait(SOON);
        let status = status.unwrap_or_else(|| panic!("it does not end: {}", self.said()));
        status.code().unwrap_or_else(|| panic!("killed by a signal: {status}"))
    }

    /// Sends a signal and waits for the end.
    pub(crate) fn end_by(&self, signal: libc::c_int) -> i32 {
        self.process.signal(signal);
        self.end()
    }

    /// Sends a signal and tells whether it ends with this status; one that goes on is killed with
    /// this value.
    pub(crate) fn ends_by(&self, signal: libc::c_int, wanted: i32) -> bool {
        self.process.signal(signal);
        let status = self.process.wait(SOON).and_then(|status| status.code());
        assert!(status.is_none_or(|status| status == wanted), "{status:?}: {}", self.said());
        status.is_some()
    }

    pub(crate) fn signal(&self, signal: libc::c_int) {
        self.process.signal(signal);
    }

    /// Returns the events so far; anything else on stdout fails.
    pub(crate) fn events(&self) -> Vec<Event> {
        let output = self.process.output();
        // The last line may not be whole yet.
        let whole = output.rfind('\n').map_or("", |end| &output[..end]);
        whole.lines().map(Event::new).collect()
    }

    /// Returns the names of the events so far.
    pub(crate) fn names(&self) -> Vec<String> {
        self.events().into_iter().map(|event| event.name).collect()
    }

    /// Waits until it is so.
    pub(crate) fn wait_until(&self, what: &str, is_so: impl Fn(&[Event]) -> bool) {
        wait_until(&format!("{what}\n{}", self.said()), SOON, || is_so(&self.events()));
    }

    /// Waits until the partitions that it owns are of such a number.
    pub(crate) fn wait_for_partitions(&self, count: usize) {
        let is_so = |events: &[Event]| {
            let is_told = events.iter().any(|event| event.name == "partitions_assigned");
            is_told && owned(events).len() == count
        };
        let started = crate::support::deadline::now();
        while !is_so(&self.events()) {
            assert!(started.elapsed() < SOON, "not {count} partitions: {}", self.said());
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    /// Returns the partitions that it owns.
    pub(crate) fn owned(&self) -> BTreeSet<i32> {
        owned(&self.events())
    }

    /// Returns what it has written to stderr.
    pub(crate) fn errors(&self) -> String {
        fs::read_to_string(&self.errors).unwrap_or_default()
    }

    /// Returns all that it has written.
    pub(crate) fn said(&self) -> String {
        format!("{}\n{}", self.process.tail(), self.errors())
    }
}

impl Event {
    fn new(line: &str) -> Self {
        let rest = line.strip_prefix("{\"timestamp\":").unwrap_or_else(|| panic!("{line}"));
        let (time, rest) = rest.split_once(',').unwrap();
        let time: u64 = time.parse().unwrap();
        assert!(time > 1_600_000_000_000, "{line}");
        let name = rest.strip_prefix("\"name\":\"").unwrap_or_else(|| panic!("{line}"));
        let (name, _) = name.split_once('"').unwrap();
        Self { name: name.to_owned(), line: format!("{{\"timestamp\":T,{rest}") }
    }

    /// Returns the numbers of the partitions in it.
    pub(crate) fn partitions(&self) -> BTreeSet<i32> {
        self.numbers("\"partition\":")
            .into_iter()
            .map(|number| number.try_into().unwrap())
            .collect()
    }

    /// Returns all numbers that follow a key.
    pub(crate) fn numbers(&self, key: &str) -> Vec<i64> {
        let number = |text: &str| {
            let end = text.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(text.len());
            text[..end].parse().unwrap()
        };
        self.line.split(key).skip(1).map(number).collect()
    }
}

/// Returns what is owned after these events; what is assigned twice or revoked without fails.
fn owned(events: &[Event]) -> BTreeSet<i32> {
    let mut owned = BTreeSet::new();
    for event in events {
        for partition in event.partitions() {
            let is_new = match event.name.as_str() {
                "partitions_assigned" => owned.insert(partition),
                "partitions_revoked" => owned.remove(&partition),
                _ => true,
            };
            assert!(is_new, "{}: {events:#?}", event.line);
        }
    }
    owned
}
