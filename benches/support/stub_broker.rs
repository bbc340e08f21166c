//! A broker that costs next to nothing: one prebuilt batch, sent again and again with another
//! base offset, which the checksum does not cover.
//!
//! It speaks as much of the protocol as a consumer without a group needs. Each connection has a
//! thread that reads a request, answers it, and reads the next, as a Kafka broker does.

use std::io::{self, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use kfetch::protocol::api_versions::{ApiVersion, ApiVersionsResponse};
use kfetch::protocol::fetch::FetchRequest;
use kfetch::protocol::list_offsets::{
    ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use kfetch::protocol::metadata::{
    MetadataRequest, MetadataResponse, MetadataResponseBroker, MetadataResponsePartition,
    MetadataResponseTopic,
};
use kfetch::protocol::{ApiKey, ErrorCode, RequestHeader, ResponseHeader, write_frame};
use kfetch::wire::{Int32Array, Reader};

/// What every partition of the stub holds.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    /// The batch that is sent again and again, as if it began at offset 0.
    pub(crate) batch: Vec<u8>,
    /// Records of the batch.
    pub(crate) batch_records: i64,
    /// How many batches each partition has.
    pub(crate) batches: i64,
    /// Partitions of the one topic.
    pub(crate) partitions: i32,
    /// Bytes of batches in an answer, over all partitions.
    pub(crate) answer_bytes: usize,
}

impl Log {
    /// Returns the end of each partition.
    pub(crate) fn end(&self) -> i64 {
        self.batches * self.batch_records
    }
}

/// A running stub.
#[derive(Debug)]
pub(crate) struct StubBroker {
    address: SocketAddr,
}

impl StubBroker {
    /// Starts it on a free port of the loopback interface; it ends with the process.
    pub(crate) fn start(log: Log) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let log = Arc::new(log);
        thread::Builder::new().name("stub".to_owned()).spawn(move || {
            for stream in listener.incoming().flatten() {
                let log = Arc::clone(&log);
                let serve = move || drop(Connection { stream, log, address }.serve());
                drop(thread::Builder::new().name("stub".to_owned()).spawn(serve));
            }
        })?;
        Ok(Self { address })
    }

    /// Returns its address.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

struct Connection {
    stream: TcpStream,
    log: Arc<Log>,
    address: SocketAddr,
}

impl Connection {
    fn serve(mut self) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        let mut request = Vec::new();
        loop {
            let mut length = [0; 4];
            self.stream.read_exact(&mut length)?;
            let length = u32::from_be_bytes(length) as usize;
            request.resize(length, 0);
            self.stream.read_exact(&mut request)?;
            self.answer(&request)?;
        }
    }

    fn answer(&mut self, request: &[u8]) -> io::Result<()> {
        let mut reader = Reader::new(request);
        let header = RequestHeader::decode(&mut reader).map_err(io::Error::other)?;
        let body = reader.rest();
        let version = header.request_api_version;
        let Some(api_key) = ApiKey::from_code(header.request_api_key) else {
            return Err(io::Error::other("an API that the stub does not speak"));
        };
        if api_key == ApiKey::Fetch {
            return self.fetch(header.correlation_id, body, version);
        }
        let mut out = Vec::new();
        write_frame(&mut out, |out| {
            ResponseHeader { correlation_id: header.correlation_id }.encode(out, api_key, version);
            match api_key {
                ApiKey::ApiVersions => api_versions().encode(version, out),
                ApiKey::Metadata => self.metadata(body, version, out),
                _ => self.list_offsets(body, version, out),
            }
        })
        .map_err(io::Error::other)?;
        self.stream.write_all(&out)
    }

    fn metadata(
        &self,
        body: &[u8],
        version: i16,
        out: &mut Vec<u8>,
    ) -> Result<(), kfetch::wire::EncodeError> {
        let request = MetadataRequest::decode(body, version).expect("a good request");
        let partition = |partition_index| MetadataResponsePartition {
            partition_index,
            leader_id: 1,
            leader_epoch: 0,
            replica_nodes: Int32Array::Values(&[1]),
            isr_nodes: Int32Array::Values(&[1]),
            ..MetadataResponsePartition::default()
        };
        let topic = |name| MetadataResponseTopic {
            name,
            partitions: (0..self.log.partitions).map(partition).collect(),
            ..MetadataResponseTopic::default()
        };
        let host = self.address.ip().to_string();
        let response = MetadataResponse {
            brokers: vec![MetadataResponseBroker {
                node_id: 1,
                host: &host,
                port: i32::from(self.address.port()),
                rack: None,
            }],
            topics: request.topics.iter().flatten().map(|asked| topic(asked.name)).collect(),
            ..MetadataResponse::default()
        };
        response.encode(version, out)
    }

    fn list_offsets(
        &self,
        body: &[u8],
        version: i16,
        out: &mut Vec<u8>,
    ) -> Result<(), kfetch::wire::EncodeError> {
        let request = ListOffsetsRequest::decode(body, version).expect("a good request");
        let topics = request.topics.iter().map(|topic| ListOffsetsTopicResponse {
            name: topic.name,
            partitions: topic
                .partitions
                .iter()
                .map(|asked| ListOffsetsPartitionResponse {
                    partition_index: asked.partition_index,
                    error_code: ErrorCode::NONE,
                    timestamp: -1,
                    offset: if asked.timestamp == -1 { self.log.end() } else { 0 },
                    leader_epoch: 0,
                })
                .collect(),
        });
        let response = ListOffsetsResponse { topics: topics.collect(), ..Default::default() };
        response.encode(version, out)
    }

    /// Answers a Fetch of a version from 4 to 11, which are not flexible.
    fn fetch(&mut self, correlation_id: i32, body: &[u8], version: i16) -> io::Result<()> {
        let request = FetchRequest::decode(body, version).map_err(io::Error::other)?;
        let asked = request.topics.iter().flat_map(|topic| &topic.partitions);
        let wanted = self.log.answer_bytes.min(usize::try_from(request.max_bytes).unwrap_or(0));
        let (mut left, batch_bytes) = (wanted, self.log.batch.len());
        let plan: Vec<(i32, i64, usize)> = asked
            .map(|asked| {
                let first = asked.fetch_offset / self.log.batch_records;
                let available = usize::try_from(self.log.batches - first).unwrap_or(0);
                let fits = left / batch_bytes;
                let per_partition =
                    usize::try_from(asked.partition_max_bytes).unwrap_or(0) / batch_bytes;
                let batches = available.min(fits.max(usize::from(left == wanted)));
                let batches = batches.min(per_partition.max(1));
                left = left.saturating_sub(batches * batch_bytes);
                (asked.partition, first, batches)
            })
            .collect();
        if plan.iter().all(|(_, _, batches)| *batches == 0) {
            thread::sleep(Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0)));
        }
        let log = Arc::clone(&self.log);
        let pieces = pieces(&log, correlation_id, version, &request, &plan);
        let slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        write_all_vectored(&mut self.stream, slices)
    }
}

