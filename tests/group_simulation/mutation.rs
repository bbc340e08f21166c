//! Breaks the record of worlds that went well, one way at a time: the checker has to notice each.

use std::time::Duration;

use kfetch::coordinator::request::Request;

use super::checker::claims;
use super::event::{Event, Position};
use super::weather::Weather;
use super::world::{Time, World};

const WORLDS: u64 = 60;

type Events = Vec<(Time, Event)>;

/// A way to break a record at or behind a place; tells whether it could.
type Mutation = fn(&mut Events, usize) -> bool;

/// The name of what has to be noticed, with what breaks it, in which worlds.
type Row = (&'static str, &'static str, fn(&Weather) -> bool, Mutation);

fn any(_: &Weather) -> bool {
    true
}

const ROWS: [Row; 36] = [
    ("I6", "a run begins too late", any, |events, from| {
        with(events, from, |event| match event {
            Event::Started { at, .. } => change(&mut at.offset, 1_000_000),
            _ => false,
        })
    }),
    ("I6", "a position is reset", any, |events, from| {
        with(events, from, |event| match event {
            Event::Started { at, .. } if at.offset > 0 => change(&mut at.offset, -1),
            _ => false,
        })
    }),
    ("I7", "records come after a revocation", any, |events, from| {
        before_delivery(events, from, |client, partition| Event::Revoked {
            client,
            partitions: vec![partition],
        })
    }),
    ("I7", "records come after a loss", any, |events, from| {
        before_delivery(events, from, |client, _| Event::Dropped { client })
    }),
    ("I7", "records are left out", any, |events, from| {
        let is_first = |event: &Event| matches!(event, Event::Delivered { .. });
        let Some(at) = find(events, from, is_first) else { return false };
        let Event::Delivered { client, partition, .. } = events[at].1 else { return false };
        let again = |event: &Event| match event {
            Event::Delivered { client: by, partition: of, .. } => (*by, *of) == (client, partition),
            Event::Started { client: by, at } => (*by, at.partition) == (client, partition),
            Event::Sought { client: by, partition: of, .. } => (*by, *of) == (client, partition),
            _ => false,
        };
        let Some(next) = find(events, at + 1, again) else { return false };
        let goes_on = matches!(events[next].1, Event::Delivered { .. });
        if goes_on {
            events.remove(at);
        }
        goes_on
    }),
    ("I8", "two own a partition in one generation", any, |events, from| {
        double_owner(events, from, |generation| generation)
    }),
    ("I11", "a partition goes on before it is given up", any, |events, from| {
        double_owner(events, from, |generation| generation + 1)
    }),
    ("I11", "a join claims what was lost", any, |events, from| {
        let is_join = |event: &Event| match event {
            Event::Sent { request: Request::JoinGroup { protocols, .. }, .. } => {
                !claims(&protocols[0].1).is_empty()
            }
            _ => false,
        };
        let Some(at) = find(events, from, is_join) else { return false };
        let (_, Event::Sent { client, .. }) = events[at] else { return false };
        let next = |event: &Event| match event {
            Event::Assigned { client: by, .. }
            | Event::Revoked { client: by, .. }
            | Event::Dead { client: by, .. } => *by == client,
            Event::Sent { client: by, request } => {
                *by == client && matches!(request, Request::JoinGroup { .. })
            }
            _ => false,
        };
        let Some(next) = find(events, at + 1, next) else { return false };
        let (time, Event::Assigned { .. }) = events[next] else { return false };
        events.insert(next, (time, Event::Dropped { client }));
        true
    }),
    ("I8", "who was removed goes on reading", any, |events, from| late_reader(events, from, false)),
    ("I22", "who was fenced goes on reading", any, |events, from| late_reader(events, from, true)),
    ("I9", "a commit runs ahead", any, |events, from| {
        with(events, from, |event| match event {
            Event::Commits { positions, .. } => change(&mut positions[0].offset, 1),
            _ => false,
        })
    }),
    ("I10", "a stranger commits", any, |events, from| {
        with(events, from, |event| match event {
            Event::Commits { positions, .. } => {
                positions[0].partition = 1000;
                true
            }
            _ => false,
        })
    }),
    ("I10", "a commit is sent after a loss", any, |events, from| {
        let is_commit = |event: &Event| is_sent(event, "OffsetCommit");
        let Some(at) = find(events, from, is_commit) else { return false };
        let (time, Event::Sent { client, .. }) = events[at] else { return false };
        events.insert(at, (time, Event::Lost { client, fatal: None }));
        true
    }),
    ("I10", "what is stored was never committed", any, |events, from| {
        with(events, from, |event| match event {
            Event::Stored { at, .. } => change(&mut at.offset, 1_000_000),
            _ => false,
        })
    }),
    ("I12", "a commit comes again, late", any, |events, from| {
        let is_stored = |event: &Event| matches!(event, Event::Stored { .. });
        let Some(at) = find(events, from, is_stored) else { return false };
        let (_, Event::Stored { at: old, .. }) = events[at] else { return false };
        let newer = |event: &Event| {
            matches!(event, Event::Stored { at, .. }
                if at.partition == old.partition && at.offset > old.offset)
        };
        let Some(later) = find(events, at, newer) else { return false };
        let again = (events[later].0, events[at].1.clone());
        events.insert(later + 1, again);
        true
    }),
    ("I14", "records never come", any, |events, _| {
        let Some(last) = events.iter().rposition(|(_, event)| matches!(event, Event::Grown { .. }))
        else {
            return false;
        };
        let (time, Event::Grown { partition, end }) = events[last] else { return false };
        events.insert(last + 1, (time, Event::Grown { partition, end: end + 1 }));
        true
    }),
    (
        "I16",
        "records come twice and nothing failed",
        |weather| weather.calm,
        |events, from| {
            let is_run = |event: &Event| matches!(event, Event::Delivered { .. });
            let Some(at) = find(events, from, is_run) else { return false };
            let again = events[at].clone();
            events.insert(at + 1, again);
            true
        },
    ),
    (
        "I21",
        "a restart begins a generation",
        |weather| weather.calm && weather.is_static,
        |events, from| begin_generation(events, from, Duration::from_secs(6)),
    ),
    ("I22", "a member fails as fenced and is not", any, |events, _| {
        let end = events.len() - 1;
        // It lives to the end, and nobody else can have its instance.
        let is_meant = |client: usize| {
            let ends = |event: &Event| match event {
                Event::Dead { client: of, .. } => *of == client,
                Event::Removed { client: of, fenced: true } => *of == client,
                Event::Born { client: of, instance } => *of == client && instance.is_some(),
                _ => false,
            };
            !events.iter().any(|(_, event)| ends(event))
        };
        let client = events.iter().rev().find_map(|(_, event)| match event {
            Event::Delivered { client, .. } if is_meant(*client) => Some(*client),
            _ => None,
        });
        let Some(client) = client else { return false };
        let time = events[end].0;
        events.insert(end, (time, Event::Lost { client, fatal: Some(82) }));
        true
    }),
    (
        "I23",
        "a broker's fault begins a generation",
        |weather| weather.only_brokers,
        |events, from| {
            let begins = |event: &Event| *event == Event::OnlyBrokers;
            let Some(begin) = find(events, 0, begins) else { return false };
            let heals = |event: &Event| *event == Event::Healed;
            let Some(end) = find(events, 0, heals) else { return false };
            let at = from.max(begin + 1);
            if at < end {
                let time = events[at].0;
                events.insert(at, (time, Event::Generation { generation: 99 }));
            }
            at < end
        },
    ),
    ("I24", "generations come for no reason", any, |events, from| {
        let Some((time, _)) = events.get(from).cloned() else { return false };
        for generation in 1000..3000 {
            events.insert(from, (time, Event::Generation { generation }));
        }
        true
    }),
    ("I25", "a request is in flight twice", any, |events, from| {
        let is_single = |event: &Event| is_sent(event, "JoinGroup") || is_sent(event, "Heartbeat");
        let Some(at) = find(events, from, is_single) else { return false };
        let again = events[at].clone();
        events.insert(at + 1, again);
        true
    }),
    ("I25", "a request is of an old generation", any, |events, from| {
        with(events, from, |event| match event {
            Event::Sent { request: Request::Heartbeat { generation, .. }, .. } => {
                *generation -= 1;
                true
            }
            _ => false,
        })
    }),
    ("I1", "records have another leader's epoch", any, |events, from| {
        with(events, from, |event| match event {
            Event::Delivered { epoch, .. } => {
                *epoch += 1000;
                true
            }
            _ => false,
        })
    }),
    ("I13", "another epoch is committed", any, |events, from| {
        with(events, from, |event| match event {
            Event::Commits { positions, .. } => change_epoch(&mut positions[0]),
            _ => false,
        })
    }),
    ("I13", "no epoch is committed", any, |events, from| {
        with(events, from, |event| match event {
            Event::Commits { positions, .. } if positions[0].epoch >= 0 => {
                positions[0].epoch = -1;
                true
            }
            _ => false,
        })
    }),
    ("I13", "another epoch is stored", any, |events, from| {
        with(events, from, |event| match event {
            Event::Stored { at, .. } => change_epoch(at),
            _ => false,
        })
    }),
    ("I13", "another epoch is told than was stored", any, |events, from| {
        with(events, from, |event| match event {
            Event::Started { at, .. } => change_epoch(at),
            _ => false,
        })
    }),
    ("I19", "an epoch goes back", any, |events, from| {
        let grown = |event: &Event| matches!(event, Event::Delivered { epoch, .. } if *epoch > 0);
        let Some(at) = find(events, from, grown) else { return false };
        let (_, Event::Delivered { client, partition, .. }) = events[at] else { return false };
        go_on(events, at, client, partition, |next| match next {
            Event::Delivered { epoch, .. } => {
                *epoch = 0;
                true
            }
            _ => false,
        })
    }),
    ("I20", "records come while paused", any, |events, from| {
        before_delivery(events, from, |client, partition| Event::Paused { client, partition })
    }),
    ("I20", "resuming moves the position", any, |events, from| {
        let resumed = |event: &Event| matches!(event, Event::Resumed { .. });
        let Some(at) = find(events, from, resumed) else { return false };
        let (_, Event::Resumed { client, partition }) = events[at] else { return false };
        go_on(events, at, client, partition, step_back)
    }),
    ("I20", "a seek is not followed", any, |events, from| {
        let sought = |event: &Event| matches!(event, Event::Sought { .. });
        let Some(at) = find(events, from, sought) else { return false };
        let (_, Event::Sought { client, partition, .. }) = events[at] else { return false };
        go_on(events, at, client, partition, step_back)
    }),
    ("I20", "a late answer overrides a seek", any, |events, from| {
        let sought = |event: &Event| matches!(event, Event::Sought { .. });
        let Some(at) = find(events, from, sought) else { return false };
        let (time, Event::Sought { client, partition, .. }) = events[at] else { return false };
        let late = Position { partition, offset: 0, epoch: -1 };
        events.insert(at + 1, (time, Event::Started { client, at: late }));
        true
    }),
    ("I20", "a rebalance ends a pause", any, |events, from| {
        with(events, from, |event| match event {
            Event::Assigned { paused, .. } if !paused.is_empty() => {
                paused.clear();
                true
            }
            _ => false,
        })
    }),
    ("I20", "a pause outlives its run", any, |events, from| {
        with(events, from, |event| match event {
            Event::Assigned { partitions, paused, .. } if !partitions.is_empty() => {
                paused.push(partitions[0]);
                true
            }
            _ => false,
        })
    }),
    ("I20", "a rebalance moves a position that is kept", any, |events, from| {
        // The first delivery of a run that began before the rebalance.
        (from..events.len()).any(|at| {
            let (_, Event::Assigned { client, partitions, .. }) = events[at].clone() else {
                return false;
            };
            let run = |(_, event): &(Time, Event)| match event {
                Event::Delivered { client: of, partition, .. }
                    if *of == client && !partitions.contains(partition) =>
                {
                    Some(*partition)
                }
                _ => None,
            };
            let before = events[..at].iter().rev().find_map(run);
            let is_kept = |partition: &i32| !is_over(&events[..at], client, *partition);
            before.filter(is_kept).is_some_and(|of| go_on(events, at, client, of, step_back))
        })
    }),
];

