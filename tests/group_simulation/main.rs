//! Members of a group in virtual time against a model coordinator whose faults are drawn from a
//! seed. In about half of the worlds the applications are a model, in the others they drive the
//! participant that consumers have, with the built-in assignors.
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
use kfetch::backoff::Random;
use seeds::run_seeds;
use weather::Weather;
use world::World;

/// Seeds of one test run.
const SEEDS: u64 = 4400;

/// So many of them at least have applications of each kind.
const SEEDS_OF_EACH_KIND: usize = 2000;

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
fn either_kind_of_application_has_its_share_of_the_seeds() {
    let weather = |seed| Weather::draw(&mut Random::new(seed));
    let real = (0..SEEDS).filter(|seed| weather(*seed).assignors.is_some()).count();
    let model = usize::try_from(SEEDS).unwrap() - real;
    assert!(real.min(model) >= SEEDS_OF_EACH_KIND, "{real} and {model}");
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
