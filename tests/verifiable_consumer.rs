//! The verifiable consumer in C beside Java's: options, events, rebalances, ends; both in one group
//! too. What is expected of ours is asked of Java's as well, where Java does it.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod c_build;
#[path = "verifiable_consumer/program.rs"]
mod program;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use c_build::COUNTS;
use program::Whose::{Javas, Ours};
use program::{Program, Whose};
use support::kafka::Cluster;
use support::producer::Record;
use support::temp_dir::TempDir;

const RANGE: &str = "org.apache.kafka.clients.consumer.RangeAssignor";
const COOPERATIVE: &str = "org.apache.kafka.clients.consumer.CooperativeStickyAssignor";

/// Makes a topic with `count` records in turn on its partitions.
fn topic(cluster: &Cluster, name: &str, partitions: usize, count: usize) {
    cluster.create_topic(name, partitions, &[]);
    let record = |number: usize| {
        let partition = i32::try_from(number % partitions).unwrap();
        Record::new("k", &format!("v{number}")).partition(partition)
    };
    let records: Vec<Record> = (0..count).map(record).collect();
    cluster.produce(name, &records, &[]);
}

/// Runs a program to its end, which it has to find by itself.
fn run(whose: Whose, arguments: &[&str]) -> (i32, String, String) {
    let program = Program::start(whose, arguments);
    let status = program.end();
    (status, program.said(), program.errors())
}

#[test]
fn help_is_on_stdout() {
    for arguments in [&["--help"][..], &["-h"], &["--topic", "t", "-h"], &[]] {
        let (status, said, errors) = run(Ours, arguments);
        assert_eq!((status, errors.as_str()), (0, ""), "{arguments:?}");
        assert!(said.contains("usage: verifiable_consumer"), "{said}");
        assert!(said.contains("--enable-autocommit"), "{said}");
    }
}

#[test]
fn wrong_options_end_it_with_1() {
    let valid = ["--bootstrap-server", "127.0.0.1:1", "--topic", "t", "--group-id", "g"];
    let cases: [(&[&str], &str); 12] = [
        (&["--topic", "t", "--group-id", "g"], "argument --bootstrap-server is required"),
        (&["--bootstrap-server", "h:1", "--group-id", "g"], "argument --topic is required"),
        (&["--bootstrap-server", "h:1", "--topic", "t"], "argument --group-id is required"),
        (&["--nonsense", "x"], "--nonsense"),
        (&["--max-messages", "many"], "--max-messages"),
        (&["--max-messages"], "--max-messages"),
        (&["--session-timeout", "soon"], "session.timeout.ms"),
        (&["--reset-policy", "sometimes"], "auto.offset.reset"),
        (&["--assignment-strategy", "no.such.Class"], "partition.assignment.strategy"),
        (&["--group-protocol", "Consumer"], "group.protocol"),
        (&["--group-protocol", "carrier-pigeon"], "group.protocol"),
        (&["--consumer.config", "/no/such/file"], "/no/such/file"),
    ];
    for (place, (arguments, words)) in cases.into_iter().enumerate() {
        let mut all = if place < 3 { Vec::new() } else { valid.to_vec() };
        all.extend(arguments);
        let (status, _, errors) = run(Ours, &all);
        assert_eq!(status, 1, "{arguments:?}: {errors}");
        assert!(errors.contains(words), "{arguments:?}: {errors}");
        assert!(Program::start(Ours, &all).end() == 1);
    }
    // Java's, as far as its words are the same.
    for (arguments, words) in &cases[..3] {
        let (status, _, errors) = run(Javas, arguments);
        assert_eq!(status, 1, "{arguments:?}: {errors}");
        assert!(errors.contains(words), "{arguments:?}: {errors}");
    }
}

