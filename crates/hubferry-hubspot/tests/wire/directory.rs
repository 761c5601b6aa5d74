//! What a portal has, read to the last page.

use std::time::Duration;

use crate::stub::{Action, Stub};
use hubferry_actions::ObjectType;
use hubferry_hubspot::{Auth, BaseUrl, Client, ClientSettings, PortalId, Secret};
use tokio_util::sync::CancellationToken;

fn client(stub: &Stub, auth: Auth) -> Client {
    let mut settings = ClientSettings::new(auth);
    settings.base_url = BaseUrl::parse(&stub.url()).unwrap();
    Client::new(settings).unwrap()
}

fn private() -> Auth {
    Auth::Private(Secret::new("pat-1"))
}

/// The first lines of the requests, and their bodies.
fn asked(stub: &Stub) -> Vec<String> {
    let line = |request: String| {
        let first = request.lines().next().unwrap().replace(" HTTP/1.1", "");
        let body = request.split_once("\n\n").unwrap().1.to_owned();
        format!("{first} {body}").trim_end().to_owned()
    };
    stub.seen().into_iter().map(line).collect()
}

#[tokio::test]
async fn schemas_are_read_page_by_page_and_sorted_by_label() {
    let stub = Stub::start(vec![
        Action::json(
            200,
            r#"{"results":[{"objectTypeId":"2-1","fullyQualifiedName":"p1_zebras","name":"zebras","labels":{"singular":"Zebra","plural":"Zebras"},"requiredProperties":["stripes"]}],"paging":{"next":{"after":"1"}}}"#,
        ),
        Action::json(
            200,
            r#"{"results":[{"objectTypeId":"2-2","fullyQualifiedName":"p1_cats","name":"cats"},{"name":"nameless"}]}"#,
        ),
    ])
    .await;
    let client = client(&stub, private());
    let stop = CancellationToken::new();
    let schemas = client.directory(&stop).object_schemas().await.unwrap();
    let shown: Vec<String> = schemas
        .iter()
        .map(|s| {
            format!(
                "{} {} {} {}",
                s.plural,
                s.full_name,
                s.type_id,
                s.required.len()
            )
        })
        .collect();
    assert_eq!(shown, ["Zebras p1_zebras 2-1 1", "cats p1_cats 2-2 0"]);
    assert_eq!(
        asked(&stub),
        [
            "GET /crm-object-schemas/2026-03/schemas?archived=false",
            "GET /crm-object-schemas/2026-03/schemas?archived=false&after=1"
        ]
    );
}

