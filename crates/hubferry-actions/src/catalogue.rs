//! All six actions of the destination as data: their fields, default mappings, triggers and sync modes
//! (actions.md §3–§9). What [`ActionKind`](crate::ActionKind) can deliver is a part of it.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use hubferry_mapping::{FieldSchema, FieldType, Format, Schema};
use serde_json::{Map, Value, json};

use crate::action::ActionKind;
use crate::defaults::{either, path};
use crate::{company, contact};

/// An action of the destination, by the slug of the reference destination.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum ActionSlug {
    /// Upsert Contact.
    UpsertContact,
    /// Upsert Company.
    UpsertCompany,
    /// Custom Object Record, the older action for objects.
    UpsertCustomObjectRecord,
    /// Custom Object v2.
    UpsertObject,
    /// Custom Behavioral Event.
    SendCustomBehavioralEvent,
    /// Custom Event v2.
    CustomEvent,
}

/// A slug that names no action.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "unknown action {0:?}; known are upsertContact, upsertCompany, upsertCustomObjectRecord, upsertObject, \
     sendCustomBehavioralEvent and customEvent"
)]
pub struct UnknownSlug(String);

/// What an action may do to records or event definitions.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SyncMode {
    /// Only create.
    Add,
    /// Only change.
    Update,
    /// Both.
    Upsert,
}

impl ActionSlug {
    /// All actions.
    pub const ALL: [Self; 6] = [
        Self::UpsertContact,
        Self::UpsertCompany,
        Self::UpsertCustomObjectRecord,
        Self::UpsertObject,
        Self::SendCustomBehavioralEvent,
        Self::CustomEvent,
    ];

    /// The slug in configurations.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UpsertContact => "upsertContact",
            Self::UpsertCompany => "upsertCompany",
            Self::UpsertCustomObjectRecord => "upsertCustomObjectRecord",
            Self::UpsertObject => "upsertObject",
            Self::SendCustomBehavioralEvent => "sendCustomBehavioralEvent",
            Self::CustomEvent => "customEvent",
        }
    }

    /// The name people know it by.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::UpsertContact => "Upsert Contact",
            Self::UpsertCompany => "Upsert Company",
            Self::UpsertCustomObjectRecord => "Custom Object Record",
            Self::UpsertObject => "Custom Object v2",
            Self::SendCustomBehavioralEvent => "Custom Behavioral Event",
            Self::CustomEvent => "Custom Event v2",
        }
    }

    /// The fields.
    #[must_use]
    pub fn schema(self) -> &'static Schema {
        match self {
            Self::UpsertContact => &contact::SCHEMA,
            Self::UpsertCompany => &company::SCHEMA,
            Self::UpsertCustomObjectRecord => &OBJECT_RECORD,
            Self::UpsertObject => &OBJECT,
            Self::SendCustomBehavioralEvent => &BEHAVIORAL_EVENT,
            Self::CustomEvent => &EVENT,
        }
    }

    /// The mapping a new mapping starts from: the default of every field that has one.
    #[must_use]
    pub fn default_mapping(self) -> Map<String, Value> {
        let fields = self.schema().fields().iter();
        fields
            .filter_map(|field| Some((field.name().to_owned(), field_default(field)?)))
            .collect()
    }

    /// The trigger a new mapping starts from, where there is one.
    #[must_use]
    pub const fn default_trigger(self) -> Option<&'static str> {
        match self {
            Self::UpsertContact => Some("type = \"identify\""),
            Self::UpsertCompany => Some("type = \"group\""),
            Self::SendCustomBehavioralEvent => Some("type = \"track\""),
            Self::UpsertCustomObjectRecord | Self::UpsertObject | Self::CustomEvent => None,
        }
    }

    /// The sync modes it knows; none when it has no choice.
    #[must_use]
    pub const fn sync_modes(self) -> &'static [SyncMode] {
        match self {
            Self::UpsertObject | Self::CustomEvent => {
                &[SyncMode::Upsert, SyncMode::Add, SyncMode::Update]
            }
            Self::UpsertContact
            | Self::UpsertCompany
            | Self::UpsertCustomObjectRecord
            | Self::SendCustomBehavioralEvent => &[],
        }
    }

    /// The action that delivers it, when this version has one.
    #[must_use]
    pub const fn kind(self) -> Option<ActionKind> {
        match self {
            Self::UpsertContact => Some(ActionKind::UpsertContact),
            Self::UpsertCompany => Some(ActionKind::UpsertCompany),
            Self::UpsertCustomObjectRecord
            | Self::UpsertObject
            | Self::SendCustomBehavioralEvent
            | Self::CustomEvent => None,
        }
    }
}

/// The default of a field: its own, else an object of its members' defaults.
fn field_default(field: &FieldSchema) -> Option<Value> {
    if let Some(default) = field.default() {
        return Some(default.clone());
    }
    if field.is_multiple() {
        return None;
    }
    let members: Map<String, Value> = field
        .members()
        .iter()
        .filter_map(|member| Some((member.name().to_owned(), field_default(member)?)))
        .collect();
    (!members.is_empty()).then_some(Value::Object(members))
}

impl FromStr for ActionSlug {
    type Err = UnknownSlug;

    fn from_str(slug: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|action| action.as_str() == slug)
            .ok_or_else(|| UnknownSlug(slug.to_owned()))
    }
}

impl fmt::Display for ActionSlug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

