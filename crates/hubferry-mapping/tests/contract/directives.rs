//! §4.2 to §4.12: the directives.

use hubferry_mapping::Mapping;
use serde_json::{Value, json};

use super::{Is, check, check_directive, value};

#[test]
fn s4_2_template() {
    check_directive(
        "@template",
        vec![
            (
                json!("Hi {{a.b}}!"),
                json!({"a": {"b": 1}}),
                value(json!("Hi 1!")),
            ),
            (
                json!("Hi {{{ a.b }}}!"),
                json!({"a": {"b": 1}}),
                value(json!("Hi 1!")),
            ),
            (json!("{{nope}}"), json!({}), value(json!(""))),
            (json!("{{n}}"), json!({"n": null}), value(json!(""))),
            (json!("{{z}}"), json!({"z": 0}), value(json!("0"))),
            (json!("{{f}}"), json!({"f": false}), value(json!("false"))),
            (
                json!("{{a}}"),
                json!({"a": {}}),
                value(json!("[object Object]")),
            ),
            (
                json!("{{l}}"),
                json!({"l": [[1, 2], [3]]}),
                value(json!("1,2,3")),
            ),
            (
                json!("{{l}}"),
                json!({"l": [1, null, 2]}),
                value(json!("1,,2")),
            ),
            (json!("{{}}"), json!({}), value(json!("{{}}"))),
            (json!("{{a"), json!({"a": 1}), value(json!("{{a"))),
            (json!("{{a}b}}"), json!({"a": 1}), value(json!("{{a}b}}"))),
            (
                json!("{{ }}"),
                json!({"a": 1}),
                value(json!("[object Object]")),
            ),
            (json!("{{$.a}}"), json!({"a": 1}), value(json!(""))),
            (json!(""), json!({}), value(json!(""))),
            (json!("{{h}}"), json!({"h": "<b>&"}), value(json!("<b>&"))),
            (json!("{{n}}"), json!({"n": 1}), value(json!("1"))),
            (json!("{{n}}"), json!({"n": 0.5}), value(json!("0.5"))),
            (json!("{{n}}"), json!({"n": 1e21}), value(json!("1e+21"))),
            (json!("{{n}}"), json!({"n": -0.0}), value(json!("0"))),
            (
                json!({"@path": "t"}),
                json!({"t": "{{a}}", "a": 1}),
                value(json!("1")),
            ),
            (json!({"@path": "t"}), json!({"t": 5}), Is::Error),
            (json!(5), json!({}), Is::Invalid),
        ],
    );
}

#[test]
fn s4_2_h_what_was_filled_in_is_not_filled_again() {
    check_directive(
        "@template",
        vec![(
            json!("{{{t}}} {{t}}"),
            json!({"t": "{{secret}}", "secret": 1}),
            value(json!("{{secret}} {{secret}}")),
        )],
    );
}

#[test]
fn s4_3_if() {
    let event = || json!({"z": 0, "s": "x"});
    check_directive(
        "@if",
        vec![
            (json!({"exists": "", "then": 1}), event(), Is::Invalid),
            (json!({"exists": false, "then": 1}), event(), Is::Invalid),
            (json!({"exists": 0, "then": 1}), event(), Is::Invalid),
            (
                json!({"exists": 0, "blank": "x", "then": 1, "else": 2}),
                event(),
                value(json!(1)),
            ),
            (
                json!({"exists": {"@path": "z"}, "then": 1, "else": 2}),
                event(),
                value(json!(1)),
            ),
            (
                json!({"blank": {"@path": "z"}, "then": 1, "else": 2}),
                event(),
                value(json!(2)),
            ),
            (
                json!({"blank": " ", "then": 1, "else": 2}),
                event(),
                value(json!(1)),
            ),
            (
                json!({"exists": {"@path": "no"}, "then": 1, "else": 0}),
                event(),
                Is::Undefined,
            ),
            (
                json!({"exists": {"@path": "no"}, "then": 1, "else": ""}),
                event(),
                Is::Undefined,
            ),
            (
                json!({"exists": {"@path": "no"}, "then": 1, "else": false}),
                event(),
                Is::Undefined,
            ),
            (
                json!({"exists": {"@path": "no"}, "then": 1, "else": null}),
                event(),
                Is::Undefined,
            ),
            (
                json!({"exists": {"@path": "no"}, "then": 1, "else": 3}),
                event(),
                value(json!(3)),
            ),
            (
                json!({"exists": 1, "then": null, "else": 3}),
                event(),
                value(json!(null)),
            ),
            (
                json!({"exists": {"@path": "no"}, "then": 1}),
                event(),
                Is::Undefined,
            ),
            (json!({"exists": {"@path": "s"}}), event(), Is::Undefined),
            (json!("x"), event(), Is::Invalid),
        ],
    );
}

