//! Lanes: the order of one person's events.
//!
//! Events that share a key naming a person belong to one lane and run one after the other. An event that links two
//! keys joins their lanes from itself on. Events that name no person are ordered by their first key instead.
//! Lanes never split and never reorder; a lane that holds no unfinished event is forgotten.

use hubferry_event::{IdentityKey, IdentityKeys};
use rustc_hash::FxHashMap;
use slab::Slab;
use smallvec::SmallVec;

/// An unfinished event in its lane.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct EventSlot(usize);

#[derive(Default)]
pub(crate) struct Lanes {
    events: Slab<Waiting>,
    lanes: Slab<Lane>,
    by_key: FxHashMap<IdentityKey, usize>,
}

#[derive(Default)]
struct Waiting {
    /// The lane it entered; a lane that was joined to another since is gone, and has another tail.
    lane: usize,
    /// How many earlier events have to finish first.
    before: usize,
    /// Later events that wait for this one.
    after: SmallVec<[EventSlot; 1]>,
}

struct Lane {
    keys: Vec<IdentityKey>,
    tail: EventSlot,
    /// Whether later events have to keep behind an earlier one in everything they do.
    barred: bool,
}

impl Lanes {
    /// Puts an event at the end of its lane; says whether it may run at once.
    pub(crate) fn enter(&mut self, keys: &IdentityKeys) -> (EventSlot, bool) {
        let ordering = ordering_keys(keys);
        let mut joined: SmallVec<[usize; 2]> = SmallVec::new();
        for key in &ordering {
            if let Some(&lane) = self.by_key.get(*key)
                && !joined.contains(&lane)
            {
                joined.push(lane);
            }
        }
        let event = EventSlot(self.events.insert(Waiting::default()));
        for &lane in &joined {
            let tail = self.lanes[lane].tail;
            self.events[tail.0].after.push(event);
        }
        let lane = self.join(&joined, event);
        for key in ordering {
            if self.by_key.insert(key.clone(), lane).is_none() {
                self.lanes[lane].keys.push(key.clone());
            }
        }
        self.lanes[lane].tail = event;
        self.events[event.0].lane = lane;
        self.events[event.0].before = joined.len();
        (event, joined.is_empty())
    }

    /// Takes a finished event out; returns the events that may run now, in order.
    pub(crate) fn leave(&mut self, event: EventSlot) -> SmallVec<[EventSlot; 1]> {
        let waiting = self.events.remove(event.0);
        let mut free = SmallVec::new();
        for next in waiting.after {
            let follower = &mut self.events[next.0];
            follower.before -= 1;
            if follower.before == 0 {
                free.push(next);
            }
        }
        if self
            .lanes
            .get(waiting.lane)
            .is_some_and(|lane| lane.tail == event)
        {
            for key in self.lanes.remove(waiting.lane).keys {
                self.by_key.remove(&key);
            }
        }
        free
    }

    /// Whether an event runs, that is nothing before it in its lane is unfinished.
    pub(crate) fn runs(&self, event: EventSlot) -> bool {
        self.events
            .get(event.0)
            .is_some_and(|waiting| waiting.before == 0)
    }

    /// Nothing of the events behind this one may go ahead of it, not even what could travel with an earlier event. The bar
    /// stays until the lane is empty.
    pub(crate) fn bar(&mut self, event: EventSlot) {
        let lane = self.events[event.0].lane;
        self.lanes[lane].barred = true;
    }

    /// Whether something in the lane of an event that has just entered it is not to be overtaken.
    pub(crate) fn is_barred(&self, event: EventSlot) -> bool {
        let lane = self.events[event.0].lane;
        self.lanes[lane].barred
    }

    /// How many events are unfinished.
    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    /// Makes one lane of all that the new event touches.
    fn join(&mut self, joined: &[usize], event: EventSlot) -> usize {
        let Some((&first, others)) = joined.split_first() else {
            return self.lanes.insert(Lane {
                keys: Vec::new(),
                tail: event,
                barred: false,
            });
        };
        for &other in others {
            let Lane { keys, barred, .. } = self.lanes.remove(other);
            for key in &keys {
                self.by_key.insert(key.clone(), first);
            }
            self.lanes[first].keys.extend(keys);
            self.lanes[first].barred |= barred;
        }
        first
    }
}

