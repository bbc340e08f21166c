//! Members as processes: started, watched through their events, stopped, killed, frozen.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::checker::MemberLog;
use super::event::{Event, Kind};
use super::member;
use crate::support::deadline::now;
use crate::support::jvm;
use crate::support::process::Process;

/// How long anything may take on a machine that has much else to do.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Whose client a member is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Client {
    #[default]
    Kfetch,
    Java,
    /// confluent-kafka, on librdkafka.
    Python,
}

/// What a member is started with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spec {
    pub(crate) client: Client,
    settings: Vec<(String, String)>,
}

/// A member process.
#[derive(Debug)]
pub(crate) struct Member {
    log: MemberLog,
    process: Process,
    read: usize,
}

impl Spec {
    /// Describes a member of a group that reads topics, separated by commas, commits after each
    /// poll and begins at the earliest record.
    pub(crate) fn new(group: &str, topics: &str) -> Self {
        Self::default()
            .with("group.id", group)
            .with("test.topics", topics)
            .with("test.commit", "sync")
            .with("enable.auto.commit", "false")
            .with("auto.offset.reset", "earliest")
    }

    /// Sets a property; the last one of a name wins.
    pub(crate) fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.settings.push((name.to_owned(), value.to_string()));
        self
    }

    pub(crate) fn client(mut self, client: Client) -> Self {
        self.client = client;
        self
    }

    fn command(&self) -> Command {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = match self.client {
            Client::Kfetch => {
                let mut command = Command::new(std::env::current_exe().unwrap());
                command.args(["--exact", member::TEST, "--nocapture", "--test-threads=1"]);
                command
            }
            Client::Java => jvm::command(
                &["-Xmx128m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"],
                "kfetch.GroupMember",
            ),
            Client::Python => {
                let mut command = Command::new(root.join("target/venv/bin/python"));
                command.arg(root.join("tests/group_processes/member.py"));
                command
            }
        };
        let lines = self.settings.iter().map(|(name, value)| format!("{name}={value}\n"));
        command.env(member::SETTINGS, lines.collect::<String>());
        command
    }
}

impl Member {
    /// Starts a process whose output goes into the directory too.
    pub(crate) fn start(directory: &Path, name: &str, spec: &Spec) -> Self {
        let log = directory.join(format!("{name}.out"));
        let process = Process::spawn(name, spec.command(), &log);
        let log = MemberLog { name: name.to_owned(), events: Vec::new() };
        Self { log, process, read: 0 }
    }

    pub(crate) fn name(&self) -> &str {
        &self.log.name
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn signal(&self, signal: libc::c_int) {
        self.process.signal(signal);
    }

    /// Returns all that it has said so far.
    pub(crate) fn log(&mut self) -> &MemberLog {
        let text = self.process.output_from(self.read);
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        self.read += whole;
        self.log.events.extend(text[..whole].lines().filter_map(Event::parse));
        &self.log
    }

    pub(crate) fn events(&mut self) -> &[Event] {
        &self.log().events
    }

    /// Returns the partitions that it has, sorted.
    pub(crate) fn owned(&mut self) -> Vec<String> {
        self.log().owned()
    }

    /// Returns how many events of a kind there were.
    pub(crate) fn count(&mut self, kind: Kind) -> usize {
        self.events().iter().filter(|event| event.kind == kind).count()
    }

    /// Kills the process and returns its log.
    pub(crate) fn kill(mut self) -> MemberLog {
        self.process.kill();
        self.log();
        self.log.events.push(Event::new(Kind::Killed));
        self.log
    }

    /// Ends the process in order and returns its log.
    pub(crate) fn stop(mut self) -> MemberLog {
        // Before that it does not know how to.
        self.process.wait_for("\"started\"", LIMIT);
        self.process.signal(libc::SIGTERM);
        let status = self.process.wait(LIMIT);
        let stopped = self.log().events.last().is_some_and(|last| last.kind == Kind::Stopped);
        assert!(stopped, "{}: {status:?}\n{}", self.log.name, self.process.tail());
        self.log
    }

    pub(crate) fn tail(&self) -> String {
        self.process.tail()
    }

    /// Tells whether it runs.
    pub(crate) fn is_running(&self) -> bool {
        self.process.wait(Duration::ZERO).is_none()
    }
}

/// Looks at the members until it is so.
pub(crate) fn wait_for(
    what: &str,
    members: &mut [Member],
    mut is_so: impl FnMut(&mut [Member]) -> bool,
) {
    let started = now();
    while !is_so(members) {
        for member in members.iter() {
            assert!(member.is_running(), "{} has ended:\n{}", member.name(), member.tail());
        }
        if started.elapsed() > LIMIT {
            for member in members.iter_mut() {
                let (name, owned) = (member.name().to_owned(), member.owned());
                eprintln!("{name} has {owned:?}, its last lines:\n{}", member.tail());
            }
            panic!("not within {LIMIT:?}: {what}");
        }
        std::thread::park_timeout(LOOK_EVERY);
    }
}

/// Waits until every partition has one owner, and every member one partition at least.
pub(crate) fn wait_for_owners(members: &mut [Member], partitions: usize) {
    wait_for("every partition is owned", members, |members| {
        let owned: Vec<Vec<String>> = members.iter_mut().map(Member::owned).collect();
        let mut all = owned.concat();
        let count = all.len();
        all.sort();
        all.dedup();
        owned.iter().all(|one| !one.is_empty()) && all.len() == partitions && count == partitions
    });
}

/// Waits until all records were delivered.
pub(crate) fn wait_for_all(
    members: &mut [Member],
    ended: &[MemberLog],
    ends: &BTreeMap<String, i64>,
) {
    wait_for("all records are delivered", members, |members| {
        let mut reached: BTreeMap<String, i64> = BTreeMap::new();
        let mut add = |log: &MemberLog| {
            let delivered = log.events.iter().filter(|event| event.kind == Kind::Delivered);
            for span in delivered.flat_map(|event| &event.spans) {
                let next = reached.entry(span.partition.clone()).or_default();
                *next = (span.last + 1).max(*next);
            }
        };
        ended.iter().for_each(&mut add);
        members.iter_mut().for_each(|member| add(member.log()));
        ends.iter().all(|(partition, end)| *end == 0 || reached.get(partition) == Some(end))
    });
}
