//! §8: triggers.

use hubferry_mapping::{Trigger, TriggerDialect, TriggerFaultKind};
use serde_json::{Value, json};

fn reference(text: &str, event: &Value) -> Option<bool> {
    let trigger = Trigger::parse(text, TriggerDialect::Reference).ok()?;
    Some(trigger.matches(event))
}

fn fql(text: &str, event: &Value) -> Option<bool> {
    let trigger = Trigger::parse(text, TriggerDialect::Fql).ok()?;
    Some(trigger.matches(event))
}

#[test]
fn s8_1_forms_and_fields() {
    let event = json!({
        "type": "track", "event": "Order", "name": "N", "userId": "u",
        "properties": {"n": 5, "neg": -1.5, "t": true, "off": false, "nothing": null, "s": "abc", "a b": 1, "x": {"y": {"z": "deep"}}, "e@m": 1, "k-_9": 1},
        "traits": {"p": "v"}, "context": {"c": {"d": "w"}},
    });
    for text in [
        "type = \"track\"",
        "type != \"page\"",
        "properties.n = 5",
        "properties.n != 6",
        "properties.n = 5.0",
        "properties.n = +5",
        "properties.neg = -1.5",
        "properties.n < 6",
        "properties.n <= 5",
        "properties.n > 4",
        "properties.n >= 5",
        "properties.t = true",
        "properties.off = false",
        "properties.no = null",
        "properties.nothing = null",
        "properties.n != null",
        "contains(event, \"rde\")",
        "!contains(event, \"x\")",
        "match(event, \"Ord*\")",
        "match(event, \"*der\")",
        "!match(event, \"x*\")",
        "(type = \"track\")",
        "type = \"track\" and event = \"Order\"",
        "type = \"page\" or event = \"Order\"",
        "\n\ttype\t=\n\"track\"  ",
        "name = \"N\"",
        "userId = \"u\"",
        "traits.p = \"v\"",
        "context.c.d = \"w\"",
        "properties.x.y.z = \"deep\"",
        "properties.a\\ b = 1",
        "properties.e\\@m = 1",
        "properties.k-_9 = 1",
        "contains(traits.p, \"v\")",
        "match(context.c.d, \"w*\")",
        "contains(userId, \"u\")",
        "contains(name, \"N\")",
        "type = track",
    ] {
        assert_eq!(reference(text, &event), Some(true), "{text}");
    }
    // A string ends at the next quote, list elements and keys with dots have no address.
    let lists = json!({"type": "a\\", "properties": {"l": ["x"], "a.b": 1}});
    assert_eq!(reference("type = \"a\\\"", &lists), Some(true));
    assert_eq!(reference("properties.a\\.b = 1", &lists), Some(false));
}

