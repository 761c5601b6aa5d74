//! Custom Event v2 (actions.md §8).

use std::sync::{Arc, LazyLock};

use hubferry_mapping::{FieldSchema, FieldType, Format, Schema, js_text};
use serde_json::{Map, Value};

use crate::action::{PlanNote, Planning, Refusal, RefusalCode};
use crate::catalogue::SyncMode;
use crate::clean::{self, NumbersInText};
use crate::defaults::{either, path};
use crate::nouns::{ObjectType, RecordId};
use crate::occurrence::{DefinitionUse, EventName, OccurrenceStep, WhenUndefined};
use crate::occurrence_of::{
    email_of, event_properties, identifier, occurred_at, person_of, plan_of, undefined_property,
    uuid_of,
};
use crate::plan::Plan;
use crate::values::take_text;

/// The longest short name of an event definition (hubspot-api.md §7.1).
const MAX_NAME: usize = 50;

pub(crate) static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(vec![
        FieldSchema::text("event_name")
            .label("Event Name")
            .required(),
        FieldSchema::object("record_details")
            .label("Associated Record")
            .required()
            .properties(vec![
                FieldSchema::text("object_type")
                    .label("Object Type")
                    .required(),
                FieldSchema::number("object_id").label("Record ID"),
                FieldSchema::text("email")
                    .label("Email Address")
                    .format(Format::Email)
                    .default_mapping(either("$.properties.email", "$.context.traits.email")),
                FieldSchema::text("utk").label("User Token"),
            ]),
        FieldSchema::object("properties").label("Event Properties"),
        FieldSchema::new("occurred_at", FieldType::DateTime)
            .label("Event Timestamp")
            .default_mapping(path("$.timestamp")),
    ])
});

pub(crate) fn plan(
    mut payload: Map<String, Value>,
    planning: &Planning<'_>,
    notes: &mut Vec<PlanNote>,
) -> Result<Plan, Refusal> {
    let written = take_text(&mut payload, "event_name").unwrap_or_default();
    let event = event_name(&written)?;
    let details = match payload.remove("record_details") {
        Some(Value::Object(details)) => details,
        _ => Map::new(),
    };
    let whom = Whom::of(details)?;
    let definition = definition_use(planning);
    let clean = match payload.remove("properties") {
        Some(Value::Object(properties)) => {
            clean::properties(properties, NumbersInText::Numbers, planning.settings, notes)?
        }
        _ => Vec::new(),
    };
    let step = OccurrenceStep {
        event,
        definition,
        person: person_of(whom.email.as_deref(), whom.id.is_some()),
        object: whom.object,
        object_id: whom.id,
        email: whom.email,
        utk: whom.utk,
        occurred_at: occurred_at(payload.get("occurred_at"), planning),
        properties: event_properties(clean, definition.property, definition.overflow)?,
        uuid: uuid_of(planning.key),
    };
    Ok(plan_of(step, planning))
}

/// The record it happened to.
struct Whom {
    object: ObjectType,
    id: Option<RecordId>,
    email: Option<Arc<str>>,
    utk: Option<Arc<str>>,
}

impl Whom {
    /// Contacts are named by id, e-mail or token; other records by their id alone.
    fn of(mut details: Map<String, Value>) -> Result<Self, Refusal> {
        let object = take_text(&mut details, "object_type").unwrap_or_default();
        let missing = |message: &str| {
            let field = Some("record_details");
            Err(Refusal::new(RefusalCode::IdentifierMissing, field, message))
        };
        let Some(object) = ObjectType::parse(&object) else {
            return missing(
                "record_details.object_type is blank: it says what the event happened to",
            );
        };
        let id = match details.get("object_id") {
            None | Some(Value::Null) => None,
            Some(id) => Some(record_id(&js_text(id))?),
        };
        if object != ObjectType::contacts() {
            return match id {
                None => missing(
                    "an event of a record that is no contact needs record_details.object_id",
                ),
                id => Ok(Self {
                    object,
                    id,
                    email: None,
                    utk: None,
                }),
            };
        }
        let (email, utk) = (email_of(&mut details), identifier(&mut details, "utk"));
        if id.is_none() && email.is_none() && utk.is_none() {
            return missing(
                "the event names nobody: one of object_id, email and utk in record_details needs a value",
            );
        }
        Ok(Self {
            object,
            id,
            email,
            utk,
        })
    }
}

fn record_id(text: &str) -> Result<RecordId, Refusal> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(RecordId::new(text));
    }
    let field = Some("record_details");
    let message = "record_details.object_id is no record id: that is a whole number above 0";
    Err(Refusal::new(RefusalCode::PayloadInvalid, field, message))
}

/// The clean name, short or fully qualified.
pub(crate) fn event_name(written: &str) -> Result<EventName, Refusal> {
    let name = clean::clean_text(written, "-");
    let short = match name
        .strip_prefix("pe")
        .and_then(|rest| rest.split_once('_'))
    {
        Some((id, short)) if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()) => {
            short
        }
        _ => name.as_str(),
    };
    let code = RefusalCode::EventNameInvalid;
    let field = Some("event_name");
    if !short.starts_with(|first: char| first.is_ascii_lowercase()) {
        let message =
            format!("the event's name becomes {name:?}, which does not begin with a letter");
        return Err(Refusal::new(code, field, message));
    }
    if short.len() > MAX_NAME {
        let message = format!(
            "the event's name is {} characters long and HubSpot takes {MAX_NAME}",
            short.len()
        );
        return Err(Refusal::new(code, field, message));
    }
    Ok(EventName::new(&name))
}

/// The sync mode is about the definition and its properties. Where it refuses a missing property, the mapping may still
/// want that one left out; where it creates it, `unknown_property` may say otherwise.
fn definition_use(planning: &Planning<'_>) -> DefinitionUse {
    let mode = planning.settings.sync_mode;
    let by_policy = undefined_property(planning.policy.unknown_property);
    DefinitionUse {
        definition: match mode {
            SyncMode::Upsert | SyncMode::Add => WhenUndefined::Create,
            SyncMode::Update => WhenUndefined::Refuse,
        },
        property: match (mode, by_policy) {
            (SyncMode::Add, WhenUndefined::Create) => WhenUndefined::Refuse,
            (_, by_policy) => by_policy,
        },
        overflow: planning.settings.overflow,
    }
}

#[cfg(test)]
mod tests;
