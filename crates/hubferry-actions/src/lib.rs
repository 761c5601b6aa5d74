//! The actions and HubSpot's nouns: a validated payload in, a plan of steps out.
//!
//! An [`Action`] knows its fields ([`ActionKind::schema`]), the mappings and trigger a new mapping starts from, and how a
//! payload becomes a [`Plan`]: the record to write and the association to make afterwards. Everything here is pure; what
//! HubSpot has to say about a plan is the scheduler's business.

mod action;
mod catalogue;
mod company;
mod contact;
mod defaults;
mod fit;
mod nouns;
mod occurrence;
mod plan;
mod portal;
#[cfg(test)]
mod test_settings;
mod values;

pub use action::{Action, ActionKind, ActionSettings, Nulls, Refusal, RefusalCode, UnknownAction};
pub use catalogue::{ActionSlug, SyncMode, UnknownSlug};
pub use fit::{
    DropReason, EventPropertyDefinition, Fitted, FittedOccurrence, Misfit, MisfitCode, fit,
    fit_occurrence,
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
