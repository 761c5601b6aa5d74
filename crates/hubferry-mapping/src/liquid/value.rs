//! Values of a rendering, as JavaScript sees them.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

use super::cursor::is_blank;
use crate::text::{float, is_truthy, js_number, js_text};

/// A value of the event, of the template, or made by a filter.
#[derive(Clone, Debug)]
pub(super) enum Val<'a> {
    Undefined,
    /// The word `nil`, which equals everything that is missing.
    Nil,
    /// The word `empty`, which equals everything without content.
    Empty,
    /// The word `blank`, which equals `empty`, blanks, `false` and everything that is missing.
    Blank,
    /// A number that was written or computed; it may be infinite or no number.
    Number(f64),
    Json(Cow<'a, Value>),
}

impl<'a> Val<'a> {
    pub(super) fn from_text(text: impl Into<String>) -> Self {
        Self::Json(Cow::Owned(Value::String(text.into())))
    }

    pub(super) fn from_bool(truth: bool) -> Self {
        Self::Json(Cow::Owned(Value::Bool(truth)))
    }

    pub(super) fn from_list(items: Vec<Value>) -> Self {
        Self::Json(Cow::Owned(Value::Array(items)))
    }

    pub(super) fn from_found(found: Option<Cow<'a, Value>>) -> Self {
        found.map_or(Self::Undefined, Self::Json)
    }

    pub(super) fn as_json(&self) -> Option<&Value> {
        match self {
            Self::Json(value) => Some(value),
            _ => None,
        }
    }

    /// As an element of a list, which has no undefined, infinite or special values.
    pub(super) fn to_element(&self) -> Value {
        match self {
            Self::Json(value) => value.as_ref().clone(),
            Self::Number(number) => number_value(*number),
            Self::Empty | Self::Blank => Value::String(String::new()),
            Self::Undefined | Self::Nil => Value::Null,
        }
    }

    /// Missing or null.
    pub(super) fn is_nil(&self) -> bool {
        match self {
            Self::Undefined | Self::Nil => true,
            Self::Json(value) => value.is_null(),
            Self::Empty | Self::Blank | Self::Number(_) => false,
        }
    }

    /// Liquid's truth: everything but missing, null and `false`.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Undefined | Self::Nil => false,
            Self::Json(value) => !matches!(**value, Value::Null | Value::Bool(false)),
            Self::Empty | Self::Blank | Self::Number(_) => true,
        }
    }

    /// JavaScript's truth.
    pub(super) fn is_truthy(&self) -> bool {
        match self {
            Self::Undefined | Self::Nil | Self::Empty | Self::Blank => false,
            Self::Number(number) => *number != 0.0 && !number.is_nan(),
            Self::Json(value) => is_truthy(value.as_ref()),
        }
    }

    /// The text as it is put out: nothing for missing and null, lists without commas.
    pub(super) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Undefined | Self::Nil | Self::Empty | Self::Blank => Cow::Borrowed(""),
            Self::Number(number) => Cow::Owned(number_text(*number)),
            Self::Json(value) => match &**value {
                Value::String(text) => Cow::Borrowed(text),
                other => Cow::Owned(output_text(other)),
            },
        }
    }

    /// JavaScript's `String(value)`.
    pub(super) fn string(&self) -> String {
        match self {
            Self::Undefined => "undefined".to_owned(),
            Self::Nil => "null".to_owned(),
            Self::Empty | Self::Blank => String::new(),
            Self::Number(number) => number_text(*number),
            Self::Json(value) => js_text(value),
        }
    }

    /// JavaScript's `Number(value)`.
    pub(super) fn number(&self) -> f64 {
        match self {
            Self::Undefined => f64::NAN,
            Self::Nil | Self::Empty | Self::Blank => 0.0,
            Self::Number(number) => *number,
            Self::Json(value) => json_number(value),
        }
    }

    /// The number as filters take it: what is none counts as zero.
    pub(super) fn number_or_zero(&self) -> f64 {
        let number = self.number();
        if number.is_nan() { 0.0 } else { number }
    }

    /// The elements of a list; anything else is a list of itself, and nothing a list of nothing.
    pub(super) fn elements(&self) -> Cow<'_, [Value]> {
        match self {
            _ if self.is_nil() => Cow::Borrowed(&[]),
            Self::Json(value) => match &**value {
                Value::Array(items) => Cow::Borrowed(items),
                other => Cow::Borrowed(std::slice::from_ref(other)),
            },
            other => Cow::Owned(vec![other.to_element()]),
        }
    }

    pub(super) fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Nil, other) | (other, Self::Nil) => other.is_nil(),
            (Self::Empty | Self::Blank, Self::Empty | Self::Blank) => false,
            (Self::Empty, other) | (other, Self::Empty) => other.is_empty(),
            (Self::Blank, other) | (other, Self::Blank) => other.is_blank(),
            (Self::Undefined, Self::Undefined) => true,
            (Self::Json(left), Self::Json(right)) => same(left, right),
            (Self::Number(number), Self::Json(value))
            | (Self::Json(value), Self::Number(number)) => value
                .as_number()
                .is_some_and(|value| float(value) == *number),
            (Self::Number(left), Self::Number(right)) => left == right,
            (Self::Undefined, _) | (_, Self::Undefined) => false,
        }
    }

    fn is_empty(&self) -> bool {
        match self.as_json() {
            Some(Value::String(text)) => text.is_empty(),
            Some(Value::Array(items)) => items.is_empty(),
            Some(Value::Object(members)) => members.is_empty(),
            _ => false,
        }
    }

    fn is_blank(&self) -> bool {
        match self.as_json() {
            Some(Value::Bool(false)) => true,
            Some(Value::String(text)) => text.chars().all(|c| is_blank(c) || c == '\u{feff}'),
            _ => self.is_nil() || self.is_empty(),
        }
    }

    /// JavaScript's order; the special words have none.
    pub(super) fn compare(&self, other: &Self) -> Option<Ordering> {
        let is_special = |val: &Self| matches!(val, Self::Nil | Self::Empty | Self::Blank);
        if is_special(self) || is_special(other) {
            return None;
        }
        match (self.primitive_text(), other.primitive_text()) {
            (Some(left), Some(right)) => Some(left.encode_utf16().cmp(right.encode_utf16())),
            _ => self.number().partial_cmp(&other.number()),
        }
    }

    fn primitive_text(&self) -> Option<Cow<'_, str>> {
        match self.as_json()? {
            Value::String(text) => Some(Cow::Borrowed(text)),
            list @ (Value::Array(_) | Value::Object(_)) => Some(Cow::Owned(js_text(list))),
            Value::Null | Value::Bool(_) | Value::Number(_) => None,
        }
    }

    pub(super) fn contains(&self, part: &Val<'_>) -> bool {
        match self.as_json() {
            Some(Value::Array(items)) => items
                .iter()
                .any(|item| Val::Json(Cow::Borrowed(item)).equals(part)),
            Some(Value::String(text)) => text.contains(&part.string()),
            _ => false,
        }
    }
}

