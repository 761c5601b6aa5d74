//! The headers of a dead letter: at most 4 KiB in total, whatever the event and the answer contained.

use serde::Serialize;
use serde_json::{Value, json};

use crate::letter::{DeadLetter, rfc3339};

/// The most that all added headers may take, names and values together (`spec/fleet.md` v.2).
pub(crate) const HEADERS_BYTES: usize = 4096;

/// The version of this layout.
pub(crate) const VERSION: &str = "1";

/// The prefix of every name but `traceparent`.
pub(crate) const PREFIX: &str = "hubferry.";

/// The most of a message for people.
const MESSAGE_BYTES: usize = 512;

/// The most of a text that somebody else chose. Kafka allows 249 bytes for the name of a topic, so that one always fits.
const TEXT_BYTES: usize = 256;

/// The most of a text within a list, and of a text that we chose.
const SHORT_BYTES: usize = 100;

impl DeadLetter {
    /// The headers to add, in the order of the specification. The values are UTF-8 text.
    ///
    /// When they would take more than 4 KiB, the least needed goes first: skipped and delivered mappings, details of
    /// the failed ones, the end of the message, and at last the end of the list of failed mappings, which then says
    /// how many are missing.
    #[must_use]
    pub fn headers(&self) -> Vec<(String, Vec<u8>)> {
        self.headers_within(HEADERS_BYTES)
    }

    /// The same within so many bytes: what others need takes its share.
    pub(crate) fn headers_within(&self, bytes: usize) -> Vec<(String, Vec<u8>)> {
        let mut headers = self.fixed(MESSAGE_BYTES);
        let lists = [
            self.lists(&all(&self.failed), &all(&self.done), &all(&self.skipped)),
            self.lists(
                &all(&self.failed),
                &all(&self.done),
                &counted(self.skipped.len()),
            ),
            self.lists(
                &all(&self.failed),
                &counted(self.done.len()),
                &counted(self.skipped.len()),
            ),
            self.lists(
                &self.brief(),
                &counted(self.done.len()),
                &counted(self.skipped.len()),
            ),
        ];
        for candidate in lists {
            if size(&headers) + size(&candidate) <= bytes {
                headers.extend(candidate);
                return headers;
            }
        }
        headers = self.fixed(SHORT_BYTES);
        let mut failed = self.brief();
        let mut missing = 0;
        loop {
            let mut shown = failed.clone();
            if missing > 0 {
                shown.push(json!({ "missing": missing }));
            }
            let list = self.lists(
                &shown,
                &counted(self.done.len()),
                &counted(self.skipped.len()),
            );
            if size(&headers) + size(&list) <= bytes || failed.is_empty() {
                headers.extend(list);
                return headers;
            }
            failed.pop();
            missing += 1;
        }
    }

    /// Everything but the lists, each value cut to its share.
    fn fixed(&self, message_bytes: usize) -> Vec<(String, Vec<u8>)> {
        let text = |value: &Option<String>| {
            value
                .as_deref()
                .map(|value| cut(value, TEXT_BYTES).to_owned())
        };
        let short = |value: &str| Some(cut(value, SHORT_BYTES).to_owned());
        let replay = self.replay.as_ref();
        let values: [(&str, Option<String>); 29] = [
            ("dlq.version", Some(VERSION.to_owned())),
            ("dlq.id", Some(self.id())),
            (
                "origin.topic",
                Some(cut(self.origin.topic.as_str(), TEXT_BYTES).to_owned()),
            ),
            ("origin.partition", Some(self.origin.partition.to_string())),
            ("origin.offset", Some(self.origin.offset.to_string())),
            (
                "origin.element",
                self.element.map(|element| element.to_string()),
            ),
            ("origin.timestamp", Some(self.written_ms.to_string())),
            ("origin.group", text(&self.group)),
            ("message.id", text(&self.message_id)),
            ("identity", self.identity_hash.as_deref().and_then(short)),
            ("event.type", self.event_type.as_deref().and_then(short)),
            ("event.name", text(&self.event_name)),
            ("error.class", short(&self.class)),
            ("error.stage", short(&self.stage)),
            ("error.status", self.status.map(|status| status.to_string())),
            ("error.code", short(&self.code)),
            (
                "error.message",
                Some(cut(&self.message, message_bytes).to_owned()),
            ),
            (
                "error.correlation_id",
                self.correlation_id.as_deref().and_then(short),
            ),
            ("attempts", Some(self.attempts.to_string())),
            ("first_failed_at", Some(rfc3339(self.first_failed_ms))),
            ("last_failed_at", Some(rfc3339(self.last_failed_ms))),
            ("blocked_by", self.blocked_by.as_deref().and_then(short)),
            ("config.hash", short(&self.config_hash)),
            ("build", short(&self.build)),
            ("worker", short(&self.worker)),
            (
                "replay.count",
                replay.map(|replay| replay.count.to_string()),
            ),
            (
                "replay.last_id",
                replay.and_then(|replay| short(&replay.last_id)),
            ),
            (
                "replay.last_at",
                replay.map(|replay| rfc3339(replay.last_ms)),
            ),
            ("truncated", self.truncated.then(|| "1".to_owned())),
        ];
        let mut headers: Vec<(String, Vec<u8>)> = values
            .into_iter()
            .filter_map(|(name, value)| Some((format!("{PREFIX}{name}"), value?.into_bytes())))
            .collect();
        if let Some(traceparent) = &self.traceparent {
            headers.push((
                "traceparent".to_owned(),
                cut(traceparent, SHORT_BYTES).as_bytes().to_vec(),
            ));
        }
        headers
    }

    fn lists(&self, failed: &[Value], done: &[Value], skipped: &[Value]) -> Vec<(String, Vec<u8>)> {
        [("failed", failed), ("done", done), ("skipped", skipped)]
            .map(|(name, list)| {
                (
                    format!("{PREFIX}mappings.{name}"),
                    Value::from(list.to_vec()).to_string().into_bytes(),
                )
            })
            .into()
    }

    /// The failed mappings with no more than a replay needs to know.
    fn brief(&self) -> Vec<Value> {
        let brief = |failed: &crate::letter::FailedMapping| {
            json!({
                "mapping": cut(&failed.mapping, TEXT_BYTES),
                "stage": cut(&failed.stage, SHORT_BYTES),
                "class": cut(&failed.class, SHORT_BYTES),
                "code": cut(&failed.code, SHORT_BYTES),
                "attempts": failed.attempts,
            })
        };
        self.failed.iter().map(brief).collect()
    }
}

/// The whole list.
pub(crate) fn all<T: Serialize>(list: &[T]) -> Vec<Value> {
    // The entries are plain structs of text and numbers, which always serialise.
    list.iter()
        .filter_map(|entry| serde_json::to_value(entry).ok())
        .collect()
}

/// Instead of the list, how many it had.
fn counted(length: usize) -> Vec<Value> {
    if length == 0 {
        Vec::new()
    } else {
        vec![json!({ "missing": length })]
    }
}

fn size(headers: &[(String, Vec<u8>)]) -> usize {
    headers
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum()
}

/// The start of the text, at most so many bytes, whole characters.
pub(crate) fn cut(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}
