//! Targets: the named records that associations go to.
//!
//! Each is looked for once, however many want it: in what this worker knows, in a step that writes it at this moment, in the
//! fleet's memory, and last by a batch read, a search, or by making it with nothing but its id.

use std::time::Instant;

use hubferry_actions::{
    AssociationType, Existing, LinkChange, Person, RecordId, RecordRef, RecordStep, Target,
    WhenFound, WhenMissing,
};
use hubferry_hubspot::{Code, ErrorClass, Found, Rejection, StepId};
use hubferry_memory::{Finding, Inquiry};
use rustc_hash::FxHashMap;

use super::follow::Followed;
use super::links::{End, Wished};
use super::step::{State, Step, StepKind};
use super::verdicts::plain;
use super::{Asker, DeliverySlot, Scheduler, Todo};
use crate::ending::{Note, Stage};

/// The targets that are being looked for.
#[derive(Default)]
pub(super) struct Targets {
    open: FxHashMap<Target, StepId>,
}

/// Looks for one target.
pub(super) struct TargetWork {
    pub(super) target: Target,
    pub(super) wishes: Vec<TargetWish>,
}

/// What a delivery wishes for once the target is found.
#[derive(Clone)]
pub(super) struct TargetWish {
    pub(super) slot: DeliverySlot,
    pub(super) from: End,
    pub(super) change: LinkChange,
    pub(super) kind: AssociationType,
    pub(super) wished: Wished,
    /// An end was gone once already.
    pub(super) again: bool,
}

impl TargetWork {
    /// Whether it is found by its values, not by a unique property.
    pub(super) fn is_searched(&self) -> bool {
        matches!(self.target.existing, Existing::SearchAlone(_))
    }
}

impl Scheduler {
    /// Finds the other end of an association.
    pub(super) fn find_target(&mut self, target: Target, wish: TargetWish, now: Instant) {
        if let Some(id) = self.known_id(&target.record) {
            return self.link_to(&target, &id, wish, now);
        }
        if let Some(&open) = self.targets.open.get(&target)
            && let Some(work) = self.target_work(open)
        {
            work.wishes.push(wish);
            return;
        }
        let step = self.add_step(StepKind::Target(Box::new(TargetWork {
            target: target.clone(),
            wishes: vec![wish],
        })));
        self.targets.open.insert(target.clone(), step);
        if self.await_chain(&target.record, step) {
            return;
        }
        self.set_state(step, State::Asking);
        self.ask(
            Asker::Target(step),
            Inquiry::FindRecord {
                record: target.record,
            },
        );
    }

    /// Waits for the step that writes the target at this moment, if there is one.
    fn await_chain(&mut self, record: &RecordRef, step: StepId) -> bool {
        let Some(last) = self.last_of_chain(record) else {
            return false;
        };
        self.set_state(step, State::Blocked);
        if let Some(work) = self.record_work(last) {
            work.wanted_by.push(step);
        }
        true
    }

    /// The fleet's memory has answered.
    pub(super) fn target_looked_up(&mut self, step: StepId, finding: &Finding, now: Instant) {
        let Some(work) = self.target_work(step) else {
            return;
        };
        if let Finding::Record(Some(id)) = finding {
            let (record, id) = (work.target.record.clone(), id.clone());
            self.known.put(record, id.clone());
            return self.target_found(step, &id, now);
        }
        self.seek_target(step);
    }

    /// Nobody knows the target: HubSpot is asked.
    pub(super) fn seek_target(&mut self, step: StepId) {
        let Some(work) = self.target_work(step) else {
            return;
        };
        let creates = work.target.when_missing == WhenMissing::Create && !work.is_searched();
        let bare = bare_record(&work.target);
        if self.await_chain(&bare.record, step) {
            return;
        }
        if creates {
            self.set_state(step, State::Blocked);
            self.open_wanted(&bare, step);
        } else {
            self.set_state(step, State::Chained);
            self.todo.push_back(Todo::Ready(step));
        }
    }

    /// HubSpot has answered.
    pub(super) fn target_read(&mut self, step: StepId, found: &[Found], now: Instant) {
        let Some(work) = self.target_work(step) else {
            return;
        };
        match found {
            [one] => {
                let record = work.target.record.clone();
                self.known.put(record.clone(), one.id.clone());
                self.ask(
                    Asker::Nobody,
                    Inquiry::KeepRecord {
                        record,
                        id: one.id.clone(),
                    },
                );
                self.target_found(step, &one.id, now);
            }
            [] => {
                for wish in self.close_target(step) {
                    self.followed(wish.slot, Followed::Noted(Note::MissingTarget), now);
                }
            }
            [_, _, ..] => {
                let matches = found.len();
                let rejection = Rejection {
                    message: format!(
                        "{matches} records match the search fields of the association's other end; the record itself is \
                         written; match by a unique property, or merge them in HubSpot, then replay"
                    ),
                    ..plain(Code::AssociationNotUnique, ErrorClass::Input)
                };
                self.target_refused(step, &rejection, now);
            }
        }
    }

    pub(super) fn target_found(&mut self, step: StepId, id: &RecordId, now: Instant) {
        let Some(target) = self.target_work(step).map(|work| work.target.clone()) else {
            return;
        };
        for wish in self.close_target(step) {
            self.link_to(&target, id, wish, now);
        }
    }

    /// The target cannot be found or made: the records stay without it.
    pub(super) fn target_refused(&mut self, step: StepId, rejection: &Rejection, now: Instant) {
        let attempts = self.attempts_of(step);
        for wish in self.close_target(step) {
            let refused = Followed::refused(rejection, Stage::Association, attempts);
            self.followed(wish.slot, refused, now);
        }
    }

    /// Takes a target's step out; returns who waited for it.
    pub(super) fn close_target(&mut self, step: StepId) -> Vec<TargetWish> {
        let Some(Step {
            kind: StepKind::Target(work),
            ..
        }) = self.steps.remove(&step)
        else {
            return Vec::new();
        };
        self.targets.open.remove(&work.target);
        work.wishes
    }

    pub(super) fn target_work(&mut self, step: StepId) -> Option<&mut TargetWork> {
        match self.steps.get_mut(&step) {
            Some(Step {
                kind: StepKind::Target(work),
                ..
            }) => Some(work),
            _ => None,
        }
    }
}

/// A target with nothing but its id.
pub(super) fn bare_record(target: &Target) -> RecordStep {
    RecordStep {
        record: target.record.clone(),
        properties: Vec::new(),
        existing: target.existing.clone(),
        when_missing: target.when_missing,
        when_found: WhenFound::Write,
        stage: None,
        person: Person::new(),
        needs: None,
        creation: None,
    }
}