/// The keys by which order is kept: those that name a person, else those of the company or row.
fn ordering_keys(keys: &IdentityKeys) -> SmallVec<[&IdentityKey; 3]> {
    let people: SmallVec<[&IdentityKey; 3]> = keys.iter().filter(|k| k.is_person()).collect();
    if people.is_empty() {
        keys.iter().collect()
    } else {
        people
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn keys(names: &[u8]) -> IdentityKeys {
        names
            .iter()
            .map(|n| IdentityKey::User(n.to_string().into()))
            .collect()
    }

    #[test]
    fn a_second_event_of_a_person_waits_for_the_first() {
        let mut lanes = Lanes::default();
        let (first, runs) = lanes.enter(&keys(&[1]));
        assert!(runs);
        let (second, runs) = lanes.enter(&keys(&[1]));
        assert!(!runs);
        assert_eq!(lanes.leave(first).as_slice(), [second]);
        assert!(lanes.leave(second).is_empty());
        assert!(lanes.by_key.is_empty() && lanes.lanes.is_empty() && lanes.events.is_empty());
    }

    #[test]
    fn an_event_that_links_two_keys_joins_their_lanes() {
        let mut lanes = Lanes::default();
        let (a, _) = lanes.enter(&keys(&[1]));
        let (b, _) = lanes.enter(&keys(&[2]));
        let (link, runs) = lanes.enter(&keys(&[1, 2]));
        assert!(!runs);
        let (after_a, _) = lanes.enter(&keys(&[1]));
        let (after_b, _) = lanes.enter(&keys(&[2]));
        assert!(lanes.leave(a).is_empty());
        assert_eq!(lanes.leave(b).as_slice(), [link]);
        assert_eq!(lanes.leave(link).as_slice(), [after_a]);
        assert_eq!(lanes.leave(after_a).as_slice(), [after_b]);
    }

    #[test]
    fn a_bar_holds_for_all_behind_it_and_ends_with_its_lane() {
        let mut lanes = Lanes::default();
        let (before, _) = lanes.enter(&keys(&[1]));
        assert!(!lanes.is_barred(before));
        let (bar, _) = lanes.enter(&keys(&[1]));
        lanes.bar(bar);
        let (other, _) = lanes.enter(&keys(&[2]));
        assert!(!lanes.is_barred(other));
        let (link, _) = lanes.enter(&keys(&[2, 1]));
        let (behind, _) = lanes.enter(&keys(&[2]));
        assert!(lanes.is_barred(link) && lanes.is_barred(behind));
        for event in [before, bar, other, link, behind] {
            lanes.leave(event);
        }
        let (later, _) = lanes.enter(&keys(&[1]));
        assert!(!lanes.is_barred(later));
    }

    #[test]
    fn a_company_orders_only_events_that_name_nobody() {
        let mut lanes = Lanes::default();
        let group = |user: &str| -> IdentityKeys {
            [
                IdentityKey::User(user.into()),
                IdentityKey::Group("acme".into()),
            ]
            .into_iter()
            .collect()
        };
        assert!(lanes.enter(&group("a")).1);
        assert!(lanes.enter(&group("b")).1);
        let nobody: IdentityKeys = [IdentityKey::Group("acme".into())].into_iter().collect();
        assert!(lanes.enter(&nobody).1);
        assert!(!lanes.enter(&nobody).1);
        let named = |group: &str| -> IdentityKeys {
            [
                IdentityKey::Group(group.into()),
                IdentityKey::Domain("acme.io".into()),
            ]
            .into_iter()
            .collect()
        };
        assert!(lanes.enter(&named("a")).1);
        assert!(
            !lanes.enter(&named("b")).1,
            "the same company by its domain"
        );
    }

    proptest! {
        /// Against a naive model: an event runs exactly when no earlier unfinished event is connected to it through
        /// keys seen while the events were unfinished; finishing in any order frees everything in the end.
        #[test]
        fn order_is_kept_per_person(
            events in prop::collection::vec(prop::collection::btree_set(0u8..6, 1..3), 1..40),
            picks in prop::collection::vec(any::<prop::sample::Index>(), 200),
        ) {
            let mut lanes = Lanes::default();
            let mut picks = picks.into_iter();
            let mut running: Vec<EventSlot> = Vec::new();
            let mut number: BTreeMap<EventSlot, usize> = BTreeMap::new();
            let mut unfinished: BTreeSet<usize> = BTreeSet::new();
            let mut finished_order = Vec::new();
            for (n, set) in events.iter().enumerate() {
                let names: Vec<u8> = set.iter().copied().collect();
                let (slot, runs) = lanes.enter(&keys(&names));
                number.insert(slot, n);
                let shares = unfinished.iter().any(|m| !events[*m].is_disjoint(set));
                prop_assert!(!(runs && shares), "event {} runs beside an earlier one of the same person", n);
                unfinished.insert(n);
                if runs { running.push(slot); }
                if n % 3 == 0 && !running.is_empty() {
                    let slot = running.swap_remove(picks.next().unwrap().index(running.len()));
                    unfinished.remove(&number[&slot]);
                    finished_order.push(number[&slot]);
                    running.extend(lanes.leave(slot));
                }
            }
            while !running.is_empty() {
                let slot = running.swap_remove(picks.next().unwrap().index(running.len()));
                finished_order.push(number[&slot]);
                running.extend(lanes.leave(slot));
            }
            prop_assert_eq!(finished_order.len(), events.len());
            for (i, later) in finished_order.iter().enumerate() {
                for earlier in &finished_order[i + 1..] {
                    prop_assert!(earlier > later || events[*earlier].is_disjoint(&events[*later]));
                }
            }
            prop_assert!(lanes.by_key.is_empty() && lanes.lanes.is_empty());
        }
    }
}
