//! Paths into an event.

mod extended;

use hubferry_event::{Json, JsonKind, Key};
use serde_json::Value;

use crate::text::is_truthy;

/// How paths are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PathDialect {
    /// As the reference reads them: a key with a dot in it cannot be addressed.
    #[default]
    Reference,
    /// The same, with `\` before a dot, and with quotes around keys that hold dots: `a\.b`, `['a.b']`.
    Extended,
}

/// A path, split once. The empty path is the root value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pieces: Box<[Piece]>,
}

/// What a path leads to.
#[derive(Clone, Debug)]
pub(crate) enum Found<'a> {
    /// A part of what was looked into.
    Lent(Json<'a>),
    /// A length, or a character of a text.
    Made(Value),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    key: Key,
    /// The piece as an index of a list or a text, when it is written as one.
    index: Option<usize>,
}

impl Path {
    /// A path as `@path` takes it: the first `$.` is removed wherever it stands.
    pub(crate) fn parse(text: &str, dialect: PathDialect) -> Self {
        match dialect {
            PathDialect::Reference => Self::bare(&text.replacen("$.", "", 1), dialect),
            PathDialect::Extended => {
                let pieces = extended::split_without_dollar(text).into_iter();
                Self::of(pieces.filter(|piece| !piece.is_empty()))
            }
        }
    }

    /// A path as it stands between the braces of a template.
    pub(crate) fn bare(text: &str, dialect: PathDialect) -> Self {
        match dialect {
            PathDialect::Reference => {
                let pieces = split(text).into_iter().filter(|piece| !piece.is_empty());
                Self::of(pieces.map(|piece| piece.replace(is_quote, "")))
            }
            PathDialect::Extended => {
                let pieces = extended::split(text).into_iter();
                Self::of(pieces.filter(|piece| !piece.is_empty()))
            }
        }
    }

    fn of(pieces: impl IntoIterator<Item = String>) -> Self {
        let pieces = pieces.into_iter().map(|piece| Piece::new(&piece));
        Self {
            pieces: pieces.collect(),
        }
    }

    /// A path of keys that are already apart.
    pub(crate) fn of_keys(keys: &[&str]) -> Self {
        Self {
            pieces: keys.iter().map(|key| Piece::new(key)).collect(),
        }
    }

    pub(crate) const fn is_root(&self) -> bool {
        self.pieces.is_empty()
    }

    /// The keys on the way.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().map(|piece| piece.key.as_str())
    }

    /// Walks from `root`; `None` is undefined. A value that JavaScript takes for false ends the walk and is the result.
    pub(crate) fn lookup<'a>(&self, root: Json<'a>) -> Option<Found<'a>> {
        let mut current = root;
        for (done, piece) in self.pieces.iter().enumerate() {
            // Nearly every step is one into an object.
            if let Some(member) = current.member(&piece.key) {
                current = member;
                continue;
            }
            match piece.of(current) {
                Step::Into(member) => current = member,
                Step::Undefined => return None,
                Step::Stays => break,
                Step::Made(value) => {
                    let rest = self.pieces.get(done + 1..).unwrap_or_default();
                    return walk_made(value, rest).map(Found::Made);
                }
            }
        }
        Some(Found::Lent(current))
    }
}

/// Walks on from a number or a text that is part of nothing.
fn walk_made(mut value: Value, pieces: &[Piece]) -> Option<Value> {
    for piece in pieces {
        value = match piece.of(Json::from(&value)) {
            Step::Into(member) => member.to_value(),
            Step::Undefined => return None,
            Step::Stays => break,
            Step::Made(made) => made,
        };
    }
    Some(value)
}

/// What one key does to the value on the way.
enum Step<'a> {
    Into(Json<'a>),
    Undefined,
    /// The value is null, `false`, 0 or `""`, from which no way leads on.
    Stays,
    Made(Value),
}

impl<'a> From<Option<Json<'a>>> for Step<'a> {
    fn from(member: Option<Json<'a>>) -> Self {
        member.map_or(Self::Undefined, Self::Into)
    }
}

impl Found<'_> {
    pub(crate) fn as_json(&self) -> Json<'_> {
        match self {
            Self::Lent(json) => *json,
            Self::Made(value) => value.into(),
        }
    }

    pub(crate) fn into_value(self) -> Value {
        match self {
            Self::Lent(json) => json.to_value(),
            Self::Made(value) => value,
        }
    }
}

impl Piece {
    fn new(key: &str) -> Self {
        let is_index = key == "0"
            || (!key.starts_with('0')
                && !key.is_empty()
                && key.bytes().all(|byte| byte.is_ascii_digit()));
        Self {
            key: Key::new(key),
            index: if is_index { key.parse().ok() } else { None },
        }
    }

