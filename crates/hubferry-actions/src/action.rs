//! What every action has: a slug, fields, defaults, and a way from a payload to a plan.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use hubferry_event::{Event, EventTime};
use hubferry_mapping::Schema;
use serde_json::{Map, Value};

use crate::plan::{DeliveryKey, MatchMode, Plan, Policy};
use crate::{PropertyName, company, contact};

/// The actions of the destination, by the slugs of the reference destination.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum ActionKind {
    /// `upsertContact`.
    UpsertContact,
    /// `upsertCompany`.
    UpsertCompany,
}

/// A slug that names no action.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("unknown action {0:?}; known are upsertContact and upsertCompany")]
pub struct UnknownAction(String);

/// What a mapping decides about its action.
#[derive(Clone, Debug)]
pub struct ActionSettings {
    /// What the scheduler does in the cases HubSpot may raise.
    pub policy: Policy,
    /// The unique property that holds a company's group id.
    pub group_id_property: PropertyName,
    /// Whether all or any of a search's values must be equal.
    pub search: MatchMode,
    /// Whether a contact may be given another e-mail than the one it is found by.
    pub allow_email_change: bool,
    /// What a null in a property object means.
    pub nulls: Nulls,
    /// Whether null elements of a list are left out of its text.
    pub skip_null_elements: bool,
}

/// What a null in a property object means.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum Nulls {
    /// The property is left as it is.
    #[default]
    Skip,
    /// The property is cleared.
    Clear,
}

/// One mapping's action, ready to plan.
#[derive(Clone, Debug)]
pub struct Action {
    kind: ActionKind,
    settings: ActionSettings,
    policy: Arc<Policy>,
}

/// Why a payload cannot become a plan. The message names fields and rules, never values.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// Our code.
    pub code: RefusalCode,
    /// The property at fault.
    pub property: Option<PropertyName>,
    /// What is wrong and what to do.
    pub message: String,
}

/// Our codes of payloads that cannot become a plan (names.md §5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RefusalCode {
    /// The payload says something the action cannot take.
    PayloadInvalid,
    /// The record's id is empty.
    IdMissing,
    /// The properties name another e-mail than the one the contact is found by.
    EmailDiffers,
    /// A property that the action writes itself.
    ReservedProperty,
}

impl ActionKind {
    /// All actions there are.
    pub const ALL: [Self; 2] = [Self::UpsertContact, Self::UpsertCompany];

    /// The slug in configurations.
    #[must_use]
    pub const fn slug(self) -> &'static str {
        match self {
            Self::UpsertContact => "upsertContact",
            Self::UpsertCompany => "upsertCompany",
        }
    }

    /// The fields of the action, with the mappings a new mapping starts from.
    #[must_use]
    pub fn schema(self) -> &'static Schema {
        match self {
            Self::UpsertContact => &contact::SCHEMA,
            Self::UpsertCompany => &company::SCHEMA,
        }
    }

    /// The trigger a new mapping starts from.
    #[must_use]
    pub const fn default_trigger(self) -> &'static str {
        match self {
            Self::UpsertContact => "type = \"identify\"",
            Self::UpsertCompany => "type = \"group\"",
        }
    }
}

impl FromStr for ActionKind {
    type Err = UnknownAction;

    fn from_str(slug: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.slug() == slug)
            .ok_or_else(|| UnknownAction(slug.to_owned()))
    }
}

impl fmt::Display for ActionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug())
    }
}

impl Action {
    /// Makes an action of a mapping's settings. What the action requires is added to what no policy may drop.
    #[must_use]
    pub fn new(kind: ActionKind, settings: ActionSettings) -> Self {
        let mut policy = settings.policy.clone();
        policy.required.push(match kind {
            ActionKind::UpsertContact => PropertyName::new("email"),
            ActionKind::UpsertCompany => settings.group_id_property.clone(),
        });
        Self {
            kind,
            policy: Arc::new(policy),
            settings,
        }
    }

    /// Which action it is.
    #[must_use]
    pub const fn kind(&self) -> ActionKind {
        self.kind
    }

    /// Plans what a payload, validated by [`ActionKind::schema`], asks of HubSpot.
    ///
    /// # Errors
    /// A [`Refusal`] when the payload can never be delivered as it is.
    pub fn plan(
        &self,
        payload: Map<String, Value>,
        event: &Event,
        time: EventTime,
        _key: &DeliveryKey,
    ) -> Result<Plan, Refusal> {
        match self.kind {
            ActionKind::UpsertContact => {
                contact::plan(payload, event, time, &self.settings, &self.policy)
            }
            ActionKind::UpsertCompany => {
                company::plan(payload, event, time, &self.settings, &self.policy)
            }
        }
    }
}

impl RefusalCode {
    /// The code as it stands in headers, logs and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PayloadInvalid => "payload_invalid",
            Self::IdMissing => "id_missing",
            Self::EmailDiffers => "email_differs",
            Self::ReservedProperty => "reserved_property",
        }
    }
}
