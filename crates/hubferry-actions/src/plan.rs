//! What one delivery asks of HubSpot: its steps, and what waits for what.

use std::sync::Arc;
use std::time::Duration;

use hubferry_event::{EventTime, IdentityKey};
use smallvec::SmallVec;

use crate::nouns::{
    AssociationType, ObjectType, Properties, PropertyDefinition, PropertyName, RecordRef,
};

/// The steps of one delivery. Records are written before the associations that need them.
#[derive(Clone, Debug)]
pub struct Plan {
    /// When the event happened.
    pub time: EventTime,
    /// The record to write.
    pub record: RecordStep,
    /// The association to make once the record is written.
    pub associate: Option<AssociateStep>,
    /// What the mapping wants done in the cases HubSpot may raise.
    pub policy: Arc<Policy>,
}

/// Writes one record.
#[derive(Clone, Debug)]
pub struct RecordStep {
    /// Which record.
    pub record: RecordRef,
    /// What to write, without the id property itself.
    pub properties: Properties,
    /// How an existing record is found when it does not carry the id yet.
    pub existing: Existing,
    /// What to do when there is none.
    pub when_missing: WhenMissing,
    /// The lifecycle stage wished for; it is written like any property, and afterwards enforced as the policy says.
    pub stage: Option<LifecycleStage>,
    /// The keys by which the written contact is remembered (contacts only).
    pub person: Person,
    /// A property the step needs.
    pub needs: Option<PropertyDefinition>,
}

/// How an existing record is found.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Existing {
    /// By its id property alone.
    ById,
    /// By its id property, and when no record has it by these property values, all of which must match.
    Search(Properties),
}

/// What to do when the record does not exist.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum WhenMissing {
    /// Create it.
    Create,
    /// Leave it: the delivery ends `skipped(not_found)`.
    Skip,
}

/// A lifecycle stage: trimmed, lower-cased.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct LifecycleStage(Arc<str>);

impl LifecycleStage {
    /// Trims and lower-cases; `None` when nothing is left.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let stage = text.trim().to_lowercase();
        (!stage.is_empty()).then(|| Self(Arc::from(stage)))
    }

    /// The internal value.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The keys of a person by which her contact is found: user id, anonymous id, e-mail, in this order.
pub type Person = SmallVec<[IdentityKey; 3]>;

/// Associates the record that was written with the contact of a person.
#[derive(Clone, Debug)]
pub struct AssociateStep {
    /// Whose contact.
    pub person: Person,
    /// The type of the other end (contacts).
    pub with: ObjectType,
    /// The association's type, from the written record to the contact.
    pub kind: AssociationType,
}

/// What a mapping wants done in the cases HubSpot may raise; shared by all its deliveries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    /// Whether waiting steps of one record may become one.
    pub coalesce: bool,
    /// What happens to a property HubSpot does not know.
    pub drop_unknown_property: bool,
    /// What happens to an optional property whose value HubSpot refuses.
    pub drop_invalid_property: bool,
    /// How stages move.
    pub lifecycle: Lifecycle,
    /// When the contact of an association does not exist.
    pub on_missing_contact: OnMissingContact,
    /// How long an association waits for its contact.
    pub link_wait: Duration,
    /// Properties that no policy may drop (the action's required fields).
    pub required: Vec<PropertyName>,
}

/// How a lifecycle stage may move.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lifecycle {
    /// Only as HubSpot moves it by itself.
    ForwardOnly,
    /// Backwards too, by clearing it first.
    BothWays,
    /// Never written.
    Never,
}

/// What to do when an association's contact does not exist.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnMissingContact {
    /// Keep a waiting link and make it when the contact appears.
    Wait,
    /// Create the contact from the event's e-mail; without one, wait.
    Create,
    /// Go without.
    Skip,
    /// Refuse.
    DeadLetter,
}
