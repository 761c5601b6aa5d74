//! Writing, and reaching a broker at all.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use hubferry_stream::{ClientSettings, EmbeddedBroker, Producer, reachable};

use crate::{DEADLINE, arrive, join, settings};

#[tokio::test]
async fn keys_are_placed_as_the_java_client_does() {
    // Partitions of `Utils.toPositive(Utils.murmur2(key)) % 4` in Apache Kafka's Java client, by its published vectors:
    // murmur2("21") = -973932308, murmur2("foobar") = -790332482, murmur2("abc") = 479470107.
    let broker = EmbeddedBroker::start(&[("t", 4)]).unwrap();
    let producer = Producer::connect(&ClientSettings::new(broker.brokers())).unwrap();
    let mut expected = BTreeMap::new();
    for (key, hash) in [
        ("21", -973_932_308_i32),
        ("foobar", -790_332_482),
        ("abc", 479_470_107),
    ] {
        producer
            .send("t", Some(key.as_bytes()), b"0")
            .await
            .unwrap();
        expected.insert(Bytes::from(key), (hash & 0x7fff_ffff) % 4);
    }
    let mut source = join(&settings(&broker));
    let mut placed = BTreeMap::new();
    for _ in 0..3 {
        let (message, ticket) = arrive(&mut source).await;
        placed.insert(message.key.unwrap(), message.at.partition.get());
        source.settle(ticket);
    }
    assert_eq!(placed, expected);
}

#[tokio::test]
async fn producing_counts_and_leaves_out_blank_lines() {
    let broker = EmbeddedBroker::start(&[("t", 1)]).unwrap();
    let producer = Producer::connect(&ClientSettings::new(broker.brokers())).unwrap();
    let lines =
        ["{\"userId\":\"a\"}", "", "not json", "  "].map(|line| Ok(line.as_bytes().to_vec()));
    let (told, heard) = std::sync::mpsc::channel();
    let key_of = |line: &[u8]| line.starts_with(b"{").then(|| b"a".to_vec());
    let progress = move |sent| told.send(sent).unwrap();
    let produced = producer
        .send_all("t", lines.into_iter(), key_of, progress)
        .await
        .unwrap();
    assert_eq!(
        (
            produced.sent,
            produced.without_key,
            produced.blank,
            produced.bytes
        ),
        (2, 1, 2, 22)
    );
    assert_eq!(heard.into_iter().last(), Some(2));
}

#[tokio::test]
async fn a_broker_out_of_reach_is_one_clear_line() {
    let broker = EmbeddedBroker::start(&[("t", 3)]).unwrap();
    let reached = reachable(&ClientSettings::new(broker.brokers()), DEADLINE)
        .await
        .unwrap();
    assert_eq!(
        (reached.brokers, reached.topics),
        (1, BTreeMap::from([("t".to_owned(), 3)]))
    );
    let error = reachable(&ClientSettings::new("127.0.0.1:1"), Duration::from_secs(2))
        .await
        .unwrap_err();
    let message = error.to_string();
    assert!(
        message.starts_with("could not reach kafka at 127.0.0.1:1 within 2 s: "),
        "{message}"
    );
    assert!(
        message.contains("Connection refused") && message.ends_with("; check kafka.brokers"),
        "{message}"
    );
    assert_eq!(message.lines().count(), 1);
}

#[tokio::test]
async fn a_missing_topic_is_named_and_not_made() {
    let broker = EmbeddedBroker::start(&[("t", 1)]).unwrap();
    let client = ClientSettings::new(broker.brokers());
    let producer = Producer::connect(&client).unwrap();
    let lines = std::iter::once(Ok(b"{}".to_vec()));
    let error = producer
        .send_all("typo", lines, |_| None, |_| ())
        .await
        .unwrap_err();
    let expected = format!(
        "topic `typo` does not exist at {}; create it, or check kafka.topics",
        broker.brokers()
    );
    assert_eq!(error.to_string(), expected);
    let reached = reachable(&client, DEADLINE).await.unwrap();
    assert_eq!(reached.topics.keys().collect::<Vec<_>>(), ["t"]);
}
