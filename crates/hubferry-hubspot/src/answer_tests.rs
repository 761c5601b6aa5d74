//! Recorded answers (hubspot-api.md §3.4, §3.5, §4.2, §5.1, §8.4, §9.2) and what must come of them.

use std::sync::Arc;

use bytes::Bytes;
use hubferry_actions::{
    AssociationType, EventName, EventPropertyDefinition, LinkChange, ListName, MatchMode,
    MembershipChange, ObjectType, Properties, PropertyDefinition, PropertyName, PropertyText,
    RecordId, Sensitivity, ValueKind,
};
use jiff::Timestamp;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::{Answer, read};
use crate::call::{
    ArchiveInput, CreateInput, CreatePropertyInput, LinkInput, MemberInput, OccurrenceInput,
    ReadInput, Request, SearchInput, StepId, UpdateInput, UpsertInput,
};
use crate::outcome::{Answers, Done, Fact, Hold, Outcome, Rejection};

fn properties(pairs: &[(&str, &str)]) -> Properties {
    let pair = |(name, value): &(&str, &str)| (PropertyName::new(name), PropertyText::new(value));
    pairs.iter().map(pair).collect()
}

/// Steps 1, 2, … with these unique values, each writing `plan` and `age`.
fn upsert(object: ObjectType, unique: &str, values: &[&str]) -> Request {
    let input = |(step, value): (u64, &&str)| UpsertInput {
        step: StepId(step),
        value: Arc::from(*value),
        properties: properties(&[("plan", "gold"), ("age", &format!("forty-{step}"))]),
    };
    Request::Upsert {
        object,
        id_property: PropertyName::new(unique),
        inputs: (1..).zip(values).map(input).collect(),
    }
}

fn contacts(values: &[&str]) -> Request {
    upsert(ObjectType::contacts(), "email", values)
}

fn companies(values: &[&str]) -> Request {
    upsert(ObjectType::companies(), "segment_group_id", values)
}

fn update(ids: &[&str]) -> Request {
    let input = |(step, id): (u64, &&str)| UpdateInput {
        step: StepId(step),
        id: RecordId::new(id),
        properties: properties(&[("plan", "gold")]),
    };
    Request::Update {
        object: ObjectType::contacts(),
        inputs: (1..).zip(ids).map(input).collect(),
    }
}

fn read_by(unique: &str, values: &[&str]) -> Request {
    let input = |(step, value): (u64, &&str)| ReadInput {
        step: StepId(step),
        value: Arc::from(*value),
    };
    Request::Read {
        object: ObjectType::contacts(),
        id_property: PropertyName::new(unique),
        properties: vec![PropertyName::new("lifecyclestage")],
        inputs: (1..).zip(values).map(input).collect(),
    }
}

fn search(groups: &[&[(&str, &str)]]) -> Request {
    let input = |(step, filters): (u64, &&[(&str, &str)])| SearchInput {
        step: StepId(step),
        filters: properties(filters),
        mode: MatchMode::All,
    };
    Request::Search {
        object: ObjectType::companies(),
        inputs: (1..).zip(groups).map(input).collect(),
    }
}

fn link(change: LinkChange, pairs: &[(&str, &str)]) -> Request {
    let input = |(step, (from, to)): (u64, &(&str, &str))| LinkInput {
        step: StepId(step),
        from: RecordId::new(from),
        to: RecordId::new(to),
        kinds: [AssociationType::company_to_contact()]
            .into_iter()
            .collect(),
    };
    Request::Link {
        change,
        from: ObjectType::companies(),
        to: ObjectType::contacts(),
        inputs: (1..).zip(pairs).map(input).collect(),
    }
}

fn associate(pairs: &[(&str, &str)]) -> Request {
    link(LinkChange::Associate, pairs)
}

fn dissociate(pairs: &[(&str, &str)]) -> Request {
    link(LinkChange::Dissociate, pairs)
}

/// A unique property with its value, and what else to write.
type Created<'a> = (Option<(&'a str, &'a str)>, &'a [(&'a str, &'a str)]);

