//! Two mappings of one destination that write the same property of the same record type.

use std::collections::BTreeSet;

use hubferry_actions::ActionKind;
use serde_json::{Map, Value};

use super::mapping::{MappingEntry, ROOT_DIRECTIVE};
use super::problem::{Fault, Problems};

/// The properties that a mapping is known to write, whatever the event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Written {
    object: &'static str,
    properties: BTreeSet<String>,
}

impl Written {
    /// Reads the fields of a mapping. What a directive decides event by event (a whole object of properties) is not
    /// known beforehand.
    pub(crate) fn by(action: ActionKind, fields: &Map<String, Value>) -> Self {
        // Fields that say which record and how, not what is written to it.
        let (object, not_written) = match action {
            ActionKind::UpsertContact => ("contacts", &["email"][..]),
            ActionKind::UpsertCompany => (
                "companies",
                &[
                    "groupid",
                    "createNewCompany",
                    "associateContact",
                    "companysearchfields",
                ][..],
            ),
        };
        let is_directive = |members: &Map<String, Value>| {
            members
                .keys()
                .any(|key| key.starts_with('@') || key == ROOT_DIRECTIVE)
        };
        let mut properties = BTreeSet::new();
        for (name, value) in fields.iter().filter(|_| !is_directive(fields)) {
            match value {
                Value::Object(members) if name == "properties" => {
                    if !is_directive(members) {
                        properties.extend(members.keys().cloned());
                    }
                }
                Value::Null => {}
                _ if not_written.contains(&name.as_str()) => {}
                _ => drop(properties.insert(name.clone())),
            }
        }
        Self { object, properties }
    }
}

/// The most properties that a message names.
const NAMED: usize = 5;

/// Reports every pair of enabled mappings that write a property in common.
pub(crate) fn report_clashes(path: &str, mappings: &[MappingEntry], problems: &Problems) {
    let enabled: Vec<&MappingEntry> = mappings.iter().filter(|one| one.enabled).collect();
    for (place, later) in enabled.iter().enumerate() {
        for earlier in &enabled[..place] {
            let (one, other) = (&earlier.written, &later.written);
            if one.object != other.object {
                continue;
            }
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
                one.object,
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
