//! What a member says of itself: a flat JSON object a line, in every language the same.
//!
//! ```text
//! {"event":"delivered","t":8123456,"generation":3,"partitions":"t-0:5:9 t-1:0:3","text":""}
//! ```
//!
//! `t` is the host's monotonic clock in µs, so that events of several processes compare. After a
//! partition's name stand its first and last offset where it is delivered, its position and what is
//! committed where it is assigned (−1 unknown), and twice the offset where it is committed.

use std::fmt::Write as _;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// When the process has subscribed.
    Started,
    /// When partitions came; the time is that of the callback's begin.
    Assigned,
    /// When partitions went; the time is that of the callback's end.
    Revoked,
    /// When partitions may be others' already.
    Lost,
    /// When a poll returned records.
    Delivered,
    /// When a commit is about to be sent.
    CommitSent,
    /// When a commit was acknowledged.
    CommitDone,
    /// When a commit was refused; the text says why.
    CommitFailed,
    /// When a position was reset by policy, or a record is not the one of its offset.
    Wrong,
    /// When a poll failed; the text says why.
    Error,
    /// When the member has closed.
    Stopped,
    /// When the test has killed the process; the test's own event.
    Killed,
}

const KINDS: [(Kind, &str); 12] = [
    (Kind::Started, "started"),
    (Kind::Assigned, "assigned"),
    (Kind::Revoked, "revoked"),
    (Kind::Lost, "lost"),
    (Kind::Delivered, "delivered"),
    (Kind::CommitSent, "commit_sent"),
    (Kind::CommitDone, "commit_done"),
    (Kind::CommitFailed, "commit_failed"),
    (Kind::Wrong, "wrong"),
    (Kind::Error, "error"),
    (Kind::Stopped, "stopped"),
    (Kind::Killed, "killed"),
];

/// A partition and two offsets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// `topic-number`.
    pub(crate) partition: String,
    pub(crate) first: i64,
    pub(crate) last: i64,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) kind: Kind,
    pub(crate) at_us: u64,
    /// −1 outside of a generation, or where the client does not tell.
    pub(crate) generation: i32,
    pub(crate) spans: Vec<Span>,
    pub(crate) text: String,
}

impl Span {
    pub(crate) fn new(partition: &str, first: i64, last: i64) -> Self {
        Self { partition: partition.to_owned(), first, last }
    }
}

impl Event {
    pub(crate) fn new(kind: Kind) -> Self {
        Self { kind, at_us: now_us(), generation: -1, spans: Vec::new(), text: String::new() }
    }

    pub(crate) fn generation(mut self, generation: i32) -> Self {
        self.generation = generation;
        self
    }

    pub(crate) fn spans(mut self, spans: Vec<Span>) -> Self {
        self.spans = spans;
        self
    }

    pub(crate) fn text(mut self, text: impl ToString) -> Self {
        self.text = text.to_string();
        self
    }

    /// Returns the line without its end.
    pub(crate) fn line(&self) -> String {
        let name = KINDS.iter().find(|(kind, _)| *kind == self.kind).unwrap().1;
        let mut partitions = String::new();
        for Span { partition, first, last } in &self.spans {
            let gap = if partitions.is_empty() { "" } else { " " };
            write!(partitions, "{gap}{partition}:{first}:{last}").unwrap();
        }
        let plain = |letter: char| match letter {
            '"' | '\\' => '\'',
            letter if letter.is_control() => ' ',
            letter => letter,
        };
        let text: String = self.text.chars().map(plain).collect();
        let (at, generation) = (self.at_us, self.generation);
        let head = format!(r#"{{"event":"{name}","t":{at},"generation":{generation}"#);
        format!(r#"{head},"partitions":"{partitions}","text":"{text}"}}"#)
    }

    /// Reads a line; `None` for what else a process prints.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let name = field(line, "event")?;
        let kind = KINDS.iter().find(|(_, known)| *known == name)?.0;
        Some(Self {
            kind,
            at_us: field(line, "t")?.parse().ok()?,
            generation: field(line, "generation")?.parse().ok()?,
            spans: field(line, "partitions")?.split_whitespace().map(span).collect(),
            text: field(line, "text")?.to_owned(),
        })
    }
}

fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(&format!("\"{name}\":"))?;
    match rest.strip_prefix('"') {
        Some(text) => text.split('"').next(),
        None => rest.split([',', '}']).next(),
    }
}

fn span(text: &str) -> Span {
    let mut parts = text.rsplitn(3, ':');
    let mut next = || parts.next().expect("a partition and two offsets");
    let (last, first) = (next().parse().unwrap(), next().parse().unwrap());
    Span { partition: next().to_owned(), first, last }
}

/// Returns the clock that all processes of a host share.
pub(crate) fn now_us() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes one timespec, which is there.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    assert_eq!(status, 0);
    u64::try_from(time.tv_sec * 1_000_000 + time.tv_nsec / 1000).unwrap()
}
