//! Records that associations wait for: brought by a step that writes them anyway, or by one of their own.

use std::time::Instant;

use hubferry_actions::{RecordId, RecordStep};
use hubferry_hubspot::{Rejection, StepId};

use super::associations::bare_of;
use super::records::new_work;
use super::step::StepKind;
use super::{Scheduler, Todo};

impl Scheduler {
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

    /// A record that an association waited for is there.
    pub(super) fn wanted_is_there(&mut self, waiter: StepId, id: &RecordId, now: Instant) {
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

    /// Nothing is left in a step; who waits for its record makes it without it.
    pub(super) fn give_back_wanted(&mut self, step: StepId) {
        let work = self.record_work_mut(step);
        let record = work.record.clone();
        let wanted_by = std::mem::take(&mut work.wanted_by);
        self.close_record_step(step, &record);
        for waiter in wanted_by {
            self.want_again(waiter);
        }
    }
}
