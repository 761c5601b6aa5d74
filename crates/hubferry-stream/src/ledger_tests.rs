use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const BOUNDS: IntakeBounds = IntakeBounds {
    partition_bytes: 1_000,
    worker_bytes: 1_500,
    partition_messages: 10,
};

fn topic() -> Topic {
    Topic::new("t")
}

fn at(partition: i32, offset: i64) -> Place {
    Place {
        topic: topic(),
        partition: Partition::new(partition),
        offset: Offset::new(offset),
    }
}

fn key(partition: i32) -> (Topic, Partition) {
    (topic(), Partition::new(partition))
}

fn ledger(bounds: IntakeBounds, partitions: &[i32]) -> Ledger {
    let mut ledger = Ledger::new(bounds);
    for partition in partitions {
        ledger.assign(&topic(), Partition::new(*partition));
    }
    assert_eq!(ledger.flow(), Flow::default());
    ledger
}

fn position(ledger: &Ledger, partition: i32) -> Option<i64> {
    ledger
        .committable_of(&topic(), Partition::new(partition))
        .map(Position::get)
}

#[test]
fn a_position_passes_a_message_only_when_all_before_it_have_ended() {
    let mut ledger = ledger(IntakeBounds::default(), &[0]);
    assert_eq!(position(&ledger, 0), None);
    let mut tickets: Vec<_> = (5..9)
        .map(|offset| ledger.open(&at(0, offset), 1))
        .collect();
    assert_eq!(position(&ledger, 0), Some(5));
    for (settle, expected) in [(6, 5), (8, 5), (5, 7), (7, 9)] {
        let ticket = tickets[settle - 5].take().unwrap();
        assert_eq!(ledger.settle(ticket), Settled::Counted);
        assert_eq!(
            position(&ledger, 0),
            Some(expected),
            "after settling {settle}"
        );
    }
    assert_eq!((ledger.open_messages(), ledger.open_bytes()), (0, 0));
}

#[test]
fn a_dropped_ticket_holds_the_position_for_ever() {
    let mut ledger = ledger(IntakeBounds::default(), &[0]);
    let _dropped = ledger.open(&at(0, 0), 1);
    let next = ledger.open(&at(0, 1), 1).unwrap();
    ledger.settle(next);
    assert_eq!(position(&ledger, 0), Some(0));
}

#[test]
fn offsets_that_never_arrive_do_not_hold_the_position() {
    let mut ledger = ledger(IntakeBounds::default(), &[0]);
    let first = ledger.open(&at(0, 3), 1).unwrap();
    let second = ledger.open(&at(0, 10), 1).unwrap();
    let third = ledger.open(&at(0, 20), 1).unwrap();
    ledger.settle(second);
    assert_eq!(position(&ledger, 0), Some(3));
    ledger.settle(first);
    assert_eq!(position(&ledger, 0), Some(20));
    ledger.settle(third);
    assert_eq!(position(&ledger, 0), Some(21));
    assert_eq!(ledger.span_messages(&topic(), Partition::new(0)), 0);
}

#[test]
fn a_ticket_of_an_earlier_assignment_settles_nothing() {
    let mut ledger = ledger(IntakeBounds::default(), &[0]);
    let early = ledger.open(&at(0, 0), 7).unwrap();
    ledger.release(&topic(), Partition::new(0));
    assert_eq!(ledger.open(&at(0, 1), 7), None);
    ledger.assign(&topic(), Partition::new(0));
    let again = ledger.open(&at(0, 0), 7).unwrap();
    assert_eq!(ledger.settle(early), Settled::Stale);
    assert_eq!(position(&ledger, 0), Some(0));
    assert_eq!((ledger.stale_tickets(), ledger.open_bytes()), (1, 7));
    assert_eq!(ledger.settle(again), Settled::Counted);
    assert_eq!(position(&ledger, 0), Some(1));
}

