use hubferry_event::Event;

use super::*;
use crate::action::{Action, ActionSettings, Planned};
use crate::catalogue::ActionSlug;
use crate::nouns::AssociationType;
use crate::plan::{LinkChange, MembershipChange};
use crate::test_settings::{TRACKED, planned_for, settings, track};

/// A payload of the action with the fields every one needs, and more.
fn payload(details: &Value, more: &Value) -> Value {
    let mut payload = json!({
        "object_details": details, "association_sync_mode": "upsert", "batch_size": "many",
        "timestamp": "2024-01-01T00:00:00Z",
    });
    let members = payload.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    payload
}

fn deal(more: &Value) -> Value {
    let details =
        json!({"object_type": "deal", "id_field_name": "deal_key", "id_field_value": " D1 "});
    payload(&details, more)
}

fn planned(payload: &Value, settings: ActionSettings) -> Result<Planned, Refusal> {
    planned_for(ActionSlug::UpsertObject, settings, payload, &track())
}

fn plan(payload: &Value) -> RecordPlan {
    let planned = planned(payload, settings()).unwrap();
    planned.plan.record().unwrap().clone()
}

fn written(plan: &RecordPlan) -> Vec<(&str, &str)> {
    let properties = plan.record.properties.iter();
    properties
        .map(|(name, value)| (name.as_str(), value.expose()))
        .collect()
}

fn in_mode(mode: SyncMode) -> ActionSettings {
    ActionSettings {
        sync_mode: mode,
        ..settings()
    }
}

#[test]
fn o15_each_record_has_the_type_and_the_id_of_its_own_payload() {
    let plan = plan(&deal(
        &json!({"properties": {"Amount": 12.5, "deal_key": "other"}}),
    ));
    let record = &plan.record.record;
    assert_eq!(record.object.as_str(), "deals");
    assert_eq!(record.id_property.as_str(), "deal_key");
    assert_eq!(&*record.value, "D1");
    assert_eq!(written(&plan), [("amount", "12.5")]);
    assert_eq!(plan.record.existing, Existing::ById);
    assert!(plan.record.person.is_empty());
}

#[test]
fn sync_modes_say_what_becomes_of_missing_and_of_existing_records() {
    use SyncMode::{Add, Update, Upsert};
    let keeps = ActionSettings {
        associate_existing: true,
        ..in_mode(Add)
    };
    for (settings, missing, found) in [
        (in_mode(Upsert), WhenMissing::Create, WhenFound::Write),
        (in_mode(Update), WhenMissing::Skip, WhenFound::Write),
        (in_mode(Add), WhenMissing::Create, WhenFound::Skip),
        (keeps, WhenMissing::Create, WhenFound::Keep),
    ] {
        let mode = settings.sync_mode;
        let planned = planned(&deal(&json!({})), settings).unwrap();
        let step = &planned.plan.record().unwrap().record;
        assert_eq!(
            (step.when_missing, step.when_found),
            (missing, found),
            "{mode:?}"
        );
    }
}

#[test]
fn o8_ids_are_normalised_of_records_and_of_targets() {
    let details =
        json!({"object_type": "0-1", "id_field_name": "email", "id_field_value": " A@C.io "});
    let more = json!({"associations": [{"object_type": "company", "association_label": "HUBSPOT_DEFINED:1",
        "id_field_name": "domain", "id_field_value": " Acme.IO "}]});
    let plan = plan(&payload(&details, &more));
    assert_eq!(plan.record.record.object, ObjectType::contacts());
    assert_eq!(&*plan.record.record.value, "a@c.io");
    assert_eq!(plan.links[0].target.record.object, ObjectType::companies());
    assert_eq!(&*plan.links[0].target.record.value, "acme.io");
}

