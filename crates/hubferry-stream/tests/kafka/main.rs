//! The Kafka source, dead letters and the producer against the embedded broker.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers of tests fail as tests do"
)]

mod consume;
mod dead_letters;
mod journal;
mod lag;
mod produce;
mod rebalance;
mod reread;
mod scan;

use std::collections::BTreeSet;
use std::time::Duration;

use hubferry_stream::{
    ClientSettings, EmbeddedBroker, GroupProtocol, Intake, KafkaSettings, KafkaSource, Message,
    Producer, Source, Ticket,
};

/// No single step of a test takes this long on a working broker.
const DEADLINE: Duration = Duration::from_secs(30);

fn settings(broker: &EmbeddedBroker) -> KafkaSettings {
    let mut settings = KafkaSettings::new(
        ClientSettings::new(broker.brokers()),
        "g",
        vec!["t".to_owned()],
    );
    settings.group_protocol = GroupProtocol::Consumer;
    settings
}

fn join(settings: &KafkaSettings) -> Source {
    Source::Kafka(KafkaSource::connect(settings).unwrap())
}

async fn produce(broker: &EmbeddedBroker, from: usize, to: usize) {
    let lines: Vec<_> = (from..to)
        .map(|number| Ok(number.to_string().into_bytes()))
        .collect();
    let producer = Producer::connect(&ClientSettings::new(broker.brokers())).unwrap();
    let produced = producer
        .send_all("t", lines.into_iter(), |line| Some(line.to_vec()), |_| ())
        .await
        .unwrap();
    assert_eq!(
        (produced.sent, produced.without_key),
        ((to - from) as u64, 0)
    );
}

async fn next(source: &mut Source) -> Intake {
    tokio::time::timeout(DEADLINE, source.next())
        .await
        .expect("something happens in time")
        .unwrap()
}

/// The next message; assignments and silences are passed over.
async fn arrive(source: &mut Source) -> (Message, Ticket) {
    loop {
        match next(source).await {
            Intake::Arrived(message, ticket) => return (message, ticket),
            Intake::Assigned(_) | Intake::Quiet => (),
            other => panic!("unexpected {other:?}"),
        }
    }
}

fn number(message: &Message) -> usize {
    std::str::from_utf8(message.body.as_ref().unwrap())
        .unwrap()
        .parse()
        .unwrap()
}

/// Reads so many messages and settles them.
async fn settle(source: &mut Source, count: usize) -> BTreeSet<usize> {
    let mut numbers = BTreeSet::new();
    while numbers.len() < count {
        let (message, ticket) = arrive(source).await;
        assert!(numbers.insert(number(&message)), "{message:?} came twice");
        source.settle(ticket);
    }
    numbers
}

/// Nothing arrives while the source is polled for so long.
async fn nothing_arrives(source: &mut Source, within: Duration) {
    let quiet = async {
        loop {
            match source.next().await.unwrap() {
                Intake::Quiet => (),
                other => return other,
            }
        }
    };
    if let Ok(other) = tokio::time::timeout(within, quiet).await {
        panic!("unexpected {other:?}");
    }
}
