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

fn labelled(from: &str, to: &str, types: &[(&str, &Value)]) -> Value {
    let types: Vec<Value> = types
        .iter()
        .map(|(category, id)| json!({"associationCategory": category, "associationTypeId": id}))
        .collect();
    json!({"inputs": [{"from": {"id": from}, "to": {"id": to}, "types": types}]})
}

/// The ids of the account's own labels from contacts to companies.
async fn own_labels(portal: &Portal) -> Vec<Value> {
    let (_, body) = portal
        .get("/crm/associations/2026-03/contacts/companies/labels")
        .await;
    let all = body["results"].as_array().unwrap().iter();
    all.filter(|one| one["category"] == "USER_DEFINED")
        .map(|one| one["typeId"].clone())
        .collect()
}

#[tokio::test]
async fn several_labels_in_one_input_replace_and_are_taken_alone() {
    let portal = Portal::sample().await;
    let (a, company) = (portal.contact("a@b.io").await, portal.company("Acme").await);
    let own = own_labels(&portal).await;
    let (first, second) = (own[0].clone(), own[1].clone());
    let both = [
        ("HUBSPOT_DEFINED", &json!("1")),
        ("USER_DEFINED", &first),
        ("USER_DEFINED", &second),
    ];
    let (status, body) = portal.post(CREATE, labelled(&a, &company, &both)).await;
    assert_eq!(status, 201);
    assert_eq!(
        body["results"][0]["labels"],
        json!(["Primary", "Decision maker", "Billing contact"])
    );
    let one = labelled(&a, &company, &[("USER_DEFINED", &second)]);
    let archive = "/crm/associations/2026-03/contacts/companies/batch/labels/archive";
    assert_eq!(portal.post(archive, one.clone()).await.0, 200);
    let numbers = |ids: &[&Value]| -> Vec<u32> {
        ids.iter()
            .map(|id| u32::try_from(id.as_u64().unwrap()).unwrap())
            .collect()
    };
    assert_eq!(
        type_ids(&portal),
        [[vec![279, 1], numbers(&[&first])].concat()]
    );
    // A create with another label replaces the account's own, not HubSpot's.
    portal.post(CREATE, one).await;
    assert_eq!(
        type_ids(&portal),
        [[vec![279, 1], numbers(&[&second])].concat()]
    );
    let plain = labelled(&a, &company, &[("HUBSPOT_DEFINED", &json!(279))]);
    assert_eq!(portal.post(archive, plain).await.0, 200);
    assert_eq!(type_ids(&portal), Vec::<Vec<u32>>::new());

    let (_, changes) = portal.get("/sim/associations").await;
    let steps: Vec<usize> = changes
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["typeIds"].as_array().unwrap().len())
        .collect();
    assert_eq!(steps, [4, 3, 3, 0]);
    assert_eq!(
        (
            &changes[0]["call"],
            &changes[0]["from"],
            &changes[0]["toObject"]
        ),
        (&json!(4), &json!(a), &json!("companies"))
    );
}

#[tokio::test]
async fn published_types_of_other_pairs() {
    let portal = Portal::calm().await;
    let rows = [
        ("contacts", "deals", 4, 3),
        ("companies", "deals", 342, 341),
        ("contacts", "tickets", 15, 16),
        ("companies", "tickets", 340, 339),
    ];
    let plain = |body: &Value| body["results"][0]["typeId"].clone();
    for (from, to, there, back) in rows {
        let path = |from: &str, to: &str| format!("/crm/v4/associations/{from}/{to}/labels");
        assert_eq!(
            plain(&portal.get(&path(from, to)).await.1),
            there,
            "{from} {to}"
        );
        assert_eq!(
            plain(&portal.get(&path(to, from)).await.1),
            back,
            "{to} {from}"
        );
    }
    // A deal has one primary company.
    let deal = portal.record("deals", json!({"dealname": "D"})).await;
    let (a, b) = (portal.company("A").await, portal.company("B").await);
    for company in [&a, &b] {
        let path = format!("/crm/v4/objects/deals/{deal}/associations/companies/{company}");
        let types = json!([{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 5}]);
        assert_eq!(portal.call("PUT", &path, types).await.0, 201);
    }
    assert_eq!(type_ids(&portal), [vec![342], vec![342, 6]]);
}

#[tokio::test]
async fn an_account_can_limit_the_partners_of_a_record() {
    let portal = Portal::calm().await;
    let contact = portal.contact("a@b.io").await;
    let (a, b) = (portal.company("A").await, portal.company("B").await);
    let configuration = "/crm/associations/2026-03/definitions/configurations";
    let limit = |most: u32| json!({"inputs": [{"category": "HUBSPOT_DEFINED", "typeId": 279, "maxToObjectIds": most}]});
    let path = format!("{configuration}/contacts/companies/batch/create");
    let (status, body) = portal.post(&path, limit(1)).await;
    assert_eq!(
        (status, &body["results"][0]["userEnforcedMaxToObjectIds"]),
        (201, &json!(1))
    );
    let (_, body) = portal.get(&format!("{configuration}/all")).await;
    assert_eq!(body["results"].as_array().unwrap().len(), 1);

    let inputs =
        json!({"inputs": [pair(&contact, &a, 279), pair(&contact, &b, 1), pair(&contact, &a, 1)]});
    let (status, body) = portal.post(CREATE, inputs).await;
    assert_eq!((status, &body["numErrors"]), (207, &json!(1)));
    assert_eq!(body["errors"][0]["context"]["id"], json!([contact]));
    assert_eq!(type_ids(&portal), [vec![279, 1]]);
    let single = format!("/crm/v4/objects/contacts/{contact}/associations/default/companies/{b}");
    assert_eq!(portal.bare("PUT", &single).await.0, 400);
    let reverse = format!("/crm/v4/objects/companies/{b}/associations/default/contacts/{contact}");
    assert_eq!(
        portal.bare("PUT", &reverse).await.0,
        400,
        "from the other side too"
    );
    let (_, body) = portal
        .get("/crm/limits/2026-03/associations/records/contacts/companies")
        .await;
    assert_eq!(
        (&body["limit"], &body["totalRecordsAtLimit"]),
        (&json!(1), &json!(1))
    );

    let purge = format!("{configuration}/contacts/companies/batch/purge");
    let one = json!({"inputs": [{"category": "HUBSPOT_DEFINED", "typeId": 279}]});
    assert_eq!(portal.post(&purge, one.clone()).await.0, 200);
    let legacy = "/crm/associations/v4/definitions/configurations/contacts/companies/batch/purge";
    assert_eq!(portal.post(legacy, one).await.0, 204);
    assert_eq!(portal.bare("PUT", &single).await.0, 200);
}

#[tokio::test]
async fn unpublished_sizes_can_be_set() {
    let portal = Portal::calm().await;
    portal.switch(json!({"most_pairs": 1})).await;
    let pair = json!({"from": {"id": "1"}, "to": {"id": "2"}});
    let inputs = json!({"inputs": [pair, pair]});
    let base = "/crm/associations/2026-03/contacts/companies/batch";
    let (status, body) = portal
        .post(&format!("{base}/associate/default"), inputs)
        .await;
    assert_eq!(
        (status, &body["category"]),
        (400, &json!("VALIDATION_ERROR"))
    );
}
