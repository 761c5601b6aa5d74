//! Upsert Contact (actions.md §3).

use std::sync::{Arc, LazyLock};

use hubferry_event::{Event, IdentityKey};
use hubferry_mapping::{FieldSchema, Format, Schema};
use serde_json::{Map, Value};

use crate::action::{ActionSettings, Planning, Refusal, RefusalCode};
use crate::defaults::{either, path};
use crate::nouns::{ObjectType, Properties, PropertyName, PropertyText, RecordRef};
use crate::plan::{
    Existing, Lifecycle, LifecycleStage, Person, Plan, RecordPlan, RecordStep, WhenFound,
    WhenMissing, Work,
};
use crate::values::{LIFECYCLE_STAGE, creation_of, flatten, normalise_stage, put_among, take_text};

/// The declared fields that are properties, in the order in which they are written.
const STANDARD: [&str; 11] = [
    "company",
    "firstname",
    "lastname",
    "phone",
    "address",
    "city",
    "state",
    "country",
    "zip",
    "website",
    LIFECYCLE_STAGE,
];

pub(crate) static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(vec![
        FieldSchema::text("email")
            .label("Email")
            .format(Format::Email)
            .required()
            .default_mapping(path("$.traits.email")),
        FieldSchema::text("company")
            .label("Company Name")
            .default_mapping(path("$.traits.company")),
        FieldSchema::text("firstname")
            .label("First Name")
            .default_mapping(either("$.traits.first_name", "$.traits.firstName")),
        FieldSchema::text("lastname")
            .label("Last Name")
            .default_mapping(either("$.traits.last_name", "$.traits.lastName")),
        FieldSchema::text("phone")
            .label("Phone Number")
            .default_mapping(path("$.traits.phone")),
        FieldSchema::text("address")
            .label("Street Address")
            .default_mapping(path("$.traits.address.street")),
        FieldSchema::text("city")
            .label("City")
            .default_mapping(path("$.traits.address.city")),
        FieldSchema::text("state")
            .label("State")
            .default_mapping(path("$.traits.address.state")),
        FieldSchema::text("country")
            .label("Country")
            .default_mapping(path("$.traits.address.country")),
        FieldSchema::text("zip")
            .label("Postal Code")
            .default_mapping(either(
                "$.traits.address.postalCode",
                "$.traits.address.postal_code",
            )),
        FieldSchema::text("website")
            .label("Website")
            .default_mapping(path("$.traits.website")),
        FieldSchema::text(LIFECYCLE_STAGE).label("Lifecycle Stage"),
        FieldSchema::object("properties").label("Other Properties"),
        FieldSchema::boolean("enable_batching").label("Send Batch Data"),
    ])
});

pub(crate) fn plan(
    mut payload: Map<String, Value>,
    planning: &Planning<'_>,
) -> Result<Plan, Refusal> {
    let (settings, policy) = (planning.settings, planning.policy);
    let email = take_text(&mut payload, "email")
        .unwrap_or_default()
        .to_lowercase();
    if email.is_empty() {
        let message = "email is required: a contact is found by it";
        return Err(Refusal::new(
            RefusalCode::PayloadInvalid,
            Some("email"),
            message,
        ));
    }
    let creation = creation_of(&payload, &ObjectType::contacts(), policy);
    let mut properties = properties(&mut payload, settings);
    settle_email(&mut properties, &email, settings)?;
    normalise_stage(&mut properties);
    if policy.lifecycle == Lifecycle::Never {
        properties.retain(|(name, _)| name.as_str() != LIFECYCLE_STAGE);
    }
    let record = RecordStep {
        record: RecordRef {
            object: ObjectType::contacts(),
            id_property: PropertyName::new("email"),
            value: Arc::from(email.as_str()),
        },
        stage: stage_of(&properties),
        properties,
        existing: Existing::ById,
        when_missing: WhenMissing::Create,
        when_found: WhenFound::Write,
        person: person_of(planning.event, &email),
        needs: None,
        creation,
    };
    Ok(Plan {
        time: planning.time,
        work: Work::Record(Box::new(RecordPlan::only(record))),
        policy: Arc::clone(policy),
    })
}

