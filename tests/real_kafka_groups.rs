//! Members of groups on a real Apache Kafka.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]
#![allow(clippy::disallowed_methods, reason = "consumers run in real time")]

mod group_scenarios;
mod support;

use group_scenarios::Place;
use support::kafka::Cluster;
use support::producer::Record;

impl Place for Cluster {
    fn settings(&self) -> Vec<(String, String)> {
        vec![("bootstrap.servers".to_owned(), self.bootstrap())]
    }

    fn create_topic(&self, topic: &str, partitions: i32) {
        Self::create_topic(self, topic, usize::try_from(partitions).unwrap(), &[]);
    }

    fn append(&self, topic: &str, partition: i32, values: &[String]) {
        let record = |value: &String| Record::new("k", value).partition(partition);
        let records: Vec<Record> = values.iter().map(record).collect();
        self.produce(topic, &records, &[]);
    }
}

group_scenarios::all_scenarios! { &*Cluster::shared() }
