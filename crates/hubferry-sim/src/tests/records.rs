use serde_json::{Value, json};

use super::{Portal, calm, text};
use crate::{ObjectType, SimSettings};

const UPSERT: &str = "/crm/objects/2026-03/contacts/batch/upsert";
const CREATE: &str = "/crm/v3/objects/contacts/batch/create";
const UPDATE: &str = "/crm/objects/2026-03/contacts/batch/update";
const READ: &str = "/crm/objects/2026-03/contacts/batch/read";

fn by_email(email: &str, properties: Value) -> Value {
    json!({"id": email, "idProperty": "email", "properties": properties})
}

fn traced(mut input: Value, trace: &str) -> Value {
    input["objectWriteTraceId"] = json!(trace);
    input
}

fn names(email: &str, name: &str) -> Value {
    by_email(email, json!({"firstname": name}))
}

#[tokio::test]
async fn an_upsert_creates_then_updates_and_says_which() {
    let portal = Portal::calm().await;
    let inputs = json!({"inputs": [names("Ada@B.io", "Ada"), names("bob@b.io", "Bob")]});
    let (status, body) = portal.post(UPSERT, inputs).await;
    assert_eq!((status, &body["status"]), (200, &json!("COMPLETE")));
    assert_eq!(body["results"][0]["new"], true);
    assert_eq!(body["results"][0]["properties"]["email"], "ada@b.io");
    assert!(body.get("errors").is_none() && body["results"][0].get("objectWriteTraceId").is_none());

    let (status, again) = portal
        .post(UPSERT, json!({"inputs": [names("ADA@b.io", "Ada L.")]}))
        .await;
    assert_eq!(status, 200);
    assert_eq!(again["results"][0]["new"], false);
    assert_eq!(again["results"][0]["id"], body["results"][0]["id"]);
    assert_eq!(portal.count(ObjectType::Contacts), 2);
    assert_eq!(
        portal
            .stored(ObjectType::Contacts, ("email", "ada@b.io"), "firstname")
            .as_deref(),
        Some("Ada L.")
    );
}

#[tokio::test]
async fn results_are_shuffled_and_trace_ids_echoed_only_on_request() {
    let portal = Portal::start(SimSettings {
        limits_on: false,
        echo_trace_ids: true,
        ..SimSettings::default()
    })
    .await;
    let inputs: Vec<Value> = (0..50)
        .map(|n| traced(names(&format!("u{n}@b.io"), "U"), &format!("t{n}")))
        .collect();
    let (_, body) = portal.post(UPSERT, json!({"inputs": inputs})).await;
    let results = body["results"].as_array().unwrap();
    let emails: Vec<String> = results
        .iter()
        .map(|result| text(&result["properties"]["email"]))
        .collect();
    let in_order: Vec<String> = (0..50).map(|n| format!("u{n}@b.io")).collect();
    assert_ne!(emails, in_order);
    for result in results {
        let trace = text(&result["objectWriteTraceId"]);
        assert_eq!(
            text(&result["properties"]["email"]),
            format!("u{}@b.io", &trace[1..])
        );
    }
}

#[tokio::test]
async fn without_trace_ids_one_bad_input_refuses_all() {
    let portal = Portal::calm().await;
    let inputs = json!({"inputs": [
        names("good@b.io", "Good"),
        by_email("000", json!({"nonsense": "x"})),
        by_email("bad@b.io", json!({"lifecyclestage": "Chief"})),
    ]});
    let (status, body) = portal.post(UPSERT, inputs).await;
    assert_eq!(
        (status, &body["category"]),
        (400, &json!("VALIDATION_ERROR"))
    );
    let codes: Vec<&Value> = body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| &error["code"])
        .collect();
    assert_eq!(
        codes,
        ["PROPERTY_DOESNT_EXIST", "INVALID_EMAIL", "INVALID_OPTION"]
    );
    assert_eq!(
        body["errors"][0]["context"]["propertyName"],
        json!(["nonsense"])
    );
    let message = text(&body["message"]);
    let list: Value = serde_json::from_str(
        message
            .strip_prefix("Property values were not valid: ")
            .unwrap(),
    )
    .unwrap();
    assert_eq!(list[0]["message"], "Property \"nonsense\" does not exist");
    assert_eq!(
        (&list[0]["isValid"], &list[0]["error"], &list[0]["name"]),
        (
            &json!(false),
            &json!("PROPERTY_DOESNT_EXIST"),
            &json!("nonsense")
        )
    );
    assert_eq!(list[1]["message"], "Email address 000 is invalid");
    assert_eq!(portal.count(ObjectType::Contacts), 0);
}