fn create(inputs: &[Created<'_>]) -> Request {
    let input = |(step, (unique, written)): (u64, &Created<'_>)| CreateInput {
        step: StepId(step),
        unique: unique.map(|(name, value)| (PropertyName::new(name), Arc::from(value))),
        properties: properties(written),
    };
    Request::Create {
        object: ObjectType::new("deals"),
        inputs: (1..).zip(inputs).map(input).collect(),
    }
}

fn create_properties(names: &[&str]) -> Request {
    let input = |(step, name): (u64, &&str)| CreatePropertyInput {
        step: StepId(step),
        definition: PropertyDefinition {
            object: ObjectType::companies(),
            name: PropertyName::new(name),
            label: Arc::from(*name),
            description: "",
            group: Arc::from("companyinformation"),
            kind: ValueKind::Text,
            unique: true,
            hidden: false,
            sensitive: false,
        },
    };
    Request::CreateProperties {
        object: ObjectType::companies(),
        inputs: (1..).zip(names).map(input).collect(),
    }
}

fn create_property() -> Request {
    create_properties(&["segment_group_id"])
}

fn read_properties(sensitivity: Sensitivity) -> Request {
    Request::ReadProperties {
        step: StepId(1),
        object: ObjectType::contacts(),
        sensitivity,
    }
}

fn read_type() -> Request {
    Request::ReadObjectType {
        step: StepId(1),
        object: ObjectType::new("p1_cats"),
    }
}

fn read_definition() -> Request {
    Request::ReadEventDefinition {
        step: StepId(1),
        event: EventName::new("signed_up"),
    }
}

fn create_definition() -> Request {
    Request::CreateEventDefinition {
        step: StepId(1),
        event: EventName::new("signed_up"),
        object: ObjectType::contacts(),
        properties: Vec::new(),
    }
}

fn create_event_property() -> Request {
    Request::CreateEventProperty {
        step: StepId(1),
        definition: EventPropertyDefinition {
            event: EventName::new("pe1_signed_up"),
            name: PropertyName::new("plan"),
            kind: ValueKind::Text,
        },
    }
}

fn list_name() -> ListName {
    ListName {
        object: ObjectType::contacts(),
        name: Arc::from("VIPs"),
    }
}

fn read_list() -> Request {
    Request::ReadList {
        step: StepId(1),
        list: list_name(),
    }
}

fn create_list() -> Request {
    Request::CreateList {
        step: StepId(1),
        list: list_name(),
        type_id: Arc::from("0-1"),
    }
}

fn members(records: &[&str]) -> Request {
    let input = |(step, record): (u64, &&str)| MemberInput {
        step: StepId(step),
        record: RecordId::new(record),
        change: if step == 1 {
            MembershipChange::Remove
        } else {
            MembershipChange::Add
        },
    };
    Request::ChangeMembers {
        list: Arc::from("17"),
        inputs: (1..).zip(records).map(input).collect(),
    }
}

fn archive(records: &[&str]) -> Request {
    let input = |(step, id): (u64, &&str)| ArchiveInput {
        step: StepId(step),
        id: RecordId::new(id),
    };
    Request::Archive {
        object: ObjectType::contacts(),
        inputs: (1..).zip(records).map(input).collect(),
    }
}

fn gdpr_delete() -> Request {
    Request::GdprDelete {
        step: StepId(1),
        contact: RecordId::new("101"),
    }
}

/// Occurrences of these events, each with `plan` = `gold`.
fn occurrences(events: &[&str]) -> Request {
    let input = |(step, event): (u64, &&str)| OccurrenceInput {
        step: StepId(step),
        event: Arc::from(*event),
        object_id: None,
        email: Some(Arc::from("jane@example.com")),
        utk: None,
        occurred_at: None,
        properties: vec![(PropertyName::new("plan"), Arc::from("gold"))],
        uuid: Arc::from("u"),
    };
    Request::SendEvents {
        inputs: (1..).zip(events).map(input).collect(),
    }
}

fn answers_with(
    request: &Request,
    status: u16,
    headers: &[(&'static str, &str)],
    body: &str,
) -> String {
    let header = |(name, value): &(&'static str, &str)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_str(value).unwrap(),
        )
    };
    let answer = Answer {
        status,
        headers: headers.iter().map(header).collect::<HeaderMap>(),
        body: Bytes::from(body.to_owned()),
    };
    let now: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
    let reply = read(request, &answer, now);
    assert_eq!(reply.status, Some(status));
    shown(&reply.answers)
}

fn answers(request: &Request, status: u16, body: &str) -> String {
    answers_with(request, status, &[], body)
}

fn shown(answers: &Answers) -> String {
    match answers {
        Answers::PerStep(steps) => {
            let one = |(step, outcome): &(StepId, Outcome)| {
                format!("{} {}", step.0, outcome_shown(outcome))
            };
            steps.iter().map(one).collect::<Vec<_>>().join(" | ")
        }
        Answers::Refused(refusal) => {
            let culprits: Vec<u64> = refusal.culprits.iter().map(|step| step.0).collect();
            format!(
                "refused {culprits:?} {}",
                rejection_shown(&refusal.rejection)
            )
        }
    }
}

fn outcome_shown(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done(Done::Written { id, created, stage }) => {
            let created = created.map_or("?", |c| if c { "new" } else { "old" });
            let stage = stage
                .as_ref()
                .map_or(String::new(), |s| format!(" stage={s}"));
            format!("{created} {}{stage}", id.as_str())
        }
        Outcome::Done(Done::Found(found)) => {
            let one = |f: &crate::outcome::Found| {
                let pairs = f
                    .properties
                    .iter()
                    .map(|(n, v)| format!(" {}={}", n.as_str(), v.expose()));
                format!("{}{}", f.id.as_str(), pairs.collect::<String>())
            };
            format!(
                "found [{}]",
                found.iter().map(one).collect::<Vec<_>>().join(", ")
            )
        }
        Outcome::Done(Done::There) => "there".to_owned(),
        Outcome::Done(Done::Learned(fact)) => fact_shown(fact),
        Outcome::Throttled { resume, bucket } => format!("throttled {bucket:?} {resume:?}"),
        Outcome::Transient { cause, after } => format!("transient {cause:?} {after:?}"),
        Outcome::Unaccounted => "unaccounted".to_owned(),
        Outcome::Rejected(rejection) => rejection_shown(rejection),
        Outcome::Gone => "gone".to_owned(),
        Outcome::Exists(id) => format!("exists {}", id.as_str()),
        Outcome::Held { scope, reason } => match reason {
            Hold::Auth { message } => format!("held {scope:?} auth: {message}"),
            Hold::Scope { message } => format!("held {scope:?} scope: {message}"),
            Hold::Config { message } => format!("held {scope:?} config: {message}"),
        },
    }
}

fn fact_shown(fact: &Fact) -> String {
    match fact {
        Fact::Properties(properties) => {
            let one = |(name, info): (&str, &hubferry_actions::PropertyInfo)| {
                let marks = [
                    (info.read_only, " read-only"),
                    (info.unique, " unique"),
                    (info.sensitivity == Sensitivity::Sensitive, " sensitive"),
                ];
                let marks = marks.iter().filter(|(set, _)| *set).map(|(_, mark)| *mark);
                let label = &info.label;
                format!(
                    "{name} ({label}) {:?} {}{}",
                    info.value,
                    info.kind,
                    marks.collect::<String>()
                )
            };
            let all: Vec<String> = properties.sorted().into_iter().map(one).collect();
            all.join("\n")
        }
        other => format!("{other:?}"),
    }
}

fn rejection_shown(rejection: &Rejection) -> String {
    format!(
        "{}/{} [{}] {}",
        rejection.code.as_str(),
        rejection.class.as_str(),
        rejection
            .property
            .as_ref()
            .map_or("-", PropertyName::as_str),
        rejection.message
    )
}

#[test]
fn an_upsert_by_email_matches_by_value_whatever_the_order_and_case() {
    let request = contacts(&["a@x.io", "b@x.io"]);
    let body = r#"{"status":"COMPLETE","results":[
        {"id":"2","new":false,"properties":{"email":"b@x.io","lifecyclestage":null}},
        {"id":"1","new":true,"properties":{"email":" A@X.io","lifecyclestage":"lead"}}]}"#;
    assert_eq!(
        answers(&request, 200, body),
        "1 new 1 stage=lead | 2 old 2 stage="
    );
}

