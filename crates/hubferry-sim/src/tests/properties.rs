use std::time::Duration;

use serde_json::{Value, json};

use super::{Portal, calm};
use crate::{ObjectType, SimSettings};

const COMPANIES: &str = "/crm/properties/2026-03/companies";

fn group_id() -> Value {
    json!({"name": "segment_group_id", "label": "Segment Group Id", "type": "string", "fieldType": "text",
        "groupName": "companyinformation", "hasUniqueValue": true})
}

#[tokio::test]
async fn the_life_of_a_property() {
    let portal = Portal::calm().await;
    let response = portal
        .request("POST", COMPANIES)
        .json(&group_id())
        .send()
        .await
        .unwrap();
    assert_eq!(
        (
            response.status().as_u16(),
            response.headers().contains_key("location")
        ),
        (201, true)
    );
    let (status, body) = portal.post(COMPANIES, group_id()).await;
    assert_eq!(
        (status, &body["category"], &body["subCategory"]),
        (
            409,
            &json!("OBJECT_ALREADY_EXISTS"),
            &json!("Properties.PROPERTY_WITH_NAME_EXISTS")
        )
    );
    assert_eq!(
        body["message"],
        "A property named 'segment_group_id' already exists."
    );
    let path = format!("{COMPANIES}/segment_group_id");
    let (_, body) = portal.get(&path).await;
    assert_eq!(
        (&body["hasUniqueValue"], &body["hubspotDefined"]),
        (&json!(true), &json!(false))
    );
    let (status, body) = portal.call("PATCH", &path, json!({"label": "Group"})).await;
    assert_eq!((status, &body["label"]), (200, &json!("Group")));
    assert_eq!(portal.bare("DELETE", &path).await.0, 204);
    let (status, body) = portal.get(&path).await;
    assert_eq!(
        (status, &body["category"]),
        (404, &json!("OBJECT_NOT_FOUND"))
    );
    assert_eq!(
        portal.post(COMPANIES, group_id()).await.0,
        201,
        "a create brings an archived property back"
    );
}