#[tokio::test]
async fn with_trace_ids_bad_inputs_fail_alone() {
    let portal = Portal::calm().await;
    let inputs = json!({"inputs": [
        traced(names("good@b.io", "Good"), "g"),
        traced(by_email("000", json!({})), "b"),
    ]});
    let (status, body) = portal.post(UPSERT, inputs.clone()).await;
    assert_eq!((status, &body["numErrors"]), (207, &json!(1)));
    assert_eq!(body["results"].as_array().unwrap().len(), 1);
    let error = &body["errors"][0];
    assert_eq!(error["context"], json!({"objectWriteTraceId": ["b"]}));
    assert_eq!(
        (&error["category"], &error["status"]),
        (&json!("VALIDATION_ERROR"), &json!("error"))
    );
    assert!(error.get("errors").is_none() && error.get("correlationId").is_none());

    let mut same_trace = inputs;
    same_trace["inputs"][1]["objectWriteTraceId"] = json!("g");
    assert_eq!(
        portal.post(UPSERT, same_trace).await.0,
        400,
        "trace ids that are not unique do not count"
    );
}

#[tokio::test]
async fn the_strict_reading_of_email_upserts_refuses_the_whole_batch() {
    let portal = Portal::start(SimSettings {
        email_upsert_partial: false,
        ..calm()
    })
    .await;
    let inputs = json!({"inputs": [traced(names("good@b.io", "Good"), "g"), traced(by_email("000", json!({})), "b")]});
    assert_eq!(portal.post(UPSERT, inputs).await.0, 400);
    assert_eq!(portal.count(ObjectType::Contacts), 0);
}

#[tokio::test]
async fn what_always_refuses_the_whole_request() {
    let portal = Portal::calm().await;
    let many: Vec<Value> = (0..101)
        .map(|n| names(&format!("u{n}@b.io"), "U"))
        .collect();
    let twice = json!([
        traced(names("a@b.io", "A"), "1"),
        traced(names("A@b.io", "B"), "2")
    ]);
    let by_phone = json!([{"id": "1", "idProperty": "phone", "properties": {}}]);
    let by_record_id = json!([{"id": "1", "idProperty": "hs_object_id", "properties": {}}]);
    let rows = [
        (
            json!(many),
            "The maximum number of inputs supported in a batch is 100. Please reduce the number of items and try again",
        ),
        (
            twice,
            "Duplicate IDs found in batch input: [A@b.io]. IDs must be unique",
        ),
        (
            by_phone,
            "Unable to perform upsert by non-unique 0-1 property phone in portal ID 891936587",
        ),
        (
            by_record_id,
            "Unable to perform upsert by non-unique 0-1 property hs_object_id in portal ID 891936587",
        ),
        (
            json!([{"id": "1", "properties": {}}]),
            "idProperty is required for every input of an upsert",
        ),
    ];
    for (inputs, message) in rows {
        let (status, body) = portal.post(UPSERT, json!({"inputs": inputs})).await;
        assert_eq!(
            (status, &body["message"], &body["category"]),
            (400, &json!(message), &json!("VALIDATION_ERROR"))
        );
    }
    let (_, body) = portal
        .post(UPDATE, json!({"inputs": [by_email("a@b.io", json!({}))]}))
        .await;
    assert_eq!(
        body["message"],
        "Unable to perform update by non-unique 0-1 property email in portal ID 891936587"
    );
    let (_, body) = portal
        .post(
            "/crm/v3/objects/companies/batch/upsert",
            json!({"inputs": [{"id": "a.io", "idProperty": "domain", "properties": {}}]}),
        )
        .await;
    assert_eq!(
        body["message"],
        "Unable to perform upsert by non-unique 0-2 property domain in portal ID 891936587"
    );
    assert_eq!(portal.count(ObjectType::Contacts), 0);
}

#[tokio::test]
async fn bodies_of_the_wrong_shape() {
    let portal = Portal::calm().await;
    let (status, body) = portal.post(UPSERT, json!([names("a@b.io", "A")])).await;
    assert_eq!(status, 400, "{body}");
    assert!(
        text(&body["message"]).starts_with("Invalid input JSON on line 1, column "),
        "{body}"
    );
    let (status, body) = portal
        .post(
            UPSERT,
            json!({"inputs": [{"id": {"a": 1}, "idProperty": "email"}]}),
        )
        .await;
    assert_eq!((status, body.get("category")), (400, None));
    let (status, body) = portal.bare("POST", UPSERT).await;
    assert_eq!(
        (status, &body["message"]),
        (
            400,
            &json!("Invalid JSON input: a request body was expected, but none found")
        )
    );
    let (status, body) = portal.post(UPSERT, json!({"contacts": []})).await;
    assert_eq!(
        (status, &body["status"], &body["results"]),
        (200, &json!("COMPLETE"), &json!([]))
    );
    assert!(body.get("errors").is_none());
}

