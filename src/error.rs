//! The one error type of the public interface.
//!
//! A layer that fails has its own small enum next to the operation; what leaves the library is an
//! [`Error`]: a kind to act on, the broker's code where a broker spoke, and the topic, partition
//! and offset as far as they are known.

#![forbid(unsafe_code)]

use std::fmt;

/// What a fallible call of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The kind of an [`Error`], for a program to act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// When a configuration property is unknown, malformed, out of range or not built yet.
    Config,
    /// When an argument is outside of what the call takes.
    InvalidArgument,
    /// When the call does not fit the consumer's state: no such assignment, or called back into
    /// from a callback that forbids it.
    State,
    /// When the consumer has been closed.
    Closed,
    /// When another thread is inside a call on the same consumer.
    Concurrent,
    /// When `wakeup` ended the call.
    Wakeup,
    /// When the process is a fork's child and the consumer belongs to the parent.
    Forked,
    /// When the records that the application still holds take up the whole memory budget.
    BudgetHeld,
    /// When the time of the call ran out.
    Timeout,
    /// When the engine met a defect of its own; only `close` still works.
    Poisoned,
    /// When an operating system resource could not be had: descriptors, threads, memory.
    Resource,
    /// When the network failed: no connection, a reset, a name that does not resolve.
    Network,
    /// When a peer's bytes are not the protocol: a length, a correlation id, a field.
    Protocol,
    /// When the broker speaks no version of an API that kfetch speaks.
    UnsupportedVersion,
    /// When a broker answered with an error code; see [`Error::code`].
    Broker,
    /// When the group is being rebalanced: the same call may succeed once that is over.
    RebalanceInProgress,
    /// When a commit was refused because the partitions may belong to another member by now.
    CommitFailed,
    /// When another member has taken this one's `group.instance.id`.
    Fenced,
    /// When a position lies outside of what the partition holds and the policy is `none`.
    OffsetOutOfRange,
    /// When no offset is known for a partition and the policy is `none`.
    NoOffset,
    /// When a topic or a partition does not exist.
    UnknownTopicOrPartition,
    /// When a batch or a record is damaged: checksum, lengths, counts, compressed data.
    Corrupt,
    /// When a batch is of a format or a compression that kfetch does not read.
    Unsupported,
    /// When a batch inflates past `kfetch.batch.inflated.max.bytes`.
    BatchTooLarge,
    /// When a file or a directory could not be read or written.
    Io,
    /// When a directory or a partition is locked by another writer.
    Locked,
}

/// An error with all that is known of where it happened.
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    inner: Box<Inner>,
}

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    kind: ErrorKind,
    code: i16,
    retriable: bool,
    fatal: bool,
    topic: Option<String>,
    partition: i32,
    offset: i64,
    message: String,
}

impl Error {
    /// Makes an error of `kind` whose text is `message`; the text does not repeat the partition.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            inner: Box::new(Inner {
                kind,
                code: 0,
                retriable: matches!(kind, ErrorKind::Network | ErrorKind::Timeout),
                fatal: false,
                topic: None,
                partition: -1,
                offset: -1,
                message: message.into(),
            }),
        }
    }

    /// Adds the error code that a broker sent.
    #[must_use]
    pub fn with_code(mut self, code: i16) -> Self {
        self.inner.code = code;
        self
    }

    /// Adds the topic and the partition.
    #[must_use]
    pub fn with_partition(mut self, topic: &str, partition: i32) -> Self {
        self.inner.topic = Some(topic.to_owned());
        self.inner.partition = partition;
        self
    }

    /// Adds the offset at which it happened.
    #[must_use]
    pub fn with_offset(mut self, offset: i64) -> Self {
        self.inner.offset = offset;
        self
    }

    /// Says whether the same call may succeed later without any change.
    #[must_use]
    pub fn with_retriable(mut self, retriable: bool) -> Self {
        self.inner.retriable = retriable;
        self
    }

    /// Marks the error as the consumer's last: only `close` works after it.
    #[must_use]
    pub fn with_fatal(mut self) -> Self {
        self.inner.fatal = true;
        self
    }

    /// Returns the kind.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// Returns the broker's error code, 0 where no broker sent one.
    pub fn code(&self) -> i16 {
        self.inner.code
    }

    /// Tells whether the same call may succeed later without any change.
    pub fn is_retriable(&self) -> bool {
        self.inner.retriable
    }

    /// Tells whether only `close` works after this error.
    pub fn is_fatal(&self) -> bool {
        self.inner.fatal
    }

    /// Returns the topic, where one is known.
    pub fn topic(&self) -> Option<&str> {
        self.inner.topic.as_deref()
    }

    /// Returns the partition, −1 where none is known.
    pub fn partition(&self) -> i32 {
        self.inner.partition
    }

    /// Returns the offset, −1 where none is known.
    pub fn offset(&self) -> i64 {
        self.inner.offset
    }

    /// Returns the text without topic, partition and offset.
    pub fn message(&self) -> &str {
        &self.inner.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(topic) = &self.inner.topic {
            write!(f, "{topic}")?;
            if self.inner.partition >= 0 {
                write!(f, "-{}", self.inner.partition)?;
            }
            if self.inner.offset >= 0 {
                write!(f, " at offset {}", self.inner.offset)?;
            }
            write!(f, ": ")?;
        }
        f.write_str(&self.inner.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.inner.kind)
            .field("code", &self.inner.code)
            .field("text", &self.to_string())
            .finish()
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_names_topic_partition_and_offset() {
        let error = Error::new(ErrorKind::Corrupt, "checksum differs")
            .with_partition("orders", 3)
            .with_offset(42);
        assert_eq!(error.to_string(), "orders-3 at offset 42: checksum differs");
    }

    #[test]
    fn text_without_a_partition_is_the_message() {
        let error = Error::new(ErrorKind::Config, "no such property");
        assert_eq!(error.to_string(), "no such property");
    }
}
