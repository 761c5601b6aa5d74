//! What came of a call: what went wrong, and what to do about it, as closed types.

use std::sync::Arc;
use std::time::Duration;

use hubferry_actions::{
    EventDefinition, ListInfo, ObjectProperties, Properties, PropertyName, RecordId,
};

use crate::call::{Bucket, StepId};

/// Everything one call brought back.
#[derive(Clone, Debug)]
pub struct Reply {
    /// What came of its steps.
    pub answers: Answers,
    /// What the rate headers said, if there were any.
    pub window: Option<Window>,
    /// What they said about the day, if they did.
    pub daily: Option<Daily>,
    /// The HTTP status, when there was an answer at all.
    pub status: Option<u16>,
}

/// What the rate headers said about the ten-second window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// `X-HubSpot-RateLimit-Max`.
    pub max: u32,
    /// `X-HubSpot-RateLimit-Remaining`.
    pub remaining: u32,
}

/// What the rate headers said about the account's day; OAuth apps are not told (hubspot-api.md §8.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Daily {
    /// `X-HubSpot-RateLimit-Daily`.
    pub limit: u32,
    /// `X-HubSpot-RateLimit-Daily-Remaining`.
    pub remaining: u32,
}

/// What came of the steps of a call.
#[derive(Clone, Debug)]
pub enum Answers {
    /// Each step got its own outcome; every step of the call stands here exactly once.
    PerStep(Vec<(StepId, Outcome)>),
    /// The call was refused as a whole and nothing was written: the scheduler isolates the offender.
    Refused(Refusal),
}

/// Why a whole call was refused.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The reason, as it would stand for a single offender.
    pub rejection: Rejection,
    /// The steps that the answer names as culprits (by id, value or index); empty when it names none.
    pub culprits: Vec<StepId>,
}

/// What came of one step.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// HubSpot shows the requested state.
    Done(Done),
    /// Not an attempt: it costs time, nothing else.
    Throttled {
        /// When calls may go again.
        resume: Resume,
        /// Which limit was hit.
        bucket: Bucket,
    },
    /// Again, bounded, with jitter.
    Transient {
        /// What happened.
        cause: Cause,
        /// The least wait HubSpot asked for.
        after: Option<Duration>,
    },
    /// HubSpot accepted the call but did not account for this step.
    Unaccounted,
    /// This step can never succeed as it is.
    Rejected(Rejection),
    /// The record id does not exist any more: look it up again.
    Gone,
    /// A record with the same unique value exists already.
    Exists(RecordId),
    /// Nothing in this portal or mapping can succeed until someone acts.
    Held {
        /// How far the hold reaches.
        scope: HoldScope,
        /// Why.
        reason: Hold,
    },
}

/// What a successful step brought back.
#[derive(Clone, Debug)]
pub enum Done {
    /// A record was written.
    Written {
        /// Its id.
        id: RecordId,
        /// Whether it was created by this step, when the answer says so.
        created: Option<bool>,
        /// `lifecyclestage` as the answer shows it, when it does (empty when it shows null).
        stage: Option<String>,
    },
    /// A read or a search found these records (a read at most one).
    Found(Vec<Found>),
    /// The association, property, definition, list or membership is as asked, or the occurrence was taken.
    There,
    /// What was asked about the portal's schema.
    Learned(Fact),
}

/// Something a portal's schema says.
#[derive(Clone, PartialEq, Debug)]
pub enum Fact {
    /// The properties of a type, of the class that was asked for.
    Properties(ObjectProperties),
    /// The type id of a custom type.
    TypeId(Arc<str>),
    /// An event definition.
    Definition(EventDefinition),
    /// A list.
    List(ListInfo),
    /// There is no such type, definition or list.
    Absent,
}

/// A record that a read or search found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its id.
    pub id: RecordId,
    /// The properties asked for that have a value.
    pub properties: Properties,
}

/// When a throttled step may go again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resume {
    /// After this long.
    After(Duration),
    /// As the limiter says.
    Limiter,
    /// At the account's midnight.
    Midnight,
}

/// What made an attempt fail in passing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Cause {
    /// No connection.
    Connect,
    /// No answer in time: whether it was written is unknown.
    Timeout,
    /// The connection broke after the request was sent, or the answer could not be read.
    Broken,
    /// A 5xx or 408.
    Server(u16),
    /// 423.
    Locked,
    /// 477: the account moves between data centres.
    Migrating,
}

