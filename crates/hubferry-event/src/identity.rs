//! Whom an event is about, and the keys by which its order is kept.

use std::fmt;

use serde_json::{Map, Value};
use smallvec::SmallVec;

use crate::kind::EventType;
use crate::number_text;

/// One normalised key of a person or a company that an event carries.
///
/// Values are trimmed, e-mails lower-cased, numbers stand as their text; an empty value is no key.
/// They are personal data: `Debug` masks them and there is no `Display`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IdentityKey {
    /// `userId`.
    User(Box<str>),
    /// `anonymousId`.
    Anonymous(Box<str>),
    /// `traits.email`, `properties.email` or `context.traits.email`.
    Email(Box<str>),
    /// `groupId`, else `context.groupId`.
    Group(Box<str>),
    /// `properties.__segment_id` of a warehouse row.
    Row(Box<str>),
}

impl IdentityKey {
    /// The raw value; the caller answers for where it goes.
    #[must_use]
    pub fn expose(&self) -> &str {
        match self {
            Self::User(v) | Self::Anonymous(v) | Self::Email(v) | Self::Group(v) | Self::Row(v) => {
                v
            }
        }
    }

    /// Whether the key names a person (user id, anonymous id or e-mail).
    #[must_use]
    pub const fn is_person(&self) -> bool {
        matches!(self, Self::User(_) | Self::Anonymous(_) | Self::Email(_))
    }
}

impl fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::User(_) => "User",
            Self::Anonymous(_) => "Anonymous",
            Self::Email(_) => "Email",
            Self::Group(_) => "Group",
            Self::Row(_) => "Row",
        };
        write!(f, "{kind}(***)")
    }
}

/// All identity keys of one event, most authoritative first: the canonical identity is the first.
pub type IdentityKeys = SmallVec<[IdentityKey; 3]>;

/// Collects the keys an event carries, each once. An alias' `previousId` comes last: it never is the canonical one.
pub(crate) fn derive_keys(members: &Map<String, Value>, kind: EventType) -> IdentityKeys {
    let member = |path: &[&str]| walk(members, path).and_then(key_text);
    let email = |path: &[&str]| member(path).map(|text| text.to_lowercase().into());
    let candidates = [
        member(&["userId"]).map(IdentityKey::User),
        member(&["anonymousId"]).map(IdentityKey::Anonymous),
        email(&["traits", "email"]).map(IdentityKey::Email),
        email(&["properties", "email"]).map(IdentityKey::Email),
        email(&["context", "traits", "email"]).map(IdentityKey::Email),
        member(&["groupId"])
            .or_else(|| member(&["context", "groupId"]))
            .map(IdentityKey::Group),
        member(&["properties", "__segment_id"]).map(IdentityKey::Row),
    ];
    let mut keys = IdentityKeys::new();
    for key in candidates.into_iter().flatten() {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let previous = (kind == EventType::Alias && !keys.is_empty())
        .then(|| member(&["previousId"]).map(IdentityKey::User))
        .flatten();
    if let Some(previous) = previous
        && !keys.contains(&previous)
    {
        keys.push(previous);
    }
    keys
}

fn walk<'a>(members: &'a Map<String, Value>, path: &[&str]) -> Option<&'a Value> {
    let (last, parents) = path.split_last()?;
    let mut inside = members;
    for parent in parents {
        inside = inside.get(*parent)?.as_object()?;
    }
    inside.get(*last)
}

/// A key is a text or a number; blanks around it do not count, and nothing else is a key.
fn key_text(value: &Value) -> Option<Box<str>> {
    match value {
        Value::String(text) => Some(text.trim())
            .filter(|trimmed| !trimmed.is_empty())
            .map(Box::from),
        Value::Number(number) => Some(number_text(number).into()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests;
