use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::{Participant, ParticipantSettings, Task, TopicCount};
use crate::backoff::BackoffLimits;
use crate::coordinator::assignor::{Assignment, Assignor, Subscription as Wanted, built_in};
use crate::coordinator::command::MemberCommand;
use crate::coordinator::notice::{JoinedMember, Membership, Notice};
use crate::coordinator::subscription::{Pattern, Subscription};
use crate::error::{Error, ErrorKind};
use crate::topic::{TopicName, TopicPartition};

const MAX_AGE: Duration = Duration::from_secs(300);
const BACKOFF: Duration = Duration::from_millis(100);

/// A participant whose tasks are done at once, and what it did.
struct Rig {
    participant: Participant,
    now: Instant,
    /// Tasks in order; those that call the application back stop the run if `holds`.
    done: Vec<Task>,
    holds: bool,
}

fn rig(strategies: &[&str]) -> Rig {
    let settings = ParticipantSettings {
        rack: None,
        metadata_max_age: MAX_AGE,
        retry: BackoffLimits { initial: BACKOFF, max: Duration::from_secs(1) },
        excludes_internal: true,
    };
    let assignors: Vec<Box<dyn Assignor>> =
        strategies.iter().map(|name| built_in(name).unwrap()).collect();
    #[allow(clippy::disallowed_methods, reason = "where virtual time begins")]
    let now = Instant::now();
    Rig { participant: Participant::new(settings, assignors), now, done: Vec::new(), holds: false }
}

fn topics(names: &[&str]) -> Subscription {
    Subscription::Topics(names.iter().map(|name| (*name).to_owned()).collect())
}

fn partitions(topic: &str, numbers: &[i32]) -> Vec<TopicPartition> {
    numbers.iter().map(|number| TopicPartition::new(topic, *number)).collect()
}

fn membership(generation: i32) -> Membership {
    Membership { generation, member_id: "me".to_owned() }
}

fn assignment(topic: &str, numbers: &[i32]) -> Vec<u8> {
    let partitions = numbers.iter().map(|number| (TopicName::new(topic), *number)).collect();
    Assignment { partitions, user_data: None }.encode().unwrap()
}

fn count(name: &str, partitions: i32) -> TopicCount {
    let is_internal = name.starts_with("__");
    TopicCount { name: name.to_owned(), partitions: Some(partitions), racks: None, is_internal }
}

impl Rig {
    fn run(&mut self) {
        while let Some(task) = self.participant.poll_task() {
            self.done.push(task.clone());
            match task {
                Task::Revoke(_) | Task::Lose(_) | Task::Assign(_) if self.holds => return,
                Task::Revoke(gone) | Task::Lose(gone) => {
                    self.participant.handle_revoked(&gone, self.now);
                }
                Task::Assign(_) => self.participant.handle_assigned(self.now),
                _ => {}
            }
        }
    }

    fn subscribe(&mut self, subscription: Subscription) {
        self.participant.handle_subscribe(subscription, self.now);
        self.run();
    }

    fn notice(&mut self, notice: Notice) {
        self.participant.handle_notice(notice, self.now);
        self.run();
    }

    fn assigned(&mut self, generation: i32, protocol: &str, topic: &str, numbers: &[i32]) {
        self.notice(Notice::Assigned {
            membership: membership(generation),
            protocol: protocol.to_owned(),
            assignment: assignment(topic, numbers),
        });
    }

    fn rejoin(&mut self, join: u64) {
        self.notice(Notice::Rejoin { join, reason: "others came".to_owned() });
    }

    fn lose(&mut self, join: u64) {
        self.notice(Notice::Lost { join, reason: "thrown out".to_owned() });
    }

    fn answer(&mut self, topics: Vec<TopicCount>) {
        let mut asks = self.done.iter().filter_map(|task| match task {
            Task::AskTopics { ask, .. } => Some(*ask),
            _ => None,
        });
        let ask = asks.next_back().expect("a question for topics");
        self.participant.handle_topics(ask, Ok(topics), self.now);
        self.run();
    }

    fn take(&mut self) -> Vec<Task> {
        std::mem::take(&mut self.done)
    }