#[test]
fn s4_3_what_exists_and_what_is_blank() {
    let exists = json!({"@if": {"exists": {"@path": "v"}, "then": "yes", "else": "no"}});
    let blank = json!({"@if": {"blank": {"@path": "v"}, "then": "filled", "else": "blank"}});
    let row = |v: Value, there: &str, full: &str| {
        let event = json!({ "v": v });
        check(vec![
            (exists.clone(), event.clone(), value(json!(there))),
            (blank.clone(), event, value(json!(full))),
        ]);
    };
    row(json!(null), "no", "blank");
    for blank in [
        json!(""),
        json!(0),
        json!(false),
        json!([]),
        json!([[]]),
        json!([null]),
        json!([""]),
    ] {
        row(blank, "yes", "blank");
    }
    for filled in [
        json!(" "),
        json!({}),
        json!("x"),
        json!(1),
        json!(true),
        json!([null, null]),
        json!([0]),
    ] {
        row(filled, "yes", "filled");
    }
    check(vec![
        (exists, json!({}), value(json!("no"))),
        (blank, json!({}), value(json!("blank"))),
    ]);
}

#[test]
fn s4_4_case() {
    let of = |v: Value| json!({"v": v});
    let lower = || json!({"operator": "lower", "value": {"@path": "v"}});
    let upper = || json!({"operator": "upper", "value": {"@path": "v"}});
    check_directive(
        "@case",
        vec![
            (lower(), of(json!("ABC É")), value(json!("abc é"))),
            (upper(), of(json!("straße")), value(json!("STRASSE"))),
            (lower(), of(json!(null)), value(json!(null))),
            (lower(), of(json!(5)), value(json!(5))),
            (lower(), of(json!({"A": 1})), value(json!({"A": 1}))),
            (lower(), json!({}), Is::Undefined),
            (
                json!({"operator": "lower", "value": "ABC"}),
                json!({}),
                value(json!("abc")),
            ),
            (
                json!({"operator": "lower", "value": ""}),
                json!({}),
                Is::Undefined,
            ),
            (json!({"operator": "lower"}), json!({}), Is::Undefined),
            (
                json!({"operator": "lower", "value": 5}),
                json!({}),
                Is::Invalid,
            ),
            (json!({"operator": 5, "value": "a"}), json!({}), Is::Invalid),
            (
                json!({"operator": "", "value": "a"}),
                json!({}),
                Is::Invalid,
            ),
            (
                json!({"operator": "LOWER", "value": "a"}),
                json!({}),
                Is::Invalid,
            ),
            (json!({"value": "a"}), json!({}), Is::Invalid),
        ],
    );
}