#[test]
fn an_echoed_trace_id_wins_over_the_value() {
    let request = companies(&["g1", "g2"]);
    let body = r#"{"results":[
        {"id":"20","new":true,"objectWriteTraceId":"2","properties":{"segment_group_id":"g1"}},
        {"id":10,"new":true,"objectWriteTraceId":1,"properties":{}}]}"#;
    assert_eq!(answers(&request, 200, body), "1 new 10 | 2 new 20");
}

#[test]
fn a_partial_answer_gives_every_input_its_own_outcome() {
    let request = contacts(&["a@x.io", "b@x.io", "c@x.io", "d@x.io", "e@x.io"]);
    let body = r#"{"status":"COMPLETE","numErrors":3,"results":[{"id":"1","properties":{"email":"a@x.io"}}],"errors":[
        {"status":"error","category":"VALIDATION_ERROR","context":{"objectWriteTraceId":["2"]},
         "message":"Property values were not valid: [{\"isValid\":false,\"message\":\"Forty-2 was not a valid long.\",\"error\":\"INVALID_LONG\",\"name\":\"age\",\"localizedErrorMessage\":\"…\",\"portalId\":891936587}]"},
        {"status":"error","category":"CONFLICT","message":"Contact already exists. Existing ID: 171591000198","context":{"objectWriteTraceId":["3"],"existingId":["171591000198"]}},
        {"status":"error","category":"VALIDATION_ERROR","objectWriteTraceId":"4","message":"nonsense from d@x.io"}]}"#;
    assert_eq!(
        answers(&request, 207, body),
        "1 ? 1 | 2 property_type/input [age] age: *** was not a valid long. | 3 exists 171591000198 \
         | 4 hubspot_rejected/input [-] nonsense from *** | 5 unaccounted"
    );
}

#[test]
fn one_error_may_name_several_inputs() {
    let request = companies(&["g1", "g2", "g3"]);
    let body = r#"{"results":[{"id":"3","properties":{"segment_group_id":"g3"}}],"errors":[
        {"category":"VALIDATION_ERROR","message":"Property values were not valid: [{\"message\":\"Property \\\"plan\\\" does not exist\",\"error\":\"PROPERTY_DOESNT_EXIST\",\"name\":\"plan\"}]",
         "context":{"objectWriteTraceId":["1","2","77"]}}]}"#;
    let missing = r#"property_missing/mapping [plan] plan: Property "plan" does not exist"#;
    assert_eq!(
        answers(&request, 207, body),
        format!("1 {missing} | 2 {missing} | 3 ? 3")
    );
}

#[test]
fn the_only_unconfirmed_input_owns_an_error_without_a_name() {
    let error = r#"{"category":"VALIDATION_ERROR","message":"no good"}"#;
    let one_open = format!(
        r#"{{"results":[{{"id":"1","properties":{{"email":"a@x.io"}}}}],"errors":[{error}]}}"#
    );
    assert_eq!(
        answers(&contacts(&["a@x.io", "b@x.io"]), 207, &one_open),
        "1 ? 1 | 2 hubspot_rejected/input [-] no good"
    );
    assert_eq!(
        answers(&contacts(&["a@x.io", "b@x.io", "c@x.io"]), 207, &one_open),
        "1 ? 1 | 2 unaccounted | 3 unaccounted"
    );
}

#[test]
fn a_secondary_address_is_matched_by_elimination_and_only_when_one_is_left() {
    let body = r#"{"results":[{"id":"1","properties":{"email":"a@x.io"}},{"id":"7","new":false,"properties":{"email":"primary@x.io"}}]}"#;
    assert_eq!(
        answers(&contacts(&["a@x.io", "old@x.io"]), 200, body),
        "1 ? 1 | 2 old 7"
    );
    assert_eq!(
        answers(&contacts(&["a@x.io", "old@x.io", "older@x.io"]), 200, body),
        "1 ? 1 | 2 unaccounted | 3 unaccounted"
    );
    // Another property shows the very value that was sent: a different one is another record.
    let other = r#"{"results":[{"id":"9","properties":{"segment_group_id":"g9"}}]}"#;
    assert_eq!(answers(&companies(&["g1"]), 200, other), "1 unaccounted");
    let silent = r#"{"results":[{"id":"9","properties":{}}]}"#;
    assert_eq!(answers(&companies(&["g1"]), 200, silent), "1 ? 9");
}