    /// Takes what was done, of which a join is the last; returns the rest, the join's number and
    /// what it said of the member by its first assignor.
    fn take_join(&mut self) -> (Vec<Task>, u64, Wanted) {
        let mut done = self.take();
        match done.pop() {
            Some(Task::Send(MemberCommand::Join { join, protocols, .. })) => {
                let wanted = Wanted::decode(&protocols[0].1).unwrap();
                (done, join, wanted)
            }
            other => panic!("{done:?} and {other:?}"),
        }
    }
}

#[test]
fn an_eager_member_revokes_all_before_it_joins_again() {
    let mut rig = rig(&["range"]);
    rig.subscribe(topics(&["t"]));
    let (before, join, wanted) = rig.take_join();
    assert!(before.is_empty());
    assert_eq!((join, wanted.topics, wanted.generation), (1, vec![TopicName::new("t")], None));
    rig.assigned(4, "range", "t", &[0, 1]);
    assert_eq!(rig.take(), [Task::Assign(partitions("t", &[0, 1]))]);
    assert_eq!(rig.participant.membership(), Some(&membership(4)));
    rig.rejoin(1);
    let (before, join, wanted) = rig.take_join();
    assert_eq!(before, [Task::Revoke(partitions("t", &[0, 1]))]);
    assert_eq!((join, wanted.owned_partitions.len(), wanted.generation), (2, 0, Some(4)));
    rig.assigned(5, "range", "t", &[1]);
    assert_eq!(rig.take(), [Task::Assign(partitions("t", &[1]))]);
}

#[test]
fn a_cooperative_member_gives_up_only_what_moves_and_joins_once_more() {
    let mut rig = rig(&["cooperative-sticky"]);
    rig.subscribe(topics(&["t"]));
    rig.assigned(1, "cooperative-sticky", "t", &[0, 1, 2]);
    rig.take();
    rig.rejoin(1);
    let (before, _, wanted) = rig.take_join();
    assert!(before.is_empty(), "{before:?}");
    assert_eq!(wanted.owned_partitions.len(), 3);
    rig.assigned(2, "cooperative-sticky", "t", &[0, 1]);
    let (before, join, wanted) = rig.take_join();
    let expected = [Task::Revoke(partitions("t", &[2])), Task::Assign(Vec::new())];
    assert_eq!((before.as_slice(), join), (&expected[..], 3));
    assert_eq!((wanted.owned_partitions.len(), wanted.generation), (2, Some(2)));
    rig.assigned(3, "cooperative-sticky", "t", &[0, 1]);
    assert_eq!(rig.take(), [Task::Assign(Vec::new())]);
}

#[test]
fn a_list_of_eager_and_cooperative_assignors_is_eager() {
    let mut rig = rig(&["range", "cooperative-sticky"]);
    rig.subscribe(topics(&["t"]));
    rig.assigned(1, "cooperative-sticky", "t", &[0]);
    rig.take();
    rig.rejoin(1);
    assert_eq!(rig.take_join().0, [Task::Revoke(partitions("t", &[0]))]);
}

#[test]
fn what_is_lost_is_lost_once_and_the_member_joins_again() {
    for strategy in ["range", "cooperative-sticky"] {
        let mut rig = rig(&[strategy]);
        rig.subscribe(topics(&["t"]));
        rig.assigned(1, strategy, "t", &[0]);
        rig.take();
        rig.lose(1);
        assert!(rig.participant.is_lost() && rig.participant.membership().is_none());
        let (before, join, wanted) = rig.take_join();
        assert_eq!((before, join), (vec![Task::Lose(partitions("t", &[0]))], 2));
        assert_eq!((wanted.owned_partitions.len(), wanted.generation), (0, None));
        rig.lose(1);
        assert!(rig.take().is_empty(), "an old notice, after the join");
        rig.lose(2);
        assert_eq!(rig.take_join().1, 3, "nothing was owned, and the join has failed");
    }
}

