use std::time::Duration;

use serde_json::{Value, json};

use super::{Portal, calm, text};
use crate::SimSettings;

const SEARCH: &str = "/crm/objects/2026-03/companies/search";

fn names(body: &Value) -> Vec<String> {
    body["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| text(&one["properties"]["name"]))
        .collect()
}

async fn filled() -> Portal {
    let portal = Portal::calm().await;
    for (name, domain, industry, employees) in [
        ("Acme", "acme.io", "BANKING", "7"),
        ("Beta", "beta.io", "RETAIL", "70"),
        ("acme", "other.io", "BANKING", "700"),
    ] {
        let properties = json!({"name": name, "domain": domain, "industry": industry, "numberofemployees": employees});
        let (status, _) = portal
            .post(
                "/crm/v3/objects/companies",
                json!({"properties": properties}),
            )
            .await;
        assert_eq!(status, 201);
    }
    portal
}

#[tokio::test]
async fn groups_are_alternatives_and_filters_add_up() {
    let portal = filled().await;
    let filter = |name: &str, operator: &str, value: Value| json!({"propertyName": name, "operator": operator, "value": value});
    let list = |name: &str, values: Value| json!({"propertyName": name, "operator": "IN", "values": values});
    let rows = [
        (
            json!([[filter("name", "EQ", json!("ACME"))]]),
            vec!["Acme", "acme"],
        ),
        (
            json!([[
                filter("name", "EQ", json!("acme")),
                filter("domain", "EQ", json!("other.io"))
            ]]),
            vec!["acme"],
        ),
        (
            json!([
                [filter("name", "EQ", json!("beta"))],
                [filter("domain", "EQ", json!("acme.io"))]
            ]),
            vec!["Acme", "Beta"],
        ),
        (
            json!([[list("name", json!(["beta", "nobody"]))]]),
            vec!["Beta"],
        ),
        (json!([[list("name", json!(["Beta"]))]]), vec![]),
        (
            json!([[filter("industry", "EQ", json!("banking"))]]),
            vec![],
        ),
        (
            json!([[filter("industry", "EQ", json!("BANKING"))]]),
            vec!["Acme", "acme"],
        ),
        (
            json!([[filter("numberofemployees", "GT", json!(69))]]),
            vec!["Beta", "acme"],
        ),
        (
            json!([[filter("numberofemployees", "EQ", json!("7.0"))]]),
            vec!["Acme"],
        ),
        (
            json!([[{"propertyName": "phone", "operator": "HAS_PROPERTY"}]]),
            vec![],
        ),
        (
            json!([[{"propertyName": "phone", "operator": "NOT_HAS_PROPERTY"}]]),
            vec!["Acme", "Beta", "acme"],
        ),
    ];
    for (groups, expected) in rows {
        let groups: Vec<Value> = groups
            .as_array()
            .unwrap()
            .iter()
            .map(|filters| json!({"filters": filters}))
            .collect();
        let (status, body) = portal
            .post(
                SEARCH,
                json!({"filterGroups": groups, "properties": ["name"]}),
            )
            .await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(names(&body), expected, "{groups:?}");
    }
}

#[tokio::test]
async fn sorting_paging_and_text() {
    let portal = filled().await;
    let (_, body) = portal
        .post(
            SEARCH,
            json!({"sorts": [{"propertyName": "domain", "direction": "DESCENDING"}], "limit": 2}),
        )
        .await;
    assert_eq!(
        (
            names(&body),
            &body["total"],
            &body["paging"]["next"]["after"]
        ),
        (
            vec!["acme".to_owned(), "Beta".to_owned()],
            &json!(3),
            &json!("2")
        )
    );
    let (_, body) = portal
        .post(
            SEARCH,
            json!({"sorts": ["domain"], "limit": 2, "after": "2"}),
        )
        .await;
    assert_eq!(
        (names(&body), body.get("paging")),
        (vec!["acme".to_owned()], None)
    );
    let (_, body) = portal.post(SEARCH, json!({"query": "other"})).await;
    assert_eq!(names(&body), ["acme"]);
}

#[tokio::test]
async fn refused_searches() {
    let portal = Portal::calm().await;
    let filters = |count: usize| json!({"filters": vec![json!({"propertyName": "name", "operator": "HAS_PROPERTY"}); count]});
    let rows = [
        json!({"filterGroups": [{"filters": [{"propertyName": "nope", "operator": "EQ", "value": "1"}]}]}),
        json!({"filterGroups": [{"filters": [{"propertyName": "name", "operator": "EQ"}]}]}),
        json!({"filterGroups": [{"filters": [{"propertyName": "name", "operator": "LIKE", "value": "1"}]}]}),
        json!({"filterGroups": vec![filters(1); 6]}),
        json!({"filterGroups": [filters(7)]}),
        json!({"limit": 201}),
        json!({"limit": 100, "after": "9901"}),
        json!({"sorts": ["nope"]}),
        json!({"query": "x".repeat(3_001)}),
    ];
    for body in rows {
        assert_eq!(portal.post(SEARCH, body.clone()).await.0, 400, "{body}");
    }
}

#[tokio::test]
async fn a_fresh_record_can_be_missing() {
    let portal = Portal::start(SimSettings {
        search_lag: Duration::from_secs(3_600),
        ..calm()
    })
    .await;
    portal.company("Acme").await;
    let (_, body) = portal.post(SEARCH, json!({})).await;
    assert_eq!(body["total"], 0);
}

#[tokio::test]
async fn text_is_compared_as_text_and_numbers_as_numbers() {
    let portal = Portal::calm().await;
    let company = portal
        .record(
            "companies",
            json!({"name": "007", "numberofemployees": "12.0", "founded_year": "1999"}),
        )
        .await;
    let rows = [
        ("name", "007", 1),
        ("name", "7", 0),
        ("numberofemployees", "12", 1),
        ("founded_year", "1999", 1),
        ("founded_year", "1999.0", 0),
        ("hs_object_id", company.as_str(), 1),
        ("hs_object_id", "5", 0),
    ];
    for (name, value, expected) in rows {
        let body = json!({"filterGroups": [{"filters": [{"propertyName": name, "operator": "EQ", "value": value}]}]});
        let (_, found) = portal
            .post("/crm/objects/2026-03/companies/search", body)
            .await;
        assert_eq!(found["total"], expected, "{name} {value}");
    }
}

#[tokio::test]
async fn no_query_shows_more_than_ten_thousand_results() {
    let portal = Portal::calm().await;
    let search = "/crm/objects/2026-03/contacts/search";
    for (after, expected) in [("9800", 200), ("9801", 400)] {
        let (status, _) = portal
            .post(search, json!({"limit": 200, "after": after}))
            .await;
        assert_eq!(status, expected, "{after}");
    }
}
