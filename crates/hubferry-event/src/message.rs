//! What one message of a topic carries.

use std::fmt;

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::event::{Event, not_an_object};
use crate::json::{RawElement, Reader, Top, utf8};
use crate::malformed::{Malformed, MalformedCode};
use crate::tape::{Batch, Tape};

/// How messages are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// One event, or one envelope: an object whose `batch` is an array of events.
    #[default]
    Json,
    /// As `Json`, and an array is a message of several events that share nothing.
    Array,
    /// One event a line.
    Ndjson,
}

/// How large a message may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimits {
    /// The longest text of one event, in bytes, as it stands in the message.
    pub max_event_bytes: usize,
    /// The most events in one message. A message with more is refused as a whole, so that a replay finds it whole;
    /// so is an envelope whose shared members, once for each of its events, take 32 times `max_event_bytes`.
    pub max_batch_events: usize,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self {
            max_event_bytes: 1024 * 1024,
            max_batch_events: 10_000,
        }
    }
}

/// One event of a message, or what stands in its place. `Debug` shows of the body only its length.
#[derive(Clone)]
pub struct Element {
    /// The place inside an envelope, an array or the lines, counted from 0; `None` when it is the whole message.
    pub position: Option<u32>,
    /// The event, or why it is none.
    pub event: Result<Event, Malformed>,
    /// The element's own JSON, after the envelope's shared members were added; `None` when the message's own bytes
    /// stand for it.
    pub body: Option<Bytes>,
}

impl fmt::Debug for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Element")
            .field("position", &self.position)
            .field("event", &self.event)
            .field("body_bytes", &self.body.as_ref().map(Bytes::len))
            .finish()
    }
}

/// What a message is.
#[derive(Clone, Debug)]
pub enum Reading {
    /// A message without a value: nothing to do.
    Tombstone,
    /// Its events, in order; none for an empty envelope.
    Elements(Vec<Element>),
}

