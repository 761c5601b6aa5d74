//! The contract of the mapping language, row by row in the order in which it is written down: values and directives
//! (§2–6), field schemas (§7), triggers (§8). The unit tests go further; here nothing may be missing.

mod directives;
mod fields;
mod liquid;
mod paths;
mod structure;
mod triggers;

use hubferry_mapping::Mapping;
use serde_json::{Value, json};

/// What becomes of a node for an event.
#[derive(Debug, PartialEq)]
enum Is {
    Value(Value),
    Undefined,
    /// A permanent error of the event.
    Error,
    /// The mapping is refused when it is loaded.
    Invalid,
}

fn value(value: Value) -> Is {
    Is::Value(value)
}

/// What becomes of `{"x": node}`.
fn outcome(node: &Value, event: &Value) -> Is {
    let Ok(mapping) = Mapping::compile(&json!({ "x": node })) else {
        return Is::Invalid;
    };
    let before = event.clone();
    let resolved = mapping.resolve(event);
    assert_eq!(*event, before, "an event never changes");
    match resolved {
        Err(_) => Is::Error,
        Ok(payload) => payload
            .and_then(|payload| payload.get("x").cloned())
            .map_or(Is::Undefined, Is::Value),
    }
}

/// Rows of a table: the node, the event, what becomes of it.
fn check(rows: Vec<(Value, Value, Is)>) {
    for (node, event, expected) in rows {
        assert_eq!(outcome(&node, &event), expected, "{node} on {event}");
    }
}

/// Rows of a directive's table: only its option is given.
fn check_directive(name: &str, rows: Vec<(Value, Value, Is)>) {
    check(
        rows.into_iter()
            .map(|(option, event, expected)| (json!({ name: option }), event, expected))
            .collect(),
    );
}
