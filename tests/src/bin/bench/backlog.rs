//! Identify events that wait on a topic.

use anyhow::Result;
use hubferry_tests::Kafka;
use serde_json::json;

/// Produced at a time, so that they need not all be in memory.
const PIECE: u32 = 50_000;

/// A topic with this many events, and its dead-letter topic; event `n` is about person `n` modulo `people`.
pub(crate) async fn fill(
    kafka: &Kafka,
    label: &str,
    partitions: i32,
    (events, people): (u32, u32),
) -> Result<String> {
    let topic = kafka.topic(label, partitions).await?;
    kafka
        .create(&format!("{topic}.hubferry.dlq"), partitions)
        .await?;
    for start in (0..events).step_by(PIECE as usize) {
        let piece = start..events.min(start + PIECE);
        kafka
            .produce(&topic, piece.map(|number| message(number, number % people)))
            .await?;
    }
    Ok(topic)
}

/// Key and value of an identify event of this person.
pub(crate) fn message(number: u32, person: u32) -> (Option<Vec<u8>>, Vec<u8>) {
    let key = format!("u{person}").into_bytes();
    (Some(key), event(number, person).into_bytes())
}

/// An identify event of this person.
pub(crate) fn event(number: u32, person: u32) -> String {
    let traits = json!({
        "email": format!("p{person}@example.com"),
        "firstName": format!("First{number}"),
        "lastName": format!("Last{person}"),
        "company": format!("Company {}", person % 1000),
        "address": {"city": "Berlin", "postalCode": "10115"},
    });
    json!({"type": "identify", "messageId": format!("m{number}"), "userId": format!("u{person}"), "traits": traits})
        .to_string()
}
