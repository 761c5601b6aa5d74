//! What holds for every action, whatever the payload.

use hubferry_mapping::FieldSchema;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::plan::{UnknownProperty, Work};
use crate::test_settings::{TRACKED, settings, track};

/// Values that payloads are made of: fitting ones, strange ones and hostile ones.
fn any_value() -> BoxedStrategy<Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec![
            "",
            " ",
            "A@c.io",
            "nobody",
            "contact",
            "deal",
            "0-1",
            "hs_object_id",
            "email",
            "HUBSPOT_DEFINED:3",
            "foo",
            "pe1_My Event",
            "2fa",
            "upsert",
            "read",
            "2024-02-31",
            "1704722400",
            "true",
            "k",
        ])
        .prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
    ];
    scalar
        .prop_recursive(2, 12, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec(
                    (".{0,4}|email|lifecyclestage|segment_group_id", inner),
                    0..4
                )
                .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
        .boxed()
}

/// A value for a field: one of its members, or anything.
fn any_of(field: &FieldSchema) -> BoxedStrategy<Value> {
    if field.members().is_empty() {
        return any_value();
    }
    let members: Vec<_> = field
        .members()
        .iter()
        .map(|member| {
            let value = any_of(member);
            (
                Just(member.name().to_owned()),
                prop::option::weighted(0.9, value),
            )
        })
        .collect();
    let object = members.prop_map(|members| {
        let there = members
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        Value::Object(there.collect())
    });
    match field.is_multiple() {
        true => prop::collection::vec(object, 0..3)
            .prop_map(Value::from)
            .boxed(),
        false => object.boxed(),
    }
}

fn any_payload(action: ActionSlug) -> BoxedStrategy<Map<String, Value>> {
    let fields: Vec<_> = action
        .schema()
        .fields()
        .iter()
        .map(|field| {
            let value = prop::option::weighted(0.8, any_of(field));
            (Just(field.name().to_owned()), value)
        })
        .collect();
    fields
        .prop_map(|fields| {
            fields
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?)))
                .collect()
        })
        .boxed()
}

fn any_settings() -> impl Strategy<Value = ActionSettings> {
    let modes = prop::sample::select(vec![SyncMode::Add, SyncMode::Update, SyncMode::Upsert]);
    let unknown = prop::sample::select(vec![
        UnknownProperty::Drop,
        UnknownProperty::DeadLetter,
        UnknownProperty::Create,
    ]);
    (modes, unknown, any::<[bool; 4]>()).prop_map(
        |(sync_mode, unknown, [fix, nulls, hub, drop])| {
            let mut settings = ActionSettings {
                sync_mode,
                name_fix: if fix {
                    NameFix::Prefix
                } else {
                    NameFix::DeadLetter
                },
                nulls: if nulls { Nulls::Clear } else { Nulls::Skip },
                hub_id: hub.then_some(1),
                ..settings()
            };
            settings.policy.unknown_property = unknown;
            settings.policy.drop_invalid_property = drop;
            settings
        },
    )
}

/// Whether no name stands twice.
fn are_distinct<'a>(names: impl Iterator<Item = &'a PropertyName>) -> bool {
    let mut names: Vec<&PropertyName> = names.collect();
    let count = names.len();
    names.sort();
    names.dedup();
    names.len() == count
}

proptest! {
    #[test]
    fn planning_is_total_and_repeatable_and_names_nothing_twice(
        (action, payload) in prop::sample::select(ActionSlug::ALL.to_vec())
            .prop_flat_map(|action| (Just(action), any_payload(action))),
        settings in any_settings(),
    ) {
        let drop_invalid = settings.policy.drop_invalid_property;
        let action = Action::new(action, settings);
        let options = CleanOptions { drop_invalid, ..CleanOptions::default() };
        let Ok(valid) = action.validate(payload, &options) else { return Ok(()); };
        let event = Event::from_value(track()).unwrap();
        let key = DeliveryKey::new("1", "acme/m", "m1");
        let one = action.plan_noted(valid.payload.clone(), &event, TRACKED, &key);
        let other = action.plan_noted(valid.payload, &event, TRACKED, &key);
        prop_assert_eq!(format!("{one:?}"), format!("{other:?}"));
        let Ok(planned) = one else { return Ok(()); };
        match planned.plan.work {
            Work::Record(record) => {
                prop_assert!(are_distinct(record.record.properties.iter().map(|(name, _)| name)));
                prop_assert!(!record.record.record.value.trim().is_empty() || !record.record.record.has_unique_property());
            }
            Work::Occurrence(step) => {
                prop_assert!(are_distinct(step.properties.iter().map(|(name, _)| name)));
                prop_assert!(step.object_id.is_some() || step.email.is_some() || step.utk.is_some());
                prop_assert_eq!(step.uuid.len(), 36);
            }
            Work::Deletion(_) => prop_assert!(false, "no action deletes"),
        }
    }
}

#[test]
fn c22_fields_about_batches_are_neither_asked_for_nor_kept() {
    let action = Action::new(ActionSlug::UpsertObject, settings());
    let payload = json!({
        "object_details": {"object_type": "deal", "id_field_name": "k", "id_field_value": "v"},
        "association_sync_mode": "upsert", "enable_batching": true, "batch_keys": ["x"],
    });
    let valid = action
        .validate(
            payload.as_object().unwrap().clone(),
            &CleanOptions::default(),
        )
        .unwrap();
    let fields: Vec<&String> = valid.payload.keys().collect();
    assert_eq!(fields, ["object_details", "association_sync_mode"]);
}
