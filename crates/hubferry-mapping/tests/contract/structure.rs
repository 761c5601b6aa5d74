//! §1, §2, §5, §6: what a mapping is made of.

use hubferry_mapping::{Mapping, ResolveError};
use serde_json::{Value, json};

use super::{Is, check, outcome, value};

/// The places of a mapping's faults.
fn places(mapping: &Value) -> Vec<String> {
    match Mapping::compile(mapping) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.into_iter().map(|fault| fault.location).collect(),
    }
}

#[test]
fn s1_resolving_changes_neither_mapping_nor_event() {
    let json = json!({"x": {"@replace": {"pattern": "a", "value": {"@path": "$.s"}}}});
    let before = json.clone();
    let mapping = Mapping::compile(&json).unwrap();
    for text in ["banana", "a"] {
        let event = json!({ "s": text });
        let first = mapping.resolve(&event);
        assert_eq!(first, mapping.resolve(&event));
    }
    assert_eq!(json, before);
}

#[test]
fn s1_an_error_is_of_its_event_alone() {
    let mapping = Mapping::compile(&json!({"x": {"@path": {"@path": "$.p"}}})).unwrap();
    assert!(mapping.resolve(&json!({"p": 5})).is_err());
    assert_eq!(
        mapping.resolve(&json!({"p": "a", "a": 1})),
        Ok(Some(json!({"x": 1})))
    );
}

#[test]
fn s1_reserved_members_are_resolved_like_any_field() {
    let mapping = Mapping::compile(&json!({
        "__segment_internal_sync_mode": "upsert",
        "__segment_internal_matching_key": {"@path": "$.k"},
    }))
    .unwrap();
    assert_eq!(
        mapping.resolve(&json!({"k": "v"})),
        Ok(Some(
            json!({"__segment_internal_sync_mode": "upsert", "__segment_internal_matching_key": "v"})
        ))
    );
}

#[test]
fn s2_values_and_directives() {
    check(vec![
        (json!(1), json!({}), value(json!(1))),
        (
            json!({"a": [{"@path": "k"}, {"b": {"@path": "k"}}]}),
            json!({"k": 1}),
            value(json!({"a": [1, {"b": 1}]})),
        ),
        (
            json!({"@path": "k", "_metadata": {"any": "thing"}}),
            json!({"k": 1}),
            value(json!(1)),
        ),
        (
            json!({"_metadata": 1}),
            json!({}),
            value(json!({"_metadata": 1})),
        ),
        (json!({"@Path": "k"}), json!({}), Is::Invalid),
    ]);
}

#[test]
fn s2_1_structural_validation() {
    for (mapping, expected) in [
        (json!({"x": {"@path": "a", "@template": "b"}}), vec!["/x"]),
        (json!({"x": {"@path": "a", "x": 1}}), vec!["/x"]),
        (json!({"x": {"@oops": 1}}), vec!["/x"]),
        (
            json!({"obj": {"@path": "a", "y": 1}, "hash": {"@template": 5}, "fine": 1}),
            vec!["/obj", "/hash/@template"],
        ),
    ] {
        let mut found = places(&mapping);
        let mut expected: Vec<String> = expected.into_iter().map(String::from).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{mapping}");
    }
    let faults = Mapping::compile(&json!({"x": {"@oops": 1}})).unwrap_err();
    assert!(faults[0].message.contains("@oops"));
    let faults = Mapping::compile(&json!({"x": {"@path": "a", "@template": "b"}})).unwrap_err();
    assert!(faults[0].message.contains("more than one directive"));
}

#[test]
fn s2_1_h_the_walk_leaves_nothing_out() {
    check(vec![
        (json!([{"@oops": 1}]), json!({}), Is::Invalid),
        (
            json!({"@literal": {"k": {"@oops": 1}}}),
            json!({}),
            Is::Invalid,
        ),
        (
            json!({"@excludeWhenNull": {"k": [{"@oops": 1}]}}),
            json!({}),
            Is::Invalid,
        ),
    ]);
}

#[test]
fn s2_1_h_what_the_text_alone_shows_is_found_when_loaded() {
    let long = "x".repeat(11);
    for node in [
        json!({"@if": {"then": 1}}),
        json!({"@merge": {"objects": []}}),
        json!({"@case": {"value": "a"}}),
        json!({"@case": {"value": "a", "operator": "LOWER"}}),
        json!({"@replace": {"pattern": "a", "value": "b", "pattern2": long}}),
        json!({"@liquid": "x".repeat(1001)}),
        json!({"@liquid": "{% if a %}{% for x in l %}{% endfor %}{% endif %}"}),
    ] {
        assert_eq!(outcome(&node, &json!({})), Is::Invalid, "{node}");
    }
}

#[test]
fn s2_1_h_only_an_object_is_a_mapping() {
    for mapping in [json!("s"), json!([]), json!(null), json!(5)] {
        assert_eq!(places(&mapping), ["/"], "{mapping}");
    }
}

#[test]
fn s2_2_undefined_in_containers() {
    check(vec![
        (
            json!([{"@path": "s"}, {"@path": "nope"}, null]),
            json!({"s": "str"}),
            value(json!(["str", null, null])),
        ),
        (
            json!({"y": {"z": {"@path": "nope"}}}),
            json!({}),
            value(json!({"y": {}})),
        ),
        (json!({"@path": "nope"}), json!({}), Is::Undefined),
        (json!(null), json!({}), value(json!(null))),
    ]);
    let whole =
        Mapping::compile(&json!({"__segment_internal_directive": {"@path": {"a": 1}}})).is_err();
    assert!(whole);
    let nothing =
        json!({"__segment_internal_directive": {"@if": {"exists": {"@path": "no"}, "then": 1}}});
    assert_eq!(
        Mapping::compile(&nothing).unwrap().resolve(&json!({})),
        Ok(None)
    );
}

#[test]
fn s5_root_directive() {
    let resolve =
        |mapping: Value, event: Value| Mapping::compile(&mapping).unwrap().resolve(&event);
    assert_eq!(
        resolve(
            json!({"__segment_internal_directive": {"@transform": {"apply": {"k": {"@path": "a.b"}}}}, "y": {"@path": "k"}}),
            json!({"a": {"b": 1}})
        ),
        Ok(Some(json!({"y": 1})))
    );
    assert_eq!(
        resolve(
            json!({"__segment_internal_directive": {"@flatten": {"value": {"@path": "a"}, "separator": "."}}, "y": 1}),
            json!({"a": {"b": {"c": 1}}})
        ),
        Ok(Some(json!({"b.c": 1})))
    );
    for wrong in [
        json!(5),
        json!({}),
        json!({"@transform": 5}),
        json!({"@transform": {}, "@flatten": {}}),
    ] {
        assert_eq!(
            places(&json!({"__segment_internal_directive": wrong})),
            ["/__segment_internal_directive"],
            "{wrong}"
        );
    }
}

#[test]
fn s6_the_event_is_an_object() {
    let mapping = Mapping::compile(&json!({"x": 1})).unwrap();
    for event in [json!([]), json!(null), json!(5), json!("s"), json!(true)] {
        assert!(
            matches!(
                mapping.resolve(&event),
                Err(ResolveError::EventNotObject { .. })
            ),
            "{event}"
        );
    }
    assert_eq!(mapping.resolve(&json!({})), Ok(Some(json!({"x": 1}))));
}
