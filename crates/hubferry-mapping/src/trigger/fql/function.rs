//! The functions of one value.

use hubferry_event::{Json, JsonKind};
use serde_json::Value;

use crate::path::Found;
use crate::text::{js_trim, json_float, number_in_text, push_js_text};

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
    pub(super) fn of(self, value: Found<'_>) -> Found<'_> {
        let json = value.as_json();
        let of_text = |change: fn(&str) -> String| {
            json.as_str()
                .map_or(Value::Null, |text| Value::String(change(text)))
        };
        Found::Made(match self {
            Self::Length => length(json),
            Self::Lowercase => of_text(str::to_lowercase),
            Self::Uppercase => of_text(str::to_uppercase),
            Self::Snakecase => of_text(|text| words(text).join("_")),
            Self::Kebabcase => of_text(|text| words(text).join("-")),
            Self::Titlecase => of_text(titlecase),
            Self::Typeof => type_name(json).into(),
            Self::Bool => truth(json).into(),
            Self::String => match json.kind() {
                JsonKind::String => return value,
                JsonKind::Number | JsonKind::Bool => {
                    let mut text = String::new();
                    push_js_text(&mut text, json);
                    text.into()
                }
                JsonKind::Null | JsonKind::Array | JsonKind::Object => Value::Null,
            },
            Self::Number => match json.kind() {
                JsonKind::Number => return value,
                _ => number(json),
            },
            // These take two values and are evaluated by their caller.
            Self::Contains | Self::Match => Value::Bool(false),
        })
    }
}

/// Elements of a list, bytes of a text (not characters, as documented).
fn length(json: Json<'_>) -> Value {
    match json.kind() {
        JsonKind::String => json.as_str().map_or(0, str::len).into(),
        JsonKind::Array => json.len().into(),
        JsonKind::Null => 0.into(),
        JsonKind::Bool | JsonKind::Number | JsonKind::Object => Value::Null,
    }
}

fn type_name(json: Json<'_>) -> &'static str {
    match json.kind() {
        JsonKind::String => "string",
        JsonKind::Number => "number",
        JsonKind::Array => "list",
        JsonKind::Bool => "bool",
        JsonKind::Null => "null",
        JsonKind::Object => "object",
    }
}

/// Of texts only `true` (in any case) and `1` are true.
fn truth(json: Json<'_>) -> bool {
    match (json.as_bool(), json_float(json), json.as_str()) {
        (Some(truth), ..) => truth,
        (_, Some(float), _) => float != 0.0,
        (.., Some(text)) => text.eq_ignore_ascii_case("true") || text == "1",
        (None, None, None) => false,
    }
}

/// A text without a number in it is null, also the empty one.
fn number(json: Json<'_>) -> Value {
    match (json.as_bool(), json.as_str()) {
        (Some(truth), _) => u8::from(truth).into(),
        (None, Some(text)) if !js_trim(text).is_empty() => {
            number_in_text(text).map_or(Value::Null, Value::Number)
        }
        (None, _) => Value::Null,
    }
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
