//! Facts: what the portal's schema says.
//!
//! Each part is read once, however many wait for it, and shared through the fleet's memory. It is believed for five minutes;
//! after that it is still used, and read anew behind. What HubSpot contradicts is forgotten at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hubferry_actions::{EventDefinition, ListInfo, ObjectProperties, ObjectType, Sensitivity};
use hubferry_hubspot::{Endpoint, Fact, Hold, Rejection, StepId};
use hubferry_memory::{FactKey, Finding, Inquiry};
use rustc_hash::FxHashMap;

use super::step::{Step, StepKind};
use super::{Asker, DeliverySlot, Scheduler, Todo};
use crate::ending::Stage;

/// How long a part is believed (actions.md §6.10).
const BELIEVED: Duration = Duration::from_mins(5);
/// How long it is believed that something does not exist: whoever makes it does not want to wait.
const BELIEVED_ABSENT: Duration = Duration::from_secs(30);

/// When more parts are known than this, those that nobody believes any more are forgotten: names may come from events.
const MANY: usize = 4_096;

#[derive(Default)]
pub(super) struct Facts {
    entries: FxHashMap<FactKey, Entry>,
}

#[derive(Default)]
struct Entry {
    known: Option<Known>,
    /// When the look-up began that brought it, or that is under way.
    since: Option<Instant>,
    loading: bool,
    /// It was forgotten while the look-up was under way: what that brings is of the past.
    outdated: bool,
    /// Sensitive properties are wanted too.
    sensitive: bool,
    waiting: Vec<Waiter>,
}

/// What is known of a part of the schema.
#[derive(Clone)]
pub(super) enum Known {
    Properties {
        schema: Arc<ObjectProperties>,
        /// Whether the sensitive ones were read too.
        sensitive: bool,
    },
    TypeId(Arc<str>),
    Definition(Arc<EventDefinition>),
    List(ListInfo),
    /// There is no such thing.
    Absent,
    /// The portal does not let it be read.
    Unreadable,
}

/// Who waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Waiter {
    Step(StepId),
    Delivery(DeliverySlot),
}

/// How much of it is needed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Need {
    Plain,
    /// The sensitive properties, too.
    Sensitive,
}

/// Reads a part of the schema.
pub(super) struct ReadFact {
    pub(super) key: FactKey,
    pub(super) sensitivity: Sensitivity,
    /// The plain properties, while the sensitive ones are read.
    plain: ObjectProperties,
}

impl ReadFact {
    pub(super) fn endpoint(&self) -> Endpoint {
        match &self.key {
            FactKey::Properties(object) => Endpoint::ReadProperties(object.clone()),
            FactKey::TypeId(_) => Endpoint::ReadObjectType,
            FactKey::Definition(_) => Endpoint::ReadEventDefinition,
            FactKey::List(_) => Endpoint::ReadList,
        }
    }
}

impl Known {
    fn meets(&self, need: Need) -> bool {
        !matches!(
            (self, need),
            (
                Self::Properties {
                    sensitive: false,
                    ..
                },
                Need::Sensitive
            )
        )
    }

    const fn believed(&self) -> Duration {
        match self {
            Self::Absent => BELIEVED_ABSENT,
            _ => BELIEVED,
        }
    }
}

impl Facts {
    /// What is known at this moment, whatever its age.
    pub(super) fn peek(&self, key: &FactKey) -> Option<&Known> {
        self.entries.get(key)?.known.as_ref()
    }

    fn prune(&mut self, now: Instant) {
        if self.entries.len() < MANY {
            return;
        }
        self.entries.retain(|_, entry| {
            let age = entry
                .since
                .map(|since| now.saturating_duration_since(since));
            let believed = entry.known.as_ref().map(Known::believed);
            entry.loading || !entry.waiting.is_empty() || age.is_some() && age <= believed
        });
    }

    pub(super) fn waiting(&self, key: &FactKey) -> &[Waiter] {
        self.entries.get(key).map_or(&[], |entry| &entry.waiting)
    }

    /// Takes out who does not wait any more.
    pub(super) fn forget_waiters(&mut self, gone: impl Fn(Waiter) -> bool) {
        for entry in self.entries.values_mut() {
            entry.waiting.retain(|waiter| !gone(*waiter));
        }
    }
}