#[test]
fn the_checker_notices_every_kind_of_violation() {
    let worlds: Vec<World> = (0..WORLDS)
        .map(|seed| {
            let mut world = World::new(seed);
            world.run().unwrap();
            world
        })
        .collect();
    for (invariant, name, is_meant, mutate) in ROWS {
        let (mut applied, mut by_name) = (0, 0);
        for world in worlds.iter().filter(|world| is_meant(&world.weather)) {
            for part in 0..4 {
                let mut bad = world.events.clone();
                let from = bad.len() * part / 4;
                if mutate(&mut bad, from) {
                    applied += 1;
                    let violation = world.replay(&bad).expect_err(name);
                    by_name += u32::from(violation.0.starts_with(invariant));
                }
            }
        }
        assert!(applied >= 4, "{invariant}, {name}: only {applied} times");
        assert!(by_name * 2 >= applied, "{invariant}, {name}: noticed as something else");
    }
}

/// The same request right after it failed: the back-off is missing.
#[test]
fn the_checker_notices_a_missing_back_off() {
    let mut applied = 0;
    for seed in 0..WORLDS {
        let mut world = World::new(seed);
        world.run().unwrap();
        let fails = |event: &Event| {
            matches!(event, Event::Returned { request: Request::FindCoordinator, code: None, .. })
        };
        let Some(at) = find(&world.events, 0, fails) else { continue };
        let mut bad = world.events.clone();
        let (time, Event::Returned { client, request, .. }) = bad[at].clone() else { continue };
        let at_once = time + Duration::from_millis(10);
        bad.insert(at + 1, (at_once, Event::Sent { client, request }));
        let violation = world.replay(&bad).unwrap_err();
        assert!(violation.0.starts_with("I25"), "{violation}");
        applied += 1;
    }
    assert!(applied >= 4, "only {applied} times");
}

