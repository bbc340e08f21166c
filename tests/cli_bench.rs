//! `kfetch bench` counts what is there.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod cli;
mod support;

use std::process::Command;

use cli::{kfetch, run, run_with};
use support::kafka::Cluster;
use support::producer::Record;

#[test]
fn bench_tells_how_much_it_read_and_at_what_cost() {
    let cluster = Cluster::shared();
    cluster.create_topic("bench", 3, &[]);
    let record = |number: i32| Record::new("key", "value").partition(number % 3);
    cluster.produce("bench", &(0..3000).map(record).collect::<Vec<_>>(), &[]);
    let base = ["bench", "-b", &cluster.bootstrap(), "-t", "bench"];
    let json = run(kfetch(base.iter().chain(&["--json"]))).well();
    let mut python = Command::new("python3");
    python.args([
        "-c",
        "import json, sys\n\
         r = json.load(sys.stdin)\n\
         assert (r['records'], r['bytes']) == (3000, 24000), r\n\
         assert abs(r['records_per_second'] * r['seconds'] - 3000) < 3, r\n\
         assert abs(r['megabytes_per_second'] * r['seconds'] - 0.024) < 0.001, r\n\
         assert r['cpu_ns_per_record'] >= 0, r\n\
         assert sys.platform != 'linux' or 1e6 < r['peak_memory_bytes'] < 1e9, r\n",
    ]);
    run_with(python, json.as_bytes()).well();
    let text = run(kfetch(base.iter().chain(&["-p", "0,1"]))).well();
    for wanted in ["records:        2000\n", "records/s: ", "MB/s: ", "CPU per record: ", "peak"] {
        assert!(text.contains(wanted), "{text}");
    }
    let some = run(kfetch(base.iter().chain(&["-c", "1", "--json"]))).well();
    assert!(some.starts_with("{\"records\":"), "{some}");
    let told = run(kfetch(["bench", "-b", &cluster.bootstrap(), "-t", "no-bench"])).ended(1);
    assert!(told.contains("topic no-bench does not exist"), "{told}");
}