#[tokio::test]
async fn the_list_holds_one_class_of_sensitivity() {
    let portal = Portal::calm().await;
    let mut secret = group_id();
    secret["dataSensitivity"] = json!("sensitive");
    portal.post(COMPANIES, secret).await;
    let names = |body: &Value| -> Vec<String> {
        body["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| super::text(&one["name"]))
            .collect()
    };
    let (_, body) = portal.get(COMPANIES).await;
    assert!(
        names(&body).contains(&"industry".to_owned())
            && !names(&body).contains(&"segment_group_id".to_owned())
    );
    let industry = body["results"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["name"] == "industry")
        .unwrap();
    assert!(
        industry["options"]
            .as_array()
            .unwrap()
            .iter()
            .any(|option| option["value"] == "COMPUTER_SOFTWARE")
    );
    let (_, body) = portal
        .get(&format!("{COMPANIES}?dataSensitivity=sensitive"))
        .await;
    assert_eq!(names(&body), ["segment_group_id"]);
}

#[tokio::test]
async fn batches_and_groups() {
    let portal = Portal::calm().await;
    let mut bad = group_id();
    bad["fieldType"] = json!("number");
    let create = "/crm/v3/properties/companies/batch/create";
    let inputs = json!({"inputs": [group_id(), bad]});
    assert_eq!(portal.post(create, inputs.clone()).await.0, 400);
    let (status, _) = portal.get(&format!("{COMPANIES}/segment_group_id")).await;
    assert_eq!(status, 404, "all or nothing");
    portal.switch(json!({"property_batch_partial": true})).await;
    let (status, body) = portal.post(create, inputs).await;
    assert_eq!(
        (status, &body["numErrors"], &body["results"][0]["name"]),
        (207, &json!(1), &json!("segment_group_id"))
    );
    let (status, body) = portal
        .post(
            "/crm/v3/properties/companies/batch/read",
            json!({"inputs": [{"name": "name"}, {"name": "nope"}], "archived": false}),
        )
        .await;
    assert_eq!(
        (status, body["results"].as_array().unwrap().len()),
        (207, 1)
    );
    assert_eq!(
        portal
            .post(
                "/crm/v3/properties/companies/batch/archive",
                json!({"inputs": [{"name": "segment_group_id"}]})
            )
            .await
            .0,
        204
    );

    let groups = format!("{COMPANIES}/groups");
    let (status, body) = portal
        .post(&groups, json!({"name": "billing", "label": "Billing"}))
        .await;
    assert_eq!((status, &body["archived"]), (201, &json!(false)));
    assert_eq!(
        portal
            .post(&groups, json!({"name": "billing", "label": "Billing"}))
            .await
            .0,
        409
    );
    let one = format!("{groups}/billing");
    assert_eq!(
        portal
            .call("PATCH", &one, json!({"label": "Bills"}))
            .await
            .1["label"],
        "Bills"
    );
    assert_eq!(portal.bare("DELETE", &one).await.0, 204);
    assert_eq!(portal.get(&one).await.0, 404);
}

#[tokio::test]
async fn a_batch_with_a_name_that_exists_makes_nothing() {
    let portal = Portal::calm().await;
    let text = |name: &str| json!({"name": name, "label": name, "type": "string", "fieldType": "text", "groupName": "companyinformation"});
    let (status, body) = portal
        .post(
            "/crm/properties/2026-03/companies/batch/create",
            json!({"inputs": [text("tier"), text("domain")]}),
        )
        .await;
    assert_eq!(
        (status, &body["category"]),
        (409, &json!("OBJECT_ALREADY_EXISTS"))
    );
    assert!(
        portal
            .simulator
            .state()
            .custom_properties(ObjectType::Companies)
            .is_empty()
    );
}

#[tokio::test]
async fn what_a_property_may_not_be() {
    let portal = Portal::calm().await;
    portal.switch(json!({"most_properties": 1})).await;
    let of = |changes: Value| {
        let mut body = group_id();
        for (key, value) in changes.as_object().unwrap() {
            body[key] = value.clone();
        }
        body
    };
    let select = json!({"type": "enumeration", "fieldType": "select", "hasUniqueValue": false});
    let mut twice = select.clone();
    twice["options"] = json!([{"label": "A", "value": "a"}, {"label": "B", "value": "a"}]);
    for bad in [select, twice, json!({"dataSensitivity": "secret"})] {
        assert_eq!(
            portal.post(COMPANIES, of(bad.clone())).await.0,
            400,
            "{bad}"
        );
    }
    assert_eq!(portal.post(COMPANIES, group_id()).await.0, 201);
    let (status, body) = portal
        .post(COMPANIES, of(json!({"name": "one_more"})))
        .await;
    assert_eq!(
        (status, &body["subCategory"]),
        (400, &json!("Properties.PROPERTY_LIMIT_REACHED"))
    );
    let (_, body) = portal.get("/crm/limits/2026-03/custom-properties").await;
    assert_eq!(
        (
            &body["overallUsage"],
            &body["byObjectType"][0]["objectTypeId"]
        ),
        (&json!(1), &json!("0-2"))
    );
}

#[tokio::test]
async fn sensitive_values_need_a_scope_of_their_own() {
    let portal = Portal::start(SimSettings {
        setup: SimSettings::sample().setup,
        ..calm()
    })
    .await;
    let all = [
        "crm.objects.contacts.read",
        "crm.objects.contacts.write",
        "crm.schemas.contacts.write",
        "crm.objects.contacts.sensitive.write.v2",
        "crm.objects.contacts.sensitive.read",
    ];
    let create = "/crm/objects/2026-03/contacts/batch/create";
    let person =
        |email: &str| json!({"inputs": [{"properties": {"email": email, "national_id": "7"}}]});
    let read =
        json!({"inputs": [{"id": "a@b.io"}], "idProperty": "email", "properties": ["national_id"]});

    portal.switch(json!({"scopes": all})).await;
    assert_eq!(portal.post(create, person("a@b.io")).await.0, 201);
    let shown = |body: &Value| body["results"][0]["properties"]["national_id"].clone();
    let reading = "/crm/objects/2026-03/contacts/batch/read";
    assert_eq!(shown(&portal.post(reading, read.clone()).await.1), "7");

    portal.switch(json!({"scopes": all[..3]})).await;
    let (status, body) = portal.post(create, person("c@b.io")).await;
    assert_eq!((status, &body["category"]), (403, &json!("MISSING_SCOPES")));
    assert_eq!(
        body["errors"][0]["context"]["requiredGranularScopes"],
        json!(["crm.objects.contacts.sensitive.write"])
    );
    assert_eq!(shown(&portal.post(reading, read).await.1), Value::Null);
    let secret = json!({"name": "secret", "label": "S", "type": "string", "fieldType": "text",
        "groupName": "contactinformation", "dataSensitivity": "sensitive"});
    let contacts = "/crm/properties/2026-03/contacts";
    assert_eq!(portal.post(contacts, secret).await.0, 403);
    // A definition may be read without the scope.
    let (_, body) = portal
        .get(&format!("{contacts}?dataSensitivity=sensitive"))
        .await;
    assert_eq!(body["results"][0]["name"], "national_id");
    let (_, body) = portal
        .get(&format!("{contacts}?dataSensitivity=highly_sensitive"))
        .await;
    assert_eq!(body["results"][0]["name"], "diagnosis");
}

#[tokio::test]
async fn a_new_property_can_stay_unknown_to_writes_for_a_while() {
    let portal = Portal::start(SimSettings {
        property_delay: Duration::from_secs(3_600),
        ..calm()
    })
    .await;
    assert_eq!(portal.post(COMPANIES, group_id()).await.0, 201);
    let (status, body) = portal
        .post(
            "/crm/v3/objects/companies",
            json!({"properties": {"name": "A", "segment_group_id": "1"}}),
        )
        .await;
    assert_eq!(
        (status, &body["errors"][0]["code"]),
        (400, &json!("PROPERTY_DOESNT_EXIST"))
    );
}
