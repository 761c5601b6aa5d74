//! Reading one section of what was written: each key is asked for by name and type, and what nobody
//! asked for is an unknown key.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use serde_json::{Map, Value};

use super::problem::{Fault, Problems, closest};
use super::units::{DURATION_FORM, SHARE_FORM, SIZE_FORM, parse_duration, parse_share, parse_size};

/// One object of the configuration, being read. Values that came from the environment are text, so every
/// typed reader accepts the text form too.
#[derive(Debug)]
pub(crate) struct Section<'a> {
    path: String,
    members: Option<&'a Map<String, Value>>,
    asked: RefCell<Vec<&'static str>>,
    problems: &'a Problems,
}

impl<'a> Section<'a> {
    /// Starts at `value`; `None` and null are an empty section.
    pub(crate) fn at(path: &str, value: Option<&'a Value>, problems: &'a Problems) -> Self {
        let members = match value {
            None | Some(Value::Null) => None,
            Some(Value::Object(members)) => Some(members),
            Some(other) => {
                problems.invalid(path, format!("{} where a section is expected", seen(other)));
                None
            }
        };
        Self {
            path: path.to_owned(),
            members,
            asked: RefCell::default(),
            problems,
        }
    }

    pub(crate) fn problems(&self) -> &'a Problems {
        self.problems
    }

    /// The path of one key.
    pub(crate) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// The raw value of a key; null counts as absent.
    pub(crate) fn raw(&self, key: &'static str) -> Option<&'a Value> {
        self.asked.borrow_mut().push(key);
        self.members?.get(key).filter(|value| !value.is_null())
    }

    /// A section below this one; absent reads as empty.
    pub(crate) fn section(&self, key: &'static str) -> Section<'a> {
        let value = self.raw(key);
        Section::at(&self.path_of(key), value, self.problems)
    }

    /// A key of the documented configuration that this version reads but does not act on.
    pub(crate) fn later(&self, key: &'static str) {
        if self.raw(key).is_some() {
            let path = self.path_of(key);
            self.problems.warn(&path, "has no effect in this version");
        }
    }

    pub(crate) fn missing(&self, key: &str, form: &str) {
        self.problems
            .invalid(&self.path_of(key), format!("missing: {form}"));
    }

    pub(crate) fn refuse(&self, key: &str, value: &Value, form: &str) {
        self.problems
            .invalid(&self.path_of(key), format!("{} is not {form}", seen(value)));
    }

    pub(crate) fn text(&self, key: &'static str) -> Option<String> {
        self.read(key, "text", as_text)
    }

    /// Text that is never shown, whatever is wrong with it.
    pub(crate) fn secret(&self, key: &'static str) -> Option<String> {
        let value = self.raw(key)?;
        let text = as_text(value).filter(|text| !text.trim().is_empty());
        if text.is_none() {
            self.problems.invalid(
                &self.path_of(key),
                "not a text, or empty (the value is not shown)",
            );
        }
        text
    }

    pub(crate) fn flag(&self, key: &'static str, default: bool) -> bool {
        self.read(key, "true or false", |value| match value {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        })
        .unwrap_or(default)
    }

    pub(crate) fn duration(&self, key: &'static str, default: Duration) -> Duration {
        self.read(key, DURATION_FORM, |value| {
            value.as_str().and_then(parse_duration)
        })
        .unwrap_or(default)
    }

    pub(crate) fn size(&self, key: &'static str, default: usize) -> usize {
        self.read(key, SIZE_FORM, |value| {
            let bytes = value.as_str().and_then(parse_size)?;
            usize::try_from(bytes).ok().filter(|bytes| *bytes > 0)
        })
        .unwrap_or(default)
    }

    pub(crate) fn share(&self, key: &'static str) -> Option<f64> {
        self.read(key, SHARE_FORM, |value| {
            value.as_str().and_then(parse_share)
        })
    }

    /// A whole number above zero.
    pub(crate) fn count(&self, key: &'static str, default: usize) -> usize {
        self.read(key, "a whole number above 0", |value| {
            as_whole(value)
                .and_then(|n| usize::try_from(n).ok())
                .filter(|n| *n > 0)
        })
        .unwrap_or(default)
    }

    /// A whole number above zero that fits a limit.
    pub(crate) fn limit(&self, key: &'static str, default: NonZeroU32) -> NonZeroU32 {
        self.optional_limit(key).unwrap_or(default)
    }

    pub(crate) fn optional_limit(&self, key: &'static str) -> Option<NonZeroU32> {
        self.read(key, "a whole number above 0", |value| {
            as_whole(value)
                .and_then(|n| u32::try_from(n).ok())
                .and_then(NonZeroU32::new)
        })
    }

    pub(crate) fn number(&self, key: &'static str) -> Option<u64> {
        self.read(key, "a whole number", as_whole)
    }

    pub(crate) fn address(&self, key: &'static str, default: SocketAddr) -> SocketAddr {
        self.read(key, "an address such as 127.0.0.1:9400", |value| {
            value.as_str().and_then(|text| text.trim().parse().ok())
        })
        .unwrap_or(default)
    }

    /// One of a closed set of words.
    pub(crate) fn choice<T: Copy>(
        &self,
        key: &'static str,
        choices: &[(&'static str, T)],
    ) -> Option<T> {
        let value = self.raw(key)?;
        let text = as_text(value);
        let found = text
            .as_deref()
            .and_then(|text| choices.iter().find(|(word, _)| *word == text));
        if let Some((_, choice)) = found {
            return Some(*choice);
        }
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let hint = text
            .as_deref()
            .and_then(|text| closest(text, words.iter().copied()))
            .map_or_else(String::new, |word| format!("; did you mean {word:?}?"));
        self.problems.invalid(
            &self.path_of(key),
            format!("{} is not one of {}{hint}", seen(value), words.join(", ")),
        );
        None
    }

    /// A list of texts; a single text may be a list with commas.
    pub(crate) fn texts(&self, key: &'static str) -> Option<Vec<String>> {
        self.read(key, "a text or a list of texts", |value| match value {
            Value::String(text) => Some(
                text.split(',')
                    .map(|part| part.trim().to_owned())
                    .filter(|part| !part.is_empty())
                    .collect(),
            ),
            Value::Array(items) => items.iter().map(as_text).collect(),
            _ => None,
        })
    }

    /// Ends the reading: reports the keys nobody asked for.
    pub(crate) fn finish(self) {
        let asked = self.asked.borrow();
        for key in self.members.into_iter().flat_map(Map::keys) {
            if asked.contains(&key.as_str()) {
                continue;
            }
            let hint = closest(key, asked.iter().copied()).map_or_else(
                || format!("; known keys: {}", asked.join(", ")),
                |known| format!("; did you mean {known:?}?"),
            );
            self.problems.add(
                Fault::UnknownKey,
                &self.path_of(key),
                format!("unknown key{hint}"),
            );
        }
    }

    fn read<T>(
        &self,
        key: &'static str,
        form: &str,
        parse: impl Fn(&Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.raw(key)?;
        let parsed = parse(value);
        if parsed.is_none() {
            self.refuse(key, value, form);
        }
        parsed
    }
}

/// A value as it is shown in a message, shortened.
pub(crate) fn seen(value: &Value) -> String {
    match value {
        Value::Object(_) => "a section".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::String(text) if text.chars().count() > 60 => {
            format!("{:?}…", text.chars().take(60).collect::<String>())
        }
        other => other.to_string(),
    }
}

fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

fn as_whole(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}
