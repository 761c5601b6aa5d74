//! Upsert Company (actions.md §4).

use std::sync::{Arc, LazyLock};

use hubferry_event::{Event, IdentityKey, Json};
use hubferry_mapping::{FieldSchema, Schema};
use serde_json::{Map, Value, json};

use crate::action::{ActionSettings, Planning, Refusal, RefusalCode};
use crate::contact::stage_of;
use crate::defaults::{either, path};
use crate::nouns::{
    AssociationType, ObjectType, Properties, PropertyDefinition, PropertyName, PropertyText,
    RecordRef,
};
use crate::plan::{
    AssociateStep, Existing, Lifecycle, Person, Plan, RecordPlan, RecordStep, SearchBy, ValueKind,
    WhenFound, WhenMissing, Work,
};
use crate::values::{
    LIFECYCLE_STAGE, creation_of, flatten, normalise_stage, put_among, search_fields, take_text,
};

/// The declared fields that are properties, in the order in which they are written.
const STANDARD: [&str; 11] = [
    "name",
    "description",
    "address",
    "city",
    "state",
    "zip",
    "domain",
    "phone",
    "numberofemployees",
    "industry",
    LIFECYCLE_STAGE,
];

pub(crate) static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(vec![
        FieldSchema::text("groupid")
            .label("Unique Company Identifier")
            .required()
            .default_mapping(either("$.groupId", "$.context.groupId")),
        FieldSchema::boolean("createNewCompany")
            .label("Create Company if Not Found")
            .required()
            .default_mapping(json!(true)),
        FieldSchema::boolean("associateContact")
            .label("Associate Contact with Company")
            .required()
            .default_mapping(json!(true)),
        FieldSchema::object("companysearchfields").label("Company Search Fields"),
        FieldSchema::text("name")
            .label("Company Name")
            .default_mapping(path("$.traits.name")),
        FieldSchema::text("description")
            .label("Company Description")
            .default_mapping(path("$.traits.description")),
        FieldSchema::text("address")
            .label("Street Address")
            .default_mapping(path("$.traits.address.street")),
        FieldSchema::text("city")
            .label("City")
            .default_mapping(path("$.traits.address.city")),
        FieldSchema::text("state")
            .label("State")
            .default_mapping(path("$.traits.address.state")),
        FieldSchema::text("zip")
            .label("Postal Code")
            .default_mapping(either(
                "$.traits.address.postalCode",
                "$.traits.address.postal_code",
            )),
        FieldSchema::text("domain")
            .label("Domain")
            .default_mapping(path("$.traits.website")),
        FieldSchema::text("phone")
            .label("Phone Number")
            .default_mapping(path("$.traits.phone")),
        FieldSchema::integer("numberofemployees")
            .label("Number of Employees")
            .default_mapping(path("$.traits.employees")),
        FieldSchema::text("industry")
            .label("Industry")
            .default_mapping(path("$.traits.industry")),
        FieldSchema::text(LIFECYCLE_STAGE).label("Lifecycle Stage"),
        FieldSchema::object("properties").label("Other Properties"),
    ])
});

pub(crate) fn plan(
    mut payload: Map<String, Value>,
    planning: &Planning<'_>,
) -> Result<Plan, Refusal> {
    let (settings, policy) = (planning.settings, planning.policy);
    let group_id = take_text(&mut payload, "groupid").unwrap_or_default();
    if group_id.is_empty() {
        return Err(Refusal {
            code: RefusalCode::IdMissing,
            property: Some(settings.group_id_property.clone()),
            message: "groupid is blank: a company is found by it".to_owned(),
        });
    }
    let creation = creation_of(&payload, &ObjectType::companies(), policy);
    let create = payload.remove("createNewCompany") != Some(Value::Bool(false));
    let associate = payload.remove("associateContact") != Some(Value::Bool(false));
    let search = search_fields(payload.remove("companysearchfields"), settings);
    let mut properties = properties(&mut payload, settings)?;
    normalise_stage(&mut properties);
    if policy.lifecycle == Lifecycle::Never {
        properties.retain(|(name, _)| name.as_str() != LIFECYCLE_STAGE);
    }
    let record = RecordStep {
        record: RecordRef {
            object: ObjectType::companies(),
            id_property: settings.group_id_property.clone(),
            value: Arc::from(group_id.as_str()),
        },
        stage: stage_of(&properties),
        properties,
        existing: if search.is_empty() {
            Existing::ById
        } else {
            Existing::Search(SearchBy {
                fields: search,
                mode: settings.search,
            })
        },
        when_found: WhenFound::Write,
        when_missing: if create {
            WhenMissing::Create
        } else {
            WhenMissing::Skip
        },
        person: Person::new(),
        needs: Some(group_id_definition(&settings.group_id_property)),
        creation,
    };
    let person = if associate {
        person_of(planning.event)
    } else {
        Person::new()
    };
    // An event that names no person has nobody to associate.
    let associate = (!person.is_empty()).then(|| AssociateStep {
        person,
        with: ObjectType::contacts(),
        kind: AssociationType::company_to_contact(),
    });
    Ok(Plan {
        time: planning.time,
        work: Work::Record(Box::new(RecordPlan {
            associate,
            ..RecordPlan::only(record)
        })),
        policy: Arc::clone(policy),
    })
}

