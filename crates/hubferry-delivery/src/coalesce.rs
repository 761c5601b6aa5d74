//! Several waiting steps of one record become one.
//!
//! Per property the newest event wins, ties go to the one that arrived later; a clear stays a clear. The parts are
//! kept, so that every delivery gets its own ending and a refused step can be taken apart again.

use hubferry_actions::{LifecycleStage, Properties, PropertyName, PropertyText};
use hubferry_event::EventTime;

use crate::scheduler::DeliverySlot;

/// What one delivery brings to a record's step.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) delivery: DeliverySlot,
    pub(crate) time: EventTime,
    /// The order of arrival, for ties.
    pub(crate) arrival: u64,
    pub(crate) properties: Properties,
    pub(crate) stage: Option<LifecycleStage>,
}

/// A value and the event it comes from.
#[derive(Clone, Debug)]
pub(crate) struct Dated {
    pub(crate) name: PropertyName,
    pub(crate) value: PropertyText,
    pub(crate) time: EventTime,
    pub(crate) arrival: u64,
}

/// Sorts parts by event time, ties by arrival.
pub(crate) fn in_order(parts: &mut [Part]) {
    parts.sort_by_key(|p| (p.time, p.arrival));
}

/// The values that all parts together write; `parts` stand in order.
pub(crate) fn compose(parts: &[Part]) -> Vec<Dated> {
    let mut values: Vec<Dated> =
        Vec::with_capacity(parts.iter().map(|p| p.properties.len()).max().unwrap_or(0));
    for part in parts {
        let first = values.is_empty();
        for (name, value) in &part.properties {
            let dated = Dated {
                name: name.clone(),
                value: value.clone(),
                time: part.time,
                arrival: part.arrival,
            };
            if first {
                values.push(dated);
            } else {
                put(&mut values, dated);
            }
        }
    }
    values
}

/// Puts a value in, or in the place of the one its property has.
pub(crate) fn put(values: &mut Vec<Dated>, dated: Dated) {
    match values.iter_mut().find(|known| known.name == dated.name) {
        Some(slot) => *slot = dated,
        None => values.push(dated),
    }
}

/// The lifecycle stage that all parts together wish for.
pub(crate) fn stage_of(parts: &[Part]) -> Option<LifecycleStage> {
    parts.iter().rev().find_map(|p| p.stage.clone())
}

/// Whether properties add nothing to values that were, or are being, written.
pub(crate) fn adds_nothing(properties: &Properties, written: &[Dated]) -> bool {
    properties
        .iter()
        .all(|(name, value)| written.iter().any(|w| w.name == *name && w.value == *value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn part(time: i64, arrival: u64, values: &[(&str, &str)]) -> Part {
        Part {
            delivery: DeliverySlot(0),
            time: EventTime::from_millis(time),
            arrival,
            properties: values
                .iter()
                .map(|(n, v)| (PropertyName::new(n), PropertyText::new(v)))
                .collect(),
            stage: None,
        }
    }

    #[test]
    fn the_newest_event_wins_per_property_and_a_clear_stays_a_clear() {
        let mut parts = [
            part(2, 0, &[("a", "new"), ("b", "")]),
            part(1, 1, &[("a", "old"), ("b", "x"), ("c", "kept")]),
        ];
        in_order(&mut parts);
        let values: BTreeMap<_, _> = compose(&parts)
            .into_iter()
            .map(|w| {
                (
                    w.name.as_str().to_owned(),
                    (w.value.expose().to_owned(), w.time.as_millis()),
                )
            })
            .collect();
        assert_eq!(values["a"], ("new".to_owned(), 2));
        assert_eq!(values["b"], (String::new(), 2));
        assert_eq!(values["c"], ("kept".to_owned(), 1));
    }

    proptest! {
        /// The result equals applying the parts one by one to a plain map, in order of (time, arrival).
        #[test]
        fn composing_equals_applying_one_by_one(
            input in prop::collection::vec((0i64..4, prop::collection::btree_map(0u8..5, 0u8..4, 0..4)), 1..8)
        ) {
            let mut parts: Vec<Part> = input.iter().enumerate().map(|(i, (time, values))| {
                let pairs: Vec<(String, String)> =
                    values.iter().map(|(k, v)| (format!("p{k}"), format!("{}", i * 10 + usize::from(*v)))).collect();
                let pairs: Vec<(&str, &str)> = pairs.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
                part(*time, i as u64, &pairs)
            }).collect();
            in_order(&mut parts);
            let mut model: BTreeMap<String, (String, i64)> = BTreeMap::new();
            for p in &parts {
                for (n, v) in &p.properties {
                    model.insert(n.as_str().to_owned(), (v.expose().to_owned(), p.time.as_millis()));
                }
            }
            let composed: BTreeMap<String, (String, i64)> = compose(&parts).into_iter()
                .map(|w| (w.name.as_str().to_owned(), (w.value.expose().to_owned(), w.time.as_millis()))).collect();
            prop_assert_eq!(composed, model);
        }
    }
}
