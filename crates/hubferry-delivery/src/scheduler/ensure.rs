//! Properties that have to exist before a step can be sent: made once per fleet, awaited by everybody else.

use std::time::{Duration, Instant};

use hubferry_actions::{ObjectType, PropertyDefinition, PropertyName};
use hubferry_hubspot::{Code, ErrorClass, Hold, Rejection, StepId};
use hubferry_memory::{EnsureKey, EnsureState, Finding, Inquiry};
use rustc_hash::FxHashMap;

use super::step::{State, StepKind};
use super::{Asker, Scheduler, Todo};
use crate::ending::Stage;

/// One property that steps wait for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct EnsureId(usize);

#[derive(Default)]
pub(super) struct Ensures {
    list: Vec<Ensure>,
    by_name: FxHashMap<(ObjectType, PropertyName), EnsureId>,
}

struct Ensure {
    definition: PropertyDefinition,
    progress: Progress,
    waiting: Vec<StepId>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Nobody has asked yet.
    Unknown,
    /// The fleet's memory is asked who makes it.
    Asking,
    /// Another worker makes it; asked again then.
    Elsewhere(Instant),
    /// This worker makes it.
    Making,
    /// It is there.
    There,
}

/// How often a worker looks whether another one has made the property.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

impl Ensures {
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.list
            .iter()
            .filter_map(|e| match e.progress {
                Progress::Elsewhere(at) => Some(at),
                _ => None,
            })
            .min()
    }

    fn id(&mut self, definition: &PropertyDefinition) -> EnsureId {
        let name = (definition.object.clone(), definition.name.clone());
        if let Some(&id) = self.by_name.get(&name) {
            return id;
        }
        let id = EnsureId(self.list.len());
        self.list.push(Ensure {
            definition: definition.clone(),
            progress: Progress::Unknown,
            waiting: Vec::new(),
        });
        self.by_name.insert(name, id);
        id
    }
}

impl Scheduler {
    /// Whether a step has to wait for a property; it is put in line when it has.
    pub(super) fn must_wait_for_property(&mut self, step: StepId) -> bool {
        let Some(definition) = self.record_work(step).and_then(|work| work.needs.clone()) else {
            return false;
        };
        let id = self.ensures.id(&definition);
        let ensure = &mut self.ensures.list[id.0];
        if ensure.progress == Progress::There {
            return false;
        }
        ensure.waiting.push(step);
        if ensure.progress == Progress::Unknown {
            self.claim(id);
        }
        if let Some(step) = self.steps.get_mut(&step) {
            step.state = State::Blocked;
        }
        true
    }

    fn claim(&mut self, id: EnsureId) {
        let ensure = &mut self.ensures.list[id.0];
        ensure.progress = Progress::Asking;
        let what = key_of(&ensure.definition);
        self.ask(Asker::Ensure(id), Inquiry::ClaimEnsure { what });
    }

    /// The memory says who makes the property.
    pub(super) fn ensure_claimed(&mut self, id: EnsureId, finding: Finding, now: Instant) {
        match finding {
            Finding::Ensure(EnsureState::Done) => self.property_is_there(id),
            Finding::Ensure(EnsureState::Claimed) => self.make_property(id),
            _ => self.ensures.list[id.0].progress = Progress::Elsewhere(now + LOOK_AGAIN),
        }
    }

    fn make_property(&mut self, id: EnsureId) {
        self.ensures.list[id.0].progress = Progress::Making;
        let step = self.add_step(StepKind::CreateProperty(id));
        self.todo.push_back(Todo::Ready(step));
    }

    /// Asks again about properties that other workers were making.
    pub(super) fn ensure_again(&mut self, now: Instant) {
        for n in 0..self.ensures.list.len() {
            if matches!(self.ensures.list[n].progress, Progress::Elsewhere(at) if at <= now) {
                self.claim(EnsureId(n));
            }
        }
    }

    /// HubSpot has the property.
    pub(super) fn property_made(&mut self, step: StepId) {
        let Some(done) = self.steps.remove(&step) else {
            return;
        };
        if let StepKind::CreateProperty(id) = done.kind {
            let what = key_of(&self.ensures.list[id.0].definition);
            self.ask(Asker::Nobody, Inquiry::EnsureDone { what });
            self.property_is_there(id);
        }
    }

    fn property_is_there(&mut self, id: EnsureId) {
        let ensure = &mut self.ensures.list[id.0];
        ensure.progress = Progress::There;
        for step in std::mem::take(&mut ensure.waiting) {
            self.todo.push_back(Todo::Ready(step));
        }
    }

    /// HubSpot refuses the property: who needs it cannot be delivered.
    pub(super) fn ensure_refused(&mut self, step: StepId, rejection: &Rejection) {
        let attempts = self.attempts_of(step);
        let Some(refused) = self.steps.remove(&step) else {
            return;
        };
        let StepKind::CreateProperty(id) = refused.kind else {
            return;
        };
        let ensure = &mut self.ensures.list[id.0];
        ensure.progress = Progress::Unknown;
        let rejection = Rejection {
            code: Code::PropertyMissing,
            class: ErrorClass::Mapping,
            property: Some(ensure.definition.name.clone()),
            ..rejection.clone()
        };
        for waiting in std::mem::take(&mut ensure.waiting) {
            let Some(work) = self.record_work(waiting) else {
                continue;
            };
            let record = work.record.clone();
            for part in std::mem::take(&mut work.parts) {
                self.die(part.delivery, &rejection, Stage::Ensure, attempts);
            }
            self.close_record_step(waiting, &record);
        }
    }

    /// When HubSpot does not know a property that we believe to be there, it is made anew, once per step.
    pub(super) fn ensure_anew(&mut self, step: StepId, rejection: &Rejection) -> bool {
        let Some(needs) = self.needs_of(step) else {
            return false;
        };
        let missing = rejection.code == Code::PropertyMissing
            && rejection.property.as_ref() == Some(&needs.name);
        missing && self.make_anew(step, &needs)
    }

    /// Asked to find records by a property that does not exist, HubSpot calls it not unique: the property is made anew, once
    /// per step, before that counts as a mistake in the configuration.
    pub(super) fn ensure_before_hold(&mut self, step: StepId, reason: &Hold) -> bool {
        let Hold::Config { message } = reason else {
            return false;
        };
        let Some(needs) = self.needs_of(step) else {
            return false;
        };
        message.contains(needs.name.as_str()) && self.make_anew(step, &needs)
    }

    fn needs_of(&mut self, step: StepId) -> Option<PropertyDefinition> {
        self.record_work(step).and_then(|work| work.needs.clone())
    }

    fn make_anew(&mut self, step: StepId, needs: &PropertyDefinition) -> bool {
        let Some(work) = self.record_work(step) else {
            return false;
        };
        if work.ensured_again {
            return false;
        }
        work.ensured_again = true;
        let id = self.ensures.id(needs);
        let ensure = &mut self.ensures.list[id.0];
        ensure.waiting.push(step);
        let believed = ensure.progress == Progress::There;
        self.set_state(step, State::Blocked);
        if believed {
            self.make_property(id);
        }
        true
    }

    /// Who waits for the property that this step makes.
    pub(super) fn waiting_for(&self, id: EnsureId) -> &[StepId] {
        &self.ensures.list[id.0].waiting
    }

    pub(super) fn definition_of(&self, id: EnsureId) -> &PropertyDefinition {
        &self.ensures.list[id.0].definition
    }
}

fn key_of(definition: &PropertyDefinition) -> EnsureKey {
    EnsureKey::Property {
        object: definition.object.clone(),
        name: definition.name.clone(),
    }
}