/// The standard properties that are there, then the others, which win over standard ones of the same name.
fn properties(payload: &mut Map<String, Value>, settings: &ActionSettings) -> Properties {
    let mut properties: Properties = Vec::with_capacity(STANDARD.len());
    for field in STANDARD {
        if let Some(text) = take_text(payload, field) {
            properties.push((PropertyName::new(field), PropertyText::new(&text)));
        }
    }
    if let Some(Value::Object(others)) = payload.remove("properties") {
        put_among(&mut properties, flatten(others, settings));
    }
    properties
}

/// An `email` among the other properties is the key again, or a change of address that the mapping has to allow.
fn settle_email(
    properties: &mut Properties,
    key: &str,
    settings: &ActionSettings,
) -> Result<(), Refusal> {
    let named = properties.iter().find(|(name, _)| name.as_str() == "email");
    let Some(other) = named.map(|(_, value)| value.expose().to_lowercase()) else {
        return Ok(());
    };
    if other == key {
        properties.retain(|(name, _)| name.as_str() != "email");
        return Ok(());
    }
    if settings.allow_email_change && !other.is_empty() {
        return Ok(());
    }
    Err(Refusal {
        code: RefusalCode::EmailDiffers,
        property: Some(PropertyName::new("email")),
        message: "properties.email differs from the e-mail the contact is found by; map one of them, or set \
                  allow_email_change: true to change the contact's address"
            .to_owned(),
    })
}

pub(crate) fn stage_of(properties: &Properties) -> Option<LifecycleStage> {
    properties
        .iter()
        .find(|(name, _)| name.as_str() == LIFECYCLE_STAGE)
        .and_then(|(_, value)| LifecycleStage::parse(value.expose()))
}

