//! Groups on a real Kafka while the network between it and the members fails: connections are cut
//! inside of answers, delayed, slowed down to single bytes, reset, black-holed, never answered.
//! Every record comes, no commit is acknowledged that was none, and every call returns in time.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod calls;
mod chaos;
#[path = "../support/fault_proxy.rs"]
mod fault_proxy;
#[path = "../group_processes/mod.rs"]
mod group_processes;
mod member;
mod proxy;
mod scene;
#[path = "../support/mod.rs"]
mod support;
mod watch;

use std::time::Duration;

use chaos::break_connections;
use fault_proxy::{End, FaultProxy, FrameCut, Mode, Side};
use group_processes::checker::Checker;
use group_processes::event::{Kind, now_us};
use kfetch::protocol::ApiKey;
use scene::{PARTITIONS, SESSION, Scene};
use watch::{MS, let_pass, wait_for};

fn exactly_once() -> Checker {
    Checker { exactly_once: true, ..Checker::default() }
}

#[test]
fn single_bytes_for_ten_seconds_move_nothing() {
    let scene = Scene::new("trickle").with_members();
    scene.stands_still(|scene| {
        let before: Vec<usize> =
            scene.members.iter().map(|one| one.count(Kind::Delivered)).collect();
        scene.set_all(Mode::Trickle(1, MS / 4));
        let_pass(10_000 * MS);
        for (member, before) in scene.members.iter().zip(before) {
            assert!(member.count(Kind::Delivered) > before + 5, "records come meanwhile");
        }
        scene.set_all(Mode::Pass);
    });
    scene.finish(&exactly_once());
}

#[test]
fn a_fifth_of_a_second_each_way_is_no_trouble() {
    let mut scene = Scene::new("delay");
    scene.set_all(Mode::Delay(200 * MS));
    (0..3).for_each(|place| scene.start(place));
    scene.wait_for_owners();
    scene.stands_still(|_| let_pass(4_000 * MS));
    scene.finish(&exactly_once());
}

#[test]
fn who_is_cut_off_past_its_session_gives_up_by_itself_and_comes_back() {
    for (topic, mode) in [("hole", Mode::BlackHole), ("mute", Mode::Mute)] {
        let scene = Scene::new(topic).with_members();
        let had = scene.members[2].owned();
        let from = now_us();
        scene.proxies()[2].set(mode);
        wait_for("the others have all", &scene.members, || {
            let members = &scene.members;
            members[0].owned().len() + members[1].owned().len() == PARTITIONS
        });
        let_pass(1_000 * MS);
        let events = scene.members[2].log().events;
        let after = || events.iter().filter(|event| event.at_us > from);
        let lost = after().find(|event| event.kind == Kind::Lost).expect("it is told");
        let mut names: Vec<_> = lost.spans.iter().map(|span| span.partition.clone()).collect();
        names.sort();
        assert_eq!(names, had);
        let took = Duration::from_micros(lost.at_us - from);
        assert!(took < SESSION + 1_000 * MS, "{took:?}");
        let is_late = |kind| kind == Kind::Assigned || kind == Kind::Delivered;
        let late = after().find(|event| event.at_us > lost.at_us && is_late(event.kind));
        assert_eq!(late, None, "nothing comes after that");
        scene.proxies()[2].set(Mode::Pass);
        scene.wait_for_owners();
        scene.wait_for_commits(2);
        scene.finish(&Checker::default());
    }
}

#[test]
fn who_is_cut_off_while_it_joins_comes_back() {
    cut_off_after("joins", ApiKey::JoinGroup);
}

#[test]
fn who_is_cut_off_while_it_syncs_comes_back() {
    cut_off_after("syncs", ApiKey::SyncGroup);
}