#[test]
fn s4_5_replace() {
    let v = |v: Value| json!({"v": v});
    let at = || json!({"@path": "v"});
    check_directive(
        "@replace",
        vec![
            (
                json!({"pattern": "-", "replacement": "@", "global": false, "value": at()}),
                v(json!("just-the-first")),
                value(json!("just@the-first")),
            ),
            (
                json!({"pattern": ".", "replacement": "-", "value": at()}),
                v(json!("a.b.c")),
                value(json!("a-b-c")),
            ),
            (
                json!({"pattern": "true", "replacement": "granted", "pattern2": "false", "replacement2": "denied", "value": at()}),
                v(json!(false)),
                value(json!("denied")),
            ),
            (
                json!({"pattern": "a", "replacement": "b", "pattern2": "b", "replacement2": "c", "value": at()}),
                v(json!("abc")),
                value(json!("ccc")),
            ),
            (
                json!({"pattern": "A", "replacement": "_", "ignorecase": true, "global": false, "value": at()}),
                v(json!("banana")),
                value(json!("b_nana")),
            ),
            (
                json!({"pattern": "a", "value": at()}),
                v(json!(null)),
                value(json!("")),
            ),
            (
                json!({"pattern": "a", "value": at()}),
                json!({}),
                value(json!("")),
            ),
            (
                json!({"pattern": "a", "value": at()}),
                v(json!({"a": 1})),
                value(json!("")),
            ),
            (
                json!({"pattern": "a", "value": at()}),
                v(json!(["a"])),
                value(json!("")),
            ),
            (
                json!({"pattern": "5", "replacement": "6", "value": at()}),
                v(json!(5)),
                value(json!("6")),
            ),
            (
                json!({"pattern": "a", "value": at()}),
                v(json!("banana")),
                value(json!("bnn")),
            ),
            (
                json!({"pattern": "a", "pattern2": "b", "value": at()}),
                v(json!("abc")),
                value(json!("c")),
            ),
            (
                json!({"pattern": "a", "pattern2": 5, "value": at()}),
                v(json!("a5")),
                value(json!("5")),
            ),
            (
                json!({"pattern": "a", "pattern2": "", "value": at()}),
                v(json!("ab")),
                value(json!("b")),
            ),
            (
                json!({"pattern": "a", "value": ""}),
                json!({}),
                Is::Undefined,
            ),
            (
                json!({"pattern": "", "value": at()}),
                v(json!("a")),
                Is::Invalid,
            ),
            (
                json!({"pattern": "x".repeat(11), "value": at()}),
                v(json!("a")),
                Is::Invalid,
            ),
            (
                json!({"pattern": "😀".repeat(6), "value": at()}),
                v(json!("a")),
                Is::Invalid,
            ),
            (
                json!({"pattern": "x".repeat(10), "value": at()}),
                v(json!("a")),
                value(json!("a")),
            ),
            (
                json!({"pattern": 5, "value": at()}),
                v(json!("a")),
                Is::Invalid,
            ),
            (json!({"value": at()}), v(json!("a")), Is::Invalid),
            (
                json!({"pattern": "a", "replacement": null, "value": at()}),
                v(json!("a")),
                Is::Invalid,
            ),
            (
                json!({"pattern": "a", "replacement": "x".repeat(11), "value": at()}),
                v(json!("a")),
                Is::Invalid,
            ),
            (json!({"pattern": "a", "value": 5}), json!({}), Is::Invalid),
            (json!({"pattern": "a"}), json!({}), Is::Invalid),
            (
                json!({"pattern": "a", "ignorecase": "yes", "value": at()}),
                v(json!("a")),
                Is::Invalid,
            ),
            (
                json!({"pattern": "a", "global": 1, "value": at()}),
                v(json!("a")),
                Is::Invalid,
            ),
        ],
    );
    check(vec![(
        json!({"@excludeWhenNull": {"@replace": {"pattern": "a", "value": at()}}}),
        v(json!(null)),
        value(json!("")),
    )]);
}

#[test]
fn s4_5_h_replacements_are_literal_with_a_warning() {
    for replacement in ["$&$&", "$1", "$$", "$`", "$'"] {
        let json = json!({"x": {"@replace": {"pattern": "a", "replacement": replacement, "value": {"@path": "v"}}}});
        let mapping = Mapping::compile(&json).unwrap();
        assert_eq!(mapping.warnings().len(), 1, "{replacement}");
        assert_eq!(
            mapping.resolve(&json!({"v": "ban"})),
            Ok(Some(json!({"x": format!("b{replacement}n")})))
        );
    }
    let plain = json!({"x": {"@replace": {"pattern": "a", "replacement": "$ x$", "value": "b"}}});
    assert!(Mapping::compile(&plain).unwrap().warnings().is_empty());
}

#[test]
fn s4_6_array_path() {
    let event = || json!({"p": [{"x": 1}]});
    let shaped = || json!(["$.p", {"y": {"@path": "$.x"}}]);
    check_directive(
        "@arrayPath",
        vec![
            (json!(["$.p"]), event(), value(json!([{"x": 1}]))),
            (json!(["$.p", {}]), event(), value(json!([{"x": 1}]))),
            (json!(["$.p", [1]]), event(), value(json!([{"x": 1}]))),
            (shaped(), event(), value(json!([{"y": 1}]))),
            (json!(["$.p", {"@path": "$.x"}]), event(), value(json!([1]))),
            (shaped(), json!({"p": {"x": 1}}), value(json!([{"y": 1}]))),
            (
                shaped(),
                json!({"p": [{"x": 1}, 2, null]}),
                value(json!([{"y": 1}, {}, {"y": null}])),
            ),
            (shaped(), json!({"p": "s"}), value(json!("s"))),
            (shaped(), json!({"p": null}), value(json!(null))),
            (shaped(), json!({}), Is::Undefined),
            (
                json!([{"@path": "q"}, {"y": {"@path": "x"}}]),
                json!({"q": [{"x": 2}]}),
                value(json!([{"y": 2}])),
            ),
            (
                json!(["$.p", {"y": {"@path": "$.outer"}}]),
                json!({"p": [{}], "outer": 1}),
                value(json!([{}])),
            ),
            (json!("$.p"), event(), Is::Invalid),
            (json!([5]), event(), Is::Invalid),
            (json!([]), event(), Is::Invalid),
        ],
    );
}

