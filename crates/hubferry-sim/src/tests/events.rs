use serde_json::{Value, json};

use super::{Portal, text};
use crate::{ObjectType, Tally};

const DEFINITIONS: &str = "/events/2026-03/event-definitions";
const BATCH: &str = "/events/2026-03/send/batch";
const NAME: &str = "pe891936587_bought";

fn bought() -> Value {
    json!({"label": "Bought", "name": "bought", "includeDefaultProperties": false, "propertyDefinitions": [
        {"name": "title", "label": "Title", "type": "string"},
        {"name": "page_url", "label": "URL", "type": "string"},
        {"name": "total", "label": "Total", "type": "number"},
        {"name": "at", "label": "At", "type": "datetime"},
        {"name": "gift", "label": "Gift", "type": "enumeration", "options": [{"label": "true", "value": true}]}]})
}

async fn with_event() -> Portal {
    let portal = Portal::calm().await;
    let (status, body) = portal.post(DEFINITIONS, bought()).await;
    assert_eq!(status, 201, "{body}");
    portal
}

fn counted(portal: &Portal) -> Tally {
    portal.simulator.state().events(false)[0].counted
}

#[tokio::test]
async fn the_life_of_a_definition() {
    let portal = with_event().await;
    let (_, body) = portal
        .get("/events/v3/event-definitions/bought/?includeProperties=true")
        .await;
    assert_eq!(
        (
            &body["fullyQualifiedName"],
            &body["properties"][0]["name"],
            &body["archived"]
        ),
        (&json!(NAME), &json!("title"), &json!(false))
    );
    let (_, body) = portal
        .get(&format!("/events/custom/2026-09/event-definitions/{NAME}"))
        .await;
    assert!(body.get("properties").is_none());
    let (status, body) = portal.get(&format!("{DEFINITIONS}/custom_event_1")).await;
    assert_eq!(status, 400);
    assert_eq!(
        body["message"],
        "StandardError{status=error, category=VALIDATION_ERROR, message=Event with fully qualified name custom_event_1 does not exist., errors=[], context={}, links={}}"
    );
    assert!(body.get("category").is_none());
    assert_eq!(portal.post(DEFINITIONS, bought()).await.0, 409);

    let one = format!("{DEFINITIONS}/bought");
    let (status, body) = portal.call("PATCH", &one, json!({"label": "Paid"})).await;
    assert_eq!((status, &body["label"]), (201, &json!("Paid")));
    let property = format!("{one}/property");
    let flag = json!({"name": "flag", "label": "Flag", "type": "bool"});
    assert_eq!(portal.post(&property, flag.clone()).await.0, 201);
    assert_eq!(portal.post(&property, flag).await.0, 409);
    let flag = format!("{property}/flag");
    let (status, body) = portal.call("PATCH", &flag, json!({"label": "F"})).await;
    assert_eq!((status, &body["label"]), (201, &json!("F")));
    assert_eq!(portal.bare("DELETE", &flag).await.0, 204);
    let (_, body) = portal.get(&format!("{one}?includeProperties=true")).await;
    assert_eq!(body["properties"][5]["archived"], true);

    assert_eq!(portal.bare("DELETE", &one).await.0, 204);
    assert_eq!(portal.get(&one).await.1["archived"], true);
    assert_eq!(portal.post(DEFINITIONS, bought()).await.0, 409, "for ever");
}

#[tokio::test]
async fn refused_definitions() {
    let portal = Portal::calm().await;
    let many: Vec<Value> = (0..51)
        .map(|n| json!({"name": format!("p{n}"), "label": "P", "type": "string"}))
        .collect();
    for bad in [
        json!({"propertyDefinitions": []}),
        json!({"label": "x".repeat(101)}),
        json!({"label": "Bought", "name": "Bought"}),
        json!({"label": "Bought", "name": "2nd"}),
        json!({"label": "Bought", "primaryObject": "BUTTERFLY"}),
        json!({"label": "Bought", "propertyDefinitions": [{"name": "a", "label": "A", "type": "enumeration"}]}),
        json!({"label": "Bought", "propertyDefinitions": [{"name": "a", "label": "A", "type": "text"}]}),
        json!({"label": "Bought", "propertyDefinitions": many}),
    ] {
        assert_eq!(portal.post(DEFINITIONS, bad.clone()).await.0, 400, "{bad}");
    }
    portal.switch(json!({"most_event_definitions": 1})).await;
    assert_eq!(
        portal
            .post(DEFINITIONS, json!({"label": "One more"}))
            .await
            .0,
        201
    );
    let (_, body) = portal
        .get(&format!("{DEFINITIONS}/one_more?includeProperties=true"))
        .await;
    assert_eq!(body["properties"].as_array().unwrap().len(), 32);
    assert_eq!(
        portal.post(DEFINITIONS, json!({"label": "Two"})).await.0,
        400
    );
}

