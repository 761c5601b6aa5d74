//! Dead letters read back: from their topic by the headers, from a file by its lines.
//!
//! Letters of earlier versions are accepted: what they do not tell is absent. One of a later version is refused, for
//! nobody knows what it means. Names that this version does not know are left alone.

use std::borrow::Cow;

use bytes::Bytes;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::letter::{DeadLetter, DoneMapping, FailedMapping, ReplayHistory, SkippedMapping, hex};
use crate::letter_headers::{PREFIX, VERSION};
use crate::place::{Message, Offset, Partition, Place, Topic};

/// A dead letter as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// What it says.
    pub letter: DeadLetter,
    /// Where it stands: in the dead-letter topic, or as a line of a file.
    pub at: Place,
    /// When it was parked, in milliseconds since 1970, by the dead-letter topic's clock if that stamps its messages
    /// itself (else, and in a file, the time of the original message).
    pub parked_ms: i64,
    /// What the headers had no room for.
    pub missing: Missing,
    /// The value is only the start of the original.
    pub cut: Option<Cut>,
}

/// How many entries of each list did not fit into the headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// Failed mappings.
    pub failed: usize,
    /// Delivered mappings.
    pub done: usize,
    /// Skipped mappings.
    pub skipped: usize,
}

/// What is known of a value that was too large for its topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The bytes of the whole value.
    pub bytes: usize,
    /// The hash of the whole value, in lower-case hex.
    pub sha256: String,
}

/// Why something is not a dead letter that can be read. Each message is one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LetterError {
    /// Something else stands there.
    #[error("{at} is not a dead letter: it has no hubferry.dlq.version")]
    NotALetter {
        /// Where it stands.
        at: Place,
    },
    /// A later version wrote it.
    #[error(
        "the dead letter {at} has version {version}, and this build reads versions up to {}; update hubferry",
        VERSION
    )]
    Newer {
        /// Where it stands.
        at: Place,
        /// Its version.
        version: u32,
    },
    /// A field that is needed is absent or is not what it must be.
    #[error("the dead letter {at} cannot be read: {name} must be {expected}")]
    Field {
        /// Where it stands.
        at: Place,
        /// The field, without `hubferry.`.
        name: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// A line of a file is not a JSON object.
    #[error("line {line} of the dead letters is not a JSON object")]
    Line {
        /// The 0-based line.
        line: i64,
    },
    /// What was found at the origin is not what had been cut.
    #[error("the dead letter {at} was cut, and its origin no longer has the whole event")]
    OriginDiffers {
        /// Where the letter stands.
        at: Place,
    },
}

impl Letter {
    /// Reads a message of a dead-letter topic.
    ///
    /// # Errors
    ///
    /// It is no dead letter, is of a later version, or lacks what a replay needs: its origin.
    pub fn read(message: &Message) -> Result<Self, LetterError> {
        let fields = Fields {
            at: &message.at,
            value: &|name: &str| {
                let is_it = |header: &str| match name {
                    "traceparent" => header == name,
                    own => header.strip_prefix(PREFIX) == Some(own),
                };
                // Ours come last: where a name stands twice, the last one counts.
                let (_, value) = message
                    .headers
                    .iter()
                    .rev()
                    .find(|(header, _)| is_it(header))?;
                Some(String::from_utf8_lossy(value))
            },
        };
        let (mut letter, missing) = fields.letter(message.written_ms)?;
        letter.key = message.key.clone();
        letter.value = message.body.clone().unwrap_or_default();
        // Ours were added after the original ones, the version first.
        let original = message
            .headers
            .iter()
            .take_while(|(name, _)| !name.starts_with(PREFIX));
        letter.original_headers = original.cloned().collect();
        Ok(Self {
            at: message.at.clone(),
            parked_ms: message.written_ms,
            missing,
            cut: fields.cut()?,
            letter,
        })
    }