#[test]
fn a_loss_that_crosses_with_a_join_is_followed_by_one_that_claims_nothing() {
    let mut rig = rig(&["cooperative-sticky"]);
    rig.subscribe(topics(&["t"]));
    rig.assigned(1, "cooperative-sticky", "t", &[0]);
    rig.subscribe(topics(&["t", "u"]));
    assert_eq!(rig.take_join().1, 2);
    rig.lose(1);
    let (before, join, wanted) = rig.take_join();
    assert_eq!((before, join), (vec![Task::Lose(partitions("t", &[0]))], 3));
    assert!(wanted.owned_partitions.is_empty() && wanted.generation.is_none());
    rig.assigned(7, "cooperative-sticky", "t", &[0]);
    assert_eq!(rig.take(), [Task::Assign(partitions("t", &[0]))]);
}

#[test]
fn a_loss_during_a_revocation_is_dealt_with_before_the_join() {
    let mut rig = rig(&["range"]);
    rig.subscribe(topics(&["t"]));
    rig.assigned(1, "range", "t", &[0]);
    rig.take();
    rig.holds = true;
    rig.rejoin(1);
    rig.lose(1);
    let revoked = partitions("t", &[0]);
    assert_eq!(rig.take(), [Task::Revoke(revoked.clone())], "one callback at a time");
    rig.participant.handle_revoked(&revoked, rig.now);
    rig.run();
    assert_eq!(rig.take_join().1, 2, "what was revoked is not lost as well");
    assert!(rig.participant.membership().is_none());
}

#[test]
fn the_leader_looks_topics_up_and_assigns() {
    let mut rig = rig(&["range"]);
    rig.subscribe(topics(&["t"]));
    let (_, _, mine) = rig.take_join();
    let other = Wanted { topics: vec![TopicName::new("u")], ..Wanted::default() };
    let member = |id: &str, metadata| JoinedMember {
        member_id: id.to_owned(),
        group_instance_id: None,
        metadata,
    };
    rig.notice(Notice::Lead {
        membership: membership(3),
        protocol: "range".to_owned(),
        members: vec![
            member("me", mine.encode().unwrap()),
            member("other", other.encode().unwrap()),
            member("broken", vec![0, 0, 0xff]),
        ],
        skips_assignment: false,
    });
    let names = Some(vec!["t".to_owned(), "u".to_owned()]);
    assert_eq!(rig.done, [Task::AskTopics { ask: 1, names: names.clone() }]);
    rig.answer(vec![count("t", 2)]);
    let [_, Task::Fail(warning), Task::Send(MemberCommand::Assign { generation, assignments })] =
        <[Task; 3]>::try_from(rig.take()).unwrap()
    else {
        panic!("not a warning and an assignment")
    };
    assert_eq!((warning.kind(), warning.is_fatal()), (ErrorKind::Protocol, false));
    let decoded = |at: usize| Assignment::decode(&assignments[at].1).unwrap().partitions.len();
    assert_eq!((generation, decoded(0), decoded(1), decoded(2)), (3, 2, 0, 0));
    rig.assigned(3, "range", "t", &[0, 1]);
    rig.take();
    // Topic u is missing, and may yet be made.
    rig.now = rig.participant.poll_timeout().expect("a look at the topics");
    rig.participant.handle_timeout(rig.now);
    rig.run();
    assert_eq!(rig.done, [Task::AskTopics { ask: 2, names }]);
    rig.answer(vec![count("t", 2), count("u", 1)]);
    let (before, ..) = rig.take_join();
    assert_eq!(before[1..], [Task::Revoke(partitions("t", &[0, 1]))], "the partitions changed");
}

#[test]
fn a_pattern_is_resolved_before_the_join_and_watched_after_it() {
    let mut rig = rig(&["range"]);
    let pattern = Pattern::new("a.*|__.*").unwrap();
    rig.subscribe(Subscription::Pattern { pattern, found: None });
    assert_eq!(rig.done, [Task::AskTopics { ask: 1, names: None }]);
    rig.answer(vec![count("a1", 1), count("b", 1), count("__consumer_offsets", 50)]);
    let (_, _, wanted) = rig.take_join();
    assert_eq!(wanted.topics, [TopicName::new("a1")]);
    rig.assigned(1, "range", "a1", &[0]);
    rig.take();
    assert_eq!(rig.participant.poll_timeout(), Some(rig.now + MAX_AGE));
    rig.now += MAX_AGE;
    rig.participant.handle_timeout(rig.now);
    rig.run();
    rig.answer(vec![count("a1", 1), count("a2", 1)]);
    let (_, join, wanted) = rig.take_join();
    assert_eq!((join, wanted.topics.len()), (2, 2));
}

