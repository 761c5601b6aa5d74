use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::letter_headers::HEADERS_BYTES;
use crate::place::{Offset, Partition, Topic};

/// A letter with every field filled.
pub(crate) fn sample() -> DeadLetter {
    DeadLetter {
        origin: Place {
            topic: Topic::new("customer-events"),
            partition: Partition::new(3),
            offset: Offset::new(42),
        },
        element: Some(7),
        key: Some(Bytes::from_static(b"u1")),
        value: Bytes::from_static(br#"{"type":"identify","userId":"u1","n":12345678901234567890}"#),
        truncated: false,
        original_headers: vec![("source".to_owned(), Bytes::from_static(b"web"))],
        written_ms: 1_767_225_600_123,
        group: Some("hubferry".to_owned()),
        message_id: Some("m-1".to_owned()),
        identity_hash: Some(identity_hash(b"salt", "u1")),
        event_type: Some("identify".to_owned()),
        event_name: Some("Signed Up".to_owned()),
        failed: vec![FailedMapping {
            mapping: "acme/contacts".to_owned(),
            stage: "record".to_owned(),
            class: "input".to_owned(),
            code: "property_option".to_owned(),
            status: Some(400),
            category: Some("VALIDATION_ERROR".to_owned()),
            sub_category: None,
            property: Some("plan".to_owned()),
            attempts: 1,
        }],
        done: vec![DoneMapping {
            mapping: "acme/companies".to_owned(),
            object_type: "companies".to_owned(),
            record_id: Some("99".to_owned()),
            finished_ms: 1_767_225_601_000,
        }],
        skipped: vec![SkippedMapping {
            mapping: "acme/deals".to_owned(),
            reason: "stale".to_owned(),
        }],
        class: "input".to_owned(),
        stage: "record".to_owned(),
        status: Some(400),
        code: "property_option".to_owned(),
        message: "plan: `gold` is not an option".to_owned(),
        correlation_id: Some("c-1".to_owned()),
        attempts: 1,
        first_failed_ms: 1_767_225_602_000,
        last_failed_ms: 1_767_225_602_500,
        blocked_by: None,
        config_hash: "abc".to_owned(),
        build: "0.1.0".to_owned(),
        worker: "worker-1".to_owned(),
        replay: Some(ReplayHistory {
            count: 2,
            last_id: "r-1".to_owned(),
            last_ms: 1_767_225_600_000,
        }),
        traceparent: Some("00-1-2-01".to_owned()),
    }
}

#[test]
fn the_headers_are_those_of_the_specification() {
    let headers: Vec<(String, String)> = sample()
        .headers()
        .into_iter()
        .map(|(name, value)| (name, String::from_utf8(value).unwrap()))
        .collect();
    let failed = r#"[{"mapping":"acme/contacts","stage":"record","class":"input","code":"property_option","status":400,"category":"VALIDATION_ERROR","property":"plan","attempts":1}]"#;
    let done = r#"[{"mapping":"acme/companies","object_type":"companies","record_id":"99","finished_at":"2026-01-01T00:00:01Z"}]"#;
    let expected = [
        ("hubferry.dlq.version", "1"),
        ("hubferry.dlq.id", &sample().id()),
        ("hubferry.origin.topic", "customer-events"),
        ("hubferry.origin.partition", "3"),
        ("hubferry.origin.offset", "42"),
        ("hubferry.origin.element", "7"),
        ("hubferry.origin.timestamp", "1767225600123"),
        ("hubferry.origin.group", "hubferry"),
        ("hubferry.message.id", "m-1"),
        ("hubferry.identity", &identity_hash(b"salt", "u1")),
        ("hubferry.event.type", "identify"),
        ("hubferry.event.name", "Signed Up"),
        ("hubferry.error.class", "input"),
        ("hubferry.error.stage", "record"),
        ("hubferry.error.status", "400"),
        ("hubferry.error.code", "property_option"),
        ("hubferry.error.message", "plan: `gold` is not an option"),
        ("hubferry.error.correlation_id", "c-1"),
        ("hubferry.attempts", "1"),
        ("hubferry.first_failed_at", "2026-01-01T00:00:02Z"),
        ("hubferry.last_failed_at", "2026-01-01T00:00:02.5Z"),
        ("hubferry.config.hash", "abc"),
        ("hubferry.build", "0.1.0"),
        ("hubferry.worker", "worker-1"),
        ("hubferry.replay.count", "2"),
        ("hubferry.replay.last_id", "r-1"),
        ("hubferry.replay.last_at", "2026-01-01T00:00:00Z"),
        ("traceparent", "00-1-2-01"),
        ("hubferry.mappings.failed", failed),
        ("hubferry.mappings.done", done),
        (
            "hubferry.mappings.skipped",
            r#"[{"mapping":"acme/deals","reason":"stale"}]"#,
        ),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(headers, expected);
}

#[test]
fn the_line_has_the_event_and_all_fields() {
    let text = sample().to_json().to_string();
    let line: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        line,
        json!({
            "messageId": "m-1",
            "event": serde_json::from_slice::<Value>(&sample().value).unwrap(),
            "dlq.version": 1,
            "dlq.id": sample().id(),
            "origin.topic": "customer-events",
            "origin.partition": 3,
            "origin.offset": 42,
            "origin.element": 7,
            "origin.timestamp": 1_767_225_600_123_i64,
            "origin.group": "hubferry",
            "message.id": "m-1",
            "identity": identity_hash(b"salt", "u1"),
            "event.type": "identify",
            "event.name": "Signed Up",
            "mappings.failed": [{
                "mapping": "acme/contacts", "stage": "record", "class": "input", "code": "property_option",
                "status": 400, "category": "VALIDATION_ERROR", "property": "plan", "attempts": 1,
            }],
            "mappings.done": [{
                "mapping": "acme/companies", "object_type": "companies", "record_id": "99",
                "finished_at": "2026-01-01T00:00:01Z",
            }],
            "mappings.skipped": [{ "mapping": "acme/deals", "reason": "stale" }],
            "error.class": "input",
            "error.stage": "record",
            "error.status": 400,
            "error.code": "property_option",
            "error.message": "plan: `gold` is not an option",
            "error.correlation_id": "c-1",
            "attempts": 1,
            "first_failed_at": "2026-01-01T00:00:02Z",
            "last_failed_at": "2026-01-01T00:00:02.5Z",
            "config.hash": "abc",
            "build": "0.1.0",
            "worker": "worker-1",
            "replay.count": 2,
            "replay.last_id": "r-1",
            "replay.last_at": "2026-01-01T00:00:00Z",
            "traceparent": "00-1-2-01",
        })
    );
    assert!(
        text.contains("12345678901234567890"),
        "large numbers stay exact"
    );
}

#[test]
fn a_line_of_a_file_says_which_and_keeps_what_is_no_object_as_text() {
    for (value, expected) in [
        (&b"{\"a\":1"[..], "{\"a\":1"),
        (b"[1]", "[1]"),
        (b"7", "7"),
        (b"caf\xe9", "caf\u{fffd}"),
        (b"", ""),
    ] {
        let letter = DeadLetter {
            value: Bytes::from_static(value),
            group: None,
            message_id: None,
            ..sample()
        };
        let line = letter.to_json();
        assert_eq!(
            (&line["messageId"], &line["line"], &line["raw"]),
            (&Value::Null, &json!(42), &json!(expected))
        );
        assert!(line.get("event").is_none() && line.get("origin.group").is_none());
    }
}

#[test]
fn a_value_that_is_not_the_original_says_so() {
    let letter = DeadLetter {
        truncated: true,
        ..sample()
    };
    let said = ("hubferry.truncated".to_owned(), b"1".to_vec());
    assert!(letter.headers().contains(&said));
    assert_eq!(letter.to_json()["truncated"], 1);
    assert!(!sample().headers().contains(&said));
    assert_eq!(sample().to_json().get("truncated"), None);
}

#[test]
fn the_id_depends_on_the_place_alone() {
    let id = sample().id();
    assert_eq!(id.len(), 32);
    assert_eq!(
        DeadLetter {
            attempts: 9,
            value: Bytes::new(),
            ..sample()
        }
        .id(),
        id
    );
    let elsewhere = |change: fn(&mut DeadLetter)| {
        let mut letter = sample();
        change(&mut letter);
        letter.id()
    };
    let others = [
        elsewhere(|letter| letter.origin.topic = Topic::new("customer-event")),
        elsewhere(|letter| letter.origin.partition = Partition::new(4)),
        elsewhere(|letter| letter.origin.offset = Offset::new(43)),
        elsewhere(|letter| letter.element = None),
        elsewhere(|letter| letter.element = Some(8)),
        id,
    ];
    let distinct: std::collections::BTreeSet<_> = others.iter().collect();
    assert_eq!(distinct.len(), others.len());
}

#[test]
fn the_identity_is_salted_and_debug_shows_nobody() {
    assert_eq!(identity_hash(b"salt", "u1"), identity_hash(b"salt", "u1"));
    assert_ne!(identity_hash(b"salt", "u1"), identity_hash(b"pepper", "u1"));
    assert_ne!(identity_hash(b"ab", "c"), identity_hash(b"a", "bc"));
    let shown = format!("{:?}", sample());
    assert!(
        !shown.contains("u1") && shown.contains("customer-events/3@42"),
        "{shown}"
    );
}

#[test]
fn many_failed_mappings_say_how_many_are_missing() {
    let mut letter = sample();
    letter.failed = (0..100)
        .map(|number| FailedMapping {
            mapping: format!("acme/mapping-{number}"),
            ..letter.failed[0].clone()
        })
        .collect();
    let headers = letter.headers();
    let failed = &headers
        .iter()
        .find(|(name, _)| name == "hubferry.mappings.failed")
        .unwrap()
        .1;
    let failed: Vec<Value> = serde_json::from_slice(failed).unwrap();
    let missing = failed.last().unwrap()["missing"].as_u64().unwrap();
    assert_eq!(failed.len() as u64 - 1 + missing, 100);
    assert!(
        failed.len() > 5,
        "as many as fit are kept, here {}",
        failed.len()
    );
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![4 => "\\PC{0,40}", 1 => "[\\PC\"\\\\\u{0}-\u{1f}]{0,3000}"]
}

prop_compose! {
    pub(crate) fn letter()(
        texts in prop::collection::vec(text(), 16),
        lists in (0usize..40, 0usize..40, 0usize..40),
        numbers in any::<(i64, u32, u16, i32)>(),
    ) -> DeadLetter {
        let base = sample();
        let some = |at: usize| Some(texts[at].clone());
        DeadLetter {
            origin: Place {
                topic: Topic::new(&texts[0].chars().filter(char::is_ascii_alphanumeric).take(249).collect::<String>()),
                partition: Partition::new(numbers.3),
                offset: Offset::new(numbers.0),
            },
            element: Some(numbers.1),
            written_ms: numbers.0,
            group: some(1),
            message_id: some(2),
            identity_hash: some(3),
            event_type: some(4),
            event_name: some(5),
            failed: vec![FailedMapping { mapping: texts[6].clone(), property: some(7), ..base.failed[0].clone() }; lists.0],
            done: vec![DoneMapping { mapping: texts[6].clone(), ..base.done[0].clone() }; lists.1],
            skipped: vec![SkippedMapping { mapping: texts[6].clone(), ..base.skipped[0].clone() }; lists.2],
            class: texts[8].clone(),
            stage: texts[9].clone(),
            status: Some(numbers.2),
            code: texts[10].clone(),
            message: texts[11].clone(),
            correlation_id: some(12),
            attempts: numbers.1,
            first_failed_ms: numbers.0,
            blocked_by: some(13),
            config_hash: texts[14].clone(),
            build: texts[14].clone(),
            worker: texts[14].clone(),
            replay: Some(ReplayHistory { count: numbers.1, last_id: texts[15].clone(), last_ms: numbers.0 }),
            traceparent: some(15),
            ..base
        }
    }
}

proptest! {
    #[test]
    fn headers_never_exceed_their_share(letter in letter()) {
        let headers = letter.headers();
        let bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        prop_assert!(bytes <= HEADERS_BYTES, "{} bytes", bytes);
        for (name, value) in &headers {
            let value = std::str::from_utf8(value).unwrap();
            if name.starts_with("hubferry.mappings.") {
                prop_assert!(serde_json::from_str::<Vec<Value>>(value).is_ok(), "{} is no list", name);
            }
        }
    }

    #[test]
    fn a_line_is_one_line_of_json(letter in letter()) {
        let text = letter.to_json().to_string();
        prop_assert!(!text.contains('\n'));
        let line: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&line["error.message"], &json!(letter.message));
        prop_assert_eq!(&line["message.id"], &json!(letter.message_id));
        prop_assert_eq!(line["mappings.failed"].as_array().unwrap().len(), letter.failed.len());
    }
}
