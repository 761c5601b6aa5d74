use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::as_read::as_read;

/// Resolves `{"x": node}` and gives `x` back; `None` is undefined.
fn resolve(node: &Value, event: &Value) -> Option<Value> {
    let mapping =
        Mapping::compile(&json!({ "x": node })).unwrap_or_else(|f| panic!("{node}: {f:?}"));
    assert_resolves_alike(&mapping, event);
    let payload = mapping.resolve(event).unwrap().unwrap();
    payload.get("x").cloned()
}

/// What was read from a message gives the payload of the value, at the same price.
fn assert_resolves_alike(mapping: &Mapping, event: &Value) {
    let Some((whole, read)) = as_read(event) else {
        return;
    };
    let spent = |event: Json<'_>| {
        let budget = Budget::default();
        let payload = mapping.resolve_within(event, &budget);
        (payload, budget.spent())
    };
    assert_eq!(spent((&whole).into()), spent(read.json()), "{whole}");
}

fn check(cases: &[(Value, Value, Option<Value>)]) {
    for (node, event, expected) in cases {
        assert_eq!(resolve(node, event), *expected, "{node} on {event}");
    }
}

/// The faults of `{"x": node}`, as printed.
fn faults(node: &Value) -> Vec<String> {
    match Mapping::compile(&json!({ "x": node })) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.iter().map(ToString::to_string).collect(),
    }
}

fn check_refused(cases: &[(Value, &str)]) {
    for (node, fault) in cases {
        assert_eq!(faults(node), [*fault], "{node}");
    }
}

#[test]
fn undefined_in_containers() {
    check(&[
        (
            json!([{"@path": "s"}, {"@path": "nope"}, null]),
            json!({"s": "str"}),
            Some(json!(["str", null, null])),
        ),
        (
            json!({"y": {"z": {"@path": "nope"}}}),
            json!({}),
            Some(json!({"y": {}})),
        ),
        (
            json!({"a": null, "b": {"@path": "n"}}),
            json!({"n": null}),
            Some(json!({"a": null, "b": null})),
        ),
        (json!({"@path": "nope"}), json!({}), None),
        (
            json!({"_metadata": 1}),
            json!({}),
            Some(json!({"_metadata": 1})),
        ),
        (
            json!({"@path": "a", "_metadata": {"@oops": 1}}),
            json!({"a": 1}),
            Some(json!(1)),
        ),
        (
            json!({"a": [1, {"b": "{{a}}"}]}),
            json!({"a": 5}),
            Some(json!({"a": [1, {"b": "{{a}}"}]})),
        ),
    ]);
    let whole = Mapping::compile(&json!({"@path": "nope"})).unwrap();
    assert_eq!(whole.resolve(&json!({})), Ok(None));
}

