//! What an answer says about a portal's schema: properties, types, event definitions, lists (hubspot-api.md §5–§7).

use std::sync::Arc;

use hubferry_actions::{
    EventDefinition, EventPropertyInfo, ListInfo, ObjectProperties, OptionInfo, PropertyInfo,
    PropertyName, Sensitivity, ValueType,
};
use serde_json::Value;

use crate::call::Request;
use crate::json::{flag, items, text};
use crate::outcome::Fact;

/// What was asked about, when the answer says it.
pub(crate) fn fact(request: &Request, body: &Value) -> Option<Fact> {
    match request {
        Request::ReadProperties { sensitivity, .. } => {
            let Some(Value::Array(results)) = body.get("results") else {
                return None;
            };
            let known = results.iter().filter_map(|one| property(one, *sensitivity));
            Some(Fact::Properties(ObjectProperties::new(known)))
        }
        Request::ReadObjectType { .. } => {
            let id = text(body, "objectTypeId").filter(|id| !id.is_empty())?;
            Some(Fact::TypeId(Arc::from(id)))
        }
        Request::ReadEventDefinition { .. } => definition(body).map(Fact::Definition),
        Request::ReadList { .. } => list(body).map(Fact::List),
        _ => None,
    }
}

/// A property that is not archived. Definitions of one class do not always repeat it.
pub(crate) fn property(
    shown: &Value,
    asked_for: Sensitivity,
) -> Option<(PropertyName, PropertyInfo)> {
    let name = text(shown, "name").filter(|name| !name.is_empty())?;
    if flag(shown, "archived") {
        return None;
    }
    let kind = text(shown, "type").unwrap_or_default();
    let field = text(shown, "fieldType").unwrap_or_default();
    let read_only = shown
        .get("modificationMetadata")
        .is_some_and(|rules| flag(rules, "readOnlyValue"));
    let info = PropertyInfo {
        label: text(shown, "label").unwrap_or_else(|| name.clone()).into(),
        value: value_type(&kind, &field, shown),
        kind: format!("{kind}:{field}").into(),
        read_only: read_only || flag(shown, "calculated"),
        unique: flag(shown, "hasUniqueValue"),
        sensitivity: match text(shown, "dataSensitivity").as_deref() {
            Some("sensitive") => Sensitivity::Sensitive,
            Some("highly_sensitive") => Sensitivity::HighlySensitive,
            _ => asked_for,
        },
    };
    Some((PropertyName::new(&name), info))
}

/// An event definition; archived ones and archived properties are kept, marked.
pub(crate) fn definition(shown: &Value) -> Option<EventDefinition> {
    let full_name = text(shown, "fullyQualifiedName").filter(|name| !name.is_empty())?;
    let properties = items(shown, "properties").iter();
    Some(EventDefinition {
        name: text(shown, "name").unwrap_or_default().into(),
        archived: flag(shown, "archived"),
        properties: properties.filter_map(event_property).collect(),
        full_name: full_name.into(),
    })
}

/// A property of an event definition, archived or not.
pub(crate) fn event_property(shown: &Value) -> Option<EventPropertyInfo> {
    let name = text(shown, "name").filter(|name| !name.is_empty())?;
    let kind = text(shown, "type").unwrap_or_default();
    let field = text(shown, "fieldType").unwrap_or_default();
    Some(EventPropertyInfo {
        name: name.to_lowercase().into(),
        value: value_type(&kind, &field, shown),
        archived: flag(shown, "archived"),
    })
}

fn list(body: &Value) -> Option<ListInfo> {
    let list = body.get("list").unwrap_or(body);
    let id = text(list, "listId").filter(|id| !id.is_empty())?;
    let processing = text(list, "processingType").unwrap_or_default();
    Some(ListInfo {
        id: id.into(),
        writable: matches!(processing.as_str(), "MANUAL" | "SNAPSHOT"),
    })
}

/// HubSpot's type and field type (hubspot-api.md §5.1), in any case.
fn value_type(kind: &str, field: &str, shown: &Value) -> ValueType {
    let (kind, field) = (kind.to_ascii_lowercase(), field.to_ascii_lowercase());
    match (kind.as_str(), field.as_str()) {
        ("bool", _) | ("enumeration", "booleancheckbox") => ValueType::Boolean,
        ("enumeration", _) => enumeration(&field, shown),
        ("number", _) => ValueType::Number,
        ("date", _) => ValueType::Date,
        ("datetime", _) => ValueType::DateTime,
        ("string" | "phone_number", _) => ValueType::Text,
        _ => ValueType::Other,
    }
}

fn enumeration(field: &str, shown: &Value) -> ValueType {
    let options: Vec<OptionInfo> = items(shown, "options").iter().filter_map(option).collect();
    let is_boolean = options.len() == 2
        && ["true", "false"]
            .iter()
            .all(|value| options.iter().any(|option| &*option.value == *value));
    // Options kept elsewhere (owners and the like) only HubSpot can judge.
    if options.is_empty() || flag(shown, "externalOptions") {
        ValueType::Other
    } else if is_boolean {
        ValueType::Boolean
    } else if field == "checkbox" {
        ValueType::Options(options)
    } else {
        ValueType::Option(options)
    }
}

fn option(shown: &Value) -> Option<OptionInfo> {
    let value = text(shown, "value").filter(|value| !value.is_empty())?;
    Some(OptionInfo {
        label: text(shown, "label").unwrap_or_else(|| value.clone()).into(),
        value: value.into(),
    })
}
