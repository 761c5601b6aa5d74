//! The simulator over HTTP, endpoint by endpoint.
//!
//! What a faithful simulator must reproduce, and where it is shown:
//!
//! | behaviour | tests |
//! | --- | --- |
//! | unique indexes: primary and secondary e-mails, unique properties, `domain` not unique | `records`, `model` |
//! | batches: 100 inputs, duplicate ids, all or nothing, 207 with trace ids, missing ids, shuffled results, no echo | `records` |
//! | both readings of a partial upsert by e-mail | `records`, `merges` |
//! | property types and messages, 409 on create, delayed visibility, sensitive classes | `properties`, `values` |
//! | rolling windows, day, headers, 429 bodies, a second program on the same limits | `limits`, `model` |
//! | 423, 477, 5xx pages, timeouts after the write, redirects | `faults`, `merges` |
//! | tokens that end, malformed tokens, refused grants, consent, rotation, scopes by endpoint | `oauth` |
//! | search: lag, pages, 10,000 results; lifecycle stages; appended options; secondary e-mails | `search`, `merges`, `records` |
//! | lists: names in any case, manual and snapshot only, missing records | `lists` |
//! | events: 204 without a word, 500 inputs, uuids counted once, 50 properties, definitions first | `events` |
//! | associations: labels replace, pairs of types, self-association, 204 or 200, limits | `associations` |
//! | a missing `inputs` wrapper does nothing | `records` |
//! | every object type, own types, rules of 2026-09, pipelines, products | `objects` |

mod associations;
mod events;
mod faults;
mod limits;
mod lists;
mod merges;
mod model;
mod oauth;
mod objects;
mod pace;
mod properties;
mod records;
mod search;

use serde_json::{Value, json};

use crate::{ObjectType, SimSettings, Simulator};

/// A started simulator and a client for it.
pub(crate) struct Portal {
    pub(crate) simulator: Simulator,
    http: reqwest::Client,
}

/// Status and body; `null` for an empty one, text for what is no JSON.
pub(crate) type Seen = (u16, Value);

impl Portal {
    pub(crate) async fn start(settings: SimSettings) -> Self {
        Self {
            simulator: Simulator::start(settings).await.unwrap(),
            http: client(),
        }
    }

