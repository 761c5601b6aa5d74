//! What can be said of a mapping before its first event: constants that no event changes and HubSpot never takes.

use serde_json::{Map, Value};

use crate::action::{Action, NameFix, Refusal};
use crate::association::labelled;
use crate::catalogue::{ActionSlug, SyncMode};
use crate::clean::property_name;
use crate::nouns::{ObjectType, RECORD_ID_PROPERTY};
use crate::{behavioral_event, custom_event};

/// A part of a mapping that refuses every event it has a say in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FieldFault {
    /// Where, like `/associations/0/association_label`.
    pub path: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl Action {
    /// Finds what is wrong with the constants of a field map, as it is written (a directive is an object with a key that
    /// begins with `@`).
    #[must_use]
    pub fn faults(&self, fields: &Map<String, Value>) -> Vec<FieldFault> {
        let mut faults = Faults(Vec::new());
        let settings = self.settings();
        match self.slug() {
            ActionSlug::UpsertContact => {}
            ActionSlug::UpsertCompany => {
                let reserved = settings.group_id_property.as_str();
                if members(fields.get("properties")).any(|(name, _)| name == reserved) {
                    let message =
                        format!("{reserved} is written by the action itself; map groupid instead");
                    faults.add(format!("/properties/{reserved}"), message);
                }
            }
            ActionSlug::UpsertCustomObjectRecord => {
                faults.label("/associationLabel", fields.get("associationLabel"));
                faults.never_written(fields);
            }
            ActionSlug::UpsertObject => {
                faults.record_id(fields, settings.sync_mode);
                for field in ["associations", "dissociations"] {
                    faults.labels(field, fields.get(field));
                }
                for field in ["properties", "sensitive_properties"] {
                    faults.names(field, fields.get(field), settings.name_fix);
                }
            }
            ActionSlug::SendCustomBehavioralEvent => {
                faults.event("eventName", fields, |name| {
                    behavioral_event::event_name(name, settings.hub_id)
                });
                faults.names("properties", fields.get("properties"), settings.name_fix);
                faults.nobody("", fields, &["email", "utk", "objectId"]);
            }
            ActionSlug::CustomEvent => {
                faults.event("event_name", fields, custom_event::event_name);
                faults.nobody_in_details(fields.get("record_details"));
                faults.names("properties", fields.get("properties"), settings.name_fix);
            }
        }
        faults.0
    }
}

struct Faults(Vec<FieldFault>);

impl Faults {
    fn add(&mut self, path: String, message: String) {
        self.0.push(FieldFault { path, message });
    }

    fn record_id(&mut self, fields: &Map<String, Value>, mode: SyncMode) {
        let name = fields
            .get("object_details")
            .and_then(|details| details.get("id_field_name"))
            .and_then(Value::as_str);
        if name.map(str::trim) == Some(RECORD_ID_PROPERTY) && mode != SyncMode::Update {
            let message = "HubSpot makes this id itself, so that no record can be created under it: use sync_mode: update, or \
                           another unique property";
            self.add(
                "/object_details/id_field_name".to_owned(),
                message.to_owned(),
            );
        }
    }

    fn labels(&mut self, field: &str, written: Option<&Value>) {
        let Some(Value::Array(items)) = written else {
            return;
        };
        for (place, item) in items.iter().enumerate() {
            let path = format!("/{field}/{place}/association_label");
            self.label(&path, item.get("association_label"));
        }
    }

    fn label(&mut self, path: &str, written: Option<&Value>) {
        let label = written
            .and_then(Value::as_str)
            .filter(|label| !label.trim().is_empty());
        if let Some(Err(refusal)) = label.map(|label| labelled(label, "the label")) {
            self.add(path.to_owned(), refusal.message);
        }
    }

    fn names(&mut self, field: &str, written: Option<&Value>, fix: NameFix) {
        for (key, _) in members(written) {
            if let Err(refusal) = property_name(key, fix) {
                self.add(format!("/{field}/{key}"), refusal.message);
            }
        }
    }

    /// A record that is neither looked for nor created.
    fn never_written(&mut self, fields: &Map<String, Value>) {
        let creates = fields.get("createNewCustomRecord") != Some(&Value::Bool(false));
        let searches = match fields.get("customObjectSearchFields") {
            None | Some(Value::Null) => false,
            Some(Value::Object(written)) => !written.is_empty(),
            Some(_) => true,
        };
        if !creates && !searches {
            let message = "nothing is ever written: without customObjectSearchFields no record is found, and none is created";
            self.add("/createNewCustomRecord".to_owned(), message.to_owned());
        }
    }

    fn nobody_in_details(&mut self, details: Option<&Value>) {
        let Some(Value::Object(details)) = details else {
            return;
        };
        let object = details.get("object_type").and_then(Value::as_str);
        if let Some(object) = object.and_then(ObjectType::parse) {
            let identifiers: &[&str] = if object == ObjectType::contacts() {
                &["object_id", "email", "utk"]
            } else {
                &["object_id"]
            };
            self.nobody("/record_details", details, identifiers);
        }
    }

    /// An event none of whose identifiers is mapped.
    fn nobody(&mut self, path: &str, fields: &Map<String, Value>, identifiers: &[&str]) {
        let is_there = |name: &&str| {
            fields
                .get(*name)
                .is_some_and(|value| !value.is_null() && value.as_str() != Some(""))
        };
        let is_directive = fields.keys().any(|key| key.starts_with('@'));
        if !is_directive && !identifiers.iter().any(is_there) {
            let message = format!(
                "no event can say whom it is about: map {}",
                identifiers.join(", or ")
            );
            self.add(path.to_owned(), message);
        }
    }

