//! The real Apache Kafka and the Java oracle that other tests stand on do what they say.

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use support::deadline::wait_until;
use support::helper::helper;
use support::kafka::Cluster;
use support::oracle::{self, Compaction};
use support::process::{Process, spawn_tied};
use support::producer::{FoundRecord, Record, Transaction};
use support::temp_dir::TempDir;
use support::topics::At;

const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];
const FIRST_MS: i64 = 1_600_000_000_000;
const SOON: Duration = Duration::from_secs(20);

/// Records with null keys and values, and headers that repeat, are null or are not UTF-8.
fn records(count: i64) -> Vec<Record> {
    let record = |number: i64| {
        let value = format!("value {number} {}", "kafka ".repeat(10));
        let mut record =
            Record::new(&format!("key-{number}"), &value).timestamp_ms(FIRST_MS + number);
        match number % 7 {
            0 => record.key = None,
            1 => record.value = None,
            2 => record = record.header("a", Some(b"1")).header("a", None).header("", Some(&[])),
            3 => record = record.header("é\t\\", Some(&[0xff, 0, 0x80])),
            _ => {}
        }
        record
    };
    (0..count).map(record).collect()
}

fn found(records: &[Record]) -> Vec<FoundRecord> {
    let found = |(offset, record): (i64, &Record)| FoundRecord {
        offset,
        timestamp_ms: record.timestamp_ms.unwrap_or(-1),
        key: record.key.clone(),
        value: record.value.clone(),
        headers: record.headers.clone(),
    };
    (0..).zip(records).map(found).collect()
}

/// The letter that the kernel has for what a process does; `None` when it is gone.
fn state(process: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let state = stat.rsplit(") ").next()?.chars().next()?;
    (state != 'Z').then_some(state)
}

#[test]
fn every_codec_is_dumped_as_valid_and_read_back() {
    let cluster = Cluster::shared();
    for codec in CODECS {
        let topic = format!("dump-{codec}");
        cluster.create_topic(&topic, 1, &[("retention.ms", "-1")]);
        let records = records(1000);
        let offsets = cluster.produce(&topic, &records, &[("compression.type", codec)]);
        assert_eq!(offsets, (0..1000).collect::<Vec<i64>>());

        let dump = cluster.dump_segments(1, &topic, 0, &["--print-data-log"]);
        assert_eq!((dump.status, dump.stderr.as_str()), (0, ""), "{codec}");
        let wanted = format!("compresscodec: {codec} ");
        let batches: Vec<&str> =
            dump.stdout.lines().filter(|line| line.starts_with("baseOffset:")).collect();
        assert!(!batches.is_empty(), "{codec}: {dump:?}");
        for batch in &batches {
            assert!(batch.ends_with("isvalid: true") && batch.contains(&wanted), "{batch}");
        }
        assert_eq!(dump.stdout.matches("| offset: ").count(), 1000, "{codec}");

        assert_eq!(cluster.consume(&topic, 0, 0, "read_uncommitted"), found(&records), "{codec}");
        let segment = fs::read(&cluster.broker(1).segments(&topic, 0)[0]).unwrap();
        let parsed = oracle::parse_batches(&segment).unwrap();
        assert_eq!(parsed.len(), batches.len(), "{codec}");
        let of_file: Vec<FoundRecord> =
            parsed.into_iter().flat_map(|batch| batch.records).collect();
        assert_eq!(of_file, found(&records), "{codec}");
    }
}

#[test]
fn dump_tool_tells_a_flipped_bit() {
    let directory = TempDir::new("dump");
    let file = directory.path().join("00000000000000000000.log");
    let mut batch = oracle::build_batch(&[], &found(&records(3)));
    *batch.last_mut().unwrap() ^= 1;
    fs::write(&file, batch).unwrap();
    let arguments = ["--files", file.to_str().unwrap()];
    let dump = helper().tool("kafka.tools.DumpLogSegments", &arguments);
    assert!(dump.stdout.contains("isvalid: false"), "{dump:?}");
}

