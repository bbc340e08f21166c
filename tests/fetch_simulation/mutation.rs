//! Breaks the record of worlds that went well, one way at a time: the checker has to notice each.

use kfetch::ErrorKind;

use super::event::Event;
use super::world::World;

const WORLDS: u64 = 60;

/// A way to break a record; does so at or behind `from`, and tells whether it could.
type Mutation = fn(&mut Vec<Event>, usize) -> bool;

const MUTATIONS: [(&str, Mutation); 14] = [
    ("a run is lost", |events, from| {
        let Some((at, _)) = two_runs(events, from) else { return false };
        events.remove(at);
        true
    }),
    ("a run comes twice", |events, from| {
        let Some(at) = find(events, from, is_run) else { return false };
        let again = events[at].clone();
        events.insert(at + 1, again);
        true
    }),
    ("two runs change places", |events, from| {
        let Some((one, other)) = two_runs(events, from) else { return false };
        events.swap(one, other);
        true
    }),
    ("a record is another", |events, from| with_run(events, from, |_, hashes| hashes[0] ^= 1)),
    ("a run ends elsewhere", |events, from| with_run(events, from, |next, _| *next += 1)),
    ("a run is of a partition that was let go", |events, from| {
        insert_at_run(events, from, |place, _| Event::Unassigned { place })
    }),
    ("a run is of before a seek", |events, from| {
        let Some(at) = find(events, from, is_run) else { return false };
        let Event::Run { place, from: position, .. } = events[at] else { return false };
        let seek = Event::Positioned { place, offset: Some(position + 1) };
        events.insert(at, seek);
        true
    }),
    ("a position is made up", |events, from| {
        let Some(at) = find(events, from, |event| matches!(event, Event::Started { .. })) else {
            return false;
        };
        if let Event::Started { offset, .. } = &mut events[at] {
            *offset += 1_000_000;
        }
        true
    }),
    ("a position is reset for no reason", |events, from| {
        insert_at_run(events, from, |place, from| Event::Reset { place, from, to: 0 })
    }),
    ("an end is told too early", |events, from| {
        insert_at_run(events, from, |place, from| Event::Ended { place, offset: from + 1 })
    }),
    ("a partition fails out of nothing", |events, from| {
        insert_at_run(events, from, |place, offset| Event::Failed {
            place,
            offset,
            kind: ErrorKind::Broker,
            sticky: true,
        })
    }),
    ("a partition is in two Fetches", |events, from| {
        let Some(at) = find(events, from, is_request) else { return false };
        let Event::Requested { broker, parts, .. } = events[at].clone() else { return false };
        events.insert(at + 1, Event::Requested { connection: u64::MAX, broker, parts });
        true
    }),
    ("a third connection fetches", |events, from| {
        let Some(at) = find(events, from, is_request) else { return false };
        for connection in 0..3 {
            let parts = vec![(1000 + usize::try_from(connection).unwrap(), 0)];
            let connection = u64::MAX - connection;
            events.insert(at, Event::Requested { connection, broker: 77, parts });
        }
        true
    }),
    ("memory grows past its bounds", |events, from| {
        events.insert(from, Event::Memory { used: 1 << 30 });
        true
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
    for (name, mutate) in MUTATIONS {
        let mut applied = 0;
        for world in &worlds {
            let good: Vec<Event> = world.events.iter().map(|(_, event)| event.clone()).collect();
            assert_eq!(world.replay(&good), Ok(()));
            for part in 0..4 {
                let mut bad = good.clone();
                if mutate(&mut bad, good.len() * part / 4) {
                    applied += 1;
                    assert!(world.replay(&bad).is_err(), "{name}: not noticed");
                }
            }
        }
        assert!(applied >= 20, "{name}: only {applied} times");
    }
}

/// The last run of a partition is missing, and nothing after it: that is a stall.
#[test]
fn the_checker_notices_what_never_comes() {
    let mut world = World::new(2);
    world.run().unwrap();
    let mut events: Vec<Event> = world.events.iter().map(|(_, event)| event.clone()).collect();
    let last = events.iter().rposition(is_run).unwrap();
    let Event::Run { place, .. } = events[last] else { unreachable!() };
    events.retain_mut(|event| !matches!(event, Event::Ended { place: of, .. } if *of == place));
    let last = events.iter().rposition(is_run).unwrap();
    events.remove(last);
    let violation = world.replay(&events).unwrap_err();
    assert!(violation.0.contains("and ends at"), "{violation}");
}

fn find(events: &[Event], from: usize, is_meant: impl Fn(&Event) -> bool) -> Option<usize> {
    events.iter().skip(from).position(is_meant).map(|at| from + at)
}

fn is_run(event: &Event) -> bool {
    matches!(event, Event::Run { .. })
}

fn is_request(event: &Event) -> bool {
    matches!(event, Event::Requested { .. })
}

/// Finds two runs of a partition with nothing of the same partition between them.
fn two_runs(events: &[Event], from: usize) -> Option<(usize, usize)> {
    let pairs = (from..events.len()).filter_map(|at| {
        let Event::Run { place, .. } = &events[at] else { return None };
        let next = find(events, at + 1, |event| {
            matches!(event,
                Event::Run { place: of, .. } | Event::Positioned { place: of, .. }
                | Event::Unassigned { place: of } | Event::Reset { place: of, .. } if of == place)
        })?;
        is_run(&events[next]).then_some((at, next))
    });
    pairs.into_iter().next()
}

fn with_run(
    events: &mut [Event],
    from: usize,
    change: impl FnOnce(&mut i64, &mut Vec<u64>),
) -> bool {
    let Some(at) = find(events, from, is_run) else { return false };
    if let Event::Run { next, hashes, .. } = &mut events[at] {
        change(next, hashes);
    }
    true
}

fn insert_at_run(
    events: &mut Vec<Event>,
    from: usize,
    make: impl FnOnce(usize, i64) -> Event,
) -> bool {
    // A partition that a broker has refused may fail for that.
    let was_refused = |place: usize| events.contains(&Event::Refused { place });
    let is_meant = |event: &Event| match event {
        Event::Run { place, .. } => !was_refused(*place),
        _ => false,
    };
    let Some(at) = find(events, from, is_meant) else { return false };
    if let Event::Run { place, from, .. } = events[at] {
        events.insert(at, make(place, from));
    }
    true
}
