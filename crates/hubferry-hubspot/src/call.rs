//! One HTTP request, before it is one: the steps it carries, in our own terms.

use std::fmt;
use std::sync::Arc;

use hubferry_actions::{
    AssociationType, EventName, EventPropertyDefinition, LinkChange, ListName, MatchMode,
    MembershipChange, ObjectType, Properties, PropertyDefinition, PropertyName, RecordId,
    Sensitivity,
};
use smallvec::SmallVec;

/// Names one step of the scheduler; it travels as `objectWriteTraceId`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct StepId(pub u64);

/// One HTTP request; it carries as many steps of one kind as HubSpot takes.
#[derive(Clone, Debug)]
pub struct Call {
    /// What is asked.
    pub request: Request,
}

/// What is asked. No variant ever carries the same record twice.
#[derive(Clone, Debug)]
pub enum Request {
    /// `batch/upsert` by a unique property.
    Upsert {
        /// Record type.
        object: ObjectType,
        /// The unique property.
        id_property: PropertyName,
        /// At most 100.
        inputs: Vec<UpsertInput>,
    },
    /// `batch/update` by record id.
    Update {
        /// Record type.
        object: ObjectType,
        /// At most 100.
        inputs: Vec<UpdateInput>,
    },
    /// `batch/read` by a unique property.
    Read {
        /// Record type.
        object: ObjectType,
        /// The unique property.
        id_property: PropertyName,
        /// The properties wanted back, beside the unique one.
        properties: Vec<PropertyName>,
        /// At most 100.
        inputs: Vec<ReadInput>,
    },
    /// `batch/create`: records that no property identifies, or that must not exist yet.
    Create {
        /// Record type.
        object: ObjectType,
        /// At most 100.
        inputs: Vec<CreateInput>,
    },
    /// `search`: the filter groups of all steps, any of which may match.
    Search {
        /// Record type.
        object: ObjectType,
        /// At most 5 filter groups, each of at most 6 filters, 18 in all.
        inputs: Vec<SearchInput>,
    },
    /// Makes associations between two record types (`batch/create`), or takes labels away (`batch/labels/archive`).
    Link {
        /// Which of the two.
        change: LinkChange,
        /// The type of the `from` ends.
        from: ObjectType,
        /// The type of the `to` ends.
        to: ObjectType,
        /// No pair of records twice; at most 2,000.
        inputs: Vec<LinkInput>,
    },
    /// `batch/archive` by record id: they can be restored for 90 days. Those that are gone already count as archived.
    Archive {
        /// Record type.
        object: ObjectType,
        /// No record twice; at most 100.
        inputs: Vec<ArchiveInput>,
    },
    /// `gdpr-delete`: nothing of a contact is left, and nothing can be restored. One that is gone already counts as deleted.
    GdprDelete {
        /// The step.
        step: StepId,
        /// The contact.
        contact: RecordId,
    },
    /// Creates properties; those that are there already count as created.
    CreateProperties {
        /// The type they belong to.
        object: ObjectType,
        /// At most 100; each of [`CreatePropertyInput::definition`] for this type.
        inputs: Vec<CreatePropertyInput>,
    },
    /// Reads the properties of a type, of one class of sensitivity.
    ReadProperties {
        /// The step.
        step: StepId,
        /// The type.
        object: ObjectType,
        /// Which properties.
        sensitivity: Sensitivity,
    },
    /// Reads the type id of a custom type.
    ReadObjectType {
        /// The step.
        step: StepId,
        /// The type, by its name.
        object: ObjectType,
    },
    /// Sends occurrences of custom events (`send/batch`).
    SendEvents {
        /// At most 500.
        inputs: Vec<OccurrenceInput>,
    },
    /// Reads an event definition with its properties.
    ReadEventDefinition {
        /// The step.
        step: StepId,
        /// Its name, fully qualified or short.
        event: EventName,
    },
    /// Creates an event definition; one that is there already counts as created.
    CreateEventDefinition {
        /// The step.
        step: StepId,
        /// Its short name.
        event: EventName,
        /// The type of the records it happens to.
        object: ObjectType,
        /// Its properties.
        properties: Vec<EventPropertyDefinition>,
    },
    /// Creates a property of an event definition; one that is there already counts as created.
    CreateEventProperty {
        /// The step.
        step: StepId,
        /// What to create.
        definition: EventPropertyDefinition,
    },
    /// Reads a list by its name.
    ReadList {
        /// The step.
        step: StepId,
        /// Its name and type.
        list: ListName,
    },
    /// Creates a list that records can be added to; one that is there already counts as created.
    CreateList {
        /// The step.
        step: StepId,
        /// Its name and type.
        list: ListName,
        /// The type's id, e.g. `0-1`.
        type_id: Arc<str>,
    },
    /// Adds records to a list and takes others off (`memberships/add-and-remove`).
    ChangeMembers {
        /// HubSpot's id of the list.
        list: Arc<str>,
        /// No record twice; at most 1,000.
        inputs: Vec<MemberInput>,
    },
}

