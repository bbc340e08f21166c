//! `kfetch group` shows and does on a real Apache Kafka what kafka-consumer-groups does.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod cli;
mod support;

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use cli::{Ran, files, kfetch, run};
use kfetch::{Config, Consumer, OffsetAndMetadata, TopicPartition};
use support::deadline::{now, wait_until};
use support::helper::{ToolOutput, helper};
use support::kafka::Cluster;
use support::process::spawn_tied;
use support::producer::Record;
use support::temp_dir::TempDir;

const SOON: Duration = Duration::from_secs(30);
const STEP: Duration = Duration::from_millis(100);
const FIRST_MS: i64 = 1_600_000_000_000;

/// Topic, partition, committed offset, end, lag, and the member's id, client id and host.
type Line = (String, i32, i64, i64, i64, [String; 3]);

/// Makes a topic of `partitions` with as many records in each, one a millisecond.
fn topic(cluster: &Cluster, name: &str, partitions: i32, records: i64) {
    cluster.create_topic(name, partitions.try_into().unwrap(), &[("retention.ms", "-1")]);
    let record = |partition: i32, number: i64| {
        let value = format!("{partition}-{number}");
        Record::new("k", &value).partition(partition).timestamp_ms(FIRST_MS + number)
    };
    let of = |partition| (0..records).map(move |number| record(partition, number));
    cluster.produce(name, &(0..partitions).flat_map(of).collect::<Vec<_>>(), &[]);
}

fn consumer(cluster: &Cluster, group: &str) -> Consumer {
    let config = Config::new()
        .with("bootstrap.servers", &cluster.bootstrap())
        .and_then(|config| config.with("group.id", group))
        .and_then(|config| config.with("auto.offset.reset", "earliest"))
        .and_then(|config| config.with("enable.auto.commit", "false"))
        .unwrap();
    Consumer::new(&config).unwrap()
}

fn commit(cluster: &Cluster, group: &str, offsets: &[(&str, i32, i64, &str)]) {
    let offset = |&(topic, partition, offset, metadata): &(&str, i32, i64, &str)| {
        let metadata = metadata.to_owned();
        let committed = OffsetAndMetadata { offset, leader_epoch: -1, metadata };
        (TopicPartition::new(topic, partition), committed)
    };
    let offsets: Vec<_> = offsets.iter().map(offset).collect();
    let mut consumer = consumer(cluster, group);
    consumer.commit_offsets_sync(&offsets, SOON).unwrap();
    consumer.close(SOON).unwrap();
}

/// Joins a group for a topic and waits until all of it is assigned.
fn member(cluster: &Cluster, group: &str, topic: &str, partitions: usize) -> Consumer {
    let mut member = consumer(cluster, group);
    member.subscribe(&[topic]).unwrap();
    wait_until("an assignment", SOON, || {
        member.poll(STEP).unwrap();
        member.assignment().len() == partitions
    });
    member
}

fn group(cluster: &Cluster, command: &str, arguments: &[&str]) -> Ran {
    run(kfetch(["group", command, "-b", &cluster.bootstrap()].iter().chain(arguments)))
}

fn java(cluster: &Cluster, arguments: &[&str]) -> ToolOutput {
    let bootstrap = cluster.bootstrap();
    let class = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
    helper().tool(class, &[&["--bootstrap-server", &bootstrap], arguments].concat())
}

/// Returns what Java's tool says of a group; partitions without a committed offset are left out.
fn java_lines(cluster: &Cluster, group: &str) -> Vec<Line> {
    let output = java(cluster, &["--describe", "--group", group]);
    let rows = output.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let rows = rows.filter(|row| row.first() == Some(&group) && row[3] != "-");
    let text = |field: &str| if field == "-" { String::new() } else { field.to_owned() };
    let number = |field: &str| field.parse().unwrap_or(-1);
    let line = |row: Vec<&str>| {
        let member = [text(row[6]), text(row[8]), text(row[7])];
        let partition = row[2].parse().unwrap();
        (row[1].to_owned(), partition, number(row[3]), number(row[4]), number(row[5]), member)
    };
    let mut lines: Vec<Line> = rows.map(line).collect();
    lines.sort();
    lines
}

/// Returns the value of a field of an object that has no nested ones; empty where it is missing.
fn field(object: &str, name: &str) -> String {
    let Some((_, rest)) = object.split_once(&format!("\"{name}\":")) else { return String::new() };
    match rest.strip_prefix('"') {
        Some(text) => text.split('"').next().unwrap().to_owned(),
        None => rest.split([',', '}']).next().unwrap().to_owned(),
    }
}