#[test]
fn an_input_shown_both_done_and_failed_is_not_believed() {
    let body = r#"{"results":[{"id":"1","properties":{"email":"a@x.io"}}],
        "errors":[{"category":"VALIDATION_ERROR","message":"no","context":{"objectWriteTraceId":["1"]}}]}"#;
    assert_eq!(answers(&contacts(&["a@x.io"]), 207, body), "1 unaccounted");
}

#[test]
fn an_accepted_call_without_account_of_its_inputs_is_unaccounted_and_an_unreadable_one_broken() {
    let request = contacts(&["a@x.io", "b@x.io"]);
    let nothing = "1 unaccounted | 2 unaccounted";
    let broken = "1 transient Broken None | 2 transient Broken None";
    let table = [
        ("", nothing),
        ("{}", nothing),
        (r#"{"status":"COMPLETE","results":[]}"#, nothing),
        (r#"{"results":{"id":"1"},"errors":"no"}"#, nothing),
        (
            r#"{"results":[null,1,"x",{"id":null},{"id":"","properties":{"email":"a@x.io"}}]}"#,
            nothing,
        ),
        (r#"{"results":[{"id":"1","prop"#, broken),
        ("<html>captive portal</html>", broken),
        ("[]", broken),
    ];
    for (body, expected) in table {
        assert_eq!(answers(&request, 200, body), expected, "{body}");
    }
}

#[test]
fn an_update_is_matched_by_id_and_what_is_gone_is_gone() {
    let request = update(&["11", "12", "13"]);
    let body = r#"{"results":[{"id":"12","properties":{"lifecyclestage":"customer"}}],"errors":[
        {"status":"error","category":"OBJECT_NOT_FOUND","message":"Could not get some CONTACT objects, they may be deleted or not exist. Check that ids are valid.","context":{"ids":["13","11"]}}]}"#;
    assert_eq!(
        answers(&request, 207, body),
        "1 gone | 2 old 12 stage=customer | 3 gone"
    );
}

#[test]
fn a_whole_update_that_is_not_found_is_looked_up_again() {
    let plain = r#"{"status":"error","message":"resource not found","correlationId":"c"}"#;
    assert_eq!(answers(&update(&["11"]), 404, plain), "1 gone");
    let named = r#"{"category":"OBJECT_NOT_FOUND","message":"x","context":{"ids":["12"]}}"#;
    assert_eq!(
        answers(&update(&["11", "12"]), 404, named),
        "1 transient Server(404) None | 2 gone"
    );
}

#[test]
fn an_address_that_does_not_exist_holds_the_mapping_instead_of_losing_its_events() {
    let held = "1 held Mapping config: status 404 without a message";
    for request in [
        contacts(&["a@x.io"]),
        update(&["1"]),
        search(&[&[("name", "x")]]),
        create_property(),
    ] {
        assert_eq!(answers(&request, 404, "<html>not here</html>"), held);
    }
    let unknown = r#"{"category":"OBJECT_NOT_FOUND","message":"no type p1_cats"}"#;
    assert_eq!(
        answers(&contacts(&["a@x.io"]), 404, unknown),
        "1 held Mapping config: no type p1_cats"
    );
}

#[test]
fn a_read_tells_found_not_found_and_secondary_addresses() {
    let request = read_by("email", &["a@x.io", "old@x.io", "none@x.io"]);
    let body = r#"{"results":[
        {"id":"2","properties":{"email":"primary@x.io","hs_additional_emails":"x@x.io;Old@x.io","lifecyclestage":"lead"}},
        {"id":"1","properties":{"email":"a@x.io","lifecyclestage":"","other":"x"}}],
      "errors":[{"category":"OBJECT_NOT_FOUND","message":"Could not get some CONTACT objects","context":{"ids":["NONE@x.io"]}}]}"#;
    assert_eq!(
        answers(&request, 207, body),
        "1 found [1 email=a@x.io] | 2 found [2 email=primary@x.io lifecyclestage=lead] | 3 found []"
    );
    let anonymous = r#"{"results":[{"id":"1","properties":{"email":"a@x.io"}}],
        "errors":[{"category":"OBJECT_NOT_FOUND","message":"Could not get some CONTACT objects"}]}"#;
    assert_eq!(
        answers(&request, 207, anonymous),
        "1 found [1 email=a@x.io] | 2 found [] | 3 found []"
    );
    assert_eq!(
        answers(
            &read_by("email", &["a@x.io"]),
            404,
            r#"{"message":"resource not found"}"#
        ),
        "1 found []"
    );
}

#[test]
fn search_results_go_to_the_groups_they_meet() {
    let request = search(&[
        &[("domain", "a.io"), ("name", "A")],
        &[("domain", "b.io")],
        &[("size", "5")],
    ]);
    let body = r#"{"total":4,"results":[
        {"id":"1","properties":{"domain":"A.io","name":"a"}},
        {"id":"2","properties":{"domain":"b.io","name":null}},
        {"id":"3","properties":{"domain":"b.io"}},
        {"id":"4","properties":{"domain":"c.io","size":"5.0"}}]}"#;
    assert_eq!(
        answers(&request, 200, body),
        "1 found [1 domain=A.io name=a] | 2 found [2 domain=b.io, 3 domain=b.io] | 3 found [4 size=5.0]"
    );
    let none = r#"{"total":0,"results":[]}"#;
    assert_eq!(
        answers(&request, 200, none),
        "1 found [] | 2 found [] | 3 found []"
    );
    assert_eq!(
        answers(&request, 200, "{}"),
        "1 unaccounted | 2 unaccounted | 3 unaccounted"
    );
}