/// The unique property that holds a company's group id; the reference destination creates the same one.
fn group_id_definition(name: &PropertyName) -> PropertyDefinition {
    PropertyDefinition {
        object: ObjectType::companies(),
        name: name.clone(),
        label: Arc::from("Segment Group ID"),
        description: "The group id by which events find this company. Written by hubferry; do not change it by hand.",
        group: Arc::from("companyinformation"),
        kind: ValueKind::Text,
        unique: true,
        hidden: true,
        sensitive: false,
    }
}

fn properties(
    payload: &mut Map<String, Value>,
    settings: &ActionSettings,
) -> Result<Properties, Refusal> {
    let mut properties: Properties = Vec::with_capacity(STANDARD.len());
    for field in STANDARD {
        if let Some(text) = take_text(payload, field) {
            properties.push((PropertyName::new(field), PropertyText::new(&text)));
        }
    }
    if let Some(Value::Object(others)) = payload.remove("properties") {
        if others.contains_key(settings.group_id_property.as_str()) {
            return Err(reserved(&settings.group_id_property));
        }
        put_among(&mut properties, flatten(others, settings));
    }
    for (name, value) in &mut properties {
        if name.as_str() == "domain" {
            *value = PropertyText::new(&host_of(value.expose()));
        }
    }
    Ok(properties)
}

fn reserved(name: &PropertyName) -> Refusal {
    Refusal {
        code: RefusalCode::ReservedProperty,
        property: Some(name.clone()),
        message: format!(
            "properties.{} is written by the action itself; map groupid instead",
            name.as_str()
        ),
    }
}