#[test]
fn transactions_leave_markers_and_batches_end_where_asked() {
    let cluster = Cluster::shared();
    cluster.create_topic("transactions", 1, &[("retention.ms", "-1")]);
    let producer = cluster.producer(&[("transactional.id", "smoke")]);
    for end in [Transaction::Commit, Transaction::Abort] {
        producer.transaction(Transaction::Begin);
        producer.send("transactions", &records(4), 2);
        producer.transaction(end);
    }
    producer.close();

    let committed = cluster.consume("transactions", 0, 0, "read_committed");
    assert_eq!(committed, found(&records(4)));
    assert_eq!(cluster.consume("transactions", 0, 0, "read_uncommitted").len(), 8);
    let dump = cluster.dump_segments(1, "transactions", 0, &["--print-data-log"]).stdout;
    assert_eq!(dump.matches("count: 2 ").count(), 4, "{dump}");
    assert_eq!(dump.matches("endTxnMarker: COMMIT").count(), 1, "{dump}");
    assert_eq!(dump.matches("endTxnMarker: ABORT").count(), 1, "{dump}");
}

#[test]
fn records_are_deleted_and_offsets_found() {
    let cluster = Cluster::shared();
    cluster.create_topic("deleted", 2, &[("retention.ms", "-1")]);
    let records: Vec<Record> = records(10).into_iter().map(|record| record.partition(1)).collect();
    cluster.produce("deleted", &records, &[]);
    assert_eq!(cluster.delete_records("deleted", 1, 4), 4);
    assert_eq!(cluster.list_offset("deleted", 1, At::Earliest).offset, 4);
    assert_eq!(cluster.list_offset("deleted", 1, At::Latest).offset, 10);
    assert_eq!(cluster.list_offset("deleted", 0, At::Latest).offset, 0);
    let found = cluster.list_offset("deleted", 1, At::TimestampMs(FIRST_MS + 7));
    assert_eq!((found.offset, found.timestamp_ms), (7, FIRST_MS + 7));
    assert_eq!(cluster.list_offset("deleted", 1, At::MaxTimestamp).offset, 9);

    let small = [("max.message.bytes", "100")];
    cluster.alter_topic("deleted", &small);
    let producer = cluster.producer(&[]);
    // One record a batch: the producer of 4.1 splits a refused batch of several without end.
    wait_until("a refusal of large batches", SOON, || {
        producer
            .try_send("deleted", &records[..5], 1)
            .is_err_and(|error| error.class == "RecordTooLargeException")
    });
    producer.close();
    cluster.delete_topic("deleted");
    let gone = helper().call("describe_topic", &[&cluster.bootstrap(), "deleted"], &[]);
    assert_eq!(gone.unwrap_err().class, "UnknownTopicOrPartitionException");
}

#[test]
fn a_broker_freezes_dies_and_comes_back_with_its_data() {
    let cluster = Cluster::builder().data_dirs(2).property("num.partitions", "3").start();
    let broker = cluster.broker(1);
    cluster.create_topic("kept", 2, &[("retention.ms", "-1")]);
    cluster.produce("kept", &records(5), &[]);
    assert_ne!(
        broker.partition_dir("kept", 0).parent(),
        broker.partition_dir("kept", 1).parent(),
        "one in each of the two directories"
    );

    let process = broker.process_id().unwrap();
    broker.pause();
    wait_until("a stopped process", SOON, || state(process) == Some('T'));
    broker.resume();
    wait_until("a running process", SOON, || state(process).is_some_and(|state| state != 'T'));

    broker.kill();
    assert_eq!((state(process), broker.process_id()), (None, None));
    broker.start();
    assert_eq!(cluster.consume("kept", 0, 0, "read_uncommitted"), found(&records(5)));
    broker.stop();
    let clean = broker.data_dirs().iter().all(|dir| dir.join(".kafka_cleanshutdown").exists());
    assert!(clean, "SIGTERM closes the logs");
}

#[test]
fn three_nodes_move_a_leader() {
    let cluster = Cluster::builder().nodes(3).start();
    cluster.create_topic_on("moved", &[&[1, 2, 3]], &[("retention.ms", "-1")]);
    cluster.create_topic("single", 3, &[]);
    cluster.produce("moved", &records(5), &[]);
    cluster.move_leader("moved", 0, 3);
    cluster.move_leader("single", 1, 1);
    let (_, partitions) = cluster.describe_topic("moved");
    assert_eq!((partitions[0].leader, partitions[0].replicas.len()), (Some(3), 3));
    let (_, single) = cluster.describe_topic("single");
    let leaders: Vec<u32> = single.iter().filter_map(|partition| partition.leader).collect();
    assert_eq!(leaders, [1, 1, 3], "the second of them was on broker 2");
    assert!(cluster.list_offset("moved", 0, At::Latest).leader_epoch > 0);
    for broker in cluster.brokers() {
        let segment = fs::read(&broker.segments("moved", 0)[0]).unwrap();
        let records: usize =
            oracle::parse_batches(&segment).unwrap().iter().map(|batch| batch.records.len()).sum();
        assert_eq!(records, 5, "broker {}", broker.id());
    }

    cluster.broker(3).kill();
    wait_until("another leader", SOON, || {
        let leader = cluster.describe_topic("moved").1[0].leader;
        leader.is_some_and(|leader| leader != 3)
    });
    assert_eq!(cluster.consume("moved", 0, 0, "read_uncommitted"), found(&records(5)));
}

