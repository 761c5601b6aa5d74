//! A value made to fit its field, or every rule it breaks.

use std::mem;

use hubferry_event::{float_text, parse_lenient_timestamp};
use serde_json::{Map, Number, Value};

use super::field::{FieldSchema, FieldType, Format};
use super::spot::Spot;
use super::violation::{MAX_REPORTED, Note, Violation, describe, masked_email, shown};
use crate::text::{float, js_text, js_trim, kind_name, number_in_text};

/// Collects what was found while a field is checked: the first of each kind, and how many there were.
#[derive(Default)]
pub(super) struct Findings {
    notes: Vec<Note>,
    violations: Vec<Violation>,
    coerced: usize,
    refused: usize,
}

impl Findings {
    /// The violations that are reported, and how many more there were.
    pub(super) fn into_violations(self) -> (Vec<Violation>, usize) {
        let more = self.refused - self.violations.len();
        (self.violations, more)
    }

    /// The notes that are reported; the last one says how many more there were.
    pub(super) fn into_notes(mut self) -> Vec<Note> {
        let more = self.coerced - self.notes.len();
        if let (1.., Some(Note::Coerced { path, .. })) = (more, self.notes.last_mut()) {
            path.push_str(&format!(" and {more} more"));
        }
        self.notes
    }

    fn refuse(&mut self, path: &Spot<'_>, expected: impl Into<String>, actual: impl Into<String>) {
        self.refused += 1;
        if self.refused <= MAX_REPORTED {
            self.violations.push(Violation {
                path: path.to_string(),
                expected: expected.into(),
                actual: actual.into(),
            });
        }
    }

    fn coerced(&mut self, path: &Spot<'_>, from: &'static str, to: &'static str) {
        self.coerced += 1;
        if self.coerced <= MAX_REPORTED {
            self.notes.push(Note::Coerced {
                path: path.to_string(),
                from,
                to,
            });
        }
    }
}

/// Coerces and checks a cleaned value; `None` when it breaks a rule, which is then among the findings.
pub(super) fn coerce(
    field: &FieldSchema,
    value: Value,
    path: &Spot<'_>,
    findings: &mut Findings,
) -> Option<Value> {
    if !field.multiple || value.is_null() {
        return coerce_one(field, value, path, findings);
    }
    let items = match value {
        Value::Array(items) => items,
        single => {
            findings.coerced(path, kind_name(&single), "a list");
            vec![single]
        }
    };
    let before = findings.refused;
    let items: Vec<Value> = items
        .into_iter()
        .enumerate()
        .filter_map(|(index, item)| coerce_one(field, item, &path.element(index), findings))
        .collect();
    (findings.refused == before).then_some(Value::Array(items))
}

fn coerce_one(
    field: &FieldSchema,
    value: Value,
    path: &Spot<'_>,
    findings: &mut Findings,
) -> Option<Value> {
    let from = kind_name(&value);
    let (value, unwrapped) = unwrap_single(field.kind, value);
    // Null as it was sent; a null in a list of one is coerced as in other fields.
    if value.is_null() && field.allow_null && !unwrapped {
        return Some(Value::Null);
    }
    let (value, changed) = match fit(field, value) {
        Ok(fitted) => fitted,
        Err(refused) => {
            findings.refuse(path, expected(field.kind), describe(&refused));
            return None;
        }
    };
    if changed || unwrapped {
        findings.coerced(path, from, kind_name(&value));
    }
    let value = match value {
        Value::Object(members) => Value::Object(coerce_members(field, members, path, findings)?),
        other => other,
    };
    check_rules(field, &value, path, findings).then_some(value)
}

/// A list of one stands for its element, except where an object is wanted.
fn unwrap_single(kind: FieldType, value: Value) -> (Value, bool) {
    match value {
        Value::Array(mut items) if items.len() == 1 && kind != FieldType::Object => {
            (items.swap_remove(0), true)
        }
        other => (other, false),
    }
}

const fn expected(kind: FieldType) -> &'static str {
    match kind {
        FieldType::Text => "a text",
        FieldType::Number => "a number",
        FieldType::Integer => "a whole number",
        FieldType::Boolean => "true or false",
        FieldType::DateTime => "a date or time",
        FieldType::Object => "an object",
    }
}

/// The value in the field's type and whether it changed, or the value that does not fit.
fn fit(field: &FieldSchema, value: Value) -> Result<(Value, bool), Value> {
    match field.kind {
        FieldType::Text => fit_text(field.format, value),
        FieldType::Number => fit_number(value, |_| true),
        FieldType::Integer => fit_number(value, is_whole),
        FieldType::Boolean => fit_boolean(value),
        FieldType::DateTime if is_date_time(&value) => Ok((value, false)),
        FieldType::Object if value.is_object() => Ok((value, false)),
        FieldType::DateTime | FieldType::Object => Err(value),
    }
}

fn fit_text(format: Option<Format>, value: Value) -> Result<(Value, bool), Value> {
    let (mut text, changed) = match value {
        Value::String(text) => (text, false),
        scalar @ (Value::Bool(_) | Value::Number(_)) => (js_text(&scalar), true),
        Value::Null => (String::new(), true),
        other @ (Value::Array(_) | Value::Object(_)) => return Err(other),
    };
    if format == Some(Format::Email) && js_trim(&text).len() < text.len() {
        let trimmed = js_trim(&text).to_owned();
        text = trimmed;
        return Ok((Value::String(text), true));
    }
    Ok((Value::String(text), changed))
}

