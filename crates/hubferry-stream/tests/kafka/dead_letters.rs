//! Dead letters on a topic.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use hubferry_stream::{
    ClientSettings, DeadLetter, DeadLetterTopic, DeadLetters, EmbeddedBroker, KafkaDeadLetters,
    Offset, Partition, Place, StreamError, Topic,
};
use tokio_util::sync::CancellationToken;

use crate::{DEADLINE, arrive, join, settings};

#[tokio::test]
async fn a_dead_letter_keeps_partition_key_value_time_and_headers() {
    let broker = EmbeddedBroker::start(&[("t", 4), ("t.hubferry.dlq", 4)]).unwrap();
    let letters = dead_letters(&broker, CancellationToken::new())
        .await
        .unwrap();
    for partition in 0..4 {
        letters.park(letter(partition, b"same key")).await.unwrap();
    }
    letters.close().await;
    let mut settings = settings(&broker);
    settings.topics = vec!["t.hubferry.dlq".to_owned()];
    let mut source = join(&settings);
    let mut partitions = BTreeSet::new();
    for _ in 0..4 {
        let (message, ticket) = arrive(&mut source).await;
        source.settle(ticket);
        let partition = message.at.partition.get();
        partitions.insert(partition);
        let parked = letter(partition, b"same key");
        assert_eq!(
            (message.key, message.body),
            (parked.key.clone(), Some(parked.value.clone()))
        );
        assert_eq!(message.written_ms, parked.written_ms);
        let ours = parked
            .headers()
            .into_iter()
            .map(|(name, value)| (name, Bytes::from(value)));
        let expected: Vec<_> = parked
            .original_headers
            .iter()
            .cloned()
            .chain(ours)
            .collect();
        assert_eq!(message.headers, expected);
    }
    assert_eq!(partitions, (0..4).collect());
    source.close().await.unwrap();
}

#[tokio::test]
async fn a_letter_from_elsewhere_goes_to_the_topic_that_is_known_to_exist() {
    let broker = EmbeddedBroker::start(&[("t", 2), ("t.hubferry.dlq", 2)]).unwrap();
    let letters = dead_letters(&broker, CancellationToken::new())
        .await
        .unwrap();
    let mut elsewhere = letter(17, b"k");
    elsewhere.origin.topic = Topic::new("input");
    letters.park(elsewhere).await.unwrap();
    letters.close().await;
    let mut settings = settings(&broker);
    settings.topics = vec!["t.hubferry.dlq".to_owned()];
    let mut source = join(&settings);
    let (message, ticket) = arrive(&mut source).await;
    source.settle(ticket);
    let origin = message
        .headers
        .iter()
        .find(|(name, _)| name == "hubferry.origin.topic");
    assert_eq!(origin.unwrap().1, "input");
    source.close().await.unwrap();
}

#[tokio::test]
async fn a_missing_dead_letter_topic_is_named_with_the_command() {
    let broker = EmbeddedBroker::start(&[("t", 4)]).unwrap();
    let error = dead_letters(&broker, CancellationToken::new())
        .await
        .unwrap_err();
    let expected = format!(
        "dead-letter topic `t.hubferry.dlq` does not exist; create it with as many partitions as its source: \
         kafka-topics.sh --bootstrap-server {} --create --topic t.hubferry.dlq --partitions 4 \
         --config retention.ms=2592000000 --config message.timestamp.type=LogAppendTime",
        broker.brokers()
    );
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn parking_waits_for_the_broker_and_gives_up_only_when_stopped() {
    let broker = EmbeddedBroker::start(&[("t", 1), ("t.hubferry.dlq", 1)]).unwrap();
    let stop = CancellationToken::new();
    let letters = dead_letters(&broker, stop.clone()).await.unwrap();
    broker.take_down().unwrap();
    {
        let parking = letters.park(letter(0, b"k"));
        tokio::pin!(parking);
        assert!(
            tokio::time::timeout(Duration::from_millis(300), &mut parking)
                .await
                .is_err()
        );
        broker.bring_up().unwrap();
        tokio::time::timeout(DEADLINE, parking)
            .await
            .unwrap()
            .unwrap();
    }
    broker.take_down().unwrap();
    let parking = letters.park(letter(0, b"k"));
    tokio::pin!(parking);
    assert!(
        tokio::time::timeout(Duration::from_millis(300), &mut parking)
            .await
            .is_err()
    );
    stop.cancel();
    let stopped = tokio::time::timeout(DEADLINE, parking).await.unwrap();
    assert!(
        matches!(stopped, Err(StreamError::Stopped { .. })),
        "{stopped:?}"
    );
}

pub(crate) fn letter(partition: i32, key: &'static [u8]) -> DeadLetter {
    DeadLetter {
        origin: Place {
            topic: Topic::new("t"),
            partition: Partition::new(partition),
            offset: Offset::new(7),
        },
        element: None,
        key: Some(Bytes::from_static(key)),
        value: Bytes::from_static(b"{}"),
        truncated: false,
        original_headers: vec![("source".to_owned(), Bytes::from_static(b"web"))],
        written_ms: 1_767_225_600_000,
        group: Some("g".to_owned()),
        message_id: None,
        identity_hash: None,
        event_type: None,
        event_name: None,
        failed: vec![],
        done: vec![],
        skipped: vec![],
        class: "input".to_owned(),
        stage: "intake".to_owned(),
        status: None,
        code: "no_identity".to_owned(),
        message: "no identity".to_owned(),
        correlation_id: None,
        attempts: 1,
        first_failed_ms: 0,
        last_failed_ms: 0,
        blocked_by: None,
        config_hash: "c".to_owned(),
        build: "b".to_owned(),
        worker: "w".to_owned(),
        replay: None,
        traceparent: None,
    }
}

pub(crate) async fn dead_letters(
    broker: &EmbeddedBroker,
    stop: CancellationToken,
) -> Result<DeadLetters, StreamError> {
    let client = ClientSettings::new(broker.brokers());
    let topic = DeadLetterTopic::parse(DeadLetterTopic::DEFAULT).unwrap();
    let connected =
        KafkaDeadLetters::connect(&client, topic, &["t".to_owned()], DEADLINE, stop).await?;
    Ok(DeadLetters::Kafka(connected))
}
