//! A trigger's logic on an event.

use serde_json::Value;

use crate::text::{float, is_truthy};

/// What must hold.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Logic {
    All(Vec<Logic>),
    Any(Vec<Logic>),
    Test(Test),
}

/// One field and what is asked of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Test {
    pub(super) field: Field,
    pub(super) check: Check,
}

/// The fields a trigger can name.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Field {
    Type,
    Event,
    Name,
    UserId,
    Under(Section, Vec<String>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Section {
    Properties,
    Traits,
    Context,
}

/// What is asked of a value. Negations are checks of their own: only `TextNot` and `Null` hold for missing values.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Check {
    Text(String),
    TextNot(String),
    Number(f64),
    NumberNot(f64),
    Less(f64),
    LessOrEqual(f64),
    Greater(f64),
    GreaterOrEqual(f64),
    Bool(bool),
    Null,
    NotNull,
    Contains(String),
    ContainsNot(String),
    Prefix(String),
    PrefixNot(String),
    Suffix(String),
    SuffixNot(String),
}

impl Logic {
    pub(super) fn holds(&self, event: &Value) -> bool {
        match self {
            Self::All(items) => items.iter().all(|item| item.holds(event)),
            Self::Any(items) => items.iter().any(|item| item.holds(event)),
            Self::Test(test) => test.check.holds(test.field.of(event)),
        }
    }
}

impl Field {
    fn of<'e>(&self, event: &'e Value) -> Option<&'e Value> {
        match self {
            Self::Type => event.get("type"),
            Self::Event => event.get("event"),
            Self::Name => event.get("name"),
            Self::UserId => event.get("userId"),
            Self::Under(section, path) => {
                let root = event.get(section.key()).filter(|root| root.is_object())?;
                walk(root, path)
            }
        }
    }
}

impl Section {
    const fn key(self) -> &'static str {
        match self {
            Self::Properties => "properties",
            Self::Traits => "traits",
            Self::Context => "context",
        }
    }
}

/// As paths in mappings, a value that JavaScript takes for false ends the walk. Elements of lists are out of reach.
fn walk<'e>(root: &'e Value, path: &[String]) -> Option<&'e Value> {
    let mut current = root;
    for key in path {
        if !is_truthy(current) {
            break;
        }
        current = current.as_object()?.get(key)?;
    }
    Some(current)
}

impl Check {
    fn holds(&self, value: Option<&Value>) -> bool {
        let text = value.and_then(Value::as_str);
        let number = value.and_then(Value::as_number).map(float);
        match self {
            Self::Text(wanted) => text == Some(wanted),
            Self::TextNot(wanted) => text != Some(wanted),
            Self::Number(wanted) => number.is_some_and(|n| n == *wanted),
            Self::NumberNot(wanted) => number.is_some_and(|n| n != *wanted),
            Self::Less(limit) => number.is_some_and(|n| n < *limit),
            Self::LessOrEqual(limit) => number.is_some_and(|n| n <= *limit),
            Self::Greater(limit) => number.is_some_and(|n| n > *limit),
            Self::GreaterOrEqual(limit) => number.is_some_and(|n| n >= *limit),
            Self::Bool(wanted) => value.and_then(Value::as_bool) == Some(*wanted),
            Self::Null => value.is_none_or(Value::is_null),
            Self::NotNull => value.is_some_and(|v| !v.is_null()),
            Self::Contains(part) => text.is_some_and(|t| t.contains(part.as_str())),
            Self::ContainsNot(part) => text.is_some_and(|t| !t.contains(part.as_str())),
            Self::Prefix(start) => text.is_some_and(|t| t.starts_with(start.as_str())),
            Self::PrefixNot(start) => text.is_some_and(|t| !t.starts_with(start.as_str())),
            Self::Suffix(end) => text.is_some_and(|t| t.ends_with(end.as_str())),
            Self::SuffixNot(end) => text.is_some_and(|t| !t.ends_with(end.as_str())),
        }
    }
}
