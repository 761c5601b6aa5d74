//! Custom Behavioral Event (actions.md §7).

use std::sync::LazyLock;

use hubferry_mapping::{FieldSchema, Format, Schema};
use serde_json::{Map, Value};

use crate::action::{PlanNote, Planning, Refusal, RefusalCode};
use crate::clean::{self, Cleaned};
use crate::defaults::{either, path};
use crate::nouns::{ObjectType, RecordId};
use crate::occurrence::{DefinitionUse, EventName, OccurrenceStep, WhenUndefined};
use crate::occurrence_of::{
    email_of, event_properties, identifier, occurred_at, person_of, plan_of, undefined_property,
    uuid_of,
};
use crate::plan::Plan;
use crate::values::{flat, take_text};

pub(crate) static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(vec![
        FieldSchema::text("eventName")
            .label("Event Name")
            .required(),
        FieldSchema::date_time("occurredAt")
            .label("Event Timestamp")
            .default_mapping(path("$.timestamp")),
        FieldSchema::text("email")
            .label("Email Address")
            .format(Format::Email)
            .default_mapping(either("$.properties.email", "$.context.traits.email")),
        FieldSchema::text("utk").label("User Token"),
        FieldSchema::text("objectId").label("Record ID"),
        FieldSchema::object("properties").label("Event Properties"),
    ])
});

pub(crate) fn plan(
    mut payload: Map<String, Value>,
    planning: &Planning<'_>,
    notes: &mut Vec<PlanNote>,
) -> Result<Plan, Refusal> {
    let written = take_text(&mut payload, "eventName").unwrap_or_default();
    let event = event_name(&written, planning.settings.hub_id)?;
    let (utk, email) = (identifier(&mut payload, "utk"), email_of(&mut payload));
    let object_id = identifier(&mut payload, "objectId").map(|id| RecordId::new(&id));
    if utk.is_none() && email.is_none() && object_id.is_none() {
        let message = "the event names nobody: one of email, utk and objectId needs a value";
        return Err(Refusal::new(RefusalCode::IdentifierMissing, None, message));
    }
    let property = undefined_property(planning.policy.unknown_property);
    let overflow = planning.settings.overflow;
    let clean = match payload.remove("properties") {
        Some(Value::Object(properties)) => flat_properties(properties, planning, notes)?,
        _ => Vec::new(),
    };
    let step = OccurrenceStep {
        event,
        definition: DefinitionUse {
            definition: WhenUndefined::Refuse,
            property,
            overflow,
        },
        object: ObjectType::contacts(),
        person: person_of(email.as_deref(), object_id.is_some()),
        object_id,
        email,
        utk,
        occurred_at: occurred_at(payload.get("occurredAt"), planning),
        properties: event_properties(clean, property, overflow)?,
        uuid: uuid_of(planning.key),
    };
    Ok(plan_of(step, planning))
}

/// The fully qualified name: lower-cased, with `_` for every run of blanks and dots, and with the portal's prefix when
/// that is known and missing.
pub(crate) fn event_name(written: &str, hub_id: Option<u64>) -> Result<EventName, Refusal> {
    let refused = |message: String| {
        let code = RefusalCode::EventNameInvalid;
        Err(Refusal::new(code, Some("eventName"), message))
    };
    let name = joined_lower(written);
    let is_known = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '_' | '-');
    if let Some(strange) = name.chars().find(|c| !is_known(*c)) {
        return refused(format!(
            "an event's name has lower-case letters, digits and _, and not {strange:?}"
        ));
    }
    match (prefix_id(&name), hub_id) {
        (Some(named), Some(known)) if named != known.to_string() => refused(format!(
            "the event belongs to the portal {named}, and this destination is the portal {known}"
        )),
        (Some(_), _) => Ok(EventName::new(&name)),
        (None, Some(known)) if name.starts_with(|c: char| c.is_ascii_lowercase()) => {
            Ok(EventName::new(&format!("pe{known}_{name}")))
        }
        (None, Some(_)) => refused("an event's name begins with a letter".to_owned()),
        (None, None) => refused(
            "an event's full name begins with pe, the portal's id and _, as HubSpot shows it; with hubspot.portal_id set it \
             is added by itself"
                .to_owned(),
        ),
    }
}

fn joined_lower(written: &str) -> String {
    let mut name = String::with_capacity(written.len());
    let mut is_in_run = false;
    for c in written.trim().chars().flat_map(char::to_lowercase) {
        let is_gap = c == '.' || c.is_whitespace();
        if !is_gap {
            name.push(c);
        } else if !is_in_run {
            name.push('_');
        }
        is_in_run = is_gap;
    }
    name
}

/// The portal's id in `pe{id}_…`.
fn prefix_id(name: &str) -> Option<&str> {
    let (id, short) = name.strip_prefix("pe")?.split_once('_')?;
    let is_prefix = !id.is_empty() && !short.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
    is_prefix.then_some(id)
}

/// The properties, flattened (actions.md §2.2), under clean names.
fn flat_properties(
    properties: Map<String, Value>,
    planning: &Planning<'_>,
    notes: &mut Vec<PlanNote>,
) -> Result<Vec<Cleaned>, Refusal> {
    let mut flattened = Map::new();
    for (name, value) in properties {
        let value = match value {
            Value::Bool(_) | Value::Number(_) => Some(value),
            other => flat(other, planning.settings).map(Value::String),
        };
        flattened.extend(value.map(|value| (name, value)));
    }
    let texts = clean::NumbersInText::Texts;
    clean::properties(flattened, texts, planning.settings, notes)
}

#[cfg(test)]
mod tests;
