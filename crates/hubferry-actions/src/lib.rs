//! The actions and HubSpot's nouns: a validated payload in, a plan of steps out.

mod nouns;
mod plan;

pub use nouns::{
    AssociationType, ObjectType, Properties, PropertyDefinition, PropertyName, PropertyText,
    RecordId, RecordRef,
};
pub use plan::{
    AssociateStep, Existing, Lifecycle, LifecycleStage, OnMissingContact, Person, Plan, Policy,
    RecordStep, WhenMissing,
};