#[tokio::test]
async fn definitions_come_in_pages() {
    let portal = Portal::calm().await;
    for n in 0..12 {
        portal
            .post(DEFINITIONS, json!({"label": format!("E{n}")}))
            .await;
    }
    let (_, body) = portal.get(DEFINITIONS).await;
    assert_eq!(
        (&body["total"], body["results"].as_array().unwrap().len()),
        (&json!(12), 10)
    );
    let after = text(&body["paging"]["next"]["after"]);
    let (_, body) = portal.get(&format!("{DEFINITIONS}/?after={after}")).await;
    assert_eq!(body["results"].as_array().unwrap().len(), 2);
    assert!(body.get("paging").is_none());
    let (_, body) = portal.get(&format!("{DEFINITIONS}?searchString=e11")).await;
    assert_eq!(body["results"][0]["name"], "e11");
}

#[tokio::test]
async fn a_batch_counts_each_uuid_once_and_says_nothing() {
    let portal = with_event().await;
    let contact = portal.contact("a@b.io").await;
    let input = |uuid: &str| json!({"eventName": NAME, "email": "A@b.io", "uuid": uuid, "properties": {"Title": "x"}});
    let inputs = json!({"inputs": [input("1"), input("2"), input("1")]});
    for _ in 0..2 {
        assert_eq!(portal.post(BATCH, inputs.clone()).await, (204, Value::Null));
    }
    let expected = Tally {
        occurrences: 2,
        repeated: 4,
        dropped: 0,
    };
    assert_eq!(counted(&portal), expected);
    let seen = &portal.simulator.state().events(true)[0];
    assert_eq!(
        seen.repeats,
        [("1".to_owned(), 4), ("2".to_owned(), 2)].into()
    );
    assert_eq!(seen.occurrences[0].object_id, Some(contact.clone()));
    assert_eq!(
        seen.occurrences[0].properties,
        [("title".to_owned(), "x".to_owned())]
    );
    let (_, body) = portal
        .get(&format!(
            "/events/v3/events?objectType=contact&objectId={contact}"
        ))
        .await;
    assert_eq!(body["results"].as_array().unwrap().len(), 2);
    let (_, body) = portal.get("/sim/events?occurrences=true").await;
    assert_eq!(body[0]["occurrences"][1]["uuid"], "2");
    let (_, body) = portal.get("/sim/summary").await;
    let sends = &body["endpoints"]["events/send/batch"];
    assert_eq!(
        (&sends["inputs"], &sends["max_inputs"]),
        (&json!(6), &json!(500))
    );
}

#[tokio::test]
async fn whom_an_event_is_about() {
    let portal = with_event().await;
    let (a, b) = (
        portal.contact("a@b.io").await,
        portal.contact("b@b.io").await,
    );
    let send = |input: Value| {
        let mut body = json!({"eventName": NAME, "properties": {}});
        for (key, value) in input.as_object().unwrap() {
            body[key] = value.clone();
        }
        body
    };
    let rows = [
        (json!({"email": "a@b.io", "objectId": b}), Some(b.clone())),
        (json!({"email": "a@b.io", "utk": "x"}), Some(a.clone())),
        (json!({"utk": "x"}), None),
    ];
    for (input, _) in &rows {
        assert_eq!(
            portal.post("/events/v3/send", send(input.clone())).await.0,
            204
        );
    }
    let seen = portal.simulator.state().events(true);
    let found: Vec<_> = seen[0]
        .occurrences
        .iter()
        .map(|one| one.object_id.clone())
        .collect();
    assert_eq!(found, rows.map(|(_, expected)| expected));

    assert_eq!(
        portal
            .post("/events/v3/send", send(json!({"email": "new@b.io"})))
            .await
            .0,
        204
    );
    assert_eq!(
        portal.count(ObjectType::Contacts),
        3,
        "an unknown address makes a contact"
    );
    portal
        .switch(json!({"events_create_contacts": false}))
        .await;
    assert_eq!(
        portal
            .post("/events/v3/send", send(json!({"email": "newer@b.io"})))
            .await
            .0,
        204
    );
    assert_eq!(
        portal
            .post("/events/v3/send", send(json!({"objectId": "7"})))
            .await
            .0,
        204
    );
    assert_eq!(
        (portal.count(ObjectType::Contacts), counted(&portal).dropped),
        (3, 2)
    );
}

