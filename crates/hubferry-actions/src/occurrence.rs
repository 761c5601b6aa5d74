//! One occurrence of a custom event, as a step.

use std::fmt;
use std::sync::Arc;

use hubferry_mapping::js_text;
use serde_json::Value;

use crate::fit::EventPropertyDefinition;
use crate::nouns::{ObjectType, PropertyName, RecordId};
use crate::plan::{Person, ValueKind};

/// Sends one occurrence of a custom event.
///
/// The identifiers are personal data: `Debug` does not show them.
#[derive(Clone)]
pub struct OccurrenceStep {
    /// The event definition, as the mapping names it: `pe123_my_event` or its short name.
    pub event: EventName,
    /// What may be done about a definition or a property of it that does not exist.
    pub definition: DefinitionUse,
    /// The type of the record it happened to.
    pub object: ObjectType,
    /// That record, when the mapping names it.
    pub object_id: Option<RecordId>,
    /// The contact's e-mail, trimmed and lower-cased.
    pub email: Option<Arc<str>>,
    /// The visitor's token.
    pub utk: Option<Arc<str>>,
    /// When it happened, in ISO 8601 UTC; now when missing.
    pub occurred_at: Option<Arc<str>>,
    /// What is known of it; names are clean (actions.md §2.3), none stands twice.
    pub properties: Vec<(PropertyName, EventValue)>,
    /// The same whenever the delivery is sent again: HubSpot counts it once.
    pub uuid: Arc<str>,
    /// Whose contact it is about: when the same worker knows the contact, its id is sent.
    pub person: Person,
}

/// The name of an event definition, fully qualified or short. HubSpot takes both when it is asked for one.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct EventName(Arc<str>);

/// What may be done about a definition or a property of it that does not exist (actions.md §7.3, §8.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct DefinitionUse {
    /// When the definition does not exist.
    pub definition: WhenUndefined,
    /// When one of its properties does not exist.
    pub property: WhenUndefined,
    /// What happens to properties beyond the fiftieth.
    pub overflow: Overflow,
}

/// What is done about a definition, or a property of one, that does not exist.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum WhenUndefined {
    /// It is created.
    Create,
    /// The delivery is refused.
    Refuse,
    /// It is left out, with a note (properties only).
    Drop,
}

/// What happens to properties beyond the fiftieth.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Overflow {
    /// The delivery is refused.
    DeadLetter,
    /// They are left out, with a note; those that stand first in the definition stay.
    Truncate,
}

/// The most properties of one occurrence (hubspot-api.md §7.2).
pub const MAX_EVENT_PROPERTIES: usize = 50;

/// A cleaned value of an event property and its kind. May be personal: `Debug` shows the kind alone.
#[derive(Clone, PartialEq, Eq)]
pub struct EventValue {
    text: Arc<str>,
    kind: ValueKind,
}

impl OccurrenceStep {
    /// The properties that its definition needs, when that has to be created: at most as many as HubSpot takes. A value
    /// that says nothing of its kind needs none.
    #[must_use]
    pub fn wanted_properties(&self) -> Vec<EventPropertyDefinition> {
        let telling = self
            .properties
            .iter()
            .filter(|(_, value)| !value.expose().is_empty());
        telling
            .take(MAX_EVENT_PROPERTIES)
            .map(|(name, value)| EventPropertyDefinition {
                event: self.event.clone(),
                name: name.clone(),
                kind: value.kind(),
            })
            .collect()
    }
}

impl EventName {
    /// Takes the name as it is to be asked for.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(Arc::from(name))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

impl EventValue {
    /// A text of a kind.
    #[must_use]
    pub fn new(text: &str, kind: ValueKind) -> Self {
        Self {
            text: Arc::from(text),
            kind,
        }
    }

    /// A JSON number or boolean, or text.
    #[must_use]
    pub fn of(value: &Value) -> Self {
        let kind = match value {
            Value::Number(_) => ValueKind::Number,
            Value::Bool(_) => ValueKind::Boolean,
            _ => ValueKind::Text,
        };
        Self::new(&js_text(value), kind)
    }

    /// The raw text; the caller answers for where it goes.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    pub(crate) fn shared(&self) -> Arc<str> {
        Arc::clone(&self.text)
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> ValueKind {
        self.kind
    }
}

impl fmt::Debug for EventValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventValue({:?})", self.kind)
    }
}

impl fmt::Debug for OccurrenceStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OccurrenceStep")
            .field("event", &self.event)
            .field("definition", &self.definition)
            .field("object", &self.object)
            .field("occurred_at", &self.occurred_at)
            .field("properties", &self.properties)
            .field("uuid", &self.uuid)
            .finish_non_exhaustive()
    }
}
