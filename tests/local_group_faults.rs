//! Members as processes on a log directory, killed at random moments, those that serve the group
//! among them: no acknowledged commit is lost, every record comes, the group comes to rest.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod group_processes;
mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use group_processes::checker::{Checker, MemberLog, check_quiet, check_static};
use group_processes::event::{Kind, now_us};
use group_processes::process::{Member, Spec, wait_for, wait_for_all, wait_for_owners};
use group_processes::writer::Writer;
use kfetch::backoff::Random;
use kfetch::embedded::read_offsets;
use kfetch::net::group_service::socket_path;
use support::deadline::now;
use support::temp_dir::TempDir;

/// How many processes are killed, where the environment does not say.
const KILLS: usize = 200;
const MEMBERS: usize = 4;
const PARTITIONS: usize = 6;
const TOPIC: &str = "t";
const GROUP: &str = "g";
const STRATEGIES: [&str; 3] = ["range", "cooperative-sticky", "sticky,cooperative-sticky"];
/// Replays the choices of a run, though not the moments at which they strike.
const SEED: &str = "KFETCH_TEST_SEED";

fn kills() -> usize {
    std::env::var("KFETCH_KILLS").map_or(KILLS, |kills| kills.parse().expect("a number"))
}

fn start_writer(path: &Path) -> Writer {
    Writer::start(path, (TOPIC, PARTITIONS), 5, Duration::from_millis(50))
}

/// The members of one directory, by their places.
struct Group<'a> {
    directory: &'a Path,
    strategies: &'a str,
    members: Vec<Member>,
    ended: Vec<MemberLog>,
    started: usize,
}

impl<'a> Group<'a> {
    fn new(directory: &'a Path, strategies: &'a str) -> Self {
        let (members, ended) = (Vec::new(), Vec::new());
        let mut group = Self { directory, strategies, members, ended, started: 0 };
        for place in 0..MEMBERS {
            let member = group.start(place);
            group.members.push(member);
        }
        group
    }

    /// Starts the member of a place: that of every other place is a static one, that of the first
    /// commits from time to time without a word.
    fn start(&mut self, place: usize) -> Member {
        let mut spec = Spec::new(GROUP, TOPIC)
            .with("log.dirs", self.directory.display())
            .with("group.min.session.timeout.ms", "500")
            .with("session.timeout.ms", "1000")
            .with("heartbeat.interval.ms", "200")
            .with("partition.assignment.strategy", self.strategies);
        if place % 2 == 1 {
            spec = spec.with("group.instance.id", format!("instance-{place}"));
        }
        if place == 0 {
            spec = spec
                .with("test.commit", "auto")
                .with("enable.auto.commit", "true")
                .with("auto.commit.interval.ms", "100");
        }
        self.started += 1;
        Member::start(self.directory, &format!("member-{place}#{}", self.started), &spec)
    }

    /// Returns the place of the member that serves the group, if one of them does.
    fn holder(&self) -> Option<usize> {
        let holder = holder_of(self.directory)?;
        self.members.iter().position(|member| member.id() == holder)
    }

    /// Ends the member of a place by a kill, or in order, and starts another there.
    fn replace(&mut self, place: usize, end: fn(Member) -> MemberLog) {
        let member = self.members.remove(place);
        self.ended.push(end(member));
        let new = self.start(place);
        self.members.insert(place, new);
    }

    fn commits(&mut self) -> usize {
        self.members.iter_mut().map(|member| member.count(Kind::CommitDone)).sum()
    }
}

/// Returns the process that listens on the directory's socket, as the kernel knows it.
fn holder_of(directory: &Path) -> Option<u32> {
    use std::os::fd::AsRawFd;
    let path = socket_path(directory);
    let stream = std::os::unix::net::UnixStream::connect(path).ok()?;
    let mut found = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = libc::socklen_t::try_from(size_of::<libc::ucred>()).unwrap();
    // SAFETY: the kernel writes at most `length` bytes into the structure.
    let status = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut found).cast(),
            &raw mut length,
        )
    };
    (status == 0).then(|| u32::try_from(found.pid).unwrap())
}

/// Returns the offset of each partition that was acknowledged last.
fn acknowledged(logs: &[MemberLog]) -> BTreeMap<i32, i64> {
    let mut highest = BTreeMap::new();
    let events = logs.iter().flat_map(|log| &log.events);
    for event in events.filter(|event| event.kind == Kind::CommitDone) {
        for span in &event.spans {
            let (_, number) = span.partition.rsplit_once('-').unwrap();
            let offset: &mut i64 = highest.entry(number.parse().unwrap()).or_default();
            *offset = span.first.max(*offset);
        }
    }
    highest
}

fn committed(directory: &Path) -> BTreeMap<i32, i64> {
    let offsets = read_offsets(&[directory.to_owned()]).unwrap();
    let topics = offsets.group(GROUP).expect("its offsets");
    topics[TOPIC].iter().map(|(number, found)| (*number, found.offset)).collect()
}

