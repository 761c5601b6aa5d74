//! What a property accepts, and how the value reads once it is stored.
//!
//! Rules: HubSpot's properties guide; the messages are those of recorded error bodies.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::Value;

use crate::emails::valid_email;
use crate::property::{FieldType, Property, Role, ValueType};

/// The longest text a string property holds, in characters.
const LONGEST_TEXT: usize = 65_536;

/// What a checked value does to a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// Store this value.
    Set(Box<str>),
    /// Add these options to the ones chosen so far (`;c` on a multiple checkbox).
    Append(Box<str>),
    /// Remove the value (`""`).
    Clear,
}

/// One refused value, as an item of the list in `Property values were not valid: […]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BadValue {
    is_valid: bool,
    pub(crate) message: String,
    pub(crate) error: &'static str,
    pub(crate) name: String,
}

impl BadValue {
    pub(crate) fn new(name: &str, error: &'static str, message: impl Into<String>) -> Self {
        Self {
            is_valid: false,
            message: message.into(),
            error,
            name: name.to_owned(),
        }
    }

    /// No property of that name, or it is not visible to writes yet.
    pub(crate) fn unknown(name: &str) -> Self {
        Self::new(
            name,
            "PROPERTY_DOESNT_EXIST",
            format!("Property \"{name}\" does not exist"),
        )
    }

    /// The property's value is made by HubSpot.
    pub(crate) fn read_only(name: &str) -> Self {
        Self::new(
            name,
            "READ_ONLY_VALUE",
            format!("\"{name}\" is a read only property; its value cannot be set."),
        )
    }

    /// Another record owns this value of a unique property.
    pub(crate) fn taken(name: &str, owner: u64) -> Self {
        let message =
            format!("propertyValue must be unique. Record {owner} already has that value.");
        Self::new(name, "CONFLICTING_UNIQUE_VALUE", message)
    }
}

/// Checks one written value against its property.
pub(crate) fn check(property: &Property, value: &Value) -> Result<Change, BadValue> {
    if property.read_only {
        return Err(BadValue::read_only(&property.name));
    }
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Null => return Ok(Change::Clear),
        Value::Array(_) | Value::Object(_) => {
            let message = "Property values must be text, numbers or booleans";
            return Err(BadValue::new(&property.name, "INVALID_TYPE", message));
        }
    };
    if text.is_empty() {
        return Ok(Change::Clear);
    }
    match property.role {
        Role::Email => email(property, &text).map(Change::Set),
        Role::AdditionalEmails => emails(property, &text).map(Change::Set),
        _ => by_type(property, text),
    }
}

fn by_type(property: &Property, text: String) -> Result<Change, BadValue> {
    match property.value_type {
        ValueType::String | ValueType::PhoneNumber => string(property, text).map(Change::Set),
        ValueType::Number => number(property, &text).map(Change::Set),
        ValueType::Bool => boolean(property, &text).map(Change::Set),
        ValueType::Date => date(property, &text).map(Change::Set),
        ValueType::DateTime => date_time(property, &text).map(Change::Set),
        ValueType::Enumeration if property.field_type == FieldType::Checkbox => {
            options(property, &text)
        }
        ValueType::Enumeration => option(property, &text).map(|value| Change::Set(value.into())),
    }
}

fn string(property: &Property, text: String) -> Result<Box<str>, BadValue> {
    let too_long = text.len() > LONGEST_TEXT && text.chars().count() > LONGEST_TEXT;
    if too_long {
        let message =
            format!("Property value is too long: at most {LONGEST_TEXT} characters are allowed");
        return Err(BadValue::new(&property.name, "VALUE_TOO_LONG", message));
    }
    Ok(text.into())
}

/// Digits with at most one decimal point, an optional sign, an optional exponent.
fn number(property: &Property, text: &str) -> Result<Box<str>, BadValue> {
    let trimmed = text.trim();
    let refused = || {
        BadValue::new(
            &property.name,
            "INVALID_INTEGER",
            format!("{text} was not a valid number"),
        )
    };
    let plain = trimmed
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E'));
    if !plain {
        return Err(refused());
    }
    let parsed: f64 = trimmed.parse().map_err(|_| refused())?;
    if !parsed.is_finite() {
        return Err(refused());
    }
    let scientific = trimmed.contains(['e', 'E']);
    Ok(if scientific {
        parsed.to_string().into()
    } else {
        trimmed.trim_start_matches('+').into()
    })
}

fn boolean(property: &Property, text: &str) -> Result<Box<str>, BadValue> {
    match text.trim() {
        flag @ ("true" | "false") => Ok(flag.into()),
        _ => Err(not_an_option(property, text, "true, false")),
    }
}

