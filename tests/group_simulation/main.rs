//! Members of a group in virtual time against a model coordinator whose faults are drawn from a
//! seed.
//!
//! `KFETCH_SEED=n` runs one seed and prints what happened; `KFETCH_SEEDS=n` runs that many.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod application;
mod checker;
mod coordinator;
mod event;
mod mutation;
mod network;
mod serving;
mod weather;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use event::Violation;
use world::World;

/// Seeds of one test run.
const SEEDS: u64 = 4000;

fn number_in_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

fn run(seed: u64, prints: bool) -> Result<(), Violation> {
    let mut world = World::new(seed);
    let outcome = world.run();
    if prints {
        println!("{:?}", world.weather);
        for (at, event) in &world.events {
            println!("{:>12.6} {event:?}", at.as_secs_f64());
        }
        if outcome.is_err() {
            for client in &world.clients {
                println!("{client:#?}");
            }
        }
    }
    outcome
}

#[test]
fn every_seed_holds() {
    if let Some(seed) = number_in_environment("KFETCH_SEED") {
        run(seed, true).unwrap_or_else(|violation| panic!("seed {seed}: {violation}"));
        return;
    }
    let seeds = number_in_environment("KFETCH_SEEDS").unwrap_or(SEEDS);
    let next = AtomicU64::new(0);
    let failed = thread::scope(|scope| {
        let worker = || {
            let mut failed = Vec::new();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= seeds {
                    return failed;
                }
                if let Err(violation) = run(seed, false) {
                    failed.push(format!("seed {seed}: {violation}"));
                }
            }
        };
        let workers = [scope.spawn(worker), scope.spawn(worker)];
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
    });
    let shown = failed.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
    assert!(failed.is_empty(), "{} of {seeds} seeds failed:\n{shown}", failed.len());
}

#[test]
fn a_seed_repeats_itself_exactly() {
    for seed in 0..10 {
        let [one, other] = [0, 1].map(|_| {
            let mut world = World::new(seed);
            world.run().unwrap();
            world.events
        });
        assert!(one == other, "seed {seed} went another way the second time");
    }
}