/// Reads a message. It never fails: a message that is no event at all is one element that says why.
#[must_use]
pub fn read_message(body: Option<&[u8]>, format: Format, limits: &ReadLimits) -> Reading {
    let Some(body) = body.filter(|bytes| !bytes.is_empty()) else {
        return Reading::Tombstone;
    };
    let elements = match format {
        Format::Ndjson => read_lines(body, limits),
        Format::Json => read_json(body, limits, ArrayIs::NoEvent),
        Format::Array => read_json(body, limits, ArrayIs::Events),
    };
    Reading::Elements(elements.unwrap_or_else(|malformed| vec![whole(Err(malformed))]))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ArrayIs {
    Events,
    NoEvent,
}

fn whole(event: Result<Event, Malformed>) -> Element {
    Element {
        position: None,
        event,
        body: None,
    }
}

fn read_json(
    body: &[u8],
    limits: &ReadLimits,
    array_is: ArrayIs,
) -> Result<Vec<Element>, Malformed> {
    let text = utf8(body)?;
    if let Some(tape) = Tape::read(text, Batch::IsEnvelope).filter(Tape::is_object) {
        check_size(body.len(), limits)?;
        return Ok(vec![whole(Ok(Event::from_tape(tape)?))]);
    }
    let mut reader = Reader::over(text);
    reader.skip_blank();
    if array_is == ArrayIs::Events && reader.peek() == Some(b'[') {
        let raw = reader.elements()?;
        reader.end()?;
        return Envelope::empty(text, limits).open(raw);
    }
    match reader.top()? {
        Top::Plain(members) => {
            check_size(body.len(), limits)?;
            let event = Event::assemble(Value::Object(members), reader.replaced())?;
            Ok(vec![whole(Ok(event))])
        }
        Top::Envelope(members, raw) => Envelope::new(text, limits, members).open(raw),
        Top::Other => Err(not_an_object()),
    }
}

fn read_lines(body: &[u8], limits: &ReadLimits) -> Result<Vec<Element>, Malformed> {
    let lines = || {
        body.split(|&byte| byte == b'\n')
            .map(<[u8]>::trim_ascii)
            .filter(|line| !line.is_empty())
    };
    check_count(lines().count(), limits)?;
    Ok(lines()
        .zip(0..)
        .map(|(line, position)| Element {
            position: Some(position),
            event: check_size(line.len(), limits).and_then(|()| Event::parse(line)),
            body: Some(Bytes::copy_from_slice(line)),
        })
        .collect())
}

fn check_size(bytes: usize, limits: &ReadLimits) -> Result<(), Malformed> {
    let limit = limits.max_event_bytes;
    if bytes <= limit {
        return Ok(());
    }
    Err(Malformed::new(
        MalformedCode::TooLarge,
        format!("the event has {bytes} bytes, input.max_event_bytes is {limit}"),
    ))
}

fn check_count(events: usize, limits: &ReadLimits) -> Result<(), Malformed> {
    let limit = limits.max_batch_events;
    if events <= limit {
        return Ok(());
    }
    Err(Malformed::new(
        MalformedCode::TooLarge,
        format!("the message has {events} events, input.max_batch_events is {limit}"),
    ))
}

/// Members of an envelope that are copied to an element that lacks the key.
const COPIED: [&str; 3] = ["sentAt", "receivedAt", "writeKey"];

/// Members of an envelope whose own members are defaults for those of an element.
const MERGED: [&str; 2] = ["context", "integrations"];

/// How many events of the largest size the copies of what an envelope shares may fill.
const COPIED_EVENTS: usize = 32;

/// What the elements of one message share.
struct Envelope<'a> {
    text: &'a str,
    limits: &'a ReadLimits,
    copied: Vec<(&'static str, Value)>,
    merged: Vec<(&'static str, Value)>,
}

impl<'a> Envelope<'a> {
    const fn empty(text: &'a str, limits: &'a ReadLimits) -> Self {
        Self {
            text,
            limits,
            copied: Vec::new(),
            merged: Vec::new(),
        }
    }

    fn new(text: &'a str, limits: &'a ReadLimits, mut members: Map<String, Value>) -> Self {
        let mut pick = |keys: &[&'static str]| {
            keys.iter()
                .filter_map(|key| members.remove(*key).map(|value| (*key, value)))
                .collect()
        };
        Self {
            text,
            limits,
            copied: pick(&COPIED),
            merged: pick(&MERGED),
        }
    }

    fn open(&self, raw: Vec<RawElement>) -> Result<Vec<Element>, Malformed> {
        check_count(raw.len(), self.limits)?;
        self.check_copies(raw.len())?;
        Ok(raw
            .into_iter()
            .zip(0..)
            .map(|(element, position)| self.element(element, position))
            .collect())
    }

    /// Every element gets its own copy of what is shared: a large context over thousands of tiny elements would take
    /// gigabytes.
    fn check_copies(&self, elements: usize) -> Result<(), Malformed> {
        let shared: usize = self
            .copied
            .iter()
            .chain(&self.merged)
            .map(|(_, value)| value.to_string().len())
            .sum();
        let copies = shared.saturating_mul(elements);
        let limit = self.limits.max_event_bytes.saturating_mul(COPIED_EVENTS);
        if copies <= limit {
            return Ok(());
        }
        Err(Malformed::new(
            MalformedCode::TooLarge,
            format!(
                "the envelope shares {shared} bytes with {elements} events, more than {limit} bytes in all \
                 ({COPIED_EVENTS} times input.max_event_bytes)"
            ),
        ))
    }

    fn element(&self, raw: RawElement, position: u32) -> Element {
        let text = &self.text[raw.span];
        let own = check_size(text.len(), self.limits).and(raw.value);
        let (event, body) = match own {
            Ok(Value::Object(members)) => {
                let shares = !(self.copied.is_empty() && self.merged.is_empty());
                let root = Value::Object(self.complete(members));
                let body = if shares {
                    Bytes::from(root.to_string())
                } else {
                    Bytes::copy_from_slice(text.as_bytes())
                };
                (Event::assemble(root, raw.replaced), body)
            }
            Ok(_) => (
                Err(not_an_object()),
                Bytes::copy_from_slice(text.as_bytes()),
            ),
            Err(malformed) => (Err(malformed), Bytes::copy_from_slice(text.as_bytes())),
        };
        Element {
            position: Some(position),
            event,
            body: Some(body),
        }
    }

    /// Adds what the envelope shares; the element's own members win.
    fn complete(&self, mut members: Map<String, Value>) -> Map<String, Value> {
        for (key, value) in &self.copied {
            if !members.contains_key(*key) {
                members.insert((*key).to_owned(), value.clone());
            }
        }
        for (key, shared) in &self.merged {
            match (members.get_mut(*key), shared) {
                (None, _) => {
                    members.insert((*key).to_owned(), shared.clone());
                }
                (Some(Value::Object(own)), Value::Object(defaults)) => {
                    for (name, default) in defaults {
                        if !own.contains_key(name) {
                            own.insert(name.clone(), default.clone());
                        }
                    }
                }
                (Some(_), _) => {}
            }
        }
        members
    }
}

#[cfg(test)]
mod tests;