#[test]
fn a_search_hit_of_unclear_origin_goes_to_the_only_group_without_one_or_leaves_them_unaccounted() {
    let body = r#"{"total":1,"results":[{"id":"1","properties":{"name":"Acme, Inc."}}]}"#;
    assert_eq!(
        answers(&search(&[&[("name", "Acme Inc")]]), 200, body),
        "1 found [1 name=Acme, Inc.]"
    );
    assert_eq!(
        answers(
            &search(&[&[("name", "Acme Inc")], &[("name", "Other")]]),
            200,
            body
        ),
        "1 unaccounted | 2 unaccounted"
    );
    let paged = r#"{"total":300,"paging":{"next":{"after":"200"}},"results":[{"id":"1","properties":{"name":"x"}}]}"#;
    assert_eq!(
        answers(&search(&[&[("name", "x")], &[("name", "y")]]), 200, paged),
        "1 found [1 name=x] | 2 unaccounted"
    );
}

#[test]
fn associations_are_confirmed_by_pair_in_either_shape_and_direction() {
    let request = associate(&[("1", "10"), ("1", "11"), ("2", "12"), ("3", "13")]);
    let body = r#"{"results":[
        {"fromObjectTypeId":"0-2","fromObjectId":1,"toObjectTypeId":"0-1","toObjectId":11,"labels":[]},
        {"from":{"id":"1"},"to":{"id":"10"}},{"from":{"id":"10"},"to":{"id":"1"}},
        {"from":{"id":"12"},"to":{"id":"2"}}]}"#;
    assert_eq!(
        answers(&request, 201, body),
        "1 there | 2 there | 3 there | 4 unaccounted"
    );
}

#[test]
fn association_errors_name_the_end_that_is_gone() {
    let request = associate(&[("1", "10"), ("10", "11"), ("2", "12"), ("5", "x-1")]);
    let body = r#"{"results":[{"from":{"id":"2"},"to":{"id":"12"}}],"errors":[
        {"status":"error","category":"OBJECT_NOT_FOUND","subCategory":"crm.associations.TO_OBJECT_NOT_FOUND","message":"No contact with ID 10 exists","context":{"objectType":["contact"],"id":["10"]}},
        {"status":"error","category":"OBJECT_NOT_FOUND","subCategory":"crm.associations.FROM_OBJECT_NOT_FOUND","message":"No company with ID 10 exists","context":{"id":["10"]}},
        {"status":"error","category":"VALIDATION_ERROR","subCategory":"crm.associations.INVALID_IDENTIFIER","message":"x-1 is not a valid ID","context":{"id":["x-1"]}}]}"#;
    assert_eq!(
        answers(&request, 207, body),
        "1 gone | 2 gone | 3 there | 4 gone"
    );
    let only_to = r#"{"results":[],"errors":[{"category":"OBJECT_NOT_FOUND","subCategory":"crm.associations.TO_OBJECT_NOT_FOUND","message":"x","context":{"id":["10"]}}]}"#;
    assert_eq!(
        answers(&request, 207, only_to),
        "1 gone | 2 unaccounted | 3 unaccounted | 4 unaccounted"
    );
    let only_from = only_to.replace("TO_OBJECT", "FROM_OBJECT");
    assert_eq!(
        answers(&request, 207, &only_from),
        "1 unaccounted | 2 gone | 3 unaccounted | 4 unaccounted"
    );
    let itself = r#"{"results":[],"errors":[{"category":"VALIDATION_ERROR","message":"Object 1 cannot be associated to itself (1)"}]}"#;
    assert_eq!(
        answers(&associate(&[("1", "1")]), 207, itself),
        "1 hubspot_rejected/input [-] Object 1 cannot be associated to itself (1)"
    );
}

