//! What a poll brought, as events.

use std::collections::BTreeMap;

use kfetch::{EventKind, Records, TopicPartition};

use super::event::{Event, Kind, Span};

/// Returns what a poll is to be noted as, and takes down in `progress` where each partition goes
/// on. The value of a record has to be its offset.
pub(crate) fn events_of(
    records: &Records,
    generation: i32,
    progress: &mut BTreeMap<TopicPartition, i64>,
) -> Vec<Event> {
    let mut events = Vec::new();
    for event in records.events() {
        let kind = match event.kind() {
            EventKind::Reset { .. } => Kind::Wrong,
            _ => Kind::Error,
        };
        let text = format!("{}: {:?}", name(event.topic(), event.partition()), event.kind());
        events.push(Event::new(kind).text(text));
    }
    let mut spans: Vec<Span> = Vec::new();
    for record in records {
        let (name, offset) = (name(record.topic(), record.partition()), record.offset());
        if record.value() != Some(offset.to_string().as_bytes()) {
            let text = format!("{name} at {offset}: {:?}", record.value());
            events.push(Event::new(Kind::Wrong).text(text));
        }
        match spans.last_mut() {
            Some(span) if span.partition == name && span.last + 1 == offset => span.last = offset,
            _ => spans.push(Span::new(&name, offset, offset)),
        }
        let partition = TopicPartition::new(record.topic(), record.partition());
        progress.insert(partition, offset + 1);
    }
    if !spans.is_empty() {
        events.push(Event::new(Kind::Delivered).generation(generation).spans(spans));
    }
    events
}

/// Returns the name of a partition's directory, as events have it.
pub(crate) fn name(topic: &str, partition: i32) -> String {
    format!("{topic}-{partition}")
}