fn find(events: &Events, from: usize, is_meant: impl Fn(&Event) -> bool) -> Option<usize> {
    events.iter().skip(from).position(|(_, event)| is_meant(event)).map(|at| from + at)
}

fn with(events: &mut Events, from: usize, mut change: impl FnMut(&mut Event) -> bool) -> bool {
    events.iter_mut().skip(from).any(|(_, event)| change(event))
}

/// Changes the next delivery of the run, if nothing but pauses comes in between.
fn go_on(
    events: &mut Events,
    at: usize,
    client: usize,
    partition: i32,
    change: fn(&mut Event) -> bool,
) -> bool {
    let is_next = |event: &Event| match event {
        Event::Delivered { client: by, partition: of, .. }
        | Event::Sought { client: by, partition: of, .. } => (*by, *of) == (client, partition),
        Event::Revoked { client: by, partitions } => {
            *by == client && partitions.contains(&partition)
        }
        Event::Dropped { client: by } | Event::Dead { client: by, .. } => *by == client,
        _ => false,
    };
    let Some(next) = find(events, at + 1, is_next) else { return false };
    matches!(events[next].1, Event::Delivered { .. }) && change(&mut events[next].1)
}

/// Tells whether the last run of a process in a partition has ended.
fn is_over(events: &[(Time, Event)], client: usize, partition: i32) -> bool {
    let last = events.iter().rev().find_map(|(_, event)| match event {
        Event::Delivered { client: by, partition: of, .. } => {
            ((*by, *of) == (client, partition)).then_some(false)
        }
        Event::Revoked { client: by, partitions } => {
            (*by == client && partitions.contains(&partition)).then_some(true)
        }
        Event::Dropped { client: by } => (*by == client).then_some(true),
        _ => None,
    });
    last.unwrap_or(true)
}