#[test]
fn a_property_that_is_there_already_counts_as_created() {
    let exists = r#"{"status":"error","message":"A property named 'segment_group_id' already exists.","correlationId":"c","category":"OBJECT_ALREADY_EXISTS","subCategory":"Properties.PROPERTY_WITH_NAME_EXISTS"}"#;
    let created = r#"{"status":"COMPLETE","results":[{"name":"segment_group_id","label":"x"}]}"#;
    assert_eq!(answers(&create_property(), 201, created), "1 there");
    assert_eq!(answers(&create_property(), 201, "{}"), "1 unaccounted");
    assert_eq!(answers(&create_property(), 409, exists), "1 there");
    let by_category = r#"{"category":"OBJECT_ALREADY_EXISTS"}"#;
    assert_eq!(answers(&create_property(), 409, by_category), "1 there");
    assert_eq!(
        answers(&create_property(), 409, r#"{"message":"busy"}"#),
        "refused [] hubspot_rejected/conflict [-] busy"
    );
}

/// The list of faults as HubSpot writes it into `message` and `errors`.
fn invalid(property: &str, code: &str, words: &str) -> String {
    let list =
        serde_json::json!([{"isValid": false, "message": words, "error": code, "name": property}]);
    serde_json::json!({
        "status": "error",
        "message": format!("Property values were not valid: {list}"),
        "correlationId": "c-1",
        "errors": [{"message": words, "code": code, "context": {"propertyName": [property]}}],
        "category": "VALIDATION_ERROR",
    })
    .to_string()
}

#[test]
fn a_refused_batch_names_the_fault_and_whom_it_can() {
    // Each input writes plan=gold and age=forty-N.
    let request = contacts(&["a@x.io", "b@x.io"]);
    let table = [
        (
            invalid("plan", "PROPERTY_DOESNT_EXIST", "Property \"plan\" does not exist"),
            "refused [1, 2] property_missing/mapping [plan] plan: Property \"plan\" does not exist",
        ),
        (
            invalid("plan", "READ_ONLY_VALUE", "plan is a read only property"),
            "refused [1, 2] property_read_only/mapping [plan] plan: plan is a read only property",
        ),
        (
            invalid("plan", "INVALID_OPTION", "gold was not one of the allowed options: [a, b]"),
            "refused [1, 2] property_option/input [plan] plan: gold was not one of the allowed options: [a, b]",
        ),
        (
            invalid("age", "INVALID_LONG", "forty-2 was not a valid long."),
            "refused [2] property_type/input [age] age: *** was not a valid long.",
        ),
        (
            invalid("age", "INVALID_INTEGER", "age was not a valid number"),
            "refused [] property_type/input [age] age: age was not a valid number",
        ),
        (
            invalid("age", "INVALID_DATE", "forty-1 is at 20:36:1.954 UTC, not midnight!"),
            "refused [1] date_has_time/input [age] age: *** is at 20:36:1.954 UTC, not midnight!",
        ),
        (
            invalid("age", "INVALID_DATE", "forty-1 was not a valid date."),
            "refused [1] property_type/input [age] age: *** was not a valid date.",
        ),
        (
            invalid("email", "INVALID_EMAIL", "Email address b@x.io is invalid"),
            "refused [2] property_type/input [email] email: Email address *** is invalid",
        ),
        (
            invalid("age", "CONFLICTING_UNIQUE_VALUE", "record 5 already has that value"),
            "refused [] not_unique/conflict [age] age: record 5 already has that value",
        ),
        (
            invalid("age", "SOMETHING", "record 5 already has that value"),
            "refused [] not_unique/conflict [age] age: record 5 already has that value",
        ),
        (
            invalid("age", "MISSING_REQUIRED_PROPERTY", "age is required"),
            "refused [] hubspot_rejected/input [age] age: age is required",
        ),
        (
            r#"{"message":"odd","errors":[{"message":"m","in":"inputs[1].properties.age"}]}"#.to_owned(),
            "refused [2] hubspot_rejected/input [-] odd",
        ),
        (
            r#"{"message":"Duplicate IDs found in batch input: [B@x.io]. IDs must be unique","context":{"ids":["B@x.io"]},"category":"VALIDATION_ERROR"}"#.to_owned(),
            "refused [2] hubspot_rejected/input [-] Duplicate IDs found in batch input: [***]. IDs must be unique",
        ),
        (
            r#"{"message":"{\"status\":\"error\",\"message\":\"inner words\"}"}"#.to_owned(),
            "refused [] hubspot_rejected/input [-] inner words",
        ),
        (
            // Cut off inside the list: nothing of the list is shown.
            r#"{"message":"Property values were not valid: [{\"message\":\"gold"}"#.to_owned(),
            "refused [] hubspot_rejected/input [-] Property values were not valid",
        ),
    ];
    for (body, expected) in table {
        assert_eq!(answers(&request, 400, &body), expected, "{body}");
    }
    let unknown = r#"{"message":"teapot"}"#;
    assert_eq!(
        answers(&request, 418, unknown),
        "refused [] hubspot_rejected/input [-] teapot"
    );
    assert_eq!(
        answers(&request, 413, ""),
        "refused [] too_large/too_large [-] status 413 without a message"
    );
    assert_eq!(
        answers(&request, 501, ""),
        "refused [] hubspot_rejected/input [-] status 501 without a message"
    );
}

#[test]
fn several_faults_are_told_the_one_that_concerns_all_first() {
    let body = r#"{"category":"VALIDATION_ERROR","message":"Property values were not valid: …","errors":[
        {"message":"forty-1 was not a valid long.","code":"INVALID_LONG","context":{"propertyName":["age"]}},
        {"message":"Property \"plan\" does not exist","code":"PROPERTY_DOESNT_EXIST","context":{"propertyName":["plan"]}}]}"#;
    assert_eq!(
        answers(&contacts(&["a@x.io", "b@x.io"]), 400, body),
        "refused [1, 2] property_missing/mapping [plan] plan: Property \"plan\" does not exist; age: *** was not a valid long."
    );
}

#[test]
fn an_existing_contact_is_named_to_a_single_step_and_isolated_in_a_batch() {
    let body = r#"{"status":"error","message":"Contact already exists. Existing ID: 12345","correlationId":"c","category":"CONFLICT"}"#;
    assert_eq!(answers(&update(&["1"]), 409, body), "1 exists 12345");
    assert_eq!(
        answers(&update(&["1", "2"]), 409, body),
        "refused [] not_unique/conflict [-] Contact already exists. Existing ID: 12345"
    );
    assert_eq!(
        answers(
            &update(&["1"]),
            409,
            r#"{"message":"Contact already exists.","category":"CONFLICT"}"#
        ),
        "1 not_unique/conflict [-] Contact already exists."
    );
}

#[test]
fn an_update_without_properties_changed_nothing() {
    let body = r#"{"message":"No properties found to update, please provide at least one.","category":"VALIDATION_ERROR","context":{"properties":["{}"]}}"#;
    assert_eq!(answers(&update(&["9"]), 400, body), "1 old 9");
}