#[test]
fn s4_7_literal() {
    check_directive(
        "@literal",
        vec![
            (
                json!({"a": {"@path": "$.a"}}),
                json!({"a": 1}),
                value(json!({"a": 1})),
            ),
            (json!("{{a}}"), json!({"a": 1}), value(json!("{{a}}"))),
            (json!(null), json!({}), value(json!(null))),
            (json!(false), json!({}), value(json!(false))),
        ],
    );
}

#[test]
fn s4_8_flatten() {
    let dots = || json!({"value": {"@path": "v"}, "separator": "."});
    let whole = || json!({"value": {"@path": "v"}, "separator": ".", "omitArrays": true});
    let v = |v: Value| json!({"v": v});
    check_directive(
        "@flatten",
        vec![
            (
                dots(),
                v(json!({"b": "z", "c": {"d": 1}})),
                value(json!({"b": "z", "c.d": 1})),
            ),
            (
                json!({"value": {"@path": "v"}, "separator": "_"}),
                v(json!([{"x": 1}, {"x": 2}])),
                value(json!({"0_x": 1, "1_x": 2})),
            ),
            (dots(), v(json!({"x": {}, "y": []})), value(json!({}))),
            (
                whole(),
                v(json!({"x": {}, "y": [], "z": [{"k": 1}]})),
                value(json!({"y": [], "z": [{"k": 1}]})),
            ),
            (
                dots(),
                v(json!({"a.b": 1, "a": {"b": 2}})),
                value(json!({"a.b": 2})),
            ),
            (dots(), v(json!({"": {"x": 1}})), value(json!({"x": 1}))),
            (dots(), v(json!("s")), value(json!({"": "s"}))),
            (dots(), json!({}), value(json!({}))),
            (whole(), v(json!([1])), value(json!({"": [1]}))),
            (dots(), v(json!({"a": null})), value(json!({"a": null}))),
            (
                json!({"value": {"a": {"@path": "no"}, "b": 1}, "separator": "."}),
                json!({}),
                value(json!({"b": 1})),
            ),
            (
                json!({"value": {}, "separator": ""}),
                json!({}),
                Is::Invalid,
            ),
            (json!({"value": {}}), json!({}), Is::Invalid),
            (
                json!({"value": {}, "separator": {"@path": "s"}}),
                json!({}),
                Is::Invalid,
            ),
            (json!({"separator": "."}), json!({}), Is::Invalid),
        ],
    );
}

#[test]
fn s4_9_json() {
    let encode = || json!({"mode": "encode", "value": {"@path": "v"}});
    let decode = || json!({"mode": "decode", "value": {"@path": "v"}});
    let v = |v: Value| json!({"v": v});
    check_directive(
        "@json",
        vec![
            (
                encode(),
                v(json!({"a": [1, "x"]})),
                value(json!("{\"a\":[1,\"x\"]}")),
            ),
            (
                json!({"mode": "encode", "value": {"a": {"@path": "no"}, "b": [{"@path": "no"}]}}),
                json!({}),
                value(json!("{\"b\":[null]}")),
            ),
            (encode(), json!({}), Is::Undefined),
            (encode(), v(json!(null)), value(json!("null"))),
            (decode(), v(json!("{\"a\":1}")), value(json!({"a": 1}))),
            (decode(), v(json!("no json")), value(json!("no json"))),
            (decode(), v(json!({"a": 1})), value(json!({"a": 1}))),
            (decode(), v(json!("12")), value(json!(12))),
            (decode(), v(json!("null")), value(json!(null))),
            (decode(), v(json!("")), value(json!(""))),
            (
                json!({"mode": "encode", "value": ""}),
                json!({}),
                Is::Invalid,
            ),
            (
                json!({"mode": "encode", "value": 0}),
                json!({}),
                Is::Invalid,
            ),
            (
                json!({"mode": "encode", "value": false}),
                json!({}),
                Is::Invalid,
            ),
            (
                json!({"mode": "encode", "value": null}),
                json!({}),
                Is::Invalid,
            ),
            (json!({"mode": "encode"}), json!({}), Is::Invalid),
            (json!({"mode": "print", "value": 1}), json!({}), Is::Invalid),
            (json!({"value": 1}), json!({}), Is::Invalid),
        ],
    );
}

