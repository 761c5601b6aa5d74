use serde_json::json;

use super::*;
use crate::action::{ActionSettings, NameFix, Planned};
use crate::catalogue::ActionSlug;
use crate::occurrence::Overflow;
use crate::plan::{UnknownProperty, ValueKind, Work};
use crate::test_settings::{planned_for, settings, track};

fn planned(payload: &Value, settings: ActionSettings) -> Result<Planned, Refusal> {
    planned_for(
        ActionSlug::SendCustomBehavioralEvent,
        settings,
        payload,
        &track(),
    )
}

fn step(payload: &Value, settings: ActionSettings) -> OccurrenceStep {
    match planned(payload, settings).unwrap().plan.work {
        Work::Occurrence(step) => *step,
        Work::Record(_) | Work::Deletion(_) => panic!("an occurrence"),
    }
}

fn properties(step: &OccurrenceStep) -> Vec<(&str, &str)> {
    let properties = step.properties.iter();
    properties
        .map(|(name, value)| (name.as_str(), value.expose()))
        .collect()
}

#[test]
fn an_occurrence_is_sent_as_the_reference_sends_it() {
    let payload = json!({"eventName": "pe1_My Event.X  y", "occurredAt": "2024-01-01T00:00:00Z", "email": " A@c.io",
        "properties": {"A": 1, "b": null, "c": " x ", "d": [1, {"z": 1}, null], "e": {"f": 1}}});
    let step = step(&payload, settings());
    assert_eq!(step.event.as_str(), "pe1_my_event_x_y");
    assert_eq!(step.occurred_at.as_deref(), Some("2024-01-01T00:00:00Z"));
    assert_eq!(step.email.as_deref(), Some("a@c.io"));
    assert_eq!(
        properties(&step),
        [
            ("a", "1"),
            ("c", "x"),
            ("d", "1;{\"z\":1};null"),
            ("e", "{\"f\":1}")
        ]
    );
    assert_eq!(step.properties[0].1.kind(), ValueKind::Number);
    assert_eq!(step.definition.definition, WhenUndefined::Refuse);
    let person: Vec<_> = step
        .person
        .iter()
        .map(|key| key.expose().to_owned())
        .collect();
    assert_eq!(person, ["a@c.io"]);
}

#[test]
fn b6_b13_names_are_checked_and_get_the_portals_prefix() {
    let named = |name: &str, hub_id: Option<u64>| {
        let settings = ActionSettings {
            hub_id,
            ..settings()
        };
        let payload = json!({"eventName": name, "utk": "t"});
        planned(&payload, settings)
            .map(|planned| match planned.plan.work {
                Work::Occurrence(step) => step.event.as_str().to_owned(),
                Work::Record(_) | Work::Deletion(_) => panic!("an occurrence"),
            })
            .map_err(|refusal| refusal.code.as_str())
    };
    let refused = Err("event_name_invalid");
    for (name, hub_id, expected) in [
        ("pe12_x", None, Ok("pe12_x")),
        ("pe12_X..y z", None, Ok("pe12_x_y_z")),
        (" pe12_x ", None, Ok("pe12_x")),
        ("x", None, refused),
        ("pe_x", None, refused),
        ("pe12_", None, refused),
        ("x", Some(12), Ok("pe12_x")),
        ("pe12_x", Some(12), Ok("pe12_x")),
        ("people", Some(12), Ok("pe12_people")),
        ("pe13_x", Some(12), refused),
        ("2x", Some(12), refused),
        ("pe12_x-é", Some(12), refused),
        ("pe12_x!", None, refused),
    ] {
        let expected = expected.map(ToOwned::to_owned);
        assert_eq!(named(name, hub_id), expected, "{name} {hub_id:?}");
    }
}

#[test]
fn an_event_that_names_nobody_is_refused() {
    for more in [json!({}), json!({"utk": " ", "objectId": "", "email": " "})] {
        let mut payload = json!({"eventName": "pe1_x"});
        payload
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let refusal = planned(&payload, settings()).unwrap_err();
        assert_eq!(refusal.code.as_str(), "identifier_missing");
    }
    let payload = json!({"eventName": "pe1_x", "utk": "t", "objectId": 7, "email": "a@c.io"});
    let step = step(&payload, settings());
    assert_eq!(step.utk.as_deref(), Some("t"));
    assert_eq!(step.object_id.unwrap().as_str(), "7");
    assert_eq!(step.email.as_deref(), Some("a@c.io"));
    assert!(step.person.is_empty(), "the record is named already");
}