/// One input of an upsert. The value may be an e-mail: `Debug` masks it.
#[derive(Clone)]
pub struct UpsertInput {
    /// The step it answers for.
    pub step: StepId,
    /// The normalised value of the unique property.
    pub value: Arc<str>,
    /// What to write, without the unique property.
    pub properties: Properties,
}

/// One input of an update.
#[derive(Clone, Debug)]
pub struct UpdateInput {
    /// The step it answers for.
    pub step: StepId,
    /// The record.
    pub id: RecordId,
    /// What to write.
    pub properties: Properties,
}

/// One input of a read. The value may be an e-mail: `Debug` masks it.
#[derive(Clone)]
pub struct ReadInput {
    /// The step it answers for.
    pub step: StepId,
    /// The normalised value of the unique property.
    pub value: Arc<str>,
}

/// What one step searches for.
#[derive(Clone, Debug)]
pub struct SearchInput {
    /// The step it answers for.
    pub step: StepId,
    /// Property values to be equal.
    pub filters: Properties,
    /// All of them (one filter group), or any (one group for each).
    pub mode: MatchMode,
}

/// One record to create.
#[derive(Clone, Debug)]
pub struct CreateInput {
    /// The step it answers for.
    pub step: StepId,
    /// Its unique property with its value, when it has one: written like the others, and by it the answer is matched.
    pub unique: Option<(PropertyName, Arc<str>)>,
    /// What to write, without the unique property.
    pub properties: Properties,
}

/// One pair of records to tie or untie.
#[derive(Clone, Debug)]
pub struct LinkInput {
    /// The step it answers for.
    pub step: StepId,
    /// The record it goes from.
    pub from: RecordId,
    /// The record it goes to.
    pub to: RecordId,
    /// The types of the association, from one to the other; at least one.
    pub kinds: SmallVec<[AssociationType; 1]>,
}

/// One record to archive.
#[derive(Clone, Debug)]
pub struct ArchiveInput {
    /// The step it answers for.
    pub step: StepId,
    /// The record.
    pub id: RecordId,
}

/// One property to create.
#[derive(Clone, Debug)]
pub struct CreatePropertyInput {
    /// The step it answers for.
    pub step: StepId,
    /// What to create.
    pub definition: PropertyDefinition,
}

/// One occurrence of a custom event. Its identifiers are personal: `Debug` does not show them.
#[derive(Clone)]
pub struct OccurrenceInput {
    /// The step it answers for.
    pub step: StepId,
    /// The definition's fully qualified name.
    pub event: Arc<str>,
    /// The record it happened to.
    pub object_id: Option<RecordId>,
    /// The contact's e-mail.
    pub email: Option<Arc<str>>,
    /// The visitor's token.
    pub utk: Option<Arc<str>>,
    /// When, in ISO 8601 UTC.
    pub occurred_at: Option<Arc<str>>,
    /// What is known of it.
    pub properties: Vec<(PropertyName, Arc<str>)>,
    /// HubSpot counts equal ones once.
    pub uuid: Arc<str>,
}

/// One record that joins or leaves a list.
#[derive(Clone, Debug)]
pub struct MemberInput {
    /// The step it answers for.
    pub step: StepId,
    /// The record.
    pub record: RecordId,
    /// Whether it joins or leaves.
    pub change: MembershipChange,
}