#[test]
fn s4_9_h_the_mode_in_capitals_is_understood_with_a_warning() {
    let json = json!({"x": {"@json": {"mode": "ENCODE", "value": {"a": 1}}}});
    let mapping = Mapping::compile(&json).unwrap();
    assert_eq!(mapping.warnings().len(), 1);
    assert_eq!(
        mapping.resolve(&json!({})),
        Ok(Some(json!({"x": "{\"a\":1}"})))
    );
}

#[test]
fn s4_10_merge() {
    let merge =
        |objects: Value, direction: &str| json!({"objects": objects, "direction": direction});
    let (a, b) = (json!({"@path": "a"}), json!({"@path": "b"}));
    let event = || json!({"a": {"k": 1, "o": {"x": 1}}, "b": {"k": 2, "o": {"y": 1}, "n": null}});
    let right = json!({"k": 2, "o": {"y": 1}, "n": null});
    check_directive(
        "@merge",
        vec![
            (merge(json!([a, b]), "right"), event(), value(right.clone())),
            (
                merge(json!([a, b]), "left"),
                event(),
                value(json!({"k": 1, "o": {"x": 1}, "n": null})),
            ),
            (merge(json!([a, b]), "LEFT"), event(), value(right)),
            (
                merge(
                    json!([{"a": 1}, {"@path": "n"}, {"@path": "no"}, {"@path": "i"}, {"@path": "t"}]),
                    "right",
                ),
                json!({"n": null, "i": 5, "t": true}),
                value(json!({"a": 1})),
            ),
            (
                merge(json!([{"@path": "s"}, {"@path": "l"}]), "right"),
                json!({"s": "xyz", "l": ["a"]}),
                value(json!({"0": "a", "1": "y", "2": "z"})),
            ),
            (
                merge(json!([{"a": 1}, {"a": {"@path": "nope"}}]), "right"),
                json!({}),
                value(json!({})),
            ),
            (
                merge(json!([{"a": 1}, {"a": null}]), "right"),
                json!({}),
                value(json!({"a": null})),
            ),
            (merge(json!([{"a": 1}, 5]), "right"), json!({}), Is::Invalid),
            (
                merge(json!([{"a": 1}, "s"]), "right"),
                json!({}),
                Is::Invalid,
            ),
            (merge(json!({"a": 1}), "right"), json!({}), Is::Invalid),
            (merge(json!([]), "up"), json!({}), Is::Invalid),
            (json!({"objects": []}), json!({}), Is::Invalid),
            (
                json!({"objects": [], "direction": {"@path": "d"}}),
                json!({}),
                Is::Invalid,
            ),
            (json!({"direction": "left"}), json!({}), Is::Invalid),
        ],
    );
}

#[test]
fn s4_11_transform() {
    check_directive(
        "@transform",
        vec![
            (
                json!({"apply": {"k": {"@path": "a.b"}, "u": {"@path": "no"}}, "mapping": {"y": {"@path": "k"}, "u": {"@path": "u"}}}),
                json!({"a": {"b": 1}}),
                value(json!({"y": 1})),
            ),
            (
                json!({"apply": {"k": 1}, "mapping": {"outer": {"@path": "a"}}}),
                json!({"a": 1}),
                value(json!({})),
            ),
            (
                json!({"apply": {"@path": "a"}, "mapping": {"y": {"@path": "k"}}}),
                json!({"a": 5}),
                value(json!({})),
            ),
            (
                json!({"apply": {"@path": "a"}, "mapping": {"@path": "k"}}),
                json!({"a": {"k": 7}}),
                value(json!(7)),
            ),
            (json!({"apply": {}}), json!({}), Is::Invalid),
            (json!({"mapping": {}}), json!({}), Is::Invalid),
            (json!({"apply": "s", "mapping": {}}), json!({}), Is::Invalid),
            (json!({"apply": {}, "mapping": []}), json!({}), Is::Invalid),
        ],
    );
}

#[test]
fn s4_12_exclude_when_null() {
    check_directive(
        "@excludeWhenNull",
        vec![
            (
                json!({"@path": "v"}),
                json!({"v": {"p": null, "q": [null, {"r": null}], "t": {"u": null}}}),
                value(json!({"q": [null, {"r": null}], "t": {}})),
            ),
            (json!({"@path": "v"}), json!({"v": null}), Is::Undefined),
            (json!({"@path": "v"}), json!({}), Is::Undefined),
            (json!({"@path": "v"}), json!({"v": ""}), value(json!(""))),
            (
                json!({"@path": "v"}),
                json!({"v": [null]}),
                value(json!([null])),
            ),
            (
                json!({"a": {"@path": "v"}, "b": {"c": null, "d": ""}}),
                json!({"v": null}),
                value(json!({"b": {"d": ""}})),
            ),
        ],
    );
}
