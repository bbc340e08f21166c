//! The rules of the embedded coordinator for joining, leaving and rebalancing, in virtual time.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod embedded;
mod support;

use std::time::Duration;

use embedded::{Bench, Join, Joined};
use kfetch::embedded::{CoordinatorSettings, Offsets};
use kfetch::protocol::ErrorCode;

fn id_of(joined: &Joined) -> &str {
    &joined.member_id
}

#[test]
fn the_first_to_join_leads_and_sees_all_and_each_gets_its_own() {
    let mut bench = Bench::new();
    let joined = bench.stable(3);
    assert!(joined.iter().all(|member| member.generation == 1 && member.protocol == "range"));
    assert_eq!(joined.iter().filter(|member| member.leads()).count(), 1);
    assert!(joined[0].leads(), "the first leads");
    let mut seen: Vec<&str> = joined[0].members.iter().map(|(id, _)| id.as_str()).collect();
    let mut ids: Vec<&str> = joined.iter().map(id_of).collect();
    seen.sort_unstable();
    ids.sort_unstable();
    assert_eq!(seen, ids);
    assert!(joined[1..].iter().all(|member| member.members.is_empty()));
    assert!(joined.iter().all(|member| member.member_id.starts_with("client-")));
    for member in &joined {
        assert_eq!(bench.beat(id_of(member), 1), ErrorCode::NONE);
    }
}