fn fit_number(value: Value, accepts: impl Fn(&Number) -> bool) -> Result<(Value, bool), Value> {
    let number = match &value {
        Value::Number(number) => float(number).is_finite().then(|| number.clone()),
        // Blanks are zero, but nothing is no number.
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => number_in_text(text),
        Value::Bool(truth) => Some(Number::from(u8::from(*truth))),
        Value::Null => Some(Number::from(0)),
        Value::Array(_) | Value::Object(_) => None,
    };
    match number.filter(accepts) {
        Some(number) => {
            let changed = !value.is_number();
            Ok((Value::Number(number), changed))
        }
        None => Err(value),
    }
}

fn is_whole(number: &Number) -> bool {
    float(number).fract() == 0.0
}

fn fit_boolean(value: Value) -> Result<(Value, bool), Value> {
    let truth = match &value {
        Value::Bool(_) => return Ok((value, false)),
        Value::Null => false,
        Value::String(text) if text == "true" => true,
        Value::String(text) if text == "false" => false,
        Value::Number(number) if float(number) == 1.0 => true,
        Value::Number(number) if float(number) == 0.0 => false,
        Value::String(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            return Err(value);
        }
    };
    Ok((Value::Bool(truth), true))
}

/// Any number, a text that is the plain text of a number, or a date that a lenient reader understands.
fn is_date_time(value: &Value) -> bool {
    match value {
        Value::Number(_) => true,
        Value::String(text) => {
            let is_number_text = text
                .parse()
                .is_ok_and(|float: f64| float.is_finite() && float_text(float) == *text);
            is_number_text || parse_lenient_timestamp(text).is_some()
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
    }
}

fn coerce_members(
    field: &FieldSchema,
    members: Map<String, Value>,
    path: &Spot<'_>,
    findings: &mut Findings,
) -> Option<Map<String, Value>> {
    if field.properties.is_empty() {
        return Some(members);
    }
    let before = findings.refused;
    let mut kept = Map::new();
    for (name, value) in members {
        match field.member(&name) {
            Some(member) => {
                // A placeholder keeps a refused member from counting as missing too.
                let value = coerce(member, value, &path.member(&name), findings);
                let value = value.unwrap_or(Value::Null);
                kept.insert(name, value);
            }
            None if field.additional_properties => {
                kept.insert(name, value);
            }
            None => {}
        }
    }
    for member in &field.properties {
        if !kept.contains_key(&member.name) && member.required.applies(&kept) {
            findings.refuse(&path.member(&member.name), "a value", "nothing");
        }
    }
    (findings.refused == before).then_some(kept)
}

fn check_rules(
    field: &FieldSchema,
    value: &Value,
    path: &Spot<'_>,
    findings: &mut Findings,
) -> bool {
    let before = findings.refused;
    if !field.choices.is_empty() && !field.choices.iter().any(|choice| same(choice, value)) {
        let choices: Vec<String> = field.choices.iter().map(shown).collect();
        findings.refuse(path, format!("one of {}", choices.join(", ")), shown(value));
    }
    if let (Some(format), Value::String(text)) = (field.format, value)
        && !format.accepts(text)
    {
        let actual = match format {
            Format::Email => masked_email(text),
            _ => describe(value),
        };
        findings.refuse(path, format.expected(), actual);
    }
    check_bounds(field, value, path, findings);
    findings.refused == before
}

/// Numbers are the same when they are equal, however they are written.
fn same(choice: &Value, value: &Value) -> bool {
    match (choice, value) {
        (Value::Number(a), Value::Number(b)) => a == b || float(a) == float(b),
        _ => choice == value,
    }
}

fn check_bounds(field: &FieldSchema, value: &Value, path: &Spot<'_>, findings: &mut Findings) {
    if field.minimum.is_none() && field.maximum.is_none() {
        return;
    }
    let (size, unit) = match (field.kind, value) {
        (FieldType::Number, Value::Number(number)) => (float(number), ""),
        (FieldType::Text, Value::String(text)) => {
            let units = u32::try_from(text.encode_utf16().count()).unwrap_or(u32::MAX);
            (f64::from(units), " characters")
        }
        _ => return,
    };
    if let Some(minimum) = field.minimum.filter(|minimum| size < *minimum) {
        findings.refuse(path, format!("at least {minimum}{unit}"), describe(value));
    }
    if let Some(maximum) = field.maximum.filter(|maximum| size > *maximum) {
        findings.refuse(path, format!("at most {maximum}{unit}"), describe(value));
    }
}

/// Removes what counts as empty; `None` when the whole value does. Members of objects in lists are left alone.
pub(super) fn clean(field: &FieldSchema, value: Value) -> Option<Value> {
    match value {
        Value::Null => field.allow_null.then_some(Value::Null),
        Value::String(text) if text.is_empty() && field.kind != FieldType::Text => None,
        Value::Array(items) if field.multiple => Some(Value::Array(
            items
                .into_iter()
                .filter(|item| !is_empty_element(field, item))
                .collect(),
        )),
        Value::Object(mut members) if !field.multiple && field.kind == FieldType::Object => {
            for member in &field.properties {
                let Some(value) = members.get_mut(&member.name).map(mem::take) else {
                    continue;
                };
                match clean(member, value) {
                    Some(cleaned) => {
                        members.insert(member.name.clone(), cleaned);
                    }
                    None => {
                        members.shift_remove(&member.name);
                    }
                }
            }
            Some(Value::Object(members))
        }
        other => Some(other),
    }
}

fn is_empty_element(field: &FieldSchema, item: &Value) -> bool {
    item.is_null() || (field.kind != FieldType::Text && item.as_str() == Some(""))
}
