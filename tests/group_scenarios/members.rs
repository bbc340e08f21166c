//! Who owns what when members come and go.

use std::time::{Duration, Instant};

use kfetch::{ErrorKind, GroupMembershipOperation, TopicPartition};

use super::{Member, Place, SOON, STEP, Told, poll_until, poll_while, values};

pub(crate) fn one_member_gets_all_and_the_next_goes_on_where_it_stopped(place: &dyn Place) {
    place.fill("all", 3, 300);
    let mut first = Member::of(place, "all", &["all"], &[("enable.auto.commit", "false")]);
    poll_until(&mut [&mut first], |all| all[0].values.len() >= 300);
    assert_eq!(first.sorted(), values(0..300));
    first.consumer.commit_sync(SOON).unwrap();
    let partitions: Vec<_> = (0..3).map(|number| TopicPartition::new("all", number)).collect();
    let committed = first.consumer.committed(&partitions, SOON).unwrap();
    let offsets: Vec<i64> = committed.into_iter().map(|one| one.unwrap().unwrap().offset).collect();
    assert_eq!(offsets, [100, 100, 100]);
    let all = vec![0, 1, 2];
    assert_eq!(first.close(), [Told::Assigned(all.clone()), Told::Revoked(all)]);

    place.fill_on("all", 3, 300..303);
    let mut second = Member::of(place, "all", &["all"], &[]);
    poll_until(&mut [&mut second], |all| all[0].values.len() >= 3);
    assert_eq!(second.sorted(), ["v300", "v301", "v302"]);
    second.close();
}

fn two_share(place: &dyn Place, strategy: &str) -> (Vec<Told>, Vec<Told>) {
    let topic = format!("shared-{strategy}");
    place.fill(&topic, 4, 400);
    let settings = [("partition.assignment.strategy", strategy)];
    let mut first = Member::of(place, &topic, &[&topic], &settings);
    poll_until(&mut [&mut first], |all| all[0].owned().len() == 4);
    let mut second = Member::of(place, &topic, &[&topic], &settings);
    poll_until(&mut [&mut first, &mut second], |all| {
        all.iter().all(|one| one.owned().len() == 2)
            && all.iter().map(|one| one.values.len()).sum::<usize>() >= 400
    });
    let mut all: Vec<String> = first.values.iter().chain(&second.values).cloned().collect();
    all.sort();
    assert_eq!(all, values(0..400), "each once: positions are committed before a revocation");
    let second = second.close();
    poll_until(&mut [&mut first], |all| all[0].owned().len() == 4);
    (first.close(), second)
}

pub(crate) fn two_members_share_eagerly(place: &dyn Place) {
    for strategy in ["range", "roundrobin", "sticky"] {
        let (first, second) = two_share(place, strategy);
        let all = vec![0, 1, 2, 3];
        assert_eq!(first[..2], [Told::Assigned(all.clone()), Told::Revoked(all)]);
        assert_eq!((first.len(), second.len()), (6, 2), "{first:?} {second:?}");
    }
}

pub(crate) fn two_members_share_cooperatively(place: &dyn Place) {
    let (first, second) = two_share(place, "cooperative-sticky");
    assert_eq!(first[0], Told::Assigned(vec![0, 1, 2, 3]));
    let Told::Revoked(moved) = &first[1] else { panic!("{first:?}") };
    assert_eq!(moved.len(), 2, "only what moves is revoked: {first:?}");
    assert_eq!(second[0], Told::Assigned(Vec::new()), "nothing before it is given up");
    assert_eq!(second[1], Told::Assigned(moved.clone()));
}

pub(crate) fn idle_members_take_over(place: &dyn Place) {
    place.fill("few", 1, 10);
    let mut first = Member::of(place, "few", &["few"], &[]);
    poll_until(&mut [&mut first], |all| all[0].owned().len() == 1);
    let mut second = Member::of(place, "few", &["few"], &[]);
    let (mut owner, idle) = (first, &mut second);
    poll_until(&mut [&mut owner, idle], |all| {
        all.iter().map(|one| one.owned().len()).sum::<usize>() == 1
            && all.iter().all(|one| one.generation() == all[0].generation())
            && !all[1].told().is_empty()
    });
    if owner.owned().is_empty() {
        std::mem::swap(&mut owner, idle);
    }
    owner.close();
    poll_until(&mut [idle], |all| all[0].owned() == [0]);
    second.close();
}

pub(crate) fn groups_do_not_touch_each_other(place: &dyn Place) {
    place.fill("common", 2, 20);
    let mut one = Member::of(place, "one", &["common"], &[]);
    let mut other = Member::of(place, "other", &["common"], &[]);
    poll_until(&mut [&mut one, &mut other], |all| all.iter().all(|one| one.values.len() >= 20));
    assert_eq!((one.sorted(), other.sorted()), (values(0..20), values(0..20)));
    one.close();
    other.close();
}

pub(crate) fn a_static_member_returns_and_nothing_moves(place: &dyn Place) {
    place.fill("static", 4, 40);
    let new = |id| Member::of(place, "static", &["static"], &[("group.instance.id", id)]);
    let (mut stays, mut leaves) = (new("a"), new("b"));
    poll_until(&mut [&mut stays, &mut leaves], |all| {
        all.iter().all(|one| one.owned().len() == 2)
            && all.iter().map(|one| one.values.len()).sum::<usize>() >= 40
    });
    let (told, owned, generation) = (stays.told(), leaves.owned(), leaves.generation());
    leaves.close();
    poll_while(&mut [&mut stays], Duration::from_millis(500));
    let mut returned = new("b");
    poll_until(&mut [&mut stays, &mut returned], |all| !all[1].owned().is_empty());
    assert_eq!((returned.owned(), returned.generation()), (owned, generation));
    poll_while(&mut [&mut stays, &mut returned], Duration::from_millis(300));
    assert_eq!(stays.told(), told, "nobody else hears of it");
    assert!(returned.values.is_empty(), "it goes on where it stopped: {:?}", returned.values);
    stays.close();
    returned.close();
}