/// Returns what `describe --json` says.
fn our_lines(cluster: &Cluster, group_id: &str) -> Vec<Line> {
    let json = group(cluster, "describe", &["--json", group_id]).well();
    let objects = json.lines().filter(|line| line.starts_with('{'));
    let number = |object: &str, name: &str| field(object, name).parse().unwrap_or(-1);
    let line = |object: &str| {
        assert_eq!(field(object, "group"), group_id);
        let member = ["member_id", "client_id", "client_host"].map(|name| field(object, name));
        let partition = field(object, "partition").parse().unwrap();
        let committed = number(object, "committed_offset");
        let (end, lag) = (number(object, "log_end_offset"), number(object, "lag"));
        (field(object, "topic"), partition, committed, end, lag, member)
    };
    objects.map(line).collect()
}

/// Returns partition and committed offset of what both tools say of a group, which is the same.
fn agreed(cluster: &Cluster, group: &str) -> Vec<(String, i32, i64)> {
    let (ours, theirs) = (our_lines(cluster, group), java_lines(cluster, group));
    assert_eq!(ours, theirs, "{group}");
    ours.into_iter().map(|line| (line.0, line.1, line.2)).collect()
}

#[test]
fn groups_are_listed_and_described_as_java_does() {
    let cluster = Cluster::shared();
    topic(&cluster, "described", 3, 10);
    topic(&cluster, "described-too", 1, 5);
    let offsets =
        [("described", 0, 4, "a note"), ("described", 2, 10, ""), ("described-too", 0, 0, "")];
    commit(&cluster, "describes", &offsets);
    let expected =
        offsets.map(|(topic, partition, offset, _)| (topic.to_owned(), partition, offset));
    assert_eq!(agreed(&cluster, "describes"), expected);
    let text = group(&cluster, "describe", &["describes"]).well();
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split("  ").collect()).collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert!(lines[1].last().is_some_and(|metadata| *metadata == "a note"), "{text}");

    // A member owns its partitions, also those for which nothing is committed.
    let mut member = member(&cluster, "describes", "described", 3);
    assert_eq!(agreed(&cluster, "describes"), expected);
    let ours = our_lines(&cluster, "describes");
    let id = member.group_metadata().unwrap().member_id;
    let owners: Vec<&str> = ours.iter().map(|line| line.5[0].as_str()).collect();
    assert_eq!(owners, [id.as_str(), id.as_str(), ""]);
    member.close(SOON).unwrap();

    let listed = group(&cluster, "list", &[]).well();
    let theirs = java(&cluster, &["--list"]).stdout;
    assert!(listed.lines().any(|line| line == "describes"), "{listed}");
    for line in listed.lines() {
        assert!(theirs.lines().any(|name| name == line), "{line} is not in {theirs}");
    }
    let all = group(&cluster, "describe", &[]).well();
    assert!(all.lines().filter(|line| line.starts_with("describes ")).count() == 3, "{all}");
}

#[test]
fn a_group_that_does_not_exist_gives_no_rows_and_an_error() {
    let cluster = Cluster::shared();
    let ran = group(&cluster, "describe", &["--json", "nobody"]);
    assert_eq!(ran.stdout, b"[]\n");
    assert!(ran.ended(1).contains("group nobody does not exist"));
    let theirs = java(&cluster, &["--describe", "--group", "nobody"]);
    assert!(format!("{theirs:?}").contains("Group nobody not found"), "{theirs:?}");
}

#[test]
fn the_offset_of_a_deleted_topic_has_no_end() {
    let cluster = Cluster::shared();
    topic(&cluster, "gone", 1, 3);
    topic(&cluster, "stays", 1, 3);
    commit(&cluster, "outlives", &[("gone", 0, 2, ""), ("stays", 0, 2, "")]);
    cluster.delete_topic("gone");
    let begun = now();
    let ours = our_lines(&cluster, "outlives");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    // The broker forgets the offset sooner or later.
    let stays: Vec<_> = ours.iter().filter(|line| line.0 == "stays").collect();
    assert_eq!(stays.len(), 1);
    assert_eq!((stays[0].3, stays[0].4), (3, 1));
    assert!(ours.iter().filter(|line| line.0 == "gone").all(|line| line.3 == -1), "{ours:?}");
}