#[test]
fn a_configuration_file_is_read_and_the_options_win() {
    let cluster = Cluster::shared();
    topic(&cluster, "configured", 1, 5);
    let directory = TempDir::new("verifiable");
    let file = directory.path().join("consumer.properties");
    let path = file.to_str().unwrap();
    let text = "# a comment with a backslash \\\nheartbeat.interval.ms = 500\nno.such.name=1\n\
                auto.offset.reset=latest\ngroup.id=another\nclient.id: \\\n  of-the-file";
    fs::write(&file, text).unwrap();
    for option in ["--consumer.config", "--command-config"] {
        let arguments = [option, path, "--max-messages=5"];
        let member = Program::member(Ours, &cluster, ("configured", &option[2..]), &arguments);
        assert_eq!(member.end(), 0, "{}", member.said());
        assert!(member.errors().contains("no.such.name"), "{}", member.errors());
    }
    for (text, words) in [
        ("isolation.level=read_committed\n", "line 1: isolation.level"),
        ("# one\n\nisolation.level=read_committed\n", "line 3: isolation.level"),
        (
            "no.such.name=1\r\nclient.id=a\\\r\n  b\r\nfetch.min.bytes=x\r\n",
            "line 4: fetch.min.bytes",
        ),
        ("client.id=a\\\n b\nheartbeat.interval.ms=often\n", "line 3: heartbeat.interval.ms"),
        ("heartbeat.interval.ms=40000\n", "heartbeat.interval.ms"),
    ] {
        fs::write(&file, text).unwrap();
        let arguments = ["--consumer.config", path];
        let member = Program::member(Ours, &cluster, ("configured", "g"), &arguments);
        assert_eq!(member.end(), 1, "{}", member.said());
        let words =
            if words.starts_with("line") { format!("{path}: {words}") } else { words.into() };
        assert!(member.errors().contains(&words), "{}", member.errors());
        assert!(!member.errors().contains("'b'"), "{}", member.errors());
        assert_eq!(member.names(), [""; 0]);
    }
}

#[test]
fn events_that_cannot_be_written_end_it() {
    let directory = TempDir::new("verifiable-full");
    let file = directory.path().join("consumer.properties");
    fs::write(&file, format!("log.dirs={}\n", directory.path().display())).unwrap();
    let mut command = Command::new("timeout");
    command.arg("30").arg(c_build::example("verifiable_consumer"));
    command.args(["--topic", "t", "--group-id", "g", "--consumer.config"]).arg(&file);
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let ran = command.stdout(full).output().unwrap();
    let errors = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(1), "{errors}");
    assert!(errors.contains("verifiable_consumer: stdout: No space left"), "{errors}");
}

/// Values that JSON has to escape, or that are no text.
fn odd_records() -> Vec<Record> {
    let texts: [&[u8]; 10] = [
        b"plain",
        "\u{20ac} \u{1f600} \u{7ff} \u{7f} \u{80}".as_bytes(),
        b"quote \" backslash \\ slash /",
        b"\x00\x01\x08\x09\x0a\x0b\x0c\x0d\x1b\x1f",
        b"",
        b"\xff alone \xc3",
        b"\xe2\x82 cut \xf0\x9f\x98",
        b"\xed\xa0\x80 surrogate",
        b"\xc0\x80 overlong",
        b"\xf4\x90\x80\x80 beyond",
    ];
    let record = |text: &&[u8]| {
        let mut record = Record::new("", "").partition(0);
        record.key = Some(text.to_vec());
        record.value = Some(text.to_vec());
        record
    };
    let mut records: Vec<Record> = texts.iter().map(record).collect();
    records[4].key = None;
    records[5].value = None;
    records
}

#[test]
fn what_it_prints_is_what_java_s_prints() {
    let cluster = Cluster::shared();
    cluster.create_topic("odd", 1, &[]);
    let records = odd_records();
    cluster.produce("odd", &records, &[]);
    let lines = |whose: Whose, more: &[&str]| {
        let group = format!("odd-{whose:?}-{}", more.len());
        let count = records.len().to_string();
        let mut arguments = vec!["--verbose", "--max-messages", &count];
        arguments.extend(more);
        let member = Program::member(whose, &cluster, ("odd", &group), &arguments);
        assert_eq!(member.end(), 0, "{}", member.said());
        member.events().into_iter().map(|event| event.line).collect::<Vec<String>>()
    };
    for more in [&[][..], &["--enable-autocommit"]] {
        assert_eq!(lines(Ours, more), lines(Javas, more));
    }
}

