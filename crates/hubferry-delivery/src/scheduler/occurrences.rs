//! Occurrences: what happened, sent in batches, never coalesced, in the order of each person's lane.
//!
//! The definition is known first, and made or completed where the mapping wants that. HubSpot counts equal `uuid`s once, so a
//! send that may have arrived is repeated without harm.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hubferry_actions::{
    EventDefinition, EventPropertyDefinition, FittedOccurrence, MAX_EVENT_PROPERTIES, ObjectType,
    OccurrenceStep, WhenUndefined, fit_occurrence,
};
use hubferry_hubspot::{Code, ErrorClass, OccurrenceInput, Rejection, StepId};
use hubferry_memory::FactKey;

use super::ensure::{NewDefinition, Piece};
use super::facts::{Known, Need, Waiter};
use super::fitting::{ROUNDS, rejection_of};
use super::step::{Step, StepKind};
use super::verdicts::plain;
use super::{DeliverySlot, Job, Scheduler, Todo};
use crate::ending::{Ending, Note, Stage};

/// Sends one occurrence.
pub(super) struct OccurrenceWork {
    pub(super) slot: DeliverySlot,
    step: Arc<OccurrenceStep>,
    fitted: FittedOccurrence,
    /// What it was fitted to.
    definition: Arc<EventDefinition>,
}

/// How long to wait, at least, for HubSpot to accept a definition that was just made.
const SETTLE: Duration = Duration::from_secs(2);

impl Scheduler {
    /// A delivery's occurrence is due.
    pub(super) fn submit_occurrence(&mut self, slot: DeliverySlot, now: Instant) {
        let Some(Job::Occurrence(step)) = self.deliveries.get(slot.0).map(|d| &d.job) else {
            return;
        };
        let step = Arc::clone(step);
        let key = FactKey::Definition(step.event.clone());
        match self.fact(&key, Need::Plain, Waiter::Delivery(slot), now) {
            None => (),
            Some(Known::Definition(definition)) => {
                self.fit_occurrence(slot, step, definition, now);
            }
            Some(_) => self.define(slot, &step, now),
        }
    }

    fn fit_occurrence(
        &mut self,
        slot: DeliverySlot,
        step: Arc<OccurrenceStep>,
        definition: Arc<EventDefinition>,
        now: Instant,
    ) {
        let fitting = &mut self.deliveries[slot.0].fitting;
        if let Some(refused) = fitting.refused_by.take()
            && refused.definition == definition
        {
            // Nothing has changed at HubSpot: what it said stands.
            return self.die(
                slot,
                &refused.rejection,
                Stage::Occurrence,
                refused.attempts,
            );
        }
        match fit_occurrence(&step, &definition, &self.deliveries[slot.0].policy) {
            Err(misfit) => {
                let (rejection, stage) = rejection_of(&misfit, Stage::Occurrence);
                self.die(slot, &rejection, stage, 0);
            }
            Ok(fitted) if fitted.create.is_empty() => {
                let dropped =
                    fitted
                        .dropped
                        .iter()
                        .map(|(property, reason)| Note::DroppedProperty {
                            property: property.clone(),
                            reason: reason.as_str(),
                        });
                self.deliveries[slot.0].notes = dropped.collect();
                let work = OccurrenceWork {
                    slot,
                    step,
                    fitted,
                    definition,
                };
                let step = self.add_step(StepKind::Occurrence(Box::new(work)));
                self.todo.push_back(Todo::Ready(step));
            }
            Ok(fitted) => {
                // By the name that the mapping says: under that the definition is known here.
                let missing = fitted.create.into_iter().map(|property| {
                    Piece::EventProperty(EventPropertyDefinition {
                        event: step.event.clone(),
                        ..property
                    })
                });
                self.await_pieces(slot, missing.collect(), now);
            }
        }
    }