/// A kind of call: the unit of batching, counting and metrics.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Endpoint {
    /// `{object}/batch/upsert`.
    Upsert(ObjectType),
    /// `{object}/batch/update`.
    Update(ObjectType),
    /// `{object}/batch/read`.
    Read(ObjectType),
    /// `{object}/batch/create`.
    Create(ObjectType),
    /// `{object}/search`.
    Search(ObjectType),
    /// `associations/{from}/{to}/batch/create`.
    Associate(ObjectType, ObjectType),
    /// `associations/{from}/{to}/batch/labels/archive`.
    Dissociate(ObjectType, ObjectType),
    /// `{object}/batch/archive`.
    Archive(ObjectType),
    /// `contacts/gdpr-delete`.
    GdprDelete,
    /// `properties/{object}/batch/create`.
    CreateProperties(ObjectType),
    /// `properties/{object}`.
    ReadProperties(ObjectType),
    /// `schemas/{object}`.
    ReadObjectType,
    /// `events/send/batch`.
    SendEvents,
    /// `event-definitions/{name}`.
    ReadEventDefinition,
    /// `event-definitions`.
    CreateEventDefinition,
    /// `event-definitions/{name}/property`.
    CreateEventProperty,
    /// `lists/object-type-id/{object}/name/{name}`.
    ReadList,
    /// `lists`.
    CreateList,
    /// `lists/{id}/memberships/add-and-remove`.
    ChangeMembers,
}

/// The limit a call counts against (hubspot-api.md §8.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Bucket {
    /// The ten-second burst.
    Burst,
    /// Association batches.
    Associations,
    /// Search, per second.
    Search,
    /// Event sends, per second.
    EventSends,
}

impl fmt::Debug for UpsertInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpsertInput")
            .field("step", &self.step)
            .field("properties", &self.properties)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ReadInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadInput")
            .field("step", &self.step)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for OccurrenceInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OccurrenceInput")
            .field("step", &self.step)
            .field("event", &self.event)
            .field("uuid", &self.uuid)
            .finish_non_exhaustive()
    }
}

impl Request {
    /// The kind of call.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        match self {
            Self::Upsert { object, .. } => Endpoint::Upsert(object.clone()),
            Self::Update { object, .. } => Endpoint::Update(object.clone()),
            Self::Read { object, .. } => Endpoint::Read(object.clone()),
            Self::Create { object, .. } => Endpoint::Create(object.clone()),
            Self::Search { object, .. } => Endpoint::Search(object.clone()),
            Self::Link {
                change, from, to, ..
            } => match change {
                LinkChange::Associate => Endpoint::Associate(from.clone(), to.clone()),
                LinkChange::Dissociate => Endpoint::Dissociate(from.clone(), to.clone()),
            },
            Self::Archive { object, .. } => Endpoint::Archive(object.clone()),
            Self::GdprDelete { .. } => Endpoint::GdprDelete,
            Self::CreateProperties { object, .. } => Endpoint::CreateProperties(object.clone()),
            Self::ReadProperties { object, .. } => Endpoint::ReadProperties(object.clone()),
            Self::ReadObjectType { .. } => Endpoint::ReadObjectType,
            Self::SendEvents { .. } => Endpoint::SendEvents,
            Self::ReadEventDefinition { .. } => Endpoint::ReadEventDefinition,
            Self::CreateEventDefinition { .. } => Endpoint::CreateEventDefinition,
            Self::CreateEventProperty { .. } => Endpoint::CreateEventProperty,
            Self::ReadList { .. } => Endpoint::ReadList,
            Self::CreateList { .. } => Endpoint::CreateList,
            Self::ChangeMembers { .. } => Endpoint::ChangeMembers,
        }
    }

    /// The steps it carries, in the order of the inputs.
    #[must_use]
    pub fn steps(&self) -> Vec<StepId> {
        match self {
            Self::Upsert { inputs, .. } => inputs.iter().map(|i| i.step).collect(),
            Self::Update { inputs, .. } => inputs.iter().map(|i| i.step).collect(),
            Self::Read { inputs, .. } => inputs.iter().map(|i| i.step).collect(),
            Self::Create { inputs, .. } => inputs.iter().map(|i| i.step).collect(),
            Self::Search { inputs, .. } => inputs.iter().map(|i| i.step).collect(),
            Self::Link { inputs, .. } => inputs.iter().map(|i| i.step).collect(),
            Self::Archive { inputs, .. } => inputs.iter().map(|i| i.step).collect(),
            Self::CreateProperties { inputs, .. } => inputs.iter().map(|i| i.step).collect(),
            Self::SendEvents { inputs } => inputs.iter().map(|i| i.step).collect(),
            Self::ChangeMembers { inputs, .. } => inputs.iter().map(|i| i.step).collect(),
            Self::GdprDelete { step, .. }
            | Self::ReadProperties { step, .. }
            | Self::ReadObjectType { step, .. }
            | Self::ReadEventDefinition { step, .. }
            | Self::CreateEventDefinition { step, .. }
            | Self::CreateEventProperty { step, .. }
            | Self::ReadList { step, .. }
            | Self::CreateList { step, .. } => vec![*step],
        }
    }
}