#[tokio::test]
async fn one_bad_input_refuses_all_and_is_not_named() {
    let portal = with_event().await;
    portal.contact("a@b.io").await;
    let good = json!({"eventName": NAME, "email": "a@b.io", "properties": {"title": "x"}});
    let of = |changes: Value| {
        let mut input = good.clone();
        for (key, value) in changes.as_object().unwrap() {
            input[key] = value.clone();
        }
        input
    };
    let fifty_one: Value = (0..51)
        .map(|n| (format!("p{n}"), json!("x")))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let rows = [
        json!({"eventName": "bought"}),
        json!({"eventName": "pe891936587_sold"}),
        json!({"eventName": "pe1_bought"}),
        json!({"email": null}),
        json!({"email": "nobody"}),
        json!({"occurredAt": "yesterday"}),
        json!({"properties": {"title": "x".repeat(257)}}),
        json!({"properties": {"page_url": "x".repeat(1_025)}}),
        json!({"properties": {"total": "1.2.3"}}),
        json!({"properties": {"at": "soon"}}),
        json!({"properties": {"gift": "maybe"}}),
        json!({"properties": {"colour": "red"}}),
        json!({"properties": fifty_one}),
    ];
    for bad in rows {
        let (status, body) = portal
            .post(BATCH, json!({"inputs": [good, of(bad.clone())]}))
            .await;
        assert_eq!(
            (status, &body["category"]),
            (400, &json!("VALIDATION_ERROR")),
            "{bad}"
        );
        assert!(body.get("context").is_none() && body.get("errors").is_none());
    }
    assert_eq!(counted(&portal), Tally::default(), "all or nothing");
    let fine = json!({"properties": {"title": "x".repeat(256), "page_url": "x".repeat(1_024), "total": 1.5,
        "at": 1_582_947_017_000_i64, "gift": true}, "occurredAt": "2020-02-29T03:30:17.000Z"});
    assert_eq!(
        portal.post(BATCH, json!({"inputs": [of(fine)]})).await.0,
        204
    );
    let many = vec![good.clone(); 501];
    assert_eq!(portal.post(BATCH, json!({"inputs": many})).await.0, 400);
    let full = vec![good.clone(); 500];
    assert_eq!(portal.post(BATCH, json!({"inputs": full})).await.0, 204);
    portal
        .switch(json!({"events_refuse_unknown_properties": false}))
        .await;
    let unknown = of(json!({"properties": {"colour": "red"}}));
    assert_eq!(portal.post("/events/v3/send", unknown).await.0, 204);
}

#[tokio::test]
async fn a_new_definition_can_stay_unknown_to_sends_for_a_while() {
    let portal = Portal::calm().await;
    portal.switch(json!({"definition_delay_ms": 60_000})).await;
    assert_eq!(portal.post(DEFINITIONS, bought()).await.0, 201);
    assert_eq!(portal.get(&format!("{DEFINITIONS}/bought")).await.0, 200);
    let input = json!({"eventName": NAME, "email": "a@b.io", "properties": {}});
    assert_eq!(portal.post("/events/v3/send", input).await.0, 400);
    // What a setup makes is known at once.
    assert_eq!(portal.bare("POST", "/sim/sample").await.0, 204);
    let input = json!({"eventName": "pe891936587_page_viewed", "email": "a@b.io", "properties": {"title": "x"}});
    assert_eq!(portal.post("/events/v3/send", input).await.0, 204);
}

#[tokio::test]
async fn a_property_can_say_whom_an_event_is_about() {
    let portal = Portal::sample().await;
    let pet = portal
        .record("pets", json!({"pet_name": "Rex", "pet_id": "r1"}))
        .await;
    let body = json!({"label": "Walked", "primaryObject": "p891936587_pets", "propertyDefinitions": [
        {"name": "pet", "label": "Pet", "type": "string"}],
        "customMatchingId": {"primaryObjectRule": {"targetObjectPropertyName": "pet_id", "eventPropertyName": "pet"}}});
    assert_eq!(portal.post(DEFINITIONS, body).await.0, 201);
    let input = json!({"eventName": "pe891936587_walked", "properties": {"pet": "r1"}});
    assert_eq!(portal.post("/events/v3/send", input).await.0, 204);
    let seen = portal.simulator.state().events(true);
    assert_eq!(seen[2].occurrences[0].object_id, Some(pet));
}