    /// There is no such definition: it is made, or the delivery refused.
    fn define(&mut self, slot: DeliverySlot, step: &OccurrenceStep, now: Instant) {
        if step.definition.definition != WhenUndefined::Create {
            let rejection = Rejection {
                message: format!(
                    "there is no event definition `{}`; create it in HubSpot, or let the mapping create it, then replay",
                    step.event.as_str()
                ),
                ..plain(Code::DefinitionMissing, ErrorClass::Mapping)
            };
            return self.die(slot, &rejection, Stage::Ensure, 0);
        }
        // Whatever HubSpot refused, it was another definition.
        self.deliveries[slot.0].fitting.refused_by = None;
        let properties = step.properties.iter().take(MAX_EVENT_PROPERTIES);
        let definition = NewDefinition {
            event: step.event.clone(),
            object: step.object.clone(),
            properties: properties
                .map(|(name, value)| EventPropertyDefinition {
                    event: step.event.clone(),
                    name: name.clone(),
                    kind: value.kind(),
                })
                .collect(),
        };
        self.await_pieces(slot, vec![Piece::Definition(definition)], now);
    }

    fn await_pieces(&mut self, slot: DeliverySlot, missing: Vec<Piece>, now: Instant) {
        let fitting = &mut self.deliveries[slot.0].fitting;
        fitting.rounds += 1;
        if fitting.rounds > ROUNDS {
            let rejection = Rejection {
                message:
                    "the event definition was created, but HubSpot does not show it; replay later"
                        .to_owned(),
                ..plain(Code::DefinitionMissing, ErrorClass::Mapping)
            };
            return self.die(slot, &rejection, Stage::Ensure, 0);
        }
        fitting.open = u32::try_from(missing.len()).unwrap_or(u32::MAX);
        for piece in missing {
            self.await_missing(piece, Waiter::Delivery(slot), now);
        }
    }

    /// What is sent. When this worker knows the person's contact it is named by its id, so that HubSpot does not make another
    /// one of the e-mail.
    pub(super) fn occurrence_input(&mut self, step: StepId) -> Option<OccurrenceInput> {
        let StepKind::Occurrence(work) = &self.steps.get(&step)?.kind else {
            return None;
        };
        let what = &work.step;
        let of_contact = what.object == ObjectType::contacts();
        let object_id = match &what.object_id {
            Some(id) => Some(id.clone()),
            None if of_contact => self.people.find(&what.person),
            None => None,
        };
        Some(OccurrenceInput {
            step,
            event: Arc::clone(&work.fitted.event),
            object_id,
            email: what.email.clone(),
            utk: what.utk.clone(),
            occurred_at: what.occurred_at.clone(),
            properties: work.fitted.properties.clone(),
            uuid: Arc::clone(&what.uuid),
        })
    }

    /// HubSpot took it.
    pub(super) fn occurrence_sent(&mut self, step: StepId) {
        let Some(work) = self.take_occurrence(step) else {
            return;
        };
        let notes = std::mem::take(&mut self.deliveries[work.slot.0].notes);
        self.end_without_record(work.slot, Ending::Delivered { notes });
    }

    /// HubSpot refuses it: not yet ready for a definition that was just made, or of another mind than the definition that was
    /// read; else the refusal stands.
    pub(super) fn occurrence_refused(&mut self, step: StepId, rejection: &Rejection, now: Instant) {
        let Some(StepKind::Occurrence(work)) = self.steps.get(&step).map(|s| &s.kind) else {
            return;
        };
        let final_already = matches!(
            rejection.code,
            Code::RetriesExhausted | Code::Unaccounted | Code::TooLarge
        );
        let event = work.step.event.clone();
        if !final_already && self.ensures.is_settling(&event, now) {
            return self.try_again(step, Some(SETTLE), now);
        }
        let attempts = self.attempts_of(step);
        let Some(work) = self.take_occurrence(step) else {
            return;
        };
        let fitting = &mut self.deliveries[work.slot.0].fitting;
        if final_already || fitting.contradicted {
            return self.die(work.slot, rejection, Stage::Occurrence, attempts);
        }
        fitting.contradicted = true;
        fitting.refused_by = Some(Box::new(RefusedBy {
            rejection: rejection.clone(),
            definition: work.definition,
            attempts,
        }));
        self.forget_fact(&FactKey::Definition(event), now);
        self.todo.push_back(Todo::Submit(work.slot));
    }

    fn take_occurrence(&mut self, step: StepId) -> Option<OccurrenceWork> {
        match self.steps.remove(&step) {
            Some(Step {
                kind: StepKind::Occurrence(work),
                ..
            }) => Some(*work),
            _ => None,
        }
    }
}

/// A refusal, and the definition that had let it expect better.
pub(super) struct RefusedBy {
    rejection: Rejection,
    definition: Arc<EventDefinition>,
    attempts: u32,
}
