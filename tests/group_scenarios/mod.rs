//! What members of a group see, wherever the group is coordinated: each scenario runs against a
//! real Apache Kafka and on a log directory.

pub(crate) mod callbacks;
pub(crate) mod commits;
mod member;
pub(crate) mod members;
mod place;
pub(crate) mod subscriptions;

pub(crate) use member::{Member, Told, poll_until, poll_while};
pub(crate) use place::Place;
use std::time::Duration;

/// Long enough for everything that is to happen.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// One poll of a member.
pub(crate) const STEP: Duration = Duration::from_millis(20);

/// Returns the values of a topic that was filled by [`Place::fill`], sorted.
pub(crate) fn values(range: std::ops::Range<usize>) -> Vec<String> {
    let mut values: Vec<String> = range.map(|number| format!("v{number}")).collect();
    values.sort();
    values
}

/// Makes a test of each scenario at a place.
macro_rules! at_a_place {
    ($place:expr; $($module:ident :: $scenario:ident),* $(,)?) => {
        $(
            #[test]
            fn $scenario() {
                group_scenarios::$module::$scenario($place);
            }
        )*
    };
}
pub(crate) use at_a_place;

/// All scenarios, once for each place.
macro_rules! all_scenarios {
    ($place:expr) => {
        group_scenarios::at_a_place! { $place;
            members::one_member_gets_all_and_the_next_goes_on_where_it_stopped,
            members::two_members_share_eagerly,
            members::two_members_share_cooperatively,
            members::idle_members_take_over,
            members::groups_do_not_touch_each_other,
            members::a_static_member_returns_and_nothing_moves,
            members::of_two_with_one_instance_id_the_older_is_fenced,
            members::a_group_rolls_from_eager_to_cooperative,
            members::what_a_vanished_member_had_goes_to_others_when_its_session_ends,
            members::what_a_dropped_member_had_goes_to_others_at_once,
            members::a_member_that_does_not_poll_leaves_and_returns,
            commits::a_commit_is_refused_where_it_must_be,
            commits::asynchronous_commits_are_told_in_order,
            commits::marked_offsets_alone_are_committed,
            commits::positions_are_committed_from_time_to_time,
            commits::partitions_assigned_by_hand_start_and_end_with_commits,
            callbacks::a_listener_may_use_the_consumer,
            callbacks::a_listener_may_not_poll_or_close,
            callbacks::a_listener_that_panics_leaves_the_group_in_order,
            callbacks::a_listener_that_takes_too_long_loses_the_membership,
            callbacks::a_rebalance_wakes_who_waits_for_the_descriptor,
            subscriptions::a_subscription_changes_at_run_time,
            subscriptions::a_pattern_finds_topics_that_are_made_later,
            subscriptions::who_unsubscribes_leaves_and_may_come_back,
            subscriptions::a_rebalance_can_be_asked_for,
        }
    };
}
pub(crate) use all_scenarios;
