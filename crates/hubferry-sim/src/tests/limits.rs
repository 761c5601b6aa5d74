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

#[tokio::test]
async fn event_sends_have_a_limit_of_their_own_and_no_daily_one() {
    let settings = SimSettings {
        events_per_second: 2,
        ten_seconds: 1,
        daily: 0,
        ..SimSettings::sample()
    };
    let portal = Portal::start(settings).await;
    let input = serde_json::json!({"eventName": "pe891936587_page_viewed", "email": "a@b.io", "properties": {}});
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let response = portal
            .request("POST", "/events/2026-03/send")
            .json(&input)
            .send()
            .await
            .unwrap();
        assert!(!response.headers().contains_key("x-hubspot-ratelimit-daily"));
        assert!(!response.headers().contains_key("x-hubspot-ratelimit-max"));
        statuses.push(response.status().as_u16());
    }
    assert_eq!(statuses, [204, 204, 429]);
}

#[tokio::test]
async fn the_windows_show_the_worst_and_every_arrival() {
    let portal = Portal::start(SimSettings {
        ten_seconds: 2,
        ..SimSettings::default()
    })
    .await;
    for _ in 0..3 {
        portal.get("/crm/objects/2026-03/contacts").await;
    }
    let (_, windows) = portal.get("/sim/windows?times=true").await;
    let burst = &windows["ten_seconds"];
    assert_eq!(
        (&burst["limit"], &burst["worst"], &burst["refused"]),
        (&json!(2), &json!(3), &json!(1))
    );
    assert_eq!(burst["times"].as_array().unwrap().len(), 3);
    let (_, windows) = portal.get("/sim/windows").await;
    assert!(windows["ten_seconds"].get("times").is_none());
    for name in ["search", "associations", "events"] {
        assert_eq!(windows[name]["counted"], 0, "{name}");
    }
}

#[tokio::test]
async fn another_program_takes_its_part_of_every_window_and_of_the_day() {
    let portal = Portal::start(SimSettings {
        ten_seconds: 4,
        daily: 10,
        ..SimSettings::default()
    })
    .await;
    portal
        .switch(json!({"foreign": {"share": 0.5, "used_today": 7}}))
        .await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        let response = portal
            .request("GET", "/crm/objects/2026-03/contacts")
            .send()
            .await
            .unwrap();
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        seen.push((
            response.status().as_u16(),
            header("x-hubspot-ratelimit-remaining"),
            header("x-hubspot-ratelimit-daily-remaining"),
        ));
    }
    let row =
        |status, remaining: &str, daily: &str| (status, remaining.to_owned(), daily.to_owned());
    assert_eq!(
        seen,
        [row(200, "1", "2"), row(200, "0", "1"), row(429, "0", "0")]
    );
    portal.switch(json!({"foreign": {}})).await;
    let path = "/account-info/2026-03/api-usage/daily/private-apps";
    assert_eq!(portal.get(path).await.1["results"][0]["currentUsage"], 4);
    portal
        .switch(json!({"foreign": {"share": 1.0, "random": true, "used_today": 10}}))
        .await;
    let (status, body) = portal
        .post("/crm/objects/2026-03/contacts/search", json!({}))
        .await;
    assert_eq!(status, 429, "{body}");
}

#[tokio::test]
async fn answers_can_be_delayed_and_arrivals_still_count_at_once() {
    let portal = Portal::calm().await;
    portal.switch(json!({"latency_ms": [60_000, 60_001]})).await;
    let waiting = portal
        .request("GET", "/crm/objects/2026-03/contacts")
        .send();
    let counted = async {
        loop {
            let (_, windows) = portal.get("/sim/windows").await;
            if windows["ten_seconds"]["counted"] == 1 {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        answer = waiting => panic!("came at once: {answer:?}"),
        () = counted => (),
    }
}
