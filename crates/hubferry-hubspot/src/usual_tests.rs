//! The quick reading says what the careful one says, or nothing.

use std::sync::Arc;

use bytes::Bytes;
use hubferry_actions::{ObjectType, PropertyName, RecordId};
use proptest::collection::vec;
use proptest::prelude::*;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::written;
use crate::answer::{Answer, with_care};
use crate::call::{Request, StepId, UpdateInput, UpsertInput};

fn upsert(unique: &str, values: &[String]) -> Request {
    let input = |(step, value): (u64, &String)| UpsertInput {
        step: StepId(step),
        value: Arc::from(value.as_str()),
        properties: [].into_iter().collect(),
    };
    Request::Upsert {
        object: ObjectType::contacts(),
        id_property: PropertyName::new(unique),
        inputs: (1..).zip(values).map(input).collect(),
    }
}

fn update(ids: &[String]) -> Request {
    let input = |(step, id): (u64, &String)| UpdateInput {
        step: StepId(step),
        id: RecordId::new(id),
        properties: [].into_iter().collect(),
    };
    Request::Update {
        object: ObjectType::contacts(),
        inputs: (1..).zip(ids).map(input).collect(),
    }
}

fn quick(request: &Request, body: &Value) -> Option<String> {
    written(request, body.to_string().as_bytes()).map(|outcomes| format!("{outcomes:?}"))
}

fn careful(request: &Request, body: &Value) -> String {
    let answer = Answer {
        status: 200,
        headers: HeaderMap::new(),
        body: Bytes::from(body.to_string()),
    };
    format!("{:?}", with_care(request, &answer, None))
}

fn emails(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("p{n}@example.com")).collect()
}

fn contact(n: usize) -> Value {
    json!({"id": format!("10{n}"), "new": n == 0, "archived": false, "createdAt": "2026-01-01T00:00:00Z",
        "properties": {"createdate": "2026-01-01", "email": format!("p{n}@example.com"), "lifecyclestage": "lead"}})
}

#[test]
fn a_full_answer_is_read_whatever_its_order() {
    let request = upsert("email", &emails(3));
    let body = json!({"status": "COMPLETE", "results": [contact(2), contact(0), contact(1)]});
    let read = quick(&request, &body);
    assert_eq!(read, Some(careful(&request, &body)));
    assert!(read.unwrap().contains("\"101\""), "the second record");
    let errors = json!({"status": "COMPLETE", "results": [contact(2), contact(0), contact(1)], "errors": []});
    assert_eq!(quick(&request, &errors), Some(careful(&request, &errors)));
}

#[test]
fn updates_are_told_apart_by_their_id() {
    let request = update(&["101".to_owned(), "102".to_owned()]);
    let body = json!({"results": [contact(2), contact(1)]});
    assert_eq!(quick(&request, &body), Some(careful(&request, &body)));
}

#[test]
fn anything_unusual_is_left_to_the_careful_reading() {
    let with = |key: &str, value: Value| {
        let mut changed = contact(1);
        match key.split_once('.') {
            Some((outer, inner)) => changed[outer][inner] = value,
            None => changed[key] = value,
        }
        json!({"results": [contact(0), changed]})
    };
    let cases = [
        json!({"results": [contact(0)]}),
        json!({"results": [contact(0), contact(0)]}),
        json!({"results": [contact(0), contact(1), contact(2)]}),
        json!({"results": [contact(0), contact(1)], "errors": [{"message": "no"}]}),
        json!({"errors": []}),
        json!([contact(0), contact(1)]),
        json!({"results": null}),
        with("id", json!("")),
        with("id", json!(101)),
        with("new", json!("true")),
        with("properties", json!(null)),
        with("properties.email", json!("somebody@example.com")),
        with("properties.email", json!(null)),
        with("properties.lifecyclestage", json!(7)),
        with("objectWriteTraceId", json!("99")),
    ];
    let request = upsert("email", &emails(2));
    for body in cases {
        assert_eq!(quick(&request, &body), None, "{body}");
    }
    let cut = json!({"results": [contact(0), contact(1)]}).to_string();
    assert!(written(&request, &cut.as_bytes()[..cut.len() - 1]).is_none());
    assert!(
        written(
            &upsert("email", &[emails(1), emails(1)].concat()),
            cut.as_bytes()
        )
        .is_none()
    );
}

/// A result as HubSpot might show it: of some input, by some of its names, with something missing.
fn result() -> impl Strategy<Value = Value> {
    let value = prop_oneof![
        4 => (0..4usize).prop_map(|n| json!(format!("p{n}@example.com"))),
        1 => (0..4usize).prop_map(|n| json!(format!(" P{n}@Example.com "))),
        1 => Just(json!(null)),
    ];
    let trace =
        prop_oneof![3 => Just(json!(null)), 1 => (1..5u64).prop_map(|n| json!(n.to_string()))];
    let new = prop_oneof![Just(json!(true)), Just(json!(false)), Just(json!(null))];
    let stage = prop_oneof![Just(json!("lead")), Just(json!(null))];
    let more = prop_oneof![3 => Just(json!(null)), 1 => (0..4usize).prop_map(|n| json!(format!("p{n}@example.com;x@y.z")))];
    (0..9u32, value, trace, new, stage, more).prop_map(|(id, value, trace, new, stage, more)| {
        json!({"id": id.to_string(), "new": new, "objectWriteTraceId": trace,
            "properties": {"email": value, "lifecyclestage": stage, "hs_additional_emails": more, "a": {"b": [1]}}})
    })
}

proptest! {
    #[test]
    fn what_is_read_quickly_is_what_care_would_read(results in vec(result(), 0..5), count in 1..5usize) {
        let body = json!({"results": results});
        for request in [upsert("email", &emails(count)), update(&(0..count).map(|n| n.to_string()).collect::<Vec<_>>())] {
            if let Some(read) = quick(&request, &body) {
                prop_assert_eq!(read, careful(&request, &body));
            }
        }
    }
}
