//! For tests: the same event as a value and as it is read from a message.

use hubferry_event::Event;
use serde_json::Value;

/// Adds what makes an event of an object; `None` for what is no object or has an unknown type.
pub(crate) fn as_read(event: &Value) -> Option<(Value, Event)> {
    let mut whole = event.as_object()?.clone();
    for (key, value) in [("type", "track"), ("userId", "u")] {
        whole.entry(key).or_insert_with(|| value.into());
    }
    let whole = Value::Object(whole);
    let read = Event::parse(whole.to_string().as_bytes()).ok()?;
    Some((whole, read))
}
