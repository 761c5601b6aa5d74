//! Record steps: a chain per record, one step of it on the wire, the waiting ones coalesced.

use std::collections::VecDeque;
use std::time::Instant;

use hubferry_actions::{
    Existing, Lifecycle, LifecycleStage, ObjectType, Person, RecordId, RecordRef, RecordStep,
    WhenFound, WhenMissing,
};
use hubferry_event::IdentityKey;
use hubferry_hubspot::{Found, Rejection, StepId};
use hubferry_memory::{Finding, Inquiry};

use super::associations::bare_of;
use super::step::{Phase, RecordWork, State, Step, StepKind};
use super::{Asker, DeliverySlot, Scheduler, Todo};
use crate::coalesce::{Part, adds_nothing, compose, in_order, stage_of};
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

    /// Makes sure of a record that an association needs; no delivery stands behind it.
    pub(super) fn open_wanted(&mut self, plan: &RecordStep, wanted_by: StepId) {
        if let Some(last) = self.last_of_chain(&plan.record)
            && let Some(work) = self.record_work(last)
        {
            work.wanted_by.push(wanted_by);
            return;
        }
        let mut work = new_work(plan, Vec::new(), false);
        work.wanted_by.push(wanted_by);
        let step = self.add_step(StepKind::Record(Box::new(work)));
        self.chains
            .entry(plan.record.clone())
            .or_default()
            .steps
            .push_back(step);
        self.todo.push_back(Todo::Ready(step));
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

    /// A step whose record's id may be known already: by this worker, or by the fleet.
    pub(super) fn look_up(&mut self, step: StepId, now: Instant) {
        let record = self.record_work_mut(step).record.clone();
        match self.known_id(&record) {
            Some(id) => self.record_is_there(step, id, now),
            None => {
                self.set_state(step, State::Asking);
                self.ask(Asker::Record(step), Inquiry::FindRecord { record });
            }
        }
    }

    /// The memory knows the record, or it has to be searched.
    pub(super) fn record_looked_up(&mut self, step: StepId, finding: &Finding, now: Instant) {
        let Some(work) = self.record_work(step) else {
            return;
        };
        if let Finding::Record(Some(id)) = finding {
            let record = work.record.clone();
            self.known.put(record, id.clone());
            return self.record_is_there(step, id.clone(), now);
        }
        work.phase = Phase::Search;
        self.todo.push_back(Todo::Ready(step));
    }

    /// A read or search of a record step came back.
    pub(super) fn record_found(&mut self, step: StepId, found: Vec<Found>, now: Instant) {
        let Some(work) = self.record_work(step) else {
            return;
        };
        let named_by_id = work.record.record_id().is_some();
        match (work.phase.clone(), found.as_slice(), &work.existing) {
            (Phase::Verify(write), ..) => self.verified(step, *write, &found, now),
            (_, [one], _) => {
                let id = one.id.clone();
                self.record_is_there(step, id, now);
            }
            (Phase::Read, [], Existing::Search(_)) => {
                work.phase = Phase::Search;
                self.todo.push_back(Todo::Ready(step));
            }
            (_, [], _) if work.when_missing == WhenMissing::Create && !named_by_id => {
                work.phase = work.making_phase();
                self.todo.push_back(Todo::Ready(step));
            }
            (_, [], _) => self.record_missing(step),
            (_, [_, _, ..], _) => self.not_unique(step, found.len(), now),
        }
    }

    /// The record exists: it is written, or left as it is.
    pub(super) fn record_is_there(&mut self, step: StepId, id: RecordId, now: Instant) {
        let Some(work) = self.record_work(step) else {
            return;
        };
        let adopts = matches!(work.existing, Existing::Search(_));
        let says_nothing = work.parts.iter().all(|part| part.properties.is_empty());
        match work.when_found {
            WhenFound::Write if says_nothing && !adopts => self.record_confirmed(step, &id, now),
            WhenFound::Write => {
                work.phase = Phase::Update(id);
                self.todo.push_back(Todo::Ready(step));
            }
            WhenFound::Skip | WhenFound::Keep => self.record_stays(step, &id, now),
        }
    }

    /// The record exists and was only to be created: what follows a record is done all the same where the mapping says so.
    fn record_stays(&mut self, step: StepId, id: &RecordId, now: Instant) {
        let work = self.record_work_mut(step);
        let record = work.record.clone();
        let keeps = work.when_found == WhenFound::Keep;
        let mut parts = std::mem::take(&mut work.parts);
        parts.append(&mut work.riders);
        let wanted_by = std::mem::take(&mut work.wanted_by);
        for part in parts {
            if keeps {
                let delivery = &mut self.deliveries[part.delivery.0];
                delivery.written = Some(id.clone());
                delivery.kept = true;
                self.todo.push_back(Todo::RecordDone(part.delivery));
            } else {
                self.end_without_record(part.delivery, Ending::Skipped(SkipReason::Exists));
            }
        }
        self.known.put(record.clone(), id.clone());
        self.close_record_step(step, &record);
        for waiter in wanted_by {
            self.wanted_is_there(waiter, id, now);
        }
    }

    /// There is no record and none is to be created.
    pub(super) fn record_missing(&mut self, step: StepId) {
        let work = self.record_work_mut(step);
        let record = work.record.clone();
        let mut parts = std::mem::take(&mut work.parts);
        parts.append(&mut work.riders);
        let wanted_by = std::mem::take(&mut work.wanted_by);
        for part in parts {
            self.end_without_record(part.delivery, Ending::Skipped(SkipReason::NotFound));
        }
        self.close_record_step(step, &record);
        for waiter in wanted_by {
            self.want_again(waiter);
        }
    }

    /// HubSpot wrote the record.
    pub(super) fn record_written(
        &mut self,
        step: StepId,
        id: RecordId,
        stage: Option<&str>,
        now: Instant,
    ) {
        let Some(work) = self.record_work(step) else {
            return;
        };
        match work.phase.clone() {
            Phase::ClearStage(id, wish) => {
                work.phase = Phase::SetStage(id, wish);
                self.todo.push_back(Todo::Ready(step));
                return;
            }
            Phase::SetStage(id, _) => return self.record_confirmed(step, &id, now),
            _ => (),
        }
        if std::mem::take(&mut work.once_more) {
            let record = work.record.clone();
            work.phase = Phase::Update(id.clone());
            self.learn_name(&record, &id, now);
            self.todo.push_back(Todo::Ready(step));
            return;
        }
        let wish = stage_of(&work.parts);
        let record = work.record.clone();
        let sent = work.sent.clone();
        if work.existing != Existing::Nowhere {
            self.recent.confirm(&record, &id, &sent, now);
            self.learn_name(&record, &id, now);
        }
        match self.stage_to_force(step, wish, stage) {
            Some(wish) => {
                self.record_work_mut(step).phase = Phase::ClearStage(id, wish);
                self.todo.push_back(Todo::Ready(step));
            }
            None => self.record_confirmed(step, &id, now),
        }
    }

    /// The stage to clear and set, when HubSpot kept another one and the mapping wants it moved backwards.
    ///
    /// A worker that dies between the two leaves the stage empty, and the event uncommitted: the event comes again and sets it.
    fn stage_to_force(
        &self,
        step: StepId,
        wish: Option<LifecycleStage>,
        shown: Option<&str>,
    ) -> Option<LifecycleStage> {
        let wish = wish?;
        let shown = shown?;
        let StepKind::Record(work) = &self.steps.get(&step)?.kind else {
            return None;
        };
        let wisher = work.parts.iter().rev().find(|part| part.stage.is_some())?;
        let both_ways = self.deliveries[wisher.delivery.0].policy.lifecycle == Lifecycle::BothWays;
        (both_ways && shown.trim().to_lowercase() != wish.as_str()).then_some(wish)
    }

    /// The record stands as wished: what others have to find is remembered first, so that nobody misses it once the offset
    /// counts. Contacts are found by their person, records that no property identifies by what they were searched by.
    fn record_confirmed(&mut self, step: StepId, id: &RecordId, now: Instant) {
        let Some(work) = self.record_work(step) else {
            return;
        };
        let record = work.record.clone();
        let is_searched = matches!(work.existing, Existing::SearchAlone(_));
        let is_wanted = !work.wanted_by.is_empty();
        // An id that others go by is corrected when the record answers with another one.
        let is_known = self.known.contains(&record);
        let news = (is_searched || is_wanted || is_known)
            && record.record_id().is_none()
            && self.known.peek(&record) != Some(id);
        let mut keep = None;
        if news {
            self.known.put(record.clone(), id.clone());
            keep = Some(Inquiry::KeepRecord {
                record: record.clone(),
                id: id.clone(),
            });
        }
        if record.object == ObjectType::contacts() {
            let person = self.people_of(step);
            if !person.is_empty() && !self.people.knows(&person, id) {
                self.people.keep(&person, id);
                if let Some(keep) = keep.take() {
                    self.ask(Asker::Nobody, keep);
                }
                keep = Some(Inquiry::KeepContact {
                    person: person.to_vec(),
                    contact: id.clone(),
                });
            }
        }
        match keep {
            Some(keep) => {
                self.record_work_mut(step).phase = Phase::Remember(id.clone());
                self.set_state(step, State::Asking);
                self.ask(Asker::Remember(step), keep);
            }
            None => self.record_closed(step, id, now),
        }
    }

    /// The fleet remembers the record; links that waited for a contact come back.
    pub(super) fn record_remembered(&mut self, step: StepId, finding: Finding, now: Instant) {
        let Some(work) = self.record_work(step) else {
            return;
        };
        let Phase::Remember(id) = work.phase.clone() else {
            return;
        };
        let person = self.people_of(step);
        if let Finding::Links(links) = finding {
            for link in links {
                self.make_waiting_link(link, &person, &id, now);
            }
        }
        self.record_closed(step, &id, now);
    }

    /// Ends a written step: the newest delivery wrote it, the others' values went with it.
    fn record_closed(&mut self, step: StepId, id: &RecordId, now: Instant) {
        let work = self.record_work_mut(step);
        let record = work.record.clone();
        let parts = std::mem::take(&mut work.parts);
        let riders = std::mem::take(&mut work.riders);
        let wanted_by = std::mem::take(&mut work.wanted_by);
        let newest = parts.len().saturating_sub(1);
        for (n, part) in parts.into_iter().chain(riders).enumerate() {
            let delivery = &mut self.deliveries[part.delivery.0];
            delivery.written = Some(id.clone());
            delivery.merged = n != newest;
            self.todo.push_back(Todo::RecordDone(part.delivery));
        }
        self.close_record_step(step, &record);
        for waiter in wanted_by {
            self.wanted_is_there(waiter, id, now);
        }
    }

    /// The id of a record, as far as this worker knows it.
    pub(super) fn known_id(&mut self, record: &RecordRef) -> Option<RecordId> {
        if let Some(id) = record.record_id() {
            return Some(id);
        }
        if let Some(id) = self.recent.id(record) {
            return Some(id.clone());
        }
        if let Some(id) = self.known.get(record) {
            return Some(id.clone());
        }
        let by_email =
            record.object == ObjectType::contacts() && record.id_property.as_str() == "email";
        by_email
            .then(|| {
                self.people
                    .find(&[IdentityKey::Email(Box::from(&*record.value))])
            })
            .flatten()
    }

    /// Forgets a record's id, here and in the fleet: it turned out to be gone.
    pub(super) fn forget_record(&mut self, record: &RecordRef) {
        self.recent.forget(record);
        self.known.pop(record);
        if record.object == ObjectType::contacts() && record.id_property.as_str() == "email" {
            self.people
                .forget(&[IdentityKey::Email(Box::from(&*record.value))]);
        }
        self.ask(
            Asker::Nobody,
            Inquiry::ForgetRecord {
                record: record.clone(),
            },
        );
    }

    /// A record that an association waited for is there.
    fn wanted_is_there(&mut self, waiter: StepId, id: &RecordId, now: Instant) {
        match self.steps.get(&waiter).map(|s| &s.kind) {
            Some(StepKind::Associate(_)) => self.pair(waiter, id.clone(), now),
            Some(StepKind::Target(_)) => self.target_found(waiter, id, now),
            _ => (),
        }
    }

    /// A record that an association waits for could not be made.
    pub(super) fn wanted_is_refused(
        &mut self,
        waiter: StepId,
        rejection: &Rejection,
        now: Instant,
    ) {
        match self.steps.get(&waiter).map(|s| &s.kind) {
            Some(StepKind::Associate(_)) => self.association_dies(waiter, rejection, now),
            Some(StepKind::Target(_)) => self.target_refused(waiter, rejection, now),
            _ => (),
        }
    }

    /// The step that was to bring a wanted record did not make it, as its mapping wished: the association makes its own.
    pub(super) fn want_again(&mut self, waiter: StepId) {
        match self.steps.get(&waiter).map(|s| &s.kind) {
            Some(StepKind::Associate(work)) => {
                if let Some(bare) = bare_of(work) {
                    self.open_wanted(&bare, waiter);
                }
            }
            Some(StepKind::Target(_)) => self.seek_target(waiter),
            _ => (),
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

    /// The keys of everybody whose delivery stands in a contact step, most telling first, each once.
    fn people_of(&self, step: StepId) -> Person {
        let mut person = Person::new();
        let Some(Step {
            kind: StepKind::Record(work),
            ..
        }) = self.steps.get(&step)
        else {
            return person;
        };
        for part in work.parts.iter().chain(&work.riders) {
            for key in &self.deliveries[part.delivery.0].record().person {
                if !person.contains(key) {
                    person.push(key.clone());
                }
            }
        }
        let by_email = work.record.id_property.as_str() == "email";
        if person.is_empty() && by_email && !work.wanted_by.is_empty() {
            person.push(IdentityKey::Email(Box::from(&*work.record.value)));
        }
        person.sort();
        person
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

fn new_work(plan: &RecordStep, parts: Vec<Part>, alone: bool) -> RecordWork {
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