#[test]
fn members_keep_their_order_and_numbers_their_digits() {
    let mapping =
        Mapping::compile(&json!({"b": {"@path": "n"}, "a": {"@path": "m"}, "c": 1})).unwrap();
    let event =
        hubferry_event::parse_json(br#"{"n":12345678901234567890,"m":0.1234567890123456789}"#)
            .unwrap();
    let payload = mapping.resolve(&event).unwrap().unwrap();
    assert_eq!(
        payload.to_string(),
        r#"{"b":12345678901234567890,"a":0.1234567890123456789,"c":1}"#
    );
}

#[test]
fn faults_are_found_all_at_once_with_their_place() {
    let mapping = json!({
        "two": {"@path": "a", "@template": "b"},
        "obj": {"@path": "a", "x": 1},
        "x": {"@oops": 1},
        "hash": {"@template": 5},
        "list": [1, {"@Path": "a"}],
        "literal": {"@literal": {"k": {"@oops": 1}}},
        "deep": {"@if": {"exists": {"@path": 7}, "then": {"@oops": 1}}},
        "fine": {"@path": "a"},
    });
    let faults = Mapping::compile(&mapping).unwrap_err();
    let printed: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(
        printed,
        [
            "/two has more than one directive: `@path` and `@template`",
            "/obj mixes the directive `@path` with the plain member `x`",
            "/x has the unknown directive `@oops`",
            "/hash/@template must be a text or a directive, it is a number",
            "/list/1 has the unknown directive `@Path`",
            "/literal/@literal/k has the unknown directive `@oops`",
            "/deep/@if/exists/@path must be a text or a directive, it is a number",
            "/deep/@if/then has the unknown directive `@oops`",
        ]
    );
}

#[test]
fn only_objects_are_mappings_and_events() {
    for (mapping, kind) in [
        (json!("s"), "a text"),
        (json!([]), "a list"),
        (json!(null), "null"),
    ] {
        let faults = Mapping::compile(&mapping).unwrap_err();
        assert_eq!(
            faults[0].to_string(),
            format!("/ must be an object, it is {kind}")
        );
    }
    let mapping = Mapping::compile(&json!({"x": 1})).unwrap();
    for event in [json!([]), json!(null), json!("s"), json!(1)] {
        assert!(
            matches!(
                mapping.resolve(&event),
                Err(ResolveError::EventNotObject { .. })
            ),
            "{event}"
        );
    }
}

#[test]
fn paths() {
    let event = json!({"foo": "bar", "bar": "baz", "a": {"b": 1}});
    check(&[
        (json!({"@path": "$.a.b"}), event.clone(), Some(json!(1))),
        (
            json!({"@path": {"@path": "$.foo"}}),
            event.clone(),
            Some(json!("baz")),
        ),
        (
            json!({"@path": {"@template": "a.{{nope}}b"}}),
            event.clone(),
            Some(json!(1)),
        ),
        (json!({"@path": ""}), event.clone(), Some(event.clone())),
    ]);
    check_refused(&[
        (
            json!({"@path": 1}),
            "/x/@path must be a text or a directive, it is a number",
        ),
        (
            json!({"@path": null}),
            "/x/@path must be a text or a directive, it is null",
        ),
        (
            json!({"@path": ["a"]}),
            "/x/@path must be a text or a directive, it is a list",
        ),
        (
            json!({"@path": {"a": 1}}),
            "/x/@path must be a text or a directive, it is an object",
        ),
        (
            json!({"@path": {"@oops": 1}}),
            "/x/@path has the unknown directive `@oops`",
        ),
    ]);
}

#[test]
fn keys_with_dots_are_out_of_reach_unless_the_dialect_is_extended() {
    let event = json!({"a.b": 1, "p": "a\\.b", "t": "{{a\\.b}}", "list": [{"c.d": 2}]});
    let json = json!({
        "path": {"@path": "$.a\\.b"},
        "dynamic": {"@path": {"@path": "p"}},
        "template": {"@template": "{{['a.b']}}"},
        "dynamic_template": {"@template": {"@path": "t"}},
        "array": {"@arrayPath": ["$.list", {"x": {"@path": "['c.d']"}}]},
    });
    let resolve = |mapping: Mapping| mapping.resolve(&event).unwrap().unwrap();
    assert_eq!(
        resolve(Mapping::compile(&json).unwrap()),
        json!({"template": "", "dynamic_template": "", "array": [{}]})
    );
    assert_eq!(
        resolve(Mapping::compile_with(&json, PathDialect::Extended).unwrap()),
        json!({"path": 1, "dynamic": 1, "template": "1", "dynamic_template": "1", "array": [{"x": 2}]})
    );
}

#[test]
fn a_dynamic_option_must_become_a_text() {
    for directive in ["@path", "@template"] {
        let mapping = Mapping::compile(&json!({"x": {directive: {"@path": "p"}}})).unwrap();
        for (event, actual) in [
            (json!({}), "missing"),
            (json!({"p": 5}), "a number"),
            (json!({"p": null}), "null"),
            (json!({"p": {"secret": "s"}}), "an object"),
        ] {
            let error = mapping.resolve(&event).unwrap_err().to_string();
            assert_eq!(
                error,
                format!("/x/{directive} must resolve to a text, it is {actual}")
            );
        }
    }
}

#[test]
fn templates() {
    check(&[
        (
            json!({"@template": "{{a}}-{{{b}}}"}),
            json!({"a": 1, "b": "x"}),
            Some(json!("1-x")),
        ),
        (
            json!({"@template": {"@path": "t"}}),
            json!({"t": "<{{a}}>", "a": 1}),
            Some(json!("<1>")),
        ),
        (json!({"@template": ""}), json!({}), Some(json!(""))),
    ]);
    check_refused(&[(
        json!({"@template": true}),
        "/x/@template must be a text or a directive, it is a boolean",
    )]);
}

#[test]
fn conditions() {
    let event = json!({"z": 0, "s": "x", "e": "", "n": null, "l": [], "w": " ", "o": {}});
    let cond = |key: &str, path: &str| json!({"@if": {key: {"@path": path}, "then": 1, "else": 2}});
    let mut cases: Vec<(Value, Value, Option<Value>)> = [
        ("exists", "z", 1),
        ("exists", "e", 1),
        ("exists", "l", 1),
        ("exists", "n", 2),
        ("exists", "nope", 2),
        ("blank", "z", 2),
        ("blank", "e", 2),
        ("blank", "l", 2),
        ("blank", "n", 2),
        ("blank", "nope", 2),
        ("blank", "s", 1),
        ("blank", "w", 1),
        ("blank", "o", 1),
    ]
    .map(|(key, path, expected)| (cond(key, path), event.clone(), Some(json!(expected))))
    .into();
    for (option, expected) in [
        (json!({"blank": " ", "then": 1, "else": 2}), Some(json!(1))),
        (json!({"blank": [[]], "then": 1, "else": 2}), Some(json!(2))),
        (
            json!({"blank": [null], "then": 1, "else": 2}),
            Some(json!(2)),
        ),
        (json!({"blank": [""], "then": 1, "else": 2}), Some(json!(2))),
        (
            json!({"blank": [[{"@path": "nope"}]], "then": 1, "else": 2}),
            Some(json!(2)),
        ),
        (
            json!({"blank": [{"@path": "z"}], "then": 1, "else": 2}),
            Some(json!(1)),
        ),
        (
            json!({"blank": [null, {"@path": "nope"}], "then": 1, "else": 2}),
            Some(json!(1)),
        ),
        (
            json!({"blank": {"a": {"@path": "nope"}}, "then": 1, "else": 2}),
            Some(json!(1)),
        ),
        (
            json!({"exists": {"@path": "no"}, "then": 1, "else": 0}),
            None,
        ),
        (
            json!({"exists": {"@path": "no"}, "then": 1, "else": ""}),
            None,
        ),
        (
            json!({"exists": {"@path": "no"}, "then": 1, "else": null}),
            None,
        ),
        (
            json!({"exists": 1, "then": null, "else": 3}),
            Some(json!(null)),
        ),
        (json!({"exists": 1, "then": 0}), Some(json!(0))),
        (json!({"exists": 1, "else": 3}), None),
        (json!({"exists": {"@path": "no"}, "then": 1}), None),
        (
            json!({"exists": 0, "blank": "x", "then": 1, "else": 2}),
            Some(json!(1)),
        ),
        (
            json!({"exists": null, "blank": "x", "then": 1, "else": 2}),
            Some(json!(2)),
        ),
        (
            json!({"exists": {"@path": "s"}, "then": {"@path": "s"}}),
            Some(json!("x")),
        ),
    ] {
        cases.push((json!({"@if": option}), event.clone(), expected));
    }
    check(&cases);
    check_refused(&[
        (
            json!({"@if": {"exists": 1, "blank": {"@oops": 1}}}),
            "/x/@if/blank has the unknown directive `@oops`",
        ),
        (
            json!({"@if": "x"}),
            "/x/@if must be an object, it is a text",
        ),
        (json!({"@if": {}}), "/x/@if needs `exists` or `blank`"),
        (
            json!({"@if": {"exists": "", "then": 1}}),
            "/x/@if needs `exists` or `blank`",
        ),
        (
            json!({"@if": {"exists": false}}),
            "/x/@if needs `exists` or `blank`",
        ),
        (
            json!({"@if": {"exists": 0}}),
            "/x/@if needs `exists` or `blank`",
        ),
    ]);
}

#[test]
fn cases() {
    let case =
        |operator: &str, value: Value| json!({"@case": {"operator": operator, "value": value}});
    let event = json!({"s": "straße", "n": null, "z": 5, "o": {}});
    check(&[
        (
            case("upper", json!({"@path": "s"})),
            event.clone(),
            Some(json!("STRASSE")),
        ),
        (case("lower", json!("ÄB")), event.clone(), Some(json!("äb"))),
        (case("lower", json!("")), event.clone(), None),
        (json!({"@case": {"operator": "lower"}}), event.clone(), None),
        (
            case("lower", json!({"@path": "n"})),
            event.clone(),
            Some(json!(null)),
        ),
        (
            case("lower", json!({"@path": "z"})),
            event.clone(),
            Some(json!(5)),
        ),
        (
            case("lower", json!({"@path": "o"})),
            event.clone(),
            Some(json!({})),
        ),
        (case("lower", json!({"@path": "nope"})), event, None),
    ]);
    check_refused(&[
        (
            json!({"@case": {"value": "a"}}),
            "/x/@case/operator is required",
        ),
        (
            case("LOWER", json!("a")),
            "/x/@case/operator must be `lower` or `upper`",
        ),
        (
            case("", json!("a")),
            "/x/@case/operator must be `lower` or `upper`",
        ),
        (
            json!({"@case": {"operator": 1, "value": "a"}}),
            "/x/@case/operator must be a text, it is a number",
        ),
        (
            case("lower", json!(5)),
            "/x/@case/value must be a text or a directive, it is a number",
        ),
    ]);
}

#[test]
fn replacements() {
    let event = json!({"d": "just-the-first", "abc": "a.b.c", "f": false, "n": null, "v": "abc", "b": "banana", "num": 5.50, "o": {}, "u": "ÄäÄ"});
    let replace = |options: Value| json!({"@replace": options});
    let at = |path: &str| json!({"@path": path});
    let mut cases: Vec<(Value, Value, Option<Value>)> = Vec::new();
    for (options, expected) in [
        (
            json!({"pattern": "-", "replacement": "@", "global": false, "value": at("d")}),
            "just@the-first",
        ),
        (
            json!({"pattern": "-", "replacement": "@", "value": at("d")}),
            "just@the@first",
        ),
        (
            json!({"pattern": ".", "replacement": "-", "value": at("abc")}),
            "a-b-c",
        ),
        (
            json!({"pattern": "true", "replacement": "granted", "pattern2": "false", "replacement2": "denied", "value": at("f")}),
            "denied",
        ),
        (
            json!({"pattern": "a", "replacement": "b", "pattern2": "b", "replacement2": "c", "value": at("v")}),
            "ccc",
        ),
        (
            json!({"pattern": "A", "replacement": "_", "ignorecase": true, "global": false, "value": at("b")}),
            "b_nana",
        ),
        (
            json!({"pattern": "ä", "ignorecase": true, "value": at("u")}),
            "",
        ),
        (
            json!({"pattern": "a", "replacement": "$&$&", "value": at("b")}),
            "b$&$&n$&$&n$&$&",
        ),
        (
            json!({"pattern": "a", "pattern2": 5, "value": at("b")}),
            "bnn",
        ),
        (
            json!({"pattern": "a", "pattern2": "n", "value": at("b")}),
            "b",
        ),
        (
            json!({"pattern": ".", "replacement": ",", "value": at("num")}),
            "5,5",
        ),
        (json!({"pattern": "a", "value": at("n")}), ""),
        (json!({"pattern": "a", "value": at("nope")}), ""),
        (json!({"pattern": "a", "value": at("o")}), ""),
        (
            json!({"pattern": "aa", "replacement": "b", "value": "aaa"}),
            "ba",
        ),
    ] {
        cases.push((replace(options), event.clone(), Some(json!(expected))));
    }
    cases.push((replace(json!({"pattern": "a", "value": ""})), event, None));
    check(&cases);
    check_refused(&[
        (
            replace(json!({"value": "a"})),
            "/x/@replace/pattern is required",
        ),
        (
            replace(json!({"pattern": "", "value": "a"})),
            "/x/@replace/pattern must have 1 to 10 characters",
        ),
        (
            replace(json!({"pattern": "12345678901", "value": "a"})),
            "/x/@replace/pattern must have 1 to 10 characters",
        ),
        (
            replace(json!({"pattern": "a", "pattern2": "12345678901", "value": "a"})),
            "/x/@replace/pattern2 must have at most 10 characters",
        ),
        (
            replace(json!({"pattern": "a", "replacement": null, "value": "a"})),
            "/x/@replace/replacement must be a text, it is null",
        ),
        (
            replace(json!({"pattern": "a"})),
            "/x/@replace/value is required",
        ),
        (
            replace(json!({"pattern": "a", "value": 5})),
            "/x/@replace/value must be a text or a directive, it is a number",
        ),
        (
            replace(json!({"pattern": "a", "value": "a", "global": 1})),
            "/x/@replace/global must be a boolean, it is a number",
        ),
    ]);
    let suspicious = Mapping::compile(
        &json!({"x": replace(json!({"pattern": "a", "replacement": "$1", "value": "a"}))}),
    );
    assert_eq!(
        suspicious.unwrap().warnings()[0].to_string(),
        "/x/@replace/replacement is literal text: `$` has no meaning in it"
    );
}

#[test]
fn array_paths() {
    let shape = json!(["$.p", {"y": {"@path": "$.x"}}]);
    let list = json!({"p": [{"x": 1}]});
    let of = |option: &Value| json!({"@arrayPath": option});
    check(&[
        // A directive that resolves to nothing is no empty option.
        (
            json!({"@replace": {"pattern": "a", "value": {"@case": {"operator": "lower", "value": ""}}}}),
            json!({}),
            Some(json!("")),
        ),
        (of(&json!(["$.p"])), list.clone(), Some(json!([{"x": 1}]))),
        (
            of(&json!(["$.p", {}])),
            list.clone(),
            Some(json!([{"x": 1}])),
        ),
        (
            of(&json!(["$.p", [1]])),
            list.clone(),
            Some(json!([{"x": 1}])),
        ),
        (of(&shape), list.clone(), Some(json!([{"y": 1}]))),
        (
            of(&json!(["$.p", {"@path": "$.x"}])),
            list,
            Some(json!([1])),
        ),
        (of(&shape), json!({"p": {"x": 1}}), Some(json!([{"y": 1}]))),
        (
            of(&shape),
            json!({"p": [{"x": 1}, 2, null]}),
            Some(json!([{"y": 1}, {}, {"y": null}])),
        ),
        (of(&shape), json!({"p": "s"}), Some(json!("s"))),
        (of(&shape), json!({"p": null}), Some(json!(null))),
        (of(&shape), json!({}), None),
    ]);
    check(&[
        (
            of(
                &json!([{"@merge": {"objects": [{"x": 3}], "direction": "right"}}, {"y": {"@path": "x"}}]),
            ),
            json!({}),
            Some(json!([{"y": 3}])),
        ),
        (
            of(&json!([{"@path": "q"}, {"y": 1}])),
            json!({"q": [0, 0]}),
            Some(json!([{"y": 1}, {"y": 1}])),
        ),
    ]);
    check_refused(&[
        (
            of(&json!("$.p")),
            "/x/@arrayPath must be a list of a path and a shape, it is a text",
        ),
        (of(&json!([])), "/x/@arrayPath/0 is required"),
        (
            of(&json!([5])),
            "/x/@arrayPath/0 must be a text or a directive, it is a number",
        ),
        (
            of(&json!(["p", {"a": {"@oops": 1}}])),
            "/x/@arrayPath/1/a has the unknown directive `@oops`",
        ),
    ]);
}

#[test]
fn literals() {
    check(&[
        (
            json!({"@literal": {"a": {"@path": "$.a"}}}),
            json!({"a": 1}),
            Some(json!({"a": 1})),
        ),
        (
            json!({"@literal": "{{a}}"}),
            json!({"a": 1}),
            Some(json!("{{a}}")),
        ),
        (json!({"@literal": null}), json!({}), Some(json!(null))),
        (json!({"@literal": false}), json!({}), Some(json!(false))),
    ]);
}

#[test]
fn flattening() {
    let flat = |value: Value, separator: &str| json!({"@flatten": {"value": value, "separator": separator}});
    let whole_lists =
        |value: Value| json!({"@flatten": {"value": value, "separator": ".", "omitArrays": true}});
    let path = json!({"@path": "v"});
    check(&[
        // What is undefined hides what was there before, and vanishes at the end.
        (
            json!({"@flatten": {"separator": ".", "value": {"a.b": 1, "a": {"b": {"@path": "no"}}}}}),
            json!({}),
            Some(json!({})),
        ),
        (
            json!({"@flatten": {"separator": ".", "value": {"@flatten": {
                "separator": ".", "omitArrays": true, "value": [{"@path": "no"}, 1],
            }}}}),
            json!({}),
            Some(json!({"1": 1})),
        ),
        (
            flat(path.clone(), "."),
            json!({"v": {"b": "z", "c": {"d": 1}}}),
            Some(json!({"b": "z", "c.d": 1})),
        ),
        (
            flat(path.clone(), "_"),
            json!({"v": [{"x": 1}, {"x": 2}]}),
            Some(json!({"0_x": 1, "1_x": 2})),
        ),
        (
            flat(path.clone(), "."),
            json!({"v": {"x": {}, "y": []}}),
            Some(json!({})),
        ),
        (
            whole_lists(path.clone()),
            json!({"v": {"x": {}, "y": [], "z": [{"k": 1}]}}),
            Some(json!({"y": [], "z": [{"k": 1}]})),
        ),
        (
            flat(path.clone(), "."),
            json!({"v": {"a.b": 1, "a": {"b": 2}}}),
            Some(json!({"a.b": 2})),
        ),
        (
            flat(path.clone(), "."),
            json!({"v": {"": {"x": 1}}}),
            Some(json!({"x": 1})),
        ),
        (
            flat(path.clone(), "."),
            json!({"v": "s"}),
            Some(json!({"": "s"})),
        ),
        (flat(path.clone(), "."), json!({}), Some(json!({}))),
        (whole_lists(path), json!({"v": [1]}), Some(json!({"": [1]}))),
        (
            flat(json!({"a": {"@path": "no"}, "b": null}), "."),
            json!({}),
            Some(json!({"b": null})),
        ),
        (
            flat(json!([{"@path": "no"}, {"c": {"@path": "v"}}]), "."),
            json!({"v": {"d": 1}}),
            Some(json!({"1.c.d": 1})),
        ),
        (
            whole_lists(json!({"l": [{"@path": "v"}]})),
            json!({"v": 1}),
            Some(json!({"l": [1]})),
        ),
    ]);
    check_refused(&[
        (
            json!({"@flatten": {"value": 1}}),
            "/x/@flatten/separator is required and must not be empty",
        ),
        (
            flat(json!(1), ""),
            "/x/@flatten/separator is required and must not be empty",
        ),
        (
            json!({"@flatten": {"value": 1, "separator": {"@path": "s"}}}),
            "/x/@flatten/separator must be a text, it is an object",
        ),
        (
            json!({"@flatten": {"separator": "."}}),
            "/x/@flatten/value is required",
        ),
    ]);
}

#[test]
fn json_texts() {
    let encode = |value: Value| json!({"@json": {"mode": "encode", "value": value}});
    let decode = json!({"@json": {"mode": "decode", "value": {"@path": "v"}}});
    let path = json!({"@path": "v"});
    check(&[
        // Numbers and texts as JavaScript writes them.
        (
            encode(path.clone()),
            json!({"v": [1.0, 1e3, -0.0, 1e21, "\u{1}\"\\/\n\u{7f}\u{2028}é"]}),
            Some(json!(
                "[1,1000,0,1e+21,\"\\u0001\\\"\\\\/\\n\u{7f}\u{2028}é\"]"
            )),
        ),
        (
            encode(path.clone()),
            json!({"v": {"a": [1, null]}}),
            Some(json!(r#"{"a":[1,null]}"#)),
        ),
        (
            encode(json!({"a": {"@path": "no"}, "l": [{"@path": "no"}]})),
            json!({}),
            Some(json!(r#"{"l":[null]}"#)),
        ),
        (encode(path.clone()), json!({}), None),
        (
            encode(path.clone()),
            json!({"v": null}),
            Some(json!("null")),
        ),
        (
            encode(path.clone()),
            json!({"v": "s"}),
            Some(json!("\"s\"")),
        ),
        (decode.clone(), json!({"v": "12"}), Some(json!(12))),
        (decode.clone(), json!({"v": "null"}), Some(json!(null))),
        (decode.clone(), json!({"v": ""}), Some(json!(""))),
        (
            decode.clone(),
            json!({"v": "{\"a\":1}"}),
            Some(json!({"a": 1})),
        ),
        (decode.clone(), json!({"v": "{a}"}), Some(json!("{a}"))),
        (decode.clone(), json!({"v": 5}), Some(json!(5))),
        (decode, json!({}), None),
        (
            json!({"@json": {"mode": "ENCODE", "value": path}}),
            json!({"v": 1}),
            Some(json!("1")),
        ),
    ]);
    check_refused(&[
        (
            json!({"@json": {"value": "a"}}),
            "/x/@json/mode is required",
        ),
        (
            json!({"@json": {"mode": "x", "value": "a"}}),
            "/x/@json/mode must be `encode` or `decode`",
        ),
        (
            json!({"@json": {"mode": 1, "value": "a"}}),
            "/x/@json/mode must be a text, it is a number",
        ),
        (encode(json!("")), "/x/@json/value must not be empty"),
        (encode(json!(0)), "/x/@json/value must not be empty"),
        (
            json!({"@json": {"mode": "encode"}}),
            "/x/@json/value is required",
        ),
    ]);
}

#[test]
fn merging() {
    let merge = |objects: Value, direction: &str| json!({"@merge": {"objects": objects, "direction": direction}});
    let event = json!({"o": {"a": 1, "n": {"x": 1}}, "p": {"a": 2, "n": {"y": 1}}, "s": "hé", "l": [7], "z": 5, "null": null});
    let at = |path: &str| json!({"@path": path});
    check(&[
        (
            merge(json!([at("o"), at("p")]), "right"),
            event.clone(),
            Some(json!({"a": 2, "n": {"y": 1}})),
        ),
        (
            merge(json!([at("o"), at("p")]), "left"),
            event.clone(),
            Some(json!({"a": 1, "n": {"x": 1}})),
        ),
        (
            merge(json!([at("o"), at("p")]), "LEFT"),
            event.clone(),
            Some(json!({"a": 2, "n": {"y": 1}})),
        ),
        (
            merge(json!([{"a": 1}, {"a": at("nope")}]), "right"),
            event.clone(),
            Some(json!({})),
        ),
        (
            merge(json!([{"a": 1}, {"a": null}]), "right"),
            event.clone(),
            Some(json!({"a": null})),
        ),
        (
            merge(
                json!([at("s"), at("z"), at("null"), at("nope"), {"k": at("z")}]),
                "right",
            ),
            event.clone(),
            Some(json!({"0": "h", "1": "é", "k": 5})),
        ),
        (
            merge(json!([at("s"), at("l")]), "right"),
            event.clone(),
            Some(json!({"0": 7, "1": "é"})),
        ),
        (merge(json!([]), "right"), event, Some(json!({}))),
    ]);
    check_refused(&[
        (
            json!({"@merge": {"direction": "left"}}),
            "/x/@merge/objects is required",
        ),
        (
            merge(json!({}), "left"),
            "/x/@merge/objects must be a list, it is an object",
        ),
        (
            merge(json!([5]), "left"),
            "/x/@merge/objects/0 must be an object or a directive, it is a number",
        ),
        (
            json!({"@merge": {"objects": []}}),
            "/x/@merge/direction is required",
        ),
        (
            merge(json!([]), "up"),
            "/x/@merge/direction must be `left` or `right`",
        ),
        (
            json!({"@merge": {"objects": [], "direction": {"@path": "d"}}}),
            "/x/@merge/direction must be a text, it is an object",
        ),
    ]);
}

#[test]
fn transforming() {
    let transform =
        |apply: Value, mapping: Value| json!({"@transform": {"apply": apply, "mapping": mapping}});
    let event = json!({"a": {"b": 1}, "s": "text", "n": null});
    check(&[
        (
            transform(
                json!({"@path": "no"}),
                json!({"y": {"@template": "{{ }}{{a}}"}}),
            ),
            event.clone(),
            Some(json!({"y": "[object Object]"})),
        ),
        (
            transform(json!({"k": {"@path": "a.b"}}), json!({"y": {"@path": "k"}})),
            event.clone(),
            Some(json!({"y": 1})),
        ),
        (
            transform(json!({"k": 1}), json!({"y": {"@path": "a"}})),
            event.clone(),
            Some(json!({})),
        ),
        (
            transform(json!({"@path": "a"}), json!({"@path": "b"})),
            event.clone(),
            Some(json!(1)),
        ),
        (
            transform(json!({"@path": "s"}), json!({"y": {"@path": "b"}})),
            event.clone(),
            Some(json!({})),
        ),
        // Of what is no object, paths find what it has: lengths, elements, and falsy values themselves.
        (
            transform(json!({"@path": "s"}), json!({"y": {"@path": "length"}})),
            event.clone(),
            Some(json!({"y": 4})),
        ),
        (
            transform(json!({"@path": "l"}), json!({"y": {"@path": "[1].k"}})),
            json!({"l": [1, {"k": 2}]}),
            Some(json!({"y": 2})),
        ),
        (
            transform(json!({"@path": "n"}), json!({"y": {"@path": "b"}})),
            event.clone(),
            Some(json!({"y": null})),
        ),
        (
            transform(
                json!({"@path": "nope"}),
                json!({"y": {"@template": "<{{b}}>"}}),
            ),
            event,
            Some(json!({"y": "<>"})),
        ),
    ]);
    check_refused(&[
        (
            json!({"@transform": {"mapping": {}}}),
            "/x/@transform/apply is required",
        ),
        (
            json!({"@transform": {"apply": {}}}),
            "/x/@transform/mapping is required",
        ),
        (
            transform(json!("a"), json!({})),
            "/x/@transform/apply must be an object or a directive, it is a text",
        ),
    ]);
}

#[test]
fn only_objects_are_transformed() {
    let mapping = Mapping::compile(&json!({"x": {"@arrayPath": ["$.l", {"y": {
        "@transform": {"apply": {"a": {"@path": "k"}}, "mapping": {"b": {"@path": "a"}}},
    }}]}}))
    .unwrap();
    assert_eq!(
        mapping.resolve(&json!({"l": [{"k": 1}]})),
        Ok(Some(json!({"x": [{"y": {"b": 1}}]})))
    );
    assert_eq!(
        mapping.resolve(&json!({"l": [{"k": 1}, 2]})),
        Err(ResolveError::NotObject {
            location: "/x/@arrayPath/1/y/@transform".into(),
            actual: "a number"
        })
    );
}

#[test]
fn excluding_nulls() {
    let exclude = json!({"@excludeWhenNull": {"@path": "v"}});
    check(&[
        (
            exclude.clone(),
            json!({"v": {"p": null, "q": [null, {"r": null}], "t": {"u": null}}}),
            Some(json!({"q": [null, {"r": null}], "t": {}})),
        ),
        (exclude.clone(), json!({"v": null}), None),
        (exclude.clone(), json!({}), None),
        (exclude.clone(), json!({"v": ""}), Some(json!(""))),
        (exclude, json!({"v": [null]}), Some(json!([null]))),
        (
            json!({"@excludeWhenNull": {"a": {"@path": "n"}, "b": {"c": {"@path": "n"}}, "d": [{"@path": "n"}]}}),
            json!({"n": null}),
            Some(json!({"b": {}, "d": [null]})),
        ),
        (
            json!({"@excludeWhenNull": {"@replace": {"pattern": "a", "value": {"@path": "n"}}}}),
            json!({"n": null}),
            Some(json!("")),
        ),
    ]);
}

#[test]
fn liquid() {
    check(&[
        (json!({"@liquid": ""}), json!({}), Some(json!(""))),
        (
            json!({"@liquid": "{{ properties.x | upcase }}"}),
            json!({"properties": {"x": "a"}}),
            Some(json!("A")),
        ),
        (
            json!({"@liquid": "{{ n }}"}),
            json!({"n": 5}),
            Some(json!("5")),
        ),
        // The result of one directive is the event of the other; without one there are no variables.
        (
            json!({"@transform": {"apply": {"a": {"@path": "b"}}, "mapping": {"c": {"@liquid": "{{ a }}{{ b }}"}}}}),
            json!({"b": 1}),
            Some(json!({"c": "1"})),
        ),
        (
            json!({"@transform": {"apply": {"@path": "no"}, "mapping": {"c": {"@liquid": "[{{ a }}]"}}}}),
            json!({"a": 1}),
            Some(json!({"c": "[]"})),
        ),
    ]);
    check_refused(&[
        (
            json!({"@liquid": 5}),
            "/x/@liquid must be a text, it is a number",
        ),
        (
            json!({"@liquid": {"@path": "a"}}),
            "/x/@liquid must be a text, it is an object",
        ),
        (
            json!({"@liquid": "x".repeat(1001)}),
            "/x/@liquid must have at most 1000 characters",
        ),
        (
            json!({"@liquid": "{% for i in l %}{% endfor %}"}),
            "/x/@liquid uses the disabled tag `for`",
        ),
        (
            json!([{"@liquid": "{{ a"}]),
            "/x/0/@liquid has an output that is not closed",
        ),
    ]);
    let mapping =
        Mapping::compile(&json!({"x": {"@liquid": "{{ l | map: 'a' | no_filter }}"}})).unwrap();
    let warnings: Vec<String> = mapping.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "/x/@liquid uses the disabled filter `map`",
            "/x/@liquid ignores the unknown filter `no_filter`"
        ]
    );
    assert_eq!(
        mapping.resolve(&json!({})).unwrap_err().to_string(),
        "/x/@liquid: the filter `map` is disabled"
    );
}

#[test]
fn a_root_directive_takes_the_other_members() {
    let mapping = Mapping::compile(&json!({
        "__segment_internal_directive": {"@transform": {"apply": {"k": {"@path": "a.b"}}}},
        "y": {"@path": "k"},
    }));
    assert_eq!(
        mapping.unwrap().resolve(&json!({"a": {"b": 1}})),
        Ok(Some(json!({"y": 1})))
    );
    let flatten = Mapping::compile(&json!({
        "__segment_internal_directive": {"@flatten": {"value": {"@path": "a"}, "separator": "."}},
        "y": {"@path": "k"},
    }));
    assert_eq!(
        flatten.unwrap().resolve(&json!({"a": {"b": 1}})),
        Ok(Some(json!({"b": 1})))
    );
    for wrong in [
        json!(1),
        json!({}),
        json!({"@transform": 1}),
        json!({"@a": {}, "@b": {}}),
    ] {
        let faults = Mapping::compile(&json!({"__segment_internal_directive": wrong})).unwrap_err();
        assert_eq!(faults[0].location, "/__segment_internal_directive");
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        (-3..3_i32).prop_map(Value::from),
        any::<f64>()
            .prop_filter("JSON has no such number", |f| f.is_finite())
            .prop_map(Value::from),
        "[ab.{}$\\[\\]0'é]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec(("[ab0]{0,2}", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Mappings in which every directive meets every kind of option.
fn any_node() -> impl Strategy<Value = Value> {
    any_value().prop_recursive(4, 32, 4, |inner| {
        let name = prop::sample::select(vec![
            "@path", "@template", "@if", "@case", "@replace", "@arrayPath", "@literal", "@flatten", "@json",
            "@merge", "@transform", "@excludeWhenNull", "@liquid", "@oops",
        ]);
        let (a, b, c) = (inner.clone(), inner.clone(), inner.clone());
        prop_oneof![
            2 => (name, inner.clone()).prop_map(|(name, option)| json!({ name: option })),
            1 => inner.clone().prop_map(|v| json!({"@path": v})),
            1 => prop::sample::select(vec!["{{ a }}", "{{ b | size }}", "{% if a == b %}{{ a.b | join }}{% endif %}"])
                .prop_map(|text| json!({"@liquid": text})),
            1 => (a, b, c).prop_map(|(a, b, c)| json!({"@if": {"exists": a, "then": b, "else": c}})),
            1 => inner.clone().prop_map(|v| json!({"@flatten": {"value": v, "separator": "."}})),
            1 => inner.clone().prop_map(|v| json!({"@json": {"value": v, "mode": "decode"}})),
            1 => inner.clone().prop_map(|v| json!({"@case": {"value": v, "operator": "upper"}})),
            1 => inner.clone().prop_map(|v| json!({"@replace": {"value": v, "pattern": "a", "ignorecase": true}})),
            1 => inner.clone().prop_map(|v| json!({"@arrayPath": ["$.a", v]})),
            1 => inner.clone().prop_map(|v| json!({"@merge": {"objects": [v.clone(), v], "direction": "left"}})),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, m)| json!({"@transform": {"apply": a, "mapping": m}})),
            1 => proptest::collection::vec(("[ab]{1,2}", inner), 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn resolving_is_total_and_repeatable(
        node in any_node(),
        event in any_value(),
        paths in prop::sample::select(vec![PathDialect::Reference, PathDialect::Extended]),
    ) {
        let json = json!({"x": node});
        if let Ok(mapping) = Mapping::compile_with(&json, paths) {
            let before = event.clone();
            assert_resolves_alike(&mapping, &event);
            let first = mapping.resolve(&event);
            prop_assert_eq!(&first, &mapping.resolve(&event));
            prop_assert_eq!(&first, &Mapping::compile_with(&json, paths).unwrap().resolve(&event));
            prop_assert_eq!(event.is_object(), !matches!(first, Err(ResolveError::EventNotObject { .. })));
            prop_assert_eq!(event, before);
        }
    }
}
