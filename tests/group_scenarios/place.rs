//! Where topics and groups are.

/// A cluster, or a log directory.
pub(crate) trait Place: Send + Sync {
    /// Returns the settings by which a consumer finds it.
    fn settings(&self) -> Vec<(String, String)>;

    /// Makes a topic.
    fn create_topic(&self, topic: &str, partitions: i32);

    /// Appends values to a partition.
    fn append(&self, topic: &str, partition: i32, values: &[String]);

    /// Makes a topic of as many records, spread evenly, whose values are their numbers.
    fn fill(&self, topic: &str, partitions: i32, records: usize) {
        self.create_topic(topic, partitions);
        self.fill_on(topic, partitions, 0..records);
    }

    /// Appends records whose values are their numbers.
    fn fill_on(&self, topic: &str, partitions: i32, numbers: std::ops::Range<usize>) {
        let count = usize::try_from(partitions).unwrap();
        for partition in 0..count {
            let own = numbers.clone().filter(|number| number % count == partition);
            let values: Vec<String> = own.map(|number| format!("v{number}")).collect();
            if !values.is_empty() {
                self.append(topic, i32::try_from(partition).unwrap(), &values);
            }
        }
    }
}
