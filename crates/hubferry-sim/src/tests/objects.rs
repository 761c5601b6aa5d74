use serde_json::{Value, json};

use super::{Portal, text};
use crate::{ObjectType, SimError, SimSettings, Simulator};

/// Every spelling and every generation of paths.
#[tokio::test]
async fn every_standard_type_can_be_created_read_found_and_archived_in_batches() {
    let portal = Portal::calm().await;
    let rows = [
        ("/crm/objects/2026-03/0-3", "dealname"),
        ("/crm/objects/2026-09/deals", "dealname"),
        ("/crm/v3/objects/TICKET", "subject"),
        ("/crm/v3/objects/line_items", "name"),
        ("/crm/objects/2026-03/product", "name"),
        ("/crm/objects/2026-03/0-123", "hs_order_name"),
        ("/crm/objects/2026-03/quotes", "hs_title"),
        ("/crm/objects/2026-03/appointments", "hs_name"),
    ];
    for (path, name) in rows {
        let inputs =
            json!({"inputs": [{"properties": {name: "One"}}, {"properties": {name: "Two"}}]});
        let (status, body) = portal.post(&format!("{path}/batch/create"), inputs).await;
        assert_eq!(status, 201, "{path} {body}");
        let ids: Vec<String> = [0, 1].map(|n| text(&body["results"][n]["id"])).to_vec();
        let by_id = json!({"inputs": [{"id": ids[0]}, {"id": ids[1]}], "properties": [name]});
        let (status, body) = portal
            .post(&format!("{path}/batch/read"), by_id.clone())
            .await;
        assert_eq!(
            (status, &body["results"][1]["properties"][name]),
            (200, &json!("Two")),
            "{path}"
        );
        let filter = json!({"filterGroups": [{"filters": [{"propertyName": name, "operator": "EQ", "value": "two"}]}]});
        let (_, found) = portal.post(&format!("{path}/search"), filter).await;
        assert_eq!(
            (&found["total"], text(&found["results"][0]["id"])),
            (&json!(1), ids[1].clone()),
            "{path}"
        );
        assert_eq!(
            portal.post(&format!("{path}/batch/archive"), by_id).await.0,
            204
        );
        let one = format!("{path}/{}", ids[0]);
        assert_eq!(portal.get(&one).await.0, 404, "{path}");
        let (status, body) = portal
            .get(&format!("{one}?archived=true&properties={name}"))
            .await;
        assert_eq!(
            (status, &body["archived"], &body["properties"][name]),
            (200, &json!(true), &json!("One")),
            "{path}"
        );
        let (_, body) = portal.get(&format!("{path}?archived=true")).await;
        assert!(body["results"].as_array().unwrap().len() >= 2, "{path}");
    }
}

#[tokio::test]
async fn an_archived_record_comes_back_unless_its_value_was_taken() {
    let portal = Portal::calm().await;
    let id = portal.contact("a@b.io").await;
    let one = format!("/crm/objects/2026-03/contacts/{id}");
    assert_eq!(portal.bare("DELETE", &one).await.0, 204);
    let restore = format!("/sim/restore/contacts/{id}");
    assert_eq!(portal.bare("POST", &restore).await.0, 204);
    assert_eq!(portal.bare("POST", &restore).await.0, 404, "it lives");
    let by_email = "/crm/objects/2026-03/contacts/a@b.io?idProperty=email";
    assert_eq!(portal.get(by_email).await.1["id"], json!(id));
    assert_eq!(portal.bare("DELETE", &one).await.0, 204);
    let other = portal.contact("a@b.io").await;
    assert_ne!(other, id);
    assert_eq!(portal.bare("POST", &restore).await.0, 404, "address taken");
}

fn pets() -> Value {
    json!({"name": "Cars", "labels": {"singular": "Car", "plural": "Cars"},
        "primaryDisplayProperty": "plate", "requiredProperties": ["plate"], "searchableProperties": ["plate"],
        "associatedObjects": ["CONTACT"],
        "properties": [{"name": "plate", "label": "Plate", "type": "string", "fieldType": "text", "hasUniqueValue": true}]})
}

