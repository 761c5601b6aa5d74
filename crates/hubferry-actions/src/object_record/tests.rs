use serde_json::json;

use super::*;
use crate::action::{ActionSettings, Planned};
use crate::catalogue::ActionSlug;
use crate::plan::MatchMode;
use crate::test_settings::{planned_for, settings, track};

fn planned(payload: &Value, settings: ActionSettings) -> Result<Planned, Refusal> {
    planned_for(
        ActionSlug::UpsertCustomObjectRecord,
        settings,
        payload,
        &track(),
    )
}

fn plan(payload: &Value) -> RecordPlan {
    let planned = planned(payload, settings()).unwrap();
    planned.plan.record().unwrap().clone()
}

/// The names and values a search goes by, and how.
fn searched(existing: &Existing) -> Option<(Vec<(&str, &str)>, MatchMode)> {
    let Existing::SearchAlone(search) = existing else {
        return None;
    };
    let fields = search.fields.iter();
    let fields = fields
        .map(|(name, value)| (name.as_str(), value.expose()))
        .collect();
    Some((fields, search.mode))
}

#[test]
fn without_a_search_every_delivery_makes_a_record_of_its_own() {
    let plan =
        plan(&json!({"objectType": "deals", "properties": {"a": " 1 ", "b": null, "c": [1, 2]}}));
    let step = plan.record;
    assert_eq!(step.existing, Existing::Nowhere);
    assert_eq!(
        step.record,
        RecordRef::fresh(ObjectType::new("deals"), "1/acme/m/m1")
    );
    assert_eq!(step.when_missing, WhenMissing::Create);
    let written: Vec<_> = step
        .properties
        .iter()
        .map(|(name, value)| (name.as_str(), value.expose()))
        .collect();
    assert_eq!(written, [("a", "1"), ("c", "1;2")]);
}

#[test]
fn l1_search_fields_are_all_to_be_equal_unless_the_mapping_says_any() {
    let payload = json!({"objectType": "0-3", "properties": {}, "customObjectSearchFields": {"x": 1, "y": "b"}});
    let all = plan(&payload);
    assert_eq!(
        searched(&all.record.existing),
        Some((vec![("x", "1"), ("y", "b")], MatchMode::All))
    );
    assert_eq!(all.record.record.object.as_str(), "deals");
    let any = ActionSettings {
        search: MatchMode::Any,
        ..settings()
    };
    let any = planned(&payload, any).unwrap();
    let existing = &any.plan.record().unwrap().record.existing;
    assert_eq!(searched(existing).unwrap().1, MatchMode::Any);
}

#[test]
fn l7_search_fields_without_a_value_are_ignored() {
    let fields = json!({"x": 1, "y": null, "z": " "});
    let payload =
        json!({"objectType": "deals", "properties": {}, "customObjectSearchFields": fields});
    let plan = plan(&payload);
    assert_eq!(searched(&plan.record.existing).unwrap().0, [("x", "1")]);
}

#[test]
fn l4_a_search_whose_fields_are_all_blank_makes_no_duplicates() {
    let payload =
        json!({"objectType": "deals", "properties": {}, "customObjectSearchFields": {"x": null}});
    assert_eq!(
        planned(&payload, settings()).unwrap_err().code.as_str(),
        "id_missing"
    );
    let payload = json!({"objectType": "deals", "properties": {}, "customObjectSearchFields": {}});
    assert_eq!(plan(&payload).record.existing, Existing::Nowhere);
}

#[test]
fn l13_records_are_created_unless_the_mapping_says_not_to() {
    for (written, expected) in [
        (json!({}), WhenMissing::Create),
        (json!({"createNewCustomRecord": true}), WhenMissing::Create),
        (json!({"createNewCustomRecord": false}), WhenMissing::Skip),
    ] {
        let mut payload =
            json!({"objectType": "deals", "properties": {}, "customObjectSearchFields": {"x": 1}});
        payload
            .as_object_mut()
            .unwrap()
            .extend(written.as_object().unwrap().clone());
        let plan = plan(&payload);
        assert_eq!(plan.record.when_missing, expected);
        assert_eq!(plan.record.when_found, WhenFound::Write);
    }
}

fn associated(more: &Value) -> Result<Planned, Refusal> {
    let mut payload = json!({"objectType": "deals", "properties": {"a": 1}});
    payload
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    planned(&payload, settings())
}

#[test]
fn an_association_takes_type_label_and_search_and_says_what_is_missing() {
    let whole = json!({"toObjectType": "contacts", "associationLabel": "HUBSPOT_DEFINED:3",
        "searchFieldsToAssociateCustomObjects": {"email": "e@c.io"}});
    let planned = associated(&whole).unwrap();
    let link = &planned.plan.record().unwrap().links[0];
    assert_eq!(link.kind.type_id, 3);
    assert_eq!(link.target.record.object, ObjectType::contacts());
    assert_eq!(link.target.when_missing, WhenMissing::Skip);
    assert_eq!(
        searched(&link.target.existing).unwrap().0,
        [("email", "e@c.io")]
    );
    assert!(planned.notes.is_empty());
    for field in [TO_TYPE, LABEL, TO_SEARCH] {
        let mut part = whole.clone();
        part.as_object_mut().unwrap().remove(field);
        let planned = associated(&part).unwrap();
        assert!(planned.plan.record().unwrap().links.is_empty());
        assert_eq!(planned.notes, [PlanNote::NoAssociation(field)]);
    }
    assert!(associated(&json!({})).unwrap().notes.is_empty());
}

#[test]
fn l6_a_malformed_label_is_refused() {
    let more = json!({"toObjectType": "contacts", "associationLabel": "foo",
        "searchFieldsToAssociateCustomObjects": {"email": "e@c.io"}});
    let refusal = associated(&more).unwrap_err();
    assert_eq!(refusal.code.as_str(), "payload_invalid");
    assert!(refusal.message.contains("HUBSPOT_DEFINED:279"), "{refusal}");
}

#[test]
fn l9_a_record_can_be_associated_with_one_of_its_own_type() {
    let more = json!({"toObjectType": "deal", "associationLabel": "HUBSPOT_DEFINED:451",
        "searchFieldsToAssociateCustomObjects": {"k": "p"}});
    let planned = associated(&more).unwrap();
    assert_eq!(
        planned.plan.record().unwrap().links[0]
            .target
            .record
            .object
            .as_str(),
        "deals"
    );
}

#[test]
fn l11_missing_properties_are_created_when_the_mapping_says_so() {
    let mut creates = settings();
    creates.policy.unknown_property = crate::plan::UnknownProperty::Create;
    let payload = json!({"objectType": "tickets", "properties": {"n": 1}});
    let planned = planned(&payload, creates).unwrap();
    let creation = planned
        .plan
        .record()
        .unwrap()
        .record
        .creation
        .clone()
        .unwrap();
    assert_eq!(&*creation.group, "ticketinformation");
}
