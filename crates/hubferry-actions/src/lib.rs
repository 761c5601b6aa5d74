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
mod nouns;
mod plan;
#[cfg(test)]
mod test_settings;
mod values;

pub use action::{Action, ActionKind, ActionSettings, Nulls, Refusal, RefusalCode, UnknownAction};
pub use catalogue::{ActionSlug, SyncMode, UnknownSlug};
pub use nouns::{
    AssociationType, ObjectType, Properties, PropertyDefinition, PropertyName, PropertyText,
    RecordId, RecordRef,
};
pub use plan::{
    AssociateStep, Existing, Lifecycle, LifecycleStage, OnMissingContact, Person, Plan, Policy,
    RecordStep, WhenMissing,
};
