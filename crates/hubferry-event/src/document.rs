//! An event's text and the values it stands for.

use std::sync::OnceLock;

use serde_json::{Map, Value};

use crate::tape::{CellKind, Tape};

/// A JSON text that was read, and the values it stands for as soon as somebody wants them whole.
#[derive(Clone)]
pub(crate) struct Document {
    tape: Tape,
    whole: OnceLock<Value>,
    /// The values of the root's members or elements, each as soon as somebody wants it.
    parts: OnceLock<Box<[OnceLock<Value>]>>,
}

/// Stands for a place that is none of the document's, which nothing makes.
static NULL: Value = Value::Null;

impl Document {
    pub(crate) const fn new(tape: Tape) -> Self {
        Self {
            tape,
            whole: OnceLock::new(),
            parts: OnceLock::new(),
        }
    }

    pub(crate) const fn tape(&self) -> &Tape {
        &self.tape
    }

    /// A copy of the value at a place.
    pub(crate) fn copy(&self, place: u32) -> Value {
        match self.tape.kind(place) {
            CellKind::Null => Value::Null,
            CellKind::False => Value::Bool(false),
            CellKind::True => Value::Bool(true),
            CellKind::Number => number(self.tape.text(place)),
            CellKind::String => Value::String(self.tape.text(place).to_owned()),
            CellKind::Array => {
                let mut items = Vec::with_capacity(self.tape.length(place) as usize);
                let mut at = place + 1;
                for _ in 0..self.tape.length(place) {
                    items.push(self.copy(at));
                    at = self.tape.next(at);
                }
                Value::Array(items)
            }
            CellKind::Object => {
                let mut members = Map::with_capacity(self.tape.length(place) as usize);
                let mut key = place + 1;
                for _ in 0..self.tape.length(place) {
                    members.insert(self.tape.text(key).to_owned(), self.copy(key + 1));
                    key = self.tape.next(key + 1);
                }
                Value::Object(members)
            }
        }
    }

    /// How many values were made and kept.
    #[cfg(test)]
    pub(crate) fn made(&self) -> usize {
        let parts = self.parts.get().map_or(&[][..], |parts| parts);
        let parts = parts.iter().filter(|part| part.get().is_some());
        parts.count() + usize::from(self.whole.get().is_some())
    }

    /// The value whose cell this is: the same steps that lead to the cell lead to the value.
    pub(crate) fn value_at(&self, wanted: u32) -> &Value {
        if wanted == 0 {
            return self.whole.get_or_init(|| self.copy(0));
        }
        let Some((index, mut place)) = self.child(0, wanted) else {
            return &NULL;
        };
        let parts = self.parts.get_or_init(|| {
            let count = self.tape.length(0);
            (0..count).map(|_| OnceLock::new()).collect()
        });
        let Some(part) = parts.get(index) else {
            return &NULL;
        };
        let mut value = part.get_or_init(|| self.copy(place));
        while place != wanted {
            let Some((index, child)) = self.child(place, wanted) else {
                return &NULL;
            };
            let inside = match value {
                Value::Object(members) => members.values().nth(index),
                Value::Array(items) => items.get(index),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
            };
            (place, value) = (child, inside.unwrap_or(&NULL));
        }
        value
    }

    /// The member or element in which the wanted cell lies, counted from 0, and its place.
    fn child(&self, of: u32, wanted: u32) -> Option<(usize, u32)> {
        // Before the value of a member stands its key.
        let keys = match self.tape.kind(of) {
            CellKind::Object => 1,
            CellKind::Array => 0,
            _ => return None,
        };
        let mut at = of + 1 + keys;
        for index in 0..self.tape.length(of) {
            let next = self.tape.next(at);
            if wanted < next {
                return Some((index as usize, at));
            }
            at = next + keys;
        }
        None
    }
}

/// The number with all its digits; "-0" keeps its sign.
fn number(text: &str) -> Value {
    if text != "-0"
        && let Ok(small) = text.parse::<i64>()
    {
        return small.into();
    }
    text.parse().map_or(Value::Null, Value::Number)
}
