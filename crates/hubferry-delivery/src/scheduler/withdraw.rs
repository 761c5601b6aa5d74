//! Withdrawal: deliveries of a partition that is being let go are taken out, unless they are on the wire.

use std::time::Instant;

use hubferry_hubspot::StepId;
use rustc_hash::FxHashSet;

use super::step::{Phase, State, Step, StepKind};
use super::{DeliverySlot, Scheduler, Todo};
use crate::admission::DeliveryId;
use crate::coalesce::{Part, compose};
use crate::ending::{Ended, Ending};
use crate::lanes::EventSlot;

/// What is taken out, and of which stage.
#[derive(Default)]
struct Out {
    before_record: Vec<DeliverySlot>,
    before_association: Vec<DeliverySlot>,
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
        let mut out = Out::default();
        let mut in_steps: FxHashSet<DeliverySlot> = FxHashSet::default();
        for step in steps {
            self.take_out_of_step(step, &wanted, &mut in_steps, &mut out);
        }
        let steps = &self.steps;
        self.queues.retain(|step| steps.contains_key(&step));
        let waiting = wanted.iter().filter(|slot| !in_steps.contains(slot));
        out.before_record.extend(waiting.copied());
        out.before_record.sort_unstable();
        for slot in out.before_record {
            self.withdrawn(slot, true);
        }
        for slot in out.before_association {
            self.withdrawn(slot, false);
        }
        self.settle_todo(now);
    }

    fn take_out_of_step(
        &mut self,
        id: StepId,
        wanted: &FxHashSet<DeliverySlot>,
        in_steps: &mut FxHashSet<DeliverySlot>,
        out: &mut Out,
    ) {
        let Some(Step { kind, state, .. }) = self.steps.get_mut(&id) else {
            return;
        };
        match kind {
            StepKind::Record(work) => {
                in_steps.extend(
                    work.parts
                        .iter()
                        .chain(&work.riders)
                        .map(|part| part.delivery),
                );
                let unsent = matches!(
                    work.phase,
                    Phase::Read | Phase::Search | Phase::Upsert | Phase::Update(_)
                );
                if *state == State::OnWire || !unsent {
                    return;
                }
                let gone: Vec<Part> = work
                    .parts
                    .extract_if(.., |part| wanted.contains(&part.delivery))
                    .collect();
                let record = work.record.clone();
                let left = work.parts.is_empty() && work.wanted_by.is_empty();
                if work.tried && !gone.is_empty() {
                    // It may have been written although HubSpot did not say so. Nothing older may follow it, that would put
                    // back in time what stands there; whoever delivers the newer event next writes it.
                    self.recent.doubt(&record, &compose(&gone));
                    for part in &mut work.parts {
                        self.recent.drop_superseded(&record, part);
                    }
                }
                out.before_record
                    .extend(gone.iter().map(|part| part.delivery));
                if left {
                    self.close_record_step(id, &record);
                }
            }
            StepKind::Associate(work) => {
                in_steps.extend(work.deliveries.iter().copied());
                if !matches!(state, State::Ready | State::Backoff | State::Held) {
                    return;
                }
                let (gone, kept): (Vec<_>, Vec<_>) = work
                    .deliveries
                    .iter()
                    .partition(|slot| wanted.contains(slot));
                work.deliveries = kept.into_iter().collect();
                out.before_association.extend(gone);
                if work.deliveries.is_empty() && work.links.is_empty() {
                    self.close_association(id);
                }
            }
            StepKind::CreateProperty(_) => (),
        }
    }

    fn withdrawn(&mut self, slot: DeliverySlot, record_open: bool) {
        let Some(delivery) = self.deliveries.try_remove(slot.0) else {
            return;
        };
        let event: EventSlot = delivery.event;
        self.not_early(slot, &delivery.record.record);
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
