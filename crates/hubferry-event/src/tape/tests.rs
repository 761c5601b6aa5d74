use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::document::Document;
use crate::json::parse_json;
use crate::view::Json;

/// The value that the tape stands for.
fn value(text: &str) -> Option<Value> {
    let document = Document::new(Tape::read(text, Batch::IsData)?);
    Some(Json::root(&document).to_value())
}

#[test]
fn plain_texts_are_read() {
    for text in [
        r#" {"a":[1,true,false,null,"x",{}],"b":{},"":[[]]} "#,
        r#""\"\\\/\b\f\n\r\t""#,
        r#"["a\u00e9\u0000b","\ud83d\ude00",{"k\u0065y\n":"é\té"}]"#,
        "-0.5e+10",
        "[-0,-0.0,0,1e+5,1e-5,12345678901234567890,0.1234567890123456789012345]",
        "\"12345678 123456\\\\78\u{7f}\u{2028}\"",
        r#"{"$serde_json::private::Number":"no number"}"#,
    ] {
        let expected = parse_json(text.as_bytes()).unwrap();
        let read = value(text).unwrap();
        assert_eq!(read.to_string(), expected.to_string(), "{text}");
    }
}

#[test]
fn what_needs_an_answer_of_its_own_is_given_up() {
    for text in [
        "",
        "nul",
        "{} {}",
        r#"{"a":1,}"#,
        r#"{"a" 1}"#,
        "[1 2]",
        "01",
        "1.",
        "-",
        "1e+",
        "\"a\nb\"",
        "\"abcdefgh\u{1}\"",
        "\"abc",
        r#""\x""#,
        r#""\u12""#,
        // Another answer than the tape has: the last wins, the pair is replaced.
        r#"{"a":1,"b":2,"a":3}"#,
        r#"{"a":1,"\u0061":3}"#,
        r#""\ud800""#,
        r#""\udc00""#,
        r#""\ud800\ud800""#,
        "1e400",
        "1E+5",
    ] {
        assert_eq!(value(text), None, "{text}");
    }
}

#[test]
fn depth_is_bounded() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(value(&nested(128)).is_some());
    assert!(value(&nested(129)).is_none());
    assert!(value(&"[".repeat(1_000_000)).is_none());
}

#[test]
fn a_key_that_stands_twice_in_a_large_object_is_found() {
    let members: Vec<String> = (0..500).map(|n| format!("\"key {n}\":{n}")).collect();
    let text = format!("{{{}}}", members.join(","));
    assert!(value(&text).is_some());
    for twice in ["key 0", "key 250", "key 499"] {
        let text = text.replace('}', &format!(",\"{twice}\":0}}"));
        assert!(value(&text).is_none(), "{twice}");
    }
}

#[test]
fn envelopes_are_left_to_the_reader() {
    let read = |text: &str, batch| Tape::read(text, batch).is_some();
    let envelope = r#"{"a":1,"batch":[{}]}"#;
    assert!(read(envelope, Batch::IsData));
    assert!(!read(envelope, Batch::IsEnvelope));
    for event in [
        r#"{"batch":{"a":[1]}}"#,
        r#"{"a":{"batch":[1]}}"#,
        r#"[{"batch":[1]}]"#,
        r#"{"batches":[1]}"#,
    ] {
        assert!(read(event, Batch::IsEnvelope), "{event}");
    }
}

#[test]
fn large_objects_and_lists_are_not_searched_one_by_one() {
    let members: serde_json::Map<String, Value> =
        (0..300).map(|n| (format!("k{n}"), json!(n))).collect();
    let list: Vec<Value> = (0..300).map(|n| json!([n])).collect();
    let text = json!({"o": members, "l": list}).to_string();
    let tape = Tape::read(&text, Batch::IsData).unwrap();
    let member = |object, key: &str| tape.member(object, key, fingerprint(key.as_bytes()));
    let object = member(0, "o").unwrap();
    let list = member(0, "l").unwrap();
    for n in [0, 7, 150, 299] {
        let member = member(object, &format!("k{n}")).unwrap();
        assert_eq!(tape.text(member), n.to_string());
        let element = tape.element(list, n).unwrap();
        assert_eq!(tape.text(element + 1), n.to_string());
    }
    assert_eq!(member(object, "k300"), None);
    assert_eq!(tape.element(list, 300), None);
    assert_eq!((tape.labels.len(), tape.elements.len()), (302, 300));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter("JSON has no such number", |f| f.is_finite())
            .prop_map(Value::from),
        "[ -~é😀\u{0}-\u{1f}]{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 96, 24, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..24).prop_map(Value::from),
            proptest::collection::vec(("[a-c\"\\\\]{0,4}", inner), 0..24)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Whatever one reader makes of a text the other makes too, digit for digit and member for member.
    #[test]
    fn both_readers_read_the_same(json in any_json(), pretty in any::<bool>()) {
        let text = if pretty {
            serde_json::to_string_pretty(&json).unwrap()
        } else {
            json.to_string()
        };
        prop_assert_eq!(value(&text).map(|v| v.to_string()), Some(json.to_string()));
    }

    /// What is nearly JSON: the tape reads nothing that the reader refuses, and gives up only for a reason.
    #[test]
    fn both_readers_refuse_the_same(text in r#"(\{"[ab]":|\["|[\[\]{},:"\\ntrue fals0-9.eE+\-u]){0,12}"#) {
        let read = parse_json(text.as_bytes()).ok();
        match value(&text) {
            Some(tape) => prop_assert_eq!(Some(tape.to_string()), read.map(|v| v.to_string())),
            None => {
                let has_reason = text.contains(['{', 'u', 'e', 'E']);
                prop_assert!(read.is_none() || has_reason);
            }
        }
    }

    /// Texts that were damaged in one place.
    #[test]
    fn both_readers_agree_on_damage(json in any_json(), at in any::<prop::sample::Index>(), with in any::<char>()) {
        let mut chars: Vec<char> = json.to_string().chars().collect();
        let at = at.index(chars.len());
        chars[at] = with;
        let text: String = chars.into_iter().collect();
        if let Some(tape) = value(&text) {
            let read = parse_json(text.as_bytes()).ok();
            prop_assert_eq!(Some(tape.to_string()), read.map(|v| v.to_string()));
        }
    }
}
