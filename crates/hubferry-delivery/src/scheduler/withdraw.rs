//! Withdrawal: deliveries of a partition that is being let go are taken out, unless they are on the wire.

use std::time::Instant;

use hubferry_hubspot::StepId;
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use super::links::{LinkWaiter, LinkWork};
use super::step::{State, Step, StepKind};
use super::{DeliverySlot, Job, Scheduler, Todo};
use crate::admission::DeliveryId;
use crate::coalesce::{Part, compose};
use crate::ending::{Ended, Ending};
use crate::lanes::EventSlot;

/// What is taken out.
#[derive(Default)]
struct Out {
    /// Deliveries whose record or occurrence is not done.
    before: Vec<DeliverySlot>,
    /// Deliveries that stand in a step of their record or occurrence, taken out or not.
    in_steps: FxHashSet<DeliverySlot>,
}

impl Scheduler {
    /// Takes these deliveries out. Those with a step on the wire, or with half of their writes made, go on and end as they
    /// would have; all others end [`Ending::Withdrawn`] and nothing more is sent for them.
    pub fn withdraw(&mut self, ids: &FxHashSet<DeliveryId>, now: Instant) {
        let wanted: FxHashSet<DeliverySlot> = self
            .deliveries
            .iter()
            .filter(|(_, d)| ids.contains(&d.id))
            .map(|(slot, _)| DeliverySlot(slot))
            .collect();
        let mut steps: Vec<StepId> = self.steps.keys().copied().collect();
        // In the order of their making, so that what follows is the same every time.
        steps.sort_unstable();
        let mut after = self.can_stop_following(&wanted, &steps);
        let mut out = Out::default();
        for step in &steps {
            self.take_out_of_step(*step, &wanted, &mut out);
        }
        for step in &steps {
            self.take_out_of_following(*step, &after);
        }
        let queued = &self.steps;
        self.queues.retain(|step| queued.contains_key(&step));
        let following = |slot: &DeliverySlot| self.deliveries[slot.0].follow.open() > 0;
        let waiting = wanted
            .iter()
            .filter(|slot| !out.in_steps.contains(slot) && !following(slot));
        out.before.extend(waiting.copied());
        out.before.sort_unstable();
        after.sort_unstable();
        self.waits_no_more(|slot| out.before.contains(&slot));
        for slot in out.before {
            self.withdrawn(slot, true);
        }
        for slot in after {
            self.withdrawn(slot, false);
        }
        self.settle_todo(now);
    }

    /// The deliveries whose record is written and of which nothing that follows is on its way.
    fn can_stop_following(
        &self,
        wanted: &FxHashSet<DeliverySlot>,
        steps: &[StepId],
    ) -> Vec<DeliverySlot> {
        let mut resting: FxHashMap<DeliverySlot, u32> = FxHashMap::default();
        for step in steps.iter().filter_map(|step| self.steps.get(step)) {
            if !matches!(step.state, State::Ready | State::Backoff | State::Held) {
                continue;
            }
            let mut count = |slot: DeliverySlot| *resting.entry(slot).or_default() += 1;
            match &step.kind {
                StepKind::Associate(work) => {
                    let slots = work.deliveries.iter().chain(&work.behind);
                    slots.copied().for_each(count);
                }
                StepKind::Target(work) => work.wishes.iter().for_each(|wish| count(wish.slot)),
                StepKind::Link(work) => {
                    work.slots().for_each(&mut count);
                    self.associating(work).for_each(count);
                }
                StepKind::Member(work) => work.slots().for_each(count),
                StepKind::Record(_)
                | StepKind::Occurrence(_)
                | StepKind::Deletion(_)
                | StepKind::Ensure(_)
                | StepKind::Fact(_) => (),
            }
        }
        let rests = |slot: &&DeliverySlot| {
            let open = self.deliveries[slot.0].follow.open();
            open > 0 && resting.get(slot) == Some(&open)
        };
        wanted.iter().filter(rests).copied().collect()
    }

    /// The deliveries whose association with a contact stands in a link, or that wait for it.
    fn associating<'a>(&'a self, work: &'a LinkWork) -> impl Iterator<Item = DeliverySlot> + 'a {
        work.associations()
            .filter_map(|step| match self.steps.get(&step).map(|s| &s.kind) {
                Some(StepKind::Associate(work)) => Some(work),
                _ => None,
            })
            .flat_map(|work| work.deliveries.iter().chain(&work.behind))
            .copied()
    }

