//! A client of a group service that speaks the protocol by hand.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use kfetch::net::group_service::socket_path;
use kfetch::protocol::{ApiKey, ErrorCode, RequestHeader, ResponseHeader, write_frame};
use kfetch::wire::Reader;

use super::words::{beat_body, commit_body, committed_error, fetch_body, fetched, sync_body};
use super::{Join, Joined};

/// A service that does not answer within this is broken.
const LIMIT: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(crate) struct RawClient {
    pub(crate) stream: UnixStream,
    next_id: i32,
}

impl RawClient {
    pub(crate) fn connect(dir: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(socket_path(dir))?;
        stream.set_read_timeout(Some(LIMIT))?;
        Ok(Self { stream, next_id: 0 })
    }

    /// Connects as soon as there is somebody who serves.
    pub(crate) fn connect_soon(dir: &Path) -> Self {
        let mut client = None;
        crate::support::deadline::wait_until("somebody serves", LIMIT, || {
            client = Self::connect(dir).ok();
            client.is_some()
        });
        client.expect("it was waited for")
    }

    pub(crate) fn send(&mut self, api_key: ApiKey, version: i16, body: &[u8]) -> io::Result<i32> {
        let correlation_id = self.next_id;
        self.next_id += 1;
        self.stream.write_all(&frame(api_key, version, correlation_id, body))?;
        Ok(correlation_id)
    }

    /// Receives the next answer, which must be the one to the request of that number.
    pub(crate) fn receive(
        &mut self,
        correlation_id: i32,
        api_key: ApiKey,
        version: i16,
    ) -> io::Result<Vec<u8>> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap()];
        self.stream.read_exact(&mut frame)?;
        let mut reader = Reader::new(&frame);
        let header = ResponseHeader::decode(&mut reader, api_key, version).unwrap();
        assert_eq!(header.correlation_id, correlation_id, "answers come in order");
        Ok(reader.rest().to_vec())
    }

    pub(crate) fn call(
        &mut self,
        api_key: ApiKey,
        version: i16,
        body: &[u8],
    ) -> io::Result<Vec<u8>> {
        let id = self.send(api_key, version, body)?;
        self.receive(id, api_key, version)
    }

    /// Commits as nobody's member.
    pub(crate) fn commit(
        &mut self,
        group: &str,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> io::Result<ErrorCode> {
        let body = commit_body(group, "", -1, None, (topic, partition, offset, "by hand"));
        self.call(ApiKey::OffsetCommit, 9, &body).map(|body| committed_error(&body))
    }

    pub(crate) fn committed(&mut self, group: &str) -> io::Result<Vec<(String, i32, i64, String)>> {
        self.call(ApiKey::OffsetFetch, 9, &fetch_body(group)).map(|body| fetched(&body))
    }

    pub(crate) fn join(&mut self, group: &str, join: &Join<'_>) -> io::Result<Joined> {
        let body = self.call(ApiKey::JoinGroup, join.version, &join.encode(group))?;
        Ok(Joined::decode(&body, join.version))
    }

    /// Joins as a new dynamic member: with no id, then with the one that is given out.
    pub(crate) fn join_new(&mut self, group: &str) -> io::Result<Joined> {
        let first = self.join(group, &Join::default())?;
        assert_eq!(first.error, ErrorCode::MEMBER_ID_REQUIRED);
        self.join(group, &Join { member_id: &first.member_id, ..Join::default() })
    }

    /// Syncs, and assigns each member its own id as the leader.
    pub(crate) fn sync(
        &mut self,
        group: &str,
        joined: &Joined,
    ) -> io::Result<(ErrorCode, Vec<u8>)> {
        let members: Vec<&str> = joined.members.iter().map(|(id, _)| id.as_str()).collect();
        let body = sync_body(group, &joined.member_id, joined.generation, None, &members);
        let body = self.call(ApiKey::SyncGroup, 5, &body)?;
        let response = kfetch::protocol::sync_group::SyncGroupResponse::decode(&body, 5).unwrap();
        Ok((response.error_code, response.assignment.to_vec()))
    }

    pub(crate) fn beat(&mut self, group: &str, joined: &Joined) -> io::Result<ErrorCode> {
        let body = beat_body(group, &joined.member_id, joined.generation, None);
        let body = self.call(ApiKey::Heartbeat, 4, &body)?;
        let response = kfetch::protocol::heartbeat::HeartbeatResponse::decode(&body, 4).unwrap();
        Ok(response.error_code)
    }
}

/// Returns a request with its header and length.
pub(crate) fn frame(api_key: ApiKey, version: i16, correlation_id: i32, body: &[u8]) -> Vec<u8> {
    let header = RequestHeader {
        request_api_key: api_key.code(),
        request_api_version: version,
        correlation_id,
        client_id: Some("raw"),
    };
    let mut frame = Vec::new();
    write_frame(&mut frame, |out| {
        header.encode(out)?;
        out.extend_from_slice(body);
        Ok(())
    })
    .unwrap();
    frame
}
