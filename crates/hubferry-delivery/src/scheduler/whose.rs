//! Whose a step is: the deliveries that a call works for.

use hubferry_hubspot::StepId;
use rustc_hash::FxHashSet;

use super::facts::Waiter;
use super::step::StepKind;
use super::{DeliverySlot, Scheduler};
use crate::admission::DeliveryId;

impl Scheduler {
    /// The open deliveries that a step works for, directly or because something of theirs waits for it; in order of their
    /// ids, each once.
    #[must_use]
    pub fn deliveries_of(&self, step: StepId) -> Vec<DeliveryId> {
        let mut seen = FxHashSet::default();
        let mut slots = FxHashSet::default();
        let mut open = vec![step];
        while let Some(step) = open.pop() {
            if seen.insert(step) {
                self.whose(step, &mut slots, &mut open);
            }
        }
        let ids = slots
            .into_iter()
            .filter_map(|slot| self.deliveries.get(slot.0));
        let mut ids: Vec<DeliveryId> = ids.map(|delivery| delivery.id).collect();
        ids.sort_unstable();
        ids
    }

    /// Adds the deliveries of one step, and the steps that wait for it.
    fn whose(&self, step: StepId, slots: &mut FxHashSet<DeliverySlot>, open: &mut Vec<StepId>) {
        let Some(step) = self.steps.get(&step) else {
            return;
        };
        match &step.kind {
            StepKind::Record(work) => {
                let parts = work.parts.iter().chain(&work.riders);
                slots.extend(parts.map(|part| part.delivery));
                open.extend(&work.wanted_by);
            }
            StepKind::Associate(work) => slots.extend(work.deliveries.iter().chain(&work.behind)),
            StepKind::Target(work) => slots.extend(work.wishes.iter().map(|wish| wish.slot)),
            StepKind::Link(work) => {
                slots.extend(work.slots());
                open.extend(work.associations());
            }
            StepKind::Member(work) => slots.extend(work.slots()),
            StepKind::Occurrence(work) => {
                slots.insert(work.slot);
            }
            StepKind::Deletion(work) => {
                slots.insert(work.slot);
            }
            StepKind::Ensure(id) => wait(self.ensures.waiting(*id), slots, open),
            StepKind::Fact(read) => wait(self.facts.waiting(&read.key), slots, open),
        }
    }
}

fn wait(waiting: &[Waiter], slots: &mut FxHashSet<DeliverySlot>, open: &mut Vec<StepId>) {
    for waiter in waiting {
        match waiter {
            Waiter::Step(step) => open.push(*step),
            Waiter::Delivery(slot) => {
                slots.insert(*slot);
            }
        }
    }
}