#[test]
fn a_message_that_comes_twice_is_opened_once() {
    let mut ledger = ledger(IntakeBounds::default(), &[0]);
    let first = ledger.open(&at(0, 0), 1).unwrap();
    let second = ledger.open(&at(0, 1), 1).unwrap();
    assert_eq!(ledger.open(&at(0, 0), 1), None);
    assert_eq!(ledger.open(&at(0, 1), 1), None);
    ledger.settle(second);
    assert_eq!(ledger.open(&at(0, 1), 1), None);
    ledger.settle(first);
    assert_eq!(position(&ledger, 0), Some(2));
}

#[test]
fn a_log_that_starts_anew_is_counted_anew() {
    let mut ledger = ledger(IntakeBounds::default(), &[0]);
    let ended = ledger.open(&at(0, 100), 1).unwrap();
    ledger.settle(ended);
    let open = ledger.open(&at(0, 101), 1).unwrap();
    let anew = ledger.open(&at(0, 0), 1).unwrap();
    assert_eq!(position(&ledger, 0), Some(0));
    assert_eq!(ledger.settle(open), Settled::Stale);
    ledger.settle(anew);
    assert_eq!(position(&ledger, 0), Some(1));
}

#[test]
fn a_full_partition_pauses_alone_and_resumes_when_half_is_free() {
    let mut ledger = ledger(BOUNDS, &[0, 1]);
    let mut tickets: Vec<_> = (0..10)
        .map(|offset| ledger.open(&at(0, offset), 100).unwrap())
        .collect();
    assert_eq!(
        ledger.flow(),
        Flow {
            pause: vec![key(0)],
            resume: vec![]
        }
    );
    assert_eq!(ledger.flow(), Flow::default(), "said once");
    for _ in 0..4 {
        ledger.settle(tickets.remove(0));
        assert_eq!(ledger.flow(), Flow::default());
    }
    ledger.settle(tickets.remove(0));
    assert_eq!(
        ledger.flow(),
        Flow {
            pause: vec![],
            resume: vec![key(0)]
        }
    );
}

#[test]
fn messages_that_ended_out_of_order_count_until_the_watermark_passes_them() {
    let mut ledger = ledger(BOUNDS, &[0]);
    let stuck = ledger.open(&at(0, 0), 1).unwrap();
    for offset in 1..10 {
        let ticket = ledger.open(&at(0, offset), 1).unwrap();
        ledger.settle(ticket);
    }
    assert_eq!(ledger.flow().pause, [key(0)]);
    assert_eq!(ledger.span_messages(&topic(), Partition::new(0)), 10);
    ledger.settle(stuck);
    assert_eq!(ledger.flow().resume, [key(0)]);
}

#[test]
fn one_stuck_message_is_named() {
    let bounds = IntakeBounds {
        partition_messages: 100,
        ..IntakeBounds::default()
    };
    let mut ledger = ledger(bounds, &[0]);
    let _stuck = ledger.open(&at(0, 7), 1).unwrap();
    for offset in 8..107 {
        assert_eq!(ledger.stuck().is_empty(), offset < 98, "before {offset}");
        let ticket = ledger.open(&at(0, offset), 1).unwrap();
        ledger.settle(ticket);
    }
    assert_eq!(
        ledger.stuck(),
        [(topic(), Partition::new(0), Offset::new(7))]
    );
}

#[test]
fn a_full_worker_pauses_everything() {
    let mut ledger = ledger(BOUNDS, &[0, 1]);
    let zero = ledger.open(&at(0, 0), 900).unwrap();
    let one = ledger.open(&at(1, 0), 600).unwrap();
    assert!(ledger.is_full());
    assert_eq!(ledger.flow().pause, [key(0), key(1)]);
    ledger.assign(&topic(), Partition::new(2));
    assert_eq!(
        ledger.flow().pause,
        [key(2)],
        "a new partition starts paused"
    );
    ledger.settle(one);
    assert_eq!(ledger.flow(), Flow::default(), "900 of 1500 are still open");
    ledger.settle(zero);
    assert_eq!(ledger.flow().resume, [key(0), key(1), key(2)]);
}

