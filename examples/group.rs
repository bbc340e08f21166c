//! The README's member of a group.

use kfetch::{Config, Consumer};
use std::time::Duration;

fn main() -> kfetch::Result<()> {
    let config = Config::new()
        .with("log.dirs", "data")? // or bootstrap.servers
        .with("group.id", "billing")?
        .with("enable.auto.commit", "false")?
        .with("auto.offset.reset", "earliest")?;
    let mut consumer = Consumer::new(&config)?;
    consumer.subscribe(&["orders"])?;
    while let Some(records) = consumer.poll(Duration::from_secs(3))? {
        for record in &records {
            println!("{} {}", record.offset(), record.value().unwrap_or(b"null").escape_ascii());
        }
        consumer.commit_sync(Duration::from_secs(10))?;
    }
    consumer.close(Duration::from_secs(10))
}
