use proptest::prelude::*;

use super::*;
use crate::letter::tests::{letter, sample};

fn at() -> Place {
    Place {
        topic: Topic::new("customer-events.hubferry.dlq"),
        partition: Partition::new(3),
        offset: Offset::new(5),
    }
}

fn parked(letter: &DeadLetter) -> Message {
    let added = letter.headers().into_iter();
    let added = added.map(|(name, value)| (name, Bytes::from(value)));
    Message {
        at: at(),
        key: letter.key.clone(),
        body: Some(letter.value.clone()),
        headers: letter
            .original_headers
            .iter()
            .cloned()
            .chain(added)
            .collect(),
        written_ms: 99,
    }
}

/// The sample letter as found at an offset.
pub(crate) fn found(offset: i64) -> Letter {
    Letter {
        letter: sample(),
        at: Place {
            offset: Offset::new(offset),
            ..at()
        },
        parked_ms: 99,
        missing: Missing::default(),
        cut: None,
    }
}

#[test]
fn what_was_parked_is_read_back_field_by_field() {
    let read = Letter::read(&parked(&sample())).unwrap();
    assert_eq!(read, found(5));
    let blocked = DeadLetter {
        class: "blocked".to_owned(),
        blocked_by: Some("0123456789abcdef0123456789abcdef".to_owned()),
        element: None,
        replay: None,
        status: None,
        ..sample()
    };
    assert_eq!(Letter::read(&parked(&blocked)).unwrap().letter, blocked);
}

#[test]
fn a_line_of_a_file_is_read_back_without_key_and_headers() {
    let line = sample().to_json().to_string();
    let read = Letter::read_line(&line, 4).unwrap();
    let expected = DeadLetter {
        key: None,
        original_headers: Vec::new(),
        ..sample()
    };
    assert_eq!((read.letter, read.at.offset), (expected, Offset::new(4)));
    let raw = DeadLetter {
        value: Bytes::from_static(b"{\"a\":"),
        group: None,
        message_id: None,
        ..sample()
    };
    let read = Letter::read_line(&raw.to_json().to_string(), 0).unwrap();
    assert_eq!((read.letter.value, read.letter.group), (raw.value, None));
}

#[test]
fn a_letter_of_the_first_release_stays_readable() {
    // A kept sample: must not change when the format does.
    let headers = [
        ("hubferry.dlq.version", "1"),
        ("hubferry.origin.topic", "t"),
        ("hubferry.origin.partition", "0"),
        ("hubferry.origin.offset", "7"),
        (
            "hubferry.mappings.failed",
            r#"[{"mapping":"a/b","stage":"record","class":"input","code":"not_unique","attempts":2,"new":1}]"#,
        ),
        ("hubferry.error.code", "not_unique"),
        ("hubferry.last_failed_at", "2026-01-01T00:00:02.5Z"),
        ("hubferry.something.new", "x"),
    ];
    let message = Message {
        headers: headers
            .map(|(name, value)| (name.to_owned(), Bytes::from(value)))
            .into(),
        ..parked(&sample())
    };
    let letter = Letter::read(&message).unwrap().letter;
    assert_eq!(
        (letter.failed.len(), letter.failed[0].code.as_str()),
        (1, "not_unique")
    );
    assert_eq!(
        (letter.first_failed_ms, letter.attempts),
        (1_767_225_602_500, 1)
    );
    assert_eq!(
        letter.written_ms, 99,
        "without its own time, the message's counts"
    );
}

#[test]
fn what_cannot_be_read_is_one_line() {
    let with = |name: &str, value: &str| {
        let mut message = parked(&sample());
        message.headers.retain(|(header, _)| header != name);
        message
            .headers
            .push((name.to_owned(), Bytes::copy_from_slice(value.as_bytes())));
        Letter::read(&message).unwrap_err().to_string()
    };
    let place = "customer-events.hubferry.dlq/3@5";
    assert_eq!(
        with("hubferry.dlq.version", "2"),
        format!(
            "the dead letter {place} has version 2, and this build reads versions up to 1; update hubferry"
        )
    );
    assert_eq!(
        with("hubferry.origin.offset", "x"),
        format!("the dead letter {place} cannot be read: origin.offset must be a number")
    );
    assert_eq!(
        with("hubferry.mappings.failed", "[{}"),
        format!("the dead letter {place} cannot be read: mappings.failed must be a JSON list")
    );
    assert_eq!(
        with("hubferry.last_failed_at", "yesterday"),
        format!("the dead letter {place} cannot be read: last_failed_at must be an RFC 3339 time")
    );
    let mut other = parked(&sample());
    other.headers.clear();
    assert_eq!(
        Letter::read(&other).unwrap_err().to_string(),
        format!("{place} is not a dead letter: it has no hubferry.dlq.version")
    );
    assert_eq!(
        Letter::read_line("[1]", 3).unwrap_err().to_string(),
        "line 3 of the dead letters is not a JSON object"
    );
}

#[test]
fn a_cut_value_is_restored_by_its_origin_only() {
    let whole = Bytes::from(vec![b'x'; 1_000]);
    let mut message = parked(&sample());
    for (name, value) in [
        ("hubferry.truncated", "1".to_owned()),
        ("hubferry.truncated.bytes", "1000".to_owned()),
        ("hubferry.truncated.sha256", hex(&Sha256::digest(&whole))),
    ] {
        message.headers.push((name.to_owned(), Bytes::from(value)));
    }
    let mut letter = Letter::read(&message).unwrap();
    assert!(letter.letter.truncated && letter.cut.is_some());
    let before = letter.clone();
    let error = letter.restore(Bytes::from(vec![b'y'; 1_000])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the dead letter customer-events.hubferry.dlq/3@5 was cut, and its origin no longer has the whole event"
    );
    assert_eq!(letter, before);
    letter.restore(whole.clone()).unwrap();
    assert_eq!(
        (letter.letter.value, letter.letter.truncated, letter.cut),
        (whole, false, None)
    );
}

proptest! {
    #[test]
    fn every_letter_is_read_back_or_says_what_is_missing(letter in letter()) {
        let read = Letter::read(&parked(&letter)).unwrap();
        prop_assert_eq!(read.id(), letter.id());
        prop_assert_eq!(read.letter.failed.len() + read.missing.failed, letter.failed.len());
        prop_assert_eq!(read.letter.done.len() + read.missing.done, letter.done.len());
        prop_assert_eq!(read.letter.skipped.len() + read.missing.skipped, letter.skipped.len());
        let line = Letter::read_line(&letter.to_json().to_string(), 0).unwrap();
        prop_assert_eq!(&line.letter.failed, &letter.failed);
        prop_assert_eq!(&line.letter.message, &letter.message);
    }

    #[test]
    fn any_headers_are_survived(
        headers in prop::collection::vec(("(hubferry\\.)?(dlq\\.version|origin\\.(topic|offset|partition)|mappings\\.failed)", "[0-9a-z\\[\\]{}\":,]{0,12}"), 0..8),
    ) {
        let headers = headers.into_iter().map(|(name, value)| (name, Bytes::from(value))).collect();
        let read = Letter::read(&Message { headers, ..parked(&sample()) });
        prop_assert!(read.is_ok() || read.is_err());
    }
}
