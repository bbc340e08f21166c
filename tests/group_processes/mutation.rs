//! Doctored logs: each rule catches what breaks it, and nothing else does.

use super::checker::{Checker, MemberLog, Violation, check_quiet, check_static};
use super::event::{Event, Kind, Span};

fn event(at_us: u64, kind: Kind, spans: &[(i64, i64)]) -> Event {
    let spans = spans.iter().map(|(first, last)| Span::new("t-0", *first, *last)).collect();
    Event { kind, at_us, generation: 1, spans, text: String::new() }
}

/// One member reads 0 to 9, commits and stops; another goes on to 19.
fn good() -> [MemberLog; 2] {
    let first = vec![
        event(1, Kind::Started, &[]),
        event(2, Kind::Assigned, &[(0, 0)]),
        event(3, Kind::Delivered, &[(0, 4)]),
        event(4, Kind::CommitSent, &[(5, 5)]),
        event(5, Kind::CommitDone, &[(5, 5)]),
        event(6, Kind::Delivered, &[(5, 9)]),
        event(7, Kind::CommitSent, &[(10, 10)]),
        event(8, Kind::CommitDone, &[(10, 10)]),
        event(9, Kind::Revoked, &[(-1, -1)]),
        event(10, Kind::Stopped, &[]),
    ];
    let mut second = vec![
        event(11, Kind::Assigned, &[(10, 10)]),
        event(12, Kind::Delivered, &[(10, 19)]),
        event(13, Kind::CommitSent, &[(20, 20)]),
        event(14, Kind::CommitDone, &[(20, 20)]),
    ];
    second.iter_mut().for_each(|event| event.generation = 2);
    let log = |name: &str, events| MemberLog { name: name.to_owned(), events };
    [log("a", first), log("b", second)]
}

fn checker() -> Checker {
    Checker { exactly_once: true, ..Checker::new("t", &[20]) }
}

/// Checks that the rule is among those that a doctored log breaks.
fn is_caught(rule: &str, doctor: impl FnOnce(&mut [MemberLog; 2])) {
    let mut logs = good();
    doctor(&mut logs);
    let found = checker().check(&logs);
    assert!(found.iter().any(|one| one.rule == rule), "{rule} is not in {found:?}");
}

#[test]
fn logs_in_order_pass_and_lines_are_read_as_written() {
    let logs = good();
    assert_eq!(checker().check(&logs), []);
    for event in logs.iter().flat_map(|log| &log.events) {
        assert_eq!(Event::parse(&event.line()).as_ref(), Some(event));
    }
    assert_eq!(Event::parse("running 1 test"), None);
}

#[test]
fn what_one_member_says_is_held_to_the_rules() {
    is_caught("I1 I18 wrong", |logs| logs[0].events[0].kind = Kind::Wrong);
    is_caught("I4 order", |logs| logs[0].events[5].spans[0].first = 4);
    is_caught("I5 gap", |logs| logs[0].events[5].spans[0].first = 6);
    is_caught("I6 start", |logs| logs[1].events[1].spans[0].first = 11);
    is_caught("I6 start", |logs| logs[1].events[0].spans[0].last = 9);
    // Delivered after it was revoked.
    is_caught("I7 ownership", |logs| logs[0].events.swap(5, 8));
    is_caught("I9 commit bound", |logs| logs[0].events[3].spans[0] = Span::new("t-0", 6, 6));
    is_caught("I10 commit owner", |logs| logs[0].events.swap(7, 8));
    is_caught("I11 assigned twice", |logs| {
        let again = logs[1].events[0].clone();
        logs[1].events.insert(1, again);
    });
    is_caught("I11 not owned", |logs| {
        let again = logs[0].events[8].clone();
        logs[0].events.push(again);
    });
}

#[test]
fn what_several_members_say_is_held_to_the_rules() {
    // It begins behind what was sent, and behind what was delivered.
    is_caught("I6 start", |logs| {
        logs[0].events[6].spans[0] = Span::new("t-0", 9, 9);
        logs[0].events[7].spans[0] = Span::new("t-0", 9, 9);
    });
    is_caught("I15 skip", |logs| {
        logs[1].events[0].spans[0] = Span::new("t-0", 12, 12);
        logs[1].events[1].spans[0].first = 12;
    });
    is_caught("I8 exclusive", |logs| logs[1].events[0].at_us = 8);
    is_caught("I8 exclusive", |logs| logs[1].events[1].generation = 1);
    is_caught("I8 exclusive", |logs| logs[0].events.truncate(8));
    is_caught("I10 commit owner", |logs| logs[1].events[0].at_us = 6);
    is_caught("I14 at least once", |logs| logs[1].events[1].spans[0].last = 18);
    is_caught("I14 at least once", |logs| logs[0].events[5].spans[0].first = 6);
    // It begins below what was acknowledged.
    let repeat = |logs: &mut [MemberLog; 2]| {
        logs[1].events[0].spans[0] = Span::new("t-0", 8, 8);
        logs[1].events[1].spans[0].first = 8;
    };
    is_caught("I16 exactly once", repeat);
    is_caught("I17 repeats", repeat);
}

#[test]
fn who_was_killed_may_have_had_it_still_and_repeats_are_then_bounded() {
    let mut logs = good();
    // Killed after the poll at 6, it is not heard of before 12; 5 to 9 had not been committed.
    logs[0].events.truncate(6);
    logs[0].events.push(event(12, Kind::Killed, &[]));
    logs[1].events[0].spans[0] = Span::new("t-0", 5, 5);
    logs[1].events[1].spans[0].first = 5;
    let lenient = Checker { has_zombies: true, exactly_once: false, ..checker() };
    assert_eq!(lenient.check(&logs), []);
    let strict = Checker { has_zombies: false, ..lenient };
    assert_eq!(rules(&strict.check(&logs)), ["I8 exclusive"]);
}

#[test]
fn quiet_times_and_static_members_are_held_to_it() {
    let logs = good();
    assert_eq!(check_quiet(&logs, 3, 8), []);
    assert_eq!(rules(&check_quiet(&logs, 3, 9)), ["I23 quiet"]);
    let mut other = logs[..1].to_vec();
    other[0].events[5].generation = 2;
    assert_eq!(rules(&check_quiet(&other, 3, 8)), ["I23 quiet"]);

    let mut before = logs[0].clone();
    before.events.truncate(6);
    before.events.push(event(20, Kind::Killed, &[]));
    let mut after = logs[0].clone();
    after.events.retain(|event| event.kind == Kind::Assigned);
    after.events[0].at_us = 21;
    assert_eq!(check_static(&before, &after, &logs[1..]), []);
    after.events[0].generation = 2;
    assert_eq!(rules(&check_static(&before, &after, &logs[1..])), ["I21 static"]);
    after.events[0].generation = 1;
    after.events[0].spans.clear();
    assert_eq!(rules(&check_static(&before, &after, &logs[1..])), ["I21 static"]);
    after.events[0].spans.clone_from(&before.events[1].spans);
    let mut others = logs[1..].to_vec();
    others[0].events.push(event(21, Kind::Revoked, &[(-1, -1)]));
    assert_eq!(rules(&check_static(&before, &after, &others)), ["I21 static"]);
}

fn rules(found: &[Violation]) -> Vec<&'static str> {
    found.iter().map(|one| one.rule).collect()
}
