use serde_json::json;

use super::*;
use crate::action::{ActionSettings, Planned};
use crate::catalogue::{ActionSlug, PropertyHints};
use crate::occurrence::Overflow;
use crate::plan::{UnknownProperty, ValueKind, Work};
use crate::test_settings::{planned_for, settings, track};

fn planned(payload: &Value, settings: ActionSettings) -> Result<Planned, Refusal> {
    planned_for(ActionSlug::CustomEvent, settings, payload, &track())
}

fn step(payload: &Value, settings: ActionSettings) -> OccurrenceStep {
    match planned(payload, settings).unwrap().plan.work {
        Work::Occurrence(step) => *step,
        Work::Record(_) | Work::Deletion(_) => panic!("an occurrence"),
    }
}

fn event(more: &Value) -> Value {
    let details = json!({"object_type": "contact", "email": "A@c.io"});
    let mut payload = json!({"event_name": "My Event", "record_details": details, "occurred_at": "2024-01-01T00:00:00Z"});
    payload
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    payload
}

#[test]
fn an_event_is_planned_with_kinds() {
    let payload = event(
        &json!({"properties": {"Q": " x ", "n": "42", "zip": "02134", "flag": true, "d": "2024-01-01",
        "l": [5], "none": null}}),
    );
    let step = step(&payload, settings());
    assert_eq!(step.event.as_str(), "my_event");
    assert_eq!(step.email.as_deref(), Some("a@c.io"));
    let properties: Vec<_> = step
        .properties
        .iter()
        .map(|(name, value)| (name.as_str(), value.expose(), value.kind()))
        .collect();
    assert_eq!(
        properties,
        [
            ("q", "x", ValueKind::Text),
            ("n", "42", ValueKind::Number),
            ("zip", "02134", ValueKind::Text),
            ("flag", "true", ValueKind::Boolean),
            ("d", "2024-01-01", ValueKind::Date),
            ("l", "[5]", ValueKind::Text),
        ]
    );
    let wanted: Vec<_> = step
        .wanted_properties()
        .into_iter()
        .map(|one| (one.name.as_str().to_owned(), one.kind))
        .collect();
    assert_eq!(wanted[1], ("n".to_owned(), ValueKind::Number));
    assert_eq!(wanted.len(), 6);
}

#[test]
fn e13_contacts_are_contacts_by_every_name() {
    for name in ["contact", "contacts", "0-1", "Contact"] {
        let payload = event(&json!({"record_details": {"object_type": name, "utk": "t"}}));
        let step = step(&payload, settings());
        assert_eq!(step.object, ObjectType::contacts());
        assert_eq!(step.utk.as_deref(), Some("t"));
    }
}

#[test]
fn records_that_are_no_contacts_are_named_by_their_id_alone() {
    let deal = |more: &Value| {
        let mut details = json!({"object_type": "deal", "email": "a@c.io", "utk": "t"});
        details
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        event(&json!({ "record_details": details }))
    };
    let named = step(&deal(&json!({"object_id": " 12 "})), settings());
    assert_eq!(named.object.as_str(), "deals");
    assert_eq!(named.object_id.unwrap().as_str(), "12");
    assert!(named.email.is_none() && named.utk.is_none() && named.person.is_empty());
    for (payload, code) in [
        (deal(&json!({})), "identifier_missing"),
        (
            event(&json!({"record_details": {"object_type": "contact"}})),
            "identifier_missing",
        ),
        (
            event(&json!({"record_details": {"object_type": " ", "object_id": 1}})),
            "identifier_missing",
        ),
        (deal(&json!({"object_id": 1.5})), "payload_invalid"),
        (deal(&json!({"object_id": -1})), "payload_invalid"),
    ] {
        let refusal = planned(&payload, settings()).unwrap_err();
        assert_eq!(refusal.code.as_str(), code, "{payload}");
    }
}

