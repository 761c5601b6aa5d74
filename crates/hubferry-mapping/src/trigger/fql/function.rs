//! The functions of one value.

use std::borrow::Cow;

use serde_json::Value;

use crate::text::{float, js_text, js_trim, number_in_text};

/// The functions by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Contains,
    Match,
    Length,
    Lowercase,
    Uppercase,
    Snakecase,
    Kebabcase,
    Titlecase,
    Typeof,
    Bool,
    String,
    Number,
}

impl Function {
    const ALL: [Self; 12] = [
        Self::Contains,
        Self::Match,
        Self::Length,
        Self::Lowercase,
        Self::Uppercase,
        Self::Snakecase,
        Self::Kebabcase,
        Self::Titlecase,
        Self::Typeof,
        Self::Bool,
        Self::String,
        Self::Number,
    ];

    pub(super) const NAMES: [&'static str; 12] = [
        "contains",
        "match",
        "length",
        "lowercase",
        "uppercase",
        "snakecase",
        "kebabcase",
        "titlecase",
        "typeof",
        "bool",
        "string",
        "number",
    ];

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Contains => "contains",
            Self::Match => "match",
            Self::Length => "length",
            Self::Lowercase => "lowercase",
            Self::Uppercase => "uppercase",
            Self::Snakecase => "snakecase",
            Self::Kebabcase => "kebabcase",
            Self::Titlecase => "titlecase",
            Self::Typeof => "typeof",
            Self::Bool => "bool",
            Self::String => "string",
            Self::Number => "number",
        }
    }

    pub(super) const fn arity(self) -> usize {
        match self {
            Self::Contains | Self::Match => 2,
            _ => 1,
        }
    }

    /// Whether the result is a boolean.
    pub(super) const fn decides(self) -> bool {
        matches!(self, Self::Contains | Self::Match | Self::Bool)
    }

    /// The function of one value. Null and values of other types give null, except that `length` is then 0, `typeof`
    /// names the type and `bool` is false.
    pub(super) fn of(self, value: Cow<'_, Value>) -> Cow<'_, Value> {
        let of_text = |change: fn(&str) -> String| match value.as_str() {
            Some(text) => Cow::Owned(Value::String(change(text))),
            None => Cow::Owned(Value::Null),
        };
        match self {
            Self::Length => Cow::Owned(length(&value)),
            Self::Lowercase => of_text(str::to_lowercase),
            Self::Uppercase => of_text(str::to_uppercase),
            Self::Snakecase => of_text(|text| words(text).join("_")),
            Self::Kebabcase => of_text(|text| words(text).join("-")),
            Self::Titlecase => of_text(titlecase),
            Self::Typeof => Cow::Owned(Value::from(type_name(&value))),
            Self::Bool => Cow::Owned(Value::Bool(truth(&value))),
            Self::String => match &*value {
                Value::String(_) => value,
                Value::Number(_) | Value::Bool(_) => Cow::Owned(Value::String(js_text(&value))),
                Value::Null | Value::Array(_) | Value::Object(_) => Cow::Owned(Value::Null),
            },
            Self::Number => number(value),
            // These take two values and are evaluated by their caller.
            Self::Contains | Self::Match => Cow::Owned(Value::Bool(false)),
        }
    }
}

/// Elements of a list, bytes of a text (not characters, as documented).
fn length(value: &Value) -> Value {
    match value {
        Value::String(text) => text.len().into(),
        Value::Array(items) => items.len().into(),
        Value::Null => 0.into(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => Value::Null,
    }
}

const fn type_name(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "string",
        Value::Number(_) => "number",
        Value::Array(_) => "list",
        Value::Bool(_) => "bool",
        Value::Null => "null",
        Value::Object(_) => "object",
    }
}

/// Of texts only `true` (in any case) and `1` are true.
fn truth(value: &Value) -> bool {
    match value {
        Value::Bool(truth) => *truth,
        Value::Number(number) => float(number) != 0.0,
        Value::String(text) => text.eq_ignore_ascii_case("true") || text == "1",
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

/// A text without a number in it is null, also the empty one.
fn number(value: Cow<'_, Value>) -> Cow<'_, Value> {
    Cow::Owned(match &*value {
        Value::Number(_) => return value,
        Value::Bool(truth) => u8::from(*truth).into(),
        Value::String(text) if !js_trim(text).is_empty() => {
            number_in_text(text).map_or(Value::Null, Value::Number)
        }
        Value::String(_) | Value::Null | Value::Array(_) | Value::Object(_) => Value::Null,
    })
}

/// Words in lower case. They end at anything but letters and digits, and where the case says that a new one begins:
/// `orderCompleted` and `HTTPServer` are two words each.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let chars: Vec<char> = text.chars().collect();
    for (index, &c) in chars.iter().enumerate() {
        if !c.is_alphanumeric() {
            push_word(&mut words, &mut word);
            continue;
        }
        let before = index.checked_sub(1).and_then(|before| chars.get(before));
        let after = chars.get(index + 1);
        let begins_word = c.is_uppercase()
            && before.is_some_and(|b| {
                b.is_lowercase()
                    || b.is_numeric()
                    || (b.is_uppercase() && after.is_some_and(|a| a.is_lowercase()))
            });
        if begins_word {
            push_word(&mut words, &mut word);
        }
        word.extend(c.to_lowercase());
    }
    push_word(&mut words, &mut word);
    words
}

fn push_word(words: &mut Vec<String>, word: &mut String) {
    if !word.is_empty() {
        words.push(std::mem::take(word));
    }
}

fn titlecase(text: &str) -> String {
    let capitalised: Vec<String> = words(text)
        .iter()
        .map(|word| {
            let mut chars = word.chars();
            let first = chars.next().map(|c| c.to_uppercase().to_string());
            first.unwrap_or_default() + chars.as_str()
        })
        .collect();
    capitalised.join(" ")
}
