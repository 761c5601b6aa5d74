//! A JSON value, wherever it lies.

use std::fmt;

use serde_json::{Map, Number, Value};

use crate::document::Document;
use crate::tape::{CellKind, fingerprint};

/// A borrowed JSON value: a part of an event that was read but not yet made a [`Value`], or a [`Value`].
///
/// Looking into it makes nothing; [`to_value`](Self::to_value) copies what it stands for. It may hold personal data:
/// `Debug` shows only its kind.
///
/// ```
/// use hubferry_event::{Event, Json};
///
/// let event = Event::parse(br#"{"type":"identify","userId":"u1","traits":{"plan":"pro"}}"#).expect("it is an event");
/// let plan = event.json().get("traits").and_then(|traits| traits.get("plan"));
/// assert_eq!(plan.and_then(Json::as_str), Some("pro"));
/// ```
#[derive(Clone, Copy)]
pub struct Json<'a>(Place<'a>);

#[derive(Clone, Copy)]
enum Place<'a> {
    Value(&'a Value),
    Cell(&'a Document, u32),
}

/// What a JSON value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonKind {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// A number.
    Number,
    /// A text.
    String,
    /// A list.
    Array,
    /// An object.
    Object,
}

impl<'a> Json<'a> {
    /// The whole of a document.
    pub(crate) const fn root(document: &'a Document) -> Self {
        Self(Place::Cell(document, 0))
    }

    /// What it is.
    #[must_use]
    pub fn kind(self) -> JsonKind {
        match self.0 {
            Place::Value(value) => match value {
                Value::Null => JsonKind::Null,
                Value::Bool(_) => JsonKind::Bool,
                Value::Number(_) => JsonKind::Number,
                Value::String(_) => JsonKind::String,
                Value::Array(_) => JsonKind::Array,
                Value::Object(_) => JsonKind::Object,
            },
            Place::Cell(document, place) => match document.tape().kind(place) {
                CellKind::Null => JsonKind::Null,
                CellKind::False | CellKind::True => JsonKind::Bool,
                CellKind::Number => JsonKind::Number,
                CellKind::String => JsonKind::String,
                CellKind::Array => JsonKind::Array,
                CellKind::Object => JsonKind::Object,
            },
        }
    }

