//! What was committed when by whom, and what follows from it for who comes next.

use super::checker::{MemberLog, Violation, violation};
use super::event::Kind;
use super::runs::Run;

#[derive(Clone, Debug)]
struct Commit {
    member: String,
    sent_us: u64,
    /// When it was acknowledged, if it was.
    done_us: Option<u64>,
    offset: i64,
}

/// The commits of a partition by all members.
#[derive(Debug, Default)]
pub(crate) struct Commits(Vec<Commit>);

impl Commits {
    pub(crate) fn of(partition: &str, logs: &[MemberLog]) -> Self {
        let mut commits = Self::default();
        for log in logs {
            let mut last: Option<usize> = None;
            for event in &log.events {
                let Some(span) = event.spans.iter().find(|span| span.partition == partition) else {
                    continue;
                };
                match event.kind {
                    Kind::CommitSent => {
                        let (member, offset) = (log.name.clone(), span.first);
                        let (sent_us, done_us) = (event.at_us, None);
                        last = Some(commits.0.len());
                        commits.0.push(Commit { member, sent_us, done_us, offset });
                    }
                    // They are synchronous: the last one sent is the one that is done.
                    Kind::CommitDone => {
                        if let Some(last) = last.take() {
                            commits.0[last].done_us = Some(event.at_us);
                        }
                    }
                    _ => {}
                }
            }
        }
        commits
    }

    /// Holds a run's start to what was committed before it. Where some commit without a word, only
    /// what was delivered bounds it from above.
    pub(crate) fn check(&self, run: &Run, some_are_silent: bool) -> Option<Violation> {
        let start = run.start?;
        let highest = |is_before: &dyn Fn(&Commit) -> bool| {
            let before = self.0.iter().filter(|commit| is_before(commit));
            before.map(|commit| commit.offset).max().unwrap_or(0)
        };
        let sent = highest(&|commit| commit.sent_us <= run.from_us);
        let acknowledged =
            highest(&|commit| commit.done_us.is_some_and(|done| done <= run.from_us));
        let (member, partition) = (&run.member, &run.partition);
        if start < acknowledged {
            let text = format!("{member} begins {partition} at {start}, committed {acknowledged}");
            return Some(violation("I17 repeats", text));
        }
        if start > sent && !some_are_silent {
            let text = format!("{member} begins {partition} at {start}, sent were {sent}");
            return Some(violation("I6 start", text));
        }
        None
    }

    /// Finds commits that were sent when another had the partition already, and were acknowledged
    /// while it had it.
    pub(crate) fn check_owners(&self, runs: &[Run]) -> Vec<Violation> {
        let mut found = Vec::new();
        for commit in &self.0 {
            let Some(done_us) = commit.done_us else { continue };
            let has = |run: &&Run| run.from_us <= commit.sent_us && done_us <= run.until_us;
            let (own, others): (Vec<&Run>, Vec<&Run>) =
                runs.iter().filter(has).partition(|run| run.member == commit.member);
            let own = own.iter().map(|run| run.from_us).max().unwrap_or(0);
            if let Some(other) = others.iter().find(|run| run.from_us > own) {
                let text = format!("{commit:?} is taken while {} owns it", other.member);
                found.push(violation("I10 commit owner", text));
            }
        }
        found
    }
}
