//! Which record it is: known, looked up, read or searched.

use std::time::Instant;

use hubferry_actions::{Existing, ObjectType, RecordId, RecordRef, WhenFound, WhenMissing};
use hubferry_event::IdentityKey;
use hubferry_hubspot::{Found, StepId};
use hubferry_memory::{Finding, Inquiry};

use super::step::{Phase, State};
use super::{Asker, Scheduler, Todo};
use crate::ending::{Ending, SkipReason};

impl Scheduler {
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
}