    /// The member of `value` with this name. Built-in members but `length` do not exist.
    fn of<'a>(&self, value: Json<'a>) -> Step<'a> {
        match value.kind() {
            JsonKind::Object => value.member(&self.key).into(),
            JsonKind::Array if self.key.as_str() == "length" => Step::Made(value.len().into()),
            JsonKind::Array => self.index.and_then(|index| value.element(index)).into(),
            _ if !is_truthy(value) => Step::Stays,
            JsonKind::String => {
                let made = self.of_text(value.as_str().unwrap_or_default());
                made.map_or(Step::Undefined, Step::Made)
            }
            JsonKind::Null | JsonKind::Bool | JsonKind::Number => Step::Undefined,
        }
    }

    fn of_text(&self, text: &str) -> Option<Value> {
        if self.key.as_str() == "length" {
            return Some(text.encode_utf16().count().into());
        }
        Some(unit_at(text, self.index?)?.into())
    }
}

/// The UTF-16 unit at an index as a text; half of a surrogate pair is U+FFFD.
fn unit_at(text: &str, index: usize) -> Option<String> {
    let unit = text.encode_utf16().nth(index)?;
    Some(String::from_utf16_lossy(&[unit]))
}

fn is_quote(c: char) -> bool {
    matches!(c, '\'' | '"')
}

fn is_quote_or_digit(c: Option<char>) -> bool {
    c.is_some_and(|c| is_quote(c) || c.is_ascii_digit())
}

/// Splits on dots, on `[` before a quote or digit, and on runs of `]` after a quote or digit.
fn split(text: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut piece = String::new();
    let mut before = None;
    let mut in_closing_run = false;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let closes = c == ']' && (in_closing_run || is_quote_or_digit(before));
        let opens = c == '[' && is_quote_or_digit(rest.peek().copied());
        if c == '.' || opens || closes {
            pieces.push(std::mem::take(&mut piece));
        } else {
            piece.push(c);
        }
        in_closing_run = closes;
        before = Some(c);
    }
    pieces.push(piece);
    pieces
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(path: &str, event: &Value) -> Option<Value> {
        Path::parse(path, PathDialect::Reference)
            .lookup(event.into())
            .map(Found::into_value)
    }

    #[test]
    fn paths_find_what_they_name() {
        let cases = [
            ("$", json!({"$": {"v": 2}}), json!({"v": 2})),
            ("$.a.b", json!({"a": {"b": 1}}), json!(1)),
            ("a.b", json!({"a": {"b": 1}}), json!(1)),
            (".a.b", json!({"a": {"b": 1}}), json!(1)),
            ("a.b.", json!({"a": {"b": 1}}), json!(1)),
            ("a..b", json!({"a": {"b": 1}}), json!(1)),
            ("q.$.w", json!({"q": {"w": 1}}), json!(1)),
            ("arr[0].x", json!({"arr": [{"x": 1}]}), json!(1)),
            ("arr.0.x", json!({"arr": [{"x": 1}]}), json!(1)),
            ("arr[0.x", json!({"arr": [{"x": 1}]}), json!(1)),
            ("arr2[0][1]", json!({"arr2": [[1, 2]]}), json!(2)),
            ("a['b']", json!({"a": {"b": 1}}), json!(1)),
            ("a[\"b\"]", json!({"a": {"b": 1}}), json!(1)),
            ("x[y]", json!({"x[y]": 7}), json!(7)),
            ("a b", json!({"a b": 1}), json!(1)),
            (
                "integrations.My App.id",
                json!({"integrations": {"My App": {"id": 4}}}),
                json!(4),
            ),
            ("n.q", json!({"n": null}), json!(null)),
            ("z.q", json!({"z": 0}), json!(0)),
            ("f.q", json!({"f": false}), json!(false)),
            ("e.q", json!({"e": ""}), json!("")),
            ("arr.length", json!({"arr": [1, 2]}), json!(2)),
            ("s.length", json!({"s": "a😀"}), json!(3)),
            ("s[0]", json!({"s": "str"}), json!("s")),
            ("s.0.length", json!({"s": "str"}), json!(1)),
            ("0", json!({"0": "zero"}), json!("zero")),
            ("length", json!({"length": 9}), json!(9)),
        ];
        for (path, event, expected) in cases {
            assert_eq!(at(path, &event), Some(expected), "{path} on {event}");
        }
    }

    #[test]
    fn paths_to_nothing_are_undefined() {
        let cases = [
            ("arr[-1]", json!({"arr": [1]})),
            ("arr.01", json!({"arr": [1, 2]})),
            ("a[b]", json!({"a": {"b": 1}})),
            ("k.e", json!({"k.e": 3})),
            ("k\\.e", json!({"k.e": 3})),
            ("['k.e']", json!({"k.e": 3})),
            (" a", json!({"a": 1})),
            ("nope.q", json!({})),
            ("s.q", json!({"s": "str"})),
            ("s.3", json!({"s": "str"})),
            ("constructor", json!({})),
            ("arr.map", json!({"arr": []})),
            ("b.q", json!({"b": true})),
        ];
        for (path, event) in cases {
            assert_eq!(at(path, &event), None, "{path} on {event}");
        }
    }

    #[test]
    fn empty_paths_are_the_event() {
        let event = json!({"a": 1});
        for path in ["", "$.", "."] {
            assert_eq!(at(path, &event), Some(event.clone()), "{path:?}");
        }
    }
}
