use proptest::prelude::*;
use serde_json::json;

use super::*;

fn read(body: &str, format: Format) -> Vec<Element> {
    read_within(body.as_bytes(), format, &ReadLimits::default())
}

fn read_within(body: &[u8], format: Format, limits: &ReadLimits) -> Vec<Element> {
    match read_message(Some(body), format, limits) {
        Reading::Elements(elements) => elements,
        Reading::Tombstone => panic!("a tombstone"),
    }
}

/// What one sees of an element: its position, and its root or its code.
fn seen(element: &Element) -> (Option<u32>, Value) {
    let what = match &element.event {
        Ok(event) => event.root().clone(),
        Err(malformed) => json!(malformed.code.as_str()),
    };
    (element.position, what)
}

fn body(element: &Element) -> Option<&str> {
    element
        .body
        .as_deref()
        .map(|bytes| std::str::from_utf8(bytes).unwrap())
}

#[test]
fn no_value_is_a_tombstone() {
    for format in [Format::Json, Format::Array, Format::Ndjson] {
        for body in [None, Some(&b""[..])] {
            let reading = read_message(body, format, &ReadLimits::default());
            assert!(matches!(reading, Reading::Tombstone));
        }
    }
}

#[test]
fn a_plain_event_stands_for_its_message() {
    let event = json!({"type": "identify", "userId": "1"});
    for format in [Format::Json, Format::Array] {
        let elements = read(&event.to_string(), format);
        assert_eq!(
            elements.iter().map(seen).collect::<Vec<_>>(),
            [(None, event.clone())]
        );
        assert_eq!(body(&elements[0]), None);
    }
}

#[test]
fn what_is_no_event_is_one_element_with_its_code() {
    let cases = [
        ("nope", "parse_error"),
        ("{\"type\":\"track\"", "parse_error"),
        ("{\"batch\":[{},]}", "parse_error"),
        (" ", "parse_error"),
        ("5", "not_an_object"),
        ("null", "not_an_object"),
        ("[{\"type\":\"track\",\"userId\":\"1\"}]", "not_an_object"),
        ("{}", "type_unknown"),
        ("{\"type\":\"Track\",\"userId\":\"1\"}", "type_unknown"),
        ("{\"type\":\"track\"}", "no_identity"),
        ("{\"batch\":{}}", "type_unknown"),
    ];
    for (text, code) in cases {
        let elements = read(text, Format::Json);
        assert_eq!(
            elements.iter().map(seen).collect::<Vec<_>>(),
            [(None, json!(code))],
            "{text}"
        );
        assert_eq!(body(&elements[0]), None, "{text}");
    }
    let no_text = read_within(b"\xff", Format::Json, &ReadLimits::default());
    assert_eq!(seen(&no_text[0]), (None, json!("parse_error")));
}

