//! A record is written: its stage is set right, it is remembered, its deliveries go on.

use std::time::Instant;

use hubferry_actions::{Existing, Lifecycle, LifecycleStage, ObjectType, Person, RecordId};
use hubferry_event::IdentityKey;
use hubferry_hubspot::StepId;
use hubferry_memory::{Finding, Inquiry};

use super::step::{Phase, State, Step, StepKind};
use super::{Asker, DeliverySlot, Scheduler, Todo};
use crate::coalesce::stage_of;

impl Scheduler {
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
    pub(super) fn record_confirmed(&mut self, step: StepId, id: &RecordId, now: Instant) {
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
        let parts = work.parts.iter().chain(&work.riders);
        let writers: Vec<DeliverySlot> = parts.map(|part| part.delivery).collect();
        let person = self.people_of(step);
        self.make_waiting_links(finding, &person, &id, &writers, now);
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
}
