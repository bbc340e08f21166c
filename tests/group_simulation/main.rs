//! Members of a group in virtual time against a model coordinator whose faults are drawn from a
//! seed.
//!
//! `KFETCH_SEED=n` runs one seed and prints what happened; `KFETCH_SEEDS=n` runs that many.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod application;
mod checker;
mod coordinator;
mod event;
mod model;
mod mutation;
mod network;
mod participation;
mod reader;
mod reading;
mod record_log;
#[path = "../support/seeds.rs"]
mod seeds;
mod serving;
mod weather;
mod world;

use event::Violation;
use seeds::run_seeds;
use world::World;

/// Seeds of one test run.
const SEEDS: u64 = 4000;

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
    run_seeds(SEEDS, &[], run);
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
