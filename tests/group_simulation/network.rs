//! The connections between members and brokers, and what becomes of requests on them.

use std::collections::VecDeque;
use std::time::Duration;

use kfetch::coordinator::action::Unanswered;
use kfetch::coordinator::request::Request;
use kfetch::protocol::ErrorCode;
use kfetch::protocol::join_group::JoinGroupResponse;

use super::coordinator::Answer;
use super::event::Event;
use super::serving::{self, Arrived};
use super::weather::pick;
use super::world::{GIVEN_UP, Happening, POLL_INTERVAL, REQUEST_TIMEOUT, Time, World};

/// A connection of a process to a broker.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) client: usize,
    pub(crate) broker: usize,
    /// What has been sent and not come back, in order, each with its number.
    pub(crate) sent: VecDeque<(usize, Arrived)>,
    pub(crate) numbers: usize,
    /// What is at the broker; it takes one at a time.
    pub(crate) queue: VecDeque<Arrived>,
    /// What the broker is at.
    pub(crate) serving: Option<Arrived>,
    pub(crate) is_open: bool,
    /// When the last request reaches the broker, and the last answer the member: bytes keep their
    /// order.
    pub(crate) last_in: Time,
    pub(crate) last_out: Time,
    /// Whether a request or an answer was lost on its way: then no later one comes.
    pub(crate) is_mute: bool,
}

impl World {
    pub(crate) fn send(&mut self, client: usize, request: Request) {
        self.note(Event::Sent { client, request: request.clone() });
        let version = self.weather.version(request.api_key()).min(request.version_max());
        let mut body = Vec::new();
        self.clients[client].member.encode(&request, version, &mut body).unwrap();
        let number = self.clients[client].connection.unwrap();
        let delay = self.delay();
        let Some(link) = self.links.get_mut(&number).filter(|link| link.is_open) else { return };
        link.numbers += 1;
        let wait = request.broker_wait(POLL_INTERVAL);
        let arrived = Arrived { request, version, body };
        link.sent.push_back((link.numbers, arrived.clone()));
        let sent = link.numbers;
        link.last_in = link.last_in.max(self.now + delay);
        let delay = link.last_in - self.now;
        self.after(delay, Happening::Arrived(number, arrived));
        self.after(REQUEST_TIMEOUT + wait, Happening::TimedOut(number, sent));
    }

    /// Closes a member's connection at its wish, and gives back what is unanswered.
    pub(crate) fn hand_back(&mut self, client: usize, why: &str) {
        let Some(number) = self.clients[client].connection.take() else { return };
        let now = self.instant();
        let sent = self.shut(number);
        for (_, arrived) in sent {
            let request = arrived.request;
            let code = (why == GIVEN_UP).then_some(0);
            self.note(Event::Returned { client, request: request.clone(), code });
            let why = Unanswered::Lost(why.to_owned());
            self.clients[client].member.handle_unanswered(now, request, why);
        }
    }

    /// Closes a connection. What is at the broker is served, or not; what is on its way is not.
    pub(crate) fn shut(&mut self, number: u64) -> VecDeque<(usize, Arrived)> {
        let Some(link) = self.links.get_mut(&number) else { return VecDeque::new() };
        link.is_open = false;
        let (client, sent) = (link.client, std::mem::take(&mut link.sent));
        let queued = std::mem::take(&mut link.queue);
        if self.random.below(2) == 0 {
            for arrived in queued {
                if self.is_served(number) {
                    serving::serve(&mut self.group, self.now, number, client, &arrived);
                    self.after_group();
                }
            }
        }
        sent
    }

    pub(crate) fn closed(&mut self, number: u64, why: &str) {
        let Some(link) = self.links.get(&number) else { return };
        let client = link.client;
        if self.clients[client].connection != Some(number) {
            return;
        }
        self.note(Event::Broken { client });
        self.hand_back(client, why);
        let now = self.instant();
        self.clients[client].member.handle_disconnected(now, why);
        self.act(client);
    }

