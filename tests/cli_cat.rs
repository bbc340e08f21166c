//! `kfetch cat` prints what a real Apache Kafka holds, as kcat does.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod cli;
mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use cli::{Ran, finish, kcat, kfetch, run, run_with};
use support::kafka::Cluster;
use support::producer::Record;
use support::temp_dir::TempDir;

const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];
const FIRST_MS: i64 = 1_600_000_000_000;

/// Every token of a format.
const TOKENS: &str = r"%t|%p|%o|%T|%k|%K|%s|%S|%R|%h|%%|\t\x41\065\n";

/// Records with null and empty keys and values, headers that repeat, are null or empty, and text
/// that JSON has to escape.
fn records(count: i64) -> Vec<Record> {
    let record = |number: i64| {
        let value = format!("value {number} \"\\/\u{1}\u{7f}\r\n\té\u{1f600}");
        let mut record =
            Record::new(&format!("key-{number}"), &value).timestamp_ms(FIRST_MS + number);
        match number % 7 {
            0 => record.key = None,
            1 => record.value = None,
            2 => record = record.header("a", Some(b"1")).header("a", None).header("", Some(&[])),
            3 => record = record.header("é\t\\", Some(b"\"x\"")),
            4 => (record.key, record.value) = (Some(Vec::new()), Some(Vec::new())),
            _ => {}
        }
        record
    };
    (0..count).map(record).collect()
}

/// A topic of one partition with numbered values, one a millisecond.
fn numbered(cluster: &Cluster, topic: &str, count: i64) {
    cluster.create_topic(topic, 1, &[("retention.ms", "-1")]);
    let record =
        |number: i64| Record::new("k", &number.to_string()).timestamp_ms(FIRST_MS + number);
    cluster.produce(topic, &(0..count).map(record).collect::<Vec<_>>(), &[]);
}

fn cat(cluster: &Cluster, topic: &str, arguments: &[&str]) -> Ran {
    run(kfetch(["cat", "-b", &cluster.bootstrap(), "-t", topic].iter().chain(arguments)))
}

/// Returns the numbers of a topic that a run printed.
fn numbers(cluster: &Cluster, topic: &str, arguments: &[&str]) -> Vec<i64> {
    let out = cat(cluster, topic, arguments).well();
    out.lines().map(|line| line.parse().expect("a number")).collect()
}

#[test]
fn every_codec_is_printed_byte_for_byte_as_kcat_prints_it() {
    let cluster = Cluster::shared();
    for codec in CODECS {
        let topic = format!("cat-{codec}");
        cluster.create_topic(&topic, 1, &[("retention.ms", "-1")]);
        cluster.produce(&topic, &records(500), &[("compression.type", codec)]);
        let bootstrap = cluster.bootstrap();
        for arguments in [
            &["-e"][..],
            &["-e", "-J"],
            &["-e", "-J", "-D", r"\n\n"],
            &["-e", "-K", ":"],
            &["-e", "-K", r"\t", "-D", r";\x0a", "-Z"],
            &["-e", "-f", TOKENS],
            &["-e", "-f", TOKENS, "-Z"],
            &["-e", "-J", "-o", "-7"],
            &["-e", "-f", "%o ", "-o", "100", "-c", "17"],
        ] {
            let base = ["-b", &bootstrap, "-t", &topic];
            let theirs = run(kcat(base.iter().chain(arguments)));
            let ours = run(kfetch(["cat"].iter().chain(&base).chain(arguments)));
            assert!(!theirs.stdout.is_empty(), "{arguments:?}: {}", theirs.stderr);
            let text = |ran: &Ran| String::from_utf8_lossy(&ran.stdout).into_owned();
            assert_eq!(text(&ours), text(&theirs), "{codec} {arguments:?}");
            assert_eq!(ours.stdout, theirs.stdout, "{codec} {arguments:?}");
            assert_eq!((ours.status, theirs.status), (Some(0), Some(0)), "{arguments:?}");
            let ends: Vec<&str> = theirs.stderr.lines().filter(|l| l.contains("end of")).collect();
            assert_eq!(ours.stderr.lines().collect::<Vec<_>>(), ends, "{codec} {arguments:?}");
        }
    }
}

