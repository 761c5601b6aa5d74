//! One HTTP request, before it is one: the steps it carries, in our own terms.

use hubferry_actions::{
    AssociationType, ObjectType, Properties, PropertyDefinition, PropertyName, RecordId,
};
use std::fmt;
use std::sync::Arc;

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
    /// `search`: one filter group per step, all filters of a group must match; at most five steps.
    Search {
        /// Record type.
        object: ObjectType,
        /// At most 5; each at most 6 filters, 18 in all.
        inputs: Vec<SearchInput>,
    },
    /// Associations of one type between two record types (`batch/create`).
    Associate {
        /// The type of the `from` ends.
        from: ObjectType,
        /// The type of the `to` ends.
        to: ObjectType,
        /// The association's type in this direction.
        kind: AssociationType,
        /// At most 2,000.
        inputs: Vec<AssociationInput>,
    },
    /// Creates a property; one that is there already counts as created.
    CreateProperty {
        /// The step.
        step: StepId,
        /// What to create.
        definition: PropertyDefinition,
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

/// One filter group of a search.
#[derive(Clone, Debug)]
pub struct SearchInput {
    /// The step it answers for.
    pub step: StepId,
    /// Property values that must all be equal.
    pub filters: Properties,
}

/// One association to make.
#[derive(Clone, Debug)]
pub struct AssociationInput {
    /// The step it answers for.
    pub step: StepId,
    /// The record it goes from.
    pub from: RecordId,
    /// The record it goes to.
    pub to: RecordId,
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
    /// `{object}/search`.
    Search(ObjectType),
    /// `associations/{from}/{to}/batch/create`.
    Associate(ObjectType, ObjectType),
    /// `properties/{object}`.
    CreateProperty(ObjectType),
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

impl Request {
    /// The kind of call.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        match self {
            Self::Upsert { object, .. } => Endpoint::Upsert(object.clone()),
            Self::Update { object, .. } => Endpoint::Update(object.clone()),
            Self::Read { object, .. } => Endpoint::Read(object.clone()),
            Self::Search { object, .. } => Endpoint::Search(object.clone()),
            Self::Associate { from, to, .. } => Endpoint::Associate(from.clone(), to.clone()),
            Self::CreateProperty { definition, .. } => {
                Endpoint::CreateProperty(definition.object.clone())
            }
        }
    }

    /// The steps it carries, in the order of the inputs.
    #[must_use]
    pub fn steps(&self) -> Vec<StepId> {
        match self {
            Self::Upsert { inputs, .. } => inputs.iter().map(|i| i.step).collect(),
            Self::Update { inputs, .. } => inputs.iter().map(|i| i.step).collect(),
            Self::Read { inputs, .. } => inputs.iter().map(|i| i.step).collect(),
            Self::Search { inputs, .. } => inputs.iter().map(|i| i.step).collect(),
            Self::Associate { inputs, .. } => inputs.iter().map(|i| i.step).collect(),
            Self::CreateProperty { step, .. } => vec![*step],
        }
    }
}

impl Endpoint {
    /// The limit its calls count against.
    #[must_use]
    pub const fn bucket(&self) -> Bucket {
        match self {
            Self::Upsert(_) | Self::Update(_) | Self::Read(_) | Self::CreateProperty(_) => {
                Bucket::Burst
            }
            Self::Search(_) => Bucket::Search,
            Self::Associate(..) => Bucket::Associations,
        }
    }

    /// The most inputs of one call (hubspot-api.md §3.4, §3.9, §4.1).
    #[must_use]
    pub const fn max_inputs(&self) -> usize {
        match self {
            Self::Upsert(_) | Self::Update(_) | Self::Read(_) => 100,
            Self::Search(_) => 5,
            Self::Associate(..) => 2_000,
            Self::CreateProperty(_) => 1,
        }
    }

    /// The name in counts and metrics, e.g. `contacts/batch/upsert`.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Upsert(o) => format!("{}/batch/upsert", o.as_str()),
            Self::Update(o) => format!("{}/batch/update", o.as_str()),
            Self::Read(o) => format!("{}/batch/read", o.as_str()),
            Self::Search(o) => format!("{}/search", o.as_str()),
            Self::Associate(from, to) => format!(
                "associations/{}/{}/batch/create",
                from.as_str(),
                to.as_str()
            ),
            Self::CreateProperty(o) => format!("properties/{}", o.as_str()),
        }
    }
}
