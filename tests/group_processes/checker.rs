//! Holds the event logs of all members to what a group promises.
//!
//! | rule | here |
//! |---|---|
//! | I1 I18 wrong | a record is the one of its offset, no position is reset |
//! | I4 order, I5 gap | while a member has a partition, each record follows the one before |
//! | I6 start, I15 skip | it begins at what is committed, and all before has been delivered |
//! | I7 ownership | nothing is delivered that is not owned, nor after it was revoked |
//! | I8 exclusive | no two members have a partition at a time, or in one generation |
//! | I9 commit bound, I10 commit owner | only what was delivered is committed, by its owner |
//! | I11 | what is assigned is new, what is revoked was owned |
//! | I14 at least once | in the end everything is delivered |
//! | I16 exactly once | and once only, where all stops are clean |
//! | I17 repeats | what comes again had not been committed |
//! | I21 static, I23 quiet | faults that are no concern of the group's move nothing |

use std::collections::{BTreeMap, BTreeSet};

use super::commits::Commits;
use super::event::{Event, Kind};
use super::runs::{End, Reader, Run};

/// The events of one process.
#[derive(Clone, Debug, Default)]
pub(crate) struct MemberLog {
    pub(crate) name: String,
    pub(crate) events: Vec<Event>,
}

impl MemberLog {
    /// Returns the partitions that it has in the end, or had when it was killed, sorted.
    pub(crate) fn owned(&self) -> Vec<String> {
        let mut owned = BTreeSet::new();
        for event in &self.events {
            let names = event.spans.iter().map(|span| &span.partition);
            match event.kind {
                Kind::Assigned => owned.extend(names),
                Kind::Revoked | Kind::Lost => {
                    owned.retain(|one| !names.clone().any(|gone| gone == *one))
                }
                Kind::Stopped => owned.clear(),
                _ => {}
            }
        }
        owned.into_iter().cloned().collect()
    }
}

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) rule: &'static str,
    pub(crate) text: String,
}

/// What is to be held against the logs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Checker {
    /// How many records each partition has, whose values are their offsets.
    pub(crate) ends: BTreeMap<String, i64>,
    /// Whether no record may come twice.
    pub(crate) exactly_once: bool,
    /// Whether generations begin anew during the test, so that they identify nothing.
    pub(crate) generations_restart: bool,
    /// Whether members commit that do not say so.
    pub(crate) commits_silently: bool,
    /// Whether members that were killed or lost their partitions could have been without knowing.
    pub(crate) has_zombies: bool,
}

pub(super) fn violation(rule: &'static str, text: String) -> Violation {
    Violation { rule, text }
}

impl Checker {
    /// Makes a checker of a topic whose partitions have as many records each.
    pub(crate) fn new(topic: &str, ends: &[i64]) -> Self {
        let ends = ends.iter().enumerate();
        let ends = ends.map(|(number, end)| (format!("{topic}-{number}"), *end)).collect();
        Self { ends, ..Self::default() }
    }

    /// Returns what is wrong.
    pub(crate) fn check(&self, logs: &[MemberLog]) -> Vec<Violation> {
        let mut found = Vec::new();
        let mut runs: BTreeMap<String, Vec<Run>> = BTreeMap::new();
        for log in logs {
            let reader = Reader::read(log);
            found.extend(reader.violations);
            for run in reader.runs {
                runs.entry(run.partition.clone()).or_default().push(run);
            }
        }
        for (partition, runs) in &mut runs {
            runs.sort_by_key(|run| run.from_us);
            let commits = Commits::of(partition, logs);
            found.extend(runs.iter().filter_map(|run| commits.check(run, self.commits_silently)));
            found.extend(commits.check_owners(runs));
            found.extend(runs.iter().filter_map(|run| check_skip(run, runs)));
            found.extend(self.check_exclusive(runs));
        }
        if !self.generations_restart {
            found.extend(check_generations(logs));
        }
        for (partition, end) in &self.ends {
            found.extend(self.check_complete(partition, *end, runs.get(partition)));
        }
        found
    }

    /// Panics with what is wrong.
    pub(crate) fn assert_holds(&self, logs: &[MemberLog]) {
        let found = self.check(logs);
        let first: Vec<&Violation> = found.iter().take(20).collect();
        assert!(found.is_empty(), "{} violations: {first:#?}", found.len());
    }

