//! A condition on an event.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use serde_json::Value;

use super::function::Function;
use super::glob::Glob;
use super::scan::Sign;
use crate::text::float;
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

static NULL: Value = Value::Null;

impl Condition {
    pub(in crate::trigger) fn holds(&self, event: &Value) -> bool {
        match self {
            Self::All(items) => items.iter().all(|item| item.holds(event)),
            Self::Any(items) => items.iter().any(|item| item.holds(event)),
            Self::Not(inner) => !inner.holds(event),
            Self::Compare(left, sign, right) => sign.holds(&left.value(event), &right.value(event)),
            Self::In(left, list) => {
                let left = left.value(event);
                match &*list.value(event) {
                    Value::Array(items) => items.iter().any(|item| same(item, &left)),
                    _ => false,
                }
            }
            Self::Truth(operand) => *operand.value(event) == Value::Bool(true),
        }
    }

    /// The first clause that decides against an event that does not match.
    pub(in crate::trigger) fn explain(&self, event: &Value) -> String {
        match self {
            Self::All(items) => match items.iter().find(|item| !item.holds(event)) {
                Some(first) => first.explain(event),
                None => format!("`{self}` holds"),
            },
            Self::Any(_) => format!("`{self}` does not hold: none of its parts does"),
            Self::Not(inner) => format!("`{self}` does not hold: `{inner}` does"),
            Self::Compare(left, ..) | Self::In(left, _) | Self::Truth(left) => {
                let value = left.value(event);
                let kind = found_kind(Some(&value).filter(|value| !value.is_null()).map(|v| &**v));
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
    pub(super) fn value<'a>(&'a self, event: &'a Value) -> Cow<'a, Value> {
        match self {
            Self::Literal(value) => Cow::Borrowed(value),
            Self::List(items) => Cow::Owned(
                items
                    .iter()
                    .map(|item| item.value(event).into_owned())
                    .collect(),
            ),
            Self::Field(keys) => Cow::Borrowed(walk(event, keys).unwrap_or(&NULL)),
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

fn walk<'e>(root: &'e Value, keys: &[String]) -> Option<&'e Value> {
    keys.iter().try_fold(root, |current, key| match current {
        Value::Object(members) => members.get(key),
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
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

    fn value<'a>(&'a self, event: &'a Value) -> Cow<'a, Value> {
        let argument = |index: usize| match self.arguments.get(index) {
            Some(operand) => operand.value(event),
            None => Cow::Borrowed(&NULL),
        };
        let first = argument(0);
        match (self.function, &self.glob) {
            (Function::Contains, _) => {
                let part = argument(1);
                let contains = match (first.as_str(), part.as_str()) {
                    (Some(text), Some(part)) => text.contains(part),
                    _ => false,
                };
                Cow::Owned(Value::Bool(contains))
            }
            (Function::Match, Some(glob)) => {
                Cow::Owned(Value::Bool(first.as_str().is_some_and(|t| glob.matches(t))))
            }
            (Function::Match, None) => {
                let pattern = argument(1);
                let matches = match (first.as_str(), pattern.as_str()) {
                    (Some(text), Some(pattern)) if pattern.len() <= MAX_PATTERN_BYTES => {
                        Glob::parse(pattern).matches(text)
                    }
                    _ => false,
                };
                Cow::Owned(Value::Bool(matches))
            }
            (function, _) => function.of(first),
        }
    }
}

impl Sign {
    fn holds(self, left: &Value, right: &Value) -> bool {
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

/// Same type and same value; numbers as JavaScript holds them.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => float(left) == float(right),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(l, r)| same(l, r))
        }
        _ => left == right,
    }
}

/// Numbers and texts have an order, each among themselves.
fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => float(left).partial_cmp(&float(right)),
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        _ => None,
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
