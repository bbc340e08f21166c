//! The assignors against what must hold of every division: owners, balance, stickiness, an end.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod assignor;

use std::time::{Duration, Instant};

use assignor::group::{Group, Manner, members};
use assignor::model::{Owners, extremes, fault, moves, owners};
use kfetch::coordinator::assignor::{
    Assignment, Assignor, ClusterTopics, GroupMember, Subscription, built_in, lead,
};
use kfetch::coordinator::notice::JoinedMember;
use kfetch::topic::TopicName;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::Index;

const STRATEGIES: [&str; 4] = ["range", "roundrobin", "sticky", "cooperative-sticky"];
/// Rounds in which a cooperative group comes to rest: one to give up, one to take.
const ROUNDS_TO_REST: usize = 3;

fn manner() -> impl Strategy<Value = Manner> {
    let sizes = (1..20_usize, 1..8_usize, 1..20_usize);
    (sizes, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |((members_max, topics_max, partitions_max), equal, racks, unruly)| Manner {
            members_max,
            topics_max,
            partitions_max,
            equal,
            racks,
            unruly,
        },
    )
}

/// Runs one generation, and tells it to the members.
fn generation(group: &mut Group, leader: &mut dyn Assignor) -> (Vec<GroupMember>, Owners) {
    let joined = group.joined();
    let members = members(&joined);
    let assignments = leader.assign(&group.cluster(), &members).unwrap();
    let ours = owners(&assignments);
    // What the assignor gives passes the checks that the leader makes of every assignor.
    let led = lead(built_in(leader.name()).unwrap().as_mut(), &group.cluster(), &joined).unwrap();
    assert_eq!((led.assignments.len(), led.unreadable), (joined.len(), Vec::new()));
    group.hear(&assignments);
    (members, ours)
}

/// Runs generations until all is given away and nothing moves.
fn rest(group: &mut Group, leader: &mut dyn Assignor) -> (Vec<GroupMember>, Owners) {
    for _ in 1..ROUNDS_TO_REST {
        generation(group, leader);
    }
    generation(group, leader)
}

fn have_equal_topics(members: &[GroupMember]) -> bool {
    members.windows(2).all(|pair| pair[0].subscription.topics == pair[1].subscription.topics)
}