#[test]
fn bytes_that_are_no_text_are_printed_as_kcat_prints_them() {
    let cluster = Cluster::shared();
    cluster.create_topic("cat-bytes", 1, &[]);
    let mut record = Record::new("", "").header("h", Some(&[0xff, 0]));
    record.key = Some((0..=255).collect());
    record.value = Some((0..=255).rev().collect());
    cluster.produce("cat-bytes", &[record], &[]);
    let bootstrap = cluster.bootstrap();
    for arguments in [&["-e", "-J"][..], &["-e"], &["-e", "-f", "%k%s"]] {
        let base = ["-b", &bootstrap, "-t", "cat-bytes"];
        let theirs = run(kcat(base.iter().chain(arguments)));
        let ours = run(kfetch(["cat"].iter().chain(&base).chain(arguments)));
        assert_eq!(ours.stdout, theirs.stdout, "{arguments:?}");
        assert!(!ours.stdout.is_empty());
    }
}

#[test]
fn json_is_read_by_python_as_the_records_that_were_sent() {
    let cluster = Cluster::shared();
    cluster.create_topic("cat-json", 2, &[("retention.ms", "-1")]);
    let mut records = records(70);
    records.iter_mut().for_each(|record| record.partition = 1);
    cluster.produce("cat-json", &records, &[]);
    for encoding in ["utf8", "base64", "hex"] {
        let out = cat(&cluster, "cat-json", &["-J", "-e", "-q", "--encoding", encoding]).well();
        // A line for each record: everything in it decoded, and written as hexadecimal.
        let script = format!(
            "import sys, json, base64\n\
             decode = {{'utf8': str.encode, 'base64': base64.b64decode, 'hex': bytes.fromhex}}\
             ['{encoding}']\n\
             show = lambda x: '-' if x is None else decode(x).hex() + '.'\n\
             for line in sys.stdin.buffer:\n\
             \x20   r = json.loads(line)\n\
             \x20   h = r.get('headers', [])\n\
             \x20   head = [n.encode().hex() + '=' + show(v) for n, v in zip(h[::2], h[1::2])]\n\
             \x20   names = [n for n in r if n != 'headers']\n\
             \x20   assert names == 'topic partition offset tstype ts broker key payload'.split()\n\
             \x20   assert (r['topic'], r['tstype'], r['broker']) == ('cat-json', 'create', 1)\n\
             \x20   print(r['partition'], r['offset'], r['ts'], show(r['key']),\n\
             \x20         show(r['payload']), *head)\n"
        );
        let mut python = Command::new("python3");
        python.args(["-c", &script]);
        let seen = run_with(python, out.as_bytes()).well();
        let expected: Vec<String> =
            (0..).zip(&records).map(|(n, record)| line(n, record)).collect();
        assert_eq!(seen.lines().collect::<Vec<_>>(), expected, "{encoding}");
    }
}

/// What the script above prints of a record.
fn line(offset: i64, record: &Record) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let show = |bytes: &Option<Vec<u8>>| match bytes {
        Some(bytes) => hex(bytes) + ".",
        None => "-".to_owned(),
    };
    let time = record.timestamp_ms.expect("a time");
    let mut line = format!("1 {offset} {time} {} {}", show(&record.key), show(&record.value));
    for (name, value) in &record.headers {
        line.push_str(&format!(" {}={}", hex(name.as_bytes()), show(value)));
    }
    line
}