impl Scheduler {
    /// What the schema says; `None` when it has to be found out first, then the waiter hears of it.
    pub(super) fn fact(
        &mut self,
        key: &FactKey,
        need: Need,
        waiter: Waiter,
        now: Instant,
    ) -> Option<Known> {
        if !self.facts.entries.contains_key(key) {
            self.facts.prune(now);
        }
        let entry = match self.facts.entries.get_mut(key) {
            Some(entry) => entry,
            None => self.facts.entries.entry(key.clone()).or_default(),
        };
        entry.sensitive |= need == Need::Sensitive;
        let known = entry.known.clone().filter(|known| known.meets(need));
        let old = match (&known, entry.since) {
            (Some(known), Some(since)) => now.saturating_duration_since(since) > known.believed(),
            _ => true,
        };
        let usable = known.filter(|known| !old || !matches!(known, Known::Absent));
        if usable.is_none() {
            entry.waiting.push(waiter);
        }
        if old && !entry.loading {
            entry.loading = true;
            entry.since = Some(now);
            let what = key.clone();
            self.ask(Asker::Fact(key.clone()), Inquiry::FindFact { what });
        }
        usable
    }

    /// HubSpot contradicted it, or it was changed: read anew by whoever needs it next.
    pub(super) fn forget_fact(&mut self, key: &FactKey, now: Instant) {
        let Some(entry) = self.facts.entries.get_mut(key) else {
            return;
        };
        if entry.loading {
            // A look-up that begins at this very moment is still to be sent.
            entry.outdated |= entry.since.is_some_and(|since| since < now);
            entry.known = None;
            return;
        }
        if entry.known.take().is_some() {
            let what = key.clone();
            self.ask(Asker::Nobody, Inquiry::ForgetFact { what });
        }
    }

    /// The fleet's memory has answered.
    pub(super) fn fact_found(&mut self, key: &FactKey, finding: Finding, now: Instant) {
        let found = match finding {
            Finding::Fact(Some(text)) => parse(key, &text),
            _ => None,
        };
        let Some(entry) = self.facts.entries.get_mut(key) else {
            return;
        };
        let need = if entry.sensitive {
            Need::Sensitive
        } else {
            Need::Plain
        };
        match found.filter(|known| known.meets(need) && !entry.outdated) {
            Some(known) => self.fact_known(key, known),
            None => self.read_fact(key, Sensitivity::Plain, ObjectProperties::default(), now),
        }
    }

    fn read_fact(
        &mut self,
        key: &FactKey,
        sensitivity: Sensitivity,
        plain: ObjectProperties,
        now: Instant,
    ) {
        if let Some(entry) = self.facts.entries.get_mut(key)
            && sensitivity == Sensitivity::Plain
        {
            entry.since = Some(now);
            entry.outdated = false;
        }
        let step = self.add_step(StepKind::Fact(Box::new(ReadFact {
            key: key.clone(),
            sensitivity,
            plain,
        })));
        self.todo.push_back(Todo::Ready(step));
    }

    /// HubSpot has answered.
    pub(super) fn fact_read(&mut self, step: StepId, fact: Fact, now: Instant) {
        let Some(ReadFact {
            key,
            sensitivity,
            mut plain,
        }) = self.take_fact(step)
        else {
            return;
        };
        let Some(entry) = self.facts.entries.get(&key) else {
            return;
        };
        if entry.outdated {
            return self.read_fact(&key, Sensitivity::Plain, ObjectProperties::default(), now);
        }
        let known = match fact {
            Fact::Properties(properties) => {
                plain.extend(properties);
                if entry.sensitive && sensitivity == Sensitivity::Plain {
                    return self.read_fact(&key, Sensitivity::Sensitive, plain, now);
                }
                Known::Properties {
                    schema: Arc::new(plain),
                    sensitive: sensitivity == Sensitivity::Sensitive,
                }
            }
            Fact::TypeId(id) => Known::TypeId(id),
            Fact::Definition(definition) => Known::Definition(Arc::new(definition)),
            Fact::List(info) => Known::List(info),
            // Writing to a type that does not exist is answered by a hold of its mapping.
            Fact::Absent if matches!(key, FactKey::Properties(_)) => Known::Unreadable,
            Fact::Absent => Known::Absent,
        };
        if let Some(text) = print(&known) {
            let what = key.clone();
            self.ask(Asker::Nobody, Inquiry::KeepFact { what, text });
        }
        self.fact_known(&key, known);
    }

    fn fact_known(&mut self, key: &FactKey, known: Known) {
        let Some(entry) = self.facts.entries.get_mut(key) else {
            return;
        };
        entry.known = Some(known);
        entry.loading = false;
        let waiting = std::mem::take(&mut entry.waiting);
        self.wake(waiting);
    }

