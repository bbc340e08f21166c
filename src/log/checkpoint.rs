//! Kafka's checkpoint files: one offset for each partition of a log directory.
//!
//! ```text
//! 0                       version
//! 2                       lines that follow
//! orders 0 4711           topic, partition, offset
//! orders 1 12
//! ```
//!
//! A file is replaced as a whole, by renaming another one over it, so a reader sees the old one or
//! the new one. Writers of one directory, in however many processes, take turns by a lock of their
//! own and keep each other's lines. The source is Kafka's `OffsetCheckpointFile`.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use super::io_error;
use super::regular_file::open_regular;
use crate::buffer::FileLock;
use crate::error::{Error, ErrorKind, Result};

/// The file of the high watermarks.
pub const HIGH_WATERMARKS: &str = "replication-offset-checkpoint";

/// The file of the recovery points: what lies before them is known to be on the disk.
pub const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";

/// The file of the log start offsets that are not the base offset of a segment.
pub const LOG_START_OFFSETS: &str = "log-start-offset-checkpoint";

/// The file whose lock orders the writers of a directory's checkpoints.
const LOCK: &str = ".kfetch-checkpoints.lock";

/// The one version of the format.
const VERSION: &str = "0";

/// The offsets of a checkpoint file, by topic and partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    offsets: BTreeMap<String, BTreeMap<i32, i64>>,
}

impl Checkpoint {
    /// Reads the file `name` of a log directory; where there is none, there are no offsets.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`], also for what is not a regular file, and [`ErrorKind::Corrupt`] for what
    /// [`Checkpoint::parse`] refuses.
    pub fn read(log_dir: &Path, name: &str) -> Result<Self> {
        let path = log_dir.join(name);
        let mut bytes = Vec::new();
        let read = open_regular(&path).and_then(|(mut file, _)| file.read_to_end(&mut bytes));
        match read {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(io_error("read", &path, &error)),
        }
        Self::parse(&bytes).map_err(|complaint| {
            Error::new(ErrorKind::Corrupt, format!("{}: {complaint}", path.display()))
        })
    }

    /// Reads the text of a checkpoint file; a file without any bytes has no offsets.
    ///
    /// # Errors
    ///
    /// What is wrong with the text, and in which line.
    pub fn parse(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let text = str::from_utf8(bytes).map_err(|_| CheckpointError::Text)?;
        let mut lines = text.lines();
        match lines.next() {
            None => return Ok(Self::default()),
            Some(VERSION) => {}
            Some(other) => return Err(CheckpointError::Version(shortened(other))),
        }
        let count = lines.next().and_then(|line| line.parse::<usize>().ok());
        let count = count.ok_or(CheckpointError::Line(2))?;
        let mut checkpoint = Self::default();
        let mut found = 0_usize;
        for (number, line) in (3..).zip(lines) {
            let (topic, partition, offset) = entry(line).ok_or(CheckpointError::Line(number))?;
            checkpoint.set(topic, partition, offset);
            found = found.saturating_add(1);
        }
        if found == count { Ok(checkpoint) } else { Err(CheckpointError::Count { count, found }) }
    }

    /// Writes the file's text, its lines ordered by topic and partition.
    pub fn to_text(&self) -> String {
        let count: usize = self.offsets.values().map(BTreeMap::len).sum();
        let mut text = format!("{VERSION}\n{count}\n");
        for (topic, offsets) in &self.offsets {
            for (partition, offset) in offsets {
                // Writing to a string cannot fail.
                let _ = writeln!(text, "{topic} {partition} {offset}");
            }
        }
        text
    }

    /// Returns the offset of a partition.
    pub fn offset(&self, topic: &str, partition: i32) -> Option<i64> {
        self.offsets.get(topic)?.get(&partition).copied()
    }

    /// Sets the offset of a partition and returns the one that it had.
    pub fn set(&mut self, topic: &str, partition: i32, offset: i64) -> Option<i64> {
        if let Some(offsets) = self.offsets.get_mut(topic) {
            return offsets.insert(partition, offset);
        }
        self.offsets.insert(topic.to_owned(), BTreeMap::from([(partition, offset)]));
        None
    }

    /// Sets one partition's offset in the file `name` of a log directory, and keeps all others.
    ///
    /// Without `sync` the file may be as before, or empty, after a loss of power, never anything
    /// else; with `sync` it is on the disk when this returns. A file that cannot be read is begun
    /// anew: what it said can be found again from the segments.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`]; the file is as it was, or has the new offset.
    pub fn update(
        log_dir: &Path,
        name: &str,
        topic: &str,
        partition: i32,
        offset: i64,
        sync: bool,
    ) -> Result<()> {
        let lock_path = log_dir.join(LOCK);
        let _lock =
            FileLock::take(&lock_path).map_err(|error| io_error("lock", &lock_path, &error))?;
        let mut checkpoint = match Self::read(log_dir, name) {
            Err(error) if error.kind() == ErrorKind::Corrupt => Self::default(),
            other => other?,
        };
        if checkpoint.set(topic, partition, offset) == Some(offset) && !sync {
            return Ok(());
        }
        replace(&log_dir.join(name), checkpoint.to_text().as_bytes(), sync)
    }
}

