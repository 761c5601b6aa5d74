//! Custom Object v2 (actions.md §6): any record, its associations, its list.

use std::sync::{Arc, LazyLock};

use hubferry_event::{EventTime, IdentityKey};
use hubferry_mapping::{FieldSchema, Schema};
use serde_json::{Map, Value, json};

use crate::action::{PlanNote, Planning, Refusal, RefusalCode};
use crate::catalogue::SyncMode;
use crate::clean::{self, Cleaned, NumbersInText};
use crate::contact::stage_of;
use crate::defaults::{either, path};
use crate::moment::time_in;
use crate::nouns::{
    ObjectType, Properties, PropertyName, PropertyText, RECORD_ID_PROPERTY, RecordRef,
};
use crate::plan::{
    Creation, Existing, Lifecycle, Person, Plan, RecordPlan, RecordStep, ValueKind, WhenFound,
    WhenMissing, Work,
};
use crate::values::{LIFECYCLE_STAGE, normalise_stage, take_text};

mod links;
mod lists;

/// The size of a batch in the reference's mappings.
pub(crate) const BATCH_SIZE: u32 = 100;

pub(crate) static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let link = |name: &str, label: &str| {
        FieldSchema::object(name)
            .label(label)
            .multiple()
            .properties(vec![
                FieldSchema::text("object_type")
                    .label("Object Type")
                    .required(),
                FieldSchema::text("association_label")
                    .label("Association Label")
                    .required(),
                FieldSchema::text("id_field_name")
                    .label("Id Field Name")
                    .required(),
                FieldSchema::text("id_field_value").label("Id Field Value"),
            ])
    };
    Schema::new(vec![
        FieldSchema::object("object_details")
            .label("Object Details")
            .required()
            .properties(vec![
                FieldSchema::text("object_type")
                    .label("Object Type")
                    .required(),
                FieldSchema::text("id_field_name")
                    .label("Id Field Name")
                    .required(),
                FieldSchema::text("id_field_value")
                    .label("Id Field Value")
                    .required(),
                FieldSchema::text("property_group").label("Property Group"),
            ]),
        FieldSchema::object("properties").label("Properties"),
        FieldSchema::object("sensitive_properties").label("Sensitive Properties"),
        FieldSchema::text("association_sync_mode")
            .label("Association Sync Mode")
            .required()
            .choices(["upsert", "read"])
            .default_mapping(json!("upsert")),
        link("associations", "Associations"),
        link("dissociations", "Dissociations"),
        FieldSchema::object("list_details")
            .label("List Details")
            .properties(vec![
                FieldSchema::boolean("connected_to_engage_audience")
                    .label("Connected to an Audience"),
                FieldSchema::text("list_name").label("List Name"),
                FieldSchema::boolean("list_action").label("Add to or Remove from the List"),
                FieldSchema::boolean("should_create_list").label("Create the List if Missing"),
            ])
            .default_mapping(
                json!({"connected_to_engage_audience": false, "should_create_list": true}),
            ),
        FieldSchema::boolean("enable_batching")
            .label("Send Batch Data")
            .default_mapping(json!(true)),
        FieldSchema::integer("batch_size")
            .label("Batch Size")
            .required()
            .default_mapping(json!(BATCH_SIZE)),
        FieldSchema::text("batch_keys")
            .label("Batch Keys")
            .multiple()
            .default_mapping(json!(["list_details"])),
        FieldSchema::text("timestamp")
            .label("Timestamp")
            .default_mapping(path("$.timestamp")),
        FieldSchema::object("traits_or_props")
            .label("Traits or Properties")
            .default_mapping(either("$.properties", "$.traits")),
        FieldSchema::text("computation_key")
            .label("Audience Key")
            .default_mapping(path("$.context.personas.computation_key")),
        FieldSchema::text("computation_class")
            .label("Audience Class")
            .default_mapping(path("$.context.personas.computation_class")),
    ])
});

pub(crate) fn plan(
    mut payload: Map<String, Value>,
    planning: &Planning<'_>,
    notes: &mut Vec<PlanNote>,
) -> Result<Plan, Refusal> {
    let time = time_of(&payload, planning.time);
    let details = match payload.remove("object_details") {
        Some(Value::Object(details)) => details,
        _ => Map::new(),
    };
    let (record, group) = record_of(details)?;
    let mode = planning.settings.sync_mode;
    if record.record_id().is_some() {
        record_id_fits(&record, mode)?;
    }
    let (properties, creation) = properties(&mut payload, &record, group, planning, notes)?;
    let links = links::of(&mut payload, notes)?;
    let membership = lists::of(&payload, &record.object);
    let person = person_of(planning, &record, &properties);
    let step = RecordStep {
        stage: stage_of(&properties),
        properties,
        existing: Existing::ById,
        when_missing: match mode {
            SyncMode::Add | SyncMode::Upsert => WhenMissing::Create,
            SyncMode::Update => WhenMissing::Skip,
        },
        when_found: match mode {
            SyncMode::Update | SyncMode::Upsert => WhenFound::Write,
            SyncMode::Add if planning.settings.associate_existing => WhenFound::Keep,
            SyncMode::Add => WhenFound::Skip,
        },
        person,
        needs: None,
        creation: Some(creation),
        record,
    };
    Ok(Plan {
        time,
        work: Work::Record(Box::new(RecordPlan {
            record: step,
            associate: None,
            links,
            membership,
        })),
        policy: Arc::clone(planning.policy),
    })
}

/// When the record was as the event says: the payload's own time, where it can be read.
fn time_of(payload: &Map<String, Value>, event_time: EventTime) -> EventTime {
    payload
        .get("timestamp")
        .and_then(time_in)
        .unwrap_or(event_time)
}