#[test]
fn large_record_ids_keep_their_digits() {
    let details: Value =
        serde_json::from_str(r#"{"object_type": "deal", "object_id": 12345678901234567890}"#)
            .unwrap();
    let step = step(&event(&json!({ "record_details": details })), settings());
    assert_eq!(step.object_id.unwrap().as_str(), "12345678901234567890");
}

#[test]
fn e14_a_name_that_hubspot_refuses_is_refused_before() {
    let named = |name: &str| {
        let payload = event(&json!({ "event_name": name }));
        planned(&payload, settings())
            .map(|planned| match planned.plan.work {
                Work::Occurrence(step) => step.event.as_str().to_owned(),
                Work::Record(_) | Work::Deletion(_) => panic!("an occurrence"),
            })
            .map_err(|refusal| refusal.code.as_str())
    };
    let long = "a".repeat(51);
    for (name, expected) in [
        ("My Event!", Ok("my_event_")),
        ("pe1_My Event", Ok("pe1_my_event")),
        ("b-c.d", Ok("b-c_d")),
        ("people", Ok("people")),
        ("Éa  B-c.d", Err("event_name_invalid")),
        ("pe1_2x", Err("event_name_invalid")),
        ("2x", Err("event_name_invalid")),
        (&long, Err("event_name_invalid")),
    ] {
        assert_eq!(named(name), expected.map(ToOwned::to_owned), "{name}");
    }
}

#[test]
fn e11_the_fifty_first_property_is_refused_before_any_request() {
    let properties: Map<String, Value> = (0..51).map(|n| (format!("p{n}"), json!(n))).collect();
    let payload = event(&json!({ "properties": properties }));
    let refusal = planned(&payload, settings()).unwrap_err();
    assert_eq!(refusal.code.as_str(), "too_many_properties");
    let truncate = ActionSettings {
        overflow: Overflow::Truncate,
        ..settings()
    };
    let cut = step(&payload, truncate);
    assert_eq!(cut.wanted_properties().len(), 50);
    assert_eq!(cut.uuid.len(), 36);
}

#[test]
fn e17_a_bad_property_name_can_be_mended() {
    let payload = event(&json!({"properties": {"2fa": true}}));
    assert_eq!(
        planned(&payload, settings()).unwrap_err().code.as_str(),
        "property_name_invalid"
    );
    let mended = ActionSettings {
        name_fix: crate::action::NameFix::Prefix,
        ..settings()
    };
    assert_eq!(step(&payload, mended).properties[0].0.as_str(), "p_2fa");
}

#[test]
fn sync_modes_are_about_the_definition() {
    use WhenUndefined::{Create, Drop, Refuse};
    for (mode, policy, definition, property) in [
        (SyncMode::Upsert, UnknownProperty::Create, Create, Create),
        (SyncMode::Update, UnknownProperty::Create, Refuse, Create),
        (SyncMode::Add, UnknownProperty::Create, Create, Refuse),
        (SyncMode::Add, UnknownProperty::DeadLetter, Create, Refuse),
        (SyncMode::Add, UnknownProperty::Drop, Create, Drop),
        (
            SyncMode::Upsert,
            UnknownProperty::DeadLetter,
            Create,
            Refuse,
        ),
        (SyncMode::Upsert, UnknownProperty::Drop, Create, Drop),
    ] {
        let mut settings = ActionSettings {
            sync_mode: mode,
            ..settings()
        };
        settings.policy.unknown_property = policy;
        let used = step(&event(&json!({})), settings).definition;
        assert_eq!(
            (used.definition, used.property),
            (definition, property),
            "{mode:?} {policy:?}"
        );
    }
}

#[test]
fn the_default_for_unknown_properties_follows_what_the_mapping_asks_for() {
    use UnknownProperty::{Create, DeadLetter, Drop};
    for (action, sync_mode, whole_object, names_group, expected) in [
        (
            ActionSlug::UpsertContact,
            SyncMode::Upsert,
            false,
            false,
            DeadLetter,
        ),
        (
            ActionSlug::UpsertContact,
            SyncMode::Upsert,
            true,
            false,
            Drop,
        ),
        (
            ActionSlug::UpsertObject,
            SyncMode::Upsert,
            false,
            false,
            DeadLetter,
        ),
        (
            ActionSlug::UpsertObject,
            SyncMode::Upsert,
            false,
            true,
            Create,
        ),
        (ActionSlug::UpsertObject, SyncMode::Upsert, true, true, Drop),
        (
            ActionSlug::CustomEvent,
            SyncMode::Upsert,
            false,
            false,
            Create,
        ),
        (
            ActionSlug::CustomEvent,
            SyncMode::Update,
            true,
            false,
            Create,
        ),
        (
            ActionSlug::CustomEvent,
            SyncMode::Add,
            false,
            false,
            DeadLetter,
        ),
        (ActionSlug::CustomEvent, SyncMode::Add, true, false, Drop),
        (
            ActionSlug::SendCustomBehavioralEvent,
            SyncMode::Upsert,
            false,
            false,
            DeadLetter,
        ),
        (
            ActionSlug::SendCustomBehavioralEvent,
            SyncMode::Upsert,
            true,
            false,
            Drop,
        ),
    ] {
        let hints = PropertyHints {
            sync_mode,
            whole_object,
            names_group,
        };
        assert_eq!(
            action.default_unknown_property(&hints),
            expected,
            "{action} {hints:?}"
        );
    }
}
