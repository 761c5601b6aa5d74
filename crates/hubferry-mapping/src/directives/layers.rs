//! Objects laid over each other, member by member.

use std::borrow::Cow;
use std::collections::HashMap;

use hubferry_event::Json;
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
            Resolved::Lent(json) => self.lay_lent(json),
            Resolved::Made(Value::Object(members)) => {
                for (key, member) in members {
                    self.put_key(Cow::Owned(key), Resolved::Made(member));
                }
            }
            Resolved::Made(Value::Array(items)) => {
                for (index, item) in items.into_iter().enumerate() {
                    self.put_key(Cow::Owned(index.to_string()), Resolved::Made(item));
                }
            }
            Resolved::Made(scalar) => self.lay_units(Json::from(&scalar)),
        }
        Ok(())
    }

    fn lay_lent(&mut self, json: Json<'a>) {
        for (key, member) in json.members() {
            self.put_key(Cow::Borrowed(key), Resolved::Lent(member));
        }
        for (index, item) in json.elements().enumerate() {
            self.put_key(Cow::Owned(index.to_string()), Resolved::Lent(item));
        }
        self.lay_units(json);
    }

    /// Lists and texts contribute their indexes as keys, other scalars nothing.
    fn lay_units(&mut self, json: Json<'_>) {
        let units = json.as_str().unwrap_or_default().encode_utf16();
        for (index, unit) in units.enumerate() {
            let unit = String::from_utf16_lossy(&[unit]);
            self.put_key(Cow::Owned(index.to_string()), Resolved::text(unit));
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
        Resolved::Lent(json) => contributed(*json),
        Resolved::Made(value) => contributed(value.into()),
    }
}

fn contributed(json: Json<'_>) -> usize {
    json.as_str().map_or(json.len(), str::len)
}
