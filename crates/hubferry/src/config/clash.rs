//! Two mappings of one destination that write the same property of the same record type.

use std::collections::BTreeSet;

use hubferry_actions::{ActionSlug, ObjectType};
use serde_json::{Map, Value};

use super::mapping::{MappingEntry, ROOT_DIRECTIVE};
use super::problem::{Fault, Problems};

/// The properties that a mapping is known to write, whatever the event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Written {
    object: Option<ObjectType>,
    properties: BTreeSet<String>,
}

impl Written {
    /// Reads the fields of a mapping. What a directive decides event by event (a whole object of properties, a record's
    /// type) is not known beforehand.
    pub(crate) fn by(action: ActionSlug, fields: &Map<String, Value>) -> Self {
        let mut written = Self {
            object: object_of(action, fields),
            properties: BTreeSet::new(),
        };
        if written.object.is_none() || is_directive(fields) {
            return written;
        }
        match action {
            // Fields that say which record and how are not written to it.
            ActionSlug::UpsertContact => written.take_fields(fields, &["email"]),
            ActionSlug::UpsertCompany => written.take_fields(
                fields,
                &[
                    "groupid",
                    "createNewCompany",
                    "associateContact",
                    "companysearchfields",
                ],
            ),
            ActionSlug::UpsertCustomObjectRecord => written.take_members(fields.get("properties")),
            ActionSlug::UpsertObject => {
                written.take_members(fields.get("properties"));
                written.take_members(fields.get("sensitive_properties"));
            }
            ActionSlug::SendCustomBehavioralEvent | ActionSlug::CustomEvent => {}
        }
        written
    }

    fn take_fields(&mut self, fields: &Map<String, Value>, not_written: &[&str]) {
        for (name, value) in fields {
            if name == "properties" {
                self.take_members(Some(value));
            } else if !value.is_null() && !not_written.contains(&name.as_str()) {
                self.properties.insert(name.clone());
            }
        }
    }

    fn take_members(&mut self, properties: Option<&Value>) {
        if let Some(Value::Object(members)) = properties
            && !is_directive(members)
        {
            self.properties.extend(members.keys().cloned());
        }
    }
}

/// The type of the records it writes, where no event decides that.
pub(crate) fn object_of(action: ActionSlug, fields: &Map<String, Value>) -> Option<ObjectType> {
    let named = |value: Option<&Value>| value?.as_str().and_then(ObjectType::parse);
    match action {
        ActionSlug::UpsertContact => Some(ObjectType::contacts()),
        ActionSlug::UpsertCompany => Some(ObjectType::companies()),
        ActionSlug::UpsertCustomObjectRecord => named(fields.get("objectType")),
        ActionSlug::UpsertObject => named(fields.get("object_details")?.get("object_type")),
        ActionSlug::SendCustomBehavioralEvent | ActionSlug::CustomEvent => None,
    }
}

pub(crate) fn is_directive(members: &Map<String, Value>) -> bool {
    members
        .keys()
        .any(|key| key.starts_with('@') || key == ROOT_DIRECTIVE)
}

/// The most properties that a message names.
const NAMED: usize = 5;

/// Reports every pair of enabled mappings that write a property in common.
pub(crate) fn report_clashes(path: &str, mappings: &[MappingEntry], problems: &Problems) {
    let enabled: Vec<&MappingEntry> = mappings.iter().filter(|one| one.enabled).collect();
    for (place, later) in enabled.iter().enumerate() {
        for earlier in &enabled[..place] {
            let (one, other) = (&earlier.written, &later.written);
            let Some(object) = one.object.as_ref().filter(|_| one.object == other.object) else {
                continue;
            };
            let common: Vec<&str> = one
                .properties
                .intersection(&other.properties)
                .map(String::as_str)
                .collect();
            if common.is_empty() {
                continue;
            }
            let message = format!(
                "writes {} of {}, and so does {}: whichever event comes last wins; leave each property to one of the two",
                listed(&common),
                object.as_str(),
                name(earlier),
            );
            let at = format!("{path}[{}]", name(later));
            problems.suspect(Some(Fault::Clash), &at, message);
        }
    }
}

fn name(mapping: &MappingEntry) -> &str {
    mapping
        .id
        .split_once('/')
        .map_or(&mapping.id, |(_, name)| name)
}

fn listed(properties: &[&str]) -> String {
    let shown = properties.iter().take(NAMED).copied().collect::<Vec<_>>();
    match properties.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