    /// Without limits, in input order: for tests about something else.
    pub(crate) async fn calm() -> Self {
        Self::start(calm()).await
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = method.parse().unwrap();
        self.http
            .request(method, format!("{}{path}", self.simulator.base_url()))
            .bearer_auth("pat-na1-test")
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: Value) -> Seen {
        seen(self.request(method, path).json(&body).send().await.unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Seen {
        self.call("POST", path, body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Seen {
        seen(self.request("GET", path).send().await.unwrap()).await
    }

    pub(crate) async fn bare(&self, method: &str, path: &str) -> Seen {
        seen(self.request(method, path).send().await.unwrap()).await
    }

    /// Turns switches.
    pub(crate) async fn switch(&self, switches: Value) {
        let (status, body) = self.post("/sim/switches", switches).await;
        assert_eq!(status, 204, "{body}");
    }

    /// Creates a record of any type, returns its id.
    pub(crate) async fn record(&self, object: &str, properties: Value) -> String {
        let path = format!("/crm/objects/2026-03/{object}");
        let (status, body) = self.post(&path, json!({"properties": properties})).await;
        assert_eq!(status, 201, "{body}");
        text(&body["id"])
    }

    /// A portal with the sample setup and neither limits nor shuffled results.
    pub(crate) async fn sample() -> Self {
        Self::start(SimSettings {
            setup: SimSettings::sample().setup,
            ..calm()
        })
        .await
    }

    /// Creates a contact, returns its id.
    pub(crate) async fn contact(&self, email: &str) -> String {
        let (status, body) = self
            .post(
                "/crm/objects/2026-03/contacts",
                json!({"properties": {"email": email}}),
            )
            .await;
        assert_eq!(status, 201, "{body}");
        text(&body["id"])
    }

    /// Creates a company, returns its id.
    pub(crate) async fn company(&self, name: &str) -> String {
        let (status, body) = self
            .post(
                "/crm/objects/2026-03/companies",
                json!({"properties": {"name": name}}),
            )
            .await;
        assert_eq!(status, 201, "{body}");
        text(&body["id"])
    }

    pub(crate) fn count(&self, object: ObjectType) -> usize {
        self.simulator.state().records(object).len()
    }

    /// A property of the only record that has this value for another one.
    pub(crate) fn stored(
        &self,
        object: ObjectType,
        by: (&str, &str),
        name: &str,
    ) -> Option<String> {
        let records = self.simulator.state().records(object);
        let found: Vec<_> = records
            .iter()
            .filter(|record| record.properties.get(by.0).is_some_and(|v| v == by.1))
            .collect();
        assert_eq!(found.len(), 1, "{by:?}");
        found[0].properties.get(name).cloned()
    }
}

/// A client that never asks a proxy for loopback.
pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

pub(crate) fn calm() -> SimSettings {
    SimSettings {
        limits_on: false,
        shuffle: false,
        ..SimSettings::default()
    }
}

pub(crate) async fn seen(response: reqwest::Response) -> Seen {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    let body = match text.is_empty() {
        true => Value::Null,
        false => serde_json::from_str(&text).unwrap_or(Value::String(text)),
    };
    (status, body)
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn unknown_paths_and_methods() {
    let portal = Portal::calm().await;
    let (status, body) = portal.get("/crm/objects/2020-01/contacts").await;
    assert_eq!(
        (status, &body["message"]),
        (404, &json!("resource not found"))
    );
    assert_eq!(
        portal.bare("PUT", "/crm/objects/2026-03/contacts").await.0,
        405
    );
    let (status, body) = portal.get("/crm/v3/objects/butterflies/1").await;
    assert_eq!(status, 400);
    assert_eq!(
        body["message"],
        "Unable to infer object type from: butterflies"
    );
    assert!(body.get("category").is_none());
    assert_eq!(body["status"], "error");
}

#[tokio::test]
async fn every_answer_has_a_correlation_id_and_errors_repeat_it() {
    let portal = Portal::calm().await;
    let response = portal
        .request("GET", "/crm/v3/objects/contacts/1")
        .send()
        .await
        .unwrap();
    let header = response.headers()["x-hubspot-correlation-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let (status, body) = seen(response).await;
    assert_eq!(
        (status, text(&body["correlationId"])),
        (404, header.clone())
    );
    assert_eq!(header.len(), 36);
}

#[tokio::test]
async fn the_account_tells_its_zone_and_usage() {
    let portal = Portal::calm().await;
    let (_, details) = portal.get("/account-info/2026-03/details").await;
    assert_eq!(
        (&details["portalId"], &details["utcOffset"]),
        (&json!(891_936_587), &json!("-05:00"))
    );
    let (_, usage) = portal
        .get("/account-info/v3/api-usage/daily/private-apps")
        .await;
    assert_eq!(
        (
            &usage["results"][0]["usageLimit"],
            &usage["results"][0]["currentUsage"]
        ),
        (&json!(250_000), &json!(2))
    );
}

#[tokio::test]
async fn inspection_over_http_shows_everything_and_can_empty_it() {
    let portal = Portal::calm().await;
    let contact = portal.contact("a@b.io").await;
    let company = portal.company("Acme").await;
    portal
        .bare(
            "PUT",
            &format!("/crm/v4/objects/contacts/{contact}/associations/default/companies/{company}"),
        )
        .await;
    let plan = json!([{"name": "plan", "label": "Plan", "type": "string", "fieldType": "text", "groupName": "contactinformation"}]);
    assert_eq!(portal.post("/sim/properties/contacts", plan).await.0, 204);

    let (_, state) = portal.get("/sim/state").await;
    assert_eq!(
        state["records"]["contacts"][0]["properties"]["email"],
        "a@b.io"
    );
    assert_eq!(state["associations"][0]["typeIds"], json!([279]));
    assert_eq!(state["properties"]["contacts"], json!(["plan"]));
    let (_, only) = portal.get("/sim/state?object=companies").await;
    assert_eq!(only["records"].as_object().unwrap().len(), 1);
    let (_, summary) = portal.get("/sim/summary").await;
    assert_eq!(
        (
            &summary["records"]["contacts"],
            &summary["associations"],
            &summary["calls"]
        ),
        (&json!(1), &json!(1), &json!(3))
    );
    assert_eq!(summary["worst_ten_seconds"], 3);
    let (_, calls) = portal.get("/sim/calls").await;
    assert_eq!(
        (&calls[0]["method"], &calls[0]["status"]),
        (&json!("POST"), &json!(201))
    );
    let (_, history) = portal.get("/sim/history?object=contacts").await;
    assert_eq!(history[0]["writes"][0]["properties"]["email"], "a@b.io");
    assert_eq!(history[0]["writes"][0]["call"], 1);

    assert_eq!(
        portal
            .bare("POST", &format!("/sim/delete/contacts/{contact}"))
            .await
            .0,
        204
    );
    assert_eq!(
        portal
            .bare("POST", &format!("/sim/delete/contacts/{contact}"))
            .await
            .0,
        404
    );
    assert_eq!(portal.get("/sim/state").await.1["associations"], json!([]));
    assert_eq!(portal.bare("POST", "/sim/reset").await.0, 204);
    let (_, summary) = portal.get("/sim/summary").await;
    assert_eq!(
        (&summary["records"]["companies"], &summary["calls"]),
        (&json!(0), &json!(0))
    );
    portal.simulator.stop().await;
}
