//! `kfetch log` writes, checks and prints segments; Kafka's dump tool agrees.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod cli;
mod support;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use cli::{Ran, finish, kfetch, run, run_with};
use support::deadline::wait_until;
use support::helper::helper;
use support::temp_dir::TempDir;

const FIRST_SEGMENT: &str = "00000000000000000000.log";
const SOON: Duration = Duration::from_secs(20);

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// Runs a command of `kfetch log` on a directory.
fn log(command: &str, directory: &Path, arguments: &[&str]) -> Ran {
    run(kfetch(["log", command].iter().chain(arguments).chain(&[text(directory)])))
}

/// Generates a topic and returns its directory.
fn generated(directory: &TempDir, name: &str, arguments: &[&str]) -> PathBuf {
    let path = directory.path().join(name);
    log("generate", &path, &[&["-q", "-t", "t"], arguments].concat()).well();
    path
}

/// Returns the files of a log directory and what they hold.
fn files(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(listed) = directories.pop() {
        for entry in fs::read_dir(listed).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                let relative = path.strip_prefix(directory).unwrap().to_owned();
                found.push((relative, fs::read(path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// Returns the segments of a partition, in order.
fn segments(partition: &Path) -> Vec<PathBuf> {
    let listed = fs::read_dir(partition).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> =
        listed.filter(|path| path.extension().is_some_and(|ending| ending == "log")).collect();
    found.sort();
    found
}

/// Returns what Kafka's dump tool prints of a segment.
fn dump(segment: &Path, options: &[&str]) -> String {
    let arguments = [&["--files", text(segment)], options].concat();
    let output = helper().tool("kafka.tools.DumpLogSegments", &arguments);
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{}", output.stdout);
    output.stdout
}

/// Returns the value of `name=…` in a line of inspect.
fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let start = format!("{name}=");
    let found = line.split(' ').find_map(|field| field.strip_prefix(start.as_str()));
    found.unwrap_or_else(|| panic!("no {name} in {line}"))
}

#[test]
fn the_same_options_give_the_same_bytes() {
    let directory = TempDir::new("cli-generate");
    let base = ["--partitions", "3", "--records", "10000", "--segment-bytes", "100000"];
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let options = [&base[..], &["--codec", codec]].concat();
        let [one, other] = ["a", "b"]
            .map(|name| files(&generated(&directory, &format!("{codec}-{name}"), &options)));
        assert!(one == other, "{codec}: the files differ");
        let logs = one.iter().filter(|(path, _)| text(path).ends_with(".log"));
        assert!(logs.count() > 3, "{codec}: no segment was rolled");
        let seeded = [&options[..], &["--seed", "1"]].concat();
        let seeded = files(&generated(&directory, &format!("{codec}-s"), &seeded));
        assert!(one != seeded, "{codec}: the seed changes nothing");
        let path = directory.path().join(format!("{codec}-a"));
        let summary = log("verify", &path, &[]).well();
        assert!(summary.contains("partitions: 3, "), "{summary}");
        assert!(summary.contains(" records: 10000, "), "{summary}");
        assert!(summary.ends_with(" faults: 0\n"), "{summary}");
    }
}

#[test]
fn what_is_generated_is_what_was_asked_for() {
    let directory = TempDir::new("cli-generated");
    let options = ["--partitions", "2", "--records", "11", "--value-bytes", "37"];
    let more = ["--start-ms", "5000", "--batch-bytes", "300"];
    let path = generated(&directory, "d", &[&options[..], &more].concat());
    let mut numbers = Vec::new();
    for partition in 0..2 {
        let segment = path.join(format!("t-{partition}")).join(FIRST_SEGMENT);
        let dumped = dump(&segment, &["--print-data-log"]);
        let records: Vec<&str> = dumped.lines().filter(|line| line.starts_with("| ")).collect();
        assert!(dumped.matches("baseOffset").count() > 1, "{dumped}");
        for (offset, record) in records.iter().enumerate() {
            let value = record.split_once("payload: ").expect("a value").1;
            assert_eq!(value.len(), 37);
            let number: usize = value.split(' ').next().unwrap().parse().unwrap();
            assert_eq!((number / 2, number % 2), (offset, partition));
            assert!(record.contains(&format!(" CreateTime: {} ", 5000 + number)), "{record}");
            assert!(record.contains(" key: key-"), "{record}");
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (0..11).collect::<Vec<_>>());
    let told = log("generate", &path, &["-t", "t"]).ended(1);
    assert!(told.contains("topic t [0] has records already"), "{told}");
}

#[test]
fn nothing_is_generated_where_a_later_partition_has_records() {
    let directory = TempDir::new("cli-generate-twice");
    let path = generated(&directory, "d", &["--partitions", "3", "--records", "9"]);
    fs::remove_dir_all(path.join("t-0")).unwrap();
    fs::remove_dir_all(path.join("t-2")).unwrap();
    let told = log("generate", &path, &["-t", "t", "--partitions", "3"]).ended(1);
    assert!(told.contains("topic t [1] has records already"), "{told}");
    assert!(!path.join("t-0").exists() && !path.join("t-2").exists(), "what was written stays");
    fs::remove_dir_all(path.join("t-1")).unwrap();
    log("generate", &path, &["-q", "-t", "t", "--partitions", "3", "--records", "9"]).well();
    let partitions = ["t-0", "t-1", "t-2"].map(|name| path.join(name).join(FIRST_SEGMENT).exists());
    assert_eq!(partitions, [true; 3]);
}

#[test]
fn inspect_prints_the_batches_that_kafka_finds() {
    let directory = TempDir::new("cli-inspect");
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let path = generated(&directory, codec, &["--records", "2000", "--codec", codec]);
        let segment = path.join("t-0").join(FIRST_SEGMENT);
        let printed = log("inspect", &segment, &[]).well();
        let dumped = dump(&segment, &[]);
        let theirs = dumped.lines().filter(|line| line.starts_with("baseOffset: "));
        let theirs: Vec<String> = theirs
            .map(|line| {
                let words: Vec<&str> = line.split(' ').collect();
                let of = |name: &str| {
                    let at = words.iter().position(|word| *word == format!("{name}:"));
                    words[at.unwrap_or_else(|| panic!("no {name} in {line}")) + 1]
                };
                assert_eq!(of("isvalid"), "true");
                let crc: u32 = of("crc").parse().unwrap();
                let (first, last) = (of("baseOffset"), of("lastOffset"));
                format!(
                    "{} {} {first}..{last} {} {} {crc:08x} {} {}",
                    of("position"),
                    of("size"),
                    of("count"),
                    of("compresscodec"),
                    of("CreateTime"),
                    of("partitionLeaderEpoch"),
                )
            })
            .collect();
        let names = ["position", "size", "offsets", "records", "codec", "crc", "ts", "epoch"];
        let ours: Vec<String> = printed
            .lines()
            .map(|line| {
                assert!(line.contains(" ok ") && line.contains("tstype=create"), "{line}");
                let value = |name: &&str| match field(line, name).split_once("..") {
                    // The dump tool has no first time.
                    Some((_, last)) if *name == "ts" => last.to_owned(),
                    _ => field(line, name).to_owned(),
                };
                names.iter().map(value).collect::<Vec<_>>().join(" ")
            })
            .collect();
        assert_eq!(ours, theirs);
        assert!(ours.len() > 5);
        let all = log("inspect", &path, &[]).well();
        let prefixed = printed.lines().map(|line| format!("t-0/{FIRST_SEGMENT} {line}\n"));
        assert_eq!(all, prefixed.collect::<String>());
    }
}

#[test]
fn verify_finds_each_fault_and_goes_on() {
    let directory = TempDir::new("cli-verify");
    let options = ["--partitions", "2", "--records", "4000", "--segment-bytes", "30000"];
    let path = generated(&directory, "d", &[&options[..], &["--codec", "lz4"]].concat());
    let segments = segments(&path.join("t-0"));
    assert!(segments.len() >= 3, "{segments:?}");
    let inspect = |segment: &Path| log("inspect", segment, &[]);
    let lines = inspect(&segments[0]).well();
    let third = lines.lines().nth(2).expect("a third batch");
    let position: usize = field(third, "position").parse().unwrap();
    let first_offset = field(third, "offsets").split_once("..").unwrap().0;
    let flip = |path: &Path, at: usize| {
        let mut bytes = fs::read(path).unwrap();
        bytes[at] ^= 0x10;
        fs::write(path, bytes).unwrap();
    };

    flip(&segments[0], position + 100);
    let ran = log("verify", &path, &[]);
    let out = String::from_utf8(ran.stdout.clone()).unwrap();
    ran.ended(1);
    let lines: Vec<&str> = out.lines().collect();
    let place = format!("position {position}, offset {first_offset}: ");
    assert!(lines[0].contains(text(&segments[0])) && lines[0].contains(&place), "{out}");
    assert!(lines[0].contains("checksum"), "{out}");
    assert!(lines.len() == 2 && lines[1].ends_with("faults: 1"), "{out}");
    let ran = inspect(&segments[0]);
    assert_eq!(String::from_utf8_lossy(&ran.stdout).matches(" WRONG ").count(), 1);
    ran.ended(1);
    flip(&segments[0], position + 100);

    // A sealed segment that ends inside of a batch, and an index that points at no batch.
    let whole = fs::read(&segments[1]).unwrap();
    fs::write(&segments[1], &whole[..whole.len() - 1]).unwrap();
    flip(&segments[2].with_extension("index"), 7);
    let ran = log("verify", &path, &["-q"]);
    let out = String::from_utf8(ran.stdout.clone()).unwrap();
    ran.ended(1);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 2, "{out}");
    assert!(lines[0].contains(text(&segments[1])), "{out}");
    assert!(lines[1].contains(text(&segments[2])) && lines[1].contains(".index"), "{out}");
}

#[test]
fn every_flipped_byte_of_a_batch_is_found() {
    let directory = TempDir::new("cli-flip");
    let options = ["--records", "3", "--value-bytes", "20", "--batch-bytes", "1"];
    let path = generated(&directory, "d", &options).join("t-0");
    let segment = path.join(FIRST_SEGMENT);
    let bytes = fs::read(&segment).unwrap();
    let second = u32::from_be_bytes(bytes[8..12].try_into().unwrap()) as usize + 12;
    // The leader epoch is outside of the checksum.
    let epoch = second + 12..second + 16;
    for at in (second..2 * second).filter(|at| !epoch.contains(at)).step_by(3) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        fs::write(&segment, flipped).unwrap();
        let ran = log("verify", &path, &[]);
        let out = String::from_utf8(ran.stdout.clone()).unwrap();
        // A length that reaches past the file's end may be a batch that is being written; then
        // the summary says what is left over.
        let is_torn = out.contains("bytes behind the last batches");
        assert!(is_torn || ran.status == Some(1), "byte {at}: {out}");
        assert!(!out.contains("records: 3"), "byte {at}: {out}");
    }
}

#[test]
fn the_end_of_an_active_segment_is_no_fault() {
    let directory = TempDir::new("cli-tail");
    let make = |name: &str, records: &str| {
        generated(&directory, name, &["--batch-bytes", "1", "--records", records])
    };
    let path = make("d", "100");
    let segment = path.join("t-0").join(FIRST_SEGMENT);
    let bytes = fs::read(&segment).unwrap();
    let longer = fs::read(make("longer", "101").join("t-0").join(FIRST_SEGMENT)).unwrap();
    let begun = longer.strip_prefix(bytes.as_slice()).expect("the same records");
    for tail in [&[0; 4096][..], &begun[..5], &begun[..70]] {
        fs::write(&segment, [&bytes[..], tail].concat()).unwrap();
        let summary = log("verify", &path, &[]).well();
        assert!(summary.contains("records: 100,"), "{summary}");
        assert!(summary.contains(&format!("{} bytes behind", tail.len())), "{summary}");
    }
}

#[test]
fn a_path_that_holds_no_log_is_named() {
    let directory = TempDir::new("cli-nothing");
    for command in ["verify", "inspect"] {
        let missing = directory.path().join("missing");
        let told = log(command, &missing, &[]).ended(1);
        assert!(told.starts_with("% ERROR: ") && told.contains(text(&missing)), "{told}");
        let told = log(command, directory.path(), &[]).ended(1);
        assert!(told.contains("there is no segment"), "{told}");
    }
    let file = directory.path().join("file");
    fs::write(&file, "not a segment, and long enough for the header of a batch, or so it seems")
        .unwrap();
    let ran = log("inspect", &file, &[]);
    assert!(String::from_utf8_lossy(&ran.stdout).contains("fault: "));
    ran.ended(1);
}

fn append(directory: &Path, arguments: &[&str], lines: &str) -> Ran {
    let all = [&["log", "append", "-t", "a"], arguments, &[text(directory)]].concat();
    run_with(kfetch(all), lines.as_bytes())
}

#[test]
fn lines_become_records() {
    let directory = TempDir::new("cli-append");
    let path = directory.path().join("d");
    let told = append(&path, &["-K", ":", "-H", "h=1=2", "-H", "n"], "k:v:w\nplain\n\n:x\nlast");
    assert_eq!(told.ended(0), "% Appended 5 records to topic a [0], from offset 0 on\n");
    let told = append(&path, &["-q"], "k:v\n").ended(0);
    assert_eq!(told, "");
    append(&path, &["-p", "3"], "").well();
    let dumped = dump(&path.join("a-0").join(FIRST_SEGMENT), &["--print-data-log"]);
    let records: Vec<&str> = dumped.lines().filter(|line| line.starts_with("| ")).collect();
    let seen: Vec<(&str, &str)> = records
        .iter()
        .map(|line| {
            let after = |name: &str| line.split_once(name).map_or("", |(_, after)| after);
            (line.split_once("headerKeys: ").unwrap().1, after("keySize: "))
        })
        .collect();
    assert_eq!(seen[0].0, "[h,n] key: k payload: v:w", "{dumped}");
    assert_eq!(seen[1].0, "[h,n] payload: plain");
    assert!(seen[1].1.starts_with("-1 valueSize: 5 "));
    assert!(seen[2].1.starts_with("-1 valueSize: 0 "));
    assert!(seen[3].1.starts_with("0 valueSize: 1 "));
    assert_eq!(seen[4].0, "[h,n] payload: last");
    assert_eq!(seen[5].0, "[] payload: k:v");
    assert_eq!(seen.len(), 6);
    // The clock's time, not none.
    let line = log("inspect", &path.join("a-0"), &[]).well();
    let (first, last) = field(line.lines().next().unwrap(), "ts").split_once("..").unwrap();
    assert!(first == last && first.parse::<i64>().unwrap() > 1_700_000_000_000, "{line}");
}

#[test]
fn long_input_is_appended_whole() {
    let directory = TempDir::new("cli-append-long");
    let path = directory.path().join("d");
    let long = "x".repeat(300_000);
    let lines: String = (0..50_000).map(|n| format!("{n}\n")).collect();
    append(&path, &["-q"], &format!("{lines}{long}\nend\n")).well();
    let summary = log("verify", &path, &[]).well();
    assert!(summary.contains(" records: 50002, ") && summary.ends_with("faults: 0\n"), "{summary}");
    let bytes = fs::read(path.join("a-0").join(FIRST_SEGMENT)).unwrap();
    assert!(bytes.windows(long.len()).any(|window| window == long.as_bytes()));
}

fn start_append(directory: &Path) -> Child {
    let mut command = kfetch(["log", "append", "-t", "a", text(directory)]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

#[test]
fn what_is_appended_is_seen_at_once_and_by_one_writer() {
    let directory = TempDir::new("cli-append-live");
    let path = directory.path().join("d");
    for end in ["end of input", "interruption"] {
        let mut child = start_append(&path);
        let mut input = child.stdin.take().unwrap();
        input.write_all(b"whole\npart").unwrap();
        let seen = |count: &str| {
            let ran = log("verify", &path, &[]);
            String::from_utf8_lossy(&ran.stdout).contains(&format!(" records: {count}, "))
        };
        let count = if end == "interruption" { "3" } else { "1" };
        wait_until("the first line is written", SOON, || seen(count));
        let told = append(&path, &[], "x\n").ended(1);
        assert!(told.contains("a-0 has a writer already"), "{told}");
        if end == "interruption" {
            let id = libc::pid_t::try_from(child.id()).unwrap();
            // SAFETY: the child has not been waited for, so the id is its own.
            unsafe { libc::kill(id, libc::SIGINT) };
            finish(child).ended(0);
            drop(input);
            assert!(seen("3"), "what had no end was not appended");
        } else {
            drop(input);
            finish(child).ended(0);
            assert!(seen("2"));
        }
    }
}

#[test]
fn the_directory_of_a_broker_is_not_written_to() {
    let directory = TempDir::new("cli-broker");
    fs::write(directory.path().join("meta.properties"), "version=1\n").unwrap();
    for ran in
        [append(directory.path(), &[], "x\n"), log("generate", directory.path(), &["-t", "t"])]
    {
        let told = ran.ended(1);
        assert!(told.contains("belongs to a broker"), "{told}");
    }
}

#[test]
fn options_that_cannot_be_are_refused() {
    let directory = TempDir::new("cli-log-usage");
    let path = text(directory.path());
    for bad in [
        &["generate", path][..],
        &["generate", "-t", "t"],
        &["generate", "-t", "t", "--codec", "brotli", path],
        &["generate", "-t", "t", "--partitions", "0", path],
        &["generate", "-t", "t", "--records", "-1", path],
        &["append", path],
        &["append", "-t", "t", "-p", "-1", path],
        &["verify"],
        &["inspect"],
        &[],
    ] {
        run(kfetch(["log"].iter().chain(bad))).ended(2);
    }
    let told = log("generate", directory.path(), &["-t", "t", "--segment-bytes", "0"]).ended(1);
    assert!(told.contains("segment_bytes"), "{told}");
}

#[test]
fn a_closed_output_ends_inspect_in_silence() {
    let directory = TempDir::new("cli-inspect-pipe");
    let path = generated(&directory, "d", &["--records", "20000", "--batch-bytes", "1"]);
    let mut command = kfetch(["log", "inspect", text(&path)]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("position=0 "), "{line}");
    assert_eq!(finish(child).ended(0), "");
}