#[test]
fn o11_a_record_id_finds_a_record_and_creates_none() {
    let details =
        json!({"object_type": "company", "id_field_name": "hs_object_id", "id_field_value": 578});
    let more = json!({"properties": {"x": 1, "hs_object_id": "9"}});
    let payload = payload(&details, &more);
    let update = planned(&payload, in_mode(SyncMode::Update)).unwrap();
    let record = update.plan.record().unwrap();
    assert_eq!(record.record.record.record_id().unwrap().as_str(), "578");
    assert_eq!(written(record), [("x", "1")]);
    for mode in [SyncMode::Add, SyncMode::Upsert] {
        let refusal = planned(&payload, in_mode(mode)).unwrap_err();
        assert_eq!(refusal.code.as_str(), "payload_invalid");
        assert!(refusal.message.contains("hs_object_id"), "{refusal}");
    }
    let target = json!({"associations": [{"object_type": "contact", "association_label": "HUBSPOT_DEFINED:4",
        "id_field_name": "hs_object_id", "id_field_value": "7"}]});
    let plan = plan(&deal(&target));
    assert_eq!(plan.links[0].target.when_missing, WhenMissing::Skip);
}

#[test]
fn o12_a_blank_part_of_the_identity_is_named() {
    for (details, member) in [
        (
            json!({"object_type": " ", "id_field_name": "k", "id_field_value": "v"}),
            "object_type",
        ),
        (
            json!({"object_type": "deal", "id_field_name": " ", "id_field_value": "v"}),
            "id_field_name",
        ),
        (
            json!({"object_type": "deal", "id_field_name": "k", "id_field_value": " "}),
            "id_field_value",
        ),
    ] {
        let refusal = planned(&payload(&details, &json!({})), settings()).unwrap_err();
        assert_eq!(refusal.code.as_str(), "id_missing");
        assert!(refusal.message.contains(member), "{refusal}");
    }
}

#[test]
fn o27_sensitive_values_win_over_normal_ones_and_that_is_reported() {
    let more = json!({"properties": {"ssn": "1", "plan": "pro", "Plan": "max"}, "sensitive_properties": {"SSN": "2"}});
    let planned = planned(&deal(&more), settings()).unwrap();
    let record = planned.plan.record().unwrap();
    assert_eq!(written(record), [("plan", "max"), ("ssn", "2")]);
    let name = PropertyName::new;
    assert_eq!(
        planned.notes,
        [
            PlanNote::Collision(name("plan")),
            PlanNote::SensitiveWins(name("ssn"))
        ]
    );
    let creation = record.record.creation.as_ref().unwrap();
    assert_eq!(creation.sensitive, [name("ssn")]);
}

#[test]
fn o35_no_value_of_the_payload_shows_in_a_plan() {
    let more = json!({"sensitive_properties": {"ssn": "secret-1"}, "properties": {"a": "secret-2"},
        "traits_or_props": {"z": "secret-3"}, "associations": [{"object_type": "contact",
        "association_label": "HUBSPOT_DEFINED:4", "id_field_name": "email", "id_field_value": "secret@c.io"}]});
    let planned = planned(&deal(&more), settings()).unwrap();
    let shown = format!("{planned:?}");
    assert!(!shown.contains("secret"), "{shown}");
}

#[test]
fn o17_the_kinds_of_values_are_remembered_for_creation() {
    let details = json!({"object_type": "deal", "id_field_name": "k", "id_field_value": "v", "property_group": "g"});
    let more = json!({"properties": {"n": 1, "t": "1", "b": "true", "d": "2024-01-01"}});
    let plan = plan(&payload(&details, &more));
    let creation = plan.record.creation.unwrap();
    assert_eq!(&*creation.group, "g");
    assert_eq!(
        creation.kinds,
        [
            (PropertyName::new("n"), ValueKind::Number),
            (PropertyName::new("b"), ValueKind::Boolean)
        ]
    );
}

#[test]
fn o25_o26_the_time_is_the_payloads_own_or_the_events() {
    for (written, millis) in [
        (json!("2024-02-01T00:00:00Z"), 1_706_745_600_000),
        (json!("1704722400"), 1_704_722_400_000),
        (json!("1704722400000"), 1_704_722_400_000),
        (json!("Jan 8 2024"), 1_704_672_000_000),
        (json!("whenever"), TRACKED.as_millis()),
    ] {
        let planned = planned(&deal(&json!({ "timestamp": written })), settings()).unwrap();
        assert_eq!(planned.plan.time.as_millis(), millis, "{written}");
    }
}

fn link(object: &str, label: &str, id: &Value) -> Value {
    json!({"object_type": object, "association_label": label, "id_field_name": "k", "id_field_value": id})
}