fn step_back(event: &mut Event) -> bool {
    match event {
        Event::Delivered { from, .. } => change(from, -1),
        _ => false,
    }
}

fn change_epoch(at: &mut Position) -> bool {
    at.epoch += 1000;
    true
}

fn change(number: &mut i64, by: i64) -> bool {
    *number += by;
    true
}

fn is_sent(event: &Event, api: &str) -> bool {
    matches!(event, Event::Sent { request, .. } if format!("{:?}", request.api_key()) == api)
}

fn before_delivery(
    events: &mut Events,
    from: usize,
    make: impl FnOnce(usize, i32) -> Event,
) -> bool {
    let is_run = |event: &Event| matches!(event, Event::Delivered { .. });
    let Some(at) = find(events, from, is_run) else { return false };
    let (time, Event::Delivered { client, partition, .. }) = events[at] else { return false };
    events.insert(at, (time, make(client, partition)));
    true
}

/// Gives a partition that is being read to another process as well.
fn double_owner(events: &mut Events, from: usize, generation: fn(i32) -> i32) -> bool {
    let is_given = |event: &Event| match event {
        Event::Assigned { partitions, .. } => !partitions.is_empty(),
        _ => false,
    };
    let Some(at) = find(events, from, is_given) else { return false };
    let (time, Event::Assigned { generation: own, partitions, .. }) = events[at].clone() else {
        return false;
    };
    let (client, generation) = (9999, generation(own));
    events.insert(at + 1, (time, Event::Born { client, instance: None }));
    events.insert(at + 2, (time, Event::Adopted { client, generation }));
    let paused = Vec::new();
    events.insert(at + 3, (time, Event::Assigned { client, generation, partitions, paused }));
    true
}

/// Lets a process be removed long before it reads something.
fn late_reader(events: &mut Events, from: usize, fenced: bool) -> bool {
    let is_run = |event: &Event| matches!(event, Event::Delivered { .. });
    let Some(at) = find(events, from, is_run) else { return false };
    let (time, Event::Delivered { client, .. }) = events[at] else { return false };
    let limit = World::blindness() + Duration::from_secs(2);
    let Some(then) = time.checked_sub(limit) else { return false };
    let knows = |event: &Event| {
        matches!(event, Event::Seated { client: of } | Event::Frozen { client: of, .. }
            if *of == client)
    };
    let place = events.partition_point(|(at, _)| *at < then);
    let Some(born) = events
        .iter()
        .position(|(_, event)| matches!(event, Event::Born { client: of, .. } if *of == client))
    else {
        return false;
    };
    if born >= place || events[place..at].iter().any(|(_, event)| knows(event)) {
        return false;
    }
    events.insert(place, (then, Event::Removed { client, fenced }));
    true
}

fn begin_generation(events: &mut Events, from: usize, after: Time) -> bool {
    let Some(at) = (from..events.len() - 1).find(|at| events[*at].0 > after) else { return false };
    let time = events[at].0;
    events.insert(at, (time, Event::Generation { generation: 99 }));
    true
}