#[test]
fn a_number_of_messages_ends_it_and_the_next_goes_on_there() {
    let cluster = Cluster::shared();
    topic(&cluster, "limited", 1, 12);
    let run = |arguments: &[&str]| {
        let member = Program::member(Ours, &cluster, ("limited", "limited"), arguments);
        assert_eq!(member.end(), 0, "{}", member.said());
        member
    };
    assert_eq!(run(&["--max-messages", "0"]).names(), ["startup_complete", "shutdown_complete"]);
    let first = run(&["--max-messages", "5"]);
    let names = first.names();
    assert_eq!(names.first().unwrap(), "startup_complete");
    assert_eq!(names[names.len() - 2..], ["partitions_revoked", "shutdown_complete"]);
    let of = |member: &Program, name: &str, key: &str| {
        let events = member.events().into_iter().filter(|event| event.name == name);
        events.flat_map(|event| event.numbers(key)).collect::<Vec<i64>>()
    };
    assert_eq!(of(&first, "records_consumed", "\"maxOffset\":").last(), Some(&4));
    assert_eq!(of(&first, "offsets_committed", "\"offset\":").last(), Some(&5));
    let second = run(&["--max-messages", "7"]);
    assert_eq!(of(&second, "records_consumed", "\"minOffset\":").first(), Some(&5));
    assert_eq!(of(&second, "offsets_committed", "\"offset\":").last(), Some(&12));
}

/// Lets a second member join and leave again, by a signal, and ends the first by another.
fn check_rebalance(first: Whose, second: Whose, strategy: &str, topic: &str) {
    let cluster = Cluster::shared();
    let group = format!("{topic}-{first:?}-{second:?}-{}", strategy.len());
    let arguments = ["--assignment-strategy", strategy, "--session-timeout", "10000"];
    let start = |whose| Program::member(whose, &cluster, (topic, &group), &arguments);
    let older = start(first);
    older.wait_for_partitions(3);
    older.wait_until("a commit", |events| {
        events.iter().any(|event| event.line.ends_with("\"success\":true}"))
    });
    let younger = start(second);
    let (of_older, of_younger) = wait_for_both(&older, &younger);
    let all = of_older.union(&of_younger).copied().collect::<BTreeSet<i32>>();
    assert_eq!(all, BTreeSet::from([0, 1, 2]), "{of_older:?} {of_younger:?}");
    assert!(of_older.is_disjoint(&of_younger), "{of_older:?} {of_younger:?}");
    let first_revoked = older.events().into_iter().find(|one| one.name == "partitions_revoked");
    let count = if strategy == COOPERATIVE { of_younger.len() } else { 3 };
    assert_eq!(first_revoked.unwrap().partitions().len(), count, "{}", older.said());
    assert_eq!(younger.end_by(libc::SIGTERM), 143, "{}", younger.said());
    older.wait_for_partitions(3);
    if !older.ends_by(libc::SIGINT, 130) {
        // Java's may miss a signal that comes while it is inside of its callback.
        assert_eq!(first, Javas, "{}", older.said());
        return;
    }
    for member in [&older, &younger] {
        let names = member.names();
        assert_eq!(names[0], "startup_complete");
        assert_eq!(names[names.len() - 2..], ["partitions_revoked", "shutdown_complete"]);
        assert_eq!(member.owned(), BTreeSet::new());
    }
}

/// Waits until both members own something and nothing moves any more.
fn wait_for_both(older: &Program, younger: &Program) -> (BTreeSet<i32>, BTreeSet<i32>) {
    let started = support::deadline::now();
    loop {
        let owned = (older.owned(), younger.owned());
        if !owned.0.is_empty() && !owned.1.is_empty() && owned.0.len() + owned.1.len() == 3 {
            return owned;
        }
        let said = || format!("{}\n{}", older.said(), younger.said());
        assert!(started.elapsed().as_secs() < 60, "{owned:?} {}", said());
        std::thread::park_timeout(std::time::Duration::from_millis(20));
    }
}

#[test]
fn two_of_ours_share_a_topic() {
    topic(&Cluster::shared(), "shared", 3, 30);
    check_rebalance(Ours, Ours, RANGE, "shared");
    check_rebalance(Ours, Ours, COOPERATIVE, "shared");
}

#[test]
fn ours_leads_a_group_with_java_s() {
    topic(&Cluster::shared(), "led", 3, 30);
    check_rebalance(Ours, Javas, RANGE, "led");
    check_rebalance(Ours, Javas, COOPERATIVE, "led");
}

#[test]
fn java_s_leads_a_group_with_ours() {
    topic(&Cluster::shared(), "followed", 3, 30);
    check_rebalance(Javas, Ours, RANGE, "followed");
    check_rebalance(Javas, Ours, COOPERATIVE, "followed");
}