#[test]
fn o3_o4_links_are_told_apart_by_target_and_label_and_each_stands_once() {
    let more = json!({"associations": [
        link("company", "HUBSPOT_DEFINED:1", &json!("x")), link("company", "USER_DEFINED:9", &json!("x")),
        link("companies", "hubspot_defined:1", &json!(" x ")), link("company", "HUBSPOT_DEFINED:1", &json!("y")),
        link("company", "HUBSPOT_DEFINED:1", &json!("")), link("company", "HUBSPOT_DEFINED:1", &json!(null)),
    ], "dissociations": [link("contact", "HUBSPOT_DEFINED:4", &json!(5)), link("contact", "HUBSPOT_DEFINED:4", &json!("5"))]});
    let plan = plan(&deal(&more));
    let links: Vec<_> = plan
        .links
        .iter()
        .map(|link| {
            let target = &link.target;
            (
                link.change,
                target.record.value.as_ref(),
                link.kind.type_id,
                target.when_missing,
            )
        })
        .collect();
    assert_eq!(
        links,
        [
            (LinkChange::Associate, "x", 1, WhenMissing::Create),
            (LinkChange::Associate, "x", 9, WhenMissing::Create),
            (LinkChange::Associate, "y", 1, WhenMissing::Create),
            (LinkChange::Dissociate, "5", 4, WhenMissing::Skip),
        ]
    );
}

#[test]
fn o36_targets_are_only_looked_up_in_mode_read() {
    let more = json!({"association_sync_mode": "read", "associations": [link("company", "HUBSPOT_DEFINED:1", &json!("x"))]});
    assert_eq!(
        plan(&deal(&more)).links[0].target.when_missing,
        WhenMissing::Skip
    );
}

#[test]
fn o32_what_is_taken_away_wins_over_the_same_association() {
    let both = link("company", "HUBSPOT_DEFINED:1", &json!("x"));
    let more = json!({"associations": [both.clone(), link("company", "USER_DEFINED:2", &json!("x"))], "dissociations": [both]});
    let planned = planned(&deal(&more), settings()).unwrap();
    let links: Vec<_> = planned
        .plan
        .record()
        .unwrap()
        .links
        .iter()
        .map(|link| (link.change, link.kind.type_id))
        .collect();
    assert_eq!(
        links,
        [(LinkChange::Associate, 2), (LinkChange::Dissociate, 1)]
    );
    assert_eq!(planned.notes, [PlanNote::Contradiction]);
}

#[test]
fn labels_have_one_form() {
    for (label, expected) in [
        ("HUBSPOT_DEFINED:279", Some(("HUBSPOT_DEFINED", 279))),
        (" user_defined : 7 ", Some(("USER_DEFINED", 7))),
        ("foo", None),
        ("FOO:1", None),
        ("USER_DEFINED:", None),
        ("USER_DEFINED:0", None),
        ("USER_DEFINED:x", None),
        ("USER_DEFINED:1:2", None),
    ] {
        let parsed = AssociationType::parse(label);
        let parsed = parsed.as_ref().map(|kind| (&*kind.category, kind.type_id));
        assert_eq!(parsed, expected, "{label}");
    }
    let more = json!({"associations": [link("company", "foo", &json!("x"))]});
    let refusal = planned(&deal(&more), settings()).unwrap_err();
    assert_eq!(refusal.code.as_str(), "payload_invalid");
}

fn membership(more: &Value) -> Option<(String, MembershipChange, WhenMissing)> {
    let membership = plan(&deal(more)).membership?;
    assert_eq!(membership.list.object.as_str(), "deals");
    let name = membership.list.name.to_string();
    Some((name, membership.change, membership.when_missing))
}

#[test]
fn plain_lists_need_a_name_and_an_action() {
    let details = |details: Value| json!({ "list_details": details });
    for (written, expected) in [
        (
            json!({"list_name": " VIPs ", "list_action": true, "should_create_list": true}),
            Some(("VIPs", MembershipChange::Add, WhenMissing::Create)),
        ),
        (
            json!({"list_name": "VIPs", "list_action": "false", "should_create_list": false}),
            Some(("VIPs", MembershipChange::Remove, WhenMissing::Skip)),
        ),
        (
            json!({"list_name": "VIPs", "should_create_list": true}),
            None,
        ),
        (
            json!({"list_name": " ", "list_action": true, "should_create_list": true}),
            None,
        ),
        (
            json!({"connected_to_engage_audience": true, "list_name": "V", "list_action": true}),
            None,
        ),
    ] {
        let expected = expected.map(|(name, change, missing)| (name.to_owned(), change, missing));
        assert_eq!(membership(&details(written.clone())), expected, "{written}");
    }
}