/// The keys by which the contact will be found again: the event's ids and the e-mail it is written under.
fn person_of(event: &Event, email: &str) -> Person {
    let mut person: Person = event
        .identity_keys()
        .iter()
        .filter(|key| matches!(key, IdentityKey::User(_) | IdentityKey::Anonymous(_)))
        .cloned()
        .collect();
    person.push(IdentityKey::Email(Box::from(email)));
    person
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use hubferry_event::EventTime;

    use crate::action::Action;
    use crate::catalogue::ActionSlug;
    use crate::plan::DeliveryKey;
    use crate::test_settings::settings;
    use hubferry_mapping::{CleanOptions, Mapping};

    /// Maps an event by the defaults, with other fields added, and plans it.
    fn planned(event: &Value, more: &Value, settings: ActionSettings) -> Result<Plan, Refusal> {
        let mut mapping = Map::new();
        for field in SCHEMA.fields() {
            if let Some(default) = field.default() {
                mapping.insert(field.name().to_owned(), default.clone());
            }
        }
        mapping.extend(more.as_object().unwrap().clone());
        let resolved = Mapping::compile(&Value::Object(mapping))
            .unwrap()
            .resolve(event)
            .unwrap();
        let Some(Value::Object(payload)) = resolved else {
            panic!("a payload")
        };
        let valid = SCHEMA.validate(payload, &CleanOptions::default()).unwrap();
        let event = Event::from_value(event.clone()).unwrap();
        let action = Action::new(ActionSlug::UpsertContact, settings);
        action.plan(
            valid.payload,
            &event,
            EventTime::from_millis(1),
            &DeliveryKey::new("1", "acme/m", "m1"),
        )
    }

    fn identify(traits: &Value) -> Value {
        json!({"type": "identify", "userId": "u1", "anonymousId": "a1", "traits": traits})
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
    fn the_defaults_take_the_standard_traits() {
        let event = identify(&json!({
            "email": "V@b.dz", "first_name": " John ", "lastName": "Doe", "company": "Acme", "phone": "1", "website": "w",
            "address": {"street": "s", "city": "c", "state": "st", "country": "co", "postal_code": 60001}
        }));
        let plan = planned(&event, &json!({}), settings()).unwrap();
        assert_eq!(&*plan.record().unwrap().record.record.value, "v@b.dz");
        assert_eq!(
            written(&plan),
            [
                ("company", "Acme"),
                ("firstname", "John"),
                ("lastname", "Doe"),
                ("phone", "1"),
                ("address", "s"),
                ("city", "c"),
                ("state", "st"),
                ("country", "co"),
                ("zip", "60001"),
                ("website", "w"),
            ]
        );
        let person: Vec<_> = plan
            .record()
            .unwrap()
            .record
            .person
            .iter()
            .map(IdentityKey::expose)
            .collect();
        assert_eq!(person, ["u1", "a1", "v@b.dz"]);
    }

    #[test]
    fn other_properties_win_over_standard_ones() {
        let event = identify(&json!({"email": "a@b.co", "phone": "1", "plan": " pro "}));
        let more = json!({"properties": {"phone": "2", "plan": {"@path": "$.traits.plan"}}});
        assert_eq!(
            written(&planned(&event, &more, settings()).unwrap()),
            [("phone", "2"), ("plan", "pro")]
        );
    }

    #[test]
    fn c14_c15_a_stage_is_compared_trimmed_and_lower_cased_wherever_it_was_mapped() {
        let event = identify(&json!({"email": "a@b.co"}));
        for more in [
            json!({"lifecyclestage": " Lead "}),
            json!({"properties": {"lifecyclestage": "LEAD "}}),
        ] {
            let plan = planned(&event, &more, settings()).unwrap();
            assert_eq!(written(&plan), [("lifecyclestage", "lead")]);
            assert_eq!(
                plan.record()
                    .unwrap()
                    .record
                    .stage
                    .as_ref()
                    .map(LifecycleStage::as_str),
                Some("lead")
            );
        }
        let mut never = settings();
        never.policy.lifecycle = Lifecycle::Never;
        let plan = planned(&event, &json!({"lifecyclestage": "lead"}), never).unwrap();
        assert!(
            plan.record().unwrap().record.properties.is_empty()
                && plan.record().unwrap().record.stage.is_none()
        );
    }

    #[test]
    fn c19_another_e_mail_among_the_properties_is_refused_unless_allowed() {
        let event = identify(&json!({"email": "a@b.co"}));
        let more = json!({"properties": {"email": "other@b.co"}});
        let refusal = planned(&event, &more, settings()).unwrap_err();
        assert_eq!(refusal.code.as_str(), "email_differs");
        assert!(
            !refusal.message.contains("other@b.co"),
            "personal data in {}",
            refusal.message
        );
        let allowed = ActionSettings {
            allow_email_change: true,
            ..settings()
        };
        assert_eq!(
            written(&planned(&event, &more, allowed).unwrap()),
            [("email", "other@b.co")]
        );
        let same = json!({"properties": {"email": "A@B.co"}});
        assert!(written(&planned(&event, &same, settings()).unwrap()).is_empty());
    }

    #[test]
    fn c5_c20_c21_the_key_and_the_standard_fields_are_trimmed_and_the_key_is_lower_cased() {
        let event = identify(&json!({"email": "  V@B.dz ", "phone": " 1 ", "first_name": " x "}));
        let plan = planned(&event, &json!({}), settings()).unwrap();
        assert_eq!(&*plan.record().unwrap().record.record.value, "v@b.dz");
        assert_eq!(written(&plan), [("firstname", "x"), ("phone", "1")]);
    }

    #[test]
    fn c6_an_empty_text_in_a_declared_field_clears_nothing_by_default() {
        let event = identify(&json!({"email": "a@b.co", "phone": "", "plan": ""}));
        let more = json!({"properties": {"plan": {"@path": "$.traits.plan"}}});
        let plan = planned(&event, &more, settings()).unwrap();
        assert_eq!(written(&plan), [("plan", "")]);
    }

    #[test]
    fn missing_properties_are_created_when_the_mapping_says_so() {
        let event = identify(&json!({"email": "a@b.co"}));
        let mut creates = settings();
        creates.policy.unknown_property = crate::plan::UnknownProperty::Create;
        let more = json!({"properties": {"visits": 3, "vip": true, "plan": "pro"}});
        let plan = planned(&event, &more, creates).unwrap();
        let creation = plan.record().unwrap().record.creation.as_ref().unwrap();
        assert_eq!(&*creation.group, "contactinformation");
        assert_eq!(
            creation.kinds,
            [
                (PropertyName::new("visits"), crate::plan::ValueKind::Number),
                (PropertyName::new("vip"), crate::plan::ValueKind::Boolean)
            ]
        );
    }
}
