use serde_json::{Value, json};

use super::*;

fn keys(event: &Value) -> Vec<IdentityKey> {
    let kind = EventType::parse(event["type"].as_str().unwrap()).unwrap();
    derive_keys(event.into(), kind).into_vec()
}

fn user(text: &str) -> IdentityKey {
    IdentityKey::User(text.into())
}
fn anonymous(text: &str) -> IdentityKey {
    IdentityKey::Anonymous(text.into())
}
fn email(text: &str) -> IdentityKey {
    IdentityKey::Email(text.into())
}
fn group(text: &str) -> IdentityKey {
    IdentityKey::Group(text.into())
}
fn domain(text: &str) -> IdentityKey {
    IdentityKey::Domain(text.into())
}
fn row(text: &str) -> IdentityKey {
    IdentityKey::Row(text.into())
}

#[test]
fn keys_are_found_and_the_canonical_one_is_first() {
    let cases = [
        (
            json!({"type": "identify", "userId": "u1"}),
            vec![user("u1")],
        ),
        (
            json!({"type": "identify", "userId": " u1 "}),
            vec![user("u1")],
        ),
        (json!({"type": "identify", "userId": 42}), vec![user("42")]),
        (
            json!({"type": "identify", "userId": 42.0}),
            vec![user("42")],
        ),
        (
            json!({"type": "identify", "anonymousId": "a", "userId": "u", "traits": {"email": "J@X.co"}}),
            vec![user("u"), anonymous("a"), email("j@x.co")],
        ),
        (
            json!({"type": "identify", "userId": "", "anonymousId": "  ", "traits": {"email": " J@X.CO "}}),
            vec![email("j@x.co")],
        ),
        (
            json!({"type": "track", "userId": null, "properties": {"email": "p@x.co"}, "context": {"traits": {"email": "c@x.co"}}}),
            vec![email("p@x.co"), email("c@x.co")],
        ),
        (
            json!({"type": "track", "properties": {"email": "p@x.co"}, "context": {"traits": {"email": "P@x.co"}}}),
            vec![email("p@x.co")],
        ),
        (
            json!({"type": "group", "groupId": "g", "context": {"groupId": "h"}}),
            vec![group("g")],
        ),
        (
            json!({"type": "group", "groupId": "", "context": {"groupId": "h"}}),
            vec![group("h")],
        ),
        (
            json!({"type": "group", "groupId": "g", "traits": {"website": "https://www.Acme.io:8080/x?y"}}),
            vec![group("g"), domain("acme.io")],
        ),
        (
            json!({"type": "group", "userId": "u", "groupId": "g", "traits": {"website": "acme.io"}}),
            vec![user("u"), group("g"), domain("acme.io")],
        ),
        (
            json!({"type": "group", "traits": {"website": "acme.io"}}),
            vec![],
        ),
        (
            json!({"type": "group", "groupId": "g", "traits": {"website": "https://"}}),
            vec![group("g")],
        ),
        (
            json!({"type": "identify", "userId": "u", "traits": {"website": "acme.io"}}),
            vec![user("u")],
        ),
        (
            json!({"type": "track", "properties": {"__segment_id": "17"}}),
            vec![row("17")],
        ),
        (
            json!({"type": "alias", "previousId": "old", "userId": "new", "anonymousId": "a"}),
            vec![user("new"), anonymous("a"), user("old")],
        ),
        (
            json!({"type": "alias", "previousId": "same", "userId": "same"}),
            vec![user("same")],
        ),
        (
            json!({"type": "identify", "previousId": "old", "userId": "new"}),
            vec![user("new")],
        ),
        (json!({"type": "alias", "previousId": "old"}), vec![]),
        (
            json!({"type": "identify", "userId": true, "anonymousId": {}}),
            vec![],
        ),
        (
            json!({"type": "identify", "traits": "j@x.co", "context": [1]}),
            vec![],
        ),
    ];
    for (event, expected) in cases {
        assert_eq!(
            keys(&event)
                .iter()
                .map(IdentityKey::expose)
                .collect::<Vec<_>>(),
            expected.iter().map(IdentityKey::expose).collect::<Vec<_>>(),
            "{event}"
        );
        assert!(keys(&event) == expected, "{event}");
    }
}

#[test]
fn debug_shows_no_key() {
    assert_eq!(
        format!("{:?}", [user("u1"), email("j@x.co")]),
        "[User(***), Email(***)]"
    );
}
