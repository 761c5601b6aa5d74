//! Every kind of call as it goes over the wire; the versions differ in the path alone.

use std::sync::Arc;

use crate::stub::{Action, Stub};
use hubferry_actions::{
    AssociationType, EventName, EventPropertyDefinition, LinkChange, ListName, MatchMode,
    MembershipChange, ObjectType, Properties, PropertyDefinition, PropertyName, PropertyText,
    RecordId, Sensitivity, ValueKind,
};
use hubferry_hubspot::{
    ApiVersion, ArchiveInput, Auth, BaseUrl, Call, Client, ClientSettings, CreateInput,
    CreatePropertyInput, LinkInput, MemberInput, OccurrenceInput, ReadInput, Request, SearchInput,
    Secret, StepId, UpdateInput, UpsertInput,
};
use tokio_util::sync::CancellationToken;

fn properties(pairs: &[(&str, &str)]) -> Properties {
    let pair = |(name, value): &(&str, &str)| (PropertyName::new(name), PropertyText::new(value));
    pairs.iter().map(pair).collect()
}

/// What the request looks like in the default version; its path in the others is compared with `legacy_path`.
async fn on_the_wire(request: Request, legacy_path: &str) -> String {
    let dated = sent(request.clone(), ApiVersion::V2026_03).await;
    let newer = sent(request.clone(), ApiVersion::V2026_09).await;
    assert_eq!(newer, dated.replace("/2026-03", "/2026-09"));
    let legacy = sent(request, ApiVersion::Legacy).await;
    let (_, dated_rest) = dated.split_once(" HTTP").unwrap();
    let method = dated.split_once(' ').unwrap().0;
    assert_eq!(legacy, format!("{method} {legacy_path} HTTP{dated_rest}"));
    dated
}

async fn sent(request: Request, version: ApiVersion) -> String {
    let stub = Stub::start(vec![Action::json(200, "{}")]).await;
    let mut settings = ClientSettings::new(Auth::Private(Secret::new("TOKEN")));
    settings.base_url = BaseUrl::parse(&stub.url()).unwrap();
    settings.version = version;
    let client = Client::new(settings).unwrap();
    let prepared = client.prepare(&Call { request });
    let reply = client.send(prepared, &CancellationToken::new()).await;
    assert_eq!(reply.status, Some(200));
    stub.seen().remove(0)
}