#[tokio::test]
async fn the_life_of_a_type_of_the_accounts_own() {
    let portal = Portal::calm().await;
    let (status, body) = portal
        .post("/crm-object-schemas/2026-03/schemas", pets())
        .await;
    assert_eq!(
        (status, &body["fullyQualifiedName"], &body["objectTypeId"]),
        (201, &json!("p891936587_Cars"), &json!("2-1"))
    );
    assert_eq!(portal.post("/crm/v3/schemas", pets()).await.0, 409);
    for list in [
        "/crm/v3/schemas?archived=false",
        "/crm-object-schemas/v3/schemas",
        "/crm-object-schemas/2026-09/schemas",
    ] {
        let (_, body) = portal.get(list).await;
        assert_eq!(body["results"][0]["labels"]["plural"], "Cars", "{list}");
    }
    let (_, body) = portal.get("/crm/v3/schemas/contact").await;
    assert_eq!(body["objectTypeId"], "0-1");

    // Required properties, unique keys and all names.
    let (status, body) = portal
        .post("/crm/v3/objects/p891936587_cars", json!({"properties": {}}))
        .await;
    assert_eq!(
        (status, &body["errors"][0]["code"]),
        (400, &json!("MISSING_REQUIRED_PROPERTY"))
    );
    let upsert = json!({"inputs": [{"id": "B-1", "idProperty": "plate", "properties": {}}]});
    for name in ["2-1", "p891936587_cars", "p_cars", "cars"] {
        let path = format!("/crm/objects/2026-03/{name}/batch/upsert");
        let (status, body) = portal.post(&path, upsert.clone()).await;
        assert_eq!(status, 200, "{name} {body}");
    }
    let own = ObjectType::Custom(1);
    assert_eq!(portal.count(own), 1);
    let (_, state) = portal.get("/sim/state?object=cars").await;
    assert_eq!(state["records"]["2-1"][0]["properties"]["plate"], "B-1");
    assert_eq!(state["objects"], json!({"2-1": "Cars"}));

    // Associations only where the schema says so.
    let contact = portal.contact("a@b.io").await;
    let car = portal.simulator.state().records(own)[0].id.clone();
    let join =
        |other: &str| format!("/crm/associations/2026-03/2-1/{other}/batch/associate/default");
    let pair = |to: &str| json!({"inputs": [{"from": {"id": car}, "to": {"id": to}}]});
    assert_eq!(portal.post(&join("contacts"), pair(&contact)).await.0, 200);
    let company = portal.company("Acme").await;
    assert_eq!(portal.post(&join("companies"), pair(&company)).await.0, 207);
    let (_, labels) = portal.get("/crm/v4/associations/2-1/contacts/labels").await;
    assert_eq!(
        (
            &labels["results"][0]["category"],
            &labels["results"][0]["label"]
        ),
        (&json!("USER_DEFINED"), &Value::Null)
    );

    let schema = "/crm-object-schemas/2026-03/schemas/2-1";
    assert_eq!(portal.bare("DELETE", schema).await.0, 400, "it has records");
    portal
        .bare("DELETE", &format!("/crm/objects/2026-03/2-1/{car}"))
        .await;
    assert_eq!(portal.bare("DELETE", schema).await.0, 204);
    assert_eq!(portal.get("/crm/objects/2026-03/2-1").await.0, 400);
    let (_, body) = portal.get("/crm/v3/schemas?archived=true").await;
    assert_eq!(body["results"][0]["archived"], true);
}

