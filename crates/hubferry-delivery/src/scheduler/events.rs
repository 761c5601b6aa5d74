//! Events: admitted to their lane, run in their turn, left when all their deliveries have ended.

use std::sync::Arc;
use std::time::Instant;

use hubferry_actions::{ObjectType, RecordRef, Work};
use hubferry_event::{IdentityKey, IdentityKeys};
use hubferry_memory::LinkOrigin;
use smallvec::SmallVec;

use super::fitting::Fitting;
use super::follow::Follow;
use super::{DeliveryNode, DeliverySlot, Job, Scheduler, Todo};
use crate::admission::{Admission, Delivery};
use crate::ending::{Ended, Ending, SkipReason};
use crate::lanes::EventSlot;

/// Contacts, companies, other records, occurrences: the order inside one event (fleet.md ii.2). A deletion comes last, so that
/// nothing of its own event makes the contact anew.
const RANKS: usize = 5;
const OCCURRENCES: usize = 3;
const DELETIONS: usize = 4;

pub(super) struct EventState {
    /// Deliveries whose step has not been submitted.
    waiting: SmallVec<[DeliverySlot; 2]>,
    /// Deliveries per rank whose record or occurrence is not done.
    undone: [u32; RANKS],
    /// Deliveries that have not ended.
    open: u32,
}

impl EventState {
    /// Forgets a delivery that was taken out; `rank` when its record was not done.
    pub(super) fn withdraw(&mut self, slot: DeliverySlot, rank: Option<usize>) {
        self.waiting.retain(|waiting| *waiting != slot);
        if let Some(rank) = rank {
            self.undone[rank] = self.undone[rank].saturating_sub(1);
        }
        self.open = self.open.saturating_sub(1);
    }
}

impl Scheduler {
    /// Takes an event in. Its deliveries end in their own time, see [`Scheduler::take_ended`].
    pub fn admit(&mut self, admission: Admission, now: Instant) {
        if admission.deliveries.is_empty() {
            return;
        }
        let (event, runs) = self.lanes.enter(&admission.keys);
        let mut state = EventState {
            waiting: SmallVec::new(),
            undone: [0; RANKS],
            open: 0,
        };
        let deletes = |delivery: &Delivery| matches!(delivery.plan.work, Work::Deletion(_));
        if admission.deliveries.iter().any(deletes) {
            self.lanes.bar(event);
        }
        for delivery in admission.deliveries {
            let slot = self.take_in(event, delivery, admission.origin.clone());
            state.undone[self.deliveries[slot.0].rank] += 1;
            state.open += 1;
            state.waiting.push(slot);
        }
        let waiting = state.waiting.clone();
        self.events.insert(event, state);
        if runs {
            self.todo.push_back(Todo::Start(event));
        } else if !self.lanes.is_barred(event) {
            for slot in waiting {
                self.join_early(slot, &admission.keys, now);
            }
        }
        self.settle_todo(now);
    }

    fn take_in(
        &mut self,
        event: EventSlot,
        delivery: Delivery,
        origin: Option<Arc<LinkOrigin>>,
    ) -> DeliverySlot {
        self.arrivals += 1;
        let plan = delivery.plan;
        let (rank, job, follow) = match plan.work {
            Work::Record(record) => {
                let record = *record;
                (
                    rank(&record.record.record.object),
                    Job::Record(Box::new(record.record)),
                    Follow::of(record.associate, record.links, record.membership),
                )
            }
            Work::Occurrence(step) => (
                OCCURRENCES,
                Job::Occurrence(Arc::from(step)),
                Follow::default(),
            ),
            Work::Deletion(step) => (DELETIONS, Job::Deletion(step), Follow::default()),
        };
        DeliverySlot(self.deliveries.insert(DeliveryNode {
            id: delivery.id,
            mapping: delivery.mapping,
            event,
            time: plan.time,
            arrival: self.arrivals,
            rank,
            policy: plan.policy,
            job,
            follow,
            fitting: Fitting::default(),
            written: None,
            merged: false,
            kept: false,
            submitted: false,
            stale: false,
            notes: Vec::new(),
            origin,
        }))
    }

    /// Lets a contact write of an event that has to wait join the step of the same contact that waits before it.
    ///
    /// Only when the contact's e-mail is one of the event's own keys: then the step before it belongs to an earlier event
    /// of the same lane, and what is between them is about other records. Not so where a deletion is between them: behind
    /// that nothing joins early.
    fn join_early(&mut self, slot: DeliverySlot, keys: &IdentityKeys, now: Instant) {
        let Job::Record(step) = &self.deliveries[slot.0].job else {
            return;
        };
        let record = &step.record;
        let own = record.object == ObjectType::contacts()
            && keys
                .iter()
                .any(|key| matches!(key, IdentityKey::Email(email) if **email == *record.value));
        if !own {
            return;
        }
        let record = record.clone();
        if self.fits_already(slot, now) && self.join_waiting(slot, now) {
            self.deliveries[slot.0].submitted = true;
        } else {
            self.early.entry(record).or_default().push(slot);
        }
    }

