//! What one delivery asks of HubSpot: its steps, and what waits for what.

use std::sync::Arc;
use std::time::Duration;

use hubferry_event::{EventTime, IdentityKey};
use smallvec::SmallVec;

use crate::deletion::DeletionStep;
use crate::nouns::{
    AssociationType, ObjectType, Properties, PropertyDefinition, PropertyName, RecordRef,
};
use crate::occurrence::OccurrenceStep;
use crate::portal::ListName;

/// The steps of one delivery.
#[derive(Clone, Debug)]
pub struct Plan {
    /// When the event happened.
    pub time: EventTime,
    /// What is asked.
    pub work: Work,
    /// What the mapping wants done in the cases HubSpot may raise.
    pub policy: Arc<Policy>,
}

/// What a delivery asks of HubSpot.
#[derive(Clone, Debug)]
pub enum Work {
    /// A record, and what follows once it is written.
    Record(Box<RecordPlan>),
    /// One occurrence of a custom event.
    Occurrence(Box<OccurrenceStep>),
    /// The removal of a person's contact.
    Deletion(DeletionStep),
}

/// A record and what follows: associations once it is written, the list last.
#[derive(Clone, Debug)]
pub struct RecordPlan {
    /// The record to write.
    pub record: RecordStep,
    /// The association with a person's contact to make once the record is written.
    pub associate: Option<AssociateStep>,
    /// The associations with named records to make or to take away once the record is written.
    pub links: Vec<LinkStep>,
    /// The list the record joins or leaves once it is written.
    pub membership: Option<MembershipStep>,
}

impl Plan {
    /// The record it writes, when it writes one.
    #[must_use]
    pub fn record(&self) -> Option<&RecordPlan> {
        match &self.work {
            Work::Record(plan) => Some(plan),
            Work::Occurrence(_) | Work::Deletion(_) => None,
        }
    }
}

impl RecordPlan {
    /// A record and nothing else.
    #[must_use]
    pub const fn only(record: RecordStep) -> Self {
        Self {
            record,
            associate: None,
            links: Vec::new(),
            membership: None,
        }
    }
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
    /// What to do when there is one.
    pub when_found: WhenFound,
    /// The lifecycle stage wished for; it is written like any property, and afterwards enforced as the policy says.
    pub stage: Option<LifecycleStage>,
    /// The keys by which the written contact is remembered (contacts only).
    pub person: Person,
    /// A property the step needs, whatever it writes.
    pub needs: Option<PropertyDefinition>,
    /// How properties that the portal lacks are created; without it they are not.
    pub creation: Option<Creation>,
}

/// How properties that the portal lacks are created (actions.md §6.10).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Creation {
    /// The property group they are created in.
    pub group: Arc<str>,
    /// The properties among the step's that are sensitive; they are created as sensitive.
    pub sensitive: Vec<PropertyName>,
    /// The kinds that the values' texts do not show: numbers and booleans (actions.md §2.4).
    pub kinds: Vec<(PropertyName, ValueKind)>,
}

/// The kind of a value, as it decides the type of a property that is created for it (actions.md §2.4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum ValueKind {
    /// true or false.
    Boolean,
    /// A JSON number.
    Number,
    /// `YYYY-MM-DD`.
    Date,
    /// A date with a time of day.
    DateTime,
    /// Anything else.
    Text,
}

/// How an existing record is found.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Existing {
    /// By its id property alone.
    ById,
    /// By its id property, and when no record has it by these property values.
    Search(SearchBy),
    /// By these property values alone: the record has no unique property ([`RecordRef::searched`]).
    SearchAlone(SearchBy),
    /// Not at all: every delivery makes a record of its own ([`RecordRef::fresh`]).
    Nowhere,
}

/// The values an existing record is searched by; none is blank.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SearchBy {
    /// Property values.
    pub fields: Properties,
    /// Whether all or any of them must be equal.
    pub mode: MatchMode,
}

/// Whether all or any of a search's values must be equal.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub enum MatchMode {
    /// All.
    #[default]
    All,
    /// Any; what the reference destination does.
    Any,
}

/// What to do when the record does not exist.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum WhenMissing {
    /// Create it.
    Create,
    /// Leave it: the delivery ends `skipped(not_found)`.
    Skip,
}

/// What to do when the record exists.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub enum WhenFound {
    /// Write to it.
    #[default]
    Write,
    /// Leave it: the delivery ends `skipped(exists)`.
    Skip,
    /// Leave its properties, but go on with associations and lists.
    Keep,
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

/// Ties the record that was written to a named record, or unties them.
#[derive(Clone, Debug)]
pub struct LinkStep {
    /// Whether the association is made or taken away.
    pub change: LinkChange,
    /// The other end.
    pub target: Target,
    /// The association's type, from the written record to the target.
    pub kind: AssociationType,
}

/// Whether an association is made or taken away.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum LinkChange {
    /// Made.
    Associate,
    /// Taken away.
    Dissociate,
}

/// The other end of an association.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Target {
    /// Which record.
    pub record: RecordRef,
    /// How it is found.
    pub existing: Existing,
    /// When there is none: create it with nothing but its id, or go without (noted as a missing target).
    pub when_missing: WhenMissing,
}

/// Adds the record that was written to a list, or takes it off.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MembershipStep {
    /// The list.
    pub list: ListName,
    /// Whether the record joins or leaves.
    pub change: MembershipChange,
    /// When there is no such list.
    pub when_missing: WhenMissing,
}

/// Whether a record joins or leaves a list.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum MembershipChange {
    /// It joins.
    Add,
    /// It leaves.
    Remove,
}

/// What tells one delivery from all others, the same whenever its event is delivered again: portal, mapping id and message
/// id. Of it come the `uuid` of an occurrence and the key of a record that no property identifies.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DeliveryKey(Arc<str>);

impl DeliveryKey {
    /// `message` is the message's id, or its coordinates where it has none (fleet.md i.6.4).
    #[must_use]
    pub fn new(portal: &str, mapping: &str, message: &str) -> Self {
        Self(Arc::from(format!("{portal}/{mapping}/{message}")))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a mapping wants done in the cases HubSpot may raise; shared by all its deliveries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    /// Whether waiting steps of one record may become one.
    pub coalesce: bool,
    /// What happens to a property HubSpot does not know.
    pub unknown_property: UnknownProperty,
    /// What happens to an optional property whose value HubSpot refuses.
    pub drop_invalid_property: bool,
    /// Whether a date property takes the date of a value that has a time of day.
    pub truncate_dates: bool,
    /// How stages move.
    pub lifecycle: Lifecycle,
    /// When the contact of an association does not exist.
    pub on_missing_contact: OnMissingContact,
    /// How long an association waits for its contact.
    pub link_wait: Duration,
    /// Properties that no policy may drop (the action's required fields).
    pub required: Vec<PropertyName>,
}

/// What happens to a property HubSpot does not know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UnknownProperty {
    /// It is left out, with a note.
    Drop,
    /// The delivery is refused.
    DeadLetter,
    /// It is created.
    Create,
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
