use serde_json::{Value, json};

use super::{Portal, calm, text};
use crate::{ObjectType, SimSettings};

const CONTACTS: &str = "/crm/objects/2026-03/contacts";

async fn merged(portal: &Portal, primary: &str, other: &str) -> String {
    let body = json!({"primaryObjectId": primary, "objectIdToMerge": other});
    let (status, body) = portal.post(&format!("{CONTACTS}/merge"), body).await;
    assert_eq!(status, 200, "{body}");
    text(&body["id"])
}

#[tokio::test]
async fn a_merged_contact_answers_under_both_ids_and_addresses() {
    for new_id in [false, true] {
        let portal = Portal::calm().await;
        portal.switch(json!({"merge_makes_new_id": new_id})).await;
        let a = portal
            .record("contacts", json!({"email": "a@b.io", "city": "Oslo"}))
            .await;
        let b = portal
            .record(
                "contacts",
                json!({"email": "b@b.io", "city": "Rome", "phone": "1"}),
            )
            .await;
        let company = portal.company("Acme").await;
        portal
            .bare(
                "PUT",
                &format!("{CONTACTS}/{b}/associations/default/companies/{company}"),
            )
            .await;
        let list = json!({"name": "L", "objectTypeId": "0-1", "processingType": "MANUAL"});
        portal.post("/crm/lists/2026-03", list).await;
        portal
            .call("PUT", "/crm/lists/2026-03/1/memberships/add", json!([b]))
            .await;

        let survivor = merged(&portal, &a, &b).await;
        assert_eq!(survivor == a, !new_id);
        assert_eq!(portal.count(ObjectType::Contacts), 1);
        for id in [&a, &b, &survivor] {
            let (_, body) = portal
                .get(&format!(
                    "{CONTACTS}/{id}?properties=city,phone,hs_additional_emails"
                ))
                .await;
            assert_eq!(body["id"], json!(survivor));
            let properties = &body["properties"];
            assert_eq!(
                (
                    &properties["city"],
                    &properties["phone"],
                    &properties["hs_additional_emails"]
                ),
                (&json!("Oslo"), &json!("1"), &json!("b@b.io"))
            );
        }
        // Both addresses lead to it, and the old id can be written to.
        let upsert = json!({"inputs": [{"id": "b@b.io", "idProperty": "email", "properties": {"phone": "2"}}]});
        let (_, body) = portal
            .post(&format!("{CONTACTS}/batch/upsert"), upsert)
            .await;
        assert_eq!(
            (
                &body["results"][0]["id"],
                &body["results"][0]["properties"]["email"]
            ),
            (&json!(survivor), &json!("a@b.io"))
        );
        let update = json!({"inputs": [{"id": b, "properties": {"phone": "3"}}]});
        let (_, body) = portal
            .post(&format!("{CONTACTS}/batch/update"), update)
            .await;
        assert_eq!(body["results"][0]["id"], json!(survivor));
        let pairs = portal.simulator.state().associations();
        assert_eq!((pairs.len(), &pairs[0].from), (1, &survivor));
        assert_eq!(
            portal.simulator.state().lists()[0].members,
            std::slice::from_ref(&survivor)
        );
        let (status, _) = portal
            .post(
                &format!("{CONTACTS}/merge"),
                json!({"primaryObjectId": a, "objectIdToMerge": b}),
            )
            .await;
        assert_eq!(status, 400, "they are one");
    }
}

#[tokio::test]
async fn companies_merge_too() {
    let portal = Portal::calm().await;
    let (a, b) = (
        portal.company("Acme").await,
        portal.company("Acme Ltd").await,
    );
    let body = json!({"primaryObjectId": a, "objectIdToMerge": b});
    let (status, body) = portal.post("/crm/v3/objects/companies/merge", body).await;
    assert_eq!((status, &body["properties"]["name"]), (200, &json!("Acme")));
    let (_, body) = portal
        .get(&format!(
            "/crm/v3/objects/companies/{b}?properties=hs_merged_object_ids"
        ))
        .await;
    assert_eq!(
        (&body["id"], &body["properties"]["hs_merged_object_ids"]),
        (&json!(a), &json!(b))
    );
}

#[tokio::test]
async fn a_forgotten_contact_leaves_nothing() {
    let portal = Portal::calm().await;
    let id = portal.contact("a@b.io").await;
    let forget = format!("{CONTACTS}/gdpr-delete");
    let body = json!({"objectId": "a@b.io", "idProperty": "email"});
    assert_eq!(portal.post(&forget, body).await.0, 204);
    assert_eq!(
        portal
            .get(&format!("{CONTACTS}/{id}?archived=true"))
            .await
            .0,
        404
    );
    assert_eq!(
        portal
            .bare("POST", &format!("/sim/restore/contacts/{id}"))
            .await
            .0,
        404
    );
    let (_, history) = portal.get("/sim/history?object=contacts").await;
    assert_eq!(history, json!([]));
    let unknown = json!({"objectId": "Never@b.io", "idProperty": "email"});
    assert_eq!(portal.post(&forget, unknown).await.0, 204);
    assert_eq!(
        portal.get("/sim/state").await.1["blocked"],
        json!(["never@b.io"])
    );
    assert_eq!(portal.post(&forget, json!({"objectId": "7"})).await.0, 404);
}

#[tokio::test]
async fn the_reading_of_partial_upserts_by_email_can_change_while_it_runs() {
    let portal = Portal::start(SimSettings {
        email_upsert_partial: false,
        ..calm()
    })
    .await;
    let inputs = json!({"inputs": [
        {"id": "a@b.io", "idProperty": "email", "objectWriteTraceId": "1", "properties": {"nope": "x"}},
        {"id": "b@b.io", "idProperty": "email", "objectWriteTraceId": "2", "properties": {}}]});
    let upsert = format!("{CONTACTS}/batch/upsert");
    assert_eq!(portal.post(&upsert, inputs.clone()).await.0, 400);
    portal.switch(json!({"email_upsert_partial": true})).await;
    let (status, body): (u16, Value) = portal.post(&upsert, inputs).await;
    assert_eq!(
        (status, body["results"].as_array().unwrap().len()),
        (207, 1)
    );
}

#[tokio::test]
async fn writes_that_come_too_fast_lock_their_type() {
    let portal = Portal::calm().await;
    portal
        .switch(json!({"lock": {"writes": 2, "within_ms": 600_000, "lasting_ms": 600_000}}))
        .await;
    portal.contact("a@b.io").await;
    portal.contact("b@b.io").await;
    let body = json!({"properties": {"email": "c@b.io"}});
    assert_eq!(portal.post(CONTACTS, body.clone()).await.0, 423);
    assert_eq!(portal.get(CONTACTS).await.0, 200, "reads pass");
    portal.company("Acme").await;
    portal.switch(json!({"lock": null})).await;
    assert_eq!(portal.post(CONTACTS, body).await.0, 201);
}

#[tokio::test]
async fn new_records_can_stay_unfound_for_a_while() {
    let portal = Portal::calm().await;
    portal.contact("a@b.io").await;
    let body = json!({"filterGroups": [{"filters": [{"propertyName": "email", "operator": "EQ", "value": "a@b.io"}]}]});
    let search = format!("{CONTACTS}/search");
    assert_eq!(portal.post(&search, body.clone()).await.1["total"], 1);
    portal.switch(json!({"search_lag_ms": 3_600_000})).await;
    assert_eq!(portal.post(&search, body).await.1["total"], 0);
}
