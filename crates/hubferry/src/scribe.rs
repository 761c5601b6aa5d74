//! Writes dead letters: one per event, with what failed, what was delivered, and where it came from.

use bytes::Bytes;
use hubferry_delivery::MappingIndex;
use hubferry_event::{Event, synthetic_message_id};
use hubferry_memory::Link;
use hubferry_stream::{
    DeadLetter, DoneMapping, FailedMapping, Message, SkippedMapping, identity_hash,
};

use crate::clock::now_ms;
use crate::closing::{Closing, Failed};
use crate::tracker::Closed;
use crate::words::for_people;

/// What every dead letter of this worker says about its origin.
#[derive(Clone, Debug)]
pub(crate) struct Scribe {
    /// The consumer group; none for a file.
    pub(crate) group: Option<String>,
    /// The hash of the configuration.
    pub(crate) config_hash: String,
    /// This worker's name.
    pub(crate) worker: String,
}

/// Where no mapping fired.
pub(crate) const NO_MAPPING: &str = "none";

/// What happened to the deliveries of one event.
struct Fate {
    failed: Vec<FailedMapping>,
    done: Vec<DoneMapping>,
    skipped: Vec<SkippedMapping>,
    /// The first failure.
    first: Failed,
    first_failed_ms: i64,
}

impl Scribe {
    /// The dead letter of one event.
    pub(crate) fn letter(
        &self,
        message: &Message,
        position: Option<u32>,
        body: Option<&Bytes>,
        closed: &[Closed],
        ids: &[String],
    ) -> DeadLetter {
        let now = now_ms();
        let (failed, done, skipped) = lists(closed, ids, now);
        let fate = Fate {
            failed,
            done,
            skipped,
            first: first_failure(closed),
            first_failed_ms: now,
        };
        self.write(message, position, body, fate, now)
    }

    /// The dead letter of an association that waited in vain. Its record was written long ago.
    pub(crate) fn expired(
        &self,
        link: &Link,
        message: &Message,
        position: Option<u32>,
        body: Option<&Bytes>,
    ) -> DeadLetter {
        let waited = format!(
            "no contact appeared for {} {}: the association waited {} for it",
            link.from_object.as_str(),
            link.from.as_str(),
            for_people(link.expires_ms.saturating_sub(link.since_ms)),
        );
        let failed = Failed::here("association", "association_contact_missing", waited);
        let fate = Fate {
            failed: vec![failed_mapping(link.mapping.clone(), &failed)],
            done: vec![DoneMapping {
                mapping: link.mapping.clone(),
                object_type: link.from_object.as_str().to_owned(),
                record_id: Some(link.from.as_str().to_owned()),
                finished_ms: link.since_ms,
            }],
            skipped: Vec::new(),
            first: failed,
            first_failed_ms: link.since_ms,
        };
        self.write(message, position, body, fate, now_ms())
    }

    fn write(
        &self,
        message: &Message,
        position: Option<u32>,
        body: Option<&Bytes>,
        fate: Fate,
        now: i64,
    ) -> DeadLetter {
        let value = body.or(message.body.as_ref()).cloned().unwrap_or_default();
        // The event was let go when its plans were made; dead letters are rare enough to read it again.
        let event = Event::parse(&value).ok();
        let salt = self.group.as_deref().unwrap_or("hubferry");
        let first = fate.first;
        DeadLetter {
            origin: message.at.clone(),
            element: position,
            key: message.key.clone(),
            original_headers: message.headers.clone(),
            written_ms: message.written_ms,
            group: self.group.clone(),
            message_id: self.message_id(event.as_ref(), message, position),
            identity_hash: event
                .as_ref()
                .map(|event| identity_hash(salt.as_bytes(), event.identity().expose())),
            event_type: event.as_ref().map(|event| event.kind().as_str().to_owned()),
            event_name: event.as_ref().and_then(Event::name).map(ToOwned::to_owned),
            failed: fate.failed,
            done: fate.done,
            skipped: fate.skipped,
            class: first.class.to_owned(),
            stage: first.stage.to_owned(),
            status: first.status,
            code: first.code.to_owned(),
            message: first.message,
            correlation_id: first.correlation_id,
            attempts: first.attempts,
            first_failed_ms: fate.first_failed_ms,
            last_failed_ms: now,
            blocked_by: None,
            config_hash: self.config_hash.clone(),
            build: env!("CARGO_PKG_VERSION").to_owned(),
            worker: self.worker.clone(),
            replay: None,
            traceparent: header(message, "traceparent"),
            value,
            truncated: false,
        }
    }

    /// The event's own id; on a topic a synthetic one where it has none, in a file none.
    fn message_id(
        &self,
        event: Option<&Event>,
        message: &Message,
        position: Option<u32>,
    ) -> Option<String> {
        let own = event.and_then(Event::message_id).map(ToOwned::to_owned);
        let at = &message.at;
        own.or_else(|| {
            self.group.as_ref().map(|_| {
                synthetic_message_id(
                    at.topic.as_str(),
                    at.partition.get(),
                    at.offset.get(),
                    position,
                )
            })
        })
    }
}

fn header(message: &Message, name: &str) -> Option<String> {
    let (_, value) = message.headers.iter().find(|(header, _)| header == name)?;
    String::from_utf8(value.to_vec()).ok()
}

