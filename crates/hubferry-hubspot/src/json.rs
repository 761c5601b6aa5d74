//! Reading JSON that may have any shape: HubSpot's schemas are stricter on paper than on the wire
//! (hubspot-api.md §2.3, §11.4), so nothing is required and nothing fails.

use serde_json::Value;

/// A scalar as text; numbers keep their digits.
pub(crate) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The scalar under a key.
pub(crate) fn text(object: &Value, key: &str) -> Option<String> {
    object.get(key).and_then(scalar)
}

/// The scalars under a key: those of a list, or the one that stands alone.
pub(crate) fn texts(object: &Value, key: &str) -> Vec<String> {
    match object.get(key) {
        Some(Value::Array(items)) => items.iter().filter_map(scalar).collect(),
        Some(other) => scalar(other).into_iter().collect(),
        None => Vec::new(),
    }
}

/// The items of the list under a key.
pub(crate) fn items<'a>(object: &'a Value, key: &str) -> &'a [Value] {
    match object.get(key) {
        Some(Value::Array(items)) => items,
        _ => &[],
    }
}

/// Whether a key says true, as a boolean or as text.
pub(crate) fn flag(object: &Value, key: &str) -> bool {
    text(object, key).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}