#[tokio::test]
async fn creating_an_existing_contact_conflicts() {
    let portal = Portal::calm().await;
    let id = portal.contact("a@b.io").await;
    let message = format!("Contact already exists. Existing ID: {id}");
    let (status, body) = portal
        .post(
            "/crm/v3/objects/contacts",
            json!({"properties": {"email": "A@B.io"}}),
        )
        .await;
    assert_eq!(
        (status, &body["message"], &body["category"]),
        (409, &json!(message), &json!("CONFLICT"))
    );

    let inputs =
        json!([{"properties": {"email": "new@b.io"}}, {"properties": {"email": "a@b.io"}}]);
    let (status, body) = portal.post(CREATE, json!({"inputs": inputs})).await;
    assert_eq!((status, &body["message"]), (409, &json!(message)));
    assert_eq!(portal.count(ObjectType::Contacts), 1);

    let inputs = json!([
        traced(inputs[0].clone(), "0"),
        traced(inputs[1].clone(), "1")
    ]);
    let (status, body) = portal.post(CREATE, json!({"inputs": inputs})).await;
    assert_eq!(status, 207);
    assert_eq!(
        body["errors"][0]["context"],
        json!({"objectWriteTraceId": ["1"], "existingId": [id]})
    );
    assert_eq!(body["errors"][0]["category"], "CONFLICT");

    let (status, body) = portal.post(CREATE, json!({"inputs": [{"properties": {"email": "x@b.io"}}, {"properties": {"email": "x@b.io"}}]})).await;
    assert_eq!(
        (status, &body["category"]),
        (409, &json!("CONFLICT")),
        "two inputs of one batch want one address"
    );
    assert_eq!(portal.count(ObjectType::Contacts), 2);
}

#[tokio::test]
async fn records_need_a_minimum_to_exist() {
    let portal = Portal::calm().await;
    let (status, body) = portal
        .post(
            "/crm/v3/objects/contacts",
            json!({"properties": {"city": "Oslo"}}),
        )
        .await;
    assert_eq!(
        (status, &body["errors"][0]["code"]),
        (400, &json!("MISSING_REQUIRED_PROPERTY"))
    );
    let (status, _) = portal
        .post(
            "/crm/v3/objects/companies",
            json!({"properties": {"domain": "a.io"}}),
        )
        .await;
    assert_eq!(status, 201);
    let (status, _) = portal
        .post(
            "/crm/v3/objects/companies",
            json!({"properties": {"domain": "a.io"}}),
        )
        .await;
    assert_eq!(status, 201, "domain is not unique");
}

#[tokio::test]
async fn missing_records_of_a_batch_share_one_error() {
    let portal = Portal::calm().await;
    let id = portal.contact("a@b.io").await;
    let inputs = json!([
        {"id": id, "properties": {"city": "Oslo"}},
        {"id": "1", "properties": {"city": "Oslo"}},
        {"id": "nobody", "properties": {"city": "Oslo"}},
    ]);
    let (status, body) = portal.post(UPDATE, json!({"inputs": inputs})).await;
    assert_eq!((status, &body["numErrors"]), (207, &json!(1)));
    let error = &body["errors"][0];
    assert_eq!(
        (&error["category"], &error["context"]),
        (&json!("OBJECT_NOT_FOUND"), &json!({"ids": ["1", "nobody"]}))
    );
    assert_eq!(
        error["message"],
        "Could not get some CONTACT objects, they may be deleted or not exist. Check that ids are valid."
    );

    let (status, body) = portal.post(READ, json!({"inputs": [{"id": "a@b.io"}, {"id": "x@b.io"}], "idProperty": "email", "properties": ["city"]})).await;
    assert_eq!(
        (status, &body["errors"][0]["context"]["ids"]),
        (207, &json!(["x@b.io"]))
    );
    assert_eq!(body["results"][0]["properties"]["city"], "Oslo");
    assert_eq!(body["results"][0]["properties"]["lastname"], Value::Null);
    let (status, body) = portal
        .post(
            UPDATE,
            json!({"inputs": [{"id": id, "properties": {"hs_object_id": "7"}}]}),
        )
        .await;
    assert_eq!(
        (status, &body["errors"][0]["code"]),
        (400, &json!("READ_ONLY_VALUE"))
    );
}