    pub(super) fn wake(&mut self, waiting: Vec<Waiter>) {
        for waiter in waiting {
            self.todo.push_back(match waiter {
                Waiter::Step(step) => Todo::Ready(step),
                Waiter::Delivery(slot) => Todo::Submit(slot),
            });
        }
    }

    /// The portal does not let it be read. Properties are done without; for everything else who waits cannot go on.
    pub(super) fn fact_refused(&mut self, step: StepId, rejection: &Rejection, now: Instant) {
        let attempts = self.attempts_of(step);
        let Some(ReadFact {
            key,
            sensitivity,
            plain,
        }) = self.take_fact(step)
        else {
            return;
        };
        if let FactKey::Properties(object) = &key {
            return self.properties_refused(object, sensitivity, plain);
        }
        let Some(entry) = self.facts.entries.get_mut(&key) else {
            return;
        };
        entry.loading = false;
        for waiter in std::mem::take(&mut entry.waiting) {
            match waiter {
                Waiter::Step(step) => self.rejected(step, rejection.clone(), now),
                Waiter::Delivery(slot) => self.die(slot, rejection, Stage::Ensure, attempts),
            }
        }
    }

    fn properties_refused(
        &mut self,
        object: &ObjectType,
        sensitivity: Sensitivity,
        plain: ObjectProperties,
    ) {
        self.counts.schema_refused += 1;
        let key = FactKey::Properties(object.clone());
        let before = self.facts.peek(&key).cloned();
        let known = match (sensitivity, before) {
            (Sensitivity::Plain, Some(before)) => before,
            (Sensitivity::Plain, None) => Known::Unreadable,
            _ => Known::Properties {
                schema: Arc::new(plain),
                sensitive: true,
            },
        };
        self.fact_known(&key, known);
    }

    /// A read met a wall. Values go out as they are when the schema cannot be read, and what is read behind is not worth a
    /// hold; says whether that was it.
    pub(super) fn fact_before_hold(&mut self, step: StepId, reason: &Hold) -> bool {
        let Some(StepKind::Fact(read)) = self.steps.get(&step).map(|s| &s.kind) else {
            return false;
        };
        let key = read.key.clone();
        if matches!(reason, Hold::Auth { .. }) {
            return false;
        }
        if matches!(key, FactKey::Properties(_)) {
            if let (Some(read), FactKey::Properties(object)) = (self.take_fact(step), &key) {
                self.properties_refused(object, read.sensitivity, read.plain);
            }
            return true;
        }
        let Some(entry) = self.facts.entries.get_mut(&key) else {
            return false;
        };
        let nobody_waits = entry.waiting.is_empty();
        if nobody_waits {
            entry.loading = false;
            self.steps.remove(&step);
        }
        nobody_waits
    }

    fn take_fact(&mut self, step: StepId) -> Option<ReadFact> {
        match self.steps.remove(&step) {
            Some(Step {
                kind: StepKind::Fact(read),
                ..
            }) => Some(*read),
            _ => None,
        }
    }
}

/// A fact as the fleet's memory keeps it; what does not exist is not kept.
fn print(known: &Known) -> Option<Box<str>> {
    let text = match known {
        Known::Properties { schema, .. } => serde_json::to_string(&**schema),
        Known::TypeId(id) => serde_json::to_string(&**id),
        Known::Definition(definition) => serde_json::to_string(&**definition),
        Known::List(info) => serde_json::to_string(info),
        Known::Absent | Known::Unreadable => return None,
    };
    text.ok().map(String::into_boxed_str)
}

/// What a reader of another version wrote may not be readable here: then it is read anew.
fn parse(key: &FactKey, text: &str) -> Option<Known> {
    Some(match key {
        FactKey::Properties(_) => {
            let schema: ObjectProperties = serde_json::from_str(text).ok()?;
            let sensitive = schema
                .sorted()
                .iter()
                .any(|(_, info)| info.sensitivity == Sensitivity::Sensitive);
            Known::Properties {
                schema: Arc::new(schema),
                sensitive,
            }
        }
        FactKey::TypeId(_) => Known::TypeId(Arc::from(serde_json::from_str::<String>(text).ok()?)),
        FactKey::Definition(_) => Known::Definition(Arc::new(serde_json::from_str(text).ok()?)),
        FactKey::List(_) => Known::List(serde_json::from_str(text).ok()?),
    })
}
