//! Holds: what cannot succeed until someone acts does not end; it waits, and is probed from time to time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use hubferry_hubspot::{Hold, HoldScope, StepId};
use rustc_hash::FxHashMap;

use super::facts::Waiter;
use super::step::{State, StepKind};
use super::{Scheduler, Todo};
use crate::admission::MappingIndex;

/// How often a held portal or mapping is tried with one call (fleet.md iv.1).
const PROBE_EVERY: Duration = Duration::from_secs(30);

#[derive(Default)]
pub(super) struct Holds {
    portal: Option<Held>,
    mappings: FxHashMap<MappingIndex, HeldMapping>,
}

struct Held {
    reason: Hold,
    probe_at: Instant,
}

struct HeldMapping {
    held: Held,
    steps: VecDeque<StepId>,
}

/// A hold as the outside sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct HoldView {
    /// The mapping, or the whole portal.
    pub(crate) mapping: Option<MappingIndex>,
    pub(crate) reason: Hold,
}

impl Holds {
    pub(super) fn portal_is_held(&self) -> bool {
        self.portal.is_some()
    }

    /// Whether a call may go: always, except in a held portal, where one goes per probe.
    pub(super) fn portal_may_send(&self, now: Instant) -> bool {
        self.portal.as_ref().is_none_or(|held| held.probe_at <= now)
    }

    pub(super) fn probe_at(&self) -> Option<Instant> {
        let mappings = self
            .mappings
            .values()
            .filter(|m| !m.steps.is_empty())
            .map(|m| m.held.probe_at);
        self.portal
            .iter()
            .map(|held| held.probe_at)
            .chain(mappings)
            .min()
    }

    /// A call leaves: in a held portal it is the probe, and the next one waits its time.
    pub(super) fn sent(&mut self, now: Instant) {
        if let Some(held) = &mut self.portal {
            held.probe_at = now + PROBE_EVERY;
        }
    }
}

impl Scheduler {
    pub(crate) fn holds(&self) -> Vec<HoldView> {
        let portal = self.holds.portal.iter().map(|held| HoldView {
            mapping: None,
            reason: held.reason.clone(),
        });
        let mut mappings: Vec<HoldView> = self
            .holds
            .mappings
            .iter()
            .map(|(mapping, m)| HoldView {
                mapping: Some(*mapping),
                reason: m.held.reason.clone(),
            })
            .collect();
        mappings.sort_by_key(|view| view.mapping);
        portal.chain(mappings).collect()
    }

    /// A step met a wall: it goes back in line, and what the wall stands before waits.
    pub(super) fn hold(&mut self, step: StepId, scope: HoldScope, reason: Hold, now: Instant) {
        if self.ensure_before_hold(step, &reason) || self.fact_before_hold(step, &reason) {
            return;
        }
        match (scope, self.mapping_of(step)) {
            (HoldScope::Mapping, Some(mapping)) => {
                let held = Held {
                    reason: reason.clone(),
                    probe_at: now + PROBE_EVERY,
                };
                let entry = self
                    .holds
                    .mappings
                    .entry(mapping)
                    .or_insert_with(|| HeldMapping {
                        held,
                        steps: VecDeque::new(),
                    });
                entry.held.reason = reason;
                entry.held.probe_at = now + PROBE_EVERY;
                entry.steps.push_back(step);
                self.set_state(step, State::Held);
            }
            (HoldScope::Portal | HoldScope::Mapping, _) => {
                self.holds.portal = Some(Held {
                    reason,
                    probe_at: now + PROBE_EVERY,
                });
                self.todo.push_back(Todo::Ready(step));
            }
        }
    }

    /// Parks a step of a held mapping; says whether it did.
    pub(super) fn park_if_held(&mut self, step: StepId) -> bool {
        if self.holds.mappings.is_empty() {
            return false;
        }
        let Some(mapping) = self.mapping_of(step) else {
            return false;
        };
        let probing = self
            .steps
            .get(&step)
            .is_some_and(|s| s.state == State::Held);
        match self.holds.mappings.get_mut(&mapping) {
            Some(held) if !probing => {
                held.steps.push_back(step);
                self.set_state(step, State::Held);
                true
            }
            _ => false,
        }
    }

    /// Lets one step of each held mapping try whether the wall still stands.
    pub(super) fn probe_held_mappings(&mut self, now: Instant) {
        let steps = &self.steps;
        for held in self.holds.mappings.values_mut() {
            // Steps that were withdrawn meanwhile are no probe.
            held.steps.retain(|step| steps.contains_key(step));
            if held.held.probe_at <= now
                && let Some(step) = held.steps.pop_front()
            {
                held.held.probe_at = now + PROBE_EVERY;
                self.todo.push_back(Todo::Ready(step));
            }
        }
    }

    /// HubSpot took something of this step: no wall stands before it any more.
    pub(super) fn let_go(&mut self, step: StepId) {
        self.holds.portal = None;
        if self.holds.mappings.is_empty() {
            return;
        }
        let Some(mapping) = self.mapping_of(step) else {
            return;
        };
        if let Some(held) = self.holds.mappings.remove(&mapping) {
            for step in held.steps {
                self.set_state(step, State::Chained);
                self.todo.push_back(Todo::Ready(step));
            }
        }
    }

    /// The mapping a step works for; for shared steps, the first that wants it.
    fn mapping_of(&self, step: StepId) -> Option<MappingIndex> {
        let delivery = match &self.steps.get(&step)?.kind {
            StepKind::Record(work) => match work.parts.first() {
                Some(part) => Some(part.delivery),
                None => return work.wanted_by.iter().find_map(|s| self.mapping_of(*s)),
            },
            StepKind::Associate(work) => work.deliveries.first().copied(),
            StepKind::Target(work) => work.wishes.first().map(|wish| wish.slot),
            StepKind::Link(work) => match work.slots().next() {
                Some(slot) => Some(slot),
                None => return self.mapping_of(work.associations().next()?),
            },
            StepKind::Member(work) => work.slots().next(),
            StepKind::Occurrence(work) => Some(work.slot),
            StepKind::Deletion(work) => Some(work.slot),
            StepKind::Ensure(id) => return self.mapping_of_waiting(self.ensures.waiting(*id)),
            StepKind::Fact(read) => {
                return self.mapping_of_waiting(self.facts.waiting(&read.key));
            }
        };
        delivery.map(|slot| self.deliveries[slot.0].mapping)
    }

    fn mapping_of_waiting(&self, waiting: &[Waiter]) -> Option<MappingIndex> {
        waiting.iter().find_map(|waiter| match waiter {
            Waiter::Step(step) => self.mapping_of(*step),
            Waiter::Delivery(slot) => self.deliveries.get(slot.0).map(|d| d.mapping),
        })
    }
}