#[test]
fn losing_a_partition_frees_its_share() {
    let mut ledger = ledger(BOUNDS, &[0, 1]);
    let _zero = ledger.open(&at(0, 0), 1_500).unwrap();
    assert_eq!(ledger.flow().pause, [key(0), key(1)]);
    ledger.release(&topic(), Partition::new(0));
    assert_eq!(
        ledger.flow(),
        Flow {
            pause: vec![],
            resume: vec![key(1)]
        }
    );
    assert_eq!((ledger.open_messages(), ledger.open_bytes()), (0, 0));
}

#[test]
fn a_stopped_ledger_wants_nothing_more() {
    let mut ledger = ledger(BOUNDS, &[0]);
    let open = ledger.open(&at(0, 0), 1).unwrap();
    ledger.stop();
    assert_eq!(ledger.flow().pause, [key(0)]);
    ledger.settle(open);
    assert_eq!(ledger.flow(), Flow::default());
    assert_eq!(position(&ledger, 0), Some(1), "what was open may still end");
}

fn finished(ledger: &Ledger) -> (i64, Vec<(i64, i64)>) {
    let finished = ledger.finished_of(&topic(), Partition::new(0)).unwrap();
    let runs = finished.runs().iter().map(|run| (run.start, run.end));
    (finished.position().get(), runs.collect())
}

#[test]
fn what_ended_before_the_assignment_comes_again_and_is_passed_over() {
    let mut first = ledger(IntakeBounds::default(), &[0]);
    let mut tickets: Vec<_> = (5..15)
        .map(|offset| first.open(&at(0, offset), 1))
        .collect();
    for offset in [5, 7, 8, 12] {
        first.settle(tickets[offset - 5].take().unwrap());
    }
    assert_eq!(finished(&first), (6, vec![(7, 9), (12, 13)]));

    let mut second = ledger(IntakeBounds::default(), &[0]);
    let kept = first.finished_of(&topic(), Partition::new(0)).unwrap();
    second.restore(&topic(), Partition::new(0), &kept);
    assert_eq!(
        finished(&second),
        (6, vec![(7, 9), (12, 13)]),
        "nothing was read, and all of it is still known"
    );
    let six = second.open(&at(0, 6), 1).unwrap();
    assert_eq!(
        [7, 8].map(|offset| second.open(&at(0, offset), 1)),
        [None, None]
    );
    assert_eq!(position(&second, 0), Some(6));
    second.settle(six);
    assert_eq!(finished(&second), (9, vec![(12, 13)]));
    for offset in 9..12 {
        let ticket = second.open(&at(0, offset), 1).unwrap();
        second.settle(ticket);
    }
    assert_eq!(second.open(&at(0, 12), 1), None);
    assert_eq!((position(&second, 0), second.passed_over()), (Some(13), 3));
    assert!(second.open(&at(0, 13), 1).is_some());
    assert_eq!((second.open_messages(), second.open_bytes()), (1, 1));
}

#[test]
fn a_log_that_starts_anew_forgets_what_had_ended() {
    let mut ledger = ledger(IntakeBounds::default(), &[0]);
    let kept = Finished::new(Position::new(100), Some(101..200));
    ledger.restore(&topic(), Partition::new(0), &kept);
    for offset in [0, 101, 150] {
        assert!(ledger.open(&at(0, offset), 1).is_some(), "offset {offset}");
    }
}

#[test]
fn what_is_passed_over_counts_in_the_span() {
    let mut ledger = ledger(BOUNDS, &[0]);
    let kept = Finished::new(Position::new(0), Some(1..30));
    ledger.restore(&topic(), Partition::new(0), &kept);
    let stuck = ledger.open(&at(0, 0), 1).unwrap();
    for offset in 1..10 {
        assert_eq!(ledger.flow(), Flow::default(), "before {offset}");
        assert_eq!(ledger.open(&at(0, offset), 1), None);
    }
    assert_eq!(ledger.flow().pause, [key(0)]);
    ledger.settle(stuck);
    assert_eq!(ledger.flow().resume, [key(0)]);
    assert_eq!(finished(&ledger), (30, vec![]));
}