    /// A step on this record takes values: those that wait for their turn join it now.
    pub(super) fn pull_early(&mut self, record: &RecordRef, now: Instant) {
        let Some(waiting) = self.early.remove(record) else {
            return;
        };
        let mut left = Vec::new();
        for slot in waiting {
            if self.fits_already(slot, now) && self.join_waiting(slot, now) {
                self.deliveries[slot.0].submitted = true;
            } else {
                left.push(slot);
            }
        }
        if !left.is_empty() {
            self.early.insert(record.clone(), left);
        }
    }

    /// A delivery's turn has come, or it was taken out: it does not wait for a step to join any more.
    pub(super) fn not_early(&mut self, slot: DeliverySlot, record: &RecordRef) {
        let Some(waiting) = self.early.get_mut(record) else {
            return;
        };
        waiting.retain(|early| *early != slot);
        if waiting.is_empty() {
            self.early.remove(record);
        }
    }

    /// Submits what is due in an event: the lowest rank that is not done.
    pub(super) fn advance(&mut self, event: EventSlot) {
        if !self.lanes.runs(event) {
            return;
        }
        let Some(state) = self.events.get_mut(&event) else {
            return;
        };
        if state.open == 0 {
            self.leave(event);
            return;
        }
        let Some(due) = state.undone.iter().position(|n| *n > 0) else {
            return;
        };
        for slot in std::mem::take(&mut state.waiting) {
            let delivery = &mut self.deliveries[slot.0];
            if delivery.submitted {
                continue;
            }
            if delivery.rank == due {
                delivery.submitted = true;
                self.todo.push_back(Todo::Submit(slot));
            } else {
                state.waiting.push(slot);
            }
        }
    }

    /// A delivery's record or occurrence is done: it was written, skipped or refused for good.
    pub(super) fn record_done(&mut self, slot: DeliverySlot, now: Instant) {
        let delivery = &mut self.deliveries[slot.0];
        let (event, rank) = (delivery.event, delivery.rank);
        if let Some(state) = self.events.get_mut(&event) {
            state.undone[rank] = state.undone[rank].saturating_sub(1);
        }
        // Whoever said that there is no record has said how the delivery ends.
        if let Some(from) = delivery.written.clone() {
            self.start_following(slot, &from, now);
        }
        self.todo.push_back(Todo::Start(event));
    }

    /// How a delivery ends whose record is written, or was there, and that wanted nothing else.
    pub(super) fn end_alone(&mut self, slot: DeliverySlot) {
        let delivery = &mut self.deliveries[slot.0];
        let notes = std::mem::take(&mut delivery.notes);
        let ending = if delivery.kept {
            Ending::Skipped(SkipReason::Exists)
        } else if delivery.stale {
            Ending::Skipped(SkipReason::Stale)
        } else if delivery.merged {
            Ending::Merged
        } else {
            Ending::Delivered { notes }
        };
        self.end_after_waiting(slot, ending);
    }

    /// Ends a delivery whose record was not written.
    pub(super) fn end_without_record(&mut self, slot: DeliverySlot, ending: Ending) {
        self.deliveries[slot.0].written = None;
        self.deliveries[slot.0].follow = Follow::default();
        self.todo.push_back(Todo::RecordDone(slot));
        self.todo.push_back(Todo::End(slot, ending));
    }

    pub(super) fn end(&mut self, slot: DeliverySlot, ending: Ending) {
        let delivery = self.deliveries.remove(slot.0);
        let record = match (delivery.job, delivery.written) {
            (Job::Record(step), Some(id)) => Some((step.record.object, id)),
            _ => None,
        };
        self.ended.push(Ended {
            delivery: delivery.id,
            ending,
            record,
        });
        if let Some(state) = self.events.get_mut(&delivery.event) {
            // One that joined an earlier event's step may end before the turn of its own event.
            state.waiting.retain(|waiting| *waiting != slot);
            state.open -= 1;
            if state.open == 0 && self.lanes.runs(delivery.event) {
                self.leave(delivery.event);
            }
        }
    }

    fn leave(&mut self, event: EventSlot) {
        self.events.remove(&event);
        for next in self.lanes.leave(event) {
            self.todo.push_back(Todo::Start(next));
        }
    }
}

fn rank(object: &ObjectType) -> usize {
    match object.as_str() {
        "contacts" => 0,
        "companies" => 1,
        _ => 2,
    }
}
