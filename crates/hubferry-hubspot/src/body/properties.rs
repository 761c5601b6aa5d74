//! Creating properties of record types (hubspot-api.md §5.1, actions.md §6.3).

use hubferry_actions::{PropertyDefinition, ValueKind};
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PropertyBody<'a> {
    name: &'a str,
    label: &'a str,
    description: &'a str,
    group_name: &'a str,
    r#type: &'static str,
    field_type: &'static str,
    has_unique_value: bool,
    hidden: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_sensitivity: Option<&'static str>,
    #[serde(skip_serializing_if = "<[Choice]>::is_empty")]
    options: &'static [Choice],
}

/// One option of an enumeration.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Choice {
    label: &'static str,
    value: &'static str,
    hidden: bool,
    description: &'static str,
    display_order: u32,
}

/// What a boolean may be. HubSpot knows it as an enumeration.
pub(super) static TRUE_OR_FALSE: [Choice; 2] = [choice("true", 1), choice("false", 2)];

const fn choice(value: &'static str, display_order: u32) -> Choice {
    Choice {
        label: value,
        value,
        hidden: false,
        description: "",
        display_order,
    }
}

impl<'a> PropertyBody<'a> {
    pub(super) fn of(definition: &'a PropertyDefinition) -> Self {
        let (r#type, field_type) = types(definition.kind);
        let is_boolean = definition.kind == ValueKind::Boolean;
        Self {
            name: definition.name.as_str(),
            label: &definition.label,
            description: definition.description,
            group_name: &definition.group,
            r#type,
            field_type,
            has_unique_value: definition.unique,
            hidden: definition.hidden,
            data_sensitivity: definition.sensitive.then_some("sensitive"),
            options: if is_boolean { &TRUE_OR_FALSE } else { &[] },
        }
    }
}

const fn types(kind: ValueKind) -> (&'static str, &'static str) {
    match kind {
        ValueKind::Text => ("string", "text"),
        ValueKind::Number => ("number", "number"),
        ValueKind::Boolean => ("enumeration", "booleancheckbox"),
        ValueKind::Date => ("date", "date"),
        ValueKind::DateTime => ("datetime", "date"),
    }
}