proptest! {
    #[test]
    fn every_wanted_partition_has_one_owner(manner in manner(), seed in any::<u64>()) {
        for strategy in STRATEGIES {
            let mut group = Group::new(strategy, manner, seed);
            let mut leader = built_in(strategy).unwrap();
            for _ in 0..4 {
                let cluster = group.cluster();
                let (members, owners) = generation(&mut group, leader.as_mut());
                let complete = strategy != "cooperative-sticky";
                prop_assert_eq!(fault(&cluster, &members, &owners, complete), None, "{}", strategy);
                group.change();
            }
        }
    }

    #[test]
    fn equal_subscriptions_are_balanced_and_nothing_moves_for_nothing(
        manner in manner(),
        seed in any::<u64>(),
    ) {
        let manner = Manner { equal: true, unruly: false, ..manner };
        for strategy in STRATEGIES {
            let mut group = Group::new(strategy, manner, seed);
            let mut leader = built_in(strategy).unwrap();
            let (members, before) = rest(&mut group, leader.as_mut());
            prop_assert!(have_equal_topics(&members));
            prop_assert_eq!(fault(&group.cluster(), &members, &before, true), None);
            let (least, most) = extremes(&before);
            let spread = if strategy == "range" { group.cluster().iter().count() } else { 1 };
            prop_assert!(most - least <= spread, "{}: {}..{}", strategy, least, most);
            let (_, after) = rest(&mut group, leader.as_mut());
            prop_assert_eq!(moves(&before, &after), 0, "{}", strategy);
        }
    }

    #[test]
    fn one_member_more_or_less_moves_as_little_as_can_be(
        manner in manner(),
        seed in any::<u64>(),
        joins in any::<bool>(),
    ) {
        let manner = Manner { equal: true, racks: false, unruly: false, ..manner };
        for strategy in ["sticky", "cooperative-sticky"] {
            let mut group = Group::new(strategy, manner, seed);
            let mut leader = built_in(strategy).unwrap();
            let (members, before) = rest(&mut group, leader.as_mut());
            if joins { group.join() } else { group.leave() }
            let (now, after) = rest(&mut group, leader.as_mut());
            prop_assert_eq!(fault(&group.cluster(), &now, &after, true), None);
            // What the newcomer gets; or nothing but what the one that is gone has left.
            let gone: usize = before.iter().filter(|(id, _)| !after.contains_key(*id))
                .map(|(_, partitions)| partitions.len()).sum();
            let new: usize = after.iter().filter(|(id, _)| !before.contains_key(*id))
                .map(|(_, partitions)| partitions.len()).sum();
            prop_assert!(joins || now.len() <= members.len());
            prop_assert_eq!(moves(&before, &after), gone + new, "{}", strategy);
        }
    }

    #[test]
    fn unequal_subscriptions_are_balanced_as_far_as_they_allow(seed in any::<u64>()) {
        let manner = Manner {
            members_max: 9,
            topics_max: 6,
            partitions_max: 9,
            equal: false,
            racks: false,
            unruly: false,
        };
        let mut group = Group::new("sticky", manner, seed);
        let mut leader = built_in("sticky").unwrap();
        let (members, owners) = rest(&mut group, leader.as_mut());
        for member in &members {
            let size = owners[&member.member_id].len();
            for (other, partitions) in &owners {
                let could_have = partitions.iter().any(|(topic, _)| {
                    member.subscription.topics.iter().any(|wanted| wanted.as_str() == topic)
                });
                prop_assert!(
                    !could_have || partitions.len() <= size + 1,
                    "{} has {}, {} has {}", member.member_id, size, other, partitions.len()
                );
            }
        }
        let (_, after) = rest(&mut group, leader.as_mut());
        prop_assert_eq!(moves(&owners, &after), 0);
    }

    #[test]
    fn malformed_bytes_break_no_group(
        seed in any::<u64>(),
        damage in vec((any::<Index>(), any::<Index>(), any::<u8>()), 1..8),
        cut in of(any::<Index>()),
    ) {
        let manner = Manner {
            members_max: 6,
            topics_max: 4,
            partitions_max: 8,
            equal: false,
            racks: true,
            unruly: true,
        };
        for strategy in STRATEGIES {
            let mut group = Group::new(strategy, manner, seed);
            let mut leader = built_in(strategy).unwrap();
            generation(&mut group, leader.as_mut());
            let mut joined = group.joined();
            for (member, at, byte) in &damage {
                let count = joined.len();
                let metadata = &mut joined[member.index(count)].metadata;
                if !metadata.is_empty() {
                    let len = metadata.len();
                    metadata[at.index(len)] ^= byte;
                    cut.inspect(|cut| metadata.truncate(cut.index(len + 1)));
                }
            }
            let led = lead(leader.as_mut(), &group.cluster(), &joined).unwrap();
            let ids: Vec<_> = led.assignments.iter().map(|(id, _)| id).collect();
            prop_assert_eq!(ids, joined.iter().map(|member| &member.member_id).collect::<Vec<_>>());
            for unreadable in &led.unreadable {
                let member = joined.iter().find(|m| m.member_id == unreadable.member_id).unwrap();
                prop_assert!(Subscription::decode(&member.metadata).is_err());
            }
        }
    }
}

/// A large group: `topics` of 10,000 partitions in all, and whom each of 1,000 members wants.
fn large(topics: usize, wants: impl Fn(usize, usize) -> bool) -> (ClusterTopics, Vec<GroupMember>) {
    let names: Vec<TopicName> =
        (0..topics).map(|topic| TopicName::new(&format!("topic-{topic:05}"))).collect();
    let mut cluster = ClusterTopics::new();
    for name in &names {
        let racks = (0..10_000 / topics).map(|p| vec![format!("rack-{}", p % 5).into()]);
        cluster.insert_with_racks(name.clone(), racks.collect());
    }
    let members = (0..1_000).map(|member| {
        let wanted = (0..topics).filter(|topic| wants(member, *topic));
        GroupMember {
            member_id: format!("member-{:08x}", member * 2_654_435_761_usize % 4_294_967_296),
            group_instance_id: None,
            subscription: Subscription {
                topics: wanted.map(|topic| names[topic].clone()).collect(),
                ..Subscription::default()
            },
        }
    });
    (cluster, members.collect())
}

