//! Values as JavaScript sees them: their text, their truth, the numbers in texts.

use hubferry_event::{Json, JsonKind, digits_text, number_text};
use serde_json::{Number, Value};

/// JavaScript's text of a value: numbers in the shortest form that reads back the same (`1e+21`, `-0` as `0`; an
/// integer keeps all its digits), lists joined by commas with nothing for null, objects as `[object Object]`.
#[must_use]
pub fn js_text(value: &Value) -> String {
    let mut text = String::new();
    push_js_text(&mut text, value.into());
    text
}

pub(crate) fn push_js_text(out: &mut String, value: Json<'_>) {
    match value.kind() {
        JsonKind::Null => out.push_str("null"),
        JsonKind::Bool => out.push_str(truth_text(value.as_bool() == Some(true))),
        JsonKind::Number => {
            out.push_str(&digits_text(value.as_number_text().unwrap_or_default()));
        }
        JsonKind::String => out.push_str(value.as_str().unwrap_or_default()),
        JsonKind::Object => out.push_str("[object Object]"),
        JsonKind::Array => {
            for (index, item) in value.elements().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                if !item.is_null() {
                    push_js_text(out, item);
                }
            }
        }
    }
}

const fn truth_text(truth: bool) -> &'static str {
    if truth { "true" } else { "false" }
}

/// JavaScript's `JSON.stringify(value)`.
pub(crate) fn js_json(value: &Value) -> String {
    let mut text = String::new();
    push_js_json(&mut text, value);
    text
}

fn push_js_json(out: &mut String, value: &Value) {
    match value {
        Value::Number(number) => out.push_str(&number_text(number)),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                push_js_json(out, item);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (index, (key, member)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                push_json_text(out, key);
                out.push(':');
                push_js_json(out, member);
            }
            out.push('}');
        }
        Value::String(text) => push_json_text(out, text),
        Value::Null => out.push_str("null"),
        Value::Bool(truth) => out.push_str(truth_text(*truth)),
    }
}

fn push_json_text(out: &mut String, text: &str) {
    out.push('"');
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0x08 => "\\b",
            0x0c => "\\f",
            0..0x20 => {
                out.push_str(&text[plain..at]);
                out.push_str(&format!("\\u{byte:04x}"));
                plain = at + 1;
                continue;
            }
            _ => continue,
        };
        out.push_str(&text[plain..at]);
        out.push_str(escape);
        plain = at + 1;
    }
    out.push_str(&text[plain..]);
    out.push('"');
}

/// Whether JavaScript takes the value for true: everything but null, `false`, zero and the empty text.
pub(crate) fn is_truthy<'a>(value: impl Into<Json<'a>>) -> bool {
    let value = value.into();
    match value.kind() {
        JsonKind::Array | JsonKind::Object => true,
        JsonKind::Null => false,
        JsonKind::Bool => value.as_bool() == Some(true),
        JsonKind::String => value.as_str() != Some(""),
        JsonKind::Number => json_float(value).is_some_and(|float| float != 0.0),
    }
}

/// The number as JavaScript holds it, when it is one.
pub(crate) fn json_float(value: Json<'_>) -> Option<f64> {
    Some(value.as_number_text()?.parse().unwrap_or(f64::NAN))
}

/// The number as JavaScript holds it; beyond its range infinite.
pub(crate) fn float(number: &Number) -> f64 {
    number.as_str().parse().unwrap_or(f64::NAN)
}

/// Removes what JavaScript's `trim` removes, which is also the byte order mark.
pub(crate) fn js_trim(text: &str) -> &str {
    text.trim_matches(is_js_blank)
}

/// What JavaScript takes for a blank.
pub(crate) fn is_js_blank(c: char) -> bool {
    (c.is_whitespace() && c != '\u{85}') || c == '\u{feff}'
}

