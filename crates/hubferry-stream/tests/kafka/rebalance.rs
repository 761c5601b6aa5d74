//! Sharing partitions between members.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hubferry_stream::{EmbeddedBroker, Intake, Place, Source, Ticket};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::{DEADLINE, arrive, join, next, nothing_arrives, number, produce, settings, settle};

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
    let rebalances = first.rebalances();
    assert_eq!(
        (rebalances.revoked, rebalances.lost, rebalances.late),
        (1, 0, 0)
    );
    assert_eq!(
        (first.take_drains().len(), first.take_drains().len()),
        (1, 0)
    );
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

/// Members come and go, in order or as if killed, while messages flow and end out of order. Nobody may be left with a
/// message that the group takes for finished and nobody worked on.
#[tokio::test]
async fn members_that_come_and_go_lose_nothing() {
    let broker = EmbeddedBroker::start(&[("t", 6)]).unwrap();
    let settings = settings(&broker);
    let worked_on = Arc::new(Mutex::new(BTreeSet::new()));
    let mut members = JoinSet::new();
    let mut leave = VecDeque::new();
    let mut produced = 0;
    for change in 0..8 {
        if change % 3 == 2 {
            let (leaving, how): (mpsc::Sender<End>, End) = (
                leave.pop_front().unwrap(),
                if change == 2 {
                    End::Killed
                } else {
                    End::InOrder
                },
            );
            leaving.send(how).await.unwrap();
        } else {
            let (sender, told) = mpsc::channel(1);
            leave.push_back(sender);
            members.spawn(member(join(&settings), told, Arc::clone(&worked_on)));
        }
        produce(&broker, produced, produced + 500).await;
        produced += 500;
        tokio::time::sleep(Duration::from_millis(1_000)).await;
    }
    let all: BTreeSet<usize> = (0..produced).collect();
    let waited = tokio::time::timeout(DEADLINE, async {
        while *worked_on.lock().unwrap() != all {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let waited = waited.await;
    let missing: Vec<_> = all
        .difference(&worked_on.lock().unwrap())
        .copied()
        .collect();
    assert!(waited.is_ok(), "lost: {missing:?}");
    for leaving in leave {
        leaving.send(End::InOrder).await.unwrap();
    }
    while let Some(ended) = members.join_next().await {
        ended.unwrap();
    }
}

#[derive(Clone, Copy)]
enum End {
    InOrder,
    Killed,
}

/// Keeps up to 50 messages open and ends them in an order of its own.
async fn member(
    mut source: Source,
    mut told: mpsc::Receiver<End>,
    worked_on: Arc<Mutex<BTreeSet<usize>>>,
) {
    let mut open: Vec<(usize, Ticket)> = Vec::new();
    let mut step = 0_usize;
    let end = |source: &mut Source, (number, ticket): (usize, Ticket)| {
        worked_on.lock().unwrap().insert(number);
        source.settle(ticket);
    };
    loop {
        let keep = tokio::select! {
            how = told.recv() => {
                if matches!(how, Some(End::Killed)) {
                    return;
                }
                source.stop_intake();
                open.drain(..).for_each(|one| end(&mut source, one));
                // The group may be changing hands at this very moment: the last commit is tried until it holds.
                source.close().await.unwrap();
                return;
            }
            intake = source.next() => match intake.unwrap() {
                Intake::Arrived(message, ticket) => {
                    open.push((number(&message), ticket));
                    50
                }
                Intake::Revoking(revocation) => {
                    let half = open.len() / 2;
                    open.drain(..half).for_each(|one| end(&mut source, one));
                    source.revoked(revocation);
                    50
                }
                Intake::Quiet => 0,
                Intake::Assigned(_) | Intake::Lost(_) => 50,
                Intake::Finished => unreachable!("a topic has no end"),
            },
        };
        while open.len() > keep {
            step = step.wrapping_mul(31).wrapping_add(17);
            let one = open.swap_remove(step % open.len());
            end(&mut source, one);
        }
    }
}