/// The table of §8.2: one row per test, one column per value: missing, null, text, number, boolean, list, object.
#[test]
fn s8_2_every_test_on_every_value() {
    let values = |text: &Value| {
        [
            None,
            Some(json!(null)),
            Some(text.clone()),
            Some(json!(5)),
            Some(json!(true)),
            Some(json!(["x"])),
            Some(json!({"x": 1})),
        ]
    };
    let (no, yes) = (false, true);
    let rows: [(&str, Value, [bool; 7]); 28] = [
        (
            "properties.f = \"x\"",
            json!("x"),
            [no, no, yes, no, no, no, no],
        ),
        (
            "properties.f != \"x\"",
            json!("x"),
            [yes, yes, no, yes, yes, yes, yes],
        ),
        (
            "properties.f != \"x\"",
            json!("y"),
            [yes, yes, yes, yes, yes, yes, yes],
        ),
        (
            "properties.f = 5",
            json!("5"),
            [no, no, no, yes, no, no, no],
        ),
        (
            "properties.f != 5",
            json!("5"),
            [no, no, no, no, no, no, no],
        ),
        (
            "properties.f != 6",
            json!("5"),
            [no, no, no, yes, no, no, no],
        ),
        (
            "properties.f < 6",
            json!("5"),
            [no, no, no, yes, no, no, no],
        ),
        (
            "properties.f <= 5",
            json!("5"),
            [no, no, no, yes, no, no, no],
        ),
        (
            "properties.f > 4",
            json!("5"),
            [no, no, no, yes, no, no, no],
        ),
        (
            "properties.f >= 6",
            json!("5"),
            [no, no, no, no, no, no, no],
        ),
        (
            "properties.f > \"4\"",
            json!("5"),
            [no, no, no, yes, no, no, no],
        ),
        (
            "properties.f = true",
            json!("true"),
            [no, no, no, no, yes, no, no],
        ),
        (
            "properties.f != true",
            json!("true"),
            [yes, yes, no, yes, yes, yes, yes],
        ),
        (
            "properties.f != true",
            json!("x"),
            [yes, yes, yes, yes, yes, yes, yes],
        ),
        (
            "properties.f != false",
            json!("false"),
            [yes, yes, no, yes, yes, yes, yes],
        ),
        (
            "properties.f = null",
            json!(""),
            [yes, yes, no, no, no, no, no],
        ),
        (
            "properties.f != null",
            json!(""),
            [no, no, yes, yes, yes, yes, yes],
        ),
        (
            "contains(properties.f, \"\")",
            json!("abc"),
            [no, no, yes, no, no, no, no],
        ),
        (
            "!contains(properties.f, \"z\")",
            json!("abc"),
            [no, no, yes, no, no, no, no],
        ),
        (
            "contains(properties.f, \"B\")",
            json!("abc"),
            [no, no, no, no, no, no, no],
        ),
        (
            "match(properties.f, \"a*\")",
            json!("abc"),
            [no, no, yes, no, no, no, no],
        ),
        (
            "!match(properties.f, \"z*\")",
            json!("abc"),
            [no, no, yes, no, no, no, no],
        ),
        (
            "match(properties.f, \"*c\")",
            json!("abc"),
            [no, no, yes, no, no, no, no],
        ),
        (
            "!match(properties.f, \"*z\")",
            json!("abc"),
            [no, no, yes, no, no, no, no],
        ),
        (
            "match(properties.f, \"z*\")",
            json!("abc"),
            [no, no, no, no, no, no, no],
        ),
        (
            "!contains(properties.f, \"b\")",
            json!("abc"),
            [no, no, no, no, no, no, no],
        ),
        (
            "properties.f = false",
            json!("false"),
            [no, no, no, no, no, no, no],
        ),
        (
            "properties.f >= \"5\"",
            json!("5"),
            [no, no, no, yes, no, no, no],
        ),
    ];
    for (test, text, expected) in rows {
        let found = values(&text).map(|value| {
            let properties = match value {
                None => json!({}),
                Some(value) => json!({ "f": value }),
            };
            reference(test, &json!({ "properties": properties })).unwrap()
        });
        assert_eq!(found, expected, "{test} with the text {text}");
    }
    let zero = json!({"properties": {"z": 0, "f": false}});
    assert_eq!(reference("properties.z != null", &zero), Some(true));
    assert_eq!(reference("properties.f != null", &zero), Some(true));
}

#[test]
fn s8_2_special_fields_and_patterns() {
    let event = json!({"type": "track", "event": "5", "userId": null, "properties": {"z": 0, "m": "*mid-end"}});
    for (text, expected) in [
        ("event = 5", true),
        ("event != null", true),
        ("type != null", true),
        ("event = null", false),
        ("userId = null", true),
        ("userId != null", false),
        ("name = null", true),
        ("name != null", false),
        ("properties.z.q = 0", true),
        ("type = track", true),
        ("match(properties.m, \"*mid*\")", true),
        ("match(properties.m, \"xend\")", true),
    ] {
        assert_eq!(reference(text, &event), Some(expected), "{text}");
    }
    let numeric = json!({"type": 5, "event": 5, "userId": true});
    assert_eq!(reference("event = 5", &numeric), Some(false));
    assert_eq!(reference("userId = true", &numeric), Some(true));
    let completed = json!({"event": "Order Completed"});
    assert_eq!(
        reference("match(event,\"Completed\")", &completed),
        Some(true)
    );
    assert_eq!(
        reference("match(event,\"Xompleted\")", &completed),
        Some(true)
    );
    assert_eq!(reference("event != null", &json!({})), Some(true));
}