/// The number a text stands for under JavaScript's `Number(text)`: blanks around are ignored, blanks alone are 0,
/// `0x`, `0o` and `0b` are understood. `None` for what is no number, and for what is not finite.
pub(crate) fn number_in_text(text: &str) -> Option<Number> {
    let text = js_trim(text);
    if text.is_empty() {
        return Some(Number::from(0));
    }
    if let Some(number) = number_with_radix(text) {
        return Some(number);
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_number_text = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && unsigned
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    if !is_number_text {
        return None;
    }
    let float: f64 = text.parse().ok().filter(|f: &f64| f.is_finite())?;
    exact_integer(text).or_else(|| hubferry_event::float_text(float).parse().ok())
}

/// JavaScript's `Number(text)` with its infinities; what is no number is NaN.
pub(crate) fn js_number(text: &str) -> f64 {
    if let Some(number) = number_in_text(text) {
        return float(&number);
    }
    let text = js_trim(text);
    match text {
        "Infinity" | "+Infinity" => f64::INFINITY,
        "-Infinity" => f64::NEG_INFINITY,
        // Only a number that is too large is left to be one.
        _ if text
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-')) =>
        {
            text.parse().unwrap_or(f64::NAN)
        }
        _ => f64::NAN,
    }
}

/// A plain integer keeps all its digits.
fn exact_integer(text: &str) -> Option<Number> {
    let negative = text.starts_with('-');
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let significant = digits.trim_start_matches('0');
    match (significant, negative) {
        ("", _) => Some(Number::from(0)),
        (digits, false) => digits.parse().ok(),
        (digits, true) => format!("-{digits}").parse().ok(),
    }
}

fn number_with_radix(text: &str) -> Option<Number> {
    let (prefix, digits) = text.split_at_checked(2)?;
    let radix = match prefix {
        "0x" | "0X" => 16,
        "0o" | "0O" => 8,
        "0b" | "0B" => 2,
        _ => return None,
    };
    if digits.starts_with('+') {
        return None;
    }
    u64::from_str_radix(digits, radix).ok().map(Number::from)
}

/// What a value is, for messages that must not show it.
pub(crate) fn kind_name<'a>(value: impl Into<Json<'a>>) -> &'static str {
    match value.into().kind() {
        JsonKind::Null => "null",
        JsonKind::Bool => "a boolean",
        JsonKind::Number => "a number",
        JsonKind::String => "a text",
        JsonKind::Array => "a list",
        JsonKind::Object => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_have_javascripts_text() {
        let cases = [
            (json!(null), "null"),
            (json!(true), "true"),
            (json!(0), "0"),
            (json!(0.5), "0.5"),
            (json!("s"), "s"),
            (json!({"a": 1}), "[object Object]"),
            (json!([]), ""),
            (json!([[1, 2], [3]]), "1,2,3"),
            (
                json!([1, null, {"a": 1}, [null, "x"]]),
                "1,,[object Object],,x",
            ),
        ];
        for (value, expected) in cases {
            assert_eq!(js_text(&value), expected, "{value}");
        }
    }

    #[test]
    fn texts_hold_javascripts_numbers() {
        let cases = [
            ("", Some("0")),
            (" ", Some("0")),
            ("5", Some("5")),
            (" 5 ", Some("5")),
            ("+5", Some("5")),
            ("-5.50", Some("-5.5")),
            ("5.", Some("5")),
            (".5", Some("0.5")),
            ("007", Some("7")),
            ("-0", Some("0")),
            ("1e3", Some("1000")),
            ("0x10", Some("16")),
            ("0b101", Some("5")),
            ("0o17", Some("15")),
            ("12345678901234567890", Some("12345678901234567890")),
            ("5abc", None),
            ("NaN", None),
            ("Infinity", None),
            ("1e400", None),
            ("0x", None),
            ("-0x10", None),
            ("0x+1", None),
            ("1_000", None),
            ("1 2", None),
            (".", None),
            ("e5", None),
            ("1e", None),
        ];
        for (text, expected) in cases {
            let number = number_in_text(text);
            assert_eq!(
                number.as_ref().map(number_text).as_deref(),
                expected,
                "{text:?}"
            );
        }
    }

    #[test]
    fn truth_is_javascripts() {
        for falsy in [json!(null), json!(false), json!(0), json!(-0.0), json!("")] {
            assert!(!is_truthy(&falsy), "{falsy}");
        }
        for truthy in [json!(true), json!(1), json!(" "), json!([]), json!({})] {
            assert!(is_truthy(&truthy), "{truthy}");
        }
    }
}
