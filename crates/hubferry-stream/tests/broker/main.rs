//! What the embedded broker cannot do, on a real Kafka whose address stands in HUBFERRY_TEST_KAFKA: transactions and
//! settings of topics.

#![expect(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

mod letters;
mod restart;
mod route;
mod topics;

use std::time::{Duration, SystemTime};

use hubferry_stream::{
    ClientSettings, KafkaSettings, Message, Producer, ScanFrom, TopicRole, TopicScan,
    ensure_topic_for,
};

/// No single step of a test takes this long on a working broker.
const DEADLINE: Duration = Duration::from_secs(60);

#[expect(
    clippy::disallowed_methods,
    reason = "the test's service is named by the environment"
)]
fn client() -> ClientSettings {
    let brokers = std::env::var("HUBFERRY_TEST_KAFKA")
        .expect("HUBFERRY_TEST_KAFKA names a Kafka, as in 127.0.0.1:9092");
    ClientSettings::new(brokers)
}

/// A name that no other test and no other run uses.
#[expect(
    clippy::disallowed_methods,
    reason = "the time makes the name of a run unique"
)]
fn name(what: &str) -> String {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    format!("{what}-{}", since.as_nanos())
}

async fn topic(what: &str, role: TopicRole, partitions: i32) -> String {
    let name = name(what);
    ensure_topic_for(&client(), role, &name, partitions)
        .await
        .unwrap();
    name
}

async fn produce(topic: &str, values: std::ops::Range<usize>) {
    let lines: Vec<_> = values
        .map(|value| Ok(value.to_string().into_bytes()))
        .collect();
    let producer = Producer::connect(&client()).unwrap();
    let none = |_: &[u8]| None;
    producer
        .send_all(topic, lines.into_iter(), none, |_| ())
        .await
        .unwrap();
}

/// Everything that a topic has now, as far as it is committed.
async fn read(topic: &str) -> Vec<Message> {
    let settings = KafkaSettings::new(client(), "reader", vec![]);
    let mut scan = TopicScan::start(&settings, topic, ScanFrom::Beginning, DEADLINE)
        .await
        .unwrap();
    let mut messages = Vec::new();
    while let Some(message) = scan.next().await.unwrap() {
        messages.push(message);
    }
    messages
}