/// `DESTINATION/NAME`, or `none`.
pub(crate) fn name(mapping: Option<MappingIndex>, ids: &[String]) -> String {
    mapping
        .and_then(|index| ids.get(usize::try_from(index.0).ok()?))
        .map_or_else(|| NO_MAPPING.to_owned(), Clone::clone)
}

/// What failed, was delivered and was skipped.
pub(crate) fn lists(
    closed: &[Closed],
    ids: &[String],
    now: i64,
) -> (Vec<FailedMapping>, Vec<DoneMapping>, Vec<SkippedMapping>) {
    let (mut failed, mut done, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
    for one in closed {
        let mapping = name(one.mapping, ids);
        match &one.closing {
            Closing::Delivered | Closing::Merged => done.push(DoneMapping {
                mapping,
                object_type: one
                    .record
                    .as_ref()
                    .map_or_else(String::new, |(object, _)| object.as_str().to_owned()),
                record_id: one.record.as_ref().map(|(_, id)| id.as_str().to_owned()),
                finished_ms: now,
            }),
            Closing::Skipped(reason) => skipped.push(SkippedMapping {
                mapping,
                reason: (*reason).to_owned(),
            }),
            Closing::Dead(death) => failed.push(failed_mapping(mapping, death)),
        }
    }
    (failed, done, skipped)
}

fn failed_mapping(mapping: String, failed: &Failed) -> FailedMapping {
    FailedMapping {
        mapping,
        stage: failed.stage.to_owned(),
        class: failed.class.to_owned(),
        code: failed.code.to_owned(),
        status: failed.status,
        category: failed.category.clone(),
        sub_category: failed.sub_category.clone(),
        property: failed.property.clone(),
        attempts: failed.attempts,
    }
}

fn first_failure(closed: &[Closed]) -> Failed {
    let found = closed.iter().find_map(|one| match &one.closing {
        Closing::Dead(failed) => Some((**failed).clone()),
        _ => None,
    });
    // Only elements with a dead delivery get here; should that ever be wrong, the letter says so.
    found.unwrap_or_else(|| Failed::here("intake", "suspect", "no failed delivery".to_owned()))
}

#[cfg(test)]
mod tests {
    use hubferry_actions::{ObjectType, RecordId};
    use hubferry_stream::{Offset, Partition, Place, Topic};

    use super::*;

    fn scribe(group: Option<&str>) -> Scribe {
        Scribe {
            group: group.map(ToOwned::to_owned),
            config_hash: "c0ffee".to_owned(),
            worker: "w-1".to_owned(),
        }
    }

    fn message(body: &str) -> Message {
        Message {
            at: Place {
                topic: Topic::new("t"),
                partition: Partition::new(2),
                offset: Offset::new(7),
            },
            key: None,
            body: Some(Bytes::copy_from_slice(body.as_bytes())),
            headers: vec![("traceparent".to_owned(), Bytes::from_static(b"00-1"))],
            written_ms: 5,
        }
    }

    fn closed(mapping: Option<u32>, closing: Closing, record: bool) -> Closed {
        Closed {
            mapping: mapping.map(MappingIndex),
            closing,
            record: record.then(|| (ObjectType::contacts(), RecordId::new("11"))),
        }
    }

    #[test]
    fn a_letter_tells_what_failed_and_what_did_not() {
        let ids = [
            "a/contacts".to_owned(),
            "a/companies".to_owned(),
            "b/contacts".to_owned(),
        ];
        let failed = Failed::here("record", "property_option", "x is not an option".to_owned())
            .about(Some("plan".to_owned()));
        let closed = [
            closed(Some(0), Closing::Delivered, true),
            closed(Some(1), Closing::Dead(Box::new(failed)), false),
            closed(Some(2), Closing::Skipped("not_found"), false),
        ];
        let message = message(r#"{"type":"track","event":"Paid","userId":"u"}"#);
        let letter = scribe(Some("g")).letter(&message, None, None, &closed, &ids);
        let done: Vec<_> = letter
            .done
            .iter()
            .map(|done| {
                (
                    done.mapping.as_str(),
                    done.object_type.as_str(),
                    done.record_id.as_deref(),
                )
            })
            .collect();
        assert_eq!(done, [("a/contacts", "contacts", Some("11"))]);
        assert_eq!(letter.failed[0].mapping, "a/companies");
        assert_eq!(letter.failed[0].property.as_deref(), Some("plan"));
        assert_eq!(letter.skipped[0].reason, "not_found");
        assert_eq!(
            (letter.stage.as_str(), letter.code.as_str()),
            ("record", "property_option")
        );
        assert_eq!(letter.event_type.as_deref(), Some("track"));
        assert_eq!(letter.event_name.as_deref(), Some("Paid"));
        assert_eq!(letter.traceparent.as_deref(), Some("00-1"));
        assert_eq!(
            letter.message_id,
            Some(synthetic_message_id("t", 2, 7, None))
        );
    }

    #[test]
    fn a_file_gives_no_id_that_the_event_has_not() {
        let failed = Failed::here("intake", "parse_error", String::new());
        let closed = [closed(None, Closing::Dead(Box::new(failed)), false)];
        let letter = scribe(None).letter(&message("{"), None, None, &closed, &[]);
        assert_eq!(letter.message_id, None);
        assert_eq!(letter.identity_hash, None);
        assert_eq!(letter.failed[0].mapping, "none");
        assert_eq!(letter.value, "{");
    }
}