/// Equal as JavaScript's `===`, lists element by element. Objects equal only themselves.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => float(left) == float(right),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(l, r)| same(l, r))
        }
        (Value::Object(left), Value::Object(right)) => std::ptr::eq(left, right),
        _ => left == right,
    }
}

fn json_number(value: &Value) -> f64 {
    match value {
        Value::Null => 0.0,
        Value::Bool(truth) => f64::from(u8::from(*truth)),
        Value::Number(number) => float(number),
        Value::String(text) => js_number(text),
        Value::Array(_) => js_number(&js_text(value)),
        Value::Object(_) => f64::NAN,
    }
}

/// JavaScript's text of a number.
pub(super) fn number_text(number: f64) -> String {
    if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        let sign = if number < 0.0 { "-" } else { "" };
        format!("{sign}Infinity")
    } else {
        hubferry_event::float_text(number)
    }
}

fn number_value(number: f64) -> Value {
    let parsed: Option<Number> = Some(number)
        .filter(|number| number.is_finite())
        .and_then(|number| hubferry_event::float_text(number).parse().ok());
    parsed.map_or(Value::Null, Value::Number)
}

fn output_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Array(items) => items.iter().map(output_text).collect(),
        other => js_text(other),
    }
}

/// The member of a value with a name: own members, `size`, `first` and `last`, elements from both ends.
pub(super) fn member<'a>(of: &Val<'a>, key: &Val<'_>) -> Val<'a> {
    match of {
        Val::Undefined | Val::Nil => of.clone(),
        Val::Empty | Val::Blank | Val::Number(_) => Val::Undefined,
        Val::Json(Cow::Borrowed(value)) => Val::from_found(found(value, key)),
        Val::Json(Cow::Owned(value)) => match value {
            Value::Null => of.clone(),
            value => Val::from_found(found(value, key).map(|found| Cow::Owned(found.into_owned()))),
        },
    }
}

fn found<'v>(value: &'v Value, key: &Val<'_>) -> Option<Cow<'v, Value>> {
    let number = match key {
        Val::Number(number) => Some(*number),
        Val::Json(key) => key.as_number().map(float),
        _ => None,
    };
    match (value, number) {
        (Value::Null, _) => Some(Cow::Borrowed(value)),
        (Value::Array(items), Some(number)) => element(items, number).map(Cow::Borrowed),
        (Value::Array(items), None) => match &*key.string() {
            "length" | "size" => Some(Cow::Owned(items.len().into())),
            "first" => items.first().map(Cow::Borrowed),
            "last" => items.last().map(Cow::Borrowed),
            key => items.get(index(key)?).map(Cow::Borrowed),
        },
        (Value::Object(members), _) => own_or_size(members, &key.string()),
        (Value::String(text), _) => match &*key.string() {
            "length" | "size" => Some(Cow::Owned(text.encode_utf16().count().into())),
            key => {
                let unit = text.encode_utf16().nth(index(key)?)?;
                Some(Cow::Owned(String::from_utf16_lossy(&[unit]).into()))
            }
        },
        (Value::Bool(_) | Value::Number(_), _) => None,
    }
}

fn own_or_size<'v>(members: &'v Map<String, Value>, key: &str) -> Option<Cow<'v, Value>> {
    match members.get(key) {
        Some(found) => Some(Cow::Borrowed(found)),
        None if key == "size" => Some(Cow::Owned(members.len().into())),
        None => None,
    }
}

/// Negative positions count from the end.
pub(super) fn element(items: &[Value], position: f64) -> Option<&Value> {
    let length = i64::try_from(items.len()).ok()?;
    let whole = whole(position)
        .filter(|whole| hubferry_event::float_text(position) == whole.to_string())?;
    let at = if whole < 0 { length + whole } else { whole };
    items.get(usize::try_from(at).ok()?)
}

fn index(key: &str) -> Option<usize> {
    let is_plain = key == "0" || (!key.starts_with('0') && key.bytes().all(|b| b.is_ascii_digit()));
    if is_plain { key.parse().ok() } else { None }
}

/// The whole part of a number, cut off towards zero; `None` for what is no number or beyond any list.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the value is within the range that both types hold exactly"
)]
pub(super) fn whole(number: f64) -> Option<i64> {
    let largest = 9_007_199_254_740_992.0;
    (number.abs() <= largest).then(|| number.trunc() as i64)
}