/// The table of §8.3: the text, an event, the reference's answer, ours; nothing is a text that does not parse.
#[test]
fn s8_3_defects_of_the_reference() {
    let event = json!({
        "type": "track", "groupId": "g",
        "properties": {"a": 1, "b": 0, "c": 1, "price": 10, "or": 1, "and": 1, "null": 1, "1st": 1, "arr": [7]},
    });
    let (a, b, c) = ("properties.a = 1", "properties.b = 1", "properties.c = 1");
    let rows: Vec<(String, Option<bool>, Option<bool>)> = vec![
        (format!("{b} and {b} or {c}"), Some(true), Some(true)),
        (format!("{a} or {a} and {b}"), Some(false), Some(true)),
        (format!("{c} or {b} and {b}"), Some(false), Some(true)),
        (format!("!({a})"), Some(true), Some(false)),
        ("!type = \"track\"".into(), Some(true), Some(false)),
        (
            "type = \"track\" and groupId = \"z\"".into(),
            Some(true),
            Some(false),
        ),
        (
            "type = \"track\" and contains(type,\"z\")".into(),
            Some(true),
            Some(false),
        ),
        (
            "type = \"track\" and match(type,\"z*\")".into(),
            Some(true),
            Some(false),
        ),
        ("type = 'track'".into(), Some(false), Some(true)),
        (format!("{a} AND {b}"), Some(false), None),
        (format!("{a} {c}"), Some(true), None),
        ("type == \"track\"".into(), Some(false), None),
        (format!("(({a}))"), None, Some(true)),
        ("properties.price>=10".into(), None, Some(true)),
        ("properties.price!=10".into(), None, Some(false)),
        ("properties.price=10".into(), Some(true), Some(true)),
        (format!("{a} and"), Some(true), None),
        (format!("{a} or"), Some(true), None),
        (format!("{a})"), Some(true), None),
        (format!("{a} word"), Some(true), None),
        ("typeof(properties.a) = \"number\"".into(), None, Some(true)),
        ("length(properties.arr) = 1".into(), None, Some(true)),
        ("lowercase(type) = \"track\"".into(), None, Some(true)),
        ("".into(), None, None),
        ("  \n".into(), None, None),
        ("word".into(), None, None),
    ];
    for (text, in_reference, in_fql) in rows {
        assert_eq!(
            reference(&text, &event),
            in_reference,
            "{text} as the reference"
        );
        assert_eq!(fql(&text, &event), in_fql, "{text} as fql");
    }
    for text in [
        "properties.or = 1",
        "properties.and = 1",
        "properties.null = 1",
        "properties.1st = 1",
        "properties.arr[0] = 7",
        "type in [\"track\"]",
        "match(type, \"t?ack\")",
        "match(type, \"[s-u]rack\")",
    ] {
        assert_ne!(
            reference(text, &event),
            Some(true),
            "{text} as the reference"
        );
        assert_eq!(fql(text, &event), Some(true), "{text} as fql");
    }
}

#[test]
fn s8_4_invalid_triggers_are_refused_when_loaded() {
    for text in ["", " ", "word", "type", "type =", "(type = \"a\""] {
        let fault = Trigger::parse_checked(text).unwrap_err();
        assert!(!fault.message.is_empty(), "{text}");
    }
    assert_eq!(
        Trigger::parse_checked("word").unwrap_err().kind,
        TriggerFaultKind::Invalid
    );
}

