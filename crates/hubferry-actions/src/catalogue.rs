//! All six actions of the destination as data: their fields, default mappings, triggers and sync modes
//! (actions.md §3–§9).

use std::fmt;
use std::str::FromStr;

use hubferry_mapping::{FieldSchema, Schema};
use serde_json::{Map, Value};

use crate::plan::UnknownProperty;
use crate::{behavioral_event, company, contact, custom_event, object, object_record};

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
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub enum SyncMode {
    /// Only create.
    Add,
    /// Only change.
    Update,
    /// Both.
    #[default]
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
            Self::UpsertCustomObjectRecord => &object_record::SCHEMA,
            Self::UpsertObject => &object::SCHEMA,
            Self::SendCustomBehavioralEvent => &behavioral_event::SCHEMA,
            Self::CustomEvent => &custom_event::SCHEMA,
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

    /// What happens to a property HubSpot does not know, unless the mapping says it (actions.md §2.11, §6.3, §8.1):
    /// whole objects of properties are filtered, what is mapped key by key has to exist, and where the mapping's own
    /// fields ask for creation it is created.
    #[must_use]
    pub const fn default_unknown_property(self, hints: &PropertyHints) -> UnknownProperty {
        let creates = match (self, hints.sync_mode) {
            (Self::CustomEvent, SyncMode::Upsert | SyncMode::Update) => true,
            (Self::UpsertObject, _) => hints.names_group && !hints.whole_object,
            _ => false,
        };
        if creates {
            UnknownProperty::Create
        } else if hints.whole_object {
            UnknownProperty::Drop
        } else {
            UnknownProperty::DeadLetter
        }
    }
}

/// What a mapping's fields say of its properties.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PropertyHints {
    /// The sync mode.
    pub sync_mode: SyncMode,
    /// Whether a whole object is mapped rather than key by key.
    pub whole_object: bool,
    /// Whether a property group is named, in which missing properties can be created.
    pub names_group: bool,
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

#[cfg(test)]
mod tests {
    use serde_json::json;

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