#[test]
fn members_and_those_that_serve_are_killed_and_nothing_is_lost() {
    let dir = TempDir::new("local-group-faults");
    let seed = std::env::var(SEED)
        .map_or_else(|_| u64::from(std::process::id()), |seed| seed.parse().expect("a number"));
    let (mut random, started) = (Random::new(seed), now());
    let strategies = STRATEGIES[usize::try_from(random.below(3)).unwrap()];
    eprintln!("{SEED}={seed}, {strategies}");
    let writer = start_writer(dir.path());
    let mut group = Group::new(dir.path(), strategies);
    wait_for_owners(&mut group.members, PARTITIONS);
    let mut holders_killed = 0;
    let kills = kills();
    for kill in 0..kills {
        // Now and then the group comes to rest, as a rule it does not.
        if kill % 25 == 24 {
            wait_for_owners(&mut group.members, PARTITIONS);
        }
        if random.below(4) == 0 {
            let before = group.commits();
            wait_for("commits go on", &mut group.members, |members| {
                let commits: usize =
                    members.iter_mut().map(|member| member.count(Kind::CommitDone)).sum();
                commits > before
            });
        }
        std::thread::park_timeout(Duration::from_millis(random.below(600)));
        if random.below(8) == 0 {
            // One stands still, past its session now and then, which it notices only later.
            let place = usize::try_from(random.below(MEMBERS as u64)).unwrap();
            group.members[place].signal(libc::SIGSTOP);
            std::thread::park_timeout(Duration::from_millis(random.below(1500)));
            group.members[place].signal(libc::SIGCONT);
        }
        let any = usize::try_from(random.below(MEMBERS as u64)).unwrap();
        let holder = if random.below(2) == 0 { group.holder() } else { None };
        holders_killed += usize::from(holder.is_some() || group.holder() == Some(any));
        group.replace(holder.unwrap_or(any), Member::kill);
        if kill % 10 == 9 {
            // The next one stops in order, and hands the group over if it serves it.
            group.replace((any + 1) % MEMBERS, Member::stop);
        }
    }
    let took = started.elapsed();
    wait_for_owners(&mut group.members, PARTITIONS);
    let ends = writer.end();
    let checker = Checker {
        // The next one who serves knows offsets alone, and a starved process is as good as gone.
        generations_restart: true,
        has_zombies: true,
        commits_silently: true,
        ..Checker::new(TOPIC, &ends)
    };
    wait_for_all(&mut group.members, &group.ended, &checker.ends);
    let Group { members, ended: mut logs, .. } = group;
    logs.extend(members.into_iter().map(Member::stop));
    let (acknowledged, committed) = (acknowledged(&logs), committed(dir.path()));
    let lost = acknowledged.iter().filter(|(number, offset)| committed[number] < **offset);
    assert_eq!(lost.count(), 0, "{acknowledged:?} were acknowledged, {committed:?} are there");
    let last: Vec<i64> = committed.into_values().collect();
    assert_eq!(last, ends, "what is committed in the end");
    checker.assert_holds(&logs);
    let records: i64 = ends.iter().sum();
    eprintln!("{kills} kills, {holders_killed} of who served, {records} records, {took:?}");
    assert!(holders_killed > kills / 8, "{holders_killed}");
}

#[test]
fn a_static_member_that_is_killed_and_returns_moves_nothing() {
    let dir = TempDir::new("local-group-static");
    let writer = start_writer(dir.path());
    let start = |name: &str, instance: &str| {
        let spec = Spec::new(GROUP, TOPIC)
            .with("log.dirs", dir.path().display())
            .with("session.timeout.ms", "60000")
            .with("heartbeat.interval.ms", "200")
            .with("group.instance.id", instance);
        Member::start(dir.path(), name, &spec)
    };
    let mut members: Vec<Member> =
        ["a", "b", "c"].iter().map(|one| start(&format!("{one}#1"), one)).collect();
    wait_for_owners(&mut members, PARTITIONS);
    let mut ended = Vec::new();
    for turn in 2..5 {
        let holder = holder_of(dir.path()).expect("one of them serves");
        let place = members.iter().position(|one| one.id() != holder).unwrap();
        let killed = members.remove(place);
        let instance = killed.name()[..1].to_owned();
        let before = killed.kill();
        members.push(start(&format!("{instance}#{turn}"), &instance));
        wait_for("it has its partitions again", &mut members, |members| {
            members.last_mut().unwrap().count(Kind::CommitDone) > 2
        });
        let mut logs: Vec<MemberLog> = members.iter_mut().map(|one| one.log().clone()).collect();
        let after = logs.pop().unwrap();
        assert_eq!(check_static(&before, &after, &logs), []);
        ended.push(before);
    }
    let checker = Checker::new(TOPIC, &writer.end());
    wait_for_all(&mut members, &ended, &checker.ends);
    ended.extend(members.into_iter().map(Member::stop));
    checker.assert_holds(&ended);
}

#[test]
fn a_process_that_serves_and_stands_still_for_less_than_a_session_moves_nothing() {
    let dir = TempDir::new("local-group-frozen");
    let writer = start_writer(dir.path());
    let spec = Spec::new(GROUP, TOPIC)
        .with("log.dirs", dir.path().display())
        .with("session.timeout.ms", "20000")
        .with("heartbeat.interval.ms", "200");
    let mut members: Vec<Member> =
        ["a", "b", "c"].map(|name| Member::start(dir.path(), name, &spec)).into();
    wait_for_owners(&mut members, PARTITIONS);
    let from = now_us();
    let holder = holder_of(dir.path()).expect("one of them serves");
    let place = members.iter().position(|one| one.id() == holder).unwrap();
    members[place].signal(libc::SIGSTOP);
    std::thread::park_timeout(Duration::from_secs(4));
    members[place].signal(libc::SIGCONT);
    let before = members[place].count(Kind::CommitDone);
    wait_for("it goes on", &mut members, |members| {
        members[place].count(Kind::CommitDone) > before + 10
    });
    let logs: Vec<MemberLog> = members.iter_mut().map(|one| one.log().clone()).collect();
    assert_eq!(check_quiet(&logs, from, now_us()), []);
    let checker = Checker { exactly_once: true, ..Checker::new(TOPIC, &writer.end()) };
    wait_for_all(&mut members, &[], &checker.ends);
    let logs: Vec<MemberLog> = members.into_iter().map(Member::stop).collect();
    checker.assert_holds(&logs);
}
