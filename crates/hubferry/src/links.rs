//! Links that waited in vain: each becomes one dead letter, and is forgotten only once that is safe.
//!
//! The event itself ended long ago, delivered; its message may stand on a partition that another worker owns by now. So
//! it is read again by its coordinates, beside the group. The memory lends an expired link to one worker for five
//! minutes: one that dies in between, or cannot park, leaves it to another.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hubferry_event::{Reading, read_message};
use hubferry_memory::{Inquiry, Link, LinkId, LinkOrigin, Memory};
use hubferry_stream::{
    DeadLetter, DeadLetters, KafkaSettings, Message, Offset, Partition, Place, Topic, read_at,
};
use serde_json::json;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::clock::now_ms;
use crate::config::{Configuration, Input};
use crate::scribe::Scribe;

/// How many links became dead letters, by mapping. Cheap to clone; all clones count together.
#[derive(Clone, Default, Debug)]
pub(crate) struct Expired(Arc<Mutex<BTreeMap<String, u64>>>);

impl Expired {
    /// The counts so far.
    pub(crate) fn by_mapping(&self) -> BTreeMap<String, u64> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn count(&self, mapping: &str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(mapping.to_owned()).or_default() += 1;
    }
}

/// Looks after expired links as long as a worker runs.
pub(crate) struct Sweeper {
    pub(crate) memories: Vec<Arc<Memory>>,
    pub(crate) letters: Arc<DeadLetters>,
    pub(crate) writer: Writer,
    pub(crate) kafka: KafkaSettings,
    pub(crate) every: Duration,
    pub(crate) expired: Expired,
}

/// Makes the dead letters of links.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    pub(crate) scribe: Scribe,
    pub(crate) input: Input,
}

/// Between two looks at the memory, unless links wait for less.
const SWEEP_EVERY: Duration = Duration::from_secs(30);

/// Not more often than this, however short links wait.
const SWEEP_AT_MOST_EVERY: Duration = Duration::from_secs(1);

/// Links taken at once: their messages are held in memory together.
const AT_ONCE: usize = 20;

/// How long one message may take to come; all of a handful fit in what a link is lent for.
const READ_WITHIN: Duration = Duration::from_secs(10);

/// A link should not wait twice as long as it was told to.
pub(crate) fn sweep_every(configuration: &Configuration) -> Duration {
    configuration
        .destinations
        .iter()
        .flat_map(|destination| &destination.mappings)
        .map(|mapping| mapping.settings.policy.link_wait)
        .fold(SWEEP_EVERY, Duration::min)
        .max(SWEEP_AT_MOST_EVERY)
}

impl Sweeper {
    /// Sweeps until `stop`; a dead letter that is being written then is finished first.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut due = tokio::time::interval(self.every);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // Losing a tick on the way out is harmless.
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                _ = due.tick() => {}
            }
            for memory in &self.memories {
                if let Err(error) = self.sweep(memory, &stop).await {
                    tracing::warn!(
                        error,
                        "could not turn expired links into dead letters; trying again later"
                    );
                }
            }
        }
    }

    /// Takes out what has expired, a handful at a time.
    async fn sweep(&self, memory: &Memory, stop: &CancellationToken) -> Result<(), String> {
        loop {
            let expired = memory.expired_links(now_ms(), AT_ONCE);
            let links = expired.await.map_err(|error| error.to_string())?;
            if links.is_empty() {
                return Ok(());
            }
            let places = links.iter().filter_map(place).collect();
            let messages = tokio::select! {
                biased;
                // The links are lent to somebody else when their time is over.
                () = stop.cancelled() => return Ok(()),
                read = read_at(&self.kafka, places, READ_WITHIN) => read.map_err(|error| error.to_string())?,
            };
            for link in &links {
                if stop.is_cancelled() {
                    return Ok(());
                }
                let message = place(link).and_then(|place| messages.get(&place));
                self.park(memory, link, message).await?;
            }
        }
    }

    /// First the letter, then the link: what happens twice has the same id, what never happens is lost.
    async fn park(
        &self,
        memory: &Memory,
        link: &Link,
        message: Option<&Message>,
    ) -> Result<(), String> {
        let letter = self.writer.letter(link, message);
        let id = letter.id();
        self.letters
            .park(letter)
            .await
            .map_err(|error| error.to_string())?;
        memory
            .ask(&[drop_link(link.id.clone())], now_ms())
            .await
            .map_err(|error| error.to_string())?;
        self.expired.count(&link.mapping);
        tracing::info!(
            mapping = link.mapping,
            record = link.from.as_str(),
            dead_letter = id,
            "association_contact_missing: an association waited in vain"
        );
        Ok(())
    }
}

