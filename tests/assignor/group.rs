//! A group that members join and leave, change their minds in, and tell old news to.

use std::collections::BTreeMap;
use std::sync::Arc;

use kfetch::coordinator::assignor::{
    Assignor, ClusterTopics, GroupMember, MemberAssignment, Subscription, built_in,
};
use kfetch::coordinator::notice::JoinedMember;
use kfetch::protocol::consumer_protocol::{ConsumerProtocolSubscription, TopicPartitions};
use kfetch::topic::TopicName;
use kfetch::wire::Int32Array;

use super::random::Random;

/// What a random group is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    pub(crate) members_max: usize,
    pub(crate) topics_max: usize,
    pub(crate) partitions_max: usize,
    /// Whether all members subscribe to the same topics.
    pub(crate) equal: bool,
    pub(crate) racks: bool,
    /// Whether members claim what is not theirs, miss generations and write old versions.
    pub(crate) unruly: bool,
}

/// A member between two generations.
#[derive(Debug)]
pub(crate) struct Client {
    id: String,
    instance: Option<String>,
    topics: Vec<String>,
    rack: Option<String>,
    /// The version of the subscription that it writes.
    version: i16,
    owned: Vec<(TopicName, i32)>,
    generation: Option<i32>,
    assignor: Box<dyn Assignor>,
}

/// A group and its cluster.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) manner: Manner,
    pub(crate) random: Random,
    strategy: &'static str,
    /// Topics with the racks of each partition's replicas.
    topics: BTreeMap<String, Vec<Vec<Arc<str>>>>,
    clients: Vec<Client>,
    generation: i32,
    born: usize,
}

const RACKS: [&str; 4] = ["a", "b", "c", "d"];

impl Group {
    pub(crate) fn new(strategy: &'static str, manner: Manner, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let count = 1 + random.below(manner.topics_max);
        let mut group = Self {
            manner,
            strategy,
            topics: BTreeMap::new(),
            clients: Vec::new(),
            generation: 0,
            born: 0,
            random,
        };
        (0..count).for_each(|topic| group.add_topic(topic));
        for _ in 0..1 + group.random.below(manner.members_max) {
            group.join();
        }
        group
    }

    /// Returns the topics as the leader sees them.
    pub(crate) fn cluster(&self) -> ClusterTopics {
        let mut cluster = ClusterTopics::new();
        for (topic, racks) in &self.topics {
            cluster.insert_with_racks(TopicName::new(topic), racks.clone());
        }
        cluster
    }

    /// Returns the members with their subscriptions' bytes.
    pub(crate) fn joined(&self) -> Vec<JoinedMember> {
        let joined = self.clients.iter().map(|client| JoinedMember {
            member_id: client.id.clone(),
            group_instance_id: client.instance.clone(),
            metadata: client.subscription(self.strategy),
        });
        joined.collect()
    }

    /// Ends a generation: the members hear what they have got, some do not.
    pub(crate) fn hear(&mut self, assignments: &[MemberAssignment]) {
        self.generation += 1;
        for client in &mut self.clients {
            let found = assignments.iter().find(|found| found.member_id == client.id).unwrap();
            if self.manner.unruly && self.random.chance(10) {
                continue;
            }
            client.owned.clone_from(&found.assignment.partitions);
            client.generation = Some(self.generation);
            client.assignor.handle_assignment(&found.assignment, self.generation);
        }
    }

    /// Lets something happen before the next generation.
    pub(crate) fn change(&mut self) {
        match self.random.below(8) {
            0 | 1 => self.join(),
            2 | 3 => self.leave(),
            4 if !self.manner.equal => {
                let topics = self.choice();
                let client = self.random.below(self.clients.len());
                self.clients[client].topics = topics;
            }
            5 => self.add_topic(self.topics.len()),
            6 if self.manner.unruly && self.topics.len() > 1 && self.random.chance(30) => {
                let names: Vec<String> = self.topics.keys().cloned().collect();
                let gone = self.random.pick(&names).clone();
                self.topics.remove(&gone);
            }
            _ => {}
        }
        if self.manner.unruly && self.random.chance(30) {
            self.claim();
        }
    }

