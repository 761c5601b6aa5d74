//! A worker that is started again, on a real group coordinator.

use std::collections::BTreeSet;

use hubferry_stream::{
    GroupProtocol, Intake, KafkaSettings, KafkaSource, Message, Source, Ticket, TopicRole,
};

use crate::{DEADLINE, client, name, produce, topic};

async fn arrive(source: &mut Source) -> (Message, Ticket) {
    loop {
        let next = tokio::time::timeout(DEADLINE, source.next()).await;
        match next.expect("something happens in time").unwrap() {
            Intake::Arrived(message, ticket) => return (message, ticket),
            Intake::Revoking(revocation) => source.revoked(revocation),
            Intake::Assigned(_) | Intake::Lost(_) | Intake::Quiet | Intake::Finished => (),
        }
    }
}

fn number(message: &Message) -> usize {
    std::str::from_utf8(message.body.as_ref().unwrap())
        .unwrap()
        .parse()
        .unwrap()
}

async fn only_what_was_open_comes_again(protocol: GroupProtocol) {
    let topic = topic("restart", TopicRole::Events, 3).await;
    produce(&topic, 0..3_000).await;
    let mut settings = KafkaSettings::new(client(), name("restart"), vec![topic.clone()]);
    settings.group_protocol = protocol;
    let mut first = Source::Kafka(KafkaSource::connect(&settings).unwrap());
    let (mut open, mut left_open) = (BTreeSet::new(), Vec::new());
    for _ in 0..3_000 {
        let (message, ticket) = arrive(&mut first).await;
        let number = number(&message);
        if number.is_multiple_of(7) {
            open.insert(number);
            left_open.push(ticket);
        } else {
            first.settle(ticket);
        }
    }
    first.close().await.unwrap();

    let mut second = Source::Kafka(KafkaSource::connect(&settings).unwrap());
    produce(&topic, 3_000..3_001).await;
    open.insert(3_000);
    let mut again = BTreeSet::new();
    while again.len() < open.len() {
        let (message, ticket) = arrive(&mut second).await;
        assert!(again.insert(number(&message)), "{message:?} came twice");
        second.settle(ticket);
    }
    assert_eq!(again, open);
    second.close().await.unwrap();
}

#[tokio::test]
async fn only_what_was_open_comes_again_with_the_classic_protocol() {
    only_what_was_open_comes_again(GroupProtocol::Classic).await;
}

#[tokio::test]
async fn only_what_was_open_comes_again_with_the_consumer_protocol() {
    only_what_was_open_comes_again(GroupProtocol::Consumer).await;
}
