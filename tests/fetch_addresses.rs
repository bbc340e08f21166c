//! Names with several addresses: the engine in virtual time, without sockets.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]
#![allow(clippy::disallowed_methods, reason = "where virtual time begins")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kfetch::Logger;
use kfetch::backoff::BackoffLimits;
use kfetch::buffer::Budget;
use kfetch::fetch::call::ConsumerId;
use kfetch::fetch::cluster::ClusterSettings;
use kfetch::fetch::connection::{AddressFamily, ConnectionId, ConnectionSettings, SocketSettings};
use kfetch::fetch::consumer::{FetchSettings, ResetPolicy};
use kfetch::fetch::engine::{Action, Address, FetchEngine};
use kfetch::fetch::failure::Failure;
use kfetch::fetch::reply::Reply;
use kfetch::ring::bridge::{Bridge, LoopParker, LoopSignal};
use kfetch::ring::park::{Parker, Signal};

const SETUP: Duration = Duration::from_secs(10);

struct NoSignal;

impl Signal for NoSignal {
    fn signal(&self) {}
}

/// An engine that wants the metadata of one bootstrap server.
fn engine(now: Instant) -> FetchEngine {
    let second = Duration::from_secs(1);
    let limits = BackoffLimits { initial: second, max: second };
    let cluster = ClusterSettings {
        bootstrap: vec![("kafka".to_owned(), 9092)],
        client_id: "test".to_owned(),
        metadata_max_age: SETUP,
        allow_auto_create_topics: false,
        retry: limits,
        reconnect: limits,
        setup_timeout: BackoffLimits { initial: SETUP, max: SETUP },
        rebootstrap: true,
    };
    let settings = FetchSettings {
        min_bytes: 1,
        max_wait_ms: 500,
        max_bytes: 1 << 20,
        partition_max_bytes: 1 << 20,
        check_crcs: true,
        partition_eof: false,
        reset: ResetPolicy::Latest,
        retry: limits,
        connection: ConnectionSettings {
            client_id: "test".to_owned(),
            request_timeout: SETUP,
            receive_max_bytes: 1 << 20,
            idle_max: None,
            fetch_version_max: 12,
            family: AddressFamily::Any,
            socket: SocketSettings::default(),
        },
        epoch: (now, 0),
    };
    let signal: LoopSignal = Box::new(NoSignal);
    let parker: Arc<LoopParker> = Arc::new(Parker::new(signal));
    let bridge = Bridge::new(parker).unwrap();
    let mut engine = FetchEngine::new(Arc::new(Logger::new(|_, _, _| {})), 1);
    let budget = Budget::new(1 << 20, Box::new(|| {}));
    engine.add_consumer(ConsumerId(1), &cluster, settings, bridge, budget, now);
    let deadline = now + 100 * SETUP;
    engine.handle_topics_question(ConsumerId(1), None, deadline, Reply::new(drop));
    engine.drive(now);
    engine
}

fn addresses() -> Vec<SocketAddr> {
    ["10.0.0.1:9092", "10.0.0.2:9092", "10.0.0.3:9092"].map(|text| text.parse().unwrap()).into()
}

/// Resolves the name that is to be resolved; returns the connection and the address to try.
fn resolve(engine: &mut FetchEngine, now: Instant) -> (ConnectionId, SocketAddr) {
    loop {
        match engine.poll_action().unwrap() {
            Action::Resolve { connection, .. } => {
                engine.handle_resolved(connection, Ok(addresses()), now);
            }
            Action::Connect { connection, address: Address::Tcp(address) } => {
                return (connection, address);
            }
            _ => {}
        }
    }
}

/// Runs the engine to its next deadline and a little beyond.
fn pass_time(engine: &mut FetchEngine, now: &mut Instant, time: Duration) {
    *now += time;
    engine.handle_timeout(*now);
}

#[test]
fn a_refused_connection_brings_the_next_address() {
    let now = Instant::now();
    let mut engine = engine(now);
    let (connection, first) = resolve(&mut engine, now);
    engine.handle_connect_failed(connection, &Failure::Io("refused".to_owned()), now);
    let (again, second) = resolve(&mut engine, now);
    assert_eq!((connection, first, second), (again, addresses()[0], addresses()[1]));
}

#[test]
fn an_address_that_never_answers_does_not_keep_the_others_from_their_turn() {
    let mut now = Instant::now();
    let mut engine = engine(now);
    let mut tried = Vec::new();
    for _ in 0..addresses().len() + 1 {
        tried.push(resolve(&mut engine, now).1);
        pass_time(&mut engine, &mut now, SETUP);
        pass_time(&mut engine, &mut now, Duration::from_secs(2));
    }
    let mut all = addresses();
    all.push(addresses()[0]);
    assert_eq!(tried, all);
}
