//! What one event may cost, whatever it holds and whatever the mapping says.

use serde_json::json;

use super::*;
use crate::{MAX_MAPPING_DEPTH, MAX_RESOLVE_STEPS};

fn resolve(node: &Value, event: &Value) -> Result<Option<Value>, ResolveError> {
    let mapping = Mapping::compile(&json!({ "x": node })).unwrap();
    mapping.resolve(event)
}

#[test]
fn mappings_have_a_depth() {
    // The mapping itself and the member of each level count.
    let nested = |levels: usize| (1..levels).fold(json!(1), |inner, _| json!({ "a": inner }));
    assert!(Mapping::compile(&nested(MAX_MAPPING_DEPTH)).is_ok());
    let faults = Mapping::compile(&nested(MAX_MAPPING_DEPTH + 1)).unwrap_err();
    assert_eq!(faults[0].message, "nests deeper than 128 levels");
    assert_eq!(faults[0].location, "/a".repeat(MAX_MAPPING_DEPTH));
    let lists = (0..300).fold(json!(1), |inner, _| json!([inner]));
    let directives = (0..300).fold(json!(1), |inner, _| json!({ "@literal": inner }));
    for json in [json!({ "x": lists }), json!({ "x": directives })] {
        assert_eq!(Mapping::compile(&json).unwrap_err().len(), 1);
    }
}

#[test]
fn steps_are_counted_before_they_are_taken() {
    let list: Vec<Value> = (0..MAX_RESOLVE_STEPS / 3).map(Value::from).collect();
    let each = json!({"@arrayPath": ["l", {"y": {"@path": ""}, "z": {"@path": "q"}}]});
    assert_eq!(
        resolve(&each, &json!({ "l": list })),
        Err(ResolveError::TooManySteps)
    );
    let spread = json!({"@merge": {"objects": [{"@path": "t"}], "direction": "right"}});
    let text = "x".repeat(MAX_RESOLVE_STEPS);
    assert_eq!(
        resolve(&spread, &json!({ "t": text })),
        Err(ResolveError::TooManySteps)
    );
    let flat = json!({"@flatten": {"value": {"@path": "l"}, "separator": "."}});
    let leaves = vec![0; MAX_RESOLVE_STEPS];
    assert_eq!(
        resolve(&flat, &json!({ "l": leaves })).err(),
        Some(ResolveError::TooManySteps)
    );
    let liquid = json!({"@liquid": "{% assign n = (1..99900) | size %}"});
    let six: Vec<Value> = (0..6).map(|_| liquid.clone()).collect();
    assert_eq!(
        resolve(&json!(six), &json!({})),
        Err(ResolveError::TooManySteps)
    );
}

#[test]
fn bytes_are_counted_before_they_are_made() {
    let megabyte = "x".repeat(1 << 20);
    let many = vec![0; 20_000];
    let list: Vec<Value> = (0..200_000).map(Value::from).collect();
    // Each level holds the one before twice.
    let doubling = (0..60).fold(json!({"a": {"@path": "t"}}), |inner, _| {
        json!({"@transform": {"apply": inner, "mapping": {"a": [{"@path": "a"}, {"@path": "a"}]}}})
    });
    let copies: Vec<Value> = (0..100).map(|_| json!({"@path": "t"})).collect();
    let templates = json!({"@template": "{{t}}".repeat(100)});
    let tens = "x".repeat(10);
    let swaps = json!({"@replace": {
        "pattern": "x", "replacement": tens, "pattern2": "x", "replacement2": tens, "value": {"@path": "t"},
    }});
    // A long key before many leaves is the key as many times.
    let flat = json!({"@flatten": {"separator": ".", "value": {"@path": "deep"}}});
    let shaped = json!({"@arrayPath": ["l", {"y": "0123456789".repeat(100)}]});
    let keyed = json!({"@arrayPath": ["few", {"0123456789".repeat(1000): {"@path": ""}}]});
    let decoded: Vec<Value> = (0..20)
        .map(|_| json!({"@json": {"mode": "decode", "value": {"@path": "j"}}}))
        .collect();
    let encoded = json!({"@json": {"mode": "encode", "value": copies.clone()}});
    let liquids: Vec<Value> = (0..100).map(|_| json!({"@liquid": "{{ t }}"})).collect();
    let event = json!({
        "t": megabyte,
        "deep": {megabyte.clone(): many.clone()},
        "l": list,
        "few": many,
        "j": format!("[{}0]", "0,".repeat(200_000)),
    });
    for (name, node) in [
        ("doubling", doubling),
        ("copies", json!(copies)),
        ("templates", templates),
        ("swaps", swaps),
        ("flat", flat),
        ("shaped", shaped),
        ("keyed", keyed),
        ("decoded", json!(decoded)),
        ("encoded", encoded),
        ("liquids", json!(liquids)),
    ] {
        assert_eq!(
            resolve(&node, &event).err(),
            Some(ResolveError::TooManyBytes),
            "{name}"
        );
    }
    let fits = json!([{"@path": "t"}, {"@template": "{{t}}{{t}}"}]);
    assert!(resolve(&fits, &json!({ "t": megabyte })).is_ok());
}

/// In quadratic time these would take hours.
#[test]
fn texts_of_braces_take_linear_time() {
    let template = json!({"@template": {"@path": "t"}});
    for text in [
        "{".repeat(2_000_000),
        "{{".repeat(500_000) + &"}".repeat(1_000_000),
    ] {
        let event = json!({ "t": text });
        assert!(resolve(&template, &event).is_ok());
    }
    let path = json!({"@path": {"@path": "t"}});
    for text in [
        "[".repeat(2_000_000),
        "a.".repeat(1_000_000),
        "]".repeat(2_000_000),
    ] {
        assert!(resolve(&path, &json!({ "t": text })).is_ok());
    }
}

#[test]
fn twice_the_fields_cost_twice_the_steps() {
    let event = json!({"traits": {"email": "a@b.co", "name": "Ada", "n": 5}});
    let spent = |fields: usize| {
        let members: Map<String, Value> = (0..fields)
            .map(|index| {
                let node = match index % 4 {
                    0 => json!({"@path": "$.traits.email"}),
                    1 => json!({"@template": "{{traits.name}} {{traits.n}}"}),
                    2 => {
                        json!({"@if": {"exists": {"@path": "traits.n"}, "then": "y", "else": "n"}})
                    }
                    _ => json!({"@liquid": "{{ traits.name | upcase }}"}),
                };
                (format!("field_{index:04}"), node)
            })
            .collect();
        let mapping = Mapping::compile(&Value::Object(members)).unwrap();
        let budget = Budget::default();
        let payload = mapping
            .resolve_within((&event).into(), &budget)
            .unwrap()
            .unwrap();
        assert_eq!(payload.as_object().unwrap().len(), fields);
        budget.spent()
    };
    let (steps, bytes) = spent(200);
    // The mapping itself is one step more, whatever its size.
    assert_eq!(spent(400), (2 * steps - 1, 2 * bytes));
    assert_eq!(spent(2000), (10 * steps - 9, 10 * bytes));
}

#[test]
fn large_merges_take_linear_time() {
    let many: Map<String, Value> = (0..50_000).map(|i| (format!("k{i}"), json!(i))).collect();
    let event = json!({"a": many, "b": many});
    let merged = resolve(
        &json!({"@merge": {"objects": [{"@path": "a"}, {"@path": "b"}], "direction": "right"}}),
        &event,
    );
    assert_eq!(
        merged.unwrap().unwrap()["x"].as_object().unwrap().len(),
        50_000
    );
}
