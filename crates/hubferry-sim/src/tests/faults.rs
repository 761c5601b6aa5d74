use std::time::Duration;

use serde_json::{Value, json};

use super::{Portal, calm};
use crate::{ObjectType, SimSettings};

const UPSERT: &str = "/crm/objects/2026-03/contacts/batch/upsert";

fn inputs(emails: &[&str]) -> Value {
    let inputs: Vec<Value> = emails
        .iter()
        .map(|email| json!({"id": email, "idProperty": "email", "properties": {}}))
        .collect();
    json!({"inputs": inputs})
}

async fn with_fault(then: Value) -> Portal {
    let portal = Portal::calm().await;
    assert_eq!(
        portal
            .post("/sim/faults", json!([{"then": then, "times": 1}]))
            .await
            .0,
        204
    );
    portal
}

#[tokio::test]
async fn canned_answers_replace_the_call_once() {
    let rows = [
        (
            "burst_limit",
            429,
            Some("policyName"),
            "TEN_SECONDLY_ROLLING",
        ),
        ("daily_limit", 429, Some("policyName"), "DAILY"),
        ("search_limit", 429, Some("category"), "RATE_LIMITS"),
        (
            "expired_token",
            401,
            Some("category"),
            "EXPIRED_AUTHENTICATION",
        ),
        (
            "invalid_token",
            401,
            Some("category"),
            "INVALID_AUTHENTICATION",
        ),
        ("missing_scopes", 403, Some("category"), "MISSING_SCOPES"),
        ("whole_batch_400", 400, Some("category"), "VALIDATION_ERROR"),
        ("locked", 423, None, ""),
        ("migrating", 477, None, ""),
        ("internal_error", 500, Some("message"), "internal error"),
        ("bad_gateway", 502, None, ""),
        ("unavailable", 503, None, ""),
    ];
    for (canned, expected, field, value) in rows {
        let portal = with_fault(json!({"answer": canned})).await;
        let (status, body) = portal.post(UPSERT, inputs(&["a@b.io"])).await;
        assert_eq!(status, expected, "{canned}");
        if let Some(field) = field {
            assert_eq!(body[field], value, "{canned}");
        }
        assert_eq!(portal.count(ObjectType::Contacts), 0, "{canned}");
        assert_eq!(
            portal.post(UPSERT, inputs(&["a@b.io"])).await.0,
            200,
            "{canned}"
        );
    }
}

#[tokio::test]
async fn a_move_names_the_time_to_wait_and_raw_answers_can() {
    let portal = with_fault(json!({"answer": "migrating"})).await;
    let response = portal
        .request("GET", "/crm/v3/objects/contacts")
        .send()
        .await
        .unwrap();
    assert_eq!(response.headers()["retry-after"], "30");
    let portal =
        with_fault(json!({"raw": {"status": 524, "body": "<html></html>", "retry_after": 2}}))
            .await;
    let response = portal
        .request("GET", "/crm/v3/objects/contacts")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (
            response.status().as_u16(),
            &response.headers()["retry-after"],
            &response.headers()["content-type"]
        ),
        (524, &"2".parse().unwrap(), &"text/html".parse().unwrap())
    );
}

#[tokio::test]
async fn broken_connections_with_and_without_the_write() {
    for (then, written) in [
        (json!("reset"), 0),
        (json!("reset_after_write"), 1),
        (json!({"timeout_after_write_ms": 1}), 1),
    ] {
        let portal = with_fault(then.clone()).await;
        let sent = portal
            .request("POST", UPSERT)
            .json(&inputs(&["a@b.io"]))
            .send()
            .await;
        assert!(sent.is_err(), "{then}");
        assert_eq!(portal.count(ObjectType::Contacts), written, "{then}");
        assert_eq!(
            portal.post(UPSERT, inputs(&["a@b.io"])).await.0,
            200,
            "{then}"
        );
    }
}

