//! Clean property names and values of the newer actions (actions.md §2.3, §8.5), and the kinds of values (§2.4).

use hubferry_mapping::js_text;
use rustc_hash::FxHashMap;
use serde_json::{Map, Value};

use crate::action::{ActionSettings, NameFix, Nulls, PlanNote, Refusal, RefusalCode};
use crate::nouns::PropertyName;
use crate::plan::ValueKind;

/// What makes a name begin with a letter that does not.
const PREFIX: &str = "p_";

/// The most digits of a number that every reader takes as it is written.
const SAFE_DIGITS: usize = 15;

/// A clean property: its text as it was written but for blanks around it, and what kind of value that is.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Cleaned {
    pub(crate) name: PropertyName,
    pub(crate) text: String,
    pub(crate) kind: ValueKind,
}

/// Whether a text that reads as a number is one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum NumbersInText {
    /// It stays a text; what a property takes is known from the portal.
    Texts,
    /// It is a number when nothing of it can get lost (actions.md §8.5).
    Numbers,
}

/// Cleans an object of properties, in its order; of keys that become one name the later wins, with a note.
pub(crate) fn properties(
    object: Map<String, Value>,
    numbers: NumbersInText,
    settings: &ActionSettings,
    notes: &mut Vec<PlanNote>,
) -> Result<Vec<Cleaned>, Refusal> {
    let mut clean: Vec<Cleaned> = Vec::with_capacity(object.len());
    let mut places: FxHashMap<PropertyName, usize> = FxHashMap::default();
    for (key, value) in object {
        let Some((text, kind)) = value_text(value, numbers, settings.nulls) else {
            continue;
        };
        let name = property_name(&key, settings.name_fix)?;
        let cleaned = Cleaned { name, text, kind };
        match places.get(&cleaned.name) {
            Some(place) => {
                notes.push(PlanNote::Collision(cleaned.name.clone()));
                if let Some(slot) = clean.get_mut(*place) {
                    *slot = cleaned;
                }
            }
            None => {
                places.insert(cleaned.name.clone(), clean.len());
                clean.push(cleaned);
            }
        }
    }
    Ok(clean)
}

/// Lower-case letters, digits and `_`, beginning with a letter.
pub(crate) fn property_name(key: &str, fix: NameFix) -> Result<PropertyName, Refusal> {
    if is_clean_name(key) {
        return Ok(PropertyName::new(key));
    }
    let clean = clean_text(key, "");
    if is_clean_name(&clean) {
        return Ok(PropertyName::new(&clean));
    }
    match fix {
        NameFix::Prefix => Ok(PropertyName::new(&format!("{PREFIX}{clean}"))),
        NameFix::DeadLetter => Err(Refusal::new(
            RefusalCode::PropertyNameInvalid,
            Some(&clean),
            format!(
                "a property becomes `{clean}`, which does not begin with a letter: rename it in the mapping, or set \
                 property_name_fix: prefix"
            ),
        )),
    }
}

/// Whether HubSpot takes the name as it is.
pub(crate) fn is_clean_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

/// Lower-cased, with `_` in the place of every character that is no letter, digit, `_` or one of `more`.
pub(crate) fn clean_text(text: &str, more: &str) -> String {
    let is_kept = |c: char| c.is_ascii_alphanumeric() || c == '_' || more.contains(c);
    text.to_lowercase()
        .chars()
        .map(|c| if is_kept(c) { c } else { '_' })
        .collect()
}

/// The text and kind of a value; `None` for a null that says nothing.
fn value_text(value: Value, numbers: NumbersInText, nulls: Nulls) -> Option<(String, ValueKind)> {
    Some(match value {
        Value::Null => match nulls {
            Nulls::Skip => return None,
            Nulls::Clear => (String::new(), ValueKind::Text),
        },
        Value::Bool(_) => (js_text(&value), ValueKind::Boolean),
        Value::Number(_) => (js_text(&value), ValueKind::Number),
        Value::Array(_) | Value::Object(_) => (value.to_string(), ValueKind::Text),
        Value::String(text) => {
            let text = if text.trim().len() == text.len() {
                text
            } else {
                text.trim().to_owned()
            };
            let kind = if numbers == NumbersInText::Numbers && is_safe_number(&text) {
                ValueKind::Number
            } else {
                kind_of_text(&text)
            };
            (text, kind)
        }
    })
}

