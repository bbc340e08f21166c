//! What is subscribed to, and how that changes.

use std::time::Duration;

use super::{Member, Place, SOON, Told, poll_until, values};

pub(crate) fn a_subscription_changes_at_run_time(place: &dyn Place) {
    place.fill("before", 1, 10);
    place.fill("after", 1, 10);
    let mut member = Member::of(place, "changes", &["before"], &[]);
    poll_until(&mut [&mut member], |all| all[0].values.len() == 10);
    member.values.clear();
    member.consumer.subscribe(&["after", "before"]).unwrap();
    poll_until(&mut [&mut member], |all| all[0].values.len() == 10);
    assert_eq!(member.consumer.assignment().len(), 2);
    member.consumer.subscribe(&["after"]).unwrap();
    assert_eq!(member.consumer.subscription(), ["after"]);
    poll_until(&mut [&mut member], |all| all[0].consumer.assignment().len() == 1);
    assert_eq!(member.consumer.assignment()[0].topic, "after");
    assert_eq!(member.values.len(), 10, "nothing twice: {:?}", member.values);
    member.close();
}

pub(crate) fn a_pattern_finds_topics_that_are_made_later(place: &dyn Place) {
    place.fill("p-1", 1, 10);
    place.fill("not-p-1", 1, 10);
    let mut member = Member::new(place, "pattern", &[("metadata.max.age.ms", "500")]);
    member.consumer.subscribe_pattern("p-.*").unwrap();
    poll_until(&mut [&mut member], |all| all[0].values.len() == 10);
    assert_eq!(member.consumer.subscription(), ["p-1"]);
    place.create_topic("p-2", 2);
    place.fill_on("p-2", 2, 10..20);
    poll_until(&mut [&mut member], |all| all[0].values.len() == 20);
    assert_eq!(member.sorted(), values(0..20));
    assert_eq!(member.consumer.subscription(), ["p-1", "p-2"]);
    member.close();
}

pub(crate) fn who_unsubscribes_leaves_and_may_come_back(place: &dyn Place) {
    place.fill("comes-back", 2, 20);
    let mut stays = Member::of(place, "comes-back", &["comes-back"], &[]);
    let mut goes = Member::of(place, "comes-back", &["comes-back"], &[]);
    poll_until(&mut [&mut stays, &mut goes], |all| all.iter().all(|one| one.owned().len() == 1));
    let owned = goes.owned();
    goes.consumer.unsubscribe().unwrap();
    assert_eq!(goes.told().last(), Some(&Told::Revoked(owned)), "before it returns");
    assert!(goes.owned().is_empty() && goes.consumer.subscription().is_empty());
    poll_until(&mut [&mut stays], |all| all[0].owned().len() == 2);
    goes.consumer.subscribe(&["comes-back"]).unwrap();
    poll_until(&mut [&mut stays, &mut goes], |all| all.iter().all(|one| one.owned().len() == 1));
    stays.close();
    goes.close();
}

pub(crate) fn a_rebalance_can_be_asked_for(place: &dyn Place) {
    place.fill("enforced", 1, 10);
    let mut member = Member::new(place, "enforced", &[]);
    assert!(member.consumer.enforce_rebalance("too early").is_err());
    let none = member.consumer.group_metadata().unwrap();
    assert_eq!((none.generation, none.member_id.as_str()), (-1, ""));
    member.consumer.subscribe(&["enforced"]).unwrap();
    poll_until(&mut [&mut member], |all| all[0].owned() == [0]);
    let before = member.consumer.group_metadata().unwrap();
    assert_eq!(before.group_id, "enforced");
    assert!(before.generation >= 0 && !before.member_id.is_empty());
    member.consumer.enforce_rebalance("because I can").unwrap();
    poll_until(&mut [&mut member], |all| all[0].generation() > before.generation);
    let all = vec![0];
    let told = [Told::Assigned(all.clone()), Told::Revoked(all.clone()), Told::Assigned(all)];
    assert_eq!(member.told(), told);
    member.consumer.close(SOON).unwrap();
    assert!(member.consumer.poll(Duration::ZERO).is_err());
}
