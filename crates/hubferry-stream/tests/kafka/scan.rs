//! A topic read to its end beside the group.

use std::collections::BTreeMap;

use hubferry_stream::{
    EmbeddedBroker, Letter, LetterError, Message, Offset, Partition, Position, ScanFrom,
    StreamError, TopicScan,
};
use tokio_util::sync::CancellationToken;

use crate::dead_letters::{dead_letters, letter};
use crate::{DEADLINE, number, produce, settings};

async fn scan(
    broker: &EmbeddedBroker,
    topic: &str,
    from: ScanFrom,
) -> (Vec<Message>, BTreeMap<Partition, Position>) {
    let mut scan = TopicScan::start(&settings(broker), topic, from, DEADLINE)
        .await
        .unwrap();
    let mut messages = Vec::new();
    while let Some(message) = scan.next().await.unwrap() {
        messages.push(message);
    }
    let ends = scan.ends().clone();
    (messages, ends)
}

#[tokio::test]
async fn a_scan_ends_at_the_end_and_the_next_one_goes_on_there() {
    let broker = EmbeddedBroker::start(&[("t", 3)]).unwrap();
    assert_eq!(scan(&broker, "t", ScanFrom::Beginning).await.0.len(), 0);
    produce(&broker, 0, 2_000).await;
    let mut first = TopicScan::start(&settings(&broker), "t", ScanFrom::Beginning, DEADLINE)
        .await
        .unwrap();
    produce(&broker, 2_000, 2_100).await;
    let mut numbers = Vec::new();
    let mut last: BTreeMap<Partition, Offset> = BTreeMap::new();
    while let Some(message) = first.next().await.unwrap() {
        let before = last.insert(message.at.partition, message.at.offset);
        assert!(
            before.is_none_or(|before| before < message.at.offset),
            "in order"
        );
        numbers.push(number(&message));
    }
    numbers.sort_unstable();
    assert_eq!(
        numbers,
        (0..2_000).collect::<Vec<_>>(),
        "what comes later is not part of it"
    );
    let (rest, ends) = scan(&broker, "t", ScanFrom::Positions(first.ends().clone())).await;
    let mut rest: Vec<_> = rest.iter().map(number).collect();
    rest.sort_unstable();
    assert_eq!(rest, (2_000..2_100).collect::<Vec<_>>());
    assert_eq!(ends.values().map(|end| end.get()).sum::<i64>(), 2_100);
}

#[tokio::test]
async fn what_was_parked_is_scanned_and_read_back() {
    let broker = EmbeddedBroker::start(&[("t", 2), ("t.hubferry.dlq", 2)]).unwrap();
    let letters = dead_letters(&broker, CancellationToken::new())
        .await
        .unwrap();
    for partition in [0, 1] {
        letters.park(letter(partition, b"k")).await.unwrap();
    }
    letters.close().await;
    let (messages, _) = scan(&broker, "t.hubferry.dlq", ScanFrom::Beginning).await;
    let mut read: Vec<_> = messages
        .iter()
        .map(|message| Letter::read(message).unwrap())
        .collect();
    read.sort_by_key(|letter| letter.at.partition);
    let read: Vec<_> = read.into_iter().map(|letter| letter.letter).collect();
    assert_eq!(read, [letter(0, b"k"), letter(1, b"k")]);

    produce(&broker, 0, 1).await;
    let (others, _) = scan(&broker, "t", ScanFrom::Beginning).await;
    assert!(matches!(
        Letter::read(&others[0]),
        Err(LetterError::NotALetter { .. })
    ));
}

#[tokio::test]
async fn a_missing_topic_and_a_missing_broker_are_named() {
    let broker = EmbeddedBroker::start(&[("t", 1)]).unwrap();
    let settings = settings(&broker);
    let missing = TopicScan::start(&settings, "other", ScanFrom::Beginning, DEADLINE)
        .await
        .unwrap_err();
    assert!(
        matches!(missing, StreamError::TopicMissing { .. }),
        "{missing}"
    );
    broker.take_down().unwrap();
    let within = std::time::Duration::from_millis(500);
    let gone = TopicScan::start(&settings, "t", ScanFrom::Beginning, within)
        .await
        .unwrap_err();
    assert!(
        gone.to_string().starts_with("could not reach kafka at"),
        "{gone}"
    );
}
