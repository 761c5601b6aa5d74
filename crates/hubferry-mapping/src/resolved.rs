//! A value on its way from the event to the payload.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::budget::{Budget, MEMBER, weight};
use crate::fault::ResolveError;
use crate::text::{is_truthy, kind_name};

/// The result of a node. Values of the event and constants of the mapping are borrowed until the payload is built,
/// and undefined is kept inside objects and lists because some directives see the difference.
#[derive(Clone, Debug)]
pub(crate) enum Resolved<'a> {
    /// No value.
    Undefined,
    /// A value without anything undefined in it.
    Value(Cow<'a, Value>),
    /// An object that the mapping wrote.
    Object(Vec<(Cow<'a, str>, Resolved<'a>)>),
    /// A list that the mapping wrote.
    Array(Vec<Resolved<'a>>),
}

impl<'a> Resolved<'a> {
    pub(crate) fn owned(value: Value) -> Resolved<'static> {
        Resolved::Value(Cow::Owned(value))
    }

    pub(crate) fn text(text: impl Into<String>) -> Resolved<'static> {
        Self::owned(Value::String(text.into()))
    }

    /// Builds the value: undefined members vanish, undefined elements become null.
    pub(crate) fn into_value(self, budget: &Budget) -> Result<Option<Value>, ResolveError> {
        Ok(Some(match self {
            Self::Undefined => return Ok(None),
            Self::Value(value) => owned(value, budget)?,
            Self::Object(members) => {
                let mut map = Map::with_capacity(members.len());
                for (key, member) in members {
                    if let Some(value) = member.into_value(budget)? {
                        budget.make(MEMBER + key.len())?;
                        map.insert(key.into_owned(), value);
                    }
                }
                Value::Object(map)
            }
            Self::Array(items) => items
                .into_iter()
                .map(|item| Ok(item.into_value(budget)?.unwrap_or(Value::Null)))
                .collect::<Result<_, ResolveError>>()?,
        }))
    }

    /// The same with nothing borrowed.
    pub(crate) fn detach(self, budget: &Budget) -> Result<Resolved<'static>, ResolveError> {
        Ok(match self {
            Resolved::Undefined => Resolved::Undefined,
            Resolved::Value(value) => Resolved::owned(owned(value, budget)?),
            Resolved::Object(members) => Resolved::Object(
                members
                    .into_iter()
                    .map(|(key, member)| {
                        budget.make(MEMBER + key.len())?;
                        Ok((Cow::Owned(key.into_owned()), member.detach(budget)?))
                    })
                    .collect::<Result<_, ResolveError>>()?,
            ),
            Resolved::Array(items) => {
                let items = items.into_iter().map(|item| item.detach(budget));
                Resolved::Array(items.collect::<Result<_, ResolveError>>()?)
            }
        })
    }

    /// Neither undefined nor null.
    pub(crate) fn exists(&self) -> bool {
        match self {
            Self::Undefined => false,
            Self::Value(value) => !value.is_null(),
            Self::Object(_) | Self::Array(_) => true,
        }
    }

    /// Undefined, null, `""`, 0, false, and lists whose joined text is empty.
    pub(crate) fn is_blank(&self) -> bool {
        match self {
            Self::Undefined => true,
            Self::Value(value) if value.is_array() => has_empty_text(value),
            Self::Value(value) => !is_truthy(value),
            Self::Object(_) => false,
            // One element that is blank as text leaves nothing; two leave at least a comma.
            Self::Array(items) => match items.as_slice() {
                [] => true,
                [only] => match only {
                    Self::Value(value) => has_empty_text(value),
                    other => other.is_blank(),
                },
                _ => false,
            },
        }
    }

    /// The text, when it is one.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Value(value) => value.as_str(),
            Self::Undefined | Self::Object(_) | Self::Array(_) => None,
        }
    }

    /// What it is, for messages that must not show it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Undefined => "missing",
            Self::Value(value) => kind_name(value),
            Self::Object(_) => "an object",
            Self::Array(_) => "a list",
        }
    }
}

/// What is borrowed is paid for before it is copied; what is owned was paid for when it was made.
fn owned(value: Cow<'_, Value>, budget: &Budget) -> Result<Value, ResolveError> {
    if let Cow::Borrowed(value) = value {
        budget.make(weight(value))?;
    }
    Ok(value.into_owned())
}

/// Whether a value in a list leaves no text when the list is joined by commas: two elements leave at least one of those.
fn has_empty_text(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => match items.as_slice() {
            [] => true,
            [only] => has_empty_text(only),
            _ => false,
        },
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    }
}

impl<'a> From<Option<Cow<'a, Value>>> for Resolved<'a> {
    fn from(found: Option<Cow<'a, Value>>) -> Self {
        found.map_or(Self::Undefined, Self::Value)
    }
}
