use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::as_read::as_read;

fn trigger(text: &str) -> Trigger {
    Trigger::parse(text, TriggerDialect::Reference)
        .unwrap_or_else(|fault| panic!("{text}: {fault}"))
}

fn fql(text: &str) -> Trigger {
    Trigger::parse(text, TriggerDialect::Fql).unwrap_or_else(|fault| panic!("{text}: {fault}"))
}

fn matches(text: &str, event: &Value) -> bool {
    decide(&trigger(text), event)
}

/// The trigger's answer, which is the same for what was read from a message.
fn decide(trigger: &Trigger, event: &Value) -> bool {
    if let Some((whole, read)) = as_read(event) {
        assert_eq!(
            trigger.matches(&whole),
            trigger.matches(&read),
            "{trigger} on {whole}"
        );
        assert_eq!(
            trigger.explain(&whole),
            trigger.explain(&read),
            "{trigger} on {whole}"
        );
    }
    trigger.matches(event)
}

#[test]
fn examples_in_both_dialects() {
    let event = json!({
        "type": "track", "event": "Order Completed",
        "properties": {"price": 10, "s": "10", "t": true, "n": null, "a b": "v"},
    });
    for (text, expected) in [
        (r#"type = "track" and event = "Order Completed""#, true),
        (r#"type = "identify" or type = "track""#, true),
        ("properties.price >= 10", true),
        ("properties.s >= 10", false),
        ("properties.price = 10", true),
        (r#"properties.price = "10""#, false),
        (r#"properties.s = "10""#, true),
        ("properties.t = true", true),
        (r#"properties.t = "true""#, false),
        ("properties.n = null", true),
        ("properties.zz != null", false),
        (r#"properties.zz != "x""#, true),
        ("properties.zz != 5", false),
        (r#"properties.a\ b = "v""#, true),
        (r#"match(event, "Order*")"#, true),
        (r#"match(event, "*Completed")"#, true),
        (r#"contains(event, "order")"#, false),
        (r#"!contains(properties.zz, "x")"#, false),
        (
            r#"type = "track" and (event = "X" or event = "Order Completed")"#,
            true,
        ),
    ] {
        assert_eq!(matches(text, &event), expected, "{text}");
        let checked = Trigger::parse_checked(text).unwrap();
        assert_eq!(checked, trigger(text), "{text}");
        // The full language is null tolerant: what a missing value does not contain, it does not contain.
        let null_tolerant = ["properties.zz != 5", r#"!contains(properties.zz, "x")"#];
        let expected = expected || null_tolerant.contains(&text);
        assert_eq!(decide(&fql(text), &event), expected, "{text} as fql");
    }
}

/// The columns of the evaluation table: missing, null, text, number, boolean, list, object.
fn row(test: &str, text: &Value) -> Vec<bool> {
    let trigger = trigger(test);
    let values = [
        json!(null),
        text.clone(),
        json!(5),
        json!(true),
        json!(["x"]),
        json!({"x": 1}),
    ];
    let missing = decide(&trigger, &json!({"properties": {}}));
    std::iter::once(missing)
        .chain(
            values
                .iter()
                .map(|value| decide(&trigger, &json!({"properties": {"f": value}}))),
        )
        .collect()
}

#[test]
fn every_test_on_every_kind_of_value() {
    let (t, f) = (true, false);
    for (test, text, expected) in [
        (r#"properties.f = "x""#, "x", [f, f, t, f, f, f, f]),
        (r#"properties.f = "x""#, "y", [f; 7]),
        (r#"properties.f != "x""#, "x", [t, t, f, t, t, t, t]),
        (r#"properties.f != "x""#, "y", [t; 7]),
        ("properties.f = 5", "5", [f, f, f, t, f, f, f]),
        ("properties.f = 6", "6", [f; 7]),
        ("properties.f != 5", "5", [f; 7]),
        ("properties.f != 6", "5", [f, f, f, t, f, f, f]),
        ("properties.f < 6", "5", [f, f, f, t, f, f, f]),
        ("properties.f < 5", "4", [f; 7]),
        ("properties.f <= 5", "5", [f, f, f, t, f, f, f]),
        ("properties.f > 4", "5", [f, f, f, t, f, f, f]),
        ("properties.f > 5", "6", [f; 7]),
        ("properties.f >= 5.0", "5", [f, f, f, t, f, f, f]),
        (r#"properties.f > "4""#, "5", [f, f, f, t, f, f, f]),
        (r#"properties.f > "5""#, "6", [f; 7]),
        ("properties.f = true", "true", [f, f, f, f, t, f, f]),
        ("properties.f = false", "false", [f; 7]),
        ("properties.f != true", "true", [t, t, f, t, t, t, t]),
        ("properties.f != true", "x", [t; 7]),
        ("properties.f != false", "false", [t, t, f, t, t, t, t]),
        ("properties.f = null", "x", [t, t, f, f, f, f, f]),
        ("properties.f != null", "", [f, f, t, t, t, t, t]),
        (
            r#"contains(properties.f, "x")"#,
            "axb",
            [f, f, t, f, f, f, f],
        ),
        (r#"contains(properties.f, "X")"#, "axb", [f; 7]),
        (r#"contains(properties.f, "")"#, "", [f, f, t, f, f, f, f]),
        (r#"!contains(properties.f, "x")"#, "axb", [f; 7]),
        (
            r#"!contains(properties.f, "x")"#,
            "a",
            [f, f, t, f, f, f, f],
        ),
        (r#"match(properties.f, "x*")"#, "xa", [f, f, t, f, f, f, f]),
        (r#"match(properties.f, "x*")"#, "ax", [f; 7]),
        (r#"match(properties.f, "*x")"#, "ax", [f, f, t, f, f, f, f]),
        (r#"match(properties.f, "*x")"#, "xa", [f; 7]),
        (r#"!match(properties.f, "x*")"#, "xa", [f; 7]),
        (r#"!match(properties.f, "x*")"#, "a", [f, f, t, f, f, f, f]),
        (r#"!match(properties.f, "*x")"#, "a", [f, f, t, f, f, f, f]),
        (
            r#"match(properties.f, "Completed")"#,
            "Not ompleted",
            [f, f, t, f, f, f, f],
        ),
        (
            r#"match(properties.f, "*mid*")"#,
            "*mid and more",
            [f, f, t, f, f, f, f],
        ),
        (r#"match(properties.f, "*mid*")"#, "a mid b", [f; 7]),
        (r#"match(properties.f, "")"#, "a", [f, f, t, f, f, f, f]),
        (r#"match(properties.f, "*")"#, "a", [f, f, t, f, f, f, f]),
    ] {
        assert_eq!(row(test, &json!(text)), expected, "{test} on {text:?}");
    }
}

#[test]
fn fields_have_their_own_rules() {
    for (text, event, expected) in [
        ("event = 5", json!({"event": "5"}), true),
        ("event = 5", json!({"event": 5}), false),
        ("event = true", json!({"event": "true"}), true),
        ("type = track", json!({"type": "track"}), true),
        ("type=\"track\"", json!({"type": "track"}), true),
        ("type != \"track\"", json!({}), true),
        ("event != null", json!({}), true),
        ("event != null", json!({"event": "null"}), false),
        ("event = null", json!({}), false),
        ("userId = null", json!({"userId": null}), true),
        ("userId != null", json!({"userId": "u"}), true),
        ("userId != null", json!({}), false),
        ("userId = true", json!({"userId": true}), true),
        ("userId = \"5\"", json!({"userId": 5}), false),
        ("name = null", json!({}), true),
        ("name != null", json!({"name": "n"}), true),
        ("name = \"n\"", json!({"name": "n"}), true),
        ("contains(userId, \"u\")", json!({"userId": "u1"}), true),
        ("match(name, \"n*\")", json!({"name": "nn"}), true),
        ("traits.a.b = 1", json!({"traits": {"a": {"b": 1.0}}}), true),
        (
            "context.traits.email != null",
            json!({"context": {"traits": {"email": "e"}}}),
            true,
        ),
        ("properties.z.q = 0", json!({"properties": {"z": 0}}), true),
        (
            "properties.z.q = null",
            json!({"properties": {"z": null}}),
            true,
        ),
        (
            "properties.e.q = \"\"",
            json!({"properties": {"e": ""}}),
            true,
        ),
        (
            "properties.s.q = null",
            json!({"properties": {"s": "text"}}),
            true,
        ),
        (
            "properties.s.length = 4",
            json!({"properties": {"s": "text"}}),
            true,
        ),
        ("properties.p = null", json!({"properties": "text"}), true),
        ("properties.p = null", json!([1]), true),
        (
            "properties.p = -1.5",
            json!({"properties": {"p": -1.5}}),
            true,
        ),
        ("properties.p = +3", json!({"properties": {"p": 3}}), true),
        (
            "properties.\\$p\\[x\\] = 1",
            json!({"properties": {"$p": {"x": 1}}}),
            true,
        ),
        (
            "properties.a_b-c = 1",
            json!({"properties": {"a_b-c": 1}}),
            true,
        ),
        ("event = \"a\\\"", json!({"event": "a\\"}), true),
        ("\t type = \"a\"\n", json!({"type": "a"}), true),
        ("(type = \"a\")", json!({"type": "a"}), true),
        (
            "(type = \"a\" and name = \"b\") or (type = \"c\")",
            json!({"type": "c"}),
            true,
        ),
        ("contains( event ,\"a\" )", json!({"event": "a"}), true),
    ] {
        assert_eq!(matches(text, &event), expected, "{text} on {event}");
    }
}

/// What the reference makes of texts that it does not understand as written, as observed by running it.
#[test]
fn the_reference_dialect_keeps_every_misreading() {
    let track =
        json!({"type": "track", "event": "b", "name": "c", "properties": {"price": 12, "a": 5}});
    for (text, read_as, on_track) in [
        // One list, joined by the operator written last.
        (
            r#"type = "x" and event = "b" or name = "c""#,
            r#"type = "x" or event = "b" or name = "c""#,
            true,
        ),
        (
            r#"type = "track" or event = "x" and name = "x""#,
            r#"type = "track" and event = "x" and name = "x""#,
            false,
        ),
        // `!` counts only before contains and match.
        (r#"!(type = "track")"#, r#"type = "track""#, true),
        (r#"!type = "track""#, r#"type = "track""#, true),
        // Unknown fields vanish, with functions about them.
        (
            r#"type = "track" and groupId = "z""#,
            r#"type = "track""#,
            true,
        ),
        (
            r#"type = "track" and contains(type, "z")"#,
            r#"type = "track""#,
            true,
        ),
        (
            r#"type = "track" and match(groupId, "z*")"#,
            r#"type = "track""#,
            true,
        ),
        // Single quotes belong to the text.
        ("type = 'track'", r#"type = "'track'""#, false),
        // Two tests without an operator, or with one in capitals.
        (
            r#"type = "track" event = "x""#,
            r#"type = "track" and event = "x""#,
            false,
        ),
        (
            r#"type = "track" AND event = "b""#,
            r#"type = "track" and event = "b""#,
            true,
        ),
        (
            r#"type = "x" OR event = "b""#,
            r#"type = "x" and event = "b""#,
            false,
        ),
        // The second sign is the value.
        (r#"type == "track""#, r#"type = "=""#, false),
        ("properties.price >=10", r#"properties.price > "=""#, false),
        ("properties.price =10", "properties.price = 10", false),
        // Keys that the scanner takes for something else.
        ("properties.or = 1", "never true", false),
        ("properties.and = 1", "never true", false),
        ("properties.null = 1", "never true", false),
        ("properties.0a = 1", "never true", false),
        // What stands behind a complete test is passed over.
        (r#"type = "track" and"#, r#"type = "track""#, true),
        (r#"type = "track" or"#, r#"type = "track""#, true),
        (r#"type = "track")"#, r#"type = "track""#, true),
        (r#"type = "track" "x" 5 ["#, r#"type = "track""#, true),
        // A missing value is the end itself.
        ("type =", r#"type = "eos""#, false),
        // Words as operators.
        ("event contains b", r#"contains(event, "b")"#, true),
        ("properties.a exists x", "properties.a != null", true),
        ("properties.a number_equals 5", "properties.a = 5", true),
        (
            "properties.a ends_with x",
            r#"match(properties.a, "*x")"#,
            false,
        ),
        // The group ends with the function in it.
        (
            r#"(contains(event, "x") or type = "track") and name = "x""#,
            r#"contains(event, "x") and type = "track" and name = "x""#,
            false,
        ),
        // Words are cut at the end of the text.
        ("type = an", r#"type = "a""#, false),
        ("type = nul", r#"type = "n""#, false),
        // A quote that no blank follows opens the next text.
        (
            r#"type = "track"and event = "x""#,
            r#"type = "track""#,
            true,
        ),
        // Only the first key of these counts.
        (r#"type.anything = "track""#, r#"type = "track""#, true),
        (
            r#"contains(propertiesX, "x")"#,
            r#"contains(properties.propertiesX, "x")"#,
            false,
        ),
        (r#"match(event, "b")"#, r#"match(event, "*")"#, true),
        (r#"match(event, "*b*")"#, r#"match(event, "\\*b*")"#, false),
        ("event = 5", r#"event = "5""#, false),
        ("event != null", r#"event != "null""#, true),
        ("properties.a > true", "properties.a > true", true),
        ("properties.a = -", "properties.a = NaN", false),
        (r"properties.a\.b = 1", "properties.a.b = 1", false),
    ] {
        let read = trigger(text);
        assert_eq!(read.to_string(), read_as, "{text}");
        assert_eq!(read.matches(&track), on_track, "{text}");
    }
}

#[test]
fn what_the_reference_cannot_parse_is_refused_in_its_dialect() {
    for text in [
        "",
        " \n",
        "nonsense",
        "((type = \"a\"))",
        "type = \"a\" and (event = \"b\" and (name = \"c\"))",
        "(type = \"a\"",
        "()",
        "type = \"a\" and ()",
        "type",
        "type = \"a",
        "properties.price>=10",
        "properties.price !=10",
        "properties.arr[0] = 1",
        "length(event) = 5",
        "type = 'a\"",
        "type = \"é\" and é = 5",
        "event = 5.",
        "event = 1.2.3",
        "event = \\",
        "type\r= \"a\"",
        "type =! \"a\"",
        "contains(",
        "properties.\\. = 1",
    ] {
        let fault = Trigger::parse(text, TriggerDialect::Reference).unwrap_err();
        assert_eq!(fault.kind, TriggerFaultKind::Invalid, "{text}");
    }
    // `length` is no word that means something: the group behind it is read.
    assert_eq!(
        trigger("length(event = \"x\")").to_string(),
        "event = \"x\""
    );
}

#[test]
fn the_full_dialect_says_what_is_written() {
    let event = json!({
        "type": "track", "event": "Order Completed", "groupId": "z", "userId": null,
        "properties": {
            "price": 10, "s": "10", "t": true, "f": false, "n": null, "list": ["a", 5, null, {"k": 1}], "or": 1,
            "and": 2, "null": 3, "0a": 4, "a.b": 5, "a b": 6, "ns": " 7 ", "é": 8, "words": "HTTPServer isUp-now",
            "nested": {"l": [[1, 2]]},
        },
    });
    for (text, expected) in [
        // Precedence and nesting.
        (r#"type = "x" and event = "x" or groupId = "z""#, true),
        (r#"groupId = "z" or type = "x" and event = "x""#, true),
        (r#"(groupId = "z" or type = "x") and event = "x""#, false),
        (r#"((((type = "track"))))"#, true),
        (
            r#"type = "track" and (event = "x" or (groupId = "z" and (userId = null)))"#,
            true,
        ),
        // Negation.
        (r#"!(type = "track")"#, false),
        (r#"!type = "track""#, false),
        (r#"!type = "x""#, true),
        (r#"!!type = "track""#, true),
        (r#"!contains(event, "Order") or type = "track""#, true),
        (r#"!properties.t"#, false),
        ("!properties.nope", true),
        // Every field.
        (r#"groupId = "z""#, true),
        (r#"anonymousId = null"#, true),
        (r#"contains(type, "rac")"#, true),
        (
            "properties.or = 1 and properties.and = 2 and properties.null = 3",
            true,
        ),
        ("properties.0a = 4", true),
        (r"properties.a\.b = 5", true),
        (r"properties['a.b'] = 5", true),
        (r"properties.a\ b = 6", true),
        ("properties.é = 8", true),
        ("properties.list[0] = 'a'", true),
        ("properties.list[3].k = 1", true),
        ("properties.nested.l[0][1] = 2", true),
        ("properties.list[9] = null", true),
        ("properties.s.length = 2", false),
        ("properties.n.q = null", true),
        (
            r"\in = null and \0a = null and \-x = null and \true.x = null",
            true,
        ),
        // Blanks do not matter.
        ("properties.price>=10", true),
        ("properties.price!=10", false),
        ("  type\n=\t'track'\r\n", true),
        // Texts in both quotes, with escapes.
        ("type = 'track'", true),
        (r#"type = track"#, true),
        (r#"'a\'b' = "a'b""#, true),
        (r#""a\"b" = 'a"b'"#, true),
        (r#""\\" = '\\'"#, true),
        (r#""a\nb" = "a\tb""#, false),
        // Numbers.
        ("properties.price = +10.0", true),
        ("properties.price > -1.5", true),
        // Different types are not equal and have no order.
        (r#"properties.price = "10""#, false),
        (r#"properties.price != "10""#, true),
        (r#"properties.price < "11""#, false),
        (r#"properties.s > 5"#, false),
        (r#"properties.s > "05""#, true),
        ("properties.t = 'true'", false),
        ("properties.t != 'true'", true),
        ("properties.zz != 5", true),
        ("properties.zz < 5", false),
        ("properties.zz >= null", false),
        ("userId = null", true),
        ("userId != null", false),
        ("event != null", true),
        ("properties.price = properties.price", true),
        // Lists.
        ("type in ['identify', 'track']", true),
        ("type in [identify, track]", true),
        ("!(type in ['identify', 'group'])", true),
        ("'a' in properties.list", true),
        ("5 in properties.list", true),
        ("'5' in properties.list", false),
        ("null in properties.list", true),
        ("'blink' in properties.list", false),
        ("'a' in properties.nope", false),
        ("type in []", false),
        ("['a', 5] = ['a', 5.0]", true),
        ("['a', 5] = ['a']", false),
        // Functions.
        (r#"contains(event, "Order")"#, true),
        (r#"contains(event, "order")"#, false),
        (r#"contains(lowercase(event), "order")"#, true),
        (r#"contains(null, "x")"#, false),
        (r#"!contains(properties.zz, "x")"#, true),
        (r#"contains(properties.list, "a")"#, false),
        (r#"match(event, "Order*")"#, true),
        (r#"match(event, "*Completed")"#, true),
        (r#"match(event, "Completed")"#, false),
        (r#"match(event, "Order ?ompleted")"#, true),
        (r#"match(event, "Order [A-D]ompleted")"#, true),
        (r#"match('ab*d', 'ab\*d')"#, true),
        (r#"match('abxd', 'ab\*d')"#, false),
        (r#"match(event, event)"#, false),
        (r#"match(properties.s, properties.s)"#, true),
        (r#"match(properties.price, "1*")"#, false),
        (r#"!match(properties.zz, "x*")"#, true),
        ("length(event) = 15", true),
        ("length('ア') = 3", true),
        ("length(properties.list) = 4", true),
        ("length(null) = 0", true),
        ("length(userId) > 0", false),
        ("length(properties.price) = null", true),
        (r#"lowercase(event) = "order completed""#, true),
        (r#"uppercase(event) = "ORDER COMPLETED""#, true),
        (r#"uppercase("straße") = "STRASSE""#, true),
        ("lowercase(null) = null", true),
        ("lowercase(5) = null", true),
        (r#"snakecase(event) = "order_completed""#, true),
        (r#"kebabcase(event) = "order-completed""#, true),
        (
            r#"titlecase("order_completed now") = "Order Completed Now""#,
            true,
        ),
        (
            r#"snakecase(properties.words) = "http_server_is_up_now""#,
            true,
        ),
        ("snakecase(properties.nope) = null", true),
        (r#"typeof(event) = "string""#, true),
        (r#"typeof(properties.price) = "number""#, true),
        (r#"typeof(properties.list) = "list""#, true),
        (r#"typeof(properties.t) = "bool""#, true),
        (r#"typeof(properties.nope) = "null""#, true),
        (r#"typeof(properties) = "object""#, true),
        ("bool(properties.price)", true),
        ("bool(0)", false),
        ("bool('TRUE') and !bool('yes') and bool('1')", true),
        ("bool(null)", false),
        ("bool(properties.list)", false),
        (r#"string(properties.price) = "10""#, true),
        (r#"string(true) = "true""#, true),
        ("string(properties.list) = null", true),
        ("number(properties.s) = 10", true),
        ("number(properties.ns) = 7", true),
        ("number(true) = 1", true),
        ("number('') = null", true),
        ("number('x') = null", true),
        ("number(properties.s) >= properties.price", true),
        // A field or a function alone must be true itself.
        ("properties.t", true),
        ("properties.f", false),
        ("properties.s", false),
        ("properties.t and type = 'track'", true),
    ] {
        assert_eq!(decide(&fql(text), &event), expected, "{text}");
    }
}

#[test]
fn what_the_full_dialect_does_not_know_is_refused() {
    for (text, expected) in [
        (
            "",
            "at character 1: a test is missing, as in `type = \"track\"`",
        ),
        (
            " \n",
            "at character 3: a test is missing, as in `type = \"track\"`",
        ),
        (
            "nonsense",
            "at character 9: expected `=`, `!=`, `<`, `<=`, `>`, `>=` or `in`",
        ),
        (
            "type = 'a' AND type = 'b'",
            "at character 12: expected `and`, `or` or the end",
        ),
        (
            "type = 'a' type = 'b'",
            "at character 12: expected `and`, `or` or the end",
        ),
        (
            "type == 'a'",
            "at character 6: equality is written with one `=`",
        ),
        (
            "type = 'a' and",
            "at character 15: a test is missing, as in `type = \"track\"`",
        ),
        (
            "type = 'a')",
            "at character 11: expected `and`, `or` or the end",
        ),
        (
            "(type = 'a'",
            "at character 12: expected `and`, `or` or `)`",
        ),
        (
            "()",
            "at character 2: expected a field, a text in quotes, a number, true, false, null or a list",
        ),
        ("type =", "at character 7: a value is missing"),
        ("type = 'a", "at character 8: the text has no closing quote"),
        (
            "type = 5a",
            "at character 8: expected a number, as in 10 or -1.5; other texts stand in quotes",
        ),
        (
            "type = 1.2.3",
            "at character 8: expected a number, as in 10 or -1.5; other texts stand in quotes",
        ),
        ("a. = 1", "at character 3: a key must follow the dot"),
        (
            "a[x] = 1",
            "at character 3: expected a position or a key in quotes, then `]`",
        ),
        (
            "a\\",
            "at character 2: a character must follow the backslash",
        ),
        (
            "é€ = 1",
            "at character 2: `€` must be preceded by a backslash in a field's name",
        ),
        (
            "size(event) = 1",
            "at character 1: `size` is no function: there are contains, match, length, lowercase, uppercase, snakecase, kebabcase, titlecase, typeof, bool, string, number",
        ),
        (
            "contains(event)",
            "at character 1: `contains` takes 2 argument(s)",
        ),
        (
            "length(event, 'x') = 1",
            "at character 1: `length` takes 1 argument(s)",
        ),
        (
            "length(event)",
            "at character 14: expected `=`, `!=`, `<`, `<=`, `>`, `>=` or `in`",
        ),
        ("type in ['a' 'b']", "at character 14: expected `,` or `]`"),
        (
            "'a'",
            "at character 4: expected `=`, `!=`, `<`, `<=`, `>`, `>=` or `in`",
        ),
    ] {
        let fault = Trigger::parse(text, TriggerDialect::Fql).unwrap_err();
        assert_eq!(fault.to_string(), expected, "{text}");
    }
}

/// Without a dialect both must read the same; every row of the table of misreadings is refused.
#[test]
fn a_trigger_that_means_two_things_is_refused_with_both() {
    for (text, reference, full) in [
        (
            r#"type = "a" and type = "b" or type = "c""#,
            r#"`type = "a" or type = "b" or type = "c"`"#,
            r#"`(type = "a" and type = "b") or type = "c"`"#,
        ),
        (
            r#"type = "a" or type = "b" and type = "c""#,
            r#"`type = "a" and type = "b" and type = "c"`"#,
            r#"`type = "a" or (type = "b" and type = "c")`"#,
        ),
        (r#"!(type = "a")"#, r#"`type = "a"`"#, r#"`!(type = "a")`"#),
        (r#"!type = "a""#, r#"`type = "a"`"#, r#"`!(type = "a")`"#),
        (
            r#"type = "a" and groupId = "z""#,
            r#"`type = "a"`"#,
            r#"`type = "a" and groupId = "z"`"#,
        ),
        (
            r#"type = "a" and contains(type, "z")"#,
            r#"`type = "a"`"#,
            r#"`type = "a" and contains(type, "z")`"#,
        ),
        ("type = 'a'", r#"`type = "'a'"`"#, r#"`type = "a"`"#),
        (
            r#"type = "a" AND type = "b""#,
            r#"`type = "a" and type = "b"`"#,
            "nothing (at character 12: expected `and`, `or` or the end)",
        ),
        (
            r#"type = "a" type = "b""#,
            r#"`type = "a" and type = "b"`"#,
            "nothing (at character 12: expected `and`, `or` or the end)",
        ),
        (
            r#"type == "a""#,
            r#"`type = "="`"#,
            "nothing (at character 6: equality is written with one `=`)",
        ),
        (
            r#"((type = "a"))"#,
            "nothing (at character 1: the group has no end: groups in groups are not understood)",
            r#"`type = "a"`"#,
        ),
        (
            "properties.price>=10",
            "nothing (at character 16: `>` cannot follow a word)",
            "`properties.price >= 10`",
        ),
        (
            "properties.price >=10",
            r#"`properties.price > "="`"#,
            "`properties.price >= 10`",
        ),
        ("properties.or = 1", "`never true`", "`properties.or = 1`"),
        (
            r#"type = "a" and"#,
            r#"`type = "a"`"#,
            "nothing (at character 15: a test is missing, as in `type = \"track\"`)",
        ),
        (
            r#"type = "a")"#,
            r#"`type = "a"`"#,
            "nothing (at character 11: expected `and`, `or` or the end)",
        ),
        (
            "length(event) = 5",
            "nothing (at character 7: a value is missing behind the operator)",
            "`length(event) = 5`",
        ),
        (
            r#"match(event, "Done")"#,
            r#"`match(event, "*one")`"#,
            r#"`match(event, "Done")`"#,
        ),
        (
            r#"match(event, "*d?*")"#,
            r#"`match(event, "\\*d\\?*")`"#,
            r#"`match(event, "*d?*")`"#,
        ),
        ("event = 5", r#"`event = "5"`"#, "`event = 5`"),
        ("event != null", r#"`event != "null"`"#, "`event != null`"),
        (
            r"properties.a\.b = 1",
            "`properties.a.b = 1`",
            r"`properties.a\.b = 1`",
        ),
        (
            r#"event = "a\\b""#,
            r#"`event = "a\\\\b"`"#,
            r#"`event = "a\\b"`"#,
        ),
    ] {
        let fault = Trigger::parse_checked(text).unwrap_err();
        assert!(fault.is_ambiguous(), "{text}");
        let expected = TriggerFaultKind::Ambiguous {
            reference: reference.to_owned(),
            fql: full.to_owned(),
        };
        assert_eq!(fault.kind, expected, "{text}");
        let message = fault.to_string();
        assert!(
            message.contains(reference) && message.contains(full),
            "{message}"
        );
    }
}

#[test]
fn what_neither_dialect_reads_is_invalid() {
    for text in [
        "",
        "nonsense",
        "type",
        "(type = \"a\"",
        "type = \"a",
        "event = 5.",
    ] {
        let fault = Trigger::parse_checked(text).unwrap_err();
        assert_eq!(fault.kind, TriggerFaultKind::Invalid, "{text}");
    }
}

/// Whatever the reference's own editor can produce: one flat list, or one level of groups.
#[test]
fn what_the_editor_writes_means_one_thing() {
    for text in [
        r#"type = "track""#,
        r#"type = "track" and event = "Order Completed" and userId != null"#,
        r#"type = "identify" or type = "group""#,
        r#"(type = "track" and event = "a") or (type = "page" and name = "b")"#,
        r#"type = "track" and (event = "a" or event = "b")"#,
        r#"contains(event, "x") and !contains(traits.email, "@test.com")"#,
        r#"match(event, "Order*") and !match(name, "*x")"#,
        "properties.price >= 10 and properties.price < 99.5",
        "properties.flag = true and traits.other = false and properties.flag != true",
        "properties.count = 5 and properties.count != 6 and properties.n = null and name != null",
        r#"properties.product\ 1.price = "x" and properties.a_b-c = "y""#,
        r#"context.page.path != "/" and userId = "u""#,
        r#"event = "C:\dir" and name = "it's""#,
        "properties.a = -1.5 and properties.b = 10.0",
        "type = track",
    ] {
        let checked = Trigger::parse_checked(text).unwrap_or_else(|f| panic!("{text}: {f}"));
        assert_eq!(checked.dialect(), TriggerDialect::Reference);
        // The canonical text is a trigger again and reads the same.
        assert_eq!(
            fql(&checked.to_string()).to_string(),
            checked.to_string(),
            "{text}"
        );
    }
}

#[test]
fn a_no_is_explained_by_the_clause_that_decides_it() {
    let event = json!({"type": "track", "event": "secret", "properties": {"price": "12", "l": []}});
    for (text, expected) in [
        (r#"type = "track" and event = "secret""#, None),
        (
            r#"type = "track" and properties.price >= 10 and event = "x""#,
            Some("`properties.price >= 10` does not hold: the field is a text"),
        ),
        (
            r#"type = "identify""#,
            Some(r#"`type = "identify"` does not hold: the field is a text"#),
        ),
        (
            r#"type = "track" and (event = "a" or event = "b")"#,
            Some(r#"`event = "a" or event = "b"` does not hold: none of its parts does"#),
        ),
        (
            "properties.zz != null",
            Some("`properties.zz != null` does not hold: the field is missing"),
        ),
        (
            r#"!contains(event, "ecr")"#,
            Some(r#"`!contains(event, "ecr")` does not hold: the field is a text"#),
        ),
    ] {
        assert_eq!(trigger(text).explain(&event).as_deref(), expected, "{text}");
    }
    for (text, expected) in [
        (
            "type in ['a'] or 'x' in properties.l",
            "`type in [\"a\"] or \"x\" in properties.l` does not hold: none of its parts does",
        ),
        (
            "!(type = 'track')",
            "`!(type = \"track\")` does not hold: `type = \"track\"` does",
        ),
        (
            "length(properties.l) > 0",
            "`length(properties.l) > 0` does not hold: the result is a number",
        ),
        (
            "userId = 'x'",
            "`userId = \"x\"` does not hold: the field is missing",
        ),
        (
            "properties.l",
            "`properties.l` does not hold: the field is a list",
        ),
    ] {
        assert_eq!(
            fql(text).explain(&event).as_deref(),
            Some(expected),
            "{text}"
        );
    }
}

#[test]
fn length_and_depth_are_bounded() {
    let long = format!("type = \"{}\"", "x".repeat(MAX_TRIGGER_BYTES));
    for dialect in [TriggerDialect::Reference, TriggerDialect::Fql] {
        let fault = Trigger::parse(&long, dialect).unwrap_err();
        assert_eq!(
            fault.to_string(),
            "at character 1: a trigger has at most 16384 bytes"
        );
    }
    let nested =
        |levels: usize| format!("{}type = \"a\"{}", "(".repeat(levels), ")".repeat(levels));
    let parse = |text: &str| Trigger::parse(text, TriggerDialect::Fql);
    assert!(parse(&nested(MAX_TRIGGER_DEPTH)).is_ok());
    assert_eq!(
        parse(&nested(MAX_TRIGGER_DEPTH + 1)).unwrap_err().message,
        "nested deeper than 64 levels"
    );
    for deep in ["!", "(", "[", "length("] {
        let text = deep.repeat(MAX_TRIGGER_BYTES / deep.len());
        assert!(parse(&text).is_err());
        assert!(Trigger::parse(&text, TriggerDialect::Reference).is_err());
    }
    let pattern = format!("match(event, '{}')", "*x".repeat(200));
    assert_eq!(
        parse(&pattern).unwrap_err().message,
        "a pattern has at most 256 bytes"
    );
}

/// In quadratic time this would take minutes.
#[test]
fn a_long_list_is_looked_through_in_linear_time() {
    let objects = vec![json!({"k": [1, "x"]}); 50_000];
    let event = json!({"properties": {"l": objects, "o": {"k": [1, "y"]}, "p": {"k": [1, "x"]}}});
    assert!(!decide(&fql("properties.o in properties.l"), &event));
    assert!(decide(&fql("properties.p in properties.l"), &event));
}

#[test]
fn objects_and_lists_are_compared_by_what_is_in_them() {
    let event = json!({"properties": {
        "a": {"x": 1, "y": [null, true, "t"]}, "same": {"y": [null, true, "t"], "x": 1}, "more": {"x": 1, "y": [null, true, "t"], "z": 0},
        "other": {"x": 2, "y": [null, true, "t"]}, "text": {"x": "1", "y": [null, true, "t"]}, "keys": {"x": 1, "z": [null, true, "t"]},
        "l": [1, {"x": 1}], "floats": [1.0, {"x": 1}], "inner": [1, {"x": 1.0}], "short": [1],
    }});
    for (other, expected) in [
        ("same", true),
        ("more", false),
        ("other", false),
        ("text", false),
        ("keys", false),
        ("l", false),
    ] {
        let text = format!("properties.a = properties.{other}");
        assert_eq!(decide(&fql(&text), &event), expected, "{text}");
    }
    for (other, expected) in [
        ("floats", true),
        ("inner", false),
        ("short", false),
        ("a", false),
    ] {
        let text = format!("properties.l = properties.{other}");
        assert_eq!(decide(&fql(&text), &event), expected, "{text}");
    }
}

const PIECES: &str = r#"(type|event|properties\.a|context|groupId|contains|match|length|in|and|or|!|=|!=|==|<|>=|\(|\)|\[|\]|"x\*"|'a'|5|-|\.|\\|true|null|,|é|😀| ){0,14}"#;

proptest! {
    #[test]
    fn any_text_has_an_answer(text in any::<String>()) {
        let _checked = Trigger::parse_checked(&text);
    }

    #[test]
    fn near_triggers_parse_or_not_and_then_always_decide(
        text in PIECES,
        event in prop::sample::select(vec![json!({}), json!({"type": "x", "properties": {"a": 5}}), json!([]), json!(null)]),
    ) {
        for dialect in [TriggerDialect::Reference, TriggerDialect::Fql] {
            if let Ok(trigger) = Trigger::parse(&text, dialect) {
                prop_assert_eq!(decide(&trigger, &event), trigger.matches(&event));
                prop_assert_eq!(trigger.explain(&event).is_none(), trigger.matches(&event));
                prop_assert!(!trigger.to_string().is_empty());
            }
        }
    }

    #[test]
    fn canonical_text_of_the_full_dialect_reads_the_same(text in PIECES) {
        if let Ok(trigger) = Trigger::parse(&text, TriggerDialect::Fql) {
            let printed = trigger.to_string();
            let again = Trigger::parse(&printed, TriggerDialect::Fql).map(|t| t.to_string());
            prop_assert_eq!(again, Ok(printed));
        }
    }

    #[test]
    fn an_unambiguous_trigger_on_texts_and_missing_values_matches_alike(
        text in r#"type (=|!=) "(x|y)"( (and|or) properties\.a (=|!=) "(x|y)")?"#,
        event in prop::sample::select(vec![
            json!({}), json!({"type": "x", "properties": {"a": 5}}), json!({"type": "y", "properties": {"a": "x"}}),
        ]),
    ) {
        let checked = Trigger::parse_checked(&text).unwrap();
        prop_assert_eq!(checked.matches(&event), decide(&fql(&text), &event));
    }
}