#[test]
fn restoring_comes_before_the_first_message_or_not_at_all() {
    let mut ledger = ledger(IntakeBounds::default(), &[0]);
    let _open = ledger.open(&at(0, 0), 1);
    let kept = Finished::new(Position::new(0), Some(1..30));
    ledger.restore(&topic(), Partition::new(0), &kept);
    assert!(ledger.open(&at(0, 1), 1).is_some());
    ledger.restore(&topic(), Partition::new(1), &kept);
    assert_eq!(ledger.finished_of(&topic(), Partition::new(1)), None);
}

proptest! {
    /// Members take over from each other at any moment: every message ends once, whoever ended it, unless it was open.
    #[test]
    fn a_row_of_owners_ends_every_message_once(
        shifts in prop::collection::vec((1i64..40, prop::collection::vec(any::<bool>(), 40)), 1..8),
    ) {
        let mut ended = std::collections::BTreeSet::new();
        let mut text: Option<(Position, Option<String>)> = None;
        for (reads, settles) in shifts {
            let mut ledger = ledger(IntakeBounds::default(), &[0]);
            let mut start = 0;
            if let Some((position, text)) = &text {
                start = position.get();
                if let Some(kept) = Finished::decode(text.as_deref().unwrap_or(""), *position).unwrap() {
                    ledger.restore(&topic(), Partition::new(0), &kept);
                }
            }
            for (offset, settle) in (start..start + reads).zip(settles) {
                let ticket = ledger.open(&at(0, offset), 1);
                prop_assert_eq!(ticket.is_none(), ended.contains(&offset), "offset {}", offset);
                if let Some(ticket) = ticket.filter(|_| settle) {
                    ledger.settle(ticket);
                    ended.insert(offset);
                }
            }
            let finished = ledger.finished_of(&topic(), Partition::new(0)).unwrap();
            prop_assert!((start..finished.position().get()).all(|offset| ended.contains(&offset)));
            text = Some((finished.position(), finished.encode()));
        }
    }
}

/// What the ledger stands for, written so plainly that it can only be slow.
#[derive(Default)]
struct Naive {
    /// Per assigned partition: every message in order, and whether it has ended.
    assigned: BTreeMap<i32, Vec<(i64, usize, bool)>>,
    epochs: BTreeMap<i32, u32>,
}

impl Naive {
    fn position(&self, partition: i32) -> Option<i64> {
        let messages = self.assigned.get(&partition)?;
        let last = messages.last()?.0 + 1;
        Some(
            messages
                .iter()
                .find(|(_, _, ended)| !ended)
                .map_or(last, |open| open.0),
        )
    }

    fn span(&self, partition: i32) -> usize {
        let position = self.position(partition).unwrap_or(0);
        let messages = self.assigned.get(&partition);
        messages.map_or(0, |messages| {
            messages
                .iter()
                .filter(|message| message.0 >= position)
                .count()
        })
    }

    fn open(&self) -> (usize, usize) {
        let open = self
            .assigned
            .values()
            .flatten()
            .filter(|(_, _, ended)| !ended);
        open.fold((0, 0), |(count, bytes), message| {
            (count + 1, bytes + message.1)
        })
    }
}

