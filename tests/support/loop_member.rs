//! A member of a group on a loop of its own, driven by commands and seen through its notices.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, unbounded};

use kfetch::Logger;
use kfetch::backoff::BackoffLimits;
use kfetch::coordinator::command::{Commit, CommitOffset, MemberCommand};
use kfetch::coordinator::notice::{Membership, Notice};
use kfetch::coordinator::poll_clock::PollClock;
use kfetch::coordinator::settings::MemberSettings;
use kfetch::fetch::call::ConsumerId;
use kfetch::fetch::cluster::ClusterSettings;
use kfetch::fetch::reply::Reply;
use kfetch::net::command::{Commands, NewMember, What};
use kfetch::net::event_loop::EventLoop;
use kfetch::net::group_service::{ServiceSettings, socket_path};
use kfetch::ring::bridge::Bridge;
use kfetch::ring::park::Signal;
use kfetch::topic::TopicName;

use crate::settings::{cluster_settings, connection_settings};

/// The member's number in its loop.
pub(crate) const MEMBER: ConsumerId = ConsumerId(1);

/// How long a notice may take.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// A loop with one member. Both end with this.
#[derive(Debug)]
pub(crate) struct LoopMember {
    pub(crate) bridge: Arc<Bridge>,
    pub(crate) notices: Receiver<Notice>,
    commands: Option<Commands>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

/// Returns settings by which a member's heartbeats follow each other quickly.
pub(crate) fn member_settings(group_id: &str) -> MemberSettings {
    MemberSettings {
        group_id: group_id.to_owned(),
        group_instance_id: None,
        session_timeout: Duration::from_secs(10),
        heartbeat_interval: Duration::from_millis(100),
        max_poll_interval: Duration::from_secs(60),
        request_timeout: Duration::from_secs(30),
        retry: BackoffLimits {
            initial: Duration::from_millis(50),
            max: Duration::from_millis(500),
        },
    }
}

impl LoopMember {
    /// Starts a member whose cluster has these bootstrap servers.
    pub(crate) fn start(bootstrap: &[(&str, u16)], settings: MemberSettings) -> Self {
        Self::start_in(cluster_settings(bootstrap), settings, None)
    }

    /// Starts a member of a log directory's group.
    pub(crate) fn start_on_directory(dir: &Path, settings: MemberSettings) -> Self {
        let host = format!("unix:{}", socket_path(dir).display());
        let service = ServiceSettings::new(dir.to_owned());
        Self::start_in(cluster_settings(&[(&host, 0)]), settings, Some(service))
    }

    pub(crate) fn start_in(
        cluster: ClusterSettings,
        settings: MemberSettings,
        service: Option<ServiceSettings>,
    ) -> Self {
        let (event_loop, commands) =
            EventLoop::new(Arc::new(Logger::new(|_, _, _| {})), 1).unwrap();
        let bridge = Bridge::new(Arc::clone(commands.parker())).unwrap();
        let (sender, notices) = unbounded();
        let new = NewMember {
            cluster,
            connection: connection_settings(),
            settings,
            notices: sender,
            bridge: Arc::clone(&bridge),
            clock: Arc::new(PollClock::new(Instant::now())),
            service,
        };
        assert!(commands.send(MEMBER, What::AddMember(Box::new(new))));
        let thread = std::thread::spawn(move || event_loop.run());
        Self { bridge, notices, commands: Some(commands), thread: Some(thread) }
    }

    /// Gives the loop a command for the consumer that has the member.
    pub(crate) fn send(&self, what: What) {
        assert!(self.commands.as_ref().unwrap().send(MEMBER, what));
    }

    pub(crate) fn tell(&self, command: MemberCommand) {
        self.send(What::Member(command));
    }

    pub(crate) fn notice(&self) -> Notice {
        self.notices.recv_timeout(SOON).unwrap()
    }

    /// Joins as the only member, and takes `assignment` for itself.
    pub(crate) fn join(&self, subscription: &[u8], assignment: &[u8]) -> Membership {
        let protocols = vec![("range".to_owned(), subscription.to_vec())];
        self.tell(MemberCommand::Join { join: 1, protocols, reason: "a test".to_owned() });
        let lead = self.notice();
        let Notice::Lead { membership, protocol, members, skips_assignment: false } = lead else {
            panic!("{lead:?}")
        };
        assert_eq!((protocol.as_str(), members.len()), ("range", 1));
        assert_eq!(members[0].metadata, subscription);
        let assignments = vec![(members[0].member_id.clone(), assignment.to_vec())];
        self.tell(MemberCommand::Assign { generation: membership.generation, assignments });
        let assigned = self.notice();
        let Notice::Assigned { membership, assignment: got, .. } = assigned else {
            panic!("{assigned:?}")
        };
        assert_eq!(got, assignment);
        membership
    }

    /// Commits an offset of partition 0 and waits until that is done.
    pub(crate) fn commit(&self, topic: &str, offset: i64, membership: Option<Membership>) {
        let metadata = format!("up to {offset}");
        let topic = TopicName::new(topic);
        let offset = CommitOffset { topic, partition: 0, offset, leader_epoch: 0, metadata };
        self.tell(MemberCommand::Commit(Commit {
            id: 5,
            offsets: vec![offset],
            membership,
            retries: true,
            deadline: Instant::now() + SOON,
        }));
        assert_eq!(self.notice(), Notice::Committed { id: 5, result: Ok(vec![Ok(())]) });
    }

    pub(crate) fn leave(&self) {
        let deadline = Instant::now() + SOON;
        self.tell(MemberCommand::Leave { reason: "done".to_owned(), tells: true, deadline });
        assert_eq!(self.notice(), Notice::Left);
    }

    /// Takes the member out of the loop.
    pub(crate) fn remove(&self) {
        let (sender, done) = unbounded();
        self.send(What::RemoveMember(Reply::new(move |()| sender.send(()).unwrap())));
        done.recv_timeout(SOON).unwrap();
    }

    /// Ends the loop.
    pub(crate) fn end(&mut self) {
        let Some(commands) = self.commands.take() else { return };
        let parker = Arc::clone(commands.parker());
        drop(commands);
        parker.signal().signal();
        self.thread.take().unwrap().join().unwrap().unwrap();
    }
}

impl Drop for LoopMember {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.end();
        }
    }
}
