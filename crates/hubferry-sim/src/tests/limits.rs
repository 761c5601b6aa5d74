use serde_json::json;

use super::{Portal, seen};
use crate::SimSettings;

#[tokio::test]
async fn one_call_too_many_gets_exactly_one_429_with_the_headers() {
    let portal = Portal::start(SimSettings {
        ten_seconds: 5,
        ..SimSettings::default()
    })
    .await;
    let mut statuses = Vec::new();
    for call in 1..=6_i64 {
        let response = portal
            .request("GET", "/crm/objects/2026-03/contacts")
            .send()
            .await
            .unwrap();
        let header = |name: &str| {
            response.headers()[name]
                .to_str()
                .unwrap()
                .parse::<i64>()
                .unwrap()
        };
        assert_eq!(header("x-hubspot-ratelimit-max"), 5);
        assert_eq!(header("x-hubspot-ratelimit-remaining"), (5 - call).max(0));
        assert_eq!(header("x-hubspot-ratelimit-interval-milliseconds"), 10_000);
        assert_eq!(
            header("x-hubspot-ratelimit-daily-remaining"),
            250_000 - call
        );
        assert!(!response.headers().contains_key("retry-after"));
        let (status, body) = seen(response).await;
        statuses.push(status);
        if status == 429 {
            assert_eq!(
                (&body["policyName"], &body["errorType"]),
                (&json!("TEN_SECONDLY_ROLLING"), &json!("RATE_LIMIT"))
            );
            assert!(body.get("category").is_none());
        }
    }
    assert_eq!(statuses, [200, 200, 200, 200, 200, 429]);
    let summary = portal.simulator.state().summary();
    assert_eq!((summary.throttled, summary.worst_ten_seconds), (1, 6));
}

#[tokio::test]
async fn searches_and_associations_have_limits_and_headers_of_their_own() {
    let settings = SimSettings {
        ten_seconds: 1,
        search_per_second: 1,
        associations_ten_seconds: 1,
        ..SimSettings::default()
    };
    let portal = Portal::start(settings).await;
    let read = "/crm/associations/2026-03/contacts/companies/batch/read";
    for (path, body) in [
        ("/crm/objects/2026-03/contacts/search", json!({})),
        (read, json!({"inputs": []})),
    ] {
        let response = portal
            .request("POST", path)
            .json(&body)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
        assert!(response.headers().contains_key("x-hubspot-ratelimit-daily"));
        assert!(!response.headers().contains_key("x-hubspot-ratelimit-max"));
    }
    assert_eq!(portal.post(read, json!({"inputs": []})).await.0, 429);
    assert_eq!(
        portal.get("/crm/objects/2026-03/contacts").await.0,
        200,
        "the general bucket was not touched"
    );
}

#[tokio::test]
async fn a_spent_day_refuses_everything_that_counts() {
    let portal = Portal::start(SimSettings {
        daily: 1,
        ..SimSettings::default()
    })
    .await;
    assert_eq!(portal.get("/crm/v3/objects/contacts").await.0, 200);
    let (status, body) = portal
        .post("/crm/v3/objects/contacts/search", json!({}))
        .await;
    assert_eq!((status, &body["policyName"]), (429, &json!("DAILY")));
}