#[test]
fn what_cannot_join_is_told_why() {
    let fine = Join::default();
    let cases: [(&str, Join<'_>, ErrorCode); 8] = [
        ("short session", Join { session_ms: 5999, ..fine.clone() }, ErrorCode(26)),
        ("long session", Join { session_ms: 1_800_001, ..fine.clone() }, ErrorCode(26)),
        ("negative session", Join { session_ms: -1, ..fine.clone() }, ErrorCode(26)),
        ("no kind", Join { kind: "", ..fine.clone() }, ErrorCode(23)),
        ("another kind", Join { kind: "connect", ..fine.clone() }, ErrorCode(23)),
        ("no protocol", Join { protocols: &[], ..fine.clone() }, ErrorCode(23)),
        ("no common protocol", Join { protocols: &[("x", b"")], ..fine.clone() }, ErrorCode(23)),
        ("unknown id", Join { member_id: "nobody", ..fine.clone() }, ErrorCode(25)),
    ];
    let mut bench = Bench::new();
    bench.stable(1);
    for (name, join, error) in cases {
        let id = bench.join(&join);
        assert_eq!(bench.joined(id).expect("an answer at once").error, error, "{name}");
    }
    let mut bench = Bench::new();
    let id = bench.join(&Join { member_id: "nobody", ..fine });
    assert_eq!(bench.joined(id).unwrap().error, ErrorCode::UNKNOWN_MEMBER_ID, "no group");
}

#[test]
fn a_full_group_takes_no_more_members() {
    let settings = CoordinatorSettings { group_members_max: 2, ..Default::default() };
    let mut bench = Bench::with(settings, Offsets::default());
    let joined = bench.stable(2);
    let id = bench.join(&Join::default());
    assert_eq!(bench.joined(id).unwrap().error, ErrorCode::GROUP_MAX_SIZE_REACHED);
    assert_eq!(bench.leave(&[(id_of(&joined[0]), None)]), [ErrorCode::NONE]);
    bench.member_id(&Join::default());
}

#[test]
fn members_before_version_4_join_without_an_id() {
    let mut bench = Bench::new();
    let id = bench.join(&Join { version: 3, ..Join::default() });
    bench.pass_ms(99);
    assert_eq!(bench.joined_as(id, 3), None);
    bench.pass_ms(2);
    let joined = bench.joined_as(id, 3).unwrap();
    assert_eq!((joined.error, joined.generation), (ErrorCode::NONE, 1));
}

#[test]
fn the_first_rebalance_waits_on_while_members_come_up_to_the_rebalance_timeout() {
    let mut bench = Bench::new();
    let join = Join { version: 3, rebalance_ms: 350, ..Join::default() };
    let mut joins = vec![bench.join(&join)];
    for _ in 0..3 {
        bench.pass_ms(90);
        joins.push(bench.join(&join));
        assert_eq!(bench.joined_as(joins[0], 3), None, "somebody came in this delay");
    }
    // 270 ms have passed; the wait ends at 350 although somebody came again.
    bench.pass_ms(75);
    joins.push(bench.join(&join));
    bench.pass_ms(6);
    for id in joins {
        assert_eq!(bench.joined_as(id, 3).expect("the wait is over").generation, 1);
    }
}

#[test]
fn a_new_member_makes_the_others_join_again() {
    let mut bench = Bench::new();
    let joined = bench.stable(2);
    let new_id = bench.member_id(&Join::default());
    let join = bench.join(&Join { member_id: &new_id, ..Join::default() });
    assert_eq!(bench.joined(join), None);
    let mut joins = vec![];
    for member in &joined {
        assert_eq!(bench.beat(id_of(member), 1), ErrorCode::REBALANCE_IN_PROGRESS);
        assert_eq!(bench.commit(id_of(member), 1, 5), ErrorCode::NONE, "what it has done so far");
        joins.push(bench.join(&Join { member_id: id_of(member), ..Join::default() }));
    }
    let again: Vec<Joined> =
        joins.into_iter().chain([join]).map(|id| bench.joined(id).unwrap()).collect();
    assert!(again.iter().all(|member| member.generation == 2));
    assert!(again[0].leads(), "the leader stays");
    assert_eq!(again[0].members.len(), 3);
    assert_eq!(bench.commit(id_of(&joined[0]), 1, 6), ErrorCode::ILLEGAL_GENERATION);
    assert_eq!(bench.commit(id_of(&joined[0]), 2, 6), ErrorCode::REBALANCE_IN_PROGRESS);
    bench.assign_all(&again);
    assert_eq!(bench.commit(id_of(&joined[0]), 2, 6), ErrorCode::NONE);
}

#[test]
fn who_does_not_join_in_time_is_left_behind() {
    let mut bench = Bench::new();
    let joined = bench.stable(2);
    let id = id_of(&joined[1]).to_owned();
    let changed: &[(&str, &[u8])] = &[("range", b"other")];
    let join = bench.join(&Join { member_id: &id, protocols: changed, ..Join::default() });
    for _ in 0..6 {
        bench.pass_ms(9_000);
        // The leader lives and goes on with its heartbeats, that is all.
        assert_eq!(bench.beat(id_of(&joined[0]), 1), ErrorCode::REBALANCE_IN_PROGRESS);
    }
    assert_eq!(bench.joined(join), None);
    bench.pass_ms(7_000);
    let again = bench.joined(join).expect("the rebalance timeout is the longest of the members'");
    assert!(again.leads() && again.generation == 2);
    assert_eq!(again.members, [(id, b"other".to_vec())]);
    assert_eq!(bench.beat(id_of(&joined[0]), 1), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn a_member_that_joins_again_without_a_change_gets_the_generation_there_is() {
    let mut bench = Bench::new();
    let joined = bench.join_all(2);
    // The answers were lost: each asks again before anybody syncs.
    for member in &joined {
        let id = bench.join(&Join { member_id: id_of(member), ..Join::default() });
        assert_eq!(bench.joined(id).as_ref(), Some(member));
    }
    bench.assign_all(&joined);
    let id = bench.join(&Join { member_id: id_of(&joined[1]), ..Join::default() });
    assert_eq!(bench.joined(id).as_ref(), Some(&joined[1]));
    assert_eq!(bench.beat(id_of(&joined[0]), 1), ErrorCode::NONE, "nothing is rebalanced");
    // The leader asks for a rebalance by joining.
    let id = bench.join(&Join { member_id: id_of(&joined[0]), ..Join::default() });
    assert_eq!(bench.joined(id), None);
    assert_eq!(bench.beat(id_of(&joined[1]), 1), ErrorCode::REBALANCE_IN_PROGRESS);
}

#[test]
fn the_protocol_is_chosen_by_votes_among_what_all_support() {
    let mut bench = Bench::new();
    let sets: [&[(&str, &[u8])]; 3] = [
        &[("a", b"1"), ("b", b"2"), ("c", b"3")],
        &[("b", b"4"), ("a", b"5")],
        &[("b", b"6"), ("x", b""), ("a", b"7")],
    ];
    let joins: Vec<u64> = sets
        .iter()
        .map(|protocols| bench.join(&Join { version: 3, protocols, ..Join::default() }))
        .collect();
    bench.pass_ms(300);
    let joined: Vec<Joined> = joins.into_iter().map(|id| bench.joined_as(id, 3).unwrap()).collect();
    assert!(joined.iter().all(|member| member.protocol == "b"));
    let mut metadata: Vec<&[u8]> =
        joined[0].members.iter().map(|(_, metadata)| metadata.as_slice()).collect();
    metadata.sort_unstable();
    assert_eq!(metadata, [b"2", b"4", b"6"]);
}

#[test]
fn sync_group_is_held_to_the_generation_and_the_protocol() {
    let mut bench = Bench::new();
    let joined = bench.join_all(2);
    let (leader, other) = (id_of(&joined[0]).to_owned(), id_of(&joined[1]).to_owned());
    let early = bench.sync(&other, 1, &[]);
    assert_eq!(bench.synced(early), None, "it waits for the leader");
    for (member, generation, error) in [
        ("nobody", 1, ErrorCode::UNKNOWN_MEMBER_ID),
        (leader.as_str(), 0, ErrorCode::ILLEGAL_GENERATION),
        (leader.as_str(), 2, ErrorCode::ILLEGAL_GENERATION),
    ] {
        let id = bench.sync(member, generation, &[]);
        assert_eq!(bench.synced(id).unwrap().0, error);
    }
    let id = bench.sync(&leader, 1, &[&leader]);
    assert_eq!(bench.synced(id).unwrap(), (ErrorCode::NONE, leader.clone().into_bytes()));
    assert_eq!(bench.synced(early).unwrap(), (ErrorCode::NONE, vec![]), "left out: nothing");
    let late = bench.sync(&leader, 1, &[]);
    assert_eq!(bench.synced(late).unwrap().1, leader.into_bytes(), "asked again");
}

#[test]
fn a_rebalance_ends_the_wait_for_the_leaders_assignment() {
    let mut bench = Bench::new();
    let joined = bench.join_all(2);
    let sync = bench.sync(id_of(&joined[1]), 1, &[]);
    assert_eq!(bench.leave(&[(id_of(&joined[0]), None)]), [ErrorCode::NONE]);
    assert_eq!(bench.synced(sync), Some((ErrorCode::REBALANCE_IN_PROGRESS, vec![])));
    let id = bench.join(&Join { member_id: id_of(&joined[1]), ..Join::default() });
    let again = bench.joined(id).expect("it is alone");
    assert!(again.leads() && again.generation == 2);
}

#[test]
fn a_leader_that_dies_before_its_assignment_is_replaced() {
    let mut bench = Bench::new();
    let joined = bench.join_all(2);
    let sync = bench.sync(id_of(&joined[1]), 1, &[]);
    bench.pass_ms(9_700);
    assert_eq!(bench.synced(sync), None);
    bench.pass_ms(300);
    assert_eq!(bench.synced(sync).unwrap().0, ErrorCode::REBALANCE_IN_PROGRESS);
    assert_eq!(bench.beat(id_of(&joined[1]), 1), ErrorCode::REBALANCE_IN_PROGRESS);
}

#[test]
fn who_joins_and_never_syncs_is_removed_after_the_rebalance_timeout() {
    let mut bench = Bench::new();
    let joined = bench.join_all(2);
    let members: Vec<&str> = joined.iter().map(id_of).collect();
    let id = bench.sync(members[0], 1, &members);
    assert_eq!(bench.synced(id).unwrap().0, ErrorCode::NONE);
    for _ in 0..10 {
        bench.pass_ms(5_900);
        for member in &members {
            assert_eq!(bench.beat(member, 1), ErrorCode::NONE);
        }
    }
    bench.pass_ms(2_000);
    assert_eq!(bench.beat(members[1], 1), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(bench.beat(members[0], 1), ErrorCode::REBALANCE_IN_PROGRESS);
}

#[test]
fn a_session_ends_without_heartbeats_and_goes_on_with_them() {
    let mut bench = Bench::new();
    let joined = bench.stable(2);
    for _ in 0..5 {
        bench.pass_ms(9_000);
        assert_eq!(bench.beat(id_of(&joined[0]), 1), ErrorCode::NONE);
        assert_eq!(bench.commit(id_of(&joined[1]), 1, 1), ErrorCode::NONE, "a sign of life too");
    }
    bench.pass_ms(9_000);
    assert_eq!(bench.beat(id_of(&joined[0]), 1), ErrorCode::NONE);
    bench.pass_ms(1_100);
    assert_eq!(bench.beat(id_of(&joined[0]), 1), ErrorCode::REBALANCE_IN_PROGRESS);
    assert_eq!(bench.beat(id_of(&joined[1]), 1), ErrorCode::UNKNOWN_MEMBER_ID);
    let id = bench.join(&Join { member_id: id_of(&joined[0]), ..Join::default() });
    assert_eq!(bench.joined(id).unwrap().generation, 2);
}

#[test]
fn an_id_that_is_not_used_holds_a_rebalance_up_for_its_session_alone() {
    let mut bench = Bench::new();
    let joined = bench.stable(1);
    let unused = bench.member_id(&Join { session_ms: 6_000, ..Join::default() });
    let id = bench.join(&Join { member_id: id_of(&joined[0]), ..Join::default() });
    bench.pass_ms(5_900);
    assert_eq!(bench.joined(id), None);
    bench.pass_ms(200);
    assert_eq!(bench.joined(id).unwrap().generation, 2);
    let late = bench.join(&Join { member_id: &unused, ..Join::default() });
    assert_eq!(bench.joined(late).unwrap().error, ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn after_a_standstill_members_get_a_moment_to_show_that_they_live() {
    let mut bench = Bench::new();
    let joined = bench.stable(2);
    // The process stood still for an hour; the owner comes back with a late look at the clock.
    bench.now = bench.now.after(Duration::from_secs(3600));
    bench.machine.handle_timeout(bench.now);
    bench.pass_ms(2_900);
    assert_eq!(bench.beat(id_of(&joined[0]), 1), ErrorCode::NONE);
    bench.pass_ms(200);
    assert_eq!(bench.beat(id_of(&joined[1]), 1), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(bench.beat(id_of(&joined[0]), 1), ErrorCode::REBALANCE_IN_PROGRESS);
}

#[test]
fn heartbeats_that_waited_count_before_sessions_end() {
    let mut bench = Bench::new();
    let joined = bench.stable(2);
    bench.now = bench.now.after(Duration::from_millis(10_500));
    for member in &joined {
        assert_eq!(bench.beat(id_of(member), 1), ErrorCode::NONE);
    }
    bench.machine.handle_timeout(bench.now);
    bench.pass_ms(9_900);
    for member in &joined {
        assert_eq!(bench.beat(id_of(member), 1), ErrorCode::NONE);
    }
}

#[test]
fn the_group_is_empty_when_the_last_has_left_and_its_generations_go_on() {
    let mut bench = Bench::new();
    let joined = bench.stable(2);
    let ids = [(id_of(&joined[0]), None), ("nobody", None), (id_of(&joined[1]), None)];
    let left = bench.leave(&ids);
    assert_eq!(left, [ErrorCode::NONE, ErrorCode::UNKNOWN_MEMBER_ID, ErrorCode::NONE]);
    assert_eq!(bench.beat(id_of(&joined[0]), 1), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(bench.commit("", -1, 4), ErrorCode::NONE, "nobody has the partitions");
    let again = bench.stable_with_generation(2, 3);
    assert!(again.iter().all(|member| member.generation == 3), "one for the empty group");
}

#[test]
fn a_repeated_join_on_another_connection_takes_the_place_of_the_first() {
    let mut bench = Bench::new();
    let joined = bench.stable(2);
    let join = Join { member_id: id_of(&joined[0]), ..Join::default() };
    let (first, second) = (bench.join(&join), bench.join(&join));
    assert_eq!(bench.joined(first).unwrap().error, ErrorCode::REBALANCE_IN_PROGRESS);
    let id = bench.join(&Join { member_id: id_of(&joined[1]), ..Join::default() });
    assert_eq!(bench.joined(second).unwrap().generation, 2);
    assert_eq!(bench.joined(id).unwrap().generation, 2);
}

impl Bench {
    fn stable_with_generation(&mut self, count: usize, generation: i32) -> Vec<Joined> {
        let joined = self.stable(count);
        assert!(joined.iter().all(|member| member.generation == generation));
        joined
    }
}