/// Why a text is not that of a checkpoint file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// When the bytes are no text.
    #[error("a checkpoint file is not text")]
    Text,
    /// When the version is another than 0.
    #[error("a checkpoint file has version {0:?}, not 0")]
    Version(String),
    /// When a line does not have the words that belong there.
    #[error("line {0} of a checkpoint file is malformed")]
    Line(usize),
    /// When there are more or fewer lines than the second one says.
    #[error("a checkpoint file of {count} lines has {found}")]
    Count {
        /// What the second line says.
        count: usize,
        /// How many there are.
        found: usize,
    },
}

/// Puts `bytes` into the place of the file at `path` in one step; with `sync`, onto the disk.
///
/// # Errors
///
/// [`ErrorKind::Io`]; then the file at `path` is the old one or the new one.
pub(crate) fn replace(path: &Path, bytes: &[u8], sync: bool) -> Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = Path::new(&temporary);
    let write = || {
        let mut file = File::create(temporary)?;
        file.write_all(bytes)?;
        if sync { file.sync_all() } else { Ok(()) }
    };
    write().map_err(|error| io_error("write", temporary, &error))?;
    fs::rename(temporary, path).map_err(|error| io_error("replace", path, &error))?;
    match path.parent() {
        Some(directory) if sync => sync_directory(directory),
        _ => Ok(()),
    }
}

/// Puts a directory's entries onto the disk: the names of files made or renamed in it.
///
/// # Errors
///
/// [`ErrorKind::Io`].
pub(crate) fn sync_directory(directory: &Path) -> Result<()> {
    let synced = File::open(directory).and_then(|opened| opened.sync_all());
    synced.map_err(|error| io_error("sync", directory, &error))
}

fn entry(line: &str) -> Option<(&str, i32, i64)> {
    let mut words = line.split_ascii_whitespace();
    let entry = (words.next()?, words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    words.next().is_none().then_some(entry)
}

/// Bounds what an error text repeats of a file.
fn shortened(text: &str) -> String {
    text.chars().take(20).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_kafkas() {
        let text = "0\n3\na 0 5\na 10 -1\nb-c.d_e 2 9223372036854775807\n";
        let checkpoint = Checkpoint::parse(text.as_bytes()).unwrap();
        assert_eq!(checkpoint.to_text(), text);
        assert_eq!(checkpoint.offset("a", 10), Some(-1));
        assert_eq!(checkpoint.offset("b-c.d_e", 2), Some(i64::MAX));
        assert_eq!((checkpoint.offset("a", 1), checkpoint.offset("b", 2)), (None, None));
        assert_eq!(Checkpoint::default().to_text(), "0\n0\n");
    }

    #[test]
    fn malformed_text_is_told_by_line() {
        let cases = [
            ("1\n0\n", CheckpointError::Version("1".to_owned())),
            ("\n", CheckpointError::Version(String::new())),
            ("0\n", CheckpointError::Line(2)),
            ("0\n-1\n", CheckpointError::Line(2)),
            ("0\n1\na 0\n", CheckpointError::Line(3)),
            ("0\n2\na 0 1\na 0 1 2\n", CheckpointError::Line(4)),
            ("0\n1\na x 1\n", CheckpointError::Line(3)),
            ("0\n1\na 0 9223372036854775808\n", CheckpointError::Line(3)),
            ("0\n1\n", CheckpointError::Count { count: 1, found: 0 }),
            ("0\n99999999999\na 0 1\n", CheckpointError::Count { count: 99_999_999_999, found: 1 }),
        ];
        for (text, error) in cases {
            assert_eq!(Checkpoint::parse(text.as_bytes()), Err(error), "{text:?}");
        }
        assert_eq!(Checkpoint::parse(b"0\n\xff"), Err(CheckpointError::Text));
        assert_eq!(Checkpoint::parse(b""), Ok(Checkpoint::default()));
    }

    #[test]
    fn writers_of_one_directory_keep_each_others_lines() {
        let name = format!("kfetch-checkpoint-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir_all(&directory).unwrap();
        std::thread::scope(|scope| {
            for partition in 0..4 {
                let directory = &directory;
                scope.spawn(move || {
                    for offset in 0..50 {
                        let sync = offset == 49;
                        let name = HIGH_WATERMARKS;
                        Checkpoint::update(directory, name, "t", partition, offset, sync).unwrap();
                    }
                });
            }
        });
        let text = fs::read_to_string(directory.join(HIGH_WATERMARKS)).unwrap();
        assert_eq!(text, "0\n4\nt 0 49\nt 1 49\nt 2 49\nt 3 49\n");
        assert_eq!(Checkpoint::read(&directory, RECOVERY_POINTS).unwrap(), Checkpoint::default());
        fs::write(directory.join(HIGH_WATERMARKS), "0\n7\n").unwrap();
        let error = Checkpoint::read(&directory, HIGH_WATERMARKS).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.message().contains(HIGH_WATERMARKS), "{error}");
        Checkpoint::update(&directory, HIGH_WATERMARKS, "t", 1, 5, false).unwrap();
        let checkpoint = Checkpoint::read(&directory, HIGH_WATERMARKS).unwrap();
        assert_eq!(checkpoint.to_text(), "0\n1\nt 1 5\n");
        fs::remove_dir_all(&directory).unwrap();
    }
}
