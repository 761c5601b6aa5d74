//! The forms that default mappings are made of.

use serde_json::{Value, json};

/// The value at a path.
pub(crate) fn path(path: &str) -> Value {
    json!({"@path": path})
}

/// The value at the first path, when it is there and not null, else the one at the second.
pub(crate) fn either(first: &str, second: &str) -> Value {
    json!({"@if": {"exists": path(first), "then": path(first), "else": path(second)}})
}