    fn check_exclusive(&self, runs: &[Run]) -> Vec<Violation> {
        let mut found = Vec::new();
        let mut longest: Option<&Run> = None;
        for run in runs {
            let is_clean = |run: &Run| !matches!(run.end, End::Lost | End::Killed);
            if let Some(before) = longest
                && before.until_us > run.from_us
                && (!self.has_zombies || is_clean(before))
            {
                let (one, two, what) = (&before.member, &run.member, &run.partition);
                let by = before.until_us.saturating_sub(run.from_us);
                let text = format!("{one} ({:?}) and {two} have {what}, {by} µs", before.end);
                found.push(violation("I8 exclusive", text));
            }
            if longest.is_none_or(|before| run.until_us > before.until_us)
                && (!self.has_zombies || is_clean(run))
            {
                longest = Some(run);
            }
        }
        found
    }

    fn check_complete(&self, partition: &str, end: i64, runs: Option<&Vec<Run>>) -> Vec<Violation> {
        let delivered = runs.into_iter().flatten().flat_map(|run| &run.delivered);
        let mut ranges: Vec<(i64, i64)> =
            delivered.map(|(_, span)| (span.first, span.last + 1)).collect();
        ranges.sort_unstable();
        let (mut next, mut found) = (0, Vec::new());
        for (first, behind) in ranges {
            if first > next {
                let text = format!("{partition}: {next} to {first} never came");
                found.push(violation("I14 at least once", text));
            }
            if first < next && self.exactly_once {
                let text = format!("{partition}: {first} to {} came twice", next.min(behind));
                found.push(violation("I16 exactly once", text));
            }
            next = next.max(behind);
        }
        if next != end {
            let text = format!("{partition}: delivered up to {next} of {end}");
            found.push(violation("I14 at least once", text));
        }
        found
    }
}

fn check_skip(run: &Run, runs: &[Run]) -> Option<Violation> {
    let start = run.start?;
    let before = runs.iter().flat_map(|other| &other.delivered);
    let before = before.filter(|(at, _)| *at <= run.from_us).map(|(_, span)| span.last + 1);
    let delivered = before.max().unwrap_or(0);
    let text = || {
        let (member, partition) = (&run.member, &run.partition);
        format!("{member} begins {partition} at {start}, delivered were {delivered}")
    };
    (start > delivered).then(|| violation("I15 skip", text()))
}

/// In one generation one member reads a partition.
fn check_generations(logs: &[MemberLog]) -> Vec<Violation> {
    let mut readers: BTreeMap<(&str, i32), &str> = BTreeMap::new();
    let mut found = Vec::new();
    for log in logs {
        let delivered = log.events.iter().filter(|event| event.kind == Kind::Delivered);
        for event in delivered.filter(|event| event.generation >= 0) {
            for span in &event.spans {
                let key = (span.partition.as_str(), event.generation);
                // A static member is the same one when it is there again.
                let name = log.name.split('#').next().unwrap_or_default();
                let reader = readers.entry(key).or_insert(name);
                if *reader != name {
                    let text = format!("{reader} and {} read {key:?}", log.name);
                    found.push(violation("I8 exclusive", text));
                }
            }
        }
    }
    found
}

/// Returns what moved from one time to another although nothing was to (I23).
pub(crate) fn check_quiet(logs: &[MemberLog], from_us: u64, until_us: u64) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut generations: BTreeMap<i32, &str> = BTreeMap::new();
    for log in logs {
        let inside = |event: &&Event| (from_us..=until_us).contains(&event.at_us);
        for event in log.events.iter().filter(inside) {
            if matches!(event.kind, Kind::Assigned | Kind::Revoked | Kind::Lost) {
                found.push(violation("I23 quiet", format!("{}: {}", log.name, event.line())));
            }
            if event.kind == Kind::Delivered {
                generations.insert(event.generation, &log.name);
            }
        }
    }
    if generations.len() > 1 {
        found.push(violation("I23 quiet", format!("generations {generations:?}")));
    }
    found
}

/// Returns what moved when a static member that was killed was there again within its session
/// (I21): others hear nothing, and it has what it had.
pub(crate) fn check_static(
    before: &MemberLog,
    after: &MemberLog,
    others: &[MemberLog],
) -> Vec<Violation> {
    let last =
        |log: &MemberLog, kind| log.events.iter().rev().find(|one| one.kind == kind).cloned();
    let has = |log: &MemberLog| Some((last(log, Kind::Assigned)?.generation, log.owned()));
    let mut found = Vec::new();
    let (had, has) = (has(before), has(after));
    if had.is_none() || had != has {
        found.push(violation("I21 static", format!("had {had:?}, has {has:?}")));
    }
    let from = last(before, Kind::Killed).map_or(0, |event| event.at_us);
    let until = after.events.last().map_or(u64::MAX, |event| event.at_us);
    let moved = check_quiet(others, from, until);
    found.extend(moved.into_iter().map(|one| violation("I21 static", one.text)));
    found
}
