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
    use hubferry_mapping::{CleanOptions, Mapping, Trigger};

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

    /// events.md §2: which type each action's new mapping reads.
    #[test]
    fn s2_the_types_that_default_triggers_read() {
        let reads = ActionSlug::ALL.map(|action| {
            let kinds = hubferry_event::EventType::ALL.into_iter().filter(|kind| {
                let event =
                    json!({"type": kind.as_str(), "userId": "u", "event": "E", "name": "N"});
                action
                    .default_trigger()
                    .is_some_and(|text| Trigger::parse_checked(text).unwrap().matches(&event))
            });
            (
                action.as_str(),
                kinds.map(|kind| kind.as_str()).collect::<Vec<_>>(),
            )
        });
        let mut reads = Vec::from(reads);
        reads.retain(|(_, kinds)| !kinds.is_empty());
        assert_eq!(
            reads,
            [
                ("upsertContact", vec!["identify"]),
                ("upsertCompany", vec!["group"]),
                ("sendCustomBehavioralEvent", vec!["track"]),
            ]
        );
    }

    /// events.md §4: the paths that default mappings read, field by field; each case is an event and what the field is.
    #[test]
    fn s4_what_the_default_mappings_read() {
        let traits = |traits: Value| json!({"traits": traits});
        let field = |action: ActionSlug, field: &str, mut event: Value| {
            // What is required besides.
            for (required, path, value) in [
                (ActionSlug::UpsertContact, "/traits/email", "a@b.co"),
                (ActionSlug::UpsertCompany, "/groupId", "g"),
            ] {
                let is_there = event.pointer(path).is_some() || event.get("context").is_some();
                if action == required && !is_there {
                    let (holder, name) = path[1..].split_once('/').unwrap_or(("", &path[1..]));
                    match holder {
                        "" => event[name] = json!(value),
                        holder => event[holder][name] = json!(value),
                    }
                }
            }
            let more = match action {
                ActionSlug::SendCustomBehavioralEvent => json!({"eventName": "pe1_x"}),
                ActionSlug::CustomEvent => {
                    let mut record = action.default_mapping()["record_details"].clone();
                    record["object_type"] = json!("contact");
                    json!({"event_name": "x", "record_details": record})
                }
                _ => json!({}),
            };
            let payload = payload(action, &more, &event).unwrap();
            payload.pointer(&format!("/{field}")).cloned()
        };
        let (contact, company) = (ActionSlug::UpsertContact, ActionSlug::UpsertCompany);
        let is = |text: &str| Some(json!(text));
        let x = || json!("x");
        let mut rows = vec![
            (
                contact,
                "email",
                traits(json!({"email": "c@d.co"})),
                is("c@d.co"),
            ),
            (contact, "company", traits(json!({"company": "x"})), is("x")),
            (contact, "phone", traits(json!({"phone": "x"})), is("x")),
            (contact, "website", traits(json!({"website": "x"})), is("x")),
            (
                contact,
                "country",
                traits(json!({"address": {"country": "x"}})),
                is("x"),
            ),
            (
                company,
                "country",
                traits(json!({"address": {"country": "x"}})),
                None,
            ),
            (company, "groupid", json!({"groupId": "x"}), is("x")),
            (
                company,
                "groupid",
                json!({"context": {"groupId": "x"}}),
                is("x"),
            ),
            (
                company,
                "groupid",
                json!({"groupId": null, "context": {"groupId": "x"}}),
                is("x"),
            ),
            (
                company,
                "groupid",
                json!({"groupId": "y", "context": {"groupId": "x"}}),
                is("y"),
            ),
            (company, "name", traits(json!({"name": "x"})), is("x")),
            (
                company,
                "description",
                traits(json!({"description": "x"})),
                is("x"),
            ),
            (company, "domain", traits(json!({"website": "x"})), is("x")),
            (company, "phone", traits(json!({"phone": "x"})), is("x")),
            (
                company,
                "industry",
                traits(json!({"industry": "x"})),
                is("x"),
            ),
            (
                company,
                "numberofemployees",
                traits(json!({"employees": "5"})),
                Some(json!(5)),
            ),
        ];
        for (name, first, second) in [
            ("firstname", "first_name", "firstName"),
            ("lastname", "last_name", "lastName"),
        ] {
            rows.extend([
                (contact, name, traits(json!({first: "x"})), is("x")),
                (contact, name, traits(json!({second: "x"})), is("x")),
                (
                    contact,
                    name,
                    traits(json!({first: "x", second: "y"})),
                    is("x"),
                ),
                (
                    contact,
                    name,
                    traits(json!({first: null, second: "x"})),
                    is("x"),
                ),
                // An empty text counts as present; and then it is left out.
                (contact, name, traits(json!({first: "", second: "x"})), None),
            ]);
        }
        for action in [contact, company] {
            for (name, part) in [("address", "street"), ("city", "city"), ("state", "state")] {
                rows.push((
                    action,
                    name,
                    traits(json!({"address": {part: x()}})),
                    is("x"),
                ));
            }
            for address in [
                json!({"postalCode": "x"}),
                json!({"postal_code": "x"}),
                json!({"postalCode": "x", "postal_code": "y"}),
                json!({"postalCode": null, "postal_code": "x"}),
            ] {
                rows.push((action, "zip", traits(json!({"address": address})), is("x")));
            }
        }
        let time = "2026-01-01T00:00:00Z";
        let of_user = json!({"traits": {"email": "u@b.co"}});
        for (action, when, whom) in [
            (ActionSlug::SendCustomBehavioralEvent, "occurredAt", "email"),
            (
                ActionSlug::CustomEvent,
                "occurred_at",
                "record_details/email",
            ),
        ] {
            let with = |properties: Value| json!({"timestamp": time, "properties": properties, "context": of_user});
            rows.extend([
                (action, when, with(json!({})), is(time)),
                (action, whom, with(json!({"email": "p@b.co"})), is("p@b.co")),
                (action, whom, with(json!({})), is("u@b.co")),
                (action, whom, with(json!({"email": null})), is("u@b.co")),
            ]);
        }
        for (action, name, event, expected) in rows {
            assert_eq!(
                field(action, name, event.clone()),
                expected,
                "{action} {name} of {event}"
            );
        }
    }

    /// events.md §4: the hidden fields of the object action.
    #[test]
    fn s4_what_the_object_action_reads_of_audiences_and_time() {
        let mapping =
            Mapping::compile(&Value::Object(ActionSlug::UpsertObject.default_mapping())).unwrap();
        let hidden = |event: Value| {
            let resolved = mapping.resolve(&event).unwrap().unwrap();
            resolved.to_string()
        };
        let personas =
            json!({"personas": {"computation_key": "KEY", "computation_class": "CLASS"}});
        let both = json!({"timestamp": "TIME", "properties": {"p": "PROPERTIES"}, "traits": {"t": "TRAITS"}, "context": personas});
        let text = hidden(both);
        for part in ["TIME", "PROPERTIES", "KEY", "CLASS"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("TRAITS"), "{text}");
        assert!(hidden(json!({"properties": null, "traits": {"t": "TRAITS"}})).contains("TRAITS"));
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
