//! A dead letter as one line of a `--dead-letters` file.

use serde_json::{Map, Value};

use crate::letter::{DeadLetter, rfc3339};
use crate::letter_headers::all;

impl DeadLetter {
    /// The line: `messageId` (null when there is none), `line` (0-based, for a file), `event` (the original object) or
    /// `raw` (its text when it was none), and the fields of `spec/fleet.md` v.2 under their names without `hubferry.`;
    /// numbers are numbers and lists are lists. Nothing is shortened.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut line = Map::new();
        line.insert("messageId".to_owned(), self.message_id.clone().into());
        if self.group.is_none() {
            line.insert("line".to_owned(), self.origin.offset.get().into());
        }
        match serde_json::from_slice(&self.value) {
            Ok(Value::Object(event)) => line.insert("event".to_owned(), Value::Object(event)),
            _ => line.insert(
                "raw".to_owned(),
                String::from_utf8_lossy(&self.value).into_owned().into(),
            ),
        };
        let present = self
            .fields()
            .into_iter()
            .filter(|(_, value)| !value.is_null());
        line.extend(present.map(|(name, value)| (name.to_owned(), value)));
        Value::Object(line)
    }

    /// The fields in the order of the specification; absent ones are null.
    fn fields(&self) -> [(&'static str, Value); 33] {
        let replay = self.replay.as_ref();
        [
            ("dlq.version", 1.into()),
            ("dlq.id", self.id().into()),
            ("origin.topic", self.origin.topic.as_str().into()),
            ("origin.partition", self.origin.partition.get().into()),
            ("origin.offset", self.origin.offset.get().into()),
            ("origin.element", self.element.into()),
            ("origin.timestamp", self.written_ms.into()),
            ("origin.group", self.group.clone().into()),
            ("message.id", self.message_id.clone().into()),
            ("identity", self.identity_hash.clone().into()),
            ("event.type", self.event_type.clone().into()),
            ("event.name", self.event_name.clone().into()),
            ("mappings.failed", all(&self.failed).into()),
            ("mappings.done", all(&self.done).into()),
            ("mappings.skipped", all(&self.skipped).into()),
            ("error.class", self.class.clone().into()),
            ("error.stage", self.stage.clone().into()),
            ("error.status", self.status.into()),
            ("error.code", self.code.clone().into()),
            ("error.message", self.message.clone().into()),
            ("error.correlation_id", self.correlation_id.clone().into()),
            ("attempts", self.attempts.into()),
            ("first_failed_at", rfc3339(self.first_failed_ms).into()),
            ("last_failed_at", rfc3339(self.last_failed_ms).into()),
            ("blocked_by", self.blocked_by.clone().into()),
            ("config.hash", self.config_hash.clone().into()),
            ("build", self.build.clone().into()),
            ("worker", self.worker.clone().into()),
            ("replay.count", replay.map(|replay| replay.count).into()),
            (
                "replay.last_id",
                replay.map(|replay| replay.last_id.clone()).into(),
            ),
            (
                "replay.last_at",
                replay.map(|replay| rfc3339(replay.last_ms)).into(),
            ),
            ("truncated", self.truncated.then_some(1).into()),
            ("traceparent", self.traceparent.clone().into()),
        ]
    }
}
