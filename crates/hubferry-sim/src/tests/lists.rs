use serde_json::{Value, json};

use super::{Portal, text};

const LISTS: &str = "/crm/lists/2026-03";

async fn made(portal: &Portal, name: &str, kind: &str) -> String {
    let body = json!({"name": name, "objectTypeId": "0-1", "processingType": kind});
    let (status, body) = portal.post(LISTS, body).await;
    assert_eq!(status, 200, "{body}");
    text(&body["list"]["listId"])
}

#[tokio::test]
async fn lists_are_found_by_name_in_any_case_and_named_once() {
    let portal = Portal::calm().await;
    let id = made(&portal, "VIP / Gold", "MANUAL").await;
    for path in [
        "/crm/v3/lists/object-type-id/contact/name/vip%20%2F%20gold",
        "/crm/lists/2026-03/object-type-id/0-1/name/VIP%20%2F%20Gold",
    ] {
        let (status, body) = portal.get(path).await;
        assert_eq!(
            (
                status,
                &body["list"]["listId"],
                &body["list"]["processingType"]
            ),
            (200, &json!(id), &json!("MANUAL")),
            "{path}"
        );
    }
    let (status, body) = portal
        .get(&format!("{LISTS}/object-type-id/0-2/name/X"))
        .await;
    assert_eq!(status, 400);
    assert_eq!(
        body["message"],
        "List does not exist with name X and object type ID 0-2."
    );
    assert!(body.get("category").is_none());
    let again = json!({"name": "vip / gold", "objectTypeId": "0-2", "processingType": "SNAPSHOT"});
    let (status, body) = portal.post("/crm/v3/lists", again).await;
    assert_eq!(
        (status, &body["subCategory"]),
        (400, &json!("ILS.DUPLICATE_LIST_NAMES"))
    );
    let rename = format!("{LISTS}/{id}/update-list-name?listName=Gold");
    assert_eq!(portal.bare("PUT", &rename).await.0, 200);
    assert_eq!(
        portal.get(&format!("{LISTS}/{id}")).await.1["list"]["name"],
        "Gold"
    );
    assert_eq!(portal.bare("DELETE", &format!("{LISTS}/{id}")).await.0, 204);
    assert_eq!(portal.get(&format!("{LISTS}/{id}")).await.0, 404);
    made(&portal, "gold", "MANUAL").await;
}

#[tokio::test]
async fn memberships_change_once_and_name_what_is_missing() {
    let portal = Portal::calm().await;
    let id = made(&portal, "L", "MANUAL").await;
    let (a, b) = (
        portal.contact("a@b.io").await,
        portal.contact("b@b.io").await,
    );
    let path = format!("{LISTS}/{id}/memberships/add-and-remove");
    let change =
        |add: &[&str], remove: &[&str]| json!({"recordIdsToAdd": add, "recordIdsToRemove": remove});
    let (status, body) = portal
        .call("PUT", &path, change(&[&a, "5", &a], &[&b]))
        .await;
    assert_eq!(status, 200);
    assert_eq!(
        body,
        json!({"recordsIdsAdded": [a], "recordIdsRemoved": [], "recordIdsMissing": ["5"]})
    );
    let (_, body) = portal.call("PUT", &path, change(&[&a, &b], &[])).await;
    assert_eq!(body["recordsIdsAdded"], json!([b]), "a was there");
    let (_, body) = portal
        .get(&format!("{LISTS}/{id}/memberships?limit=1"))
        .await;
    assert_eq!(
        (
            &body["results"][0]["recordId"],
            &body["paging"]["next"]["after"]
        ),
        (&json!(a), &json!(b))
    );
    let (_, body) = portal
        .get(&format!("{LISTS}/records/0-1/{a}/memberships"))
        .await;
    assert_eq!(body["results"][0]["listId"], json!(id));
    let (status, _) = portal
        .call("PUT", &path, json!({"recordIdsToAdd": [a]}))
        .await;
    assert_eq!(status, 400, "both lists are required");

    portal
        .bare("DELETE", &format!("/crm/objects/2026-03/contacts/{a}"))
        .await;
    let members = portal.simulator.state().lists()[0].members.clone();
    assert_eq!(
        members,
        std::slice::from_ref(&b),
        "a deleted record leaves its lists"
    );
    let (_, seen) = portal.get("/sim/lists").await;
    assert_eq!(seen[0]["members"], json!([b]));

    let remove = format!("/crm/v3/lists/{id}/memberships/remove");
    let (_, body) = portal.call("PUT", &remove, json!([b])).await;
    assert_eq!(body["recordIdsRemoved"], json!([b]));
    let add = format!("/crm/v3/lists/{id}/memberships/add");
    assert_eq!(portal.call("PUT", &add, json!([b])).await.0, 200);
    let copy = made(&portal, "Copy", "SNAPSHOT").await;
    let from = format!("{LISTS}/{copy}/memberships/add-from/{id}");
    assert_eq!(portal.bare("PUT", &from).await.0, 204);
    let clear = format!("{LISTS}/{id}/memberships");
    assert_eq!(portal.bare("DELETE", &clear).await.0, 204);
    let sizes: Vec<usize> = portal
        .simulator
        .state()
        .lists()
        .iter()
        .map(|l| l.members.len())
        .collect();
    assert_eq!(sizes, [0, 1]);

    portal.switch(json!({"most_list_changes": 2})).await;
    let (status, _) = portal.call("PUT", &path, change(&["1", "2"], &["3"])).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn dynamic_lists_take_no_members() {
    let portal = Portal::calm().await;
    let contact = portal.contact("a@b.io").await;
    for (kind, expected) in [("MANUAL", 200), ("SNAPSHOT", 200), ("DYNAMIC", 400)] {
        let id = made(&portal, kind, kind).await;
        let path = format!("{LISTS}/{id}/memberships/add-and-remove");
        let body = json!({"recordIdsToAdd": [contact], "recordIdsToRemove": []});
        assert_eq!(portal.call("PUT", &path, body).await.0, expected, "{kind}");
    }
}

#[tokio::test]
async fn searches_come_in_pages() {
    let portal = Portal::calm().await;
    for n in 0..25 {
        made(
            &portal,
            &format!("List {n}"),
            if n % 5 == 0 { "DYNAMIC" } else { "MANUAL" },
        )
        .await;
    }
    let search = format!("{LISTS}/search");
    let mut seen = 0;
    let mut offset = json!(0);
    loop {
        let (_, body) = portal
            .post(
                &search,
                json!({"processingTypes": ["MANUAL"], "offset": offset}),
            )
            .await;
        assert_eq!(body["total"], 20);
        seen += body["lists"].as_array().unwrap().len();
        offset = body["offset"].clone();
        if body["hasMore"] == false {
            break;
        }
    }
    assert_eq!(seen, 20);
    let (_, body) = portal
        .post(&search, json!({"offset": 0, "count": 10}))
        .await;
    assert_eq!(
        (&body["hasMore"], &body["offset"]),
        (&json!(true), &json!(10))
    );
    assert_eq!(portal.post(&search, json!({"count": 501})).await.0, 400);
    let (_, body): (u16, Value) = portal.post(&search, json!({"query": "list 24"})).await;
    assert_eq!(body["total"], 1);
}
