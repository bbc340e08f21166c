//! Every error code of every API: what the member does, after how long, and what it tells.

#![forbid(unsafe_code)]

use super::*;
use crate::error::ErrorKind;

/// What an error code leads to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    /// When the same is asked again after the back-off, and nothing is told.
    Retries,
    /// When the coordinator is looked for first.
    Rediscovers,
    /// When it joins again by itself, with the same wish.
    JoinsAgain,
    /// When it joins again at once.
    JoinsAtOnce,
    /// When the membership is lost, the id with it.
    Lost,
    /// When the membership is lost, but not the id.
    LostButId,
    /// When the application is asked to join again.
    Rejoins,
    /// When membership is over for good.
    Fatal(ErrorKind),
    /// When it is told, once in a row, and tried again.
    ToldAndRetried,
    /// When the command is answered with the error.
    Answered(ErrorKind),
    /// When each partition is answered with the error.
    AnsweredEach(ErrorKind),
    /// When the leave is over.
    Left,
}

use Outcome::*;

const ROWS: [(ApiKey, i16, Outcome); 80] = [
    (ApiKey::FindCoordinator, 15, Retries),
    (ApiKey::FindCoordinator, 14, Retries),
    (ApiKey::FindCoordinator, 7, Retries),
    (ApiKey::FindCoordinator, 30, Fatal(ErrorKind::Broker)),
    (ApiKey::FindCoordinator, 24, Fatal(ErrorKind::Broker)),
    (ApiKey::FindCoordinator, 35, Fatal(ErrorKind::UnsupportedVersion)),
    (ApiKey::FindCoordinator, -1, ToldAndRetried),
    (ApiKey::FindCoordinator, 31, ToldAndRetried),
    (ApiKey::JoinGroup, 14, Retries),
    (ApiKey::JoinGroup, 15, Rediscovers),
    (ApiKey::JoinGroup, 16, Rediscovers),
    (ApiKey::JoinGroup, 22, LostButId),
    (ApiKey::JoinGroup, 23, Fatal(ErrorKind::Broker)),
    (ApiKey::JoinGroup, 24, Fatal(ErrorKind::Broker)),
    (ApiKey::JoinGroup, 25, Lost),
    (ApiKey::JoinGroup, 26, Fatal(ErrorKind::Broker)),
    (ApiKey::JoinGroup, 27, Retries),
    (ApiKey::JoinGroup, 30, Fatal(ErrorKind::Broker)),
    (ApiKey::JoinGroup, 35, Fatal(ErrorKind::UnsupportedVersion)),
    (ApiKey::JoinGroup, 79, JoinsAtOnce),
    (ApiKey::JoinGroup, 81, Fatal(ErrorKind::Broker)),
    (ApiKey::JoinGroup, 82, Fatal(ErrorKind::Fenced)),
    (ApiKey::JoinGroup, -1, ToldAndRetried),
    (ApiKey::JoinGroup, 42, ToldAndRetried),
    (ApiKey::SyncGroup, 14, JoinsAgain),
    (ApiKey::SyncGroup, 15, JoinsAgain),
    (ApiKey::SyncGroup, 16, JoinsAgain),
    (ApiKey::SyncGroup, 22, LostButId),
    (ApiKey::SyncGroup, 23, Fatal(ErrorKind::Broker)),
    (ApiKey::SyncGroup, 25, Lost),
    (ApiKey::SyncGroup, 27, JoinsAgain),
    (ApiKey::SyncGroup, 30, Fatal(ErrorKind::Broker)),
    (ApiKey::SyncGroup, 35, Fatal(ErrorKind::UnsupportedVersion)),
    (ApiKey::SyncGroup, 82, Fatal(ErrorKind::Fenced)),
    (ApiKey::Heartbeat, 14, Retries),
    (ApiKey::Heartbeat, 15, Rediscovers),
    (ApiKey::Heartbeat, 16, Rediscovers),
    (ApiKey::Heartbeat, 22, LostButId),
    (ApiKey::Heartbeat, 25, Lost),
    (ApiKey::Heartbeat, 27, Rejoins),
    (ApiKey::Heartbeat, 30, Fatal(ErrorKind::Broker)),
    (ApiKey::Heartbeat, 35, Fatal(ErrorKind::UnsupportedVersion)),
    (ApiKey::Heartbeat, 82, Fatal(ErrorKind::Fenced)),
    (ApiKey::Heartbeat, -1, ToldAndRetried),
    (ApiKey::OffsetCommit, 3, Retries),
    (ApiKey::OffsetCommit, 7, Rediscovers),
    (ApiKey::OffsetCommit, 12, AnsweredEach(ErrorKind::Broker)),
    (ApiKey::OffsetCommit, 14, Retries),
    (ApiKey::OffsetCommit, 15, Rediscovers),
    (ApiKey::OffsetCommit, 16, Rediscovers),
    (ApiKey::OffsetCommit, 22, LostButId),
    (ApiKey::OffsetCommit, 24, Answered(ErrorKind::Broker)),
    (ApiKey::OffsetCommit, 25, Lost),
    (ApiKey::OffsetCommit, 27, Rejoins),
    (ApiKey::OffsetCommit, 28, AnsweredEach(ErrorKind::Broker)),
    (ApiKey::OffsetCommit, 29, AnsweredEach(ErrorKind::Broker)),
    (ApiKey::OffsetCommit, 30, Answered(ErrorKind::Broker)),
    (ApiKey::OffsetCommit, 82, Fatal(ErrorKind::Fenced)),
    (ApiKey::OffsetCommit, -1, AnsweredEach(ErrorKind::Broker)),
    (ApiKey::OffsetCommit, 113, AnsweredEach(ErrorKind::Broker)),
    (ApiKey::OffsetFetch, 7, Retries),
    (ApiKey::OffsetFetch, 14, Retries),
    (ApiKey::OffsetFetch, 15, Rediscovers),
    (ApiKey::OffsetFetch, 16, Rediscovers),
    (ApiKey::OffsetFetch, 24, Answered(ErrorKind::Broker)),
    (ApiKey::OffsetFetch, 30, Answered(ErrorKind::Broker)),
    (ApiKey::OffsetFetch, 88, Retries),
    (ApiKey::OffsetFetch, 110, Answered(ErrorKind::Broker)),
    (ApiKey::OffsetFetch, 113, Answered(ErrorKind::Broker)),
    (ApiKey::OffsetFetch, -1, Answered(ErrorKind::Broker)),
    (ApiKey::LeaveGroup, 14, Retries),
    (ApiKey::LeaveGroup, 15, Rediscovers),
    (ApiKey::LeaveGroup, 16, Rediscovers),
    (ApiKey::LeaveGroup, 25, Left),
    (ApiKey::LeaveGroup, 22, Left),
    (ApiKey::LeaveGroup, 27, Left),
    (ApiKey::LeaveGroup, 30, Left),
    (ApiKey::LeaveGroup, 69, Left),
    (ApiKey::LeaveGroup, 82, Left),
    (ApiKey::LeaveGroup, -1, Left),
];