#[test]
fn an_empty_envelope_has_no_events() {
    assert_eq!(read(r#"{"batch":[]}"#, Format::Json).len(), 0);
    assert_eq!(read(r#"{"batch":[ ],"context":{}}"#, Format::Json).len(), 0);
}

#[test]
fn an_envelope_shares_its_context_and_times() {
    let envelope = json!({
        "batch": [
            {"type": "identify", "userId": "1", "context": {"page": {"url": "u"}}},
            {"type": "track", "userId": "2", "sentAt": null, "integrations": {"All": false}},
            {"type": "track", "userId": "3", "context": "none"},
        ],
        "context": {"ip": "1", "page": {"path": "/a"}},
        "integrations": {"All": true, "X": false},
        "sentAt": "S", "receivedAt": "R", "writeKey": "k", "userId": "not shared", "messageId": "m",
    });
    let elements = read(&envelope.to_string(), Format::Json);
    let expected = [
        json!({
            "type": "identify", "userId": "1", "context": {"page": {"url": "u"}, "ip": "1"},
            "integrations": {"All": true, "X": false}, "sentAt": "S", "receivedAt": "R", "writeKey": "k",
        }),
        json!({
            "type": "track", "userId": "2", "sentAt": null, "integrations": {"All": false, "X": false},
            "context": {"ip": "1", "page": {"path": "/a"}}, "receivedAt": "R", "writeKey": "k",
        }),
        json!({
            "type": "track", "userId": "3", "context": "none",
            "integrations": {"All": true, "X": false}, "sentAt": "S", "receivedAt": "R", "writeKey": "k",
        }),
    ];
    for ((element, expected), position) in elements.iter().zip(expected).zip(0..) {
        assert_eq!(seen(element), (Some(position), expected.clone()));
        let own: Value = serde_json::from_str(body(element).unwrap()).unwrap();
        assert_eq!(own, expected);
    }
    assert_eq!(elements.len(), 3);
}

#[test]
fn a_bad_element_does_not_harm_its_neighbours() {
    let deep = "[".repeat(200) + &"]".repeat(200);
    let good = r#"{"type":"track","userId":"1","batch":[1]}"#;
    let text = format!(
        r#"{{"batch":[{good}, 5,{{"type":"nope"}} ,{{"type":"track","userId":"1","s":"]}}\"[","x":{deep}}},{{"type":"track"}},{good}]}}"#
    );
    let elements = read(&text, Format::Json);
    let good_value: Value = serde_json::from_str(good).unwrap();
    assert_eq!(
        elements.iter().map(seen).collect::<Vec<_>>(),
        [
            (Some(0), good_value.clone()),
            (Some(1), json!("not_an_object")),
            (Some(2), json!("type_unknown")),
            (Some(3), json!("too_deep")),
            (Some(4), json!("no_identity")),
            (Some(5), good_value),
        ]
    );
    assert_eq!(body(&elements[0]), Some(good));
    assert_eq!(body(&elements[1]), Some("5"));
    assert_eq!(body(&elements[2]), Some(r#"{"type":"nope"}"#));
    assert!(body(&elements[3]).unwrap().ends_with(&format!("{deep}}}")));
}

#[test]
fn an_element_may_be_as_deep_as_a_plain_event() {
    let deepest = format!(
        r#"{{"type":"track","userId":"1","x":{}{}}}"#,
        "[".repeat(127),
        "]".repeat(127)
    );
    assert!(read(&deepest, Format::Json)[0].event.is_ok());
    assert!(
        read(&format!(r#"{{"batch":[{deepest}]}}"#), Format::Json)[0]
            .event
            .is_ok()
    );
    assert!(
        read(&format!("[{deepest}]"), Format::Array)[0]
            .event
            .is_ok()
    );
}

#[test]
fn of_several_batches_the_last_counts() {
    let event = r#"{"type":"track","userId":"1"}"#;
    let twice = read(
        &format!(r#"{{"batch":[1],"batch":[{event}]}}"#),
        Format::Json,
    );
    assert_eq!(
        twice.iter().map(|e| e.event.is_ok()).collect::<Vec<_>>(),
        [true]
    );
    let data = read(
        r#"{"batch":[1],"type":"track","userId":"1","batch":7}"#,
        Format::Json,
    );
    assert_eq!(
        seen(&data[0]),
        (None, json!({"type": "track", "userId": "1", "batch": 7}))
    );
}

#[test]
fn arrays_are_events_only_when_asked_for() {
    let text = r#" [{"type":"track","userId":"1"},null,{"type":"track","userId":"2","batch":[]}]"#;
    assert_eq!(
        seen(&read(text, Format::Json)[0]),
        (None, json!("not_an_object"))
    );
    assert_eq!(
        read(text, Format::Array)
            .iter()
            .map(seen)
            .collect::<Vec<_>>(),
        [
            (Some(0), json!({"type": "track", "userId": "1"})),
            (Some(1), json!("not_an_object")),
            (
                Some(2),
                json!({"type": "track", "userId": "2", "batch": []})
            ),
        ]
    );
    assert_eq!(
        seen(&read("[1] x", Format::Array)[0]),
        (None, json!("parse_error"))
    );
    assert_eq!(read("[]", Format::Array).len(), 0);
}

#[test]
fn lines_are_events_of_their_own() {
    let text = b"{\"type\":\"track\",\"userId\":\"1\"}\r\n\n \xff\n{\"batch\":[]}\n{\"type\":\"page\",\"userId\":\"2\"}";
    let elements = read_within(text, Format::Ndjson, &ReadLimits::default());
    assert_eq!(
        elements.iter().map(seen).collect::<Vec<_>>(),
        [
            (Some(0), json!({"type": "track", "userId": "1"})),
            (Some(1), json!("parse_error")),
            (Some(2), json!("type_unknown")),
            (Some(3), json!({"type": "page", "userId": "2"})),
        ]
    );
    assert_eq!(elements[1].body.as_deref(), Some(&b"\xff"[..]));
    assert_eq!(body(&elements[2]), Some(r#"{"batch":[]}"#));
}

#[test]
fn limits_refuse_what_is_too_large() {
    let small = r#"{"type":"track","userId":"1"}"#;
    let large = r#"{"type":"track","userId":"1","x":1}"#;
    let limits = ReadLimits {
        max_event_bytes: small.len(),
        max_batch_events: 2,
    };
    let codes = |text: &str, format| -> Vec<(Option<u32>, bool)> {
        read_within(text.as_bytes(), format, &limits)
            .iter()
            .map(|e| (e.position, e.event.is_ok()))
            .collect()
    };
    assert_eq!(codes(small, Format::Json), [(None, true)]);
    assert_eq!(codes(large, Format::Json), [(None, false)]);
    assert_eq!(
        codes(&format!(r#"{{"batch":[{large},{small}]}}"#), Format::Json),
        [(Some(0), false), (Some(1), true)]
    );
    assert_eq!(
        codes(&format!("{large}\n{small}"), Format::Ndjson),
        [(Some(0), false), (Some(1), true)]
    );
    for (text, format) in [
        (
            format!(r#"{{"batch":[{small},{small},{small}]}}"#),
            Format::Json,
        ),
        (format!("[{small},{small},{small}]"), Format::Array),
        (format!("{small}\n{small}\n{small}"), Format::Ndjson),
    ] {
        let elements = read_within(text.as_bytes(), format, &limits);
        assert_eq!(seen(&elements[0]), (None, json!("too_large")));
        assert_eq!(
            elements[0].event.as_ref().unwrap_err().message(),
            "the message has 3 events, input.max_batch_events is 2"
        );
    }
}

#[test]
fn a_shared_context_is_not_multiplied_without_bound() {
    let limits = ReadLimits {
        max_event_bytes: 100,
        max_batch_events: 1000,
    };
    let envelope = |events: usize| {
        let event = r#"{"type":"track","userId":"1"}"#;
        let batch = vec![event; events].join(",");
        // With quotes, braces and the key the context has 200 bytes.
        format!(
            r#"{{"batch":[{batch}],"context":{{"k":"{}"}}}}"#,
            "x".repeat(192)
        )
    };
    let fits = read_within(envelope(16).as_bytes(), Format::Json, &limits);
    assert_eq!(fits.iter().filter(|e| e.event.is_ok()).count(), 16);
    let refused = read_within(envelope(17).as_bytes(), Format::Json, &limits);
    assert_eq!(seen(&refused[0]), (None, json!("too_large")));
    assert_eq!(
        refused[0].event.as_ref().unwrap_err().message(),
        "the envelope shares 200 bytes with 17 events, more than 3200 bytes in all (32 times input.max_event_bytes)"
    );
}

#[test]
fn replaced_escapes_are_counted_per_element() {
    let elements = read(
        r#"{"batch":[{"type":"track","userId":"\ud800"},{"type":"track","userId":"1"}]}"#,
        Format::Json,
    );
    let counts: Vec<u32> = elements
        .iter()
        .map(|e| e.event.as_ref().unwrap().replaced_escapes())
        .collect();
    assert_eq!(counts, [1, 0]);
}

#[test]
fn debug_shows_no_value() {
    let reading = read_message(
        Some(b"[{\"type\":\"track\",\"userId\":\"secret\"},\"secret\"]"),
        Format::Array,
        &ReadLimits::default(),
    );
    let shown = format!("{reading:?}");
    assert!(!shown.contains("secret"), "{shown}");
    assert!(shown.contains("body_bytes: Some(8)"), "{shown}");
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        for format in [Format::Json, Format::Array, Format::Ndjson] {
            let _reading = read_message(Some(&bytes), format, &ReadLimits::default());
        }
    }

    /// Texts near an envelope: whatever they are, every element has a code or an event, and positions count up.
    #[test]
    fn every_element_has_its_place(text in r#"\{"batch":\[([\[\]{},"0\\u]|\{"type":"track","userId":"1"\}){0,8}\]\}"#) {
        let elements = read(&text, Format::Json);
        let positions: Vec<Option<u32>> = elements.iter().map(|e| e.position).collect();
        let counted: Vec<Option<u32>> = (0..).take(elements.len()).map(Some).collect();
        prop_assert!(positions == counted || positions == [None], "{text}: {positions:?}");
    }
}