/// Why a step can never succeed as it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rejection {
    /// Our code.
    pub code: Code,
    /// Its class.
    pub class: ErrorClass,
    /// HTTP status, of the call or of the input.
    pub status: Option<u16>,
    /// HubSpot's category.
    pub category: Option<String>,
    /// HubSpot's sub-category.
    pub sub_category: Option<String>,
    /// The property at fault.
    pub property: Option<PropertyName>,
    /// HubSpot's words, values redacted, at most 512 bytes.
    pub message: String,
    /// HubSpot's correlation id.
    pub correlation_id: Option<String>,
}

/// Our codes of rejected steps (names.md §5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Code {
    /// A property does not exist.
    PropertyMissing,
    /// A property cannot be written.
    PropertyReadOnly,
    /// A value has the wrong type.
    PropertyType,
    /// A value is not an option.
    PropertyOption,
    /// A date has a time of day.
    DateHasTime,
    /// More than one record matches, or a unique value is taken.
    NotUnique,
    /// The search fields were refused.
    SearchFieldsInvalid,
    /// Any other refusal.
    HubspotRejected,
    /// HubSpot never accounted for it.
    Unaccounted,
    /// All attempts were used up.
    RetriesExhausted,
    /// A property was archived.
    PropertyArchived,
    /// An event definition does not exist.
    DefinitionMissing,
    /// An event definition was archived.
    DefinitionArchived,
    /// More properties than an occurrence may have.
    TooManyProperties,
    /// The contact of an association does not exist.
    AssociationContactMissing,
    /// More than one record matches the other end of an association.
    AssociationNotUnique,
    /// A list does not exist.
    ListMissing,
    /// A list's members follow from its filters.
    ListNotWritable,
    /// Too large for HubSpot.
    TooLarge,
    /// A bug of ours.
    Suspect,
}

/// The class of a failure (fleet.md iv.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum ErrorClass {
    /// 429.
    Throttled,
    /// Passing trouble.
    Transient,
    /// The one input is wrong.
    Input,
    /// The mapping or the schema is wrong.
    Mapping,
    /// It collides with another record.
    Conflict,
    /// A record is gone.
    Missing,
    /// Too large.
    TooLarge,
    /// Accepted but not accounted for.
    Unaccounted,
    /// A bug of ours.
    Suspect,
}

/// How far a hold reaches.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum HoldScope {
    /// Every call of the portal.
    Portal,
    /// The mappings whose steps were in the call.
    Mapping,
}

/// Why nothing can succeed until someone acts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Hold {
    /// The token is not accepted.
    Auth {
        /// HubSpot's words, redacted.
        message: String,
    },
    /// Scopes or a product tier are missing.
    Scope {
        /// HubSpot's words, redacted, with the scopes it names.
        message: String,
    },
    /// The request itself is misconfigured (unknown object type, property that is not unique).
    Config {
        /// HubSpot's words, redacted.
        message: String,
    },
}

impl Code {
    /// The code as it stands in headers, logs and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PropertyMissing => "property_missing",
            Self::PropertyReadOnly => "property_read_only",
            Self::PropertyType => "property_type",
            Self::PropertyOption => "property_option",
            Self::DateHasTime => "date_has_time",
            Self::NotUnique => "not_unique",
            Self::SearchFieldsInvalid => "search_fields_invalid",
            Self::HubspotRejected => "hubspot_rejected",
            Self::Unaccounted => "unaccounted",
            Self::RetriesExhausted => "retries_exhausted",
            Self::PropertyArchived => "property_archived",
            Self::DefinitionMissing => "definition_missing",
            Self::DefinitionArchived => "definition_archived",
            Self::TooManyProperties => "too_many_properties",
            Self::AssociationNotUnique => "association_not_unique",
            Self::ListMissing => "list_missing",
            Self::ListNotWritable => "list_not_writable",
            Self::AssociationContactMissing => "association_contact_missing",
            Self::TooLarge => "too_large",
            Self::Suspect => "suspect",
        }
    }
}

impl ErrorClass {
    /// The class as it stands in headers, logs and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Transient => "transient",
            Self::Input => "input",
            Self::Mapping => "mapping",
            Self::Conflict => "conflict",
            Self::Missing => "missing",
            Self::TooLarge => "too_large",
            Self::Unaccounted => "unaccounted",
            Self::Suspect => "suspect",
        }
    }
}