#[test]
fn of_two_static_members_with_one_name_the_older_ends() {
    let cluster = Cluster::shared();
    topic(&cluster, "fenced", 2, 6);
    for younger in [Ours, Javas] {
        let group = format!("fenced-{younger:?}");
        let arguments = ["--group-instance-id", "one", "--session-timeout", "10000"];
        let older = Program::member(Ours, &cluster, ("fenced", &group), &arguments);
        older.wait_for_partitions(2);
        let younger = Program::member(younger, &cluster, ("fenced", &group), &arguments);
        younger.wait_for_partitions(2);
        assert_eq!(older.end(), 1, "{}", older.said());
        assert!(older.errors().contains("FencedInstanceIdException"), "{}", older.errors());
        let names = older.names();
        assert_eq!(names[names.len() - 2..], ["partitions_revoked", "shutdown_complete"]);
        let failed = |event: &program::Event| event.line.contains("\"success\":false");
        assert!(!older.events().iter().any(failed), "{}", older.said());
        assert_eq!(younger.end_by(libc::SIGTERM), 143, "{}", younger.said());
    }
}

#[test]
fn without_an_offset_and_a_policy_it_ends() {
    let cluster = Cluster::shared();
    topic(&cluster, "lost", 1, 3);
    let member = Program::member(Ours, &cluster, ("lost", "lost"), &["--reset-policy", "none"]);
    assert_eq!(member.end(), 1, "{}", member.said());
    assert!(member.errors().contains("NoOffsetForPartitionException"), "{}", member.errors());
    assert!(member.errors().contains("lost-0"), "{}", member.errors());
    let wanted =
        ["startup_complete", "partitions_assigned", "partitions_revoked", "shutdown_complete"];
    assert_eq!(member.names(), wanted);
}

#[test]
fn a_member_that_stood_still_comes_back() {
    let cluster = Cluster::shared();
    topic(&cluster, "stalled", 2, 6);
    let arguments = ["--session-timeout", "6000"];
    let member = Program::member(Ours, &cluster, ("stalled", "stalled"), &arguments);
    member.wait_for_partitions(2);
    member.signal(libc::SIGSTOP);
    let other = Program::member(Ours, &cluster, ("stalled", "stalled"), &arguments);
    other.wait_for_partitions(2);
    member.signal(libc::SIGCONT);
    member.wait_until("its place again", |events| {
        let is = |name| events.iter().filter(|event| event.name == name).count();
        is("partitions_revoked") >= 1 && is("partitions_assigned") >= 2
    });
    let (one, two) = wait_for_both_of_two(&member, &other);
    assert!(one.is_disjoint(&two), "{one:?} {two:?}");
    assert_eq!(member.end_by(libc::SIGTERM), 143, "{}", member.said());
    assert_eq!(other.end_by(libc::SIGTERM), 143, "{}", other.said());
}

/// Without a broker the members of a group are processes alone, one of which coordinates it.
#[test]
fn on_a_log_directory_a_killed_member_is_replaced() {
    let directory = TempDir::new("verifiable");
    let logs = directory.path().join("logs");
    c_build::fill_log_dir(&logs, "numbers");
    let file = directory.path().join("consumer.properties");
    fs::write(&file, format!("log.dirs={}\nheartbeat.interval.ms=500\n", logs.display())).unwrap();
    let path = file.to_str().unwrap();
    let start = || {
        let topic = ["--topic", "numbers", "--group-id", "local"];
        let more = ["--session-timeout", "6000", "--consumer.config", path];
        Program::start(Ours, &[&topic[..], &more].concat())
    };
    let first = start();
    first.wait_for_partitions(2);
    let commits = |events: &[program::Event]| {
        let committed = events.iter().filter(|event| event.name == "offsets_committed");
        committed.flat_map(|event| event.numbers("\"offset\":")).collect::<Vec<i64>>()
    };
    let all_is_committed =
        |events: &[program::Event]| COUNTS.iter().all(|count| commits(events).contains(count));
    first.wait_until("all is committed", all_is_committed);
    let second = start();
    wait_for_both_of_two(&first, &second);
    first.signal(libc::SIGKILL);
    second.wait_for_partitions(2);
    assert_eq!(second.end_by(libc::SIGTERM), 143, "{}", second.said());
    let consumed = |event: &program::Event| event.name == "records_consumed";
    assert!(!second.events().iter().any(consumed), "{}", second.said());
    let third = start();
    third.wait_for_partitions(2);
    assert_eq!(third.end_by(libc::SIGTERM), 143, "{}", third.said());
    assert!(!third.events().iter().any(consumed), "{}", third.said());
}

fn wait_for_both_of_two(one: &Program, two: &Program) -> (BTreeSet<i32>, BTreeSet<i32>) {
    one.wait_for_partitions(1);
    two.wait_for_partitions(1);
    (one.owned(), two.owned())
}
