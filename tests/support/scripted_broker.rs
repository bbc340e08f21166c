//! A broker on the loopback interface that does what a test says: it answers well, and the test
//! may change, cut, delay or swallow each answer.

#![allow(dead_code, reason = "each test binary uses its part")]

#[path = "scripted_group.rs"]
pub(crate) mod scripted_group;

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use kfetch::protocol::api_versions::{ApiVersion, ApiVersionsResponse};
use kfetch::protocol::fetch::{FetchRequest, FetchResponse, FetchableTopicResponse, PartitionData};
use kfetch::protocol::list_offsets::{
    ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use kfetch::protocol::metadata::{
    MetadataRequest, MetadataResponse, MetadataResponseBroker, MetadataResponsePartition,
    MetadataResponseTopic,
};
use kfetch::protocol::{ApiKey, ErrorCode, RequestHeader, ResponseHeader, write_frame};
use kfetch::record::BatchHeader;
use kfetch::wire::{Int32Array, Reader};

/// The one topic that the broker has.
pub(crate) const TOPIC: &str = "stage";

/// The batches of each partition, one after the other.
pub(crate) type Logs = Vec<Vec<Vec<u8>>>;

/// A request as the script sees it.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Counts connections from 0.
    pub(crate) connection: usize,
    pub(crate) api_key: ApiKey,
    pub(crate) version: i16,
    /// The request behind its header.
    pub(crate) body: Vec<u8>,
}

/// What the broker does with an answer.
#[derive(Debug)]
pub(crate) enum Deed {
    /// When it sends these bytes.
    Send(Vec<u8>),
    /// When it sends these bytes and closes the connection.
    SendAndClose(Vec<u8>),
    /// When it sends the first so many bytes, and the rest after a while.
    SendSlowly(Vec<u8>, usize, Duration),
    /// When it says nothing and keeps the connection open.
    Silence,
}

/// Decides what becomes of the good answer, a whole frame.
pub(crate) type Script = dyn Fn(&Asked, Vec<u8>) -> Deed + Send + Sync;

/// Sees each request as it comes.
pub(crate) type Notice = dyn Fn(&Asked) + Send + Sync;

/// A running broker; it ends with the process.
#[derive(Debug)]
pub(crate) struct ScriptedBroker {
    pub(crate) address: SocketAddr,
}

struct Stage {
    address: SocketAddr,
    /// Where clients are sent for the coordinator: host and port.
    coordinator: (String, u16),
    logs: Logs,
    notice: Box<Notice>,
    script: Box<Script>,
}

impl ScriptedBroker {
    /// Starts a broker that has these logs.
    pub(crate) fn start(
        logs: Logs,
        script: impl Fn(&Asked, Vec<u8>) -> Deed + Send + Sync + 'static,
    ) -> Self {
        Self::start_with(logs, |_| {}, script)
    }

    /// Starts a broker that also calls `notice` for each request, before it waits for data.
    pub(crate) fn start_with(
        logs: Logs,
        notice: impl Fn(&Asked) + Send + Sync + 'static,
        script: impl Fn(&Asked, Vec<u8>) -> Deed + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let coordinator = (address.ip().to_string(), address.port());
        let (notice, script) = (Box::new(notice), Box::new(script));
        let stage = Stage { address, coordinator, logs, notice, script };
        let streams = move || {
            let (stream, _) = listener.accept()?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        stage.spawn(streams);
        Self { address }
    }
}

/// Starts a broker without logs that listens on a path; it is the coordinator of every group.
pub(crate) fn start_on_path(
    path: &Path,
    script: impl Fn(&Asked, Vec<u8>) -> Deed + Send + Sync + 'static,
) {
    // By a way that is short however long the path is.
    let directory = File::open(path.parent().unwrap()).unwrap();
    let short = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string());
    let listener = UnixListener::bind(short.join(path.file_name().unwrap())).unwrap();
    let (notice, script) = (Box::new(|_: &Asked| {}), Box::new(script));
    let coordinator = (format!("unix:{}", path.display()), 0);
    let address = ([127, 0, 0, 1], 9).into();
    let stage = Stage { address, coordinator, logs: Vec::new(), notice, script };
    stage.spawn(move || Ok(listener.accept()?.0));
}