pub(crate) fn of_two_with_one_instance_id_the_older_is_fenced(place: &dyn Place) {
    place.fill("fenced", 2, 20);
    let new = || Member::of(place, "fenced", &["fenced"], &[("group.instance.id", "only")]);
    let mut older = new();
    poll_until(&mut [&mut older], |all| all[0].values.len() >= 20);
    let mut newer = new();
    let deadline = Instant::now() + SOON;
    let error = loop {
        assert!(Instant::now() < deadline, "{:?}", older.told());
        newer.poll();
        if let Err(error) = older.consumer.poll(STEP) {
            break error;
        }
    };
    assert_eq!((error.kind(), error.is_fatal()), (ErrorKind::Fenced, true), "{error}");
    assert!(older.owned().is_empty(), "what it had is lost");
    assert_eq!(older.told().last(), Some(&Told::Lost(vec![0, 1])));
    let again = older.consumer.poll(STEP).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Fenced, "it stays so");
    assert_eq!(older.consumer.commit_sync(SOON).unwrap_err().kind(), ErrorKind::Fenced);
    older.close();
    poll_until(&mut [&mut newer], |all| all[0].owned().len() == 2);
    newer.close();
}

pub(crate) fn a_group_rolls_from_eager_to_cooperative(place: &dyn Place) {
    place.fill("rolling", 4, 40);
    let new = |strategies| {
        let strategy = [("partition.assignment.strategy", strategies)];
        Member::of(place, "rolling", &["rolling"], &strategy)
    };
    let both = "org.apache.kafka.clients.consumer.CooperativeStickyAssignor,range";
    let mut members = [new("range"), new("range")];
    let is_settled = |all: &[&mut Member]| all.iter().all(|one| one.owned().len() == 2);
    for strategies in [both, "cooperative-sticky"] {
        for at in 0..2 {
            let [first, second] = &mut members;
            poll_until(&mut [first, second], is_settled);
            std::mem::replace(&mut members[at], new(strategies)).close();
        }
    }
    let [mut first, mut second] = members;
    poll_until(&mut [&mut first, &mut second], is_settled);
    let told = first.told().len();
    let mut third = new("cooperative-sticky");
    poll_until(&mut [&mut first, &mut second, &mut third], |all| {
        all.iter().all(|one| !one.owned().is_empty())
    });
    let revoked: usize = first.told()[told..]
        .iter()
        .map(|told| if let Told::Revoked(gone) = told { gone.len() } else { 0 })
        .sum();
    assert!(revoked < 2, "it keeps what does not move: {:?}", first.told());
    for member in [first, second, third] {
        member.close();
    }
}

pub(crate) fn what_a_vanished_member_had_goes_to_others_when_its_session_ends(place: &dyn Place) {
    place.fill("vanished", 2, 20);
    let mut stays = Member::of(place, "vanished", &["vanished"], &[]);
    let mut vanishes = Member::of(place, "vanished", &["vanished"], &[]);
    poll_until(&mut [&mut stays, &mut vanishes], |all| {
        all.iter().all(|one| one.owned().len() == 1)
    });
    let began = Instant::now();
    let remains = GroupMembershipOperation::RemainInGroup;
    vanishes.consumer.close_with(SOON, remains).unwrap();
    poll_until(&mut [&mut stays], |all| all[0].owned().len() == 2);
    let took = began.elapsed();
    assert!(took > Duration::from_secs(4), "{took:?} for a session of 6 s");
    assert!(took < Duration::from_secs(9), "{took:?} for a session of 6 s");
    stays.close();
}

pub(crate) fn what_a_dropped_member_had_goes_to_others_at_once(place: &dyn Place) {
    place.fill("dropped", 2, 20);
    let mut stays = Member::of(place, "dropped", &["dropped"], &[]);
    let mut dropped = Member::of(place, "dropped", &["dropped"], &[]);
    poll_until(&mut [&mut stays, &mut dropped], |all| all.iter().all(|one| one.owned().len() == 1));
    let began = Instant::now();
    drop(dropped);
    poll_until(&mut [&mut stays], |all| all[0].owned().len() == 2);
    let took = began.elapsed();
    assert!(took < Duration::from_secs(4), "{took:?}, although it has left");
    stays.close();
}

pub(crate) fn a_member_that_does_not_poll_leaves_and_returns(place: &dyn Place) {
    place.fill("slow", 2, 20);
    let mut polls = Member::of(place, "slow", &["slow"], &[]);
    let mut sleeps = Member::of(place, "slow", &["slow"], &[("max.poll.interval.ms", "1500")]);
    poll_until(&mut [&mut polls, &mut sleeps], |all| all.iter().all(|one| one.owned().len() == 1));
    poll_until(&mut [&mut polls], |all| all[0].owned().len() == 2);
    let owned = sleeps.owned();
    let refused = sleeps.consumer.commit_sync(SOON).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::CommitFailed, "{refused}");
    poll_until(&mut [&mut polls, &mut sleeps], |all| {
        all.iter().all(|one| one.owned().len() == 1)
            && all[1].told().contains(&Told::Lost(owned.clone()))
    });
    polls.close();
    sleeps.close();
}
