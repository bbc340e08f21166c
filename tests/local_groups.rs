//! Members of groups on log directories, with the coordinator in this process.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]
#![allow(clippy::disallowed_methods, reason = "consumers run in real time")]

mod group_scenarios;
mod support;

use group_scenarios::Place;
use kfetch::record::NewRecord;
use kfetch::{LogWriter, LogWriterOptions};
use support::temp_dir::TempDir;

impl Place for TempDir {
    fn settings(&self) -> Vec<(String, String)> {
        vec![("log.dirs".to_owned(), self.path().to_str().unwrap().to_owned())]
    }

    fn create_topic(&self, topic: &str, partitions: i32) {
        for partition in 0..partitions {
            self.append(topic, partition, &[]);
        }
    }

    fn append(&self, topic: &str, partition: i32, values: &[String]) {
        let options = LogWriterOptions::default();
        let mut writer = LogWriter::open(self.path(), topic, partition, options).unwrap();
        for value in values {
            let record = NewRecord { value: Some(value.as_bytes()), ..NewRecord::default() };
            writer.append(&[record]).unwrap();
        }
        writer.close().unwrap();
    }
}

group_scenarios::all_scenarios! { &TempDir::new("local-groups") }
