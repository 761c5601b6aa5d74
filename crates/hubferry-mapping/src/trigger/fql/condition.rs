//! A condition on an event.

use std::cmp::Ordering;
use std::fmt;

use hubferry_event::{Json, JsonKind};
use serde_json::Value;

use super::function::Function;
use super::glob::Glob;
use super::scan::Sign;
use crate::path::Found;
use crate::text::json_float;
use crate::trigger::canon::{Quoted, write_group, write_path};
use crate::trigger::found_kind;

/// What must hold.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::trigger) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Compare(Operand, Sign, Operand),
    In(Operand, Operand),
    /// The operand is `true`.
    Truth(Operand),
}

/// A value, written or looked up.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::trigger) enum Operand {
    Literal(Value),
    List(Vec<Operand>),
    Field(Vec<String>),
    Call(Box<Call>),
}

/// A function with its arguments; a pattern that is written out is compiled once.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::trigger) struct Call {
    function: Function,
    arguments: Vec<Operand>,
    glob: Option<Glob>,
}

/// The longest pattern for `match`, in bytes; matching takes at most its length times that of the text.
pub(super) const MAX_PATTERN_BYTES: usize = 256;

impl Condition {
    pub(in crate::trigger) fn holds(&self, event: Json<'_>) -> bool {
        match self {
            Self::All(items) => items.iter().all(|item| item.holds(event)),
            Self::Any(items) => items.iter().any(|item| item.holds(event)),
            Self::Not(inner) => !inner.holds(event),
            Self::Compare(left, sign, right) => {
                sign.holds(left.value(event).as_json(), right.value(event).as_json())
            }
            Self::In(left, list) => {
                let left = left.value(event);
                let list = list.value(event);
                list.as_json()
                    .elements()
                    .any(|item| same(item, left.as_json()))
            }
            Self::Truth(operand) => operand.value(event).as_json().as_bool() == Some(true),
        }
    }

    /// The first clause that decides against an event that does not match.
    pub(in crate::trigger) fn explain(&self, event: Json<'_>) -> String {
        match self {
            Self::All(items) => match items.iter().find(|item| !item.holds(event)) {
                Some(first) => first.explain(event),
                None => format!("`{self}` holds"),
            },
            Self::Any(_) => format!("`{self}` does not hold: none of its parts does"),
            Self::Not(inner) => format!("`{self}` does not hold: `{inner}` does"),
            Self::Compare(left, ..) | Self::In(left, _) | Self::Truth(left) => {
                let value = left.value(event);
                let kind = found_kind(Some(value.as_json()).filter(|json| !json.is_null()));
                format!("`{self}` does not hold: {} is {kind}", left.role())
            }
        }
    }

    const fn is_group(&self) -> bool {
        matches!(self, Self::All(_) | Self::Any(_))
    }
}

impl Operand {
    pub(super) fn number(number: f64) -> Self {
        let text = hubferry_event::float_text(number);
        Self::Literal(text.parse().map_or(Value::Null, Value::Number))
    }

    /// Whether it makes sense alone: a field below the top, or a function that says yes or no.
    pub(super) fn can_be_true(&self) -> bool {
        match self {
            Self::Field(keys) => keys.len() > 1,
            Self::Call(call) => call.function.decides(),
            Self::Literal(_) | Self::List(_) => false,
        }
    }

    /// The value; null when there is none.
    pub(super) fn value<'a>(&'a self, event: Json<'a>) -> Found<'a> {
        match self {
            Self::Literal(value) => Found::Lent(value.into()),
            Self::List(items) => Found::Made(
                items
                    .iter()
                    .map(|item| item.value(event).into_value())
                    .collect(),
            ),
            Self::Field(keys) => walk(event, keys).map_or(Found::Made(Value::Null), Found::Lent),
            Self::Call(call) => call.value(event),
        }
    }

    const fn role(&self) -> &'static str {
        match self {
            Self::Field(_) => "the field",
            Self::Call(_) => "the result",
            Self::Literal(_) | Self::List(_) => "the left side",
        }
    }
}

fn walk<'e>(root: Json<'e>, keys: &[String]) -> Option<Json<'e>> {
    keys.iter()
        .try_fold(root, |current, key| match current.kind() {
            JsonKind::Object => current.get(key),
            JsonKind::Array => current.element(key.parse().ok()?),
            _ => None,
        })
}

impl Call {
    pub(super) fn new(function: Function, arguments: Vec<Operand>) -> Self {
        let glob = match (function, arguments.get(1)) {
            (Function::Match, Some(Operand::Literal(Value::String(pattern)))) => {
                Some(Glob::parse(pattern))
            }
            _ => None,
        };
        Self {
            function,
            arguments,
            glob,
        }
    }

