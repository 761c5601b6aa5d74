//! A dead letter: what could not be delivered, why, and what was delivered (`spec/fleet.md` v.2).

use std::fmt;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::place::Place;

/// One event that ended dead in at least one mapping, with everything needed to understand and to replay it.
///
/// Texts that people will read ([`DeadLetter::message`] above all) must be free of personal data already; `Debug`
/// shows the coordinates and the code only.
#[derive(Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Where the message stands.
    pub origin: Place,
    /// The position in an envelope; `None` for a plain message.
    pub element: Option<u32>,
    /// The original key.
    pub key: Option<Bytes>,
    /// The original bytes; of an envelope the one element after the envelope's defaults were applied.
    pub value: Bytes,
    /// The value is not the original, which is gone: it says what is still known.
    pub truncated: bool,
    /// The original headers.
    pub original_headers: Vec<(String, Bytes)>,
    /// The original time in milliseconds since 1970.
    pub written_ms: i64,
    /// The consumer group that gave up; `None` for a file.
    pub group: Option<String>,
    /// The producer's id of the event.
    pub message_id: Option<String>,
    /// The person's key as made by [`identity_hash`].
    pub identity_hash: Option<String>,
    /// The event's type, when it could be read.
    pub event_type: Option<String>,
    /// The name of a track event.
    pub event_name: Option<String>,
    /// The mappings that failed: these are what a replay does again.
    pub failed: Vec<FailedMapping>,
    /// The mappings that were delivered.
    pub done: Vec<DoneMapping>,
    /// The mappings that were skipped.
    pub skipped: Vec<SkippedMapping>,
    /// The class of the first failure.
    pub class: String,
    /// The stage of the first failure.
    pub stage: String,
    /// The HTTP status of the first failure, when there was an answer.
    pub status: Option<u16>,
    /// The code of the first failure.
    pub code: String,
    /// What to tell a person: at most 512 bytes are kept.
    pub message: String,
    /// HubSpot's id of the answer, for their support.
    pub correlation_id: Option<String>,
    /// How often it was tried.
    pub attempts: u32,
    /// When it failed first, in milliseconds since 1970.
    pub first_failed_ms: i64,
    /// When it failed last, in milliseconds since 1970.
    pub last_failed_ms: i64,
    /// The id of the dead letter that blocks this one, when the class is `blocked`.
    pub blocked_by: Option<String>,
    /// The hash of the configuration that judged it.
    pub config_hash: String,
    /// The build that judged it.
    pub build: String,
    /// The worker that judged it.
    pub worker: String,
    /// Earlier replays, when there were any.
    pub replay: Option<ReplayHistory>,
    /// The trace context of the event.
    pub traceparent: Option<String>,
}

/// A mapping that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedMapping {
    /// `DESTINATION/NAME`, or `none` when no mapping was reached.
    pub mapping: String,
    /// Where it failed.
    pub stage: String,
    /// The class of the failure.
    pub class: String,
    /// The code of the failure.
    pub code: String,
    /// The HTTP status, when there was an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// HubSpot's category.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// HubSpot's sub-category.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_category: Option<String>,
    /// The property that was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub property: Option<String>,
    /// How often it was tried.
    #[serde(default)]
    pub attempts: u32,
}

/// A mapping that was delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoneMapping {
    /// `DESTINATION/NAME`.
    pub mapping: String,
    /// The kind of record that was written.
    pub object_type: String,
    /// The record's id, when there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_id: Option<String>,
    /// When, in milliseconds since 1970; written as RFC 3339.
    #[serde(
        rename = "finished_at",
        serialize_with = "as_rfc3339",
        deserialize_with = "from_rfc3339"
    )]
    pub finished_ms: i64,
}

/// A mapping that was skipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedMapping {
    /// `DESTINATION/NAME`.
    pub mapping: String,
    /// The reason.
    pub reason: String,
}

/// What replays did to a dead letter so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayHistory {
    /// How often it was replayed.
    pub count: u32,
    /// The last replay.
    pub last_id: String,
    /// When the last replay was, in milliseconds since 1970.
    pub last_ms: i64,
}

impl DeadLetter {
    /// The stable id: a hash of topic, partition, offset and element. One event has one dead letter, whatever happens
    /// to it later.
    #[must_use]
    pub fn id(&self) -> String {
        hex(&self.id_bytes())
    }

    /// The id as it is kept in memory: 128 bits are enough to never meet twice and short enough to type.
    pub(crate) fn id_bytes(&self) -> [u8; 16] {
        let mut hash = Sha256::new();
        hash.update(self.origin.topic.as_str());
        hash.update([0]);
        hash.update(self.origin.partition.get().to_be_bytes());
        hash.update(self.origin.offset.get().to_be_bytes());
        if let Some(element) = self.element {
            hash.update(element.to_be_bytes());
        }
        let mut id = [0; 16];
        for (to, from) in id.iter_mut().zip(hash.finalize()) {
            *to = from;
        }
        id
    }
}

impl fmt::Debug for DeadLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLetter")
            .field("id", &self.id())
            .field("origin", &format_args!("{}", self.origin))
            .field("element", &self.element)
            .field("code", &self.code)
            .finish_non_exhaustive()
    }
}

/// The hash under which a person appears in headers: salted, so that a list of addresses cannot be tried against it
/// without the salt.
#[must_use]
pub fn identity_hash(salt: &[u8], key: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(u64::try_from(salt.len()).unwrap_or(u64::MAX).to_be_bytes());
    hash.update(salt);
    hash.update(key);
    short_hex(&hash.finalize())
}

/// The time as RFC 3339 in UTC.
pub(crate) fn rfc3339(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |time| time.to_string())
}

/// The bytes as lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        if write!(text, "{byte:02x}").is_err() {
            break; // writing to a string does not fail
        }
    }
    text
}

/// As short as the id of a letter.
fn short_hex(hash: &[u8]) -> String {
    hex(hash.get(..16).unwrap_or(hash))
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands fields over by reference"
)]
fn as_rfc3339<S: Serializer>(ms: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(*ms))
}

fn from_rfc3339<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let text = String::deserialize(deserializer)?;
    let time = text.parse::<Timestamp>().map(Timestamp::as_millisecond);
    // A time beyond the calendar is written as its number.
    time.or_else(|error| text.parse().map_err(|_| serde::de::Error::custom(error)))
}

#[cfg(test)]
#[path = "letter_tests.rs"]
pub(crate) mod tests;