#[test]
fn a_broker_is_gone_after_a_panic() {
    let mut process = None;
    let result = catch_unwind(AssertUnwindSafe(|| {
        let cluster = Cluster::builder().start();
        process = cluster.broker(1).process_id();
        assert!(state(process.unwrap()).is_some(), "it runs");
        panic!("on purpose");
    }));
    assert_eq!(*result.unwrap_err().downcast::<&str>().unwrap(), "on purpose");
    assert_eq!(state(process.unwrap()), None);
}

const ROLE: &str = "KFETCH_TEST_STARTS_A_BROKER_AND_WAITS";

/// Runs itself once more as a child, which is killed while its broker runs.
#[test]
fn a_broker_is_gone_when_the_test_process_is_killed() {
    if std::env::var_os(ROLE).is_some() {
        let broker = Cluster::shared().broker(1).process_id().unwrap();
        // Behind the harness's own "test ... " on the same line.
        println!("\nbroker {broker}");
        let _ = std::io::stdin().read(&mut [0]);
        return;
    }
    let name = "a_broker_is_gone_when_the_test_process_is_killed";
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture"]).env(ROLE, "1");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = spawn_tied(command).unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let broker = lines
        .find_map(|line| line.strip_prefix("broker ")?.parse::<u32>().ok())
        .expect("the child prints its broker's process id");
    assert!(state(broker).is_some(), "it runs");
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("the end of the broker", SOON, || state(broker).is_none());
}

#[test]
fn a_process_outlives_the_thread_that_asked_for_it() {
    let directory = TempDir::new("thread");
    let log = directory.path().join("log");
    let start = move || {
        let mut command = Command::new("sleep");
        command.arg("1000");
        Process::spawn("sleep", command, &log)
    };
    let process = std::thread::spawn(start).join().unwrap();
    assert_eq!(process.wait(Duration::from_millis(300)), None, "it runs");
    let id = process.id();
    drop(process);
    assert!(!Path::new(&format!("/proc/{id}")).exists(), "killed and waited for");
}

#[test]
fn oracle_reads_the_batches_it_builds() {
    let wanted = found(&records(100));
    for codec in CODECS {
        let properties = [
            ("codec", codec),
            ("producer_id", "7"),
            ("producer_epoch", "3"),
            ("base_sequence", "11"),
            ("transactional", "true"),
            ("partition_leader_epoch", "5"),
        ];
        let data = oracle::build_batch(&properties, &wanted);
        let batch = oracle::parse_batches(&data).unwrap().remove(0);
        for (name, value) in properties {
            assert_eq!(batch.header[name], value, "{codec} {name}");
        }
        assert_eq!(batch.number("size"), i64::try_from(data.len()).unwrap());
        assert_eq!((batch.records, batch.fault), (wanted.clone(), None), "{codec}");
    }
    let properties = [("timestamp_type", "LogAppendTime"), ("log_append_time", "99")];
    let data = oracle::build_batch(&properties, &wanted);
    let batch = oracle::parse_batches(&data).unwrap().remove(0);
    assert!(batch.records.iter().all(|record| record.timestamp_ms == 99));
    for (magic, codec) in [("0", "none"), ("0", "gzip"), ("1", "none"), ("1", "lz4")] {
        let plain = [FoundRecord { headers: Vec::new(), ..wanted[4].clone() }];
        let properties = [("magic", magic), ("codec", codec), ("base_offset", "4")];
        let data = oracle::build_batch(&properties, &plain);
        let batch = oracle::parse_batches(&data).unwrap().remove(0);
        assert_eq!((batch.header["magic"].as_str(), batch.records.len()), (magic, 1));
        assert_eq!((&batch.records[0].value, batch.records[0].offset), (&wanted[4].value, 4));
    }
}

