//! Reading, committing, resuming, and being held by bounds.

use std::collections::BTreeSet;
use std::time::Duration;

use hubferry_stream::{EmbeddedBroker, GroupProtocol, Intake, IntakeBounds};

use crate::{arrive, join, nothing_arrives, number, produce, settings, settle};

#[tokio::test]
async fn what_was_settled_is_not_read_again_and_what_was_not_is() {
    let broker = EmbeddedBroker::start(&[("t", 2)]).unwrap();
    produce(&broker, 0, 3_000).await;
    let mut first = join(&settings(&broker));
    // One message stays open in each partition: it alone comes again, for what is settled after it is remembered.
    let mut open = Vec::new();
    let mut expected = BTreeSet::new();
    for _ in 0..3_000 {
        let (message, ticket) = arrive(&mut first).await;
        if message.at.offset.get() == 100 {
            expected.insert(number(&message));
            open.push(ticket);
        } else {
            first.settle(ticket);
        }
    }
    assert_eq!(first.unsettled(), 2);
    first.close().await.unwrap();

    let mut second = join(&settings(&broker));
    assert_eq!(settle(&mut second, expected.len()).await, expected);
    nothing_arrives(&mut second, Duration::from_millis(200)).await;
    second.close().await.unwrap();
}

#[tokio::test]
async fn positions_are_committed_while_running_not_only_at_the_end() {
    let broker = EmbeddedBroker::start(&[("t", 1)]).unwrap();
    produce(&broker, 0, 10).await;
    let mut first = join(&settings(&broker));
    settle(&mut first, 10).await;
    // Dropped without closing, as when the process dies, a while after the commit that is due every second.
    nothing_arrives(&mut first, Duration::from_secs(3)).await;
    drop(first);
    produce(&broker, 10, 11).await;
    let mut second = join(&settings(&broker));
    let (message, _) = arrive(&mut second).await;
    assert_eq!(number(&message), 10);
}

#[tokio::test]
async fn a_full_partition_is_held_the_member_stays_and_everything_arrives_once() {
    let broker = EmbeddedBroker::start(&[("t", 1)]).unwrap();
    produce(&broker, 0, 5_000).await;
    let mut settings = settings(&broker);
    settings.bounds = IntakeBounds {
        partition_messages: 100,
        ..IntakeBounds::default()
    };
    let mut source = join(&settings);
    let mut tickets = Vec::new();
    // What had been handed to the source before the partition was paused still arrives; then there is silence.
    loop {
        match tokio::time::timeout(Duration::from_millis(500), source.next()).await {
            Ok(Ok(Intake::Arrived(_, ticket))) => tickets.push(ticket),
            Ok(Ok(Intake::Quiet | Intake::Assigned(_))) => (),
            Ok(other) => panic!("unexpected {other:?}"),
            Err(_) if tickets.is_empty() => (),
            Err(_) => break,
        }
    }
    let held = tickets.len();
    assert!(
        (100..=100 + 5 * 512).contains(&held),
        "{held} messages were taken"
    );
    for ticket in tickets {
        source.settle(ticket);
    }
    let rest = settle(&mut source, 5_000 - held).await;
    assert_eq!(rest, (held..5_000).collect());
    source.close().await.unwrap();
}

#[tokio::test]
async fn a_stopped_source_takes_nothing_more_and_still_commits() {
    let broker = EmbeddedBroker::start(&[("t", 1)]).unwrap();
    produce(&broker, 0, 5_000).await;
    let mut first = join(&settings(&broker));
    let (message, ticket) = arrive(&mut first).await;
    assert_eq!(number(&message), 0);
    first.stop_intake();
    nothing_arrives(&mut first, Duration::from_millis(300)).await;
    first.settle(ticket);
    first.close().await.unwrap();
    let mut second = join(&settings(&broker));
    let (message, _) = arrive(&mut second).await;
    assert_eq!(number(&message), 1);
}

#[tokio::test]
async fn a_source_that_nobody_asks_keeps_its_partitions() {
    let broker = EmbeddedBroker::start(&[("t", 2)]).unwrap();
    produce(&broker, 0, 20_000).await;
    let mut settings = settings(&broker);
    // Polling must go on: without it the member would be out after three seconds.
    let patience = "3000".to_owned();
    settings
        .client
        .properties
        .insert("max.poll.interval.ms".to_owned(), patience);
    settings.group_protocol = GroupProtocol::Classic;
    settings.session_timeout = Duration::from_secs(3);
    let mut source = join(&settings);
    let (_, ticket) = arrive(&mut source).await;
    source.settle(ticket);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let rest = settle(&mut source, 19_999).await;
    assert_eq!(
        rest.len(),
        19_999,
        "neither lost nor read twice, and no partition was taken away"
    );
}

#[tokio::test]
async fn a_broker_that_goes_away_is_waited_for() {
    let broker = EmbeddedBroker::start(&[("t", 1)]).unwrap();
    produce(&broker, 0, 10).await;
    let mut source = join(&settings(&broker));
    settle(&mut source, 10).await;
    broker.take_down().unwrap();
    nothing_arrives(&mut source, Duration::from_millis(500)).await;
    broker.bring_up().unwrap();
    produce(&broker, 10, 20).await;
    assert_eq!(settle(&mut source, 10).await, (10..20).collect());
}

#[tokio::test]
async fn what_ended_above_the_committed_position_does_not_come_again() {
    let broker = EmbeddedBroker::start(&[("t", 1)]).unwrap();
    produce(&broker, 0, 20).await;
    let settings = settings(&broker);
    let mut first = join(&settings);
    let mut open = Vec::new();
    for _ in 0..20 {
        let (message, ticket) = arrive(&mut first).await;
        match number(&message) {
            3 | 7 => open.push(ticket),
            _ => first.settle(ticket),
        }
    }
    first.close().await.unwrap();
    let mut second = join(&settings);
    assert_eq!(settle(&mut second, 2).await, [3, 7].into());
    nothing_arrives(&mut second, Duration::from_millis(300)).await;
    assert_eq!(second.ledger().passed_over(), 15);
    second.close().await.unwrap();
    let mut third = join(&settings);
    produce(&broker, 20, 21).await;
    assert_eq!(settle(&mut third, 1).await, [20].into());
}