#[test]
fn each_reset_is_what_java_makes_of_it() {
    let cluster = Cluster::shared();
    topic(&cluster, "resets", 2, 10);
    let time = format!("s@{}", FIRST_MS + 7);
    // Behind `s@` a time in ms; Java's tool takes one in words.
    let java_time = "2020-09-13T12:26:40.007";
    for (to, theirs) in [
        ("latest", &["--to-latest"][..]),
        ("earliest", &["--to-earliest"]),
        ("4", &["--to-offset", "4"]),
        ("99", &["--to-offset", "99"]),
        (&time, &["--to-datetime", java_time]),
        ("by_duration:P10000D", &["--by-duration", "P10000D"]),
        ("by_duration:PT1S", &["--by-duration", "PT1S"]),
    ] {
        let arguments = ["reset-by-us", "-t", "resets", "--to", to];
        let dry = group(&cluster, "reset", &[&arguments[..], &["--dry-run"]].concat()).well();
        let before = java_lines(&cluster, "reset-by-us");
        let done = group(&cluster, "reset", &arguments).well();
        assert_eq!(done, dry);
        let java_arguments = ["--reset-offsets", "--group", "reset-by-java", "--topic", "resets"];
        let output = java(&cluster, &[&java_arguments[..], theirs, &["--execute"]].concat());
        assert_eq!(output.status, 0, "{output:?}");
        let ours = agreed(&cluster, "reset-by-us");
        assert_eq!(ours, agreed(&cluster, "reset-by-java"), "{to}");
        let offset = |line: &(String, i32, i64)| (line.1, line.2);
        let shown: Vec<(i32, i64)> = done
            .lines()
            .skip(1)
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .map(|row| (row[2].parse().unwrap(), row[4].parse().unwrap()))
            .collect();
        assert_eq!(shown, ours.iter().map(offset).collect::<Vec<_>>(), "{to}");
        let old: Vec<i64> = before.iter().map(|line| line.2).collect();
        let shown: Vec<i64> =
            done.lines().filter_map(|line| line.split_whitespace().nth(3)?.parse().ok()).collect();
        assert_eq!(shown, old, "{to}");
    }
}

#[test]
fn a_dry_run_commits_nothing_and_members_are_not_reset() {
    let cluster = Cluster::shared();
    topic(&cluster, "refuses", 1, 10);
    commit(&cluster, "refusing", &[("refuses", 0, 4, "kept")]);
    let arguments = ["refusing", "-t", "refuses", "--to", "latest"];
    group(&cluster, "reset", &[&arguments[..], &["--dry-run"]].concat()).well();
    assert_eq!(agreed(&cluster, "refusing"), [("refuses".to_owned(), 0, 4)]);

    let mut member = member(&cluster, "refusing", "refuses", 1);
    let text = group(&cluster, "reset", &arguments).ended(1);
    assert!(text.contains("group refusing has 1 member (state Stable)"), "{text}");
    let text = group(&cluster, "delete-offsets", &["refusing", "-t", "refuses"]).ended(1);
    assert!(text.contains("GROUP_SUBSCRIBED_TO_TOPIC"), "{text}");
    assert_eq!(agreed(&cluster, "refusing"), [("refuses".to_owned(), 0, 4)]);
    member.close(SOON).unwrap();

    group(&cluster, "reset", &arguments).well();
    assert_eq!(agreed(&cluster, "refusing"), [("refuses".to_owned(), 0, 10)]);
    let missing = group(&cluster, "reset", &["refusing", "-t", "nothing", "--to", "0"]).ended(1);
    assert!(missing.contains("topic nothing does not exist"), "{missing}");
}

#[test]
fn deleted_offsets_are_gone_for_java_too() {
    let cluster = Cluster::shared();
    topic(&cluster, "deletes", 2, 3);
    topic(&cluster, "keeps", 1, 3);
    let offsets = [("deletes", 0, 1, ""), ("deletes", 1, 2, ""), ("keeps", 0, 3, "")];
    commit(&cluster, "deleting", &offsets);
    let ran = group(&cluster, "delete-offsets", &["deleting", "-t", "deletes,other"]);
    let out = String::from_utf8(ran.stdout.clone()).unwrap();
    let rows: Vec<Vec<&str>> = out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[1..], [["deleting", "deletes", "0", "1"], ["deleting", "deletes", "1", "2"]]);
    let text = ran.ended(1);
    assert!(text.contains("has committed nothing for topic other"), "{text}");
    assert_eq!(agreed(&cluster, "deleting"), [("keeps".to_owned(), 0, 3)]);
    group(&cluster, "delete-offsets", &["deleting", "-t", "keeps"]).well();
    assert_eq!(java_lines(&cluster, "deleting"), []);
}

