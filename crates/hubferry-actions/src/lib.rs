//! The actions and HubSpot's nouns: a validated payload in, a plan of steps out.
//!
//! An [`Action`] is one of six ([`ActionSlug`]): it knows its fields, the mapping and trigger a new mapping starts from, and
//! how a payload becomes a [`Plan`]: a record with its associations and its list, or one occurrence of a custom event. A
//! [`Deletion`] makes plans of `delete` events, without a payload. Once
//! the portal's schema is known, [`fit`] and [`fit_occurrence`] turn a step's values into what its properties take, and say
//! what has to be created or left out. Everything here is pure; what HubSpot has to say about a plan is the scheduler's
//! business.

mod action;
mod association;
mod behavioral_event;
mod catalogue;
mod clean;
mod company;
mod contact;
mod convert;
mod custom_event;
mod defaults;
mod deletion;
mod email;
mod faults;
mod fit;
mod moment;
mod nouns;
mod object;
mod object_record;
mod occurrence;
mod occurrence_of;
mod plan;
mod portal;
#[cfg(test)]
mod test_settings;
mod values;

pub use action::{
    Action, ActionSettings, InvalidEmail, NameFix, Nulls, PlanNote, Planned, Refusal, RefusalCode,
};
pub use catalogue::{ActionSlug, PropertyHints, SyncMode, UnknownSlug};
pub use deletion::{Deletion, DeletionMode, DeletionStep};
pub use faults::FieldFault;
pub use fit::{
    DEFAULT_EVENT_PROPERTIES, DropReason, EventPropertyDefinition, Fitted, FittedOccurrence,
    Misfit, MisfitCode, fit, fit_occurrence,
};
pub use nouns::{
    AssociationType, ObjectType, Properties, PropertyDefinition, PropertyName, PropertyText,
    RECORD_ID_PROPERTY, RecordId, RecordRef,
};
pub use occurrence::{
    DefinitionUse, EventName, EventValue, MAX_EVENT_PROPERTIES, OccurrenceStep, Overflow,
    WhenUndefined,
};
pub use plan::{
    AssociateStep, Creation, DeliveryKey, Existing, Lifecycle, LifecycleStage, LinkChange,
    LinkStep, MatchMode, MembershipChange, MembershipStep, OnMissingContact, Person, Plan, Policy,
    RecordPlan, RecordStep, SearchBy, Target, UnknownProperty, ValueKind, WhenFound, WhenMissing,
    Work,
};
pub use portal::{
    EventDefinition, EventPropertyInfo, ListInfo, ListName, ObjectProperties, OptionInfo,
    PropertyInfo, Sensitivity, ValueType,
};