    /// Reads a line of a `--dead-letters` file. The event is the same, though not byte for byte; its key and headers
    /// are not in the file.
    ///
    /// # Errors
    ///
    /// As [`Letter::read`], or the line is not a JSON object.
    pub fn read_line(text: &str, line: i64) -> Result<Self, LetterError> {
        let not_an_object = LetterError::Line { line };
        let object: Map<String, Value> = serde_json::from_str(text).map_err(|_| not_an_object)?;
        let at = Place {
            topic: Topic::new("dead-letters"),
            partition: Partition::new(0),
            offset: Offset::new(line),
        };
        let fields = Fields {
            at: &at,
            value: &|name: &str| match object.get(name)? {
                Value::Null => None,
                Value::String(text) => Some(Cow::Borrowed(text.as_str())),
                other => Some(Cow::Owned(other.to_string())),
            },
        };
        let (mut letter, missing) = fields.letter(0)?;
        letter.value = match (object.get("event"), object.get("raw")) {
            (Some(event), _) => Bytes::from(event.to_string()),
            (None, Some(Value::String(raw))) => Bytes::from(raw.clone()),
            (None, _) => return Err(fields.wrong("event", "the event, or its text as `raw`")),
        };
        Ok(Self {
            parked_ms: letter.written_ms,
            missing,
            cut: fields.cut()?,
            letter,
            at,
        })
    }

    /// Puts the whole event in the place of its start, as read again from the origin: the message's value, or the one
    /// element of an envelope.
    ///
    /// # Errors
    ///
    /// It is not what had been cut; the letter stays as it is.
    pub fn restore(&mut self, whole: Bytes) -> Result<(), LetterError> {
        let Some(cut) = &self.cut else {
            return Ok(());
        };
        let same = whole.len() == cut.bytes && hex(&Sha256::digest(&whole)) == cut.sha256;
        if !same {
            return Err(LetterError::OriginDiffers {
                at: self.at.clone(),
            });
        }
        self.letter.value = whole;
        self.letter.truncated = false;
        self.cut = None;
        Ok(())
    }

    /// The stable id of the letter.
    #[must_use]
    pub fn id(&self) -> String {
        self.letter.id()
    }
}

/// The fields by their names without `hubferry.`.
struct Fields<'f> {
    at: &'f Place,
    value: &'f dyn Fn(&str) -> Option<Cow<'f, str>>,
}

impl<'f> Fields<'f> {
    /// The letter without value, key and original headers.
    fn letter(&self, written_ms: i64) -> Result<(DeadLetter, Missing), LetterError> {
        self.check_version()?;
        let (failed, failed_missing) = self.list::<FailedMapping>("mappings.failed")?;
        let (done, done_missing) = self.list::<DoneMapping>("mappings.done")?;
        let (skipped, skipped_missing) = self.list::<SkippedMapping>("mappings.skipped")?;
        let last_failed_ms = self.time("last_failed_at")?;
        let letter = DeadLetter {
            origin: self.origin()?,
            element: self.number("origin.element", "a number")?,
            key: None,
            value: Bytes::new(),
            truncated: self.text("truncated").is_some(),
            original_headers: Vec::new(),
            written_ms: self
                .number("origin.timestamp", "milliseconds since 1970")?
                .unwrap_or(written_ms),
            group: self.text("origin.group"),
            message_id: self.text("message.id"),
            identity_hash: self.text("identity"),
            event_type: self.text("event.type"),
            event_name: self.text("event.name"),
            failed,
            done,
            skipped,
            class: self.text("error.class").unwrap_or_default(),
            stage: self.text("error.stage").unwrap_or_default(),
            status: self.number("error.status", "an HTTP status")?,
            code: self.text("error.code").unwrap_or_default(),
            message: self.text("error.message").unwrap_or_default(),
            correlation_id: self.text("error.correlation_id"),
            attempts: self.number("attempts", "a number")?.unwrap_or(1),
            first_failed_ms: self
                .time("first_failed_at")?
                .or(last_failed_ms)
                .unwrap_or(0),
            last_failed_ms: last_failed_ms.unwrap_or(0),
            blocked_by: self.text("blocked_by"),
            config_hash: self.text("config.hash").unwrap_or_default(),
            build: self.text("build").unwrap_or_default(),
            worker: self.text("worker").unwrap_or_default(),
            replay: self.replay()?,
            traceparent: self.text("traceparent"),
        };
        let missing = Missing {
            failed: failed_missing,
            done: done_missing,
            skipped: skipped_missing,
        };
        Ok((letter, missing))
    }

