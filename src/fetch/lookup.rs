//! Offset look-ups of one consumer: start positions, resets, and the application's questions.
//!
//! Each partition that is asked for is an [`Ask`]. Asks of one leader travel together in one
//! ListOffsets request, whoever wants to know; what fails in a way that may pass is asked again
//! after a back-off, until the question's deadline. Look-ups always go to the leader.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Instant;

use super::call::ListOffsetsCall;
use super::cluster::Cluster;
use super::reply::{OffsetAnswer, OffsetsReply};
use crate::backoff::{Backoff, BackoffLimits, Random};
use crate::error::{Error, ErrorKind};
use crate::protocol::ErrorCode;
use crate::protocol::list_offsets::{ListOffsetsPartitionResponse, ListOffsetsResponse};
use crate::topic::TopicName;

/// How often a partition may be unknown before that is the answer: a topic just made is not known
/// to every broker at once.
const UNKNOWN_MAX: u32 = 3;

/// Names an ask; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AskId(u64);

/// For what an offset is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// When a cursor needs a position.
    Position {
        /// The cursor.
        cursor: u32,
        /// The cursor's stamp; the answer is void if it has changed.
        stamp: u32,
    },
    /// When the application asked.
    Question {
        /// The question's number.
        number: u64,
        /// The partition's place in it.
        place: usize,
    },
}

/// One partition that is asked for.
#[derive(Debug)]
pub struct Ask {
    /// The topic.
    pub topic: TopicName,
    /// The partition's number.
    pub partition: i32,
    /// A time in ms, or one of the constants of [`list_offsets`](crate::protocol::list_offsets).
    pub timestamp: i64,
    /// For whom.
    pub purpose: Purpose,
    backoff: Backoff,
    /// How many answers in a row said that there is no such partition.
    unknown: u32,
    /// Not before this time, after a failure.
    retry_at: Option<Instant>,
    in_flight: bool,
}

#[derive(Debug)]
struct Question {
    answers: Vec<Option<Result<OffsetAnswer, Error>>>,
    missing: usize,
    deadline: Instant,
    reply: OffsetsReply,
}

/// An ask that is settled, for a cursor.
#[derive(Debug)]
pub struct Found {
    /// The cursor.
    pub cursor: u32,
    /// The stamp it had.
    pub stamp: u32,
    /// What was asked.
    pub timestamp: i64,
    /// The answer; an offset of −1 where no record is as late.
    pub answer: Result<OffsetAnswer, Error>,
}

/// All look-ups of one consumer.
#[derive(Debug)]
pub struct Lookups {
    asks: BTreeMap<AskId, Ask>,
    next_ask: u64,
    questions: BTreeMap<u64, Question>,
    next_question: u64,
    limits: BackoffLimits,
    found: Vec<Found>,
    /// The topics of questions that are settled, once for each partition.
    left: Vec<TopicName>,
}

impl Lookups {
    /// Makes an empty set whose asks are repeated within `limits`.
    pub fn new(limits: BackoffLimits) -> Self {
        Self {
            asks: BTreeMap::new(),
            next_ask: 0,
            questions: BTreeMap::new(),
            next_question: 0,
            limits,
            found: Vec::new(),
            left: Vec::new(),
        }
    }

    /// Asks for a partition.
    pub fn ask(&mut self, topic: &TopicName, partition: i32, timestamp: i64, purpose: Purpose) {
        let id = AskId(self.next_ask);
        self.next_ask += 1;
        let ask = Ask {
            topic: topic.clone(),
            partition,
            timestamp,
            purpose,
            backoff: Backoff::default(),
            unknown: 0,
            retry_at: None,
            in_flight: false,
        };
        self.asks.insert(id, ask);
    }

    /// Asks for many partitions on behalf of the application, by `deadline`.
    pub fn question(
        &mut self,
        partitions: &[(TopicName, i32, i64)],
        deadline: Instant,
        reply: OffsetsReply,
    ) {
        let number = self.next_question;
        self.next_question += 1;
        let answers = partitions.iter().map(|_| None).collect();
        let missing = partitions.len();
        self.questions.insert(number, Question { answers, missing, deadline, reply });
        for (place, (topic, partition, timestamp)) in partitions.iter().enumerate() {
            self.ask(topic, *partition, *timestamp, Purpose::Question { number, place });
        }
        self.reply_if_complete(number);
    }