/// Lets one member's requests of a rebalance arrive up to this one, and nothing of it after that,
/// until the other one has all.
fn cut_off_after(topic: &str, request: ApiKey) {
    let mut scene = Scene::new(topic).with_members();
    scene.proxies()[2].set(Mode::HoleAfter(request.code()));
    let stopped = scene.members.remove(0).stop();
    scene.ended.push(stopped);
    wait_for("the other has all", &scene.members, || scene.members[0].owned().len() == PARTITIONS);
    scene.proxies()[2].set(Mode::Pass);
    scene.wait_for_owners();
    scene.wait_for_commits(2);
    // A coordinator keeps who waits for its answer, so until it hears better it is a member.
    scene.finish(&Checker { has_zombies: true, ..Checker::default() });
}

#[test]
fn who_is_cut_off_for_less_than_its_session_stays() {
    let mut scene = Scene::new("pause").with("partition.assignment.strategy", "range");
    scene.start(0);
    scene.start(1);
    // It gives its connections up meanwhile, the other one does not.
    scene = scene.with("request.timeout.ms", "600");
    scene.start(2);
    scene.wait_for_owners();
    scene.wait_for_commits(2);
    for mode in [Mode::BlackHole, Mode::Mute, Mode::Refuse] {
        scene.stands_still(|scene| {
            scene.proxies()[1..].iter().for_each(|proxy| proxy.set(mode));
            let_pass(1_500 * MS);
            scene.set_all(Mode::Pass);
        });
    }
    // What a commit, or the last fetch, of a broken connection did has no second effect.
    scene.finish(&exactly_once());
}

/// One member comes and goes, and each one's first request of a kind, or its answer, is cut.
#[test]
fn what_makes_a_rebalance_is_asked_again_where_it_is_cut() {
    let mut scene = Scene::new("again").with_members();
    for api_key in [
        ApiKey::FindCoordinator,
        ApiKey::JoinGroup,
        ApiKey::SyncGroup,
        ApiKey::OffsetFetch,
        ApiKey::LeaveGroup,
    ] {
        for (side, end) in [(Side::Requests, End::Reset), (Side::Answers, End::Fin)] {
            let before: usize = scene.proxies().iter().map(FaultProxy::ended).sum();
            let api_key = api_key.code();
            scene.set_all(Mode::CutFrame(FrameCut { side, api_key, after: 11, times: 1 }, end));
            let stopped = scene.members.remove(2).stop();
            scene.ended.push(stopped);
            scene.start(2);
            scene.wait_for_owners();
            let ended = scene.proxies().iter().map(FaultProxy::ended).sum::<usize>() - before;
            assert!(ended > 0, "{side:?} {api_key:?}");
        }
    }
    scene.finish(&exactly_once());
}

#[test]
fn connections_that_end_at_any_byte_lose_nothing() {
    breaks("ends", "cooperative-sticky", End::Fin);
}

#[test]
fn connections_that_are_reset_at_any_byte_lose_nothing() {
    breaks("resets", "range", End::Reset);
}

/// Breaks the members' connections again and again, while one of them stops and starts.
fn breaks(topic: &str, strategy: &str, end: End) {
    let seed = chaos::seed();
    // Long enough for a batch to be cut behind its header.
    let scene = Scene::with_keys(topic, 1_000);
    let mut scene = scene.with("partition.assignment.strategy", strategy);
    (0..3).for_each(|place| scene.start(place));
    let over = support::deadline::now() + 10_000 * MS;
    let before: usize = scene.proxies().iter().map(FaultProxy::ended).sum();
    let proxies = scene.lend_proxies();
    std::thread::scope(|scope| {
        for (proxy, seed) in proxies.iter().zip(seed..) {
            scope.spawn(move || break_connections(proxy, seed, end, over));
        }
        while support::deadline::now() < over {
            let_pass(1_500 * MS);
            let stopped = scene.members.remove(2).stop();
            scene.ended.push(stopped);
            scene.start(2);
        }
    });
    scene.wait_for_owners();
    scene.wait_for_commits(2);
    let cuts = scene.proxies().iter().map(FaultProxy::ended).sum::<usize>() - before;
    eprintln!("{topic}: {cuts} connections ended");
    assert!(cuts > 30, "{cuts}");
    scene.finish(&Checker::default());
}
