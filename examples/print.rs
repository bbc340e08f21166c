//! The program of the README: prints the records of a topic.

use kfetch::{Config, Consumer, TopicPartition};
use std::time::Duration;

fn main() -> kfetch::Result<()> {
    let config = Config::new().with("log.dirs", "data")?.with("auto.offset.reset", "earliest")?;
    let mut consumer = Consumer::new(&config)?;
    consumer.assign(&[TopicPartition::new("orders", 0)])?;
    while let Some(records) = consumer.poll(Duration::from_secs(1))? {
        for record in &records {
            println!("{} {}", record.offset(), record.value().unwrap_or(b"null").escape_ascii());
        }
    }
    Ok(())
}