#[tokio::test]
async fn properties_of_all_classes_stand_together_and_a_refused_class_is_left_out() {
    let stub = Stub::start(vec![
        Action::json(
            200,
            r#"{"results":[{"name":"plan","label":"plan","type":"string","fieldType":"text","groupName":"contactinformation","description":"The plan."},{"name":"age","label":"Age","type":"number","fieldType":"number","hidden":true}]}"#,
        ),
        Action::json(
            200,
            r#"{"results":[{"name":"ssn","label":"SSN","type":"string","fieldType":"text"}]}"#,
        ),
        Action::json(403, r#"{"category":"MISSING_SCOPES","message":"m"}"#),
    ])
    .await;
    let client = client(&stub, private());
    let stop = CancellationToken::new();
    let properties = client
        .directory(&stop)
        .properties(&ObjectType::contacts())
        .await
        .unwrap();
    let shown: Vec<String> = properties
        .iter()
        .map(|p| {
            format!(
                "{} {} {:?} {:?} {}",
                p.name.as_str(),
                p.info.kind,
                p.info.sensitivity,
                p.group,
                p.hidden
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            "age number:number Plain None true",
            r#"plan string:text Plain Some("contactinformation") false"#,
            "ssn string:text Sensitive None false"
        ]
    );
}

#[tokio::test]
async fn groups_and_labels_are_named_and_sorted() {
    let stub = Stub::start(vec![
        Action::json(
            200,
            r#"{"results":[{"name":"b","label":"Zoo"},{"name":"a","label":"Air"},{"name":"old","label":"Old","archived":true}]}"#,
        ),
        Action::json(
            200,
            r#"{"results":[{"category":"USER_DEFINED","typeId":36,"label":"Boss"},{"category":"HUBSPOT_DEFINED","typeId":279,"label":null}]}"#,
        ),
    ])
    .await;
    let client = client(&stub, private());
    let stop = CancellationToken::new();
    let directory = client.directory(&stop);
    let (contacts, companies) = (ObjectType::contacts(), ObjectType::companies());
    let groups = directory.property_groups(&contacts).await.unwrap();
    let names: Vec<&str> = groups.iter().map(|g| g.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    let labels = directory
        .association_labels(&contacts, &companies)
        .await
        .unwrap();
    let shown: Vec<String> = labels
        .iter()
        .map(|l| format!("{}:{} {:?}", l.kind.category, l.kind.type_id, l.label))
        .collect();
    assert_eq!(
        shown,
        [
            "HUBSPOT_DEFINED:279 None",
            r#"USER_DEFINED:36 Some("Boss")"#
        ]
    );
    assert_eq!(
        asked(&stub),
        [
            "GET /crm/properties/2026-03/contacts/groups",
            "GET /crm/associations/2026-03/contacts/companies/labels"
        ]
    );
}

#[tokio::test]
async fn lists_are_searched_to_the_end() {
    let stub = Stub::start(vec![
        Action::json(
            200,
            r#"{"lists":[{"listId":"2","name":"VIPs","objectTypeId":"0-1","processingType":"MANUAL","size":4}],"hasMore":true,"offset":1,"total":3}"#,
        ),
        Action::json(
            200,
            r#"{"lists":[{"listId":1,"name":"All","objectTypeId":"0-1","processingType":"DYNAMIC","additionalProperties":{"hs_list_size":"9"}},{"listId":"3","name":"Firms","objectTypeId":"0-2","processingType":"MANUAL"}],"hasMore":false,"offset":3,"total":3}"#,
        ),
        Action::json(200, r#"{"lists":[],"hasMore":true,"offset":0}"#),
    ])
    .await;
    let client = client(&stub, private());
    let stop = CancellationToken::new();
    let directory = client.directory(&stop);
    let lists = directory.lists(Some("0-1")).await.unwrap();
    let shown: Vec<String> = lists
        .iter()
        .map(|l| format!("{} {} {} {:?}", l.id, l.name, l.processing, l.size))
        .collect();
    assert_eq!(shown, ["1 All DYNAMIC Some(9)", "2 VIPs MANUAL Some(4)"]);
    let error = directory.lists(None).await.unwrap_err();
    assert_eq!(error.to_string(), "the pages of lists do not end");
    assert_eq!(
        asked(&stub),
        [
            r#"POST /crm/lists/2026-03/search {"offset":0,"count":500,"objectTypeId":"0-1"}"#,
            r#"POST /crm/lists/2026-03/search {"offset":1,"count":500,"objectTypeId":"0-1"}"#,
            r#"POST /crm/lists/2026-03/search {"offset":0,"count":500}"#,
        ]
    );
}

#[tokio::test]
async fn event_definitions_are_read_with_their_properties() {
    let stub = Stub::start(vec![
        Action::json(
            200,
            r#"{"total":2,"results":[{"name":"b","fullyQualifiedName":"pe1_b","labels":{"singular":"Bought"},"primaryObject":"CONTACT","properties":[{"name":"Plan","label":"Plan","type":"string"}]}],"paging":{"next":{"after":"x"}}}"#,
        ),
        Action::json(
            200,
            r#"{"results":[{"name":"a","fullyQualifiedName":"pe1_a","labels":{"plural":"Added"},"archived":true}]}"#,
        ),
        Action::json(200, r#"{"results":[],"paging":{"next":{"after":"x"}}}"#),
        Action::json(200, r#"{"results":[],"paging":{"next":{"after":"x"}}}"#),
    ])
    .await;
    let client = client(&stub, private());
    let stop = CancellationToken::new();
    let directory = client.directory(&stop);
    let events = directory.event_definitions().await.unwrap();
    assert_eq!(events[0].label.as_deref(), Some("Added"));
    assert!(events[0].definition.archived);
    assert_eq!(&*events[1].definition.full_name, "pe1_b");
    let property = &events[1].properties[0];
    assert_eq!(&*property.info.name, "plan");
    assert_eq!(
        (property.label.as_str(), property.kind.as_str()),
        ("Plan", "string")
    );
    assert_eq!(
        asked(&stub)[1],
        "GET /events/2026-03/event-definitions?includeProperties=true&limit=100&after=x"
    );
    let error = directory.event_definitions().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the pages of event definitions do not end"
    );
}

#[tokio::test]
async fn the_day_and_the_token_are_told() {
    let stub = Stub::start(vec![
        Action::json(
            200,
            r#"{"results":[{"name":"private-apps-api-calls-daily","usageLimit":250000,"currentUsage":42,"collectedAt":"2026-11-25T00:00:00Z","fetchStatus":"SUCCESS","resetsAt":"2026-11-26T05:00:00Z"}]}"#,
        ),
        Action::json(
            200,
            r#"{"userId":1,"hubId":62515,"appId":9,"scopes":["crm.lists.read","oauth"]}"#,
        ),
        Action::json(404, ""),
    ])
    .await;
    let private_client = client(&stub, private());
    let stop = CancellationToken::new();
    let directory = private_client.directory(&stop);
    let usage = directory.daily_usage().await.unwrap().unwrap();
    assert_eq!((usage.limit, usage.used), (250_000, 42));
    assert_eq!(usage.resets_at.as_deref(), Some("2026-11-26T05:00:00Z"));
    let token = directory.token_info().await.unwrap().unwrap();
    assert_eq!(token.portal_id, Some(PortalId::new(62_515)));
    assert_eq!(token.app_id, Some(9));
    assert!(token.scopes.contains("crm.lists.read"));
    assert_eq!(token.expires_in, None);
    assert_eq!(directory.token_info().await, Ok(None), "not told");
    assert_eq!(
        asked(&stub)[1],
        r#"POST /oauth/v2/private-apps/get/access-token-info {"tokenKey":"pat-1"}"#
    );

    let stub = Stub::start(vec![
        Action::json(200, r#"{"access_token":"t1","expires_in":1800}"#),
        Action::json(
            200,
            r#"{"active":true,"hub_id":62515,"app_id":9,"scopes":["oauth"],"expires_in":1700}"#,
        ),
    ])
    .await;
    let oauth = client(
        &stub,
        Auth::OAuth {
            client_id: "app".to_owned(),
            client_secret: Secret::new("hush"),
            refresh_token: Secret::new("r0"),
        },
    );
    let token = oauth.directory(&stop).token_info().await.unwrap().unwrap();
    assert_eq!(token.expires_in, Some(Duration::from_secs(1_700)));
    assert_eq!(
        asked(&stub)[1],
        "POST /oauth/2026-03/token/introspect client_id=app&client_secret=hush&token_type_hint=access_token&token=t1&access_token=t1"
    );
}

#[tokio::test]
async fn what_cannot_be_read_is_told_in_one_line_and_a_busy_hubspot_is_asked_again() {
    let stub = Stub::start(vec![
        Action::Answer(429, vec!["retry-after: 0.01".to_owned()], String::new()),
        Action::Answer(503, vec!["retry-after: 0.01".to_owned()], String::new()),
        Action::json(200, r#"{"results":[]}"#),
        Action::json(
            403,
            r#"{"category":"MISSING_SCOPES","message":"m","context":{"requiredGranularScopes":["custom-object-read"]}}"#,
        ),
        Action::json(
            400,
            r#"{"status":"error","message":"Unable to infer object type from: cats"}"#,
        ),
        Action::json(401, r#"{"message":"no"}"#),
        Action::json(200, "[]"),
    ])
    .await;
    let client = client(&stub, private());
    let stop = CancellationToken::new();
    let directory = client.directory(&stop);
    assert_eq!(directory.object_schemas().await, Ok(Vec::new()));
    assert_eq!(stub.seen().len(), 3);
    let host = stub.address.to_string();
    let forbidden = directory.object_schemas().await.unwrap_err();
    assert_eq!(
        forbidden.to_string(),
        "the token may not read object schemas: missing scopes: custom-object-read"
    );
    let unknown = directory
        .properties(&ObjectType::new("cats"))
        .await
        .unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "HubSpot did not list properties: Unable to infer object type from: cats"
    );
    let refused = directory.lists(None).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "HubSpot does not accept the token: no; make a new one or reconnect the app"
    );
    let odd = directory.lists(None).await.unwrap_err();
    assert_eq!(
        odd.to_string().replace(&host, "HOST"),
        "HOST does not answer like HubSpot (the answer is no JSON object): check hubspot.base_url and hubspot.api_version"
    );
    stop.cancel();
    let stopped = directory.lists(None).await.unwrap_err();
    assert_eq!(stopped.to_string(), "stopped before HubSpot answered");
}