#[test]
fn groups_of_every_broker_are_found() {
    let cluster = Cluster::builder().nodes(3).start();
    topic(&cluster, "spread", 3, 1);
    // Five partitions of the offsets topic, on three brokers.
    let groups: Vec<String> = (0..12).map(|number| format!("spread-{number}")).collect();
    for group in &groups {
        commit(&cluster, group, &[("spread", 0, 1, "")]);
    }
    let listed = group(&cluster, "list", &[]).well();
    let mut expected: Vec<&str> = groups.iter().map(String::as_str).collect();
    expected.sort_unstable();
    assert_eq!(listed.lines().collect::<Vec<_>>(), expected);
    let all = group(&cluster, "describe", &[]).well();
    assert_eq!(all.lines().count(), 13, "{all}");
}

#[test]
fn a_running_brokers_own_directory_is_described_without_a_lock() {
    let cluster = Cluster::shared();
    topic(&cluster, "on-disk", 2, 8);
    let offsets = [("on-disk", 0, 3, "seen \"here\""), ("on-disk", 1, 8, "")];
    commit(&cluster, "from-disk", &offsets);
    let dirs = cluster.broker(1).data_dirs();
    let dirs: Vec<String> = dirs.iter().map(|dir| dir.display().to_string()).collect();
    let local = |command: &str, more: &[&str]| {
        let base = ["group", command, "--log-dirs", &dirs.join(",")];
        run(kfetch(base.iter().chain(more))).well()
    };
    let from_broker = group(&cluster, "describe", &["--json", "from-disk"]).well();
    // A running broker's high watermarks reach the disk every few seconds.
    wait_until(&from_broker, SOON, || local("describe", &["--json", "from-disk"]) == from_broker);
    assert!(local("list", &[]).lines().any(|line| line == "from-disk"));
    assert_eq!(local("describe", &["--json", "nobody"]), "[]\n");
}

#[test]
fn groups_of_a_log_directory_are_described_reset_and_deleted() {
    let directory = TempDir::new("cli-group");
    let path = directory.path();
    let dirs = ["--log-dirs", path.to_str().unwrap()];
    let made = ["log", "generate", "-q", "-t", "local", "--partitions", "2", "--records", "100"];
    run(kfetch(made.iter().chain(&dirs[1..]))).well();
    let group = |command: &str, arguments: &[&str]| {
        run(kfetch(["group", command].iter().chain(&dirs).chain(arguments)))
    };
    let columns = |out: &str| -> Vec<(i64, i64)> {
        let rows = out.lines().skip(1).map(|row| row.split_whitespace().collect::<Vec<_>>());
        rows.map(|row| (row[3].parse().unwrap_or(-1), row[4].parse().unwrap())).collect()
    };
    // Before there are groups, looking for them leaves nothing behind.
    let before = files(path);
    assert_eq!(group("list", &[]).well(), "");
    assert_eq!(group("describe", &["--json"]).well(), "[]\n");
    assert_eq!(group("describe", &["--json", "nobody"]).well(), "[]\n");
    let reset = ["locals", "-t", "local", "--to", "7"];
    let dry_run = [&reset[..], &["--dry-run"]].concat();
    assert_eq!(columns(&group("reset", &dry_run).well()), [(-1, 7), (-1, 7)]);
    assert!(files(path) == before, "something was written");

    let cat = ["cat", "-g", "locals", "-t", "local", "-e", "-q"];
    run(kfetch(cat.iter().chain(&dirs))).well();
    let before = files(path);
    assert_eq!(group("list", &[]).well(), "locals\n");
    assert_eq!(columns(&group("describe", &[]).well()), [(50, 50), (50, 50)]);
    let dry = group("reset", &dry_run).well();
    assert_eq!(columns(&dry), [(50, 7), (50, 7)]);
    assert!(files(path) == before, "something was written");
    assert_eq!(columns(&group("describe", &["locals"]).well()), [(50, 50), (50, 50)]);
    assert_eq!(group("reset", &reset).well(), dry);
    assert_eq!(columns(&group("describe", &["locals"]).well()), [(7, 50), (7, 50)]);

    // While a member runs, its process coordinates, and refuses both.
    let mut member = kfetch(["cat", "-g", "locals", "-t", "local", "-u"].iter().chain(&dirs));
    let mut member = member.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut byte = [0];
    member.stdout.as_mut().unwrap().read_exact(&mut byte).unwrap();
    for reset in [&reset[..], &dry_run] {
        let text = group("reset", reset).ended(1);
        assert!(text.contains("group locals has 1 member (state Stable)"), "{text}");
    }
    let described = group("describe", &["--json"]).well();
    let owned = described.lines().filter(|line| line.contains("\"client_id\":\"kfetch\""));
    assert_eq!(owned.count(), 2, "{described}");
    let text = group("delete-offsets", &["locals", "-t", "local"]).ended(1);
    assert!(text.contains("GROUP_SUBSCRIBED_TO_TOPIC"), "{text}");
    drop(member.stdout.take());
    assert_eq!(member.wait().unwrap().code(), Some(0));

    group("reset", &reset).well();
    let deleted = group("delete-offsets", &["locals", "-t", "local"]).well();
    assert_eq!(deleted.lines().count(), 3, "{deleted}");
    assert_eq!(group("describe", &["--json"]).well(), "[]\n");
    assert_eq!(group("list", &[]).well(), "");
}

