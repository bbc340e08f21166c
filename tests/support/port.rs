//! Ports on 127.0.0.1 for servers that are told their port.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};

/// Below the ports that Linux gives to outgoing connections (from 32768 on), because such a
/// connection, even one of a client to the very port it looks for, would take the port of a server
/// while that server is down.
const PORTS: std::ops::Range<u16> = 12_000..32_000;

static TAKEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);

/// Returns a port that nobody listens on and that this process has not been given before.
pub(crate) fn free_port() -> u16 {
    let mut guard = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let taken = guard.get_or_insert_default();
    loop {
        let span = u64::from(PORTS.end - PORTS.start);
        let random = RandomState::new().build_hasher().finish() % span;
        let port = PORTS.start + u16::try_from(random).expect("the span fits");
        if taken.insert(port) && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}