#[derive(Clone, Debug)]
enum Act {
    Assign(i32),
    Release(i32),
    Open {
        partition: i32,
        gap: i64,
        bytes: usize,
    },
    Settle(prop::sample::Index),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        1 => (0..3).prop_map(Act::Assign),
        1 => (0..3).prop_map(Act::Release),
        20 => (0..3, prop_oneof![4 => Just(0i64), 1 => 1i64..5], 1usize..200)
            .prop_map(|(partition, gap, bytes)| Act::Open { partition, gap, bytes }),
        18 => any::<prop::sample::Index>().prop_map(Act::Settle),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// Any order of opening, ending, gaining and losing: the ledger agrees with the naive model after every act, the
    /// bounds decide what is paused, and no committed position passes an open message.
    #[test]
    fn agrees_with_the_naive_model(acts in prop::collection::vec(act(), 1..300)) {
        let mut ledger = Ledger::new(BOUNDS);
        let mut naive = Naive::default();
        let mut tickets: Vec<(i32, u32, i64, Ticket)> = Vec::new();
        let (mut stale, mut next) = (0, 0);
        let mut paused = std::collections::BTreeSet::new();
        for act in acts {
            match act {
                Act::Assign(partition) => {
                    ledger.assign(&topic(), Partition::new(partition));
                    naive.assigned.insert(partition, Vec::new());
                    *naive.epochs.entry(partition).or_default() += 1;
                    paused.remove(&key(partition));
                }
                Act::Release(partition) => {
                    ledger.release(&topic(), Partition::new(partition));
                    if naive.assigned.remove(&partition).is_some() {
                        *naive.epochs.entry(partition).or_default() += 1;
                    }
                    paused.remove(&key(partition));
                }
                Act::Open { partition, gap, bytes } => {
                    let offset = next + gap;
                    next = offset + 1;
                    let ticket = ledger.open(&at(partition, offset), bytes);
                    prop_assert_eq!(ticket.is_some(), naive.assigned.contains_key(&partition));
                    if let Some(ticket) = ticket {
                        naive.assigned.get_mut(&partition).unwrap().push((offset, bytes, false));
                        tickets.push((partition, naive.epochs[&partition], offset, ticket));
                    }
                }
                Act::Settle(index) => {
                    if tickets.is_empty() {
                        continue;
                    }
                    let (partition, epoch, offset, ticket) = tickets.swap_remove(index.index(tickets.len()));
                    let counts = epoch == naive.epochs[&partition];
                    let expected = if counts { Settled::Counted } else { Settled::Stale };
                    stale += u64::from(!counts);
                    prop_assert_eq!(ledger.settle(ticket), expected);
                    if counts {
                        let messages = naive.assigned.get_mut(&partition).unwrap();
                        messages.iter_mut().find(|message| message.0 == offset).unwrap().2 = true;
                    }
                }
            }
            let flow = ledger.flow();
            for key in flow.pause {
                prop_assert!(paused.insert(key), "paused twice");
            }
            for key in flow.resume {
                prop_assert!(paused.remove(&key), "resumed without having been paused");
            }
            prop_assert_eq!((ledger.open_messages(), ledger.open_bytes()), naive.open());
            prop_assert_eq!(ledger.stale_tickets(), stale);
            for partition in 0..3 {
                prop_assert_eq!(position(&ledger, partition), naive.position(partition));
                prop_assert_eq!(ledger.span_messages(&topic(), Partition::new(partition)), naive.span(partition));
                let Some(messages) = naive.assigned.get(&partition) else { continue };
                let bytes: usize = messages.iter().filter(|message| !message.2).map(|message| message.1).sum();
                let reached = bytes >= BOUNDS.partition_bytes || naive.span(partition) >= BOUNDS.partition_messages;
                let reached = reached || naive.open().1 >= BOUNDS.worker_bytes;
                let halved = bytes <= BOUNDS.partition_bytes / 2 && naive.span(partition) <= BOUNDS.partition_messages / 2;
                let halved = halved && naive.open().1 <= BOUNDS.worker_bytes / 2;
                prop_assert!(!reached || paused.contains(&key(partition)), "a bound is reached, but not paused");
                prop_assert!(!halved || !paused.contains(&key(partition)), "half is free, but still paused");
            }
            let open_below = tickets.iter().any(|(partition, epoch, offset, _)| {
                *epoch == naive.epochs[partition] && position(&ledger, *partition).is_some_and(|position| *offset < position)
            });
            prop_assert!(!open_below, "a position passed an open message");
        }
    }
}