#[test]
fn lengths_are_of_the_bytes_and_null_is_null_under_every_encoding() {
    let cluster = Cluster::shared();
    cluster.create_topic("cat-encoding", 1, &[]);
    let full = Record::new("key", "value").header("h", Some(b"\xff")).header("n", None);
    let null = Record { key: None, value: None, ..Record::new("", "") };
    cluster.produce("cat-encoding", &[full, null], &[]);
    let show = |encoding: &str, arguments: &[&str]| {
        let all = [arguments, &["-e", "-q", "--encoding", encoding]].concat();
        cat(&cluster, "cat-encoding", &all).well()
    };
    let format = ["-Z", "-f", r"%k %K %s %S %h\n"];
    assert_eq!(show("hex", &format), "6b6579 3 76616c7565 5 h=ff,n=NULL\nNULL -1 NULL -1 \n");
    assert_eq!(show("base64", &format), "a2V5 3 dmFsdWU= 5 h=/w==,n=NULL\nNULL -1 NULL -1 \n");
    assert_eq!(show("hex", &["-K", "="]), "6b6579=76616c7565\n=\n");
    let json = show("hex", &["-J"]);
    assert!(json.contains(r#""headers":["h","ff","n",null],"key":"6b6579""#), "{json}");
    assert!(json.ends_with("\"key\":null,\"payload\":null}\n"), "{json}");
}

#[test]
fn a_broker_that_sets_the_time_is_told_apart() {
    let cluster = Cluster::shared();
    cluster.create_topic("cat-append", 1, &[("message.timestamp.type", "LogAppendTime")]);
    cluster.produce("cat-append", &[Record::new("k", "v").timestamp_ms(1)], &[]);
    let bootstrap = cluster.bootstrap();
    let base = ["-b", &bootstrap, "-t", "cat-append", "-J", "-e", "-q"];
    let ours = run(kfetch(["cat"].iter().chain(&base))).well();
    assert!(ours.contains(r#""tstype":"logappend","ts":1"#), "{ours}");
    assert_eq!(ours, run(kcat(base)).well());
}

#[test]
fn offsets_say_where_to_begin_and_where_to_stop() {
    let cluster = Cluster::shared();
    numbered(&cluster, "cat-offsets", 100);
    let from = |arguments: &[&str]| numbers(&cluster, "cat-offsets", arguments);
    let range = |first: i64, end: i64| (first..end).collect::<Vec<_>>();
    let at = |prefix: char, number: i64| format!("{prefix}@{}", FIRST_MS + number);
    assert_eq!(from(&["-e"]), range(0, 100));
    assert_eq!(from(&["-e", "-o", "beginning"]), range(0, 100));
    assert_eq!(from(&["-e", "-o", "end"]), range(0, 0));
    assert_eq!(from(&["-e", "-o", "90"]), range(90, 100));
    assert_eq!(from(&["-e", "-o", "-3"]), range(97, 100));
    assert_eq!(from(&["-e", "-o-3"]), range(97, 100));
    assert_eq!(from(&["-e", "-o", "-1000"]), range(0, 100));
    assert_eq!(from(&["-e", "-o", &at('s', 60)]), range(60, 100));
    assert_eq!(from(&["-e", "-o", &at('s', 1000)]), range(0, 0));
    assert_eq!(from(&["-e", "-o", "s@0"]), range(0, 100));
    assert_eq!(from(&["-o", &at('e', 60)]), range(0, 60));
    assert_eq!(from(&["-e", "-o", &at('e', 1000)]), range(0, 100));
    assert_eq!(from(&["-o", &at('s', 20), "-o", &at('e', 25)]), range(20, 25));
    assert_eq!(from(&["-o", &at('e', 25), "-o", "20"]), range(20, 25));
    assert_eq!(from(&["-c", "7"]), range(0, 7));
    assert_eq!(from(&["-c", "7", "-o", "50"]), range(50, 57));
    assert_eq!(from(&["-c", "0"]), range(0, 0));
    assert_eq!(from(&["-e", "-u", "-c", "1000"]), range(0, 100));
    cluster.delete_records("cat-offsets", 0, 40);
    assert_eq!(from(&["-e"]), range(40, 100));
    assert_eq!(from(&["-e", "-o", "-80"]), range(40, 100));
    let reset = ["-e", "-o", "3", "-X", "auto.offset.reset=earliest"];
    assert_eq!(from(&reset), range(40, 100));
    let out = cat(&cluster, "cat-offsets", &["-e", "-o", "3", "-X", "auto.offset.reset=none"]);
    let told = out.ended(1);
    assert!(told.contains("cat-offsets [0] at offset 3: "), "{told}");
}

#[test]
fn partitions_are_chosen_and_each_is_in_order() {
    let cluster = Cluster::shared();
    cluster.create_topic("cat-partitions", 5, &[]);
    let record = |number: i32| Record::new("k", &number.to_string()).partition(number % 4);
    cluster.produce("cat-partitions", &(0..4000).map(record).collect::<Vec<_>>(), &[]);
    let mut all = numbers(&cluster, "cat-partitions", &["-e"]);
    for partition in 0..4 {
        let of: Vec<i64> = all.iter().copied().filter(|n| n % 4 == partition).collect();
        assert!(of.is_sorted() && of.len() == 1000, "partition {partition}");
    }
    all.sort_unstable();
    assert_eq!(all, (0..4000).collect::<Vec<i64>>());
    let mut some = numbers(&cluster, "cat-partitions", &["-e", "-p", "1,3", "-o", "-2"]);
    some.sort_unstable();
    assert_eq!(some, [3993, 3995, 3997, 3999]);
    let told = cat(&cluster, "cat-partitions", &["-e", "-p", "4,4"]).ended(0);
    assert_eq!(told, "% Reached end of topic cat-partitions [4] at offset 0: exiting\n");
    assert_eq!(cat(&cluster, "cat-partitions", &["-e", "-q"]).ended(0), "");
}

#[test]
fn what_does_not_exist_is_named() {
    let cluster = Cluster::shared();
    cluster.create_topic("cat-there", 2, &[]);
    let told = cat(&cluster, "cat-nowhere", &["-e"]).ended(1);
    assert!(told.starts_with("% ERROR: topic cat-nowhere does not exist"), "{told}");
    let told = cat(&cluster, "cat-there", &["-e", "-p", "1,7"]).ended(1);
    assert!(told.starts_with("% ERROR: topic cat-there [7]: no such partition"), "{told}");
    let told = cat(&cluster, "no topic", &["-e"]).ended(1);
    assert!(told.contains("no topic"), "{told}");
    // It was not created by being asked for.
    cat(&cluster, "cat-nowhere", &["-e"]).ended(1);
}

#[test]
fn a_command_line_that_cannot_be_understood_ends_with_2() {
    let base = ["cat", "-b", "localhost:1", "-t", "x"];
    for bad in [
        &["-o", "latest"][..],
        &["-o", "e@"],
        &["-c", "-1"],
        &["-p", "-1"],
        &["-p", "a"],
        &["-J", "-f", "%s"],
        &["-f", "%y"],
        &["-f", "%"],
        &["--encoding", "utf16"],
        &["--log-dirs", "d"],
        &["-X", "client.id"],
        &["--no-such-option"],
        &["operand"],
    ] {
        let ran = run(kfetch(base.iter().chain(bad)));
        assert!(ran.stdout.is_empty() && !ran.stderr.is_empty(), "{bad:?}");
        assert_eq!(ran.status, Some(2), "{bad:?}: {}", ran.stderr);
    }
    for bad in [&["cat"][..], &["cat", "-t", "x"], &["cat", "-b", "x:1"], &[], &["dog"]] {
        run(kfetch(bad)).ended(2);
    }
    let version = run(kfetch(["--version"])).well();
    assert_eq!(version, format!("kfetch {}\n", env!("CARGO_PKG_VERSION")));
    for help in [&["--help"][..], &["cat", "--help"]] {
        assert!(run(kfetch(help)).well().contains("Usage: kfetch"), "{help:?}");
    }
}

#[test]
fn a_setting_that_is_refused_is_named() {
    let base = ["cat", "-b", "localhost:1", "-t", "x", "-X"];
    for (setting, name) in [
        ("isolation.level=read_committed", "isolation.level"),
        ("security.protocol=SSL", "security.protocol"),
        ("fetch.min.bites=1", "fetch.min.bytes"),
        ("fetch.min.bytes=many", "fetch.min.bytes"),
    ] {
        let told = run(kfetch(base.iter().chain(&[setting]))).ended(1);
        assert!(told.starts_with("% ERROR: ") && told.contains(name), "{told}");
    }
}

#[test]
fn the_last_setting_counts_and_an_option_wins() {
    let cluster = Cluster::shared();
    numbered(&cluster, "cat-config", 3);
    let directory = TempDir::new("cat-config");
    let file = directory.path().join("client.properties");
    let text = format!("metadata.broker.list={}\nauto.offset.reset=none\n", cluster.bootstrap());
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let read = |arguments: &[&str]| {
        let base = ["cat", "-t", "cat-config", "-e", "-q", "-o", "9"];
        run(kfetch(base.iter().chain(arguments)))
    };
    let reset = ["-X", "auto.offset.reset=earliest"];
    assert_eq!(read(&[&["-F", file], &reset[..]].concat()).well(), "0\n1\n2\n");
    read(&[&reset[..], &["-F", file]].concat()).ended(1);
    let told =
        read(&["-F", file, "-b", "localhost:1", "-X", "default.api.timeout.ms=300"]).ended(1);
    assert!(told.contains("localhost:1"), "{told}");
    let told = read(&["-F", "/nowhere/at/all"]).ended(1);
    assert!(told.contains("/nowhere/at/all"), "{told}");
}

#[test]
fn the_start_takes_no_longer_than_it_may() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap().to_string();
    let servers = format!("{silent},localhost:1");
    let base = ["cat", "-b", &servers, "-t", "x", "-X", "default.api.timeout.ms=700"];
    #[allow(clippy::disallowed_methods, reason = "how long the command took")]
    let begun = std::time::Instant::now();
    let told = run(kfetch(base)).ended(1);
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
    let error = told.lines().find(|line| line.starts_with("% ERROR: ")).expect("an error");
    assert!(error.contains(&silent) && error.contains("localhost:1"), "{told}");
}

#[test]
fn a_closed_output_ends_it_in_silence() {
    let cluster = Cluster::shared();
    numbered(&cluster, "cat-pipe", 50_000);
    // Neither -e nor -c: only the pipe ends it, while it writes and while it waits.
    for arguments in [&["-f", "%s\\n"][..], &["-o", "-1"], &["-o", "end"], &["-u"]] {
        let base = ["cat", "-q", "-b", &cluster.bootstrap(), "-t", "cat-pipe"];
        let mut command = kfetch(base.iter().chain(arguments));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        if !arguments.contains(&"end") {
            let mut line = String::new();
            out.read_line(&mut line).unwrap();
            line.trim().parse::<u32>().expect("a record");
        }
        drop(out);
        assert_eq!(finish(child).ended(0), "", "{arguments:?}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn an_output_that_takes_nothing_is_an_error() {
    let cluster = Cluster::shared();
    numbered(&cluster, "cat-full", 10);
    let base = ["cat", "-e", "-q", "-b", &cluster.bootstrap(), "-t", "cat-full"];
    let mut command = kfetch(base);
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    command.stdout(full).stderr(Stdio::piped());
    let told = finish(command.spawn().unwrap()).ended(1);
    assert!(told.starts_with("% ERROR: standard output: No space left"), "{told}");
}

#[test]
fn an_interruption_ends_it_with_what_has_come() {
    let cluster = Cluster::shared();
    numbered(&cluster, "cat-signal", 10);
    for signal in [libc::SIGINT, libc::SIGTERM] {
        let base = ["cat", "-b", &cluster.bootstrap(), "-t", "cat-signal"];
        let mut command = kfetch(base);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        errors.read_line(&mut line).unwrap();
        assert_eq!(line, "% Reached end of topic cat-signal [0] at offset 10\n");
        let id = libc::pid_t::try_from(child.id()).unwrap();
        // SAFETY: the child has not been waited for, so the id is its own.
        unsafe { libc::kill(id, signal) };
        let out = finish(child).well();
        assert_eq!(out.lines().count(), 10);
    }
}

#[test]
fn what_is_written_later_is_followed() {
    let cluster = Cluster::shared();
    numbered(&cluster, "cat-follow", 1);
    let base = ["cat", "-q", "-b", &cluster.bootstrap(), "-t", "cat-follow", "-c", "3"];
    let mut command = kfetch(base);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    for value in ["0", "one", "two"] {
        if value != "0" {
            cluster.produce("cat-follow", &[Record::new("k", value)], &[]);
        }
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        assert_eq!(line.trim_end(), value);
    }
    finish(child).ended(0);
}

#[test]
fn a_damaged_batch_is_named_and_the_other_partitions_are_finished() {
    let cluster = Cluster::builder().start();
    cluster.create_topic("cat-damage", 2, &[]);
    let producer = cluster.producer(&[]);
    let record = |number: i32| Record::new("k", &number.to_string()).partition(number % 2);
    producer.send("cat-damage", &(0..40).map(record).collect::<Vec<_>>(), 8);
    producer.close();
    let broker = cluster.broker(1);
    broker.stop();
    let segment = broker.segments("cat-damage", 0).remove(0);
    let mut bytes = std::fs::read(&segment).unwrap();
    // The third batch's last byte: a header count that the CRC covers.
    let length = |bytes: &[u8]| 12 + u32::from_be_bytes(bytes[8..12].try_into().unwrap()) as usize;
    let end = (0..3).fold(0, |at, _| at + length(&bytes[at..]));
    bytes[end - 2] ^= 1;
    let mut file = std::fs::File::create(&segment).unwrap();
    file.write_all(&bytes).unwrap();
    drop(file);
    broker.start();
    let ran = cat(&cluster, "cat-damage", &["-e", "-f", r"%p %s\n"]);
    let out = String::from_utf8(ran.stdout.clone()).unwrap();
    let of = |partition: &str| {
        let lines = out.lines().filter_map(|line| line.strip_prefix(partition));
        lines.map(|number| number.parse().unwrap()).collect::<Vec<i32>>()
    };
    assert_eq!(of("1 "), (0..20).map(|n| 2 * n + 1).collect::<Vec<_>>());
    assert_eq!(of("0 "), (0..8).map(|n| 2 * n).collect::<Vec<_>>());
    let told = ran.ended(1);
    assert!(told.contains("% ERROR: topic cat-damage [0] at offset 8: "), "{told}");
}

#[test]
fn a_partition_without_a_leader_is_named_and_the_others_are_finished() {
    let cluster = Cluster::builder().nodes(3).start();
    cluster.create_topic_on("cat-leader", &[&[1], &[2]], &[]);
    let record = |number: i32| Record::new("k", &number.to_string()).partition(number % 2);
    cluster.produce("cat-leader", &(0..20).map(record).collect::<Vec<_>>(), &[]);
    cluster.broker(2).stop();
    for arguments in [&["-e"][..], &["-e", "-o", "-3"], &["-o", "end", "-c", "1", "-p", "1"]] {
        let timeout = ["-X", "default.api.timeout.ms=4000"];
        let ran = cat(&cluster, "cat-leader", &[arguments, &timeout].concat());
        let lines = String::from_utf8_lossy(&ran.stdout).lines().count();
        let wanted = [("-3", 3), ("end", 0)];
        let wanted = wanted.iter().find(|(start, _)| arguments.contains(start));
        assert_eq!(lines, wanted.map_or(10, |(_, count)| *count), "{arguments:?}");
        let told = ran.ended(1);
        assert!(told.contains("% ERROR: topic cat-leader [1]: "), "{arguments:?}: {told}");
        assert!(!told.contains("% ERROR: topic cat-leader [0]"), "{told}");
    }
}

#[test]
fn a_broker_that_falls_silent_does_not_hold_up_the_end_for_ever() {
    let cluster = Cluster::builder().start();
    cluster.create_topic("cat-silent", 1, &[]);
    let value = "v".repeat(10_000);
    let records: Vec<Record> = (0..2000).map(|_| Record::new("k", &value)).collect();
    cluster.produce("cat-silent", &records, &[]);
    let timeouts = ["-X", "default.api.timeout.ms=3000", "-X", "kfetch.memory.max.bytes=1048576"];
    let base = ["cat", "-e", "-b", &cluster.bootstrap(), "-t", "cat-silent"];
    let mut command = kfetch(base.iter().chain(&timeouts));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    // The command waits for this reader, with some of the topic still to come.
    cluster.broker(1).pause();
    let seen = 1 + out.lines().map_while(Result::ok).count();
    cluster.broker(1).resume();
    assert!(seen < 2000, "{seen}");
    let told = finish(child).ended(1);
    assert!(told.contains("% ERROR: topic cat-silent [0]: its leader gave no answer"), "{told}");
}
