//! `kfetch cat -g` reads as a member of a group, and commits what it has printed.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod cli;
mod support;

use std::io::{BufRead, BufReader, Read};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use cli::{Ran, finish, kfetch, run};
use support::deadline::wait_until;
use support::kafka::Cluster;
use support::process::heed;
use support::producer::Record;
use support::temp_dir::TempDir;

const SOON: Duration = Duration::from_secs(40);

/// Where the topics are.
enum Place<'a> {
    Brokers(&'a Cluster),
    Dirs(&'a Path),
}

impl Place<'_> {
    fn options(&self) -> [String; 2] {
        match self {
            Self::Brokers(cluster) => ["-b".to_owned(), cluster.bootstrap()],
            Self::Dirs(path) => ["--log-dirs".to_owned(), path.display().to_string()],
        }
    }

    fn create(&self, topic: &str, partitions: usize) {
        match self {
            Self::Brokers(cluster) => cluster.create_topic(topic, partitions, &[]),
            Self::Dirs(_) => self.append(topic, partitions, 0..0),
        }
    }

    /// Appends numbers to the partitions in turn.
    fn append(&self, topic: &str, partitions: usize, numbers: std::ops::Range<usize>) {
        match self {
            Self::Brokers(cluster) => {
                let partition = |number: usize| i32::try_from(number % partitions).unwrap();
                let record = |number: usize| {
                    Record::new("k", &number.to_string()).partition(partition(number))
                };
                cluster.produce(topic, &numbers.map(record).collect::<Vec<_>>(), &[]);
            }
            Self::Dirs(path) => {
                for partition in 0..partitions {
                    let options = kfetch::LogWriterOptions::default();
                    let number = i32::try_from(partition).unwrap();
                    let mut writer = kfetch::LogWriter::open(path, topic, number, options).unwrap();
                    for value in numbers.clone().filter(|value| value % partitions == partition) {
                        let value = value.to_string();
                        let record = kfetch::record::NewRecord {
                            value: Some(value.as_bytes()),
                            ..Default::default()
                        };
                        writer.append(&[record]).unwrap();
                    }
                    writer.close().unwrap();
                }
            }
        }
    }

    fn command(&self, group: &str, arguments: &[&str]) -> Command {
        let options = self.options();
        let base = ["cat", "-g", group, "-X", "heartbeat.interval.ms=200"];
        let options = options.iter().map(String::as_str);
        kfetch(base.into_iter().chain(options).chain(arguments.iter().copied()))
    }

    fn cat(&self, group: &str, arguments: &[&str]) -> Ran {
        run(self.command(group, arguments))
    }

    /// Returns the numbers that a run prints, in order.
    fn numbers(&self, group: &str, arguments: &[&str]) -> Vec<usize> {
        sorted(&self.cat(group, arguments).well())
    }

    /// Returns lag and offset of each partition for which the group has committed.
    fn offsets(&self, group: &str) -> Vec<(i64, i64)> {
        let options = self.options();
        let base = ["group", "describe", group];
        let out = run(kfetch(base.into_iter().chain(options.iter().map(String::as_str)))).well();
        let rows = out.lines().skip(1).map(|row| row.split_whitespace().collect::<Vec<_>>());
        rows.map(|row| (row[5].parse().unwrap(), row[3].parse().unwrap())).collect()
    }
}

