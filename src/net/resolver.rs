//! Resolves names on a thread of its own, since the operating system's resolver blocks.

#![forbid(unsafe_code)]

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use crossbeam::channel::{Receiver, Sender, unbounded};

use crate::fetch::connection::ConnectionId;
use crate::ring::bridge::LoopParker;
use crate::ring::thread;

/// A name's addresses, or why there are none.
pub(super) type Resolved = Result<Vec<SocketAddr>, String>;

struct Question {
    connection: ConnectionId,
    host: String,
    port: u16,
}

/// The loop's side of the resolver thread, which starts with the first name and ends with this.
#[derive(Debug)]
pub(super) struct Resolver {
    questions: Option<Sender<Question>>,
    answers: Receiver<(ConnectionId, Resolved)>,
    answering: Sender<(ConnectionId, Resolved)>,
    parker: Arc<LoopParker>,
}

impl Resolver {
    pub(super) fn new(parker: Arc<LoopParker>) -> Self {
        let (answering, answers) = unbounded();
        Self { questions: None, answers, answering, parker }
    }

    /// Asks for a name; the answer comes out of [`Resolver::poll_answer`] and wakes the loop.
    pub(super) fn ask(&mut self, connection: ConnectionId, host: String, port: u16) {
        if let Ok(address) = host.parse::<IpAddr>() {
            let known = Ok(vec![SocketAddr::new(address, port)]);
            drop(self.answering.send((connection, known)));
            return;
        }
        let started = match &self.questions {
            Some(questions) => Ok(questions.clone()),
            None => self.start(),
        };
        match started {
            Ok(questions) => drop(questions.send(Question { connection, host, port })),
            Err(error) => {
                let text = format!("no thread to resolve it on: {error}");
                drop(self.answering.send((connection, Err(text))));
            }
        }
    }

    fn start(&mut self) -> io::Result<Sender<Question>> {
        let (sender, questions) = unbounded::<Question>();
        let (answers, parker) = (self.answering.clone(), Arc::clone(&self.parker));
        // Nobody waits for this thread: a resolver may hang for as long as it likes.
        thread::spawn("kfetch-dns", move || {
            for Question { connection, host, port } in questions {
                if answers.send((connection, resolve(&host, port))).is_err() {
                    return;
                }
                parker.notify();
            }
        })?;
        self.questions = Some(sender.clone());
        Ok(sender)
    }

    pub(super) fn poll_answer(&self) -> Option<(ConnectionId, Resolved)> {
        self.answers.try_recv().ok()
    }

    /// Tells whether an answer waits.
    pub(super) fn has_answer(&self) -> bool {
        !self.answers.is_empty()
    }
}

fn resolve(host: &str, port: u16) -> Resolved {
    match (host, port).to_socket_addrs() {
        Ok(addresses) => Ok(addresses.collect()),
        Err(error) => Err(error.to_string()),
    }
}