#[test]
fn a_refused_search_is_about_its_fields() {
    let body = invalid(
        "nope",
        "PROPERTY_DOESNT_EXIST",
        "Property nope does not exist",
    );
    assert_eq!(
        answers(&search(&[&[("nope", "secret")]]), 400, &body),
        "refused [1] search_fields_invalid/mapping [nope] nope: Property nope does not exist"
    );
}

#[test]
fn what_is_misconfigured_holds_the_mapping() {
    let request = contacts(&["a@x.io", "b@x.io"]);
    let messages = [
        "Unable to infer object type from: butterflies",
        "Unable to perform update/upsert by non-unique 0-2 property domain in portal ID 21939747",
        "Unable to perform upsert by non-unique 0-2 property domain",
        "Unable to perform update by non-unique 0-2 property domain",
        "The maximum number of inputs supported in a batch is 100. Please reduce the number of items and try again",
        "Invalid JSON input: a request body was expected, but none found",
        "Invalid input JSON on line 1, column 1: Cannot deserialize value of type",
    ];
    for message in messages {
        let body = serde_json::json!({"status": "error", "message": message}).to_string();
        let expected = format!("held Mapping config: {message}");
        assert_eq!(
            answers(&request, 400, &body),
            format!("1 {expected} | 2 {expected}")
        );
    }
    // The same words inside a value somebody wrote stop nobody.
    let quoted = invalid(
        "plan",
        "INVALID_OPTION",
        "unable to infer object type was not one of the allowed options: []",
    );
    assert!(answers(&request, 400, &quoted).starts_with("refused [] property_option/input"));
}