    fn take_out_of_step(&mut self, id: StepId, wanted: &FxHashSet<DeliverySlot>, out: &mut Out) {
        let Some(Step { kind, state, .. }) = self.steps.get_mut(&id) else {
            return;
        };
        match kind {
            StepKind::Record(work) => {
                let parts = work.parts.iter().chain(&work.riders);
                out.in_steps.extend(parts.map(|part| part.delivery));
                let unsent = work.phase.looks() || work.phase.writes();
                if *state == State::OnWire || !unsent {
                    return;
                }
                let gone: Vec<Part> = work
                    .parts
                    .extract_if(.., |part| wanted.contains(&part.delivery))
                    .collect();
                let record = work.record.clone();
                let left = work.parts.is_empty() && work.wanted_by.is_empty();
                let riders = if left {
                    std::mem::take(&mut work.riders)
                } else {
                    Vec::new()
                };
                if work.tried && !gone.is_empty() {
                    // It may have been written although HubSpot did not say so. Nothing older may follow it, that would put
                    // back in time what stands there; whoever delivers the newer event next writes it.
                    self.recent.doubt(&record, &compose(&gone));
                    for part in &mut work.parts {
                        self.recent.drop_superseded(&record, part);
                    }
                }
                out.before.extend(gone.iter().map(|part| part.delivery));
                // Who rode along goes on, or out, by itself.
                for part in riders {
                    if wanted.contains(&part.delivery) {
                        out.before.push(part.delivery);
                    } else {
                        self.put_back(part);
                    }
                }
                if left {
                    self.close_record_step(id, &record);
                }
            }
            StepKind::Occurrence(work) => {
                let slot = work.slot;
                out.in_steps.insert(slot);
                if *state != State::OnWire && wanted.contains(&slot) {
                    out.before.push(slot);
                    self.steps.remove(&id);
                }
            }
            StepKind::Deletion(work) => {
                let slot = work.slot;
                out.in_steps.insert(slot);
                let unsent = *state != State::OnWire && !work.is_done();
                if unsent && wanted.contains(&slot) {
                    out.before.push(slot);
                    self.steps.remove(&id);
                }
            }
            StepKind::Associate(_)
            | StepKind::Target(_)
            | StepKind::Link(_)
            | StepKind::Member(_)
            | StepKind::Ensure(_)
            | StepKind::Fact(_) => (),
        }
    }

    fn take_out_of_following(&mut self, id: StepId, gone: &[DeliverySlot]) {
        let is_gone = |slot: DeliverySlot| gone.contains(&slot);
        let mut forgotten: SmallVec<[StepId; 1]> = SmallVec::new();
        if let Some(StepKind::Link(work)) = self.steps.get(&id).map(|s| &s.kind) {
            let all_gone = |step: &StepId| match self.steps.get(step).map(|s| &s.kind) {
                Some(StepKind::Associate(work)) => {
                    work.links.is_empty() && work.deliveries.iter().all(|slot| is_gone(*slot))
                }
                _ => false,
            };
            forgotten.extend(work.associations().filter(all_gone));
        }
        let Some(Step { kind, state, .. }) = self.steps.get_mut(&id) else {
            return;
        };
        match kind {
            StepKind::Associate(work) => {
                work.deliveries.retain(|slot| !is_gone(*slot));
                work.behind.retain(|slot| !is_gone(*slot));
                // One that stands in a link is forgotten with that.
                if work.deliveries.is_empty() && work.links.is_empty() && work.to.is_none() {
                    self.steps.remove(&id);
                }
            }
            StepKind::Target(work) => {
                work.wishes.retain(|wish| !is_gone(wish.slot));
                if work.wishes.is_empty() {
                    self.close_target(id);
                }
            }
            StepKind::Link(work) => {
                let unwanted = |waiter: &LinkWaiter| match waiter {
                    LinkWaiter::Delivery { slot, .. } => is_gone(*slot),
                    LinkWaiter::Association(step) => forgotten.contains(step),
                };
                let had = !work.wishes.is_empty();
                work.forget(unwanted);
                if had && work.wishes.is_empty() {
                    // Its place in line was for what nobody wants any more.
                    if *state == State::Ready {
                        *state = State::Chained;
                    }
                    self.next_links(id);
                }
                for association in forgotten {
                    self.steps.remove(&association);
                }
            }
            StepKind::Member(work) => {
                if !work.forget(is_gone) {
                    self.next_membership(id);
                }
            }
            StepKind::Record(_)
            | StepKind::Occurrence(_)
            | StepKind::Deletion(_)
            | StepKind::Ensure(_)
            | StepKind::Fact(_) => (),
        }
    }

    fn withdrawn(&mut self, slot: DeliverySlot, record_open: bool) {
        let Some(delivery) = self.deliveries.try_remove(slot.0) else {
            return;
        };
        let event: EventSlot = delivery.event;
        if let Job::Record(step) = &delivery.job {
            self.not_early(slot, &step.record);
        }
        self.ended.push(Ended {
            delivery: delivery.id,
            ending: Ending::Withdrawn,
            record: None,
        });
        let Some(state) = self.events.get_mut(&event) else {
            return;
        };
        state.withdraw(slot, record_open.then_some(delivery.rank));
        self.todo.push_back(Todo::Start(event));
    }
}