/// The kind of a text (actions.md §2.4).
pub(crate) fn kind_of_text(text: &str) -> ValueKind {
    if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") {
        return ValueKind::Boolean;
    }
    let bytes = text.as_bytes();
    let Some((date, time)) = bytes.split_at_checked(10) else {
        return ValueKind::Text;
    };
    if !is_date(date) {
        return ValueKind::Text;
    }
    match time {
        [] => ValueKind::Date,
        [b'T' | b' ', clock @ ..] if is_clock(clock) => ValueKind::DateTime,
        _ => ValueKind::Text,
    }
}

fn is_date(bytes: &[u8]) -> bool {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = bytes else {
        return false;
    };
    let pair = |a: &u8, b: &u8| match (a, b) {
        (b'0'..=b'9', b'0'..=b'9') => Some((a - b'0') * 10 + (b - b'0')),
        _ => None,
    };
    pair(y1, y2).is_some()
        && pair(y3, y4).is_some()
        && pair(m1, m2).is_some_and(|month| (1..=12).contains(&month))
        && pair(d1, d2).is_some_and(|day| (1..=31).contains(&day))
}

/// `hh:mm`, seconds, a fraction and a zone after it or not; the colons are optional.
fn is_clock(bytes: &[u8]) -> bool {
    let Some(rest) = two_digits(bytes) else {
        return false;
    };
    let Some(rest) = two_digits(rest.strip_prefix(b":").unwrap_or(rest)) else {
        return false;
    };
    let rest = two_digits(rest.strip_prefix(b":").unwrap_or(rest)).unwrap_or(rest);
    is_zone(match rest {
        [b'.' | b',', fraction @ ..] => {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit());
            match digits.count() {
                0 => return false,
                count => &fraction[count..],
            }
        }
        _ => rest,
    })
}

fn is_zone(bytes: &[u8]) -> bool {
    match bytes {
        [] | [b'Z'] => true,
        [b'+' | b'-', offset @ ..] => two_digits(offset).is_some_and(|rest| {
            rest.is_empty()
                || two_digits(rest.strip_prefix(b":").unwrap_or(rest)).is_some_and(<[u8]>::is_empty)
        }),
        _ => false,
    }
}

fn two_digits(bytes: &[u8]) -> Option<&[u8]> {
    match bytes {
        [b'0'..=b'9', b'0'..=b'9', rest @ ..] => Some(rest),
        _ => None,
    }
}