/// Returns a member that has asked for this, in a group where it was before.
fn reach(api: ApiKey) -> (Bench, Request) {
    let mut bench = if api == ApiKey::FindCoordinator { Bench::new() } else { Bench::joined() };
    match api {
        ApiKey::FindCoordinator | ApiKey::JoinGroup | ApiKey::SyncGroup => bench.join(),
        ApiKey::OffsetCommit => bench.commit(1, true, &[(0, 10), (1, 20)]),
        ApiKey::OffsetFetch => bench.fetch(1, Some(&[0, 1])),
        ApiKey::LeaveGroup => bench.leave(true),
        _ => {}
    }
    let request = bench.next(api);
    (bench, request)
}

#[test]
fn every_code_once() {
    for (api, code, outcome) in ROWS {
        let (mut bench, request) = reach(api);
        bench.answer_code(&request, ErrorCode(code));
        check(&mut bench, &request, ErrorCode(code), outcome);
    }
}

fn check(bench: &mut Bench, request: &Request, code: ErrorCode, outcome: Outcome) {
    let api = request.api_key();
    let at = format!("{api:?} {code}: {:?}", bench.notices);
    let then = bench.now;
    match outcome {
        Retries | ToldAndRetried | Rediscovers => {
            assert_eq!(bench.notices.len(), usize::from(outcome == ToldAndRetried), "{at}");
            assert_eq!(bench.disconnects, usize::from(outcome == Rediscovers), "{at}");
            let connects = bench.connects;
            let again = bench.next(api);
            assert_eq!(bench.connects, connects + usize::from(outcome == Rediscovers), "{at}");
            assert_eq!(again, *request, "{at}");
            assert!(bench.now - then >= RETRY * 8 / 10, "{at}");
            assert!(bench.now - then <= RETRY * 24 / 10, "{at}");
        }
        JoinsAgain | JoinsAtOnce => {
            assert_eq!(bench.notices, [], "{at}");
            let Request::JoinGroup { member_id, .. } = bench.next(ApiKey::JoinGroup) else {
                unreachable!()
            };
            assert_eq!(member_id, MEMBER, "{at}");
            // It had an id already, so that being given one is no progress.
            assert!(bench.now - then >= RETRY * 8 / 10, "{at}");
        }
        Lost | LostButId => check_loss(bench, outcome == LostButId, &at),
        Rejoins => {
            assert!(matches!(bench.notices.last(), Some(Notice::Rejoin { .. })), "{at}");
            let beat = bench.next(ApiKey::Heartbeat);
            bench.answer_code(&beat, ErrorCode::REBALANCE_IN_PROGRESS);
            let rejoins = |notice: &&Notice| matches!(notice, Notice::Rejoin { .. });
            assert_eq!(bench.notices.iter().filter(rejoins).count(), 1, "{at}");
        }
        Fatal(kind) => check_fatal(bench, kind, code, &at),
        Answered(kind) => {
            let error = match &bench.notices[..] {
                [Notice::Committed { result: Err(error), .. }] => error,
                [Notice::Fetched { result: Err(error), .. }] => error,
                _ => panic!("{at}"),
            };
            assert_eq!((error.kind(), error.code(), error.is_fatal()), (kind, code.0, false));
        }
        AnsweredEach(kind) => {
            let [Notice::Committed { result: Ok(results), .. }] = &bench.notices[..] else {
                panic!("{at}");
            };
            for (partition, result) in (0..).zip(results) {
                let error = result.as_ref().unwrap_err();
                assert_eq!((error.kind(), error.code()), (kind, code.0), "{at}");
                assert_eq!((error.topic(), error.partition()), (Some("t"), partition), "{at}");
            }
        }
        Left => assert_eq!(bench.notices, [Notice::Left], "{at}"),
    }
}

