//! Messages read again by their coordinates.

use hubferry_stream::{EmbeddedBroker, Message, Offset, Partition, Place, Topic, read_at};

use crate::{DEADLINE, arrive, join, number, produce, settings};

fn place(topic: &str, partition: i32, offset: i64) -> Place {
    Place {
        topic: Topic::new(topic),
        partition: Partition::new(partition),
        offset: Offset::new(offset),
    }
}

#[tokio::test]
async fn a_message_is_found_again_and_what_is_gone_is_missing() {
    let broker = EmbeddedBroker::start(&[("t", 2)]).unwrap();
    produce(&broker, 0, 20).await;
    let settings = settings(&broker);
    let mut source = join(&settings);
    let mut messages: Vec<Message> = Vec::new();
    for _ in 0..20 {
        let (message, ticket) = arrive(&mut source).await;
        source.settle(ticket);
        messages.push(message);
    }

    let mut wanted: Vec<Place> = messages.iter().map(|message| message.at.clone()).collect();
    let gone = [place("t", 0, 1_000), place("t", 7, 0), place("other", 0, 0)];
    wanted.extend(gone);
    let found = read_at(&settings, wanted, DEADLINE).await.unwrap();
    let as_seen = |message: &Message| (message.at.clone(), number(message), message.key.clone());
    let mut expected: Vec<_> = messages.iter().map(as_seen).collect();
    expected.sort();
    assert_eq!(found.values().map(as_seen).collect::<Vec<_>>(), expected);

    // The group was not disturbed: the member still has its partitions and goes on.
    produce(&broker, 20, 21).await;
    let (message, ticket) = arrive(&mut source).await;
    assert_eq!(number(&message), 20);
    source.settle(ticket);
    source.close().await.unwrap();
}

#[tokio::test]
async fn a_broker_that_is_gone_is_an_error_and_not_a_missing_message() {
    let broker = EmbeddedBroker::start(&[("t", 1)]).unwrap();
    produce(&broker, 0, 1).await;
    broker.take_down().unwrap();
    let within = std::time::Duration::from_millis(500);
    let error = read_at(&settings(&broker), vec![place("t", 0, 0)], within)
        .await
        .unwrap_err();
    assert!(
        error.to_string().starts_with("could not reach kafka at"),
        "{error}"
    );
}