#[test]
fn s8_5_the_full_language() {
    let event = json!({
        "type": "track", "groupId": "g", "zzz": "top",
        "properties": {"n": 5, "s": "Hello World", "t": true, "l": ["a", 1], "e": "", "num": "7", "q": "it's", "c": "orderCompleted"},
    });
    for (text, expected) in [
        ("!type = 'page' and properties.n > 4 or type = 'x'", true),
        (
            "type = 'x' or type = 'track' and !(properties.n = 5)",
            false,
        ),
        (
            "((type = 'track' and (properties.n = 5 or (properties.n = 6))))",
            true,
        ),
        ("properties.q = 'it\\'s'", true),
        ("properties.q = \"it's\"", true),
        ("groupId = 'g' and zzz = 'top'", true),
        ("type in ['page', 'track']", true),
        ("'a' in properties.l", true),
        ("properties.n in [1, 2]", false),
        ("contains(properties.s, 'World')", true),
        ("match(properties.s, 'H?llo*')", true),
        ("match(properties.s, '[GH]ello *')", true),
        ("match(properties.s, '[A-G]ello *')", false),
        ("match(properties.s, 'Hello\\\\ World')", true),
        ("length(properties.s) = 11", true),
        ("length(properties.l) = 2", true),
        ("lowercase(properties.s) = 'hello world'", true),
        ("uppercase(properties.s) = 'HELLO WORLD'", true),
        ("snakecase(properties.c) = 'order_completed'", true),
        ("kebabcase(properties.c) = 'order-completed'", true),
        ("titlecase(properties.s) = 'Hello World'", true),
        ("typeof(properties.l) = 'list'", true),
        ("bool(properties.t) = true", true),
        ("string(properties.n) = '5'", true),
        ("number(properties.num) = 7", true),
        ("length(null) = 0", true),
        ("length(properties.no) = 0", true),
        ("contains(properties.no, 'x')", false),
        ("contains(null, 'x')", false),
        ("!contains(null, 'x')", true),
        ("!contains(properties.no, 'x')", true),
        ("properties.n = '5'", false),
        ("properties.n != '5'", true),
        ("properties.n > '4'", false),
        ("properties.s < 5", false),
    ] {
        assert_eq!(fql(text, &event), Some(expected), "{text}");
    }
}

#[test]
fn s8_5_h_two_readings_are_refused_with_both() {
    for text in [
        "type = \"a\" and event = \"b\" or name = \"c\"",
        "!(type = \"track\")",
        "type = \"track\" and groupId = \"z\"",
        "type = 'track'",
        "type = \"a\" AND event = \"b\"",
        "type == \"track\"",
        "((type = \"a\"))",
        "properties.price>=10",
        "type = \"a\" and",
        "length(properties.l) = 1",
    ] {
        let fault = Trigger::parse_checked(text).unwrap_err();
        assert!(
            matches!(fault.kind, TriggerFaultKind::Ambiguous { .. }),
            "{text}"
        );
        // Whoever names the dialect gets its reading.
        let named = [TriggerDialect::Reference, TriggerDialect::Fql]
            .into_iter()
            .filter(|dialect| Trigger::parse(text, *dialect).is_ok());
        assert!(named.count() >= 1, "{text}");
    }
    let fault = Trigger::parse_checked("type = 'track'").unwrap_err();
    assert!(fault.message.contains("\"track\""), "{}", fault.message);
    // What the reference's editor writes has one reading.
    for text in [
        "type = \"track\"",
        "type = \"track\" and event = \"A\" and properties.n >= 5",
        "type = \"track\" and (event = \"A\" or event = \"B\")",
        "(type = \"a\" or type = \"b\") and (event = \"x\" or name != null)",
    ] {
        assert!(Trigger::parse_checked(text).is_ok(), "{text}");
    }
}

#[test]
fn s8_6_examples() {
    let event = json!({
        "type": "track", "event": "Order Completed",
        "properties": {"price": 10, "s": "10", "t": true, "n": null, "a b": "v"},
    });
    for (text, expected) in [
        ("type = \"track\" and event = \"Order Completed\"", true),
        ("type = \"identify\" or type = \"track\"", true),
        ("properties.price >= 10", true),
        ("properties.s >= 10", false),
        ("properties.price = 10", true),
        ("properties.price = \"10\"", false),
        ("properties.s = \"10\"", true),
        ("properties.t = true", true),
        ("properties.t = \"true\"", false),
        ("properties.n = null", true),
        ("properties.zz != null", false),
        ("properties.zz != \"x\"", true),
        ("properties.zz != 5", false),
        ("properties.a\\ b = \"v\"", true),
        ("match(event, \"Order*\")", true),
        ("match(event, \"*Completed\")", true),
        ("contains(event, \"order\")", false),
        ("!contains(properties.zz, \"x\")", false),
        (
            "type = \"track\" and (event = \"X\" or event = \"Order Completed\")",
            true,
        ),
    ] {
        assert_eq!(reference(text, &event), Some(expected), "{text}");
    }
}
