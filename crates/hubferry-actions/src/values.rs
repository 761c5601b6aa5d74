//! From JSON to the texts HubSpot takes (actions.md §2.2).

use std::sync::Arc;

use hubferry_mapping::js_text;
use serde_json::{Map, Value};

use crate::action::{ActionSettings, Nulls};
use crate::nouns::{ObjectType, Properties, PropertyName, PropertyText};
use crate::plan::{Creation, Policy, UnknownProperty, ValueKind};

/// The internal name of the lifecycle stage, whose values are compared lower-cased.
pub(crate) const LIFECYCLE_STAGE: &str = "lifecyclestage";

/// Takes a text field of the payload, trimmed; the empty text stays, it clears.
pub(crate) fn take_text(payload: &mut Map<String, Value>, field: &str) -> Option<String> {
    match payload.remove(field)? {
        Value::String(text) => Some(trimmed(text)),
        Value::Null => None,
        other => Some(js_text(&other)),
    }
}

/// Flattens a property object: lists are joined with `;`, objects become JSON, texts are trimmed, nulls are left out or
/// clear. Later members of the same name do not occur: it is an object.
pub(crate) fn flatten(object: Map<String, Value>, settings: &ActionSettings) -> Properties {
    object
        .into_iter()
        .filter_map(|(name, value)| {
            let text = flat(value, settings)?;
            Some((PropertyName::new(&name), PropertyText::new(&text)))
        })
        .collect()
}

/// The text of one member of a property object; `None` for a null that says nothing.
pub(crate) fn flat(value: Value, settings: &ActionSettings) -> Option<String> {
    match value {
        Value::Null => match settings.nulls {
            Nulls::Skip => None,
            Nulls::Clear => Some(String::new()),
        },
        Value::Array(elements) => Some(joined(&elements, settings.skip_null_elements)),
        Value::Object(_) => Some(value.to_string()),
        Value::String(text) => Some(trimmed(text)),
        Value::Bool(_) | Value::Number(_) => Some(js_text(&value)),
    }
}

fn joined(elements: &[Value], skip_nulls: bool) -> String {
    let texts: Vec<String> = elements
        .iter()
        .filter(|element| !(skip_nulls && element.is_null()))
        .map(|element| match element {
            Value::Object(_) | Value::Array(_) | Value::Null => element.to_string(),
            Value::String(text) => text.clone(),
            Value::Bool(_) | Value::Number(_) => js_text(element),
        })
        .collect();
    texts.join(";")
}

/// The property values a search goes by: a null says nothing about a record, and an empty text would match every record
/// without a value.
pub(crate) fn search_fields(written: Option<Value>, settings: &ActionSettings) -> Properties {
    let Some(Value::Object(mut fields)) = written else {
        return Properties::new();
    };
    fields.retain(|_, value| !value.is_null());
    let mut fields = flatten(fields, settings);
    fields.retain(|(_, value)| !value.expose().is_empty());
    fields
}

/// Puts properties beside others, or in the place of those of the same name. `more` names nothing twice.
pub(crate) fn put_among(properties: &mut Properties, more: Properties) {
    let before = properties.len();
    for (name, value) in more {
        match properties[..before].iter_mut().find(|(n, _)| *n == name) {
            Some(slot) => slot.1 = value,
            None => properties.push((name, value)),
        }
    }
}

/// How the properties of a payload are created where they are missing; `None` when the mapping does not want that.
pub(crate) fn creation_of(
    payload: &Map<String, Value>,
    object: &ObjectType,
    policy: &Policy,
) -> Option<Creation> {
    if policy.unknown_property != UnknownProperty::Create {
        return None;
    }
    let others = payload.get("properties").and_then(Value::as_object);
    let kinds = others.into_iter().flatten().filter_map(|(name, value)| {
        let kind = match value {
            Value::Number(_) => ValueKind::Number,
            Value::Bool(_) => ValueKind::Boolean,
            _ => return None,
        };
        Some((PropertyName::new(name), kind))
    });
    Some(Creation {
        group: Arc::from(object.usual_group().unwrap_or_default()),
        sensitive: Vec::new(),
        kinds: kinds.collect(),
    })
}

/// Lower-cases a lifecycle stage wherever it was mapped; internal values are lower-case (hubspot-api.md §10.2).
pub(crate) fn normalise_stage(properties: &mut Properties) {
    for (name, value) in properties {
        if name.as_str() == LIFECYCLE_STAGE {
            *value = PropertyText::new(&value.expose().trim().to_lowercase());
        }
    }
}

fn trimmed(text: String) -> String {
    if text.trim().len() == text.len() {
        text
    } else {
        text.trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_settings::settings;
    use serde_json::json;

    fn flattened(object: Value, settings: &ActionSettings) -> Vec<(String, String)> {
        let Value::Object(object) = object else {
            panic!("an object")
        };
        flatten(object, settings)
            .iter()
            .map(|(n, v)| (n.as_str().to_owned(), v.expose().to_owned()))
            .collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect()
    }

    #[test]
    fn flattening_follows_the_table() {
        let object = json!({"a": [1, "two", true, {"f": 4}, null], "b": {"x": 1}, "c": " y ", "d": null, "e": 0});
        let expected = pairs(&[
            ("a", "1;two;true;{\"f\":4};null"),
            ("b", "{\"x\":1}"),
            ("c", "y"),
            ("e", "0"),
        ]);
        assert_eq!(flattened(object, &settings()), expected);
    }

    #[test]
    fn an_empty_text_stays_and_clears() {
        assert_eq!(
            flattened(json!({"a": "", "b": "  "}), &settings()),
            pairs(&[("a", ""), ("b", "")])
        );
    }

    #[test]
    fn nulls_clear_and_null_elements_go_when_the_mapping_says_so() {
        let settings = ActionSettings {
            nulls: Nulls::Clear,
            skip_null_elements: true,
            ..settings()
        };
        assert_eq!(
            flattened(json!({"a": null, "b": [1, null, 2]}), &settings),
            pairs(&[("a", ""), ("b", "1;2")])
        );
    }

    #[test]
    fn large_numbers_survive() {
        let object: Value = serde_json::from_str(
            r#"{"a": 12345678901234567890, "b": 1e21, "c": 0.10, "d": false}"#,
        )
        .unwrap();
        let flat = flattened(object, &settings());
        assert_eq!(flat[0].1, "12345678901234567890");
        assert_eq!(flat[1].1, "1e+21");
        assert_eq!(flat[3].1, "false");
    }
}
