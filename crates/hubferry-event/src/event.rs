//! One decoded event.

use std::fmt;

use serde_json::Value;

use crate::document::Document;
use crate::identity::derive_keys;
use crate::integrations;
use crate::json::{MAX_DEPTH, Reader, utf8};
use crate::kind::EventType;
use crate::malformed::{Malformed, MalformedCode};
use crate::tape::{Batch, Tape};
use crate::view::Json;
use crate::{EventTime, IdentityKey, IdentityKeys};

/// A customer event, exactly as it arrived: an object of a known type that belongs to somebody.
///
/// It is full of personal data: `Debug` shows only its type.
#[derive(Clone)]
pub struct Event {
    root: Root,
    kind: EventType,
    identity_keys: IdentityKeys,
    replaced_escapes: u32,
}

/// An event as it was given: a value, or a text of which only what is asked for becomes a value.
#[derive(Clone)]
enum Root {
    Value(Value),
    Document(Document),
}

impl Root {
    fn json(&self) -> Json<'_> {
        match self {
            Self::Value(value) => value.into(),
            Self::Document(document) => Json::root(document),
        }
    }
}

impl Event {
    /// Reads one plain event object. A `batch` in it is data, not an envelope; see
    /// [`read_message`](crate::read_message) for messages.
    ///
    /// # Errors
    /// Any code of [`MalformedCode`] but `too_large`.
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        let text = utf8(body)?;
        if let Some(tape) = Tape::read(text, Batch::IsData) {
            return Self::from_tape(tape);
        }
        let mut reader = Reader::over(text);
        let root = reader.value()?;
        reader.end()?;
        Self::assemble(root, reader.replaced())
    }

    /// Takes a text that was read already.
    pub(crate) fn from_tape(tape: Tape) -> Result<Self, Malformed> {
        Self::judge(Root::Document(Document::new(tape)), 0)
    }

    /// Takes a value that was read elsewhere.
    ///
    /// # Errors
    /// `not_an_object`, `too_deep`, `type_unknown`, `no_identity`.
    pub fn from_value(root: Value) -> Result<Self, Malformed> {
        if !fits(&root, MAX_DEPTH) {
            return Err(Malformed::new(
                MalformedCode::TooDeep,
                "more than 128 levels of nesting",
            ));
        }
        Self::assemble(root, 0)
    }

    /// Takes a root whose depth is already known to be fine.
    pub(crate) fn assemble(root: Value, replaced_escapes: u32) -> Result<Self, Malformed> {
        Self::judge(Root::Value(root), replaced_escapes)
    }

    fn judge(root: Root, replaced_escapes: u32) -> Result<Self, Malformed> {
        let json = root.json();
        if !json.is_object() {
            return Err(not_an_object());
        }
        let kind = kind_of(json)?;
        let identity_keys = derive_keys(json, kind);
        if identity_keys.is_empty() {
            return Err(Malformed::new(
                MalformedCode::NoIdentity,
                "the event has none of userId, anonymousId, an email, groupId or properties.__segment_id",
            ));
        }
        Ok(Self {
            root,
            kind,
            identity_keys,
            replaced_escapes,
        })
    }

    /// The whole event; always an object. Looking into it copies nothing.
    #[must_use]
    pub fn json(&self) -> Json<'_> {
        self.root.json()
    }

    /// The whole event as a value; always an object. It is made when it is first asked for, which takes longer than
    /// reading the event did: [`json`](Self::json) shows the same.
    #[must_use]
    pub fn root(&self) -> &Value {
        self.json().value()
    }

    /// The event's type.
    #[must_use]
    pub const fn kind(&self) -> EventType {
        self.kind
    }

    /// The name: `event` of a track event, `name` of a page or screen.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self.kind {
            EventType::Track => self.text("event"),
            EventType::Page | EventType::Screen => self.text("name"),
            EventType::Identify | EventType::Group | EventType::Alias | EventType::Delete => None,
        }
    }

    /// `messageId`, when it is a non-empty text. Without one, an id is derived from the place of the message; see
    /// [`synthetic_message_id`](crate::synthetic_message_id).
    #[must_use]
    pub fn message_id(&self) -> Option<&str> {
        self.text("messageId").filter(|id| !id.is_empty())
    }

    /// `timestamp`, when it is readable.
    #[must_use]
    pub fn time(&self) -> Option<EventTime> {
        crate::time::timestamp_in(self.json().get("timestamp")?)
    }

    /// Whom the event is about: the first of its keys.
    #[must_use]
    pub fn identity(&self) -> &IdentityKey {
        self.identity_keys
            .first()
            .expect("an event without a key is refused when it is read")
    }

    /// All keys the event carries, the canonical one first: the set by which order is kept.
    #[must_use]
    pub const fn identity_keys(&self) -> &IdentityKeys {
        &self.identity_keys
    }

    /// Whether the event's `integrations` let it through to a destination known by these names.
    #[must_use]
    pub fn integrations_allow(&self, aliases: &[String]) -> bool {
        integrations::allow(self.json().get("integrations"), aliases)
    }

    /// How many lone surrogate escapes (`"\ud800"`) were replaced by U+FFFD.
    #[must_use]
    pub const fn replaced_escapes(&self) -> u32 {
        self.replaced_escapes
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.json().get(key)?.as_str()
    }
}

impl<'a> From<&'a Event> for Json<'a> {
    fn from(event: &'a Event) -> Self {
        event.json()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

pub(crate) fn not_an_object() -> Malformed {
    Malformed::new(
        MalformedCode::NotAnObject,
        "an event must be a JSON object, at $",
    )
}

fn kind_of(event: Json<'_>) -> Result<EventType, Malformed> {
    let kind = event.get("type");
    let fault = match (kind, kind.and_then(Json::as_str)) {
        (_, Some(text)) => match EventType::parse(text) {
            Some(kind) => return Ok(kind),
            None => "is none of identify, group, track, page, screen, alias, delete",
        },
        (Some(_), None) => "must be a text",
        (None, None) => "is missing",
    };
    Err(Malformed::new(
        MalformedCode::TypeUnknown,
        format!("$.type {fault}"),
    ))
}

/// Whether a value has at most `levels` objects and arrays inside each other.
fn fits(value: &Value, levels: u32) -> bool {
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(|item| fits(item, levels - 1)),
        Value::Object(map) => levels > 0 && map.values().all(|item| fits(item, levels - 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

#[cfg(test)]
mod tests;
