//! Record steps: a chain per record, one step of it on the wire, the waiting ones coalesced.

use std::collections::VecDeque;
use std::time::Instant;

use hubferry_actions::{ObjectType, RecordRef, RecordStep, WhenFound};
use hubferry_hubspot::StepId;

use super::step::{Phase, RecordWork, State, Step, StepKind};
use super::{DeliverySlot, Scheduler, Todo};
use crate::coalesce::{Part, adds_nothing, compose, in_order};
use crate::ending::{Ending, Note, SkipReason};
use crate::recent::Superseded;

/// The steps of one record, in the order in which they will be written.
#[derive(Default)]
pub(super) struct Chain {
    pub(super) steps: VecDeque<StepId>,
}

/// The property that only moves forward by itself (hubspot-api.md §10.2).
pub(super) const LIFECYCLE_STAGE: &str = "lifecyclestage";

impl Scheduler {
    /// Brings a delivery's values to its record: into a waiting step, beside one on the wire that says the same, or as a
    /// new step at the end of the chain.
    pub(super) fn submit(&mut self, slot: DeliverySlot, now: Instant) {
        let asked = self.deliveries[slot.0].record().record.clone();
        self.not_early(slot, &asked);
        if self.must_be_fitted(slot, now) {
            return;
        }
        let record = self.resolve_alias(slot, now);
        if self.join_waiting(slot, now)
            || self.ride_along(slot)
            || self.is_known_to_stand(slot, now)
        {
            return;
        }
        let part = self.part_of(slot);
        self.open_step(slot, vec![part]);
        self.pull_early(&record, now);
    }

    /// Joins the last step of the record's chain, if it still takes values; says whether it did.
    pub(super) fn join_waiting(&mut self, slot: DeliverySlot, _now: Instant) -> bool {
        let delivery = &self.deliveries[slot.0];
        if !delivery.policy.coalesce {
            return false;
        }
        let Some(last) = self.last_of_chain(&delivery.record().record) else {
            return false;
        };
        let Some(step) = self.steps.get(&last) else {
            return false;
        };
        let StepKind::Record(work) = &step.kind else {
            return false;
        };
        if !same_way(work, delivery.record())
            || !work.is_joinable(step.state)
            || !self.all_coalesce(work)
        {
            return false;
        }
        let mut part = self.part_of(slot);
        let front = self
            .steps
            .get(&last)
            .is_some_and(|s| s.state != State::Chained);
        // The front's marks cannot change while it waits; a step behind it is looked at again when it gets there.
        if front && self.drop_superseded(slot, &mut part) {
            return true;
        }
        if let Some(work) = self.record_work(last) {
            work.parts.push(part);
            in_order(&mut work.parts);
        }
        self.counts.coalesced += 1;
        true
    }

    /// Attaches to the step on the wire when that step writes the same values anyway.
    fn ride_along(&mut self, slot: DeliverySlot) -> bool {
        let delivery = &self.deliveries[slot.0];
        let Some(last) = self.last_of_chain(&delivery.record().record) else {
            return false;
        };
        let Some(step) = self.steps.get(&last) else {
            return false;
        };
        let StepKind::Record(work) = &step.kind else {
            return false;
        };
        let rides = delivery.policy.coalesce
            && same_way(work, delivery.record())
            && !work.alone
            && work.is_being_written(step.state);
        if !rides || !adds_nothing(delivery.values(), &work.sent) {
            return false;
        }
        let part = self.part_of(slot);
        if let Some(work) = self.record_work(last) {
            work.riders.push(part);
        }
        self.counts.coalesced += 1;
        true
    }

    /// Merges with a write that was confirmed a moment ago and says the same: the same outcome as arriving that moment
    /// earlier would have had.
    fn is_known_to_stand(&mut self, slot: DeliverySlot, now: Instant) -> bool {
        let delivery = &self.deliveries[slot.0];
        let RecordStep {
            record,
            person,
            when_found,
            ..
        } = delivery.record();
        let idle = self.last_of_chain(record).is_none();
        if !delivery.policy.coalesce || !idle || *when_found != WhenFound::Write {
            return false;
        }
        let Some(id) = self
            .recent
            .same(record, delivery.values(), now, self.settings.max_age)
        else {
            return false;
        };
        if record.object == ObjectType::contacts() && !self.people.knows(person, &id) {
            return false;
        }
        self.counts.coalesced += 1;
        let delivery = &mut self.deliveries[slot.0];
        delivery.written = Some(id);
        delivery.merged = true;
        self.todo.push_back(Todo::RecordDone(slot));
        true
    }

    /// Makes a step of its own at the end of the record's chain.
    fn open_step(&mut self, slot: DeliverySlot, parts: Vec<Part>) {
        let delivery = &self.deliveries[slot.0];
        let work = new_work(delivery.record(), parts, !delivery.policy.coalesce);
        let record = work.record.clone();
        let step = self.add_step(StepKind::Record(Box::new(work)));
        let chain = self.chains.entry(record).or_default();
        chain.steps.push_back(step);
        if chain.steps.len() == 1 {
            self.todo.push_back(Todo::Ready(step));
        }
    }