fn option<'a>(property: &Property, text: &'a str) -> Result<&'a str, BadValue> {
    let allowed = match property.field_type {
        FieldType::BooleanCheckbox if property.options.is_empty() => {
            matches!(text, "true" | "false")
        }
        _ => property.options.iter().any(|option| option.value == text),
    };
    if allowed {
        Ok(text)
    } else {
        Err(not_an_option(property, text, &option_list(property)))
    }
}

/// `a;b` replaces the set, `;c` appends to it.
fn options(property: &Property, text: &str) -> Result<Change, BadValue> {
    let chosen = text.trim_start_matches(';').trim_end_matches(';');
    if chosen.is_empty() {
        return Ok(Change::Clear);
    }
    for one in chosen.split(';') {
        option(property, one)?;
    }
    Ok(if text.starts_with(';') {
        Change::Append(chosen.into())
    } else {
        Change::Set(chosen.into())
    })
}

fn option_list(property: &Property) -> String {
    let values: Vec<&str> = property
        .options
        .iter()
        .map(|option| option.value.as_str())
        .collect();
    values.join(", ")
}

fn not_an_option(property: &Property, text: &str, list: &str) -> BadValue {
    let message = format!("{text} was not one of the allowed options: [{list}]");
    BadValue::new(&property.name, "INVALID_OPTION", message)
}

/// `YYYY-MM-DD`, or epoch milliseconds at exactly midnight UTC.
fn date(property: &Property, text: &str) -> Result<Box<str>, BadValue> {
    let trimmed = text.trim();
    let refused = |message: String| BadValue::new(&property.name, "INVALID_DATE", message);
    if let Ok(millis) = trimmed.parse::<i64>() {
        let instant = Timestamp::from_millisecond(millis)
            .map_err(|_| refused(format!("{text} was not a valid date.")))?;
        let at = TimeZone::UTC.to_datetime(instant);
        let midnight = millis.rem_euclid(86_400_000) == 0;
        if !midnight {
            let clock = format!(
                "{}:{}:{}.{}",
                at.hour(),
                at.minute(),
                at.second(),
                at.millisecond()
            );
            return Err(refused(format!(
                "{trimmed} is at {clock} UTC, not midnight!"
            )));
        }
        return Ok(at.date().to_string().into());
    }
    let shaped =
        trimmed.len() == 10 && trimmed.as_bytes()[4] == b'-' && trimmed.as_bytes()[7] == b'-';
    match trimmed.parse::<Date>() {
        Ok(date) if shaped => Ok(date.to_string().into()),
        _ => Err(refused(format!("{text} was not a valid date."))),
    }
}

/// ISO 8601 with an offset, or epoch milliseconds. Epoch seconds are read as milliseconds, as HubSpot does.
fn date_time(property: &Property, text: &str) -> Result<Box<str>, BadValue> {
    let trimmed = text.trim();
    let instant = match trimmed.parse::<i64>() {
        Ok(millis) => Timestamp::from_millisecond(millis).ok(),
        Err(_) => trimmed.parse::<Timestamp>().ok(),
    };
    match instant {
        Some(instant) => Ok(iso(instant.as_millisecond()).into()),
        None => Err(BadValue::new(
            &property.name,
            "INVALID_LONG",
            format!("{text} was not a valid long."),
        )),
    }
}

