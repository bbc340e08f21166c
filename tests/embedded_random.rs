//! The embedded coordinator under members that do anything at any time, from a printed seed.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod embedded;
mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use embedded::{Bench, Join, Joined};
use kfetch::backoff::Random;
use kfetch::protocol::ErrorCode;

const SEEDS: u64 = 400;
const STEPS: usize = 250;
const CLIENTS: usize = 5;
const INSTANCES: [Option<&str>; CLIENTS] = [None, None, None, Some("a"), Some("b")];
const PROTOCOLS: [&[(&str, &[u8])]; 3] =
    [&[("range", b"1")], &[("range", b"2"), ("x", b"3")], &[("x", b"4"), ("range", b"5")]];

/// What a client waits for.
#[derive(Clone, Copy, Debug)]
enum Waiting {
    Join(u64),
    Sync(u64),
}

#[derive(Debug, Default)]
struct Client {
    member_id: String,
    joined: Option<Joined>,
    waiting: Vec<Waiting>,
}

struct World {
    bench: Bench,
    random: Random,
    clients: Vec<Client>,
    /// What the leader of a generation has assigned.
    assigned: BTreeMap<i32, Vec<String>>,
    highest: i32,
}

impl World {
    fn new(seed: u64) -> Self {
        let clients = (0..CLIENTS).map(|_| Client::default()).collect();
        let (bench, random) = (Bench::new(), Random::new(seed));
        Self { bench, random, clients, assigned: BTreeMap::new(), highest: 0 }
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.random.below(u64::try_from(bound).unwrap())).unwrap()
    }

    fn step(&mut self) {
        let index = self.below(CLIENTS);
        match self.below(12) {
            0..=3 => self.join(index),
            4..=6 => self.sync(index),
            7 => self.beat_and_commit(index),
            8 if self.below(4) == 0 => self.leave(index),
            // It is restarted and has forgotten everything, but for what it was asked to join with.
            9 if self.below(4) == 0 => self.clients[index] = Client::default(),
            10 => self.bench.pass_ms(7_000),
            _ => self.bench.pass_ms(60),
        }
        self.collect();
    }

    fn join(&mut self, index: usize) {
        let protocols = PROTOCOLS[self.below(PROTOCOLS.len())];
        let member_id = self.clients[index].member_id.clone();
        let instance = INSTANCES[index];
        let join = Join { member_id: &member_id, instance, protocols, ..Join::default() };
        let id = self.bench.join(&join);
        self.clients[index].waiting.push(Waiting::Join(id));
    }

    fn sync(&mut self, index: usize) {
        let Some(joined) = self.clients[index].joined.clone() else { return };
        let members: Vec<&str> = joined.members.iter().map(|(id, _)| id.as_str()).collect();
        let (member_id, generation) = (&joined.member_id, joined.generation);
        let id = self.bench.sync_as(member_id, generation, INSTANCES[index], &members);
        if joined.leads() && joined.protocol == "range" && !joined.skips {
            let members = members.into_iter().map(str::to_owned).collect();
            self.assigned.entry(generation).or_insert(members);
        }
        self.clients[index].waiting.push(Waiting::Sync(id));
    }

    fn beat_and_commit(&mut self, index: usize) {
        let Some(joined) = self.clients[index].joined.clone() else { return };
        let (member_id, generation) = (&joined.member_id, joined.generation);
        let beat = self.bench.beat_as(member_id, generation, INSTANCES[index]);
        let offset = ("t", 0, 1, "");
        let commit = self.bench.commit_with(member_id, generation, INSTANCES[index], offset);
        match beat {
            ErrorCode::NONE => {
                let is_fine = [ErrorCode::NONE, ErrorCode::REBALANCE_IN_PROGRESS].contains(&commit);
                assert!(is_fine && generation == self.highest, "{commit:?}");
            }
            // The group is being rebalanced: what was done so far can be committed.
            ErrorCode::REBALANCE_IN_PROGRESS => assert_eq!(commit, ErrorCode::NONE),
            other => assert_eq!(commit, other, "both say who is no member"),
        }
    }

    fn leave(&mut self, index: usize) {
        let member_id = self.clients[index].member_id.clone();
        if !member_id.is_empty() {
            self.bench.leave(&[(&member_id, INSTANCES[index])]);
        }
    }

    fn collect(&mut self) {
        for index in 0..CLIENTS {
            let waiting = std::mem::take(&mut self.clients[index].waiting);
            for waiting in waiting {
                match waiting {
                    Waiting::Join(id) => match self.bench.joined(id) {
                        Some(joined) => self.take_joined(index, joined),
                        None => self.clients[index].waiting.push(waiting),
                    },
                    Waiting::Sync(id) => match self.bench.synced(id) {
                        Some(synced) => self.take_synced(index, &synced),
                        None => self.clients[index].waiting.push(waiting),
                    },
                }
            }
        }
    }

    fn take_joined(&mut self, index: usize, joined: Joined) {
        let client = &mut self.clients[index];
        match joined.error {
            ErrorCode::NONE => {
                assert!(joined.generation >= self.highest, "generations do not go back");
                self.highest = joined.generation;
                let ids: Vec<&str> = joined.members.iter().map(|(id, _)| id.as_str()).collect();
                assert_eq!(ids.is_empty(), !joined.leads());
                assert!(!joined.leads() || ids.contains(&joined.member_id.as_str()));
                client.member_id.clone_from(&joined.member_id);
                client.joined = Some(joined);
            }
            ErrorCode::MEMBER_ID_REQUIRED => client.member_id = joined.member_id,
            ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::FENCED_INSTANCE_ID => {
                *client =
                    Client { waiting: std::mem::take(&mut client.waiting), ..Client::default() };
            }
            ErrorCode::REBALANCE_IN_PROGRESS | ErrorCode::INCONSISTENT_GROUP_PROTOCOL => {}
            other => panic!("{other:?}"),
        }
    }

    fn take_synced(&mut self, index: usize, (error, assignment): &(ErrorCode, Vec<u8>)) {
        if *error != ErrorCode::NONE {
            assert!(assignment.is_empty());
            return;
        }
        let Some(joined) = &self.clients[index].joined else { return };
        let is_dynamic = INSTANCES[index].is_none();
        let own = joined.member_id.as_bytes();
        // A static member may have the assignment of the one before it.
        assert!(!is_dynamic || assignment.is_empty() || assignment == own);
    }
}

#[test]
fn every_request_is_answered_once_and_generations_go_on() {
    let mut generations = 0;
    for seed in 0..SEEDS {
        let outcome = std::panic::catch_unwind(|| {
            let mut world = World::new(seed);
            for _ in 0..STEPS {
                world.step();
            }
            // Without another word every wait comes to an end.
            world.bench.pass(Duration::from_secs(1000));
            world.collect();
            let waiting: Vec<&Waiting> =
                world.clients.iter().flat_map(|client| &client.waiting).collect();
            assert!(waiting.is_empty(), "{waiting:?}");
            world.highest
        });
        generations += outcome.unwrap_or_else(|_| panic!("seed {seed}"));
    }
    assert!(generations > 2_000, "{generations} generations in all");
}
