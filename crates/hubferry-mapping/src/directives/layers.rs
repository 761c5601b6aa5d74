//! Objects laid over each other, member by member.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::Value;

use crate::budget::Budget;
use crate::fault::ResolveError;
use crate::resolved::Resolved;

/// The members so far; the index keeps large objects from taking quadratic time.
#[derive(Default)]
pub(super) struct Layers<'a> {
    members: Vec<(Cow<'a, str>, Resolved<'a>)>,
    index: HashMap<Cow<'a, str>, usize>,
}

impl<'a> Layers<'a> {
    pub(super) fn lay(
        &mut self,
        resolved: Resolved<'a>,
        budget: &Budget,
    ) -> Result<(), ResolveError> {
        budget.step(spread_length(&resolved))?;
        match resolved {
            Resolved::Undefined => {}
            Resolved::Object(members) => {
                for (key, member) in members {
                    self.put_key(key, member);
                }
            }
            Resolved::Array(items) => {
                for (index, item) in items.into_iter().enumerate() {
                    self.put_key(Cow::Owned(index.to_string()), item);
                }
            }
            Resolved::Value(Cow::Borrowed(value)) => match value {
                Value::Object(members) => {
                    for (key, member) in members {
                        self.put_key(Cow::Borrowed(key), Resolved::Value(Cow::Borrowed(member)));
                    }
                }
                other => self.lay_indexes(other),
            },
            Resolved::Value(Cow::Owned(value)) => match value {
                Value::Object(members) => {
                    for (key, member) in members {
                        self.put_key(Cow::Owned(key), Resolved::owned(member));
                    }
                }
                other => self.lay_indexes(&other),
            },
        }
        Ok(())
    }

    /// Lists and texts contribute their indexes as keys, other scalars nothing.
    fn lay_indexes(&mut self, value: &Value) {
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.put_key(Cow::Owned(index.to_string()), Resolved::owned(item.clone()));
                }
            }
            Value::String(text) => {
                for (index, unit) in text.encode_utf16().enumerate() {
                    let unit = String::from_utf16_lossy(&[unit]);
                    self.put_key(Cow::Owned(index.to_string()), Resolved::text(unit));
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {}
        }
    }

    /// Puts a member in its place; a later one replaces an earlier one.
    pub(super) fn put(&mut self, key: &str, member: Resolved<'a>) {
        self.put_key(Cow::Owned(key.to_owned()), member);
    }

    pub(super) fn into_object(self) -> Resolved<'a> {
        Resolved::Object(self.members)
    }

    fn put_key(&mut self, key: Cow<'a, str>, member: Resolved<'a>) {
        match self.index.get(&key) {
            Some(&at) => self.members[at].1 = member,
            None => {
                self.index.insert(key.clone(), self.members.len());
                self.members.push((key, member));
            }
        }
    }
}

/// How many members an object, list or text contributes.
fn spread_length(resolved: &Resolved<'_>) -> usize {
    match resolved {
        Resolved::Undefined => 0,
        Resolved::Object(members) => members.len(),
        Resolved::Array(items) => items.len(),
        Resolved::Value(value) => match &**value {
            Value::Object(members) => members.len(),
            Value::Array(items) => items.len(),
            Value::String(text) => text.len(),
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        },
    }
}