impl Endpoint {
    /// The limit its calls count against.
    #[must_use]
    pub const fn bucket(&self) -> Bucket {
        match self {
            Self::Upsert(_)
            | Self::Update(_)
            | Self::Read(_)
            | Self::Create(_)
            | Self::Archive(_)
            | Self::GdprDelete
            | Self::CreateProperties(_)
            | Self::ReadProperties(_)
            | Self::ReadObjectType
            | Self::ReadEventDefinition
            | Self::CreateEventDefinition
            | Self::CreateEventProperty
            | Self::ReadList
            | Self::CreateList
            | Self::ChangeMembers => Bucket::Burst,
            Self::Search(_) => Bucket::Search,
            Self::Associate(..) | Self::Dissociate(..) => Bucket::Associations,
            Self::SendEvents => Bucket::EventSends,
        }
    }

    /// The most inputs of one call (hubspot-api.md §3.4, §3.9, §4.1, §5.1, §6, §7.2). HubSpot publishes no figure for
    /// taking labels away and for list members: these are on the safe side.
    #[must_use]
    pub const fn max_inputs(&self) -> usize {
        match self {
            Self::Upsert(_)
            | Self::Update(_)
            | Self::Read(_)
            | Self::Create(_)
            | Self::Archive(_)
            | Self::CreateProperties(_) => 100,
            Self::Search(_) => 5,
            Self::Associate(..) => 2_000,
            Self::Dissociate(..) | Self::ChangeMembers => 1_000,
            Self::SendEvents => 500,
            Self::GdprDelete
            | Self::ReadProperties(_)
            | Self::ReadObjectType
            | Self::ReadEventDefinition
            | Self::CreateEventDefinition
            | Self::CreateEventProperty
            | Self::ReadList
            | Self::CreateList => 1,
        }
    }

    /// The name in counts and metrics, e.g. `contacts/batch/upsert`.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Upsert(o) => format!("{}/batch/upsert", o.as_str()),
            Self::Update(o) => format!("{}/batch/update", o.as_str()),
            Self::Read(o) => format!("{}/batch/read", o.as_str()),
            Self::Create(o) => format!("{}/batch/create", o.as_str()),
            Self::Search(o) => format!("{}/search", o.as_str()),
            Self::Associate(from, to) => format!(
                "associations/{}/{}/batch/create",
                from.as_str(),
                to.as_str()
            ),
            Self::Dissociate(from, to) => format!(
                "associations/{}/{}/batch/labels/archive",
                from.as_str(),
                to.as_str()
            ),
            Self::Archive(o) => format!("{}/batch/archive", o.as_str()),
            Self::GdprDelete => "contacts/gdpr-delete".to_owned(),
            Self::CreateProperties(o) => format!("properties/{}/batch/create", o.as_str()),
            Self::ReadProperties(o) => format!("properties/{}", o.as_str()),
            Self::ReadObjectType => "schemas".to_owned(),
            Self::SendEvents => "events/send/batch".to_owned(),
            Self::ReadEventDefinition => "event-definitions/read".to_owned(),
            Self::CreateEventDefinition => "event-definitions/create".to_owned(),
            Self::CreateEventProperty => "event-definitions/property".to_owned(),
            Self::ReadList => "lists/read".to_owned(),
            Self::CreateList => "lists/create".to_owned(),
            Self::ChangeMembers => "lists/memberships".to_owned(),
        }
    }
}
