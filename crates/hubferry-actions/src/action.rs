//! What every action has: settings, and a way from a payload to a plan.

use std::fmt;
use std::sync::Arc;

use hubferry_event::{Event, EventTime};
use hubferry_mapping::{CleanOptions, Validated, Violation};
use serde_json::{Map, Value};

use crate::catalogue::{ActionSlug, SyncMode};
use crate::occurrence::Overflow;
use crate::plan::{DeliveryKey, MatchMode, Plan, Policy};
use crate::{
    PropertyName, behavioral_event, company, contact, custom_event, email, object, object_record,
};

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
    /// What the action may do to records or event definitions, where it has a choice.
    pub sync_mode: SyncMode,
    /// The portal's id, when it is known: event names without their prefix get it.
    pub hub_id: Option<u64>,
    /// What happens to event properties beyond the fiftieth.
    pub overflow: Overflow,
    /// What happens to an invalid e-mail beside another identifier of an event.
    pub invalid_email: InvalidEmail,
    /// What happens to a property name that does not begin with a letter once it is clean.
    pub name_fix: NameFix,
    /// Whether an existing record that is not written (sync mode `add`) still gets its associations and its list.
    pub associate_existing: bool,
}

/// What happens to an invalid e-mail beside another identifier of an event.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum InvalidEmail {
    /// It is left out, with a note.
    #[default]
    Drop,
    /// The delivery is refused.
    DeadLetter,
}

/// What happens to a property name that does not begin with a letter once it is clean (actions.md §2.3).
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum NameFix {
    /// The delivery is refused.
    #[default]
    DeadLetter,
    /// The name gets a prefix, `p_`.
    Prefix,
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
    slug: ActionSlug,
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
    /// An event names nobody it happened to.
    IdentifierMissing,
    /// HubSpot can have no event definition of this name.
    EventNameInvalid,
    /// HubSpot can have no property of this name.
    PropertyNameInvalid,
    /// More than fifty properties of an event.
    TooManyProperties,
}

/// What a payload asks of HubSpot, and what is worth telling beside it.
#[derive(Clone, Debug)]
pub struct Planned {
    /// What it asks.
    pub plan: Plan,
    /// What was decided on the way.
    pub notes: Vec<PlanNote>,
}

/// Something a plan decided by itself. Names only, no values.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum PlanNote {
    /// Two keys became this property; the later one won.
    Collision(PropertyName),
    /// A property stands among the normal and the sensitive ones; the sensitive value won.
    SensitiveWins(PropertyName),
    /// No association is made, because this field has no value.
    NoAssociation(&'static str),
    /// The same association was to be made and taken away; it is taken away.
    Contradiction,
}

impl fmt::Display for PlanNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Collision(name) => {
                let name = name.as_str();
                write!(f, "two keys become the property {name}: the later one wins")
            }
            Self::SensitiveWins(name) => {
                let name = name.as_str();
                write!(
                    f,
                    "{name} is among properties and sensitive_properties: the sensitive value wins"
                )
            }
            Self::NoAssociation(field) => write!(f, "no association: {field} has no value"),
            Self::Contradiction => {
                f.write_str("an association is both made and taken away: it is taken away")
            }
        }
    }
}

/// What planning knows beside the payload.
#[derive(Clone, Copy)]
pub(crate) struct Planning<'a> {
    pub(crate) event: &'a Event,
    pub(crate) time: EventTime,
    pub(crate) key: &'a DeliveryKey,
    pub(crate) settings: &'a ActionSettings,
    pub(crate) policy: &'a Arc<Policy>,
}

impl Refusal {
    pub(crate) fn new(
        code: RefusalCode,
        property: Option<&str>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            code,
            property: property.map(PropertyName::new),
            message: message.into(),
        }
    }
}

/// Fields of the reference's mappings that have no effect: batching is not an option here.
const BATCH_FIELDS: [&str; 3] = ["enable_batching", "batch_size", "batch_keys"];