/// Starts a peer that answers a first request with `bytes`, the last few of them one by one, and
/// then says nothing more.
pub(crate) fn foreign_peer(bytes: &'static [u8], closes: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut kept = Vec::new();
        for mut stream in listener.incoming().flatten() {
            if reply(&mut stream, bytes).is_ok() && !closes {
                kept.push(stream);
            }
        }
    });
    address
}

fn reply(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    stream.read_exact(&mut vec![0; u32::from_be_bytes(length) as usize])?;
    let (first, last) = bytes.split_at(bytes.len() - bytes.len().min(3));
    stream.write_all(first)?;
    for byte in last {
        thread::park_timeout(Duration::from_millis(2));
        stream.write_all(&[*byte])?;
    }
    Ok(())
}

impl Stage {
    /// Serves each stream that `next` gives, on a thread of its own.
    fn spawn<S>(self, next: impl Fn() -> io::Result<S> + Send + 'static)
    where
        S: Read + Write + Send + 'static,
    {
        let (stage, count) = (Arc::new(self), AtomicUsize::new(0));
        thread::spawn(move || {
            while let Ok(stream) = next() {
                let stage = Arc::clone(&stage);
                let connection = count.fetch_add(1, Ordering::Relaxed);
                thread::spawn(move || drop(stage.serve(stream, connection)));
            }
        });
    }

    fn serve(&self, mut stream: impl Read + Write, connection: usize) -> io::Result<()> {
        loop {
            let mut length = [0; 4];
            stream.read_exact(&mut length)?;
            let mut request = vec![0; u32::from_be_bytes(length) as usize];
            stream.read_exact(&mut request)?;
            let mut reader = Reader::new(&request);
            let header = RequestHeader::decode(&mut reader).map_err(io::Error::other)?;
            let asked = Asked {
                connection,
                api_key: ApiKey::from_code(header.request_api_key).unwrap(),
                version: header.request_api_version,
                body: reader.rest().to_vec(),
            };
            (self.notice)(&asked);
            let answer = self.answer(&asked, header.correlation_id);
            match (self.script)(&asked, answer) {
                Deed::Send(bytes) => stream.write_all(&bytes)?,
                Deed::SendAndClose(bytes) => return stream.write_all(&bytes),
                Deed::SendSlowly(bytes, first, pause) => {
                    stream.write_all(&bytes[..first])?;
                    thread::park_timeout(pause);
                    stream.write_all(&bytes[first..])?;
                }
                Deed::Silence => {}
            }
        }
    }

    fn answer(&self, asked: &Asked, correlation_id: i32) -> Vec<u8> {
        let (version, body) = (asked.version, &asked.body[..]);
        let mut frame = Vec::new();
        write_frame(&mut frame, |out| {
            ResponseHeader { correlation_id }.encode(out, asked.api_key, version);
            match asked.api_key {
                ApiKey::ApiVersions => api_versions().encode(version, out),
                ApiKey::Metadata => {
                    let request = MetadataRequest::decode(body, version).unwrap();
                    self.metadata(&request).encode(version, out)
                }
                ApiKey::ListOffsets => {
                    let request = ListOffsetsRequest::decode(body, version).unwrap();
                    self.list_offsets(&request).encode(version, out)
                }
                ApiKey::Fetch => {
                    let request = FetchRequest::decode(body, version).unwrap();
                    self.fetch(&request, version, out)
                }
                _ => scripted_group::answer(asked, &self.coordinator, out),
            }
        })
        .unwrap();
        frame
    }

    fn metadata<'a>(&self, request: &MetadataRequest<'a>) -> MetadataResponse<'a> {
        let partitions = (0..i32::try_from(self.logs.len()).unwrap()).map(|partition_index| {
            MetadataResponsePartition {
                partition_index,
                leader_id: 1,
                leader_epoch: 0,
                replica_nodes: Int32Array::Values(&[1]),
                isr_nodes: Int32Array::Values(&[1]),
                ..MetadataResponsePartition::default()
            }
        });
        let partitions: Vec<_> = partitions.collect();
        let topic = |name| match name {
            Some(TOPIC) => MetadataResponseTopic {
                name,
                partitions: partitions.clone(),
                ..MetadataResponseTopic::default()
            },
            _ => MetadataResponseTopic {
                name,
                error_code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                ..MetadataResponseTopic::default()
            },
        };
        let broker = MetadataResponseBroker {
            node_id: 1,
            host: "127.0.0.1",
            port: i32::from(self.address.port()),
            rack: None,
        };
        MetadataResponse {
            brokers: vec![broker],
            topics: request.topics.iter().flatten().map(|asked| topic(asked.name)).collect(),
            ..MetadataResponse::default()
        }
    }

    fn list_offsets<'a>(&self, request: &ListOffsetsRequest<'a>) -> ListOffsetsResponse<'a> {
        let topics = request.topics.iter().map(|topic| ListOffsetsTopicResponse {
            name: topic.name,
            partitions: topic
                .partitions
                .iter()
                .map(|asked| ListOffsetsPartitionResponse {
                    partition_index: asked.partition_index,
                    error_code: ErrorCode::NONE,
                    timestamp: -1,
                    offset: if asked.timestamp == -1 { self.end(asked.partition_index) } else { 0 },
                    leader_epoch: 0,
                })
                .collect(),
        });
        ListOffsetsResponse { topics: topics.collect(), ..Default::default() }
    }

    fn end(&self, partition: i32) -> i64 {
        let log = &self.logs[usize::try_from(partition).unwrap()];
        log.last().map_or(0, |batch| BatchHeader::parse(batch).unwrap().next_offset())
    }

    fn fetch(
        &self,
        request: &FetchRequest<'_>,
        version: i16,
        out: &mut Vec<u8>,
    ) -> Result<(), kfetch::wire::EncodeError> {
        let mut left = usize::try_from(request.max_bytes).unwrap();
        let mut served = Vec::new();
        for topic in &request.topics {
            for asked in &topic.partitions {
                let limit = left.min(usize::try_from(asked.partition_max_bytes).unwrap());
                let records = self.records(asked.partition, asked.fetch_offset, limit);
                left = left.saturating_sub(records.len());
                served.push((topic.topic, asked.partition, records));
            }
        }
        if served.iter().all(|(_, _, records)| records.is_empty()) {
            let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap());
            thread::park_timeout(wait);
        }
        let partitions = served.iter().map(|(_, partition, records)| PartitionData {
            partition_index: *partition,
            high_watermark: self.end(*partition),
            last_stable_offset: self.end(*partition),
            log_start_offset: if version >= 5 { 0 } else { -1 },
            records: Some(&records[..]),
            ..PartitionData::default()
        });
        let topic = FetchableTopicResponse {
            topic: TOPIC,
            partitions: partitions.collect(),
            ..Default::default()
        };
        FetchResponse { responses: vec![topic], ..Default::default() }.encode(version, out)
    }

    /// Returns batches from an offset on: at least one if there is any, else within the limit.
    fn records(&self, partition: i32, offset: i64, limit: usize) -> Vec<u8> {
        let mut records = Vec::new();
        for batch in &self.logs[usize::try_from(partition).unwrap()] {
            let is_behind = BatchHeader::parse(batch).unwrap().next_offset() > offset;
            if is_behind && (records.is_empty() || records.len() + batch.len() <= limit) {
                records.extend_from_slice(batch);
            } else if is_behind {
                break;
            }
        }
        records
    }
}

fn api_versions() -> ApiVersionsResponse<'static> {
    let versions = [
        (ApiKey::Fetch, 4, 12),
        (ApiKey::ListOffsets, 1, 7),
        (ApiKey::Metadata, 0, 12),
        (ApiKey::OffsetCommit, 2, 10),
        (ApiKey::OffsetFetch, 1, 10),
        (ApiKey::FindCoordinator, 0, 6),
        (ApiKey::JoinGroup, 0, 9),
        (ApiKey::Heartbeat, 0, 4),
        (ApiKey::LeaveGroup, 0, 5),
        (ApiKey::SyncGroup, 0, 5),
        (ApiKey::ApiVersions, 0, 3),
    ];
    let api_keys = versions.map(|(api_key, min_version, max_version)| ApiVersion {
        api_key: api_key.code(),
        min_version,
        max_version,
    });
    ApiVersionsResponse { api_keys: api_keys.to_vec(), ..ApiVersionsResponse::default() }
}