/// A decimal that every reader takes for the same number and writes the same way: no leading zeros, no `+`, no exponent,
/// no hexadecimal, and few enough digits. `00123` is a code, not a number.
fn is_safe_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return false,
        None => (digits, ""),
    };
    let are_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let leads_with_zero = whole.len() > 1 && whole.starts_with('0');
    !whole.is_empty()
        && !leads_with_zero
        && are_digits(whole)
        && are_digits(fraction)
        && whole.len() + fraction.len() <= SAFE_DIGITS
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::test_settings::settings;

    fn cleaned(object: &Value, numbers: NumbersInText) -> Vec<(String, String, ValueKind)> {
        let object = object.as_object().unwrap().clone();
        properties(object, numbers, &settings(), &mut Vec::new())
            .unwrap()
            .into_iter()
            .map(|one| (one.name.as_str().to_owned(), one.text, one.kind))
            .collect()
    }

    #[test]
    fn o31_names_are_cleaned_and_prefixed_when_the_mapping_says_so() {
        for (key, clean) in [
            ("plan", Some("plan")),
            ("Plan Name", Some("plan_name")),
            ("a.b-c", Some("a_b_c")),
            ("É-mail", None),
            ("2fa", None),
            ("_x", None),
            ("", None),
        ] {
            let name = property_name(key, NameFix::DeadLetter);
            assert_eq!(name.as_ref().ok().map(PropertyName::as_str), clean, "{key}");
            if let Err(refusal) = name {
                assert_eq!(refusal.code.as_str(), "property_name_invalid");
            }
        }
        for (key, fixed) in [("É-mail", "p___mail"), ("2fa", "p_2fa"), ("_x", "p__x")] {
            assert_eq!(property_name(key, NameFix::Prefix).unwrap().as_str(), fixed);
        }
    }

    #[test]
    fn o27_collisions_are_reported_and_the_later_one_wins() {
        let object = json!({"Plan": "a", "x": 1, "plan": "b"});
        let mut notes = Vec::new();
        let object = object.as_object().unwrap().clone();
        let clean = properties(object, NumbersInText::Texts, &settings(), &mut notes).unwrap();
        let pairs: Vec<_> = clean
            .iter()
            .map(|one| (one.name.as_str(), one.text.as_str()))
            .collect();
        assert_eq!(pairs, [("plan", "b"), ("x", "1")]);
        assert_eq!(notes, [PlanNote::Collision(PropertyName::new("plan"))]);
    }

    #[test]
    fn e2_e3_e4_values_of_events_lose_nothing() {
        use ValueKind::{Boolean, Number, Text};
        for (value, expected) in [
            (json!(null), None),
            (json!([]), Some(("[]", Text))),
            (json!([5]), Some(("[5]", Text))),
            (json!({"a": 1}), Some(("{\"a\":1}", Text))),
            (json!("Infinity"), Some(("Infinity", Text))),
            (json!("00123"), Some(("00123", Text))),
            (json!("02134"), Some(("02134", Text))),
            (json!("0x1F"), Some(("0x1F", Text))),
            (json!("1e5"), Some(("1e5", Text))),
            (json!("+491701234"), Some(("+491701234", Text))),
            (json!(".5"), Some((".5", Text))),
            (json!("1."), Some(("1.", Text))),
            (
                json!("12345678901234567890"),
                Some(("12345678901234567890", Text)),
            ),
            (json!("123456789012345"), Some(("123456789012345", Number))),
            (json!("1234567890123456"), Some(("1234567890123456", Text))),
            (json!("42"), Some(("42", Number))),
            (json!(" 3.14 "), Some(("3.14", Number))),
            (json!("-0.5"), Some(("-0.5", Number))),
            (json!("0"), Some(("0", Number))),
            (json!(7), Some(("7", Number))),
            (json!(true), Some(("true", Boolean))),
            (json!(" TRUE "), Some(("TRUE", Boolean))),
            (json!("  "), Some(("", Text))),
        ] {
            let expected: Vec<_> = expected
                .map(|(text, kind)| ("k".to_owned(), text.to_owned(), kind))
                .into_iter()
                .collect();
            let found = cleaned(&json!({ "k": value }), NumbersInText::Numbers);
            assert!(found == expected, "{value}: {found:?}");
        }
        let texts = cleaned(&json!({"k": "42"}), NumbersInText::Texts);
        assert_eq!(texts, [("k".to_owned(), "42".to_owned(), Text)]);
    }

    #[test]
    fn o28_a_null_clears_when_the_mapping_says_so() {
        let clear = ActionSettings {
            nulls: Nulls::Clear,
            ..settings()
        };
        let object = json!({"a": null}).as_object().unwrap().clone();
        let clean = properties(object, NumbersInText::Texts, &clear, &mut Vec::new()).unwrap();
        assert_eq!(clean[0].text, "");
        assert!(cleaned(&json!({"a": null}), NumbersInText::Texts).is_empty());
    }

    #[test]
    fn kinds_follow_the_table() {
        for (kind, texts) in [
            (ValueKind::Date, &["2024-01-08", "2024-02-31"][..]),
            (
                ValueKind::DateTime,
                &[
                    "2024-01-08T13:52",
                    "2024-01-08 13:52:50",
                    "2024-01-08T13:52:50.212Z",
                    "2024-01-08T13:52:50,2+05",
                    "2024-01-08T99:99:99Z",
                    "2024-01-08T1352",
                    "2024-01-08T13:52-0130",
                    "2024-01-08T13:52:50+01:30",
                ],
            ),
            (
                ValueKind::Text,
                &[
                    "2024-1-8",
                    "20240108",
                    "2024-01-08Z",
                    "2024-01-08T13",
                    "2024-01-08t13:52:50z",
                    "1704722400",
                    "2024-13-01",
                    "2024-00-01",
                    "2024-01-32",
                    "2024-01-08T13:52:50.",
                    "2024-01-08T13:52:50+1",
                    "2024-01-08 13:52 Uhr",
                    "2024-01-0é",
                    "",
                ],
            ),
            (ValueKind::Boolean, &["true", "False"]),
        ] {
            for text in texts {
                assert_eq!(kind_of_text(text), kind, "{text}");
            }
        }
    }
}