#[test]
fn oracle_builds_what_brokers_leave_behind() {
    let mut marker = oracle::build_marker(false, 9, FIRST_MS, 7, 3);
    let batch = oracle::parse_batches(&marker).unwrap().remove(0);
    assert_eq!((batch.header["control"].as_str(), batch.number("base_offset")), ("true", 9));
    *marker.last_mut().unwrap() ^= 1;
    let batch = oracle::parse_batches(&marker).unwrap().remove(0);
    assert_eq!(batch.fault.unwrap().class, "CorruptRecordException");

    let mut tombstones = found(&records(3));
    tombstones[2].value = None;
    let data = oracle::build_batch(&[("codec", "zstd")], &tombstones);
    let compaction = Compaction {
        now_ms: FIRST_MS,
        delete_retention_ms: 50,
        retain_empty: true,
        emptied_transactions: false,
    };
    let kept = oracle::compact_batches(&data, &[2], compaction);
    let batch = oracle::parse_batches(&kept).unwrap().remove(0);
    assert_eq!(batch.number("delete_horizon"), FIRST_MS + 50);
    assert_eq!((batch.number("base_offset"), batch.number("last_offset")), (0, 2));
    assert_eq!(batch.records, tombstones[2..]);

    let emptied = oracle::compact_batches(&data, &[], compaction);
    let batch = oracle::parse_batches(&emptied).unwrap().remove(0);
    assert_eq!((batch.number("count"), batch.number("last_offset")), (0, 2));
    let same = oracle::build_empty_batch(&[
        ("last_offset", "2"),
        ("max_timestamp", &batch.header["max_timestamp"]),
    ]);
    assert_eq!(emptied[21..], same[21..], "but for the codec, all behind the checksum");
}

#[test]
fn oracle_speaks_the_protocol() {
    assert_eq!(oracle::message_versions("ListOffsetsRequest"), (1, 11));
    let json = r#"{"replicaId":-1,"isolationLevel":0,"topics":[{"name":"t","partitions":
        [{"partitionIndex":0,"currentLeaderEpoch":-1,"timestamp":-4}]}],"timeoutMs":1000}"#;
    let data = oracle::message_bytes("ListOffsetsRequest", 11, json).unwrap();
    let mut wanted = vec![0xff, 0xff, 0xff, 0xff, 0, 2, 2, b't', 2, 0, 0, 0, 0];
    wanted.extend([0xff; 4]);
    wanted.extend((-4_i64).to_be_bytes());
    wanted.extend([0, 0, 0, 0, 3, 0xe8, 0]);
    assert_eq!(data, wanted);

    wanted.push(0);
    let (json, left) = oracle::message_json("ListOffsetsRequest", 11, &wanted).unwrap();
    assert_eq!(left, 1);
    assert_eq!(oracle::message_bytes("ListOffsetsRequest", 11, &json).unwrap(), data);
    let error = oracle::message_json("ListOffsetsRequest", 11, &data[..9]).unwrap_err();
    assert_eq!(error.class, "RuntimeException", "{error}");
    let error = oracle::message_bytes("OffsetCommitValue", 4, "{}").unwrap_err();
    assert!(error.message.contains("offset"), "{error}");
}

#[test]
fn oracle_carries_record_data_in_messages() {
    let json = |records: &str| {
        format!(
            r#"{{"throttleTimeMs":0,"errorCode":0,"sessionId":0,"responses":[{{"topicId":
            "BwcHBwcHBwcHBwcHBwcHBw","partitions":[{{"partitionIndex":0,"errorCode":0,
            "highWatermark":9,"lastStableOffset":9,"logStartOffset":0,
            "abortedTransactions":null,"preferredReadReplica":-1,{records}}}]}}]}}"#
        )
    };
    let given = json(r#""records":"AAECAw==""#);
    let data = oracle::message_bytes("FetchResponse", 16, &given).unwrap();
    let mut wanted = [[0_u8; 10].as_slice(), &[2], &[7; 16], &[2], &[0; 6]].concat();
    wanted.extend([9_i64, 9, 0].map(i64::to_be_bytes).concat());
    wanted.extend([0, 0xff, 0xff, 0xff, 0xff, 5, 0, 1, 2, 3, 0, 0, 0]);
    assert_eq!(data, wanted);

    let (found, left) = oracle::message_json("FetchResponse", 16, &data).unwrap();
    let expected = json(r#""recordsSizeInBytes":4"#).replace(char::is_whitespace, "");
    assert_eq!((found, left), (expected, 0));
}