#[tokio::test]
async fn products_the_account_lacks_are_403() {
    let portal = Portal::sample().await;
    portal
        .switch(json!({"custom_objects": false, "custom_events": false}))
        .await;
    for (method, path, scope) in [
        ("GET", "/crm/v3/schemas", "custom-object-read"),
        ("GET", "/crm/objects/2026-03/pets", "custom-object-read"),
        (
            "GET",
            "/events/v3/event-definitions",
            "behavioral_events.event_definitions.read_write",
        ),
        (
            "POST",
            "/events/v3/send/batch",
            "behavioral_events.event_definitions.read_write",
        ),
    ] {
        let (status, body) = portal.bare(method, path).await;
        assert_eq!(
            (
                status,
                &body["category"],
                &body["context"]["requiredGranularScopes"]
            ),
            (403, &json!("MISSING_SCOPES"), &json!([scope])),
            "{path}"
        );
    }
    let (status, _) = portal.get("/crm/v3/objects/contacts").await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn pipelines_give_stages_their_options() {
    let portal = Portal::sample().await;
    let (_, body) = portal.get("/crm/pipelines/2026-03/deals").await;
    assert_eq!(
        (&body["results"][0]["id"], &body["results"][1]["id"]),
        (&json!("default"), &json!("renewals"))
    );
    let (_, body) = portal.get("/crm/v3/pipelines/deals/renewals/stages").await;
    assert_eq!(body["results"][1]["id"], "renewal_won");
    let deal = |stage: &str| json!({"properties": {"dealname": "D", "dealstage": stage}});
    let deals = "/crm/objects/2026-03/deals";
    assert_eq!(portal.post(deals, deal("renewal_won")).await.0, 201);
    assert_eq!(portal.post(deals, deal("closedwon")).await.0, 201);
    let (status, body) = portal.post(deals, deal("Closed Won")).await;
    assert_eq!(
        (status, &body["errors"][0]["code"]),
        (400, &json!("INVALID_OPTION"))
    );
    assert_eq!(portal.get("/crm/pipelines/2026-03/deals/x").await.0, 404);
}

#[tokio::test]
async fn an_owner_must_exist() {
    let portal = Portal::calm().await;
    let contact = |owner: &str| json!({"properties": {"email": format!("{owner}@b.io"), "hubspot_owner_id": owner}});
    let contacts = "/crm/objects/2026-03/contacts";
    assert_eq!(portal.post(contacts, contact("101")).await.0, 201);
    assert_eq!(portal.post(contacts, contact("9")).await.0, 400);
}

#[tokio::test]
async fn the_rules_of_2026_09_bind_that_version_alone() {
    let portal = Portal::calm().await;
    portal
        .switch(json!({
            "creation_required": {"contact": ["city"], "deals": ["amount"]},
            "conditional_required": [{"object": "contacts", "property": "hs_lead_status", "value": "OPEN",
                "required": ["phone"]}]}))
        .await;
    let create = |email: &str, more: Value| {
        let mut properties = json!({"email": email});
        for (key, value) in more.as_object().unwrap() {
            properties[key] = value.clone();
        }
        json!({"properties": properties})
    };
    let (old, legacy, new) = (
        "/crm/objects/2026-03/contacts",
        "/crm/v3/objects/contacts",
        "/crm/objects/2026-09/contacts",
    );
    assert_eq!(portal.post(old, create("a@b.io", json!({}))).await.0, 201);
    assert_eq!(
        portal.post(legacy, create("b@b.io", json!({}))).await.0,
        201
    );
    let code = |(status, body): (u16, Value)| (status, body["errors"][0]["code"].clone());
    let missing = (400, json!("MISSING_REQUIRED_PROPERTY"));
    assert_eq!(
        code(portal.post(new, create("c@b.io", json!({}))).await),
        missing
    );
    let oslo = json!({"city": "Oslo"});
    assert_eq!(portal.post(new, create("c@b.io", oslo)).await.0, 201);
    let open = json!({"city": "Oslo", "hs_lead_status": "OPEN"});
    let conditional = (400, json!("MISSING_CONDITIONAL_REQUIRED_PROPERTY"));
    assert_eq!(
        code(portal.post(new, create("d@b.io", open)).await),
        conditional
    );
    // An update is held against the record as it would be.
    let one = "c@b.io?idProperty=email";
    let status = json!({"properties": {"hs_lead_status": "OPEN"}});
    assert_eq!(
        code(
            portal
                .call("PATCH", &format!("{new}/{one}"), status.clone())
                .await
        ),
        conditional
    );
    let phone = json!({"properties": {"phone": "1"}});
    assert_eq!(
        portal.call("PATCH", &format!("{new}/{one}"), phone).await.0,
        200
    );
    assert_eq!(
        portal
            .call("PATCH", &format!("{new}/{one}"), status)
            .await
            .0,
        200
    );
    // In a batch with trace ids only the bad input fails.
    let inputs = json!({"inputs": [
        {"id": "e@b.io", "idProperty": "email", "objectWriteTraceId": "1", "properties": {}},
        {"id": "f@b.io", "idProperty": "email", "objectWriteTraceId": "2", "properties": {"city": "Oslo"}}]});
    let (status, body) = portal.post(&format!("{new}/batch/upsert"), inputs).await;
    assert_eq!(
        (status, &body["errors"][0]["context"]["objectWriteTraceId"]),
        (207, &json!(["1"]))
    );
}

#[tokio::test]
async fn the_sample_portal_is_complete_and_survives_a_reset() {
    let portal = Portal::sample().await;
    for _ in 0..2 {
        let state = portal.simulator.state();
        let names: Vec<String> = state.lists().into_iter().map(|list| list.name).collect();
        assert_eq!(
            names,
            [
                "Newsletter",
                "Trial 2026",
                "Active customers",
                "Key accounts"
            ]
        );
        assert_eq!(state.events(false).len(), 2);
        assert_eq!(state.object("pets"), Some(ObjectType::Custom(1)));
        assert_eq!(
            state.custom_properties(ObjectType::Tickets),
            ["external_id"]
        );
        assert_eq!(state.summary().calls, 0);
        let (_, labels) = portal
            .get("/crm/associations/2026-03/contacts/companies/labels")
            .await;
        assert_eq!(labels["results"].as_array().unwrap().len(), 4);
        assert_eq!(portal.bare("POST", "/sim/reset").await.0, 204);
    }
    // Made again it collides with itself.
    assert_eq!(portal.bare("POST", "/sim/sample").await.0, 409);
    let other = Portal::calm().await;
    assert_eq!(other.bare("POST", "/sim/sample").await.0, 204);
    assert_eq!(other.simulator.state().lists().len(), 4);
}

#[tokio::test]
async fn a_setup_that_is_refused_keeps_the_simulator_from_starting() {
    let call = json!([{"path": "/crm/lists/2026-03", "body": {"name": "L"}}]);
    let started = Simulator::start(SimSettings {
        setup: serde_json::from_value(call).unwrap(),
        ..SimSettings::default()
    })
    .await;
    assert!(
        matches!(&started, Err(SimError::SetUp { status: 400, body }) if body.contains("objectTypeId")),
        "{started:?}"
    );
}

#[tokio::test]
async fn a_record_can_be_read_with_its_partners() {
    let portal = Portal::calm().await;
    let (contact, company) = (portal.contact("a@b.io").await, portal.company("Acme").await);
    let one = format!("/crm/objects/2026-03/contacts/{contact}");
    portal
        .bare(
            "PUT",
            &format!("{one}/associations/default/companies/{company}"),
        )
        .await;
    let (_, body) = portal
        .get(&format!("{one}?associations=company,deals"))
        .await;
    assert_eq!(
        body["associations"],
        json!({"companies": {"results": [{"id": company, "type": "contact_to_company"}]}})
    );
    assert_eq!(
        portal
            .get(&format!("{one}?associations=butterflies"))
            .await
            .0,
        400
    );
}