fn check_loss(bench: &mut Bench, keeps_id: bool, at: &str) {
    assert!(matches!(bench.notices.last(), Some(Notice::Lost { .. })), "{at}");
    if let [Notice::Committed { result, .. }, _] = &bench.notices[..] {
        assert_eq!(result.as_ref().unwrap_err().kind(), ErrorKind::CommitFailed, "{at}");
    } else {
        assert_eq!(bench.notices.len(), 1, "{at}");
    }
    // Nothing more is sent or told until the application joins.
    bench.sleep(Duration::from_secs(200));
    assert!(bench.notices.len() <= 2 && bench.asked.is_empty(), "{at}");
    bench.join();
    let Request::JoinGroup { member_id, .. } = bench.next(ApiKey::JoinGroup) else {
        unreachable!()
    };
    assert_eq!(member_id, if keeps_id { MEMBER } else { "" }, "{at}");
}

fn check_fatal(bench: &mut Bench, kind: ErrorKind, code: ErrorCode, at: &str) {
    let Some(Notice::Failed(error)) = bench.notices.last().cloned() else { panic!("{at}") };
    assert_eq!((error.kind(), error.code(), error.is_fatal()), (kind, code.0, true), "{at}");
    if let [Notice::Committed { result, .. }, _] = &bench.notices[..] {
        assert_eq!(result.as_ref().unwrap_err(), &error, "{at}");
    }
    bench.notices.clear();
    bench.sleep(Duration::from_secs(400));
    bench.join();
    bench.commit(8, true, &[(0, 1)]);
    bench.fetch(9, None);
    bench.leave(true);
    assert!(bench.asked.is_empty() && bench.member.poll_timeout().is_none(), "{at}");
    let expected = [
        Notice::Failed(error.clone()),
        Notice::Committed { id: 8, result: Err(error.clone()) },
        Notice::Fetched { id: 9, result: Err(error) },
        Notice::Left,
    ];
    assert_eq!(bench.notices, expected, "{at}");
}