    /// Looks at a step whose turn has come once more: what a newer event has written meanwhile is taken out of it.
    pub(super) fn freshen(&mut self, step: StepId) {
        let Some(Step {
            kind: StepKind::Record(work),
            ..
        }) = self.steps.get(&step)
        else {
            return;
        };
        if !work.phase.looks() && !work.phase.writes() {
            return;
        }
        let record = work.record.clone();
        let mut parts = std::mem::take(&mut self.record_work_mut(step).parts);
        let had_parts = !parts.is_empty();
        parts.retain_mut(|part| !self.drop_superseded(part.delivery, part));
        in_order(&mut parts);
        let work = self.record_work_mut(step);
        work.parts = parts;
        if had_parts && work.parts.is_empty() && work.wanted_by.is_empty() {
            self.close_record_step(step, &record);
        }
    }

    /// Takes out of a part what a newer event has written; ends the delivery's record when nothing is left of it.
    fn drop_superseded(&mut self, slot: DeliverySlot, part: &mut Part) -> bool {
        let record = self.deliveries[slot.0].record().record.clone();
        let superseded = self.recent.drop_superseded(&record, part);
        if superseded.is_empty() {
            return false;
        }
        if superseded
            .iter()
            .any(|s| s.property.as_str() == LIFECYCLE_STAGE)
        {
            part.stage = None;
        }
        let late = superseded.iter().any(|s| s.late);
        if part.properties.is_empty() {
            self.end_superseded(slot, &record, late);
            return true;
        }
        for Superseded { property, .. } in superseded.into_iter().filter(|s| s.late) {
            self.deliveries[slot.0].notes.push(Note::DroppedProperty {
                property,
                reason: "stale",
            });
        }
        false
    }

    /// Nothing of the values is left, but the record is there. A late event was stale; one that was only overtaken on its
    /// way here has merged with the newer one. Either way an association is still wanted.
    fn end_superseded(&mut self, slot: DeliverySlot, record: &RecordRef, late: bool) {
        let id = self.recent.id(record).cloned();
        let delivery = &mut self.deliveries[slot.0];
        match id {
            Some(id) if !late || delivery.follow.is_wanted() => {
                delivery.written = Some(id);
                delivery.merged = !late;
                self.todo.push_back(Todo::RecordDone(slot));
            }
            _ => self.end_without_record(slot, Ending::Skipped(SkipReason::Stale)),
        }
    }

    /// Takes a step out of its chain; the next one's turn has come.
    pub(super) fn close_record_step(&mut self, step: StepId, record: &RecordRef) {
        self.steps.remove(&step);
        let Some(chain) = self.chains.get_mut(record) else {
            return;
        };
        let was_first = chain.steps.front() == Some(&step);
        chain.steps.retain(|s| *s != step);
        match chain.steps.front() {
            Some(next) if was_first => self.todo.push_back(Todo::Ready(*next)),
            Some(_) => (),
            None => {
                self.chains.remove(record);
            }
        }
    }

    /// What the step writes now, by event time per value.
    pub(super) fn compose_record(&mut self, step: StepId) {
        let work = self.record_work_mut(step);
        work.sent = compose(&work.parts);
    }

    pub(super) fn last_of_chain(&self, record: &RecordRef) -> Option<StepId> {
        self.chains
            .get(record)
            .and_then(|chain| chain.steps.back().copied())
    }

    fn all_coalesce(&self, work: &RecordWork) -> bool {
        work.parts
            .iter()
            .all(|part| self.deliveries[part.delivery.0].policy.coalesce)
    }

    /// Moves a delivery's values into a part.
    pub(super) fn part_of(&mut self, slot: DeliverySlot) -> Part {
        let delivery = &mut self.deliveries[slot.0];
        Part {
            delivery: slot,
            time: delivery.time,
            arrival: delivery.arrival,
            properties: delivery.take_values(),
            stage: delivery.record().stage.clone(),
        }
    }

    pub(super) fn record_work(&mut self, step: StepId) -> Option<&mut RecordWork> {
        match self.steps.get_mut(&step) {
            Some(Step {
                kind: StepKind::Record(work),
                ..
            }) => Some(work),
            _ => None,
        }
    }

    /// The work of a step that is known to be a record's.
    pub(super) fn record_work_mut(&mut self, step: StepId) -> &mut RecordWork {
        self.record_work(step)
            .expect("the caller holds the id of an open record step")
    }
}

/// Whether a delivery finds and treats its record as the step does.
fn same_way(work: &RecordWork, plan: &RecordStep) -> bool {
    work.existing == plan.existing
        && work.when_missing == plan.when_missing
        && work.when_found == plan.when_found
}

pub(super) fn new_work(plan: &RecordStep, parts: Vec<Part>, alone: bool) -> RecordWork {
    let first = RecordWork::first_phase(
        &plan.record,
        &plan.existing,
        plan.when_missing,
        plan.when_found,
    );
    // HubSpot takes no update that changes nothing.
    let says_nothing = parts.iter().all(|part| part.properties.is_empty());
    let phase = match first {
        Phase::Update(_) if says_nothing => Phase::Read,
        first => first,
    };
    RecordWork {
        record: plan.record.clone(),
        existing: plan.existing.clone(),
        when_missing: plan.when_missing,
        when_found: plan.when_found,
        needs: plan.needs.clone(),
        parts,
        riders: Vec::new(),
        sent: Vec::new(),
        phase,
        alone,
        tried: false,
        ensured_again: false,
        gone_once: false,
        once_more: false,
        wanted_by: Vec::new(),
    }
}
