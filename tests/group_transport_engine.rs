//! Group members' requests as the engine carries them: in virtual time, without sockets.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]
#![allow(clippy::disallowed_methods, reason = "where virtual time begins")]

#[path = "support/bare_engine.rs"]
mod bare_engine;
#[path = "support/settings.rs"]
mod settings;

use std::path::PathBuf;
use std::time::Duration;

use kfetch::fetch::engine::{Address, GroupEvent};
use kfetch::fetch::failure::Failure;
use kfetch::fetch::reply::Reply;
use kfetch::protocol::ApiKey;

use bare_engine::{BareEngine, MEMBER};
use settings::{RECONNECT, TIMEOUT};

const HELLO: &[u8] = b"hello";

/// A member with a connection to its coordinator.
fn connected() -> (BareEngine, bare_engine::Peer) {
    let mut engine = BareEngine::new("kafka", 9092);
    engine.inner.connect_group(MEMBER, "10.0.0.7", 9092);
    let peer = engine.accept();
    engine.negotiate(peer, 9);
    assert!(matches!(engine.event(), Some(GroupEvent::Connected(MEMBER))));
    (engine, peer)
}

#[test]
fn a_question_waits_for_any_server_and_is_asked_for_again() {
    let mut engine = BareEngine::new("kafka", 9092);
    engine.ask_any(1, HELLO);
    let peer = engine.accept();
    assert!(engine.event().is_none());
    engine.negotiate(peer, 6);
    let Some(GroupEvent::Again(call)) = engine.event() else { panic!("it waits still") };
    assert_eq!(call.tag, 1);
    engine.ask_any(1, HELLO);
    assert_eq!(engine.take_request(peer).unwrap(), (ApiKey::FindCoordinator, 6, HELLO.to_vec()));
    engine.answer(peer, ApiKey::FindCoordinator, 6, &[0, 0, 0, 0, 42]);
    let Some(GroupEvent::Answer { call, version, body, .. }) = engine.event() else { panic!() };
    assert_eq!((call.tag, version, &body[..]), (1, 6, &[0, 0, 0, 0, 42][..]));
    // The next one finds the connection ready.
    engine.ask_any(2, HELLO);
    assert!(engine.take_request(peer).is_some());
}

fn refuse(engine: &mut BareEngine) {
    let (peer, _) = engine.poll_connect().unwrap();
    let failure = Failure::Io("connection refused".to_owned());
    engine.inner.handle_connect_failed(peer.0, &failure, engine.now);
}

#[test]
fn a_question_that_nobody_can_be_asked_says_why() {
    let mut engine = BareEngine::new("kafka", 9092);
    for tag in 1..4 {
        engine.ask_any(tag, HELLO);
        if tag > 1 {
            assert!(engine.event().is_none(), "it waits for the next attempt");
            engine.pass_time();
        }
        refuse(&mut engine);
        let Some(GroupEvent::Unanswered { call, why, is_unsupported: false }) = engine.event()
        else {
            panic!("it waits still")
        };
        assert_eq!(call.tag, tag);
        assert_eq!(why, "nobody could be asked: kafka:9092 connection refused");
    }
}

#[test]
fn a_question_waits_for_a_silent_server_as_long_as_for_an_answer() {
    let mut engine = BareEngine::new("kafka", 9092);
    engine.ask_any(1, HELLO);
    let began = engine.now;
    assert!(engine.poll_connect().is_some());
    while !engine.inner.has_group_event() {
        engine.pass_time();
    }
    assert_eq!(engine.now - began, TIMEOUT);
    assert!(matches!(engine.event(), Some(GroupEvent::Unanswered { .. })));
}