fn many(count: usize) -> Value {
    let properties: Map<String, Value> = (0..count)
        .map(|number| (format!("p{number}"), json!(number)))
        .collect();
    json!({"eventName": "pe1_x", "utk": "t", "properties": properties})
}

#[test]
fn b1_more_than_fifty_properties_are_refused_before_any_request() {
    assert_eq!(step(&many(50), settings()).properties.len(), 50);
    let refusal = planned(&many(51), settings()).unwrap_err();
    assert_eq!(refusal.code.as_str(), "too_many_properties");
    assert!(refusal.message.contains("overflow: truncate"), "{refusal}");
    // What is to be cut waits for the definition, which knows the order; what may be unknown too.
    let truncate = ActionSettings {
        overflow: Overflow::Truncate,
        ..settings()
    };
    assert_eq!(step(&many(51), truncate).properties.len(), 51);
    let mut drops = settings();
    drops.policy.unknown_property = UnknownProperty::Drop;
    assert_eq!(step(&many(51), drops).properties.len(), 51);
}

#[test]
fn b2_property_names_are_cleaned() {
    let payload =
        json!({"eventName": "pe1_x", "utk": "t", "properties": {"Bad Name": 1, "A": 2, "a": 3}});
    let planned = planned(&payload, settings()).unwrap();
    let name = crate::nouns::PropertyName::new("a");
    assert_eq!(planned.notes, [PlanNote::Collision(name)]);
    assert_eq!(
        properties(&step(&payload, settings())),
        [("bad_name", "1"), ("a", "3")]
    );
    let payload = json!({"eventName": "pe1_x", "utk": "t", "properties": {"2fa": 1}});
    let refusal = super::tests::planned(&payload, settings()).unwrap_err();
    assert_eq!(refusal.code.as_str(), "property_name_invalid");
    let fixed = ActionSettings {
        name_fix: NameFix::Prefix,
        ..settings()
    };
    assert_eq!(properties(&step(&payload, fixed)), [("p_2fa", "1")]);
}

#[test]
fn b3_the_uuid_is_the_deliverys_own_and_never_changes() {
    let payload = json!({"eventName": "pe1_x", "utk": "t"});
    let (one, again) = (step(&payload, settings()), step(&payload, settings()));
    assert_eq!(one.uuid, again.uuid);
    assert_eq!(one.uuid.as_bytes()[14], b'5', "a UUID of version 5");
    // Pinned: HubSpot remembers for a year.
    assert_eq!(&*one.uuid, "f1508ea4-df5b-5e1f-b09f-668d3c574035");
    let other = uuid_of(&crate::plan::DeliveryKey::new("1", "acme/m", "m2"));
    assert_ne!(one.uuid, other);
}

#[test]
fn b5_epochs_in_seconds_are_told_from_milliseconds() {
    for (written, expected) in [
        (json!(1_704_722_400), "2024-01-08T14:00:00Z"),
        (json!("1704722400"), "2024-01-08T14:00:00Z"),
        (json!(1_704_722_400_212_i64), "2024-01-08T14:00:00.212Z"),
        (json!(1_704_722_400.25), "2024-01-08T14:00:00.25Z"),
        (json!("2024-01-08T16:00:00+02:00"), "2024-01-08T14:00:00Z"),
        (json!("Jan 8 2024"), "2024-01-08T00:00:00Z"),
        (json!(null), "2024-01-01T00:00:00Z"),
    ] {
        let payload = json!({"eventName": "pe1_x", "utk": "t", "occurredAt": written});
        let found = step(&payload, settings()).occurred_at;
        assert_eq!(found.as_deref(), Some(expected), "{written}");
    }
}

#[test]
fn b12_null_elements_are_left_out_when_the_mapping_says_so() {
    let skip = ActionSettings {
        skip_null_elements: true,
        ..settings()
    };
    let payload = json!({"eventName": "pe1_x", "utk": "t", "properties": {"d": [1, null, 2]}});
    assert_eq!(properties(&step(&payload, skip)), [("d", "1;2")]);
}