    /// Forgets what is asked for a cursor.
    pub fn forget_cursor(&mut self, gone: u32) {
        self.asks.retain(
            |_, ask| !matches!(ask.purpose, Purpose::Position { cursor, .. } if cursor == gone),
        );
    }

    /// Returns what can be asked now, by leader; a partition at most once in each leader's list.
    /// Asks whose leader is not known bring a refresh of the metadata.
    pub fn plan(
        &mut self,
        now: Instant,
        cluster: &mut Cluster,
        random: &mut Random,
    ) -> BTreeMap<i32, Vec<AskId>> {
        let mut by_leader: BTreeMap<i32, Vec<AskId>> = BTreeMap::new();
        let mut listed = HashSet::new();
        let mut lost = Vec::new();
        for (id, ask) in &mut self.asks {
            if ask.in_flight || ask.retry_at.is_some_and(|at| at > now) {
                continue;
            }
            match cluster.leadership(ask.topic.as_str(), ask.partition) {
                Some(known) if known.leader >= 0 => {
                    if listed.insert((ask.topic.clone(), ask.partition)) {
                        by_leader.entry(known.leader).or_default().push(*id);
                    }
                }
                _ => lost.push(*id),
            }
        }
        for id in lost {
            self.handle_leaderless(id, now, cluster, random);
        }
        by_leader
    }

    /// Deals with an ask whose partition has no known leader: it waits for metadata, or fails
    /// where the metadata says for good that there is no such partition.
    fn handle_leaderless(
        &mut self,
        id: AskId,
        now: Instant,
        cluster: &mut Cluster,
        random: &mut Random,
    ) {
        let Some(ask) = self.asks.get(&id) else { return };
        let Some(told) = cluster.topic(ask.topic.as_str()).and_then(|topic| topic.error_code)
        else {
            return cluster.want_refresh(now);
        };
        let is_there = cluster.leadership(ask.topic.as_str(), ask.partition).is_some();
        let code = match told {
            ErrorCode::NONE if is_there => ErrorCode::LEADER_NOT_AVAILABLE,
            ErrorCode::NONE => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            other => other,
        };
        cluster.want_refresh(now);
        self.handle_error(id, code, now, random);
    }

    /// Returns an ask.
    pub fn get(&self, id: AskId) -> Option<&Ask> {
        self.asks.get(&id)
    }

    /// Takes note that the asks are in flight.
    pub fn handle_sent(&mut self, asks: &[AskId]) {
        for id in asks {
            if let Some(ask) = self.asks.get_mut(id) {
                ask.in_flight = true;
            }
        }
    }

    /// Takes the answer to a request; tells whether metadata has turned out to be stale.
    pub fn handle_answer(
        &mut self,
        call: &ListOffsetsCall,
        answer: &ListOffsetsResponse<'_>,
        now: Instant,
        random: &mut Random,
    ) -> bool {
        let mut told: HashMap<(&str, i32), &ListOffsetsPartitionResponse> = HashMap::new();
        for topic in &answer.topics {
            for partition in &topic.partitions {
                told.entry((topic.name, partition.partition_index)).or_insert(partition);
            }
        }
        let mut stale = false;
        for id in &call.asks {
            let Some(ask) = self.asks.get(id) else { continue };
            match told.get(&(ask.topic.as_str(), ask.partition)) {
                Some(partition) if partition.error_code == ErrorCode::NONE => {
                    self.settle(*id, Ok(OffsetAnswer::of(partition)));
                }
                Some(partition) => {
                    stale = true;
                    self.handle_error(*id, partition.error_code, now, random);
                }
                // Left out of the answer: asked again.
                None => self.handle_error(*id, ErrorCode::UNKNOWN_SERVER_ERROR, now, random),
            }
        }
        stale
    }

    /// Takes note that a request was lost with its connection.
    pub fn handle_lost(&mut self, call: &ListOffsetsCall, now: Instant, random: &mut Random) {
        for id in &call.asks {
            self.postpone(*id, now, random);
        }
    }