#[test]
fn a_look_that_fails_is_tried_again_after_a_pause() {
    let mut rig = rig(&["range"]);
    let pattern = Pattern::new("a").unwrap();
    rig.subscribe(Subscription::Pattern { pattern, found: None });
    let failed = Err(Error::new(ErrorKind::Timeout, "nobody answers"));
    rig.participant.handle_topics(1, failed, rig.now);
    let at = rig.participant.poll_timeout().expect("another look");
    assert_eq!(at, rig.now + BACKOFF);
    rig.participant.handle_timeout(at);
    rig.run();
    assert_eq!(rig.done.len(), 2, "{:?}", rig.done);
}

#[test]
fn a_subscription_that_changes_during_a_join_waits_for_its_end() {
    let mut rig = rig(&["range"]);
    rig.subscribe(topics(&["t"]));
    rig.take_join();
    rig.subscribe(topics(&["u"]));
    assert!(rig.take().is_empty(), "a join is under way");
    rig.assigned(1, "range", "t", &[0]);
    let (before, join, wanted) = rig.take_join();
    assert_eq!(before, [Task::Assign(Vec::new())], "topic t is not wanted any more");
    assert_eq!((join, wanted.topics), (2, vec![TopicName::new("u")]));
}

#[test]
fn what_a_leader_assigns_without_a_subscription_is_left_out_and_told() {
    let mut rig = rig(&["range"]);
    rig.subscribe(topics(&["t"]));
    rig.take_join();
    rig.assigned(1, "range", "foreign", &[0]);
    let [Task::Fail(error), Task::Assign(added)] = <[Task; 2]>::try_from(rig.take()).unwrap()
    else {
        panic!("not an error and an empty assignment")
    };
    assert_eq!((error.topic(), added.len()), (Some("foreign"), 0));
    assert!(error.message().contains("without a subscription"), "{error}");
    rig.rejoin(1);
    rig.take_join();
    rig.assigned(1, "range", "t", &[-1]);
    let tasks = rig.take();
    let [Task::Fail(error), Task::Assign(_)] = &tasks[..] else { panic!("{tasks:?}") };
    assert!(error.message().contains("assigned partition -1: no such number"), "{error}");
    rig.rejoin(2);
    rig.take_join();
    let mangled = Notice::Assigned {
        membership: membership(2),
        protocol: "range".to_owned(),
        assignment: vec![0, 0, 0x7f, 0xff, 0xff, 0xff],
    };
    rig.notice(mangled);
    let kinds: Vec<bool> = rig.take().iter().map(|task| matches!(task, Task::Fail(_))).collect();
    assert_eq!(kinds, [true, false]);
}

#[test]
fn unsubscribing_revokes_leaves_and_can_be_undone() {
    let mut rig = rig(&["range"]);
    let deadline = rig.now + MAX_AGE;
    rig.participant.handle_unsubscribe("bye", true, deadline, rig.now);
    assert!(rig.participant.is_idle() && rig.take().is_empty());
    rig.subscribe(topics(&["t"]));
    rig.assigned(1, "range", "t", &[0]);
    rig.take();
    rig.participant.handle_unsubscribe("bye", true, deadline, rig.now);
    rig.run();
    let leave = MemberCommand::Leave { reason: "bye".to_owned(), tells: true, deadline };
    assert_eq!(rig.take(), [Task::Revoke(partitions("t", &[0])), Task::Send(leave)]);
    rig.subscribe(topics(&["u"]));
    assert!(rig.take().is_empty(), "the member is still leaving");
    rig.notice(Notice::Left);
    assert_eq!(rig.take_join().2.topics, [TopicName::new("u")]);
}