fn retries(outcome: Outcome) -> bool {
    matches!(outcome, Retries | Rediscovers | JoinsAgain | JoinsAtOnce | ToldAndRetried)
}

#[test]
fn every_code_some_times_and_then_success() {
    for (api, code, outcome) in ROWS.into_iter().filter(|row| retries(row.2)) {
        let (mut bench, mut request) = reach(api);
        let mut last = bench.now;
        for failures in 0..5 {
            bench.answer_code(&request, ErrorCode(code));
            request = bench.next(api);
            let nominal = (RETRY * (1 << failures)).min(Duration::from_secs(1));
            let waited = bench.now - last;
            assert!(waited >= nominal * 8 / 10, "{api:?} {code} waited {waited:?}");
            assert!(waited <= nominal * 26 / 10, "{api:?} {code} waited {waited:?}");
            last = bench.now;
        }
        bench.answer_well(&request);
        bench.settle();
        let told = bench.notices.iter().filter(|notice| matches!(notice, Notice::Failed(_)));
        assert_eq!(told.count(), usize::from(outcome == ToldAndRetried), "{api:?} {code}");
        let last = bench.notices.last();
        let is_well = match api {
            ApiKey::OffsetCommit => matches!(last, Some(Notice::Committed { result: Ok(_), .. })),
            ApiKey::OffsetFetch => matches!(last, Some(Notice::Fetched { result: Ok(_), .. })),
            ApiKey::LeaveGroup => last == Some(&Notice::Left),
            ApiKey::Heartbeat => !matches!(last, Some(Notice::Lost { .. })),
            _ => matches!(last, Some(Notice::Assigned { .. })),
        };
        assert!(is_well, "{api:?} {code}: {:?}", bench.notices);
    }
}

#[test]
fn every_code_for_ever() {
    for (api, code, outcome) in ROWS.into_iter().filter(|row| retries(row.2)) {
        let (mut bench, mut request) = reach(api);
        let start = bench.now;
        let mut count = 0;
        let is_over =
            |bench: &Bench| bench.notices.iter().any(|notice| !matches!(notice, Notice::Failed(_)));
        while bench.now - start < Duration::from_secs(120) {
            bench.answer_code(&request, ErrorCode(code));
            count += 1;
            // What is due next may be the end: a deadline, or the session's.
            while !is_over(&bench) && bench.asked.front().is_none_or(|it| it.api_key() != api) {
                match bench.asked.pop_front() {
                    Some(other) => bench.answer_well(&other),
                    None => assert!(bench.pass(), "{api:?} {code}: it stands still"),
                }
            }
            if is_over(&bench) {
                break;
            }
            request = bench.asked.pop_front().unwrap();
        }
        // At most about one a second, once the back-off has grown.
        let seconds = (bench.now - start).as_secs();
        assert!(count < seconds * 2 + 8, "{api:?} {code}: {count} in {seconds} s");
        let told: Vec<&Notice> = bench.notices.iter().collect();
        match (api, &told[..]) {
            (ApiKey::OffsetCommit, [Notice::Committed { result: Err(error), .. }])
            | (ApiKey::OffsetFetch, [Notice::Fetched { result: Err(error), .. }]) => {
                assert_eq!(error.kind(), ErrorKind::Timeout, "{api:?} {code}");
                assert_eq!(seconds, 60, "{api:?} {code}");
            }
            (ApiKey::LeaveGroup, [Notice::Left]) => assert_eq!(seconds, 10, "{api:?} {code}"),
            // No heartbeat arrives, no join succeeds: the session is over.
            (_, [.., Notice::Lost { .. }]) => assert!((41..=46).contains(&seconds), "{seconds}"),
            (_, told) => {
                assert_eq!(told.len(), usize::from(outcome == ToldAndRetried), "{api:?} {code}");
            }
        }
    }
}
