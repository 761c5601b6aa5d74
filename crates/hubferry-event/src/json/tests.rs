use proptest::prelude::*;
use serde_json::json;

use super::*;

fn fault(text: &str) -> String {
    parse_json(text.as_bytes()).unwrap_err().to_string()
}

fn nested(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

#[test]
fn values_are_read() {
    let cases = [
        (
            r#" {"a":[1,true,false,null,"x",{}],"b":{}} "#,
            json!({"a": [1, true, false, null, "x", {}], "b": {}}),
        ),
        (r#""\"\\\/\b\f\n\r\t""#, json!("\"\\/\u{8}\u{c}\n\r\t")),
        (r#""a\u00e9\u0000b""#, json!("aé\u{0}b")),
        (r#""\ud83d\ude00""#, json!("😀")),
        (r#"{"a":1,"b":2,"a":3}"#, json!({"a": 3, "b": 2})),
        ("[]", json!([])),
        ("-0.5", json!(-0.5)),
        ("\"\u{7f}\u{2028}\"", json!("\u{7f}\u{2028}")),
    ];
    for (text, expected) in cases {
        assert_eq!(parse_json(text.as_bytes()), Ok(expected), "{text}");
    }
}

#[test]
fn numbers_keep_their_digits() {
    for text in [
        "12345678901234567890",
        "-98765432109876543210987654321",
        "0.1234567890123456789012345",
        "9007199254740993",
        "1.50",
        "-0",
        "-0.0",
        "10",
    ] {
        assert_eq!(parse_json(text.as_bytes()).unwrap().to_string(), text);
    }
}

#[test]
fn the_key_that_serde_json_reserves_is_a_key() {
    let text = r#"{"$serde_json::private::Number":"no number"}"#;
    assert_eq!(parse_json(text.as_bytes()).unwrap().to_string(), text);
}

#[test]
fn lone_surrogates_are_replaced_and_counted() {
    let cases = [
        (r#""\ud800""#, "\u{fffd}", 1),
        (r#""\udc00x""#, "\u{fffd}x", 1),
        (r#""\ud800\ud800""#, "\u{fffd}\u{fffd}", 2),
        (r#""\ud800\ud83d\ude00""#, "\u{fffd}😀", 1),
        (r#""\ud800\n""#, "\u{fffd}\n", 1),
        (r#""\ud800A""#, "\u{fffd}A", 1),
    ];
    for (text, expected, count) in cases {
        let mut reader = Reader::over(text);
        assert_eq!(reader.value().ok(), Some(json!(expected)), "{text}");
        assert_eq!(reader.replaced(), count, "{text}");
    }
}

#[test]
fn faults_name_their_place() {
    let cases = [
        (
            "",
            "the text ends where a value should stand at byte 0, in $",
        ),
        ("nul", "expected a value at byte 0, in $"),
        ("{} {}", "expected the end of the text at byte 3, in $"),
        (
            r#"{"a":{"b":[1,2,x]}}"#,
            "expected a value at byte 15, in $.a.b[2]",
        ),
        (r#"{"a":1"#, "expected `,` or `}` at byte 6, in $"),
        (r#"{"a" 1}"#, "expected `:` at byte 5, in $"),
        (r#"{a:1}"#, "expected a key in quotes at byte 1, in $"),
        (r#"{"a":1,}"#, "expected a key in quotes at byte 7, in $"),
        (r#"{"a":[1 2]}"#, "expected `,` or `]` at byte 8, in $.a"),
        (
            r#"{"a":"x"#,
            "the text ends inside a string at byte 7, in $.a",
        ),
        (
            "{\"a\":\"\n\"}",
            "a control character must be escaped in a string at byte 6, in $.a",
        ),
        (
            r#"{"a":"\x"}"#,
            "unknown escape in a string at byte 7, in $.a",
        ),
        (
            r#"{"a":"\u12"}"#,
            "expected four hexadecimal digits after `\\u` at byte 8, in $.a",
        ),
        ("01", "expected the end of the text at byte 1, in $"),
        ("-", "expected a digit at byte 1, in $"),
        (
            "1.",
            "expected a digit after the decimal point at byte 2, in $",
        ),
        ("1e+", "expected a digit in the exponent at byte 3, in $"),
        (
            r#"{"j@x.co":{"b c":?}}"#,
            "expected a value at byte 17, in $[***].b c",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(fault(text), expected, "{text}");
    }
}

#[test]
fn bytes_that_are_no_text_are_named() {
    let malformed = parse_json(b"{\"a\":\"\xff\"}").unwrap_err();
    assert_eq!(malformed.code, MalformedCode::ParseError);
    assert_eq!(malformed.message(), "the bytes are not UTF-8 from byte 6");
}

#[test]
fn the_129th_level_is_too_deep() {
    assert!(parse_json(nested(128).as_bytes()).is_ok());
    let malformed = parse_json(nested(129).as_bytes()).unwrap_err();
    assert_eq!(malformed.code, MalformedCode::TooDeep);
    assert_eq!(
        malformed.message(),
        "more than 128 levels of nesting at byte 128, in $[0][0][0][0][0][0][0][0] and 120 levels deeper"
    );
    let hostile = "[".repeat(1_000_000);
    assert_eq!(
        parse_json(hostile.as_bytes()).unwrap_err().code,
        MalformedCode::TooDeep
    );
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter("JSON has no such number", |f| f.is_finite())
            .prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(value in any_json()) {
        prop_assert_eq!(parse_json(value.to_string().as_bytes()), Ok(value.clone()));
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        prop_assert_eq!(parse_json(pretty.as_bytes()), Ok(value));
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _read = parse_json(&bytes);
    }

    /// The same language as serde_json's: texts that are nearly JSON are accepted by both or by none.
    #[test]
    fn another_reader_agrees(text in r#"[\[\]{},:"\\ntrue fals0-9.eE+\-]{0,12}"#) {
        let other = serde_json::from_str::<Value>(&text).ok();
        prop_assert_eq!(parse_json(text.as_bytes()).ok(), other);
    }
}