#[tokio::test]
async fn an_upsert_of_contacts_never_writes_the_email() {
    let request = Request::Upsert {
        object: ObjectType::contacts(),
        id_property: PropertyName::new("email"),
        inputs: vec![UpsertInput {
            step: StepId(41),
            value: Arc::from("jane@example.com"),
            properties: properties(&[("firstname", "Jane"), ("plan", "")]),
        }],
    };
    insta::assert_snapshot!(on_the_wire(request, "/crm/v3/objects/contacts/batch/upsert").await, @r#"
    POST /crm/objects/2026-03/contacts/batch/upsert HTTP/1.1
    accept-encoding: gzip
    accept: */*
    authorization: Bearer TOKEN
    content-type: application/json
    user-agent: hubferry/0.1.0

    {"inputs":[{"id":"jane@example.com","idProperty":"email","objectWriteTraceId":"41","properties":{"firstname":"Jane","plan":""}}]}
    "#);
}

#[tokio::test]
async fn an_upsert_by_another_property_writes_it_once() {
    let request = Request::Upsert {
        object: ObjectType::new("p1_cats/x"),
        id_property: PropertyName::new("chip"),
        inputs: vec![UpsertInput {
            step: StepId(u64::MAX),
            value: Arc::from("c \"1\""),
            properties: properties(&[("chip", "other"), ("name", "Tom")]),
        }],
    };
    insta::assert_snapshot!(on_the_wire(request, "/crm/v3/objects/p1_cats%2Fx/batch/upsert").await, @r#"
    POST /crm/objects/2026-03/p1_cats%2Fx/batch/upsert HTTP/1.1
    accept-encoding: gzip
    accept: */*
    authorization: Bearer TOKEN
    content-type: application/json
    user-agent: hubferry/0.1.0

    {"inputs":[{"id":"c \"1\"","idProperty":"chip","objectWriteTraceId":"18446744073709551615","properties":{"chip":"c \"1\"","name":"Tom"}}]}
    "#);
}

#[tokio::test]
async fn an_update_names_no_id_property() {
    let request = Request::Update {
        object: ObjectType::companies(),
        inputs: vec![UpdateInput {
            step: StepId(5),
            id: RecordId::new("700"),
            properties: properties(&[("name", "Acme")]),
        }],
    };
    insta::assert_snapshot!(on_the_wire(request, "/crm/v3/objects/companies/batch/update").await, @r#"
    POST /crm/objects/2026-03/companies/batch/update HTTP/1.1
    accept-encoding: gzip
    accept: */*
    authorization: Bearer TOKEN
    content-type: application/json
    user-agent: hubferry/0.1.0

    {"inputs":[{"id":"700","objectWriteTraceId":"5","properties":{"name":"Acme"}}]}
    "#);
}

#[tokio::test]
async fn a_read_by_email_asks_for_secondary_addresses() {
    let request = Request::Read {
        object: ObjectType::contacts(),
        id_property: PropertyName::new("email"),
        properties: vec![
            PropertyName::new("lifecyclestage"),
            PropertyName::new("email"),
        ],
        inputs: vec![ReadInput {
            step: StepId(6),
            value: Arc::from("jane@example.com"),
        }],
    };
    insta::assert_snapshot!(on_the_wire(request, "/crm/v3/objects/contacts/batch/read").await, @r#"
    POST /crm/objects/2026-03/contacts/batch/read HTTP/1.1
    accept-encoding: gzip
    accept: */*
    authorization: Bearer TOKEN
    content-type: application/json
    user-agent: hubferry/0.1.0

    {"idProperty":"email","properties":["email","hs_additional_emails","lifecyclestage"],"inputs":[{"id":"jane@example.com"}]}
    "#);
}

#[tokio::test]
async fn a_search_has_a_filter_group_per_step_or_per_field_and_asks_for_what_it_filters_by() {
    let request = Request::Search {
        object: ObjectType::companies(),
        inputs: vec![
            SearchInput {
                step: StepId(7),
                filters: properties(&[("domain", "a.io"), ("name", "A")]),
                mode: MatchMode::All,
            },
            SearchInput {
                step: StepId(8),
                filters: properties(&[("domain", "b.io"), ("website", "b.io")]),
                mode: MatchMode::Any,
            },
        ],
    };
    insta::assert_snapshot!(on_the_wire(request, "/crm/v3/objects/companies/search").await, @r#"
    POST /crm/objects/2026-03/companies/search HTTP/1.1
    accept-encoding: gzip
    accept: */*
    authorization: Bearer TOKEN
    content-type: application/json
    user-agent: hubferry/0.1.0

    {"filterGroups":[{"filters":[{"propertyName":"domain","operator":"EQ","value":"a.io"},{"propertyName":"name","operator":"EQ","value":"A"}]},{"filters":[{"propertyName":"domain","operator":"EQ","value":"b.io"}]},{"filters":[{"propertyName":"website","operator":"EQ","value":"b.io"}]}],"properties":["domain","name","website"],"limit":200}
    "#);
}

fn head(dated: &str) -> (&str, &str) {
    let (line, rest) = dated.split_once('\n').unwrap();
    (line, rest.split_once("\n\n").unwrap().1)
}

/// A request's first line in the default version and its body; the other versions are compared with `legacy_path`.
async fn check(request: Request, line: &str, legacy_path: &str, body: &str) {
    let dated = on_the_wire(request, legacy_path).await;
    assert_eq!(head(&dated), (format!("{line} HTTP/1.1").as_str(), body));
}

fn link(change: LinkChange) -> Request {
    let labelled = AssociationType {
        category: Arc::from("USER_DEFINED"),
        type_id: 36,
    };
    Request::Link {
        change,
        from: ObjectType::companies(),
        to: ObjectType::contacts(),
        inputs: vec![LinkInput {
            step: StepId(9),
            from: RecordId::new("700"),
            to: RecordId::new("10"),
            kinds: [AssociationType::company_to_contact(), labelled]
                .into_iter()
                .collect(),
        }],
    }
}

#[tokio::test]
async fn associations_carry_all_types_of_a_pair() {
    let body = r#"{"inputs":[{"from":{"id":"700"},"to":{"id":"10"},"types":[{"associationCategory":"HUBSPOT_DEFINED","associationTypeId":280},{"associationCategory":"USER_DEFINED","associationTypeId":36}]}]}"#;
    check(
        link(LinkChange::Associate),
        "POST /crm/associations/2026-03/companies/contacts/batch/create",
        "/crm/v4/associations/companies/contacts/batch/create",
        body,
    )
    .await;
    check(
        link(LinkChange::Dissociate),
        "POST /crm/associations/2026-03/companies/contacts/batch/labels/archive",
        "/crm/v4/associations/companies/contacts/batch/labels/archive",
        body,
    )
    .await;
}

#[tokio::test]
async fn records_are_archived_and_contacts_deleted_by_their_id() {
    let input = |(step, id)| ArchiveInput {
        step: StepId(step),
        id: RecordId::new(id),
    };
    check(
        Request::Archive {
            object: ObjectType::contacts(),
            inputs: [(1, "101"), (2, "102")].map(input).into(),
        },
        "POST /crm/objects/2026-03/contacts/batch/archive",
        "/crm/v3/objects/contacts/batch/archive",
        r#"{"inputs":[{"id":"101"},{"id":"102"}]}"#,
    )
    .await;
    check(
        Request::GdprDelete {
            step: StepId(1),
            contact: RecordId::new("101"),
        },
        "POST /crm/objects/2026-03/contacts/gdpr-delete",
        "/crm/v3/objects/contacts/gdpr-delete",
        r#"{"objectId":"101"}"#,
    )
    .await;
}

#[tokio::test]
async fn records_are_created_with_trace_ids_and_their_unique_property() {
    let request = Request::Create {
        object: ObjectType::new("deals"),
        inputs: vec![
            CreateInput {
                step: StepId(11),
                unique: None,
                properties: properties(&[("dealname", "Big \"one\""), ("note", "")]),
            },
            CreateInput {
                step: StepId(12),
                unique: Some((PropertyName::new("order_no"), Arc::from("7"))),
                properties: properties(&[("order_no", "other"), ("dealname", "B")]),
            },
        ],
    };
    check(
        request,
        "POST /crm/objects/2026-03/deals/batch/create",
        "/crm/v3/objects/deals/batch/create",
        r#"{"inputs":[{"objectWriteTraceId":"11","properties":{"dealname":"Big \"one\"","note":""}},{"objectWriteTraceId":"12","properties":{"order_no":"7","dealname":"B"}}]}"#,
    )
    .await;
}

#[tokio::test]
async fn a_read_by_record_id_names_no_id_property() {
    let request = Request::Read {
        object: ObjectType::new("deals"),
        id_property: PropertyName::new("hs_object_id"),
        properties: vec![PropertyName::new("dealstage")],
        inputs: vec![ReadInput {
            step: StepId(13),
            value: Arc::from("5"),
        }],
    };
    check(
        request,
        "POST /crm/objects/2026-03/deals/batch/read",
        "/crm/v3/objects/deals/batch/read",
        r#"{"properties":["hs_object_id","dealstage"],"inputs":[{"id":"5"}]}"#,
    )
    .await;
}

fn definition(name: &str, kind: ValueKind, sensitive: bool) -> CreatePropertyInput {
    CreatePropertyInput {
        step: StepId(10),
        definition: PropertyDefinition {
            object: ObjectType::companies(),
            name: PropertyName::new(name),
            label: Arc::from(name),
            description: "",
            group: Arc::from("companyinformation"),
            kind,
            unique: false,
            hidden: false,
            sensitive,
        },
    }
}

#[tokio::test]
async fn properties_are_created_with_the_type_of_their_values() {
    let request = Request::CreateProperties {
        object: ObjectType::companies(),
        inputs: vec![
            definition("t", ValueKind::Text, true),
            definition("n", ValueKind::Number, false),
            definition("b", ValueKind::Boolean, false),
            definition("d", ValueKind::Date, false),
            definition("m", ValueKind::DateTime, false),
        ],
    };
    let common = |name: &str, kind: &str, rest: &str| {
        format!(
            r#"{{"name":"{name}","label":"{name}","description":"","groupName":"companyinformation",{kind},"hasUniqueValue":false,"hidden":false{rest}}}"#
        )
    };
    let choice = |value: &str, order: u32| {
        format!(
            r#"{{"label":"{value}","value":"{value}","hidden":false,"description":"","displayOrder":{order}}}"#
        )
    };
    let options = format!(
        r#","options":[{},{}]"#,
        choice("true", 1),
        choice("false", 2)
    );
    let inputs = [
        common(
            "t",
            r#""type":"string","fieldType":"text""#,
            r#","dataSensitivity":"sensitive""#,
        ),
        common("n", r#""type":"number","fieldType":"number""#, ""),
        common(
            "b",
            r#""type":"enumeration","fieldType":"booleancheckbox""#,
            &options,
        ),
        common("d", r#""type":"date","fieldType":"date""#, ""),
        common("m", r#""type":"datetime","fieldType":"date""#, ""),
    ];
    check(
        request,
        "POST /crm/properties/2026-03/companies/batch/create",
        "/crm/v3/properties/companies/batch/create",
        &format!(r#"{{"inputs":[{}]}}"#, inputs.join(",")),
    )
    .await;
}

#[tokio::test]
async fn what_a_portal_has_is_read_without_a_body() {
    let class = |sensitivity| Request::ReadProperties {
        step: StepId(1),
        object: ObjectType::contacts(),
        sensitivity,
    };
    let properties = "/properties/2026-03/contacts?archived=false";
    let legacy = "/crm/v3/properties/contacts?archived=false";
    let table = [
        (Sensitivity::Plain, ""),
        (Sensitivity::Sensitive, "&dataSensitivity=sensitive"),
        (
            Sensitivity::HighlySensitive,
            "&dataSensitivity=highly_sensitive",
        ),
    ];
    for (sensitivity, rest) in table {
        check(
            class(sensitivity),
            &format!("GET /crm{properties}{rest}"),
            &format!("{legacy}{rest}"),
            "",
        )
        .await;
    }
    let object_type = Request::ReadObjectType {
        step: StepId(1),
        object: ObjectType::new("p1_cats"),
    };
    check(
        object_type,
        "GET /crm-object-schemas/2026-03/schemas/p1_cats",
        "/crm-object-schemas/v3/schemas/p1_cats",
        "",
    )
    .await;
    let list = Request::ReadList {
        step: StepId(1),
        list: ListName {
            object: ObjectType::contacts(),
            name: Arc::from("50% off / Ü"),
        },
    };
    check(
        list,
        "GET /crm/lists/2026-03/object-type-id/0-1/name/50%25%20off%20%2F%20%C3%9C",
        "/crm/v3/lists/object-type-id/0-1/name/50%25%20off%20%2F%20%C3%9C",
        "",
    )
    .await;
}

#[tokio::test]
async fn a_list_is_created_for_members_that_come_and_go() {
    let create = Request::CreateList {
        step: StepId(1),
        list: ListName {
            object: ObjectType::contacts(),
            name: Arc::from("VIPs"),
        },
        type_id: Arc::from("0-1"),
    };
    check(
        create,
        "POST /crm/lists/2026-03",
        "/crm/v3/lists",
        r#"{"name":"VIPs","objectTypeId":"0-1","processingType":"MANUAL"}"#,
    )
    .await;
    let member = |step, record: &str, change| MemberInput {
        step: StepId(step),
        record: RecordId::new(record),
        change,
    };
    let change = Request::ChangeMembers {
        list: Arc::from("17"),
        inputs: vec![
            member(1, "5", MembershipChange::Add),
            member(2, "6", MembershipChange::Remove),
            member(3, "7", MembershipChange::Add),
        ],
    };
    check(
        change,
        "PUT /crm/lists/2026-03/17/memberships/add-and-remove",
        "/crm/v3/lists/17/memberships/add-and-remove",
        r#"{"recordIdsToAdd":["5","7"],"recordIdsToRemove":["6"]}"#,
    )
    .await;
}

/// Custom events have a prefix of their own in each version (hubspot-api.md §1.2).
async fn check_event(request: Request, line: &str, body: &str) {
    let (method, rest) = line.split_once(' ').unwrap();
    for (version, prefix) in [
        (ApiVersion::V2026_03, "/events/2026-03"),
        (ApiVersion::V2026_09, "/events/custom/2026-09"),
        (ApiVersion::Legacy, "/events/v3"),
    ] {
        let seen = sent(request.clone(), version).await;
        let expected = format!("{method} {prefix}{rest} HTTP/1.1");
        assert_eq!(head(&seen), (expected.as_str(), body));
    }
}

#[tokio::test]
async fn occurrences_are_sent_in_one_batch() {
    let full = OccurrenceInput {
        step: StepId(1),
        event: Arc::from("pe1_signed_up"),
        object_id: Some(RecordId::new("5")),
        email: Some(Arc::from("jane@example.com")),
        utk: Some(Arc::from("u-t-k")),
        occurred_at: Some(Arc::from("2026-11-23T10:00:00.000Z")),
        properties: vec![(PropertyName::new("plan"), Arc::from("gold"))],
        uuid: Arc::from("0189-1"),
    };
    let bare = OccurrenceInput {
        step: StepId(2),
        event: Arc::from("pe1_left"),
        object_id: None,
        email: None,
        utk: Some(Arc::from("u-t-k")),
        occurred_at: None,
        properties: Vec::new(),
        uuid: Arc::from("0189-2"),
    };
    check_event(
        Request::SendEvents {
            inputs: vec![full, bare],
        },
        "POST /send/batch",
        r#"{"inputs":[{"eventName":"pe1_signed_up","objectId":"5","email":"jane@example.com","utk":"u-t-k","occurredAt":"2026-11-23T10:00:00.000Z","properties":{"plan":"gold"},"uuid":"0189-1"},{"eventName":"pe1_left","utk":"u-t-k","properties":{},"uuid":"0189-2"}]}"#,
    )
    .await;
}

#[tokio::test]
async fn event_definitions_are_read_and_created() {
    let event = EventName::new("signed_up");
    let read = Request::ReadEventDefinition {
        step: StepId(1),
        event: event.clone(),
    };
    check_event(
        read,
        "GET /event-definitions/signed_up?includeProperties=true",
        "",
    )
    .await;
    let property = |name: &str, kind| EventPropertyDefinition {
        event: event.clone(),
        name: PropertyName::new(name),
        kind,
    };
    let create = |object: &str, properties| Request::CreateEventDefinition {
        step: StepId(1),
        event: event.clone(),
        object: ObjectType::new(object),
        properties,
    };
    let options = r#"[{"label":"true","value":"true","hidden":false,"description":"","displayOrder":1},{"label":"false","value":"false","hidden":false,"description":"","displayOrder":2}]"#;
    let typed = vec![
        property("t", ValueKind::Text),
        property("n", ValueKind::Number),
        property("b", ValueKind::Boolean),
        property("d", ValueKind::Date),
        property("m", ValueKind::DateTime),
    ];
    check_event(
        create("contacts", typed),
        "POST /event-definitions",
        &format!(
            r#"{{"label":"signed_up","name":"signed_up","description":"","primaryObject":"CONTACT","includeDefaultProperties":true,"propertyDefinitions":[{{"name":"t","label":"t","type":"string"}},{{"name":"n","label":"n","type":"number"}},{{"name":"b","label":"b","type":"enumeration","options":{options}}},{{"name":"d","label":"d","type":"datetime"}},{{"name":"m","label":"m","type":"datetime"}}]}}"#
        ),
    )
    .await;
    for (object, named) in [
        ("companies", "COMPANY"),
        ("deals", "DEAL"),
        ("0-5", "TICKET"),
        ("p1_cats", "p1_cats"),
    ] {
        check_event(
            create(object, Vec::new()),
            "POST /event-definitions",
            &format!(
                r#"{{"label":"signed_up","name":"signed_up","description":"","primaryObject":"{named}","includeDefaultProperties":true,"propertyDefinitions":[]}}"#
            ),
        )
        .await;
    }
    let long = "x".repeat(60);
    let one = Request::CreateEventProperty {
        step: StepId(1),
        definition: EventPropertyDefinition {
            event: EventName::new("pe1_signed_up"),
            name: PropertyName::new(&long),
            kind: ValueKind::Number,
        },
    };
    check_event(
        one,
        "POST /event-definitions/pe1_signed_up/property",
        &format!(
            r#"{{"name":"{long}","label":"{}","type":"number"}}"#,
            "x".repeat(50)
        ),
    )
    .await;
}
