//! Two JSON values side by side: every place at which they differ.

use std::fmt::Write as _;

use hubferry_event::number_text;
use serde_json::{Map, Value};

use crate::workbench::paint::{Paint, Tone};

/// One place at which a result is not as expected.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Difference {
    /// Such as `payload/properties/plan`.
    pub(super) at: String,
    /// What was expected there; `None` when nothing was.
    pub(super) expected: Option<Value>,
    /// What is there; `None` when nothing is.
    pub(super) came: Option<Value>,
    /// What helps to understand it.
    pub(super) because: Vec<String>,
}

impl Difference {
    pub(super) fn new(at: &str, expected: Option<Value>, came: Option<Value>) -> Self {
        Self {
            at: at.to_owned(),
            expected,
            came,
            because: Vec::new(),
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let mut difference = Map::new();
        difference.insert("at".to_owned(), self.at.as_str().into());
        if let Some(expected) = &self.expected {
            difference.insert("expected".to_owned(), expected.clone());
        }
        if let Some(came) = &self.came {
            difference.insert("got".to_owned(), came.clone());
        }
        if !self.because.is_empty() {
            difference.insert("because".to_owned(), self.because.clone().into());
        }
        Value::Object(difference)
    }

    pub(super) fn to_text(&self, paint: Paint) -> String {
        let shown = |value: &Option<Value>| {
            value
                .as_ref()
                .map_or_else(|| "nothing".to_owned(), Value::to_string)
        };
        let mut text = format!("  {}\n", self.at);
        let (expected, came) = (shown(&self.expected), shown(&self.came));
        // Writing to a String cannot fail.
        writeln!(text, "    expected {}", paint.text(Tone::Good, expected)).ok();
        writeln!(text, "    got      {}", paint.text(Tone::Bad, came)).ok();
        for reason in &self.because {
            writeln!(
                text,
                "    {}",
                paint.text(Tone::Dim, format!("note     {reason}"))
            )
            .ok();
        }
        text
    }
}

/// Whether numbers and booleans may stand for their text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scalars {
    Typed,
    AsText,
}

/// Adds every difference between two values.
pub(super) fn compare(
    at: &str,
    expected: &Value,
    came: Option<&Value>,
    found: &mut Vec<Difference>,
) {
    walk(at, Some(expected), came, Scalars::Typed, found);
}

/// The same where every value that comes is a text: `12` may be expected for `"12"`.
pub(super) fn compare_texts(
    at: &str,
    expected: &Value,
    came: Option<&Value>,
    found: &mut Vec<Difference>,
) {
    walk(at, Some(expected), came, Scalars::AsText, found);
}

fn walk(
    at: &str,
    expected: Option<&Value>,
    came: Option<&Value>,
    scalars: Scalars,
    found: &mut Vec<Difference>,
) {
    match (expected, came) {
        (Some(Value::Object(expected)), Some(Value::Object(came))) => {
            for (key, value) in expected {
                walk(
                    &format!("{at}/{key}"),
                    Some(value),
                    came.get(key),
                    scalars,
                    found,
                );
            }
            for (key, value) in came.iter().filter(|(key, _)| !expected.contains_key(*key)) {
                walk(&format!("{at}/{key}"), None, Some(value), scalars, found);
            }
        }
        (Some(Value::Array(expected)), Some(Value::Array(came))) => {
            for place in 0..expected.len().max(came.len()) {
                let at = format!("{at}/{place}");
                walk(&at, expected.get(place), came.get(place), scalars, found);
            }
        }
        (Some(expected), Some(came)) if same(expected, came, scalars) => {}
        (expected, came) => {
            found.push(Difference::new(at, expected.cloned(), came.cloned()));
        }
    }
}

fn same(expected: &Value, came: &Value, scalars: Scalars) -> bool {
    match (expected, came) {
        (Value::Number(expected), Value::Number(came)) => {
            number_text(expected) == number_text(came)
        }
        (Value::Number(expected), Value::String(came)) if scalars == Scalars::AsText => {
            number_text(expected) == *came
        }
        (Value::Bool(expected), Value::String(came)) if scalars == Scalars::AsText => {
            expected.to_string() == *came
        }
        _ => expected == came,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn places(expected: &Value, came: &Value) -> Vec<String> {
        let mut found = Vec::new();
        compare("x", expected, Some(came), &mut found);
        found.into_iter().map(|difference| difference.at).collect()
    }

    #[test]
    fn every_place_that_differs_is_found() {
        assert_eq!(
            places(
                &json!({ "a": 1, "b": [1, 2], "c": { "d": "x" }, "gone": null }),
                &json!({ "a": 1.0, "b": [1, 3, 4], "c": { "d": "y", "e": 1 } })
            ),
            ["x/b/1", "x/b/2", "x/c/d", "x/c/e", "x/gone"]
        );
        assert_eq!(places(&json!({ "a": 1 }), &json!({ "a": "1" })), ["x/a"]);
        assert!(places(&json!([]), &json!([])).is_empty());
        assert_eq!(places(&json!([]), &json!({})), ["x"]);
    }

    #[test]
    fn among_texts_a_number_stands_for_its_text() {
        let mut found = Vec::new();
        let expected = json!([{ "n": 12, "b": true, "s": "x" }]);
        let came = json!([{ "n": "12", "b": "true", "s": "x" }]);
        compare_texts("steps", &expected, Some(&came), &mut found);
        assert_eq!(found, []);
    }
}