    /// One member more.
    pub(crate) fn join(&mut self) {
        self.born += 1;
        let salt = self.random.next();
        let id = match self.born % 7 {
            0 => format!("é\u{1D11E}-{salt:x}"),
            1 => format!("consumer-{}", self.born),
            _ => format!("client-{salt:016x}"),
        };
        let old = self.manner.unruly && self.random.chance(20);
        let client = Client {
            id,
            instance: self.random.chance(20).then(|| format!("instance-{}", self.born)),
            topics: self.choice(),
            rack: (self.manner.racks && self.random.chance(80))
                .then(|| (*self.random.pick(&RACKS)).to_owned()),
            version: if old { i16::try_from(self.random.below(4)).unwrap() } else { 3 },
            owned: Vec::new(),
            generation: None,
            assignor: built_in(self.strategy).unwrap(),
        };
        let at = self.random.below(self.clients.len() + 1);
        self.clients.insert(at, client);
    }

    /// One member less, unless it is the last.
    pub(crate) fn leave(&mut self) {
        if self.clients.len() > 1 {
            let client = self.random.below(self.clients.len());
            self.clients.remove(client);
        }
    }

    fn add_topic(&mut self, number: usize) {
        let name = format!("{}{number}", self.random.pick(&["orders", "t", "clicks.of_day-"]));
        let count = self.random.below(self.manner.partitions_max + 1);
        let everywhere = self.random.chance(20);
        let racks = (0..count).map(|_| self.racks(everywhere)).collect();
        self.topics.insert(name, racks);
        if self.manner.equal {
            let topics = self.choice();
            self.clients.iter_mut().for_each(|client| client.topics.clone_from(&topics));
        }
    }

    fn racks(&mut self, everywhere: bool) -> Vec<Arc<str>> {
        if !self.manner.racks || self.random.chance(5) {
            return Vec::new();
        }
        let chosen = |random: &mut Random| everywhere || random.chance(40);
        RACKS.iter().filter(|_| chosen(&mut self.random)).map(|rack| (*rack).into()).collect()
    }

    /// Topics to subscribe to; a missing one among them now and then.
    fn choice(&mut self) -> Vec<String> {
        let mut topics: Vec<String> = self.topics.keys().cloned().collect();
        if self.manner.equal {
            return topics;
        }
        topics.retain(|_| self.random.chance(60));
        if self.random.chance(10) {
            topics.push("missing".to_owned());
        }
        topics
    }

    /// Somebody claims what is another's.
    fn claim(&mut self) {
        let from = self.random.below(self.clients.len());
        let to = self.random.below(self.clients.len());
        let claimed = self.clients[from].owned.clone();
        let generation = self.clients[from].generation;
        let count = self.random.below(claimed.len() + 1);
        let client = &mut self.clients[to];
        client.owned.extend(claimed.into_iter().take(count));
        if self.random.chance(50) {
            client.generation = generation;
        }
        let mut assignment = MemberAssignment::nothing(&client.member()).assignment;
        assignment.partitions.clone_from(&client.owned);
        client.assignor.handle_assignment(&assignment, client.generation.unwrap_or(-1));
    }
}

impl Client {
    fn member(&self) -> GroupMember {
        GroupMember {
            member_id: self.id.clone(),
            group_instance_id: self.instance.clone(),
            subscription: Subscription::default(),
        }
    }

    fn subscription(&self, strategy: &str) -> Vec<u8> {
        let topics: Vec<TopicName> =
            self.topics.iter().map(|topic| TopicName::new(topic)).collect();
        let user_data = self.assignor.user_data(&topics);
        // An eager member gives everything up before it joins.
        let owned = if strategy == "cooperative-sticky" { self.owned.as_slice() } else { &[] };
        let owned_partitions = owned.iter().map(|(topic, partition)| TopicPartitions {
            topic: topic.as_str(),
            partitions: Int32Array::Values(std::slice::from_ref(partition)),
        });
        let subscription = ConsumerProtocolSubscription {
            topics: self.topics.iter().map(String::as_str).collect(),
            user_data: user_data.as_deref(),
            owned_partitions: owned_partitions.collect(),
            generation_id: self.generation.unwrap_or(-1),
            rack_id: self.rack.as_deref(),
        };
        let mut bytes = Vec::new();
        subscription.encode(self.version, &mut bytes).unwrap();
        bytes
    }
}

/// Reads the members' bytes, which are good here.
pub(crate) fn members(joined: &[JoinedMember]) -> Vec<GroupMember> {
    let members = joined.iter().map(|member| GroupMember {
        member_id: member.member_id.clone(),
        group_instance_id: member.group_instance_id.clone(),
        subscription: Subscription::decode(&member.metadata).unwrap(),
    });
    members.collect()
}