    fn check_version(&self) -> Result<(), LetterError> {
        let version = self.number::<u32>("dlq.version", "a number")?;
        let version = version.ok_or_else(|| LetterError::NotALetter {
            at: self.at.clone(),
        })?;
        if VERSION.parse().is_ok_and(|ours: u32| version > ours) {
            return Err(LetterError::Newer {
                at: self.at.clone(),
                version,
            });
        }
        Ok(())
    }

    fn origin(&self) -> Result<Place, LetterError> {
        let missing = |name| self.wrong(name, "there");
        let topic = self
            .text("origin.topic")
            .ok_or_else(|| missing("origin.topic"))?;
        let partition = self.number("origin.partition", "a number")?;
        let offset = self.number("origin.offset", "a number")?;
        Ok(Place {
            topic: Topic::new(&topic),
            partition: Partition::new(partition.ok_or_else(|| missing("origin.partition"))?),
            offset: Offset::new(offset.ok_or_else(|| missing("origin.offset"))?),
        })
    }

    fn replay(&self) -> Result<Option<ReplayHistory>, LetterError> {
        let Some(count) = self.number("replay.count", "a number")? else {
            return Ok(None);
        };
        Ok(Some(ReplayHistory {
            count,
            last_id: self.text("replay.last_id").unwrap_or_default(),
            last_ms: self.time("replay.last_at")?.unwrap_or(0),
        }))
    }

    fn cut(&self) -> Result<Option<Cut>, LetterError> {
        let bytes = self.number("truncated.bytes", "a number")?;
        let cut = bytes.zip(self.text("truncated.sha256"));
        Ok(cut.map(|(bytes, sha256)| Cut { bytes, sha256 }))
    }

    fn text(&self, name: &str) -> Option<String> {
        (self.value)(name).map(Cow::into_owned)
    }

    fn number<T: std::str::FromStr>(
        &self,
        name: &'static str,
        expected: &'static str,
    ) -> Result<Option<T>, LetterError> {
        let Some(text) = (self.value)(name) else {
            return Ok(None);
        };
        let number = text
            .trim()
            .parse()
            .map_err(|_| self.wrong(name, expected))?;
        Ok(Some(number))
    }

    fn time(&self, name: &'static str) -> Result<Option<i64>, LetterError> {
        let Some(text) = (self.value)(name) else {
            return Ok(None);
        };
        // A time beyond the calendar is written as its number.
        let time = text.parse::<Timestamp>().map(Timestamp::as_millisecond);
        let time = time.ok().or_else(|| text.parse().ok());
        time.map(Some)
            .ok_or_else(|| self.wrong(name, "an RFC 3339 time"))
    }

    /// The entries, and how many more there were.
    fn list<T: DeserializeOwned>(
        &self,
        name: &'static str,
    ) -> Result<(Vec<T>, usize), LetterError> {
        let wrong = || self.wrong(name, "a JSON list");
        let Some(text) = (self.value)(name) else {
            return Ok((Vec::new(), 0));
        };
        let values: Vec<Value> = serde_json::from_str(&text).map_err(|_| wrong())?;
        let (mut entries, mut missing) = (Vec::with_capacity(values.len()), 0);
        for value in values {
            match value.get("missing").and_then(Value::as_u64) {
                Some(more) => missing += usize::try_from(more).unwrap_or(usize::MAX),
                None => entries.push(serde_json::from_value(value).map_err(|_| wrong())?),
            }
        }
        Ok((entries, missing))
    }

    fn wrong(&self, name: &'static str, expected: &'static str) -> LetterError {
        LetterError::Field {
            at: self.at.clone(),
            name,
            expected,
        }
    }
}

#[cfg(test)]
#[path = "letter_read_tests.rs"]
pub(crate) mod tests;