    /// Whether it is null.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.kind() == JsonKind::Null
    }

    /// Whether it is an object.
    #[must_use]
    pub fn is_object(self) -> bool {
        self.kind() == JsonKind::Object
    }

    /// The text, when it is one.
    #[must_use]
    pub fn as_str(self) -> Option<&'a str> {
        match self.0 {
            Place::Value(value) => value.as_str(),
            Place::Cell(document, place) => (document.tape().kind(place) == CellKind::String)
                .then(|| document.tape().text(place)),
        }
    }

    /// The digits of a number as they were written, when it is one.
    #[must_use]
    pub fn as_number_text(self) -> Option<&'a str> {
        match self.0 {
            Place::Value(value) => value.as_number().map(Number::as_str),
            Place::Cell(document, place) => (document.tape().kind(place) == CellKind::Number)
                .then(|| document.tape().text(place)),
        }
    }

    /// The truth, when it is a boolean.
    #[must_use]
    pub fn as_bool(self) -> Option<bool> {
        match self.0 {
            Place::Value(value) => value.as_bool(),
            Place::Cell(document, place) => match document.tape().kind(place) {
                CellKind::True => Some(true),
                CellKind::False => Some(false),
                _ => None,
            },
        }
    }

    /// How many members an object or elements a list has; 0 for everything else.
    #[must_use]
    pub fn len(self) -> usize {
        match self.0 {
            Place::Value(Value::Object(members)) => members.len(),
            Place::Value(Value::Array(items)) => items.len(),
            Place::Value(_) => 0,
            Place::Cell(document, place) => match document.tape().kind(place) {
                CellKind::Object | CellKind::Array => document.tape().length(place) as usize,
                _ => 0,
            },
        }
    }

    /// Whether it has neither members nor elements.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The member of an object with this key.
    #[must_use]
    pub fn get(self, key: &str) -> Option<Json<'a>> {
        match self.0 {
            Place::Value(Value::Object(members)) => member(members, key).map(Json::from),
            Place::Value(_) => None,
            Place::Cell(document, place) => {
                let print = fingerprint(key.as_bytes());
                let member = document.tape().member(place, key, print)?;
                Some(Self(Place::Cell(document, member)))
            }
        }
    }

    /// The same for a key that is looked for in many objects.
    #[must_use]
    pub fn member(self, key: &Key) -> Option<Json<'a>> {
        match self.0 {
            Place::Value(_) => self.get(&key.text),
            Place::Cell(document, place) => {
                let member = document.tape().member(place, &key.text, key.print)?;
                Some(Self(Place::Cell(document, member)))
            }
        }
    }

    /// The element of a list, counted from 0.
    #[must_use]
    pub fn element(self, index: usize) -> Option<Json<'a>> {
        match self.0 {
            Place::Value(Value::Array(items)) => items.get(index).map(Json::from),
            Place::Value(_) => None,
            Place::Cell(document, place) => {
                let element = document.tape().element(place, index)?;
                Some(Self(Place::Cell(document, element)))
            }
        }
    }

    /// The elements of a list, in order; none for everything else.
    pub fn elements(self) -> impl Iterator<Item = Json<'a>> {
        let (values, cells): (&[Value], _) = match self.0 {
            Place::Value(Value::Array(items)) => (items, None),
            Place::Value(_) => (&[], None),
            Place::Cell(document, place) if document.tape().kind(place) == CellKind::Array => {
                (&[], Some((document, place)))
            }
            Place::Cell(..) => (&[], None),
        };
        let cells = cells.into_iter().flat_map(|(document, list)| {
            let count = document.tape().length(list);
            let places =
                std::iter::successors(Some(list + 1), |&at| Some(document.tape().next(at)));
            places
                .take(count as usize)
                .map(|at| Self(Place::Cell(document, at)))
        });
        values.iter().map(Json::from).chain(cells)
    }

    /// The members of an object, in order; none for everything else.
    pub fn members(self) -> impl Iterator<Item = (&'a str, Json<'a>)> {
        let (values, cells) = match self.0 {
            Place::Value(value) => (value.as_object(), None),
            Place::Cell(document, place) if document.tape().kind(place) == CellKind::Object => {
                (None, Some((document, place)))
            }
            Place::Cell(..) => (None, None),
        };
        let cells = cells.into_iter().flat_map(|(document, object)| {
            let count = document.tape().length(object);
            let keys =
                std::iter::successors(Some(object + 1), |&at| Some(document.tape().next(at + 1)));
            keys.take(count as usize).map(|key| {
                let member = Self(Place::Cell(document, key + 1));
                (document.tape().text(key), member)
            })
        });
        values
            .into_iter()
            .flat_map(|members| {
                members
                    .iter()
                    .map(|(key, value)| (key.as_str(), value.into()))
            })
            .chain(cells)
    }

    /// A copy of the value.
    #[must_use]
    pub fn to_value(self) -> Value {
        match self.0 {
            Place::Value(value) => value.clone(),
            Place::Cell(document, place) => document.copy(place),
        }
    }

    /// The value itself. For a part of an event that is no [`Value`] yet the member of the event that it is in becomes
    /// one, once.
    #[must_use]
    pub fn value(self) -> &'a Value {
        match self.0 {
            Place::Value(value) => value,
            Place::Cell(document, place) => document.value_at(place),
        }
    }
}

/// The key of a member, prepared once to be looked for often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    text: Box<str>,
    print: u32,
}

impl Key {
    /// Prepares a key.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self {
            text: text.into(),
            print: fingerprint(text.as_bytes()),
        }
    }

    /// The key as it stands in objects.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        &self.text
    }
}

impl<'a> From<&'a Value> for Json<'a> {
    fn from(value: &'a Value) -> Self {
        Self(Place::Value(value))
    }
}

impl fmt::Debug for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Json({:?})", self.kind())
    }
}

/// The member with this key. Small objects are searched from the front, which is faster than hashing the key.
fn member<'a>(members: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    const SMALL: usize = 16;
    if members.len() > SMALL {
        return members.get(key);
    }
    members
        .iter()
        .find_map(|(name, value)| (name == key).then_some(value))
}

#[cfg(test)]
mod tests;