fn drop_link(link: LinkId) -> Inquiry {
    Inquiry::DropLinks {
        person: Vec::new(),
        links: vec![link],
    }
}

impl Writer {
    /// The dead letter of a link; `message` is what it came from, if that can still be read.
    pub(crate) fn letter(&self, link: &Link, message: Option<&Message>) -> DeadLetter {
        let element = link.origin.as_ref().and_then(|origin| origin.element);
        match message {
            Some(message) => {
                let body = element.and_then(|position| self.element(message, position));
                self.scribe.expired(link, message, element, body.as_ref())
            }
            None => {
                let rest = what_is_known(link);
                let letter = self.scribe.expired(link, &rest, element, None);
                DeadLetter {
                    truncated: true,
                    message_id: link
                        .origin
                        .as_ref()
                        .and_then(|origin| origin.message_id.clone())
                        .or(letter.message_id),
                    ..letter
                }
            }
        }
    }

    /// One event of an envelope, with what the envelope says for all.
    fn element(&self, message: &Message, position: u32) -> Option<Bytes> {
        let body = message.body.as_deref();
        match read_message(body, self.input.format, &self.input.limits) {
            Reading::Elements(elements) => {
                elements
                    .into_iter()
                    .find(|element| element.position == Some(position))?
                    .body
            }
            Reading::Tombstone => None,
        }
    }
}

fn place(link: &Link) -> Option<Place> {
    link.origin.as_ref().map(place_of)
}

fn place_of(origin: &LinkOrigin) -> Place {
    Place {
        topic: Topic::new(&origin.topic),
        partition: Partition::new(origin.partition),
        offset: Offset::new(origin.offset),
    }
}

/// Stands for a message that its topic no longer has.
fn what_is_known(link: &Link) -> Message {
    let nowhere = || Place {
        topic: Topic::new("unknown"),
        partition: Partition::new(0),
        offset: Offset::new(0),
    };
    let facts = json!({
        "link": link.id.as_str(),
        "mapping": link.mapping,
        "record": { "object_type": link.from_object.as_str(), "id": link.from.as_str() },
        "association": { "category": link.kind.category.as_ref(), "type_id": link.kind.type_id },
        "since_ms": link.since_ms,
        "expired_ms": link.expires_ms,
    });
    Message {
        at: place(link).unwrap_or_else(nowhere),
        key: None,
        body: Some(Bytes::from(facts.to_string())),
        headers: Vec::new(),
        written_ms: link.since_ms,
    }
}

#[cfg(test)]
mod tests {
    use hubferry_actions::{AssociationType, ObjectType, RecordId};
    use hubferry_event::{Format, ReadLimits};

    use super::*;

    fn writer() -> Writer {
        Writer {
            scribe: Scribe {
                group: Some("g".to_owned()),
                config_hash: "c0ffee".to_owned(),
                worker: "w-1".to_owned(),
            },
            input: Input {
                format: Format::Json,
                limits: ReadLimits::default(),
            },
        }
    }