/// `2020-02-29T03:30:17.000Z` from epoch milliseconds.
pub(crate) fn iso(epoch_ms: i64) -> String {
    let instant = Timestamp::from_millisecond(epoch_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{instant:.3}")
}

fn email(property: &Property, text: &str) -> Result<Box<str>, BadValue> {
    let address = text.trim().to_lowercase();
    if valid_email(&address) {
        return Ok(address.into());
    }
    Err(BadValue::new(
        &property.name,
        "INVALID_EMAIL",
        format!("Email address {text} is invalid"),
    ))
}

fn emails(property: &Property, text: &str) -> Result<Box<str>, BadValue> {
    let mut addresses = Vec::new();
    for one in text.split(';').filter(|one| !one.trim().is_empty()) {
        addresses.push(email(property, one)?);
    }
    Ok(addresses.join(";").into())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Change, check};
    use crate::catalogue;
    use crate::objects::ObjectType;
    use crate::properties::{PropertyBook, PropertyCreate};

    fn book() -> PropertyBook {
        let mut book = catalogue::book(ObjectType::Contacts);
        let more = json!([
            {"name": "born", "label": "Born", "type": "date", "fieldType": "date", "groupName": "contactinformation"},
            {"name": "seen", "label": "Seen", "type": "datetime", "fieldType": "date", "groupName": "contactinformation"},
            {"name": "vip", "label": "VIP", "type": "bool", "fieldType": "booleancheckbox", "groupName": "contactinformation"},
            {"name": "score", "label": "Score", "type": "number", "fieldType": "number", "groupName": "contactinformation"},
            {"name": "likes", "label": "Likes", "type": "enumeration", "fieldType": "checkbox", "groupName": "contactinformation",
             "options": [{"label": "Tea", "value": "tea"}, {"label": "Cake", "value": "cake"}]},
        ]);
        let creates: Vec<PropertyCreate> = serde_json::from_value(more).unwrap();
        for create in creates {
            book.create(create, std::time::Duration::ZERO, 0).unwrap();
        }
        book
    }

    fn checked(name: &str, value: &Value) -> Result<Change, (&'static str, String)> {
        let book = book();
        let (_, property) = book.find(name).unwrap();
        check(property, value).map_err(|bad| (bad.error, bad.message))
    }

    #[test]
    fn accepted_values_are_stored_in_hubspots_form() {
        let set = |text: &str| Change::Set(text.into());
        let rows = [
            ("firstname", json!(" Ada "), set(" Ada ")),
            ("firstname", json!(7), set("7")),
            ("firstname", json!(""), Change::Clear),
            ("email", json!("Ada@Example.COM"), set("ada@example.com")),
            (
                "hs_additional_emails",
                json!("A@x.io;b@x.io"),
                set("a@x.io;b@x.io"),
            ),
            ("score", json!("12.50"), set("12.50")),
            ("score", json!("1e3"), set("1000")),
            ("score", json!(-4), set("-4")),
            ("vip", json!(true), set("true")),
            ("vip", json!("false"), set("false")),
            ("born", json!("1815-12-10"), set("1815-12-10")),
            ("born", json!("1606694400000"), set("2020-11-30")),
            (
                "seen",
                json!("2020-02-29T03:30:17Z"),
                set("2020-02-29T03:30:17.000Z"),
            ),
            (
                "seen",
                json!("2020-02-29T03:30:17.5+01:00"),
                set("2020-02-29T02:30:17.500Z"),
            ),
            (
                "seen",
                json!(1_606_768_561_954_i64),
                set("2020-11-30T20:36:01.954Z"),
            ),
            ("likes", json!("tea;cake"), set("tea;cake")),
            ("likes", json!(";cake"), Change::Append("cake".into())),
            ("hs_lead_status", json!("IN_PROGRESS"), set("IN_PROGRESS")),
        ];
        for (name, value, expected) in rows {
            assert_eq!(checked(name, &value), Ok(expected), "{name} {value}");
        }
    }

    #[test]
    fn refused_values_carry_hubspots_code_and_message() {
        let rows = [
            (
                "email",
                json!("000"),
                "INVALID_EMAIL",
                "Email address 000 is invalid",
            ),
            (
                "email",
                json!("name@domain.con"),
                "INVALID_EMAIL",
                "Email address name@domain.con is invalid",
            ),
            (
                "born",
                json!("1606768561954"),
                "INVALID_DATE",
                "1606768561954 is at 20:36:1.954 UTC, not midnight!",
            ),
            (
                "born",
                json!("soon"),
                "INVALID_DATE",
                "soon was not a valid date.",
            ),
            (
                "seen",
                json!("asd000"),
                "INVALID_LONG",
                "asd000 was not a valid long.",
            ),
            (
                "score",
                json!("many"),
                "INVALID_INTEGER",
                "many was not a valid number",
            ),
            (
                "score",
                json!("1.2.3"),
                "INVALID_INTEGER",
                "1.2.3 was not a valid number",
            ),
            (
                "score",
                json!("NaN"),
                "INVALID_INTEGER",
                "NaN was not a valid number",
            ),
            (
                "vip",
                json!("yes"),
                "INVALID_OPTION",
                "yes was not one of the allowed options: [true, false]",
            ),
            (
                "likes",
                json!("tea;pie"),
                "INVALID_OPTION",
                "pie was not one of the allowed options: [tea, cake]",
            ),
            (
                "likes",
                json!("Tea"),
                "INVALID_OPTION",
                "Tea was not one of the allowed options: [tea, cake]",
            ),
            (
                "createdate",
                json!("1"),
                "READ_ONLY_VALUE",
                "\"createdate\" is a read only property; its value cannot be set.",
            ),
            (
                "firstname",
                json!(["a"]),
                "INVALID_TYPE",
                "Property values must be text, numbers or booleans",
            ),
        ];
        for (name, value, code, message) in rows {
            assert_eq!(
                checked(name, &value),
                Err((code, message.to_owned())),
                "{name} {value}"
            );
        }
        let long = "x".repeat(65_537);
        assert_eq!(
            checked("firstname", &json!(long)).unwrap_err().0,
            "VALUE_TOO_LONG"
        );
        assert!(checked("firstname", &json!(&long[1..])).is_ok());
    }
}
