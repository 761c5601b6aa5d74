//! §3 and §4.1: paths.

use hubferry_mapping::{Mapping, PathDialect};
use serde_json::{Value, json};

use super::{Is, check, check_directive, value};

fn check_paths(rows: Vec<(&str, Value, Is)>) {
    check_directive(
        "@path",
        rows.into_iter()
            .map(|(path, event, expected)| (json!(path), event, expected))
            .collect(),
    );
}

#[test]
fn s3_the_path_table() {
    let ab = || json!({"a": {"b": 1}});
    let arr = || json!({"arr": [{"x": 1}]});
    check_paths(vec![
        ("", ab(), value(ab())),
        ("$.", ab(), value(ab())),
        (".", ab(), value(ab())),
        ("$", json!({"$": {"v": 2}}), value(json!({"v": 2}))),
        ("$.a.b", ab(), value(json!(1))),
        ("a.b", ab(), value(json!(1))),
        (".a.b", ab(), value(json!(1))),
        ("a.b.", ab(), value(json!(1))),
        ("a..b", ab(), value(json!(1))),
        ("q.$.w", json!({"q": {"w": 1}}), value(json!(1))),
        ("arr[0].x", arr(), value(json!(1))),
        ("arr.0.x", arr(), value(json!(1))),
        ("arr[0.x", arr(), value(json!(1))),
        ("arr2[0][1]", json!({"arr2": [[1, 2]]}), value(json!(2))),
        ("arr[-1]", json!({"arr": [1]}), Is::Undefined),
        ("a['b']", ab(), value(json!(1))),
        ("a[\"b\"]", ab(), value(json!(1))),
        ("a[b]", ab(), Is::Undefined),
        ("x[y]", json!({"x[y]": 7}), value(json!(7))),
        ("k.e", json!({"k.e": 3}), Is::Undefined),
        ("k\\.e", json!({"k.e": 3}), Is::Undefined),
        ("['k.e']", json!({"k.e": 3}), Is::Undefined),
        ("a b", json!({"a b": 1}), value(json!(1))),
        (
            "integrations.My App.id",
            json!({"integrations": {"My App": {"id": 9}}}),
            value(json!(9)),
        ),
        (" a", json!({"a": 1}), Is::Undefined),
        ("n.q", json!({"n": null}), value(json!(null))),
        ("z.q", json!({"z": 0}), value(json!(0))),
        ("f.q", json!({"f": false}), value(json!(false))),
        ("e.q", json!({"e": ""}), value(json!(""))),
        ("nope.q", json!({}), Is::Undefined),
        ("s.q", json!({"s": "str"}), Is::Undefined),
        ("arr.length", json!({"arr": [1, 2]}), value(json!(2))),
        ("s.length", json!({"s": "a😀"}), value(json!(3))),
        ("s[0]", json!({"s": "str"}), value(json!("s"))),
        ("0", json!({"0": "zero"}), value(json!("zero"))),
    ]);
}

#[test]
fn s3_h_built_in_members_do_not_exist() {
    for name in [
        "constructor",
        "__proto__",
        "toString",
        "hasOwnProperty",
        "map",
    ] {
        for event in [
            json!({"v": {}}),
            json!({"v": []}),
            json!({"v": "s"}),
            json!({"v": 5}),
        ] {
            check_paths(vec![(&format!("v.{name}"), event, Is::Undefined)]);
        }
        check_paths(vec![(name, json!({}), Is::Undefined)]);
    }
    check_paths(vec![(
        "toString",
        json!({"toString": "own"}),
        value(json!("own")),
    )]);
}

#[test]
fn s3_h_the_extended_dialect_reaches_keys_with_dots() {
    let event = json!({"k.e": 3, "a": {"b": 1}});
    for (path, expected) in [
        ("k\\.e", json!({"x": 3})),
        ("['k.e']", json!({"x": 3})),
        ("$.a.b", json!({"x": 1})),
        ("k.e", json!({})),
    ] {
        let mapping = json!({"x": {"@path": path}});
        let extended = Mapping::compile_with(&mapping, PathDialect::Extended).unwrap();
        assert_eq!(extended.resolve(&event), Ok(Some(expected)), "{path}");
    }
}

#[test]
fn s4_1_path() {
    check(vec![
        (
            json!({"@path": {"@path": "$.foo"}}),
            json!({"foo": "bar", "bar": "baz"}),
            value(json!("baz")),
        ),
        (json!({"@path": {"@path": "n"}}), json!({"n": 5}), Is::Error),
        (json!({"@path": {"@path": "no"}}), json!({}), Is::Error),
        (json!({"@path": 5}), json!({}), Is::Invalid),
        (json!({"@path": null}), json!({}), Is::Invalid),
        (json!({"@path": ["a"]}), json!({}), Is::Invalid),
        (json!({"@path": {"a": "b"}}), json!({}), Is::Invalid),
    ]);
}

#[test]
fn s3_whole_values_keep_their_digits() {
    for digits in [
        "9007199254740991",
        "12345678901234567890",
        "-0.1234567890123456789012345",
        "1e400",
    ] {
        let event: Value = serde_json::from_str(&format!("{{\"n\":{digits}}}")).unwrap();
        let mapping = Mapping::compile(&json!({"x": {"@path": "n"}})).unwrap();
        let payload = mapping.resolve(&event).unwrap().unwrap();
        assert_eq!(payload["x"], event["n"]);
    }
}