    fn value<'a>(&'a self, event: Json<'a>) -> Found<'a> {
        let argument = |index: usize| match self.arguments.get(index) {
            Some(operand) => operand.value(event),
            None => Found::Made(Value::Null),
        };
        let first = argument(0);
        match (self.function, &self.glob) {
            (Function::Contains, _) => {
                let part = argument(1);
                let contains = match (first.as_json().as_str(), part.as_json().as_str()) {
                    (Some(text), Some(part)) => text.contains(part),
                    _ => false,
                };
                Found::Made(Value::Bool(contains))
            }
            (Function::Match, Some(glob)) => {
                let text = first.as_json().as_str();
                Found::Made(Value::Bool(text.is_some_and(|t| glob.matches(t))))
            }
            (Function::Match, None) => {
                let pattern = argument(1);
                let matches = match (first.as_json().as_str(), pattern.as_json().as_str()) {
                    (Some(text), Some(pattern)) if pattern.len() <= MAX_PATTERN_BYTES => {
                        Glob::parse(pattern).matches(text)
                    }
                    _ => false,
                };
                Found::Made(Value::Bool(matches))
            }
            (function, _) => function.of(first),
        }
    }
}

impl Sign {
    fn holds(self, left: Json<'_>, right: Json<'_>) -> bool {
        let order = || order(left, right);
        match self {
            Self::Equal => same(left, right),
            Self::NotEqual => !same(left, right),
            Self::Less => order() == Some(Ordering::Less),
            Self::LessOrEqual => order().is_some_and(Ordering::is_le),
            Self::Greater => order() == Some(Ordering::Greater),
            Self::GreaterOrEqual => order().is_some_and(Ordering::is_ge),
        }
    }
}

/// Same type and same value; numbers as JavaScript holds them, but inside of objects as they are written.
fn same(left: Json<'_>, right: Json<'_>) -> bool {
    match (left.kind(), right.kind()) {
        (JsonKind::Number, JsonKind::Number) => json_float(left) == json_float(right),
        (JsonKind::Array, JsonKind::Array) => same_elements(left, right, same),
        _ => identical(left, right),
    }
}

fn identical(left: Json<'_>, right: Json<'_>) -> bool {
    if left.kind() != right.kind() {
        return false;
    }
    match left.kind() {
        JsonKind::Null => true,
        JsonKind::Bool => left.as_bool() == right.as_bool(),
        JsonKind::Number => left.as_number_text() == right.as_number_text(),
        JsonKind::String => left.as_str() == right.as_str(),
        JsonKind::Array => same_elements(left, right, identical),
        JsonKind::Object => {
            left.len() == right.len()
                && left
                    .members()
                    .all(|(key, value)| right.get(key).is_some_and(|other| identical(value, other)))
        }
    }
}

fn same_elements(left: Json<'_>, right: Json<'_>, same: fn(Json<'_>, Json<'_>) -> bool) -> bool {
    left.len() == right.len()
        && left
            .elements()
            .zip(right.elements())
            .all(|(l, r)| same(l, r))
}

/// Numbers and texts have an order, each among themselves.
fn order(left: Json<'_>, right: Json<'_>) -> Option<Ordering> {
    match (left.as_str(), right.as_str()) {
        (Some(left), Some(right)) => Some(left.cmp(right)),
        _ => json_float(left)?.partial_cmp(&json_float(right)?),
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(items) => write_group(f, items, "and", Self::is_group),
            Self::Any(items) => write_group(f, items, "or", Self::is_group),
            Self::Not(inner) => match &**inner {
                Self::Truth(operand) => write!(f, "!{operand}"),
                other => write!(f, "!({other})"),
            },
            Self::Compare(left, sign, right) => write!(f, "{left} {} {right}", sign.written()),
            Self::In(left, list) => write!(f, "{left} in {list}"),
            Self::Truth(operand) => operand.fmt(f),
        }
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(Value::String(text)) => Quoted(text).fmt(f),
            Self::Literal(value) => f.write_str(&crate::text::js_text(value)),
            Self::List(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    let comma = if index > 0 { ", " } else { "" };
                    write!(f, "{comma}{item}")?;
                }
                f.write_str("]")
            }
            Self::Field(keys) => write_path(f, keys.iter().map(String::as_str)),
            Self::Call(call) => call.fmt(f),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.function.name())?;
        for (index, argument) in self.arguments.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            match &self.glob {
                Some(glob) if index == 1 => Quoted(&glob.to_string()).fmt(f)?,
                _ => argument.fmt(f)?,
            }
        }
        f.write_str(")")
    }
}