#[tokio::test]
async fn answers_that_do_not_add_up() {
    let emails = ["a@b.io", "b@b.io", "c@b.io"];
    let portal = with_fault(json!({"drop_results": 2})).await;
    let (status, body) = portal.post(UPSERT, inputs(&emails)).await;
    assert_eq!(
        (
            status,
            body["results"].as_array().unwrap().len(),
            portal.count(ObjectType::Contacts)
        ),
        (200, 1, 3)
    );

    let portal = with_fault(json!("empty_complete")).await;
    let (status, body) = portal.post(UPSERT, inputs(&emails)).await;
    assert_eq!(
        (status, &body["results"], portal.count(ObjectType::Contacts)),
        (200, &json!([]), 0)
    );

    let portal = with_fault(json!("anonymous_error")).await;
    let (status, body) = portal.post(UPSERT, inputs(&emails)).await;
    assert_eq!(
        (
            status,
            &body["numErrors"],
            portal.count(ObjectType::Contacts)
        ),
        (207, &json!(1), 2)
    );
    assert!(body["errors"][0].get("context").is_none());

    let portal = with_fault(json!("truncate_body")).await;
    let (status, body) = portal.post(UPSERT, inputs(&emails)).await;
    assert_eq!((status, portal.count(ObjectType::Contacts)), (200, 3));
    assert!(body.is_string(), "half of it is no JSON");
}

#[tokio::test]
async fn a_stop_does_not_wait_for_pretended_delays() {
    let latency = Duration::from_secs(3_600)..Duration::from_secs(3_601);
    let portal = Portal::start(SimSettings { latency, ..calm() }).await;
    let request = portal.request("GET", "/crm/v3/objects/contacts");
    let mut calls = tokio::task::JoinSet::new();
    calls.spawn(async move { request.send().await.is_err() });
    let state = portal.simulator.state();
    tokio::time::timeout(Duration::from_secs(30), async {
        while state.lock().meters.used_today() == 0 {
            tokio::task::yield_now().await;
        }
        portal.simulator.stop().await;
    })
    .await
    .unwrap();
    assert!(calls.join_next().await.unwrap().unwrap());
}

#[tokio::test]
async fn a_call_given_up_before_it_took_effect_is_logged_and_does_nothing() {
    let latency = Duration::from_secs(3_600)..Duration::from_secs(3_601);
    let portal = Portal::start(SimSettings { latency, ..calm() }).await;
    let request = portal
        .request("POST", UPSERT)
        .json(&inputs(&["a@b.io"]))
        .timeout(Duration::from_millis(50));
    assert!(request.send().await.is_err());
    let state = portal.simulator.state();
    tokio::time::timeout(Duration::from_secs(30), async {
        while state.calls().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    assert_eq!((state.calls()[0].status, state.calls()[0].call), (0, 1));
    assert_eq!(portal.count(ObjectType::Contacts), 0);
}

#[tokio::test]
async fn a_caller_can_be_sent_to_another_host() {
    let other = Portal::calm().await;
    let portal = Portal::calm().await;
    let base = other.simulator.base_url();
    let rules = json!([{"match": {"path_contains": "contacts"}, "then": {"redirect": {"status": 307, "base": base}}}]);
    assert_eq!(portal.post("/sim/faults", rules).await.0, 204);
    let body = json!({"properties": {"email": "a@b.io"}});
    let response = portal
        .request("POST", "/crm/objects/2026-03/contacts?x=1")
        .json(&body)
        .send()
        .await
        .unwrap();
    // The client follows with method and body; what it does with its token is its own affair.
    assert_eq!(response.url().path(), "/crm/objects/2026-03/contacts");
    assert_eq!(response.url().query(), Some("x=1"));
    assert_eq!(portal.count(crate::ObjectType::Contacts), 0);
}

#[tokio::test]
async fn a_moving_account_says_when_to_come_back() {
    let portal = Portal::calm().await;
    let rules = json!([{"then": {"raw": {"status": 477, "body": "{}", "retry_after": 3_600}}, "times": 1},
        {"then": {"answer": "migrating"}, "times": 2}]);
    assert_eq!(portal.post("/sim/faults", rules).await.0, 204);
    for expected in ["3600", "30"] {
        let response = portal
            .request("GET", "/crm/objects/2026-03/contacts")
            .send()
            .await
            .unwrap();
        let (status, after) = (
            response.status().as_u16(),
            response.headers()["retry-after"].clone(),
        );
        assert_eq!((status, after.to_str().unwrap()), (477, expected));
    }
    assert_eq!(portal.get("/crm/objects/2026-03/contacts").await.0, 200);
}