/// The host of a URL, lower-cased, without `www.`; HubSpot recognises companies by their bare domain.
fn host_of(domain: &str) -> String {
    let rest = domain.split_once("://").map_or(domain, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = host
        .split_once(':')
        .map_or(host, |(host, _)| host)
        .trim()
        .to_lowercase();
    host.strip_prefix("www.").unwrap_or(&host).to_owned()
}

/// Whose contact is associated: by user id, then anonymous id, then the e-mail last known for the user, else the event's.
fn person_of(event: &Event) -> Person {
    let ids = event.identity_keys().iter();
    let mut person: Person = ids
        .filter(|key| matches!(key, IdentityKey::User(_) | IdentityKey::Anonymous(_)))
        .cloned()
        .collect();
    let root = event.json();
    let email = text_at(root, &["context", "traits", "email"])
        .or_else(|| text_at(root, &["traits", "email"]));
    if let Some(email) = email {
        person.push(IdentityKey::Email(Box::from(email.to_lowercase())));
    }
    person
}

fn text_at<'a>(root: Json<'a>, path: &[&str]) -> Option<&'a str> {
    let value = path.iter().try_fold(root, |value, key| value.get(key))?;
    value
        .as_str()
        .map(str::trim)
        .filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hubferry_event::EventTime;

    use crate::action::Action;
    use crate::catalogue::ActionSlug;
    use crate::plan::DeliveryKey;
    use crate::test_settings::settings;

    fn planned(payload: &Value, event: &Value) -> Result<Plan, Refusal> {
        let event = Event::from_value(event.clone()).unwrap();
        let action = Action::new(ActionSlug::UpsertCompany, settings());
        let payload = payload.as_object().unwrap().clone();
        action.plan(
            payload,
            &event,
            EventTime::from_millis(1),
            &DeliveryKey::new("1", "acme/m", "m1"),
        )
    }

    fn group() -> Value {
        json!({"type": "group", "userId": "u1", "groupId": "g", "context": {"traits": {"email": " A@b.co"}}})
    }

    fn written(plan: &Plan) -> Vec<(&str, &str)> {
        plan.record()
            .unwrap()
            .record
            .properties
            .iter()
            .map(|(n, v)| (n.as_str(), v.expose()))
            .collect()
    }

    #[test]
    fn a_company_is_written_by_its_trimmed_group_id_and_tied_to_the_person() {
        let payload = json!({"groupid": " g1 ", "createNewCompany": true, "associateContact": true, "name": " N ",
            "numberofemployees": 41, "domain": "https://www.Acme.io:8080/x?y"});
        let plan = planned(&payload, &group()).unwrap();
        assert_eq!(&*plan.record().unwrap().record.record.value, "g1");
        assert_eq!(
            written(&plan),
            [
                ("name", "N"),
                ("domain", "acme.io"),
                ("numberofemployees", "41")
            ]
        );
        let company = plan.record().unwrap();
        let person: Vec<_> = company
            .associate
            .as_ref()
            .unwrap()
            .person
            .iter()
            .map(|k| k.expose().to_owned())
            .collect();
        assert_eq!(person, ["u1", "a@b.co"]);
        assert_eq!(
            company.record.needs.as_ref().unwrap().name.as_str(),
            "segment_group_id"
        );
    }

    #[test]
    fn k11_what_is_not_wanted_is_not_planned() {
        let payload = json!({"groupid": "g", "createNewCompany": false, "associateContact": false});
        let plan = planned(&payload, &group()).unwrap();
        assert!(plan.record().unwrap().associate.is_none());
        assert_eq!(
            plan.record().unwrap().record.when_missing,
            WhenMissing::Skip
        );
        let nobody = json!({"type": "group", "groupId": "g"});
        let payload = json!({"groupid": "g", "createNewCompany": true, "associateContact": true});
        assert!(
            planned(&payload, &nobody)
                .unwrap()
                .record()
                .unwrap()
                .associate
                .is_none()
        );
    }

    #[test]
    fn k10_search_fields_without_a_value_are_ignored() {
        let payload = json!({"groupid": "g", "companysearchfields": {"domain": " acme.io ", "name": null, "city": ""}});
        let plan = planned(&payload, &group()).unwrap();
        let Existing::Search(fields) = &plan.record().unwrap().record.existing else {
            panic!("a search")
        };
        assert_eq!(fields.fields.len(), 1);
        assert_eq!(fields.fields[0].1.expose(), "acme.io");
        let payload = json!({"groupid": "g", "companysearchfields": {"name": null}});
        assert_eq!(
            planned(&payload, &group())
                .unwrap()
                .record()
                .unwrap()
                .record
                .existing,
            Existing::ById
        );
    }

    #[test]
    fn k9_the_group_id_property_is_reserved_whatever_its_value() {
        let payload = json!({"groupid": "g", "properties": {"segment_group_id": ""}});
        assert_eq!(
            planned(&payload, &group()).unwrap_err().code.as_str(),
            "reserved_property"
        );
        let blank = json!({"groupid": "  "});
        assert_eq!(
            planned(&blank, &group()).unwrap_err().code.as_str(),
            "id_missing"
        );
    }

    #[test]
    fn k15_a_domain_is_reduced_to_its_host() {
        for (given, host) in [
            ("acme.io", "acme.io"),
            ("WWW.Acme.io", "acme.io"),
            ("http://user:pw@acme.io:80/x#y", "acme.io"),
            ("acme.io/path", "acme.io"),
            ("", ""),
        ] {
            assert_eq!(host_of(given), host, "{given}");
        }
    }

    #[test]
    fn k3_search_fields_are_all_to_be_equal_unless_the_mapping_says_any() {
        let payload =
            json!({"groupid": "g", "companysearchfields": {"domain": "a.io", "name": "A"}});
        let plan = planned(&payload, &group()).unwrap();
        let Existing::Search(search) = &plan.record().unwrap().record.existing else {
            panic!("a search")
        };
        assert_eq!(search.mode, crate::plan::MatchMode::All);
        assert_eq!(search.fields.len(), 2);
    }

    #[test]
    fn k8_k17_group_ids_are_one_key_however_they_are_written() {
        for id in [json!("42"), json!(42), json!(" 42 ")] {
            let plan = planned(&json!({ "groupid": id }), &group()).unwrap();
            assert_eq!(&*plan.record().unwrap().record.record.value, "42");
        }
    }

    #[test]
    fn k4_the_stage_of_a_company_is_wished_for_like_a_contacts() {
        let payload = json!({"groupid": "g", "lifecyclestage": " Lead "});
        let plan = planned(&payload, &group()).unwrap();
        let record = &plan.record().unwrap().record;
        assert_eq!(written(&plan), [("lifecyclestage", "lead")]);
        let stage = record.stage.as_ref();
        assert_eq!(stage.map(crate::plan::LifecycleStage::as_str), Some("lead"));
    }
}
