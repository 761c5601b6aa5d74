//! Every kind of call as it goes over the wire; the versions differ in the path alone.

use std::sync::Arc;

use crate::stub::{Action, Stub};
use hubferry_actions::{
    AssociationType, ObjectType, Properties, PropertyDefinition, PropertyName, PropertyText,
    RecordId,
};
use hubferry_hubspot::{
    ApiVersion, AssociationInput, Auth, BaseUrl, Call, Client, ClientSettings, ReadInput, Request,
    SearchInput, Secret, StepId, UpdateInput, UpsertInput,
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
    assert_eq!(newer, dated.replace("/2026-03/", "/2026-09/"));
    let legacy = sent(request, ApiVersion::Legacy).await;
    let (_, dated_rest) = dated.split_once(" HTTP").unwrap();
    assert_eq!(legacy, format!("POST {legacy_path} HTTP{dated_rest}"));
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
async fn a_search_has_a_filter_group_per_step_and_asks_for_what_it_filters_by() {
    let request = Request::Search {
        object: ObjectType::companies(),
        inputs: vec![
            SearchInput {
                step: StepId(7),
                filters: properties(&[("domain", "a.io"), ("name", "A")]),
            },
            SearchInput {
                step: StepId(8),
                filters: properties(&[("domain", "b.io")]),
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

    {"filterGroups":[{"filters":[{"propertyName":"domain","operator":"EQ","value":"a.io"},{"propertyName":"name","operator":"EQ","value":"A"}]},{"filters":[{"propertyName":"domain","operator":"EQ","value":"b.io"}]}],"properties":["domain","name"],"limit":200}
    "#);
}

#[tokio::test]
async fn associations_carry_their_type() {
    let request = Request::Associate {
        from: ObjectType::companies(),
        to: ObjectType::contacts(),
        kind: AssociationType::company_to_contact(),
        inputs: vec![AssociationInput {
            step: StepId(9),
            from: RecordId::new("700"),
            to: RecordId::new("10"),
        }],
    };
    let legacy = "/crm/v4/associations/companies/contacts/batch/create";
    insta::assert_snapshot!(on_the_wire(request, legacy).await, @r#"
    POST /crm/associations/2026-03/companies/contacts/batch/create HTTP/1.1
    accept-encoding: gzip
    accept: */*
    authorization: Bearer TOKEN
    content-type: application/json
    user-agent: hubferry/0.1.0

    {"inputs":[{"from":{"id":"700"},"to":{"id":"10"},"types":[{"associationCategory":"HUBSPOT_DEFINED","associationTypeId":280}]}]}
    "#);
}

#[tokio::test]
async fn a_property_is_created_as_text() {
    let request = Request::CreateProperty {
        step: StepId(10),
        definition: PropertyDefinition {
            object: ObjectType::companies(),
            name: PropertyName::new("segment_group_id"),
            label: "Group ID",
            description: "The group.",
            group: "companyinformation",
            unique: true,
            hidden: false,
        },
    };
    insta::assert_snapshot!(on_the_wire(request, "/crm/v3/properties/companies").await, @r#"
    POST /crm/properties/2026-03/companies HTTP/1.1
    accept-encoding: gzip
    accept: */*
    authorization: Bearer TOKEN
    content-type: application/json
    user-agent: hubferry/0.1.0

    {"name":"segment_group_id","label":"Group ID","description":"The group.","groupName":"companyinformation","type":"string","fieldType":"text","hasUniqueValue":true,"hidden":false}
    "#);
}