#[test]
fn the_groups_of_a_brokers_directory_are_its_own() {
    let directory = TempDir::new("cli-group-broker");
    let path = directory.path();
    let dirs = ["--log-dirs", path.to_str().unwrap()];
    run(kfetch(["log", "generate", "-q", "-t", "owned", "--records", "9", dirs[1]])).well();
    fs::write(path.join("meta.properties"), "version=1\n").unwrap();
    let before = files(path);
    for command in [
        &["group", "reset", "g", "-t", "owned", "--to", "0"][..],
        &["group", "delete-offsets", "g", "-t", "owned"],
        &["cat", "-g", "g", "-t", "owned", "-e"],
    ] {
        let text = run(kfetch(command.iter().chain(&dirs))).ended(1);
        assert!(text.contains("belongs to a broker: it has meta.properties"), "{text}");
    }
    assert_eq!(run(kfetch(["group", "list"].iter().chain(&dirs))).well(), "");
    assert!(files(path) == before, "something was written");
}

/// Makes a log directory with a topic `local` of one partition, and a way to ask for its groups.
fn local(name: &str) -> (TempDir, impl Fn(&str, &[&str]) -> Ran) {
    let directory = TempDir::new(name);
    let path = directory.path().display().to_string();
    run(kfetch(["log", "generate", "-q", "-t", "local", "--records", "9", &path])).well();
    let group = move |command: &str, arguments: &[&str]| {
        run(kfetch(["group", command, "--log-dirs", &path].iter().chain(arguments)))
    };
    (directory, group)
}

/// Makes a consumer of the topic `local` that commits nothing by itself.
fn local_consumer(path: &Path, group: &str) -> Consumer {
    let config = Config::new().with("log.dirs", path.to_str().unwrap());
    let config = config.and_then(|config| config.with("group.id", group));
    let config = config.and_then(|config| config.with("enable.auto.commit", "false")).unwrap();
    Consumer::new(&config).unwrap()
}

#[test]
fn a_group_whose_members_have_not_come_back_yet_is_not_reset() {
    let (directory, group) = local("cli-group-holder");
    let dirs = ["--log-dirs", directory.path().to_str().unwrap()];
    let arguments = ["cat", "-g", "g", "-t", "local", "-q", "-X", "heartbeat.interval.ms=3000"];
    let start = || {
        let mut member = kfetch(arguments.iter().chain(&dirs));
        member.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        spawn_tied(member).unwrap()
    };
    let reset = ["g", "-t", "local", "--to", "7"];
    let dry_run = [&reset[..], &["--dry-run"]].concat();
    let has = |count: &str| group("reset", &dry_run).stderr.contains(count);
    // The first one's process serves the group, and is killed between two heartbeats.
    let mut serves = start();
    wait_until("one member", SOON, || has("1 member "));
    let mut stays = start();
    wait_until("two members", SOON, || has("2 members (state Stable)"));
    serves.kill().unwrap();
    serves.wait().unwrap();
    let text = group("reset", &reset).ended(1);
    assert!(text.contains("group g has 1 member"), "{text}");
    stays.kill().unwrap();
    stays.wait().unwrap();
    // Nobody is left to come back.
    group("reset", &reset).well();
}

