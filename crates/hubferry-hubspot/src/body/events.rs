//! Custom events: occurrences, definitions and their properties (hubspot-api.md §7, actions.md §8.1).

use hubferry_actions::{EventName, EventPropertyDefinition, ObjectType, PropertyName, ValueKind};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use std::sync::Arc;

use super::properties::{Choice, TRUE_OR_FALSE};
use crate::call::OccurrenceInput;

/// The most characters of a definition's label (hubspot-api.md §7.1).
const MAX_LABEL_CHARS: usize = 100;
/// The most characters of a property's label.
const MAX_PROPERTY_LABEL_CHARS: usize = 50;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Occurred<'a> {
    event_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    object_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    utk: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    occurred_at: Option<&'a str>,
    properties: Texts<'a>,
    uuid: &'a str,
}

/// Texts by name, as a JSON object.
struct Texts<'a>(&'a [(PropertyName, Arc<str>)]);

impl Serialize for Texts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            map.serialize_entry(name.as_str(), &**value)?;
        }
        map.end()
    }
}

impl<'a> Occurred<'a> {
    pub(super) fn of(input: &'a OccurrenceInput) -> Self {
        Self {
            event_name: &input.event,
            object_id: input.object_id.as_ref().map(|id| id.as_str()),
            email: input.email.as_deref(),
            utk: input.utk.as_deref(),
            occurred_at: input.occurred_at.as_deref(),
            properties: Texts(&input.properties),
            uuid: &input.uuid,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DefinitionBody<'a> {
    label: &'a str,
    name: &'a str,
    description: &'static str,
    primary_object: &'a str,
    include_default_properties: bool,
    property_definitions: Vec<EventProperty<'a>>,
}

impl<'a> DefinitionBody<'a> {
    pub(super) fn of(
        event: &'a EventName,
        object: &'a ObjectType,
        properties: &'a [EventPropertyDefinition],
    ) -> Self {
        let name = event.as_str();
        Self {
            label: first_chars(name, MAX_LABEL_CHARS),
            name,
            description: "",
            primary_object: primary_object(object),
            include_default_properties: true,
            property_definitions: properties.iter().map(EventProperty::of).collect(),
        }
    }
}

/// The standard types that events can happen to have names of their own here.
fn primary_object(object: &ObjectType) -> &str {
    match object.type_id() {
        Some("0-1") => "CONTACT",
        Some("0-2") => "COMPANY",
        Some("0-3") => "DEAL",
        Some("0-5") => "TICKET",
        _ => object.as_str(),
    }
}

#[derive(Serialize)]
pub(super) struct EventProperty<'a> {
    name: &'a str,
    label: &'a str,
    r#type: &'static str,
    #[serde(skip_serializing_if = "<[Choice]>::is_empty")]
    options: &'static [Choice],
}

impl<'a> EventProperty<'a> {
    pub(super) fn of(definition: &'a EventPropertyDefinition) -> Self {
        let name = definition.name.as_str();
        let (r#type, options): (_, &[Choice]) = match definition.kind {
            ValueKind::Text => ("string", &[]),
            ValueKind::Number => ("number", &[]),
            ValueKind::Boolean => ("enumeration", &TRUE_OR_FALSE),
            ValueKind::Date | ValueKind::DateTime => ("datetime", &[]),
        };
        Self {
            name,
            label: first_chars(name, MAX_PROPERTY_LABEL_CHARS),
            r#type,
            options,
        }
    }
}

fn first_chars(text: &str, most: usize) -> &str {
    let end = text.char_indices().nth(most).map_or(text.len(), |(i, _)| i);
    &text[..end]
}
