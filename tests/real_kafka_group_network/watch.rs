//! Waiting for members on threads, and what holds of them while something is done to the network.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::group_processes::checker::{MemberLog, check_quiet};
use crate::group_processes::event::{Kind, now_us};
use crate::member::Member;
use crate::support::deadline::now;

/// How long anything may take on a machine that has much else to do.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

pub(crate) const MS: Duration = Duration::from_millis(1);

pub(crate) fn let_pass(time: Duration) {
    let until = now() + time;
    while now() < until {
        std::thread::park_timeout(until.saturating_duration_since(now()));
    }
}

pub(crate) fn logs(members: &[Member]) -> Vec<MemberLog> {
    members.iter().map(Member::log).collect()
}

/// Looks at the members until it is so.
pub(crate) fn wait_for(what: &str, members: &[Member], mut is_so: impl FnMut() -> bool) {
    let started = now();
    while !is_so() {
        if started.elapsed() > LIMIT || members.iter().any(|member| !member.is_running()) {
            for log in logs(members) {
                let last = log.events.iter().rev().take(15).rev();
                let last: Vec<String> = last.map(|event| event.line()).collect();
                eprintln!("{}:\n{}", log.name, last.join("\n"));
            }
            panic!("not within {LIMIT:?}, or a member has ended: {what}");
        }
        std::thread::park_timeout(10 * MS);
    }
}

/// Waits until every partition has one owner, and every member one partition at least.
pub(crate) fn wait_for_owners(members: &[Member], partitions: usize) {
    wait_for("every partition is owned", members, || {
        let owned: Vec<Vec<String>> = members.iter().map(Member::owned).collect();
        let mut all = owned.concat();
        let count = all.len();
        all.sort();
        all.dedup();
        owned.iter().all(|one| !one.is_empty()) && all.len() == partitions && count == partitions
    });
}

/// Waits until every member has committed some more times.
pub(crate) fn wait_for_commits(members: &[Member], more: usize) {
    let counts = || members.iter().map(|one| one.count(Kind::CommitDone));
    let wanted: Vec<usize> = counts().map(|before| before + more).collect();
    wait_for("all members commit", members, || {
        counts().zip(&wanted).all(|(count, wanted)| count >= *wanted)
    });
}

/// Waits until all records were delivered, to these members or those that have ended.
pub(crate) fn wait_for_all(members: &[Member], ended: &[MemberLog], ends: &BTreeMap<String, i64>) {
    wait_for("all records are delivered", members, || {
        let logs = [logs(members), ended.to_vec()].concat();
        let events = logs.iter().flat_map(|log| &log.events);
        let delivered = events.filter(|event| event.kind == Kind::Delivered);
        let mut reached: BTreeMap<&str, i64> = BTreeMap::new();
        for span in delivered.flat_map(|event| &event.spans) {
            let next = reached.entry(&span.partition).or_default();
            *next = (span.last + 1).max(*next);
        }
        ends.iter().all(|(partition, end)| reached.get(partition.as_str()) == Some(end))
    });
}

/// Lets something be done that moves nothing in the group (I23), and that all members outlive.
pub(crate) fn stand_still(members: &[Member], disturb: impl FnOnce()) {
    let from = now_us();
    disturb();
    wait_for_commits(members, 2);
    assert_eq!(check_quiet(&logs(members), from, now_us()), []);
}