    pub(crate) fn connected(&mut self, number: u64) {
        let link = &self.links[&number];
        let client = link.client;
        if self.clients[client].connection != Some(number) {
            return;
        }
        if self.unreachable_until[link.broker] > self.now || self.is_cut_off(client) {
            self.closed(number, "refused");
            return;
        }
        let now = self.instant();
        self.clients[client].member.handle_connected(now);
        self.act(client);
    }

    pub(crate) fn arrived(&mut self, number: u64, arrived: Arrived) {
        let Some(link) = self.links.get_mut(&number).filter(|link| link.is_open) else { return };
        // What follows a lost request is lost as well.
        link.is_mute |= self.unreachable_until[link.broker] > self.now;
        if link.is_mute {
            return;
        }
        link.queue.push_back(arrived);
        self.serve(number);
    }

    fn is_served(&self, number: u64) -> bool {
        self.links[&number].broker == self.host && self.loading_until <= self.now
    }

    fn serve(&mut self, number: u64) {
        let Some(link) = self.links.get_mut(&number).filter(|link| link.serving.is_none()) else {
            return;
        };
        let Some(arrived) = link.queue.pop_front() else { return };
        let (client, broker) = (link.client, link.broker);
        link.serving = Some(arrived.clone());
        let answer = if broker != self.host {
            Some(Answer::Code(ErrorCode::NOT_COORDINATOR))
        } else if self.loading_until > self.now {
            Some(Answer::Code(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS))
        } else if self.random.below(1000) < self.weather.refused_permille(self.is_healed()) {
            let codes = [14, 15, 16];
            Some(Answer::Code(ErrorCode(codes[pick(&mut self.random, 3)])))
        } else {
            serving::serve(&mut self.group, self.now, number, client, &arrived)
        };
        self.after_group();
        if let Some(answer) = answer {
            self.answer(number, &answer);
        }
    }

    /// Sends what the coordinator has to say.
    pub(crate) fn after_group(&mut self) {
        let events = std::mem::take(&mut self.group.events);
        events.into_iter().for_each(|event| self.note(event));
        for ((number, _), answer) in std::mem::take(&mut self.group.answers) {
            self.answer(number, &answer);
        }
    }

    pub(crate) fn answer(&mut self, number: u64, answer: &Answer) {
        let delay = self.delay();
        let is_lost = self.random.below(1000) < self.weather.lost_permille(self.is_healed());
        let Some(link) = self.links.get_mut(&number) else { return };
        let Some(arrived) = link.serving.take().filter(|_| link.is_open) else { return };
        let (body, code) = serving::encode(&arrived, answer);
        link.is_mute |= self.unreachable_until[link.broker] > self.now;
        link.last_out = link.last_out.max(self.now + delay);
        let delay = link.last_out - self.now;
        if is_lost {
            self.after(delay, Happening::Closed(number));
        } else if !link.is_mute {
            self.after(delay, Happening::Answered(number, arrived, body, code));
        }
        self.serve(number);
    }

    pub(crate) fn answered(&mut self, number: u64, arrived: &Arrived, body: &[u8], code: i16) {
        let Some(link) = self.links.get_mut(&number).filter(|link| link.is_open) else { return };
        let client = link.client;
        link.sent.pop_front();
        let request = arrived.request.clone();
        self.note(Event::Returned { client, request: request.clone(), code: Some(code) });
        if let (Request::JoinGroup { .. }, 0) = (&request, code) {
            let joined = JoinGroupResponse::decode(body, arrived.version);
            let generation = joined.unwrap().generation_id;
            self.note(Event::Adopted { client, generation });
        }
        let now = self.instant();
        let member = &mut self.clients[client].member;
        member.handle_answer(now, request, arrived.version, body).unwrap();
        self.act(client);
    }

    /// Breaks all connections to a broker, or what the coordinator holds on them.
    pub(crate) fn break_links(&mut self, broker: usize) {
        let links = self.links.iter();
        let links = links.filter(|(_, link)| link.is_open && link.broker == broker);
        for number in links.map(|(number, _)| *number).collect::<Vec<_>>() {
            let delay = self.delay();
            self.after(delay, Happening::Closed(number));
        }
    }

    pub(crate) fn break_link_of(&mut self, client: usize) {
        if let Some(number) = self.clients[client].connection {
            self.after(Duration::ZERO, Happening::Closed(number));
        }
    }
}