/// Runs the assignor, and tells the members what they have got.
fn timed(strategy: &str, cluster: &ClusterTopics, members: &mut [GroupMember]) -> Duration {
    let mut leader = built_in(strategy).unwrap();
    let begin = now();
    let assignments = leader.assign(cluster, members).unwrap();
    let elapsed = begin.elapsed();
    let complete = strategy != "cooperative-sticky";
    assert_eq!(fault(cluster, members, &owners(&assignments), complete), None);
    let mut by_id: std::collections::HashMap<_, _> =
        assignments.into_iter().map(|found| (found.member_id, found.assignment)).collect();
    for member in members {
        let assignment = by_id.remove(&member.member_id).unwrap();
        let mut own = built_in(strategy).unwrap();
        own.handle_assignment(&assignment, 1);
        member.subscription.user_data = own.user_data(&member.subscription.topics);
        member.subscription.generation = Some(1);
        member.subscription.owned_partitions = assignment.partitions;
    }
    elapsed
}

#[allow(clippy::disallowed_methods, reason = "this test is about time")]
fn now() -> Instant {
    Instant::now()
}

#[test]
fn a_thousand_members_get_ten_thousand_partitions_within_a_second() {
    let limit = Duration::from_secs(1);
    for (shape, topics, some) in [
        ("1 topic", 1, false),
        ("100 topics", 100, false),
        ("1,000 topics", 1_000, false),
        ("half of 100 topics", 100, true),
        ("few of 1,000 topics", 1_000, true),
        ("nested 100 topics", 100, true),
    ] {
        let wants = |member: usize, topic: usize| {
            let mixed = (member * 31 + topic * 17) % 97;
            if shape.starts_with("nested") {
                return topic <= member % 100;
            }
            !some || if topics == 100 { mixed < 48 } else { mixed < 5 }
        };
        for racks in [false, true] {
            for strategy in STRATEGIES {
                let (cluster, mut members) = large(topics, wants);
                for (at, member) in members.iter_mut().enumerate().filter(|_| racks) {
                    member.subscription.rack_id = Some(format!("rack-{}", at % 5));
                }
                let first = timed(strategy, &cluster, &mut members);
                // One in ten is gone, and as many new ones have come.
                for (at, member) in members.iter_mut().enumerate().filter(|(at, _)| at % 10 == 3) {
                    let Subscription { topics, rack_id, .. } = member.subscription.clone();
                    member.subscription =
                        Subscription { topics, rack_id, ..Subscription::default() };
                    member.member_id = format!("new-{at}");
                }
                let second = timed(strategy, &cluster, &mut members);
                println!("{strategy}, {shape}, racks {racks}: {first:?}, then {second:?}");
                assert!(
                    first < limit && second < limit,
                    "{strategy}, {shape}: {first:?} {second:?}"
                );
            }
        }
    }
}

#[test]
fn one_that_has_everything_gives_it_away_within_a_second() {
    let wants = |member: usize, topic: usize| member == 0 || (member + topic).is_multiple_of(7);
    for strategy in ["sticky", "cooperative-sticky"] {
        let (cluster, mut members) = large(100, wants);
        let all = cluster.iter().flat_map(|(topic, count)| (0..count).map(|p| (topic.clone(), p)));
        let assignment = Assignment { partitions: all.collect(), user_data: None };
        let mut first = built_in(strategy).unwrap();
        first.handle_assignment(&assignment, 1);
        members[0].subscription.user_data = first.user_data(&[]);
        members[0].subscription.owned_partitions = assignment.partitions;
        members[0].subscription.generation = Some(1);
        let elapsed = timed(strategy, &cluster, &mut members);
        println!("{strategy}, all of one: {elapsed:?}");
        assert!(elapsed < Duration::from_secs(1), "{strategy}: {elapsed:?}");
        assert_eq!(members[0].subscription.owned_partitions.len(), 10, "{strategy}");
    }
}

#[test]
fn an_empty_group_and_an_empty_cluster_are_no_trouble() {
    for strategy in STRATEGIES {
        let mut leader = built_in(strategy).unwrap();
        assert_eq!(leader.assign(&ClusterTopics::new(), &[]), Ok(Vec::new()));
        let (_, members) = large(1, |_, _| true);
        let assignments = leader.assign(&ClusterTopics::new(), &members).unwrap();
        assert_eq!(extremes(&owners(&assignments)), (0, 0));
        let nobody = JoinedMember {
            member_id: "m".to_owned(),
            group_instance_id: None,
            metadata: Vec::new(),
        };
        let led = lead(leader.as_mut(), &ClusterTopics::new(), &[nobody]).unwrap();
        assert_eq!((led.assignments.len(), led.unreadable.len()), (1, 1));
    }
}
