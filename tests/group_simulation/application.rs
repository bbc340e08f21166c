//! The application of one member: it polls, reads and ends. How it answers the group is one of two
//! things, the model of an application or the participant that consumers have.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kfetch::coordinator::notice::{Membership, Notice};
use kfetch::coordinator::poll_clock::PollClock;

use super::event::Event;
use super::model::Model;
use super::participation::Participation;
use super::reader::Reader;
use super::record_log::RecordLog;

pub(crate) const LEAVE_TIME: Duration = Duration::from_secs(5);

/// Of so many turns of a fickle application one makes its group rebalance.
const STEADY_TURNS: u64 = 60;

/// The application of one member.
#[derive(Debug)]
pub(crate) struct Application {
    pub(crate) clock: Arc<PollClock>,
    pub(crate) notices: VecDeque<Notice>,
    pub(crate) reader: Reader,
    pub(crate) side: Side,
    is_static: bool,
    turns: u64,
    /// Whether it ends only when no rebalance keeps it from committing.
    ends_settled: bool,
    pub(crate) state: Life,
}

/// How an application answers its group.
#[derive(Debug)]
pub(crate) enum Side {
    Model(Model),
    Participation(Box<Participation>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    New,
    Running,
    /// When it is to end.
    Ending,
    Leaving,
    Ended,
    /// When its membership has failed for good.
    Failed,
}

impl Application {
    pub(crate) fn new(
        now: Instant,
        reader: Reader,
        side: Side,
        is_static: bool,
        ends_settled: bool,
    ) -> Self {
        Self {
            clock: Arc::new(PollClock::new(now)),
            notices: VecDeque::new(),
            reader,
            side,
            is_static,
            turns: 0,
            ends_settled,
            state: Life::New,
        }
    }

    /// One poll, with the partitions' logs; one that is not `settled` pauses and seeks.
    pub(crate) fn turn(&mut self, now: Instant, logs: &[RecordLog], settled: bool) {
        self.clock.begin_poll();
        self.turns += 1;
        if self.state == Life::New {
            self.state = Life::Running;
            match &mut self.side {
                Side::Model(model) => model.join(&mut self.reader, "it starts"),
                Side::Participation(side) => side.subscribe(now, logs.len()),
            }
        }
        while let Some(notice) = self.notices.pop_front() {
            self.take(now, notice, logs.len());
        }
        if let Side::Participation(side) = &mut self.side {
            self.state = side.drive(now, &mut self.reader, self.state);
        }
        match self.state {
            Life::Ending if !self.ends_settled || self.is_settled() => self.leave(now),
            Life::Running | Life::Ending if self.reads() => self.read(now, logs, settled),
            _ => {}
        }
        self.clock.end_poll(now);
    }

    /// Now and then a participant's application wishes for a rebalance, or leaves and comes back.
    pub(crate) fn stir(&mut self, now: Instant, partitions: usize) {
        let Side::Participation(side) = &mut self.side else { return };
        if self.state != Life::Running || !self.reader.has_whim(STEADY_TURNS) {
            return;
        }
        if self.reader.has_whim(2) {
            side.enforce_rebalance(now);
            return;
        }
        side.leave(now, true);
        // It is told of both at once, or has begun to leave before.
        if self.reader.has_whim(2) {
            side.drive(now, &mut self.reader, self.state);
        }
        side.subscribe(now, partitions);
    }

    fn take(&mut self, now: Instant, notice: Notice, partitions: usize) {
        match notice {
            Notice::Fetched { id, result } => self.reader.handle_fetched(id, result),
            Notice::Committed { id, .. } => {
                self.reader.events.push(Event::Told { client: self.reader.client, id });
                match &mut self.side {
                    Side::Model(model) => model.handle_committed(&mut self.reader, id),
                    Side::Participation(side) => side.handle_committed(id),
                }
            }
            notice => match &mut self.side {
                Side::Model(model) => {
                    self.state = model.take(now, notice, &mut self.reader, self.state, partitions);
                }
                Side::Participation(side) => side.handle_notice(now, notice),
            },
        }
    }

    fn read(&mut self, now: Instant, logs: &[RecordLog], settled: bool) {
        match settled {
            true => self.reader.resume_all(),
            false => self.reader.wander(logs),
        }
        self.reader.consume(now, logs);
        if self.turns.is_multiple_of(5) {
            let membership = self.membership().cloned();
            self.reader.commit(now, membership.as_ref(), false);
        }
    }

    fn leave(&mut self, now: Instant) {
        self.state = Life::Leaving;
        let tells = !self.is_static;
        match &mut self.side {
            Side::Model(model) => model.leave(now, &mut self.reader, tells),
            Side::Participation(side) => {
                side.leave(now, tells);
                self.state = side.drive(now, &mut self.reader, self.state);
            }
        }
    }

    fn membership(&self) -> Option<&Membership> {
        match &self.side {
            Side::Model(model) => model.membership(),
            Side::Participation(side) => side.membership(),
        }
    }

    fn reads(&self) -> bool {
        match &self.side {
            Side::Model(model) => !model.is_waiting(),
            Side::Participation(_) => true,
        }
    }

    fn is_settled(&self) -> bool {
        match &self.side {
            Side::Model(model) => model.is_settled(),
            Side::Participation(side) => side.is_settled(),
        }
    }
}