#[test]
fn a_lost_connection_hands_back_what_was_asked_before_it_is_told() {
    let (mut engine, peer) = connected();
    engine.send(1, ApiKey::JoinGroup, HELLO);
    engine.send(2, ApiKey::OffsetCommit, HELLO);
    engine.inner.handle_closed(peer.0, &Failure::Io("reset".to_owned()), engine.now);
    let mut lost = Vec::new();
    loop {
        match engine.event().unwrap() {
            GroupEvent::Unanswered { call, why, .. } => {
                assert_eq!(why, "10.0.0.7:9092 reset");
                lost.push(call.tag);
            }
            GroupEvent::Disconnected { consumer: MEMBER, why } => {
                assert_eq!(why, "10.0.0.7:9092 reset");
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(lost, [1, 2]);
    engine.send(3, ApiKey::Heartbeat, HELLO);
    assert!(matches!(engine.event(), Some(GroupEvent::Unanswered { call, .. }) if call.tag == 3));
    assert!(engine.poll_connect().is_none(), "nobody wants it yet");

    // The same coordinator is given its time.
    engine.inner.connect_group(MEMBER, "10.0.0.7", 9092);
    let began = engine.now;
    assert!(engine.poll_connect().is_none());
    engine.pass_time();
    assert!(engine.poll_connect().is_some());
    let waited = engine.now - began;
    assert!(waited >= RECONNECT * 4 / 5 && waited <= RECONNECT * 6 / 5, "{waited:?}");
    // Another one need not wait.
    engine.inner.connect_group(MEMBER, "10.0.0.8", 9092);
    assert!(engine.poll_connect().is_some());
}

#[test]
fn a_join_may_take_as_long_as_it_says_and_no_longer() {
    let (mut engine, _) = connected();
    let began = engine.now;
    engine.send_waiting(1, ApiKey::JoinGroup, Duration::from_secs(300));
    while !engine.inner.has_group_event() {
        engine.pass_time();
    }
    assert_eq!(engine.now - began, TIMEOUT + Duration::from_secs(300));
    assert!(matches!(engine.event(), Some(GroupEvent::Unanswered { .. })));
    assert!(matches!(engine.event(), Some(GroupEvent::Disconnected { .. })));
}

#[test]
fn a_coordinator_that_falls_silent_is_not_asked_for_another() {
    let mut engine = BareEngine::new("10.0.0.7", 9092);
    engine.ask_any(1, HELLO);
    let control = engine.accept();
    engine.negotiate(control, 6);
    engine.inner.connect_group(MEMBER, "10.0.0.7", 9092);
    let peer = engine.accept();
    engine.negotiate(peer, 9);
    while engine.event().is_some() {}
    engine.send(2, ApiKey::Heartbeat, HELLO);
    while engine.inner.phase(peer.0).is_some() {
        engine.pass_time();
    }
    assert!(engine.inner.phase(control.0).is_none());
    // One that breaks may be answering others.
    engine.ask_any(3, HELLO);
    engine.pass_time();
    let control = engine.accept();
    engine.negotiate(control, 6);
    engine.inner.connect_group(MEMBER, "10.0.0.7", 9092);
    let peer = engine.accept();
    engine.inner.handle_closed(peer.0, &Failure::Io("reset".to_owned()), engine.now);
    assert!(engine.inner.phase(control.0).is_some());
}

#[test]
fn what_the_broker_does_not_speak_leaves_the_connection_alone() {
    let (mut engine, peer) = connected();
    for (tag, api_key) in [(1, ApiKey::SyncGroup), (2, ApiKey::Heartbeat)] {
        // The broker lacks the first; the second cannot be written in the version it has.
        engine.send_refused(tag, api_key);
        let Some(GroupEvent::Unanswered { call, is_unsupported: true, .. }) = engine.event() else {
            panic!("{api_key:?}")
        };
        assert_eq!(call.tag, tag);
    }
    engine.send(3, ApiKey::Heartbeat, HELLO);
    assert_eq!(engine.take_request(peer).unwrap().2, HELLO);
    assert!(engine.event().is_none());
}

#[test]
fn the_version_stays_below_what_the_request_can_say() {
    let (mut engine, peer) = connected();
    engine.send_up_to(1, ApiKey::OffsetCommit, 7);
    assert_eq!(engine.take_request(peer).unwrap().1, 7);
    engine.send(2, ApiKey::OffsetCommit, HELLO);
    assert_eq!(engine.take_request(peer).unwrap().1, 9);
}

#[test]
fn a_coordinator_that_asks_for_silence_gets_it() {
    let (mut engine, peer) = connected();
    engine.send(1, ApiKey::Heartbeat, HELLO);
    engine.take_request(peer).unwrap();
    engine.answer(peer, ApiKey::Heartbeat, 4, &[0, 0, 0, 200, 0, 0, 0]);
    assert!(matches!(engine.event(), Some(GroupEvent::Answer { .. })));
    let began = engine.now;
    engine.send(2, ApiKey::OffsetCommit, HELLO);
    engine.send(3, ApiKey::Heartbeat, HELLO);
    assert!(engine.take_request(peer).is_none() && engine.event().is_none());
    engine.pass_time();
    assert_eq!(engine.now - began, Duration::from_millis(200));
    let mut again = Vec::new();
    while let Some(event) = engine.event() {
        let GroupEvent::Again(call) = event else { panic!("{event:?}") };
        again.push(call.tag);
    }
    assert_eq!(again, [2, 3], "commits stay in order");
    engine.send(2, ApiKey::OffsetCommit, HELLO);
    assert!(engine.take_request(peer).is_some());
}

#[test]
fn a_path_needs_no_resolver() {
    let mut engine = BareEngine::new("unix:/logs/.coordinator", 0);
    engine.ask_any(1, HELLO);
    let (peer, address) = engine.poll_connect().unwrap();
    assert_eq!(address, Address::Unix(PathBuf::from("/logs/.coordinator")));
    assert_eq!(engine.resolved, 0);
    let failure = Failure::Io("connection refused".to_owned());
    engine.inner.handle_connect_failed(peer.0, &failure, engine.now);
    let Some(GroupEvent::Unanswered { why, .. }) = engine.event() else { panic!("it waits") };
    assert_eq!(why, "nobody could be asked: unix:/logs/.coordinator connection refused");
    // Whoever listens there may call it by another name.
    for host in ["unix:/logs/.coordinator", "unix:logs/.coordinator", "kafka"] {
        engine.inner.connect_group(MEMBER, host, 0);
        assert_eq!(engine.poll_connect().unwrap().1, address);
    }
}

#[test]
fn a_member_that_goes_leaves_nothing_behind() {
    let (mut engine, peer) = connected();
    engine.ask_any(1, HELLO);
    engine.send(2, ApiKey::Heartbeat, HELLO);
    engine.inner.remove_cluster_user(MEMBER);
    assert!(engine.inner.phase(peer.0).is_none() && engine.inner.is_idle());
    assert!(engine.event().is_none());
    assert_eq!(engine.inner.poll_timeout(), None);
}

#[test]
fn a_consumer_and_its_member_share_the_cluster_but_no_connection() {
    let mut engine = BareEngine::new("kafka", 9092);
    engine.add_consumer();
    let deadline = engine.now + TIMEOUT;
    engine.inner.handle_topics_question(MEMBER, None, deadline, Reply::new(drop));
    engine.ask_any(1, HELLO);
    let peer = engine.accept();
    engine.negotiate(peer, 9);
    assert_eq!(engine.take_request(peer).unwrap().0, ApiKey::Metadata);
    let Some(GroupEvent::Again(_)) = engine.event() else { panic!("it waits still") };
    engine.ask_any(1, HELLO);
    assert_eq!(engine.take_request(peer).unwrap().0, ApiKey::FindCoordinator);
    engine.inner.connect_group(MEMBER, "kafka", 9092);
    assert_ne!(engine.accept(), peer);
    // Either may go first.
    engine.inner.remove_cluster_user(MEMBER);
    assert!(engine.inner.phase(peer.0).is_some() && !engine.inner.is_idle());
    engine.inner.remove_consumer(MEMBER);
    assert!(engine.inner.phase(peer.0).is_none() && engine.inner.is_idle());
}