fn sorted(out: &str) -> Vec<usize> {
    let mut numbers: Vec<usize> = out.lines().map(|line| line.parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

/// A member that runs, and what it has printed.
struct Member {
    child: Child,
    printed: Arc<Mutex<Vec<usize>>>,
    said: Arc<Mutex<String>>,
    readers: Vec<thread::JoinHandle<()>>,
}

impl Member {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let printed = Arc::new(Mutex::new(Vec::new()));
        let said = Arc::new(Mutex::new(String::new()));
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (to, words) = (Arc::clone(&printed), Arc::clone(&said));
        let numbers = thread::spawn(move || {
            for line in stdout.lines() {
                to.lock().unwrap().push(line.unwrap().parse().unwrap());
            }
        });
        let text = thread::spawn(move || {
            for line in stderr.lines() {
                *words.lock().unwrap() += &(line.unwrap() + "\n");
            }
        });
        Self { child, printed, said, readers: vec![numbers, text] }
    }

    fn printed(&self) -> Vec<usize> {
        self.printed.lock().unwrap().clone()
    }

    fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Tells how many partitions it was assigned last.
    fn owned(&self) -> usize {
        let said = self.said();
        let last = said.lines().rfind(|line| line.contains("): assigned: "));
        last.map_or(0, |line| line.matches('[').count())
    }

    /// Stops it as a terminal does; returns what it has printed.
    fn stop(self, signal: i32) -> Vec<usize> {
        self.stop_with(signal, 0)
    }

    fn stop_with(mut self, signal: i32, wanted: i32) -> Vec<usize> {
        let id = i32::try_from(self.child.id()).unwrap();
        // SAFETY: the child has not been waited for, so that its id is its own.
        assert_eq!(unsafe { libc::kill(id, signal) }, 0);
        let status = self.child.wait().unwrap();
        self.readers.into_iter().for_each(|reader| reader.join().unwrap());
        assert_eq!(status.code(), Some(wanted), "{}", self.said.lock().unwrap());
        let printed = self.printed.lock().unwrap();
        printed.clone()
    }
}

/// Waits until it is so; what the members have said is told where it does not come about.
fn wait_for(members: &[&Member], is_so: impl FnMut() -> bool) {
    let outcome = catch_unwind(AssertUnwindSafe(|| wait_until("what members do", SOON, is_so)));
    if let Err(panic) = outcome {
        members.iter().for_each(|member| eprintln!("a member said:\n{}", member.said()));
        resume_unwind(panic);
    }
}

fn goes_on_where_it_stopped(place: &Place<'_>) {
    place.create("goes-on", 3);
    place.append("goes-on", 3, 0..300);
    let arguments = ["-t", "goes-on", "-e"];
    let ran = place.cat("goes-on-group", &arguments);
    assert_eq!(ran.stderr.matches("Reached end of topic goes-on").count(), 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("Group goes-on-group rebalanced (memberid "), "{}", ran.stderr);
    assert!(ran.stderr.contains("): assigned: goes-on [0], goes-on [1], goes-on [2]\n"));
    assert_eq!(sorted(&ran.well()), (0..300).collect::<Vec<_>>());
    assert_eq!(place.offsets("goes-on-group"), [(0, 100); 3]);
    assert_eq!(place.numbers("goes-on-group", &arguments), []);
    place.append("goes-on", 3, 300..330);
    assert_eq!(place.offsets("goes-on-group"), [(10, 100); 3]);
    // A count ends it in the midst of what it could have had, and the rest is for the next.
    let mut printed = place.numbers("goes-on-group", &["-t", "goes-on", "-c", "7"]);
    assert_eq!(printed.len(), 7);
    let quiet = place.cat("goes-on-group", &["-t", "goes-on", "-e", "-q"]);
    assert_eq!(quiet.stderr, "");
    printed.extend(sorted(&quiet.well()));
    printed.sort_unstable();
    assert_eq!(printed, (300..330).collect::<Vec<_>>());
    // Another group begins at the beginning, or as it is told.
    assert_eq!(place.numbers("goes-on-late", &["-t", "goes-on", "-e", "-o", "end"]), []);
    let late = ["-t", "goes-on", "-e", "-X", "auto.offset.reset=latest"];
    assert_eq!(place.numbers("goes-on-later", &late), []);
    // Without commits nothing changes.
    let peek = ["-t", "goes-on", "-e", "-X", "enable.auto.commit=false"];
    assert_eq!(place.numbers("goes-on-peek", &peek).len(), 330);
    assert_eq!(place.offsets("goes-on-peek"), []);
}

fn two_share_a_topic(place: &Place<'_>) {
    place.create("shared", 4);
    place.append("shared", 4, 0..400);
    let start = || Member::start(place.command("shared-group", &["-t", "shared"]));
    let first = start();
    wait_for(&[&first], || first.printed().len() == 400);
    let second = start();
    wait_for(&[&first, &second], || (first.owned(), second.owned()) == (2, 2));
    place.append("shared", 4, 400..800);
    wait_for(&[&first, &second], || first.printed().len() + second.printed().len() == 800);
    assert_eq!(second.printed().len(), 200);
    let mut printed = second.stop(libc::SIGINT);
    wait_for(&[&first], || first.owned() == 4);
    place.append("shared", 4, 800..1200);
    wait_for(&[&first], || first.printed().len() == 1000);
    printed.extend(first.stop(libc::SIGTERM));
    printed.sort_unstable();
    assert_eq!(printed, (0..1200).collect::<Vec<_>>());
    assert_eq!(place.offsets("shared-group"), [(0, 300); 4]);
}

fn topics_are_named_or_match(place: &Place<'_>) {
    for (topic, number) in [("match-a", 1), ("match-b", 2), ("match-bc", 3), ("match.d", 4)] {
        place.create(topic, 1);
        place.append(topic, 1, number..number + 1);
    }
    let named = ["-t", "match-a", "-t", "match.d", "-e"];
    assert_eq!(place.numbers("match-names", &named), [1, 4]);
    assert_eq!(place.numbers("match-whole", &["-t", "^match-b", "-e"]), [2]);
    assert_eq!(place.numbers("match-some", &["-t", "^match-b.*", "-e"]), [2, 3]);
    let both = ["-t", "^match-bc|match-a", "-t", "match.d", "-e"];
    assert_eq!(place.numbers("match-both", &both), [1, 3, 4]);
    // None matches: there is nothing to wait for.
    let ran = place.cat("match-nothing", &["-t", "^match-z.*", "-e"]);
    assert!(ran.stderr.contains("% no topic matches\n"), "{}", ran.stderr);
    assert_eq!(ran.well(), "");
    let wrong = place.cat("match-wrong", &["-t", "^match-a", "-t", "^(bad", "-e"]).ended(1);
    assert!(wrong.contains("the pattern \"^(bad\" is no regular expression"), "{wrong}");
    let missing = place.cat("match-none", &["-t", "match-z", "-e"]).ended(1);
    assert!(missing.contains("topic match-z does not exist"), "{missing}");
}

fn a_reader_that_goes_leaves_the_rest_to_the_next(place: &Place<'_>) {
    place.create("piped", 1);
    place.append("piped", 1, 0..50_000);
    let mut command = place.command("piped-group", &["-t", "piped"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 2];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    assert_eq!(&first, b"0\n");
    let ran = finish(child);
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    let rest = place.numbers("piped-group", &["-t", "piped", "-e", "-q"]);
    assert_eq!(rest.last(), Some(&49_999));
    // What was written before may be printed again, none of the rest is left out.
    let begin = rest[0];
    assert_eq!(rest, (begin..50_000).collect::<Vec<_>>());
    assert!(begin < 40_000, "{begin} were committed and nobody has read them");
}

#[test]
fn a_broker_knows_where_a_group_stopped() {
    goes_on_where_it_stopped(&Place::Brokers(&Cluster::shared()));
}

#[test]
fn two_members_share_a_topic_of_a_broker() {
    two_share_a_topic(&Place::Brokers(&Cluster::shared()));
}

#[test]
fn topics_of_a_broker_are_named_or_match() {
    topics_are_named_or_match(&Place::Brokers(&Cluster::shared()));
}

#[test]
fn a_pipe_that_breaks_loses_nothing_of_a_broker() {
    a_reader_that_goes_leaves_the_rest_to_the_next(&Place::Brokers(&Cluster::shared()));
}

fn directory(name: &str) -> (TempDir, PathBuf) {
    let directory = TempDir::new(name);
    let path = directory.path().to_owned();
    (directory, path)
}

#[test]
fn a_log_directory_knows_where_a_group_stopped() {
    let (_directory, path) = directory("cat-group-on");
    goes_on_where_it_stopped(&Place::Dirs(&path));
}

#[test]
fn two_members_share_a_topic_of_a_log_directory() {
    let (_directory, path) = directory("cat-group-two");
    two_share_a_topic(&Place::Dirs(&path));
}

#[test]
fn a_member_that_coordinates_can_stop() {
    let (_directory, path) = directory("cat-group-holder");
    let place = Place::Dirs(&path);
    place.create("held", 2);
    place.append("held", 2, 0..100);
    let often = ["-t", "held", "-X", "auto.commit.interval.ms=50"];
    let first = Member::start(place.command("held-group", &often));
    wait_for(&[&first], || first.printed().len() == 100);
    let second = Member::start(place.command("held-group", &often));
    wait_for(&[&first, &second], || (first.owned(), second.owned()) == (1, 1));
    place.append("held", 2, 100..200);
    wait_for(&[&first, &second], || place.offsets("held-group") == [(0, 100); 2]);
    let mut printed = first.stop(libc::SIGINT);
    // The other one coordinates now, and is a member again.
    wait_for(&[&second], || second.owned() == 2);
    place.append("held", 2, 200..300);
    wait_for(&[&second], || printed.len() + second.printed().len() == 300);
    printed.extend(second.stop(libc::SIGTERM));
    printed.sort_unstable();
    assert_eq!(printed, (0..300).collect::<Vec<_>>());
}

#[test]
fn a_member_whose_terminal_goes_commits_and_leaves() {
    let (_directory, path) = directory("cat-group-hang-up");
    let place = Place::Dirs(&path);
    place.create("hung", 1);
    place.append("hung", 1, 0..10);
    let mut command = place.command("hung-group", &["-t", "hung"]);
    heed(&mut command, libc::SIGHUP);
    let member = Member::start(command);
    wait_for(&[&member], || member.printed().len() == 10);
    assert_eq!(member.stop_with(libc::SIGHUP, 129).len(), 10);
    assert_eq!(place.offsets("hung-group"), [(0, 10)]);
}

#[test]
fn topics_of_a_log_directory_are_named_or_match() {
    let (_directory, path) = directory("cat-group-match");
    topics_are_named_or_match(&Place::Dirs(&path));
}

#[test]
fn a_pipe_that_breaks_loses_nothing_of_a_log_directory() {
    let (_directory, path) = directory("cat-group-pipe");
    a_reader_that_goes_leaves_the_rest_to_the_next(&Place::Dirs(&path));
}

#[test]
fn what_a_group_does_not_take_is_a_usage_error() {
    let (_directory, path) = directory("cat-group-usage");
    let place = Place::Dirs(&path);
    for (arguments, text) in [
        (&["-t", "a", "-p", "1"][..], "cannot be used with"),
        (&["-t", "a", "-o", "5"], "beginning or end"),
        (&["-t", "a", "-o", "e@5"], "beginning or end"),
        (&[], "--topic <TOPIC>"),
    ] {
        let said = place.cat("usage", arguments).ended(2);
        assert!(said.contains(text), "{arguments:?}: {said}");
    }
    let dirs = path.to_str().unwrap();
    let said = run(kfetch(["cat", "--log-dirs", dirs, "-t", "a", "-t", "b"])).ended(2);
    assert!(said.contains("more than one -t goes with -g"), "{said}");
    assert_eq!(std::fs::read_dir(&path).unwrap().count(), 0);
}

#[test]
fn the_demo_shows_a_group_at_work() {
    let out = run(kfetch(["demo", "groups"])).well();
    for step in [
        "starts as a static member: group.instance.id=anna",
        "leads, and divides the partitions among anna, ben, carl, dora",
        "dora  is in generation 1: owns nothing",
        "ben   has left",
        "dora  reads orders [1] from 40 to 79, and commits 80",
        "anna  starts again with the same group.instance.id",
        "anna  reads orders [0] from 80 to 119, and commits 120",
        "are still in generation 2: nothing has moved",
        "demo   orders          2        120  120    0  -      -",
    ] {
        assert!(out.contains(step), "{step} is not in\n{out}");
    }
}

#[test]
fn kcat_and_kfetch_share_a_group() {
    let cluster = Cluster::shared();
    let place = Place::Brokers(&cluster);
    place.create("mixed", 4);
    place.append("mixed", 4, 0..100);
    let kcat = |group: &str, more: &[&str]| {
        let mut command = Command::new("kcat");
        let bootstrap = cluster.bootstrap();
        command.args(["-F", "none", "-b", &bootstrap, "-X", "auto.offset.reset=earliest"]);
        command.args(["-X", "heartbeat.interval.ms=200"]).args(more).args(["-G", group, "mixed"]);
        command
    };
    let theirs = run(kcat("mixed-theirs", &["-e", "-q"])).well();
    assert_eq!(sorted(&theirs), place.numbers("mixed-ours", &["-t", "mixed", "-e"]));
    // Each takes over from where the other has committed.
    assert_eq!(place.numbers("mixed-theirs", &["-t", "mixed", "-e"]), []);

    let ours = Member::start(place.command("mixed-both", &["-t", "mixed"]));
    wait_for(&[&ours], || ours.printed().len() == 100);
    let theirs = Member::start(kcat("mixed-both", &["-u"]));
    wait_for(&[&ours, &theirs], || ours.owned() == 2);
    place.append("mixed", 4, 100..200);
    wait_for(&[&ours, &theirs], || ours.printed().len() + theirs.printed().len() == 200);
    let mut printed = ours.stop(libc::SIGTERM);
    printed.extend(theirs.stop(libc::SIGTERM));
    printed.sort_unstable();
    assert_eq!(printed, (0..200).collect::<Vec<_>>());
}