    fn link(element: Option<u32>) -> Link {
        let from = (ObjectType::companies(), RecordId::new("901"));
        Link {
            id: LinkId::of("acme/companies", (&from.0, &from.1), &[], "m"),
            mapping: "acme/companies".to_owned(),
            from_object: from.0,
            from: from.1,
            kind: AssociationType {
                category: Arc::from("HUBSPOT_DEFINED"),
                type_id: 280,
            },
            since_ms: 1_000,
            expires_ms: 604_801_000,
            origin: Some(LinkOrigin {
                topic: "t".to_owned(),
                partition: 3,
                offset: 42,
                element,
                message_id: Some("m-1".to_owned()),
            }),
        }
    }

    fn message(body: &'static str) -> Message {
        Message {
            at: place_of(link(None).origin.as_ref().unwrap()),
            key: Some(Bytes::from_static(b"u")),
            body: Some(Bytes::from_static(body.as_bytes())),
            headers: vec![("source".to_owned(), Bytes::from_static(b"web"))],
            written_ms: 7,
        }
    }

    #[test]
    fn a_letter_has_the_original_bytes_and_says_what_was_done_and_what_was_not() {
        let body = r#"{"type":"group","userId":"u","groupId":"c","messageId":"m-1"}"#;
        let letter = writer().letter(&link(None), Some(&message(body)));
        assert_eq!(
            (&letter.value[..], letter.truncated),
            (body.as_bytes(), false)
        );
        assert_eq!(letter.key.as_deref(), Some(&b"u"[..]));
        assert_eq!(letter.origin.to_string(), "t/3@42");
        assert_eq!(letter.message_id.as_deref(), Some("m-1"));
        assert_eq!(letter.event_type.as_deref(), Some("group"));
        assert_eq!((letter.written_ms, letter.first_failed_ms), (7, 1_000));
        let [failed] = &letter.failed[..] else {
            unreachable!("{:?}", letter.failed)
        };
        let place = [&failed.mapping, &failed.stage, &failed.class, &failed.code];
        assert_eq!(
            place,
            [
                "acme/companies",
                "association",
                "input",
                "association_contact_missing"
            ]
        );
        let [done] = &letter.done[..] else {
            unreachable!("{:?}", letter.done)
        };
        assert_eq!(
            (
                done.mapping.as_str(),
                done.object_type.as_str(),
                done.record_id.as_deref()
            ),
            ("acme/companies", "companies", Some("901"))
        );
        assert_eq!(
            letter.message,
            "no contact appeared for companies 901: the association waited 7 days for it"
        );
    }

    #[test]
    fn of_an_envelope_only_the_one_event_is_kept() {
        let body = r#"{"batch":[{"type":"identify","userId":"a"},{"type":"group","userId":"b","groupId":"c"}]}"#;
        let letter = writer().letter(&link(Some(1)), Some(&message(body)));
        let event: serde_json::Value = serde_json::from_slice(&letter.value).unwrap();
        assert_eq!((&event["userId"], letter.element), (&json!("b"), Some(1)));
        assert!(event.get("batch").is_none());
    }

    #[test]
    fn a_message_that_is_gone_leaves_the_facts() {
        let letter = writer().letter(&link(None), None);
        assert!(letter.truncated);
        assert_eq!(letter.message_id.as_deref(), Some("m-1"));
        assert_eq!(letter.event_type, None);
        let facts: serde_json::Value = serde_json::from_slice(&letter.value).unwrap();
        assert_eq!(
            facts,
            json!({
                "link": link(None).id.as_str(),
                "mapping": "acme/companies",
                "record": { "object_type": "companies", "id": "901" },
                "association": { "category": "HUBSPOT_DEFINED", "type_id": 280 },
                "since_ms": 1_000,
                "expired_ms": 604_801_000,
            })
        );
        let with_message = writer().letter(&link(None), Some(&message("{}")));
        assert_eq!(
            letter.id(),
            with_message.id(),
            "it is the letter of the same event"
        );
    }
}
