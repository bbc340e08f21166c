//! The fetch engine in virtual time against a model cluster whose faults are drawn from a seed.
//!
//! `KFETCH_SEED=n` runs one seed and prints what happened; `KFETCH_SEEDS=n` runs that many.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod application;
mod checker;
mod cluster;
mod event;
mod faults;
mod log;
mod mutation;
mod network;
#[path = "../support/seeds.rs"]
mod seeds;
mod serving;
mod weather;
mod world;

use event::Violation;
use seeds::run_seeds;
use world::World;

/// Seeds of one test run.
const SEEDS: u64 = 2500;

/// Seeds beyond those that have found something.
const RARE_SEEDS: [u64; 4] = [2976, 3073, 3405, 3884];

fn run(seed: u64, prints: bool) -> Result<(), Violation> {
    let mut world = World::new(seed);
    let outcome = world.run();
    if prints {
        for (at, event) in &world.events {
            println!("{:>12.6} {event:?}", at.as_secs_f64());
        }
        if outcome.is_err() {
            println!("{:#?}", world.engine);
        }
    }
    outcome?;
    world.close()
}

#[test]
fn every_seed_holds() {
    run_seeds(SEEDS, &RARE_SEEDS, run);
}

#[test]
fn a_seed_repeats_itself_exactly() {
    for seed in 0..20 {
        let [one, other] = [0, 1].map(|_| {
            let mut world = World::new(seed);
            world.run().unwrap();
            world.events
        });
        assert!(one == other, "seed {seed} went another way the second time");
    }
}

/// Every field of every answer may be anything.
#[test]
fn no_answer_breaks_the_engine() {
    for seed in 0..1000 {
        let mut world = World::new(seed);
        world.run_scrambled().unwrap_or_else(|violation| panic!("seed {seed}: {violation}"));
        world.close().unwrap_or_else(|violation| panic!("seed {seed}: {violation}"));
    }
}
