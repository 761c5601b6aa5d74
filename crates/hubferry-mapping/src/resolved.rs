//! A value on its way from the event to the payload.

use std::borrow::Cow;

use hubferry_event::{Json, JsonKind};
use serde_json::{Map, Value};

use crate::budget::{Budget, MEMBER, weight};
use crate::fault::ResolveError;
use crate::path::Found;
use crate::text::{is_truthy, kind_name};

/// The result of a node. Values of the event and constants of the mapping are borrowed until the payload is built,
/// and undefined is kept inside objects and lists because some directives see the difference.
#[derive(Clone, Debug)]
pub(crate) enum Resolved<'a> {
    /// No value.
    Undefined,
    /// A value of the event or the mapping.
    Lent(Json<'a>),
    /// A value that was made on the way.
    Made(Value),
    /// An object that the mapping wrote.
    Object(Vec<(Cow<'a, str>, Resolved<'a>)>),
    /// A list that the mapping wrote.
    Array(Vec<Resolved<'a>>),
}

impl<'a> Resolved<'a> {
    pub(crate) fn text(text: impl Into<String>) -> Resolved<'static> {
        Resolved::Made(Value::String(text.into()))
    }

    /// Builds the value: undefined members vanish, undefined elements become null. What is lent is paid for before it
    /// is copied; what was made was paid for then.
    pub(crate) fn into_value(self, budget: &Budget) -> Result<Option<Value>, ResolveError> {
        Ok(Some(match self {
            Self::Undefined => return Ok(None),
            Self::Lent(json) => copied(json, budget)?,
            Self::Made(value) => value,
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
            Resolved::Lent(json) => Resolved::Made(copied(json, budget)?),
            Resolved::Made(value) => Resolved::Made(value),
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
            Self::Lent(json) => !json.is_null(),
            Self::Made(value) => !value.is_null(),
            Self::Object(_) | Self::Array(_) => true,
        }
    }

    /// Undefined, null, `""`, 0, false, and lists whose joined text is empty.
    pub(crate) fn is_blank(&self) -> bool {
        match self {
            Self::Undefined => true,
            Self::Lent(json) => is_blank(*json),
            Self::Made(value) => is_blank(value.into()),
            Self::Object(_) => false,
            // One element that is blank as text leaves nothing; two leave at least a comma.
            Self::Array(items) => match items.as_slice() {
                [] => true,
                [Self::Lent(json)] => has_empty_text(*json),
                [Self::Made(value)] => has_empty_text(value.into()),
                [only] => only.is_blank(),
                _ => false,
            },
        }
    }

    /// The value, unless the mapping wrote it or there is none.
    pub(crate) fn as_json(&self) -> Option<Json<'_>> {
        match self {
            Self::Lent(json) => Some(*json),
            Self::Made(value) => Some(value.into()),
            Self::Undefined | Self::Object(_) | Self::Array(_) => None,
        }
    }

    /// The text, when it is one.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Lent(json) => json.as_str(),
            Self::Made(value) => value.as_str(),
            Self::Undefined | Self::Object(_) | Self::Array(_) => None,
        }
    }

    /// What it is, for messages that must not show it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Undefined => "missing",
            Self::Lent(json) => kind_name(*json),
            Self::Made(value) => kind_name(value),
            Self::Object(_) => "an object",
            Self::Array(_) => "a list",
        }
    }
}

fn copied(json: Json<'_>, budget: &Budget) -> Result<Value, ResolveError> {
    budget.make(weight(json))?;
    Ok(json.to_value())
}

fn is_blank(json: Json<'_>) -> bool {
    match json.kind() {
        JsonKind::Array => has_empty_text(json),
        _ => !is_truthy(json),
    }
}

/// Whether a value in a list leaves no text when the list is joined by commas: two elements leave at least one of those.
fn has_empty_text(json: Json<'_>) -> bool {
    match json.kind() {
        JsonKind::Null => true,
        JsonKind::String => json.as_str() == Some(""),
        JsonKind::Array => match json.len() {
            0 => true,
            1 => json.element(0).is_some_and(has_empty_text),
            _ => false,
        },
        JsonKind::Bool | JsonKind::Number | JsonKind::Object => false,
    }
}

impl<'a> From<Option<Found<'a>>> for Resolved<'a> {
    fn from(found: Option<Found<'a>>) -> Self {
        match found {
            None => Self::Undefined,
            Some(Found::Lent(json)) => Self::Lent(json),
            Some(Found::Made(value)) => Self::Made(value),
        }
    }
}