#[tokio::test]
async fn a_secondary_address_leads_to_its_owner() {
    let portal = Portal::calm().await;
    let properties = json!({"email": "main@b.io", "hs_additional_emails": "side@b.io"});
    portal
        .post(
            "/crm/v3/objects/contacts",
            json!({"properties": properties}),
        )
        .await;
    let (_, body) = portal
        .post(UPSERT, json!({"inputs": [names("Side@b.io", "Ada")]}))
        .await;
    assert_eq!(
        (
            &body["results"][0]["new"],
            &body["results"][0]["properties"]["email"]
        ),
        (&json!(false), &json!("main@b.io"))
    );
    let (_, body) = portal
        .post(
            READ,
            json!({"inputs": [{"id": "side@b.io"}], "idProperty": "email"}),
        )
        .await;
    assert_eq!(body["results"][0]["properties"]["email"], "main@b.io");
    let (status, body) = portal
        .call(
            "PATCH",
            "/crm/v3/objects/contacts/side%40b.io?idProperty=email",
            json!({"properties": {"city": "Oslo"}}),
        )
        .await;
    assert_eq!((status, &body["properties"]["city"]), (200, &json!("Oslo")));
    let (status, body) = portal
        .post(
            UPSERT,
            json!({"inputs": [by_email("new@b.io", json!({"hs_additional_emails": "side@b.io"}))]}),
        )
        .await;
    assert_eq!((status, &body["category"]), (409, &json!("CONFLICT")));
}

#[tokio::test]
async fn a_property_with_unique_values_names_one_record() {
    let portal = Portal::calm().await;
    let property = json!([{"name": "group_id", "label": "Group", "type": "string", "fieldType": "text",
        "groupName": "companyinformation", "hasUniqueValue": true}]);
    portal.post("/sim/properties/companies", property).await;
    let path = "/crm/objects/2026-03/companies/batch/upsert";
    let input = |id: &str, properties: Value| json!({"id": id, "idProperty": "group_id", "properties": properties});
    let (status, body) = portal.post(path, json!({"inputs": [input("g1", json!({"name": "One", "group_id": "g1"})), input("g2", json!({"name": "Two"}))]})).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["results"][0]["properties"]["group_id"], "g1");
    let (_, body) = portal
        .post(
            path,
            json!({"inputs": [input("g2", json!({"name": "Zwei"}))]}),
        )
        .await;
    assert_eq!(body["results"][0]["new"], false);
    let (status, body) = portal
        .post(
            path,
            json!({"inputs": [input("g2", json!({"group_id": "g1"}))]}),
        )
        .await;
    assert_eq!(
        (status, &body["errors"][0]["code"]),
        (400, &json!("CONFLICTING_UNIQUE_VALUE"))
    );
    assert!(text(&body["message"]).contains("already has that value"));
    assert_eq!(portal.count(ObjectType::Companies), 2);
}

#[tokio::test]
async fn lifecycle_stages_do_not_move_backwards_silently() {
    let portal = Portal::calm().await;
    let stage =
        |stage: &str| json!({"inputs": [by_email("a@b.io", json!({"lifecyclestage": stage}))]});
    portal.post(UPSERT, stage("customer")).await;
    let (status, body) = portal.post(UPSERT, stage("lead")).await;
    assert_eq!(
        (status, &body["results"][0]["properties"]["lifecyclestage"]),
        (200, &json!("customer"))
    );
    portal.post(UPSERT, stage("")).await;
    let (_, body) = portal.post(UPSERT, stage("lead")).await;
    assert_eq!(body["results"][0]["properties"]["lifecyclestage"], "lead");
}

#[tokio::test]
async fn single_calls() {
    let portal = Portal::calm().await;
    let id = portal.contact("a@b.io").await;
    let path = format!("/crm/objects/2026-09/contacts/{id}");
    let (status, body) = portal.call("PATCH", &path, json!({"properties": {}})).await;
    assert_eq!(
        (status, &body["message"], &body["context"]),
        (
            400,
            &json!("No properties found to update, please provide at least one."),
            &json!({"properties": ["{}"]})
        )
    );
    let (status, body) = portal
        .call(
            "PATCH",
            &path,
            json!({"properties": {"city": "Oslo", "nope": "1"}}),
        )
        .await;
    assert_eq!(
        (status, &body["errors"][0]["code"]),
        (400, &json!("PROPERTY_DOESNT_EXIST"))
    );
    let (status, body) = portal.get(&format!("{path}?properties=city,phone")).await;
    assert_eq!(
        (status, &body["properties"]["city"], &body["archived"]),
        (200, &Value::Null, &json!(false))
    );
    let (_, body) = portal.get("/crm/v3/objects/contacts?limit=1").await;
    assert_eq!(
        (
            body["results"].as_array().unwrap().len(),
            body.get("paging")
        ),
        (1, None)
    );
    assert_eq!(portal.bare("DELETE", &path).await.0, 204);
    assert_eq!(portal.get(&path).await.0, 404);
    let other = portal.contact("a@b.io").await;
    assert_ne!(id, other, "an archived contact's address is free again");
    assert_eq!(
        portal
            .post(
                "/crm/v3/objects/contacts/batch/archive",
                json!({"inputs": [{"id": other}, {"id": "1"}]})
            )
            .await
            .0,
        204
    );
    assert_eq!(portal.count(ObjectType::Contacts), 0);
}