impl Action {
    /// Makes an action of a mapping's settings. What the action requires is added to what no policy may drop.
    #[must_use]
    pub fn new(slug: ActionSlug, settings: ActionSettings) -> Self {
        let mut policy = settings.policy.clone();
        match slug {
            ActionSlug::UpsertContact => policy.required.push(PropertyName::new("email")),
            ActionSlug::UpsertCompany => policy.required.push(settings.group_id_property.clone()),
            ActionSlug::UpsertCustomObjectRecord
            | ActionSlug::UpsertObject
            | ActionSlug::SendCustomBehavioralEvent
            | ActionSlug::CustomEvent => {}
        }
        Self {
            slug,
            policy: Arc::new(policy),
            settings,
        }
    }

    /// Which action it is.
    #[must_use]
    pub const fn slug(&self) -> ActionSlug {
        self.slug
    }

    pub(crate) const fn settings(&self) -> &ActionSettings {
        &self.settings
    }

    /// Cleans, coerces and checks a payload by the action's fields ([`ActionSlug::schema`]). Of an event, an e-mail that is
    /// blank, or invalid beside another identifier, is left out first (actions.md §7.3, §8.5).
    ///
    /// # Errors
    /// Every violation.
    pub fn validate(
        &self,
        mut payload: Map<String, Value>,
        options: &CleanOptions,
    ) -> Result<Validated, Vec<Violation>> {
        if self.slug == ActionSlug::UpsertObject {
            // The reference requires the size of its batches; here it has no effect, whatever it is.
            payload.insert("batch_size".to_owned(), Value::from(object::BATCH_SIZE));
        }
        let dropped = email::set_aside(self.slug, &mut payload, self.settings.invalid_email);
        let mut validated = self.slug.schema().validate(payload, options)?;
        validated
            .payload
            .retain(|field, _| !BATCH_FIELDS.contains(&field.as_str()));
        validated.notes.extend(dropped);
        Ok(validated)
    }

    /// Plans what a validated payload asks of HubSpot.
    ///
    /// # Errors
    /// A [`Refusal`] when the payload can never be delivered as it is.
    pub fn plan(
        &self,
        payload: Map<String, Value>,
        event: &Event,
        time: EventTime,
        key: &DeliveryKey,
    ) -> Result<Plan, Refusal> {
        self.plan_noted(payload, event, time, key)
            .map(|planned| planned.plan)
    }

    /// Plans like [`Action::plan`], and says what was decided on the way.
    ///
    /// # Errors
    /// A [`Refusal`] when the payload can never be delivered as it is.
    pub fn plan_noted(
        &self,
        payload: Map<String, Value>,
        event: &Event,
        time: EventTime,
        key: &DeliveryKey,
    ) -> Result<Planned, Refusal> {
        let planning = Planning {
            event,
            time,
            key,
            settings: &self.settings,
            policy: &self.policy,
        };
        let mut notes = Vec::new();
        let plan = match self.slug {
            ActionSlug::UpsertContact => contact::plan(payload, &planning),
            ActionSlug::UpsertCompany => company::plan(payload, &planning),
            ActionSlug::UpsertCustomObjectRecord => {
                object_record::plan(payload, &planning, &mut notes)
            }
            ActionSlug::UpsertObject => object::plan(payload, &planning, &mut notes),
            ActionSlug::SendCustomBehavioralEvent => {
                behavioral_event::plan(payload, &planning, &mut notes)
            }
            ActionSlug::CustomEvent => custom_event::plan(payload, &planning, &mut notes),
        }?;
        Ok(Planned { plan, notes })
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
            Self::IdentifierMissing => "identifier_missing",
            Self::EventNameInvalid => "event_name_invalid",
            Self::PropertyNameInvalid => "property_name_invalid",
            Self::TooManyProperties => "too_many_properties",
        }
    }
}

#[cfg(test)]
mod tests;