/// Returns the answer in pieces: fields between batches, and the batches themselves.
fn pieces<'a>(
    log: &'a Log,
    correlation_id: i32,
    version: i16,
    request: &FetchRequest<'_>,
    plan: &[(i32, i64, usize)],
) -> Vec<std::borrow::Cow<'a, [u8]>> {
    let mut head = Vec::new();
    head.extend_from_slice(&correlation_id.to_be_bytes());
    head.extend_from_slice(&0_i32.to_be_bytes());
    if version >= 7 {
        head.extend_from_slice(&[0; 6]);
    }
    let topic = request.topics.first().map_or("", |topic| topic.topic);
    let topics = i32::from(!request.topics.is_empty());
    head.extend_from_slice(&topics.to_be_bytes());
    head.extend_from_slice(&u16::try_from(topic.len()).unwrap_or(0).to_be_bytes());
    head.extend_from_slice(topic.as_bytes());
    head.extend_from_slice(&i32::try_from(plan.len()).unwrap_or(0).to_be_bytes());
    let mut pieces: Vec<std::borrow::Cow<'a, [u8]>> = vec![vec![0; 4].into(), head.into()];
    for (partition, first, batches) in plan {
        pieces.push(partition_head(log, *partition, *batches, version).into());
        for batch in *first..*first + i64::try_from(*batches).unwrap_or(0) {
            let base = batch * log.batch_records;
            pieces.push(base.to_be_bytes().to_vec().into());
            pieces.push(log.batch[8..].into());
        }
    }
    let length: usize = pieces[1..].iter().map(|piece| piece.len()).sum();
    pieces[0] = u32::try_from(length).unwrap_or(0).to_be_bytes().to_vec().into();
    pieces
}

fn partition_head(log: &Log, partition: i32, batches: usize, version: i16) -> Vec<u8> {
    let mut head = Vec::new();
    head.extend_from_slice(&partition.to_be_bytes());
    head.extend_from_slice(&0_i16.to_be_bytes());
    head.extend_from_slice(&log.end().to_be_bytes());
    head.extend_from_slice(&log.end().to_be_bytes());
    if version >= 5 {
        head.extend_from_slice(&0_i64.to_be_bytes());
    }
    head.extend_from_slice(&0_i32.to_be_bytes());
    if version >= 11 {
        head.extend_from_slice(&(-1_i32).to_be_bytes());
    }
    let bytes = u32::try_from(batches * log.batch.len()).unwrap_or(0);
    head.extend_from_slice(&bytes.to_be_bytes());
    head
}

/// Says that the stub speaks the last versions that are not flexible.
fn api_versions() -> ApiVersionsResponse<'static> {
    let versions = [(ApiKey::Fetch, 4, 11), (ApiKey::ListOffsets, 1, 5), (ApiKey::Metadata, 0, 8)];
    let mut api_keys: Vec<ApiVersion> = versions
        .iter()
        .map(|(api_key, min_version, max_version)| ApiVersion {
            api_key: api_key.code(),
            min_version: *min_version,
            max_version: *max_version,
        })
        .collect();
    let api_key = ApiKey::ApiVersions.code();
    api_keys.push(ApiVersion { api_key, min_version: 0, max_version: 3 });
    ApiVersionsResponse { api_keys, ..ApiVersionsResponse::default() }
}

fn write_all_vectored(stream: &mut TcpStream, mut slices: Vec<IoSlice<'_>>) -> io::Result<()> {
    let mut left = &mut slices[..];
    while !left.is_empty() {
        let most = left.len().min(1024);
        let written = stream.write_vectored(&left[..most])?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        IoSlice::advance_slices(&mut left, written);
    }
    Ok(())
}