#[test]
fn missing_rights_hold_the_mapping_and_a_refused_token_the_portal() {
    let request = update(&["1"]);
    let granular = r#"{"status":"error","message":"This app hasn't been granted all required scopes to make this call. Read more about required scopes here: https://developers.hubspot.com/scopes.","errors":[{"message":"One or more of the following scopes are required.","context":{"requiredGranularScopes":["crm.objects.deals.read","crm.objects.deals.write"]}}],"category":"MISSING_SCOPES"}"#;
    assert_eq!(
        answers(&request, 403, granular),
        "1 held Mapping scope: missing scopes: crm.objects.deals.read, crm.objects.deals.write"
    );
    let top = r#"{"message":"One or more of the following scopes are required.","context":{"requiredGranularScopes":["custom-object-read"]},"category":"MISSING_SCOPES"}"#;
    assert_eq!(
        answers(&request, 403, top),
        "1 held Mapping scope: missing scopes: custom-object-read"
    );
    assert_eq!(
        answers(&request, 403, r#"{"message":"This portal is suspended"}"#),
        "1 held Mapping scope: This portal is suspended"
    );
    let expired = r#"{"message":"The OAuth token used to make this call expired 75 second(s) ago.","category":"EXPIRED_AUTHENTICATION"}"#;
    assert_eq!(
        answers(&request, 401, expired),
        "1 held Portal auth: The OAuth token used to make this call expired 75 second(s) ago."
    );
    let malformed = expired.replace("75 second(s)", "20543 day(s)");
    assert_eq!(
        answers(&request, 401, &malformed),
        "1 held Portal auth: the token is malformed: check that it was copied whole"
    );
}

#[test]
fn a_429_tells_its_limit_and_when_to_go_on() {
    let burst = r#"{"status":"error","message":"You have reached your ten_secondly_rolling limit.","errorType":"RATE_LIMIT","policyName":"TEN_SECONDLY_ROLLING","groupName":"publicapi:private_app-api-calls-ten-secondly:1:2"}"#;
    let daily = r#"{"status":"error","message":"You have reached your daily limit.","errorType":"RATE_LIMIT","policyName":"DAILY"}"#;
    let second = r#"{"status":"error","message":"You have reached your secondly limit.","category":"RATE_LIMITS"}"#;
    let old = r#"{"message":"limit","policyName":"SECONDLY"}"#;
    let (one, find, link) = (
        update(&["1"]),
        search(&[&[("name", "x")]]),
        associate(&[("1", "2")]),
    );
    let table = [
        (&one, burst, None, "1 throttled Burst Limiter"),
        (&one, burst, Some("7"), "1 throttled Burst After(7s)"),
        (&one, burst, Some("0"), "1 throttled Burst Limiter"),
        (&one, burst, Some("86400"), "1 throttled Burst After(300s)"),
        (
            &one,
            burst,
            Some("Mon, 23 Nov 2026 10:00:09 GMT"),
            "1 throttled Burst After(9s)",
        ),
        (&one, daily, Some("1"), "1 throttled Burst Midnight"),
        (&one, "<html>", None, "1 throttled Burst Limiter"),
        (&find, second, None, "1 throttled Search After(1s)"),
        (&find, old, None, "1 throttled Search After(1s)"),
        (&find, burst, None, "1 throttled Burst Limiter"),
        (&find, daily, None, "1 throttled Search Midnight"),
        (&link, burst, None, "1 throttled Associations Limiter"),
        (&link, "{}", None, "1 throttled Associations Limiter"),
    ];
    for (request, body, wait, expected) in table {
        let headers: Vec<(&'static str, &str)> =
            wait.map(|w| ("retry-after", w)).into_iter().collect();
        assert_eq!(
            answers_with(request, 429, &headers, body),
            expected,
            "{body} {wait:?}"
        );
    }
}

#[test]
fn passing_trouble_is_tried_again() {
    let request = update(&["1"]);
    let table = [
        (408, None, "1 transient Server(408) None"),
        (423, None, "1 transient Locked Some(2s)"),
        (423, Some("1"), "1 transient Locked Some(2s)"),
        (423, Some("9"), "1 transient Locked Some(9s)"),
        (477, Some("60"), "1 transient Migrating Some(60s)"),
        (477, Some("86400"), "1 transient Migrating Some(300s)"),
        (500, None, "1 transient Server(500) None"),
        (502, None, "1 transient Server(502) None"),
        (503, Some("3"), "1 transient Server(503) Some(3s)"),
        (524, None, "1 transient Server(524) None"),
    ];
    for (status, wait, expected) in table {
        let headers: Vec<(&'static str, &str)> =
            wait.map(|w| ("retry-after", w)).into_iter().collect();
        assert_eq!(
            answers_with(&request, status, &headers, "<html>bad gateway</html>"),
            expected
        );
    }
}

#[test]
fn a_rate_limited_entry_is_throttled_alone() {
    let body = r#"{"results":[{"id":"1"}],"errors":[{"category":"RATE_LIMITS","message":"You have reached your secondly limit.","context":{"ids":["2"]}}]}"#;
    assert_eq!(
        answers(&update(&["1", "2"]), 207, body),
        "1 old 1 | 2 throttled Burst After(1s)"
    );
}

#[path = "answer_tests/events_and_lists.rs"]
mod events_and_lists;
#[path = "answer_tests/facts.rs"]
mod facts;
#[path = "answer_tests/records_and_links.rs"]
mod records_and_links;

mod any_answer {
    use super::{
        answers, archive, associate, companies, contacts, create, create_definition,
        create_event_property, create_list, create_properties, create_property, dissociate,
        gdpr_delete, members, occurrences, read_by, read_definition, read_list, read_properties,
        read_type, search, update,
    };
    use crate::call::Request;
    use hubferry_actions::Sensitivity;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn requests() -> Vec<Request> {
        vec![
            contacts(&["a@x.io", "b@x.io", "c@x.io"]),
            companies(&["g1", "g2"]),
            update(&["1", "2"]),
            read_by("email", &["a@x.io", "b@x.io"]),
            search(&[&[("name", "x")], &[("name", "y")]]),
            associate(&[("1", "2"), ("1", "3")]),
            dissociate(&[("1", "2"), ("1", "3")]),
            create(&[
                (Some(("email", "a@x.io")), &[("name", "x")]),
                (None, &[("name", "1")]),
                (None, &[("name", "1")]),
            ]),
            archive(&["1", "2"]),
            gdpr_delete(),
            create_property(),
            create_properties(&["x", "g1"]),
            read_properties(Sensitivity::Plain),
            read_type(),
            read_definition(),
            create_definition(),
            create_event_property(),
            occurrences(&["x", "g1"]),
            read_list(),
            create_list(),
            members(&["1", "2"]),
        ]
    }

    /// JSON made of the words answers are made of.
    fn json() -> impl Strategy<Value = serde_json::Value> {
        let words = prop::sample::select(vec![
            "1",
            "2",
            "a@x.io",
            "b@x.io",
            "g1",
            "x",
            "",
            "VALIDATION_ERROR",
            "OBJECT_NOT_FOUND",
            "CONFLICT",
            "Existing ID: ",
            "Property values were not valid: [{\"error\":\"INVALID_OPTION\"}]",
            "[{",
            "inputs[9]",
        ]);
        let keys = prop::sample::select(vec![
            "results",
            "errors",
            "id",
            "ids",
            "properties",
            "email",
            "segment_group_id",
            "context",
            "message",
            "category",
            "objectWriteTraceId",
            "existingId",
            "from",
            "to",
            "in",
            "code",
            "index",
            "total",
            "name",
            "type",
            "options",
            "value",
            "list",
            "listId",
            "recordIdsMissing",
            "fullyQualifiedName",
            "objectTypeId",
        ]);
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            words.prop_map(Into::into),
        ];
        leaf.prop_recursive(5, 48, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::vec((keys.clone(), inner), 0..6).prop_map(|pairs| pairs
                    .into_iter()
                    .map(|(k, v)| (k.to_owned(), v))
                    .collect::<serde_json::Map<_, _>>()
                    .into()),
            ]
        })
    }

    fn status() -> impl Strategy<Value = u16> {
        prop_oneof![
            Just(200),
            Just(207),
            Just(400),
            Just(404),
            Just(409),
            Just(429),
            100..1000u16
        ]
    }

    proptest! {
        #[test]
        fn gives_every_step_exactly_one_outcome(status in status(), body in json()) {
            check(status, &body.to_string());
        }

        #[test]
        fn even_when_it_is_no_json(status in status(), body in ".{0,80}") {
            check(status, &body);
        }
    }

    fn check(status: u16, body: &str) {
        for request in requests() {
            let shown = answers(&request, status, body);
            if shown.starts_with("refused") {
                continue;
            }
            let expected: Vec<String> = request.steps().iter().map(|s| s.0.to_string()).collect();
            let steps: Vec<String> = shown
                .split(" | ")
                .filter_map(|one| one.split(' ').next().map(str::to_owned))
                .collect();
            assert_eq!(steps.len(), expected.len(), "{shown}");
            assert_eq!(
                steps.iter().collect::<BTreeSet<_>>(),
                expected.iter().collect::<BTreeSet<_>>()
            );
        }
    }
}
