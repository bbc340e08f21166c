//! Log directories whose groups nobody can serve: members end with an error that says why.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]
#![allow(clippy::disallowed_methods, reason = "consumers run in real time")]

#[path = "support/temp_dir.rs"]
mod temp_dir;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kfetch::net::group_service::socket_path;
use kfetch::record::NewRecord;
use kfetch::{Config, Consumer, Error, ErrorKind, LogWriter, LogWriterOptions};

use temp_dir::TempDir;

const SOON: Duration = Duration::from_secs(20);

fn log_dir() -> TempDir {
    let dir = TempDir::new("local-group-trouble");
    let mut writer = LogWriter::open(dir.path(), "t", 0, LogWriterOptions::default()).unwrap();
    writer.append(&[NewRecord { value: Some(b"v"), ..NewRecord::default() }]).unwrap();
    writer.close().unwrap();
    dir
}

fn member(dir: &Path) -> Consumer {
    let config = Config::new()
        .with("log.dirs", dir.to_str().unwrap())
        .and_then(|config| config.with("group.id", "g"))
        .and_then(|config| config.with("auto.offset.reset", "earliest"))
        .unwrap();
    let mut consumer = Consumer::new(&config).unwrap();
    consumer.subscribe(&["t"]).unwrap();
    consumer
}

/// Polls until a record comes, or returns the error.
fn read(consumer: &mut Consumer) -> Result<(), Error> {
    let began = Instant::now();
    while began.elapsed() < SOON {
        if consumer.poll(Duration::from_millis(100))?.is_some() {
            return Ok(());
        }
    }
    panic!("nothing came, and no error");
}

/// Returns the error that ends a member on the directory, and every later call of it.
fn trouble(dir: &Path) -> Error {
    let mut consumer = member(dir);
    let error = read(&mut consumer).unwrap_err();
    assert!(error.is_fatal(), "{error}");
    let again = consumer.poll(Duration::ZERO).unwrap_err();
    assert_eq!(again.to_string(), error.to_string());
    let refused = consumer.commit_sync(SOON).unwrap_err();
    assert!(refused.is_fatal(), "{refused}");
    consumer.close(SOON).unwrap();
    error
}

/// Returns the segments of the groups' offsets that have bytes.
fn offsets_segments(dir: &Path) -> Vec<PathBuf> {
    let partitions = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let partitions = partitions.filter(|path| path.display().to_string().contains("__consumer_"));
    let segments = partitions.map(|path| path.join(format!("{:020}.log", 0)));
    segments.filter(|path| fs::metadata(path).is_ok_and(|found| found.len() > 0)).collect()
}

#[test]
fn a_socket_that_cannot_be_made_ends_the_member() {
    let dir = log_dir();
    fs::create_dir(socket_path(dir.path())).unwrap();
    let error = trouble(dir.path());
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.message().contains("cannot listen in"), "{error}");
    // Once that is mended, a new consumer finds nothing wrong.
    fs::remove_dir(socket_path(dir.path())).unwrap();
    let mut consumer = member(dir.path());
    read(&mut consumer).unwrap();
    consumer.close(SOON).unwrap();
}

#[test]
fn damaged_offsets_end_the_member_and_are_left_as_they_are() {
    let dir = log_dir();
    let mut consumer = member(dir.path());
    read(&mut consumer).unwrap();
    for _ in 0..3 {
        consumer.commit_sync(SOON).unwrap();
    }
    consumer.close(SOON).unwrap();
    let segment = offsets_segments(dir.path()).remove(0);
    let mut bytes = fs::read(&segment).unwrap();
    bytes[70] ^= 1;
    fs::write(&segment, &bytes).unwrap();
    let error = trouble(dir.path());
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("__consumer_offsets"), "{error}");
    assert_eq!(fs::read(&segment).unwrap(), bytes);
}

#[test]
fn a_brokers_directory_ends_the_member() {
    let dir = log_dir();
    fs::write(dir.path().join("meta.properties"), "version=1\n").unwrap();
    let error = trouble(dir.path());
    assert!(error.message().contains("belongs to a broker"), "{error}");
}
