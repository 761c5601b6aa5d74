//! Deletions: the contact of a person is found by the fleet's memory, taken away, and forgotten.
//!
//! It is forgotten after HubSpot has deleted it, and before the delivery ends: a worker that dies between the two finds it once
//! more, and to delete what is gone already does no harm. The other way round nobody would find it any more.

use hubferry_actions::{DeletionMode, ObjectType, Person, RecordId, RecordRef};
use hubferry_event::IdentityKey;
use hubferry_hubspot::{Done, Endpoint, Outcome, Rejection, StepId};
use hubferry_memory::{Finding, Inquiry};
use rustc_hash::FxHashSet;

use super::step::{State, Step, StepKind};
use super::{Asker, DeliverySlot, Job, Scheduler, Todo};
use crate::ending::{Ending, SkipReason, Stage};
use crate::queues::QueueKey;

/// Takes the contact of one person away.
pub(super) struct DeletionWork {
    pub(super) slot: DeliverySlot,
    /// The keys under which the contact is known: the event's own, and what this worker knows besides.
    person: Person,
    mode: DeletionMode,
    progress: Progress,
}

enum Progress {
    /// The memory is asked whose contact it is.
    Looking,
    /// HubSpot is asked to delete it.
    Deleting(RecordId),
    /// It is deleted, and being forgotten.
    Deleted,
}

impl DeletionWork {
    /// The contact, while it is to be deleted.
    pub(super) fn contact(&self) -> Option<&RecordId> {
        match &self.progress {
            Progress::Deleting(contact) => Some(contact),
            Progress::Looking | Progress::Deleted => None,
        }
    }

    /// Whether HubSpot has deleted it.
    pub(super) const fn is_done(&self) -> bool {
        matches!(self.progress, Progress::Deleted)
    }

    pub(super) fn queue(&self) -> QueueKey {
        match self.mode {
            DeletionMode::Archive => QueueKey::Archive {
                object: ObjectType::contacts(),
            },
            DeletionMode::Gdpr => QueueKey::Single(Endpoint::GdprDelete),
        }
    }
}

impl Scheduler {
    /// A delivery's deletion is due. The memory is always asked: it alone knows the contact of every key.
    pub(super) fn submit_deletion(&mut self, slot: DeliverySlot) {
        let Some(Job::Deletion(wish)) = self.deliveries.get(slot.0).map(|d| &d.job) else {
            return;
        };
        let (person, mode) = (wish.person.clone(), wish.mode);
        if person.is_empty() {
            return self.end_without_record(slot, Ending::Skipped(SkipReason::NotFound));
        }
        let inquiry = Inquiry::FindContact {
            person: person.to_vec(),
        };
        let step = self.add_step(StepKind::Deletion(Box::new(DeletionWork {
            slot,
            person,
            mode,
            progress: Progress::Looking,
        })));
        self.set_state(step, State::Asking);
        self.ask(Asker::Doomed(step), inquiry);
    }

    /// The memory has answered whose contact it is.
    pub(super) fn doomed_found(&mut self, step: StepId, finding: Finding) {
        let Some(work) = self.deletion_work(step) else {
            return;
        };
        if let Finding::Contact(Some(contact)) = finding {
            work.progress = Progress::Deleting(contact);
            self.todo.push_back(Todo::Ready(step));
            return;
        }
        let slot = work.slot;
        self.steps.remove(&step);
        self.end_without_record(slot, Ending::Skipped(SkipReason::NotFound));
    }

    /// Before a call's steps are settled one by one: what this worker remembers of the contacts that it has deleted is
    /// forgotten at once, so that no event behind them goes by it.
    pub(super) fn forget_deleted(&mut self, outcomes: &[(StepId, Outcome)]) {
        let gone: FxHashSet<RecordId> = outcomes
            .iter()
            .filter(|(_, outcome)| matches!(outcome, Outcome::Done(Done::There) | Outcome::Gone))
            .filter_map(|(step, _)| self.deletion_work(*step)?.contact().cloned())
            .collect();
        if gone.is_empty() {
            return;
        }
        let known = self.people.forget_contacts(&gone);
        for record in self.records_of(&gone) {
            self.forget_record(&record);
        }
        self.forget_names(&gone);
        for (step, _) in outcomes {
            let Some(work) = self.deletion_work(*step) else {
                continue;
            };
            let Some(contact) = work.contact().cloned() else {
                continue;
            };
            let keys = known.iter().filter(|(_, of)| *of == contact);
            work.person.extend(keys.map(|(key, _)| key.clone()));
            work.person.sort();
            work.person.dedup();
        }
    }

    /// The contacts of these ids as this worker knows them, by whatever name.
    fn records_of(&self, gone: &FxHashSet<RecordId>) -> Vec<RecordRef> {
        let mut records = self.recent.contacts_of(gone);
        let contacts = ObjectType::contacts();
        let known = self.known.iter();
        let known = known.filter(|(record, id)| record.object == contacts && gone.contains(*id));
        records.extend(known.map(|(record, _)| record.clone()));
        records
    }

    /// HubSpot has deleted it, or it was gone already: the fleet forgets it.
    pub(super) fn contact_deleted(&mut self, step: StepId) {
        let Some(work) = self.deletion_work(step) else {
            return;
        };
        work.progress = Progress::Deleted;
        let person: Vec<IdentityKey> = work.person.to_vec();
        self.set_state(step, State::Asking);
        self.ask(Asker::Forgotten(step), Inquiry::ForgetContact { person });
    }

    /// The fleet has forgotten it.
    pub(super) fn contact_forgotten(&mut self, step: StepId) {
        if let Some(slot) = self.take_deletion(step) {
            let notes = Vec::new();
            self.end_without_record(slot, Ending::Delivered { notes });
        }
    }

    /// HubSpot refuses it.
    pub(super) fn deletion_refused(&mut self, step: StepId, rejection: &Rejection) {
        let attempts = self.attempts_of(step);
        if let Some(slot) = self.take_deletion(step) {
            self.die(slot, rejection, Stage::Record, attempts);
        }
    }

    fn take_deletion(&mut self, step: StepId) -> Option<DeliverySlot> {
        let slot = self.deletion_work(step)?.slot;
        self.steps.remove(&step);
        Some(slot)
    }

    fn deletion_work(&mut self, step: StepId) -> Option<&mut DeletionWork> {
        match self.steps.get_mut(&step) {
            Some(Step {
                kind: StepKind::Deletion(work),
                ..
            }) => Some(work),
            _ => None,
        }
    }
}