    fn handle_error(&mut self, id: AskId, code: ErrorCode, now: Instant, random: &mut Random) {
        let Some(ask) = self.asks.get_mut(&id) else { return };
        let is_question = matches!(ask.purpose, Purpose::Question { .. });
        let given_up = match code {
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => {
                ask.unknown += 1;
                is_question && ask.unknown > UNKNOWN_MAX
            }
            ErrorCode::UNKNOWN_SERVER_ERROR => false,
            code => !code.is_retriable(),
        };
        if given_up {
            let error = partition_error(&ask.topic, ask.partition, code);
            self.settle(id, Err(error));
        } else {
            self.postpone(id, now, random);
        }
    }

    fn postpone(&mut self, id: AskId, now: Instant, random: &mut Random) {
        if let Some(ask) = self.asks.get_mut(&id) {
            ask.in_flight = false;
            ask.retry_at = Some(now + ask.backoff.next_delay(self.limits, random));
        }
    }

    fn settle(&mut self, id: AskId, answer: Result<OffsetAnswer, Error>) {
        let Some(ask) = self.asks.remove(&id) else { return };
        match ask.purpose {
            Purpose::Position { cursor, stamp } => {
                self.found.push(Found { cursor, stamp, timestamp: ask.timestamp, answer });
            }
            Purpose::Question { number, place } => {
                self.left.push(ask.topic);
                let Some(question) = self.questions.get_mut(&number) else { return };
                if let Some(slot @ None) = question.answers.get_mut(place) {
                    *slot = Some(answer);
                    question.missing -= 1;
                }
                self.reply_if_complete(number);
            }
        }
    }

    fn reply_if_complete(&mut self, number: u64) {
        if self.questions.get(&number).is_some_and(|question| question.missing == 0)
            && let Some(question) = self.questions.remove(&number)
        {
            question.reply.send(question.answers.into_iter().flatten().collect());
        }
    }

    /// Returns the next ask of a cursor that is settled.
    pub fn poll_found(&mut self) -> Option<Found> {
        self.found.pop()
    }

    /// Returns a topic that one question less uses: each was counted once for each partition.
    pub fn poll_left(&mut self) -> Option<TopicName> {
        self.left.pop()
    }

    /// Gives up all questions; nobody waits for their answers any more.
    pub fn forget_questions(&mut self) {
        for (_, ask) in std::mem::take(&mut self.asks) {
            if matches!(ask.purpose, Purpose::Question { .. }) {
                self.left.push(ask.topic);
            }
        }
        self.questions.clear();
    }

    /// Returns when [`Lookups::handle_timeout`] or [`Lookups::plan`] wants to be called.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let deadlines = self.questions.values().map(|question| question.deadline);
        let waiting = self.asks.values().filter(|ask| !ask.in_flight);
        let retries = waiting.filter_map(|ask| ask.retry_at).filter(|at| *at > now);
        deadlines.chain(retries).min()
    }

    /// Answers the questions whose time is up with what is known; `why` explains the rest.
    pub fn handle_timeout(&mut self, now: Instant, why: impl Fn() -> String) {
        let late: Vec<u64> = self
            .questions
            .iter()
            .filter(|(_, question)| question.deadline <= now)
            .map(|(number, _)| *number)
            .collect();
        for number in late {
            let open: Vec<AskId> = self
                .asks
                .iter()
                .filter(|(_, ask)| {
                    matches!(ask.purpose, Purpose::Question { number: of, .. } if of == number)
                })
                .map(|(id, _)| *id)
                .collect();
            let why = why();
            for id in open {
                let Some(ask) = self.asks.get(&id) else { continue };
                let error = if ask.unknown > 0 {
                    let code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
                    partition_error(&ask.topic, ask.partition, code)
                } else {
                    let text = format!("no answer in time: {why}");
                    Error::new(ErrorKind::Timeout, text)
                        .with_partition(ask.topic.as_str(), ask.partition)
                };
                self.settle(id, Err(error));
            }
        }
    }
}

/// Makes the error that says what a broker answered for a partition.
pub fn partition_error(topic: &TopicName, partition: i32, code: ErrorCode) -> Error {
    let kind = match code {
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => ErrorKind::UnknownTopicOrPartition,
        ErrorCode::OFFSET_OUT_OF_RANGE => ErrorKind::OffsetOutOfRange,
        ErrorCode::CORRUPT_MESSAGE => ErrorKind::Corrupt,
        _ => ErrorKind::Broker,
    };
    Error::new(kind, format!("{} ({})", code.text(), code.name()))
        .with_code(code.0)
        .with_retriable(code.is_retriable())
        .with_partition(topic.as_str(), partition)
}
