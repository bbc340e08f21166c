//! Who had which partition from when to when, and what it got of it.

use std::collections::BTreeMap;

use super::checker::{MemberLog, Violation, violation};
use super::event::{Event, Kind, Span};

/// How a member's time with a partition ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// When the log ends before.
    Open,
    Revoked,
    Lost,
    Stopped,
    Killed,
}

/// A member's time with a partition.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) member: String,
    pub(crate) partition: String,
    pub(crate) from_us: u64,
    pub(crate) until_us: u64,
    pub(crate) end: End,
    /// Where it was to begin; `None` where nobody could say and nothing came.
    pub(crate) start: Option<i64>,
    /// The ranges that came, with the times.
    pub(crate) delivered: Vec<(u64, Span)>,
}

impl Run {
    /// Returns the offset behind what has come.
    pub(crate) fn next(&self) -> Option<i64> {
        self.delivered.last().map(|(_, span)| span.last + 1)
    }
}

/// What a single log shows: the runs, and what is wrong in itself.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    pub(crate) runs: Vec<Run>,
    pub(crate) violations: Vec<Violation>,
    owned: BTreeMap<String, Run>,
}

impl Reader {
    pub(crate) fn read(log: &MemberLog) -> Self {
        let mut reader = Self::default();
        for event in &log.events {
            reader.take(&log.name, event);
        }
        reader.end_all(End::Open, u64::MAX);
        reader
    }

    fn take(&mut self, member: &str, event: &Event) {
        match event.kind {
            Kind::Assigned => self.assign(member, event),
            Kind::Revoked => self.let_go(member, event, End::Revoked),
            Kind::Lost => self.let_go(member, event, End::Lost),
            Kind::Delivered => event.spans.iter().for_each(|span| self.add(member, event, span)),
            Kind::CommitSent | Kind::CommitDone => self.check_commit(member, event),
            Kind::Wrong => self.complain("I1 I18 wrong", format!("{member}: {}", event.text)),
            Kind::Stopped => self.end_all(End::Stopped, event.at_us),
            Kind::Killed => self.end_all(End::Killed, event.at_us),
            Kind::Started | Kind::CommitFailed | Kind::Error => {}
        }
    }

    fn assign(&mut self, member: &str, event: &Event) {
        for span in &event.spans {
            let run = Run {
                member: member.to_owned(),
                partition: span.partition.clone(),
                from_us: event.at_us,
                until_us: u64::MAX,
                end: End::Open,
                start: Some(span.first).filter(|position| *position >= 0),
                delivered: Vec::new(),
            };
            if span.first >= 0 && span.last >= 0 && span.first != span.last {
                let text = format!("{member} begins {span:?}, committed is {}", span.last);
                self.complain("I6 start", text);
            }
            if self.owned.insert(span.partition.clone(), run).is_some() {
                self.complain("I11 assigned twice", format!("{member} has {span:?} already"));
            }
        }
    }

    fn let_go(&mut self, member: &str, event: &Event, end: End) {
        for span in &event.spans {
            match self.owned.remove(&span.partition) {
                Some(run) => self.runs.push(Run { end, until_us: event.at_us, ..run }),
                None => {
                    let text = format!("{member} lets {} go", span.partition);
                    self.complain("I11 not owned", text);
                }
            }
        }
    }

    fn add(&mut self, member: &str, event: &Event, span: &Span) {
        let Some(run) = self.owned.get_mut(&span.partition) else {
            let text = format!("{member} was given {span:?} at {}", event.at_us);
            return self.complain("I7 ownership", text);
        };
        let found = match run.next() {
            Some(next) if span.first < next => Some(("I4 order", next)),
            Some(next) if span.first > next => Some(("I5 gap", next)),
            None if run.start.is_some_and(|start| start != span.first) => {
                Some(("I6 start", run.start.unwrap_or(-1)))
            }
            _ => None,
        };
        run.start.get_or_insert(span.first);
        run.delivered.push((event.at_us, span.clone()));
        if let Some((rule, expected)) = found {
            self.complain(rule, format!("{member} was given {span:?}, next was {expected}"));
        }
    }

    fn check_commit(&mut self, member: &str, event: &Event) {
        for span in &event.spans {
            let run = self.owned.get(&span.partition);
            let delivered = run.and_then(Run::next);
            if run.is_none() {
                let text = format!("{member}: {:?} of {}", event.kind, span.partition);
                self.complain("I10 commit owner", text);
            } else if delivered.is_none_or(|next| span.first > next) {
                let text = format!("{member}: {span:?}, was given up to {delivered:?}");
                self.complain("I9 commit bound", text);
            }
        }
    }

    fn end_all(&mut self, end: End, until_us: u64) {
        let owned = std::mem::take(&mut self.owned);
        self.runs.extend(owned.into_values().map(|run| Run { end, until_us, ..run }));
    }

    fn complain(&mut self, rule: &'static str, text: String) {
        self.violations.push(violation(rule, text));
    }
}
