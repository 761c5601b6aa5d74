use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::closing::Failed;

fn dead() -> Closing {
    Closing::Dead(Box::new(Failed::here(
        "record",
        "property_type",
        String::new(),
    )))
}

fn closing(choice: u8) -> Closing {
    match choice % 4 {
        0 => Closing::Delivered,
        1 => Closing::Merged,
        2 => Closing::Skipped("stale"),
        _ => dead(),
    }
}

#[test]
fn a_message_settles_when_its_last_delivery_ended() {
    let mut tracker = Tracker::default();
    let mut dues = Vec::new();
    let message = tracker.open("m");
    let element = tracker.element(message, None, None);
    let one = tracker.delivery(element, MappingIndex(0));
    let two = tracker.delivery(element, MappingIndex(1));
    tracker.seal_element(element, &mut dues);
    tracker.seal(message, &mut dues);
    tracker.ended(two, Closing::Delivered, None, &mut dues);
    assert_eq!(dues, []);
    tracker.ended(one, Closing::Merged, None, &mut dues);
    assert_eq!(dues, [Due::Settle("m")]);
    assert_eq!(tracker.open_messages(), 0);
}

#[test]
fn one_dead_letter_an_event_however_many_deliveries_died() {
    let mut tracker = Tracker::default();
    let mut dues = Vec::new();
    let message = tracker.open("m");
    let element = tracker.element(message, Some(3), None);
    let one = tracker.delivery(element, MappingIndex(0));
    let two = tracker.delivery(element, MappingIndex(1));
    tracker.seal_element(element, &mut dues);
    tracker.seal(message, &mut dues);
    tracker.ended(one, dead(), None, &mut dues);
    tracker.ended(two, dead(), None, &mut dues);
    assert_eq!(dues, [Due::Park(element)]);
    assert_eq!(tracker.facts(element).unwrap().closed.len(), 2);
    dues.clear();
    tracker.parked(element, &mut dues);
    assert_eq!(dues, [Due::Settle("m")]);
}

#[test]
fn a_message_without_elements_settles_at_once() {
    let mut tracker = Tracker::default();
    let mut dues = Vec::new();
    let message = tracker.open("m");
    tracker.seal(message, &mut dues);
    assert_eq!(dues, [Due::Settle("m")]);
    assert_eq!(tracker.tally(), &Tally::default());
}

#[test]
fn an_abandoned_message_is_neither_settled_nor_parked() {
    let mut tracker = Tracker::default();
    let mut dues = Vec::new();
    let message = tracker.open("m");
    let element = tracker.element(message, None, None);
    let one = tracker.delivery(element, MappingIndex(0));
    let two = tracker.delivery(element, MappingIndex(1));
    tracker.seal_element(element, &mut dues);
    tracker.seal(message, &mut dues);
    assert_eq!(tracker.withdraw(two, &mut dues), Some("m"));
    tracker.ended(one, dead(), None, &mut dues);
    assert_eq!(dues, []);
    assert_eq!(tracker.open_messages(), 0);
    assert_eq!(tracker.tally().deliveries, 1);
}

#[derive(Clone, Debug)]
struct Shape {
    /// Per element: endings at once, endings later.
    elements: Vec<(Vec<u8>, Vec<u8>)>,
}

fn shapes() -> impl Strategy<Value = Vec<Shape>> {
    let endings = || prop::collection::vec(any::<u8>(), 0..4);
    let shape =
        prop::collection::vec((endings(), endings()), 0..4).prop_map(|elements| Shape { elements });
    prop::collection::vec(shape, 0..12)
}

proptest! {
    /// Whatever the shape of the messages and the order of the endings: each message settles exactly once, after all
    /// its deliveries ended and its dead letters were parked; each element with a dead delivery is parked exactly
    /// once, no other one; and the sums match at every moment.
    #[test]
    fn everything_is_settled_exactly_once(shapes in shapes(), order in any::<u64>()) {
        let mut tracker = Tracker::default();
        let mut dues = Vec::new();
        let mut later: Vec<(DeliveryId, u8, usize)> = Vec::new();
        let mut to_park = BTreeSet::new();
        let mut deaths = 0;
        for (index, shape) in shapes.iter().enumerate() {
            let message = tracker.open(index);
            for (at_once, ending_later) in &shape.elements {
                let element = tracker.element(message, None, None);
                for choice in at_once {
                    tracker.at_once(element, None, closing(*choice));
                }
                for choice in ending_later {
                    later.push((tracker.delivery(element, MappingIndex(0)), *choice, index));
                }
                let mut all = at_once.iter().chain(ending_later);
                deaths += at_once.iter().chain(ending_later).filter(|c| **c % 4 == 3).count();
                if all.any(|choice| choice % 4 == 3) {
                    to_park.insert(element);
                }
                tracker.seal_element(element, &mut dues);
            }
            tracker.seal(message, &mut dues);
        }
        let mut settled = BTreeSet::new();
        let mut parked = BTreeSet::new();
        let mut random = order;
        let mut open: Vec<usize> = later.iter().map(|(_, _, message)| *message).collect();
        loop {
            let due: Vec<Due<usize>> = std::mem::take(&mut dues);
            for due in due {
                match due {
                    Due::Park(element) => {
                        prop_assert!(parked.insert(element), "parked twice");
                        prop_assert!(tracker.facts(element).is_some());
                        tracker.parked(element, &mut dues);
                    }
                    Due::Settle(message) => {
                        prop_assert!(settled.insert(message), "settled twice");
                        prop_assert!(!open.contains(&message), "settled too early");
                    }
                }
            }
            let tally = tracker.tally();
            prop_assert_eq!(tally.ended() + later.len() as u64, tally.deliveries);
            if !dues.is_empty() {
                continue;
            }
            if later.is_empty() {
                break;
            }
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let pick = usize::try_from(random >> 33).unwrap() % later.len();
            let (delivery, choice, message) = later.swap_remove(pick);
            open.remove(open.iter().position(|m| *m == message).unwrap());
            tracker.ended(delivery, closing(choice), None, &mut dues);
        }
        prop_assert_eq!(settled.len(), shapes.len());
        prop_assert_eq!(parked, to_park);
        prop_assert_eq!(tracker.tally().dead_total(), deaths as u64);
        prop_assert_eq!(tracker.open_messages(), 0);
    }
}
