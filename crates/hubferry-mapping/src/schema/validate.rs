//! A payload made to fit an action's fields.

use std::fmt;
use std::mem;

use serde_json::{Map, Value};

use super::coerce::{Findings, clean, coerce};
use super::field::{FieldSchema, FieldType};
use super::spot::Spot;
use super::violation::{MAX_REPORTED, Note, Violation};

/// All fields of an action.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schema {
    fields: Vec<FieldSchema>,
}

/// What happens to `""` in a declared field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Blank {
    /// It is left out.
    #[default]
    Skip,
    /// In a text field it stays, which clears the property.
    Clear,
}

/// How a mapping wants its payload cleaned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CleanOptions {
    /// What happens to `""`.
    pub blank_fields: Blank,
    /// Whether an optional field that breaks a rule is left out and noted, instead of refusing the payload.
    pub drop_invalid: bool,
}

/// A payload that fits. `Debug` shows the names of its fields, not their values.
#[derive(Clone, PartialEq)]
pub struct Validated {
    /// The declared fields, coerced.
    pub payload: Map<String, Value>,
    /// What was done to them.
    pub notes: Vec<Note>,
}

impl fmt::Debug for Validated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields: Vec<&String> = self.payload.keys().collect();
        f.debug_struct("Validated")
            .field("fields", &fields)
            .field("notes", &self.notes)
            .finish()
    }
}

impl Schema {
    /// Takes the fields of an action.
    #[must_use]
    pub const fn new(fields: Vec<FieldSchema>) -> Self {
        Self { fields }
    }

    /// The fields, in order.
    #[must_use]
    pub fn fields(&self) -> &[FieldSchema] {
        &self.fields
    }

    /// The field with this name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&FieldSchema> {
        self.fields.iter().find(|field| field.name() == name)
    }

    /// Cleans, coerces and checks a payload; members that are no field are dropped.
    ///
    /// # Errors
    /// Every violation, in the order of the fields they are in, required fields that are missing last. Beyond
    /// [`MAX_REPORTED`] the rest is counted in one more, whose path is `/`.
    pub fn validate(
        &self,
        mut payload: Map<String, Value>,
        options: &CleanOptions,
    ) -> Result<Validated, Vec<Violation>> {
        let mut notes = Vec::new();
        let mut refused = Vec::new();
        let mut expected = 0;
        // In place, because most payloads keep all their members.
        payload.retain(|name, slot| {
            let Some(field) = self.field_near(name, &mut expected) else {
                return false;
            };
            let Some(value) = clean_top(field, mem::take(slot), options.blank_fields) else {
                return false;
            };
            let mut findings = Findings::default();
            match coerce(field, value, &Spot::field(name), &mut findings) {
                Some(value) => {
                    *slot = value;
                    notes.extend(findings.into_notes());
                    true
                }
                None => {
                    refused.push((field, findings.into_violations()));
                    false
                }
            }
        });
        let mut accepted = Validated { payload, notes };
        let violations = self.judge(&mut accepted, refused, options);
        if violations.is_empty() {
            Ok(accepted)
        } else {
            Err(violations)
        }
    }

    /// The field with this name, looked for where the order of the schema makes it likely first.
    fn field_near(&self, name: &str, expected: &mut usize) -> Option<&FieldSchema> {
        let (before, from) = self.fields.split_at((*expected).min(self.fields.len()));
        let is_it = |field: &FieldSchema| field.name() == name;
        let found = match from.iter().position(is_it) {
            Some(ahead) => before.len() + ahead,
            None => before.iter().position(is_it)?,
        };
        *expected = found + 1;
        self.fields.get(found)
    }

    /// Decides which refused fields may be left out, and adds what is missing.
    fn judge(
        &self,
        accepted: &mut Validated,
        refused: Vec<(&FieldSchema, (Vec<Violation>, usize))>,
        options: &CleanOptions,
    ) -> Vec<Violation> {
        let seen: Vec<&str> = refused.iter().map(|(field, _)| field.name()).collect();
        let mut missing: Vec<Violation> = self
            .fields
            .iter()
            .filter(|field| field.requirement().applies(&accepted.payload))
            .filter(|field| {
                !accepted.payload.contains_key(field.name()) && !seen.contains(&field.name())
            })
            .map(|field| Violation {
                path: format!("/{}", field.name()),
                expected: "a value".to_owned(),
                actual: "nothing".to_owned(),
            })
            .collect();
        let mut violations = Vec::new();
        let mut unreported = 0;
        for (field, (why, more)) in refused {
            if options.drop_invalid && !field.requirement().applies(&accepted.payload) {
                accepted.notes.push(Note::Dropped {
                    field: field.name().to_owned(),
                    why: capped(why, more),
                });
            } else {
                violations.extend(why);
                unreported += more;
            }
        }
        violations.append(&mut missing);
        capped(violations, unreported)
    }
}

/// At most [`MAX_REPORTED`] violations, and one for all others: a message must not grow with the payload.
fn capped(mut violations: Vec<Violation>, mut unreported: usize) -> Vec<Violation> {
    unreported += violations.len().saturating_sub(MAX_REPORTED);
    violations.truncate(MAX_REPORTED);
    if unreported > 0 {
        violations.push(Violation::further(unreported));
    }
    violations
}

fn clean_top(field: &FieldSchema, value: Value, blank: Blank) -> Option<Value> {
    let is_blank = value.as_str() == Some("");
    let stays = blank == Blank::Clear && field.kind() == FieldType::Text;
    if is_blank && !stays {
        return None;
    }
    clean(field, value)
}
