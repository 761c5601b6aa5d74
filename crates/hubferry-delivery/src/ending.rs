//! What goes out: every delivery ends once, and says how.

use hubferry_actions::{ObjectType, PropertyName, RecordId};
use hubferry_hubspot::Rejection;

use crate::admission::DeliveryId;

/// The end of one delivery.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Which.
    pub delivery: DeliveryId,
    /// How.
    pub ending: Ending,
    /// The record it wrote, when it wrote one.
    pub record: Option<(ObjectType, RecordId)>,
}

/// How a delivery ended (names.md §4).
#[derive(Clone, PartialEq, Debug)]
pub enum Ending {
    /// HubSpot shows what it asked for.
    Delivered {
        /// What was left out or is still to come.
        notes: Vec<Note>,
    },
    /// Its values went out with another delivery's step, and it had nothing else to do.
    Merged,
    /// Nothing was to be done.
    Skipped(SkipReason),
    /// It can never succeed as it is.
    Dead(Box<Death>),
    /// It was taken out before it was sent: its message stays open, and whoever reads it next delivers it.
    Withdrawn,
}

/// Something worth knowing about a delivery that succeeded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Note {
    /// A property was left out.
    DroppedProperty {
        /// Which.
        property: PropertyName,
        /// `stale`, `unknown`, `invalid` or `read_only`.
        reason: &'static str,
    },
    /// The association waits for its contact.
    WaitingLink,
    /// An association was left out: there is no such record.
    MissingTarget,
}

/// Why there was nothing to do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum SkipReason {
    /// The record does not exist and is not to be created.
    NotFound,
    /// The record exists already and is only to be created.
    Exists,
    /// Everything in it is older than what was written.
    Stale,
}

/// Why a delivery is dead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Death {
    /// What was refused.
    pub rejection: Rejection,
    /// At which kind of step.
    pub stage: Stage,
    /// How often it was tried.
    pub attempts: u32,
}

/// The kinds of step at which a delivery can die (names.md §4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Stage {
    /// Something of the schema that it needs is missing and could not be made.
    Ensure,
    /// The record was refused.
    Record,
    /// The record is written, an association was refused.
    Association,
    /// The occurrence was refused.
    Occurrence,
    /// The record is written, its place in a list was refused.
    List,
}

impl SkipReason {
    /// The reason as it stands in counts and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Exists => "exists",
            Self::Stale => "stale",
        }
    }
}

impl Stage {
    /// The stage as it stands in headers and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ensure => "ensure",
            Self::Record => "record",
            Self::Association => "association",
            Self::Occurrence => "occurrence",
            Self::List => "list",
        }
    }
}