static OBJECT_RECORD: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(vec![
        FieldSchema::text("objectType")
            .label("Object Type")
            .required(),
        FieldSchema::object("properties")
            .label("Properties")
            .required(),
        FieldSchema::boolean("createNewCustomRecord").label("Create a Record if Not Found"),
        FieldSchema::object("customObjectSearchFields").label("Search Fields"),
        FieldSchema::text("toObjectType").label("Object Type to Associate"),
        FieldSchema::object("searchFieldsToAssociateCustomObjects")
            .label("Search Fields of the Record to Associate"),
        FieldSchema::text("associationLabel").label("Association Label"),
    ])
});

static OBJECT: LazyLock<Schema> = LazyLock::new(|| {
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
            .default_mapping(json!(100)),
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

static BEHAVIORAL_EVENT: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(vec![
        FieldSchema::text("eventName")
            .label("Event Name")
            .required(),
        FieldSchema::date_time("occurredAt")
            .label("Event Timestamp")
            .default_mapping(path("$.timestamp")),
        FieldSchema::text("email")
            .label("Email Address")
            .format(Format::Email)
            .default_mapping(either("$.properties.email", "$.context.traits.email")),
        FieldSchema::text("utk").label("User Token"),
        FieldSchema::text("objectId").label("Record ID"),
        FieldSchema::object("properties").label("Event Properties"),
    ])
});

static EVENT: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(vec![
        FieldSchema::text("event_name")
            .label("Event Name")
            .required(),
        FieldSchema::object("record_details")
            .label("Associated Record")
            .required()
            .properties(vec![
                FieldSchema::text("object_type")
                    .label("Object Type")
                    .required(),
                FieldSchema::number("object_id").label("Record ID"),
                FieldSchema::text("email")
                    .label("Email Address")
                    .format(Format::Email)
                    .default_mapping(either("$.properties.email", "$.context.traits.email")),
                FieldSchema::text("utk").label("User Token"),
            ]),
        FieldSchema::object("properties").label("Event Properties"),
        FieldSchema::new("occurred_at", FieldType::DateTime)
            .label("Event Timestamp")
            .default_mapping(path("$.timestamp")),
    ])
});

#[cfg(test)]
mod tests {
    use super::*;
    use hubferry_mapping::{CleanOptions, Mapping};

    /// Maps an event by the defaults and more fields, and validates the payload.
    fn payload(action: ActionSlug, more: &Value, event: &Value) -> Result<Value, Vec<String>> {
        let mut mapping = action.default_mapping();
        mapping.extend(more.as_object().unwrap().clone());
        let resolved = Mapping::compile(&Value::Object(mapping))
            .unwrap()
            .resolve(event)
            .unwrap();
        let Some(Value::Object(payload)) = resolved else {
            panic!("a payload")
        };
        let valid = action.schema().validate(payload, &CleanOptions::default());
        valid
            .map(|valid| Value::Object(valid.payload))
            .map_err(|violations| {
                violations
                    .into_iter()
                    .map(|violation| violation.path)
                    .collect()
            })
    }

    #[test]
    fn every_slug_names_its_action() {
        for action in ActionSlug::ALL {
            assert_eq!(action.as_str().parse::<ActionSlug>().unwrap(), action);
            assert!(
                Mapping::compile(&Value::Object(action.default_mapping())).is_ok(),
                "{action}"
            );
        }
        assert!("upsertcontact".parse::<ActionSlug>().is_err());
    }

    #[test]
    fn the_defaults_of_the_event_actions_take_the_e_mail_known_for_the_user() {
        let event = json!({"type": "track", "event": "X", "timestamp": "2026-01-01T00:00:00Z", "properties": {"a": 1},
            "context": {"traits": {"email": "a@b.co"}}});
        let more = json!({"eventName": "pe1_x"});
        assert_eq!(
            payload(ActionSlug::SendCustomBehavioralEvent, &more, &event).unwrap(),
            json!({"eventName": "pe1_x", "occurredAt": "2026-01-01T00:00:00Z", "email": "a@b.co"})
        );
        let more = json!({"event_name": "X", "record_details": {"object_type": "contact", "object_id": " 12 "}});
        assert_eq!(
            payload(ActionSlug::CustomEvent, &more, &event).unwrap(),
            json!({"occurred_at": "2026-01-01T00:00:00Z", "event_name": "X",
                "record_details": {"object_type": "contact", "object_id": 12}})
        );
    }

    #[test]
    fn an_object_names_every_part_of_its_identity_that_is_missing() {
        let event = json!({"type": "track", "event": "X", "properties": {"a": 1}});
        let more = json!({"object_details": {"object_type": "deals"}, "association_sync_mode": "merge",
            "associations": [{"object_type": "contacts"}]});
        let violations = payload(ActionSlug::UpsertObject, &more, &event).unwrap_err();
        assert!(
            violations
                .iter()
                .any(|path| path == "/object_details/id_field_name"),
            "{violations:?}"
        );
        assert!(
            violations
                .iter()
                .any(|path| path == "/object_details/id_field_value"),
            "{violations:?}"
        );
        assert!(
            violations
                .iter()
                .any(|path| path == "/association_sync_mode"),
            "{violations:?}"
        );
        assert!(
            violations
                .iter()
                .any(|path| path == "/associations/0/association_label"),
            "{violations:?}"
        );
    }

    #[test]
    fn the_older_object_action_requires_type_and_properties() {
        let violations = payload(
            ActionSlug::UpsertCustomObjectRecord,
            &json!({}),
            &json!({"a": 1}),
        )
        .unwrap_err();
        assert_eq!(violations, ["/objectType", "/properties"]);
    }
}
