use serde_json::{Value, json};

use super::{Portal, text};

const CREATE: &str = "/crm/associations/2026-03/contacts/companies/batch/create";

fn pair(from: &str, to: &str, type_id: u32) -> Value {
    json!({"from": {"id": from}, "to": {"id": to},
        "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_id}]})
}

fn type_ids(portal: &Portal) -> Vec<Vec<u32>> {
    portal
        .simulator
        .state()
        .associations()
        .into_iter()
        .map(|one| one.type_ids)
        .collect()
}

#[tokio::test]
async fn a_batch_joins_pairs_in_both_directions_and_names_bad_ones() {
    let portal = Portal::calm().await;
    let (a, b, company) = (
        portal.contact("a@b.io").await,
        portal.contact("b@b.io").await,
        portal.company("Acme").await,
    );
    let inputs = json!([
        pair(&a, &company, 1),
        pair(&b, &company, 279),
        pair("x", &company, 279),
        pair(&a, "1", 279),
        pair(&a, &company, 77)
    ]);
    let (status, body) = portal.post(CREATE, json!({"inputs": inputs})).await;
    assert_eq!((status, &body["numErrors"]), (207, &json!(3)));
    assert_eq!(
        body["results"][0],
        json!({
            "fromObjectTypeId": "0-1", "fromObjectId": a, "toObjectTypeId": "0-2", "toObjectId": company, "labels": ["Primary"],
        })
    );
    assert_eq!(
        body["errors"][0]["subCategory"],
        "crm.associations.INVALID_IDENTIFIER"
    );
    assert_eq!(
        (&body["errors"][0]["message"], &body["errors"][0]["context"]),
        (&json!("x is not a valid ID"), &json!({"id": ["x"]}))
    );
    assert_eq!(body["errors"][1]["message"], "No company with ID 1 exists");
    assert_eq!(
        body["errors"][1]["subCategory"],
        "crm.associations.TO_OBJECT_NOT_FOUND"
    );
    assert_eq!(type_ids(&portal), [vec![279, 1], vec![279]]);

    let (status, body) = portal
        .post(
            "/crm/v4/associations/companies/contacts/batch/read",
            json!({"inputs": [{"id": company}]}),
        )
        .await;
    assert_eq!(status, 200);
    let to = body["results"][0]["to"].as_array().unwrap();
    assert_eq!(
        to[0]["toObjectId"].to_string(),
        a,
        "legacy paths show ids as numbers"
    );
    assert_eq!(
        to[0]["associationTypes"][1],
        json!({"category": "HUBSPOT_DEFINED", "typeId": 2, "label": "Primary"})
    );

    let (status, _) = portal
        .post(CREATE, json!({"inputs": [pair(&b, &company, 279)]}))
        .await;
    assert_eq!(status, 201, "joining again is no error");
    let (status, body) = portal
        .post(
            "/crm/associations/2026-03/contacts/contacts/batch/create",
            json!({"inputs": [pair(&a, &a, 449)]}),
        )
        .await;
    assert_eq!(
        (status, &body["errors"][0]["message"]),
        (
            207,
            &json!(format!("Object {a} cannot be associated to itself ({a})"))
        )
    );
    assert!(body["errors"][0].get("context").is_none());
}

#[tokio::test]
async fn more_pairs_than_allowed_are_refused() {
    let portal = Portal::calm().await;
    let inputs: Vec<Value> = (0..2_001).map(|n| pair(&n.to_string(), "1", 279)).collect();
    let (status, body) = portal.post(CREATE, json!({"inputs": inputs})).await;
    assert_eq!(status, 400);
    assert!(text(&body["message"]).contains("2000"), "{body}");
}

#[tokio::test]
async fn default_routes_list_both_directions() {
    let portal = Portal::calm().await;
    let (contact, company) = (portal.contact("a@b.io").await, portal.company("Acme").await);
    let (status, body) = portal
        .post(
            "/crm/associations/2026-03/0-1/0-2/batch/associate/default",
            json!({"inputs": [{"from": {"id": contact}, "to": {"id": company}}]}),
        )
        .await;
    assert_eq!(status, 200);
    let ids: Vec<&Value> = body["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["associationSpec"]["associationTypeId"])
        .collect();
    assert_eq!(ids, [279, 280]);
    let single =
        format!("/crm/objects/2026-03/companies/{company}/associations/default/contacts/{contact}");
    assert_eq!(portal.bare("PUT", &single).await.0, 200);
    assert_eq!(type_ids(&portal), [[279]]);
}

#[tokio::test]
async fn archive_answers_by_generation() {
    let portal = Portal::calm().await;
    let (contact, company) = (portal.contact("a@b.io").await, portal.company("Acme").await);
    let join = json!({"inputs": [pair(&contact, &company, 1)]});
    let part = json!({"inputs": [{"from": {"id": contact}, "to": [{"id": company}]}]});
    portal.post(CREATE, join.clone()).await;
    let (status, body) = portal
        .post(
            "/crm/associations/2026-03/contacts/companies/batch/archive",
            part.clone(),
        )
        .await;
    assert_eq!((status, &body["status"]), (200, &json!("COMPLETE")));
    assert_eq!(type_ids(&portal), Vec::<Vec<u32>>::new());
    portal.post(CREATE, join.clone()).await;
    assert_eq!(
        portal
            .post(
                "/crm/v4/associations/contacts/companies/batch/labels/archive",
                join.clone()
            )
            .await,
        (204, Value::Null)
    );
    assert_eq!(type_ids(&portal), [[279]]);
    assert_eq!(
        portal
            .post(
                "/crm/v4/associations/contacts/companies/batch/archive",
                part
            )
            .await,
        (204, Value::Null)
    );
    assert_eq!(type_ids(&portal), Vec::<Vec<u32>>::new());
    let (status, body) = portal
        .post(
            "/crm/associations/2026-03/contacts/companies/batch/read",
            json!({"inputs": [{"id": contact}]}),
        )
        .await;
    assert_eq!((status, &body["results"]), (207, &json!([])));
}

#[tokio::test]
async fn single_pairs_and_labels() {
    let portal = Portal::calm().await;
    let (contact, company) = (portal.contact("a@b.io").await, portal.company("Acme").await);
    let labels = "/crm/associations/2026-03/contacts/companies/labels";
    let (status, made) = portal
        .post(
            labels,
            json!({"name": "buyer", "label": "Buyer", "inverseLabel": "Bought from"}),
        )
        .await;
    assert_eq!(
        (status, made["results"].as_array().unwrap().len()),
        (200, 2)
    );
    let type_id = &made["results"][0]["typeId"];
    let (_, listed) = portal
        .get("/crm/v4/associations/contacts/companies/labels")
        .await;
    assert_eq!(
        listed["results"][0],
        json!({"category": "HUBSPOT_DEFINED", "typeId": 279, "label": null})
    );
    assert_eq!(listed["results"][2]["label"], "Buyer");

    let path = format!("/crm/objects/2026-03/contacts/{contact}/associations/companies/{company}");
    let (status, body) = portal
        .call(
            "PUT",
            &path,
            json!([{"associationCategory": "USER_DEFINED", "associationTypeId": type_id}]),
        )
        .await;
    assert_eq!((status, &body["labels"]), (201, &json!(["Buyer"])));
    let (status, body) = portal.bare("PUT", &path).await;
    assert_eq!(
        (status, &body["message"]),
        (
            400,
            &json!("Invalid JSON input: a request body was expected, but none found")
        )
    );
    let (_, list) = portal
        .get(&format!(
            "/crm/objects/2026-03/contacts/{contact}/associations/companies"
        ))
        .await;
    assert_eq!(list["results"][0]["toObjectId"], json!(company));
    assert_eq!(
        list["results"][0]["associationTypes"]
            .as_array()
            .unwrap()
            .len(),
        2
    );

    let gone =
        format!("/crm/objects/2026-03/contacts/{contact}/associations/default/companies/123");
    let (status, body) = portal.bare("PUT", &gone).await;
    assert_eq!(
        (status, &body["message"]),
        (404, &json!("No company with ID 123 exists"))
    );
    assert_eq!(
        body["context"],
        json!({"objectType": ["company"], "id": ["123"]})
    );
    assert_eq!(portal.bare("DELETE", &path).await.0, 204);
    let legacy = format!(
        "/crm/v3/objects/companies/{company}/associations/contacts/{contact}/company_to_contact"
    );
    let (status, body) = portal.bare("PUT", &legacy).await;
    assert_eq!((status, &body["id"]), (200, &json!(company)));
    assert_eq!(type_ids(&portal), [[279]]);
    assert_eq!(portal.bare("DELETE", &legacy).await.0, 204);
    assert_eq!(type_ids(&portal), Vec::<Vec<u32>>::new());
}

#[tokio::test]
async fn legacy_batches_and_associations_at_creation() {
    let portal = Portal::calm().await;
    let company = portal.company("Acme").await;
    let create = json!({"properties": {"email": "a@b.io"}, "associations": [{"to": {"id": company},
        "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}]}]});
    let (status, contact) = portal
        .post("/crm/v3/objects/contacts", create.clone())
        .await;
    assert_eq!(status, 201);
    assert_eq!(type_ids(&portal), [[279, 1]]);
    let mut wrong = create;
    wrong["associations"][0]["to"]["id"] = json!("1");
    wrong["properties"]["email"] = json!("b@b.io");
    assert_eq!(portal.post("/crm/v3/objects/contacts", wrong).await.0, 404);

    let input =
        json!({"from": {"id": contact["id"]}, "to": {"id": company}, "type": "contact_to_company"});
    let path = |op: &str| format!("/crm/v3/associations/contacts/companies/batch/{op}");
    assert_eq!(
        portal
            .post(&path("create"), json!({"inputs": [input]}))
            .await
            .0,
        201
    );
    let (_, read) = portal
        .post(&path("read"), json!({"inputs": [{"id": contact["id"]}]}))
        .await;
    assert_eq!(
        read["results"][0]["to"][0],
        json!({"id": company, "type": "contact_to_company"})
    );
    assert_eq!(
        portal
            .post(&path("archive"), json!({"inputs": [input]}))
            .await
            .0,
        204
    );
    assert_eq!(type_ids(&portal), Vec::<Vec<u32>>::new());
}