#[test]
fn audiences_are_entered_and_left_by_the_value_of_their_key() {
    let entry = |class: &str, value: Value, list: Value| {
        json!({
            "list_details": {"connected_to_engage_audience": true, "should_create_list": true, "list_name": list},
            "computation_key": "big_spenders", "computation_class": class,
            "traits_or_props": {"big_spenders": value, "other": 1},
        })
    };
    let named = |name: &str, change| Some((name.to_owned(), change, WhenMissing::Create));
    for (more, expected) in [
        (
            entry("audience", json!(true), json!(null)),
            named("big_spenders", MembershipChange::Add),
        ),
        (
            entry("audience", json!(false), json!("Own")),
            named("Own", MembershipChange::Remove),
        ),
        (
            entry("journey_step", json!(true), json!("")),
            named("big_spenders", MembershipChange::Add),
        ),
        (entry("computed_trait", json!(true), json!(null)), None),
        (entry("audience", json!("true"), json!(null)), None),
    ] {
        assert_eq!(membership(&more), expected, "{more}");
    }
}

fn keys(payload: &Value, event: &Value) -> Vec<String> {
    let planned = planned_for(ActionSlug::UpsertObject, settings(), payload, event).unwrap();
    let person = &planned.plan.record().unwrap().record.person;
    person.iter().map(|key| key.expose().to_owned()).collect()
}

#[test]
fn a_contact_is_remembered_by_the_keys_of_the_events_person() {
    let contact = |name: &str, value: &str, more: &Value| {
        let details =
            json!({"object_type": "contact", "id_field_name": name, "id_field_value": value});
        payload(&details, more)
    };
    let none = json!({});
    assert_eq!(
        keys(&contact("email", "A@c.io", &none), &track()),
        ["u1", "a1", "a@c.io"]
    );
    assert_eq!(
        keys(&contact("customer_id", "7", &none), &track()),
        ["u1", "a1"]
    );
    let mailed = json!({"properties": {"email": "A@c.io"}});
    assert_eq!(
        keys(&contact("customer_id", "7", &mailed), &track()),
        ["u1", "a1", "a@c.io"]
    );
    // A friend who was invited is not the user who invited him.
    assert_eq!(
        keys(&contact("email", "friend@c.io", &none), &track()),
        ["friend@c.io"]
    );
    let unmailed = json!({"type": "track", "event": "X", "userId": "u1"});
    assert_eq!(
        keys(&contact("email", "friend@c.io", &none), &unmailed),
        ["u1", "friend@c.io"]
    );
}

#[test]
fn a_stage_is_normalised_and_left_out_where_it_is_never_written() {
    let more = json!({"properties": {"lifecyclestage": " Lead "}});
    let planned_lead = plan(&deal(&more));
    assert_eq!(written(&planned_lead), [("lifecyclestage", "lead")]);
    assert!(planned_lead.record.stage.is_some());
    let mut never = settings();
    never.policy.lifecycle = Lifecycle::Never;
    let planned = planned(&deal(&more), never).unwrap();
    assert!(written(planned.plan.record().unwrap()).is_empty());
}

#[test]
fn o6_a_bad_property_name_refuses_its_record_alone() {
    let refusal = planned(&deal(&json!({"properties": {"2fa": true}})), settings()).unwrap_err();
    assert_eq!(refusal.code.as_str(), "property_name_invalid");
    // The next delivery of the same action is planned.
    let action = Action::new(ActionSlug::UpsertObject, settings());
    let event = Event::from_value(track()).unwrap();
    let payload = deal(&json!({"batch_size": 100, "properties": {"ok": true}}))
        .as_object()
        .unwrap()
        .clone();
    let key = crate::plan::DeliveryKey::new("1", "a/b", "m");
    assert!(action.plan(payload, &event, TRACKED, &key).is_ok());
}