#[test]
fn a_fatal_error_loses_everything_and_ends_it() {
    let mut rig = rig(&["cooperative-sticky"]);
    rig.subscribe(topics(&["t"]));
    rig.assigned(1, "cooperative-sticky", "t", &[0]);
    rig.take();
    let fenced = Error::new(ErrorKind::Fenced, "another has taken its place").with_fatal();
    rig.notice(Notice::Failed(fenced.clone()));
    assert_eq!(rig.take(), [Task::Fail(fenced), Task::Lose(partitions("t", &[0]))]);
    assert!(rig.participant.is_idle());
    rig.subscribe(topics(&["u"]));
    rig.lose(1);
    assert!(rig.take().is_empty());
}

#[test]
fn assignors_cannot_change_while_they_are_in_use() {
    let mut rig = rig(&["range"]);
    let sticky = || vec![built_in("sticky").unwrap()];
    assert!(rig.participant.set_assignors(sticky()).is_ok());
    rig.subscribe(topics(&["t"]));
    assert_eq!(rig.participant.set_assignors(sticky()).unwrap_err().kind(), ErrorKind::State);
    let names: BTreeSet<String> = BTreeSet::from(["t".to_owned()]);
    assert_eq!(rig.participant.subscription().unwrap().topics(), Some(&names));
}

#[test]
fn a_leader_that_knows_the_topics_asks_nobody() {
    let mut rig = rig(&["range"]);
    rig.subscribe(topics(&["t"]));
    let (_, _, mine) = rig.take_join();
    let lead = |generation| leads(generation, &mine, false);
    rig.notice(lead(1));
    rig.answer(vec![count("t", 1)]);
    rig.assigned(1, "range", "t", &[0]);
    rig.rejoin(1);
    rig.take();
    rig.notice(lead(2));
    let done = rig.take();
    assert!(matches!(&done[..], [Task::Send(MemberCommand::Assign { .. })]), "{done:?}");
    rig.assigned(2, "range", "t", &[0]);
    assert_eq!(rig.participant.poll_timeout(), Some(rig.now + MAX_AGE), "it still watches");
}

/// The word that this member leads, alone.
fn leads(generation: i32, mine: &Wanted, skips_assignment: bool) -> Notice {
    Notice::Lead {
        membership: membership(generation),
        protocol: "range".to_owned(),
        members: vec![JoinedMember {
            member_id: "me".to_owned(),
            group_instance_id: None,
            metadata: mine.encode().unwrap(),
        }],
        skips_assignment,
    }
}

#[test]
fn a_leader_that_returns_to_its_assignment_watches_what_that_was_made_of() {
    for answer_comes_first in [true, false] {
        let mut rig = rig(&["range"]);
        rig.subscribe(topics(&["t"]));
        let (_, _, mine) = rig.take_join();
        rig.holds = true;
        rig.notice(leads(1, &mine, true));
        if answer_comes_first {
            rig.answer(vec![count("t", 1)]);
        }
        rig.assigned(1, "range", "t", &[0]);
        if !answer_comes_first {
            // In the middle of the callback.
            rig.answer(vec![count("t", 1)]);
        }
        rig.participant.handle_assigned(rig.now);
        rig.holds = false;
        rig.now = rig.participant.poll_timeout().expect("a look at the topics");
        rig.participant.handle_timeout(rig.now);
        rig.run();
        rig.take();
        rig.participant.handle_topics(2, Ok(vec![count("t", 2)]), rig.now);
        rig.run();
        let (before, ..) = rig.take_join();
        assert_eq!(before, [Task::Revoke(partitions("t", &[0]))], "the partitions changed");
    }
}

#[test]
fn topics_that_come_after_a_leader_was_thrown_out_change_nothing() {
    let mut rig = rig(&["cooperative-sticky"]);
    rig.subscribe(topics(&["t"]));
    let (_, _, mine) = rig.take_join();
    rig.assigned(1, "cooperative-sticky", "t", &[0]);
    rig.rejoin(1);
    rig.notice(leads(2, &mine, false));
    rig.holds = true;
    rig.lose(2);
    rig.answer(vec![count("t", 1)]);
    rig.participant.handle_revoked(&partitions("t", &[0]), rig.now);
    rig.run();
    let (before, join, _) = rig.take_join();
    assert_eq!((before.last(), join), (Some(&Task::Lose(partitions("t", &[0]))), 3));
}
