//! Sharing partitions between members.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hubferry_stream::{EmbeddedBroker, Intake, Place, Ticket};

use crate::{arrive, join, next, nothing_arrives, produce, settings, settle};

#[tokio::test]
async fn two_members_share_and_a_revocation_waits_for_what_is_open() {
    let broker = EmbeddedBroker::start(&[("t", 4)]).unwrap();
    produce(&broker, 0, 400).await;
    let settings = settings(&broker);
    let mut first = join(&settings);
    let mut tickets: BTreeMap<Place, Ticket> = BTreeMap::new();
    while tickets.len() < 400 {
        let (message, ticket) = arrive(&mut first).await;
        tickets.insert(message.at, ticket);
    }
    let mut second = join(&settings);
    let revocation = loop {
        tokio::select! {
            intake = next(&mut first) => match intake {
                Intake::Revoking(revocation) => break revocation,
                Intake::Quiet => (),
                other => panic!("unexpected {other:?}"),
            },
            intake = second.next() => match intake.unwrap() {
                Intake::Quiet | Intake::Assigned(_) => (),
                other => panic!("the second member must wait, but {other:?}"),
            },
        }
    };
    let moved: BTreeSet<_> = revocation.partitions().iter().cloned().collect();
    assert_eq!(moved.len(), 2);
    // Half of what is open ends in time; the other half is read again by the second member.
    let (mut ended, mut expected) = (BTreeSet::new(), BTreeMap::new());
    let (leaving, staying): (BTreeMap<_, _>, BTreeMap<_, _>) = tickets
        .into_iter()
        .partition(|(at, _)| moved.contains(&(at.topic.clone(), at.partition)));
    let mut open = Vec::new();
    for key in &moved {
        let of_one: Vec<_> = leaving
            .keys()
            .filter(|at| (at.topic.clone(), at.partition) == *key)
            .cloned()
            .collect();
        expected.insert(key.1, of_one[of_one.len() / 2].offset);
        ended.extend(of_one[..of_one.len() / 2].iter().cloned());
    }
    for (at, ticket) in leaving {
        if ended.contains(&at) {
            first.settle(ticket)
        } else {
            open.push(ticket)
        }
    }
    first.revoked(revocation);
    assert_eq!(
        first.unsettled(),
        staying.len(),
        "what moved away is forgotten"
    );
    for ticket in open {
        first.settle(ticket);
    }
    assert_eq!(
        usize::try_from(first.ledger().stale_tickets()).unwrap(),
        400 - staying.len() - ended.len()
    );

    let mut starts = BTreeMap::new();
    let again = 400 - staying.len() - ended.len();
    let mut seen = 0;
    while seen < again {
        tokio::select! {
            intake = first.next() => assert!(matches!(intake.unwrap(), Intake::Quiet | Intake::Assigned(_))),
            intake = next(&mut second) => match intake {
                Intake::Arrived(message, ticket) => {
                    starts.entry(message.at.partition).or_insert(message.at.offset);
                    second.settle(ticket);
                    seen += 1;
                }
                Intake::Quiet | Intake::Assigned(_) => (),
                other => panic!("unexpected {other:?}"),
            },
        }
    }
    assert_eq!(starts, expected);
    first.close().await.unwrap();
    second.close().await.unwrap();
}

#[tokio::test]
async fn a_revocation_without_an_answer_ends_at_its_deadline() {
    let broker = EmbeddedBroker::start(&[("t", 2)]).unwrap();
    produce(&broker, 0, 100).await;
    let mut settings = settings(&broker);
    settings.session_timeout = Duration::from_secs(2);
    let mut first = join(&settings);
    settle(&mut first, 100).await;
    let mut second = join(&settings);
    let mut revocation = None;
    loop {
        tokio::select! {
            intake = next(&mut first) => if let Intake::Revoking(asked) = intake {
                revocation = Some(asked);
            },
            intake = next(&mut second) => if let Intake::Assigned(partitions) = intake
                && !partitions.is_empty()
            {
                break;
            },
        }
    }
    // The late answer is harmless.
    first.revoked(revocation.expect("it was asked first"));
    nothing_arrives(&mut second, Duration::from_millis(200)).await;
}
