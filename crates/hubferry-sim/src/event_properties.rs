//! Properties of event definitions: what they are called, which values they take.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::answer::Refusal;
use crate::inputs::LooseText;

pub(crate) const LONGEST_NAME: usize = 50;
const LONGEST_TEXT: usize = 256;
/// For properties whose name speaks of addresses.
const LONGEST_ADDRESS: usize = 1_024;

/// `type` of an event property.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EventType {
    String,
    Number,
    Enumeration,
    DateTime,
    Date,
    Bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventOption {
    pub(crate) label: LooseText,
    pub(crate) value: LooseText,
}

/// A property as a request defines it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventPropertyCreate {
    pub(crate) name: Option<String>,
    pub(crate) label: Option<String>,
    #[serde(rename = "type")]
    pub(crate) kind: Option<EventType>,
    pub(crate) description: Option<String>,
    #[serde(default)]
    pub(crate) options: Option<Vec<EventOption>>,
}

/// A property of a definition.
#[derive(Debug, Clone)]
pub(crate) struct EventProperty {
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) kind: EventType,
    pub(crate) description: String,
    pub(crate) options: Vec<(String, String)>,
    pub(crate) archived: bool,
    pub(crate) visible_from: Duration,
}

impl EventProperty {
    pub(crate) fn built_in(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            label: name.trim_start_matches("hs_").replace('_', " "),
            kind: EventType::String,
            description: String::new(),
            options: Vec::new(),
            archived: false,
            visible_from: Duration::ZERO,
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        let options: Vec<Value> = (0..)
            .zip(&self.options)
            .map(|(order, (label, value))| {
                json!({"label": label, "value": value, "hidden": false, "displayOrder": order})
            })
            .collect();
        json!({"name": self.name, "label": self.label, "type": self.kind, "description": self.description,
            "options": options, "archived": self.archived})
    }

    /// Why a value cannot be taken.
    pub(crate) fn refuses(&self, value: &str) -> Option<String> {
        let fits = match self.kind {
            EventType::String => {
                let address = ["url", "referrer", "link"];
                let longest = match address.iter().any(|word| self.name.contains(word)) {
                    true => LONGEST_ADDRESS,
                    false => LONGEST_TEXT,
                };
                if value.chars().count() > longest {
                    return Some(format!("is longer than {longest} characters"));
                }
                true
            }
            EventType::Number => number(value),
            EventType::Enumeration => self.options.iter().any(|(_, known)| known == value),
            EventType::DateTime => epoch_ms(value).is_some(),
            EventType::Date => {
                value.parse::<jiff::civil::Date>().is_ok() || epoch_ms(value).is_some()
            }
            EventType::Bool => matches!(value, "true" | "false"),
        };
        (!fits).then(|| {
            format!(
                "is not a valid {}",
                json!(self.kind).as_str().unwrap_or("value")
            )
        })
    }
}

pub(crate) fn name_of(label: &str) -> String {
    let plain = label.to_lowercase();
    plain
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect()
}

pub(crate) fn valid_name(name: &str) -> Result<(), Refusal> {
    let valid = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= LONGEST_NAME
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    // HubSpot's own names start with hs_.
    match valid {
        true => Ok(()),
        false => Err(Refusal::validation(format!(
            "Invalid name '{name}': a name starts with a letter, holds lower-case letters, digits and underscores, at most {LONGEST_NAME}"
        ))),
    }
}

/// Digits with at most one decimal point.
fn number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty()
        && digits.bytes().any(|byte| byte.is_ascii_digit())
        && digits.bytes().filter(|byte| *byte == b'.').count() <= 1
        && digits
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// ISO 8601 or epoch milliseconds.
pub(crate) fn epoch_ms(text: &str) -> Option<i64> {
    match text.parse::<i64>() {
        Ok(millis) => Timestamp::from_millisecond(millis).ok(),
        Err(_) => text.parse::<Timestamp>().ok(),
    }
    .map(Timestamp::as_millisecond)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{EventPropertyCreate, EventType, epoch_ms, number, valid_name};

    #[test]
    fn names_numbers_and_times() {
        for (name, valid) in [
            ("bought", true),
            ("b2_x", true),
            ("", false),
            ("_a", false),
            ("2a", false),
            ("Bought", false),
            ("a-b", false),
            (&"a".repeat(50), true),
            (&"a".repeat(51), false),
        ] {
            assert_eq!(valid_name(name).is_ok(), valid, "{name}");
        }
        for (text, valid) in [
            ("1", true),
            ("-1.5", true),
            ("1.2.3", false),
            ("1e3", false),
            ("", false),
            (".", false),
        ] {
            assert_eq!(number(text), valid, "{text}");
        }
        assert_eq!(
            epoch_ms("2020-02-29T03:30:17.000Z"),
            epoch_ms("1582947017000")
        );
        assert_eq!(epoch_ms("yesterday"), None);
    }

    #[test]
    fn options_may_be_written_as_booleans() {
        let body = json!({"name": "gift", "label": "gift", "type": "enumeration",
            "options": [{"label": "true", "value": true}]});
        let read: EventPropertyCreate = serde_json::from_value(body).unwrap();
        assert_eq!(read.kind, Some(EventType::Enumeration));
        assert_eq!(read.options.unwrap()[0].value.0, "true");
    }
}
