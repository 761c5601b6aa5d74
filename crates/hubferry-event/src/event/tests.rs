use serde_json::json;

use super::*;

fn malformed(event: &Value) -> (MalformedCode, String) {
    let malformed = Event::from_value(event.clone()).unwrap_err();
    (malformed.code, malformed.to_string())
}

#[test]
fn an_event_is_kept_as_it_arrived() {
    let text = r#"{"type":"track","event":"Deal Won","userId":42,"messageId":"m","timestamp":"2024-01-08T14:00:00Z","properties":{"n":12345678901234567890,"d":0.1234567890123456789},"zzz":[null]}"#;
    let event = Event::parse(text.as_bytes()).unwrap();
    assert_eq!(event.root().to_string(), text);
    assert_eq!(event.kind(), EventType::Track);
    assert_eq!(event.name(), Some("Deal Won"));
    assert_eq!(event.message_id(), Some("m"));
    assert_eq!(
        event.time(),
        Some(EventTime::from_millis(1_704_722_400_000))
    );
    assert_eq!(event.identity().expose(), "42");
    assert_eq!(event.identity_keys().len(), 1);
    assert_eq!(event.replaced_escapes(), 0);
}

#[test]
fn names_depend_on_the_type() {
    for (event, expected) in [
        (
            json!({"type": "track", "userId": "u", "event": "E", "name": "N"}),
            Some("E"),
        ),
        (
            json!({"type": "page", "userId": "u", "event": "E", "name": "N"}),
            Some("N"),
        ),
        (
            json!({"type": "screen", "userId": "u", "name": "N"}),
            Some("N"),
        ),
        (
            json!({"type": "identify", "userId": "u", "name": "N"}),
            None,
        ),
        (json!({"type": "track", "userId": "u", "event": 5}), None),
    ] {
        assert_eq!(
            Event::from_value(event.clone()).unwrap().name(),
            expected,
            "{event}"
        );
    }
}

#[test]
fn every_type_is_known_exactly() {
    for kind in EventType::ALL {
        let event = json!({"type": kind.as_str(), "userId": "u"});
        assert_eq!(Event::from_value(event).unwrap().kind(), kind);
    }
    let unknown = "$.type is none of identify, group, track, page, screen, alias, delete";
    for (event, message) in [
        (json!({"type": "Track", "userId": "u"}), unknown),
        (json!({"type": "", "userId": "u"}), unknown),
        (json!({"type": "secret@x.co", "userId": "u"}), unknown),
        (json!({"type": 5, "userId": "u"}), "$.type must be a text"),
        (
            json!({"type": null, "userId": "u"}),
            "$.type must be a text",
        ),
        (json!({"userId": "u"}), "$.type is missing"),
    ] {
        assert_eq!(
            malformed(&event),
            (MalformedCode::TypeUnknown, message.to_owned())
        );
    }
}

#[test]
fn an_event_belongs_to_somebody() {
    let (code, message) = malformed(&json!({"type": "identify", "traits": {"phone": "1"}}));
    assert_eq!(code, MalformedCode::NoIdentity);
    assert_eq!(
        message,
        "the event has none of userId, anonymousId, an email, groupId or properties.__segment_id"
    );
}

#[test]
fn only_objects_are_events() {
    for value in [
        json!(null),
        json!(1),
        json!("s"),
        json!([]),
        json!([{"type": "track"}]),
    ] {
        assert_eq!(malformed(&value).0, MalformedCode::NotAnObject, "{value}");
    }
}

#[test]
fn a_value_may_be_128_levels_deep() {
    let event = |levels: usize| {
        let inside = (1..levels).fold(Value::Null, |inner, _| json!([inner]));
        json!({"type": "track", "userId": "u", "x": inside})
    };
    assert!(Event::from_value(event(128)).is_ok());
    assert_eq!(malformed(&event(129)).0, MalformedCode::TooDeep);
}

#[test]
fn a_missing_or_unreadable_time_is_none() {
    for time in [json!(null), json!("yesterday"), json!({})] {
        let event = json!({"type": "track", "userId": "u", "timestamp": time});
        assert_eq!(Event::from_value(event).unwrap().time(), None);
    }
}

#[test]
fn integrations_are_judged_by_the_given_names() {
    let event = Event::from_value(
        json!({"type": "track", "userId": "u", "integrations": {"HubSpot": false}}),
    )
    .unwrap();
    let names: Vec<String> = crate::DEFAULT_ALIASES.map(str::to_owned).into();
    assert!(!event.integrations_allow(&names));
    assert!(event.integrations_allow(&["other".to_owned()]));
}

#[test]
fn debug_shows_no_value() {
    let event =
        Event::from_value(json!({"type": "track", "userId": "u", "event": "secret"})).unwrap();
    assert_eq!(format!("{event:?}"), "Event { kind: Track, .. }");
}
