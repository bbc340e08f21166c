//! The assignors against Java's own classes, on random groups that live through some generations.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod assignor;
mod support;

use assignor::group::{Group, Manner, members};
use assignor::model::{Owners, fault, owners};
use assignor::random::Random;
use kfetch::coordinator::assignor::{Assignment, ClusterTopics, GroupMember, built_in};
use kfetch::coordinator::notice::JoinedMember;
use kfetch::topic::TopicName;
use support::helper::{Row, bytes, helper, hex};

const GROUPS: u64 = 400;
const ROUNDS: usize = 5;

/// One generation: what went in, and what came out here.
struct Round {
    cluster: ClusterTopics,
    joined: Vec<JoinedMember>,
    group: Vec<GroupMember>,
    ours: Owners,
}

/// How many divisions were compared.
#[derive(Debug, Default)]
struct Tally {
    same: usize,
    /// Where Java gives what it must not, or fails, or takes a member that has subscribed to
    /// nothing for one that has subscribed to what the others have.
    java_wrong: usize,
}

fn manner(seed: u64) -> Manner {
    let mut random = Random::new(!seed);
    let (members_max, topics_max, partitions_max) = match random.below(10) {
        0 => (80, 12, 60),
        1 | 2 => (5, 4, 150),
        _ => (10, 6, 12),
    };
    Manner {
        members_max,
        topics_max,
        partitions_max,
        equal: random.chance(40),
        racks: random.chance(40),
        unruly: random.chance(50),
    }
}

fn rounds(strategy: &'static str, seed: u64) -> Vec<Round> {
    let mut group = Group::new(strategy, manner(seed), seed);
    let mut leader = built_in(strategy).unwrap();
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let (cluster, joined) = (group.cluster(), group.joined());
        let members = members(&joined);
        let assignments = leader.assign(&cluster, &members).unwrap();
        group.hear(&assignments);
        group.change();
        let ours = owners(&assignments);
        rounds.push(Round { cluster, joined, group: members, ours });
    }
    rounds
}

fn rows(rounds: &[Round]) -> Vec<Row> {
    let mut rows = Vec::new();
    for round in rounds {
        for (topic, count) in round.cluster.iter() {
            let racks = |partition| round.cluster.racks(topic.as_str(), partition).join(",");
            let head = ["topic".to_owned(), topic.to_string()];
            rows.push(head.into_iter().chain((0..count).map(racks)).collect());
        }
        for member in &round.joined {
            let instance = member.group_instance_id.clone().unwrap_or_else(|| "-".to_owned());
            let metadata = hex(Some(&member.metadata));
            rows.push(vec!["member".to_owned(), member.member_id.clone(), instance, metadata]);
        }
        rows.push(vec!["end".to_owned()]);
    }
    rows
}

/// What Java made of each round, or why it made nothing.
fn java(strategy: &str, rounds: &[Round]) -> Vec<Result<Owners, String>> {
    let mut answers = vec![Ok(Owners::new())];
    for row in helper().expect("assign", &[strategy], &rows(rounds)) {
        let last = answers.last_mut().unwrap();
        match (row[0].as_str(), last) {
            ("member", Ok(members)) => {
                let assignment = Assignment::decode(&bytes(&row[2]).unwrap()).unwrap();
                let partitions = assignment.partitions.into_iter();
                let named = partitions.map(|(topic, partition)| (topic.to_string(), partition));
                members.insert(row[1].clone(), named.collect());
            }
            ("failed", last) => *last = Err(row[1].clone()),
            _ => answers.push(Ok(Owners::new())),
        }
    }
    answers.pop();
    answers
}

/// Orders as the assignment's bytes do, which name each topic once.
fn as_in_bytes(owners: &Owners) -> Owners {
    let members = owners.iter().map(|(member, partitions)| {
        let partitions = partitions.iter().map(|(topic, p)| (TopicName::new(topic), *p)).collect();
        let assignment = Assignment { partitions, user_data: None };
        let read = Assignment::decode(&assignment.encode().unwrap()).unwrap();
        let named = read.partitions.into_iter().map(|(topic, p)| (topic.to_string(), p));
        (member.clone(), named.collect())
    });
    members.collect()
}

fn sorted(mut owners: Owners) -> Owners {
    owners.values_mut().for_each(|partitions| partitions.sort());
    owners
}

fn some_want_nothing(group: &[GroupMember]) -> bool {
    let wants_nothing = |member: &GroupMember| member.subscription.topics.is_empty();
    group.iter().any(wants_nothing) && !group.iter().all(wants_nothing)
}

fn compare(strategy: &'static str) {
    let mut tally = Tally::default();
    for seed in 0..GROUPS {
        let rounds = rounds(strategy, seed);
        let theirs = java(strategy, &rounds);
        assert_eq!(theirs.len(), rounds.len());
        for (number, (round, theirs)) in rounds.iter().zip(theirs).enumerate() {
            let place = format!("{strategy}, seed {seed}, round {number}, {:?}", manner(seed));
            let Round { cluster, group, ours, .. } = round;
            let complete = strategy != "cooperative-sticky";
            assert_eq!(fault(cluster, group, ours, complete), None, "{place}");
            let Some(theirs) = theirs.ok().filter(|t| fault(cluster, group, t, complete).is_none())
            else {
                tally.java_wrong += 1;
                continue;
            };
            let (ours, theirs) = match strategy {
                "range" => (sorted(ours.clone()), sorted(theirs)),
                _ => (as_in_bytes(ours), theirs),
            };
            if ours != theirs && strategy.ends_with("sticky") && some_want_nothing(group) {
                tally.java_wrong += 1;
                continue;
            }
            assert_eq!(ours, theirs, "{place}");
            tally.same += 1;
        }
    }
    println!("{strategy}: {tally:?}");
    assert!(tally.java_wrong * 20 <= tally.same, "{strategy}: {tally:?}");
}

#[test]
fn range_gives_what_java_gives() {
    compare("range");
}

#[test]
fn roundrobin_gives_what_java_gives() {
    compare("roundrobin");
}

#[test]
fn sticky_gives_what_java_gives() {
    compare("sticky");
}

#[test]
fn cooperative_sticky_gives_what_java_gives() {
    compare("cooperative-sticky");
}

#[test]
fn user_data_is_what_java_writes() {
    let topics = ["b", "orders", "a", "q", "clicks", "t17", "t4"];
    for strategy in ["range", "roundrobin", "sticky", "cooperative-sticky"] {
        for count in 0..topics.len() {
            let partitions = topics
                .iter()
                .take(count)
                .flat_map(|topic| [(TopicName::new(topic), 7), (TopicName::new(topic), 0)]);
            let partitions: Vec<(TopicName, i32)> = partitions.collect();
            let mut assignor = built_in(strategy).unwrap();
            if count > 0 {
                let assignment = Assignment { partitions: partitions.clone(), user_data: None };
                assignor.handle_assignment(&assignment, 41);
            }
            let ours = assignor.user_data(&[TopicName::new("topic")]);
            let rows: Vec<Row> =
                partitions.iter().map(|(t, p)| vec![t.to_string(), p.to_string()]).collect();
            let theirs = helper().expect("assignor_user_data", &[strategy, "41"], &rows);
            assert_eq!(hex(ours.as_deref()), theirs[0][0], "{strategy}, {count} topics");
        }
    }
}