#[test]
fn a_reset_of_a_topic_that_is_not_there_leaves_nothing_behind() {
    let directory = TempDir::new("cli-group-empty");
    let dirs = ["--log-dirs", directory.path().to_str().unwrap()];
    let reset = ["group", "reset", "g", "-t", "nothing", "--to", "0"];
    let text = run(kfetch(reset.iter().chain(&dirs))).ended(1);
    assert!(text.contains("topic nothing does not exist"), "{text}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn a_group_of_a_log_directory_without_offsets_is_told_of() {
    let (_directory, group) = local("cli-group-note");
    for (arguments, out) in [(&["nosuch"][..], "GROUP"), (&["--json", "nosuch"], "[]\n")] {
        let ran = group("describe", arguments);
        assert_eq!(ran.stderr, "% group nosuch has committed nothing\n", "{arguments:?}");
        assert!(ran.well().starts_with(out), "{arguments:?}");
    }
    let ran = group("describe", &[]);
    assert_eq!(ran.stderr, "");
}

#[test]
fn an_empty_group_is_a_usage_error() {
    let (directory, _) = local("cli-group-unnamed");
    let before = files(directory.path());
    let dirs = ["--log-dirs", directory.path().to_str().unwrap()];
    for source in [dirs, ["-b", "127.0.0.1:1"]] {
        for command in [
            &["group", "describe", ""][..],
            &["group", "reset", "", "-t", "local", "--to", "0"],
            &["group", "delete-offsets", "", "-t", "local"],
            &["cat", "-g", "", "-t", "local", "-e"],
        ] {
            let text = run(kfetch(command.iter().chain(&source))).ended(2);
            assert!(text.contains("GROUP"), "{command:?}: {text}");
        }
    }
    assert!(files(directory.path()) == before, "something was written");
}

#[test]
fn a_running_group_that_has_committed_nothing_is_listed() {
    let (directory, group) = local("cli-group-running");
    let commit = |id: &str| {
        let committed = OffsetAndMetadata { offset: 1, leader_epoch: -1, metadata: String::new() };
        let mut consumer = local_consumer(directory.path(), id);
        let offset = (TopicPartition::new("local", 0), committed);
        consumer.commit_offsets_sync(&[offset], SOON).unwrap();
        consumer.close(SOON).unwrap();
    };
    commit("committed");
    commit("two");
    let mut members = ["running", "two"].map(|id| local_consumer(directory.path(), id));
    for member in &mut members {
        member.subscribe(&["local"]).unwrap();
    }
    wait_until("two assignments", SOON, || {
        members.iter_mut().all(|member| {
            member.poll(STEP).unwrap();
            !member.assignment().is_empty()
        })
    });
    let ran = group("list", &[]);
    assert_eq!(ran.stderr, "");
    assert_eq!(ran.well(), "committed\nrunning\ntwo\n");
    members.into_iter().for_each(|mut member| member.close(SOON).unwrap());
    assert_eq!(group("list", &[]).well(), "committed\ntwo\n");
}

#[test]
fn names_are_listed_as_text() {
    let (directory, group) = local("cli-group-escapes");
    let mut consumer = local_consumer(directory.path(), "a\nb\u{1b}[2J");
    let committed = OffsetAndMetadata { offset: 1, leader_epoch: -1, metadata: String::new() };
    consumer.commit_offsets_sync(&[(TopicPartition::new("local", 0), committed)], SOON).unwrap();
    consumer.close(SOON).unwrap();
    let listed = group("list", &[]).well();
    assert_eq!(listed, "a\\nb\\u{1b}[2J\n");
    assert!(group("describe", &[]).well().contains(listed.trim_end()));
}

#[test]
fn nothing_deleted_gives_no_table() {
    let (_directory, group) = local("cli-group-undeleted");
    let ran = group("delete-offsets", &["g", "-t", "local"]);
    assert_eq!(ran.stdout, b"");
    assert!(ran.ended(1).contains("group g has committed nothing for topic local"));
}

#[test]
fn a_wrong_age_is_told_with_the_words_of_the_option() {
    let (_directory, group) = local("cli-group-age");
    let text = group("reset", &["g", "-t", "local", "--to", "by_duration:1h"]).ended(2);
    assert!(text.contains("--to"), "{text}");
    assert!(text.contains("'1h' is no duration") && !text.contains("auto.offset"), "{text}");
}
