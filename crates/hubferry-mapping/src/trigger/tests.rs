use proptest::prelude::*;
use serde_json::json;

use super::*;

fn trigger(text: &str) -> Trigger {
    Trigger::parse(text, TriggerDialect::Reference)
        .unwrap_or_else(|fault| panic!("{text}: {fault}"))
}

fn matches(text: &str, event: &Value) -> bool {
    trigger(text).matches(event)
}

#[test]
fn examples() {
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
    let missing = trigger.matches(&json!({"properties": {}}));
    std::iter::once(missing)
        .chain(
            values
                .iter()
                .map(|value| trigger.matches(&json!({"properties": {"f": value}}))),
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
            false,
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
            json!({"properties": {"$p[x]": 1}}),
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

#[test]
fn what_the_reference_misreads_is_refused() {
    for (text, expected) in [
        (
            r#"type = "a" and type = "b" or type = "c""#,
            "at character 27: `and` and `or` are mixed: put one of them in parentheses, as in `a and (b or c)`",
        ),
        (
            r#"!(type = "a")"#,
            "at character 2: `!` stands only before contains(...) and match(...); compare with `!=` otherwise",
        ),
        (
            r#"!type = "a""#,
            "at character 2: `!` stands only before contains(...) and match(...); compare with `!=` otherwise",
        ),
        (
            r#"type = "a" and groupId = "z""#,
            "at character 16: `groupId` is no field: there are type, event, name, userId, properties.…, traits.… and context.…",
        ),
        (
            r#"contains(type, "z")"#,
            "at character 10: `type` can only be compared with `=` and `!=`",
        ),
        ("type = 'a'", "at character 8: texts stand in double quotes"),
        (
            r#"type = "a" AND type = "b""#,
            "at character 12: expected `and`, `or` or the end",
        ),
        (
            r#"type = "a" type = "b""#,
            "at character 12: expected `and`, `or` or the end",
        ),
        (
            r#"type == "a""#,
            "at character 6: equality is written with one `=`",
        ),
        (
            r#"((type = "a"))"#,
            "at character 2: groups in groups are not understood",
        ),
        (
            "properties.price>=10",
            "at character 17: `>=` needs a blank on both sides",
        ),
        (
            "properties.price !=10",
            "at character 18: `!=` needs a blank on both sides",
        ),
        (
            "properties.or = 1",
            "at character 1: the key `or` cannot be addressed: keys are not empty, not and, or, null, and do not start with a digit",
        ),
        (
            "properties.0a = 1",
            "at character 1: the key `0a` cannot be addressed: keys are not empty, not and, or, null, and do not start with a digit",
        ),
        (
            "properties.a[0] = 1",
            "at character 13: `[` must be preceded by a backslash in a field's name",
        ),
        (
            r"properties.a\.b = 1",
            "at character 13: a key with a dot in it cannot be addressed",
        ),
        (
            r#"type = "a" and"#,
            "at character 15: a test is missing, as in `type = \"track\"`",
        ),
        (
            r#"type = "a")"#,
            "at character 11: expected `and`, `or` or the end",
        ),
        (r#"(type = "a""#, "at character 12: expected `)`"),
        (
            r#"length(event) = 5"#,
            "at character 1: the functions are contains and match",
        ),
        (
            "event > 5",
            "at character 9: only fields under properties, traits and context are compared by size",
        ),
        ("properties.a > x", "at character 16: expected a number"),
        (
            "properties.a = 1e3x.",
            "at character 16: a text with other characters than letters, digits, `_` and `-` stands in double quotes",
        ),
        (
            "properties = 1",
            "at character 1: `properties` is no field: there are type, event, name, userId, properties.…, traits.… and context.…",
        ),
        (
            r#"type = "a"#,
            "at character 8: the text has no closing quote",
        ),
        (
            r#"type = "a"and type = "b""#,
            "at character 11: a blank must follow the closing quote",
        ),
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
            "at character 1: `nonsense` is no field: there are type, event, name, userId, properties.…, traits.… and context.…",
        ),
        (
            "type =",
            "at character 7: expected a text in double quotes, a number, true, false or null",
        ),
        (
            "type",
            "at character 5: expected `=`, `!=`, `<`, `<=`, `>` or `>=`",
        ),
        ("type =! \"a\"", "at character 6: `=!` is no operator"),
    ] {
        let fault = Trigger::parse(text, TriggerDialect::Reference).unwrap_err();
        assert_eq!(fault.to_string(), expected, "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_has_an_answer(text in any::<String>()) {
        let _parsed = Trigger::parse(&text, TriggerDialect::Reference);
    }

    #[test]
    fn near_triggers_parse_or_not_and_then_always_decide(
        text in r#"(type|event|properties\.a|contains\(|match\(|and|or|!|=|!=|<|\(|\)|"x\*"|5|true|null|,| ){0,12}"#,
        event in prop::sample::select(vec![json!({}), json!({"type": "x", "properties": {"a": 5}}), json!([])]),
    ) {
        if let Ok(trigger) = Trigger::parse(&text, TriggerDialect::Reference) {
            prop_assert_eq!(trigger.matches(&event), trigger.matches(&event));
        }
    }
}