    fn event<T>(
        &mut self,
        field: &str,
        fields: &Map<String, Value>,
        check: impl Fn(&str) -> Result<T, Refusal>,
    ) {
        let name = fields
            .get(field)
            .and_then(Value::as_str)
            .filter(|name| !name.trim().is_empty());
        if let Some(Err(refusal)) = name.map(check) {
            self.add(format!("/{field}"), refusal.message);
        }
    }
}

/// The members of an object that is mapped key by key.
fn members(written: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    let members = written.and_then(Value::as_object);
    members
        .filter(|members| !members.keys().any(|key| key.starts_with('@')))
        .into_iter()
        .flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::action::ActionSettings;
    use crate::test_settings::settings;

    fn paths(action: ActionSlug, settings: ActionSettings, fields: &Value) -> Vec<String> {
        let fields = fields.as_object().unwrap();
        let faults = Action::new(action, settings).faults(fields);
        faults.into_iter().map(|fault| fault.path).collect()
    }

    #[test]
    fn o11_a_constant_record_id_is_refused_where_records_are_created() {
        let fields = json!({"object_details": {"id_field_name": "hs_object_id"}});
        for (mode, count) in [
            (SyncMode::Add, 1),
            (SyncMode::Upsert, 1),
            (SyncMode::Update, 0),
        ] {
            let settings = ActionSettings {
                sync_mode: mode,
                ..settings()
            };
            assert_eq!(
                paths(ActionSlug::UpsertObject, settings, &fields).len(),
                count,
                "{mode:?}"
            );
        }
    }

    #[test]
    fn a_mapping_that_can_never_deliver_is_found() {
        let nobody = json!({"eventName": "pe1_viewed", "utk": ""});
        let either = json!({"@path": "$.x", "eventName": "pe1_viewed"});
        let details = |details: Value| json!({ "record_details": details });
        let record = |fields: Value| (ActionSlug::UpsertCustomObjectRecord, fields);
        for ((action, fields), expected) in [
            ((ActionSlug::SendCustomBehavioralEvent, nobody), &[""][..]),
            ((ActionSlug::SendCustomBehavioralEvent, either), &[]),
            (
                (
                    ActionSlug::CustomEvent,
                    details(json!({"object_type": "contact"})),
                ),
                &["/record_details"],
            ),
            (
                (
                    ActionSlug::CustomEvent,
                    details(json!({"object_type": "deal", "email": "x"})),
                ),
                &["/record_details"],
            ),
            (
                (
                    ActionSlug::CustomEvent,
                    details(json!({"object_type": "deal", "object_id": 1})),
                ),
                &[],
            ),
            (
                (ActionSlug::CustomEvent, details(json!({"@path": "$.x"}))),
                &[],
            ),
            (
                record(json!({"createNewCustomRecord": false})),
                &["/createNewCustomRecord"],
            ),
            (
                record(
                    json!({"createNewCustomRecord": false, "customObjectSearchFields": {"@path": "$.x"}}),
                ),
                &[],
            ),
        ] {
            assert_eq!(
                paths(action, settings(), &fields),
                expected,
                "{action} {fields}"
            );
        }
    }

    #[test]
    fn constants_that_hubspot_never_takes_are_found() {
        for (action, fields, expected) in [
            (
                ActionSlug::UpsertObject,
                json!({"associations": [{"association_label": "foo"}, {"association_label": {"@path": "$.x"}},
                    {"association_label": "USER_DEFINED:1"}], "dissociations": [{"association_label": "1"}],
                    "properties": {"2fa": 1, "Plan Name": 2}, "sensitive_properties": {"@path": "$.traits"}}),
                &[
                    "/associations/0/association_label",
                    "/dissociations/0/association_label",
                    "/properties/2fa",
                ][..],
            ),
            (
                ActionSlug::UpsertCustomObjectRecord,
                json!({"associationLabel": "foo"}),
                &["/associationLabel"],
            ),
            (
                ActionSlug::UpsertCompany,
                json!({"properties": {"segment_group_id": ""}}),
                &["/properties/segment_group_id"],
            ),
            (
                ActionSlug::SendCustomBehavioralEvent,
                json!({"eventName": "viewed", "utk": "t", "properties": {"_x": 1}}),
                &["/eventName", "/properties/_x"],
            ),
            (
                ActionSlug::SendCustomBehavioralEvent,
                json!({"eventName": {"@path": "$.event"}, "email": {"@path": "$.x"}}),
                &[],
            ),
            (
                ActionSlug::SendCustomBehavioralEvent,
                json!({"eventName": "pe1_viewed", "objectId": 1}),
                &[],
            ),
            (
                ActionSlug::CustomEvent,
                json!({"event_name": "2 much"}),
                &["/event_name"],
            ),
            (ActionSlug::CustomEvent, json!({"event_name": "Much"}), &[]),
            (ActionSlug::UpsertContact, json!({"email": "x"}), &[]),
        ] {
            assert_eq!(
                paths(action, settings(), &fields),
                expected,
                "{action} {fields}"
            );
        }
        let known = ActionSettings {
            hub_id: Some(1),
            ..settings()
        };
        let fields = json!({"eventName": "viewed", "utk": "t"});
        assert!(paths(ActionSlug::SendCustomBehavioralEvent, known, &fields).is_empty());
    }
}
