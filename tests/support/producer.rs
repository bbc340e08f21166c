//! Kafka's own producer and consumer.

use std::sync::atomic::{AtomicU32, Ordering};

use super::helper::{Helper, JavaError, Row, bytes, helper, hex};
use super::kafka::Cluster;
use super::topics::pairs;

/// A record to produce; [`Record::new`] has what most tests need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) partition: i32,
    /// `None`: the producer's clock.
    pub(crate) timestamp_ms: Option<i64>,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<Header>,
}

/// Name and value; Java's producer has no names that are not UTF-8.
pub(crate) type Header = (String, Option<Vec<u8>>);

/// A record as a consumer or a parser of batches found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundRecord {
    pub(crate) offset: i64,
    pub(crate) timestamp_ms: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<Header>,
}

/// How a transaction goes on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Transaction {
    Begin,
    Commit,
    Abort,
}

/// A producer inside the Java helper. Dropped without `close`, it stays there with its transaction
/// open; the end of the helper then ends it without an abort.
#[derive(Debug)]
pub(crate) struct Producer {
    helper: &'static Helper,
    name: String,
}

impl Record {
    pub(crate) fn new(key: &str, value: &str) -> Self {
        Self {
            partition: 0,
            timestamp_ms: None,
            key: Some(key.into()),
            value: Some(value.into()),
            headers: Vec::new(),
        }
    }

    pub(crate) fn partition(mut self, partition: i32) -> Self {
        self.partition = partition;
        self
    }

    pub(crate) fn timestamp_ms(mut self, timestamp_ms: i64) -> Self {
        self.timestamp_ms = Some(timestamp_ms);
        self
    }

    pub(crate) fn header(mut self, name: &str, value: Option<&[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.map(<[u8]>::to_vec)));
        self
    }

    fn row(&self) -> Row {
        let time = self.timestamp_ms.map_or_else(|| "-".to_owned(), |time| time.to_string());
        let (key, value) = (hex(self.key.as_deref()), hex(self.value.as_deref()));
        let mut row = vec![self.partition.to_string(), time, key, value];
        push_headers(&mut row, &self.headers);
        row
    }
}

impl Cluster {
    /// Opens a producer; `transactional.id` among the properties makes it transactional.
    pub(crate) fn producer(&self, properties: &[(&str, &str)]) -> Producer {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("producer-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let bootstrap = format!("bootstrap.servers={}", self.bootstrap());
        let properties = pairs(properties);
        let mut arguments = vec![name.as_str(), bootstrap.as_str()];
        arguments.extend(properties.iter().map(String::as_str));
        helper().expect("producer_open", &arguments, &[]);
        Producer { helper: helper(), name }
    }

    /// Produces records with a producer of their own and returns their offsets.
    pub(crate) fn produce(
        &self,
        topic: &str,
        records: &[Record],
        properties: &[(&str, &str)],
    ) -> Vec<i64> {
        let producer = self.producer(properties);
        let offsets = producer.send(topic, records, 0);
        producer.close();
        offsets
    }

    /// Reads a partition with Kafka's consumer, from an offset to the end that stood at the start.
    pub(crate) fn consume(
        &self,
        topic: &str,
        partition: i32,
        from: i64,
        isolation_level: &str,
    ) -> Vec<FoundRecord> {
        let (partition, from) = (partition.to_string(), from.to_string());
        let arguments = [&self.bootstrap(), topic, &partition, &from, isolation_level];
        let rows = helper().expect("consume", &arguments, &[]);
        rows.iter().map(|row| found_record(&[&row[..2], &row[4..]].concat())).collect()
    }
}

impl Producer {
    /// Sends records, waits for all of them and returns their offsets. A flush after each
    /// `flush_every` records bounds the batches; 0 leaves that to the producer.
    pub(crate) fn send(&self, topic: &str, records: &[Record], flush_every: usize) -> Vec<i64> {
        self.try_send(topic, records, flush_every)
            .unwrap_or_else(|error| panic!("produce to {topic}: {error}"))
    }

    /// As `send`, for a broker that may refuse.
    ///
    /// # Errors
    ///
    /// What the first failed record's future threw.
    pub(crate) fn try_send(
        &self,
        topic: &str,
        records: &[Record],
        flush_every: usize,
    ) -> Result<Vec<i64>, JavaError> {
        let rows: Vec<Row> = records.iter().map(Record::row).collect();
        let arguments = [&self.name, topic, &flush_every.to_string()];
        let offsets = self.helper.call("producer_send", &arguments, &rows)?;
        Ok(offsets.iter().map(|row| row[0].parse().expect("an offset")).collect())
    }

    pub(crate) fn transaction(&self, step: Transaction) {
        let step = match step {
            Transaction::Begin => "begin",
            Transaction::Commit => "commit",
            Transaction::Abort => "abort",
        };
        self.helper.expect("producer_transaction", &[&self.name, step], &[]);
    }

    /// Closes the producer; an open transaction is aborted.
    pub(crate) fn close(self) {
        self.helper.expect("producer_close", &[&self.name], &[]);
    }
}

/// Appends headers as the helper's rows have them.
pub(crate) fn push_headers(row: &mut Row, headers: &[Header]) {
    for (name, value) in headers {
        row.push(name.clone());
        row.push(hex(value.as_deref()));
    }
}

/// Reads a row of offset, timestamp, key, value and headers.
pub(crate) fn found_record(row: &[String]) -> FoundRecord {
    FoundRecord {
        offset: row[0].parse().expect("an offset"),
        timestamp_ms: row[1].parse().expect("a time"),
        key: bytes(&row[2]),
        value: bytes(&row[3]),
        headers: row[4..].chunks(2).map(|pair| (pair[0].clone(), bytes(&pair[1]))).collect(),
    }
}