/// Which record, and the property group in which missing properties are created.
fn record_of(mut details: Map<String, Value>) -> Result<(RecordRef, Option<String>), Refusal> {
    let object = take_text(&mut details, "object_type").unwrap_or_default();
    let name = take_text(&mut details, "id_field_name").unwrap_or_default();
    let value = take_text(&mut details, "id_field_value").unwrap_or_default();
    let group = take_text(&mut details, "property_group").filter(|group| !group.is_empty());
    let object = ObjectType::parse(&object).ok_or_else(|| id_missing("object_type"))?;
    if name.is_empty() {
        return Err(id_missing("id_field_name"));
    }
    let Some(record) = named(object, &name, &value) else {
        return Err(id_missing("id_field_value"));
    };
    Ok((record, group))
}

fn id_missing(member: &str) -> Refusal {
    let message = format!("object_details.{member} is blank: a record is found by it");
    Refusal::new(RefusalCode::IdMissing, Some("object_details"), message)
}

/// A record by an id, which is trimmed; e-mails and domains are lower-cased (actions.md §6.10). `None` when it is blank.
fn named(object: ObjectType, name: &str, value: &str) -> Option<RecordRef> {
    let value = value.trim();
    let value: Arc<str> = match name {
        "email" | "domain" => Arc::from(value.to_lowercase()),
        _ => Arc::from(value),
    };
    (!value.is_empty()).then(|| RecordRef {
        object,
        id_property: PropertyName::new(name),
        value,
    })
}

/// HubSpot makes record ids itself: by one, a record can be changed but not created.
fn record_id_fits(record: &RecordRef, mode: SyncMode) -> Result<(), Refusal> {
    let message = if mode != SyncMode::Update {
        "a record cannot be created under an hs_object_id, which HubSpot makes itself: use sync_mode: update, or find the \
         record by another unique property"
    } else if !record.value.bytes().all(|byte| byte.is_ascii_digit()) {
        "an hs_object_id is a number"
    } else {
        return Ok(());
    };
    let field = Some("object_details");
    Err(Refusal::new(RefusalCode::PayloadInvalid, field, message))
}

/// The normal properties, then the sensitive ones, which win over normal ones of the same name; without the id itself.
fn properties(
    payload: &mut Map<String, Value>,
    record: &RecordRef,
    group: Option<String>,
    planning: &Planning<'_>,
    notes: &mut Vec<PlanNote>,
) -> Result<(Properties, Creation), Refusal> {
    let mut cleaned = |field: &str| match payload.remove(field) {
        Some(Value::Object(object)) => {
            clean::properties(object, NumbersInText::Texts, planning.settings, notes)
        }
        _ => Ok(Vec::new()),
    };
    let (mut normal, mut sensitive) = (cleaned("properties")?, cleaned("sensitive_properties")?);
    let is_wanted = |one: &Cleaned| {
        let is_id = one.name == record.id_property || one.name.as_str() == RECORD_ID_PROPERTY;
        let never_stages = planning.policy.lifecycle == Lifecycle::Never;
        let is_unwanted = is_id || (never_stages && one.name.as_str() == LIFECYCLE_STAGE);
        !is_unwanted
    };
    normal.retain(is_wanted);
    sensitive.retain(is_wanted);
    normal.retain(|one| {
        let wins = !sensitive.iter().any(|other| other.name == one.name);
        if !wins {
            notes.push(PlanNote::SensitiveWins(one.name.clone()));
        }
        wins
    });
    let all = || normal.iter().chain(&sensitive);
    let is_shown_by_its_text =
        |one: &&Cleaned| !matches!(one.kind, ValueKind::Number | ValueKind::Boolean);
    let creation = Creation {
        group: Arc::from(
            group
                .as_deref()
                .or(record.object.usual_group())
                .unwrap_or_default(),
        ),
        sensitive: sensitive.iter().map(|one| one.name.clone()).collect(),
        kinds: all()
            .filter(|one| !is_shown_by_its_text(one))
            .map(|one| (one.name.clone(), one.kind))
            .collect(),
    };
    let mut properties: Properties = all()
        .map(|one| (one.name.clone(), PropertyText::new(&one.text)))
        .collect();
    normalise_stage(&mut properties);
    Ok((properties, creation))
}

/// The keys by which a written contact will be found again: the e-mail it has, and the ids of the event's person unless
/// the event says that her e-mail is another.
fn person_of(planning: &Planning<'_>, record: &RecordRef, properties: &Properties) -> Person {
    let mut person = Person::new();
    if record.object != ObjectType::contacts() {
        return person;
    }
    let email = if record.id_property.as_str() == "email" {
        Some(record.value.to_string())
    } else {
        let named = properties.iter().find(|(name, _)| name.as_str() == "email");
        named
            .map(|(_, value)| value.expose().to_lowercase())
            .filter(|email| !email.is_empty())
    };
    let keys = planning.event.identity_keys();
    let emails = || {
        keys.iter()
            .filter(|key| matches!(key, IdentityKey::Email(_)))
    };
    let is_her = match &email {
        Some(email) => emails().next().is_none() || emails().any(|key| key.expose() == email),
        None => true,
    };
    if is_her {
        let ids = keys
            .iter()
            .filter(|key| matches!(key, IdentityKey::User(_) | IdentityKey::Anonymous(_)));
        person.extend(ids.cloned());
    }
    person.extend(email.map(|email| IdentityKey::Email(Box::from(email))));
    person
}

#[cfg(test)]
mod tests;
